"""Run a plan through the clock."""

from __future__ import annotations

import threading
from collections.abc import Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine.costs import Costs
from entrepot.engine.lines import Lines
from entrepot.engine.result import Ledger
from entrepot.engine.run_state import RunState, take_up, unpaid_slots
from entrepot.errors import DataError, ParameterError, TargetError, is_number, shown
from entrepot.markets.frames import weights_on_grid
from entrepot.markets.market import Market

# A larger multiple of equity is a percentage or an amount of money taken for a weight.
LARGEST_WEIGHT = 100.0

Fill = Literal["next_step", "same_step"]


class TargetArrays(Protocol):
    """What the engine needs of a plan's targets; `entrepot.strategies.Targets` is one."""

    @property
    def weights(self) -> NDArray[np.float64]:
        """(T, N) wanted weights of equity over the market's symbols; NaN leaves alone."""

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        """Linked pairs as (Hong Kong symbol, ADR symbol)."""

    @property
    def pair_weights(self) -> NDArray[np.float64]:
        """(T, P) wanted weights of the Hong Kong legs."""

    @property
    def drift_band(self) -> float:
        """Relative drift beyond which a standing target is decided again."""

    @property
    def notes(self) -> Sequence[str]:
        """What the plan has to say."""


class StatePath(Protocol):
    """What the engine needs of a regime path: an integer state for every step.

    It may say in ``stressed`` in which of them borrow is at its stressed level.
    """

    @property
    def states(self) -> NDArray[np.int8]:
        """(T,) state decided at each step."""


@runtime_checkable
class Plan(Protocol):
    """Anything that makes targets for a market."""

    def targets(self, market: Market, path: Any = None) -> TargetArrays:
        """Return the targets of every step, each made from what was known at it."""


@dataclass(frozen=True, eq=False)
class _Orders:
    """Targets as arrays over the market's symbols."""

    weights: NDArray[np.float64]
    pairs: Sequence[tuple[str, str]]
    pair_weights: NDArray[np.float64]
    exits: NDArray[np.int8]
    drift_band: float
    notes: Sequence[str]


