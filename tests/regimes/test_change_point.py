"""The change point detector against the paper's algorithm, all segmentations, and the Nile."""

from __future__ import annotations

import pickle

import naive_change_point
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.regimes.change_point import ChangePointDetector
from entrepot.regimes.detector import Detector

PRIOR = (0.1, 0.5, 1.5, 0.8)


def made_rows(T: int, seed: int = 0, missing: float = 0.0) -> np.ndarray:
    """Rows that change their mean and sd about once in 15, some of them missing."""
    rng = np.random.default_rng(seed)
    run = np.cumsum(rng.random(T) < 1 / 15)
    y = 3 * rng.standard_normal(T + 1)[run] + rng.uniform(0.2, 2, T + 1)[run] * rng.standard_normal(T)
    y[rng.random(T) < missing] = np.nan
    return y


def test_the_dam_on_the_nile_is_found_in_1902():
    # Flow of the Nile 1871 to 1970 (Cobb, 1978, Biometrika), which fell after 1898. With this prior an
    # independent implementation of Adams and MacKay (2007) gave the log evidence -639.155286, and a most
    # probable run that is first cut short in 1902, to the four rows since 1899.
    from statsmodels.datasets import nile

    y = nile.load_pandas().data["volume"]
    detector = ChangePointDetector(expected_run=100.0, prior=(1000.0, 1.0, 1.0, 1e4)).fit(y)
    assert detector.log_evidence_ == pytest.approx(-639.155286, abs=1e-6)
    _, likeliest = detector.run_length(y)
    assert likeliest[:31].tolist() == list(range(1, 32))
    assert likeliest[1902 - 1871] == 4
    p = detector.filter(y)[:, 1]
    assert p[:28].max() < 0.5
    assert p[1904 - 1871] > detector.enter


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_it_follows_the_papers_algorithm(data):
    T = data.draw(st.integers(1, 40))
    seed = data.draw(st.integers(0, 10_000))
    recent = data.draw(st.integers(1, 12))
    y = made_rows(T, seed, missing=data.draw(st.sampled_from([0.0, 0.3])))
    x = np.random.default_rng(seed).random((T, 2))
    c = (data.draw(st.sampled_from([0.0, 1.5])), -0.5)
    detector = ChangePointDetector(expected_run=20.0, recent=recent, prior=PRIOR, event_weights=c).fit(y, x)
    hazard = 1 - (1 - 1 / 20) ** np.exp(x @ np.array(c))
    lengths, densities = naive_change_point.follow(y, hazard, PRIOR)
    p = [0.0 if t < recent else lengths[t][:recent].sum() for t in range(T)]
    found = detector.filter(y, x)
    np.testing.assert_allclose(found[:, 1], p, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-15)
    assert ((found >= 0) & (found <= 1)).all()
    expected, likeliest = detector.run_length(y, x)
    counts = [np.arange(1, len(each) + 1) for each in lengths]
    np.testing.assert_allclose(expected, [w @ n for w, n in zip(lengths, counts, strict=True)], atol=1e-8)
    assert [each[int(n) - 1] for each, n in zip(lengths, likeliest, strict=True)] == pytest.approx(
        [each.max() for each in lengths], rel=1e-9
    )
    assert detector.log_evidence_ == pytest.approx(densities.sum(), abs=1e-9)


