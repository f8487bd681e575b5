"""Sector maps and sector rotation written from their definitions: plain loops, one date at a time."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

STALE = 5


def sector_on(rows, symbol, date):
    """First level of the main sector of a symbol on a date, None where no row covers it."""
    for row in rows:
        begun = row["since"] == "" or pd.Timestamp(row["since"]) <= date
        ended = row["until"] != "" and pd.Timestamp(row["until"]) < date
        if row["symbol"] == symbol and begun and not ended:
            return row["sector"].split(";")[0].split(":")[0]
    return None


def decision_rows(market):
    venue = market.grid["venue"]
    wanted = "XNYS" if (venue == "XNYS").any() else venue.iloc[-1]
    steps = [t for t in range(len(market)) if venue[t] == wanted]
    session = market.grid["session"]
    last = {session[t]: t for t in steps}
    return sorted(last.values())


def levels(market, symbol):
    """Total-return level at each step from printed prices, NaN where there is none."""
    column = market.column(symbol)
    sessions = list(market.grid["session"])
    factor, level, waiting = 1.0, [], []
    for table, size in ((market.splits, "factor"), (market.dividends, "amount")):
        rows = table[table["symbol"] == symbol]
        waiting += [(ex, size, x) for ex, x in zip(rows["ex_date"], rows[size], strict=True)]
    for t in range(len(market)):
        price = float(market.printed[t, column])
        if math.isnan(price):
            level.append(math.nan)
            continue
        grown = 1.0
        for item in [w for w in waiting if w[0] <= sessions[t]]:
            waiting.remove(item)
            grown *= item[2] if item[1] == "factor" else 1 + item[2] / price
        factor *= grown
        level.append(price * factor)
    return level


def rotation(
    market,
    lines,
    sector_of,
    names,
    *,
    lookback,
    top,
    rebalance,
    gross=1.0,
    skip=0,
    rule="momentum",
    short=0,
    gross_short=1.0,
    weighting="equal",
    tilt_of=None,
):
    """Weights emitted at each step and the scores at each ranking.

    Args:
        market: any.
        lines: symbols in the market's order.
        sector_of: (symbol, session date) -> sector or None.
        names: the sectors, in the order in which ties are decided.
        lookback: and the others as in `SectorRotation`.
        tilt_of: (step, sector) -> tilt; None: none.
    """
    steps = decision_rows(market)
    known, age = {}, {}
    for symbol in lines:
        level = levels(market, symbol)
        known[symbol], age[symbol] = [], []
        value, seen, done = math.nan, None, -1
        for i, step in enumerate(steps):
            for t in range(done + 1, step + 1):
                if not math.isnan(level[t]):
                    value, seen = level[t], i
            done = step
            known[symbol].append(value)
            age[symbol].append(math.inf if seen is None else i - seen)
    out = np.full(market.price.shape, math.nan)
    standing = dict.fromkeys(lines, 0.0)
    scores = {}
    session = market.grid["session"]
    gone = dict(zip(market.delistings["symbol"], market.delistings["last_session"], strict=True))
    for i, step in enumerate(steps):
        if i < lookback:
            continue
        due = (i - lookback) % rebalance == 0
        if tilt_of is not None:
            now = {sector_of(symbol, session[step]) for symbol in lines} - {None}
            due = due or any(tilt_of(step, name) != tilt_of(steps[i - 1], name) for name in now)
        if not due:
            continue
        baskets = {name: [] for name in names}
        for symbol in lines:
            name = sector_of(symbol, session[step])
            # A window of lookback returns has lookback + 1 levels, none of them stale.
            left = symbol in gone and session[step] > gone[symbol]
            window = range(i - lookback, i + 1)
            if name is not None and not left and all(age[symbol][j] <= STALE for j in window):
                baskets[name].append(symbol)
        ranked = [name for name in names if baskets[name]]
        first, last = i - lookback, i - skip
        raw, calm = {}, {}
        for name in ranked:
            own = baskets[name]
            past = 0.0
            for symbol in own:
                past += known[symbol][last] / known[symbol][first] - 1.0
            past /= len(own)
            if rule != "momentum" or weighting != "equal":
                days = []
                for j in range(first + 1, last + 1):
                    day = 0.0
                    for symbol in own:
                        day += (known[symbol][j] / known[symbol][j - 1] - 1.0) / len(own)
                    days.append(day)
                mean = 0.0
                for day in days:
                    mean += day
                mean /= len(days)
                squares = 0.0
                for day in days:
                    squares += (day - mean) * (day - mean)
                calm[name] = max(math.sqrt(squares / len(days)), 1e-6)
            raw[name] = past
            if rule == "low_volatility":
                raw[name] = -calm[name]
            if rule == "risk_adjusted":
                raw[name] = past / calm[name]
        score = {}
        if ranked:
            mean = 0.0
            for name in ranked:
                mean += raw[name]
            mean /= len(ranked)
            squares = 0.0
            for name in ranked:
                squares += (raw[name] - mean) * (raw[name] - mean)
            spread = math.sqrt(squares / len(ranked))
            for name in ranked:
                score[name] = (raw[name] - mean) / spread if spread > 1e-12 else 0.0
                if tilt_of is not None:
                    score[name] += tilt_of(step, name)
        scores[session[step]] = score
        by_score = sorted(ranked, key=lambda name: -score[name])  # stable: of equals the first
        held = by_score[:top]
        shortable = market.instruments["shortable"]
        others = [n for n in ranked if n not in held and all(shortable[s] for s in baskets[n])]
        sold = sorted(others, key=lambda name: score[name])[:short]
        wanted = dict.fromkeys(lines, 0.0)
        for side, whole, places in ((held, gross, top), (sold, -gross_short, short)):
            total = 0.0
            for name in names:
                if name in side and weighting != "equal":
                    total += 1.0 / calm[name]
            for name in side:
                for symbol in baskets[name]:
                    wanted[symbol] = whole / (places * len(baskets[name]))
                    if weighting != "equal":
                        wanted[symbol] *= len(side) / (total * calm[name])
        for symbol in lines:
            left = symbol in gone and session[step] > gone[symbol]
            if wanted[symbol] != standing[symbol] and not left:
                out[step, market.column(symbol)] = wanted[symbol]
            standing[symbol] = wanted[symbol]
    return out, scores
