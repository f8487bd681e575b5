"""A metric over two parameters of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from entrepot.reports.pictures.style import LIGHT, Theme, minus

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More cells than this and their numbers cannot be read.
MOST_NUMBERED = 200


def heatmap(cells: pd.DataFrame, metric: str, label: str, theme: Theme = LIGHT) -> Axes:
    """Draw cells, one shade from low to high, so that it reads in grey; empty ones are left as paper.

    Args:
        cells: metric by the values of two parameters; the index goes up the page.
        metric: what the cells are.
        label: where the prices come from.
        theme: colours and text size.
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("entrepot", [theme.paper, theme.shade_gain, theme.lines[0]])
    values = cells.to_numpy(dtype=float)
    with theme.active():
        height = min(2.0 + 0.22 * len(cells), 9.0)
        figure, axes = plt.subplots(figsize=(6.4, height), layout="constrained")
        picture = axes.pcolormesh(
            np.ma.masked_invalid(values), cmap=shades, edgecolors=theme.paper, linewidth=0.5
        )
        for axis, labels, name in (
            (axes.xaxis, cells.columns, cells.columns.name),
            (axes.yaxis, cells.index, cells.index.name),
        ):
            every = max(1, -(-len(labels) // 20))
            axis.set_ticks(
                np.arange(0, len(labels), every) + 0.5,
                [short(labels[i]) for i in range(0, len(labels), every)],
            )
            axis.set_label_text(str(name))
        axes.grid(visible=False)
        axes.set_title(f"{metric}, {label}")
        if values.size <= MOST_NUMBERED and np.isfinite(values).any():
            low, high = np.nanmin(values), np.nanmax(values)
            for (i, j), value in np.ndenumerate(values):
                if np.isfinite(value):
                    dark = value > low + 0.5 * (high - low)
                    colour = theme.paper if dark else theme.ink
                    text = minus(f"{value:.3g}")
                    axes.text(j + 0.5, i + 0.5, text, ha="center", va="center", color=colour)
        bar = figure.colorbar(picture, ax=axes, pad=0.02)
        bar.outline.set_visible(False)
    return axes


def short(value: object) -> str:
    """Write a parameter's value on an axis."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
