"""Tariff levels: what is bundled, which rate is in force when, what the sums are, what a file may not say."""

from __future__ import annotations

import csv
from pathlib import Path

import naive_intensity
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import EntrepotError
from entrepot.markets.sessions import build_grid
from entrepot.regimes.tariff_levels import BUNDLED_LEVELS, IMPORTS_2017, TariffLevels, load_tariff_levels

HEADER = "series,effective_from,effective_to,rate_pct,scope,source_ref"
GOOD = "us_x,2025-01-01,2025-01-31,10,all,law 1"


@pytest.fixture(scope="module")
def levels() -> TariffLevels:
    return load_tariff_levels()


@pytest.fixture(scope="module")
def grid() -> pd.DataFrame:
    return build_grid(["XHKG", "XNYS"], "2018-01-02", "2026-10-09", ("open", "close"))


@pytest.fixture
def level_file(tmp_path: Path):
    def write(*rows: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
        path = tmp_path / "mine.csv"
        path.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
        return path

    return write


def bundled_rows() -> list[dict[str, str]]:
    with BUNDLED_LEVELS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def moments(*texts: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([pd.Timestamp(text).tz_convert("UTC") for text in texts])


def test_the_bundled_table_is_carried_over_and_every_rate_has_a_source(levels):
    frame, rows = levels.frame, bundled_rows()
    assert repr(levels) == "TariffLevels(21 rates in 10 series)"
    assert len(frame) == len(rows) == 21
    for i, row in enumerate(rows):
        for name in ("effective_from", "effective_to"):
            written = frame[name].iloc[i]
            assert row[name] == ("" if pd.isna(written) else f"{written:%Y-%m-%d}")
        assert frame["rate_pct"].iloc[i] == float(row["rate_pct"])
        assert row["source_ref"]
        for name in ("series", "scope", "source_ref", "confidence", "notes"):
            assert frame[name].iloc[i] == row[name]


# Worked out by hand from the orders the table names. The lists of Section 301 make 34 and 16 and 200 billion
# at 25 % and 120 at 7.5 %, of 505.6: (850 + 400 + 5000 + 900) / 505.6 = 14.1416 % on average, 25 % at most.
# From September 2019 to February 2020 list 4A had 15 %: 8050 / 505.6. List 3 had 10 % at first: 3250 / 505.6.
@pytest.mark.parametrize(
    ("moment", "rates", "average", "headline"),
    [
        ("2018-07-05T16:00-04:00", {"us_301_list1": 0}, 0, 0),
        ("2018-07-06T09:30-04:00", {"us_301_list1": 25, "us_301_list2": 0}, 850 / 505.6, 25),
        ("2018-09-24T09:30-04:00", {"us_301_list3": 10}, 3250 / 505.6, 25),
        ("2019-05-09T16:00-04:00", {"us_301_list3": 10}, 3250 / 505.6, 25),
        ("2019-05-10T09:30-04:00", {"us_301_list3": 25}, 6250 / 505.6, 25),
        ("2019-09-03T09:30-04:00", {"us_301_list4a": 15}, 8050 / 505.6, 25),
        ("2020-02-14T09:30-05:00", {"us_301_list4a": 7.5}, 7150 / 505.6, 25),
        ("2025-04-08T16:00-04:00", {"us_ieepa_reciprocal": 10}, 7150 / 505.6 + 30, 55),
        (
            "2025-04-09T09:30-04:00",
            {"us_ieepa_reciprocal": 84, "cn_retal_general": 0},
            7150 / 505.6 + 104,
            129,
        ),
        (
            "2025-04-10T09:30-04:00",
            {"us_ieepa_reciprocal": 125, "cn_retal_general": 84},
            7150 / 505.6 + 145,
            170,
        ),
        (
            "2025-04-14T09:30-04:00",
            {"us_ieepa_fentanyl": 20, "cn_retal_general": 125},
            7150 / 505.6 + 145,
            170,
        ),
        ("2025-05-13T16:00-04:00", {"cn_retal_general": 125}, 7150 / 505.6 + 145, 170),
        (
            "2025-05-14T09:30-04:00",
            {"us_ieepa_reciprocal": 10, "cn_retal_general": 10},
            7150 / 505.6 + 30,
            55,
        ),
        ("2025-11-10T09:30-05:00", {"us_ieepa_fentanyl": 10}, 7150 / 505.6 + 20, 45),
        ("2026-02-24T09:30-05:00", {"us_ieepa_reciprocal": 0, "us_s122": 10}, 7150 / 505.6 + 10, 35),
        ("2026-07-24T09:30-04:00", {"us_s122": 0, "us_301_forced_labor": 12.5}, 7150 / 505.6 + 12.5, 37.5),
        ("2026-10-09T16:00-04:00", {"us_301_overcapacity": 0}, 7150 / 505.6 + 12.5, 37.5),  # reported only
    ],
)
def test_rates_checked_by_hand(levels, moment, rates, average, headline):
    row = levels.level(moments(moment), [*levels.series, "us", "us_headline"]).iloc[0]
    assert row[list(rates)].to_dict() == rates
    assert row["us"] == pytest.approx(average, rel=1e-14)
    assert row["us_headline"] == headline


def test_a_rate_begins_at_midnight_in_new_york_and_ends_with_its_last_day(levels):
    moment = moments("2025-04-08T23:59:59-04:00", "2025-04-09T00:00-04:00", "2025-04-09T23:59:59-04:00")
    assert levels.level(moment, "us_ieepa_reciprocal").iloc[:, 0].tolist() == [10, 84, 84]
    winter = moments("2025-11-09T23:59:59-05:00", "2025-11-10T00:00-05:00")
    assert levels.level(winter, "us_ieepa_fentanyl").iloc[:, 0].tolist() == [20, 10]
    # China's rates took effect at 12:01 in Beijing, a minute after midnight in New York.
    beijing = moments("2025-04-10T11:59+08:00", "2025-04-10T12:01+08:00")
    assert levels.level(beijing, "cn_retal_general").iloc[:, 0].tolist() == [0, 84]


def test_the_grid_equals_the_naive_look_up(levels, grid):
    x = levels.level(grid, [*levels.series, "us", "us_headline"])
    rows = bundled_rows()
    assert x.index.equals(pd.DatetimeIndex(grid["time"]))
    assert list(x.columns) == [*levels.series, "us", "us_headline"]
    for time in x.index[::25]:
        for series in levels.series:
            assert x.loc[time, series] == naive_intensity.tariff_level(time, rows, series)
        average, headline = naive_intensity.tariff_sums(time, rows, IMPORTS_2017)
        assert x.loc[time, "us"] == pytest.approx(average, rel=1e-13)
        assert x.loc[time, "us_headline"] == headline
    assert np.isfinite(x.to_numpy()).all()


@settings(deadline=None, max_examples=30)
@given(cut=st.integers(1, 8000))
def test_what_comes_into_force_later_changes_no_bit(levels, grid, cut):
    part = grid.iloc[:cut]
    today = part["time"].iloc[-1].tz_convert("America/New_York").tz_localize(None).normalize()
    frame = levels.frame
    frame["effective_to"] = frame["effective_to"].where(
        frame["effective_to"] < today
    )  # ends nobody knew of yet
    earlier = TariffLevels(frame[~(frame["effective_from"] > today)])
    names = [*earlier.series, "us", "us_headline"]
    ours, whole = earlier.level(part, names), levels.level(grid, names).iloc[: len(part)]
    assert ours.to_numpy().tobytes() == whole.to_numpy().tobytes()


def test_goods_on_a_list_count_with_their_part_and_everything_else_in_full():
    rows = pd.DataFrame(
        {
            "series": ["us_a", "us_b", "us_c", "cn_d"],
            "effective_from": "2025-01-01",
            "rate_pct": [10, 20, 5, 99],
            "scope": ["US$50.56bn", "about US$101.12bn", "all China/HK", "all US"],
            "source_ref": "law",
        }
    )
    row = TariffLevels(rows).level(moments("2025-06-02T00:00Z"), ["us", "us_headline"]).iloc[0]
    assert row["us"] == pytest.approx(0.1 * 10 + 0.2 * 20 + 5, rel=1e-14)
    assert row["us_headline"] == 25


def test_series_can_be_chosen_and_all_are_the_default(levels, grid):
    every = levels.level(grid)
    assert tuple(every.columns) == levels.series
    pd.testing.assert_frame_equal(levels.level(grid, "us_s122"), every[["us_s122"]])
    assert levels.level(grid.iloc[:0], "us").shape == (0, 1)
    pd.testing.assert_frame_equal(
        levels.level(grid, ["us", "us_s122", "us"]), levels.level(grid, ["us", "us_s122"])
    )
    nothing = TariffLevels(levels.frame.iloc[:0])
    assert (nothing.level(grid, ["us", "us_headline"]).to_numpy() == 0).all()
    for series, message in (
        ("taxes", "unknown series taxes"),
        ([], r"series is \[\]: give one or more of us_301_list1"),
        (5, "series is 5"),
    ):
        with pytest.raises(EntrepotError, match=message):
            levels.level(grid, series)
    with pytest.raises(EntrepotError, match="the grid is None"):
        levels.level(None)


def test_the_frame_written_out_reads_back_the_same_and_is_a_copy(levels, tmp_path: Path):
    levels.frame.to_csv(tmp_path / "levels.csv", index=False)
    pd.testing.assert_frame_equal(load_tariff_levels(tmp_path / "levels.csv").frame, levels.frame)
    pd.testing.assert_frame_equal(TariffLevels(levels.frame).frame, levels.frame)
    frame = levels.frame
    frame["rate_pct"] = 0.0
    assert levels.frame["rate_pct"].max() == 125


def test_a_file_takes_the_place_of_the_table(level_file, grid):
    path = level_file(
        " us_x ,2025-01-01, ,10,all,law 1,,", "", ",,,,,", encoding="utf-8-sig", header=HEADER + ","
    )
    own = load_tariff_levels(path)
    assert own.series == ("us_x",)
    assert own.level(grid, "us").iloc[-1].item() == 10
    desk = load_tariff_levels(level_file(GOOD + ",mine", header=HEADER + ",desk"))
    assert desk.frame["desk"].tolist() == ["mine"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",2025-01-01,,10,all,law", "row 4 (no series): series is blank"),
        ("us,2025-01-01,,10,all,law", "(us): series may not be us or us_headline"),
        ("us_y,01/02/2025,,10,all,law", "effective_from is '01/02/2025'; it must be a date"),
        ("us_y,2025-02-30,,10,all,law", "effective_from is '2025-02-30'; it must be a date"),
        ("us_y,2025-1-5,,10,all,law", "effective_from is '2025-1-5'; it must be a date"),
        ("us_y,9999-01-01,,10,all,law", "effective_from is '9999-01-01'; it must be a date"),
        ("us_y,2025-01-01,soon,10,all,law", "effective_to is 'soon'; it must be a date"),
        ("us_y,,2025-01-01,10,all,law", "effective_to is given without effective_from"),
        ("us_y,2025-01-02,2025-01-01,10,all,law", "effective_to is before effective_from"),
        ("us_y,2025-01-01,,ten,all,law", "rate_pct is 'ten'; it must be a number of percent"),
        ("us_y,2025-01-01,,,all,law", "rate_pct is ''; it must be a number of percent"),
        ("us_y,2025-01-01,,-1,all,law", "rate_pct is '-1'; it must be a number of percent"),
        ("us_y,2025-01-01,,inf,all,law", "rate_pct is 'inf'; it must be a number of percent"),
        (
            "us_y,2025-01-01,,10,US$ 34 billion,law",
            "scope is 'US$ 34 billion'; it must name goods as US$34bn",
        ),
        ("us_y,2025-01-01,,10,US$600bn,law", "scope exceeds all imports from China, US$505.6bn"),
        ("us_y,2025-01-01,,10,all,", "source_ref is blank"),
        ("us_x,2025-01-31,,10,all,law", "the series has another rate on some of the same days"),
        ("us_x,2024-12-01,,10,all,law", "the series has another rate on some of the same days"),
        ("us_y,2025-01-01,,10,all,law,more", "row 4: 7 cells under a header of 6"),
    ],
)
def test_a_bad_row_is_refused_in_one_sentence(level_file, row, message):
    with pytest.raises(EntrepotError) as caught:
        load_tariff_levels(level_file(GOOD, "", row))
    text = str(caught.value)
    assert message in text
    # Of two overlapping rates the one that begins later is named.
    assert text.startswith("mine.csv row 2" if "2024-12-01" in row else "mine.csv row 4")
    assert_one_sentence(text)


