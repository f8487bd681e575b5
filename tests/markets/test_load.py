from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from price_folders import ACTIONS, Action, closes, fixings, long, pair, split_pair, write

from entrepot.errors import DataError, ParameterError
from entrepot.markets.load import load_market
from entrepot.markets.premium import premium


def said(market, *words: str) -> bool:
    return any(all(w in note for w in words) for note in market.notes)


def test_a_folder_becomes_a_market_with_each_price_at_its_step(tmp_path: Path) -> None:
    files = pair()
    market = load_market(write(tmp_path / "prices", files))
    assert market.symbols == ("9988.HK", "BABA")
    assert market.label == "prices loaded from prices"
    assert str(tmp_path) not in repr(market) + "".join(market.notes)
    assert market.pairs["hk"].to_dict() == {"BABA": "9988.HK"}
    assert list(market.instruments.loc["BABA", ["venue", "currency", "kind", "pair"]]) == [
        "XNYS",
        "USD",
        "ads",
        "9988.HK",
    ]
    assert list(market.instruments.loc["9988.HK", ["venue", "currency", "lot"]]) == ["XHKG", "HKD", 100.0]
    for symbol, venue in (("BABA", "XNYS"), ("9988.HK", "XHKG")):
        table = files[symbol].set_index("Date")
        for phase, column in (("open", "Open"), ("close", "Close")):
            rows = market.grid[(market.grid["venue"] == venue) & (market.grid["phase"] == phase)]
            got = market.price[symbol].to_numpy()[rows.index]
            np.testing.assert_allclose(got, table[column].reindex(rows["session"]).to_numpy())
        other = market.price[symbol].to_numpy()[(market.grid["venue"] != venue).to_numpy()]
        assert np.isnan(other).all()


def test_a_long_table_reads_like_the_folder(tmp_path: Path) -> None:
    files = pair()
    one = load_market(write(tmp_path / "prices", files))
    table = long(files)
    table.to_csv(tmp_path / "all.csv", index=False)
    table.to_parquet(tmp_path / "all.parquet")
    for source in (table, tmp_path / "all.csv", str(tmp_path / "all.parquet")):
        other = load_market(source)
        pd.testing.assert_frame_equal(one.price, other.price, check_exact=False, rtol=1e-12)
        pd.testing.assert_frame_equal(one.fixings, other.fixings, check_exact=False, rtol=1e-12)


def test_parquet_files_with_a_date_index_and_offsets_in_the_dates_are_read(tmp_path: Path) -> None:
    files = pair()
    plain = load_market(write(tmp_path / "plain", files))
    folder = tmp_path / "mixed"
    folder.mkdir()
    files["9988.HK"].set_index("Date").tz_localize("Asia/Hong_Kong").to_parquet(folder / "9988.HK.parquet")
    stamped = files["BABA"].assign(Date=files["BABA"]["Date"].dt.strftime("%Y-%m-%d") + " 00:00:00-05:00")
    stamped.to_csv(folder / "BABA.csv", index=False)
    files["HKD=X"].rename(columns=str.lower).to_csv(folder / "USDHKD=X.csv", index=False)
    (folder / "README.md").write_text("notes")
    market = load_market(folder)
    pd.testing.assert_frame_equal(plain.price, market.price, check_exact=False, rtol=1e-12)
    assert said(market, "README.md", "not read")


def test_closes_only_make_two_steps_a_day(tmp_path: Path) -> None:
    files = {s: f.drop(columns="Open", errors="ignore") for s, f in pair().items()}
    market = load_market(write(tmp_path, files))
    assert set(market.grid["phase"]) == {"close"}
    assert said(market, "two steps a day")


def test_opens_outside_the_range_do_not_make_four_steps(tmp_path: Path) -> None:
    files = pair()
    for symbol in ("BABA", "9988.HK"):
        files[symbol].loc[files[symbol]["Date"] >= "2022-02-15", "Open"] = np.nan
    folder = write(tmp_path, files)
    assert set(load_market(folder).grid["phase"]) == {"open", "close"}
    assert set(load_market(folder, start="2022-02-15").grid["phase"]) == {"close"}
    assert set(load_market(folder, phases=("close",)).grid["phase"]) == {"close"}


def test_a_file_of_adjusted_closes_is_total_return_and_has_no_dividends(tmp_path: Path) -> None:
    fund = closes("XNYS", "2022-01-04", "2022-03-31").rename(columns={"Close": "Adj Close"})[
        ["Date", "Adj Close"]
    ]
    market = load_market(write(tmp_path, {"KWEB": fund.assign(Dividends=0.5)}))
    assert market.instruments.loc["KWEB", "adjustment"] == "total_return"
    assert market.dividends.empty
    assert said(market, "KWEB.csv", "total-return")
    assert market.fixings.empty


