"""The regime model with fitted detectors: cut, disturbed, rebuilt by hand, pickled and swept."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import naive_walk
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import entrepot as ep
from entrepot.regimes.path import RegimePath
from entrepot.regimes.refits import Schedule
from entrepot.regimes.walk_forward import RISK_CHANNELS

OFTEN = Schedule(every=42, least=120)


def us_tariff(time: pd.DatetimeIndex) -> pd.DataFrame:
    return ep.load_tariff_levels().level(time, "us")


def day_of_week(time: pd.DatetimeIndex) -> np.ndarray:
    return np.asarray(time.day_of_week, dtype=np.float64)


MODELS = {
    "markov, severities": ep.RegimeModel(
        tariff=ep.MarkovDetector(),
        delisting=ep.MarkovDetector(enter=0.6, leave=0.4, dwell=30.0),
        marks="severity",
        schedule=OFTEN,
    ),
    "markov, covariates": ep.RegimeModel(
        delisting=ep.MarkovDetector(),
        delisting_covariates=(us_tariff, day_of_week),
        schedule=replace(OFTEN, window=150),
    ),
    "jump and change points": ep.RegimeModel(
        tariff=ep.JumpDetector(penalty=5.0),
        delisting=ep.ChangePointDetector(enter=0.5, leave=0.3, expected_run=60.0),
        schedule=OFTEN,
    ),
    "no events": ep.RegimeModel(tariff=ep.MarkovDetector(), event_driven=False, schedule=OFTEN),
}


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2019-01-02", end="2020-12-31", seed=5)


@pytest.fixture(scope="module")
def events() -> ep.Events:
    """The bundled calendar, with four marks of 5 more within these two years."""
    frame = ep.load_events().frame
    more = ["2019-12-14", "2020-05-21", "2020-06-05", "2020-12-03"]
    frame.loc[frame["known_at"].dt.strftime("%Y-%m-%d").isin(more), "severity"] = 5
    return ep.Events(frame)


@pytest.fixture(scope="module")
def paths(market: ep.Market, events: ep.Events) -> dict[str, RegimePath]:
    return {name: walked(model, market, events) for name, model in MODELS.items()}


def walked(model: ep.RegimeModel, market: ep.Market, events: ep.Events) -> RegimePath:
    return model.walk_forward(market, events, progress=False)


def assert_same_bits(one: RegimePath, other: RegimePath) -> None:
    assert one.time.equals(other.time)
    assert one.states.tobytes() == other.states.tobytes()
    assert one.probabilities.to_numpy().tobytes() == other.probabilities.to_numpy().tobytes()
    assert one.intensity.to_numpy().tobytes() == other.intensity.to_numpy().tobytes()
    assert list(one.rows) == list(other.rows) == list(one.refits) == list(other.refits)
    for risk in one.rows:
        pd.testing.assert_frame_equal(one.rows[risk], other.rows[risk], check_exact=True)
        pd.testing.assert_frame_equal(one.refits[risk], other.refits[risk], check_exact=True)


# -- nothing later changes anything earlier ------------------------------------------------------------------


@settings(deadline=None, max_examples=12)
@given(data=st.data())
def test_neither_a_cut_nor_another_future_changes_a_bit(market, events, paths, data):
    name = data.draw(st.sampled_from(sorted(MODELS)))
    model, path = MODELS[name], paths[name]
    first = max(int(np.searchsorted(path.time, fits["known_at"].min())) for fits in path.refits.values())
    step = data.draw(st.integers(first, len(market) - 2))
    now = market.grid["time"].iloc[step]
    cut = walked(model, market.until(step), events.known_by(now))
    assert_same_bits(cut, path.until(step))

    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    price = market.price.copy()
    price.iloc[step + 1 :] *= np.exp(0.3 * rng.standard_normal(price.iloc[step + 1 :].shape))
    frame = events.frame
    later = frame["known_at"] > now
    frame.loc[later, "severity"] = rng.integers(1, 6, int(later.sum()))
    frame.loc[later, "direction"] = rng.choice([-1, 1], int(later.sum()))
    frame.loc[later, "known_at"] += pd.to_timedelta(rng.integers(0, 500, int(later.sum())), unit="h")
    other = walked(model, replace(market, price=price), ep.Events(frame))
    assert_same_bits(other.until(step), path.until(step))


def test_another_future_is_another_path_after_the_cut(market, events, paths):
    # What makes the test above able to fail: the disturbances do reach the detectors.
    name = "markov, severities"
    frame = events.frame
    later = frame["known_at"] > market.grid["time"].iloc[1200]
    moved = walked(MODELS[name], market, ep.Events(frame[~later]))
    assert moved.rows["delisting"]["probability"].ne(paths[name].rows["delisting"]["probability"]).any()
    rows = paths[name].rows["delisting"]
    assert rows["known_at"].isin(market.grid["time"]).all()
    steps_per_row = np.diff(np.searchsorted(market.grid["time"], rows["known_at"]))
    assert steps_per_row.max() >= 4  # cuts do fall into sessions, between one row and the next


@pytest.mark.parametrize("name", MODELS)
def test_a_cut_before_the_first_fit_is_refused_and_one_at_it_is_not(market, events, paths, name):
    first = {risk: fits["known_at"].iloc[0] for risk, fits in paths[name].refits.items()}
    last = max(first, key=first.get)
    begin = int(np.searchsorted(market.grid["time"], first[last]))
    assert len(walked(MODELS[name], market.until(begin), events).refits[last]) == 1
    with pytest.raises(ep.EntrepotError, match=f"{last} detector is first fitted after 120 observations"):
        walked(MODELS[name], market.until(begin - 1), events)


# -- rebuilt by hand -----------------------------------------------------------------------------------------


def by_hand(model: ep.RegimeModel, risk: str, market: ep.Market, events: ep.Events) -> Any:
    """What a detector is fed with, said and switched, from the public parts alone."""
    detector = getattr(model, risk)
    frame = getattr(model, f"{risk}_observation")(market)
    known_at = pd.DatetimeIndex(frame["known_at"])
    seen = events.known_by(market.grid["time"].iloc[-1])
    channels = RISK_CHANNELS[risk]
    parts = []
    if model.event_driven:
        x = seen.intensity(known_at, half_life=detector.half_life, marks=model.marks, channels=channels)
        parts += [x.xs(side, axis=1, level="side").sum(axis=1) for side in ("escalation", "relief")]
    parts += [np.ravel(covariate(known_at)) for covariate in getattr(model, f"{risk}_covariates")]
    x = np.column_stack(parts) if parts else None
    y = frame["value"].to_numpy(np.float64)
    schedule = model.schedule
    probability, fits = naive_walk.walk(
        lambda: replace(detector), y, x, schedule.every, schedule.least, schedule.window
    )
    time = pd.DatetimeIndex(market.grid["time"])
    own = seen.frame[seen.frame["channel"].isin(channels)]
    top = own.loc[own["severity"] >= 5, "known_at"] if model.marks == "severity" else []
    shocks = set()
    for at in top:  # until the second row from then on, whose transition it is the first to drive
        rows = [row for row in known_at if row >= at]
        until = rows[1] if len(rows) > 1 else time[-1]
        shocks |= {step for step, now in enumerate(time) if at <= now <= until}
    on = naive_walk.states_on_steps(
        probability,
        known_at,
        time,
        market.session_count,
        detector.enter,
        detector.leave,
        detector.dwell,
        shocks,
    )
    return probability, fits, on, shocks


@pytest.mark.parametrize("name", MODELS)
def test_rows_fits_and_states_are_those_built_by_hand(market, events, paths, name):
    # A shorter market, since everything is done anew at every row.
    short = market.until(1599)
    path = paths[name].until(1599)
    for risk, rows in path.rows.items():
        probability, fits, on, shocks = by_hand(MODELS[name], risk, short, events)
        assert rows["probability"].to_numpy().tobytes() == probability.tobytes()
        table = path.refits[risk]
        sessions = rows.index
        assert table["fitted_from"].tolist() == [sessions[first] for first, _, _ in fits]
        assert table["fitted_to"].tolist() == [sessions[stop - 1] for _, stop, _ in fits]
        assert table["in_force_from"].tolist() == [sessions[stop] for _, stop, _ in fits]
        assert table["accepted"].tolist() == [accepted for _, _, accepted in fits]
        bit = 1 if risk == "tariff" else 2
        np.testing.assert_array_equal((path.states & bit) > 0, on)
        assert bool(shocks) == (name == "markov, severities")


def test_the_regime_is_the_pair_of_states_and_not_the_likeliest_product(paths):
    for path in paths.values():
        assert (path.probabilities.to_numpy() >= 0).all()
        np.testing.assert_allclose(path.probabilities.sum(axis=1), 1.0, rtol=1e-14)
    path = paths["markov, severities"]
    tariff = path.probabilities["tariff"] + path.probabilities["decoupling"]
    rows = path.rows["tariff"]
    np.testing.assert_allclose(
        tariff[rows["known_at"]], rows["probability"].fillna(0.0), rtol=1e-12, atol=1e-15
    )
    assert (path.probabilities.to_numpy().argmax(axis=1) != path.states).any()


# -- switches ------------------------------------------------------------------------------------------------


def scripted(market: ep.Market, turns: dict[str, float]) -> Any:
    """An observation that says itself what state it is in, from each of some days on."""
    frame = ep.RegimeModel().tariff_observation(market)
    level = pd.Series(turns.values(), index=pd.DatetimeIndex(list(turns)))
    scale = level.reindex(frame.index, method="ffill").to_numpy()
    noise = np.random.default_rng(0).standard_normal(len(frame))
    return lambda given: frame.iloc[: len(given.grid["session"].unique())].assign(value=scale + 0.1 * noise)


def test_within_its_dwell_a_fitted_detector_switches_for_a_mark_of_five_alone(market, made_events):
    # Back and forth in training; from October up, and down again after four sessions of a dwell of 20.
    turns: dict[str, float] = {"2018-12-31": 0.0}
    for month in range(3, 9):
        turns |= {f"2019-{month:02d}-04": 3.0, f"2019-{month:02d}-14": 0.0}
    turns |= {"2020-10-05": 3.0, "2020-10-09": 0.0}
    observe = scripted(market, turns)
    detector = ep.MarkovDetector(stress_by="high", switching_variance=False, dwell=20.0)
    left = {}
    for severity, marks in itertools.product((4, 5), ("severity", "capped", "ones")):
        rows = [("2019-03-04T12:00Z", "delisting", 1, 3), ("2020-10-08T19:00Z", "delisting", -1, severity)]
        model = ep.RegimeModel(
            delisting=detector, delisting_observation=observe, marks=marks, schedule=Schedule(least=250)
        )
        path = walked(model, market, made_events(rows))
        stay = path.episodes().iloc[-2]
        assert stay["regime"] == "delisting"
        assert stay["start"] == pd.Timestamp("2020-10-05T20:00Z")  # the close of the first row that says so
        left[severity, marks] = stay["sessions"]
    assert left.pop((5, "severity")) == 4.0  # at the close of the 9th, as soon as the row says so
    assert set(left.values()) == {20.0}


def test_it_goes_on_above_one_level_and_off_below_another(market, events):
    def switches(**levels: float) -> int:
        model = ep.RegimeModel(delisting=ep.MarkovDetector(dwell=0.0, **levels), schedule=OFTEN)
        path = walked(model, market, events)
        rows = path.rows["delisting"].set_index("known_at")["probability"]
        on = pd.Series((path.states & 2) > 0, index=path.time)
        assert on[rows.index[rows > levels["enter"]]].all()
        assert not on[rows.index[rows < levels["leave"]]].any()
        return int(on.astype(int).diff().abs().sum())

    assert switches(enter=0.9, leave=0.1) < switches(enter=0.51, leave=0.49)


# -- what is recorded ----------------------------------------------------------------------------------------


def test_before_the_first_accepted_fit_it_is_off_and_the_path_says_so(paths):
    for path in paths.values():
        for risk, table in path.refits.items():
            begin = table.loc[table["accepted"], "in_force_from"].iloc[0]
            rows = path.rows[risk]
            assert rows.loc[rows.index < begin, "probability"].isna().all()
            assert rows.loc[rows.index >= begin, "probability"].notna().all()
            early = path.time < rows.at[begin, "known_at"]
            assert not (path.states[early] & (1 if risk == "tariff" else 2)).any()
            assert f"The {risk} detector was fitted {len(table)} times" in path.caveat
            assert f"before {begin:%Y-%m-%d}" in path.caveat
        assert path.until(0).states.tolist() == path.states[:1].tolist()
        assert path.until(0).refits[risk].empty


def test_fits_that_are_refused_are_recorded_and_the_path_says_how_many(market, events):
    # A penalty that no change of state is worth: one state holds all rows.
    never = walked(ep.RegimeModel(delisting=ep.JumpDetector(penalty=1e9), schedule=OFTEN), market, events)
    table = never.refits["delisting"]
    assert not table["accepted"].any()
    assert table["reason"].str.contains(r"State [01] has 0 of").all()
    assert never.rows["delisting"]["probability"].isna().all()
    assert not (never.states & 2).any()
    assert f"None of the {len(table)} fits of the delisting detector could be used" in never.caveat
    assert table["reason"].iloc[-1].rstrip(".") in never.caveat

    # Flat for 200 sessions: the first fits have nothing to learn a prior from.
    def late(given: ep.Market) -> pd.DataFrame:
        frame = ep.RegimeModel().tariff_observation(given)
        flat = np.arange(len(frame)) < 200
        return frame.assign(value=np.where(flat, 0.01, frame["value"]))

    model = ep.RegimeModel(
        delisting=ep.ChangePointDetector(),
        delisting_observation=late,
        event_driven=False,
        schedule=Schedule(every=40, least=100),
    )
    path = walked(model, market, events)
    table = path.refits["delisting"]
    refused = table[~table["accepted"]]
    assert len(refused) == 3  # at 100, 140 and 180 rows
    assert (refused["reason"] != "").all()
    assert "3 of the fits were refused" in path.caveat
    assert table["match"].isna().all()  # nothing is matched by a detector without states of its own


def test_a_rolling_window_forgets(paths):
    rolling, expanding = (
        paths[name].refits["delisting"] for name in ("markov, covariates", "markov, severities")
    )
    assert (expanding["fitted_from"] == expanding["fitted_from"].iloc[0]).all()
    assert expanding["rows"].is_monotonic_increasing
    assert rolling["fitted_from"].nunique() > 2
    assert rolling["rows"].max() <= 150
    assert rolling["in_force_from"].equals(expanding["in_force_from"])


def test_states_are_matched_from_one_fit_to_the_next(paths):
    table = paths["markov, severities"].refits["delisting"]
    accepted = table[table["accepted"]]
    assert np.isnan(accepted["match"].iloc[0])
    assert accepted["match"].iloc[1:].gt(0).all()


# -- what it is fed with -------------------------------------------------------------------------------------


def test_covariates_stand_beside_the_intensities_known_at_each_row(market, events):
    model = MODELS["markov, covariates"]
    fed = model.rows_of("delisting", market, events)
    assert fed.x.shape == (len(fed.frame), 4)
    known_at = pd.DatetimeIndex(fed.frame["known_at"])
    np.testing.assert_array_equal(fed.x[:, 2], us_tariff(known_at)["us"])
    np.testing.assert_array_equal(fed.x[:, 3], day_of_week(known_at))
    without = replace(model, event_driven=False).rows_of("delisting", market, events)
    np.testing.assert_array_equal(without.x, fed.x[:, 2:])
    np.testing.assert_array_equal(
        replace(model, delisting_covariates=()).rows_of("delisting", market, events).x, fed.x[:, :2]
    )
    assert fed.x[:, 2].min() < fed.x[:, 2].max()


def test_without_events_they_play_no_part_in_what_is_fitted(market, events, paths):
    model = MODELS["no events"]
    none = ep.Events(events.frame.iloc[:0])
    path = walked(model, market, none)
    pd.testing.assert_frame_equal(path.rows["tariff"], paths["no events"].rows["tariff"], check_exact=True)
    assert (path.states & 1).tobytes() == (paths["no events"].states & 1).tobytes()
    assert not (path.states & 2).any()
    assert (paths["no events"].states & 2).any()  # thresholds read events all the same
    driven = walked(replace(model, event_driven=True), market, events)
    assert driven.rows["tariff"]["probability"].ne(path.rows["tariff"]["probability"]).any()


# -- as a value ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_frozen_hashable_and_walks_the_same_elsewhere(market, events, paths, name):
    model = MODELS[name]
    with pytest.raises(FrozenInstanceError):
        model.marks = "ones"
    assert {model: 1}[model] == 1
    elsewhere = pickle.loads(pickle.dumps(model))
    before = [dict(vars(detector)) for detector in (model.tariff, model.delisting)]
    assert_same_bits(walked(elsewhere, market, events), paths[name])
    assert [vars(detector) for detector in (model.tariff, model.delisting)] == before


def test_fitted_models_are_swept_and_not_changed(market, events):
    model = ep.RegimeModel(delisting=ep.MarkovDetector(), schedule=replace(OFTEN, every=84))
    start = walked(model, market, events)
    pairs = ep.LongHKShortADR(lookback=30)
    switch = ep.RegimeSwitch(start, calm=pairs, delisting=pairs.with_(mode="delisting_hedge"))
    grid = {"model.delisting.enter": [0.5, 0.95], "calm.entry": [1.0, 1.5]}
    before = dict(vars(model.delisting))
    made = ep.sweep(market, switch, grid, model=model, events=events, progress=False)
    assert vars(model.delisting) == before
    assert not made.table["Refused"].any()
    ends = []
    for row in made.table.index:
        enter, entry = made.table.loc[row, list(grid)]
        own = replace(model, delisting=replace(model.delisting, enter=enter))
        plan = switch.with_(path=walked(own, market, events), calm=pairs.with_(entry=entry))
        ends.append(ep.backtest(market, plan).equity_by_step[-1])
    assert made.table["End Value"].tolist() == ends
    assert len(set(ends)) == 4
