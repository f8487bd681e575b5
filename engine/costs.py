"""What trading and holding cost: every number an input, every default the design's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from entrepot.errors import ParameterError, is_number, is_whole, shown

SWITCHES = ("statutory", "exact_fees", "lots")
OPTIONAL = ("half_spread_bps", "borrow_rate_pa")
# The numbers and what they stay below: a fee of the whole amount is a misplaced decimal point.
AMOUNTS = {
    "half_spread_bps": 10_000.0,
    "fee_bps": 10_000.0,
    "borrow_rate_pa": 100.0,
    "borrow_multiplier": 1_000.0,
    "rebate_spread_pa": 1.0,
    "debit_spread_pa": 1.0,
    "fx_spread": 1.0,
    "ads_service_fee_pa": 100.0,
    "ads_dividend_fee": 100.0,
    "ads_conversion_fee": 100.0,
    "max_leg_gap_hours": float("inf"),
}


def require_amount(name: str, number: object, below: float) -> None:
    """Refuse anything but a number from 0 up to, and without, a bound."""
    if not is_number(number) or not 0.0 <= float(number) < below:
        limit = "" if np.isinf(below) else f" below {below:,g}"
        raise ParameterError(f"{name} is {shown(number)}: give a number from 0{limit}")


@dataclass(frozen=True)
class Costs:
    """Costs of trading and holding. Rates ending in ``_pa`` are annual fractions.

    Args:
        half_spread_bps: half the bid-ask spread, one number or one per symbol. None: in Hong Kong the larger
            of half a tick and 1 bp of the price, in New York 2 bp, on a market of one unnamed venue nothing.
        statutory: charge the dated schedule of duties, levies, exchange fees and brokerage of each venue.
        exact_fees: apply each fee's minimum, maximum and rounding order by order. Off, only rates and
            amounts per share count. Lines whose prices are not raw never have minima or rounding.
        fee_bps: a flat fee on the value of every fill, on top.
        borrow_rate_pa: fee on short value, one number or one per symbol. None: by size of the company, the
            calm level.
        borrow_multiplier: scales every borrow rate.
        no_borrow_states: regime states in which no short may be opened or increased.
        rebate_spread_pa: what the rebate on short value lies below the policy rate.
        debit_spread_pa: what a debit balance pays above the policy rate.
        cash_rate_pa: by currency, instead of the policy rates of USD and HKD. Currencies without a policy
            rate on file, and markets of one unnamed venue, earn nothing unless given here.
        fx_spread: cost of a conversion as a fraction of the amount.
        fx_conversion: ``"on_fill"`` exchanges the long side of each fill and its fees into the base currency
            at once; ``"never"`` lets balances stand, financed at their own currency's rate.
        ads_service_fee_pa: USD per ADS and year, paid by longs and, in lieu, by shorts.
        ads_dividend_fee: USD per ADS taken off each cash dividend of a long.
        ads_conversion_fee: USD per ADS, rounded up to 100 ADSs, when a line converts on delisting.
        lots: trade whole board lots. Never on lines whose prices are not raw.
        max_leg_gap_hours: how far ahead the other leg's next step may lie for a first leg to be filled.

    Raises:
        ParameterError: on a number that is negative, not finite or absurdly large, and on anything else.
    """

    half_spread_bps: float | Mapping[str, float] | None = None
    statutory: bool = True
    exact_fees: bool = True
    fee_bps: float = 0.0
    borrow_rate_pa: float | Mapping[str, float] | None = None
    borrow_multiplier: float = 1.0
    no_borrow_states: frozenset[int] = frozenset()
    rebate_spread_pa: float = 0.005
    debit_spread_pa: float = 0.0
    cash_rate_pa: Mapping[str, float] | None = None
    fx_spread: float = 0.0001
    fx_conversion: Literal["on_fill", "never"] = "on_fill"
    ads_service_fee_pa: float = 0.02
    ads_dividend_fee: float = 0.02
    ads_conversion_fee: float = 0.05
    lots: bool = True
    max_leg_gap_hours: float = 24.0

    def __post_init__(self) -> None:
        for item in fields(self):
            given: object = getattr(self, item.name)
            if item.name in SWITCHES:
                if not isinstance(given, bool):
                    raise ParameterError(f"{item.name} is {shown(given)}: give True or False")
            elif item.name in AMOUNTS:
                numbers = list(given.values()) if isinstance(given, Mapping) else [given]
                if given is None and item.name in OPTIONAL:
                    continue
                for number in numbers:
                    require_amount(item.name, number, AMOUNTS[item.name])
        if self.fx_conversion not in ("on_fill", "never"):
            raise ParameterError(f'fx_conversion is {self.fx_conversion!r}: give "on_fill" or "never"')
        rates: Any = {} if self.cash_rate_pa is None else self.cash_rate_pa
        if not isinstance(rates, Mapping):
            raise ParameterError(f"cash_rate_pa is {shown(rates)}: give a mapping from currency to rate")
        for currency, rate in rates.items():
            if not is_number(rate) or not np.isfinite(float(rate)):
                raise ParameterError(f"cash_rate_pa of {currency} is {shown(rate)}: give an annual fraction")
        states: Any = self.no_borrow_states
        if (
            not isinstance(states, Set | Sequence)
            or isinstance(states, str)
            or not all(map(is_whole, states))
        ):
            raise ParameterError(
                f"no_borrow_states is {shown(states)}: give a set of integers, positions in path.names"
            )
        object.__setattr__(self, "no_borrow_states", frozenset(int(s) for s in states))

    def with_(self, **changes: Any) -> Costs:
        """Return these costs with some of them replaced."""
        unknown = sorted(set(changes) - {item.name for item in fields(self)})
        if unknown:
            known = ", ".join(item.name for item in fields(self))
            raise ParameterError(f"Costs has no {', '.join(unknown)}: it has {known}")
        return replace(self, **changes)

    @classmethod
    def none(cls) -> Costs:
        """No cost of any kind, no interest and fractional shares: what most other engines assume."""
        return cls.flat(0.0)

    @classmethod
    def flat(cls, fee_bps: float) -> Costs:
        """One proportional fee on every fill and nothing else, in fractional shares."""
        return cls(
            half_spread_bps=0.0,
            statutory=False,
            exact_fees=False,
            fee_bps=fee_bps,
            borrow_rate_pa=0.0,
            rebate_spread_pa=0.0,
            cash_rate_pa={"USD": 0.0, "HKD": 0.0},
            fx_spread=0.0,
            ads_service_fee_pa=0.0,
            ads_dividend_fee=0.0,
            ads_conversion_fee=0.0,
            lots=False,
        )