def test_total_return_can_be_asked_for(tmp_path: Path) -> None:
    share = closes("XNYS", "2022-01-04", "2022-03-31")
    share["Adj Close"] = share["Close"] * 0.5
    market = load_market(write(tmp_path, {"KWEB": share}), adjusted={"KWEB": "total_return"})
    np.testing.assert_allclose(market.price["KWEB"].iloc[0::2], share["Open"] * 0.5)
    np.testing.assert_allclose(market.price["KWEB"].iloc[1::2], share["Close"] * 0.5)


def test_opens_beside_adjusted_closes_are_those_that_say_they_are_adjusted_too(tmp_path: Path) -> None:
    share = closes("XNYS", "2022-01-04", "2022-03-31").rename(columns={"Close": "Adj Close"})
    with pytest.raises(DataError, match=r"KWEB\.csv has Open beside Adj Close and no Close"):
        load_market(write(tmp_path, {"KWEB": share}))
    adjusted = share.rename(columns={"Open": "adjOpen", "Adj Close": "adjClose"})
    market = load_market(write(tmp_path, {"KWEB": adjusted}))
    assert market.instruments.loc["KWEB", "adjustment"] == "total_return"
    np.testing.assert_array_equal(market.price["KWEB"].iloc[0::2], share["Open"])
    raw = share.assign(
        **{"Close": share["Adj Close"] * 2.0, "Adj Open": 1.0}
    )  # beside a Close it is not read
    np.testing.assert_array_equal(
        load_market(write(tmp_path, {"KWEB": raw})).price["KWEB"].iloc[0::2], share["Open"]
    )


@pytest.mark.parametrize("blank", [["Adj Close"], ["Open", "Close", "Adj Close"]])
def test_total_return_ends_with_its_last_price(blank: list[str]) -> None:
    # As where several lines were written on one calendar.
    files = {
        "KWEB": closes("XNYS", "2022-01-04", "2022-03-31"),
        "FXI": closes("XNYS", "2022-01-04", "2022-03-31"),
    }
    for table in files.values():
        table["Adj Close"] = table["Close"] * 0.5
    files["KWEB"].loc[files["KWEB"].index[-20:], blank] = np.nan
    with pytest.raises(
        DataError, match=r"prices end before the market's end 2022-03-31: KWEB 2022-03-03 \(20"
    ):
        load_market(long(files), adjusted="total_return")
    files["FXI"].loc[files["FXI"].index[-20:], blank] = np.nan
    market = load_market(long(files), adjusted="total_return")
    assert market.grid["session"].iloc[-1] == pd.Timestamp("2022-03-03")


def test_an_adjusted_close_that_is_empty_is_none(tmp_path: Path) -> None:
    share = closes("XNYS", "2022-01-04", "2022-03-31").assign(**{"Adj Close": np.nan})
    market = load_market(write(tmp_path, {"KWEB": share}), adjusted={"KWEB": "total_return"})
    np.testing.assert_allclose(market.price["KWEB"].iloc[1::2], share["Close"])
    assert said(market, "KWEB.csv has no Adj Close")


@pytest.mark.parametrize("hk_adjusted", [False, True])
@pytest.mark.parametrize("ads_adjusted", [False, True])
@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: f"{a.adr}-{a.date}")
def test_no_reading_of_a_split_makes_the_premium_jump(
    action: Action, ads_adjusted: bool, hk_adjusted: bool
) -> None:
    files, true = split_pair(action, ads_adjusted=ads_adjusted, hk_adjusted=hk_adjusted)
    market = load_market(long(files))
    for symbol, adjusted, factor in (
        (action.adr, ads_adjusted, action.ads_factor),
        (action.hk, hk_adjusted, action.hk_factor),
    ):
        splits = market.splits[market.splits["symbol"] == symbol]
        raw = not adjusted and factor != 1
        assert splits["factor"].tolist() == pytest.approx([factor] if raw else [])
        if factor != 1:
            assert market.instruments.loc[symbol, "adjustment"] == ("split" if adjusted else "raw")
    for align in ("same_date", "next_hk", "hk_open", "us_open"):
        series = premium(market, action.adr, align)
        assert series.diff().abs().max() < 0.2
        assert series.abs().max() < 0.2
    # The fixing known at the New York close is that date's.
    np.testing.assert_allclose(premium(market, action.adr), true, rtol=1e-9, atol=1e-12)


