"""What a symbol stands for: its venue, currency, company, lot and fee class."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, TypedDict

import numpy as np

from entrepot.errors import DataError
from entrepot.markets.listings import load_instruments, load_listings

CURRENCIES: Final = {"XHKG": "HKD", "XNYS": "USD"}
HK_INDICES: Final = frozenset({"^HSI", "^HSCE", "^HSCEI", "^HSCC", "^HSTECH"})
US_INDICES: Final = frozenset({"^HXC", "^GSPC", "^IXIC", "^NDX", "^DJI", "^RUT", "^VIX"})
SHARE_CLASSES: Final = frozenset({"A", "B", "C"})


@lru_cache(maxsize=1)
def registered() -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]], dict[str, str]]:
    """Return the registry by ADR and the further instruments by symbol, row by row, and each line's ADR."""
    listings, others = load_listings().frame, load_instruments()
    registry: dict[str, dict[str, Any]] = {str(adr): dict(row) for adr, row in listings.iterrows()}
    further: dict[str, dict[str, Any]] = {str(symbol): dict(row) for symbol, row in others.iterrows()}
    adr_of = {str(row["hk"]): adr for adr, row in registry.items() if row["hk"]}
    return registry, further, adr_of | {adr: adr for adr in registry}


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


def partner_of(symbol: str) -> str:
    """Return the other leg of a registered pair, "" where there is none."""
    registry, _, adr_of = registered()
    adr = adr_of.get(symbol, "")
    return str(registry[adr]["hk"]) if symbol == adr else adr


def reference_only(symbol: str) -> bool:
    """Whether a symbol is an over-the-counter New York line: its price informs, it is not sold short."""
    entry = registered()[0].get(symbol)
    return entry is not None and entry["us_exchange"] == "OTC"


def describe(symbol: str) -> tuple[Instrument, list[str]]:
    """Return what is known of a symbol, and a sentence for each thing that had to be assumed.

    ``pair`` names the other leg whether or not it is in any market.
    """
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
    registry, others, adr_of = registered()
    if symbol in adr_of:
        adr = adr_of[symbol]
        entry = registry[adr]
        row["company"], row["sector"], row["size"] = entry["company"], entry["sector"], entry["size"]
        row["withholding"] = entry["withholding"]
        if venue == "XHKG":
            row["pair"], row["lot"] = adr, entry["lot"]
        else:
            row["pair"], row["kind"] = entry["hk"], entry["us_kind"]
            if reference_only(symbol):
                notes.append(f"{symbol} trades over the counter: a reference, not a price to trade at.")
    elif symbol in others:
        entry = others[symbol]
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
