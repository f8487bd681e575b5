"""Axes along time: the same ticks in every picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TICKS = 9


def span(
    ax: Axes, first: pd.Timestamp, last: pd.Timestamp, labels: bool = True, most: int = MOST_TICKS
) -> None:
    """Span two moments, with a handful of ticks on round dates; nothing where they are one.

    Args:
        ax: whose horizontal axis it is.
        first: of the moments, without zone.
        last: of the moments.
        labels: write the dates; without, there are only ticks.
        most: ticks that there is room for.
    """
    if not first < last:
        return
    ax.set_xlim(first, last)  # type: ignore[arg-type]
    months = (last.year - first.year) * 12 + last.month - first.month
    every = next((m for m in (1, 3, 6, 12, 24, 60, 120) if months <= most * m), 240)
    days = max((last - first).days // (most - 1), 1)
    years = max(every // 12, 1)
    start = pd.Timestamp(first.year // years * years, 1, 1) if months > 2 else first.normalize()
    spaced = pd.date_range(start, last, freq=f"{every}MS" if months > 2 else f"{days}D")
    ticks = [when for when in spaced if when >= first]
    pattern = "%Y" if every >= 12 else "%Y-%m" if months > 2 else "%m-%d"
    ax.set_xticks(ticks, [f"{when:{pattern}}" if labels else "" for when in ticks])  # type: ignore[arg-type]


def without_zone(time: Any) -> pd.DatetimeIndex:
    """Return times as axes are drawn in them: UTC, its zone left out."""
    times = pd.DatetimeIndex(time)
    return times if times.tz is None else times.tz_convert("UTC").tz_localize(None)


def on_axis(time: Any) -> NDArray[np.float64]:
    """Return times as numbers on an axis, in days."""
    from matplotlib import dates

    number_of: Any = dates.date2num
    return np.asarray(number_of(without_zone(time)), dtype=float)
