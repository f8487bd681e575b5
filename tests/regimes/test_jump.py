"""The jump model against its formula, every path there is, and the package of the paper's authors."""

from __future__ import annotations

import pickle

import naive_jump
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.regimes._jump_kernels import best_path, descend, follow, spread_starts
from entrepot.regimes.detector import Detector
from entrepot.regimes.jump import JumpDetector


def made_features(T: int, states: int, columns: int = 3, seed: int = 0) -> np.ndarray:
    """Rows around the centroid of a state that changes once in 50 rows; each column has mean 0 and sd 1."""
    rng = np.random.default_rng(seed)
    state = np.zeros(T, dtype=int)
    for t in range(1, T):
        state[t] = rng.integers(states) if rng.random() < 0.02 else state[t - 1]
    rows = (1.5 * rng.standard_normal((states, columns)))[state] + rng.standard_normal((T, columns))
    return (rows - rows.mean(axis=0)) / rows.std(axis=0)


def made_returns(T: int, seed: int = 0, every: int = 300, stressed: int = 60) -> np.ndarray:
    """Calm returns of 0.8 % a day; the last of every 300 rows fall by 0.3 % and move three times as much."""
    rng = np.random.default_rng(seed)
    late = np.arange(T) % every >= every - stressed
    return np.where(late, -0.003, 0.0005) + np.where(late, 0.024, 0.008) * rng.standard_normal(T)


def states_of(probability: np.ndarray) -> list[int]:
    return probability.argmax(axis=1).tolist()


def run_best_path(rows, centroids, penalty):
    path = np.empty(len(rows), dtype=np.int64)
    value = np.empty((len(centroids), len(rows)))
    columns = np.ascontiguousarray(rows.T)
    return best_path(columns, centroids, penalty, value, path), path.tolist()


# Multiples of 1/4 are added exactly in any order, and make ties as often as one can wish.
quarters = st.integers(-8, 8).map(lambda k: k / 4)
penalties = st.sampled_from([0.0, 0.25, 1.0, 100.0])


@settings(deadline=None)
@given(st.data())
def test_the_path_is_the_formulas_ties_included_and_costs_the_least_of_all_paths(data):
    T, K = data.draw(st.integers(1, 7)), data.draw(st.integers(2, 3))
    rows = np.array(data.draw(st.lists(quarters, min_size=2 * T, max_size=2 * T))).reshape(T, 2)
    centroids = np.array(data.draw(st.lists(quarters, min_size=2 * K, max_size=2 * K))).reshape(K, 2)
    penalty = data.draw(penalties)
    found, path = run_best_path(rows, centroids, penalty)
    assert (found, path) == naive_jump.best_path(rows, centroids, penalty)
    assert found == naive_jump.cost(rows, centroids, penalty, path)
    assert found == naive_jump.least_cost_of_all_paths(rows, centroids, penalty)


def test_a_path_that_jumps_at_its_last_row_ends_in_the_state_it_jumps_to():
    # To jump costs 1; to stay costs half of 2 squared.
    assert run_best_path(np.array([[0.0], [2.0]]), np.array([[0.0], [2.0]]), 1.0) == (1.0, [0, 1])


@pytest.mark.parametrize(("states", "penalty"), [(2, 0.0), (2, 0.5), (2, 3.0), (3, 0.5)])
def test_few_rows_are_fitted_as_well_as_the_best_of_all_paths(states, penalty):
    for seed in range(4):
        y = np.random.default_rng(seed).standard_normal((7 if states == 3 else 9, 2))
        detector = JumpDetector(states=states, penalty=penalty, starts=200).fit(y)
        rows = detector.features(y)
        least = naive_jump.global_minimum(rows, states, penalty)
        assert detector.objective_ == pytest.approx(least, rel=1e-12)
        assert naive_jump.cost(rows, detector.centroids_, penalty, detector._path) == pytest.approx(
            least, rel=1e-12
        )


