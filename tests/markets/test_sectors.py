"""The map of sectors: whole, tied to the registry, dated, and refused where it contradicts itself."""

from __future__ import annotations

from dataclasses import replace

import naive_sectors
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import entrepot as ep
from entrepot.markets.listings import load_instruments, load_listings
from entrepot.markets.sectors import SectorMap, coded, first_level, load_sectors
from entrepot.markets.tables import read_table

COLUMNS = "symbol sector since until export_exposure source confidence notes"
TABLE = read_table("sectors.csv", COLUMNS)


@pytest.fixture(scope="module")
def sectors() -> SectorMap:
    return load_sectors()


def own_map(path, text, header="symbol,sector,since,until"):
    path.write_text(f"{header}\n{text}", encoding="utf-8")
    return load_sectors(path)


def test_today_is_what_the_registry_says(sectors):
    registry, others = load_listings().frame, load_instruments()
    expected = dict(registry["sector"]) | dict(others["sector"])
    expected |= {row["hk"]: row["sector"] for _, row in registry.iterrows() if row["hk"]}
    assert dict(sectors.at("2026-11-26")) == expected
    market = ep.simulate_market(start="2024-01-02", end="2024-03-28", seed=1)
    today = sectors.at("2026-11-26")[list(market.symbols)]
    assert today.tolist() == market.instruments["sector"].tolist()


def test_both_lines_of_a_company_always_agree(sectors):
    registry = load_listings().frame
    for adr, hk in registry["hk"][registry["hk"].ne("")].items():
        columns = ["sector", "since", "until", "export_exposure"]
        one, two = (
            sectors.frame.loc[sectors.frame["symbol"] == s, columns].reset_index(drop=True) for s in (adr, hk)
        )
        pd.testing.assert_frame_equal(one, two)


def test_every_row_has_a_source_and_dated_rows_say_how_sure_they_are():
    assert TABLE["source"].ne("").all()
    assert TABLE["confidence"].isin(["high", "medium", "low"]).all()
    dated = TABLE[TABLE["since"].ne("") | TABLE["until"].ne("")]
    assert dated["source"].str.contains("2018-01-11").all()
    assert dated["notes"].ne("").all()
    exposed = TABLE[TABLE["export_exposure"].ne("0")]
    assert exposed["notes"].ne("").all()


def test_internet_companies_left_technology_after_the_close_of_28_september_2018(sectors):
    before, after = sectors.at("2018-09-28").map(first_level), sectors.at("2018-09-29").map(first_level)
    moved = before.index[before != after]
    for symbol in ("BABA", "9988.HK", "BZUN"):
        assert (before[symbol], after[symbol]) == ("it", "consumer_discretionary")
    for symbol in ("0700.HK", "BIDU", "NTES", "WB", "ATHM"):
        assert (before[symbol], after[symbol]) == ("it", "communication")
    assert {"BABA", "BIDU", "NTES", "WB", "ATHM", "BZUN", "TCEHY"} == {s for s in moved if ".HK" not in s}
    assert (before[moved] == "it").all()
    unchanged = sectors.at("2023-03-17") == sectors.at("2023-03-20")
    assert unchanged.all()


def test_exporters_and_domestic_demand_are_the_press_s(sectors):
    """Hardware and appliances on one side; telecom, utilities, banks and state energy on the other."""
    today = sectors.at("2020-01-02").map(first_level)
    exposure = sectors.exposure(today.index, "2020-01-02")
    assert set(exposure) == {-1.0, 0.0, 1.0}
    assert (exposure[today.isin(["telecom", "utilities", "energy"])] == -1).all()
    assert (exposure[["0939.HK", "1398.HK", "3988.HK", "3968.HK", "LFC", "2628.HK"]] == -1).all()
    assert (exposure[["1810.HK", "0992.HK", "2382.HK", "0285.HK", "0300.HK", "6690.HK", "HSAI"]] == 1).all()
    assert (exposure[["BABA", "0700.HK", "KWEB", "MCHI", "0005.HK"]] == 0).all()
    assert not (exposure[today == "it"] == -1).any()
    assert np.isnan(sectors.exposure(["PDD"], "2020-01-02")["PDD"])
    assert sectors.exposure(["KARS", "ASHR"], "2020-01-02").tolist() == [1.0, -1.0]