def backtest(
    market: Market,
    plan: pd.DataFrame | Plan,
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
        DataError: where an exchange rate is missing or stale, where a held line leaves the market with
            nothing to convert into, or where ``check`` finds money made of nothing.
        ParameterError: on a capital, currency, fill or cost that cannot be used.
    """
    # numba takes a third of a second to import: not before the first run.
    from entrepot.engine import _kernels as kernels
    from entrepot.engine.tape import build_tape, empty_record, initial_state

    if resume is not None:
        if not isinstance(resume, RunState):
            raise ParameterError(f"resume is {shown(resume)}: give the state of a result, result.state")
        capital, base_currency = resume.capital, resume.currencies[0]
        costs = resume.costs if costs is None else costs
    costs = Costs() if costs is None else costs
    _check_run(market, capital, base_currency, fill, costs)
    if not isinstance(check, bool):
        raise ParameterError(f"check is {shown(check)}: give True or False")
    if resume is not None:
        resume.check(market)
    orders = _orders(market, plan, path)
    _check_orders(market, orders, fill)
    if resume is not None:
        orders = _with_pairs_of(resume, market, orders)
    states = None if path is None else _states(market, path)
    wanted = np.array(np.isfinite(orders.weights).any(axis=0))
    if resume is not None:
        wanted[resume.lines.columns_in(market, linked=False)] = True
    lines = Lines.of(market, [market.symbols[i] for i in np.flatnonzero(wanted)], orders.pairs)
    stressed: Set[int] = getattr(path, "stressed", frozenset())
    tape, currencies = build_tape(market, lines, costs, base_currency, states, stressed)
    weights = np.where(lines.linked, np.nan, orders.weights[:, lines.columns])
    record = empty_record(tape, on=True)
    book = initial_state(tape, capital, 1)
    equity = np.empty((len(market), 1))
    if resume is not None:
        take_up(resume, tape, lines, currencies, book, record, equity)
    fault = kernels.run(
        tape,
        book,
        record,
        np.ascontiguousarray(weights[None]),
        np.array(orders.pair_weights, dtype=np.float64, order="C")[None],
        np.array(orders.exits, dtype=np.int8, order="C")[None],
        float(orders.drift_band),
        fill == "same_step",
        0 if resume is None else resume.step + 1,
        equity,
    )
    _check_fault(market, lines, fault)
    _check_finite(market, equity)
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
        tuple(orders.notes),
    )
    if check:
        from entrepot.engine.check import check_identity

        check_identity(ledger, tape, resume)
    return ledger


def backtest_batch(
    market: Market,
    weights: NDArray[np.float64],
    *,
    fee_bps: float | None = None,
    costs: Costs | None = None,
    fill: Fill = "next_step",
    capital: float = 1_000_000.0,
    base_currency: str | None = None,
    exact_fees: bool = False,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Run many weight arrays over one market and return their equity.

    Args:
        market: T steps, N symbols.
        weights: shape (configurations, T, N), wanted weights of equity over the market's symbols; NaN leaves
            a line alone. Read, never copied.
        fee_bps: one proportional fee and no other cost, interest or lot; instead of ``costs``.
        costs: what trading and holding cost.
        fill: as in `backtest`.
        capital: equity of every configuration before the first step.
        base_currency: of equity; the currency of the first symbol where not given.
        exact_fees: apply minimum fees and rounding order by order, where ``costs`` ask for it; slower.
        threads: number of threads, the machine's where not given. It changes no number.

    Returns:
        Equity, shape (T, configurations).

    Raises:
        TargetError: on an array of another shape or with infinite weights.
        ParameterError: when both ``fee_bps`` and ``costs`` are given.
    """
    from entrepot.engine import _kernels as kernels
    from entrepot.engine.tape import build_tape, empty_record, initial_state

    if fee_bps is not None and costs is not None:
        raise ParameterError(
            "both fee_bps and costs were given: fee_bps stands for Costs.flat(fee_bps), give one"
        )
    if costs is None:
        costs = Costs() if fee_bps is None else Costs.flat(fee_bps)
    if base_currency is None and isinstance(market, Market):
        base_currency = str(market.instruments["currency"].iloc[0])
    _check_run(market, capital, str(base_currency), fill, costs)
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ParameterError(f"threads is {threads!r}: give a whole number of at least 1, or None")
    try:
        weights = np.asarray(weights)
    except ValueError:
        raise TargetError("the weight arrays differ in shape: give one array of configurations") from None
    if not np.issubdtype(weights.dtype, np.number) or np.issubdtype(weights.dtype, np.complexfloating):
        raise TargetError(f"weights hold {weights.dtype}: give floats, NaN to leave a line alone")
    if weights.ndim != 3 or weights.shape[1:] != (len(market), len(market.symbols)):
        raise TargetError(
            f"weights have the shape {weights.shape}: give (configurations, {len(market)} steps, "
            f"{len(market.symbols)} symbols)"
        )
    if weights.dtype != np.float64 or not weights.flags.c_contiguous or not weights.flags.writeable:
        weights = np.array(weights, dtype=np.float64, order="C")
    configurations = len(weights)
    _check_batch(market, weights)
    lines = Lines.of(market, market.symbols, ())
    if not isinstance(exact_fees, bool):
        raise ParameterError(f"exact_fees is {shown(exact_fees)}: give True or False")
    if exact_fees and fee_bps is not None:
        raise ParameterError("exact_fees was given with fee_bps, which has no minimum to apply: give costs")
    exact = exact_fees and costs.exact_fees
    tape, _ = build_tape(market, lines, costs.with_(exact_fees=exact), str(base_currency), None)
    no_pairs = np.empty((configurations, len(market), 0))
    no_exits = np.empty((configurations, len(market), 0), dtype=np.int8)
    equity = np.empty((len(market), configurations))
    lanes = 16
    silent = empty_record(tape, on=False)
    stop = threading.Event()

    def block(first: int) -> tuple[int, int, int]:
        if stop.is_set():
            return -1, -1, -1
        last = min(first + lanes, configurations)
        out = np.empty((len(market), last - first))
        part = weights[first:last]
        largest = max(np.fmax.reduce(part, axis=None), -np.fmin.reduce(part, axis=None))
        if largest > LARGEST_WEIGHT:
            raise TargetError(
                f"a weight is {largest:g} times equity: weights are fractions of equity (0.5 is half), "
                "NaN leaves a line alone"
            )
        fault: tuple[int, int, int] = kernels.run(
            tape,
            initial_state(tape, capital, last - first),
            silent,
            part,
            no_pairs[first:last],
            no_exits[first:last],
            np.inf,
            fill == "same_step",
            0,
            out,
        )
        equity[:, first:last] = out
        if fault[0] < 0:
            _check_finite(market, out)
        return fault

    with ThreadPoolExecutor(threads) as pool:
        try:
            for fault in pool.map(block, range(0, configurations, lanes)):
                _check_fault(market, lines, fault)
        finally:
            stop.set()
    return equity


# -- what comes in -------------------------------------------------------------------------------------------


def _check_run(market: object, capital: object, base_currency: object, fill: object, costs: object) -> None:
    if not isinstance(market, Market):
        raise ParameterError(
            f"the market is a {type(market).__name__}: make one with load_market or from_prices"
        )
    if not is_number(capital) or not 0 < float(capital) < 1e15:
        raise ParameterError(f"capital is {shown(capital)}: give a positive amount below 1e15")
    if not isinstance(base_currency, str) or base_currency not in {
        *market.currencies,
        *market.instruments["currency"],
    }:
        raise ParameterError(
            f"base_currency is {shown(base_currency)}: this market knows {', '.join(market.currencies)}"
        )
    if fill not in ("next_step", "same_step"):
        raise ParameterError(f'fill is {shown(fill)}: give "next_step" or "same_step"')
    if not isinstance(costs, Costs):
        raise ParameterError(f"costs is {shown(costs)}: give a Costs object, such as Costs(fee_bps=5)")


def _orders(market: Market, plan: pd.DataFrame | Plan, path: StatePath | None) -> _Orders:
    if isinstance(plan, pd.DataFrame):
        none = np.empty((len(market), 0))
        return _Orders(weights_on_grid(market, plan), (), none, none.astype(np.int8), np.inf, ())
    if isinstance(plan, type) or not isinstance(plan, Plan):
        raise TargetError(
            f"the plan is {shown(plan)}: give a DataFrame of weights or a strategy with targets(market, path)"
        )
    orders = plan.targets(market, path)
    if not all(hasattr(orders, name) for name in ("weights", "pairs", "pair_weights", "drift_band", "notes")):
        raise TargetError(f"the plan's targets() returned {shown(orders)}: it must return entrepot.Targets")
    exits = getattr(orders, "exits", None)
    if exits is None or exits.size == 0:
        exits = np.zeros(orders.pair_weights.shape, dtype=np.int8)
    pairs, notes = tuple(orders.pairs), tuple(orders.notes)
    return _Orders(orders.weights, pairs, orders.pair_weights, exits, orders.drift_band, notes)


def _with_pairs_of(resume: RunState, market: Market, orders: _Orders) -> _Orders:
    """Add the pairs of a run that is taken up and that the plan no longer names."""
    missing = tuple(pair for pair in resume.lines.pairs if pair not in orders.pairs)
    nothing = np.full((len(market), len(missing)), np.nan)
    return replace(
        orders,
        pairs=(*orders.pairs, *missing),
        pair_weights=np.hstack([orders.pair_weights, nothing]),
        exits=np.hstack([orders.exits, np.zeros(nothing.shape, dtype=np.int8)]),
    )


def _check_batch(market: Market, weights: NDArray[np.float64]) -> None:
    """Refuse targets for an index and short ones where nothing may be sold short, as `backtest` does."""
    kinds, shortable = market.instruments["kind"], market.instruments["shortable"]
    for column, symbol in enumerate(market.symbols):
        if kinds[symbol] == "index" and np.isfinite(weights[:, :, column]).any():
            raise TargetError(f"{symbol} is an index and cannot be traded: use a fund or its members")
        if not shortable[symbol] and (weights[:, :, column] < 0).any():
            raise TargetError(
                f"weights sell {symbol} short, which this market does not allow: name the lines that may be "
                "shorted in load_market(hk_shorts=...)"
            )


def _check_orders(market: Market, orders: _Orders, fill: str) -> None:
    steps, symbols = len(market), len(market.symbols)
    if not orders.drift_band > 0.0:
        raise TargetError(f"drift_band is {orders.drift_band}: give a positive fraction, or inf for never")
    if not np.isin(orders.exits, (0, 1, 2)).all():
        raise TargetError("exits hold something else than 0 (trade), 1 (convert) or 2 (cheapest): give these")
    if orders.exits.shape != orders.pair_weights.shape:
        raise TargetError(
            f"exits has the shape {orders.exits.shape} and pair_weights {orders.pair_weights.shape}: "
            "give one exit for each step and pair"
        )
    if orders.weights.shape != (steps, symbols) or orders.pair_weights.shape != (steps, len(orders.pairs)):
        raise TargetError(
            f"targets have the shapes {orders.weights.shape} and {orders.pair_weights.shape}: this market "
            f"needs ({steps}, {symbols}) and ({steps}, {len(orders.pairs)})"
        )
    for weights in (orders.weights, orders.pair_weights):
        if (np.abs(weights) > LARGEST_WEIGHT).any():
            raise TargetError(
                f"a target is {np.nanmax(np.abs(weights)):g} times equity: weights are fractions of equity "
                "(0.5 is half), NaN leaves a line alone"
            )
    if fill == "same_step" and len(orders.pairs) > 0:
        raise TargetError(
            "linked pairs cannot be filled at the step of their decision, their venues are never open "
            'together: use fill="next_step"'
        )
    instruments = market.instruments
    used = np.isfinite(orders.weights).any(axis=0)
    for symbol in instruments.index[used & (instruments["kind"] == "index").to_numpy()]:
        raise TargetError(f"{symbol} is an index and cannot be traded: use a fund or its members")
    shorted = (orders.weights < 0).any(axis=0)
    closed = [str(s) for s in instruments.index[shorted & ~instruments["shortable"].to_numpy(dtype=bool)]]
    for p, (hk, adr) in enumerate(orders.pairs):
        if market.pairs["hk"].get(adr) != hk:
            raise TargetError(f"{hk} and {adr} are not the two legs of one company in this market")
        for symbol, sign in ((hk, -1.0), (adr, 1.0)):
            if (orders.pair_weights[:, p] * sign > 0).any() and not instruments.at[symbol, "shortable"]:
                closed.append(symbol)
    if closed:
        raise TargetError(
            f"targets sell {', '.join(dict.fromkeys(closed))} short, which this market does not allow: "
            "name the lines that may be shorted in load_market(hk_shorts=...)"
        )


def _states(market: Market, path: StatePath) -> NDArray[np.int64]:
    if not hasattr(path, "states"):
        raise ParameterError(
            f"the path is a {type(path).__name__}: make one with RegimeModel().walk_forward(...)"
        )
    states = np.asarray(path.states, dtype=np.int64)
    if states.shape != (len(market),):
        raise ParameterError(
            f"the regime path has {states.shape[0]} steps and the market {len(market)}: "
            "walk it over this market"
        )
    return states


def _check_finite(market: Market, equity: NDArray[np.float64]) -> None:
    wrong = ~np.isfinite(equity).all(axis=1)
    if wrong.any():
        when = market.grid["time"].iloc[int(np.argmax(wrong))]
        raise TargetError(
            f"equity is no longer a number at {when:%Y-%m-%d %H:%M} UTC: the weights are too large"
        )


def _check_fault(market: Market, lines: Lines, fault: tuple[int, int, int]) -> None:
    from entrepot.engine import _kernels as kernels

    step, line, kind = fault
    if step < 0:
        return
    symbol = lines.symbols[line]
    if kind == kernels.NO_HEIR:
        raise DataError(
            f"{symbol} leaves the market before {market.grid['time'][step]:%Y-%m-%d %H:%M} UTC "
            "while held, with no priced Hong Kong line to convert into: load that line too, or get out before"
        )
    session = market.grid["session"][np.flatnonzero(np.isfinite(market.prices[:, market.column(symbol)]))[-1]]
    leaves = market.delistings.loc[market.delistings["symbol"] == symbol, "last_session"]
    told, advice = "", "give later prices"
    if len(leaves):
        told = f"; its last session is {leaves.iloc[0]:%Y-%m-%d}"
        advice = 'load it with departures="parity" and its Hong Kong line'
    raise DataError(
        f"{symbol} is held but has no price after {session:%Y-%m-%d}{told}: {advice}, list its halt, "
        "or get out before"
    )
