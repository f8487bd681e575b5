"""What trading and holding cost: every number an input, every default the design's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from entrepot.errors import ParameterError, is_number, is_whole, shown
from entrepot.markets.fees import HK_KINDS, US_KINDS
from entrepot.markets.volume import SESSIONS, check_sessions

SWITCHES = ("dated_fees", "exact_fees", "lots", "short_sale_rules")
CHOICES = {
    "fx_conversion": ("on_fill", "daily", "never"),
    "delisting": ("convert", "cash", "mark"),
    "delisted_shorts": ("move", "buy_in"),
}
# The numbers and what they stay below: a fee of the whole amount is a misplaced decimal point.
AMOUNTS = {
    "half_spread_bps": 10_000.0,
    "fee_bps": 10_000.0,
    "borrow_rate_pa": 1.0,
    "borrow_multiplier": 1_000.0,
    "max_fill_shares": float("inf"),
    "impact": 100.0,
    "impact_volume": float("inf"),
    "rebate_spread_pa": 1.0,
    "debit_spread_pa": 1.0,
    "fx_spread": 1.0,
    "ads_service_fee_pa": 100.0,
    "ads_dividend_fee": 100.0,
    "ads_conversion_fee": 100.0,
    "max_leg_gap_hours": float("inf"),
}
# What else to say of a number that is too large, where one mistake is the usual one.
INSTEAD = {
    "borrow_rate_pa": (
        ", such as 0.05 for 5 % a year; a dearer loan is borrow_multiplier times a rate below 1"
    ),
}
# In basis points; less than a hundredth of one is a fraction taken for basis points.
IN_BPS = ("half_spread_bps", "fee_bps")
LEAST_BPS = 0.01
BY_SYMBOL = ("half_spread_bps", "borrow_rate_pa", "max_fill_shares", "impact_volume")
BY_DATE = ("borrow_rate_pa", "max_fill_shares", "impact_volume")
STATES = ("stress_states", "no_borrow_states", "recall_states")
AVAILABILITY = ("available", "no_new", "recall")
FEES_OF_VENUE = {"XHKG": tuple(HK_KINDS), "XNYS": tuple(US_KINDS)}


@dataclass(frozen=True)
class Fee:
    """One fee of an order: ``rate * notional + per_share * shares``, held between its bounds, then rounded.

    ``Fee()`` is no fee, and one with a minimum only is a fixed amount per order.

    Args:
        rate: fraction of the fill's value.
        per_share: local currency per share.
        minimum: local currency per order.
        maximum: local currency per order.
        unit: what the amount is rounded to a multiple of, local currency; 0 for no rounding.
        up: round up instead of to the nearest.
        side: who pays, ``"both"``, ``"buy"`` or ``"sell"``.

    Raises:
        ParameterError: on a negative number, a minimum above the maximum, or another side.
    """

    rate: float = 0.0
    per_share: float = 0.0
    minimum: float = 0.0
    maximum: float = float("inf")
    unit: float = 0.0
    up: bool = False
    side: Literal["both", "buy", "sell"] = "both"

    def __post_init__(self) -> None:
        for name, below in (("rate", 1.0), ("per_share", 1e6), ("minimum", 1e9), ("unit", 1e6)):
            _require_amount(name, getattr(self, name), below)
        if not is_number(self.maximum) or not self.maximum >= self.minimum:
            raise ParameterError(
                f"maximum is {shown(self.maximum)} and minimum {shown(self.minimum)}: give a maximum that is "
                "no less, or leave it out"
            )
        if not isinstance(self.up, bool):
            raise ParameterError(f"up is {shown(self.up)}: give True or False")
        if not isinstance(self.side, str) or self.side not in ("both", "buy", "sell"):
            raise ParameterError(f'side is {shown(self.side)}: give "both", "buy" or "sell"')


@dataclass(frozen=True)
class Margin:
    """What a position needs of equity, as fractions of its market value.

    The maintenance requirement is looked at once a day. Where equity is below it, every position is scaled
    down until the initial requirement is met; new orders are cut back to what the initial one allows.

    Args:
        initial_long: for a long position to be opened.
        initial_short: for a short position to be opened.
        maintenance_long: for a long position to be kept.
        maintenance_short: for a short position to be kept.

    Raises:
        ParameterError: on a number outside 0 to 10, or a maintenance requirement above the initial one.
    """

    initial_long: float
    initial_short: float
    maintenance_long: float
    maintenance_short: float

    def __post_init__(self) -> None:
        for item in fields(self):
            _require_amount(item.name, getattr(self, item.name), 10.0)
        for side in ("long", "short"):
            first, later = getattr(self, f"initial_{side}"), getattr(self, f"maintenance_{side}")
            if later > first:
                raise ParameterError(
                    f"maintenance_{side} is {later:g} and initial_{side} {first:g}: give a maintenance "
                    "requirement that is no higher than the initial one"
                )

    @classmethod
    def retail(cls) -> Margin:
        """Regulation T and the exchanges' minimum: 50 % to open, 25 % long and 30 % short to keep."""
        return cls(0.50, 0.50, 0.25, 0.30)

    @classmethod
    def institutional(cls) -> Margin:
        """A prime broker's: 20 % of gross to keep; 25 % to open is an estimate."""
        return cls(0.25, 0.25, 0.20, 0.20)


