"""Detectors that are fitted, carried through a market: nothing later changes anything earlier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.regimes.path import RegimePath
from entrepot.regimes.refits import Refit, Schedule, in_force, stress_probability, walk

OFTEN = Schedule(every=63, least=150)


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2019-01-02", end="2022-12-30", seed=3)


@pytest.fixture(scope="module")
def events() -> ep.Events:
    return ep.load_events()


MODELS = {
    "markov": ep.RegimeModel(tariff=ep.MarkovDetector(), delisting=ep.MarkovDetector(), schedule=OFTEN),
    "jump": ep.RegimeModel(delisting=ep.JumpDetector(penalty=5.0), schedule=OFTEN),
    "change points": ep.RegimeModel(tariff=ep.ChangePointDetector(), schedule=OFTEN),
    "rolling": ep.RegimeModel(
        tariff=ep.MarkovDetector(family="student"), schedule=replace(OFTEN, window=300), event_driven=False
    ),
}


@pytest.fixture(scope="module")
def paths(market: ep.Market, events: ep.Events) -> dict[str, RegimePath]:
    return {name: model.walk_forward(market, events, progress=False) for name, model in MODELS.items()}


def assert_same(one: RegimePath, other: RegimePath) -> None:
    assert one.states.tobytes() == other.states.tobytes()
    assert one.probabilities.to_numpy().tobytes() == other.probabilities.to_numpy().tobytes()
    assert list(one.rows) == list(other.rows)
    for risk in one.rows:
        pd.testing.assert_frame_equal(one.rows[risk], other.rows[risk], check_exact=True)
        pd.testing.assert_frame_equal(one.refits[risk], other.refits[risk], check_exact=True)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("step", [3001, 3102, 3500, -2])
def test_a_market_cut_anywhere_has_the_same_bits(market, events, paths, name, step):
    known = events.known_by(market.grid["time"].iloc[step])
    cut = MODELS[name].walk_forward(market.until(step), known, progress=False)
    assert_same(cut, paths[name].until(step))


@pytest.mark.parametrize("name", ["markov", "jump"])
def test_noise_after_a_cut_changes_nothing_before_it(market, events, paths, name):
    step = 3300
    rng = np.random.default_rng(0)
    price = market.price.copy()
    price.iloc[step + 1 :] *= np.exp(0.2 * rng.standard_normal(price.iloc[step + 1 :].shape))
    noisy = MODELS[name].walk_forward(replace(market, price=price), events, progress=False)
    assert_same(noisy.until(step), paths[name].until(step))
    assert noisy.states.tobytes() != paths[name].states.tobytes()


def test_every_fit_saw_only_rows_before_those_it_is_in_force_for(paths):
    for path in paths.values():
        for table in path.refits.values():
            assert (table["fitted_to"] < table["in_force_from"]).all()
            assert table["accepted"].any()
            assert (table["reason"] == "").equals(table["accepted"])
            assert table["data"].nunique() == len(table)


def test_before_the_first_fit_a_detector_is_off_and_the_path_says_so(market, paths):
    path = paths["markov"]
    begin = path.refits["delisting"].loc[path.refits["delisting"]["accepted"], "known_at"].iloc[0]
    early = path.regime[path.regime.index < begin]
    assert not early.isin(["delisting", "decoupling"]).any()
    assert path.rows["delisting"]["probability"].loc[path.rows["delisting"]["known_at"] < begin].isna().all()
    assert "before" in path.caveat
    assert "none had been accepted" in path.caveat


def test_the_walk_is_what_fitting_and_filtering_by_hand_gives():
    rng = np.random.default_rng(1)
    y = np.where(np.arange(400) % 130 < 90, 1.0, 3.0) * rng.standard_normal(400)
    y[[5, 170, 171]] = np.nan
    x = np.where(np.arange(400) > 150, 1.0, 0.0)[:, np.newaxis] * rng.random((400, 1))
    detector = ep.MarkovDetector()
    made: list[Refit] = []
    schedule = Schedule(every=40, least=100)
    found = in_force(walk(detector, y, x, schedule, made), y, x, stress_probability)
    wanted, previous = np.full(400, np.nan), None
    for start in range(101, 400, 40):
        if x[:start].any():  # a detector driven by events waits for the first of them
            own = ep.MarkovDetector().fit(y[:start], x[:start], previous=previous)
            previous = own if own.rejected_ == "" else previous
        stop = min(start + 40, 400)
        if previous is not None:
            wanted[start:stop] = previous.filter(y[:stop], x[:stop])[start:, -1]
    np.testing.assert_array_equal(found, wanted)
    assert not hasattr(detector, "_parameters")
    assert [refit.stop for refit in made] == list(range(101, 400, 40))
    assert "known only later" in made[0].reason
    assert not made[0].accepted
    assert np.isfinite(found[-1])


def test_a_mark_of_five_lets_a_fitted_detector_switch_within_its_dwell(market, events):
    busy = ep.MarkovDetector(enter=0.6, leave=0.4, dwell=60.0)
    of = {
        marks: ep.RegimeModel(delisting=busy, marks=marks, schedule=OFTEN).walk_forward(
            market, events, progress=False
        )
        for marks in ("capped", "severity")
    }
    stays = {
        marks: path.session_count[np.flatnonzero(np.diff((path.states & 2) > 0)) + 1]
        for marks, path in of.items()
    }
    assert (np.diff(stays["capped"]) >= 60.0).all()
    assert (np.diff(stays["severity"]) < 60.0).any()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schedule": Schedule(least=5000)}, "first fitted after 5000 observations"),
        ({"delisting_observation": lambda market: nothing(market, np.nan)}, "are missing"),
        ({"delisting_observation": lambda market: nothing(market, 1.0)}, "do not vary"),
        ({"delisting_observation": lambda market: 3}, "delisting_observation returned 3"),
        (
            {"delisting_covariates": (lambda time: np.full(len(time), np.nan),)},
            "missing or infinite at row 0",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_a_sentence(market, events, changes, words):
    model = replace(ep.RegimeModel(delisting=ep.MarkovDetector(), schedule=OFTEN), **changes)
    with pytest.raises(ep.EntrepotError, match=words):
        model.walk_forward(market, events)


def nothing(market: ep.Market, value: float) -> pd.DataFrame:
    rows = ep.RegimeModel().tariff_observation(market)
    return rows.assign(value=value)


def test_events_that_are_all_known_later_are_refused_and_can_be_left_out(market, events):
    late = ep.Events(events.frame[events.frame["known_at"] > market.grid["time"].iloc[-1]])
    model = ep.RegimeModel(delisting=ep.MarkovDetector(), schedule=OFTEN)
    with pytest.raises(ep.EntrepotError, match="known by the market's last step"):
        model.walk_forward(market, late)
    assert replace(model, event_driven=False).walk_forward(market, late, progress=False).refits


@pytest.mark.parametrize(
    "wrong", [{"every": 0}, {"least": 1.5}, {"window": 10}, {"every": "often"}, {"window": True}]
)
def test_a_wrong_schedule_is_refused_by_name(wrong):
    with pytest.raises(ep.EntrepotError, match=next(iter(wrong))):
        Schedule(**wrong)
