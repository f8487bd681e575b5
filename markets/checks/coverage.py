"""What is there and what is missing: lines, sessions, legs, opens, and the tables that list them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from entrepot.markets.checks.findings import Finding, counted, days, listed
from entrepot.markets.checks.prices import runs
from entrepot.markets.checks.sheets import Pair, Sheet
from entrepot.markets.checks.sources import Reading
from entrepot.markets.ends import GRACE_SESSIONS
from entrepot.markets.instruments import reference_only
from entrepot.markets.listings import Listings
from entrepot.markets.rates import MAX_AGE
from entrepot.markets.sessions import session_times

LONG_GAP: Final = 3  # sessions; single ones are days that a vendor misses, and are in the table
MANY_GAPS: Final = 0.01  # of the sessions
LATE_SESSIONS: Final = 20
FEW_OPENS: Final = 0.5  # of the closes of a year
SYMBOL_COLUMNS: Final = {
    "file": "str",
    "company": "str",
    "venue": "str",
    "kind": "str",
    "pair": "str",
    "adjustment": "str",
    "rows": "int64",
    "closes": "int64",
    "first": "datetime64[ns]",
    "last": "datetime64[ns]",
    "covered": "float64",
    "opens": "int64",
    "volumes": "int64",
    "dividends": "int64",
    "splits": "int64",
}


def check_coverage(
    sheet: Sheet, reading: Reading, last: pd.Timestamp, listings: Listings
) -> Iterator[Finding]:
    """Yield what is missing of one line.

    Args:
        sheet: the line.
        reading: all of the source.
        last: the last close of any tradable line.
        listings: what the symbols are.
    """
    yield from gaps(sheet)
    yield from off_sessions(sheet)
    if sheet.line.tradable:
        yield from stops(sheet, last, listings)
        yield from starts(sheet, reading, listings)
        yield from opens(sheet)
        yield from strangers(sheet, listings)


def gaps(sheet: Sheet) -> Iterator[Finding]:
    """Sessions without a price between the first and the last."""
    present = sheet.sessions.isin(sheet.closes.index)
    missing = sheet.sessions[~present]
    longest = max((run for run in runs(present) if not present[run.start]), key=length, default=slice(0, 0))
    if length(longest) >= LONG_GAP or len(missing) > MANY_GAPS * len(present):
        dates = sheet.sessions[longest]
        yield Finding(
            "gaps",
            sheet.symbol,
            sheet.origin,
            days(missing),
            f"{counted(len(missing), 'session')} without a price, the longest run {len(dates)} from "
            f"{dates[0].date()} to {dates[-1].date()}",
        )


def length(run: slice) -> int:
    """Return how many rows a run has."""
    return int(run.stop - run.start)


def off_sessions(sheet: Sheet) -> Iterator[Finding]:
    """Rows on days without a session; those with a price of their own are refused by `load_market`."""
    odd = sheet.closes.index.difference(sheet.sessions)
    if len(odd):
        yield Finding(
            "row without a session",
            sheet.symbol,
            sheet.origin,
            days(odd),
            f"{counted(len(odd), 'row')} on days without a session: {listed([str(d.date()) for d in odd])}",
        )


def stops(sheet: Sheet, last: pd.Timestamp, listings: Listings) -> Iterator[Finding]:
    """A line that ends before the others, or before it left New York."""
    stop, departures = sheet.closes.index[-1], listings.delistings
    leaves = pd.Timestamp(departures["latest"][sheet.symbol]) if sheet.symbol in departures.index else None
    until = last if leaves is None else min(leaves, last)
    if until <= stop:
        return
    after = session_times(sheet.venue, stop + pd.Timedelta(days=1), until, ("close",))["session"]
    if len(after) <= GRACE_SESSIONS:
        return
    missing = f"prices end {stop.date()}, {counted(len(after), 'session')} before"
    yield Finding(
        "ends early" if leaves is None else "departure not reached",
        sheet.symbol,
        sheet.origin,
        (stop,),
        f"{missing} the last of the source ({until.date()})"
        if leaves is None
        else f"{missing} its last in New York ({until.date()})",
        count=len(after),
    )


def starts(sheet: Sheet, reading: Reading, listings: Listings) -> Iterator[Finding]:
    """A leg whose prices begin after its listing while its other leg has earlier ones; or no other leg."""
    pair = reading.pairs.get(sheet.symbol)
    other = sheet.line.instrument["pair"]
    if pair is None:
        if other and other not in reading.known and could_be_there(sheet, other, listings):
            yield Finding(
                "missing leg", sheet.symbol, sheet.origin, (), f"{other}, its other leg, is not there"
            )
        return
    row = listings.rows_by_adr[pair.adr.symbol]
    since = row["us_listed"] if sheet is pair.adr else row["hk_listed"]
    first = sheet.closes.index[0]
    could = (
        pair.other(sheet).closes.index[0] if pd.isna(since) else max(since, pair.other(sheet).closes.index[0])
    )
    if could >= first:
        return
    before = session_times(sheet.venue, could, first, ("close",))
    if len(before) > LATE_SESSIONS:
        yield Finding(
            "starts late",
            sheet.symbol,
            sheet.origin,
            (first,),
            f"prices begin {first.date()}; it was listed before, and {pair.other(sheet).symbol} has prices "
            f"from {pair.other(sheet).closes.index[0].date()} on",
            count=len(before) - 1,
        )


def could_be_there(sheet: Sheet, other: str, listings: Listings) -> bool:
    """Whether another leg had prices in a line's time, and is no reference and no line that left New York."""
    listed_on = listings.rows_by_adr[listings.adr_of_line[other]]["hk_listed"]
    not_yet = sheet.venue == "XNYS" and listed_on > sheet.closes.index[-1]
    return not (not_yet or other in listings.delistings.index or reference_only(other, listings))


