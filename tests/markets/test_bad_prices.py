"""A catalogue of price files that cannot be trusted: each is refused by name in one sentence with the fix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from price_folders import ACTIONS, closes, fixings, long, pair, split_pair, write

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.markets.load import load_market

Files = dict[str, pd.DataFrame]


def on(symbol: str, change: Callable[[pd.DataFrame], pd.DataFrame | None]) -> Files:
    """The good pair with one file changed."""
    files = pair()
    changed = change(files[symbol])
    if changed is not None:
        files[symbol] = changed
    return files


def put(symbol: str, row: int, column: str, value: object) -> Files:
    """The good pair with one cell changed."""
    files = pair()
    files[symbol][column] = files[symbol][column].astype(object)
    files[symbol].loc[row, column] = value
    return files


def half_adjusted() -> Files:
    """EDU over two splits, adjusted for one of them."""
    share = closes("XNYS", "2021-01-04", "2022-06-30")
    share.loc[share["Date"] < "2022-04-08", ["Open", "Close"]] *= 0.1
    return {"EDU": share}


FOLDERS: dict[str, tuple[Callable[[], Files], str]] = {
    "no date": (
        lambda: on("BABA", lambda f: f.drop(columns="Date")),
        r"BABA.csv lacks the column Date: a price file",
    ),
    "no close": (lambda: on("BABA", lambda f: f.drop(columns="Close")), r"BABA.csv lacks the column Close"),
    "neither": (lambda: on("BABA", lambda f: f[["Open"]]), r"lacks the column Date and Close"),
    "no rows": (lambda: on("BABA", lambda f: f.iloc[:0]), r"BABA.csv has no rows"),
    "no close at all": (
        lambda: on("BABA", lambda f: f.assign(Close=np.nan)),
        r"BABA.csv has no close at all",
    ),
    "bad date": (
        lambda: put("BABA", 3, "Date", "soon"),
        r"BABA.csv has the date 'soon' in data row 4.*YYYY-MM-DD",
    ),
    "day first": (
        lambda: on("BABA", lambda f: f.assign(Date=f["Date"].dt.strftime("%d/%m/%Y"))),
        r"BABA.csv has the date '04/01/2022' in data row 1",
    ),
    "number as date": (
        lambda: on("BABA", lambda f: f.assign(Date=(f["Date"] - pd.Timestamp("1899-12-30")).dt.days)),
        r"BABA.csv has the date '44565' in data row 1",
    ),
    "no such day": (lambda: put("BABA", 3, "Date", "2022-02-30"), r"the date '2022-02-30' in data row 4"),
    "blank date": (lambda: put("BABA", 3, "Date", None), r"BABA.csv has the date 'nan' in data row 4"),
    "twice": (lambda: on("BABA", lambda f: pd.concat([f, f.iloc[[-1]]])), r"BABA.csv has 2022-03-31 twice"),
    "newest first": (lambda: on("BABA", lambda f: f.iloc[::-1]), r"BABA.csv is out of order at 2022-03-30"),
    "zero": (
        lambda: put("BABA", 3, "Close", 0.0),
        r"BABA.csv has close 0 on 2022-01-07: a price is positive",
    ),
    "negative": (lambda: put("BABA", 3, "Close", -5.0), r"has close -5 on 2022-01-07"),
    "zero open": (lambda: put("9988.HK", 3, "Open", 0.0), r"9988.HK.csv has open 0 on 2022-01-07"),
    "infinite": (lambda: put("BABA", 3, "Close", np.inf), r"has close inf on 2022-01-07"),
    "text": (
        lambda: put("BABA", 3, "Close", "1,234.5"),
        r"BABA.csv has close '1,234.5' on 2022-01-07.*number or blank",
    ),
    "negative dividend": (
        lambda: on("BABA", lambda f: f.assign(Dividends=-0.1)),
        r"BABA.csv has dividends -0.1 on 2022-01-04: it may not be negative",
    ),
    "split in words": (
        lambda: on("BABA", lambda f: f.assign(**{"Stock Splits": "5:1"})),
        r"BABA.csv has stock splits '5:1' on 2022-01-04",
    ),
    "no rates": (
        lambda: {k: v for k, v in pair().items() if k != "HKD=X"},
        r"9988.HK is in HKD.*add HKD=X.csv",
    ),
    "only rates": (lambda: {"HKD=X": fixings("2022-01-04", "2022-03-31")}, r"holds no tradable line"),
    "only an index": (
        lambda: {
            "^HSI": closes("XHKG", "2022-01-04", "2022-03-31"),
            "HKD=X": fixings("2022-01-04", "2022-03-31"),
        },
        r"holds no tradable line",
    ),
    "rates upside down": (
        lambda: on("HKD=X", lambda f: f.assign(Close=1 / f["Close"])),
        r"HKD=X.csv quotes USD per HKD \(0.128\d?\): HKD=X holds HKD per USD; invert it or name it HKDUSD=X",
    ),
    "other rates upside down": (
        lambda: pair() | {"CNY=X": fixings("2022-01-04", "2022-03-31", "CNY").assign(Close=0.143)},
        r"CNY=X.csv quotes USD per CNY",
    ),
    "yen upside down": (
        lambda: pair() | {"JPY=X": fixings("2022-01-04", "2022-03-31").assign(Close=0.0087)},
        r"JPY=X.csv quotes USD per JPY",
    ),
    "another currency's rates": (
        lambda: on("HKD=X", lambda f: f.assign(Close=6.4)),
        r"HKD=X.csv has 6.4 HKD per USD on 2021-12-28: it lies between 7.5 and 8.1",
    ),
    "two files of a currency": (
        lambda: pair() | {"USDHKD=X": fixings("2022-01-04", "2022-03-31")},
        r"HKD=X.csv and USDHKD=X.csv both quote HKD",
    ),
    "rates begin late": (
        lambda: on("HKD=X", lambda f: f[f["Date"] >= "2022-02-01"]),
        r"HKD=X.csv begins 2022-02-01 and the market 2022-01-04",
    ),
    "rates with a hole": (
        lambda: on("HKD=X", lambda f: f[(f["Date"] < "2022-02-01") | (f["Date"] > "2022-02-20")]),
        r"HKD=X.csv has no fixing in the five days before 2022-02-0",
    ),
    "rates end early": (
        lambda: on("HKD=X", lambda f: f[f["Date"] < "2022-03-01"]),
        r"HKD=X.csv ends 2022-02-28 and the market 2022-03-31",
    ),
    "prices end early": (
        lambda: on("BABA", lambda f: f[f["Date"] < "2022-03-01"]),
        r"prices end before the market's end 2022-03-31: BABA 2022-02-28",
    ),
    "a print on a holiday": (
        lambda: on(
            "9988.HK",
            lambda f: pd.concat(
                [f, pd.DataFrame({"Date": [pd.Timestamp("2022-02-01")], "Close": [99.5]})]
            ).sort_values("Date"),
        ),
        r"9988.HK.csv has a price on 2022-02-01, when XHKG held no session",
    ),
    "one leg total return": (
        lambda: on("BABA", lambda f: f[["Date", "Close"]].rename(columns={"Close": "Adj Close"})),
        r"BABA has total-return prices and its pair 9988.HK has not",
    ),
    "a leg in another currency": (
        lambda: on("9988.HK", lambda f: f.assign(Close=f["Close"] / 7.8, Open=f["Open"] / 7.8)),
        r"BABA stands at 7.8\d? times its parity with 9988.HK under every reading",
    ),
    "part raw, part adjusted": (
        half_adjusted,
        r"EDU.csv is part raw and part adjusted.*2022-04-08.*2021-03-10",
    ),
    "another market": (
        lambda: pair() | {"600519.SS": closes("XHKG", "2022-01-04", "2022-03-31")},
        r"600519.SS belongs to a market that is not covered",
    ),
    "two spellings of a code": (
        lambda: pair() | {"09988.HK": pair()["9988.HK"]},
        r"09988.HK.csv and 9988.HK.csv both hold 9988.HK",
    ),
    "two columns of a name": (
        lambda: on("BABA", lambda f: f.assign(close=f["Close"])),
        r"BABA.csv has the columns \['close'\] twice",
    ),
}


def sentence(error: pytest.ExceptionInfo[EntrepotError]) -> str:
    """The message, which is one sentence of one line that names no file of ours."""
    text = str(error.value)
    assert "\n" not in text
    assert "Traceback" not in text
    assert 20 < len(text) < 420
    assert not text.endswith(".")
    assert error.value.__cause__ is None
    return text


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_cannot_be_trusted_is_refused(name: str, tmp_path: Path) -> None:
    make, words = FOLDERS[name]
    folder = write(tmp_path / "prices", make())
    with pytest.raises(DataError, match=words) as error:
        load_market(folder)
    assert str(tmp_path) not in sentence(error)


ARGUMENTS: dict[str, tuple[dict[str, object], str]] = {
    "ends": ({"ends": "ignore"}, r"ends='ignore' is unknown: it is 'error', 'drop' or 'cut'"),
    "phases": ({"phases": ("noon",)}, r"noon"),
    "adjusted": ({"adjusted": "yes"}, r"adjusted='yes' is unknown: it is one of raw, split, total_return"),
    "adjusted by symbol": ({"adjusted": {"BABA": "yes"}}, r"adjusted='yes' is unknown"),
    "adjusted stranger": ({"adjusted": {"JD": "raw"}}, r"adjusted names JD, which has no price file"),
    "shorts stranger": ({"hk_shorts": ["9618.HK"]}, r"hk_shorts names 9618.HK"),
    "fx_time": ({"fx_time": "noon"}, r"fx_time='noon' is no time of a place"),
    "fx_time zone": ({"fx_time": "14:15 Europe/Atlantis"}, r"is no time of a place"),
    "fx_time hour": ({"fx_time": "25:15 Europe/Berlin"}, r"is no time of a place"),
    "start": ({"start": "yesteryear"}, r"start='yesteryear' is no date"),
    "end": ({"end": 3.5j}, r"end=3.5j is no date"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_argument_outside_what_it_may_be_is_refused(name: str) -> None:
    arguments, words = ARGUMENTS[name]
    with pytest.raises(ParameterError, match=words) as error:
        load_market(long(pair()), **arguments)  # type: ignore[arg-type]
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("start", "end"),
    [("2030-01-01", None), (None, "2001-01-01"), ("2022-03-01", "2022-02-01"), ("2022-01-08", "2022-01-09")],
)
def test_a_range_without_prices_is_refused(start: str | None, end: str | None) -> None:
    with pytest.raises(EntrepotError, match=r"no (prices|session|line)") as error:
        load_market(long(pair()), start=start, end=end)
    sentence(error)


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no CSV or Parquet file") as error:
        load_market(tmp_path)
    sentence(error)
    with pytest.raises(DataError, match="there is no file or folder"):
        load_market(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("BABA.csv", b"", r"BABA.csv is empty"),
        ("BABA.csv", b"Date,Close\n", r"BABA.csv has no rows"),
        ("BABA.csv", b"\xff\xfe\x00\x01\x9c", r"BABA.csv cannot be read as CSV"),
        ("BABA.csv", b"Date,Close\n2022-01-04,1\n2022-01-05,2,3,4\n", r"BABA.csv cannot be read as CSV"),
        ("BABA.parquet", b"not parquet", r"BABA.parquet cannot be read as PARQUET"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as error:
        load_market(tmp_path)
    sentence(error)


@pytest.mark.parametrize(
    "source", [None, 7, 3.5, ["prices"], {"BABA": 1}, closes("XNYS", "2022-01-04", "2022-01-31")["Close"]]
)
def test_a_source_of_the_wrong_type_is_refused(source: object) -> None:
    with pytest.raises(
        ParameterError, match=r"it reads a folder, the path of a CSV or Parquet file, or a DataFrame"
    ):
        load_market(source)  # type: ignore[arg-type]


def test_a_long_table_without_a_symbol_column_is_refused(tmp_path: Path) -> None:
    closes("XNYS", "2022-01-04", "2022-01-31").to_csv(tmp_path / "BABA.csv", index=False)
    for source in (tmp_path / "BABA.csv", closes("XNYS", "2022-01-04", "2022-01-31")):
        with pytest.raises(DataError, match="has no symbol column") as error:
            load_market(source)
        sentence(error)
    table = long(pair())
    table.loc[3, "symbol"] = None
    with pytest.raises(DataError, match="rows without a symbol"):
        load_market(table)
    with pytest.raises(DataError, match="has no rows"):
        load_market(table.iloc[:0])
    (tmp_path / "all.txt").write_text("x")
    with pytest.raises(DataError, match="neither CSV nor Parquet"):
        load_market(tmp_path / "all.txt")


def test_a_long_file_inside_a_folder_is_refused(tmp_path: Path) -> None:
    long(pair()).to_csv(tmp_path / "all.csv", index=False)
    with pytest.raises(DataError, match=r"all.csv holds several symbols"):
        load_market(tmp_path)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: f"{a.adr}-{a.date}")
def test_a_pair_told_to_be_what_it_is_not_is_refused_at_its_split(action: object) -> None:
    for line, factor in (("ads", action.ads_factor), ("hk", action.hk_factor)):  # type: ignore[attr-defined]
        symbol = action.adr if line == "ads" else action.hk  # type: ignore[attr-defined]
        if factor == 1:
            continue
        for adjusted in (True, False):
            told = {symbol: "raw" if adjusted else "split"}
            files, _ = split_pair(action, ads_adjusted=adjusted, hk_adjusted=adjusted)  # type: ignore[arg-type]
            with pytest.raises(DataError, match=r"jumps from .* at the split of|times its parity") as error:
                load_market(long(files), adjusted=told)  # type: ignore[arg-type]
            assert symbol in sentence(error)


def test_adj_close_alone_cannot_be_told_to_be_raw() -> None:
    fund = closes("XNYS", "2022-01-04", "2022-03-31").rename(columns={"Close": "Adj Close"})
    with pytest.raises(
        DataError, match="has only Adj Close, which is total return, and was said to be 'raw'"
    ):
        load_market(long({"KWEB": fund}), adjusted={"KWEB": "raw"})
    assert load_market(long({"KWEB": fund}), adjusted="raw").instruments["adjustment"].tolist() == [
        "total_return"
    ]


def test_cutting_before_the_start_is_refused() -> None:
    files = pair() | {"KWEB": closes("XNYS", "2022-01-04", "2022-01-31")}
    with pytest.raises(
        DataError, match="ends='cut' would end the market before it starts: the prices of KWEB"
    ) as error:
        load_market(long(files), start="2022-03-01", ends="cut")
    sentence(error)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Date,Close,Close\n2022-01-04,1,2\n", r"the columns \['close'\] twice"),
        ("Date;Close\n2022-01-04;1\n", r"separated by \";\""),
        ("Date\tClose\n2022-01-04\t1\n", "separated by tabs"),
        ("<html><body>\n", "web page"),
        ("version https://git-lfs.github.com/spec/v1\n", "git-LFS pointer"),
        ("Date,Close\n2022-01-04,1,5\n2022-01-05,1,5\n", "more cells than its header"),
        ("Date,Close\n0001-01-01,1\n", "its year lies between"),
        ("Date,Close\n2022-01-04,1\n2022-01-05,10\n", "5-fold in a day"),
        ("Date,Open,Close\n2022-01-04,9,1\n", "3-fold apart"),
    ],
)
def test_a_csv_that_is_not_what_it_seems_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "BABA.csv").write_text(content)
    with pytest.raises(DataError, match=words) as error:
        load_market(tmp_path)
    sentence(error)


@pytest.mark.parametrize(
    "arguments",
    [
        {"adjusted": 5},
        {"hk_shorts": 5},
        {"hk_shorts": None},
        {"hk_shorts": ["BABA"]},
        {"phases": None},
        {"phases": 5},
        {"start": 5},
    ],
)
def test_an_argument_of_the_wrong_kind_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ParameterError) as error:
        load_market(long(pair()), **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("path", ["a" * 5000, "a\0b"])
def test_a_path_that_cannot_be_is_refused(path: str) -> None:
    with pytest.raises(DataError, match="there is no file or folder"):
        load_market(path)
