"""The clock, read aloud: a slow and obvious ledger that the engine's kernel must agree with.

One step, one line, one order at a time, in decimal arithmetic of 50 digits and in the order of the clock.
Nothing here is clever and nothing is shared with the kernel but the market, the fee schedule and the
specification. Comments marked CHOICE settle what the specification leaves open.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from entrepot.errors import DataError, EntrepotError
from entrepot.markets import fees as schedules
from entrepot.markets.market import Market

ZERO, ONE = Decimal(0), Decimal(1)
SLACK = Decimal("1e-9")  # of a unit: binary noise must not cost a dollar, a lot or an odd fill
NS_PER_DAY = Decimal(86_400 * 10**9)
DIGITS = 50
DISRUPTED = Path(__file__).parents[1] / "markets" / "data" / "session_overrides.csv"
PATIENCE_SESSIONS = 3  # an order unfilled for so many sessions of its venue expires
HEDGE_SESSIONS = 2  # a hedge unfilled for so many sessions of its venue is given up
STOPPED_SESSIONS = 6  # a line held so many sessions after its last print is refused
CALENDAR_DAYS = Decimal("1.4")  # that a session takes, on average
BUY, SELL = 0, 1
AVAILABLE, WAIT, NO_NEW, RECALL = 0, 1, 2, 3  # what may be borrowed, from all to nothing


def decimal(number: Any) -> Decimal:
    """The number as it is written: 0.1 is one tenth, not the binary fraction nearest to it."""
    return Decimal(repr(float(number)))


def finite(number: Any) -> bool:
    return math.isfinite(float(number))


def nothing(quantity: Decimal) -> bool:
    """Whether a quantity is no trade at all but what rounding leaves of one."""
    return abs(quantity) < SLACK


@lru_cache
def planned_hours(venue: str) -> tuple[dict[pd.Timestamp, int], dict[pd.Timestamp, int]]:
    """When the sessions that were lost or shortened at short notice would have opened and closed, in UTC."""
    table = pd.read_csv(DISRUPTED)
    opens, closes = {}, {}
    for day in table.loc[table["venue"] == venue, "session"]:
        times = ["09:30", "16:00"]
        if venue == "XHKG" and day < "2011-03-07":
            times[0] = "10:00"
        if venue == "XHKG" and day >= "2016-07-25":
            times[1] = "16:10"
        zone = "Asia/Hong_Kong" if venue == "XHKG" else "America/New_York"
        for hours, time in zip((opens, closes), times, strict=True):
            hours[pd.Timestamp(day)] = pd.Timestamp(f"{day} {time}", tz=zone).as_unit("ns").value
    return opens, closes


def whole_units(quantity: Decimal, unit: Decimal) -> Decimal:
    """The quantity truncated toward zero to a multiple of the unit; as it is where there is no unit."""
    if unit == 0:
        return quantity
    units = (abs(quantity) / unit + SLACK).to_integral_value(ROUND_FLOOR)
    return (units * unit).copy_sign(quantity)


def pair_unit(hk_lot: Decimal, adr_lot: Decimal, ratio: Decimal) -> Decimal:
    """The smallest number of ordinary shares that is whole lots on both lines; 0 where either has none."""
    if hk_lot == 0 or adr_lot == 0:
        return ZERO
    # CHOICE: a ratio is read as the nearest fraction with a denominator up to 1000 (0.3333 is one third).
    a = Fraction(hk_lot)
    b = Fraction(adr_lot) * Fraction(ratio).limit_denominator(1000)
    denominator = a.denominator * b.denominator
    numerator = math.lcm(a.numerator * b.denominator, b.numerator * a.denominator)
    unit = Fraction(numerator, denominator)
    return Decimal(unit.numerator) / Decimal(unit.denominator)


@dataclass
class Order:
    """A quantity to be held, decided at a step, and the last step at which it may still fill."""

    goal: Decimal
    decided: int
    expiry: int | None  # None: forced, or beyond the calendar
    forced: bool = False
    only: Line | None = None  # a pair's forced order after a recall: the leg that must lead
    partial: bool = False  # a pair's order: its last lead was capped, some of it is still to be led


@dataclass
class Conversion:
    """One leg of a pair on its way to the other, through the depositary."""

    decided: int
    arrives: int | None  # None: beyond the calendar


@dataclass
class Line:
    """One position: a symbol held for itself, or as one leg of one pair."""

    symbol: str
    column: int
    venue: str
    currency: str
    kind: str
    raw: bool  # prices as they printed: lots, ticks, per-share amounts, minimums and rounding make sense
    total_return: bool  # dividends are already in the price
    lot: Decimal
    shortable: bool
    withholding: Decimal
    fee_class: str
    bucket: str  # of the borrow tables
    pair: str = ""  # the pair's ADR symbol
    q: Decimal = ZERO
    order: Order | None = None  # singles: the pending order; legs: only a forced order to get out
    target: Decimal | None = None  # the standing weight, for the drift rule
    gone: bool = False  # delisted
    parity: Line | None = None  # parked: delisted but kept, and marked at parity with this Hong Kong line,
    parity_ratio: Decimal = ZERO  # so many shares of which one share of it is worth,
    parity_mark: Decimal = ZERO  # at this price
    closes: int | None = None  # parked: the decision to close it


@dataclass
class Pair:
    """Two legs in equal ordinary shares, and where their one order stands."""

    hk: Line
    adr: Line
    ratio: list[Decimal | None]  # by step, see `ratio_held`
    order: Order | None = None  # goal in Hong Kong shares, no leg filled yet
    queued: Order | None = None  # arrived while something that cannot be replaced was outstanding
    lead: Line | None = None  # the leg that has filled while the other has not: a hedge is outstanding
    led: Order | None = None  # the order whose hedge or unwind is outstanding
    given_up: int | None = None  # last step at which the hedge may fill
    unwind: Order | None = None  # the hedge was missed: the lead goes back; goal is computed at the fill
    conversion: Conversion | None = None
    target: Decimal | None = None
    parked: bool = False  # the ADR is parked, both legs stay as they are
    gone: bool = False

    def replaceable(self) -> bool:
        """Whether nothing is under way but, perhaps, an order of the strategy that waits to lead."""
        waits = self.order is None or not self.order.forced
        return waits and self.lead is None and self.conversion is None

    def idle(self) -> bool:
        return self.replaceable() and self.order is None and self.queued is None

    def other(self, leg: Line) -> Line:
        return self.adr if leg is self.hk else self.hk

    def goal_of(self, leg: Line, t: int) -> Decimal:
        """What a leg must hold to stand against the other leg in equal ordinary shares."""
        ratio = self.ratio[t]
        assert ratio is not None
        return -self.hk.q / ratio if leg is self.adr else -self.adr.q * ratio


@dataclass
class NaiveRun:
    """What happened, step by step; every number a Decimal."""

    equity: list[Decimal] = field(default_factory=list)
    cash: dict[str, list[Decimal]] = field(default_factory=dict)
    receivables: dict[str, list[Decimal]] = field(default_factory=dict)
    positions: dict[str, list[Decimal]] = field(default_factory=dict)
    fills: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[dict[str, Any]] = field(default_factory=list)
    conversions: list[dict[str, Any]] = field(default_factory=list)
    contributions: dict[tuple[str, str], list[Decimal]] = field(default_factory=dict)
    capital: Decimal = ZERO

    def identity_error(self) -> Decimal:
        """The largest difference, over all steps, between equity's change and the sum of its causes."""
        worst, before = ZERO, self.capital
        with localcontext() as context:
            context.prec = DIGITS
            for t, now in enumerate(self.equity):
                causes = sum((amounts[t] for amounts in self.contributions.values()), ZERO)
                worst = max(worst, abs(now - before - causes))
                before = now
        return worst


def backtest(
    market: Market,
    targets: Any,
    costs: Any,
    capital: float = 10_000_000,
    base_currency: str = "USD",
    fill: str = "next_step",
    states: Sequence[int] | None = None,
    stressed: frozenset[int] = frozenset(),
) -> NaiveRun:
    """Run the clock over a market.

    Args:
        market: what can be traded.
        targets: anything with the attributes of `Targets`.
        costs: anything with the attributes of `Costs`.
        capital: in the base currency, all cash at the first step.
        base_currency: of equity and contributions.
        fill: "next_step", or "same_step" for comparisons with other engines.
        states: one integer per step, for everything in the costs that goes by state.
        stressed: states with stressed borrow fees where ``costs.stress_states`` is None.

    Raises:
        EntrepotError: on unusable exchange rates, orders for an index, linked targets with "same_step", a
            position in a line that leaves the market with nothing to convert into, and one in a line whose
            prices have stopped.
    """
    with localcontext() as context:
        context.prec = DIGITS
        return Clock(market, targets, costs, capital, base_currency, fill, states, stressed).run()


