"""The figures of configurations whose sums were kept in the loop, under the names of a run's summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine.lines import FEE_KINDS, NOT_COSTS, SOURCES
from entrepot.engine.plans import StatePath
from entrepot.markets.market import Market

if TYPE_CHECKING:
    from entrepot.engine import _kernels as kernels

SESSIONS_PER_YEAR, MONTHS_PER_YEAR = 252, 12
DAYS_PER_YEAR = 365.25
# Sources told apart in a row: what is paid, then what is earned for holding.
PAID = (*FEE_KINDS, "slippage", "impact", "fx_spread", "borrow", "ads_fee", "conversion_fee")
EARNED = ("dividend", "rebate", "interest")
GROUPS = {
    "Interest Earned": ("interest", "rebate"),
    "Total Fees Paid": FEE_KINDS,
    "Slippage Paid": ("slippage",),
    "Impact Paid": ("impact",),
    "FX Spread Paid": ("fx_spread",),
    "Borrow Paid": ("borrow",),
    "ADR Fees Paid": ("ads_fee", "conversion_fee"),
    "Total Costs": tuple(source for source in SOURCES if source not in NOT_COSTS),
}
FIGURES = (
    "End Value",
    "Total Return [%]",
    "Annualized Return [%]",
    "Annualized Volatility [%]",
    "Sharpe Ratio",
    "Monthly Sharpe",
    "Sortino Ratio",
    "Calmar Ratio",
    "Omega Ratio",
    "Max Drawdown [%]",
    "Trades",
    "Fills",
    "Orders Dropped",
    "Turnover",
    *GROUPS,
    *PAID,
    *EARNED,
)


def columns_of(regimes: Sequence[str]) -> list[str]:
    """Return the names of a row's figures, those by regime last."""
    return [*FIGURES, *(f"P&L ({name})" for name in regimes), *(f"Costs ({name})" for name in regimes)]


def sums(
    market: Market,
    tape: kernels.Tape,
    growth: NDArray[np.float64],
    states: NDArray[np.int64] | None,
    path: StatePath | None,
    lanes: int,
) -> kernels.Record:
    """Make room for the sums of a block of configurations.

    Args:
        market: T steps.
        tape: what they run on.
        growth: (T,) of one unit of cash at the policy rate.
        states: (T,) regime decided at each step, or None.
        path: its ``names`` say how many regimes there are.
        lanes: L configurations.
    """
    from entrepot.engine.tape import empty_record

    samples = np.flatnonzero(market.decision_steps)
    session = pd.DatetimeIndex(market.grid["session"].to_numpy()[samples])
    grown = growth[samples]
    free = np.append(0.0, np.nan_to_num(grown[1:] / grown[:-1] - 1.0))[: len(samples)]
    calendar = (session.year * 12 + session.month).to_numpy()
    ends = np.append(calendar[1:] != calendar[:-1], True)[: len(samples)]
    ends[:1] = False  # The first session has no return, and no month of its own.
    number, of_session = np.cumsum(ends), np.zeros((4, len(market)))
    month_growth = np.cumprod(1.0 + free)[ends]
    of_session[0, samples] = np.arange(len(samples))
    of_session[1, samples] = free
    of_session[2, samples] = np.where(ends, number, 0)
    of_session[3, samples[ends]] = month_growth / np.append(1.0, month_growth[:-1])[: len(month_growth)]
    regime = np.zeros(len(market), dtype=np.int64)
    if states is not None:  # (t-1, t] belongs to the regime decided at t-1.
        regime = np.append(states[:1], states[:-1])
    regimes = max(len(getattr(path, "names", ())), int(regime.max(initial=0)) + 1)
    return empty_record(tape, on=False)._replace(
        tallies=True,
        regime=regime,
        sample=of_session[0].astype(np.int64),
        free=of_session[1],
        month=of_session[2].astype(np.int64),
        month_free=of_session[3],
        paid=np.zeros((len(SOURCES), regimes, lanes)),
        profit=np.zeros((regimes, lanes)),
        tally=np.zeros((4, lanes)),
        moments=np.zeros((16, lanes)),
    )


