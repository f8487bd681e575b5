"""Draws the pictures of the pages while the site is built, sets formulas, and sums the reference up.

A page names a picture as ``![what it shows](pictures/name.svg)``; it is drawn here, for light and dark pages,
and kept nowhere but in the site. A fence of ``math`` holds LaTeX, which becomes MathML: browsers set that
themselves.
"""

from __future__ import annotations

import html
import importlib
import inspect
import re
from typing import Any

import concepts
import results
from canvas import Drawn, Shown
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PICTURES: dict[str, Drawn | Shown] = {**concepts.PICTURES, **results.PICTURES}
IMAGE = re.compile(r"^!\[([^\]]+)\]\(((?:\.\./)*pictures/)([\w-]+)\.(svg|png)\)$", re.MULTILINE)
DESCRIBED = re.compile(r"^(?:## (?P<group>.+)|::: (?P<path>\S+))$", re.MULTILINE)
REFERENCE, AT_A_GLANCE = "reference.md", "<!-- every name at a glance -->"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set formulas."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {}).setdefault("custom_fences", [])
    fences.append({"name": "math", "class": "formula", "format": formula})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Draw every picture."""
    for name, picture in PICTURES.items():
        for file, content in picture.files(name).items():
            files.append(File.generated(config, f"pictures/{file}", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Show each picture as it was drawn for the reader's page, and the reference's names at a glance."""
    if page.file.src_uri == REFERENCE:
        markdown = markdown.replace(AT_A_GLANCE, at_a_glance(markdown))
    return IMAGE.sub(shown, markdown)


def shown(match: re.Match[str]) -> str:
    """Return the lines of a picture in a page: Markdown, so that a missing file is noticed."""
    words, folder, name, kind = match.groups()
    if kind == "png":
        images = f"![{words}]({folder}{name}.png){{ .on-paper }}"
    else:
        images = "".join(
            f"![{words}]({folder}{name}.{mode}.svg){{ .in-{mode} }}" for mode in ("light", "dark")
        )
    return f'<div class="picture" markdown>{images}</div>'


def formula(source: str, language: str, css_class: str, *_: Any, **__: Any) -> str:
    """Set LaTeX as MathML, its source beside it for those who want to copy it."""
    written = source.strip()
    return (
        f'<div class="{css_class}" title="{html.escape(written)}">{convert(written, display="block")}</div>'
    )


def at_a_glance(markdown: str) -> str:
    """Return a table of the names that the reference describes, each with the first line about it."""
    lines = ["| name | what it is |", "|---|---|"]
    for found in DESCRIBED.finditer(markdown):
        if group := found["group"]:
            lines.append(f"| **[{group}](#{group.lower().replace(' ', '-')})** | |")
        elif path := found["path"]:
            lines.append(f"| [`{path.rpartition('.')[2]}`](#{path}) | {first_line(path)} |")
    return "\n".join(lines)


def first_line(path: str) -> str:
    """Return the first line of what is said about a public name."""
    module, _, name = path.rpartition(".")
    described = getattr(importlib.import_module(module), name)
    if not (inspect.isclass(described) or inspect.isroutine(described)):
        return f"A {type(described).__name__} of {len(described)}."  # type: ignore[arg-type]
    about = inspect.getdoc(described)
    assert about, f"{path} says nothing about itself"
    return about.splitlines()[0].replace("|", "\\|")
