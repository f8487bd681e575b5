"""What the engine refuses, each in one sentence, and what it does when orders cannot be filled."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import worlds

import entrepot as ep


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market("2021-01-04", "2021-03-31")


@pytest.fixture(scope="module")
def weights() -> pd.DataFrame:
    return pd.DataFrame({"KWEB": [0.5]}, index=[pd.Timestamp("2021-02-01")])


def test_a_market_cut_at_its_first_steps_still_runs(market: ep.Market, weights: pd.DataFrame) -> None:
    for step in (0, 1, 2):
        assert ep.backtest(market.until(step), weights.iloc[:0]).equity.iloc[0] == 10_000_000.0


def world_of(**on: bool) -> worlds.World:
    return worlds.random_world(
        3, steps=80, pairs=1, hk_singles=1, ny_singles=1, switches=worlds.Switches(**on)
    )


def test_an_exit_that_could_not_be_filled_is_tried_again() -> None:
    """Three sessions without a price drop the order, not the wish: with a drift band it comes back."""
    world = world_of()
    market = world.market
    symbol = "NYS0"
    own = np.flatnonzero(market.scheduled[:, market.column(symbol)])
    prices = market.price.copy()
    prices.iloc[own[10:16], market.column(symbol)] = np.nan
    weights = np.full(prices.shape, np.nan)
    weights[own[2], market.column(symbol)] = 0.5
    weights[own[9], market.column(symbol)] = 0.0
    gapped = ep.Market(market.grid, prices, market.instruments, fixings=market.fixings)
    targets = ep.Targets(weights, drift_band=0.1)
    result = ep.backtest(gapped, SimpleNamespace(targets=lambda m, path=None: targets), check=True)
    assert (result.dropped["reason"] == "expired").any()
    assert result.fills["step"].iloc[-1] == own[16]
    assert result.positions[symbol].iloc[-1] == 0.0


def test_a_delisted_short_that_nobody_lends_in_hong_kong_is_bought_in() -> None:
    market = ep.simulate_market("2020-06-01", "2021-03-31", symbols=("CHL", "0941.HK"))
    weights = pd.DataFrame({"CHL": [-0.4, 0.0]}, index=pd.to_datetime(["2020-12-01", "2021-02-01"]))
    result = ep.backtest(market, weights, check=True)
    converted = result.positions["0941.HK"]
    assert (converted < 0).sum() >= 1
    assert converted.iloc[-1] == 0.0
    assert result.fills.iloc[-1][["symbol", "reason"]].tolist() == ["0941.HK", "forced"]


@pytest.mark.parametrize("level", [1.0, 100.0, 1500.0, 60_000.0])
def test_a_capital_of_1_grows_as_a_large_one_does(level: float) -> None:
    """At prices from a penny share's to an index's; what is too little to trade is a basis point at most."""
    moves = np.random.default_rng(5).normal(0.0, 0.01, (250, 2))
    frame = pd.DataFrame(level * np.exp(moves.cumsum(axis=0)), pd.bdate_range("2020-01-01", periods=250))
    frame = frame.set_axis(["a", "b"], axis=1)
    market = ep.Market.from_prices(frame)
    one, much = (
        ep.backtest(market, frame * 0.0 + 0.5, capital=capital, costs=ep.Costs.none()).equity / capital
        for capital in (1.0, 1e9)
    )
    most = 1e-9 * float(frame.to_numpy().max()) * float(np.abs(moves).sum())
    np.testing.assert_allclose(one, much, rtol=0.0, atol=1e-12 + most)


def test_books_without_equity_decide_nothing() -> None:
    frame = pd.DataFrame({"a": [10.0, 7.0, 6.0, 6.0]}, index=pd.bdate_range("2020-01-01", periods=4))
    weights = pd.DataFrame({"a": [5.0] * 4}, index=frame.index)
    ruined = ep.backtest(
        ep.Market.from_prices(frame), weights, capital=1000.0, costs=ep.Costs.none(), fill="same_step"
    )
    assert ruined.equity.iloc[1] == -500.0
    assert len(ruined.fills) == 1
    batch = ep.backtest_batch(
        ep.Market.from_prices(frame), weights.to_numpy()[None], fee_bps=0.0, fill="same_step", capital=1000.0
    )
    np.testing.assert_array_equal(batch[:, 0], ruined.equity)
