"""How much of a strategy to hold: by its volatility, by the regime, and with what against its beta."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind
from entrepot.regimes.path import RegimePath
from entrepot.strategies.baskets import usd_levels
from entrepot.strategies.book import Book, Pairs, decided
from entrepot.strategies.composition import Composition, require_part, short_name
from entrepot.strategies.pair_history import once_per_market
from entrepot.strategies.switch import Part
from entrepot.strategies.targets import (
    Strategy,
    carried,
    columns_of,
    decisions,
    require,
    require_choice,
    require_path,
)

Method = Literal["beta", "dollar"]
A_YEAR = 252.0  # New York sessions

Floats = NDArray[np.float64]
Sized = Strategy | pd.DataFrame


@dataclass(frozen=True, eq=False, repr=False)
class Sizing(Composition):
    """One strategy in another size."""

    strategy: Sized

    def __post_init__(self) -> None:
        super().__post_init__()
        require_part("strategy", self.strategy)

    def named(self) -> dict[str, Part]:
        """Return the one part, ``strategy``."""
        return {"strategy": self.strategy}

    def _held(self, market: Market, path: RegimePath | None) -> Book:
        """What the strategy itself stands for; its name before each of its notes."""
        book = Book.of(market, self.strategy, path)
        name = short_name(self.strategy)
        return replace(book, notes=tuple(f"{name}: {note}" for note in book.notes))


@dataclass(frozen=True, eq=False, repr=False)
class ScaledToVolatility(Sizing):
    """What `scale_to_volatility` makes; the parameters are explained there."""

    target: float = 0.10
    lookback: int = 60
    horizon: int = 5
    cap: float = 2.0
    band: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require("target", self.target, 0, above=True)
        require_window(self.lookback, self.horizon)
        require("cap", self.cap, 0, above=True)
        require("band", self.band, 0)

    def book(self, market: Market, path: RegimePath | None) -> Book:
        """Return what the strategy stands for, times the scale."""
        book = self._held(market, path)
        returns = returns_over(market, book.pairs, int(self.horizon))
        scale, current, measured = np.full(len(market), np.nan), 0.0, False
        for step, rows in windows(market, book, int(self.lookback), int(self.horizon)):
            weight = book.wanted[step]
            if weight.any() and rows is not None:
                made = earned(returns[rows], weight)
                if enough(made):
                    volatility = np.sqrt(np.nanmean(made**2) * A_YEAR / self.horizon)
                    wanted = min(self.cap, self.target / max(volatility, 1e-12))
                    measured = True
                    if abs(wanted - current) > self.band * current:
                        current = wanted
            scale[step] = current
        notes = book.notes
        if book.wanted.any() and not measured:
            notes = (*notes, "never held: its volatility could not be measured at any step")
        return replace(book, wanted=book.wanted * carried(scale[:, None]), notes=notes)


@dataclass(frozen=True, eq=False, repr=False)
class ScaledByRegime(Sizing):
    """What `scale_by_regime` makes; the parameters are explained there."""

    scales: Mapping[str, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.scales, Mapping):
            raise ParameterError(f"scales is {kind(self.scales)}: give numbers by regime, as {{'calm': 1.0}}")
        for name, scale in self.scales.items():
            require_choice("a regime in scales", name, RegimePath.names)
            require(f"the scale of {name}", scale, 0)

    def book(self, market: Market, path: RegimePath | None) -> Book:
        """Return what the strategy stands for, times the scale of the regime."""
        path = require_path(market, path, "scale_by_regime")
        book = self._held(market, path)
        by_regime = np.array([float(self.scales.get(name, 1.0)) for name in path.names])
        scale = decided(market, by_regime[path.states], before=0.0)
        return replace(book, wanted=book.wanted * scale[:, None])


@dataclass(frozen=True, eq=False, repr=False)
class Neutralised(Sizing):
    """What `neutralise` makes; the parameters are explained there."""

    against: str | Mapping[str, float] = "KWEB"
    method: Method = "beta"
    lookback: int = 120
    horizon: int = 5
    max_weight: float = 1.0
    band: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("method", self.method, get_args(Method))
        require_window(self.lookback, self.horizon)
        require("max_weight", self.max_weight, 0)
        require("band", self.band, 0)
        if not isinstance(self.against, (str, Mapping)) or not self.against:
            raise ParameterError(
                f"against is {kind(self.against)}: give a symbol, or shares by symbol as {{'KWEB': 0.5, ...}}"
            )
        if isinstance(self.against, Mapping):
            for symbol, share in self.against.items():
                require(f"the share of {symbol}", share, 0, above=True)

    def book(self, market: Market, path: RegimePath | None) -> Book:
        """Return what the strategy stands for, and the hedge."""
        columns, share = self._hedge(market)
        book, singles = self._held(market, path), len(market.symbols)
        returns = returns_over(market, book.pairs, int(self.horizon))
        hedge, current, measured = np.full(len(market), np.nan), 0.0, False
        # An order for a line that has no price yet would be dropped, and not said again.
        prices = np.cumsum(np.isfinite(market.prices[:, columns]), axis=0)
        priced: NDArray[np.bool_] = prices.min(axis=1) > 0
        for step, rows in windows(market, book, int(self.lookback), int(self.horizon)):
            weight = book.wanted[step]
            size = np.abs(weight[:singles]).sum() + 2 * np.abs(weight[singles:]).sum()
            exposure = np.nan
            if size == 0:
                exposure = 0.0
            elif not priced[step]:
                pass
            elif self.method == "dollar":
                exposure = weight[:singles].sum()
            elif rows is not None:
                window = returns[rows]
                exposure = slope(earned(window, weight), (window[:, columns] * share).sum(axis=1))
            measured |= size > 0 and bool(np.isfinite(exposure))
            wanted = float(np.clip(-exposure, -self.max_weight, self.max_weight))
            if abs(wanted - current) > self.band * size:
                current = wanted
            hedge[step] = current
        hedged, notes = book.wanted.copy(), book.notes
        hedged[:, columns] += carried(hedge[:, None]) * share
        if book.wanted.any() and not measured:
            notes = (*notes, "never hedged: the hedge had no price, or its beta could not be measured")
        return replace(book, wanted=hedged, notes=notes)

    def _hedge(self, market: Market) -> tuple[NDArray[np.intp], Floats]:
        """The columns of the hedge and their shares, which sum to 1."""
        shares = {self.against: 1.0} if isinstance(self.against, str) else dict(self.against)
        columns = columns_of(market, shares)
        table = market.instruments.iloc[columns]
        for symbol, what, may in zip(table.index, table["kind"], table["shortable"], strict=True):
            if what == "index":
                raise ParameterError(
                    f"{symbol} is an index and cannot be traded: hedge with an ETF or a stock"
                )
            if not may:
                raise ParameterError(
                    f"{symbol} may not be shorted in this market and cannot be the hedge: name a line that "
                    "may, or allow it with load_market(hk_shorts=[...])"
                )
        share = np.array(list(shares.values()), dtype=np.float64)
        return columns, share / share.sum()


# -- what a researcher calls ---------------------------------------------------------------------------------


def scale_to_volatility(
    strategy: Sized,
    target: float = 0.10,
    lookback: int = 60,
    horizon: int = 5,
    cap: float = 2.0,
    band: float = 0.1,
) -> ScaledToVolatility:
    """Hold a strategy in the size at which its volatility is expected to be the target.

    Every weight is multiplied by ``min(cap, target / v)``. With r the returns over ``horizon`` sessions that
    the weights standing now would have made in the last ``lookback`` sessions, in USD, dividends and splits
    included, overlapping, as if rebalanced at the start of each,

        v = sqrt(252 / horizon * mean(r^2))

    The mean is taken to be zero, since a dozen windows cannot tell it. The horizon is above 1 because the
    legs of a pair are marked twelve hours apart, and what one session takes the next gives back: on four real
    pairs from 2019 to 2025 v is about 50 % by day, 24 % by week and 12 % by month, and it is the last that
    is lost or earned. Of pairs alone a longer horizon, such as 21 with a lookback of 120, tells more. The
    legs count as equal in value, which they are to within the premium.

    The scale is decided at decision steps and where the strategy says something, and changes when it has
    moved by more than ``band`` of itself. A window counts if at least half its returns are known for all
    lines held; else the scale stays. Before the first that counts nothing is held.

    Args:
        strategy: or a frame of weights.
        target: annual volatility; 10 % is what most such funds promise.
        lookback: New York sessions; a quarter, over which volatility persists.
        horizon: sessions of each return; a week, which halves what the legs' delay adds and of which a
            quarter holds twelve.
        cap: largest scale.
        band: part of the scale.

    Raises:
        ParameterError: for parameters out of bounds.
    """
    return ScaledToVolatility(strategy, target, lookback, horizon, cap, band)


def scale_by_regime(strategy: Sized, scales: Mapping[str, float]) -> ScaledByRegime:
    """Hold a strategy in a size that goes by the regime of the last decision step.

    Args:
        strategy: or a frame of weights.
        scales: what all weights are multiplied by, by the regime's name; 1 where a regime is not named.

    Raises:
        ParameterError: for a name that is no regime and a scale that is no number of at least 0.
    """
    return ScaledByRegime(strategy, scales)


def neutralise(
    strategy: Sized,
    against: str | Mapping[str, float] = "KWEB",
    lookback: int = 120,
    horizon: int = 5,
    max_weight: float = 1.0,
    band: float = 0.1,
    *,
    method: Method = "beta",
) -> Neutralised:
    """Hold a strategy together with a line that offsets its exposure to that line.

    "beta": the hedge's weight is ``-cov(r, h) / var(h)``, with r the returns over ``horizon`` sessions that
    the weights standing now would have made in the last ``lookback`` sessions and h those of the hedge, as in
    `scale_to_volatility`. "dollar": minus the sum of the single lines' weights; a pair is zero by itself.

    The hedge is decided at decision steps and where the strategy says something, and changes when it has
    moved by more than ``band`` of the strategy's gross weight. Where fewer than half the window's returns are
    known for all lines held it stays; where the strategy wants nothing it is closed. Before the first window
    that counts, or the hedge's first price, the strategy is held without a hedge.

    Args:
        strategy: or a frame of weights.
        against: a symbol that may be shorted, or shares of several by symbol, whatever their sum. KWEB, the
            fund of China's internet companies, is what most of the pairs move with.
        lookback: New York sessions; half a year, over which betas are stable enough.
        horizon: sessions of each return: lines that close twelve hours apart have no beta by day.
        max_weight: largest absolute weight of the hedge.
        band: part of the gross weight.
        method: "beta" or "dollar".

    Raises:
        ParameterError: for parameters out of bounds; when run, for a line that is not in the market, an index
            and one that may not be shorted.
    """
    return Neutralised(strategy, against, method, lookback, horizon, max_weight, band)


# -- measures ------------------------------------------------------------------------------------------------


def require_window(lookback: object, horizon: object) -> None:
    """Refuse a window that does not hold a few returns."""
    require("lookback", lookback, 10, whole=True)
    require("horizon", horizon, 1, float(lookback) / 2, whole=True)  # type: ignore[arg-type]


@once_per_market
def line_returns(market: Market, horizon: int) -> Floats:
    """Total returns in USD of all lines over the sessions before each decision, shape (S, N); may be NaN."""
    levels = usd_levels(market, market.symbols)
    returns = np.full(levels.shape, np.nan)
    returns[horizon:] = levels[horizon:] / levels[:-horizon] - 1.0
    return returns


def returns_over(market: Market, pairs: Pairs, horizon: int) -> Floats:
    """Returns of single lines, then of pairs (Hong Kong less ADR), shape (S, N + P)."""
    lines = line_returns(market, horizon)
    hk, adr = (columns_of(market, [pair[leg] for pair in pairs]) for leg in (0, 1))
    return np.hstack([lines, lines[:, hk] - lines[:, adr]])


def windows(
    market: Market, book: Book, lookback: int, horizon: int
) -> Iterator[tuple[np.intp, slice | None]]:
    """Yield each step that decides, and the rows of returns in its window, None before the first full one."""
    steps = decisions(market)
    for step in np.flatnonzero(book.asked(market)):
        last = int(np.searchsorted(steps, step, side="right")) - 1
        yield step, slice(last - lookback + horizon, last + 1) if last >= lookback else None


def earned(returns: Floats, weight: Floats) -> Floats:
    """What weights would have made at each of some returns; NaN where one of a line held is unknown."""
    held = weight != 0
    return np.asarray((returns[:, held] * weight[held]).sum(axis=1))


def enough(returns: Floats) -> bool:
    """Tell whether at least half of some returns are known."""
    return 2 * int(np.isfinite(returns).sum()) >= len(returns)


def slope(own: Floats, others: Floats) -> float:
    """Ordinary least squares slope of returns on others; NaN where too few are known or none varies."""
    known = np.isfinite(own) & np.isfinite(others)
    if not enough(np.where(known, own, np.nan)):
        return np.nan
    x, y = others[known] - others[known].mean(), own[known] - own[known].mean()
    variance = (x * x).sum()
    return float((x * y).sum() / variance) if variance > 1e-18 else np.nan
