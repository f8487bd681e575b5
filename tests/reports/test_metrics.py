from __future__ import annotations

import dataclasses
import gc
import weakref

import doubles
import empyrical
import naive_metrics as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import ParameterError
from entrepot.reports import by_leg, by_source, lag_adjusted_sharpe, round_trips, summary
from entrepot.reports.pages.sections import grouped
from entrepot.reports.pictures.panels import row_quantiles, source_bars
from entrepot.reports.trades import settled_sign

RISK = ["Annualized Return [%]", "Annualized Volatility [%]", "Sharpe Ratio", "Monthly Sharpe"]
RISK += ["Lag-adjusted Sharpe", "Sortino Ratio", "Calmar Ratio", "Omega Ratio"]
SHAPE = ["Skew", "Excess Kurtosis", "Value at Risk [%]", "Conditional VaR [%]", "Tail Ratio", "Best Day [%]"]
SHAPE += ["Worst Day [%]", "Best Month [%]", "Worst Month [%]", "Positive Months [%]"]


def random_ledger(seed: int = 1, n: int = 600, rate: float = 0.0) -> doubles.Ledger:
    rng = np.random.default_rng(seed)
    return doubles.from_equity(list(100 * np.cumprod(1 + np.r_[0, rng.normal(0.0004, 0.01, n - 1)])), rate)


def test_names_and_identities(ledger):
    table = summary(ledger)
    for name in (
        "Start", "End", "Period", "Start Value", "End Value", "Total Return [%]", "Annualized Return [%]",
        "Annualized Volatility [%]", "Sharpe Ratio", "Monthly Sharpe", "Lag-adjusted Sharpe",
        "Sortino Ratio", "Calmar Ratio", "Omega Ratio", "Max Drawdown [%]", "Max Drawdown Duration",
        "Win Rate [%]", "Profit Factor", "Expectancy", "Turnover", "Total Fees Paid", "Total Costs", "Trades",
        "Orders Dropped", "Sampling", *SHAPE,
    ):  # fmt: skip
        assert name in table
    assert "Benchmark Return [%]" not in table
    assert table["Undefined"] == ""
    assert table.attrs["reasons"] == {}
    assert table["Start Value"] * (1 + table["Total Return [%]"] / 100) == pytest.approx(table["End Value"])
    assert table["Total Costs"] == pytest.approx(ledger.costs().sum())
    fees = (ledger.fills["fees"] * ledger.fills["fx"]).sum()
    assert table["Total Fees Paid"] == pytest.approx(fees)
    assert table["Slippage Paid"] == pytest.approx((ledger.fills["slippage"] * ledger.fills["fx"]).sum())


@pytest.mark.parametrize("rate", [0.0, 0.0001])
def test_agrees_with_empyrical(rate):
    ledger = random_ledger(rate=rate)
    table, r = summary(ledger), ledger.returns
    assert table["Annualized Return [%]"] == pytest.approx(100 * empyrical.annual_return(r))
    assert table["Annualized Volatility [%]"] == pytest.approx(100 * empyrical.annual_volatility(r))
    assert table["Sharpe Ratio"] == pytest.approx(empyrical.sharpe_ratio(r, risk_free=rate))
    assert table["Sortino Ratio"] == pytest.approx(empyrical.sortino_ratio(r, required_return=rate))
    assert table["Calmar Ratio"] == pytest.approx(empyrical.calmar_ratio(r))
    assert table["Omega Ratio"] == pytest.approx(empyrical.omega_ratio(r, risk_free=rate))
    assert table["Max Drawdown [%]"] == pytest.approx(100 * empyrical.max_drawdown(r))


def test_what_is_remembered_cannot_be_spoilt(ledger):
    before = round_trips(ledger)
    spoilt = round_trips(ledger)
    spoilt["P&L"] = 0.0
    pd.testing.assert_frame_equal(round_trips(ledger), before)


def test_a_ledger_is_not_kept_alive():
    ledger = random_ledger()
    summary(ledger)
    gone = weakref.ref(ledger)
    del ledger
    gc.collect()
    assert gone() is None


def test_the_change_of_value_of_a_conversion_is_no_cost():
    ledger = doubles.from_equity([100, 101, 98, 97])
    names = pd.MultiIndex.from_tuples(
        [("price", "X"), ("conversion", "X"), ("conversion_fee", "X"), ("ads_fee", "X")],
        names=["source", "instrument"],
    )
    booked = pd.DataFrame(0.0, index=ledger.equity.index, columns=names)
    booked.iloc[1, 0], booked.iloc[2, 1], booked.iloc[2, 2], booked.iloc[3, 3] = 1.0, -2.5, -0.5, -1.0
    run = dataclasses.replace(ledger, contributions=booked)
    table = summary(run)
    assert table["Total Costs"] == pytest.approx(1.5)
    assert table["ADR Fees Paid"] == pytest.approx(1.5)
    assert table["Total Fees Paid"] == 0.0
    parts = grouped(by_leg(run)).loc["single venue"]
    assert parts.to_dict() == {"total": -3, "price and FX": -1.5, "income": 0, "costs": -1.5}
    assert [name for name, _ in source_bars(by_source(run))] == [
        "Price", "ADR conversion", "ADR service fee", "ADR conversion fee"
    ]  # fmt: skip


