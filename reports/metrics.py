"""What a run earned, at what risk and at what cost, under the field's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, is_whole, shown
from entrepot.reports.sources import source_group
from entrepot.reports.trades import round_trips

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

SESSIONS_PER_YEAR = 252
MONTHS_PER_YEAR = 12
LAGS = 20
FLAT = 1e-14  # a spread of returns below it is rounding
TAIL = 0.05
SAMPLED = {"XNYS": "New York session", "XHKG": "Hong Kong session"}
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

    def refuse(self, names: Sequence[str], reason: str) -> None:
        """Make every name NaN for one reason."""
        for name in names:
            self.figures[name] = np.nan
            self.reasons[name] = reason

    def add(self, others: Statistics) -> None:
        """Take over the numbers and reasons of others."""
        self.figures |= others.figures
        self.reasons |= others.reasons

    def series(self, name: str) -> pd.Series[Any]:
        """Return the numbers by name, the reasons in ``.attrs["reasons"]``."""
        out = pd.Series(self.figures, dtype=object, name=name)
        out.attrs["reasons"] = self.reasons
        return out


def summary(ledger: Ledger, benchmark: pd.Series[Any] | None = None, *, lags: int = LAGS) -> pd.Series[Any]:
    """Summarise a run.

    Conventions. Values, totals and costs cover every step, from the capital to the last equity. Returns and
    drawdowns are sampled at the last step of each New York session (of the only venue where there is one),
    the first sample having no return; 252 sessions a year; standard deviations with ddof 1; Sharpe, Sortino
    and Omega on the return in excess of the policy rate, which is taken as zero where it is not known. The
    row "Sampling" says so for this run. A number that is not defined is NaN, never infinite, and the row
    "Undefined" says why.

    * Interest Earned: net interest on cash and rebate on short proceeds, base currency. It is in the total
      return; the Sharpe ratio counts only what exceeds the policy rate, and can be negative beside a gain.
    * Annualized Return: compounded, ``prod(1 + r) ** (252 / n) - 1``. Calmar: that over the largest drawdown.
    * Sortino: mean excess over the root mean square of its negative part, annualised. Omega: threshold 0.
    * Monthly Sharpe: returns compounded by calendar month, the first and last one as they are, 12 a year.
    * Lag-adjusted Sharpe: Lo (2002), The Statistics of Sharpe Ratios, equation 20: the daily ratio times
      ``eta(q) = q / sqrt(q + 2 sum_{k=1}^{q-1} (q-k) rho_k)`` with q = lags + 1, then ``sqrt(252 / q)``. Legs
      marked hours apart make daily returns reverse, which the daily ratio takes for risk.
    * Max Drawdown Duration: the longest time from a peak to its recovery, or to the end.
    * Skew, Excess Kurtosis: of session returns, corrected for bias as pandas does; a normal law has 0 and 0.
    * Value at Risk: the 5 % quantile of session returns, negative where it is a loss. Conditional VaR: the
      mean of the worst 5 % of them. Tail Ratio: the 95 % quantile over the 5 % one, without sign.
    * Best, Worst and Positive Months: returns compounded by calendar month, the first and last as they are.
    * Trades are the closed round trips of `round_trips`; Win Rate, Profit Factor (gains over losses) and
      Expectancy (mean profit, base currency) are theirs. A portfolio that is never flat has none.
    * Turnover: value of all fills, both sides, per year (365.25 days) over mean sampled equity.
    * Total Fees Paid: duties, levies, exchange fees, brokerage and flat fees. The other costs have rows of
      their own and all are in Total Costs; base currency, positive where paid. ADR Fees Paid are the
      depositary's: its service fee, and its fee when a delisted line becomes its Hong Kong line. The change
      of value at that moment is no cost; `by_source` has it as "conversion".

    Args:
        ledger: a finished run.
        benchmark: levels (not returns) by session date or UTC time, or None; with it come the rows of
            `entrepot.reports.relative`.
        lags: autocorrelations in the lag-adjusted Sharpe.

    Returns:
        Values by name; ``.attrs["reasons"]`` maps each undefined name to its reason.

    Raises:
        ParameterError: where `lags` is not a whole number of at least 1.
        DataError: where `benchmark` is not a series of levels.
    """
    if not (is_whole(lags) and lags >= 1):
        raise ParameterError(f"lags is {shown(lags)}: give a whole number of at least 1")
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
    ruined = bool((equity <= 0).any())
    sheet.add(return_statistics(ledger.returns, excess_returns(ledger), ruined=ruined, lags=lags))
    depth, duration = drawdown(daily)
    put("Max Drawdown [%]", 100 * depth, "equity is missing on some sessions")
    sheet.figures["Max Drawdown Duration"] = duration
    sheet.add(shape_statistics(ledger.returns, ruined=ruined))
    if benchmark is not None:
        from entrepot.reports.benchmark import relative_statistics  # which is made of what is in this module

        sheet.add(relative_statistics(ledger, benchmark))

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
        "Sampling": sampling(ledger),
        "Undefined": "; ".join(f"{name}: {reason}" for name, reason in sheet.reasons.items()),
    }
    return sheet.series("summary")


def sampling(ledger: Ledger) -> str:
    """Say how the figures of a run are sampled and annualised."""
    venues = ledger.market.grid["venue"].to_numpy()[np.asarray(ledger.market.decision_steps, dtype=bool)]
    what = SAMPLED.get(str(venues[0]), "session") if len(venues) else "session"
    paid = bool(ledger.risk_free.fillna(0.0).any())
    rate = f"the policy rate of {ledger.base_currency}" if paid else "a policy rate of zero, none being known"
    return (
        f"last step of each {what}, {SESSIONS_PER_YEAR} a year, standard deviations with ddof 1; Sharpe, "
        f"Sortino and Omega over {rate}"
    )


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
    if reason := unusable(returns, ruined=ruined):
        sheet.refuse(names, reason)
        sheet.figures["Sharpe Lags"] = lags
        return sheet
    year = SESSIONS_PER_YEAR
    plain, over = returns.to_numpy(dtype=float), excess.to_numpy(dtype=float)
    growth = float(metric.annual_return(plain, annualization=year))
    depth = float(metric.max_drawdown(plain))
    sheet.put("Annualized Return [%]", 100 * growth, "no finite growth rate")
    sheet.put(
        "Annualized Volatility [%]", 100 * float(metric.annual_volatility(plain, annualization=year)), ""
    )
    sheet.put("Sharpe Ratio", sharpe(over), "excess returns do not vary")
    sheet.put("Monthly Sharpe", *monthly_sharpe(returns, excess))
    sheet.put("Lag-adjusted Sharpe", *lag_adjusted_sharpe(over, lags))
    sheet.figures["Sharpe Lags"] = lags
    falls = bool((over < -FLAT).any())
    sheet.put(
        "Sortino Ratio",
        float(metric.sortino_ratio(over, annualization=year)) if falls else np.nan,
        "no negative excess return",
    )
    sheet.put("Calmar Ratio", growth / -depth if depth < 0 else np.nan, "no drawdown")
    omega = float(metric.omega_ratio(over)) if falls else np.nan
    sheet.put("Omega Ratio", omega, "no negative excess return")
    return sheet


def unusable(returns: pd.Series[Any], *, ruined: bool) -> str:
    """Say why nothing can be measured on session returns; nothing where it can."""
    if ruined:
        return "equity fell to zero or below"
    if not np.isfinite(returns.to_numpy(dtype=float)).all():
        return "returns are missing on some sessions"
    return "fewer than two returns" if len(returns) < 2 else ""


def shape_statistics(returns: pd.Series[Any], *, ruined: bool = False) -> Statistics:
    """Measure how session and monthly returns are distributed, by empyrical where it has the metric.

    Args:
        returns: simple returns by session.
        ruined: equity was at or below zero at some step, after which returns mean nothing.
    """
    import empyrical

    metric: Any = empyrical
    sheet = Statistics()
    names = ["Skew", "Excess Kurtosis", "Value at Risk [%]", "Conditional VaR [%]", "Tail Ratio"]
    names += ["Best Day [%]", "Worst Day [%]", "Best Month [%]", "Worst Month [%]", "Positive Months [%]"]
    if reason := unusable(returns, ruined=ruined):
        sheet.refuse(names, reason)
        return sheet
    plain, months = returns.to_numpy(dtype=float), by_month(returns)
    varies = float(plain.std()) > FLAT
    for name, moment, fewest in (("Skew", returns.skew, "three"), ("Excess Kurtosis", returns.kurt, "four")):
        value: Any = moment() if varies else np.nan
        sheet.put(name, value, f"fewer than {fewest} returns" if varies else "returns do not vary")
    lowest = float(metric.value_at_risk(plain, TAIL))
    sheet.put("Value at Risk [%]", 100 * lowest, "")
    sheet.put("Conditional VaR [%]", 100 * float(metric.conditional_value_at_risk(plain, TAIL)), "")
    tails = float(metric.tail_ratio(plain)) if lowest != 0 else np.nan
    sheet.put("Tail Ratio", tails, "the 5 % quantile of returns is zero")
    for name, values in (("Day", plain), ("Month", months)):
        sheet.put(f"Best {name} [%]", 100 * float(values.max()), "")
        sheet.put(f"Worst {name} [%]", 100 * float(values.min()), "")
    sheet.put("Positive Months [%]", 100 * float((months > 0).mean()), "")
    return sheet


def sharpe(excess: NDArray[np.float64]) -> float:
    """Return the annual Sharpe ratio of session returns over the policy rate, NaN where they do not vary."""
    return float(sharpe_ratios(excess))


def sharpe_ratios(excess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return annual Sharpe ratios along the last axis: mean over standard deviation, ddof 1, by root of 252.

    Args:
        excess: shape (..., n), session returns over the policy rate, no NaN.

    Returns:
        Shape (...); NaN where returns do not vary or are fewer than two.
    """
    if excess.shape[-1] < 2:
        return np.full(excess.shape[:-1], np.nan)
    spread = excess.std(axis=-1, ddof=1)
    varies = spread > FLAT
    by_session = excess.mean(axis=-1) / np.where(varies, spread, 1.0)
    return np.asarray(np.where(varies, by_session * SESSIONS_PER_YEAR**0.5, np.nan))


def excess_returns(ledger: Ledger) -> pd.Series[Any]:
    """Session returns over the policy rate of the base currency, which is zero where it is not known."""
    returns = ledger.returns
    return (returns - ledger.risk_free.reindex(returns.index).fillna(0.0)).rename("excess")


def monthly_sharpe(returns: pd.Series[Any], excess: pd.Series[Any]) -> tuple[float, str]:
    """Sharpe ratio of calendar months, annualised by 12: the value, and the reason where it is NaN."""
    over = by_month(returns) - by_month(returns - excess)
    if len(over) < 2:
        return np.nan, "fewer than two calendar months"
    spread = float(np.std(over, ddof=1))
    if spread <= FLAT:
        return np.nan, "monthly excess returns do not vary"
    return float(over.mean()) / spread * np.sqrt(MONTHS_PER_YEAR), ""


def by_month(returns: pd.Series[Any]) -> NDArray[np.float64]:
    """Compound session returns by calendar month, the first and the last one as they are: shape (months,)."""
    dates = pd.DatetimeIndex(returns.index)
    return (1 + returns).groupby(dates.year * 12 + dates.month).prod().to_numpy(dtype=float) - 1.0


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