def figures(
    market: Market,
    record: kernels.Record,
    equity: NDArray[np.float64],
    ruined: NDArray[np.bool_],
    capital: float,
    regimes: int,
) -> NDArray[np.float64]:
    """Turn the sums of a block into rows, (L, figures); what is not defined is NaN, as in a run's summary."""
    from entrepot.engine import _kernels as kernels

    m, lanes = record.moments, len(equity)
    n = int(record.sample.max(initial=0))
    months = int(record.month.max(initial=0))
    last = m[kernels.BEFORE]
    year = np.sqrt(SESSIONS_PER_YEAR)
    values: dict[str, NDArray[np.float64]] = {}
    with np.errstate(all="ignore"):
        spread = np.sqrt(m[kernels.OVER_SQUARES] / (n - 1.0)) if n > 1 else np.full(lanes, np.nan)
        over = m[kernels.OVER_MEAN]
        falls = m[kernels.WORST] < -1e-14
        growth = (last / m[kernels.FIRST]) ** (SESSIONS_PER_YEAR / max(n, 1)) - 1.0
        fell = np.sqrt(m[kernels.FALLS_SQUARED] / max(n, 1))
        month_spread = np.sqrt(m[kernels.MONTH_SQUARES] / (months - 1.0)) if months > 1 else np.zeros(lanes)
        risk = {
            "Annualized Return [%]": 100.0 * growth,
            "Annualized Volatility [%]": 100.0 * np.sqrt(m[kernels.SQUARES] / max(n - 1.0, 1.0)) * year,
            "Sharpe Ratio": np.where(spread > 1e-14, over / spread * year, np.nan),
            "Monthly Sharpe": np.where(
                month_spread > 1e-14,
                m[kernels.MONTH_MEAN] / month_spread * np.sqrt(MONTHS_PER_YEAR),
                np.nan,
            ),
            "Sortino Ratio": np.where(falls, over / fell * year, np.nan),
            "Calmar Ratio": np.where(m[kernels.DEPTH] < 0.0, growth / -m[kernels.DEPTH], np.nan),
            "Omega Ratio": np.where(falls, m[kernels.RISES] / -m[kernels.FALLS], np.nan),
        }
        sampled = np.count_nonzero(market.decision_steps)
        years = (market.times[-1] - market.times[0]) / (DAYS_PER_YEAR * 86_400e9)
        mean = m[kernels.TOTAL] / sampled if sampled else np.full(lanes, np.nan)
        traded = np.where(mean > 0.0, record.tally[kernels.TRADED] / years / mean, np.nan)
    values["End Value"] = equity
    values["Total Return [%]"] = 100.0 * (equity / capital - 1.0)
    for name, value in risk.items():
        defined = ~ruined & np.isfinite(value) & (n >= 2)
        values[name] = np.where(defined, value, np.nan)
    values["Max Drawdown [%]"] = 100.0 * m[kernels.DEPTH] if sampled else np.full(lanes, np.nan)
    values["Trades"] = record.tally[kernels.TRADES]
    values["Fills"] = record.tally[kernels.FILLS]
    values["Orders Dropped"] = record.tally[kernels.DROPS]
    values["Turnover"] = traded if years > 0 else np.full(lanes, np.nan)
    by_source = dict(zip(SOURCES, record.paid.sum(axis=1), strict=True))
    for name, sources in GROUPS.items():
        total = sum((by_source[source] for source in sources), np.zeros(lanes))
        values[name] = total if name == "Interest Earned" else -total
    values |= {source: -by_source[source] for source in PAID}
    values |= {source: by_source[source] for source in EARNED}
    rows = [values[name] for name in FIGURES]
    paid = [i for i, source in enumerate(SOURCES) if source not in NOT_COSTS]
    rows += [*record.profit[:regimes], *(-record.paid[paid].sum(axis=0)[:regimes])]
    return np.array(rows).T + 0.0  # no minus zeros
