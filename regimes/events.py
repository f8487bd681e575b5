"""The event calendar: what threatened or relieved Chinese shares, and when it could first be acted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError
from entrepot.markets.sessions import session_clock
from entrepot.regimes.event_file import BUNDLED_EVENTS, CHANNELS, in_order, read_event_file
from entrepot.regimes.intensity import Marks, channel_intensity


@dataclass(frozen=True, eq=False)
class Events:
    """Dated events in the order in which they became known; made by `load_events`.

    Attributes:
        frame: one row per event, sorted by `known_at`. event_id; announced_at and effective_on as written;
            channel (what the event threatens); direction (1 escalation, -1 relief); severity (1 to 5);
            affected, title, source_name, source_ref, confidence, verification, notes, ref_confidence, core;
            known_at (datetime64[ns, UTC]), the first moment at which the event could have been acted on.

    Severity, the choice of events and their direction were written with hindsight; `known_at` was not.
    """

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        if self.frame.empty:
            return "Events(none)"
        first, last = self.frame["known_at"].iloc[0], self.frame["known_at"].iloc[-1]
        return f"Events({len(self)} known from {first:%Y-%m-%d} to {last:%Y-%m-%d})"

    def known_by(self, when: str | datetime) -> Events:
        """Return the events whose `known_at` is at or before a moment.

        Args:
            when: a moment with its UTC offset, such as "2022-03-10T18:00Z".
        """
        moment = _aware(when)
        return Events(self.frame[self.frame["known_at"] <= moment].reset_index(drop=True))

    def merge(self, other: Events) -> Events:
        """Return these events and the other's; where both have an event_id, the other's row is kept."""
        kept = self.frame[~self.frame["event_id"].isin(other.frame["event_id"])]
        both = pd.concat([kept, other.frame], ignore_index=True)
        own = [name for name in both.columns if name not in kept.columns or name not in other.frame.columns]
        return Events(in_order(both.fillna(dict.fromkeys(own, ""))))

    def intensity(
        self,
        grid: pd.DataFrame,
        half_life: float = 20.0,
        marks: Marks = "capped",
        channels: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Decaying sum of the marks of the events known at each step, per channel and side, never netted.

        x_c(t) = sum over known_at <= t of m_i 2^-((tau(t) - tau(known_at_i)) / half_life), with tau the
        continuous count of New York sessions: decay runs from `known_at`, not from the first step that can
        see the event.

        Args:
            grid: steps, with a `time` column (UTC, ascending), such as `market.grid`.
            half_life: New York sessions in which a mark halves. Fix it beforehand: a fitted one is a hidden
                trial.
            marks: "capped" at 3 (severities 4 and 5 saw the market's answer), "severity" as given, or "ones".
                Rows whose notes begin with "context only" are never scored.
            channels: which channels, all six when None.

        Returns:
            (n_steps, 2 * n_channels) frame indexed by grid time, columns (channel, "escalation" | "relief");
            finite, >= 0, without NaN.
        """
        time = grid_time(grid)
        seen = self.known_by(time[-1]).frame if len(time) else self.frame.iloc[:0]
        return channel_intensity(
            seen,
            np.asarray(session_clock(pd.DatetimeIndex(seen["known_at"])), dtype=np.float64),
            time,
            np.asarray(session_clock(time), dtype=np.float64),
            half_life=half_life,
            marks=marks,
            channels=CHANNELS if channels is None else channels,
        )


def grid_time(grid: pd.DataFrame) -> pd.DatetimeIndex:
    """Step times of a grid as an ascending UTC index in nanoseconds, named "time"."""
    if "time" not in grid:
        raise DataError("the grid has no column time; give market.grid, or a frame with a UTC column time.")
    time = pd.DatetimeIndex(grid["time"], name="time")
    if time.tz is None or not time.is_monotonic_increasing:
        raise DataError("the grid's times must ascend and carry a time zone; give market.grid.")
    return time.tz_convert("UTC").as_unit("ns")


def _aware(when: str | datetime) -> pd.Timestamp:
    try:
        moment = pd.Timestamp(when)
    except (ValueError, TypeError):
        moment = pd.Timestamp("NaT")
    if pd.isna(moment) or moment.tzinfo is None:
        raise ParameterError(
            f"{when!r} is not a moment with a UTC offset, which known_by needs; write 2022-03-10T18:00Z."
        )
    return moment


def load_events(path: str | Path | None = None, replace: bool = False) -> Events:
    """Load the bundled calendar, 245 dated events of 2018 to 2026, alone or with a file of one's own.

    A datetime with an offset in announced_at is the moment the event became known. A bare date counts as
    known at 23:59:59 of that date where it was announced: New York for US bodies and whoever is not in the
    table of sources, Shanghai for mainland bodies, Hong Kong for Hong Kong bodies, the latest of them for
    joint announcements.

    Args:
        path: a CSV file with the columns event_id, announced_at, channel, direction, severity, source_name
            and any other of the calendar; a column known_at (moment with offset) overrides the rule above.
            None for the bundled calendar alone.
        replace: False merges, a row of the file taking the place of the bundled event with its event_id;
            True uses the file alone.

    Raises:
        DataError: naming row and event_id, for an event without a source, one that nobody announced, an
            unknown channel, a direction that is not 1 or -1, a severity outside 1 to 5, a repeated event_id,
            a date that cannot be read or a time without offset.
    """
    if path is None:
        if replace:
            raise ParameterError("replace=True needs a file to use instead of the calendar; give its path.")
        return Events(read_event_file(BUNDLED_EVENTS))
    own = Events(read_event_file(path))
    return own if replace else Events(read_event_file(BUNDLED_EVENTS)).merge(own)
