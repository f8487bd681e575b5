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


def test_a_detector_may_be_made_in_its_own_way_and_need_not_say_why_a_fit_should_not_be_used(market, events):
    class Loud(ep.ProbabilityDetector):
        def __init__(self, usual):
            super().__init__()
            self.usual = usual

        def fit(self, y, intensity=None, previous=None):
            self.usual_ = self.usual(np.abs(y))

        def filter(self, y, intensity=None):
            loud = (np.abs(np.nan_to_num(y)) > self.usual_).astype(float)
            return np.column_stack([1 - loud, loud])

        def update(self, y, intensity=None):
            return self.filter([y])[0]

    model = replace(MODEL, delisting=Loud(np.nanmedian))
    honest = model.walk_forward(market, events, progress=False)
    leaky = leaky_path(model, market, events, "full_sample", honest)
    assert (leaky.probabilities.to_numpy() != honest.probabilities.to_numpy()).any()


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


def test_a_placebo_is_a_matter_of_its_seed_and_of_how_dates_go_wrong(market):
    model, events = made_world(market, True, 1)
    found = calendar_value(model, market, events, placebo=5, progress=False)
    assert "events add" in str(found)
    assert found.scores["difference"].mean() == pytest.approx(found.mean)
    again = calendar_value(model, market, events, placebo=5, progress=False)
    np.testing.assert_array_equal(again.placebo, found.placebo)
    shifted = calendar_value(model, market, events, placebo=5, move="shift", progress=False)
    assert (shifted.placebo != found.placebo).any()


def test_a_placebo_whose_events_come_late_is_held_against_the_same_rows(market, events):
    frame = events.frame
    one = frame[(frame["channel"] == "delisting") & (frame["known_at"] > "2020-06-01")].iloc[:1]
    model = replace(MODEL, delisting_observation=MODEL.tariff_observation)
    found = calendar_value(
        model, market, ep.Events(one), placebo=8, schedule=Schedule(every=200, least=450), progress=False
    )
    assert np.isfinite(found.placebo).all()
    assert np.abs(found.placebo).max() < 0.2


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
        totals = [x.sum() for x in _wrong_dates(MODEL, events, "delisting", fed, 30, move, 0)]
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


# -- against numbers and definitions from elsewhere ----------------------------------------------------------


