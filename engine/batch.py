"""Run many configurations over one market: equity of weight arrays, or a row of figures for each plan."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.decisions import Decision, compiled, require_own_numbers
from entrepot.engine.costs import Costs
from entrepot.engine.figures import columns_of, figures, sums
from entrepot.engine.lines import Lines
from entrepot.engine.plans import (
    Fill,
    PlannedTargets,
    StatePath,
    TargetArrays,
    check_finite,
    check_run,
    check_targets,
    fault_of,
    features_of,
    kernel_orders,
    lines_of_decision,
    planned,
    states_of,
)
from entrepot.engine.sizes import require_curves
from entrepot.errors import EntrepotError, ParameterError, TargetError, is_whole, shown
from entrepot.markets.market import Market

if TYPE_CHECKING:
    from entrepot.engine import _kernels as kernels

T = TypeVar("T")

# Configurations that go through the clock side by side. Their number changes no figure.
LANES = 64
# Layouts that are kept ready, and what features may hold; a sweep goes through them one after the other.
LAYOUTS = 16
FEATURE_BYTES = 16e6
# What the targets of plans that run side by side may hold.
PLAN_BYTES = 32e6


@dataclass(frozen=True, eq=False)
class Tallied:
    """What became of some configurations.

    Args:
        table: one row for each, in their order: figures under the names of `Result.summary`, costs by kind,
            profit and costs by regime. NaN where it was refused or not run. "Trades" are those of each book:
            a symbol held both as a pair's leg and as a single line counts in both.
        refused: why one cannot be run; empty where it can.
        done: False where the run was stopped first.
        equity: shape (T, C), after the fills of each step, where it was asked for.
    """

    table: pd.DataFrame
    refused: tuple[str, ...]
    done: NDArray[np.bool_]
    equity: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class _Layout:
    """A market's arrays for one choice of lines, shared by all blocks."""

    lines: Lines
    tape: kernels.Tape
    growth: NDArray[np.float64]


