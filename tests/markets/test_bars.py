"""Bars: when each was known, what is left out, and what is refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from naive_bars import Files, minute_files, read_row_by_row
from price_folders import ACTIONS, closes, fixings, long, pair, split_pair, write

import entrepot as ep
from entrepot.errors import DataError, ParameterError

# Half days of both venues, the change to summer time in New York, a late opening and an early end by weather.
SPANS = {
    "spring": ("2021-03-08", "2021-03-19"),
    "Christmas": ("2020-12-21", "2021-01-05"),
    "late opening": ("2020-08-17", "2020-08-21"),
    "early end": ("2022-10-31", "2022-11-04"),
    "before the auction": ("2016-07-20", "2016-07-27"),
}


def one_line(symbol: str, start: str = "2021-03-08", end: str = "2021-03-12", seed: int = 3) -> pd.DataFrame:
    return closes("XHKG" if symbol.endswith(".HK") else "XNYS", start, end, seed)


def both(start: str = "2021-03-08", end: str = "2021-03-12") -> Files:
    """Days of two lines that are no pair, one of each venue, and the rates."""
    days = {symbol: one_line(symbol, start, end) for symbol in ("0005.HK", "KWEB")}
    return {**days, "HKD=X": fixings(start, end)}


def shifted(table: pd.DataFrame, minutes: int) -> pd.DataFrame:
    """The same bars, stamped so many minutes later."""
    stamps = pd.to_datetime(table["Datetime"]) + pd.Timedelta(minutes=minutes)
    return table.assign(Datetime=stamps.dt.strftime("%Y-%m-%d %H:%M"))


def without(table: pd.DataFrame, *times: str) -> pd.DataFrame:
    """The bars at other times of day, or other moments."""
    return table[~(table["Datetime"].isin(times) | table["Datetime"].str.slice(11).isin(times))]


def with_rows(table: pd.DataFrame, *rows: dict[str, object]) -> pd.DataFrame:
    """More bars, in their places; what a row does not say is as in the first bar."""
    more = pd.DataFrame([{**table.iloc[0].to_dict(), **row} for row in rows])
    return pd.concat([table, more]).sort_values("Datetime", kind="stable", ignore_index=True)


def prices_at(market: ep.Market, symbol: str, *times: str) -> list[float]:
    """Prices at local times of the line's exchange."""
    zone = "Asia/Hong_Kong" if symbol.endswith(".HK") else "America/New_York"
    moments = pd.DatetimeIndex([pd.Timestamp(time, tz=zone) for time in times]).tz_convert("UTC")
    return market.price[symbol].reindex(moments).tolist()


# -- when a bar is known -------------------------------------------------------------------------------------


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("stamped", ["start", "end"])
@pytest.mark.parametrize("minutes", [1, 7, 60])
def test_every_bar_stands_where_the_twin_puts_it(span: str, stamped: str, minutes: int) -> None:
    files = minute_files(both(*SPANS[span]), minutes, stamped, auction=minutes != 7)
    if minutes == 1:
        files = {s: t if s == "HKD=X" else t.drop(range(40, 60)) for s, t in files.items()}
    market = ep.load_market(files, bar_times=stamped)  # type: ignore[arg-type]
    for symbol, venue in (("0005.HK", "XHKG"), ("KWEB", "XNYS")):
        known, opens = read_row_by_row(files[symbol], venue, minutes, stamped)
        own = market.grid["venue"] == venue
        expected = {}
        for step in market.grid[own].itertuples():
            opening = step.phase == "open"
            day = f"{step.session:%Y-%m-%d}"
            price = opens.get(day, np.nan) if opening else known.pop(step.time.to_pydatetime(), np.nan)
            expected[step.time] = price
        assert not known  # every bar has a step
        np.testing.assert_array_equal(
            market.price.loc[list(expected), symbol].to_numpy(), np.array(list(expected.values()))
        )
        assert market.price.loc[~own.to_numpy(), symbol].isna().all()