def test_a_fit_stands_still_and_its_centroids_are_the_means_of_its_states():
    y = made_features(600, 3)
    detector = JumpDetector(states=3, penalty=5.0).fit(y)
    rows = detector.features(y)
    for k in range(3):
        np.testing.assert_allclose(detector.centroids_[k], rows[detector._path == k].mean(axis=0), atol=1e-12)
    assert run_best_path(rows, detector.centroids_, 5.0)[1] == detector._path.tolist()
    assert detector.rows_.sum() == 600
    ends = np.flatnonzero(np.diff(detector._path)).tolist()
    stays = [(detector._path[end], end - start) for start, end in zip([-1, *ends], [*ends, 599], strict=True)]
    for k in range(3):
        assert detector.durations_[k] == pytest.approx(np.mean([rows for state, rows in stays if state == k]))


def test_no_round_raises_the_cost_and_more_starts_never_end_higher():
    rows = made_features(300, 3, seed=4)
    columns = np.ascontiguousarray(rows.T)
    starts = np.empty((6, 3, 3))
    spread_starts(columns, np.random.default_rng(0).random((6, 3)), np.empty(300), starts)
    value, path, centroids = np.empty((3, 300)), np.empty(300, np.int64), np.empty((3, 3))
    costs = [
        descend(rows, columns, starts[:1].copy(), 2.0, most, value, path, centroids) for most in range(8)
    ]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]
    by_count = [
        descend(rows, columns, starts[:n].copy(), 2.0, 1000, value, path, centroids) for n in range(1, 7)
    ]
    assert by_count == sorted(by_count, reverse=True)


def run_descend(x, starts, most):
    """Without a penalty and with one feature: cost, path and centroids."""
    rows, starts = np.array(x)[:, np.newaxis], np.array(starts)[:, :, np.newaxis]
    path, centroids = np.empty(len(x), np.int64), np.empty(starts.shape[1:])
    value = np.empty((len(centroids), len(x)))
    cost = descend(rows, np.ascontiguousarray(rows.T), starts, 0.0, most, value, path, centroids)
    return cost, path.tolist(), centroids.ravel().tolist()


def test_a_start_makes_the_rounds_it_may_and_ends_when_one_wins_nothing():
    x, start = [0.0, 3.0, 4.0, 14.0], [[0.0, 4.0]]
    # Each centroid moves to the mean of its rows, and the border half way between them takes in one row more.
    third = 7 / 3
    rounds = [
        ((0.0, 4.0), [0, 1, 1, 1], (0 + 1 + 0 + 100) / 2),
        ((0.0, 7.0), [0, 0, 1, 1], (0 + 9 + 9 + 49) / 2),
        ((1.5, 9.0), [0, 0, 0, 1], (1.5**2 + 1.5**2 + 2.5**2 + 25) / 2),
        ((third, 14.0), [0, 0, 0, 1], (third**2 + (3 - third) ** 2 + (4 - third) ** 2 + 0) / 2),
    ]
    # A billion rounds that win nothing would take hours.
    for most, (centroids, path, cost) in [*enumerate(rounds), (4, rounds[3]), (10**9, rounds[3])]:
        found = run_descend(x, start, most)
        assert found[0] == pytest.approx(cost, rel=1e-12)
        assert found[1] == path
        assert found[2] == pytest.approx(centroids, rel=1e-12)


def test_a_start_ends_when_its_cost_falls_by_less_than_it_is_known_to():
    # As above, but for two rows that cost half of 2^80 each in either state: what the others win is lost in
    # the sum of all. The first round leaves centroids at 0 and 7, and 3 goes with 0; no round follows.
    far = 2.0**40
    rows = np.array([[0.0, 0.0], [3.0, 0.0], [4.0, 0.0], [14.0, 0.0], [0.0, far], [0.0, -far]])
    starts = np.array([[[0.0, 0.0], [4.0, 0.0]]])
    path, centroids = np.empty(6, np.int64), np.empty((2, 2))
    assert descend(rows, rows.T.copy(), starts, 0.0, 9, np.empty((2, 6)), path, centroids) == far**2
    assert centroids.tolist() == [[0.0, 0.0], [7.0, 0.0]]
    assert path.tolist() == [0, 0, 1, 1, 0, 0]


def test_of_starts_that_end_at_the_same_cost_the_first_is_kept():
    # The row in the middle may go with either of its neighbours: half of 1 + 1 both times.
    one, other = [0.0, 3.0], [1.0, 4.0]
    assert run_descend([0.0, 2.0, 4.0], [one, other], 9) == (1.0, [0, 1, 1], one)
    assert run_descend([0.0, 2.0, 4.0], [other, one], 9) == (1.0, [0, 0, 1], other)


