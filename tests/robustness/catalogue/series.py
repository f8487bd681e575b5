"""Series by date that cannot be read, contradict themselves or would be known before they are announced."""

from __future__ import annotations

import gzip
import os
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from robustness.cases import Case
from robustness.market_inputs import of_file, of_files
from robustness.small import LOOSE_TIMES, market

import entrepot as ep
from entrepot.errors import DataError, EntrepotError, ParameterError

FILES, TIMES, ARGUMENTS = "series files", "times of series", "series arguments"
HEAD = "date,symbol,value\n"
GOOD = "date,value\n2024-01-02,1\n2024-01-03,2\n2024-01-04,3\n"
# content and words of the refusal
TEXTS: list[tuple[str, str]] = [
    (
        HEAD + "2024-01-02,A,1\n\n2024-01-02,A,2\n",
        r"row 4: 2024-01-02 of A is already in row 2; keep one",
    ),
    (HEAD + "2024-01-02,700.HK,1\n2024-01-02,0700.HK,2\n", r"row 3: 2024-01-02 of 0700.HK is already"),
    ("date,A\n2024-01-02,1\n2024-01-02,1\n", r"row 3: 2024-01-02 is already in row 2"),
    ("date,A\n2024-01-02,1\n2024-01-03,x1\n", r"row 3: A is 'x1'; give a finite number, or leave"),
    ("date,A\n2024-01-02,inf\n", r"row 2: A is 'inf'; give a finite"),
    ("date,A\n2024-01-02,nan\n", r"row 2: A is 'nan'"),
    ("date,A\n2024-01-02,N/A\n", r"row 2: A is 'N/A'"),
    ('date,A\n2024-01-02,"1,000"\n', r"row 2: A is '1,000'"),
    (HEAD + "2024-01-02,A,12%\n", r"row 2: value is '12%'"),
    (HEAD + "2024-01-02,,1\n", r"row 2: symbol is empty; fill it"),
    ("date,A\n02/01/2024,1\n", r"row 2: date is '02/01/2024'; write a date between 1970 and 2100"),
    ("date,A\n2024-02-30,1\n", r"row 2: date is '2024-02-30'"),
    ("date,A\n2024-01-02T09:00,1\n", r"without time of day or zone"),
    ("date,A\n1024-01-02,1\n", r"row 2: date is '1024-01-02'"),
    ("date,A\n,1\n", r"row 2: date is ''"),
    ("day,A\n2024-01-02,1\n", r"has the columns 'day, A': give it date, symbol and value, or date and"),
    ("date\n2024-01-02\n", r"has the columns 'date'"),
    ("date,symbol,price\n2024-01-02,A,1\n", r"give it date, symbol and value"),
    ("date,A,a \n2024-01-02,1,2\n", r"has the columns \['a'\] twice"),
    ("date,700.HK,0700.HK\n2024-01-02,1,2\n", r"has the columns '0700.HK' twice: keep one"),
    ("date,A\n", r"has no rows"),
    ("", r"is empty: it needs date, symbol and value"),
    ("date,A\n2024-01-02,\n2024-01-03,\n", r"holds no value at all"),
    ("date;A\n2024-01-02;1\n", r"separated by"),
    ("date,A\n2024-01-02,1,2\n", r"more cells than its header"),
    ("date,value,known_at\n2024-01-02,1,2024-01-02T18:00\n", r"row 2: known_at is .* with its offset"),
    ("date,value,known_at\n2024-01-02,1,\n", r"row 2: known_at is ''; give a time with its offset"),
    ("date,value,known_at\n2024-01-02,1,soon\n", r"row 2: known_at is 'soon'"),
    (
        "date,value,known_at\n2024-01-02,1,2024-01-01T23:59+08:00\n",
        r"row 2: known_at is .* before 2024-01-02 began in Asia/Hong_Kong",
    ),
    (
        "date,value,known_at\n2024-01-02,1,2024-01-05T00:00Z\n2024-01-03,1,2024-01-04T00:00Z\n",
        r"2024-01-03 is known before the date above it",
    ),
    ("date,A\n2024-01-02,1\n2024-01-09,1\n2024-01-16,1\n", r"dates up to 7 days apart and nothing says"),
    (
        "date,A\n2024-01-02,1\n2024-01-03,1\n2024-01-04,1\n2024-01-19,1\n2024-01-20,1\n",
        r"dates up to 15 days apart",
    ),
    ("date,A\n2024-01-02,1\n", r"has one date and nothing says .* give lag='15D'"),
]
# one cell in place of the second value
CELLS = ("2%", '"1,234"', "0x10", "1_0", "#N/A", "TRUE", "1e400", "-inf", "2\0", "(2)", "2.1.1", "\uff12")
# one date in place of the second
DAYS = (
    "03/01/2024",
    "2024-02-30",
    "2023-02-29",
    "2262-04-12",
    "0001-01-01",
    "9999-12-31",
    "2024-1-3",
    "20240103",
    "45294",
    "1704240000",
    "2024-01-03 16:00",
    "2024-01-03T00:00Z",
)
# one time in place of a good one
KNOWN = (
    "",
    "now",
    "2024-01-03",
    "2024-01-03 00:00",
    "2024-01-03T00:00+99:00",
    "9999-01-03T00:00Z",
    "2262-04-11T23:50Z",
    "1704240000",
    "2024-02-30T00:00Z",
    *LOOSE_TIMES,
)
WHOLE: list[tuple[str, str | bytes, str]] = [
    ("UTF-16", GOOD.encode("utf-16"), "no CSV but text in UTF-16"),
    ("Latin-1", (GOOD + "2024-01-05,é\n").encode("latin-1"), "not in UTF-8"),
    ("gzip", gzip.compress(GOOD.encode()), "no CSV but compressed by gzip"),
    ("null bytes", bytes(500), "null bytes"),
    ("a web page", "<html></html>\n", "it is a web page, not a CSV"),
    ("a quote that is not closed", GOOD.replace("2\n", '"2\n'), "cannot be read as CSV"),
    (
        "a last number cut off",
        GOOD.replace("3\n", "3"),
        "flow.csv ends without a line break, so it may have been cut short: add one if it is whole",
    ),
    (
        "a last row cut off",
        GOOD + "2024-01",
        "ends within a row, '2024-01', without a line break: it was cut",
    ),
    (
        "a last number of one symbol cut off",
        "date,A,B\n2024-01-02,1.5,1.75\n2024-01-03,1.5,1.",
        "flow.csv ends without a line break",
    ),
    ("a row with more cells", GOOD.replace("03,2", "03,2,5"), "cannot be read as CSV"),
]
# arguments in place of none
GIVEN: list[tuple[dict[str, Any], str]] = [
    ({"lag": 1}, r"lag is 1: give the time from the end of a date"),
    ({"lag": "-1D"}, r"lag is '-1D'"),
    ({"lag": "soon"}, r"lag is 'soon'"),
    ({"lag": "NaT"}, r"lag is 'NaT'"),
    ({"time_zone": "Hong Kong"}, r"time_zone is 'Hong Kong': give a name such as"),
    ({"time_zone": None}, r"time_zone is None"),
    ({"known_at": 5}, r"known_at is 5: give the name"),
    ({"source": 5}, r"load_series was given int"),
    ({"source": None}, r"load_series was given NoneType"),
    ({"lag": "15"}, r"lag is '15': give the time from the end of a date"),
    ({"lag": "0.5"}, r"lag is '0.5'"),
    ({"lag": "9999999D"}, r"lag is '9999999D'"),
    ({"lag": float("nan")}, r"lag is nan"),
    ({"lag": "one day"}, r"lag is 'one day'"),
    ({"time_zone": "Europe/../etc"}, r"time_zone is "),
    ({"source": ["a.csv"]}, r"load_series was given list"),
    *(
        ({"lag": lag}, "lag is .*: give the time .* in weeks, days, hours or minutes, .* '31D' for a month")
        for lag in ("1m", "1M", "P1M", "P1D", "1mo", "1 month", "1Y", "1Q", "1B", "1s", "1ms", "D", "1:00")
    ),
    ({"lag": "999999W"}, r"lag is '999999W'"),
    ({"lag": pd.Timedelta(days=-1)}, r"lag is Timedelta"),
    ({"lag": pd.NaT}, r"lag is NaT"),
]
DATES = pd.DatetimeIndex(["2021-02-01", "2021-02-02"])
EVENING = DATES.tz_localize("UTC") + pd.Timedelta(hours=20)
NET = pd.DataFrame({"BABA": [1.0, 2.0], "KWEB": [3.0, 4.0]}, index=DATES)
FLOW = ep.KnownSeries("flow", NET, EVENING)