def test_the_steps_of_a_day() -> None:
    market = ep.load_market(minute_files(both("2020-12-23", "2020-12-24"), 60))
    local = {"XHKG": "Asia/Hong_Kong", "XNYS": "America/New_York"}
    steps = [
        (row.venue, row.phase, f"{row.time.tz_convert(local[row.venue]):%d %H:%M}")
        for row in market.grid.itertuples()
    ]
    # Hong Kong lunches from 12:00 to 13:00 and has its auction until 16:10; the 24th is a half day in both.
    assert steps == [
        *[("XHKG", "open", "23 09:30"), ("XHKG", "bar", "23 10:30"), ("XHKG", "bar", "23 11:30")],
        *[("XHKG", "bar", "23 12:00"), ("XHKG", "bar", "23 14:00"), ("XHKG", "bar", "23 15:00")],
        *[("XHKG", "bar", "23 16:00"), ("XHKG", "close", "23 16:10")],
        *[("XNYS", "open", "23 09:30")],
        *[("XNYS", "bar", f"23 {hour}:30") for hour in range(10, 16)],
        ("XNYS", "close", "23 16:00"),
        *[("XHKG", "open", "24 09:30"), ("XHKG", "bar", "24 10:30"), ("XHKG", "bar", "24 11:30")],
        *[("XHKG", "bar", "24 12:00"), ("XHKG", "close", "24 12:10")],
        *[("XNYS", "open", "24 09:30")],
        *[("XNYS", "bar", f"24 {hour}:30") for hour in range(10, 13)],
        ("XNYS", "close", "24 13:00"),
    ]


def test_a_bar_stamped_at_its_start_is_known_when_it_ends() -> None:
    files = minute_files(both(), 5)
    files["KWEB"].loc[files["KWEB"]["Datetime"] == "2021-03-09 10:00", "Close"] = 123.0
    market = ep.load_market(files)
    assert prices_at(market, "KWEB", "2021-03-09 10:05") == [123.0]
    files = minute_files(both(), 5, "end")
    files["KWEB"].loc[files["KWEB"]["Datetime"] == "2021-03-09 10:00", "Close"] = 123.0
    market = ep.load_market(files)
    assert prices_at(market, "KWEB", "2021-03-09 10:00") == [123.0]


def test_hong_kongs_close_is_that_of_the_auction_or_of_the_last_bar() -> None:
    days = both()
    close = days["0005.HK"].set_index("Date")["Close"]["2021-03-09"]
    market = ep.load_market(minute_files(days, 5))
    last, final = prices_at(market, "0005.HK", "2021-03-09 16:00", "2021-03-09 16:10")
    assert (last, final) == (pytest.approx(1.001 * close), close)
    # Without auctions in the file the last bar is the close, and is known only when the auction has ended.
    market = ep.load_market(minute_files(days, 5, auction=False))
    last, final = prices_at(market, "0005.HK", "2021-03-09 16:00", "2021-03-09 16:10")
    assert np.isnan(last)
    assert final == close
    assert sum("no closing auctions" in note for note in market.notes) == 1
    # Of one day without an auction among others the close is not known.
    files = minute_files(days, 5)
    files["0005.HK"] = without(files["0005.HK"], "2021-03-09 16:08")
    market = ep.load_market(files)
    last, final = prices_at(market, "0005.HK", "2021-03-09 16:00", "2021-03-09 16:10")
    assert (last, np.isnan(final)) == (pytest.approx(1.001 * close), True)
    assert any("1 session without a price at the close" in note for note in market.notes)


@pytest.mark.parametrize("stamp", ["16:00", "16:05", "16:09"])
def test_an_auctions_bar_may_have_any_stamp_within_it(stamp: str) -> None:
    files = minute_files(both(), 5)
    own = files["0005.HK"]["Datetime"]
    files["0005.HK"]["Datetime"] = own.str.replace("16:08", stamp)
    market = ep.load_market(files)
    assert np.isfinite(prices_at(market, "0005.HK", "2021-03-09 16:00", "2021-03-09 16:10")).all()