@pytest.mark.parametrize("scale", [1.0, 2.0**-12])
@pytest.mark.parametrize("K", [2, 3, 4])
def test_starts_are_drawn_by_their_squared_distance(K, scale):
    rows = scale * np.random.default_rng(K).integers(-8, 9, (30, 2)).astype(float)
    uniform = np.random.default_rng(9).random((40, K))
    starts = np.empty((40, K, 2))
    spread_starts(rows.T.copy(), uniform, np.empty(30), starts)
    np.testing.assert_array_equal(starts, naive_jump.starts(rows, uniform))


def drawn_second(rows, draw):
    """The second centroid of a start whose first is the first row."""
    starts = np.empty((1, 2, rows.shape[1]))
    spread_starts(rows.T.copy(), np.array([[0.0, draw]]), np.empty(len(rows)), starts)
    return starts[0, 1].tolist()


BELOW_ONE = float(np.nextafter(1.0, 0.0))


def test_a_draw_falls_to_the_row_whose_share_it_is_in_and_an_edge_to_the_later_one():
    # Squared distances to the first row: 0, 1, 1 and 2. So the others are drawn from [0, 1/4), [1/4, 1/2)
    # and [1/2, 1).
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    shares = {0.0: 1, np.nextafter(0.25, 0.0): 1, 0.25: 2, 0.4375: 2, 0.5: 3, 0.75: 3, BELOW_ONE: 3}
    for draw, row in shares.items():
        assert drawn_second(rows, draw) == rows[row].tolist()


def test_a_row_where_a_centroid_stands_is_not_drawn_by_what_rounding_leaves():
    # 0.01 and 0.09 taken from their sum, one after the other, leave a little: it is no share of the last row.
    assert drawn_second(np.array([[0.0], [0.1], [0.3], [0.0]]), BELOW_ONE) == [0.3]
    assert drawn_second(np.array([[0.0], [0.1], [0.3]]), BELOW_ONE) == [0.3]


def test_starts_are_rows_and_far_rows_are_preferred():
    rows = np.array([[0.0], [0.0], [0.0], [10.0]])
    starts = np.empty((50, 2, 1))
    spread_starts(rows.T.copy(), np.random.default_rng(0).random((50, 2)), np.empty(4), starts)
    assert {tuple(sorted(start.ravel())) for start in starts} == {(0.0, 10.0)}
    spread_starts(np.zeros((1, 4)), np.random.default_rng(0).random((50, 2)), np.empty(4), starts)
    assert (starts == 0.0).all()


@settings(deadline=None)
@given(st.data())
def test_the_online_state_is_the_end_of_the_best_path_so_far_ties_and_missing_rows_included(data):
    T, K = data.draw(st.integers(1, 12)), data.draw(st.integers(2, 3))
    cell = st.one_of(quarters, st.just(np.nan))
    y = np.array(data.draw(st.lists(cell, min_size=2 * T, max_size=2 * T))).reshape(T, 2)
    penalty = data.draw(penalties)
    detector = JumpDetector(states=K, penalty=penalty, clip=np.inf).fit(made_features(30, K, columns=2))
    # Whole numbers, so that the features are those given and costs can tie.
    detector.mean_, detector.sd_ = np.zeros(2), np.ones(2)
    detector.centroids_ = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])[:K]
    probability = detector.filter(y)
    assert states_of(probability) == naive_jump.online_states(y, detector.centroids_, penalty)
    assert set(probability.ravel()) <= {0.0, 1.0}
    assert (probability.sum(axis=1) == 1).all()


