"""The clock: one compiled loop that turns targets into fills, cash and equity.

State is laid out ``(lines, lanes)``: a lane is one configuration, and everything that depends on the market
alone (prices, rates, masks, corporate actions) is scalar work outside the loop over lanes. A single recorded
run is one lane with a record; a batch is many lanes without one. No fastmath: a lane's numbers do not depend
on how many others run beside it.

The order of work inside a step is the design's clock. `tests/naive.py` is the same clock in plain Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Stages of a linked order.
IDLE, LEAD, HEDGE, UNWIND, GONE_PAIR = range(5)
# Why a fill happened.
TARGET, LEADING, HEDGING, UNWINDING, FORCED = 0, 1, 2, 3, 4
# Why an order was dropped.
EXPIRED, NO_BORROW, UNPRICED, DELISTED, UNWOUND = 0, 1, 2, 3, 4
# Kinds of corporate action, in the order in which they take effect within a step.
SPLIT, DIVIDEND, PAYMENT, CONVERSION = 0, 1, 2, 3
# Sources of profit and loss; the fee kinds follow.
(
    PRICE,
    FX,
    DIVIDENDS,
    BORROW,
    REBATE,
    INTEREST,
    ADS_FEE,
    CONVERT,
    CONVERT_FEE,
    SLIPPAGE,
    FX_SPREAD,
    FIRST_FEE,
) = range(12)

# Rows of the tape's arrays.
PRICE_AT, HALF_SPREAD, BUY_FEES, SELL_FEES = range(4)
CLOSED, OPEN, HALTED = range(3)
LOT, BORROW_RATE, CUSTODY = range(3)
CURRENCY, VENUE, SHORTABLE, EXACT, LINKED = range(5)
FX_RATE, INTEREST_RATE = range(2)
DEBIT, REBATE_SPREAD = range(2)
SETTLES, DECIDES, NO_SHORTS = range(3)
TO_LIVE, TO_HEDGE = range(2)
KIND, LINE, INTO, VALUE, SHORT_VALUE = range(5)
RATIO, UNIT, LEAD_OK = range(3)
# Rows of the state's arrays.
HELD, GOAL, STANDING = range(3)
WANTED, KEPT, QUEUED = range(3)
UNTIL, DECIDED, STAGE, LEADER, HEDGE_UNTIL, QUEUED_UNTIL, QUEUED_DECIDED = range(7)
CASH, UNSETTLED, RECEIVABLE, SHORTED, ACCRUED = range(5)
LAST, GONE = range(2)

# An order within a billionth of the next whole lot, or a fee within a billionth of a rounding unit, is
# that lot or unit: binary fractions must not cost a lot or a dollar.
SLACK = 1e-9

# Inner functions need neither a way in from Python nor, since nothing allocates, reference counts: those
# would be most of the run's time and two thirds of the time to compile.
_PLAIN = {"nogil": True, "error_model": "numpy", "_nrt": False}
_INNER = {**_PLAIN, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile a function that only other kernels call."""
    compiled: F = njit(**_INNER)(function)
    return compiled


def kernel(function: F) -> F:
    """Compile a function that is called from Python, and keep it on disk."""
    compiled: F = njit(cache=True, **_PLAIN)(function)
    return compiled


class Tape(NamedTuple):
    """What the market does, the same for every configuration. T steps, K lines, C currencies, P pairs.

    Few arrays with named rows rather than many arrays: numba passes a tuple by value, and compile time grows
    with its length (67 arrays took five times as long as these).
    """

    quote: (
        Floats  # (4, T, K): PRICE_AT (NaN where not printed); HALF_SPREAD, BUY_FEES, SELL_FEES as fractions
    )
    door: NDArray[np.int8]  # (T, K): OPEN, HALTED or CLOSED
    trait: Floats  # (3, K): LOT (0 = fractional), BORROW_RATE (per day), CUSTODY (per share and day)
    kind: Ints  # (5, K): CURRENCY (0 is the base), VENUE, SHORTABLE, EXACT (fees by order), LINKED (a leg)
    rate: Floats  # (2, T, C): FX_RATE (base per unit, last known), INTEREST_RATE (per day over (t-1, t])
    carry: Floats  # (2, C): DEBIT and REBATE_SPREAD, per day
    clock: (
        Ints  # (3, T): SETTLES (step at which a trade of t settles), DECIDES (drift is looked at), NO_SHORTS
    )
    days: Floats  # (T,) since the step before
    ends: Ints  # (2, T, V): last step of the venue's third (TO_LIVE) and second (TO_HEDGE) session after t
    fees: Floats  # (rows, kinds, 2 sides, 6): rate, per share, minimum, maximum, unit, rounds up
    fee_row: Ints  # (T, K) row of the schedule in force
    action_first: Ints  # (T + 1,) range of corporate actions of each step
    actions: Floats  # (A, 5): KIND, LINE, INTO, VALUE, SHORT_VALUE
    legs: Ints  # (P, 2) lines of the Hong Kong leg and the ADR leg
    parity: Floats  # (3, T, P): RATIO (ordinary per ADS), UNIT (whole lots on both lines, 0 = any), LEAD_OK
    accrues: bool  # whether anything is earned or paid for holding
    convert: bool  # exchange long-side flows and fees into the base currency at each fill
    fx_spread: float


