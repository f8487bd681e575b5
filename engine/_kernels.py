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
IDLE, LEAD, HEDGE, UNWIND, EVEN, GONE_PAIR = range(6)
# Why a fill happened.
TARGET, LEADING, HEDGING, UNWINDING, FORCED = 0, 1, 2, 3, 4
# Why an order was dropped.
EXPIRED, NO_BORROW, UNPRICED, DELISTED, UNWOUND = 0, 1, 2, 3, 4
# The expiry of an order that must be filled, whenever that is.
FOREVER = np.iinfo(np.int64).max - 1
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
    flags: Ints  # (5, K): CURRENCY (0 is the base), VENUE, SHORTABLE, EXACT (fees by order), LINKED (a leg)
    rates: Floats  # (2, T, C): FX_RATE (base per unit, last known), INTEREST_RATE (per day over (t-1, t])
    carry: Floats  # (2, C): DEBIT and REBATE_SPREAD, per day
    clock: (
        Ints  # (3, T): SETTLES (step at which a trade of t settles), DECIDES (drift is looked at), NO_SHORTS
    )
    elapsed: Floats  # (T,) days since the step before
    ends: Ints  # (2, T, V): last step of the venue's third (TO_LIVE) and second (TO_HEDGE) session after t
    schedule: Floats  # (rows, kinds, 2 sides, 6): rate, per share, minimum, maximum, unit, rounds up
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
    marks: Floats  # (2, K): LAST traded price, GONE (1 = left the market)
    now: Floats  # (L,) equity
    scratch: Floats  # (2, L)
    wanted: Floats  # (K, L) scratch


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
    recording, counts, dropped = record.on, record.counts, record.dropped
    if recording:
        n = counts[1]
        dropped[n, 0] = t
        dropped[n, 1] = line
        dropped[n, 2] = decided
        dropped[n, 3] = reason
        counts[1] = n + 1


@jit
def execute(
    tape: Tape, state: State, record: Record, t: int, k: int, lane: int, trade: float, why: int, decided: int
) -> None:
    """Fill a trade of one line at the price of step t, worsened by the half-spread, and pay its fees."""
    quote, flags, schedule, fee_row = tape.quote, tape.flags, tape.schedule, tape.fee_row
    rates, convert, fx_spread, accrues = tape.rates, tape.convert, tape.fx_spread, tape.accrues
    clock = tape.clock
    book, money, due = state.book, state.money, state.due
    recording, counts, fills, sources = record.on, record.counts, record.fills, record.sources
    price = quote[PRICE_AT, t, k]
    half = quote[HALF_SPREAD, t, k]
    side = 0 if trade > 0.0 else 1
    fill_price = price * (1.0 + half) if side == 0 else price * (1.0 - half)
    shares = abs(trade)
    notional = shares * fill_price
    if flags[EXACT, k] == 1:
        fees = 0.0
        for kind in range(schedule.shape[1]):
            fees += fee(schedule, fee_row[t, k], kind, side, notional, shares)
    else:
        fees = notional * quote[BUY_FEES + side, t, k]

    before = book[HELD, k, lane]
    after = before + trade
    book[HELD, k, lane] = after
    bought_long = max(after, 0.0) - max(before, 0.0)
    # The long side and the fees settle later; what a short sale brings in is collateral from the start.
    flow = -bought_long * fill_price - fees
    collateral = (bought_long - trade) * fill_price
    c = flags[CURRENCY, k]
    rate = rates[FX_RATE, t, c]
    spread = 0.0
    money[CASH, c, lane] += collateral
    if convert and c > 0:
        spread = fx_spread * abs(flow) * rate
        flow = flow * rate - spread
        c = 0
    money[CASH, c, lane] += flow
    if accrues and clock[SETTLES, t] > t:
        money[UNSETTLED, c, lane] += flow
        due[clock[SETTLES, t] % due.shape[0], c, lane] += flow

    if recording:
        n = counts[0]
        fills[n, 0], fills[n, 1], fills[n, 2], fills[n, 3], fills[n, 4] = t, k, trade, price, fill_price
        fills[n, 5], fills[n, 6], fills[n, 7], fills[n, 8] = rate, why, decided, fees
        for kind in range(schedule.shape[1]):
            amount = fee(schedule, fee_row[t, k], kind, side, notional, shares)
            fills[n, 9 + kind] = amount
            sources[FIRST_FEE + kind, t, k] -= amount * rate
        sources[SLIPPAGE, t, k] -= shares * price * half * rate
        sources[FX_SPREAD, t, k] -= spread
        counts[0] = n + 1


