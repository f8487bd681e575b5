"""Metrics from their definitions, one number at a time: slow, and plain."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from arch.bootstrap import StationaryBootstrap

YEAR = 252
NAN = math.nan


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def deviation(values: Sequence[float]) -> float:
    """The standard deviation with ddof 1."""
    centre = mean(values)
    return math.sqrt(math.fsum((x - centre) ** 2 for x in values) / (len(values) - 1))


def quantile(values: Sequence[float], level: float) -> float:
    """The value at place (n - 1) * level of the sorted ones, between two neighbours in proportion."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * level
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def growth_pa(returns: Sequence[float]) -> float:
    total = 1.0
    for r in returns:
        total *= 1 + r
    return total ** (YEAR / len(returns)) - 1


def deepest(returns: Sequence[float]) -> float:
    """The largest fall from a peak, the level before the first return among the peaks."""
    level = peak = 1.0
    worst = 0.0
    for r in returns:
        level *= 1 + r
        peak = max(peak, level)
        worst = min(worst, level / peak - 1)
    return worst


def sharpe(excess: Sequence[float]) -> float:
    spread = deviation(excess)
    return mean(excess) / spread * math.sqrt(YEAR) if spread > 1e-14 else NAN


def sortino(excess: Sequence[float]) -> float:
    squares = [min(x, 0.0) ** 2 for x in excess]
    return mean(excess) / math.sqrt(mean(squares)) * math.sqrt(YEAR) if max(squares) > 1e-28 else NAN


def calmar(returns: Sequence[float]) -> float:
    depth = deepest(returns)
    return growth_pa(returns) / -depth if depth < 0 else NAN


def months(returns: Sequence[float], dates: Sequence[pd.Timestamp]) -> list[float]:
    level: dict[tuple[int, int], float] = {}
    for r, date in zip(returns, dates, strict=True):
        level[date.year, date.month] = level.get((date.year, date.month), 1.0) * (1 + r)
    return [x - 1 for x in level.values()]


def shape(returns: Sequence[float], dates: Sequence[pd.Timestamp]) -> dict[str, float]:
    """How returns are distributed; skewness G1 and kurtosis G2 of Joanes and Gill (1998)."""
    n, centre = len(returns), mean(returns)
    second, third, fourth = (mean([(r - centre) ** k for r in returns]) for k in (2, 3, 4))
    skew = math.sqrt(n * (n - 1)) / (n - 2) * third / second**1.5
    excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (fourth / second**2 - 3) + 6)
    worst = sorted(returns)[: math.floor(0.05 * (n - 1)) + 1]
    monthly = months(returns, dates)
    return {
        "Skew": skew,
        "Excess Kurtosis": excess,
        "Value at Risk [%]": 100 * quantile(returns, 0.05),
        "Conditional VaR [%]": 100 * mean(worst),
        "Tail Ratio": abs(quantile(returns, 0.95)) / abs(quantile(returns, 0.05)),
        "Best Day [%]": 100 * max(returns),
        "Worst Day [%]": 100 * min(returns),
        "Best Month [%]": 100 * max(monthly),
        "Worst Month [%]": 100 * min(monthly),
        "Positive Months [%]": 100 * sum(m > 0 for m in monthly) / len(monthly),
    }


def level_known(stamps: Sequence[pd.Timestamp], levels: Sequence[float], moment: pd.Timestamp) -> float:
    """The last of all levels stamped at the moment or before; stamps in any order."""
    latest, level = None, NAN
    for stamp, value in zip(stamps, levels, strict=True):
        if not math.isnan(value) and stamp <= moment and (latest is None or stamp > latest):
            latest, level = stamp, value
    return level


