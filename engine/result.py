"""What one run recorded: equity, fills, positions and every source of profit and loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine.costs import Costs
from entrepot.engine.lines import FEE_KINDS, NOT_COSTS, SOURCES, Lines
from entrepot.engine.marks import marked_values
from entrepot.engine.run_state import RunState
from entrepot.guarded import Guarded
from entrepot.markets.market import Market

if TYPE_CHECKING:
    from entrepot.engine import _kernels as kernels

REASONS = ("target", "lead", "hedge", "unwind", "forced")
DROPPED = ("expired", "no_borrow", "unpriced", "delisted", "unwound", "forced", "margin")
MOVED = ("chosen", "delisted", "cashed_out", "bought_in", "closed")


@dataclass(frozen=True, eq=False)
class Ledger(Guarded):
    """The recorded run.

    Args:
        market: the market it ran on, T steps.
        cost_model: what trading and holding cost.
        capital: equity before the first step, in ``base_currency``.
        base_currency: of equity and contributions.
        lines: the K lines the ledger kept apart.
        currencies: of cash, the base currency first.
        record: the kernel's arrays.
        equity_by_step: (T,) equity after the fills of each step.
        risk_free_growth: (T,) growth of one unit of base currency at its policy rate since the first step.
        state: how the run stood after its last step, for another to go on from.
        plan_notes: what the plan had to say, a sentence each.
    """

    market: Market
    cost_model: Costs
    capital: float
    base_currency: str
    lines: Lines
    currencies: tuple[str, ...]
    record: kernels.Record
    equity_by_step: NDArray[np.float64]
    risk_free_growth: NDArray[np.float64]
    state: RunState
    plan_notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        end = self.equity_by_step[-1]
        return (
            f"{type(self).__name__}({self.label!r}: {self.capital:,.0f} -> {end:,.0f} {self.base_currency}, "
            f"{len(self.fills)} fills)"
        )

    @property
    def label(self) -> str:
        """Where the prices come from."""
        return self.market.label

    @cached_property
    def equity(self) -> pd.Series[float]:
        """Equity after the fills of each step, by UTC time, in base currency."""
        return pd.Series(self.equity_by_step, index=self.market.price.index, name="equity")

    @cached_property
    def _daily_steps(self) -> NDArray[np.bool_]:
        return self.market.decision_steps

    @cached_property
    def daily(self) -> pd.Series[float]:
        """Equity at the last step of each New York session (of the only venue's, where there is one)."""
        sessions = pd.DatetimeIndex(self.market.grid["session"][self._daily_steps], name="session")
        return pd.Series(self.equity_by_step[self._daily_steps], index=sessions, name="equity")

    @cached_property
    def returns(self) -> pd.Series[float]:
        """Change of `daily` from session to session, the first row dropped."""
        return self.daily.pct_change().iloc[1:].rename("returns")

    @cached_property
    def risk_free(self) -> pd.Series[float]:
        """Return of the base currency at its policy rate over the same intervals as `returns`."""
        growth = pd.Series(self.risk_free_growth[self._daily_steps], index=self.daily.index)
        return growth.pct_change().iloc[1:].rename("risk_free")

    @cached_property
    def fills(self) -> pd.DataFrame:
        """Every fill, in the order in which they happened.

        ``quantity`` is signed shares; ``price`` the step's price and ``fill_price`` what was traded at;
        ``notional``, ``slippage`` (the half-spread), ``impact``, each kind of fee and their sum ``fees`` are
        in local currency and positive; ``fx`` is base units per unit of it; ``decided_step`` is the step of
        the decision; ``estimated`` marks a price that nobody printed (see `load_market`).
        """
        rows = self.record.fills[: self.record.counts[0]]
        step, line = rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64)
        shares, impact = np.abs(rows[:, 2]), rows[:, 9 + len(FEE_KINDS)]
        grid = self.market.grid.iloc[step].reset_index(drop=True)
        symbol = np.array(self.lines.symbols, dtype=object)[line]
        frame = pd.DataFrame(
            {
                "step": step,
                "time": grid["time"],
                "venue": grid["venue"],
                "session": grid["session"],
                "phase": grid["phase"],
                "symbol": symbol,
                "currency": self.market.instruments["currency"].reindex(symbol).to_numpy(),
                "quantity": rows[:, 2],
                "price": rows[:, 3],
                "fill_price": rows[:, 4],
                "notional": shares * rows[:, 4],
                "slippage": shares * np.abs(rows[:, 4] - rows[:, 3]) - impact,
                "impact": impact,
            }
        )
        for j, kind in enumerate(FEE_KINDS):
            frame[kind] = rows[:, 9 + j]
        frame["fees"] = rows[:, 8]
        frame["fx"] = rows[:, 5]
        frame["reason"] = np.array(REASONS, dtype=object)[rows[:, 6].astype(np.int64)]
        frame["decided_step"] = rows[:, 7].astype(np.int64)
        frame["pair"] = self._pair_of_line[line]
        frame["estimated"] = self.market.estimated[step, self.lines.columns[line]]
        return frame.astype(dict.fromkeys(["venue", "phase", "symbol", "currency", "reason", "pair"], "str"))

    @cached_property
    def _pair_of_line(self) -> NDArray[np.object_]:
        pair = np.full(len(self.lines.symbols), "", dtype=object)
        for (hk, adr), (_, name) in zip(self.lines.legs, self.lines.pairs, strict=True):
            pair[[hk, adr]] = name
        return pair

    @cached_property
    def ruined_at(self) -> pd.Timestamp | None:
        """UTC time of the step at which equity was gone and the run ended; None where it never was."""
        gone = self.equity_by_step <= 0
        return self.market.price.index[int(np.argmax(gone))] if gone.any() else None

    @cached_property
    def conversions(self) -> pd.DataFrame:
        """Shares that became other shares, or cash, without a trade.

        ``quantity`` shares of ``symbol``, signed, became ``into_quantity`` shares of ``into`` ("" and 0
        where they became cash); ``fee`` is the depositary's, in the currency of the ADR. ``reason`` is
        "chosen" where a plan asked for it, "delisted", "cashed_out" or "bought_in" where the line left,
        "closed" where one that had left and was kept at parity was closed later.
        """
        rows = self.record.moved[: self.record.counts[2]]
        step, line = rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64)
        names = np.append(np.array(self.lines.symbols, dtype=object), "")
        frame = pd.DataFrame(
            {
                "step": step,
                "time": self.market.grid["time"].iloc[step].array,
                "symbol": names[line],
                "quantity": rows[:, 2],
                "into": names[rows[:, 3].astype(np.int64)],
                "into_quantity": rows[:, 4],
                "fee": rows[:, 5],
                "reason": np.array(MOVED, dtype=object)[rows[:, 6].astype(np.int64)],
                "pair": self._pair_of_line[line],
            }
        )
        return frame.astype(dict.fromkeys(["symbol", "into", "reason", "pair"], "str"))

    @cached_property
    def dropped(self) -> pd.DataFrame:
        """Orders given up or, for "margin", cut back, with the step and the reason."""
        rows = self.record.dropped[: self.record.counts[1]]
        frame = pd.DataFrame(
            {
                "step": rows[:, 0],
                "time": self.market.grid["time"].iloc[rows[:, 0]].array,
                "symbol": np.array(self.lines.symbols, dtype=object)[rows[:, 1]],
                "pair": self._pair_of_line[rows[:, 1]],
                "decided_step": rows[:, 2],
                "reason": np.array(DROPPED, dtype=object)[rows[:, 3]],
            }
        )
        return frame.astype(dict.fromkeys(["symbol", "pair", "reason"], "str"))

    @cached_property
    def positions(self) -> pd.DataFrame:
        """Shares held after the fills of each step, by symbol, shape (T, symbols traded).

        Columns are in the market's order.
        """
        return self._by_symbol(self.record.positions)

    @cached_property
    def cash(self) -> pd.DataFrame:
        """Cash after the fills of each step, by currency, settled or not, shape (T, currencies)."""
        return pd.DataFrame(self.record.cash, index=self.market.price.index, columns=list(self.currencies))

    @cached_property
    def receivables(self) -> pd.DataFrame:
        """Dividends earned and not yet paid, by currency, shape (T, currencies); owed ones are negative."""
        return pd.DataFrame(
            self.record.receivable, index=self.market.price.index, columns=list(self.currencies)
        )

    @cached_property
    def contributions(self) -> pd.DataFrame:
        """Change of equity of each step by source and instrument, in base currency.

        Columns are (source, instrument); what cash of a currency earned stands under ``cash:CCY``. The
        rows add up to the change of `equity`, the first row's to its difference from the capital. Columns
        that are zero throughout are left out.
        """
        names = [*self.lines.symbols, *(f"cash:{c}" for c in self.currencies)]
        blocks = {}
        for s, source in enumerate(SOURCES):
            used = np.flatnonzero(self.record.sources[s].any(axis=0))
            for name in dict.fromkeys(names[j] for j in used):
                own = [j for j in used if names[j] == name]
                blocks[source, name] = self.record.sources[s][:, own].sum(axis=1)
        columns = pd.MultiIndex.from_tuples(list(blocks), names=["source", "instrument"])
        values = np.column_stack(list(blocks.values())) if blocks else np.zeros((len(self.market), 0))
        return pd.DataFrame(values, index=self.market.price.index, columns=columns)

    def costs(self) -> pd.Series[float]:
        """What the run paid in base currency by kind of cost, largest first; zero kinds left out."""
        total = self.record.sources.sum(axis=(1, 2))
        paid = {s: -total[i] for i, s in enumerate(SOURCES) if s not in NOT_COSTS and total[i] != 0.0}
        return pd.Series(paid, dtype=np.float64, name="cost").sort_values(ascending=False)

    @cached_property
    def gaps(self) -> pd.Series[int]:
        """By symbol traded: sessions between its first print and its end without a price."""
        counts = {}
        ends = dict(
            zip(self.market.delistings["symbol"], self.market.delistings["last_session"], strict=True)
        )
        for symbol in dict.fromkeys(self.lines.symbols):
            own = self.market.grid["venue"] == self.market.instruments.at[symbol, "venue"]
            printed = self.market.price[symbol].notna().to_numpy()[own]
            by_session = pd.Series(printed).groupby(self.market.grid["session"][own].to_numpy()).any()
            if symbol in ends:
                by_session = by_session[by_session.index <= ends[symbol]]
            since = by_session.to_numpy().argmax() if by_session.any() else len(by_session)
            counts[symbol] = int((~by_session.iloc[since:]).sum())
        return pd.Series(counts, dtype=np.int64, name="gaps")

    @cached_property
    def position_values(self) -> pd.DataFrame:
        """Value of the positions after each step by symbol, in base currency, shape (T, symbols traded).

        Columns are in the market's order. Lines stand at their last price per share as split since, those
        that left and were kept at parity. With cash and receivables the values add up to equity, to rounding.
        """
        return self._by_symbol(
            marked_values(self.market, self.lines, self.record.positions, self.base_currency)
        )

    def _by_symbol(self, by_line: NDArray[np.float64]) -> pd.DataFrame:
        """Add up the lines of each symbol, (T, K)."""
        frame = pd.DataFrame(by_line, index=self.market.price.index, columns=list(self.lines.symbols))
        by_symbol = frame.T.groupby(level=0, sort=False).sum().T
        return by_symbol[[symbol for symbol in self.market.symbols if symbol in by_symbol]]

    @cached_property
    def exposure(self) -> pd.DataFrame:
        """Positions as parts of equity at each step, NaN where that is not positive.

        Columns (long, short, net or gross; venue).
        """
        equity = np.where(self.equity_by_step > 0.0, self.equity_by_step, np.nan)
        weight = self.position_values.to_numpy() / equity[:, None]
        venue = self.market.instruments["venue"].reindex(self.position_values.columns).to_numpy()
        measures = {"long": np.maximum(weight, 0.0), "short": np.minimum(weight, 0.0)}
        measures |= {"net": weight, "gross": np.abs(weight)}
        # Added up one by one: a symbol that is traded only later, in between, moves no last digit of a sum.
        return pd.DataFrame(
            {
                (measure, name): values[:, venue == name].cumsum(axis=1)[:, -1]
                for measure, values in measures.items()
                for name in sorted(set(venue))
            },
            index=self.position_values.index,
        )
