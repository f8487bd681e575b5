"""One symbol's daily prices as they stand in their source, checked."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, is_number, near_word, shown
from entrepot.markets.bars import as_bars, bar_stamps
from entrepot.markets.instruments import venue_of
from entrepot.markets.market_tables import PRICE_BOUNDS
from entrepot.markets.sessions import TIMEZONES

PRICES = ("open", "close", "adj close")
AMOUNTS = ("volume", "dividends", "stock splits")
# By letters and digits alone. A name is here only where all who write it mean the same by it.
SPELLINGS: Final = {
    "adjclose": "adj close",
    "adjustedclose": "adj close",
    "adjopen": "adj open",
    "adjustedopen": "adj open",
    "vol": "volume",
    "dividend": "dividends",
    "divcash": "dividends",  # Tiingo's
    "stocksplits": "stock splits",
    "stocksplit": "stock splits",
    "splits": "stock splits",
    "split": "stock splits",
    "splitfactor": "stock splits",  # Tiingo's
    "ticker": "symbol",
}
DATE_NAMES: Final = ("date", "datetime", "timestamp", "time")
UNNAMED: Final = ("", "none", "unnamed: 0", "index")  # what an index without a name becomes as a column
RANGE: Final = ("high", "low")
FIELDS: Final = frozenset({*PRICES, *AMOUNTS, *RANGE, "adj open", "capital gains"})
KNOWN: Final = frozenset({*FIELDS, *DATE_NAMES, "symbol"})
LAYOUT = "Date and Close or Adj Close, and may have Open, Volume, Dividends and Stock Splits"
FIRST_YEAR, LAST_YEAR = 1970, 2100
STAMP: Final = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[ T](?P<time>\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)"
    r"\s?(?P<offset>Z|UTC|GMT|[+-](?:0\d|1[0-4]):?[0-5]\d)?)?"
)
RATES_ZONE: Final = "Europe/London"  # where the day of a currency begins with the vendors that stamp it
FEW_ON_WEEKENDS: Final = 3  # prices
FEWER_OF_A_DAY: Final = 0.75  # of the Wednesdays: Mondays or Fridays that moved to a weekend
SYMBOL: Final = re.compile(r"\^?[A-Z0-9][A-Z0-9-]*(?:\.[A-Z]+)?(?:=X)?")
WITHOUT_MARKET: Final = re.compile(r"\d[A-Z0-9-]*|USD[A-Z]{3}|[A-Z]{3}USD")  # a code or a rate, and not where
HONG_KONG: Final = re.compile(r"(?:\^.*|\d{4,5})\.HK")
RENMINBI: Final = re.compile(r"8\d{4}\.HK")  # the codes that Hong Kong gives to what trades in renminbi
NO_NUMBERS: Final = "bcmM"  # kinds of columns that would turn into floats: truth, complex, spans, dates
# What may stand in a column: the least and most, and how it is said. No market goes near them, and a float
# holds the products and sums of what lies between.
LIMITS: Final[dict[str, tuple[float, float, str]]] = {
    **dict.fromkeys(PRICES, (*PRICE_BOUNDS, "a price is positive, from {:g} to {:g}".format(*PRICE_BOUNDS))),
    "volume": (0.0, 1e15, "it may not be negative, nor above 1e+15"),
    "dividends": (0.0, 1e12, "it may not be negative, nor above 1e+12"),
    "stock splits": (
        1e-4,
        1e4,
        "it is new shares per old, from 0.0001 to 10000, or 0 or 1 where there is no split",
    ),
}


@dataclass(frozen=True, eq=False)
class PriceTable:
    """One symbol's rows as they stand in its file.

    Args:
        symbol: in Yahoo's spelling: ``BABA``, ``9988.HK``, ``HKD=X``, ``^HSI``.
        origin: the name of the file, as messages and notes give it.
        frame: float columns, those present of `PRICES`, `AMOUNTS` and `RANGE`, by strictly increasing naive
            date. NaN where the file says nothing, and where a high or low is no number: no market reads them.
        bars: the bars of which ``frame`` holds the days, where the file has times of day; else None.
        yahoo: whether it is known to come from yfinance.
    """

    symbol: str
    origin: str
    frame: pd.DataFrame
    bars: pd.DataFrame | None = None
    yahoo: bool = False

    def column(self, name: str) -> pd.Series[float]:
        """Return one column, all NaN where the file does not have it."""
        if name in self.frame:
            return self.frame[name]
        return pd.Series(np.nan, index=self.frame.index, name=name)

    @property
    def level(self) -> pd.Series[float]:
        """The close, or the adjusted close where the file has only that; missing rows dropped."""
        return self.frame["close" if "close" in self.frame else "adj close"].dropna()

    @property
    def adjusted(self) -> pd.Series[float]:
        """The adjusted close, missing rows dropped; nothing where the file has none."""
        return self.column("adj close").dropna()


def spell(name: Hashable) -> str:
    """Return the name of a column in lower case and one spelling."""
    plain = str(name).strip().strip("<>").lower()
    return SPELLINGS.get("".join(filter(str.isalnum, plain)), plain)


def tidy_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the columns lower-case names in one spelling, and bring the dates in as a column `date`."""
    frame = with_date_column(frame)
    return frame.set_axis([spell(name) for name in frame.columns], axis=1)