def relative(own: Sequence[float], theirs: Sequence[float], free: Sequence[float]) -> dict[str, float]:
    """A run against a benchmark, from returns by session."""
    n = len(own)
    y = [a - f for a, f in zip(own, free, strict=True)]
    x = [b - f for b, f in zip(theirs, free, strict=True)]
    mx, my = mean(x), mean(y)
    sxx = math.fsum((a - mx) ** 2 for a in x)
    syy = math.fsum((b - my) ** 2 for b in y)
    sxy = math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    beta = sxy / sxx
    alpha = my - beta * mx
    lags = math.floor(4 * (n / 100) ** (2 / 9))
    error = newey_west(y, x, lags)
    more = [a - b for a, b in zip(own, theirs, strict=True)]
    ahead = [(1 + a) / (1 + b) - 1 for a, b in zip(own, theirs, strict=True)]

    def capture(picked: Callable[[float], bool]) -> float:
        chosen = [i for i, b in enumerate(theirs) if picked(b)]
        return growth_pa([own[i] for i in chosen]) / growth_pa([theirs[i] for i in chosen])

    return {
        "Benchmark Return [%]": 100 * (math.prod(1 + b for b in theirs) - 1),
        "Annualized Benchmark Return [%]": 100 * growth_pa(theirs),
        "Alpha [%]": 100 * ((1 + alpha) ** YEAR - 1),
        "Beta": beta,
        "Alpha Standard Error [%]": 100 * YEAR * error,
        "Alpha t": alpha / error,
        "Alpha Lags": lags,
        "Correlation": sxy / math.sqrt(sxx * syy),
        "R-squared": 1 - math.fsum((b - alpha - beta * a) ** 2 for a, b in zip(x, y, strict=True)) / syy,
        "Active Return [%]": 100 * YEAR * mean(more),
        "Tracking Error [%]": 100 * math.sqrt(YEAR) * deviation(more),
        "Information Ratio": math.sqrt(YEAR) * mean(more) / deviation(more),
        "Relative Max Drawdown [%]": 100 * deepest(ahead),
        "Up Capture": capture(lambda b: b > 0),
        "Down Capture": capture(lambda b: b < 0),
    }


def newey_west(y: Sequence[float], x: Sequence[float], lags: int) -> float:
    """The standard error of the constant of y on x: (X'X)^-1 S (X'X)^-1 n / (n - 2), Bartlett weights."""
    n = len(y)
    mx, my = mean(x), mean(y)
    beta = math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / math.fsum(
        (a - mx) ** 2 for a in x
    )
    left = [b - my - beta * (a - mx) for a, b in zip(x, y, strict=True)]
    score = [(e, e * a) for e, a in zip(left, x, strict=True)]
    middle = [[0.0, 0.0], [0.0, 0.0]]
    for lag in range(lags + 1):
        weight = 1 - lag / (lags + 1)
        for t in range(lag, n):
            for i in range(2):
                for j in range(2):
                    term = score[t][i] * score[t - lag][j]
                    middle[i][j] += weight * term
                    if lag:
                        middle[j][i] += weight * term
    s0, s1, s2 = n, math.fsum(x), math.fsum(a * a for a in x)
    row = (s2 / (s0 * s2 - s1 * s1), -s1 / (s0 * s2 - s1 * s1))  # of (X'X)^-1, for the constant
    variance = sum(row[i] * middle[i][j] * row[j] for i in range(2) for j in range(2))
    return math.sqrt(variance * n / (n - 2))


def path(returns: Sequence[float], excess: Sequence[float]) -> list[float]:
    """The figures for which there are intervals, of one sequence of sessions."""
    return [
        100 * growth_pa(returns),
        100 * deviation(returns) * math.sqrt(YEAR),
        100 * YEAR * mean(excess),
        sharpe(excess),
        sortino(excess),
        calmar(returns),
        100 * deepest(returns),
    ]


def resampled(
    returns: Sequence[float], excess: Sequence[float], block: float, draws: int, seed: int
) -> list[list[float]]:
    """The figures of every resampled sequence, one by one, over arch's stationary bootstrap."""
    both = np.column_stack([returns, excess])
    sample = StationaryBootstrap(block, both, seed=seed)
    return [path(list(data[0][:, 0]), list(data[0][:, 1])) for data, _ in sample.bootstrap(draws)]
