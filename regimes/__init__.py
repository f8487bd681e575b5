"""What state the world was in, as known at each step."""

from __future__ import annotations

from entrepot.regimes.event_file import CHANNELS
from entrepot.regimes.events import Events, load_events
from entrepot.regimes.path import RegimePath
from entrepot.regimes.threshold import ThresholdDetector
from entrepot.regimes.walk_forward import RegimeModel

__all__ = ["CHANNELS", "Events", "RegimeModel", "RegimePath", "ThresholdDetector", "load_events"]