class Bench:
    """A market and the terms of trade on it, ready for many configurations; threads may share it.

    Args:
        market: T steps.
        costs: what trading and holding cost; `Costs()` where not given.
        capital: equity of each configuration before the first step, in ``base_currency``.
        base_currency: of equity.
        path: regime path: costs may depend on its states, and profit and costs are split by them.

    Raises:
        EntrepotError: on what `backtest` refuses of these.
    """

    def __init__(
        self,
        market: Market,
        *,
        costs: Costs | None = None,
        capital: float = 10_000_000.0,
        base_currency: str = "USD",
        path: StatePath | None = None,
    ) -> None:
        self.market = market
        self.costs: Costs = Costs() if costs is None else costs
        self.capital: float = capital
        self.base_currency: str = base_currency
        self.path: StatePath | None = path
        check_run(market, capital, base_currency, "next_step", self.costs)
        self._states = None if path is None else states_of(market, path)
        self._lock = threading.Lock()
        self._layouts: OrderedDict[Hashable, _Layout] = OrderedDict()
        self._features: OrderedDict[Hashable, NDArray[np.float64]] = OrderedDict()
        self._shapes: dict[Hashable, tuple[int, ...]] = {}

    def run(
        self,
        plans: Sequence[Decision | TargetArrays],
        *,
        stop: NDArray[np.int8] | None = None,
        equity: bool = False,
    ) -> Tallied:
        """Run configurations in this thread; the interpreter is free while the clock runs.

        Args:
            plans: C compiled decisions or targets. Neighbours with the same function, lines and features are
                run side by side, which is what makes it fast.
            stop: shape (1,); once another thread sets it to 1 the run ends, within one step.
            equity: also return the equity of every step, 8 bytes x T for each.
        """
        stop = np.zeros(1, dtype=np.int8) if stop is None else stop
        names = columns_of(getattr(self.path, "names", ()))
        rows = np.full((len(plans), len(names)), np.nan)
        refused, done = [""] * len(plans), np.zeros(len(plans), dtype=bool)
        curves = np.full((len(self.market), len(plans)), np.nan) if equity else None
        for first, block in self._blocks(plans, refused):
            pending = [(first, block)]
            while pending and stop[0] == 0:
                at, part = pending.pop()
                fault, figured, curve = self._run_block(part, stop, equity)
                if stop[0] != 0:
                    break
                own = slice(at, at + len(part))
                if fault is None:
                    rows[own], done[own] = figured, True
                    if curves is not None:
                        curves[:, own] = curve
                elif len(part) == 1:
                    refused[at], done[at] = str(fault), True
                else:  # One of them cannot be run; the others can.
                    pending += [(at + i, [plan]) for i, plan in enumerate(part)]
        done |= np.array([bool(text) for text in refused], dtype=bool)
        return Tallied(pd.DataFrame(rows, columns=names), tuple(refused), done, curves)

    def _blocks(
        self, plans: Sequence[Decision | TargetArrays], refused: list[str]
    ) -> Iterator[tuple[int, list[Decision | PlannedTargets]]]:
        """Cut plans into neighbours that can run side by side; tell in `refused` what cannot run at all."""
        block: list[Decision | PlannedTargets] = []
        key: Hashable = None
        for i, plan in enumerate(plans):
            ready: Decision | PlannedTargets
            try:
                ready = plan if isinstance(plan, Decision) else self._checked(plan)
                own = self._kind(ready)
            except EntrepotError as error:
                refused[i] = str(error)
                if block:
                    yield i - len(block), block
                block = []
                continue
            if block and (own != key or len(block) == self._lanes(ready)):
                yield i - len(block), block
                block = []
            key = own
            block.append(ready)
        if block:
            yield len(plans) - len(block), block

    def _lanes(self, plan: Decision | PlannedTargets) -> int:
        """How many such plans run side by side; targets take memory, decisions none."""
        if isinstance(plan, Decision):
            return LANES
        columns = len(plan.singles(self.market)) + 2 * len(plan.pairs)
        return int(min(LANES, max(1, PLAN_BYTES // (8 * len(self.market) * max(columns, 1)))))

    def _checked(self, plan: TargetArrays) -> PlannedTargets:
        targets = planned(self.market, plan)
        check_targets(self.market, targets, "next_step")
        return targets

    def _kind(self, plan: Decision | PlannedTargets) -> Hashable:
        """What configurations must have in common to run side by side."""
        if isinstance(plan, Decision):
            key = plan.function, plan.features_key
            if key not in self._shapes:
                self._shapes[key] = self._features_of(plan).shape
            shape = self._shapes[key]
            steps = None if plan.steps is None else plan.steps.tobytes()
            return plan.function, plan.symbols, plan.pairs, len(plan.params), plan.memory, steps, shape
        return tuple(plan.singles(self.market)), tuple(plan.pairs)

    def _features_of(self, decision: Decision) -> NDArray[np.float64]:
        key = decision.function, decision.features_key
        return self._kept(self._features, key, lambda: features_of(self.market, decision))

    def _layout_of(self, plan: Decision | PlannedTargets) -> _Layout:
        if isinstance(plan, Decision):
            key: Hashable = plan.symbols, plan.pairs
            return self._kept(self._layouts, key, lambda: self._lay_out(lines_of_decision(self.market, plan)))
        symbols = plan.singles(self.market)
        key = tuple(symbols), tuple(plan.pairs)
        return self._kept(
            self._layouts, key, lambda: self._lay_out(Lines.of(self.market, symbols, plan.pairs))
        )

    def _lay_out(self, lines: Lines) -> _Layout:
        from entrepot.engine import _kernels as kernels
        from entrepot.engine.tape import build_tape, check_dearest

        stressed: Set[int] = getattr(self.path, "stressed", frozenset())
        tape, _ = build_tape(self.market, lines, self.costs, self.base_currency, self._states, stressed)
        check_dearest(tape, lines, self.capital)
        growth = np.cumprod(1.0 + tape.rates[kernels.INTEREST_RATE, :, 0] * tape.elapsed)
        return _Layout(lines, tape, np.asarray(growth, dtype=np.float64))

    def _kept(self, memory: OrderedDict[Hashable, T], key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under a key, made where it is not; one thread makes, the others wait for it."""
        with self._lock:
            if key not in memory:
                memory[key] = make()
                self._forget()
            memory.move_to_end(key)
            return memory[key]

    def _forget(self) -> None:
        """Let go of the oldest layouts and features, never of the one just made."""
        while len(self._layouts) > LAYOUTS:
            self._layouts.popitem(last=False)
        while (
            len(self._features) > 1 and sum(made.nbytes for made in self._features.values()) > FEATURE_BYTES
        ):
            self._features.popitem(last=False)

    def _run_block(
        self, plans: Sequence[Decision | PlannedTargets], stop: NDArray[np.int8], equity: bool
    ) -> tuple[EntrepotError | None, NDArray[np.float64], NDArray[np.float64]]:
        """Run one block: what cannot be run of it, its rows and its equity."""
        from entrepot.engine import _kernels as kernels
        from entrepot.engine.tape import initial_state

        first, lanes = plans[0], len(plans)
        nothing = np.empty((0, 0))
        try:
            layout = self._layout_of(first)
            if isinstance(first, Decision):
                require_own_numbers(first.memory, lanes)
        except EntrepotError as error:
            return error, nothing, nothing
        decisions = [plan for plan in plans if isinstance(plan, Decision)]
        wanted: dict[str, Any]
        if isinstance(first, Decision):
            function, memory = compiled(first.function), first.memory
            distinct = {decision.features_key: decision for decision in decisions}
            at = {key: i for i, key in enumerate(distinct)}
            group = np.array([at[decision.features_key] for decision in decisions], dtype=np.int64)
            made = [self._features_of(decision) for decision in distinct.values()]
            features = made[0][None] if len(made) == 1 else np.stack(made)
            wanted = {"decisions": decisions, "features": features, "group": group}
        else:
            function, memory = compiled(kernels.leave_alone), 0
            rows = [plan.rows(layout.lines) for plan in plans if isinstance(plan, PlannedTargets)]
            wanted = {"plan": np.stack(rows)}
        orders = kernel_orders(
            self.market, layout.lines, bands=[plan.drift_band for plan in plans], stop=stop, **wanted
        )
        book = initial_state(layout.tape, self.capital, lanes, memory)
        record = sums(self.market, layout.tape, layout.growth, self._states, self.path, lanes)
        curve = np.empty((len(self.market) if equity else 0, lanes))
        fault = kernels.run(layout.tape, book, record, orders, function, 0, curve)
        if stop[0] != 0:
            return None, nothing, nothing
        refusal = fault_of(self.market, layout.lines, fault, book.fault)
        # The sum holds what was no number on the way and is one again at the end.
        if refusal is None and not np.isfinite(book.now + record.moments[kernels.TOTAL]).all():
            refusal = self._not_finite(plans, equity, curve)
        if refusal is not None:
            return refusal, nothing, nothing
        ruined = book.called == kernels.OVER
        regimes = len(getattr(self.path, "names", ()))
        return None, figures(self.market, record, book.now, ruined, self.capital, regimes), curve

    def _not_finite(
        self, plans: Sequence[Decision | PlannedTargets], equity: bool, curve: NDArray[np.float64]
    ) -> EntrepotError | None:
        """Say when equity was no longer a number."""
        if not equity:
            return self._run_block(plans, np.zeros(1, dtype=np.int8), True)[0]
        try:
            check_finite(self.market, curve)
        except EntrepotError as error:
            return error
        return None


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

        >>> import numpy as np
        >>> import pandas as pd
        >>> import entrepot as ep
        >>> dates = pd.bdate_range("2024-01-02", periods=3)
        >>> prices = pd.DataFrame({"A": [10.0, 11.0, 12.0], "B": [10.0, 10.0, 9.0]}, index=dates)
        >>> weights = np.zeros((2, 3, 2))  # configurations, steps, instruments
        >>> weights[0, :, 0] = weights[1, :, 1] = 1.0
        >>> equity = ep.backtest_batch(ep.Market.from_prices(prices), weights, fee_bps=0, fill="same_step")
        >>> (equity[-1] / equity[0]).round(2).tolist()
        [1.2, 0.9]

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
        ParameterError: when both ``fee_bps`` and ``costs`` are given, and where the equity takes more memory
            than there is.
    """
    from entrepot.engine import _kernels as kernels
    from entrepot.engine.tape import build_tape, check_dearest, empty_record, initial_state

    if fee_bps is not None and costs is not None:
        raise ParameterError(
            "both fee_bps and costs were given: fee_bps stands for Costs.flat(fee_bps), give one"
        )
    if costs is None:
        costs = Costs() if fee_bps is None else Costs.flat(fee_bps)
    if base_currency is None and isinstance(market, Market):
        base_currency = str(market.instruments["currency"].iloc[0])
    check_run(market, capital, base_currency, fill, costs)
    if threads is not None and (not is_whole(threads) or threads < 1):
        raise ParameterError(f"threads is {shown(threads)}: give a whole number of at least 1, or None")
    if not isinstance(exact_fees, bool):
        raise ParameterError(f"exact_fees is {shown(exact_fees)}: give True or False")
    if exact_fees and fee_bps is not None:
        raise ParameterError("exact_fees was given with fee_bps, which has no minimum to apply: give costs")
    weights = _checked_weights(market, weights)
    configurations = len(weights)
    require_curves(configurations, len(market))
    lines = Lines.of(market, market.symbols, ())
    exact = exact_fees and costs.exact_fees
    tape, _ = build_tape(market, lines, costs.with_(exact_fees=exact), str(base_currency), None)
    check_dearest(tape, lines, capital)
    equity = np.empty((len(market), configurations))
    silent = empty_record(tape, on=False)
    function = compiled(kernels.leave_alone)
    stop = np.zeros(1, dtype=np.int8)

    def block(first: int) -> EntrepotError | None:
        part = weights[first : first + LANES]
        out = np.empty((len(market), len(part)))
        book = initial_state(tape, capital, len(part))
        orders = kernel_orders(market, lines, plan=part, bands=[np.inf] * len(part), fill=fill, stop=stop)
        fault = kernels.run(tape, book, silent, orders, function, 0, out)
        equity[:, first : first + LANES] = out
        if fault[0] < 0:
            check_finite(market, out)
        return fault_of(market, lines, fault, book.fault)

    with ThreadPoolExecutor(threads) as pool:
        try:
            for fault in pool.map(block, range(0, configurations, LANES)):
                if fault is not None:
                    raise fault
        finally:
            stop[0] = 1
    return equity


def _checked_weights(market: Market, weights: object) -> NDArray[np.float64]:
    if any(map(np.ma.isMaskedArray, weights if isinstance(weights, (list, tuple)) else [weights])):
        raise TargetError("the weights are masked: fill them, weights.filled(numpy.nan) leaves lines alone")
    try:
        array = np.asarray(weights)
    except ValueError:
        raise TargetError("the weight arrays differ in shape: give one array of configurations") from None
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        raise TargetError(f"weights hold {array.dtype}: give floats, NaN to leave a line alone")
    if array.ndim != 3 or array.shape[1:] != (len(market), len(market.symbols)):
        raise TargetError(
            f"weights have the shape {array.shape}: give (configurations, {len(market)} steps, "
            f"{len(market.symbols)} symbols)"
        )
    if array.dtype != np.float64 or not array.flags.c_contiguous or not array.flags.writeable:
        require_curves(len(array), len(market), more=8.0 * array.size)
        array = np.array(array, dtype=np.float64, order="C")
    return array