def test_a_run_that_begins_where_others_were_dropped_has_seen_nothing():
    """After a jump of a hundred standard deviations the runs before it are dropped, and new ones follow."""
    y = np.concatenate([made_rows(12, 4), 100.0 + made_rows(12, 5), made_rows(8, 6)])
    detector = ChangePointDetector(expected_run=20.0, recent=4, prior=PRIOR).fit(y)
    lengths, densities = naive_change_point.follow(y, np.full(len(y), 1 / 20), PRIOR)
    assert lengths[13][10:].max() < 1e-12
    found = [0.0 if t < 4 else lengths[t][:4].sum() for t in range(len(y))]
    np.testing.assert_allclose(detector.filter(y)[:, 1], found, atol=1e-9)
    assert detector.log_evidence_ == pytest.approx(densities.sum(), abs=1e-9)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_it_is_the_sum_over_all_segmentations(missing):
    for seed in range(3):
        y = made_rows(10, seed, missing)
        detector = ChangePointDetector(expected_run=4.0, recent=3, prior=PRIOR).fit(y)
        evidence, p = naive_change_point.over_all_segmentations(y, np.full(10, 0.25), PRIOR, 3)
        assert detector.log_evidence_ == pytest.approx(evidence, abs=1e-9)
        assert detector.filter(y)[-1, 1] == pytest.approx(p, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_no_later_row_changes_a_bit_and_row_by_row_is_the_same(data):
    T = data.draw(st.integers(2, 120))
    seed = data.draw(st.integers(0, 10_000))
    y = made_rows(T, seed, missing=data.draw(st.sampled_from([0.0, 0.3])))
    x = np.random.default_rng(seed).random((T, data.draw(st.integers(0, 2))))
    # So little room that runs are merged, too.
    detector = ChangePointDetector(
        recent=5, most_runs=data.draw(st.sampled_from([7, 200])), event_weights=0.7
    )
    detector.fit(made_rows(30, 1), np.ones((30, x.shape[1])))
    whole = detector.filter(y, x)
    lengths = np.array(detector.run_length(y, x))
    cut = data.draw(st.integers(1, T - 1))
    assert np.array(detector.run_length(y[:cut], x[:cut])).tobytes() == lengths[:, :cut].tobytes()
    assert detector.filter(y[:cut], x[:cut]).tobytes() == whole[:cut].tobytes()
    detector = pickle.loads(pickle.dumps(detector))
    for t in range(cut, T):
        assert detector.update(y[t], x[t]).tobytes() == whole[t].tobytes()


def test_a_fitted_detector_goes_on_after_its_training_rows():
    y = made_rows(300)
    detector = ChangePointDetector().fit(y[:200])
    after = np.array([detector.update(row) for row in y[200:]])
    assert after.tobytes() == detector.filter(y)[200:].tobytes()


def test_the_prior_is_learnt_from_training_rows_only():
    y = made_rows(300, missing=0.1)
    one = ChangePointDetector().fit(y[:200])
    there = y[:200][~np.isnan(y[:200])]
    np.testing.assert_allclose(one.prior_, [there.mean(), 1.0, 1.0, there.var()], rtol=1e-14)
    one.filter(y)
    two = ChangePointDetector().fit(pd.Series(y[:200]), previous=one)
    assert one.prior_.tobytes() == two.prior_.tobytes()
    assert one.log_evidence_ == two.log_evidence_
    assert one.rejected_ == two.rejected_ == ""


def test_the_beginning_of_the_series_is_no_alarm():
    y = made_rows(100, seed=3)
    for recent in (1, 20, 99, 100, 150):
        detector = ChangePointDetector(recent=recent, most_runs=200, prior=PRIOR).fit(y)
        p = detector.filter(y)[:, 1]
        assert (p[:recent] == 0).all()
        assert (p[recent:] > 0).all()
    detector = ChangePointDetector(dwell=0.0).fit(y)
    assert isinstance(detector, Detector)
    on = detector.switch(detector.filter(y[:20])[:, -1], np.zeros((20, 0)), np.arange(20.0))
    assert not on.any()


def test_quiet_rows_raise_no_alarm_and_a_change_of_mean_or_variance_does():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        quiet = 0.01 * rng.standard_normal(1000)
        detector = ChangePointDetector().fit(quiet[:500])
        assert (detector.filter(quiet)[:, 1] > detector.enter).mean() < 0.01
        for changed in (quiet[500:] * 3, quiet[500:] + 0.04):
            p = detector.filter(np.concatenate((quiet[:500], changed)))[:, 1]
            first = int(np.argmax(p[500:] > detector.enter))
            assert p[500 + first] > detector.enter
            assert first < 10
            assert np.median(p[560:]) < detector.leave  # the news is old by then


def test_missing_rows_let_the_chance_of_a_change_grow_and_tell_nothing():
    y = made_rows(200, seed=2)
    detector = ChangePointDetector(expected_run=50.0, recent=10, prior=PRIOR).fit(y)
    gap = np.concatenate((y, np.full(10, np.nan)))
    p = detector.filter(gap)[:, 1]
    # After ten rows without news a run is old exactly if none of them ended it.
    assert p[-1] == pytest.approx(1 - (1 - 1 / 50) ** 10, rel=1e-9)
    expected, _ = detector.run_length(gap)
    assert expected[200] == pytest.approx((1 - 1 / 50) * expected[199] + 1, rel=1e-9)
    assert detector.fit(gap).log_evidence_ == pytest.approx(detector.fit(y).log_evidence_, rel=1e-13)


def test_an_event_makes_a_change_likelier_from_the_next_row_on():
    y, x = made_rows(200, seed=4), np.zeros((200, 1))
    x[150] = 3.0
    plain = ChangePointDetector(prior=PRIOR).fit(y, x)
    eager = ChangePointDetector(prior=PRIOR, event_weights=1.0).fit(y, x)
    before, after = plain.filter(y, x)[:, 1], eager.filter(y, x)[:, 1]
    assert after[:151].tobytes() == before[:151].tobytes()
    assert after[151] > before[151]
    assert plain.filter(y, x + 1).tobytes() == plain.filter(y, x).tobytes()
    certain = ChangePointDetector(prior=PRIOR, event_weights=1e6).fit(y, x)
    assert certain.run_length(y, x)[0][151] == 1
    never = ChangePointDetector(prior=PRIOR, event_weights=-1e6).fit(y, x + 1)
    assert never.run_length(y, x + 1)[1][1:].tolist() == list(range(2, 201))
    assert ChangePointDetector(event_weights=(1.0, 2.0)).fit(y, np.ones((200, 2))).rejected_ == ""


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("recent", "most"), [(3, 5), (3, 8), (1, 4)])
def test_a_run_that_has_no_room_is_counted_with_the_next_longer(seed, recent, most):
    y = made_rows(40, seed, missing=0.3 * (seed % 2))
    detector = ChangePointDetector(expected_run=8.0, recent=recent, most_runs=most, prior=PRIOR).fit(y)
    lengths, evidence = naive_change_point.follow_so_many(y, 1 / 8, PRIOR, most, recent)
    expected = [sum(n * p for n, p in each.items()) for each in lengths]
    alarm = [sum(p for n, p in each.items() if n <= recent) for each in lengths]
    np.testing.assert_allclose(detector.run_length(y)[0], expected, atol=1e-8)
    np.testing.assert_allclose(detector.filter(y)[recent:, 1], alarm[recent:], atol=1e-9)
    assert detector.log_evidence_ == pytest.approx(evidence, abs=1e-9)