def test_of_several_bars_of_an_auction_the_last_is_the_close() -> None:
    files = minute_files(both(), 1)
    files["0005.HK"] = with_rows(
        files["0005.HK"],
        {"Datetime": "2021-03-09 16:00", "Close": 97.0},
        {"Datetime": "2021-03-09 16:09", "Close": 98.0},
        {"Datetime": "2021-03-09 16:10", "Close": 99.0},  # begins at the close: outside
    )
    assert prices_at(ep.load_market(files), "0005.HK", "2021-03-09 16:10") == [98.0]


def test_an_hour_long_bar_of_the_auction_is_its_close() -> None:
    files = minute_files(both(), 60, "end")
    files["0005.HK"]["Datetime"] = files["0005.HK"]["Datetime"].str.replace("16:09", "17:00")
    market = ep.load_market(files)
    close = both()["0005.HK"].set_index("Date")["Close"]["2021-03-09"]
    assert prices_at(market, "0005.HK", "2021-03-09 16:10") == [close]


@pytest.mark.parametrize("written", ["offset", "UTC", "zone", "other zone"])
def test_stamps_with_an_offset_or_a_zone_mean_the_same(written: str) -> None:
    files = minute_files(both("2021-03-08", "2021-03-19"), 15)  # New York's clock changes on the 14th
    naive = ep.load_market(files)
    zoned = {}
    for symbol, table in files.items():
        zoned[symbol] = table
        if symbol != "HKD=X":
            zone = "Asia/Hong_Kong" if symbol.endswith(".HK") else "America/New_York"
            stamps = pd.to_datetime(table["Datetime"]).dt.tz_localize(zone)
            other = {"UTC": "UTC", "other zone": "Europe/Berlin"}.get(written, zone)
            moved = stamps.dt.tz_convert(other)
            zoned[symbol] = table.assign(Datetime=moved if "zone" in written else moved.astype("str"))
    market = ep.load_market(zoned)
    pd.testing.assert_frame_equal(market.price, naive.price)


def test_a_folder_and_a_long_table_hold_bars_too(tmp_path: Path) -> None:
    files = minute_files(both(), 30)
    given = ep.load_market(files)
    folder = ep.load_market(write(tmp_path / "minutes", files))
    dated = {symbol: table.rename(columns={"Datetime": "Date"}) for symbol, table in files.items()}
    dated["HKD=X"] = dated["HKD=X"].assign(Date=dated["HKD=X"]["Date"].astype("str"))
    for market in (folder, ep.load_market(long(dated))):
        np.testing.assert_allclose(market.price.to_numpy(), given.price.to_numpy(), rtol=1e-14)
        pd.testing.assert_frame_equal(market.grid, given.grid)


def test_start_and_end_are_told_apart_by_the_first_and_last_minutes() -> None:
    for stamped in ("start", "end"):
        files = minute_files(both(), 1, stamped)
        found = ep.load_market(files)
        told = ep.load_market(files, bar_times=stamped)  # type: ignore[arg-type]
        pd.testing.assert_frame_equal(found.price, told.price)
        assert sum(f"stamped at their {stamped} (as found)" in note for note in found.notes) == 2
        assert sum(f"stamped at their {stamped} (as told)" in note for note in told.notes) == 2


def test_hong_kong_needs_neither_its_first_nor_its_last_bar() -> None:
    """Lunch tells too: 13:00 is a start, 12:00 an end."""
    for stamped, times in (("start", ["09:30"]), ("end", ["16:00"])):
        files = minute_files(both(), 5, stamped)
        files["0005.HK"] = without(files["0005.HK"], *times)
        assert any(f"stamped at their {stamped}" in note for note in ep.load_market(files).notes)


# -- what is left out ----------------------------------------------------------------------------------------


