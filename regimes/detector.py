"""What every detector does, and the checks and the switch that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_number
from entrepot.regimes.arguments import keep_plain, kind

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

ROUNDING = 1e-9  # by which a probability may leave the range from 0 to 1


@runtime_checkable
class Detector(Protocol):
    """Turns observations and event intensities into probabilities of states, and those into a switch.

    Row t of whatever it returns depends on rows up to t only. The last state is the one that is looked for:
    the stressed one. Observations that are NaN are missing: the row tells nothing, its probabilities are
    those predicted.

    A fit that should not be used may say why in an attribute `rejected_`: text, empty where it may be used.
    """

    @property
    def half_life(self) -> float:
        """New York sessions in which a mark halves, for whoever computes its intensities."""

    @property
    def dwell(self) -> float:
        """New York sessions after a switch in which no other is made, unless bypassed."""

    @property
    def needs_observations(self) -> bool:
        """Whether it reads `y`; one that does not is run at every step of a market."""

    def fit(self, y: Any, intensity: Any = None, previous: Self | None = None) -> Self:
        """Learn from observations, shape (T,), and intensities, shape (T, channels); return itself."""

    def filter(self, y: Any, intensity: Any = None) -> FloatArray:
        """Return probabilities of each state, shape (T, states), from 0 to 1, row t from rows up to t."""

    def update(self, y: Any, intensity: Any = None) -> FloatArray:
        """Return probabilities, shape (states,), for one more row after the last that was seen."""

    def switch(
        self,
        probability: FloatArray,
        intensity: FloatArray,
        session_count: FloatArray,
        bypass: BoolArray | None = None,
    ) -> BoolArray:
        """Return whether it is on, shape (n_steps,), with hysteresis and dwell."""


@dataclass(kw_only=True, eq=False)
class ProbabilityDetector:
    """The switch of detectors that estimate a probability: on above one level, off below a lower one.

    A base to inherit from: a detector of one's own adds `fit`, `filter` and `update`, as `Detector` has them.

    Args:
        half_life: New York sessions in which a mark halves, for whoever computes the intensities.
        enter: probability of the last state above which the switch goes on.
        leave: probability below which it goes off; less than `enter`.
        dwell: New York sessions after a switch in which no other is made, unless bypassed.
    """

    half_life: float = 20.0
    enter: float = 0.8
    leave: float = 0.2
    dwell: float = 5.0

    needs_observations = True

    def __post_init__(self) -> None:
        keep_plain(self)
        check_positive(half_life=self.half_life)
        check_dwell(self.dwell)
        if not (is_number(self.enter) and is_number(self.leave) and 0 < self.leave < self.enter < 1):
            raise ParameterError(
                f"enter is {kind(self.enter)} and leave is {kind(self.leave)}: give probabilities between 0 "
                "and 1, leave below enter, such as 0.8 and 0.2"
            )

    def switch(
        self,
        probability: FloatArray,
        intensity: FloatArray,
        session_count: FloatArray,
        bypass: BoolArray | None = None,
    ) -> BoolArray:
        """Return whether it is on: from where the probability exceeds `enter` to where it is below `leave`.

        Args:
            probability: of the last state, shape (n_steps,); NaN, before anything is known, switches nothing.
            intensity: not read; detectors without probabilities need it.
            session_count: continuous count of New York sessions, shape (n_steps,), not descending.
            bypass: steps at which the dwell does not hold, shape (n_steps,); None for none.
        """
        probability = numbers(probability, "probability", "that of the last state at each step")
        return run_switch(
            probability > self.enter, probability < self.leave, session_count, bypass, self.dwell
        )


def filtered(detector: Detector, y: Any, intensity: Any, rows: int) -> FloatArray:
    """Return what a detector's `filter` says of rows, refused where it is no probability.

    Args:
        detector: fitted.
        y: observations, shape (rows,) or (rows, features); None for a detector that reads none.
        intensity: shape (rows, channels), or None.
        rows: how many there are.

    Returns:
        Shape (rows, states), each NaN or from 0 to 1.

    Raises:
        ParameterError: for what is no array of numbers.
        DataError: for another shape, or numbers outside 0 to 1.
    """
    who = f"{type(detector).__name__}.filter"
    wanted = f"a probability of each state in each of {rows} rows, shape ({rows}, states)"
    told = numbers(detector.filter(y, intensity), f"what {who} returned", wanted)
    if told.ndim != 2 or len(told) != rows or not told.shape[1]:
        raise DataError(f"{who} returned an array of shape {told.shape}: return {wanted}")
    outside = (told < -ROUNDING) | (told > 1.0 + ROUNDING)
    if outside.any():
        row = int(outside.any(axis=1).argmax())
        raise DataError(
            f"{who} returned {told[outside][0]:g} in row {row}: return probabilities from 0 to 1, NaN where "
            "there is none"
        )
    return told


def switched(
    detector: Detector,
    probability: FloatArray,
    intensity: FloatArray,
    session_count: FloatArray,
    bypass: BoolArray,
) -> BoolArray:
    """Return whether a detector is on by its `switch`, refused where that says anything else.

    Args:
        detector: whose switch is run.
        probability: as in `Detector.switch`, like the others.
        intensity: shape (n_steps, 2).
        session_count: shape (n_steps,).
        bypass: shape (n_steps,).

    Raises:
        ParameterError: for what is no array of numbers or truths.
        DataError: for another shape than (n_steps,), or numbers other than 0 and 1.
    """
    who, steps = f"{type(detector).__name__}.switch", len(session_count)
    wanted = f"True or False for each of {steps} steps"
    told = detector.switch(probability, intensity, session_count, bypass)
    on = numbers(told, f"what {who} returned", wanted)
    if on.shape != (steps,):
        raise DataError(f"{who} returned an array of shape {on.shape}: return {wanted}")
    if not np.isin(on, (0.0, 1.0)).all():
        raise DataError(f"{who} returned numbers other than 0 and 1: return {wanted}")
    return np.asarray(on == 1.0, dtype=np.bool_)


def run_switch(
    enter: BoolArray,
    leave: BoolArray,
    session_count: FloatArray,
    bypass: BoolArray | None,
    dwell: float,
) -> BoolArray:
    """Run a switch with hysteresis and dwell over the steps; see `hysteresis`.

    Raises:
        ParameterError: when the arrays differ in length or the session count descends.
    """
    from entrepot.regimes._kernels import hysteresis  # numba is slow to import

    session_count = numbers(session_count, "session_count", "market.session_count")
    if bypass is None:
        bypass = np.zeros(len(session_count), dtype=np.bool_)
    bypass = np.ascontiguousarray(bypass, dtype=np.bool_)
    shapes = {np.shape(values) for values in (enter, leave, session_count, bypass)}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        raise ParameterError(
            "probability or intensity, session_count and bypass have different lengths; give one row per "
            "step in each"
        )
    if not (np.diff(session_count) >= 0).all():
        raise ParameterError("session_count must not descend or hold NaN; give market.session_count")
    state = np.empty(len(session_count), dtype=np.bool_)
    hysteresis(enter, leave, session_count, bypass, float(dwell), state)
    return state


def check_positive(**values: object) -> None:
    """Raise ParameterError unless every value is a finite number above 0."""
    for name, value in values.items():
        if not (is_number(value) and 0 < value < np.inf):
            raise ParameterError(f"{name} is {kind(value)}: give a finite number, positive")


def check_dwell(dwell: object) -> None:
    """Raise ParameterError unless a dwell is a finite number of sessions, 0 or more."""
    if not (is_number(dwell) and 0 <= dwell < np.inf):
        raise ParameterError(f"dwell is {kind(dwell)}: give a finite number, zero or more")


def observations(y: object, columns: int | None = 1) -> FloatArray:
    """Return observations as a new C-ordered array, shape (T,), or (T, columns) where that is allowed.

    Args:
        y: a series, frame, array or list of numbers; NaN where a row is missing.
        columns: 1 for one number a row; None for any number of them.

    Raises:
        ParameterError: for what is no table of numbers, has another shape, or holds infinite values.
    """
    values = numbers(y, "y", "a series of numbers, NaN where a session is missing")
    if columns == 1 and values.ndim == 2 and values.shape[1] == 1:
        values = np.ascontiguousarray(values[:, 0])
    if values.ndim != 1 and (columns == 1 or values.ndim != 2):
        wanted = "one number per row" if columns == 1 else "one row of numbers per session"
        raise ParameterError(f"y has shape {values.shape}: give {wanted}")
    if np.isinf(values).any():
        row = int(np.argwhere(np.isinf(values))[0][0])
        raise ParameterError(f"y is infinite at row {row}: give finite numbers, NaN where one is missing")
    return values


def intensities(intensity: object, rows: int) -> FloatArray:
    """Return covariates known at each row as a new C-ordered array, shape (rows, channels).

    Args:
        intensity: shape (rows,) or (rows, channels), finite, no NaN; None for none, which is (rows, 0).
        rows: of the observations beside it.

    Raises:
        ParameterError: for another number of rows, or values that are missing or infinite.
    """
    if intensity is None:
        return np.empty((rows, 0))
    values = numbers(intensity, "intensity", "a column per channel, such as events.intensity(market.grid)")
    if values.ndim == 1:
        values = values[:, np.newaxis]
    if values.ndim != 2 or len(values) != rows:
        raise ParameterError(
            f"intensity has shape {values.shape} beside {rows} observations: give one row for each of them"
        )
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise ParameterError(
            f"intensity is missing or infinite at row {row}: give what is known of events at every row, 0 "
            "where nothing happened"
        )
    return values


def numbers(given: object, name: str, wanted: str) -> FloatArray:
    """Return numbers as a new C-ordered array of floats; what is masked or missing becomes NaN.

    Args:
        given: a series, frame, array or list.
        name: of the argument.
        wanted: what to give, for the message.

    Raises:
        ParameterError: for what does not hold real numbers: dates, text, complex numbers, a single value.
    """
    held: Any = given
    if isinstance(given, (pd.Series, pd.DataFrame)):
        held = given.to_numpy(dtype=np.float64, na_value=np.nan) if _numeric(given) else None
    if isinstance(given, np.ma.MaskedArray):
        held = np.where(np.ma.getmaskarray(given), np.nan, np.ma.getdata(given))
    values = np.array(0.0)
    try:
        if np.asarray(held).dtype.kind in "fiubO":
            values = np.array(held, dtype=np.float64, order="C")
    except (TypeError, ValueError, OverflowError):
        values = np.array(0.0)  # refused below, as whatever else has no rows of numbers
    if values.ndim == 0:
        of = f" of {given.dtype}" if isinstance(given, (pd.Series, np.ndarray)) else ""
        raise ParameterError(f"{name} is {kind(given)}{of}: give {wanted}")
    return values


def _numeric(given: pd.Series[Any] | pd.DataFrame) -> bool:
    kinds = given.dtypes if isinstance(given, pd.DataFrame) else [given.dtype]
    return all(pd.api.types.is_numeric_dtype(dtype) for dtype in kinds)
