"""The parity premium of an ADS over its Hong Kong line, for every alignment of the two venues' prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, shown
from entrepot.markets.instruments import partner_of
from entrepot.markets.market import Market

Align = Literal["same_date", "next_hk", "hk_open", "us_open"]
MAX_FX_AGE_DAYS = 5.0
EX_DATES_APART = np.timedelta64(7, "D")  # of one dividend in two venues, at most


@dataclass(frozen=True, eq=False)
class Prints:
    """One line's scheduled steps of one phase: positions on the grid, sessions, and prices (NaN: none)."""

    step: NDArray[np.int64]
    session: NDArray[np.int64]
    price: NDArray[np.float64]


@overload
def premium(
    market: Market, adr: str, align: Align = ..., detail: Literal[False] = ...
) -> pd.Series[float]: ...
@overload
def premium(market: Market, adr: str, align: Align = ..., *, detail: Literal[True]) -> pd.DataFrame: ...
def premium(
    market: Market, adr: str, align: Align = "same_date", detail: bool = False
) -> pd.Series[float] | pd.DataFrame:
    """Return ``ads_usd * usdhkd / (ordinary_per_ads * hk_hkd) - 1`` by New York session.

    Negative is an ADR discount. A row stands only where both prices exist, so there is no NaN. Each value
    belongs to the moment ``known_at``, the later of its two prices' times, and uses the last exchange rate
    known then.

        >>> import entrepot as ep
        >>> market = ep.simulate_market("2024-01-02", "2024-03-28", symbols=["BABA", "9988.HK"])
        >>> row = ep.premium(market, "BABA", align="next_hk", detail=True).iloc[0]
        >>> bool(row["known_at"] == row["hk_time"] > row["ads_time"])
        True
        >>> parity = row["ordinary_per_ads"] * row["hk_price"] / row["usdhkd"]
        >>> bool(abs(row["ads_price"] / parity - 1 - row["premium"]) < 1e-12)
        True

    Args:
        market: holds both legs of the pair.
        adr: the symbol of the New York line.
        align: whose price of when.
            ``same_date``: both closes of one date, the press's convention; the New York price is half a day
            newer, so about half of its movement is overnight news.
            ``next_hk``: the New York close and the first Hong Kong close after it.
            ``hk_open``: the New York close and the first Hong Kong open after it.
            ``us_open``: the New York open and the last Hong Kong close before it.
        detail: also return what the premium is made of.

    Returns:
        A Series of fractions indexed by New York session and named after the ADR; with ``detail`` a frame
        with columns premium, ads_price, hk_price, ordinary_per_ads (ordinary shares as the Hong Kong price
        counts them, per ADS as the New York price counts it), usdhkd, ads_time, hk_time, known_at.

    Raises:
        ParameterError: for an unknown symbol or alignment, or a pair without both legs in the market.
        DataError: when the alignment needs opens that the market does not have, or the exchange rate is
            missing or older than five days.
    """
    if not isinstance(market, Market):
        raise ParameterError(
            f"premium was given a {type(market).__name__}: give a Market, as from load_market"
        )
    if not isinstance(align, str) or align not in get_args(Align):
        raise ParameterError(f"align={shown(align)} is unknown: it is one of {', '.join(get_args(Align))}")
    hk = other_leg(market, adr)
    ads_prints = prints(market, adr, "open" if align == "us_open" else "close", align)
    hk_prints = prints(market, hk, "open" if align == "hk_open" else "close", align)
    left, right = matched(ads_prints, hk_prints, align)
    both = np.isfinite(ads_prints.price[left]) & np.isfinite(hk_prints.price[right])
    left, right = left[both], right[both]

    ads_step, hk_step = ads_prints.step[left], hk_prints.step[right]
    known = np.maximum(ads_step, hk_step)
    ratio = market.ordinary_per_ads[adr].to_numpy()[ads_step] * splits_between(
        market, hk, ads_prints.session[left], hk_prints.session[right]
    )
    usdhkd = exchange_rate(market, adr, hk, known)
    ads_price, hk_price = ads_prints.price[left], hk_prints.price[right]
    value = ads_price * usdhkd / (ratio * hk_price) - 1.0
    if np.isnan(ratio).any():
        day = pd.Timestamp(ads_prints.session[left][np.isnan(ratio)][0]).date()
        raise DataError(
            f"{adr} has prices on {day} but its first ratio is dated later: add the ratio of that time"
        )

    sessions = pd.DatetimeIndex(ads_prints.session[left].view("datetime64[ns]"), name="session")
    if not detail:
        return pd.Series(value, index=sessions, name=adr)
    time = pd.DatetimeIndex(market.grid["time"])
    return pd.DataFrame(
        {
            "premium": value,
            "ads_price": ads_price,
            "hk_price": hk_price,
            "ordinary_per_ads": ratio,
            "usdhkd": usdhkd,
            "ads_time": time[ads_step],
            "hk_time": time[hk_step],
            "known_at": time[known],
        },
        index=sessions,
    )