def test_small_costs_share_a_bar():
    kinds = {f"fee{i}": -float(i) for i in range(1, 20)}
    bars = source_bars(pd.Series({"price": 5.0, "dividend": -0.1, **kinds}))
    assert len(bars) == 13
    assert bars[0] == ("Price", 5.0)
    assert bars[2] == ("Fee19", -19.0)
    assert bars[-1] == ("9 other costs", -45.0)


@pytest.mark.parametrize("seed", range(3))
def test_quantiles_of_rows_are_numpys(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(50, 7))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:, 0] = 1.0
    for mine, theirs in zip(
        row_quantiles(values, (0.1, 0.5, 0.9)), np.nanquantile(values, [0.1, 0.5, 0.9], axis=1), strict=True
    ):
        np.testing.assert_allclose(mine, theirs)


def test_a_side_lasts_until_the_next():
    np.testing.assert_array_equal(settled_sign(np.array([0.0, 0, -1, 0, 1, 0])), [-1, -1, -1, -1, 1, 1])
    np.testing.assert_array_equal(settled_sign(np.zeros(3)), [1, 1, 1])


def test_sharpe_by_hand():
    ledger = doubles.from_equity([100, 101, 100, 103], rate=0.001)
    over = np.array([0.01, 100 / 101 - 1, 0.03]) - 0.001
    expected = over.mean() / over.std(ddof=1) * np.sqrt(252)
    assert summary(ledger)["Sharpe Ratio"] == pytest.approx(expected)


def test_unknown_policy_rate_counts_as_zero():
    ledger = random_ledger(rate=0.0003)
    silent = dataclasses.replace(ledger, risk_free=ledger.risk_free.iloc[:0])
    assert summary(silent)["Sharpe Ratio"] == pytest.approx(empyrical.sharpe_ratio(ledger.returns))


def test_monthly_sharpe_by_hand():
    ledger = random_ledger(n=300)
    months = (1 + ledger.returns).resample("ME").prod() - 1
    expected = months.mean() / months.std(ddof=1) * np.sqrt(12)
    assert summary(ledger)["Monthly Sharpe"] == pytest.approx(expected)