class Clock:
    """The state of the ledger and, in the order in which they happen, the things that change it."""

    def __init__(
        self,
        market: Market,
        targets: Any,
        costs: Any,
        capital: float,
        base_currency: str,
        fill: str,
        states: Sequence[int] | None,
        stressed: frozenset[int],
    ) -> None:
        if fill not in ("next_step", "same_step"):
            raise EntrepotError(f"fill={fill!r} is not known: use 'next_step' or 'same_step'")
        self.market, self.targets, self.costs = market, targets, costs
        self.base = base_currency
        self.same_step = fill == "same_step"
        self.states = states
        self.stressed = stressed if costs.stress_states is None else costs.stress_states
        self.exits = getattr(targets, "exits", None)
        self.T = len(market.grid)
        self.symbols = [str(s) for s in market.price.columns]

        self.read_grid()
        self.read_prices()
        self.read_rates()
        self.make_lines()
        self.read_actions()
        self.read_fees()
        self.read_limits()
        self.read_falls()
        self.read_impacts()
        self.read_stops()
        self.refuse_impossible_targets()

        self.cash: dict[str, Decimal] = dict.fromkeys(self.currencies, ZERO)
        self.cash[self.base] = decimal(capital)
        self.receivable: dict[str, Decimal] = dict.fromkeys(self.currencies, ZERO)
        self.receivable_due: list[tuple[int | None, str, Decimal]] = []  # (pay step, currency, amount)
        self.unsettled: list[tuple[int | None, str, Decimal]] = []  # (settlement step, currency, amount)
        self.last: dict[str, Decimal | None] = dict.fromkeys(self.symbols)
        self.printed: dict[str, int] = {}  # step of the last print
        self.called = False  # equity was below the maintenance requirement when it was last looked at
        self.over = False  # ruined
        self.result = NaiveRun(capital=decimal(capital))

    # -- what is known before the run ------------------------------------------------------------------------

    def read_grid(self) -> None:
        grid = self.market.schedule
        self.time = [pd.Timestamp(x) for x in grid["time"]]
        self.ns = [x.as_unit("ns").value for x in self.time]
        self.venue = [str(x) for x in grid["venue"]]
        self.phase = [str(x) for x in grid["phase"]]
        self.session = [pd.Timestamp(x) for x in grid["session"]]
        # by venue, the sessions in order with their first and last steps; calendars are published, so those
        # that end, or begin, after the grid's last step are known too
        self.sessions: dict[str, list[tuple[pd.Timestamp, int, int]]] = {}
        for t in range(len(grid)):
            known = self.sessions.setdefault(self.venue[t], [])
            if known and known[-1][0] == self.session[t]:
                known[-1] = (known[-1][0], known[-1][1], t)
            else:
                known.append((self.session[t], t, t))

    def read_prices(self) -> None:
        table = self.market.price.to_numpy()
        self.price = [
            {s: decimal(x) if finite(x) else None for s, x in zip(self.symbols, row, strict=True)}
            for row in table.tolist()
        ]
        self.tradable = self.market.tradable.tolist()
        self.halted = self.market.halted.tolist()
        self.decides = self.market.decision_steps.tolist()

    def read_rates(self) -> None:
        """Clock 0: base units per unit of every currency at every step, refused where unusable."""
        used = {str(c) for c in self.market.instruments["currency"]} | {self.base}
        self.currencies = sorted(used)
        # CHOICE: the base currency must be usable too, since everything is expressed in it.
        self.fx: list[dict[str, Decimal]] = []
        for currency in self.currencies:
            if currency != "USD" and currency not in self.market.fx.columns:
                raise EntrepotError(f"there is no exchange rate for {currency}: give its fixings per USD")
        usd_per: dict[str, list[float]] = {}
        for currency in self.currencies:
            if currency == "USD":
                usd_per[currency] = [1.0] * self.T
                continue
            usd_per[currency] = self.market.fx[currency].tolist()
            age = self.market.fx_age_days[currency].tolist()
            for t in range(self.T):
                if not finite(usd_per[currency][t]) or not finite(age[t]) or age[t] > 5:
                    raise EntrepotError(
                        f"the {currency} rate at {self.time[t]} is missing or older than five days: "
                        "give a fixing at most five days before every step"
                    )
        for t in range(self.T):
            base = decimal(usd_per[self.base][t])
            rates = {c: decimal(usd_per[c][t]) / base for c in self.currencies}
            rates[self.base] = ONE
            self.fx.append(rates)

        # annual interest on cash by the session date of every step
        given: Mapping[str, Any] | None = self.costs.cash_rate_pa
        one_venue_only = set(self.market.instruments["venue"]) == {"XONE"}
        self.cash_rate: dict[str, list[Decimal]] = {}
        self.rate_known: set[str] = set(given or {})  # a rebate lies below a rate that is known, or is none
        for currency in self.currencies:
            # CHOICE: a currency the given mapping does not name keeps its default.
            if currency in ("USD", "HKD") and not one_venue_only:
                self.rate_known.add(currency)
            rates_pa = []
            for session in self.session[: self.T]:
                rate = None
                if given is not None and currency in given:
                    rate = rate_of_date(given[currency], session)
                if rate is None and currency in ("USD", "HKD") and not one_venue_only:
                    rate = policy_of_year(currency, session.year)[session.day_of_year - 1]
                rates_pa.append(ZERO if rate is None else rate)
            self.cash_rate[currency] = rates_pa

    def make_lines(self) -> None:
        """Every symbol as a line of its own, then two lines for every linked pair."""
        self.single = {symbol: self.make_line(symbol, "") for symbol in self.symbols}
        self.pairs: list[Pair] = []
        for hk, adr in self.targets.pairs:
            legs = self.make_line(str(hk), str(adr)), self.make_line(str(adr), str(adr))
            self.pairs.append(Pair(*legs, self.ratio_held(str(hk), str(adr))))
        self.lines = list(self.single.values())
        for pair in self.pairs:
            self.lines += [pair.hk, pair.adr]

    def make_line(self, symbol: str, pair: str) -> Line:
        row = self.market.instruments.loc[symbol]
        raw = row["adjustment"] == "raw"
        return Line(
            symbol=symbol,
            column=self.symbols.index(symbol),
            venue=str(row["venue"]),
            currency=str(row["currency"]),
            kind=str(row["kind"]),
            raw=raw,
            total_return=row["adjustment"] == "total_return",
            lot=decimal(row["lot"]) if self.costs.lots and raw else ZERO,
            shortable=bool(row["shortable"]),
            withholding=decimal(row["withholding"]),
            fee_class=str(row["fee_class"]),
            bucket="hk" if row["venue"] == "XHKG" else str(row["size"]),
            pair=pair,
        )

    def ratio_held(self, hk: str, adr: str) -> list[Decimal | None]:
        """Ordinary shares per ADS at every step, in the units in which both lines are held at that step.

        CHOICE: a split or a new ratio dated D reaches the Hong Kong line at Hong Kong's open of D and the ADS
        hours later, at New York's. In between the shares held must still be compared with the ADS held. So
        the ratio in force is that of the last New York session begun, times the Hong Kong splits that have
        taken effect and are dated after that session, and divided by those of the market's time that are
        dated at or before it and have not (Hong Kong is shut on the date). Looking the ratio up by the step's
        own session date instead would hedge 100 ADS led at the close before a 5:1 split with a fifth of the
        shares.
        """
        rows = self.market.ratios[self.market.ratios["adr"] == adr].sort_values("effective_from")
        since = [pd.Timestamp(x) for x in rows["effective_from"]]
        value = [decimal(x) for x in rows["ordinary_per_ads"]]
        adr_venue = str(self.market.instruments.loc[adr, "venue"])
        hk_splits = [
            (self.effective_step(hk, x.ex_date), pd.Timestamp(x.ex_date), decimal(x.factor))
            for x in self.market.splits[self.market.splits["symbol"] == hk].itertuples()
        ]
        ratios: list[Decimal | None] = []
        begun: pd.Timestamp | None = None
        for t in range(self.T):
            if self.venue[t] == adr_venue:
                begun = self.session[t]
            date = self.session[t] if begun is None else begun
            ratio = None
            for start, number in zip(since, value, strict=True):
                if start <= date:
                    ratio = number
            if ratio is not None:
                for step, ex_date, factor in hk_splits:
                    in_effect = step is not None and step <= t
                    if in_effect and ex_date > date:
                        ratio *= factor
                    if not in_effect and self.session[0] <= ex_date <= date:
                        ratio /= factor
            ratios.append(ratio)
        return ratios

    def effective_step(self, symbol: str, date: Any) -> int | None:
        """The first step of the symbol's venue in a session at or after the date."""
        venue = str(self.market.instruments.loc[symbol, "venue"])
        for session, first, _ in self.sessions.get(venue, []):
            if session >= pd.Timestamp(date):
                return first
        return None

    def read_actions(self) -> None:
        """The step at which each corporate action takes effect."""
        self.splits: dict[int, list[tuple[str, Decimal]]] = defaultdict(list)
        for row in self.market.splits.itertuples():
            step = self.effective_step(str(row.symbol), row.ex_date)
            if step is not None and not self.has_left(str(row.symbol), row.ex_date):
                self.splits[step].append((str(row.symbol), decimal(row.factor)))
        self.dividends: dict[int, list[tuple[str, Decimal, int | None]]] = defaultdict(list)
        for row in self.market.dividends.itertuples():
            symbol = str(row.symbol)
            step = self.effective_step(symbol, row.ex_date)
            if step is None or self.single[symbol].total_return or self.has_left(symbol, row.ex_date):
                continue
            pays = step if pd.isna(row.pay_date) else self.effective_step(symbol, row.pay_date)
            # a pay date before the ex-date, or on it, is paid at the ex-date
            if pays is not None:
                pays = max(pays, step)
            self.dividends[step].append((symbol, decimal(row.amount), pays))
        self.departures: dict[int, list[tuple[str, str, Decimal | None]]] = defaultdict(list)
        for row in self.market.delistings.itertuples():
            step = self.departure_step(str(row.symbol), pd.Timestamp(row.last_session))
            ratio = decimal(row.ordinary_per_ads) if finite(row.ordinary_per_ads) else None
            if step < self.T:
                # the ratio counts Hong Kong shares of the last session: those split since are more
                for split in self.market.splits.itertuples():
                    after = pd.Timestamp(split.ex_date) > pd.Timestamp(row.last_session)
                    effective = self.effective_step(str(split.symbol), split.ex_date)
                    if str(split.symbol) == str(row.into) and after and effective is not None and ratio:
                        ratio *= decimal(split.factor) if effective <= step else ONE
                self.departures[step].append((str(row.symbol), str(row.into), ratio))

    def has_left(self, symbol: str, date: Any) -> bool:
        """Whether a line has left the market before a date."""
        rows = self.market.delistings[self.market.delistings["symbol"] == symbol]
        return any(pd.Timestamp(date) > pd.Timestamp(x) for x in rows["last_session"])

    def departure_step(self, symbol: str, last_session: pd.Timestamp) -> int:
        """The step after the line's last session.

        CHOICE: a last session before the grid's first means that the line is gone from the first step.
        """
        venue = str(self.market.instruments.loc[symbol, "venue"])
        step = 0
        for session, _, last in self.sessions.get(venue, []):
            if session <= last_session:
                step = last + 1
        return step

    def read_fees(self) -> None:
        """The dated schedules: fees of every class by session, sessions to settlement, ticks by step."""
        classes = {line.fee_class for line in self.single.values()} - {"none"}
        years = sorted({session.year for session in self.session})
        self.fee_tables: dict[str, dict[int, schedules.FeeTable]] = {}
        if self.costs.dated_fees:
            self.fee_tables = {c: {y: fees_of_year(c, y) for y in years} for c in classes}
        self.settlement_days: dict[str, list[int]] = {}
        for venue, sessions in self.sessions.items():
            # CHOICE: a market without a schedule settles at the close of the same session.
            self.settlement_days[venue] = [
                0 if venue == "XONE" else settlement_of_year(venue, session.year)[session.day_of_year - 1]
                for session, _, _ in sessions
            ]
        ticked = [s for s, line in self.single.items() if line.venue == "XHKG" and line.raw]
        self.half_tick: dict[str, list[float]] = {}
        if ticked:
            dates = pd.DatetimeIndex(self.session[: self.T])
            half = schedules.half_tick("XHKG", self.market.price[ticked].to_numpy(), dates)
            self.half_tick = {symbol: half[:, i].tolist() for i, symbol in enumerate(ticked)}

    def read_limits(self) -> None:
        """Frames of the costs: by symbol and step, or by row and state."""
        costs = self.costs
        self.availability = {} if costs.availability is None else self.by_step(costs.availability)
        self.dated_caps = self.dated_borrow = self.dated_volumes = None
        self.borrow_by_state: dict[tuple[str, int], Any] | None = None
        if isinstance(costs.max_fill_shares, pd.DataFrame):
            self.dated_caps = self.by_step(costs.max_fill_shares)
        if isinstance(costs.impact_volume, pd.DataFrame):
            self.dated_volumes = self.by_step(costs.impact_volume)
        if isinstance(costs.borrow_rate_pa, pd.DataFrame):
            frame = costs.borrow_rate_pa
            if isinstance(frame.index, pd.DatetimeIndex):
                self.dated_borrow = self.by_step(frame)
            else:
                self.borrow_by_state = {
                    (str(row), int(state)): frame.loc[row, state] for row in frame.index for state in frame
                }

    def by_step(self, frame: pd.DataFrame) -> dict[str, list[Any]]:
        """What a dated frame holds at every step: its last row dated at or before the step's session."""
        columns: dict[str, list[Any]] = {}
        for symbol in frame.columns:
            values = list(zip(frame.index, frame[symbol], strict=True))
            columns[str(symbol)] = held = []
            for session in self.session[: self.T]:
                now = None
                for date, value in values:
                    if date <= session:
                        now = value
                held.append(None if now is None or pd.isna(now) else now)
        return columns

    def read_falls(self) -> None:
        """By step and symbol: the last print before, and whether a fall of 10 % restricts short sales."""
        self.before: list[dict[str, Decimal | None]] = [{} for _ in range(self.T)]
        self.fallen: list[dict[str, bool]] = [{} for _ in range(self.T)]
        for symbol, line in self.single.items():
            last: Decimal | None = None
            reference: Decimal | None = None  # the last print before this session
            fell = fell_before = False  # in this session, in the one before
            session = None
            for t in range(self.T):
                if self.venue[t] == line.venue and self.session[t] != session:
                    session, reference = self.session[t], last
                    # CHOICE: each session with such a fall restricts the next, also one that was restricted
                    fell, fell_before = False, fell
                for name, factor in self.splits[t]:
                    if name == symbol and last is not None:
                        last /= factor
                    if name == symbol and reference is not None:
                        reference /= factor
                self.before[t][symbol] = last
                price = self.price[t][symbol]
                if price is not None:
                    # CHOICE: a fall of exactly 10 % counts, and so does what rounding makes of one
                    if reference is not None and price <= Decimal("0.9") * reference * (1 + SLACK):
                        fell = True
                    last = price
                self.fallen[t][symbol] = fell or fell_before

    def read_impacts(self) -> None:
        """By step and symbol: what one share moves the price by, as a fraction; None where not known."""
        self.impacts: list[dict[str, Decimal | None]] = [{} for _ in range(self.T)]
        if self.costs.impact == 0:
            return
        for symbol, line in self.single.items():
            volumes: list[Decimal | None] = []  # of the line's sessions, in shares of today's kind
            returns: list[Decimal | None] = []  # from close to close
            close: Decimal | None = None  # of the session before, in shares of today's kind
            paid = ZERO  # dividends since
            for t in range(self.T):
                for name, factor in self.splits[t]:
                    if name == symbol:
                        volumes = [None if v is None else v * factor for v in volumes]
                        close = None if close is None else close / factor
                        paid /= factor
                for name, amount, _ in self.dividends[t]:
                    if name == symbol:
                        paid += amount
                if self.venue[t] == line.venue and self.phase[t] == "close":
                    price = self.price[t][symbol]
                    if self.market.estimated[t, line.column]:
                        price = None
                    seen = None if self.market.volume is None else number(self.market.volume[symbol].iloc[t])
                    volumes.append(seen if seen else None)
                    returns.append(None if price is None or close is None else (price + paid) / close - 1)
                    close, paid = price, ZERO
                sigma = trailing(returns, self.costs.impact_sessions, root_mean_square)
                volume = trailing(volumes, self.costs.impact_sessions, middle)
                given = named_rate(self.costs.impact_volume, symbol) if self.dated_volumes is None else None
                if self.dated_volumes is not None and symbol in self.dated_volumes:
                    given = number(self.dated_volumes[symbol][t])
                volume = volume if given is None else given
                known = sigma is not None and volume is not None
                self.impacts[t][symbol] = None
                if known:
                    self.impacts[t][symbol] = decimal(self.costs.impact) * sigma / volume.sqrt()

    def impact(self, t: int, line: Line, shares: Decimal, half: Decimal) -> Decimal | None:
        """What a trade moves its price by, as a fraction; None where it is not known."""
        if self.costs.impact == 0:
            return ZERO
        one = self.impacts[t][line.symbol]
        # CHOICE: what is bought costs no more than twice its price, what is sold no less than nothing
        return None if one is None else min(one * shares.sqrt(), 1 - half)

    def read_stops(self) -> None:
        """The step at which a line whose prices have stopped may no longer be held, and its last print."""
        last_sessions = {
            str(row.symbol): pd.Timestamp(row.last_session) for row in self.market.delistings.itertuples()
        }
        self.stops: dict[int, list[tuple[str, pd.Timestamp]]] = defaultdict(list)
        for symbol, line in self.single.items():
            prints = [t for t in range(self.T) if self.price[t][symbol] is not None]
            if not prints:
                continue
            silent = 0
            for session, first, last in self.sessions[line.venue]:
                if first <= prints[-1] or last >= self.T:
                    continue
                if symbol in last_sessions and session > last_sessions[symbol]:
                    continue
                # CHOICE: the steps of a session are those of its own venue, not what lies between them
                steps = [t for t in range(first, last + 1) if self.venue[t] == line.venue]
                if any(self.halted[t][line.column] for t in steps):
                    continue
                silent += 1
                if silent == STOPPED_SESSIONS:
                    self.stops[last].append((symbol, self.session[prints[-1]]))

    def refuse_impossible_targets(self) -> None:
        for line in self.single.values():
            weights = self.targets.weights[:, line.column].tolist()
            # CHOICE: a weight of 0 for an index is no order and is let pass.
            if line.kind == "index" and any(finite(w) and w != 0 for w in weights):
                raise EntrepotError(f"{line.symbol} is an index, not tradable: leave its weights empty")
            if not line.shortable and any(finite(w) and w < 0 for w in weights):
                raise EntrepotError(f"{line.symbol} may not be sold short: leave its weights at 0 or above")
        for i, pair in enumerate(self.pairs):
            for leg, sign in ((pair.hk, -1), (pair.adr, 1)):
                weights = (self.targets.pair_weights[:, i] * sign).tolist()
                if not leg.shortable and any(w > 0 for w in weights):
                    raise EntrepotError(f"{leg.symbol} may not be sold short: leave that side of the pair")
        if self.same_step and self.pairs:
            # CHOICE: refused as soon as a linked pair is named, whatever its weights.
            raise EntrepotError("linked pairs cannot fill at their deciding step: use fill='next_step'")

    # -- the clock -------------------------------------------------------------------------------------------

    def run(self) -> NaiveRun:
        for t in range(self.T):
            if self.over:
                self.record(t, self.result.equity[-1])
                continue
            self.accrue(t)
            self.act(t)
            self.mark(t)
            if self.same_step:
                self.decide(t, self.worth(t))
                self.fill(t)
                self.drop_what_did_not_fill_at_once(t)
            else:
                self.fill(t)
                self.expire(t)
            self.refuse_what_has_stopped(t)
            self.sweep(t)
            equity = self.worth(t)
            if equity <= 0:
                self.ruin(equity)
            self.record(t, equity)
            if self.over:
                continue
            if self.same_step:
                self.recall(t)
            else:
                self.check_margin(t, equity)
                self.recall(t)
                self.decide(t, equity)
                self.cut_to_initial_margin(t, equity)
        return self.result

    # 1. accrue ----------------------------------------------------------------------------------------------

    def accrue(self, t: int) -> None:
        """Fees and interest of the time since the step before, on the state it left; then settlement."""
        if t > 0:
            days = Decimal(self.ns[t] - self.ns[t - 1]) / NS_PER_DAY
            short_value = dict.fromkeys(self.currencies, ZERO)
            paid = dict.fromkeys(self.currencies, ZERO)
            for line in self.lines:
                if line.q == 0:
                    continue
                currency, year = line.currency, days_in_year(line.currency)
                if line.q < 0:
                    value = -line.q * self.last_of(line)
                    short_value[currency] += value
                    borrow = value * self.borrow_rate(t - 1, line) * days / year
                    rate = ZERO
                    if currency in self.rate_known:
                        rate = self.cash_rate[currency][t - 1] - decimal(self.costs.rebate_spread_pa)
                    rebate = value * rate * days / year
                    paid[currency] += rebate - borrow
                    self.book(t, "borrow", line.symbol, -borrow * self.fx[t][currency])
                    self.book(t, "rebate", line.symbol, rebate * self.fx[t][currency])
                if line.kind == "ads" and line.raw:
                    service = abs(line.q) * decimal(self.costs.ads_service_fee_pa) * days / 365
                    paid[currency] -= service
                    self.book(t, "ads_fee", line.symbol, -service * self.fx[t][currency])
            for currency in self.currencies:
                unsettled = sum((x for _, c, x in self.unsettled if c == currency), ZERO)
                free = self.cash[currency] - short_value[currency] - unsettled
                rate = self.cash_rate[currency][t - 1]
                if free < 0:
                    rate += decimal(self.costs.debit_spread_pa)
                interest = free * rate * days / days_in_year(currency)
                paid[currency] += interest
                self.book(t, "interest", f"cash:{currency}", interest * self.fx[t][currency])
                # what cash and receivables gain by the rate's move, on the balances left by the step before
                move = self.fx[t][currency] - self.fx[t - 1][currency]
                balance = self.cash[currency] + self.receivable[currency]
                self.book(t, "fx", f"cash:{currency}", balance * move)
            for currency in self.currencies:
                self.cash[currency] += paid[currency]
        self.unsettled = [x for x in self.unsettled if x[0] is None or x[0] > t]

    def borrow_rate(self, t: int, line: Line) -> Decimal:
        """The annual fee on short value that holds from a step to the next."""
        given = self.costs.borrow_rate_pa
        rate: Decimal | None = None
        if self.dated_borrow is not None:
            if line.symbol in self.dated_borrow:
                rate = number(self.dated_borrow[line.symbol][t])
        elif self.borrow_by_state is not None:
            state = 0 if self.states is None else int(self.states[t])
            # CHOICE: a symbol's own row, where it has one, hides its bucket's; what is NaN in it is default
            named = any(row == line.symbol for row, _ in self.borrow_by_state)
            rate = number(self.borrow_by_state.get((line.symbol if named else line.bucket, state)))
        else:
            rate = named_rate(given, line.symbol)
        if rate is None and line.venue == "XONE":
            rate = ZERO
        if rate is None and self.in_states(t, self.stressed):
            rate = number(borrow_table().loc[line.bucket, "stress"])
        if rate is None:
            rate = decimal(borrow_table().loc[line.bucket, "calm"])
        return rate * decimal(self.costs.borrow_multiplier)

    def in_states(self, t: int, states: frozenset[int]) -> bool:
        # CHOICE: without states no set of states holds, also not one with 0 in it
        return self.states is not None and int(self.states[t]) in states

    # 2. corporate actions -----------------------------------------------------------------------------------

    def act(self, t: int) -> None:
        for symbol, factor in self.splits[t]:
            self.split(symbol, factor)
        still_due = []
        for step, currency, amount in self.receivable_due:
            if step == t:
                self.receivable[currency] -= amount
                self.cash[currency] += amount
            else:
                still_due.append((step, currency, amount))
        self.receivable_due = still_due
        for symbol, amount, pays in self.dividends[t]:
            self.pay_dividend(t, symbol, amount, pays)
        for symbol, into, ratio in self.departures[t]:
            for line in self.lines:
                if line.symbol == symbol:
                    self.leave(t, line, into, ratio)

    def split(self, symbol: str, factor: Decimal) -> None:
        last = self.last[symbol]
        if last is not None:
            self.last[symbol] = last / factor
        for line in self.lines:
            if line.symbol == symbol:
                line.q *= factor
                if line.order is not None:
                    line.order.goal *= factor
            if line.parity is not None and line.parity.symbol == symbol:
                line.parity_ratio *= factor
        for pair in self.pairs:
            if pair.hk.symbol == symbol:  # a pair's goal counts Hong Kong shares
                for order in (pair.order, pair.led, pair.queued):
                    if order is not None:
                        order.goal *= factor

    def pay_dividend(self, t: int, symbol: str, amount: Decimal, pays: int | None) -> None:
        for line in self.lines:
            if line.parity is not None and line.parity.symbol == symbol and line.q != 0:
                # kept at parity, it falls with the Hong Kong line and earns or owes what that pays
                heir = line.parity
                net = max(amount * (1 - heir.withholding), ZERO)
                money = line.q * line.parity_ratio * (net if line.q > 0 else amount)
                self.book(t, "dividend", line.symbol, money * self.fx[t][heir.currency])
                if pays == t:
                    self.cash[heir.currency] += money
                else:
                    self.receivable[heir.currency] += money
                    self.receivable_due.append((pays, heir.currency, money))
            if line.symbol != symbol or line.q == 0:
                continue
            per_share = amount
            if line.q > 0:
                per_share = amount * (1 - line.withholding)
                if line.kind == "ads" and line.raw:
                    per_share -= decimal(self.costs.ads_dividend_fee)
                per_share = max(per_share, ZERO)
            money = line.q * per_share
            self.book(t, "dividend", symbol, money * self.fx[t][line.currency])
            if pays == t:
                self.cash[line.currency] += money
            else:
                self.receivable[line.currency] += money
                self.receivable_due.append((pays, line.currency, money))

    def leave(self, t: int, line: Line, into: str, ratio: Decimal | None) -> None:
        """The line leaves the market; what is held of it is dealt with as the costs say."""
        if any(other.parity is line and not nothing(other.q) for other in self.lines):
            raise EntrepotError(f"{line.symbol} leaves the market while others are held at parity with it")
        pair = self.pair_of(line)
        if line.q != 0:
            how = self.costs.delisting
            if line.q < 0 and self.costs.delisted_shorts == "buy_in":
                how = "buy_in"
            if how == "mark" and pair is not None and line is pair.adr and not self.may_park(pair):
                how = "cash"
            if how in ("cash", "buy_in"):
                self.cash_out(t, line, how)
            else:
                heir = self.heir(t, line, into, ratio)
                assert ratio is not None
                if how == "mark":
                    self.park(t, line, heir, ratio)
                    return
                self.convert(t, line, heir, ratio)
        line.gone = True
        if pair is None:
            if line.order is not None:
                self.drop(t, line.symbol, line.order.decided, "delisted")
            line.order = line.target = None
        else:
            self.dissolve(t, pair, line)

    def heir(self, t: int, line: Line, into: str, ratio: Decimal | None) -> Line:
        """The Hong Kong line that a leaving line turns into, or is compared with from now on."""
        heir = self.single.get(into)
        pair = self.pair_of(line)
        if pair is not None:
            heir = pair.hk if line is pair.adr else None
        if heir is None or heir.gone or ratio is None or not into:
            raise EntrepotError(
                f"{line.symbol} leaves the market at {self.time[t]} while {line.q} are held and there is "
                "no Hong Kong line to convert into: add that line or close the position before"
            )
        # CHOICE: a Hong Kong line that has never printed cannot value what it receives: refused as well.
        if self.last[heir.symbol] is None:
            raise EntrepotError(f"{line.symbol} converts into {heir.symbol}, which has no price yet")
        return heir

    def convert(self, t: int, line: Line, heir: Line, ratio: Decimal) -> None:
        shares = line.q * ratio
        before = self.fx[t - 1]
        change = (
            shares * self.last_of(heir) * before[heir.currency]
            - line.q * self.last_of(line) * before[line.currency]
        )
        fee = self.depositary_fee(line, line.q)
        self.converted(t, line, heir.symbol, shares, fee, "delisted")
        heir.q += shares
        if not line.pair and heir.q < -SLACK and not heir.shortable:
            if heir.order is not None and not heir.order.forced:
                self.drop(t, heir.symbol, heir.order.decided, "forced")
            heir.order = Order(ZERO, t, None, forced=True)  # nobody lends that line: bought in
        line.q = ZERO
        self.cash[line.currency] -= fee
        self.book(t, "conversion", line.symbol, change)
        self.book(t, "conversion_fee", line.symbol, -fee * self.fx[t][line.currency])

    def cash_out(self, t: int, line: Line, how: str) -> None:
        """The position becomes its last value, in its own currency."""
        last, rate = self.last_of(line), self.fx[t][line.currency]
        value = line.q * last
        self.cash[line.currency] += value
        if t > 0:  # the rate's move of this step: the mark will not find the position any more
            self.book(t, "fx", line.symbol, value * (rate - self.fx[t - 1][line.currency]))
        fee = ZERO
        if how == "buy_in":
            slippage = abs(value) * self.last_half_spread(line)
            self.cash[line.currency] -= slippage
            self.book(t, "slippage", line.symbol, -slippage * rate)
            # CHOICE: the slippage of a buy-in is no fee: the row of `conversions` says 0
            self.converted(t, line, "", ZERO, fee, "bought_in")
        else:
            fee = self.depositary_fee(line, line.q)
            self.cash[line.currency] -= fee
            self.book(t, "conversion_fee", line.symbol, -fee * rate)
            self.converted(t, line, "", ZERO, fee, "cashed_out")
        line.q = ZERO

    def may_park(self, pair: Pair) -> bool:
        both = not nothing(pair.hk.q) and not nothing(pair.adr.q)
        return both and not pair.gone and pair.replaceable()

    def park(self, t: int, line: Line, heir: Line, ratio: Decimal) -> None:
        """The position stays, at parity with the Hong Kong line, until it is closed."""
        line.parity, line.parity_ratio, line.parity_mark = heir, ratio, self.last_of(line)
        line.gone = True
        pair = self.pair_of(line)
        if pair is None:
            if line.order is not None:
                self.drop(t, line.symbol, line.order.decided, "delisted")
            line.order = line.target = None
            return
        for order in (pair.order, pair.queued):
            if order is not None:
                self.drop(t, pair.adr.symbol, order.decided, "delisted")
        pair.order = pair.queued = pair.target = None
        pair.parked = True

    def dissolve(self, t: int, pair: Pair, line: Line) -> None:
        """A leg has left: the other one is closed."""
        # CHOICE: everything the pair still had to do is dropped, a row each under the ADR's symbol, except an
        # unwind, whose row was written when the hedge was given up, and a conversion.
        if not pair.gone:
            if pair.order is not None:
                self.drop(t, pair.adr.symbol, pair.order.decided, "delisted")
            if pair.led is not None and pair.unwind is None:
                self.drop(t, pair.adr.symbol, pair.led.decided, "delisted")
            if pair.queued is not None:
                self.drop(t, pair.adr.symbol, pair.queued.decided, "delisted")
        pair.gone, pair.parked = True, False
        pair.order = pair.queued = pair.unwind = pair.lead = pair.led = pair.given_up = None
        pair.conversion = pair.target = None
        line.order = None
        left = pair.other(line)
        if not nothing(left.q) and not left.gone:
            left.order = Order(ZERO, t, None, forced=True)
        # CHOICE: where the Hong Kong line of a parked pair leaves too, the parked ADR closes at the next step
        if left.parity is not None and left.closes is None:
            left.closes = t

    def depositary_fee(self, line: Line, shares: Decimal) -> Decimal:
        """For making or cancelling ADSs, by the hundred, in the currency of the line."""
        # CHOICE: the depositary charges ADSs only; other lines that leave convert for nothing.
        if line.kind != "ads" or not line.raw:
            return ZERO
        hundreds = (abs(shares) / 100 - SLACK).to_integral_value(ROUND_CEILING)
        return hundreds * 100 * decimal(self.costs.ads_conversion_fee)

    def converted(
        self, t: int, line: Line, into: str, into_quantity: Decimal, fee: Decimal, reason: str
    ) -> None:
        self.result.conversions.append(
            {
                "step": t,
                "symbol": line.symbol,
                "quantity": line.q,
                "into": into,
                "into_quantity": into_quantity,
                "fee": fee,
                "reason": reason,
            }
        )

    # 3. mark ------------------------------------------------------------------------------------------------

    def mark(self, t: int) -> None:
        """Every position at its last price, every currency at its last rate, and what that changed."""
        for symbol in self.symbols:
            now, before = self.price[t][symbol], self.last[symbol]
            if now is not None:
                self.last[symbol], self.printed[symbol] = now, t
            for line in self.lines:
                if line.symbol != symbol or line.parity is not None or line.q == 0 or t == 0:
                    continue
                assert before is not None
                self.book_move(t, line, before, self.last_of(line))
        for line in self.lines:
            if line.parity is not None and line.q != 0:
                rates = self.fx[t]
                parity = line.parity_ratio * self.last_of(line.parity)
                parity *= rates[line.parity.currency] / rates[line.currency]
                before, line.parity_mark = line.parity_mark, parity
                self.book_move(t, line, before, parity)

    def book_move(self, t: int, line: Line, before: Decimal, after: Decimal) -> None:
        rate, rate_before = self.fx[t][line.currency], self.fx[t - 1][line.currency]
        self.book(t, "price", line.symbol, line.q * (after - before) * rate_before)
        self.book(t, "fx", line.symbol, line.q * after * (rate - rate_before))

    # 4. fill ------------------------------------------------------------------------------------------------

    def fill(self, t: int) -> None:
        # first what is parked and to be closed
        for line in self.lines:
            if line.closes is not None and line.closes < t:
                self.close_parked(t, line)
        # then, pair by pair: what a delisting left, conversions that arrive, the unwinding of leads whose
        # hedge was missed, and forced orders
        for pair in self.pairs:
            for leg in (pair.hk, pair.adr):
                if leg.order is not None and leg.order.decided < t and self.tradable[t][leg.column]:
                    self.fill_gone_leg(t, leg)
            if pair.conversion is not None:
                self.arrive(t, pair)
            elif pair.unwind is not None and pair.unwind.decided < t:
                self.fill_unwind(t, pair)
            elif pair.lead is None and pair.order is not None and pair.order.forced:
                self.fill_lead(t, pair)
        # then the lines in order
        for line in self.single.values():
            if line.order is not None and self.tradable[t][line.column]:
                if line.order.forced and line.order.decided == t:
                    continue
                self.fill_single(t, line)
        for pair in self.pairs:
            if pair.lead is not None and pair.unwind is None:
                self.fill_hedge(t, pair)
            elif pair.lead is None and pair.order is not None and not pair.order.forced:
                self.fill_lead(t, pair)
        # CHOICE: a target that waited for something else may lead from the next step on, not at this
        for pair in self.pairs:
            free = pair.lead is None and pair.conversion is None and pair.order is None
            if free and pair.queued is not None:
                pair.order, pair.queued = pair.queued, None

    def close_parked(self, t: int, line: Line) -> None:
        """A parked position becomes its value at parity."""
        fee = self.depositary_fee(line, line.q)
        self.cash[line.currency] += line.q * self.last_of(line) - fee
        self.book(t, "conversion_fee", line.symbol, -fee * self.fx[t][line.currency])
        self.converted(t, line, "", ZERO, fee, "closed")
        line.q, line.parity, line.closes = ZERO, None, None

    def fill_gone_leg(self, t: int, leg: Line) -> None:
        """What is left of a pair that is gone: no lots, but the cap."""
        assert leg.order is not None
        order = leg.order
        quantity, partial = self.capped(t, leg, -leg.q, leg.lot)
        if not partial:
            leg.order = None
        if not nothing(quantity):
            self.trade(t, leg, quantity, "forced", order.decided)

    def arrive(self, t: int, pair: Pair) -> None:
        """A conversion by choice has been delivered: one leg becomes the other, and they cancel out."""
        assert pair.conversion is not None
        hk, adr, ratio = pair.hk, pair.adr, pair.ratio[t]
        if pair.conversion.arrives is None or pair.conversion.arrives > t:
            return
        if nothing(hk.q) or nothing(adr.q):
            pair.conversion = None
            return
        if ratio is None:
            return
        pair.conversion = None
        before = self.value_of_pair(t, pair)
        if hk.q > 0:
            fee = self.depositary_fee(adr, hk.q / ratio)
            self.converted(t, hk, adr.symbol, hk.q / ratio, fee, "chosen")
            adr.q += hk.q / ratio
            hk.q = ZERO
        else:
            fee = self.depositary_fee(adr, adr.q)
            self.converted(t, adr, hk.symbol, adr.q * ratio, fee, "chosen")
            hk.q += adr.q * ratio
            adr.q = ZERO
        for leg in (hk, adr):
            if nothing(leg.q):
                leg.q = ZERO
        self.cash[adr.currency] -= fee
        self.book(t, "conversion", adr.symbol, self.value_of_pair(t, pair) - before)
        self.book(t, "conversion_fee", adr.symbol, -fee * self.fx[t][adr.currency])

    def value_of_pair(self, t: int, pair: Pair) -> Decimal:
        return sum((leg.q * self.worth_of_one(t, leg) for leg in (pair.hk, pair.adr)), ZERO)

    def fill_unwind(self, t: int, pair: Pair) -> None:
        """The lead goes back to what the other leg holds: no lots, but the cap."""
        assert pair.lead is not None
        assert pair.unwind is not None
        leg, decided = pair.lead, pair.unwind.decided
        if not self.tradable[t][leg.column]:
            return
        quantity, partial = self.capped(t, leg, pair.goal_of(leg, t) - leg.q, leg.lot)
        if self.needs_borrow(leg, quantity) and not self.can_borrow(t, leg):
            if leg.shortable and self.status(t, leg) == WAIT:
                return
            # CHOICE: where it would open or increase a short without borrow it is cut at zero and recorded.
            self.drop(t, leg.pair, decided, "no_borrow")
            quantity, partial = -min(max(leg.q, ZERO), abs(quantity)), False
        if not nothing(quantity):
            self.trade(t, leg, quantity, "unwind", decided)
        if not partial:
            pair.unwind = pair.lead = pair.led = pair.given_up = None

    def fill_single(self, t: int, line: Line) -> None:
        assert line.order is not None
        order = line.order
        quantity = order.goal - line.q
        if order.goal != 0:
            quantity = whole_units(quantity, line.lot)
        quantity, stays = self.capped(t, line, quantity, line.lot)
        if self.needs_borrow(line, quantity) and not self.can_borrow(t, line):
            quantity = -min(max(line.q, ZERO), abs(quantity))
            stays = line.shortable and self.status(t, line) == WAIT
            if not stays:
                self.drop(t, line.symbol, order.decided, "no_borrow")
        if not stays:
            line.order = None
        if not nothing(quantity):
            self.trade(t, line, quantity, "forced" if order.forced else "target", order.decided)

    def cap_of(self, t: int, line: Line) -> Decimal | None:
        """The most shares of a line that are filled in one step; None: any number."""
        if self.dated_caps is not None:
            return number(self.dated_caps[line.symbol][t]) if line.symbol in self.dated_caps else None
        return named_rate(self.costs.max_fill_shares, line.symbol)

    def capped(
        self, t: int, line: Line, quantity: Decimal, unit: Decimal, most: Decimal | None = None
    ) -> tuple[Decimal, bool]:
        """What may be traded at once, in whole units, and whether that is less than was wanted.

        A leg that leads is bound by ``most`` as well: what the other leg can cover in one step.
        """
        cap = self.cap_of(t, line)
        if most is not None:
            cap = most if cap is None else min(cap, most)
        # CHOICE: what is above the cap by no more than rounding leaves is not capped
        if cap is None or abs(quantity) <= cap + SLACK:
            return quantity, False
        return whole_units(cap.copy_sign(quantity), unit), True

    def needs_borrow(self, line: Line, quantity: Decimal) -> bool:
        """Whether a trade of a single line, or an unwind, would open or increase a short."""
        return not nothing(quantity) and quantity < 0 and line.q + quantity < 0

    def can_borrow(self, t: int, line: Line) -> bool:
        return line.shortable and self.status(t, line) == AVAILABLE

    def status(self, t: int, line: Line) -> int:
        """What can be borrowed of a line at a step, the strictest of all that restricts it."""
        said = self.availability[line.symbol][t] if line.symbol in self.availability else None
        if self.in_states(t, self.costs.recall_states) or said == "recall":
            return RECALL
        if self.in_states(t, self.costs.no_borrow_states) or said == "no_new":
            return NO_NEW
        if self.costs.short_sale_rules and self.must_wait(t, line):
            return WAIT
        return AVAILABLE

    def must_wait(self, t: int, line: Line) -> bool:
        """Short sales wait for a price above the last one: in Hong Kong always, in New York after a fall."""
        price, before = self.price[t][line.symbol], self.before[t][line.symbol]
        if price is None:
            return False
        restricted = line.venue == "XHKG" or (line.venue == "XNYS" and self.fallen[t][line.symbol])
        return restricted and (before is None or price <= before)

    def fill_lead(self, t: int, pair: Pair) -> None:
        """The leg whose venue comes first; Hong Kong where both could; after a recall the recalled leg."""
        assert pair.order is not None
        order, ratio = pair.order, pair.ratio[t]
        legs = [pair.hk, pair.adr]
        if order.only is not None:
            legs = [pair.other(order.only) if nothing(order.only.q) else order.only]
        for leg in legs:
            if ratio is None or not self.may_lead(t, pair, leg, order.forced):
                continue
            unit = pair_unit(pair.hk.lot, pair.adr.lot, ratio)
            if leg is pair.hk:
                quantity = order.goal - leg.q
                if order.goal != 0:
                    quantity = whole_units(quantity, unit)
                wanted = quantity
                most = self.cap_of(t, pair.adr)
                most = None if order.forced or most is None else most * ratio
                quantity, partial = self.capped(t, leg, quantity, leg.lot if order.forced else unit, most)
                hk_after = leg.q + quantity
                adr_after = -hk_after / ratio
            else:
                quantity = -order.goal / ratio - leg.q
                if order.goal != 0:
                    quantity = whole_units(quantity * ratio, unit) / ratio
                wanted = quantity
                most = self.cap_of(t, pair.hk)
                most = None if order.forced or most is None else most / ratio
                whole = leg.lot if order.forced else unit / ratio
                quantity, partial = self.capped(t, leg, quantity, whole, most)
                adr_after = leg.q + quantity
                hk_after = -adr_after * ratio
            if nothing(wanted):
                # CHOICE: nothing to lead with. The order is done, unless it says "get out" and the other leg
                # still holds something: then it is left to that leg to lead.
                if order.goal != 0 or nothing(pair.other(leg).q):
                    pair.order = None
                    return
                continue
            if nothing(quantity):
                continue  # the cap lets nothing through
            # CHOICE: without borrow for either leg both wait; nothing is recorded before the order expires.
            if not self.borrow_allows(t, pair.hk, hk_after):
                continue
            if not self.borrow_allows(t, pair.adr, adr_after):
                continue
            self.trade(t, leg, quantity, "forced" if order.forced else "lead", order.decided)
            order.partial = partial
            pair.lead, pair.led, pair.order, pair.given_up = leg, order, None, None
            if not order.forced:
                pair.given_up = self.last_step_of_session(pair.other(leg).venue, t, HEDGE_SESSIONS)
            return

    def may_lead(self, t: int, pair: Pair, leg: Line, forced: bool) -> bool:
        other = pair.other(leg)
        if not self.tradable[t][leg.column]:
            return False
        if forced:
            return True
        if self.halted[t][other.column]:
            return False
        following = self.published(t, other.venue)
        if following is None:
            return False  # CHOICE: where the calendar ends before the partner's next step, nobody leads
        return Decimal(following - self.ns[t]) / (NS_PER_DAY / 24) <= decimal(self.costs.max_leg_gap_hours)

    def published(self, t: int, venue: str) -> int | None:
        """When the venue's next step is, as known: weather takes a session when it does not open."""
        opens, closes = planned_hours(venue)
        own = [step for step in range(len(self.venue)) if self.venue[step] == venue]
        first = closes if all(self.phase[step] == "close" for step in own) else opens
        unknown = {day for day in opens if self.ns[t] < opens[day]}
        steps = [self.ns[step] for step in own if step > t and self.session[step] not in unknown]
        if own:
            steps += [first[day] for day in unknown if day >= self.session[0] and opens[day] <= self.ns[-1]]
        return min(steps, default=None)

    def borrow_allows(self, t: int, leg: Line, after: Decimal) -> bool:
        shorter = min(after, ZERO) < min(leg.q, ZERO) - SLACK
        return not shorter or self.can_borrow(t, leg)

    def fill_hedge(self, t: int, pair: Pair) -> None:
        """The other leg follows what the lead filled, at the ratio of the step at which it trades."""
        assert pair.lead is not None
        assert pair.led is not None
        leg, led = pair.other(pair.lead), pair.led
        if not self.tradable[t][leg.column]:
            return
        # CHOICE: the goal is computed when the hedge trades, from the lead's shares as they then are.
        quantity, partial = self.capped(t, leg, pair.goal_of(leg, t) - leg.q, leg.lot)
        if not self.borrow_allows(t, leg, leg.q + quantity):
            return
        if not nothing(quantity):
            self.trade(t, leg, quantity, "hedge", led.decided)
        if partial:
            return
        pair.lead = pair.led = pair.given_up = None
        # CHOICE: what is left of a capped order may lead again from the next step on, not at this
        if led.partial and (led.forced or pair.queued is None):
            pair.order = led

    def trade(self, t: int, line: Line, quantity: Decimal, reason: str, decided: int) -> None:
        """Shares against cash, at this step's price worsened by half the spread, with this date's fees."""
        price, rate = self.price[t][line.symbol], self.fx[t][line.currency]
        assert price is not None
        spread = self.half_spread(t, line, price)
        impact = self.impact(t, line, abs(quantity), spread)
        if impact is None:
            raise DataError(f"{line.symbol} is filled at {self.time[t]} and its impact is not known")
        worse = spread + impact
        fill_price = price * (1 + worse) if quantity > 0 else price * (1 - worse)
        notional = abs(quantity) * fill_price
        kinds = self.fees(t, line, quantity, notional)
        fees = sum(kinds.values(), ZERO)

        before, after = line.q, line.q + quantity
        line.q = after
        long_flow = -(max(after, ZERO) - max(before, ZERO)) * fill_price
        short_flow = -(min(after, ZERO) - min(before, ZERO)) * fill_price
        due = self.settlement_step(t)
        self.cash[line.currency] += short_flow
        if line.currency == self.base or self.costs.fx_conversion != "on_fill":
            self.cash[line.currency] += long_flow - fees
            self.settle_later(t, due, line.currency, long_flow - fees)
        else:
            exchanged = (long_flow - fees) * rate
            fx_cost = decimal(self.costs.fx_spread) * abs(exchanged)
            self.cash[self.base] += exchanged - fx_cost
            self.settle_later(t, due, self.base, exchanged - fx_cost)
            self.book(t, "fx_spread", line.symbol, -fx_cost)

        slippage = abs(quantity) * price * spread
        self.book(t, "slippage", line.symbol, -slippage * rate)
        pushed = abs(quantity) * price * impact
        self.book(t, "impact", line.symbol, -pushed * rate)
        for kind, amount in kinds.items():
            self.book(t, kind, line.symbol, -amount * rate)
        self.result.fills.append(
            {
                "step": t,
                "time": self.time[t],
                "venue": self.venue[t],
                "session": self.session[t],
                "phase": self.phase[t],
                "symbol": line.symbol,
                "currency": line.currency,
                "quantity": quantity,
                "price": price,
                "fill_price": fill_price,
                "notional": notional,
                "slippage": slippage,
                "impact": pushed,
                **kinds,
                "fees": fees,
                "fx": rate,
                "reason": reason,
                "decided_step": decided,
                "pair": line.pair,
            }
        )

    def half_spread(self, t: int, line: Line, price: Decimal) -> Decimal:
        given = named_rate(self.costs.half_spread_bps, line.symbol)
        if given is not None:
            return given / 10_000
        if line.venue == "XHKG":
            one_bp = Decimal("0.0001")
            if not line.raw:
                return one_bp
            return max(decimal(self.half_tick[line.symbol][t]) / price, one_bp)
        return Decimal("0.0002") if line.venue == "XNYS" else ZERO

    def last_half_spread(self, line: Line) -> Decimal:
        """The half-spread at the step of the line's last print."""
        step = self.printed[line.symbol]
        price = self.price[step][line.symbol]
        assert price is not None
        return self.half_spread(step, line, price)

    def fees(self, t: int, line: Line, quantity: Decimal, notional: Decimal) -> dict[str, Decimal]:
        """The fees of one order by kind, local currency."""
        side = BUY if quantity > 0 else SELL
        amounts: dict[str, Decimal] = {}
        for k, kind in enumerate(schedules.FEE_CLASSES[line.fee_class][1]):
            given = self.costs.fees.get((line.venue, kind))
            if given is not None and (line.fee_class, kind) != ("hk_etp", "stamp_duty"):
                # CHOICE: a given fee that is due has its minimum even where its rate is 0
                if given.side in ("both", "buy" if side == BUY else "sell"):
                    terms = (given.rate, given.per_share, given.minimum, given.maximum, given.unit, given.up)
                    amounts[kind] = self.fee(line, quantity, notional, terms)
                else:
                    amounts[kind] = ZERO
            elif line.fee_class in self.fee_tables:
                table = self.fee_tables[line.fee_class][self.session[t].year]
                at = self.session[t].day_of_year - 1, k, side
                columns = (
                    table.rate, table.per_share, table.minimum, table.maximum, table.unit, table.up
                )  # fmt: skip
                terms = tuple(column[at] for column in columns)
                amounts[kind] = self.fee(line, quantity, notional, terms)
        if self.costs.fee_bps != 0:
            amounts["flat_fee"] = decimal(self.costs.fee_bps) / 10_000 * notional
        return amounts

    def fee(self, line: Line, quantity: Decimal, notional: Decimal, terms: Sequence[Any]) -> Decimal:
        rate, per_share, minimum, maximum, unit, up = terms
        amount = decimal(rate) * notional
        if line.raw:
            amount += decimal(per_share) * abs(quantity)
        if line.raw and self.costs.exact_fees:
            amount = max(amount, decimal(minimum))
            if finite(maximum):
                amount = min(amount, decimal(maximum))
            if unit != 0:
                amount = rounded(amount, decimal(unit), up=bool(up))
        return amount

    def settlement_step(self, t: int) -> int | None:
        """The step at which this step's fills settle: the close of its session + n; None: not in sight."""
        sessions = self.sessions[self.venue[t]]
        for i, (session, _, _) in enumerate(sessions):
            if session == self.session[t]:
                settles = i + self.settlement_days[self.venue[t]][i]
                # CHOICE: a session closes at its last step on the grid.
                return sessions[settles][2] if settles < len(sessions) else None
        raise AssertionError("a fill outside the sessions of its venue")

    def settle_later(self, t: int, due: int | None, currency: str, amount: Decimal) -> None:
        if due is None or due > t:
            self.unsettled.append((due, currency, amount))

    # expiry, after the fills --------------------------------------------------------------------------------

    def expire(self, t: int) -> None:
        for line in self.single.values():
            if line.order is not None and line.order.expiry is not None and line.order.expiry <= t:
                self.drop(t, line.symbol, line.order.decided, "expired")
                line.order = None  # what was wanted still is: the drift rule decides it again
        for pair in self.pairs:
            hedging = pair.lead is not None and pair.unwind is None
            if hedging and pair.given_up is not None and pair.given_up <= t:
                assert pair.led is not None
                self.drop(t, pair.adr.symbol, pair.led.decided, "unwound")
                pair.unwind = Order(ZERO, t, None)
            # CHOICE: an order that waits for a hedge expires like any other, counted from its own decision.
            if pair.order is not None and pair.order.expiry is not None and pair.order.expiry <= t:
                self.drop(t, pair.adr.symbol, pair.order.decided, "expired")
                pair.order = None
            if pair.queued is not None and pair.queued.expiry is not None and pair.queued.expiry <= t:
                self.drop(t, pair.adr.symbol, pair.queued.decided, "expired")
                pair.queued = None

    def last_step_of_session(self, venue: str, t: int, number: int) -> int | None:
        """The last step of the venue's n-th session that has a step after t; None: beyond the calendar."""
        seen = 0
        for _, _, last in self.sessions.get(venue, []):
            if last > t:
                seen += 1
                if seen == number:
                    return last
        return None

    def first_step_of_session(self, venue: str, t: int, number: int) -> int | None:
        """The first step of the venue's n-th session that begins after t; None: beyond the calendar."""
        later = [first for _, first, _ in self.sessions.get(venue, []) if first > t]
        return later[number - 1] if len(later) >= number else None

    def refuse_what_has_stopped(self, t: int) -> None:
        for symbol, printed in self.stops[t]:
            for line in self.lines:
                heir = line.parity is not None and line.parity.symbol == symbol
                own = line.symbol == symbol and not line.gone
                if (own or heir) and not nothing(line.q):
                    raise DataError(
                        f"{symbol} printed last on {printed.date()} and {line.q} of it are still held after "
                        f"{STOPPED_SESSIONS} sessions: give its delisting or its halt, or close it before"
                    )

    def drop_what_did_not_fill_at_once(self, t: int) -> None:
        """Filling at the deciding step leaves nothing pending: CHOICE: the rest is recorded as expired."""
        for line in self.single.values():
            if line.order is not None and not line.order.forced:
                self.drop(t, line.symbol, line.order.decided, "expired")
                line.order = None

    # 5. record ----------------------------------------------------------------------------------------------

    def sweep(self, t: int) -> None:
        """Once a day every balance that is settled and no collateral is exchanged into the base currency."""
        if self.costs.fx_conversion != "daily" or not self.decides[t]:
            return
        for currency in self.currencies:
            if currency == self.base:
                continue
            shorts = sum(
                (
                    -line.q * self.last_of(line)
                    for line in self.lines
                    if line.q < 0 and line.currency == currency
                ),
                ZERO,
            )
            unsettled = sum((x for _, c, x in self.unsettled if c == currency), ZERO)
            free = self.cash[currency] - shorts - unsettled
            if free != 0:
                value = free * self.fx[t][currency]
                cost = decimal(self.costs.fx_spread) * abs(value)
                self.cash[currency] -= free
                self.cash[self.base] += value - cost
                self.book(t, "fx_spread", f"cash:{currency}", -cost)

    def worth(self, t: int) -> Decimal:
        value = ZERO
        for currency in self.currencies:
            value += (self.cash[currency] + self.receivable[currency]) * self.fx[t][currency]
        for line in self.lines:
            if line.q != 0:
                value += line.q * self.worth_of_one(t, line)
        return value

    def record(self, t: int, equity: Decimal) -> None:
        run = self.result
        run.equity.append(equity)
        for currency in self.currencies:
            run.cash.setdefault(currency, []).append(self.cash[currency])
            run.receivables.setdefault(currency, []).append(self.receivable[currency])
        for symbol in self.symbols:
            held = sum((line.q for line in self.lines if line.symbol == symbol), ZERO)
            run.positions.setdefault(symbol, []).append(held)

    def ruin(self, equity: Decimal) -> None:
        """Nothing is left, or less: what is missing is owed, and nothing ever happens again."""
        self.over = True
        for line in self.lines:
            line.q = ZERO
        self.cash = dict.fromkeys(self.currencies, ZERO)
        self.receivable = dict.fromkeys(self.currencies, ZERO)
        self.receivable[self.base] = equity

    # 6. margin and recalls ----------------------------------------------------------------------------------

    def margin_is_due(self, t: int) -> bool:
        return self.costs.margin is not None and self.decides[t] and not self.same_step

    def check_margin(self, t: int, equity: Decimal) -> None:
        """Below the maintenance requirement everything is scaled down to the initial one."""
        if not self.margin_is_due(t):
            return
        longs = shorts = ZERO
        for line in self.lines:
            if line.q != 0:
                value = line.q * self.worth_of_one(t, line)
                longs += max(value, ZERO)
                shorts += max(-value, ZERO)
        rates = self.costs.margin
        kept = decimal(rates.maintenance_long) * longs + decimal(rates.maintenance_short) * shorts
        # CHOICE: a requirement above equity by no more than rounding leaves is met
        self.called = kept > equity * (1 + SLACK)
        if not self.called:
            return
        opened = decimal(rates.initial_long) * longs + decimal(rates.initial_short) * shorts
        scale = min(ONE, equity / opened)
        for line in self.single.values():
            if line.gone or (line.order is not None and line.order.forced):
                continue
            goal = line.q * scale
            if line.order is not None and goes_as_far(line.order.goal, goal):
                continue
            if line.order is not None:
                self.drop(t, line.symbol, line.order.decided, "margin")
                line.order = None
            if not nothing(line.q):
                line.order = Order(goal, t, None, forced=True)
        for pair in self.pairs:
            if pair.gone or pair.parked:
                continue
            if pair.queued is not None:
                self.drop(t, pair.adr.symbol, pair.queued.decided, "margin")
                pair.queued = None
            goal = pair.hk.q * scale
            if not pair.replaceable() or (pair.order is not None and goes_as_far(pair.order.goal, goal)):
                continue
            if pair.order is not None:
                self.drop(t, pair.adr.symbol, pair.order.decided, "margin")
                pair.order = None
            if not nothing(pair.hk.q):
                pair.order = Order(goal, t, None, forced=True)

    def recall(self, t: int) -> None:
        """Shorts that are called back are bought in at their next step, whatever else was wanted."""
        for line in self.lines:
            if line.q >= 0 or nothing(line.q) or self.status(t, line) != RECALL:
                continue
            pair = self.pair_of(line)
            if pair is not None:
                self.recall_leg(t, pair, line)
                continue
            # CHOICE: a parked short cannot be bought, so it cannot be bought in
            if line.gone:
                continue
            if line.order is not None and line.order.forced:
                line.order.goal = ZERO  # a margin call may have asked for less
                continue
            if line.order is not None:
                self.drop(t, line.symbol, line.order.decided, "forced")
            line.order = Order(ZERO, t, None, forced=True)

    def recall_leg(self, t: int, pair: Pair, leg: Line) -> None:
        if pair.gone or pair.parked:
            return
        # CHOICE: both legs are short while an order turns a pair around; the first recall then is for both
        for order in (pair.order, pair.led):
            if order is not None and order.only is not None:
                return
        # an unwinding counts from the step at which the hedge was given up, as its fills do
        under_way = pair.led if pair.unwind is None else pair.unwind
        for outstanding in (pair.order, under_way, pair.conversion, pair.queued):
            if outstanding is not None:
                self.drop(t, pair.adr.symbol, outstanding.decided, "forced")
        pair.queued = pair.lead = pair.led = pair.given_up = pair.unwind = pair.conversion = None
        pair.order = Order(ZERO, t, None, forced=True, only=leg)

    # 7. decide ----------------------------------------------------------------------------------------------

    def decide(self, t: int, equity: Decimal) -> None:
        if equity <= 0:
            return  # nothing to weigh targets by
        for line in self.single.values():
            weight = self.targets.weights[t, line.column]
            if line.gone:
                if finite(weight) and weight != 0:
                    self.drop(t, line.symbol, t, "delisted")
                elif finite(weight) and line.parity is not None and line.closes is None:
                    line.closes = t
                continue
            if finite(weight):
                self.decide_single(t, line, decimal(weight), equity, explicit=True)
            # CHOICE: with same_step a drifted line is only looked at when it can trade.
            elif self.same_step and not self.tradable[t][line.column]:
                continue
            elif line.order is None and self.drifted(t, line, line.target, equity):
                assert line.target is not None
                self.decide_single(t, line, line.target, equity, explicit=False)
        for i, pair in enumerate(self.pairs):
            weight = self.targets.pair_weights[t, i]
            if pair.gone or pair.parked:
                if finite(weight) and weight != 0:
                    self.drop(t, pair.adr.symbol, t, "delisted")
                elif finite(weight) and pair.parked:
                    pair.parked, pair.gone = False, True
                    pair.adr.closes = t
                    pair.hk.order = Order(ZERO, t, None, forced=True)
                continue
            if finite(weight):
                self.decide_pair(t, i, decimal(weight), equity, explicit=True)
            elif pair.idle() and self.drifted(t, pair.hk, pair.target, equity):
                assert pair.target is not None
                self.decide_pair(t, i, pair.target, equity, explicit=False)

    def drifted(self, t: int, line: Line, target: Decimal | None, equity: Decimal) -> bool:
        band = float(self.targets.drift_band)
        if not self.decides[t] or target is None or not math.isfinite(band):
            return False
        last = self.last[line.symbol]
        if last is None or equity == 0:
            return False
        weight = line.q * last * self.fx[t][line.currency] / equity
        return abs(weight - target) > decimal(band) * abs(target)

    def decide_single(self, t: int, line: Line, weight: Decimal, equity: Decimal, *, explicit: bool) -> None:
        forced = line.order is not None and line.order.forced
        if weight == 0 and nothing(line.q) and not forced:
            line.order, line.target = None, ZERO
            return
        goal = self.shares(t, line, weight, equity)
        if goal is None:
            # CHOICE: an unpriced target replaces nothing; "forgets the standing target" is read literally.
            self.drop(t, line.symbol, t, "unpriced")
            line.target = None
            return
        if self.called and not reduces(goal, line.q if line.order is None else line.order.goal):
            # CHOICE: a target that does not count leaves the order that is pending alone
            if explicit:
                self.drop(t, line.symbol, t, "margin")
                line.target = weight
            return
        line.target = weight
        if forced:
            assert line.order is not None
            if weight == 0:
                line.order.goal = ZERO
            else:
                self.drop(t, line.symbol, t, "forced")
            return
        line.order = Order(goal, t, self.last_step_of_session(line.venue, t, PATIENCE_SESSIONS))

    def decide_pair(self, t: int, i: int, weight: Decimal, equity: Decimal, *, explicit: bool) -> None:
        pair = self.pairs[i]
        if weight == 0 and nothing(pair.hk.q) and nothing(pair.adr.q) and pair.replaceable():
            pair.order, pair.target = None, ZERO
            return
        goal = self.shares(t, pair.hk, weight, equity)
        if goal is None:
            self.drop(t, pair.adr.symbol, t, "unpriced")
            pair.target = None
            return
        waits = pair.order is not None and pair.replaceable()
        if self.called and not reduces(goal, pair.order.goal if waits and pair.order else pair.hk.q):
            if explicit:
                self.drop(t, pair.adr.symbol, t, "margin")
                pair.target = weight
            return
        pair.target = weight
        if weight == 0 and self.converts(t, i):
            arrives_at = pair.adr if pair.hk.q > 0 else pair.hk
            arrives = self.first_step_of_session(arrives_at.venue, t, self.costs.conversion_days)
            pair.order, pair.conversion = None, Conversion(t, arrives)
            return
        ends = [self.last_step_of_session(leg.venue, t, PATIENCE_SESSIONS) for leg in (pair.hk, pair.adr)]
        expiry = None if None in ends else max(end for end in ends if end is not None)
        order = Order(goal, t, expiry)
        if pair.replaceable():
            pair.order = order
        else:
            pair.queued = order

    def converts(self, t: int, i: int) -> bool:
        """Whether a pair is closed through the depositary instead of being traded."""
        pair = self.pairs[i]
        chosen = 0 if self.exits is None else int(self.exits[t, i])
        hk, adr = pair.hk, pair.adr
        both = not nothing(hk.q) and not nothing(adr.q) and (hk.q > 0) != (adr.q > 0)
        if chosen == 0 or not both or not pair.replaceable():
            return False
        if chosen == 1:
            return True
        long, short = (hk, adr) if hk.q > 0 else (adr, hk)
        trading = ZERO
        for leg in (long, short):
            step, half = self.printed[leg.symbol], self.last_half_spread(leg)
            quantity, price, rate = -leg.q, self.last_of(leg), self.fx[t][leg.currency]
            impact = self.impact(step, leg, abs(quantity), half)
            if impact is None:
                return False  # CHOICE: the trade will be refused, and say why
            worse = half + impact
            notional = abs(quantity) * price * (1 - worse if leg is long else 1 + worse)
            trading += abs(quantity) * price * worse * rate
            trading += sum(self.fees(step, leg, quantity, notional).values(), ZERO) * rate
            if leg is long and self.costs.fx_conversion != "never" and leg.currency != self.base:
                trading += decimal(self.costs.fx_spread) * notional * rate
        fee = self.depositary_fee(adr, adr.q) * self.fx[t][adr.currency]
        a_day = self.borrow_rate(t, short) / days_in_year(short.currency)
        days = decimal(self.costs.conversion_days) * CALENDAR_DAYS
        waiting = abs(short.q) * self.worth_of_one(t, short) * a_day * days
        return -fee - waiting > self.value_of_pair(t, pair) - trading

    def cut_to_initial_margin(self, t: int, equity: Decimal) -> None:
        """What was decided now is cut back, all by the same part, to what the initial requirement allows."""
        if self.costs.margin is None or self.same_step:
            return
        rates = self.costs.margin
        il, short_rate = decimal(rates.initial_long), decimal(rates.initial_short)
        wanted = kept = ZERO
        fresh: list[tuple[Line | Pair, Order, Decimal, Decimal, Decimal]] = []
        for line in self.lines:
            pair = self.pair_of(line)
            if pair is not None and not pair.gone and not pair.parked:
                continue  # below, as a pair
            if self.last[line.symbol] is None:
                continue
            worth = self.worth_of_one(t, line)
            order = None if line.gone or pair is not None else line.order
            if order is not None and order.forced:
                order = None
            want = line.q if order is None else order.goal
            keep = want
            if order is not None and order.decided == t:
                keep = kept_of(line.q, want)
                fresh.append((line, order, want, keep, worth))
            wanted += abs(want) * worth * (il if want > 0 else short_rate)
            kept += abs(keep) * worth * (il if keep > 0 else short_rate)
        for pair in self.pairs:
            if pair.gone or pair.parked or self.last[pair.hk.symbol] is None:
                continue
            ratio = pair.ratio[t]
            worth = worth_other = self.worth_of_one(t, pair.hk)
            if ratio is not None and self.last[pair.adr.symbol] is not None:
                worth_other = self.worth_of_one(t, pair.adr) / ratio
            order = pair.queued
            if order is None and pair.replaceable():
                order = pair.order
            hedging = pair.led is not None and not pair.led.forced and pair.unwind is None
            if order is not None:
                want = order.goal
            # CHOICE: where the ratio is not known the shares held stand for those to come
            elif hedging and pair.lead is pair.adr and ratio is not None:
                want = -pair.adr.q * ratio
            else:
                want = pair.hk.q
            keep = want
            if order is not None and order.decided == t:
                keep = kept_of(pair.hk.q, want)
                fresh.append((pair, order, want, keep, worth))
            long_first = worth * il + worth_other * short_rate
            short_first = worth * short_rate + worth_other * il
            wanted += abs(want) * (long_first if want > 0 else short_first)
            kept += abs(keep) * (long_first if keep > 0 else short_first)
        # CHOICE: a requirement above equity by no more than rounding leaves is met, as in `check_margin`
        if not fresh or wanted <= equity * (1 + SLACK) or wanted <= kept * (1 + SLACK):
            return
        part = (equity - kept) / (wanted - kept)
        part = part if part > SLACK else ZERO  # what rounding leaves of nothing is nothing
        for holder, order, want, keep, worth in fresh:
            if abs(want) > abs(keep):
                order.goal = keep + part * (want - keep)
                holder.target = order.goal * worth / equity
                symbol = holder.adr.symbol if isinstance(holder, Pair) else holder.symbol
                self.drop(t, symbol, t, "margin")

    def shares(self, t: int, line: Line, weight: Decimal, equity: Decimal) -> Decimal | None:
        last = self.last[line.symbol]
        if weight == 0:
            return ZERO  # getting out needs no price
        if last is None:
            return None
        return weight * equity / (last * self.fx[t][line.currency])

    # -- small words -----------------------------------------------------------------------------------------

    def last_of(self, line: Line) -> Decimal:
        if line.parity is not None:
            return line.parity_mark
        last = self.last[line.symbol]
        assert last is not None, f"{line.symbol} is held without ever having had a price"
        return last

    def worth_of_one(self, t: int, line: Line) -> Decimal:
        """What one share is worth in the base currency."""
        return self.last_of(line) * self.fx[t][line.currency]

    def pair_of(self, line: Line) -> Pair | None:
        for pair in self.pairs:
            if line is pair.hk or line is pair.adr:
                return pair
        return None

    def book(self, t: int, source: str, instrument: str, amount: Decimal) -> None:
        amounts = self.result.contributions.setdefault((source, instrument), [ZERO] * self.T)
        amounts[t] += amount

    def drop(self, t: int, symbol: str, decided: int, reason: str) -> None:
        self.result.dropped.append({"step": t, "symbol": symbol, "decided_step": decided, "reason": reason})