@jit
def accrue(tape: Tape, state: State, record: Record, t: int) -> None:
    """Stage 1: borrow, rebate, ADS fees and interest over (t-1, t], on the state left by t-1."""
    elapsed, flags, trait, rates = tape.elapsed, tape.flags, tape.trait, tape.rates
    carry = tape.carry
    book, money, marks = state.book, state.money, state.marks
    recording, sources = record.on, record.sources
    lines, lanes = book.shape[1], book.shape[2]
    days = elapsed[t]
    money[SHORTED].fill(0.0)
    money[ACCRUED].fill(0.0)
    for k in range(lines):
        c = flags[CURRENCY, k]
        last = marks[LAST, k]
        borrow_rate = trait[BORROW_RATE, k] * days
        rebate_rate = (rates[INTEREST_RATE, t, c] - carry[REBATE_SPREAD, c]) * days
        custody_fee = trait[CUSTODY, k] * days
        if np.isnan(last):
            continue
        held, shorted, accrued = book[HELD, k], money[SHORTED, c], money[ACCRUED, c]
        for lane in range(lanes):
            worth = -min(held[lane], 0.0) * last
            shorted[lane] += worth
            accrued[lane] += worth * rebate_rate - worth * borrow_rate - abs(held[lane]) * custody_fee
        if recording:
            worth = -min(held[0], 0.0) * last * rates[FX_RATE, t, c]
            sources[BORROW, t, k] -= worth * borrow_rate
            sources[REBATE, t, k] += worth * rebate_rate
            sources[ADS_FEE, t, k] -= abs(held[0]) * custody_fee * rates[FX_RATE, t, c]
    for c in range(rates.shape[2]):
        cash, shorted, accrued, unsettled = (
            money[CASH, c],
            money[SHORTED, c],
            money[ACCRUED, c],
            money[UNSETTLED, c],
        )
        credit, debit = rates[INTEREST_RATE, t, c], rates[INTEREST_RATE, t, c] + carry[DEBIT, c]
        for lane in range(lanes):
            free = cash[lane] - shorted[lane] - unsettled[lane]
            shorted[lane] = free * (credit if free >= 0.0 else debit) * days
            cash[lane] += accrued[lane] + shorted[lane]
        if recording:
            sources[INTEREST, t, lines + c] += shorted[0] * rates[FX_RATE, t, c]


@jit
def settle(state: State, t: int) -> None:
    """Release the flows that settle at step t."""
    due, money = state.due, state.money
    slot = t % due.shape[0]
    for c in range(money.shape[1]):
        for lane in range(money.shape[2]):
            money[UNSETTLED, c, lane] -= due[slot, c, lane]
            due[slot, c, lane] = 0.0


