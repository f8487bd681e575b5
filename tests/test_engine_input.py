"""What the engine refuses, each in one sentence, and what it does when orders cannot be filled."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import worlds

import entrepot as ep
from entrepot.errors import EntrepotError


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market("2021-01-04", "2021-03-31")


@pytest.fixture(scope="module")
def weights() -> pd.DataFrame:
    return pd.DataFrame({"KWEB": [0.5]}, index=[pd.Timestamp("2021-02-01")])


class NoTargets:
    """A plan that forgot to return anything."""

    def targets(self, market: ep.Market, path: object = None) -> None:
        return None


def shape(market: ep.Market, *, short: str = "", index: str = "") -> np.ndarray:
    array = np.full((2, len(market), len(market.symbols)), np.nan)
    if short:
        array[0, 5, market.column(short)] = -1.0
    return array


def dated(symbol: str, value: object) -> pd.DataFrame:
    return pd.DataFrame({symbol: [value]}, index=[pd.Timestamp("2021-01-04")])


HUGE_BORROW = pd.DataFrame({0: [0.1]}, index=["huge"])
BAD_RUNS = {
    "no market": lambda m, w: ep.backtest(None, w),
    "prices instead of a market": lambda m, w: ep.backtest(m.price, w),
    "a class instead of a strategy": lambda m, w: ep.backtest(m, ep.LongHKShortADR),
    "a number instead of a plan": lambda m, w: ep.backtest(m, 5),
    "a plan without targets": lambda m, w: ep.backtest(m, NoTargets()),
    "capital in words": lambda m, w: ep.backtest(m, w, capital="ten"),
    "no capital": lambda m, w: ep.backtest(m, w, capital=0.0),
    "capital without end": lambda m, w: ep.backtest(m, w, capital=np.inf),
    "a truth as capital": lambda m, w: ep.backtest(m, w, capital=True),
    "an unknown currency": lambda m, w: ep.backtest(m, w, base_currency="XAU"),
    "a list of currencies": lambda m, w: ep.backtest(m, w, base_currency=["USD"]),
    "an unknown fill": lambda m, w: ep.backtest(m, w, fill="yesterday"),
    "the class of costs": lambda m, w: ep.backtest(m, w, costs=ep.Costs),
    "a number as costs": lambda m, w: ep.backtest(m, w, costs=5),
    "a word as path": lambda m, w: ep.backtest(m, w, path="calm"),
    "a short path": lambda m, w: ep.backtest(m, w, path=SimpleNamespace(states=np.zeros(3))),
    "infinite weights": lambda m, w: ep.backtest(m, w * np.inf),
    "percentages": lambda m, w: ep.backtest(m, w * 1e4),
    "complex weights": lambda m, w: ep.backtest(m, w.astype(complex)),
    "unknown symbols": lambda m, w: ep.backtest(m, w.rename(columns={"KWEB": "NOPE"})),
    "a short nobody lends": lambda m, w: ep.backtest(m, -w.rename(columns={"KWEB": "0941.HK"})),
    "spreads of a stranger": lambda m, w: ep.backtest(m, w, costs=ep.Costs(half_spread_bps={"NOPE": 1.0})),
    "borrow of a stranger": lambda m, w: ep.backtest(m, w, costs=ep.Costs(borrow_rate_pa=dated("NOPE", 0.1))),
    "borrow of an unknown size": lambda m, w: ep.backtest(m, w, costs=ep.Costs(borrow_rate_pa=HUGE_BORROW)),
    "caps of a stranger": lambda m, w: ep.backtest(m, w, costs=ep.Costs(max_fill_shares=dated("NOPE", 1))),
    "loans of a stranger": lambda m, w: ep.backtest(
        m, w, costs=ep.Costs(availability=dated("NOPE", "recall"))
    ),
    "rates of a stranger": lambda m, w: ep.backtest(m, w, costs=ep.Costs(cash_rate_pa={"EUR": 0.1})),
    "rates in small letters": lambda m, w: ep.backtest(m, w, costs=ep.Costs(cash_rate_pa={"usd": 0.1})),
    "linked pairs at one step": lambda m, w: ep.backtest(m, ep.LongHKShortADR(lookback=5), fill="same_step"),
    "batch: no market": lambda m, w: ep.backtest_batch(None, shape(m)),
    "batch: two dimensions": lambda m, w: ep.backtest_batch(m, shape(m)[0]),
    "batch: ragged": lambda m, w: ep.backtest_batch(m, [[1.0], [1.0, 2.0]]),
    "batch: text": lambda m, w: ep.backtest_batch(m, shape(m).astype(str)),
    "batch: infinite": lambda m, w: ep.backtest_batch(m, np.nan_to_num(shape(m), nan=np.inf)),
    "batch: no threads": lambda m, w: ep.backtest_batch(m, shape(m), threads=0),
    "batch: a short nobody lends": lambda m, w: ep.backtest_batch(m, shape(m, short="0941.HK")),
    "batch: two kinds of costs": lambda m, w: ep.backtest_batch(m, shape(m), costs=ep.Costs(), fee_bps=1.0),
}


@pytest.mark.parametrize("name", BAD_RUNS)
def test_bad_input_is_refused_in_one_sentence(name: str, market: ep.Market, weights: pd.DataFrame) -> None:
    with pytest.raises(EntrepotError) as refused:
        BAD_RUNS[name](market, weights)
    assert "\n" not in str(refused.value)
    assert 20 < len(str(refused.value)) < 500


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
