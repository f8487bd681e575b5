"""An event study one security, one day and one pair at a time, from the formulas; missing values are None."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import log, sqrt
from statistics import NormalDist, correlation, mean, stdev


def fit(past, market, model, least=5, ddof=None):
    """Intercept, slope, residuals, s and the inverse of X'X of one security; None where there is no fit."""
    rows = [i for i, r in enumerate(past) if r is not None and (model == "mean" or market[i] is not None)]
    if len(rows) < least:
        return None
    if model == "market_adjusted":
        a, b, k, inverse = 0.0, 1.0, 0, [[0.0, 0.0], [0.0, 0.0]]
    elif model == "mean":
        a, b, k, inverse = mean(past[i] for i in rows), 0.0, 1, [[1 / len(rows), 0.0], [0.0, 0.0]]
    else:
        n, x = len(rows), [market[i] for i in rows]
        sx, sxx = sum(x), sum(v * v for v in x)
        sy, sxy = sum(past[i] for i in rows), sum(past[i] * market[i] for i in rows)
        determinant = n * sxx - sx * sx
        inverse = [[sxx / determinant, -sx / determinant], [-sx / determinant, n / determinant]]
        a, b, k = inverse[0][0] * sy + inverse[0][1] * sxy, inverse[1][0] * sy + inverse[1][1] * sxy, 2
    residual = [None] * len(past)
    for i in rows:
        residual[i] = past[i] - a - b * (market[i] if model != "mean" else 0.0)
    s = sqrt(sum(residual[i] ** 2 for i in rows) / (len(rows) - (k if ddof is None else ddof)))
    return {"a": a, "b": b, "residual": residual, "s": s, "inverse": inverse, "length": len(rows), "k": k}


def abnormal(own, market, span, fitted):
    """Abnormal return of each day of the event window."""
    return [
        None if r is None else r - c * fitted["a"] - fitted["b"] * m
        for r, m, c in zip(own, market, span, strict=True)
    ]


def covariance(market, span, fitted):
    """Covariance matrix of the abnormal returns of the window, in units of s^2: D + X (X'X)^-1 X'."""
    x = [[c, m] for m, c in zip(market, span, strict=True)]
    (p, q), (_, r) = fitted["inverse"]
    return [
        [
            (span[i] if i == j else 0.0)
            + x[i][0] * (p * x[j][0] + q * x[j][1])
            + x[i][1] * (q * x[j][0] + r * x[j][1])
            for j in range(len(x))
        ]
        for i in range(len(x))
    ]


def cumulated(ar, market, span, fitted, first, stop):
    """Sum over rows, its variance in units of s^2, and the sessions covered; None without a row."""
    rows = [i for i in range(first, stop) if ar[i] is not None]
    if not rows:
        return None
    matrix = covariance([m or 0.0 for m in market], [c or 0.0 for c in span], fitted)
    variance = sum(matrix[i][j] for i in rows for j in rows)
    return sum(ar[i] for i in rows), variance, sum(span[i] for i in rows)


def cross_section(values):
    return mean(values) / (stdev(values) / sqrt(len(values)))


def patell(z, degrees):
    return sum(z) / sqrt(sum(d / (d - 2) for d in degrees))


def mean_correlation(columns, sessions):
    """Mean over pairs of the correlation of residuals of the same day, times the share of days shared.

    Args:
        columns: (date, residuals by row of the estimation window) of each.
        sessions: of the window.
    """
    total = 0.0
    for i, (date, one) in enumerate(columns):
        for j, (other_date, other) in enumerate(columns):
            shared = max(0, sessions - abs(date - other_date)) / sessions
            if i == j or shared == 0:
                continue
            by_day = {other_date + row: e for row, e in enumerate(other) if e is not None}
            both = [
                (e, by_day[date + row]) for row, e in enumerate(one) if e is not None and date + row in by_day
            ]
            total += shared * correlation(*zip(*both, strict=True))
    return total / (len(columns) * (len(columns) - 1))


def ranks(values):
    """Rank from 1, ties sharing the mean of theirs."""
    return [sum(w < v for w in values) + (sum(w == v for w in values) + 1) / 2 for v in values]


def rank_scores(columns):
    """U = rank / (1 + n) - 1/2 of each security among its own returns; columns may have gaps."""
    scores = []
    for column in columns:
        there = [v for v in column if v is not None]
        own = iter(ranks(there))
        scores.append([None if v is None else next(own) / (1 + len(there)) - 0.5 for v in column])
    return scores


def rank_by_day(columns):
    """sqrt(n_t) times the mean score of each day; None on days without a return."""
    scores = rank_scores(columns)
    days = [[c[t] for c in scores if c[t] is not None] for t in range(len(columns[0]))]
    return [sum(u) / sqrt(len(u)) if u else None for u in days]