def test_codes_by_step_are_the_look_up_of_each_date(sectors):
    market = ep.simulate_market(start="2018-09-03", end="2018-10-31", seed=3)
    steps = np.array([0, 5, 60, 71, 72, 73, 90, len(market) - 1])
    codes, names = sectors.of(market, steps)
    assert codes.shape == (len(steps), len(market.symbols))
    rows = TABLE.to_dict("records")
    for i, step in enumerate(steps):
        date = market.grid["session"][step]
        words = [naive_sectors.sector_on(rows, symbol, date) for symbol in market.symbols]
        assert [names[code] for code in codes[i]] == words
    whole, of_all = sectors.of(market)
    assert whole.shape == market.price.shape
    np.testing.assert_array_equal(whole[steps], codes)
    assert of_all == names
    assert (whole[0] != whole[-1]).any()


def test_a_word_given_by_hand_is_believed_unless_overruled(sectors):
    market = ep.simulate_market(start="2018-09-03", end="2018-10-31", seed=3)
    table = market.instruments.copy()
    table.loc["BABA", "sector"] = "shops:large"
    market = replace(market, instruments=table)
    column = market.column("BABA")

    def words(overrule):
        codes, names = sectors.of(market, np.array([0, len(market) - 1]), overrule)
        return [names[code] for code in codes[:, column]]

    assert words(False) == ["shops", "shops"]
    assert words(True) == ["it", "consumer_discretionary"]


def test_lines_outside_the_map_keep_the_market_s_word(sectors):
    plain = ep.Market.from_prices(
        pd.DataFrame({"A": [1.0, 2.0], "BABA": [3.0, 4.0]}, pd.to_datetime(["2018-09-28", "2018-10-01"]))
    )
    codes, names = sectors.of(plain)
    assert names == ("unclassified",)
    assert (codes == 0).all()
    codes, names = sectors.of(plain, overrule=True)
    assert [[names[c] for c in row] for row in codes] == [
        ["unclassified", "it"],
        ["unclassified", "consumer_discretionary"],
    ]


def test_one_s_own_rows_replace_those_of_the_symbol(tmp_path, sectors):
    header = "sector,symbol,since,until,export_exposure"
    text = "shops,BABA,2020-01-01,2020-12-31,+1\nstorms:new,NEW,,,\ncalm,BABA,2021-01-01,,-1\n"
    own = own_map(tmp_path / "own.csv", text, header)
    assert "BABA" not in own.at("2019-12-31")
    assert own.at("2020-12-31")["BABA"] == "shops"
    assert own.at(pd.Timestamp("2021-01-01 16:00"))["BABA"] == "calm"
    assert own.exposure(["BABA", "NEW", "0992.HK"], "2020-06-01").tolist() == [1.0, 0.0, 1.0]
    assert own.at("2020-06-01")["NEW"] == "storms:new"
    assert len(own.at("2020-06-01")) == len(sectors.at("2020-06-01")) + 1
    assert load_sectors().at("2020-06-01")["BABA"].startswith("consumer")
    assert repr(sectors) == "SectorMap(147 lines, 14 changes of sector)"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 12), min_size=0, max_size=3), min_size=1, max_size=4),
    st.integers(2, 30),
    st.data(),
)
def test_codes_do_not_depend_on_what_comes_later(lengths, days, data):
    """Periods of random lengths: every code is the look-up, and a shorter calendar keeps names' order."""
    first = pd.Timestamp("2020-01-01")
    rows = []
    for n, own in enumerate(lengths):
        since = ""
        for length in own:
            until = (pd.Timestamp(since) if since else first) + pd.Timedelta(days=length)
            rows.append((f"S{n}", data.draw(st.sampled_from("abc")), since, str(until.date())))
            since = str((until + pd.Timedelta(days=1)).date())
        if data.draw(st.booleans()) or not own:
            rows.append((f"S{n}", data.draw(st.sampled_from("abc")), since, ""))
    history = pd.DataFrame(rows, columns=["symbol", "sector", "since", "until"])
    symbols = [f"S{n}" for n in range(len(lengths))]
    parsed = history.assign(
        since=pd.to_datetime(history["since"]).dt.as_unit("ns"),
        until=pd.to_datetime(history["until"]).dt.as_unit("ns"),
    )
    sessions = pd.date_range(first, periods=days)
    codes, names = coded(parsed, symbols, sessions)
    for i, date in enumerate(sessions):
        for n, symbol in enumerate(symbols):
            word = naive_sectors.sector_on(history.to_dict("records"), symbol, date)
            assert (None if codes[i, n] < 0 else names[codes[i, n]]) == word
    _, fewer = coded(parsed, symbols, sessions[: days // 2])
    assert [name for name in names if name in fewer] == list(fewer)