def test_a_long_run_and_a_far_jump_leave_numbers():
    """Probabilities before and after the jump lie further apart than the least and the largest float."""
    rng = np.random.default_rng(0)
    y = np.concatenate([rng.standard_normal(800), 1e6 + rng.standard_normal(10)])
    prior = (0.0, 1.0, 1.0, 1.0)
    detector = ChangePointDetector(expected_run=1e4, recent=5, prior=prior).fit(y)
    likeliest = detector.run_length(y)[1]
    assert likeliest.tolist() == [*range(1, 801), *range(1, 11)]
    assert detector.count_[0] <= 11  # what began before the jump is dropped
    # One change at the jump and none elsewhere is one way of many, and by far the most probable.
    two_runs = sum(naive_change_point.log_marginal(rows, prior) for rows in (y[:800], y[800:]))
    one_way = two_runs + np.log(1e-4) + 808 * np.log1p(-1e-4)
    assert 0.0 < detector.log_evidence_ - one_way < 0.1
    assert detector.filter(y)[800:805, 1] == pytest.approx(1.0)


def test_a_probability_is_no_more_than_one():
    """Every row begins a run: what is recent is everything, to rounding."""
    y = np.array([(-1.0) ** t * 10.0**t for t in np.arange(300) % 30])
    found = ChangePointDetector(expected_run=1.5, recent=40, prior=PRIOR).fit(y).filter(y)
    assert found.max() == 1.0
    assert found.min() == 0.0


