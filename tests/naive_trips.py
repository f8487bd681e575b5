"""Round trips walked step by step, holding by holding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Trip = dict[str, Any]


def positions(ledger: Any) -> list[dict[str, float]]:
    """What is held after each step, added up fill by fill: of runs in which nothing else moves shares."""
    held: dict[str, float] = dict.fromkeys(ledger.fills["symbol"], 0.0)
    after = []
    for t in range(len(ledger.equity)):
        for fill in ledger.fills[ledger.fills["step"] == t].itertuples():
            held[fill.symbol] += fill.quantity
        after.append(dict(held))
    return after


def together(ledger: Any) -> list[set[str]]:
    """The symbols of each holding: what a linked order joins, or a line that another was turned into."""
    joined = [{symbol} for symbol in ledger.fills["symbol"]]
    joined += [{fill.symbol, fill.pair} for fill in ledger.fills.itertuples() if fill.pair]
    traded = set(ledger.fills["symbol"])
    for move in ledger.conversions.itertuples():
        if move.into and move.into not in traded and move.symbol in traded:
            joined.append({move.symbol, move.into})
    apart: list[set[str]] = []
    for group in joined:
        met = [one for one in apart if one & group]
        apart = [one for one in apart if not one & group] + [group.union(*met)]
    return apart


def trips(ledger: Any, after: list[dict[str, float]]) -> list[Trip]:
    """The trips of a run, by holding; see `entrepot.reports.round_trips`."""
    venue, found = ledger.market.instruments["venue"], []
    for group in together(ledger):
        lead = sorted(group, key=lambda line: (venue[line] != "XHKG", line))[0]
        found += of_holding(ledger, group, lead, after)
    return found


def of_holding(ledger: Any, group: set[str], lead: str, after: list[dict[str, float]]) -> list[Trip]:
    booked = {name: ledger.contributions[name].tolist() for name in ledger.contributions if name[1] in group}
    found: list[Trip] = []
    trip: Trip | None = None
    most = {line: max(abs(held.get(line, 0.0)) for held in after) for line in group}
    for t, every in enumerate(after):
        held = {line: every.get(line, 0.0) for line in group}
        held = {line: shares for line, shares in held.items() if abs(shares) > 1e-9 * most[line]}
        now = sum(amounts[t] for amounts in booked.values())
        if trip is not None:
            trip["P&L"] += now
        if not held:
            if trip is not None:
                found.append(ended(ledger, trip, t))
            trip = None
            continue
        side = signed(held.get(lead, 0.0))
        if trip is None:
            trip = begun(ledger, t, side, now)
        elif side and not trip["direction"]:
            trip["direction"] = side  # the other leg came first
        elif side and side != trip["direction"]:
            found.append(ended(ledger, trip, t))
            trip = begun(ledger, t, side, 0.0)
    if trip is not None:
        found.append(ended(ledger, trip, len(after) - 1) | {"open": True})
    return found


def signed(shares: float) -> int:
    return (shares > 0) - (shares < 0)


def begun(ledger: Any, t: int, side: int, earned: float) -> Trip:
    return {"at": t, "direction": side, "P&L": earned}


def ended(ledger: Any, trip: Mapping[str, Any], t: int) -> Trip:
    first, clock, counted = trip["at"], ledger.equity.index, ledger.market.session_count
    before = ledger.capital if first == 0 else ledger.equity.iloc[first - 1]
    return {
        "opened": clock[first],
        "closed": clock[t],
        "direction": trip["direction"] or 1,
        "sessions": float(counted[t] - counted[first]),
        "P&L": trip["P&L"],
        "P&L [%]": 100 * trip["P&L"] / before if before > 0 else float("nan"),
        "open": False,
    }
