"""Online change point detection, compiled: a plain loop over rows and runs, without fastmath."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from entrepot.decisions import kept_on_disk

FloatArray = NDArray[np.float64]

# Columns of `runs` and of `out`.
LENGTH, OBSERVED, MEAN, SCALE, WEIGHT = range(5)
ALARM, EXPECTED, LIKELIEST, DENSITY = range(4)
LOG_DROPPED = math.log(1e-12)


def _follow_runs(
    y: FloatArray,
    intensity: FloatArray,
    event_weights: FloatArray,
    log_stay: float,
    prior: FloatArray,
    recent: int,
    runs: FloatArray,
    before: FloatArray,
    count: NDArray[np.int64],
    out: FloatArray,
) -> None:
    """Carry the distribution of the length of the current run on over more rows (Adams and MacKay, 2007).

    Each row continues its run with probability stay^exp(c . x), x the intensity of the row before, or else
    begins a new one. Within a run rows are normal with unknown mean and variance; with prior (m, k, a, b) the
    mean is N(m, variance / k) and 1 / variance is Gamma(a, rate b), so that the next row is t-distributed
    with 2a degrees of freedom about m with squared scale b (k + 1) / (a k). The parameters after a row y are

        m + (y - m) / (k + 1),  k + 1,  a + 1/2,  b + k (y - m)^2 / (2 (k + 1)).

    A missing row may begin a run, but tells nothing. Runs whose probability falls below 1e-12 are dropped.
    When there is no room, the least probable one older than `recent` is taken for the next older: what two
    old runs expect hardly differs.

    Args:
        y: shape (T,), NaN where missing.
        intensity: known at each row, shape (T, C).
        event_weights: c, shape (C,).
        log_stay: logarithm of the probability that a run goes on where no event is known.
        prior: m, k, a, b, shape (4,).
        recent: rows.
        runs: runs possible so far, the oldest first, shape (room, 5) with room >= recent + 2: length in rows,
            rows observed in it, m, b, logarithm of its probability; carried on.
        before: intensity of the row before, shape (C,); carried on.
        count: number of runs, and of rows seen so far, shape (2,); carried on.
        out: filled, shape (T, 4): probability that the run began within the last `recent` rows, 0 until more
            rows than that have been seen; expected and most probable length, row t included; logarithm of the
            density of y given the rows before, 0 to rounding where it is missing.
    """
    for t in range(len(y)):
        rate = 0.0
        for c in range(len(event_weights)):
            rate += event_weights[c] * before[c]
            before[c] = intensity[t, c]
        stay = math.exp(rate) * log_stay
        n = count[0]
        for i in range(n):
            runs[i, WEIGHT] += stay
        runs[n, LENGTH] = 0.0
        runs[n, OBSERVED] = 0.0
        runs[n, MEAN] = prior[0]
        runs[n, SCALE] = prior[3]
        runs[n, WEIGHT] = math.log(-math.expm1(stay)) if n > 0 else 0.0
        n += 1

        for i in range(n):
            runs[i, LENGTH] += 1.0
            if np.isnan(y[t]):
                continue
            k = prior[1] + runs[i, OBSERVED]
            a = prior[2] + 0.5 * runs[i, OBSERVED]
            apart = y[t] - runs[i, MEAN]
            spread = 2.0 * runs[i, SCALE] * (k + 1.0) / k
            runs[i, WEIGHT] += math.lgamma(a + 0.5) - math.lgamma(a) - 0.5 * math.log(math.pi * spread)
            runs[i, WEIGHT] -= (a + 0.5) * math.log1p(apart * apart / spread)
            runs[i, OBSERVED] += 1.0
            runs[i, MEAN] += apart / (k + 1.0)
            runs[i, SCALE] += k * apart * apart / (2.0 * (k + 1.0))

        top = runs[0, WEIGHT]
        for i in range(1, n):
            top = max(top, runs[i, WEIGHT])
        total = 0.0
        for i in range(n):
            total += math.exp(runs[i, WEIGHT] - top)
        density = top + math.log(total)

        kept = 0
        for i in range(n):
            if runs[i, WEIGHT] - density >= LOG_DROPPED:
                runs[kept] = runs[i]
                kept += 1
        if kept == len(runs):
            least = 0
            for i in range(1, kept):
                if runs[i, LENGTH] > recent and runs[i, WEIGHT] < runs[least, WEIGHT]:
                    least = i
            older = least - 1 if least > 0 else 1
            more = runs[least, WEIGHT] - runs[older, WEIGHT]
            runs[older, WEIGHT] += max(more, 0.0) + math.log1p(math.exp(-abs(more)))
            kept -= 1
            for i in range(least, kept):
                runs[i] = runs[i + 1]

        total = 0.0
        for i in range(kept):
            total += math.exp(runs[i, WEIGHT] - top)
        log_total = top + math.log(total)
        out[t] = 0.0
        likeliest = 0
        for i in range(kept):
            runs[i, WEIGHT] -= log_total
            probability = math.exp(runs[i, WEIGHT])
            out[t, EXPECTED] += probability * runs[i, LENGTH]
            if count[1] >= recent and runs[i, LENGTH] <= recent:
                out[t, ALARM] += probability
            if runs[i, WEIGHT] > runs[likeliest, WEIGHT]:
                likeliest = i
        out[t, ALARM] = min(out[t, ALARM], 1.0)
        out[t, LIKELIEST] = runs[likeliest, LENGTH]
        out[t, DENSITY] = density
        count[0] = kept
        count[1] += 1


@cache
def follow_runs() -> Callable[..., None]:
    """Return `_follow_runs`, compiled; numba is imported by then and not before."""
    from numba import njit

    compiled: Callable[..., None] = kept_on_disk(
        lambda cache: njit(cache=cache, nogil=True, error_model="numpy")(_follow_runs)
    )
    return compiled
