"""What the ledger recorded of each linked pair, its two lines side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine.marks import departure, share_growth

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

Floats = NDArray[np.float64]
HK, ADR = 0, 1
EVEN = 1e-9  # of the shares held: what rounding may leave between two equal legs


class Fill(NamedTuple):
    """One fill of a leg, its index in `legs` of `PairBook` being `leg`."""

    step: int
    leg: int
    quantity: float
    price: float
    fill_price: float
    fx: float
    reason: str
    decided: int

    @property
    def value(self) -> float:
        """What was traded, in base currency."""
        return abs(self.quantity) * self.fill_price * self.fx


@dataclass(frozen=True, eq=False)
class PairBook:
    """One pair of a ledger. Arrays have one column per leg, Hong Kong first.

    Args:
        name: the ADR's symbol, which names the pair in `fills`.
        symbols: of the legs.
        held: (T, 2) shares after the fills of each step.
        booked: (S, T, 2) contributions by source.
        price: (T, 2) prices, NaN where not printed.
        ratio: (T,) ordinary shares per ADS, in the units in which both lines are held at each step.
        growth: (T, 2) shares that splits have made of one held before the first step.
        gone: first step at which a leg has left the market, T where none does; (2,).
        fills: of the pair, in the order in which they happened.
        hours: (T,) time of each step since the first.
        sessions: (T,) New York sessions so far.
        equity: (T + 1,) of the whole run, before the first step and after the fills of each.
    """

    name: str
    symbols: tuple[str, str]
    held: Floats
    booked: Floats
    price: Floats
    ratio: Floats
    growth: Floats
    gone: NDArray[np.int64]
    fills: tuple[Fill, ...]
    hours: Floats
    sessions: Floats
    equity: Floats

    @cached_property
    def ordinary(self) -> Floats:
        """Ordinary shares, as they were before the first step, per share of each leg; (T, 2)."""
        return np.column_stack([np.ones(len(self.ratio)), self.ratio]) / self.growth[:, [HK]]

    @cached_property
    def printed(self) -> NDArray[np.int64]:
        """Step of each leg's last print, this step's included, -1 before its first; (T, 2)."""
        steps = np.arange(len(self.price))[:, None]
        return np.maximum.accumulate(np.where(np.isfinite(self.price), steps, -1), axis=0)

    @cached_property
    def last(self) -> int:
        """Last step at which anything can happen: that of the ruin, or the run's last."""
        ruined = int(np.argmax(self.equity[1:] <= 0))
        return ruined if self.ruined(ruined) and not self.held[ruined:].any() else len(self.held) - 1

    @cached_property
    def fill_steps(self) -> NDArray[np.int64]:
        """Step of each fill."""
        return np.array([fill.step for fill in self.fills], dtype=np.int64)

    def fills_between(self, first: int, last: int) -> tuple[Fill, ...]:
        """Return the fills of the steps from `first` to `last`, both included."""
        begin, stop = np.searchsorted(self.fill_steps, [first, last + 1])
        return self.fills[begin:stop]

    def ruined(self, step: int) -> bool:
        """Whether there is no equity left after a step."""
        return bool(self.equity[step + 1] <= 0)

    def mark(self, leg: int, then: int, now: int) -> float:
        """Last price of a leg known at step `then`, per share of step `now`."""
        step = self.printed[then, leg]
        if step < 0:
            return float(np.nan)
        return float(self.price[step, leg] * self.growth[step, leg] / self.growth[now, leg])

    def even(self, step: int) -> bool:
        """Whether the legs are equal in ordinary shares after the fills of a step."""
        hk, adr = self.held[step, HK], self.held[step, ADR] * self.ratio[step]
        return bool(abs(hk + adr) <= EVEN * max(1.0, abs(hk), abs(adr), self.ratio[step]))


def pair_books(ledger: Ledger) -> Iterator[PairBook]:
    """Open the book of every pair that was traded, in the ledger's order."""
    lines = getattr(ledger, "lines", None)
    if lines is None or not len(lines.pairs):
        return
    # Importing it takes numba a third of a second: not where there is no pair.
    from entrepot.engine.tape import ratios_in_force

    market, record = ledger.market, ledger.record
    ratio = ratios_in_force(market, lines)
    time = pd.DatetimeIndex(market.grid["time"]).as_unit("ns").asi8
    fills = ledger.fills
    columns = ["step", "symbol", "quantity", "price", "fill_price", "fx", "reason", "decided_step"]
    for p, (symbols, legs) in enumerate(zip(lines.pairs, lines.legs, strict=True)):
        own = fills[fills["pair"] == symbols[ADR]]
        if own.empty:
            continue
        place = {symbols[HK]: HK, symbols[ADR]: ADR}
        yield PairBook(
            name=symbols[ADR],
            symbols=symbols,
            held=record.positions[:, legs],
            booked=record.sources[:, :, legs],
            price=market.prices[:, lines.columns[legs]],
            ratio=ratio[:, p],
            growth=np.column_stack([share_growth(market, symbol) for symbol in symbols]),
            gone=np.array([departure(market, symbol) for symbol in symbols]),
            fills=tuple(
                Fill(int(step), place[symbol], quantity, price, fill_price, fx, reason, int(decided))
                for step, symbol, quantity, price, fill_price, fx, reason, decided in zip(
                    *(own[name].tolist() for name in columns), strict=True
                )
            ),
            hours=(time - time[0]) / 3_600e9,
            sessions=np.asarray(market.session_count, dtype=float),
            equity=np.concatenate([[ledger.capital], ledger.equity_by_step]),
        )
