"""A detector carried through time: fitted again and again on what had been seen by then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_number, is_whole
from entrepot.regimes.arguments import is_made_of_fields, keep_plain, kind, short
from entrepot.regimes.detector import Detector, filtered

FloatArray = NDArray[np.float64]


class Segment(NamedTuple):
    """Rows that one set of parameters was in force for.

    Args:
        detector: fitted on rows before `start`; None where none has been accepted yet.
        first: the first row that its filter runs over.
        start: the first row it is in force for.
        until: the row after the last.
    """

    detector: Detector | None
    first: int
    start: int
    until: int


@dataclass(frozen=True)
class Refit:
    """One fit of a walk, accepted or not.

    Args:
        first: first row it saw.
        stop: row after the last it saw; it is in force from this one on, if accepted.
        until: row at which the next fit takes over.
        rows: rows it saw that are not missing.
        accepted: whether it took the place of the one before.
        reason: why not, in a sentence; empty where accepted.
        match: distance of its states from those of the fit before; NaN where nothing was matched.
        data: fingerprint of the rows it saw.
        parameters: fingerprint of what it learned.
    """

    first: int
    stop: int
    until: int
    rows: int
    accepted: bool
    reason: str
    match: float
    data: str
    parameters: str


@dataclass(frozen=True)
class Schedule:
    """When a detector is fitted again, and on which rows.

    Args:
        every: rows between two fits.
        least: rows that are not missing before the first.
        window: rows that a fit sees, the last ones, missing ones included; None for all of them.
    """

    every: int = 21
    least: int = 500
    window: int | None = None

    def __post_init__(self) -> None:
        keep_plain(self)
        for name, value in (("every", self.every), ("least", self.least)):
            if not (is_whole(value) and value >= 1):
                raise ParameterError(f"{name} is {kind(value)}: give a whole number of rows, 1 or more")
        if self.window is not None and not (is_whole(self.window) and self.window >= self.least):
            raise ParameterError(
                f"window is {kind(self.window)}: give a whole number of rows, not below least, which is "
                f"{self.least}, or None for all rows"
            )

    def stops(self, y: FloatArray) -> range:
        """Rows at which a fit is due, each seeing what lies before it: none where there is too little.

        Args:
            y: observations, shape (R,) or (R, features); NaN where missing.
        """
        known = np.cumsum(complete_rows(y))
        return range(int(np.searchsorted(known, self.least)) + 1, len(y), self.every)


def complete_rows(y: FloatArray) -> NDArray[np.bool_]:
    """Whether each row holds no NaN, shape (R,)."""
    return np.asarray(~np.isnan(y.reshape(len(y), -1)).any(axis=1), dtype=np.bool_)


def walk(
    detector: Detector,
    y: FloatArray,
    x: FloatArray | None,
    schedule: Schedule,
    refits: list[Refit],
    advance: Callable[[], object] = lambda: None,
) -> Iterator[Segment]:
    """Fit on schedule and yield stretches of rows with the parameters in force, those before the first too.

    A fit sees rows before those it is in force for. One that is rejected, or that its rows do not allow,
    leaves the last accepted in force, with the reason recorded. Nothing depends on how many rows follow.

    Args:
        detector: as it is to be fitted; it is not changed.
        y: observations, shape (R,) or (R, features).
        x: intensities, shape (R, channels), or None.
        schedule: when to fit.
        refits: appended to.
        advance: called after each fit.
    """
    rows = len(y)
    stops = schedule.stops(y)
    force = Segment(None, 0, 0, stops[0] if stops else rows)
    yield force
    for stop in stops:
        until = min(stop + schedule.every, rows)
        first = 0 if schedule.window is None else max(0, stop - schedule.window)
        seen = None if x is None else x[first:stop]
        fitted, reason = fit_copy(detector, y[first:stop], seen, force.detector)
        if not reason:
            force = Segment(fitted, first, stop, until)
        refits.append(
            Refit(
                first,
                stop,
                until,
                int(complete_rows(y[first:stop]).sum()),
                not reason,
                reason,
                float(getattr(fitted, "match_", np.nan)),
                _fingerprint(y[first:stop], np.empty(0) if seen is None else seen),
                _fingerprint(*_learned(fitted)),
            )
        )
        advance()
        yield force._replace(start=stop, until=until)


def fit_copy(
    detector: Detector, y: FloatArray, x: FloatArray | None, previous: Detector | None = None
) -> tuple[Detector, str]:
    """Return a copy of a detector fitted on rows, and why it should not be used, "" where it may be.

    Args:
        detector: as it is to be fitted; it is not changed.
        y: observations, shape (R,) or (R, features).
        x: intensities, shape (R, channels), or None.
        previous: the fit before, whose states keep their names.

    Raises:
        ParameterError: for a detector that cannot be copied.
    """
    try:
        own: Any = deepcopy(detector)  # with all it holds: a fit may change a model inside it
    except Exception as error:  # of whatever kind what it holds raises
        raise ParameterError(
            f"{type(detector).__name__} cannot be copied ({short(error)}), and each fit needs a copy of its "
            "own: keep what cannot be copied outside it, or give it a __deepcopy__"
        ) from error
    if is_made_of_fields(own):  # what it may have learned elsewhere is not what this fit has learned
        own = replace(own)
    try:
        own.fit(y, x, previous=previous)
    except DataError as error:
        return own, str(error)
    return own, str(getattr(own, "rejected_", ""))


def in_force(
    segments: Iterator[Segment],
    y: FloatArray,
    x: FloatArray | None,
    read: Callable[[Detector, FloatArray, FloatArray | None], FloatArray],
) -> FloatArray:
    """What the detectors in force say of every row, shape (R,); NaN before the first accepted fit.

    Args:
        segments: from `walk`.
        y: observations, shape (R,) or (R, features).
        x: intensities, shape (R, channels), or None.
        read: what a fitted detector says of rows that begin with the first its filter runs over, one number
            each, row t from rows up to t.
    """
    said = np.full(len(y), np.nan)
    for detector, first, start, until in segments:
        if detector is not None and until > start:
            own = None if x is None else x[first:until]
            said[start:until] = read(detector, y[first:until], own)[start - first :]
    return said


def stress_probability(detector: Detector, y: FloatArray, x: FloatArray | None) -> FloatArray:
    """Filtered probability of the last state, shape (R,)."""
    return filtered(detector, y, x, len(y))[:, -1]


def refit_table(refits: list[Refit], sessions: pd.Index, known_at: pd.Series) -> pd.DataFrame:
    """One row per fit, with `in_force_from`, `fitted_from` and `fitted_to` as sessions; see `RegimePath`."""
    stop = [refit.stop for refit in refits]
    return pd.DataFrame(
        {
            "in_force_from": sessions[stop],
            "known_at": known_at.iloc[stop].array,
            "fitted_from": sessions[[refit.first for refit in refits]],
            "fitted_to": sessions[[refit.stop - 1 for refit in refits]],
            "rows": [refit.rows for refit in refits],
            "accepted": [refit.accepted for refit in refits],
            "reason": pd.Series([refit.reason for refit in refits], dtype="str"),
            "match": [refit.match for refit in refits],
            "data": pd.Series([refit.data for refit in refits], dtype="str"),
            "parameters": pd.Series([refit.parameters for refit in refits], dtype="str"),
        }
    )


def _learned(detector: Detector) -> list[FloatArray]:
    """The numbers a detector has learned, by name; what else it keeps is no parameter."""
    return [
        np.asarray(value, dtype=np.float64)
        for name, value in sorted(vars(detector).items())
        if name.endswith("_") and not name.startswith("_") and _holds_numbers(value)
    ]


def _holds_numbers(value: object) -> bool:
    """Whether a value is a number, a truth, an array of them or a plain list of numbers."""
    if isinstance(value, (list, tuple)):
        return all(map(is_number, value))
    kind_of = getattr(getattr(value, "dtype", None), "kind", "")
    return is_number(value) or isinstance(value, bool) or kind_of in ("f", "i", "u", "b")


def _fingerprint(*arrays: FloatArray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
