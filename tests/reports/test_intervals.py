"""Bootstrap intervals: against arch's own, a plain loop, and returns whose truth is known."""

from __future__ import annotations

import math

import doubles
import naive_metrics as naive
import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from hypothesis import given, settings, strategies as st

import entrepot as ep
from entrepot.reports import summary
from entrepot.reports.intervals import (
    ESTIMATED,
    block_length,
    intervals,
    path_figures,
    resampled,
    sharpe_interval,
)


def run(seed: int = 1, n: int = 400, rate: float = 0.0001, turn: float = 0.2) -> doubles.Ledger:
    """Returns that follow each other a little."""
    noise = np.random.default_rng(seed).normal(0.0005, 0.01, n)
    moves = noise[1:] + turn * noise[:-1]
    return doubles.from_equity(list(100 * np.cumprod(np.r_[1, 1 + moves])), rate)


def over(ledger: doubles.Ledger) -> np.ndarray:
    return (ledger.returns - ledger.risk_free).to_numpy()


def test_estimates_are_the_summarys() -> None:
    ledger = run()
    found, table = intervals(ledger, draws=100), summary(ledger)
    assert list(found.index) == list(ESTIMATED)
    assert list(found.columns) == ["estimate", "low", "high", "standard error"]
    for name in set(ESTIMATED) & set(table.index):
        assert found.loc[name, "estimate"] == pytest.approx(table[name], rel=1e-10), name
    expected = 100 * 252 * over(ledger).mean()
    assert found.loc["Mean Excess Return [%]", "estimate"] == pytest.approx(expected)
    assert (found["low"] <= found["high"]).all()


@pytest.mark.parametrize("seed", [0, 7])
def test_intervals_are_those_of_a_plain_loop(seed: int) -> None:
    ledger = run(seed=seed + 2, n=150)
    found = intervals(ledger, confidence=0.9, draws=120, seed=seed)
    rows = naive.resampled(list(ledger.returns), list(over(ledger)), found.attrs["block"], 120, seed)
    for k, name in enumerate(ESTIMATED):
        drawn = [row[k] for row in rows if not math.isnan(row[k])]
        assert found.loc[name, "low"] == pytest.approx(naive.quantile(drawn, 0.05), rel=1e-9), name
        assert found.loc[name, "high"] == pytest.approx(naive.quantile(drawn, 0.95), rel=1e-9), name
        assert found.loc[name, "standard error"] == pytest.approx(naive.deviation(drawn), rel=1e-9), name


@pytest.mark.parametrize(("confidence", "seed"), [(0.95, 0), (0.8, 3)])
def test_intervals_are_archs(confidence: float, seed: int) -> None:
    """`conf_int(method="percentile")` and `cov` of arch 8.0, with the same blocks and the same seed."""
    ledger = run(seed=5, n=300)
    found = intervals(ledger, confidence=confidence, draws=300, seed=seed)

    def figures(returns: np.ndarray, excess: np.ndarray) -> np.ndarray:
        return np.array(naive.path(list(returns), list(excess)))

    plain, block = ledger.returns.to_numpy(), found.attrs["block"]
    theirs = StationaryBootstrap(block, plain, over(ledger), seed=seed)
    low, high = theirs.conf_int(figures, reps=300, method="percentile", size=confidence)
    np.testing.assert_allclose(found["low"], low, rtol=1e-9)
    np.testing.assert_allclose(found["high"], high, rtol=1e-9)
    again = StationaryBootstrap(block, plain, over(ledger), seed=seed)
    cov = again.cov(figures, reps=300, recenter=True)
    np.testing.assert_allclose(found["standard error"], np.sqrt(np.diag(cov) * 300 / 299), rtol=1e-9)


def test_the_sharpe_row_is_the_sharpe_interval() -> None:
    ledger = run(seed=8)
    ledger.risk_free[:] = np.random.default_rng(5).normal(0.0001, 0.01, len(ledger.returns)).cumsum() / 30
    found = intervals(ledger, draws=200, seed=4)
    low, high = sharpe_interval(over(ledger), draws=200, seed=4)
    assert (found.loc["Sharpe Ratio", "low"], found.loc["Sharpe Ratio", "high"]) == (low, high)
    assert found.attrs == {
        "block": block_length(over(ledger)[None]), "draws": 200, "confidence": 0.95, "seed": 4, "reason": "",
    }  # fmt: skip


