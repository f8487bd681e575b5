"""The threshold detector against a plain reading of its rule, and case by case."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import EntrepotError
from entrepot.regimes import ThresholdDetector


def naive_states(detector: ThresholdDetector, escalation, relief, session_count, bypass):
    states, inside, switched = [], False, None
    for up, down, now, shock in zip(escalation, relief, session_count, bypass, strict=True):
        held = switched is not None and now < switched + detector.dwell and not shock
        if inside:
            wanted = not (up < detector.exit_ratio * detector.threshold or down >= up)
        else:
            wanted = up >= detector.threshold and up > down
        if wanted != inside and not held:
            inside, switched = wanted, now
        states.append(inside)
    return states


def run(escalation, relief=None, session_count=None, bypass=None, **parameters) -> list[bool]:
    steps = len(escalation)
    detector = ThresholdDetector(**({"threshold": 3.0, "dwell": 0.0} | parameters))
    return detector.switch(
        None,
        sides(escalation, np.zeros(steps) if relief is None else relief),
        np.arange(float(steps)) if session_count is None else np.array(session_count, float),
        None if bypass is None else np.array(bypass, bool),
    ).tolist()


def sides(escalation, relief) -> np.ndarray:
    return np.column_stack([np.array(escalation, float), np.array(relief, float)])


levels = st.integers(0, 12).map(lambda k: k / 2)


@settings(deadline=None)
@given(st.data())
def test_it_follows_its_rule_and_no_later_row_changes_a_bit(data):
    steps = data.draw(st.integers(1, 60))
    column = st.lists(levels, min_size=steps, max_size=steps).map(np.array)
    escalation, relief = data.draw(column), data.draw(column)
    session_count = np.cumsum(data.draw(column))
    bypass = np.array(data.draw(st.lists(st.booleans(), min_size=steps, max_size=steps)))
    detector = ThresholdDetector(
        threshold=data.draw(st.sampled_from([1.0, 2.5, 3.0])),
        exit_ratio=data.draw(st.sampled_from([0.4, 1.0])),
        dwell=data.draw(st.sampled_from([0.0, 2.0, 5.0])),
    )
    both = sides(escalation, relief)
    probability = detector.fit(None, both).filter(None, both)
    state = detector.switch(None, both, session_count, bypass)
    assert state.tolist() == naive_states(detector, escalation, relief, session_count, bypass)
    cut = data.draw(st.integers(1, steps))
    assert detector.filter(None, both[:cut]).tobytes() == probability[:cut].tobytes()
    s_cut = detector.switch(None, both[:cut], session_count[:cut], bypass[:cut])
    assert s_cut.tobytes() == state[:cut].tobytes()
    row_by_row = [detector.update(None, row) for row in both]
    assert np.array(row_by_row).tobytes() == probability.tobytes()


def test_hysteresis_enters_at_the_threshold_and_leaves_below_the_exit():
    assert run([2.4, 2.5, 1.5, 1.0, 0.99, 2.0], threshold=2.5) == [False, True, True, True, False, False]


def test_relief_keeps_it_out_and_ends_it():
    assert run([4.0, 4.0, 4.0], relief=[4.0, 3.9, 4.0]) == [False, True, False]


def test_dwell_counts_sessions_and_not_steps():
    escalation = [4.0, 0.0, 0.0, 0.0, 4.0, 4.0]
    counts = [0.0, 0.3, 1.0, 2.0, 2.5, 4.0]
    assert run(escalation, session_count=counts, dwell=2.0) == [True, True, True, False, False, True]
    assert run(escalation, session_count=counts) == [True, False, False, False, True, True]


def test_the_first_switch_needs_no_dwell():
    assert run([4.0], dwell=50.0) == [True]


def test_a_shock_breaks_the_dwell_in_both_directions():
    escalation, relief = [4.0, 4.0, 9.0], [0.0, 5.0, 5.0]
    assert run(escalation, relief, dwell=9.0) == [True, True, True]
    assert run(escalation, relief, dwell=9.0, bypass=[0, 1, 1]) == [True, False, True]


def test_a_switch_through_a_shock_starts_a_new_dwell():
    assert run([4.0, 0.0, 4.0, 4.0], dwell=2.0, bypass=[0, 1, 0, 0]) == [True, False, False, True]


def test_the_score_is_half_at_the_threshold_zero_under_relief_and_rises():
    detector = ThresholdDetector(threshold=3.0)
    escalation = np.array([0.0, 1.0, 3.0, 9.0, 9.0])
    relief = np.array([0.0, 0.0, 0.0, 0.0, 9.0])
    probability = detector.filter(None, sides(escalation, relief))
    assert probability[:, 1].tolist() == [0.0, 0.25, 0.5, 0.75, 0.0]
    assert probability.sum(axis=1).tolist() == [1.0] * 5


def test_one_top_event_enters_by_itself_a_session_later_and_a_lesser_one_does_not():
    detector = ThresholdDetector()
    a_session_later = 0.5 ** (1 / detector.half_life)
    assert 3 * a_session_later >= detector.threshold > 2


@pytest.mark.parametrize(
    "parameters",
    [
        {"threshold": 0.0},
        {"threshold": float("nan")},
        {"exit_ratio": 0.0},
        {"exit_ratio": 1.1},
        {"half_life": -1.0},
        {"half_life": float("inf")},
        {"dwell": -1.0},
    ],
)
def test_a_bad_parameter_is_refused_by_name(parameters):
    with pytest.raises(EntrepotError, match=next(iter(parameters))):
        ThresholdDetector(**parameters)


def test_bad_rows_are_refused():
    detector = ThresholdDetector()
    for wrong in (None, "high", [1.0, 2.0], [[1.0, 2.0, 3.0]]):
        with pytest.raises(EntrepotError, match=r"intensity (has shape|is)"):
            detector.filter(None, wrong)
    with pytest.raises(EntrepotError, match="different lengths"):
        run([1.0, 2.0], session_count=[1.0])
    with pytest.raises(EntrepotError, match="intensity must be finite"):
        run([1.0, float("nan")])
    with pytest.raises(EntrepotError, match="intensity must be finite"):
        run([1.0, 1.0], relief=[0.0, -1.0])
    with pytest.raises(EntrepotError, match="session_count must not descend"):
        run([1.0, 1.0], session_count=[1.0, 0.0])
