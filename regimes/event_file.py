"""Reading an event file: every row checked, and the moment from which it could be acted on derived."""

from __future__ import annotations

import csv
import re
from datetime import UTC, date, datetime, time
from functools import cache
from os import PathLike
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from entrepot.errors import DataError, ParameterError, shown
from entrepot.regimes.arguments import kind, short

CHANNELS = ("tariff", "delisting", "investment_restriction", "export_control", "sanction", "policy_support")
REQUIRED_COLUMNS = ("event_id", "announced_at", "channel", "direction", "severity", "source_name")
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
BUNDLED_EVENTS = Path(__file__).parent / "data" / "events.csv"
SOURCE_ZONES = Path(__file__).parent / "data" / "sources.csv"

_DIRECTION = {"1": 1, "+1": 1, "-1": -1}
_SEVERITY = {str(severity): severity for severity in range(1, 6)}
_CORE = {"": 0, "0": 0, "1": 1}
_BARE_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_END_OF_DAY = time(23, 59, 59)
_YEARS = range(1900, 2200)  # wide enough for any event, inside what a nanosecond timestamp can hold


def read_event_file(path: str | Path) -> pd.DataFrame:
    """Read and check a CSV file of events.

    Args:
        path: a CSV file with at least the columns event_id, announced_at, channel, direction, severity and
            source_name; the other columns of the bundled calendar may be left out, columns of one's own are
            kept as text. `known_at`, when given, needs a UTC offset; where blank it is derived.

    Returns:
        One row per event in order of `known_at`, then event_id: the columns of the bundled calendar
        (direction, severity and core as integers, the rest text as written), those of one's own, and
        `known_at` (datetime64[ns, UTC]).

    Raises:
        DataError: naming the row (as a spreadsheet numbers it, the header being row 1) and the event_id.
    """
    if not isinstance(path, (str, PathLike)):
        raise ParameterError(f"path is {kind(path)}: give the path of a CSV file of events.")
    path = Path(path)
    header, rows = _read_rows(path)
    checked: list[dict[str, object]] = []
    first_row: dict[str, int] = {}
    for number, row in rows:
        event_id = row["event_id"]
        where = f"{short(path.name)} row {number}" + (f" ({short(event_id)})" if event_id else "")
        if not event_id:
            raise DataError(f"{where}: event_id is blank; give every event a name of its own.")
        if event_id in first_row:
            raise DataError(
                f"{where}: event_id is already used in row {first_row[event_id]}; give each event its own."
            )
        first_row[event_id] = number
        checked.append(_check_row(row, where))
    own = [name for name in header if name not in COLUMNS and name != "known_at"]
    frame = pd.DataFrame(checked, columns=[*COLUMNS, *own, "known_at"])
    whole = {"direction": "int64", "severity": "int64", "core": "int64"}
    frame = frame.astype(dict.fromkeys([*COLUMNS, *own], "str") | whole)
    frame["known_at"] = pd.DatetimeIndex(frame["known_at"], tz="UTC").as_unit("ns")
    return in_order(frame)


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort events by `known_at`, ties by event_id, so that sums over them always add up in one order."""
    return frame.sort_values(["known_at", "event_id"], kind="stable", ignore_index=True)


def _read_rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [[cell.strip() for cell in line] for line in csv.reader(file)]
    except (UnicodeDecodeError, csv.Error):
        raise DataError(f"{short(path.name)} is not a CSV file in UTF-8; save it as CSV UTF-8.") from None
    except (OSError, ValueError):  # a NUL in the path is a ValueError
        text = " ".join(str(path).split())
        raise DataError(
            f"{text if len(text) <= 60 else '...' + text[-57:]!r} cannot be read as an event file; give the "
            "path of a CSV file, or nothing for the bundled calendar."
        ) from None
    header = lines[0] if lines else []
    missing = [name for name in REQUIRED_COLUMNS if name not in header]
    if missing:
        raise DataError(
            f"{short(path.name)} has no column {', '.join(missing)}; an event file needs "
            f"{', '.join(REQUIRED_COLUMNS)}."
        )
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise DataError(
            f"{short(path.name)} has column {short(', '.join(repeated))} more than once; keep one of each."
        )
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not any(line):
            continue
        if len(line) > len(header) and any(line[len(header) :]):
            raise DataError(
                f"{short(path.name)} row {number} ({short(line[0])}): {len(line)} cells under a header "
                f"of {len(header)}; put a text that contains a comma between double quotes."
            )
        line += [""] * (len(header) - len(line))
        rows.append((number, dict(zip(header, line, strict=False))))
    return [name for name in header if name], rows


def _check_row(row: dict[str, str], where: str) -> dict[str, object]:
    source = row["source_name"]
    if not source:
        raise DataError(f"{where}: source_name is blank; an event needs a source, name who announced it.")
    if row["channel"] not in CHANNELS:
        raise DataError(
            f"{where}: unknown channel {shown(row['channel'])}; use one of {', '.join(CHANNELS)}."
        )
    direction, severity, core = (whole(row.get(name, "")) for name in ("direction", "severity", "core"))
    for column, value, allowed, meaning in (
        ("direction", direction, _DIRECTION, "1 (escalation) or -1 (relief)"),
        ("severity", severity, _SEVERITY, "a whole number from 1 to 5"),
        ("core", core, _CORE, "0 or 1"),
    ):
        if value not in allowed:
            raise DataError(f"{where}: {column} is {shown(value)}; it must be {meaning}.")
    return {
        **dict.fromkeys(COLUMNS, ""),
        **row,
        "direction": _DIRECTION[direction],
        "severity": _SEVERITY[severity],
        "core": _CORE[core],
        "known_at": _known_at(row, where),
    }


def whole(text: str) -> str:
    """Return a whole number without the ".0" that pandas writes after it."""
    return re.sub(r"\.0+$", "", text)


def _known_at(row: dict[str, str], where: str) -> datetime:
    zone = source_zone(row["source_name"])
    announced = _moment(row["announced_at"], "announced_at", where)
    effective = _moment(row.get("effective_on", ""), "effective_on", where)
    given = _moment(row.get("known_at", ""), "known_at", where)
    if given is None:
        if announced is None:
            took_effect = f" although it took effect on {effective}" if effective else ""
            raise DataError(
                f"{where}: announced_at is blank{took_effect}, so nobody could have known it; give the "
                "date it was first public."
            )
        return _end(announced, zone)
    if not isinstance(given, datetime):
        raise DataError(
            f"{where}: known_at {given} has no time; write a moment such as 2025-04-02T16:00-04:00, or leave "
            "it blank."
        )
    if announced is not None and given < _start(announced, zone):
        raise DataError(
            f"{where}: known_at {given.isoformat()} is before announced_at {announced.isoformat()}; "
            "nothing is known before it is public."
        )
    if announced is None and effective is not None and _end(effective, zone) < given:
        raise DataError(
            f"{where}: effective_on {effective.isoformat()} is before known_at {given.isoformat()} and "
            "announced_at is blank; give the date it was first public."
        )
    return given.astimezone(UTC)


def _moment(text: str, column: str, where: str) -> date | datetime | None:
    if not text:
        return None
    try:
        moment = date.fromisoformat(text) if _BARE_DATE.fullmatch(text) else datetime.fromisoformat(text)
    except ValueError:
        moment = None
    is_date_only = _BARE_DATE.fullmatch(text) or not re.search("[T :]", text)
    if moment is None or moment.year not in _YEARS or (isinstance(moment, datetime) and is_date_only):
        raise DataError(
            f"{where}: {column} {shown(text)} is not a date; write 2025-04-02, or 2025-04-02T16:00-04:00 "
            "where the time is known."
        )
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise DataError(
            f"{where}: {column} {shown(text)} has a time without a UTC offset; write 2025-04-02T16:00-04:00, "
            "or the bare date where the time is not established."
        )
    return moment


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
