"""What happens to the money: the clock, its costs and its record."""

from __future__ import annotations

from entrepot.engine.backtest import backtest
from entrepot.engine.batch import Bench, Tallied, backtest_batch
from entrepot.engine.costs import Costs, Fee, Margin
from entrepot.engine.plans import Fill, Plan
from entrepot.engine.result import Ledger
from entrepot.engine.run_state import RunState

__all__ = [
    "Bench",
    "Costs",
    "Fee",
    "Fill",
    "Ledger",
    "Margin",
    "Plan",
    "RunState",
    "Tallied",
    "backtest",
    "backtest_batch",
]
