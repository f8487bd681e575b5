"""Baskets of lines, long and short, from the definitions: one line, one decision, one number at a time.

Nothing here is shared with the strategies: levels are units of a share held since the first step, betas come
from numpy's line through points, windows after events from a list of New York closes.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

STALE = 5


def decision_steps(market) -> list[int]:
    return [int(step) for step in np.flatnonzero(market.decision_steps)]


def levels(market, symbol) -> list[float]:
    """USD value at each decision of a share bought at the start, dividends kept in it; NaN if stale."""
    column = market.column(symbol)
    session = [pd.Timestamp(day) for day in market.grid["session"]]
    actions = [
        (pd.Timestamp(row.ex_date), "split", row.factor)
        for row in market.splits.itertuples()
        if row.symbol == symbol
    ] + [
        (pd.Timestamp(row.ex_date), "dividend", row.amount)
        for row in market.dividends.itertuples()
        if row.symbol == symbol
    ]
    units, last, seen = 1.0, math.nan, None
    closes = decision_steps(market)
    values = []
    for step in range(len(market)):
        price = market.prices[step, column]
        if market.estimated[step, column]:
            price = math.nan
        if math.isfinite(price):
            due = [action for action in actions if action[0] <= session[step]]
            actions = [action for action in actions if action[0] > session[step]]
            for _, what, size in due:
                units *= size if what == "split" else 1 + size / price
            last, seen = units * price, step
        if step in closes:
            # The first close that knew it counts as of age 0.
            age = math.inf if seen is None else sum(seen <= close <= step for close in closes) - 1
            currency = market.instruments.at[symbol, "currency"]
            rate = market.fx[currency].iloc[step]
            values.append(last * rate if age <= STALE else math.nan)
    return values


def returns_over(window, horizon) -> list[float]:
    return [window[i + horizon] / window[i] - 1 for i in range(len(window) - horizon)]


def held(
    market,
    long,
    short,
    level,
    *,
    weight,
    sizing="equal",
    hedge="dollar",
    lookback=120,
    horizon=5,
    rebalance=21,
    first=None,
) -> list[dict[str, float]]:
    """What is wanted at each decision, by symbol; zeros left out."""
    every = {symbol: levels(market, symbol) for symbol in (*long, *short)}
    first = first or dict.fromkeys(every, 0)
    back = lookback if sizing != "equal" or (hedge == "beta" and short) else 0
    day = [pd.Timestamp(market.grid["session"][step]) for step in decision_steps(market)]
    last_day = dict(zip(market.delistings["symbol"], market.delistings["last_session"], strict=True))

    def ready(symbol, i) -> bool:
        if symbol in last_day and day[i] > last_day[symbol]:
            return False
        window = every[symbol][max(i - back, 0) : i + 1]
        return i >= max(back, first[symbol]) and all(math.isfinite(value) for value in window)

    def parts(lines, i) -> dict[str, float]:
        size = {}
        for symbol in lines:
            window = np.log(every[symbol][i - back : i + 1])
            size[symbol] = 1.0 if sizing == "equal" else 1 / np.std(np.diff(window), ddof=1)
        return {symbol: value / sum(size.values()) for symbol, value in size.items()}

    def together(share, i) -> list[float]:
        lines = {s: returns_over(every[s][i - back : i + 1], horizon) for s in share}
        return [sum(share[s] * lines[s][k] for s in share) for k in range(back + 1 - horizon)]

    wanted, before = [], None
    for i in range(len(level)):
        lines = [[s for s in side if ready(s, i)] for side in (long, short)]
        now = (level[i], lines)
        if i % rebalance and now == before:
            wanted.append(wanted[-1])
            continue
        before = now
        row: dict[str, float] = {}
        if level[i] > 0 and lines[0] and (lines[1] or not short):
            up, down = parts(lines[0], i), parts(lines[1], i)
            ratio = 1.0
            if short and hedge == "beta":
                slope = np.polyfit(together(down, i), together(up, i), 1)[0]
                ratio = min(max(slope, 0.0), 2.0)
            row = {s: weight * level[i] * part for s, part in up.items()}
            row |= {s: -weight * level[i] * ratio * part for s, part in down.items()}
        wanted.append({s: w for s, w in row.items() if w})
    return wanted


def said(wanted) -> list[dict[str, float]]:
    """Numbers where the wanted weight differs from the decision before."""
    numbers, before = [], {}
    for row in wanted:
        numbers.append(
            {s: row.get(s, 0.0) for s in {**before, **row} if row.get(s, 0.0) != before.get(s, 0.0)}
        )
        before = row
    return numbers


def held_after_events(events, times, closes, channel, enter, leave, sessions) -> list[bool]:
    """Whether a trade on relief is on at each time; the closes are all of New York's, far around."""
    told = []  # when, and until when it is on from then; None: not at all
    for row in sorted(events.frame.itertuples(), key=lambda row: (row.known_at, row.direction)):
        mark = 0 if row.notes.startswith("context only") else min(row.severity, 3)
        if row.channel == channel and row.direction == -1 and mark >= enter:
            following = [close for close in closes if close >= row.known_at]
            told.append((row.known_at, following[sessions]))  # the first close that is no longer counted
        if row.channel == channel and row.direction == 1 and mark >= leave:
            told.append((row.known_at, None))
    on = []
    for now in times:
        last = ([until for when, until in told if when <= now] or [None])[-1]
        on.append(last is not None and now < last)
    return on


def quarters(intensity) -> float:
    return math.floor(4 * min(1.0, intensity / 3) + 0.5) / 4


def with_intensity(path, **columns):
    """A path with other intensities, such as tariff_relief=[...]."""
    intensity = path.intensity.copy()
    for name, values in columns.items():
        intensity[tuple(name.split("_"))] = np.broadcast_to(np.asarray(values, dtype=float), len(intensity))
    return replace(path, intensity=intensity)
