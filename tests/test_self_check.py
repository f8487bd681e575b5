"""The check of the books: silent on any honest run, and exact about what was tampered with."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import worlds
from test_engine import cut, run as run_checked

from entrepot.engine import Costs, Ledger, _kernels as kernels
from entrepot.engine.check import check_identity
from entrepot.engine.lines import FEE_KINDS, SOURCES
from entrepot.engine.tape import build_tape
from entrepot.errors import DataError, EntrepotError

CENT = 0.01
ENDING = "this is a defect of entrepot, report it"


@dataclass(frozen=True, eq=False)
class Run:
    """A recorded run and the tape it ran on."""

    seed: int
    ledger: Ledger
    tape: kernels.Tape

    @property
    def record(self) -> kernels.Record:
        return self.ledger.record

    @property
    def ruined(self) -> bool:
        return bool((self.ledger.equity_by_step <= 0.0).any())

    def instrument(self, column: int) -> str:
        """A line or a currency as the check names it."""
        lines = self.ledger.lines
        if column >= len(lines.symbols):
            return f"cash:{self.ledger.currencies[column - len(lines.symbols)]}"
        pair = lines.pair[column]
        return lines.symbols[column] + (f" of the pair {'/'.join(lines.pairs[pair])}" if pair >= 0 else "")

    def refuses(self, step: int, instrument: str | int, term: str, **tampered: Any) -> None:
        """The check names that step, instrument and term of a record or tape that was tampered with."""
        name = instrument if isinstance(instrument, str) else self.instrument(instrument)
        when = self.ledger.market.grid["time"].iloc[step]
        message = f"at step {step} ({when:%Y-%m-%d %H:%M} UTC), {name}, {term}: "
        equity = tampered.pop("equity", self.ledger.equity_by_step)
        of_tape = {field: tampered.pop(field) for field in kernels.Tape._fields if field in tampered}
        ledger = replace(self.ledger, record=self.record._replace(**tampered), equity_by_step=equity)
        with pytest.raises(DataError, match=f"{re.escape(message)}.*{re.escape(ENDING)}$"):
            check_identity(ledger, self.tape._replace(**of_tape))


def world(seed: int) -> worlds.World:
    return worlds.random_world(
        seed, steps=60 + seed % 60, pairs=seed % 4, hk_singles=1 + seed % 2, ny_singles=seed % 3
    )


def execute(world: worlds.World, **changes: Any) -> Ledger:
    return run_checked(world, **({"check": False} | changes))


@lru_cache
def run_of(seed: int) -> Run | None:
    """A random world's run, where it ends in no error."""
    of = world(seed)
    try:
        ledger = execute(of)
    except EntrepotError:
        return None
    states = None if of.states is None else of.states.astype(np.int64)
    tape, _ = build_tape(of.market, ledger.lines, of.costs, of.base_currency, states, of.stressed)
    return Run(seed, ledger, tape)


def runs_with(wanted: Callable[[Run], Any]) -> list[Run]:
    """Those of thirty runs of which something holds, or the first of many more."""
    found: list[Run] = []
    for seed in range(400):
        if seed >= 30 and found:
            break
        run = run_of(seed)
        if run is not None and wanted(run):
            found.append(run)
    assert found, "no run has any"
    return found


def some(name: str, of: Callable[[Run], np.ndarray]) -> tuple[Run, tuple[int, ...]]:
    """A random place, where something is, in a random run; of the runs that came to no ruin."""
    rng = np.random.default_rng(list(name.encode()))
    with_it = runs_with(lambda run: not run.ruined and np.asarray(of(run)).any())
    run = with_it[int(rng.integers(len(with_it)))]
    places = np.argwhere(of(run))
    return run, tuple(int(i) for i in places[int(rng.integers(len(places)))])


def changed(array: np.ndarray, place: tuple[int, ...], by: Callable[[float], float]) -> np.ndarray:
    array = array.copy()
    array[place] = by(array[place])
    return array


# -- no false alarm ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(1000, 1060, 10))
def test_no_random_world_is_refused(first: int) -> None:
    for seed in range(first, first + 10):
        of = world(seed)
        try:
            execute(of)
        except EntrepotError:
            continue
        execute(of, check=True)