def test_missing_bars_are_gaps_and_are_not_filled() -> None:
    files = minute_files(both(), 5)
    files["KWEB"] = without(files["KWEB"], "2021-03-09 11:00", "2021-03-10 09:30", "2021-03-11 15:55")
    market = ep.load_market(files)
    assert np.isnan(prices_at(market, "KWEB", "2021-03-09 11:05")).all()
    # No bar begins at the opening: no price there, though the next bar has an open.
    assert np.isnan(prices_at(market, "KWEB", "2021-03-10 09:30", "2021-03-10 09:35")).all()
    assert np.isnan(prices_at(market, "KWEB", "2021-03-11 16:00")).all()
    assert market.price["KWEB"].isna().sum() == market.grid["venue"].eq("XHKG").sum() + 4
    assert any("1 session without a price at the close" in note for note in market.notes)


def test_a_bar_of_one_price_and_no_volume_is_a_gap() -> None:
    files = minute_files(both(), 5)
    table = files["KWEB"]
    row = int(table.index[table["Datetime"] == "2021-03-09 11:00"][0])
    table.loc[row, ["Open", "High", "Low", "Close", "Volume"]] = [*[table.loc[row - 1, "Close"]] * 4, 0.0]
    table.loc[row + 1, "Volume"] = 0.0  # but not of one price
    table.loc[row + 6, "Open"] = table.loc[row + 6, "Close"]
    table.loc[row + 6, ["High", "Volume"]] = [table.loc[row + 6, "Close"] * 1.001, 0.0]  # nor this
    table.loc[row + 2, "Close"] = np.nan
    market = ep.load_market(files)
    three = prices_at(market, "KWEB", *(f"2021-03-09 11:{m}" for m in ("05", "10", "15")))
    assert np.isnan(three).tolist() == [True, False, True]
    assert np.isfinite(prices_at(market, "KWEB", "2021-03-09 11:35")).all()
    assert any("2 without a trade left out" in note for note in market.notes)


def test_an_index_has_no_volume_and_keeps_its_bars() -> None:
    files = minute_files({**both(), "^HSI": one_line("0005.HK")}, 5)
    files["^HSI"] = minute_files({"0005.HK": one_line("0005.HK")}, 5)["0005.HK"].assign(Volume=0.0)
    files["^HSI"].loc[7, "Open"] = files["^HSI"].loc[7, "Close"]
    market = ep.load_market(files)
    own = market.scheduled[:, market.column("^HSI")] & (market.grid["phase"] != "open").to_numpy()
    assert np.isfinite(market.price["^HSI"][own]).all()
    assert market.instruments.at["^HSI", "kind"] == "index"


def test_bars_outside_the_session_are_left_out_and_counted() -> None:
    files = minute_files(both(), 5)
    files["KWEB"] = with_rows(
        files["KWEB"],
        {"Datetime": "2021-03-09 04:00", "Close": 1.0},
        {"Datetime": "2021-03-09 09:25", "Close": 1.0},
        {"Datetime": "2021-03-09 16:05", "Close": 1.0},
    )
    files["0005.HK"] = with_rows(files["0005.HK"], {"Datetime": "2021-03-09 12:30", "Close": 1.0})
    market = ep.load_market(files)
    pd.testing.assert_frame_equal(market.price, ep.load_market(minute_files(both(), 5)).price)
    assert sum("3 outside the session left out" in note for note in market.notes) == 1
    assert sum("1 outside the session left out" in note for note in market.notes) == 1


def test_a_symbol_with_days_trades_at_its_opens_and_closes() -> None:
    days = {**both(), "FXI": one_line("FXI", seed=5)}
    bars = minute_files(both(), 5)
    market = ep.load_market({**bars, "FXI": days["FXI"]})
    daily = ep.load_market(days)
    priced = market.price["FXI"].dropna()
    pd.testing.assert_series_equal(priced, daily.price["FXI"].dropna())
    assert set(market.grid["phase"][market.price["FXI"].notna().to_numpy()]) == {"open", "close"}
    only_closes = ep.load_market({**bars, "FXI": days["FXI"].drop(columns="Open")})
    assert set(only_closes.grid["phase"][only_closes.price["FXI"].notna().to_numpy()]) == {"close"}


