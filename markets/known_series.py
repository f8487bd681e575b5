"""Series that are no prices, each value with the moment from which it could be acted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, shown
from entrepot.markets.market import Market


@dataclass(frozen=True, eq=False)
class KnownSeries:
    """One quantity by date and symbol, such as Southbound net buying, with the time each row became known.

    Args:
        name: what it is.
        values: shape (rows, columns): indexed by the naive date each row is about, strictly increasing; the
            columns are symbols, or one column "market" for a quantity of all. NaN where nothing is known.
        known_at: UTC, one for each row, never before the row above it.

    Raises:
        DataError: on dates that repeat or go back, times without a zone, infinite values.
    """

    name: str
    values: pd.DataFrame
    known_at: pd.DatetimeIndex

    def __post_init__(self) -> None:
        if len(self.known_at) != len(self.values):
            raise DataError(
                f"{self.name} has {len(self.values)} rows and {len(self.known_at)} times: give one for each"
            )
        if self.known_at.tz is None or self.known_at.hasnans or not self.known_at.is_monotonic_increasing:
            raise DataError(
                f"the known_at of {self.name} are not all UTC times in order: sort and localise them"
            )
        days = self.values.index
        if not isinstance(days, pd.DatetimeIndex) or not days.is_monotonic_increasing or not days.is_unique:
            raise DataError(f"the rows of {self.name} are not dates in order, each once: sort them")
        if np.isinf(self.values.to_numpy(dtype=np.float64)).any():
            raise DataError(f"{self.name} holds an infinite value: leave it empty")

    def __repr__(self) -> str:
        return f"KnownSeries({shown(self.name)}: {len(self.values)} rows, {self.values.shape[1]} columns)"

    def row_at(self, market: Market, steps: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return the last row known at each step, shape (S,), -1 before the first."""
        known = self.known_at.as_unit("ns").asi8
        return np.searchsorted(known, market.times[steps], side="right").astype(np.int64) - 1
