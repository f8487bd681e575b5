"""The clock: one compiled loop that turns targets into fills, cash and equity.

State is laid out ``(lines, lanes)``: a lane is one configuration, and everything that depends on the market
alone (prices, rates, masks, corporate actions) is scalar work outside the loop over lanes. A single recorded
run is one lane with a record; a batch is many lanes without one. No fastmath: a lane's numbers do not depend
on how many others run beside it.

All of it is one file, because what numba keeps on disk is renewed when this file changes, and not when one
that it imports does. The order of work inside a step is the design's clock; `tests/naive.py` is the same
clock in plain Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from llvmlite import ir
from numba import config, njit
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, register_model
from numpy.typing import NDArray

from entrepot.decisions import DecisionState, kept_on_disk

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Stages of a linked order.
IDLE, LEAD, HEDGE, UNWIND, CONVERTING, EVEN, GONE_PAIR, PARKED_PAIR = range(8)
# Who may lead a linked order that is forced: nobody forces it, either leg, or (from ONE_LEG on) leg 0 or 1.
UNFORCED, ANY_LEG, ONE_LEG = range(3)
# Why a fill happened.
TARGET, LEADING, HEDGING, UNWINDING, FORCED = range(5)
# Why an order was dropped.
EXPIRED, NO_BORROW, UNPRICED, DELISTED, UNWOUND, DISPLACED, MARGIN_CALL = range(7)
# Why shares changed into others, or into cash, without a trade.
CHOSEN, LEFT, CASHED_OUT, BOUGHT_IN, CLOSED_LATER = range(5)
# What becomes of a position in a line that leaves.
CONVERT_IT, CASH_IT, PARK_IT, BUY_IT_IN = range(4)
# How a pair is closed.
BY_TRADE, BY_CONVERSION, BY_WHAT_IS_CHEAPER = range(3)
# Whether a short may be opened or increased.
AVAILABLE, WAIT, NO_NEW, RECALL = range(4)
# Where a line stands: traded, gone, or gone but held at parity.
LISTED, GONE_LINE, PARKED = range(3)
# What a lane is told by its margin: nothing, to reduce, or that its equity is gone.
FREE, CALLED, OVER = range(3)
# What ends a run: a line that leaves with nothing to convert into, prices that end for good, a target that
# may not be, somebody who wants it to end, a fill of which nobody knows how far it moves the price.
NO_HEIR, STOPPED, OUT_OF_BOUNDS, INTERRUPTED, NO_IMPACT = range(5)
# The expiry of an order that must be filled, whenever that is; the latest of the others; that of no order.
FOREVER = np.iinfo(np.int64).max - 1
LATEST = FOREVER - 1
NEVER = np.iinfo(np.int64).max
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
    IMPACT,
    FX_SPREAD,
    FIRST_FEE,
) = range(13)

# Rows of the tape's arrays.
PRICE_AT, HALF_SPREAD, BUY_FEES, SELL_FEES, BORROW_RATE, MOST, IMPACT_OF_ONE = range(7)
CLOSED, OPEN, HALTED = range(3)
LOT, CUSTODY, TO_CONVERT = range(3)
CURRENCY, VENUE, SHORTABLE, EXACT, PAIR, STOPS = range(6)
FX_RATE, INTEREST_RATE = range(2)
DEBIT, REBATE_SPREAD = range(2)
SETTLES, DECIDES = range(2)
TO_LIVE, TO_HEDGE, TO_DELIVER = range(3)
INITIAL_LONG, INITIAL_SHORT, MAINTENANCE_LONG, MAINTENANCE_SHORT = range(4)
LONGS, SHORTS = range(2)
KIND, LINE, INTO, VALUE, SHORT_VALUE = range(5)
RATIO, UNIT, LEAD_OK = range(3)
# Rows of the state's arrays.
HELD, GOAL, STANDING = range(3)
WANTED, KEPT, QUEUED = range(3)
UNTIL, DECIDED, STAGE, LEADER, HEDGE_UNTIL, QUEUED_UNTIL, QUEUED_DECIDED, FORCE, PARTIAL = range(9)
CASH, UNSETTLED, RECEIVABLE, SHORTED, ACCRUED = range(5)
LAST, GONE, PRINTED, HEIR, PER_SHARE = range(5)
LIVE, PENDING = range(2)
TRADE, FEES, FLOW, COLLATERAL, UNDONE = range(5)
LONG, SHORT = range(2)  # the first rows, where margins are called
KEEPS, ASKS = 5, 6
# Rows of the record's sums.
FILLS, TRADED, TRADES, DROPS = range(4)
(
    TOTAL,
    FIRST,
    BEFORE,
    MEAN,
    SQUARES,
    OVER_MEAN,
    OVER_SQUARES,
    FALLS,
    FALLS_SQUARED,
    RISES,
    WORST,
    PEAK,
    DEPTH,
    MONTH_BEFORE,
    MONTH_MEAN,
    MONTH_SQUARES,
) = range(16)

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
    compiled: F = kept_on_disk(lambda cache: njit(cache=cache, **_PLAIN)(function))
    return compiled


class Tape(NamedTuple):
    """What the market does, the same for every configuration. T steps, K lines, C currencies, P pairs.

    Few arrays with named rows rather than many arrays: numba passes a tuple by value, and compile time grows
    with its length (67 arrays took five times as long as these).
    """

    # (7, T, K): PRICE_AT (NaN where not printed); HALF_SPREAD, BUY_FEES, SELL_FEES as fractions;
    # BORROW_RATE (per day, over (t, t+1]); MOST (shares filled in one step); IMPACT_OF_ONE (what a trade of
    # one share moves the price by, as a fraction; NaN where not known, 0 where there is no impact)
    quote: Floats
    door: NDArray[np.int8]  # (T, K): OPEN, HALTED or CLOSED
    loan: NDArray[np.int8]  # (T, K): AVAILABLE, WAIT, NO_NEW or RECALL
    # (3, K): LOT (0 = fractional), CUSTODY (per share and day), TO_CONVERT (fee per share)
    trait: Floats
    # (6, K): CURRENCY (0 is the base), VENUE, SHORTABLE, EXACT (fees by order), PAIR (-1 = none), STOPS
    # (step at which prices are known to have ended for good)
    flags: Ints
    rates: Floats  # (2, T, C): FX_RATE (base per unit, last known), INTEREST_RATE (per day over (t-1, t])
    carry: Floats  # (2, C): DEBIT and REBATE_SPREAD, per day
    clock: Ints  # (2, T): SETTLES (step at which a trade of t settles), DECIDES (drift is looked at)
    elapsed: Floats  # (T,) days since the step before
    # (3, T, V): last step of the venue's third (TO_LIVE) and second (TO_HEDGE) session after t, first step
    # of the session in which a conversion asked for at t is delivered (TO_DELIVER)
    ends: Ints
    schedule: Floats  # (rows, kinds, 2 sides, 6): rate, per share, minimum, maximum, unit, rounds up
    fee_row: Ints  # (T, K) row of the schedule in force
    action_first: Ints  # (T + 1,) range of corporate actions of each step
    actions: Floats  # (A, 5): KIND, LINE, INTO, VALUE, SHORT_VALUE
    legs: Ints  # (P, 2) lines of the Hong Kong leg and the ADR leg
    parity: Floats  # (3, T, P): RATIO (ordinary per ADS), UNIT (whole lots on both lines, 0 = any), LEAD_OK
    leaving: Ints  # (2,) what becomes of LONGS and SHORTS in a line that leaves
    margin: Floats  # (4,) fractions of value; empty where no margin is asked for
    fx_spread: float
    waiting_days: float  # calendar days a conversion takes, for estimates
    impacts: bool  # whether a trade moves its price
    accrues: bool  # whether anything is earned or paid for holding, or depends on what has settled
    convert: bool  # exchange long-side flows and fees into the base currency at each fill
    sweeps: bool  # exchange free balances once a day
    recalls: bool  # whether any short is ever recalled
    departs: bool  # whether any line ever leaves


class State(NamedTuple):
    """What a run carries from step to step. L lanes, R steps to the latest settlement, D dividends unpaid."""

    book: Floats  # (3, K, L): HELD shares, GOAL of a pending order, STANDING weight; NaN = none
    order: Ints  # (2, K, L): UNTIL (last step of the order), DECIDED
    # (3, P, L): WANTED Hong Kong shares, of which only a pair that leads is asked; KEPT weight and what is
    # QUEUED until a hedge is done, NaN = none
    pair: Floats
    link: Ints  # (9, P, L): UNTIL, DECIDED, STAGE, LEADER (0 = Hong Kong), HEDGE_UNTIL, QUEUED_UNTIL, ...
    money: Floats  # (5, C, L): CASH, UNSETTLED, RECEIVABLE; SHORTED and ACCRUED are scratch
    due: Floats  # (R, C, L) unsettled flows by settlement step, a ring
    slots: Floats  # (D, L) dividends waiting for their pay date
    # (5, K): LAST traded price, GONE (LISTED, GONE_LINE or PARKED), PRINTED (step of it); HEIR and PER_SHARE:
    # the Hong Kong line a parked one is valued by and how many shares of it
    marks: Floats
    called: Ints  # (L,) FREE, CALLED while a margin call is not met, OVER once equity is gone
    now: Floats  # (L,) equity
    before: Floats  # (L,) equity of the step before; kept where sums are
    memory: Floats  # (M, L) what compiled decisions keep for themselves
    # What need not be looked at. All may say too much, never too little.
    agenda: Ints  # (2, K): LIVE (whether any lane holds the line), PENDING (first expiry of its orders)
    busy: Ints  # (P,) whether a pair is under way in any lane
    alarm: Ints  # (1,) whether any order is forced, or any lane called
    fresh: Ints  # (L,) whether anything was decided at this step
    # Scratch.
    scratch: Floats  # (7, L)
    tile: Floats  # (steps, S + 2P, L) the next few steps of a plan
    wanted: Floats  # (S + 2P, L) targets of S single lines and P pairs, and how each pair is closed
    worth: Floats  # (K,) of one share in base currency
    fault: Floats  # (2,) target that may not be; 1 + the line whose impact is not known, or 0


class Orders(NamedTuple):
    """What is wanted: a plan that is read, or what a compiled decision is given."""

    compiled: bool
    plan: Floats  # (L, T, S + 2P) targets, NaN = leave alone, then how each pair is closed; empty if compiled
    asked: NDArray[np.int8]  # (T,) steps at which the decision is called; empty if not compiled
    params: Floats  # (L, Q)
    features: Floats  # (G, F, T, N)
    group: Ints  # (L,) which of the features are a lane's
    limits: Floats  # (2, S + P) least and largest target
    band: Floats  # (L,) relative drift beyond which a standing target is decided again at a decision step
    drifts: bool  # whether any of them is finite
    same_step: bool  # decide on the mark of a step and fill at it, instead of filling at the next step
    stop: NDArray[np.int8]  # (1,) not 0: end the run


class Record(NamedTuple):
    """What a run leaves behind: everything of lane 0, or sums of every lane, or nothing."""

    on: bool
    positions: Floats  # (T, K)
    cash: Floats  # (T, C)
    receivable: Floats  # (T, C)
    sources: Floats  # (S, T, K + C) contributions in base currency by line, then by currency's cash
    fills: Floats  # (max, 10 + kinds)
    dropped: Ints  # (max, 4)
    moved: Floats  # (max, 7) shares changed into others or into cash
    counts: Ints  # (3,) fills, dropped orders, moves
    tallies: bool
    regime: Ints  # (T,) the regime that (t-1, t] belongs to
    sample: Ints  # (T,) number of the session that ends at t
    free: Floats  # (T,) return of cash over that session
    month: Ints  # (T,) number of the month whose last session ends at t, from 1; 0 where none does
    month_free: Floats  # (T,) growth of cash over that month
    paid: Floats  # (S, R, L) contributions by source and regime; not price, FX and conversion
    profit: Floats  # (R, L) change of equity by regime
    tally: Floats  # (4, L): FILLS, TRADED, TRADES, DROPS
    moments: Floats  # (16, L): TOTAL, ... of session equity and returns


# -- tuples by reference -------------------------------------------------------------------------------------
#
# numba passes a tuple by value, which makes hundreds of scalars of a few dozen arrays at each call: they
# spill to the stack, keep loops from vectorising and take long to compile. A reference is one pointer, and
# reading a field of it loads that field alone. The plain batch was 2.7 times as fast for it.


class Reference(types.Type):
    """A pointer to a named tuple that lives as long as the kernel that took it."""

    def __init__(self, pointee: Any) -> None:
        self.pointee = pointee
        super().__init__(f"reference({pointee})")


@register_model(Reference)
class _ReferenceModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, reference: Reference) -> None:
        data = manager.lookup(reference.pointee).get_data_type()
        super().__init__(manager, reference, data.as_pointer())


@infer_getattr
class _ReferenceAttributes(AttributeTemplate):  # type: ignore[misc]
    key = Reference

    def generic_resolve(self, reference: Reference, name: str) -> Any:
        fields = reference.pointee.fields
        return reference.pointee.types[fields.index(name)] if name in fields else None


@lower_getattr_generic(Reference)  # type: ignore[untyped-decorator]
def _load_field(context: Any, builder: Any, reference: Reference, pointer: Any, name: str) -> Any:
    position = reference.pointee.fields.index(name)
    place = builder.gep(pointer, [ir.Constant(ir.IntType(32), 0), ir.Constant(ir.IntType(32), position)])
    model = context.data_model_manager[reference.pointee.types[position]]
    return model.load_from_data_pointer(builder, place)


def _same(value: Any) -> Any:
    return value


@intrinsic  # type: ignore[untyped-decorator]
def by_reference(typing_context: Any, value: Any) -> Any:
    """Return a reference to a named tuple of arrays, to be read like the tuple; in kernels only."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        model = context.data_model_manager[value]
        place = cgutils.alloca_once(builder, model.get_data_type())
        builder.store(model.as_data(builder, arguments[0]), place)
        return place

    return Reference(value)(value), generate


