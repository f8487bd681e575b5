"""Tables of one's own, of events or of listings: rows of text with the number a person sees beside them."""

from __future__ import annotations

import csv
import difflib
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from errno import EISDIR
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError, is_number, is_whole, shown, visible
from entrepot.files import check_target, open_plain, write_whole
from entrepot.markets.file_ends import refuse_unended
from entrepot.markets.parquet_files import read_parquet

MOST_NAMED: Final = 5
MOST_COLUMNS: Final = 1_000
ALIKE: Final = 0.8  # of two names, from which the one is taken for the other misspelt
SUFFIXES: Final = (".csv", ".parquet")
FORMAT, DROP = "format", "drop"  # columns of the file, not of what is read from it
_DROPPED, _KEPT = ("1", "True"), ("", "0", "False")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Format(NamedTuple):
    """What a table of one kind holds: "events format 1".

    Args:
        name: of the kind, in one word.
        version: the newest that is read; older ones are read too, since columns are only ever added.
        columns: all that have a meaning, in the order in which they are written.
        needed: those a table must have.
        keys: those that name a row, the first one that is filled.
    """

    name: str
    version: int
    columns: tuple[str, ...]
    needed: tuple[str, ...]
    keys: tuple[str, ...]

    @property
    def said(self) -> str:
        """How a table declares it."""
        return f"{self.name} {self.version}"


class BadRow(NamedTuple):
    """A row that cannot be used: its number (the header being row 1), its name, and why."""

    number: int
    key: str
    why: str

    def __str__(self) -> str:
        return f"row {self.number}{f' ({self.key})' if self.key else ''}: {self.why}"


@dataclass
class OwnRows:
    """Rows of a table as text, by number, and what is wrong with them.

    Args:
        name: of the table, as messages give it.
        columns: those of the header, without `FORMAT` and `DROP`.
        rows: by number, a cell for each column of the format and of the header, "" where blank.
        drops: names of rows to be left out of an earlier table, by number.
        bad: what cannot be used; readers add to it.
    """

    name: str
    columns: list[str]
    rows: dict[int, dict[str, str]]
    drops: dict[int, str] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)

    def refuse_bad(self) -> None:
        """Raise one error for all rows that cannot be used: the first ones in full, the others counted.

        Raises:
            DataError: if there are any.
        """
        if not self.bad:
            return
        bad = sorted(self.bad, key=lambda row: row.number)
        if len(bad) == 1:
            raise DataError(f"{self.name} {bad[0]}")
        told = "".join(f"\n  {row}." for row in bad[:MOST_NAMED])
        more = f"\n  and {len(bad) - MOST_NAMED} more." if len(bad) > MOST_NAMED else ""
        raise DataError(f"{self.name} has {len(bad)} rows that cannot be used:{told}{more}")


class Rows(Protocol):
    """A table that gives its rows as dicts, such as a polars DataFrame."""

    @property
    def columns(self) -> Any:
        """Names of the columns."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows."""


def asked(path: object, replace: object, drop: object) -> tuple[list[Any], list[Any]]:
    """Return sources in the order in which they are read, and names to leave out, as a loader is given them.

    Raises:
        ParameterError: for an argument of another kind.
    """
    if not isinstance(replace, bool | np.bool_):
        raise ParameterError(f"replace is {_kind(replace)}: give True or False")
    if path is None and replace:
        raise ParameterError("replace=True needs a file to use instead of the bundled table; give its path")
    sources = list(path) if isinstance(path, list | tuple) else [] if path is None else [path]
    if path is not None and not sources:
        raise ParameterError("path is an empty list: give the path of a CSV file, or several, or none")
    dropped = [drop] if isinstance(drop, str) else drop
    if not isinstance(dropped, Sequence) or isinstance(dropped, bytes):
        raise ParameterError(f"drop is {_kind(drop)}: give a name, or a list of them")
    return sources, list(dropped)


def read_own_rows(source: object, form: Format) -> OwnRows:
    """Read a table, and check all that does not depend on what it is about.

    Args:
        source: the path of a CSV or Parquet file, a pandas or polars DataFrame.
        form: what the table should be.

    Raises:
        ParameterError: the source is of no kind that can be read.
        DataError: the file cannot be read, its columns are others, or its format is newer.
    """
    if isinstance(source, str | os.PathLike):
        name, header, lines = _of_file(source, form)
    elif isinstance(source, pd.DataFrame) or hasattr(source, "to_dicts"):
        name = f"the table of {form.name}"
        header, lines = _of_frame(source, name)
    else:
        raise ParameterError(
            f"path is {_kind(source)}: give the path of a CSV file or Parquet file of {form.name}, or a "
            "DataFrame"
        )
    while header and not header[-1]:
        header.pop()
    _check_header(name, header, lines, form)
    table = OwnRows(name, [column for column in header if column not in (FORMAT, DROP)], {})
    for number, cells in enumerate(lines, start=2):
        if any(cells):
            _add_row(table, number, header, cells, form)
    return table


