"""How much trades in a simulated market, and what its lenders of shares ask."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from entrepot.markets.fees import borrow_table
from entrepot.markets.sessions import session_clock
from entrepot.markets.simulated_events import marks_of, standing
from entrepot.markets.simulated_issuers import ISSUER_OF
from entrepot.markets.simulated_prices import FULL_THREAT
from entrepot.markets.simulated_random import Floats, mean_reverting, stream

# Of log turnover: standard deviations of what lasts and of one session, and what a standard deviation of the
# day's return and a point of severity add. Together 0.55, with a correlation of 0.5 with the size of the
# return, as on real lines.
LASTING_SD, LASTING_HALF_LIFE, SESSION_SD = 0.42, 12.0, 0.20
BY_RETURN, BY_SEVERITY, SEVERITY_HALF_LIFE = 0.32, 0.02, 1.0
USUAL_MOVE: Final = 0.6  # median size of a day's return, in standard deviations
HKD_PER_USD: Final = 7.8


def traded_shares(
    grid: pd.DataFrame, lines: pd.DataFrame, price: Floats, efficient: Floats, events: pd.DataFrame, seed: int
) -> Floats:
    """Return shares traded in each session, at its close, shape (T, N); NaN elsewhere and where unlisted.

    Turnover in money is a median by line, which follows the efficient price, times a lognormal that is larger
    on days that move and after events. Shares are those of the price's own day.

    Args:
        grid: T steps with both phases.
        lines: N lines with ``venue``.
        price: as printed, shape (T, N).
        efficient: log prices behind the lines, shape (T, N).
        events: all of them.
        seed: of every draw.
    """
    time = pd.DatetimeIndex(grid["time"])
    shares = np.full(price.shape, np.nan)
    marks = marks_of(time, events)
    talk = standing(session_clock(time), marks._replace(size=np.abs(marks.size)), SEVERITY_HALF_LIFE)
    for column, (symbol, venue) in enumerate(lines["venue"].items()):
        issuer = ISSUER_OF[str(symbol)]
        rows = np.flatnonzero((grid["venue"] == venue) & (grid["phase"] == "close"))
        usd = issuer.turnover[venue == "XHKG"]
        median = usd * 1e6 * (HKD_PER_USD if venue == "XHKG" else 1.0)
        level = efficient[rows, column] - np.log(issuer.level)
        moved = np.abs(np.diff(level, prepend=level[:1])) / (issuer.volatility / np.sqrt(252.0))
        lasting = LASTING_SD * mean_reverting(
            stream(seed, f"turnover/{symbol}"), len(rows), LASTING_HALF_LIFE
        )
        once = SESSION_SD * stream(seed, f"volume/{symbol}").standard_normal(len(rows))
        log = level + lasting + once + BY_RETURN * (moved - USUAL_MOVE) + BY_SEVERITY * talk[rows]
        shares[rows, column] = np.round(median * np.exp(log) / price[rows, column])
    return shares


def borrow_fees(grid: pd.DataFrame, lines: pd.DataFrame, threat: Floats) -> pd.DataFrame:
    """Return annual borrow fees by naive date of New York's sessions and line.

    An ADS goes from the calm to the stressed level of its size as 1 - exp(-threat / 4), with the threat of
    delisting at the close of the session before; funds and Hong Kong lines stay at the calm level.
    """
    table = borrow_table()
    bucket = lines["size"].where(lines["venue"] != "XHKG", "hk")
    calm = table["calm"].reindex(bucket).to_numpy()
    rise = (table["stress"] - table["calm"]).reindex(bucket).to_numpy()
    closes = ((grid["venue"] == "XNYS") & (grid["phase"] == "close")).to_numpy()
    before = np.append(0.0, threat[closes])[:-1]
    share = 1.0 - np.exp(-before / FULL_THREAT)
    fees = calm + np.where(lines["kind"] == "ads", np.nan_to_num(rise), 0.0) * share[:, None]
    dates = pd.DatetimeIndex(grid["session"][closes], name="date")
    return pd.DataFrame(fees, index=dates, columns=lines.index.tolist())
