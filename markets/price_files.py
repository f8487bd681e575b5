"""Daily price tables as people have them: a folder of one file per symbol, or one long table."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from os import PathLike
from pathlib import Path

import pandas as pd

from entrepot.errors import DataError, ParameterError, shown
from entrepot.markets.price_tables import (
    LAYOUT,
    SPELLINGS,
    PriceTable,
    parse_table,
    refuse_repeated,
    tidy_columns,
)


def read_prices(source: str | PathLike[str] | pd.DataFrame) -> tuple[list[PriceTable], list[str], str]:
    """Read every symbol of a source.

    Args:
        source: a folder of ``SYMBOL.csv`` or ``SYMBOL.parquet``, or one long table (the path of a CSV or
            Parquet file, or a DataFrame) with a symbol column. Dates are ``YYYY-MM-DD`` in the exchange's
            own time; a time of day after the date is not read.

    Returns:
        The tables in order of symbol, a sentence for each file that was passed over, and the source's name.

    Raises:
        DataError: on an empty source and on any file whose columns, dates or numbers cannot be trusted.
        ParameterError: when the source is of no kind that can be read.
    """
    notes: list[str] = []
    if isinstance(source, pd.DataFrame):
        name = "a table in memory"
        tables = list(split_long_table(source, name))
    elif isinstance(source, str | PathLike):
        path = Path(source)
        try:
            name, folder, file = path.resolve().name, path.is_dir(), path.is_file()
        except (OSError, ValueError):
            name, folder, file = "", False, False
        if folder:
            tables = list(read_folder(path, notes))
        elif file:
            tables = list(split_long_table(read_file(path), name))
        else:
            raise DataError(
                f"there is no file or folder {shown(str(source))} to load prices from: check the path"
            )
    else:
        raise ParameterError(
            f"load_market was given {type(source).__name__}: it reads a folder, the path of a CSV or Parquet "
            "file, or a DataFrame with a symbol column"
        )
    tables.sort(key=lambda table: table.symbol)
    for earlier, later in pairwise(tables):
        if earlier.symbol == later.symbol:
            raise DataError(f"{earlier.origin} and {later.origin} both hold {later.symbol}: keep one of them")
    return tables, notes, name


def read_folder(folder: Path, notes: list[str]) -> Iterator[PriceTable]:
    """Read one table per CSV or Parquet file; anything else is left out and noted."""
    paths = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    files = [p for p in paths if p.is_file() and p.suffix.lower() in (".csv", ".parquet")]
    if not files:
        raise DataError(
            f"the folder {folder.name!r} has no CSV or Parquet file: give one SYMBOL.csv per symbol"
        )
    notes += [f"{p.name} was not read: it is neither CSV nor Parquet." for p in paths if p not in files]
    for path in files:
        frame = read_file(path)
        if "symbol" in frame and len(frame["symbol"].unique()) > 1:
            raise DataError(
                f"{path.name} holds several symbols: load it by its own path, or split it by symbol"
            )
        yield parse_table(path.stem, path.name, frame)


def split_long_table(frame: pd.DataFrame, name: str) -> Iterator[PriceTable]:
    """Yield one table per symbol of a long table."""
    frame = tidy_columns(frame)
    refuse_repeated(frame, name)
    if "symbol" not in frame:
        raise DataError(
            f"{name} has no symbol column: a single table needs symbol, Date and Close (files of one symbol "
            "are loaded by their folder, a frame of one column per symbol by Market.from_prices)"
        )
    if frame.empty:
        raise DataError(f"{name} has no rows: give it at least one price")
    if frame["symbol"].isna().any():
        raise DataError(f"{name} has rows without a symbol: fill or delete them")
    for symbol, rows in frame.groupby("symbol", sort=True):
        yield parse_table(str(symbol), f"{name} [{symbol}]", rows)


def read_file(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file with tidy column names, or say in a sentence why it cannot be read."""
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise DataError(
            f"{path.name} is neither CSV nor Parquet: prices are read from .csv and .parquet files"
        )
    if kind == ".csv":
        check_header(path)
    with told_in_a_sentence(path, f"the columns {LAYOUT}"):
        frame = (
            pd.read_parquet(path)
            if kind == ".parquet"
            else pd.read_csv(path, encoding="utf-8-sig", index_col=False)
        )
    return tidy_columns(frame)


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


def check_header(path: Path) -> None:
    """Refuse what is not separated by commas, and a name that occurs twice, which pandas would rename."""
    with path.open("rb") as lines:
        raw = next((line for line in lines if line.strip()), b"")[:5000]
    text = raw.decode("utf-8-sig", errors="replace").strip()
    if text.startswith("version https://git-lfs"):
        raise DataError(
            f"{path.name} is a git-LFS pointer, not the prices themselves: fetch it with git lfs pull"
        )
    if text.startswith("<"):
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
    names = [SPELLINGS.get(name.strip().lower(), name.strip().lower()) for name in header]
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise DataError(f"{path.name} has the columns {shown(repeated)} twice: keep one of each")
