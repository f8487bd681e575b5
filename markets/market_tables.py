"""What the tables of a market may hold: its rates, ratios, actions, halts and departures, and its lots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from entrepot.errors import DataError, is_number, some_of

if TYPE_CHECKING:
    from entrepot.markets.market import Market

POSITIVE: Final = {"fixings": "per_usd", "ratios": "ordinary_per_ads", "splits": "factor"}
OF_SYMBOLS: Final = ("dividends", "splits", "halts", "delistings")
# Columns of the instruments and the most that may stand in them; the least is 0.
MOST: Final = {"lot": np.inf, "withholding": 1.0}


def refuse_unsound(market: Market, columns: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse tables of a market in which no ledger could be kept.

    Args:
        market: whose steps and prices are in order.
        columns: names of the columns that each table has.

    Raises:
        DataError: on a column that is missing or holds no numbers, a rate, ratio or split that is not
            positive and finite, a dividend or a lot that is negative or not finite, fixings out of order or
            without a time zone, a halt that ends before it starts, and a line that leaves twice or into
            itself.
    """
    for name, wanted in columns.items():
        lacks = [column for column in wanted if column not in getattr(market, name).columns]
        if lacks:
            raise DataError(f"{name} lacks the columns {lacks}: give {' and '.join(wanted)}")
    for name, column in POSITIVE.items():
        values = _numbers(getattr(market, name), column, name)
        _refuse(name, column, values, ~(values > 0) | np.isinf(values), "positive and finite")
    paid = _numbers(market.dividends, "amount", "dividends")
    _refuse("dividends", "amount", paid, ~(paid >= 0) | np.isinf(paid), "0 or more, and finite")
    for column, most in MOST.items():
        values = _numbers(market.instruments, column, "instruments")
        wrong = ~(values >= 0) | (values > most) | np.isinf(values)
        _refuse(
            "instruments", column, values, wrong, "0 or more, and finite" if np.isinf(most) else "from 0 to 1"
        )
    _refuse_fixings(market.fixings)
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


def say_what_is_not_used(market: Market) -> list[str]:
    """Say which rows of the tables are of symbols without prices: of a larger market, or misspelt."""
    strange = {name: {*getattr(market, name)["symbol"]}.difference(market.symbols) for name in OF_SYMBOLS}
    return [
        f"{name} has rows of {some_of(sorted(map(str, symbols)))}, without prices here: they are not used."
        for name, symbols in strange.items()
        if symbols
    ]


def _numbers(table: pd.DataFrame, column: str, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return a column as floats, if all it holds is numbers."""
    if table[column].dtype.kind not in "fiu" and not all(map(is_number, table[column].dropna())):
        raise DataError(f"{name} has a column {column} that holds no numbers: give floats")
    return table[column].to_numpy(dtype=np.float64, na_value=np.nan)


def _refuse(
    name: str,
    column: str,
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    wrong: np.ndarray[tuple[int], np.dtype[np.bool_]],
    allowed: str,
) -> None:
    """Refuse the first value that is wrong."""
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"{name} has {column} {values[row]:g} in row {row}: it must be {allowed}")


def _refuse_fixings(fixings: pd.DataFrame) -> None:
    """Refuse fixings that a search by time would not find."""
    if len(fixings) and not isinstance(fixings["time"].dtype, pd.DatetimeTZDtype):
        raise DataError("fixings has times without a time zone: give them in UTC")
    for currency, times in fixings.groupby("currency")["time"]:
        if not times.is_monotonic_increasing:
            raise DataError(f"fixings of {currency} are out of order: sort them by time")
