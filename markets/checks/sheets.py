"""What the checks look at: each line with all its file says, and each pair with both legs on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.markets.adjustment import Reading, log_premium
from entrepot.markets.lines import Line
from entrepot.markets.price_tables import PriceTable
from entrepot.markets.sessions import session_times

MARKET_LINES: Final = 4  # fewer lines of a venue on a day say nothing about its market
SD_WINDOW: Final = 250
SD_LEAST: Final = 60  # sessions behind a robust standard deviation: a year, and at least a quarter
MAD_TO_SD: Final = 1.4826  # of a normal distribution
SHARED: Final = 1 / 2  # of a jump, in another line: news of a sector


@dataclass(frozen=True, eq=False)
class Sheet:
    """One line as its file has it.

    Args:
        table: the checked rows.
        line: how `load_market` reads them.
    """

    table: PriceTable
    line: Line

    @property
    def symbol(self) -> str:
        """Symbol of the line."""
        return self.table.symbol

    @property
    def origin(self) -> str:
        """Name of its file."""
        return self.table.origin

    @property
    def venue(self) -> str:
        """Venue of the line."""
        return self.line.instrument["venue"]

    @property
    def rows(self) -> pd.DataFrame:
        """The columns of the file by date."""
        return self.table.frame

    def column(self, name: str) -> pd.Series[float]:
        """Return a column of the file, all NaN where it has none."""
        return self.table.column(name)

    @cached_property
    def closes(self) -> pd.Series[float]:
        """Closes as the file has them, blank rows dropped."""
        return self.table.level

    @cached_property
    def dates(self) -> pd.DatetimeIndex:
        """Dates of the closes."""
        return pd.DatetimeIndex(self.closes.index)

    @cached_property
    def sessions(self) -> pd.DatetimeIndex:
        """Sessions of the venue from the first close to the last."""
        days = session_times(self.venue, self.closes.index[0], self.closes.index[-1], ("close",))["session"]
        return pd.DatetimeIndex(days)

    @cached_property
    def moves(self) -> pd.Series[float]:
        """Log returns from close to close, those at a known split left out where the prices jump by it."""
        moves = pd.Series(np.log(self.closes.to_numpy()), index=self.closes.index).diff()
        if self.line.reading.adjustment == "raw":
            moves[moves.index.isin([split.date for split in self.line.reading.splits])] = np.nan
        return moves

    @cached_property
    def usual_move(self) -> pd.Series[float]:
        """Robust standard deviation of the moves, of the year behind each; of the first quarter before."""
        size = self.moves.abs().shift()
        return (MAD_TO_SD * size.rolling(SD_WINDOW, min_periods=SD_LEAST).median()).bfill()


@dataclass(frozen=True, eq=False)
class Pair:
    """Both legs of a pair, read as `load_market` reads them.

    Args:
        adr: the New York line.
        hk: the Hong Kong line.
        ads_reading: of the New York line.
        hk_reading: of the Hong Kong line.
        ratios: ordinary shares per ADS that fit the prices, by the date from which they hold.
        per_usd: units of Hong Kong's currency per USD by date.
    """

    adr: Sheet
    hk: Sheet
    ads_reading: Reading
    hk_reading: Reading
    ratios: pd.Series[float]
    per_usd: pd.Series[float]

    @property
    def legs(self) -> tuple[Sheet, Sheet]:
        """The New York line and the Hong Kong line."""
        return self.adr, self.hk

    def side(self, sheet: Sheet) -> str:
        """Return the column of `levels` that a leg has."""
        return "adr" if sheet is self.adr else "hk"

    def other(self, sheet: Sheet) -> Sheet:
        """Return the other leg."""
        return self.hk if sheet is self.adr else self.adr

    @cached_property
    def premium(self) -> pd.Series[float]:
        """Log of one plus the premium of the dates that both legs have."""
        return log_premium(self.ratios, self.ads_reading, self.hk_reading, self.per_usd)

    @cached_property
    def levels(self) -> pd.DataFrame:
        """Log prices of one ordinary share in Hong Kong's currency by date, columns ``adr`` and ``hk``."""
        adr, hk = self.ads_reading.level, self.hk_reading.level
        index = adr.index.union(hk.index)
        index = index[index >= max(self.ratios.index[0], self.per_usd.index[0])]
        rate = np.log(_as_of(self.per_usd, index))
        ratio = np.log(_as_of(self.ratios, index))
        return pd.DataFrame({"adr": adr.reindex(index) + rate - ratio, "hk": hk.reindex(index)})

    def hkd_per_ordinary(self, usd: pd.Series[float]) -> pd.Series[float]:
        """Turn amounts per ADS, by date, into Hong Kong's currency per ordinary share."""
        index = pd.DatetimeIndex(usd.index)
        return usd * _as_of(self.per_usd, index) / _as_of(self.ratios, index)


def _as_of(series: pd.Series[float], index: pd.DatetimeIndex) -> NDArray[np.float64]:
    at = np.maximum(series.index.searchsorted(index, side="right") - 1, 0)
    return np.asarray(series, dtype=np.float64)[at]


@dataclass(frozen=True, eq=False)
class Moves:
    """What all lines did, to tell news from errors.

    Args:
        lines: log returns by date, one column per tradable line.
        market: by venue, the median of its lines, NaN on days of fewer than `MARKET_LINES`.
    """

    lines: pd.DataFrame
    market: dict[str, pd.Series[float]]

    @classmethod
    def of(cls, sheets: Sequence[Sheet]) -> Moves:
        """Gather the moves of all tradable lines."""
        table = pd.DataFrame({s.symbol: s.moves for s in sheets if s.line.tradable})
        market = {}
        for venue in sorted({sheet.venue for sheet in sheets}):
            part = table[[s.symbol for s in sheets if s.venue == venue and s.line.tradable]]
            market[venue] = part.median(axis=1).where(part.count(axis=1) >= MARKET_LINES)
        return cls(table, market)

    def beyond_market(self, sheet: Sheet) -> pd.Series[float]:
        """Return a line's moves less those of its venue's market, where there is one."""
        return sheet.moves - self.market[sheet.venue].reindex(sheet.moves.index).fillna(0.0)

    def shared(self, symbol: str, day: pd.Timestamp, move: float) -> bool:
        """Whether another line went a good part of the way on that day."""
        others = self.lines.loc[day].drop(symbol)
        return bool((SHARED * abs(move) <= np.sign(move) * others).any())
