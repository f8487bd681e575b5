"""What to hold: strategies that turn a market and a regime path into targets."""

from __future__ import annotations

from entrepot.strategies.causality import CausalityReport, LookAheadError, check_causal
from entrepot.strategies.compiled import CompiledStrategy
from entrepot.strategies.composition import blend, switch
from entrepot.strategies.dual_listing import LongHKShortADR
from entrepot.strategies.flow import CustodyShift, ListingBreadth, SouthboundFlow
from entrepot.strategies.function import strategy
from entrepot.strategies.index_pair import IndexPair
from entrepot.strategies.limits import cap, limit_to_volume
from entrepot.strategies.press import PRESS_TRADES, PressTrade, press_trades
from entrepot.strategies.sector_rotation import SectorRotation, load_tilts
from entrepot.strategies.sizing import neutralise, scale_by_regime, scale_to_volatility
from entrepot.strategies.stimulus import StimulusBasket
from entrepot.strategies.switch import RegimeSwitch
from entrepot.strategies.targets import Strategy, Targets
from entrepot.strategies.tariff_rotation import TariffRotation
from entrepot.strategies.theme_rotation import ThemeRotation, load_themes
from entrepot.strategies.valuation import AHDiscount, SanctionsDiscount, ValuationGap

__all__ = [
    "PRESS_TRADES",
    "AHDiscount",
    "CausalityReport",
    "CompiledStrategy",
    "CustodyShift",
    "IndexPair",
    "ListingBreadth",
    "LongHKShortADR",
    "LookAheadError",
    "PressTrade",
    "RegimeSwitch",
    "SanctionsDiscount",
    "SectorRotation",
    "SouthboundFlow",
    "StimulusBasket",
    "Strategy",
    "Targets",
    "TariffRotation",
    "ThemeRotation",
    "ValuationGap",
    "blend",
    "cap",
    "check_causal",
    "limit_to_volume",
    "load_themes",
    "load_tilts",
    "neutralise",
    "press_trades",
    "scale_by_regime",
    "scale_to_volatility",
    "strategy",
    "switch",
]
