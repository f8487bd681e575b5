"""Price files as they come from vendors, spreadsheets and broken connections."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from robustness.cases import Case
from robustness.market_inputs import DAYS, GOOD, fund, of_file, of_files, put

import entrepot as ep
from entrepot.errors import DataError

CONTENT = "price files"
# name, content, words of the refusal
FILES: list[tuple[str, str | bytes, str]] = [
    ("empty", b"", r"KWEB.csv is empty"),
    ("blank lines", "\n\n\n", "is empty"),
    ("commas", ",,,\n,,,\n", "lacks the column Close"),
    ("a header alone", "Date,Close\n", "KWEB.csv has no rows"),
    ("a header without its line break", "Date,Close", "has no rows"),
    ("no header", "2022-01-04,20\n2022-01-05,20\n", "lacks the column Date and Close"),
    ("UTF-16", GOOD.encode("utf-16"), "no CSV but text in UTF-16: save it as CSV UTF-8"),
    ("UTF-16, big end first", "\ufeff".encode("utf-16-be") + GOOD.encode("utf-16-be"), "text in UTF-16"),
    ("UTF-16 without its mark", GOOD.encode("utf-16-le"), "null bytes: save it as CSV UTF-8"),
    ("UTF-32", GOOD.encode("utf-32"), "no CSV but text in UTF-16"),
    (
        "a name in Latin-1",
        "Date,Close,Name\n2022-01-04,20,Société\n".encode("latin-1"),
        "not in UTF-8.: save",
    ),
    ("names in GBK", "日期,Close\n2022-01-04,20\n".encode("gbk"), "not in UTF-8"),
    (
        "Latin-1 far below",
        ("Date,Close,Name\n" + "2022-01-04,20,x\n" * 40_000 + "2022-01-05,20,é\n").encode("latin-1"),
        "not in UTF-8",
    ),
    ("nothing but null bytes", bytes(1000), "null bytes"),
    ("null bytes at its end", GOOD.encode() + bytes(100), "null bytes"),
    ("a null byte in a price", GOOD.replace("21.5", "21\0.5"), "null bytes"),
    ("a null byte after much text", GOOD.replace("\n", " \n") + "\0" * 9, "null bytes|has the date|close '"),
    (
        "a mark of UTF-8 amid the text",
        GOOD.replace("2022-01-06", "\ufeff2022-01-06"),
        "the date .* data row 3",
    ),
    ("gzip", gzip.compress(GOOD.encode()), "no CSV but compressed by gzip: unpack it"),
    ("a spreadsheet", b"PK\x03\x04\x14\x00\x06\x00" + bytes(range(256)), "no CSV but a spreadsheet"),
    ("an old spreadsheet", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64), "no CSV but a spreadsheet"),
    ("Parquet", b"PAR1" + bytes(range(128)), "no CSV but a Parquet file: name it .parquet"),
    ("neither text nor a known kind", b"\xfe\xfd\x9c" * 9, "not in UTF-8"),
    ("a web page", "<!DOCTYPE html><html>503</html>", "it is a web page, not a CSV; download it again"),
    ("a web page below blank lines", "\n\n  <html><body>\n", "web page"),
    ("words of a server", "503 Service Unavailable\n", "lacks the column Date and Close"),
    ("words of a server in JSON", '{"error": "rate limited"}\n', "lacks the column Date and Close"),
    ("a git-LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ("semicolons", "Date;Close\n2022-01-04;20,5\n", r"separated by \";\""),
    ("tabs", GOOD.replace(",", "\t"), "separated by tabs"),
    ("bars for commas", GOOD.replace(",", "|"), "lacks the column Date and Close"),
    ("blanks for commas", GOOD.replace(",", "  "), "lacks the column Date and Close"),
    ("decimal commas", GOOD.replace(".", ","), "more cells than its header"),
    ("decimal commas in quotes", 'Date,Close\n2022-01-04,"20,5"\n', "close '20,5' on 2022-01-04"),
    ("a row with more cells", GOOD + "2022-01-18,2,3,4\n", "cannot be read as CSV"),
    ("rows with more cells", "Date,Close\n2022-01-04,1,5\n2022-01-05,1,5\n", "more cells than its header"),
    ("a quote that is not closed", 'Date,Close\n2022-01-04,"20\n2022-01-05,21\n', "cannot be read as CSV"),
    ("quotes inside a cell", 'Date,Close\n2022-01-04,20""\n', "close '20"),
    ("a title above the header", "KWEB US Equity,\n" + GOOD, "the line 'KWEB US Equity' above its header"),
    ("a title without commas", "KWEB US Equity\n" + GOOD, "more cells than its header"),
    ("a separator named above the header", "sep=,\n" + GOOD, "the line 'sep=' above its header: delete it"),
    ("units below the header", "Date,Close\n,USD\n2022-01-04,20\n", "holds 'USD'"),
    ("its header twice", "Date,Close\n" + GOOD, "both hold Close"),
    ("written below itself", GOOD + GOOD, "the date 'Date' in data row 10"),
    (
        "written below itself without a header",
        GOOD + GOOD.partition("\n")[2],
        "out of order at 2022-01-04|twice",
    ),
    ("a sum below the rows", GOOD + "Total,190\n", "the date 'Total' in data row 10"),
    ("a remark below the rows", GOOD + "Source: vendor,\n", "the date 'Source: vendor'"),
    ("columns the other way round", "Close,Date\n2022-01-04,20\n", "the date '20' in data row 1"),
    ("a column twice", "Date,Close,Close\n2022-01-04,1,2\n", r"the columns \['close'\] twice"),
    ("a column twice but for blanks", "Date,Close, close \n2022-01-04,1,2\n", r"\['close'\] twice"),
    ("dates twice", "Date,date,Close\n2022-01-04,2022-01-05,1\n", r"\['date'\] twice"),
    (
        "cut off within a date",
        GOOD[:-8],
        "ends within a row, '2022-01-', without a line break: it was cut off",
    ),
    ("cut off before a price", "Date,Open,Close\n2022-01-04,1,1\n2022-01-05,1", "ends within a row"),
    ("cut off within its header", "Date,Open,Cl", "lacks the column Close"),
    ("a line separator of Unicode", GOOD.replace("\n", "\u2028"), "lacks the column|more cells"),
    ("a price of more digits than a float has", GOOD.replace("21.5", "9" * 400), "close inf on 2022-01-05"),
    ("an open far from its close", "Date,Open,Close\n2022-01-04,9,1\n", "3-fold apart"),
    ("a price ten times that before", "Date,Close\n2022-01-04,1\n2022-01-05,10\n", "5-fold in a day"),
    ("prices of 1e-320", "Date,Close\n2022-01-04,1e-320\n2022-01-05,1e-320\n", "from 1e-09 to 1e.12"),
    ("prices of 1e308", "Date,Close\n2022-01-04,1e308\n2022-01-05,1e308\n", "from 1e-09 to 1e.12"),
    ("a day twice with one price", GOOD + "2022-01-14,28.5\n", "2022-01-14 twice: keep one row per date"),
    ("a day twice with two prices", GOOD + "2022-01-14,27.5\n", "2022-01-14 twice"),
    ("rows in no order", GOOD.replace("01-05", "01-14", 1), "2022-01-14 twice"),
    ("days of a weekend alone", "Date,Close\n2022-01-08,20\n2022-01-09,20.1\n", "no session falls between"),
    (
        "a price on New Year's Day",
        GOOD.replace("Close\n", "Close\n2022-01-01,22\n2022-01-02,23\n"),
        "no session",
    ),
]

HEADERS = "columns of prices"
# a header, and words
BAD_HEADERS: list[tuple[str, str]] = [
    *(
        (
            f"Date,Open,Close,Volume,{name}",
            f"has the column '{name.lower()}'.* a price file has Date and Close",
        )
        for name in (
            "Split Ratio",
            "Split From",
            "Divs",
            "Div",
            "Dividend Amount",
            "Ex-Dividend",
            "Yield Div",
        )
    ),
    ("Date,Close,Volum", "has the column 'volum', did you mean volume. a price file has"),
    ("Date,Close,Oepn", "has the column 'oepn', did you mean open. "),
    ("Date,Adj Close,Clsoe", "has the column 'clsoe', did you mean close. "),
    ("Date,Close,Adj Colse", "has the column 'adj colse', did you mean adj close. "),
]


def with_header(header: str) -> str:
    """The days of the good file under some columns that all hold its closes."""
    closes = (line.partition(",")[2] for line in GOOD.splitlines()[1:])
    rows = [[f"2022-01-{day}", *[close] * header.count(",")] for day, close in zip(DAYS, closes, strict=True)]
    return "".join(",".join(row) + "\n" for row in [header.split(","), *rows])


CELLS = "cells of prices"
# column, cell, words
BAD_CELLS: list[tuple[str, str, str]] = [
    *(
        ("Close", cell, r"has close ['\"].*['\"] on 2022-01-06: it must be a number or blank")
        for cell in (
            "1 234.5",
            "20'100.5",
            "1_234.5",
            "$20.1",
            "20.1 USD",
            "HK$20",
            "2%",
            "(20.1)",
            "20.1-",
            "20.1*",
            "=20+1",
            "#VALUE!",
            "#REF!",
            "-",
            "--",
            "n.a.",
            "N.A.",
            "suspended",
            "0x14",
            "1.2d1",
            "1E",
            "20.1.2",
            "½",
            "٢٠",
            "\uff12\uff10",
            "TRUE",
            "true",
            "nan(1)",
            "\ufeff20",
            "\u00a020",
            "20:1",
            "2022-01-06",
        )
    ),
    *(
        ("Close", cell, "has close (inf|-inf) on 2022-01-06: a price is pos")
        for cell in ("inf", "-Infinity", "1e400")
    ),
    *(
        ("Close", cell, "has close -?[05].* on 2022-01-06: a price is positive")
        for cell in ("0", "-0.0", "1e-400", "-5")
    ),
    ("Close", "1e5", "more than 5-fold in a day"),
    ("Close", "0.2", "more than 5-fold in a day"),
    ("Open", "0", "has open 0 on 2022-01-06: a price is positive"),
    ("Open", "2.5", "more than 3-fold apart"),
    ("Volume", "-5", "has volume -5 on 2022-01-06: it may not be negative"),
    ("Volume", "inf", "has volume inf on 2022-01-06: .* nor above"),
    ("Volume", "1e308", "has volume 1e.308 on 2022-01-06: .* nor above"),
    ("Volume", "1.2M", "has volume '1.2M' on 2022-01-06: it must be a number"),
    ("Dividends", "-0.1", "has dividends -0.1 on 2022-01-06: it may not be negative"),
    ("Dividends", "inf", "has dividends inf on 2022-01-06: .* nor above"),
    ("Dividends", "2%", "has dividends '2%' on 2022-01-06"),
    ("Dividends", "25", r"dividends 25 on 2022-01-06 and a close of 21.5 before: they are per share"),
    ("Stock Splits", "-2", "has stock splits -2 on 2022-01-06: it is new shares per old"),
    ("Stock Splits", "inf", "has stock splits inf on 2022-01-06"),
    ("Stock Splits", "1e300", "has stock splits 1e.300 on 2022-01-06: .* from 0.0001 to 10000"),
    ("Stock Splits", "1e-300", "has stock splits 1e-300 on 2022-01-06"),
    ("Stock Splits", "5:1", "has stock splits '5:1' on 2022-01-06"),
    ("Stock Splits", "5 for 1", "has stock splits '5 for 1' on 2022-01-06"),
]


def with_cell(column: str, cell: str) -> str:
    """The good file with one more column, or its own, of which the third row holds a cell."""
    lines = GOOD.splitlines()
    if column == "Close":
        lines[3] = f"2022-01-06,{cell}"
        return "\n".join(lines) + "\n"
    usual = {"Open": "22.5", "Volume": "100", "Dividends": "0", "Stock Splits": "0"}[column]
    cells = [column, *(cell if row == 2 else usual for row in range(len(DAYS)))]
    return "".join(f"{line},{more}\n" for line, more in zip(lines, cells, strict=True))


DATES = "dates of prices"
UNREADABLE = r"KWEB.csv has the date '.*' in data row \d+: dates are written YYYY-MM-DD"
# how all dates are written
WRITTEN: dict[str, Callable[[pd.Timestamp], object]] = {
    "numbers of a spreadsheet": lambda day: (day - pd.Timestamp("1899-12-30")).days,
    "numbers of a spreadsheet with decimals": lambda day: f"{(day - pd.Timestamp('1899-12-30')).days}.0",
    "seconds since 1970": lambda day: day.value // 10**9,
    "milliseconds since 1970": lambda day: day.value // 10**6,
    "two digits of the year": lambda day: f"{day:%y%m%d}",
    "day, month and year without marks": lambda day: f"{day:%d%m%Y}",
    "month, day and year without marks": lambda day: f"{day:%m%d%Y}",
    "day first": lambda day: f"{day:%d/%m/%Y}",
    "month first": lambda day: f"{day:%m/%d/%Y}",
    "day first with dots": lambda day: f"{day:%d.%m.%Y}",
    "day first with dashes": lambda day: f"{day:%d-%m-%Y}",
    "strokes": lambda day: f"{day:%Y/%m/%d}",
    "names of months": lambda day: f"{day:%d %b %Y}",
    "weeks": lambda day: "{}-W{:02}-{}".format(*day.isocalendar()),
    "days of the year": lambda day: f"{day:%Y-%j}",
    "24 o'clock": lambda day: f"{day.date()} 24:00",
    "a name of a zone": lambda day: f"{day.date()} 09:30 HKT",
    "an offset that no clock has": lambda day: f"{day.date()} 09:30+99:99",
    "truth": lambda day: "True",
    "digits of another script": lambda day: str(day.date()).translate({48 + n: 0x660 + n for n in range(10)}),
    "nothing": lambda day: "",
}
# one date among good ones
ODD_DATES: list[tuple[str, str, str]] = [
    ("30 February", "2022-02-30", "'2022-02-30' in data row 3"),
    ("29 February of no leap year", "2022-02-29", "'2022-02-29' in data row 3"),
    ("31 April", "2022-04-31", "'2022-04-31' in data row 3"),
    ("month 13", "2022-13-01", "'2022-13-01' in data row 3"),
    ("day 0", "2022-01-00", "'2022-01-00' in data row 3"),
    ("the year 1", "0001-01-01", "its year lies between 1970 and 2100"),
    ("the year 1677", "1677-09-21", "its year lies between 1970 and 2100"),
    ("the year 2262", "2262-04-12", "its year lies between 1970 and 2100"),
    ("the year 9999", "9999-12-31", "its year lies between 1970 and 2100"),
    ("a year of five digits", "20222-01-06", "in data row 3"),
    ("a year before Christ", "-2022-01-06", "in data row 3"),
    ("day first among the others", "06/01/2022", "'06/01/2022' in data row 3"),
    ("without marks among the others", "20220106", "'20220106' in data row 3"),
    ("with an offset among the others", "2022-01-06T16:00-05:00", "in data row 1"),
    ("with blanks around it", " 2022-01-06 ", "' 2022-01-06 ' in data row 3"),
    ("with hyphens of Unicode", "2022\u201001\u201006", "in data row 3"),
    ("a word", "soon", "'soon' in data row 3"),
    ("the day before", "2022-01-05", "has 2022-01-05 twice"),
    ("a year earlier", "2021-01-06", "out of order at 2021-01-06"),
    ("a Saturday", "2022-01-08", "out of order at 2022-01-07|held no session"),
]

PLACES = "places of prices"


def circle(folder: Path) -> Path:
    """Two links that point at each other."""
    (folder / "KWEB.csv").symlink_to(folder / "FXI.csv")
    (folder / "FXI.csv").symlink_to(folder / "KWEB.csv")
    return folder / "KWEB.csv"


def pipe(folder: Path) -> Path:
    """A pipe into which nobody writes: who opens it to read waits for ever."""
    os.mkfifo(folder / "KWEB.csv")
    return folder / "KWEB.csv"


def copies(folder: Path, *names: str) -> Path:
    """The good file under some names."""
    for name in names:
        put(folder, GOOD, name)
    return folder


def cut_parquet(folder: Path) -> Path:
    """A Parquet file without its last bytes."""
    path = folder / "KWEB.parquet"
    fund()["KWEB"].to_parquet(path)
    path.write_bytes(path.read_bytes()[:-30])
    return folder


MADE: list[tuple[str, Callable[[Path], object], str]] = [
    ("an empty folder", lambda folder: folder, "has no CSV or Parquet file"),
    ("no such folder", lambda folder: folder / "nowhere", "there is no file or folder"),
    ("a blank", lambda folder: "", "there is no file or folder '' to load prices from"),
    ("blanks", lambda folder: "   ", "there is no file or folder"),
    ("a null byte", lambda folder: "a\0b", "there is no file or folder"),
    ("5,000 characters", lambda folder: "a" * 5000, "there is no file or folder"),
    ("an address", lambda folder: "https://example.com/KWEB.csv", "there is no file or folder"),
    ("a bucket", lambda folder: "s3://bucket/prices/", "there is no file or folder"),
    ("a home that no shell has filled in", lambda folder: "~/prices", "there is no file or folder"),
    ("links in a circle", circle, "there is no file or folder"),
    ("a folder with links in a circle", lambda folder: circle(folder).parent, "FXI.csv .*is a link"),
    ("a pipe", pipe, "there is no file or folder|no plain file"),
    ("a folder with a pipe", lambda folder: pipe(folder).parent, "KWEB.csv .*is no plain file"),
    ("a folder called as a file", lambda folder: (folder / "KWEB.csv").mkdir(), "has no CSV or Parquet file"),
    ("a text file alone", lambda folder: put(folder, GOOD, "KWEB.txt"), "neither CSV nor Parquet"),
    (
        "files one folder down",
        lambda folder: [(folder / "a").mkdir(), copies(folder, "a/KWEB.csv")][1],
        "has no CSV",
    ),
    ("compressed files", lambda folder: copies(folder, "KWEB.csv.gz"), "has no CSV or Parquet file"),
    (
        "a copy of a browser",
        lambda folder: copies(folder, "KWEB.csv", "KWEB (1).csv"),
        "does not say what it is",
    ),
    ("one symbol in two cases", lambda folder: copies(folder, "KWEB.csv", "kweb.csv"), "both hold KWEB"),
    (
        "two endings",
        lambda folder: [copies(folder, "KWEB.csv"), fund()["KWEB"].to_parquet(folder / "KWEB.parquet")][0],
        "both hold KWEB",
    ),
    (
        "a lock of an office program",
        lambda folder: put(folder, "x\n", "~$KWEB.csv").parent,
        "lacks the column",
    ),
    ("a name with a line break", lambda folder: copies(folder, "KW\nEB.csv"), "give it a plain name"),
    (
        "a name that steers a terminal",
        lambda folder: copies(folder, "KWEB\x1b[31m.csv"),
        "give it a plain name",
    ),
    (
        "Parquet of nothing",
        lambda folder: put(folder, "", "KWEB.parquet").parent,
        "cannot be read as PARQUET",
    ),
    ("Parquet of text", lambda folder: copies(folder, "KWEB.parquet"), "cannot be read as PARQUET"),
    ("Parquet cut off", cut_parquet, "cannot be read as PARQUET"),
]


def from_place(name: str, make: Callable[[Path], object], words: str) -> Case:
    """A place that is given to `load_market`; where nothing is named it is the folder."""

    def call(folder: Path) -> object:
        source = make(folder)
        return ep.load_market(folder if source is None else source)  # type: ignore[arg-type]

    return Case(PLACES, name, call, DataError, words)


def dated(write: Callable[[pd.Timestamp], object]) -> str:
    """The good file with its dates written otherwise."""
    days = [pd.Timestamp(f"2022-01-{day}") for day in DAYS]
    return "Date,Close\n" + "".join(f"{write(day)},2{row}.5\n" for row, day in enumerate(days))


CASES = [
    *of_files(CONTENT, FILES),
    *(of_file(HEADERS, header, with_header(header), words) for header, words in BAD_HEADERS),
    *(
        of_file(CELLS, f"{number}, {column} {cell!r}", with_cell(column, cell), words)
        for number, (column, cell, words) in enumerate(BAD_CELLS, start=1)
    ),
    *(of_file(DATES, f"written as {name}", dated(write), UNREADABLE) for name, write in WRITTEN.items()),
    *(
        of_file(DATES, name, GOOD.replace("2022-01-06", date), f"KWEB.csv .*({words})")
        for name, date, words in ODD_DATES
    ),
    *(from_place(*row) for row in MADE),
]
