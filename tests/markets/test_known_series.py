"""Series that are no prices: what is read, when it is known, and what is refused."""

from __future__ import annotations

import warnings
from decimal import Decimal

import naive_series
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.markets.known_series import KnownSeries
from entrepot.markets.market import Market
from entrepot.markets.series_files import load_series
from entrepot.markets.sessions import build_grid

NAN = np.nan


def table(**columns):
    return pd.DataFrame(columns)


def long_table(rows):
    return pd.DataFrame(rows, columns=["date", "symbol", "value"])


def written(tmp_path, text, name="flow.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def market() -> Market:
    grid = build_grid(("XHKG", "XNYS"), "2024-01-02", "2024-03-28")
    closes = (grid["phase"] == "close").to_numpy()
    price = pd.DataFrame(index=pd.DatetimeIndex(grid["time"], name="time"))
    rows = {}
    for symbol, venue in (("9988.HK", "XHKG"), ("BABA", "XNYS"), ("0700.HK", "XHKG")):
        price[symbol] = np.where((grid["venue"] == venue) & closes, 100.0, NAN)
        rows[symbol] = {
            "venue": venue,
            "currency": "USD",
            "company": symbol,
            "sector": "unclassified",
            "kind": "stock",
            "pair": "",
            "lot": 1.0,
            "adjustment": "raw",
            "shortable": True,
            "size": "mega",
            "withholding": 0.0,
            "fee_class": "none",
        }
    return Market(grid, price, pd.DataFrame.from_dict(rows, orient="index"))


# -- when a value is known -----------------------------------------------------------------------------------


def test_a_value_of_a_day_is_known_when_the_day_ends_in_hong_kong():
    series = load_series(table(date=["2024-01-05", "2024-01-08"], value=[1, 2]))
    assert [str(t) for t in series.known_at] == ["2024-01-05 15:59:59+00:00", "2024-01-08 15:59:59+00:00"]
    later = load_series(table(date=["2024-01-05", "2024-01-08"], value=[1, 2]), lag="1D")
    assert [str(t) for t in later.known_at] == ["2024-01-06 15:59:59+00:00", "2024-01-09 15:59:59+00:00"]


def test_a_lag_runs_on_the_calendar_where_it_is_published():
    frame = table(date=["2024-02-29", "2024-03-29"], value=[1, 2])
    series = load_series(frame, lag="15D", time_zone="America/New_York")
    # Summer time began on 10 March: the day still ends at midnight there.
    assert [str(t) for t in series.known_at] == ["2024-03-16 03:59:59+00:00", "2024-04-14 03:59:59+00:00"]


@pytest.mark.parametrize(
    ("lag", "hours"),
    [
        ("1D", 24),
        ("1d", 24),
        ("2 days", 48),
        ("1.5 D", 36),
        (" 12h ", 12),
        ("36H", 36),
        ("1 hour", 1),
        ("1W", 168),
        ("2 weeks", 336),
        ("90min", 1.5),
        ("30 minutes", 0.5),
        (pd.Timedelta("3h"), 3),
    ],
)
def test_a_lag_is_so_many_weeks_days_hours_or_minutes(lag, hours):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        series = load_series(table(date=["2024-01-02", "2024-01-03"], value=[1, 2]), lag=lag)
    end = pd.Timestamp("2024-01-02T23:59:59+08:00")
    assert series.known_at[0] - end == pd.Timedelta(hours=hours)


@pytest.mark.parametrize("lag", ["0D", "1D", "36h"])
def test_every_time_is_the_end_of_its_date_and_a_lag(lag):
    dates = pd.bdate_range("2024-01-02", periods=40)
    series = load_series(pd.DataFrame({"0700.HK": np.arange(40.0)}, index=dates), lag=lag)
    assert list(series.known_at) == naive_series.known_times(dates, lag, "Asia/Hong_Kong")


def test_times_of_ones_own_are_taken_as_they_are_and_a_dates_rows_wait_for_the_last(tmp_path):
    text = (
        "date,symbol,value,known_at,source\n"
        "2024-01-03,9988.HK,3,2024-01-03T18:00+08:00,a\n"
        "2024-01-02,9988.HK,1,2024-01-02T18:00+08:00,\n"
        "2024-01-02,0700.HK,2,2024-01-02T20:30+08:00,b\n"
    )
    series = load_series(written(tmp_path, text))
    assert [str(t) for t in series.known_at] == ["2024-01-02 12:30:00+00:00", "2024-01-03 10:00:00+00:00"]
    assert series.symbols == ("0700.HK", "9988.HK")
    np.testing.assert_array_equal(series.values, [[2, 1], [NAN, 3]])
    renamed = load_series(written(tmp_path, text.replace("known_at", "published")), known_at="Published")
    assert list(renamed.known_at) == list(series.known_at)


# -- layouts -------------------------------------------------------------------------------------------------


def test_long_and_wide_tables_from_files_and_memory_read_alike(tmp_path):
    wide = pd.DataFrame(
        {"09988.hk": [0.1, NAN, 0.3], "BABA": [1.0, 2.0, NAN]},
        index=pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04"], name="Date"),
    )
    long = long_table(
        [
            ("2024-01-04", "9988.HK", 0.3),
            ("2024-01-02", "9988.HK", 0.1),
            ("2024-01-02", "BABA", 1),
            ("2024-01-03", " BABA ", 2),
            ("2024-01-03", "09988.HK", None),
        ]
    )
    wide.to_csv(tmp_path / "a.csv")
    long.to_csv(tmp_path / "b.csv", index=False)
    wide.to_parquet(tmp_path / "c.parquet")
    long.to_parquet(tmp_path / "d.parquet")
    for source in (wide, long, *(tmp_path / n for n in ("a.csv", "b.csv", "c.parquet", "d.parquet"))):
        series = load_series(source)
        assert series.symbols == ("9988.HK", "BABA")
        np.testing.assert_array_equal(series.values, wide)
        assert list(series.dates) == list(wide.index)
    assert load_series(tmp_path / "a.csv").name == "a"
    assert load_series(tmp_path / "a.csv", name="net buying").name == "net buying"


def test_a_table_without_symbols_is_about_the_whole_market():
    series = load_series(table(DATE=["2024-01-31", "2024-02-29"], Value=[5, 6]), lag="5D")
    assert series.symbols == ("market",)


def test_dates_may_stand_in_any_order_and_blank_lines_do_not_count(tmp_path):
    text = "\ufeffdate,0700.HK,9988.HK\n2024-01-04, 3 ,\n\n,,\n2024-01-02,1,4e-3\n2024-01-03,-2\n"
    series = load_series(written(tmp_path, text))
    np.testing.assert_array_equal(series.values, [[1, 0.004], [-2, NAN], [3, NAN]])


# -- refusals; of files and arguments: robustness/catalogue/series.py ----------------------------------------


def test_months_dated_by_their_first_day_are_not_known_before_they_are_over():
    frame = table(date=["2024-01-01", "2024-02-01", "2024-03-01"], value=[1, 2, 3])
    with pytest.raises(DataError, match=r"with a lag of 30 days a month is known before it is over"):
        load_series(frame, lag="30D")
    assert str(load_series(frame, lag="31D").known_at[0]) == "2024-02-01 15:59:59+00:00"
    begun = pd.to_datetime(frame["date"]).dt.tz_localize("Asia/Hong_Kong")
    told = load_series(frame.assign(known_at=begun + pd.Timedelta("40D")))
    assert str(told.known_at[1]) == "2024-03-11 16:00:00+00:00"


@pytest.mark.parametrize("freq", ["MS", "BMS"])
def test_the_first_trading_day_of_a_month_is_its_first_day_too(freq):
    dates = pd.date_range("2024-01-01", periods=8, freq=freq)
    with pytest.raises(DataError, match=r"a month is known before it is over"):
        load_series(table(date=dates, value=np.arange(8.0)), lag="15D")
    assert len(load_series(table(date=dates, value=np.arange(8.0)), lag="35D").dates) == 8


@pytest.mark.parametrize("zone", ["UTC", "Asia/Hong_Kong", "America/New_York"])
def test_a_date_written_as_a_time_is_no_time_of_publication(zone):
    """Midnight is when a day begins: what happened in it would be known before it happened."""
    days = pd.bdate_range("2024-01-02", periods=4)
    frame = table(date=days, value=np.arange(4.0), known_at=days.tz_localize(zone))
    with pytest.raises(DataError, match=r"2024-01-02"):
        load_series(frame, time_zone=zone)
    later = frame.assign(known_at=frame["known_at"] + pd.Timedelta("18h"))
    assert len(load_series(later, time_zone=zone).dates) == 4


def test_a_fortnight_of_holidays_is_daily_data_all_the_same():
    dates = pd.DatetimeIndex(["2024-02-06", "2024-02-07", "2024-02-08", "2024-02-19", "2024-02-20"])
    assert len(load_series(pd.DataFrame({"A": 1.0}, index=dates)).dates) == 5


def test_a_rule_beside_times_and_a_column_that_is_not_there_are_refused(tmp_path):
    told = table(date=["2024-01-02"], value=[1], known_at=["2024-01-02T18:00+08:00"])
    with pytest.raises(ParameterError, match=r"column of known_at and lag is '1D': give one"):
        load_series(told, lag="1D")
    with pytest.raises(DataError, match=r"has no column 'published' of times"):
        load_series(told.drop(columns="known_at"), known_at="published")
    for wrong in (tmp_path / "none.csv", tmp_path, tmp_path / "x\0y.csv", written(tmp_path, "date", "a.txt")):
        with pytest.raises(DataError, match=r"there is no CSV or Parquet file"):
            load_series(wrong)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([True, False], "row 0: A is 'True'"),
        ([1, "x"], "row 1: A is 'x'"),
        ([np.inf, 1.0], "row 0: A is 'inf'"),
        (pd.to_datetime(["2024-01-01", "2024-01-02"]), "row 0: A is '2024-01-01"),
    ],
)
def test_what_is_no_number_in_memory_is_refused_too(column, words):
    with pytest.raises(DataError, match=words):
        load_series(pd.DataFrame({"date": ["2024-01-02", "2024-01-03"], "A": column}))


