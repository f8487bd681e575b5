"""Refuses a release whose tag, version and changelog differ: `TAG=v0.1.0 make release`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import entrepot

HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def obstacle(tag: str, version: str, changelog: str) -> str:
    """Say in one sentence what stands in the way of a release, "" if nothing does."""
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        return f"the version is {version}: set one such as 0.1.0 or 0.1.0rc1 in src/entrepot/__init__.py"
    if tag != f"v{version}":
        return f"the tag is {tag or 'not given'} and the version {version}: the tag must be v{version}"
    headings = list(HEADING.finditer(changelog))
    if [heading["version"] for heading in headings[:2]] != ["Unreleased", version] or not headings[1]["date"]:
        return (
            f"CHANGELOG.md does not begin with Unreleased and then [{version}] with its date: add the heading"
        )
    if changelog[headings[0].end() : headings[1].start()].strip():
        return f"CHANGELOG.md has lines under Unreleased: move them under [{version}]"
    return ""


if __name__ == "__main__":
    # From the environment and not from make's own variables, which it would expand: a tag can be any text.
    written = (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    if found := obstacle(os.environ.get("TAG", ""), entrepot.__version__, written):
        sys.exit(f"No release: {found}.")
