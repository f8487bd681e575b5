"""Prices of a pair, in files and in memory, that contradict themselves, each other or the calendar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from price_folders import closes, fixings, pair, write
from robustness.cases import Case
from robustness.market_inputs import fund, of_source, scaled

import entrepot as ep
from entrepot.errors import DataError, ParameterError

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


FILES: dict[str, tuple[Callable[[], Files], str]] = {
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


def spans(count: int) -> pd.api.extensions.ExtensionArray:
    """Months and days as Arrow has them, which NumPy has not."""
    return pd.arrays.ArrowExtensionArray(pa.array([pa.MonthDayNano([1, 1, 1])] * count))


MEMORY = "prices in memory"
NO_NUMBER = r"has close .* on 2022-01-04: it must be a number or blank"
# what stands in every cell of Close, or in the first of otherwise good ones
KINDS: dict[str, Callable[[pd.Series], object]] = {
    "truth": lambda close: True,
    "truth as objects": lambda close: close.gt(0).astype(object),
    "truth that may be missing": lambda close: close.gt(0).astype("boolean"),
    "truth of arrow": lambda close: close.gt(0).astype("bool[pyarrow]"),
    "truth in categories": lambda close: close.gt(0).astype("category"),
    "complex numbers": lambda close: close + 0j,
    "complex numbers as objects": lambda close: (close + 1j).astype(object),
    "spans of time": lambda close: pd.to_timedelta(close, unit="s"),
    "dates": lambda close: pd.Timestamp("2022-01-04"),
    "periods": lambda close: pd.Series(pd.Period("2022-01-04"), index=close.index),
    "intervals": lambda close: pd.IntervalIndex.from_arrays(close, close + 1),
    "lists": lambda close: [[price] for price in close],
    "arrays": lambda close: [np.array([price]) for price in close],
    "bytes": lambda close: [b"20.5"] * len(close),
    "functions": lambda close: [len] * len(close),
    "an infinite decimal": lambda close: [Decimal("Infinity"), *close[1:]],
    "an integer of 400 digits": lambda close: [10**400, *close[1:]],
    "a list among numbers": lambda close: [[20.5], *close[1:]],
    "truth among numbers": lambda close: [True, *close[1:]],
    "spans of the calendar of arrow": lambda close: spans(len(close)),
    "text with a line break": lambda close: ["a\nb", *close[1:]],
    "a word among text of arrow": lambda close: pd.array(
        ["x", *map(str, close[1:])], dtype=pd.ArrowDtype(pa.string())
    ),
}
DAYS: dict[str, Callable[[pd.Series], object]] = {
    "weeks": lambda date: date.dt.to_period("W"),
    "months": lambda date: date.dt.to_period("M"),
    "seconds": lambda date: date.astype("int64") // 10**9,
    "floats": lambda date: date.astype("int64") / 1e9,
    "spans of time": lambda date: date - pd.Timestamp("1970-01-01"),
    "truth": lambda date: True,
    "negative numbers": lambda date: -20220104,
    "times of day": lambda date: [dt.time(9, 30)] * len(date),
    "a missing one": lambda date: date.where(date.index != 5),
    "spans of the calendar of arrow": lambda date: spans(len(date)),
    "a text": lambda date: ["soon", *date[1:]],
}
UNITS = "units of prices"
# which file of the pair is off by which factor, and what that would be
FACTORS: list[tuple[str, str, float, str]] = [
    ("Hong Kong in cents", "9988.HK", 100, "0.01 times its parity"),
    ("New York in cents", "BABA", 100, "100 times its parity"),
    ("New York in thousands", "BABA", 1e-3, "0.001 times its parity"),
    ("Hong Kong in USD", "9988.HK", 1 / 7.8, r"7\.8\d? times its parity"),
    ("New York in HKD", "BABA", 7.8, r"7\.8\d? times its parity"),
    ("New York per ordinary share", "BABA", 1 / 8, "0.125 times its parity"),
    ("the ratio upside down", "BABA", 1 / 64, r"0\.015\d times its parity"),
    ("the ratio twice", "BABA", 8, r"8\.\d+ times its parity"),
    ("rates in cents", "HKD=X", 100, "HKD per USD on .*: it lies between 7.5 and 8.1"),
    ("rates of another currency", "HKD=X", 0.9, "HKD per USD on .*: it lies between 7.5 and 8.1"),
    ("rates of nothing", "HKD=X", 1e-6, "HKD per USD on .*: it lies between 7.5 and 8.1|from 1e-09"),
]


def half(symbol: str, early: float, late: float) -> Files:
    """The good pair with the first and the second half of one file in other units."""
    files = pair()
    first = files[symbol].index < len(files[symbol]) // 2
    for column in ("Open", "Close"):
        files[symbol][column] *= np.where(first, early, late)
    return files


def drifting() -> Files:
    """The good pair with one leg that goes from three times its parity to a third."""
    files = pair()
    for column in ("Open", "Close"):
        files["BABA"][column] *= np.exp(np.linspace(1.1, -1.1, len(files["BABA"])))
    return files


def swapped() -> Files:
    """The good pair with its files under each other's names."""
    files = pair()
    return {**files, "BABA": files["9988.HK"], "9988.HK": files["BABA"]}