class State(NamedTuple):
    """What a run carries from step to step. L lanes, R steps to the latest settlement, D dividends unpaid."""

    book: Floats  # (3, K, L): HELD shares, GOAL of a pending order, STANDING weight; NaN = none
    order: Ints  # (2, K, L): UNTIL (last step of the order), DECIDED
    pair: Floats  # (3, P, L): WANTED Hong Kong shares, KEPT weight, QUEUED until a hedge is done; NaN = none
    link: Ints  # (7, P, L): UNTIL, DECIDED, STAGE, LEADER (0 = Hong Kong), HEDGE_UNTIL, QUEUED_UNTIL, ...
    money: Floats  # (5, C, L): CASH, UNSETTLED, RECEIVABLE; SHORTED and ACCRUED are scratch
    due: Floats  # (R, C, L) unsettled flows by settlement step, a ring
    slots: Floats  # (D, L) dividends waiting for their pay date
    last: Floats  # (2, K): LAST traded price, GONE (1 = left the market)
    now: Floats  # (L,) equity


class Record(NamedTuple):
    """What a recorded run leaves behind: lane 0 only, and only where it is on."""

    on: bool
    positions: Floats  # (T, K)
    cash: Floats  # (T, C)
    receivable: Floats  # (T, C)
    sources: Floats  # (S, T, K + C) contributions in base currency by line, then by currency's cash
    fills: Floats  # (max, 9 + kinds)
    dropped: Ints  # (max, 4)
    counts: Ints  # (2,) fills, dropped orders


@jit
def fee(fees: Floats, row: int, kind: int, side: int, notional: float, shares: float) -> float:
    """One fee of one order, with its minimum, maximum and rounding."""
    amount = notional * fees[row, kind, side, 0] + shares * fees[row, kind, side, 1]
    amount = min(max(amount, fees[row, kind, side, 2]), fees[row, kind, side, 3])
    unit = fees[row, kind, side, 4]
    if unit > 0.0:
        if fees[row, kind, side, 5] > 0.0:
            amount = np.ceil(amount / unit - SLACK) * unit
        else:
            amount = np.floor(amount / unit + 0.5 + SLACK) * unit
    return float(amount)


@jit
def drop(record: Record, t: int, line: int, decided: int, reason: int) -> None:
    """Note an order that will not be filled."""
    if record.on:
        n = record.counts[1]
        record.dropped[n, 0] = t
        record.dropped[n, 1] = line
        record.dropped[n, 2] = decided
        record.dropped[n, 3] = reason
        record.counts[1] = n + 1


