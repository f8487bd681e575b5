"""The sources of profit and loss: their groups, their order, and which of them are costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from entrepot.engine.lines import NOT_COSTS

# What the engine does not count as a cost is a change of value or, all the rest of it, income.
MARKET = ("price", "fx", "conversion")
INCOME = tuple(source for source in NOT_COSTS if source not in MARKET)
HOLDING_COSTS = ("borrow", "ads_fee", "conversion_fee")
TRADING_COSTS = ("slippage", "impact", "fx_spread")
FEES = "Fees"
GROUPS: Mapping[str, str] = {
    "price": "Price",
    "fx": "FX",
    "conversion": "Conversion",
    "dividend": "Dividends",
    "interest": "Interest and rebate",
    "rebate": "Interest and rebate",
    "borrow": "Borrow",
    "ads_fee": "ADR fees",
    "conversion_fee": "ADR fees",
    "slippage": "Slippage",
    "impact": "Impact",
    "fx_spread": "FX spread",
}


def source_group(source: str) -> str:
    """Name the group a source belongs to; every kind of fee that is not named otherwise is "Fees"."""
    return GROUPS.get(source, FEES)


def is_cost(source: str) -> bool:
    """Tell whether the ledger counts a source as a cost, rather than as earned or lost by holding."""
    return source not in NOT_COSTS


def source_order(sources: Sequence[str]) -> list[str]:
    """Sort sources as they are always shown: market, income, holding costs, trading costs, fees by name."""
    known = [*MARKET, *sorted(INCOME), *HOLDING_COSTS, *TRADING_COSTS]
    present = dict.fromkeys(sources)
    return [name for name in known if name in present] + sorted(name for name in present if name not in known)
