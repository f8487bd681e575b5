"""What can be traded, when, at what price and at what cost."""

from __future__ import annotations

from entrepot.markets.fees import (
    FeeTable,
    borrow_table,
    fee_schedule,
    fee_table,
    half_tick,
    policy_rate,
    settlement_days,
)
from entrepot.markets.known_series import KnownSeries
from entrepot.markets.listings import Listings, load_instruments, load_listings
from entrepot.markets.load import load_market
from entrepot.markets.market import Market
from entrepot.markets.premium import premium
from entrepot.markets.sectors import SectorMap, load_sectors
from entrepot.markets.series_files import load_series
from entrepot.markets.sessions import build_grid, session_clock, session_times
from entrepot.markets.simulate import simulate_market
from entrepot.markets.simulated_effects import Effects
from entrepot.markets.stress import peg_stress
from entrepot.markets.truth import Truth
from entrepot.markets.volume import average_volume, share_of_volume

__all__ = [
    "Effects",
    "FeeTable",
    "KnownSeries",
    "Listings",
    "Market",
    "SectorMap",
    "Truth",
    "average_volume",
    "borrow_table",
    "build_grid",
    "fee_schedule",
    "fee_table",
    "half_tick",
    "load_instruments",
    "load_listings",
    "load_market",
    "load_sectors",
    "load_series",
    "peg_stress",
    "policy_rate",
    "premium",
    "session_clock",
    "session_times",
    "settlement_days",
    "share_of_volume",
    "simulate_market",
]
