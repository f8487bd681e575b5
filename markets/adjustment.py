"""Raw or back-adjusted: what a price file did with its splits, and the ratio that fits its prices.

Vendors back-adjust each line on its own. With raw prices a pair's ratio is the dated one; a back-adjusted
price already holds every later split of its line. With ``R`` the dated ordinary shares per ADS, and ``A`` and
``H`` the products of the later split factors of a back-adjusted ADS and Hong Kong line (1 for a raw line),
the ratio that fits is ``R * H / A``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from entrepot.errors import DataError
from entrepot.markets.price_tables import PriceTable

CLEAR = np.log(1.5)  # a smaller split cannot be told from a bad day
SAME_ACTION_DAYS = 7
SEARCH_ROWS = 3
OFF_PARITY = np.log(1.5)  # fungible shares have never been this far apart
JUMP = np.log(1.2)
AROUND = 5  # closes on either side of a split whose median is its level


@dataclass(frozen=True)
class Split:
    """New shares per old share from the first session at the new count; ``listed`` is the registry's date."""

    date: pd.Timestamp
    factor: float
    listed: pd.Timestamp


@dataclass(frozen=True, eq=False)
class Reading:
    """How one line's prices are to be read.

    Args:
        symbol: of the line.
        adjustment: "raw", "split" or "total_return".
        splits: all that are known of the line, by date.
        level: log close by date.
        told: whether the caller said so, rather than the prices.
        later: whether splits dated after the last price are in the prices too.
    """

    symbol: str
    adjustment: str
    splits: tuple[Split, ...]
    level: pd.Series[float]
    told: bool
    later: bool

    def adjusted_for(self) -> list[Split]:
        """Return the splits that are already in the earlier prices."""
        inside = (
            [] if self.adjustment == "raw" else [s for s in self.splits if s.date <= self.level.index[-1]]
        )
        return inside + ([s for s in self.splits if s.date > self.level.index[-1]] if self.later else [])


def read_adjustment(
    table: PriceTable, registry: Iterable[tuple[pd.Timestamp, float]], told: str | None
) -> Reading:
    """Find out, or take the caller's word for, how a file treats its splits.

    Args:
        table: the file.
        registry: date and factor of the line's known splits.
        told: "raw", "split", "total_return" or None.

    Raises:
        DataError: when the prices jump at one split and not at another, or the file has only `Adj Close` and
            is said to be anything but total return.
    """
    splits = merge_splits(registry, table.column("stock splits"))
    only_adjusted = "close" not in table.frame
    if only_adjusted or told == "total_return":
        if told in ("raw", "split"):
            raise DataError(
                f"{table.origin} has only Adj Close, which is total return, and was said to be {told!r}: "
                "add its Close column or leave it out of adjusted="
            )
        level = logarithm(table.adjusted if len(table.adjusted) else table.level)
        return Reading(table.symbol, "total_return", splits, level, told is not None, later=True)
    level = logarithm(table.level)
    splits = tuple(locate(split, level) for split in splits)
    found = told or found_adjustment(table.origin, splits, level)
    return Reading(table.symbol, found, splits, level, told is not None, later=found == "split")


def logarithm(prices: pd.Series[float]) -> pd.Series[float]:
    """Return the logs of prices by date."""
    return pd.Series(np.log(prices.to_numpy()), index=prices.index)


def merge_splits(
    registry: Iterable[tuple[pd.Timestamp, float]], column: pd.Series[float]
) -> tuple[Split, ...]:
    """Join the registry's splits and the file's: a factor within a week is one action, on the file's date."""
    own = column[(column > 0) & (column != 1)]
    dates = pd.DatetimeIndex(own.index)
    merged = {date: Split(date, float(factor), date) for date, factor in zip(dates, own, strict=True)}
    for date, factor in registry:
        same = [
            d
            for d, s in merged.items()
            if abs((d - date).days) <= SAME_ACTION_DAYS and np.isclose(s.factor, factor, 1e-3)
        ]
        key = same[0] if same else date
        merged[key] = Split(key, float(factor), date)
    return tuple(merged[date] for date in sorted(merged))


def locate(split: Split, level: pd.Series[float]) -> Split:
    """Move a split to the session at which the prices jump by it, where that is a few rows off its date."""
    at = int(level.index.searchsorted(split.date))
    if not 0 < at < len(level) or abs(np.log(split.factor)) < CLEAR:
        return split
    first = max(at - SEARCH_ROWS, 1)
    miss = np.abs(np.diff(level.iloc[first - 1 : at + SEARCH_ROWS + 1].to_numpy()) + np.log(split.factor))
    best = int(np.argmin(miss))
    if miss[at - first] <= JUMP or miss[best] > JUMP:
        return split
    return replace(split, date=level.index[first + best])


def found_adjustment(origin: str, splits: Sequence[Split], level: pd.Series[float]) -> str:
    """Return "raw" if the prices jump at their splits or have none, "split" if they do not jump."""
    jumps: dict[pd.Timestamp, bool] = {}
    doubtful = 0.0
    for split in splits:
        at = int(level.index.searchsorted(split.date))
        if not 0 < at < len(level):
            continue
        move, size = float(level.iloc[at] - level.iloc[at - 1]), float(np.log(split.factor))
        if abs(size) >= CLEAR:
            jumps[split.date] = abs(move + size) < abs(move)
        else:
            doubtful += abs(move + size) - abs(move)
    if len(set(jumps.values())) > 1:
        with_jump, without = (next(d for d, j in jumps.items() if j is kind) for kind in (True, False))
        raise DataError(
            f"{origin} is part raw and part adjusted: it jumps by the split of {with_jump.date()} and not by "
            f"that of {without.date()}; load one kind throughout, or say which with adjusted={{...}}"
        )
    if jumps:
        return "raw" if next(iter(jumps.values())) else "split"
    return "split" if doubtful > 0 else "raw"


