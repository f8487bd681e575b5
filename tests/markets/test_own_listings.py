"""Listings of one's own: what a table may say, what is told of a bad one, and where a market uses it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from price_folders import Action, closes, fixings, pair, split_pair
from robustness.catalogue.listings import FULL, FUND

import entrepot as ep
from entrepot.errors import EntrepotError, ParameterError
from entrepot.markets.instruments import describe, partner_of, reference_only, say_what_is_own
from entrepot.markets.listing_file import COLUMNS
from entrepot.markets.listings import Listings, load_listings
from entrepot.provenance import NOT_DATA, content_fingerprint

ALL = len(load_listings().frame)
HEADER = "adr,hk,ordinary_per_ads"
GOOD = "TST,1234,5"


def table(*rows: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), dtype="str")


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "mine.csv"
    path.write_bytes("\n".join([header, *rows, ""]).encode())
    return path


def told(source: object, **arguments: object) -> str:
    with pytest.raises(EntrepotError) as caught:
        load_listings(source, **arguments)
    return str(caught.value)


# -- what is enough, and what is filled in ----------------------------------------------------------------


def test_three_columns_are_enough_for_a_pair(tmp_path):
    listings = load_listings(written(tmp_path, GOOD))
    assert len(listings.frame) == ALL + 1
    row = listings.by_hk("01234")
    assert (row.name, row["hk"], row["company"], row["us_kind"]) == ("TST", "1234.HK", "TST", "ads")
    assert (row["sector"], row["size"], row["size_source"], row["withholding"]) == (
        "unclassified",
        "mid",
        "default",
        0.0,
    )
    assert np.isnan(row["lot"])
    assert listings.ratio("TST", "1980-01-01") == listings.ratio("TST", "2030-01-01") == 5.0
    assert "TST" not in listings.delistings.index
    assert len(load_listings().frame) == ALL


def test_a_full_row_is_carried_over_whole():
    listings = load_listings(table(FULL, FUND), replace=True)
    row = listings.by_company("test company")
    assert (row["lot"], row["withholding"], row["size"], row["size_source"]) == (
        200,
        0.1,
        "small",
        "own table",
    )
    assert (row["us_listed"], row["hk_listed"]) == (pd.Timestamp("2015-06-01"), pd.Timestamp("2018-01-02"))
    assert [listings.ratio("TST", day) for day in ("2020-03-01", "2020-03-02")] == [1.0, 5.0]
    assert listings.splits[["adr", "line", "factor", "source"]].to_numpy().tolist() == [
        ["TST", "hk", 5.0, "own table"]
    ]
    assert [listings.hk_status("TST", day) for day in ("2018-01-01", "2018-01-02", "2019-05-06")] == [
        "",
        "secondary",
        "dual-primary",
    ]
    gone = listings.delistings.loc["TST"]
    assert (gone["last_session"], gone["into"], gone["ordinary_per_ads"]) == (
        pd.Timestamp("2021-06-30"),
        "1234.HK",
        5.0,
    )
    fund = listings.instruments.loc["3456.HK"]
    assert (fund["kind"], fund["name"], fund["sector"], fund["withholding"]) == (
        "etf",
        "A fund",
        "broad:hsi",
        0.0,
    )


def test_a_month_and_a_privatisation_are_understood():
    row = FULL | {"us_last": "2021-06", "hk_status": "dual-primary until privatisation"}
    gone = load_listings(table(row), replace=True).delistings.loc["TST"]
    assert pd.isna(gone["last_session"])
    assert (gone["earliest"], gone["latest"]) == (pd.Timestamp("2021-06-01"), pd.Timestamp("2021-06-30"))
    assert gone["into"] == ""


def test_a_ratio_that_begins_on_the_last_day_is_the_one_at_the_end():
    gone = load_listings(table(FULL | {"us_last": "2020-03-02"}), replace=True).delistings.loc["TST"]
    assert gone["ordinary_per_ads"] == 5.0


def test_every_shape_of_a_table_gives_the_same_listings(tmp_path):
    frame = table(FULL, FUND)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    expected = load_listings(frame, replace=True)
    guessed = pd.read_csv(tmp_path / "a.csv")
    dates = guessed.assign(us_listed=pd.to_datetime(guessed["us_listed"]))
    for source in (
        str(tmp_path / "a.csv"),
        tmp_path / "a.parquet",
        guessed,
        dates,
        pl.from_pandas(frame),
        [frame],
        expected,
        [table(FULL), table(FUND)],
    ):
        assert load_listings(source, replace=True).equals(expected)


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [("0700.HK", "ordinary"), ("700.HK", "ordinary"), ("PDD", "stock"), ("^HSTECH", "index")],
)
def test_the_kind_of_a_plain_line_follows_from_its_symbol(symbol, kind):
    own = load_listings(pd.DataFrame({"symbol": [symbol]}), replace=True).instruments
    assert own["kind"].tolist() == [kind]
    assert own.index[0] == ("0700.HK" if kind == "ordinary" else symbol)


# -- add, override, drop, replace -------------------------------------------------------------------------


def test_a_row_takes_the_place_of_all_that_name_one_of_its_symbols():
    listings = load_listings(table({"adr": "BABA", "hk": "9988", "ordinary_per_ads": "4"}))
    assert len(listings.frame) == ALL
    assert listings.ratio("BABA", "2015-01-01") == 4.0
    assert listings.by_adr("BABA")["lot"] is not None
    assert "BABA" not in set(listings.splits["adr"])  # a row is replaced whole
    other = load_listings(table({"adr": "XXX", "hk": "9988", "ordinary_per_ads": "4"}))
    assert "BABA" not in other.frame.index
    assert partner_of("9988.HK", other) == "XXX"
    taken = load_listings(table({"adr": "XXX", "hk": "0939", "ordinary_per_ads": "4"}))
    assert "0939.HK" not in taken.instruments.index
    fund = load_listings(pd.DataFrame({"symbol": ["9988.HK"], "kind": ["etf"]}))
    assert "BABA" not in fund.frame.index


def test_rows_and_arguments_drop():
    dropped = load_listings(pd.DataFrame({"adr": ["BABA"], "drop": [1]}))
    assert len(dropped.frame) == ALL - 1
    assert dropped.equals(load_listings(drop="BABA"))
    assert dropped.equals(load_listings().without("9988.HK"))
    assert "KWEB" not in load_listings(drop=["KWEB", "JD"]).instruments.index
    assert "there is no such line to leave out, did you mean BABA?" in told(
        pd.DataFrame({"adr": ["BABBA"], "drop": [1]})
    )
    assert "there is no line 'BABBA' to leave out, did you mean BABA?" in told(None, drop="BABBA")
    for symbol in ("BABA", "9988.HK"):
        both = table({"adr": "BABA", "hk": "9988", "ordinary_per_ads": "4"}, {"hk": symbol, "drop": "1"})
        assert f"row 3 ({symbol}): drop is 1, and another row gives the same line" in told(both.fillna(""))
    assert "drop is 5" in told(None, drop=5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"replace": 1, "path": "a.csv"}, "replace is 1"),
        ({"replace": True, "path": None}, "replace=True needs a file"),
        ({"path": []}, "path is an empty list"),
        ({"path": 5}, "path is 5: give the path of a CSV file or Parquet file of listings"),
        ({"path": "absent.csv"}, "cannot be read as a table of listings"),
    ],
)
def test_other_arguments_are_refused(arguments, words):
    assert words in told(**{"source": arguments.pop("path")} | arguments)


# -- what is told of a table that cannot be used; single rows: robustness/catalogue/listings.py --------------


def test_a_line_is_given_once_and_all_bad_rows_are_told_at_once(tmp_path):
    assert "row 3 (TWO): 1234.HK is already used in row 2; give each line once" in told(
        written(tmp_path, GOOD, "TWO,1234.HK,1")
    )
    rows = [f"T{chr(65 + i)},{2000 + i},-1" for i in range(8)]
    lines = told(written(tmp_path, *rows)).split("\n")
    assert lines[0] == "mine.csv has 8 rows that cannot be used:"
    assert lines[1].startswith("  row 2 (TA): ordinary_per_ads is '-1'")
    assert lines[-1] == "  and 3 more."


def test_columns_of_ones_own_are_kept(tmp_path):
    path = written(tmp_path, GOOD + ",x,", "KWEB2,,,y,KWEB2"[5:], header=HEADER + ",desk,symbol")
    listings = load_listings(path)
    assert listings.by_adr("TST")["desk"] == "x"
    assert listings.by_adr("BABA")["desk"] == ""
    assert listings.instruments.loc["KWEB2", "desk"] == "y"


# -- saving, and the laws of merging ----------------------------------------------------------------------


def test_the_bundled_listings_saved_are_loaded_the_same(tmp_path):
    listings = load_listings()
    for name in ("all.csv", "all.parquet"):
        listings.save(tmp_path / name)
        assert load_listings(tmp_path / name, replace=True).equals(listings)
        assert sorted(load_listings(tmp_path / name).frame.index) == sorted(listings.frame.index)
    saved = pd.read_csv(tmp_path / "all.csv", dtype=str)
    assert saved["format"].unique().tolist() == ["listings 1"]
    assert list(saved.columns) == [*COLUMNS, "format"]
    assert len(saved) == len(listings.frame) + len(listings.instruments)


TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=8).map(str.strip)


@st.composite
def own_listings(draw: st.DrawFn) -> Listings:
    rows = []
    names = draw(st.lists(st.sampled_from(["AA", "BB", "CC", "DD"]), max_size=3, unique=True))
    codes = draw(st.permutations(["1111", "2222", "3333", "4444", "5555"]))
    for adr, code in zip(names, codes, strict=False):
        before, factor = draw(st.sampled_from([1, 0.5, 3])), draw(st.sampled_from([2, 0.1, 10]))
        line = draw(st.sampled_from(["hk", "ads", "both", ""]))
        after = {"hk": before * factor, "ads": before / factor, "both": before, "": before}[line]
        rows.append(
            {
                "adr": adr,
                "hk": draw(st.sampled_from([code, ""])),
                "company": draw(TEXT),
                "ratio_history": f"2010-01-04:{before}"
                + (f"|2015-01-05:{after!r}" if after != before else ""),
                "splits": f"2015-01-05:{line}:{factor}:{draw(TEXT).replace('|', '/')}" if line else "",
                "lot": draw(st.sampled_from(["", "100", "2000"])),
                "notes": draw(TEXT),
                "withholding": draw(st.sampled_from(["", "0.1", "1/3", "0.123456789"])),
                "us_last": draw(st.sampled_from(["", "2020-06", "2020-06-30"])),
                "us_exchange": draw(st.sampled_from(["", "OTC", "NYSE"])),
                "size": draw(st.sampled_from(["", "mega"])),
            }
        )
    for symbol in draw(
        st.lists(st.sampled_from(["KWEB", "4444.HK", "6666.HK", "EE"]), max_size=2, unique=True)
    ):
        if symbol != "4444.HK" or "4444" not in {row.get("hk") for row in rows}:
            rows.append({"symbol": symbol, "company": draw(TEXT), "lot": draw(st.sampled_from(["", "50"]))})
    columns = [
        "adr",
        "hk",
        "symbol",
        "company",
        "ratio_history",
        "splits",
        "lot",
        "notes",
        "withholding",
        "us_last",
        "us_exchange",
        "size",
    ]
    return load_listings(pd.DataFrame(rows, columns=columns), replace=True)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(own=own_listings(), suffix=st.sampled_from([".csv", ".parquet"]))
def test_what_is_saved_is_loaded_to_the_last_bit(tmp_path, own, suffix):
    own.save(tmp_path / f"saved{suffix}")
    assert load_listings(tmp_path / f"saved{suffix}", replace=True).equals(own)
    assert {path.stem for path in tmp_path.iterdir()} == {"saved"}


@settings(max_examples=12, deadline=None)
@given(first=own_listings(), second=own_listings())
def test_the_laws_of_merging(first, second):
    assert first.merge(first).equals(first)
    merged = first.merge(second)
    assert merged.merge(second).equals(merged)
    assert set(second.frame.index) <= set(merged.frame.index)
    for name in second.symbols:
        assert describe(name, merged) == describe(name, second)
        assert partner_of(name, merged) == partner_of(name, second)
    untouched = first.without(*(first.symbols & second.symbols))
    for name in untouched.symbols:
        assert describe(name, merged) == describe(name, first)
    for adr in merged.frame.index:
        source = second if adr in second.frame.index else first
        for table_name in ("ratios", "splits", "statuses"):
            got, expected = (
                getattr(one, table_name)[getattr(one, table_name)["adr"] == adr].reset_index(drop=True)
                for one in (merged, source)
            )
            pd.testing.assert_frame_equal(got, expected)
    pd.testing.assert_frame_equal(
        merged.delistings.sort_index(),
        pd.concat([untouched.delistings, second.delistings]).sort_index(),
        check_dtype=False,
    )


def test_merge_takes_listings_and_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    with pytest.raises(ParameterError, match=r"merge was given 'a\.csv'"):
        load_listings().merge("a.csv")
    with pytest.raises(ParameterError, match="ending in"):
        load_listings().save(tmp_path / "a.txt")

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ParameterError, match="no space left"):
        load_listings().save(tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


OBJECTS = st.one_of(
    st.text(max_size=8),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.binary(max_size=3),
    st.sampled_from(
        ["9" * 400, "1/0", "0/1", "1e-300", "^", "|", "2020-01-01:1|", "nan", "\u0661\u0662\u0663\u0664"]
    ),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), base=st.sampled_from([FULL, FUND]))
def test_random_cells_give_listings_or_a_sentence(tmp_path, data, base):
    row: dict[str, object] = dict(base)
    for name in data.draw(st.lists(st.sampled_from(sorted(row)), min_size=1, max_size=4)):
        row[name] = data.draw(OBJECTS)
    try:
        own = load_listings(pd.DataFrame([row], dtype=object), replace=True)
    except EntrepotError as error:
        only_sentences(error)
    else:
        own.save(tmp_path / "again.csv")
        assert load_listings(tmp_path / "again.csv", replace=True).equals(own)
        assert len(own.delistings) <= 1


def only_sentences(error: EntrepotError) -> None:
    assert all(line.isprintable() for line in str(error).split("\n"))


# -- where a market uses them -----------------------------------------------------------------------------


def folder_of(tmp_path: Path, files: dict[str, pd.DataFrame], name: str = "prices") -> Path:
    folder = tmp_path / name
    folder.mkdir()
    for symbol, frame in files.items():
        frame.to_csv(folder / f"{symbol}.csv", index=False)
    return folder


OWN_PAIR = FULL | {"us_last": "", "ratio_history": "2015-06-01:5", "splits": ""}


def test_a_pair_of_ones_own_is_a_pair(tmp_path):
    folder = folder_of(tmp_path, pair("TST", "1234.HK", ratio=5.0))
    plain = ep.load_market(folder)
    assert len(plain.pairs) == 0
    assert any("TST is not in the registry" in note for note in plain.notes)
    path = tmp_path / "mine.csv"
    table(OWN_PAIR).to_csv(path, index=False)
    market = ep.load_market(folder, listings=path)
    assert market.pairs.index.tolist() == ["TST"]
    hk, adr = market.instruments.loc["1234.HK"], market.instruments.loc["TST"]
    assert (hk["lot"], hk["pair"], hk["company"], hk["sector"]) == (200, "TST", "Test Company", "it:software")
    assert (adr["kind"], adr["pair"], adr["size"], adr["withholding"]) == ("ads", "1234.HK", "small", 0.1)
    assert abs(ep.premium(market, "TST", align="next_hk").median()) < 0.02  # the ratio of 5 is used
    assert "Listings of one's own, other than the bundled ones, were used for 1234.HK, TST." in market.notes
    assert market.label == "prices loaded from prices, listings of one's own"
    for same in (load_listings(path), table(OWN_PAIR), load_listings(path, replace=True)):
        assert ep.load_market(folder, listings=same).instruments.equals(market.instruments)


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("ratios", "ordinary_per_ads", 4.0),
        ("splits", "factor", 4.0),
        ("frame", "us_last_latest", pd.Timestamp("2025-01-02")),
        ("frame", "us_exchange", "OTC"),
        ("frame", "company", "Another"),
    ],
)
def test_what_is_own_is_said_of_every_fact_and_of_no_other_line(name, column, value):
    names, changed = ["JD", "BABA", "KWEB"], load_listings()
    assert say_what_is_own(names, load_listings(), "label") == ("label", [])
    rows = getattr(changed, name)
    rows.loc[(rows.index if name == "frame" else rows["adr"]) == "BABA", column] = value
    changed = dataclasses.replace(changed, **{name: rows})
    said = "Listings of one's own, other than the bundled ones, were used for BABA."
    assert say_what_is_own(names, changed, "label") == ("label, listings of one's own", [said])


def test_the_bundled_listings_given_change_nothing(tmp_path):
    folder = folder_of(tmp_path, pair())
    plain = ep.load_market(folder)
    listings = load_listings()
    listings.save(tmp_path / "all.csv")
    for same in (listings, tmp_path / "all.csv"):
        market = ep.load_market(folder, listings=same)
        assert (market.label, market.notes) == (plain.label, plain.notes)
        for name in ("price", "instruments", "ratios", "splits", "delistings", "dividends"):
            pd.testing.assert_frame_equal(getattr(market, name), getattr(plain, name))


def test_markets_of_different_listings_do_not_disturb_each_other(tmp_path):
    folder = folder_of(tmp_path, pair())
    before = ep.load_market(folder)
    row = {"adr": "BABA", "hk": "9988", "ordinary_per_ads": "8", "lot": "7", "sector": "it:software"}
    own = ep.load_market(folder, listings=table(row))
    assert own.instruments.loc["9988.HK", ["lot", "sector"]].tolist() == [7, "it:software"]
    assert own.ratios["effective_from"].tolist() == [pd.Timestamp("1970-01-01")]
    with pytest.raises(EntrepotError, match=r"2(.01)? times its parity with"):
        ep.load_market(folder, listings=table(row | {"ordinary_per_ads": "4"}))
    other = ep.load_market(folder, listings=load_listings(drop="BABA"))
    assert len(other.pairs) == 0
    changed = load_listings()
    frame, ratios = changed.frame, changed.ratios
    frame.loc["BABA", "lot"] = 7.0
    ratios.loc[:, "ordinary_per_ads"] = 1.0
    after = ep.load_market(folder)
    pd.testing.assert_frame_equal(after.instruments, before.instruments)
    pd.testing.assert_frame_equal(after.ratios, before.ratios)
    assert after.label == before.label


@pytest.mark.parametrize(("hk_factor", "ads_factor", "after"), [(5, 1, 5), (1, 0.2, 5)])
def test_dated_ratios_and_splits_of_ones_own_are_used(tmp_path, hk_factor, ads_factor, after):
    """Raw prices jump at the split; the premium does not, where the listings know of it."""
    action = Action("TST", "1234.HK", "2021-03-10", hk_factor, ads_factor, 1, after)
    files, premium = split_pair(action, ads_adjusted=False, hk_adjusted=False)
    folder = folder_of(tmp_path, files)
    line = "hk" if hk_factor != 1 else "ads"
    factor = hk_factor if line == "hk" else ads_factor
    row = {"adr": "TST", "hk": "1234", "ratio_history": f"2015-06-01:1|2021-03-10:{after}"}
    market = ep.load_market(folder, listings=table(row | {"splits": f"2021-03-10:{line}:{factor}"}))
    assert market.splits[["symbol", "factor"]].to_numpy().tolist() == [
        ["1234.HK" if line == "hk" else "TST", factor]
    ]
    assert market.ratios["ordinary_per_ads"].tolist() == [1.0, after]
    told = ep.premium(market, "TST", align="same_date").dropna()
    np.testing.assert_allclose(told, premium.reindex(told.index), atol=0.01)


def test_a_departure_of_ones_own_is_kept_converts_and_is_estimated(tmp_path):
    files = pair("TST", "1234.HK", "2020-11-02", "2021-03-31", ratio=5.0)
    files["TST"] = files["TST"][files["TST"]["Date"] <= "2020-12-11"]
    folder = folder_of(tmp_path, files)
    with pytest.raises(EntrepotError, match="prices end before the market's end"):
        ep.load_market(folder, listings=table(OWN_PAIR))
    left = table(OWN_PAIR | {"us_last": "2021-01-08"})
    market = ep.load_market(folder, listings=left)
    assert market.delistings[["symbol", "into", "ordinary_per_ads"]].to_numpy().tolist() == [
        ["TST", "1234.HK", 5.0]
    ]
    assert any("its last session is 2021-01-08" in note for note in market.notes)
    parity = ep.load_market(folder, listings=left, departures="parity")
    assert len(parity.estimates) == 18
    alone = {symbol: frame for symbol, frame in files.items() if symbol != "1234.HK"} | {
        "9988.HK": closes("XHKG", "2020-11-02", "2021-03-31")
    }
    with pytest.raises(EntrepotError, match=r"needs 1234\.HK, its Hong Kong line: load it too"):
        ep.load_market(folder_of(tmp_path, alone, "alone"), listings=left, departures="parity")


def test_a_reference_line_and_plain_lines_of_ones_own(tmp_path):
    start, end = "2022-01-04", "2022-03-31"
    files = pair("TST", "1234.HK", ratio=5.0) | {
        "3456.HK": closes("XHKG", start, end, seed=5),
        "PDD": closes("XNYS", start, end, seed=6),
    }
    rows = table(
        OWN_PAIR | {"us_exchange": "OTC"},
        FUND | {"lot": "500"},
        FUND | {"symbol": "PDD", "kind": "", "company": "PDD", "sector": "consumer_discretionary:ecommerce"},
    )
    own = load_listings(rows)
    assert reference_only("TST", own)
    assert not reference_only("TST")
    market = ep.load_market(folder_of(tmp_path, files), listings=own)
    assert not market.instruments.loc["TST", "shortable"]
    fund, share = market.instruments.loc["3456.HK"], market.instruments.loc["PDD"]
    assert (fund["kind"], fund["lot"], fund["fee_class"], fund["sector"]) == (
        "etf",
        500,
        "hk_etp",
        "broad:hsi",
    )
    assert (share["kind"], share["sector"], share["lot"]) == ("stock", "consumer_discretionary:ecommerce", 1)
    assert not any("is not in the registry" in note for note in market.notes)


def test_a_simulated_market_uses_them():
    days = {
        "start": "2020-01-02",
        "end": "2020-03-31",
        "seed": 7,
        "symbols": ["BABA", "9988.HK", "JD", "9618.HK"],
    }
    plain = ep.simulate_market(**days)
    row = {"adr": "BABA", "hk": "9988", "ordinary_per_ads": "4", "lot": "7", "us_last": "2020-02-28"}
    own = ep.simulate_market(**days, listings=table(row))
    assert own.instruments.loc["9988.HK", "lot"] == 7
    assert own.ratios.set_index("adr")["ordinary_per_ads"].to_dict() == {"BABA": 4.0, "JD": 2.0}
    assert own.delistings["symbol"].tolist() == ["BABA"]
    assert own.price["BABA"].last_valid_index() < pd.Timestamp("2020-03-01", tz="UTC")
    pd.testing.assert_series_equal(own.price["JD"], plain.price["JD"])
    assert own.label == "simulated market, seed 7, listings of one's own"
    again = ep.simulate_market(**days)
    pd.testing.assert_frame_equal(again.price, plain.price)
    pd.testing.assert_frame_equal(again.instruments, plain.instruments)
    assert (again.label, again.notes) == (plain.label, plain.notes)


def test_a_market_has_the_listings_it_was_made_with():
    listings = load_listings(table(BASE))
    first = ep.simulate_market(**DAYS, listings=listings)
    rows = listings.frame
    rows.loc["BABA", "lot"] = 7.0
    second = ep.simulate_market(**DAYS, listings=dataclasses.replace(listings, frame=rows))
    lots = [market.instruments.loc["9988.HK", "lot"] for market in (first, second)]
    assert lots == [100.0, 7.0]


DAYS = {"start": "2020-01-02", "end": "2020-02-27", "seed": 7, "symbols": ["BABA", "9988.HK"]}
BASE = {"adr": "BABA", "hk": "9988", "ordinary_per_ads": "8", "lot": "100"}


@pytest.fixture(scope="module")
def base() -> ep.Market:
    return ep.simulate_market(**DAYS, listings=table(BASE))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("lot", "7"),
        ("sector", "it:software"),
        ("size", "small"),
        ("withholding", "0.1"),
        ("ordinary_per_ads", "4"),
        ("us_last", "2020-02-20"),
        ("kind", "common"),
    ],
)
def test_what_listings_change_is_in_the_fingerprint_of_the_data(base, column, value):
    other = ep.simulate_market(**DAYS, listings=table(BASE | {column: value}))
    assert content_fingerprint(base, NOT_DATA) != content_fingerprint(other, NOT_DATA)


def test_a_result_and_a_checkpoint_see_that_listings_differ(base, tmp_path):
    markets = [ep.simulate_market(**DAYS, listings=table(BASE | {"lot": "7"})), base]
    plan = ep.LongHKShortADR(lookback=20)
    first, second = (ep.backtest(market, plan).provenance for market in markets)
    assert first["Data"] != second["Data"]
    assert first["Run"] != second["Run"]
    assert first["Prices"].endswith("listings of one's own")
    ep.sweep(markets[0], plan, {"entry": [1.0, 1.5]}, checkpoint=tmp_path / "kept", progress=False)
    with pytest.raises(EntrepotError, match="market"):
        ep.sweep(markets[1], plan, {"entry": [1.0, 1.5]}, checkpoint=tmp_path / "kept", progress=False)


def test_what_is_no_listing_is_refused_where_a_market_is_made(tmp_path):
    folder = folder_of(tmp_path, {**pair(), "HKD=X": fixings("2022-01-04", "2022-03-31")})
    for make in (
        lambda given: ep.load_market(folder, listings=given),
        lambda given: ep.simulate_market("2020-01-02", "2020-01-31", listings=given),
    ):
        with pytest.raises(ParameterError, match="path is 5"):
            make(5)
        with pytest.raises(EntrepotError, match="cannot be read as a table of listings"):
            make(tmp_path / "absent.csv")
