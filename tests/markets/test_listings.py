from __future__ import annotations

import pandas as pd
import pytest

from entrepot.errors import DataError, EntrepotError
from entrepot.markets import listings as module
from entrepot.markets.fees import fee_schedule
from entrepot.markets.listings import Listings, hk_symbol, load_instruments, load_listings
from entrepot.markets.tables import read_table


@pytest.fixture(scope="module")
def registry() -> Listings:
    return load_listings()


def test_registry_is_carried_over_whole(registry: Listings) -> None:
    assert len(registry.frame) == 53
    assert registry.frame["hk"].ne("").sum() == 51  # DIDI and LK have no Hong Kong line
    assert registry.frame.loc["HCM", "hk"] == "0013.HK"  # the leading zeros survive
    assert (registry.frame["us_exchange"] == "OTC").sum() == 3


@pytest.mark.parametrize("code", ["9988", "09988", "9988.HK", " 9988.hk "])
def test_lookup_by_hong_kong_code(registry: Listings, code: str) -> None:
    assert registry.by_hk(code)["adr_ticker"] == "BABA"


def test_short_codes_are_padded() -> None:
    assert hk_symbol("700") == "0700.HK"
    assert hk_symbol("0013.HK") == "0013.HK"
    assert hk_symbol("80700") == "80700.HK"  # five digits: the renminbi counter


@pytest.mark.parametrize("name", ["Alibaba Group", "alibaba", "CHINA MOBILE"])
def test_lookup_by_company(registry: Listings, name: str) -> None:
    assert registry.by_company(name)["company"].casefold().startswith(name.casefold())


def test_lookup_by_ticker(registry: Listings) -> None:
    row = registry.by_adr("jd")
    assert (row["hk"], row["lot"], row["sector"]) == ("9618.HK", 50.0, "consumer_discretionary:ecommerce")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: r.by_adr("BABBA"), "did you mean BABA"),
        (lambda r: r.by_hk("1234"), "1234"),
        (lambda r: r.by_hk("BABA"), "write it as 9988"),
        (lambda r: r.by_company("China"), "write more of the name"),
        (lambda r: r.by_company(""), "no company"),
        (lambda r: r.ratio("BABA", "2014-09-18"), "2014-09-19"),
        (lambda r: r.ratio("PDD", "2020-01-02"), "PDD"),
    ],
)
def test_unknown_names_and_dates_are_refused_with_a_hint(registry: Listings, call, words: str) -> None:
    with pytest.raises(EntrepotError, match=words):
        call(registry)


@pytest.mark.parametrize(
    ("adr", "day", "expected"),
    [
        ("BABA", "2019-07-29", 1.0),
        ("BABA", "2019-07-30", 8.0),
        ("NTES", "2020-10-01", 25.0),
        ("NTES", "2020-10-02", 5.0),
        ("BIDU", "2021-02-26", 0.1),
        ("BIDU", "2021-03-01", 8.0),
        ("HTHT", "2018-05-24", 4.0),
        ("HTHT", "2018-05-25", 1.0),
        ("EDU", "2021-03-10", 1.0),  # both lines were split that day
        ("DIDI", "2022-01-03", 0.25),
        ("JD", "2026-10-01", 2.0),
    ],
)
def test_ratio_in_force(registry: Listings, adr: str, day: str, expected: float) -> None:
    assert registry.ratio(adr, day) == expected


def test_a_date_with_a_zone_is_that_of_its_own_clock(registry: Listings) -> None:
    eve, day = (pd.Timestamp(d, tz="UTC") for d in ("2019-07-29", "2019-07-30"))
    assert (registry.ratio("BABA", eve), registry.ratio("BABA", day)) == (1.0, 8.0)
    assert registry.hk_status("BABA", pd.Timestamp("2021-01-04 09:30", tz="Asia/Hong_Kong")) == "secondary"


def test_every_ratio_change_is_the_quotient_of_its_splits(registry: Listings) -> None:
    """The ratio of ordinary shares to ADS follows the split of the one line over that of the other."""
    splits = registry.splits.set_index(["adr", "date"])
    entries = set()
    for adr, history in registry.ratios.groupby("adr"):
        change = (history["ordinary_per_ads"] / history["ordinary_per_ads"].shift()).iloc[1:]
        for day, quotient in zip(history["effective_from"].iloc[1:], change, strict=True):
            line, factor = splits.loc[(adr, day), ["line", "factor"]]
            of_hk = factor if line in ("hk", "both") else 1.0
            of_ads = factor if line in ("ads", "both") else 1.0
            assert quotient == pytest.approx(of_hk / of_ads, rel=1e-12), (adr, day)
            entries.add((adr, day))
    assert entries == set(splits.index)


