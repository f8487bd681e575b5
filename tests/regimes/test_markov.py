"""The Markov-switching detector: what it learns, what it may know, and what it refuses."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.regimes import markov
from entrepot.regimes.detector import Detector
from entrepot.regimes.markov import MarkovDetector
from entrepot.regimes.markov_model import MarkovModel, Parameters, Sample
from entrepot.regimes.markov_starts import starting_points

NILE = Path(__file__).parent / "published" / "nile.csv"
MEANS, SCALES = (0.05, -0.1), (0.6, 2.0)


def made(
    T: int, seed: int = 0, nu: float = np.inf, event_share: float = 0.03
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two states and events known at rows, which make the next row's move to the second likelier."""
    rng = np.random.default_rng(seed)
    event = (rng.random(T) < event_share).astype(np.float64)
    noise = rng.standard_normal(T) if nu == np.inf else rng.standard_t(nu, T)
    state = np.zeros(T, dtype=int)
    for t in range(1, T):
        into = (-4.0 + 4.0 * event[t - 1], 3.0 - 0.5 * event[t - 1])[state[t - 1]]
        state[t] = rng.random() < 1.0 / (1.0 + np.exp(-into))
    return np.array(MEANS)[state] + np.array(SCALES)[state] * noise, event


def states_in_blocks(T: int, states: int, rows: int = 60) -> np.ndarray:
    """A state for every row; each block is followed by one in any of the other states."""
    steps = np.random.default_rng(11).integers(1, states, size=T // rows + 1)
    return np.repeat(np.cumsum(steps) % states, rows)[:T]


def blocks(T: int, means: Any, scales: Any, rows: int = 60, seed: int = 0) -> np.ndarray:
    """Observations of `states_in_blocks`."""
    state = states_in_blocks(T, len(means), rows)
    return np.array(means)[state] + np.array(scales)[state] * np.random.default_rng(seed).standard_normal(T)


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    return made(900)


@pytest.fixture(scope="module")
def driven(rows) -> MarkovDetector:
    """A detector with one channel; tests take copies of it before they let it see anything."""
    return MarkovDetector().fit(*rows)


def copy_of(detector: MarkovDetector) -> MarkovDetector:
    return pickle.loads(pickle.dumps(detector))


# --- What it may know -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def detectors() -> dict[tuple[int, int, str], MarkovDetector]:
    """Fitted detectors by states, channels and family."""
    rng = np.random.default_rng(1)
    y = blocks(600, (0.0, 1.0, -0.5), (0.5, 1.0, 2.5), rows=40)
    x = (rng.random((600, 2)) < 0.05).astype(np.float64)
    return {
        (states, channels, family): MarkovDetector(states=states, family=family, starts=0).fit(
            y, x[:, :channels]
        )
        for states in (2, 3)
        for channels in (0, 1, 2)
        for family in ("normal", "student")
    }


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_no_later_row_changes_a_bit_and_row_by_row_is_the_same(detectors, data):
    key = data.draw(st.sampled_from(sorted(detectors)))
    detector = copy_of(detectors[key])
    T = data.draw(st.integers(2, 60))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    y, x = 2.0 * rng.standard_normal(T), rng.random((T, key[1])) * (rng.random((T, key[1])) < 0.3)
    y[rng.random(T) < data.draw(st.sampled_from([0.0, 0.2, 1.0]))] = np.nan
    y[rng.random(T) < data.draw(st.sampled_from([0.0, 0.05]))] *= 100.0
    cut = data.draw(st.integers(1, T - 1))
    for call in (detector.filter, detector.predict, detector.log_scores):
        assert call(y[:cut], x[:cut]).tobytes() == call(y, x)[:cut].tobytes()
    whole = detector.filter(y, x)
    np.testing.assert_allclose(whole.sum(axis=1), 1.0, atol=1e-12)
    detector.restart()
    for t in range(T):
        if t == cut:
            detector = copy_of(detector)
        assert detector.update(y[t], x[t]).tobytes() == whole[t].tobytes()
    # After the rows up to the cut, `filter` stands where `update` would.
    detector.filter(y[:cut], x[:cut])
    assert detector.update(y[cut], x[cut]).tobytes() == whole[cut].tobytes()


@pytest.mark.parametrize("channels", [0, 1])
def test_a_fitted_detector_goes_on_after_its_training_rows(rows, channels):
    y, x = rows[0], rows[1][:, np.newaxis][:, :channels].copy()
    x[599] = 1.0  # an event that is known at the last training row and moves the next
    detector = copy_of(MarkovDetector().fit(y[:600], x[:600]))
    after = np.array([detector.update(y[t], x[t]) for t in range(600, 900)])
    assert after.tobytes() == detector.filter(y, x)[600:].tobytes()


@pytest.mark.parametrize("t", [0, 1, 450, 898])
def test_what_is_known_at_a_row_moves_nothing_before_the_next(rows, driven, t):
    y, x = rows
    other = x.copy()
    other[t] = 1.0 - other[t]
    detector = copy_of(driven)
    one, two = detector.filter(y, x), detector.filter(y, other)
    assert one[: t + 1].tobytes() == two[: t + 1].tobytes()
    assert abs(one[t + 1, 1] - two[t + 1, 1]) > 1e-6
    one, two = detector.log_scores(y, x), detector.log_scores(y, other)
    assert one[: t + 1].tobytes() == two[: t + 1].tobytes()
    assert one[t + 1] != two[t + 1]
    # The prediction made at t is of row t + 1, and already knows it.
    one, two = detector.predict(y, x), detector.predict(y, other)
    assert one[:t].tobytes() == two[:t].tobytes()
    assert abs(one[t, 1] - two[t, 1]) > 1e-3


def test_what_is_known_only_at_the_last_row_drives_the_row_after(rows, driven):
    y, x = rows
    quiet, known = x.copy(), x.copy()
    quiet[-1], known[-1] = 0.0, 1.0
    detector = copy_of(driven)
    assert detector.filter(y, quiet).tobytes() == detector.filter(y, known).tobytes()
    after = []
    for last in (quiet, known):
        detector.filter(y, last)
        after.append(detector.update(np.nan, 0.0)[1])
    assert after[1] > after[0] + 0.05


def test_a_fit_sees_its_training_rows_only_and_is_the_same_every_time(rows):
    y, x = rows
    one = MarkovDetector().fit(y[:600], x[:600])
    frame = pd.DataFrame({"event": x})
    two = MarkovDetector().fit(pd.Series(y)[:600], frame[:600])
    two.filter(y, x)
    for name in ("means_", "scales_", "transition_", "slopes_", "loglikelihood_", "rejected_"):
        assert np.asarray(getattr(one, name)).tobytes() == np.asarray(getattr(two, name)).tobytes()


def test_nothing_smoothed_can_be_had_from_a_detector(rows, driven):
    y, x = rows
    detector = copy_of(driven)
    assert [name for name in dir(detector) if "smooth" in name.lower()] == []
    # No attribute has a number per row: all that is kept of 900 rows are parameters and where it stands.
    for name, value in vars(detector).items():
        for part in (
            value
            if isinstance(value, tuple)
            else (value, *vars(value).values())
            if isinstance(value, Parameters)
            else (value,)
        ):
            assert np.size(part) < 20, name
    # And whatever takes rows gives the first of them without a look at the rest.
    methods = {name for name in dir(MarkovDetector) if not name.startswith("_")}
    assert {"fit", "filter", "predict", "log_scores", "update", "restart", "switch", "model"} <= methods
    by_rows = methods - {"fit", "update", "restart", "switch", "model"}
    for name in by_rows:
        call = getattr(detector, name)
        if callable(call):
            assert call(y[:300], x[:300]).tobytes() == call(y, x)[:300].tobytes()


# --- What its figures mean --------------------------------------------------------------------------------


@pytest.mark.parametrize("states", [2, 3])
def test_a_prediction_is_what_a_missing_next_row_is_filtered_to(detectors, states):
    detector = copy_of(detectors[states, 2, "normal"])
    rng = np.random.default_rng(4)
    y, x = 2.0 * rng.standard_normal(80), (rng.random((80, 2)) < 0.2).astype(np.float64)
    predicted = detector.predict(y, x)
    for t in range(79):
        holed = y[: t + 2].copy()
        holed[t + 1] = np.nan
        filtered = detector.filter(holed, x[: t + 2])[t + 1]
        np.testing.assert_allclose(filtered, predicted[t], atol=1e-12)


def test_log_scores_are_the_densities_predicted_and_add_up_to_the_likelihood(rows, driven):
    y, x = rows[0].copy(), rows[1]
    detector = copy_of(driven)
    assert detector.log_scores(y, x).sum() == pytest.approx(detector.loglikelihood_, abs=1e-9)
    y[5:9] = np.nan
    scores = detector.log_scores(y, x)
    assert np.flatnonzero(np.isnan(scores)).tolist() == [5, 6, 7, 8]
    ahead = detector.predict(y, x)[:-1]
    z = (y[1:, np.newaxis] - detector.means_) / detector.scales_
    density = (ahead * np.exp(-0.5 * z**2) / detector.scales_).sum(axis=1) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(scores[1:], np.log(density), atol=1e-9)
    again = MarkovDetector().fit(y, x)
    assert np.nansum(again.log_scores(y, x)) == pytest.approx(again.loglikelihood_, abs=1e-9)
    assert again.rows_ == 896


def test_slopes_and_transitions_are_those_of_the_predictions(rows, driven):
    detector = copy_of(driven)
    # Row 0 stands for any row: from probabilities p, the next row's are p P(x).
    for x in (0.0, 1.0, 2.5):
        p = detector.filter(rows[0][:1], [x])[0]
        logits = np.log(detector.transition_) + detector.slopes_[:, :, 0] * x
        P = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(detector.predict(rows[0][:1], [x])[0], p @ P, atol=1e-9)
    assert (detector.slopes_[:, -1] == 0.0).all()
    assert detector.slopes_[0, 0, 0] < 0.0  # an event makes staying calm less likely


def test_a_channel_that_does_not_vary_has_no_say(rows, driven):
    y, x = rows
    alone, beside = MarkovDetector().fit(y, np.full(900, 0.1)), MarkovDetector().fit(y)
    assert (alone.slopes_ == 0.0).all()
    assert alone.loglikelihood_ == pytest.approx(beside.loglikelihood_, abs=1e-6)
    np.testing.assert_allclose(alone.filter(y, 5.0 * x), beside.filter(y), atol=1e-5)
    both = MarkovDetector().fit(y, np.column_stack([x, np.full(900, 0.1)]))
    assert both.loglikelihood_ == pytest.approx(driven.loglikelihood_, abs=1e-6)
    np.testing.assert_allclose(both.slopes_[:, :, 0], driven.slopes_[:, :, 0], rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"family": "student"}, {"ridge": 0.0, "prior": 0.0}])
