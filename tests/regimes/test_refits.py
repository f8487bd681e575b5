"""Fitting again and again: which rows each fit saw, what was in force where, and what is recorded."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Any

import naive_walk
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import DataError, ParameterError
from entrepot.regimes import ChangePointDetector, JumpDetector, MarkovDetector
from entrepot.regimes.detector import Detector, ProbabilityDetector
from entrepot.regimes.refits import Refit, Schedule, in_force, refit_table, stress_probability, walk


class Shared(list[Any]):
    """Written into by all copies of what holds it."""

    def __deepcopy__(self, memo: Any) -> Shared:
        return self


@dataclass(kw_only=True, eq=False)
class Notebook(ProbabilityDetector):
    """Writes down what it is fitted on and says how many rows that was and how many it is asked about.

    Args:
        seen: one entry per fit: its y, its x and the detector before it.
        refuse: numbers of fits that it finds it should not use.
        fail: numbers of fits that its data do not allow.
        wrong: numbers of fits that it was asked wrongly.
    """

    seen: list[tuple[Any, Any, Any]] = field(default_factory=Shared)
    refuse: frozenset[int] = frozenset()
    fail: frozenset[int] = frozenset()
    wrong: frozenset[int] = frozenset()

    def fit(self, y: Any, intensity: Any = None, previous: Any = None) -> Notebook:
        number = len(self.seen)
        self.seen.append((np.array(y), None if intensity is None else np.array(intensity), previous))
        if number in self.fail:
            raise DataError(f"fit {number} has too few rows: give more.")
        if number in self.wrong:
            raise ParameterError(f"fit {number} was asked for four states: ask for two.")
        self.number_, self.rows_ = number, len(y)
        self.rejected_ = f"fit {number} is degenerate" if number in self.refuse else ""
        return self

    def filter(self, y: Any, intensity: Any = None) -> np.ndarray:
        asked = np.arange(1.0, len(y) + 1.0)
        return np.column_stack([asked, self.number_ * 1e6 + asked])

    def update(self, y: Any, intensity: Any = None) -> np.ndarray:
        return self.filter([y])[0]


def walked(detector: Detector, y, x, schedule: Schedule) -> tuple[np.ndarray, list[Refit]]:
    made: list[Refit] = []
    # What is written down is no probability, so it is read without the check of one.
    segments = walk(detector, y, x, schedule, made)
    return in_force(segments, y, x, lambda own, rows, known: own.filter(rows, known)[:, -1]), made


def two_states(rows: int, seed: int) -> np.ndarray:
    """Returns that are three times as wild in the last third of every 90 rows."""
    rng = np.random.default_rng(seed)
    return np.where(np.arange(rows) % 90 < 60, 1.0, 3.0) * rng.standard_normal(rows)


some_fits = st.frozensets(st.integers(0, 8), max_size=5)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_parameters_in_force_at_a_row_have_seen_only_rows_before_it(data):
    rows = data.draw(st.integers(1, 60))
    y = np.arange(float(rows))  # a row's value is its number, so that what was seen can be read off
    y[data.draw(st.lists(st.integers(0, rows - 1), max_size=rows // 2))] = np.nan
    x = np.column_stack([1000.0 + np.arange(rows), np.ones(rows)]) if data.draw(st.booleans()) else None
    least = data.draw(st.integers(1, 25))
    window = data.draw(st.none() | st.integers(least, 40))
    schedule = Schedule(every=data.draw(st.integers(1, 15)), least=least, window=window)
    refuse, fail = data.draw(some_fits), data.draw(some_fits)
    detector = Notebook(refuse=refuse, fail=fail)
    said, made = walked(detector, y, x, schedule)
    assert len(detector.seen) == len(made)

    taken: list[tuple[int, int, int]] = []  # number, first row and row after the last of accepted fits
    for number, (fit, (own_y, own_x, previous)) in enumerate(zip(made, detector.seen, strict=True)):
        if number == 0:
            assert np.count_nonzero(~np.isnan(y[: fit.stop])) == least  # not one row later than it could
            assert not np.isnan(y[fit.stop - 1])
        else:
            assert fit.stop == made[number - 1].stop + schedule.every
        assert fit.first == (0 if window is None else max(0, fit.stop - window))
        np.testing.assert_array_equal(own_y, y[fit.first : fit.stop])
        if x is not None:
            np.testing.assert_array_equal(own_x, x[fit.first : fit.stop])
        assert previous is None if not taken else previous.number_ == taken[-1][0]
        assert fit.rows == np.count_nonzero(~np.isnan(own_y))
        assert fit.accepted == (number not in refuse | fail)
        reason = (
            f"fit {number} has too few rows: give more."
            if number in fail
            else f"fit {number} is degenerate"
            if number in refuse
            else ""
        )
        assert fit.reason == reason
        if fit.accepted:
            taken.append((number, fit.first, fit.stop))
        assert fit.until == min(fit.stop + schedule.every, rows)
        for t in range(fit.stop, fit.until):
            if not taken:
                assert np.isnan(said[t])
                continue
            of, first, stop = taken[-1]
            assert stop <= t
            assert said[t] == of * 1e6 + t - first + 1  # the filter runs from the first row of its own fit
    before = made[0].stop if made else rows
    assert np.isnan(said[:before]).all()
    if made:
        assert made[-1].until == rows


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_nothing_depends_on_how_many_rows_follow(data):
    rows = data.draw(st.integers(2, 60))
    y = np.arange(float(rows))
    y[data.draw(st.lists(st.integers(0, rows - 1), max_size=rows // 2))] = np.nan
    schedule = Schedule(every=data.draw(st.integers(1, 15)), least=data.draw(st.integers(1, 25)), window=30)
    refuse, fail = data.draw(some_fits), data.draw(some_fits)
    whole, fits = walked(Notebook(refuse=refuse, fail=fail), y, None, schedule)
    stop = data.draw(st.integers(1, rows))
    cut, fewer = walked(Notebook(refuse=refuse, fail=fail), y[:stop], None, schedule)
    assert cut.tobytes() == whole[:stop].tobytes()
    known = [replace(fit, until=min(fit.until, stop)) for fit in fits if fit.stop < stop]
    assert repr(fewer) == repr(known)


MAKERS = {
    "markov": lambda: MarkovDetector(),
    "student": lambda: MarkovDetector(family="student", cold_every=2),
    "jump": lambda: JumpDetector(penalty=5.0),
    "change points": lambda: ChangePointDetector(event_weights=0.5),
}


@pytest.mark.parametrize("window", [None, 160])
@pytest.mark.parametrize("name", MAKERS)
def test_the_walk_is_fitting_and_filtering_anew_at_every_row(name, window):
    y = two_states(330, seed=3)
    y[[0, 7, 149, 150, 290]] = np.nan
    rng = np.random.default_rng(4)
    x = np.where(rng.random((330, 2)) < 0.05, 3.0, 0.0)
    schedule = Schedule(every=45, least=140, window=window)
    detector = MAKERS[name]()
    found, made = walked(detector, y, x, schedule)
    wanted, fits = naive_walk.walk(MAKERS[name], y, x, 45, 140, window)
    assert found.tobytes() == wanted.tobytes()
    assert [(fit.first, fit.stop, fit.accepted) for fit in made] == fits
    assert np.isfinite(found[made[-1].stop :]).all()


def test_features_are_walked_over_as_a_series_is():
    features = np.column_stack([np.abs(two_states(300, 5)), two_states(300, 6)])
    features[170, 1] = np.nan
    found, made = walked(JumpDetector(penalty=5.0), features, None, Schedule(every=60, least=120))
    wanted, _ = naive_walk.walk(lambda: JumpDetector(penalty=5.0), features, None, 60, 120)
    assert found.tobytes() == wanted.tobytes()
    assert [fit.rows for fit in made] == [120, 179, 239]  # a row that lacks one feature is missing


def test_a_fit_that_its_rows_do_not_allow_is_recorded_and_the_walk_goes_on():
    y = two_states(200, seed=7)
    _, made = walked(MarkovDetector(), y, None, Schedule(every=60, least=3))
    assert not made[0].accepted
    assert made[0].reason.startswith("y has 3 rows")
    assert np.isnan(made[0].match)
    assert made[-1].accepted
    # Flat to row 59: a change-point detector has no prior to learn from until it sees more.
    flat = np.where(np.arange(200) < 60, 1.0, y)
    said, made = walked(ChangePointDetector(), flat, None, Schedule(every=40, least=20))
    assert [fit.accepted for fit in made] == [False, False, True, True, True]
    assert "not all the same" in made[0].reason
    assert np.isnan(said[:100]).all()
    assert np.isfinite(said[100:]).all()


def test_a_fit_that_is_asked_wrongly_raises():
    with pytest.raises(ParameterError, match="asked for four states"):
        walked(Notebook(wrong=frozenset({1})), np.arange(50.0), None, Schedule(every=10, least=10))
    with pytest.raises(ParameterError, match="one number per row"):
        walked(MarkovDetector(), np.ones((50, 2)), None, Schedule(every=10, least=10))


def test_events_that_come_after_the_first_fits_are_used_from_where_they_are_known():
    y = two_states(400, seed=8)
    x = np.zeros((400, 1))
    x[230::90] = 3.0
    said, made = walked(MarkovDetector(), y, x, Schedule(every=50, least=150))
    accepted = [fit.accepted for fit in made]
    assert accepted == [fit.stop > 230 for fit in made]
    assert all("intensity is 0" in fit.reason for fit in made if not fit.accepted)
    begin = made[accepted.index(True)].stop
    assert np.isnan(said[:begin]).all()
    assert np.isfinite(said[begin:]).all()


@pytest.mark.parametrize("name", MAKERS)
def test_the_given_detector_is_not_changed_and_what_it_knew_plays_no_part(name):
    y = two_states(330, seed=9)
    fresh, fitted = MAKERS[name](), MAKERS[name]().fit(np.concatenate([y, 10.0 * y]))
    before = repr(sorted(vars(fitted).items()))
    schedule = Schedule(every=60, least=140)
    from_fresh, fits = walked(fresh, y, None, schedule)
    from_fitted, same = walked(fitted, y, None, schedule)
    assert repr(sorted(vars(fitted).items())) == before
    assert sorted(vars(fresh)) == sorted(vars(MAKERS[name]()))
    assert from_fitted.tobytes() == from_fresh.tobytes()
    assert repr(same) == repr(fits)


class Mean:
    """Changed by its fit, as models of other libraries are."""

    level: float | None = None


@dataclass(kw_only=True, eq=False)
class Wrapped(ProbabilityDetector):
    """Holds a model of another library; every other fit is refused."""

    model: Any = field(default_factory=Mean)

    def fit(self, y: Any, intensity: Any = None, previous: Any = None) -> Wrapped:
        self.model.level = float(np.abs(y).mean())
        self.rejected_ = "an odd number of rows" if len(y) % 2 else ""
        return self

    def filter(self, y: Any, intensity: Any = None) -> np.ndarray:
        loud = (np.abs(y) > self.model.level).astype(np.float64)
        return np.column_stack([1.0 - loud, loud])

    def update(self, y: Any, intensity: Any = None) -> np.ndarray:
        return self.filter([y])[0]


class WrappedAnew(Wrapped):
    """The same, made in its own way."""

    def __init__(self) -> None:
        super().__init__(model=Mean())


@pytest.mark.parametrize("kind", [Wrapped, WrappedAnew])
def test_a_refused_fit_of_a_model_that_a_detector_holds_leaves_the_one_before_in_force(kind):
    y, detector, schedule = two_states(300, 3) * np.linspace(0.2, 3.0, 300), kind(), Schedule(25, 99)
    found, made = walked(detector, y, None, schedule)
    level, expected = np.nan, np.full(300, np.nan)
    for stop in schedule.stops(y):
        level = level if stop % 2 else np.abs(y[:stop]).mean()
        expected[stop : stop + 25] = np.abs(y[stop : stop + 25]) > level
    expected[: next(refit.stop for refit in made if refit.accepted)] = np.nan
    np.testing.assert_array_equal(found, expected)
    assert {refit.accepted for refit in made} == {True, False}
    assert detector.model.level is None


def test_a_detector_that_cannot_be_copied_is_refused():
    with pytest.raises(ParameterError, match=r"Wrapped cannot be copied \(cannot pickle .* of its own: keep"):
        walked(Wrapped(model=threading.Lock()), two_states(120, 3), None, Schedule(25, 99))


def test_fingerprints_agree_for_equal_data_and_differ_for_any_change():
    y, schedule = two_states(300, seed=10), Schedule(every=60, least=140)
    x = np.random.default_rng(11).random((300, 1))

    def prints(y, x):
        return [(fit.data, fit.parameters) for fit in walked(MarkovDetector(), y, x, schedule)[1]]

    base = prints(y, x)
    assert prints(y.copy(), x.copy()) == base
    assert len({data for data, _ in base}) == len({found for _, found in base}) == len(base) == 3
    late, early, missing = y.copy(), y.copy(), y.copy()
    late[250] += 1e-9  # only the last fit, on rows to 259, sees it
    early[0] = np.nextafter(early[0], np.inf)
    missing[210] = np.nan
    moved = np.where(np.arange(300)[:, np.newaxis] == 139, x + 1e-12, x)
    same = [
        [a[0] == b[0] for a, b in zip(prints(*given), base, strict=True)]
        for given in ((late, x), (early, x), (missing, x), (y, moved), (y, None))
    ]
    assert same == [
        [True, True, False],
        [False, False, False],
        [True, True, False],
        [False, False, False],
        [False, False, False],
    ]
    assert [a[1] == b[1] for a, b in zip(prints(late, x), base, strict=True)] == [True, True, False]


def drifting(rows: int) -> np.ndarray:
    """States at -2 and +2, the lower of which grows from the calmer to the wilder of the two."""
    rng = np.random.default_rng(12)
    t = np.arange(rows)
    low = t % 40 < 20
    grows = 0.4 + 1.0 * t / rows
    return np.where(low, -2.0 + grows * rng.standard_normal(rows), 2.0 + 0.8 * rng.standard_normal(rows))


def test_states_keep_their_meaning_where_the_order_of_their_volatility_turns_round():
    y = drifting(1200)
    made: list[Refit] = []
    segments = walk(MarkovDetector(), y, None, Schedule(every=100, least=300, window=300), made)
    fitted = [segment.detector for segment in segments if segment.detector is not None]
    assert all(fit.accepted for fit in made)
    lower_last = [one.means_[1] < 0 for one in fitted]
    turned = lower_last.index(True)
    # The upper state is the stressed one until the lower is clearly wilder, and then the lower for good.
    assert 0 < turned < len(fitted) - 1
    assert lower_last == [False] * turned + [True] * (len(fitted) - turned)
    assert all(np.log(one.scales_[0] / one.scales_[1]) < 0.1 for one in fitted)
    # The one fit at which the names turned says that its states are not those before.
    assert np.isnan(made[0].match)
    far = [fit.match > 1 for fit in made[1:]]
    assert far.count(True) == 1
    assert far.index(True) == turned - 1


def test_an_advance_is_told_of_each_fit_and_none_is_due_in_too_few_rows():
    told: list[int] = []
    made: list[Refit] = []
    y = np.arange(50.0)
    list(walk(Notebook(), y, None, Schedule(every=10, least=20), made, lambda: told.append(len(made))))
    assert told == [1, 2, 3]
    detector = Notebook()
    said, none = walked(detector, y, None, Schedule(every=10, least=50))  # no row is left to be in force for
    assert np.isnan(said).all()
    assert none == detector.seen == []


def test_the_table_of_fits_names_sessions():
    sessions = pd.bdate_range("2024-01-01", periods=50, name="session")
    known = pd.Series(sessions.tz_localize("UTC") + pd.Timedelta(hours=21), index=sessions)
    y = np.arange(50.0)
    y[4] = np.nan
    _, made = walked(Notebook(fail=frozenset({1})), y, None, Schedule(every=10, least=20, window=25))
    table = refit_table(made, sessions, known)
    assert table["in_force_from"].tolist() == list(sessions[[21, 31, 41]])
    assert table["known_at"].tolist() == list(known.iloc[[21, 31, 41]])
    assert table["fitted_from"].tolist() == list(sessions[[0, 6, 16]])
    assert table["fitted_to"].tolist() == list(sessions[[20, 30, 40]])
    assert table["rows"].tolist() == [20, 25, 25]
    assert table["accepted"].tolist() == [True, False, True]
    assert table["reason"].tolist() == ["", "fit 1 has too few rows: give more.", ""]
    assert table["parameters"].nunique() == 3
    assert refit_table([], sessions, known).shape == (0, table.shape[1])


def test_what_else_a_detector_keeps_and_how_it_holds_its_chances_change_nothing():
    @dataclass(kw_only=True, eq=False)
    class Own(ProbabilityDetector):
        """Half a chance of either state."""

        kept: Any = None
        told: Any = np.array

        def fit(self, y: Any, intensity: Any = None, previous: Any = None) -> Own:
            self.names_, self.params_, self.more_ = ["calm", "stress"], {"a": 1}, [[1.0], [1.0, 2.0]]
            self.level_ = [float(len(y)), 2.0]
            return self

        def filter(self, y: Any, intensity: Any = None) -> Any:
            return self.told([[0.5, 0.5]] * len(y))

        def update(self, y: Any, intensity: Any = None) -> Any:
            return np.array([0.5, 0.5])

    y, schedule, fits = two_states(300, seed=12), Schedule(every=60, least=140), []
    for told in (np.array, list, pd.DataFrame):
        made: list[Refit] = []
        said = in_force(walk(Own(told=told), y, None, schedule, made), y, None, stress_probability)
        assert np.nan_to_num(said, nan=-1.0).tolist() == [-1.0] * 140 + [0.5] * 160
        fits.append([fit.parameters for fit in made])
    assert len(set(fits[0])) == 3
    assert fits == [fits[0]] * 3
