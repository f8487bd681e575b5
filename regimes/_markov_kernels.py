"""Filter and score of Markov-switching models, compiled for each number of states and lags.

The rows of a model of order r depend on the last r + 1 states, so the chain that is filtered is one of
M = K^(r+1) joint states: m = s_t K^r + s_(t-1) K^(r-1) + ... + s_(t-r). Probabilities are kept on a linear
scale; each row's densities are divided by the largest of them first, so that at least one weight is 1, and no
transition is less probable than `FLOOR`, so that a row's sum is at least `FLOOR` however far an observation
lies from every state. No fastmath: row t of the filter has the same bits whatever follows it.

K and r are constants of the compiled loops, which are unrolled. The passes are apart because one loop for all
of them took 33 ns a row where these take 18, with two states: for all the compiler knows its arrays overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entrepot.decisions import kept_on_disk

Floats = NDArray[np.float64]

FLOOR = 1e-12  # of every transition probability
FARTHEST = 1e150  # in sigma, what an observation is taken for that lies farther: its square is a number
TINY = 1e-260  # of the mass of every history, so that a model with lags has no row without any
SMALL = 2.0**-100  # of joint densities, below which they are scaled up again
LOG_ROOT_2_PI = 0.5 * math.log(2.0 * math.pi)


class Emission(NamedTuple):
    """What the rows of each state look like.

    Args:
        coefficients: beta, shape (K, p).
        autoregression: phi, shape (K, r).
        sigma: scale, shape (K,).
        nu: degrees of freedom of Student's t; inf for the normal distribution.
    """

    coefficients: Floats
    autoregression: Floats
    sigma: Floats
    nu: float


class Score(NamedTuple):
    """Sums over the rows that `backward` and `emit` fill.

    Args:
        counts: expected transitions i -> j, shape (K, K).
        by_logit: sum_t (xi_t(i, j) - P_t(i, j) sum_j xi_t(i, j)) z_t, shape (K, K, 1 + C); 0 towards the last
            state, whose logits are 0 whatever is estimated.
        by_coefficient: shape (K, p).
        by_log_sigma: shape (K,).
        by_autoregression: shape (K, r).
        belonging: expected rows in each state that are not missing, shape (K,).
        start: smoothed probabilities of the joint state of the row before the first, shape (M,).
    """

    counts: Floats
    by_logit: Floats
    by_coefficient: Floats
    by_log_sigma: Floats
    by_autoregression: Floats
    belonging: Floats
    start: Floats


class Moments(NamedTuple):
    """Sums over the rows that the maximisation step of a model without lags needs; v is the weight of a row.

    Args:
        belonging: expected rows in each state that are not missing, shape (K,).
        gram: sum_t v x x', shape (K, p, p).
        cross: sum_t v x y, shape (K, p).
        squares: sum_t v y^2, shape (K,).
    """

    belonging: Floats
    gram: Floats
    cross: Floats
    squares: Floats


class Kernels(NamedTuple):
    """The compiled passes over the rows of one sample; see the functions of these names."""

    transitions: Callable[..., None]
    settle: Callable[..., None]
    explain: Callable[..., None]
    weigh: Callable[..., None]
    forward: Callable[..., None]
    backward: Callable[..., None]
    emit: Callable[..., None]
    gather: Callable[..., None]


@cache
def kernels(states: int, order: int) -> Kernels:
    """Compile the passes for K states and r lags, or take them from disk."""
    K = states
    R = states**order
    M = R * states
    H0 = R // states  # a history's newest state is h // H0; without lags there is none

    def transitions(logits: Floats, covariates: Floats, out: Floats) -> None:
        """Multinomial logits P_t[i, j] = exp(b_ij . z_t) / sum_k exp(b_ik . z_t), kept at `FLOOR` or above.

        Args:
            logits: b, shape (K, K, 1 + C), 0 towards the last state.
            covariates: z, shape (T, 1 + C).
            out: filled, shape (T, K, K).
        """
        C = covariates.shape[1]
        for t in range(len(covariates)):
            for i in range(K):
                largest = -np.inf
                for j in range(K):
                    score = 0.0
                    for c in range(C):
                        score += logits[i, j, c] * covariates[t, c]
                    out[t, i, j] = score
                    largest = max(largest, score)
                total = 0.0
                for j in range(K):
                    out[t, i, j] = math.exp(out[t, i, j] - largest)
                    total += out[t, i, j]
                inverse = (1.0 - K * FLOOR) / total
                for j in range(K):
                    out[t, i, j] = out[t, i, j] * inverse + FLOOR

    def settle(transition: Floats, out: Floats) -> None:
        """Stationary distribution of a chain, without a subtraction and so without loss of digits.

        The elimination of Grassmann, Taksar and Heyman (Operations Research 33, 1985).

        Args:
            transition: P, shape (K, K), all positive.
            out: filled, shape (K,).
        """
        P = transition.copy()
        for n in range(K - 1, 0, -1):
            leaving = 0.0
            for j in range(n):
                leaving += P[n, j]
            for i in range(n):
                P[i, n] /= leaving
                for j in range(n):
                    P[i, j] += P[i, n] * P[n, j]
        out[0] = 1.0
        total = 1.0
        for n in range(1, K):
            out[n] = 0.0
            for i in range(n):
                out[n] += out[i] * P[i, n]
            total += out[n]
        for n in range(K):
            out[n] /= total

    def explain(y: Floats, x: Floats, emission: Emission, deviation: Floats, residual: Floats) -> None:
        """What each joint state leaves unexplained of each row.

        Args:
            y: shape (T + r,); NaN where missing.
            x: regressors, shape (T + r, p).
            emission: of each state.
            deviation: filled with y - x . beta_k, shape (T + r, K); not touched without lags.
            residual: filled with the deviation less phi times the deviations before it, shape (T, M); NaN
                where any of them is missing.
        """
        beta, phi = emission.coefficients, emission.autoregression
        width = x.shape[1]
        of_row = residual if order == 0 else deviation
        for t in range(len(y)):
            for k in range(K):
                mean = 0.0
                for c in range(width):
                    mean += x[t, c] * beta[k, c]
                of_row[t, k] = y[t] - mean
        if order > 0:
            for t in range(len(residual)):
                for m in range(M):
                    left = deviation[t + order, m // R]
                    for lag in range(order):
                        then = m // K ** (order - 1 - lag) % K
                        left -= phi[m // R, lag] * deviation[t + order - 1 - lag, then]
                    residual[t, m] = left

    def weigh(residual: Floats, emission: Emission, weights: Floats, shift: Floats) -> None:
        """Log densities of every row under every joint state, less the largest of the row.

        Args:
            residual: from `explain`, shape (T, M).
            emission: of each state.
            weights: filled with log(f_m(t) / max_m f_m(t)), shape (T, M); 0 in a missing row. It may be
                `residual`.
            shift: filled with log max_m f_m(t), shape (T,); 0 in a missing row.
        """
        sigma, nu = emission.sigma, emission.nu
        normal = nu == np.inf
        if normal:
            constant = -LOG_ROOT_2_PI
        else:
            constant = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu) - 0.5 * math.log(nu * math.pi)
        base = np.empty(K)
        inverse = np.empty(K)
        for k in range(K):
            base[k] = constant - math.log(sigma[k])
            inverse[k] = 1.0 / sigma[k]
        for t in range(len(residual)):
            missing = math.isnan(residual[t, 0])
            largest = -np.inf
            for m in range(M):
                z = min(max(residual[t, m] * inverse[m // R], -FARTHEST), FARTHEST)
                if normal:
                    density = base[m // R] - 0.5 * z * z
                else:
                    density = base[m // R] - 0.5 * (nu + 1.0) * math.log1p(z * z / nu)
                weights[t, m] = density
                largest = max(largest, density)
            shift[t] = 0.0 if missing else largest
            for m in range(M):
                weights[t, m] = 0.0 if missing else weights[t, m] - largest

    def forward(
        weights: Floats, transition: Floats, start: Floats, filtered: Floats, scale: Floats, end: Floats
    ) -> None:
        """Hamilton's filter: joint state probabilities of each row given the rows up to it.

        The recursion runs on joint densities that are scaled by powers of two, which changes no digit: it
        does not wait for the division that makes probabilities of them.

        Args:
            weights: f_m(t) / max_m f_m(t), shape (T, M): the exponentials of what `weigh` leaves.
            transition: P_t[i, j] from state i before row t to state j in it, shape (T, K, K), or (1, K, K)
                where it is the same for every row.
            start: probabilities of the joint state of the row before the first, up to a factor, shape (M,).
            filtered: filled, shape (T, M).
            scale: filled with sum_m q_t(m) weights_t(m), shape (T,), q being the prediction: the row's
                likelihood is scale_t exp(shift_t).
            end: filled with the last row's, up to a factor, shape (M,): where another `forward` goes on.
        """
        varying = 1 if len(transition) > 1 else 0
        before = start.copy()
        now = np.empty(M)
        last = 0.0  # the sum of `before`, in the order of a row's total: it has the same bits
        for h in range(R):
            for j in range(K):
                last += before[j * R + h]
        last_inverse = 1.0 / last
        for t in range(len(weights)):
            P = transition[t * varying]
            total = 0.0
            if order == 0:
                for j in range(K):
                    q = 0.0
                    for i in range(K):
                        q += before[i] * P[i, j]
                    now[j] = q * weights[t, j]
                    total += now[j]
            else:
                for h in range(R):
                    mass = 0.0
                    for oldest in range(K):
                        mass += before[h * K + oldest]
                    mass = max(mass, TINY * last)
                    for j in range(K):
                        m = j * R + h
                        now[m] = mass * P[h // H0, j] * weights[t, m]
                        total += now[m]
            inverse = 1.0 / total
            scale[t] = total * last_inverse
            for m in range(M):
                filtered[t, m] = now[m] * inverse
            if total < SMALL:
                # 2^-e of the total, so that it is between 1/2 and 1 again.
                power = math.ldexp(1.0, -math.frexp(total)[1])
                for m in range(M):
                    before[m] = now[m] * power
                last = total * power
                last_inverse = 1.0 / last
            else:
                for m in range(M):
                    before[m] = now[m]
                last = total
                last_inverse = inverse
        end[:] = before

    def backward(
        weights: Floats,
        transition: Floats,
        covariates: Floats,
        start: Floats,
        filtered: Floats,
        scale: Floats,
        smoothed: Floats,
        score: Score,
    ) -> None:
        """Smoothed probabilities, and the score of the transitions' logits by Fisher's identity.

        Args:
            weights: f_m(t) / max_m f_m(t), shape (T, M): the exponentials of what `weigh` leaves.
            transition: shape (T, K, K) or (1, K, K).
            covariates: z_t that drive the transition into each row, a constant first, shape (T, 1 + C).
            start: as given to `forward`, shape (M,).
            filtered: from `forward`, shape (T, M).
            scale: from `forward`, shape (T,).
            smoothed: filled with P(joint state of t | all rows), shape (T, M).
            score: its start, counts and by_logit are filled.
        """
        varying = 1 if len(transition) > 1 else 0
        beta = np.ones(M)
        term = np.empty(M)
        xi = np.empty((K, K))
        counts, by_logit = score.counts, score.by_logit
        counts[:] = 0.0
        by_logit[:] = 0.0
        C = covariates.shape[1]
        for t in range(len(weights) - 1, -1, -1):
            P = transition[t * varying]
            before = filtered[t - 1] if t > 0 else start
            inverse = 1.0 / scale[t]
            for m in range(M):
                smoothed[t, m] = filtered[t, m] * beta[m]
                term[m] = weights[t, m] * beta[m] * inverse
            if order == 0:
                for i in range(K):
                    back = 0.0
                    for j in range(K):
                        step = P[i, j] * term[j]
                        xi[i, j] = before[i] * step
                        back += step
                    beta[i] = back
            else:
                xi[:] = 0.0
                for h in range(R):
                    i = h // H0
                    mass = 0.0
                    for oldest in range(K):
                        mass += before[h * K + oldest]
                    mass = max(mass, TINY)
                    back = 0.0
                    for j in range(K):
                        step = P[i, j] * term[j * R + h]
                        xi[i, j] += mass * step
                        back += step
                    for oldest in range(K):
                        beta[h * K + oldest] = back
            for i in range(K):
                for j in range(K):
                    counts[i, j] += xi[i, j]
            if varying:
                for i in range(K):
                    leaving = xi[i].sum()
                    for j in range(K - 1):
                        surprise = xi[i, j] - P[i, j] * leaving
                        for c in range(C):
                            by_logit[i, j, c] += surprise * covariates[t, c]
        for m in range(M):
            score.start[m] = start[m] * beta[m]
        if not varying:
            # One P for all rows, and no covariate but the constant: their sum is that of the counts.
            P = transition[0]
            for i in range(K):
                leaving = counts[i].sum()
                for j in range(K - 1):
                    by_logit[i, j, 0] = counts[i, j] - P[i, j] * leaving

    def emit(
        x: Floats, emission: Emission, deviation: Floats, residual: Floats, smoothed: Floats, score: Score
    ) -> None:
        """Score of coefficients, log scales and autoregression by Fisher's identity.

        With u = (nu + 1) / (nu + (e / sigma)^2), which is 1 for the normal distribution, the log density of a
        row changes by -u e / sigma^2 with its residual e and by u e^2 / sigma^2 - 1 with log sigma.

        Args:
            x: shape (T + r, p).
            emission: of each state.
            deviation: from `explain`, shape (T + r, K).
            residual: from `explain`, shape (T, M); a row that is NaN scores nothing.
            smoothed: from `backward`, shape (T, M).
            score: its by_coefficient, by_log_sigma, by_autoregression and belonging are filled.
        """
        sigma, nu, phi = emission.sigma, emission.nu, emission.autoregression
        normal = nu == np.inf
        by_coefficient, by_log_sigma = score.by_coefficient, score.by_log_sigma
        by_autoregression, belonging = score.by_autoregression, score.belonging
        by_coefficient[:] = 0.0
        by_log_sigma[:] = 0.0
        by_autoregression[:] = 0.0
        belonging[:] = 0.0
        width = x.shape[1]
        inverse = np.empty(K)
        for k in range(K):
            inverse[k] = 1.0 / (sigma[k] * sigma[k])
        for t in range(len(residual)):
            if math.isnan(residual[t, 0]):
                continue
            for m in range(M):
                k = m // R
                over = residual[t, m] * inverse[k]
                u = 1.0 if normal else (nu + 1.0) / (nu + residual[t, m] * over)
                pull = smoothed[t, m] * u * over
                belonging[k] += smoothed[t, m]
                by_log_sigma[k] += pull * residual[t, m] - smoothed[t, m]
                for c in range(width):
                    by_coefficient[k, c] += pull * x[t + order, c]
                for lag in range(order):
                    then = m // K ** (order - 1 - lag) % K
                    row = t + order - 1 - lag
                    by_autoregression[k, lag] += pull * deviation[row, then]
                    for c in range(width):
                        by_coefficient[then, c] -= pull * phi[k, lag] * x[row, c]

    def gather(
        y: Floats, x: Floats, emission: Emission, residual: Floats, smoothed: Floats, moments: Moments
    ) -> None:
        """Sums that the maximisation step of a model without lags needs.

        Args:
            y: shape (T,).
            x: shape (T, p).
            emission: of each state.
            residual: from `explain`, shape (T, K); a row that is NaN adds nothing.
            smoothed: from `backward`, shape (T, K).
            moments: filled.
        """
        sigma, nu = emission.sigma, emission.nu
        normal = nu == np.inf
        width = x.shape[1]
        for k in range(K):
            # Sums that stay in registers: twice as fast as sums in arrays. The first regressor, mostly the
            # constant and alone, goes with them.
            own, squares, first, size = 0.0, 0.0, 0.0, 0.0
            for t in range(len(residual)):
                if math.isnan(residual[t, k]):
                    continue
                v = smoothed[t, k]
                own += v
                if not normal:
                    z = residual[t, k] / sigma[k]
                    v *= (nu + 1.0) / (nu + z * z)
                squares += v * y[t] * y[t]
                first += v * x[t, 0] * y[t]
                size += v * x[t, 0] * x[t, 0]
            moments.belonging[k], moments.squares[k] = own, squares
            moments.cross[k, 0], moments.gram[k, 0, 0] = first, size
            for a in range(1, width):
                moments.cross[k, a] = 0.0
                for b in range(a + 1):
                    moments.gram[k, a, b] = 0.0
                for t in range(len(residual)):
                    if math.isnan(residual[t, k]):
                        continue
                    v = smoothed[t, k]
                    if not normal:
                        z = residual[t, k] / sigma[k]
                        v *= (nu + 1.0) / (nu + z * z)
                    moments.cross[k, a] += v * x[t, a] * y[t]
                    for b in range(a + 1):
                        moments.gram[k, a, b] += v * x[t, a] * x[t, b]
                for b in range(a):
                    moments.gram[k, b, a] = moments.gram[k, a, b]

    passes = (transitions, settle, explain, weigh, forward, backward, emit, gather)
    return Kernels(*(_compiled(each) for each in passes))


def _compiled(function: Callable[..., None]) -> Any:
    from numba import njit

    return kept_on_disk(lambda cache: njit(cache=cache, nogil=True, error_model="numpy")(function))
