"""What cannot be used is refused in one sentence, and what the events hold cannot be changed from outside."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from entrepot.errors import EntrepotError
from entrepot.regimes import (
    Events,
    MarkovDetector,
    RegimeModel,
    Schedule,
    ThresholdDetector,
    load_events,
)


@pytest.fixture(scope="module")
def market(two_venues):
    return two_venues("2022-02-01", "2022-04-29")


@pytest.fixture(scope="module")
def events() -> Events:
    return load_events()


def refusal(call) -> str:
    with pytest.raises(EntrepotError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 300
    return text


def test_changing_the_frame_does_not_change_the_events(market, events):
    before = RegimeModel().walk_forward(market, events).intensity
    frame = events.frame
    frame["severity"] = 1
    frame.loc[0, "channel"] = "nonsense"
    frame.pop("title")
    assert len(events) == 245
    assert events.frame.loc[0, "channel"] != "nonsense"
    pd.testing.assert_frame_equal(RegimeModel().walk_forward(market, events).intensity, before)
    given = events.frame
    own = Events(given)
    given.loc[:, "direction"] = -1
    pd.testing.assert_frame_equal(own.frame, events.frame)


def test_a_model_walks_over_a_market_and_events_only(market, events):
    model = RegimeModel()
    for arguments in ((None, events), (market, None), (market, events.frame), (events, market)):
        assert "give the market first" in refusal(lambda a=arguments: model.walk_forward(*a))


@pytest.mark.parametrize("detector", [None, "x", 5, ThresholdDetector, pd.DataFrame({"a": range(99)})])
def test_a_detector_is_a_detector(detector):
    assert "tariff is " in refusal(lambda: RegimeModel(tariff=detector))


@pytest.mark.parametrize("marks", [None, 5, ["capped"], pd.DataFrame()])
def test_marks_are_a_word(marks):
    assert "is not a policy" in refusal(lambda: RegimeModel(marks=marks))


@pytest.mark.parametrize("name", ["threshold", "exit_ratio", "half_life", "dwell"])
@pytest.mark.parametrize("value", ["2", None, [1], True, np.nan, np.inf, -1, np.ones(3)])
def test_the_detectors_parameters_are_numbers(name, value):
    assert f"{name} is " in refusal(lambda: ThresholdDetector(**{name: value}))


def test_numbers_of_numpy_are_numbers(market, events):
    ThresholdDetector(np.float32(2), np.float64(0.5), np.int64(20), np.int8(5))
    ours = events.intensity(market.grid, half_life=np.int64(20))
    pd.testing.assert_frame_equal(ours, events.intensity(market.grid))


def test_the_grid_is_a_frame(market, events):
    for grid in (market, None, 5, pd.DataFrame({"time": ["x"]})):
        assert "market.grid" in refusal(lambda g=grid: events.intensity(g))


@pytest.mark.parametrize("half_life", ["20", None, [20], True, 0, np.nan])
def test_the_half_life_is_a_number(market, events, half_life):
    assert "half_life=" in refusal(lambda: events.intensity(market.grid, half_life=half_life))


def test_channels_are_names_or_one_name(market, events):
    one = events.intensity(market.grid, channels="tariff")
    pd.testing.assert_frame_equal(one, events.intensity(market.grid, channels=["tariff"]))
    for channels in (5, [], "tarif", [5], [["tariff"]]):
        assert "tariff, delisting" in refusal(lambda c=channels: events.intensity(market.grid, channels=c))


def test_known_by_needs_one_moment(market, events):
    for when in (pd.DatetimeIndex(market.grid["time"]), market, None, 20220310, "2022-03-10", pd.NaT, [], ""):
        assert "is not a moment with a UTC offset" in refusal(lambda w=when: events.known_by(w))


def test_merge_needs_events(events):
    for other in (None, events.frame, "x"):
        assert "merge was given" in refusal(lambda o=other: events.merge(o))


GOOD = {
    "event_id": "a",
    "channel": "tariff",
    "direction": 1,
    "severity": 2.0,
    "known_at": "2022-03-10T18:00Z",
}


def test_a_small_table_is_enough_for_events(market):
    events = Events(pd.DataFrame([GOOD | {"event_id": "b"}, GOOD | {"known_at": "2022-02-10T18:00-05:00"}]))
    assert list(events.frame["event_id"]) == ["a", "b"]
    assert events.frame["severity"].tolist() == [2, 2]
    assert str(events.frame["known_at"].dtype) == "datetime64[ns, UTC]"
    assert RegimeModel().walk_forward(market, events.merge(load_events())).states.any()
    assert len(Events(load_events().frame.iloc[:0])) == 0


def test_a_column_of_ones_own_may_be_named_by_a_number():
    frame = pd.DataFrame([GOOD | {5: "a"}])
    named = frame.rename(columns={5: "5"})
    pd.testing.assert_frame_equal(Events(frame).frame, Events(named).frame)
    assert "names a column twice" in refusal(lambda: Events(frame.assign(**{"5": "b"})))


def test_core_may_be_a_truth():
    given = [True, False, np.True_, 1, "1", 0.0, "", None]
    frame = pd.DataFrame([GOOD | {"event_id": f"{row}", "core": core} for row, core in enumerate(given)])
    assert Events(frame).frame["core"].tolist() == [1, 0, 1, 1, 1, 0, 0, 0]
    assert Events(frame.iloc[:2].astype({"core": bool})).frame["core"].tolist() == [1, 0]


def test_a_path_of_events_is_a_path():
    for path in (5, ["a"], {}, "a\0b", True, "x" * 5000):
        assert "CSV file" in refusal(lambda p=path: load_events(p))
    for replace in ("no", None, 1):
        assert "replace is " in refusal(lambda r=replace: load_events("a.csv", replace=r))


def written(folder, row):
    file = folder / "own.csv"
    file.write_text(f"event_id,announced_at,channel,direction,severity,source_name,title\n{row},Tariffs\n")
    return load_events(file, replace=True)


def test_whole_numbers_as_pandas_writes_them_are_read(tmp_path):
    row = written(tmp_path, "a,2025-04-02,tariff,-1.0,2.0,USTR").frame.iloc[0]
    assert (row["direction"], row["severity"]) == (-1, 2)


@pytest.mark.parametrize("date", ["20250402", "2025-W14-3", "2/4/2025"])
def test_a_date_of_another_form_is_told_what_a_date_looks_like(tmp_path, date):
    text = refusal(lambda: written(tmp_path, f"a,{date},tariff,1,2,USTR"))
    assert "is not a date" in text
    assert "write 2025-04-02" in text


def test_long_ids_and_values_are_cut_to_one_line(tmp_path):
    for row in (
        '"a\nb",2025-04-02,tariff,1,9,USTR',
        f"{'a' * 999},2025-04-02,tariff,1,9,USTR",
        f"a,2025-04-02,{'x' * 999},1,1,USTR",
        f"a,{'9' * 999},tariff,1,1,USTR",
        f"a,2025-04-02,tariff,1,{'9' * 999},USTR",
    ):
        refusal(lambda r=row: written(tmp_path, r))


def test_a_path_says_itself_in_a_line_and_stops_at_whole_steps(market, events):
    path = RegimeModel().walk_forward(market, events)
    text = repr(path)
    assert text.startswith(f"RegimePath({len(market)} steps, 2022-02-01 to 2022-04-29: calm ")
    assert text.endswith(" %)")
    assert len(text) < 150
    for step in ("a", None, 1.5, True):
        assert "step is " in refusal(lambda s=step: path.until(s))


# -- fitted detectors ----------------------------------------------------------------------------------------


def fed(market, **columns) -> pd.DataFrame:
    """One row per New York session, noise unless told otherwise."""
    grid = market.grid.drop_duplicates("session", keep="last")
    sessions = pd.DatetimeIndex(grid["session"], name="session")
    noise = np.random.default_rng(0).standard_normal(len(sessions))
    known_at = pd.DatetimeIndex(grid["time"])
    return pd.DataFrame({"value": noise, "known_at": known_at}, index=sessions).assign(**columns)


def walk_over(market, events, frame=None, least=30, **changes):
    model = RegimeModel(
        delisting=MarkovDetector(),
        delisting_observation=lambda given: fed(market) if frame is None else frame,
        schedule=Schedule(least=least, every=10),
    )
    return dataclasses.replace(model, **changes).walk_forward(market, events, progress=False)


def test_what_is_refused_below_is_walked_over_when_it_is_right(market, events):
    assert len(walk_over(market, events).refits["delisting"]) > 1


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"value": np.nan}, "observations of the delisting detector are missing"),
        ({"value": 0.1}, "observations of the delisting detector do not vary"),
        ({"value": np.inf}, "y is infinite at row 0"),
        ({"value": "high"}, "delisting_observation returned value without numbers"),
        ({"other": 1.0}, "give one number per row"),
        ({"known_at": pd.Timestamp("2022-04-29 20:00", tz="UTC")}, "do not become known one after the other"),
    ],
)
def test_observations_that_no_fit_could_learn_from_are_refused(market, events, columns, words):
    assert words in refusal(lambda: walk_over(market, events, fed(market, **columns)))


@pytest.mark.parametrize("made", [None, 3, [1.0, 2.0], pd.Series([1.0]), pd.DataFrame({"known_at": []})])
def test_an_observation_function_returns_a_frame_of_rows(market, events, made):
    text = refusal(lambda: walk_over(market, events, delisting_observation=lambda given: made))
    assert "delisting_observation returned" in text


def test_rows_out_of_order_or_without_a_time_zone_are_refused(market, events):
    frame = fed(market)
    assert "sort them" in refusal(lambda: walk_over(market, events, frame.iloc[::-1]))
    assert "sort them" in refusal(lambda: walk_over(market, events, pd.concat([frame, frame])))
    naive = frame.assign(known_at=pd.DatetimeIndex(frame["known_at"]).tz_localize(None))
    assert "time zone" in refusal(lambda: walk_over(market, events, naive))
    one = frame.assign(known_at=frame["known_at"].where(np.arange(len(frame)) != 5))
    assert "NaT" in refusal(lambda: walk_over(market, events, one))


def test_a_market_too_short_for_a_first_fit_is_told_how_much_it_has(market, events):
    rows = len(fed(market))
    text = refusal(lambda: walk_over(market, events, least=500))
    assert f"first fitted after 500 observations and the market has {rows} in {rows} sessions" in text
    assert "or a schedule with a smaller least" in text
    # As many as there are leaves no row to be in force for.
    assert "first fitted after" in refusal(lambda: walk_over(market, events, least=rows))
    assert len(walk_over(market, events, least=rows - 1).refits["delisting"]) == 1


def test_without_an_event_known_by_the_end_nothing_can_be_driven_by_events(market, events):
    last = market.grid["time"].iloc[-1]
    frame = events.frame
    later = Events(frame[frame["known_at"] > last])
    elsewhere = Events(frame[frame["channel"] == "tariff"])
    for none in (later, elsewhere, Events(frame.iloc[:0])):
        text = refusal(lambda n=none: walk_over(market, n))
        assert "none in delisting, investment_restriction is known by the market's last step" in text
        assert "event_driven=False" in text
        assert walk_over(market, none, event_driven=False).refits


@pytest.mark.parametrize(
    ("covariate", "words"),
    [
        (lambda time: np.full(len(time), np.nan), "missing or infinite at row 0"),
        (lambda time: np.where(np.arange(len(time)) == 7, np.inf, 1.0), "missing or infinite at row 7"),
        (lambda time: np.ones(3), "give one row for each"),
        (lambda time: "high", "delisting_covariates is 'high'"),
        (lambda time: None, "delisting_covariates is None"),
    ],
)
def test_a_covariate_is_a_number_known_at_every_row(market, events, covariate, words):
    assert words in refusal(lambda: walk_over(market, events, delisting_covariates=(covariate,)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schedule", None),
        ("schedule", 21),
        ("schedule", Schedule),
        ("schedule", {"every": 21}),
        ("tariff_observation", None),
        ("delisting_observation", "hk_minus_adr"),
        ("delisting_observation", pd.DataFrame({"value": [1.0]})),
        ("tariff_covariates", None),
        ("delisting_covariates", len),
        ("delisting_covariates", (3,)),
        ("event_driven", "yes"),
        ("event_driven", None),
    ],
)
def test_the_models_parts_are_what_they_are_to_be(name, value):
    assert f"{name} is " in refusal(lambda: RegimeModel(**{name: value}))


@pytest.mark.parametrize("value", [0, -1, 1.5, "21", None, True, np.nan, np.inf, [21]])
@pytest.mark.parametrize("name", ["every", "least"])
def test_a_schedule_counts_whole_rows(name, value):
    assert refusal(lambda: Schedule(**{name: value})).startswith(f"{name} is ")


def test_a_window_holds_what_the_first_fit_needs():
    for window in (0, 499, 600.0, "600", True, np.inf, [600]):
        text = refusal(lambda w=window: Schedule(least=500, window=w))
        assert text.startswith("window is ")
        assert "least" in text
    assert Schedule(least=500, window=np.int64(500)) == Schedule(every=21, least=500, window=500)
    assert hash(Schedule(window=None)) == hash(Schedule())


def test_a_risk_is_one_of_two(market, events):
    for risk in ("weather", None, 1, "Tariff"):
        assert "it is one of tariff, delisting" in refusal(
            lambda r=risk: RegimeModel().rows_of(r, market, events)
        )
