"""The market and its costs as the kernel reads them: arrays prepared once for all configurations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import astuple
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine import _kernels as kernels
from entrepot.engine.costs import AVAILABILITY, Costs, Fee, is_dated
from entrepot.engine.lines import FEE_KINDS, SOURCES, Lines
from entrepot.errors import DataError, ParameterError, is_number, shown
from entrepot.markets import fees as schedules
from entrepot.markets.market import Market, records
from entrepot.markets.sessions import TIMEZONES, disrupted_sessions
from entrepot.markets.volume import average_volume, daily_volatility

MAX_FX_AGE_DAYS = 5.0
# Of the capital: what the least trade may come to, so that what is too little to trade is too little to see.
# A capital of 1 is a usual unit, and indices and some shares have prices of tens of thousands.
LEAST_TRADE = 1e-4
# Half-spreads where none is given: New York's, and the least of Hong Kong's (half a tick where that is more).
US_HALF_SPREAD, HK_LEAST_HALF_SPREAD = 2e-4, 1e-4
SESSIONS_TO_LIVE = 3
SESSIONS_TO_HEDGE = 2
# A line that prints no more for longer than this has stopped: nothing may be held in it then.
SESSIONS_WITHOUT_PRINT = 5
# Calendar days to a session, for estimating how long a conversion takes.
DAYS_PER_SESSION = 1.4
# Rule 201 comes on when a price has fallen by this much from the last one of the session before.
CIRCUIT_BREAKER = 0.10
FEE_SIDES = {"both": (0, 1), "buy": (0,), "sell": (1,)}
# Steps of a plan that a kernel turns over at once: 8 of 20 columns and 32 lanes are 40 kB.
TILE = 8
LEAVING = {"convert": kernels.CONVERT_IT, "cash": kernels.CASH_IT, "mark": kernels.PARK_IT}
LOANS = dict(zip(AVAILABILITY, (kernels.AVAILABLE, kernels.NO_NEW, kernels.RECALL), strict=True))


def build_tape(
    market: Market,
    lines: Lines,
    costs: Costs,
    base_currency: str,
    states: NDArray[np.int64] | None,
    stressed: Set[int] = frozenset(),
) -> tuple[kernels.Tape, tuple[str, ...]]:
    """Prepare the kernel's arrays.

    Args:
        market: T steps.
        lines: K lines and P pairs of it.
        costs: what trading and holding cost.
        base_currency: of equity.
        states: (T,) regime decided at each step, or None.
        stressed: states in which borrow costs its stressed level where ``costs`` does not say.

    Returns:
        The tape and its currencies, the base currency first.

    Raises:
        DataError: where an exchange rate is missing or older than five days.
    """
    _check_names(market, costs)
    instruments = market.instruments.iloc[lines.columns]
    sessions = pd.DatetimeIndex(market.grid["session"])
    steps = len(market)
    currencies = (base_currency, *sorted(set(instruments["currency"]) - {base_currency}))
    price = np.ascontiguousarray(market.prices[:, lines.columns])
    raw = (instruments["adjustment"] == "raw").to_numpy()
    ads = (instruments["kind"] == "ads").to_numpy() & raw
    half_spread = _half_spreads(market, lines, costs, price)
    fees, fee_row = _fee_rows(instruments, raw, costs, sessions, market.venue_of_step)
    charged = costs.dated_fees or bool(costs.fees)
    exact = raw & costs.exact_fees & (instruments["fee_class"] != "none").to_numpy() & charged
    lot = np.where(raw & costs.lots, instruments["lot"].to_numpy(dtype=np.float64), 0.0)
    venues, venue_of_step = _venues(market)
    closes = _session_closes(market, venues)
    cash_rate, day_count, known = _cash_rates(market, costs, currencies, sessions)
    day_counts = np.array([day_count[c] for c in instruments["currency"]])
    borrow_rate = _borrow_rates(market, instruments, costs, states, stressed) / day_counts
    custody = np.where(ads, costs.ads_service_fee_pa / 365.0, 0.0)
    to_convert = np.where(ads, costs.ads_conversion_fee, 0.0)
    actions = _actions(market, lines, costs, venue_of_step, venues, raw)
    loan = _loans(market, lines, costs, states)
    rebate = np.array([costs.rebate_spread_pa / day_count[c] if c in known else 0.0 for c in currencies])
    debit = np.array([costs.debit_spread_pa / day_count[c] for c in currencies])
    ratio = ratios_in_force(market, lines)
    parity = np.stack([ratio, _units(lines, lot, ratio), _lead_ok(market, lines, costs.max_leg_gap_hours)])
    tradable, halted = market.tradable[:, lines.columns], market.halted[:, lines.columns]
    carry = np.array([debit, rebate])
    margin = costs.margin
    sweeps = costs.fx_conversion == "daily"  # what has settled: kept track of with what accrues
    longs = LEAVING[costs.delisting]
    tape = kernels.Tape(
        quote=np.stack(
            [
                price,
                half_spread,
                *_collapsed_rates(fees, fee_row, price, half_spread),
                borrow_rate,
                _given(market, lines.symbols, costs.max_fill_shares, np.inf),
                _impacts_of_one(market, lines, costs),
            ]
        ),
        door=np.array(
            np.where(halted, kernels.HALTED, np.where(tradable, kernels.OPEN, kernels.CLOSED)),
            dtype=np.int8,
            order="C",
        ),
        loan=loan,
        trait=np.stack([lot, custody, to_convert]),
        flags=np.array(
            [
                [currencies.index(c) for c in instruments["currency"]],
                [venues.index(v) for v in instruments["venue"]],
                instruments["shortable"].to_numpy(dtype=bool),
                exact,
                lines.pair,
                _stops(market, lines, halted),
            ],
            dtype=np.int64,
        ),
        rates=np.stack([_exchange_rates(market, currencies), cash_rate]),
        carry=carry,
        clock=np.array(
            [
                _settlement_steps(market, venue_of_step, venues, closes, sessions),
                market.decision_steps,
            ],
            dtype=np.int64,
        ),
        elapsed=np.diff(market.times, prepend=market.times[0]) / 86_400e9,
        ends=np.stack(
            [
                _session_ends(closes, steps, SESSIONS_TO_LIVE),
                _session_ends(closes, steps, SESSIONS_TO_HEDGE),
                _session_begins(market, venues, costs.conversion_days),
            ]
        ),
        schedule=fees,
        fee_row=fee_row,
        action_first=np.searchsorted(actions[:, 0], np.arange(steps + 1), side="left").astype(np.int64),
        actions=np.ascontiguousarray(actions[:, 1:]),
        legs=lines.legs,
        parity=parity,
        leaving=np.array(
            [longs, kernels.BUY_IT_IN if costs.delisted_shorts == "buy_in" else longs], dtype=np.int64
        ),
        margin=np.array([] if margin is None else astuple(margin), dtype=np.float64),
        fx_spread=float(costs.fx_spread),
        waiting_days=costs.conversion_days * DAYS_PER_SESSION,
        impacts=costs.impact > 0.0,
        accrues=bool(sweeps or cash_rate.any() or carry.any() or borrow_rate.any() or custody.any()),
        convert=costs.fx_conversion == "on_fill",
        sweeps=sweeps,
        recalls=bool((loan == kernels.RECALL).any()),
        departs=bool((actions[:, 1] == kernels.CONVERSION).any()),
    )
    return tape, currencies


def _check_names(market: Market, costs: Costs) -> None:
    """Refuse costs given for symbols and currencies that are not there: most often a misspelling."""
    sizes = schedules.borrow_table().index
    for name in ("half_spread_bps", "borrow_rate_pa", "max_fill_shares", "impact_volume", "availability"):
        given = getattr(costs, name)
        named: Iterable[object] = given if isinstance(given, Mapping) else ()
        if isinstance(given, pd.DataFrame):
            named = given.columns if is_dated(given) else [row for row in given.index if row not in sizes]
        for symbol in named:
            if symbol not in market.symbols:
                by_size = name == "borrow_rate_pa" and isinstance(given, pd.DataFrame) and not is_dated(given)
                or_size = f" or a size, {', '.join(sizes)}" if by_size else ""
                raise ParameterError(
                    f"{name} names {symbol!r}, which this market does not have: give one of its "
                    f"symbols{or_size}"
                )
    for currency in costs.cash_rate_pa or ():
        if currency not in {"USD", "HKD", *market.currencies}:
            raise ParameterError(
                f"cash_rate_pa names {currency!r}: this market knows {', '.join(market.currencies)}"
            )


def check_dearest(tape: kernels.Tape, lines: Lines, capital: float) -> None:
    """Refuse a capital that the least trade, a billionth of a share, could change by a visible part.

    Raises:
        ParameterError: where that is worth more than a basis point of the capital.
    """
    worth = tape.quote[kernels.PRICE_AT] * tape.rates[kernels.FX_RATE][:, tape.flags[kernels.CURRENCY]]
    dearest = np.where(tape.trait[kernels.LOT] > 0.0, 0.0, np.fmax.reduce(worth, axis=0, initial=0.0))
    line = int(np.argmax(dearest)) if len(dearest) else 0
    least = dearest.max(initial=0.0) * kernels.SLACK / LEAST_TRADE
    if least > capital:
        raise ParameterError(
            f"capital is {shown(capital)} and a share of {lines.symbols[line]} is worth up to "
            f"{dearest[line]:g}: give at least {least:g}, because a trade is a billionth of a share or more"
        )


def initial_state(tape: kernels.Tape, capital: float, lanes: int, memory: int = 0) -> kernels.State:
    """Start every lane with the capital in settled cash of the base currency and nothing else."""
    _, steps, lines = tape.quote.shape
    currencies, pairs = tape.rates.shape[2], len(tape.legs)
    ring = int((tape.clock[kernels.SETTLES] - np.arange(steps)).max()) + 1
    unpaid = tape.actions[tape.actions[:, kernels.KIND] == kernels.DIVIDEND, kernels.INTO]
    book = np.full((3, lines, lanes), np.nan)
    book[kernels.HELD] = 0.0
    money = np.zeros((5, currencies, lanes))
    money[kernels.CASH, 0] = capital
    marks = np.full((5, lines), np.nan)
    marks[kernels.GONE] = kernels.LISTED
    marks[kernels.PRINTED] = 0.0
    return kernels.State(
        book=book,
        order=np.zeros((2, lines, lanes), dtype=np.int64),
        pair=np.full((3, pairs, lanes), np.nan),
        link=np.zeros((9, pairs, lanes), dtype=np.int64),
        money=money,
        due=np.zeros((ring, currencies, lanes)),
        slots=np.zeros((int(unpaid.max(initial=-1)) + 1, lanes)),
        marks=marks,
        called=np.zeros(lanes, dtype=np.int64),
        now=np.zeros(lanes),
        before=np.full(lanes, float(capital)),
        memory=np.zeros((memory, lanes)),
        # A run that is taken up has orders and positions: the first step looks at everything.
        agenda=np.array([[1], [0]]) + np.zeros((2, lines), dtype=np.int64),
        busy=np.ones(pairs, dtype=np.int64),
        alarm=np.ones(1, dtype=np.int64),
        fresh=np.zeros(lanes, dtype=np.int64),
        scratch=np.zeros((7, lanes)),
        tile=np.zeros((TILE, lines, lanes)),
        wanted=np.zeros((lines, lanes)),
        worth=np.zeros(lines),
        fault=np.zeros(2),
    )


def empty_record(tape: kernels.Tape, on: bool) -> kernels.Record:
    """Make room for what a recorded run leaves behind; pages that stay empty cost no memory."""
    steps, lines = tape.quote.shape[1:] if on else (0, 0)
    currencies, kinds = tape.rates.shape[2], tape.schedule.shape[1]
    # Of a line and step: at most two fills (a forced order and its own), six orders dropped and one move.
    rows = steps * max(lines, 1)
    no_steps = np.zeros(0, dtype=np.int64)
    return kernels.Record(
        on=on,
        positions=np.zeros((steps, lines)),
        cash=np.zeros((steps, currencies)),
        receivable=np.zeros((steps, currencies)),
        sources=np.zeros((len(SOURCES), steps, lines + currencies)),
        fills=np.empty((3 * rows, 10 + kinds)),
        dropped=np.empty((6 * rows, 4), dtype=np.int64),
        moved=np.empty((rows, 7)),
        counts=np.zeros(3, dtype=np.int64),
        tallies=False,
        regime=no_steps,
        sample=no_steps,
        free=np.zeros(0),
        month=no_steps,
        month_free=np.zeros(0),
        paid=np.zeros((0, 0, 0)),
        profit=np.zeros((0, 0)),
        tally=np.zeros((0, 0)),
        moments=np.zeros((0, 0)),
    )


# -- time ----------------------------------------------------------------------------------------------------


def _venues(market: Market) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    venues = tuple(sorted(set(market.venue_of_step) | set(market.instruments["venue"])))
    return venues, np.array([venues.index(v) for v in market.venue_of_step], dtype=np.int64)


def _session_closes(market: Market, venues: tuple[str, ...]) -> list[NDArray[np.int64]]:
    """By venue: the last step of each of its scheduled sessions, in order; steps from T on lie ahead."""
    closes = []
    dates = pd.DatetimeIndex(market.schedule["session"]).as_unit("ns").asi8
    names = market.schedule["venue"].to_numpy()
    for venue in venues:
        steps = np.flatnonzero(names == venue)
        ends = np.append(np.diff(dates[steps]) != 0, True) if len(steps) else np.zeros(0, dtype=bool)
        closes.append(steps[ends])
    return closes


def _session_ends(closes: list[NDArray[np.int64]], steps: int, sessions: int) -> NDArray[np.int64]:
    """For each step and venue: the last step of the venue's n-th session that has a step after it.

    Beyond the published calendar that is "later than any step".
    """
    ends = np.full((steps, len(closes)), np.iinfo(np.int64).max, dtype=np.int64)
    for venue, last in enumerate(closes):
        first = np.searchsorted(last, np.arange(steps), side="right")
        nth = first + sessions - 1
        inside = nth < len(last)
        ends[inside, venue] = last[nth[inside]]
    return ends


def _session_begins(market: Market, venues: tuple[str, ...], sessions: int) -> NDArray[np.int64]:
    """For each step and venue: the first step of the venue's n-th session that begins after it.

    Beyond the published calendar that is "later than any step".
    """
    steps = len(market)
    begins = np.full((steps, len(venues)), np.iinfo(np.int64).max, dtype=np.int64)
    dates = pd.DatetimeIndex(market.schedule["session"]).as_unit("ns").asi8
    names = market.schedule["venue"].to_numpy()
    for v, venue in enumerate(venues):
        own = np.flatnonzero(names == venue)
        first = own[np.append(True, np.diff(dates[own]) != 0)] if len(own) else own
        nth = np.searchsorted(first, np.arange(steps), side="right") + sessions - 1
        inside = nth < len(first)
        begins[inside, v] = first[nth[inside]]
    return begins


def _stops(market: Market, lines: Lines, halted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each line: the step at which its prices are known to have ended for good, (K,).

    That is the last step of the sixth session after its last print that is whole and not halted; "later than
    any step" where there is none. A line that leaves is gone when a session after its last one has begun.
    """
    never = np.iinfo(np.int64).max
    dates = pd.DatetimeIndex(market.grid["session"]).as_unit("ns").asi8
    stops = np.full(len(lines.symbols), never, dtype=np.int64)
    printed = np.isfinite(market.prices[::-1])
    final = np.where(printed.any(axis=0), len(dates) - 1 - printed.argmax(axis=0), len(dates) - 1)
    venues = market.instruments["venue"].to_numpy(dtype=object)
    steps_of = {venue: np.flatnonzero(market.venue_of_step == venue) for venue in dict.fromkeys(venues)}
    for k, column in enumerate(lines.columns):
        last, venue = final[column], venues[column]
        own = steps_of[venue][np.searchsorted(steps_of[venue], last, side="right") :]
        if len(own) <= SESSIONS_WITHOUT_PRINT:
            continue
        own = own[dates[own] > dates[last]]
        # The grid may end within a session.
        still_open = market.ahead.loc[market.ahead["venue"] == venue, "session"]
        own = own[~np.isin(dates[own], pd.DatetimeIndex(still_open).as_unit("ns").asi8)]
        silent = np.setdiff1d(dates[own], dates[own[halted[own, k]]])
        if len(silent) > SESSIONS_WITHOUT_PRINT:
            stops[k] = own[dates[own] == silent[SESSIONS_WITHOUT_PRINT]][-1]
    return stops


