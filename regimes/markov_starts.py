"""Where the search for the maximum of a Markov-switching likelihood begins.

The likelihood has many maxima. Each start is a guess at which state every row was in: states told apart by
level, by size, by the volatility around a row, by the best breaks, or at random. The break start finds what
the others miss where a state is entered once: for the Nile's flow it is 22.7 log units better than what a
start by level leads to.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from entrepot.regimes.markov_model import MarkovModel, Parameters, Passes, Sample

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

STAY = 0.95  # probability of staying in a state at the start; random starts draw it
RANDOM_STAY = (0.5, 0.98)
LEAST_SEGMENT = 0.05  # of the rows, between breaks


def starting_points(
    model: MarkovModel, sample: Sample, random: int, rng: np.random.Generator
) -> list[Parameters]:
    """Return four starts by rule and some at random.

    Args:
        model: what is estimated.
        sample: its rows.
        random: how many starts at random.
        rng: what they are drawn from.
    """
    seen = ~np.isnan(sample.y)
    K = model.states
    rest, overall = _unexplained(sample.y[seen], sample.regressors[seen])
    size = np.abs(rest - np.median(rest))
    guesses: list[tuple[IntArray, float]] = [
        (_by_rank(rest, K), STAY),
        (_by_rank(size, K), STAY),
        (_by_rank(_around(size), K), STAY),
        (_by_breaks(rest, K, model.switching_variance), STAY),
    ]
    guesses += [(_at_random(len(rest), K, rng), rng.uniform(*RANDOM_STAY)) for _ in range(random)]
    like = Parameters(
        np.zeros((K, K, sample.covariates.shape[1])),
        np.tile(overall, (K, 1)),
        np.ones(K),
        np.zeros((K, model.order)),
    )
    passes = Passes(replace(model, order=0), sample)
    points = []
    for of_seen, stay in guesses:
        labels = np.zeros(len(sample.y), dtype=np.int64)
        labels[seen] = of_seen
        counts = np.full((K, K), (1.0 - stay) / max(K - 1, 1))
        np.fill_diagonal(counts, stay)
        points.append(passes.from_labels(labels, counts, like))
    return points


def _unexplained(y: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What a regression without states leaves, and its coefficients."""
    if (x == 1.0).all() and x.shape[1] == 1:
        return y - y.mean(), np.array([y.mean()])
    coefficients: FloatArray = np.linalg.lstsq(x, y, rcond=None)[0].astype(np.float64)
    return y - x @ coefficients, coefficients


def _by_rank(values: FloatArray, states: int) -> IntArray:
    """States of about equal numbers of rows, by rank."""
    places = len(values) * np.arange(1, states) // states
    edges = np.partition(values, places)[places]
    labels = np.zeros(len(values), dtype=np.int64)
    for edge in edges:
        labels += values >= edge
    return labels


def _around(values: FloatArray) -> FloatArray:
    """Mean over the rows around each."""
    reach = max(2, len(values) // 100)
    sums = np.cumsum(np.concatenate([[0.0], values]))
    row = np.arange(len(values))
    first, stop = np.maximum(row - reach, 0), np.minimum(row + reach + 1, len(values))
    mean: FloatArray = (sums[stop] - sums[first]) / (stop - first)
    return mean


def _by_breaks(values: FloatArray, states: int, switching_variance: bool) -> IntArray:
    """States as segments between breaks, each break where it helps the likelihood most."""
    least = max(2, int(LEAST_SEGMENT * len(values)))
    edges = [0, len(values)]
    while len(edges) <= states:
        splits = [
            split
            for first, stop in pairwise(edges)
            if (split := _best_split(values[first:stop], first, least, switching_variance)) is not None
        ]
        if not splits:
            break
        edges = sorted([*edges, min(splits)[1]])
    labels = np.zeros(len(values), dtype=np.int64)
    for state, (first, stop) in enumerate(pairwise(edges)):
        labels[first:stop] = state
    return labels


def _best_split(
    values: FloatArray, first: int, least: int, switching_variance: bool
) -> tuple[float, int] | None:
    """Change of -2 log-likelihood by the best split of a segment, and its row; None where it is too short."""
    n = len(values)
    if n < 2 * least:
        return None
    k = np.arange(least, n - least + 1)
    sums, squares = np.cumsum(values), np.cumsum(values**2)
    left = squares[k - 1] - sums[k - 1] ** 2 / k
    right = squares[-1] - squares[k - 1] - (sums[-1] - sums[k - 1]) ** 2 / (n - k)
    whole = squares[-1] - sums[-1] ** 2 / n
    tiny = 1e-12 * max(float(squares[-1]), 1e-300)
    left, right, whole = np.maximum(left, tiny), np.maximum(right, tiny), max(whole, tiny)
    if switching_variance:
        change = k * np.log(left / k) + (n - k) * np.log(right / (n - k)) - n * np.log(whole / n)
    else:
        change = left + right - whole
    at = int(change.argmin())
    return float(change[at]), first + int(k[at])


def _at_random(rows: int, states: int, rng: np.random.Generator) -> IntArray:
    """Blocks of random length in random states, every state among them."""
    blocks = max(2 * states, int(rng.integers(2 * states, max(2 * states + 1, rows // 5))))
    of_block = np.concatenate([rng.permutation(states), rng.integers(states, size=blocks - states)])
    cuts = np.sort(rng.integers(rows, size=blocks - 1))
    return of_block[np.searchsorted(cuts, np.arange(rows), side="right")]