def test_three_states_without_intensities_are_smoothed_as_all_their_paths_are():
    rng = np.random.default_rng(8)
    level = np.array([-3.0, 0.0, 3.0])[np.arange(600) // 25 % 3]
    y = level + np.array([0.5, 1.0, 1.5])[np.arange(600) // 25 % 3] * rng.standard_normal(600)
    detector = ep.MarkovDetector(states=3).fit(y)
    few = y[[24, 25, 49, 50, 74, 75]]
    moves = detector.transition_
    # Rows are stationary before the first: the solution of p = p P, adding to 1.
    start = np.linalg.lstsq(np.vstack([moves.T - np.eye(3), np.ones(3)]), np.r_[np.zeros(3), 1.0])[0]
    wanted = naive_research.smoothed(
        list(few), detector.means_, detector.scales_, [moves.tolist()] * 6, start
    )
    np.testing.assert_allclose(smoothed(detector, few), wanted, atol=1e-9)


@pytest.mark.parametrize("lags", [0, 1, 4, 10, None])
def test_the_standard_error_has_no_small_sample_correction(lags):
    from statsmodels.regression.linear_model import OLS

    y = pd.read_csv(ROOT / "tests/regimes/published/nile.csv").iloc[:, -1].to_numpy(np.float64)
    mean, t, used = hac_mean(y, lags)
    plain, corrected = (
        OLS(y, np.ones(100)).fit(cov_type="HAC", cov_kwds={"maxlags": used, "use_correction": small})
        for small in (False, True)
    )
    assert (mean, t) == (
        pytest.approx(plain.params[0], rel=1e-14),
        pytest.approx(plain.tvalues[0], rel=1e-13),
    )
    # The correction multiplies the variance by n / (n - 1); what is published for these data is without.
    assert corrected.bse[0] / plain.bse[0] == pytest.approx(np.sqrt(100 / 99), rel=1e-12)
    if used == 4:
        assert mean / t == pytest.approx(27.23848492, abs=1e-8)  # statsmodels 0.15, OLS with HAC


def test_a_mean_of_nothing_has_no_standard_error():
    for values, lags in (([], None), ([1.0], None), ([1.0, 2.0], 2), ([1.0, 2.0], -1), ([1.0, 2.0], 0.5)):
        with pytest.raises(ep.EntrepotError, match="no standard error"):
            hac_mean(np.array(values), lags)


# -- kept apart ----------------------------------------------------------------------------------------------


def imported(path: Path) -> set[str]:
    """Dotted names of whatever a file imports at any depth, `from a import b` as a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or path.suffix == ".pyi", f"{path.name} imports by relative name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_no_spelling_of_an_import_reaches_research_or_hindsight():
    reaching: dict[str, set[str]] = {"regimes.research": set(), "hindsight": set()}
    for folder in ("markets", "regimes", "strategies", "engine", "reports", "src/entrepot"):
        for path in (ROOT / folder).glob("*.py"):
            for name in imported(path):
                for target, by in reaching.items():
                    if f"{name}.".startswith(f"entrepot.{target}."):
                        by.add(path.name)
                assert not name.startswith(("entrepot.look_ahead_gap", "entrepot.draw_regimes")), path.name
    assert reaching == {"regimes.research": {"hindsight.py"}, "hindsight": set()}


def test_neither_importing_everything_else_nor_walking_a_model_loads_research():
    script = """
import importlib, pkgutil, sys
import entrepot as ep
print([name for name in sys.modules if name.endswith(("regimes.research", "entrepot.hindsight"))])
ep.RegimeModel(), ep.MarkovDetector(), ep.backtest, ep.sweep, ep.LongHKShortADR
for room in ("markets", "regimes", "strategies", "engine", "reports"):
    package = importlib.import_module(f"entrepot.{room}")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name != "research":
            importlib.import_module(f"entrepot.{room}.{module.name}")
for name in ("cli", "job", "result", "sweeps"):
    importlib.import_module(f"entrepot.{name}")
print([name for name in sys.modules if name.endswith(("regimes.research", "entrepot.hindsight"))])
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["[]", "[]"]


# -- hindsight -----------------------------------------------------------------------------------------------


def test_a_leaky_path_is_one_fit_on_all_rows_from_where_the_honest_one_begins(market, events):
    honest = MODEL.walk_forward(market, events, progress=False)
    fed = MODEL.rows_of("delisting", market, events)
    fitted = replace(MODEL.delisting).fit(fed.y, fed.x)
    begin = int(np.argmax(honest.rows["delisting"]["probability"].notna()))
    told = {"full_sample": fitted.filter(fed.y, fed.x), "smoothed": smoothed(fitted, fed.y, fed.x)}
    for leak, wanted in told.items():
        path = leaky_path(MODEL, market, events, leak, honest)
        rows = path.rows["delisting"]["probability"].to_numpy()
        assert np.isnan(rows[:begin]).all()
        np.testing.assert_array_equal(rows[begin:], wanted[begin:, -1])
        early = path.time < honest.rows["delisting"]["known_at"].iloc[begin]
        assert not (path.states[early] & 2).any()
        pd.testing.assert_frame_equal(path.refits["delisting"], honest.refits["delisting"])
        assert (path.states & 1).tobytes() == (honest.states & 1).tobytes()  # thresholds learn nothing


def test_rows_that_follow_change_what_smoothing_said_and_not_what_was_filtered(fitted):
    detector, y, x = fitted
    other = y.copy()
    other[200:] = other[200:][::-1]
    assert np.abs(smoothed(detector, other, x)[:200] - smoothed(detector, y, x)[:200]).max() > 1e-3
    assert detector.filter(other, x)[:200].tobytes() == detector.filter(y, x)[:200].tobytes()


# -- wrong dates ---------------------------------------------------------------------------------------------


def lasting(market: ep.Market, events: ep.Events, move: str, draws: int, seed: int = 0) -> tuple:
    """What is fed and what wrong dates would feed, with marks that last for good: running totals."""
    from entrepot.regimes.research import _wrong_dates

    model = replace(MODEL, delisting=ep.MarkovDetector(half_life=1e12), marks="severity")
    fed = model.rows_of("delisting", market, events)
    return fed.x, list(_wrong_dates(model, events, "delisting", fed, draws, move, seed))


@pytest.mark.parametrize("move", ["shuffle", "shift"])
def test_every_mark_is_kept_with_its_sign_and_before_the_sample_its_date(market, events, move):
    true, drawn = lasting(market, events, move, 20)
    for x in drawn:
        np.testing.assert_allclose(x[-1], true[-1], rtol=1e-6)  # all marks of each sign by the last row
        np.testing.assert_allclose(x[0], true[0], rtol=1e-6)  # and those before the sample at the first
        assert (np.diff(x, axis=0) > -1e-6).all()
        assert (np.abs(x - true) > 0.5).any()
    again = lasting(market, events, move, 20)[1]
    assert all(one.tobytes() == other.tobytes() for one, other in zip(drawn, again, strict=True))
    other = lasting(market, events, move, 1, seed=1)[1]
    assert other[0].tobytes() != drawn[0].tobytes()
    assert lasting(market, events, move, 3)[1][2].tobytes() == drawn[2].tobytes()  # more draws, same draws


def test_a_shift_keeps_events_that_came_together_together_and_a_shuffle_does_not(market, events):
    frame = events.frame
    few = frame[frame["channel"].eq("delisting") & (frame["known_at"] > "2020-01-01")].iloc[:3].copy()
    few["known_at"] = pd.DatetimeIndex(["2020-05-18T18:00Z", "2020-05-20T18:00Z", "2020-06-03T18:00Z"])
    few["direction"], few["severity"] = 1, [1, 2, 4]
    events = ep.Events(few)

    def gaps(x: np.ndarray) -> list[int]:
        rows = [int(np.argmax(np.isin(np.round(x[:, 0]).astype(int) & bit, bit))) for bit in (1, 2, 4)]
        return [(later - rows[0]) % len(x) for later in rows[1:]]

    true, shifted = lasting(market, events, "shift", 20)
    assert gaps(true) == [2, 11]  # sessions: 12 weekdays less the holiday of 25 May
    for x in shifted:
        assert all(abs(found - wanted) <= 1 for found, wanted in zip(gaps(x), [2, 11], strict=True))
    shuffled = lasting(market, events, "shuffle", 20)[1]
    assert sum(abs(gaps(x)[0] - 2) <= 1 for x in shuffled) <= 2


def made_world(market: ep.Market, driven: bool, seed: int) -> tuple[ep.RegimeModel, ep.Events]:
    """Fifty events on days drawn evenly, and returns whose wild state begins with them or by itself."""
    frame = ep.RegimeModel().tariff_observation(market)
    time = pd.DatetimeIndex(frame["known_at"])
    rng = np.random.default_rng(seed)
    calendar = ep.load_events().frame.iloc[:50].assign(channel="delisting", direction=1, severity=3)
    calendar["known_at"] = time[np.sort(rng.choice(len(time), 50, replace=False))] - pd.Timedelta("2h")
    events = ep.Events(calendar)
    known = events.intensity(time, half_life=3.0, channels="delisting")["delisting", "escalation"]
    enter = 1.0 / (1.0 + np.exp(5.0 - 2.5 * known.to_numpy())) if driven else np.full(len(time), 0.03)
    state, y = False, np.empty(len(time))
    for t in range(len(time)):
        y[t] = (3.0 if state else 1.0) * rng.standard_normal()
        state = rng.random() < (0.93 if state else enter[t])
    rows = frame.assign(value=y)
    detector = ep.MarkovDetector(half_life=3.0)
    model = ep.RegimeModel(delisting=detector, delisting_observation=lambda given: rows, schedule=SELDOM)
    return model, events


def test_a_calendar_that_drives_the_states_helps_and_beats_wrong_dates_whatever_the_draw(market):
    for seed in range(4):
        model, events = made_world(market, True, seed)
        found = calendar_value(model, market, events, placebo=9, progress=False)
        assert found.mean > 0
        assert found.placebo_p == 0.1  # of ten calendars the best


def test_wrong_dates_do_as_well_where_the_calendar_drives_nothing(market):
    # The days are drawn as those of wrong dates are, so the true calendar is the best of ten once in ten:
    # four times in six or more with a probability of 0.13 %.
    best = 0
    for seed in range(6):
        model, events = made_world(market, False, seed)
        found = calendar_value(model, market, events, placebo=9, progress=False)
        assert found.placebo_p == (1 + (found.placebo >= found.mean).sum()) / 10
        assert found.trials == 10
        best += found.placebo_p == 0.1
    assert best <= 3


def test_two_scores_are_compared_where_both_are_and_equal_ones_say_nothing():
    from entrepot.regimes.research import _compared

    sessions = pd.bdate_range("2024-01-01", periods=5)
    ours, theirs = np.array([np.nan, 1.0, 2.0, np.nan, 4.0]), np.array([9.0, 0.5, np.nan, np.nan, 3.0])
    found = _compared(ours, theirs, sessions)
    assert found.scores.index.tolist() == [sessions[1], sessions[4]]
    assert found.scores["difference"].tolist() == [0.5, 1.0]
    assert found.mean == pytest.approx(0.75)
    same = _compared(theirs, theirs, sessions)
    assert (same.mean, same.t, same.p) == (0.0, 0.0, 0.5)
    with pytest.raises(ep.EntrepotError, match="no two sessions"):
        _compared(ours, np.full(5, np.nan), sessions)
