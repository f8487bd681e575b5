"""What only research may look at: it does leak, and it is kept apart from what is traded."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import naive_research
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.regimes.refits import Schedule
from entrepot.regimes.research import CalendarValue, calendar_value, hac_mean, leaky_path, smoothed

ROOT = Path(__file__).parents[2]
SELDOM = Schedule(every=250, least=250)
MODEL = ep.RegimeModel(delisting=ep.MarkovDetector(), schedule=Schedule(every=63, least=150))


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2019-01-02", end="2022-12-30", seed=3)


@pytest.fixture(scope="module")
def events() -> ep.Events:
    return ep.load_events()


@pytest.fixture(scope="module")
def fitted() -> tuple[ep.MarkovDetector, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    y = np.where(np.arange(300) % 100 < 70, 1.0, 3.0) * rng.standard_normal(300) + 0.3
    x = rng.random((300, 1))
    return ep.MarkovDetector().fit(y, x), y, x


def test_the_smoother_is_the_sum_over_all_paths(fitted):
    detector, y, x = fitted
    few, known = y[:8].copy(), x[:8]
    few[3] = np.nan
    slopes = detector.slopes_[:, 0, 0]
    odds = np.log(detector.transition_[:, 0] / detector.transition_[:, 1])
    lagged = [x.mean(), *known[:-1, 0]]  # before the first row nothing is known: their mean
    stay = [[1.0 / (1.0 + np.exp(-(odds[i] + slopes[i] * z))) for i in (0, 1)] for z in lagged]
    transitions = [[[p, 1.0 - p] for p in row] for row in stay]
    first = np.array(transitions[0])
    start = np.array([first[1, 0], first[0, 1]]) / (first[1, 0] + first[0, 1])
    rows = [None if np.isnan(value) else value for value in few]
    wanted = naive_research.smoothed(rows, detector.means_, detector.scales_, transitions, start)
    np.testing.assert_allclose(smoothed(detector, few, known), wanted, atol=1e-9)


def test_the_smoother_agrees_with_kims_in_statsmodels():
    from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

    rng = np.random.default_rng(5)
    y = np.where(np.arange(400) % 100 < 70, 1.0, 3.0) * rng.standard_normal(400)
    detector = ep.MarkovDetector().fit(y)
    parameters = np.concatenate([detector.transition_[:, 0], detector.means_, detector.scales_**2])
    theirs = MarkovRegression(y, k_regimes=2, switching_variance=True).smooth(parameters)
    np.testing.assert_allclose(smoothed(detector, y), theirs.smoothed_marginal_probabilities, atol=1e-8)


def test_the_last_row_is_not_smoothed_and_earlier_ones_change_with_what_follows(fitted):
    detector, y, x = fitted
    told = smoothed(detector, y, x)
    np.testing.assert_allclose(told[-1], detector.filter(y, x)[-1], atol=1e-12)
    assert np.abs(smoothed(detector, y[:200], x[:200]) - told[:200]).max() > 0.05


def test_a_jump_model_is_smoothed_by_its_cheapest_path_and_others_have_none():
    rng = np.random.default_rng(6)
    y = np.where(np.arange(600) % 300 < 200, 1.0, 3.0) * rng.standard_normal(600)
    detector = ep.JumpDetector(penalty=20.0).fit(y)
    told = smoothed(detector, y)
    assert set(np.unique(told)) == {0.0, 1.0}
    assert (told.sum(axis=1) == 1.0).all()
    assert (told != detector.filter(y)).any()
    with pytest.raises(ep.EntrepotError, match="no smoother"):
        smoothed(ep.ThresholdDetector(), y)


def test_only_hindsight_imports_research_and_no_detector_offers_a_smoother():
    importing = set()
    for folder in ("markets", "regimes", "strategies", "engine", "reports", "src/entrepot"):
        for path in (ROOT / folder).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if any("regimes.research" in name for name in names):
                    importing.add(path.name)
    assert importing == {"hindsight.py"}
    for detector in (ep.MarkovDetector, ep.JumpDetector, ep.ChangePointDetector, ep.ThresholdDetector):
        assert not [name for name in dir(detector) if "smooth" in name and not name.startswith("_")]


def test_the_main_job_does_not_load_research():
    script = "import sys, entrepot.job; print('entrepot.regimes.research' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_leaky_paths_begin_where_the_honest_one_does_and_differ_from_it(market, events):
    honest = MODEL.walk_forward(market, events, progress=False)
    for leak in ("full_sample", "smoothed"):
        path = leaky_path(MODEL, market, events, leak)
        known = honest.rows["delisting"]["probability"].notna()
        assert path.rows["delisting"]["probability"].notna().equals(known)
        assert (path.states != honest.states).mean() > 0.01
        half = market.until(len(market) - 500)
        assert (leaky_path(MODEL, half, events, leak).states != path.states[: len(half)]).any()
    with pytest.raises(ep.EntrepotError, match="leak='future' is unknown"):
        leaky_path(MODEL, market, events, "future")
    with pytest.raises(ep.EntrepotError, match="neither detector of the model is fitted"):
        leaky_path(ep.RegimeModel(), market, events, "smoothed")


def test_the_t_statistic_is_that_of_newey_and_west():
    # The Nile's mean, four lags, no small-sample correction: computed from Newey and West (1987), equation 5.
    y = pd.read_csv(ROOT / "tests/regimes/published/nile.csv").iloc[:, -1].to_numpy(np.float64)
    mean, t, lags = hac_mean(y, 4)
    e = y - y.mean()
    variance = e @ e + 2.0 * sum((1 - lag / 5) * (e[lag:] @ e[:-lag]) for lag in range(1, 5))
    assert (mean, lags) == (pytest.approx(y.mean()), 4)
    assert t == pytest.approx(y.mean() / (np.sqrt(variance) / len(y)), rel=1e-12)
    assert t == pytest.approx(33.751877, abs=1e-6)
    assert hac_mean(y)[2] == 4


def made_observation(market: ep.Market, events: ep.Events, driven: bool, seed: int) -> pd.DataFrame:
    """Returns whose variance is high in a state that delisting events begin, or that begins by itself."""
    frame = ep.RegimeModel().delisting_observation(market)
    rng = np.random.default_rng(seed)
    time = pd.DatetimeIndex(frame["known_at"])
    x = events.intensity(time, channels=["delisting", "investment_restriction"])
    up = x.xs("escalation", axis=1, level="side").sum(axis=1).to_numpy()
    enter = 1.0 / (1.0 + np.exp(4.5 - 1.6 * up)) if driven else np.full(len(up), 0.03)
    state, y = False, np.empty(len(up))
    for t in range(len(up)):
        y[t] = (3.0 if state else 1.0) * rng.standard_normal()
        state = rng.random() < (0.93 if state else enter[t])
    return frame.assign(value=y)


def value_of(market, events, driven: bool, seed: int, **options) -> CalendarValue:
    rows = made_observation(market, events, driven, seed)
    model = replace(MODEL, delisting_observation=lambda given: rows)
    return calendar_value(model, market, events, schedule=SELDOM, progress=False, **options)


def test_a_calendar_that_drives_the_states_is_found_to_and_beats_wrong_dates(market, events):
    found = value_of(market, events, True, 1, placebo=19)
    assert found.mean > 0
    assert found.t > 2
    assert found.placebo_p <= 0.1
    assert "events add" in str(found)
    assert found.scores["difference"].mean() == pytest.approx(found.mean)
    again = value_of(market, events, True, 1, placebo=19)
    np.testing.assert_array_equal(again.placebo, found.placebo)
    shifted = value_of(market, events, True, 1, placebo=19, move="shift")
    assert shifted.placebo_p <= 0.2
    assert (shifted.placebo != found.placebo).any()


def test_a_calendar_that_drives_nothing_is_not_found_to(market, events):
    # Under the null a one-sided p of 5 % or less comes once in twenty; in eight draws more than two of them
    # have a probability of 0.6 %.
    low = [value_of(market, events, False, seed).p <= 0.05 for seed in range(8)]
    assert sum(low) <= 2


def test_wrong_dates_keep_the_marks(market, events):
    from entrepot.regimes.research import _wrong_dates

    fed = MODEL.rows_of("delisting", market, events)
    for move in ("shuffle", "shift"):
        # Weighed by what is left of it, a sum of marks that only move is lost at the edges alone.
        totals = [x.sum() for x in _wrong_dates(MODEL, market, events, "delisting", fed, 30, move, 0)]
        assert np.median(totals) == pytest.approx(fed.x.sum(), rel=0.25)


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"delisting": ep.JumpDetector()}, {}, "no predictive density"),
        ({"event_driven": False}, {}, "reads no events"),
        ({}, {"risk": "weather"}, "risk is 'weather'"),
        ({}, {"placebo": -1}, "placebo is -1"),
        ({}, {"move": "stir"}, "move='stir' is unknown"),
    ],
)
def test_what_cannot_be_asked_is_refused(market, events, changes, options, words):
    with pytest.raises(ep.EntrepotError, match=words):
        calendar_value(replace(MODEL, **changes), market, events, **options)
