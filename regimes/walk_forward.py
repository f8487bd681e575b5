"""The regime model: one detector per kind of risk, run forward over a market's steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError
from entrepot.markets.market import Market
from entrepot.markets.sessions import session_clock
from entrepot.regimes.arguments import kind
from entrepot.regimes.events import Events, grid_time
from entrepot.regimes.intensity import SIDES, Marks, channel_intensity, check_marks, event_marks, nanoseconds
from entrepot.regimes.path import RegimePath
from entrepot.regimes.threshold import ThresholdDetector

# After 2022 most of what threatens a listing comes as an investment ban, so delisting risk is keyed on both.
RISK_CHANNELS = {"tariff": ("tariff",), "delisting": ("delisting", "investment_restriction")}
BYPASS_MARK = 5.0


@dataclass(frozen=True)
class RegimeModel:
    """Tariff and delisting risk, each with its own detector; the regime is the pair of their states.

    Args:
        tariff: detector of tariff risk, fed by the channel tariff.
        delisting: detector of delisting risk, fed by the sum of delisting and investment_restriction.
        marks: how severities become marks: "capped" at 3, "severity" as given, "ones".
    """

    tariff: ThresholdDetector = field(default_factory=ThresholdDetector)
    delisting: ThresholdDetector = field(default_factory=ThresholdDetector)
    marks: Marks = "capped"

    def __post_init__(self) -> None:
        check_marks(self.marks)
        for risk in RISK_CHANNELS:
            detector = getattr(self, risk)
            if not isinstance(detector, ThresholdDetector):
                raise ParameterError(
                    f"{risk} is {kind(detector)}: give a detector, such as ThresholdDetector(threshold=2.5)."
                )

    def walk_forward(self, market: Market, events: Events) -> RegimePath:
        """Run both detectors over every step of the market; row t uses events known at or before step t only.

        A mark of 5 that has just become known lets a detector switch within its dwell. Marks are those after
        the policy: with "capped" there are none.

        Args:
            market: its grid and session count are used, its prices are not.
            events: what happened; those known before the first step count with what is left of them.
        """
        if not (isinstance(market, Market) and isinstance(events, Events)):
            raise ParameterError(
                f"walk_forward was given {kind(market)} and {kind(events)}: give the market first, then "
                "events such as load_events()."
            )
        time = grid_time(market.grid)
        clock = np.ascontiguousarray(market.session_count, dtype=np.float64)
        seen = events.known_by(time[-1]).frame
        known_clock = np.asarray(session_clock(pd.DatetimeIndex(seen["known_at"])), dtype=np.float64)
        intensity = {}
        filtered = {}
        for risk, channels in RISK_CHANNELS.items():
            detector: ThresholdDetector = getattr(self, risk)
            by_channel = channel_intensity(
                seen,
                known_clock,
                time,
                clock,
                half_life=detector.half_life,
                marks=self.marks,
                channels=channels,
            )
            for side in SIDES:
                total = by_channel.xs(side, axis=1, level="side").to_numpy(np.float64).sum(axis=1)
                intensity[risk, side] = total
            filtered[risk] = detector.filter(
                intensity[risk, "escalation"],
                intensity[risk, "relief"],
                clock,
                self._shocks(seen, time, channels),
            )
        columns = pd.MultiIndex.from_tuples(list(intensity), names=["risk", "side"])
        return RegimePath.from_detectors(
            time=time,
            session_count=clock,
            tariff=filtered["tariff"],
            delisting=filtered["delisting"],
            intensity=pd.DataFrame(np.column_stack(list(intensity.values())), index=time, columns=columns),
            marks=self.marks,
        )

    def _shocks(
        self, seen: pd.DataFrame, time: pd.DatetimeIndex, channels: Sequence[str]
    ) -> NDArray[np.bool_]:
        """Steps that are the first to see a mark of `BYPASS_MARK` or more in the channels."""
        top = (event_marks(seen, self.marks) >= BYPASS_MARK) & seen["channel"].isin(channels).to_numpy(bool)
        first_step = np.searchsorted(nanoseconds(time), nanoseconds(seen["known_at"])[top], side="left")
        shock = np.zeros(len(time), dtype=np.bool_)
        shock[first_step] = True
        return shock