@pytest.mark.parametrize(("shift", "unit"), [(0.0, 1e-4), (3.0, 50.0), (-0.2, -1.0)])
def test_another_unit_of_the_rows_is_the_same_fit(rows, options, shift, unit):
    y, x = rows
    one = MarkovDetector(**options).fit(y, x)
    two = MarkovDetector(**options).fit(shift + unit * y, 7.0 * x)
    np.testing.assert_allclose(two.means_, shift + unit * one.means_, rtol=1e-6, atol=1e-6 * abs(unit))
    np.testing.assert_allclose(two.scales_, abs(unit) * one.scales_, rtol=1e-6)
    np.testing.assert_allclose(two.transition_, one.transition_, atol=1e-6)
    np.testing.assert_allclose(two.slopes_ * 7.0, one.slopes_, rtol=1e-5, atol=1e-5)
    moved = one.loglikelihood_ - 900 * np.log(abs(unit))
    assert two.loglikelihood_ == pytest.approx(moved, abs=1e-6)
    np.testing.assert_allclose(two.filter(shift + unit * y, 7.0 * x), one.filter(y, x), atol=1e-6)


def test_the_stressed_state_is_the_last():
    y = blocks(900, (0.5, -0.5, 0.0), (0.3, 0.6, 1.5))
    for stress_by, states in (("volatile", [0, 1, 2]), ("low", [0, 2, 1]), ("high", [1, 2, 0])):
        detector = MarkovDetector(states=3, stress_by=stress_by).fit(y)
        assert detector.rejected_ == ""
        np.testing.assert_allclose(detector.scales_, np.array([0.3, 0.6, 1.5])[states], rtol=0.2)
        np.testing.assert_allclose(detector.means_, np.array([0.5, -0.5, 0.0])[states], atol=0.3)
        probable = detector.filter(y).argmax(axis=1)
        assert (np.array(states)[probable] == states_in_blocks(900, 3)).mean() > 0.9


