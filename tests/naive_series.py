"""The trades on series of one's own as their formulas say, one decision at a time: slow, obvious.

At each decision everything is worked out anew from the rows and prices that were known by then.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from datetime import timedelta
from functools import cache

import pandas as pd

from entrepot.markets.sessions import session_times

CLOSES = session_times("XNYS", "2015-01-02", "2026-12-31", ("close",))["close"].tolist()


def sessions(now):
    """New York sessions elapsed by a moment, continuous, from an arbitrary first."""
    last = bisect_right(CLOSES, now) - 1
    return last + (now - CLOSES[last]) / (CLOSES[last + 1] - CLOSES[last])


def decision_times(market):
    """Step and time of the last step of each New York session."""
    steps = {}
    for step, row in market.grid.iterrows():
        if row["venue"] == "XNYS":
            steps[row["session"]] = step
    return [(step, market.grid["time"][step]) for step in steps.values()]


def rows_known(series, symbol, now):
    """Date, time it became known and value of every row known by a moment, empty values included."""
    column = series.array[:, series.symbols.index(symbol)].tolist()
    rows = zip(series.dates, series.known_at, column, strict=True)
    return [(date, known, value) for date, known, value in rows if known <= now]


def newest(rows, now, stale, make=lambda rows: rows[-1][2]):
    """What is made of the last row with a number and those above it, NaN where that row is too old."""
    numbered = [last for last, row in enumerate(rows, start=1) if not math.isnan(row[2])]
    if not numbered or sessions(now) - sessions(rows[numbered[-1] - 1][1]) > stale:
        return math.nan
    return make(rows[: numbered[-1]])


def mean(values):
    return math.fsum(values) / len(values)


def deviation(values):
    middle = mean(values)
    return math.sqrt(math.fsum((v - middle) ** 2 for v in values) / (len(values) - 1))


def window_mean(rows, window):
    """Mean of the numbers among the last rows, NaN where fewer than half, or not the last, are numbers."""
    seen = [value for _, _, value in rows[-window:] if not math.isnan(value)]
    return mean(seen) if 2 * len(seen) >= window and not math.isnan(rows[-1][2]) else math.nan


def window_zscore(values, window):
    seen = [value for value in values[-window:] if not math.isnan(value)]
    if 2 * len(seen) < window or len(seen) < 2 or math.isnan(values[-1]) or deviation(seen) < 1e-12:
        return math.nan
    return (values[-1] - mean(seen)) / deviation(seen)


@cache
def price_history(market, symbol):
    """The last price at each decision, and how many decisions ago it was first seen."""
    prices, history, last, since, before = market.price[symbol], [], math.nan, math.inf, 0
    for step, _ in decision_times(market):
        new = [p for p in prices.iloc[before : step + 1] if not math.isnan(p)]
        last, since = (new[-1], 0) if new else (last, since + 1)
        before = step + 1
        history.append((last, since))
    return history


def traded(market, symbol, s):
    return price_history(market, symbol)[s][1] <= 5


def above_mean(history, s, window):
    """Level over its mean of the last decisions, less 1; NaN where one of them has no price."""
    levels = [level for level, _ in history[max(s - window + 1, 0) : s + 1]]
    if len(levels) < window or any(math.isnan(level) for level in levels):
        return math.nan
    return levels[-1] / mean(levels) - 1


def ranked_baskets(scores, every, top, gross, may_long, may_short):
    """Weights of each decision from scores of each: lists by decision of dicts by symbol."""
    weights, held, first = [], {}, None
    for s, score in enumerate(scores):
        numbers = {symbol: x for symbol, x in score.items() if not math.isnan(x)}
        if first is None and numbers:
            first = s
        if first is not None and (s - first) % every == 0:
            held = {}
            names = list(numbers)
            count = (
                len(names) // 3 if top is None else min(top, len(names) // (1 if may_short is None else 2))
            )
            order = sorted(names, key=lambda n: -numbers[n])
            for symbol in order[:count]:
                if may_long(symbol, s):
                    held[symbol] = gross / (count if top is None else top)
            for symbol in order[len(order) - count :] if may_short else ():
                if may_short(symbol, s):
                    held[symbol] = -gross / (count if top is None else top)
        weights.append(dict(held))
    return weights


def southbound(market, series, symbols, window, every, top, gross, trend_window, short, stale):
    """Trend filter where ``trend_window`` is a number."""
    histories = {symbol: price_history(market, symbol) for symbol in symbols}
    scores = []
    for s, (_, now) in enumerate(decision_times(market)):
        score = {}
        for symbol in symbols:
            rows = rows_known(series, symbol, now)
            value = newest(rows, now, stale, lambda seen: window_mean(seen, window))
            score[symbol] = value if histories[symbol][s][1] <= 5 else math.nan
        scores.append(score)

    def trending(sign):
        return lambda symbol, s: (
            trend_window is None or sign * above_mean(histories[symbol], s, trend_window) > 0
        )

    def may_short(symbol, s):
        return bool(market.instruments["shortable"][symbol]) and trending(-1)(symbol, s)

    return ranked_baskets(scores, every, top, gross, trending(1), may_short if short else None)


def custody(market, series, pairs, window, scale, history, full, weight, every, stale):
    """Pair weights of each decision, by Hong Kong symbol."""
    times = decision_times(market)
    shares = {hk: [newest(rows_known(series, hk, now), now, stale) for _, now in times] for hk in dict(pairs)}
    change = {
        hk: [math.nan if s < window else own[s] - own[s - window] for s in range(len(times))]
        for hk, own in shares.items()
    }
    weights, held, first = [], {}, None
    for s in range(len(times)):
        z = {}
        for hk, adr in pairs:
            if scale == "own":
                z[hk] = window_zscore(change[hk][: s + 1], history)
            else:
                now = [change[other][s] for other, _ in pairs if not math.isnan(change[other][s])]
                spread = deviation(now) if len(now) > 1 else 0.0
                z[hk] = (change[hk][s] - mean(now)) / spread if spread > 1e-12 else math.nan
            if not (traded(market, hk, s) and traded(market, adr, s)):
                z[hk] = math.nan
        if first is None and not all(math.isnan(x) for x in z.values()):
            first = s
        if first is not None and (s - first) % every == 0:
            held = {}
            for hk, adr in pairs:
                part = 0.0 if math.isnan(z[hk]) else min(max(z[hk] / full, 0.0), 1.0)
                quarter = math.floor(4 * part + 0.5) / 4
                held[hk] = weight * quarter if market.instruments["shortable"][adr] else 0.0
        weights.append(dict(held))
    return weights


def breadth(market, series, symbols, recent, history, gross, stale):
    (column,) = series.symbols
    weights = []
    for s, (_, now) in enumerate(decision_times(market)):

        def ratio(rows):
            months = [value for _, _, value in rows[-history:]]
            if len(months) < history or any(math.isnan(m) for m in months):
                return math.nan
            return mean(months[-recent:]) / mean(months)

        known = newest(rows_known(series, column, now), now, stale, ratio)
        inside = known > 1
        weights.append({x: gross / len(symbols) if inside and traded(market, x, s) else 0.0 for x in symbols})
    return weights


def valuation(market, series, column_of, years, gap, least, trend_window, every, gross, stale):
    """Weights by symbol; ``column_of`` says by which column each is judged."""

    def discount(rows):
        last = rows[-1][0]
        inside = [
            (date, value)
            for date, _, value in rows
            if date > last - timedelta(days=round(365.25 * years)) and not math.isnan(value)
        ]
        # A month counts where its first value lies inside.
        starts = {}
        for date, _, value in rows:
            if not math.isnan(value):
                starts.setdefault((date.year, date.month), date)
        months = [m for m, start in starts.items() if start > last - timedelta(days=round(365.25 * years))]
        if len(months) < least or math.isnan(rows[-1][2]):
            return math.nan
        return 1 - rows[-1][2] / mean([value for _, value in inside])

    weights, held, first = [], dict.fromkeys(column_of, 0.0), None
    histories = {symbol: price_history(market, symbol) for symbol in column_of}
    for s, (_, now) in enumerate(decision_times(market)):
        gaps = {
            symbol: newest(rows_known(series, column, now), now, stale, discount)
            if histories[symbol][s][1] <= 5
            else math.nan
            for symbol, column in column_of.items()
        }
        if first is None and not all(math.isnan(x) for x in gaps.values()):
            first = s
        if first is not None and (s - first) % every == 0:
            held = {
                symbol: gross / len(column_of)
                if gaps[symbol] >= gap and above_mean(histories[symbol], s, trend_window) > 0
                else 0.0
                for symbol in column_of
            }
        weights.append(dict(held))
    return weights


def ah_discount(market, series, symbols, top, rank_by, lookback, every, short, gross, stale):
    scores = []
    for s, (_, now) in enumerate(decision_times(market)):
        score = {}
        for symbol in symbols:
            rows = [(date, known, -value) for date, known, value in rows_known(series, symbol, now)]
            if rank_by == "zscore":
                value = newest(
                    rows, now, stale, lambda seen: window_zscore([v for _, _, v in seen], lookback)
                )
            else:
                value = newest(rows, now, stale)
            score[symbol] = value if traded(market, symbol, s) else math.nan
        scores.append(score)
    shortable = market.instruments["shortable"]
    return ranked_baskets(
        scores, every, top, gross, lambda *_: True, (lambda symbol, _: shortable[symbol]) if short else None
    )


def sanctions(market, series, symbols, entry, exit_, lookback, weight, against, stale, paused):
    """``paused`` says at which decisions nothing new is bought."""
    held, weights = dict.fromkeys(symbols, False), []
    for s, (_, now) in enumerate(decision_times(market)):
        for symbol in symbols:
            rows = rows_known(series, symbol, now)
            z = newest(rows, now, stale, lambda seen: window_zscore([v for _, _, v in seen], lookback))
            if not traded(market, symbol, s):
                z = math.nan
            if against is not None and not traded(market, against, s):
                z = math.nan
            if math.isnan(z) or z > -exit_:
                held[symbol] = False
            elif z < -entry and not paused[s]:
                held[symbol] = True
        row = {symbol: weight if held[symbol] else 0.0 for symbol in symbols}
        if against is not None:
            row[against] = -sum(row.values())
        weights.append(row)
    return weights


def known_times(dates, lag, zone):
    """End of each date where it is published, and so much later."""
    return [
        pd.Timestamp(date.strftime("%Y-%m-%d") + " 23:59:59").tz_localize(zone).tz_convert("UTC")
        + pd.Timedelta(lag)
        for date in dates
    ]
