"""A run against a benchmark: what was known when, and figures against plain loops and published ones."""

from __future__ import annotations

import dataclasses
import math

import doubles
import naive_metrics as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import DataError
from entrepot.reports import summary
from entrepot.reports.benchmark import (
    ACTIVE,
    CAPTURE,
    REGRESSION,
    TOTALS,
    known_levels,
    newey_west,
    newey_west_lags,
    relative,
)

NAMES = {*TOTALS, *REGRESSION, *ACTIVE, *CAPTURE, "Alpha Lags"}


def walk(seed: int, n: int, spread: float = 0.01, drift: float = 0.0003) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 100 * np.cumprod(1 + np.r_[0, rng.normal(drift, spread, n - 1)])


def pair(seed: int, n: int = 400, rate: float = 0.0001) -> tuple[doubles.Ledger, pd.Series]:
    """A run that follows its benchmark by half, and the benchmark's levels by session."""
    index = walk(seed, n)
    moves = np.diff(index) / index[:-1]
    own = 0.5 * moves + np.random.default_rng(seed + 1).normal(0.0002, 0.006, n - 1)
    ledger = doubles.from_equity(list(100 * np.cumprod(np.r_[1, 1 + own])), rate)
    return ledger, pd.Series(index, index=ledger.daily.index)


@pytest.mark.parametrize("seed", range(4))
def test_figures_are_their_definitions(seed: int) -> None:
    ledger, levels = pair(seed)
    expected = naive.relative(list(ledger.returns), list(levels.pct_change()[1:]), list(ledger.risk_free))
    found = relative(ledger, levels)
    assert set(found.index) == set(expected) == NAMES
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-8), name
    assert found.attrs["reasons"] == {}
    table = summary(ledger, levels)
    assert {name: table[name] for name in NAMES} == found.to_dict()


def test_newey_west_are_statas_errors() -> None:
    """Stata's ivreg2 as kept by statsmodels, regression/tests/results/results_macro_ols_robust.py: macrodata,
    g_realinv on g_realgdp and lagged realint, 4 lags, small-sample correction."""
    from statsmodels.datasets import macrodata

    data = macrodata.load_pandas().data
    growth = 400 * np.diff(np.log(data[["realinv", "realgdp"]].to_numpy()), axis=0)
    rate = data["realint"].to_numpy()[:-1]
    estimates, errors = newey_west(growth[:, 0], np.column_stack([growth[:, 1], rate]), 4)
    np.testing.assert_allclose(estimates, [-9.48167277, 4.37422166, -0.61399697], rtol=0, atol=5e-9)
    np.testing.assert_allclose(errors, [1.18593381, 0.33125645, 0.29582348], rtol=0, atol=5e-9)


def test_the_lags_grow_as_newey_and_west_say() -> None:
    # floor(4 (n / 100)^(2/9)): 4 at 100, 5 from 273 on as 100 * 1.25^4.5 = 272.95, 8 from 2,263 on.
    assert [newey_west_lags(n) for n in (3, 50, 100, 272, 273, 2262, 2263)] == [1, 3, 4, 4, 5, 7, 8]


@pytest.mark.parametrize("beta", [-0.7, 0.5, 1.3])
def test_a_run_that_is_the_benchmark_with_leverage(beta: float) -> None:
    """Alpha 0.0004 a session and beta are planted, nothing else moves."""
    moves = np.random.default_rng(3).normal(0.0, 0.01, 300)
    free = 0.0001
    own = free + 0.0004 + beta * (moves - free)
    ledger = doubles.from_equity(list(100 * np.cumprod(np.r_[1, 1 + own])), free)
    levels = pd.Series(50 * np.cumprod(np.r_[1, 1 + moves]), index=ledger.daily.index)
    found = relative(ledger, levels)
    assert found["Beta"] == pytest.approx(beta)
    assert found["Alpha [%]"] == pytest.approx(100 * (1.0004**252 - 1))
    assert found["Correlation"] == pytest.approx(math.copysign(1, beta))
    assert found["R-squared"] == pytest.approx(1)
    assert np.isnan(found["Alpha t"])
    assert "follows the benchmark exactly" in found.attrs["reasons"]["Alpha Standard Error [%]"]


