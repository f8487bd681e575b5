"""What cannot be used is refused in one sentence, and what the events hold cannot be changed from outside."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from entrepot.errors import EntrepotError
from entrepot.regimes import Events, RegimeModel, ThresholdDetector, load_events


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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"event_id": ""}, "event_id is blank"),
        ({"event_id": None}, "event_id is blank"),
        ({"channel": "x"}, "channel must be one of"),
        ({"direction": 0}, "direction must be"),
        ({"severity": 2.5}, "severity must be"),
        ({"severity": "high"}, "severity must be"),
        ({"known_at": "2022-03-10"}, "UTC offset"),
        ({"known_at": None}, "UTC offset"),
        ({"known_at": "x"}, "UTC offset"),
        ({"event_id": "a\nb" * 99, "severity": 9}, "severity must be"),
    ],
)
def test_a_table_that_holds_no_events_is_refused(change, words):
    assert words in refusal(lambda: Events(pd.DataFrame([GOOD | change])))


def test_what_is_no_table_is_refused():
    assert "frame is None" in refusal(lambda: Events(None))
    assert "used twice" in refusal(lambda: Events(pd.DataFrame([GOOD, GOOD])))
    assert "no column severity" in refusal(lambda: Events(pd.DataFrame([GOOD]).drop(columns="severity")))


def test_a_path_of_events_is_a_path(tmp_path):
    for path in (5, ["a"], {}, "a\0b", True, pd.DataFrame([GOOD]), "x" * 5000, tmp_path):
        assert "CSV file" in refusal(lambda p=path: load_events(p))
    for replace in ("no", None, 1):
        assert "replace is " in refusal(lambda r=replace: load_events("a.csv", replace=r))


def written(folder, row):
    file = folder / "own.csv"
    file.write_text(f"event_id,announced_at,channel,direction,severity,source_name\n{row}\n")
    return load_events(file, replace=True)


def test_whole_numbers_as_pandas_writes_them_are_read(tmp_path):
    row = written(tmp_path, "a,2025-04-02,tariff,-1.0,2.0,USTR").frame.iloc[0]
    assert (row["direction"], row["severity"]) == (-1, 2)


@pytest.mark.parametrize("date", ["20250402", "2025-W14-3", "2/4/2025"])
def test_a_date_of_another_form_is_told_what_a_date_looks_like(tmp_path, date):
    text = refusal(lambda: written(tmp_path, f"a,{date},tariff,1,2,USTR"))
    assert "is not a date; write 2025-04-02" in text


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
