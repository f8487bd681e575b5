"""Events of one's own: rows, files, frames and questions that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from robustness.cases import Case
from robustness.small import LOOSE_TIMES, market

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.regimes import Events, load_events

HEADER = "event_id,announced_at,channel,direction,severity,title"
MORE = HEADER + ",effective_on,source_name,affected,confidence,core,known_at,drop,format"
GOOD = "ours,2024-02-01,tariff,1,2,Tariffs announced"
REST = ",2024-03-01,USTR,adr;sector:semis,high,1,2024-02-01T15:00-05:00,,events 1"

# Cells of a good row that are changed, and what is told.
BAD_ROWS: list[tuple[dict[str, str], str]] = [
    ({"event_id": ""}, "row 2: event_id is blank; give every event a name of its own"),
    ({"title": ""}, "row 2 (ours): title is blank; say in a few words"),
    ({"announced_at": "soon"}, "announced_at 'soon' is not a date; write 2025-04-02"),
    ({"announced_at": "45291"}, "number of one; format the column as text and write 2023-12-31"),
    ({"announced_at": "44630.5"}, "format the column as text and write 2022-03-10"),
    ({"announced_at": "3/10/2022"}, "'3/10/2022' is not a date that can be read in one way only; write"),
    ({"announced_at": "10.03.2022"}, "in one way only; write 2025-04-02, year first"),
    ({"announced_at": "10-03-2022"}, "in one way only; write 2025-04-02, year first"),
    ({"announced_at": "2022/03/10"}, "in one way only; write 2025-04-02, year first"),
    ({"announced_at": "2024-02-30"}, "announced_at '2024-02-30' is not a date"),
    ({"announced_at": "20240201"}, "announced_at '20240201' is not a date"),
    ({"announced_at": "2024-W05-4"}, "announced_at '2024-W05-4' is not a date"),
    ({"announced_at": "0024-02-01"}, "announced_at '0024-02-01' is not a date"),
    ({"announced_at": "2400-02-01"}, "announced_at '2400-02-01' is not a date"),
    ({"announced_at": "Feb 1 2024"}, "announced_at 'Feb 1 2024' is not a date"),
    ({"announced_at": "2024-02"}, "announced_at '2024-02' is not a date"),
    ({"announced_at": "2024-02-01T10:00"}, "has a time without a UTC offset; write 2025-04-02T16:00-04:00"),
    ({"announced_at": "2024-02-01 00:00:00"}, "has a time without a UTC offset"),
    ({"announced_at": "2024-02-01T25:00-05:00"}, "'2024-02-01T25:00-05:00' is not a date"),
    ({"announced_at": "2024-02-01T10:00-99:00"}, "'2024-02-01T10:00-99:00' is not a date"),
    ({"announced_at": "2024-02-01T10:00+18:00", "known_at": ""}, "has an offset that no clock has"),
    ({"known_at": "2024-02-01T23:00-12:30"}, "known_at '2024-02-01T23:00-12:30' has an offset that no clock"),
    (
        {"announced_at": "2024-02-01T00:00+08:00", "known_at": ""},
        "announced_at 2024-02-01T00:00:00+08:00 is midnight, as of a date that was given a time zone; write "
        "the bare date 2024-02-01, or say in known_at that it is the moment",
    ),
    ({"announced_at": "2024-02-01T10:00 EST"}, "'2024-02-01T10:00 EST' is not a date"),
    ({"announced_at": "", "known_at": ""}, "announced_at is blank although it took effect on 2024-03-01"),
    ({"announced_at": "", "known_at": "", "effective_on": ""}, "announced_at is blank, so nobody could"),
    ({"announced_at": "", "effective_on": "2024-01-15"}, "effective_on 2024-01-15 is before known_at"),
    ({"effective_on": "in March"}, "effective_on 'in March' is not a date"),
    ({"effective_on": "45352"}, "effective_on '45352' is not a date but a spreadsheet's number"),
    ({"effective_on": "2024-03-01 09:00"}, "effective_on '2024-03-01 09:00' has a time without"),
    ({"known_at": "2024-02-01"}, "known_at 2024-02-01 has no time; write a moment such as"),
    ({"known_at": "2024-02-01T15:00"}, "known_at '2024-02-01T15:00' has a time without a UTC offset"),
    ({"known_at": "2024-01-31T23:59-05:00"}, "is before announced_at 2024-02-01; nothing is known before"),
    (
        {"announced_at": "2024-02-01T15:01-05:00"},
        "known_at 2024-02-01T15:00:00-05:00 is before announced_at 2024-02-01T15:01:00-05:00",
    ),
    ({"channel": "tarif"}, "unknown channel 'tarif', did you mean tariff? use one of tariff, delisting"),
    ({"channel": "Delisting"}, "unknown channel 'Delisting', did you mean delisting?"),
    ({"channel": "taxes"}, "unknown channel 'taxes'; use one of tariff, delisting, investment_restriction"),
    ({"channel": ""}, "unknown channel ''; use one of"),
    ({"direction": "0"}, "direction is '0'; it must be 1 (escalation) or -1 (relief)"),
    ({"direction": "up"}, "direction is 'up'; it must be 1"),
    ({"direction": ""}, "direction is ''; it must be 1"),
    ({"direction": "1.5"}, "direction is '1.5'; it must be 1"),
    ({"severity": "0"}, "severity is '0'; it must be a whole number from 1 to 5"),
    ({"severity": "6"}, "severity is '6'; it must be a whole number"),
    ({"severity": "2.5"}, "severity is '2.5'; it must be a whole number"),
    ({"severity": "high"}, "severity is 'high'; it must be a whole number"),
    ({"severity": ""}, "severity is ''; it must be a whole number"),
    ({"affected": "adrs"}, "affected names 'adrs'; it must be all, adr, hk or sector:internet and such"),
    ({"affected": "adr;"}, "affected names ''; it must be all, adr, hk or sector"),
    ({"affected": "sector:"}, "affected names 'sector:'; it must be"),
    ({"affected": "adr|hk"}, "separated by semicolons"),
    ({"confidence": "sure"}, "confidence is 'sure'; it must be high, medium, low or blank"),
    ({"core": "yes"}, "core is 'yes'; it must be 0 or 1"),
    ({"drop": "yes"}, "drop is 'yes'; it must be 1, or blank"),
    ({"drop": "1", "event_id": ""}, "row 2: drop is 1 and event_id blank; name what shall be left out"),
    (
        {"title": "two, texts"},
        "15 cells under a header of 14; put a text that contains a comma between double",
    ),
    ({"title": "a\x1b[31mred"}, r"title 'a\x1b[31mred' holds a control character; delete it"),
    ({"event_id": "a\x9bb"}, r"row 2 (a\x9bb): event_id 'a\x9bb' holds a control character"),
    ({"title": "a\x00b"}, r"title 'a\x00b' holds a control character"),
    ({"format": "events 2"}, "format is 'events 2', and this version of entrepot reads up to 'events 1'"),
    ({"format": "listings 1"}, "format is 'listings 1'; a table of events says 'events 1'"),
    ({"format": "events 0"}, "format is 'events 0'; a table of events says 'events 1'"),
    ({"format": "2"}, "format is '2'; a table of events says 'events 1'"),
]

# A whole file, and what is told.
BAD_FILES: list[tuple[bytes, str]] = [
    (b"", "sheet.csv is empty: it has no column event_id, announced_at, channel, direction, severity, title"),
    (b"\n\n", "is empty"),
    (b"event_id,title\na,b\n", "has no column announced_at, channel, direction, severity; a table of events"),
    (f"{HEADER}\n".replace("title", "Title").encode(), "'Title' (is title meant?)"),
    (f"{HEADER}\n".replace("event_id", "Event ID").encode(), "'Event ID' (is event_id meant?)"),
    (
        (HEADER + ",efective_on\n").encode(),
        "a column 'efective_on' (is effective_on meant?); correct",
    ),
    ((HEADER + ",known at\n").encode(), "a column 'known at' (is known_at meant?)"),
    ((HEADER + ",channel\n").encode(), "has column channel more than once; keep one of each"),
    (
        (HEADER + ",,notes\n" + GOOD + ",x,y\n").encode(),
        "column 7 has cells but no name; name it or empty",
    ),
    (
        f"{HEADER}\n".replace(",", ";").encode(),
        "separates its columns by semicolons or tabs; save it with",
    ),
    (f"{HEADER}\n".replace(",", "\t").encode(), "separates its columns by semicolons or tabs"),
    (
        f"{HEADER}\n{GOOD} \xe9\n".encode("latin-1"),
        "is not a CSV file in UTF-8: line 2 is in another encoding",
    ),
    (f"{HEADER}\n{GOOD}\n".encode("utf-16"), "is not a CSV file in UTF-8: line 1"),
    (
        f'{HEADER}\nours,2024-02-01,tariff,1,2,"open\n{GOOD}\n'.encode(),
        "from row 2 on: a double quote is not",
    ),
    (f'{HEADER}\nours,2024-02-01,tariff,1,2,"a" b\n'.encode(), "stands inside a quoted text"),
    (f"{HEADER}\n{GOOD}".encode(), "ends without a line break, so it may have been cut short: add one if it"),
    (f"{HEADER}\n{GOOD}\nours,2024-02".encode(), "ends within a row, 'ours,2024-02', without a line break"),
    ((HEADER + ",x\x1b[2J\n").encode(), r"a column 'x\x1b[2J' with a control character"),
    (
        ("format," + HEADER + "\nevents 3," + GOOD + "\n").encode(),
        "reads up to 'events 1'; install a newer",
    ),
]

# What is asked of a calendar, and what is told.
BAD_QUESTIONS: list[tuple[dict[str, Any], str]] = [
    ({"channel": "tarif"}, "channel 'tarif' is unknown, did you mean tariff?"),
    ({"channel": []}, "channel is \\[\\]: give a word"),
    ({"channel": 5}, "channel is 5: give a word"),
    ({"direction": 0}, "direction is 0: give 1 or 'escalation'"),
    ({"direction": "up"}, "direction is 'up'"),
    ({"severity": 0}, "severity is 0: give the least"),
    ({"severity": 2.5}, "severity is 2.5"),
    ({"severity": "3"}, "severity is '3'"),
    ({"core": 1}, "core is 1: give True"),
    ({"affected": None, "between": "2024"}, "between is '2024': give the first and the last date"),
    ({"between": ("2024-01-02", "2024-01-01")}, "between ends 2024-01-01 before it begins"),
    ({"between": ("1/2/2024", None)}, "between: '1/2/2024' is not a date"),
    ({"between": (20240101, None)}, "between: 20240101 is not a date"),
    ({"between": (pd.NaT, None)}, "between: NaT is not a date"),
    ({"between": (None, np.nan)}, "between: nan is not a date"),
    (
        {"affected": "ADR"},
        "affected 'ADR' is unknown, did you mean adr\\? use all, adr, hk, or sector: and",
    ),
    ({"affected": ["adr", "sector"]}, "affected 'sector' is unknown"),
    ({"affected": ""}, "affected '' is unknown; use all, adr, hk"),
    ({"search": " "}, "search is ' ': give words"),
]

FRAME_ROW: dict[str, Any] = {
    "event_id": "a",
    "announced_at": "2022-03-10",
    "channel": "tariff",
    "direction": 1,
    "severity": 2,
    "known_at": "2022-03-11T12:00Z",
}
# Cells of a good row of a frame that are changed, and what `Events(frame)` tells.
BAD_FRAME_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"event_id": ""}, "event_id is blank"),
    ({"event_id": None}, "event_id is blank"),
    ({"channel": "x"}, "channel is .*; it must be one of"),
    ({"channel": 5}, "channel is .*; it must be one of"),
    ({"direction": 0}, "direction is .*; it must be"),
    ({"direction": np.inf}, "direction is .*; it must be"),
    ({"severity": 0}, "severity is .*; it must be"),
    ({"severity": 6}, "severity is .*; it must be"),
    ({"severity": 2.5}, "severity is .*; it must be"),
    ({"severity": "high"}, "severity is .*; it must be"),
    ({"severity": None}, "severity is .*; it must be"),
    ({"known_at": "2022-03-11"}, "UTC offset"),
    ({"known_at": None}, "UTC offset"),
    ({"known_at": "x"}, "UTC offset"),
    ({"known_at": 1646899200}, "UTC offset"),
    ({"known_at": pd.Timestamp("2022-03-11")}, "UTC offset"),
    *(
        ({"known_at": text}, "known_at is '.*'; it must be a moment with a UTC offset")
        for text in LOOSE_TIMES
    ),
    ({"known_at": "2022-03-09T12:00Z"}, "is before announced_at 2022-03-10; nothing is known before it is"),
    ({"announced_at": "2022-03-11T12:00:01Z"}, "is before announced_at 2022-03-11T12:00:01Z"),
    ({"announced_at": "1/1/2030"}, "announced_at '1/1/2030' is not a date that can be read in one way only"),
    ({"announced_at": "2030-1-1"}, "announced_at '2030-1-1' is not a date; write 2025-04-02"),
    ({"announced_at": "Jan 2030"}, "announced_at 'Jan 2030' is not a date; write 2025-04-02"),
    ({"announced_at": 20300101}, "announced_at '20300101' is not a date; write 2025-04-02"),
    ({"announced_at": "2022-03-10T12:00"}, "announced_at .* has a time without a UTC offset"),
    ({"severity": True}, "severity is .*True_?; it must be a whole number from 1 to 5"),
    ({"direction": True}, "direction is .*True_?; it must be 1"),
    ({"core": 0.5}, "core is .*0.5.?; it must be 1 or 0"),
    ({"core": "yes"}, "core is 'yes'; it must be 1 or 0"),
    ({"event_id": "a\nb" * 99, "severity": 9}, "severity is .*; it must be"),
]

CALENDAR = load_events()
BAD_CALLS: dict[str, tuple[Callable[[Path], Any], type[EntrepotError], str]] = {
    "a calendar of nothing": (lambda f: Events(None), ParameterError, "frame is None: give a table"),
    "a calendar of a list": (lambda f: Events([FRAME_ROW]), ParameterError, "frame is"),
    "an event twice in a frame": (lambda f: Events(pd.DataFrame([FRAME_ROW] * 2)), DataError, "used twice"),
    "a frame without severities": (
        lambda f: Events(pd.DataFrame([FRAME_ROW]).drop(columns="severity")),
        DataError,
        "no column severity",
    ),
    "half a character": (
        lambda f: Events(
            pd.DataFrame([FRAME_ROW | {"notes": "x"}]).astype({"notes": object}).replace("x", "\ud800")
        ),
        DataError,
        "half a character",
    ),
    "a spreadsheet": (
        lambda f: load_events(file(f, b"PK", "a.xlsx")),
        DataError,
        "is a spreadsheet; save its",
    ),
    "a damaged Parquet file": (
        lambda f: load_events(file(f, b"PAR1 no", "a.parquet")),
        DataError,
        "cannot be read as a Parquet file",
    ),
    "a file that is not there": (
        lambda f: load_events(f / "absent.csv"),
        DataError,
        "cannot be read as a table",
    ),
    "a folder": (lambda f: load_events(f), DataError, "cannot be read as a table of events .Is a directory"),
    "a number as path": (lambda f: load_events(5), ParameterError, "path is 5: give the path of a CSV"),
    "no path at all": (lambda f: load_events([]), ParameterError, "path is an empty list"),
    "a series": (lambda f: load_events(pd.Series([1])), ParameterError, "path is of type Series"),
    "a frame of polars": (
        lambda f: load_events(pl.DataFrame({"event_id": [1]})),
        DataError,
        "has no column announced_at",
    ),
    "an empty frame": (lambda f: load_events(pd.DataFrame()), DataError, "the table of events is empty"),
    "columns of several levels": (
        lambda f: load_events(pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")]))),
        DataError,
        "columns of several levels",
    ),
    "an event to leave out that is misspelt": (
        lambda f: load_events(drop="s301-mem"),
        ParameterError,
        "did you mean s301-memo",
    ),
    "a number to leave out": (lambda f: load_events(drop=5), ParameterError, "drop is 5"),
    "a blank to leave out": (lambda f: CALENDAR.without(""), ParameterError, "there is no event ''"),
    "a frame to merge": (
        lambda f: CALENDAR.merge(CALENDAR.frame),
        ParameterError,
        "merge was given a DataFrame",
    ),
    "known by a bare date": (lambda f: CALENDAR.known_by("2022-03-10"), ParameterError, "UTC offset"),
    **{
        f"known by {text!r}": (
            lambda f, text=text: CALENDAR.known_by(text),
            ParameterError,
            "'.*' is not a moment with a UTC offset, which known_by needs; write 2022-03-10T18:00Z",
        )
        for text in LOOSE_TIMES
    },
    "known by no time": (lambda f: CALENDAR.known_by(pd.NaT), ParameterError, "UTC offset"),
    "intensity on no grid": (lambda f: CALENDAR.intensity(None), ParameterError, "the grid is None"),
    "intensity on dates without a zone": (
        lambda f: CALENDAR.intensity(pd.date_range("2021-01-04", periods=3)),
        DataError,
        "time zone",
    ),
    **{
        f"intensity on a grid of {text!r}": (
            lambda f, text=text: CALENDAR.intensity(pd.DataFrame({"time": [text]})),
            DataError,
            "the grid's column time does not hold times; give market.grid",
        )
        for text in LOOSE_TIMES
    },
    "intensity on times out of order": (
        lambda f: CALENDAR.intensity(market().grid.iloc[::-1]),
        DataError,
        "must ascend",
    ),
    **{
        f"{name} on a grid of the year {year}": (
            lambda f, name=name, year=year: getattr(CALENDAR, name)(
                pd.DatetimeIndex([f"{year}-01-01"], dtype="datetime64[s, UTC]")
            ),
            DataError,
            f"the grid runs from .*{year}-01-01 .*; give times from 1700 to 2200",
        )
        for name in ("intensity", "scheduled", "next_scheduled")
        for year in ("9999", "0001")
    },
    "a half-life of nothing": (
        lambda f: CALENDAR.intensity(market().grid, half_life=0),
        ParameterError,
        "half_life=0 must be",
    ),
    "a half-life of no clock": (
        lambda f: CALENDAR.intensity(market().grid, half_life=5e-324),
        ParameterError,
        "half_life=5e-324",
    ),
    "a half-life that no float holds": (
        lambda f: CALENDAR.intensity(market().grid, half_life=10**400),
        ParameterError,
        "half_life=1000",
    ),
    "unknown marks": (
        lambda f: CALENDAR.intensity(market().grid, marks="double"),
        ParameterError,
        "double",
    ),
    "an unknown channel": (
        lambda f: CALENDAR.intensity(market().grid, channels="taxes"),
        ParameterError,
        "unknown channel taxes",
    ),
    "channels in an array without length": (
        lambda f: CALENDAR.intensity(market().grid, channels=np.array("tariff")),
        ParameterError,
        "channels is",
    ),
    "a process that explodes": (
        lambda f: CALENDAR.intensity(market().grid, hawkes=0.5),
        ParameterError,
        "hawkes is 0.5",
    ),
    "sessions ahead below none": (
        lambda f: CALENDAR.scheduled(market().grid, within_sessions=-1),
        ParameterError,
        "within_sessions is -1",
    ),
    "a calendar without titles to save": (
        lambda f: Events(CALENDAR.frame.iloc[:1].assign(title="")).save(f / "a.csv"),
        DataError,
        "could not be read again",
    ),
    "an effective date that is none": (
        lambda f: Events(
            pd.DataFrame(
                [FRAME_ROW | {"known_at": "2021-01-05T12:00Z", "announced_at": "", "effective_on": "soon"}]
            )
        ).scheduled(market().grid),
        DataError,
        "effective_on soon is not a date",
    ),
}


def file(folder: Path, content: bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def row(**cells: str) -> str:
    """A good row in all columns of MORE, some cells changed."""
    values = dict(zip(MORE.split(","), (GOOD + REST).split(","), strict=True)) | cells
    return ",".join(values[name] for name in MORE.split(","))


def told(cells: dict[str, Any]) -> str:
    """What is changed, for the name of a case."""
    return ", ".join(f"{name} {value!r}"[:60] for name, value in cells.items())


CASES = [
    *(
        Case(
            "rows of events",
            told(cells),
            lambda folder, cells=cells: load_events(
                file(folder, f"{MORE}\n{row(**cells)}\n".encode(), "mine.csv")
            ),
            DataError,
            "^mine.csv (?=row 2).*" + re.escape(words),
        )
        for cells, words in BAD_ROWS
    ),
    *(
        Case(
            "files of events",
            f"file {number} {words}",
            lambda folder, content=content: load_events(file(folder, content, "sheet.csv")),
            DataError,
            "^sheet.csv.*" + re.escape(words.removeprefix("sheet.csv ")),
        )
        for number, (content, words) in enumerate(BAD_FILES, start=1)
    ),
    *(
        Case(
            "frames of events",
            told(cells),
            lambda folder, cells=cells: Events(pd.DataFrame([FRAME_ROW | cells])),
            DataError,
            words,
        )
        for cells, words in BAD_FRAME_ROWS
    ),
    *(
        Case(
            "questions to a calendar",
            told(asked),
            lambda folder, asked=asked: CALENDAR.where(**asked),
            ParameterError,
            words,
        )
        for asked, words in BAD_QUESTIONS
    ),
    *(Case("events", name, call, error, words) for name, (call, error, words) in BAD_CALLS.items()),
]
