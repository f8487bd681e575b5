"""Lines of text on a page, drawn at once: a page of tables has hundreds, each too plain for an artist."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from matplotlib.artist import Artist
from matplotlib.font_manager import FontProperties

from entrepot.reports.pages.paper import HEIGHT, WIDTH, Words
from entrepot.reports.pictures.style import Theme


@cache
def font(size: float, bold: bool) -> FontProperties:
    """Return the font of all documents."""
    return FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")


class Lines(Artist):
    """Lines of text on a figure.

    Args:
        lines: where they stand, from the upper left corner, in points of A4; as far across other figures.
        theme: colours.
    """

    def __init__(self, lines: Sequence[Words], theme: Theme) -> None:
        super().__init__()
        self.lines: tuple[Words, ...] = tuple(lines)
        self.theme: Theme = theme

    def draw(self, renderer: Any) -> None:
        """Draw each, from its left edge on or up to its right one."""
        figure = self.get_figure(root=True)
        assert figure is not None
        across, down = figure.bbox.width / WIDTH, figure.bbox.height / HEIGHT
        gc = renderer.new_gc()
        for line in self.lines:
            style = font(line.size, line.bold)
            x = across * line.x
            if line.right:
                x -= renderer.get_text_width_height_descent(line.text, style, False)[0]
            y = down * (line.y if renderer.flipy() else HEIGHT - line.y)
            gc.set_foreground(self.theme.faint if line.faint else self.theme.ink)
            renderer.draw_text(gc, x, y, line.text, style, 0, ismath=False)
        gc.restore()