def _settlement_steps(
    market: Market,
    venue_of_step: NDArray[np.int64],
    venues: tuple[str, ...],
    closes: list[NDArray[np.int64]],
    sessions: pd.DatetimeIndex,
) -> NDArray[np.int64]:
    """The step at which a trade of each step settles: the close of the n-th session after its own.

    Beyond the published calendar that is the step after its last.
    """
    steps = len(market)
    settle = np.arange(steps, dtype=np.int64)
    for venue, name in enumerate(venues):
        own = np.flatnonzero(venue_of_step == venue)
        cycle = 0 if name == "XONE" else schedules.settlement_days(name, sessions[own])
        session = np.searchsorted(closes[venue], own, side="left")
        nth = session + cycle
        settle[own] = np.where(
            nth < len(closes[venue]),
            closes[venue][np.minimum(nth, len(closes[venue]) - 1)],
            len(market.schedule),
        )
    return settle


def _lead_ok(market: Market, lines: Lines, hours: float) -> NDArray[np.bool_]:
    """Whether the other leg's next scheduled step is near enough for one leg to go first, (T, P)."""
    ok = np.zeros((len(market), len(lines.pairs)), dtype=bool)
    venue = market.instruments["venue"].to_numpy()[lines.columns]
    following = {other: _following(market, other) for other in dict.fromkeys(venue)}
    for p, (hk, adr) in enumerate(lines.legs):
        for own, other in ((venue[hk], venue[adr]), (venue[adr], venue[hk])):
            near = (following[other] < kernels.NEVER) & (following[other] - market.times <= hours * 3600e9)
            ok[:, p] |= near & (market.venue_of_step == own)
    return ok