def goes_as_far(goal: Decimal, limit: Decimal) -> bool:
    """Whether an order leaves no more than a limit, on the same side."""
    return goal == 0 or (goal * limit > 0 and abs(goal) <= abs(limit))


def reduces(goal: Decimal, held: Decimal) -> bool:
    """Whether a goal is less than what is held or already ordered, on the same side."""
    return goal == 0 or (goal * held > 0 and abs(goal) < abs(held) * (1 - SLACK))


def kept_of(held: Decimal, goal: Decimal) -> Decimal:
    """The part of a goal that is already held."""
    return min(abs(held), abs(goal)).copy_sign(goal) if held * goal > 0 else ZERO


def trailing(
    values: Sequence[Decimal | None], count: int, of: Callable[[list[Decimal]], Decimal]
) -> Decimal | None:
    """Something of the last so many known values; None where the last 3 * count do not hold so many."""
    known = [value for value in values[-3 * count :] if value is not None]
    return of(known[-count:]) if len(known) >= count else None


def root_mean_square(values: list[Decimal]) -> Decimal:
    return (sum((x * x for x in values), ZERO) / len(values)).sqrt()


def middle(values: list[Decimal]) -> Decimal:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


# The dated schedules, read a year at a time: row d is the d-th day of the year.


def days_of(year: int) -> pd.DatetimeIndex:
    return pd.date_range(f"{year}-01-01", f"{year}-12-31")


