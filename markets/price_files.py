"""Daily price files as people have them, read whole; the one entry for prices of any kind."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import pandas as pd

from entrepot.errors import DataError, shown, some_of
from entrepot.files import open_plain
from entrepot.markets.file_ends import LONGEST_LINE, is_unended
from entrepot.markets.file_sizes import require_files
from entrepot.markets.manifest import MANIFEST
from entrepot.markets.parquet_files import read_parquet
from entrepot.markets.price_shapes import CLOSES, Named, Rows, split_named, split_table, take_apart
from entrepot.markets.price_tables import LAYOUT, PriceTable, parse_table, spell

if TYPE_CHECKING:
    from entrepot.markets.price_shapes import PriceSource

# What files begin with that are no text in UTF-8, though they are called CSV.
FOREIGN: Final = {
    b"\x1f\x8b": "compressed by gzip: unpack it",
    b"PK\x03\x04": "a spreadsheet or a zip archive: save its sheet as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "a spreadsheet: save its sheet as CSV UTF-8",
    b"PAR1": "a Parquet file: name it .parquet",
    b"\xff\xfe": "text in UTF-16: save it as CSV UTF-8",
    b"\xfe\xff": "text in UTF-16: save it as CSV UTF-8",
}


def read_prices(source: PriceSource) -> tuple[list[PriceTable], list[str], str]:
    """Read every symbol of a source.

    Args:
        source: a folder of files by symbol or by field, the path of one CSV or Parquet file of all symbols,
            or what `take_apart` takes.

    Returns:
        The tables in order of symbol, a sentence for each file that was passed over and each thing that was
        assumed, and the source's name.

    Raises:
        DataError: on an empty source and on any file whose columns, dates or numbers cannot be trusted.
        ParameterError: when the source is of no kind that can be read.
    """
    notes: list[str] = []
    if isinstance(source, str | PathLike):
        rows, name = read_path(source, notes)
    else:
        rows, name = take_apart(source, notes)
    tables = sorted((parse_table(*one) for one in rows), key=lambda table: table.symbol)
    for earlier, later in pairwise(tables):
        if earlier.symbol == later.symbol:
            raise DataError(f"{earlier.origin} and {later.origin} both hold {later.symbol}: keep one of them")
    return tables, notes, name


def read_path(source: str | PathLike[str], notes: list[str]) -> tuple[list[Rows], str]:
    """Return the rows of every symbol of a folder or a file, and its name."""
    path = Path(source)
    name, folder, file = find_source(source)
    if folder:
        return list(split_named(read_folder(path, notes), name)), name
    if file:
        require_files([path])
        unended: list[str] = []
        frame = read_file(path, unended, links=True)
        notes += say_what_is_unended(unended)
        return list(split_table(frame, name, notes)), name
    raise DataError(f"there is no file or folder {shown(str(source))} to load prices from: check the path")


def find_source(source: str | PathLike[str]) -> tuple[str, bool, bool]:
    """Return the name of a place of prices, and whether it is a folder or a file; it may be neither."""
    path = Path(source)
    try:
        blank = not os.fspath(source).strip()  # would be the folder in which the program runs
        return path.resolve().name, path.is_dir() and not blank, path.is_file()
    except (OSError, ValueError, RuntimeError):  # the last for links in a circle
        return "", False, False


def list_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of a folder that are read, at least one, and what else it holds, by name."""
    with allowed(folder):
        paths = sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.name != MANIFEST)
        files = [p for p in paths if is_read(p)]
    if not files:
        raise DataError(
            f"the folder {folder.name!r} has no CSV or Parquet file: give one SYMBOL.csv per symbol"
        )
    read = set(files)
    return files, [p for p in paths if p not in read]


@contextmanager
def allowed(folder: Path) -> Iterator[None]:
    """Say in a sentence what the system said of a folder that it does not let be read."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"the folder {folder.name!r} cannot be read ({error.strerror or error}): give one you may read"
        ) from None


def read_folder(folder: Path, notes: list[str]) -> list[Named]:
    """Read one table per CSV or Parquet file; anything else is left out and noted."""
    files, others = list_folder(folder)
    with allowed(folder):
        require_files(files)
    unseen = [p.name for p in files if not p.name.isprintable()]
    if unseen:
        raise DataError(
            f"the folder {folder.name!r} has a file named {shown(unseen[0])}: give it a plain name"
        )
    notes += [f"{p.name} was not read: it is neither CSV nor Parquet." for p in others]
    unended: list[str] = []
    named = [Named(path.stem, path.name, read_file(path, unended)) for path in files]
    notes += say_what_is_unended(unended)
    return named


def is_read(path: Path) -> bool:
    """Whether what a folder holds is read as prices, or refused as a link is; a folder in it is neither."""
    named = path.suffix.lower() in (".csv", ".parquet")
    return named and (path.is_symlink() or not path.is_dir())


def read_file(path: Path, unended: list[str], links: bool = False) -> pd.DataFrame:
    """Read a CSV or Parquet file, or say in a sentence why it cannot be read.

    Args:
        path: the file.
        unended: its name is added where it does not end with a line break; see `say_what_is_unended`.
        links: whether a link is followed; see `open_plain`.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise DataError(
            f"{path.name} is neither CSV nor Parquet: prices are read from .csv and .parquet files"
        )
    with told_in_a_sentence(path, f"the columns {LAYOUT}"), open_plain(path, links) as file:
        if kind == ".parquet":
            return read_parquet(file)
        two_levels = has_two_levels(file, path.name)
        if not two_levels:
            check_header(file, path.name)
        if is_unended(file, path.name):
            unended.append(path.name)
        frame = pd.read_csv(
            file,
            low_memory=False,  # which would read a column in parts, and warn where they differ in kind
            header=[0, 1] if two_levels else 0,
            index_col=0 if two_levels else False,
            encoding="utf-8-sig",
        )
    # Spreadsheets write the rows they show below the last one, as commas.
    return frame if frame.iloc[-1:].notna().any(axis=None) else frame.dropna(how="all")