def test_what_is_carried_on_is_the_least_cost_of_ending_in_each_state():
    # Row 0 costs 0 in state 0 and 2 in state 1, row 1 the other way round; a jump costs 1.
    value, state = np.zeros(2), np.empty(2, np.int64)
    follow(np.array([[0.0], [2.0]]), np.array([[0.0], [2.0]]), 1.0, value, state)
    assert value.tolist() == [0 + 2, 0 + 1 + 0]
    assert state.tolist() == [0, 1]


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_no_later_row_changes_a_bit_and_row_by_row_is_the_same(data):
    T = data.draw(st.integers(2, 60))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    missing = rng.random(T) < data.draw(st.sampled_from([0.0, 0.3]))
    series = data.draw(st.booleans())
    y = rng.standard_normal(T if series else (T, 2))
    y[missing] = np.nan
    x = rng.random((T, data.draw(st.integers(0, 2))))
    options = {"penalty": 1.0, "downside_half_lives": (1.5,), "sortino_half_lives": (4.0,)}
    train = rng.standard_normal(80 if series else (80, 2))
    detector = JumpDetector(**options).fit(train, rng.random((80, x.shape[1])))
    whole, features = detector.filter(y, x), detector.features(y, x)
    cut = data.draw(st.integers(1, T - 1))
    assert detector.features(y[:cut], x[:cut]).tobytes() == features[:cut].tobytes()
    assert detector.filter(y[:cut], x[:cut]).tobytes() == whole[:cut].tobytes()
    detector = pickle.loads(pickle.dumps(detector))
    for t in range(cut, T):
        assert detector.update(y[t], x[t]).tobytes() == whole[t].tobytes()


def test_a_fitted_detector_goes_on_after_its_training_rows():
    y, x = made_returns(2200, every=1000, stressed=250), np.random.default_rng(1).random((2200, 1))
    detector = JumpDetector().fit(y[:1900], x[:1900])
    after = np.array([detector.update(y[t], x[t]) for t in range(1900, 2200)])
    whole = detector.filter(y, x)
    assert after.tobytes() == whole[1900:].tobytes()
    assert after[0, 1] == 1  # amid a spell, which averages that began anew could not know
    assert 0 < after[:, 1].sum() < 300


def test_a_fit_sees_training_rows_only_and_is_the_same_every_time():
    y = made_returns(900)
    one, two = JumpDetector().fit(y[:600]), JumpDetector().fit(pd.Series(y)[:600])
    two.filter(y)
    assert one.centroids_.tobytes() == two.centroids_.tobytes()
    assert one.mean_.tobytes() == two.mean_.tobytes()


def test_features_of_a_series_are_weighted_averages_of_what_was_seen():
    y = made_returns(60)
    y[[0, 7, 8, 30]] = np.nan
    detector = JumpDetector(
        penalty=1.0, downside_half_lives=(2.0, 5.5), sortino_half_lives=(3.0,), clip=np.inf
    ).fit(y)
    expected = naive_jump.weighted_features(y, (2.0, 5.5), (3.0,))
    complete = ~np.isnan(expected).any(axis=1)
    assert complete.sum() == 60 - 4 - 5
    mean, sd = expected[complete].mean(axis=0), expected[complete].std(axis=0)
    np.testing.assert_allclose(detector.mean_, mean, rtol=1e-12)
    np.testing.assert_allclose(detector.sd_, sd, rtol=1e-12)
    np.testing.assert_allclose(detector.features(y)[complete], (expected[complete] - mean) / sd, atol=1e-11)
    assert np.isnan(detector.features(y)[~complete]).any(axis=1).all()


def test_averages_of_a_series_are_those_of_pandas():
    y = pd.Series(made_returns(300))
    detector = JumpDetector(clip=np.inf).fit(y)
    raw = detector.features(y) * detector.sd_ + detector.mean_

    def average(values, half_life):
        return values.ewm(halflife=half_life).mean()

    def deviation(half_life):
        return np.sqrt(average(y.clip(upper=0.0) ** 2, half_life))

    wanted = [deviation(10), average(y, 20) / deviation(20), average(y, 60) / deviation(60)]
    np.testing.assert_allclose(raw[59:], np.column_stack(wanted)[59:], rtol=1e-9)
    assert np.isnan(raw[:59]).any(axis=1).all()


def test_a_feature_is_cut_off_where_it_was_told_to_be():
    y = made_features(200, 2)
    detector = JumpDetector(penalty=1.0, clip=1.5).fit(y)
    np.testing.assert_allclose(detector.features(y), y.clip(-1.5, 1.5), atol=1e-12)
    far = detector.features(np.full((1, 3), 1e6))
    assert (far == 1.5).all()


