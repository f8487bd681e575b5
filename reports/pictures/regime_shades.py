"""Shades of regimes behind a picture, told apart by hatches too, and their legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.reports.pictures.style import Theme
from entrepot.reports.pictures.time_axis import on_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

HATCHES = ("", "", "////", "xxxx", "....", "\\\\\\\\", "++++")


def shade(ax: Axes, time: Any, states: NDArray[np.integer[Any]], count: int, theme: Theme) -> None:
    """Shade every stretch of a regime but the first, from the step of the decision to the next.

    Args:
        ax: what is shaded, over its whole height.
        time: UTC, of each step, shape (n_steps,).
        states: number of the regime decided at each step, shape (n_steps,).
        count: of regimes.
        theme: colours.
    """
    from matplotlib.collections import PolyCollection

    if not len(states):
        return
    edges = np.flatnonzero(np.diff(states, prepend=-1))
    when = on_axis(pd.DatetimeIndex(time)[[*edges, -1]])
    begins, ends = when[:-1], when[1:]
    for code in range(1, count):
        mine = states[edges] == code
        if mine.any():
            boxes = [[(a, 0), (b, 0), (b, 1), (a, 1)] for a, b in zip(begins[mine], ends[mine], strict=True)]
            spans = PolyCollection(
                boxes, transform=ax.get_xaxis_transform(), linewidth=0, zorder=0, **look(code, theme)
            )
            ax.add_collection(spans, autolim=False)


def patches(names: Sequence[str], theme: Theme) -> list[Patch]:
    """Return the entries of a legend, one for each regime."""
    from matplotlib.patches import Patch

    return [Patch(label=name, linewidth=theme.hair, **look(code, theme)) for code, name in enumerate(names)]


def look(code: int, theme: Theme) -> dict[str, Any]:
    """Return the colours and the hatch of a regime."""
    return {
        "facecolor": theme.regimes[code % len(theme.regimes)],
        "edgecolor": theme.hatch,
        "hatch": HATCHES[code % len(HATCHES)],
    }
