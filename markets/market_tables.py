"""What the tables of a market may hold: its steps and prices, its rates and ratios, what becomes of lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, is_number, shown, some_of

if TYPE_CHECKING:
    from entrepot.markets.market import Market

GRID_COLUMNS: Final = {
    "time": "datetime64[ns, UTC]",
    "venue": "str",
    "phase": "str",
    "session": "datetime64[ns]",
}
INSTRUMENT_TYPES: Final = {
    "venue": "str",
    "currency": "str",
    "company": "str",
    "sector": "str",
    "kind": "str",
    "pair": "str",
    "lot": "float64",
    "adjustment": "str",
    "shortable": "bool",
    "size": "str",
    "withholding": "float64",
    "fee_class": "str",
}
INSTRUMENT_COLUMNS: Final = tuple(INSTRUMENT_TYPES)
# The long tables, which may be empty.
LONG_TABLES: Final = {
    "fixings": {"time": "datetime64[ns, UTC]", "currency": "str", "per_usd": "float64"},
    "ratios": {"adr": "str", "effective_from": "datetime64[ns]", "ordinary_per_ads": "float64"},
    "dividends": {
        "symbol": "str",
        "ex_date": "datetime64[ns]",
        "pay_date": "datetime64[ns]",
        "amount": "float64",
    },
    "splits": {"symbol": "str", "ex_date": "datetime64[ns]", "factor": "float64"},
    "ahead": GRID_COLUMNS,
    "halts": {"symbol": "str", "start": "datetime64[ns, UTC]", "end": "datetime64[ns, UTC]"},
    "delistings": {
        "symbol": "str",
        "last_session": "datetime64[ns]",
        "into": "str",
        "ordinary_per_ads": "float64",
    },
    "estimates": {"symbol": "str", "session": "datetime64[ns]"},
}
STEPS_OF_A_DAY: Final = ("open", "bar", "close")
# What may be missing; of numbers it is told where they are looked at.
OPTIONAL: Final = ("dividends", "pay_date")
# What has one row only: the columns that tell rows apart, and what to do with two.
ONCE: Final = {
    "ratios": (["adr", "effective_from"], "give the one that held from that date on"),
    "splits": (["symbol", "ex_date"], "give one factor, their product where there were two"),
}
KINDS: Final = {
    "str": "text",
    "bool": "True and False",
    "float64": "numbers",
    "datetime64[ns]": "dates without a time zone, as pandas.to_datetime makes them",
    "datetime64[ns, UTC]": "times in UTC, as pandas.to_datetime(..., utc=True) makes them",
}
# What is outside is in another unit, or no price, rate or ratio; within, no product of the ledger's
# overflows or vanishes.
PRICE_BOUNDS: Final = (1e-9, 1e12)
LEAST, LARGEST = PRICE_BOUNDS
POSITIVE: Final = {"fixings": "per_usd", "ratios": "ordinary_per_ads", "splits": "factor"}
OF_SYMBOLS: Final = ("dividends", "splits", "halts", "delistings")
# Columns of the instruments and the most that may stand in them; the least is 0.
MOST: Final = {"lot": LARGEST, "withholding": 1.0}


def refuse_unsound(market: Market) -> None:
    """Refuse a market in which no ledger could be kept.

    Raises:
        DataError: on a table that lacks a column, or has one of another type or with something missing; steps
            out of order; a price that is not positive and finite, stands at a step of another venue or is
            labelled with another time; a volume that is negative or stands at another step than a close; a
            rate, ratio or split outside 1e-9 to 1e12; a dividend or a lot outside 0 to 1e12; fixings out of
            order; a halt that ends before it starts; two ratios or splits of one date; a split of a line
            whose prices are not raw; a line that leaves twice or into itself; a dividend that is no less
            than its line's last price before the ex-date.
    """
    _refuse_shapes(market)
    _refuse_columns("grid", market.grid, GRID_COLUMNS)
    _refuse_columns("instruments", market.instruments, INSTRUMENT_TYPES)
    for name, wanted in LONG_TABLES.items():
        _refuse_columns(name, getattr(market, name), wanted)
    _refuse_steps(market)
    _refuse_prices(market)
    _refuse_amounts(market)
    _refuse_rows(market)
    _refuse_dividends(market)


def say_what_is_not_used(market: Market) -> list[str]:
    """Say which rows of the tables are of symbols without prices: of a larger market, or misspelt."""
    strange = {name: {*getattr(market, name)["symbol"]}.difference(market.symbols) for name in OF_SYMBOLS}
    return [
        f"{name} has rows of {some_of(sorted(symbols))}, without prices here: they are not used."
        for name, symbols in strange.items()
        if symbols
    ]


def _refuse_shapes(market: Market) -> None:
    """Refuse what is no table, and tables that do not fit each other."""
    for name in ("grid", "price", "instruments", "volume", *LONG_TABLES):
        table = getattr(market, name)
        if not isinstance(table, pd.DataFrame) and not (name == "volume" and table is None):
            raise DataError(f"{name} is a {type(table).__name__}: give a DataFrame")
    if len(market.grid) == 0 or market.price.shape[1] == 0:
        raise DataError("the market is empty: it needs at least one step and one symbol")
    if len(market.grid) != len(market.price):
        raise DataError(
            f"grid has {len(market.grid)} steps and price has {len(market.price)} rows: give one row per step"
        )
    if list(market.instruments.index) != list(market.price.columns):
        raise DataError("instruments and price name different symbols: give one row per price column")
    names = market.price.columns
    if names.has_duplicates or not all(isinstance(name, str) for name in names):
        raise DataError(
            f"price has the columns {shown(list(names))}: give symbols, which are text, each once"
        )


def _refuse_columns(name: str, table: pd.DataFrame, wanted: Mapping[str, str]) -> None:
    lacks = [column for column in wanted if column not in table.columns]
    if lacks:
        raise DataError(f"{name} lacks the columns {lacks}: give {' and '.join(wanted)}")
    if table.columns.has_duplicates:
        raise DataError(f"{name} has a column twice: give each of {' and '.join(wanted)} once")
    if table.empty:  # of whatever types
        return
    for column, kind in wanted.items():
        values = table[column]
        if not _is_of_kind(values, kind):
            raise DataError(f"{name} has a column {column} that holds no {KINDS[kind]}: give {KINDS[kind]}")
        if kind != "float64" and (name, column) != OPTIONAL and values.hasnans:
            row = int(np.argmax(values.isna()))
            raise DataError(f"{name} has no {column} in row {row}: fill it, or leave the row out")


def _is_of_kind(values: pd.Series[Any], kind: str) -> bool:
    """Whether a column holds what is wanted, or nothing in some of its rows."""
    dtype = values.dtype
    if kind == "datetime64[ns, UTC]":
        return isinstance(dtype, pd.DatetimeTZDtype)
    if kind == "datetime64[ns]":
        return isinstance(dtype, np.dtype) and dtype.kind == "M"
    if kind == "float64":
        return dtype.kind in "fiu" or all(map(is_number, values.dropna()))
    wanted: Any = str if kind == "str" else (bool, np.bool_)
    plain = isinstance(dtype, pd.StringDtype) if kind == "str" else dtype == np.bool_
    # Categories compare with each other only.
    return plain or (
        not isinstance(dtype, pd.CategoricalDtype)
        and all(isinstance(value, wanted) for value in values.dropna())
    )


def _refuse_steps(market: Market) -> None:
    """Refuse steps out of order, and prices and volumes of other steps."""
    for name in ("grid", "ahead"):
        strange = set(getattr(market, name)["phase"]).difference(STEPS_OF_A_DAY)
        if strange:
            raise DataError(
                f"{name} has the phase {shown(min(strange))}: give {', '.join(map(repr, STEPS_OF_A_DAY))}"
            )
    if not market.grid.index.equals(pd.RangeIndex(len(market.grid))):
        raise DataError("grid has an index of its own: count its steps from 0, as reset_index does")
    if (np.diff(market.times) <= 0).any():
        raise DataError("the steps' times are not strictly increasing: sort the grid and merge equal times")
    ahead = pd.DatetimeIndex(market.ahead["time"]).as_unit("ns").asi8
    if (np.diff(ahead, prepend=market.times[-1]) <= 0).any():
        raise DataError("ahead has steps that are not after the grid's, in order of time: sort them")
    index = market.price.index
    times = pd.DatetimeIndex(market.grid["time"])
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None or not (index == times).all():
        raise DataError(
            "price has an index other than the grid's times: give the rows in order, by grid.time"
        )
    volume = market.volume
    if volume is not None and not (
        volume.index.equals(market.price.index) and volume.columns.equals(market.price.columns)
    ):
        raise DataError("volume has other steps or symbols than price: give one number for each price")


def _refuse_prices(market: Market) -> None:
    """Refuse prices and volumes that are none, or stand where their line does not trade."""
    for name in ("price", "volume"):
        table = getattr(market, name)
        if table is not None and not all(dtype.kind in "fiu" for dtype in table.dtypes):
            raise DataError(f"{name} holds something other than numbers: give floats, NaN where not known")
    prices, (least, most) = market.prices, PRICE_BOUNDS
    bad = ~(prices >= least) & ~np.isnan(prices) | (prices > most)
    if bad.any():
        step, column = np.argwhere(bad)[0]
        raise DataError(
            f"{market.symbols[column]} has the price {prices[step, column]} at {market.grid['time'][step]}: "
            f"prices are positive and finite, from {least:g} to {most:g}: mark a missing one NaN, and give "
            "others in another unit"
        )
    _refuse_elsewhere(market, "price", prices, market.scheduled, "when its venue does not trade")
    if market.volume is None:
        return
    volume = market.volume.to_numpy(dtype=np.float64, na_value=np.nan)
    if ((volume < 0) | np.isinf(volume)).any():
        raise DataError("volume holds a negative or infinite number: give shares, NaN where not known")
    closes = (market.grid["phase"] == "close").to_numpy()
    there = market.scheduled & closes[:, None]
    _refuse_elsewhere(market, "volume", volume, there, "which is no close of its venue")


def _refuse_elsewhere(
    market: Market, name: str, values: NDArray[np.float64], there: NDArray[np.bool_], why: str
) -> None:
    """Refuse the first number that stands where there can be none."""
    elsewhere = ~np.isnan(values) & ~there
    if elsewhere.any():
        step, column = np.argwhere(elsewhere)[0]
        found = f"{values[step, column]:g} of {market.symbols[column]} at {market.grid['time'][step]}"
        raise DataError(f"{name} has {found}, {why}: leave NaN there, and fill no gap")


def _refuse_amounts(market: Market) -> None:
    """Refuse rates, ratios, amounts and lots that no ledger could use."""
    for name, column in POSITIVE.items():
        _refuse_outside(name, column, _numbers(getattr(market, name)[column]), LEAST, LARGEST)
    _refuse_outside("dividends", "amount", _numbers(market.dividends["amount"]), 0.0, LARGEST)
    ratio = _numbers(market.delistings["ordinary_per_ads"])  # NaN where not known
    _refuse_outside("delistings", "ordinary_per_ads", np.where(np.isnan(ratio), 1.0, ratio), LEAST, LARGEST)
    for column, most in MOST.items():
        _refuse_outside("instruments", column, _numbers(market.instruments[column]), 0.0, most)


def _refuse_rows(market: Market) -> None:
    """Refuse rows that contradict each other, or that a search by time would not find."""
    for currency, times in market.fixings.groupby("currency")["time"]:
        if not times.is_monotonic_increasing:
            raise DataError(f"fixings of {currency} are out of order: sort them by time")
    for name, (columns, instead) in ONCE.items():
        table = getattr(market, name)
        twice = table.duplicated(columns)
        if twice.any():
            symbol, date = table.loc[twice, columns].iloc[0]
            raise DataError(f"{name} has two of {symbol} on {date:%Y-%m-%d}: {instead}")
    of_line = market.splits["symbol"].map(market.instruments["adjustment"])  # NaN without prices here
    adjusted = np.flatnonzero(of_line.notna() & (of_line != "raw"))
    if len(adjusted):
        symbol, date = market.splits[["symbol", "ex_date"]].iloc[adjusted[0]]
        raise DataError(
            f"splits has one of {symbol} on {date:%Y-%m-%d}, whose prices are adjusted for it "
            f"({shown(of_line.iloc[adjusted[0]])}): leave it out, or give raw prices"
        )
    backwards = market.halts[market.halts["end"] < market.halts["start"]]
    if len(backwards):
        raise DataError(
            f"halts has one of {backwards['symbol'].iloc[0]} that ends before it starts: swap start and end"
        )
    leaving = market.delistings
    twice = leaving["symbol"].duplicated() | (leaving["symbol"] == leaving["into"])
    if twice.any():
        raise DataError(
            f"delistings has {leaving.loc[twice, 'symbol'].iloc[0]} twice or leaving into itself: give each "
            "line that leaves once, with the Hong Kong line it becomes"
        )


def _refuse_dividends(market: Market) -> None:
    """Refuse a dividend of more than its line cost before; total-return prices hold theirs already."""
    if market.dividends.empty:
        return
    column = market.price.columns.get_indexer(pd.Index(market.dividends["symbol"]))
    amount = _numbers(market.dividends["amount"])
    total = (market.instruments["adjustment"] == "total_return").to_numpy()
    least = np.fmin.reduce(market.prices, axis=0)
    # Most are below every price of their line; only the others are looked up.
    for row in np.flatnonzero((column >= 0) & ~total[column] & (amount >= least[column])):
        symbol, date = market.dividends[["symbol", "ex_date"]].iloc[row]
        earlier = (market.grid["session"] < date).to_numpy() & np.isfinite(market.prices[:, column[row]])
        if not earlier.any():
            continue
        last = int(np.flatnonzero(earlier)[-1])
        splits = market.splits[
            (market.splits["symbol"] == symbol)
            & (market.splits["ex_date"] > market.grid["session"].iloc[last])
            & (market.splits["ex_date"] <= date)
        ]
        before = market.prices[last, column[row]] / np.prod(_numbers(splits["factor"]))
        refuse_large_dividend(symbol, date, amount[row], before)


def refuse_large_dividend(origin: str, date: pd.Timestamp, amount: float, before: float) -> None:
    """Refuse a dividend per share that is no less than the close before its ex-date; NaN is none."""
    if amount >= before:
        raise DataError(
            f"{origin} has dividends {amount:g} on {date.date()} and a close of {before:g} before: they are "
            "per share, in the currency of the prices; correct it"
        )


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _refuse_outside(name: str, column: str, values: NDArray[np.float64], least: float, most: float) -> None:
    """Refuse the first value that is not within bounds."""
    wrong = ~((values >= least) & (values <= most))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{name} has {column} {values[row]:g} in row {row}: it must be from {least:g} to {most:g}"
        )