@pytest.mark.parametrize("first", range(0, 30, 10))
def test_no_run_that_is_taken_up_again_is_refused(first: int) -> None:
    """Not even where its costs are others from there on."""
    checked = 0
    for seed in range(first, first + 10):
        of = world(seed)
        step = int(np.random.default_rng(seed).integers(len(of.market) - 2))
        market, plan, path = cut(of, step)
        cheap = SimpleNamespace(market=market, plan=plan, path=path)
        try:
            part = execute(replace_world(of, cheap))
            for costs in (of.costs, Costs(delisting=of.costs.delisting)):
                execute(of, costs=costs, resume=part.state)
        except EntrepotError:
            continue
        for costs in (of.costs, Costs(delisting=of.costs.delisting)):
            execute(of, costs=costs, resume=part.state, check=True)
            checked += 1
    assert checked > 8


def replace_world(of: worlds.World, part: SimpleNamespace) -> Any:
    """A world with another market, plan and path."""
    same = {name: getattr(of, name) for name in ("capital", "base_currency", "costs", "fill")}
    return SimpleNamespace(**same, **vars(part))


def test_what_was_resumed_must_add_up() -> None:
    run, (_, step, column) = some("resumed", lambda run: run.record.sources[:, :20])
    of = world(run.seed)
    market, plan, path = cut(of, 30)
    state = execute(replace_world(of, SimpleNamespace(market=market, plan=plan, path=path))).state
    ledger = execute(of, resume=state)
    check_identity(ledger, run.tape, state)
    sources = changed(ledger.record.sources, (0, step, column), lambda x: x + CENT)
    with pytest.raises(DataError, match=f"at step {step} .*, equity, all terms: "):
        check_identity(replace(ledger, record=ledger.record._replace(sources=sources)), run.tape, state)


# -- what was recorded is tampered with ----------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_a_cent_too_much_of_a_term_is_found(source: str) -> None:
    s = SOURCES.index(source)
    run, (step, column) = some(source, lambda run: np.abs(run.record.sources[s]) > CENT)
    sources = changed(run.record.sources, (s, step, column), lambda x: x + CENT)
    run.refuses(step, column, source, sources=sources)
    # Nor may a term be left out, booked elsewhere, or be no number.
    run.refuses(step, column, source, sources=changed(run.record.sources, (s, step, column), lambda x: 0.0))
    run.refuses(
        step, column, source, sources=changed(run.record.sources, (s, step, column), lambda x: np.nan)
    )
    other = int(np.argmin(np.abs(run.record.sources[s, step])))
    sources[s, step, [column, other]] = run.record.sources[s, step, [other, column]]
    with pytest.raises(DataError, match=f"at step {step} .*, {source}: "):
        check_identity(replace(run.ledger, record=run.record._replace(sources=sources)), run.tape)


@pytest.mark.parametrize("source", SOURCES)
def test_a_cent_of_a_term_where_there_is_none_is_found(source: str) -> None:
    s = SOURCES.index(source)
    run, (step, column) = some(f"no {source}", lambda run: run.record.sources[s] == 0.0)
    sources = changed(run.record.sources, (s, step, column), lambda x: x - CENT)
    run.refuses(step, column, source, sources=sources)


@pytest.mark.parametrize("turn", range(5))
def test_a_position_of_its_own_making_is_found(turn: int) -> None:
    run, (step, line) = some(f"position {turn}", lambda run: run.record.positions)
    for by in (lambda x: x * (1.0 + 1e-9), lambda x: x + 1.0, lambda x: 0.0):
        run.refuses(step, line, "shares", positions=changed(run.record.positions, (step, line), by))
    run, (step, line) = some(f"no position {turn}", lambda run: run.record.positions == 0.0)
    positions = changed(run.record.positions, (step, line), lambda x: 1e-6)
    run.refuses(step, line, "shares", positions=positions)