@contextmanager
def told_in_a_sentence(path: Path, needed: str) -> Iterator[None]:
    """Say in a sentence why pandas cannot read a file, and what one needs that is empty."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            yield
    except DataError:
        raise
    except pd.errors.ParserWarning:
        raise DataError(
            f"{path.name} has rows with more cells than its header: name every column, or remove the extra "
            "commas"
        ) from None
    except pd.errors.EmptyDataError:
        raise DataError(f"{path.name} is empty: it needs {needed}") from None
    except UnicodeDecodeError:
        raise DataError(
            f"{path.name} cannot be read as CSV (it is not in UTF-8): save it as CSV UTF-8"
        ) from None
    except (ValueError, OSError) as error:
        said = getattr(error, "strerror", None) or str(error)
        reason = said.splitlines()[0] if said else type(error).__name__
        raise DataError(
            f"{path.name} cannot be read as {path.suffix[1:].upper()} ({reason}): write it again"
        ) from None


def first_lines(file: BinaryIO, count: int) -> list[str]:
    """Return the first lines of a file that are not blank, each cut; it is at its start again after."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace")
    lines: list[str] = []
    begins = True
    while len(lines) < count and (part := text.readline(LONGEST_LINE)):
        if begins and part.strip():
            lines.append(part.strip("\n"))
        begins = part.endswith("\n")
    text.detach()
    file.seek(0)
    return lines


def has_two_levels(file: BinaryIO, name: str) -> bool:
    """Whether a CSV begins with two rows of names, fields and symbols; refuse a pair that occurs twice."""
    upper, lower = [*csv.reader(first_lines(file, 2)), [], []][:2]
    if len(upper) != len(lower) or len(upper) < 2 or lower[0].strip()[:1].isdigit():
        return False
    if upper[0].strip() and not any(cell.strip() for cell in upper[1:]):
        raise DataError(f"{name} begins with the line {shown(upper[0])} above its header: delete it")
    named = CLOSES & {spell(name) for name in (*upper[1:], *lower[1:])}
    if not named or any(is_numeral(name) for name in lower[1:]):
        return False
    pairs = list(zip(upper[1:], lower[1:], strict=True))
    repeated = sorted(" ".join(pair) for pair, times in Counter(pairs).items() if times > 1)
    if repeated:
        raise DataError(f"{name} has the columns {shown(repeated)} twice: keep one of each")
    return True


def is_numeral(text: str) -> bool:
    """Whether a cell is blank or holds a number."""
    try:
        float(text or 0)
    except ValueError:
        return False
    return True


def say_what_is_unended(names: Sequence[str]) -> list[str]:
    """Say of CSV files without a last line break that their last number may lack digits."""
    if not names:
        return []
    return [f"No line break ends {some_of(names)}: if a file was cut off there, its last number is wrong."]


def refuse_foreign(file: BinaryIO, name: str) -> None:
    """Refuse what is no text in UTF-8 by its first bytes."""
    head = file.read(1000)
    file.seek(0)
    found = next((what for begin, what in FOREIGN.items() if head.startswith(begin)), "")
    if found or b"\0" in head:
        raise DataError(f"{name} is no CSV but {found or 'holds null bytes: save it as CSV UTF-8'}")


def check_header(file: BinaryIO, name: str) -> None:
    """Refuse what is not separated by commas, and a name that occurs twice, which pandas would rename."""
    refuse_foreign(file, name)
    text = next(iter(first_lines(file, 1)), "").strip()
    if text.startswith("version https://git-lfs"):
        raise DataError(f"{name} is a git-LFS pointer, not the prices themselves: fetch it with git lfs pull")
    if text.startswith("<") and "<DATE>" not in text.upper():  # which is how Stooq and MetaTrader write names
        raise DataError(f"{name} begins with {shown(text)}: it is a web page, not a CSV; download it again")
    header = next(csv.reader([text]), []) if text else []
    for mark, called in ((";", '";"'), ("\t", "tabs")):
        if len(header) == 1 and mark in text:
            raise DataError(
                f"{name} has the header {shown(text)}: is it separated by {called}? Separate it by commas"
            )
    columns = Counter(spell(column) for column in header)
    repeated = sorted(column for column, times in columns.items() if column and times > 1)
    if repeated:
        raise DataError(f"{name} has the columns {shown(repeated)} twice: keep one of each")
