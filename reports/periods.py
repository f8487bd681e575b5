"""What a run earned between two dates: one run, read in parts, so that nothing is warmed up twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entrepot.reports.intervals import sharpe_interval
from entrepot.reports.leg_risk import linked_orders
from entrepot.reports.metrics import SESSIONS_PER_YEAR, drawdown, excess_returns, monthly_sharpe, sharpe
from entrepot.reports.ownership import step_costs

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

FIGURES = (
    "Sessions",
    "Held [%]",
    "Net Return [% pa]",
    "Volatility [% pa]",
    "Sharpe Ratio",
    "Sharpe Low",
    "Sharpe High",
    "Monthly Sharpe",
    "Max Drawdown [%]",
    "Turnover",
    "Costs [% pa]",
    "Leg Risk [% pa]",
)


def period_statistics(
    ledger: Ledger,
    first: pd.Timestamp | None = None,
    last: pd.Timestamp | None = None,
    *,
    confidence: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> pd.Series[Any]:
    """Measure a run over the sessions from one date to another.

    A session belongs to the period where its date does, and its return is the one that ended with it. Fills,
    costs and orders belong to the session of the next sample.

    * Held: share of the sessions at whose end something was held.
    * Net Return: compounded, 252 sessions a year; Volatility: of session returns, ddof 1.
    * Sharpe Ratio: mean over standard deviation of session returns above the policy rate, annualised, with
      the interval of `sharpe_interval`. Monthly Sharpe: see `entrepot.reports.summary`.
    * Turnover, Costs, Leg Risk: value of all fills; every cost; and what waiting for the second leg cost
      (`linked_orders`, by the moment of the decision, negative where it was gained): per year of 252
      sessions, over the period's mean equity.

    Args:
        ledger: a finished run.
        first: session date of the first return, None: the run's first.
        last: of the last one, None: the run's last.
        confidence: of the interval.
        draws: bootstrap samples behind it; 0: no interval.
        seed: of these.

    Returns:
        The numbers named in ``FIGURES``; NaN where one is not defined, as in a period without two sessions
        or after equity is gone.
    """
    returns, excess = ledger.returns, excess_returns(ledger)
    inside = np.ones(len(returns), dtype=bool)
    if first is not None:
        inside &= returns.index >= first
    if last is not None:
        inside &= returns.index <= last
    figures: dict[str, float] = dict.fromkeys(FIGURES, np.nan)
    count = int(inside.sum())
    figures["Sessions"] = float(count)
    if count < 2 or bool((ledger.equity <= 0).any()):
        return pd.Series(figures, name="period")
    at = np.flatnonzero(inside)
    daily = ledger.daily.iloc[at[0] : at[-1] + 2]  # the sample before the first return included
    years, equity = count / SESSIONS_PER_YEAR, float(daily.iloc[1:].mean())
    mine, over = returns[inside], excess[inside]
    samples = np.flatnonzero(ledger.market.decision_steps)
    begin, end = samples[at[0]], samples[at[-1] + 1]
    held = (ledger.record.positions[samples[at + 1]] != 0.0).any(axis=1)
    figures["Held [%]"] = 100.0 * float(held.mean())
    figures["Net Return [% pa]"] = 100.0 * float((daily.iloc[-1] / daily.iloc[0]) ** (1.0 / years) - 1.0)
    figures["Volatility [% pa]"] = 100.0 * float(mine.std(ddof=1)) * SESSIONS_PER_YEAR**0.5
    figures["Sharpe Ratio"] = sharpe(over.to_numpy(dtype=np.float64))
    if draws:
        low, high = sharpe_interval(over.to_numpy(dtype=np.float64), confidence, draws, seed)
        figures["Sharpe Low"], figures["Sharpe High"] = low, high
    figures["Monthly Sharpe"] = monthly_sharpe(mine, over)[0]
    figures["Max Drawdown [%]"] = 100.0 * drawdown(daily)[0]
    fills = ledger.fills
    step = fills["step"].to_numpy()
    traded = (fills["notional"] * fills["fx"]).to_numpy()[(step > begin) & (step <= end)]
    figures["Turnover"] = float(traded.sum()) / years / equity
    figures["Costs [% pa]"] = 100.0 * float(step_costs(ledger)[begin + 1 : end + 1].sum()) / years / equity
    orders = linked_orders(ledger)
    time = ledger.equity.index
    mine_orders = orders[(orders["decided"] >= time[begin]) & (orders["decided"] < time[end])]
    figures["Leg Risk [% pa]"] = 100.0 * float(mine_orders["cost"].sum()) / years / equity
    return pd.Series(figures, name="period")