def test_the_benchmark_itself_has_no_active_risk() -> None:
    ledger = doubles.from_equity(list(walk(5, 100)))
    found = relative(ledger, ledger.daily)
    assert found["Beta"] == pytest.approx(1)
    assert found["Up Capture"] == pytest.approx(1)
    assert found["Down Capture"] == pytest.approx(1)
    assert found["Tracking Error [%]"] == pytest.approx(0, abs=1e-12)
    assert found["Relative Max Drawdown [%]"] == pytest.approx(0, abs=1e-10)
    assert found["Benchmark Return [%]"] == pytest.approx(summary(ledger)["Total Return [%]"])
    assert np.isnan(found["Information Ratio"])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1000))
def test_the_unit_of_levels_says_nothing(seed: int, unit: float) -> None:
    ledger, levels = pair(seed, n=60)
    one, other = relative(ledger, levels), relative(ledger, levels * unit)
    np.testing.assert_allclose(other.astype(float), one.astype(float), rtol=1e-6, atol=1e-9)


# -- what was known ---------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 80))
def test_the_last_level_stamped_by_the_sample_is_taken(seed: int, count: int) -> None:
    """Random stamps around the samples, in any order, some without a level: against a search through all."""
    rng = np.random.default_rng(seed)
    ledger = doubles.from_equity(list(walk(seed, 30)))
    begin = ledger.equity.index[0] - pd.Timedelta("5D")
    stamps = begin + pd.to_timedelta(np.sort(rng.choice(45 * 24 * 60, count, replace=False)), unit="min")
    values = np.where(rng.random(count) < 0.2, np.nan, rng.uniform(1, 9, count))
    values[0] = 5.0
    order = rng.permutation(count)
    levels = pd.Series(values[order], index=stamps[order])
    found = known_levels(ledger, levels)
    for moment, level in zip(ledger.equity.index, found, strict=True):
        expected = naive.level_known(list(levels.index), list(levels), moment)
        stale = levels.dropna().index[levels.dropna().index <= moment]
        if len(stale) and moment - stale.max() > pd.Timedelta("15D"):
            expected = math.nan
        assert level == expected or (math.isnan(level) and math.isnan(expected))


@pytest.mark.parametrize(("late", "known"), [("0s", True), ("-1s", True), ("1s", False), ("4h", False)])
def test_a_level_stamped_after_the_sample_is_not_used(late: str, known: bool) -> None:
    ledger = doubles.from_equity([100.0, 101.0, 102.0])
    stamps = ledger.equity.index[:2].append(ledger.equity.index[2:] + pd.Timedelta(late))
    levels = pd.Series([10.0, 11.0, 12.0], index=stamps)
    assert relative(ledger, levels)["Benchmark Return [%]"] == pytest.approx(20.0 if known else 10.0)


def test_the_future_of_the_benchmark_changes_nothing_before_it(ledger: doubles.Ledger) -> None:
    rng = np.random.default_rng(1)
    for zone in (None, "UTC"):
        dates = pd.bdate_range("2018-12-20", "2024-01-05")
        stamps = dates if zone is None else (dates + pd.Timedelta("8h10min")).tz_localize(zone)
        levels = pd.Series(np.exp(rng.normal(0, 0.01, len(dates)).cumsum()), index=stamps)
        whole = known_levels(ledger, levels)
        for cut in (100, 500, 900):
            changed = levels.copy()
            moment = (
                whole.index[cut] if zone is None else ledger.equity.index[ledger.market.decision_steps][cut]
            )
            changed[changed.index > moment] *= 7.0
            pd.testing.assert_series_equal(known_levels(ledger, changed)[: cut + 1], whole[: cut + 1])
            assert known_levels(ledger, changed).iloc[-1] == 7.0 * whole.iloc[-1]