@jit
def execute(
    tape: Tape, state: State, record: Record, t: int, k: int, lane: int, trade: float, why: int, decided: int
) -> None:
    """Fill a trade of one line at the price of step t, worsened by the half-spread, and pay its fees."""
    price = tape.quote[PRICE_AT, t, k]
    half = tape.quote[HALF_SPREAD, t, k]
    side = 0 if trade > 0.0 else 1
    fill_price = price * (1.0 + half) if side == 0 else price * (1.0 - half)
    shares = abs(trade)
    notional = shares * fill_price
    if tape.kind[EXACT, k] == 1:
        fees = 0.0
        for kind in range(tape.fees.shape[1]):
            fees += fee(tape.fees, tape.fee_row[t, k], kind, side, notional, shares)
    else:
        fees = notional * tape.quote[BUY_FEES + side, t, k]

    before = state.book[HELD, k, lane]
    after = before + trade
    state.book[HELD, k, lane] = after
    bought_long = max(after, 0.0) - max(before, 0.0)
    # The long side and the fees settle later; what a short sale brings in is collateral from the start.
    flow = -bought_long * fill_price - fees
    collateral = (bought_long - trade) * fill_price
    c = tape.kind[CURRENCY, k]
    rate = tape.rate[FX_RATE, t, c]
    spread = 0.0
    state.money[CASH, c, lane] += collateral
    if tape.convert and c > 0:
        spread = tape.fx_spread * abs(flow) * rate
        flow = flow * rate - spread
        c = 0
    state.money[CASH, c, lane] += flow
    if tape.accrues and tape.clock[SETTLES, t] > t:
        state.money[UNSETTLED, c, lane] += flow
        state.due[tape.clock[SETTLES, t] % state.due.shape[0], c, lane] += flow

    if record.on:
        n = record.counts[0]
        fills = record.fills
        fills[n, 0], fills[n, 1], fills[n, 2], fills[n, 3], fills[n, 4] = t, k, trade, price, fill_price
        fills[n, 5], fills[n, 6], fills[n, 7], fills[n, 8] = rate, why, decided, fees
        for kind in range(tape.fees.shape[1]):
            amount = fee(tape.fees, tape.fee_row[t, k], kind, side, notional, shares)
            fills[n, 9 + kind] = amount
            record.sources[FIRST_FEE + kind, t, k] -= amount * rate
        record.sources[SLIPPAGE, t, k] -= shares * price * half * rate
        record.sources[FX_SPREAD, t, k] -= spread
        record.counts[0] = n + 1


@jit
def accrue(tape: Tape, state: State, record: Record, t: int) -> None:
    """Stage 1: borrow, rebate, ADS fees and interest over (t-1, t], on the state left by t-1."""
    lines, lanes = state.book.shape[1], state.book.shape[2]
    days = tape.days[t]
    state.money[SHORTED].fill(0.0)
    state.money[ACCRUED].fill(0.0)
    for k in range(lines):
        c = tape.kind[CURRENCY, k]
        last = state.last[LAST, k]
        borrow_rate = tape.trait[BORROW_RATE, k] * days
        rebate_rate = (tape.rate[INTEREST_RATE, t, c] - tape.carry[REBATE_SPREAD, c]) * days
        custody_fee = tape.trait[CUSTODY, k] * days
        for lane in range(lanes):
            held = state.book[HELD, k, lane]
            if held == 0.0:
                continue
            custody = abs(held) * custody_fee
            state.money[ACCRUED, c, lane] -= custody
            if record.on:
                record.sources[ADS_FEE, t, k] -= custody * tape.rate[FX_RATE, t, c]
            if held < 0.0:
                value = -held * last
                state.money[SHORTED, c, lane] += value
                state.money[ACCRUED, c, lane] += value * rebate_rate - value * borrow_rate
                if record.on:
                    record.sources[BORROW, t, k] -= value * borrow_rate * tape.rate[FX_RATE, t, c]
                    record.sources[REBATE, t, k] += value * rebate_rate * tape.rate[FX_RATE, t, c]
    for c in range(tape.rate.shape[2]):
        for lane in range(lanes):
            free = (
                state.money[CASH, c, lane] - state.money[SHORTED, c, lane] - state.money[UNSETTLED, c, lane]
            )
            rate = tape.rate[INTEREST_RATE, t, c]
            if free < 0.0:
                rate += tape.carry[DEBIT, c]
            interest = free * rate * days
            state.money[CASH, c, lane] += state.money[ACCRUED, c, lane] + interest
            if record.on:
                record.sources[INTEREST, t, lines + c] += interest * tape.rate[FX_RATE, t, c]


@jit
def settle(state: State, t: int) -> None:
    """Release the flows that settle at step t."""
    slot = t % state.due.shape[0]
    for c in range(state.money.shape[1]):
        for lane in range(state.money.shape[2]):
            state.money[UNSETTLED, c, lane] -= state.due[slot, c, lane]
            state.due[slot, c, lane] = 0.0


