"""The threshold detector: nothing is estimated, so there is nothing it could have learned from the future."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from entrepot.errors import ParameterError, is_number
from entrepot.regimes.arguments import keep_plain, kind
from entrepot.regimes.detector import check_dwell, check_positive, numbers, run_switch

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

    It reads no observations, and a row of it depends on the intensities of that row alone.

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

    needs_observations = False

    def __post_init__(self) -> None:
        keep_plain(self)
        check_positive(threshold=self.threshold, half_life=self.half_life)
        check_dwell(self.dwell)
        if not (is_number(self.exit_ratio) and 0 < self.exit_ratio <= 1):
            raise ParameterError(
                f"exit_ratio is {kind(self.exit_ratio)}: give a finite number, above 0 and at most 1"
            )

    def fit(self, y: Any = None, intensity: Any = None, previous: Any = None) -> Self:
        """Return itself: there is nothing to learn. The arguments are those of other detectors."""
        return self

    def filter(self, y: Any = None, intensity: Any = None) -> FloatArray:
        """Return scores of calm and of stress, shape (T, 2), each row adding to 1.

        The score of stress rises with escalation and is no estimate of a probability: 0 where relief is at
        least as strong, else escalation / (escalation + threshold), one half at the threshold.

        Args:
            y: not read.
            intensity: escalation and relief, shape (T, 2), >= 0, no NaN.
        """
        escalation, relief = _sides(intensity)
        stress = np.where(relief >= escalation, 0.0, escalation / (escalation + self.threshold))
        return np.column_stack([1.0 - stress, stress])

    def update(self, y: Any = None, intensity: Any = None) -> FloatArray:
        """Return the scores, shape (2,), of one row: its escalation and relief, shape (2,)."""
        row: FloatArray = self.filter(None, [intensity])[0]
        return row

    def switch(
        self,
        probability: FloatArray | None,
        intensity: FloatArray,
        session_count: FloatArray,
        bypass: BoolArray | None = None,
    ) -> BoolArray:
        """Return whether the state is on at each step; row t uses rows up to t only.

        It is entered when escalation >= threshold and escalation > relief, and left when
        escalation < exit_ratio * threshold or relief >= escalation. It starts outside, and its first switch
        needs no dwell.

        Args:
            probability: not read: the levels are those of the intensities.
            intensity: escalation and relief, shape (n_steps, 2), >= 0, no NaN.
            session_count: continuous count of New York sessions, shape (n_steps,), not descending.
            bypass: steps at which the dwell does not hold, shape (n_steps,); None for none.
        """
        escalation, relief = _sides(intensity)
        outweighed = relief >= escalation
        enter = (escalation >= self.threshold) & ~outweighed
        leave = (escalation < self.exit_ratio * self.threshold) | outweighed
        return run_switch(enter, leave, session_count, bypass, self.dwell)


def _sides(intensity: Any) -> tuple[FloatArray, FloatArray]:
    """Escalation and relief of each row."""
    sides = numbers(intensity, "intensity", "escalation and relief of each step, as from Events.intensity")
    if sides.ndim != 2 or sides.shape[1] != 2:
        raise ParameterError(
            f"intensity has shape {sides.shape}: give a row of two numbers per step, escalation and relief"
        )
    if not (np.isfinite(sides) & (sides >= 0)).all():
        raise ParameterError(
            "intensity must be finite and at least 0 everywhere: give escalation and relief, as from "
            "Events.intensity"
        )
    return sides[:, 0], sides[:, 1]