@lru_cache
def fees_of_year(fee_class: str, year: int) -> schedules.FeeTable:
    return schedules.fee_table(fee_class, days_of(year))


@lru_cache
def settlement_of_year(venue: str, year: int) -> list[int]:
    return [int(n) for n in schedules.settlement_days(venue, days_of(year))]


@lru_cache
def policy_of_year(currency: str, year: int) -> list[Decimal]:
    return [decimal(rate) for rate in schedules.policy_rate(currency, days_of(year))]


@lru_cache
def borrow_table() -> pd.DataFrame:
    return schedules.borrow_table()


def days_in_year(currency: str) -> int:
    # CHOICE: of cash, rebate and borrow alike: 360 for USD, 365 for HKD and every other currency.
    return 360 if currency == "USD" else 365


def number(value: Any) -> Decimal | None:
    """A number of a frame; None where it is missing."""
    return None if value is None or pd.isna(value) else decimal(value)


def rate_of_date(given: Any, session: pd.Timestamp) -> Decimal | None:
    """A number for all dates, or the last row of a series dated at or before a session; None before it."""
    if not isinstance(given, pd.Series):
        return decimal(given)
    rate = None
    for date, value in given.items():
        if date <= session:
            rate = decimal(value)
    return rate


def named_rate(given: float | Mapping[str, float] | None, symbol: str) -> Decimal | None:
    """A cost given for all lines or by symbol; None: the default holds."""
    # CHOICE: a symbol the mapping does not name keeps its default.
    if given is None:
        return None
    if isinstance(given, Mapping):
        return decimal(given[symbol]) if symbol in given else None
    return decimal(given)


def rounded(amount: Decimal, unit: Decimal, *, up: bool) -> Decimal:
    """The amount in whole units, nearest (a half goes up) or up."""
    units = amount / unit
    if up:
        return (units - SLACK).to_integral_value(ROUND_CEILING) * unit
    # CHOICE: a half, and what is a half but for binary noise, goes up.
    return (units + Decimal("0.5") + SLACK).to_integral_value(ROUND_FLOOR) * unit