@jit
def convert(tape: Tape, state: State, record: Record, t: int, a: int) -> int:
    """Exchange a line that leaves the market for its Hong Kong line; return the line at fault or -1."""
    actions, flags, rates, legs = tape.actions, tape.flags, tape.rates, tape.legs
    book, marks, money, order = state.book, state.marks, state.money, state.order
    recording, sources = record.on, record.sources
    k = int(actions[a, LINE])
    into = int(actions[a, INTO])
    before = max(t - 1, 0)
    c = flags[CURRENCY, k]
    for lane in range(book.shape[2]):
        held = book[HELD, k, lane]
        if held != 0.0:
            if into < 0 or np.isnan(marks[LAST, into]):
                return k
            shares = held * actions[a, VALUE]
            paid = np.ceil(abs(held) / 100.0 - SLACK) * 100.0 * actions[a, SHORT_VALUE]
            after = book[HELD, into, lane] + shares
            book[HELD, into, lane] = 0.0 if nothing(after, shares) else after
            if book[HELD, into, lane] < 0.0 and flags[LINKED, into] == 0 and flags[SHORTABLE, into] == 0:
                # A short that lands in a line nobody lends is bought in.
                book[GOAL, into, lane] = 0.0
                order[DECIDED, into, lane] = t
                order[UNTIL, into, lane] = FOREVER
            book[HELD, k, lane] = 0.0
            money[CASH, c, lane] -= paid
            if recording:
                change = shares * marks[LAST, into] * rates[FX_RATE, before, flags[CURRENCY, into]]
                change -= held * marks[LAST, k] * rates[FX_RATE, before, c]
                sources[CONVERT, t, k] += change
                sources[CONVERT_FEE, t, k] -= paid * rates[FX_RATE, t, c]
        if not np.isnan(book[GOAL, k, lane]):
            if flags[LINKED, k] == 0:
                drop(record, t, k, order[DECIDED, k, lane], DELISTED)
            book[GOAL, k, lane] = np.nan
        book[STANDING, k, lane] = np.nan
    marks[GONE, k] = 1.0
    for p in range(legs.shape[0]):
        if legs[p, 0] == k or legs[p, 1] == k:
            dissolve(tape, state, record, t, p, k)
    return -1


@jit
def dissolve(tape: Tape, state: State, record: Record, t: int, p: int, k: int) -> None:
    """End a pair one of whose legs has left: drop what it had to do and get out of what is left of it."""
    legs = tape.legs
    book, link, pair, marks = state.book, state.link, state.pair, state.marks
    order = state.order
    adr = legs[p, 1]
    left = legs[p, 0] + legs[p, 1] - k
    for lane in range(book.shape[2]):
        stage = link[STAGE, p, lane]
        if stage in (LEAD, HEDGE):
            drop(record, t, adr, link[DECIDED, p, lane], DELISTED)
        if not np.isnan(pair[QUEUED, p, lane]):
            drop(record, t, adr, link[QUEUED_DECIDED, p, lane], DELISTED)
        link[STAGE, p, lane] = GONE_PAIR
        pair[:, p, lane].fill(np.nan)
        if not nothing(book[HELD, left, lane], 0.0) and marks[GONE, left] == 0.0:
            book[GOAL, left, lane] = 0.0
            order[DECIDED, left, lane] = t
            order[UNTIL, left, lane] = FOREVER


@jit
def act(tape: Tape, state: State, record: Record, t: int) -> int:
    """Stage 2: corporate actions effective at step t; return the line at fault or -1."""
    action_first, actions, flags, legs = tape.action_first, tape.actions, tape.flags, tape.legs
    rates = tape.rates
    book, marks, pair, slots = state.book, state.marks, state.pair, state.slots
    money = state.money
    recording, sources = record.on, record.sources
    lanes = book.shape[2]
    for a in range(action_first[t], action_first[t + 1]):
        k = int(actions[a, LINE])
        c = flags[CURRENCY, k]
        kind = int(actions[a, KIND])
        value = actions[a, VALUE]
        if kind == SPLIT:
            marks[LAST, k] /= value
            for lane in range(lanes):
                book[HELD, k, lane] *= value
                book[GOAL, k, lane] *= value
            for p in range(legs.shape[0]):
                if legs[p, 0] == k:
                    for lane in range(lanes):
                        pair[WANTED, p, lane] *= value
                        pair[QUEUED, p, lane] *= value
        elif kind == DIVIDEND:
            slot = int(actions[a, INTO])
            for lane in range(lanes):
                held = book[HELD, k, lane]
                amount = held * (value if held > 0.0 else actions[a, SHORT_VALUE])
                if slot >= 0:
                    slots[slot, lane] = amount
                    money[RECEIVABLE, c, lane] += amount
                else:
                    money[CASH, c, lane] += amount
                if recording:
                    sources[DIVIDENDS, t, k] += amount * rates[FX_RATE, t, c]
        elif kind == PAYMENT:
            for lane in range(lanes):
                amount = slots[int(actions[a, INTO]), lane]
                money[RECEIVABLE, c, lane] -= amount
                money[CASH, c, lane] += amount
        else:
            fault = convert(tape, state, record, t, a)
            if fault >= 0:
                return fault
    return -1


