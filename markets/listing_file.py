"""Listing files: one row per company or fund, every row checked, and brought into the registry's tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Final, NamedTuple

import pandas as pd

from entrepot.errors import DataError, ParameterError, near_word, shown
from entrepot.markets.own_rows import (
    DROP,
    FORMAT,
    BadRow,
    Format,
    OwnRows,
    cell_text,
    printable,
    read_own_rows,
    whole,
)
from entrepot.markets.symbols import hk_symbol
from entrepot.markets.written_times import parse_date

COLUMNS: Final = (
    "adr",
    "hk",
    "symbol",
    "kind",
    "company",
    "ordinary_per_ads",
    "ratio_history",
    "splits",
    "sector",
    "lot",
    "size",
    "withholding",
    "us_exchange",
    "us_listed",
    "us_last",
    "hk_listed",
    "hk_status",
    "confidence",
    "source",
    "notes",
    # What the bundled table says besides.
    "us_delisting_effective",
    "hstech_member",
    "conf_ratio",
    "conf_dates",
    "conf_board_lot",
    "verification",
    "size_source",
    "withholding_confidence",
    "withholding_note",
)
LISTINGS_FORMAT: Final = Format("listings", 1, COLUMNS, (), ("adr", "symbol", "hk"))

# What a column of the file is called in the registry, where the names differ.
REGISTRY_NAMES: Final = {
    "adr": "adr_ticker",
    "ordinary_per_ads": "ord_per_ads_current",
    "lot": "hk_board_lot",
    "us_listed": "us_listing_date",
    "us_last": "us_last_trade_date",
    "hk_listed": "hk_listing_date",
    "kind": "us_kind",
}
OF_PAIRS: Final = (
    "hk", "ordinary_per_ads", "ratio_history", "splits", "us_exchange", "us_listed", "us_last", "hk_listed",
    "hk_status", "size",
)  # fmt: skip
# Columns of the registry's tables.
COMPANY_COLUMNS: Final = (
    *(REGISTRY_NAMES.get(name, name) for name in COLUMNS if name not in ("symbol", "splits")),
    "hk_code",
)
# Columns of the registry's frame that are read from others.
SPLIT_COLUMNS: Final = {
    "company": "str", "adr": "str", "date": "str", "line": "str", "factor": "float64", "source": "str",
}  # fmt: skip
PARSED: Final = (
    "hk_code", "hk", "lot", "us_listed", "hk_listed", "us_last_earliest", "us_last_latest", "name",
)  # fmt: skip
INSTRUMENT_COLUMNS: Final = (
    "symbol", "kind", "name", "sector", "lot", "withholding", "confidence", "source", "notes",
)  # fmt: skip
SIZES: Final = ("mega", "mid", "small")
PAIR_KINDS: Final = ("ads", "common")
LINE_KINDS: Final = ("etf", "index", "ordinary", "stock")
EXCHANGES: Final = ("NYSE", "Nasdaq", "NYSE American", "OTC")
CONFIDENCE: Final = ("high", "medium", "low")
UNCLASSIFIED: Final = "unclassified"
ALWAYS: Final = "1970-01-01"  # from when a ratio holds whose date nobody gave
HIGHEST_WITHHOLDING: Final = 0.5
ROUNDING: Final = 1e-9

_ADR = re.compile(r"[A-Z][A-Z0-9-]{0,9}(\.[ABC])?")
_LINE = re.compile(r"\^?[A-Z0-9][A-Z0-9-]{0,9}(\.[ABC])?|[0-9]{1,5}\.HK")
_MONTH = re.compile(r"\d{4}-\d{2}", re.ASCII)
_RATIO = re.compile(r"(\d{4}-\d{2}-\d{2}):(\d{1,9}(?:\.\d{1,20})?)", re.ASCII)
_SPLIT = re.compile(r"(\d{4}-\d{2}-\d{2}):(\w+):([^:]*)(?::(.*))?", re.ASCII | re.DOTALL)
_POSITIVE = re.compile(r"\d{1,9}(\.\d{1,20})?(e-?\d{1,2})?|\d{1,9}/[1-9]\d{0,8}", re.ASCII)
_SECTOR = re.compile(r"[a-z_]+(:[a-z0-9_]+)?(;[a-z_]+(:[a-z0-9_]+)?)*")
STATUS = re.compile(r"\s*(primary|dual-primary|secondary)(?: (?:from )?(\d{4}-\d\d-\d\d))?", re.ASCII)


class Split(NamedTuple):
    """New shares per old share of one line of a company, or of both."""

    date: str
    line: str
    factor: float
    source: str


@dataclass
class ListingTable:
    """Listings as read: the registry's tables as text, and the rows they come from.

    Args:
        companies: in the columns of `listings.csv` and `issuers.csv`, those of one's own among them.
        splits: in the columns of `splits.csv`.
        instruments: in the columns of `instruments.csv`, and one's own.
        rows: of the file, with all that is wrong with them.
    """

    companies: pd.DataFrame
    splits: pd.DataFrame
    instruments: pd.DataFrame
    rows: OwnRows


def read_listing_table(source: object) -> ListingTable:
    """Read listings from a CSV or Parquet file or from a DataFrame, and check every row.

    Nothing is raised for a row that cannot be used: it is in `ListingTable.rows`, which refuses all at once.

    Raises:
        ParameterError: the source is no path and no table.
        DataError: the file cannot be read, or has other columns.
    """
    rows = read_own_rows(source, LISTINGS_FORMAT)
    if not {"adr", "symbol"} & set(rows.columns):
        raise DataError(
            f"{rows.name} has no column adr and no column symbol; give adr, hk and ordinary_per_ads of each "
            "pair, or symbol and kind of each other line"
        )
    own = [name for name in rows.columns if name and name not in COLUMNS]
    taken = sorted({*REGISTRY_NAMES.values(), *PARSED} & set(own))
    if taken:
        raise DataError(f"{rows.name} has a column {taken[0]}, which the registry uses itself; rename it")
    companies, instruments, splits = [], [], []
    used: dict[str, int] = {}
    for number, row in rows.rows.items():
        checked = CheckedRow(row)
        for symbol in checked.symbols:
            if symbol in used:
                checked.wrong.append(f"{symbol} is already used in row {used[symbol]}; give each line once")
            used.setdefault(symbol, number)
        if checked.wrong:
            key = next((row[name] for name in LISTINGS_FORMAT.keys if row[name]), "")
            rows.bad.append(BadRow(number, printable(key), "; ".join(checked.wrong)))
        elif row["symbol"]:
            instruments.append(checked.instrument())
        else:
            companies.append(checked.company())
            splits += [(row["company"] or row["adr"], row["adr"], *split) for split in checked.splits]
    return ListingTable(
        _text(companies, [*COMPANY_COLUMNS, *own]),
        pd.DataFrame(splits, columns=list(SPLIT_COLUMNS)).astype(SPLIT_COLUMNS),
        _text(instruments, [*INSTRUMENT_COLUMNS, *own]),
        rows,
    )


def _text(rows: list[dict[str, str]], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame([[row[name] for name in columns] for row in rows], columns=columns, dtype="str")


class CheckedRow:
    """One row of a listing file, its blanks filled as the format says, and what is wrong with it.

    Args:
        row: text by column.
    """

    def __init__(self, row: Mapping[str, str]) -> None:
        self.row: dict[str, str] = dict(row)
        self.wrong: list[str] = []
        self.splits: list[Split] = []
        self.symbols: list[str] = []
        for name in ("ordinary_per_ads", "lot"):
            self.row[name] = whole(self.row[name])
        if bool(row["adr"]) == bool(row["symbol"]):
            both = "adr and symbol are both given" if row["adr"] else "adr and symbol are both blank"
            self.wrong.append(
                f"{both}; give adr (and hk) of a company with an ADS, or symbol of any other line"
            )
        elif row["adr"]:
            self._check_company()
        else:
            self._check_instrument()
        self._check_common()

    def company(self) -> dict[str, str]:
        """Return the row in the registry's words."""
        row = self.row
        named = {REGISTRY_NAMES.get(name, name): text for name, text in row.items()}
        return named | {"hk_code": row["hk"].removesuffix(".HK")}

    def instrument(self) -> dict[str, str]:
        """Return the row in the words of `instruments.csv`."""
        return self.row | {"name": self.row["company"]}

    def _check_common(self) -> None:
        row = self.row
        row["sector"] = row["sector"] or UNCLASSIFIED
        if not _SECTOR.fullmatch(row["sector"]):
            self.wrong.append(
                f"sector is {shown(row['sector'])}; write words in lower case, such as communication:internet"
            )
        if row["lot"] and not re.fullmatch(r"[1-9][0-9]{0,6}", row["lot"]):
            self.wrong.append(
                f"lot is {shown(row['lot'])}; it must be the board lot in shares, a whole number, or blank"
            )
        row["withholding"] = self._number("withholding", row["withholding"] or "0", _withholding)
        self._word("confidence", CONFIDENCE)

    def _check_company(self) -> None:
        row = self.row
        if not _ADR.fullmatch(row["adr"]):
            self.wrong.append(
                f"adr is {shown(row['adr'])}; write the New York ticker in capitals, such as BABA"
            )
        self.symbols.append(row["adr"])
        if row["hk"]:
            try:
                row["hk"] = hk_symbol(row["hk"])
                self.symbols.append(row["hk"])
            except ParameterError:
                self.wrong.append(
                    f"hk is {shown(row['hk'])}; write a Hong Kong code, such as 9988 or 9988.HK"
                )
        row["company"] = row["company"] or row["adr"]
        row["kind"] = row["kind"] or "ads"
        row["size_source"] = row["size_source"] or ("own table" if row["size"] else "default")
        row["size"] = row["size"] or "mid"
        row["hk_status"] = row["hk_status"] or ("" if row["hk"] else "none")
        row["withholding_confidence"] = row["withholding_confidence"] or row["confidence"]
        self._word("kind", PAIR_KINDS)
        self._word("size", SIZES)
        self._word("us_exchange", EXCHANGES)
        self._check_status()
        listed, _, last = self._date("us_listed"), self._date("hk_listed"), self._last_session()
        if listed and last and last < listed:
            self.wrong.append(f"us_last {row['us_last']} is before us_listed {row['us_listed']}; swap them")
        ratios = self._ratios()
        if ratios and last and last < ratios[0][0]:
            self.wrong.append(
                f"the ratio is known from {ratios[0][0]} on, after us_last {row['us_last']}; give an earlier "
                "one"
            )
        self._read_splits()
        if ratios and not self.wrong:
            self._check_splits(ratios)

    def _check_instrument(self) -> None:
        row = self.row
        symbol = row["symbol"]
        if not _LINE.fullmatch(symbol):
            self.wrong.append(
                f"symbol is {shown(symbol)}; write it as its price file is named, such as KWEB or 0700.HK"
            )
        else:
            row["symbol"] = hk_symbol(symbol) if symbol.endswith(".HK") else symbol
        self.symbols.append(row["symbol"])
        for name in OF_PAIRS:
            if row[name]:
                self.wrong.append(
                    f"{name} is {shown(row[name])}, which only a row with adr has; leave it blank"
                    + (
                        "; splits belong into the Stock Splits column of the prices"
                        if name == "splits"
                        else ""
                    )
                )
        plain = "index" if symbol.startswith("^") else "ordinary" if symbol.endswith(".HK") else "stock"
        row["kind"] = row["kind"] or plain
        row["company"] = row["company"] or row["symbol"]
        if self._word("kind", LINE_KINDS) and row["kind"] not in (plain, "etf")[: 1 + (plain != "index")]:
            self.wrong.append(
                f"kind is {shown(row['kind'])}, which {symbol} cannot be; it must be {plain}"
                + (" or etf" if plain != "index" else "")
            )

    def _check_status(self) -> None:
        text = self.row["hk_status"]
        if text in ("", "none"):
            return
        parts = [STATUS.match(part) for part in re.sub(r"\([^()]*\)", "", text).split(";")]
        if not self.row["hk"] or not all(part and (not part[2] or _day(part[2])) for part in parts):
            self.wrong.append(
                f"hk_status is {shown(text)}; write such as secondary; dual-primary from 2024-08-28"
                if self.row["hk"]
                else f"hk_status is {shown(text)} and hk is blank; give the Hong Kong code, or leave it blank"
            )

    def _last_session(self) -> date | None:
        """Return the last possible date of the last session in New York."""
        text = self.row["us_last"]
        if not _MONTH.fullmatch(text):
            return self._date("us_last")
        try:
            first = pd.Timestamp(parse_date(f"{text}-01"))
        except ValueError:
            self.wrong.append(f"us_last {shown(text)} is not a month; write 2025-11, or 2025-11-28")
            return None
        return (first + pd.offsets.MonthEnd(0)).date()

    def _ratios(self) -> list[tuple[date, float]]:
        """Return dates and ratios, oldest first; write the history out where only one ratio is given."""
        row = self.row
        given = row["ordinary_per_ads"]
        if given:
            given = self._number("ordinary_per_ads", given, _positive)
            if not given:
                return []
        elif not row["ratio_history"]:
            self.wrong.append(
                "ordinary_per_ads is blank; say how many ordinary shares one ADS stands for, or give "
                "ratio_history"
            )
            return []
        if not row["ratio_history"]:
            row["ratio_history"] = f"{row['us_listed'] or ALWAYS}:{given}"
        ratios = []
        for entry in row["ratio_history"].split("|"):
            match = _RATIO.fullmatch(entry.strip())
            day = _day(match[1]) if match else None
            if match is None or day is None or float(match[2]) <= 0:
                self.wrong.append(
                    f"ratio_history has {shown(entry)}; write date:ratio, oldest first, such as "
                    "2014-09-19:1|2019-07-30:8"
                )
                return []
            ratios.append((day, float(match[2])))
        if any(later[0] <= earlier[0] for earlier, later in pairwise(ratios)):
            self.wrong.append(
                "ratio_history is not in order of date; write the oldest ratio first, each once"
            )
            return []
        if given and ratios[-1][1] != float(given):
            self.wrong.append(
                f"ordinary_per_ads is {given} and ratio_history ends at {ratios[-1][1]:g}; make them agree"
            )
        row["ratio_history"] = "|".join(entry.strip() for entry in row["ratio_history"].split("|"))
        row["ordinary_per_ads"] = given or repr(ratios[-1][1]).removesuffix(".0")
        return ratios

    def _read_splits(self) -> None:
        text = self.row["splits"]
        for entry in text.split("|") if text else ():
            match = _SPLIT.fullmatch(entry.strip())
            factor = _positive(match[3]) if match else None
            if match is None or _day(match[1]) is None or match[2] not in ("hk", "ads", "both") or not factor:
                self.wrong.append(
                    f"splits has {shown(entry)}; write date:line:factor with line hk, ads or both and new "
                    "shares per old, such as 2019-07-30:hk:8"
                )
                return
            self.splits.append(Split(match[1], match[2], factor, match[4] or "own table"))
        days = [split.date for split in self.splits]
        if len(set(days)) < len(days):
            self.wrong.append("splits names a date twice; write both for a split of both lines")
        self.splits.sort()

    def _check_splits(self, ratios: list[tuple[date, float]]) -> None:
        """Refuse a ratio that changes without a split, or a split of one line at an unchanged ratio."""
        factors = {date.fromisoformat(split.date): split for split in self.splits}
        changes = {later[0]: (earlier[1], later[1]) for earlier, later in pairwise(ratios)}
        for day in sorted({*changes, *(day for day in factors if day > ratios[0][0])}):
            split = factors.get(day)
            in_force = [ratio for since, ratio in ratios if since < day][-1]
            before, after = changes.get(day, (in_force, in_force))
            moved = 1.0
            if split is not None and split.line != "both":
                moved = split.factor if split.line == "hk" else 1.0 / split.factor
            if abs(after / before / moved - 1.0) <= ROUNDING:
                continue
            if split is None:
                self.wrong.append(
                    f"the ratio goes from {before:g} to {after:g} on {day} and splits does not say which "
                    f"line was split; add {day}:hk:{_fraction(after / before)} or "
                    f"{day}:ads:{_fraction(before / after)}"
                )
            else:
                self.wrong.append(
                    f"the split {day}:{split.line}:{split.factor:g} takes the ratio from {before:g} to "
                    f"{before * moved:g}, and ratio_history has {after:g}; make them agree"
                )

    def _date(self, name: str) -> date | None:
        text = self.row[name]
        if not text:
            return None
        try:
            return parse_date(text)
        except ValueError as error:
            self.wrong.append(f"{name} {error}")
            return None

    def _number(self, name: str, text: str, parse: Callable[[str], float | None]) -> str:
        """Return a number as text that reads back the same, "" where it is none."""
        number = parse(text)
        if number is not None:
            return repr(number).removesuffix(".0")
        self.wrong.append(f"{name} is {shown(text)}; {NUMBERS[name]}")
        return ""

    def _word(self, name: str, known: tuple[str, ...]) -> bool:
        word = self.row[name]
        if not word or word in known:
            return True
        near = near_word(word, known)
        self.wrong.append(
            f"{name} is {shown(word)}{near or ';'} it must be one of {', '.join(known)}, or blank"
        )
        return False


