"""The likelihood of Markov-switching regressions, its score, and its maximum.

    y_t = x_t . beta_k + sum_l phi_kl (y_(t-l) - x_(t-l) . beta_(s_(t-l))) + sigma_k e_t,   k = s_t
    P(s_t = j | s_(t-1) = i) = softmax_j(b_ij . z_t)

with e_t normal or Student-t. Without covariates it is Hamilton's model (Econometrica 57, 1989), with them the
model of Diebold, Lee and Weinbach (1994) and Filardo (Journal of Business & Economic Statistics 12, 1994).
The first state is drawn from the stationary distribution of the first row's transitions, one transition
before the first row. `MarkovDetector` is how it is used; this module knows nothing of scales or policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entrepot.regimes._markov_kernels import Emission, Kernels, Moments, Score, kernels
from entrepot.regimes.blas import one_thread

FloatArray = NDArray[np.float64]

SHAPE_OF_VARIANCES = 2.0  # of the inverse gamma prior, whose mean is then its scale
SHARE_OF_VARIANCES = 0.1  # of the observations' variance: its scale
LEAST_SIGMA = 1e-3  # in standard deviations of the observations: below it a state has shrunk onto a point
MOST_SIGMA = 1e2
TINY_SHARE = 1e-9  # of the rows: what a state's last coefficients count for in a maximisation step
NO_SIZE = 1e-20  # of a covariate's mean square: rounding, not a covariate
MOST_LOGIT = 40.0  # beyond it a probability is at its floor
# 1e-6 a row tells maxima apart; a start that creeps along a ridge of the likelihood is not worth more steps.
EXPLORE = {"maxiter": 60, "ftol": 1e-6, "gtol": 1e-5, "maxcor": 20}
FINISH = {"maxiter": 1000, "maxfun": 2000, "ftol": 1e-13, "gtol": 1e-8, "maxcor": 20}
NEAR = 2.0  # standard errors: what comes so near a maximum leads to it
# Of expectation maximisation: of each start, to rank them; then of each but the best, towards what was found.
FIRST_STEPS, MORE_STEPS = 2, 8


class Sample(NamedTuple):
    """Rows of one series.

    Args:
        y: shape (T,); NaN where missing.
        regressors: x, shape (T, p), finite.
        covariates: z, what drives the transition into each row, a constant first, shape (T, 1 + C), finite.
    """

    y: FloatArray
    regressors: FloatArray
    covariates: FloatArray


@dataclass(frozen=True, eq=False)
class Parameters:
    """Parameters of K states.

    Args:
        logits: b, shape (K, K, 1 + C), 0 towards the last state.
        coefficients: beta, shape (K, p).
        sigma: scale, shape (K,); the standard deviation where e is normal.
        autoregression: phi, shape (K, r).
    """

    logits: FloatArray
    coefficients: FloatArray
    sigma: FloatArray
    autoregression: FloatArray

    def reordered(self, order: Sequence[int] | NDArray[np.integer[Any]]) -> Parameters:
        """Return the same model with state order[k] as state k."""
        at = np.asarray(order)
        logits = self.logits[at][:, at]
        return Parameters(
            logits - logits[:, -1:], self.coefficients[at], self.sigma[at], self.autoregression[at]
        )


class Filtered(NamedTuple):
    """What the filter leaves.

    Args:
        probabilities: P(s_t | rows up to t), shape (T, K).
        end: that of the last r + 1 states after the last row, up to a factor, shape (K^(r+1),): the start of
            another `filter` that is to go on from here.
        scores: log f(y_t | rows before t), shape (T,); 0 in missing rows and in the first r.
    """

    probabilities: FloatArray
    end: FloatArray
    scores: FloatArray


@dataclass(frozen=True)
class MarkovModel:
    """What is estimated, and the penalties beside the likelihood.

    Args:
        states: K.
        order: r, lags of the deviation from the mean.
        nu: degrees of freedom of Student's t; inf for the normal distribution.
        switching_variance: each state has its own sigma.
        switching_autoregression: each state has its own phi.
        ridge: weight of the squared slopes of the logits, as contrasts between states.
        prior: weight of the weak priors: one observed stay in every state, and an inverse gamma prior of the
            variances. With ridge 0 and prior 0 the estimate is that of maximum likelihood.
    """

    states: int
    order: int = 0
    nu: float = np.inf
    switching_variance: bool = True
    switching_autoregression: bool = False
    ridge: float = 0.0
    prior: float = 0.0

    @property
    def kernels(self) -> Kernels:
        """The compiled passes for this number of states and lags."""
        return kernels(self.states, self.order)

    def loglikelihood(self, sample: Sample, parameters: Parameters) -> float:
        """Sum over rows from r on of log f(y_t | rows before t); missing rows add nothing."""
        return float(self.filter(sample, parameters).scores.sum())

    def filter(self, sample: Sample, parameters: Parameters, start: FloatArray | None = None) -> Filtered:
        """Run Hamilton's filter; row t depends on rows up to t only.

        Args:
            sample: the rows.
            parameters: of the model.
            start: the joint state of the row before row r, shape (K^(r+1),), as another filter's `end`; where
                None, the stationary distribution of the first row's transitions.
        """
        if not len(sample.y):
            return Filtered(np.empty((0, self.states)), np.empty(0) if start is None else start, np.empty(0))
        passes = Passes(self, sample)
        passes.run_forward(parameters, start, keep=False)
        return passes.filtered_rows()

    def occupied(self, sample: Sample, parameters: Parameters) -> tuple[Filtered, FloatArray, FloatArray]:
        """Filter, and count given all rows: rows seen in each state, shape (K,), and moves i -> j, (K, K)."""
        passes = Passes(self, sample)
        passes.run_forward(parameters)
        passes.run_backward()
        passes.emit(parameters)
        return passes.filtered_rows(), passes.score.belonging, passes.score.counts

    def objective(self, sample: Sample, parameters: Parameters) -> tuple[float, FloatArray]:
        """Minus the penalised log-likelihood, and its gradient by the packed parameters.

        The score is that of the complete data, averaged over the states given all rows (Fisher's identity).
        """
        return Passes(self, sample).objective(parameters)

    def pack(self, parameters: Parameters) -> FloatArray:
        """Free parameters as one vector: logits but the last, coefficients, log sigma, autoregression."""
        sigma = parameters.sigma if self.switching_variance else parameters.sigma[:1]
        phi = parameters.autoregression if self.switching_autoregression else parameters.autoregression[:1]
        return np.concatenate(
            [
                parameters.logits[:, :-1].ravel(),
                parameters.coefficients.ravel(),
                np.log(sigma),
                phi.ravel(),
            ]
        )

    def unpack(self, vector: FloatArray, like: Parameters) -> Parameters:
        """Parameters of a vector made by `pack`, with the shapes of others."""
        K = self.states
        logits, phi = np.zeros_like(like.logits), np.empty((K, self.order))
        of_coefficients = K * (K - 1) * logits.shape[2]
        of_sigma = of_coefficients + like.coefficients.size
        of_phi = of_sigma + (K if self.switching_variance else 1)
        logits[:, :-1] = vector[:of_coefficients].reshape(K, K - 1, -1)
        phi[:] = vector[of_phi:].reshape(K if self.switching_autoregression else 1, self.order)
        sigma = np.empty(K)
        sigma[:] = np.exp(vector[of_sigma:of_phi])
        return Parameters(logits, vector[of_coefficients:of_sigma].reshape(K, -1), sigma, phi)

    def maximise(self, sample: Sample, starts: Sequence[Parameters]) -> Parameters:
        """Return the parameters with the least objective that the starts lead to.

        Every start takes a few steps of expectation maximisation where there are no lags, and is then carried
        towards its maximum by L-BFGS with the analytic gradient, unless it is about to reach one already
        found; the best is then carried all the way. A maximum at which a state has shrunk onto single points
        is taken only where there is no other: there the likelihood has no bound.

        Args:
            sample: the rows.
            starts: one or more.
        """
        with one_thread():
            return self._best(Passes(self, sample), starts)

    def _best(self, passes: Passes, starts: Sequence[Parameters]) -> Parameters:
        begun = [passes.take_steps(start, FIRST_STEPS) for start in starts]
        begun.sort(key=lambda each: each[0])
        first = passes.descend(begun[0][1], FINISH)
        found = [first]
        for _, start in begun[1:]:
            _, start = passes.take_steps(start, MORE_STEPS, found)
            if not passes.is_near(start, found):
                maximum = passes.descend(start, EXPLORE, found)
                if not passes.is_near(maximum.parameters, found):
                    found.append(maximum)
        best = min(found, key=lambda each: (each.shrunk, each.value))
        return (best if best is first else passes.descend(best.parameters, FINISH)).parameters

    def in_order(self, parameters: Parameters) -> Parameters:
        """The same model with its states by sigma, then by their first coefficient."""
        first = parameters.coefficients[:, 0]
        return parameters.reordered(np.lexsort((first, parameters.sigma)))


@dataclass(frozen=True, eq=False)
class Maximum:
    """A maximum of the likelihood, its states in order.

    Args:
        value: of the objective.
        parameters: where it is.
        vector: the same, packed.
        error: about the standard error of every packed parameter.
        shrunk: whether a state has shrunk onto single points.
    """

    value: float
    parameters: Parameters
    vector: FloatArray
    error: FloatArray
    shrunk: bool

    def is_near(self, vector: FloatArray) -> bool:
        """Whether packed parameters are within a few standard errors, all of them together."""
        return bool((((vector - self.vector) / self.error) ** 2).sum() < NEAR**2)


class Passes:
    """The passes over one sample, with their arrays, which are used again at every evaluation."""

    def __init__(self, model: MarkovModel, sample: Sample) -> None:
        self.model: MarkovModel = model
        self.sample: Sample = sample
        self.kernels: Kernels = model.kernels
        K, r = model.states, model.order
        M, T = K ** (r + 1), len(sample.y) - r
        self.varying: bool = sample.covariates.shape[1] > 1
        self.covariates: FloatArray = sample.covariates if self.varying else sample.covariates[:1]
        self.transition: FloatArray = np.empty((len(self.covariates), K, K))
        self.deviation: FloatArray = np.empty((T + r if r else 0, K))
        self.residual: FloatArray = np.empty((T, M))
        self.filtered: FloatArray = np.empty((T, M))
        self.shift: FloatArray = np.empty(T)
        self.scale: FloatArray = np.empty(T)
        self.start: FloatArray = np.empty(M)
        self.end: FloatArray = np.empty(M)
        self.stationary: FloatArray = np.empty(K)

    @cached_property
    def weights(self) -> FloatArray:
        """Densities over the largest of their row, shape (T, M)."""
        return np.empty_like(self.filtered)

    @cached_property
    def smoothed(self) -> FloatArray:
        """P(joint state | all rows), shape (T, M), after `run_backward`."""
        return np.empty_like(self.filtered)

    @cached_property
    def score(self) -> Score:
        """Sums over the rows that the way back leaves."""
        K, r, p = self.model.states, self.model.order, self.sample.regressors.shape[1]
        C = self.sample.covariates.shape[1]
        shapes = ((K, K), (K, K, C), (K, p), (K,), (K, r), (K,), self.start.shape)
        return Score(*map(np.empty, shapes))

    @cached_property
    def moments(self) -> Moments:
        """Sums over the rows for the maximisation step."""
        K, p = self.model.states, self.sample.regressors.shape[1]
        return Moments(np.empty(K), np.empty((K, p, p)), np.empty((K, p)), np.empty(K))

    @cached_property
    def variance(self) -> float:
        """Variance of the observations."""
        return float(np.nanvar(self.sample.y))

    @property
    def later(self) -> FloatArray:
        """Transitions into rows r and later."""
        return self.transition[self.model.order :] if self.varying else self.transition

    def run_forward(self, parameters: Parameters, start: FloatArray | None = None, keep: bool = True) -> None:
        """Filter; keep what the way back needs, unless there is none."""
        kernels, emission = self.kernels, self._emission(parameters)
        kernels.transitions(parameters.logits, self.covariates, self.transition)
        kernels.settle(self.transition[0], self.stationary)
        self.start[:] = self._joint_start() if start is None else start
        kernels.explain(self.sample.y, self.sample.regressors, emission, self.deviation, self.residual)
        weights = self.weights if keep else self.residual
        kernels.weigh(self.residual, emission, weights, self.shift)
        np.exp(weights, out=weights)  # twice as fast as one by one inside the kernel
        kernels.forward(weights, self.later, self.start, self.filtered, self.scale, self.end)

    def filtered_rows(self) -> Filtered:
        """What `run_forward` has left."""
        K, r = self.model.states, self.model.order
        y = self.sample.y
        probabilities = np.empty((len(y), K))
        probabilities[r:] = _sum_last(self.filtered.reshape(len(self.filtered), K, -1))
        for row in range(r):
            # The start holds the states of rows r - 1 to -1, the latest first.
            others = tuple(axis for axis in range(r + 1) if axis != r - 1 - row)
            probabilities[row] = self.start.reshape([K] * (r + 1)).sum(axis=others)
        scores = np.zeros(len(y))
        missing = np.logical_or.reduce([np.isnan(y[r - lag : len(y) - lag]) for lag in range(r + 1)])
        scores[r:] = np.where(missing, 0.0, np.log(self.scale) + self.shift)
        return Filtered(probabilities, self.end, scores)

    def run_backward(self) -> None:
        """Smooth, and sum up the score of the logits."""
        self.kernels.backward(
            self.weights,
            self.later,
            self.sample.covariates[self.model.order :],
            self.start,
            self.filtered,
            self.scale,
            self.smoothed,
            self.score,
        )

    def emit(self, parameters: Parameters) -> None:
        """Sum up the score of the other parameters, and the rows in each state."""
        self.kernels.emit(
            self.sample.regressors,
            self._emission(parameters),
            self.deviation,
            self.residual,
            self.smoothed,
            self.score,
        )

    def _emission(self, parameters: Parameters) -> Emission:
        return Emission(parameters.coefficients, parameters.autoregression, parameters.sigma, self.model.nu)

    def _joint_start(self) -> FloatArray:
        """Distribution of the states of rows -1 to r - 1, before anything has been observed."""
        joint = self.stationary
        K = self.model.states
        for row in range(self.model.order):
            P = self.transition[row if self.varying else 0]
            histories = joint.reshape(K, -1)
            joint = (P.T[:, :, np.newaxis] * histories[np.newaxis]).ravel()
        return joint

    def objective(self, parameters: Parameters) -> tuple[float, FloatArray]:
        """See `MarkovModel.objective`."""
        self.run_forward(parameters)
        self.run_backward()
        self.emit(parameters)
        penalty, slope = self._penalty(parameters)
        by = self.score
        score = self._packed(
            by.by_logit + self._start_score(), by.by_coefficient, by.by_log_sigma, by.by_autoregression
        )
        return penalty - self.likelihood(), slope - score

    def _packed(
        self,
        by_logit: FloatArray,
        by_coefficient: FloatArray,
        by_log_sigma: FloatArray,
        by_autoregression: FloatArray,
    ) -> FloatArray:
        """Derivatives by the packed parameters: what states share, they add up."""
        model = self.model
        if not model.switching_variance:
            by_log_sigma = by_log_sigma.sum(keepdims=True)
        if not model.switching_autoregression:
            by_autoregression = by_autoregression.sum(axis=0)
        parts = (by_logit[:, :-1], by_coefficient, by_log_sigma, by_autoregression)
        return np.concatenate([part.ravel() for part in parts])

    def _start_score(self) -> FloatArray:
        """Score of the logits through the distribution of the states before row r."""
        K, r = self.model.states, self.model.order
        z = self.sample.covariates
        score = np.zeros((K, K, z.shape[1]))
        block = self.score.start.reshape([K] * (r + 1))
        for row in range(r):
            # Axis 0 is the state of row r - 1, the last axis that of row -1.
            axes = (r - 1 - row, r - row)
            xi = block.sum(axis=tuple(a for a in range(r + 1) if a not in axes)).T
            P = self.transition[row if self.varying else 0]
            score += (xi - P * xi.sum(axis=1, keepdims=True))[:, :, np.newaxis] * z[row]
        first = block.sum(axis=tuple(range(r)))
        # pi (I - P) = 0, so d pi = pi dP Z with the fundamental matrix Z of Kemeny and Snell (1960).
        P, pi = self.transition[0], self.stationary
        fundamental = np.linalg.inv(np.eye(K) - P + pi[np.newaxis])
        by_p = pi[:, np.newaxis] * (fundamental @ (first / pi))[np.newaxis]
        inner = P * (by_p - (P * by_p).sum(axis=1, keepdims=True))
        score += inner[:, :, np.newaxis] * z[0]
        return score

    def _penalty(self, parameters: Parameters) -> tuple[float, FloatArray]:
        """Penalties and their gradient by the packed parameters."""
        model = self.model
        value = 0.0
        if model.ridge == 0 == model.prior:
            return value, np.zeros(1)
        by_logit, by_log_sigma = np.zeros_like(parameters.logits), np.zeros(model.states)
        if model.ridge > 0 and self.varying:
            slopes = parameters.logits[:, :, 1:]
            # Contrasts with the mean, so that no state is special; for two states the square of the slope.
            contrast = slopes - slopes.mean(axis=1, keepdims=True)
            value += 2.0 * model.ridge * float((contrast**2).sum())
            by_logit[:, :, 1:] = 4.0 * model.ridge * contrast
        if model.prior > 0:
            calm = parameters.logits[:, :, 0]
            top = calm.max(axis=1, keepdims=True)
            odds = np.exp(calm - top)
            total = odds.sum(axis=1, keepdims=True)
            value -= model.prior * float((np.diag(calm) - top[:, 0] - np.log(total[:, 0])).sum())
            by_logit[:, :, 0] = -model.prior * (np.eye(model.states) - odds / total)
            # A sigma that states share has one prior.
            sigma = parameters.sigma if model.switching_variance else parameters.sigma[:1]
            scale = SHARE_OF_VARIANCES * self.variance
            weight = 2.0 * (SHAPE_OF_VARIANCES + 1.0)
            value += model.prior * float((weight * np.log(sigma) + scale / sigma**2).sum())
            by_log_sigma[: len(sigma)] = model.prior * (weight - 2.0 * scale / sigma**2)
        return value, self._packed(
            by_logit,
            np.zeros_like(parameters.coefficients),
            by_log_sigma,
            np.zeros_like(parameters.autoregression),
        )

    def take_steps(
        self, start: Parameters, steps: int, known: Sequence[Maximum] = ()
    ) -> tuple[float, Parameters]:
        """Take steps of expectation maximisation; the objective before the last of all, and where they led.

        The slopes of the logits stay as they are, and a model with lags stays where it is.

        Args:
            start: where to begin.
            steps: at most.
            known: maxima near which there is no need to go on.
        """
        if self.model.order:
            return self.objective(start)[0], start
        value = np.inf
        for left in range(steps - 1, -1, -1):
            self.run_forward(start)
            self.run_backward()
            self.kernels.gather(
                self.sample.y,
                self.sample.regressors,
                self._emission(start),
                self.residual,
                self.smoothed,
                self.moments,
            )
            if left == 0:
                value = self._penalty(start)[0] - self.likelihood()
            start = self.fitted(start, self.score.counts, self.moments)
            if self.is_near(start, known):
                break
        return value, start

    def is_near(self, parameters: Parameters, known: Sequence[Maximum]) -> bool:
        """Whether parameters are near any of the maxima known."""
        if not known:
            return False
        vector = self.model.pack(self.model.in_order(parameters))
        return any(maximum.is_near(vector) for maximum in known)

    def likelihood(self) -> float:
        """Log-likelihood of the rows that `run_forward` has passed; a missing row adds 0, to rounding."""
        return float(np.log(self.scale).sum() + self.shift.sum())

    def from_labels(self, labels: NDArray[np.int64], counts: FloatArray, like: Parameters) -> Parameters:
        """Parameters without lags that fit rows of known states.

        Args:
            labels: state of each row, shape (T,).
            counts: of transitions i -> j, shape (K, K).
            like: whose slopes and autoregression are kept.
        """
        K, sample = self.model.states, self.sample
        nothing_left = 0.0 * sample.y  # NaN where missing
        for k in range(K):
            self.smoothed[:, k] = labels == k
            self.residual[:, k] = nothing_left
        emission = Emission(like.coefficients, like.autoregression, like.sigma, np.inf)
        self.kernels.gather(sample.y, sample.regressors, emission, self.residual, self.smoothed, self.moments)
        return self.fitted(like, counts, self.moments)

    def fitted(self, like: Parameters, counts: FloatArray, moments: Moments) -> Parameters:
        """Parameters that fit the rows weighted by their states: the maximisation step.

        Args:
            like: whose slopes and autoregression are kept.
            counts: of transitions i -> j, shape (K, K).
            moments: of the rows in each state.
        """
        model = self.model
        gram, cross = moments.gram, moments.cross
        # A state without rows, or with too few for its regressors, keeps what it had.
        little = TINY_SHARE * gram.max()
        if gram.shape[1] == 1:
            coefficients = (cross + little * like.coefficients) / (gram[:, :, 0] + little)
            fitted = gram[:, :, 0] * coefficients
        else:
            eased = gram + little * np.eye(gram.shape[1])
            coefficients = np.linalg.solve(eased, (cross + little * like.coefficients)[:, :, np.newaxis])[
                :, :, 0
            ]
            fitted = (gram @ coefficients[:, :, np.newaxis])[:, :, 0]
        left = moments.squares - (coefficients * (2.0 * cross - fitted)).sum(axis=1)
        shape = 2.0 * model.prior * (SHAPE_OF_VARIANCES + 1.0)
        scale = 2.0 * model.prior * SHARE_OF_VARIANCES * self.variance
        rows = moments.belonging
        if not model.switching_variance:
            left, rows = np.full_like(left, left.sum()), np.full_like(rows, rows.sum())
        floor = (10.0 * LEAST_SIGMA) ** 2 * self.variance
        sigma = np.sqrt(np.maximum((left + scale) / np.maximum(rows + shape, 1.0), floor))
        shares = np.log(np.maximum(counts + model.prior * np.eye(model.states), 1e-6))
        logits = like.logits.copy()
        logits[:, :, 0] = shares - shares[:, -1:]
        return Parameters(logits, coefficients, sigma, like.autoregression)

    def descend(self, start: Parameters, effort: dict[str, float], known: Sequence[Maximum] = ()) -> Maximum:
        """Carry parameters to the nearest maximum, or near to one of those known.

        Args:
            start: where to begin.
            effort: options of L-BFGS-B. The objective is taken per row, so that tolerances mean the same for
                any number of rows.
            known: maxima near which there is no need to go on.
        """
        from scipy.optimize import minimize  # a quarter of a second, for who fits alone

        model = self.model
        start = model.in_order(start)
        bounds = self._bounds(start)
        first = np.clip(model.pack(start), bounds[:, 0], bounds[:, 1])
        start = model.unpack(first, start)
        begun: tuple[float, FloatArray] | None = self.objective(start)
        rows = max(float(self.score.belonging.sum()), 1.0)
        unit = self._units(start)

        def per_row(vector: FloatArray) -> tuple[float, FloatArray]:
            nonlocal begun
            if begun is not None:
                (value, gradient), begun = begun, None
            else:
                value, gradient = self.objective(model.unpack(vector * unit, start))
            return value / rows, gradient * unit / rows

        def stop_at_known(intermediate_result: Any) -> None:
            if self.is_near(model.unpack(intermediate_result.x * unit, start), known):
                raise StopIteration

        found = minimize(
            per_row,
            first / unit,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds / unit[:, np.newaxis],
            options=effort,
            callback=stop_at_known if known else None,
        )
        parameters = model.in_order(model.unpack(found.x * unit, start))
        return Maximum(
            float(found.fun) * rows,
            parameters,
            model.pack(parameters),
            self._units(parameters) / np.sqrt(rows),
            bool((parameters.sigma <= 2.0 * LEAST_SIGMA * np.sqrt(self.variance)).any()),
        )

    def _units(self, parameters: Parameters) -> FloatArray:
        """Standard error of every packed parameter, were the states known, times the root of the rows: about.

        In these units the objective curves about alike in all directions: L-BFGS needs a third of the
        evaluations. The shares of the states are those of the last evaluation.
        """
        share = np.maximum(self.score.belonging / max(self.score.belonging.sum(), 1.0), 1e-3)
        size = np.maximum((self.sample.regressors**2).mean(axis=0), NO_SIZE)
        by_coefficient = share[:, np.newaxis] * size / parameters.sigma[:, np.newaxis] ** 2
        P = self.transition.mean(axis=0)
        z = (self.sample.covariates**2).mean(axis=0)
        z = np.where(z > NO_SIZE, z, 1.0)  # a covariate that is 0 in every row curves nothing
        by_logit = share[:, np.newaxis, np.newaxis] * np.maximum(P * (1.0 - P), 1e-4)[:, :, np.newaxis] * z
        by_autoregression = np.tile(share[:, np.newaxis], (1, self.model.order))
        return 1.0 / np.sqrt(self._packed(by_logit, by_coefficient, 2.0 * share, by_autoregression))

    def _bounds(self, like: Parameters) -> FloatArray:
        model = self.model
        logits = model.states * (model.states - 1) * like.logits.shape[2]
        lags = model.order * (model.states if model.switching_autoregression else 1)
        wide = [(-np.inf, np.inf)]
        spread = np.sqrt(self.variance)
        sigma = (np.log(LEAST_SIGMA * spread), np.log(MOST_SIGMA * spread))
        return np.array(
            [(-MOST_LOGIT, MOST_LOGIT)] * logits
            + wide * like.coefficients.size
            + [sigma] * (model.states if model.switching_variance else 1)
            + wide * lags
        )


def _sum_last(values: FloatArray) -> FloatArray:
    """Sums over the last axis, added up in one order whatever the number of rows."""
    total = values[:, :, 0].copy()
    for each in range(1, values.shape[2]):
        total += values[:, :, each]
    return total
