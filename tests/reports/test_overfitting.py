"""Overfitting by cross-validation: against purgedcv, numbers by hand and every split by itself."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction
from typing import Any

import naive_significance as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from purgedcv import probability_of_backtest_overfitting

from entrepot.errors import DataError, ParameterError
from entrepot.reports.overfitting import Overfitting, overfitting


def noise(seed: int, n: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, count)) * 0.01


def agrees(mine: Overfitting, table: np.ndarray, blocks: int) -> None:
    """Every split as the slow twin has it."""
    count = table.shape[1]
    expected = naive.splits_of(table, blocks)
    known = [row for row in expected if row is not None]
    assert len(mine.logits) == len(expected)
    blank = (np.nan,) * 3
    columns = np.array([blank if row is None else row[1:] for row in expected]).T
    np.testing.assert_allclose(
        [mine.in_sample, mine.out_of_sample, mine.logits], columns, rtol=1e-9, atol=1e-12
    )
    assert mine.chosen.tolist() == [sum(row[0] == j for row in known) for j in range(count)]
    if known:
        assert mine.probability == pytest.approx(np.mean([row[3] < 0 for row in known]), abs=1e-15)
        assert mine.probability_of_loss == pytest.approx(np.mean([row[2] < 0 for row in known]), abs=1e-15)
    else:
        assert math.isnan(mine.probability)
        assert math.isnan(mine.probability_of_loss)


# --- numbers from elsewhere ----------------------------------------------------------------------------


def test_two_opposite_configurations_by_hand() -> None:
    """Halves of blocks 0 and 1 or of 2 and 3 are overfit; in the other four both have a ratio of zero."""
    up = np.array([2.0, 1.0, 2.0, 1.0, -2.0, -1.0, -2.0, -1.0])
    found = overfitting(np.column_stack([up, -up]), 4)
    assert found.probability == pytest.approx(1 / 3, rel=1e-15)
    low = math.log(1 / 2)
    np.testing.assert_allclose(found.logits, [low, 0.0, 0.0, 0.0, 0.0, low], atol=1e-12)
    assert found.chosen.tolist() == [5, 1]
    assert found.probability_of_loss == pytest.approx(1 / 3, rel=1e-15)


def test_noise_that_others_have_measured() -> None:
    """Two independent programs, purgedcv one of them, give these ten digits."""
    table = np.random.RandomState(0).standard_normal((10, 240)).T * 0.01
    assert round(overfitting(table, 8).probability, 10) == 0.3142857143
    found = overfitting(table)
    assert round(found.probability, 10) == 0.2483294483
    assert round(float(found.logits.mean()), 10) == 0.8930701658
    assert round(found.slope, 7) == -0.4554222
    assert len(found.logits) == 12_870
    assert found.blocks == 16
    table[:, 0] += 0.004
    for blocks in (8, 16):
        skilled = overfitting(table, blocks)
        assert skilled.probability == 0.0
        assert skilled.chosen[0] == len(skilled.logits)


@pytest.mark.parametrize(
    ("seed", "n", "count", "blocks"),
    [(0, 96, 7, 6), (1, 103, 3, 8), (2, 61, 12, 4), (3, 50, 2, 2), (4, 167, 5, 10)],
)
def test_purgedcv_agrees_split_by_split(seed: int, n: int, count: int, blocks: int) -> None:
    table = noise(seed, n, count) + 0.002 * np.arange(count) / count
    table[:, -1] = table[:, 0]  # ties share the average of their ranks
    mine, theirs = overfitting(table, blocks), probability_of_backtest_overfitting(table.T, blocks)
    assert mine.probability == pytest.approx(theirs.pbo, abs=1e-12)
    np.testing.assert_allclose(mine.logits, theirs.logits, atol=1e-12)
    pairs = np.column_stack([mine.in_sample, mine.out_of_sample])
    np.testing.assert_allclose(pairs, theirs.is_oos_performance, atol=1e-12)
    assert mine.slope == pytest.approx(theirs.slope, rel=1e-9)
    fit = np.polynomial.polynomial.polyfit(mine.in_sample, mine.out_of_sample, 1)
    np.testing.assert_allclose([mine.intercept, mine.slope], fit, rtol=1e-8)


def test_purgedcv_chooses_what_never_trades_and_this_does_not() -> None:
    table = noise(5, 80, 3) - 0.02
    table[:, 1] = 0.0
    assert (probability_of_backtest_overfitting(table.T, 4).is_oos_performance == 0.0).all()
    mine = overfitting(table, 4)
    assert mine.chosen[1] == 0
    assert mine.chosen.sum() == 6
    assert (mine.in_sample < 0.0).all()
    agrees(mine, table, 4)


# --- the slow twin -------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.sampled_from([2, 4, 6]), st.integers(0, 17), st.data())
def test_every_split_is_as_the_slow_twin_has_it(
    seed: int, count: int, blocks: int, more: int, data: st.DataObject
) -> None:
    n = 2 * blocks + more
    rng = np.random.default_rng(seed)
    table = rng.integers(-3, 4, (n, count)) / 128.0  # exact sums: ties are ties
    for j in range(count):
        kind = data.draw(st.sampled_from(["plain", "plain", "late", "still", "copy", "broken"]))
        if kind == "late":
            table[: n // 2 + 1, j] = 0.0
        elif kind == "still":
            table[:, j] = 0.1
        elif kind == "copy":
            table[:, j] = table[:, 0]
        elif kind == "broken":
            table[rng.integers(n), j] = np.nan
    agrees(overfitting(table, blocks), table, blocks)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-4, 1e4))
def test_neither_order_nor_unit_matters(seed: int, unit: float) -> None:
    table = noise(seed, 60, 5)
    order = np.random.default_rng(seed).permutation(5)
    one, other = overfitting(table, 6), overfitting(table[:, order] * unit, 6)
    np.testing.assert_allclose(one.logits, other.logits, atol=1e-12)
    np.testing.assert_allclose(one.out_of_sample, other.out_of_sample, rtol=1e-9)
    assert one.chosen[order].tolist() == other.chosen.tolist()


def test_copies_are_tied_whatever_the_rounding() -> None:
    """Thousands of columns go through blocked matrix products, which may round copies differently."""
    rng = np.random.default_rng(6)
    origin = rng.standard_normal((307, 40)) * 0.01 + 0.01
    table = np.tile(origin, (1, 25))
    one, many = overfitting(origin, 8), overfitting(table, 8)
    assert many.chosen[40:].sum() == 0
    assert many.chosen[:40].tolist() == one.chosen.tolist()
    middle = (1.0 / (1.0 + np.exp(-one.logits)) * 41 - 0.5) * 25 + 0.5  # of 25 copies' ranks
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-many.logits)), middle / 1001, rtol=1e-12)


@pytest.mark.parametrize("level", [1.0, 1e4, 1e7])
def test_a_large_mean_takes_no_digits(level: float) -> None:
    """Whole multiples of 2 ** -20, so that adding the level rounds nothing; ratios by exact fractions."""
    steps = np.random.default_rng(7).integers(-1000, 1001, (64, 3))
    table = steps / 2.0**20 + level
    found = overfitting(table, 4)

    def exact(rows: list[int], column: int) -> float:
        values = [Fraction(int(steps[row, column]), 2**20) + Fraction(level) for row in rows]
        middle = sum(values) / len(values)
        variance = sum((value - middle) ** 2 for value in values) / (len(values) - 1)
        return float(middle) / math.sqrt(variance)

    train, test = list(range(32, 64)), list(range(32))  # of the first split
    best = max(range(3), key=lambda column: exact(train, column))
    assert found.in_sample[0] == pytest.approx(exact(train, best), rel=1e-9)
    assert found.out_of_sample[0] == pytest.approx(exact(test, best), rel=1e-9)


# --- what has no ratio ---------------------------------------------------------------------------------


def test_a_half_that_does_not_vary_ranks_as_zero() -> None:
    table = noise(8, 40, 3)
    table[:, 0] = np.where(np.arange(40) < 20, 3e-5, 0.01 + table[:, 0])
    found = overfitting(table, 2)
    agrees(found, table, 2)
    assert found.in_sample[0] > 0.0  # chosen by the later half, in which it trades ...
    assert found.out_of_sample[0] == 0.0  # ... and without a ratio in the earlier
    assert found.chosen[0] == 1


def test_what_varies_by_rounding_only_does_not_vary() -> None:
    """As the returns of equity that grows by the same rate every session."""
    equity = 1e7 * 1.0001 ** np.arange(81)
    steady = equity[1:] / equity[:-1] - 1.0
    assert len(set(steady.tolist())) > 1
    found = overfitting(np.column_stack([noise(12, 80, 3), steady]), 4)
    assert found.chosen[3] == 0
    agrees(found, np.column_stack([noise(12, 80, 3), np.zeros(80)]), 4)


def test_where_nothing_can_be_chosen_nothing_is_known() -> None:
    for table in (np.zeros((64, 4)), np.full((64, 3), 0.1), np.full((64, 3), np.nan)):
        found = overfitting(table, 4)
        for number in (found.probability, found.slope, found.intercept, found.probability_of_loss):
            assert math.isnan(number)
        assert np.isnan([found.logits, found.in_sample, found.out_of_sample]).all()
        assert found.chosen.tolist() == [0] * table.shape[1]


def test_a_split_without_a_choice_counts_in_no_share() -> None:
    table = np.zeros((40, 2))
    table[20:] = noise(9, 20, 2)
    found = overfitting(table, 2)
    assert np.isfinite(found.logits).tolist() == [
        True,
        False,
    ]  # out of sample: the first half, then the second
    assert found.chosen.sum() == 1
    assert math.isnan(found.slope)
    agrees(found, table, 2)


def test_one_ratio_in_all_splits_has_no_slope() -> None:
    rows = np.tile([0.01, -0.02, 0.03, 0.0], 8)
    found = overfitting(np.column_stack([rows, -rows]), 4)
    assert math.isnan(found.slope)
    assert math.isnan(found.intercept)
    assert found.probability == 0.0


@pytest.mark.slow
def test_noise_is_overfit_and_skill_is_not() -> None:
    """Over many worlds the best of noise is below the median half of the time."""
    luck = [overfitting(noise(seed, 240, 20), 8).probability for seed in range(300)]
    assert np.mean(luck) == pytest.approx(0.5, abs=4 * np.std(luck) / math.sqrt(300))


def test_a_large_sweep_needs_little_memory() -> None:
    """The Sharpe ratios of all configurations in all halves would be 206 MB by themselves."""
    table = noise(11, 2000, 2000)
    tracemalloc.start()
    found = overfitting(table)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * table.nbytes
    assert found.chosen.sum() == 12_870


# --- bad input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [3, 0, -2, 22, 4.0, "8", None, True, np.nan, 10**30])
def test_blocks_that_cannot_be_used(blocks: Any) -> None:
    with pytest.raises(ParameterError, match=r"blocks is .*: give an even number from 2 to 20"):
        overfitting(np.zeros((100, 2)), blocks)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (np.zeros(100), "1 dimension:"),
        (np.zeros((100, 2, 2)), "3 dimensions:"),
        (np.zeros((100, 1)), "returns of 1 configuration:"),
        (np.zeros((100, 0)), "returns of 0 configurations"),
        (np.zeros((31, 2)), "31 sessions: 16 blocks need at least 32"),
        (np.zeros((0, 2)), "0 sessions"),
        (np.full((100, 2), np.inf), "infinite"),
        (np.full((100, 2), "a"), "give numbers"),
        ("returns", "give numbers"),
        (None, "give numbers"),
        (pd.DataFrame({"a": ["x"] * 40, "b": 1.0}), "give numbers"),
    ],
)
def test_tables_that_cannot_be_used(table: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        overfitting(table)


def test_a_frame_is_a_table() -> None:
    table = noise(10, 64, 3)
    assert overfitting(pd.DataFrame(table), 4).probability == overfitting(table, 4).probability
    assert len(overfitting(table[:32]).logits) == 12_870