def with_date_column(frame: pd.DataFrame) -> pd.DataFrame:
    """Name the column of dates `date`, wherever the dates are, and leave the other names as they are.

    A column `Date` comes first, then `Datetime`, `Timestamp` or `Time`, then the index, then a first column
    without a name. A frame without any of them is returned as it is.
    """
    names = [spell(name) for name in frame.columns]
    for wanted in DATE_NAMES:
        if wanted in names:
            heads = ["date" if spelt == wanted else name for spelt, name in zip(names, frame, strict=True)]
            return frame.set_axis(heads, axis=1)
    if holds_dates(frame.index):
        return frame.rename_axis("date").reset_index()
    if names and (names[0] in UNNAMED or not names[0]):
        return frame.set_axis(["date", *frame.columns[1:]], axis=1)
    return frame


def holds_dates(index: pd.Index[Any]) -> bool:
    """Whether an index is one of dates, by its type, its name or its first value."""
    if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex) or spell(index.name) in DATE_NAMES:
        return True
    if isinstance(index, pd.RangeIndex | pd.MultiIndex) or index.empty:
        return False
    return not pd.isna(read_moments(index[:1].to_series())).any()


def refuse_repeated(frame: pd.DataFrame, origin: str) -> None:
    """Refuse a table with two columns of one name."""
    if frame.columns.has_duplicates:
        repeated = sorted({str(c) for c in frame.columns[frame.columns.duplicated()]})
        raise DataError(f"{origin} has the columns {repeated} twice: keep one of each")


def refuse_misspelt(frame: pd.DataFrame, origin: str) -> None:
    """Refuse a column that is not read and may hold splits, dividends, or prices or volumes the table lacks.

    A name is a slip of the known one it is nearest to; beside an Open, OpenInt is something else. High and
    Low only inform, and too many short words are near to them.
    """
    not_lost = [known for known in KNOWN if known in frame or known not in (*PRICES, *AMOUNTS)]
    for name in [str(column) for column in frame if column not in KNOWN]:
        near = near_word(name, KNOWN)
        if "split" in name or "div" in name or near != near_word(name, not_lost):
            raise DataError(
                f"{origin} has the column {shown(name)}{near or ':'} a price file has {LAYOUT}; give it the "
                "name of what it holds, or remove it"
            )


def parse_table(symbol: str, origin: str, frame: pd.DataFrame, yahoo: bool = False) -> PriceTable:
    """Check one symbol's rows, which may be known as those of yfinance, and turn them into floats by date."""
    refuse_repeated(frame, origin)
    lacks = [] if "date" in frame else ["Date"]
    lacks += [] if "close" in frame or "adj close" in frame else ["Close"]
    if lacks:
        raise DataError(f"{origin} lacks the column {' and '.join(lacks)}: a price file has {LAYOUT}")
    if frame.empty:
        raise DataError(f"{origin} has no rows: give it at least one price or remove it")
    refuse_misspelt(frame, origin)
    symbol = check_symbol(symbol, origin)
    moments = local_moments(frame["date"], zone_of(symbol))
    stamps = bar_stamps(moments, frame["date"], symbol, origin)
    dates = parse_dates(moments, frame["date"], origin) if stamps is None else stamps
    if stamps is None:
        frame = with_opens_of_its_closes(frame, origin)
    columns = {c: parse_numbers(frame[c], c, dates, origin) for c in (*PRICES, *AMOUNTS) if c in frame}
    for name, values in columns.items():
        low, high, allowed = LIMITS[name]
        wrong = (values < low) | (values > high)
        if name == "stock splits":
            wrong &= values != 0
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"{origin} has {name} {values[row]:g} on {dates[row].date()}: {allowed}; correct the row, or "
                "leave the cell blank where nothing is known"
            )
    if "stock splits" in columns:  # some vendors write 1 where there is none
        columns["stock splits"] = np.where(columns["stock splits"] == 1, 0.0, columns["stock splits"])
    columns |= {c: numbers_in(frame[c]) for c in RANGE if c in frame}
    table = PriceTable(symbol, origin, pd.DataFrame(columns, index=dates), yahoo=yahoo)
    table = table if stamps is None else as_bars(table)
    if table.level.empty:
        raise DataError(f"{origin} has no close at all: fill its Close column or remove it")
    if stamps is None:
        refuse_shifted(table)
    return table


