"""The statistics of doubt as their papers write them, one number at a time: slow, obvious."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations
from statistics import NormalDist, fmean, mean, pstdev, stdev

import numpy as np

NORMAL = NormalDist()


def sharpe(returns):
    """Mean over standard deviation, exact sums; None where all are the same."""
    values = [float(value) for value in returns]
    if len(values) < 2 or any(math.isnan(value) for value in values) or len(set(values)) == 1:
        return None
    return mean(values) / stdev(values)


def moments(returns):
    """Sharpe ratio (ddof 1), skew and raw kurtosis (ddof 0)."""
    values = [float(value) for value in returns]
    middle, spread = mean(values), pstdev(values)
    skew = fmean(((value - middle) / spread) ** 3 for value in values)
    kurtosis = fmean(((value - middle) / spread) ** 4 for value in values)
    return sharpe(values), skew, kurtosis


def probabilistic(returns, benchmark):
    """Bailey and Lopez de Prado (2012), equation 7 there."""
    ratio, skew, kurtosis = moments(returns)
    error = math.sqrt((1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) / (len(returns) - 1))
    return 0.5 * math.erfc(-(ratio - benchmark) / error / math.sqrt(2))


def independent(table):
    """The implied number of independent trials, from every pair's correlation."""
    pairs = [np.corrcoef(table[:, i], table[:, j])[0, 1] for i, j in combinations(range(table.shape[1]), 2)]
    rho, count = fmean(pairs), table.shape[1]
    return min(max(rho + (1 - rho) * count, 1.0), float(count))


def expected_largest(trials):
    """Expected largest of independent standard normals, by the trapezoid rule on its definition."""
    x = np.linspace(-10.0, 12.0, 20_001)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    below = np.array([NORMAL.cdf(value) for value in x])
    return float(np.trapezoid(x * trials * density * below ** (trials - 1), x))


def blocks_of(sessions, blocks):
    """Rows of each block: equal, the first ones a session longer where they cannot be."""
    rows, out = list(range(sessions)), []
    for block in range(blocks):
        size = sessions // blocks + (1 if block < sessions % blocks else 0)
        out.append(rows[:size])
        rows = rows[size:]
    return out


def exact_order(returns):
    """The Sharpe ratio's sign times its square, without rounding, so that equal ratios are equal; or None."""
    values = [Fraction(float(value)) for value in returns]
    middle = sum(values) / len(values)
    variance = sum((value - middle) ** 2 for value in values) / (len(values) - 1)
    return (1 if middle > 0 else -1) * middle**2 / variance if variance else None


def splits_of(table, blocks):
    """Of each split: the chosen one, its ratio in and out of sample, its logit; None where none can be."""
    cut = blocks_of(len(table), blocks)
    count = table.shape[1]
    broken = [bool(np.isnan(table[:, j]).any()) for j in range(count)]
    out = []
    for chosen_blocks in combinations(range(blocks), blocks // 2):
        test = [row for block in chosen_blocks for row in cut[block]]
        train = [row for block in range(blocks) if block not in chosen_blocks for row in cut[block]]
        order = [None if broken[j] else exact_order(table[train, j]) for j in range(count)]
        candidates = [j for j in range(count) if order[j] is not None]
        if not candidates:
            out.append(None)
            continue
        best = max(candidates, key=lambda j: order[j])  # the first of equals
        later = [(None if broken[j] else exact_order(table[test, j])) or 0 for j in range(count)]
        own = later[best]
        rank = sum(value < own for value in later) + (sum(value == own for value in later) + 1) / 2
        share = rank / (count + 1)
        after = sharpe(table[test, best]) or 0.0
        out.append((best, sharpe(table[train, best]), after, math.log(share / (1 - share))))
    return out


def long_run_variance(values, block):
    """Politis and Romano (1994): autocovariances weighted as the stationary bootstrap does."""
    n, p = len(values), 1.0 / block
    middle = fmean(values)
    total = 0.0
    for lag in range(n):
        covariance = sum((values[t] - middle) * (values[t + lag] - middle) for t in range(n - lag)) / n
        weight = (1 - lag / n) * (1 - p) ** lag + lag / n * (1 - p) ** (n - lag)
        total += covariance * (1.0 if lag == 0 else 2 * weight)
    return total


def superior(gains, samples, block, confidence, studentize):
    """Hansen's three p-values and Romano and Wolf's set, sample by sample.

    Args:
        gains: shape (n, C), returns beyond the benchmark.
        samples: rows of each bootstrap sample.
        block: mean length of blocks.
        confidence: of the set.
        studentize: divide means by the root of the long-run variance.
    """
    n, count = gains.shape
    means = [fmean(gains[:, j]) for j in range(count)]
    omegas = [math.sqrt(long_run_variance(gains[:, j].tolist(), block)) for j in range(count)]
    scale = omegas if studentize else [1.0] * count
    far = [means[j] < -omegas[j] * math.sqrt(2 * math.log(math.log(n)) / n) for j in range(count)]
    centres = {
        "lower": [max(value, 0.0) for value in means],
        "consistent": [0.0 if far[j] else means[j] for j in range(count)],
        "upper": means,
    }
    drawn = [[fmean(gains[rows, j]) for j in range(count)] for rows in samples]

    def peaks(kind, members):
        return [max((row[j] - centres[kind][j]) / scale[j] for j in members) for row in drawn]

    statistic = max(means[j] / scale[j] for j in range(count))
    odds = {
        kind: fmean(1.0 if peak > statistic else 0.0 for peak in peaks(kind, range(count)))
        for kind in centres
    }
    left, better = list(range(count)), []
    while left:
        critical = float(np.percentile(peaks("consistent", left), 100 * confidence))
        found = [j for j in left if means[j] / scale[j] > critical]
        if not found:
            break
        better += found
        left = [j for j in left if j not in found]
    return odds, sorted(better)