def _following(market: Market, venue: str) -> NDArray[np.int64]:
    """When a venue's next step is, as published by each step, in UTC nanoseconds, (T,); NEVER beyond that.

    A session that weather took was still to come until it did not open.
    """
    names = market.schedule["venue"].to_numpy()
    times = pd.DatetimeIndex(market.schedule["time"]).as_unit("ns").asi8
    dates = pd.DatetimeIndex(market.schedule["session"]).as_unit("ns").asi8
    own = np.flatnonzero(names == venue)
    following = np.append(times[own], kernels.NEVER)[np.searchsorted(times[own], market.times, side="right")]
    if venue not in TIMEZONES or not len(own):
        return following
    phase = "close" if (market.schedule["phase"].to_numpy()[own] == "close").all() else "open"
    disrupted = disrupted_sessions(venue)
    opens, first = (pd.DatetimeIndex(disrupted[name]).as_unit("ns").asi8 for name in ("open", phase))
    days = pd.DatetimeIndex(disrupted["session"]).as_unit("ns").asi8
    for day in np.flatnonzero((days >= dates[0]) & (opens <= times[-1]))[::-1]:
        before = own[dates[own] < days[day]]
        waits = (market.times < opens[day]) & (market.times >= (times[before[-1]] if len(before) else 0))
        following[waits] = first[day]
    return following