def test_a_venue_of_days_keeps_two_steps_a_day() -> None:
    days = both()
    market = ep.load_market({**days, "KWEB": minute_files(days, 30)["KWEB"]})
    steps = market.grid.groupby(["venue", "session"]).size().groupby("venue").max()
    assert steps.to_dict() == {"XHKG": 2, "XNYS": 14}


def test_venues_may_have_bars_of_two_lengths() -> None:
    days = both()
    market = ep.load_market({**minute_files(days, 30), "0005.HK": minute_files(days, 5)["0005.HK"]})
    steps = market.grid.groupby(["venue", "session"]).size().groupby("venue").max()
    assert steps.to_dict() == {"XHKG": 1 + 30 + 36 + 1, "XNYS": 14}


# -- the days that bars make ---------------------------------------------------------------------------------

TABLES = ("ratios", "splits", "dividends", "fixings", "delistings")


def assert_same_days(bars: ep.Market, days: ep.Market) -> None:
    """At opens and closes, and in all that is dated, the two markets are one."""
    kept = bars.grid[bars.grid["phase"] != "bar"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, days.grid.reset_index(drop=True))
    at = pd.DatetimeIndex(kept["time"])
    np.testing.assert_array_equal(bars.price.loc[at].to_numpy(), days.price.to_numpy())
    pd.testing.assert_frame_equal(bars.instruments, days.instruments)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(bars, name), getattr(days, name), obj=name)
    assert (bars.volume is None) == (days.volume is None)
    if bars.volume is not None and days.volume is not None:
        np.testing.assert_allclose(bars.volume.loc[at].to_numpy(), days.volume.to_numpy(), rtol=1e-12)
        assert bars.volume.drop(at).isna().all(axis=None)


