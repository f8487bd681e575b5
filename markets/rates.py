"""Exchange-rate files: which currency a file quotes, in which direction, and when each fixing was known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError
from entrepot.markets.market import empty_table
from entrepot.markets.price_tables import PriceTable

MAX_AGE: Final = pd.Timedelta(days=5)
# Units per USD within which a rate must lie; what fits only upside down is quoted the wrong way round.
PLAUSIBLE: Final = {"HKD": (7.5, 8.1), "CNY": (5.0, 9.0), "CNH": (5.0, 9.0)}
TYPICAL: Final = {
    "JPY": 110.0,
    "KRW": 1200.0,
    "TWD": 31.0,
    "INR": 70.0,
    "THB": 33.0,
    "IDR": 14000.0,
    "SGD": 1.4,
}


def currency_quoted(symbol: str) -> tuple[str, bool]:
    """Return the currency of an exchange-rate symbol and whether it is quoted in USD per unit.

    ``HKD=X`` and ``USDHKD=X`` are HKD per USD, ``HKDUSD=X`` is USD per HKD; ("", False) for a cross.
    """
    match = re.fullmatch(r"(?:USD)?([A-Z]{3})=X|([A-Z]{3})USD=X", symbol.upper())
    if match is None or "USD" in (match[1], match[2]):
        return "", False
    return (match[1], False) if match[1] else (match[2], True)


def read_fixings(
    tables: Sequence[PriceTable], fx_time: str
) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """Turn exchange-rate files into dated fixings.

    Args:
        tables: of symbols ending in ``=X``; the close of a date is that date's fixing.
        fx_time: when a date's fixing is known, as ``"14:15 Europe/Berlin"``.

    Returns:
        Columns time (UTC), currency, per_usd, sorted by time; the file of each currency; a sentence per file.

    Raises:
        DataError: on rates quoted the wrong way round, or two files of one currency.
        ParameterError: on a time that cannot be read.
    """
    clock, zone = read_clock(fx_time)
    parts, origins, notes = [], dict[str, str](), []
    for table in tables:
        currency, inverted = currency_quoted(table.symbol)
        if not currency:
            notes.append(f"{table.origin} was left out: it is no rate against the USD.")
            continue
        if currency in origins:
            raise DataError(f"{origins[currency]} and {table.origin} both quote {currency}: keep one of them")
        origins[currency] = table.origin
        rate = 1.0 / table.level if inverted else table.level
        refuse_wrong_way(currency, rate, table.origin)
        local = (pd.DatetimeIndex(rate.index) + clock).tz_localize(
            zone, ambiguous=np.ones(len(rate), dtype=bool), nonexistent="shift_forward"
        )
        parts.append(
            pd.DataFrame({"time": local.tz_convert("UTC"), "currency": currency, "per_usd": rate.to_numpy()})
        )
        notes.append(
            f"{table.origin}: {len(rate):,} fixings of {currency} per USD from {rate.index[0].date()} to "
            f"{rate.index[-1].date()}{' (turned round from USD per unit)' if inverted else ''}, each known "
            f"from {fx_time} of its date."
        )
    if not parts:
        return empty_table("fixings"), origins, notes
    fixings = pd.concat(parts).sort_values(["time", "currency"], ignore_index=True)
    return fixings, origins, notes


def read_clock(fx_time: str) -> tuple[pd.Timedelta, ZoneInfo]:
    """Return the time of day and the zone of ``"14:15 Europe/Berlin"``."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2}) (\S+)", str(fx_time).strip())
    try:
        if match is None or int(match[1]) > 23 or int(match[2]) > 59:
            raise ValueError
        return pd.Timedelta(hours=int(match[1]), minutes=int(match[2])), ZoneInfo(match[3])
    except (ValueError, ZoneInfoNotFoundError, OSError):
        raise ParameterError(
            f"fx_time={fx_time!r} is no time of a place: write it as '14:15 Europe/Berlin'"
        ) from None


def refuse_wrong_way(currency: str, rate: pd.Series[float], origin: str) -> None:
    """Refuse rates that are not units of the currency per USD."""
    low, high = PLAUSIBLE.get(currency, (0.0, np.inf))
    outside = rate[(rate < low) | (rate > high)]
    middle = float(rate.median())
    typical = TYPICAL.get(currency)
    wrong_way = (
        1 / high <= middle <= 1 / low
        if currency in PLAUSIBLE
        else (typical is not None and abs(np.log(middle * typical)) < abs(np.log(middle / typical)))
    )
    if wrong_way:
        raise DataError(
            f"{origin} quotes USD per {currency} ({middle:.4g}): {currency}=X holds {currency} per USD; "
            f"invert it or name it {currency}USD=X"
        )
    if len(outside):
        raise DataError(
            f"{origin} has {outside.iloc[0]:g} {currency} per USD on {outside.index[0].date()}: it lies "
            f"between {low:g} and {high:g}; correct the row or the file's name"
        )


def refuse_gaps(fixings: pd.DataFrame, currency: str, origin: str, steps: pd.DatetimeIndex) -> None:
    """Refuse rates that begin after the first step or leave a step with a fixing older than five days."""
    known = pd.DatetimeIndex(fixings.loc[fixings["currency"] == currency, "time"]).as_unit("ns")
    last = known.searchsorted(steps, side="right") - 1
    if last[0] < 0:
        raise DataError(
            f"{origin} begins {known[0].date()} and the market {steps[0].date()}: a fixing must be known at "
            "its first step; start the market later or add rates"
        )
    stale = steps - known[last] > MAX_AGE
    if stale.any():
        when = steps[int(np.argmax(stale))]
        raise DataError(
            f"{origin} has no fixing in the five days before {when:%Y-%m-%d %H:%M} UTC: add the missing rates"
        )
