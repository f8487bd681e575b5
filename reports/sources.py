"""The sources of profit and loss: their groups, their order, and which of them are costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from entrepot.engine.result import NOT_COSTS

MARKET = ("price", "fx")
INCOME = ("dividend", "interest", "rebate")
HOLDING_COSTS = ("borrow", "ads_fee", "conversion")
TRADING_COSTS = ("slippage", "fx_spread")
GROUPS: Mapping[str, str] = {
    "price": "Price",
    "fx": "FX",
    "dividend": "Dividends",
    "interest": "Interest and rebate",
    "rebate": "Interest and rebate",
    "borrow": "Borrow",
    "ads_fee": "ADR fees",
    "conversion": "Conversion",
    "slippage": "Slippage",
    "fx_spread": "FX spread",
}


def source_group(source: str) -> str:
    """Name the group a source belongs to; every kind of fee that is not named otherwise is "Fees"."""
    return GROUPS.get(source, "Fees")


def is_cost(source: str) -> bool:
    """Tell whether the ledger counts a source as a cost, rather than as earned or lost by holding."""
    return source not in NOT_COSTS


def source_order(sources: Sequence[str]) -> list[str]:
    """Sort sources as they are always shown: market, income, holding costs, trading costs, fees by name."""
    known = [*MARKET, *INCOME, *HOLDING_COSTS, *TRADING_COSTS]
    present = dict.fromkeys(sources)
    return [name for name in known if name in present] + sorted(name for name in present if name not in known)
