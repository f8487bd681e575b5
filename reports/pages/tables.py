"""Frames as tables of text for the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from entrepot.errors import is_number
from entrepot.reports.pictures.style import minus, number

# Control characters, orders to write backwards, halves of characters: nothing a reader is meant to see, and
# some of them no page can hold.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


PAPER = 140  # characters of a table across a page, small but to be read
LONG, LINE = 40, 24  # characters of a text that is broken into lines, and of these


@dataclass(frozen=True)
class Cell:
    """Text of a cell.

    Args:
        text: as shown.
        number: whether it is set to the right, as numbers are.
        value: what its column is sorted by, NaN last; where None, the text is.
    """

    text: str
    number: bool = False
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """One table: a name for each column, text for each cell; the first cell of a row names it."""

    title: str
    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    folded: bool = False
    foot: int = 0  # how many of the last rows are totals
    sortable: bool = True  # whether the cells of a column can be compared

    @property
    def across(self) -> int:
        """How many characters it takes across, long texts being broken into lines."""
        columns = zip(self.head, *self.rows, strict=True)
        return sum(2 + max([longest_word(head.text), *map(narrowest, cells)]) for head, *cells in columns)

    @property
    def wide(self) -> bool:
        """Whether paper is better held sideways for it."""
        return self.across > PAPER


def narrowest(cell: Cell) -> int:
    """Return how many characters a cell takes across at least; a long text may not be squeezed to a word."""
    if cell.number:
        return len(cell.text)
    return max(longest_word(cell.text), LINE if len(cell.text) > LONG else 0)


def longest_word(text: str) -> int:
    """Return the characters of the longest word."""
    return max(map(len, text.split()), default=0)


def frame_table(
    frame: pd.DataFrame,
    title: str,
    note: str = "",
    *,
    corner: str = "",
    folded: bool = False,
    foot: int = 0,
    digits: int | None = None,
) -> Table:
    """Turn a frame into a table; its index becomes the first column unless it only counts rows.

    Args:
        frame: the values.
        title: shown above.
        note: shown under the title.
        corner: name of the first column where the index has none.
        folded: closed until the reader opens it.
        foot: how many of the last rows are totals.
        digits: decimals of every number; chosen by column where None.
    """
    counts = isinstance(frame.index, pd.RangeIndex)
    heads = [label(name) for name in frame.columns]
    columns = [column_cells(name, frame.iloc[:, i], digits) for i, name in enumerate(heads)]
    if not counts or not columns:
        heads.insert(0, corner or label(frame.index.name or ""))
        columns.insert(0, [Cell(plain(value), value=worth(value)) for value in frame.index])
    numeric = [any(cell.number for cell in cells) and is_numeric(cells) for cells in columns]
    return Table(
        title,
        tuple(Cell(name, right) for name, right in zip(heads, numeric, strict=True)),
        tuple(zip(*columns, strict=True)) if len(frame) else (),
        note,
        folded,
        foot,
    )


def is_numeric(cells: Sequence[Cell]) -> bool:
    """Whether all that is written in a column is numbers."""
    return all(cell.number or not cell.text for cell in cells)


def label(name: object) -> str:
    """Name a column; the levels of a compound name are joined."""
    parts = [str(part) for part in name if str(part)] if isinstance(name, tuple) else [str(name)]
    return " ".join(parts).replace("_", " ")


def column_cells(name: str, column: pd.Series[Any], digits: int | None = None) -> list[Cell]:
    """Write one column, all its numbers with the same decimals."""
    kind = column.dtype.kind if isinstance(column.dtype, np.dtype) else "O"
    if kind in "iu":
        return [value_cell(value) for value in column]
    if kind == "f":
        places = decimals(name, column.to_numpy(dtype=float)) if digits is None else digits
        return [Cell(number(value, places), True, worth(value)) for value in column]
    return [value_cell(value) for value in column]


def decimals(name: str, values: np.ndarray) -> int:
    """Choose the decimals of a column: two for per cent and ratios, else about four figures."""
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if finite.size else 0.0
    if "%" in name or "Ratio" in name or "Sharpe" in name:
        return 2
    if finite.size and (finite == np.round(finite)).all():
        return 0
    return 0 if largest >= 10_000 else 2 if largest >= 1 else 4


def value_cell(value: Any) -> Cell:
    """Write one value of a column of mixed kinds."""
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no")
    if isinstance(value, int | np.integer):
        return Cell(minus(f"{int(value):,}"), True, worth(value))
    if isinstance(value, float | np.floating):
        figure = float(value)
        return Cell(number(figure, 0 if abs(figure) >= 10_000 else 2), True, worth(value))
    return Cell(plain(value), value=worth(value))


def worth(value: object) -> float | None:
    """Return what a value is sorted by, NaN where it is not finite; None where it is sorted as its text."""
    if isinstance(value, pd.Timedelta):
        return value / pd.Timedelta(days=1)
    if not is_number(value):
        return None
    return float(value) if np.isfinite(value) else float("nan")


def plain(value: object) -> str:
    """Write a value that is not a number of the table."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, pd.Timedelta):
        return f"{value.days:,} days"
    if isinstance(value, pd.Timestamp):
        moment = value if value.tz is None else value.tz_convert("UTC")
        return f"{moment:%Y-%m-%d}" if moment == moment.normalize() else f"{moment:%Y-%m-%d %H:%M}"
    return label(value) if isinstance(value, tuple) else str(value)


def series_table(
    values: pd.Series[Any],
    title: str,
    note: str = "",
    *,
    figures: bool = False,
    folded: bool = False,
    foot: int = 0,
) -> Table:
    """Turn a series of mixed values into a table of two columns; `figures` are set to the right."""
    cells = [value_cell(value) for value in values]
    rows = tuple(
        (Cell(plain(name)), replace(cell, number=figures or cell.number))
        for name, cell in zip(values.index, cells, strict=True)
    )
    return Table(title, (Cell(""), Cell("", figures)), rows, note, folded, foot)


def mapping_table(values: Mapping[Any, Any], title: str, *, folded: bool = False) -> Table:
    """Turn names and what they stand for into a table; pandas' text cannot hold halves of characters."""
    names = pd.Index(list(values), dtype=object)
    return series_table(pd.Series(list(values.values()), names, dtype=object), title, folded=folded)


def transposed(table: Table, foot: int = 0, *, sortable: bool = False) -> Table:
    """Turn rows into columns: for few rows of many figures, which then fit a narrow screen.

    Args:
        table: to turn.
        foot: how many of the last new rows are totals.
        sortable: whether the new columns hold figures of one kind.
    """
    corner, *heads = table.head
    names = [row[0].text for row in table.rows]
    number_cells = [[row[i + 1] for row in table.rows] for i in range(len(heads))]
    rows = tuple((Cell(head.text), *cells) for head, cells in zip(heads, number_cells, strict=True))
    head = (Cell(corner.text), *(Cell(name, True) for name in names))
    return replace(table, head=head, rows=rows, foot=foot, sortable=sortable)


def printable(text: str) -> str:
    """Replace what cannot be printed by the sign for an unknown character; line ends and tabs stay."""
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def ends(frame: pd.DataFrame, rows: int) -> tuple[pd.DataFrame, str]:
    """Keep the first and last `rows` of a long frame, and say so."""
    if len(frame) <= 2 * rows:
        return frame, f"{len(frame):,} in all."
    return pd.concat(
        [frame.head(rows), frame.tail(rows)]
    ), f"{len(frame):,} in all; the first and the last {rows} are shown."
