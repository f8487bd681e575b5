"""What a run leaves behind for another to go on from: positions, orders, cash, debts and the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from entrepot.engine.costs import Costs
from entrepot.engine.lines import Lines
from entrepot.errors import ParameterError
from entrepot.markets.market import Market

if TYPE_CHECKING:
    from entrepot.engine import _kernels as kernels


@dataclass(frozen=True, eq=False, repr=False)
class RunState:
    """A run as it stood after its last step; see ``backtest(..., resume=state)``.

    Args:
        times: UTC nanoseconds of the steps that were run, shape (t + 1,).
        prices: of the steps that were run, by line, shape (t + 1, K).
        lines: the lines the ledger kept apart.
        currencies: of cash, the base currency first.
        capital: equity before the first step.
        costs: what trading and holding cost.
        horizon: the step after the last one of the calendar that was known: what settles then, never does.
        book: the kernel's state of one lane.
        unpaid: by line, step of the ex-date and number within it: where a dividend waits among the slots.
        record: what was recorded.
        equity: (t + 1,) equity of the steps that were run.
    """

    times: NDArray[np.int64]
    prices: NDArray[np.float64]
    lines: Lines
    currencies: tuple[str, ...]
    capital: float
    costs: Costs
    horizon: int
    book: kernels.State
    unpaid: dict[tuple[int, int, int], int]
    record: kernels.Record
    equity: NDArray[np.float64]

    def __repr__(self) -> str:
        when = np.datetime64(int(self.times[-1]), "ns").astype("datetime64[m]")
        return (
            f"RunState({len(self.times)} steps, to {when} UTC: {self.equity[-1]:,.0f} {self.currencies[0]})"
        )

    @property
    def step(self) -> int:
        """The last step that was run."""
        return len(self.times) - 1

    def check(self, market: Market) -> None:
        """Refuse a market that does not begin with the steps that were run and go on from there."""
        if len(market) <= len(self.times):
            raise ParameterError(
                f"the state stands after {len(self.times)} steps and the market has {len(market)}: "
                "resume on a market that goes on from there"
            )
        if (market.times[: len(self.times)] != self.times).any():
            raise ParameterError(
                "the state was recorded on other steps than this market's: resume on the same market, longer"
            )
        gone = sorted(set(self.lines.symbols) - set(market.symbols))
        if gone:
            raise ParameterError(
                f"the state holds lines in {', '.join(gone)}, which this market does not have: load them too"
            )
        for symbol, before in zip(self.lines.symbols, self.prices.T, strict=True):
            if not np.array_equal(
                market.prices[: len(before), market.column(symbol)], before, equal_nan=True
            ):
                raise ParameterError(
                    f"the state was recorded on other prices of {symbol}: resume on the same market, longer"
                )


def unpaid_slots(tape: kernels.Tape) -> dict[tuple[int, int, int], int]:
    """Where each dividend waits for its pay date, by line, step of the ex-date and number within it."""
    from entrepot.engine import _kernels as kernels

    slots: dict[tuple[int, int, int], int] = {}
    step_of = np.repeat(np.arange(len(tape.action_first) - 1), np.diff(tape.action_first))
    for step, action in zip(step_of, tape.actions, strict=True):
        if action[kernels.KIND] == kernels.DIVIDEND and action[kernels.INTO] >= 0:
            line, number = int(action[kernels.LINE]), 0
            while (line, int(step), number) in slots:
                number += 1
            slots[line, int(step), number] = int(action[kernels.INTO])
    return slots


def names_of(lines: Lines) -> list[tuple[str, str]]:
    """Name each line by its symbol and the ADR of the pair it is a leg of."""
    adr = [lines.pairs[p][1] if p >= 0 else "" for p in lines.pair]
    return list(zip(lines.symbols, adr, strict=True))


def take_up(
    state: RunState,
    tape: kernels.Tape,
    lines: Lines,
    currencies: tuple[str, ...],
    book: kernels.State,
    record: kernels.Record,
    equity: NDArray[np.float64],
) -> None:
    """Put a recorded state into the fresh arrays of a run over the same market, longer and with more lines.

    Args:
        state: what to go on from; every line of it is among ``lines``.
        tape: of the new run.
        lines: of the new run.
        currencies: of the new run.
        book: of the new run, as it starts; changed in place.
        record: of the new run, empty; changed in place.
        equity: (T, 1) of the new run; changed in place.
    """
    from entrepot.engine import _kernels as kernels

    old, done = state.book, len(state.times)
    new_names = names_of(lines)
    line = np.array([new_names.index(name) for name in names_of(state.lines)], dtype=np.int64)
    pair = np.array([lines.pairs.index(p) for p in state.lines.pairs], dtype=np.int64)
    money = np.array([currencies.index(c) for c in state.currencies], dtype=np.int64)
    book.book[:, line] = old.book
    book.order[:, line] = old.order
    book.marks[:, line] = old.marks
    _catch_up(tape, book, np.setdiff1d(np.arange(len(lines.symbols)), line), done)
    parked = np.flatnonzero(book.marks[kernels.GONE] == kernels.PARKED)
    for heir in parked:
        book.marks[kernels.HEIR, heir] = line[int(book.marks[kernels.HEIR, heir])]
    gone = book.marks[kernels.GONE] != kernels.LISTED
    book.link[kernels.STAGE, gone[lines.legs].any(axis=1)] = kernels.GONE_PAIR
    book.pair[:, pair] = old.pair
    book.link[:, pair] = old.link
    book.money[:, money] = old.money
    book.called[:] = old.called
    for later in range(done, min(done + len(old.due) - 1, state.horizon)):
        book.due[later % len(book.due), money] = old.due[later % len(old.due)]
    slots = unpaid_slots(tape)
    for (k, step, number), slot in state.unpaid.items():
        book.slots[slots[int(line[k]), step, number]] = old.slots[slot]
    _copy_record(state, line, money, len(lines.symbols), record)
    equity[:done, 0] = state.equity


def _catch_up(tape: kernels.Tape, book: kernels.State, lines: NDArray[np.int64], done: int) -> None:
    """Mark lines that a run names for the first time as if it had known them all along."""
    from entrepot.engine import _kernels as kernels

    actions = tape.actions[: tape.action_first[done]]
    step_of = np.repeat(np.arange(done), np.diff(tape.action_first[: done + 1]))
    for k in lines:
        own = actions[:, kernels.LINE] == k
        printed = np.flatnonzero(np.isfinite(tape.quote[kernels.PRICE_AT, :done, k]))
        if len(printed):
            book.marks[kernels.LAST, k] = tape.quote[kernels.PRICE_AT, printed[-1], k]
            book.marks[kernels.PRINTED, k] = printed[-1]
            since = own & (actions[:, kernels.KIND] == kernels.SPLIT) & (step_of > printed[-1])
            for factor in actions[since, kernels.VALUE]:
                book.marks[kernels.LAST, k] /= factor
        if (actions[own, kernels.KIND] == kernels.CONVERSION).any():
            book.marks[kernels.GONE, k] = kernels.GONE_LINE


def _copy_record(
    state: RunState,
    line: NDArray[np.int64],
    money: NDArray[np.int64],
    lines: int,
    record: kernels.Record,
) -> None:
    old, done = state.record, len(state.times)
    record.positions[:done, line] = old.positions[:done]
    record.cash[:done, money] = old.cash[:done]
    record.receivable[:done, money] = old.receivable[:done]
    columns = np.concatenate([line, lines + money])
    record.sources[:, :done, columns] = old.sources[:, :done]
    record.counts[:] = old.counts
    tables: Sequence[tuple[NDArray[np.float64] | NDArray[np.int64], NDArray[np.float64] | NDArray[np.int64]]]
    tables = ((old.fills, record.fills), (old.dropped, record.dropped), (old.moved, record.moved))
    for (before, after), count in zip(tables, old.counts, strict=True):
        after[:count] = before[:count]
        after[:count, 1] = line[before[:count, 1].astype(np.int64)]
    into = record.moved[: old.counts[2], 3]
    into[into >= 0] = line[into[into >= 0].astype(np.int64)]
