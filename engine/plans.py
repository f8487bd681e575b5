"""What is to be run: the targets of a plan or its compiled decision, checked and laid out for the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeGuard, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.decisions import Decision
from entrepot.engine.costs import Costs
from entrepot.engine.lines import Lines
from entrepot.engine.run_state import RunState
from entrepot.errors import (
    DataError,
    EntrepotError,
    ParameterError,
    TargetError,
    is_number,
    no_plan,
    shown,
)
from entrepot.markets.frames import is_over, refuse_targets_of_another, weights_on_grid
from entrepot.markets.market import Market

if TYPE_CHECKING:
    from entrepot.engine import _kernels as kernels

# A larger multiple of equity is a percentage or an amount of money taken for a weight. Margin would cut it
# back to what a broker lends, so that a run of percentages looked like one of the greatest leverage.
LARGEST_WEIGHT = 40.0
# A fee or a price has a smallest unit; a capital below it is a fraction taken for an amount.
LEAST_CAPITAL = 0.01

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


@runtime_checkable
class DecidingPlan(Protocol):
    """Anything that decides inside the loop, where it can see its own book."""

    def decision(self, market: Market, path: Any = None) -> Decision:
        """Return the compiled decision and what it needs."""


def decides(plan: object) -> TypeGuard[DecidingPlan]:
    """Tell whether a plan can only decide inside the loop: it has a decision and makes no targets."""
    return not isinstance(plan, (type, pd.DataFrame, Plan)) and isinstance(plan, DecidingPlan)


@dataclass(frozen=True, eq=False)
class PlannedTargets:
    """Targets as arrays over the market's symbols."""

    weights: NDArray[np.float64]
    pairs: Sequence[tuple[str, str]]
    pair_weights: NDArray[np.float64]
    exits: NDArray[np.int8]
    drift_band: float
    notes: Sequence[str]

    def singles(self, market: Market) -> list[str]:
        """The symbols of single lines that are ever wanted."""
        return [market.symbols[i] for i in np.flatnonzero(np.isfinite(self.weights).any(axis=0))]

    def rows(self, lines: Lines) -> NDArray[np.float64]:
        """The kernel's plan, (T, S + 2P): single lines, pairs, and how each pair is closed."""
        weights = self.weights[:, lines.columns[: lines.singles]]
        return np.ascontiguousarray(np.hstack([weights, self.pair_weights, self.exits]))


def kernel_orders(
    market: Market,
    lines: Lines,
    *,
    plan: NDArray[np.float64] | None = None,
    decisions: Sequence[Decision] = (),
    features: NDArray[np.float64] | None = None,
    group: NDArray[np.int64] | None = None,
    bands: Sequence[float],
    fill: Fill = "next_step",
    stop: NDArray[np.int8] | None = None,
) -> kernels.Orders:
    """Lay out what L lanes want, as a plan or as compiled decisions of one function.

    Args:
        market: T steps.
        lines: S single lines with targets and P pairs.
        plan: (L, T, S + 2P), or None where there are decisions.
        decisions: one for each lane.
        features: (G, F, T, N) of the decisions.
        group: (L,) position of each lane's among the features.
        bands: drift band of each lane.
        fill: when orders are filled.
        stop: (1,) set to 1 by whoever wants the run to end.
    """
    from entrepot.engine import _kernels as kernels

    asked = np.zeros(0, dtype=np.int8)
    if decisions:
        steps = decisions[0].steps
        asked = np.array(market.decision_steps if steps is None else steps, dtype=np.int8)
    return kernels.Orders(
        compiled=plan is None,
        plan=np.empty((0, 0, 0)) if plan is None else plan,
        asked=asked,
        params=np.array([d.params for d in decisions], dtype=np.float64) if decisions else np.empty((0, 0)),
        features=np.empty((0, 0, 0, 0)) if features is None else features,
        group=np.empty(0, dtype=np.int64) if group is None else group,
        limits=target_limits(market, lines),
        band=np.array(bands, dtype=np.float64),
        drifts=bool(min(bands) < np.inf),
        same_step=fill == "same_step",
        stop=np.zeros(1, dtype=np.int8) if stop is None else stop,
    )


