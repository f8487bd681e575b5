"""What a run earned, at what risk and at what cost, under the field's names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError
from entrepot.reports.sources import source_group
from entrepot.reports.trades import round_trips

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

SESSIONS_PER_YEAR = 252
MONTHS_PER_YEAR = 12
LAGS = 20
COST_ROWS = {
    "Total Fees Paid": "Fees",
    "Slippage Paid": "Slippage",
    "Impact Paid": "Impact",
    "FX Spread Paid": "FX spread",
    "Borrow Paid": "Borrow",
    "ADR Fees Paid": "ADR fees",
}


@dataclass
class Statistics:
    """Named numbers, and why those that are NaN are."""

    figures: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, value: float, otherwise: str) -> None:
        """Keep `value` where it is finite, else NaN and the reason."""
        if np.isfinite(value):
            self.figures[name] = float(value)
        else:
            self.refuse([name], otherwise)

    def refuse(self, names: list[str], reason: str) -> None:
        """Make every name NaN for one reason."""
        for name in names:
            self.figures[name] = np.nan
            self.reasons[name] = reason


def summary(ledger: Ledger, benchmark: pd.Series[Any] | None = None, *, lags: int = LAGS) -> pd.Series[Any]:
    """Summarise a run.

    Conventions. Values, totals and costs cover every step, from the capital to the last equity. Returns and
    drawdowns are sampled at the last step of each New York session (of the only venue where there is one),
    the first sample having no return; 252 sessions a year; standard deviations with ddof 1; Sharpe, Sortino
    and Omega on the return in excess of the policy rate, which is taken as zero where it is not known. A
    number that is not defined is NaN, never infinite, and the row "Undefined" says why.

    * Interest Earned: net interest on cash and rebate on short proceeds, base currency. It is in the total
      return; the Sharpe ratio counts only what exceeds the policy rate, and can be negative beside a gain.
    * Annualized Return: compounded, ``prod(1 + r) ** (252 / n) - 1``. Calmar: that over the largest drawdown.
    * Sortino: mean excess over the root mean square of its negative part, annualised. Omega: threshold 0.
    * Monthly Sharpe: returns compounded by calendar month, the first and last one as they are, 12 a year.
    * Lag-adjusted Sharpe: Lo (2002), The Statistics of Sharpe Ratios, equation 20: the daily ratio times
      ``eta(q) = q / sqrt(q + 2 sum_{k=1}^{q-1} (q-k) rho_k)`` with q = lags + 1, then ``sqrt(252 / q)``. Legs
      marked hours apart make daily returns reverse, which the daily ratio takes for risk.
    * Max Drawdown Duration: the longest time from a peak to its recovery, or to the end.
    * Trades are the closed round trips of `round_trips`; Win Rate, Profit Factor (gains over losses) and
      Expectancy (mean profit, base currency) are theirs. A portfolio that is never flat has none.
    * Turnover: value of all fills, both sides, per year (365.25 days) over mean sampled equity.
    * Total Fees Paid: duties, levies, exchange fees, brokerage and flat fees. The other costs have rows of
      their own and all are in Total Costs; base currency, positive where paid. ADR Fees Paid are the
      depositary's: its service fee, and its fee when a delisted line becomes its Hong Kong line. The change
      of value at that moment is no cost; `by_source` has it as "conversion".

    Args:
        ledger: a finished run.
        benchmark: levels (not returns) by session date or UTC time, or None. Its return is between the last
            levels known at the first and at the last session.
        lags: autocorrelations in the lag-adjusted Sharpe.

    Returns:
        Values by name; ``.attrs["reasons"]`` maps each undefined name to its reason.

    Raises:
        ParameterError: where `lags` is not a whole number of at least 1.
        DataError: where `benchmark` is not a series of levels.
    """
    if lags != int(lags) or lags < 1:
        raise ParameterError(f"lags is {lags!r}: give a whole number of at least 1")
    daily, equity = ledger.daily, ledger.equity
    first: Any = daily.index[0] if len(daily) else pd.NaT
    last: Any = daily.index[-1] if len(daily) else pd.NaT
    sheet = Statistics()
    put = sheet.put
    end = float(equity.iloc[-1]) if len(equity) else np.nan
    sheet.figures |= {
        "Start": first,
        "End": last,
        "Period": last - first,
        "Sessions": len(daily),
        "Start Value": float(ledger.capital),
    }
    put("End Value", end, "the last equity is missing")
    put("Total Return [%]", 100 * (end / ledger.capital - 1), "the last equity is missing")
    sheet.figures["Interest Earned"] = interest_earned(ledger)
    if benchmark is not None:
        value, reason = benchmark_return(benchmark, daily.index)
        put("Benchmark Return [%]", 100 * value, reason)
    ruined = bool((equity <= 0).any())
    risk = return_statistics(ledger.returns, excess_returns(ledger), ruined=ruined, lags=lags)
    sheet.figures |= risk.figures
    sheet.reasons |= risk.reasons
    depth, duration = drawdown(daily)
    put("Max Drawdown [%]", 100 * depth, "equity is missing on some sessions")
    sheet.figures["Max Drawdown Duration"] = duration

    trips = round_trips(ledger)
    profit = trips.loc[~trips["open"], "P&L"].to_numpy(dtype=float)
    gains, losses = profit[profit > 0].sum(), -profit[profit < 0].sum()
    sheet.figures |= {"Trades": len(profit), "Open Trades": int(trips["open"].sum())}
    if len(profit):
        put("Win Rate [%]", 100 * float((profit > 0).mean()), "")
        put("Profit Factor", gains / losses if losses > 0 else np.nan, "no closed trade lost money")
        put("Expectancy", float(profit.mean()), "")
    else:
        sheet.refuse(["Win Rate [%]", "Profit Factor", "Expectancy"], "no trade was closed")

    put(*turnover(ledger))
    groups = cost_groups(ledger)
    for name, group in COST_ROWS.items():
        sheet.figures[name] = float(groups.get(group, 0.0))
    sheet.figures |= {
        "Total Costs": float(groups.sum()),
        "Fills": len(ledger.fills),
        "Orders Dropped": len(ledger.dropped),
        "Undefined": "; ".join(f"{name}: {reason}" for name, reason in sheet.reasons.items()),
    }
    out = pd.Series(sheet.figures, dtype=object, name="summary")
    out.attrs["reasons"] = sheet.reasons
    return out


def return_statistics(
    returns: pd.Series[Any], excess: pd.Series[Any], *, ruined: bool = False, lags: int = LAGS
) -> Statistics:
    """Measure session returns, by empyrical where it has the metric.

    Args:
        returns: simple returns by session.
        excess: the same over the policy rate.
        ruined: equity was at or below zero at some step, after which returns mean nothing.
        lags: autocorrelations in the lag-adjusted Sharpe.
    """
    import empyrical

    metric: Any = empyrical
    sheet = Statistics()
    names = ["Annualized Return [%]", "Annualized Volatility [%]", "Sharpe Ratio", "Monthly Sharpe"]
    names += ["Lag-adjusted Sharpe", "Sortino Ratio", "Calmar Ratio", "Omega Ratio"]
    if ruined:
        sheet.refuse(names, "equity fell to zero or below")
    elif not np.isfinite(returns.to_numpy(dtype=float)).all():
        sheet.refuse(names, "returns are missing on some sessions")
    elif len(returns) < 2:
        sheet.refuse(names, "fewer than two returns")
    if sheet.reasons:
        sheet.figures["Sharpe Lags"] = lags
        return sheet
    year = SESSIONS_PER_YEAR
    plain, over = returns.to_numpy(dtype=float), excess.to_numpy(dtype=float)
    flat = "excess returns do not vary"
    varies = float(np.std(over, ddof=1)) > 1e-14
    growth = float(metric.annual_return(plain, annualization=year))
    depth = float(metric.max_drawdown(plain))
    sheet.put("Annualized Return [%]", 100 * growth, "no finite growth rate")
    sheet.put(
        "Annualized Volatility [%]", 100 * float(metric.annual_volatility(plain, annualization=year)), ""
    )
    daily_sharpe = float(metric.sharpe_ratio(over, annualization=year)) if varies else np.nan
    sheet.put("Sharpe Ratio", daily_sharpe, flat)
    sheet.put("Monthly Sharpe", *monthly_sharpe(returns, excess))
    sheet.put("Lag-adjusted Sharpe", *lag_adjusted_sharpe(over, lags))
    sheet.figures["Sharpe Lags"] = lags
    falls = bool((over < -1e-14).any())
    sheet.put(
        "Sortino Ratio",
        float(metric.sortino_ratio(over, annualization=year)) if falls else np.nan,
        "no negative excess return",
    )
    sheet.put("Calmar Ratio", growth / -depth if depth < 0 else np.nan, "no drawdown")
    omega = float(metric.omega_ratio(over)) if falls else np.nan
    sheet.put("Omega Ratio", omega, "no negative excess return")
    return sheet


def excess_returns(ledger: Ledger) -> pd.Series[Any]:
    """Session returns over the policy rate of the base currency, which is zero where it is not known."""
    returns = ledger.returns
    return (returns - ledger.risk_free.reindex(returns.index).fillna(0.0)).rename("excess")


def monthly_sharpe(returns: pd.Series[Any], excess: pd.Series[Any]) -> tuple[float, str]:
    """Sharpe ratio of calendar months, annualised by 12: the value, and the reason where it is NaN."""
    dates = pd.DatetimeIndex(returns.index)
    month = dates.year * 12 + dates.month
    growth = (1 + returns).groupby(month).prod()
    free = (1 + returns - excess).groupby(month).prod()
    over = (growth - free).to_numpy(dtype=float)
    if len(over) < 2:
        return np.nan, "fewer than two calendar months"
    spread = float(np.std(over, ddof=1))
    if spread <= 1e-14:
        return np.nan, "monthly excess returns do not vary"
    return float(over.mean()) / spread * np.sqrt(MONTHS_PER_YEAR), ""


def lag_adjusted_sharpe(excess: np.ndarray, lags: int = LAGS) -> tuple[float, str]:
    """Lo's (2002) annual Sharpe ratio: the value, and the reason where it is NaN.

    With autocovariances divided by n, the sum under the root is a Bartlett estimate and cannot be negative.

    Args:
        excess: (n,) session excess returns.
        lags: autocorrelations used; q = lags + 1 sessions are the horizon.
    """
    n, q = len(excess), lags + 1
    if n < 2 * q:
        return np.nan, f"fewer than {2 * q} returns for {lags} lags"
    centred = excess - excess.mean()
    own = float(centred @ centred)
    if own / n <= 1e-28:
        return np.nan, "excess returns do not vary"
    k = np.arange(1, q)
    rho = np.array([float(centred[:-lag] @ centred[lag:]) for lag in k]) / own
    inflation = q + 2 * float(((q - k) * rho).sum())
    if inflation <= 1e-9:
        return np.nan, "returns reverse completely within the lags"
    ratio = float(excess.mean()) / float(np.std(excess, ddof=1))
    return float(ratio * q / np.sqrt(inflation) * np.sqrt(SESSIONS_PER_YEAR / q)), ""


def drawdown(daily: pd.Series[Any]) -> tuple[float, Any]:
    """Largest fall from a peak as a (negative) fraction of it, and the longest time below a peak.

    Below zero equity the fraction passes -1: more than the peak was lost. NaN where a sample is missing.
    """
    level = daily.to_numpy(dtype=float)
    if len(level) == 0 or not np.isfinite(level).all():
        return np.nan, pd.NaT
    peak = np.maximum.accumulate(level)
    depth = float((level / peak - 1).min()) if peak[0] > 0 else np.nan
    time = pd.DatetimeIndex(daily.index)
    below = level < peak
    longest = pd.Timedelta(0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], below, [False]]).astype(int)))
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        longest = max(longest, time[min(stop, len(level) - 1)] - time[first - 1])
    return depth, longest


def benchmark_return(benchmark: pd.Series[Any], sessions: pd.Index[Any]) -> tuple[float, str]:
    """Return of a benchmark's levels over the sessions: the value, and the reason where it is NaN."""
    if not isinstance(benchmark, pd.Series):
        raise DataError(
            f"the benchmark is of type {type(benchmark).__name__}: give a Series of levels by date or time"
        )
    levels = benchmark.dropna()
    index = levels.index
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(f"the benchmark is indexed by {index.dtype}: give levels by date or UTC time")
    if (levels <= 0).any():
        raise DataError("the benchmark has values at or below zero: give levels such as closes, not returns")
    if index.tz is not None:
        index = index.tz_convert("America/New_York").tz_localize(None)
    levels = pd.Series(levels.to_numpy(dtype=float), index=index.as_unit("ns").normalize()).sort_index()
    levels = levels[~levels.index.duplicated(keep="last")]
    if len(sessions) == 0:
        return np.nan, "no session"
    dates = pd.DatetimeIndex(sessions).as_unit("ns")
    ends = levels.reindex(dates[[0, -1]], method="ffill").to_numpy()
    return float(ends[1] / ends[0] - 1), "the benchmark begins after the run"