def test_missing_rows_keep_the_state_and_change_nothing_after_them():
    y = made_features(300, 2)
    detector = JumpDetector(penalty=3.0).fit(y)
    gaps = np.sort(np.random.default_rng(2).choice(np.arange(1, 301), 60))
    holed = np.insert(y, gaps, np.nan, axis=0)
    partly = holed.copy()
    partly[np.isnan(partly).all(axis=1), 0] = 0.3
    filtered = detector.filter(holed)
    there = ~np.isnan(holed).any(axis=1)
    assert filtered[there].tobytes() == detector.filter(y).tobytes()
    gap = np.flatnonzero(~there)
    assert (filtered[gap] == filtered[gap - 1]).all()
    assert detector.filter(partly).tobytes() == filtered.tobytes()
    again = JumpDetector(penalty=3.0).fit(holed)
    assert again.objective_ == detector.objective_
    assert again._path[there].tolist() == detector._path.tolist()
    assert (again._path[gap] == again._path[gap - 1]).all()
    assert again.durations_.tolist() == detector.durations_.tolist()


def test_before_anything_is_known_the_state_is_calm():
    detector = JumpDetector().fit(made_returns(900))
    assert detector.filter(np.full(5, np.nan)).tolist() == [[1.0, 0.0]] * 5
    assert detector.filter(np.array([])).shape == (0, 2)
    assert (states_of(detector.filter(made_returns(900)[240:299])) == np.zeros(59)).all()


def test_the_stressed_state_is_last():
    for seed in range(5):
        y = made_returns(3000, seed, every=1000, stressed=250)
        detector = JumpDetector().fit(y)
        assert detector.rejected_ == ""
        downside = [np.sqrt((np.minimum(y[detector._path == k], 0.0) ** 2).mean()) for k in (0, 1)]
        assert downside[1] > 2 * downside[0]
        # Averages over 20 and 60 rows see both ends of a spell late: some 40 rows of every 500.
        assert (detector._path == (np.arange(3000) % 1000 >= 750)).mean() > 0.9
    features = made_features(500, 3)
    for column in (0, 2, -1):
        centroids = JumpDetector(states=3, penalty=2.0, stress_by=column).fit(features).centroids_
        assert (np.diff(centroids[:, column]) > 0).all()


def test_an_intensity_is_a_feature_like_any_other():
    y, x = made_features(300, 2), made_features(300, 2, columns=1, seed=9)
    beside = JumpDetector(penalty=2.0).fit(y, x)
    inside = JumpDetector(penalty=2.0).fit(np.hstack((y, x)))
    assert beside.centroids_.tobytes() == inside.centroids_.tobytes()
    assert beside.filter(y, x).tobytes() == inside.filter(np.hstack((y, x))).tobytes()
    assert JumpDetector().fit(made_returns(300), x[:, 0]).centroids_.shape == (2, 4)


def test_a_channel_that_was_silent_in_training_has_no_say():
    y, silent = made_returns(900), np.zeros((900, 1))
    detector = JumpDetector().fit(y, silent)
    without = JumpDetector().fit(y)
    np.testing.assert_allclose(detector.centroids_[:, :3], without.centroids_, atol=1e-12)
    assert detector.filter(y, silent + 2.0).tolist() == without.filter(y).tolist()


def test_labels_last_across_refits():
    y = made_features(900, 3, seed=3)
    first = JumpDetector(states=3, penalty=4.0, stress_by=1).fit(y[:600])
    # The same states under other names: only the detector of before can tell which they were.
    first.centroids_ = first.centroids_[[1, 0, 2]].copy()
    second = JumpDetector(states=3, penalty=4.0, stress_by=1).fit(y, previous=first)
    fresh = JumpDetector(states=3, penalty=4.0, stress_by=1).fit(y)
    assert second.centroids_.tolist() == fresh.centroids_[[1, 0, 2]].tolist()
    assert second._path.tolist() == np.array([1, 0, 2])[fresh._path].tolist()
    assert second.rejected_ == ""


def test_the_detector_of_before_is_one_more_start():
    y = made_features(600, 3, seed=5)
    good = JumpDetector(states=3, penalty=3.0, starts=50).fit(y)
    costs = [JumpDetector(states=3, penalty=3.0, starts=1, seed=seed).fit(y).objective_ for seed in range(20)]
    assert max(costs) > good.objective_ * 1.001
    bad_seed = int(np.argmax(costs))
    warm = JumpDetector(states=3, penalty=3.0, starts=1, seed=bad_seed).fit(y, previous=good)
    assert warm.objective_ <= good.objective_
    # The same centroids of the data, as a fit would have them whose training rows lay elsewhere.
    mean, sd = np.array([5.0, -3.0, 0.5]), np.array([0.1, 2.0, 7.0])
    good.centroids_ = (good.centroids_ * good.sd_ + good.mean_ - mean) / sd
    good.mean_, good.sd_ = mean, sd
    warm = JumpDetector(states=3, penalty=3.0, starts=1, seed=bad_seed).fit(y, previous=good)
    assert warm.objective_ <= good.objective_


