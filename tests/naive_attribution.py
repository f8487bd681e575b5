"""Attribution worked out slowly: books kept anew from fills, prices and rates, tables added up cell by cell.

Nothing here is shared with the reports. `price_and_fx` and `values` read the market, the fills, the shares
converted by choice and the balances of cash, never what the ledger booked; they are for runs in which no line
leaves the market. The tables are made of what the ledger booked, one cell after the other, each given to
whoever the rules in words say it belongs to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd


class Books:
    """What is held by order, at what price it stands, and the rates: step by step.

    An order is (symbol, pair), the pair "" where the symbol is held singly.
    """

    def __init__(self, ledger: Any) -> None:
        self.ledger, self.market = ledger, ledger.market
        assert self.market.delistings.empty
        self.steps = len(self.market.grid)
        self.held: dict[tuple[str, str], float] = defaultdict(float)
        self.mark: dict[str, float] = {}
        self.fills = ledger.fills.to_dict("records")
        self.conversions = ledger.conversions.to_dict("records")
        self.splits: dict[int | None, list[tuple[str, float]]] = defaultdict(list)
        for row in self.market.splits.to_dict("records"):
            self.splits[self.effective(row)].append((row["symbol"], row["factor"]))

    def rate(self, currency: str, t: int) -> float:
        fx = self.market.fx
        return float(fx[currency].iloc[t] / fx[self.ledger.base_currency].iloc[t])

    def currency(self, symbol: str) -> str:
        return str(self.market.instruments.at[symbol, "currency"])

    def effective(self, split: Mapping[str, Any]) -> int | None:
        """A split reaches a line at its venue's first step on or after the ex-date."""
        line, grid = self.market.instruments.loc[split["symbol"]], self.market.grid
        if line["adjustment"] != "raw" or split["ex_date"] < grid["session"].iloc[0]:
            return None
        for t in range(self.steps):
            if grid["venue"].iloc[t] == line["venue"] and grid["session"].iloc[t] >= split["ex_date"]:
                return t
        return None

    def split(self, t: int) -> None:
        """Shares multiply and the last price falls."""
        for symbol, factor in self.splits.get(t, []):
            for order in self.held:
                if order[0] == symbol:
                    self.held[order] *= factor
            if symbol in self.mark:
                self.mark[symbol] /= factor

    def reprice(self, t: int) -> dict[str, float]:
        """Take this step's prices; return the ones before."""
        before = dict(self.mark)
        for symbol in self.market.price.columns:
            price = float(self.market.price[symbol].iloc[t])
            if not np.isnan(price):
                self.mark[symbol] = price
        return before

    def trade(self, t: int) -> None:
        for row in self.conversions:
            if row["step"] == t:
                self.held[row["symbol"], row["pair"]] -= row["quantity"]
                self.held[row["into"], row["pair"]] += row["into_quantity"]
        for row in self.fills:
            if row["step"] == t:
                self.held[row["symbol"], row["pair"]] += row["quantity"]
        if self.ledger.equity.iloc[t] <= 0:  # the run is over and nothing is left
            self.held.clear()


def price_and_fx(ledger: Any) -> dict[tuple[str, str, str], list[float]]:
    """Change of value by price and by rates, (source, symbol or cash:CCY, pair) -> amount at each step.

    ``q * dP * F_before`` and ``q * P_after * dF`` on the shares held before the step; ``dF`` on the cash and
    the receivables held before it.
    """
    books = Books(ledger)
    found: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0.0] * books.steps)
    for t in range(books.steps):
        books.split(t)
        before = books.reprice(t)
        if t > 0:
            for (symbol, pair), quantity in books.held.items():
                if quantity == 0.0:
                    continue
                currency = books.currency(symbol)
                old, new = books.rate(currency, t - 1), books.rate(currency, t)
                after = books.mark[symbol]
                found["price", symbol, pair][t] += quantity * (after - before[symbol]) * old
                found["fx", symbol, pair][t] += quantity * after * (new - old)
            for currency in ledger.cash.columns:
                money = ledger.cash[currency].iloc[t - 1] + ledger.receivables[currency].iloc[t - 1]
                moved = books.rate(currency, t) - books.rate(currency, t - 1)
                found["fx", f"cash:{currency}", ""][t] += money * moved
        books.trade(t)
    return dict(found)


def values(ledger: Any) -> list[dict[str, float]]:
    """Marked value by symbol after the fills of each step, base currency."""
    books, found = Books(ledger), []
    for t in range(books.steps):
        books.split(t)
        books.reprice(t)
        books.trade(t)
        worth: dict[str, float] = defaultdict(float)
        for (symbol, _), quantity in books.held.items():
            if abs(quantity) > 1e-9:
                worth[symbol] += quantity * books.mark[symbol] * books.rate(books.currency(symbol), t)
        found.append(dict(worth))
    return found


def table(
    cells: Mapping[tuple[str, Any], Any],
    shares: Callable[[int], Mapping[Any, float]],
    row: Callable[[Any, Any, int], Any],
) -> dict[tuple[Any, str], float]:
    """Give every cell away and add up what each row got of each source.

    Args:
        cells: (source, entry) -> amount at each step.
        shares: who owns a step, and how much of it.
        row: the row, of an owner of the step, an entry and the step.
    """
    found: dict[tuple[Any, str], float] = defaultdict(float)
    for (source, entry), amounts in cells.items():
        for t, amount in enumerate(amounts):
            for owner, share in shares(t).items():
                found[row(owner, entry, t), source] += share * float(amount)
    return found


def by_symbol(ledger: Any) -> dict[tuple[str, str], Any]:
    return {key: ledger.contributions[key].to_numpy() for key in ledger.contributions.columns}


def by_line(ledger: Any, sources: tuple[str, ...]) -> dict[tuple[str, int], Any]:
    record = ledger.record.sources
    return {
        (name, k): record[s, :, k] for s, name in enumerate(sources) for k in range(record.shape[2])
    }  # fmt: skip


def everyone(t: int) -> dict[str, float]:
    return {"run": 1.0}


def session(market: Any, t: int) -> pd.Timestamp:
    """Session of the first decision step at or after t; after the last one, the step's own."""
    for s in range(t, len(market.grid)):
        if market.decision_steps[s]:
            return market.grid["session"].iloc[s]
    return market.grid["session"].iloc[t]


def period(date: pd.Timestamp, freq: str) -> str:
    return {
        "year": f"{date.year}",
        "quarter": f"{date.year}Q{(date.month + 2) // 3}",
        "month": f"{date.year}-{date.month:02d}",
    }[freq]


def windows(market: Any, known_at: list[pd.Timestamp], sessions: float) -> list[list[int]]:
    """The events whose window holds each step, by position."""
    times = [pd.Timestamp(time) for time in market.grid["time"]]
    holders: list[list[int]] = [[] for _ in times]
    for e, known in enumerate(known_at):
        after = [t for t, time in enumerate(times) if time > known]
        if not after:
            continue
        first = after[0]
        if first == 0:
            early = (times[0] - known) / pd.Timedelta(days=365.25)
            start = market.session_count[0] - 252 * early
        else:
            gone = (known - times[first - 1]) / (times[first] - times[first - 1])
            count = market.session_count
            start = count[first - 1] + gone * (count[first] - count[first - 1])
        for t in after:
            if market.session_count[t] <= start + sessions + 1e-9:
                holders[t].append(e)
    return holders