@jit
def convert(tape: Tape, state: State, record: Record, t: int, a: int) -> int:
    """Exchange a line that leaves the market for its Hong Kong line; return the line at fault or -1."""
    k = int(tape.actions[a, LINE])
    into = int(tape.actions[a, INTO])
    before = max(t - 1, 0)
    c = tape.kind[CURRENCY, k]
    for lane in range(state.book.shape[2]):
        held = state.book[HELD, k, lane]
        if held != 0.0:
            if into < 0 or np.isnan(state.last[LAST, into]):
                return k
            shares = held * tape.actions[a, VALUE]
            paid = np.ceil(abs(held) / 100.0 - SLACK) * 100.0 * tape.actions[a, SHORT_VALUE]
            after = state.book[HELD, into, lane] + shares
            state.book[HELD, into, lane] = 0.0 if nothing(after, shares) else after
            state.book[HELD, k, lane] = 0.0
            state.money[CASH, c, lane] -= paid
            if record.on:
                change = (
                    shares * state.last[LAST, into] * tape.rate[FX_RATE, before, tape.kind[CURRENCY, into]]
                )
                change -= held * state.last[LAST, k] * tape.rate[FX_RATE, before, c]
                record.sources[CONVERT, t, k] += change
                record.sources[CONVERT_FEE, t, k] -= paid * tape.rate[FX_RATE, t, c]
        if not np.isnan(state.book[GOAL, k, lane]):
            if tape.kind[LINKED, k] == 0:
                drop(record, t, k, state.order[DECIDED, k, lane], DELISTED)
            state.book[GOAL, k, lane] = np.nan
        state.book[STANDING, k, lane] = np.nan
    state.last[GONE, k] = 1.0
    for p in range(tape.legs.shape[0]):
        if tape.legs[p, 0] == k or tape.legs[p, 1] == k:
            dissolve(tape, state, record, t, p, k)
    return -1


@jit
def dissolve(tape: Tape, state: State, record: Record, t: int, p: int, k: int) -> None:
    """End a pair one of whose legs has left: drop what it had to do and get out of what is left of it."""
    adr = tape.legs[p, 1]
    left = tape.legs[p, 0] + tape.legs[p, 1] - k
    for lane in range(state.book.shape[2]):
        stage = state.link[STAGE, p, lane]
        if stage in (LEAD, HEDGE):
            drop(record, t, adr, state.link[DECIDED, p, lane], DELISTED)
        if not np.isnan(state.pair[QUEUED, p, lane]):
            drop(record, t, adr, state.link[QUEUED_DECIDED, p, lane], DELISTED)
        state.link[STAGE, p, lane] = GONE_PAIR
        state.pair[:, p, lane].fill(np.nan)
        if not nothing(state.book[HELD, left, lane], 0.0) and state.last[GONE, left] == 0.0:
            state.book[GOAL, left, lane] = 0.0
            state.order[DECIDED, left, lane] = t
            state.order[UNTIL, left, lane] = tape.quote.shape[1]


@jit
def act(tape: Tape, state: State, record: Record, t: int) -> int:
    """Stage 2: corporate actions effective at step t; return the line at fault or -1."""
    lanes = state.book.shape[2]
    for a in range(tape.action_first[t], tape.action_first[t + 1]):
        k = int(tape.actions[a, LINE])
        c = tape.kind[CURRENCY, k]
        kind = int(tape.actions[a, KIND])
        value = tape.actions[a, VALUE]
        if kind == SPLIT:
            state.last[LAST, k] /= value
            for lane in range(lanes):
                state.book[HELD, k, lane] *= value
                state.book[GOAL, k, lane] *= value
            for p in range(tape.legs.shape[0]):
                if tape.legs[p, 0] == k:
                    for lane in range(lanes):
                        state.pair[WANTED, p, lane] *= value
                        state.pair[QUEUED, p, lane] *= value
        elif kind == DIVIDEND:
            slot = int(tape.actions[a, INTO])
            for lane in range(lanes):
                held = state.book[HELD, k, lane]
                amount = held * (value if held > 0.0 else tape.actions[a, SHORT_VALUE])
                if slot >= 0:
                    state.slots[slot, lane] = amount
                    state.money[RECEIVABLE, c, lane] += amount
                else:
                    state.money[CASH, c, lane] += amount
                if record.on:
                    record.sources[DIVIDENDS, t, k] += amount * tape.rate[FX_RATE, t, c]
        elif kind == PAYMENT:
            for lane in range(lanes):
                amount = state.slots[int(tape.actions[a, INTO]), lane]
                state.money[RECEIVABLE, c, lane] -= amount
                state.money[CASH, c, lane] += amount
        else:
            fault = convert(tape, state, record, t, a)
            if fault >= 0:
                return fault
    return -1


