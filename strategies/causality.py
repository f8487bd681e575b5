"""Does a strategy look ahead? Run it on less, and on another future, and compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, partial
from inspect import getclosurevars
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.decisions import OWN, Decision, DecisionState, compiled, require_own_numbers
from entrepot.errors import ParameterError, TargetError, is_listed, is_whole, no_plan, shown
from entrepot.markets.known_series import KnownSeries
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind, short
from entrepot.regimes.events import Events
from entrepot.regimes.path import RegimePath
from entrepot.strategies.as_known import as_known, swapped
from entrepot.strategies.targets import (
    Targets,
    carried,
    changes,
    columns_of,
    latest,
    require_market,
    require_path,
)

SPREAD, TELLING = 8, 8  # steps that are checked: over the whole market, and where what is wanted changes
FUTURE_SD = 0.5  # of the logarithm by which each later price is another
SAME = {"rtol": 1e-9, "atol": 1e-12}  # sums of another length round otherwise

Floats = NDArray[np.float64]


class LookAheadError(TargetError):
    """Targets that depend on what was not known when they were decided."""


@dataclass(frozen=True)
class LookAhead:
    """The first number that depends on what came later.

    Args:
        step: at which it was said.
        time: UTC, of that step.
        line: the symbol, pair or feature it is of.
        honest: the number where nothing is known after `cut`; NaN: none.
        made: the number on the whole market.
        cut: the step up to which both knew the same.
        how: what was different after it.
    """

    step: int
    time: pd.Timestamp
    line: str
    honest: float
    made: float
    cut: int
    how: str

    def __str__(self) -> str:
        one, other = (
            "nothing" if np.isnan(x) else "an error" if np.isinf(x) else f"{x:g}"
            for x in (self.made, self.honest)
        )
        return (
            f"at {self.time:%Y-%m-%d %H:%M} UTC (step {self.step}) it says {one} of {self.line}, and {other} "
            f"where {self.how} after step {self.cut}"
        )


@dataclass(frozen=True, repr=False)
class CausalityReport:
    """What a check of a strategy found.

    Args:
        name: of the strategy.
        checked: the steps after which the future was taken away.
        unusable: steps of which nothing can be said, each with the error that the strategy raised there.
        first: the first look ahead; None where there is none.
        silent: whether it says nothing but 0 in the whole market: a check of that says little.
    """

    name: str
    checked: tuple[int, ...]
    unusable: tuple[tuple[int, str], ...] = ()
    first: LookAhead | None = None
    silent: bool = False

    @property
    def ok(self) -> bool:
        """Whether something was checked and nothing found."""
        return self.first is None and bool(self.checked) and not self.silent

    def __repr__(self) -> str:
        if self.first is not None:
            return f"{self.name} looks ahead: {self.first}"
        if self.silent:
            return (
                f"{self.name} was not checked: it wants nothing in this market; give one in which it trades"
            )
        failed = f"{len(self.unusable)} of {len(self.checked) + len(self.unusable)} steps"
        why = f"the first with {self.unusable[0][1]}" if self.unusable else ""
        if not self.checked:
            return (
                f"{self.name} was not checked: on the market up to each of {failed} it fails, {why}; it may "
                "keep a longer market of its own, or need a longer one: give later steps"
            )
        also = f"; {failed} could not be checked, {why}" if self.unusable else ""
        return f"{self.name} looks at nothing later: it says the same at {len(self.checked)} steps{also}"


def check_causal(
    strategy: Any,
    market: Market,
    path: RegimePath | None = None,
    *,
    steps: Iterable[int] | None = None,
    seed: int = 0,
    strict: bool = True,
) -> CausalityReport:
    """Check that a strategy decides from what was known, and refuse it otherwise.

    At each of some steps k its targets up to k are compared with those it makes where it cannot know more:

    * on ``market.until(k)`` and ``path.until(k)``;
    * on a market and path of the same length on which everything after k is another and nothing is delisted,
      with other events and series after it where it carries them;
    * where it decides inside the loop by a function of one's own: its features on both, and what the
      function wants when the features after k are missing. Its book then fills at the marks, without costs.

    Markets, paths, series, events, dated frames and arrays with a number for each step or decision are cut at
    k as well, wherever the strategy carries them or its functions, methods and what they call enclose them or
    read them from modules, and each run begins from what it kept before the check: see `as_known`. All that
    is put back. Meanwhile nothing else should run that reads it. Numbers that differ by rounding are the
    same; where numbers are said must be the same.

    What this cannot see: data that carry the future in their past. Adjusted prices hold later splits and
    dividends in earlier levels, and so does a frame that was computed beforehand from all prices: give the
    function that computes it instead. A calendar of events chosen with hindsight passes too, and what an
    installed package or a fitted model keeps.

        >>> import entrepot as ep
        >>> market = ep.simulate_market("2023-01-03", "2024-06-28")
        >>> @ep.strategy
        ... def peeks(market, *, symbols=("KWEB", "FXI")):
        ...     close = market.price.loc[market.decision_steps, list(symbols)]
        ...     return (close > close.mean()) * 0.4
        >>> ep.check_causal(peeks, market, strict=False).ok
        False

    Args:
        strategy: with ``targets(market, path)`` or a decision of its own.
        market: in which it trades.
        path: handed to it.
        steps: k; None: eight from an eighth of the market on, and eight at which what it wants changes.
        seed: of the other futures.
        strict: raise where it looks ahead or nothing could be checked.

    Returns:
        The report; ``ok`` where something was checked and nothing found.

    Raises:
        LookAheadError: if strict, where it looks ahead, and where nothing could be checked.
        ParameterError: for what is no strategy, and steps outside the market.
        TargetError: for a strategy that says something else when it is asked twice, reads the market's truth,
            or writes into what a compiled decision may only read.
    """
    name = require_strategy(strategy)
    require_market(market, "check_causal")
    if not isinstance(strict, bool):
        raise ParameterError(f"strict is {shown(strict)}: give True or False")
    if len(market) < 2:
        raise ParameterError(
            "the market has one step, after which there is nothing to see: give a longer one"
        )
    if path is not None:
        path = require_path(market, path, "check_causal")
    with swapped(strategy):
        whole, again = (answer(strategy, market, path) for _ in range(2))
    if (found := difference(whole, again, len(market) - 1, market, "")) is not None:
        raise TargetError(
            f"{name} says something else of {found.line} when it is asked twice: draw random numbers from a "
            "seed, and keep nothing from one run to the next"
        )
    if market.truth is not None:
        require_blind(name, strategy, market, path, whole)
    silent = not any(np.nan_to_num(wanted).any() for wanted in whole.numbers.values())
    chosen = chosen_steps(market, whole, seed) if steps is None else given_steps(market, steps)
    checked, unusable = [], []
    first: LookAhead | None = None
    for step in chosen if whole.numbers else ():
        try:
            first = look(strategy, market, path, whole, step, seed)
        except Exception as error:  # whatever a function of one's own raises on a short market
            unusable.append((step, f"{type(error).__name__}: {short(error)}"))
            continue
        checked.append(step)
        if first is not None:
            break
    if first is None and (failed := [line for line, x in whole.numbers.items() if np.isinf(x).any()]):
        raise TargetError(f"{name} fails in this market, wanting {failed[0]}: run it to see where")
    report = CausalityReport(name, tuple(checked), tuple(unusable), first, silent)
    if strict and not report.ok:
        raise LookAheadError(repr(report))
    return report


@dataclass(frozen=True, eq=False)
class Answer:
    """What a strategy says on a market of T steps.

    Args:
        numbers: what it wants of each line or pair, shape (T,) by name; NaN where it says nothing.
        others: shape (T,) by name: how pairs are closed, and the features of a decision.
    """

    numbers: dict[str, Floats]
    others: dict[str, Floats]


def look(
    strategy: Any, market: Market, path: RegimePath | None, whole: Answer, step: int, seed: int
) -> LookAhead | None:
    """Compare what a strategy says on the whole market and where it knows nothing after a step."""
    past = None if path is None else path.until(step)
    with as_known(strategy, market, step) as known:
        cut = answer(known, market.until(step), past)
    found = difference(whole, cut, step, market, "the market ends")
    if found is None:
        rng = np.random.default_rng([seed, step])
        other, later = another_future(market, step, rng), None if path is None else shuffled(path, step, rng)
        with swapped(strategy, partial(with_future, market, other, step, rng)) as changed:
            found = difference(whole, answer(changed, other, later), step, market, "the future is another")
    if found is None and deciding(strategy):
        with swapped(strategy):
            blind = played(market, strategy.decision(market, path), after=step)
        found = difference(whole, blind, step, market, "features are missing")
    return found


def require_blind(name: str, strategy: Any, market: Market, path: RegimePath | None, whole: Answer) -> None:
    """Refuse a strategy that looks at what a simulated market was made from."""
    try:
        with swapped(strategy):
            blind = answer(strategy, replace(market, truth=None), path)
        reads = difference(whole, blind, len(market) - 1, market, "") is not None
    except AttributeError as error:
        reads = "'NoneType'" in str(error)
        if not reads:
            raise
    if reads:
        raise TargetError(f"{name} reads market.truth, which no real market has: learn from market.printed")


def answer(strategy: Any, market: Market, path: RegimePath | None) -> Answer:
    """Ask a strategy for its targets, and where it has a decision of its own also for what that wants."""
    numbers: dict[str, Floats] = {}
    others: dict[str, Floats] = {}
    if hasattr(strategy, "targets"):
        targets = strategy.targets(market, path)
        if not isinstance(targets, Targets):
            raise TargetError(f"targets() returned {kind(targets)}: return entrepot.Targets")
        targets.check(market)
        for i, symbol in enumerate(market.symbols):
            if np.isfinite(targets.weights[:, i]).any():
                numbers[symbol] = targets.weights[:, i]
        for p, pair in enumerate(targets.pairs):
            if np.isfinite(targets.pair_weights[:, p]).any():
                numbers["/".join(pair)] = targets.pair_weights[:, p]
            others[f"the closing of {'/'.join(pair)}"] = targets.exits[:, p].astype(np.float64)
        others["the drift band"] = np.full(len(market), targets.drift_band)
    if deciding(strategy):
        made = played(market, strategy.decision(market, path))
        numbers |= {f"{name} (decision)" if name in numbers else name: x for name, x in made.numbers.items()}
        others |= made.others
    return Answer(numbers, others)


def difference(whole: Answer, other: Answer, step: int, market: Market, how: str) -> LookAhead | None:
    """Return the first number up to a step that is not the same, None where all are."""
    found: LookAhead | None = None
    nothing = np.full(len(market), np.nan)
    for mine, theirs, fill in (
        (whole.numbers, other.numbers, nothing),
        (whole.others, other.others, None),
    ):
        for line in dict.fromkeys([*mine, *theirs]):
            if fill is None and not (line in mine and line in theirs):
                continue
            one, two = mine.get(line, nothing)[: step + 1], theirs.get(line, nothing)[: step + 1]
            apart = np.flatnonzero(~np.isclose(one, two, equal_nan=True, **SAME))
            if len(apart) and (found is None or apart[0] < found.step):
                at = int(apart[0])
                time = market.grid["time"].iloc[at]
                found = LookAhead(at, time, line, float(two[at]), float(one[at]), step, how)
    return found


# -- other futures -------------------------------------------------------------------------------------------


def another_future(market: Market, step: int, rng: np.random.Generator) -> Market:
    """Return a market with other prices and volumes after a step, where there were any, and no delistings."""
    later = slice(step + 1, None)

    def other(frame: pd.DataFrame) -> pd.DataFrame:
        values = frame.to_numpy(np.float64, copy=True)
        values[later] *= np.exp(FUTURE_SD * rng.standard_normal(values[later].shape))
        return pd.DataFrame(values, frame.index, frame.columns)

    volume = None if market.volume is None else other(market.volume)
    left = market.delistings["last_session"] <= market.grid["session"].iloc[step]
    return replace(
        market, price=other(market.price), volume=volume, delistings=market.delistings[left], truth=None
    )


def shuffled(path: RegimePath, step: int, rng: np.random.Generator) -> RegimePath:
    """Return a path whose steps after some step come in another order."""
    order = np.arange(len(path.time))
    rng.shuffle(order[step + 1 :])
    return replace(
        path,
        probabilities=path.probabilities.iloc[order].set_axis(path.time),
        states=path.states[order],
        intensity=path.intensity.iloc[order].set_axis(path.time),
    )


def with_future(market: Market, other: Market, step: int, rng: np.random.Generator, found: Any) -> Any:
    """Return the other market for the market, and others for a path of its length, events and series."""
    if found is market:
        return other
    if isinstance(found, RegimePath) and len(found.time) == len(market):
        return shuffled(found, step, rng)
    now = pd.Timestamp(market.times[step], tz="UTC")
    if isinstance(found, Events):
        rows = found.frame
        later = (rows["known_at"] > now).to_numpy()
        rows.loc[later, "direction"] *= -1
        rows.loc[later, "severity"] = 5  # as grave as any
        return Events._of(rows)  # not Events(rows): those of a placebo are known before they are announced
    if isinstance(found, KnownSeries):
        order = np.arange(len(found.dates))
        rng.shuffle(order[found.known_at.searchsorted(now, side="right") :])
        return replace(found, values=pd.DataFrame(found.array[order], found.dates, found.symbols))
    return found


# -- decisions inside the loop -------------------------------------------------------------------------------


def deciding(strategy: Any) -> bool:
    """Tell whether a strategy decides inside the loop by a function of one's own."""
    if not hasattr(strategy, "decision"):
        return False
    return not hasattr(strategy, "targets") or not type(strategy).__module__.startswith(OWN)


