"""A metric over two parameters of a sweep, flat and as a surface, the best one marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError
from entrepot.reports.pictures.style import SIZES, Theme, folded, head, minus, nothing, room, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap

MOST_LABELS = 12  # along an axis
DIGITS = 4.2  # width of a cell's number and the room around it, in text sizes
# Where the viewer may stand: between two corners of the floor, so that both axes can be read.
ANGLES = (-120.0, -30.0, 60.0, 150.0)
HEIGHT = 30.0  # of the viewer, degrees above the floor
FLOOR = 0.45  # between the lowest value and the contours below, of the range of values


def heatmap(
    cells: pd.DataFrame, metric: str, label: str, size: object = "page", *, least_is_best: bool = False
) -> Axes:
    """Draw cells, darker with their value, so that they read in grey; empty ones are crossed out.

    Args:
        cells: metric by the values of two parameters; the index goes up the page. NaN where there is none.
        metric: what the cells are.
        label: where the prices come from.
        size: "page" or "slide".
        least_is_best: the lowest cell is framed rather than the highest.

    Returns:
        The Axes; its first collection holds the cells.
    """
    values = cells.to_numpy(dtype=float)
    with sheet(size, min(1.6 + 0.3 * len(cells), 7.2)) as (figure, place, theme):
        axes: Axes = place
        title = told(cells, metric, label, least_is_best)
        axes.set_title(folded(title, 0.9 * room(figure), theme.size + 0.5 * theme.scale, "bold"))
        axes.grid(visible=False)
        axes.set_facecolor(theme.paper)
        axes.patch.set(hatch="xxx", edgecolor=theme.rule)
        picture = axes.pcolormesh(
            np.ma.masked_invalid(values), cmap=shades(theme), edgecolors=theme.paper, linewidth=theme.thin
        )
        name_values(axes, cells, 0.5)
        if not np.isfinite(values).any():
            nothing(axes, f"no configuration has {metric}", theme)
            return axes
        width, _, _ = SIZES[str(size)]
        if DIGITS * theme.size * values.shape[1] < 0.8 * 72 * width and 1.5 * theme.size * len(cells) < 400:
            number_cells(axes, values, picture, theme)
        frame(axes, values, least_is_best, theme)
        bar = figure.colorbar(picture, ax=axes, pad=0.02)
        bar.outline.set_visible(False)
    return axes


def surface(
    cells: pd.DataFrame, metric: str, label: str, size: object = "page", *, least_is_best: bool = False
) -> Axes:
    """Draw cells as a surface, seen from its lowest side, contours on the floor, the best one on a stem.

    A plateau says that a choice of parameters does not matter; a lone peak that it was luck.

    Args:
        cells: as in `heatmap`, each parameter with two values or more.
        metric: what the cells are.
        label: where the prices come from.
        size: "page" or "slide".
        least_is_best: the lowest cell is marked rather than the highest.

    Returns:
        The Axes, of three dimensions. Values of a parameter are spaced evenly, whatever they are.

    Raises:
        ParameterError: where a parameter has a single value.
    """
    if min(cells.shape) < 2:
        raise ParameterError(
            f"a surface needs two values of each parameter and this one has {len(cells.columns)} by "
            f"{len(cells)}: give more of them, or draw the heatmap"
        )
    values = cells.to_numpy(dtype=float)
    with sheet(size, 5.0, subplot_kw={"projection": "3d"}) as (figure, axes, theme):
        drawn: Axes = axes
        head(figure, told(cells, metric, label, least_is_best))
        name_values(axes, cells)
        axes.zaxis.set_rotate_label(False)
        axes.set_zlabel(metric, rotation=90)
        axes.set_box_aspect((1.4, 1.1, 0.66), zoom=1.25)
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            axis.set_pane_color(theme.paper)
            axis.labelpad = 8 * theme.scale
            axis.set_tick_params(pad=2 * theme.scale)
            axis.line.set_color(theme.faint)
        known = values[np.isfinite(values)]
        if not len(known):
            axes.set_axis_off()
            text = f"no configuration has {metric}"
            axes.text2D(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=theme.faint)
            return drawn
        low, high = float(known.min()), float(known.max())
        reach = (high - low) or abs(high) or 1.0
        floor = low - FLOOR * reach
        along, across = np.indices(values.shape, dtype=float)
        colours = shades(theme)
        axes.plot_surface(
            across, along, values, cmap=colours, vmin=low, vmax=low + reach, rstride=1, cstride=1,
            edgecolor=theme.ink, linewidth=theme.hair, shade=False, alpha=0.95,
        )  # fmt: skip
        if high > low:
            flat = np.ma.masked_invalid(values)
            axes.contourf(across, along, flat, 8, zdir="z", offset=floor, cmap=colours, alpha=0.8)
        for part in axes.collections:
            part.set_clip_on(False)  # near corners reach beyond the axes
        row, column = best(values, least_is_best)
        top = float(values[row, column])
        pin = top + 0.22 * reach
        axes.plot([column] * 2, [row] * 2, [top, pin], color=theme.lines[1], linewidth=theme.thick, zorder=20)
        axes.plot([column], [row], [top], "D", color=theme.lines[1], markeredgecolor=theme.paper, zorder=21)
        axes.text(column, row, pin, short(top), ha="center", va="bottom", fontweight="bold", zorder=22)
        axes.set_zlim(floor, high + 0.1 * reach)
        ticks = axes.get_zticks()
        axes.set_zticks(ticks[(ticks >= low - 0.1 * reach) & (ticks <= high + 0.1 * reach)])
        axes.view_init(HEIGHT, lowest_side(values))
    return drawn


def shades(theme: Theme) -> LinearSegmentedColormap:
    """Return shades that darken from low to high, none of them paper."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("entrepot", ["#e3ecf5", theme.shade_gain, theme.lines[0]])


