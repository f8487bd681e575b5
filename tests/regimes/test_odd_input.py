"""What detectors are given by mistake, and inputs that are the same to a model though not to the eye."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.regimes.episodes import find_episodes
from entrepot.regimes.refits import Schedule
from entrepot.regimes.research import calendar_value, hac_mean, leaky_path, smoothed

DETECTORS = (ep.MarkovDetector, ep.JumpDetector, ep.ChangePointDetector)


@pytest.fixture(scope="module")
def series() -> np.ndarray:
    rng = np.random.default_rng(8)
    return np.where(np.arange(900) % 200 < 140, 1.0, 3.0) * rng.standard_normal(900)


@pytest.mark.parametrize("level", [14.1, 100.0])
def test_a_covariate_that_has_moved_its_origin_is_the_same_input(series, level):
    jump = 0.5 * (np.arange(900) >= 700)
    one, other = (ep.MarkovDetector().fit(series, x) for x in (jump, level + jump))
    assert other.rejected_ == one.rejected_
    assert other.loglikelihood_ == pytest.approx(one.loglikelihood_, abs=1e-6)
    np.testing.assert_allclose(other.filter(series, level + jump), one.filter(series, jump), atol=1e-6)


def test_a_covariate_that_does_not_vary_changes_nothing(series):
    alone = ep.MarkovDetector().fit(series)
    beside = ep.MarkovDetector().fit(series, np.full(900, 14.1))
    assert beside.rejected_ == alone.rejected_
    assert np.abs(beside.slopes_).max() < 1e-6
    np.testing.assert_allclose(beside.filter(series, np.full(900, 14.1)), alone.filter(series), atol=1e-6)


@pytest.mark.parametrize("family", ["normal", "student"])
@pytest.mark.parametrize("far", [1e160, -1e200, 1e300])
def test_one_absurd_number_does_not_poison_what_follows(series, family, far):
    detector = ep.MarkovDetector(family=family).fit(series)
    odd = series.copy()
    odd[300] = far
    told = detector.filter(odd)
    assert np.isfinite(told).all()
    np.testing.assert_allclose(told[350:], detector.filter(series)[350:], atol=1e-6)


@pytest.mark.parametrize("factor", [1e-310, 1e-200, 1e160, 1e200])
def test_numbers_without_squares_are_refused(series, factor):
    with pytest.raises(ep.EntrepotError, match=r"another unit|does not vary"):
        ep.MarkovDetector().fit(series * factor)


def test_a_fit_that_is_refused_leaves_the_detector_as_it_was(series):
    detector = ep.MarkovDetector().fit(series)
    before = detector.filter(series)
    for wrong, previous in ((100.0 * series + 5.0, "x"), (np.ones(900), None), (series[:5], None)):
        with pytest.raises(ep.EntrepotError):
            detector.fit(wrong, previous=previous)
    np.testing.assert_array_equal(detector.filter(series), before)


def two_levels(low: float, high: float) -> np.ndarray:
    """Two states far apart in mean, with these scales."""
    rng = np.random.default_rng(9)
    state = np.arange(1200) % 200 < 100
    return np.where(state, -4.0, 4.0) + np.where(state, low, high) * rng.standard_normal(1200)


def test_names_are_kept_through_a_near_tie_and_go_by_the_rule_after_a_clear_turn():
    first = ep.MarkovDetector().fit(two_levels(1.0, 1.6))
    assert first.means_[1] > 0
    tie = ep.MarkovDetector().fit(two_levels(1.3, 1.26), previous=first)
    assert tie.rejected_ == ""
    assert tie.scales_[0] > tie.scales_[1]
    assert tie.means_[1] > 0
    assert tie.match_ < 0.5
    turned = ep.MarkovDetector().fit(two_levels(1.6, 1.0), previous=first)
    assert turned.rejected_ == ""
    assert turned.means_[1] < 0
    assert turned.match_ > 1.0


NO_SERIES = [
    None,
    3.0,
    "abc",
    ["1", "2", "3"] * 30,
    {"a": 1},
    pd.date_range("2020-01-01", periods=90),
    np.ones(90, dtype=complex),
    np.ones((3, 3, 10)),
    [[1.0], [1.0, 2.0]],
    [10**400] * 90,
]


@pytest.mark.parametrize("make", DETECTORS)
@pytest.mark.parametrize("given", NO_SERIES)
def test_what_is_no_series_is_refused_in_a_sentence(make, given):
    with pytest.raises(ep.EntrepotError) as refused:
        make().fit(given)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("make", DETECTORS)
def test_a_masked_number_is_a_missing_one(make, series):
    masked = np.ma.array(series, mask=np.arange(900) == 500)
    gap = np.where(np.arange(900) == 500, np.nan, series)
    np.testing.assert_array_equal(make().fit(masked).filter(masked), make().fit(gap).filter(gap))


@pytest.mark.parametrize("make", DETECTORS)
def test_no_rows_are_no_rows(make, series):
    detector = make().fit(series)
    assert detector.filter([]).shape == (0, 2)


@pytest.mark.parametrize("make", DETECTORS)
@pytest.mark.parametrize("row", ["a", [1.0, 2.0], {}, 10**400, np.inf])
def test_one_more_row_is_one_number(make, series, row):
    detector = make().fit(series)
    with pytest.raises(ep.EntrepotError):
        detector.update(row)


@pytest.mark.parametrize("row", ["abc", {}, [1.0], [1.0, "b"], None])
def test_one_more_row_of_intensities_is_two_numbers(row):
    with pytest.raises(ep.EntrepotError):
        ep.ThresholdDetector().update(None, row)


@pytest.mark.parametrize("make", [*DETECTORS, ep.ThresholdDetector])
def test_a_switch_takes_series_and_lists_and_refuses_the_rest(make):
    detector = make()
    sides = np.zeros((3, 2))
    for probability in ([0.1, 0.9, 0.9], pd.Series([0.1, 0.9, 0.9])):
        on = detector.switch(probability, sides, pd.Series([1.0, 2.0, 3.0]), [False, True, False])
        assert on.dtype == np.bool_
        assert len(on) == 3
    for clock in (None, 3.0, "abc"):
        with pytest.raises(ep.EntrepotError):
            detector.switch([0.1, 0.9, 0.9], sides, clock)
    if make is not ep.ThresholdDetector:
        with pytest.raises(ep.EntrepotError):
            detector.switch(None, sides, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tariff_covariates": 5}, "tariff_covariates is 5"),
        ({"tariff_covariates": (5,)}, "tariff_covariates is"),
        ({"event_driven": "no"}, "event_driven is 'no'"),
        ({"tariff_observation": None}, "tariff_observation is None"),
        ({"schedule": 21}, "schedule is 21"),
        ({"tariff": ep.MarkovDetector}, "the class MarkovDetector"),
    ],
)
def test_a_wrong_part_of_a_model_is_refused_by_name(changes, words):
    with pytest.raises(ep.EntrepotError, match=words):
        ep.RegimeModel(**changes)


def test_what_research_is_asked_wrongly_is_refused(series):
    market = ep.simulate_market(start="2020-01-02", end="2021-06-30", seed=2)
    events = ep.load_events()
    model = ep.RegimeModel(tariff=ep.MarkovDetector(), schedule=Schedule(every=63, least=100))
    nothing = ep.RegimeModel(
        tariff=ep.MarkovDetector(), tariff_covariates=(lambda time: None,), schedule=model.schedule
    )
    two = ep.RegimeModel(
        tariff=ep.MarkovDetector(),
        tariff_observation=lambda given: model.tariff_observation(given).assign(other=1.0),
        schedule=model.schedule,
    )
    empty = ep.RegimeModel(
        tariff=ep.MarkovDetector(), tariff_observation=lambda given: model.tariff_observation(given).iloc[:0]
    )
    asked = {
        "tariff_covariates is None": lambda: nothing.walk_forward(market, events),
        "y has shape": lambda: two.walk_forward(market, events),
        "tariff_observation returned": lambda: empty.walk_forward(market, events),
        "model is 5": lambda: leaky_path(5, market, events, "smoothed"),
        "model is None": lambda: calendar_value(None, market, events),
        "seed is 'a'": lambda: calendar_value(model, market, events, "tariff", placebo=2, seed="a"),
        "no standard error": lambda: hac_mean(np.empty(0)),
        "lags=-1": lambda: hac_mean(series, -1),
        "episodes is None": lambda: find_episodes(ep.RegimeModel().walk_forward(market, events), None),
    }
    for words, call in asked.items():
        with pytest.raises(ep.EntrepotError, match=words):
            call()
    assert smoothed(ep.MarkovDetector().fit(series), []).shape == (0, 2)
