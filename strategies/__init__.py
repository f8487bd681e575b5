"""What to hold: strategies that turn a market and a regime path into targets."""

from __future__ import annotations

from entrepot.strategies.compiled import CompiledStrategy
from entrepot.strategies.dual_listing import LongHKShortADR
from entrepot.strategies.sector_rotation import SectorRotation, load_tilts
from entrepot.strategies.switch import RegimeSwitch
from entrepot.strategies.targets import Strategy, Targets

__all__ = [
    "CompiledStrategy",
    "LongHKShortADR",
    "RegimeSwitch",
    "SectorRotation",
    "Strategy",
    "Targets",
    "load_tilts",
]
