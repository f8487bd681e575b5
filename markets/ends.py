"""Where a loaded market ends: lines and rates that stop before the others, and lines that left New York."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import pandas as pd

from entrepot.errors import DataError
from entrepot.markets.lines import Line
from entrepot.markets.listings import Listings
from entrepot.markets.market import empty_table
from entrepot.markets.rates import MAX_AGE
from entrepot.markets.sessions import session_times

Ends = Literal["error", "drop", "cut"]

GRACE_SESSIONS: Final = 5
MOST_NAMED: Final = 3
MARKET_ENDS: Final = "The market ends"  # begins the note of a cut


def settle_end(
    lines: Sequence[Line],
    sessions: Mapping[str, pd.DatetimeIndex],
    first: pd.Timestamp,
    last: pd.Timestamp,
    fixings: pd.DataFrame,
    origins: Mapping[str, str],
    ends: Ends,
    notes: list[str],
    listings: Listings,
) -> tuple[list[Line], pd.Timestamp, pd.DataFrame, dict[str, pd.DatetimeIndex]]:
    """Decide where the market ends and which lines are in it.

    Args:
        lines: as read.
        sessions: of each venue, from ``first`` to ``last``.
        first: first date of the market.
        last: last date of the market, if all lines and rates reach it.
        fixings: exchange rates with their times.
        origins: file of each currency.
        ends: what to do about a line that stops early; see `load_market`.
        notes: sentences are added.
        listings: which lines left New York, and when.

    Returns:
        The lines with the prices of the range, the last date, the delistings without their ratios, and by
        symbol the New York sessions between a departing line's last price and its last session.

    Raises:
        DataError: when a line or a rate stops early and ``ends`` does not say what to do about it.
    """
    departures = listings.delistings
    kept: list[Line] = []
    early: dict[str, tuple[pd.Timestamp, int]] = {}
    for line in lines:
        if line.symbol in departures.index:
            latest = pd.Timestamp(departures["latest"][line.symbol])
            line = until_departure(line, latest, sessions["XNYS"], notes)
        elif line.tradable and line.close.index[0] <= last:
            stop = line.close.loc[:last].index[-1]
            missing = int((sessions[line.instrument["venue"]] > stop).sum())
            if missing > GRACE_SESSIONS:
                early[line.symbol] = (stop, missing)
        kept.append(line)
    if early:
        kept, last = apply_policy(kept, early, first, last, ends, notes)
    last = reach_of_rates(kept, first, last, fixings, origins, ends, notes)

    leaving, missing_days = departures_of(kept, departures, sessions, last)
    inside = [line.within(first, last) for line in kept]
    notes += [
        f"{line.origin} was left out: it has no prices from {first.date()} to {last.date()}."
        for line in inside
        if line.close.empty
    ]
    inside = [line for line in inside if len(line.close)]
    if not any(line.tradable for line in inside):
        raise DataError(f"no line has prices from {first.date()} to {last.date()}: widen the range")
    loaded = [line.symbol for line in inside]
    leaving = leaving[leaving["symbol"].isin(loaded)].reset_index(drop=True)
    return inside, last, leaving, {s: days for s, days in missing_days.items() if s in loaded}


def until_departure(line: Line, latest: pd.Timestamp, sessions: pd.DatetimeIndex, notes: list[str]) -> Line:
    """Leave out prices from after a line left New York: they are another market's."""
    later = sessions[sessions > latest]
    if len(later) <= GRACE_SESSIONS or line.close.index[-1] < later[GRACE_SESSIONS]:
        return line
    stop = later[GRACE_SESSIONS - 1]
    strange = int((line.close.index > stop).sum())
    if line.close.index[0] > latest:
        raise DataError(
            f"{line.origin} has no price from before {line.symbol} left New York ({latest.date()}): they are "
            "another line's; remove it, or correct us_last in the listings"
        )
    notes.append(
        f"{line.origin}: {strange} prices from after its last New York session "
        f"({latest.date()}) were left out."
    )
    return line.within(line.close.index[0], latest)


