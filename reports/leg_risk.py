"""What it cost that the legs of a pair cannot be traded at one moment.

Hong Kong has closed when New York opens, so one leg of a linked order leads and the other is hedged hours
later. Shares that lead are *unhedged* until the other leg has followed, or until they are taken back.

The yardstick is a hedge at once, at the last price of the hedge's line known when the lead was filled. That
price is hours old: its venue has been closed since. Some of what moved it until the hedge had therefore
happened before the lead, and stood in the lead's own price already; nobody could have hedged at the mark.
The cost is the distance to a trade that was not to be had. One order's cost is mostly news of the night; a
mean over many orders that stays away from zero is what waiting really costs or brings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from entrepot.reports.memory import once_per_ledger
from entrepot.reports.pair_books import ADR, EVEN, HK, Fill, PairBook, pair_books

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

TIME = "datetime64[ns, UTC]"
ORDER_TYPES = {
    "pair": "str", "decided": TIME, "lead": "str", "lead_time": TIME, "lead_quantity": "float64",
    "lead_price": "float64", "hedge": "str", "hedge_time": TIME, "hedge_quantity": "float64",
    "hedge_price": "float64", "value": "float64", "hours": "float64", "move": "float64", "cost": "float64",
    "premium": "float64", "outcome": "str",
}  # fmt: skip
RISK_TYPES = {
    "orders": "int64", "hedged": "int64", "unwound": "int64", "converted": "int64", "open": "int64",
    "mean_hours": "float64", "median_hours": "float64", "max_hours": "float64", "over_24h": "float64",
    "mean_move": "float64", "std_move": "float64", "worst_cost": "float64", "cost": "float64",
    "cost_bp": "float64",
}  # fmt: skip
OUTCOMES = ("open", "unwound", "converted", "hedged")  # the first that is true of any of an order's shares
LONG_HOURS = 24.0
TOTAL = "all"


class Piece(NamedTuple):
    """Shares that led, and what became of them."""

    size: float  # ordinary shares, positive
    hours: float
    move: float
    cost: float
    outcome: str


@dataclass
class Order:
    """One linked order: its fills, and what became of the shares that led."""

    decided: int
    forced: bool
    fills: list[Fill] = field(default_factory=list)
    taken_back: list[Fill] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    @property
    def lead(self) -> int:
        """Leg that led first."""
        return self.fills[0].leg

    @property
    def value(self) -> float:
        """Gross value traded, in base currency."""
        return sum(fill.value for fill in (*self.fills, *self.taken_back))

    @property
    def outcome(self) -> str:
        """What became of the order."""
        found = {piece.outcome for piece in self.pieces}
        return next((name for name in OUTCOMES if name in found), "hedged")

    @property
    def hours(self) -> float:
        """Hours unhedged, a mean over the shares that led; 0 where all of them only took others back."""
        return 0.0 if not self.pieces else mean([p.hours for p in self.pieces], [p.size for p in self.pieces])

    @property
    def move(self) -> float:
        """Move of the hedge's line meanwhile, a mean over the shares that led."""
        return mean([p.move for p in self.pieces], [p.size for p in self.pieces])

    @property
    def cost(self) -> float:
        """Cost in base currency of what is hedged or taken back; NaN where nothing is."""
        known = [piece.cost for piece in self.pieces if not np.isnan(piece.cost)]
        return sum(known) if known else float(np.nan)


@dataclass
class Lot:
    """Ordinary shares of a lead that are not hedged yet, signed."""

    order: Order
    step: int
    leg: int
    size: float


