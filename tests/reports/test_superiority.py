"""Superior ability: against arch on the same draws, sums done one by one, and how often it errs."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import naive_significance as naive
import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import SPA, StationaryBootstrap, StepM, optimal_block_length
from hypothesis import example, given, settings, strategies as st

from entrepot.errors import DataError, ParameterError
from entrepot.reports.superiority import Superiority, long_run_variance, superior_ability


def world(seed: int, n: int, count: int) -> np.ndarray:
    """Returns that depend on the day before and on each other, of unlike scale, a few with skill."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal((n, count)) + 0.5 * rng.standard_normal((n, 1))
    shocks[1:] += 0.3 * shocks[:-1]
    skill = np.where(rng.random(count) < 0.3, 0.25, -0.1 * rng.random(count))
    return np.asarray((shocks + skill) * 0.01 * np.geomspace(0.3, 3.0, count), dtype=np.float64)


def odds(found: Superiority) -> list[float]:
    return [found.p_lower, found.p_consistent, found.p_upper]


def omegas(gains: np.ndarray, block: float) -> np.ndarray:
    """As arch's own loop finds them."""
    peer = SPA(np.zeros(len(gains)), -gains, block_size=block, reps=1, seed=0)
    peer.compute()
    return np.sqrt(peer._loss_diff_var)


def test_losses_that_others_have_measured() -> None:
    """arch's SPA gives .060, .091 and .091 for these squared errors."""
    rng = np.random.RandomState(42)
    benchmark, models = rng.standard_normal(500) ** 2, rng.standard_normal((500, 10)) ** 2
    models[:, 0] -= 0.15
    found = superior_ability(-models, -benchmark, block=10, draws=1000, seed=23456, studentize=False)
    assert odds(found) == [0.060, 0.091, 0.091]
    assert found.better.tolist() == []
    assert (found.block, found.draws) == (10.0, 1000)


@pytest.mark.parametrize("studentize", [True, False])
@pytest.mark.parametrize(
    ("seed", "n", "count", "block"),
    [(0, 200, 12, 4), (1, 97, 5, 1), (2, 300, 30, 7.5), (3, 60, 2, 3), (4, 20, 4, 2)],
)
def test_arch_agrees_to_the_last_digit(seed: int, n: int, count: int, block: float, studentize: bool) -> None:
    """Its statistic is of means as they are: for Hansen's, differences are divided by omega beforehand."""
    models, benchmark = world(seed, n, count), world(seed + 50, n, 1)[:, 0]
    found = superior_ability(
        models, benchmark, draws=500, seed=seed, block=block, confidence=0.9, studentize=studentize
    )
    gains = models - benchmark[:, None]
    if studentize:
        gains = gains / omegas(gains, block)
    peer = SPA(np.zeros(n), -gains, block_size=block, reps=500, seed=seed)
    peer.compute()
    assert odds(found) == peer.pvalues.tolist()
    steps = StepM(np.zeros(n), -gains, size=0.1, block_size=block, reps=500, seed=seed)
    steps.compute()
    assert found.better.tolist() == steps.superior_models


def test_some_of_these_worlds_have_better_ones_found_in_steps() -> None:
    """The comparisons above are of something."""
    sizes = [len(superior_ability(world(seed, 300, 12), block=4).better) for seed in range(6)]
    assert 0 < sum(sizes) < 72
    assert len(set(sizes)) > 2


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 40), st.integers(1, 4), st.floats(1.0, 20.0), st.booleans())
@example(155, 20, 1, 5.0, False)
@example(155, 20, 1, 20.0, True)
def test_the_slow_twin_agrees(seed: int, n: int, count: int, block: float, studentize: bool) -> None:
    gains = world(seed, n, count) + 0.001  # with long blocks a sample may be all sessions in another order
    found = superior_ability(gains, draws=100, seed=seed, block=block, confidence=0.8, studentize=studentize)
    drawn = StationaryBootstrap(block, np.arange(n), seed=seed).bootstrap(100)
    expected, better = naive.superior(gains, [rows for (rows,), _ in drawn], block, 0.8, studentize)
    assert odds(found) == pytest.approx([expected[k] for k in ("lower", "consistent", "upper")], abs=1e-12)
    assert found.better.tolist() == better


