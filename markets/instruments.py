"""What a symbol stands for: its venue, currency, company, lot and fee class."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final, TypedDict

import numpy as np

from entrepot.errors import DataError, some_of
from entrepot.markets.listings import Listings, bundled_listings

CURRENCIES: Final = {"XHKG": "HKD", "XNYS": "USD"}
HK_INDICES: Final = frozenset({"^HSI", "^HSCE", "^HSCEI", "^HSCC", "^HSTECH"})
US_INDICES: Final = frozenset({"^HXC", "^GSPC", "^IXIC", "^NDX", "^DJI", "^RUT", "^VIX"})
SHARE_CLASSES: Final = frozenset({"A", "B", "C"})


class Instrument(TypedDict):
    """One row of `Market.instruments` without what depends on the price file."""

    venue: str
    currency: str
    company: str
    sector: str
    kind: str
    pair: str
    lot: float
    size: str
    withholding: float
    fee_class: str


def venue_of(symbol: str) -> str:
    """Return the venue of a symbol in Yahoo's spelling, "" for an index of unknown venue.

    Raises:
        DataError: for the suffix of a market that has no calendar here.
    """
    if symbol.startswith("^"):
        return "XHKG" if symbol in HK_INDICES else "XNYS" if symbol in US_INDICES else ""
    suffix = symbol.rpartition(".")[2].upper() if "." in symbol else ""
    if suffix and suffix != "HK" and suffix not in SHARE_CLASSES:
        raise DataError(
            f"{symbol} belongs to a market that is not covered: use Hong Kong lines (as 9988.HK) or New York "
            "lines (as BABA)"
        )
    return "XHKG" if suffix == "HK" else "XNYS"


def _known(listings: Listings | None) -> Listings:
    return bundled_listings() if listings is None else listings


def partner_of(symbol: str, listings: Listings | None = None) -> str:
    """Return the other leg of a listed pair, "" where there is none; by the bundled listings where None."""
    known = _known(listings)
    adr = known.adr_of_line.get(symbol, "")
    return str(known.rows_by_adr[adr]["hk"]) if symbol == adr else adr


def reference_only(symbol: str, listings: Listings | None = None) -> bool:
    """Whether a symbol is an over-the-counter New York line: its price informs, it is not sold short."""
    entry = _known(listings).rows_by_adr.get(symbol)
    return entry is not None and entry["us_exchange"] == "OTC"


def say_what_is_own(symbols: Iterable[str], listings: Listings, label: str) -> tuple[str, list[str]]:
    """Return a market's label and notes, saying for which lines listings differ from the bundled ones."""
    names, bundled = list(symbols), bundled_listings()
    own = []
    if listings is not bundled:
        told, known = _facts(names, listings), _facts(names, bundled)
        own = [symbol for symbol in names if told[symbol] != known[symbol]]
    if not own:
        return label, []
    return f"{label}, listings of one's own", [
        f"Listings of one's own, other than the bundled ones, were used for {some_of(own)}."
    ]


def _facts(symbols: Iterable[str], listings: Listings) -> dict[str, str]:
    """All that a market takes from listings about lines, by symbol."""
    adrs = {symbol: listings.adr_of_line.get(symbol, "") for symbol in symbols}
    rows: dict[str, list[dict[Hashable, Any]]] = {adr: [] for adr in adrs.values()}
    left = listings.delistings.drop(columns="confidence").reset_index()
    for table in (listings.ratios, listings.splits.drop(columns="source"), left):
        for row in table[table["adr"].isin(rows)].drop(columns="company").to_dict("records"):
            rows[row["adr"]].append(row)
    return {symbol: repr([describe(symbol, listings), rows[adr]]) for symbol, adr in adrs.items()}


def describe(symbol: str, listings: Listings | None = None) -> tuple[Instrument, list[str]]:
    """Return what is known of a symbol, and a sentence for each thing that had to be assumed.

    ``pair`` names the other leg whether or not it is in any market.

    Args:
        symbol: in Yahoo's spelling.
        listings: where it is looked up; None: the bundled ones.
    """
    known = _known(listings)
    venue = venue_of(symbol)
    row = Instrument(
        venue=venue,
        currency=CURRENCIES[venue],
        company=symbol,
        sector="unclassified",
        kind="ordinary" if venue == "XHKG" else "stock",
        pair="",
        lot=1.0 if venue == "XNYS" else np.nan,
        size="mid",
        withholding=0.0,
        fee_class="hk_stock" if venue == "XHKG" else "us_stock",
    )
    notes = []
    if symbol in known.adr_of_line:
        adr = known.adr_of_line[symbol]
        entry = known.rows_by_adr[adr]
        row["company"], row["sector"], row["size"] = entry["company"], entry["sector"], entry["size"]
        row["withholding"] = entry["withholding"]
        if venue == "XHKG":
            row["pair"], row["lot"] = adr, entry["lot"]
        else:
            row["pair"], row["kind"] = entry["hk"], entry["us_kind"]
            if reference_only(symbol, known):
                notes.append(f"{symbol} trades over the counter: a reference, not a price to trade at.")
    elif symbol in known.rows_by_symbol:
        entry = known.rows_by_symbol[symbol]
        row["company"], row["sector"], row["kind"] = entry["name"], entry["sector"], entry["kind"]
        row["withholding"] = entry["withholding"]
        row["lot"] = entry["lot"] if venue == "XHKG" else 1.0
    elif symbol.startswith("^"):
        row["kind"] = "index"
    else:
        notes.append(
            f"{symbol} is not in the registry: read as a {row['kind']} share of {venue} in "
            f"{row['currency']}, unclassified, without withholding."
        )
    if row["kind"] == "index":
        row["lot"], row["fee_class"] = 0.0, "none"
    elif row["kind"] == "etf" and venue == "XHKG":
        row["fee_class"] = "hk_etp"
    if np.isnan(row["lot"]):
        row["lot"] = 0.0
        notes.append(f"{symbol} has no known board lot: it trades in single and fractional shares.")
    return row, notes