def played(market: Market, decision: Decision, after: int | None = None) -> Answer:
    """Ask a decision at each of its steps, its book filling at the last prices, without costs.

    Args:
        market: T steps.
        decision: of a function of one's own; of which an error makes infinite numbers, as in a run.
        after: the features of later steps are NaN.
    """
    features = np.array(decision.features(), dtype=np.float64, order="C")
    told = {} if after is not None else features_by_name(features)
    if after is not None:
        features[:, after + 1 :] = np.nan
    require_own_numbers(decision.memory)
    compiled(decision.function)  # or it is refused, as in a run
    function = checked_function(decision.function)
    legs = [leg for pair in decision.pairs for leg in pair]
    columns = columns_of(market, [*decision.symbols, *legs])
    rates = market.fx[market.instruments["currency"].iloc[columns]].to_numpy(np.float64)
    price = latest(market.prices[:, columns], np.arange(len(market)))[0]
    worth = np.ascontiguousarray(price * rates)
    singles, pairs = len(decision.symbols), len(decision.pairs)
    out = np.full((len(market), singles + pairs), np.nan)
    closing = np.zeros((len(market), pairs))
    cash, shares, memory = 1e6, np.zeros(len(columns)), np.zeros(decision.memory)
    asked = market.decision_steps if decision.steps is None else decision.steps
    for step in np.flatnonzero(asked):
        mark = np.nan_to_num(worth[step])
        equity = cash + float((shares * mark).sum())
        row = np.concatenate([np.full(singles + pairs, np.nan), np.zeros(pairs)])
        state = DecisionState(equity, shares.copy(), worth[step].copy(), memory)
        try:
            function(int(step), state, decision.params, features, row)
        except Exception:  # as in a run, where it makes infinite targets
            row[:] = np.inf
        out[step], closing[step] = row[: singles + pairs], row[singles + pairs :]
        wanted = np.concatenate([row[:singles], np.repeat(row[singles : singles + pairs], 2)])
        wanted[singles + 1 :: 2] *= -1.0
        moved = np.isfinite(wanted) & (mark > 0)
        shares[moved] = wanted[moved] * equity / mark[moved]
        cash = equity - float((shares * mark).sum())
    names = [*decision.symbols, *("/".join(pair) for pair in decision.pairs)]
    told |= {f"the closing of {name}": closing[:, p] for p, name in enumerate(names[singles:])}
    said = {name: out[:, i] for i, name in enumerate(names) if not np.isnan(out[:, i]).all()}
    return Answer(said, told)