def _add_row(table: OwnRows, number: int, header: list[str], cells: list[str], form: Format) -> None:
    """Add a row, or what is wrong with it."""
    row = dict.fromkeys(form.columns, "") | dict(zip(header, cells, strict=False))
    said, drop = row.pop(FORMAT, ""), whole(row.pop(DROP, ""))
    key = next((printable(row[name]) for name in form.keys if row[name]), "")
    _check_format(f"{table.name} row {number}", said, form)
    extra = len(cells) > len(header) and any(cells[len(header) :])
    control = next((name for name, text in row.items() if _has_control(text)), None)
    why = ""
    if extra:
        why = (
            f"{len(cells)} cells under a header of {len(header)}; put a text that contains a comma between "
            "double quotes"
        )
    elif control is not None:
        why = f"{control} {shown(row[control])} holds a control character; delete it"
    elif drop not in (*_DROPPED, *_KEPT):
        why = f"{DROP} is {shown(drop)}; it must be 1, or blank"
    elif drop in _DROPPED and not key:
        why = f"{DROP} is 1 and {' and '.join(form.keys)} blank; name what shall be left out"
    if why:
        table.bad.append(BadRow(number, key, why))
    elif drop in _DROPPED:
        table.drops[number] = next(row[name] for name in form.keys if row[name])
    else:
        table.rows[number] = row


def _check_header(name: str, header: list[str], lines: list[list[str]], form: Format) -> None:
    """Refuse columns that are missing, misspelt, repeated or without a name."""
    if len(header) == 1 and re.search("[;\t]", header[0]):
        raise DataError(f"{name} separates its columns by semicolons or tabs; save it with commas")
    if len(header) > MOST_COLUMNS:
        raise DataError(
            f"{name} has {len(header):,} columns; leave out those that are no {form.name}, "
            f"{MOST_COLUMNS:,} are read at most"
        )
    if not header:
        raise DataError(
            f"{name} is empty: it has no column {', '.join(form.needed or form.keys)}; begin with a header "
            "and give a row for each entry"
        )
    meant = {column: near for column in header if (near := _meant(column, header, form))}
    missing = [column for column in form.needed if column not in header and column not in meant.values()]
    misspelt = ", ".join(f"{shown(column)} (is {near} meant?)" for column, near in meant.items())
    if missing:
        raise DataError(
            f"{name} has no column {', '.join(missing)}{f', but {misspelt}' if misspelt else ''}; a table of "
            f"{form.name} needs {', '.join(form.needed)}"
        )
    if misspelt:
        raise DataError(
            f"{name} has a column {misspelt}; correct its name, or give a column of your own one that is not "
            "so close"
        )
    repeated = sorted(column for column, times in Counter(header).items() if column and times > 1)
    if repeated:
        raise DataError(
            f"{name} has column {printable(', '.join(repeated))} more than once; keep one of each"
        )
    for place, column in enumerate(header):
        if _has_control(column):
            raise DataError(f"{name} has a column {shown(column)} with a control character; correct its name")
        if not column and any(len(cells) > place and cells[place] for cells in lines):
            raise DataError(f"{name}: column {place + 1} has cells but no name; name it or empty it")


def _meant(column: str, header: list[str], form: Format) -> str:
    """Return the column of the format that a name of the header is taken for, "" where there is none."""
    known = (*form.columns, FORMAT, DROP)
    if column in known or not column:
        return ""
    plain = re.sub(r"[\s\-]+", "_", column.lower())
    near = difflib.get_close_matches(plain, known, n=1, cutoff=ALIKE)
    return near[0] if near and near[0] not in header else ""


def _check_format(where: str, said: str, form: Format) -> None:
    """Refuse a format that is another one's, or newer than this version reads."""
    if not said or said == form.said:
        return
    declared = re.fullmatch(rf"{form.name} ([0-9]{{1,6}})", said)
    if declared is None or int(declared[1]) == 0:
        raise DataError(f"{where}: format is {shown(said)}; a table of {form.name} says {form.said!r}")
    if int(declared[1]) > form.version:
        raise DataError(
            f"{where}: format is {said!r}, and this version of entrepot reads up to {form.said!r}; install "
            "a newer version"
        )


def _of_file(path: str | os.PathLike[str], form: Format) -> tuple[str, list[str], list[list[str]]]:
    """Return a file's name, header and rows."""
    path = Path(path)
    name = printable(path.name)
    if path.suffix.lower() in (".xls", ".xlsx", ".xlsm", ".ods"):
        raise DataError(f"{name} is a spreadsheet; save its sheet as CSV UTF-8 and give that file")
    try:
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        with open_plain(path, links=True) as file:
            content = file.read()
    except DataError:
        raise
    except (OSError, ValueError) as error:  # a NUL in the path is a ValueError
        text = printable(str(path), most=10_000)
        why = getattr(error, "strerror", None) or "no path"
        raise DataError(
            f"{text if len(text) <= 60 else '...' + text[-57:]!r} cannot be read as a table of {form.name} "
            f"({why}); give the path of a CSV file or Parquet file, or nothing for the bundled table"
        ) from None
    if path.suffix.lower() == ".parquet":
        return name, *_of_parquet(name, content)
    return name, *csv_rows(name, content)