@pytest.mark.parametrize("type_", ["decimal", "text", "double"])
def test_numbers_and_gaps_of_arrow_are_read(type_):
    kind, cell = {
        "decimal": (pa.decimal128(10, 2), Decimal("1.50")),
        "text": (pa.string(), "1.5"),
        "double": (pa.float64(), 1.5),
    }[type_]
    column = pd.Series([cell, None], dtype=pd.ArrowDtype(kind))
    series = load_series(table(date=["2024-01-02", "2024-01-03"], A=column), name="x")
    assert series.array[:, 0].tolist() == pytest.approx([1.5, NAN], nan_ok=True)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Hong_Kong"])
def test_dates_with_a_zone_are_refused(zone):
    frame = pd.DataFrame({"A": [1.0, 2]}, index=pd.date_range("2024-01-02", periods=2, tz=zone))
    with pytest.raises(DataError, match=r"row 0: date is .*without time of day or zone"):
        load_series(frame)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["2024-01-02", "2024-01-03", "2024-01-04", "2024-13-01", ""]),
            st.sampled_from(["A", "B", "700.HK", ""]),
            st.sampled_from(["1", "-2.5", "", "x", "nan", "1e400"]),
        ),
        max_size=5,
    )
)
def test_whatever_is_given_is_read_in_full_or_refused_in_a_sentence(rows):
    told = {(d, s): v for d, s, v in rows}
    bad = {"2024-13-01", "", "x", "nan", "1e400"}
    readable = all(d not in bad and s not in bad and (v == "" or v not in bad) for d, s, v in rows)
    if readable and len(told) == len(rows) and len({d for d, _ in told}) > 1 and any(told.values()):
        array = load_series(long_table(rows)).array
        assert np.nansum(array) == sum(float(v) for v in told.values() if v)
        assert int(np.isfinite(array).sum()) == sum(v != "" for v in told.values())
        return
    with pytest.raises(EntrepotError) as refusal:
        load_series(long_table(rows))
    assert "\n" not in str(refusal.value)


