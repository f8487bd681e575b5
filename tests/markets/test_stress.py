from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from price_folders import fixings, long, pair

from entrepot.engine import Costs, backtest
from entrepot.errors import DataError, ParameterError
from entrepot.markets.load import load_market
from entrepot.markets.market import Market
from entrepot.markets.premium import premium
from entrepot.markets.simulate import simulate_market
from entrepot.markets.stress import peg_stress

DATE = "2022-02-16"


def test_a_simulated_markets_truth_is_not_that_of_other_prices() -> None:
    simulated = simulate_market("2022-01-04", "2022-03-31", symbols=["BABA", "9988.HK"])
    assert simulated.truth is not None
    assert peg_stress(simulated, DATE, 9.0).truth is None


@pytest.fixture(scope="module")
def market() -> Market:
    files = pair()
    files["9988.HK"]["Dividends"] = np.where(files["9988.HK"]["Date"] == "2022-03-10", 1.95, 0.0)
    return load_market(long(files))


def per_usd(market: Market) -> pd.Series:
    return market.fixings.set_index("time")["per_usd"]


def test_the_first_fixing_on_the_date_is_the_rate_given_and_later_ones_keep_their_moves(market) -> None:
    stressed = peg_stress(market, DATE, 9.0)
    before, after = per_usd(market), per_usd(stressed)
    first = pd.Timestamp("2022-02-16 13:15", tz="UTC")
    # known when Hong Kong next trades, with its own prices
    opens = pd.Timestamp("2022-02-17 01:30", tz="UTC")
    assert after.index.difference(before.index).tolist() == [opens]
    assert after[opens] == pytest.approx(9.0, rel=1e-14)
    assert after[first] == before[first]
    later = before.index[before.index > opens]
    np.testing.assert_allclose(after[later] / before[later], 9.0 / before[first], rtol=1e-14)
    pd.testing.assert_series_equal(after[: first - pd.Timedelta(1)], before[: first - pd.Timedelta(1)])


def test_a_date_without_a_fixing_takes_the_next_one(market) -> None:
    after = per_usd(peg_stress(market, "2022-02-19", 9.0))  # a Saturday
    assert after["2022-02-22 01:30+00:00"] == pytest.approx(9.0, rel=1e-14)
    assert after.drop(pd.Timestamp("2022-02-22 01:30", tz="UTC")).max() < 9.5


@pytest.mark.parametrize("pass_through", [0.0, 0.5, 1.0])
def test_hong_kong_prices_follow_from_the_first_step_after_the_fixing(market, pass_through: float) -> None:
    stressed = peg_stress(market, DATE, 9.0, pass_through=pass_through)
    old = per_usd(market)["2022-02-16 13:15+00:00"]
    scale = 1.0 + pass_through * (9.0 / old - 1.0)
    ratio = (stressed.price / market.price).to_numpy()
    later = (market.grid["session"] > pd.Timestamp(DATE)).to_numpy()
    hk, adr = market.column("9988.HK"), market.column("BABA")
    np.testing.assert_allclose(ratio[later, hk][np.isfinite(ratio[later, hk])], scale, rtol=1e-12)
    assert set(ratio[~later, hk][np.isfinite(ratio[~later, hk])]) == {1.0}
    np.testing.assert_array_equal(stressed.prices[:, adr], market.prices[:, adr])


@pytest.mark.parametrize("align", ["same_date", "next_hk", "hk_open", "us_open"])
def test_passed_through_in_full_the_premium_is_what_it_was(market, align: str) -> None:
    stressed = peg_stress(market, DATE, 9.0)
    before, after = (premium(m, "BABA", align) for m in (market, stressed))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-12)


