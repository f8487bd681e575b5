"""The inputs of the regime model as their formulas say, one step and one event at a time: slow, obvious."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

NEW_YORK = ZoneInfo("America/New_York")


def shot_noise(time, clock, known_at, known_clock, marks, half_life):
    """Sum over the events known by each step of mark * 2^(-age / half_life)."""
    out = np.zeros(len(time))
    for t in range(len(time)):
        for i in range(len(marks)):
            if known_at[i] <= time[t]:
                out[t] += marks[i] * 0.5 ** ((clock[t] - known_clock[i]) / half_life)
    return out


def hawkes_rate(t, times, weights, base, alpha, beta):
    """Rate just before t: what happened strictly earlier excites, what happens at t itself does not."""
    return base + sum(
        alpha * w * math.exp(-beta * (t - s)) for s, w in zip(times, weights, strict=True) if s < t
    )


def hawkes_loglikelihood(times, weights, base, alpha, beta, end):
    """Sum of log rates less the integral of the rate over [0, end], as a double sum."""
    logs = sum(math.log(hawkes_rate(t, times, weights, base, alpha, beta)) for t in times)
    offspring = sum(
        w * alpha / beta * (1 - math.exp(-beta * (end - t))) for t, w in zip(times, weights, strict=True)
    )
    return logs - base * end - offspring


def dates_ahead(now, events):
    """Start of each date that was announced and has not passed, of (known_at, effective_on, zone)."""
    midnight = datetime.min.time()
    begins = []
    for known_at, effective_on, zone in events:
        day = date.fromisoformat(effective_on)
        start = datetime.combine(day, midnight, zone)
        if known_at < start and known_at <= now < datetime.combine(day + timedelta(days=1), midnight, zone):
            begins.append(start.astimezone(UTC))
    return begins


def tariff_level(now, rows, series):
    """Rate of a series at a moment, from rows of the table as text; 0 where nothing is in force."""
    today = now.astimezone(NEW_YORK).date().isoformat()
    for row in rows:
        if row["series"] == series and in_force(row, today):
            return float(row["rate_pct"])
    return 0.0


def tariff_sums(now, rows, imports):
    """Average rate over all imports, and the rate on the goods that are hit hardest."""
    today = now.astimezone(NEW_YORK).date().isoformat()
    average, everything, listed = 0.0, 0.0, [0.0]
    for row in rows:
        if not row["series"].startswith("us_") or not in_force(row, today):
            continue
        rate, amount = float(row["rate_pct"]), re.search(r"US\$(\d+)bn", row["scope"])
        if amount:
            average += rate * float(amount[1]) / imports
            listed.append(rate)
        else:
            average += rate
            everything += rate
    return average, everything + max(listed)


def in_force(row, today):
    """Whether a row holds on a day; ISO dates compare as text."""
    return row["effective_from"] != "" and row["effective_from"] <= today <= (row["effective_to"] or "9999")