def features_by_name(features: Floats) -> dict[str, Floats]:
    """Return each column of each feature by what it is called in a message."""
    planes, _, width = features.shape
    return {f"feature {f}, column {i}": features[f, :, i] for f in range(planes) for i in range(width)}


@cache
def checked_function(function: Callable[..., None]) -> Any:
    """Return a decision's function, compiled so that it can be called by itself and its errors are raised.

    One that reads arrays from outside is left as it is: compiled, it would keep them as they were.
    """
    from numba import njit

    plain = getattr(function, "py_func", function)
    read = getclosurevars(plain)
    if any(isinstance(item, np.ndarray) for item in (*read.globals.values(), *read.nonlocals.values())):
        return plain
    return njit(boundscheck=True, error_model="numpy")(plain)


# -- arguments -----------------------------------------------------------------------------------------------


def require_strategy(strategy: object) -> str:
    """Return a strategy's name; refuse what is none."""
    if isinstance(strategy, pd.DataFrame):
        raise ParameterError(
            "check_causal was given a frame of weights, of which nothing can be told: give the function that "
            "makes it, as strategy(function)"
        )
    if isinstance(strategy, type) or not (hasattr(strategy, "targets") or hasattr(strategy, "decision")):
        raise ParameterError(
            f"check_causal was given {no_plan(strategy, 'a strategy, such as LongHKShortADR()')}"
        )
    named = getattr(strategy, "name", None)
    return named if isinstance(named, str) else type(strategy).__name__


