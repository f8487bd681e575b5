"""The Markov-switching model written from its formulas, in log space and over spelled-out states, slowly."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np

FLOOR = 1e-12  # no transition is less probable


def log_sum(terms) -> float:
    """Logarithm of the sum of exponentials; the largest of them is sought from -inf, not from 0."""
    largest = -math.inf
    for term in terms:
        largest = max(largest, term)
    if largest == -math.inf:
        return largest
    return largest + math.log(math.fsum(math.exp(term - largest) for term in terms))


def transition(logits, z) -> list[list[float]]:
    """P[i][j] = softmax_j(b_ij . z), mixed with `FLOOR`."""
    K = len(logits)
    rows = []
    for i in range(K):
        scores = [math.fsum(b * c for b, c in zip(logits[i][j], z, strict=True)) for j in range(K)]
        total = log_sum(scores)
        rows.append([(1.0 - K * FLOOR) * math.exp(score - total) + FLOOR for score in scores])
    return rows


def stationary(P) -> np.ndarray:
    """The row vector with pi P = pi that sums to 1."""
    K = len(P)
    equations = np.vstack([np.transpose(P) - np.eye(K), np.ones(K)])
    return np.linalg.lstsq(equations, np.append(np.zeros(K), 1.0), rcond=None)[0]


def log_density(error, sigma, nu) -> float:
    """Logarithm of the normal density, or of Student's t with location 0 and a scale."""
    if nu == math.inf:
        return -0.5 * math.log(2 * math.pi * sigma**2) - error**2 / (2 * sigma**2)
    head = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2) - 0.5 * math.log(nu * math.pi * sigma**2)
    return head - (nu + 1) / 2 * math.log(1 + error**2 / (nu * sigma**2))


def log_row(sample, parameters, nu, t, states) -> float:
    """log f(y_t | states of t, t - 1, ..., t - r); 0 where any of these rows is missing."""
    deviations = [
        sample.y[t - lag] - float(sample.regressors[t - lag] @ parameters.coefficients[s])
        for lag, s in enumerate(states)
    ]
    if any(math.isnan(deviation) for deviation in deviations):
        return 0.0
    k = states[0]
    error = deviations[0] - math.fsum(parameters.autoregression[k] * deviations[1:])
    return log_density(error, parameters.sigma[k], nu)


def filtered(sample, parameters, nu=math.inf):
    """Hamilton's filter over joint states (s_t, ..., s_(t-r)).

    Returns:
        probabilities, shape (T, K): P(s_t | rows up to t); of the first r rows nothing is read.
        scores, shape (T,): log f(y_t | rows before t); 0 for the first r.
        end, {states of rows T - 1, ..., T - 1 - r: probability}.
    """
    K, r = parameters.autoregression.shape
    moves = [transition(parameters.logits, z) for z in sample.covariates]
    joint = {(s,): math.log(p) for s, p in enumerate(stationary(moves[0]))}
    probabilities, scores = np.empty((len(sample.y), K)), np.zeros(len(sample.y))
    for t, P in enumerate(moves):
        keep = r if t >= r else len(next(iter(joint)))  # of the states before t; one too many is summed out
        predicted: dict[tuple[int, ...], list[float]] = {}
        for before, log_p in joint.items():
            for j in range(K):
                predicted.setdefault((j, *before[:keep]), []).append(log_p + math.log(P[before[0]][j]))
        joint = {states: log_sum(terms) for states, terms in predicted.items()}
        if t >= r:
            joint = {
                states: log_p + log_row(sample, parameters, nu, t, states) for states, log_p in joint.items()
            }
            scores[t] = log_sum(list(joint.values()))
            joint = {states: log_p - scores[t] for states, log_p in joint.items()}
        for k in range(K):
            probabilities[t, k] = math.fsum(
                math.exp(log_p) for states, log_p in joint.items() if states[0] == k
            )
    return probabilities, scores, {states: math.exp(log_p) for states, log_p in joint.items()}


def over_all_paths(sample, parameters, nu=math.inf):
    """The same model with every path of states spelled out, from the row before the first to the last.

    Returns:
        the log-likelihood;
        smoothed probabilities, shape (T, K);
        expected moves i -> j into rows r and later, shape (K, K);
        expected rows r and later in each state, but for those with a missing row among them and the r before,
        shape (K,).
    """
    K, r = parameters.autoregression.shape
    T = len(sample.y)
    moves = [transition(parameters.logits, z) for z in sample.covariates]
    first = stationary(moves[0])
    paths = list(product(range(K), repeat=T + 1))  # path[t + 1] is the state of row t
    log_p = []
    for path in paths:
        terms = [math.log(first[path[0]])]
        terms += [math.log(moves[t][i][j]) for t, (i, j) in enumerate(pairwise(path))]
        for t in range(r, T):
            states = tuple(path[t + 1 - lag] for lag in range(r + 1))
            terms.append(log_row(sample, parameters, nu, t, states))
        log_p.append(math.fsum(terms))
    likelihood = log_sum(log_p)
    smoothed, counts, belonging = np.zeros((T, K)), np.zeros((K, K)), np.zeros(K)
    for path, each in zip(paths, log_p, strict=True):
        weight = math.exp(each - likelihood)
        for t in range(T):
            smoothed[t, path[t + 1]] += weight
            if t >= r:
                counts[path[t], path[t + 1]] += weight
                if not np.isnan(sample.y[t - r : t + 1]).any():
                    belonging[path[t + 1]] += weight
    return likelihood, smoothed, counts, belonging
