"""What a picture of the site is, and how it becomes a file."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import matplotlib.pyplot as plt
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from entrepot.reports.pictures.style import DARK, LIGHT, Theme

WIDTH = 7.2  # inches: a point is then about 1.3 pixels of a page of text
SIZE = 9.0
DOTS = 120  # of a picture that the library itself draws, per inch of a slide
COLOURS = 64


@dataclass(frozen=True)
class Drawn:
    """A picture drawn for the site, once for light pages and once for dark ones.

    Args:
        draw: returns the figure in a theme.
    """

    draw: Callable[[Theme], Figure]

    def files(self, name: str) -> dict[str, bytes]:
        """Draw it, as SVG with letters as shapes, so that no font is needed to show it."""
        return {
            f"{name}.{mode}.svg": self._svg(theme) for mode, theme in {"light": LIGHT, "dark": DARK}.items()
        }

    def _svg(self, theme: Theme) -> bytes:
        own, drawn = replace(theme, size=SIZE), io.BytesIO()
        with own.active(), rc_context({"svg.fonttype": "path"}):
            figure = self.draw(own)
            figure.savefig(drawn, format="svg", metadata={"Date": None}, transparent=True)
        plt.close(figure)
        return drawn.getvalue()


@dataclass(frozen=True)
class Shown:
    """A picture as the library draws it for its users, on its own paper.

    Args:
        draw: calls what draws it, and returns the figure.
    """

    draw: Callable[[], Figure]

    def files(self, name: str) -> dict[str, bytes]:
        """Draw it, as a PNG."""
        return {f"{name}.png": png(self.draw(), DOTS)}


def png(figure: Figure, dots: int) -> bytes:
    """Save a figure and close it; few colours make a small file, and none is missed."""
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, dpi=dots)
    plt.close(figure)
    drawn.seek(0)
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    return small.getvalue()