@pytest.mark.parametrize("balance", ["cash", "receivable"])
@pytest.mark.parametrize("turn", range(5))
def test_a_cent_in_a_balance_is_found(balance: str, turn: int) -> None:
    run, (step, c) = some(f"{balance} {turn}", lambda run: getattr(run.record, balance))
    column = len(run.ledger.lines.symbols) + c
    for by in (lambda x: x + CENT, lambda x: x - CENT):
        tampered = changed(getattr(run.record, balance), (step, c), by)
        run.refuses(step, column, balance, **{balance: tampered})


@pytest.mark.parametrize("turn", range(3))
def test_a_cent_of_equity_is_found(turn: int) -> None:
    run, (step,) = some(f"equity {turn}", lambda run: run.ledger.equity_by_step)
    equity = changed(run.ledger.equity_by_step, (step,), lambda x: x + CENT)
    run.refuses(step, "equity", "cash, receivables and positions", equity=equity)


def test_what_is_left_of_a_ruined_run_is_what_it_owes() -> None:
    run = runs_with(lambda run: run.ledger.equity_by_step[-5] <= 0.0)[0]
    step, last = int(np.argmax(run.ledger.equity_by_step <= 0.0)), len(run.ledger.equity_by_step) - 1
    for at in (step, last):
        run.refuses(at, 0, "shares", positions=changed(run.record.positions, (at, 0), lambda x: x + 1.0))
        for balance in ("cash", "receivable"):
            tampered = changed(getattr(run.record, balance), (at, 0), lambda x: x + CENT)
            column = len(run.ledger.lines.symbols)
            run.refuses(at, column, balance, **{balance: tampered})


def test_money_that_is_booked_consistently_but_earned_by_nothing_is_found() -> None:
    """Interest, cash and equity all agree that there is a dollar more: the sums alone would not tell."""
    run, (step, c) = some("dollar", lambda run: run.record.cash[:-1])
    column, rate = len(run.ledger.lines.symbols) + c, run.tape.rates[kernels.FX_RATE, step, c]
    s = SOURCES.index("interest")
    cash = changed(run.record.cash, (slice(step, None), c), lambda x: x + 1.0)
    equity = changed(run.ledger.equity_by_step, (slice(step, None),), lambda x: x + rate)
    sources = changed(run.record.sources, (s, step, column), lambda x: x + rate)
    run.refuses(step, column, "interest", cash=cash, equity=equity, sources=sources)


def fills_of(run: Run) -> np.ndarray:
    return run.record.fills[: run.record.counts[0]]


@pytest.mark.parametrize("turn", range(5))
def test_a_fill_that_is_dropped_doubled_or_moved_is_found(turn: int) -> None:
    run, (n, _) = some(f"fill {turn}", lambda run: fills_of(run)[:, :1] < len(run.ledger.equity_by_step) - 1)
    rows, counts = fills_of(run), run.record.counts
    step, line = int(rows[n, 0]), int(rows[n, 1])
    without = np.delete(rows, n, axis=0)
    run.refuses(step, line, "shares", fills=without, counts=counts - [1, 0, 0])
    run.refuses(step, line, "shares", fills=np.insert(rows, n, rows[n], axis=0), counts=counts - [-1, 0, 0])
    later = changed(rows, (n, 0), lambda x: x + 1)
    run.refuses(step, line, "shares", fills=later)
    for by in (lambda x: -x, lambda x: x * (1.0 + 1e-9)):
        run.refuses(step, line, "shares", fills=changed(rows, (n, 2), by))


@pytest.mark.parametrize(
    ("column", "term"),
    [
        (3, "price of a fill"),
        (4, "price of a fill"),
        (5, "rate of a fill"),
        (8, "fees"),
        (9 + len(FEE_KINDS), "impact"),
    ],
)
def test_a_fill_at_another_price_or_rate_is_found(column: int, term: str) -> None:
    run, (n, _) = some(f"fill {column}", lambda run: fills_of(run)[:, [column]])
    step, line = (int(x) for x in fills_of(run)[n, :2])
    for by in (lambda x: x * (1.0 + 1e-6) + 1e-4, lambda x: np.nan):
        run.refuses(step, line, term, fills=changed(fills_of(run), (n, column), by))