@jit
def mark(tape: Tape, state: State, record: Record, t: int) -> None:
    """Stage 3: every line at its last traded price, this step's included."""
    quote, flags, rates = tape.quote, tape.flags, tape.rates
    marks, book = state.marks, state.book
    recording, sources = record.on, record.sources
    lines = quote.shape[2]
    for k in range(lines):
        before = marks[LAST, k]
        price = quote[PRICE_AT, t, k]
        if price == price:
            marks[LAST, k] = price
        if recording and t > 0 and book[HELD, k, 0] != 0.0:
            c = flags[CURRENCY, k]
            held = book[HELD, k, 0]
            after = marks[LAST, k]
            sources[PRICE, t, k] += held * (after - before) * rates[FX_RATE, t - 1, c]
            sources[FX, t, k] += held * after * (rates[FX_RATE, t, c] - rates[FX_RATE, t - 1, c])


@jit
def nothing(quantity: float, held: float) -> bool:
    """Whether a quantity is no trade but what rounding leaves of one."""
    return abs(quantity) < SLACK * max(1.0, abs(held))


@jit
def may_sell(tape: Tape, k: int, t: int) -> bool:
    """Whether a short of line k may be opened or increased at step t."""
    flags, clock = tape.flags, tape.clock
    return bool(flags[SHORTABLE, k] == 1 and clock[NO_SHORTS, t] == 0)


@jit
def needs_borrow(before: float, after: float) -> bool:
    """Whether a change of position opens or increases a short."""
    return min(after, 0.0) < min(before, 0.0) - SLACK * max(1.0, abs(before))


@jit
def fill_single(tape: Tape, state: State, record: Record, t: int, k: int, lane: int, why: int) -> None:
    """Fill the pending order of one line that trades at step t, as far as it may be."""
    trait = tape.trait
    book, order = state.book, state.order
    goal = book[GOAL, k, lane]
    held = book[HELD, k, lane]
    trade = goal - held
    lot = trait[LOT, k]
    if lot > 0.0 and goal != 0.0:
        trade = np.copysign(np.floor(abs(trade) / lot + SLACK) * lot, trade)
    if needs_borrow(held, held + trade) and not may_sell(tape, k, t):
        drop(record, t, k, order[DECIDED, k, lane], NO_BORROW)
        trade = -max(held, 0.0)
    if not nothing(trade, held):
        execute(tape, state, record, t, k, lane, trade, why, order[DECIDED, k, lane])
    book[GOAL, k, lane] = np.nan


@jit
def resume(state: State, p: int, lane: int) -> None:
    """End an order of a pair and take up the target that waited for it."""
    link, pair = state.link, state.pair
    link[STAGE, p, lane] = IDLE
    pair[WANTED, p, lane] = np.nan
    if not np.isnan(pair[QUEUED, p, lane]):
        link[STAGE, p, lane] = LEAD
        pair[WANTED, p, lane] = pair[QUEUED, p, lane]
        link[UNTIL, p, lane] = link[QUEUED_UNTIL, p, lane]
        link[DECIDED, p, lane] = link[QUEUED_DECIDED, p, lane]
        pair[QUEUED, p, lane] = np.nan


