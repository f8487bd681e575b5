"""The event calendar: what threatened or relieved Chinese shares, and when it could first be acted on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError
from entrepot.markets.sessions import session_clock
from entrepot.regimes.arguments import kind, short
from entrepot.regimes.event_file import BUNDLED_EVENTS, CHANNELS, COLUMNS, in_order, read_event_file
from entrepot.regimes.intensity import Marks, channel_intensity


class Events:
    """Dated events in the order in which they became known; made by `load_events`, or from such a table.

    Args:
        frame: one row per event, sorted by `known_at`. event_id; announced_at and effective_on as written;
            channel (what the event threatens); direction (1 escalation, -1 relief); severity (1 to 5);
            affected, title, source_name, source_ref, confidence, verification, notes, ref_confidence, core;
            known_at (datetime64[ns, UTC]), the first moment at which the event could have been acted on.
            event_id, channel, direction, severity and known_at are needed, the rest is blank where missing.

    Severity, the choice of events and their direction were written with hindsight; `known_at` was not.

    Raises:
        ParameterError: when `frame` is no table.
        DataError: when a column is missing, or naming the first row that cannot be used.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._rows = checked_frame(frame)

    @classmethod
    def _of(cls, rows: pd.DataFrame) -> Events:
        """Events of rows that have been checked and put in order."""
        events = cls.__new__(cls)
        events._rows = rows
        return events

    @property
    def frame(self) -> pd.DataFrame:
        """The table, a copy: changing it does not change the events."""
        return self._rows.copy(deep=False)  # pandas copies what is then written to

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        if self._rows.empty:
            return "Events(none)"
        first, last = self._rows["known_at"].iloc[0], self._rows["known_at"].iloc[-1]
        return f"Events({len(self)} known from {first:%Y-%m-%d} to {last:%Y-%m-%d})"

    def known_by(self, when: str | datetime) -> Events:
        """Return the events whose `known_at` is at or before a moment.

        Args:
            when: a moment with its UTC offset, such as "2022-03-10T18:00Z".
        """
        moment = _aware(when)
        return Events._of(self._rows[self._rows["known_at"] <= moment].reset_index(drop=True))

    def merge(self, other: Events) -> Events:
        """Return these events and the other's; where both have an event_id, the other's row is kept."""
        if not isinstance(other, Events):
            raise ParameterError(
                f"merge was given {kind(other)}: give events, such as Events(frame) or load_events(path)."
            )
        theirs = other._rows
        kept = self._rows[~self._rows["event_id"].isin(theirs["event_id"])]
        both = pd.concat([kept, theirs], ignore_index=True)
        own = [name for name in both.columns if name not in kept.columns or name not in theirs.columns]
        return Events._of(in_order(both.fillna(dict.fromkeys(own, ""))))

    def intensity(
        self,
        grid: pd.DataFrame,
        half_life: float = 20.0,
        marks: Marks = "capped",
        channels: str | Sequence[str] | None = None,
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
            channels: which channels, or the name of one; all six when None.

        Returns:
            (n_steps, 2 * n_channels) frame indexed by grid time, columns (channel, "escalation" | "relief");
            finite, >= 0, without NaN.
        """
        time = grid_time(grid)
        seen = self.known_by(time[-1])._rows if len(time) else self._rows.iloc[:0]
        return channel_intensity(
            seen,
            np.asarray(session_clock(pd.DatetimeIndex(seen["known_at"])), dtype=np.float64),
            time,
            np.asarray(session_clock(time), dtype=np.float64),
            half_life=half_life,
            marks=marks,
            channels=CHANNELS if channels is None else channels,
        )


NEEDED = ("event_id", "channel", "direction", "severity", "known_at")


def grid_time(grid: pd.DataFrame) -> pd.DatetimeIndex:
    """Step times of a grid as an ascending UTC index in nanoseconds, named "time"."""
    if not isinstance(grid, pd.DataFrame):
        raise ParameterError(f"the grid is {kind(grid)}: give market.grid, a frame with a UTC column time.")
    if "time" not in grid:
        raise DataError("the grid has no column time; give market.grid, or a frame with a UTC column time.")
    try:
        time = pd.DatetimeIndex(grid["time"], name="time")
    except (ValueError, TypeError):
        raise DataError("the grid's column time does not hold times; give market.grid.") from None
    if time.tz is None or not time.is_monotonic_increasing:
        raise DataError("the grid's times must ascend and carry a time zone; give market.grid.")
    return time.tz_convert("UTC").as_unit("ns")


def checked_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of events checked, in order, with the calendar's columns; refuse what cannot be used."""
    if not isinstance(frame, pd.DataFrame):
        raise ParameterError(f"frame is {kind(frame)}: give a table such as load_events().frame.")
    missing = [name for name in NEEDED if name not in frame]
    if missing or not frame.columns.is_unique:
        said = f"has no column {', '.join(missing)}" if missing else "names a column twice"
        raise DataError(f"the table of events {said}; give each of {', '.join(NEEDED)} once.")
    table = frame.reset_index(drop=True)
    known_at = pd.Series(pd.DatetimeIndex([_utc(moment) for moment in table["known_at"]], tz="UTC"))
    table["event_id"] = table["event_id"].where(table["event_id"].notna(), "").astype("str")
    number = {name: pd.to_numeric(table[name], errors="coerce") for name in ("direction", "severity")}
    for bad, said in (
        (table["event_id"].str.strip() == "", "event_id is blank; give every event a name of its own"),
        (table["event_id"].duplicated(), "event_id is used twice; give each event its own"),
        (~table["channel"].isin(CHANNELS), f"channel must be one of {', '.join(CHANNELS)}"),
        (~number["direction"].isin([1, -1]), "direction must be 1 (escalation) or -1 (relief)"),
        (~number["severity"].isin(range(1, 6)), "severity must be a whole number from 1 to 5"),
        (known_at.isna(), "known_at must be a moment with a UTC offset, such as 2025-04-02T16:00-04:00"),
    ):
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise DataError(f"events row {row} ({short(table['event_id'].iloc[row])}): {said}.")
    for name in COLUMNS:
        if name not in table:
            table[name] = 0 if name == "core" else ""
    table = table.astype({"channel": "str"}).assign(
        direction=number["direction"].astype("int64"),
        severity=number["severity"].astype("int64"),
        notes=table["notes"].where(table["notes"].notna(), "").astype("str"),
        known_at=pd.DatetimeIndex(known_at).as_unit("ns"),
    )
    return in_order(table)


def _utc(moment: object) -> pd.Timestamp | None:
    """A moment with its offset in UTC; None for anything else."""
    try:
        when = pd.Timestamp(moment)  # type: ignore[arg-type]
    except (ValueError, TypeError, LookupError, OverflowError):
        return None
    return None if pd.isna(when) or when.tzinfo is None else when.tz_convert("UTC").as_unit("ns")


def _aware(when: str | datetime) -> pd.Timestamp:
    moment: pd.Timestamp | None = None
    if isinstance(when, (str, datetime)):
        try:
            moment = pd.Timestamp(when)
        except (ValueError, TypeError, LookupError, OverflowError):
            moment = None
    if moment is None or pd.isna(moment) or moment.tzinfo is None:
        text = f"{when}" if isinstance(when, datetime) else kind(when)
        raise ParameterError(
            f"{text} is not a moment with a UTC offset, which known_by needs; write 2022-03-10T18:00Z."
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
    if not isinstance(replace, (bool, np.bool_)):
        raise ParameterError(f"replace is {kind(replace)}: give True or False.")
    if path is None:
        if replace:
            raise ParameterError("replace=True needs a file to use instead of the calendar; give its path.")
        return Events._of(read_event_file(BUNDLED_EVENTS))
    own = Events._of(read_event_file(path))
    return own if replace else Events._of(read_event_file(BUNDLED_EVENTS)).merge(own)