@pytest.mark.parametrize("kind", FEE_KINDS)
def test_a_cent_too_much_of_a_fee_is_found(kind: str) -> None:
    column = 9 + FEE_KINDS.index(kind)
    run, (n, _) = some(f"fee {kind}", lambda run: fills_of(run)[:, [column]])
    step, line = (int(x) for x in fills_of(run)[n, :2])
    run.refuses(step, line, kind, fills=changed(fills_of(run), (n, column), lambda x: x + CENT))


@pytest.mark.parametrize("why", range(5))
def test_a_conversion_that_is_dropped_or_changed_is_found(why: int) -> None:
    def of(run: Run) -> np.ndarray:
        rows = run.record.moved[: run.record.counts[2]]
        return rows[:, [6]] == why

    run, (n, _) = some(f"conversion {why}", of)
    rows, counts = run.record.moved[: run.record.counts[2]], run.record.counts
    step, line = int(rows[n, 0]), int(rows[n, 1])
    leg = run.ledger.lines.pair[line]
    payer = line if leg < 0 else int(run.ledger.lines.legs[leg, 1])
    ledger = replace(
        run.ledger,
        record=run.record._replace(moved=np.delete(rows, n, axis=0), counts=counts - [0, 0, 1]),
    )
    with pytest.raises(DataError, match=f"at step {step} .*, shares: "):
        check_identity(ledger, run.tape)
    for column in (2, 4):
        moved = changed(rows, (n, column), lambda x: x + 1e-3)
        run.refuses(step, line, "conversion", moved=moved)
    run.refuses(step, payer, "conversion_fee", moved=changed(rows, (n, 5), lambda x: x + CENT))


# -- the run is honest, but to another market ----------------------------------------------------------------


def at_first(run: Run, source: str, lines: list[int]) -> tuple[int, int]:
    """The first step and line, of some lines, at which something of a source was booked."""
    booked = np.abs(run.record.sources[SOURCES.index(source)][:, lines])
    step, n = np.argwhere(booked > 1e-4)[0]
    return int(step), lines[int(n)]


def test_the_price_of_a_mark_is_the_markets() -> None:
    def untraded(run: Run) -> np.ndarray:
        there = np.isfinite(run.tape.quote[kernels.PRICE_AT])
        there &= run.record.sources[0][:, : there.shape[1]] != 0.0
        step, line = fills_of(run)[:, :2].astype(np.int64).T
        there[step, line] = False
        return there

    run, (step, line) = some("marks", untraded)
    quote = changed(run.tape.quote, (kernels.PRICE_AT, step, line), lambda x: x * (1.0 + 1e-6))
    run.refuses(step, line, "price", quote=quote)


def test_dividends_are_the_markets() -> None:
    s = SOURCES.index("dividend")
    run, (step, line) = some("dividends", lambda run: run.record.sources[s])
    actions = run.tape.actions.copy()
    begin, end = run.tape.action_first[step : step + 2]
    own = np.arange(begin, end)[actions[begin:end, kernels.LINE] == line]
    own = own[actions[own, kernels.KIND] == kernels.DIVIDEND]
    actions[own, kernels.VALUE :] *= 1.001
    run.refuses(step, line, "dividend", actions=actions)


def test_borrow_is_charged_at_the_rate_of_the_step_before() -> None:
    s = SOURCES.index("borrow")
    run, (step, line) = some("borrowing", lambda run: run.record.sources[s])
    quote = changed(run.tape.quote, (kernels.BORROW_RATE, step - 1, line), lambda x: x * 1.001)
    run.refuses(step, line, "borrow", quote=quote)


def test_rebates_and_service_fees_are_charged_as_asked() -> None:
    run, (_, line) = some("rebates", lambda run: run.record.sources[SOURCES.index("rebate")])
    c = run.tape.flags[kernels.CURRENCY, line]
    step, line = at_first(run, "rebate", np.flatnonzero(run.tape.flags[kernels.CURRENCY] == c).tolist())
    carry = changed(run.tape.carry, (kernels.REBATE_SPREAD, c), lambda x: x + 1e-4)
    with pytest.raises(DataError, match=f"at step {step} .*, rebate: "):
        check_identity(run.ledger, run.tape._replace(carry=carry))
    run, (_, line) = some("custody", lambda run: run.record.sources[SOURCES.index("ads_fee")])
    step, _ = at_first(run, "ads_fee", [line])
    trait = changed(run.tape.trait, (kernels.CUSTODY, line), lambda x: x * 1.001)
    run.refuses(step, line, "ads_fee", trait=trait)