# -- the series itself ---------------------------------------------------------------------------------------


def random_series(seed, rows=30, columns=("0700.HK", "9988.HK", "X")):
    rng = np.random.default_rng(seed)
    dates = pd.bdate_range("2024-01-10", periods=rows)
    values = rng.normal(size=(rows, len(columns)))
    values[rng.random(values.shape) < 0.4] = NAN
    late = dates + pd.to_timedelta(rng.integers(8, 90, rows), unit="h")
    known = pd.DatetimeIndex(np.maximum.accumulate(late.as_unit("ns").asi8), tz="UTC")
    return KnownSeries("random", pd.DataFrame(values, index=dates, columns=list(columns)), known)


@pytest.mark.parametrize("seed", range(3))
def test_the_latest_value_and_its_age_at_every_step(market, seed):
    series = random_series(seed)
    steps = np.arange(len(market))
    value, age = series.latest(market, steps)
    row = series.row_at(market, steps)
    for s, now in enumerate(market.grid["time"]):
        assert row[s] == sum(known <= now for known in series.known_at) - 1
        for c, symbol in enumerate(series.symbols):
            told = [r for r in naive_series.rows_known(series, symbol, now) if not np.isnan(r[2])]
            if not told:
                assert np.isnan(value[s, c])
                assert age[s, c] == np.inf
                continue
            assert value[s, c] == told[-1][2]
            assert age[s, c] == pytest.approx(
                naive_series.sessions(now) - naive_series.sessions(told[-1][1]), abs=1e-9
            )


