"""The built-in strategies as one compiled decision, and the loop that asks a decision without a ledger.

One function for all of them, told apart by the first of their params: it is compiled once, kept on disk, and
a switch can hold any of them as a part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from entrepot.decisions import DecisionState, kept_on_disk

Floats = NDArray[np.float64]
F = TypeVar("F", bound=Callable[..., Any])


# What a decision is: the first of its params.
CONVERGENCE, HOLDING, ROTATION, REPLAY, SWITCH = range(5)
# Planes of features, params and memory of each; what is by pair or line stands in its column.
Z, REVERSION, COST, FLAGS = range(4)
STALE, DEPARTED, ADR_SHORTABLE, HK_SHORTABLE = 1, 2, 4, 8
ENTRY, EXIT, PAIR_WEIGHT, REVERSE, ROUND_TRIP, CLOSING, OWN_COST = range(1, 8)
RICH, CHEAP, WANTED = range(3)

LEVEL, GONE = range(2)

GROWTH, GAPS, TILT, MEMBER, LEFT, SHORTABLE, ROW = range(7)
LOOKBACK, TOP, REBALANCE, GROSS, SKIP, SECTORS, TILTED, RULE, SHORT, GROSS_SHORT, WEIGHTING = range(1, 12)
MOMENTUM, LOW_VOLATILITY, RISK_ADJUSTED = range(3)
EQUAL, INVERSE_VOLATILITY = range(2)
LEAST_VOLATILITY = 1e-6  # of a day: what stands still is as calm as can be, and divides nothing

BY_PROBABILITY, DEADBAND, SINGLES, PAIRS, PARTS = range(1, 6)
CHARGE, AWAY = range(2)
# Of each part: where its params, features, memory and columns begin, their numbers, and its regimes.
FIRST_PARAM, FIRST_PLANE, LAST_PLANE, FIRST_SLOT, LAST_SLOT, ITS_SINGLES, ITS_PAIRS, FIRST_COLUMN = range(8)
TABLE, WIDTH, REGIMES = 6, 8, 4


def inner(function: F) -> F:
    """Compile a function that only other kernels call."""
    compiled: F = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(
        function
    )
    return compiled


@inner
def latch(on: float, enter: bool, leave: bool) -> float:
    """A state that is on from where it is entered to where it is left, off where both are so."""
    if enter or leave:
        return 1.0 if enter and not leave else 0.0
    return on


@inner
def converge(step: int, params: Floats, features: Floats, memory: Floats, out: Floats) -> None:
    """Trade premia back to their means; see `LongHKShortADR`."""
    pairs = out.shape[0] // 2
    entry, leave_at = params[ENTRY], params[EXIT]
    for p in range(pairs):
        z, reversion = features[Z, step, p], features[REVERSION, step, p]
        cost = params[ROUND_TRIP] if params[OWN_COST] == 1.0 else features[COST, step, p]
        flags = int(features[FLAGS, step, p])
        stale = flags & STALE != 0
        its = memory[3 * p :]
        rich = latch(its[RICH], z > entry and reversion > cost, z < leave_at or stale)
        cheap = latch(its[CHEAP], z < -entry and -reversion > cost, z > -leave_at or stale)
        its[RICH], its[CHEAP] = rich, cheap
        may_rich = 1.0 if flags & ADR_SHORTABLE else 0.0
        may_cheap = params[REVERSE] if flags & HK_SHORTABLE else 0.0
        wanted = params[PAIR_WEIGHT] * (rich * may_rich - cheap * may_cheap)
        if wanted != its[WANTED] and flags & DEPARTED == 0:
            out[p] = wanted
        its[WANTED] = wanted
        out[pairs + p] = params[CLOSING]


@inner
def hold(step: int, params: Floats, features: Floats, memory: Floats, out: Floats) -> None:
    """Hold pairs at the levels given; see `LongHKShortADR`."""
    pairs = out.shape[0] // 2
    for p in range(pairs):
        wanted = params[PAIR_WEIGHT] * features[LEVEL, step, p]
        if wanted != memory[p] and features[GONE, step, p] == 0.0:
            out[p] = wanted
        memory[p] = wanted
        out[pairs + p] = params[CLOSING]


@inner
def basket_volatility(first: int, last: int, belongs: Floats, size: Floats, growth: Floats) -> Floats:
    """Return by sector the deviation of its daily returns from one row to another.

    Args:
        first: row of the first level.
        last: row of the last.
        belongs: shape (lines,), the sector of each; -1: none.
        size: shape (sectors,), lines in each.
        growth: shape (rows, at least as many columns as lines), levels.
    """
    days, sectors = last - first, size.shape[0]
    daily = np.zeros((sectors, days))
    for n in range(belongs.shape[0]):
        if belongs[n] >= 0.0:
            for i in range(days):
                moved = growth[first + i + 1, n] / growth[first + i, n] - 1.0
                daily[int(belongs[n]), i] += moved / size[int(belongs[n])]
    volatility = np.zeros(sectors)
    for s in range(sectors):
        mean, spread = 0.0, 0.0
        for moved in daily[s]:
            mean += moved
        mean /= days
        for moved in daily[s]:
            spread += (moved - mean) ** 2
        volatility[s] = max(np.sqrt(spread / days), LEAST_VOLATILITY)
    return volatility


@inner
def choose(count: int, side: float, score: Floats, open_to: Floats, chosen: Floats) -> None:
    """Mark with a side the ``count`` sectors that lie furthest on it, of those open to it and not chosen."""
    for _ in range(count):
        best = -1
        for s in range(score.shape[0]):  # of equals the first
            if chosen[s] == 0.0 and open_to[s] > 0.0 and (best < 0 or side * score[s] > side * score[best]):
                best = s
        if best < 0:
            return
        chosen[best] = side


@inner
def rotate(step: int, params: Floats, features: Floats, memory: Floats, out: Floats) -> None:
    """Hold the best sectors; see `SectorRotation`. Rows of features are decisions, in their order."""
    lines, sectors = out.shape[0], int(params[SECTORS])
    lookback, skip, rule = int(params[LOOKBACK]), int(params[SKIP]), int(params[RULE])
    inverse = params[WEIGHTING] == INVERSE_VOLATILITY
    row = int(features[ROW, step, 0])
    number = row - lookback
    tilted = params[TILTED] == 1.0
    due = number >= 0 and number % int(params[REBALANCE]) == 0
    if tilted and number >= 0:
        for n in range(lines):
            s = int(features[MEMBER, row, n])
            due |= s >= 0 and features[TILT, row, s] != features[TILT, row - 1, s]
    score, standing = memory[:sectors], memory[sectors : sectors + lines]
    if not due:
        return
    past, size, open_to = np.zeros(sectors), np.zeros(sectors), np.ones(sectors)
    belongs = np.full(lines, -1.0)
    for n in range(lines):
        before = features[GAPS, row - lookback - 1, n] if row > lookback else 0.0
        stays = features[LEFT, row, n] == 0.0 and features[MEMBER, row, n] >= 0.0
        if stays and features[GAPS, row, n] == before:
            belongs[n] = features[MEMBER, row, n]
            s = int(belongs[n])
            size[s] += 1.0
            past[s] += features[GROWTH, row - skip, n] / features[GROWTH, row - lookback, n] - 1.0
            open_to[s] = min(open_to[s], features[SHORTABLE, 0, n])
    volatility = np.ones(sectors)
    if rule != MOMENTUM or inverse:
        volatility = basket_volatility(row - lookback, row - skip, belongs, size, features[GROWTH])
    ranked, mean, spread = 0, 0.0, 0.0
    for s in range(sectors):
        score[s] = past[s] / size[s] if size[s] > 0.0 else np.nan
        if size[s] > 0.0:
            if rule == LOW_VOLATILITY:
                score[s] = -volatility[s]
            elif rule == RISK_ADJUSTED:
                score[s] /= volatility[s]
            ranked += 1
            mean += score[s]
    mean /= ranked
    for s in range(sectors):
        if size[s] > 0.0:
            spread += (score[s] - mean) ** 2
    spread = np.sqrt(spread / ranked)
    for s in range(sectors):
        if size[s] > 0.0:
            score[s] = (score[s] - mean) / spread if spread > 1e-12 else 0.0
            score[s] += features[TILT, row, s] if tilted else 0.0
        else:
            open_to[s] = 0.0
    chosen, share = np.zeros(sectors), np.zeros(sectors)
    choose(int(params[TOP]), 1.0, score, size, chosen)
    choose(int(params[SHORT]), -1.0, score, open_to, chosen)
    sides = (1.0, params[GROSS], params[TOP]), (-1.0, -params[GROSS_SHORT], params[SHORT])
    for side, gross, places in sides:
        taken, calm = 0.0, 0.0
        for s in range(sectors):
            if chosen[s] == side:
                taken += 1.0
                calm += 1.0 / volatility[s]
        for s in range(sectors):
            if chosen[s] == side:
                share[s] = gross / (places * size[s])
                if inverse:
                    share[s] *= taken / (calm * volatility[s])
    for n in range(lines):
        wanted = share[int(belongs[n])] if belongs[n] >= 0.0 else 0.0
        if wanted != standing[n] and features[LEFT, row, n] == 0.0:
            out[n] = wanted
        standing[n] = wanted


@inner
def replay(step: int, features: Floats, out: Floats) -> None:
    """Repeat targets that were made beforehand."""
    for column in range(out.shape[0]):
        out[column] = features[0, step, column]


@inner
def decide_part(kind: int, step: int, params: Floats, features: Floats, memory: Floats, out: Floats) -> None:
    """Ask one strategy that is no switch."""
    if kind == CONVERGENCE:
        converge(step, params, features, memory, out)
    elif kind == HOLDING:
        hold(step, params, features, memory, out)
    elif kind == ROTATION:
        rotate(step, params, features, memory, out)
    else:
        replay(step, features, out)


@inner
def switch(step: int, params: Floats, features: Floats, memory: Floats, out: Floats) -> None:
    """Follow the part that belongs to the regime; see `RegimeSwitch`."""
    singles, pairs, parts = int(params[SINGLES]), int(params[PAIRS]), int(params[PARTS])
    columns = singles + pairs
    by_probability = params[BY_PROBABILITY] == 1.0
    last, owner = memory[:columns], memory[columns : columns + pairs]
    standing = memory[columns + pairs : columns + pairs + parts * columns]
    asked = np.empty(columns + pairs)
    emitted = np.full((parts, columns), np.nan)
    closing, named = np.zeros((parts, pairs)), np.zeros((parts, pairs))
    for i in range(parts):
        its = params[TABLE + REGIMES + i * WIDTH :]
        its_singles, its_pairs = int(its[ITS_SINGLES]), int(its[ITS_PAIRS])
        first, column = int(its[FIRST_PARAM]), int(its[FIRST_COLUMN])
        answer = asked[: its_singles + 2 * its_pairs]
        answer[: its_singles + its_pairs] = np.nan
        answer[its_singles + its_pairs :] = 0.0
        decide_part(
            int(params[first]),
            step,
            params[first:],
            features[int(its[FIRST_PLANE]) : int(its[LAST_PLANE])],
            memory[int(its[FIRST_SLOT]) : int(its[LAST_SLOT])],
            answer,
        )
        for j in range(its_singles + its_pairs):
            to = int(params[column + j])
            emitted[i, to] = answer[j]
            if answer[j] == answer[j]:
                standing[i * columns + to] = answer[j]
            if j >= its_singles:
                closing[i, to - singles] = answer[its_pairs + j]
                named[i, to - singles] = 1.0
    charge = features[CHARGE, step, :REGIMES]
    chosen, decided = 0, False
    for r in range(REGIMES):
        decided |= charge[r] > 0.0
        chosen = r if charge[r] > charge[chosen] else chosen
    for to in range(columns):
        total, largest = 0.0, 0.0
        for r in range(REGIMES):
            i = int(params[TABLE + r])
            wanted = standing[i * columns + to] if i >= 0 else 0.0
            total += charge[r] * wanted
            largest = max(largest, abs(wanted))
        if by_probability:
            if features[CHARGE, step, REGIMES] == 1.0 and abs(total - last[to]) > params[DEADBAND] * largest:
                out[to] = last[to] = total
        else:
            i = int(params[TABLE + chosen])
            wanted = standing[i * columns + to] if decided and i >= 0 else 0.0
            own = emitted[i, to] if decided and i >= 0 else np.nan
            if own == own:
                out[to] = own
            elif wanted != last[to]:
                out[to] = wanted
            last[to] = wanted
        if features[AWAY, step, to] == 1.0:
            out[to] = np.nan
    for p in range(pairs):
        # A pair is closed the way of the weightiest part that names it, or of the last there was.
        most = 0.0
        for r in range(REGIMES):
            i = int(params[TABLE + r])
            if i >= 0 and named[i, p] == 1.0 and charge[r] > most:
                most, owner[p] = charge[r], float(i)
        out[columns + p] = closing[int(owner[p]), p]


def decide(step: int, state: DecisionState, params: Floats, features: Floats, out: Floats) -> None:
    """Decide for any built-in strategy: the function all of them hand over."""
    kind = int(params[0])
    if kind == SWITCH:
        switch(step, params, features, state.memory, out)
    else:
        decide_part(kind, step, params, features, state.memory, out)


def _emit(
    decision: Any,
    steps: NDArray[np.int64],
    params: Floats,
    features: Floats,
    out: Floats,
    kept: Floats,
) -> None:
    """Ask a decision at every one of S steps without a ledger: its book is empty and its equity NaN.

    Args:
        decision: compiled.
        steps: (S,) at which it is asked.
        params: (Q,).
        features: (F, T, N).
        out: (S, columns + pairs) what it wants; before, NaN, and 0 for how pairs are closed.
        kept: (S, M) what it remembers after each.
    """
    numbers = out.shape[1]
    # Columns of larger arrays, as the engine hands them over.
    nothing, memory = np.zeros((numbers, 2))[:, 0], np.zeros((kept.shape[1], 2))[:, 0]
    worthless = np.full(numbers, np.nan)
    for i in range(len(steps)):
        decision(steps[i], DecisionState(np.nan, nothing, worthless, memory), params, features, out[i])
        kept[i] = memory


emit = kept_on_disk(lambda cache: njit(cache=cache, nogil=True, error_model="numpy")(_emit))
