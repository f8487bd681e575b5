"""Daily price files as people have them, read whole; the one entry for prices of any kind."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, pairwise
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from entrepot.errors import DataError, shown
from entrepot.markets.manifest import MANIFEST
from entrepot.markets.price_shapes import CLOSES, Named, Rows, split_named, split_table, take_apart
from entrepot.markets.price_tables import LAYOUT, PriceTable, parse_table, spell

if TYPE_CHECKING:
    from entrepot.markets.price_shapes import PriceSource

LONGEST_HEADER: Final = 100_000  # characters; the csv module takes no longer cell


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
    try:
        name, folder, file = path.resolve().name, path.is_dir(), path.is_file()
    except (OSError, ValueError):
        name, folder, file = "", False, False
    if folder:
        return list(split_named(read_folder(path, notes), name)), name
    if file:
        return list(split_table(read_file(path), name, notes)), name
    raise DataError(f"there is no file or folder {shown(str(source))} to load prices from: check the path")


def read_folder(folder: Path, notes: list[str]) -> list[Named]:
    """Read one table per CSV or Parquet file; anything else is left out and noted."""
    paths = sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.name != MANIFEST)
    files = [p for p in paths if p.is_file() and p.suffix.lower() in (".csv", ".parquet")]
    if not files:
        raise DataError(
            f"the folder {folder.name!r} has no CSV or Parquet file: give one SYMBOL.csv per symbol"
        )
    notes += [f"{p.name} was not read: it is neither CSV nor Parquet." for p in paths if p not in files]
    return [Named(path.stem, path.name, read_file(path)) for path in files]


def read_file(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file, or say in a sentence why it cannot be read."""
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise DataError(
            f"{path.name} is neither CSV nor Parquet: prices are read from .csv and .parquet files"
        )
    needed = f"the columns {LAYOUT}"
    if kind == ".parquet":
        with told_in_a_sentence(path, needed):
            return pd.read_parquet(path)
    two_levels = has_two_levels(path)
    if not two_levels:
        check_header(path)
    with told_in_a_sentence(path, needed):
        frame = pd.read_csv(
            path,
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
    except pd.errors.ParserWarning:
        raise DataError(
            f"{path.name} has rows with more cells than its header: name every column, or remove the extra "
            "commas"
        ) from None
    except pd.errors.EmptyDataError:
        raise DataError(f"{path.name} is empty: it needs {needed}") from None
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path.name} cannot be read as {path.suffix[1:].upper()} ({reason}): write it again"
        ) from None


def first_lines(path: Path, count: int) -> list[str]:
    """Return the first lines of a file that are not blank."""
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        return list(islice((line[:LONGEST_HEADER].strip("\n") for line in lines if line.strip()), count))


def has_two_levels(path: Path) -> bool:
    """Whether a CSV begins with two rows of names, fields and symbols; refuse a pair that occurs twice."""
    upper, lower = [*csv.reader(first_lines(path, 2)), [], []][:2]
    if len(upper) != len(lower) or len(upper) < 2 or lower[0].strip()[:1].isdigit():
        return False
    named = CLOSES & {spell(name) for name in (*upper[1:], *lower[1:])}
    if not named or any(is_numeral(name) for name in lower[1:]):
        return False
    pairs = list(zip(upper[1:], lower[1:], strict=True))
    repeated = sorted({" ".join(pair) for pair in pairs if pairs.count(pair) > 1})
    if repeated:
        raise DataError(f"{path.name} has the columns {shown(repeated)} twice: keep one of each")
    return True


def is_numeral(text: str) -> bool:
    """Whether a cell is blank or holds a number."""
    try:
        float(text or 0)
    except ValueError:
        return False
    return True


def check_header(path: Path) -> None:
    """Refuse what is not separated by commas, and a name that occurs twice, which pandas would rename."""
    text = next(iter(first_lines(path, 1)), "").strip()
    if text.startswith("version https://git-lfs"):
        raise DataError(
            f"{path.name} is a git-LFS pointer, not the prices themselves: fetch it with git lfs pull"
        )
    if text.startswith("<") and "<DATE>" not in text.upper():  # which is how Stooq and MetaTrader write names
        raise DataError(
            f"{path.name} begins with {shown(text)}: it is a web page, not a CSV; download it again"
        )
    header = next(csv.reader([text]), []) if text else []
    for mark, called in ((";", '";"'), ("\t", "tabs")):
        if len(header) == 1 and mark in text:
            raise DataError(
                f"{path.name} has the header {shown(text)}: is it separated by {called}? "
                "Separate it by commas"
            )
    names = [spell(name) for name in header]
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise DataError(f"{path.name} has the columns {shown(repeated)} twice: keep one of each")
