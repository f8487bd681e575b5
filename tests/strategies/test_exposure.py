"""How much to hold: by intensities in quarters, and for a while after events."""

from __future__ import annotations

import naive_baskets as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import ParameterError
from entrepot.markets.sessions import session_times
from entrepot.regimes.events import Events
from entrepot.strategies.exposure import after_events, exposure_to, in_quarters, require_risks
from entrepot.strategies.targets import decisions

marks = st.floats(0, 20, allow_nan=False) | st.integers(0, 3).map(float)  # the latter are often equal


@pytest.fixture(scope="module")
def six_days(make_pairs, make_path):
    market = make_pairs(count=6, hk_holidays=())
    return market, make_path(market)


def test_of_equals_neither_is_held(make_pairs, make_path):
    market = make_pairs(count=3)
    found = exposure_to(make_path(market, 0, 2.0, 2.0), decisions(market), ("delisting",))
    assert not found.hedge.any()
    assert not found.reversal.any()


def test_quarters_round_to_the_nearest_halves_up():
    given = [0, 0.374, 0.375, 1.1, 1.125, 1.874, 1.875, 2.6, 2.625, 3, 50]
    np.testing.assert_array_equal(
        in_quarters(np.array(given)), [0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1, 1, 1]
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(marks, marks, marks, marks), min_size=6, max_size=6))
def test_the_stronger_side_is_held_in_quarters_of_its_sum(six_days, rows):
    market, path = six_days
    steps = decisions(market)
    names = ("delisting_escalation", "delisting_relief", "tariff_escalation", "tariff_relief")
    at = {name: np.repeat([row[k] for row in rows], 2) for k, name in enumerate(names)}
    both = exposure_to(naive.with_intensity(path, **at), steps, ("delisting", "tariff"))
    for i, (e1, r1, e2, r2) in enumerate(rows):
        assert both.escalation[i] == e1 + e2
        assert both.relief[i] == r1 + r2
        assert both.hedge[i] == (naive.quarters(e1 + e2) if e1 + e2 > r1 + r2 else 0)
        assert both.reversal[i] == (naive.quarters(r1 + r2) if r1 + r2 > e1 + e2 else 0)
    one = exposure_to(naive.with_intensity(path, **at), steps, ("tariff",))
    np.testing.assert_array_equal(one.relief, [row[3] for row in rows])


def events_of(*rows):
    """Events of policy support from (known_at, direction, severity, further columns)."""
    table = [
        {"event_id": f"e{i}", "channel": "policy_support", "known_at": at, "direction": d, "severity": s}
        | more
        for i, (at, d, s, more) in enumerate((*row, {})[:4] for row in rows)
    ]
    return Events(pd.DataFrame(table))


def on_days(market, events, *, enter=3, leave=2, sessions=5):
    on = after_events(market, events, "policy_support", enter, leave, sessions)
    days = market.grid["session"][decisions(market)].dt.strftime("%m-%d").to_numpy()
    return list(days[on])


@pytest.fixture
def weeks(make_pairs):
    """Business days from 3 January 2022; New York closes at 21:00 UTC and was shut on the 17th."""
    return make_pairs(count=60, hk_holidays=())


def test_support_is_held_for_so_many_closes(weeks):
    events = events_of(("2022-01-18T22:00Z", -1, 3))
    assert on_days(weeks, events, sessions=3) == ["01-19", "01-20", "01-21"]
    at_the_close = events_of(("2022-01-18T21:00Z", -1, 3))
    assert on_days(weeks, at_the_close, sessions=3) == ["01-18", "01-19", "01-20"]


def test_the_next_support_begins_the_count_again(weeks):
    events = events_of(("2022-01-18T15:00Z", -1, 3), ("2022-01-20T15:00Z", -1, 5))
    assert on_days(weeks, events, sessions=3) == ["01-18", "01-19", "01-20", "01-21", "01-24"]


def test_the_opposite_ends_it_until_the_next_support(weeks):
    events = events_of(
        ("2022-01-18T15:00Z", -1, 4), ("2022-01-20T02:00Z", 1, 2), ("2022-01-25T15:00Z", -1, 3)
    )
    assert on_days(weeks, events, sessions=2) == ["01-18", "01-19", "01-25", "01-26"]
    assert on_days(weeks, events, sessions=30)[:4] == ["01-18", "01-19", "01-25", "01-26"]


def test_of_one_moment_the_end_comes_last(weeks):
    for order in (-1, 1):
        rows = [("2022-01-18T15:00Z", order, 3), ("2022-01-18T15:00Z", -order, 3)]
        assert on_days(weeks, events_of(*rows)) == []


def test_marks_are_capped_and_context_does_not_count(weeks):
    weak = events_of(("2022-01-18T15:00Z", -1, 2))
    assert on_days(weeks, weak) == []
    assert len(on_days(weeks, weak, enter=2)) == 5
    strong = events_of(("2022-01-18T15:00Z", -1, 5))
    assert len(on_days(weeks, strong, enter=3)) == 5
    assert on_days(weeks, strong, enter=4) == []
    context = events_of(("2022-01-18T15:00Z", -1, 5, {"notes": "context only: known before"}))
    assert on_days(weeks, context) == []
    lenient = events_of(("2022-01-18T15:00Z", -1, 3), ("2022-01-19T15:00Z", 1, 2))
    assert on_days(weeks, lenient, leave=3)[:3] == ["01-18", "01-19", "01-20"]
    assert on_days(weeks, lenient, leave=2) == ["01-18"]
    hindsight = events_of(("2022-01-18T15:00Z", -1, 3), ("2022-01-19T15:00Z", 1, 5))
    assert on_days(weeks, hindsight, leave=3) == ["01-18"]
    elsewhere = events_of(("2022-01-18T15:00Z", -1, 3, {"channel": "tariff"}))
    assert on_days(weeks, elsewhere) == []


def test_what_was_known_before_the_market_began_has_run_since_then(weeks):
    # Closes at or after it: 29, 30, 31 December, then 3 and 4 January.
    assert on_days(weeks, events_of(("2021-12-29T15:00Z", -1, 3))) == ["01-03", "01-04"]
    assert on_days(weeks, events_of(("2021-06-29T15:00Z", -1, 3))) == []


def test_windows_are_the_slow_twins(make_pairs):
    market = make_pairs(count=300)
    rng = np.random.default_rng(5)
    closes = list(session_times("XNYS", "2021-06-01", "2023-12-31", phases=("close",))["close"])
    for _ in range(5):
        moments = pd.Timestamp("2021-11-01", tz="UTC") + pd.to_timedelta(rng.uniform(0, 430, 20), unit="D")
        rows = [(moment, int(rng.choice([-1, -1, 1])), int(rng.integers(1, 6))) for moment in sorted(moments)]
        events, sessions = events_of(*rows), int(rng.integers(1, 40))
        on = after_events(market, events, "policy_support", 3, 2, sessions)
        times = list(market.grid["time"][decisions(market)])
        slow = naive.held_after_events(events, times, closes, "policy_support", 3, 2, sessions)
        assert on.tolist() == slow
        assert 0 < on.sum() < len(on)


@pytest.mark.parametrize("value", [(), ("carry",), ("tariff", "tariff"), 5, "policy_support", {"tariff"}])
def test_other_risks_are_refused(value):
    with pytest.raises(ParameterError, match=r"^risks is") as refusal:
        require_risks("risks", value)
    assert "\n" not in str(refusal.value)
    assert require_risks("risks", "tariff") == ("tariff",)
