"""Event intensity against its definition, summed the slow way, and against what it must never do."""

from __future__ import annotations

import math

import naive_intensity
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy.integrate import quad

from entrepot.errors import EntrepotError
from entrepot.markets.sessions import build_grid, session_clock
from entrepot.regimes import CHANNELS, Events, load_events
from entrepot.regimes.intensity import Hawkes, event_marks, hawkes_loglikelihood, shot_noise

DAY = 86_400_000_000_000


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
    np.testing.assert_allclose(
        x, naive_intensity.shot_noise(time, time * 0.37, *args), rtol=1e-12, atol=1e-300
    )
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
        expected = naive_intensity.shot_noise(
            time.asi8, clock, at.asi8, session_clock(at), marks.to_numpy(), 20.0
        )
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


def test_hawkes_is_a_scaled_and_shifted_shot_noise(grid):
    events = load_events()
    for marks, top in (("ones", 1), ("capped", 3), ("severity", 5)):
        x = events.intensity(grid, half_life=5.0, marks=marks)
        rate = events.intensity(grid, half_life=5.0, marks=marks, hawkes=Hawkes(base=0.02, branching=0.6))
        pd.testing.assert_frame_equal(rate, 0.02 + 0.6 * math.log(2) / 5.0 / top * x, rtol=1e-14)
        assert (rate.to_numpy() >= 0.02).all()


def test_hawkes_is_the_rate_of_its_formula(grid):
    events = load_events()
    hawkes = Hawkes(base=0.02, branching=0.6)
    rate = events.intensity(grid, 5.0, marks="ones", channels="tariff", hawkes=hawkes)["tariff", "escalation"]
    rows = events.frame.query("channel == 'tariff' and direction == 1")
    tau = session_clock(pd.DatetimeIndex(rows["known_at"])).tolist()
    for time, clock in zip(rate.index, session_clock(rate.index), strict=True):
        assert time not in set(rows["known_at"])  # else the rate just before and the one from then on differ
        beta = math.log(2) / 5.0
        known = [t for t, at in zip(tau, rows["known_at"], strict=True) if at <= time]
        expected = naive_intensity.hawkes_rate(clock, known, [1.0] * len(known), 0.02, 0.6 * beta, beta)
        assert rate[time] == pytest.approx(expected, rel=1e-12)


def test_without_hawkes_nothing_changes_and_with_it_no_later_step_changes_a_bit(grid):
    events = load_events()
    plain = events.intensity(grid)
    assert events.intensity(grid, hawkes=None).to_numpy().tobytes() == plain.to_numpy().tobytes()
    whole = events.intensity(grid, hawkes=Hawkes(0.01, 0.5))
    part = events.known_by(grid["time"].iloc[99]).intensity(grid.iloc[:100], hawkes=Hawkes(0.01, 0.5))
    assert part.to_numpy().tobytes() == whole.iloc[:100].to_numpy().tobytes()


# Six times and mu = 0.3, alpha = 0.8, beta = 1.5, T = 10: the value of an O(n^2) sum written apart from this
# project, to ten decimals.
TIMES, ALPHA, BETA = [1, 2, 2.5, 5, 5.2, 9], 0.8, 1.5


def test_the_log_likelihood_of_six_times():
    hawkes = Hawkes(base=0.3, branching=ALPHA / BETA)
    ours = hawkes_loglikelihood(TIMES, 10, hawkes, half_life=math.log(2) / BETA)
    assert ours == pytest.approx(-10.6800426328, abs=5e-11)
    naive = naive_intensity.hawkes_loglikelihood(TIMES, [1] * 6, 0.3, ALPHA, BETA, 10)
    assert naive == pytest.approx(-10.6800426328, abs=5e-11)


