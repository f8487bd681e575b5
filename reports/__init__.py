"""What a run means: metrics, attribution, a tear sheet and a report. Knows no regime and no strategy."""

from __future__ import annotations

from entrepot.reports.attribution import by_event, by_instrument, by_leg, by_regime, by_source
from entrepot.reports.html import report
from entrepot.reports.leg_risk import leg_risk, linked_orders
from entrepot.reports.metrics import lag_adjusted_sharpe, summary
from entrepot.reports.pair_trades import pair_trades
from entrepot.reports.tear_sheet import tear_sheet
from entrepot.reports.trades import round_trips

__all__ = [
    "by_event",
    "by_instrument",
    "by_leg",
    "by_regime",
    "by_source",
    "lag_adjusted_sharpe",
    "leg_risk",
    "linked_orders",
    "pair_trades",
    "report",
    "round_trips",
    "summary",
    "tear_sheet",
]