@jit
def mark(tape: Tape, state: State, record: Record, t: int) -> None:
    """Stage 3: every line at its last traded price, this step's included."""
    lines = tape.quote.shape[2]
    for k in range(lines):
        before = state.last[LAST, k]
        price = tape.quote[PRICE_AT, t, k]
        if price == price:
            state.last[LAST, k] = price
        if record.on and t > 0 and state.book[HELD, k, 0] != 0.0:
            c = tape.kind[CURRENCY, k]
            held = state.book[HELD, k, 0]
            after = state.last[LAST, k]
            record.sources[PRICE, t, k] += held * (after - before) * tape.rate[FX_RATE, t - 1, c]
            record.sources[FX, t, k] += (
                held * after * (tape.rate[FX_RATE, t, c] - tape.rate[FX_RATE, t - 1, c])
            )


@jit
def nothing(quantity: float, held: float) -> bool:
    """Whether a quantity is no trade but what rounding leaves of one."""
    return abs(quantity) < SLACK * max(1.0, abs(held))


@jit
def may_sell(tape: Tape, k: int, t: int) -> bool:
    """Whether a short of line k may be opened or increased at step t."""
    return bool(tape.kind[SHORTABLE, k] == 1 and tape.clock[NO_SHORTS, t] == 0)


@jit
def needs_borrow(before: float, after: float) -> bool:
    """Whether a change of position opens or increases a short."""
    return min(after, 0.0) < min(before, 0.0) - SLACK * max(1.0, abs(before))


@jit
def fill_single(tape: Tape, state: State, record: Record, t: int, k: int, lane: int, why: int) -> None:
    """Fill the pending order of one line that trades at step t, as far as it may be."""
    goal = state.book[GOAL, k, lane]
    held = state.book[HELD, k, lane]
    trade = goal - held
    lot = tape.trait[LOT, k]
    if lot > 0.0 and goal != 0.0:
        trade = np.copysign(np.floor(abs(trade) / lot + SLACK) * lot, trade)
    if needs_borrow(held, held + trade) and not may_sell(tape, k, t):
        drop(record, t, k, state.order[DECIDED, k, lane], NO_BORROW)
        state.book[STANDING, k, lane] = np.nan
        trade = -max(held, 0.0)
    if not nothing(trade, held):
        execute(tape, state, record, t, k, lane, trade, why, state.order[DECIDED, k, lane])
    state.book[GOAL, k, lane] = np.nan


@jit
def resume(state: State, p: int, lane: int) -> None:
    """End an order of a pair and take up the target that waited for it."""
    state.link[STAGE, p, lane] = IDLE
    state.pair[WANTED, p, lane] = np.nan
    if not np.isnan(state.pair[QUEUED, p, lane]):
        state.link[STAGE, p, lane] = LEAD
        state.pair[WANTED, p, lane] = state.pair[QUEUED, p, lane]
        state.link[UNTIL, p, lane] = state.link[QUEUED_UNTIL, p, lane]
        state.link[DECIDED, p, lane] = state.link[QUEUED_DECIDED, p, lane]
        state.pair[QUEUED, p, lane] = np.nan


