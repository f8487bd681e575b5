"""Figures as SVG that follows the page: its font, and its light or dark scheme, from one drawing."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from entrepot.reports.pictures.style import DARK, LIGHT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
STYLE = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
TAG = re.compile(r"<[^>]*>")
BETWEEN = re.compile(r">\s+<")
GROUP = re.compile(r'<g id="[^"]*">')
PATH = re.compile(r' d="[^"]*"')
FINER = re.compile(r"(?<=\.\d\d)\d+")
UPRIGHT = re.compile(r' transform="rotate\(-0 [^"]*"')
FONT = re.compile(r"font-family: [^;\"]*; ")
FILL = re.compile(r'fill="(#[0-9a-f]{6})"')
PAINT = re.compile(r"(fill|stroke): (#[0-9a-f]{6})")
NAMED = re.compile(r'( id="|href="#|url\(#)')


@dataclass(frozen=True)
class Drawing:
    """The inside of an ``<svg>`` element, the size of its view box, and what its ids begin with."""

    body: str
    width: float
    height: float
    key: str


def drawing(figure: Figure, key: str) -> Drawing:
    """Draw a figure in `LIGHT` colours, each of which becomes the variable of the same name.

    Args:
        figure: drawn with `LIGHT`; its text stays text.
        key: put before every id, so that no two figures of a page share one.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=NO_METADATA)
    text = file.getvalue()
    text = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    text = STYLE.sub("", text, count=1)
    text = TAG.sub(lambda found: rewritten(found[0], key), text)
    width, height = (72 * float(inches) for inches in figure.get_size_inches())
    return Drawing(BETWEEN.sub("><", text).strip(), round(width, 1), round(height, 1), key)


def rewritten(tag: str, key: str) -> str:
    """Write one tag for the page it becomes part of; what stands between tags is data, and stays as it is."""
    if GROUP.fullmatch(tag):
        return "<g>"
    tag = PATH.sub(lambda found: shortened(found[0]), tag)
    tag = UPRIGHT.sub("", tag)
    tag = FONT.sub("", tag)
    tag = FILL.sub(r'style="fill: \1"', tag)
    name = variables()
    tag = PAINT.sub(lambda found: f"{found[1]}: {name.get(found[2], found[2])}", tag)
    tag = tag.replace("xlink:href=", "href=")
    return NAMED.sub(rf"\g<1>{key}-", tag)


def shortened(path: str) -> str:
    """Write a path on one line, to a hundredth of a point."""
    return FINER.sub("", path.replace("\n", ""))


@cache
def variables() -> dict[str, str]:
    """Map each colour of `LIGHT` to the variable that stands for it."""
    names: dict[str, str] = {}
    for name, colour in LIGHT.colours().items():
        names.setdefault(colour, f"var(--{name})")
    return names


def palette() -> str:
    """Define the variables, in CSS, for both schemes; paper is always light."""

    def block(colours: dict[str, str]) -> str:
        return ":root {" + " ".join(f"--{name}: {colour};" for name, colour in colours.items()) + "}"

    dark = block(DARK.colours())
    return f"{block(LIGHT.colours())}\n@media screen and (prefers-color-scheme: dark) {{ {dark} }}"
