"""What a reader could not read on a figure: text off its edge, over other text, or too small."""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

LEAST_SIZE = {"page": 6.0, "slide": 12.0}
SIZES = {"page": (7.2, 9.6), "slide": (13.333, 7.5)}


def drawn_texts(figure: Figure) -> dict[Text, Bbox]:
    """Return the texts that a figure paints, and where: none of ticks beyond the axes."""
    seen: dict[Text, Bbox] = {}
    draw = Text.draw

    def spy(self, renderer, *args, **kwargs):
        if self.get_visible() and self.get_text().strip():
            seen[self] = self.get_window_extent(renderer)  # one of three dimensions is here only now
        return draw(self, renderer, *args, **kwargs)

    Text.draw = spy
    try:
        figure.draw_without_rendering()
    finally:
        Text.draw = draw
    return seen


def read(figure: Figure, least: float) -> list[str]:
    """Return the words of a figure, after everything in it has been found legible."""
    texts = drawn_texts(figure)
    assert complaints(figure, least, texts) == []
    return [text.get_text() for text in texts]


def complaints(figure: Figure, least: float, texts: dict[Text, Bbox]) -> list[str]:
    """Say what cannot be read. Texts of which less than a third of a line is covered are let pass."""
    boxes = [(text.get_text(), box) for text, box in texts.items()]
    right, top = figure.bbox.width, figure.bbox.height
    out = [
        f"{name!r} leaves the figure: {box.extents}"
        for name, box in boxes
        if box.x0 < -0.5 or box.y0 < -0.5 or box.x1 > right + 0.5 or box.y1 > top + 0.5
    ]
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        high = min(a.y1, b.y1) - max(a.y0, b.y0)
        line = min(a.height / (one.count("\n") + 1), b.height / (other.count("\n") + 1))
        if wide >= 1 and high >= 0.35 * line:
            out.append(f"{one!r} covers {other!r}")
    out += [
        f"{text.get_text()!r} has {text.get_fontsize():.2f} points"
        for text in texts
        if text.get_fontsize() < least - 1e-9
    ]
    out += [
        f"{text.get_text()!r} is read as markup"
        for text in texts
        if text.get_parse_math() or text.get_usetex()
    ]
    return out


def figure_of(axes: Axes | np.ndarray) -> Figure:
    return np.ravel(axes)[0].get_figure(root=True)