if config.DISABLE_JIT:  # plain Python passes tuples by reference anyway
    by_reference = _same


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
def order_fees(tape: Tape, k: int, t: int, side: int, notional: float, shares: float) -> float:
    """All fees of one order at the schedule of step t."""
    flags, schedule = tape.flags, tape.schedule
    if flags[EXACT, k] == 0 and not tape.impacts:
        return float(notional * tape.quote[BUY_FEES + side, t, k])
    fees = 0.0
    for kind in range(schedule.shape[1]):
        fees += fee(schedule, tape.fee_row[t, k], kind, side, notional, shares)
    return fees


@jit
def impact_of(tape: Tape, k: int, t: int, shares: float) -> float:
    """What a trade moves its price by, as a fraction: the square-root law, as long as it leaves a price."""
    impact = tape.quote[IMPACT_OF_ONE, t, k] * np.sqrt(shares)
    most = 1.0 - tape.quote[HALF_SPREAD, t, k]
    return float(most if impact > most else impact)


@jit
def post(record: Record, source: int, t: int, line: int, lane: int, amount: float) -> None:
    """Book what one lane earned or paid, in base currency, under its source."""
    if record.on:
        record.sources[source, t, line] += amount
    if record.tallies:
        record.paid[source, record.regime[t], lane] += amount


@jit
def drop(record: Record, lane: int, t: int, line: int, decided: int, reason: int) -> None:
    """Note an order that will not be filled."""
    if record.tallies:
        record.tally[DROPS, lane] += 1.0
    if record.on:
        dropped, n = record.dropped, record.counts[1]
        dropped[n, 0] = t
        dropped[n, 1] = line
        dropped[n, 2] = decided
        dropped[n, 3] = reason
        record.counts[1] = n + 1


@jit
def close_trip(tape: Tape, state: State, record: Record, k: int, lane: int, before: float) -> None:
    """Count a round trip that a change of line k's position has ended: of a single line, or of a pair."""
    if not record.tallies:
        return
    book, p = state.book, tape.flags[PAIR, k]
    after = book[HELD, k, lane]
    turned = before * after < 0.0
    gone = before != 0.0 and after == 0.0
    if p >= 0:
        # A pair is one trade: it ends when both legs are flat, and turns where its Hong Kong leg does.
        other = book[HELD, tape.legs[p, 0] + tape.legs[p, 1] - k, lane]
        gone = gone and other == 0.0
        turned = turned and k == tape.legs[p, 0]
    if gone or turned:
        record.tally[TRADES, lane] += 1.0


@jit
def execute(
    tape: Tape,
    state: State,
    record: Record,
    t: int,
    k: int,
    first: int,
    last: int,
    why: int,
    decided: int,
) -> None:
    """Fill the trades of one line in lanes [first, last) at the price of step t, worsened, and pay the fees.

    The trades stand in the state's scratch; a lane whose trade is 0 is left as it is.
    """
    quote, rates, book, money = tape.quote, tape.rates, state.book, state.money
    trade, fees = state.scratch[TRADE], state.scratch[FEES]
    flow, collateral = state.scratch[FLOW], state.scratch[COLLATERAL]
    state.agenda[LIVE, k] = 1
    if tape.impacts:
        trade_by_size(tape, state, t, k, first, last)
    else:
        price, half = quote[PRICE_AT, t, k], quote[HALF_SPREAD, t, k]
        ask, bid = price * (1.0 + half), price * (1.0 - half)
        buy_fees, sell_fees = quote[BUY_FEES, t, k], quote[SELL_FEES, t, k]
        if tape.flags[EXACT, k] == 1:
            for lane in range(first, last):
                side = 0 if trade[lane] > 0.0 else 1
                notional = abs(trade[lane]) * (ask if side == 0 else bid)
                traded = trade[lane] != 0.0
                fees[lane] = order_fees(tape, k, t, side, notional, abs(trade[lane])) if traded else 0.0
        else:
            for lane in range(first, last):
                bought, sold = max(trade[lane], 0.0), max(-trade[lane], 0.0)
                fees[lane] = bought * ask * buy_fees + sold * bid * sell_fees
        held = book[HELD, k]
        for lane in range(first, last):
            change, before = trade[lane], held[lane]
            after = before + change
            bought_long = max(after, 0.0) - max(before, 0.0)
            fill_price = ask if change > 0.0 else bid
            # The long side and the fees settle later; what a short sale brings in is collateral from the
            # start.
            flow[lane] = -bought_long * fill_price - fees[lane]
            collateral[lane] = (bought_long - change) * fill_price
            # What rounding leaves of a position is none: it would pay borrow and never be got rid of.
            held[lane] = 0.0 if (change != 0.0) & nothing(after, before) else after
    c = tape.flags[CURRENCY, k]
    rate = rates[FX_RATE, t, c]
    if record.on or record.tallies:
        for lane in range(first, last):
            if trade[lane] != 0.0:
                write_fill(tape, state, record, t, k, lane, why, decided)
    cash = money[CASH, c]
    if tape.convert and c > 0:
        c = 0
        for lane in range(first, last):
            cash[lane] += collateral[lane]
            collateral[lane] = 0.0
            flow[lane] = flow[lane] * rate - tape.fx_spread * abs(flow[lane]) * rate
        cash = money[CASH, c]
    for lane in range(first, last):
        cash[lane] = cash[lane] + collateral[lane] + flow[lane]
    settles = tape.clock[SETTLES, t]
    if tape.accrues and settles > t:
        unsettled, owed = money[UNSETTLED, c], state.due[settles % state.due.shape[0], c]
        for lane in range(first, last):
            unsettled[lane] += flow[lane]
            owed[lane] += flow[lane]


@jit
def trade_by_size(tape: Tape, state: State, t: int, k: int, first: int, last: int) -> None:
    """Work out trades of one line of which each moves its own price: fees, flows and positions."""
    quote, held, trade = tape.quote, state.book[HELD, k], state.scratch[TRADE]
    fees, flow, collateral = state.scratch[FEES], state.scratch[FLOW], state.scratch[COLLATERAL]
    price, half = quote[PRICE_AT, t, k], quote[HALF_SPREAD, t, k]
    for lane in range(first, last):
        change, before = trade[lane], held[lane]
        if change == 0.0:
            fees[lane], flow[lane], collateral[lane] = 0.0, 0.0, 0.0
            continue
        worse = half + impact_of(tape, k, t, abs(change))
        if worse != worse:
            state.fault[1] = k + 1.0
        fill_price = price * (1.0 + worse) if change > 0.0 else price * (1.0 - worse)
        side = 0 if change > 0.0 else 1
        fees[lane] = order_fees(tape, k, t, side, abs(change) * fill_price, abs(change))
        after = before + change
        bought_long = max(after, 0.0) - max(before, 0.0)
        flow[lane] = -bought_long * fill_price - fees[lane]
        collateral[lane] = (bought_long - change) * fill_price
        held[lane] = 0.0 if nothing(after, before) else after


@jit
def write_fill(
    tape: Tape, state: State, record: Record, t: int, k: int, lane: int, why: int, decided: int
) -> None:
    """Book the costs of one trade that has just been filled, by kind, and note the fill."""
    quote, schedule, row = tape.quote, tape.schedule, tape.fee_row[t, k]
    c = tape.flags[CURRENCY, k]
    rate = tape.rates[FX_RATE, t, c]
    price, half = quote[PRICE_AT, t, k], quote[HALF_SPREAD, t, k]
    trade = state.scratch[TRADE, lane]
    side = 0 if trade > 0.0 else 1
    shares = abs(trade)
    impact = impact_of(tape, k, t, shares) if tape.impacts else 0.0
    fill_price = price * (1.0 + (half + impact)) if side == 0 else price * (1.0 - (half + impact))
    notional = shares * fill_price
    n = record.counts[0]
    for kind in range(schedule.shape[1]):
        amount = fee(schedule, row, kind, side, notional, shares)
        post(record, FIRST_FEE + kind, t, k, lane, -amount * rate)
        if record.on:
            record.fills[n, 9 + kind] = amount
    post(record, SLIPPAGE, t, k, lane, -shares * price * half * rate)
    if tape.impacts:
        post(record, IMPACT, t, k, lane, -shares * price * impact * rate)
    if tape.convert and c > 0:
        post(record, FX_SPREAD, t, k, lane, -tape.fx_spread * abs(state.scratch[FLOW, lane]) * rate)
    if record.tallies:
        record.tally[FILLS, lane] += 1.0
        record.tally[TRADED, lane] += notional * rate
        close_trip(tape, state, record, k, lane, state.book[HELD, k, lane] - trade)
    if record.on:
        fills = record.fills
        fills[n, 0], fills[n, 1], fills[n, 2], fills[n, 3], fills[n, 4] = t, k, trade, price, fill_price
        fills[n, 5], fills[n, 6], fills[n, 7] = rate, why, decided
        fills[n, 8], fills[n, 9 + schedule.shape[1]] = state.scratch[FEES, lane], shares * price * impact
        record.counts[0] = n + 1


