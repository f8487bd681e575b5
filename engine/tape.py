"""The market and its costs as the kernel reads them: arrays prepared once for all configurations."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine import _kernels as kernels
from entrepot.engine.costs import Costs
from entrepot.engine.lines import FEE_KINDS, SOURCES, Lines
from entrepot.errors import DataError, ParameterError
from entrepot.markets import fees as schedules
from entrepot.markets.market import Market, records

MAX_FX_AGE_DAYS = 5.0
# Half-spreads where none is given: New York's, and the least of Hong Kong's (half a tick where that is more).
US_HALF_SPREAD, HK_LEAST_HALF_SPREAD = 2e-4, 1e-4
SESSIONS_TO_LIVE = 3
SESSIONS_TO_HEDGE = 2
# An ADR of the registry whose prints stop early converts once this many of its sessions have passed.
SESSIONS_WITHOUT_PRINT = 5


def build_tape(
    market: Market,
    lines: Lines,
    costs: Costs,
    base_currency: str,
    states: NDArray[np.int64] | None,
) -> tuple[kernels.Tape, tuple[str, ...]]:
    """Prepare the kernel's arrays.

    Args:
        market: T steps.
        lines: K lines and P pairs of it.
        costs: what trading and holding cost.
        base_currency: of equity.
        states: (T,) regime decided at each step, or None.

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
    exact = raw & costs.exact_fees & (instruments["fee_class"] != "none").to_numpy() & costs.statutory
    lot = np.where(raw & costs.lots, instruments["lot"].to_numpy(dtype=np.float64), 0.0)
    venues, venue_of_step = _venues(market)
    closes = _session_closes(market, venues)
    cash_rate, day_count, known = _cash_rates(market, costs, currencies, sessions)
    borrow_pa = _borrow_rates(instruments, costs)
    custody = np.where(ads, costs.ads_service_fee_pa / 365.0, 0.0)
    actions = _actions(market, lines, costs, venue_of_step, venues, raw)
    refused = np.zeros(steps, dtype=bool)
    if states is not None and costs.no_borrow_states:
        refused = np.isin(states, list(costs.no_borrow_states))
    rebate = np.array([costs.rebate_spread_pa / day_count[c] if c in known else 0.0 for c in currencies])
    debit = np.array([costs.debit_spread_pa / day_count[c] for c in currencies])
    borrow_rate = borrow_pa / np.array([day_count[c] for c in instruments["currency"]])
    ratio = _ratios(market, lines)
    parity = np.stack([ratio, _units(lines, lot, ratio), _lead_ok(market, lines, costs.max_leg_gap_hours)])
    tradable, halted = market.tradable[:, lines.columns], market.halted[:, lines.columns]
    carry = np.array([debit, rebate])
    tape = kernels.Tape(
        quote=np.stack([price, half_spread, *_collapsed_rates(fees, fee_row, price, half_spread)]),
        door=np.where(halted, kernels.HALTED, np.where(tradable, kernels.OPEN, kernels.CLOSED)).astype(
            np.int8
        ),
        trait=np.stack([lot, borrow_rate, custody]),
        flags=np.array(
            [
                [currencies.index(c) for c in instruments["currency"]],
                [venues.index(v) for v in instruments["venue"]],
                instruments["shortable"].to_numpy(dtype=bool),
                exact,
                lines.linked,
            ],
            dtype=np.int64,
        ),
        rates=np.stack([_exchange_rates(market, currencies), cash_rate]),
        carry=carry,
        clock=np.array(
            [
                _settlement_steps(market, venue_of_step, venues, closes, sessions),
                market.decision_steps,
                refused,
            ],
            dtype=np.int64,
        ),
        elapsed=np.diff(market.times, prepend=market.times[0]) / 86_400e9,
        ends=np.stack([_session_ends(closes, steps, n) for n in (SESSIONS_TO_LIVE, SESSIONS_TO_HEDGE)]),
        schedule=fees,
        fee_row=fee_row,
        action_first=np.searchsorted(actions[:, 0], np.arange(steps + 1), side="left").astype(np.int64),
        actions=np.ascontiguousarray(actions[:, 1:]),
        legs=lines.legs,
        parity=parity,
        accrues=bool(cash_rate.any() or carry.any() or borrow_rate.any() or custody.any()),
        convert=costs.fx_conversion == "on_fill",
        fx_spread=float(costs.fx_spread),
    )
    return tape, currencies