def test_splits_the_press_and_the_filings_name(registry: Listings) -> None:
    splits = registry.splits
    days = splits["date"].dt.strftime("%Y-%m-%d")
    table = dict(
        zip(
            zip(splits["adr"], days, strict=True),
            zip(splits["line"], splits["factor"], strict=True),
            strict=True,
        )
    )
    hk_only = {
        ("BABA", "2019-07-30"): 8,
        ("BIDU", "2021-03-01"): 80,
        ("TCOM", "2021-03-18"): 8,
        ("HTHT", "2021-06-25"): 10,
        ("ATHM", "2021-02-05"): 4,
        ("ZLAB", "2022-03-30"): 10,
        ("NOAH", "2023-10-30"): 10,
        ("HSAI", "2026-07-10"): 8,
    }
    ads_only = {
        ("NTES", "2020-10-02"): 5,
        ("EDU", "2022-04-08"): 0.1,
        ("ZH", "2024-05-10"): 1 / 6,
        ("LU", "2023-12-15"): 0.25,
        ("OCFT", "2022-12-12"): 0.1,
    }
    assert {key: value for key, value in table.items() if key in hk_only} == {
        key: ("hk", factor) for key, factor in hk_only.items()
    }
    assert {key: value for key, value in table.items() if key in ads_only} == {
        key: ("ads", pytest.approx(factor)) for key, factor in ads_only.items()
    }
    assert table["EDU", "2021-03-10"] == ("both", 10)
    assert registry.splits["source"].ne("").all()


def test_delistings_keep_their_day_where_it_is_known_and_only_bounds_where_it_is_not(
    registry: Listings,
) -> None:
    gone = registry.delistings
    assert len(gone) == 17
    assert gone.loc["CHL", "last_session"] == pd.Timestamp("2021-01-08")
    assert gone.loc["CHL", ["into", "ordinary_per_ads"]].tolist() == ["0941.HK", 5.0]
    assert gone.loc["DIDI", "into"] == ""
    assert pd.isna(gone.loc["OCFT", "last_session"])
    bounds = [pd.Timestamp("2025-11-01"), pd.Timestamp("2025-11-30")]
    assert gone.loc["OCFT", ["earliest", "latest"]].tolist() == bounds
    assert gone.loc["OCFT", "into"] == ""  # both lines went in the privatisation
    assert gone.loc["PTR", "confidence"] == "medium"
    exact = gone.drop(index="OCFT")
    assert (exact["last_session"] == exact["latest"]).all()
    assert "BABA" not in gone.index


def test_last_sessions_are_new_york_sessions(registry: Listings) -> None:
    from entrepot.markets.sessions import session_times

    for adr, day in registry.delistings["last_session"].dropna().items():
        assert len(session_times("XNYS", day, day)) == 1, adr


@pytest.mark.parametrize(
    ("adr", "day", "expected"),
    [
        ("BABA", "2019-11-25", ""),
        ("BABA", "2019-11-26", "secondary"),
        ("BABA", "2024-08-28", "dual-primary"),
        ("BIDU", "2026-01-15", "secondary"),  # what the press reported as under study is no change
        ("SMI", "2019-01-02", "primary"),
        ("DIDI", "2022-01-03", ""),
    ],
)
def test_status_in_hong_kong(registry: Listings, adr: str, day: str, expected: str) -> None:
    assert registry.hk_status(adr, day) == expected


def test_sizes_are_those_the_borrow_notes_name_and_mid_elsewhere(registry: Listings) -> None:
    notes = fee_schedule().set_index("schedule_id")["notes"]
    named: dict[str, str] = {}
    for size, row in (("mega", "megacap"), ("mid", "midcap"), ("small", "small")):
        tickers = notes[f"borrow_adr_borrow_calm_{row}"].split(":")[0].split(";")[0].split()
        named |= dict.fromkeys(tickers, size)
    named.pop("PDD")  # not in the registry: it has no Hong Kong line
    sizes = registry.frame["size"]
    sourced = registry.frame["size_source"] == "fees.csv"
    assert sizes[sourced].to_dict() == named
    assert sizes[~sourced].eq("mid").all()


