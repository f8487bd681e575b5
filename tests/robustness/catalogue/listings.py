"""Listing files and tables that contradict themselves, the registry or the prices."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
from price_folders import pair
from robustness.cases import Case
from robustness.market_inputs import of_file, of_source
from robustness.small import LOOSE_DATES

import entrepot as ep
from entrepot.errors import DataError, ParameterError

ROWS, TABLES = "rows of listings", "listing files"
FULL: dict[str, str] = {
    "adr": "TST",
    "hk": "1234",
    "symbol": "",
    "kind": "ads",
    "company": "Test Company",
    "ordinary_per_ads": "",
    "ratio_history": "2015-06-01:1|2020-03-02:5",
    "splits": "2020-03-02:hk:5",
    "sector": "it:software",
    "lot": "200",
    "size": "small",
    "withholding": "0.1",
    "us_exchange": "NYSE",
    "us_listed": "2015-06-01",
    "us_last": "2021-06-30",
    "hk_listed": "2018-01-02",
    "hk_status": "secondary; dual-primary from 2019-05-06",
    "confidence": "high",
    "source": "annual report",
    "notes": "a note, with a comma",
    "drop": "",
    "format": "listings 1",
}
FUND = dict.fromkeys(FULL, "") | {
    "symbol": "3456.HK",
    "kind": "etf",
    "company": "A fund",
    "sector": "broad:hsi",
}

# cells in place of the good ones, and what is said of them, word for word
BAD_ROWS: list[tuple[dict[str, str], str]] = [
    ({"adr": ""}, "adr and symbol are both blank; give adr (and hk) of a company"),
    ({"symbol": "KWEB"}, "adr and symbol are both given"),
    ({"adr": "baba"}, "adr is 'baba'; write the New York ticker in capitals, such as BABA"),
    ({"adr": "9988.HK"}, "adr is '9988.HK'; write the New York ticker"),
    ({"hk": "BABA"}, "hk is 'BABA'; write a Hong Kong code, such as 9988 or 9988.HK"),
    ({"hk": "123456"}, "hk is '123456'; write a Hong Kong code"),
    ({"kind": "adr"}, "kind is 'adr', did you mean ads? it must be one of ads, common, or blank"),
    ({"ordinary_per_ads": "0"}, "ordinary_per_ads is '0'; it must be a positive number, such as 8 or 0.25"),
    ({"ordinary_per_ads": "1:8"}, "ordinary_per_ads is '1:8'; it must be a positive number"),
    ({"ordinary_per_ads": "inf"}, "ordinary_per_ads is 'inf'; it must be a positive number"),
    ({"ordinary_per_ads": "8"}, "ordinary_per_ads is 8 and ratio_history ends at 5; make them agree"),
    ({"ratio_history": ""}, "ordinary_per_ads is blank; say how many ordinary shares one ADS stands for"),
    ({"ratio_history": "2015-06-01=1"}, "ratio_history has '2015-06-01=1'; write date:ratio, oldest first"),
    ({"ratio_history": "2015-13-01:1"}, "ratio_history has '2015-13-01:1'; write date:ratio"),
    ({"ratio_history": "2015-06-01:0"}, "ratio_history has '2015-06-01:0'"),
    ({"ratio_history": "2020-03-02:5|2015-06-01:1"}, "ratio_history is not in order of date"),
    ({"splits": ""}, "the ratio goes from 1 to 5 on 2020-03-02 and splits does not say which line was split"),
    ({"splits": ""}, "add 2020-03-02:hk:5 or 2020-03-02:ads:0.2"),
    (
        {"splits": "2020-03-02:5"},
        "splits has '2020-03-02:5'; write date:line:factor with line hk, ads or both",
    ),
    ({"splits": "2020-03-02:us:5"}, "splits has '2020-03-02:us:5'"),
    ({"splits": "2020-03-02:hk:0"}, "splits has '2020-03-02:hk:0'"),
    (
        {"splits": "2020-03-02:hk:5|2020-03-02:ads:2"},
        "splits names a date twice; write both for a split of both",
    ),
    (
        {"splits": "2020-03-02:ads:5"},
        "the split 2020-03-02:ads:5 takes the ratio from 1 to 0.2, and ratio_hist",
    ),
    ({"splits": "2020-03-02:hk:5|2021-01-04:hk:2"}, "2021-01-04:hk:2 takes the ratio from 5 to 10"),
    ({"sector": "IT"}, "sector is 'IT'; write words in lower case, such as communication:internet"),
    (
        {"lot": "a hundred"},
        "lot is 'a hundred'; it must be the board lot in shares, a whole number, or blank",
    ),
    ({"lot": "0"}, "lot is '0'; it must be the board lot"),
    ({"size": "tiny"}, "size is 'tiny'; it must be one of mega, mid, small, or blank"),
    ({"withholding": "10"}, "withholding is '10'; it must be a fraction from 0 to 0.5, such as 0.1 for 10 %"),
    ({"withholding": "10%"}, "withholding is '10%'; it must be a fraction"),
    ({"us_exchange": "otc"}, "us_exchange is 'otc'"),
    ({"us_listed": "6/1/2015"}, "us_listed '6/1/2015' is not a date that can be read in one way only"),
    ({"us_listed": "42156"}, "us_listed '42156' is not a date but a spreadsheet's number of one; format the"),
    ({"hk_listed": "2018-01-32"}, "hk_listed '2018-01-32' is not a date; write 2025-04-02, year first"),
    ({"hk_listed": "2018-01-02T10:00Z"}, "hk_listed '2018-01-02T10:00Z' is not a date"),
    ({"us_last": "2021-13"}, "us_last '2021-13' is not a month; write 2025-11, or 2025-11-28"),
    ({"us_last": "June 2021"}, "us_last 'June 2021' is not a date"),
    ({"us_last": "2015-05-29"}, "us_last 2015-05-29 is before us_listed 2015-06-01; swap them"),
    ({"us_last": "2014-06", "us_listed": ""}, "the ratio is known from 2015-06-01 on, after us_last 2014-06"),
    (
        {"hk_status": "tertiary"},
        "hk_status is 'tertiary'; write such as secondary; dual-primary from 2024-08-28",
    ),
    ({"hk_status": "secondary 2019-99-01"}, "hk_status is 'secondary 2019-99-01'"),
    ({"hk": ""}, "and hk is blank; give the Hong Kong code, or leave it blank"),
    ({"confidence": "sure"}, "confidence is 'sure'; it must be one of high, medium, low, or blank"),
    ({"company": "a\x1b[0m"}, r"company 'a\x1b[0m' holds a control character"),
    (
        {"format": "listings 2"},
        "format is 'listings 2', and this version of entrepot reads up to 'listings 1'",
    ),
    ({"format": "events 1"}, "format is 'events 1'; a table of listings says 'listings 1'"),
    ({"drop": "x"}, "drop is 'x'; it must be 1, or blank"),
]

BAD_ROWS += [
    ({"lot": lot}, f"lot is {lot!r}; it must be the board lot in shares, a whole number")
    for lot in ("1.5", "-100", "1,000", "1e3", "nan", "100000000")
]
BAD_ROWS += [
    ({"ordinary_per_ads": ratio}, f"ordinary_per_ads is {ratio!r}; it must be a positive number")
    for ratio in ("nan", "-8", "1/0", "1e308", "8x", "1,5", "٨")
]
BAD_ROWS += [
    ({"us_listed": day}, f"us_listed {day!r} is not a date")
    for day in ("2015-02-29", "0000-01-01", "9999-12-31", "2015-6-1", "20150601", "1.6.2015", "June 2015")
]
BAD_ROWS += [
    ({"splits": "2020-03-02:hk:1e400"}, "splits has '2020-03-02:hk:1e400'"),
    ({"splits": "2020-03-02:hk:nan"}, "splits has '2020-03-02:hk:nan'"),
    ({"splits": "2020-03-02:hk:-5"}, "splits has '2020-03-02:hk:-5'"),
    ({"ratio_history": "2015-06-01:1|2015-06-01:5"}, "ratio_history is not in order of date"),
    ({"withholding": "-0.1"}, "withholding is '-0.1'; it must be a fraction"),
    ({"hk": "9988.SS"}, "hk is '9988.SS'; write a Hong Kong code"),
    ({"notes": "a\x00b"}, r"notes 'a\\x00b' holds a control character".replace("\\\\", "\\")),
]

BAD_FUNDS: list[tuple[dict[str, str], str]] = [
    ({"symbol": "3456 HK"}, "symbol is '3456 HK'; write it as its price file is named"),
    ({"symbol": "600519.SS"}, "symbol is '600519.SS'; write it as its price file is named"),
    ({"kind": "fund"}, "kind is 'fund'; it must be one of etf, index, ordinary, stock, or blank"),
    ({"kind": "stock"}, "kind is 'stock', which 3456.HK cannot be; it must be ordinary or etf"),
    ({"symbol": "^HSI"}, "kind is 'etf', which ^HSI cannot be; it must be index"),
    ({"hk": "3456"}, "hk is '3456', which only a row with adr has; leave it blank"),
    ({"splits": "2020-03-02:hk:5"}, "splits belong into the Stock Splits column of the prices"),
    ({"size": "mid"}, "size is 'mid', which only a row with adr has"),
]

HEADER = "adr,hk,ordinary_per_ads"
FILES: list[tuple[str, str | bytes, str]] = [
    ("other columns", "company,lot\n", "has no column adr and no column symbol"),
    ("a name misspelt", "adr,hk,ordinary_per_adr\n", r"'ordinary_per_adr' .is ordinary_per_ads meant"),
    ("a name in capitals", "ADR,hk\n", r"'ADR' .is adr meant"),
    ("a column twice", "adr,hk,hk\n", "has column hk more than once"),
    (
        "a name of the registry's",
        "adr,us_kind\n",
        "has a column us_kind, which the registry uses itself; rename",
    ),
    ("empty", "", "is empty: it has no column adr, symbol"),
    (
        "a line twice",
        f"{HEADER}\nAAA,1234,5\nAAA,1235,5\n",
        "AAA is already used in row 2; give each line once",
    ),
    (
        "one Hong Kong line of two companies",
        f"{HEADER}\nAAA,1234,5\nBBB,1234,5\n",
        "1234.HK is already used in row 2",
    ),
    (
        "a pair's leg alone too",
        "adr,hk,symbol,ordinary_per_ads\nAAA,1234,,5\n,,1234.HK,\n",
        "already used in row 2",
    ),
    ("a comma too many", f"{HEADER}\nAAA,1234,5,9\n", "4 cells under a header of 3"),
    ("a quote that is not closed", f'{HEADER}\nAAA,"1234,5\n', "a double quote is not closed"),
    ("semicolons", f"{HEADER}\n".replace(",", ";"), "semicolons or tabs; save it with commas"),
    (
        "UTF-16",
        f"{HEADER}\nAAA,1234,5\n".encode("utf-16"),
        "line 1 is in another encoding; save it as CSV UTF-8",
    ),
    ("Latin-1", f"{HEADER},company\nAAA,1234,5,Société\n".encode("latin-1"), "line 2 is in another encoding"),
    ("gzip", gzip.compress(HEADER.encode()), "in another encoding"),
    ("a web page", "<html><body>no</body></html>\n", "has no column adr and no column symbol"),
    (
        "a newer format",
        f"{HEADER},format\nAAA,1234,5,listings 9\n",
        "reads up to 'listings 1'; install a newer",
    ),
    (
        "cut off within a number",
        f"{HEADER}\nAAA,1234,5\nBBB,1235,2",
        "ends without a line break, so it may have been cut short: add one if it is whole",
    ),
    ("cut off within a row", f"{HEADER}\nAAA,1234,5\nBBB,12", "ends within a row, 'BBB,12', without a line"),
    ("a table of events", f"{HEADER},format\nAAA,1234,5,events 1\n", "a table of listings says 'listings 1'"),
]


def row_case(number: int, good: dict[str, str], cells: dict[str, str], words: str) -> Case:
    """A file with one row of which some cells are wrong."""

    def call(folder: Path) -> object:
        pd.DataFrame([good | cells], dtype="str").to_csv(folder / "mine.csv", index=False)
        return ep.load_listings(folder / "mine.csv")

    return Case(ROWS, f"{number}, {cells}", call, DataError, f"^mine.csv row 2.*{re.escape(words)}")


def beside(**cells: str) -> pd.DataFrame:
    """BABA's row with other cells."""
    return pd.DataFrame([{"adr": "BABA", "hk": "9988", "ordinary_per_ads": "8"} | cells])