def effective_ratios(
    history: Iterable[tuple[pd.Timestamp, float]], ads: Reading, hk: Reading | None
) -> pd.Series[float]:
    """Return the ratio that fits the prices, by the date from which it holds.

    Args:
        history: dated ordinary shares per ADS, oldest first.
        ads: of the New York line.
        hk: of the Hong Kong line, None where it is not loaded.
    """
    moved = {s.listed: s.date for r in (ads, hk) if r is not None for s in r.splits}
    dated = pd.Series({moved.get(date, date): float(ratio) for date, ratio in history}).sort_index()
    in_ads, in_hk = ads.adjusted_for(), hk.adjusted_for() if hk is not None else []
    days = dated.index.union(sorted({s.date for s in in_ads + in_hk}))
    days = days[days >= dated.index[0]]
    fits = dated.reindex(days).ffill()
    for day in days:
        h = np.prod([s.factor for s in in_hk if s.date > day])
        a = np.prod([s.factor for s in in_ads if s.date > day])
        fits[day] *= h / a
    return fits[~np.isclose(fits, fits.shift(), rtol=1e-9)]


def log_premium(
    ratios: pd.Series[float], ads: Reading, hk: Reading, per_usd: pd.Series[float]
) -> pd.Series[float]:
    """Return the log of one plus the same-date premium, for checking: each date takes its own day's rate."""
    days = ads.level.index.intersection(hk.level.index)
    days = days[days >= max(ratios.index[0], per_usd.index[0])]
    rate = np.log(per_usd.to_numpy()[per_usd.index.searchsorted(days, side="right") - 1])
    ratio = np.log(ratios.to_numpy()[ratios.index.searchsorted(days, side="right") - 1])
    gap = ads.level[days].to_numpy() + rate - ratio - hk.level[days].to_numpy()
    return pd.Series(gap, index=days)


def agree(
    history: Iterable[tuple[pd.Timestamp, float]], ads: Reading, hk: Reading, per_usd: pd.Series[float]
) -> tuple[Reading, Reading, pd.Series[float]]:
    """Settle how the two lines of a pair are to be read together, and the ratio that fits.

    A line without a split inside its dates may still be adjusted for later ones: the premium's level tells.

    Args:
        history: dated ordinary shares per ADS.
        ads: as its own prices say.
        hk: as its own prices say.
        per_usd: Hong Kong's currency per USD by date.

    Raises:
        DataError: when no reading brings the two lines near parity, or the premium jumps at a known split.
    """
    history = list(history)
    if (ads.adjustment == "total_return") != (hk.adjustment == "total_return"):
        total, other = (ads, hk) if ads.adjustment == "total_return" else (hk, ads)
        raise DataError(
            f"{total.symbol} has total-return prices and its pair {other.symbol} has not: load a Close "
            f"column for {total.symbol}, or leave one of the two out"
        )
    tried = []
    for one, two in product(variants(ads), variants(hk)):
        ratios = effective_ratios(history, one, two)
        gap = log_premium(ratios, one, two, per_usd)
        if gap.empty:
            return ads, hk, effective_ratios(history, ads, hk)
        tried.append((one, two, ratios, gap))
        if abs(typical(gap)) <= OFF_PARITY:
            break
    else:
        ads, hk, ratios, gap = tried[0]
        refuse_jumps(ads, hk, gap)
        raise DataError(
            f"{ads.symbol} stands at {np.exp(typical(gap)):.3g} times its parity with {hk.symbol} "
            f"under every reading of their splits (ratio {ratios.iloc[-1]:g}): check the currency of both "
            "files, or say how each is adjusted with adjusted={symbol: 'raw' or 'split'}"
        )
    ads, hk, ratios, gap = tried[-1]
    refuse_jumps(ads, hk, gap)
    return ads, hk, ratios


def typical(gap: pd.Series[float]) -> float:
    """Return the gap of the date on which its size is the median of all sizes.

    The median of the gaps themselves is 0 for a pair that stands at twice its parity on half of its dates and
    at half of it on the others.
    """
    return float(gap.iloc[int(np.argsort(np.abs(gap.to_numpy()), kind="stable")[len(gap) // 2])])


def refuse_jumps(ads: Reading, hk: Reading, gap: pd.Series[float]) -> None:
    """Refuse a pair whose premium changes level at a known split: one of the readings is wrong."""
    for split in sorted({*ads.splits, *hk.splits}, key=lambda s: s.date):
        at = int(gap.index.searchsorted(split.date))
        before = gap.iloc[max(at - AROUND, 0) : at].median()
        after = gap.iloc[at : at + AROUND].median()
        if abs(after - before) > JUMP:
            raise DataError(
                f"the premium of {ads.symbol} over {hk.symbol} jumps from {np.expm1(before):+.0%} to "
                f"{np.expm1(after):+.0%} at the split of {split.date.date()}, read as {ads.adjustment} and "
                f"{hk.adjustment}: one file treats it otherwise; load both of one kind or correct adjusted="
            )


def variants(reading: Reading) -> list[Reading]:
    """Return a reading and, where the prices leave it open, the other one of splits after their end."""
    first, last = reading.level.index[0], reading.level.index[-1]
    after = any(split.date > last for split in reading.splits)
    shown_raw = reading.adjustment == "raw" and any(first < split.date <= last for split in reading.splits)
    if reading.told or shown_raw or not after:
        return [reading]
    if reading.adjustment == "raw":
        return [reading, replace(reading, adjustment="split", later=True)]
    return [reading, replace(reading, later=not reading.later)]
