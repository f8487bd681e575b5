"""The numbers behind pictures, against a twin written from the formulas, and against other packages."""

from __future__ import annotations

import doubles
import naive_plotted
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings, strategies as st

from entrepot.errors import ParameterError
from entrepot.reports.metrics import excess_returns
from entrepot.reports.plotted import monthly_trading, pair_costs, rolling_statistics, worst_drawdowns

LEVELS = st.lists(st.floats(50, 150), min_size=1, max_size=40)


def equity(levels: list[float]) -> pd.Series:
    return pd.Series(levels, index=pd.bdate_range("2020-01-01", periods=len(levels)), dtype=float)


# -- rolling -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sessions", [2, 21, 126])
def test_rolling_figures_are_those_of_each_stretch(ledger, sessions):
    table = rolling_statistics(ledger, sessions)
    own = naive_plotted.rolling(list(ledger.returns), list(excess_returns(ledger)), sessions)
    np.testing.assert_allclose(table.to_numpy(), own, rtol=1e-9, atol=1e-12)
    assert list(table.index) == list(ledger.returns.index[sessions - 1 :])


def test_rolling_figures_are_pandas_own(ledger):
    table = rolling_statistics(ledger, 63)
    over = excess_returns(ledger).rolling(63)
    ratio = (over.mean() / over.std() * 252**0.5).dropna()
    np.testing.assert_allclose(table["Sharpe Ratio"], ratio, rtol=1e-7)
    spread = (100 * ledger.returns.rolling(63).std() * 252**0.5).dropna()
    np.testing.assert_allclose(table["Volatility [% pa]"], spread, rtol=1e-7)


def test_what_cannot_be_measured_is_missing():
    flat = rolling_statistics(doubles.from_equity([100.0] * 6), 3)
    assert flat["Sharpe Ratio"].isna().all()
    assert (flat["Volatility [% pa]"] == 0).all()
    gone = rolling_statistics(doubles.from_equity([100, 90, 95, 0.0, 5, 7, 9]), 2)
    assert gone["Sharpe Ratio"].notna().tolist() == [True, False, False, False, False]
    assert gone["Volatility [% pa]"].notna().tolist() == [True, False, False, False, False]
    missing = rolling_statistics(doubles.from_equity([100, 90, np.nan, 95, 96]), 2)
    assert missing.isna().all(axis=None)
    assert len(rolling_statistics(doubles.from_equity([100, 101, 99, 100]), 3)) == 1  # just enough
    for levels in ([100.0], [100.0, 101.0]):
        none = rolling_statistics(doubles.from_equity(levels), 2)
        assert none.empty
        assert list(none.columns) == ["Sharpe Ratio", "Volatility [% pa]"]


@pytest.mark.parametrize("sessions", [1, 0, -3, 2.5, "126", None, True, np.nan])
def test_a_window_is_a_whole_number(ledger, sessions):
    with pytest.raises(ParameterError, match=r"sessions is .*: give a whole number of at least 2"):
        rolling_statistics(ledger, sessions)


# -- months --------------------------------------------------------------------------------------------------


def test_months_add_up_what_was_traded_and_paid(ledger):
    table = monthly_trading(ledger)
    fills, paid = ledger.fills, ledger.contributions.T.groupby(level="source").sum().T
    holding = -paid["borrow"]
    trading = -paid[["slippage", "stamp_duty", "trading_fee"]].sum(axis=1)
    traded = (fills["notional"] * fills["fx"]).groupby(fills["step"]).sum()
    steps = pd.DataFrame(
        {
            "session": ledger.market.grid["session"].to_numpy(),
            "sample": ledger.market.decision_steps,
            "equity": ledger.equity.to_numpy(),
            "traded": traded.reindex(range(len(ledger.equity)), fill_value=0.0).to_numpy(),
            "trading": trading.to_numpy(),
            "holding": holding.to_numpy(),
        }
    )
    own = naive_plotted.months(steps)
    assert [str(month) for month in table.index] == list(own)
    for (_, row), month in zip(table.iterrows(), own.values(), strict=True):
        mean = sum(month["levels"]) / len(month["levels"])
        assert row["Turnover [%]"] == pytest.approx(100 * month["traded"] / mean)
        assert row["Trading Costs [bp]"] == pytest.approx(1e4 * month["trading"] / mean, abs=1e-9)
        assert row["Holding Costs [bp]"] == pytest.approx(1e4 * month["holding"] / mean, abs=1e-9)
    assert (table > 0).any().all()


def test_months_without_equity_have_no_share_of_it():
    table = monthly_trading(doubles.from_equity([100, -50, -60]))
    assert table.isna().all(axis=None)


# -- drawdowns -----------------------------------------------------------------------------------------------


