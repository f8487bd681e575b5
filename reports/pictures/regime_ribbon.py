"""Premia over time, the regimes behind them, and what moved the regimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.reports.pictures.style import LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND = (0.1, 0.9)
MARKS = {1: "^", -1: "v"}


def draw_ribbon(
    premia: pd.DataFrame,
    time: pd.DatetimeIndex,
    states: NDArray[np.integer[Any]],
    names: Sequence[str],
    stress: Mapping[str, pd.DataFrame],
    events: pd.DataFrame | None = None,
    title: str = "",
    theme: Theme = LIGHT,
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
        theme: colours and text size.

    Returns:
        The Axes, premia first.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    with theme.active():
        rows = 1 + len(stress)
        figure, axes = plt.subplots(
            rows,
            1,
            figsize=(7.2, 2.4 + 1.1 * len(stress)),
            sharex=True,
            layout="constrained",
            height_ratios=[2.2, *[1.0] * len(stress)],
            squeeze=False,
        )
        places = axes[:, 0]
        when = np.asarray(time.tz_convert("UTC").tz_localize(None))
        for place in places:
            shade(place, when, states, theme)
        draw_premia(places[0], premia, theme)
        if events is not None and len(events):
            mark_events(places[0], events, theme)
        places[0].set_title(title, color=theme.ink)
        shaded = [k for k in range(1, len(names)) if (states == k).any()]
        if shaded:
            patches = [Patch(facecolor=theme.regimes[k], label=names[k]) for k in shaded]
            places[0].legend(handles=patches, loc="lower left", ncols=len(shaded), fontsize=theme.size)
        for place, (risk, lines) in zip(places[1:], stress.items(), strict=True):
            at = np.asarray(pd.DatetimeIndex(lines.index).tz_convert("UTC").tz_localize(None))
            for number, name in enumerate(lines.columns):
                place.plot(at, lines[name].to_numpy(float), color=theme.lines[number], label=str(name))
            place.set_ylim(-0.02, 1.02)
            place.set_title(f"{risk} risk: {', '.join(map(str, lines.columns))}", color=theme.ink)
            if len(lines.columns) > 1:
                place.legend(loc="upper left", ncols=len(lines.columns))
        if len(when) > 1:
            places[-1].set_xlim(when[0], when[-1])
        figure.align_ylabels(places)
    return places


def draw_premia(place: Axes, premia: pd.DataFrame, theme: Theme) -> None:
    """Draw the median over pairs and the band that holds most of them, in per cent."""
    at = np.asarray(pd.DatetimeIndex(premia.index))
    low, high = (100 * premia.quantile(q, axis=1).to_numpy() for q in BAND)
    place.fill_between(at, low, high, color=theme.lines[0], alpha=0.22, linewidth=0)
    place.plot(at, 100 * premia.median(axis=1).to_numpy(), color=theme.lines[0], linewidth=0.7)
    place.axhline(0.0, color=theme.faint, linewidth=0.6)
    place.set_ylabel("ADR premium, %\nmedian, middle 80 %")


def mark_events(place: Axes, events: pd.DataFrame, theme: Theme) -> None:
    """Mark events at the top of a panel, larger with their severity."""
    _, top = place.get_ylim()
    for direction, marker in MARKS.items():
        own = events[events["direction"] == direction]
        at = np.asarray(pd.DatetimeIndex(own["known_at"]).tz_convert("UTC").tz_localize(None))
        colour = theme.loss if direction > 0 else theme.gain
        size = 3.0 * own["severity"].to_numpy(float)
        place.scatter(
            at, np.full(len(own), top), s=size, marker=marker, color=colour, clip_on=False, zorder=3
        )


def shade(place: Axes, when: NDArray[Any], states: NDArray[np.integer[Any]], theme: Theme) -> None:
    """Shade every stretch of one regime but the first."""
    change = np.flatnonzero(np.diff(states)) + 1
    starts, ends = np.concatenate([[0], change]), np.concatenate([change, [len(states) - 1]])
    for start, end in zip(starts, ends, strict=True):
        if states[start]:
            place.axvspan(
                when[start], when[end], color=theme.regimes[int(states[start])], linewidth=0, zorder=0
            )