@jit
def lead_pair(tape: Tape, state: State, record: Record, t: int, p: int, lane: int) -> None:
    """Fill the leg of a pending linked order that trades at step t, if the other can follow in time."""
    ratio = tape.parity[RATIO, t, p]
    unit = tape.parity[UNIT, t, p]
    goal = state.pair[WANTED, p, lane]
    if tape.parity[LEAD_OK, t, p] == 0.0 or np.isnan(ratio):
        return
    for leg in range(2):
        k = tape.legs[p, leg]
        other = tape.legs[p, 1 - leg]
        if tape.door[t, k] != OPEN or tape.door[t, other] == HALTED:
            continue
        # Ordinary shares per share of this leg and of the other, with the sign of the leg.
        own = 1.0 if leg == 0 else -ratio
        opposite = -ratio if leg == 0 else 1.0
        held = state.book[HELD, k, lane]
        trade = goal / own - held
        if unit > 0.0 and goal != 0.0:
            ordinary = np.floor(abs(trade * own) / unit + SLACK) * unit
            trade = np.copysign(ordinary / abs(own), trade)
        if nothing(trade, held):
            # Nothing to lead with; an exit is then left to the leg that still holds something.
            if goal != 0.0 or nothing(state.book[HELD, other, lane], 0.0):
                resume(state, p, lane)
                return
            continue
        follows = -(held + trade) * own / opposite
        if needs_borrow(held, held + trade) and not may_sell(tape, k, t):
            continue
        if needs_borrow(state.book[HELD, other, lane], -follows) and not may_sell(tape, other, t):
            continue
        execute(tape, state, record, t, k, lane, trade, LEADING, state.link[DECIDED, p, lane])
        state.link[STAGE, p, lane] = HEDGE
        state.link[LEADER, p, lane] = leg
        state.link[HEDGE_UNTIL, p, lane] = tape.ends[TO_HEDGE, t, tape.kind[VENUE, other]]
        return


@jit
def follow_pair(tape: Tape, state: State, record: Record, t: int, p: int, lane: int, why: int) -> bool:
    """Bring one leg of a pair to the other's ordinary shares, if it can trade at step t."""
    leg = 1 - state.link[LEADER, p, lane] if why == HEDGING else state.link[LEADER, p, lane]
    k = tape.legs[p, leg]
    if tape.door[t, k] != OPEN:
        return False
    ratio = tape.parity[RATIO, t, p]
    held = state.book[HELD, k, lane]
    opposite = state.book[HELD, tape.legs[p, 1 - leg], lane]
    trade = (-opposite / ratio if leg == 1 else -opposite * ratio) - held
    if needs_borrow(held, held + trade) and not may_sell(tape, k, t):
        if why == HEDGING:
            return False
        # An unwind cannot wait for a borrow: it stops at zero.
        drop(record, t, tape.legs[p, 1], state.link[DECIDED, p, lane], NO_BORROW)
        trade = -max(held, 0.0)
    if not nothing(trade, held):
        execute(tape, state, record, t, k, lane, trade, why, state.link[DECIDED, p, lane])
    return True


@jit
def fill(tape: Tape, state: State, record: Record, t: int) -> None:
    """Stage 4: fill what is pending and can trade, forced orders first."""
    lines, lanes = state.book.shape[1], state.book.shape[2]
    pairs = tape.legs.shape[0]
    for p in range(pairs):
        for lane in range(lanes):
            if state.link[STAGE, p, lane] == GONE_PAIR:
                for leg in range(2):
                    k = tape.legs[p, leg]
                    pending = not np.isnan(state.book[GOAL, k, lane])
                    if pending and tape.door[t, k] == OPEN and state.order[DECIDED, k, lane] < t:
                        fill_single(tape, state, record, t, k, lane, FORCED)
            elif state.link[STAGE, p, lane] == UNWIND and follow_pair(
                tape, state, record, t, p, lane, UNWINDING
            ):
                resume(state, p, lane)
                # What waited may lead from the next step on.
                state.link[HEDGE_UNTIL, p, lane] = -t - 1
    for k in range(lines):
        if tape.kind[LINKED, k] == 0 and tape.door[t, k] == OPEN:
            for lane in range(lanes):
                if not np.isnan(state.book[GOAL, k, lane]):
                    fill_single(tape, state, record, t, k, lane, TARGET)
    for p in range(pairs):
        for lane in range(lanes):
            if state.link[STAGE, p, lane] == HEDGE:
                if follow_pair(tape, state, record, t, p, lane, HEDGING):
                    resume(state, p, lane)
            elif state.link[STAGE, p, lane] == LEAD and state.link[HEDGE_UNTIL, p, lane] != -t - 1:
                lead_pair(tape, state, record, t, p, lane)