def test_a_value_known_at_a_close_counts_at_that_close_and_not_a_nanosecond_earlier(market):
    close = market.grid["time"][market.decision_steps].iloc[5]
    steps = np.flatnonzero(market.decision_steps)[4:7]
    frame = pd.DataFrame({"A": [7.0]}, index=pd.DatetimeIndex(["2024-01-05"]))
    on_time = KnownSeries("x", frame, pd.DatetimeIndex([close]))
    np.testing.assert_array_equal(on_time.latest(market, steps)[0][:, 0], [NAN, 7, 7])
    np.testing.assert_allclose(on_time.latest(market, steps)[1][:, 0], [np.inf, 0, 1])
    late = KnownSeries("x", frame, pd.DatetimeIndex([close + pd.Timedelta(1, "ns")]))
    np.testing.assert_array_equal(late.latest(market, steps)[0][:, 0], [NAN, NAN, 7])


def test_what_was_known_at_a_moment_tells_the_same_up_to_it(market):
    series = random_series(5)
    for step in (0, 20, 77, 130, len(market) - 1):
        cut = series.until(market.grid["time"][step])
        steps = np.arange(step + 1)
        for whole, part in zip(series.latest(market, steps), cut.latest(market, steps), strict=True):
            assert whole.tobytes() == part.tobytes()
    assert len(series.until("2020-01-01T00:00Z").dates) == 0
    assert len(series.until(series.known_at[7]).dates) >= 8
    for wrong in ("2024-01-05", pd.Timestamp("2024-01-05"), None, pd.NaT, 5, "soon"):
        with pytest.raises(ParameterError, match="give a moment with its UTC offset"):
            series.until(wrong)


def test_the_columns_of_a_market_come_in_its_order(market):
    assert random_series(1).for_symbols(market).symbols == ("9988.HK", "0700.HK")
    with pytest.raises(ParameterError, match=r"random is about 'P, Q', none of them in this market"):
        random_series(1, columns=("P", "Q")).for_symbols(market)