@jit
def lead_pair(tape: Tape, state: State, record: Record, t: int, p: int, lane: int) -> None:
    """Fill the leg of a pending linked order that trades at step t, if the other can follow in time."""
    parity, legs, door, ends = tape.parity, tape.legs, tape.door, tape.ends
    flags = tape.flags
    pair, book, link = state.pair, state.book, state.link
    ratio = parity[RATIO, t, p]
    unit = parity[UNIT, t, p]
    goal = pair[WANTED, p, lane]
    if parity[LEAD_OK, t, p] == 0.0 or np.isnan(ratio):
        return
    for leg in range(2):
        k = legs[p, leg]
        other = legs[p, 1 - leg]
        if door[t, k] != OPEN or door[t, other] == HALTED:
            continue
        # Ordinary shares per share of this leg and of the other, with the sign of the leg.
        own = 1.0 if leg == 0 else -ratio
        opposite = -ratio if leg == 0 else 1.0
        held = book[HELD, k, lane]
        trade = goal / own - held
        if unit > 0.0 and goal != 0.0:
            ordinary = np.floor(abs(trade * own) / unit + SLACK) * unit
            trade = np.copysign(ordinary / abs(own), trade)
        if nothing(trade, held):
            # Nothing to lead with; an exit is then left to the leg that still holds something.
            if goal != 0.0 or nothing(book[HELD, other, lane], 0.0):
                link[STAGE, p, lane] = EVEN
                return
            continue
        follows = -(held + trade) * own / opposite
        if needs_borrow(held, held + trade) and not may_sell(tape, k, t):
            continue
        if needs_borrow(book[HELD, other, lane], -follows) and not may_sell(tape, other, t):
            continue
        execute(tape, state, record, t, k, lane, trade, LEADING, link[DECIDED, p, lane])
        link[STAGE, p, lane] = HEDGE
        link[LEADER, p, lane] = leg
        link[HEDGE_UNTIL, p, lane] = ends[TO_HEDGE, t, flags[VENUE, other]]
        return


@jit
def follow_pair(tape: Tape, state: State, record: Record, t: int, p: int, lane: int, why: int) -> bool:
    """Bring one leg of a pair to the other's ordinary shares, if it can trade at step t."""
    legs, door, parity = tape.legs, tape.door, tape.parity
    link, book = state.link, state.book
    leg = 1 - link[LEADER, p, lane] if why == HEDGING else link[LEADER, p, lane]
    k = legs[p, leg]
    if door[t, k] != OPEN:
        return False
    ratio = parity[RATIO, t, p]
    held = book[HELD, k, lane]
    opposite = book[HELD, legs[p, 1 - leg], lane]
    trade = (-opposite / ratio if leg == 1 else -opposite * ratio) - held
    if needs_borrow(held, held + trade) and not may_sell(tape, k, t):
        if why == HEDGING:
            return False
        # An unwind cannot wait for a borrow: it stops at zero.
        drop(record, t, legs[p, 1], link[DECIDED, p, lane], NO_BORROW)
        trade = -max(held, 0.0)
    if not nothing(trade, held):
        execute(tape, state, record, t, k, lane, trade, why, link[DECIDED, p, lane])
    return True