def other_leg(market: Market, adr: str) -> str:
    """Return the Hong Kong line of an ADR, or refuse the pair by name."""
    line = market.instruments.iloc[market.column(adr)]
    if adr in market.pairs.index:
        return str(market.pairs["hk"][adr])
    partner = str(line["pair"]) or partner_of(adr)
    if line["kind"] in ("ads", "common") and partner:
        raise ParameterError(
            f"{adr} has no premium here: its Hong Kong line {partner} is not in this market; load both"
        )
    if partner in market.pairs.index:
        raise ParameterError(
            f"{adr} is the Hong Kong leg of a pair: ask for the premium of its ADR, {partner}"
        )
    known = ", ".join(market.pairs.index) or "none"
    raise ParameterError(f"{adr} is no ADR with a Hong Kong line; the pairs of this market are {known}")


def prints(market: Market, symbol: str, phase: str, align: Align) -> Prints:
    """Return a line's scheduled steps of one phase, priced or not."""
    column = market.column(symbol)
    mask = market.scheduled[:, column] & (market.grid["phase"] == phase).to_numpy()
    step = np.flatnonzero(mask)
    price = market.printed[step, column]
    if phase == "open" and not np.isfinite(price).any():
        raise DataError(
            f"align={align!r} needs opens and {symbol} has none in this market: load files with an Open "
            "column, or align by closes with 'same_date' or 'next_hk'"
        )
    session = pd.DatetimeIndex(market.grid["session"]).as_unit("ns").asi8[step]
    return Prints(step, session, price)


def matched(ads: Prints, hk: Prints, align: Align) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions among the two lines' prints that belong together, in New York's order."""
    if align == "same_date":
        _, left, right = np.intersect1d(ads.session, hk.session, assume_unique=True, return_indices=True)
        return left, right
    # The neighbour is the scheduled print, never a farther one because the near one has no price: a stale
    # price would be given a later moment than its own.
    right = np.searchsorted(hk.step, ads.step)
    if align == "us_open":
        right = right - 1
    left = np.flatnonzero((right >= 0) & (right < len(hk.step)))
    return left, right[left]


def splits_between(
    market: Market, hk: str, ads_session: NDArray[np.int64], hk_session: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return new Hong Kong shares per old one from the ADS price's date to the Hong Kong price's date.

    The ratio is that of the ADS price's date; a raw Hong Kong price from the other side of a split counts
    other shares.
    """
    rows = market.splits[market.splits["symbol"] == hk].sort_values("ex_date")
    ex = pd.DatetimeIndex(rows["ex_date"]).as_unit("ns").asi8
    level = np.cumprod(np.append(1.0, rows["factor"].to_numpy(dtype=np.float64)))
    at_hk: NDArray[np.float64] = level[np.searchsorted(ex, hk_session, side="right")]
    at_ads: NDArray[np.float64] = level[np.searchsorted(ex, ads_session, side="right")]
    return at_hk / at_ads


def exchange_rate(market: Market, adr: str, hk: str, step: NDArray[Any]) -> NDArray[np.float64]:
    """Return units of the Hong Kong line's currency per unit of the ADR's, as known at each step."""
    base, quote = (str(market.instruments["currency"][s]) for s in (adr, hk))
    age = market.fx_age_days[[base, quote]].to_numpy()[step].max(axis=1)
    unusable = ~(age <= MAX_FX_AGE_DAYS)
    if unusable.any():
        when = market.grid["time"].iloc[int(step[unusable][0])]
        raise DataError(
            f"the premium of {adr} needs {quote} per {base} at {when:%Y-%m-%d %H:%M} UTC and the last fixing "
            f"is missing or older than five days: add fixings of {quote}"
        )
    rate: NDArray[np.float64] = (market.fx[base] / market.fx[quote]).to_numpy()[step]
    return rate


def ex_dates_apart(market: Market, sessions: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Tell the premia of which one price is from before a dividend's ex-date and the other is not.

    Args:
        market: its dividends are read.
        sessions: of the prices of both lines, by symbol.
    """
    table = market.dividends
    ex_dates = {line: table.loc[table["symbol"] == line, "ex_date"].to_numpy() for line in sessions}
    apart = np.zeros(len(next(iter(sessions.values()))), dtype=bool)
    for line, partner in (tuple(sessions), tuple(sessions)[::-1]):
        for ex in ex_dates[line]:
            near = ex_dates[partner][np.abs(ex_dates[partner] - ex) <= EX_DATES_APART]
            # Where the partner's is not known yet, neither has its session come: the row is the same.
            until = near.min() if len(near) else ex + EX_DATES_APART
            apart |= (sessions[line] >= ex) & (sessions[partner] < until)
    return apart