class Walk:
    """Goes through the fills of a pair and keeps the shares that are unhedged.

    The oldest are hedged first; what is taken back is taken from the newest.
    """

    def __init__(self, book: PairBook) -> None:
        self.book = book
        self.orders: list[Order] = []
        self.forced: dict[int, bool] = {}  # by step: whether its last fill belonged to a forced order
        self.lots: list[Lot] = []
        left = False
        for fill in book.fills:
            if not left and fill.step >= book.gone.min():
                self.leave()
                left = True
            self.take(fill, left)
        if not left and book.gone.min() <= book.last:
            self.leave()
        for lot in self.lots:
            hours = book.hours[book.last] - book.hours[lot.step]
            lot.order.pieces.append(Piece(abs(lot.size), float(hours), np.nan, np.nan, "open"))

    def take(self, fill: Fill, left: bool) -> None:
        """Let a fill hedge what is unhedged; what is left of a leading one is unhedged from then on."""
        leads = fill.reason in ("lead", "forced") and not left
        if leads:
            forced = fill.reason == "forced"
            if not self.orders or (self.orders[-1].decided, self.orders[-1].forced) != (fill.decided, forced):
                self.orders.append(Order(fill.decided, forced))
            self.orders[-1].fills.append(fill)
        elif fill.reason == "hedge":
            self.orders[-1].fills.append(fill)
        else:
            # An unwind, or what is left of a pair one of whose lines has gone, belongs to what it takes back.
            for lot in self.lots[-1:]:
                lot.order.taken_back.append(fill)
        self.forced[fill.step] = bool(self.orders) and self.orders[-1].forced
        whole = rest = fill.quantity * float(self.book.ordinary[fill.step, fill.leg])
        which = -1 if fill.reason == "unwind" else 0
        while self.lots and rest * self.lots[which].size < 0:
            size = min(abs(rest), abs(self.lots[which].size))
            rest = float(np.copysign(abs(rest) - size, rest))
            self.close(fill, which, size)
        if leads and abs(rest) > EVEN * abs(whole):
            self.lots.append(Lot(self.orders[-1], fill.step, fill.leg, rest))
        if self.book.even(fill.step) and not self.book.ruined(fill.step):
            # What a change of the ratio has made of the legs is no lead: they are equal, all is hedged.
            while self.lots:
                self.close(fill, 0, abs(self.lots[0].size))

    def close(self, fill: Fill, which: int, size: float) -> None:
        """Let a fill hedge, or take back, some of the unhedged shares of one lot."""
        book, lot = self.book, self.lots[which]
        mark = book.mark(fill.leg, lot.step, fill.step)
        shares = -np.copysign(size, lot.size) / book.ordinary[fill.step, fill.leg]
        same_step = fill.step == lot.step
        lot.order.pieces.append(
            Piece(
                size,
                float(book.hours[fill.step] - book.hours[lot.step]),
                np.nan if same_step else fill.price / mark - 1.0,
                0.0 if same_step else float(shares * (fill.price - mark) * fill.fx),
                "unwound" if fill.leg == lot.leg and not same_step else "hedged",
            )
        )
        lot.size = float(np.copysign(abs(lot.size) - size, lot.size))
        if abs(lot.size) <= EVEN * size:
            del self.lots[which]

    def leave(self) -> None:
        """Take the unhedged shares of a line that leaves the market for converted."""
        book = self.book
        for lot in self.lots:
            if book.gone[lot.leg] <= book.last:
                hours = book.hours[book.gone[lot.leg]] - book.hours[lot.step]
                lot.order.pieces.append(Piece(abs(lot.size), float(hours), np.nan, np.nan, "converted"))
        self.lots = [lot for lot in self.lots if book.gone[lot.leg] > book.last]


@once_per_ledger
def linked_orders(ledger: Ledger) -> pd.DataFrame:
    """List the linked orders of a run's pairs that were filled at all.

    An order is what was decided about a pair at one step, all its partial fills included. A forced order (a
    recall, a margin call) is one of its own. What is left of a pair one of whose lines has gone is closed
    without a lead and is no order here.

    Args:
        ledger: a finished run.

    Returns:
        One row per order, by pair and in order of the leads:

        * ``pair`` (the ADR), ``decided``;
        * ``lead``, ``lead_time`` (its first fill), ``lead_quantity``, ``lead_price`` and ``hedge``,
          ``hedge_time`` (its last fill), ``hedge_quantity``, ``hedge_price``: all that the order traded of
          each line without what was unwound, at its average fill price in local currency; the lead is the
          line filled first;
        * ``value``: gross value traded in base currency, unwinding included;
        * ``hours`` unhedged: from each lead fill until its shares are hedged, taken back or converted, or to
          the run's end; a mean over the shares;
        * ``move``: price of the hedge's fill, before its spread, over the hedge line's last price known at
          the lead's fill, less 1; a mean over the shares;
        * ``cost`` in base currency against hedging at once at that price, positive where waiting cost: hedge
          shares times the difference, at the rate of the hedge's fill. Dividends between the two are not in
          it, splits are allowed for;
        * ``premium``: the parity premium at which the legs were done, from fill prices, the ratio and the
          rates of the fills; NaN where only one leg was;
        * ``outcome``: "open" where some shares are unhedged at the run's end, else "unwound" where some were
          taken back, else "converted" where some left the market unhedged, else "hedged".

        For shares taken back, ``move`` and ``cost`` are those of their own line from the lead's fill on. For
        open and converted ones both are unknown; NaN where an order has no others.

        The price known at the lead's fill is hours old, so part of the move had happened before the lead.
    """
    rows = [row for book in pair_books(ledger) for row in order_rows(book)]
    frame = pd.DataFrame(rows, columns=list(ORDER_TYPES))
    times = pd.DatetimeIndex(ledger.market.grid["time"])
    for name in ("decided", "lead_time", "hedge_time"):
        step = frame[name].to_numpy(dtype=np.int64)
        frame[name] = pd.Series(times[np.maximum(step, 0)], dtype=TIME).mask(step < 0)
    return frame.astype(ORDER_TYPES)