def rank_test(columns, rows):
    """Corrado and Zivney: each day over the root of the mean square of all days."""
    days = rank_by_day(columns)
    deviation = sqrt(mean(d * d for d in days if d is not None))
    own = [days[t] for t in rows if days[t] is not None]
    return sum(d / deviation for d in own) / sqrt(len(own))


def quirky_rank_test(columns, row):
    """The statistic of a package for R on panels with gaps.

    Its sums are means times the number of all columns, whatever was there on the day, and it divides by the
    mean number of returns of a security instead of the number of days.
    """
    scores, n = rank_scores(columns), len(columns)
    squares, value = 0.0, None
    for t in range(len(columns[0])):
        own = [c[t] for c in scores if c[t] is not None]
        if own:
            day = mean(own) * n / sqrt(len(own))
            squares += day * day
            value = day if t == row else value
    lengths = [sum(v is not None for v in column) for column in columns]
    return value / sqrt(squares / mean(lengths))


def generalised_rank_test(z, scores, r):
    """GRANK-T: the standardised abnormal return of the event, rescaled, as one more day of each column."""
    deviation = stdev(z) / sqrt(1 - r)
    columns = [[*own, value / deviation] for own, value in zip(scores, z, strict=True)]
    ranked = rank_scores(columns)
    days = [[c[t] for c in ranked if c[t] is not None] for t in range(len(columns[0]))]
    days = [u for u in days if u]
    count = len(days)
    squares = mean(len(u) / len(z) * mean(u) ** 2 for u in days)
    ratio = mean(days[-1]) / sqrt(squares)
    return ratio * sqrt((count - 2) / (count - 1 - ratio**2))


def portfolio(residuals, event, rows):
    """Brown and Warner: sum of daily means over their standard deviation before times root of the days."""
    before = [[c[t] for c in residuals if c[t] is not None] for t in range(len(residuals[0]))]
    days = [[c[t] for c in event if c[t] is not None] for t in rows]
    own = [mean(d) for d in days if d]
    return sum(own) / (stdev([mean(d) for d in before if d]) * sqrt(len(own)))


def sign_test(values, residuals):
    share = mean(mean(float(e > 0) for e in column if e is not None) for column in residuals)
    n = len(values)
    return (sum(v > 0 for v in values) - n * share) / sqrt(n * share * (1 - share))


def chains(dates, reach):
    """Lists of dates, each at most ``reach`` after the one before."""
    found = []
    for date in sorted(set(dates)):
        if found and date - found[-1][-1] <= reach:
            found[-1].append(date)
        else:
            found.append([date])
    return found


def between_dates(values, dates, reach):
    """Mean over its standard error between chains of dates, and that error."""
    groups = [[v for v, d in zip(values, dates, strict=True) if d in chain] for chain in chains(dates, reach)]
    middle, count = mean(values), len(groups)
    squares = sum(sum(v - middle for v in group) ** 2 for group in groups)
    error = sqrt(count / (count - 1) * squares) / len(values)
    return middle / error, error


def sign_flip(values, dates, reach):
    """Share of all patterns of signs of the chains' sums with a total at least as far from zero."""
    sums = [
        sum(v for v, d in zip(values, dates, strict=True) if d in chain) for chain in chains(dates, reach)
    ]
    bar = abs(sum(sums)) * (1 - 1e-12)
    patterns = list(product((-1, 1), repeat=len(sums)))
    far = sum(abs(sum(s * x for s, x in zip(signs, sums, strict=True))) >= bar for signs in patterns)
    return far / len(patterns)


def normal_p(statistic):
    return 2 * NormalDist().cdf(-abs(statistic))


# -- prices --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def log_returns(market, symbol):
    """By session of the line's venue: the log return since the last price, and the sessions it covers."""
    grid, venue = market.grid, market.instruments["venue"][symbol]
    estimates = set(zip(market.estimates["symbol"], market.estimates["session"], strict=True))
    sessions, prices = [], {}
    for row, price in zip(grid.itertuples(), market.price[symbol].tolist(), strict=True):
        if row.venue == venue and row.phase == "close":
            sessions.append(row.session)
            if price == price and (symbol, row.session) not in estimates:
                prices[row.session] = price
    splits = market.splits[market.splits["symbol"] == symbol]
    dividends = market.dividends[market.dividends["symbol"] == symbol]
    result, last = {}, None
    for number, session in enumerate(sessions):
        if session not in prices:
            continue
        if last is not None:
            before = sessions[last]
            shares = 1.0
            for split in splits.itertuples():
                shares *= split.factor if before < split.ex_date <= session else 1.0
            paid = sum(d.amount for d in dividends.itertuples() if before < d.ex_date <= session)
            worth = shares * (prices[session] + paid)
            result[session] = log(worth / prices[before]), number - last
        last = number
    return sessions, result


def day_zero(market, venue, known):
    """First session of a venue whose close comes after a moment, by number; None where there is none."""
    closes = [r.time for r in market.grid.itertuples() if r.venue == venue and r.phase == "close"]
    for number, close in enumerate(closes):
        if close > known:
            return number
    return None
