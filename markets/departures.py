"""Lines that left New York and whose prices stop before: what is missing, and parity in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError
from entrepot.markets.ends import GRACE_SESSIONS
from entrepot.markets.instruments import partner_of
from entrepot.markets.listings import Listings
from entrepot.markets.market import Market, empty_table
from entrepot.markets.premium import exchange_rate, prints, splits_between

Departures = Literal["as_given", "parity"]


def say_what_is_missing(missing: Mapping[str, pd.DatetimeIndex], delistings: pd.DataFrame) -> list[str]:
    """Say of each departing line how many sessions its prices lack and what a run that holds it meets."""
    leaves = delistings.set_index("symbol")["last_session"]
    notes = []
    for symbol, days in missing.items():
        lacks = (
            f"{symbol} has no price in {len(days)} New York session{'s' * (len(days) > 1)} from "
            f"{days[0].date()} to {days[-1].date()} (its last session is {leaves[symbol].date()})"
        )
        if len(days) > GRACE_SESSIONS:
            notes.append(
                f"{lacks}: a run that still holds it then is refused; get out before {days[0].date()}, or "
                "load with departures='parity'."
            )
        else:
            notes.append(f"{lacks}: until then it stands at its last price.")
    return notes


def fill_at_parity(market: Market, missing: Mapping[str, pd.DatetimeIndex], listings: Listings) -> Market:
    """Return the market with the missing closes of departing lines at parity with their Hong Kong lines.

    A close is ``ordinary_per_ads * Hong Kong close / HKD per USD``: the last Hong Kong close before that New
    York close, of the same date unless Hong Kong was shut or had no price, and the last rate known there. A
    Hong Kong close more than five sessions old is none. The Hong Kong line's dividends of that time are the
    line's too, at the ratio and the rate of their ex-date: without them a short would earn every ex-date.

    Args:
        market: as loaded.
        missing: by symbol, the New York sessions without a close.
        listings: what names the Hong Kong line of one that has none in the market.

    Raises:
        DataError: for a line without a Hong Kong line in the market, or with total-return prices, whose
            levels stand at no parity.
    """
    price, notes = market.price.copy(), list(market.notes)
    estimates, dividends = [market.estimates], [market.dividends]
    for symbol, days in missing.items():
        hk = refuse_without_parity(market, symbol, days, listings)
        step, value = parity_closes(market, symbol, hk, days)
        price.iloc[step, market.column(symbol)] = value
        filled = pd.DatetimeIndex(market.grid["session"].to_numpy()[step]).as_unit("ns")
        if filled.empty:
            notes.append(
                f"The {len(days)} closes that {symbol} lacks stay missing: {hk} has no price either."
            )
            continue
        estimates.append(pd.DataFrame({"symbol": symbol, "session": filled}))
        dividends.append(paid := parity_dividends(market, symbol, hk, days))
        notes.append(
            f"The closes of {symbol} from {filled[0].date()} to {filled[-1].date()} ({len(filled)} sessions) "
            f"are estimates, not prints: at parity with {hk}, at the exchange rate known then"
            + ("", ", and so is 1 dividend", f", and so are {len(paid)} dividends")[min(len(paid), 2)]
            + (f"; {len(days) - len(filled)} stay missing." if len(days) > len(filled) else ".")
        )
    table = empty_table("estimates")
    return replace(
        market,
        price=price,
        estimates=pd.concat(estimates, ignore_index=True).astype(table.dtypes.to_dict()),
        dividends=pd.concat(dividends, ignore_index=True),
        notes=tuple(notes),
    )


def refuse_without_parity(market: Market, symbol: str, days: pd.DatetimeIndex, listings: Listings) -> str:
    """Return the Hong Kong line of a departing one, or refuse to estimate without."""
    hk = str(market.instruments.at[symbol, "pair"])
    lacks = f"{symbol} lacks {len(days)} closes from {days[0].date()} to {days[-1].date()}"
    if not hk:
        partner = partner_of(symbol, listings)
        needs = f"needs {partner}, its Hong Kong line: load it too" if partner else "needs a Hong Kong line"
        raise DataError(
            f"{lacks} and departures='parity' {needs}; or leave {symbol} out, or use departures='as_given'"
        )
    if "total_return" in set(market.instruments.loc[[symbol, hk], "adjustment"]):
        raise DataError(
            f"{lacks} and departures='parity' has only total-return prices of {symbol} and {hk}, which stand "
            "at no parity: load a Close column for both, or use departures='as_given'"
        )
    return hk


def parity_closes(
    market: Market, symbol: str, hk: str, days: pd.DatetimeIndex
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the steps of the closes that can be estimated, and the estimates in USD."""
    own, other = (prints(market, s, "close", "same_date") for s in (symbol, hk))
    wanted = np.isin(own.session, days.as_unit("ns").asi8)
    step, session = own.step[wanted], own.session[wanted]
    before = np.searchsorted(other.step, step) - 1
    position = np.arange(len(other.step))
    printed = np.maximum.accumulate(np.where(np.isfinite(other.price), position, -1))
    at = np.where(before >= 0, printed[before], -1)
    usable = (at >= 0) & (before - at <= GRACE_SESSIONS)
    step, session, at = step[usable], session[usable], at[usable]
    ratio = market.ordinary_per_ads[symbol].to_numpy()[step]
    ratio = ratio * splits_between(market, hk, session, other.session[at])
    return step, ratio * other.price[at] / exchange_rate(market, symbol, hk, step)


def parity_dividends(market: Market, symbol: str, hk: str, days: pd.DatetimeIndex) -> pd.DataFrame:
    """Return what a departing line would have paid, in USD, of the Hong Kong line's dividends."""
    grid = market.grid[market.grid["venue"] == market.instruments.at[symbol, "venue"]]
    opens = grid.drop_duplicates("session")
    sessions = pd.DatetimeIndex(opens["session"])
    last_print = sessions[max(int(sessions.searchsorted(days[0])) - 1, 0)]
    paid = market.dividends[market.dividends["symbol"] == hk]
    paid = paid[(paid["ex_date"] > last_print) & (paid["ex_date"] <= days[-1])]
    at = opens.index.to_numpy()[sessions.searchsorted(pd.DatetimeIndex(paid["ex_date"]))]
    ratio = market.ordinary_per_ads[symbol].to_numpy()[at]
    return paid.assign(symbol=symbol, amount=paid["amount"] * ratio / exchange_rate(market, symbol, hk, at))