def apply_policy(
    lines: list[Line],
    early: Mapping[str, tuple[pd.Timestamp, int]],
    first: pd.Timestamp,
    last: pd.Timestamp,
    ends: Ends,
    notes: list[str],
) -> tuple[list[Line], pd.Timestamp]:
    """Refuse, drop or follow the lines that stop early."""
    ordered = sorted(early.items(), key=lambda item: item[1][0])
    if ends == "drop":
        notes += [
            f"{symbol} was left out: its prices end {stop.date()}, {missing} sessions before the market "
            f"({last.date()})."
            for symbol, (stop, missing) in ordered
        ]
        return [line for line in lines if line.symbol not in early], last
    if ends == "cut":
        stop = ordered[0][1][0]
        who = ", ".join(symbol for symbol, (day, _) in ordered if day == stop)
        if stop < first:
            raise DataError(
                f"ends='cut' would end the market before it starts: the prices of {who} end {stop.date()} "
                f"and the market starts {first.date()}; leave them out of the folder or use ends='drop'"
            )
        notes.append(f"{MARKET_ENDS} {stop.date()} instead of {last.date()}: there the prices of {who} end.")
        return lines, stop
    told = ", ".join(
        f"{symbol} {stop.date()} ({missing} sessions before)"
        for symbol, (stop, missing) in ordered[:MOST_NAMED]
    )
    more = f" and {len(ordered) - MOST_NAMED} more" if len(ordered) > MOST_NAMED else ""
    raise DataError(
        f"prices end before the market's end {last.date()}: {told}{more}; give newer prices or an earlier "
        "end=, or use ends='cut' to end the market there or ends='drop' to leave such lines out"
    )


def reach_of_rates(
    lines: Sequence[Line],
    first: pd.Timestamp,
    last: pd.Timestamp,
    fixings: pd.DataFrame,
    origins: Mapping[str, str],
    ends: Ends,
    notes: list[str],
) -> pd.Timestamp:
    """Return the last date for which the rates of all currencies in use are fresh."""
    venues = sorted({line.instrument["venue"] for line in lines})
    for currency in sorted({line.instrument["currency"] for line in lines} - {"USD"}):
        if currency not in origins:
            who = next(line.symbol for line in lines if line.instrument["currency"] == currency)
            raise DataError(
                f"{who} is in {currency} and there are no rates of it: add {currency}=X.csv with "
                f"{currency} per USD"
            )
        final = fixings.loc[fixings["currency"] == currency, "time"].max()
        closes = [session_times(venue, first, last, ("close",))["close"].max() for venue in venues]
        if max(c for c in closes if not pd.isna(c)) - final <= MAX_AGE:
            continue
        stop = final.tz_localize(None).normalize()
        if ends != "cut" or stop < first:
            raise DataError(
                f"{origins[currency]} ends {stop.date()} and the market {last.date()}: give newer rates or "
                "an earlier end=, or use ends='cut' to end the market there"
            )
        notes.append(
            f"{MARKET_ENDS} {stop.date()} instead of {last.date()}: there the rates of {currency} end."
        )
        last = stop
    return last


def departures_of(
    lines: Sequence[Line],
    departures: pd.DataFrame,
    sessions: Mapping[str, pd.DatetimeIndex],
    last: pd.Timestamp,
) -> tuple[pd.DataFrame, dict[str, pd.DatetimeIndex]]:
    """List the lines that leave New York: last session, and the Hong Kong line each turns into.

    From the whole file and the registry, also where the day lies after the market's end: what happened before
    an end must not depend on it.

    Returns:
        The market's delistings, without their ratios, and by symbol the sessions of the market between the
        last price and the last session, where there are any.
    """
    rows, missing = [], {}
    for line in lines:
        if line.symbol not in departures.index:
            continue
        stop = line.close.index[-1]
        # The registry's day is an "on or about" date for most: a print on or after it settles it.
        known = stop >= departures["earliest"][line.symbol]
        leaves = stop if known else pd.Timestamp(departures["latest"][line.symbol])
        days = sessions["XNYS"]
        days = days[(days > stop) & (days <= min(leaves, last))]
        rows.append((line.symbol, leaves, departures["into"][line.symbol], float("nan")))
        if len(days):
            missing[line.symbol] = days
    table = empty_table("delistings")
    if not rows:
        return table, missing
    return pd.DataFrame(rows, columns=list(table)).astype(table.dtypes.to_dict()), missing
