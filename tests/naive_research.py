"""Smoothing by looking at every path of states, for a handful of rows."""

from __future__ import annotations

import itertools
import math

import numpy as np


def smoothed(y, means, scales, transitions, start):
    """P(state of t | all rows), shape (T, K).

    Args:
        y: observations, shape (T,), None where missing.
        means: of each state.
        scales: of each state.
        transitions: into each row, shape (T, K, K).
        start: probabilities of the state before the first row.
    """
    states = range(len(means))
    total = np.zeros((len(y), len(means)))
    for path in itertools.product(states, repeat=len(y) + 1):
        weight = start[path[0]]
        for t, value in enumerate(y):
            here = path[t + 1]
            weight *= transitions[t][path[t]][here]
            if value is not None:
                z = (value - means[here]) / scales[here]
                weight *= math.exp(-0.5 * z * z) / (scales[here] * math.sqrt(2.0 * math.pi))
        for t in range(len(y)):
            total[t, path[t + 1]] += weight
    return total / total.sum(axis=1, keepdims=True)
