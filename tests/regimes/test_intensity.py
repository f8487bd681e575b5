"""Event intensity against its definition, summed the slow way, and against what it must never do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import EntrepotError
from entrepot.markets.sessions import build_grid, session_clock
from entrepot.regimes import CHANNELS, Events, load_events
from entrepot.regimes.intensity import event_marks, shot_noise

DAY = 86_400_000_000_000


def naive_shot_noise(time, clock, known_at, known_clock, marks, half_life):
    out = np.zeros(len(time))
    for t in range(len(time)):
        for i in range(len(marks)):
            if known_at[i] <= time[t]:
                out[t] += marks[i] * 0.5 ** ((clock[t] - known_clock[i]) / half_life)
    return out


@pytest.fixture(scope="module")
def grid() -> pd.DataFrame:
    return build_grid(["XHKG", "XNYS"], "2022-02-01", "2022-04-29", ("open", "close"))


def test_the_published_example():
    time = np.arange(40) * DAY
    known_at, marks = np.array([3, 3, 10]) * DAY, np.array([1.0, 0.5, 2.0])
    x = shot_noise(time, np.arange(40.0), known_at, np.array([3.0, 3.0, 10.0]), marks, 20.0)
    assert x[2] == 0
    assert x[3] == 1.5
    assert x[10] == pytest.approx(3.1768761468, abs=5e-11)
    assert x[30] == pytest.approx(1.5884380734, abs=5e-11)


@settings(deadline=None)
@given(
    known=st.lists(st.integers(0, 60), max_size=20).map(sorted),
    half_life=st.floats(0.05, 200),
    start=st.integers(0, 30),
    data=st.data(),
)
def test_it_is_the_sum_of_its_definition_and_no_later_step_changes_a_bit(known, half_life, start, data):
    marks = np.array(data.draw(st.lists(st.integers(0, 5), min_size=len(known), max_size=len(known))), float)
    known_at = np.array(known, dtype=np.int64)
    time = np.arange(start, 70)
    args = known_at, known_at * 0.37, marks, half_life
    x = shot_noise(time, time * 0.37, *args)
    np.testing.assert_allclose(x, naive_shot_noise(time, time * 0.37, *args), rtol=1e-12, atol=1e-300)
    cut = data.draw(st.integers(1, len(time)))
    by_then = known_at <= time[cut - 1]
    shorter = shot_noise(
        time[:cut], time[:cut] * 0.37, known_at[by_then], known_at[by_then] * 0.37, marks[by_then], half_life
    )
    assert shorter.tobytes() == x[:cut].tobytes()


def test_decay_runs_from_known_at_and_not_from_the_step_that_sees_it(grid, made_events):
    known_at = pd.Timestamp("2022-03-12T12:00Z")  # a Saturday
    x = made_events([(str(known_at), "delisting", 1, 2)]).intensity(grid, half_life=5.0)
    x = x["delisting", "escalation"]
    seen = x.index >= known_at
    assert (x[~seen] == 0).all()
    assert 0 < x[seen].iloc[0] < 2
    age = session_clock(x.index[seen]) - session_clock(pd.DatetimeIndex([known_at]))[0]
    np.testing.assert_allclose(x[seen], 2.0 * 0.5 ** (age / 5.0), rtol=1e-13)


def test_an_event_known_exactly_at_a_step_counts_there(grid, made_events):
    at = grid["time"].iloc[20]
    x = made_events([(str(at), "tariff", 1, 3)]).intensity(grid)["tariff", "escalation"]
    assert x.iloc[19] == 0
    assert x.iloc[20] == 3.0


def test_the_calendar_by_channel_and_side_equals_the_naive_sum(grid):
    events = load_events()
    x = events.intensity(grid)
    assert list(x.columns) == [(c, side) for c in CHANNELS for side in ("escalation", "relief")]
    assert x.index.equals(pd.DatetimeIndex(grid["time"]))
    known = events.frame[events.frame["known_at"] <= grid["time"].iloc[-1]]
    time, clock = pd.DatetimeIndex(grid["time"]), session_clock(pd.DatetimeIndex(grid["time"]))
    for (channel, side), column in x.items():
        sign = 1 if side == "escalation" else -1
        rows = known[(known["channel"] == channel) & (known["direction"] == sign)]
        at = pd.DatetimeIndex(rows["known_at"])
        marks = np.minimum(rows["severity"], 3) * (rows["event_id"] != "didi-ipo")
        expected = naive_shot_noise(time.asi8, clock, at.asi8, session_clock(at), marks.to_numpy(), 20.0)
        np.testing.assert_allclose(column, expected, rtol=1e-12, atol=1e-15)


def test_relief_and_escalation_are_never_netted(grid, made_events):
    threat = [("2022-02-10T00:00Z", "tariff", 1, 3)]
    relief = [("2022-02-20T00:00Z", "tariff", -1, 5)]
    both = made_events(threat + relief).intensity(grid)
    for side, alone in (("escalation", threat), ("relief", relief)):
        expected = made_events(alone).intensity(grid)["tariff", side]
        assert both["tariff", side].to_numpy().tobytes() == expected.to_numpy().tobytes()
    assert (both.to_numpy() >= 0).all()


def test_marks_policies(made_events):
    rows = [("2022-02-10T00:00Z", "tariff", 1, severity) for severity in range(1, 6)]
    frame = made_events(rows).frame
    assert event_marks(frame, "severity").tolist() == [1, 2, 3, 4, 5]
    assert event_marks(frame, "capped").tolist() == [1, 2, 3, 3, 3]
    assert event_marks(frame, "ones").tolist() == [1, 1, 1, 1, 1]


def test_rows_listed_for_context_only_are_never_scored():
    frame = load_events().frame
    for marks in ("capped", "severity", "ones"):
        weight = event_marks(frame, marks)
        assert frame.loc[weight == 0, "event_id"].tolist() == ["didi-ipo"]


def test_channels_can_be_chosen(grid):
    x = load_events().intensity(grid, channels=["delisting"])
    assert list(x.columns) == [("delisting", "escalation"), ("delisting", "relief")]


def test_no_events_and_no_steps(grid):
    nothing = Events(load_events().frame.iloc[:0])
    assert (nothing.intensity(grid).to_numpy() == 0).all()
    assert load_events().intensity(grid.iloc[:0]).shape == (0, 12)


def test_bad_arguments_are_refused(grid):
    events = load_events()
    for arguments, message in (
        ({"half_life": 0}, "half_life=0 must be a positive number"),
        ({"half_life": float("nan")}, "half_life=nan"),
        ({"marks": "raw"}, "marks='raw' is not a policy"),
        ({"channels": ["taxes"]}, "unknown channel taxes"),
    ):
        with pytest.raises(EntrepotError, match=message):
            events.intensity(grid, **arguments)
    with pytest.raises(EntrepotError, match="no column time"):
        events.intensity(grid[["venue"]])
    with pytest.raises(EntrepotError, match="carry a time zone"):
        events.intensity(pd.DataFrame({"time": pd.date_range("2022-01-03", periods=3)}))
    with pytest.raises(EntrepotError, match="must ascend"):
        events.intensity(grid.iloc[::-1])
