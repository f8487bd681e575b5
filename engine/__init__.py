"""What happens to the money: the clock, its costs and its record."""

from __future__ import annotations

from entrepot.engine.backtest import Fill, Plan, backtest, backtest_batch, check_identity
from entrepot.engine.costs import Costs
from entrepot.engine.result import Ledger

__all__ = ["Costs", "Fill", "Ledger", "Plan", "backtest", "backtest_batch", "check_identity"]