def test_a_split_after_the_end_of_the_file_is_told_by_parity() -> None:
    first = next(a for a in ACTIONS if a.adr == "EDU" and a.date == "2021-03-10")
    for adjusted in (False, True):
        for later in (None, ("ads", 0.1)):
            if later is not None and not adjusted:
                continue  # no vendor adjusts for a later split and not for an earlier one
            files, true = split_pair(first, ads_adjusted=adjusted, hk_adjusted=adjusted, later=later)
            market = load_market(long(files))
            np.testing.assert_allclose(premium(market, "EDU"), true, rtol=1e-9, atol=1e-12)


def test_a_line_without_a_split_inside_is_raw_unless_parity_says_it_was_adjusted_for_a_later_one() -> None:
    files = pair("NTES", "9999.HK", "2020-06-15", "2020-09-15", ratio=25.0)
    assert load_market(long(files)).instruments.loc["NTES", "adjustment"] == "raw"
    files["NTES"][["Open", "Close"]] /= 5.0
    market = load_market(long(files))
    assert market.instruments.loc["NTES", "adjustment"] == "split"
    assert premium(market, "NTES").abs().max() < 0.1


def test_what_is_told_is_believed_where_nothing_contradicts_it() -> None:
    files = pair("BABA", "9988.HK")
    market = load_market(long(files), adjusted="split")
    assert set(market.instruments["adjustment"]) == {"split"}
    assert market.splits.empty
    market = load_market(long(files), adjusted={"BABA": "raw"})
    assert market.instruments.loc["BABA", "adjustment"] == "raw"


def test_a_split_in_the_file_and_in_the_registry_is_one_action_on_the_files_date() -> None:
    # The registry has China Life's ADS split on 2015-05-26; the prices go over to it on the 27th.
    day = pd.Timestamp("2015-05-27")
    files = pair("LFC", "2628.HK", "2015-03-02", "2015-07-31", ratio=5.0)
    files["LFC"].loc[files["LFC"]["Date"] < day, ["Open", "Close"]] *= 3.0
    for column in (None, 3.0):
        table = files["LFC"].copy()
        if column is not None:
            table["Stock Splits"] = np.where(table["Date"] == day, column, 0.0)
        market = load_market(long({**files, "LFC": table}))
        assert market.splits[["symbol", "ex_date", "factor"]].to_numpy().tolist() == [["LFC", day, 3.0]]
        assert premium(market, "LFC").abs().max() < 0.1


def test_a_split_only_the_file_knows_is_kept(tmp_path: Path) -> None:
    share = closes("XNYS", "2022-01-04", "2022-03-31")
    day = pd.Timestamp("2022-02-15")
    share["Stock Splits"] = np.where(share["Date"] == day, 4.0, 0.0)
    market = load_market(write(tmp_path / "adjusted", {"XYZW": share}))
    assert market.instruments.loc["XYZW", "adjustment"] == "split"
    assert market.splits.empty
    share.loc[share["Date"] < day, ["Open", "Close"]] *= 4.0
    market = load_market(write(tmp_path / "raw", {"XYZW": share}))
    assert market.instruments.loc["XYZW", "adjustment"] == "raw"
    assert market.splits["factor"].tolist() == [4.0]


def test_dividends_are_those_of_the_file_in_local_currency(tmp_path: Path) -> None:
    files = pair()
    files["9988.HK"]["Dividends"] = np.where(files["9988.HK"]["Date"] == "2022-02-10", 1.95, 0.0)
    market = load_market(write(tmp_path, files))
    assert market.dividends[["symbol", "amount"]].to_numpy().tolist() == [["9988.HK", 1.95]]
    assert market.dividends["ex_date"].tolist() == [pd.Timestamp("2022-02-10")]
    assert market.dividends["pay_date"].isna().all()


def test_a_fixing_is_known_in_new_york_on_its_date_and_in_hong_kong_the_day_after(tmp_path: Path) -> None:
    files = pair()
    market = load_market(write(tmp_path, files))
    rate = files["HKD=X"].set_index("Date")["Close"]
    closes_only = market.grid["phase"] == "close"
    for venue, lag in (("XNYS", 0), ("XHKG", 1)):
        rows = market.grid[closes_only & (market.grid["venue"] == venue)]
        known = rate.shift(lag).reindex(rows["session"]).to_numpy()
        np.testing.assert_allclose(1.0 / market.fx["HKD"].to_numpy()[rows.index], known)
    early = load_market(write(tmp_path, files), fx_time="09:00 Asia/Hong_Kong")
    rows = early.grid[(early.grid["venue"] == "XHKG") & (early.grid["phase"] == "close")]
    np.testing.assert_allclose(
        1.0 / early.fx["HKD"].to_numpy()[rows.index], rate.reindex(rows["session"]).to_numpy()
    )