def of_files_on_disk(make: Callable[[], Files]) -> Callable[[Path], object]:
    """Load files that are written first."""
    return lambda folder: ep.load_market(write(folder / "prices", make()))


CASES = [
    *(
        Case("pairs of files", name, of_files_on_disk(make), DataError, words)
        for name, (make, words) in FILES.items()
    ),
    *(
        of_source(
            MEMORY,
            f"{name} for closes",
            lambda make=make: fund(Close=make(fund()["KWEB"]["Close"])),
            NO_NUMBER,
        )
        for name, make in KINDS.items()
    ),
    *(
        of_source(
            MEMORY,
            f"{name} for dates",
            lambda make=make: fund(Date=make(fund()["KWEB"]["Date"])),
            "has the date ",
        )
        for name, make in DAYS.items()
    ),
    *(
        of_source(UNITS, name, lambda symbol=symbol, factor=factor: scaled(symbol, factor), words)
        for name, symbol, factor, words in FACTORS
    ),
    of_source(UNITS, "files under each other's names", swapped, "when XHKG held no session"),
    of_source(
        UNITS, "half of it twice as high, half at half", lambda: half("BABA", 2, 0.5), "times its parity"
    ),
    of_source(UNITS, "from three times its parity to a third", drifting, "times its parity"),
    of_source(UNITS, "half of it in cents", lambda: half("BABA", 1, 100), "more than 5-fold in a day"),
    of_source(MEMORY, "no columns", lambda: {"KWEB": pd.DataFrame()}, "lacks the column Date and Close"),
    of_source(
        MEMORY,
        "columns of numbers",
        lambda: {"KWEB": fund()["KWEB"].set_axis([0, 1, 2], axis=1)},
        "lacks the column",
    ),
    of_source(
        MEMORY,
        "volumes as splits",
        lambda: fund(**{"Stock Splits": 1000.0}),
        "the same or two others within the week before",
    ),
    of_source(
        MEMORY, "closes as dividends", lambda: fund(Dividends=fund()["KWEB"]["Close"]), "they are per share"
    ),
    of_source(
        MEMORY,
        "one Series",
        lambda: closes("XNYS", "2022-01-04", "2022-01-31")["Close"],
        "one Series",
        ParameterError,
    ),
    *(
        of_source(
            MEMORY,
            f"a source of {source!r}",
            lambda source=source: source,
            "it reads a folder",
            ParameterError,
        )
        for source in (None, 7, 3.5, ["prices"], {"BABA": 1}, b"prices", {"KWEB"}, dt.date(2022, 1, 4))
    ),
]