@dataclass(frozen=True, eq=False)
class Costs:
    """Costs of trading and holding. Rates ending in ``_pa`` are annual fractions.

    Numbers may be given for all lines or by symbol; what a mapping does not name keeps its default. A frame
    indexed by naive dates, symbols as columns, holds from each date to the next; NaN keeps the default.

        >>> import entrepot as ep
        >>> costs = ep.Costs.retail().with_(half_spread_bps=5.0, borrow_rate_pa={"BABA": 0.08})
        >>> market = ep.simulate_market("2024-01-02", "2024-06-28", symbols=["BABA", "9988.HK"])
        >>> dear, free = (ep.backtest(market, ep.LongHKShortADR(), costs=c) for c in (costs, ep.Costs.none()))
        >>> bool(dear.costs().sum() > 0 == free.costs().sum())
        True

    Args:
        half_spread_bps: half the bid-ask spread, one number or one per symbol, 0 or at least a hundredth of a
            basis point. None: in Hong Kong the larger of half a tick and 1 bp of the price, in New York 2 bp,
            on a market of one unnamed venue nothing.
        dated_fees: charge the dated schedule of duties, levies, exchange fees and brokerage of each venue.
        fees: fees that take the place of the schedule's on all dates, by venue and kind, such as
            ``{("XHKG", "brokerage"): Fee(rate=0.0002)}``; without ``dated_fees``, the only ones. A kind that
            a line does not pay, such as stamp duty on a fund, stays unpaid.
        exact_fees: apply each fee's minimum, maximum and rounding order by order. Off, only rates and
            amounts per share count. Lines whose prices are not raw never have minima or rounding.
        fee_bps: a flat fee on the value of every fill, on top, 0 or at least a hundredth of a basis point.
        borrow_rate_pa: fee on short value: a number, one per symbol, a dated frame, or a frame with integer
            states as columns and size buckets ("mega", "mid", "small", "hk") or symbols as rows, below 1
            each: 5 is no 5 %. None: by size of the company, calm or stressed.
        borrow_multiplier: scales every borrow rate, above 100 % a year too.
        stress_states: states in which the stressed borrow fees of the default table hold. None: the states
            the path calls stressed, none without a path.
        no_borrow_states: regime states in which no short may be opened or increased.
        recall_states: regime states in which shorts are recalled: bought in at the line's next step.
        availability: dated frame of "available", "no_new" (no short may be opened or increased) or
            "recall"; the stricter of it and the states holds.
        short_sale_rules: sell short only at a step whose price is above the one before: in Hong Kong always
            (the tick rule), in New York on the session of a fall of 10 % and the next one (Rule 201). Both
            rules are about quotes; this is what opens and closes can tell of them.
        max_fill_shares: most shares of one line filled in one step: a number, one per symbol or a dated
            frame, such as a tenth of each day's volume. What is left of an order waits.
        impact: Y of the square-root law: beside the half-spread a fill of q shares pays the fraction
            ``impact * sigma * sqrt(q / V)`` of its price, at most all of it. ``sigma`` is the line's
            `daily_volatility` and ``V`` its `average_volume`, both as known at the step; where they are not,
            a fill is refused. 0: none; 0.5 to 1 in the literature.
        impact_volume: ``V`` in shares a session instead of the market's volumes: a number, one per symbol or
            a dated frame.
        impact_sessions: how many sessions ``sigma`` and ``V`` are taken over.
        rebate_spread_pa: what the rebate on short value lies below the policy rate.
        debit_spread_pa: what a debit balance pays above the policy rate.
        cash_rate_pa: by currency, a number or a dated Series, instead of the policy rates of USD and HKD.
            Currencies without a policy rate on file, and markets of one unnamed venue, earn nothing unless
            given here.
        fx_spread: cost of a conversion as a fraction of the amount.
        fx_conversion: ``"on_fill"`` exchanges the long side of each fill and its fees into the base currency
            at once; ``"daily"`` exchanges every settled balance that is no collateral after the New York
            close; ``"never"`` lets balances stand, financed at their own currency's rate.
        ads_service_fee_pa: USD per ADS and year, paid by longs and, in lieu, by shorts.
        ads_dividend_fee: USD per ADS taken off each cash dividend of a long.
        ads_conversion_fee: USD per ADS made or cancelled, rounded up to 100 ADSs.
        conversion_days: sessions until a conversion by choice is delivered.
        delisting: what becomes of a position in a line that leaves: ``"convert"`` into the Hong Kong line,
            ``"cash"`` at the last price, or ``"mark"``: kept and valued at parity with the Hong Kong line.
        delisted_shorts: ``"move"`` treats shorts like longs; ``"buy_in"`` buys them back at the last price.
        margin: what positions need of equity; None: nothing.
        lots: trade whole board lots. Never on lines whose prices are not raw.
        max_leg_gap_hours: how far ahead the other leg's next step may lie for a first leg to be filled.

    Raises:
        ParameterError: naming the argument, on a number that is negative, not finite or so large that it is
            a mistake, and on anything of another kind.
    """

    half_spread_bps: float | Mapping[str, float] | None = None
    dated_fees: bool = True
    fees: Mapping[tuple[str, str], Fee] = field(default_factory=dict)
    exact_fees: bool = True
    fee_bps: float = 0.0
    borrow_rate_pa: float | Mapping[str, float] | pd.DataFrame | None = None
    borrow_multiplier: float = 1.0
    stress_states: frozenset[int] | None = None
    no_borrow_states: frozenset[int] = frozenset()
    recall_states: frozenset[int] = frozenset()
    availability: pd.DataFrame | None = None
    short_sale_rules: bool = False
    max_fill_shares: float | Mapping[str, float] | pd.DataFrame | None = None
    impact: float = 0.0
    impact_volume: float | Mapping[str, float] | pd.DataFrame | None = None
    impact_sessions: int = SESSIONS
    rebate_spread_pa: float = 0.005
    debit_spread_pa: float = 0.0
    cash_rate_pa: Mapping[str, float | pd.Series[Any]] | None = None
    fx_spread: float = 0.0001
    fx_conversion: Literal["on_fill", "daily", "never"] = "on_fill"
    ads_service_fee_pa: float = 0.02
    ads_dividend_fee: float = 0.02
    ads_conversion_fee: float = 0.05
    conversion_days: int = 2
    delisting: Literal["convert", "cash", "mark"] = "convert"
    delisted_shorts: Literal["move", "buy_in"] = "move"
    margin: Margin | None = field(default_factory=Margin.institutional)
    lots: bool = True
    max_leg_gap_hours: float = 24.0

    def __post_init__(self) -> None:
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ParameterError(f"{name} is {shown(getattr(self, name))}: give True or False")
        for name, allowed in CHOICES.items():
            given = getattr(self, name)
            if not isinstance(given, str) or given not in allowed:
                raise ParameterError(f"{name} is {shown(given)}: give {' or '.join(map(repr, allowed))}")
        if not is_whole(self.conversion_days) or not 1 <= self.conversion_days <= 60:
            raise ParameterError(
                f"conversion_days is {shown(self.conversion_days)}: give a whole number of sessions, 1 to 60"
            )
        check_sessions(self.impact_sessions, "impact_sessions")
        if self.margin is not None and not isinstance(self.margin, Margin):
            raise ParameterError(
                f"margin is {shown(self.margin)}: give Margin.retail(), Margin.institutional(), a Margin of "
                "your own, or None"
            )
        # What may be given in several forms, or changed later by its owner, is kept as a copy in one form.
        clean = {
            "availability": _availability(self.availability),
            "conversion_days": int(self.conversion_days),
            "impact_sessions": int(self.impact_sessions),
            "fees": _fees(self.fees),
            "cash_rate_pa": _cash_rates(self.cash_rate_pa),
            **{name: _amounts(name, getattr(self, name), below) for name, below in AMOUNTS.items()},
            **{name: _states(name, getattr(self, name)) for name in STATES},
        }
        _refuse_none(clean["impact_volume"])
        for name, value in clean.items():
            object.__setattr__(self, name, value)

    def with_(self, **changes: Any) -> Costs:
        """Return these costs with some of them replaced."""
        unknown = sorted(set(changes) - {item.name for item in fields(self)})
        if unknown:
            known = ", ".join(item.name for item in fields(self))
            raise ParameterError(f"Costs has no {', '.join(unknown)}: it has {known}")
        return replace(self, **changes)

    @classmethod
    def none(cls) -> Costs:
        """No cost of any kind, no interest, no margin and fractional shares: what most engines assume."""
        return cls.flat(0.0)

    @classmethod
    def flat(cls, fee_bps: float) -> Costs:
        """One proportional fee on every fill and nothing else, in fractional shares."""
        return cls(
            half_spread_bps=0.0,
            dated_fees=False,
            exact_fees=False,
            fee_bps=fee_bps,
            borrow_rate_pa=0.0,
            rebate_spread_pa=0.0,
            cash_rate_pa={"USD": 0.0, "HKD": 0.0},
            fx_spread=0.0,
            ads_service_fee_pa=0.0,
            ads_dividend_fee=0.0,
            ads_conversion_fee=0.0,
            margin=None,
            lots=False,
        )

    @classmethod
    def statutory(cls) -> Costs:
        """What law, exchanges and regulators take, and nothing else: the floor under any broker's prices.

        Stamp duty, levies, trading and settlement fees, Section 31 and the trading activity fee, in whole
        lots. No brokerage, spread, borrow fee, exchange spread, depositary fee or margin; cash, short
        proceeds and debit balances stand at the policy rates.
        """
        return cls(
            half_spread_bps=0.0,
            fees={("XHKG", "brokerage"): Fee(), ("XNYS", "brokerage"): Fee()},
            borrow_rate_pa=0.0,
            rebate_spread_pa=0.0,
            debit_spread_pa=0.0,
            fx_spread=0.0,
            ads_service_fee_pa=0.0,
            ads_dividend_fee=0.0,
            ads_conversion_fee=0.0,
            margin=None,
        )

    @classmethod
    def institutional(cls) -> Costs:
        """A prime broker's client.

        Brokerage of 2 bp in Hong Kong, where institutions pay 1 to 5, and US$0.0035 per share in New York,
        both without a minimum (estimate); currency exchanged for 0.75 bp, the middle of 0.5 to 1; a rebate
        50 bp below and debit balances 50 bp above the policy rate (estimates); margin of 20 % of gross to
        keep and 25 % to open (estimate).
        """
        return cls(
            fees={("XHKG", "brokerage"): Fee(rate=0.0002), ("XNYS", "brokerage"): Fee(per_share=0.0035)},
            rebate_spread_pa=0.005,
            debit_spread_pa=0.005,
            fx_spread=0.000075,
            margin=Margin.institutional(),
        )

    @classmethod
    def retail(cls) -> Costs:
        """A private client, at the dear end.

        Brokerage of 25 bp in Hong Kong, the most that is usual, and at least HK$100 (estimate), the
        schedule's in New York; currency exchanged for 20 bp; debit balances 1.5 % above the policy rate
        (estimate); Regulation T margin; short-sale rules. The rebate lies 2.6 % below the policy rate, the
        dollar's average of 2018 to 2025, so that short proceeds earn nothing over the years (estimate): it is
        -2.5 % at the rates of 2021 and 2.8 % at those of 2023.
        """
        return cls(
            fees={("XHKG", "brokerage"): Fee(rate=0.0025, minimum=100.0)},
            short_sale_rules=True,
            rebate_spread_pa=0.026,
            debit_spread_pa=0.015,
            fx_spread=0.002,
            margin=Margin.retail(),
        )