def test_no_position_is_ever_marked_at_an_old_price_and_a_new_rate(market) -> None:
    """Companies worth the same in USD: a holding is worth the same at every step, the night included."""
    weights = pd.DataFrame({"9988.HK": [3.0]}, index=[pd.Timestamp("2022-02-10")])
    plain, stressed = (
        backtest(m, weights, costs=Costs.none(), capital=1e6)
        for m in (market, peg_stress(market, DATE, 12.0))
    )
    inside = (market.grid["session"] > pd.Timestamp("2022-02-14")).to_numpy()
    held = plain.positions["9988.HK"].to_numpy() * market.price["9988.HK"].ffill().to_numpy()
    for ledger, m in ((plain, market), (stressed, peg_stress(market, DATE, 12.0))):
        value = ledger.positions["9988.HK"] * m.price["9988.HK"].ffill() * m.fx["HKD"]
        np.testing.assert_allclose(
            value.to_numpy()[inside], (held * market.fx["HKD"].to_numpy())[inside], rtol=2e-3
        )


def test_not_passed_through_the_adr_trades_at_a_premium(market) -> None:
    stressed = peg_stress(market, DATE, 9.0, pass_through=0.0)
    later = slice("2022-02-17", None)
    old = per_usd(market)["2022-02-16 13:15+00:00"]
    expected = (1.0 + premium(market, "BABA")[later]) * 9.0 / old - 1.0
    np.testing.assert_allclose(premium(stressed, "BABA")[later], expected, rtol=1e-12)


def test_nothing_before_the_date_is_changed(market) -> None:
    stressed = peg_stress(market, DATE, 9.0)
    eve = int(np.flatnonzero(market.grid["session"] < pd.Timestamp(DATE))[-1])
    one, other = market.until(eve), stressed.until(eve)
    for name in ("grid", "price", "fixings", "ratios", "dividends", "splits", "delistings"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    pd.testing.assert_frame_equal(stressed.dividends, market.dividends)
    assert len(stressed.dividends) == 1


def test_it_says_what_it_is(market) -> None:
    stressed = peg_stress(market, DATE, 9, pass_through=0.25)
    assert "HKD peg stress" in stressed.label
    assert stressed.label.startswith(market.label)
    assert stressed.notes[:-1] == market.notes
    for words in ("HKD peg stress", "2022-02-17 01:30 UTC", "9 instead of", "pass_through 0.25"):
        assert words in stressed.notes[-1]
    simulated = simulate_market("2020-01-02", "2020-06-30", seed=1)
    assert "simulated" in peg_stress(simulated, "2020-03-02", 7.0).label


def test_a_line_without_a_price_when_the_peg_breaks_is_named(market) -> None:
    """At the first step after the fixing it has none; it is worth less meanwhile, and notes say so."""
    price = market.price.copy()
    price.loc["2022-02-17 01:30+00:00", "9988.HK"] = np.nan
    stressed = peg_stress(replace(market, price=price), DATE, 9.0)
    assert [note for note in stressed.notes if "has no price at that time" in note] == [
        "HKD peg stress: 9988.HK has no price at that time, and stands at its old price and the new rate "
        "until its next one."
    ]
    price.loc["2022-02-17 01:30+00:00":, "9988.HK"] = np.nan  # it has left
    gone = peg_stress(replace(market, price=price), DATE, 9.0)
    unscaled = peg_stress(replace(market, price=price), DATE, 9.0, pass_through=0.0)
    for other in (peg_stress(market, DATE, 9.0), gone, unscaled):
        assert not any("has no price at that time" in note for note in other.notes)


def test_a_market_without_rates_is_refused() -> None:
    with pytest.raises(ParameterError, match="give a Market"):
        peg_stress("prices/", DATE, 9.0)  # type: ignore[arg-type]
    table = pd.DataFrame({"A": [1.0, 2.0]}, index=pd.to_datetime(["2022-02-15", "2022-02-17"]))
    with pytest.raises(DataError, match="no HKD fixing on or after 2022-02-16"):
        peg_stress(Market.from_prices(table), DATE, 9.0)
    files = pair(end="2022-03-31")
    files["HKD=X"] = fixings("2022-01-04", "2022-03-29")
    with pytest.raises(DataError, match="no HKD fixing on or after 2022-03-30"):
        peg_stress(load_market(long(files)), "2022-03-30", 9.0)
