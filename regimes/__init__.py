"""What state the world was in, as known at each step."""

from __future__ import annotations

from entrepot.regimes.change_point import ChangePointDetector
from entrepot.regimes.detector import Detector, ProbabilityDetector
from entrepot.regimes.event_file import CHANNELS
from entrepot.regimes.events import Events, load_events
from entrepot.regimes.intensity import Hawkes, hawkes_loglikelihood
from entrepot.regimes.jump import JumpDetector
from entrepot.regimes.markov import MarkovDetector
from entrepot.regimes.news_indices import NewsIndex, compare_with_intensity, load_news_index
from entrepot.regimes.path import RegimePath
from entrepot.regimes.refits import Schedule
from entrepot.regimes.tariff_levels import TariffLevels, load_tariff_levels
from entrepot.regimes.threshold import ThresholdDetector
from entrepot.regimes.walk_forward import RegimeModel

__all__ = [
    "CHANNELS",
    "ChangePointDetector",
    "Detector",
    "Events",
    "Hawkes",
    "JumpDetector",
    "MarkovDetector",
    "NewsIndex",
    "ProbabilityDetector",
    "RegimeModel",
    "RegimePath",
    "Schedule",
    "TariffLevels",
    "ThresholdDetector",
    "compare_with_intensity",
    "hawkes_loglikelihood",
    "load_events",
    "load_news_index",
    "load_tariff_levels",
]
