"""What the ledger keeps apart: lines of positions, kinds of fees and sources of profit and loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entrepot.errors import DataError
from entrepot.markets.market import Market

FEE_KINDS = (
    "stamp_duty",
    "sfc_levy",
    "afrc_levy",
    "trading_fee",
    "settlement_fee",
    "brokerage",
    "sec_section31",
    "finra_taf",
    "flat_fee",
)
SOURCES = (
    "price",
    "fx",
    "dividend",
    "borrow",
    "rebate",
    "interest",
    "ads_fee",
    "conversion",
    "conversion_fee",
    "slippage",
    "impact",
    "fx_spread",
    *FEE_KINDS,
)
CASH = "cash:"  # before a currency: what its cash earned and lost, beside the symbols
# Sources that are earned or lost by holding; the others are what the run cost.
NOT_COSTS = ("price", "fx", "dividend", "rebate", "interest", "conversion")


@dataclass(frozen=True)
class Lines:
    """The columns the ledger keeps apart.

    A symbol held singly and as a leg of a pair, or as a leg of two pairs, is one line for each: positions of
    different orders never net, so that a hedge stays equal in ordinary shares whatever else is held.

    Args:
        symbols: symbol of each line, length K.
        columns: its position among the market's symbols.
        legs: lines of the Hong Kong and the ADR leg of each linked pair, shape (P, 2).
        pairs: symbols of those legs.
        singles: how many lines have targets of their own; they are the first ones.
    """

    symbols: tuple[str, ...]
    columns: NDArray[np.int64]
    legs: NDArray[np.int64]
    pairs: tuple[tuple[str, str], ...]
    singles: int

    @classmethod
    def of(cls, market: Market, singles: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Lines:
        """Lay out the lines: single ones in the market's order, legs by pair, what single ones turn into.

        Raises:
            DataError: for a line whose name is that of cash.
        """
        into = dict(zip(market.delistings["symbol"], market.delistings["into"], strict=True))
        heirs = {into[s] for s in singles if into.get(s)} - set(singles)
        ordered = [s for s in market.symbols if s in set(singles)]
        symbols = [*ordered, *(leg for pair in pairs for leg in pair)]
        symbols += [s for s in market.symbols if s in heirs]
        for symbol in symbols:
            if symbol.startswith(CASH):
                raise DataError(
                    f"{symbol} is traded and would be taken for cash of a currency in what a run books: give "
                    f"the line a name that does not begin with {CASH}"
                )
        first = len(ordered)
        legs = [[first + 2 * p, first + 2 * p + 1] for p in range(len(pairs))]
        columns = np.array([market.column(s) for s in symbols], dtype=np.int64)
        return cls(
            tuple(symbols),
            columns,
            np.array(legs, dtype=np.int64).reshape(len(pairs), 2),
            tuple(pairs),
            first,
        )

    @property
    def pair(self) -> NDArray[np.int64]:
        """The pair each line is a leg of, shape (K,); -1 for a single one."""
        pair = np.full(len(self.symbols), -1, dtype=np.int64)
        pair[self.legs] = np.arange(len(self.legs))[:, None]
        return pair

    @property
    def linked(self) -> NDArray[np.bool_]:
        """Whether each line is a leg of a pair, shape (K,)."""
        return self.pair >= 0