# -- what comes in -------------------------------------------------------------------------------------------


def is_dated(frame: pd.DataFrame | pd.Series[Any]) -> bool:
    """Whether the rows of a frame hold from dates on, rather than for names."""
    return isinstance(frame.index, pd.DatetimeIndex)


def _refuse_none(given: Any) -> None:
    """Refuse an average volume of 0: nothing could be traded against it."""
    values = given.to_numpy() if isinstance(given, pd.DataFrame) else given
    values = list(values.values()) if isinstance(values, dict) else values
    if given is not None and (np.asarray(values, dtype=np.float64) == 0.0).any():
        raise ParameterError("impact_volume holds 0: give shares above 0, or NaN in a dated frame")


def _require_amount(name: str, number: object, below: float, otherwise: str = "") -> None:
    if not is_number(number) or not 0.0 <= float(number) < below:
        limit = "" if np.isinf(below) else f" and below {below:,g}"
        raise ParameterError(f"{name} is {shown(number)}: give a number of at least 0{limit}{otherwise}")
    if name.split()[0] in IN_BPS and 0.0 < number < LEAST_BPS:
        raise ParameterError(
            f"{name} is {shown(number)}, less than any price has: give basis points, 2 for 0.0002, or 0"
        )


def _amounts(name: str, given: Any, below: float) -> float | dict[str, float] | pd.DataFrame | None:
    if name not in BY_SYMBOL:
        _require_amount(name, given, below)
    elif given is None:
        return None
    elif isinstance(given, Mapping):
        for symbol, number in given.items():
            _require_amount(f"{name} of {symbol}", number, below, INSTEAD.get(name, ""))
        return {symbol: float(number) for symbol, number in given.items()}
    elif isinstance(given, pd.DataFrame) and name in BY_DATE:
        return _frame(name, given, below)
    else:
        _require_amount(name, given, below, f", or a dict of them by symbol{INSTEAD.get(name, '')}")
    return float(given)