def test_means_alone_tell_states_apart_where_they_share_a_variance():
    y = blocks(600, (1.0, -1.0), (0.7, 0.7))
    detector = MarkovDetector(switching_variance=False, stress_by="low").fit(y)
    assert detector.scales_[0] == detector.scales_[1] == pytest.approx(0.7, rel=0.1)
    np.testing.assert_allclose(detector.means_, [1.0, -1.0], atol=0.15)


def test_states_keep_their_meaning_when_their_volatility_nearly_ties():
    before, after = blocks(600, (1.0, -1.0), (0.6, 0.8)), blocks(600, (1.0, -1.0), (0.74, 0.7), seed=1)
    first = MarkovDetector().fit(before)
    assert first.means_[1] < first.means_[0]
    fresh, kept = MarkovDetector().fit(after), MarkovDetector().fit(after, previous=first)
    assert fresh.means_[1] > fresh.means_[0]
    assert kept.means_[1] < kept.means_[0]
    np.testing.assert_allclose(kept.means_, fresh.means_[::-1], atol=1e-5)
    np.testing.assert_allclose(kept.transition_, fresh.transition_[::-1, ::-1], atol=1e-5)
    np.testing.assert_allclose(kept.filter(after), fresh.filter(after)[:, ::-1], atol=1e-4)
    assert np.isnan(fresh.match_)
    # How far they went: by the change of mean in standard deviations and of the logarithm of scale.
    move = np.hypot((kept.means_ - first.means_) / after.std(), np.log(kept.scales_ / first.scales_))
    assert kept.match_ == pytest.approx(move.max(), rel=1e-9)
    assert 0.1 < kept.match_ < 1.0
    assert 0.0 < np.log(kept.scales_[0] / kept.scales_[1]) < 0.1
    assert kept.rejected_ == ""