@jit
def trade_one(
    tape: Tape,
    state: State,
    record: Record,
    t: int,
    k: int,
    lane: int,
    trade: float,
    why: int,
    decided: int,
) -> None:
    """Fill a trade of one line in one lane."""
    state.scratch[TRADE, lane] = trade
    execute(tape, state, record, t, k, lane, lane + 1, why, decided)


@jit
def accrue(tape: Tape, state: State, record: Record, t: int) -> None:
    """Stage 1: borrow, rebate, ADS fees and interest over (t-1, t], on the state left by t-1."""
    flags, trait, rates, quote, carry = tape.flags, tape.trait, tape.rates, tape.quote, tape.carry
    book, money = state.book, state.money
    lines, lanes = book.shape[1], book.shape[2]
    days = tape.elapsed[t]
    money[SHORTED].fill(0.0)
    money[ACCRUED].fill(0.0)
    for k in range(lines):
        last = state.marks[LAST, k]
        if state.agenda[LIVE, k] == 0 or np.isnan(last):
            continue
        c = flags[CURRENCY, k]
        borrow_rate = quote[BORROW_RATE, t - 1, k] * days
        rebate_rate = (rates[INTEREST_RATE, t, c] - carry[REBATE_SPREAD, c]) * days
        custody_fee = trait[CUSTODY, k] * days
        held, shorted, accrued = book[HELD, k], money[SHORTED, c], money[ACCRUED, c]
        for lane in range(lanes):
            worth = -min(held[lane], 0.0) * last
            shorted[lane] += worth
            accrued[lane] += worth * rebate_rate - worth * borrow_rate - abs(held[lane]) * custody_fee
        if record.on or record.tallies:
            rate = rates[FX_RATE, t, c]
            for lane in range(lanes):
                if held[lane] != 0.0:
                    worth = -min(held[lane], 0.0) * last * rate
                    post(record, BORROW, t, k, lane, -worth * borrow_rate)
                    post(record, REBATE, t, k, lane, worth * rebate_rate)
                    post(record, ADS_FEE, t, k, lane, -abs(held[lane]) * custody_fee * rate)
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
        if record.on or record.tallies:
            for lane in range(lanes):
                post(record, INTEREST, t, lines + c, lane, shorted[lane] * rates[FX_RATE, t, c])


@jit
def settle(state: State, t: int) -> None:
    """Release the flows that settle at step t."""
    due, money = state.due, state.money
    slot = t % due.shape[0]
    for c in range(money.shape[1]):
        unsettled, owed = money[UNSETTLED, c], due[slot, c]
        for lane in range(money.shape[2]):
            unsettled[lane] -= owed[lane]
            owed[lane] = 0.0


@jit
def move(
    record: Record, t: int, line: int, shares: float, into: int, made: float, paid: float, why: int
) -> None:
    """Note shares that became other shares, or cash, without a trade."""
    recording, counts, moved = record.on, record.counts, record.moved
    if recording:
        n = counts[2]
        moved[n, 0], moved[n, 1], moved[n, 2], moved[n, 3] = t, line, shares, into
        moved[n, 4], moved[n, 5], moved[n, 6] = made, paid, why
        counts[2] = n + 1


@jit
def depositary_fee(tape: Tape, k: int, shares: float) -> float:
    """What the depositary takes for making or cancelling receipts, by the hundred begun."""
    return float(np.ceil(abs(shares) / 100.0 - SLACK) * 100.0 * tape.trait[TO_CONVERT, k])


@jit
def close_in_cash(tape: Tape, state: State, record: Record, t: int, k: int, lane: int, why: int) -> None:
    """Turn a position into cash at its last price, less a fee, or half a spread where it is bought in."""
    quote, flags, rates = tape.quote, tape.flags, tape.rates
    book, marks, money = state.book, state.marks, state.money
    held = book[HELD, k, lane]
    last = marks[LAST, k]
    c = flags[CURRENCY, k]
    paid, spread = 0.0, 0.0
    if why == BOUGHT_IN:
        spread = abs(held) * last * quote[HALF_SPREAD, int(marks[PRINTED, k]), k]
    else:
        paid = depositary_fee(tape, k, held)
    money[CASH, c, lane] += held * last - paid - spread
    book[HELD, k, lane] = 0.0
    close_trip(tape, state, record, k, lane, held)
    post(record, CONVERT_FEE, t, k, lane, -paid * rates[FX_RATE, t, c])
    post(record, SLIPPAGE, t, k, lane, -spread * rates[FX_RATE, t, c])
    if record.on:
        # A line that leaves is closed before it would be marked at this step's rate; one closed later, after.
        if why != CLOSED_LATER and t > 0:
            record.sources[FX, t, k] += held * last * (rates[FX_RATE, t, c] - rates[FX_RATE, t - 1, c])
        move(record, t, k, held, -1, 0.0, paid, why)


@jit
def leave(tape: Tape, state: State, record: Record, t: int, a: int) -> int:
    """Take a line off the market, and what is held of it as was asked for; return the line at fault."""
    actions, flags, leaving = tape.actions, tape.flags, tape.leaving
    book, marks, order, link = state.book, state.marks, state.order, state.link
    k = int(actions[a, LINE])
    into = int(actions[a, INTO])
    p = flags[PAIR, k]
    known = into >= 0 and marks[GONE, max(into, 0)] == LISTED and not np.isnan(marks[LAST, max(into, 0)])
    for owner in range(book.shape[1]):
        if marks[GONE, owner] == PARKED and marks[HEIR, owner] == k:
            for lane in range(book.shape[2]):
                if not nothing(book[HELD, owner, lane], 0.0):
                    return k  # what is held at parity with this line would be worth its last price for ever
    for lane in range(book.shape[2]):
        if not np.isnan(book[GOAL, k, lane]):
            if p < 0:
                drop(record, lane, t, k, order[DECIDED, k, lane], DELISTED)
            book[GOAL, k, lane] = np.nan
        book[STANDING, k, lane] = np.nan
        held = book[HELD, k, lane]
        policy = leaving[LONGS] if held > 0.0 else leaving[SHORTS]
        if held != 0.0 and policy == PARK_IT and p >= 0:
            # A pair stays in place only where both its legs are and nothing of it is under way.
            stage = link[STAGE, p, lane]
            still = stage == IDLE or (stage == LEAD and link[FORCE, p, lane] == UNFORCED)
            other = book[HELD, tape.legs[p, 0] + tape.legs[p, 1] - k, lane]
            if not still or nothing(other, 0.0):
                policy = CASH_IT
        if held != 0.0 and policy in (CONVERT_IT, PARK_IT) and not known:
            return k
        if held == 0.0:
            policy = CASH_IT
        elif policy == CONVERT_IT:
            convert(tape, state, record, t, k, into, actions[a, VALUE], lane)
        elif policy == BUY_IT_IN:
            close_in_cash(tape, state, record, t, k, lane, BOUGHT_IN)
        elif policy == CASH_IT:
            close_in_cash(tape, state, record, t, k, lane, CASHED_OUT)
        if p >= 0:
            dissolve(tape, state, record, t, p, k, lane, policy == PARK_IT)
    parks = leaving[LONGS] == PARK_IT and known  # shorts are parked only where longs are
    marks[GONE, k] = PARKED if parks else GONE_LINE
    if parks:
        marks[HEIR, k], marks[PER_SHARE, k] = into, actions[a, VALUE]
    return -1


@jit
def convert(
    tape: Tape, state: State, record: Record, t: int, k: int, into: int, ratio: float, lane: int
) -> None:
    """Exchange what is held of a line that leaves for shares of its Hong Kong line."""
    flags, rates = tape.flags, tape.rates
    book, marks, money, order = state.book, state.marks, state.money, state.order
    before = max(t - 1, 0)
    c = flags[CURRENCY, k]
    held = book[HELD, k, lane]
    shares = held * ratio
    paid = depositary_fee(tape, k, held)
    after = book[HELD, into, lane] + shares
    book[HELD, into, lane] = 0.0 if nothing(after, shares) else after
    if book[HELD, into, lane] < 0.0 and flags[PAIR, into] < 0 and flags[SHORTABLE, into] == 0:
        # A short that lands in a line nobody lends is bought in.
        if not np.isnan(book[GOAL, into, lane]) and order[UNTIL, into, lane] != FOREVER:
            drop(record, lane, t, into, order[DECIDED, into, lane], DISPLACED)
        force_single(state, t, into, lane, 0.0)
    close_trip(tape, state, record, into, lane, after - shares)
    book[HELD, k, lane] = 0.0
    money[CASH, c, lane] -= paid
    state.agenda[LIVE, into] = 1
    close_trip(tape, state, record, k, lane, held)
    post(record, CONVERT_FEE, t, k, lane, -paid * rates[FX_RATE, t, c])
    if record.on:
        change = shares * marks[LAST, into] * rates[FX_RATE, before, flags[CURRENCY, into]]
        change -= held * marks[LAST, k] * rates[FX_RATE, before, c]
        record.sources[CONVERT, t, k] += change
        move(record, t, k, held, into, shares, paid, LEFT)


@jit
def deliver(tape: Tape, state: State, record: Record, t: int, p: int, lane: int) -> None:
    """Complete a conversion that was asked for: the long leg becomes the other line and covers the short."""
    legs, parity, flags, rates = tape.legs, tape.parity, tape.flags, tape.rates
    book, marks, money = state.book, state.marks, state.money
    hk, adr = legs[p, 0], legs[p, 1]
    ratio = parity[RATIO, t, p]
    from_hk = book[HELD, hk, lane] > 0.0
    source, into = (hk, adr) if from_hk else (adr, hk)
    given, covered = book[HELD, source, lane], book[HELD, into, lane]
    made = given / ratio if from_hk else given * ratio
    paid = depositary_fee(tape, adr, made if from_hk else given)
    after = covered + made
    book[HELD, source, lane] = 0.0
    book[HELD, into, lane] = 0.0 if nothing(after, covered) else after
    c = flags[CURRENCY, adr]
    money[CASH, c, lane] -= paid
    state.agenda[LIVE, into] = 1
    close_trip(tape, state, record, source, lane, given)
    if book[HELD, into, lane] != 0.0:
        close_trip(tape, state, record, into, lane, covered)
    post(record, CONVERT_FEE, t, adr, lane, -paid * rates[FX_RATE, t, c])
    if record.on:
        change = (
            (book[HELD, into, lane] - covered) * marks[LAST, into] * rates[FX_RATE, t, flags[CURRENCY, into]]
        )
        change -= given * marks[LAST, source] * rates[FX_RATE, t, flags[CURRENCY, source]]
        record.sources[CONVERT, t, adr] += change
        move(record, t, source, given, into, made, paid, CHOSEN)