@given(LEVELS)
@example([86.0, 50.00000000000001, 50.0])  # two lows, one depth
@settings(max_examples=150, deadline=None)
def test_drawdowns_are_those_found_one_by_one(levels):
    daily = equity(levels)
    table = worst_drawdowns(daily, count=99)
    own = naive_plotted.drawdowns(levels)
    assert len(table) == len(own)
    np.testing.assert_allclose(table["Depth [%]"], [100 * depth for depth, *_ in own], rtol=1e-12)
    for depth, peak, low, recovered in own:
        row = table[(table["Peak"] == daily.index[peak])].iloc[0]
        assert row["Depth [%]"] == pytest.approx(100 * depth)
        assert row["Low"] == daily.index[low]
        end = daily.index[-1 if recovered is None else recovered]
        assert row["Recovered"] is pd.NaT if recovered is None else row["Recovered"] == end
        assert row["Days"] == (end - daily.index[peak]).days
    assert worst_drawdowns(daily, count=2).equals(table.head(2))


def test_drawdowns_agree_with_quantstats(ledger):
    import quantstats.stats

    daily = ledger.daily
    theirs = quantstats.stats.drawdown_details(daily / daily.cummax() - 1)
    theirs = theirs.sort_values("max drawdown", kind="stable").head(5)
    own = worst_drawdowns(daily)
    np.testing.assert_allclose(own["Depth [%]"], theirs["max drawdown"], rtol=1e-12)
    assert [f"{when:%Y-%m-%d}" for when in own["Low"]] == list(theirs["valley"])
    following = [f"{daily.index[daily.index > when][0]:%Y-%m-%d}" for when in own["Peak"]]
    assert following == list(theirs["start"])  # theirs begin with the first session below the peak


def test_drawdowns_of_odd_equity():
    assert worst_drawdowns(equity([100.0] * 5)).empty
    assert worst_drawdowns(equity([1.0, 2.0, 3.0])).empty
    assert worst_drawdowns(equity([])).empty
    assert worst_drawdowns(equity([-5.0, -7.0, -6.0])).empty  # no part of what was never there
    ruined = worst_drawdowns(equity([100.0, -20.0, 50.0]))
    assert ruined["Depth [%]"].tolist() == pytest.approx([-120.0])
    gap = worst_drawdowns(equity([100.0, np.nan, 90.0, np.nan, 101.0]))
    assert gap["Days"].tolist() == [6]
    twice = worst_drawdowns(equity([100.0, 90.0, 90.0, 100.0, 90.0]))
    assert len(twice) == 2  # back at the peak is recovered
    assert twice["Low"].iloc[0] == pd.Timestamp("2020-01-02")  # of equal lows the first


# -- what waiting cost ---------------------------------------------------------------------------------------


def orders(pairs: list[str], cost: list[float], value: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"pair": pairs, "cost": cost, "value": value})


def some_orders(count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    value = rng.lognormal(12, 1, count)
    return orders(
        list(rng.choice(["A", "B"], count)), list(value * rng.normal(0.001, 0.02, count)), list(value)
    )


@pytest.mark.parametrize(("count", "confidence"), [(12, 0.95), (200, 0.95), (60, 0.5)])
def test_the_interval_is_statsmodels_own(count, confidence):
    """A ratio of sums is a regression on a constant weighted with the denominators; HC1 allows for spread."""
    from statsmodels.regression.linear_model import WLS

    table = some_orders(count, count)
    own = pair_costs(table, confidence)
    for pair in ("A", "B", "all"):
        part = table if pair == "all" else table[table["pair"] == pair]
        fit = WLS(
            (part["cost"] / part["value"]).to_numpy(), np.ones(len(part)), weights=part["value"].to_numpy()
        ).fit(cov_type="HC1", use_t=True)
        assert own.at[pair, "orders"] == len(part)
        assert own.at[pair, "cost_bp"] == pytest.approx(1e4 * fit.params[0], rel=1e-10)
        np.testing.assert_allclose(
            own.loc[pair, ["low", "high"]], 1e4 * fit.conf_int(1 - confidence)[0], rtol=1e-9
        )


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(11)
    value = rng.lognormal(12, 0.7, (500, 40))
    cost = value * rng.normal(0.001, 0.02, value.shape)
    held = 0
    for c, v in zip(cost, value, strict=True):
        row = pair_costs(orders(["A"] * 40, list(c), list(v))).loc["A"]
        held += row["low"] <= 10.0 <= row["high"]
    assert 0.92 < held / 500 < 0.975  # three standard errors


def test_costs_of_few_orders():
    one = pair_costs(orders(["A"], [5.0], [1000.0]))
    assert one["cost_bp"].tolist() == pytest.approx([50.0, 50.0])
    assert one[["low", "high"]].isna().all(axis=None)
    unknown = pair_costs(orders(["A", "A"], [5.0, np.nan], [1000.0, 1000.0]))
    assert unknown["cost_bp"].tolist() == pytest.approx([25.0, 25.0])  # as in the table of leg risk
    none = pair_costs(orders([], [], []))
    assert none.empty
    assert list(none.columns) == ["orders", "cost_bp", "low", "high"]