def with_opens_of_its_closes(frame: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Name the opens that are adjusted as the closes are; refuse opens of which nobody can tell."""
    if "close" in frame:
        return frame
    # Between opens as printed and closes less dividends no day's move is true.
    if "open" in frame and frame["open"].notna().any():
        raise DataError(
            f"{origin} has Open beside Adj Close and no Close, and nothing tells whether its opens are "
            "adjusted: add its Close, or name opens that are Adj Open"
        )
    return frame.drop(columns="open", errors="ignore").rename(columns={"adj open": "open"})


def zone_of(symbol: str) -> str | None:
    """Return the zone in which a symbol's days are counted; None for an index of unknown venue."""
    return RATES_ZONE if symbol.endswith("=X") else TIMEZONES.get(venue_of(symbol))


def parse_dates(moments: pd.DatetimeIndex, column: pd.Series[Any], origin: str) -> pd.DatetimeIndex:
    """Turn stamps into strictly increasing naive dates.

    Args:
        moments: of the rows, see `local_moments`.
        column: the same as written, for messages.
        origin: as messages name the table.
    """
    dates = moments.tz_localize(None).normalize()
    beyond = (dates.year < FIRST_YEAR) | (dates.year > LAST_YEAR)
    if beyond.any():
        row = int(np.argmax(beyond))
        raise DataError(
            f"{origin} has the date {shown(str(column.iloc[row]))} in data row {row + 1}: its year lies "
            f"between {FIRST_YEAR} and {LAST_YEAR}; correct the row"
        )
    dates = pd.DatetimeIndex(dates.as_unit("ns"), name="date")
    refuse_unreadable(dates, column, origin)
    if dates.has_duplicates:
        raise DataError(f"{origin} has {dates[dates.duplicated()][0].date()} twice: keep one row per date")
    if not dates.is_monotonic_increasing:
        row = int(np.argmax(np.diff(dates.asi8) < 0)) + 1
        raise DataError(
            f"{origin} is out of order at {dates[row].date()}: sort its rows by date, oldest first"
        )
    return dates


def refuse_unreadable(dates: pd.DatetimeIndex, column: pd.Series[Any], origin: str) -> None:
    """Refuse a cell of which no date could be made."""
    if dates.hasnans:
        row = int(np.argmax(dates.isna()))
        raise DataError(
            f"{origin} has the date {shown(str(column.iloc[row]))} in data row {row + 1}: dates are "
            "written YYYY-MM-DD"
        )


def local_moments(column: pd.Series[Any], zone: str | None) -> pd.DatetimeIndex:
    """Read stamps, see `read_moments`; those with a zone in that of the exchange, where it is known."""
    moments = read_moments(column)
    return moments if moments.tz is None or zone is None else moments.tz_convert(zone)


def read_moments(column: pd.Series[Any]) -> pd.DatetimeIndex:
    """Read stamps of any kind; NaT where one cannot be read.

    Midnights of a zone are dates: what is stamped ``2022-01-04 00:00:00+00:00`` throughout is of the fourth
    everywhere. Only stamps with a zone that are not all midnights there are moments.

    Args:
        column: datetimes, days as periods, whole numbers or text YYYYMMDD, date objects, or text that begins
            with YYYY-MM-DD and may go on with a time and an offset.

    Returns:
        Naive stamps where there is no zone or all are midnights, else stamps with a zone.
    """
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        stamps = pd.DatetimeIndex(column)
        wall = stamps.tz_localize(None)
        return wall if at_midnight(wall) else stamps
    if isinstance(column.dtype, pd.ArrowDtype) and column.dtype.kind == "O":
        column = pd.Series(list(column), dtype=object)  # not all of Arrow's types turn into text
    text = column.astype("str")  # a week, month or year becomes no date
    if pd.api.types.is_integer_dtype(column.dtype):
        return without_dashes(text)
    days = pd.DatetimeIndex(pd.to_datetime(text, format="%Y-%m-%d", errors="coerce"))
    if not days.hasnans:
        return days
    return without_dashes(text) if days.isna().all() and text.str.len().eq(8).all() else written_moments(text)


def without_dashes(text: pd.Series[Any]) -> pd.DatetimeIndex:
    """Read days written YYYYMMDD."""
    return pd.DatetimeIndex(pd.to_datetime(text.where(text.str.len() == 8), format="%Y%m%d", errors="coerce"))


def written_moments(text: pd.Series[Any]) -> pd.DatetimeIndex:
    """Read stamps that are written with times of day, and with an offset on all of them or on none."""
    parts = text.where(text.str.fullmatch(STAMP).fillna(False)).str.extract(STAMP)
    wall = pd.DatetimeIndex(
        pd.to_datetime(parts["day"] + "T" + parts["time"].fillna("00:00"), format="ISO8601", errors="coerce")
    )
    offset = parts["offset"]
    if at_midnight(wall) or offset.isna().all():
        return wall
    plain = offset.replace({"Z": "+0000", "UTC": "+0000", "GMT": "+0000"}).str.replace(":", "")
    minutes = plain.str.slice(1, 3).astype("float") * 60 + plain.str.slice(3, 5).astype("float")
    ahead = pd.to_timedelta(minutes.where(plain.str.slice(0, 1) == "+", -minutes), unit="m")
    return pd.DatetimeIndex(wall - pd.TimedeltaIndex(ahead)).tz_localize("UTC")


def at_midnight(stamps: pd.DatetimeIndex) -> bool:
    """Whether all stamps that could be read are midnights."""
    known = stamps[stamps.notna()]
    return bool((known == known.normalize()).all())


def refuse_shifted(table: PriceTable) -> None:
    """Refuse a table whose price moves on too many Saturdays or Sundays: its dates are those of another zone.

    Rates are quoted on Sundays too; of theirs the Mondays or Fridays must be missing besides.
    """
    level = table.level
    moved = np.append(True, np.diff(level.to_numpy()) != 0)
    days = pd.DatetimeIndex(level.index)[moved]
    counts = np.bincount(days.day_of_week, minlength=7)
    weekends = int(counts[5:].sum())
    missing = min(counts[0], counts[4]) < FEWER_OF_A_DAY * counts[2]
    if weekends > FEW_ON_WEEKENDS and (missing or not table.symbol.endswith("=X")):
        raise DataError(
            f"{table.origin} has {weekends} prices on Saturdays and Sundays: its dates seem to be shifted by "
            "a day, as times in UTC are; give the dates of the exchange, or stamps with their time zone"
        )


def parse_numbers(
    column: pd.Series[Any], name: str, dates: pd.DatetimeIndex, origin: str
) -> NDArray[np.float64]:
    """Turn a column into floats; a cell that is text is refused by date."""
    numbers = numbers_in(column)
    lost = np.isnan(numbers) & column.notna().to_numpy()
    if lost.any():
        row = int(np.argmax(lost))
        raise DataError(
            f"{origin} has {name} {shown(str(column.iloc[row]))} on {dates[row].date()}: it must be "
            "a number or blank"
        )
    return numbers


def numbers_in(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Return the cells of a column as floats, NaN where one is blank or no number."""
    if column.dtype == np.float64:
        return column.to_numpy()
    if column.dtype.kind in NO_NUMBERS:
        return np.full(len(column), np.nan)
    if column.dtype.kind in "OUS":  # text, and whatever Python has: truth, fractions, periods
        cells = [cell if holds_number(cell) else None for cell in column]
        column = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce")
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def holds_number(cell: object) -> bool:
    """Whether a cell may be turned into a float: text, a real number, a finite decimal."""
    return isinstance(cell, str) or is_number(cell) or (isinstance(cell, Decimal) and cell.is_finite())


def spell_symbol(symbol: str) -> str:
    """Return a symbol in Yahoo's spelling: capitals, and Hong Kong codes of four digits."""
    symbol = symbol.strip().upper()
    code, _, market = symbol.partition(".")
    if market == "HK" and code.isascii() and code.isdigit():
        return f"{int(code):04d}.HK"
    return symbol


def check_symbol(symbol: str, origin: str) -> str:
    """Return a symbol as `spell_symbol` does; refuse what would be taken for another line than it is."""
    spelt = spell_symbol(symbol)
    no_code = spelt.endswith(".HK") and not HONG_KONG.fullmatch(spelt)
    if no_code or not SYMBOL.fullmatch(spelt) or WITHOUT_MARKET.fullmatch(spelt):
        raise DataError(
            f"{origin} is named {shown(symbol)}, which does not say what it is: write Hong Kong lines as "
            "9988.HK, New York lines as BABA, indices as ^HSI, and HKD per USD as HKD=X"
        )
    if RENMINBI.fullmatch(spelt):
        raise DataError(
            f"{origin} is named {spelt}, a counter that trades in renminbi, which is not covered: load the "
            "counter in Hong Kong dollars"
        )
    return spelt