@jit
def expire(tape: Tape, state: State, record: Record, t: int, same_step: bool) -> None:
    """Drop orders that have waited too long, and hedges that have been missed."""
    lines, lanes = state.book.shape[1], state.book.shape[2]
    for k in range(lines):
        if tape.kind[LINKED, k] == 1:
            continue
        for lane in range(lanes):
            late = same_step or t >= state.order[UNTIL, k, lane]
            if late and not np.isnan(state.book[GOAL, k, lane]):
                drop(record, t, k, state.order[DECIDED, k, lane], EXPIRED)
                state.book[GOAL, k, lane] = np.nan
                state.book[STANDING, k, lane] = np.nan
    for p in range(tape.legs.shape[0]):
        adr = tape.legs[p, 1]
        for lane in range(lanes):
            stage = state.link[STAGE, p, lane]
            if stage == HEDGE and t >= state.link[HEDGE_UNTIL, p, lane]:
                drop(record, t, adr, state.link[DECIDED, p, lane], UNWOUND)
                state.link[STAGE, p, lane] = UNWIND
                state.link[DECIDED, p, lane] = t
                if np.isnan(state.pair[QUEUED, p, lane]):
                    state.pair[KEPT, p, lane] = np.nan
            elif stage == LEAD and t >= state.link[UNTIL, p, lane]:
                drop(record, t, adr, state.link[DECIDED, p, lane], EXPIRED)
                state.link[STAGE, p, lane] = IDLE
                state.pair[KEPT, p, lane] = np.nan
            if not np.isnan(state.pair[QUEUED, p, lane]) and t >= state.link[QUEUED_UNTIL, p, lane]:
                drop(record, t, adr, state.link[QUEUED_DECIDED, p, lane], EXPIRED)
                state.pair[QUEUED, p, lane] = np.nan
                state.pair[KEPT, p, lane] = np.nan


@jit
def value(tape: Tape, state: State, t: int, equity: Floats) -> None:
    """Equity of every lane: cash and receivables of all currencies, then the marked lines in order."""
    lanes = equity.shape[0]
    equity.fill(0.0)
    for c in range(tape.rate.shape[2]):
        rate = tape.rate[FX_RATE, t, c]
        for lane in range(lanes):
            equity[lane] += rate * (state.money[CASH, c, lane] + state.money[RECEIVABLE, c, lane])
    for k in range(tape.quote.shape[2]):
        if np.isnan(state.last[LAST, k]):
            continue
        worth = state.last[LAST, k] * tape.rate[FX_RATE, t, tape.kind[CURRENCY, k]]
        for lane in range(lanes):
            equity[lane] += state.book[HELD, k, lane] * worth


@jit
def decide_single(
    tape: Tape,
    state: State,
    record: Record,
    t: int,
    k: int,
    lane: int,
    weight: float,
    band: float,
    equity: float,
) -> None:
    """Turn the target of one line into a pending quantity, or look at its drift."""
    if state.last[GONE, k] == 1.0:
        return
    held = state.book[HELD, k, lane]
    worth = state.last[LAST, k] * tape.rate[FX_RATE, t, tape.kind[CURRENCY, k]]
    if np.isnan(weight):
        weight = state.book[STANDING, k, lane]
        if np.isnan(weight) or not np.isnan(state.book[GOAL, k, lane]):
            return
        if not abs(held * worth / equity - weight) > band * abs(weight):
            return
    state.book[STANDING, k, lane] = weight
    if weight == 0.0 and nothing(held, 0.0):
        state.book[GOAL, k, lane] = np.nan
        return
    if np.isnan(worth):
        drop(record, t, k, t, UNPRICED)
        state.book[STANDING, k, lane] = np.nan
        return
    state.book[GOAL, k, lane] = weight * equity / worth
    state.order[DECIDED, k, lane] = t
    state.order[UNTIL, k, lane] = tape.ends[TO_LIVE, t, tape.kind[VENUE, k]]