def _frame(name: str, frame: pd.DataFrame, below: float) -> pd.DataFrame:
    if is_dated(frame):
        _check_dates(name, frame.index)
    elif name != "borrow_rate_pa":
        raise ParameterError(f"{name} is a frame without dates: index it with pandas.to_datetime")
    elif not all(map(is_whole, frame.columns)) or frame.index.has_duplicates:
        raise ParameterError(
            f"{name} has the columns {shown(list(frame.columns))}: give dates as rows and symbols as "
            "columns, or sizes or symbols, each once, as rows and integer states as columns"
        )
    if frame.columns.has_duplicates:
        raise ParameterError(f"{name} names a column twice: give each once")
    if not all(kind.kind in "iuf" for kind in frame.dtypes):
        raise ParameterError(f"{name} holds something other than numbers: give columns of numbers")
    values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~((values >= 0.0) & (values < below)) & ~np.isnan(values)
    if wrong.any():
        _require_amount(f"a value of {name}", float(values[wrong][0]), below, INSTEAD.get(name, ""))
    return pd.DataFrame(values, index=frame.index, columns=frame.columns)


def _check_dates(name: str, index: pd.Index[Any]) -> None:
    dates = pd.DatetimeIndex(index)
    if dates.tz is not None or dates.hasnans or (dates != dates.normalize()).any():
        raise ParameterError(f"the dates of {name} carry a time or are missing: give naive session dates")
    if not dates.is_monotonic_increasing or dates.has_duplicates:
        raise ParameterError(f"the dates of {name} repeat or are out of order: give each once, in order")