def test_a_fit_that_turned_its_states_round_is_rejected():
    y = made_features(600, 2)
    first = JumpDetector(penalty=3.0).fit(y)
    first.centroids_ = first.centroids_[::-1].copy()
    assert "not the most stressed" in JumpDetector(penalty=3.0).fit(y, previous=first).rejected_


@pytest.mark.parametrize(
    ("y", "penalty", "reason"),
    [
        (made_features(600, 2), 1e6, "of 600 rows, fewer than 20"),
        (np.repeat([[0.0], [5.0]], [590, 10], axis=0), 1.0, "10 of 600 rows, fewer than 20"),
        (np.repeat([[0.0], [5.0]], [1975, 25], axis=0), 1.0, "25 of 2000 rows, fewer than 40"),
        (np.tile([[0.0], [5.0]], (100, 1)), 0.0, "lasts 1.0 rows on average"),
        (made_features(15, 2), 1.0, "fewer than 20"),
    ],
)
def test_a_degenerate_fit_says_why(y, penalty, reason):
    assert reason in JumpDetector(penalty=penalty).fit(y).rejected_


def test_a_sound_fit_is_not_rejected():
    for states in (2, 3):
        assert (
            JumpDetector(states=states, penalty=5.0).fit(made_features(900, states, seed=1)).rejected_ == ""
        )


def test_the_switch_is_on_in_the_last_state():
    y = made_returns(900)
    detector = JumpDetector(dwell=0.0).fit(y)
    probability = detector.filter(y)
    on = detector.switch(probability[:, -1], np.zeros((900, 0)), np.arange(900.0))
    assert on.tolist() == (probability[:, 1] == 1).tolist()
    assert isinstance(detector, Detector)


@pytest.fixture(scope="module")
def peer():
    """The package of Shu, Yu and Mulvey; importing it turns numpy's warnings off for everyone."""
    with np.errstate():
        return pytest.importorskip("jumpmodels.jump").JumpModel


@pytest.mark.parametrize("penalty", [0.0, 2.0, 50.0, 1e6])
@pytest.mark.parametrize(("states", "seed"), [(2, 0), (2, 1), (3, 2), (3, 3), (4, 4)])
def test_the_fit_is_that_of_the_authors_package_or_better(peer, penalty, states, seed):
    y = made_features(700, states, columns=4, seed=seed)
    detector = JumpDetector(states=states, penalty=penalty, clip=np.inf, starts=30).fit(y)
    rows = detector.features(y)
    with np.errstate(all="ignore"):
        theirs = peer(n_components=states, jump_penalty=penalty, n_init=30, random_state=0).fit(rows)
    assert detector.objective_ <= theirs.val_ * (1 + 1e-9)
    # Started from our centroids, theirs cannot leave them: the two objectives are the same function.
    with np.errstate(all="ignore"):
        again = peer(n_components=states, jump_penalty=penalty, n_init=1, random_state=0)
        again.centers_ = detector.centroids_.copy()
        again.init_centers = lambda X: [again.centers_]
        again.fit(rows, sort_by=None)
    assert again.val_ == pytest.approx(detector.objective_, rel=1e-12)
    if penalty < 1e6:  # where a state has no rows, it has no centroid to compare
        order = again.centers_[:, 0].argsort()
        np.testing.assert_allclose(detector.centroids_, again.centers_[order], atol=1e-6)
        np.testing.assert_array_equal(np.argsort(order)[again.labels_], detector._path)