def target_limits(market: Market, lines: Lines) -> NDArray[np.float64]:
    """Least and largest weight of each single line and pair, (2, S + P); for an index no number will do."""
    instruments = market.instruments
    shortable = instruments["shortable"].to_numpy(dtype=bool)[lines.columns]
    index = (instruments["kind"] == "index").to_numpy()[lines.columns]
    own = slice(0, lines.singles)
    low = np.where(index[own], 1.0, np.where(shortable[own], -LARGEST_WEIGHT, 0.0))
    high = np.where(index[own], -1.0, LARGEST_WEIGHT)
    hk, adr = shortable[lines.legs[:, 0]], shortable[lines.legs[:, 1]]
    pair_low, pair_high = np.where(hk, -LARGEST_WEIGHT, 0.0), np.where(adr, LARGEST_WEIGHT, 0.0)
    return np.array([np.concatenate([low, pair_low]), np.concatenate([high, pair_high])])


def check_run(market: object, capital: object, base_currency: object, fill: object, costs: object) -> None:
    """Refuse a market, capital, currency, fill or costs that no run can use."""
    if not isinstance(market, Market):
        raise ParameterError(
            f"the market is a {type(market).__name__}: make one with load_market or from_prices"
        )
    if not is_number(capital) or not LEAST_CAPITAL <= float(capital) < 1e15:
        raise ParameterError(
            f"capital is {shown(capital)}: give an amount of at least {LEAST_CAPITAL} and below 1e15"
        )
    if not isinstance(base_currency, str) or base_currency not in {
        *market.currencies,
        *market.instruments["currency"],
    }:
        raise ParameterError(
            f"base_currency is {shown(base_currency)}: this market knows {', '.join(market.currencies)}"
        )
    if not isinstance(fill, str) or fill not in ("next_step", "same_step"):
        raise ParameterError(f'fill is {shown(fill)}: give "next_step" or "same_step"')
    if not isinstance(costs, Costs):
        raise ParameterError(f"costs is {shown(costs)}: give a Costs object, such as Costs(fee_bps=5)")


def targets_of(market: Market, plan: object, path: StatePath | None) -> PlannedTargets:
    """Return what a plan, a frame of weights or targets already made want, over the market's symbols."""
    if isinstance(plan, pd.DataFrame):
        none = np.empty((len(market), 0))
        weights = weights_on_grid(market, plan)
        _refuse_percentages(weights)
        return PlannedTargets(weights, (), none, none.astype(np.int8), np.inf, ())
    if are_targets(plan) and not isinstance(plan, type):
        return planned(market, plan)
    if isinstance(plan, type) or not isinstance(plan, Plan):
        wanted = "a DataFrame of weights, Targets or a strategy with targets(market, path)"
        raise TargetError(f"the plan is {no_plan(plan, wanted)}")
    orders = plan.targets(market, path)
    if not are_targets(orders):
        raise TargetError(f"the plan's targets() returned {shown(orders)}: it must return entrepot.Targets")
    return planned(market, orders)


def _refuse_percentages(weights: NDArray[np.float64]) -> None:
    """Refuse weights of a frame, (T, N), that are together what no weight may be alone: 20 lines at 5 %."""
    gross = np.nansum(np.abs(weights), axis=1)
    if gross.max(initial=0.0) > LARGEST_WEIGHT:
        raise TargetError(
            f"the weights of one row add up to {gross.max():g} times equity: weights are fractions of equity "
            "(0.5 is half), divide percentages by 100"
        )


def are_targets(given: object) -> TypeGuard[TargetArrays]:
    """Tell whether something is targets."""
    return all(hasattr(given, name) for name in ("weights", "pairs", "pair_weights", "drift_band", "notes"))


def planned(market: Market, targets: TargetArrays) -> PlannedTargets:
    """Return targets as the kernel's arrays; pairs are closed by trades where they do not say how."""
    exits = getattr(targets, "exits", None)
    _check_form(targets, exits)
    refuse_targets_of_another(market, targets)
    if exits is None or exits.size == 0:
        exits = np.zeros(targets.pair_weights.shape, dtype=np.int8)
    pairs, notes = tuple((hk, adr) for hk, adr in targets.pairs), tuple(targets.notes)
    return PlannedTargets(targets.weights, pairs, targets.pair_weights, exits, targets.drift_band, notes)