# -- money ---------------------------------------------------------------------------------------------------


def _exchange_rates(market: Market, currencies: tuple[str, ...]) -> NDArray[np.float64]:
    """Base units per unit of each currency, (T, C), refused where a fixing is missing or stale."""
    for currency in currencies:
        if currency not in market.fx:
            raise DataError(
                f"no exchange rate for {currency}: add a file {currency}=X.csv with {currency} per USD, "
                "or leave its lines out"
            )
        stale = ~(market.fx_age_days[currency].to_numpy() <= MAX_FX_AGE_DAYS)
        if stale.any():
            when = market.grid["time"].iloc[int(np.argmax(stale))]
            raise DataError(
                f"the last {currency} rate known at {when:%Y-%m-%d %H:%M} UTC is missing or older than "
                "five days: extend the fixings or cut the market with between()"
            )
    usd = market.fx[list(currencies)].to_numpy(dtype=np.float64)
    return np.ascontiguousarray(usd / usd[:, :1])


def _cash_rates(
    market: Market, costs: Costs, currencies: tuple[str, ...], sessions: pd.DatetimeIndex
) -> tuple[NDArray[np.float64], dict[str, float], set[str]]:
    """Interest per day over (t-1, t] at the rate of t-1, the day counts, and the currencies with a rate."""
    day_count = {c: 360.0 if c == "USD" else 365.0 for c in currencies}
    plain = set(market.venue_of_step) == {"XONE"}
    rates = np.zeros((len(market), len(currencies)))
    known = set(costs.cash_rate_pa or {})
    before = sessions[np.maximum(np.arange(len(market)) - 1, 0)]
    for c, currency in enumerate(currencies):
        given = (costs.cash_rate_pa or {}).get(currency)
        if currency in ("USD", "HKD") and not plain and not is_number(given):
            rates[:, c] = schedules.policy_rate(currency, before)
            known.add(currency)
        if isinstance(given, pd.Series):
            dated = _in_force(given.to_frame(currency), before)[:, 0]
            rates[:, c] = np.where(np.isnan(dated), rates[:, c], dated)
        elif given is not None:
            rates[:, c] = given
        rates[:, c] /= day_count[currency]
    return rates, day_count, known


