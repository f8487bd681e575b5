"""The statistical jump model, compiled: features, fit and inference, as plain loops without fastmath."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from entrepot.decisions import kept_on_disk

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def _weighted_features(
    y: FloatArray, half_life: FloatArray, downside: int, sums: FloatArray, features: FloatArray
) -> None:
    """Fill exponentially weighted downside deviations, then Sortino ratios, of a series.

    With weights 0.5^(age / half-life) over the observations so far, the downside deviation is the root of the
    weighted mean of min(y, 0)^2, and the Sortino ratio the weighted mean of y divided by it. A missing
    observation leaves the averages as they are.

    Args:
        y: shape (T,), NaN where missing.
        half_life: of each feature, in observations, shape (F,).
        downside: so many of the features are downside deviations, the others Sortino ratios.
        sums: number of observations, their weights, weighted y and weighted min(y, 0)^2, shape (F, 4);
            carried on.
        features: filled, shape (T, F); NaN where y is missing, where there have been fewer observations than
            a half-life, and where a ratio divides by 0.
    """
    for f in range(len(half_life)):
        decay = 0.5 ** (1.0 / half_life[f])
        for t in range(len(y)):
            features[t, f] = np.nan
            if np.isnan(y[t]):
                continue
            below = min(y[t], 0.0)
            sums[f, 0] += 1.0
            sums[f, 1] = decay * sums[f, 1] + 1.0
            sums[f, 2] = decay * sums[f, 2] + y[t]
            sums[f, 3] = decay * sums[f, 3] + below * below
            if sums[f, 0] < half_life[f]:
                continue
            deviation = np.sqrt(sums[f, 3] / sums[f, 1])
            if f < downside:
                features[t, f] = deviation
            elif deviation > 0.0:
                features[t, f] = sums[f, 2] / sums[f, 1] / deviation


def _spread_starts(
    columns: FloatArray, uniform: FloatArray, distance: FloatArray, starts: FloatArray
) -> None:
    """Draw starting centroids far from each other (k-means++, Arthur and Vassilvitskii, 2007, SODA).

    The first centroid of a start is any row, each further one a row drawn in proportion to its squared
    distance to the nearest centroid so far.

    Args:
        columns: features, shape (F, T), finite.
        uniform: draws from [0, 1), shape (S, K).
        distance: scratch, shape (T,).
        starts: filled, shape (S, K, F).
    """
    F, T = columns.shape
    S, K = uniform.shape
    for s in range(S):
        total = 0.0
        distance[:] = np.inf
        for k in range(K):
            # A draw is 2^-53 below 1 or more, so that its product with T is not rounded up to T.
            row = int(uniform[s, k] * T)
            if total > 0.0:
                aim = uniform[s, k] * total
                reached = 0.0
                for t in range(T):
                    reached += distance[t]
                    if reached > aim:
                        row = t
                        break
            total = 0.0
            for t in range(T):
                squares = 0.0
                for f in range(F):
                    squares += (columns[f, t] - columns[f, row]) ** 2
                distance[t] = min(distance[t], squares)
                total += distance[t]
            for f in range(F):
                starts[s, k, f] = columns[f, row]


def _best_path(
    columns: FloatArray, centroids: FloatArray, penalty: float, value: FloatArray, path: IntArray
) -> float:
    """Fill the path of states that costs least, given the centroids, and return what it costs.

    A path costs sum_t 0.5 |x_t - centroid(s_t)|^2 + penalty * its number of jumps (Nystrup, Lindström and
    Madsen, 2020, Expert Systems with Applications 150). Dynamic programme: value[k, t] is the least
    cost of rows up to t that ends in state k. Of paths that cost the same, the lowest state is taken.

    Args:
        columns: features, shape (F, T), finite.
        centroids: shape (K, F).
        penalty: per jump.
        value: scratch, shape (K, T).
        path: filled, shape (T,).
    """
    F, T = columns.shape
    K = len(centroids)
    value[:] = 0.0
    # Rows are in the inner loop, so that the compiler can take several at once.
    for k in range(K):
        for f in range(F):
            centroid = centroids[k, f]
            for t in range(T):
                apart = columns[f, t] - centroid
                value[k, t] += 0.5 * apart * apart
    for t in range(1, T):
        jumped = value[0, t - 1]
        for k in range(1, K):
            jumped = min(jumped, value[k, t - 1])
        jumped += penalty
        for k in range(K):
            value[k, t] += min(value[k, t - 1], jumped)
    state = 0
    for k in range(1, K):
        if value[k, T - 1] < value[state, T - 1]:
            state = k
    cost = value[state, T - 1]
    path[T - 1] = state
    for t in range(T - 2, -1, -1):
        later = state
        least = np.inf
        for k in range(K):
            through = value[k, t] if k == later else value[k, t] + penalty
            if through < least:
                least = through
                state = k
        path[t] = state
    return float(cost)


best_path = kept_on_disk(lambda cache: njit(cache=cache, nogil=True, error_model="numpy")(_best_path))


def _descend(
    rows: FloatArray,
    columns: FloatArray,
    starts: FloatArray,
    penalty: float,
    most: int,
    value: FloatArray,
    path: IntArray,
    centroids: FloatArray,
) -> float:
    """Minimise the cost over paths and centroids in turn, from every start; return the least cost found.

    Each round costs no more than the one before. A start ends with the first that costs no less, or
    where its centroids stay. Of starts that end at the same cost, the first is kept.

    Args:
        rows: features, shape (T, F), finite.
        columns: the same, shape (F, T); each loop reads the layout that is contiguous for it.
        starts: centroids to start from, shape (S, K, F); overwritten.
        penalty: per jump.
        most: rounds per start.
        value: scratch, shape (K, T).
        path: filled with the best path, shape (T,).
        centroids: filled with its centroids, the means of its rows, shape (K, F). A state without rows keeps
            the centroid it had.
    """
    K, F = centroids.shape
    T = len(rows)
    least = np.inf
    new = np.empty(T, dtype=np.int64)
    count = np.empty(K)
    total = np.empty((K, F))
    for s in range(len(starts)):
        cost = best_path(columns, starts[s], penalty, value, new)
        for _ in range(most):
            before = cost
            held = starts[s].copy()
            count[:] = 0.0
            total[:] = 0.0
            for t in range(T):
                count[new[t]] += 1.0
                for f in range(F):
                    total[new[t], f] += rows[t, f]
            for k in range(K):
                if count[k] > 0.0:
                    starts[s, k] = total[k] / count[k]
            # Centroids that stay would give the same path again: not to look for it saves a sixth of a fit.
            if (starts[s] == held).all():
                break
            cost = best_path(columns, starts[s], penalty, value, new)
            if not cost < before:
                break
        if cost < least:
            least = cost
            path[:] = new
            centroids[:] = starts[s]
    return least


def _follow(
    features: FloatArray, centroids: FloatArray, penalty: float, value: FloatArray, state: IntArray
) -> None:
    """Fill, for each row, the state in which the cheapest path through the rows so far ends.

    This is the dynamic programme of `best_path` without its way back, so no later row has a say. Ties go to
    the lowest state. A row with a missing feature costs nothing and leaves the state.

    Args:
        features: shape (T, F), NaN where missing.
        centroids: shape (K, F).
        penalty: per jump.
        value: least cost so far of ending in each state, shape (K,), zeros before the first row; carried on.
        state: filled, shape (T,).
    """
    K, F = centroids.shape
    for t in range(len(features)):
        complete = True
        for f in range(F):
            complete = complete and not np.isnan(features[t, f])
        if complete:
            jumped = value[0]
            for k in range(1, K):
                jumped = min(jumped, value[k])
            jumped += penalty
            for k in range(K):
                loss = 0.0
                for f in range(F):
                    apart = features[t, f] - centroids[k, f]
                    loss += 0.5 * apart * apart
                value[k] = loss + min(value[k], jumped)
        state[t] = 0
        for k in range(1, K):
            if value[k] < value[state[t]]:
                state[t] = k


weighted_features = kept_on_disk(
    lambda cache: njit(cache=cache, nogil=True, error_model="numpy")(_weighted_features)
)
spread_starts = kept_on_disk(lambda cache: njit(cache=cache, nogil=True, error_model="numpy")(_spread_starts))
descend = kept_on_disk(lambda cache: njit(cache=cache, nogil=True, error_model="numpy")(_descend))
follow = kept_on_disk(lambda cache: njit(cache=cache, nogil=True, error_model="numpy")(_follow))
