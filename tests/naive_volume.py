"""What is usually traded of a line and how much it moves, a session at a time: slow, and plain."""

from __future__ import annotations

import math
from statistics import median

import numpy as np
import pandas as pd

from entrepot.markets.market import Market


def usual(market: Market, symbol: str, step: int, sessions: int) -> tuple[float, float]:
    """Average volume and daily volatility of a line as known at a step."""
    grid, row = market.grid, market.instruments.loc[symbol]
    own = [t for t in range(step + 1) if grid["venue"][t] == row["venue"]]
    closes = [t for t in own if grid["phase"][t] == "close"]

    def begins(date: pd.Timestamp) -> int:
        """The first step of the line on or after a date."""
        return next((t for t in own if grid["session"][t] >= date), 10**9)

    splits = [
        (begins(s.ex_date), s.factor)
        for s in market.splits.itertuples()
        if s.symbol == symbol and row["adjustment"] == "raw"
    ]
    paid = [
        (begins(d.ex_date), d.amount)
        for d in market.dividends.itertuples()
        if d.symbol == symbol and row["adjustment"] != "total_return"
    ]

    def grown(first: int, last: int) -> float:
        """Shares that one share held at the first step is at the last."""
        return math.prod(factor for t, factor in splits if first < t <= last)

    volumes, returns = [], []
    for n, t in enumerate(closes):
        seen = math.nan if market.volume is None else float(market.volume[symbol].iloc[t])
        volumes.append(seen * grown(t, step) if seen > 0 else math.nan)
        price = float(market.price[symbol].iloc[t])
        if market.estimated[t, market.column(symbol)]:
            price = math.nan
        if n == 0:
            returns.append(math.nan)
            before = price
            continue
        worth = price * grown(closes[n - 1], t)
        for ex, amount in paid:
            if closes[n - 1] < ex <= t:
                worth += amount * grown(closes[n - 1], ex)
        returns.append(worth / before - 1)
        before = price

    def last(values: list[float]) -> list[float]:
        return [x for x in values[-3 * sessions :] if not math.isnan(x)][-sessions:]

    volume, change = last(volumes), last(returns)
    return (
        median(volume) if len(volume) == sessions else math.nan,
        float(np.sqrt(np.mean(np.square(change)))) if len(change) == sessions else math.nan,
    )
