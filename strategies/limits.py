"""How much of a strategy may be held: limits by line, gross and net, and what the lines trade."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError
from entrepot.markets.market import Market
from entrepot.markets.volume import LONGEST, average_volume
from entrepot.regimes.arguments import short
from entrepot.regimes.path import RegimePath
from entrepot.strategies.book import Book, Pairs
from entrepot.strategies.pair_history import once_per_market
from entrepot.strategies.sizing import Sized, Sizing
from entrepot.strategies.targets import carried, columns_of, latest, require

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Capped(Sizing):
    """What `cap` makes; the parameters are explained there."""

    name: float | None = None
    gross: float | None = None
    net: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given = {"name": self.name, "gross": self.gross, "net": self.net}
        for word, limit in given.items():
            if limit is not None:
                require(word, limit, 0)
        if all(limit is None for limit in given.values()):
            raise ParameterError("cap was given no limit: give name, gross or net, as fractions of equity")

    def book(self, market: Market, path: RegimePath | None) -> Book:
        """Return what the strategy stands for within the limits."""
        book, singles = self._held(market, path), len(market.symbols)
        wanted = book.wanted
        if self.name is not None:
            limit = np.full(market.price.shape, float(self.name))
            wanted = wanted * within(market, book.pairs, wanted, limit)
        sizes: tuple[tuple[float | None, Callable[[Floats], Floats]], ...] = (
            (self.gross, lambda w: gross_weight(w, singles)),
            (self.net, lambda w: np.abs(w[:, :singles].sum(axis=1))),
        )
        for most, size in sizes:
            if most is not None:
                shrunk = part_allowed(size(wanted), np.full(len(wanted), float(most)))
                wanted = wanted * shrunk[:, None]
        return replace(book, wanted=wanted)


@dataclass(frozen=True, eq=False, repr=False)
class LimitedToVolume(Sizing):
    """What `limit_to_volume` makes; the parameters are explained there."""

    capital: float
    participation: float = 0.05
    sessions: int = 20
    days: float = 1.0
    band: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require("capital", self.capital, 0, above=True)
        require("participation", self.participation, 0, 1)
        require("sessions", self.sessions, 1, LONGEST, whole=True)
        require("days", self.days, 0, above=True)
        require("band", self.band, 0)

    def book(self, market: Market, path: RegimePath | None) -> Book:
        """Return what the strategy stands for, as far as it can be traded."""
        book = self._held(market, path)
        asked = book.asked(market)
        known = np.isfinite(volumes(market)).any(axis=0)
        traded = traded_value(market, int(self.sessions))
        held = (by_symbol(market, book.pairs, book.wanted) > 0) & asked[:, None]
        never = [market.symbols[n] for n in np.flatnonzero(held.any(axis=0) & ~known)]
        if never:
            raise DataError(
                f"{never[0]} is wanted and none of its volumes is known: load them, or leave the line out"
            )
        early = [market.symbols[n] for n in np.flatnonzero((held & np.isnan(traded)).any(axis=0))]
        note = f"not held until {self.sessions:g} of its volumes are known: {short(', '.join(early))}"
        notes = (*book.notes, note) if early else book.notes
        limit = self.participation * self.days * np.nan_to_num(traded) / self.capital
        fitting = book.wanted * within(market, book.pairs, book.wanted, limit)
        wanted = np.full(fitting.shape, np.nan)
        current = np.zeros(fitting.shape[1])
        for step in np.flatnonzero(asked):
            moved = np.abs(fitting[step] - current) > self.band * np.abs(current)
            wanted[step] = current = np.where(moved | book.spoken[step], fitting[step], current)
        return replace(book, wanted=carried(wanted), notes=notes)


def cap(
    strategy: Sized, name: float | None = None, gross: float | None = None, net: float | None = None
) -> Capped:
    """Hold no more of a strategy than limits allow, as fractions of equity.

    First each line: where the absolute weights of one symbol, as a single line and as a leg of pairs, sum to
    more than ``name``, all of them shrink to fit, a pair by the tighter of its legs. Then everything
    shrinks in proportion where the gross weight, both legs of pairs counted, exceeds ``gross``, and where
    the absolute net weight, in which a pair is zero, exceeds ``net``. Positions of one symbol in different
    orders never net in the ledger, and so not here. What is wanted is limited: what is held moves beyond it
    with prices, as far as the drift band lets it.

    Args:
        strategy: or a frame of weights.
        name: of one line.
        gross: of all lines.
        net: of all lines.

    Raises:
        ParameterError: without any limit, and for one that is no number of at least 0.
    """
    return Capped(strategy, name, gross, net)


def limit_to_volume(
    strategy: Sized,
    capital: float,
    participation: float = 0.05,
    sessions: int = 20,
    days: float = 1.0,
    band: float = 0.1,
) -> LimitedToVolume:
    """Hold no more of any line than could be traded in some days at a share of its volume.

    No symbol weighs more than ``participation * days * v / capital``, v being its usual volume (the median of
    the last ``sessions``, see `average_volume`) at the last price, in USD. What a symbol weighs in several
    columns counts together; of a pair the thinner leg binds. Nothing is held of a line before ``sessions`` of
    its volumes are known, which a note says. Sizes change when the strategy says something
    and when they have moved by more than ``band`` of themselves.

    Args:
        strategy: or a frame of weights.
        capital: in USD, what the weights are fractions of.
        participation: share of the volume; 5 % is a usual limit of desks that do not want to be seen.
        sessions: of the median; a month.
        days: in which a position is to be built or left.
        band: part of the size.

    Raises:
        ParameterError: for parameters out of bounds.
        DataError: when run, on a market without volume, and for a line of which no volume is known.
    """
    return LimitedToVolume(strategy, capital, participation, sessions, days, band)


# -- measures ------------------------------------------------------------------------------------------------


def gross_weight(wanted: Floats, singles: int) -> Floats:
    """Sum of absolute weights, both legs of pairs counted, shape (T,)."""
    return np.asarray(np.abs(wanted[:, :singles]).sum(axis=1) + 2 * np.abs(wanted[:, singles:]).sum(axis=1))


def by_symbol(market: Market, pairs: Pairs, wanted: Floats) -> Floats:
    """Absolute weight of each symbol in all its columns, shape (T, N)."""
    singles = len(market.symbols)
    total = np.abs(wanted[:, :singles])
    for p, pair in enumerate(pairs):
        total[:, columns_of(market, pair)] += np.abs(wanted[:, singles + p, None])
    return total


def part_allowed(size: Floats, limit: Floats) -> Floats:
    """By how much sizes have to shrink to be within limits; 1 where they are."""
    return np.where(size > limit, limit / np.where(size > limit, size, 1.0), 1.0)


def within(market: Market, pairs: Pairs, wanted: Floats, limit: Floats) -> Floats:
    """By how much each column has to shrink for each symbol to be within its limit, shape (T, N + P)."""
    lines = part_allowed(by_symbol(market, pairs, wanted), limit)
    hk, adr = (columns_of(market, [pair[leg] for pair in pairs]) for leg in (0, 1))
    return np.hstack([lines, np.minimum(lines[:, hk], lines[:, adr])])


def volumes(market: Market) -> Floats:
    """Return the market's volumes, shape (T, N), or say that it has none."""
    if market.volume is None:
        raise DataError("this market has no volume: load prices with a column of volumes")
    return market.volume.to_numpy(np.float64)


@once_per_market
def traded_value(market: Market, sessions: int) -> Floats:
    """Usual volume of each line times its price, in USD, at its last step that had both, shape (T, N).

    NaN before the first.

    Raises:
        DataError: when nothing is known of any volume.
    """
    rates = market.fx[market.instruments["currency"]].to_numpy(np.float64)
    value = average_volume(market, sessions).to_numpy(np.float64) * market.printed * rates
    return latest(value, np.arange(len(market)))[0]
