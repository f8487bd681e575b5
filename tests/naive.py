"""The clock, read aloud: a slow and obvious ledger that the engine's kernel must agree with.

One step, one line, one order at a time, in decimal arithmetic of 50 digits and in the order of the clock.
Nothing here is clever and nothing is shared with the kernel but the market, the fee schedule and the
specification. Comments marked CHOICE settle what the specification leaves open.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from typing import Any

import pandas as pd

from entrepot.errors import EntrepotError
from entrepot.markets import fees as schedules
from entrepot.markets.market import Market

ZERO, ONE = Decimal(0), Decimal(1)
SLACK = Decimal("1e-9")  # of a unit: binary noise must not cost a dollar, a lot or an odd fill
NS_PER_DAY = Decimal(86_400 * 10**9)
DIGITS = 50
PATIENCE_SESSIONS = 3  # an order unfilled for so many sessions of its venue expires
HEDGE_SESSIONS = 2  # a hedge unfilled for so many sessions of its venue is given up
SILENT_SESSIONS = 5  # a line to be delisted that printed nothing for so many sessions is converted early
BUY, SELL = 0, 1


def decimal(number: Any) -> Decimal:
    """The number as it is written: 0.1 is one tenth, not the binary fraction nearest to it."""
    return Decimal(repr(float(number)))


def finite(number: Any) -> bool:
    return math.isfinite(float(number))


def nothing(quantity: Decimal) -> bool:
    """Whether a quantity is no trade at all but what rounding leaves of one."""
    return abs(quantity) < SLACK


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
    borrow_rate: Decimal
    pair: str = ""  # the pair's ADR symbol
    q: Decimal = ZERO
    order: Order | None = None  # singles: the pending order; legs: only a forced order to get out
    target: Decimal | None = None  # the standing weight, for the drift rule
    gone: bool = False  # delisted


@dataclass
class Pair:
    """Two legs in equal ordinary shares, and where their one order stands."""

    hk: Line
    adr: Line
    ratio: list[Decimal | None]  # by step, see `ratio_held`
    order: Order | None = None  # goal in Hong Kong shares, no leg filled yet
    waiting: Order | None = None  # arrived while a hedge or an unwind was outstanding
    lead: Line | None = None  # the leg that has filled while the other has not: a hedge is outstanding
    decided: int = -1  # decision of the order whose hedge or unwind is outstanding
    given_up: int | None = None  # last step at which the hedge may fill
    unwind: Order | None = None  # the hedge was missed: the lead goes back; goal is computed at the fill
    target: Decimal | None = None
    gone: bool = False

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
) -> NaiveRun:
    """Run the clock over a market.

    Args:
        market: what can be traded.
        targets: anything with the attributes of `Targets`.
        costs: anything with the attributes of `Costs`.
        capital: in the base currency, all cash at the first step.
        base_currency: of equity and contributions.
        fill: "next_step", or "same_step" for comparisons with other engines.
        states: one integer per step, for ``costs.no_borrow_states``.

    Raises:
        EntrepotError: on unusable exchange rates, orders for an index, linked targets with "same_step", and a
            position in a line that leaves the market with nothing to convert into.
    """
    with localcontext() as context:
        context.prec = DIGITS
        return Clock(market, targets, costs, capital, base_currency, fill, states).run()


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
    ) -> None:
        if fill not in ("next_step", "same_step"):
            raise EntrepotError(f"fill={fill!r} is not known: use 'next_step' or 'same_step'")
        self.market, self.targets, self.costs = market, targets, costs
        self.base = base_currency
        self.same_step = fill == "same_step"
        self.states = states
        self.T = len(market.grid)
        self.symbols = [str(s) for s in market.price.columns]

        self.read_grid()
        self.read_prices()
        self.read_rates()
        self.make_lines()
        self.read_actions()
        self.read_fees()
        self.refuse_impossible_targets()

        self.cash: dict[str, Decimal] = dict.fromkeys(self.currencies, ZERO)
        self.cash[self.base] = decimal(capital)
        self.receivable: dict[str, Decimal] = dict.fromkeys(self.currencies, ZERO)
        self.receivable_due: list[tuple[int | None, str, Decimal]] = []  # (pay step, currency, amount)
        self.unsettled: list[tuple[int | None, str, Decimal]] = []  # (settlement step, currency, amount)
        self.last: dict[str, Decimal | None] = dict.fromkeys(self.symbols)
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
        given: Mapping[str, float] | None = self.costs.cash_rate_pa
        one_venue_only = set(self.market.instruments["venue"]) == {"XONE"}
        self.cash_rate: dict[str, list[Decimal]] = {}
        self.rate_known: set[str] = set(given or {})  # a rebate lies below a rate that is known, or is none
        for currency in self.currencies:
            # CHOICE: a currency the given mapping does not name keeps its default.
            if given is not None and currency in given:
                rates_pa = [decimal(given[currency])] * self.T
            elif currency in ("USD", "HKD") and not one_venue_only:
                rates_pa = [policy_of_year(currency, s.year)[s.day_of_year - 1] for s in self.session]
                self.rate_known.add(currency)
            else:
                rates_pa = [ZERO] * self.T
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
            borrow_rate=self.borrow_rate(row),
            pair=pair,
        )

    def borrow_rate(self, row: pd.Series) -> Decimal:
        given = self.costs.borrow_rate_pa
        venue = str(row["venue"])
        rate = named_rate(given, str(row.name))
        if rate is None and venue == "XONE":
            rate = ZERO
        elif rate is None:
            rate = decimal(borrow_table().loc["hk" if venue == "XHKG" else str(row["size"]), "calm"])
        return rate * decimal(self.costs.borrow_multiplier)

    def ratio_held(self, hk: str, adr: str) -> list[Decimal | None]:
        """Ordinary shares per ADS at every step, in the units in which both lines are held at that step.

        CHOICE: a split or a new ratio dated D reaches the Hong Kong line at Hong Kong's open of D and the ADS
        hours later, at New York's. In between the shares held must still be compared with the ADS held. So
        the ratio in force is that of the last New York session begun, times the Hong Kong splits that have
        taken effect and are dated after that session. Looking the ratio up by the step's own session date
        instead would hedge 100 ADS led at the close before a 5:1 split with a fifth of the shares.
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
                    if step is not None and step <= t and ex_date > date:
                        ratio *= factor
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
            if step is not None:
                self.splits[step].append((str(row.symbol), decimal(row.factor)))
        self.dividends: dict[int, list[tuple[str, Decimal, int | None]]] = defaultdict(list)
        for row in self.market.dividends.itertuples():
            symbol = str(row.symbol)
            step = self.effective_step(symbol, row.ex_date)
            if step is None or self.single[symbol].total_return:
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
                self.departures[step].append((str(row.symbol), str(row.into), ratio))

    def departure_step(self, symbol: str, last_session: pd.Timestamp) -> int:
        """The step after the line's last session, or after its fifth silent one where that comes first.

        CHOICE: silence counts from the line's first print, and a session is silent when none of its steps has
        a price. A last session before the grid's first means that the line is gone from the first step.
        """
        venue = str(self.market.instruments.loc[symbol, "venue"])
        step, silent, printed_ever = 0, 0, False
        for session, first, last in self.sessions.get(venue, []):
            if session > last_session:
                break
            step = last + 1
            steps = [t for t in range(first, last + 1) if self.venue[t] == venue and t < self.T]
            if any(self.price[t][symbol] is not None for t in steps):
                printed_ever, silent = True, 0
            elif printed_ever:
                silent += 1
                if silent == SILENT_SESSIONS:
                    break
        return step

    def read_fees(self) -> None:
        """The dated schedules: fees of every class by session, sessions to settlement, ticks by step."""
        classes = {line.fee_class for line in self.single.values()} - {"none"}
        years = sorted({session.year for session in self.session})
        self.fee_tables = {c: {y: fees_of_year(c, y) for y in years} for c in classes if self.costs.statutory}
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
            self.accrue(t)
            self.act(t)
            self.mark(t)
            if self.same_step:
                self.decide(t, self.worth(t))
                self.fill(t)
                self.drop_what_did_not_fill_at_once(t)
                self.record(t)
            else:
                self.fill(t)
                self.expire(t)
                self.record(t)
                self.decide(t, self.result.equity[t])
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
                    borrow = value * line.borrow_rate * days / year
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
                    self.convert(t, line, into, ratio)

    def split(self, symbol: str, factor: Decimal) -> None:
        last = self.last[symbol]
        if last is not None:
            self.last[symbol] = last / factor
        for line in self.lines:
            if line.symbol == symbol:
                line.q *= factor
                if line.order is not None:
                    line.order.goal *= factor
        for pair in self.pairs:
            if pair.hk.symbol == symbol:  # a pair's goal counts Hong Kong shares
                for order in (pair.order, pair.waiting):
                    if order is not None:
                        order.goal *= factor

    def pay_dividend(self, t: int, symbol: str, amount: Decimal, pays: int | None) -> None:
        for line in self.lines:
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

    def convert(self, t: int, line: Line, into: str, ratio: Decimal | None) -> None:
        """The line leaves the market; what is held of it becomes shares in Hong Kong."""
        pair = self.pair_of(line)
        heir = self.single.get(into)
        if pair is not None:
            heir = pair.hk if line is pair.adr else None
        if line.q != 0:
            if heir is None or heir.gone or ratio is None or not into:
                raise EntrepotError(
                    f"{line.symbol} leaves the market at {self.time[t]} while {line.q} are held and there is "
                    "no Hong Kong line to convert into: add that line or close the position before"
                )
            # CHOICE: a Hong Kong line that has never printed cannot value what it receives: refused as well.
            if self.last[heir.symbol] is None:
                raise EntrepotError(f"{line.symbol} converts into {heir.symbol}, which has no price yet")
            shares = line.q * ratio
            before = self.fx[t - 1]
            change = (
                shares * self.last_of(heir) * before[heir.currency]
                - line.q * self.last_of(line) * before[line.currency]
            )
            fee = ZERO
            # CHOICE: the depositary charges ADSs only; other lines that leave convert for nothing.
            if line.kind == "ads" and line.raw:
                hundreds = (abs(line.q) / 100 - SLACK).to_integral_value(ROUND_CEILING)
                fee = hundreds * 100 * decimal(self.costs.ads_conversion_fee)
            heir.q += shares
            if pair is None and heir.q < -SLACK and not heir.shortable:
                heir.order = Order(ZERO, t, None, forced=True)  # nobody lends that line: bought in
            line.q = ZERO
            self.cash[line.currency] -= fee
            self.book(t, "conversion", line.symbol, change)
            self.book(t, "conversion_fee", line.symbol, -fee * self.fx[t][line.currency])
        line.gone = True
        if pair is None:
            if line.order is not None:
                self.drop(t, line.symbol, line.order.decided, "delisted")
            line.order = line.target = None
            return
        # CHOICE: everything the pair still had to do is dropped, a row each under the ADR's symbol, except an
        # unwind, whose row was written when the hedge was given up.
        if not pair.gone:
            if pair.order is not None:
                self.drop(t, pair.adr.symbol, pair.order.decided, "delisted")
            if pair.lead is not None and pair.unwind is None:
                self.drop(t, pair.adr.symbol, pair.decided, "delisted")
            if pair.waiting is not None:
                self.drop(t, pair.adr.symbol, pair.waiting.decided, "delisted")
        pair.gone = True
        pair.order = pair.waiting = pair.unwind = pair.lead = pair.target = pair.given_up = None
        line.order = None
        left = pair.other(line)
        if not nothing(left.q) and not left.gone:
            left.order = Order(ZERO, t, None)

    # 3. mark ------------------------------------------------------------------------------------------------

    def mark(self, t: int) -> None:
        """Every position at its last price, every currency at its last rate, and what that changed."""
        for symbol in self.symbols:
            now, before = self.price[t][symbol], self.last[symbol]
            if now is not None:
                self.last[symbol] = now
            for line in self.lines:
                if line.symbol != symbol or line.q == 0 or t == 0:
                    continue
                assert before is not None
                after = self.last_of(line)
                rate, rate_before = self.fx[t][line.currency], self.fx[t - 1][line.currency]
                self.book(t, "price", symbol, line.q * (after - before) * rate_before)
                self.book(t, "fx", symbol, line.q * after * (rate - rate_before))

    # 4. fill ------------------------------------------------------------------------------------------------

    def fill(self, t: int) -> None:
        # forced orders first: what a delisting left, and the unwinding of leads whose hedge was missed
        for pair in self.pairs:
            for leg in (pair.hk, pair.adr):
                if leg.order is not None and leg.order.decided < t and self.tradable[t][leg.column]:
                    self.fill_whole(t, leg, ZERO, "forced", leg.order.decided)
                    leg.order = None
            if pair.unwind is not None and pair.unwind.decided < t:
                assert pair.lead is not None
                if self.tradable[t][pair.lead.column]:
                    goal = pair.goal_of(pair.lead, t)
                    self.fill_whole(t, pair.lead, goal, "unwind", pair.unwind.decided)
                    pair.unwind = pair.lead = pair.given_up = None
        # then the lines in order
        for line in self.single.values():
            if line.order is not None and self.tradable[t][line.column]:
                if line.order.forced and line.order.decided == t:
                    continue
                self.fill_single(t, line)
        for pair in self.pairs:
            if pair.lead is not None and pair.unwind is None:
                self.fill_hedge(t, pair)
            elif pair.lead is None and pair.order is not None:
                self.fill_lead(t, pair)
        # CHOICE: a target that waited for a hedge or an unwind may lead from the next step on, not at this
        for pair in self.pairs:
            if pair.lead is None and pair.waiting is not None:
                pair.order, pair.waiting = pair.waiting, None

    def fill_single(self, t: int, line: Line) -> None:
        assert line.order is not None
        goal, decided, forced = line.order.goal, line.order.decided, line.order.forced
        line.order = None
        quantity = goal - line.q
        if goal != 0:
            quantity = whole_units(quantity, line.lot)
        quantity, cut = self.cut_at_zero(t, line, quantity)
        if cut:
            self.drop(t, line.symbol, decided, "no_borrow")
        if not nothing(quantity):
            self.trade(t, line, quantity, "forced" if forced else "target", decided)

    def fill_whole(self, t: int, line: Line, goal: Decimal, reason: str, decided: int) -> None:
        """A forced order: no lots."""
        # CHOICE: where it would open or increase a short without borrow it is cut at zero and recorded.
        quantity, cut = self.cut_at_zero(t, line, goal - line.q)
        if cut:
            self.drop(t, line.pair, decided, "no_borrow")
        if not nothing(quantity):
            self.trade(t, line, quantity, reason, decided)

    def cut_at_zero(self, t: int, line: Line, quantity: Decimal) -> tuple[Decimal, bool]:
        """A sale stops at zero where nothing can be borrowed to go further."""
        after = line.q + quantity
        if nothing(quantity) or quantity > 0 or after >= 0 or self.can_borrow(t, line):
            return quantity, False
        return -max(line.q, ZERO), True

    def can_borrow(self, t: int, line: Line) -> bool:
        if not line.shortable:
            return False
        return self.states is None or int(self.states[t]) not in self.costs.no_borrow_states

    def fill_lead(self, t: int, pair: Pair) -> None:
        """The leg whose venue comes first; Hong Kong where both could."""
        for leg in (pair.hk, pair.adr):
            if not self.may_lead(t, pair, leg):
                continue
            order, ratio = pair.order, pair.ratio[t]
            assert order is not None
            assert ratio is not None
            unit = pair_unit(pair.hk.lot, pair.adr.lot, ratio)
            if leg is pair.hk:
                quantity = order.goal - leg.q
                if order.goal != 0:
                    quantity = whole_units(quantity, unit)
                hk_after = leg.q + quantity
                adr_after = -hk_after / ratio
            else:
                quantity = -order.goal / ratio - leg.q
                if order.goal != 0:
                    quantity = whole_units(quantity * ratio, unit) / ratio
                adr_after = leg.q + quantity
                hk_after = -adr_after * ratio
            if nothing(quantity):
                # CHOICE: nothing to lead with. The order is done, unless it says "get out" and the other leg
                # still holds something: then it is left to that leg to lead.
                if order.goal != 0 or nothing(pair.other(leg).q):
                    pair.order = None
                    return
                continue
            # CHOICE: without borrow for either leg both wait; nothing is recorded before the order expires.
            if not self.borrow_allows(t, pair.hk, hk_after):
                continue
            if not self.borrow_allows(t, pair.adr, adr_after):
                continue
            self.trade(t, leg, quantity, "lead", order.decided)
            pair.lead, pair.decided, pair.order = leg, order.decided, None
            pair.given_up = self.last_step_of_session(pair.other(leg).venue, t, HEDGE_SESSIONS)
            return

    def may_lead(self, t: int, pair: Pair, leg: Line) -> bool:
        other = pair.other(leg)
        if not self.tradable[t][leg.column] or self.halted[t][other.column] or pair.ratio[t] is None:
            return False
        for step in range(t + 1, len(self.venue)):
            if self.venue[step] == other.venue:
                hours = Decimal(self.ns[step] - self.ns[t]) / (NS_PER_DAY / 24)
                return hours <= decimal(self.costs.max_leg_gap_hours)
        return False  # CHOICE: where the calendar ends before the partner's next step, nobody leads

    def borrow_allows(self, t: int, leg: Line, after: Decimal) -> bool:
        shorter = min(after, ZERO) < min(leg.q, ZERO) - SLACK
        return not shorter or self.can_borrow(t, leg)

    def fill_hedge(self, t: int, pair: Pair) -> None:
        """The other leg follows what the lead filled, at the ratio of the step at which it trades."""
        assert pair.lead is not None
        leg = pair.other(pair.lead)
        if not self.tradable[t][leg.column]:
            return
        # CHOICE: the goal is computed when the hedge trades, from the lead's shares as they then are.
        goal = pair.goal_of(leg, t)
        if not self.borrow_allows(t, leg, goal):
            return
        quantity = goal - leg.q
        if not nothing(quantity):
            self.trade(t, leg, quantity, "hedge", pair.decided)
        pair.lead = pair.given_up = None

    def trade(self, t: int, line: Line, quantity: Decimal, reason: str, decided: int) -> None:
        """Shares against cash, at this step's price worsened by half the spread, with this date's fees."""
        price, rate = self.price[t][line.symbol], self.fx[t][line.currency]
        assert price is not None
        spread = self.half_spread(t, line, price)
        fill_price = price * (1 + spread) if quantity > 0 else price * (1 - spread)
        notional = abs(quantity) * fill_price
        kinds = self.fees(t, line, quantity, notional)
        fees = sum(kinds.values(), ZERO)

        before, after = line.q, line.q + quantity
        line.q = after
        long_flow = -(max(after, ZERO) - max(before, ZERO)) * fill_price
        short_flow = -(min(after, ZERO) - min(before, ZERO)) * fill_price
        due = self.settlement_step(t)
        self.cash[line.currency] += short_flow
        if line.currency == self.base or self.costs.fx_conversion == "never":
            self.cash[line.currency] += long_flow - fees
            self.settle_later(t, due, line.currency, long_flow - fees)
        else:
            exchanged = (long_flow - fees) * rate
            fx_cost = decimal(self.costs.fx_spread) * abs(exchanged)
            self.cash[self.base] += exchanged - fx_cost
            self.settle_later(t, due, self.base, exchanged - fx_cost)
            self.book(t, "fx_spread", line.symbol, -fx_cost)

        slippage = abs(quantity) * abs(fill_price - price)
        self.book(t, "slippage", line.symbol, -slippage * rate)
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

    def fees(self, t: int, line: Line, quantity: Decimal, notional: Decimal) -> dict[str, Decimal]:
        """The fees of one order by kind, local currency."""
        side = BUY if quantity > 0 else SELL
        amounts: dict[str, Decimal] = {}
        if line.fee_class in self.fee_tables:
            table = self.fee_tables[line.fee_class][self.session[t].year]
            d = self.session[t].day_of_year - 1
            for k, kind in enumerate(table.kinds):
                amount = decimal(table.rate[d, k, side]) * notional
                if line.raw:
                    amount += decimal(table.per_share[d, k, side]) * abs(quantity)
                if line.raw and self.costs.exact_fees:
                    amount = max(amount, decimal(table.minimum[d, k, side]))
                    if finite(table.maximum[d, k, side]):
                        amount = min(amount, decimal(table.maximum[d, k, side]))
                    unit = decimal(table.unit[d, k, side])
                    if unit != 0:
                        amount = rounded(amount, unit, up=bool(table.up[d, k, side]))
                amounts[str(kind)] = amount
        if self.costs.fee_bps != 0:
            amounts["flat_fee"] = decimal(self.costs.fee_bps) / 10_000 * notional
        return amounts

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
                self.drop(t, pair.adr.symbol, pair.decided, "unwound")
                pair.unwind = Order(ZERO, t, None)
            # CHOICE: an order that waits for a hedge expires like any other, counted from its own decision.
            if pair.order is not None and pair.order.expiry is not None and pair.order.expiry <= t:
                self.drop(t, pair.adr.symbol, pair.order.decided, "expired")
                pair.order = None
            if pair.waiting is not None and pair.waiting.expiry is not None and pair.waiting.expiry <= t:
                self.drop(t, pair.adr.symbol, pair.waiting.decided, "expired")
                pair.waiting = None

    def last_step_of_session(self, venue: str, t: int, number: int) -> int | None:
        """The last step of the venue's n-th session that has a step after t; None: beyond the calendar."""
        seen = 0
        for _, _, last in self.sessions.get(venue, []):
            if last > t:
                seen += 1
                if seen == number:
                    return last
        return None

    def drop_what_did_not_fill_at_once(self, t: int) -> None:
        """Filling at the deciding step leaves nothing pending: CHOICE: the rest is recorded as expired."""
        for line in self.single.values():
            if line.order is not None and not line.order.forced:
                self.drop(t, line.symbol, line.order.decided, "expired")
                line.order = None

    # 5. record ----------------------------------------------------------------------------------------------

    def worth(self, t: int) -> Decimal:
        value = ZERO
        for currency in self.currencies:
            value += (self.cash[currency] + self.receivable[currency]) * self.fx[t][currency]
        for line in self.lines:
            if line.q != 0:
                value += line.q * self.last_of(line) * self.fx[t][line.currency]
        return value

    def record(self, t: int) -> None:
        run = self.result
        run.equity.append(self.worth(t))
        for currency in self.currencies:
            run.cash.setdefault(currency, []).append(self.cash[currency])
            run.receivables.setdefault(currency, []).append(self.receivable[currency])
        for symbol in self.symbols:
            held = sum((line.q for line in self.lines if line.symbol == symbol), ZERO)
            run.positions.setdefault(symbol, []).append(held)

    # 7. decide (6, margin, is not part of this clock yet) ---------------------------------------------------

    def decide(self, t: int, equity: Decimal) -> None:
        if equity <= 0:
            return  # nothing to weigh targets by
        for line in self.single.values():
            weight = self.targets.weights[t, line.column]
            if line.gone:
                if finite(weight) and weight != 0:
                    self.drop(t, line.symbol, t, "delisted")
                continue
            if finite(weight):
                self.decide_single(t, line, decimal(weight), equity)
            # CHOICE: with same_step a drifted line is only looked at when it can trade.
            elif self.same_step and not self.tradable[t][line.column]:
                continue
            elif line.order is None and self.drifted(t, line, line.target, equity):
                assert line.target is not None
                self.decide_single(t, line, line.target, equity)
        for i, pair in enumerate(self.pairs):
            weight = self.targets.pair_weights[t, i]
            if pair.gone:
                if finite(weight) and weight != 0:
                    self.drop(t, pair.adr.symbol, t, "delisted")
                continue
            if finite(weight):
                self.decide_pair(t, pair, decimal(weight), equity)
            elif pair.order is not None or pair.lead is not None or pair.waiting is not None:
                continue
            elif self.drifted(t, pair.hk, pair.target, equity):
                assert pair.target is not None
                self.decide_pair(t, pair, pair.target, equity)

    def drifted(self, t: int, line: Line, target: Decimal | None, equity: Decimal) -> bool:
        band = float(self.targets.drift_band)
        if not self.decides[t] or target is None or not math.isfinite(band):
            return False
        last = self.last[line.symbol]
        if last is None or equity == 0:
            return False
        weight = line.q * last * self.fx[t][line.currency] / equity
        return abs(weight - target) > decimal(band) * abs(target)

    def decide_single(self, t: int, line: Line, weight: Decimal, equity: Decimal) -> None:
        if weight == 0 and nothing(line.q):
            line.order, line.target = None, ZERO
            return
        goal = self.shares(t, line, weight, equity)
        if goal is None:
            # CHOICE: an unpriced target replaces nothing; "forgets the standing target" is read literally.
            self.drop(t, line.symbol, t, "unpriced")
            line.target = None
            return
        line.order = Order(goal, t, self.last_step_of_session(line.venue, t, PATIENCE_SESSIONS))
        line.target = weight

    def decide_pair(self, t: int, pair: Pair, weight: Decimal, equity: Decimal) -> None:
        if weight == 0 and nothing(pair.hk.q) and nothing(pair.adr.q) and pair.lead is None:
            pair.order, pair.target = None, ZERO
            return
        goal = self.shares(t, pair.hk, weight, equity)
        if goal is None:
            self.drop(t, pair.adr.symbol, t, "unpriced")
            pair.target = None
            return
        ends = [self.last_step_of_session(leg.venue, t, PATIENCE_SESSIONS) for leg in (pair.hk, pair.adr)]
        expiry = None if None in ends else max(end for end in ends if end is not None)
        order = Order(goal, t, expiry)
        if pair.lead is not None:
            pair.waiting = order
        else:
            pair.order = order
        pair.target = weight

    def shares(self, t: int, line: Line, weight: Decimal, equity: Decimal) -> Decimal | None:
        last = self.last[line.symbol]
        if weight == 0:
            return ZERO  # getting out needs no price
        if last is None:
            return None
        return weight * equity / (last * self.fx[t][line.currency])

    # -- small words -----------------------------------------------------------------------------------------

    def last_of(self, line: Line) -> Decimal:
        last = self.last[line.symbol]
        assert last is not None, f"{line.symbol} is held without ever having had a price"
        return last

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
