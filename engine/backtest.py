"""Run one plan through the clock and record everything."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import numpy as np
import pandas as pd

from entrepot.decisions import compiled, require_own_numbers
from entrepot.engine.costs import Costs
from entrepot.engine.lines import Lines
from entrepot.engine.plans import (
    DecidingPlan,
    Fill,
    Plan,
    StatePath,
    TargetArrays,
    check_finite,
    check_run,
    check_targets,
    decides,
    fault_of,
    features_of,
    kernel_orders,
    lines_of_decision,
    states_of,
    targets_of,
    with_pairs_of,
)
from entrepot.engine.result import Ledger
from entrepot.engine.run_state import RunState, take_up, unpaid_slots
from entrepot.engine.sizes import require_run
from entrepot.errors import ParameterError, TargetError, shown
from entrepot.markets.market import Market


def backtest(
    market: Market,
    plan: pd.DataFrame | TargetArrays | Plan | DecidingPlan,
    *,
    capital: float = 10_000_000.0,
    base_currency: str = "USD",
    costs: Costs | None = None,
    path: StatePath | None = None,
    fill: Fill = "next_step",
    check: bool = False,
    resume: RunState | None = None,
) -> Ledger:
    """Run one plan through the clock and record everything; the arguments are those of `entrepot.backtest`.

    Raises:
        TargetError: on weights that are infinite, for unknown symbols, on dates without a session, short in
            a line that may not be sold short, or for an index.
        DataError: where an exchange rate is missing or stale, a line is named like cash or is of a size that
            has no borrow estimate, a held line leaves the market with nothing to convert into, or ``check``
            finds money made of nothing.
        ParameterError: on a capital, currency, fill or cost that cannot be used, and for a run that takes
            more memory than there is.
    """
    # numba takes a third of a second to import: not before the first run.
    from entrepot.engine import _kernels as kernels
    from entrepot.engine.tape import build_tape, check_dearest, empty_record, initial_state

    if resume is not None:
        if not isinstance(resume, RunState):
            raise ParameterError(f"resume is {shown(resume)}: give the state of a result, result.state")
        capital, base_currency = resume.capital, resume.currencies[0]
        costs = resume.costs if costs is None else costs
    costs = Costs() if costs is None else costs
    check_run(market, capital, base_currency, fill, costs)
    if not isinstance(check, bool):
        raise ParameterError(f"check is {shown(check)}: give True or False")
    if resume is not None:
        resume.check(market)
    states = None if path is None else states_of(market, path)
    wanted: dict[str, Any]
    notes: Sequence[str]
    if decides(plan):
        decision = plan.decision(market, path)
        if fill == "same_step" or resume is not None:
            raise TargetError(
                "a plan that decides inside the loop fills at the next step and runs from the first: "
                'leave out fill="same_step" and resume'
            )
        lines = lines_of_decision(market, decision)
        require_run(len(market), len(market.symbols), len(lines.symbols))
        require_own_numbers(decision.memory)
        function, memory, notes = compiled(decision.function), decision.memory, decision.notes
        wanted = {
            "decisions": [decision],
            "features": features_of(market, decision)[None],
            "group": np.zeros(1, dtype=np.int64),
            "bands": [decision.drift_band],
        }
    else:
        targets = targets_of(market, plan, path)
        check_targets(market, targets, fill)
        singles = targets.singles(market)
        if resume is not None:
            targets = with_pairs_of(resume, market, targets)
            # What single lines turned into follows from them: it is no line with targets of its own.
            before = resume.lines.symbols[: resume.lines.singles]
            singles = [s for s in market.symbols if s in singles or s in before]
        lines = Lines.of(market, singles, targets.pairs)
        require_run(len(market), len(market.symbols), len(lines.symbols))
        function, memory, notes = compiled(kernels.leave_alone), 0, targets.notes
        wanted = {"plan": targets.rows(lines)[None], "bands": [targets.drift_band]}
    stressed: Set[int] = getattr(path, "stressed", frozenset())
    tape, currencies = build_tape(market, lines, costs, base_currency, states, stressed)
    check_dearest(tape, lines, capital)
    record = empty_record(tape, on=True)
    book = initial_state(tape, capital, 1, memory)
    equity = np.empty((len(market), 1))
    if resume is not None:
        take_up(resume, tape, lines, currencies, book, record, equity)
    first = 0 if resume is None else resume.step + 1
    orders = kernel_orders(market, lines, fill=fill, **wanted)
    fault = fault_of(
        market, lines, kernels.run(tape, book, record, orders, function, first, equity), book.fault
    )
    if fault is not None:
        raise fault
    check_finite(market, equity)
    growth = np.cumprod(1.0 + tape.rates[kernels.INTEREST_RATE, :, 0] * tape.elapsed)
    state = RunState(
        times=market.times,
        prices=tape.quote[kernels.PRICE_AT],
        lines=lines,
        currencies=currencies,
        capital=float(capital),
        costs=costs,
        horizon=len(market.schedule),
        book=book,
        unpaid=unpaid_slots(tape),
        record=record,
        equity=equity[:, 0],
    )
    ledger = Ledger(
        market,
        costs,
        float(capital),
        base_currency,
        lines,
        currencies,
        record,
        equity[:, 0],
        np.asarray(growth, dtype=np.float64),
        state,
        tuple(notes),
    )
    if check:
        from entrepot.engine.check import check_identity

        check_identity(ledger, tape, resume)
    return ledger