def test_files_fetched_from_one_day_on_start_the_day_after(tmp_path: Path) -> None:
    files = pair()
    files["HKD=X"] = files["HKD=X"][files["HKD=X"]["Date"] >= "2022-01-04"]
    folder = write(tmp_path, files)
    market = load_market(folder)
    assert market.grid["session"].min() == pd.Timestamp("2022-01-05")
    assert market.fx["HKD"].notna().all()
    assert said(market, "starts 2022-01-05", "HKD")
    with pytest.raises(DataError, match=r"HKD=X.csv begins 2022-01-04 and the market 2022-01-04"):
        load_market(folder, start="2022-01-04")


def test_a_rate_file_named_the_other_way_round_is_turned(tmp_path: Path) -> None:
    files = pair()
    one = load_market(write(tmp_path / "a", files))
    rate = files.pop("HKD=X")
    rate["Close"] = 1.0 / rate["Close"]
    other = load_market(write(tmp_path / "b", {**files, "HKDUSD=X": rate}))
    pd.testing.assert_frame_equal(one.fixings, other.fixings, check_exact=False, rtol=1e-12)
    assert said(other, "HKDUSD=X.csv", "turned round")


def test_a_missing_price_is_a_gap_and_is_counted(tmp_path: Path) -> None:
    files = pair()
    files["BABA"].loc[5, ["Open", "Close"]] = np.nan
    files["BABA"] = files["BABA"].drop(index=[8, 9])
    market = load_market(write(tmp_path, files))
    assert said(market, "BABA.csv", "3 sessions without a price")
    closes_only = ((market.grid["venue"] == "XNYS") & (market.grid["phase"] == "close")).to_numpy()
    assert int(np.isnan(market.price["BABA"].to_numpy()[closes_only]).sum()) == 3


def test_a_repeated_close_on_a_day_without_a_session_is_dropped_and_said(tmp_path: Path) -> None:
    files = pair("BABA", "9988.HK", "2020-09-01", "2020-11-30")
    hk = files["9988.HK"]
    before = hk[hk["Date"] < "2020-10-13"].iloc[[-1]].assign(Date=pd.Timestamp("2020-10-13"), Volume=0.0)
    files["9988.HK"] = pd.concat([hk, before]).sort_values("Date")
    market = load_market(write(tmp_path, files))
    assert said(market, "9988.HK.csv", "2020-10-13", "left out")
    assert pd.Timestamp("2020-10-13") not in set(market.grid.query("venue == 'XHKG'")["session"])


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    """A folder in which KWEB stops in February and the rest in March."""
    files = pair() | {"KWEB": closes("XNYS", "2022-01-04", "2022-02-15")}
    return write(tmp_path, files)


def test_a_line_that_stops_early_is_refused_by_name(uneven: Path) -> None:
    with pytest.raises(DataError, match=r"KWEB 2022-02-15 \(31 sessions before\).*ends='cut'.*ends='drop'"):
        load_market(uneven)


def test_a_line_that_stops_early_can_be_dropped(uneven: Path) -> None:
    market = load_market(uneven, ends="drop")
    assert market.symbols == ("9988.HK", "BABA")
    assert said(market, "KWEB", "left out", "2022-02-15")


def test_the_market_can_be_cut_where_the_first_line_stops(uneven: Path) -> None:
    market = load_market(uneven, ends="cut")
    assert market.symbols == ("9988.HK", "BABA", "KWEB")
    assert market.grid["session"].max() == pd.Timestamp("2022-02-15")
    assert said(market, "market ends 2022-02-15", "KWEB")


def test_an_earlier_end_is_the_markets_own(uneven: Path) -> None:
    assert len(load_market(uneven, end="2022-02-18").symbols) == 3
    assert len(load_market(uneven, end="2022-02-18").delistings) == 0