@jit
def dissolve(
    tape: Tape, state: State, record: Record, t: int, p: int, k: int, lane: int, stays: bool
) -> None:
    """End a pair one of whose legs has left: drop what it had to do and leave the other, or park both."""
    legs = tape.legs
    book, link, pair, marks = state.book, state.link, state.pair, state.marks
    adr = legs[p, 1]
    left = legs[p, 0] + legs[p, 1] - k
    stage = link[STAGE, p, lane]
    if stage in (LEAD, HEDGE):
        drop(record, lane, t, adr, link[DECIDED, p, lane], DELISTED)
    if not np.isnan(pair[QUEUED, p, lane]):
        drop(record, lane, t, adr, link[QUEUED_DECIDED, p, lane], DELISTED)
    link[STAGE, p, lane] = PARKED_PAIR if stays else GONE_PAIR
    link[FORCE, p, lane], link[PARTIAL, p, lane] = UNFORCED, 0
    pair[:, p, lane].fill(np.nan)
    state.busy[p] = 1
    if not stays and not nothing(book[HELD, left, lane], 0.0) and marks[GONE, left] == LISTED:
        force_single(state, t, left, lane, 0.0)


@jit
def act(tape: Tape, state: State, record: Record, t: int) -> int:
    """Stage 2: corporate actions effective at step t; return the line at fault or -1."""
    action_first, actions, flags, legs = tape.action_first, tape.actions, tape.flags, tape.legs
    rates = tape.rates
    book, marks, pair, slots = state.book, state.marks, state.pair, state.slots
    money = state.money
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
            for other in range(flags.shape[1]):
                if marks[GONE, other] == PARKED and marks[HEIR, other] == k:
                    marks[PER_SHARE, other] *= value
        elif kind == DIVIDEND:
            slot = int(actions[a, INTO])
            for owner in range(flags.shape[1]):
                parked = marks[GONE, owner] == PARKED and marks[HEIR, owner] == k
                if owner != k and not parked:
                    continue
                # A line kept at parity falls with its Hong Kong line: it earns or owes what that pays.
                per_share = marks[PER_SHARE, owner] if parked else 1.0
                for lane in range(lanes):
                    held = book[HELD, owner, lane] * per_share
                    amount = held * (value if held > 0.0 else actions[a, SHORT_VALUE])
                    if slot >= 0:
                        slots[slot, lane] += amount
                        money[RECEIVABLE, c, lane] += amount
                    else:
                        money[CASH, c, lane] += amount
                    post(record, DIVIDENDS, t, owner, lane, amount * rates[FX_RATE, t, c])
        elif kind == PAYMENT:
            for lane in range(lanes):
                amount = slots[int(actions[a, INTO]), lane]
                slots[int(actions[a, INTO]), lane] = 0.0
                money[RECEIVABLE, c, lane] -= amount
                money[CASH, c, lane] += amount
        else:
            fault = leave(tape, state, record, t, a)
            if fault >= 0:
                return fault
    return -1


@jit
def mark(tape: Tape, state: State, record: Record, t: int) -> None:
    """Stage 3: every line at its last traded price, this step's included; parked ones at parity."""
    quote, flags, rates = tape.quote, tape.flags, tape.rates
    marks, book = state.marks, state.book
    recording, sources = record.on, record.sources
    lines = quote.shape[2]
    parks = False
    for k in range(lines if tape.departs else 0):
        parks |= marks[GONE, k] == PARKED
    # Parked lines second: they are valued by what their Hong Kong lines are marked at.
    for turn in range(2 if parks else 1):
        for k in range(lines):
            if (marks[GONE, k] == PARKED) != (turn == 1):
                continue
            before = marks[LAST, k]
            after = before
            c = flags[CURRENCY, k]
            price = quote[PRICE_AT, t, k]
            if turn == 1:
                heir = int(marks[HEIR, k])
                after = marks[PER_SHARE, k] * marks[LAST, heir]
                after *= rates[FX_RATE, t, flags[CURRENCY, heir]] / rates[FX_RATE, t, c]
            elif price == price:
                after = price
                marks[PRINTED, k] = t
            marks[LAST, k] = after
            if recording and t > 0 and book[HELD, k, 0] != 0.0:
                held = book[HELD, k, 0]
                sources[PRICE, t, k] += held * (after - before) * rates[FX_RATE, t - 1, c]
                sources[FX, t, k] += held * after * (rates[FX_RATE, t, c] - rates[FX_RATE, t - 1, c])


@jit
def nothing(quantity: float, held: float) -> bool:
    """Whether a quantity is no trade but what rounding leaves of one."""
    return abs(quantity) < SLACK * max(1.0, abs(held))


@jit
def may_short(tape: Tape, k: int, t: int) -> bool:
    """Whether a short of line k may be opened or increased at step t."""
    return bool(tape.flags[SHORTABLE, k] == 1 and tape.loan[t, k] == AVAILABLE)


@jit
def must_wait(tape: Tape, k: int, t: int) -> bool:
    """Whether only the price of step t forbids a short of line k."""
    return bool(tape.flags[SHORTABLE, k] == 1 and tape.loan[t, k] == WAIT)


@jit
def needs_borrow(before: float, after: float) -> bool:
    """Whether a change of position opens or increases a short."""
    return min(after, 0.0) < min(before, 0.0) - SLACK * max(1.0, abs(before))


@jit
def exceeds(trade: float, most: float) -> bool:
    """Whether a trade is more than what is filled in one step, not by rounding alone."""
    return bool(abs(trade) > most + SLACK * max(1.0, most))


@jit
def in_units(trade: float, unit: float) -> float:
    """Truncate a trade toward zero to whole units; as it is where there are none."""
    if unit > 0.0:
        trade = np.copysign(np.floor(abs(trade) / unit + SLACK) * unit, trade)
    return float(trade)


@jit
def trade_to(goal: float, held: float, lot: float) -> float:
    """The trade of a pending order in whole lots; the last of a position may be an odd lot."""
    trade = goal - held
    return trade if goal == 0.0 else in_units(trade, lot)


@jit
def fill_single(tape: Tape, state: State, record: Record, t: int, k: int, lane: int, why: int) -> None:
    """Fill the pending order of one line that trades at step t, as far as it may be."""
    book, order = state.book, state.order
    lot, most = tape.trait[LOT, k], tape.quote[MOST, t, k]
    held = book[HELD, k, lane]
    trade = trade_to(book[GOAL, k, lane], held, lot)
    remains = exceeds(trade, most)
    if remains:
        trade = in_units(np.copysign(most, trade), lot)
    if needs_borrow(held, held + trade) and not may_short(tape, k, t):
        remains = must_wait(tape, k, t)
        if not remains:
            drop(record, lane, t, k, order[DECIDED, k, lane], NO_BORROW)
        trade = -min(max(held, 0.0), abs(trade))
    if not nothing(trade, held):
        trade_one(tape, state, record, t, k, lane, trade, why, order[DECIDED, k, lane])
    if not remains:
        book[GOAL, k, lane] = np.nan


@jit
def fill_row(tape: Tape, state: State, record: Record, t: int, k: int) -> bool:
    """Fill the pending orders of one line in every lane at once; tell if that could be done.

    What `fill_single` does to one lane, without its exception: where a short cannot be had it does nothing.
    """
    lot, most = tape.trait[LOT, k], tape.quote[MOST, t, k]
    trade, held, goal = state.scratch[TRADE], state.book[HELD, k], state.book[GOAL, k]
    lanes = held.shape[0]
    left = 0
    if most == np.inf and may_short(tape, k, t):
        # A lane without an order wants NaN, which is no trade.
        for lane in range(lanes):
            wanted = trade_to(goal[lane], held[lane], lot)
            trade[lane] = wanted if abs(wanted) >= SLACK * max(1.0, abs(held[lane])) else 0.0
            goal[lane] = np.nan
    else:
        undone, shorts = state.scratch[UNDONE], 0
        for lane in range(lanes):
            wanted = trade_to(goal[lane], held[lane], lot)
            capped = exceeds(wanted, most)
            undone[lane] = goal[lane] if capped else np.nan
            wanted = in_units(np.copysign(most, wanted), lot) if capped else wanted
            trade[lane] = wanted if abs(wanted) >= SLACK * max(1.0, abs(held[lane])) else 0.0
            left += capped
            shorts += needs_borrow(held[lane], held[lane] + wanted)
        if shorts > 0 and not may_short(tape, k, t):
            return False
        for lane in range(lanes):
            goal[lane] = undone[lane]
    execute(tape, state, record, t, k, 0, lanes, TARGET, state.order[DECIDED, k, 0])
    if left == 0:
        state.agenda[PENDING, k] = NEVER
    return True


@jit
def resume(state: State, p: int, lane: int) -> None:
    """End an order of a pair and take up the target that waited for it, or what a cap left of the order."""
    link, pair = state.link, state.pair
    replaced = link[FORCE, p, lane] == UNFORCED and not np.isnan(pair[QUEUED, p, lane])
    if link[PARTIAL, p, lane] == 1 and not replaced:
        link[STAGE, p, lane] = LEAD
        link[PARTIAL, p, lane] = 0
        return
    link[STAGE, p, lane] = IDLE
    link[FORCE, p, lane], link[PARTIAL, p, lane] = UNFORCED, 0
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
    flags, quote = tape.flags, tape.quote
    pair, book, link = state.pair, state.book, state.link
    ratio = parity[RATIO, t, p]
    unit = parity[UNIT, t, p]
    goal = pair[WANTED, p, lane]
    force = link[FORCE, p, lane]
    if np.isnan(ratio) or (force == UNFORCED and parity[LEAD_OK, t, p] == 0.0):
        return
    for leg in range(2):
        k = legs[p, leg]
        other = legs[p, 1 - leg]
        if door[t, k] != OPEN or (force == UNFORCED and door[t, other] == HALTED):
            continue
        if force >= ONE_LEG and leg != force - ONE_LEG and not nothing(book[HELD, other, lane], 0.0):
            continue
        # Ordinary shares per share of this leg and of the other, with the sign of the leg.
        own = 1.0 if leg == 0 else -ratio
        opposite = -ratio if leg == 0 else 1.0
        held = book[HELD, k, lane]
        trade = goal / own - held
        if goal != 0.0:
            trade = in_units(trade * abs(own), unit) / abs(own)
        most = quote[MOST, t, k]
        if force == UNFORCED:
            # No more than the other leg may fill in one step: what it cannot cover would be unwound.
            most = min(most, quote[MOST, t, other] * abs(opposite / own))
        partial = exceeds(trade, most)
        if partial:
            # What is forced does not wait for whole units on both lines.
            step = unit if force == UNFORCED else tape.trait[LOT, k] * abs(own)
            trade = in_units(np.copysign(most, trade) * abs(own), step) / abs(own)
            if nothing(trade, held):
                continue
        elif nothing(trade, held):
            # Nothing to lead with; an exit is then left to the leg that still holds something.
            if goal != 0.0 or nothing(book[HELD, other, lane], 0.0):
                link[STAGE, p, lane] = EVEN
                return
            continue
        follows = -(held + trade) * own / opposite
        if needs_borrow(held, held + trade) and not may_short(tape, k, t):
            continue
        if needs_borrow(book[HELD, other, lane], -follows) and not may_short(tape, other, t):
            continue
        why = LEADING if force == UNFORCED else FORCED
        trade_one(tape, state, record, t, k, lane, trade, why, link[DECIDED, p, lane])
        link[STAGE, p, lane] = HEDGE
        link[LEADER, p, lane] = leg
        link[PARTIAL, p, lane] = 1 if partial else 0
        link[HEDGE_UNTIL, p, lane] = FOREVER
        if force == UNFORCED:
            link[HEDGE_UNTIL, p, lane] = ends[TO_HEDGE, t, flags[VENUE, other]]
        return


