"""What befalls good input on its way: changes of bytes and of rows, each with what must come of it."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

Outcome = Literal["same", "refused", "gap"]
BLANKS = frozenset(
    (
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    )
)
"""What stands for nothing in a cell: what pandas takes for it."""


@dataclass(frozen=True)
class Mutation:
    """A change and what must come of it.

    Args:
        name: what befalls the input.
        outcome: "same": the same market bit for bit; "refused": a sentence; "gap": the same market but for
            the cells that the change leaves without a price.
        change: makes the changed input from a good one and a random generator.
    """

    name: str
    outcome: Outcome
    change: Callable[[Any, np.random.Generator], Any]


# -- bytes of a CSV file -------------------------------------------------------------------------------------


def rewritten(content: bytes, **how: Any) -> bytes:
    """The same cells in another dialect of CSV."""
    out = io.StringIO(newline="")
    csv.writer(out, **{"lineterminator": "\n"} | how).writerows(csv.reader(io.StringIO(content.decode())))
    return out.getvalue().encode()


def with_column(content: bytes, name: str, cell: str) -> bytes:
    """The same cells and one more in each row."""
    lines = content.decode().splitlines()
    return "".join(f"{line},{name if row == 0 else cell}\n" for row, line in enumerate(lines)).encode()


def renamed(content: bytes, change: Callable[[str], str]) -> bytes:
    """The same cells under other names."""
    header, _, rows = content.decode().partition("\n")
    return f"{','.join(change(name) for name in header.split(','))}\n{rows}".encode()


def in_other_order(content: bytes, random: np.random.Generator) -> bytes:
    """The same columns from left to right in another order."""
    rows = list(csv.reader(io.StringIO(content.decode())))
    order = random.permutation(len(rows[0]))
    return "".join(",".join(row[place] for place in order) + "\n" for row in rows).encode()


def cut_within_a_row(content: bytes, random: np.random.Generator) -> bytes:
    """The first bytes, up to the middle of some row's first cell."""
    starts = [at + 1 for at, byte in enumerate(content[:-1]) if byte == ord("\n")]
    return content[: int(random.choice(starts)) + int(random.integers(1, 10))]


BYTES = [
    Mutation("line breaks of Windows", "same", lambda b, _: b.replace(b"\n", b"\r\n")),
    Mutation("line breaks of old Macs", "same", lambda b, _: b.replace(b"\n", b"\r")),
    Mutation(
        "both kinds of line breaks", "same", lambda b, r: b.replace(b"\n", b"\r\n", int(r.integers(1, 9)))
    ),
    Mutation("a mark of UTF-8 before it", "same", lambda b, _: b"\xef\xbb\xbf" + b),
    Mutation("no line break at its end", "same", lambda b, _: b.rstrip(b"\n")),
    Mutation("blank lines below", "same", lambda b, r: b + b"\n" * int(r.integers(1, 9))),
    Mutation("blank lines above", "same", lambda b, r: b"\n" * int(r.integers(1, 9)) + b),
    Mutation("rows of commas below", "same", lambda b, _: b + b",,,\n" * 3),
    Mutation("every cell in quotes", "same", lambda b, _: rewritten(b, quoting=csv.QUOTE_ALL)),
    Mutation("a column of remarks", "same", lambda b, _: with_column(b, "Note", "x")),
    Mutation("a column of other numbers", "same", lambda b, _: with_column(b, "Turnover", "1e400")),
    Mutation("names in capitals", "same", lambda b, _: renamed(b, str.upper)),
    Mutation("names in small letters", "same", lambda b, _: renamed(b, str.lower)),
    Mutation("blanks around names", "same", lambda b, _: renamed(b, lambda name: f" {name} ")),
    Mutation("columns in another order", "same", in_other_order),
    Mutation("nothing left", "refused", lambda b, _: b""),
    Mutation("cut off within a date", "refused", cut_within_a_row),
    Mutation("written twice", "refused", lambda b, _: b + b),
    Mutation("its rows written twice", "refused", lambda b, _: b + b.partition(b"\n")[2]),
    Mutation("its header lost", "refused", lambda b, _: b.partition(b"\n")[2]),
    Mutation("a title above", "refused", lambda b, _: b"KWEB US Equity,,,\n" + b),
    Mutation("UTF-16", "refused", lambda b, _: b.decode().encode("utf-16")),
    Mutation("UTF-32", "refused", lambda b, _: b.decode().encode("utf-32")),
    Mutation("Latin-1", "refused", lambda b, _: with_column(b, "Note", "é").decode().encode("latin-1")),
    Mutation("gzip", "refused", lambda b, _: gzip.compress(b)),
    Mutation("null bytes at its end", "refused", lambda b, r: b + bytes(int(r.integers(1, 5000)))),
    Mutation("semicolons", "refused", lambda b, _: rewritten(b, delimiter=";")),
    Mutation("tabs", "refused", lambda b, _: rewritten(b, delimiter="\t")),
    Mutation("decimal commas", "refused", lambda b, _: b.replace(b".", b",")),
    Mutation("thousands between commas", "refused", lambda b, _: rewritten(b.replace(b"1000", b'"1,000"'))),
    Mutation("the name of the dates lost", "refused", lambda b, _: b.replace(b"Date", b"When")),
    Mutation("the name of the closes lost", "refused", lambda b, _: b.replace(b"Close", b"Last")),
    Mutation("closes under two names", "refused", lambda b, _: with_column(b, " close", "1")),
]