@jit
def fill_plain(tape: Tape, state: State, t: int) -> None:
    """Fill the pending single orders of every lane in lines without lots, minimum fees or a short ban.

    What `fill_single` and `execute` do to one lane, on whole rows: no branch, so that it vectorises.
    """
    quote, flags, rates, clock = tape.quote, tape.flags, tape.rates, tape.clock
    convert, fx_spread = tape.convert, tape.fx_spread
    book, money, due, scratch = state.book, state.money, state.due, state.scratch
    lines, lanes = book.shape[1], book.shape[2]
    waits = tape.accrues and clock[SETTLES, t] > t
    slot = clock[SETTLES, t] % due.shape[0] if waits else 0
    for k in range(lines):
        if not plain(tape, k, t) or tape.door[t, k] != OPEN:
            continue
        price, half = quote[PRICE_AT, t, k], quote[HALF_SPREAD, t, k]
        ask, bid = price * (1.0 + half), price * (1.0 - half)
        buy_fees, sell_fees = quote[BUY_FEES, t, k], quote[SELL_FEES, t, k]
        c = flags[CURRENCY, k]
        held, goal = book[HELD, k], book[GOAL, k]
        flow, collateral = scratch[0], scratch[1]
        for lane in range(lanes):
            before = held[lane]
            wanted = goal[lane]
            trade = wanted - before if wanted == wanted else 0.0
            trade = 0.0 if abs(trade) < SLACK * max(1.0, abs(before)) else trade
            fill_price = ask if trade > 0.0 else bid
            fees = abs(trade) * fill_price * (buy_fees if trade > 0.0 else sell_fees)
            after = before + trade
            bought_long = max(after, 0.0) - max(before, 0.0)
            flow[lane] = -bought_long * fill_price - fees
            collateral[lane] = (bought_long - trade) * fill_price
            held[lane] = after
            goal[lane] = np.nan
        # One row at a time: two names for one row of cash would keep the loop from vectorising.
        cash = money[CASH, c]
        for lane in range(lanes):
            cash[lane] += collateral[lane]
        if convert and c > 0:
            rate = rates[FX_RATE, t, c]
            c = 0
            for lane in range(lanes):
                flow[lane] = flow[lane] * rate - fx_spread * abs(flow[lane]) * rate
        cash = money[CASH, c]
        for lane in range(lanes):
            cash[lane] += flow[lane]
        if waits:
            unsettled, owed = money[UNSETTLED, c], due[slot, c]
            for lane in range(lanes):
                unsettled[lane] += flow[lane]
                owed[lane] += flow[lane]


@jit
def plain(tape: Tape, k: int, t: int) -> bool:
    """Whether a single line has neither lots nor order-by-order fees nor, at step t, a ban on shorts."""
    flags = tape.flags
    simple = flags[LINKED, k] == 0 and flags[EXACT, k] == 0 and tape.trait[LOT, k] == 0.0
    return bool(simple and may_sell(tape, k, t))


@jit
def fill(tape: Tape, state: State, record: Record, t: int) -> None:
    """Stage 4: fill what is pending and can trade, forced orders first."""
    legs, door, flags = tape.legs, tape.door, tape.flags
    book, link, order = state.book, state.link, state.order
    lines, lanes = book.shape[1], book.shape[2]
    pairs = legs.shape[0]
    for p in range(pairs):
        for lane in range(lanes):
            if link[STAGE, p, lane] == GONE_PAIR:
                for leg in range(2):
                    k = legs[p, leg]
                    pending = not np.isnan(book[GOAL, k, lane])
                    if pending and door[t, k] == OPEN and order[DECIDED, k, lane] < t:
                        fill_single(tape, state, record, t, k, lane, FORCED)
            elif link[STAGE, p, lane] == UNWIND and follow_pair(tape, state, record, t, p, lane, UNWINDING):
                link[STAGE, p, lane] = EVEN
    if not record.on:
        fill_plain(tape, state, t)
    for k in range(lines):
        if flags[LINKED, k] == 0 and door[t, k] == OPEN and (record.on or not plain(tape, k, t)):
            for lane in range(lanes):
                forced = order[UNTIL, k, lane] == FOREVER
                if not np.isnan(book[GOAL, k, lane]) and not (forced and order[DECIDED, k, lane] == t):
                    fill_single(tape, state, record, t, k, lane, FORCED if forced else TARGET)
    for p in range(pairs):
        for lane in range(lanes):
            if link[STAGE, p, lane] == HEDGE:
                if follow_pair(tape, state, record, t, p, lane, HEDGING):
                    link[STAGE, p, lane] = EVEN
            elif link[STAGE, p, lane] == LEAD:
                lead_pair(tape, state, record, t, p, lane)
            # What waited for a hedge or an unwind may lead from the next step on.
            if link[STAGE, p, lane] == EVEN:
                resume(state, p, lane)


