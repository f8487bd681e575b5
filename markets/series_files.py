"""Reading series that are no prices from the tables people have, each value with the moment it was known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, shown
from entrepot.files import open_plain
from entrepot.markets.file_ends import refuse_unended
from entrepot.markets.known_series import KnownSeries
from entrepot.markets.parquet_files import read_parquet
from entrepot.markets.price_files import check_header, told_in_a_sentence
from entrepot.markets.price_tables import FIRST_YEAR, LAST_YEAR, numbers_in, spell_symbol
from entrepot.markets.written_times import aware

LAYOUT: Final = "date, symbol and value, or date and one column for each symbol"
RESERVED: Final = ("date", "symbol", "value", "known_at")
WHOLE_MARKET: Final = "market"
MISSING: Final = ("", "None", "NaT", "nan", "<NA>")  # what an empty cell of a frame is as text
# Minutes in a unit of a lag. "m" is none: many write it for a month, and pandas reads it as a minute.
MINUTES: Final = {
    "week": 10_080,
    "w": 10_080,
    "day": 1_440,
    "d": 1_440,
    "hour": 60,
    "h": 60,
    "minute": 1,
    "min": 1,
}
LAG: Final = re.compile(rf"(\d{{1,6}}(?:\.\d+)?) ?({'|'.join(MINUTES)})s?", re.ASCII | re.IGNORECASE)
LONGEST_LAG: Final = timedelta(days=3660)
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?: 00:00:00)?")
# Daily data may pause for a fortnight (Stock Connect over a long holiday), and is daily all the same.
DAILY_GAP: Final = pd.Timedelta(days=5)
LONGEST_PAUSE: Final = pd.Timedelta(days=14)


def load_series(
    source: str | PathLike[str] | pd.DataFrame,
    *,
    name: str | None = None,
    lag: str | pd.Timedelta | None = None,
    known_at: str | None = None,
    time_zone: str = "Asia/Hong_Kong",
) -> KnownSeries:
    """Load a series by date and symbol, such as Southbound net buying, with the time each date was known.

    Two layouts are read: a long table of ``date, symbol, value`` (other columns are not read), where a table
    without symbol is about the whole market; or ``date`` and one column for each symbol. Dates are written
    YYYY-MM-DD and may stand in any order, each once for a symbol: of a revised value give the first
    published. Symbols are spelled as the market's. An empty cell is unknown, everything else must be a
    number.

    A value is known from the time in its column ``known_at`` on. A date's values count as known together,
    when the last of them is. Without that column a value counts as known at 23:59:59 of its date in
    ``time_zone``, plus ``lag``; that is the New York close of its date for Hong Kong. Rows that are on
    the whole more than five days apart, or once more than fourteen, need a lag: a month's figure is
    published weeks later, and nothing in the table says when.

    Args:
        source: the path of a CSV or Parquet file, or a DataFrame; dates may be its index.
        name: what the series is; None: the file's name.
        lag: from the end of a date to its publication, such as "1D": weeks, days, hours ("W", "D", "h") or
            minutes ("min"), or a Timedelta; None: none, for daily data. A month has no length: give "31D".
        known_at: the column of the times, if it is called otherwise. They have an offset, and are written
            as 2024-01-05T18:00+08:00.
        time_zone: of the publication, where a date ends.

    Raises:
        DataError: for a table that cannot be used; the sentence names row and column. Rows of a CSV file are
            numbered as a spreadsheet does, the header being 1; those of other tables begin with 0.
        ParameterError: for an argument outside what it may be, and a lag together with known_at.
    """
    zone, delay = checked_zone(time_zone), checked_lag(lag)
    if known_at is not None and not isinstance(known_at, str):
        raise ParameterError(f"known_at is {shown(known_at)}: give the name of the column that holds times")
    table, rows, origin = read_table_of(source)
    table = named_columns(table, known_at or "known_at", origin)
    if "known_at" in table and delay is not None:
        raise ParameterError(
            f"{origin} has times in its column of known_at and lag is {shown(lag)}: give one"
        )
    if table.empty:
        raise DataError(f"{origin} has no rows: give it at least one date and value")
    dates = parse_days(table["date"], rows, origin)
    values = in_columns(table, dates, rows, origin)
    if values.isna().all(axis=None):
        raise DataError(f"{origin} holds no value at all: every cell is empty; fill it")
    if "known_at" in table:
        known = known_as_told(table["known_at"], dates, rows, origin, zone)
    else:
        known = known_by_rule(pd.DatetimeIndex(values.index), delay, origin, zone)
    return KnownSeries(name or Path(origin).stem, values, known)


def checked_zone(time_zone: object) -> ZoneInfo:
    """Return a time zone by its name."""
    try:
        return ZoneInfo(time_zone)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, OSError):
        raise ParameterError(
            f"time_zone is {shown(time_zone)}: give a name such as 'Asia/Hong_Kong' or 'America/New_York'"
        ) from None


def checked_lag(lag: object) -> pd.Timedelta | None:
    """Return a lag that is not negative, None where there is none."""
    if lag is None:
        return None
    written = LAG.fullmatch(lag.strip()) if isinstance(lag, str) else None
    delay = timedelta(minutes=float(written[1]) * MINUTES[written[2].lower()]) if written else lag
    if not isinstance(delay, timedelta) or not timedelta(0) <= delay <= LONGEST_LAG:
        raise ParameterError(
            f"lag is {shown(lag)}: give the time from the end of a date to its publication in weeks, days, "
            "hours or minutes, such as '1D' or '90min', '31D' for a month"
        )
    return pd.Timedelta(delay)


def read_table_of(source: object) -> tuple[pd.DataFrame, list[str], str]:
    """Read a source: its cells, what its rows are called in messages, and what the source is."""
    if isinstance(source, pd.DataFrame):
        return with_dates(source), [f"row {number}" for number in range(len(source))], "a table in memory"
    if not isinstance(source, (str, PathLike)):
        raise ParameterError(
            f"load_series was given {type(source).__name__}: it reads the path of a CSV or Parquet file, or "
            "a DataFrame"
        )
    path = Path(source)
    kind = path.suffix.lower()
    try:
        found = path.is_file()
    except (OSError, ValueError):
        found = False
    if not found or kind not in (".csv", ".parquet"):
        raise DataError(f"there is no CSV or Parquet file {shown(str(source))} to load: check the path")
    with told_in_a_sentence(path, LAYOUT), open_plain(path, links=True) as file:
        if kind == ".parquet":
            table = with_dates(read_parquet(file))
            return table, [f"row {number}" for number in range(len(table))], path.name
        check_header(file, path.name)
        refuse_unended(file, path.name)
        table = pd.read_csv(
            file,
            dtype="str",
            keep_default_na=False,
            encoding="utf-8-sig",
            index_col=False,
            skip_blank_lines=False,
        )
    table = table.fillna("")  # the cells that a short row lacks
    filled = (table.map(str.strip) != "").any(axis=1).to_numpy()
    return table[filled].reset_index(drop=True), [f"row {i + 2}" for i in np.flatnonzero(filled)], path.name


def with_dates(table: pd.DataFrame) -> pd.DataFrame:
    """Bring an index of dates in as a column."""
    named = [str(column).strip().lower() for column in table.columns]
    indexed = isinstance(table.index, pd.DatetimeIndex) or str(table.index.name).lower() == "date"
    table = table.rename_axis("date").reset_index() if indexed and "date" not in named else table
    return table.reset_index(drop=True)


def named_columns(table: pd.DataFrame, times: str, origin: str) -> pd.DataFrame:
    """Spell the columns' names, and refuse a table that has neither layout."""

    def spelled(column: object) -> str:
        text = str(column).strip()
        if text.lower() == times.strip().lower():
            return "known_at"
        return text.lower() if text.lower() in RESERVED else spell_symbol(text)

    given = [str(column).strip() for column in table.columns]
    names = [spelled(column) for column in table.columns]
    table = table.set_axis(pd.Index(names, dtype="str"), axis=1)
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise DataError(f"{origin} has the columns {shown(', '.join(repeated))} twice: keep one of each")
    others = [name for name in names if name not in ("date", "known_at")]
    if "date" not in names or not others or ("symbol" in names and "value" not in names):
        raise DataError(f"{origin} has the columns {shown(', '.join(given))}: give it {LAYOUT}")
    if times != "known_at" and "known_at" not in names:
        raise DataError(f"{origin} has no column {shown(times)} of times: name the one that holds them")
    return table


