"""The Markov-switching detector: states of their own mean and variance, which events make likelier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_number, is_whole, shown
from entrepot.regimes.arguments import kind
from entrepot.regimes.detector import ProbabilityDetector, intensities, observations
from entrepot.regimes.markov_model import MarkovModel, Parameters, Sample
from entrepot.regimes.markov_starts import starting_points

FloatArray = NDArray[np.float64]
StressBy = Literal["volatile", "low", "high"]

MOST_STATES = 4
RANDOM_STARTS = 8
ROWS_PER_STATE = 20
LEAST_SHARE = 0.02
LEAST_STAY = 3.0  # rows
SHRUNK = 0.1  # of the observations' standard deviation
BEYOND = 15.0  # in logits of moves against staying
HAPPENS = 0.5  # expected moves
MANY = 1000  # rows among which a series that varies has more values than states
TIE = 0.1  # in logs of scale, or standard deviations of the observations
CONSTANT = 1e-12  # of its size: a channel that varies less does not
STRESSED: dict[StressBy, str] = {"volatile": "most volatile", "low": "lowest", "high": "highest"}


class Position(NamedTuple):
    """Where a filter stands after a row: all that the next row needs.

    Args:
        start: where the filter goes on, shape (K,); None before the first row.
        intensity: of the row, in units of the training rows, shape (C,).
    """

    start: FloatArray | None
    intensity: FloatArray


class Units(NamedTuple):
    """Mean and standard deviation of the training rows, in which everything is estimated.

    Args:
        y_centre: of the observations.
        y: of the observations.
        x_centre: of each channel, shape (C,).
        x: of each channel, shape (C,).
    """

    y_centre: float
    y: float
    x_centre: FloatArray
    x: FloatArray


@dataclass(kw_only=True, eq=False)
class MarkovDetector(ProbabilityDetector):
    """Hamilton's filter over two or three states with switching mean and variance.

    Without intensities the transition probabilities are constant; with them they are logits of the
    intensities known one row before (Diebold, Lee and Weinbach 1994; Filardo 1994), so that an event makes
    the next rows' switch likelier and does nothing by itself. The estimate maximises the likelihood less a
    ridge on the slopes, without which a few events that always came before a switch would send them to
    infinity, and weak priors on staying and on the variances.

    Args:
        states: 2 or 3; up to 4.
        stress_by: which state is the last one, the stressed: that with the largest scale, the lowest or the
            highest mean.
        family: "normal", or "student" with `nu` degrees of freedom.
        nu: of Student's t, above 2.
        switching_variance: each state has its own scale.
        ridge: weight of the squared slopes, for intensities of standard deviation 1.
        prior: weight of the weak priors; 0, with ridge 0, gives maximum likelihood.
        starts: starts at random beside the four by rule (level, size, volatility, breaks). None: 0 for two
            states, 8 for more, whose likelihood has more maxima.
        cold_every: of fits with `previous`, every so many begin at all starts; those between begin at
            `previous` alone, and at all starts only where that is rejected.
        seed: what the starts at random are drawn with.
        half_life: New York sessions in which a mark halves, for whoever computes the intensities.
        enter: probability of the last state above which the switch goes on.
        leave: probability below which it goes off.
        dwell: New York sessions after a switch in which no other is made, unless bypassed.

    Attributes:
        means_, scales_: of each state, shape (states,), in the unit of y; Student's t has a scale, not a
            standard deviation.
        transition_: shape (states, states), from row to column, at zero intensity.
        slopes_: shape (states, states, channels), of the logits by raw intensity, 0 towards the last state.
        loglikelihood_: of the training rows, without penalties.
        rows_: training rows that are not missing.
        rejected_: why the fit should not be used, in a sentence; empty where it may be.
        age_: fits since the last one that began at all starts.
        match_: distance of the farthest state from its match in `previous`; NaN without one.
    """

    states: int = 2
    stress_by: StressBy = "volatile"
    family: Literal["normal", "student"] = "normal"
    nu: float = 5.0
    switching_variance: bool = True
    ridge: float = 0.05
    prior: float = 1.0
    starts: int | None = None
    cold_every: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.age_: int = 0
        for name, value, most, least in (
            ("states", self.states, MOST_STATES, 2),
            ("cold_every", self.cold_every, 1000, 1),
            ("starts", 0 if self.starts is None else self.starts, 1000, 0),
        ):
            if not (is_whole(value) and least <= value <= most):
                raise ParameterError(f"{name} is {kind(value)}: give a whole number from {least} to {most}")
        for name, text, allowed in (
            ("stress_by", self.stress_by, get_args(StressBy)),
            ("family", self.family, ("normal", "student")),
        ):
            if not isinstance(text, str) or text not in allowed:
                raise ParameterError(f"{name}={shown(text)} is unknown: use one of {', '.join(allowed)}")
        if not (is_number(self.nu) and 2 < self.nu < np.inf):
            raise ParameterError(f"nu is {kind(self.nu)}: give a finite number above 2, such as 5")
        for name, weight in (("ridge", self.ridge), ("prior", self.prior)):
            if not (is_number(weight) and 0 <= weight < np.inf):
                raise ParameterError(f"{name} is {kind(weight)}: give a finite number, zero or more")
        if not is_whole(self.seed) or self.seed < 0:
            raise ParameterError(f"seed is {kind(self.seed)}: give a whole number, zero or more")
        if not isinstance(self.switching_variance, bool):
            raise ParameterError(f"switching_variance is {kind(self.switching_variance)}: give True or False")
        if self.stress_by == "volatile" and not self.switching_variance:
            raise ParameterError(
                "states without a variance of their own are not told apart by it: give stress_by='low' or "
                "'high' with switching_variance=False"
            )

    @property
    def model(self) -> MarkovModel:
        """What is estimated."""
        return MarkovModel(
            self.states,
            nu=self.nu if self.family == "student" else np.inf,
            switching_variance=self.switching_variance,
            ridge=self.ridge,
            prior=self.prior,
        )

    def fit(self, y: Any, intensity: Any = None, previous: MarkovDetector | None = None) -> Self:
        """Estimate the parameters; the detector then stands after the last of these rows.

        Args:
            y: observations, shape (T,); NaN where a row is missing.
            intensity: None, or covariates known at each row, shape (T,) or (T, channels), finite. They are
                lagged inside: what is known at row t drives the transition into row t + 1.
            previous: an accepted fit of the same kind: one more start, and what the states are matched to, so
                that they keep their meaning from one refit to the next.

        Raises:
            ParameterError: for what is no series of numbers, infinite values, or another kind of `previous`.
            DataError: for too few rows, observations that are all missing or do not vary, more states than
                the rows can tell apart, or intensities that are zero throughout.
        """
        values = observations(y)
        x = intensities(intensity, len(values))
        _check_rows(values, x, self.states)
        units = _units(values, x)
        before = None if previous is None else self._carried_over(previous, units)
        # From here on nothing can be refused, and nothing is left half done.
        self._units = units
        sample, scaled = self._sample(values, x)
        if before is not None and previous is not None and previous.age_ + 1 < self.cold_every:
            self._learn(sample, scaled[-1], [before], before, cold=False)
            self.age_ = previous.age_ + 1
            if not self.rejected_:
                return self
        draws = self.starts if self.starts is not None else RANDOM_STARTS if self.states > 2 else 0
        starts = starting_points(self.model, sample, draws, np.random.default_rng(self.seed))
        self._learn(sample, scaled[-1], starts if before is None else [*starts, before], before, cold=True)
        self.age_ = 0
        return self

    def _learn(
        self,
        sample: Sample,
        last: FloatArray,
        starts: list[Parameters],
        before: Parameters | None,
        cold: bool,
    ) -> None:
        """Maximise the likelihood, put the states in their order, and look at what has come out."""
        found, match = self._ordered(self.model.maximise(sample, starts), before, cold)
        self.match_: float = match
        self._parameters = found
        filtered, in_state, moves = self.model.occupied(sample, found)
        units = self._units
        self.rows_: int = int(np.isfinite(sample.y).sum())
        self.loglikelihood_: float = float(filtered.scores.sum()) - self.rows_ * float(np.log(units.y))
        self.means_: FloatArray = units.y_centre + units.y * found.coefficients[:, 0]
        self.scales_: FloatArray = units.y * found.sigma
        self.transition_: FloatArray = self._transitions(-units.x_centre[np.newaxis] / units.x)[0]
        self.slopes_: FloatArray = found.logits[:, :, 1:] / units.x
        self.rejected_: str = self._rejection(sample, found, before, in_state, moves)
        # The intensity of the last row drives the transition into the next.
        self._position = Position(filtered.end, last)

    def filter(self, y: Any, intensity: Any = None) -> FloatArray:
        """Return P(state | rows up to t), shape (T, states), the stressed state last.

        Args:
            y: observations, shape (T,); a row that is NaN has the probabilities predicted for it.
            intensity: as in `fit`, with the same channels.
        """
        sample, x = self._given(y, intensity)
        filtered = self.model.filter(sample, self._parameters)
        if len(x):
            self._position = Position(filtered.end, x[-1])
        return filtered.probabilities

    def predict(self, y: Any, intensity: Any = None) -> FloatArray:
        """Return P(state of row t + 1 | rows and intensities up to t), shape (T, states)."""
        sample, x = self._given(y, intensity)
        probabilities = self.model.filter(sample, self._parameters).probabilities
        into_next = self._transitions(x)
        ahead = np.zeros_like(probabilities)
        for state in range(self.states):
            ahead += probabilities[:, state : state + 1] * into_next[:, state]
        return ahead

    def log_scores(self, y: Any, intensity: Any = None) -> FloatArray:
        """Return log f(y_t | rows before t), shape (T,): the predictive log score; NaN in missing rows."""
        sample, _ = self._given(y, intensity)
        scores = self.model.filter(sample, self._parameters).scores - np.log(self._units.y)
        return np.where(np.isnan(sample.y), np.nan, scores)

    def update(self, y: Any, intensity: Any = None) -> FloatArray:
        """Return P(state | rows so far), shape (states,), after one more row.

        The row follows the last one that `fit`, `filter` or `update` saw.

        Args:
            y: one observation; NaN where it is missing.
            intensity: None, or one number per channel, known at this row.
        """
        self._check_fitted()
        row = observations(y if np.ndim(y) else [y])
        if len(row) != 1:
            raise ParameterError(f"update was given {len(row)} observations: give one, or use filter")
        x = self._scaled(None if intensity is None else [intensity], 1)
        driver = _with_constant(self._position.intensity[np.newaxis])
        sample = Sample((row - self._units.y_centre) / self._units.y, np.ones((1, 1)), driver)
        filtered = self.model.filter(sample, self._parameters, self._position.start)
        self._position = Position(filtered.end, x[0])
        probabilities: FloatArray = filtered.probabilities[0]
        return probabilities

    def restart(self) -> Self:
        """Stand before the first row again, as if nothing had been seen; the parameters stay."""
        self._check_fitted()
        self._position = Position(None, np.zeros(len(self._units.x)))
        return self

    def _check_fitted(self) -> None:
        if not hasattr(self, "_parameters"):
            raise ParameterError("this MarkovDetector has learned nothing yet: call fit(y, intensity) first")

    def _scaled(self, intensity: Any, rows: int) -> FloatArray:
        """Intensities in units of the training rows; refuse other channels than those fitted."""
        x = intensities(intensity, rows)
        if x.shape[1] != len(self._units.x):
            raise ParameterError(
                f"intensity has {x.shape[1]} channels and the fit had {len(self._units.x)}: give the same"
            )
        return (x - self._units.x_centre) / self._units.x

    def _given(self, y: Any, intensity: Any) -> tuple[Sample, FloatArray]:
        """Rows in the units of the fit, and their intensities."""
        self._check_fitted()
        values = observations(y)
        return self._sample(values, intensity)

    def _sample(self, values: FloatArray, intensity: Any) -> tuple[Sample, FloatArray]:
        """Rows in the units of the fit, with the intensities of the row before, at the first their mean."""
        x = self._scaled(intensity, len(values))
        lagged = np.zeros_like(x)
        lagged[1:] = x[:-1]
        y = (values - self._units.y_centre) / self._units.y
        return Sample(y, np.ones((len(y), 1)), _with_constant(lagged)), x

    def _transitions(self, x: FloatArray) -> FloatArray:
        """Transition probabilities driven by scaled intensities, shape (T, states, states)."""
        out = np.empty((len(x), self.states, self.states))
        self.model.kernels.transitions(self._parameters.logits, _with_constant(x), out)
        return out

    def _carried_over(self, previous: MarkovDetector, units: Units) -> Parameters:
        """The parameters of an earlier fit in other units."""
        if not isinstance(previous, MarkovDetector) or not hasattr(previous, "_parameters"):
            raise ParameterError(f"previous is {kind(previous)}: give a fitted MarkovDetector, or None")
        theirs, own = previous._parameters, previous._units
        if len(theirs.sigma) != self.states or len(own.x) != len(units.x):
            raise ParameterError(
                f"previous has {len(theirs.sigma)} states and {len(own.x)} channels where {self.states} and "
                f"{len(units.x)} are fitted: give one of the same kind"
            )
        logits = theirs.logits.copy()
        logits[:, :, 0] += logits[:, :, 1:] @ ((units.x_centre - own.x_centre) / own.x)
        logits[:, :, 1:] *= units.x / own.x
        return replace(
            theirs,
            logits=logits,
            coefficients=(own.y_centre + own.y * theirs.coefficients - units.y_centre) / units.y,
            sigma=theirs.sigma * own.y / units.y,
        )

    def _ordered(self, found: Parameters, before: Parameters | None, cold: bool) -> tuple[Parameters, float]:
        """The states in their order, and the distance of the farthest from the one it takes the place of.

        They are matched to those before. A fit from all starts goes by the rule instead, where the matched
        ones would put a state last that is clearly not the stressed one.
        """
        from scipy.optimize import linear_sum_assignment  # a quarter of a second, for who fits alone

        rule = np.argsort(self._stress(found), kind="stable")
        if before is None:
            return found.reordered(rule), np.nan
        apart = np.hypot(
            before.coefficients[:, 0][:, np.newaxis] - found.coefficients[:, 0],
            np.log(before.sigma)[:, np.newaxis] - np.log(found.sigma),
        )
        rows, order = linear_sum_assignment(apart)
        if cold and self._is_turned(found.reordered(order)):
            order = rule
        return found.reordered(order), float(apart[rows, order].max())

    def _stress(self, parameters: Parameters) -> FloatArray:
        """What the states ascend in, shape (states,)."""
        mean = parameters.coefficients[:, 0]
        return {"volatile": np.log(parameters.sigma), "low": -mean, "high": mean}[self.stress_by]

    def _is_turned(self, parameters: Parameters) -> bool:
        """Whether the last state is clearly not the stressed one; a near tie keeps the names that were."""
        stress = self._stress(parameters)
        return bool(stress.max() - stress[-1] > TIE)

    def _rejection(
        self,
        sample: Sample,
        found: Parameters,
        before: Parameters | None,
        in_state: FloatArray,
        moves: FloatArray,
    ) -> str:
        """Why a fit should not be used; empty where it may be."""
        model = self.model
        vector = model.pack(found)
        if not np.isfinite(vector).all() or not np.isfinite(self.loglikelihood_):
            return "the estimate is not finite"
        least = max(ROWS_PER_STATE, LEAST_SHARE * self.rows_)
        for state in range(self.states):
            if in_state[state] < least:
                return f"state {state} holds {in_state[state]:.1f} rows, fewer than {least:.0f}"
            leaves = moves[state].sum() - moves[state, state]
            stay = moves[state].sum() / max(leaves, 1e-300)
            if not LEAST_STAY <= stay <= len(sample.y):
                text = f"{stay:.1f} rows" if stay <= 1e6 else "for good"
                return (
                    f"state {state} lasts {text} on average, outside {LEAST_STAY:.0f} to {len(sample.y)} rows"
                )
            if found.sigma[state] < SHRUNK:
                return f"state {state} has {found.sigma[state]:.3f} of the scale of all rows"
        each = np.arange(self.states)
        against_staying = found.logits - found.logits[each, each][:, np.newaxis]
        # A move that never happens has a logit of no meaning; that it may not be judged by.
        if np.abs(against_staying[moves >= HAPPENS]).max(initial=0.0) > BEYOND:
            return f"a logit of the transitions is beyond {BEYOND:.0f}"
        if self._is_turned(found):
            return f"the state that was stressed before is no longer the {STRESSED[self.stress_by]} one"
        if before is not None:
            worse = model.objective(sample, found)[0] - model.objective(sample, before)[0]
            if worse > 1e-6 * self.rows_:
                return "the parameters before fit these rows better"
        return ""


def _units(values: FloatArray, x: FloatArray) -> Units:
    """Mean and standard deviation of training rows; a channel that does not vary has unit 1."""
    with np.errstate(over="ignore", under="ignore"):
        centre, unit = float(np.nanmean(values)), float(np.nanstd(values))
        x_centre, x_unit = x.mean(axis=0), x.std(axis=0)
        size = np.abs(x).max(axis=0, initial=0.0)
    if not (0 < unit < np.inf and np.isfinite(x_unit).all()):
        raise DataError(
            "y or intensity is too large or too small for its squares to be numbers: give it in another unit"
        )
    return Units(centre, unit, x_centre, np.where(x_unit > CONSTANT * size, x_unit, 1.0))


def _with_constant(x: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(len(x)), x])


def _check_rows(values: FloatArray, x: FloatArray, states: int) -> None:
    """Refuse rows from which states cannot be learned."""
    seen = values[~np.isnan(values)]
    least = ROWS_PER_STATE * states
    if len(values) and not len(seen):
        raise DataError(f"all {len(values)} rows of y are missing: give observations, such as returns")
    if len(seen) < least:
        raise DataError(
            f"y has {len(seen)} rows that are not missing, and {states} states need {least}: give a longer "
            "history, or fewer states"
        )
    if np.ptp(seen) <= 1e-12 * np.abs(seen).max():
        raise DataError(f"y is {seen[0]:g} in every row: a series that does not vary has no states")
    # Sorting all rows for this would take a thirtieth of the fit.
    kinds = len(np.unique(seen[:MANY]))
    if kinds <= states:
        kinds = len(np.unique(seen))
    if kinds <= states:
        raise DataError(
            f"y takes {kinds} different values and {states} states are asked for: give fewer states, or "
            "observations that vary"
        )
    if x.shape[1] and not x.any():
        raise DataError(
            f"intensity is 0 in all {len(x)} rows, its events are known only later: give rows that reach "
            "them, or intensity=None"
        )
