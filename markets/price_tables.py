"""One symbol's daily prices as they stand in their source, checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, shown

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
        bars: the bars of which ``frame`` holds the days, where the file has times of day; else None.
    """

    symbol: str
    origin: str
    frame: pd.DataFrame
    bars: pd.DataFrame | None = None

    def column(self, name: str) -> pd.Series[float]:
        """Return one column, all NaN where the file does not have it."""
        if name in self.frame:
            return self.frame[name]
        return pd.Series(np.nan, index=self.frame.index, name=name)

    @property
    def level(self) -> pd.Series[float]:
        """The close, or the adjusted close where the file has only that; missing rows dropped."""
        return self.frame["close" if "close" in self.frame else "adj close"].dropna()


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
    # times of day: a table of bars goes its own way from here
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
