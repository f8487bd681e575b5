"""The regime model on the real calendar of both venues: what it sees, when, and what it says about itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import EntrepotError
from entrepot.regimes import RegimeModel, RegimePath, ThresholdDetector, load_events
from entrepot.regimes.path import count_episodes

HASTY = ThresholdDetector(threshold=1.5, half_life=5.0, dwell=2.0)
RISKS = ("tariff", "delisting", "investment_restriction", "export_control")


@pytest.fixture(scope="module")
def market(two_venues):
    return two_venues("2018-01-02", "2026-09-30")


@pytest.fixture(scope="module")
def path(market) -> RegimePath:
    return RegimeModel().walk_forward(market, load_events())


@pytest.fixture(scope="module")
def quarter(two_venues):
    return two_venues("2022-02-01", "2022-04-29")


def assert_same_bits(one: RegimePath, other: RegimePath) -> None:
    assert one.time.equals(other.time)
    assert one.states.tobytes() == other.states.tobytes()
    assert one.probabilities.to_numpy().tobytes() == other.probabilities.to_numpy().tobytes()
    assert one.intensity.to_numpy().tobytes() == other.intensity.to_numpy().tobytes()
    assert list(one.regime) == list(other.regime)


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_nothing_later_changes_a_bit(quarter, made_events, data):
    times = quarter.grid["time"]
    first, last = times.iloc[0].value // 10**9 - 10**6, times.iloc[-1].value // 10**9
    moments = st.one_of(
        st.integers(first, last).map(lambda s: pd.Timestamp(s, unit="s", tz="UTC")),
        st.sampled_from(list(times)),  # known exactly at a step
    )
    event = st.tuples(moments.map(str), st.sampled_from(RISKS), st.sampled_from([1, -1]), st.integers(1, 5))
    events = made_events(data.draw(st.lists(event, max_size=25)))
    marks = data.draw(st.sampled_from(["capped", "severity", "ones"]))
    model = RegimeModel(tariff=HASTY, delisting=HASTY, marks=marks)
    whole = model.walk_forward(quarter, events)
    step = data.draw(st.integers(0, len(quarter) - 1))
    cut = model.walk_forward(quarter.until(step), events.known_by(times[step]))
    assert_same_bits(cut, whole.until(step))


@pytest.mark.parametrize("step", [0, 1, 2_500, 4_444, 7_000])
def test_nothing_later_changes_a_bit_of_the_bundled_calendar(market, path, step):
    events = load_events().known_by(market.grid["time"][step])
    assert_same_bits(RegimeModel().walk_forward(market.until(step), events), path.until(step))


def test_every_step_has_a_regime_and_probabilities_that_add_to_one(market, path):
    assert path.names == ("calm", "tariff", "delisting", "decoupling")
    assert path.time.equals(pd.DatetimeIndex(market.grid["time"]))
    assert path.states.dtype == np.int8
    assert list(path.probabilities.columns) == list(path.names)
    assert path.probabilities.columns.name == "independence assumed"
    assert (path.probabilities.to_numpy() >= 0).all()
    np.testing.assert_allclose(path.probabilities.sum(axis=1), 1.0, rtol=1e-14)
    assert set(path.regime) == set(path.names)
    assert {path.names[state] for state in path.stressed} == {"delisting", "decoupling"}
    assert list(path.regime) == [path.names[state] for state in path.states]


def test_the_regime_is_the_pair_of_states_and_not_the_likeliest_product(path):
    likeliest = path.probabilities.to_numpy().argmax(axis=1)
    assert (likeliest != path.states).any()


def test_delisting_risk_is_keyed_on_investment_bans_too(quarter, made_events):
    for channel, regime in (
        ("delisting", "delisting"),
        ("investment_restriction", "delisting"),
        ("tariff", "tariff"),
        ("export_control", "calm"),
    ):
        events = made_events([("2022-03-01T12:00Z", channel, 1, 3)])
        regimes = RegimeModel().walk_forward(quarter, events).regime
        assert set(regimes[regimes.index < "2022-03-01T12:00Z"]) == {"calm"}
        assert regimes[regimes.index >= "2022-03-01T12:00Z"].iloc[0] == regime


def test_both_channels_of_delisting_risk_add_up(quarter, made_events):
    rows = [("2022-03-01T12:00Z", "delisting", 1, 2), ("2022-03-01T12:00Z", "investment_restriction", 1, 1)]
    model = RegimeModel(delisting=ThresholdDetector(threshold=2.9))
    assert "delisting" in set(model.walk_forward(quarter, made_events(rows)).regime)
    assert set(model.walk_forward(quarter, made_events(rows[:1])).regime) == {"calm"}


def test_both_at_once_is_decoupling(quarter, made_events):
    rows = [("2022-03-01T12:00Z", "delisting", 1, 3), ("2022-03-08T12:00Z", "tariff", 1, 3)]
    episodes = RegimeModel().walk_forward(quarter, made_events(rows)).episodes()
    assert episodes["regime"].tolist()[:3] == ["calm", "delisting", "decoupling"]


def test_relief_ends_a_regime(quarter, made_events):
    threat = ("2022-02-08T12:00Z", "tariff", 1, 3)
    relief = ("2022-03-01T12:00Z", "tariff", -1, 3)
    alone = RegimeModel().walk_forward(quarter, made_events([threat])).regime
    assert alone["2022-03-02"].eq("tariff").all()
    relieved = RegimeModel().walk_forward(quarter, made_events([threat, relief])).regime
    assert relieved[: relief[0]].eq(alone[: relief[0]]).all()
    assert relieved[relief[0] :].eq("calm").all()


def test_relief_within_the_dwell_waits_for_it(quarter, made_events):
    rows = [("2022-03-01T20:00Z", "tariff", 1, 3), ("2022-03-02T20:00Z", "tariff", -1, 3)]
    episode = RegimeModel().walk_forward(quarter, made_events(rows)).episodes().iloc[1]
    assert episode["regime"] == "tariff"
    assert 5.0 <= episode["sessions"] < 6.0


def test_a_mark_of_five_breaks_the_dwell_unless_marks_are_capped(quarter, made_events):
    rows = [("2022-03-01T21:00Z", "tariff", 1, 3), ("2022-03-02T21:00Z", "tariff", -1, 5)]  # two closes
    by_severity, capped = (
        RegimeModel(marks=marks).walk_forward(quarter, made_events(rows)).episodes().iloc[1]
        for marks in ("severity", "capped")
    )
    assert by_severity["sessions"] == 1.0
    assert capped["sessions"] == 5.0


def test_a_mark_of_five_elsewhere_does_not_break_the_dwell(quarter, made_events):
    rows = [
        ("2022-03-01T20:00Z", "tariff", 1, 3),
        ("2022-03-02T20:00Z", "tariff", -1, 4),
        ("2022-03-02T20:00Z", "delisting", -1, 5),
    ]
    episodes = RegimeModel(marks="severity").walk_forward(quarter, made_events(rows)).episodes()
    assert episodes["sessions"].iloc[1] >= 5.0


def test_events_before_the_first_step_count_with_what_is_left_of_them(quarter, made_events):
    path = RegimeModel().walk_forward(quarter, made_events([("2022-01-28T20:00Z", "delisting", 1, 3)]))
    assert path.regime.iloc[0] == "delisting"
    assert 2.5 < path.intensity["delisting", "escalation"].iloc[0] < 3.0


def test_without_events_all_is_calm(quarter, made_events):
    path = RegimeModel().walk_forward(quarter, made_events([]))
    assert set(path.regime) == {"calm"}
    assert (path.probabilities["calm"] == 1.0).all()
    assert len(path.episodes()) == 1


def test_episodes_follow_one_another_without_a_gap(path):
    episodes = path.episodes()
    assert episodes["start"].iloc[0] == path.time[0]
    assert episodes["end"].iloc[-1] == path.time[-1]
    assert list(episodes["start"].iloc[1:]) == list(episodes["end"].iloc[:-1])
    assert (episodes["regime"].to_numpy()[1:] != episodes["regime"].to_numpy()[:-1]).all()
    assert episodes["sessions"].sum() == pytest.approx(path.session_count[-1] - path.session_count[0])
    for row in episodes.itertuples():
        assert path.regime[row.start] == row.regime


@pytest.mark.parametrize(
    ("risk", "start", "end"),
    [
        ("delisting", "2020-12-21", "2021-01-15"),  # the law is signed, telecoms are delisted
        ("delisting", "2021-07-12", "2021-08-13"),  # DiDi, offshore listings, education
        ("delisting", "2022-03-11", "2022-03-31"),  # the first names on the list
        ("tariff", "2018-06-18", "2018-10-31"),
        ("tariff", "2025-02-03", "2025-04-30"),
    ],
)
def test_the_default_model_is_inside_at_known_episodes(path, risk, start, end):
    assert path.regime[start:end].isin([risk, "decoupling"]).all()


def test_the_path_says_what_was_hindsight_and_how_few_episodes_it_rests_on(path, quarter, made_events):
    for words in ("hindsight", "severities above 3 count as 3", "independence assumed"):
        assert words in path.caveat
    rows = [("2022-02-08T12:00Z", "delisting", 1, 3)]
    one = RegimeModel().walk_forward(quarter, made_events(rows))
    assert "holds 1 delisting and 0 tariff episodes; 1 and 0 of them" in one.caveat


def test_the_path_says_that_nothing_has_become_known_for_long(path):
    times = pd.date_range("2026-10-01 20:00", periods=101, freq="B", tz="UTC")
    news = pd.DataFrame(0.0, index=times, columns=path.intensity.columns)
    news.iloc[30:, 2] = 3.0 * 0.5 ** (np.arange(71) / 20)
    parts = {"time": times, "session_count": np.arange(101.0), "intensity": news}
    quiet = dataclasses.replace(path, states=np.zeros(101, np.int8), **parts)
    said = "Nothing of either risk became known in its last 70 sessions"
    assert said in quiet.caveat
    assert "became known" not in quiet.until(89).caveat
    assert "became known" not in path.caveat


def test_episodes_soon_after_one_another_are_not_independent():
    inside = np.array([1, 1, 0, 1, 0, 0, 1, 0, 1], dtype=bool)
    sessions = np.array([0.0, 5.0, 10.0, 30.0, 40.0, 90.0, 100.0, 101.0, 160.9])
    assert count_episodes(inside, sessions) == (4, 2)
    assert count_episodes(~inside, sessions) == (3, 1)
    assert count_episodes(np.zeros(9, dtype=bool), sessions) == (0, 0)
    assert count_episodes(np.ones(9, dtype=bool), sessions) == (1, 1)


def test_until_keeps_what_was_known_and_refuses_a_step_off_the_grid(path):
    assert len(path.until(10).time) == len(path.until(10).states) == len(path.until(10).regime) == 11
    assert_same_bits(path.until(-1), path)
    with pytest.raises(EntrepotError, match="outside the path"):
        path.until(len(path.time))


def test_an_unknown_marks_policy_is_refused():
    with pytest.raises(EntrepotError, match="marks='raw' is not a policy"):
        RegimeModel(marks="raw")
