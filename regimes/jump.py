"""The statistical jump model: states are centroids of features, and every jump between them has a price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_number, is_whole
from entrepot.regimes.arguments import kind
from entrepot.regimes.detector import (
    FloatArray,
    ProbabilityDetector,
    check_positive,
    intensities,
    observations,
)

IntArray = NDArray[np.int64]

# A start has settled after some ten rounds; this only bounds one that does not.
MOST_ROUNDS = 1000

# A single row is a poor guess of where a state is, the mean of some in succession a better one, unless states
# last for less. Of 320 simulated fits with 20 starts, 15 ended 0.01 % or more above the least cost known when
# all started from single rows, 6 with these.
START_WINDOWS = (1, 5, 20)


@dataclass(kw_only=True, eq=False)
class JumpDetector(ProbabilityDetector):
    """Sorts rows into states by their features and charges a penalty for every change of state.

    Minimises sum_t 0.5 |x_t - centroid(s_t)|^2 + penalty * (number of jumps) over the states s and the
    centroids, by coordinate descent from several starts (Nystrup, Lindström and Madsen, 2020, Expert Systems
    with Applications 150). There are no distributions and so no probabilities: `filter` gives 1 to one state
    and 0 to the others. It is online: the state in which the cheapest path through the rows so far ends.

    The features x are standardised with the mean and standard deviation of the training rows, and cut off at
    `clip`. A series y becomes exponentially weighted downside deviations and Sortino ratios, by default those
    of Shu, Yu and Mulvey (2024, Journal of Asset Management); a table y is taken as features itself. Event
    intensities are further features, after these.

    A row with a missing feature costs nothing and keeps the state before it. So do the first rows of a
    series, until its longest half-life is full. Before the first complete row the state is the first, calm.

    Args:
        states: how many, 2 or more; the last one is the stressed one.
        penalty: for a jump, in units of half a squared standard deviation summed over features.
        downside_half_lives: rows, one or more downside deviations made of a series.
        sortino_half_lives: rows, any number of Sortino ratios made of a series.
        stress_by: the feature in whose centroid the states ascend, counted from 0 or, negative, from the
            end; 0 is a series' first downside deviation.
        clip: standard deviations at which a feature is cut off, so that one row cannot buy a jump by itself;
            inf for nowhere.
        starts: k-means++ starts.
        seed: of the draws that choose them.
        half_life, enter, leave, dwell: see `ProbabilityDetector`; `half_life` is that of event marks.

    Attributes:
        centroids_: shape (states, features), standardised.
        mean_, sd_: of the training rows' features, shape (features,); sd 1 for a feature that did not vary.
        objective_: its cost.
        rows_: complete training rows in each state, shape (states,).
        durations_: mean length of a stay in each state on that path, in complete rows, shape (states,); NaN
            for a state without rows.
        rejected_: why the fit should not be used, "" where nothing speaks against it.
    """

    states: int = 2
    penalty: float = 50.0
    downside_half_lives: Sequence[float] = (10.0,)
    sortino_half_lives: Sequence[float] = (20.0, 60.0)
    stress_by: int = 0
    clip: float = 3.0
    starts: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("states", 2), ("starts", 1), ("seed", 0)):
            value = getattr(self, name)
            if not (is_whole(value) and value >= least):
                raise ParameterError(f"{name} is {kind(value)}: give a whole number, {least} or more")
        if not is_whole(self.stress_by):
            raise ParameterError(
                f"stress_by is {kind(self.stress_by)}: give the number of a feature, such as 0"
            )
        if not (is_number(self.penalty) and 0 <= self.penalty < np.inf):
            raise ParameterError(f"penalty is {kind(self.penalty)}: give a finite number, zero or more")
        if not (is_number(self.clip) and self.clip > 0):
            raise ParameterError(f"clip is {kind(self.clip)}: give a number above 0, inf for no limit")
        for name, least in (("downside_half_lives", 1), ("sortino_half_lives", 0)):
            value = getattr(self, name)
            if not isinstance(value, (tuple, list)) or len(value) < least:
                raise ParameterError(f"{name} is {kind(value)}: give a tuple of rows, such as (20.0, 60.0)")
            for i, half_life in enumerate(value):
                check_positive(**{f"{name}[{i}]": half_life})

    def fit(self, y: Any, intensity: Any = None, previous: Self | None = None) -> Self:
        """Learn centroids from training rows, and stand after the last of them.

        Args:
            y: a series, shape (T,), such as returns, or a table of features, shape (T, columns); NaN where
                missing.
            intensity: event intensities known at each row, shape (T, channels); None for none.
            previous: a fitted detector with as many states and features. Its centroids are one more start,
                and states are numbered like the nearest of its states, so that labels last across refits.

        Raises:
            ParameterError: for input of another kind, and for a `previous` that does not fit in.
            DataError: when there are fewer complete rows than states, or nothing varies.
        """
        from entrepot.regimes._jump_kernels import descend  # numba is slow to import

        y = observations(y, None)
        channels = intensities(intensity, len(y))
        series = y.ndim == 1
        raw = self._raw(y, channels, self._empty_sums(series))
        if not -raw.shape[1] <= self.stress_by < raw.shape[1]:
            raise ParameterError(
                f"stress_by is {self.stress_by}, but there are {raw.shape[1]} features: give the number "
                "of one, 0 for the first"
            )
        if previous is not None:
            self._check_previous(previous, series, raw.shape[1])
        complete = ~np.isnan(raw).any(axis=1)
        mean, sd = self._moments(raw[complete])
        rows = self._standardised(raw[complete], mean, sd)
        starts = self._starting_centroids(rows)
        if previous is not None:
            theirs = (previous.centroids_ * previous.sd_ + previous.mean_ - mean) / sd
            starts = np.concatenate((theirs[np.newaxis], starts))

        path = np.empty(len(rows), dtype=np.int64)
        centroids = np.empty(starts.shape[1:])
        value = np.empty((self.states, len(rows)))
        columns = np.ascontiguousarray(rows.T)
        objective = descend(rows, columns, starts, float(self.penalty), MOST_ROUNDS, value, path, centroids)

        order = np.argsort(centroids[:, self.stress_by], kind="stable")
        if previous is not None:
            order = _matched(theirs, centroids)
        centroids = centroids[order]
        path = np.argsort(order)[path]

        self.series_: bool = series
        self.channels_: int = channels.shape[1]
        self.mean_: FloatArray = mean
        self.sd_: FloatArray = sd
        self.centroids_: FloatArray = centroids
        self.objective_: float = float(objective)
        self.rows_: NDArray[np.int64] = np.bincount(path, minlength=self.states)
        stays = np.bincount(path[np.diff(path, prepend=-1) != 0], minlength=self.states)
        self.durations_: FloatArray = np.where(stays > 0, self.rows_ / np.maximum(stays, 1), np.nan)
        # A missing row has the state of the last complete row before it; the first ones are calm.
        # The cheapest path through the training rows, which knows all of them: for research alone.
        self._path = np.concatenate(([0], path))[np.cumsum(complete)]
        self.rejected_: str = self._degenerate()
        self.filter(y, channels)
        return self

    def filter(self, y: Any, intensity: Any = None) -> FloatArray:
        """Return 1 for the online state of each row and 0 for the others, shape (T, states), from the start.

        Args:
            y: as in `fit`, shape (T,) or (T, columns); NaN where missing.
            intensity: as in `fit`, shape (T, channels).

        Raises:
            ParameterError: before `fit`, and for another kind or number of columns than were fitted.
        """
        self._check_fitted()
        y = observations(y, None)
        channels = intensities(intensity, len(y))
        self._check_columns(y, channels)
        self.sums_: FloatArray = self._empty_sums(self.series_)
        self.value_: FloatArray = np.zeros(self.states)
        return self._advance(y, channels)

    def update(self, y: Any, intensity: Any = None) -> FloatArray:
        """Return 1 for the online state at one more row and 0 for the others, shape (states,).

        Args:
            y: one number, or one row of features, after the last row that fit, filter or update saw.
            intensity: of that row, a number or shape (channels,).

        Raises:
            ParameterError: as `filter` does.
        """
        self._check_fitted()
        row = observations([y], 1 if self.series_ else None)
        channels = intensities(None if intensity is None else [intensity], 1)
        self._check_columns(row, channels)
        chosen: FloatArray = self._advance(row, channels)[0]
        return chosen

    def features(self, y: Any, intensity: Any = None) -> FloatArray:
        """Return what states are made of, shape (T, features): standardised, cut off, NaN where missing.

        Row t is made of rows up to t, and of what `fit` learnt.

        Args:
            y: as in `fit`.
            intensity: as in `fit`.
        """
        self._check_fitted()
        y = observations(y, None)
        channels = intensities(intensity, len(y))
        self._check_columns(y, channels)
        raw = self._raw(y, channels, self._empty_sums(self.series_))
        return self._standardised(raw, self.mean_, self.sd_)

    def _advance(self, y: FloatArray, channels: FloatArray) -> FloatArray:
        """Carry averages and costs on over more rows; return the online states as rows of 0 and 1."""
        raw = self._raw(y, channels, self.sums_)
        state = np.empty(len(raw), dtype=np.int64)
        rows = self._standardised(raw, self.mean_, self.sd_)
        from entrepot.regimes._jump_kernels import follow

        follow(rows, self.centroids_, float(self.penalty), self.value_, state)
        chosen: FloatArray = np.eye(self.states)[state]
        return chosen

    def _raw(self, y: FloatArray, channels: FloatArray, sums: FloatArray) -> FloatArray:
        """Features as they come, shape (T, features); `sums` are carried on."""
        if y.ndim == 1:
            from entrepot.regimes._jump_kernels import weighted_features

            made = np.empty((len(y), len(sums)))
            weighted_features(y, self._half_lives(), len(self.downside_half_lives), sums, made)
            y = made
        return np.hstack((y, channels))

    def _standardised(self, raw: FloatArray, mean: FloatArray, sd: FloatArray) -> FloatArray:
        return np.ascontiguousarray(np.clip((raw - mean) / sd, -self.clip, self.clip))

    def _half_lives(self) -> FloatArray:
        return np.array((*self.downside_half_lives, *self.sortino_half_lives), dtype=np.float64)

    def _empty_sums(self, series: bool) -> FloatArray:
        return np.zeros((len(self._half_lives()) if series else 0, 4))

    def _moments(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of complete rows, shape (features,) each."""
        if len(rows) < self.states:
            raise DataError(
                f"y has {len(rows)} complete rows for {self.states} states, after those that fill the "
                "longest half-life: give more rows, and returns that are not all positive"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            mean, sd = rows.mean(axis=0), rows.std(axis=0)
        if not (np.isfinite(mean) & np.isfinite(sd)).all():
            raise DataError("y holds numbers whose squares overflow: give it in other units")
        # What is left of a constant after rounding is not variation; 1e-12 is 4,500 units in the last place.
        varies = sd > 1e-12 * np.abs(rows).max(axis=0)
        if not varies.any():
            raise DataError("y does not vary over the training rows: give observations that do")
        return mean, np.where(varies, sd, 1.0)

    def _starting_centroids(self, rows: FloatArray) -> FloatArray:
        """Draw centroids from among the means of successive rows, shape (starts, states, features)."""
        from entrepot.regimes._jump_kernels import spread_starts

        uniform = np.random.default_rng(self.seed).random((self.starts, self.states))
        starts = np.empty((self.starts, self.states, rows.shape[1]))
        total = np.concatenate((np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)))
        for i, window in enumerate(START_WINDOWS):
            window = max(1, min(window, len(rows) // (2 * self.states)))
            means = (total[window:] - total[:-window]) / window
            drawn = starts[i :: len(START_WINDOWS)].copy()
            columns = np.ascontiguousarray(means.T)
            spread_starts(columns, uniform[i :: len(START_WINDOWS)].copy(), np.empty(len(means)), drawn)
            starts[i :: len(START_WINDOWS)] = drawn
        return starts

    def _degenerate(self) -> str:
        """One sentence on why the fit should not be used, or ""."""
        if not (np.isfinite(self.centroids_).all() and np.isfinite(self.objective_)):
            return "The fit is not finite."
        T = int(self.rows_.sum())
        needed = max(20.0, 0.02 * T)
        for k in range(self.states):
            if self.rows_[k] < needed:
                return f"State {k} has {self.rows_[k]} of {T} rows, fewer than {needed:g}."
            if self.durations_[k] < 3:
                return f"State {k} lasts {self.durations_[k]:.1f} rows on average, fewer than 3."
        stress = self.centroids_[:, self.stress_by]
        if not stress[-1] > stress[:-1].max():
            return f"The last state is not the most stressed: feature {self.stress_by} is no higher in it."
        return ""

    def _check_fitted(self) -> None:
        if not hasattr(self, "centroids_"):
            raise ParameterError(
                "this JumpDetector has learnt nothing yet: call fit with training rows first"
            )

    def _check_columns(self, y: FloatArray, channels: FloatArray) -> None:
        given = (y.ndim == 1, 0 if y.ndim == 1 else y.shape[1], channels.shape[1])
        columns = 0 if self.series_ else len(self.mean_) - self.channels_
        if given != (self.series_, columns, self.channels_):
            fitted = "a series" if self.series_ else f"{columns} columns"
            raise ParameterError(
                f"y has shape {y.shape} and intensity {channels.shape[1]} channels, but {fitted} and "
                f"{self.channels_} channels were fitted: give the same"
            )

    def _check_previous(self, previous: object, series: bool, features: int) -> None:
        if not (isinstance(previous, JumpDetector) and hasattr(previous, "centroids_")):
            raise ParameterError(f"previous is {kind(previous)}: give a fitted JumpDetector, or None")
        wanted = (self.states, features)
        if previous.series_ != series or previous.centroids_.shape != wanted:
            raise ParameterError(
                f"previous has centroids of shape {previous.centroids_.shape} where {wanted} are wanted: "
                "give one that was fitted to the same kind of data with as many states"
            )


def _matched(theirs: FloatArray, ours: FloatArray) -> IntArray:
    """Which of our states is which of theirs, shape (states,): the least sum of squared distances."""
    from scipy.optimize import linear_sum_assignment

    apart = ((theirs[:, np.newaxis] - ours[np.newaxis]) ** 2).sum(axis=2)
    return np.asarray(linear_sum_assignment(apart)[1], dtype=np.int64)
