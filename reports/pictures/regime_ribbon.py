"""Premia over time, the regimes behind them, and what moved the regimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.reports.pictures import regime_shades, time_axis
from entrepot.reports.pictures.style import LINE_STYLES, Theme, explained, head, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND = (0.1, 0.9)
MARKS = {1: ("^", "escalation"), -1: ("v", "relief")}


def draw_ribbon(
    premia: pd.DataFrame,
    time: pd.DatetimeIndex,
    states: NDArray[np.integer[Any]],
    names: Sequence[str],
    stress: Mapping[str, pd.DataFrame],
    events: pd.DataFrame | None = None,
    title: str = "",
    size: object = "page",
) -> NDArray[Any]:
    """Draw the median premium over shaded regimes, and below it the probability of each risk.

    Args:
        premia: shape (sessions, pairs), fractions, NaN where missing; by session.
        time: UTC time of every step, shape (n_steps,).
        states: index into `names` at each step, shape (n_steps,).
        names: of the regimes; the first is not shaded.
        stress: of each risk a frame by time of lines to draw, one a column, between 0 and 1.
        events: known_at, direction and severity of events to mark over the premia, escalation pointing up.
        title: of the picture.
        size: "page" or "slide".

    Returns:
        The Axes, premia first.
    """
    rows = 1 + len(stress)
    with sheet(
        size, 2.6 + 1.15 * len(stress), rows, sharex=True, squeeze=False,
        height_ratios=[2.2, *[1.0] * len(stress)],
    ) as (figure, axes, theme):  # fmt: skip
        head(figure, title)
        places = axes[:, 0]
        for place in places:
            regime_shades.shade(place, time, states, len(names), theme)
        draw_premia(places[0], premia, theme)
        if events is not None and len(events):
            mark_events(places[0], events, theme)
        occurred = [code for code in range(1, len(names)) if (states == code).any()]
        handles = regime_shades.patches(names, theme)
        own: list[Any] = places[0].get_legend_handles_labels()[0]
        explained(figure, [*[handles[code] for code in occurred], *own], theme)
        for place, (risk, lines) in zip(places[1:], stress.items(), strict=True):
            at = np.asarray(time_axis.without_zone(lines.index))
            for column, name in enumerate(lines.columns):
                place.plot(
                    at, lines[name].to_numpy(float), color=theme.lines[column],
                    linestyle=LINE_STYLES[column % len(LINE_STYLES)], label=str(name),
                )  # fmt: skip
            place.set_ylim(-0.02, 1.02)
            place.set_title(f"{risk} risk: {', '.join(map(str, lines.columns))}")
            if len(lines.columns) > 1:
                place.legend(loc="upper left", ncols=len(lines.columns))
        if len(time):
            first, last = time_axis.without_zone(time[[0, -1]])
            time_axis.span(places[-1], first, last)
        figure.align_ylabels(places)
    return np.asarray(places)


def draw_premia(place: Axes, premia: pd.DataFrame, theme: Theme) -> None:
    """Draw the median over pairs and the band that holds most of them, in per cent."""
    at = np.asarray(pd.DatetimeIndex(premia.index))
    low, high = (100 * premia.quantile(q, axis=1).to_numpy() for q in BAND)
    share = f"middle {100 * (BAND[1] - BAND[0]):.0f} % of pairs"
    place.fill_between(at, low, high, color=theme.lines[0], alpha=0.3, linewidth=0, label=share)
    place.plot(
        at, 100 * premia.median(axis=1).to_numpy(), color=theme.lines[0], linewidth=theme.thin, label="median"
    )
    place.axhline(0.0, color=theme.faint, linewidth=theme.thin)
    place.set_title("ADR premium to parity, %")


def mark_events(place: Axes, events: pd.DataFrame, theme: Theme) -> None:
    """Mark events at the top of a panel, larger with their severity."""
    _, top = place.get_ylim()
    for direction, (marker, name) in MARKS.items():
        own = events[events["direction"] == direction]
        at = np.asarray(time_axis.without_zone(own["known_at"]))
        area = 3.0 * theme.scale**2 * own["severity"].to_numpy(float)
        place.scatter(
            at, np.full(len(own), top), s=area, marker=marker, label=name, clip_on=False, zorder=3,
            color=theme.lines[1] if direction > 0 else theme.paper, edgecolor=theme.ink, linewidth=theme.hair,
        )  # fmt: skip