def chosen_steps(market: Market, whole: Answer, seed: int) -> list[int]:
    """Choose steps from an eighth of the market on, and from those at which what is wanted changes."""
    rng = np.random.default_rng(seed)
    edges = np.linspace(len(market) / 8, len(market) - 1, SPREAD + 1).astype(np.intp)
    spread = [int(rng.integers(low, max(high, low + 1))) for low, high in pairwise(edges)]
    numbers = np.column_stack(list(whole.numbers.values())) if whole.numbers else np.empty((len(market), 0))
    changed = np.flatnonzero(np.isfinite(changes(carried(numbers))).any(axis=1))
    telling = changed[np.linspace(0, len(changed) - 1, min(TELLING, len(changed))).astype(np.intp)]
    return sorted({*spread, *map(int, telling)} - {len(market) - 1})


def given_steps(market: Market, steps: Iterable[int]) -> list[int]:
    """Return steps of the market in order, or refuse one that is none or the last, after which is nothing."""
    allowed = f"give whole numbers from 0 to {len(market) - 2}, after which there is another step"
    if not is_listed(steps):
        raise ParameterError(f"steps is {kind(steps)}: {allowed}")
    given = list(steps)
    for step in given:
        if not is_whole(step) or not 0 <= step < len(market) - 1:
            raise ParameterError(f"steps holds {shown(step)}: {allowed}")
    if not given:
        raise ParameterError("steps is empty: give at least one, or leave it out")
    return sorted({int(step) for step in given})