def test_what_is_made_of_a_series_keeps_its_times():
    series = random_series(2)
    doubled = series.derived(lambda values: 2 * values).only(["X"])
    np.testing.assert_array_equal(doubled.array[:, 0], 2 * series.array[:, 2])
    assert list(doubled.known_at) == list(series.known_at)
    assert (doubled.name, doubled.symbols) == ("random", ("X",))
    some = random_series(2).only(name for name in ("X", "9988.HK"))
    assert some.symbols == ("X", "9988.HK")


DAYS = pd.DatetimeIndex(["2024-01-02", "2024-01-03"])
TIMES = DAYS.tz_localize("UTC") + pd.Timedelta("12h")


@pytest.mark.parametrize(
    ("values", "known_at", "words"),
    [
        (pd.DataFrame({"A": [1, 2]}, index=DAYS), TIMES[:1], "2 rows and 1 times"),
        (pd.DataFrame({"A": [1, 2]}, index=DAYS), DAYS, "UTC times in order"),
        (pd.DataFrame({"A": [1, 2]}, index=DAYS), TIMES[::-1], "UTC times in order"),
        (pd.DataFrame({"A": [1, 2]}, index=DAYS), pd.DatetimeIndex([TIMES[0], pd.NaT]), "UTC times in order"),
        (pd.DataFrame({"A": [1, 2]}, index=DAYS[::-1]), TIMES, "not dates in order"),
        (pd.DataFrame({"A": [1, 2]}, index=DAYS[[0, 0]]), TIMES, "not dates in order"),
        (pd.DataFrame({"A": [1, 2]}), TIMES, "not dates in order"),
        (pd.DataFrame({"A": [1, 2]}, index=TIMES), TIMES, "not naive dates"),
        (pd.DataFrame(index=DAYS), TIMES, "no column"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["A", "A"], index=DAYS), TIMES, "two of one name"),
        (pd.DataFrame({"A": [1, np.inf]}, index=DAYS), TIMES, "an infinite value"),
        (pd.DataFrame({"A": [1, "x"]}, index=DAYS), TIMES, "no number"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=[700, "700"], index=DAYS), TIMES, "two of one name"),
        (np.ones((2, 1)), TIMES, "values in a ndarray"),
        (pd.Series([1.0, 2.0], DAYS), TIMES, "values in a Series"),
        (pd.DataFrame({"A": [1, 2]}, index=DAYS), list(TIMES), "known_at in a list"),
        (
            pd.DataFrame({"A": [1, 2]}, index=DAYS),
            DAYS.tz_localize("UTC"),
            r"2024-01-02 known at 2024-01-02 00:00:00\+00:00, when that day has yet to come",
        ),
        (
            pd.DataFrame({"A": [1, 2]}, index=DAYS),
            pd.DatetimeIndex([TIMES[0], TIMES[0]]),
            r"2024-01-03 known at 2024-01-02 12:00",
        ),
    ],
)
def test_a_series_that_contradicts_itself_is_refused(values, known_at, words):
    with pytest.raises(DataError, match=words) as refusal:
        KnownSeries("flow", values, known_at)
    assert "\n" not in str(refusal.value)


def test_times_are_kept_in_utc_to_the_nanosecond_and_later_changes_to_the_frame_do_not_reach_it():
    frame = pd.DataFrame({"A": [1, 2]}, index=DAYS)
    known_at = (DAYS.as_unit("s") + pd.Timedelta(hours=18)).tz_localize("Asia/Hong_Kong")
    series = KnownSeries("x", frame, known_at)
    frame.iloc[0, 0] = 99
    assert str(series.known_at.dtype) == "datetime64[ns, UTC]"
    assert str(series.known_at[0]) == "2024-01-02 10:00:00+00:00"
    assert series.array.tolist() == [[1.0], [2.0]]
    assert repr(series) == "KnownSeries('x': 2 rows, 1 columns)"
