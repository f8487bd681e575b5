"""The numbers behind pictures of a run that are in no table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entrepot.errors import ParameterError, is_whole, shown
from entrepot.reports.attribution import by_period
from entrepot.reports.leg_risk import TOTAL
from entrepot.reports.metrics import SESSIONS_PER_YEAR, excess_returns, sharpe_ratios
from entrepot.reports.ownership import mean_equity, periods_of_steps
from entrepot.reports.sources import HOLDING_COSTS

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

HALF_YEAR = 126
CONFIDENCE = 0.95
DATE = "datetime64[ns]"
DRAWDOWN_TYPES = {"Depth [%]": "float64", "Peak": DATE, "Low": DATE, "Recovered": DATE, "Days": "int64"}


def rolling_statistics(ledger: Ledger, sessions: int = HALF_YEAR) -> pd.DataFrame:
    """Measure a run over each stretch of so many sessions.

    Args:
        ledger: a finished run.
        sessions: returns in a stretch, 2 or more.

    Returns:
        By the session that ends a stretch: "Sharpe Ratio" and "Volatility [% pa]" of its returns, as
        `period_statistics` has them; NaN where returns do not vary or are missing, and from the moment on at
        which equity is gone. No row where there are fewer returns.

    Raises:
        ParameterError: where `sessions` is no whole number of at least 2.
    """
    if not is_whole(sessions) or sessions < 2:
        raise ParameterError(f"sessions is {shown(sessions)}: give a whole number of at least 2")
    returns, excess = ledger.returns, excess_returns(ledger)
    columns = ["Sharpe Ratio", "Volatility [% pa]"]
    if len(returns) < sessions:
        return pd.DataFrame(columns=columns, index=returns.index[:0], dtype=float)
    alive = (ledger.equity > 0).cummin().to_numpy()[np.asarray(ledger.market.decision_steps, dtype=bool)]
    plain, over = (
        np.lib.stride_tricks.sliding_window_view(np.where(alive[1:], values, np.nan), sessions)
        for values in (returns, excess)
    )
    return pd.DataFrame(
        {
            columns[0]: sharpe_ratios(over),
            columns[1]: 100 * SESSIONS_PER_YEAR**0.5 * plain.std(axis=1, ddof=1),
        },
        index=returns.index[sessions - 1 :],
    )


def monthly_trading(ledger: Ledger) -> pd.DataFrame:
    """Add up what was traded and paid in each calendar month.

    Args:
        ledger: a finished run.

    Returns:
        By month, as `by_period` counts them: "Turnover [%]", the value of all fills; "Trading Costs [bp]",
        what fills cost; "Holding Costs [bp]", borrow and the depositary's fees; all over mean equity at the
        month's session ends, NaN where that is not positive.
    """
    table = by_period(ledger, "month")
    mean = mean_equity(ledger, pd.factorize(periods_of_steps(ledger, "month"))[0], len(table))
    holding = -table[[name for name in HOLDING_COSTS if name in table]].sum(axis=1)
    return pd.DataFrame(
        {
            "Turnover [%]": 100 * table["Turnover"],
            "Trading Costs [bp]": 1e4 * (table["Costs"] - holding) / mean,
            "Holding Costs [bp]": 1e4 * holding / mean,
        }
    )


def worst_drawdowns(daily: pd.Series[Any], count: int = 5) -> pd.DataFrame:
    """List the deepest falls of sampled equity from a peak.

    Args:
        daily: equity by session; those without a value are passed over.
        count: how many, at most.

    Returns:
        Deepest first: "Depth [%]" of the peak, negative; "Peak", "Low" and "Recovered", the sessions of the
        last peak, of the lowest value and of the first one not below the peak, NaT where there is none;
        "Days" from peak to recovery, or to the end. Falls below no positive peak are left out.
    """
    level = daily.dropna()
    peak = level.cummax()
    under = (level < peak) & (peak > 0)
    rows = []
    for _, part in level[under].groupby((~under).cumsum()[under]):
        before, after = level.index[level.index < part.index[0]], level.index[level.index > part.index[-1]]
        depth = part / peak[part.index] - 1
        recovered = after[0] if len(after) else pd.NaT
        end = recovered if len(after) else part.index[-1]
        rows.append(
            {
                "Depth [%]": 100 * float(depth.min()),
                "Peak": before[-1],
                "Low": depth.idxmin(),
                "Recovered": recovered,
                "Days": (end - before[-1]).days,
            }
        )
    table = pd.DataFrame(rows, columns=list(DRAWDOWN_TYPES)).astype(DRAWDOWN_TYPES)
    return table.sort_values("Depth [%]", kind="stable", ignore_index=True).head(count)


def pair_costs(orders: pd.DataFrame, confidence: float = CONFIDENCE) -> pd.DataFrame:
    """Say how sure the cost of waiting for the second leg is, by pair.

    The cost in basis points of value traded is a ratio of two sums over orders. Its standard error is that of
    a weighted regression on a constant, robust to orders whose costs spread differently (HC1)::

        ratio = sum(cost) / sum(value)
        error^2 = n / (n - 1) * sum((cost - ratio * value)^2) / sum(value)^2

    and the interval is Student's with n - 1 degrees of freedom (Cochran 1977, Sampling Techniques, chapter
    6). Each order is taken for one draw, and orders of a night share its news: the intervals are narrow
    rather than wide.

    Args:
        orders: of `linked_orders`; a cost that is not known counts as none, as in `leg_risk`.
        confidence: between 0 and 1.

    Returns:
        One row per pair and one for "all": ``orders``, ``cost_bp``, ``low``, ``high``; the bounds are NaN for
        a single order. No row where there is no order.
    """
    from scipy.stats import t as student

    rows = {}
    parts = {**dict(iter(orders.groupby("pair", sort=False))), TOTAL: orders} if len(orders) else {}
    for pair, part in parts.items():
        cost, value, n = part["cost"].fillna(0.0).to_numpy(float), part["value"].to_numpy(float), len(part)
        ratio = cost.sum() / value.sum()
        error = np.nan
        if n > 1:
            error = (n / (n - 1) * ((cost - ratio * value) ** 2).sum()) ** 0.5 / value.sum()
            error *= float(student.ppf(0.5 + confidence / 2, n - 1))
        rows[str(pair)] = (n, 1e4 * ratio, 1e4 * (ratio - error), 1e4 * (ratio + error))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["orders", "cost_bp", "low", "high"])
    return table.astype({"orders": int, "cost_bp": float, "low": float, "high": float}).rename_axis("pair")