def test_rates_that_stop_early_are_refused_or_cut(tmp_path: Path) -> None:
    files = pair()
    files["HKD=X"] = files["HKD=X"][files["HKD=X"]["Date"] <= "2022-03-01"]
    folder = write(tmp_path, files)
    for ends in ("error", "drop"):
        with pytest.raises(DataError, match=r"HKD=X.csv ends 2022-03-01 and the market 2022-03-31"):
            load_market(folder, ends=ends)
    market = load_market(folder, ends="cut")
    assert market.grid["session"].max() == pd.Timestamp("2022-03-01")
    assert market.fx_age_days["HKD"].max() <= 5.0


def chl(last: str) -> dict[str, pd.DataFrame]:
    files = pair("CHL", "0941.HK", "2020-11-02", "2021-03-31", ratio=5.0)
    files["CHL"] = files["CHL"][files["CHL"]["Date"] <= last]
    return files


def test_a_line_that_left_new_york_is_kept_and_listed() -> None:
    market = load_market(long(chl("2021-01-08")))
    assert market.delistings.to_dict("records") == [
        {
            "symbol": "CHL",
            "last_session": pd.Timestamp("2021-01-08"),
            "into": "0941.HK",
            "ordinary_per_ads": 5.0,
        }
    ]
    assert not said(market, "CHL has no price")


def test_a_line_whose_prices_end_before_it_left_says_how_many_sessions_are_missing() -> None:
    market = load_market(long(chl("2020-12-11")))
    assert market.delistings["last_session"].tolist() == [pd.Timestamp("2021-01-08")]
    assert said(market, "CHL has no price in 18 New York sessions", "is refused", "2020-12-14")


def test_prices_from_after_a_line_left_are_left_out() -> None:
    market = load_market(long(chl("2021-03-31")))
    assert said(market, "CHL", "after its last New York session")
    assert market.price["CHL"].last_valid_index() < pd.Timestamp("2021-01-09", tz="UTC")


def test_the_delisting_does_not_depend_on_the_end() -> None:
    early, late = (load_market(long(chl("2021-01-08")), end=end).delistings for end in ("2020-12-31", None))
    pd.testing.assert_frame_equal(early, late)


def test_an_over_the_counter_line_is_not_shorted_and_a_missing_leg_is_said() -> None:
    line = closes("XNYS", "2022-01-04", "2022-03-31")
    market = load_market(long({"TCEHY": line, "BABA": line}))
    assert market.instruments["shortable"].to_dict() == {"BABA": True, "TCEHY": False}
    assert said(market, "BABA has no pair here: 9988.HK is missing.")


def test_a_hong_kong_file_between_the_ticks_is_not_raw() -> None:
    files = pair()
    assert load_market(long(files)).instruments.loc["9988.HK", "adjustment"] == "split"
    files["9988.HK"]["Close"] = files["9988.HK"]["Close"].round(0)
    assert load_market(long(files)).instruments.loc["9988.HK", "adjustment"] == "raw"


def test_a_line_alone_is_loaded_without_its_pair() -> None:
    files = pair()
    market = load_market(long({"BABA": files["BABA"]}))
    assert market.pairs.empty
    assert market.instruments.loc["BABA", "pair"] == ""
    assert market.ordinary_per_ads.empty


def test_an_unknown_symbol_is_read_and_said() -> None:
    files = {
        "ZZZZ": closes("XNYS", "2022-01-04", "2022-03-31"),
        "8888.HK": closes("XHKG", "2022-01-04", "2022-03-31"),
    }
    market = load_market(long(files | {"HKD=X": fixings("2022-01-04", "2022-03-31")}))
    assert said(market, "ZZZZ", "not in the registry")
    assert said(market, "8888.HK", "no known board lot")
    assert market.instruments.loc["ZZZZ", "kind"] == "stock"


def test_an_index_informs_and_is_no_reason_to_end_the_market() -> None:
    files = pair() | {"^HSI": closes("XHKG", "2022-01-04", "2022-02-01")}
    market = load_market(long(files))
    assert market.instruments.loc["^HSI", ["kind", "fee_class"]].tolist() == ["index", "none"]
    assert not market.instruments.loc["^HSI", "shortable"]
    assert market.grid["session"].max() == pd.Timestamp("2022-03-31")


def test_hong_kong_lines_are_shorted_only_where_allowed() -> None:
    files = long(pair())
    assert load_market(files).instruments["shortable"].to_dict() == {"9988.HK": False, "BABA": True}
    assert load_market(files, hk_shorts=["9988.HK"]).instruments["shortable"].all()


