"""What a simulated market was made from: the numbers that no real market shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import pandas as pd

from entrepot.markets.known_series import KnownSeries


@dataclass(frozen=True, eq=False)
class Truth:
    """The ground truth of a simulated market of T steps and N lines.

    Args:
        events: what moved the prices: ``known_at``, ``channel``, ``direction``, ``severity``.
        series: what a data vendor would sell beside the prices, by name; see `load_series`.
    """

    events: pd.DataFrame
    series: Mapping[str, KnownSeries] = field(default_factory=dict)

    def cut(self, first: int, stop: int) -> Self:
        """Return the truth of the steps from ``first`` to before ``stop``."""
        return replace(self)
