"""The regime model: one detector per kind of risk, run forward over a market's steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError
from entrepot.markets.market import Market
from entrepot.markets.sessions import session_clock
from entrepot.progress import progress_bar
from entrepot.regimes.arguments import kind, short
from entrepot.regimes.detector import Detector, filtered, intensities, numbers, observations, switched
from entrepot.regimes.events import Events, grid_time
from entrepot.regimes.intensity import SIDES, Marks, channel_intensity, check_marks, event_marks, nanoseconds
from entrepot.regimes.observations import basket_return, hk_minus_adr, on_steps
from entrepot.regimes.path import RegimePath
from entrepot.regimes.refits import (
    Refit,
    Schedule,
    complete_rows,
    in_force,
    refit_table,
    stress_probability,
    walk,
)
from entrepot.regimes.threshold import ThresholdDetector

FloatArray = NDArray[np.float64]
Observation = Callable[[Market], pd.DataFrame]
Covariate = Callable[[pd.DatetimeIndex], Any]

# After 2022 most of what threatens a listing comes as an investment ban, so delisting risk is keyed on both.
RISK_CHANNELS = {"tariff": ("tariff",), "delisting": ("delisting", "investment_restriction")}
BYPASS_MARK = 5.0
COVARIATE = "functions that return a number, or a row of them, for each time"
SHOW_AFTER = 1.0  # seconds of fitting before a bar is shown


class Rows(NamedTuple):
    """What a detector of one kind of risk is fed with.

    Args:
        frame: observations, one row per session: their columns and known_at.
        y: shape (R,) or (R, features).
        x: covariates known at each row, shape (R, channels); None for none.
    """

    frame: pd.DataFrame
    y: FloatArray
    x: FloatArray | None


Estimate = Callable[[str, Rows], tuple[FloatArray, pd.DataFrame]]


@dataclass(frozen=True)
class RegimeModel:
    """Tariff and delisting risk, each with its own detector; the regime is the pair of their states.

    A detector without observations, `ThresholdDetector`, reads the intensity of events at every step. Any
    other is fed with one observation per New York session and with the intensities known at it, and is fitted
    again on `schedule` with what had been seen by then.

    Args:
        tariff: detector of tariff risk, fed by the channel tariff.
        delisting: detector of delisting risk, fed by the sum of delisting and investment_restriction.
        marks: how severities become marks: "capped" at 3, "severity" as given, "ones".
        tariff_observation: makes the observations of the tariff detector: a function of the market that
            returns a frame by session with `known_at` and one or more columns of numbers, as those of
            `entrepot.regimes.observations`. A row is known later than the midnight (UTC) at which its
            session's date begins.
        delisting_observation: the same for the delisting detector.
        tariff_covariates: more inputs beside escalation and relief: functions of UTC times that return a
            number, or a row of them, known at each.
        delisting_covariates: the same for the delisting detector.
        event_driven: False leaves the intensities out of detectors with observations: the same model without
            events.
        schedule: when detectors with observations are fitted, and on which rows.
    """

    tariff: Detector = field(default_factory=ThresholdDetector)
    delisting: Detector = field(default_factory=ThresholdDetector)
    marks: Marks = "capped"
    tariff_observation: Observation = basket_return
    delisting_observation: Observation = hk_minus_adr
    tariff_covariates: tuple[Covariate, ...] = ()
    delisting_covariates: tuple[Covariate, ...] = ()
    event_driven: bool = True
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        check_marks(self.marks)
        for risk in RISK_CHANNELS:
            detector = getattr(self, risk)
            if isinstance(detector, type) or not isinstance(detector, Detector):
                raise ParameterError(
                    f"{risk} is {kind(detector)}: give a detector, such as ThresholdDetector(threshold=2.5)"
                )
            if not callable(getattr(self, f"{risk}_observation")):
                raise ParameterError(
                    f"{risk}_observation is {kind(getattr(self, f'{risk}_observation'))}: give a function of "
                    "the market, such as entrepot.regimes.observations.hk_minus_adr"
                )
            covariates = getattr(self, f"{risk}_covariates")
            if not isinstance(covariates, tuple) or not all(map(callable, covariates)):
                raise ParameterError(
                    f"{risk}_covariates is {kind(covariates)}: give a tuple of functions of UTC times"
                )
        if not isinstance(self.event_driven, bool):
            raise ParameterError(f"event_driven is {kind(self.event_driven)}: give True or False")
        if not isinstance(self.schedule, Schedule):
            raise ParameterError(
                f"schedule is {kind(self.schedule)}: give Schedule(every=21, least=500), in rows"
            )

    def walk_forward(self, market: Market, events: Events, progress: bool = True) -> RegimePath:
        """Run both detectors over every step of the market; row t uses what was known at or before it only.

        A mark of 5 that has just become known lets a detector switch within its dwell. Marks are those after
        the policy: with "capped" there are none. Before the first accepted fit a detector is off.

            >>> import entrepot as ep
            >>> market = ep.simulate_market("2024-01-02", "2025-06-30", symbols=["BABA", "9988.HK"])
            >>> path = ep.RegimeModel().walk_forward(market, ep.load_events())
            >>> path.names
            ('calm', 'tariff', 'delisting', 'decoupling')
            >>> path.regime["2025-04-10"].iloc[-1]
            'decoupling'

        Args:
            market: its grid and session count, and the prices that observations are made of.
            events: what happened; those known before the first step count with what is left of them.
            progress: show a bar where fitting takes more than a second.

        Raises:
            ParameterError: for a market with too little history for a first fit, or a detector that is to be
                driven by events of which none is known by the market's last step.
            DataError: for observations, probabilities or a switch of one's own that are none.
        """

        def walked(risk: str, fed: Rows) -> tuple[FloatArray, pd.DataFrame]:
            return self._walked(risk, fed, progress)

        return self.assemble(market, events, walked)

    def assemble(self, market: Market, events: Events, estimate: Estimate) -> RegimePath:
        """Put a path together from intensities, detectors that need no observations, and an estimate.

        Args:
            market: its grid and session count, and the prices that observations are made of.
            events: what happened.
            estimate: of a risk whose detector needs observations: its probability of stress at each of its
                rows, shape (R,), NaN where there is none, and the table of its fits.
        """
        check_inputs(market, events)
        time = grid_time(market.grid)
        clock = np.ascontiguousarray(market.session_count, dtype=np.float64)
        seen = events.known_by(time[-1])
        intensity: dict[tuple[str, str], FloatArray] = {}
        states: dict[str, tuple[FloatArray, NDArray[np.bool_]]] = {}
        rows: dict[str, pd.DataFrame] = {}
        refits: dict[str, pd.DataFrame] = {}
        for risk, channels in RISK_CHANNELS.items():
            detector: Detector = getattr(self, risk)
            sides = self._sides(seen, time, clock, risk)
            intensity |= {(risk, side): sides[:, place] for place, side in enumerate(SIDES)}
            if detector.needs_observations:
                fed = self.rows_of(risk, market, events)
                probability, refits[risk] = estimate(risk, fed)
                rows[risk] = fed.frame.assign(probability=probability)
                at_steps = on_steps(fed.frame, probability, market.grid)
            else:
                at_steps = filtered(detector, None, sides, len(time))[:, -1]
            known = pd.DatetimeIndex(rows[risk]["known_at"]) if risk in rows else None
            shocks = self._shocks(seen.frame, time, channels, known)
            on = switched(detector, at_steps, sides, clock, shocks)
            states[risk] = np.where(np.isnan(at_steps), 0.0, at_steps), on
        columns = pd.MultiIndex.from_tuples(list(intensity), names=["risk", "side"])
        return RegimePath.from_detectors(
            time=time,
            session_count=clock,
            tariff=states["tariff"],
            delisting=states["delisting"],
            intensity=pd.DataFrame(np.column_stack(list(intensity.values())), index=time, columns=columns),
            marks=self.marks,
            rows=rows,
            refits=refits,
        )

    def rows_of(self, risk: str, market: Market, events: Events) -> Rows:
        """What the detector of a risk is fed with: observations, and the intensities known at each.

        Args:
            risk: "tariff" or "delisting".
            market: whose prices are observed.
            events: only those known by the market's last step are read.

        Raises:
            ParameterError: where there is too little to fit, or no event to be driven by.
        """
        check_inputs(market, events)
        if risk not in RISK_CHANNELS:
            raise ParameterError(f"risk is {kind(risk)}: it is one of {', '.join(RISK_CHANNELS)}")
        last = grid_time(market.grid)[-1]
        frame = _checked_rows(getattr(self, f"{risk}_observation")(market), risk, last)
        y = observations(frame.drop(columns="known_at"), columns=None)
        y = y[:, 0] if y.shape[1] == 1 else y
        self._check_history(y, risk)
        time = pd.DatetimeIndex(frame["known_at"]).as_unit("ns")
        parts = []
        if self.event_driven:
            seen = events.known_by(last)
            of_risk = seen.frame["channel"].isin(RISK_CHANNELS[risk]).to_numpy(bool)
            if not event_marks(seen.frame[of_risk], self.marks).any():
                raise ParameterError(
                    f"the {risk} detector is driven by events and none in {', '.join(RISK_CHANNELS[risk])} "
                    "is known by the market's last step: give events that are, or event_driven=False"
                )
            parts.append(self._sides(seen, time, np.asarray(session_clock(time), dtype=np.float64), risk))
        name = f"{risk}_covariates"
        covariates: tuple[Covariate, ...] = getattr(self, name)
        parts += [
            intensities(numbers(covariate(time), name, COVARIATE), len(time)) for covariate in covariates
        ]
        return Rows(frame, y, np.column_stack(parts) if parts else None)

    def _check_history(self, y: FloatArray, risk: str) -> None:
        """Refuse a series that no fit of the schedule could learn from."""
        known = complete_rows(y)
        if not known.any():
            raise ParameterError(
                f"all {len(y)} observations of the {risk} detector are missing: give prices from which they "
                f"can be made, or another {risk}_observation"
            )
        if not self.schedule.stops(y):
            raise ParameterError(
                f"the {risk} detector is first fitted after {self.schedule.least} observations and the "
                f"market has {known.sum()} in {len(y)} sessions: give a longer one, or a schedule with a "
                "smaller least"
            )
        if (np.ptp(y[known], axis=0) == 0).all():
            raise ParameterError(
                f"the observations of the {risk} detector do not vary: give another {risk}_observation"
            )

    def _walked(self, risk: str, fed: Rows, progress: bool) -> tuple[FloatArray, pd.DataFrame]:
        """Probability of a risk at each of its rows, NaN before the first accepted fit; the table of fits."""
        detector: Detector = getattr(self, risk)
        made: list[Refit] = []
        fits = len(self.schedule.stops(fed.y))
        with progress_bar(total=fits, desc=f"fitting {risk}", show=progress, delay=SHOW_AFTER) as bar:
            segments = walk(detector, fed.y, fed.x, self.schedule, made, bar.update)
            probability = in_force(segments, fed.y, fed.x, stress_probability)
        first = next((refit.stop for refit in made if refit.accepted), len(fed.y))
        if np.isnan(probability[first:]).any():
            row = first + int(np.isnan(probability[first:]).argmax())
            raise DataError(
                f"the {risk} detector was fitted and has no probability for {fed.frame.index[row]:%Y-%m-%d}: "
                "look at the observation of that session"
            )
        return probability, refit_table(made, fed.frame.index, fed.frame["known_at"])

    def _sides(self, seen: Events, time: pd.DatetimeIndex, clock: FloatArray, risk: str) -> FloatArray:
        """Escalation and relief of a risk, summed over its channels, shape (len(time), 2)."""
        by_channel = channel_intensity(
            seen.frame,
            np.asarray(session_clock(pd.DatetimeIndex(seen.frame["known_at"])), dtype=np.float64),
            time,
            clock,
            half_life=getattr(self, risk).half_life,
            marks=self.marks,
            channels=RISK_CHANNELS[risk],
        )
        totals = [
            by_channel.xs(side, axis=1, level="side").to_numpy(np.float64).sum(axis=1) for side in SIDES
        ]
        return np.column_stack(totals)

    def _shocks(
        self,
        seen: pd.DataFrame,
        time: pd.DatetimeIndex,
        channels: Sequence[str],
        rows: pd.DatetimeIndex | None,
    ) -> NDArray[np.bool_]:
        """Steps at which a mark of `BYPASS_MARK` or more in the channels has just become known.

        Without observations that is the first step that sees it. A detector with observations is told by the
        second row from then on, which is the first whose transition the event has driven: up to that one.

        Args:
            seen: events, known by the last step.
            time: UTC times of the steps.
            channels: of the risk.
            rows: when the rows of a detector with observations are known; None for one without.
        """
        top = (event_marks(seen, self.marks) >= BYPASS_MARK) & seen["channel"].isin(channels).to_numpy(bool)
        first_step = np.searchsorted(nanoseconds(time), nanoseconds(seen["known_at"])[top], side="left")
        shock = np.zeros(len(time), dtype=np.bool_)
        shock[first_step] = True
        if rows is not None:
            known = nanoseconds(rows)
            second = np.searchsorted(known, nanoseconds(seen["known_at"])[top], side="left") + 1
            for first, row in zip(first_step, second, strict=True):
                told = known[row] if row < len(known) else np.iinfo(np.int64).max
                shock[first : np.searchsorted(nanoseconds(time), told, side="left") + 1] = True
        return shock


def check_inputs(market: object, events: object) -> None:
    """Raise ParameterError unless given a market and events, in that order."""
    if not (isinstance(market, Market) and isinstance(events, Events)):
        raise ParameterError(
            f"walk_forward was given {kind(market)} and {kind(events)}: give the market first, then events "
            "such as load_events()"
        )


def _checked_rows(frame: object, risk: str, last: pd.Timestamp) -> pd.DataFrame:
    """Observations by session, refused where they are not what `observations` makes."""
    name = f"{risk}_observation"
    if not isinstance(frame, pd.DataFrame) or "known_at" not in frame or frame.shape[1] < 2 or frame.empty:
        raise DataError(f"{name} returned {kind(frame)}: return a frame by session with known_at and numbers")
    if not frame.columns.is_unique:
        raise DataError(f"{name} returned a frame that names a column twice: give each column its own name")
    known = frame["known_at"]
    if not isinstance(known.dtype, pd.DatetimeTZDtype) or known.isna().any() or (known > last).any():
        raise DataError(
            f"{name} returned a known_at that is NaT, without a time zone or after the market's last step: "
            "give the UTC time from which each row was known"
        )
    days = frame.index
    if not isinstance(days, pd.DatetimeIndex) or days.tz is not None or days.hasnans:
        raise DataError(
            f"{name} returned rows that are not by naive date: index them by the session each is about"
        )
    early = (known <= days.normalize().tz_localize("UTC")).to_numpy()
    if early.any():
        at = int(early.argmax())
        raise DataError(
            f"{name} returned {days[at]:%Y-%m-%d} known at {known.iloc[at]}, when that day has yet to come: "
            "give the UTC time from which each row was known"
        )
    text = [str(column) for column in frame if column != "known_at" and frame[column].dtype.kind not in "fiu"]
    if text:
        raise DataError(
            f"{name} returned {short(', '.join(text))} without numbers: return floats, NaN for none"
        )
    return frame