def test_a_range_keeps_what_is_in_it_and_nothing_later() -> None:
    files = pair()
    files["9988.HK"]["Dividends"] = 0.1
    market = load_market(long(files), start="2022-01-20", end="2022-02-28")
    assert market.grid["session"].min() == pd.Timestamp("2022-01-20")
    assert market.grid["session"].max() == pd.Timestamp("2022-02-28")
    assert market.dividends["ex_date"].between("2022-01-20", "2022-02-28").all()
    assert market.fixings["time"].max() <= market.grid["time"].iloc[-1]
    assert market.fx["HKD"].notna().all()


def test_a_label_says_where_prices_come_from(tmp_path: Path) -> None:
    folder = write(tmp_path / "prices", pair())
    market = load_market(folder, label="simulated market, seed 7")
    assert market.label == "simulated market, seed 7"
    assert repr(market).startswith("Market('simulated market, seed 7'")
    plain = load_market(folder)
    assert (plain.label, plain.notes) == ("prices loaded from prices", market.notes)
    pd.testing.assert_frame_equal(plain.price, market.price)
    for wrong in ("", "  ", 7, b"simulated"):
        with pytest.raises(ParameterError, match=r"label=.* is no text: say where the prices come from"):
            load_market(folder, label=wrong)


def test_the_real_folder_loads(real_prices: Path) -> None:
    load_market(real_prices, start="2018-01-02", ends="cut")
    begun = time.process_time()
    market = load_market(real_prices, start="2018-01-02", ends="cut")
    assert time.process_time() - begun < 5.0  # 0.9 s on an idle core
    assert market.grid["session"].iloc[0] == pd.Timestamp("2018-01-02")
    assert market.grid["session"].iloc[-1] == pd.Timestamp("2025-07-18")
    assert market.label == "prices loaded from prices"
    assert len(market.pairs) == 13
    assert market.delistings["symbol"].tolist() == ["CEO", "CHL", "CHU", "LFC", "PTR"]
    funds = market.instruments.query("kind == 'etf'")
    assert set(funds["adjustment"]) == {"total_return"}
    split = market.instruments.query("adjustment == 'split'")
    assert split.index.tolist() == ["0700.HK", "1211.HK", "1398.HK"]
    assert not set(split.index) & set(market.pairs["hk"])
    assert market.fx_age_days.max().max() <= 5.0


def test_the_real_folder_is_refused_by_name_unless_told_what_to_do_about_its_ends(real_prices: Path) -> None:
    with pytest.raises(DataError, match=r"0388.HK 2025-07-18"):
        load_market(real_prices, start="2018-01-02")


def test_the_real_folder_over_all_its_years_drops_typhoon_days_and_finds_china_lifes_split(
    real_prices: Path,
) -> None:
    market = load_market(real_prices, end="2020-12-11")
    assert said(market, "0941.HK.csv", "4 repeated closes", "2013-08-14")
    assert market.splits[["symbol", "ex_date", "factor"]].to_numpy().tolist() == [
        ["LFC", pd.Timestamp("2015-05-27"), 3.0]
    ]


def test_an_open_that_is_the_close_in_disguise_is_no_open(tmp_path: Path) -> None:
    """One price in all columns and no volume is a vendor's stand-in: a fill there would be hours early."""
    files = pair()
    table = files["9988.HK"].assign(High=lambda t: t["Close"] * 1.02, Low=lambda t: t["Open"] * 0.98)
    disguised, quiet, moved = table.index[10], table.index[20], table.index[30]
    table.loc[disguised, ["Open", "High", "Low"]] = table.loc[disguised, "Close"]
    table.loc[disguised, "Volume"] = 0.0
    table.loc[quiet, ["Open", "High", "Low"]] = table.loc[quiet, "Close"]  # one price, but it traded
    table.loc[moved, "Open"] = table.loc[moved, "Close"]
    table.loc[moved, "Volume"] = 0.0  # which is not known: the price moved on that day and came back
    market = load_market(write(tmp_path / "prices", files | {"9988.HK": table}))
    line = market.price["9988.HK"].set_axis(market.grid.index)
    steps = market.grid[market.grid["venue"] == "XHKG"].set_index(["session", "phase"]).index
    prices = dict(zip(steps, line[(market.grid["venue"] == "XHKG").to_numpy()], strict=True))
    assert np.isnan(prices[table["Date"][disguised], "open"])
    assert prices[table["Date"][disguised], "close"] == table["Close"][disguised]
    assert prices[table["Date"][quiet], "open"] == table["Close"][quiet]
    assert prices[table["Date"][moved], "open"] == table["Close"][moved]
    assert said(market, "9988.HK.csv", "1 open was left out")