@jit
def follow_pair(tape: Tape, state: State, record: Record, t: int, p: int, lane: int, why: int) -> bool:
    """Bring one leg of a pair to the other's ordinary shares, if it can trade at step t; tell if so."""
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
    most = tape.quote[MOST, t, k]
    partial = exceeds(trade, most)
    if partial:
        trade = in_units(np.copysign(most, trade), tape.trait[LOT, k])
    if needs_borrow(held, held + trade) and not may_short(tape, k, t):
        if why == HEDGING or must_wait(tape, k, t):
            return False
        # An unwind cannot wait for a borrow: it stops at zero.
        drop(record, lane, t, legs[p, 1], link[DECIDED, p, lane], NO_BORROW)
        trade = -min(max(held, 0.0), abs(trade))
        partial = False
    if not nothing(trade, held):
        trade_one(tape, state, record, t, k, lane, trade, why, link[DECIDED, p, lane])
    return not partial


@jit
def fill_what_is_forced(tape: Tape, state: State, record: Record, t: int) -> None:
    """Do what cannot wait: close parked lines, get out of what pairs left behind, deliver, unwind, lead."""
    legs, door = tape.legs, tape.door
    book, link, order, marks = state.book, state.link, state.order, state.marks
    lines, lanes = book.shape[1], book.shape[2]
    for k in range(lines if state.alarm[0] == 1 else 0):
        if marks[GONE, k] == PARKED:
            for lane in range(lanes):
                if not np.isnan(book[GOAL, k, lane]) and order[DECIDED, k, lane] < t:
                    close_in_cash(tape, state, record, t, k, lane, CLOSED_LATER)
                    book[GOAL, k, lane] = np.nan
    for p in range(legs.shape[0]):
        for lane in range(lanes if state.busy[p] == 1 else 0):
            stage = link[STAGE, p, lane]
            if stage == GONE_PAIR:
                for leg in range(2):
                    k = legs[p, leg]
                    pending = not np.isnan(book[GOAL, k, lane]) and order[DECIDED, k, lane] < t
                    if pending and door[t, k] == OPEN and marks[GONE, k] == LISTED:
                        fill_single(tape, state, record, t, k, lane, FORCED)
            elif stage == CONVERTING:
                if t >= link[UNTIL, p, lane]:
                    deliver(tape, state, record, t, p, lane)
                    link[STAGE, p, lane] = EVEN
            elif stage == UNWIND:
                if follow_pair(tape, state, record, t, p, lane, UNWINDING):
                    link[STAGE, p, lane] = EVEN
            elif stage == LEAD and link[FORCE, p, lane] != UNFORCED:
                lead_pair(tape, state, record, t, p, lane)


@jit
def fill(tape: Tape, state: State, record: Record, t: int) -> None:
    """Stage 4: fill what is pending and can trade, forced orders first."""
    legs, door, flags = tape.legs, tape.door, tape.flags
    book, link, order = state.book, state.link, state.order
    lines, lanes = book.shape[1], book.shape[2]
    if state.alarm[0] == 1 or legs.shape[0] > 0:
        fill_what_is_forced(tape, state, record, t)
    for k in range(lines):
        if flags[PAIR, k] >= 0 or door[t, k] != OPEN or state.agenda[PENDING, k] == NEVER:
            continue
        if state.alarm[0] == 0 and fill_row(tape, state, record, t, k):
            continue
        for lane in range(lanes):
            forced = order[UNTIL, k, lane] == FOREVER
            if not np.isnan(book[GOAL, k, lane]) and not (forced and order[DECIDED, k, lane] == t):
                fill_single(tape, state, record, t, k, lane, FORCED if forced else TARGET)
    for p in range(legs.shape[0]):
        for lane in range(lanes if state.busy[p] == 1 else 0):
            if link[STAGE, p, lane] == HEDGE:
                if follow_pair(tape, state, record, t, p, lane, HEDGING):
                    link[STAGE, p, lane] = EVEN
            elif link[STAGE, p, lane] == LEAD and link[FORCE, p, lane] == UNFORCED:
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
        soonest = state.agenda[PENDING, k]
        if flags[PAIR, k] >= 0 or soonest == NEVER or not (same_step or t >= soonest):
            continue
        soonest = NEVER
        for lane in range(lanes):
            if np.isnan(book[GOAL, k, lane]):
                continue
            until = order[UNTIL, k, lane]
            if until != FOREVER and (same_step or t >= until):
                drop(record, lane, t, k, order[DECIDED, k, lane], EXPIRED)
                book[GOAL, k, lane] = np.nan
            else:
                soonest = min(soonest, until, LATEST)
        state.agenda[PENDING, k] = soonest
    for p in range(legs.shape[0]):
        if state.busy[p] == 0:
            continue
        adr, active = legs[p, 1], 0
        for lane in range(lanes):
            stage = link[STAGE, p, lane]
            if stage == HEDGE and t >= link[HEDGE_UNTIL, p, lane]:
                drop(record, lane, t, adr, link[DECIDED, p, lane], UNWOUND)
                link[STAGE, p, lane] = UNWIND
                link[DECIDED, p, lane] = t
                link[PARTIAL, p, lane] = 0
            elif stage == LEAD and t >= link[UNTIL, p, lane]:
                drop(record, lane, t, adr, link[DECIDED, p, lane], EXPIRED)
                link[STAGE, p, lane] = IDLE
            if not np.isnan(pair[QUEUED, p, lane]) and t >= link[QUEUED_UNTIL, p, lane]:
                drop(record, lane, t, adr, link[QUEUED_DECIDED, p, lane], EXPIRED)
                pair[QUEUED, p, lane] = np.nan
            stage = link[STAGE, p, lane]
            active += stage not in (IDLE, PARKED_PAIR, GONE_PAIR) or not np.isnan(pair[QUEUED, p, lane])
            if stage == GONE_PAIR:
                for leg in range(2):
                    active += not np.isnan(book[GOAL, legs[p, leg], lane])
        state.busy[p] = 1 if active > 0 else 0


@jit
def stand_down(tape: Tape, state: State) -> None:
    """End the alarm once nothing is forced and nobody is called."""
    book, order, link = state.book, state.order, state.link
    alarms = 0
    for lane in range(book.shape[2]):
        alarms += state.called[lane] == CALLED
        for k in range(book.shape[1]):
            alarms += order[UNTIL, k, lane] == FOREVER and not np.isnan(book[GOAL, k, lane])
        for p in range(link.shape[1]):
            alarms += link[FORCE, p, lane] != UNFORCED
    state.alarm[0] = 1 if alarms > 0 else 0


@jit
def stopped(tape: Tape, state: State, t: int) -> int:
    """Return a line that is held though its prices are known, at step t, to have ended for good; or -1."""
    flags, book, marks = tape.flags, state.book, state.marks
    for k in range(flags.shape[1]):
        if flags[STOPS, k] == t and marks[GONE, k] == LISTED:
            for owner in range(flags.shape[1]):
                if owner != k and not (marks[GONE, owner] == PARKED and marks[HEIR, owner] == k):
                    continue
                for lane in range(book.shape[2]):
                    if not nothing(book[HELD, owner, lane], 0.0):
                        return k
    return -1


@jit
def sweep(tape: Tape, state: State, record: Record, t: int) -> None:
    """Exchange what is settled and no collateral of every other currency into the base currency."""
    flags, rates, fx_spread = tape.flags, tape.rates, tape.fx_spread
    book, marks, money = state.book, state.marks, state.money
    lines, lanes = book.shape[1], book.shape[2]
    free, base = state.scratch[FLOW], money[CASH, 0]
    for c in range(1, money.shape[1]):
        rate = rates[FX_RATE, t, c]
        cash, unsettled = money[CASH, c], money[UNSETTLED, c]
        for lane in range(lanes):
            free[lane] = cash[lane] - unsettled[lane]
        for k in range(lines):
            if flags[CURRENCY, k] == c and state.agenda[LIVE, k] == 1 and not np.isnan(marks[LAST, k]):
                held, last = book[HELD, k], marks[LAST, k]
                for lane in range(lanes):
                    free[lane] += min(held[lane], 0.0) * last
        for lane in range(lanes):
            cash[lane] -= free[lane]
            base[lane] += free[lane] * rate - fx_spread * abs(free[lane]) * rate
        if record.on or record.tallies:
            for lane in range(lanes):
                post(record, FX_SPREAD, t, lines + c, lane, -fx_spread * abs(free[lane]) * rate)


@jit
def value(tape: Tape, state: State, t: int, equity: Floats) -> None:
    """Equity of every lane: cash and receivables of all currencies, then the marked lines in order."""
    rates, flags = tape.rates, tape.flags
    money, marks, book = state.money, state.marks, state.book
    lanes = equity.shape[0]
    equity.fill(0.0)
    for c in range(rates.shape[2]):
        rate = rates[FX_RATE, t, c]
        cash, receivable = money[CASH, c], money[RECEIVABLE, c]
        for lane in range(lanes):
            equity[lane] += rate * (cash[lane] + receivable[lane])
    for k in range(book.shape[1]):
        if state.agenda[LIVE, k] == 0 or np.isnan(marks[LAST, k]):
            continue
        worth = marks[LAST, k] * rates[FX_RATE, t, flags[CURRENCY, k]]
        held = book[HELD, k]
        for lane in range(lanes):
            equity[lane] += held[lane] * worth


@jit
def look_who_lives(state: State) -> None:
    """Find the lines that any lane holds: the others need no accruals and have no value."""
    for k in range(state.book.shape[1]):
        held, holders = state.book[HELD, k], 0
        for lane in range(held.shape[0]):
            holders += held[lane] != 0.0
        state.agenda[LIVE, k] = 1 if holders > 0 else 0


@jit
def end_what_is_ruined(tape: Tape, state: State, record: Record, equity: Floats) -> None:
    """Close every lane whose equity is gone, at its marks; what it then owes stands as a receivable."""
    book, pair, link, money = state.book, state.pair, state.link, state.money
    for lane in range(equity.shape[0]):
        if equity[lane] > 0.0 or state.called[lane] == OVER:
            continue
        for k in range(book.shape[1]):
            held = book[HELD, k, lane]
            book[HELD, k, lane] = 0.0
            book[GOAL, k, lane] = np.nan
            book[STANDING, k, lane] = np.nan
            close_trip(tape, state, record, k, lane, held)
        for p in range(pair.shape[1]):
            pair[:, p, lane].fill(np.nan)
            link[FORCE, p, lane], link[PARTIAL, p, lane] = UNFORCED, 0
            if link[STAGE, p, lane] not in (GONE_PAIR, PARKED_PAIR):
                link[STAGE, p, lane] = IDLE
        money[:, :, lane].fill(0.0)
        state.due[:, :, lane].fill(0.0)
        state.slots[:, lane].fill(0.0)
        state.called[lane] = OVER
        money[RECEIVABLE, 0, lane] = equity[lane]


