"""What a strategy stands for at every step, as strategies that are made of others see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.markets.market import Market
from entrepot.regimes.path import RegimePath
from entrepot.strategies.switch import Part, targets_of_part
from entrepot.strategies.targets import Targets, carried, columns_of, departed

Pairs = tuple[tuple[str, str], ...]

ROUNDING = 1e-12  # a weight that is another only by this is the same


@dataclass(frozen=True, eq=False)
class Book:
    """What a strategy stands for at each of T steps, in N single lines of the market, then in P pairs.

    Args:
        pairs: P linked pairs as (Hong Kong symbol, ADR symbol).
        wanted: shape (T, N + P), the last number said; 0 before the first and once the line has left.
        spoken: shape (T, N + P), where a number was said.
        exits: shape (T, P), as `Targets.exits`.
        drift_band: as `Targets.drift_band`.
        notes: a sentence each.
        signals: series by name.
    """

    pairs: Pairs
    wanted: NDArray[np.float64]
    spoken: NDArray[np.bool_]
    exits: NDArray[np.int8]
    drift_band: float = np.inf
    notes: tuple[str, ...] = ()
    signals: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @classmethod
    def of(cls, market: Market, part: Part, path: RegimePath | None) -> Book:
        """Read what a strategy or a frame of weights wants; None is cash."""
        if part is None:
            nothing = np.zeros(market.price.shape)
            return cls((), nothing, nothing != 0, np.empty((len(market), 0), dtype=np.int8))
        targets = targets_of_part(market, part, path)
        numbers = np.hstack([targets.weights, targets.pair_weights])
        wanted = np.where(gone(market, targets.pairs), 0.0, carried(numbers))
        return cls(
            targets.pairs,
            wanted,
            np.isfinite(numbers),
            targets.exits,
            targets.drift_band,
            targets.notes,
            targets.signals,
        )

    def asked(self, market: Market) -> NDArray[np.bool_]:
        """Tell the steps at which what is made of it decides: the market's, and where it says something."""
        return market.decision_steps | self.spoken.any(axis=1)

    def on(self, market: Market, pairs: Pairs) -> Book:
        """Lay it out over more pairs, of which it wants nothing."""
        singles, steps = len(market.symbols), len(market)
        to = [*range(singles), *(singles + pairs.index(pair) for pair in self.pairs)]
        wanted, spoken = (
            np.zeros((steps, singles + len(pairs))),
            np.zeros((steps, singles + len(pairs)), bool),
        )
        exits = np.zeros((steps, len(pairs)), dtype=np.int8)
        wanted[:, to], spoken[:, to] = self.wanted, self.spoken
        exits[:, [place - singles for place in to[singles:]]] = self.exits
        return replace(self, pairs=pairs, wanted=wanted, spoken=spoken, exits=exits)

    def targets(self, market: Market) -> Targets:
        """Say what is wanted where a part says something or what is wanted changes."""
        before = np.vstack([np.zeros((1, self.wanted.shape[1])), self.wanted[:-1]])
        said = (self.spoken | (np.abs(self.wanted - before) > ROUNDING)) & ~gone(market, self.pairs)
        numbers, singles = np.where(said, self.wanted, np.nan), len(market.symbols)
        return Targets(
            weights=numbers[:, :singles],
            pairs=self.pairs,
            pair_weights=numbers[:, singles:],
            drift_band=self.drift_band,
            notes=self.notes,
            signals=self.signals,
            exits=self.exits,
        )


def gone(market: Market, pairs: Pairs) -> NDArray[np.bool_]:
    """Tell which single lines and pairs have left the market at each step, shape (T, N + P)."""
    left = departed(market)
    return np.hstack([left, left[:, columns_of(market, [adr for _, adr in pairs])]])


def merged(books: Iterable[Book]) -> Pairs:
    """Return the pairs of several books, each once."""
    return tuple(dict.fromkeys(pair for book in books for pair in book.pairs))


def all_signals(books: Iterable[Book]) -> dict[str, pd.DataFrame]:
    """Put the series of several books together; of two of one name the first stays."""
    return reduce(lambda found, book: {**book.signals, **found}, books, {})


def last_where(codes: NDArray[np.int64], before: int) -> NDArray[np.int64]:
    """Carry the last code that is not negative forward along the steps."""
    row = np.maximum.accumulate(np.where(codes >= 0, np.arange(len(codes)), -1))
    return np.where(row >= 0, codes[row], before)


def decided(market: Market, values: NDArray[Any], before: Any) -> NDArray[Any]:
    """Return each step's value as of the last decision step, `before` until there is one."""
    row = np.maximum.accumulate(np.where(market.decision_steps, np.arange(len(values)), -1))
    return np.where(row >= 0, values[row], before)