NUMBERS: Final = {
    "withholding": "it must be a fraction from 0 to 0.5, such as 0.1 for 10 %",
    "ordinary_per_ads": "it must be a positive number, such as 8 or 0.25",
}


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _positive(text: str) -> float | None:
    """Return a positive number, written as a decimal or a fraction."""
    if not _POSITIVE.fullmatch(text.strip()):
        return None
    number = float(Fraction(text.strip()))
    return number if 1e-9 < number < 1e9 else None


def _withholding(text: str) -> float | None:
    number = 0.0 if re.fullmatch(r"0+(\.0*)?", text) else _positive(text)
    return number if number is not None and number <= HIGHEST_WITHHOLDING else None


def listing_rows(
    frame: pd.DataFrame, splits: pd.DataFrame, instruments: pd.DataFrame
) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns of a listing file and its rows as text, companies first.

    Args:
        frame: of `Listings`.
        splits: of `Listings`.
        instruments: of `Listings`.
    """
    known = {REGISTRY_NAMES.get(name, name) for name in COLUMNS}
    own = [str(name) for name in frame.columns if name not in known and name not in PARSED]
    taken = [name for name in (FORMAT, DROP, *COLUMNS) if name in own]
    if taken:
        raise DataError(f"the listings have a column {taken[0]}, which is the file's own; rename it")
    columns = [*COLUMNS, *own, FORMAT]
    rows = []
    for adr, entry in frame.iterrows():
        row = {name: str(entry.get(REGISTRY_NAMES.get(name, name), "")) for name in (*COLUMNS, *own)}
        of_adr = splits[splits["adr"] == adr]
        told = zip(of_adr["date"], of_adr["line"], of_adr["factor"], of_adr["source"], strict=True)
        row["splits"] = "|".join(
            f"{day:%Y-%m-%d}:{line}:{cell_text(factor)}:{source}" for day, line, factor, source in told
        )
        row["ordinary_per_ads"] = cell_text(entry["ord_per_ads_current"])
        row["withholding"] = cell_text(entry["withholding"])
        rows.append(row | {"symbol": "", FORMAT: LISTINGS_FORMAT.said})
    for symbol, entry in instruments.iterrows():
        row = dict.fromkeys(columns, "") | {name: str(entry[name]) for name in own}
        row |= {name: str(entry[name]) for name in ("kind", "sector", "confidence", "source", "notes")}
        row |= {"symbol": str(symbol), "company": str(entry["name"]), FORMAT: LISTINGS_FORMAT.said}
        row |= {name: cell_text(entry[name]) for name in ("lot", "withholding")}
        rows.append(row)
    return columns, rows


def _fraction(number: float) -> str:
    """Return a factor as it is best written: 8, 0.25 or 8/3."""
    return (
        f"{number:g}" if number == float(f"{number:g}") else str(Fraction(number).limit_denominator(10_000))
    )