def _check_names(market: Market, costs: Costs) -> None:
    """Refuse costs given for symbols and currencies that are not there: most often a misspelling."""
    for name in ("half_spread_bps", "borrow_rate_pa"):
        given = getattr(costs, name)
        for symbol in given if isinstance(given, Mapping) else ():
            if symbol not in market.symbols:
                raise ParameterError(f"{name} names {symbol!r}, which this market does not have: correct it")
    for currency in costs.cash_rate_pa or ():
        if currency not in {"USD", "HKD", *market.currencies}:
            raise ParameterError(
                f"cash_rate_pa names {currency!r}: this market knows {', '.join(market.currencies)}"
            )


def initial_state(tape: kernels.Tape, capital: float, lanes: int) -> kernels.State:
    """Start every lane with the capital in settled cash of the base currency and nothing else."""
    _, steps, lines = tape.quote.shape
    currencies, pairs = tape.rates.shape[2], len(tape.legs)
    ring = int((tape.clock[kernels.SETTLES] - np.arange(steps)).max()) + 1
    unpaid = tape.actions[tape.actions[:, kernels.KIND] == kernels.DIVIDEND, kernels.INTO]
    book = np.full((3, lines, lanes), np.nan)
    book[kernels.HELD] = 0.0
    money = np.zeros((5, currencies, lanes))
    money[kernels.CASH, 0] = capital
    last = np.full((2, lines), np.nan)
    last[kernels.GONE] = 0.0
    return kernels.State(
        book=book,
        order=np.zeros((2, lines, lanes), dtype=np.int64),
        pair=np.full((3, pairs, lanes), np.nan),
        link=np.zeros((7, pairs, lanes), dtype=np.int64),
        money=money,
        due=np.zeros((ring, currencies, lanes)),
        slots=np.zeros((int(unpaid.max(initial=-1)) + 1, lanes)),
        marks=last,
        now=np.zeros(lanes),
        scratch=np.zeros((2, lanes)),
        wanted=np.zeros((lines, lanes)),
    )


