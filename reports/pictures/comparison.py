"""Several runs in one picture: lines told apart by their dashes, each named where it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from entrepot.reports.pictures import time_axis
from entrepot.reports.pictures.style import LINE_STYLES, Theme, apart, foot, head, number, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST, NARROW = 24, 14  # characters of a name beside its line, and where there is little room
PITCH = 1.3  # between the names of lines, in sizes of their text


def draw_growth(growth: pd.DataFrame, title: str, note: str = "", size: object = "page") -> Axes:
    """Draw what 100 became in each of several runs.

    Args:
        growth: by session and run, 1 at the first session; NaN is not drawn.
        title: of the picture.
        note: a line below it.
        size: "page" or "slide".

    Returns:
        The Axes, one line per run in the order of the columns, its name at its end.
    """
    place: Axes
    with sheet(size, 3.2) as (figure, place, theme):
        head(figure, title)
        foot(figure, note, theme)
        draw_lines(place, 100 * growth, theme)
        place.axhline(100.0, color=theme.faint, linewidth=theme.thin, zorder=1)
        figure.draw_without_rendering()  # names are put beside lines whose places are known
        name_lines(place, 100 * growth, theme)
    return place


def draw_lines(ax: Axes, table: pd.DataFrame, theme: Theme) -> None:
    """Draw each column along time; sixteen lines differ in colour and dashes together, four in either.

    Args:
        ax: where.
        table: by session and run.
        theme: colours and text size.
    """
    at = time_axis.without_zone(table.index)
    for i, name in enumerate(table.columns):
        colour, dashes = look(i, theme)
        ax.plot(np.asarray(at), table[name].to_numpy(dtype=float), color=colour, linestyle=dashes)
    if len(at):
        time_axis.span(ax, at[0], at[-1])


def look(i: int, theme: Theme) -> tuple[str, object]:
    """Return colour and dashes of the i-th line."""
    colours, styles = len(theme.lines), len(LINE_STYLES)
    return theme.lines[i % colours], LINE_STYLES[(i + i // colours) % styles]


def name_lines(ax: Axes, table: pd.DataFrame, theme: Theme) -> None:
    """Write the name and last value of each line to the right of the axes, none over another.

    Args:
        ax: where `draw_lines` drew them, its scale settled.
        table: the same.
        theme: colours and text size.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None
    low, high = ax.get_ylim()
    kept = [i for i in range(table.shape[1]) if table.iloc[:, i].notna().any()]
    ends = np.array([float(table.iloc[:, i].dropna().iloc[-1]) for i in kept])
    longest = NARROW if theme.narrow else LONGEST
    tall = 72 * ax.get_position().height * figure.get_figheight()
    places = apart((ends - low) / (high - low), PITCH * theme.size / tall)
    for i, end, place in zip(kept, ends, places, strict=True):
        colour, dashes = look(i, theme)
        ax.annotate(
            f"{brief(str(table.columns[i]), longest)}  {number(end, 1)}", (1.0, (end - low) / (high - low)),
            (1.035, place), xycoords="axes fraction", textcoords="axes fraction", ha="left", va="center",
            color=theme.ink, fontsize=theme.size, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linestyle": dashes, "shrinkA": 0, "shrinkB": 0,
                        "linewidth": theme.thick, "relpos": (0.0, 0.5)},
        )  # fmt: skip


def brief(name: str, longest: int = LONGEST) -> str:
    """Shorten a name to one short line."""
    line = " ".join(name.split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip(' ,;:')}\u2026"