def test_a_difference_of_ratios_is_archs() -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(0.0005, 0.01, (250, 2))

    def more(data: np.ndarray) -> np.ndarray:
        return np.array([naive.sharpe(list(data[:, 0])) - naive.sharpe(list(data[:, 1]))])

    theirs = StationaryBootstrap(block_length(rows.T), rows, seed=2)
    low, high = theirs.conf_int(more, reps=200, method="percentile", size=0.9)
    assert sharpe_interval(rows, 0.9, 200, 2) == pytest.approx((low[0], high[0]), rel=1e-10)


def test_the_block_length_is_politis_and_whites() -> None:
    """arch 8.0, tests/bootstrap/test_block_length.py: AR(1) with 0.3, from R's np::b.star."""
    e = np.random.RandomState(0).standard_normal(10_100)
    for t in range(1, len(e)):
        e[t] += 0.3 * e[t - 1]
    assert block_length(e[None, 100:]) == pytest.approx(13.635665, rel=1e-6)


def test_blocks_are_never_shorter_than_a_session() -> None:
    noise = np.random.default_rng(0).standard_normal((1, 500))
    assert optimal_block_length(noise[0])["stationary"].item() < 1
    assert block_length(noise) == 1.0


def test_many_draws_are_measured_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = np.random.default_rng(1).normal(0, 0.01, (2, 100))
    whole = resampled(columns, path_figures, 3.0, 250, 1)
    monkeypatch.setitem(resampled.__globals__, "CELLS", 700)  # the module has the name of its function
    np.testing.assert_array_equal(resampled(columns, path_figures, 3.0, 250, 1), whole)
    assert whole.shape == (len(ESTIMATED), 250)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60))