def parse_days(cells: pd.Series[Any], rows: Sequence[str], origin: str) -> pd.DatetimeIndex:
    """Turn cells into naive dates; a time of day or a zone is no part of a date."""
    text = cells.astype("str").str.strip()
    is_day = text.str.fullmatch(DAY).fillna(False).to_numpy(bool)
    days = pd.DatetimeIndex(
        pd.to_datetime(text.str.slice(0, 10).where(is_day), format="%Y-%m-%d", errors="coerce")
    )
    wrong = days.isna() | (days.year < FIRST_YEAR) | (days.year > LAST_YEAR)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise DataError(
            f"{origin} {rows[at]}: date is {shown(str(cells.iloc[at]))}; write a date between {FIRST_YEAR} "
            f"and {LAST_YEAR} as YYYY-MM-DD, without time of day or zone"
        )
    return pd.DatetimeIndex(days.as_unit("ns"), name="date")


def in_columns(
    table: pd.DataFrame, dates: pd.DatetimeIndex, rows: Sequence[str], origin: str
) -> pd.DataFrame:
    """Lay the values out by date and symbol, dates ascending; a date occurs once for each symbol."""
    if "value" not in table:
        refuse_repeated(pd.DataFrame({"date": dates}), rows, origin)
        symbols = [name for name in table.columns if name not in ("date", "known_at")]
        cells = {symbol: parse_values(table[symbol], symbol, rows, origin) for symbol in symbols}
        return pd.DataFrame(cells, index=dates, columns=pd.Index(symbols, dtype="str")).sort_index()
    long = pd.DataFrame({"date": dates, "value": parse_values(table["value"], "value", rows, origin)})
    if "symbol" in table:
        symbol = table["symbol"].astype("str").str.strip()
        blank = symbol.isin(MISSING) | table["symbol"].isna()
        if blank.any():
            raise DataError(f"{origin} {rows[int(np.argmax(blank))]}: symbol is empty; fill it")
        long["symbol"] = [spell_symbol(text) for text in symbol]
    else:
        long["symbol"] = WHOLE_MARKET
    refuse_repeated(long[["date", "symbol"]], rows, origin)
    row, days = pd.factorize(dates, sort=True)
    column, symbols = pd.factorize(pd.Index(long["symbol"]), sort=True)
    wide = np.full((len(days), len(symbols)), np.nan)
    wide[row, column] = long["value"]
    return pd.DataFrame(wide, index=days, columns=symbols)