def of_values(values: Any) -> ep.KnownSeries:
    """Load a table in memory of two dates."""
    return ep.load_series(pd.DataFrame({"date": ["2024-01-02", "2024-01-03"], "value": values}), name="x")


# what is asked of a series in memory
ASKED: dict[str, tuple[Any, type[EntrepotError], str]] = {
    "one column in text": (
        lambda: FLOW.only("BABA"),
        ParameterError,
        "only was given 'BABA': give a list of columns of flow, which are BABA, KWEB",
    ),
    "a column there is not": (lambda: FLOW.only(["BABA", "X"]), ParameterError, r"given \['BABA', 'X'\]"),
    "a column that is no text": (lambda: FLOW.only([["BABA"]]), ParameterError, r"given \[\['BABA'\]\]"),
    "no columns": (lambda: FLOW.only([]), ParameterError, r"given \[\]: give a list of columns"),
    "a number for columns": (lambda: FLOW.only(5), ParameterError, "only was given 5"),
    "columns of no market": (
        lambda: FLOW.for_symbols(None),
        ParameterError,
        "for_symbols was given None: give a market",
    ),
    "the latest in no market": (
        lambda: FLOW.latest(None, np.array([0])),
        ParameterError,
        "given None: give a market",
    ),
    **{
        f"the latest at steps {number}, {steps!r}": (
            lambda steps=steps: FLOW.latest(market(), steps),
            ParameterError,
            r"steps is .*: give positions on the grid, whole numbers from 0 to \d+, or -1 for the last",
        )
        for number, steps in enumerate(
            (np.array([10**6]), np.array([-(10**6)]), np.array([1.0]), np.array([True]), ["a"])
        )
    },
    **{
        f"what was known by {text!r}": (
            lambda text=text: FLOW.until(text),
            ParameterError,
            "when is '.*': give a moment with its UTC offset, such as",
        )
        for text in LOOSE_TIMES
    },
    **{
        f"values of {what}": (
            lambda values=values: of_values(values),
            DataError,
            "row 0: value is .*; give a finite number, or leave the cell empty where nothing is known",
        )
        for what, values in {
            "complex numbers among others": [1 + 2j, 3],
            "complex numbers": np.array([1 + 2j, 3]),
            "bytes": [b"1", 2],
            "Arrow's bytes": pd.Series([b"1", None], dtype=pd.ArrowDtype(pa.binary())),
            "Arrow's text": pd.Series(["1 %", None], dtype=pd.ArrowDtype(pa.string())),
            "infinite decimals": [Decimal("inf"), 1],
            "fractions": [Fraction(1, 2), 1],
            "truths": [True, 1],
        }.items()
    },
    "complex values": (
        lambda: ep.KnownSeries("flow", NET * (1 + 5j), EVENING),
        DataError,
        "flow holds something that is no number",
    ),
}


