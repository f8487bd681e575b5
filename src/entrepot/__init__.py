"""Backtests of long-Hong-Kong/short-ADR pairs and China sectors, switched by tariff and delisting risk."""

from __future__ import annotations

from entrepot.engine import Costs, backtest_batch
from entrepot.errors import DataError, EntrepotError, ParameterError, TargetError
from entrepot.markets import Listings, Market, load_listings, load_market, premium, simulate_market
from entrepot.regimes import Events, RegimeModel, RegimePath, ThresholdDetector, load_events
from entrepot.result import Result, backtest
from entrepot.strategies import LongHKShortADR, RegimeSwitch, SectorRotation, Strategy, Targets

__version__ = "0.1.0"

__all__ = [
    "Costs",
    "DataError",
    "EntrepotError",
    "Events",
    "Listings",
    "LongHKShortADR",
    "Market",
    "ParameterError",
    "RegimeModel",
    "RegimePath",
    "RegimeSwitch",
    "Result",
    "SectorRotation",
    "Strategy",
    "TargetError",
    "Targets",
    "ThresholdDetector",
    "__version__",
    "backtest",
    "backtest_batch",
    "load_events",
    "load_listings",
    "load_market",
    "premium",
    "simulate_market",
]
