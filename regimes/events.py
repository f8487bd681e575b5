"""The event calendar: what threatened or relieved Chinese shares, and when it could first be acted on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time as time_of_day, timedelta
from functools import cache
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_number, near_word, shown
from entrepot.markets.own_rows import Rows, asked, cell_text
from entrepot.markets.sessions import FIRST_YEAR, LAST_YEAR, session_clock
from entrepot.markets.written_times import aware, moments
from entrepot.regimes.arguments import kind, short, with_given
from entrepot.regimes.event_file import (
    BUNDLED_EVENTS,
    CHANNELS,
    COLUMNS,
    announced_from,
    in_order,
    read_event_file,
    read_event_table,
    source_zone,
    write_event_file,
)
from entrepot.regimes.event_filters import Between, chosen
from entrepot.regimes.intensity import (
    Hawkes,
    Marks,
    channel_intensity,
    channel_sides,
    event_marks,
    nanoseconds,
    of_side,
)


class Events:
    """Dated events in the order in which they became known; made by `load_events`, or from such a table.

    Args:
        frame: one row per event, sorted by `known_at`. event_id; announced_at and effective_on as written;
            channel (what the event threatens); direction (1 escalation, -1 relief); severity (1 to 5);
            affected, title, source_name, source_ref, confidence, verification, notes, ref_confidence;
            core (1 or 0); columns of one's own, as text; known_at (datetime64[ns, UTC]), the first moment at
            which the event could have been acted on.
            event_id, channel, direction, severity and known_at are needed, the rest is blank where missing.

    Severity, the choice of events and their direction were written with hindsight; `known_at` was not.

    Raises:
        ParameterError: when `frame` is no table.
        DataError: when a column is missing, or naming the first row that cannot be used, such as one known
            before it was announced, or with an announced_at that `load_events` would not read.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        try:
            self._rows = checked_frame(frame)
        except UnicodeEncodeError:
            raise DataError("the table of events holds half a character; correct that text") from None

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

            >>> import pandas as pd
            >>> import entrepot as ep
            >>> events = ep.load_events()
            >>> seen = events.known_by("2022-03-10T18:00Z")
            >>> bool((seen.frame["known_at"] <= pd.Timestamp("2022-03-10T18:00Z")).all())
            True
            >>> len(seen.frame) < len(events.frame)
            True

        Args:
            when: a moment with its UTC offset, such as "2022-03-10T18:00Z".
        """
        moment = aware(when)
        if moment is None:
            text = f"{when}" if isinstance(when, datetime) else kind(when)
            raise ParameterError(
                f"{text} is not a moment with a UTC offset, which known_by needs; write 2022-03-10T18:00Z"
            )
        return Events._of(self._rows[self._rows["known_at"] <= moment].reset_index(drop=True))

    def merge(self, other: Events) -> Events:
        """Return these events and the other's; where both have an event_id, the other's row is kept."""
        if not isinstance(other, Events):
            raise ParameterError(
                f"merge was given {kind(other)}: give events, such as Events(frame) or load_events(path)"
            )
        theirs = other._rows
        kept = self._rows[~self._rows["event_id"].isin(theirs["event_id"])]
        both = pd.concat([kept, theirs], ignore_index=True)
        lacking = [name for name in both.columns if name not in kept.columns or name not in theirs.columns]
        return Events._of(in_order(both.fillna(dict.fromkeys(lacking, ""))[arranged(both)]))

    def without(self, *event_ids: str) -> Events:
        """Return the events but those of these event_ids.

        Raises:
            ParameterError: for an event_id that there is not.
        """
        known = set(self._rows["event_id"])
        for event_id in event_ids:
            if not isinstance(event_id, str) or event_id not in known:
                near = near_word(event_id, known) if isinstance(event_id, str) else ""
                raise ParameterError(
                    f"there is no event {shown(event_id)} to leave out"
                    f"{near or '; give event_ids of the frame'}"
                )
        return Events._of(self._rows[~self._rows["event_id"].isin(event_ids)].reset_index(drop=True))

    def where(
        self,
        *,
        channel: str | Sequence[str] | None = None,
        direction: int | str | None = None,
        severity: int | None = None,
        core: bool | None = None,
        affected: str | Sequence[str] | None = None,
        between: Between | None = None,
        search: str | None = None,
    ) -> Events:
        """Return the events that fit all that is asked for; what is None is not asked for.

        The words are those of ``entrepot events`` on the command line.

        Args:
            channel: one channel, or several.
            direction: 1 or "escalation", -1 or "relief".
            severity: the least one.
            core: True for the events that matter most, False for the others.
            affected: a word of that column, such as "adr" or "sector:semis", or several of which one is
                enough; an event that says "all" is found by "all" only.
            between: first and last date of announcement, both included, as in announced_at; None leaves an
                end open. What was known at a moment is `known_by`.
            search: words that the event_id, title, source or notes hold, all of them, in any case.

        Raises:
            ParameterError: for a word, number or date that cannot be.
        """
        fits = chosen(self._rows, channel, direction, severity, core, affected, between, search)
        return Events._of(self._rows[fits].reset_index(drop=True))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the events to a file from which ``load_events(path, replace=True)`` reads the same events.

        The file is written whole or not at all, in the format that docs/own-tables.md describes.

        Args:
            path: a name that ends in .csv or .parquet; an older file of that name is replaced.

        Raises:
            ParameterError: the path cannot be written.
            DataError: events that could not be read again, such as one without a title.
        """
        write_event_file(path, self._rows)

    def intensity(
        self,
        grid: pd.DataFrame | pd.DatetimeIndex,
        half_life: float = 20.0,
        marks: Marks = "capped",
        channels: str | Sequence[str] | None = None,
        hawkes: Hawkes | None = None,
    ) -> pd.DataFrame:
        """Decaying sum of the marks of the events known at each step, per channel and side, never netted.

        x_c(t) = sum over known_at <= t of m_i 2^-((tau(t) - tau(known_at_i)) / half_life), with tau the
        continuous count of New York sessions: decay runs from `known_at`, not from the first step that can
        see the event.

        Args:
            grid: steps, with a `time` column (UTC, ascending), such as `market.grid`, or the times alone.
            half_life: New York sessions in which a mark halves. Fix it beforehand: a fitted one is a hidden
                trial.
            marks: "capped" at 3 (severities 4 and 5 saw the market's answer), "severity" as given, or "ones".
                Rows whose notes begin with "context only" are never scored.
            channels: which channels, or the name of one; all six when None.
            hawkes: None for the shot noise above; `Hawkes(base, branching)` for the rate of a self-exciting
                process of the same half-life and marks, in events per session.

        Returns:
            (n_steps, 2 * n_channels) frame indexed by grid time, columns (channel, "escalation" | "relief");
            finite, >= 0, without NaN.
        """
        if not (hawkes is None or isinstance(hawkes, Hawkes)):
            raise ParameterError(f"hawkes is {kind(hawkes)}: give Hawkes(base=0.02, branching=0.5), or None")
        time = grid_time(grid)
        seen = self._seen(time)
        x = channel_intensity(
            seen,
            np.asarray(session_clock(pd.DatetimeIndex(seen["known_at"])), dtype=np.float64),
            time,
            np.asarray(session_clock(time), dtype=np.float64),
            half_life=half_life,
            marks=marks,
            channels=CHANNELS if channels is None else channels,
        )
        return x if hawkes is None else hawkes.rate(x, half_life, marks)

    def scheduled(
        self,
        grid: pd.DataFrame | pd.DatetimeIndex,
        within_sessions: float = 20.0,
        channels: str | Sequence[str] | None = None,
        marks: Marks = "ones",
    ) -> pd.DataFrame:
        """Announced events that are still to take effect, per channel and side, as known at each step.

        An event is on the calendar when its effective_on begins after it was announced. It counts from its
        `known_at` until that date has passed where it was announced (a time with an offset until that
        moment), while the date begins within `within_sessions`, and on the date itself.

        The table says what was announced, not what became of it: a date that was postponed, superseded or
        called off keeps counting until it has passed, one announced twice counts twice, and the end of a
        truce is listed only where its extension names it. Relief has dates of its own, such as the day on
        which a truce begins or the old term would have lapsed; see docs/events.md. Sessions ahead are
        those that were held, unplanned closures included.

        Args:
            grid: steps, with a `time` column (UTC, ascending), such as `market.grid`, or the times alone.
            within_sessions: New York sessions to look ahead; np.inf for all dates.
            channels: which channels, or the name of one; all six when None.
            marks: "ones" counts events, "capped" and "severity" add up their marks. Rows whose notes begin
                with "context only" never count.

        Returns:
            (n_steps, 2 * n_channels) frame indexed by grid time, columns (channel, "escalation" | "relief");
            finite, >= 0, without NaN.

        Raises:
            DataError: an effective_on that cannot be read, naming the event.
        """
        if not (is_number(within_sessions) and within_sessions >= 0):
            raise ParameterError(
                f"within_sessions is {kind(within_sessions)}: give a number of sessions, zero or more"
            )
        time = grid_time(grid)
        clock = np.asarray(session_clock(time), dtype=np.float64)
        agenda = announced_ahead(self._seen(time))
        weight = event_marks(agenda, marks)
        columns = {}
        for column in channel_sides(CHANNELS if channels is None else channels):
            out = np.zeros(len(time))
            for i in np.flatnonzero(of_side(agenda, *column)):
                on = _steps_between(time, agenda["known_at"].iloc[i], agenda["passed_at"].iloc[i])
                near = agenda["begins_clock"].iloc[i] - clock[on] <= within_sessions
                out[on] += np.where(near, weight[i], 0.0)
            columns[column] = out
        return _by_channel_and_side(columns, time)

    def next_scheduled(
        self, grid: pd.DataFrame | pd.DatetimeIndex, channels: str | Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Sessions to the nearest announced effective date, per channel and side, as known at each step.

        The same dates as `scheduled`, however far ahead, with the same reservations.

        Args:
            grid: steps, with a `time` column (UTC, ascending), such as `market.grid`, or the times alone.
            channels: which channels, or the name of one; all six when None.

        Returns:
            Frame of shape (n_steps, 2 * n_channels), indexed by grid time, columns (channel, "escalation" or
            "relief"): New York sessions until the nearest date begins, 0 on the date itself, NaN where none
            is ahead.
        """
        time = grid_time(grid)
        clock = np.asarray(session_clock(time), dtype=np.float64)
        agenda = announced_ahead(self._seen(time))
        scored = event_marks(agenda, "ones") > 0
        columns = {}
        for column in channel_sides(CHANNELS if channels is None else channels):
            out = np.full(len(time), np.nan)
            for i in np.flatnonzero(of_side(agenda, *column) & scored):
                on = _steps_between(time, agenda["known_at"].iloc[i], agenda["passed_at"].iloc[i])
                left = np.maximum(agenda["begins_clock"].iloc[i] - clock[on], 0.0)
                out[on] = np.fmin(out[on], left)
            columns[column] = out
        return _by_channel_and_side(columns, time)

    def _seen(self, time: pd.DatetimeIndex) -> pd.DataFrame:
        """Rows of the events known by the last step."""
        return self.known_by(time[-1])._rows if len(time) else self._rows.iloc[:0]


NEEDED = ("event_id", "channel", "direction", "severity", "known_at")


def grid_time(grid: pd.DataFrame | pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Step times of a grid, or of such times, as an ascending UTC index in nanoseconds, named "time"."""
    if isinstance(grid, pd.DatetimeIndex):
        grid = pd.DataFrame({"time": grid})
    if not isinstance(grid, pd.DataFrame):
        raise ParameterError(f"the grid is {kind(grid)}: give market.grid, a frame with a UTC column time")
    if "time" not in grid:
        raise DataError("the grid has no column time; give market.grid, or a frame with a UTC column time")
    try:
        time = moments(grid["time"]).rename("time")
    except (ValueError, TypeError):
        raise DataError("the grid's column time does not hold times; give market.grid") from None
    if time.tz is None or not time.is_monotonic_increasing:
        raise DataError("the grid's times must ascend and carry a time zone; give market.grid")
    if len(time) and not (time[0].year >= FIRST_YEAR and time[-1].year <= LAST_YEAR):
        raise DataError(
            f"the grid runs from {time[0]} to {time[-1]}; give times from {FIRST_YEAR} to {LAST_YEAR}"
        )
    return time.tz_convert("UTC").as_unit("ns")


def announced_ahead(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the events whose effective date begins after `known_at`, in order, with the times of that date.

    Args:
        rows: events, with source_name, effective_on and known_at.

    Returns:
        The rows, with begins_clock (session clock at which the date begins, where it was announced) and
        passed_at (UTC, the first moment after it); a time with an offset is both.
    """
    columns = rows[["event_id", "effective_on", "source_name"]]
    dated = [_effective(*row) for row in columns.itertuples(index=False, name=None)]
    begins = pd.Series([begin for begin, _ in dated], index=rows.index, dtype="datetime64[ns, UTC]")
    passed = pd.Series([end for _, end in dated], index=rows.index, dtype="datetime64[ns, UTC]")
    ahead = begins > rows["known_at"]  # False where there is no date
    clock = session_clock(pd.DatetimeIndex(begins[ahead]))
    return rows[ahead].assign(begins_clock=clock, passed_at=passed[ahead]).reset_index(drop=True)


def _effective(
    event_id: str, given: Any, source: object
) -> tuple[pd.Timestamp, pd.Timestamp] | tuple[None, None]:
    """When an effective_on begins and when it has passed, UTC; None where it is blank."""
    if pd.isna(given) or not str(given).strip():
        return None, None
    try:
        moment = datetime.fromisoformat(str(given).strip())
        readable = 1900 <= moment.year < 2200
    except ValueError:
        readable = False
    if not readable or (moment.tzinfo is None and moment.time() != time_of_day.min):
        raise DataError(
            f"event {short(event_id)}: effective_on {short(given)} is not a date; write 2025-04-09, or "
            "2025-04-09T00:01-04:00 where the time is known"
        )
    if moment.tzinfo is not None:
        begins = passed = moment
    else:
        begins = moment.replace(tzinfo=source_zone(str(source)))
        passed = begins + timedelta(days=1)  # on the wall clock, so a day of 23 or 25 hours ends at midnight
    return pd.Timestamp(begins).tz_convert("UTC"), pd.Timestamp(passed).tz_convert("UTC")


def _steps_between(time: pd.DatetimeIndex, first: pd.Timestamp, end: pd.Timestamp) -> slice:
    """Steps at or after a moment and before another."""
    return slice(
        *np.searchsorted(nanoseconds(time), nanoseconds(pd.DatetimeIndex([first, end])), side="left")
    )


def _by_channel_and_side(
    columns: dict[tuple[str, str], NDArray[np.float64]], time: pd.DatetimeIndex
) -> pd.DataFrame:
    names = pd.MultiIndex.from_tuples(list(columns), names=["channel", "side"])
    return pd.DataFrame(np.column_stack(list(columns.values())), index=time, columns=names)


def checked_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of events checked, in order, with the calendar's columns; refuse what cannot be used."""
    if not isinstance(frame, pd.DataFrame):
        raise ParameterError(f"frame is {kind(frame)}: give a table such as load_events().frame")
    table = frame.set_axis([str(name) for name in frame.columns], axis=1).reset_index(drop=True)
    missing = [name for name in NEEDED if name not in table]
    if missing or not table.columns.is_unique:
        said = f"has no column {', '.join(missing)}" if missing else "names a column twice"
        raise DataError(f"the table of events {said}; give each of {', '.join(NEEDED)} once")
    known_at = pd.Series(pd.DatetimeIndex([aware(moment) for moment in table["known_at"]], tz="UTC"))
    table["event_id"] = _texts(table["event_id"])
    number = {name: _numbers(table[name]) for name in ("direction", "severity")}
    number["core"] = _flags(table["core"]) if "core" in table else pd.Series(0, table.index)
    for bad, said in (
        (table["event_id"].str.strip() == "", "event_id is blank; give every event a name of its own"),
        (table["event_id"].duplicated(), "event_id is used twice; give each event its own"),
        (~table["channel"].isin(CHANNELS), f"channel must be one of {', '.join(CHANNELS)}"),
        (~number["direction"].isin([1, -1]), "direction must be 1 (escalation) or -1 (relief)"),
        (~number["severity"].isin(range(1, 6)), "severity must be a whole number from 1 to 5"),
        (~number["core"].isin([0, 1]), "core must be 1 or 0"),
        (known_at.isna(), "known_at must be a moment with a UTC offset, such as 2025-04-02T16:00-04:00"),
    ):
        if bad.any():
            row = int(bad.to_numpy().argmax())
            said = with_given(said, table.iloc[row])
            raise DataError(f"events row {row} ({short(table['event_id'].iloc[row])}): {said}")
    for name in COLUMNS:
        if name not in table:
            table[name] = ""
    texts = {name: _texts(table[name]) for name in table.columns if name not in (*number, "known_at")}
    whole = {name: column.astype("int64") for name, column in number.items()}
    table = table.assign(**texts, **whole, known_at=pd.DatetimeIndex(known_at).as_unit("ns"))
    named = table[["announced_at", "source_name", "known_at"]].itertuples(index=False, name=None)
    for row, (announced_at, source_name, moment) in enumerate(named):
        where = f"events row {row} ({short(table['event_id'].iloc[row])})"
        try:
            begins = announced_from(announced_at, source_name)
        except ValueError as error:
            raise DataError(f"{where}: {error}") from None
        if begins is not None and moment < begins:
            raise DataError(
                f"{where}: known_at {moment.isoformat()} is before announced_at {short(announced_at)}; "
                "nothing is known before it is public"
            )
    return in_order(table[arranged(table)])


def arranged(table: pd.DataFrame) -> list[str]:
    """Columns in their order: those of the calendar, those of one's own, known_at."""
    return [*COLUMNS, *(name for name in table.columns if name not in (*COLUMNS, "known_at")), "known_at"]


def _numbers(column: pd.Series[Any]) -> pd.Series[float]:
    """A column as numbers, NaN where a cell is none."""
    cells = [cell if isinstance(cell, str) or is_number(cell) else None for cell in column]
    return pd.to_numeric(pd.Series(cells, index=column.index, dtype=object), errors="coerce")


def _flags(column: pd.Series[Any]) -> pd.Series[float]:
    """A column of truths, 1 and 0, 0 where a cell is blank; what is none of these is -1."""
    texts = _texts(column).replace({"": "0", "False": "0", "True": "1"})
    return _numbers(texts).fillna(-1)


def _texts(column: pd.Series[Any]) -> pd.Series[str]:
    """A column as a file would have it, so that events saved and read again are the same."""
    if column.dtype == "str" and not column.hasnans:
        return column.str.replace("\r\n?", "\n", regex=True).str.strip()
    return pd.Series([cell_text(value) for value in column], index=column.index, dtype="str")


EventsSource = str | PathLike[str] | pd.DataFrame | Rows | Events


def load_events(
    path: EventsSource | Sequence[EventsSource] | None = None,
    replace: bool = False,
    drop: str | Sequence[str] = (),
) -> Events:
    """Load the bundled calendar, 245 dated events of 2018 to 2026, alone or with events of one's own.

    A datetime with an offset in announced_at is the moment the event became known. A bare date counts as
    known at 23:59:59 of that date where it was announced: New York for US bodies and whoever is not in the
    table of sources, Shanghai for mainland bodies, Hong Kong for Hong Kong bodies, the latest of them for
    joint announcements.

        >>> import entrepot as ep
        >>> events = ep.load_events()
        >>> sorted(events.frame["channel"].unique())
        ['delisting', 'export_control', 'investment_restriction', 'policy_support', 'sanction', 'tariff']
        >>> str(events.frame["known_at"].dtype.tz)
        'UTC'

    Args:
        path: a CSV or Parquet file, a pandas or polars DataFrame, `Events`, or a list of these, a later one
            taking precedence. The columns event_id, announced_at, channel, direction, severity and title
            are needed; a column known_at (moment with offset) overrides the rule above, and a row with 1 in
            a column drop leaves an event out. docs/own-tables.md has all of it. None for the bundled
            calendar alone.
        replace: False merges, a row taking the place of the bundled event with its event_id; True uses what
            is given alone.
        drop: event_ids to leave out.

    Raises:
        DataError: naming all rows and event_ids that cannot be used, the first five in full: an event without
            a title, one that nobody announced, an unknown channel, a direction that is not 1 or -1, a
            severity outside 1 to 5, a repeated event_id, a date that cannot be read or a time without offset.
        ParameterError: for a source of another kind, or an event_id to leave out that there is not.
    """
    sources, dropped = asked(path, replace, drop)
    events = Events._of(bundled_calendar().iloc[:0] if replace else bundled_calendar())
    for source in sources:
        if not isinstance(source, Events):
            table = read_event_table(source)
            table.check_drops(events._rows["event_id"])
            table.rows.refuse_bad()
            events, source = events.without(*table.rows.drops.values()), Events._of(table.frame)
        events = events.merge(source)
    return events.without(*dropped)


@cache
def bundled_calendar() -> pd.DataFrame:
    """Return the rows of the bundled calendar, read once."""
    return read_event_file(BUNDLED_EVENTS)
