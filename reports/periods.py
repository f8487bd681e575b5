"""What a run earned between two dates: one run, read in parts, so that nothing is warmed up twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, is_number, is_whole, shown
from entrepot.reports.attribution import step_costs
from entrepot.reports.leg_risk import linked_orders
from entrepot.reports.metrics import SESSIONS_PER_YEAR, drawdown, excess_returns, monthly_sharpe

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


def sharpe(excess: NDArray[np.float64]) -> float:
    """Return the annual Sharpe ratio of session returns, NaN where they do not vary."""
    spread = float(excess.std(ddof=1)) if len(excess) > 1 else 0.0
    return float(excess.mean()) / spread * SESSIONS_PER_YEAR**0.5 if spread > 1e-14 else float(np.nan)


def sharpe_interval(
    excess: NDArray[np.float64], confidence: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return an interval for the annual Sharpe ratio of session returns by the stationary bootstrap.

    Args:
        excess: shape (n,), session returns over the policy rate, no NaN; or (n, 2), for an interval of how
            much larger the ratio of the first column is than that of the second, sessions being drawn
            together.
        confidence: between 0 and 1.
        draws: bootstrap samples, 100 or more.
        seed: of these.

    Returns:
        Low and high: percentiles of the ratio over resampled sessions (Politis and Romano 1994), in blocks
        whose mean length is Politis and White's choice for these returns (2004, corrected by Patton, Politis
        and White 2009), at least 1: legs marked hours apart make returns reverse from day to day, which
        blocks keep. NaN where fewer than 20 returns, or returns that do not vary, leave nothing to resample.

    Raises:
        ParameterError: on a confidence outside 0 to 1, too few draws or a seed that is none.
    """
    if not (is_number(confidence) and 0.0 < confidence < 1.0):
        raise ParameterError(f"confidence is {shown(confidence)}: give a fraction such as 0.95")
    if not (is_whole(draws) and draws >= 100):
        raise ParameterError(f"draws is {shown(draws)}: give a whole number of at least 100")
    if not (is_whole(seed) and seed >= 0):
        raise ParameterError(f"seed is {shown(seed)}: give a whole number, 0 or more")
    rows = excess.reshape(len(excess), -1)
    if len(rows) < 20 or not np.isfinite(ratio(rows)[0]):
        return float(np.nan), float(np.nan)
    from arch.bootstrap import StationaryBootstrap, optimal_block_length

    block = float(np.nanmax([1.0, *optimal_block_length(rows)["stationary"]]))
    drawn = StationaryBootstrap(block, rows, seed=seed).apply(ratio, int(draws))[:, 0]
    tail = (1.0 - confidence) / 2.0
    low, high = np.nanquantile(drawn, [tail, 1.0 - tail])
    return float(low), float(high)


def ratio(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Sharpe ratio of the first column less that of the second where there is one, shape (1,)."""
    return np.array([sharpe(rows[:, 0]) - (sharpe(rows[:, 1]) if rows.shape[1] > 1 else 0.0)])
