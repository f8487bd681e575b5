"""Maps of sectors that contradict themselves, and dates no map can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from robustness.cases import Case
from robustness.market_inputs import of_file, put

import entrepot as ep
from entrepot.errors import DataError, EntrepotError, ParameterError

AREA = "sectors"
HEADER = "symbol,sector,since,until\n"
# rows and words of the refusal
ROWS: list[tuple[str | bytes, str]] = [
    ("A,it,,2020-01-31\nA,auto,2020-01-31,\n", r"own.csv row 3 \(A\) overlaps with"),
    ("A,it,,2020-01-31\nB,it,,\nA,auto,2020-02-02,\n", r"row 4 \(A\) leaves days out after"),
    ("A,it,2020-02-01,\nA,auto,,\n", r"row 2 \(A\) overlaps with"),
    ("A,it,,\nA,auto,,\n", r"row 3 \(A\) overlaps with"),
    ("A,it,2020-02-01,2020-01-31\n", r"row 2 \(A\) ends before it begins"),
    ("A,it,1.2.2020,\n", r"row 2 \(A\) has since '1.2.2020': write a date as"),
    ("A,it,,soon\n", r"row 2 \(A\) has until 'soon'"),
    ("A,,,\n", r"row 2 \(A\) lacks a symbol or a sector"),
    (",it,,\n", r"row 2 \(\) lacks a symbol"),
    ("A,:x,,\n", "lacks a symbol or a sector"),
    ("A,unclassified,,\n", "lacks a symbol or a sector"),
]
ROWS += [
    (f"A,it,{day},\n", r"row 2 \(A\) has since '.*': write a date as 2018-09-28")
    for day in (
        "2020-02-30",
        "0001-01-01",
        "9999-12-31",
        "43831",
        "20200101",
        "01/02/2020",
        "2020-01-01 00:00",
    )
]
ROWS += [
    ("A,it,2020-02-01,2019-02-01\n", "ends before it begins: swap since and until"),
    ('A,"it,,\n', "cannot be read as a CSV file"),
    ("A,it,,,9\n", "cannot be read as a CSV file"),
    ("A,é,,\n".encode("latin-1"), "cannot be read as a CSV file"),
]


def own_map(folder: Path, text: str, header: str = "symbol,sector,since,until") -> object:
    """Load a map of some rows."""
    return ep.load_sectors(put(folder, f"{header}\n{text}", "own.csv"))


CALLS: list[tuple[Callable[[Path], object], type[EntrepotError], str]] = [
    (
        lambda p: own_map(p, "A,it,2\n", "symbol,sector,export_exposure"),
        DataError,
        "export_exposure '2': give 1",
    ),
    (lambda p: own_map(p, "A,it\n", "symbol,word"), DataError, "has no column sector"),
    (
        lambda p: own_map(p, "A,it:software\nB,au"),
        DataError,
        "own.csv.? ends without a line break, so it may have been cut short: add one if it is whole",
    ),
    (lambda p: own_map(p, "A,it:software\nB"), DataError, "ends within a row, 'B', without a line break"),
    (lambda p: own_map(p, "", ""), DataError, "cannot be read as a CSV file"),
    (lambda p: ep.load_sectors(p / "missing.csv"), DataError, "No such file.*: check the path"),
    (lambda p: ep.load_sectors(7), ParameterError, "path is 7: give the path"),
    (lambda p: ep.load_sectors().at("soon"), ParameterError, "'soon' is no date: write it as"),
    (lambda p: ep.load_sectors().at(2018), ParameterError, "2018 is no date"),
    (lambda p: ep.load_sectors().at(None), ParameterError, "None is no date"),
    (
        lambda p: ep.load_sectors().at(pd.Timestamp("2018-09-28", tz="UTC")),
        ParameterError,
        "without a time zone",
    ),
    (lambda p: ep.load_sectors().at("01/02/2020"), ParameterError, "'01/02/2020' is no date"),
    (lambda p: ep.load_sectors().at("2020-02-30"), ParameterError, "'2020-02-30' is no date"),
]

CASES = [
    *(
        of_file(
            AREA,
            f"rows {number}",
            HEADER.encode() + (rows if isinstance(rows, bytes) else rows.encode()),
            words,
            "own.csv",
            ep.load_sectors,
        )
        for number, (rows, words) in enumerate(ROWS, 1)
    ),
    *(Case(AREA, f"call {number}", *row) for number, row in enumerate(CALLS, 1)),
]
