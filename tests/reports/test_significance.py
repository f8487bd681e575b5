"""Odds of a Sharpe ratio: against the papers' printed numbers, three libraries and sums done one by one."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import naive_significance as naive
import numpy as np
import pandas as pd
import purgedcv
import pytest
from hypothesis import assume, given, settings, strategies as st

from entrepot.errors import DataError, ParameterError
from entrepot.reports.significance import (
    Moments,
    deflated_sharpe,
    independent_trials,
    luckiest_sharpe,
    minimum_track_record,
    most_trials,
    probabilistic_sharpe,
    sharpe_odds,
)

NORMAL = Moments(100, 0.1, 0.0, 3.0)


def draws(seed: int, *shape: int) -> np.ndarray:
    """Skewed, fat-tailed returns with some skill."""
    rng = np.random.default_rng(seed)
    return 0.0006 + 0.01 * rng.standard_t(5, shape) - 0.002 * rng.exponential(1.0, shape)


# --- printed numbers -----------------------------------------------------------------------------------


def test_probabilistic_ratio_of_a_hedge_fund_index() -> None:
    """Bailey and Lopez de Prado (2012), The Sharpe Ratio Efficient Frontier: 24 months, .913 and .982."""
    assert round(probabilistic_sharpe(Moments(24, 0.458, -2.448, 10.164)), 6) == 0.913361
    assert round(probabilistic_sharpe(Moments(24, 0.458, 0.0, 3.0)), 6) == 0.981675


def test_deflated_ratio_of_the_paper() -> None:
    """Bailey and Lopez de Prado (2014), The Deflated Sharpe Ratio: 1250 days; .1132, .9004, .9505."""
    ratio, variance = 2.5 / math.sqrt(250), 0.5 / 250
    skewed, normal = Moments(1250, ratio, -3.0, 10.0), Moments(1250, ratio, 0.0, 3.0)
    assert round(luckiest_sharpe(variance, 100), 6) == 0.113172
    assert round(deflated_sharpe(skewed, variance, 100), 6) == 0.900397
    assert round(deflated_sharpe(skewed, variance, 46), 6) == 0.950502
    assert round(deflated_sharpe(normal, variance, 88), 6) == 0.950491
    assert math.floor(most_trials(skewed, variance)) == 46
    assert math.floor(most_trials(normal, variance)) == 88


@pytest.mark.parametrize(
    ("per_year", "skew", "kurtosis", "years"),
    [(252, 0.0, 3.0, 2.7310), (52, 0.0, 3.0, 2.8288), (12, 0.0, 3.0, 3.2398), (12, -0.72, 5.78, 4.9913)],
)
def test_minimum_track_record_of_the_paper(per_year: int, skew: float, kurtosis: float, years: float) -> None:
    """Bailey and Lopez de Prado (2012): a ratio of 2 against 1 at 95 %; 2.73, 2.83, 3.24 and 4.99 years."""
    own = Moments(1, 2.0 / math.sqrt(per_year), skew, kurtosis)
    assert round(minimum_track_record(own, 1.0 / math.sqrt(per_year)) / per_year, 4) == years


# --- other libraries -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_purgedcv_agrees_given_its_moments(seed: int) -> None:
    """It divides by the standard deviation with ddof 0 and corrects skew and kurtosis for small samples."""
    returns, variance = draws(seed, 300), 0.02**2
    theirs = purgedcv.deflated_sharpe_ratio_full(returns, 37, variance)
    own = Moments(theirs.n_obs, theirs.observed_sr, theirs.skew, theirs.kurt)
    assert luckiest_sharpe(variance, 37) == pytest.approx(theirs.sr_star, rel=1e-12)
    assert deflated_sharpe(own, variance, 37) == pytest.approx(theirs.dsr, rel=1e-12)
    for benchmark in (-0.05, 0.0, 0.1):
        expected = purgedcv.probabilistic_sharpe_ratio(returns, benchmark)
        assert probabilistic_sharpe(own, benchmark) == pytest.approx(expected, rel=1e-12)
        length = purgedcv.min_track_record_length(own.sharpe, benchmark, 0.05, own.skew, own.kurtosis)
        mine = minimum_track_record(own, benchmark)
        if math.isinf(length):
            assert math.isnan(mine)
        else:
            assert math.ceil(mine - 1.0) + 1 == length
    alone = Moments.of(returns)
    assert alone.sharpe == pytest.approx(own.sharpe * math.sqrt(299 / 300), rel=1e-12)
    assert probabilistic_sharpe(alone) == pytest.approx(probabilistic_sharpe(own), abs=2e-3)


def test_purgedcv_counts_trials_by_their_order_and_not_by_their_returns() -> None:
    rng = np.random.default_rng(0)
    alike = rng.standard_normal((500, 1)) + 0.1 * rng.standard_normal((500, 40))
    shuffled = alike[:, rng.permutation(40)]
    assert independent_trials(alike) == pytest.approx(independent_trials(shuffled), rel=1e-12)
    assert independent_trials(alike) < 2.0
    by_luck = alike.mean(axis=0) / alike.std(axis=0)
    assert purgedcv.effective_n_trials(by_luck) > 10
    assert purgedcv.effective_n_trials(np.sort(by_luck)) < 10


def test_vectorbt_agrees_where_there_are_many_columns() -> None:
    """Its accessor takes ddof 1 for ratio and variance and population moments; of one trial it makes NaN."""
    import vectorbt as vbt  # noqa: F401  adds the accessor

    frame = pd.DataFrame(draws(3, 500, 6), index=pd.date_range("2020-01-01", periods=500))
    accessor: Any = frame.vbt.returns(freq="D", year_freq="252 days")
    theirs = accessor.deflated_sharpe_ratio()
    variance = float((frame.mean() / frame.std()).var())
    mine = [deflated_sharpe(Moments.of(frame[column]), variance, 6) for column in frame]
    np.testing.assert_allclose(mine, theirs, rtol=1e-10)


def test_quantstats_agrees_given_its_moments() -> None:
    from quantstats import stats

    returns = pd.Series(draws(4, 400), index=pd.date_range("2020-01-01", periods=400))
    own = Moments(400, Moments.of(returns).sharpe, float(returns.skew()), float(returns.kurt()) + 3.0)
    assert probabilistic_sharpe(own) == pytest.approx(float(stats.probabilistic_ratio(returns)), rel=1e-12)


# --- moments -------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=4, max_size=30), st.integers(-5, 5))
def test_moments_are_the_plain_ones(whole: list[int], centre: int) -> None:
    assume(len(set(whole)) > 1)
    returns = np.array(whole) / 1e4 + centre
    own = Moments.of(returns)
    np.testing.assert_allclose(
        (own.sharpe, own.skew, own.kurtosis), naive.moments(returns), rtol=1e-9, atol=1e-9
    )
    assert own.kurtosis >= 1.0 + own.skew**2 - 1e-9
    assert own.n == len(whole)


def test_a_moment_needs_its_number_of_returns() -> None:
    assert Moments.of([]).n == 0
    for n, known in ((0, 0), (1, 0), (2, 1), (3, 2), (4, 3)):
        own = Moments.of(np.arange(n) ** 2 / 100.0)
        finite = [math.isfinite(value) for value in (own.sharpe, own.skew, own.kurtosis)]
        assert finite == [known > k for k in range(3)]


@pytest.mark.parametrize("level", [0.0, 0.1, -3e-5, 100.1, 1e6 + 0.1])
def test_returns_that_do_not_vary_have_no_ratio(level: float) -> None:
    own = Moments.of(np.full(77, level))
    assert own.n == 77
    assert np.isnan([own.sharpe, own.skew, own.kurtosis]).all()
    assert math.isnan(probabilistic_sharpe(own))
    assert math.isnan(deflated_sharpe(own, 0.01, 5))
    assert math.isnan(minimum_track_record(own))
    assert math.isnan(most_trials(own, 0.01))


def test_returns_of_two_values_only_may_leave_no_error_to_speak_of() -> None:
    """1 - skew * ratio + (kurtosis - 1) / 4 * ratio ** 2 is the square of 0 at kurtosis = 1 + skew ** 2."""
    assert math.isnan(Moments(10, 2.0, 1.0, 2.0).dispersion)
    assert math.isnan(probabilistic_sharpe(Moments(10, 2.0, 1.0, 2.0)))
    assert math.isnan(minimum_track_record(Moments(10, 2.0, 1.0, 2.0)))


# --- odds ----------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, 300), st.floats(-0.3, 0.3), st.floats(0.01, 100.0))
def test_odds_follow_the_formula_whatever_the_unit(seed: int, n: int, benchmark: float, unit: float) -> None:
    returns = draws(seed, n)
    odds = probabilistic_sharpe(Moments.of(returns), benchmark)
    assert odds == pytest.approx(naive.probabilistic(returns, benchmark), abs=1e-12)
    assert probabilistic_sharpe(Moments.of(returns * unit), benchmark) == pytest.approx(odds, abs=1e-9)
    assert probabilistic_sharpe(Moments.of(-returns), -benchmark) == pytest.approx(1.0 - odds, abs=1e-12)


def test_odds_are_right_as_often_as_they_say() -> None:
    """Of 1000 records with a true ratio of 0.1 a session, 5 % show odds above 95 % of exceeding it."""
    table = np.random.default_rng(5).normal(0.001, 0.01, (150, 1000))
    odds = np.array([probabilistic_sharpe(Moments.of(column), 0.1) for column in table.T])
    for level in (0.05, 0.5, 0.95):
        error = math.sqrt(level * (1 - level) / 1000)
        assert np.mean(odds <= level) == pytest.approx(level, abs=4 * error)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 0.5), st.floats(-2.0, 1.0), st.floats(0.0, 10.0), st.floats(0.51, 0.999))
def test_at_the_minimum_track_record_the_odds_are_the_confidence(
    ratio: float, skew: float, fat: float, confidence: float
) -> None:
    own = Moments(2, ratio, skew, 1.0 + skew**2 + fat)
    length = minimum_track_record(own, 0.2 * ratio, confidence)
    z = (ratio - 0.2 * ratio) * math.sqrt(length - 1.0) / own.dispersion
    assert naive.NORMAL.cdf(z) == pytest.approx(confidence, rel=1e-9)


def test_no_record_is_long_enough_for_a_ratio_at_or_below_the_benchmark() -> None:
    assert math.isnan(minimum_track_record(NORMAL, 0.1))
    assert math.isnan(minimum_track_record(NORMAL, 0.2))
    assert minimum_track_record(NORMAL, 0.0999) > 1e6


# --- many trials ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trials", "within"), [(2, 0.09), (5, 0.03), (10, 0.025), (100, 0.01), (1000, 0.005)]
)
def test_the_luckiest_ratio_is_near_the_expected_largest(trials: int, within: float) -> None:
    expected = naive.expected_largest(trials)
    assert luckiest_sharpe(1.0, trials) == pytest.approx(expected, rel=within)
    assert luckiest_sharpe(0.04, trials) == pytest.approx(0.2 * luckiest_sharpe(1.0, trials), rel=1e-12)


def test_the_luckiest_ratio_grows_from_zero() -> None:
    grid = [1.0, 1.0 + 1e-12, 1.2, 1.28, 1.29, 1.5, 2.0, 2.5, 10.0, 1e6, 1e12, 1e15]
    lucky = [luckiest_sharpe(1.0, trials) for trials in grid]
    assert lucky[:4] == [0.0] * 4
    assert lucky[4] > 0.0
    assert all(low < high for low, high in pairwise(lucky[3:]))
    assert luckiest_sharpe(0.0, 10) == 0.0
    assert luckiest_sharpe(1.0, 1e15) == pytest.approx(8.0, abs=0.2)


def test_nothing_is_known_of_trials_that_are_not_known() -> None:
    assert math.isnan(luckiest_sharpe(np.nan, 3))
    assert math.isnan(luckiest_sharpe(0.1, np.nan))
    assert math.isnan(deflated_sharpe(NORMAL, np.nan, 3))
    assert math.isnan(most_trials(NORMAL, np.nan))


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 0.25), st.integers(300, 3000), st.floats(0.005, 0.1), st.floats(0.6, 0.999))
def test_the_most_trials_bring_the_ratio_to_the_confidence(
    ratio: float, n: int, spread: float, confidence: float
) -> None:
    own = Moments(n, ratio, -0.5, 6.0)
    trials = most_trials(own, spread**2, confidence)
    if math.isnan(trials):
        assert deflated_sharpe(own, spread**2, 1e15) > confidence
    elif trials == 1.0:
        assert deflated_sharpe(own, spread**2, 1.0) <= confidence
    else:
        assert deflated_sharpe(own, spread**2, trials) == pytest.approx(confidence, abs=1e-9)
        assert deflated_sharpe(own, spread**2, 0.99 * trials) > confidence
        assert deflated_sharpe(own, spread**2, min(1.01 * trials, 1e15)) < confidence


def test_edges_of_the_most_trials() -> None:
    assert most_trials(Moments(100, 0.01, 0.0, 3.0), 0.01) == 1.0
    assert most_trials(Moments(100, -0.5, 0.0, 3.0), 0.0) == 1.0
    assert math.isnan(most_trials(Moments(1000, 0.5, 0.0, 3.0), 0.0))
    assert math.isnan(most_trials(Moments(1000, 0.5, 0.0, 3.0), 1e-6))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 60), st.integers(2, 12), st.floats(0.0, 3.0))
def test_independent_trials_follow_from_every_pair(seed: int, n: int, count: int, common: float) -> None:
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((n, count)) + common * rng.standard_normal((n, 1))
    assert independent_trials(table) == pytest.approx(naive.independent(table), rel=1e-9)


def test_edges_of_independent_trials() -> None:
    rng = np.random.default_rng(1)
    one = rng.standard_normal((200, 1))
    assert independent_trials(np.tile(one, 30)) == pytest.approx(1.0, abs=1e-9)
    assert independent_trials(one) == 1.0
    assert independent_trials(np.hstack([one, -one])) == 2.0
    apart = rng.standard_normal((2000, 30))
    assert independent_trials(apart) == pytest.approx(30.0, rel=0.02)
    far = apart * np.geomspace(1e-6, 1e3, 30) + np.geomspace(1e-3, 1e6, 30)
    assert independent_trials(far) == pytest.approx(independent_trials(apart), rel=1e-6)
    still = np.full((2000, 1), 0.1)
    broken = np.where(np.arange(2000)[:, None] == 7, np.nan, rng.standard_normal((2000, 1)))
    assert independent_trials(np.hstack([apart, still, broken])) == independent_trials(apart)
    assert math.isnan(independent_trials(still))
    assert math.isnan(independent_trials(np.empty((0, 4))))
    assert math.isnan(independent_trials(np.empty((5, 0))))


# --- of returns ----------------------------------------------------------------------------------------


def test_sharpe_odds_are_annual() -> None:
    returns = pd.Series(draws(8, 756) + 0.003, index=pd.bdate_range("2020-01-01", periods=756))
    odds = sharpe_odds(returns, 0.5, 252, 0.9)
    own = Moments.of(returns)
    assert odds["Sharpe Ratio"] == pytest.approx(returns.mean() / returns.std() * math.sqrt(252), rel=1e-12)
    expected = naive.probabilistic(returns, 0.5 / math.sqrt(252))
    assert odds["Probabilistic Sharpe"] == pytest.approx(expected, rel=1e-12)
    years = odds["Minimum Track Record [years]"]
    assert years == pytest.approx(minimum_track_record(own, 0.5 / math.sqrt(252), 0.9) / 252, rel=1e-12)
    assert odds["Skew"] == own.skew
    assert odds["Kurtosis"] == own.kurtosis
    assert odds["Observations"] == 756
    pd.testing.assert_series_equal(odds, sharpe_odds(returns.to_numpy(), 0.5, 252, 0.9))
    pd.testing.assert_series_equal(odds, sharpe_odds(list(returns), 0.5, 252.0, 0.9))
    assert sharpe_odds(np.zeros(10)).drop("Observations").isna().all()


# --- bad input -----------------------------------------------------------------------------------------

TWICE = pd.Series([0.1, 0.2], index=pd.to_datetime(["2020-01-02", "2020-01-02"]))


@pytest.mark.parametrize(
    ("returns", "words"),
    [
        ([], "empty"),
        ([0.1, np.nan], "missing"),
        ([0.1, np.inf], "infinite"),
        (["a", "b"], "give numbers"),
        ([0.1, 0.2j], "give numbers"),
        ([True, False], "give numbers"),
        (None, "give numbers"),
        (0.1, "0 dimensions"),
        (np.zeros((3, 2)), "2 dimensions"),
        ([[0.1], [0.1, 0.2]], "array of numbers"),
        (pd.Series([0.1, None], dtype="Float64"), "missing"),
        (pd.Series(pd.to_datetime(["2020-01-02"])), "give numbers"),
        (TWICE, "more than one of 2020-01-02"),
    ],
)
def test_returns_that_cannot_be_used(returns: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        sharpe_odds(returns)


@pytest.mark.parametrize("table", [np.zeros(3), np.zeros((2, 2, 2)), [["a"]], [[np.inf]], "table", None, 3.0])
def test_tables_that_cannot_be_used(table: Any) -> None:
    with pytest.raises(DataError):
        independent_trials(table)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: probabilistic_sharpe(NORMAL, np.nan), "benchmark is nan"),
        (lambda: probabilistic_sharpe(NORMAL, "x"), "benchmark is 'x'"),
        (lambda: probabilistic_sharpe(0.1), "moments are 0.1"),
        (lambda: minimum_track_record([0.1]), "moments are"),
        (lambda: minimum_track_record(NORMAL, np.inf), "benchmark is inf"),
        (lambda: minimum_track_record(NORMAL, 0.0, 0.5), "confidence is 0.5"),
        (lambda: minimum_track_record(NORMAL, 0.0, 1.0), "confidence is 1.0"),
        (lambda: minimum_track_record(NORMAL, 0.0, np.nan), "confidence is nan"),
        (lambda: luckiest_sharpe(-1e-9, 3), "variance is -1e-09"),
        (lambda: luckiest_sharpe(np.inf, 3), "variance is inf"),
        (lambda: luckiest_sharpe("x", 3), "variance is 'x'"),
        (lambda: luckiest_sharpe(1.0, 0.99), "trials is 0.99"),
        (lambda: luckiest_sharpe(1.0, 10**400), "trials is 1000"),
        (lambda: luckiest_sharpe(1.0, True), "trials is True"),
        (lambda: deflated_sharpe(NORMAL, 1.0, 0), "trials is 0"),
        (lambda: deflated_sharpe(None, 1.0, 3), "moments are None"),
        (lambda: most_trials(NORMAL, "x"), "variance is 'x'"),
        (lambda: most_trials(NORMAL, 0.1, 95), "confidence is 95"),
        (lambda: most_trials("x", 0.1), "moments are 'x'"),
        (lambda: sharpe_odds([0.1, 0.2], periods_per_year=0), "periods_per_year is 0"),
        (lambda: sharpe_odds([0.1, 0.2], periods_per_year=np.inf), "periods_per_year is inf"),
        (lambda: sharpe_odds([0.1, 0.2], "x"), "benchmark is 'x'"),
        (lambda: sharpe_odds([0.1, 0.2], confidence=0.0), "confidence is 0.0"),
        (lambda: Moments(-1, 0.1, 0.0, 3.0), "n is -1"),
        (lambda: Moments(10.0, 0.1, 0.0, 3.0), "n is 10.0"),
        (lambda: Moments(10, "x", 0.0, 3.0), "sharpe is 'x'"),
        (lambda: Moments(10, 0.1, 0.0, np.inf), "kurtosis is inf"),
    ],
)
def test_parameters_that_cannot_be_used(call: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        call()
