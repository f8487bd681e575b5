"""The threshold detector: nothing is estimated, so there is nothing it could have learned from the future."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entrepot.errors import ParameterError, is_number
from entrepot.regimes.arguments import kind

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class ThresholdDetector:
    """Turns event intensity into a state with hysteresis and a minimum dwell.

    The defaults were chosen before any backtest, for these reasons and not for their returns. A top event
    (3, after the cap on marks) must be able to switch the state alone at the first step that sees it, when
    it may already have decayed for a whole session (3 * 2^(-1/20) = 2.90): `threshold` 2.5 leaves it five
    sessions to do so, and needs two or more of any lesser event. With `exit_ratio` 0.4 such an event alone
    holds the state for 32 sessions, about six weeks of silence. `half_life` 20 is a month of sessions, the
    middle of the customary 5, 20, 60. `dwell` 5 is a week: announcements come in bursts of days, and a
    round trip in pairs costs 23 to 30 bp.

    Args:
        threshold: escalation intensity from which the state may be entered, in marks.
        exit_ratio: the state is left when escalation is below this part of the threshold; in (0, 1].
        half_life: New York sessions in which a mark halves, used by whoever computes the intensities.
        dwell: New York sessions after any switch in which no other switch is made, unless bypassed.
    """

    threshold: float = 2.5
    exit_ratio: float = 0.4
    half_life: float = 20.0
    dwell: float = 5.0

    def __post_init__(self) -> None:
        rules: tuple[tuple[str, Callable[[float], bool], str], ...] = (
            ("threshold", lambda value: value > 0, "positive"),
            ("exit_ratio", lambda value: 0 < value <= 1, "above 0 and at most 1"),
            ("half_life", lambda value: value > 0, "positive"),
            ("dwell", lambda value: value >= 0, "zero or more"),
        )
        for name, allowed, meaning in rules:
            value = getattr(self, name)
            if not (is_number(value) and abs(value) < np.inf and allowed(value)):
                raise ParameterError(f"{name} is {kind(value)}: give a finite number, {meaning}.")

    def filter(
        self,
        escalation: FloatArray,
        relief: FloatArray,
        session_count: FloatArray,
        bypass: BoolArray | None = None,
    ) -> tuple[FloatArray, BoolArray]:
        """Run forward over the steps; row t uses rows up to t only.

        The state is entered when escalation >= threshold and escalation > relief, and left when
        escalation < exit_ratio * threshold or relief >= escalation. It starts outside, and its first switch
        needs no dwell.

        Args:
            escalation: intensity of what threatens, shape (n_steps,), >= 0, no NaN.
            relief: intensity of what relieves, shape (n_steps,), >= 0, no NaN.
            session_count: continuous count of New York sessions, shape (n_steps,), not descending.
            bypass: steps at which the dwell does not hold, shape (n_steps,); None for none.

        Returns:
            probability, shape (n_steps,): a score that rises with escalation, not an estimate: 0 where relief
            is at least as strong, else escalation / (escalation + threshold), one half at the threshold.
            state, shape (n_steps,): True inside.
        """
        if bypass is None:
            bypass = np.zeros(len(escalation), dtype=np.bool_)
        _check_inputs(escalation, relief, session_count, bypass)
        outweighed = relief >= escalation
        enter = (escalation >= self.threshold) & ~outweighed
        leave = (escalation < self.exit_ratio * self.threshold) | outweighed
        state = _hysteresis(enter, leave, session_count, bypass, self.dwell)
        probability = np.where(outweighed, 0.0, escalation / (escalation + self.threshold))
        return probability, state


def _hysteresis(
    enter: BoolArray, leave: BoolArray, session_count: FloatArray, bypass: BoolArray, dwell: float
) -> BoolArray:
    inside, free_from = False, -np.inf
    state = []
    # Lists, because plain floats make this loop five times as fast as array elements do.
    rows = zip(enter.tolist(), leave.tolist(), session_count.tolist(), bypass.tolist(), strict=True)
    for may_enter, may_leave, now, bypassed in rows:
        if (may_leave if inside else may_enter) and (now >= free_from or bypassed):
            inside, free_from = not inside, now + dwell
        state.append(inside)
    return np.array(state, dtype=np.bool_)


def _check_inputs(
    escalation: FloatArray, relief: FloatArray, session_count: FloatArray, bypass: BoolArray
) -> None:
    shapes = [np.shape(values) for values in (escalation, relief, session_count, bypass)]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1:
        raise ParameterError(
            f"escalation, relief, session_count and bypass have shapes {', '.join(map(str, shapes))}; "
            "give one number per step in each."
        )
    for name, values in (("escalation", escalation), ("relief", relief)):
        if not (np.isfinite(values) & (values >= 0)).all():
            raise ParameterError(f"{name} must be finite and at least 0 everywhere; give Events.intensity.")
    if not (np.diff(session_count) >= 0).all():
        raise ParameterError("session_count must not descend or hold NaN; give market.session_count.")
