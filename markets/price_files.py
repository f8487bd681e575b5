"""Daily price tables as people have them: a folder of one file per symbol, or one long table."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, shown

PRICES = ("open", "close", "adj close")
AMOUNTS = ("volume", "dividends", "stock splits")
SPELLINGS = {
    "adj_close": "adj close",
    "adjclose": "adj close",
    "adjusted close": "adj close",
    "stock_splits": "stock splits",
    "splits": "stock splits",
    "dividend": "dividends",
    "ticker": "symbol",
}
LAYOUT = "Date and Close or Adj Close, and may have Open, Volume, Dividends and Stock Splits"
FIRST_YEAR, LAST_YEAR = 1970, 2100
DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T].*)?")


@dataclass(frozen=True, eq=False)
class PriceTable:
    """One symbol's rows as they stand in its file.

    Args:
        symbol: in Yahoo's spelling: ``BABA``, ``9988.HK``, ``HKD=X``, ``^HSI``.
        origin: the name of the file, as messages and notes give it.
        frame: float columns, those present of `PRICES` and `AMOUNTS`, by strictly increasing naive date.
            NaN where the file says nothing.
    """

    symbol: str
    origin: str
    frame: pd.DataFrame

    def column(self, name: str) -> pd.Series[float]:
        """Return one column, all NaN where the file does not have it."""
        if name in self.frame:
            return self.frame[name]
        return pd.Series(np.nan, index=self.frame.index, name=name)

    @property
    def level(self) -> pd.Series[float]:
        """The close, or the adjusted close where the file has only that; missing rows dropped."""
        return self.frame["close" if "close" in self.frame else "adj close"].dropna()


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


def tidy_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the columns lower-case names in one spelling, and bring an index of dates in as a column."""
    names = [str(c).strip().lower() for c in frame.columns]
    frame = frame.set_axis([SPELLINGS.get(n, n) for n in names], axis=1)
    indexed = isinstance(frame.index, pd.DatetimeIndex) or str(frame.index.name).lower() == "date"
    return frame.rename_axis("date").reset_index() if indexed and "date" not in frame else frame


def refuse_repeated(frame: pd.DataFrame, origin: str) -> None:
    """Refuse a table with two columns of one name."""
    if frame.columns.has_duplicates:
        repeated = sorted({str(c) for c in frame.columns[frame.columns.duplicated()]})
        raise DataError(f"{origin} has the columns {repeated} twice: keep one of each")


def parse_table(symbol: str, origin: str, frame: pd.DataFrame) -> PriceTable:
    """Check one symbol's rows and turn them into floats by date."""
    refuse_repeated(frame, origin)
    lacks = [] if "date" in frame else ["Date"]
    lacks += [] if "close" in frame or "adj close" in frame else ["Close"]
    if lacks:
        raise DataError(f"{origin} lacks the column {' and '.join(lacks)}: a price file has {LAYOUT}")
    if frame.empty:
        raise DataError(f"{origin} has no rows: give it at least one price or remove it")
    dates = parse_dates(frame["date"], origin)
    columns = {c: parse_numbers(frame[c], c, dates, origin) for c in (*PRICES, *AMOUNTS) if c in frame}
    for name, values in columns.items():
        wrong = (values <= 0 if name in PRICES else values < 0) | np.isinf(values)
        if wrong.any():
            row = int(np.argmax(wrong))
            allowed = "a price is positive and finite" if name in PRICES else "it may not be negative"
            raise DataError(
                f"{origin} has {name} {values[row]:g} on {dates[row].date()}: {allowed}; correct the row, or "
                "leave the cell blank where nothing is known"
            )
    table = PriceTable(spell_symbol(symbol), origin, pd.DataFrame(columns, index=dates))
    if table.level.empty:
        raise DataError(f"{origin} has no close at all: fill its Close column or remove it")
    return table


def parse_dates(column: pd.Series[Any], origin: str) -> pd.DatetimeIndex:
    """Turn a date column into strictly increasing naive dates."""
    if pd.api.types.is_datetime64_any_dtype(column):
        dates = pd.DatetimeIndex(column).tz_localize(None).normalize()
    else:
        text = column.astype("str")
        dates = pd.DatetimeIndex(pd.to_datetime(text, format="%Y-%m-%d", errors="coerce"))
        if dates.hasnans:
            day = text.str.slice(0, 10).where(text.str.fullmatch(DATE).fillna(False))
            dates = pd.DatetimeIndex(pd.to_datetime(day, format="%Y-%m-%d", errors="coerce"))
    beyond = (dates.year < FIRST_YEAR) | (dates.year > LAST_YEAR)
    if beyond.any():
        row = int(np.argmax(beyond))
        raise DataError(
            f"{origin} has the date {shown(str(column.iloc[row]))} in data row {row + 1}: its year lies "
            f"between {FIRST_YEAR} and {LAST_YEAR}; correct the row"
        )
    dates = pd.DatetimeIndex(dates.as_unit("ns"), name="date")
    if dates.hasnans:
        row = int(np.argmax(dates.isna()))
        raise DataError(
            f"{origin} has the date {shown(str(column.iloc[row]))} in data row {row + 1}: dates are "
            "written YYYY-MM-DD"
        )
    if dates.has_duplicates:
        raise DataError(f"{origin} has {dates[dates.duplicated()][0].date()} twice: keep one row per date")
    if not dates.is_monotonic_increasing:
        row = int(np.argmax(np.diff(dates.asi8) < 0)) + 1
        raise DataError(
            f"{origin} is out of order at {dates[row].date()}: sort its rows by date, oldest first"
        )
    return dates


def parse_numbers(
    column: pd.Series[Any], name: str, dates: pd.DatetimeIndex, origin: str
) -> NDArray[np.float64]:
    """Turn a column into floats; a cell that is text is refused by date."""
    if column.dtype == np.float64:
        return column.to_numpy()
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    lost = np.isnan(numbers) & column.notna().to_numpy()
    if lost.any():
        row = int(np.argmax(lost))
        raise DataError(
            f"{origin} has {name} {shown(str(column.iloc[row]))} on {dates[row].date()}: it must be "
            "a number or blank"
        )
    return numbers


def spell_symbol(symbol: str) -> str:
    """Return a symbol in Yahoo's spelling: Hong Kong codes have four digits."""
    symbol = symbol.strip()
    code, dot, market = symbol.partition(".")
    if dot and market.upper() == "HK" and code.isdigit():
        return f"{int(code):04d}.HK"
    return symbol
