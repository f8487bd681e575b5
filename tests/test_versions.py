"""What is said of versions is so: one number everywhere, the Pythons, what a release is refused for."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import entrepot as ep
from entrepot import export
from entrepot.engine import checkpoint
from entrepot.engine.fingerprints import code_fingerprint
from entrepot.markets import manifest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGE = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
PYTHONS = [
    f"3.{minor}"
    for minor in range(20)
    if SpecifierSet(PROJECT["project"]["requires-python"]).contains(f"3.{minor}")
]

obstacle = runpy.run_path(str(ROOT / ".ci" / "release.py"))["obstacle"]
CHANGELOG = "# Log\n\n## [Unreleased]\n\n## [0.2.0] - 2027-01-04\n\n- One.\n\n## [0.1.0] - 2026-12-01\n"


def steps(workflow: Path) -> list[dict[str, Any]]:
    """Every step of every job of a workflow, with the matrix of its job under "matrix"."""
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values()
    return [
        step | {"matrix": job.get("strategy", {}).get("matrix", {})}
        for job in jobs
        for step in job.get("steps", ())
    ]


# -- one number ----------------------------------------------------------------------------------------------


def test_version_is_normal_and_said_by_provenance_and_command() -> None:
    assert str(Version(ep.__version__)) == ep.__version__
    assert code_fingerprint().split() == [ep.__version__, code_fingerprint().split()[1]]
    told = subprocess.run(
        [sys.executable, "-m", "entrepot", "--version"], capture_output=True, text=True, check=True
    )
    assert told.stdout == f"entrepot {ep.__version__}\n"


def test_version_stands_in_one_place() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "entrepot.__version__"}


def test_formats_are_those_of_the_page() -> None:
    told = dict(re.findall(r"^\| ([^|]+) \| (\d+) \|", PAGE, re.MULTILINE))
    assert {name.split("`")[1]: int(number) for name, number in told.items()} == {
        "result.export": export.VERSION,
        "ep.sweep(checkpoint=...)": checkpoint.FORMAT,
        "entrepot.json": manifest.FORMAT,
    }


# -- a release -----------------------------------------------------------------------------------------------


def test_release_whose_tag_version_and_changelog_agree() -> None:
    assert obstacle("v0.2.0", "0.2.0", CHANGELOG) == ""


@pytest.mark.parametrize(
    ("tag", "version", "changelog", "said"),
    [
        ("v0.2.0", "0.2.0.dev0", CHANGELOG, "the version is 0.2.0.dev0"),
        ("v0.2.0", "0.2", CHANGELOG, "the version is 0.2"),
        ("v0.2.1", "0.2.0", CHANGELOG, "the tag is v0.2.1 and the version 0.2.0"),
        ("0.2.0", "0.2.0", CHANGELOG, "the tag is 0.2.0 and the version 0.2.0"),
        ("", "0.2.0", CHANGELOG, "the tag is not given"),
        ("v0.3.0", "0.3.0", CHANGELOG, "does not begin with Unreleased and then [0.3.0]"),
        ("v0.1.0", "0.1.0", CHANGELOG, "does not begin with Unreleased and then [0.1.0]"),
        ("v0.2.0", "0.2.0", CHANGELOG.replace(" - 2027-01-04", ""), "with its date"),
        (
            "v0.2.0",
            "0.2.0",
            CHANGELOG.replace("[Unreleased]\n", "[Unreleased]\n\n- Two.\n"),
            "lines under Unreleased",
        ),
        ("v0.2.0", "0.2.0", "# Log\n", "does not begin with Unreleased"),
    ],
)
def test_release_that_is_refused(tag: str, version: str, changelog: str, said: str) -> None:
    assert said in obstacle(tag, version, changelog)


def test_changelog_has_only_headings_that_are_known() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    known = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Numbers that changed"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= known
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[0] == "[Unreleased]"


# -- the supported Pythons -----------------------------------------------------------------------------------


def test_pythons_are_the_same_everywhere() -> None:
    first, last = PYTHONS[0], PYTHONS[-1]
    classified = [
        line.rpartition(" ")[2] for line in PROJECT["project"]["classifiers"] if ":: Python :: 3." in line
    ]
    assert classified == PYTHONS
    assert f"(3, {first[2:]}) <= sys.version_info[:2] <= (3, {last[2:]})" in MAKEFILE
    assert f"--python-version {first} " in MAKEFILE
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{first.replace('.', '')}"
    for page in (
        MAKEFILE,
        PAGE,
        *(path.read_text(encoding="utf-8") for path in (ROOT / ".ci" / "run", ROOT / "CONTRIBUTING.md")),
    ):
        assert f"{first} to {last}" in page


def test_ci_runs_the_tests_on_every_python() -> None:
    (matrix,) = (
        step["matrix"]
        for step in steps(ROOT / ".github" / "workflows" / "ci.yml")
        if step.get("run") == "make test"
    )
    assert matrix["python"] == PYTHONS
    assert [extra["os"].partition("-")[0] for extra in matrix["include"]] == ["macos"]
    assert {extra["python"] for extra in matrix["include"]} <= set(PYTHONS)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_targets_of_the_makefile_and_nothing_else(workflow: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    for step in steps(workflow):
        if command := step.get("run"):
            given = re.fullmatch(r"make (\S+|\$\{\{ matrix\.target \}\})", command)
            assert given, f"{command!r} is no single target"
            assert set(step["matrix"].get("target", [given[1]])) <= targets
        for place in re.findall(r"3\.\d+", str(step.get("with", {}).get("python-version", ""))):
            assert place in PYTHONS


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_may_only_read_and_end_in_time(workflow: Path) -> None:
    told = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert told["permissions"] == {"contents": "read"}
    for job in told["jobs"].values():
        assert "permissions" not in job
        assert "uses" in job or job["timeout-minutes"] <= 180