@jit
def decide_pair(
    tape: Tape,
    state: State,
    record: Record,
    t: int,
    p: int,
    lane: int,
    weight: float,
    band: float,
    equity: float,
) -> None:
    """Turn the target of a linked pair into a pending quantity of Hong Kong shares, or look at its drift."""
    stage = state.link[STAGE, p, lane]
    if stage == GONE_PAIR:
        return
    hk, adr = tape.legs[p, 0], tape.legs[p, 1]
    held = state.book[HELD, hk, lane]
    worth = state.last[LAST, hk] * tape.rate[FX_RATE, t, tape.kind[CURRENCY, hk]]
    if np.isnan(weight):
        weight = state.pair[KEPT, p, lane]
        if stage != IDLE or np.isnan(weight) or not abs(held * worth / equity - weight) > band * abs(weight):
            return
    outstanding = stage in (HEDGE, UNWIND)
    state.pair[KEPT, p, lane] = weight
    if weight == 0.0 and not outstanding and nothing(held, 0.0) and nothing(state.book[HELD, adr, lane], 0.0):
        state.link[STAGE, p, lane] = IDLE
        return
    goal = weight * equity / worth
    if weight == 0.0:
        goal = 0.0
    if np.isnan(goal):
        drop(record, t, adr, t, UNPRICED)
        state.pair[KEPT, p, lane] = np.nan
        return
    until = max(tape.ends[TO_LIVE, t, tape.kind[VENUE, hk]], tape.ends[TO_LIVE, t, tape.kind[VENUE, adr]])
    if outstanding:
        state.pair[QUEUED, p, lane] = goal
        state.link[QUEUED_UNTIL, p, lane] = until
        state.link[QUEUED_DECIDED, p, lane] = t
        return
    state.link[STAGE, p, lane] = LEAD
    state.pair[WANTED, p, lane] = goal
    state.link[UNTIL, p, lane] = until
    state.link[DECIDED, p, lane] = t


@jit
def decide(
    tape: Tape,
    state: State,
    record: Record,
    t: int,
    weights: Floats,
    pair_weights: Floats,
    band: float,
    same_step: bool,
    equity: Floats,
) -> None:
    """Stage 7: the targets of step t become pending quantities."""
    lanes = equity.shape[0]
    drifts = tape.clock[DECIDES, t] == 1 and band < np.inf
    for k in range(weights.shape[2]):
        drifting = drifts and (not same_step or tape.door[t, k] == OPEN)
        for lane in range(lanes):
            weight = weights[lane, t, k]
            if drifting or weight == weight:
                decide_single(tape, state, record, t, k, lane, weight, band, equity[lane])
    for p in range(pair_weights.shape[2]):
        for lane in range(lanes):
            weight = pair_weights[lane, t, p]
            if drifts or weight == weight:
                decide_pair(tape, state, record, t, p, lane, weight, band, equity[lane])


@kernel
def run(
    tape: Tape,
    state: State,
    record: Record,
    weights: Floats,
    pair_weights: Floats,
    band: float,
    same_step: bool,
    equity: Floats,
) -> tuple[int, int]:
    """Run the clock over all steps.

    Args:
        tape: the market and its costs.
        state: what every lane starts with; changed in place.
        record: where lane 0 leaves its fills, positions and contributions.
        weights: (L, T, K) wanted weights of equity, NaN = leave alone.
        pair_weights: (L, T, P) wanted weights of the Hong Kong legs of linked pairs.
        band: relative drift beyond which a standing target is decided again at a decision step.
        same_step: decide on the mark of a step and fill at it, instead of filling at the next step.
        equity: (T, L) out, in base currency, after the fills of each step.

    Returns:
        Step and line of a conversion with nothing to convert into, or (-1, -1).
    """
    steps = tape.quote.shape[1]
    currencies, lanes = state.money.shape[1], state.money.shape[2]
    lines = tape.quote.shape[2]
    now = state.now
    for t in range(steps):
        if t > 0:
            if record.on:
                for c in range(currencies):
                    held = state.money[CASH, c, 0] + state.money[RECEIVABLE, c, 0]
                    record.sources[FX, t, lines + c] += held * (
                        tape.rate[FX_RATE, t, c] - tape.rate[FX_RATE, t - 1, c]
                    )
            if tape.accrues:
                accrue(tape, state, record, t)
                settle(state, t)
        fault = act(tape, state, record, t)
        if fault >= 0:
            return t, fault
        mark(tape, state, record, t)
        if same_step:
            value(tape, state, t, now)
            decide(tape, state, record, t, weights, pair_weights, band, same_step, now)
        fill(tape, state, record, t)
        expire(tape, state, record, t, same_step)
        value(tape, state, t, now)
        for lane in range(lanes):
            equity[t, lane] = now[lane]
        # 6. Margin comes here: after the New York close, before the strategy decides.
        if not same_step:
            decide(tape, state, record, t, weights, pair_weights, band, same_step, now)
        if record.on:
            for k in range(lines):
                record.positions[t, k] = state.book[HELD, k, 0]
            for c in range(currencies):
                record.cash[t, c] = state.money[CASH, c, 0]
                record.receivable[t, c] = state.money[RECEIVABLE, c, 0]
    return -1, -1