def _availability(frame: object) -> pd.DataFrame | None:
    if frame is None:
        return None
    words = ", ".join(map(repr, AVAILABILITY))
    if not isinstance(frame, pd.DataFrame) or not is_dated(frame):
        raise ParameterError(
            f"availability is {shown(frame)}: give a frame with dates as rows (pandas.to_datetime), symbols "
            f"as columns and {words} as values"
        )
    _check_dates("availability", frame.index)
    if frame.columns.has_duplicates:
        raise ParameterError("availability names a symbol twice: give one column for each")
    for word in frame.to_numpy(dtype=object).ravel():
        known = isinstance(word, str) and word in AVAILABILITY
        if not known and not (pd.api.types.is_scalar(word) and pd.isna(word)):
            raise ParameterError(f"availability holds {shown(word)}: give {words}, or leave it empty")
    return frame.copy()


def _states(name: str, given: Any) -> frozenset[int] | None:
    if given is None and name == "stress_states":
        return None
    several = isinstance(given, Set | Sequence) and not isinstance(given, str | bytes | memoryview)
    if not several or not all(is_whole(state) and state >= 0 for state in given):
        raise ParameterError(
            f"{name} is {shown(given)}: give a set of whole numbers from 0, positions in path.names"
        )
    return frozenset(int(state) for state in given)


