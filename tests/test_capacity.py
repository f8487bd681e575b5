"""How much money a trade holds: the table against single runs, and what must hold of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.capacity import capacity
from entrepot.errors import DataError, ParameterError
from entrepot.markets.market import Market
from entrepot.markets.volume import share_of_volume

CAPITALS = (1e6, 1e8, 1e10)


@pytest.fixture(scope="module")
def market() -> Market:
    symbols = ["BABA", "9988.HK", "JD", "9618.HK", "0700.HK"]
    return ep.simulate_market(start="2021-01-04", end="2021-12-31", seed=3, symbols=symbols)


@pytest.fixture(scope="module")
def weights(market: Market) -> pd.DataFrame:
    days = pd.to_datetime(["2021-03-01", "2021-06-01", "2021-09-01", "2021-12-01"])
    return pd.DataFrame({"BABA": [0.4, 0.1, 0.4, 0.0], "0700.HK": [0.3, 0.6, 0.2, 0.0]}, index=days)


def test_a_row_is_what_single_runs_say(market: Market, weights: pd.DataFrame) -> None:
    table = capacity(market, weights, CAPITALS)
    assert table.index.tolist() == list(CAPITALS)
    assert table.index.name == "capital"
    caps = share_of_volume(market, 0.1)
    costs = ep.Costs(impact=1.0, max_fill_shares=caps.where(caps > 0))
    for capital, row in table.iterrows():
        run = ep.backtest(market, weights, capital=capital, costs=costs)
        capped = ep.backtest(market, weights, capital=capital, costs=costs.with_(impact=0.0))
        free = ep.backtest(market, weights, capital=capital)
        summary, fills = run.summary(), run.fills
        for name in ("Annualized Return [%]", "Sharpe Ratio", "Turnover"):
            assert row[name] == pytest.approx(summary[name], rel=1e-12)
        value = float((fills["notional"] * fills["fx"]).sum())
        assert row["Impact [bp]"] == pytest.approx(1e4 * run.costs()["impact"] / value)
        years = (market.times[-1] - market.times[0]) / (365.25 * 86_400e9)
        of_equity = 100 / years / run.daily.mean()
        assert row["Costs [%]"] == pytest.approx(of_equity * summary["Total Costs"])
        for kind, paid in run.costs().items():
            assert row[kind] == pytest.approx(of_equity * paid)
        shares: list[dict[str, float]] = [{}, {}]
        worth: dict[str, float] = {}
        for one, of in zip((capped, free), shares, strict=True):
            for f in one.fills.to_dict("records"):
                of[f["symbol"]] = of.get(f["symbol"], 0.0) + abs(f["quantity"])
        for f in free.fills.to_dict("records"):
            part = abs(f["quantity"]) * f["price"] * f["fx"] / free.equity_by_step[f["step"]]
            worth[f["symbol"]] = worth.get(f["symbol"], 0.0) + part
        filled = sum(
            part * min(1.0, shares[0].get(symbol, 0.0) / shares[1][symbol]) for symbol, part in worth.items()
        )
        assert row["Filled [%]"] == pytest.approx(100 * filled / sum(worth.values()))


def test_more_money_fills_less_and_pays_more(market: Market, weights: pd.DataFrame) -> None:
    table = capacity(market, weights, CAPITALS)
    assert table["Filled [%]"].iloc[0] == pytest.approx(100, abs=0.5)
    assert table["Filled [%]"].iloc[-1] < 50
    assert (table["Impact [bp]"].diff().dropna() > 0).all()
    uncapped = capacity(market, weights, CAPITALS, participation=None)
    np.testing.assert_allclose(
        uncapped["Impact [bp]"].to_numpy()[1] / uncapped["Impact [bp]"].iloc[0], 10, rtol=0.02
    )
    np.testing.assert_allclose(uncapped["Filled [%]"].to_numpy()[:2], 100, rtol=0.01)
    assert (uncapped["Annualized Return [%]"].diff().dropna() < 0).all()
    free = capacity(market, weights, CAPITALS, impact=0.0, participation=None)
    assert "impact" not in free
    np.testing.assert_allclose(free["Filled [%]"], 100, rtol=1e-12)
    # the same trade at any size at which lots and minima no longer count
    assert np.ptp(free["Annualized Return [%]"].iloc[1:]) < 0.01


@pytest.mark.parametrize("rise", [0.02, -0.02])
def test_what_is_filled_late_at_another_price_is_all_filled(rise: float) -> None:
    """Bought over three days in which the price moves, sold after: every share found a market, and once."""
    days = pd.bdate_range("2021-01-04", periods=200)
    price = pd.DataFrame({"A": 100.0 * np.exp(rise * np.arange(200).clip(10, 15))}, index=days)
    market = Market.from_prices(price)
    weights = pd.DataFrame({"A": [0.9, 0.0]}, index=days[[10, 100]])
    costs = ep.Costs.none().with_(impact_volume=1e5)
    assert capacity(market, weights, [2.5e6], costs=costs, impact=0.0)["Filled [%]"].tolist() == [100.0]


def test_a_split_between_two_fills_makes_no_more_of_them(market: Market) -> None:
    """A tenth is filled before a split in ten and a tenth after it: a fifth of what was wanted, not all."""
    days = pd.bdate_range("2021-01-04", periods=60)
    before = np.arange(60) < 30
    made = Market.from_prices(pd.DataFrame({"A": np.where(before, 100.0, 10.0)}, index=days))
    split = pd.DataFrame({"symbol": ["A"], "ex_date": [days[30]], "factor": [10.0]})
    made = replace(made, splits=split)
    weights = pd.DataFrame({"A": [1.0]}, index=days[[28]])
    cap = pd.DataFrame({"A": [1_000.0, 10_000.0, 0.0]}, index=days[[0, 30, 31]])
    costs = ep.Costs.none().with_(max_fill_shares=cap)
    table = capacity(made, weights, [1e6], costs=costs, impact=0.0, participation=None)
    assert table["Filled [%]"].tolist() == pytest.approx([20.0])


def test_what_impact_takes_is_not_said_to_be_filled(market: Market) -> None:
    """A dear exit from a smaller equity is a larger part of it; nothing more was traded."""
    days = pd.to_datetime(["2021-03-01", "2021-06-01", "2021-09-01", "2021-12-01"])
    hurried = pd.DataFrame({"9618.HK": [0.9, 0.1, 0.9, 0.0]}, index=days)
    table = capacity(market, hurried, (1e6, 1e10, 1e13), participation=None)
    assert table["Filled [%]"].tolist() == [100.0, 100.0, 100.0]
    assert 30 < table["Costs [%]"].iloc[1] < 300
    gone = table.iloc[2]
    assert np.isnan(gone[["Annualized Return [%]", "Costs [%]", "impact"]].to_numpy(dtype=float)).all()


def test_a_strategy_and_its_targets_are_the_same_plan(market: Market) -> None:
    plan = ep.LongHKShortADR(lookback=30, round_trip_bps=0.0, entry=0.5)
    table = capacity(market, plan, [1e7])
    costs = ep.Costs(impact=1.0, max_fill_shares=share_of_volume(market, 0.1))
    run = ep.backtest(market, plan, capital=1e7, costs=costs)
    assert len(run.fills) > 0
    assert table["Sharpe Ratio"].iloc[0] == pytest.approx(run.summary()["Sharpe Ratio"], rel=1e-12)


@pytest.mark.parametrize("form", ["number", "symbols", "dates"])
def test_a_volume_of_your_own_caps_and_moves(market: Market, weights: pd.DataFrame, form: str) -> None:
    shares = {"BABA": 4e5, "0700.HK": 9e5}
    dates = pd.to_datetime(["2021-01-01", "2021-06-02"])
    given: Any = {
        "number": 4e5,
        "symbols": shares,
        "dates": pd.DataFrame({name: [each, each / 2] for name, each in shares.items()}, index=dates),
    }[form]
    for source in (market, replace(market, volume=None)):
        costs = ep.Costs(impact_volume=given)
        table = capacity(source, weights, [1e9], costs=costs, participation=0.25)
        cap: Any = (
            {symbol: 0.25 * each for symbol, each in given.items()} if form == "symbols" else 0.25 * given
        )
        run = ep.backtest(source, weights, capital=1e9, costs=costs.with_(impact=1.0, max_fill_shares=cap))
        assert run.fills["quantity"].abs().max() <= 0.25 * 9e5 + 1e-6
        assert table["Turnover"].iloc[0] == pytest.approx(run.summary()["Turnover"], rel=1e-12)
        assert table["impact"].iloc[0] > 0


def test_what_is_not_given_is_the_market_s_own(market: Market, weights: pd.DataFrame) -> None:
    costs = ep.Costs(impact_volume={"BABA": 4e5})
    table = capacity(market, weights, [1e10], costs=costs)
    caps = share_of_volume(market, 0.1).assign(BABA=4e4)
    run = ep.backtest(
        market, weights, capital=1e10, costs=costs.with_(impact=1.0, max_fill_shares=caps.where(caps > 0))
    )
    for symbol, cap in caps.items():
        most = run.fills.loc[run.fills["symbol"] == symbol, "quantity"].abs()
        assert (most <= cap.max()).all()
    assert table["Turnover"].iloc[0] == pytest.approx(run.summary()["Turnover"], rel=1e-12)


def test_what_is_traded_before_its_volume_is_known_is_refused(market: Market) -> None:
    early = pd.DataFrame({"BABA": [0.5]}, index=pd.to_datetime(["2021-01-08"]))
    with pytest.raises(DataError, match=r"BABA is filled at 2021-01-11 .* trade it later"):
        capacity(market, early)
    with pytest.raises(DataError, match="no line of this market has 20 known volumes"):
        capacity(replace(market, volume=None), early)
    # without impact an unknown volume fills nothing
    table = capacity(market, early, [1e6], impact=0.0)
    assert table["Filled [%]"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"capitals": ()}, "capitals is (): give positive amounts, such as (1e6, 1e7, 1e8)"),
        ({"capitals": 1e6}, "capitals is 1000000.0"),
        ({"capitals": "1e6"}, "capitals is '1e6'"),
        ({"capitals": [1e6, -1.0]}, "capitals is [1000000.0, -1.0]"),
        ({"capitals": [np.nan]}, "capitals is [nan]"),
        ({"impact": -1.0}, "impact is -1.0"),
        ({"participation": 10}, "participation is 10: give a fraction above 0 and up to 1"),
        ({"participation": 0, "costs": ep.Costs(impact_volume=1e6)}, "participation is 0"),
        ({"costs": 0.001}, "costs is 0.001: give a Costs object"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    market: Market, weights: pd.DataFrame, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ParameterError) as refused:
        capacity(market, weights, **options)
    assert says in str(refused.value)


def test_prices_are_no_market(market: Market, weights: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match=r"capacity was given .*: give a Market, as from load_market"):
        capacity(market.price, weights)
