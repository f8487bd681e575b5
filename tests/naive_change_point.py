"""Online change point detection written from Adams and MacKay (2007): every run kept, nothing carried on.

Rows of a run are normal with unknown mean and variance; with prior (m, k, a, b) the mean is
N(m, variance / k) and 1 / variance is Gamma(a, rate b). Posteriors are those of all rows of a run at once.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.special import gammaln, logsumexp
from scipy.stats import t as student


def posterior(rows, prior) -> tuple[float, float, float, float]:
    """Conjugate posterior (m, k, a, b) after rows, NaN among them left out."""
    m, k, a, b = prior
    rows = np.asarray(rows)[~np.isnan(rows)]
    n = len(rows)
    if n == 0:
        return m, k, a, b
    mean = rows.mean()
    spread = ((rows - mean) ** 2).sum() + k * n * (mean - m) ** 2 / (k + n)
    return (k * m + n * mean) / (k + n), k + n, a + n / 2, b + spread / 2


def log_predictive(y, rows, prior) -> float:
    """Density of y after the rows of its run so far: Student's t."""
    if np.isnan(y):
        return 0.0
    m, k, a, b = posterior(rows, prior)
    return float(student.logpdf(y, df=2 * a, loc=m, scale=np.sqrt(b * (k + 1) / (a * k))))


def follow(y, hazard, prior) -> tuple[list[np.ndarray], np.ndarray]:
    """Algorithm 1 of the paper: the run length distribution at each row, and the log density of each row.

    The paper's run length 0 means that a run begins with the next row, so hazard[t] acts between rows t and
    t + 1. Given here are, for each row, the probabilities of lengths 1, 2, ... t + 1 that count the row
    itself: the paper's, before its change point is drawn.
    """
    log_joint = np.array([0.0])
    lengths, log_evidence = [], [0.0]
    for t in range(len(y)):
        predictive = [log_predictive(y[t], y[t - r : t], prior) for r in range(len(log_joint))]
        grown = log_joint + predictive
        log_evidence.append(logsumexp(grown))
        lengths.append(np.exp(grown - log_evidence[-1]))
        with np.errstate(divide="ignore"):
            stay, change = np.log1p(-hazard[t]), np.log(hazard[t])
        log_joint = np.concatenate(([log_evidence[-1] + change], grown + stay))
    return lengths, np.diff(log_evidence)


def follow_so_many(y, hazard, prior, most, recent) -> tuple[list[dict[int, float]], float]:
    """The same where fewer than `most` runs are kept: probabilities by length at each row, and log evidence.

    Of the runs longer than `recent` the least probable is counted with the next longer, the longest of all
    with the next shorter.
    """
    now: dict[int, float] = {}
    lengths, log_evidence = [], 0.0
    for t in range(len(y)):
        begun = {n + 1: p * (1.0 - hazard) for n, p in now.items()} | {1: hazard if now else 1.0}
        joint = {n: p * np.exp(log_predictive(y[t], y[t - n + 1 : t], prior)) for n, p in begun.items()}
        total = sum(joint.values())
        now = {n: p / total for n, p in joint.items()}
        log_evidence += np.log(total)
        if len(now) == most:
            least = min((n for n in now if n > recent), key=lambda n: now[n])
            longer = [n for n in now if n > least]
            to = min(longer) if longer else max(n for n in now if n < least)
            now[to] += now.pop(least)
        lengths.append(now)
    return lengths, log_evidence


def log_marginal(rows, prior) -> float:
    """Density of all rows of one run, in closed form."""
    _, k, a, b = prior
    _, k_n, a_n, b_n = posterior(rows, prior)
    n = 2 * (a_n - a)
    constant = gammaln(a_n) - gammaln(a) + 0.5 * np.log(k / k_n) - n / 2 * np.log(2 * np.pi)
    return float(constant + a * np.log(b) - a_n * np.log(b_n))


def over_all_segmentations(y, hazard, prior, recent) -> tuple[float, float]:
    """Log evidence, and the probability that the last `recent` rows hold a run's beginning."""
    T = len(y)
    logs, changed = [], []
    for begins in product([False, True], repeat=T - 1):
        starts = [0, *(t + 1 for t in range(T - 1) if begins[t])]
        ends = [*starts[1:], T]
        log_prior = sum(np.log(hazard[t] if begins[t] else 1 - hazard[t]) for t in range(T - 1))
        logs.append(log_prior + sum(log_marginal(y[i:j], prior) for i, j in zip(starts, ends, strict=True)))
        changed.append(starts[-1] > 0 and starts[-1] >= T - recent)
    evidence = logsumexp(logs)
    return float(evidence), float(np.exp(np.array(logs) - evidence)[changed].sum())