def test_following_fewer_runs_changes_little():
    y = 0.01 * np.random.default_rng(0).standard_normal(2000)
    every = ChangePointDetector(most_runs=2001).fit(y)
    some = ChangePointDetector(most_runs=200).fit(y)
    assert some.count_.tolist() == [199, 2000]
    assert np.abs(some.filter(y) - every.filter(y)).max() < 0.004  # as its docstring says
    assert some.log_evidence_ == pytest.approx(every.log_evidence_, abs=0.1)
    # Recent runs are never merged, which alone would cost three times this at so few.
    few = ChangePointDetector(most_runs=40).fit(y[:600]).filter(y[:600])
    assert np.abs(few - every.filter(y[:600])).max() < 0.01
    one_old = ChangePointDetector(most_runs=22).fit(y)
    assert one_old.count_[0] == 21
    assert one_old.rejected_ == ""


def test_values_far_out_leave_finite_numbers():
    y = made_rows(100)
    detector = ChangePointDetector().fit(y)
    y[50] = 1e99
    found = detector.filter(y)
    assert np.isfinite(found).all()
    assert found[50, 1] > 0.9
    assert np.isfinite(detector.run_length(y)).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("expected_run", 1.0),
        ("expected_run", np.inf),
        ("expected_run", "long"),
        ("recent", 0),
        ("recent", 2.5),
        ("most_runs", 21),
        ("most_runs", None),
        ("event_weights", np.nan),
        ("event_weights", (1.0, "x")),
        ("event_weights", None),
        ("prior", 1.0),
        ("prior", (0.0, 1.0, 1.0)),
        ("prior", (0.0, 1.0, 1.0, 0.0)),
        ("prior", (np.nan, 1.0, 1.0, 1.0)),
        ("prior", (0.0, -1.0, 1.0, 1.0)),
        ("half_life", -1.0),
        ("leave", 0.9),
    ],
)
def test_a_bad_parameter_is_refused_by_name(name, value):
    with pytest.raises(ParameterError, match=name):
        ChangePointDetector(**{name: value})


@pytest.mark.parametrize(
    ("y", "kind", "reason"),
    [
        (np.zeros(0), DataError, "0 observations"),
        (np.array([1.0]), DataError, "1 observations"),
        (np.full(50, np.nan), DataError, "0 observations"),
        (np.full(50, 0.1), DataError, "not all the same"),
        (np.array([1.0, 1e101]), DataError, "beyond 1e100"),
        (np.array([0.0, 1e-60]), DataError, "in other units"),
        (np.array([1.0, np.inf, 2.0]), ParameterError, "infinite at row 1"),
        (np.ones((50, 2)), ParameterError, "one number per row"),
        (None, ParameterError, "y is None"),
    ],
)
def test_bad_training_rows_are_refused_in_one_sentence(y, kind, reason):
    detector = ChangePointDetector()
    with pytest.raises(kind, match=reason) as caught:
        detector.fit(y)
    assert "\n" not in str(caught.value)
    with pytest.raises(EntrepotError, match="call fit"):
        detector.filter([0.1, 0.2])


def test_what_was_not_fitted_is_refused():
    y, x = made_rows(50), np.ones((50, 1))
    for call in (
        ChangePointDetector(prior=PRIOR).filter,
        ChangePointDetector().run_length,
        ChangePointDetector().update,
    ):
        with pytest.raises(ParameterError, match="call fit with training rows first"):
            call(y)
    detector = ChangePointDetector().fit(y)
    with pytest.raises(ParameterError, match="0 were fitted"):
        detector.filter(y, x)
    with pytest.raises(ParameterError, match="0 were fitted"):
        detector.update(0.1, 1.0)
    with pytest.raises(ParameterError, match="one number per row"):
        detector.update([0.1, 0.2])
    with pytest.raises(ParameterError, match="give one for each, or one for all"):
        ChangePointDetector(event_weights=(1.0, 2.0)).fit(y, x)
    with pytest.raises(ParameterError, match="give a ChangePointDetector"):
        detector.fit(y, previous="before")
