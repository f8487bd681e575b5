"""Checks of what a file says of splits and dividends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from entrepot.markets.adjustment import SAME_ACTION_DAYS
from entrepot.markets.checks.findings import Finding, counted, days, listed
from entrepot.markets.checks.sheets import Sheet
from entrepot.markets.lines import registry_splits
from entrepot.markets.listings import Listings

SPLIT_FACTOR_ROUNDING: Final = 1e-3
SAME_SPLIT_DAYS: Final = 60  # one split of one line within two months, not two
MOST_YIELD: Final = 0.20  # of the close before; the largest of 600 real dividends is 8 %
REPEATED_DAYS: Final = 5
# Vendors' factors are rounded, and those of ADRs net of tax or fee.
IMPLIED_SHARE: Final = 0.25
IMPLIED_LEAST: Final = 0.002


def check_actions(sheet: Sheet, listings: Listings) -> Iterator[Finding]:
    """Yield what looks wrong in a line's splits and dividends."""
    yield from splits(sheet, listings)
    yield from large_dividends(sheet)
    yield from repeated_dividends(sheet)
    yield from implied_dividends(sheet)


def splits(sheet: Sheet, listings: Listings) -> Iterator[Finding]:
    """Splits of the file that are those of the listings with another date or factor."""
    column = sheet.column("stock splits")
    own = column[(column > 0) & (column != 1)]
    for date, factor in registry_splits(sheet.line.instrument, sheet.symbol, listings):
        for day, given in zip(days(own.index), own, strict=True):
            apart = abs((day - date).days)
            same = bool(np.isclose(given, factor, rtol=SPLIT_FACTOR_ROUNDING))
            if apart <= SAME_SPLIT_DAYS and not (same and apart <= SAME_ACTION_DAYS):
                yield Finding(
                    "split differs",
                    sheet.symbol,
                    sheet.origin,
                    (day,),
                    f"Stock Splits has {given:g} on {day.date()}, the listings {factor:g} on {date.date()}",
                )


def large_dividends(sheet: Sheet) -> Iterator[Finding]:
    """Dividends above a fifth of the close before."""
    share = sheet.column("dividends") / sheet.closes.shift().reindex(sheet.rows.index)
    large = share[share > MOST_YIELD]
    if len(large):
        told = [f"{sheet.rows['dividends'][d]:g} on {d.date()} ({large[d]:.0%})" for d in large.index]
        yield Finding(
            "dividend too large",
            sheet.symbol,
            sheet.origin,
            days(large.index),
            f"{counted(len(large), 'dividend')} above {MOST_YIELD:.0%} of the close before: {listed(told)}",
        )


def repeated_dividends(sheet: Sheet) -> Iterator[Finding]:
    """Dividends within days of each other."""
    amounts = sheet.column("dividends")
    amounts = amounts[amounts > 0]
    near = np.flatnonzero(np.diff(amounts.index) <= pd.Timedelta(days=REPEATED_DAYS))
    if len(near):
        told = [
            f"{amounts.iloc[i]:g} on {amounts.index[i].date()} and {amounts.iloc[i + 1]:g} on "
            f"{amounts.index[i + 1].date()}"
            for i in near.tolist()
        ]
        yield Finding(
            "dividend repeated", sheet.symbol, sheet.origin, days(amounts.index[near]), listed(told)
        )


def implied_dividends(sheet: Sheet) -> Iterator[Finding]:
    """Steps of Adj Close against Close that are not the dividends given.

    At an ex-date ``adj / close`` grows by ``1 / (1 - dividend / close before)``, and at a split of a raw line
    by its factor; nowhere else.
    """
    if not {"adj close", "close", "dividends"} <= set(sheet.rows):
        return
    rows = sheet.rows[["adj close", "close", "dividends"]].dropna(subset=["adj close", "close"])
    step = pd.Series(np.log(rows["adj close"] / rows["close"]), index=rows.index).diff().iloc[1:]
    share = (rows["dividends"].fillna(0.0) / rows["close"].shift()).iloc[1:].clip(upper=0.99)
    given = pd.Series(-np.log1p(-share), index=share.index)
    actions = [split.date for split in sheet.line.reading.splits]
    apart = (step - given).abs()
    wrong = apart[(apart > IMPLIED_SHARE * given) & (apart > IMPLIED_LEAST) & ~apart.index.isin(actions)]
    if len(wrong):
        told = [
            f"{-np.expm1(-step[d]):.2%} implied and {-np.expm1(-given[d]):.2%} given on {d.date()}"
            for d in wrong.index
        ]
        yield Finding("Adj Close disagrees", sheet.symbol, sheet.origin, days(wrong.index), listed(told))
