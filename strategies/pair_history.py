"""What a pair's premium was, and what trading it would have cost, as known at each decision."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.markets.fees import fee_table, half_tick
from entrepot.markets.market import Market
from entrepot.markets.premium import premium
from entrepot.strategies.targets import STALE_SESSIONS, columns_of, decisions, latest, sessions_of

US_HALF_SPREAD = 2e-4
HK_LEAST_HALF_SPREAD = 1e-4

# What is kept of one market; the oldest goes first.
MOST_KEPT_BYTES = 64e6

P = ParamSpec("P")
A = TypeVar("A", bound=np.generic)


def once_per_market(
    compute: Callable[Concatenate[Market, P], NDArray[A]],
) -> Callable[Concatenate[Market, P], NDArray[A]]:
    """Compute an array once for a market and arguments, however many ask for it; it is read-only."""
    memory: WeakKeyDictionary[Market, OrderedDict[Any, NDArray[A]]] = WeakKeyDictionary()
    lock = RLock()

    @wraps(compute)
    def remembered(market: Market, *args: P.args, **kwargs: P.kwargs) -> NDArray[A]:
        with lock:  # the threads of a sweep ask for the same
            known = memory.setdefault(market, OrderedDict())
            key = (args, *sorted(kwargs.items()))
            if key not in known:
                known[key] = compute(market, *args, **kwargs)
                known[key].flags.writeable = False
                while sum(array.nbytes for array in known.values()) > MOST_KEPT_BYTES and len(known) > 1:
                    known.popitem(last=False)
            return known[key]

    return cast("Callable[Concatenate[Market, P], NDArray[A]]", remembered)


_PAIRS: WeakKeyDictionary[Market, dict[str, str]] = WeakKeyDictionary()


def pairs_of(market: Market) -> dict[str, str]:
    """Return the Hong Kong symbol of each ADR of a market, in its order."""
    if market not in _PAIRS:
        pairs = market.pairs
        _PAIRS[market] = dict(zip(pairs.index.astype(str), pairs["hk"].astype(str), strict=True))
    return _PAIRS[market]


@once_per_market
def same_date_premium(market: Market, adrs: tuple[str, ...]) -> NDArray[np.float64]:
    """Return the same-date premium of each decision's session; half of it is overnight news.

    Fractions, shape (S, P) for S decisions and P pairs by ADR symbol; NaN where the session has none that is
    known at its decision.
    """
    steps = decisions(market)
    times, session = market.times[steps], sessions_of(market, steps)
    result = np.full((len(steps), len(adrs)), np.nan)
    for p, adr in enumerate(adrs):
        same = premium(market, adr, align="same_date", detail=True).reindex(session)
        result[:, p] = same["premium"].where(nanoseconds(same["known_at"]) <= times)
    return result


@once_per_market
def averaged_premium(market: Market, adrs: tuple[str, ...]) -> NDArray[np.float64]:
    """Average the same-date premium of each decision's session with the latest known ``next_hk`` premium.

    Args:
        market: its premia are read with the time each became known.
        adrs: P pairs by ADR symbol.

    Returns:
        Fractions, shape (S, P) for S decisions; NaN where the session has no same-date premium known at its
        decision, or no ``next_hk`` became known in the last five sessions.
    """
    steps = decisions(market)
    times = market.times[steps]
    result = same_date_premium(market, adrs) / 2
    for p, adr in enumerate(adrs):
        ahead = premium(market, adr, align="next_hk", detail=True)
        first = np.searchsorted(times, nanoseconds(ahead["known_at"]))  # the first decision that knows it
        reached = first < len(steps)
        before = np.full((len(steps), 1), np.nan)
        before[first[reached], 0] = ahead["premium"].to_numpy()[reached]  # of two, the later session stays
        value, age = latest(before, np.arange(len(steps)))
        result[:, p] += np.where(age <= STALE_SESSIONS, value, np.nan)[:, 0] / 2
    return result


@once_per_market
def between_ex_dates(market: Market, adrs: tuple[str, ...]) -> NDArray[np.bool_]:
    """Tell the decisions whose premium contains a dividend: one price before its ex-date, the other after it.

    From a line's ex-date until its partner's, included; for seven days where the partner's has not come.
    Only ex-dates up to each session are used. Returns shape (S, P).
    """
    week = 7 * 86_400 * 10**9
    day = sessions_of(market, decisions(market)).asi8
    ex_dates = {symbol: nanoseconds(when) for symbol, when in market.dividends.groupby("symbol")["ex_date"]}
    none = np.empty(0, dtype=np.int64)
    between = np.zeros((len(day), len(adrs)), dtype=bool)
    for p, (hk, adr) in enumerate(zip(market.pairs.loc[list(adrs), "hk"], adrs, strict=True)):
        dates = [ex_dates.get(hk, none), ex_dates.get(adr, none)]
        for mine, partners in (dates, dates[::-1]):
            for ex in mine:
                near = partners[np.abs(partners - ex) <= week]
                matched = near.min() < day if len(near) else np.zeros(len(day), dtype=bool)
                between[:, p] |= (day >= ex) & (day <= ex + week) & ~matched
    return between


@once_per_market
def round_trip_cost(market: Market, adrs: tuple[str, ...]) -> NDArray[np.float64]:
    """Cost of entering and leaving each pair at the rates of each session, as a fraction of one leg.

    Every statutory rate is paid buying and selling on both venues, per-share fees at the last price, and
    each half-spread twice. Returns shape (S, P), NaN before a line's first price.
    """
    steps = decisions(market)
    session = sessions_of(market, steps)
    total = np.zeros((len(steps), len(adrs)))
    for legs in (market.pairs.loc[list(adrs), "hk"], adrs):
        price = latest(market.prices[:, columns_of(market, legs)], steps)[0]
        lines = market.instruments.loc[list(legs)]
        is_price = (lines["adjustment"] != "total_return").to_numpy()  # ticks and per-share fees need one
        for fee_class in lines["fee_class"].unique():
            table = fee_table(fee_class, session)
            of_class = (lines["fee_class"] == fee_class).to_numpy()
            total[:, of_class] += table.rate.sum(axis=(1, 2))[:, None]
            of_class = of_class & is_price
            total[:, of_class] += table.per_share.sum(axis=(1, 2))[:, None] / price[:, of_class]
        venue = lines["venue"].to_numpy()
        half = np.where(venue == "XNYS", US_HALF_SPREAD, 0.0) + np.zeros(price.shape)
        half[:, venue == "XHKG"] = HK_LEAST_HALF_SPREAD
        in_ticks = (venue == "XHKG") & is_price
        if in_ticks.any():
            ticks = half_tick("XHKG", price[:, in_ticks], session) / price[:, in_ticks]
            half[:, in_ticks] = np.maximum(ticks, HK_LEAST_HALF_SPREAD)
        total += 2 * half
        total[~np.isfinite(price)] = np.nan
    return total


def nanoseconds(when: pd.Series[Any]) -> NDArray[np.int64]:
    """Return times as integers; a missing one is the smallest integer."""
    return pd.DatetimeIndex(when).as_unit("ns").asi8