def _in_force(frame: pd.DataFrame, sessions: pd.DatetimeIndex) -> NDArray[np.float64]:
    """The row of a dated frame in force on each session, (T, columns); NaN before the first."""
    since = pd.DatetimeIndex(frame.index).as_unit("ns").asi8
    row = np.searchsorted(since, sessions.as_unit("ns").asi8, side="right") - 1
    values = np.vstack([frame.to_numpy(dtype=np.float64), np.full((1, frame.shape[1]), np.nan)])
    return np.asarray(values[row])


def _given(
    market: Market,
    symbols: Sequence[str],
    given: float | Mapping[str, float] | pd.DataFrame | None,
    default: float | NDArray[np.float64],
) -> NDArray[np.float64]:
    """What was given for all lines, by symbol or by symbol and date, the default elsewhere, (T, K)."""
    values = np.empty((len(market), len(symbols)))
    values[:] = default
    if is_number(given):
        values[:] = given
    elif isinstance(given, pd.DataFrame):
        dated = _in_force(given, pd.DatetimeIndex(market.grid["session"]))
        for k, symbol in enumerate(symbols):
            if symbol in given.columns:
                own = dated[:, list(given.columns).index(symbol)]
                values[:, k] = np.where(np.isnan(own), values[:, k], own)
    elif isinstance(given, Mapping):
        for k, symbol in enumerate(symbols):
            values[:, k] = given.get(symbol, values[:, k])
    return values


def _borrow_rates(
    market: Market,
    instruments: pd.DataFrame,
    costs: Costs,
    states: NDArray[np.int64] | None,
    stressed: Set[int],
) -> NDArray[np.float64]:
    """Annual borrow fee of each line from each step to the next, (T, K)."""
    given = costs.borrow_rate_pa
    if is_number(given):
        return np.full((len(market), len(instruments)), float(given) * costs.borrow_multiplier)
    table = schedules.borrow_table()
    state = np.zeros(len(market), dtype=np.int64) if states is None else states
    under_stress = stressed if costs.stress_states is None else costs.stress_states
    level = np.isin(state, list(under_stress)) if states is not None else np.zeros(len(market), dtype=bool)
    bucket = instruments["size"].where(instruments["venue"] != "XHKG", "hk")
    calm = table["calm"].reindex(bucket).to_numpy()
    stress = table["stress"].fillna(table["calm"]).reindex(bucket).to_numpy()
    rates = np.where(level[:, None], stress, calm)
    rates[:, (instruments["venue"] == "XONE").to_numpy()] = 0.0
    if isinstance(given, pd.DataFrame) and not is_dated(given):
        by_state = given.set_axis([int(c) for c in given.columns], axis=1)
        rows = [symbol if symbol in given.index else size for symbol, size in bucket.items()]
        at = by_state.reindex(index=rows, columns=state).to_numpy(dtype=np.float64).T
        rates = np.where(np.isnan(at), rates, at)
    else:
        rates = _given(market, list(instruments.index), given, rates)
    unknown = np.isnan(rates).any(axis=0)
    if unknown.any():
        symbol = instruments.index[int(np.argmax(unknown))]
        raise DataError(
            f"no borrow fee is known of {symbol}, whose size is {shown(bucket[symbol])}: give a size of "
            f"{', '.join(table.index.drop('hk'))}, or borrow_rate_pa"
        )
    return rates * costs.borrow_multiplier


def _loans(market: Market, lines: Lines, costs: Costs, states: NDArray[np.int64] | None) -> NDArray[np.int8]:
    """Whether each line may be sold short at each step, (T, K): the strictest of all that is known."""
    loan = np.zeros((len(market), len(lines.symbols)), dtype=np.int8)
    if costs.short_sale_rules:
        for symbol in dict.fromkeys(lines.symbols):
            own = np.array(lines.symbols) == symbol
            loan[np.ix_(_downticks(market, symbol), np.flatnonzero(own))] = kernels.WAIT
    if states is not None:
        loan[np.isin(states, list(costs.no_borrow_states))] = kernels.NO_NEW
    if costs.availability is not None:
        words = costs.availability.apply(lambda column: column.map(LOANS)).astype(np.float64)
        told = np.nan_to_num(_given(market, lines.symbols, words, 0.0))
        loan = np.maximum(loan, told.astype(np.int8))
    if states is not None:
        loan[np.isin(states, list(costs.recall_states))] = kernels.RECALL
    return loan