def test_arch_fails_where_the_last_one_is_found_in_a_second_step() -> None:
    """Nothing is left to take the largest of; that all were found is the answer."""
    rng = np.random.default_rng(1)
    gains = np.column_stack([rng.normal(0.02, 0.03, 300), rng.normal(0.0005, 0.001, 300)])
    assert superior_ability(gains, block=5, draws=200, studentize=False).better.tolist() == [0, 1]
    peer = StepM(np.zeros(300), -gains, block_size=5, reps=200, seed=0)
    with pytest.raises(ValueError, match="zero-size"):
        peer.compute()


@pytest.mark.parametrize("block", [1.0, 2.5, 10.0, 80.0])
def test_the_long_run_variance_is_of_means_drawn(block: float) -> None:
    gains = world(7, 80, 3)
    centred = gains - gains.mean(axis=0)
    mine = long_run_variance(centred, block)
    np.testing.assert_allclose(mine, omegas(gains, block) ** 2, rtol=1e-11)
    np.testing.assert_allclose(
        mine, [naive.long_run_variance(c.tolist(), block) for c in gains.T], rtol=1e-11
    )
    many = np.tile(centred, (1, 90))  # more than are transformed at a time
    np.testing.assert_allclose(long_run_variance(many, block), np.tile(mine, 90), rtol=1e-12)


def test_the_block_is_that_of_the_best_for_its_risk() -> None:
    rng = np.random.default_rng(3)
    shocks = rng.standard_normal((1000, 2))
    for t in range(1, 1000):
        shocks[t, 0] += 0.7 * shocks[t - 1, 0]
    for better in (0, 1):
        gains = np.where(np.arange(2) == better, shocks + 0.3, 100.0 * shocks + 1.0)
        expected = max(1.0, float(optimal_block_length(gains[:, better])["stationary"].iloc[0]))
        assert superior_ability(gains, draws=100).block == pytest.approx(expected, rel=1e-9)
    assert superior_ability(-np.cumsum(shocks, axis=0) % 1.0 - shocks, draws=100).block >= 1.0


# --- what it is for ------------------------------------------------------------------------------------


def test_a_wild_configuration_does_not_hide_a_skilled_one() -> None:
    rng = np.random.default_rng(4)
    gains = rng.standard_normal((500, 6)) * np.array([0.01] * 5 + [1.0])
    gains[:, 0] += 0.003
    found = superior_ability(gains, block=1)
    assert found.better.tolist() == [0]
    assert found.p_consistent < 0.01
    raw = superior_ability(gains, block=1, studentize=False)
    assert raw.better.tolist() == []
    assert raw.p_consistent > 0.1


def test_far_worse_ones_matter_only_to_the_upper_value() -> None:
    rng = np.random.default_rng(5)
    gains = rng.standard_normal((400, 40)) * 0.01
    gains[:, 0] += 0.0012
    gains[:, 1:] -= 0.01
    found = superior_ability(gains, block=1)
    assert found.p_lower <= found.p_consistent < found.p_upper
    assert found.p_consistent < 0.05 < found.p_upper
    assert found.better.tolist() == [0]


def test_no_more_errors_than_promised() -> None:
    """Of 400 worlds without skill the test rejects, and the set names one, in about as many as they may."""
    rng = np.random.default_rng(6)
    low = named = 0
    for seed in range(400):
        shocks = rng.standard_normal((120, 5)) + rng.standard_normal((120, 1))
        gains = shocks * np.array([0.1, 0.5, 1.0, 2.0, 10.0])
        found = superior_ability(gains - 0.0, block=1, draws=200, seed=seed, confidence=0.9)
        low += found.p_consistent < 0.1
        named += len(found.better) > 0
    assert low / 400 == pytest.approx(0.1, abs=0.055)
    assert named / 400 == pytest.approx(0.1, abs=0.055)


def test_skill_is_found() -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for seed in range(40):
        gains = rng.standard_normal((250, 10)) * 0.01
        gains[:, 3] += 0.003
        found = superior_ability(gains, draws=200, seed=seed)
        hits += 3 in found.better
    assert hits >= 36


# --- what is left out ----------------------------------------------------------------------------------


def test_configurations_that_do_not_vary_or_are_broken_are_left_out() -> None:
    gains = world(0, 200, 6)
    plain = superior_ability(gains, block=4)
    assert len(plain.better)
    still = np.full((200, 1), 0.1)
    broken = np.where(np.arange(200)[:, None] == 7, np.nan, gains[:, :1])
    more = superior_ability(np.hstack([still, broken, gains]), block=4)
    assert odds(more) == odds(plain)
    assert more.better.tolist() == [j + 2 for j in plain.better]