def told(text: str) -> str:
    """A series of one value with its time."""
    return f"date,value,known_at\n2024-01-02,1,{text}\n"


def given(arguments: dict[str, Any]) -> object:
    """Load a good table with some argument wrong."""
    good = pd.DataFrame({"date": ["2024-01-02", "2024-01-03"], "value": [1, 2]})
    return ep.load_series(**{"source": good} | arguments)


def pipe(folder: Path) -> object:
    """Load a pipe into which nobody writes."""
    os.mkfifo(folder / "flow.csv")
    return ep.load_series(folder / "flow.csv")


HOW: dict[str, Any] = {"file": "flow.csv", "load": ep.load_series}
CASES = [
    *(
        of_file(FILES, f"{number}", text, f"flow.csv.*{words}", **HOW)
        for number, (text, words) in enumerate(TEXTS, 1)
    ),
    *of_files(FILES, WHOLE, **HOW),
    *(
        of_file(
            FILES,
            f"cell {number}, {cell!r}",
            GOOD.replace(",2\n", f",{cell}\n"),
            "flow.csv (row 3: value is|is no CSV)",
            **HOW,
        )
        for number, cell in enumerate(CELLS, 1)
    ),
    *(
        of_file(
            FILES,
            f"date {number}, {day!r}",
            GOOD.replace("2024-01-03", day),
            "flow.csv row 3: date is '.*'; write a date",
            **HOW,
        )
        for number, day in enumerate(DAYS, 1)
    ),
    *(
        of_file(
            TIMES,
            f"{number}, {text!r}",
            told(text),
            "row 2: known_at is '.*'; give a time with its offset",
            **HOW,
        )
        for number, text in enumerate(KNOWN, 1)
    ),
    of_file(
        TIMES, "the day before it is about", told("2024-01-01T23:00+08:00"), "before 2024-01-02 began", **HOW
    ),
    *(
        Case(
            ARGUMENTS,
            f"{number}, {next(iter(arguments))}",
            lambda folder, a=arguments: given(a),
            ParameterError,
            words,
        )
        for number, (arguments, words) in enumerate(GIVEN, 1)
    ),
    *(
        Case("series in memory", name, lambda folder, call=call: call(), error, words)
        for name, (call, error, words) in ASKED.items()
    ),
    Case(FILES, "a pipe", pipe, DataError, "there is no CSV or Parquet file"),
]