def test_dates_and_times_of_the_same_closes_agree(ledger: doubles.Ledger) -> None:
    dates = pd.bdate_range("2018-12-01", "2024-01-31")
    levels = pd.Series(np.linspace(50, 80, len(dates)), index=dates)
    expected = 100 * (levels.asof(ledger.daily.index[-1]) / levels.asof(ledger.daily.index[0]) - 1)
    by_date = relative(ledger, levels)
    assert by_date["Benchmark Return [%]"] == pytest.approx(expected)
    at_close = levels.set_axis((dates + pd.Timedelta("8h10min")).tz_localize("UTC"))
    pd.testing.assert_series_equal(relative(ledger, at_close), by_date)
    pd.testing.assert_series_equal(relative(ledger, levels.iloc[::-1]), by_date)


@pytest.mark.parametrize("zone", ["Asia/Hong_Kong", "America/New_York", "UTC"])
def test_midnights_of_a_zone_are_dates(ledger: doubles.Ledger, zone: str) -> None:
    """Daily bars are stamped at the midnight their day began: Hong Kong's, taken for a time, would be known
    at New York's close of the day before."""
    rng = np.random.default_rng(2)
    levels = pd.Series(np.exp(rng.normal(0, 0.01, len(ledger.daily)).cumsum()), index=ledger.daily.index)
    pd.testing.assert_series_equal(
        known_levels(ledger, levels.tz_localize(zone)), known_levels(ledger, levels)
    )


def test_holidays_are_bridged_and_gaps_are_not(ledger: doubles.Ledger) -> None:
    dates = pd.bdate_range("2018-12-01", "2024-01-31")
    levels = pd.Series(walk(1, len(dates)), index=dates)
    week = levels.drop(levels.loc["2020-10-01":"2020-10-09"].index)
    assert relative(ledger, week).attrs["reasons"] == {}
    month = levels.drop(levels.loc["2020-10-01":"2020-10-30"].index)
    found = relative(ledger, month)
    whole = relative(ledger, levels)
    assert list(found[list(TOTALS)]) == list(whole[list(TOTALS)])
    assert found.drop([*TOTALS, "Alpha Lags"], errors="ignore").isna().all()
    assert found.attrs["reasons"]["Beta"] == "the benchmark has no level in the 15 days before 2020-10-16"
    short = relative(ledger, levels.loc[:"2022"])
    assert short.drop("Alpha Lags", errors="ignore").isna().all()
    assert "15 days before 2023-01-1" in short.attrs["reasons"]["Benchmark Return [%]"]


def test_a_benchmark_that_begins_late_has_no_return(ledger: doubles.Ledger) -> None:
    dates = pd.bdate_range("2020-01-01", "2024-01-31")
    table = summary(ledger, pd.Series(np.linspace(50, 80, len(dates)), index=dates))
    assert np.isnan(table["Benchmark Return [%]"])
    assert np.isnan(table["Alpha [%]"])
    assert "Beta: the benchmark begins after the run" in table["Undefined"]


# -- what is not defined, and what is refused -------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ([100, 60, -20, 5, 8], "equity fell to zero or below"),
        ([100, np.nan, 101, 102, 99], "returns are missing"),
    ],
)
def test_a_run_without_returns_is_not_measured(levels: list[float], reason: str) -> None:
    ledger = doubles.from_equity(levels)
    found = relative(ledger, pd.Series(walk(1, 5), index=ledger.daily.index))
    assert np.isfinite(found["Benchmark Return [%]"])
    assert found.drop(list(TOTALS)).isna().all()
    assert reason in found.attrs["reasons"]["Alpha [%]"]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_short_runs(count: int) -> None:
    ledger = doubles.from_equity([100.0, 101.0, 99.0, 104.0][:count])
    found = relative(ledger, pd.Series([10.0, 11.0, 10.5, 10.7][:count], index=ledger.daily.index))
    assert not np.isinf(found.astype(float)).any()
    assert np.isnan(found["Beta"]) == (count < 3)
    assert np.isnan(found["Alpha t"]) == (count < 4)
    if count < 4:
        few = "fewer than two returns" if count < 3 else "fewer than three returns"
        assert found.attrs["reasons"]["Alpha t"] == few