def _check_form(targets: TargetArrays, exits: object) -> None:
    """Refuse targets of a class of one's own that hold what `Targets` would have refused or laid out."""
    arrays = "an array of real numbers, unmasked"
    for name, given, fits, wanted in (
        ("weights", targets.weights, _are_numbers(targets.weights), arrays),
        ("pair_weights", targets.pair_weights, _are_numbers(targets.pair_weights), arrays),
        ("exits", exits, exits is None or _are_numbers(exits), arrays),
        ("pairs", targets.pairs, _are_pairs(targets.pairs), "(Hong Kong symbol, ADR symbol) of each, once"),
        (
            "drift_band",
            targets.drift_band,
            is_number(targets.drift_band),
            "a positive fraction, inf for never",
        ),
        ("notes", targets.notes, _are_texts(targets.notes), "a tuple of sentences"),
    ):
        if not fits:
            raise TargetError(
                f"{name} of the targets is {shown(given)}: give {wanted}, or make them with entrepot.Targets"
            )


def _are_numbers(given: object) -> bool:
    numbers = isinstance(given, np.ndarray) and given.dtype.kind in "fiu"
    return numbers and not np.ma.isMaskedArray(given)


def _are_texts(given: object) -> bool:
    return isinstance(given, (list, tuple)) and all(isinstance(one, str) for one in given)


def _are_pairs(given: object) -> bool:
    pairs = given if isinstance(given, (list, tuple)) else (None,)
    return all(_are_texts(pair) and len(pair) == 2 for pair in pairs) and (
        len({tuple(pair) for pair in pairs}) == len(pairs)
    )


def with_pairs_of(resume: RunState, market: Market, orders: PlannedTargets) -> PlannedTargets:
    """Add the pairs of a run that is taken up and that the plan no longer names."""
    missing = tuple(pair for pair in resume.lines.pairs if pair not in orders.pairs)
    nothing = np.full((len(market), len(missing)), np.nan)
    return replace(
        orders,
        pairs=(*orders.pairs, *missing),
        pair_weights=np.hstack([orders.pair_weights, nothing]),
        exits=np.hstack([orders.exits, np.zeros(nothing.shape, dtype=np.int8)]),
    )


def check_targets(market: Market, orders: PlannedTargets, fill: str) -> None:
    """Refuse targets of another shape, too large, of an index, or short where that is not allowed."""
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
        raise _may_not_be_short(closed)


def carried_path(plan: object) -> Any:
    """Return the regime path that a plan carries; None where it has none, or a path to a file."""
    path = getattr(plan, "path", None)
    return path if hasattr(path, "states") else None


def no_path(given: object) -> ParameterError:
    """Return what is raised for what is given in place of a regime path."""
    return ParameterError(
        f"the path is a {type(given).__name__}: make one with RegimeModel().walk_forward(...)"
    )


def states_of(market: Market, path: StatePath) -> NDArray[np.int64]:
    """Return a path's state at every step, (T,); refuse one that was walked over another market."""
    if not hasattr(path, "states"):
        raise no_path(path)
    given = path.states
    whole = isinstance(given, np.ndarray) and given.ndim == 1 and given.dtype.kind in "iub"
    if not whole or np.ma.isMaskedArray(given):
        raise ParameterError(
            f"the states of the regime path are {shown(given)}: give an array of whole numbers, one for each "
            "step, as RegimeModel().walk_forward(...) does"
        )
    states = given.astype(np.int64)
    if states.shape != (len(market),):
        raise ParameterError(
            f"the regime path has {states.shape[0]} steps and the market {len(market)}: "
            "walk it over this market"
        )
    times = getattr(path, "time", None)
    if times is not None and not is_over(market, times):
        raise ParameterError("the regime path has other steps than the market: walk it over this market")
    names = getattr(path, "names", None)
    if states.min() < 0 or (names is not None and states.max() >= len(names)):
        allowed = "whole numbers" if names is None else f"positions in its {len(names)} names"
        raise ParameterError(
            f"the states of the regime path run from {states.min()} to {states.max()}: give {allowed}, the "
            "first being 0"
        )
    return states


def check_finite(market: Market, equity: NDArray[np.float64]) -> None:
    """Refuse equity, (T, C), that is no longer a number."""
    wrong = ~np.isfinite(equity).all(axis=1)
    if wrong.any():
        when = market.grid["time"].iloc[int(np.argmax(wrong))]
        raise TargetError(
            f"equity is no longer a number at {when:%Y-%m-%d %H:%M} UTC: the weights are too large"
        )