@pytest.mark.parametrize("adjusted", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("action", [ACTIONS[0], ACTIONS[8], ACTIONS[9]], ids=lambda action: action.adr)
def test_splits_and_ratios_are_found_as_in_days(action, adjusted: tuple[bool, bool]) -> None:  # type: ignore[no-untyped-def]
    files, _ = split_pair(action, ads_adjusted=adjusted[0], hk_adjusted=adjusted[1], sessions=12)
    assert_same_days(ep.load_market(minute_files(files, 60)), ep.load_market(files))


def test_dividends_and_splits_in_the_files_are_those_of_the_day() -> None:
    files = pair("BABA", "9988.HK")
    files["BABA"]["Dividends"] = 0.0
    files["BABA"].loc[20, "Dividends"] = 0.5
    files["BABA"]["Stock Splits"] = 0.0
    bars = minute_files(files, 60)
    assert_same_days(ep.load_market(bars), ep.load_market(files))
    assert ep.load_market(files).dividends["amount"].tolist() == [0.5]
    day = bars["BABA"]["Datetime"].str.slice(0, 10)
    repeated = bars["BABA"].assign(Dividends=bars["BABA"]["Dividends"].groupby(day).transform("max"))
    assert ep.load_market({**bars, "BABA": repeated}).dividends["amount"].tolist() == [0.5]


def test_the_premium_of_each_alignment_is_that_of_days() -> None:
    files = pair("BABA", "9988.HK")
    days, bars = ep.load_market(files), ep.load_market(minute_files(files, 30))
    for align in ("same_date", "next_hk", "hk_open", "us_open"):
        pd.testing.assert_frame_equal(
            ep.premium(bars, "BABA", align=align, detail=True),  # type: ignore[call-overload]
            ep.premium(days, "BABA", align=align, detail=True),  # type: ignore[call-overload]
        )


@pytest.mark.parametrize("cut", ["2021-03-09 02:13", "2021-03-09 15:47", "2021-03-10 08:05"])
def test_no_price_at_a_step_depends_on_later_rows(cut: str) -> None:
    """Files that end at some moment give the prices that the whole ones do until then."""
    files = minute_files(both("2021-03-04", "2021-03-12"), 1)
    moment = pd.Timestamp(cut, tz="UTC")
    known = {}
    for symbol, table in files.items():
        known[symbol] = table
        if symbol != "HKD=X":
            zone = "Asia/Hong_Kong" if symbol.endswith(".HK") else "America/New_York"
            ends = pd.to_datetime(table["Datetime"]).dt.tz_localize(zone) + pd.Timedelta(minutes=1)
            known[symbol] = table[ends <= moment]
    whole, part = ep.load_market(files), ep.load_market(known)
    until = whole.price.index[whole.price.index <= moment]
    pd.testing.assert_frame_equal(part.price.loc[until], whole.price.loc[until])


# -- what is refused -----------------------------------------------------------------------------------------

Change = Callable[[Files], None]


def change(symbol: str, how: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    def apply(files: Files) -> None:
        files[symbol] = how(files[symbol])

    return apply


def swapped(table: pd.DataFrame) -> pd.DataFrame:
    order = np.arange(len(table))
    order[[5, 6]] = 6, 5
    return table.iloc[order]


def in_seconds(table: pd.DataFrame) -> pd.DataFrame:
    stamps = pd.Timestamp("2021-03-09 09:30") + pd.to_timedelta(90 * np.arange(len(table)), unit="s")
    return table.assign(Datetime=stamps.astype("str"))[:100]


def of_one_day(days: str, minutes: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Bars of another length on one day."""

    def apply(table: pd.DataFrame) -> pd.DataFrame:
        on = table["Datetime"].str.startswith(days)
        apart = (pd.to_datetime(table["Datetime"]).dt.minute % minutes) == 0
        return table[~on | apart]

    return apply


def one_day_among(table: pd.DataFrame) -> pd.DataFrame:
    rest = table[~table["Datetime"].str.startswith("2021-03-10")]
    return with_rows(rest, {"Datetime": "2021-03-10"})


def written_in(zone: str, symbol: str = "KWEB", end: str = "2021-03-12", stamped: str = "start") -> Change:
    """Give a line bars whose stamps are in another zone's time and do not say so."""

    def spoil(files: Files) -> None:
        own = "Asia/Hong_Kong" if symbol.endswith(".HK") else "America/New_York"
        table = minute_files(both(end=end), 5, stamped)[symbol]
        stamps = pd.to_datetime(table["Datetime"]).dt.tz_localize(own).dt.tz_convert(zone)
        files[symbol] = table.assign(Datetime=stamps.dt.strftime("%Y-%m-%d %H:%M"))

    return spoil


OTHER_CLOCK = (
    "outside the sessions of .* and none in the {} half hour of any: its stamps seem to be of another"
)

REFUSED: dict[str, tuple[Change, dict[str, object], str]] = {
    "New York in UTC": (written_in("UTC"), {}, OTHER_CLOCK.format("first")),
    "New York in UTC, ends": (written_in("UTC", stamped="end"), {}, OTHER_CLOCK.format("first")),
    "New York in UTC, a day": (written_in("UTC", end="2021-03-08"), {}, OTHER_CLOCK.format("first")),
    "New York in Chicago's time, an hour early": (
        written_in("America/Chicago"),
        {},
        OTHER_CLOCK.format("last"),
    ),
    "Hong Kong in UTC": (
        written_in("UTC", "0005.HK"),
        {"bar_times": "start"},
        OTHER_CLOCK.format("first"),
    ),
    "out of order": (change("KWEB", swapped), {}, "2021-03-08 09:55' in data row 7, out of order"),
    "repeated": (
        change("KWEB", lambda t: pd.concat([t[:4], t[3:]])),
        {},
        "2021-03-08 09:45' in data row 5, a second time: keep one row per bar",
    ),
    "no stamp": (
        change("KWEB", lambda t: t.assign(Datetime=t["Datetime"].where(t.index != 3, "noon"))),
        {},
        "'noon' in data row 4, not readable: bars are stamped YYYY-MM-DD HH:MM",
    ),
    "off the raster": (
        change("KWEB", lambda t: with_rows(t, {"Datetime": "2021-03-09 10:02"})),
        {},
        "a bar at 2021-03-09 10:02, where no bar of 5 minutes has its start: .* opening at 09:30",
    ),
    "hours of the clock": (
        lambda files: files.update(
            KWEB=shifted(minute_files(both(), 60)["KWEB"], 30).pipe(
                lambda t: with_rows(t, {"Datetime": "2021-03-08 09:30"})
            )
        ),
        {"bar_times": "start"},
        "no bar of 60 minutes has its start",
    ),
    "no session": (
        change("KWEB", lambda t: with_rows(t, {"Datetime": "2021-03-13 10:00"})),
        {},
        "bars on 2021-03-13, when XNYS held no session",
    ),
    "seconds": (change("KWEB", in_seconds), {}, "bars 90 seconds apart: give bars of 1 to 60 whole minutes"),
    "two lengths": (
        lambda files: files.update(FXI=minute_files({"FXI": one_line("FXI")}, 15)["FXI"]),
        {},
        "bars of 15 minutes and .* of 5 minutes: give bars of one length for each venue",
    ),
    "longer for a day": (
        change("KWEB", of_one_day("2021-03-10", 30)),
        {},
        "bars of 5 minutes, and on 2021-03-10 of 30 minutes",
    ),
    "a day among bars": (
        change("KWEB", one_day_among),
        {},
        "'2021-03-10' in data row 157, a whole day among bars: give one of the two",
    ),
    "start or end": (
        change("KWEB", lambda t: without(t, "09:30")),
        {},
        "the bars of XNYS do not tell whether they are stamped at their start or their end .*bar_times=",
    ),
    "start and end": (
        change("KWEB", lambda t: with_rows(t, {"Datetime": "2021-03-09 16:00"})),
        {},
        "the bars of XNYS do not tell whether",
    ),
    "not the end": (
        lambda files: None,
        {"bar_times": "end"},
        "bar_times='end' does not fit the bars of XHKG",
    ),
    "a price far off": (
        change("KWEB", lambda t: t.assign(Close=t["Close"].where(t.index != 10, 1.0))),
        {},
        "the price 1 at 2021-03-08 10:20 and closes that day at .*3-fold apart",
    ),
    "a price of 0": (
        change("KWEB", lambda t: t.assign(Close=t["Close"].where(t.index != 10, 0.0))),
        {},
        "close 0 on 2021-03-08: a price is positive",
    ),
    "nothing traded": (
        change("KWEB", lambda t: t.assign(Close=np.nan)),
        {},
        "no close at all",
    ),
    "only adjusted": (
        change("KWEB", lambda t: t.rename(columns={"Close": "Adj Close"})),
        {},
        "lacks the column Close: bars are prices as they were traded",
    ),
    "bars of a rate": (
        lambda files: files.update({"HKD=X": files["KWEB"].assign(Close=7.8)}),
        {},
        "holds bars of an exchange rate: give one rate a day",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trusted_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    spoil, arguments, words = REFUSED[name]
    files = minute_files(both(), 5)
    spoil(files)
    with pytest.raises(DataError, match=words) as error:
        ep.load_market(write(tmp_path / "minutes", files), **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"phases": ("close",)}, "phases=.* was given and .* holds bars: leave phases out"),
        ({"phases": ("open", "close")}, "leave phases out"),
        ({"bar_times": "middle"}, "bar_times='middle' is unknown: it is 'start', 'end' or None"),
        ({"bar_times": 1}, "bar_times=1 is unknown"),
        ({"adjusted": "total_return"}, "holds bars: they are 'raw' or 'split'"),
        ({"adjusted": {"KWEB": "total_return"}}, "holds bars: they are 'raw' or 'split'"),
    ],
)
def test_arguments_that_do_not_fit_bars(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        ep.load_market(minute_files(both(), 30), **arguments)  # type: ignore[arg-type]


def test_a_thin_line_is_not_taken_for_longer_bars() -> None:
    """A few bars here and there are gaps; only days of evenly spaced bars are of another length."""
    files = minute_files(both("2021-03-01", "2021-03-26"), 1)
    rng = np.random.default_rng(5)
    keep = rng.random(len(files["KWEB"])) < 0.05
    keep[:30] = True
    files["KWEB"] = files["KWEB"][keep]
    market = ep.load_market(files)
    assert market.price["KWEB"].notna().sum() == pytest.approx(keep.sum(), abs=2)


def test_the_shares_of_a_days_variance_are_those_of_days() -> None:
    from entrepot.markets.calibration import segment_shares

    files = pair("BABA", "9988.HK")
    shares = [segment_shares(ep.load_market(f), "BABA") for f in (files, minute_files(files, 60))]
    assert shares[1] == pytest.approx(shares[0])


def test_bars_after_a_line_left_new_york_are_left_out() -> None:
    left = ep.load_listings().delistings["latest"]["CHL"]
    start, end = (str((left + pd.Timedelta(days=days)).date()) for days in (-10, 20))
    files = {"CHL": one_line("CHL", start, end), "KWEB": one_line("KWEB", start, end)}
    market = ep.load_market(minute_files(files, 60))
    assert market.grid["session"].max() > left
    printed = market.grid["session"][market.price["CHL"].notna().to_numpy()]
    assert printed.max() == left


def test_bars_are_split_adjusted_or_raw_as_told() -> None:
    market = ep.load_market(minute_files(both(), 30), adjusted="split")
    assert set(market.instruments["adjustment"]) == {"split"}


def test_a_check_is_told_how_bars_are_stamped_as_the_loader_is() -> None:
    """Files with trades before and after the session, as most vendors' are, do not tell it themselves."""
    files = minute_files(both(), 5)
    files["KWEB"] = with_rows(files["KWEB"], {"Datetime": "2021-03-09 16:00"})
    assert "say which with bar_times=" in ep.check_data(files).refusal
    told = ep.check_data(files, bar_times="start")
    assert told.loads
    assert told.counts["stops"] == 0
    assert ep.load_market(files, bar_times="start").symbols == tuple(told.symbols.index.drop("HKD=X"))


def test_no_price_is_seen_before_its_bar_has_ended() -> None:
    """Every bar has a price of its own, so that each price of the market leads back to one bar."""
    rng = np.random.default_rng(5)
    for stamped in ("start", "end"):
        files = minute_files(both("2021-03-10", "2021-03-17"), 5, stamped)  # clocks change on 14 March
        for symbol in ("KWEB", "0005.HK"):
            table = files[symbol]
            count = len(table)
            table["Close"] = 100.0 + rng.permutation(count) * 1e-3
            table["Open"] = 200.0 + np.arange(count) * 1e-3
            files[symbol] = table[rng.random(count) < 0.8].reset_index(drop=True)
        market = ep.load_market(files, adjusted="raw")
        for symbol, zone in (("KWEB", "America/New_York"), ("0005.HK", "Asia/Hong_Kong")):
            table = files[symbol]
            stamp = pd.DatetimeIndex(table["Datetime"]).tz_localize(zone).tz_convert("UTC")
            length = pd.Timedelta(minutes=5 if stamped == "start" else 0)
            ended = dict(zip(table["Close"], stamp + length, strict=True))
            begun = dict(zip(table["Open"], stamp + length - pd.Timedelta(minutes=5), strict=True))
            seen = market.price[symbol].dropna()
            phase = market.grid.set_index("time")["phase"].reindex(seen.index)
            assert len(seen) > 0.7 * len(table)
            for time, price, which in zip(seen.index, seen, phase, strict=True):
                if which == "open":
                    assert begun[price] == time
                elif which == "bar" or symbol == "KWEB":
                    assert ended[price] == time
                else:  # the auction's one bar is stamped within the auction, and known when that is over
                    assert time - pd.Timedelta(minutes=10) < ended[price] - length
                    assert pd.Timestamp(time) >= ended[price] - length
