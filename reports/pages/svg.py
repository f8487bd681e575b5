"""Figures as SVG that follows the page: its font, and its light or dark scheme, from one drawing."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrepot.reports.pictures.style import DARK, LIGHT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
FINER = re.compile(r"(?<=\.\d\d)\d+")
PAINT = re.compile(r"(fill|stroke): (#[0-9a-f]{6})")


@dataclass(frozen=True)
class Drawing:
    """The inside of an ``<svg>`` element and the size of its view box."""

    body: str
    width: float
    height: float


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
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r' d="[^"]*"', lambda found: shortened(found[0]), text)
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    text = re.sub(r"font-family: [^;\"]*; ", "", text)
    text = re.sub(r'fill="(#[0-9a-f]{6})"', r'style="fill: \1"', text)
    name = variables()
    text = PAINT.sub(lambda found: f"{found[1]}: {name.get(found[2], found[2])}", text)
    text = text.replace("xlink:href=", "href=")
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{key}-", text)
    width, height = (72 * float(inches) for inches in figure.get_size_inches())
    return Drawing(re.sub(r">\s+<", "><", text).strip(), round(width, 1), round(height, 1))


def shortened(path: str) -> str:
    """Write a path on one line, to a hundredth of a point."""
    return FINER.sub("", path.replace("\n", ""))


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
