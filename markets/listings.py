"""Which companies are listed in Hong Kong and New York, at which ADS ratio, and since when.

Tables: `data/listings.csv` (53 companies), `data/splits.csv` (splits of either line), `data/issuers.csv`
(domicile, dividend withholding, size), `data/instruments.csv` (funds, indices and Hong Kong names outside
the registry).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import pandas as pd

from entrepot.errors import DataError, ParameterError
from entrepot.markets.tables import dates, numbers, read_table

LISTING_COLUMNS = (
    "company hk_code adr_ticker us_exchange ord_per_ads_current ratio_history hk_listing_date "
    "us_listing_date us_last_trade_date us_delisting_effective hk_board_lot hk_status sector "
    "hstech_member confidence conf_ratio conf_dates conf_board_lot verification notes"
)
ISSUER_COLUMNS = "adr incorporated tax_resident withholding confidence size size_source us_kind notes"
SPLIT_COLUMNS = "company adr date line factor source"
INSTRUMENT_COLUMNS = "symbol kind name sector lot withholding confidence source"
SIZES = ("mega", "mid", "small")


@dataclass(frozen=True, eq=False)
class Listings:
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
    """

    frame: pd.DataFrame
    ratios: pd.DataFrame
    splits: pd.DataFrame
    statuses: pd.DataFrame

    def __repr__(self) -> str:
        return f"Listings({len(self.frame)} companies, {self.frame['hk'].ne('').sum()} with a Hong Kong line)"

    def by_adr(self, ticker: str) -> pd.Series:
        """The row of a New York ticker.

        Raises:
            ParameterError: the registry has no such ticker.
        """
        symbol = str(ticker).strip().upper()
        found = self.frame[self.frame.index == symbol]
        if found.empty:
            raise _unknown("New York ticker", ticker, self.frame.index.tolist())
        return found.iloc[0]

    def by_hk(self, code: str) -> pd.Series:
        """The row of a Hong Kong code, written "9988", "09988" or "9988.HK".

        Raises:
            ParameterError: not a Hong Kong code, or not in the registry.
        """
        symbol = hk_symbol(code)
        found = self.frame[self.frame["hk"] == symbol]
        if found.empty:
            raise _unknown("Hong Kong code", code, self.frame["hk"][self.frame["hk"].ne("")].tolist())
        return found.iloc[0]

    def by_company(self, name: str) -> pd.Series:
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
                f"The company {name!r} fits {', '.join(found['company'])}: write more of the name."
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
            ParameterError: unknown ticker, or a date before the first known ratio.
        """
        history = self.ratios[self.ratios["adr"] == self.by_adr(adr).name]
        known = history[history["effective_from"] <= pd.Timestamp(date)]
        if known.empty:
            raise ParameterError(
                f"The ratio of {adr} is known from {history['effective_from'].iloc[0].date()} on, not on "
                f"{pd.Timestamp(date).date()}: start the data later or give the ratio yourself."
            )
        return float(known["ordinary_per_ads"].iloc[-1])

    def hk_status(self, adr: str, date: str | pd.Timestamp) -> str:
        """Listing status in Hong Kong on a date: "primary", "dual-primary" or "secondary".

        It is "" before the company was listed there. The end of a Hong Kong listing is not in the table.
        """
        history = self.statuses[self.statuses["adr"] == self.by_adr(adr).name]
        known = history[history["effective_from"] <= pd.Timestamp(date)]
        return "" if known.empty else str(known["status"].iloc[-1])

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
        return pd.DataFrame(
            {
                "company": gone["company"],
                "last_session": gone["us_last_latest"].where(exact),
                "earliest": gone["us_last_earliest"],
                "latest": gone["us_last_latest"],
                "into": gone["hk"].mask(gone["hk_status"].str.contains("until privatisation"), ""),
                "ordinary_per_ads": [
                    self.ratio(str(adr), last) for adr, last in gone["us_last_latest"].items()
                ],
                "confidence": gone["conf_dates"],
            }
        )


@lru_cache(maxsize=1)
def load_listings() -> Listings:
    """The registry shipped with the package, checked when first loaded and shared by all callers.

    Raises:
        DataError: the tables contradict themselves or each other.
    """
    frame = _listings_frame()
    ratios = _ratios(frame)
    splits = _splits(frame)
    return Listings(frame=frame, ratios=ratios, splits=splits, statuses=_statuses(frame))


def load_instruments() -> pd.DataFrame:
    """Instruments outside the registry: funds, indices, further Hong Kong shares.

    Returns:
        Index `symbol`; `kind` ("etf", "index", "ordinary"), `name`, `sector`, `lot` (NaN unknown),
        `withholding` (fraction; for funds and indices 0, taxes inside the fund are in its price),
        `confidence`, `source` (where sector and lot come from).
    """
    name = "instruments.csv"
    table = read_table(name, INSTRUMENT_COLUMNS, key="symbol")
    table["lot"] = numbers(table, "lot", name)
    table["withholding"] = _withholding(table, name)
    wrong = ~table["kind"].isin(["etf", "index", "ordinary"]) | table["sector"].eq("")
    if wrong.any():
        raise DataError(f"{name}: {table.loc[wrong, 'symbol'].tolist()} lack a usable kind or a sector.")
    return table.set_index("symbol")


def hk_symbol(code: str) -> str:
    """A Hong Kong code as the symbol used everywhere: "9988", "09988" and "9988.HK" are "9988.HK".

    Raises:
        ParameterError: not one to five digits with or without ".HK".
    """
    digits = re.fullmatch(r"(\d{1,5})(\.HK)?", str(code).strip().upper())
    if digits is None:
        raise ParameterError(f"{code!r} is not a Hong Kong code; write it as 9988 or 9988.HK.")
    return f"{int(digits[1]):04d}.HK"


def _listings_frame() -> pd.DataFrame:
    name = "listings.csv"
    table = read_table(name, LISTING_COLUMNS, key="adr_ticker")
    issuers = read_table("issuers.csv", ISSUER_COLUMNS, key="adr").set_index("adr")
    if set(issuers.index) != set(table["adr_ticker"]):
        odd = sorted(set(issuers.index) ^ set(table["adr_ticker"]))
        raise DataError(f"issuers.csv and {name} do not name the same companies: {odd} are in one only.")
    with_hk = table["hk_code"].ne("")
    if table.loc[with_hk, "hk_code"].duplicated().any():
        raise DataError(f"{name}: a Hong Kong code occurs twice.")
    table["hk"] = (table["hk_code"] + ".HK").where(with_hk, "")
    table["lot"] = numbers(table, "hk_board_lot", name)
    table["ord_per_ads_current"] = numbers(table, "ord_per_ads_current", name)
    table["hk_listed"] = dates(table, "hk_listing_date", name)
    table["us_listed"] = dates(table, "us_listing_date", name)
    table["us_last_earliest"], table["us_last_latest"] = _bounds(table["us_last_trade_date"], name)
    frame = table.set_index(pd.Index(table["adr_ticker"], name="adr"))
    rows = issuers.loc[frame.index].reset_index()
    if not rows["size"].isin(SIZES).all() or not rows["us_kind"].isin(["ads", "common"]).all():
        raise DataError("issuers.csv: size must be mega, mid or small, and us_kind must be ads or common.")
    return frame.assign(
        us_kind=rows["us_kind"].to_numpy(),
        size=rows["size"].to_numpy(),
        size_source=rows["size_source"].to_numpy(),
        withholding=_withholding(rows, "issuers.csv").to_numpy(),
        withholding_confidence=rows["confidence"].to_numpy(),
        withholding_note=rows["notes"].to_numpy(),
    )


def _bounds(cells: pd.Series[str], name: str) -> tuple[pd.Series[pd.Timestamp], pd.Series[pd.Timestamp]]:
    """First and last possible date of cells such as "2021-01-08", "2025-11" (some day of it) and ""."""
    coarse = cells.str.fullmatch(r"\d{4}-\d\d")
    firsts = dates(pd.DataFrame({"date": cells.where(~coarse, cells + "-01")}), "date", name)
    return firsts, firsts.where(~coarse, firsts + pd.offsets.MonthEnd(0)).dt.as_unit("ns")


def _withholding(table: pd.DataFrame, name: str) -> pd.Series[float]:
    fraction = numbers(table, "withholding", name)
    if not fraction.between(0, 0.5).all() or table["confidence"].eq("").any():
        raise DataError(f"{name}: every withholding must be a fraction of at most 0.5 with a confidence.")
    return fraction


def _ratios(frame: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for adr, company, history in zip(frame.index, frame["company"], frame["ratio_history"], strict=True):
        for entry in history.split("|"):
            match = re.fullmatch(r"(\d{4}-\d\d-\d\d):([\d.]+)", entry)
            if match is None:
                raise DataError(f"listings.csv: {adr} has the ratio {entry!r}; write it as 2019-07-30:8.")
            rows.append((company, adr, pd.Timestamp(match[1]), float(match[2])))
    ratios = pd.DataFrame(rows, columns=["company", "adr", "effective_from", "ordinary_per_ads"])
    ratios["effective_from"] = ratios["effective_from"].dt.as_unit("ns")
    by_line = ratios.groupby("adr", sort=False)
    ordered = by_line["effective_from"].is_monotonic_increasing
    current = by_line["ordinary_per_ads"].last()
    wrong = ~ordered | (current != frame["ord_per_ads_current"]) | (by_line["ordinary_per_ads"].min() <= 0)
    if wrong.any():
        raise DataError(
            f"listings.csv: the ratios of {wrong.index[wrong].tolist()} must be positive, in order of date, "
            "and end at ord_per_ads_current."
        )
    return ratios


def _splits(frame: pd.DataFrame) -> pd.DataFrame:
    name = "splits.csv"
    table = read_table(name, SPLIT_COLUMNS)
    table["date"] = dates(table, "date", name)
    table["factor"] = [float(Fraction(cell)) for cell in table["factor"]]
    companies = table["adr"].map(frame["company"])
    usable = table["line"].isin(["hk", "ads", "both"]) & (table["factor"] > 0) & table["date"].notna()
    wrong = ~usable | (companies != table["company"]) | table.duplicated(["adr", "date"])
    if wrong.any():
        raise DataError(f"{name}: unusable rows for {table.loc[wrong, 'adr'].tolist()}.")
    return table.sort_values(["adr", "date"], ignore_index=True)


def _statuses(frame: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for adr, listed, text in zip(frame.index, frame["hk_listed"], frame["hk_status"], strict=True):
        if text == "none":
            continue
        # Remarks in brackets and "until privatisation" are not statuses.
        for part in re.sub(r"\(.*?\)", "", text).split(";"):
            match = re.match(r"\s*(primary|dual-primary|secondary)(?: (?:from )?(\d{4}-\d\d-\d\d))?", part)
            if match is None:
                raise DataError(f"listings.csv: the Hong Kong status {text!r} of {adr} is not understood.")
            rows.append((adr, pd.Timestamp(match[2]) if match[2] else listed, match[1]))
    statuses = pd.DataFrame(rows, columns=["adr", "effective_from", "status"])
    statuses["effective_from"] = statuses["effective_from"].dt.as_unit("ns")
    return statuses


def _unknown(what: str, given: str, known: list[str]) -> ParameterError:
    near = difflib.get_close_matches(str(given), known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; load_listings().frame lists them all."
    return ParameterError(f"The registry has no {what} {given!r}{hint}")
