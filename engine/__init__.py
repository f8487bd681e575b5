"""What happens to the money: the clock, its costs and its record."""

from __future__ import annotations

from entrepot.engine.backtest import Fill, Plan, backtest, backtest_batch
from entrepot.engine.costs import Costs, Fee, Margin
from entrepot.engine.result import Ledger
from entrepot.engine.run_state import RunState

__all__ = [
    "Costs",
    "Fee",
    "Fill",
    "Ledger",
    "Margin",
    "Plan",
    "RunState",
    "backtest",
    "backtest_batch",
]