def test_a_rate_may_follow_another_the_next_day(level_file):
    own = load_tariff_levels(level_file(GOOD, "us_x,2025-02-01,,25,all,law 2"))
    moment = moments("2025-01-31T23:59-05:00", "2025-02-01T00:00-05:00")
    assert own.level(moment, "us_x").iloc[:, 0].tolist() == [10, 25]


def test_a_table_that_holds_no_levels_is_refused(levels):
    frame = levels.frame
    for given_, message in (
        (None, "frame is None"),
        (frame.drop(columns="scope"), "the table of tariff levels has no column scope"),
        (pd.concat([frame, frame["scope"]], axis=1), "names a column twice"),
        (frame.assign(rate_pct="x"), r"tariff levels row 0 \(us_301_list1\): rate_pct is .*; it must be"),
        (
            frame.assign(effective_to=pd.Timestamp("2025-01-01T09:00")),
            "effective_to is .*; it must be a date",
        ),
    ):
        with pytest.raises(EntrepotError, match=message) as caught:
            TariffLevels(given_)
        assert_one_sentence(str(caught.value))


def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, level_file):
    (tmp_path / "latin.csv").write_bytes(b"series\n\xe9\n")
    (tmp_path / "empty.csv").write_bytes(b"")
    for path, message in (
        (5, "path is 5: give the path of a file of tariff levels"),
        (tmp_path / "absent.csv", "cannot be read as a file of tariff levels"),
        ("a\0b", "cannot be read as a file of tariff levels"),
        (tmp_path, "cannot be read as a file of tariff levels"),
        (tmp_path / "latin.csv", "is not a CSV file in UTF-8"),
        (tmp_path / "empty.csv", "has no column series"),
        (level_file(header=HEADER + ",scope"), "names a column twice"),
    ):
        with pytest.raises(EntrepotError, match=message) as caught:
            load_tariff_levels(path)
        assert_one_sentence(str(caught.value))


def assert_one_sentence(text: str) -> None:
    assert "\n" not in text
    assert not text.endswith(".")
    assert ". " not in text
    assert len(text) < 300