def turnover(ledger: Ledger) -> tuple[str, float, str]:
    """Value of all fills per year over mean equity, as (name, value, reason where it is NaN)."""
    name = "Turnover"
    daily = ledger.daily
    time = pd.DatetimeIndex(ledger.equity.index)
    years = (time[-1] - time[0]) / pd.Timedelta(days=365.25) if len(time) else 0.0
    mean = float(daily.mean())
    if not years > 0 or not mean > 0:
        return name, np.nan, "mean equity or the length of the run is not positive"
    fills = ledger.fills
    traded = float((fills["notional"] * fills["fx"]).sum()) if len(fills) else 0.0
    return name, traded / years / mean, "a fill has no value in base currency"


def interest_earned(ledger: Ledger) -> float:
    """Interest on cash, less what was paid on debts, and rebate on shorts, in base currency."""
    sums = ledger.contributions.sum()
    if len(sums) == 0:
        return 0.0
    earned = sums.index.get_level_values(0).isin(["interest", "rebate"])
    return float(sums[earned].sum())


def ruin_note(ledger: Ledger) -> str:
    """Say when equity first was at or below zero; nothing where it never was."""
    below = ledger.equity <= 0
    if not below.any():
        return ""
    first: Any = below.idxmax()
    how = "below zero" if float(ledger.equity[first]) < 0 else "to zero"
    return f"equity fell {how} on {first:%Y-%m-%d}"


def cost_groups(ledger: Ledger) -> pd.Series[Any]:
    """Costs by group (`source_group`), base currency, positive where paid."""
    paid = ledger.costs()
    return paid.groupby([source_group(str(kind)) for kind in paid.index]).sum()