def _downticks(market: Market, symbol: str) -> NDArray[np.int64]:
    """The steps at which a short sale of a line would break its venue's price rule.

    Hong Kong: every print that is not above the one before. New York: the same, but only in a session in
    which the price has fallen by 10 % from the session before's last, from that print on, and in the next.
    """
    venue = market.instruments.at[symbol, "venue"]
    price = market.prices[:, market.column(symbol)]
    printed = np.flatnonzero(np.isfinite(price))
    if venue == "XONE" or len(printed) == 0:
        return np.zeros(0, dtype=np.int64)
    sessions = pd.DatetimeIndex(market.grid["session"]).as_unit("ns").asi8
    shares = np.ones(len(market))  # of today's kind that one share held from the first step has become
    own = np.flatnonzero(market.venue_of_step == venue)
    if market.instruments.at[symbol, "adjustment"] == "raw":
        for split in records(market.splits[market.splits["symbol"] == symbol]):
            date = pd.Timestamp(split.ex_date).as_unit("ns").value
            if date >= sessions[0] and (sessions[own] >= date).any():
                shares[own[np.argmax(sessions[own] >= date)] :] *= float(split.factor)
    level = price[printed] * shares[printed]
    before = np.append(np.nan, level[:-1])
    down = ~(level > before * (1.0 + 1e-12))
    if venue == "XHKG":
        return printed[down]
    dates = np.unique(sessions[own])
    day = np.searchsorted(dates, sessions[printed])
    tripped: set[int] = set()
    refused = []
    last, of_day_before, today = np.nan, np.nan, -1
    for i, step in enumerate(printed):
        if day[i] != today:
            of_day_before, today = last, int(day[i])
        last = level[i]
        if last <= (1.0 - CIRCUIT_BREAKER) * of_day_before * (1.0 + 1e-12):
            tripped.add(today)
        if down[i] and (today in tripped or today - 1 in tripped):
            refused.append(step)
    return np.array(refused, dtype=np.int64)


# -- the cost of a fill --------------------------------------------------------------------------------------