def test_lag_adjusted_sharpe_is_los_formula():
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.01, 3001)
    r = 0.0005 + noise[1:] - 0.9 * noise[:-1]
    q = 21
    rho = [
        np.dot(r[:-k] - r.mean(), r[k:] - r.mean()) / np.dot(r - r.mean(), r - r.mean()) for k in range(1, q)
    ]
    eta = q / np.sqrt(q + 2 * sum((q - k) * rho[k - 1] for k in range(1, q)))
    expected = np.sqrt(252 / q) * eta * r.mean() / r.std(ddof=1)
    value, reason = lag_adjusted_sharpe(r, q - 1)
    assert value == pytest.approx(expected)
    assert reason == ""
    assert value > 2 * empyrical.sharpe_ratio(r)  # reversals overstate risk by the day
    by_month = r[: len(r) // q * q].reshape(-1, q).sum(axis=1)
    assert value == pytest.approx(by_month.mean() / by_month.std(ddof=1) * np.sqrt(12), rel=0.25)


@pytest.mark.parametrize("seed", range(5))
def test_lag_adjusted_sharpe_never_takes_a_negative_root(seed):
    rng = np.random.default_rng(seed)
    steps = rng.choice([-1.0, 1.0], 60)
    value, reason = lag_adjusted_sharpe(np.diff(steps, append=steps[0]) * 0.01 + 1e-5)
    assert np.isfinite(value) or reason


def test_lags_are_checked(ledger):
    with pytest.raises(ParameterError, match="lags is 0"):
        summary(ledger, lags=0)


def test_drawdown_duration_counts_to_recovery_and_to_the_end():
    # 2020-01-01 is a Wednesday: peak on the 2nd, recovered on the 7th; then down from the 8th to the 13th.
    table = summary(doubles.from_equity([100, 110, 105, 108, 111, 112, 100, 99, 98]))
    assert table["Max Drawdown [%]"] == pytest.approx(100 * (98 / 112 - 1))
    assert table["Max Drawdown Duration"] == pd.Timedelta(days=5)
    assert summary(doubles.from_equity([100, 101, 102]))["Max Drawdown Duration"] == pd.Timedelta(0)


def test_ruin_is_said_not_computed():
    table = summary(doubles.from_equity([100, 60, -20, 5, 8]))
    assert table[RISK].isna().all()
    assert all("zero or below" in table.attrs["reasons"][name] for name in RISK)
    assert table["Max Drawdown [%]"] == pytest.approx(-120)
    assert table["Total Return [%]"] == pytest.approx(-92)
    assert "Sharpe Ratio: equity fell to zero or below" in table["Undefined"]


def test_flat_equity_has_no_ratios():
    table = summary(doubles.from_equity([100.0] * 60))
    assert table["Annualized Return [%]"] == 0
    assert table["Annualized Volatility [%]"] == 0
    for name in (
        "Sharpe Ratio",
        "Monthly Sharpe",
        "Lag-adjusted Sharpe",
        "Sortino Ratio",
        "Calmar Ratio",
        "Omega Ratio",
    ):
        assert np.isnan(table[name])
        assert table.attrs["reasons"][name]


def test_only_gains_are_not_infinitely_good():
    table = summary(doubles.from_equity(list(100 * np.cumprod(np.r_[1, np.linspace(1.001, 1.002, 80)]))))
    for name in ("Sortino Ratio", "Calmar Ratio", "Omega Ratio"):
        assert np.isnan(table[name])
        assert "no " in table.attrs["reasons"][name]
    assert np.isfinite(table["Sharpe Ratio"])


def test_missing_equity_is_said():
    table = summary(doubles.from_equity([100, 101, np.nan, 102, 103]))
    assert table[RISK].isna().all()
    assert "missing" in table.attrs["reasons"]["Sharpe Ratio"]
    assert table["Total Return [%]"] == pytest.approx(3)
    assert np.isnan(table["Max Drawdown [%]"])


@pytest.mark.parametrize("levels", [[100.0], [100.0, 101.0]])
def test_short_runs_do_not_crash(levels):
    table = summary(doubles.from_equity(levels))
    assert table[RISK].isna().all()
    assert table.attrs["reasons"]["Sharpe Ratio"] == "fewer than two returns"


@pytest.mark.parametrize(
    "levels", [[100, 60, -20, 5], [100.0] * 50, [100.0], [100, np.nan, 101], [100, 0, 0, 0]]
)
def test_nothing_is_infinite(levels):
    for value in summary(doubles.from_equity(levels)):
        if isinstance(value, float):
            assert not np.isinf(value)


def test_round_trips_add_up(ledger):
    trips = round_trips(ledger)
    instruments = ledger.contributions.T.groupby(level="instrument").sum().T.sum()
    traded = instruments.drop([name for name in instruments.index if name.startswith("cash:")])
    assert trips["P&L"].sum() == pytest.approx(traded.sum())
    assert set(trips["name"]) == {"BABA", "JD", "KWEB"}
    assert trips["open"].sum() == 1
    assert (trips["opened"] <= trips["closed"]).all()
    table = summary(ledger)
    closed = trips.loc[~trips["open"], "P&L"]
    assert table["Trades"] == len(closed)
    assert table["Win Rate [%]"] == pytest.approx(100 * (closed > 0).mean())
    assert table["Expectancy"] == pytest.approx(closed.mean())
    assert table["Profit Factor"] == pytest.approx(closed[closed > 0].sum() / -closed[closed < 0].sum())


def test_a_reversal_ends_one_trip_and_begins_the_next():
    ledger = doubles.from_equity([100, 101, 103, 102, 104, 105, 105])
    positions = pd.DataFrame({"X": [0, 5, 5, -5, -5, 0, 0]}, index=ledger.equity.index, dtype=float)
    fills = pd.DataFrame({"symbol": ["X"] * 3, "pair": "", "notional": 5.0, "fx": 1.0})
    trips = round_trips(dataclasses.replace(ledger, positions=positions, fills=fills))
    assert list(trips["direction"]) == [1, -1]
    assert list(trips["P&L"]) == pytest.approx([1 + 2 - 1, 2 + 1])
    assert not trips["open"].any()


def test_turnover_by_hand():
    ledger = doubles.from_equity([100.0] * 262)
    fills = pd.DataFrame({"symbol": ["X"] * 2, "pair": "", "notional": [150.0, 150.0], "fx": 0.5})
    years = (ledger.equity.index[-1] - ledger.equity.index[0]) / pd.Timedelta(days=365.25)
    table = summary(dataclasses.replace(ledger, fills=fills))
    assert table["Turnover"] == pytest.approx(150 / 100 / years)


@pytest.mark.parametrize("seed", range(3))
def test_the_shape_of_returns_is_its_definition(seed):
    ledger = random_ledger(seed=seed, n=300)
    expected = naive.shape(list(ledger.returns), list(ledger.returns.index))
    table = summary(ledger)
    assert set(expected) == set(SHAPE)
    for name, value in expected.items():
        assert table[name] == pytest.approx(value, rel=1e-9), name


def test_months_are_empyricals():
    ledger = random_ledger(n=500)
    monthly = 100 * empyrical.aggregate_returns(ledger.returns, "monthly")
    table = summary(ledger)
    assert table["Best Month [%]"] == pytest.approx(monthly.max())
    assert table["Worst Month [%]"] == pytest.approx(monthly.min())
    assert table["Positive Months [%]"] == pytest.approx(100 * (monthly > 0).mean())


def test_shape_by_hand():
    # +10 % on 31 January 2020, then -10 %, 0 % and +5 % in February.
    start = [100.0] * 21
    table = summary(doubles.from_equity([*start, 100, 110, 99, 99, 103.95]))
    assert table["Best Day [%]"] == pytest.approx(10)
    assert table["Worst Day [%]"] == pytest.approx(-10)
    assert table["Best Month [%]"] == pytest.approx(10)
    assert table["Worst Month [%]"] == pytest.approx(-5.5)
    assert table["Positive Months [%]"] == 50


def test_a_month_without_a_return_is_not_positive():
    table = summary(doubles.from_equity([*[100.0] * 30, 101.0]))
    assert table["Positive Months [%]"] == 50


def test_nothing_but_gains_has_tails():
    gains = np.random.default_rng(2).uniform(0.001, 0.002, 60)
    table = summary(doubles.from_equity(list(100 * np.cumprod(np.r_[1, 1 + gains]))))
    assert table["Tail Ratio"] == pytest.approx(np.percentile(gains, 95) / np.percentile(gains, 5))
    assert table["Value at Risk [%]"] > 0


@pytest.mark.parametrize(
    ("levels", "undefined"),
    [
        ([100.0] * 60, {"Skew": "vary", "Excess Kurtosis": "vary", "Tail Ratio": "5 % quantile"}),
        ([100, 101, 99], {"Skew": "fewer than three", "Excess Kurtosis": "fewer than four"}),
        ([100, 101, 99, 103], {"Excess Kurtosis": "fewer than four"}),
        ([100, 60, -20, 5, 8], dict.fromkeys(SHAPE, "zero or below")),
        ([100, 101, np.nan, 102], dict.fromkeys(SHAPE, "missing")),
        ([100.0, 101.0], dict.fromkeys(SHAPE, "fewer than two")),
    ],
)
def test_an_undefined_shape_is_said(levels, undefined):
    table = summary(doubles.from_equity(levels))
    for name in SHAPE:
        assert np.isnan(table[name]) == (name in undefined), name
    for name, reason in undefined.items():
        assert reason in table.attrs["reasons"][name]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(-0.2, 0.2), min_size=25, max_size=60),
    st.floats(0.1, 3.0),
)
def test_twice_the_returns_have_the_same_shape(returns, times):
    """Scaling moves quantiles and extremes in proportion; skew, kurtosis and tail ratio stay."""
    plain = np.array(returns)
    if np.std(plain) < 1e-3 or abs(np.percentile(plain, 5)) < 1e-6 or np.abs(plain).max() * times >= 0.9:
        return
    one, other = (
        summary(doubles.from_equity(list(100 * np.cumprod(np.r_[1, 1 + k * plain])))) for k in (1.0, times)
    )
    for name in ("Skew", "Excess Kurtosis", "Tail Ratio"):
        assert other[name] == pytest.approx(one[name], rel=1e-6, abs=1e-6), name
    for name in ("Value at Risk [%]", "Conditional VaR [%]", "Best Day [%]", "Worst Day [%]"):
        assert other[name] == pytest.approx(times * one[name], rel=1e-6, abs=1e-9), name
    assert one["Worst Day [%]"] <= one["Conditional VaR [%]"] <= one["Value at Risk [%]"] + 1e-12


def test_the_sampling_is_that_of_the_market(ledger):
    assert summary(ledger)["Sampling"] == (
        "last step of each New York session, 252 a year, standard deviations with ddof 1; "
        "Sharpe, Sortino and Omega over the policy rate of USD"
    )
    alone = summary(doubles.from_equity([100, 101, 99]))["Sampling"]
    assert alone.startswith("last step of each session, ")
    assert alone.endswith("over a policy rate of zero, none being known")
    hong_kong = dataclasses.replace(ledger.market, grid=ledger.market.grid.assign(venue="XHKG"))
    assert "each Hong Kong session" in summary(dataclasses.replace(ledger, market=hong_kong))["Sampling"]


@pytest.mark.parametrize("wrong", [1.5, "x", True, None])
def test_lags_are_whole(ledger, wrong):
    with pytest.raises(ParameterError, match=r"lags is .*: give a whole number"):
        summary(ledger, lags=wrong)
