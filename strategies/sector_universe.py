"""What a rotation may hold: the lines, the sector of each at each decision, and their total returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.decisions import Identity
from entrepot.errors import ParameterError
from entrepot.markets.market import Market
from entrepot.markets.sectors import UNCLASSIFIED, SectorMap, coded, load_sectors
from entrepot.strategies.targets import decisions, sessions_of

UNIVERSES = ("auto", "etf", "hk")


@dataclass(frozen=True, eq=False)
class Universe:
    """The lines that a rotation may hold, and what each belongs to.

    Args:
        symbols: N lines, in the market's order.
        codes: shape (S, N), the sector of each line at each decision as a position in ``names``; -1: none.
        names: of the sectors; of an ETF or an unclassified line its own symbol.
        notes: what was left out, a sentence each.
    """

    symbols: tuple[str, ...]
    codes: NDArray[np.int64]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def key(self) -> tuple[object, ...]:
        """Equal for universes with equal lines and sectors."""
        moved = np.ones(len(self.codes), dtype=bool)
        moved[1:] = (self.codes[1:] != self.codes[:-1]).any(axis=1)
        return self.symbols, self.names, tuple(np.flatnonzero(moved)), self.codes[moved].tobytes()

    def lines_of(self, sector: int) -> list[str]:
        """Return the lines that belong to a sector at some decision."""
        ever = (self.codes == sector).any(axis=0)
        return [symbol for symbol, own in zip(self.symbols, ever, strict=True) if own]


# By market: universes by what was asked for.
_KNOWN: WeakKeyDictionary[Market, dict[Any, Universe]] = WeakKeyDictionary()


def universe_of(
    market: Market, asked: str | tuple[str, ...], top: int, sectors: SectorMap | None
) -> Universe:
    """Return the universe asked for, made once for each market.

    Args:
        market: with at least one line of the universe.
        asked: see `SectorRotation`.
        top: sectors held, for "auto".
        sectors: a map that overrules the market; None: the bundled one where the market agrees with it.

    Raises:
        ParameterError: when the universe is not in the market.
    """
    known = _KNOWN.setdefault(market, {})
    key = asked, top, Identity(sectors)
    if key not in known:
        known[key] = _universe(market, asked, top, sectors)
    return known[key]


def _universe(market: Market, asked: str | tuple[str, ...], top: int, sectors: SectorMap | None) -> Universe:
    history = (sectors or load_sectors()).history(market, overrule=sectors is not None)
    kind, venue = market.instruments["kind"], market.instruments["venue"]
    unknown = set(history.loc[history["sector"] == UNCLASSIFIED, "symbol"])
    unclassified = pd.Series(kind.index.isin(unknown), kind.index)
    etf, alone = kind == "etf", unclassified
    hk = (venue == "XHKG") & (kind == "ordinary")
    notes: tuple[str, ...] = ()
    if asked == "auto":
        asked = "etf" if etf.sum() > top else "hk" if hk.any() else "all"
        if asked == "hk" and etf.any():
            notes = (f"Hong Kong lines are ranked: {etf.sum()} funds are no choice of top={top}",)
    if not isinstance(asked, str):
        lines, alone = _named(market, asked), etf | unclassified
    elif asked == "etf":
        if not etf.any():
            raise ParameterError(
                "universe is 'etf' and this market has no ETF: load some or use universe='hk'"
            )
        lines, alone = list(kind.index[etf]), etf
    elif asked == "hk":
        if not hk.any():
            raise ParameterError(
                "universe is 'hk' and this market has no Hong Kong share: load some or use universe='etf'"
            )
        if (hk & ~unclassified).sum() == 0:
            raise ParameterError(
                "no Hong Kong line of this market has a sector: give symbols as the universe"
            )
        lines, left_out = list(kind.index[hk & ~unclassified]), kind.index[hk & unclassified]
        if len(left_out):
            notes += (f"not ranked, since the registry gives no sector: {', '.join(left_out)}",)
    else:
        lines = list(kind.index[kind != "index"])
    own = pd.DataFrame({"symbol": [symbol for symbol in lines if alone[symbol]]})
    history = pd.concat([history[~history["symbol"].isin(own["symbol"])], own.assign(sector=own["symbol"])])
    codes, names = coded(history, lines, sessions_of(market, decisions(market)))
    ordered = sorted(range(len(lines)), key=lambda n: market.column(lines[n]))
    symbols = tuple(str(lines[n]) for n in ordered)
    return Universe(symbols, np.ascontiguousarray(codes[:, ordered]), names, notes)


def _named(market: Market, asked: Sequence[str]) -> list[str]:
    """Return the lines named, each of which must be in the market and held once."""
    for symbol in asked:
        if market.instruments["kind"].iloc[market.column(symbol)] == "index":
            raise ParameterError(f"{symbol} is an index and cannot be held: name an ETF or a stock")
    if not asked or len(set(asked)) != len(asked):
        raise ParameterError("universe is an empty list or names a symbol twice: give each symbol once")
    return list(asked)


def total_return_levels(market: Market, columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Printed prices times what splits and gross dividends have added since the first step, shape (T, N).

    Only ratios of two levels mean something. A dividend is reinvested at the first price on or after its
    ex-date. NaN where none was printed.
    """
    prices = market.printed[:, columns]
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
