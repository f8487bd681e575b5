"""Checks of exchange rates: the peg's band, days that repeat, return or are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from entrepot.markets.checks.findings import Finding, days
from entrepot.markets.checks.prices import runs
from entrepot.markets.price_tables import PriceTable
from entrepot.markets.rates import currency_quoted

# HKMA, refinements of the Linked Exchange Rate System: convertibility undertakings from this day on.
BAND: Final = (7.75, 7.85)
BAND_FROM: Final = pd.Timestamp("2005-05-18")
BAND_ROUNDING: Final = 0.001  # a cross of two fixings misses the band by less: 4 of 5,363 real ones by more
# A day's move that the next day takes back: the largest of HKD since 2005 within its band is 0.5 %.
RATE_SPIKE: Final = {"HKD": 0.006}
OTHER_SPIKE: Final = 0.05
RETURNED: Final = 0.2
SAME_RATE: Final = (
    10  # the longest run in 5,363 fixings is 3; at an edge of the band rounding makes longer ones
)
WEEKDAYS_MISSING: Final = 3  # the longest holiday of the European Central Bank's fixings is 2 weekdays


def check_rates(table: PriceTable) -> Iterator[Finding]:
    """Yield what looks wrong in one file of rates."""
    currency, inverted = currency_quoted(table.symbol)
    if not currency:
        return
    rate = 1.0 / table.level if inverted else table.level
    dated = pd.DatetimeIndex(rate.index)
    moves = pd.Series(np.log(rate.to_numpy()), index=rate.index).diff().to_numpy()

    def finding(kind: str, dates: pd.DatetimeIndex, what: str) -> Finding:
        return Finding(kind, table.symbol, table.origin, days(dates), what)

    outside = np.zeros(len(rate), dtype=bool)
    if currency == "HKD":
        low, high = BAND[0] * (1 - BAND_ROUNDING), BAND[1] * (1 + BAND_ROUNDING)
        outside = (((rate < low) | (rate > high)) & (rate.index >= BAND_FROM)).to_numpy()
        for run in runs(outside):
            if outside[run.start]:
                dates = dated[run]
                within = np.asarray(rate.iloc[run], dtype=np.float64)
                worst = within[np.argmax(np.abs(within - sum(BAND) / 2))]
                yield finding(
                    "rate off its band",
                    dates,
                    f"{worst:g} HKD per USD on {dates[0].date()}"
                    + (f" and {len(dates) - 1} fixings after" if len(dates) > 1 else ""),
                )
    limit = RATE_SPIKE.get(currency, OTHER_SPIKE)
    for at in np.flatnonzero(np.abs(moves[:-1]) > limit).tolist():
        if abs(moves[at] + moves[at + 1]) < RETURNED * abs(moves[at]) and not outside[at - 1 : at + 2].any():
            yield finding(
                "rate jumps and returns",
                dated[at : at + 1],
                f"{rate.iloc[at]:g} {currency} per USD on {dated[at].date()}, between "
                f"{rate.iloc[at - 1]:g} and {rate.iloc[at + 1]:g}",
            )
    for run in runs(rate.to_numpy(), SAME_RATE):
        dates = dated[run]
        yield finding(
            "stale rates",
            dates,
            f"{rate.iloc[run.start]:g} {currency} per USD in {len(dates)} fixings from {dates[0].date()} to "
            f"{dates[-1].date()}",
        )
    weekdays = pd.bdate_range(rate.index[0], rate.index[-1])
    present = weekdays.isin(rate.index)
    for run in runs(present, WEEKDAYS_MISSING):
        dates = weekdays[run]
        if not present[run.start]:
            yield finding(
                "days without a rate",
                dates,
                f"no {currency} on {len(dates)} weekdays from {dates[0].date()} to {dates[-1].date()}",
            )
