"""Rotation among China sectors: hold those with the strongest past return, tilted by regime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from types import NoneType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.decisions import Decision, Identity
from entrepot.errors import DataError, ParameterError, shown
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind, short
from entrepot.regimes.path import RegimePath
from entrepot.strategies.targets import (
    STALE_SESSIONS,
    Parametrised,
    Targets,
    columns_of,
    decisions,
    departed,
    emitted,
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

# What the registry says of a market's lines, by universe.
_SECTORS: WeakKeyDictionary[Market, dict[Any, Any]] = WeakKeyDictionary()


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
        decision = self.decision(market, path)
        names, notes = self._sectors(market)[2:]
        numbers, _, kept = emitted(market, decision)
        steps = decisions(market)
        ranked = self._ranked(market, path)
        weights = np.full(market.price.shape, np.nan)
        weights[:, columns_of(market, decision.symbols)] = numbers
        scores = pd.DataFrame(kept[ranked, : len(names)], sessions_of(market, steps[ranked]), list(names))
        return Targets(
            weights=weights,
            drift_band=self.drift_band,
            notes=(*self._remarks(list(names), len(steps), kept[:, len(names) :]), *notes),
            signals={"score": scores},
        )

    def decision(self, market: Market, path: RegimePath | None = None) -> Decision:
        """Return what is decided inside the loop; its numbers are those of `targets`.

        Configurations that differ only in lookback, top, rebalance, gross or skip share their features.

        Args:
            market: with at least one line of the universe.
            path: for the tilts; None: no tilts.

        Raises:
            ParameterError: when the universe is not in the market or the path has other steps.
        """
        from entrepot.strategies import _kernels as kernels

        require_market(market, "SectorRotation")
        if path is not None:
            path = require_path(market, path, "SectorRotation")
        symbols, member, names, _ = self._sectors(market)
        params = [
            self.lookback,
            self.top,
            self.rebalance,
            self.gross,
            self.skip,
            len(names),
            path is not None,
        ]
        tilts = (
            None
            if self.tilts is None
            else tuple(
                (regime, tuple(sorted(by_sector.items()))) for regime, by_sector in sorted(self.tilts.items())
            )
        )
        return Decision(
            function=kernels.decide,
            symbols=symbols,
            pairs=(),
            params=np.array([kernels.ROTATION, *params], dtype=np.float64),
            features=partial(self._features, market, path),
            features_key=("rotation", symbols, member, names, tilts, Identity(path)),
            memory=len(names) + len(symbols),
            drift_band=self.drift_band,
            planes=6,
        )

    def _features(self, market: Market, path: RegimePath | None) -> NDArray[np.float64]:
        """Lay out what the rotation reads, shape (6, T, columns); rows are decisions, in their order."""
        from entrepot.strategies import _kernels as kernels

        symbols, member, names, _ = self._sectors(market)
        steps, columns = decisions(market), columns_of(market, symbols)
        growth, age = latest(total_return_levels(market, columns), steps)
        rows, lines = slice(0, len(steps)), slice(0, len(symbols))
        features = np.zeros((6, len(market), max(len(symbols), len(names))))
        features[kernels.GROWTH, rows, lines] = growth
        features[kernels.GAPS, rows, lines] = (age > STALE_SESSIONS).cumsum(axis=0)
        if path is not None:
            features[kernels.TILT, rows, : len(names)] = self._tilt(names)[path.states[steps]]
        features[kernels.MEMBER, 0, lines] = member
        features[kernels.LEFT, rows, lines] = departed(market)[np.ix_(steps, columns)]
        features[kernels.ROW, steps, 0] = np.arange(len(steps))
        return features

    def _ranked(self, market: Market, path: RegimePath | None) -> NDArray[np.intp]:
        """The decisions at which sectors are ranked: every ``rebalance``-th, and where the tilts change."""
        steps = decisions(market)
        number = np.arange(len(steps)) - self.lookback
        due = number % self.rebalance == 0
        if path is not None:
            tilt = self._tilt(self._sectors(market)[2])[path.states[steps]]
            due[1:] |= (tilt[1:] != tilt[:-1]).any(axis=1)
        return np.flatnonzero(due & (number >= 0))

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

    def _tilt(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Tilts by regime and sector, shape (4, sectors)."""
        tilt = np.zeros((len(RegimePath.names), len(names)))
        for regime, by_sector in (load_tilts() if self.tilts is None else self.tilts).items():
            tilt[RegimePath.names.index(regime)] = [by_sector.get(name, 0.0) for name in names]
        return tilt

    def _sectors(
        self, market: Market
    ) -> tuple[tuple[str, ...], tuple[int, ...], tuple[str, ...], tuple[str, ...]]:
        """The lines of the universe, in the market's order, the sector of each, the sectors, and remarks."""
        universe = self.universe if isinstance(self.universe, str) else tuple(self.universe)
        known = _SECTORS.setdefault(market, {})
        key = universe, self.top
        if key not in known:
            sectors, notes = self._sector_of_lines(market)
            names = tuple(dict.fromkeys(sectors))
            ordered = sectors.loc[[symbol for symbol in market.symbols if symbol in sectors.index]]
            member = tuple(names.index(name) for name in ordered)
            known[key] = tuple(ordered.index.astype(str)), member, names, notes
        found: tuple[tuple[str, ...], tuple[int, ...], tuple[str, ...], tuple[str, ...]] = known[key]
        return found

    def _sector_of_lines(self, market: Market) -> tuple[pd.Series[str], tuple[str, ...]]:
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