def parse_values(cells: pd.Series[Any], column: str, rows: Sequence[str], origin: str) -> NDArray[np.float64]:
    """Turn cells into floats, NaN where they are empty; whatever else is no finite number is refused."""
    empty = cells.isna().to_numpy()
    if not pd.api.types.is_numeric_dtype(cells):
        empty = empty | np.array([isinstance(cell, str) and not cell.strip() for cell in cells], dtype=bool)
    numbers = numbers_in(cells)
    wrong = ~np.isfinite(numbers) & ~empty
    if wrong.any():
        at = int(np.argmax(wrong))
        raise DataError(
            f"{origin} {rows[at]}: {column} is {shown(str(cells.iloc[at]))}; give a finite number, or leave "
            "the cell empty where nothing is known"
        )
    return np.where(empty, np.nan, numbers)


def refuse_repeated(keys: pd.DataFrame, rows: Sequence[str], origin: str) -> None:
    """Refuse a date that occurs again, for its symbol where there are symbols."""
    again = keys.duplicated().to_numpy()
    if not again.any():
        return
    at = int(np.argmax(again))
    first = int(np.argmax((keys == keys.iloc[at]).all(axis=1).to_numpy()))
    whose = f" of {keys['symbol'].iloc[at]}" if "symbol" in keys else ""
    raise DataError(
        f"{origin} {rows[at]}: {keys['date'].iloc[at].date()}{whose} is already in {rows[first]}; keep one, "
        "of a revised value the first that was published"
    )


def known_as_told(
    cells: pd.Series[Any], dates: pd.DatetimeIndex, rows: Sequence[str], origin: str, zone: ZoneInfo
) -> pd.DatetimeIndex:
    """Return when each date was known, by ascending date: at the latest time among its rows."""
    begins = dates.tz_localize(zone, nonexistent="shift_forward", ambiguous=np.ones(len(dates), dtype=bool))
    times = []
    for at, (cell, begin) in enumerate(zip(cells, begins, strict=True)):
        moment = aware(cell.strip() if isinstance(cell, str) else cell)
        if moment is None:
            raise DataError(
                f"{origin} {rows[at]}: known_at is {shown(str(cell))}; give a time with its offset, such as "
                "2024-01-05T18:00+08:00"
            )
        if moment <= begin:
            raise DataError(
                f"{origin} {rows[at]}: known_at is {shown(str(cell))}, before {begin.date()} began in "
                f"{zone.key}; nothing is known of a date before it"
            )
        times.append(moment)
    latest = pd.Series(pd.DatetimeIndex(times)).groupby(dates).max()
    early = latest.diff() < pd.Timedelta(0)
    if early.any():
        day = latest.index[int(np.argmax(early))]
        raise DataError(
            f"{origin}: {day.date()} is known before the date above it; give every date a known_at that is "
            "not before that of an earlier date"
        )
    return pd.DatetimeIndex(latest)


def known_by_rule(
    dates: pd.DatetimeIndex, lag: pd.Timedelta | None, origin: str, zone: ZoneInfo
) -> pd.DatetimeIndex:
    """Return when each date counts as known: a lag after its end."""
    gaps = pd.Series(dates).diff().dropna()
    sparse = gaps.empty or gaps.median() > DAILY_GAP or gaps.max() > LONGEST_PAUSE
    if lag is None and sparse:
        said = "one date" if gaps.empty else f"dates up to {gaps.max().days} days apart"
        raise DataError(
            f"{origin} has {said} and nothing says when their values were published: give lag='15D' for "
            "fifteen days after the date, '0D' for its end, or a column known_at"
        )
    delay = pd.Timedelta(0) if lag is None else lag
    # A month's first trading day is the third at the latest, but for long holidays.
    if not gaps.empty and gaps.median() > DAILY_GAP and (dates.day <= 3).all() and delay < gaps.max():
        raise DataError(
            f"{origin} dates its months by their first day, and with a lag of {delay.days} days a month is "
            f"known before it is over: date it by its last day, or give a lag of {gaps.max().days}D or a "
            "known_at"
        )
    ends = dates + pd.Timedelta(hours=23, minutes=59, seconds=59) + delay
    # Of a time that a clock change makes twice, the later.
    return ends.tz_localize(zone, nonexistent="shift_forward", ambiguous=np.zeros(len(ends), dtype=bool))