# -- rows of one symbol --------------------------------------------------------------------------------------


def put(column: str, value: object) -> Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]:
    """One cell of a column given another value."""

    def change(table: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
        row = 1 + int(random.integers(len(table) - 2))
        return table.assign(
            **{column: table[column].astype(object).where(np.arange(len(table)) != row, value)}
        )

    return change


def shuffled(table: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """The rows in another order."""
    order = np.arange(len(table))
    one, other = random.choice(len(table), 2, replace=False)
    order[[one, other]] = order[[other, one]]
    return table.iloc[order]


def repeated(factor: float) -> Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]:
    """One row twice, the second time at another price."""

    def change(table: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
        row = int(random.integers(len(table)))
        again = table.iloc[[row]].assign(Close=lambda one: one["Close"] * factor)
        return pd.concat([table.iloc[: row + 1], again, table.iloc[row + 1 :]])

    return change


def dated(
    write: Callable[[pd.Series], object],
) -> Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]:
    """The dates written otherwise."""
    return lambda table, _: table.assign(Date=write(table["Date"]))


ROWS = [
    Mutation("dates as text", "same", dated(lambda d: d.dt.strftime("%Y-%m-%d"))),
    Mutation("dates as whole numbers", "same", dated(lambda d: d.dt.strftime("%Y%m%d").astype("int64"))),
    Mutation("dates as objects", "same", dated(lambda d: d.dt.date)),
    Mutation("dates as days", "same", dated(lambda d: d.dt.to_period("D"))),
    Mutation("dates to the second", "same", dated(lambda d: d.dt.as_unit("s"))),
    Mutation("midnights in UTC", "same", dated(lambda d: d.dt.tz_localize("UTC"))),
    Mutation("midnights in New York", "same", dated(lambda d: d.dt.tz_localize("America/New_York"))),
    Mutation(
        "closes in UTC",
        "same",
        dated(lambda d: (d + pd.Timedelta("16h")).dt.tz_localize("America/New_York").dt.tz_convert("UTC")),
    ),
    Mutation(
        "closes on the clock of Kiribati",
        "same",
        dated(
            lambda d: (
                (d + pd.Timedelta("16h"))
                .dt.tz_localize("America/New_York")
                .dt.tz_convert("Pacific/Kiritimati")
            )
        ),
    ),
    Mutation("dates as an index", "same", lambda t, _: t.set_index("Date")),
    Mutation("dates as an index without a name", "same", lambda t, _: t.set_index("Date").rename_axis(None)),
    Mutation("another index", "same", lambda t, r: t.set_axis(r.permutation(len(t)))),
    Mutation("columns in another order", "same", lambda t, r: t[list(r.permutation(t.columns))]),
    Mutation(
        "prices that may be missing", "same", lambda t, _: t.astype({"Open": "Float64", "Close": "Float64"})
    ),
    Mutation("prices of arrow", "same", lambda t, _: t.astype({"Close": "double[pyarrow]"})),
    Mutation("prices as objects", "same", lambda t, _: t.astype({"Close": object})),
    Mutation("prices as text", "same", lambda t, _: t.assign(Close=t["Close"].map(repr))),
    Mutation("prices in categories", "same", lambda t, _: t.astype({"Close": "category"})),
    Mutation("a row without a price", "gap", put("Close", None)),
    Mutation("a row whose price is no number", "gap", put("Close", np.nan)),
    Mutation("a row without an open", "gap", put("Open", None)),
    Mutation("a row lost", "gap", lambda t, r: t.drop(index=t.index[1 + int(r.integers(len(t) - 2))])),
    *(
        Mutation(f"{column} of {value!r} in a row", "refused", put(column, value))
        for column in ("Open", "Close")
        for value in (0.0, -20.5, np.inf, 1e308, 1e-320, "n.a.", "1,234.5", True, 20.5j)
    ),
    Mutation("a volume below zero", "refused", put("Volume", -1.0)),
    Mutation("an infinite volume", "refused", put("Volume", np.inf)),
    Mutation(
        "a price a hundredfold in a row",
        "refused",
        lambda t, r: put("Close", float(t["Close"].iloc[0]) * 100)(t, r),
    ),
    Mutation(
        "a price in thousands in a row",
        "refused",
        lambda t, r: put("Close", float(t["Close"].iloc[0]) / 1000)(t, r),
    ),
    Mutation("opens in other units", "refused", lambda t, _: t.assign(Open=t["Open"] * 7.8)),
    Mutation("a date lost", "refused", put("Date", None)),
    Mutation("a date of the year 1", "refused", put("Date", "0001-01-01")),
    Mutation("a date of the year 9999", "refused", put("Date", "9999-12-31")),
    Mutation("a date of 30 February", "refused", put("Date", "2022-02-30")),
    Mutation("two rows in each other's place", "refused", shuffled),
    Mutation("newest first", "refused", lambda t, _: t.iloc[::-1]),
    Mutation("a row twice", "refused", repeated(1.0)),
    Mutation("a row twice at two prices", "refused", repeated(1.01)),
    Mutation("written twice", "refused", lambda t, _: pd.concat([t, t])),
    Mutation("no rows", "refused", lambda t, _: t.iloc[:0]),
    Mutation("no dates", "refused", lambda t, _: t.drop(columns="Date")),
    Mutation("no closes", "refused", lambda t, _: t.drop(columns="Close")),
    Mutation("closes under two names", "refused", lambda t, _: t.assign(close=t["Close"])),
    Mutation("dates a day late", "refused", dated(lambda d: d + pd.Timedelta("1D"))),
    Mutation("dates a day early", "refused", dated(lambda d: d - pd.Timedelta("1D"))),
    Mutation(
        "dates that are times of UTC without saying so",
        "refused",
        dated(
            lambda d: (
                (d + pd.Timedelta("20h"))
                .dt.tz_localize("America/New_York")
                .dt.tz_convert("UTC")
                .dt.tz_localize(None)
            )
        ),
    ),
    Mutation(
        "dates as numbers of a spreadsheet",
        "refused",
        dated(lambda d: (d - pd.Timestamp("1899-12-30")).dt.days),
    ),
    Mutation("dates as seconds", "refused", dated(lambda d: d.astype("int64") // 10**9)),
    Mutation("day first", "refused", dated(lambda d: d.dt.strftime("%d/%m/%Y"))),
]


# -- an independent reader -----------------------------------------------------------------------------------


def slowly(content: bytes) -> dict[str, dict[date, float]]:
    """Read open and close by date from a CSV file, cell by cell; what is blank is left out.

    Raises:
        ValueError: for what is no date or no number.
    """
    rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) if any(row)]
    names = [name.strip().strip("<>").lower() for name in rows[0]]
    read: dict[str, dict[date, float]] = {"open": {}, "close": {}}
    for row in rows[1:]:
        cells = dict(zip(names, row, strict=False))
        for column in set(read) & set(cells):
            if cells[column] not in BLANKS:
                read[column][date.fromisoformat(cells["date"])] = float(cells[column])
    return read
