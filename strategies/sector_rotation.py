"""Rotation among China sectors: hold those with the strongest past return, tilted by regime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from types import NoneType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, shown
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind, short
from entrepot.regimes.path import RegimePath
from entrepot.strategies.targets import (
    STALE_SESSIONS,
    Parametrised,
    Targets,
    changes,
    columns_of,
    decisions,
    departed,
    latest,
    require,
    require_band,
    require_market,
    require_path,
    require_symbols,
    sessions_of,
)

UNIVERSES = ("auto", "etf", "hk")
UNCLASSIFIED = "unclassified"

Tilts = Mapping[str, Mapping[str, float]]


def load_tilts() -> dict[str, dict[str, float]]:
    """Return the bundled tilts, by regime and sector, in cross-sectional standard deviations.

    The table gives a reason and a source for each. All were written in knowledge of the tariff rounds of
    2018 and 2025 and of the delistings of 2021: on those years they are hindsight.
    """
    with (files("entrepot.strategies") / "data" / "sector_tilts.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    if table.duplicated(["regime", "sector"]).any() or not np.isfinite(table["tilt"]).all():
        raise DataError("sector_tilts.csv repeats a regime and sector, or has a tilt that is no number")
    tilts: dict[str, dict[str, float]] = {}
    for row in table.itertuples():
        tilts.setdefault(str(row.regime), {})[str(row.sector)] = float(row.tilt)  # type: ignore[arg-type]
    return tilts


@dataclass(frozen=True)
class SectorRotation(Parametrised):
    """Cross-sectional momentum over sectors, long only, re-ranked every ``rebalance`` New York sessions.

    A sector is an equally weighted basket of Hong Kong lines (the registry's sector before the colon), or
    one ETF. Its score is its return over ``lookback`` sessions, in cross-sectional standard deviations
    from the mean of all sectors, plus the tilt of the regime at that step. The ``top`` sectors get
    ``gross / top`` each, split equally among their lines; ties go to the first in the market's order. Where
    fewer sectors can be ranked the rest stays in cash.

    Prices enter as ratios only, in local currency, splits and gross dividends included, so that raw and
    total-return levels may be mixed. At a New York close the day's Hong Kong close is already known. A line
    is ranked once it has traded within five sessions of every decision in the window. A number is emitted
    for a line when its wanted weight changes: at rebalances, and when the regime brings other tilts.

    Args:
        lookback: sessions of the return.
        top: sectors held.
        universe: "etf"; "hk": sector baskets of Hong Kong ordinary shares; "auto": ETFs if there are more
            than ``top`` of them, else Hong Kong lines, else every line that is no index; or symbols, each
            in its registry sector (ETFs and unclassified lines on their own).
        rebalance: New York sessions between rankings, the first as soon as there is a window.
        gross: sum of the weights when all ``top`` sectors are held.
        tilts: by regime and sector (or ETF symbol), in standard deviations; None: `load_tilts`; {}: none.
            Without a regime path there are no tilts.
        skip: latest sessions left out of the return, for short-term reversal.
        drift_band: see `Targets`.
    """

    lookback: int = 120
    top: int = 3
    universe: str | Sequence[str] = "auto"
    rebalance: int = 21
    gross: float = 1.0
    tilts: Tilts | None = None
    skip: int = 0
    drift_band: float = 0.10

    def __post_init__(self) -> None:
        require("lookback", self.lookback, 2, whole=True)
        require("top", self.top, 1, whole=True)
        require("rebalance", self.rebalance, 1, whole=True)
        require("gross", self.gross, 0)
        require("skip", self.skip, 0, self.lookback - 1, whole=True)
        require_band(self.drift_band)
        if isinstance(self.universe, str) and self.universe not in UNIVERSES:
            raise ParameterError(
                f"universe is {shown(self.universe)}: give 'auto', 'etf', 'hk' or a sequence of symbols"
            )
        for name in ("lookback", "top", "rebalance", "skip"):  # 60.0 is whole, but counts no rows
            object.__setattr__(self, name, int(getattr(self, name)))
        if not isinstance(self.universe, str):
            object.__setattr__(self, "universe", require_symbols("universe", self.universe))
        if not isinstance(self.tilts, (Mapping, NoneType)):
            raise ParameterError(
                f"tilts is {kind(self.tilts)}: give numbers by regime and sector, such as load_tilts()"
            )
        for regime, by_sector in (self.tilts or {}).items():
            if regime not in RegimePath.names:
                raise ParameterError(
                    f"tilts names the regime {shown(regime)}: give {', '.join(RegimePath.names)}"
                )
            if not isinstance(by_sector, Mapping):
                raise ParameterError(
                    f"the tilts of {regime} are {kind(by_sector)}: give numbers by sector, such as "
                    "{'it': -1}"
                )
            for sector, tilt in by_sector.items():
                require(f"the tilt of {short(sector)} in {regime}", tilt, -100, 100)

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step.

        Args:
            market: with at least one line of the universe.
            path: for the tilts; None: no tilts.

        Raises:
            ParameterError: when the universe is not in the market or the path has other steps.
        """
        require_market(market, "SectorRotation")
        sectors, notes = self._sectors(market)
        columns = columns_of(market, sectors.index)
        names = list(dict.fromkeys(sectors))
        member = (sectors.to_numpy()[None, :] == np.array(names)[:, None]).astype(np.float64)
        steps = decisions(market)
        tilt, regime = self._tilts(market, path, names, steps)
        growth, age = latest(total_return_levels(market, columns), steps)
        when = self._ranking_rows(len(steps), tilt, regime)

        gaps = np.vstack([np.zeros((1, len(columns))), (age > STALE_SESSIONS).cumsum(axis=0)])

        wanted = np.zeros((len(steps), len(columns)))
        scores = np.full((len(when), len(names)), np.nan)
        for k, i in enumerate(when):
            ranked = gaps[i + 1] == gaps[i - self.lookback]
            past = np.where(ranked, growth[i - self.skip] / growth[i - self.lookback] - 1, 0.0)
            scores[k] = sector_scores(past, ranked, member) + tilt[regime[i]]
            wanted[i:] = self._allocate(scores[k], ranked, member)

        emitted = changes(wanted)
        emitted[departed(market)[np.ix_(steps, columns)]] = np.nan
        weights = np.full(market.price.shape, np.nan)
        weights[np.ix_(steps, columns)] = emitted
        session = sessions_of(market, steps[when])
        return Targets(
            weights=weights,
            drift_band=self.drift_band,
            notes=(*self._remarks(names, len(steps), wanted), *notes),
            signals={"score": pd.DataFrame(scores, index=session, columns=names)},
        )

    def _remarks(self, names: list[str], count: int, wanted: NDArray[np.float64]) -> tuple[str, ...]:
        """Say what of the parameters has no effect in this market, and why nothing is ever held."""
        remarks = []
        if self.gross == 0:
            remarks.append("can never trade: gross is 0")
        elif self.lookback >= count:
            remarks.append(
                f"can never trade: lookback is {self.lookback} and the market has {count} New York sessions"
            )
        elif not wanted.any():
            remarks.append(
                f"never trades: no line of the universe has traded through {self.lookback} sessions on end"
            )
        if self.top > len(names):
            remarks.append(
                f"top is {self.top} and the universe has {len(names)} sectors: at most "
                f"{len(names) / self.top:.0%} of gross is held"
            )
        tilted = {sector: None for by_sector in (self.tilts or {}).values() for sector in by_sector}
        if unknown := [str(sector) for sector in tilted if sector not in names]:
            remarks.append(
                f"tilts without effect, since the universe has no such sector: {short(', '.join(unknown))}"
            )
        return tuple(remarks)

    def _allocate(
        self, score: NDArray[np.float64], ranked: NDArray[np.bool_], member: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Weights of the lines of the ``top`` sectors, shape (N,)."""
        weights = np.zeros(len(ranked))
        for sector in np.argsort(-score, kind="stable")[: self.top]:  # NaN sorts last
            if np.isfinite(score[sector]):
                lines = member[sector] * ranked
                weights += lines * self.gross / (self.top * lines.sum())
        return weights

    def _ranking_rows(
        self, count: int, tilt: NDArray[np.float64], regime: NDArray[np.int64]
    ) -> NDArray[np.intp]:
        """Decisions at which sectors are ranked: every ``rebalance``-th, and where the tilts change."""
        number = np.arange(count) - min(self.lookback, count)
        due = number % min(self.rebalance, count + 1) == 0
        other = (tilt[regime[1:]] != tilt[regime[:-1]]).any(axis=1)
        due[1:] |= other
        return np.flatnonzero(due & (number >= 0))

    def _tilts(
        self, market: Market, path: RegimePath | None, names: list[str], steps: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Tilts by regime and sector, shape (4, sectors), and the regime of each decision, shape (S,)."""
        tilt = np.zeros((len(RegimePath.names), len(names)))
        if path is None:
            return tilt, np.zeros(len(steps), dtype=np.int64)
        path = require_path(market, path, "SectorRotation")
        for regime, by_sector in (load_tilts() if self.tilts is None else self.tilts).items():
            tilt[RegimePath.names.index(regime)] = [by_sector.get(name, 0.0) for name in names]
        return tilt, path.states[steps].astype(np.int64)

    def _sectors(self, market: Market) -> tuple[pd.Series[str], tuple[str, ...]]:
        """Sector of each line of the universe, by symbol, and what was left out."""
        table = market.instruments
        kind, venue = table["kind"], table["venue"]
        sector = table["sector"].astype(str).str.split(":").str[0]
        own = pd.Series(table.index, index=table.index)
        etf = kind == "etf"
        hk = (venue == "XHKG") & (kind == "ordinary")
        universe = self.universe
        if not isinstance(universe, str):
            for symbol in universe:
                if kind.iloc[market.column(symbol)] == "index":
                    raise ParameterError(f"{symbol} is an index and cannot be held: name an ETF or a stock")
            if not universe or len(set(universe)) != len(universe):
                raise ParameterError(
                    "universe is an empty list or names a symbol twice: give each symbol once"
                )
            alone = etf | (sector == UNCLASSIFIED)
            return sector.where(~alone, own)[list(universe)], ()
        if universe == "auto":
            universe = "etf" if etf.sum() > self.top else "hk" if hk.any() else "all"
        if universe == "etf":
            if not etf.any():
                raise ParameterError(
                    "universe is 'etf' and this market has no ETF: load some or use universe='hk'"
                )
            return own[etf], ()
        if universe == "hk":
            if not hk.any():
                raise ParameterError(
                    "universe is 'hk' and this market has no Hong Kong share: load some or use universe='etf'"
                )
            unknown = hk & (sector == UNCLASSIFIED)
            if unknown.sum() == hk.sum():
                raise ParameterError(
                    "no Hong Kong line of this market has a sector: give symbols as the universe"
                )
            notes: tuple[str, ...] = ()
            if unknown.any():
                notes = (
                    f"not ranked, since the registry gives no sector: {', '.join(table.index[unknown])}",
                )
            return sector[hk & ~unknown], notes
        return sector.where(sector != UNCLASSIFIED, own)[kind != "index"], ()


def sector_scores(
    past: NDArray[np.float64], ranked: NDArray[np.bool_], member: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean return of each sector's ranked lines, in standard deviations from the mean of all sectors.

    Args:
        past: return of each line, shape (N,), 0 where it is not ranked.
        ranked: whether each line has a full window, shape (N,).
        member: 1 where the line belongs to the sector, shape (sectors, N).

    Returns:
        Shape (sectors,); NaN for a sector without a ranked line, 0 where all sectors are alike.
    """
    # Sums, not matrix products, whose last bits may depend on where the arrays lie in memory.
    size = (member * ranked).sum(axis=1)
    mean = (member * past).sum(axis=1)[size > 0] / size[size > 0]
    score = np.full(len(member), np.nan)
    if len(mean):
        spread = mean.std()
        score[size > 0] = (mean - mean.mean()) / spread if spread > 1e-12 else 0.0
    return score


def total_return_levels(market: Market, columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Prices times what splits and gross dividends have added since the first step, shape (T, N).

    Only ratios of two levels mean something. A dividend is reinvested at the first price on or after its
    ex-date. NaN where there is no price.
    """
    prices = market.prices[:, columns]
    printed = [np.flatnonzero(np.isfinite(prices[:, i])) for i in range(len(columns))]
    where = {market.symbols[c]: i for i, c in enumerate(columns)}
    session = pd.DatetimeIndex(market.grid["session"]).as_unit("ns").asi8  # never falls from step to step
    growth = np.ones(prices.shape)
    for table, size in ((market.splits, "factor"), (market.dividends, "amount")):
        first = np.searchsorted(session, pd.DatetimeIndex(table["ex_date"]).as_unit("ns").asi8)
        for symbol, step, amount in zip(table["symbol"], first, table[size], strict=True):
            if symbol not in where:
                continue
            i = where[symbol]
            later = printed[i][np.searchsorted(printed[i], step) :]
            if len(later):
                growth[later[0], i] *= amount if size == "factor" else 1 + amount / prices[later[0], i]
    return prices * np.cumprod(growth, axis=0)