def csv_rows(name: str, content: bytes) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a CSV file, as text without blanks around it.

    Raises:
        DataError: for what is no CSV file in UTF-8, or may have been cut short.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{name} is not a CSV file in UTF-8: line {line} is in another encoding; save it as CSV UTF-8"
        ) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[list[str]] = []
    try:
        for cells in reader:
            lines.append([clean(cell) for cell in cells])  # noqa: PERF401 - what was read is counted
    except csv.Error:
        raise DataError(
            f"{name} is not a CSV file from row {len(lines) + 1} on: a double quote is not closed, or stands "
            f"inside a quoted text; write two of them there (a cell holds {csv.field_size_limit():,} "
            "characters at most)"
        ) from None
    refuse_unended(io.BytesIO(content), name)
    return (lines[0], lines[1:]) if lines else ([], [])


def _of_parquet(name: str, content: bytes) -> tuple[list[str], list[list[str]]]:
    try:
        frame = read_parquet(io.BytesIO(content))
    except ValueError:
        raise DataError(f"{name} cannot be read as a Parquet file; write it again, or give CSV") from None
    return _of_frame(frame, name)


def _of_frame(frame: Any, name: str) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a pandas frame, or of any other that gives a dict for each row."""
    if not isinstance(frame, pd.DataFrame):
        frame = pd.DataFrame(frame.to_dicts(), columns=list(frame.columns), dtype=object)
    if frame.columns.nlevels > 1:
        raise DataError(f"{name} has columns of several levels; give each column one name")
    if frame.index.name is not None and frame.index.name not in frame.columns:
        frame = frame.reset_index()
    header = [str(column).strip() for column in frame.columns]
    columns = [[cell_text(value) for value in frame.iloc[:, place]] for place in range(len(header))]
    return header, [list(cells) for cells in zip(*columns, strict=True)]


def clean(text: str) -> str:
    """Return text without blanks around it, its line breaks written in one way."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def cell_text(value: object) -> str:
    """Write a cell as a file would have it: dates in ISO form, whole numbers without decimals."""
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, bool | np.bool):
        return str(bool(value))  # as pandas writes it; what may be a truth, a flag, takes the words
    if isinstance(value, Integral):
        return str(int(value)) if is_whole(value) else shown(value)
    if isinstance(value, Real):
        if not is_number(value):
            return shown(value)
        number = float(value)
        return "" if number != number else str(int(number)) if number.is_integer() else repr(number)
    if isinstance(value, datetime):
        bare = value.tzinfo is None and value == pd.Timestamp(value).normalize()
        return value.date().isoformat() if bare else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return clean(str(value))


def whole(text: str) -> str:
    """Return a whole number without the ".0" that others write after it."""
    return re.sub(r"\.0+$", "", text)


def write_own_rows(
    path: object,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, str]],
    what: str,
    is_same: Callable[[Path], bool],
) -> None:
    """Write rows of text as CSV or Parquet, by the name's ending, whole or not at all.

    Args:
        path: where.
        columns: in their order.
        rows: a text for each column.
        what: they are, for messages.
        is_same: whether a file read again gives what was to be written.

    Raises:
        ParameterError: the path cannot be written.
        DataError: they would not be read again as they are.
    """
    target = check_target(path, SUFFIXES)
    csv_file = target.suffix.lower() == ".csv"
    content = csv_text(columns, rows).encode("utf-8") if csv_file else parquet_bytes(columns, rows)

    def check(staged: Path) -> None:
        try:
            same = is_same(staged)
        except DataError as error:
            why = str(error).replace(printable(staged.name), f"the table of {what}")
            raise DataError(
                f"the {what} cannot be written, for they could not be read again: {why}"
            ) from None
        if not same:
            raise DataError(
                f"the {what} cannot be written, for they would be read again with other texts: give the "
                "columns of your own names and texts without blanks around them"
            )

    write_whole(target, lambda file: file.write(content), check)


def parquet_bytes(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
    """Return rows of text as Parquet."""
    buffer = io.BytesIO()
    frame = pd.DataFrame([[row[c] for c in columns] for row in rows], columns=list(columns), dtype="str")
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def csv_text(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows of text as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row[column] for column in columns] for row in rows)
    return text.getvalue()


def printable(text: object, most: int = 60) -> str:
    """Return text on one line, cut, without characters that would steer a terminal."""
    safe = visible(" ".join(str(text).split()))
    return safe if len(safe) <= most else f"{safe[: most - 3]}..."


def _has_control(text: str) -> bool:
    """Whether text holds characters that steer a terminal, or halves of characters; line breaks are none."""
    return _CONTROL.search(text) is not None


def _kind(value: object) -> str:
    plain = value is None or isinstance(value, str | Real | bytes | list | tuple | dict | set)
    return shown(value) if plain else f"of type {type(value).__name__}"