@jit
def count_session(record: Record, t: int, equity: Floats) -> None:
    """Add the session that ends at step t to every lane's moments: returns, excess, drawdown, months."""
    m, first = record.moments, record.sample[t] == 0
    for lane in range(equity.shape[0]):
        now = equity[lane]
        m[TOTAL, lane] += now
        if first:
            m[FIRST, lane] = m[BEFORE, lane] = m[PEAK, lane] = m[MONTH_BEFORE, lane] = now
            continue
        n = float(record.sample[t])
        change = now / m[BEFORE, lane] - 1.0
        over = change - record.free[t]
        m[BEFORE, lane] = now
        # Welford's recurrences: a sum of squares of returns around 1e-2 less a square loses six digits.
        off = change - m[MEAN, lane]
        m[MEAN, lane] += off / n
        m[SQUARES, lane] += off * (change - m[MEAN, lane])
        off = over - m[OVER_MEAN, lane]
        m[OVER_MEAN, lane] += off / n
        m[OVER_SQUARES, lane] += off * (over - m[OVER_MEAN, lane])
        m[FALLS, lane] += min(over, 0.0)
        m[FALLS_SQUARED, lane] += min(over, 0.0) * min(over, 0.0)
        m[RISES, lane] += max(over, 0.0)
        m[WORST, lane] = min(m[WORST, lane], over)
        m[PEAK, lane] = max(m[PEAK, lane], now)
        m[DEPTH, lane] = min(m[DEPTH, lane], now / m[PEAK, lane] - 1.0)
    months = record.month[t]
    if months > 0:
        for lane in range(equity.shape[0]):
            over = equity[lane] / m[MONTH_BEFORE, lane] - record.month_free[t]
            m[MONTH_BEFORE, lane] = equity[lane]
            off = over - m[MONTH_MEAN, lane]
            m[MONTH_MEAN, lane] += off / float(months)
            m[MONTH_SQUARES, lane] += off * (over - m[MONTH_MEAN, lane])


# -- stage 6: what must be done whether the plan wants it or not ---------------------------------------------


@jit
def reduces(goal: float, held: float) -> bool:
    """Whether going to a goal makes a position smaller."""
    return bool(goal == 0.0 or (goal * held > 0.0 and abs(goal) < abs(held) * (1.0 - SLACK)))


@jit
def within(goal: float, limit: float) -> bool:
    """Whether a goal is no larger than a limit on the same side."""
    return bool(goal == 0.0 or (goal * limit > 0.0 and abs(goal) <= abs(limit)))


@jit
def force_single(state: State, t: int, k: int, lane: int, goal: float) -> None:
    """Let one line go to a goal at its next step, whenever that is and whatever else is wanted."""
    book, order = state.book, state.order
    book[GOAL, k, lane] = goal
    order[DECIDED, k, lane] = t
    order[UNTIL, k, lane] = FOREVER
    state.agenda[PENDING, k] = min(state.agenda[PENDING, k], LATEST)
    state.alarm[0] = 1


@jit
def force_pair(state: State, t: int, p: int, lane: int, goal: float, force: int) -> None:
    """Let a pair go to a goal in Hong Kong shares, whenever that is and whatever else is wanted."""
    link, pair = state.link, state.pair
    link[STAGE, p, lane] = LEAD
    link[FORCE, p, lane], link[PARTIAL, p, lane] = force, 0
    link[DECIDED, p, lane], link[UNTIL, p, lane] = t, FOREVER
    pair[WANTED, p, lane] = goal
    state.busy[p], state.alarm[0] = 1, 1


@jit
def call_margin(tape: Tape, state: State, record: Record, t: int, equity: Floats) -> None:
    """Scale every position of a lane down to its initial requirement if it fails the one to keep it."""
    flags, rates, margin = tape.flags, tape.rates, tape.margin
    long, short = state.scratch[LONG], state.scratch[SHORT]
    lanes = equity.shape[0]
    long.fill(0.0)
    short.fill(0.0)
    for k in range(state.book.shape[1]):
        if state.agenda[LIVE, k] == 1 and not np.isnan(state.marks[LAST, k]):
            held, last, rate = (
                state.book[HELD, k],
                state.marks[LAST, k],
                rates[FX_RATE, t, flags[CURRENCY, k]],
            )
            for lane in range(lanes):
                worth = held[lane] * last * rate
                long[lane] += max(worth, 0.0)
                short[lane] += max(-worth, 0.0)
    for lane in range(lanes):
        if not equity[lane] > 0.0:
            continue
        kept = margin[MAINTENANCE_LONG] * long[lane] + margin[MAINTENANCE_SHORT] * short[lane]
        state.called[lane] = CALLED if kept > equity[lane] * (1.0 + SLACK) else FREE
        if state.called[lane] == CALLED:
            needed = margin[INITIAL_LONG] * long[lane] + margin[INITIAL_SHORT] * short[lane]
            reduce_all(tape, state, record, t, lane, min(1.0, equity[lane] / needed))


@jit
def reduce_all(tape: Tape, state: State, record: Record, t: int, lane: int, scale: float) -> None:
    """Have every position of a lane scaled down at its next step, and let nothing larger stand."""
    flags, legs = tape.flags, tape.legs
    book, order, marks, link, pair = state.book, state.order, state.marks, state.link, state.pair
    state.alarm[0] = 1
    for k in range(book.shape[1]):
        if flags[PAIR, k] >= 0 or marks[GONE, k] != LISTED:
            continue
        goal, held = book[GOAL, k, lane], book[HELD, k, lane]
        pending = not np.isnan(goal)
        if pending and (order[UNTIL, k, lane] == FOREVER or within(goal, held * scale)):
            continue
        if pending:
            drop(record, lane, t, k, order[DECIDED, k, lane], MARGIN_CALL)
            book[GOAL, k, lane] = np.nan
        if not nothing(held, 0.0):
            force_single(state, t, k, lane, held * scale)
    for p in range(legs.shape[0]):
        stage = link[STAGE, p, lane]
        adr = legs[p, 1]
        if not np.isnan(pair[QUEUED, p, lane]):
            drop(record, lane, t, adr, link[QUEUED_DECIDED, p, lane], MARGIN_CALL)
            pair[QUEUED, p, lane] = np.nan
        if link[FORCE, p, lane] != UNFORCED or stage not in (IDLE, LEAD):
            continue
        held = book[HELD, legs[p, 0], lane]
        if stage == LEAD:
            if within(pair[WANTED, p, lane], held * scale):
                continue
            drop(record, lane, t, adr, link[DECIDED, p, lane], MARGIN_CALL)
            link[STAGE, p, lane] = IDLE
        if not nothing(held, 0.0):
            force_pair(state, t, p, lane, held * scale, ANY_LEG)


@jit
def recall(tape: Tape, state: State, record: Record, t: int) -> None:
    """Have every short bought in that its lender wants back."""
    flags, legs = tape.flags, tape.legs
    book, order, marks, link, pair = state.book, state.order, state.marks, state.link, state.pair
    for k in range(book.shape[1]):
        if tape.loan[t, k] != RECALL or marks[GONE, k] != LISTED:
            continue
        p = flags[PAIR, k]
        for lane in range(book.shape[2]):
            if not book[HELD, k, lane] < 0.0 or nothing(book[HELD, k, lane], 0.0):
                continue
            if p < 0:
                pending = not np.isnan(book[GOAL, k, lane])
                if pending and order[UNTIL, k, lane] == FOREVER:
                    book[GOAL, k, lane] = 0.0
                    continue
                if pending:
                    drop(record, lane, t, k, order[DECIDED, k, lane], DISPLACED)
                force_single(state, t, k, lane, 0.0)
                continue
            stage, adr = link[STAGE, p, lane], legs[p, 1]
            if stage in (GONE_PAIR, PARKED_PAIR) or link[FORCE, p, lane] >= ONE_LEG:
                continue
            if stage != IDLE:
                drop(record, lane, t, adr, link[DECIDED, p, lane], DISPLACED)
            if not np.isnan(pair[QUEUED, p, lane]):
                drop(record, lane, t, adr, link[QUEUED_DECIDED, p, lane], DISPLACED)
                pair[QUEUED, p, lane] = np.nan
            force_pair(state, t, p, lane, 0.0, ONE_LEG + (1 if k == adr else 0))


# -- stage 7 -------------------------------------------------------------------------------------------------


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
    held = book[HELD, k, lane]
    given = weight == weight
    if marks[GONE, k] != LISTED:
        if given and weight != 0.0:
            drop(record, lane, t, k, t, DELISTED)
        elif given and marks[GONE, k] == PARKED and held != 0.0:
            force_single(state, t, k, lane, 0.0)
        return
    worth = marks[LAST, k] * rates[FX_RATE, t, flags[CURRENCY, k]]
    pending = not np.isnan(book[GOAL, k, lane])
    if not given:
        weight = book[STANDING, k, lane]
        if np.isnan(weight) or pending:
            return
        if not abs(held * worth / equity - weight) > band * abs(weight):
            return
    book[STANDING, k, lane] = weight
    if weight == 0.0 and nothing(held, 0.0):
        book[GOAL, k, lane] = np.nan
        return
    if np.isnan(worth):
        drop(record, lane, t, k, t, UNPRICED)
        book[STANDING, k, lane] = np.nan
        return
    goal = weight * equity / worth
    if state.called[lane] == CALLED and not reduces(goal, book[GOAL, k, lane] if pending else held):
        if given:
            drop(record, lane, t, k, t, MARGIN_CALL)
        return
    if pending and order[UNTIL, k, lane] == FOREVER:
        if weight == 0.0:
            book[GOAL, k, lane] = 0.0
        else:
            drop(record, lane, t, k, t, DISPLACED)
        return
    book[GOAL, k, lane] = goal
    order[DECIDED, k, lane] = t
    order[UNTIL, k, lane] = ends[TO_LIVE, t, flags[VENUE, k]]
    state.agenda[PENDING, k] = min(state.agenda[PENDING, k], order[UNTIL, k, lane], LATEST)
    state.fresh[lane] = 1