@pytest.mark.parametrize("penalty", [0.0, 5.0, 50.0])
@pytest.mark.parametrize("states", [2, 3])
def test_online_states_are_those_of_the_authors_package(peer, penalty, states):
    y = made_features(1500, states, seed=states)
    detector = JumpDetector(states=states, penalty=penalty, clip=np.inf).fit(y[:1000])
    with np.errstate(all="ignore"):
        model = peer(n_components=states, jump_penalty=penalty, random_state=0).fit(
            detector.features(y[:1000])
        )
        model.centers_ = detector.centroids_
        online = model.predict_online(detector.features(y))
        offline = model.predict(detector.features(y))
    assert states_of(detector.filter(y)) == online.tolist()
    if penalty == 5.0:
        assert online.tolist() != offline.tolist()  # the one that looks ahead is another


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("states", 1),
        ("states", 2.0),
        ("states", True),
        ("penalty", -1.0),
        ("penalty", np.inf),
        ("penalty", "fifty"),
        ("downside_half_lives", ()),
        ("downside_half_lives", 10.0),
        ("downside_half_lives", (0.0,)),
        ("sortino_half_lives", (20.0, np.nan)),
        ("sortino_half_lives", "20"),
        ("stress_by", 0.5),
        ("clip", 0.0),
        ("clip", np.nan),
        ("starts", 0),
        ("seed", -1),
        ("seed", None),
        ("half_life", 0.0),
        ("enter", 1.5),
        ("dwell", -1.0),
    ],
)
def test_a_bad_parameter_is_refused_by_name(name, value):
    with pytest.raises(ParameterError, match=name):
        JumpDetector(**{name: value})


@pytest.mark.parametrize(
    ("y", "kind", "reason"),
    [
        (np.zeros(0), DataError, "0 complete rows"),
        (made_returns(60), DataError, "1 complete rows for 2 states"),
        (np.full(300, np.nan), DataError, "0 complete rows"),
        (np.abs(made_returns(300)), DataError, "not all positive"),
        (np.full(300, 0.01), DataError, "0 complete rows"),
        (np.full(300, -0.01), DataError, "does not vary"),
        (np.full((300, 2), 0.1), DataError, "does not vary"),
        (np.ones((1, 3)), DataError, "1 complete rows for 2 states"),
        (np.array([[1e200], [-1e200]]), DataError, "overflow"),
        (np.where(np.arange(300) == 7, np.inf, 0.01), ParameterError, "infinite at row 7"),
        (np.ones((3, 3, 3)), ParameterError, "shape"),
        ("prices", ParameterError, "y is 'prices'"),
    ],
)
def test_bad_training_rows_are_refused_in_one_sentence(y, kind, reason):
    detector = JumpDetector()
    with pytest.raises(kind, match=reason) as caught:
        detector.fit(y)
    assert "\n" not in str(caught.value)
    with pytest.raises(EntrepotError, match="call fit"):
        detector.filter(made_returns(100))


def test_what_was_not_fitted_is_refused():
    y, x = made_returns(300), np.ones((300, 1))
    for call in (JumpDetector().filter, JumpDetector().features):
        with pytest.raises(ParameterError, match="call fit with training rows first"):
            call(y)
    with pytest.raises(ParameterError, match="call fit with training rows first"):
        JumpDetector().update(0.01)
    detector = JumpDetector().fit(y)
    for rows in ((y, x), (y[:, np.newaxis],), (np.ones((300, 2)),)):
        with pytest.raises(ParameterError, match="give the same"):
            detector.filter(*rows)
    for row in ((0.01, 1.0), ([0.01, 0.02],)):
        with pytest.raises(ParameterError, match="give"):
            detector.update(*row)
    with pytest.raises(ParameterError, match="0 for the first"):
        JumpDetector(stress_by=3).fit(y)
    with pytest.raises(ParameterError, match="beside 300 observations"):
        detector.fit(y, x[:-1])


def test_a_detector_of_before_must_fit_in():
    y = made_returns(300)
    fitted = JumpDetector().fit(y)
    for other in (object(), JumpDetector()):
        with pytest.raises(ParameterError, match="give a fitted JumpDetector"):
            JumpDetector().fit(y, previous=other)
    with pytest.raises(ParameterError, match="as many states"):
        JumpDetector(states=3).fit(y, previous=fitted)
    with pytest.raises(ParameterError, match="as many states"):
        JumpDetector().fit(y, np.ones((300, 1)), previous=fitted)
    with pytest.raises(ParameterError, match="same kind of data"):
        JumpDetector().fit(made_features(300, 2), previous=fitted)