def test_only_yum_china_is_common_stock_in_new_york(registry: Listings) -> None:
    assert registry.frame.index[registry.frame["us_kind"] == "common"].tolist() == ["YUMC"]


def test_withholding_is_ten_percent_for_prc_residents_and_nothing_for_the_cayman_islands(
    registry: Listings,
) -> None:
    withheld = registry.frame["withholding"]
    h_shares = {"CHA", "PTR", "SNP", "LFC", "ACH", "SHI", "HNP", "CEA", "ZNH", "GSH"}
    red_chips = {"CHL", "CHU", "CEO"}
    assert withheld[withheld > 0].to_dict() == dict.fromkeys(h_shares | red_chips, 0.10)
    assert registry.frame["withholding_confidence"].isin(["high", "medium", "low"]).all()
    # Where it is not simply the issuer's place of incorporation, the table says why.
    unsure = registry.frame["withholding_confidence"] != "high"
    assert set(registry.frame.index[unsure]) == {"YUMC", "ONC", "SMI"}
    assert registry.frame.loc[unsure, "withholding_note"].ne("").all()


def test_instruments_outside_the_registry(registry: Listings) -> None:
    table = load_instruments()
    funds = ["KWEB", "FXI", "MCHI", "ASHR", "PGJ", "CQQQ", "CHIQ", "KARS", "2828.HK", "3033.HK", "3067.HK"]
    shares = ["0388.HK", "0939.HK", "1024.HK", "1211.HK", "1299.HK", "1398.HK", "2318.HK"]
    assert (table.loc[funds, "kind"] == "etf").all()
    assert (table.loc[shares, "kind"] == "ordinary").all()
    assert table.loc["^HSI", "kind"] == "index"
    assert table.loc["0939.HK", "withholding"] == 0.10
    assert table["source"].ne("").all()
    assert not set(table.index) & (set(registry.frame.index) | set(registry.frame["hk"]))


@pytest.mark.parametrize(
    ("file", "row", "column", "value"),
    [
        ("listings.csv", 0, "ratio_history", "2014-09-19:1|2019-07-30"),
        ("listings.csv", 0, "ratio_history", "2019-07-30:1|2014-09-19:8"),  # out of order
        ("listings.csv", 0, "ratio_history", "2014-09-19:1|2019-07-30:4"),  # not the current ratio
        ("listings.csv", 0, "hk_code", "9618"),  # JD's
        ("listings.csv", 0, "hk_status", "tertiary"),
        ("listings.csv", 0, "us_listing_date", "in 2014"),
        ("listings.csv", 0, "us_last_trade_date", "2025-13"),
        ("listings.csv", 0, "hk_board_lot", "a hundred"),
        ("listings.csv", 0, "adr_ticker", "ALI"),  # unknown to issuers.csv
        ("issuers.csv", 0, "size", "giga"),
        ("issuers.csv", 0, "us_kind", "gdr"),
        ("issuers.csv", 0, "withholding", "10"),
        ("issuers.csv", 0, "confidence", ""),
        ("splits.csv", 0, "line", "A"),
        ("splits.csv", 0, "factor", "0"),
        ("splits.csv", 0, "company", "Alibaba Group"),  # the ticker is Baidu's
    ],
)
def test_tables_that_contradict_themselves_are_refused(
    monkeypatch: pytest.MonkeyPatch, file: str, row: int, column: str, value: str
) -> None:
    read = module.read_table

    def changed(name: str, columns: str, key: str | None = None) -> pd.DataFrame:
        table = read(name, columns, key)
        if name == file:
            table.loc[row, column] = value
        return table

    monkeypatch.setattr(module, "read_table", changed)
    with pytest.raises(DataError, match=file):
        module.bundled_listings.__wrapped__()


def test_a_table_with_other_columns_or_a_repeated_key_is_refused() -> None:
    with pytest.raises(DataError, match="must have"):
        read_table("splits.csv", "adr date")
    with pytest.raises(DataError, match="unique"):
        read_table("splits.csv", module.SPLIT_COLUMNS, key="adr")
