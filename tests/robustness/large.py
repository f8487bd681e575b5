"""Worlds as large as anybody has: price files of many lines, and bars of a minute for a year."""

from __future__ import annotations

import numpy as np
import pandas as pd

import entrepot as ep
from entrepot.markets.sessions import session_times

Files = dict[str, pd.DataFrame]


def many_lines(each: int, pairs: int, start: str, end: str, *, seed: int = 0) -> tuple[Files, ep.Listings]:
    """Daily price files of so many lines in each venue, the first ones pairs, and the listings that say so.

    Args:
        each: lines of Hong Kong, and as many of New York.
        pairs: how many of them are two lines of one company, one ordinary share to an ADS.
        start: first date.
        end: last date.
        seed: of the prices.
    """
    rng = np.random.default_rng(seed)
    sessions = {
        venue: pd.DatetimeIndex(session_times(venue, start, end, ("close",))["session"])
        for venue in ("XHKG", "XNYS")
    }
    days = pd.bdate_range(pd.Timestamp(start) - pd.Timedelta(days=7), end)
    rates = pd.Series(7.8 + 0.02 * np.sin(np.arange(len(days)) / 9.0), days)
    hks, adrs = [f"{i:04d}.HK" for i in range(4001, 4001 + each)], [f"ZZ{i:03d}" for i in range(each)]
    walk = 80.0 * np.exp(np.cumsum(rng.normal(0.0, 0.012, (len(days), each)), axis=0))
    shared = pd.DataFrame(walk, days)
    files: Files = {"HKD=X": pd.DataFrame({"Date": days, "Close": rates.to_numpy()})}
    for n in range(each):
        for symbol, venue, per_unit, digits in ((hks[n], "XHKG", 1.0, 1), (adrs[n], "XNYS", 1 / 7.8, 2)):
            dates = sessions[venue]
            column = shared[n] if venue == "XHKG" or n < pairs else shared[(n + 1) % each].iloc[::-1]
            fair = pd.Series(column.to_numpy(), days).reindex(dates).ffill().bfill().to_numpy() * per_unit
            close = fair * np.exp(rng.normal(0.0, 0.006, len(dates)))
            opened = np.append(close[:1], close[:-1]) * np.exp(rng.normal(0.0, 0.003, len(dates)))
            columns = {"Open": opened.round(digits), "Close": close.round(digits), "Volume": 1_000_000.0}
            files[symbol] = pd.DataFrame({"Date": dates, **columns})
    rows = [{"adr": adrs[n], "hk": hks[n], "ordinary_per_ads": 1} for n in range(pairs)]
    rows += [{"symbol": symbol} for n in range(pairs, each) for symbol in (hks[n], adrs[n])]
    table = pd.DataFrame(rows)
    table["company"] = [f"Company {i}" for i in range(len(table))]
    table["sector"] = [("technology", "financials", "energy")[i % 3] for i in range(len(table))]
    table["lot"] = 100
    return files, ep.load_listings(table)