def test_an_earlier_fit_is_matched_in_its_own_units_and_is_one_more_start(rows):
    y, x = rows
    first = MarkovDetector(ridge=0.0, prior=0.0).fit(100.0 + 5.0 * y[:700], 3.0 * x[:700])
    again = MarkovDetector(ridge=0.0, prior=0.0).fit(100.0 + 5.0 * y[:700], 3.0 * x[:700], previous=first)
    assert again.match_ < 1e-4
    assert again.loglikelihood_ >= first.loglikelihood_ - 1e-8
    assert again.rejected_ == ""


def test_an_earlier_fit_is_carried_over_into_the_units_of_the_new_rows(rows, driven, monkeypatch):
    y, x = rows
    monkeypatch.setattr(MarkovModel, "maximise", lambda self, sample, starts: starts[-1])
    more = np.where(np.arange(900) % 7 == 0, 3.0, x)
    again = MarkovDetector().fit(50.0 + 9.0 * y, more, previous=driven)
    for name in ("means_", "scales_", "transition_", "slopes_"):
        np.testing.assert_allclose(getattr(again, name), getattr(driven, name), rtol=1e-9, atol=1e-12)


def test_refits_begin_where_the_last_ended_and_every_sixth_everywhere(rows, monkeypatch):
    y, x = rows
    begun = []

    def counted(*given):
        begun.append(len(given[1].y))
        return starting_points(*given)

    monkeypatch.setattr(markov, "starting_points", counted)
    detector = MarkovDetector().fit(y[:400], x[:400])
    ages = []
    for until in range(410, 550, 10):
        detector = MarkovDetector().fit(y[:until], x[:until], previous=detector)
        ages.append(detector.age_)
        assert detector.rejected_ == ""
    assert ages == [1, 2, 3, 4, 5, 0] * 2 + [1, 2]
    assert begun == [400, 460, 520]
    cold = MarkovDetector().fit(y[:540], x[:540])
    np.testing.assert_allclose(detector.scales_, cold.scales_, rtol=1e-3)
    MarkovDetector(cold_every=1).fit(y[:540], x[:540], previous=detector)
    assert begun == [400, 460, 520, 540, 540]