def order_rows(book: PairBook) -> Iterable[dict[str, object]]:
    """Describe the orders of one pair, times as steps and -1 for none."""
    for order in Walk(book).orders:
        row: dict[str, object] = {"pair": book.name, "decided": order.decided}
        for what, leg in (("lead", order.lead), ("hedge", 1 - order.lead)):
            fills = [fill for fill in order.fills if fill.leg == leg]
            shares = [abs(fill.quantity) for fill in fills]
            steps = [fill.step for fill in fills] or [-1]
            row[what] = book.symbols[leg]
            row[f"{what}_time"] = steps[0] if what == "lead" else steps[-1]
            row[f"{what}_quantity"] = sum(fill.quantity for fill in fills)
            row[f"{what}_price"] = mean([fill.fill_price for fill in fills], shares)
        row |= {"value": order.value, "hours": order.hours, "move": order.move, "cost": order.cost}
        row |= {"premium": traded_premium(book, order.fills), "outcome": order.outcome}
        yield row


def traded_premium(book: PairBook, fills: Iterable[Fill], parts: Iterable[float] | None = None) -> float:
    """Parity premium between what the legs were traded at, each fill with a part of its shares."""
    value, shares = [0.0, 0.0], [0.0, 0.0]
    fills = list(fills)
    for fill, part in zip(fills, [1.0] * len(fills) if parts is None else parts, strict=True):
        value[fill.leg] += part * fill.value
        shares[fill.leg] += part * abs(fill.quantity) * float(book.ordinary[fill.step, fill.leg])
    if not all(shares):
        return float(np.nan)
    return (value[ADR] / shares[ADR]) / (value[HK] / shares[HK]) - 1.0


def mean(values: list[float], weights: list[float]) -> float:
    """Weighted mean of the values that are known; NaN where none is."""
    value, weight = np.array(values, dtype=float), np.array(weights, dtype=float)
    known = ~np.isnan(value)
    total = weight[known].sum()
    return float((value[known] * weight[known]).sum() / total) if total > 0 else float(np.nan)


@once_per_ledger
def leg_risk(ledger: Ledger) -> pd.DataFrame:
    """Sum up the leg risk of a run's pairs.

    Args:
        ledger: a finished run.

    Returns:
        One row per pair that was traded and one for "all" of them; no row at all where none was. ``orders``,
        of which ``hedged``, ``unwound``, ``converted`` and ``open``; ``mean_hours`` unhedged, and
        ``over_24h``, the share that was unhedged for longer than a day, both weighted by value traded;
        ``median_hours`` and ``max_hours`` of the orders; ``mean_move`` weighted by value, ``std_move`` of the
        orders (ddof 1); ``worst_cost`` of one order, ``cost`` of all, in base currency and positive where
        waiting cost; ``cost_bp`` of the orders' gross value traded. See `linked_orders` for each of them, and
        for why the move began before the lead.
    """
    orders = linked_orders(ledger)
    if orders.empty:
        return pd.DataFrame(columns=list(RISK_TYPES)).astype(RISK_TYPES).rename_axis("pair")
    parts = {**dict(iter(orders.groupby("pair", sort=False))), TOTAL: orders}
    rows = {str(pair): risk_of(part) for pair, part in parts.items()}
    return pd.DataFrame.from_dict(rows, orient="index").astype(RISK_TYPES).rename_axis("pair")


def risk_of(orders: pd.DataFrame) -> dict[str, float]:
    """Sum up some linked orders."""
    hours, move, cost = (orders[name].to_numpy(dtype=float) for name in ("hours", "move", "cost"))
    weight = orders["value"].to_numpy(dtype=float)
    moves, costs = move[~np.isnan(move)], cost[~np.isnan(cost)]
    outcome = orders["outcome"].value_counts()
    total = float(costs.sum())
    return {
        "orders": len(orders),
        **{name: int(outcome.get(name, 0)) for name in ("hedged", "unwound", "converted", "open")},
        "mean_hours": mean(list(hours), list(weight)),
        "median_hours": float(np.median(hours)),
        "max_hours": float(hours.max()),
        "over_24h": float(weight[hours > LONG_HOURS].sum() / weight.sum()),
        "mean_move": mean(list(move), list(weight)),
        "std_move": float(moves.std(ddof=1)) if len(moves) > 1 else np.nan,
        "worst_cost": float(costs.max()) if len(costs) else np.nan,
        "cost": total,
        "cost_bp": 1e4 * total / float(weight.sum()),
    }