def lines_of_decision(market: Market, decision: Decision) -> Lines:
    """Lay out the lines of a compiled decision, or refuse what it names."""
    for symbol in decision.symbols:
        market.column(symbol)
    for hk, adr in decision.pairs:
        if market.pairs["hk"].get(adr) != hk:
            raise TargetError(f"{hk} and {adr} are not the two legs of one company in this market")
    ordered = tuple(symbol for symbol in market.symbols if symbol in decision.symbols)
    if ordered != decision.symbols:
        raise TargetError("a decision names its symbols out of order: give each once, in the market's order")
    if decision.steps is not None and decision.steps.shape != (len(market),):
        raise TargetError(
            f"a decision's steps have the shape {decision.steps.shape}: give one for each of the "
            f"{len(market)} steps of this market"
        )
    return Lines.of(market, decision.symbols, decision.pairs)


def features_of(market: Market, decision: Decision) -> NDArray[np.float64]:
    """Make a decision's features, (F, T, N), or refuse what is made."""
    made = decision.features()
    features = np.asarray(made)
    if np.ma.isMaskedArray(made):
        raise TargetError("a decision's features are a masked array: fill it, such as features.filled(nan)")
    if features.ndim != 3 or features.shape[1] != len(market) or features.dtype != np.float64:
        raise TargetError(
            f"a decision's features are {features.dtype} of the shape {features.shape}: give floats, "
            f"(features, {len(market)} steps, columns)"
        )
    # Read-only arrays are another signature, and with it another compilation.
    fit = features.flags.c_contiguous and features.flags.writeable
    return features if fit else np.array(features, order="C")


def fault_of(
    market: Market, lines: Lines, fault: tuple[int, int, int], noted: NDArray[np.float64]
) -> EntrepotError | None:
    """Say what cannot be run, from what the kernel returns; None where nothing is wrong."""
    from entrepot.engine import _kernels as kernels

    step, line, kind = fault
    if step < 0 or kind == kernels.INTERRUPTED:
        return None
    if kind == kernels.OUT_OF_BOUNDS:
        return _bad_target(market, lines, step, line, float(noted[0]))
    symbol = lines.symbols[line]
    if kind == kernels.NO_IMPACT:
        return DataError(
            f"{symbol} is filled at {market.grid['time'][step]:%Y-%m-%d %H:%M} UTC, before enough of its "
            "volumes and closes are known to tell its impact: load files with a Volume column, give "
            f"Costs(impact_volume={{{symbol!r}: shares a session}}) or fewer impact_sessions, or trade it "
            "later"
        )
    if kind == kernels.NO_HEIR:
        return DataError(
            f"{symbol} leaves the market before {market.grid['time'][step]:%Y-%m-%d %H:%M} UTC "
            "while held, itself or by what is kept at parity with it, with no priced Hong Kong line to "
            "convert into: load that line too, or get out before"
        )
    session = market.grid["session"][np.flatnonzero(np.isfinite(market.prices[:, market.column(symbol)]))[-1]]
    leaves = market.delistings.loc[market.delistings["symbol"] == symbol, "last_session"]
    told, advice = "", "give later prices"
    if len(leaves):
        told = f"; its last session is {leaves.iloc[0]:%Y-%m-%d}"
        advice = 'load it with departures="parity" and its Hong Kong line'
    return DataError(
        f"{symbol} is held but has no price after {session:%Y-%m-%d}{told}: {advice}, list its halt, "
        "or get out before"
    )


def _bad_target(market: Market, lines: Lines, step: int, column: int, target: float) -> TargetError:
    """Say why a target of the kernel's S + P columns may not be."""
    when = f"at {market.grid['time'][step]:%Y-%m-%d %H:%M} UTC"
    if np.isinf(target):
        return TargetError(
            f"a decision failed or wanted an infinite weight {when}: run it as plain Python on that step's "
            "features to see why; give a finite weight, 0 to get out, NaN to leave alone"
        )
    if abs(target) > LARGEST_WEIGHT:
        return TargetError(
            f"a weight is {target:g} times equity {when}: weights are fractions of equity (0.5 is half), "
            "NaN leaves a line alone"
        )
    symbol = lines.symbols[column] if column < lines.singles else ""
    if symbol and market.instruments.at[symbol, "kind"] == "index":
        return TargetError(f"{symbol} is an index and cannot be traded: use a fund or its members")
    if not symbol:
        hk, adr = lines.pairs[column - lines.singles]
        symbol = hk if target < 0 else adr
    return _may_not_be_short([symbol])


def _may_not_be_short(symbols: Sequence[str]) -> TargetError:
    return TargetError(
        f"targets sell {', '.join(dict.fromkeys(symbols))} short, which this market does not allow: "
        "name the lines that may be shorted in load_market(hk_shorts=...)"
    )