def test_a_benchmark_that_stands_still() -> None:
    ledger = doubles.from_equity(list(walk(1, 50)))
    found = relative(ledger, pd.Series(5.0, index=ledger.daily.index))
    assert found["Benchmark Return [%]"] == 0
    assert found[list(REGRESSION)].isna().all()
    assert found[list(CAPTURE)].isna().all()
    assert found["Information Ratio"] == pytest.approx(summary(ledger)["Sharpe Ratio"])
    assert "never rose" in found.attrs["reasons"]["Up Capture"]


def test_a_run_that_stands_still() -> None:
    ledger = doubles.from_equity([100.0] * 50)
    found = relative(ledger, pd.Series(walk(1, 50), index=ledger.daily.index))
    assert found["Beta"] == 0
    assert np.isnan(found["Correlation"])
    assert found.attrs["reasons"]["Alpha t"] == "excess returns do not vary"
    assert found["Up Capture"] == 0


def test_a_capture_no_number_can_hold_is_undefined() -> None:
    ledger = doubles.from_equity([1.0, 5e4, 2e4, 1e4])
    found = relative(ledger, pd.Series([100.0, 101.0, 99.0, 103.0], index=ledger.daily.index))
    assert np.isnan(found["Up Capture"])
    assert "no finite growth" in found.attrs["reasons"]["Up Capture"]


DATES = pd.bdate_range("2020-01-01", periods=3)


@pytest.mark.parametrize(
    ("levels", "sentence"),
    [
        ([1, 2], "the benchmark is of type list: give a Series"),
        (pd.DataFrame({"a": [1.0]}), "is of type DataFrame"),
        (pd.Series([1.0, 2.0]), "is indexed by int64: give levels by date"),
        (pd.Series([1.0, 2.0], index=["2020-01-01", "2020-01-02"]), "give levels by date or UTC time"),
        (pd.Series([0.01, -0.01, 0.0], index=DATES), "levels such as closes, not returns"),
        (pd.Series([1.0, np.inf, 2.0], index=DATES), "an infinite level"),
        (pd.Series([np.nan] * 3, index=DATES), "the benchmark has no level"),
        (pd.Series(dtype=float, index=pd.DatetimeIndex([])), "the benchmark has no level"),
        (pd.Series(["a", "b", "c"], index=DATES), "values of type"),
        (pd.Series([True, False, True], index=DATES), "values of type bool"),
        (pd.Series([1.0, 2.0, 3.0], index=DATES[[0, 1, 1]]), "more than one level at 2020-01-02"),
        (pd.Series([1.0, 2.0], index=pd.DatetimeIndex(["2020-01-01", pd.NaT])), "a level without a date"),
        (pd.Series([1.0, 2.0, 3.0], index=DATES + pd.Timedelta("16h")), "times without a zone"),
    ],
)
def test_what_is_no_series_of_levels_is_refused(levels: object, sentence: str) -> None:
    ledger = doubles.from_equity([100.0, 101.0, 102.0])
    for ask in (relative, summary):
        with pytest.raises(DataError, match=sentence):
            ask(ledger, levels)  # type: ignore[operator]


def test_an_empty_run_has_no_benchmark() -> None:
    ledger = doubles.from_equity([100.0, 101.0])
    market = dataclasses.replace(ledger.market, decision_steps=np.zeros(2, dtype=bool))
    found = relative(dataclasses.replace(ledger, market=market), pd.Series([1.0, 2.0, 3.0], index=DATES))
    assert found.drop("Alpha Lags", errors="ignore").isna().all()