def told(cells: pd.DataFrame, metric: str, label: str, least_is_best: bool) -> str:
    """Say what is drawn, which cell is best, and where the prices come from."""
    values = cells.to_numpy(dtype=float)
    if not np.isfinite(values).any():
        return f"{metric} ({label})"
    row, column = best(values, least_is_best)
    return (
        f"{metric}, at best {short(float(values[row, column]))} with {cells.columns.name} "
        f"{short(cells.columns[column])} and {cells.index.name} {short(cells.index[row])} ({label})"
    )


def best(values: NDArray[np.float64], least_is_best: bool) -> tuple[int, int]:
    """Return row and column of the best value; of equal ones the first."""
    at = np.nanargmin(values) if least_is_best else np.nanargmax(values)
    row, column = np.unravel_index(at, values.shape)
    return int(row), int(column)


def lowest_side(values: NDArray[np.float64]) -> float:
    """Return the angle from which least is hidden: that of the corner whose quarter is lowest."""
    rows, columns = (n // 2 + n % 2 for n in values.shape)
    quarters = (
        values[:rows, :columns],
        values[:rows, -columns:],
        values[-rows:, -columns:],
        values[-rows:, :columns],
    )
    means = [float(np.nanmean(part)) if np.isfinite(part).any() else np.inf for part in quarters]
    return ANGLES[int(np.argmin(means))]


def name_values(axes: Axes, cells: pd.DataFrame, middle: float = 0.0) -> None:
    """Write the values of both parameters along their axes, as many as can be read, the first at `middle`."""
    for axis, labels in ((axes.xaxis, cells.columns), (axes.yaxis, cells.index)):
        every = max(1, -(-len(labels) // MOST_LABELS))
        axis.set_ticks(np.arange(0, len(labels), every) + middle, [short(v) for v in labels[::every]])
        axis.set_label_text(str(labels.name))


def number_cells(axes: Axes, values: NDArray[np.float64], picture: Any, theme: Theme) -> None:
    """Write each value into its cell, black or white, whichever can be read."""
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = readable_on(picture.cmap(picture.norm(value))[:3])
            text = minus(f"{value:.3g}")
            axes.text(j + 0.5, i + 0.5, text, ha="center", va="center", color=colour, fontsize=theme.size)


def readable_on(colour: Sequence[float]) -> str:
    """Return black or white, whichever contrasts more with a colour: 4.58 to 1 at the least.

    The luminance is that of WCAG 2.2, and the two are equally far from one of 0.179.
    """
    part = np.asarray(colour, dtype=float)
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return "#000000" if linear @ (0.2126, 0.7152, 0.0722) > 0.179 else "#ffffff"


def frame(axes: Axes, values: NDArray[np.float64], least_is_best: bool, theme: Theme) -> None:
    """Frame the best cell."""
    from matplotlib.patches import Rectangle

    row, column = best(values, least_is_best)
    look: dict[str, Any] = {"fill": False, "zorder": 4, "clip_on": False}
    axes.add_patch(Rectangle((column, row), 1, 1, edgecolor=theme.paper, linewidth=3.0 * theme.thick, **look))
    axes.add_patch(
        Rectangle((column, row), 1, 1, edgecolor=theme.lines[1], linewidth=1.6 * theme.thick, **look)
    )


def short(value: object) -> str:
    """Write a parameter's value, or a metric's, on an axis."""
    return minus(f"{value:.4g}") if isinstance(value, float) else str(value)