def _fees(given: Any) -> dict[tuple[str, str], Fee]:
    if not isinstance(given, Mapping):
        raise ParameterError(f"fees is {shown(given)}: give a mapping from (venue, kind) to Fee")
    for key, fee in given.items():
        pair = isinstance(key, tuple) and len(key) == 2 and all(isinstance(word, str) for word in key)
        if not pair or key[0] not in FEES_OF_VENUE:
            raise ParameterError(
                f"fees names {shown(key)}: give (venue, kind) with a venue of {', '.join(FEES_OF_VENUE)}"
            )
        venue, kind = key
        if kind not in FEES_OF_VENUE[venue]:
            raise ParameterError(
                f"fees names {shown(key)}: the fees of {venue} are {', '.join(FEES_OF_VENUE[venue])}"
            )
        if not isinstance(fee, Fee):
            raise ParameterError(f"fees holds {shown(fee)} for {kind}: give a Fee, such as Fee(rate=0.0002)")
    return dict(given)


def _cash_rates(given: Any) -> dict[str, float | pd.Series[Any]] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise ParameterError(f"cash_rate_pa is {shown(given)}: give a mapping from currency to rate")
    clean: dict[str, float | pd.Series[Any]] = {}
    for currency, rate in given.items():
        name = f"cash_rate_pa of {currency}"
        dated = isinstance(rate, pd.Series) and is_dated(rate) and rate.dtype.kind in "iuf"
        if isinstance(rate, pd.Series) and rate.empty:
            raise ParameterError(
                f"{name} is a Series without rows: give one of rates by date, or leave it out"
            )
        if dated:
            _check_dates(name, rate.index)
        elif not is_number(rate):
            raise ParameterError(
                f"{name} is {shown(rate)}: give an annual fraction or a Series of them by date"
            )
        values = np.atleast_1d(np.asarray(rate, dtype=np.float64))
        wrong = ~(np.abs(values) < 1.0)
        if wrong.any():
            raise ParameterError(
                f"{name} is {values[wrong][0]:g}: give an annual fraction between -1 and 1, such as 0.03"
            )
        clean[currency] = pd.Series(values, index=rate.index) if dated else float(values[0])
    return clean
