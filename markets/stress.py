"""What if: markets as they would have been had something else happened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_number, shown
from entrepot.markets.market import Market
from entrepot.markets.sessions import naive_moment

LARGEST_FACTOR = 10.0  # a larger change of the rate is a rate quoted the wrong way round


def peg_stress(
    market: Market, date: str | pd.Timestamp, per_usd: float, *, pass_through: float = 1.0
) -> Market:
    """Return the market with the Hong Kong dollar's peg broken on a date.

    The first HKD fixing on or after the date becomes ``per_usd``; all later ones are scaled by the same
    factor, so their moves are kept. Prices in HKD are scaled by ``1 + pass_through * (factor - 1)``. Both
    begin when Hong Kong next trades, so that no line stands at an old price and a new rate meanwhile but one
    without a price at that step, such as a halted one: until its next price it does, and the notes name it.
    Prices in USD, dividends and interest rates stay as they are.

    Args:
        market: T steps.
        date: session date of the market, such as "2022-05-12".
        per_usd: HKD per USD; 8.5 is a devaluation, 7.0 a revaluation.
        pass_through: how far prices in HKD follow, 0 to 1. 1: companies are worth the same in USD, and the
            premium is unchanged. 0: prices in HKD stay, and the ADRs trade at a premium.

    Raises:
        ParameterError: on a date outside the market, and on a rate or pass-through that cannot be meant.
        DataError: where the market has no HKD fixing from that date on.
    """
    if not isinstance(market, Market):
        raise ParameterError(
            f"peg_stress was given {shown(market)}: give a Market, as from simulate_market or load_market"
        )
    start = session_date(market, date)
    if not is_number(pass_through) or not 0.0 <= float(pass_through) <= 1.0:
        raise ParameterError(f"pass_through is {shown(pass_through)}: give a fraction from 0 to 1")
    fixings = market.fixings
    moved = (fixings["currency"] == "HKD") & (fixings["time"] >= start.tz_localize("UTC"))
    if not moved.any():
        raise DataError(
            f"the market has no HKD fixing on or after {start.date()}: give an earlier date, or load HKD=X"
        )
    first = fixings[moved].sort_values("time").iloc[0]
    old = float(first["per_usd"])
    if not is_number(per_usd) or not old / LARGEST_FACTOR <= float(per_usd) <= old * LARGEST_FACTOR:
        raise ParameterError(
            f"per_usd is {shown(per_usd)} where a USD cost {old:.4g} HKD: give HKD per USD, at most "
            f"{LARGEST_FACTOR:g} times more or less, such as 8.5"
        )
    factor = float(per_usd) / old
    scale = 1.0 + float(pass_through) * (factor - 1.0)
    rates = fixings["per_usd"].where(~moved, fixings["per_usd"] * factor)
    rates = rates.mask(fixings.index == first.name, float(per_usd))
    quoted = (market.instruments["currency"] == "HKD").to_numpy()
    when = pd.DatetimeIndex(fixings["time"]).as_unit("ns")
    trading = market.times[market.scheduled[:, quoted].any(axis=1)]
    later = trading[trading >= pd.Timestamp(first["time"]).as_unit("ns").value]
    if len(later) == 0:
        raise DataError(
            f"nothing trades in HKD after {first['time']:%Y-%m-%d %H:%M} UTC: give an earlier date"
        )
    begins = pd.Timestamp(later[0], tz="UTC")
    # Fixings before Hong Kong trades again stay as they were; the last of them is made again then, moved.
    early = moved.to_numpy() & (when < begins)
    rates = rates.where(~early, fixings["per_usd"])
    again = fixings[early].tail(1)
    then = pd.DatetimeIndex([begins] * len(again)).as_unit("ns")
    again = again.assign(time=then, per_usd=again["per_usd"] * factor)
    known = market.times >= later[0]
    price = market.price * np.where(known[:, None] & quoted[None, :], scale, 1.0)
    silent = [] if scale == 1.0 else _silent_at(market, int(np.argmax(known)), quoted)
    said = [
        f"HKD peg stress: {symbol} has no price at that time, and stands at its old price and the new rate "
        "until its next one."
        for symbol in silent
    ]
    return replace(
        market,
        fixings=pd.concat([fixings.assign(per_usd=rates), again])
        .sort_values("time", kind="stable")
        .reset_index(drop=True),
        price=price,
        truth=None,  # it is that of the prices before
        label=f"{market.label}, HKD peg stress",
        notes=(
            *market.notes,
            f"HKD peg stress: from {begins:%Y-%m-%d %H:%M} UTC a USD costs {factor:.4g} times as many "
            f"HKD as it did ({float(per_usd):g} instead of {old:.4f} at first), and prices in HKD are "
            f"{scale:.4g} times what they were (pass_through {float(pass_through):g}); prices in USD, "
            "dividends and interest rates are as they were.",
            *said,
        ),
    )


def _silent_at(market: Market, step: int, lines: NDArray[np.bool_]) -> list[str]:
    """Name the tradable ones of some lines that had a price before a step, have none at it and have not left.

    Args:
        market: N lines.
        step: position on the grid.
        lines: which of them, (N,).
    """
    printed = np.isfinite(market.prices)
    there = printed[step:].any(axis=0) | market.halted[step]
    held = lines & (market.instruments["kind"] != "index").to_numpy() & printed[:step].any(axis=0) & there
    return [market.symbols[n] for n in np.flatnonzero(held & ~printed[step])]


def session_date(market: Market, given: str | pd.Timestamp) -> pd.Timestamp:
    """Return a naive date between the market's first and last session."""
    first, last = market.grid["session"].min(), market.grid["session"].max()
    day = naive_moment(given)
    if day is None:
        raise ParameterError(
            f"date={shown(given)} is no session date: write it as '2022-05-12', without a time zone"
        )
    if not first <= day.normalize() <= last:
        raise ParameterError(
            f"date={shown(given)} is outside the market, which runs from {first.date()} to {last.date()}: "
            "give a date in that range"
        )
    return day.normalize()