def test_the_benchmark_itself_is_left_out() -> None:
    gains = world(1, 200, 4)
    found = superior_ability(gains, gains[:, 2], block=4)
    rest = superior_ability(np.delete(gains, 2, axis=1), gains[:, 2], block=4)
    assert odds(found) == odds(rest)
    assert 2 not in found.better


@pytest.mark.parametrize(
    "models",
    [np.zeros((100, 3)), np.full((100, 2), np.nan), world(2, 19, 3), np.empty((100, 0)), np.empty((0, 2))],
)
def test_where_nothing_counts_nothing_is_known(models: np.ndarray) -> None:
    found = superior_ability(models)
    assert np.isnan(odds(found)).all()
    assert found.better.tolist() == []
    assert math.isnan(found.block)
    assert found.draws == 1000


def test_inputs_are_left_as_they_are() -> None:
    models, benchmark = world(3, 60, 4), world(4, 60, 1)[:, 0]
    before = models.copy(), benchmark.copy()
    superior_ability(models, draws=100)
    superior_ability(models, benchmark, draws=100)
    np.testing.assert_array_equal(models, before[0])
    np.testing.assert_array_equal(benchmark, before[1])


def test_the_seed_is_all_the_chance_there_is() -> None:
    models = world(5, 150, 8) - 0.001
    one, same, other = (superior_ability(models, seed=seed) for seed in (1, 1, 2))
    assert odds(one) == odds(same)
    assert odds(one) != odds(other)
    assert odds(superior_ability(models * 1e-3, seed=1)) == odds(one)


def test_a_large_sweep_needs_little_memory() -> None:
    """Differences, how often each session is drawn, and chunks; not all resampled means three times over."""
    models = np.random.default_rng(8).standard_normal((2000, 2000)) * 0.01
    tracemalloc.start()
    superior_ability(models, block=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * models.nbytes


# --- bad input -----------------------------------------------------------------------------------------

MODELS = world(6, 60, 3)
DATES = pd.bdate_range("2020-01-01", periods=60)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"draws": 99}, "draws is 99"),
        ({"draws": 1e3}, "draws is 1000.0"),
        ({"draws": True}, "draws is True"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": None}, "seed is None"),
        ({"confidence": 0.0}, "confidence is 0.0"),
        ({"confidence": 1}, "confidence is 1"),
        ({"confidence": "95%"}, "confidence is '95%'"),
        ({"confidence": np.nan}, "confidence is nan"),
        ({"block": 0.99}, "block is 0.99"),
        ({"block": 61}, "block is 61: give a number of sessions from 1 to their number, 60"),
        ({"block": np.nan}, "block is nan"),
        ({"block": "auto"}, "block is 'auto'"),
    ],
)
def test_parameters_that_cannot_be_used(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        superior_ability(MODELS, **arguments)


@pytest.mark.parametrize(
    ("models", "benchmark", "words"),
    [
        (MODELS[:, 0], None, "1 dimension:"),
        (MODELS * np.inf, None, "infinite"),
        ("models", None, "give numbers"),
        (MODELS, MODELS, r"shape \(60, 3\)"),
        (MODELS, np.zeros(59), r"shape \(59,\)"),
        (MODELS, 0.0, r"shape \(\)"),
        (MODELS, np.full(60, np.nan), "benchmark's returns are missing"),
        (MODELS, np.full(60, np.inf), "infinite"),
        (MODELS, ["a"] * 60, "give numbers"),
        (pd.DataFrame(MODELS, DATES), pd.Series(0.0, DATES.tz_localize("UTC")), "another index"),
        (pd.DataFrame(MODELS, DATES), pd.Series(0.0, DATES[::-1]), "another index"),
    ],
)
def test_returns_that_cannot_be_used(models: Any, benchmark: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        superior_ability(models, benchmark)


def test_frames_and_series_are_arrays() -> None:
    base = pd.Series(world(7, 60, 1)[:, 0], DATES)
    found = superior_ability(pd.DataFrame(MODELS, DATES), base)
    assert odds(found) == odds(superior_ability(MODELS, base.to_numpy()))