def test_paths_are_measured_as_by_hand(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    columns = rng.normal(rng.choice([-0.01, 0.0, 0.02]), 0.01, (2, 3, n))
    found = path_figures(columns)
    assert found.shape == (len(ESTIMATED), 3)
    for k in range(3):
        expected = naive.path(list(columns[0, k]), list(columns[1, k]))
        np.testing.assert_allclose(found[:, k], expected, rtol=1e-9, atol=1e-12)


def test_a_first_loss_is_a_drawdown() -> None:
    found = path_figures(np.array([[-0.1, 0.01, 0.01]] * 2))
    assert found[ESTIMATED.index("Max Drawdown [%]")] == pytest.approx(-10)


def test_the_policy_rate_is_drawn_with_its_session() -> None:
    """Returns that are the rate and a constant more: whatever is drawn, the mean excess is that constant."""
    rates = np.random.default_rng(1).uniform(0, 0.02, 100)
    wobble = np.where(np.arange(100) % 2, 1e-6, -1e-6)
    ledger = doubles.from_equity(list(100 * np.cumprod(np.r_[1, 1 + rates + 0.001 + wobble])))
    ledger.risk_free[:] = rates
    found = intervals(ledger, draws=100)
    assert found.loc["Mean Excess Return [%]", "low"] == pytest.approx(25.2, rel=1e-3)
    assert found.loc["Mean Excess Return [%]", "high"] == pytest.approx(25.2, rel=1e-3)
    assert found.loc["Annualized Return [%]", "standard error"] > 1


def test_the_same_seed_gives_the_same_and_another_one_another() -> None:
    ledger = run(n=100)
    one = intervals(ledger, draws=100, seed=1)
    pd.testing.assert_frame_equal(intervals(ledger, draws=100, seed=1), one)
    assert not intervals(ledger, draws=100, seed=2)["low"].equals(one["low"])


def test_more_confidence_is_wider() -> None:
    ledger = run(n=200)
    wide, narrow = (intervals(ledger, confidence=c, draws=300) for c in (0.99, 0.5))
    assert (wide["low"] <= narrow["low"]).all()
    assert (wide["high"] >= narrow["high"]).all()


# -- known truth ------------------------------------------------------------------------------------------


def test_independent_returns_have_the_textbook_errors() -> None:
    """Of n independent returns: mean sigma / sqrt(n), volatility sigma / sqrt(2 n); 1,000 draws know a
    standard error to one part in sqrt(2000), and blocks here are next to sessions."""
    n, sigma = 2000, 0.01
    moves = np.random.default_rng(11).normal(0.0003, sigma, n)
    ledger = doubles.from_equity(list(100 * np.cumprod(np.r_[1, 1 + moves])))
    error = intervals(ledger)["standard error"]
    assert error["Mean Excess Return [%]"] == pytest.approx(100 * 252 * sigma / math.sqrt(n), rel=0.15)
    volatility = 100 * sigma * math.sqrt(252 / (2 * n))
    assert error["Annualized Volatility [%]"] == pytest.approx(volatility, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("follow", [0.0, 0.3])
def test_intervals_cover_the_truth_about_as_often_as_they_say(follow: float) -> None:
    """AR(1) returns with known mean and standard deviation: 300 samples of 1,000, intervals of 90 %. Each
    covers with 0.9 but for the error of a small sample; 3 standard errors of 300 samples are 0.052."""
    rng, samples, n = np.random.default_rng(21), 300, 1000
    mu, sigma = 0.0006, 0.01
    truth = {
        "Mean Excess Return [%]": 100 * 252 * mu,
        "Annualized Volatility [%]": 100 * sigma * math.sqrt(252),
        "Sharpe Ratio": mu / sigma * math.sqrt(252),
    }
    covered = dict.fromkeys(truth, 0)
    for _ in range(samples):
        noise = rng.normal(0, sigma * math.sqrt(1 - follow**2), n + 50)
        moves = np.zeros(n + 50)
        for t in range(1, n + 50):
            moves[t] = follow * moves[t - 1] + noise[t]
        ledger = doubles.from_equity(list(100 * np.cumprod(np.r_[1, 1 + mu + moves[50:]])))
        found = intervals(ledger, confidence=0.9, draws=300)
        for name, value in truth.items():
            covered[name] += found.loc[name, "low"] <= value <= found.loc[name, "high"]
    for name, count in covered.items():
        assert abs(count / samples - 0.9) < 0.07, (name, count / samples)


# -- what is not defined, and what is refused -------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "estimates", "reason"),
    [
        ([100.0 + k % 3 for k in range(15)], True, "fewer than 20 returns"),
        ([100.0] * 60, True, "excess returns do not vary"),
        ([100.0, 60.0, -20.0, 5.0] + [8.0] * 40, False, "equity fell to zero or below"),
        ([100.0, np.nan] + [101.0] * 40, False, "returns are missing on some sessions"),
        ([100.0], False, "fewer than two returns"),
    ],
)
def test_nothing_to_resample_is_said(levels: list[float], estimates: bool, reason: str) -> None:
    found = intervals(doubles.from_equity(levels), draws=100)
    assert found[["low", "high", "standard error"]].isna().all(axis=None)
    assert np.isfinite(found.loc["Annualized Return [%]", "estimate"]) == estimates
    assert found.attrs["reason"] == reason
    assert math.isnan(found.attrs["block"])


def test_a_figure_no_draw_defines_has_no_interval() -> None:
    """Nothing but gains: no drawdown and no negative return in any draw."""
    gains = np.random.default_rng(1).uniform(0.001, 0.002, 60)
    found = intervals(doubles.from_equity(list(100 * np.cumprod(np.r_[1, 1 + gains]))), draws=100)
    assert found.loc[["Sortino Ratio", "Calmar Ratio"]].isna().all(axis=None)
    assert (found.loc["Max Drawdown [%]"] == 0).all()
    assert np.isfinite(found.loc["Sharpe Ratio"]).all()


@pytest.mark.parametrize("column", [0, 1])
def test_a_difference_needs_two_ratios(column: int) -> None:
    rows = np.random.default_rng(1).standard_normal((50, 2))
    rows[:, column] = 0.5
    assert all(math.isnan(end) for end in sharpe_interval(rows))
    rows[:, column] = np.nan
    assert all(math.isnan(end) for end in sharpe_interval(rows))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"confidence": 1.0}, "confidence is 1.0: give a fraction such as 0.95"),
        ({"confidence": 0}, "confidence is 0: give a fraction"),
        ({"confidence": "x"}, "confidence is 'x'"),
        ({"confidence": math.nan}, "confidence is nan"),
        ({"draws": 99}, "draws is 99: give a whole number of at least 100"),
        ({"draws": 1e3}, "draws is 1000.0: give a whole number"),
        ({"draws": True}, "draws is True"),
        ({"seed": -1}, "seed is -1: give a whole number, 0 or more"),
        ({"seed": None}, "seed is None"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(ep.ParameterError, match=sentence):
        intervals(run(n=50), **arguments)  # type: ignore[arg-type]
