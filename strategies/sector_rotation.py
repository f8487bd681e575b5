"""Rotation among China sectors: hold the strongest or the calmest, sell the others, tilted by regime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from types import NoneType
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.decisions import Decision, Identity
from entrepot.errors import DataError, ParameterError, shown
from entrepot.markets.market import Market
from entrepot.markets.sectors import SectorMap
from entrepot.regimes.arguments import kind, short
from entrepot.regimes.path import RegimePath
from entrepot.strategies.sector_universe import UNIVERSES, Universe, total_return_levels, universe_of
from entrepot.strategies.targets import (
    STALE_SESSIONS,
    Parametrised,
    Targets,
    columns_of,
    count_in_whole_numbers,
    decisions,
    departed,
    emitted,
    latest,
    require,
    require_band,
    require_choice,
    require_market,
    require_path,
    require_symbols,
    sessions_of,
)

# By their numbers in the compiled rule.
Rule = Literal["momentum", "low_volatility", "risk_adjusted"]
Weighting = Literal["equal", "inverse_volatility"]
RULES, WEIGHTINGS = get_args(Rule), get_args(Weighting)
MOST_NAMED = 3  # lines in one note

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
    """Rank sectors every ``rebalance`` New York sessions, hold the best and, if asked, sell the worst.

    A sector is an equally weighted basket of Hong Kong lines (the main sector of each on the date of the
    decision), or one ETF. Over ``lookback`` sessions it is scored by

    * "momentum": the mean of its lines' returns (Jegadeesh and Titman 1993; Moskowitz and Grinblatt 1999 for
      industries);
    * "low_volatility": the standard deviation of the basket's daily returns, the lowest first (Blitz and van
      Vliet 2007);
    * "risk_adjusted": the first over the second;

    in cross-sectional standard deviations from the mean of all sectors, plus the tilt of the regime at that
    step. The ``top`` sectors get ``gross / top`` each, split equally among their lines; ties go to the first
    in the market's order. Where fewer sectors can be ranked the rest stays in cash.

    Of the others the ``short`` lowest are sold for ``gross_short / short`` each. A sector is sold whole or
    not at all: where one of its lines may not be shorted the next lowest takes its place, never one of the
    ``top``.

    Prices enter as ratios only, in local currency, splits and gross dividends included, so that raw and
    total-return levels may be mixed. At a New York close the day's Hong Kong close is already known. A line
    is ranked once it has traded within five sessions of every decision in the window, and until it leaves the
    market. A number is emitted for a line when its wanted weight changes: at rebalances, and when the regime
    brings other tilts. A line that has moved to another sector changes baskets, its past included, at the
    next of these.

    The defaults are common practice, not fitted: half a year of monthly rankings, the best three of the
    seven or eight sectors that China funds and Hong Kong lines make, long only.

        >>> import entrepot as ep
        >>> market = ep.simulate_market("2022-01-03", "2023-06-30", symbols=["KWEB", "FXI", "ASHR", "CQQQ"])
        >>> held = ep.backtest(market, ep.SectorRotation(top=2)).positions.iloc[-1]
        >>> int((held > 0).sum())
        2

    Args:
        lookback: sessions of the return and of the volatility.
        top: sectors held.
        universe: "etf"; "hk": sector baskets of Hong Kong ordinary shares; "auto": ETFs if there are more
            than ``top`` of them, else Hong Kong lines, else every line that is no index; or symbols, each
            in its sector (ETFs and unclassified lines on their own).
        rebalance: New York sessions between rankings, the first as soon as there is a window.
        gross: sum of the weights when all ``top`` sectors are held.
        tilts: by regime and sector (or ETF symbol), in standard deviations; None: `load_tilts`; {}: none.
            Without a regime path there are no tilts.
        skip: latest sessions left out of the window, for short-term reversal.
        drift_band: see `Targets`.
        rule: "momentum", "low_volatility" or "risk_adjusted".
        short: sectors sold; 0: long only.
        gross_short: sum of the weights sold when ``short`` sectors are; as much as is held by default, so
            that the market's own move is hedged dollar for dollar.
        weighting: "equal"; "inverse_volatility": the sectors of a side share its gross by one over their
            volatility instead.
        sectors: a map of one's own, from `load_sectors`, which is believed whatever the market says of a
            line. None: the bundled one, for lines whose sector in the market is the registry's.
    """

    lookback: int = 120
    top: int = 3
    universe: str | Sequence[str] = "auto"
    rebalance: int = 21
    gross: float = 1.0
    tilts: Tilts | None = None
    skip: int = 0
    drift_band: float = 0.10
    rule: Rule = "momentum"
    short: int = 0
    gross_short: float = 1.0
    weighting: Weighting = "equal"
    sectors: SectorMap | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require("lookback", self.lookback, 2, whole=True)
        require("top", self.top, 1, whole=True)
        require("rebalance", self.rebalance, 1, whole=True)
        require("gross", self.gross, 0)
        require("skip", self.skip, 0, self.lookback - 1, whole=True)
        require_band(self.drift_band)
        require_choice("rule", self.rule, RULES)
        require("short", self.short, 0, whole=True)
        require("gross_short", self.gross_short, 0)
        require_choice("weighting", self.weighting, WEIGHTINGS)
        if (self.rule, self.weighting) != ("momentum", "equal") and self.lookback - self.skip < 2:
            raise ParameterError(
                f"lookback is {self.lookback} and skip {self.skip}: a volatility needs two sessions between"
            )
        if not isinstance(self.sectors, (SectorMap, NoneType)):
            raise ParameterError(f"sectors is {kind(self.sectors)}: give a map, such as load_sectors(path)")
        if isinstance(self.universe, str) and self.universe not in UNIVERSES:
            raise ParameterError(
                f"universe is {shown(self.universe)}: give 'auto', 'etf', 'hk' or a sequence of symbols"
            )
        count_in_whole_numbers(self, "lookback", "top", "rebalance", "skip", "short")
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
                if not isinstance(sector, str):
                    raise ParameterError(
                        f"the tilts of {regime} name the sector {shown(sector)}: give its name as text, such "
                        "as 'it'"
                    )
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
        universe = self._universe(market)
        count = len(universe.names)
        numbers, _, kept = emitted(market, decision)
        steps = decisions(market)
        ranked = self._ranked(market, path)
        weights = np.full(market.price.shape, np.nan)
        weights[:, columns_of(market, decision.symbols)] = numbers
        scores = pd.DataFrame(kept[ranked, :count], sessions_of(market, steps[ranked]), list(universe.names))
        remarks = self._remarks(universe, len(steps), kept[:, count:])
        return Targets(
            weights=weights,
            drift_band=self.drift_band,
            notes=(*remarks, *self._barred(market, universe), *universe.notes),
            signals={"score": scores},
        )

    def decision(self, market: Market, path: RegimePath | None = None) -> Decision:
        """Return what is decided inside the loop; its numbers are those of `targets`.

        Configurations with the same universe, map and tilts share their features.

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
        universe = self._universe(market)
        params = [
            self.lookback,
            self.top,
            self.rebalance,
            self.gross,
            self.skip,
            len(universe.names),
            path is not None,
            RULES.index(self.rule),
            self.short,
            self.gross_short,
            WEIGHTINGS.index(self.weighting),
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
            symbols=universe.symbols,
            pairs=(),
            params=np.array([kernels.ROTATION, *params], dtype=np.float64),
            features=partial(self._features, market, path),
            features_key=("rotation", universe.key, tilts, Identity(path)),
            memory=len(universe.names) + len(universe.symbols),
            drift_band=self.drift_band,
            planes=7,
        )

    def _features(self, market: Market, path: RegimePath | None) -> NDArray[np.float64]:
        """Lay out what the rotation reads, shape (7, T, columns); rows are decisions, in their order."""
        from entrepot.strategies import _kernels as kernels

        universe = self._universe(market)
        symbols, names = universe.symbols, universe.names
        steps, columns = decisions(market), columns_of(market, symbols)
        growth, age = latest(total_return_levels(market, columns), steps)
        rows, lines = slice(0, len(steps)), slice(0, len(symbols))
        features = np.zeros((7, len(market), max(len(symbols), len(names))))
        features[kernels.GROWTH, rows, lines] = growth
        features[kernels.GAPS, rows, lines] = (age > STALE_SESSIONS).cumsum(axis=0)
        if path is not None:
            features[kernels.TILT, rows, : len(names)] = self._tilt(names)[path.states[steps]]
        features[kernels.MEMBER, rows, lines] = universe.codes
        features[kernels.LEFT, rows, lines] = departed(market)[np.ix_(steps, columns)]
        features[kernels.SHORTABLE, 0, lines] = market.instruments["shortable"].to_numpy(bool)[columns]
        features[kernels.ROW, steps, 0] = np.arange(len(steps))
        return features

    def _ranked(self, market: Market, path: RegimePath | None) -> NDArray[np.intp]:
        """The decisions that rank: every ``rebalance``-th, and where the tilt of a line changes."""
        steps = decisions(market)
        number = np.arange(len(steps)) - self.lookback
        due = number % self.rebalance == 0
        if path is not None:
            universe = self._universe(market)
            tilt = self._tilt(universe.names)[path.states[steps]]
            changed = np.take_along_axis(tilt[1:] != tilt[:-1], np.maximum(universe.codes[1:], 0), axis=1)
            due[1:] |= (changed & (universe.codes[1:] >= 0)).any(axis=1)
        return np.flatnonzero(due & (number >= 0))

    def _remarks(self, universe: Universe, count: int, wanted: NDArray[np.float64]) -> tuple[str, ...]:
        """Say what of the parameters has no effect in this market, and why nothing is ever held."""
        remarks, names = [], universe.names
        if self.gross == 0 and (self.short == 0 or self.gross_short == 0):
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
        if self.short > 0 and len(names) < self.top + self.short:
            remarks.append(
                f"top is {self.top}, short is {self.short} and the universe has {len(names)} sectors: at "
                f"most {max(0, len(names) - self.top)} are sold"
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

    def _barred(self, market: Market, universe: Universe) -> tuple[str, ...]:
        """Say which sectors are never sold short, and for which lines."""
        if self.short == 0:
            return ()
        shortable = market.instruments["shortable"].astype(bool)
        barred = {}
        for sector, name in enumerate(universe.names):
            if lines := [symbol for symbol in universe.lines_of(sector) if not shortable[symbol]]:
                named = ", ".join(lines[:MOST_NAMED] + ["..."] * (len(lines) > MOST_NAMED))
                barred[name] = name if lines == [name] else f"{name} ({named})"
        if not barred:
            return ()
        told = f"not sold short while a line of theirs may not be: {', '.join(barred.values())}"
        if len(barred) == len(universe.names):
            return (f"{told}; name what may be shorted when the market is loaded",)
        return (f"{told}; the next lowest is sold instead",)

    def _universe(self, market: Market) -> Universe:
        asked = self.universe if isinstance(self.universe, str) else tuple(self.universe)
        return universe_of(market, asked, self.top, self.sectors)
