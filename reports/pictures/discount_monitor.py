"""The picture of the ADR discount monitor: years at the left, the last sessions at the right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError
from entrepot.reports.pictures import time_axis
from entrepot.reports.pictures.style import Theme, foot, head, key, number, sheet, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CALM = 5  # premia in the dark line's mean where none is asked for: a week
NEAR = 2.0  # text sizes: marks nearer than this share one number
WIDTHS = (2.3, 1.0)  # of the columns
BAR_DAYS = 0.72
TICKS = 5  # at most, at the right
MOST_NAMES = {"page": 24, "slide": 5}
BEYOND = 0.0025  # of the sessions on either side may lie beyond the scale: one wild day would flatten years


def draw_monitor(
    premia: pd.DataFrame,
    watched: pd.DataFrame,
    levels: pd.DataFrame,
    alerts: pd.DataFrame,
    every: pd.Series[float],
    every_watched: pd.Series[float],
    alert_median: float,
    *,
    marks: Mapping[pd.Timestamp, str],
    recent: int,
    smooth: int,
    words: Mapping[str, str],
    size: object = "page",
) -> NDArray[Any]:
    """Draw premia with the levels at which they alert, and their median, shaded where it alerts.

    Args:
        premia: shape (sessions, names), fractions, NaN where missing; by session.
        watched: what is compared with the levels, same shape.
        levels: alert level of each, same shape.
        alerts: of names: session, name and premium.
        every: median of all premia, by session.
        every_watched: what is compared with ``alert_median``, by session.
        alert_median: fraction.
        marks: words by date.
        recent: sessions at the right.
        smooth: premia in the mean that is watched.
        words: ``title``; ``level`` and ``median``, what they are.
        size: "page" or "slide".

    Returns:
        The Axes, shape (names + 1, 2).

    Raises:
        ParameterError: where there are more names than can be read.
    """
    rows = premia.shape[1] + 1
    most = MOST_NAMES.get(str(size), rows)
    if rows > most + 1:
        raise ParameterError(f"a {size} has room for {most} names and not {rows - 1}: give adrs= with fewer")
    calm = smooth if smooth > 1 else CALM
    tail = pd.DatetimeIndex(premia.index[-recent:])
    with sheet(
        size, 1.1 + 1.3 * rows, rows, ncols=2, sharex="col", sharey="row", squeeze=False,
        width_ratios=WIDTHS,
    ) as (figure, axes, theme):  # fmt: skip
        head(figure, words["title"])
        for places, (adr, premium) in zip(axes[:-1], premia.items(), strict=True):
            own = alerts[alerts["name"] == adr]
            draw_lines(places[0], premium, levels[adr], calm, theme)
            draw_bars(places[1], premium[tail], watched[adr][tail], levels[adr][tail], theme)
            for place in places:
                draw_alerts(place, own, theme)
            name_panel(places[0], str(adr), premium, theme)
        beyond = scale(axes[:-1], premia, [premia[-recent:], alerts["premium"], levels])
        level = pd.Series(alert_median, index=every.index)
        draw_lines(axes[-1, 0], every, level, calm, theme)
        draw_bars(axes[-1, 1], every[tail], every_watched[tail], level[tail], theme)
        for place in axes[-1]:
            shade_alerts(place, every_watched, alert_median, theme)
        name_panel(axes[-1, 0], words["median"], every, theme)
        beyond += scale(axes[-1:], every.to_frame(), [every[-recent:], level])
        edge = pd.Timedelta(days=1)
        time_axis.span(axes[0, 0], premia.index[0] - edge, premia.index[-1] + edge)
        span_days(axes[0, 1], tail)
        numbered(axes, marks, theme)
        for place in axes[:, 1]:
            place.tick_params(labelleft=False)
        axes[0, 1].set_title(f"the last {len(tail)} sessions", color=theme.faint, fontweight="normal")
        explained = (
            f"Per cent. Thin: one session. Thick: mean of {calm} premia"
            f"{', which is watched' if smooth > 1 else ''}. Broken: alert level, for a name the "
            f"{words['level']}, for the median {number(100 * alert_median, 1)} %. Triangles: a name's alert "
            f"begins. Yellow: the median's alerts. {beyond} "
            f"{'value lies' if beyond == 1 else 'values lie'} beyond the scale."
        )
        marked = key((when, marks[when]) for when in sorted(marks))
        foot(figure, f"{explained}\n{marked}".strip(), theme)
    return np.asarray(axes)


def draw_lines(
    place: Axes, value: pd.Series[float], level: pd.Series[float], calm: int, theme: Theme
) -> None:
    """Draw years: each session, the mean of a few, and the alert level; nothing joins across missing ones."""
    at = np.asarray(value.index)
    mean = value.dropna().rolling(min(calm, max(value.count(), 1))).mean().reindex(value.index)
    place.axhline(0.0, color=theme.faint, linewidth=theme.thin, zorder=1)
    place.plot(at, 100 * value.to_numpy(), color=theme.lines[0], linewidth=theme.hair, alpha=0.6, zorder=2)
    place.plot(at, 100 * mean.to_numpy(), color=theme.lines[0], zorder=4)
    place.fill_between(
        at, 100 * level.to_numpy(), -100, color=theme.lines[1], alpha=0.07, linewidth=0, zorder=0
    )
    place.plot(at, 100 * level.to_numpy(), color=theme.lines[1], linestyle=(0, (3, 1.2)), zorder=3)


def draw_bars(
    place: Axes, value: pd.Series[float], watched: pd.Series[float], level: pd.Series[float], theme: Theme
) -> None:
    """Draw sessions one by one, dark where what is watched is below its alert level."""
    at = np.asarray(value.index)
    there = value.notna().to_numpy()
    below = (watched < level).to_numpy() & there
    for which, colour in ((there & ~below, theme.shade_gain), (below, theme.lines[1])):
        place.bar(at[which], 100 * value.to_numpy()[which], BAR_DAYS, color=colour, linewidth=0, zorder=2)
    place.axhline(0.0, color=theme.faint, linewidth=theme.thin, zorder=3)
    place.plot(at, 100 * level.to_numpy(), color=theme.lines[1], linestyle=(0, (3, 1.2)), zorder=3)


def draw_alerts(place: Axes, alerts: pd.DataFrame, theme: Theme) -> None:
    """Point at the values with which an alert began."""
    at = np.asarray(pd.DatetimeIndex(alerts["session"]))
    place.scatter(
        at, 100 * alerts["premium"].to_numpy(float), marker="^", color=theme.lines[1],
        edgecolor=theme.ink, linewidth=theme.hair, zorder=5,
    )  # fmt: skip


def shade_alerts(place: Axes, watched: pd.Series[float], level: float, theme: Theme) -> None:
    """Shade, below the level, the sessions in which the median is there, each until the next one."""
    at = np.asarray(watched.index)
    until = np.append(at[1:], at[-1:] + np.timedelta64(1, "D"))
    for stretch in np.column_stack([at, until])[(watched < level).to_numpy()]:
        place.fill_between(stretch, 100 * level, -100, color=theme.regimes[1], linewidth=0, zorder=0)


def name_panel(place: Axes, name: str, value: pd.Series[float], theme: Theme) -> None:
    """Head a panel with its name, and with the mean and the lowest of what is drawn."""
    place.set_title(name, color=theme.ink)
    told = "no premium"
    if value.count():
        mean, low = number(100 * value.mean(), 2), number(100 * value.min(), 1)
        told = f"mean {mean}, lowest {low} on {written(value.idxmin())}"
    place.set_title(told, loc="right", color=theme.faint, fontweight="normal", fontsize=theme.small)


def scale(axes: NDArray[Any], values: pd.DataFrame, whole: list[Any]) -> int:
    """Give panels one scale with room at the top, and return how many values lie beyond it.

    Args:
        axes: of the panels, shape (panels, 2).
        values: drawn, shape (sessions, panels), of which a few may lie beyond.
        whole: values that may not.
    """
    pooled = values.to_numpy(float)
    if not np.isfinite(pooled).any():
        return 0
    low, high = np.nanquantile(pooled, [BEYOND, 1 - BEYOND])
    must = np.concatenate([[0.0], *(np.ravel(np.asarray(given, dtype=float)) for given in whole)])
    low, high = min(low, np.nanmin(must)), max(high, np.nanmax(must))
    room = 0.05 * max(high - low, 0.001)
    for place in axes[:, 0]:
        place.set_ylim(100 * (low - room), 100 * (high + 4 * room))
    return int(((pooled < low - room) | (pooled > high + 4 * room)).sum())


def span_days(place: Axes, sessions: pd.DatetimeIndex) -> None:
    """Span a few sessions, with ticks on the first ones of weeks."""
    edge = pd.Timedelta(days=1)
    place.set_xlim(sessions[0] - edge, sessions[-1] + edge)  # type: ignore[arg-type]
    new = sessions[np.diff(sessions.isocalendar()["week"].to_numpy(), prepend=0) != 0]
    ticks = new[:: -(-len(new) // TICKS)]
    place.set_xticks(list(ticks), [f"{when.day} {when:%b}" for when in ticks])


def numbered(axes: NDArray[Any], marks: Mapping[pd.Timestamp, str], theme: Theme) -> None:
    """Draw marks through all panels and number them at the top, near ones together."""
    days = sorted(marks)
    width = 72 * axes[0, 0].figure.get_figwidth() / theme.size
    for column, share in zip(axes.T, WIDTHS, strict=True):
        near = NEAR / (width * share / sum(WIDTHS))
        left, right = (pd.Timestamp("1970-01-01") + pd.Timedelta(days=x) for x in column[0].get_xlim())
        inside = [(day, n) for n, day in enumerate(days, start=1) if left <= day <= right]
        groups: list[list[tuple[pd.Timestamp, int]]] = []
        for day, n in inside:
            if groups and day - groups[-1][-1][0] < near * (right - left):
                groups[-1].append((day, n))
            else:
                groups.append([(day, n)])
            for place in column:
                place.axvline(day, color=theme.ink, linewidth=theme.thin, linestyle=(0, (1, 1.5)), zorder=1)
        for group in groups:
            first, last = group[0], group[-1]
            text = f"{first[1]}" if first is last else f"{first[1]}\u2013{last[1]}"
            middle: Any = first[0] + (last[0] - first[0]) / 2
            column[0].text(
                middle, 0.9, text, transform=column[0].get_xaxis_transform(), ha="center", va="center",
                fontsize=theme.small, fontweight="bold", color=theme.paper, zorder=6,
                bbox={"boxstyle": "round,pad=0.25", "facecolor": theme.ink, "linewidth": 0},
            )  # fmt: skip
