"""Event files: every row checked, the moment from which it could be acted on derived, and written back."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from entrepot.errors import DataError, near_word, shown
from entrepot.markets.own_rows import (
    DROP,
    FORMAT,
    BadRow,
    Format,
    OwnRows,
    csv_text,
    printable,
    read_own_rows,
    whole,
    write_own_rows,
)
from entrepot.markets.written_times import parse_moment

CHANNELS = ("tariff", "delisting", "investment_restriction", "export_control", "sanction", "policy_support")
REQUIRED_COLUMNS = ("event_id", "announced_at", "channel", "direction", "severity", "title")
COLUMNS = (
    "event_id",
    "announced_at",
    "effective_on",
    "channel",
    "direction",
    "severity",
    "affected",
    "title",
    "source_name",
    "source_ref",
    "confidence",
    "verification",
    "notes",
    "ref_confidence",
    "core",
)
EVENTS_FORMAT = Format("events", 1, (*COLUMNS, "known_at"), REQUIRED_COLUMNS, ("event_id",))
CONFIDENCE = ("high", "medium", "low")
BUNDLED_EVENTS = Path(__file__).parent / "data" / "events.csv"
SOURCE_ZONES = Path(__file__).parent / "data" / "sources.csv"

_DIRECTION = {"1": 1, "+1": 1, "-1": -1}
_SEVERITY = {str(severity): severity for severity in range(1, 6)}
_CORE = {"": 0, "0": 0, "False": 0, "1": 1, "True": 1}
AFFECTED = re.compile(r"all|adr|hk|sector:[a-z0-9_]+")
_END_OF_DAY = time(23, 59, 59)


@dataclass
class EventTable:
    """Events as read: those that can be used, in order, and what to leave out of an earlier calendar.

    Args:
        frame: one row per event, in order of `known_at`, then event_id: the columns of the bundled calendar
            (direction, severity and core as integers, the rest text as written), those of one's own, and
            `known_at` (datetime64[ns, UTC]).
        rows: of the file, with all that is wrong with them.
    """

    frame: pd.DataFrame
    rows: OwnRows

    def check_drops(self, known: pd.Series[str]) -> None:
        """Note each event to be left out that an earlier calendar does not have, or that is given too."""
        names, own = set(known), set(self.frame["event_id"])
        for number, event_id in self.rows.drops.items():
            why = ""
            if event_id in own:
                why = "drop is 1, and another row gives the same event; keep one of the two rows"
            elif event_id not in names:
                why = (
                    "drop is 1, and there is no such event to leave out"
                    f"{near_word(event_id, names) or ';'} correct its event_id"
                )
            if why:
                self.rows.bad.append(BadRow(number, printable(event_id), why))


def read_event_table(source: object) -> EventTable:
    """Read events from a CSV or Parquet file or from a DataFrame, and check every row.

    Nothing is raised for a row that cannot be used: it is in `EventTable.rows`, which refuses all at once.

    Raises:
        ParameterError: the source is no path and no table.
        DataError: the file cannot be read, or has other columns.
    """
    rows = read_own_rows(source, EVENTS_FORMAT)
    checked: list[dict[str, object]] = []
    first_row: dict[str, int] = {}
    for number, row in rows.rows.items():
        event_id = row["event_id"]
        event, wrong = _checked(row)
        if event_id in first_row:
            wrong.insert(0, f"event_id is already used in row {first_row[event_id]}; give each event its own")
        elif event_id:
            first_row[event_id] = number
        if wrong:
            rows.bad.append(BadRow(number, printable(event_id), "; ".join(wrong)))
        else:
            checked.append(event)
    own = [name for name in rows.columns if name and name not in EVENTS_FORMAT.columns]
    frame = pd.DataFrame(checked, columns=[*COLUMNS, *own, "known_at"])
    numbers = {"direction": "int64", "severity": "int64", "core": "int64"}
    frame = frame.astype(dict.fromkeys([*COLUMNS, *own], "str") | numbers)
    frame["known_at"] = pd.DatetimeIndex(frame["known_at"], tz="UTC").as_unit("ns")
    return EventTable(in_order(frame), rows)


def read_event_file(source: object) -> pd.DataFrame:
    """Read events, as `read_event_table` does, and refuse all rows that cannot be used in one message.

    Raises:
        DataError: naming the rows (as a spreadsheet numbers them, the header being row 1) and event_ids.
    """
    table = read_event_table(source)
    table.rows.refuse_bad()
    return table.frame


def write_event_file(path: object, frame: pd.DataFrame) -> None:
    """Write events as a CSV or Parquet file from which the same frame is read again, or refuse.

    Raises:
        ParameterError: the path cannot be written.
        DataError: naming the first event that would not be read again as it is.
    """

    def is_same(staged: Path) -> bool:
        return read_event_file(staged).equals(frame)

    write_own_rows(path, *event_rows(frame), "events", is_same)


def event_csv(frame: pd.DataFrame) -> str:
    """Return events as the text of a CSV file."""
    return csv_text(*event_rows(frame))


def event_rows(frame: pd.DataFrame) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns of an event file and its rows as text."""
    taken = [name for name in (FORMAT, DROP) if name in frame]
    if taken:
        raise DataError(f"the events have a column {taken[0]}, which is the file's own; rename it")
    columns = [*(str(name) for name in frame.columns), FORMAT]
    texts = {str(name): frame[name].astype("str") for name in frame.columns if name != "known_at"}
    texts["known_at"] = pd.Series([moment.isoformat() for moment in frame["known_at"]], dtype="str")
    lines = zip(*(texts[name] for name in columns[:-1]), strict=True)
    return columns, [dict(zip(columns, [*line, EVENTS_FORMAT.said], strict=True)) for line in lines]


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort events by `known_at`, ties by event_id, so that sums over them always add up in one order."""
    return frame.sort_values(["known_at", "event_id"], kind="stable", ignore_index=True)


def _checked(row: dict[str, str]) -> tuple[dict[str, object], list[str]]:
    """Return a row as an event, and what is wrong with it."""
    wrong = []
    for name, fix in (
        ("event_id", "give every event a name of its own"),
        ("title", "say in a few words what happened"),
    ):
        if not row[name]:
            wrong.append(f"{name} is blank; {fix}")
    if row["channel"] not in CHANNELS:
        wrong.append(
            f"unknown channel {shown(row['channel'])}{near_word(row['channel'], CHANNELS)}"
            f"{'' if near_word(row['channel'], CHANNELS) else ';'} use one of {', '.join(CHANNELS)}"
        )
    direction, severity, core = (whole(row[name]) for name in ("direction", "severity", "core"))
    for column, value, allowed, meaning in (
        ("direction", direction, _DIRECTION, "1 (escalation) or -1 (relief)"),
        ("severity", severity, _SEVERITY, "a whole number from 1 to 5"),
        ("core", core, _CORE, "0 or 1"),
    ):
        if value not in allowed:
            wrong.append(f"{column} is {shown(value)}; it must be {meaning}")
    wrong += [
        f"affected names {shown(word.strip())}; it must be all, adr, hk or sector:internet and such, "
        "separated by semicolons"
        for word in (row["affected"].split(";") if row["affected"] else ())
        if not AFFECTED.fullmatch(word.strip())
    ]
    wrong += [
        f"{name} is {shown(row[name])}; it must be high, medium, low or blank"
        for name in ("confidence", "ref_confidence")
        if row[name] not in ("", *CONFIDENCE)
    ]
    known_at = None
    try:
        known_at = _known_at(row)
    except ValueError as error:
        wrong.append(str(error))
    event: dict[str, object] = {
        **row,
        "direction": _DIRECTION.get(direction),
        "severity": _SEVERITY.get(severity),
        "core": _CORE.get(core),
        "known_at": known_at,
    }
    return event, wrong


def _known_at(row: dict[str, str]) -> datetime:
    """Return the first moment at which an event could have been acted on.

    Raises:
        ValueError: with the reason why there is none.
    """
    zone = source_zone(row["source_name"])
    announced, effective, given = (
        _moment(row, name) for name in ("announced_at", "effective_on", "known_at")
    )
    if given is None:
        if announced is None:
            took_effect = f" although it took effect on {effective}" if effective else ""
            raise ValueError(
                f"announced_at is blank{took_effect}, so nobody could have known it; give the date it was "
                "first public"
            )
        if isinstance(announced, datetime) and announced.time() == time.min:
            # A date becomes this where a program gives it a time zone, and nobody knew at its first second.
            raise ValueError(
                f"announced_at {announced.isoformat()} is midnight, as of a date that was given a time zone; "
                f"write the bare date {announced.date()}, or say in known_at that it is the moment"
            )
        return _end(announced, zone)
    if not isinstance(given, datetime):
        raise ValueError(
            f"known_at {given} has no time; write a moment such as 2025-04-02T16:00-04:00, or leave it blank"
        )
    if announced is not None and given < _start(announced, zone):
        raise ValueError(
            f"known_at {given.isoformat()} is before announced_at {announced.isoformat()}; nothing is known "
            "before it is public"
        )
    if announced is None and effective is not None and _end(effective, zone) < given:
        raise ValueError(
            f"effective_on {effective.isoformat()} is before known_at {given.isoformat()} and announced_at "
            "is blank; give the date it was first public"
        )
    return given.astimezone(UTC)


def announced_from(text: str, source_name: str) -> datetime | None:
    """Return when what was announced at a date or moment could be known at the earliest; None where blank.

    Args:
        text: as in a column announced_at.
        source_name: whose date it is.

    Raises:
        ValueError: for other text, with what is wrong with it.
    """
    announced = _moment({"announced_at": text}, "announced_at")
    return None if announced is None else _start(announced, source_zone(source_name))


def _moment(row: dict[str, str], column: str) -> date | datetime | None:
    if not row[column]:
        return None
    try:
        return parse_moment(row[column])
    except ValueError as error:
        raise ValueError(f"{column} {error}") from None


def _start(moment: date, zone: ZoneInfo) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time.min, zone)


def _end(moment: date, zone: ZoneInfo) -> datetime:
    moment = moment if isinstance(moment, datetime) else datetime.combine(moment, _END_OF_DAY, zone)
    return moment.astimezone(UTC)


@cache
def source_zones() -> dict[str, ZoneInfo]:
    """Time zone of every announcing body in `data/sources.csv`, by its name in lower case.

    Joint announcements have the zone whose day ends last, so that no event is known too early.
    """
    with SOURCE_ZONES.open(encoding="utf-8", newline="") as file:
        return {row["source_name"].casefold(): ZoneInfo(row["time_zone"]) for row in csv.DictReader(file)}


def source_zone(source_name: str) -> ZoneInfo:
    """Time zone in which a bare date of this source ends: New York where the source is not in the table."""
    return source_zones().get(source_name.casefold(), ZoneInfo("America/New_York"))