@jit
def expire(tape: Tape, state: State, record: Record, t: int, same_step: bool) -> None:
    """Drop orders that have waited too long, and hedges that have been missed.

    What was wanted still is: a standing target is decided again when its drift is next looked at.
    """
    flags, legs = tape.flags, tape.legs
    book, order, link, pair = state.book, state.order, state.link, state.pair
    lines, lanes = book.shape[1], book.shape[2]
    for k in range(lines):
        if flags[LINKED, k] == 1:
            continue
        goal = book[GOAL, k]
        pending = 0
        for lane in range(lanes):
            pending += goal[lane] == goal[lane]
        if pending == 0:
            continue
        for lane in range(lanes):
            late = (same_step or t >= order[UNTIL, k, lane]) and order[UNTIL, k, lane] != FOREVER
            if late and not np.isnan(goal[lane]):
                drop(record, t, k, order[DECIDED, k, lane], EXPIRED)
                goal[lane] = np.nan
    for p in range(legs.shape[0]):
        adr = legs[p, 1]
        for lane in range(lanes):
            stage = link[STAGE, p, lane]
            if stage == HEDGE and t >= link[HEDGE_UNTIL, p, lane]:
                drop(record, t, adr, link[DECIDED, p, lane], UNWOUND)
                link[STAGE, p, lane] = UNWIND
                link[DECIDED, p, lane] = t
            elif stage == LEAD and t >= link[UNTIL, p, lane]:
                drop(record, t, adr, link[DECIDED, p, lane], EXPIRED)
                link[STAGE, p, lane] = IDLE
            if not np.isnan(pair[QUEUED, p, lane]) and t >= link[QUEUED_UNTIL, p, lane]:
                drop(record, t, adr, link[QUEUED_DECIDED, p, lane], EXPIRED)
                pair[QUEUED, p, lane] = np.nan


@jit
def value(tape: Tape, state: State, t: int, equity: Floats) -> None:
    """Equity of every lane: cash and receivables of all currencies, then the marked lines in order."""
    rates, quote, flags = tape.rates, tape.quote, tape.flags
    money, marks, book = state.money, state.marks, state.book
    lanes = equity.shape[0]
    equity.fill(0.0)
    for c in range(rates.shape[2]):
        rate = rates[FX_RATE, t, c]
        cash, receivable = money[CASH, c], money[RECEIVABLE, c]
        for lane in range(lanes):
            equity[lane] += rate * (cash[lane] + receivable[lane])
    for k in range(quote.shape[2]):
        if np.isnan(marks[LAST, k]):
            continue
        worth = marks[LAST, k] * rates[FX_RATE, t, flags[CURRENCY, k]]
        held = book[HELD, k]
        for lane in range(lanes):
            equity[lane] += held[lane] * worth


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
    rates, flags, ends = tape.rates, tape.flags, tape.ends
    marks, book, order = state.marks, state.book, state.order
    if marks[GONE, k] == 1.0:
        if weight == weight and weight != 0.0:
            drop(record, t, k, t, DELISTED)
        return
    held = book[HELD, k, lane]
    worth = marks[LAST, k] * rates[FX_RATE, t, flags[CURRENCY, k]]
    if np.isnan(weight):
        weight = book[STANDING, k, lane]
        if np.isnan(weight) or not np.isnan(book[GOAL, k, lane]):
            return
        if not abs(held * worth / equity - weight) > band * abs(weight):
            return
    book[STANDING, k, lane] = weight
    if weight == 0.0 and nothing(held, 0.0):
        book[GOAL, k, lane] = np.nan
        return
    if np.isnan(worth):
        drop(record, t, k, t, UNPRICED)
        book[STANDING, k, lane] = np.nan
        return
    book[GOAL, k, lane] = weight * equity / worth
    order[DECIDED, k, lane] = t
    order[UNTIL, k, lane] = ends[TO_LIVE, t, flags[VENUE, k]]


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
    legs, rates, flags, ends = tape.legs, tape.rates, tape.flags, tape.ends
    link, book, marks, pair = state.link, state.book, state.marks, state.pair
    stage = link[STAGE, p, lane]
    hk, adr = legs[p, 0], legs[p, 1]
    if stage == GONE_PAIR:
        if weight == weight and weight != 0.0:
            drop(record, t, adr, t, DELISTED)
        return
    held = book[HELD, hk, lane]
    worth = marks[LAST, hk] * rates[FX_RATE, t, flags[CURRENCY, hk]]
    if np.isnan(weight):
        weight = pair[KEPT, p, lane]
        if stage != IDLE or np.isnan(weight) or not abs(held * worth / equity - weight) > band * abs(weight):
            return
    outstanding = stage in (HEDGE, UNWIND)
    pair[KEPT, p, lane] = weight
    if weight == 0.0 and not outstanding and nothing(held, 0.0) and nothing(book[HELD, adr, lane], 0.0):
        link[STAGE, p, lane] = IDLE
        return
    goal = weight * equity / worth
    if weight == 0.0:
        goal = 0.0
    if np.isnan(goal):
        drop(record, t, adr, t, UNPRICED)
        pair[KEPT, p, lane] = np.nan
        return
    until = max(ends[TO_LIVE, t, flags[VENUE, hk]], ends[TO_LIVE, t, flags[VENUE, adr]])
    if outstanding:
        pair[QUEUED, p, lane] = goal
        link[QUEUED_UNTIL, p, lane] = until
        link[QUEUED_DECIDED, p, lane] = t
        return
    link[STAGE, p, lane] = LEAD
    pair[WANTED, p, lane] = goal
    link[UNTIL, p, lane] = until
    link[DECIDED, p, lane] = t


