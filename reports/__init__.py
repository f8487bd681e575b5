"""What a run means: metrics, attribution, a tear sheet and a report. Knows no regime and no strategy."""

from __future__ import annotations

from entrepot.reports.attribution import (
    by_event,
    by_instrument,
    by_leg,
    by_pair,
    by_period,
    by_regime,
    by_sector,
    by_source,
    event_sources,
    regime_sources,
)
from entrepot.reports.benchmark import relative
from entrepot.reports.comparison import compare_results, comparison_report
from entrepot.reports.exposures import (
    currency_exposures,
    exposures,
    holdings,
    sector_exposures,
    turnover_by,
)
from entrepot.reports.html import report
from entrepot.reports.intervals import intervals, sharpe_interval
from entrepot.reports.leg_risk import leg_risk, linked_orders
from entrepot.reports.metrics import lag_adjusted_sharpe, summary
from entrepot.reports.overfitting import overfitting
from entrepot.reports.pair_trades import pair_trades
from entrepot.reports.pdf import pdf_report
from entrepot.reports.plots import plot
from entrepot.reports.significance import sharpe_odds
from entrepot.reports.superiority import superior_ability
from entrepot.reports.tear_sheet import tear_sheet
from entrepot.reports.trades import round_trips

__all__ = [
    "by_event",
    "by_instrument",
    "by_leg",
    "by_pair",
    "by_period",
    "by_regime",
    "by_sector",
    "by_source",
    "compare_results",
    "comparison_report",
    "currency_exposures",
    "event_sources",
    "exposures",
    "holdings",
    "intervals",
    "lag_adjusted_sharpe",
    "leg_risk",
    "linked_orders",
    "overfitting",
    "pair_trades",
    "pdf_report",
    "plot",
    "regime_sources",
    "relative",
    "report",
    "round_trips",
    "sector_exposures",
    "sharpe_interval",
    "sharpe_odds",
    "summary",
    "superior_ability",
    "tear_sheet",
    "turnover_by",
]