WRONG_DATES = (
    "x",
    b"2021-01-04",
    None,
    20210104,
    True,
    pd.NaT,
    "2021-02-30",
    "9999-12-31",
    ["2021-01-04"],
    np.timedelta64(1, "D"),
    *LOOSE_DATES,
)

CASES = [
    *(
        Case(
            "dates of listings",
            f"{question} on {date!r}",
            lambda folder, question=question, date=date: getattr(ep.load_listings(), question)("BABA", date),
            ParameterError,
            "is not a date; write it as 2018-01-02",
        )
        for question in ("ratio", "hk_status")
        for date in WRONG_DATES
    ),
    *(row_case(number, FULL, *row) for number, row in enumerate(BAD_ROWS, start=1)),
    *(row_case(number, FUND, *row) for number, row in enumerate(BAD_FUNDS, start=101)),
    *(of_file(TABLES, name, content, words, "mine.csv", ep.load_listings) for name, content, words in FILES),
    of_file(
        TABLES,
        "a spreadsheet",
        b"PK",
        "is a spreadsheet; save its sheet as CSV UTF-8",
        "mine.xlsx",
        ep.load_listings,
    ),
    of_file(
        TABLES, "no Parquet", b"PAR1", "cannot be read as a Parquet file", "mine.parquet", ep.load_listings
    ),
    Case(
        TABLES,
        "no file",
        lambda folder: ep.load_listings(folder / "none.csv"),
        DataError,
        "cannot be read as a table",
    ),
    Case(
        TABLES,
        "a folder",
        ep.load_listings,
        DataError,
        "cannot be read as a table of listings .Is a directory",
    ),
    Case(
        TABLES,
        "a pipe",
        lambda folder: [os.mkfifo(folder / "p.csv"), ep.load_listings(folder / "p.csv")],
        DataError,
        "no plain file",
    ),
    Case(
        TABLES,
        "a pipe as the map of sectors",
        lambda folder: [os.mkfifo(folder / "p.csv"), ep.load_sectors(folder / "p.csv")],
        DataError,
        "no plain file",
    ),
    of_source(
        TABLES,
        "another ratio than the prices have",
        pair,
        "8.0. times its parity",
        listings=beside(ordinary_per_ads="1"),
    ),
    of_source(
        TABLES, "the ratio upside down", pair, "times its parity", listings=beside(ordinary_per_ads="0.125")
    ),
    of_source(
        TABLES,
        "a line that had left before its prices begin",
        pair,
        "left New York .2020-01-03.: they are another line's",
        listings=beside(us_listed="2014-09-19", us_last="2020-01-03"),
    ),
]
