"""News indices: when a value counts as known, what a step may see of it, how it compares with intensity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import spearmanr

from entrepot.errors import EntrepotError
from entrepot.markets.sessions import build_grid
from entrepot.regimes import load_events
from entrepot.regimes.news_indices import NewsIndex, compare_with_intensity, load_news_index

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "geopolitical"
DAYS = ["date,risk", "2024-01-01,10", "2024-01-02,0", "2024-01-03,", "2024-01-04,40"]
MONTHS = ["date,gpr,epu", "2023-11-30,100,0.0000", "2023-12-31,110,50", "2024-01-31,120,60"]


@pytest.fixture(scope="session")
def real_indices() -> Path:
    """The folder of real indices beside the project, which is never part of it."""
    if not REAL.is_dir():
        pytest.skip("real news indices are not at hand: their folder beside the project is absent")
    return REAL.resolve()


@pytest.fixture
def index_file(tmp_path: Path):
    def write(*lines: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "index.csv"
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return write


@pytest.fixture(scope="module")
def grid() -> pd.DataFrame:
    return build_grid(["XHKG", "XNYS"], "2023-11-01", "2024-06-28", ("open", "close"))


def seen(index: NewsIndex, *moments: str) -> list[float]:
    return index.at(pd.DatetimeIndex([pd.Timestamp(moment).tz_convert("UTC") for moment in moments])).tolist()


def test_a_day_is_known_a_week_later_and_a_zero_is_a_value(index_file):
    index = load_news_index(index_file(*DAYS))
    assert repr(index) == "NewsIndex(risk: 3 daily values from 2024-01-01 to 2024-01-04, known 7 days later)"
    assert index.frame["value"].tolist() == [10, 0, 40]
    assert str(index.frame["known_at"].dtype) == "datetime64[ns, UTC]"
    assert index.frame["known_at"].iloc[0] == pd.Timestamp("2024-01-08T23:59:59-05:00")
    moments = "2024-01-08T23:59:58-05:00", "2024-01-08T23:59:59-05:00", "2024-01-10T00:00-05:00"
    np.testing.assert_array_equal(seen(index, *moments), [np.nan, 10, 0])


def test_a_month_is_known_a_month_after_its_end_and_a_zero_is_missing(index_file):
    index = load_news_index(index_file(*MONTHS), "epu")
    assert (
        repr(index) == "NewsIndex(epu: 2 monthly values from 2023-12-31 to 2024-01-31, known 31 days later)"
    )
    assert index.frame["known_at"].tolist() == [
        pd.Timestamp("2024-01-31T23:59:59-05:00"),
        pd.Timestamp("2024-03-02T23:59:59-05:00"),
    ]
    moments = (
        "2024-01-31T16:00-05:00",
        "2024-02-01T09:30+08:00",
        "2024-02-01T16:10+08:00",
        "2024-03-04T09:30-05:00",
    )
    np.testing.assert_array_equal(seen(index, *moments), [np.nan, np.nan, 50, 60])
    sooner = load_news_index(index_file(*MONTHS), "epu", lag=10)
    assert sooner.frame["known_at"].iloc[0] == pd.Timestamp("2024-01-10T23:59:59-05:00")


def test_summer_time_moves_the_hour_and_not_the_date(index_file):
    index = load_news_index(index_file("date,risk", "2024-03-05,1", "2024-03-06,2"))
    assert index.frame["known_at"].iloc[0] == pd.Timestamp("2024-03-12T23:59:59-04:00")


def test_an_index_that_has_ended_is_not_carried_on(index_file):
    daily, monthly = load_news_index(index_file(*DAYS)), None
    moments = "2024-01-25T23:59:58-05:00", "2024-01-25T23:59:59-05:00"  # 14 days after the 11th
    np.testing.assert_array_equal(seen(daily, *moments), [40, np.nan])
    monthly = load_news_index(index_file(*MONTHS), "gpr")
    moments = "2024-05-03T12:00-04:00", "2024-05-04T12:00-04:00"  # 62 days after 2 March
    np.testing.assert_array_equal(seen(monthly, *moments), [120, np.nan])


def test_steps_see_the_newest_known_value_and_nothing_between_two(index_file, grid):
    index = load_news_index(index_file(*MONTHS), "gpr")
    x = index.at(grid)
    assert x.name == "gpr"
    assert x.index.equals(pd.DatetimeIndex(grid["time"]))
    for time, value in x.items():
        known = [
            row.value
            for row in index.frame.itertuples()
            if row.known_at <= time < row.known_at + pd.Timedelta(days=62)
        ]
        np.testing.assert_array_equal(value, known[-1] if known else np.nan)
    assert set(x.dropna()) == {100, 110, 120}
    assert index.at(grid.iloc[:0]).empty


@settings(deadline=None, max_examples=30)
@given(cut=st.integers(1, 600))
def test_what_is_published_later_changes_no_bit(tmp_path_factory, grid, cut):
    days = pd.date_range("2023-10-01", "2024-07-31")
    lines = ["date,risk", *(f"{day:%Y-%m-%d},{day.day_of_year}" for day in days)]
    folder = tmp_path_factory.mktemp("cut")
    part = grid.iloc[:cut]
    now = part["time"].iloc[-1].tz_convert("America/New_York").tz_localize(None)
    published = [
        lines[0],
        *(x for x, day in zip(lines[1:], days, strict=True) if day + pd.Timedelta(days=7) < now),
    ]
    (folder / "whole.csv").write_text("\n".join([*lines, ""]))
    (folder / "part.csv").write_text("\n".join([*published, ""]))
    whole, earlier = (load_news_index(folder / f"{name}.csv") for name in ("whole", "part"))
    assert earlier.at(part).to_numpy().tobytes() == whole.at(grid).iloc[: len(part)].to_numpy().tobytes()


def test_the_comparison_is_spearmans_of_monthly_means(index_file, grid):
    rng = np.random.default_rng(5)
    months = pd.date_range("2023-06-30", "2024-12-31", freq="ME")
    values = rng.integers(1, 6, len(months))  # with ties
    lines = [f"{month:%Y-%m-%d},{value}" for month, value in zip(months, values, strict=True)]
    index = load_news_index(index_file("date,risk", *lines))
    intensity = load_events().intensity(grid, channels=["tariff", "delisting"])
    out = compare_with_intensity(index, intensity)
    assert out.index.equals(intensity.columns)
    assert (out["months"] == 8).all()  # November to June
    month = grid["session"].dt.strftime("%Y-%m").to_numpy()
    theirs = dict(zip(months.strftime("%Y-%m"), values, strict=True))
    for column in intensity:
        ours = intensity[column].groupby(month).mean()
        other = np.array([theirs[m] for m in ours.index])
        assert out.loc[column, "levels"] == pytest.approx(spearmanr(ours, other).statistic, abs=1e-12)
        changes = spearmanr(np.diff(ours), np.diff(other)).statistic
        assert out.loc[column, "changes"] == pytest.approx(changes, abs=1e-12)
    one = compare_with_intensity(index, intensity["tariff", "escalation"])
    assert one["levels"].item() == out.loc[("tariff", "escalation"), "levels"]


def test_a_daily_index_is_averaged_and_a_missing_month_leaves_no_change_across_it(index_file):
    time = pd.date_range("2024-01-15", periods=6, freq="MS", tz="UTC") + pd.Timedelta(days=14)
    intensity = pd.Series([1.0, 3.0, 2.0, 5.0, 4.0, 9.0], index=time, name="x")  # February to July
    days = pd.date_range("2024-01-01", "2024-07-31")
    value = {2: 1, 3: 4, 5: 6, 6: 2, 7: 3}  # nothing in April
    lines = [f"{day:%Y-%m-%d},{value[day.month] + (day.day == 1)}" for day in days if day.month in value]
    out = compare_with_intensity(load_news_index(index_file("date,risk", *lines)), intensity)
    assert out["months"].item() == 5
    means = np.array([1 + 1 / 29, 4 + 1 / 31, 6 + 1 / 31, 2 + 1 / 30, 3 + 1 / 31])
    levels = spearmanr([1, 3, 5, 4, 9], means).statistic
    assert out["levels"].item() == pytest.approx(levels, abs=1e-12)
    changes = spearmanr([2, -1, 5], [means[1] - means[0], means[3] - means[2], means[4] - means[3]]).statistic
    assert out["changes"].item() == pytest.approx(changes, abs=1e-12)


def test_what_does_not_move_has_no_rank_correlation(index_file, grid):
    index = load_news_index(index_file(*MONTHS), "gpr")
    flat = pd.Series(1.0, index=pd.DatetimeIndex(grid["time"]), name="flat")
    out = compare_with_intensity(index, flat)
    assert np.isnan(out["levels"].item())
    assert out["months"].item() == 3


def test_the_comparison_refuses_what_it_cannot_compare(index_file, grid):
    index = load_news_index(index_file(*MONTHS), "gpr")
    intensity = load_events().intensity(grid)
    for arguments, message in (
        ((intensity, index), "was given a DataFrame and a NewsIndex: give load_news_index"),
        ((index, None), "was given a NewsIndex and None"),
        ((index, intensity.tz_localize(None)), "moments with a time zone"),
        ((index, intensity.loc["2024-02-05":]), "gpr and the intensity have no month in common"),
    ):
        with pytest.raises(EntrepotError, match=message) as caught:
            compare_with_intensity(*arguments)
        assert_one_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*DAYS, "05/01/2024,1"], "index.csv row 6: date must be a day such as 2024-01-31"),
        ([*DAYS, ",1"], "index.csv row 6: date must be a day"),
        ([*DAYS, "", "2024-01-04,1"], "index.csv row 7: date must come after that of the row before"),
        ([*DAYS, "2024-01-05,high"], "index.csv row 6: risk must be a finite number of at least 0"),
        ([*DAYS, "2024-01-05,inf"], "index.csv row 6: risk must be a finite number"),
        ([*DAYS, "2024-01-05,-1"], "index.csv row 6: risk must be a finite number"),
        ([*DAYS, "2024-01-05,1,2"], "index.csv row 6: 3 cells under a header of 2"),
        (
            ["date,risk", "2024-01-01,1", "2024-02-01,2"],
            "row 2: the dates lie a month apart and this is no month's end",
        ),
        (["date,risk"], "index.csv has no value in risk"),
        (["date,risk", "2024-01-01,"], "index.csv has no value in risk"),
        (
            ["day,risk", "2024-01-01,1"],
            "index.csv needs a column date and one of numbers; its columns are day",
        ),
        (["date", "2024-01-01"], "index.csv needs a column date and one of numbers"),
        (["date,risk,risk", "2024-01-01,1,1"], "index.csv names a column twice"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(index_file, lines, message):
    with pytest.raises(EntrepotError) as caught:
        load_news_index(index_file(*lines))
    assert message in str(caught.value)
    assert_one_sentence(str(caught.value))


def test_bad_arguments_are_refused_in_one_sentence(index_file, tmp_path: Path):
    months, days = index_file(*MONTHS), tmp_path / "days.csv"
    days.write_text("\n".join([*DAYS, ""]))
    for path, arguments, message in (
        (months, {}, "column is None, which index.csv has not: choose one of gpr, epu"),
        (months, {"column": "date"}, "column is 'date'"),
        (months, {"column": "gpr", "lag": 9}, "lag is 9: give whole days, at least 10 for a monthly index"),
        (days, {"lag": 6}, "at least 7 for a daily index"),
        (days, {"lag": 7.5}, "lag is 7.5"),
        (days, {"lag": True}, "lag is True"),
        (tmp_path / "absent.csv", {}, "cannot be read as a file of a news index"),
        (None, {}, "path is None: give the path of a file of a news index"),
    ):
        with pytest.raises(EntrepotError) as caught:
            load_news_index(path, **arguments)
        assert message in str(caught.value)
        assert_one_sentence(str(caught.value))


def test_a_file_saved_by_a_spreadsheet_is_read(index_file):
    index = load_news_index(index_file("date,risk,,", " 2024-01-01 , 7 ,,", ",,,", encoding="utf-8-sig"))
    assert index.frame["value"].tolist() == [7]


def test_the_real_daily_index(real_indices):
    grid = build_grid(["XHKG", "XNYS"], "2018-01-02", "2026-10-09", ("open", "close"))
    for column in ("GPRD", "GPRD_ACT", "GPRD_THREAT"):
        index = load_news_index(real_indices / "gpr_daily.csv", column)
        assert (index.frequency, len(index.frame)) == ("daily", 9643)
        x = index.at(grid)
        assert x.loc[:"2026-05-26"].notna().all()
        assert x.loc["2026-06-20":].isna().all()


def test_the_real_monthly_indices_know_tariffs_where_they_should(real_indices):
    path = real_indices / "monthly_gpr_tpu_epu.csv"
    epu = load_news_index(path, "epu")
    assert epu.frame["date"].iloc[0] == pd.Timestamp("1997-01-31")  # 0.0 before, where there is none
    assert len(load_news_index(path, "gpr").frame) == 420
    grid = build_grid(["XHKG", "XNYS"], "2018-01-02", "2026-10-09", ("open", "close"))
    intensity = load_events().intensity(grid, channels=["tariff", "delisting"])
    out = compare_with_intensity(load_news_index(path, "tpu"), intensity)
    assert (out["months"] == 84).all()
    # An index of trade policy made by others must rise with what is listed here as tariff threats, and more
    # than with anything else; half is far above chance (standard error 0.11 if months were independent).
    assert out.loc[("tariff", "escalation"), "levels"] > 0.5
    assert out["levels"].idxmax() == ("tariff", "escalation")


def assert_one_sentence(text: str) -> None:
    assert "\n" not in text
    assert not text.endswith(".")
    assert ". " not in text
    assert len(text) < 300