def test_interest_is_earned_at_the_rate_of_the_currency_on_what_has_settled() -> None:
    s = SOURCES.index("interest")

    def unshorted(run: Run) -> np.ndarray:
        earned = run.record.sources[s].copy()
        earned[1:][(run.record.positions[:-1] < 0.0).any(axis=1)] = 0.0
        return earned

    run, (step, column) = some("interest", unshorted)
    c = column - len(run.ledger.lines.symbols)
    rates = changed(run.tape.rates, (kernels.INTEREST_RATE, step, c), lambda x: x + 1e-5)
    run.refuses(step, column, "interest", rates=rates)

    def unsettled(run: Run) -> np.ndarray:
        """Purchases that settle on the grid, in currencies that all earn interest then."""
        step, line = fills_of(run)[:, :2].astype(np.int64).T
        settles, last = run.tape.clock[kernels.SETTLES, step], len(run.ledger.equity_by_step) - 1
        rated = run.tape.rates[kernels.INTEREST_RATE].all(axis=1)[np.minimum(settles + 1, last)]
        bought = (fills_of(run)[:, 2] > 0.0) & (run.record.positions[step, line] > 0.0)
        return (bought & rated & (settles > step) & (settles < last) & (not run.tape.sweeps))[:, None]

    run, (n, _) = some("settlement", unsettled)
    step = int(fills_of(run)[n, 0])
    settles = int(run.tape.clock[kernels.SETTLES, step])
    clock = changed(run.tape.clock, (kernels.SETTLES, step), lambda x: x + 1)
    with pytest.raises(DataError, match=f"at step {settles + 1} .*, cash:[A-Z]+, interest: "):
        check_identity(run.ledger, run.tape._replace(clock=clock))


def test_spreads_and_fees_are_charged_as_asked() -> None:
    run, (step, line) = some("spread", lambda run: run.record.sources[SOURCES.index("fx_spread")])
    step, _ = at_first(run, "fx_spread", list(range(run.record.sources.shape[2])))
    with pytest.raises(DataError, match=f"at step {step} .*, fx_spread: "):
        check_identity(run.ledger, run.tape._replace(fx_spread=run.tape.fx_spread * 2.0))
    run, (n, _) = some("half-spread", lambda run: fills_of(run)[:, [3]] != fills_of(run)[:, [4]])
    step, line = (int(x) for x in fills_of(run)[n, :2])
    quote = changed(run.tape.quote, (kernels.HALF_SPREAD, step, line), lambda x: x * 1.001)
    run.refuses(step, line, "price of a fill", quote=quote)
    run, (n, _) = some("push", lambda run: fills_of(run)[:, [-1]])
    step, line = (int(x) for x in fills_of(run)[n, :2])
    quote = changed(run.tape.quote, (kernels.IMPACT_OF_ONE, step, line), lambda x: x * 1.001)
    run.refuses(step, line, "price of a fill", quote=quote)
    kind = FEE_KINDS.index("stamp_duty")
    run, (n, _) = some("stamp duty", lambda run: fills_of(run)[:, [9 + kind]])
    step, line = (int(x) for x in fills_of(run)[n, :2])
    fee_row = changed(run.tape.fee_row, (step, line), lambda x: 0)
    run.refuses(step, line, "stamp_duty", fee_row=fee_row)


def test_a_conversion_is_at_the_ratio_of_its_step() -> None:
    run, (n, _) = some("ratio", lambda run: run.record.moved[: run.record.counts[2], [6]] == kernels.CHOSEN)
    step, line = (int(x) for x in run.record.moved[n, :2])
    place = kernels.RATIO, step, int(run.ledger.lines.pair[line])
    parity = changed(run.tape.parity, place, lambda x: x * 1.001)
    with pytest.raises(DataError, match=f"at step {step} .* of the pair .*, shares: "):
        check_identity(run.ledger, run.tape._replace(parity=parity))