def _half_spreads(
    market: Market, lines: Lines, costs: Costs, price: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Half the spread as a fraction of the price, (T, K); read only where there is a price."""
    half = np.zeros(price.shape)
    given = costs.half_spread_bps
    instruments = market.instruments.iloc[lines.columns]
    hk = (instruments["venue"] == "XHKG").to_numpy()
    half[:, (instruments["venue"] == "XNYS").to_numpy()] = US_HALF_SPREAD
    half[:, hk] = HK_LEAST_HALF_SPREAD
    ticked = hk & (instruments["adjustment"] == "raw").to_numpy()
    own = np.flatnonzero(market.venue_of_step == "XHKG")
    if ticked.any() and len(own) and not is_number(given):
        quoted = price[np.ix_(own, ticked)]
        tick = schedules.half_tick("XHKG", quoted, pd.DatetimeIndex(market.grid["session"])[own]) / quoted
        half[np.ix_(own, ticked)] = np.maximum(tick, HK_LEAST_HALF_SPREAD)
    half = _given(market, lines.symbols, given, half * 1e4) * 1e-4
    if (half >= 1.0).any():
        step, line = np.argwhere(half >= 1.0)[0]
        raise DataError(
            f"{lines.symbols[line]} has the raw price {price[step, line]:g} at "
            f"{market.grid['time'].iloc[step]}, which is no more than half a tick there: declare its prices "
            "adjusted, or give half_spread_bps"
        )
    return half


def _impacts_of_one(market: Market, lines: Lines, costs: Costs) -> NDArray[np.float64]:
    """What a trade of one share moves its price by, as a fraction, (T, K); NaN where it is not known."""
    if costs.impact == 0.0:
        return np.zeros((len(market), len(lines.symbols)))
    usual = average_volume(market, costs.impact_sessions).to_numpy()[:, lines.columns]
    volume = _given(market, lines.symbols, costs.impact_volume, usual)
    risk = daily_volatility(market, costs.impact_sessions).to_numpy()[:, lines.columns]
    return np.asarray(costs.impact * risk / np.sqrt(volume))


def _fee_rows(
    instruments: pd.DataFrame,
    raw: NDArray[np.bool_],
    costs: Costs,
    sessions: pd.DatetimeIndex,
    venue_of_step: NDArray[np.object_],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The distinct rows of the fee schedules in force, and which of them applies to each step and line.

    Returns:
        fees (rows, kinds, 2 sides, 6): rate, per share, minimum, maximum, unit, rounds up; and (T, K) rows.
    """
    blank = np.zeros((1, len(FEE_KINDS), 2, 6))
    blank[..., 3] = np.inf
    blank[:, FEE_KINDS.index("flat_fee"), :, 0] = costs.fee_bps * 1e-4
    blocks, fee_row, rows = [blank], np.zeros((len(sessions), len(instruments)), dtype=np.int64), 1
    treatments: dict[tuple[str, bool], NDArray[np.int64]] = {}
    for k, (fee_class, venue) in enumerate(zip(instruments["fee_class"], instruments["venue"], strict=True)):
        if fee_class == "none" or not (costs.dated_fees or costs.fees):
            continue
        own = np.flatnonzero(venue_of_step == venue)
        if len(own) == 0:
            continue
        treatment = (str(fee_class), bool(raw[k]))
        if treatment not in treatments:
            dates, date_of_step = np.unique(sessions[own], return_inverse=True)
            table = schedules.fee_table(str(fee_class), pd.DatetimeIndex(dates))
            block = np.repeat(blank, len(dates), axis=0)
            for j, kind in enumerate(table.kinds):
                to = FEE_KINDS.index(kind)
                due = bool(table.rate[:, j].any() or table.per_share[:, j].any())
                if (venue, kind) in costs.fees and (due or kind != "stamp_duty"):
                    _replace_fee(block[:, to], costs.fees[venue, kind], raw[k], costs.exact_fees)
                if (venue, kind) in costs.fees or not costs.dated_fees:
                    continue
                block[:, to, :, 0] = table.rate[:, j]
                if raw[k]:
                    block[:, to, :, 1] = table.per_share[:, j]
                if raw[k] and costs.exact_fees:
                    block[:, to, :, 2] = table.minimum[:, j]
                    block[:, to, :, 3] = table.maximum[:, j]
                    block[:, to, :, 4] = table.unit[:, j]
                    block[:, to, :, 5] = table.up[:, j]
            begins = np.append(True, (block[1:] != block[:-1]).any(axis=(1, 2, 3)))
            blocks.append(block[begins])
            treatments[treatment] = rows + (np.cumsum(begins) - 1)[date_of_step]
            rows += int(begins.sum())
        fee_row[own, k] = treatments[treatment]
    return np.concatenate(blocks), fee_row


def _replace_fee(block: NDArray[np.float64], fee: Fee, raw: bool, exact: bool) -> None:
    """Put a fee in the place of one kind of the schedule, (rows, 2 sides, 6)."""
    for side in FEE_SIDES[fee.side]:
        block[:, side, 0] = fee.rate
        if raw:
            block[:, side, 1] = fee.per_share
        if raw and exact:
            block[:, side, 2:] = fee.minimum, fee.maximum, fee.unit, fee.up


def _collapsed_rates(
    fees: NDArray[np.float64],
    fee_row: NDArray[np.int64],
    price: NDArray[np.float64],
    half_spread: NDArray[np.float64],
) -> NDArray[np.float64]:
    """All fees without minima as one fraction of the fill's value, (2, T, K); read where there is a price."""
    rate = fees[..., 0].sum(axis=1)
    per_share = fees[..., 1].sum(axis=1)
    collapsed = np.empty((2, *price.shape))
    for side, sign in ((0, 1.0), (1, -1.0)):
        fill_price = price * (1.0 + sign * half_spread)
        collapsed[side] = rate[fee_row, side] + per_share[fee_row, side] / fill_price
    return collapsed


# -- pairs and corporate actions -----------------------------------------------------------------------------


def ratios_in_force(market: Market, lines: Lines) -> NDArray[np.float64]:
    """Ordinary shares per ADS of each pair, in the units in which both lines are held at each step, (T, P).

    A split or new ratio of a date reaches the Hong Kong line at Hong Kong's first step of that date and the
    ADS hours later; where Hong Kong is shut on that date, it reaches the ADS first. In between, the shares
    held are compared with the ADS held: the ratio in force is that of the last New York session begun, times
    the Hong Kong splits in effect and dated after it, over those dated by then that Hong Kong has yet to see.
    """
    sessions = pd.DatetimeIndex(market.grid["session"]).as_unit("ns").asi8
    ratio = np.full((len(market), len(lines.pairs)), np.nan)
    venue_of, ratios, splits = market.instruments["venue"], market.ratios, market.splits
    for p, (hk, adr) in enumerate(lines.pairs):
        own = market.venue_of_step == venue_of[adr]
        begun = np.maximum.accumulate(np.where(own, np.arange(len(market)), -1))
        date = np.where(begun >= 0, sessions[np.maximum(begun, 0)], sessions)
        table = ratios[ratios["adr"] == adr].sort_values("effective_from")
        since = pd.DatetimeIndex(table["effective_from"]).as_unit("ns").asi8
        value = np.append(table["ordinary_per_ads"].to_numpy(dtype=np.float64), np.nan)
        ratio[:, p] = value[np.searchsorted(since, date, side="right") - 1]
        there = market.venue_of_step == venue_of[hk]
        for split in records(splits[splits["symbol"] == hk]):
            ex_date = pd.Timestamp(split.ex_date).as_unit("ns").value
            effective = np.logical_or.accumulate(there & (sessions >= ex_date))
            ratio[effective & (date < ex_date), p] *= float(split.factor)
            if ex_date >= sessions[0]:
                ratio[~effective & (date >= ex_date), p] /= float(split.factor)
    return ratio


def _units(lines: Lines, lot: NDArray[np.float64], ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fewest ordinary shares that are whole lots on both lines, (T, P); 0 where lots are off."""
    unit = np.zeros(ratio.shape)
    for p, (hk, adr) in enumerate(lines.legs):
        for value in np.unique(ratio[np.isfinite(ratio[:, p]), p]):
            a, b, per_ads = (
                Fraction(float(each)).limit_denominator(1000) for each in (lot[hk], lot[adr], value)
            )
            b *= per_ads
            whole = Fraction(lcm(a.numerator, b.numerator), gcd(a.denominator, b.denominator))
            unit[ratio[:, p] == value, p] = float(whole)
    return unit


def _actions(
    market: Market,
    lines: Lines,
    costs: Costs,
    venue_of_step: NDArray[np.int64],
    venues: tuple[str, ...],
    raw: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Corporate actions (step, kind, line, into, value, short value), by step and order of effect."""
    sessions = pd.DatetimeIndex(market.grid["session"]).as_unit("ns").asi8
    steps_of = {venue: np.flatnonzero(venue_of_step == v) for v, venue in enumerate(venues)}
    lines_of: dict[str, list[int]] = {}
    for k, symbol in enumerate(lines.symbols):
        lines_of.setdefault(symbol, []).append(k)
    rows: list[tuple[int, int, int, int, float, float]] = []
    instruments = market.instruments
    gone = dict(zip(market.delistings["symbol"], market.delistings["last_session"], strict=True))
    slots = 0

    def first_step(venue: str, date: pd.Timestamp) -> int:
        """The first step of a venue whose session is on or after a date; T if none."""
        own = steps_of[venue]
        at = np.searchsorted(sessions[own], date.as_unit("ns").value, side="left")
        return int(own[at]) if at < len(own) else len(market)

    def effective(table: pd.DataFrame) -> list[tuple[Any, int, int]]:
        """Rows of a table that take effect on the grid: the row, its line and its step."""
        begins = pd.Timestamp(sessions[0])
        found: list[tuple[Any, int, int]] = []
        if len(table) == 0:
            return found
        for row in records(table[table["symbol"].isin(lines_of) & (table["ex_date"] >= begins)]):
            if row.symbol in gone and row.ex_date > gone[row.symbol]:
                continue
            venue = str(instruments.at[row.symbol, "venue"])
            step = first_step(venue, pd.Timestamp(row.ex_date))
            if step < len(market):
                found += [(row, k, step) for k in lines_of[str(row.symbol)]]
        return found

    for split, k, step in effective(market.splits):
        if raw[k]:
            rows.append((step, kernels.SPLIT, k, -1, float(split.factor), 0.0))
    for paid, k, step in effective(market.dividends):
        line = instruments.loc[paid.symbol]
        if line["adjustment"] == "total_return":
            continue
        taken = costs.ads_dividend_fee if line["kind"] == "ads" and raw[k] else 0.0
        gross = float(paid.amount)
        net = max(gross * (1.0 - float(line["withholding"])) - taken, 0.0)
        slot = -1
        if not pd.isna(paid.pay_date):
            slot, slots = slots, slots + 1
            due = max(first_step(line["venue"], pd.Timestamp(paid.pay_date)), step)
            rows.append((due, kernels.PAYMENT, k, slot, 0.0, 0.0))
        rows.append((step, kernels.DIVIDEND, k, slot, net, gross))
    rows += _conversions(market, lines, venue_of_step, venues)
    rows = sorted(r for r in rows if r[0] < len(market))
    return np.array(rows, dtype=np.float64).reshape(len(rows), 6)


def _conversions(
    market: Market,
    lines: Lines,
    venue_of_step: NDArray[np.int64],
    venues: tuple[str, ...],
) -> list[tuple[int, int, int, int, float, float]]:
    """Lines that leave: at the first step after their last session, into their Hong Kong line."""
    sessions = pd.DatetimeIndex(market.grid["session"]).as_unit("ns").asi8
    partner = {int(adr): int(hk) for hk, adr in lines.legs}
    singles = {s: k for k, s in enumerate(lines.symbols) if not lines.linked[k]}
    rows = []
    for gone in records(market.delistings):
        for k in [k for k, s in enumerate(lines.symbols) if s == gone.symbol]:
            own = np.flatnonzero(venue_of_step == venues.index(market.instruments.at[gone.symbol, "venue"]))
            date = pd.Timestamp(gone.last_session).as_unit("ns").value
            last = own[sessions[own] <= date]
            after = own[len(last) :]
            if len(last) == 0:
                step = 0 if len(after) else len(market)
            else:
                still_to_come = len(after) == 0 and sessions[last[-1]] < date
                step = len(market) if still_to_come else int(last[-1]) + 1
            heir = partner.get(k, -1) if lines.linked[k] else singles.get(str(gone.into), -1)
            into = heir if gone.into and np.isfinite(gone.ordinary_per_ads) else -1
            ratio = float(gone.ordinary_per_ads)
            # It counts the shares of the last session; what has been split since is more.
            there = venues.index(market.instruments.at[lines.symbols[into], "venue"]) if into >= 0 else -1
            begun = sessions[: step + 1][venue_of_step[: step + 1] == there].max(initial=date)
            for split in records(market.splits[market.splits["symbol"] == gone.into]):
                if date < pd.Timestamp(split.ex_date).as_unit("ns").value <= begun:
                    ratio *= float(split.factor)
            rows.append((step, kernels.CONVERSION, k, into, ratio, 0.0))
    return rows
