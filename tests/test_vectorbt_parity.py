"""vectorbt and `backtest_batch` give the same equity, as long as vectorbt does what it is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hot_loop import CAPITAL, FEE, TOLERANCE, FloatArray, disagreement, make_world, prepare

SHAPE = (8, 250, 6)  # configurations, steps, instruments
VECTORBT = ("vectorbt numba", "vectorbt rust")


def rebalance(prices: pd.DataFrame, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return equity and cash, (steps, configurations): weights of equity before fees, at that price."""
    price = prices.to_numpy()
    configurations, steps, instruments = weights.shape
    equity = np.empty((steps, configurations))
    cash = np.empty((steps, configurations))
    for c in range(configurations):
        held, purse = np.zeros(instruments), CAPITAL
        for t in range(steps):
            wanted = weights[c, t] * (purse + held @ price[t]) / price[t]
            purse -= (wanted - held) @ price[t] + FEE * np.abs(wanted - held) @ price[t]
            held = wanted
            equity[t, c] = purse + held @ price[t]
            cash[t, c] = purse
    return equity, cash


@pytest.mark.parametrize("kind", ["long", "neutral"])
def test_equity_is_vectorbts(kind: str) -> None:
    prices, weights = make_world(kind, *SHAPE)
    ours = prepare("entrepot", prices, weights)()
    for engine in VECTORBT:
        assert disagreement(ours, prepare(engine, prices, weights)()) < TOLERANCE, engine


@pytest.mark.parametrize("kind", ["full", "levered"])
def test_vectorbt_cuts_purchases_that_need_negative_cash(kind: str) -> None:
    prices, weights = make_world(kind, *SHAPE)
    told, cash = rebalance(prices, weights)
    assert cash.min() < 0.0
    assert disagreement(prepare("entrepot", prices, weights)(), told) < TOLERANCE
    for engine in VECTORBT:
        assert disagreement(prepare(engine, prices, weights)(), told) > 1e-5, engine