def test_a_refit_that_would_be_rejected_begins_everywhere():
    y = blocks(600, (0.0, 0.0), (0.5, 2.0))
    y[np.arange(600) % 100 < 15] = 0.0
    sound = MarkovDetector(ridge=0.0, prior=0.0).fit(y)
    # A fit of before whose calm state had shrunk onto the rows that are 0.
    shrunk, own = copy_of(sound), sound._parameters
    shrunk._parameters = Parameters(
        own.logits, own.coefficients * 0.0, np.array([0.002, 1.0]), own.autoregression
    )
    again = MarkovDetector(ridge=0.0, prior=0.0).fit(y, previous=shrunk)
    assert again.age_ == 0
    np.testing.assert_allclose(again.scales_, sound.scales_, rtol=1e-4)


def test_missing_rows_tell_nothing(rows, driven):
    y, x = rows[0].copy(), rows[1]
    y[100:160], y[0] = np.nan, np.nan
    detector = MarkovDetector().fit(y, x)
    assert detector.rejected_ == ""
    assert detector.rows_ == 839
    assert np.isfinite(detector.filter(y, x)).all()
    np.testing.assert_allclose(detector.scales_, driven.scales_, rtol=0.1)
    # In a long gap without events the probabilities go where they always go in the end.
    quiet = MarkovDetector().fit(rows[0])
    gap = quiet.filter(np.concatenate([rows[0], np.full(2000, np.nan)]))
    np.testing.assert_allclose(gap[-1], gap[-1] @ quiet.transition_, atol=1e-9)
    everywhere = quiet.filter(np.full(50, np.nan))
    np.testing.assert_allclose(everywhere, np.tile(gap[-1], (50, 1)), atol=1e-9)
    # Rows that were never made, and rows that are missing, differ in the steps that the state has made.
    assert quiet.log_scores(np.full(3, np.nan)).tobytes() == np.full(3, np.nan).tobytes()


# --- What it finds ----------------------------------------------------------------------------------------