@jit
def decide_row(
    tape: Tape,
    state: State,
    t: int,
    k: int,
    target: Floats,
    given: int,
    band: Floats,
    drifts: bool,
    equity: Floats,
) -> None:
    """Turn the targets of one listed line, of no lane that is called or forced, into pending quantities.

    What `decide_single` does to one lane where nothing stands apart; so many lanes have given a target.
    """
    worth = state.marks[LAST, k] * tape.rates[FX_RATE, t, tape.flags[CURRENCY, k]]
    until = tape.ends[TO_LIVE, t, tape.flags[VENUE, k]]
    held, goal, standing = state.book[HELD, k], state.book[GOAL, k], state.book[STANDING, k]
    decided, expires = state.order[DECIDED, k], state.order[UNTIL, k]
    lanes = equity.shape[0]
    if drifts:
        for lane in range(lanes):
            weight = standing[lane]
            # NaN, where nothing stands, is away from nothing.
            away = abs(held[lane] * worth / equity[lane] - weight) > band[lane] * abs(weight)
            idle = (target[lane] != target[lane]) & (goal[lane] != goal[lane]) & (equity[lane] > 0.0)
            target[lane] = weight if away & idle else target[lane]
    # Loops of few arrays and no branches: these are what vectorises.
    shares, fresh = state.scratch[UNDONE], state.fresh
    for lane in range(lanes):
        out = (target[lane] == 0.0) & nothing(held[lane], 0.0)
        shares[lane] = np.nan if out else target[lane] * equity[lane] / worth
    if given == lanes:
        for lane in range(lanes):
            goal[lane], standing[lane] = shares[lane], target[lane]
        decided.fill(t)
        expires.fill(until)
        fresh.fill(1)
    else:
        for lane in range(lanes):
            if target[lane] == target[lane]:
                goal[lane], standing[lane] = shares[lane], target[lane]
            if shares[lane] == shares[lane]:
                decided[lane], expires[lane], fresh[lane] = t, until, 1
    state.agenda[PENDING, k] = min(state.agenda[PENDING, k], until, LATEST)


@jit
def conversion_is_cheaper(tape: Tape, state: State, t: int, p: int, lane: int) -> bool:
    """Whether closing a pair by conversion is worth more than by two trades, at the marks of step t."""
    legs, flags, rates, quote = tape.legs, tape.flags, tape.rates, tape.quote
    book, marks = state.book, state.marks
    basis, trade, wait = 0.0, 0.0, 0.0
    for leg in range(2):
        k = legs[p, leg]
        held, last = book[HELD, k, lane], marks[LAST, k]
        rate = rates[FX_RATE, t, flags[CURRENCY, k]]
        printed = int(marks[PRINTED, k])
        half = quote[HALF_SPREAD, printed, k]
        side = 1 if held > 0.0 else 0
        worth = abs(held) * last
        worse = half + impact_of(tape, k, printed, abs(held))
        notional = worth * (1.0 - worse) if side == 1 else worth * (1.0 + worse)
        basis += held * last * rate
        trade += (worth * worse + order_fees(tape, k, printed, side, notional, abs(held))) * rate
        if side == 1 and (tape.convert or tape.sweeps) and flags[CURRENCY, k] > 0:
            trade += tape.fx_spread * notional * rate
        if side == 0:
            wait += worth * rate * quote[BORROW_RATE, t, k] * tape.waiting_days
    adr = legs[p, 1]
    paid = depositary_fee(tape, adr, book[HELD, adr, lane]) * rates[FX_RATE, t, flags[CURRENCY, adr]]
    return bool(-paid - wait > basis - trade)


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
    exit_by: int,
) -> None:
    """Turn the target of a linked pair into a pending quantity of Hong Kong shares, or look at its drift."""
    legs, rates, flags, ends = tape.legs, tape.rates, tape.flags, tape.ends
    link, book, marks, pair = state.link, state.book, state.marks, state.pair
    stage = link[STAGE, p, lane]
    hk, adr = legs[p, 0], legs[p, 1]
    held = book[HELD, hk, lane]
    given = weight == weight
    if stage in (GONE_PAIR, PARKED_PAIR):
        if given and weight != 0.0:
            drop(record, lane, t, adr, t, DELISTED)
        elif given and stage == PARKED_PAIR:
            link[STAGE, p, lane] = GONE_PAIR
            state.busy[p] = 1
            force_single(state, t, hk, lane, 0.0)
            force_single(state, t, adr, lane, 0.0)
        return
    worth = marks[LAST, hk] * rates[FX_RATE, t, flags[CURRENCY, hk]]
    if not given:
        weight = pair[KEPT, p, lane]
        if stage != IDLE or np.isnan(weight) or not abs(held * worth / equity - weight) > band * abs(weight):
            return
    outstanding = stage in (HEDGE, UNWIND, CONVERTING) or link[FORCE, p, lane] != UNFORCED
    pair[KEPT, p, lane] = weight
    if weight == 0.0 and not outstanding and nothing(held, 0.0) and nothing(book[HELD, adr, lane], 0.0):
        link[STAGE, p, lane] = IDLE
        return
    goal = weight * equity / worth
    if weight == 0.0:
        goal = 0.0
    if np.isnan(goal):
        drop(record, lane, t, adr, t, UNPRICED)
        pair[KEPT, p, lane] = np.nan
        return
    waiting = stage == LEAD and not outstanding
    if state.called[lane] == CALLED and not reduces(goal, pair[WANTED, p, lane] if waiting else held):
        if given:
            drop(record, lane, t, adr, t, MARGIN_CALL)
        return
    until = max(ends[TO_LIVE, t, flags[VENUE, hk]], ends[TO_LIVE, t, flags[VENUE, adr]])
    state.busy[p], state.fresh[lane] = 1, 1
    if outstanding:
        pair[QUEUED, p, lane] = goal
        link[QUEUED_UNTIL, p, lane] = until
        link[QUEUED_DECIDED, p, lane] = t
        return
    link[PARTIAL, p, lane] = 0
    link[DECIDED, p, lane] = t
    if weight == 0.0 and exit_by != BY_TRADE:
        other = book[HELD, adr, lane]
        whole = not nothing(held, 0.0) and not nothing(other, 0.0) and held * other < 0.0
        if whole and (exit_by == BY_CONVERSION or conversion_is_cheaper(tape, state, t, p, lane)):
            link[STAGE, p, lane] = CONVERTING
            link[UNTIL, p, lane] = ends[TO_DELIVER, t, flags[VENUE, adr if held > 0.0 else hk]]
            return
    link[STAGE, p, lane] = LEAD
    pair[WANTED, p, lane] = goal
    link[UNTIL, p, lane] = until


@jit
def wanted_of_pair(tape: Tape, state: State, t: int, p: int, lane: int) -> tuple[float, bool]:
    """The Hong Kong shares a pair is on its way to, and whether they were decided at step t."""
    link, pair, book = state.link, state.pair, state.book
    stage = link[STAGE, p, lane]
    unforced = link[FORCE, p, lane] == UNFORCED
    if not np.isnan(pair[QUEUED, p, lane]):
        return pair[QUEUED, p, lane], link[QUEUED_DECIDED, p, lane] == t
    if stage == LEAD and unforced:
        return pair[WANTED, p, lane], link[DECIDED, p, lane] == t
    if stage == HEDGE and unforced and link[LEADER, p, lane] == 1:
        return -book[HELD, tape.legs[p, 1], lane] * tape.parity[RATIO, t, p], False
    return book[HELD, tape.legs[p, 0], lane], False


@jit
def need_of_pair(tape: Tape, state: State, t: int, p: int, shares: float) -> float:
    """What a pair of so many Hong Kong shares needs of equity to be opened."""
    flags, rates, margin, marks = tape.flags, tape.rates, tape.margin, state.marks
    hk, adr = tape.legs[p, 0], tape.legs[p, 1]
    here = marks[LAST, hk] * rates[FX_RATE, t, flags[CURRENCY, hk]]
    there = marks[LAST, adr] * rates[FX_RATE, t, flags[CURRENCY, adr]] / tape.parity[RATIO, t, p]
    if np.isnan(there):
        there = here
    if shares > 0.0:
        return float(shares * (here * margin[INITIAL_LONG] + there * margin[INITIAL_SHORT]))
    return float(-shares * (here * margin[INITIAL_SHORT] + there * margin[INITIAL_LONG]))


@jit
def shared_part(held: float, wanted: float) -> float:
    """What of a wanted position is held already."""
    return max(min(held, wanted), 0.0) + min(max(held, wanted), 0.0)


@jit
def asked_of_single(tape: Tape, state: State, t: int, k: int, lane: int) -> tuple[float, float, bool]:
    """Shares a lane is to have of a line, what of them is not new, and whether step t decided so."""
    book, order = state.book, state.order
    held, want = book[HELD, k, lane], book[GOAL, k, lane]
    fixed = np.isnan(want) or order[UNTIL, k, lane] == FOREVER or state.marks[GONE, k] != LISTED
    want = held if fixed else want
    fresh = not fixed and order[DECIDED, k, lane] == t
    return want, shared_part(held, want) if fresh else want, fresh


@jit
def need_row(tape: Tape, state: State, t: int, k: int, worth: float, kept: Floats, asked: Floats) -> None:
    """Add what every lane needs of equity for one listed line, in lanes of which none is forced.

    What `asked_of_single` says of one lane, without branches.
    """
    long, short = worth * tape.margin[INITIAL_LONG], worth * tape.margin[INITIAL_SHORT]
    held, goal, decided = state.book[HELD, k], state.book[GOAL, k], state.order[DECIDED, k]
    want, keep = state.scratch[TRADE], state.scratch[UNDONE]
    for lane in range(held.shape[0]):
        want[lane] = goal[lane] if goal[lane] == goal[lane] else held[lane]
    for lane in range(held.shape[0]):
        fresh = (goal[lane] == goal[lane]) & (decided[lane] == t)
        keep[lane] = shared_part(held[lane], want[lane]) if fresh else want[lane]
    for lane in range(held.shape[0]):
        need = long if want[lane] > 0.0 else short
        kept[lane] += abs(keep[lane]) * need
        asked[lane] += abs(want[lane]) * need


@jit
def limit(tape: Tape, state: State, record: Record, t: int, equity: Floats) -> None:
    """Cut what every lane decided at step t back to what the initial margin allows."""
    flags, rates, legs, margin = tape.flags, tape.rates, tape.legs, tape.margin
    marks, link = state.marks, state.link
    kept, asked = state.scratch[KEEPS], state.scratch[ASKS]
    lanes, decided = equity.shape[0], 0
    for lane in range(lanes):
        kept[lane], asked[lane] = 0.0, 0.0
        decided += state.fresh[lane]
    if decided == 0:
        return
    for k in range(state.book.shape[1]):
        worth = marks[LAST, k] * rates[FX_RATE, t, flags[CURRENCY, k]]
        p = flags[PAIR, k]
        if np.isnan(worth) or (state.agenda[LIVE, k] == 0 and state.agenda[PENDING, k] == NEVER):
            continue
        if state.alarm[0] == 0 and p < 0 and marks[GONE, k] == LISTED:
            need_row(tape, state, t, k, worth, kept, asked)
            continue
        for lane in range(lanes):
            if p >= 0 and link[STAGE, p, lane] not in (GONE_PAIR, PARKED_PAIR):
                continue
            want, keep, _ = asked_of_single(tape, state, t, k, lane)
            need = worth * (margin[INITIAL_LONG] if want > 0.0 else margin[INITIAL_SHORT])
            kept[lane] += abs(keep) * need
            asked[lane] += abs(want) * need
    for lane in range(lanes):
        if state.fresh[lane] == 0 or not equity[lane] > 0.0:
            continue
        for p in range(legs.shape[0]):
            worth = marks[LAST, legs[p, 0]] * rates[FX_RATE, t, flags[CURRENCY, legs[p, 0]]]
            if np.isnan(worth) or link[STAGE, p, lane] in (GONE_PAIR, PARKED_PAIR):
                continue
            want, fresh = wanted_of_pair(tape, state, t, p, lane)
            keep = shared_part(state.book[HELD, legs[p, 0], lane], want) if fresh else want
            kept[lane] += need_of_pair(tape, state, t, p, keep)
            asked[lane] += need_of_pair(tape, state, t, p, want)
        too_much = max(equity[lane], kept[lane]) * (1.0 + SLACK)
        if asked[lane] > too_much:
            share = (equity[lane] - kept[lane]) / (asked[lane] - kept[lane])
            cut_back(tape, state, record, t, lane, equity[lane], share if share > SLACK else 0.0)


