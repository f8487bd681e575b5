"""Pair trades: from flat to flat, both legs together, with everything their two lines earned and paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine.lines import FEE_KINDS, NOT_COSTS, SOURCES
from entrepot.reports.leg_risk import TIME, Order, Walk, mean, traded_premium
from entrepot.reports.memory import once_per_ledger
from entrepot.reports.pair_books import ADR, EVEN, HK, PairBook, pair_books

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

COSTS = tuple(source for source in SOURCES if source not in NOT_COSTS)
TRADE_TYPES = {
    "pair": "str", "hk": "str", "adr": "str", "direction": "int64", "entry_decided": TIME, "entry": TIME,
    "exit": TIME, "exit_by": "str", "hk_shares": "float64", "ads": "float64", "sessions": "float64",
    "days": "float64", "entry_premium": "float64", "exit_premium": "float64", "gross": "float64",
    **dict.fromkeys(COSTS, "float64"),
    "costs": "float64", "net": "float64", "net [%]": "float64",
    "orders": "int64", "leg_hours": "float64", "leg_cost": "float64",
}  # fmt: skip
BY_TRADING = [SOURCES.index(source) for source in ("slippage", "impact", "fx_spread", *FEE_KINDS)]
NOT_TRADED = ("open", "delisting", "conversion", "ruin")


@dataclass
class Trade:
    """One pair trade, by steps.

    Args:
        direction: +1 long Hong Kong, -1 short Hong Kong.
        start: by leg, the step of its first fill.
        share: by leg, the part of that fill that opened this trade; the rest closed the one before.
        end: by leg, the step of its last fill; that of the exit, or of the crossing into the next trade.
        exit: step at which both legs have left, -1 where open.
        reversed: whether another trade began at the exit.
        orders: the linked orders that led during it.
    """

    direction: int
    start: tuple[int, int]
    share: tuple[float, float]
    end: tuple[int, int] = (-1, -1)
    exit: int = -1
    reversed: bool = False
    orders: list[Order] = field(default_factory=list)

    @property
    def entry(self) -> int:
        """Step of the first fill."""
        return min(self.start)


@once_per_ledger
def pair_trades(ledger: Ledger) -> pd.DataFrame:
    """List the pair trades of a run with all that they earned and paid.

    A trade begins with the fill that takes a pair from flat, or through zero into the other direction, and
    ends when both legs are flat, or have gone through zero. Legs cross zero hours apart: each leg's booking
    passes to the next trade at its own crossing, the costs of that fill by the shares that closed and opened.
    A reversal whose hedge failed and that was taken back is none.

    Every amount is what the ledger booked on the pair's two lines, in base currency: interest on cash and
    what rates did to cash stand under the currencies and are in no trade. What is booked on a flat pair
    belongs to the trade just ended. The sum of ``net`` over a pair's trades is thus all that was ever booked
    on its two lines.

    Args:
        ledger: a finished run.

    Returns:
        One row per trade, by pair and in order of entry:

        * ``pair`` (the ADR), ``hk`` and ``adr``, ``direction`` (+1 long the Hong Kong line, -1 short);
        * ``entry_decided``, ``entry`` (the first lead's fill), ``exit`` (both legs flat; NaT where open);
        * ``exit_by``: "trade" (its own target), "reversal", "unwind" (a lead that found no hedge), "recall",
          "conversion" (into the other line, by choice), "delisting", "ruin" or "open";
        * ``hk_shares`` and ``ads`` at their largest, with the sign of the trade's side;
        * ``sessions`` (of New York) and ``days`` from entry to exit, or to the run's end;
        * ``entry_premium`` and ``exit_premium``: the parity premium between the average prices, spreads
          included, of all fills that built the legs up and of all that reduced them; NaN where only one leg
          was traded, and the latter also where the legs did not leave by trading;
        * ``gross``: price, FX, dividends, rebate, interest and change of value on conversion;
        * one column per kind of cost, positive where paid, and their sum ``costs``;
        * ``net`` = ``gross`` - ``costs``, and ``net [%]`` of equity before the entry;
        * ``orders`` that led during the trade, ``leg_hours`` unhedged (a mean by value traded) and
          ``leg_cost``, as in `linked_orders`; a reversing order counts for the trade it begins. The leg cost
          is part of ``gross``, not another cost.
    """
    rows = [row for book in pair_books(ledger) for row in trade_rows(book)]
    frame = pd.DataFrame(rows, columns=list(TRADE_TYPES))
    times = pd.DatetimeIndex(ledger.market.grid["time"])
    for name in ("entry_decided", "entry", "exit"):
        step = frame[name].to_numpy(dtype=np.int64)
        frame[name] = pd.Series(times[np.maximum(step, 0)], dtype=TIME).mask(step < 0)
    return frame.astype(TRADE_TYPES)


def trade_rows(book: PairBook) -> Iterator[dict[str, object]]:
    """Describe the trades of one pair, times as steps and -1 for none."""
    walk = Walk(book)
    trades = cut(book)
    entries = [trade.entry for trade in trades]
    for order in walk.orders:
        at = int(np.searchsorted(entries, order.fills[0].step, side="right")) - 1
        trades[max(at, 0)].orders.append(order)
    for i, trade in enumerate(trades):
        following = trades[i + 1] if i + 1 < len(trades) else None
        amount = booked(book, trade, following, first=i == 0)
        cost = {source: 0.0 - amount[j] for j, source in enumerate(SOURCES) if source in COSTS}
        gross = sum(amount[j] for j, source in enumerate(SOURCES) if source in NOT_COSTS)
        paid = sum(cost.values())
        until = trade.exit if trade.exit >= 0 else book.last
        exit_by = left_by(book, trade, walk.forced)
        before = book.equity[trade.entry]
        value = [order.value for order in trade.orders]
        yield {
            "pair": book.name,
            "hk": book.symbols[HK],
            "adr": book.symbols[ADR],
            "direction": trade.direction,
            "entry_decided": next((f.decided for f in book.fills_between(trade.entry, trade.entry)), -1),
            "entry": trade.entry,
            "exit": trade.exit,
            "exit_by": exit_by,
            "hk_shares": largest(book, trade, HK),
            "ads": largest(book, trade, ADR),
            "sessions": book.sessions[until] - book.sessions[trade.entry],
            "days": (book.hours[until] - book.hours[trade.entry]) / 24.0,
            "entry_premium": premium_of(book, trade, following, opening=True),
            "exit_premium": np.nan
            if exit_by in NOT_TRADED
            else premium_of(book, trade, following, opening=False),
            "gross": gross,
            **cost,
            "costs": paid,
            "net": gross - paid,
            "net [%]": 100.0 * (gross - paid) / before if before > 0 else np.nan,
            "orders": len(trade.orders),
            "leg_hours": mean([order.hours for order in trade.orders], value),
            "leg_cost": float(np.nansum([order.cost for order in trade.orders])),
        }


def cut(book: PairBook) -> list[Trade]:
    """Cut the life of a pair into trades."""
    held = book.held
    present = (held != 0).any(axis=1)
    side, other = np.sign(held[:, HK]), -np.sign(held[:, ADR])
    # 0 where the legs are on one side, which is so between the two fills of a reversal.
    agreed = np.where(held[:, HK] == 0, other, np.where((held[:, ADR] == 0) | (side == other), side, 0.0))
    # What is left of a pair one of whose lines has gone is on no side of its own.
    agreed[min(int(book.gone.min()), len(agreed)) :] = 0.0
    trades: list[Trade] = []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], present, [False]]).astype(np.int8)))
    for first, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        known = [first, *(first + np.flatnonzero(agreed[first:stop])).tolist()]
        trades.append(Trade(int(agreed[first] or side[first] or 1), (first, first), (1.0, 1.0)))
        for before, now in pairwise(known):
            old = trades[-1]
            if agreed[now] != old.direction:
                crossed = [crossing(book, leg, before, now, int(agreed[now])) for leg in (HK, ADR)]
                old.end, old.exit, old.reversed = (crossed[HK][0], crossed[ADR][0]), now, True
                shares = (crossed[HK][1], crossed[ADR][1])
                trades.append(Trade(int(agreed[now]), old.end, shares))
        trades[-1].end = (min(stop, len(held) - 1),) * 2
        trades[-1].exit = stop if stop < len(held) else -1
    if not trades:
        # Ruined at the step of the first fill: nothing is left of it after that step.
        fill = book.fills[0]
        direction = 1 if (fill.quantity > 0) == (fill.leg == HK) else -1
        once = (fill.step, fill.step)
        trades.append(Trade(direction, once, (1.0, 1.0), once, fill.step))
    return trades


def crossing(book: PairBook, leg: int, before: int, now: int, direction: int) -> tuple[int, float]:
    """Find the step in (before, now] at which a leg crossed into a direction, and the part that opened."""
    wanted = direction if leg == HK else -direction
    sign = np.sign(book.held[before : now + 1, leg])
    turns = np.flatnonzero(sign[1:] != sign[:-1])
    step = before + 1 + int(turns[-1]) if len(turns) else now
    opened = abs(book.held[step, leg]) if np.sign(book.held[step, leg]) == wanted else 0.0
    closed = abs(book.held[step - 1, leg]) * book.growth[step, leg] / book.growth[step - 1, leg]
    return step, float(opened / (opened + closed)) if opened else 0.0


def booked(book: PairBook, trade: Trade, following: Trade | None, *, first: bool) -> NDArray[np.float64]:
    """Add up what was booked on both lines for a trade, by source, shape (S,).

    It goes from its start to the step before the next trade's, the first trade's from the run's. Where one
    trade turns into the next, that step is the old one's but for the new one's part of the trading costs.
    """
    total = np.zeros(len(book.booked))
    for leg in (HK, ADR):
        own = book.booked[:, :, leg]
        begin, stop = 0 if first else trade.start[leg], len(book.held)
        turned = trade.share[leg] < 1.0
        if following is not None:
            stop = following.start[leg] + (following.share[leg] < 1.0)
        total += own[:, begin + turned : stop].sum(axis=1)
        if turned:
            total[BY_TRADING] += trade.share[leg] * own[BY_TRADING, trade.start[leg]]
        if following is not None and following.share[leg] < 1.0:
            total[BY_TRADING] -= following.share[leg] * own[BY_TRADING, following.start[leg]]
    return total


def premium_of(book: PairBook, trade: Trade, following: Trade | None, *, opening: bool) -> float:
    """Parity premium of the fills of a trade that built its legs up, or of those that reduced them."""
    fills, parts = [], []
    for fill in book.fills_between(trade.entry, max(trade.end)):
        leg = fill.leg
        part = float(trade.start[leg] <= fill.step <= trade.end[leg])
        builds = (fill.quantity > 0) == ((trade.direction > 0) == (leg == HK))
        if fill.step == trade.start[leg]:
            part = trade.share[leg]
        elif following is not None and trade.reversed and fill.step == trade.end[leg]:
            part, builds = 1.0 - following.share[leg], False
        if part > 0.0 and builds == opening:
            fills.append(fill)
            parts.append(part)
    return traded_premium(book, fills, parts)


def left_by(book: PairBook, trade: Trade, forced: dict[int, bool]) -> str:
    """Say what ended a trade.

    Args:
        book: of the pair.
        trade: one of its trades.
        forced: by step of a fill, whether its order was forced.
    """
    if trade.exit < 0:
        return "open"
    if trade.reversed:
        return "reversal"
    step = trade.exit
    left = book.held[step - 1] * book.growth[step] / book.growth[step - 1]
    size = np.abs(left).max()
    reason = ""
    for fill in book.fills_between(step, step):
        left[fill.leg] += fill.quantity
        reason = fill.reason
    traded = np.abs(left).max() <= EVEN * max(1.0, size)
    if not traded and book.ruined(step):
        return "ruin"
    if step >= book.gone.min():
        return "delisting"
    if not traded:
        return "conversion"
    if reason == "unwind":
        return "unwind"
    return "recall" if forced.get(step, False) else "trade"


def largest(book: PairBook, trade: Trade, leg: int) -> float:
    """Return the largest position of a leg on its side of a trade, with its sign."""
    side = trade.direction if leg == HK else -trade.direction
    shares = book.held[trade.start[leg] : trade.end[leg] + 1, leg]
    return float(side * np.max(side * shares, initial=0.0))
