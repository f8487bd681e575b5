"""The simulated market's effects written from their formulas, one step and one event at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd

SHARES = {  # of a day's variance, by the step that ends the segment; lines with two venues, others
    True: {"XHKG open": 0.04, "XHKG close": 0.40, "XNYS open": 0.12, "XNYS close": 0.44},
    False: {"XHKG open": 0.12, "XHKG close": 0.60, "XNYS open": 0.12, "XNYS close": 0.16},
}
DAY = ["XHKG open", "XHKG close", "XNYS open", "XNYS close"]


def segments(grid: pd.DataFrame, dual: bool) -> list[float]:
    """Share of the segment that ends at each step: its own, and 30 % of those of the steps left out."""
    names = [f"{venue} {phase}" for venue, phase in zip(grid["venue"], grid["phase"], strict=True)]
    shares = []
    for t, name in enumerate(names):
        share, place = SHARES[dual][name], DAY.index(name)
        while t and DAY[place - 1] != names[t - 1]:
            place -= 1
            share += 0.3 * SHARES[dual][DAY[place]]
        shares.append(share)
    return shares


def threat_at(moment: pd.Timestamp, clock, events: pd.DataFrame, channels) -> float:
    """What stands at a moment of the events known before it; ``clock`` counts sessions at a moment."""
    left, since = 0.0, moment
    for known, channel, direction, severity in events.itertuples(index=False):
        if channel in channels and known < moment:
            left *= 0.5 ** ((clock(known) - clock(since)) / 20.0)
            left = left + severity if direction > 0 else max(left - severity, 0.0)
            since = known
    return left * 0.5 ** ((clock(moment) - clock(since)) / 20.0)


def discounts(threats, multiple: float) -> list[float]:
    """Log discount at each step: a twelfth-step half-life behind its target."""
    level, path = None, []
    for threat in threats:
        target = -0.005 * multiple * (1.0 - np.exp(-threat / 4.0))
        level = target if level is None else level + (1.0 - 0.5 ** (1.0 / 12.0)) * (target - level)
        path.append(level)
    return path


def arrived_at(step: int, times, clock, events: pd.DataFrame, channel: str, late: float, half_life: float):
    """Severity that has reached prices by a step: an event's first part at once, its late part over time."""
    total = 0.0
    for known, name, direction, severity in events.itertuples(index=False):
        hit = next((k for k, time in enumerate(times) if time > known), len(times))
        if name == channel and 0 < hit <= step:
            age = clock(times[step]) - clock(times[hit])
            total += direction * severity * (1.0 - late * 0.5 ** (age / half_life))
    return total


def known_before(series, column: str, moment: pd.Timestamp) -> float:
    """The last value of a column whose time had come by a moment, 0 where none had."""
    value = 0.0
    for known, number in zip(series.known_at, series.only([column]).array[:, 0], strict=True):
        if known <= moment:
            value = number
    return value