def empty_record(tape: kernels.Tape, on: bool) -> kernels.Record:
    """Make room for what a recorded run leaves behind; pages that stay empty cost no memory."""
    steps, lines = tape.quote.shape[1:] if on else (0, 0)
    currencies, kinds = tape.rates.shape[2], tape.schedule.shape[1]
    # A line fills at most twice a step (a forced order and its own) and drops at most three orders.
    rows = 3 * steps * max(lines, 1)
    return kernels.Record(
        on=on,
        positions=np.zeros((steps, lines)),
        cash=np.zeros((steps, currencies)),
        receivable=np.zeros((steps, currencies)),
        sources=np.zeros((len(SOURCES), steps, lines + currencies)),
        fills=np.empty((rows, 9 + kinds)),
        dropped=np.empty((rows, 4), dtype=np.int64),
        counts=np.zeros(2, dtype=np.int64),
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


def _settlement_steps(
    market: Market,
    venue_of_step: NDArray[np.int64],
    venues: tuple[str, ...],
    closes: list[NDArray[np.int64]],
    sessions: pd.DatetimeIndex,
) -> NDArray[np.int64]:
    """The step at which a trade of each step settles: the close of the n-th session after its own."""
    steps = len(market)
    settle = np.arange(steps, dtype=np.int64)
    for venue, name in enumerate(venues):
        own = np.flatnonzero(venue_of_step == venue)
        if name == "XONE" or len(own) == 0:
            continue
        cycle = schedules.settlement_days(name, sessions[own])
        session = np.searchsorted(closes[venue], own, side="left")
        nth = session + cycle
        settle[own] = np.where(
            nth < len(closes[venue]), closes[venue][np.minimum(nth, len(closes[venue]) - 1)], steps
        )
    return settle


def _lead_ok(market: Market, lines: Lines, hours: float) -> NDArray[np.bool_]:
    """Whether the other leg's next scheduled step is near enough for one leg to go first, (T, P)."""
    steps = len(market)
    ok = np.zeros((steps, len(lines.pairs)), dtype=bool)
    venue = market.instruments["venue"].to_numpy()[lines.columns]
    names = market.schedule["venue"].to_numpy()
    times = pd.DatetimeIndex(market.schedule["time"]).as_unit("ns").asi8
    for p, (hk, adr) in enumerate(lines.legs):
        for own, other in ((venue[hk], venue[adr]), (venue[adr], venue[hk])):
            here = np.flatnonzero(market.venue_of_step == own)
            there = np.flatnonzero(names == other)
            following = np.searchsorted(there, here, side="right")
            inside = following < len(there)
            gap = times[there[following[inside]]] - times[here[inside]]
            ok[here[inside], p] = gap <= hours * 3600e9
    return ok


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
        if costs.cash_rate_pa is not None and currency in costs.cash_rate_pa:
            rates[:, c] = costs.cash_rate_pa[currency]
        elif currency in ("USD", "HKD") and not plain:
            rates[:, c] = schedules.policy_rate(currency, before)
            known.add(currency)
        rates[:, c] /= day_count[currency]
    return rates, day_count, known


def _borrow_rates(instruments: pd.DataFrame, costs: Costs) -> NDArray[np.float64]:
    """Annual borrow fee of each line, (K,)."""
    given = costs.borrow_rate_pa
    if isinstance(given, int | float):
        return np.full(len(instruments), given * costs.borrow_multiplier)
    table = schedules.borrow_table()["calm"]
    size = instruments["size"].where(instruments["venue"] == "XNYS", "hk")
    rates = np.where(instruments["venue"] == "XONE", 0.0, table.reindex(size).to_numpy())
    if given is not None:
        rates = np.array([given.get(s, rate) for s, rate in zip(instruments.index, rates, strict=True)])
    return rates * costs.borrow_multiplier


# -- the cost of a fill --------------------------------------------------------------------------------------


def _half_spreads(
    market: Market, lines: Lines, costs: Costs, price: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Half the spread as a fraction of the price, (T, K); 0 where there is no price."""
    half = np.zeros(price.shape)
    given = costs.half_spread_bps
    instruments = market.instruments.iloc[lines.columns]
    hk = (instruments["venue"] == "XHKG").to_numpy()
    half[:, (instruments["venue"] == "XNYS").to_numpy()] = US_HALF_SPREAD
    half[:, hk] = HK_LEAST_HALF_SPREAD
    ticked = hk & (instruments["adjustment"] == "raw").to_numpy()
    own = np.flatnonzero(market.venue_of_step == "XHKG")
    if ticked.any() and len(own) and not isinstance(given, int | float):
        quoted = price[np.ix_(own, ticked)]
        tick = schedules.half_tick("XHKG", quoted, pd.DatetimeIndex(market.grid["session"])[own]) / quoted
        half[np.ix_(own, ticked)] = np.maximum(tick, HK_LEAST_HALF_SPREAD)
    if isinstance(given, int | float):
        half[:] = given * 1e-4
    elif given is not None:
        for k, symbol in enumerate(lines.symbols):
            if symbol in given:
                half[:, k] = given[symbol] * 1e-4
    half[np.isnan(price)] = 0.0
    return half


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
        if fee_class == "none" or not costs.statutory:
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


def _collapsed_rates(
    fees: NDArray[np.float64],
    fee_row: NDArray[np.int64],
    price: NDArray[np.float64],
    half_spread: NDArray[np.float64],
) -> NDArray[np.float64]:
    """All fees without minima as one fraction of the fill's value, (2, T, K)."""
    rate = fees[..., 0].sum(axis=1)
    per_share = fees[..., 1].sum(axis=1)
    known = np.where(np.isnan(price), 1.0, price)
    collapsed = np.empty((2, *price.shape))
    for side, sign in ((0, 1.0), (1, -1.0)):
        fill_price = known * (1.0 + sign * half_spread)
        collapsed[side] = rate[fee_row, side] + per_share[fee_row, side] / fill_price
    return collapsed


# -- pairs and corporate actions -----------------------------------------------------------------------------


def _ratios(market: Market, lines: Lines) -> NDArray[np.float64]:
    """Ordinary shares per ADS of each pair, in the units in which both lines are held at each step, (T, P).

    A split or new ratio of a date reaches the Hong Kong line at Hong Kong's first step of that date and the
    ADS hours later. In between, the shares held are still compared with the old ADS: the ratio in force is
    that of the last New York session begun, times the Hong Kong splits in effect and dated after it.
    """
    sessions = pd.DatetimeIndex(market.grid["session"]).as_unit("ns").asi8
    ratio = np.full((len(market), len(lines.pairs)), np.nan)
    for p, (hk, adr) in enumerate(lines.pairs):
        own = market.venue_of_step == market.instruments.at[adr, "venue"]
        begun = np.maximum.accumulate(np.where(own, np.arange(len(market)), -1))
        date = np.where(begun >= 0, sessions[np.maximum(begun, 0)], sessions)
        table = market.ratios[market.ratios["adr"] == adr].sort_values("effective_from")
        since = pd.DatetimeIndex(table["effective_from"]).as_unit("ns").asi8
        value = np.append(table["ordinary_per_ads"].to_numpy(dtype=np.float64), np.nan)
        ratio[:, p] = value[np.searchsorted(since, date, side="right") - 1]
        there = market.venue_of_step == market.instruments.at[hk, "venue"]
        for split in records(market.splits[market.splits["symbol"] == hk]):
            ex_date = pd.Timestamp(split.ex_date).as_unit("ns").value
            effective = np.logical_or.accumulate(there & (sessions >= ex_date))
            ratio[effective & (date < ex_date), p] *= float(split.factor)
    return ratio


def _units(lines: Lines, lot: NDArray[np.float64], ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fewest ordinary shares that are whole lots on both lines, (T, P); 0 where lots are off."""
    unit = np.zeros(ratio.shape)
    for p, (hk, adr) in enumerate(lines.legs):
        if lot[hk] <= 0.0 or lot[adr] <= 0.0:
            continue
        for value in np.unique(ratio[np.isfinite(ratio[:, p]), p]):
            per_ads = Fraction(float(value)).limit_denominator(1000)
            a = Fraction(float(lot[hk])).limit_denominator(1000)
            b = Fraction(float(lot[adr])).limit_denominator(1000) * per_ads
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
    slots = 0

    def first_step(venue: str, date: pd.Timestamp) -> int:
        """The first step of a venue whose session is on or after a date; T if none."""
        own = steps_of[venue]
        at = np.searchsorted(sessions[own], date.as_unit("ns").value, side="left")
        return int(own[at]) if at < len(own) else len(market)

    def effective(table: pd.DataFrame) -> list[tuple[Any, int, int]]:
        """Rows of a table that take effect on the grid: the row, its line and its step."""
        begins = pd.Timestamp(sessions[0])
        found = []
        for row in records(table[table["symbol"].isin(lines_of) & (table["ex_date"] >= begins)]):
            venue = str(market.instruments.at[row.symbol, "venue"])
            step = first_step(venue, pd.Timestamp(row.ex_date))
            if step < len(market):
                found += [(row, k, step) for k in lines_of[str(row.symbol)]]
        return found

    for split, k, step in effective(market.splits):
        if raw[k]:
            rows.append((step, kernels.SPLIT, k, -1, float(split.factor), 0.0))
    for paid, k, step in effective(market.dividends):
        line = market.instruments.loc[paid.symbol]
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
    rows += _conversions(market, lines, costs, venue_of_step, venues)
    rows = sorted(r for r in rows if r[0] < len(market))
    return np.array(rows, dtype=np.float64).reshape(len(rows), 6)


def _conversions(
    market: Market,
    lines: Lines,
    costs: Costs,
    venue_of_step: NDArray[np.int64],
    venues: tuple[str, ...],
) -> list[tuple[int, int, int, int, float, float]]:
    """Conversions of delisted lines: after their last session, or after five in a row without a print."""
    sessions = pd.DatetimeIndex(market.grid["session"]).as_unit("ns").asi8
    partner = {int(adr): int(hk) for hk, adr in lines.legs}
    singles = {s: k for k, s in enumerate(lines.symbols) if not lines.linked[k]}
    rows = []
    for gone in records(market.delistings):
        for k in [k for k, s in enumerate(lines.symbols) if s == gone.symbol]:
            own = np.flatnonzero(venue_of_step == venues.index(market.instruments.at[gone.symbol, "venue"]))
            last = own[sessions[own] <= pd.Timestamp(gone.last_session).as_unit("ns").value]
            after = own[len(last) :]
            if len(last) == 0:
                step = 0 if len(after) else len(market)
            else:
                still_to_come = (
                    len(after) == 0
                    and sessions[last[-1]] < pd.Timestamp(gone.last_session).as_unit("ns").value
                )
                step = len(market) if still_to_come else int(last[-1]) + 1
            step = min(step, _silent(market.prices[:, lines.columns[k]], own, sessions))
            heir = partner.get(k, -1) if lines.linked[k] else singles.get(str(gone.into), -1)
            into = heir if gone.into and np.isfinite(gone.ordinary_per_ads) else -1
            row = market.instruments.loc[gone.symbol]
            fee = costs.ads_conversion_fee if row["kind"] == "ads" and row["adjustment"] == "raw" else 0.0
            rows.append((step, kernels.CONVERSION, k, into, float(gone.ordinary_per_ads), fee))
    return rows


def _silent(price: NDArray[np.float64], own: NDArray[np.int64], sessions: NDArray[np.int64]) -> int:
    """The step after a line's first five sessions in a row without a print since its first; T if none."""
    dates, session = np.unique(sessions[own], return_inverse=True)
    printed = np.zeros(len(dates), dtype=bool)
    np.logical_or.at(printed, session, np.isfinite(price[own]))
    run = 0
    for i in range(int(np.argmax(printed)) if printed.any() else len(dates), len(dates)):
        run = 0 if printed[i] else run + 1
        if run == SESSIONS_WITHOUT_PRINT:
            return int(own[session == i][-1]) + 1
    return len(price)