def standard_errors(detector: MarkovDetector, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Estimates as a vector, the true ones, and standard errors by the curvature of the likelihood.

    It is all done in the units of the rows, from public attributes.
    """
    lagged = np.concatenate([[x.mean()], x[:-1]])  # what was known before the first row is not
    one = np.ones(len(y))
    sample = Sample(y, one[:, np.newaxis], np.column_stack([one, lagged]))
    model = MarkovModel(2, nu=detector.model.nu)

    def parameters(transition, slopes, means, scales):
        calm = np.log(transition / transition[:, -1:])
        logits = np.stack([calm, slopes[:, :, 0]], axis=2)
        return Parameters(logits, np.array(means)[:, np.newaxis], np.array(scales), np.empty((2, 0)))

    estimate = parameters(detector.transition_, detector.slopes_, detector.means_, detector.scales_)
    stay, leave = 1.0 / (1.0 + np.exp(-4.0)), 1.0 / (1.0 + np.exp(3.0))
    P = np.array([[stay, 1.0 - stay], [leave, 1.0 - leave]])
    truth = parameters(P, np.array([[[-4.0], [0.0]], [[0.5], [0.0]]]), MEANS, SCALES)
    vector, step = model.pack(estimate), 1e-4

    def score(at):
        return model.objective(sample, model.unpack(at, estimate))[1]

    curvature = [
        (score(vector + step * e) - score(vector - step * e)) / (2 * step) for e in np.eye(len(vector))
    ]
    errors = np.sqrt(np.diag(np.linalg.inv(np.array(curvature))))
    # At a maximum the score is 0: the fit is that of maximum likelihood in any unit.
    assert np.abs(score(vector) * errors).max() < 1e-3
    return vector, model.pack(truth), errors


@pytest.mark.parametrize(("family", "nu"), [("normal", np.inf), ("student", 5.0)])
def test_the_parameters_of_simulated_rows_are_recovered(family, nu):
    y, x = made(5000, seed=3, nu=nu)
    detector = MarkovDetector(family=family, ridge=0.0, prior=0.0).fit(y, x)
    assert detector.rejected_ == ""
    estimate, truth, errors = standard_errors(detector, y, x)
    assert np.abs((estimate - truth) / errors).max() < 4.0
    # 5,000 rows say something: scales to 5 %, the stay in the calm state to a third of its logit's unit.
    assert errors[6:].max() < 0.05
    assert errors[0] < 0.34


def test_events_are_worth_their_log_score_where_they_drive_the_states():
    y, x = made(5000, seed=5)
    with_events = MarkovDetector(ridge=0.0, prior=0.0).fit(y[:2500], x[:2500])
    without = MarkovDetector(ridge=0.0, prior=0.0).fit(y[:2500])
    assert with_events.loglikelihood_ > without.loglikelihood_ + 10.0
    ahead = with_events.log_scores(y, x)[2500:] - without.log_scores(y)[2500:]
    assert ahead.sum() > 10.0


def test_heavy_tails_are_better_told_by_students_t():
    y, _ = made(3000, seed=2, nu=5.0)
    heavy = MarkovDetector(family="student", nu=5.0, ridge=0.0, prior=0.0).fit(y)
    normal = MarkovDetector(ridge=0.0, prior=0.0).fit(y)
    assert heavy.loglikelihood_ > normal.loglikelihood_ + 20.0
    np.testing.assert_allclose(heavy.scales_, SCALES, rtol=0.1)
    thin, _ = made(3000, seed=2)
    assert (
        MarkovDetector(ridge=0.0, prior=0.0).fit(thin).loglikelihood_
        > MarkovDetector(family="student", nu=5.0, ridge=0.0, prior=0.0).fit(thin).loglikelihood_ + 20.0
    )
    # With enough degrees of freedom they are one.
    close = MarkovDetector(family="student", nu=1e7, ridge=0.0, prior=0.0).fit(thin)
    assert close.loglikelihood_ == pytest.approx(
        MarkovDetector(ridge=0.0, prior=0.0).fit(thin).loglikelihood_, abs=0.01
    )


def test_more_starts_never_end_lower_and_a_seed_repeats_them():
    y = blocks(500, (0.5, -0.5, 0.0, 0.0), (0.5, 0.5, 1.0, 2.0), rows=25)
    options = {"states": 3, "ridge": 0.0, "prior": 0.0}
    few, many = (MarkovDetector(**options, starts=starts).fit(y) for starts in (0, 20))
    assert many.loglikelihood_ >= few.loglikelihood_ - 1e-6
    again = MarkovDetector(**options, starts=20).fit(y)
    assert again.loglikelihood_ == many.loglikelihood_
    assert again.means_.tobytes() == many.means_.tobytes()


def test_the_break_of_the_nile_is_found():
    y = pd.read_csv(NILE)["volume"]
    detector = MarkovDetector(stress_by="low", ridge=0.0, prior=0.0).fit(y)
    # With one variance -631.7926 (statsmodels from a start at the break); its own default ends at -654.5167.
    assert detector.loglikelihood_ >= -631.7926
    low = detector.filter(y)[:, 1]
    assert (low[:28] < 0.5).all()  # the break is after 1898, the 28th year, and seen within four
    assert (low[32:] > 0.5).all()


# --- What it should not be used for -----------------------------------------------------------------------


def events_before_every_switch(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """States that switch at the row after an event and at no other."""
    rng = np.random.default_rng(seed)
    x = np.zeros(1000)
    x[np.cumsum(rng.integers(20, 80, size=12))] = 1.0
    state = (np.cumsum(x) - x).astype(int) % 2
    return np.array(MEANS)[state] + np.array([0.5, 2.0])[state] * rng.standard_normal(1000), x


@pytest.mark.parametrize("seed", range(3))
def test_events_that_separate_the_states_do_not_send_slopes_to_infinity(seed):
    y, x = events_before_every_switch(seed)
    free = MarkovDetector(ridge=0.0, prior=0.0).fit(y, x)
    assert "a logit of the transitions is beyond 15" in free.rejected_
    held = MarkovDetector().fit(y, x)
    assert held.rejected_ == ""
    slopes = held.slopes_[:, 0, 0] * x.std()
    assert -4.0 < slopes[0] < -1.0
    assert 1.0 < slopes[1] < 4.0
    assert np.abs(free.slopes_[:, 0, 0] * x.std()).min() > 1.5 * np.abs(slopes).max()
    # It costs little likelihood, and the more of it the smaller the slopes.
    assert held.loglikelihood_ > free.loglikelihood_ - 2.0
    stronger = MarkovDetector(ridge=0.5).fit(y, x)
    assert (np.abs(stronger.slopes_[:, 0]) < np.abs(held.slopes_[:, 0])).all()


def noise(T: int = 600) -> np.ndarray:
    return np.random.default_rng(8).standard_normal(T)


@pytest.mark.parametrize(
    ("y", "options", "reason"),
    [
        # A spike: three days of ten times the rest, and one far beyond.
        (np.where(np.isin(np.arange(600), [99, 100, 101]), 10.0, noise()), {}, "rows, fewer than 20"),
        (np.where(np.arange(600) == 99, 1e6, noise()), {}, "of the scale of all rows"),
        (np.where(np.arange(2000) < 30, 9.0, noise(2000)), {}, "rows, fewer than 40"),
        (np.where(np.arange(600) % 300 < 40, 0.0, noise()), {"prior": 0.0}, "of the scale of all rows"),
        (np.tile([0.0, 5.0], 300) + 0.1 * noise(), {}, "lasts 1.0 rows on average"),
        (np.repeat([0.0, 5.0], 300) + 0.1 * noise(), {}, "outside 3 to 600 rows"),
        (noise(), {"states": 4}, "fewer than 20"),
    ],
)
def test_a_degenerate_fit_says_why(y, options, reason):
    detector = MarkovDetector(**options).fit(y)
    assert reason in detector.rejected_
    assert np.isfinite(detector.filter(y)).all()


def test_a_sound_fit_is_not_rejected(driven):
    assert driven.rejected_ == ""
    for states in (2, 3):
        y = blocks(900, (0.5, -0.5, 0.0)[:states], (0.3, 0.6, 1.5)[:states])
        assert MarkovDetector(states=states).fit(y).rejected_ == ""


def test_the_switch_is_on_where_the_last_state_is_probable(rows, driven):
    probability = copy_of(driven).filter(*rows)[:, -1]
    detector = MarkovDetector(enter=0.7, leave=0.3, dwell=0.0)
    on = detector.switch(probability, rows[1], np.arange(900.0))
    assert on[probability > 0.7].all()
    assert not on[probability < 0.3].any()
    assert isinstance(detector, Detector)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("states", 1),
        ("states", 5),
        ("states", 2.0),
        ("states", True),
        ("stress_by", "calm"),
        ("stress_by", None),
        ("family", "gauss"),
        ("nu", 2.0),
        ("nu", np.inf),
        ("nu", "five"),
        ("ridge", -0.1),
        ("ridge", np.nan),
        ("prior", np.inf),
        ("prior", None),
        ("starts", -1),
        ("starts", 1.5),
        ("cold_every", 0),
        ("seed", -1),
        ("seed", None),
        ("half_life", 0.0),
        ("enter", 1.5),
        ("leave", 0.9),
        ("dwell", -1.0),
    ],
)
def test_a_bad_parameter_is_refused_by_name(name, value):
    with pytest.raises(ParameterError, match=name) as caught:
        MarkovDetector(**{name: value})
    assert "\n" not in str(caught.value)


def test_states_without_variances_are_not_ordered_by_them():
    with pytest.raises(ParameterError, match="stress_by='low' or 'high'"):
        MarkovDetector(switching_variance=False)


@pytest.mark.parametrize(
    ("y", "x", "options", "error", "reason"),
    [
        ([], None, {}, DataError, "0 rows that are not missing, and 2 states need 40"),
        (noise(39), None, {}, DataError, "39 rows"),
        (noise(59), None, {"states": 3}, DataError, "59 rows"),
        (np.full(300, 0.01), None, {}, DataError, "0.01 in every row"),
        (np.full(300, np.nan), None, {}, DataError, "all 300 rows of y are missing"),
        (np.tile([0.0, 1.0], 100), None, {}, DataError, "2 different values and 2 states"),
        (np.tile([0.0, 1.0, 2.0], 100), None, {"states": 3}, DataError, "3 different values and 3 states"),
        (1e200 * noise(300), None, {}, DataError, "too large or too small"),
        (1e-200 * noise(300), None, {}, DataError, "too large or too small"),
        (noise(300), np.zeros((300, 2)), {}, DataError, "0 in all 300 rows"),
        (noise(300), 1e200 * (np.arange(300) % 9), {}, DataError, "too large or too small"),
        (np.where(np.arange(300) == 7, -np.inf, noise(300)), None, {}, ParameterError, "infinite at row 7"),
        (noise(300), np.ones(299), {}, ParameterError, "beside 300 observations"),
        (
            noise(300),
            np.where(np.arange(300) == 4, np.nan, 1.0),
            {},
            ParameterError,
            "missing or infinite at row 4",
        ),
        (noise(300), "tariffs", {}, ParameterError, "intensity is 'tariffs'"),
        (np.ones((300, 2)), None, {}, ParameterError, "shape"),
        ("returns", None, {}, ParameterError, "y is 'returns'"),
    ],
)
def test_bad_training_rows_are_refused_in_one_sentence(y, x, options, error, reason):
    detector = MarkovDetector(**options)
    with pytest.raises(error, match=reason) as caught:
        detector.fit(y, x)
    assert "\n" not in str(caught.value)
    with pytest.raises(EntrepotError, match="call fit"):
        detector.filter(noise())


def test_a_refused_fit_leaves_the_last_one_as_it_was(rows, driven):
    y, x = rows
    detector = copy_of(driven)
    for bad in ((y[:30], x[:30]), (y, 0.0 * x), (1e200 * y, x)):
        with pytest.raises(EntrepotError):
            detector.fit(*bad)
        assert detector.filter(y, x).tobytes() == copy_of(driven).filter(y, x).tobytes()


def test_what_was_not_fitted_is_refused():
    y, blank = noise(), MarkovDetector()
    for call in (blank.filter, blank.predict, blank.log_scores):
        with pytest.raises(ParameterError, match="call fit"):
            call(y)
    for call in (lambda: blank.update(0.1), blank.restart):
        with pytest.raises(ParameterError, match="call fit"):
            call()


def test_rows_that_do_not_go_with_the_fit_are_refused(rows, driven):
    y, x = rows
    detector = copy_of(driven)
    for given_x in (None, np.column_stack([x, x])):
        for call in (detector.filter, detector.predict, detector.log_scores):
            with pytest.raises(ParameterError, match="and the fit had 1: give the same"):
                call(y, given_x)
    for row in ((0.1,), (0.1, [1.0, 2.0])):
        with pytest.raises(ParameterError, match="and the fit had 1: give the same"):
            detector.update(*row)
    with pytest.raises(ParameterError, match="given 2 observations: give one"):
        detector.update([0.1, 0.2], 0.0)
    with pytest.raises(ParameterError, match="infinite"):
        detector.update(np.inf, 0.0)
    with pytest.raises(ParameterError, match="missing or infinite"):
        detector.update(0.1, np.nan)


def test_a_detector_of_before_must_be_one():
    y = noise()
    for other in (object(), MarkovDetector()):
        with pytest.raises(ParameterError, match="give a fitted MarkovDetector"):
            MarkovDetector().fit(y, previous=other)
    with pytest.raises(ParameterError, match="previous has 2 states and 0 channels where 3 and 0 are fitted"):
        MarkovDetector(states=3).fit(y, previous=MarkovDetector().fit(y))
    with pytest.raises(ParameterError, match="give one of the same kind"):
        MarkovDetector().fit(y, np.arange(600) % 7, previous=MarkovDetector().fit(y))


@pytest.mark.parametrize("channels", [0, 1])
def test_no_rows_are_filtered_to_no_rows_and_move_nothing(rows, channels):
    y, x, none = rows[0], rows[1][:, np.newaxis][:, :channels], np.empty((0, channels))
    detector = MarkovDetector().fit(y, x)
    for call in (detector.filter, detector.predict):
        assert call([], none).shape == (0, 2)
    assert detector.log_scores([], none).shape == (0,)
    after, again = detector.update(0.1, [0.0] * channels), MarkovDetector().fit(y, x)
    assert after.tobytes() == again.update(0.1, [0.0] * channels).tobytes()


@pytest.mark.parametrize(
    ("y", "x", "name"), [("calm", 0.0, "y"), (0.1, "tariff", "intensity"), (0.1, [[[1.0]]], "intensity")]
)
def test_a_row_that_is_no_number_is_refused_in_one_sentence(driven, y, x, name):
    with pytest.raises(ParameterError, match=name) as caught:
        copy_of(driven).update(y, x)
    assert "\n" not in str(caught.value)
