"""Paths around events: what each group of events cumulated to, day by day, and how sure that is."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from entrepot.reports.pictures.style import Theme, apart, foot, head, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 4  # groups in one picture: as many as the theme has lines that stay apart in grey
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
MARKERS = ("o", "s", "^", "D")
HATCHES = (None, "////")
SHADED = len(HATCHES)  # groups whose bands can lie over each other; more have whiskers beside each other
BESIDE = 0.16  # of a day, between their whiskers
LABEL = 3.3  # lines of text from the label of one group to the next
ACROSS = 22  # characters of a label on one line
OF_HEIGHT = 0.62  # of the figure, that the axes take
BAND = 0.16  # opacity


def draw_event_paths(
    table: pd.DataFrame, path: str, *, ylabel: str, title: str, note: str, size: object = "page"
) -> Axes:
    """Draw a path and its band for each group, named at its end.

    Args:
        table: by group and event day; ``dates``, and ``path`` with its bounds in ``path_low`` and
            ``path_high``, fractions; NaN is not drawn.
        path: the column.
        ylabel: what it is, in per cent or percentage points.
        title: of the picture.
        note: at the foot.
        size: "page" or "slide".
    """
    with sheet(size, 3.9) as (figure, axes, theme):
        place: Axes = axes
        head(figure, title)
        foot(figure, note, theme)
        draw_paths(place, table, path, theme, figure.get_figheight(), ylabel=ylabel)
    return place


def draw_paths(
    place: Axes, table: pd.DataFrame, path: str, theme: Theme, height: float, *, ylabel: str
) -> None:
    """Draw a path and its band for each group into axes with room for names at their right.

    Args:
        place: the axes.
        table: as for `draw_event_paths`.
        path: the column.
        theme: of the figure.
        height: of the figure, inches.
        ylabel: what it is, in per cent or percentage points.
    """
    from matplotlib.ticker import MaxNLocator

    ends = {}
    groups = list(dict.fromkeys(table.index.get_level_values("group")))
    for k, group in enumerate(groups):
        own = table.loc[group]
        beside = (k - (len(groups) - 1) / 2) * BESIDE if len(groups) > SHADED else None
        dates = int(own["dates"].max())
        words = f"{str(group).replace('_', ' ')}, {dates:,} date{'s' if dates != 1 else ''}"
        name = fill(words, ACROSS)
        ends[name] = draw_path(place, own, path, k, beside, theme)
    place.axhline(0.0, color=theme.faint, linewidth=theme.thin, zorder=1)
    place.axvline(0.0, color=theme.ink, linewidth=theme.thin, linestyle=(0, (2, 2)), zorder=1)
    days = table.index.get_level_values("day").to_numpy(dtype=float)
    place.set_xlim(days.min() - 0.4, days.max() + 0.4)
    place.xaxis.set_major_locator(MaxNLocator(integer=True))
    place.set_xlabel(
        f"sessions from {'day 0' if theme.narrow else 'the first close after the event was known'}"
    )
    place.set_title(ylabel)
    label_ends(place, ends, LABEL * theme.size / (72 * height * OF_HEIGHT), theme)


def draw_path(
    place: Axes, own: pd.DataFrame, path: str, k: int, beside: float | None, theme: Theme
) -> tuple[float, float, str]:
    """Draw one group, its band shaded, or as whiskers so far beside its days; return its end and colour."""
    day = own.index.to_numpy(dtype=float)
    middle, low, high = (100 * own[f"{path}{end}"].to_numpy(dtype=float) for end in ("", "_low", "_high"))
    colour = theme.lines[k % len(theme.lines)]
    if beside is None:
        place.fill_between(
            day, low, high, facecolor=colour, alpha=BAND, edgecolor=colour, linewidth=theme.hair,
            hatch=HATCHES[k % SHADED], zorder=2,
        )  # fmt: skip
    else:
        day = day + beside
        place.vlines(day, low, high, color=colour, linewidth=theme.thin, alpha=0.6, zorder=2)
    place.plot(
        day, middle, color=colour, linestyle=DASHES[k % MOST], linewidth=theme.thick,
        marker=MARKERS[k % MOST], markersize=2.6 * theme.scale, zorder=3,
    )  # fmt: skip
    there = np.flatnonzero(np.isfinite(middle))
    at = there[-1] if len(there) else 0
    return float(day[at]), float(middle[at]), colour


def label_ends(place: Axes, ends: dict[str, tuple[float, float, str]], gap: float, theme: Theme) -> None:
    """Name lines beside where they end, moved apart where they would cover each other."""
    bottom, top = place.get_ylim()
    height = np.array([(y - bottom) / (top - bottom) if np.isfinite(y) else 0.5 for _, y, _ in ends.values()])
    for (name, (x, y, colour)), at in zip(ends.items(), apart(height, gap), strict=True):
        place.annotate(
            name, (x, y if np.isfinite(y) else 0.0), (1.02, at), textcoords="axes fraction", va="center",
            color=colour, fontsize=theme.size, fontweight="bold", annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": colour, "linewidth": theme.hair, "shrinkA": 1, "shrinkB": 2,
                "relpos": (0.0, 0.5),
            },
        )  # fmt: skip