def opens(sheet: Sheet) -> Iterator[Finding]:
    """Years in which a line that has opens has few."""
    close = sheet.column("close").dropna()
    have = sheet.column("open").reindex(close.index).notna()
    years = pd.DatetimeIndex(close.index).year
    share = have.groupby(years).mean()
    few = share[share < FEW_OPENS]
    if few.empty or len(few) == len(share):
        return
    lacking = have.index[~have & years.isin(few.index)]
    told = [f"{value:.0%} in {year}" for year, value in few.items()]
    yield Finding(
        "opens missing",
        sheet.symbol,
        sheet.origin,
        days(lacking),
        f"opens on {listed(told, 6)} of the closes",
    )


def strangers(sheet: Sheet, listings: Listings) -> Iterator[Finding]:
    """A line that the listings do not know."""
    if sheet.symbol not in listings.adr_of_line and sheet.symbol not in listings.rows_by_symbol:
        yield Finding(
            "not in the listings",
            sheet.symbol,
            sheet.origin,
            (),
            f"{sheet.symbol} is in no list of pairs, funds or shares",
        )


def symbol_table(reading: Reading) -> pd.DataFrame:
    """Return one row per symbol: what it is and what its file has; files that cannot be read too."""
    rows = {s: symbol_row(sheet, reading.pairs.get(s)) for s, sheet in reading.sheets.items()}
    for symbol, table in reading.tables.items():
        rows.setdefault(symbol, {**bare(table.origin, "rate" if symbol.endswith("=X") else "not usable")})
        if symbol.endswith("=X"):
            rows[symbol] |= {
                "rows": len(table.frame),
                "closes": len(table.level),
                "first": table.level.index[0],
                "last": table.level.index[-1],
            }
    for found in reading.refusals:
        if found.symbol and found.kind == "unreadable file":
            rows.setdefault(found.symbol, bare(found.file, "not readable"))
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(SYMBOL_COLUMNS)).rename_axis("symbol")
    return frame.astype(SYMBOL_COLUMNS).sort_index()


def bare(file: str, kind: str) -> dict[str, object]:
    """Return the row of a file of which nothing else can be said."""
    empty = {"str": "", "int64": 0, "float64": np.nan, "datetime64[ns]": pd.NaT}
    row: dict[str, object] = {name: empty[dtype] for name, dtype in SYMBOL_COLUMNS.items()}
    return {**row, "file": file, "kind": kind}


def symbol_row(sheet: Sheet, pair: Pair | None) -> dict[str, object]:
    """Return the row of a line."""
    instrument, reading = sheet.line.instrument, sheet.line.reading
    if pair is not None:
        reading = pair.ads_reading if sheet.symbol == pair.adr.symbol else pair.hk_reading
    first, last = sheet.closes.index[0], sheet.closes.index[-1]
    covered = sheet.sessions.isin(sheet.closes.index).mean() if len(sheet.sessions) else np.nan
    return {
        "file": sheet.origin,
        "company": instrument["company"],
        "venue": instrument["venue"],
        "kind": instrument["kind"],
        "pair": instrument["pair"],
        "adjustment": reading.adjustment,
        "rows": len(sheet.rows),
        "closes": len(sheet.closes),
        "first": first,
        "last": last,
        "covered": covered,
        "opens": int(sheet.column("open").notna().sum()),
        "volumes": int((sheet.column("volume") > 0).sum()),
        "dividends": int((sheet.column("dividends") > 0).sum()),
        "splits": sum(first < split.date <= last for split in reading.splits),
    }


def pair_table(reading: Reading) -> pd.DataFrame:
    """Return one row per pair that can be formed."""
    columns = {
        "hk": "str",
        "company": "str",
        "first": "datetime64[ns]",
        "last": "datetime64[ns]",
        "dates": "int64",
        "ratio": "float64",
        "median_premium": "float64",
        "adr_adjustment": "str",
        "hk_adjustment": "str",
    }
    rows = {}
    for symbol, pair in reading.pairs.items():
        gap = pair.premium
        if symbol == pair.adr.symbol:
            rows[symbol] = {
                "hk": pair.hk.symbol,
                "company": pair.adr.line.instrument["company"],
                "first": gap.index[0] if len(gap) else pd.NaT,
                "last": gap.index[-1] if len(gap) else pd.NaT,
                "dates": len(gap),
                "ratio": float(pair.ratios.iloc[-1]),
                "median_premium": float(np.expm1(gap.median())) if len(gap) else np.nan,
                "adr_adjustment": pair.ads_reading.adjustment,
                "hk_adjustment": pair.hk_reading.adjustment,
            }
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns)).rename_axis("adr")
    return frame.astype(columns)


def rate_ends(reading: Reading, last: pd.Timestamp) -> Iterator[Finding]:
    """Rates that end more than five days before the prices."""
    used = {line.instrument["currency"] for line in reading.lines.values()}
    for currency, origin in reading.origins.items():
        time = reading.fixings.loc[reading.fixings["currency"] == currency, "time"]
        stop = time.iloc[-1].tz_localize(None).normalize()
        if currency in used and last - stop > MAX_AGE:
            yield Finding(
                "ends early",
                f"{currency}=X",
                origin,
                (stop,),
                f"rates end {stop.date()} and prices {last.date()}",
                count=(last - stop).days,
            )