@jit
def cut_back(
    tape: Tape, state: State, record: Record, t: int, lane: int, equity: float, share: float
) -> None:
    """Leave of what a lane has added at step t only a share."""
    flags, rates, legs = tape.flags, tape.rates, tape.legs
    book, marks, link, pair = state.book, state.marks, state.link, state.pair
    for k in range(book.shape[1]):
        worth = marks[LAST, k] * rates[FX_RATE, t, flags[CURRENCY, k]]
        p = flags[PAIR, k]
        if np.isnan(worth) or (p >= 0 and link[STAGE, p, lane] not in (GONE_PAIR, PARKED_PAIR)):
            continue
        want, keep, fresh = asked_of_single(tape, state, t, k, lane)
        if fresh and abs(want) > abs(keep):
            book[GOAL, k, lane] = keep + share * (want - keep)
            book[STANDING, k, lane] = book[GOAL, k, lane] * worth / equity
            drop(record, lane, t, k, t, MARGIN_CALL)
    for p in range(legs.shape[0]):
        hk = legs[p, 0]
        want, fresh = wanted_of_pair(tape, state, t, p, lane)
        keep = shared_part(book[HELD, hk, lane], want) if fresh else want
        if fresh and abs(want) > abs(keep):
            goal = keep + share * (want - keep)
            if np.isnan(pair[QUEUED, p, lane]):
                pair[WANTED, p, lane] = goal
            else:
                pair[QUEUED, p, lane] = goal
            worth = marks[LAST, hk] * rates[FX_RATE, t, flags[CURRENCY, hk]]
            pair[KEPT, p, lane] = goal * worth / equity
            drop(record, lane, t, legs[p, 1], t, MARGIN_CALL)


@jit
def read_plan(state: State, orders: Orders, t: int) -> None:
    """Turn the plan's next few steps over: a row of one lane is contiguous, a row of one column is needed."""
    plan, tile = orders.plan, state.tile
    lanes = plan.shape[0]
    # Eight lanes at a time fill whole cache lines: half the time of going lane by lane.
    for block in range(0, lanes, 8):
        for i in range(min(tile.shape[0], plan.shape[1] - t)):
            for column in range(plan.shape[2]):
                row = tile[i, column]
                for lane in range(block, min(block + 8, lanes)):
                    row[lane] = plan[lane, t + i, column]


@jit
def ask(tape: Tape, state: State, orders: Orders, decision: Any, t: int, equity: Floats) -> None:
    """Let every lane that has equity decide for itself."""
    wanted, held, worth = state.wanted, state.book[HELD], state.worth
    columns = orders.limits.shape[1]
    for k in range(worth.shape[0]):
        worth[k] = state.marks[LAST, k] * tape.rates[FX_RATE, t, tape.flags[CURRENCY, k]]
    wanted[:columns].fill(np.nan)
    wanted[columns:].fill(0.0)
    for lane in range(equity.shape[0]):
        if equity[lane] > 0.0:
            own = DecisionState(equity[lane], held[:, lane], worth, state.memory[:, lane])
            features = orders.features[orders.group[lane]]
            decision(t, own, orders.params[lane], features, wanted[:, lane])


@jit
def look(target: Floats, low: float, high: float) -> tuple[int, int]:
    """How many lanes want something of a column, and how many want what may not be."""
    given, beyond = 0, 0
    for lane in range(target.shape[0]):
        given += target[lane] == target[lane]
        beyond += (target[lane] < low) | (target[lane] > high)
    return given, beyond


@jit
def blame(state: State, target: Floats, low: float, high: float) -> None:
    """Note what the first lane wants whose target may not be."""
    for lane in range(target.shape[0]):
        if target[lane] < low or target[lane] > high:
            state.fault[0] = target[lane]
            return


@jit
def decide(
    tape: Tape,
    state: State,
    record: Record,
    orders: Orders,
    t: int,
    wanted: Floats,
    equity: Floats,
) -> int:
    """Stage 7: the targets of step t become pending quantities, while there is equity to weigh them by.

    Returns the column of a target that may not be, or -1.
    """
    door, link, pair, marks = tape.door, state.link, state.pair, state.marks
    limits, band = orders.limits, orders.band
    lanes, pairs = equity.shape[0], tape.legs.shape[0]
    singles = limits.shape[1] - pairs
    drifts = tape.clock[DECIDES, t] == 1 and orders.drifts
    state.fresh.fill(0)
    for lane in range(lanes):
        if not equity[lane] > 0.0:  # There is nothing left to weigh targets by.
            wanted[: singles + pairs, lane].fill(np.nan)
    for k in range(singles):
        drifting = drifts and (not orders.same_step or door[t, k] == OPEN)
        target = wanted[k]
        given, beyond = look(target, limits[0, k], limits[1, k])
        if beyond > 0:
            blame(state, target, limits[0, k], limits[1, k])
            return int(k)
        if given == 0 and not drifting:
            continue
        worth = marks[LAST, k] * tape.rates[FX_RATE, t, tape.flags[CURRENCY, k]]
        if state.alarm[0] == 0 and marks[GONE, k] == LISTED and worth == worth:
            decide_row(tape, state, t, k, target, given, band, drifting, equity)
            continue
        for lane in range(lanes):
            if (drifting or target[lane] == target[lane]) and equity[lane] > 0.0:
                decide_single(tape, state, record, t, k, lane, target[lane], band[lane], equity[lane])
    for p in range(pairs):
        target, exits, kept = wanted[singles + p], wanted[singles + pairs + p], pair[KEPT, p]
        hk, at = tape.legs[p, 0], singles + p
        given, beyond = look(target, limits[0, at], limits[1, at])
        if beyond > 0:
            blame(state, target, limits[0, at], limits[1, at])
            return int(at)
        if drifts and given == 0:
            held, stage = state.book[HELD, hk], link[STAGE, p]
            worth = marks[LAST, hk] * tape.rates[FX_RATE, t, tape.flags[CURRENCY, hk]]
            for lane in range(lanes):
                # NaN, where nothing is kept, is away from nothing.
                away = abs(held[lane] * worth / equity[lane] - kept[lane]) > band[lane] * abs(kept[lane])
                given += away & (stage[lane] == IDLE)
        for lane in range(lanes if given > 0 else 0):
            weight = target[lane]
            if (drifts or weight == weight) and equity[lane] > 0.0:
                closing = int(exits[lane])
                decide_pair(tape, state, record, t, p, lane, weight, band[lane], equity[lane], closing)
    if tape.margin.shape[0] > 0 and not orders.same_step:
        limit(tape, state, record, t, equity)
    return -1


@jit
def deliberate(
    tape: Tape,
    state: State,
    record: Record,
    orders: Orders,
    decision: Any,
    t: int,
    first: int,
    equity: Floats,
) -> int:
    """Find out what is wanted at step t and decide it; return the column of a forbidden target, or -1."""
    wanted = state.wanted
    if not orders.compiled:
        i = (t - first) % state.tile.shape[0]
        if i == 0:
            read_plan(state, orders, t)
        wanted = state.tile[i]
    elif orders.asked[t] == 1:
        ask(tape, state, orders, decision, t, equity)
    else:
        wanted[: orders.limits.shape[1]].fill(np.nan)
    return decide(tape, state, record, orders, t, wanted, equity)


def leave_alone(step: int, state: DecisionState, params: Floats, features: Floats, out: Floats) -> None:
    """Decide nothing: the decision of a run that reads a plan."""


@kernel
def run(
    the_tape: Tape,
    the_state: State,
    the_record: Record,
    the_orders: Orders,
    decision: Any,
    first: int,
    equity: Floats,
) -> tuple[int, int, int]:
    """Run the clock from a step to the last.

    Args:
        the_tape: the market and its costs.
        the_state: what every lane starts with; changed in place.
        the_record: where lane 0 leaves its fills, positions and contributions, or every lane its sums.
        the_orders: what is wanted: a plan, or what a compiled decision is given.
        decision: the compiled decision; not called where there is a plan.
        first: the first step to run, 0 unless a run is taken up again.
        equity: (T, L) out, in base currency, after the fills of each step; (0, L): not wanted.

    Returns:
        Step, line or column, and kind of what cannot be run, or (-1, -1, -1).
    """
    tape, state = by_reference(the_tape), by_reference(the_state)
    record, orders = by_reference(the_record), by_reference(the_orders)
    steps, lines = tape.quote.shape[1], tape.quote.shape[2]
    currencies, lanes = state.money.shape[1], state.money.shape[2]
    same_step = orders.same_step
    margined = tape.margin.shape[0] > 0 and not same_step
    first_stop = FOREVER
    for k in range(lines):
        first_stop = min(first_stop, tape.flags[STOPS, k])
    now, before = state.now, state.before
    for t in range(first, steps):
        if orders.stop[0] != 0:
            return t, -1, INTERRUPTED
        daily = tape.clock[DECIDES, t] == 1
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
            return t, fault, NO_HEIR
        mark(tape, state, record, t)
        if same_step:
            value(tape, state, t, now)
            fault = deliberate(tape, state, record, orders, decision, t, first, now)
            if fault >= 0:
                return t, fault, OUT_OF_BOUNDS
        fill(tape, state, record, t)
        if tape.impacts and state.fault[1] > 0.0:
            return t, int(state.fault[1]) - 1, NO_IMPACT
        expire(tape, state, record, t, same_step)
        if state.alarm[0] == 1:
            stand_down(tape, state)
        fault = stopped(tape, state, t) if t >= first_stop else -1
        if fault >= 0:
            return t, fault, STOPPED
        if daily:
            look_who_lives(state)
            if tape.sweeps:
                sweep(tape, state, record, t)
        value(tape, state, t, now)
        if equity.shape[0] > 0:
            for lane in range(lanes):
                equity[t, lane] = now[lane]
        if record.tallies:
            profit = record.profit[record.regime[t]]
            for lane in range(lanes):
                profit[lane] += now[lane] - before[lane]
                before[lane] = now[lane]
            if daily:
                count_session(record, t, now)
        end_what_is_ruined(tape, state, record, now)
        if margined and daily:
            call_margin(tape, state, record, t, now)
        if tape.recalls:
            recall(tape, state, record, t)
        if not same_step:
            fault = deliberate(tape, state, record, orders, decision, t, first, now)
            if fault >= 0:
                return t, fault, OUT_OF_BOUNDS
        if record.on:
            for k in range(lines):
                record.positions[t, k] = state.book[HELD, k, 0]
            for c in range(currencies):
                record.cash[t, c] = state.money[CASH, c, 0]
                record.receivable[t, c] = state.money[RECEIVABLE, c, 0]
    return -1, -1, -1
