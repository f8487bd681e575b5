"""Which companies are listed in Hong Kong and New York, at which ADS ratio, and since when.

Tables: `data/listings.csv` (53 companies), `data/splits.csv` (splits of either line), `data/issuers.csv`
(domicile, dividend withholding, size), `data/instruments.csv` (funds, indices and Hong Kong names outside
the registry).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from entrepot.errors import DataError, ParameterError, near_word, shown
from entrepot.guarded import Guarded
from entrepot.markets.listing_file import (
    LINE_KINDS,
    PAIR_KINDS,
    SIZES,
    STATUS,
    ListingTable,
    listing_rows,
    read_listing_table,
)
from entrepot.markets.own_rows import BadRow, Rows, asked, printable, write_own_rows
from entrepot.markets.sessions import check_date
from entrepot.markets.symbols import hk_symbol
from entrepot.markets.tables import dates, numbers, read_table

LISTING_COLUMNS = (
    "company hk_code adr_ticker us_exchange ord_per_ads_current ratio_history hk_listing_date "
    "us_listing_date us_last_trade_date us_delisting_effective hk_board_lot hk_status sector "
    "hstech_member confidence conf_ratio conf_dates conf_board_lot verification notes"
)
ISSUER_COLUMNS = "adr incorporated tax_resident withholding confidence size size_source us_kind notes"
SPLIT_COLUMNS = "company adr date line factor source"
INSTRUMENT_COLUMNS = "symbol kind name sector lot withholding confidence source"


@dataclass(frozen=True, eq=False)
class Listings(Guarded):
    """The registry of dual listings. `load_listings()` gives the one shipped with the package.

    Attributes:
        frame: one row per company, index `adr` (ticker). The columns of `listings.csv` as text, and parsed
            from them or from `issuers.csv`: `hk` (symbol such as "9988.HK", "" where there is none), `lot`
            (board lot of the Hong Kong line in shares, NaN unknown), `hk_listed`, `us_listed` (dates),
            `us_last_earliest`, `us_last_latest` (the last New York session lies between them; NaT while
            listed), `us_kind` ("ads" or "common"), `us_exchange` ("OTC" lines are for reference only),
            `size` ("mega", "mid", "small"), `size_source` ("fees.csv", or "default": mid where no source
            names the company), `withholding` (fraction of a long's dividend), `withholding_confidence`,
            `withholding_note`.
        ratios: long: `company`, `adr`, `effective_from` (New York session from which prices follow the
            ratio), `ordinary_per_ads`.
        splits: long: `company`, `adr`, `date`, `line` ("hk", "ads" or "both"), `factor` (new shares per old
            share), `source`. A factor of 0.1 is a reverse split.
        statuses: long: `adr`, `effective_from`, `status` ("primary", "dual-primary" or "secondary" listing
            in Hong Kong).
        instruments: lines that are no pair: see `load_instruments`.
    """

    frame: pd.DataFrame
    ratios: pd.DataFrame
    splits: pd.DataFrame
    statuses: pd.DataFrame
    instruments: pd.DataFrame

    def __repr__(self) -> str:
        return f"Listings({len(self.frame)} companies, {self.frame['hk'].ne('').sum()} with a Hong Kong line)"

    def by_adr(self, ticker: str) -> pd.Series[Any]:
        """The row of a New York ticker.

        Raises:
            ParameterError: the registry has no such ticker.
        """
        symbol = str(ticker).strip().upper()
        found = self.frame[self.frame.index == symbol]
        if found.empty:
            raise _unknown("New York ticker", ticker, self.frame.index.tolist())
        return found.iloc[0]

    def by_hk(self, code: str) -> pd.Series[Any]:
        """The row of a Hong Kong code, written "9988", "09988" or "9988.HK".

        Raises:
            ParameterError: not a Hong Kong code, or not in the registry.
        """
        symbol = hk_symbol(code)
        found = self.frame[self.frame["hk"] == symbol]
        if found.empty:
            raise _unknown("Hong Kong code", code, self.frame["hk"][self.frame["hk"].ne("")].tolist())
        return found.iloc[0]

    def by_company(self, name: str) -> pd.Series[Any]:
        """The row of a company, by its whole name or by a part that fits only one, in any case.

        Raises:
            ParameterError: no company fits, or several do.
        """
        wanted = str(name).strip().casefold()
        names = self.frame["company"].str.casefold()
        fits = names.eq(wanted)
        if not fits.any() and wanted:
            fits = names.str.contains(wanted, regex=False)
        found = self.frame[fits]
        if len(found) > 1:
            raise ParameterError(
                f"the company {name!r} fits {', '.join(found['company'])}: write more of the name"
            )
        if found.empty:
            raise _unknown("company", name, self.frame["company"].tolist())
        return found.iloc[0]

    def ratio(self, adr: str, date: str | pd.Timestamp) -> float:
        """Ordinary shares per ADS in force for raw prices of a New York session.

        Args:
            adr: New York ticker.
            date: session date.

        Raises:
            ParameterError: unknown ticker, what is no date, or a date before the first known ratio.
        """
        history = self.ratios[self.ratios["adr"] == self.by_adr(adr).name]
        day = check_date(date)
        known = history[history["effective_from"] <= day]
        if known.empty:
            raise ParameterError(
                f"the ratio of {adr} is known from {history['effective_from'].iloc[0].date()} on, not on "
                f"{day.date()}: start the data later or give the ratio yourself"
            )
        return float(known["ordinary_per_ads"].iloc[-1])

    def hk_status(self, adr: str, date: str | pd.Timestamp) -> str:
        """Listing status in Hong Kong on a date: "primary", "dual-primary" or "secondary".

        It is "" before the company was listed there. The end of a Hong Kong listing is not in the table.

        Raises:
            ParameterError: unknown ticker, or what is no date.
        """
        history = self.statuses[self.statuses["adr"] == self.by_adr(adr).name]
        known = history[history["effective_from"] <= check_date(date)]
        return "" if known.empty else str(known["status"].iloc[-1])

    @cached_property
    def rows_by_adr(self) -> dict[str, dict[Hashable, Any]]:
        """Rows of `frame` by New York ticker."""
        return by_label(self.frame)

    @cached_property
    def rows_by_symbol(self) -> dict[str, dict[Hashable, Any]]:
        """Rows of `instruments` by symbol."""
        return by_label(self.instruments)

    @cached_property
    def adr_of_line(self) -> dict[str, str]:
        """New York ticker of the company, by the symbol of either of its lines."""
        lines = dict(zip(map(str, self.frame.index), map(str, self.frame["hk"]), strict=True))
        return {hk: adr for adr, hk in lines.items() if hk} | {adr: adr for adr in lines}

    @property
    def symbols(self) -> set[str]:
        """The symbols of all lines."""
        return {*self.adr_of_line, *map(str, self.instruments.index)}

    def merge(self, other: Listings) -> Listings:
        """Return these listings and the other's; a row that names a symbol of the other's gives way to it.

        A row gives way whole, a company with both of its lines: what the other does not say of it is not
        carried over.
        """
        if not isinstance(other, Listings):
            raise ParameterError(
                f"merge was given {shown(other)}: give listings, such as load_listings(path)"
            )
        kept = self.without(*(self.symbols & other.symbols))
        columns = [*dict.fromkeys([*kept.frame.columns, *other.frame.columns])]
        own = [c for c in columns if c not in kept.frame.columns or c not in other.frame.columns]
        tables = {
            name: pd.concat([getattr(kept, name), getattr(other, name)])
            for name in ("frame", "ratios", "splits", "statuses", "instruments")
        }
        for name in ("ratios", "statuses"):
            tables[name] = tables[name].reset_index(drop=True)
        for name in ("frame", "instruments"):
            tables[name] = tables[name].fillna(dict.fromkeys(own, ""))
        tables["splits"] = tables["splits"].sort_values(["adr", "date"], ignore_index=True)
        return Listings(**tables)

    def without(self, *symbols: str) -> Listings:
        """Return the listings but those of these symbols; a company goes with both of its lines.

        Raises:
            ParameterError: for a symbol that there is not.
        """
        known = self.symbols if symbols else set()
        for symbol in symbols:
            if not isinstance(symbol, str) or symbol not in known:
                near = near_word(symbol, known) if isinstance(symbol, str) else ""
                raise ParameterError(
                    f"there is no line {shown(symbol)} to leave out"
                    f"{near or '; give symbols of the listings.'}"
                )
        gone = {self.adr_of_line.get(symbol, symbol) for symbol in symbols}
        tables = {
            name: table[~table["adr"].isin(gone)].reset_index(drop=True)
            for name in ("ratios", "splits", "statuses")
            for table in [getattr(self, name)]
        }
        return Listings(
            frame=self.frame[~self.frame.index.isin(gone)],
            instruments=self.instruments[~self.instruments.index.isin(gone)],
            **tables,
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the listings to a file from which ``load_listings(path, replace=True)`` reads the same.

        The file is written whole or not at all, in the format that docs/own-tables.md describes.

        Args:
            path: a name that ends in .csv or .parquet; an older file of that name is replaced.

        Raises:
            ParameterError: the path cannot be written.
            DataError: listings that could not be read again.
        """

        def is_same(staged: Path) -> bool:
            return load_listings(staged, replace=True).equals(self)

        rows = listing_rows(self.frame, self.splits, self.instruments)
        write_own_rows(path, *rows, "listings", is_same)

    def equals(self, other: Listings) -> bool:
        """Whether all tables hold the same."""
        return all(
            getattr(self, name).equals(getattr(other, name))
            for name in ("frame", "ratios", "splits", "statuses", "instruments")
        )

    @cached_property
    def delistings(self) -> pd.DataFrame:
        """Lines that left New York.

        Returns:
            Index `adr`; `company`, `last_session` (NaT where only the month is known), `earliest`, `latest`
            (bounds of the last session), `into` (the Hong Kong line an ADS could become, "" where there is
            none or it ended in the same privatisation), `ordinary_per_ads` (at the end), `confidence` (of
            the dates). Where `last_session` is NaT, the last print between the bounds is the best there is.
        """
        gone = self.frame[self.frame["us_last_latest"].notna()]
        exact = gone["us_last_earliest"] == gone["us_last_latest"]
        last = gone["us_last_latest"].reindex(self.ratios["adr"]).to_numpy()
        in_force = self.ratios[(self.ratios["effective_from"] <= last).to_numpy()]
        return pd.DataFrame(
            {
                "company": gone["company"],
                "last_session": gone["us_last_latest"].where(exact),
                "earliest": gone["us_last_earliest"],
                "latest": gone["us_last_latest"],
                "into": gone["hk"].mask(gone["hk_status"].str.contains("until privatisation"), ""),
                "ordinary_per_ads": in_force.groupby("adr")["ordinary_per_ads"].last().reindex(gone.index),
                "confidence": gone["conf_dates"],
            }
        )


ListingsSource = str | PathLike[str] | pd.DataFrame | Rows | Listings


def load_listings(
    path: ListingsSource | Sequence[ListingsSource] | None = None,
    replace: bool = False,
    drop: str | Sequence[str] = (),
) -> Listings:
    """Load the listings shipped with the package, alone or with listings of one's own.

    Args:
        path: a CSV or Parquet file, a pandas or polars DataFrame, `Listings`, or a list of these, a later one
            taking precedence. A row has adr, hk and ordinary_per_ads (or ratio_history) of a company with an
            ADS, or symbol and kind of any other line, and what else is known; docs/own-tables.md has all of
            it. None for the bundled listings alone.
        replace: False merges, see `Listings.merge`; True uses what is given alone.
        drop: symbols of companies or lines to leave out.

    Raises:
        DataError: naming all rows and symbols that cannot be used, the first five in full.
        ParameterError: for a source of another kind, or a symbol to leave out that there is not.
    """
    sources, dropped = asked(path, replace, drop)
    listings = bundled_listings()
    if replace:
        listings = listings.without(*listings.frame.index, *listings.instruments.index)
    for source in sources:
        if not isinstance(source, Listings):
            table = read_listing_table(source)
            _check_drops(table, listings)
            table.rows.refuse_bad()
            listings, source = listings.without(*table.rows.drops.values()), _assembled(table)
        listings = listings.merge(source)
    return listings.without(*dropped)  # a copy: whoever changes its tables changes no other market


def listings_of(given: ListingsSource | None) -> Listings:
    """Return what a market is made with: the bundled listings, with a file or table merged, or those given.

    Listings are copied, so that what is kept of their tables is of the tables as they are now.
    """
    if given is None or given is bundled_listings():
        return bundled_listings()
    return given.without() if isinstance(given, Listings) else load_listings(given)


def by_label(table: pd.DataFrame) -> dict[str, dict[Hashable, Any]]:
    """Return a table's rows by their label."""
    return {str(label): row for label, row in table.to_dict("index").items()}


def _check_drops(table: ListingTable, listings: Listings) -> None:
    """Note each symbol to be left out that earlier listings do not have, or that is given too."""
    known = listings.symbols
    own = {*table.companies["adr_ticker"], *table.companies["hk"], *table.instruments["symbol"]}
    for number, symbol in table.rows.drops.items():
        why = ""
        if symbol in own:
            why = "drop is 1, and another row gives the same line; keep one of the two rows"
        elif symbol not in known:
            near = near_word(symbol, known) or ";"
            why = f"drop is 1, and there is no such line to leave out{near} correct it"
        if why:
            table.rows.bad.append(BadRow(number, printable(symbol), why))


@lru_cache(maxsize=1)
def bundled_listings() -> Listings:
    """The registry shipped with the package, checked when first loaded and shared by all callers.

    Raises:
        DataError: the tables contradict themselves or each other.
    """
    name = "listings.csv"
    table = read_table(name, LISTING_COLUMNS, key="adr_ticker")
    issuers = read_table("issuers.csv", ISSUER_COLUMNS, key="adr").set_index("adr")
    if set(issuers.index) != set(table["adr_ticker"]):
        odd = sorted(set(issuers.index) ^ set(table["adr_ticker"]))
        raise DataError(f"issuers.csv and {name} do not name the same companies: {odd} are in one only")
    with_hk = table["hk_code"].ne("")
    if table.loc[with_hk, "hk_code"].duplicated().any():
        raise DataError(f"{name}: a Hong Kong code occurs twice")
    rows = issuers.loc[table["adr_ticker"]].reset_index()
    if not rows["size"].isin(SIZES).all() or not rows["us_kind"].isin(PAIR_KINDS).all():
        raise DataError("issuers.csv: size must be mega, mid or small, and us_kind must be ads or common")
    _withholding(rows, "issuers.csv")
    companies = table.assign(
        hk=(table["hk_code"] + ".HK").where(with_hk, ""),
        us_kind=rows["us_kind"],
        size=rows["size"],
        size_source=rows["size_source"],
        withholding=rows["withholding"],
        withholding_confidence=rows["confidence"],
        withholding_note=rows["notes"],
        source="",
    )
    frame = _companies(companies, name)
    splits = _splits(frame, read_table("splits.csv", SPLIT_COLUMNS))
    return Listings(frame, _ratios(frame), splits, _statuses(frame), load_instruments())


def _assembled(table: ListingTable) -> Listings:
    """Return the listings of a table all of whose rows have been checked."""
    name = table.rows.name
    frame = _companies(table.companies, name)
    return Listings(
        frame,
        _ratios(frame),
        _splits(frame, table.splits),
        _statuses(frame),
        _instruments(table.instruments, name),
    )


def load_instruments() -> pd.DataFrame:
    """Instruments outside the registry: funds, indices, further Hong Kong shares.

    Returns:
        Index `symbol`; `kind` ("etf", "index", "ordinary", "stock"), `name`, `sector`, `lot` (NaN unknown),
        `withholding` (fraction; for funds and indices 0, taxes inside the fund are in its price),
        `confidence`, `source` (where sector and lot come from), `notes`.
    """
    name = "instruments.csv"
    table = read_table(name, INSTRUMENT_COLUMNS, key="symbol").assign(notes="")
    wrong = ~table["kind"].isin(LINE_KINDS) | table["sector"].eq("")
    if wrong.any():
        raise DataError(f"{name}: {table.loc[wrong, 'symbol'].tolist()} lack a usable kind or a sector")
    if table["confidence"].eq("").any():
        raise DataError(f"{name}: every row must have a confidence")
    return _instruments(table, name)


def _instruments(table: pd.DataFrame, name: str) -> pd.DataFrame:
    parsed = {"lot": numbers(table, "lot", name), "withholding": numbers(table, "withholding", name)}
    return table.assign(**parsed).set_index("symbol")


def _companies(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The registry's frame from its text."""
    earliest, latest = _bounds(table["us_last_trade_date"], name)
    parsed: dict[str, pd.Series[Any]] = {
        "lot": numbers(table, "hk_board_lot", name),
        "ord_per_ads_current": numbers(table, "ord_per_ads_current", name),
        "hk_listed": dates(table, "hk_listing_date", name),
        "us_listed": dates(table, "us_listing_date", name),
        "us_last_earliest": earliest,
        "us_last_latest": latest,
        "withholding": numbers(table, "withholding", name),
    }
    first = [*LISTING_COLUMNS.split(), "hk", "us_kind", "size", "size_source", "withholding_confidence"]
    first += ["withholding_note", "source"]
    ordered = [*first, *(column for column in table if column not in (*first, "withholding"))]
    return table[ordered].assign(**parsed).set_index(pd.Index(table["adr_ticker"], name="adr"))


def _bounds(cells: pd.Series[str], name: str) -> tuple[pd.Series[pd.Timestamp], pd.Series[pd.Timestamp]]:
    """First and last possible date of cells such as "2021-01-08", "2025-11" (some day of it) and ""."""
    coarse = cells.str.fullmatch(r"\d{4}-\d\d")
    firsts = dates(pd.DataFrame({"date": cells.where(~coarse, cells + "-01")}), "date", name)
    return firsts, firsts.where(~coarse, firsts + pd.offsets.MonthEnd(0)).dt.as_unit("ns")


def _withholding(table: pd.DataFrame, name: str) -> pd.Series[float]:
    fraction = numbers(table, "withholding", name)
    if not fraction.between(0, 0.5).all() or table["confidence"].eq("").any():
        raise DataError(f"{name}: every withholding must be a fraction of at most 0.5 with a confidence")
    return fraction


def _ratios(frame: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for adr, company, history in zip(frame.index, frame["company"], frame["ratio_history"], strict=True):
        for entry in history.split("|"):
            match = re.fullmatch(r"(\d{4}-\d\d-\d\d):([\d.]+)", entry)
            if match is None:
                raise DataError(f"listings.csv: {adr} has the ratio {entry!r}; write it as 2019-07-30:8")
            rows.append((company, adr, pd.Timestamp(match[1]), float(match[2])))
    ratios = pd.DataFrame(rows, columns=["company", "adr", "effective_from", "ordinary_per_ads"])
    ratios = ratios.astype(
        {"company": "str", "adr": "str", "effective_from": "datetime64[ns]", "ordinary_per_ads": "float64"}
    )
    if frame.empty:
        return ratios
    by_line = ratios.groupby("adr", sort=False)
    ordered = by_line["effective_from"].is_monotonic_increasing
    current = by_line["ordinary_per_ads"].last()
    wrong = ~ordered | (current != frame["ord_per_ads_current"]) | (by_line["ordinary_per_ads"].min() <= 0)
    if wrong.any():
        raise DataError(
            f"listings.csv: the ratios of {wrong.index[wrong].tolist()} must be positive, in order of date, "
            "and end at ord_per_ads_current"
        )
    return ratios


def _splits(frame: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    name = "splits.csv"
    table["date"] = dates(table, "date", name)
    table["factor"] = [float(Fraction(cell)) for cell in table["factor"]]
    companies = table["adr"].map(frame["company"])
    usable = table["line"].isin(["hk", "ads", "both"]) & (table["factor"] > 0) & table["date"].notna()
    wrong = ~usable | (companies != table["company"]) | table.duplicated(["adr", "date"])
    if wrong.any():
        raise DataError(f"{name}: unusable rows for {table.loc[wrong, 'adr'].tolist()}")
    return table.sort_values(["adr", "date"], ignore_index=True)


def _statuses(frame: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for adr, listed, text in zip(frame.index, frame["hk_listed"], frame["hk_status"], strict=True):
        if text in ("", "none"):
            continue
        # Remarks in brackets and "until privatisation" are not statuses.
        for part in re.sub(r"\([^()]*\)", "", text).split(";"):
            match = STATUS.match(part)
            if match is None:
                raise DataError(f"listings.csv: the Hong Kong status {text!r} of {adr} is not understood")
            rows.append((adr, pd.Timestamp(match[2]) if match[2] else listed, match[1]))
    statuses = pd.DataFrame(rows, columns=["adr", "effective_from", "status"])
    return statuses.astype({"adr": "str", "effective_from": "datetime64[ns]", "status": "str"})


def _unknown(what: str, given: str, known: list[str]) -> ParameterError:
    near = difflib.get_close_matches(str(given), known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; load_listings().frame lists them all."
    return ParameterError(f"the registry has no {what} {given!r}{hint}")
