"""The statistical jump model written from its formula, slowly."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np


def cost(rows, centroids, penalty, path) -> float:
    """Half the squared distances to the centroids of the path's states, and the penalty for each jump."""
    losses = sum(0.5 * float(((x - centroids[s]) ** 2).sum()) for x, s in zip(rows, path, strict=True))
    return losses + penalty * sum(a != b for a, b in pairwise(path))


def best_path(rows, centroids, penalty) -> tuple[float, list[int]]:
    """The dynamic programme over states, with ties to the lowest one, forwards and back."""
    states = range(len(centroids))
    loss = [[sum(0.5 * d * d for d in x - c) for c in centroids] for x in rows]
    value = [loss[0]]
    for t in range(1, len(rows)):
        value.append([loss[t][k] + min(value[-1][j] + penalty * (j != k) for j in states) for k in states])
    path = [min(states, key=lambda k: value[-1][k])]
    for t in range(len(rows) - 2, -1, -1):
        path.insert(0, min(states, key=lambda j: value[t][j] + penalty * (j != path[0])))
    return min(value[-1]), path


def online_states(features, centroids, penalty) -> list[int]:
    """Where the best path through the complete rows so far ends; found anew at every row."""
    states = []
    for t in range(len(features)):
        seen = [x for x in features[: t + 1] if not np.isnan(x).any()]
        states.append(best_path(seen, centroids, penalty)[1][-1] if seen else 0)
    return states


def least_cost_of_all_paths(rows, centroids, penalty) -> float:
    return min(
        cost(rows, centroids, penalty, path) for path in product(range(len(centroids)), repeat=len(rows))
    )


def global_minimum(rows, states, penalty) -> float:
    """The least cost over all paths, each with the means of its states as centroids."""
    least = np.inf
    for path in product(range(states), repeat=len(rows)):
        label = np.array(path)
        means = [rows[label == k].mean(axis=0) if k in path else rows[0] for k in range(states)]
        least = min(least, cost(rows, means, penalty, path))
    return least


def starts(rows, uniform) -> np.ndarray:
    """k-means++: a row by the first draw, each further one by its squared distance to the nearest so far."""
    rows = np.asarray(rows, dtype=float)
    drawn = []
    for draws in uniform:
        chosen = [int(draws[0] * len(rows))]
        for draw in draws[1:]:
            apart = np.min([((rows - rows[i]) ** 2).sum(axis=1) for i in chosen], axis=0)
            below = np.cumsum(apart) <= draw * apart.sum()
            chosen.append(int(draw * len(rows)) if apart.sum() == 0.0 else int(below.sum()))
        drawn.append(rows[chosen])
    return np.array(drawn)


def weighted_features(y, downside_half_lives, sortino_half_lives) -> np.ndarray:
    """Averages over all observations so far, with weights that halve, from the start at every row."""
    out = np.full((len(y), len(downside_half_lives) + len(sortino_half_lives)), np.nan)
    for t in range(len(y)):
        seen = y[: t + 1][~np.isnan(y[: t + 1])]
        for f, half_life in enumerate((*downside_half_lives, *sortino_half_lives)):
            if np.isnan(y[t]) or len(seen) < half_life:
                continue
            weight = 0.5 ** (np.arange(len(seen))[::-1] / half_life)
            deviation = np.sqrt(np.average(np.minimum(seen, 0.0) ** 2, weights=weight))
            if f < len(downside_half_lives):
                out[t, f] = deviation
            elif deviation > 0:
                out[t, f] = np.average(seen, weights=weight) / deviation
    return out