def test_its_compensator_is_the_integral_of_the_rate():
    hawkes = Hawkes(base=0.3, branching=ALPHA / BETA)
    logs = sum(math.log(naive_intensity.hawkes_rate(t, TIMES, [1] * 6, 0.3, ALPHA, BETA)) for t in TIMES)
    pieces = zip([0, *TIMES], [*TIMES, 10], strict=True)
    rate = (TIMES, [1] * 6, 0.3, ALPHA, BETA)
    area = sum(quad(naive_intensity.hawkes_rate, a, b, args=rate, epsabs=1e-12)[0] for a, b in pieces)
    ours = hawkes_loglikelihood(TIMES, 10, hawkes, half_life=math.log(2) / BETA)
    assert ours == pytest.approx(logs - area, abs=1e-9)


@settings(deadline=None)
@given(
    # Quarters of a session, so that many events fall on one time.
    events=st.lists(st.tuples(st.integers(0, 40), st.sampled_from([0.0, 1 / 3, 2 / 3, 1.0])), max_size=25),
    base=st.floats(0.01, 5),
    branching=st.floats(0, 0.99),
    half_life=st.floats(0.05, 50),
    data=st.data(),
)
def test_the_recursion_is_the_double_sum_whatever_the_order_within_a_time(
    events, base, branching, half_life, data
):
    beta = math.log(2) / half_life
    expected = naive_intensity.hawkes_loglikelihood(
        [quarter / 4 for quarter, _ in events], [w for _, w in events], base, branching * beta, beta, 10.5
    )
    shuffled = sorted(data.draw(st.permutations(events)), key=lambda event: event[0])
    times, weights = [quarter / 4 for quarter, _ in shuffled], [w for _, w in shuffled]
    ours = hawkes_loglikelihood(times, 10.5, Hawkes(base, branching), half_life, weights)
    assert ours == pytest.approx(expected, rel=1e-10, abs=1e-9)


def test_without_excitation_it_is_poisson_and_without_events_the_empty_count():
    poisson = 3 * math.log(0.4) - 0.4 * 10
    assert hawkes_loglikelihood([1, 1, 7], 10, Hawkes(0.4, 0), 5) == pytest.approx(poisson, rel=1e-14)
    assert hawkes_loglikelihood([], 10, Hawkes(0.4, 0.9), 5) == -4.0


def test_hawkes_that_cannot_be_is_refused(grid):
    for arguments, message in (
        ((0, 0.5), "base is 0: give events per session, above 0"),
        ((np.inf, 0.5), "base is inf"),
        ((0.1, 1), "branching is 1: .* multiply without end"),
        ((0.1, -0.1), "branching is -0.1"),
        ((0.1, np.nan), "branching is nan"),
        ((0.1, True), "branching is True"),
    ):
        with pytest.raises(EntrepotError, match=message):
            Hawkes(*arguments)
    with pytest.raises(EntrepotError, match=r"hawkes is 0\.5: give Hawkes"):
        load_events().intensity(grid, hawkes=0.5)
    good = {"times": [1, 2], "end": 10, "hawkes": Hawkes(0.1, 0.5), "half_life": 20}
    for change, message in (
        ({"times": [2, 1]}, "times must ascend and lie within 0 and the end 10"),
        ({"times": [1, 11]}, "times must ascend"),
        ({"times": [-1, 1]}, "times must ascend"),
        ({"times": [1, np.nan]}, "times must be a list of finite numbers"),
        ({"times": "soon"}, "times must be a list"),
        ({"end": 0}, "end is 0"),
        ({"hawkes": 0.5}, "hawkes is 0.5"),
        ({"half_life": 0}, "half_life=0 must be a positive number"),
        ({"weights": [1]}, "weights must be one number from 0 to 1 for each time"),
        ({"weights": [1, 3]}, "divide marks by the largest"),
    ):
        with pytest.raises(EntrepotError, match=message):
            hawkes_loglikelihood(**good | change)


def test_times_alone_are_a_grid(grid):
    events = load_events()
    times = pd.DatetimeIndex(grid["time"])
    pd.testing.assert_frame_equal(events.intensity(times), events.intensity(grid))


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
