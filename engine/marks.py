"""At which price and rate each line stands in the books."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine.lines import Lines
from entrepot.markets.market import Market

Floats = NDArray[np.float64]


def marked_values(market: Market, lines: Lines, positions: Floats, base_currency: str) -> Floats:
    """Value each line after each step in base currency, shape (T, K).

    Args:
        market: T steps.
        lines: K lines.
        positions: shares held after the fills of each step, (T, K).
        base_currency: of the values.
    """
    worth = line_marks(market, lines, positions) * line_rates(market, lines)
    rate = market.fx[base_currency].to_numpy(dtype=float)[:, None]
    return np.where(positions != 0.0, positions * worth / rate, 0.0)


def line_marks(market: Market, lines: Lines, positions: Floats) -> Floats:
    """Price at which each line stands in the books after each step, local currency, shape (T, K).

    It is the last traded one, per share as split since; NaN before the first. A line that left the market and
    was kept is worth its Hong Kong line at parity.
    """
    growth = np.column_stack([np.ones((len(market), 0)), *(share_growth(market, s) for s in lines.symbols)])
    printed = pd.DataFrame(market.prices[:, lines.columns] * growth)
    marks = np.asarray(printed.ffill().to_numpy() / growth, dtype=float)
    for line, symbol in enumerate(lines.symbols):
        gone = departure(market, symbol)
        if positions[gone:, line].any():
            left = market.delistings[market.delistings["symbol"] == symbol].iloc[0]
            pair = int(lines.pair[line])
            heir = lines.symbols.index(lines.pairs[pair][0] if pair >= 0 else str(left["into"]))
            last = int(np.flatnonzero(market.grid["session"] <= left["last_session"])[-1])
            per_share = float(left["ordinary_per_ads"]) * growth[gone:, heir] / growth[last, heir]
            rate = line_rates(market, lines)[gone:]
            marks[gone:, line] = per_share * marks[gone:, heir] * rate[:, heir] / rate[:, line]
    return marks


def line_rates(market: Market, lines: Lines) -> Floats:
    """USD per unit of each line's currency, shape (T, K)."""
    return usd_rates(market, market.instruments["currency"].reindex(list(lines.symbols)).tolist())


def usd_rates(market: Market, currencies: Sequence[str]) -> Floats:
    """USD per unit of each currency, shape (T, C)."""
    return np.asarray(market.fx[list(currencies)].to_numpy(), dtype=float)


def share_growth(market: Market, symbol: str) -> Floats:
    """Shares that splits have made, by each step, of one share held before the first; (T,)."""
    growth = np.ones(len(market))
    if market.instruments.at[symbol, "adjustment"] != "raw":
        return growth
    session = market.grid["session"].to_numpy()
    there = market.venue_of_step == market.instruments.at[symbol, "venue"]
    own = market.splits[(market.splits["symbol"] == symbol) & (market.splits["ex_date"] >= session[0])]
    for date, factor in zip(own["ex_date"].to_numpy(), own["factor"].to_numpy(dtype=float), strict=True):
        growth[np.logical_or.accumulate(there & (session >= date))] *= factor
    return growth


def departure(market: Market, symbol: str) -> int:
    """First step after the last session of a symbol that leaves the market, T where it stays."""
    row = market.delistings[market.delistings["symbol"] == symbol]
    if row.empty:
        return len(market)
    session, end = market.grid["session"].to_numpy(), row["last_session"].to_numpy()[0]
    there = market.venue_of_step == market.instruments.at[symbol, "venue"]
    until, after = np.flatnonzero(there & (session <= end)), there & (session > end)
    if not len(until):
        return 0 if after.any() else len(market)
    over = after.any() or session[until[-1]] == end
    return int(until[-1]) + 1 if over else len(market)