@jit
def decide_plain(tape: Tape, state: State, t: int, weights: Floats, equity: Floats) -> None:
    """Turn the targets of every line into pending quantities where nothing drifts and nothing is recorded."""
    rates, flags, ends = tape.rates, tape.flags, tape.ends
    book, order, marks = state.book, state.order, state.marks
    lanes = equity.shape[0]
    # Turned over first: a row of one lane is contiguous, a row of one line is what the loop below needs.
    wanted = state.wanted
    for lane in range(lanes):
        row = weights[lane, t]
        for k in range(row.shape[0]):
            wanted[k, lane] = row[k]
    for k in range(weights.shape[2]):
        worth = marks[LAST, k] * rates[FX_RATE, t, flags[CURRENCY, k]]
        if marks[GONE, k] == 1.0 or np.isnan(worth):
            continue
        until = ends[TO_LIVE, t, flags[VENUE, k]]
        held, goal, expires, target = book[HELD, k], book[GOAL, k], order[UNTIL, k], wanted[k]
        for lane in range(lanes):
            weight = target[lane] if equity[lane] > 0.0 else np.nan
            shares = weight * equity[lane] / worth
            shares = np.nan if weight == 0.0 and abs(held[lane]) < SLACK else shares
            goal[lane] = shares if weight == weight else goal[lane]
            expires[lane] = until if weight == weight else expires[lane]


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
    """Stage 7: the targets of step t become pending quantities, while there is equity to weigh them by."""
    clock, door = tape.clock, tape.door
    lanes = equity.shape[0]
    drifts = clock[DECIDES, t] == 1 and band < np.inf
    simple = not record.on and band == np.inf
    if simple:
        decide_plain(tape, state, t, weights, equity)
    for k in range(0 if simple else weights.shape[2]):
        drifting = drifts and (not same_step or door[t, k] == OPEN)
        for lane in range(lanes):
            weight = weights[lane, t, k]
            if (drifting or weight == weight) and equity[lane] > 0.0:
                decide_single(tape, state, record, t, k, lane, weight, band, equity[lane])
    for p in range(pair_weights.shape[2]):
        for lane in range(lanes):
            weight = pair_weights[lane, t, p]
            if (drifts or weight == weight) and equity[lane] > 0.0:
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
                        tape.rates[FX_RATE, t, c] - tape.rates[FX_RATE, t - 1, c]
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
