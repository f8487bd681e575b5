"""A run against a benchmark: levels as they were known at each sample, and the figures they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError
from entrepot.reports.metrics import FLAT, SESSIONS_PER_YEAR, Statistics, excess_returns, unusable

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

# Longer than any holiday of the markets there are (Golden Week, a new year that was prolonged).
FRESH = pd.Timedelta(days=15)
TOTALS = ("Benchmark Return [%]", "Annualized Benchmark Return [%]")
REGRESSION = ("Alpha [%]", "Beta", "Alpha Standard Error [%]", "Alpha t", "Correlation", "R-squared")
ACTIVE = ("Active Return [%]", "Tracking Error [%]", "Information Ratio", "Relative Max Drawdown [%]")
CAPTURE = ("Up Capture", "Down Capture")


def relative(ledger: Ledger, benchmark: pd.Series[Any]) -> pd.Series[Any]:
    """Measure a run against a benchmark.

    Each sample of the run is set against the last level known by then: of levels by date, that date's; of
    levels by time, none stamped later than the sample, be it by a second. Stamps that are all at midnight of
    their own zone are dates, as files of daily closes have them.

    * Benchmark Return: from the first sample to the last; annualised by ``growth ** (252 / n) - 1``.
    * Alpha and Beta: of ``r - f = alpha + beta (b - f) + e`` over sessions, r of the run, b of the benchmark
      and f at the policy rate (zero where not known); alpha compounded, ``(1 + alpha) ** 252 - 1``.
      Correlation and R-squared: of the same excess returns.
    * Alpha t, Alpha Standard Error: of the session's alpha, the error times 252; robust to changing variance
      and to autocorrelation (Newey and West 1987, Bartlett weights, times n / (n - 2)), with "Alpha Lags" of
      ``floor(4 (n / 100) ** (2 / 9))``, the rule of Newey and West (1994).
    * Active Return: mean of r - b, 252 a year; Tracking Error: its standard deviation, annualised;
      Information Ratio: the one over the other. Relative Max Drawdown: of growth over the benchmark's growth.
    * Up (Down) Capture: the run's return, compounded to a year, over the benchmark's, in the sessions in
      which the benchmark rose (fell).

    Args:
        ledger: a finished run.
        benchmark: levels (not returns), above zero, by session date or time with a zone; NaN is left out.

    Returns:
        Values by name; ``.attrs["reasons"]`` maps each undefined name to its reason. Where the benchmark
        begins after the run or has no level for 15 days, what needs that level is NaN.

    Raises:
        DataError: where `benchmark` is not a series of levels.
    """
    return relative_statistics(ledger, benchmark).series("relative")


@np.errstate(over="ignore")  # a year of a few good days may pass what a number can hold: that is undefined
def relative_statistics(ledger: Ledger, benchmark: pd.Series[Any]) -> Statistics:
    """Work out the figures of `relative`."""
    levels = known_levels(ledger, benchmark)
    sheet = Statistics()
    growth = float(levels.iloc[-1] / levels.iloc[0]) if len(levels) else np.nan
    gap = missing_level(levels, benchmark)
    returns = ledger.returns
    yearly = np.power(growth, SESSIONS_PER_YEAR / len(returns)) if len(returns) else np.nan
    sheet.put(TOTALS[0], 100 * (growth - 1), gap)
    sheet.put(TOTALS[1], 100 * (yearly - 1), gap or "no finite growth rate")
    reason = unusable(returns, ruined=bool((ledger.equity <= 0).any())) or gap
    if reason:
        sheet.refuse([*REGRESSION, *ACTIVE, *CAPTURE], reason)
        return sheet
    own, over = np.array([returns, excess_returns(ledger)], dtype=np.float64)
    theirs = np.array(levels.pct_change()[1:], dtype=np.float64)
    sheet.add(regression(over, theirs - (own - over)))
    sheet.add(active(own, theirs))
    return sheet


def regression(over: NDArray[np.float64], theirs: NDArray[np.float64]) -> Statistics:
    """Regress excess returns (n,) on those of a benchmark (n,), as in `relative`."""
    import empyrical

    metric: Any = empyrical
    sheet = Statistics()
    lags = newey_west_lags(len(over))
    if theirs.std() <= FLAT:
        sheet.refuse(REGRESSION, "the benchmark's excess returns do not vary")
        sheet.figures["Alpha Lags"] = lags
        return sheet
    alpha, beta = metric.alpha_beta(over, theirs, annualization=SESSIONS_PER_YEAR)
    sheet.put("Alpha [%]", 100 * float(alpha), "no finite growth rate")
    sheet.put("Beta", float(beta), "")
    still = "excess returns do not vary" if over.std() <= FLAT else ""
    few = "fewer than three returns" if len(over) < 3 else ""
    exact = "the run follows the benchmark exactly" if (over - beta * theirs).std() <= FLAT else ""
    if few or still or exact:
        sheet.refuse(["Alpha Standard Error [%]", "Alpha t"], few or still or exact)
    else:
        estimates, errors = newey_west(over, theirs[:, None], lags)
        sheet.put("Alpha Standard Error [%]", 100 * SESSIONS_PER_YEAR * errors[0], "")
        sheet.put("Alpha t", estimates[0] / errors[0], "")
    sheet.figures["Alpha Lags"] = lags
    related = np.nan if still else float(np.corrcoef(over, theirs)[0, 1])
    sheet.put("Correlation", related, still)
    sheet.put("R-squared", related**2, still)
    return sheet


def newey_west_lags(n: int) -> int:
    """Return the lags of Newey and West's (1994) rule for n observations."""
    return int(4 * (n / 100) ** (2 / 9))


def newey_west(
    y: NDArray[np.float64], x: NDArray[np.float64], lags: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the coefficients of y (n,) on a constant and x (n, k), and their robust standard errors.

    Newey and West (1987): Bartlett weights ``1 - l / (lags + 1)``, times ``n / (n - k - 1)``; by statsmodels.
    """
    from statsmodels.regression.linear_model import OLS

    design = np.column_stack([np.ones(len(y)), x])
    fit = OLS(y, design).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True})
    return np.asarray(fit.params), np.asarray(fit.bse)


def active(own: NDArray[np.float64], theirs: NDArray[np.float64]) -> Statistics:
    """Measure returns (n,) against those of a benchmark (n,), as in `relative`."""
    import empyrical

    metric: Any = empyrical
    sheet = Statistics()
    more = own - theirs
    error = float(more.std(ddof=1))
    sheet.put("Active Return [%]", 100 * SESSIONS_PER_YEAR * float(more.mean()), "")
    sheet.put("Tracking Error [%]", 100 * SESSIONS_PER_YEAR**0.5 * error, "")
    ratio = SESSIONS_PER_YEAR**0.5 * float(metric.excess_sharpe(own, theirs)) if error > FLAT else np.nan
    sheet.put("Information Ratio", ratio, "returns do not differ from the benchmark's in a varying way")
    sheet.put("Relative Max Drawdown [%]", 100 * float(metric.max_drawdown((1 + own) / (1 + theirs) - 1)), "")
    rose, fell = float(metric.up_capture(own, theirs)), float(metric.down_capture(own, theirs))
    sheet.put("Up Capture", rose, "the benchmark never rose, or no finite growth when it did")
    sheet.put("Down Capture", fell, "the benchmark never fell, or no finite growth when it did")
    return sheet


def known_levels(ledger: Ledger, benchmark: pd.Series[Any]) -> pd.Series[Any]:
    """Return the last level of a benchmark known at each sample of a run.

    Args:
        ledger: a finished run.
        benchmark: as in `relative`.

    Returns:
        Levels by session; NaN where none was known yet, or the last one known was older than 15 days.

    Raises:
        DataError: where `benchmark` is not a series of levels.
    """
    levels = checked_levels(benchmark)
    stamps, sessions = pd.DatetimeIndex(levels.index), pd.DatetimeIndex(ledger.daily.index)
    if stamps.tz is None:
        moments = sessions.as_unit("ns")
    else:
        sampled = np.asarray(ledger.market.decision_steps, dtype=bool)
        moments = pd.DatetimeIndex(ledger.equity.index[sampled]).tz_convert("UTC").as_unit("ns")
    at = stamps.searchsorted(moments, side="right") - 1
    known = (at >= 0) & (moments - stamps[np.maximum(at, 0)] <= FRESH)
    values = levels.to_numpy(dtype=np.float64)[np.maximum(at, 0)]
    return pd.Series(np.where(known, values, np.nan), index=sessions, name="benchmark")


def missing_level(levels: pd.Series[Any], benchmark: pd.Series[Any]) -> str:
    """Say which level a run lacks; nothing where it has one at every sample."""
    if not len(levels):
        return "no session"
    unknown = levels.index[levels.isna()]
    if not len(unknown):
        return ""
    begins = pd.DatetimeIndex(benchmark.dropna().index).min()
    if unknown[0] == levels.index[0] and begins.tz_localize(None) > levels.index[0]:
        return "the benchmark begins after the run"
    return f"the benchmark has no level in the {FRESH.days} days before {unknown[0]:%Y-%m-%d}"


def checked_levels(benchmark: object) -> pd.Series[Any]:
    """Return levels in order of time, by date (no zone) or by UTC time, or say what is wrong with them."""
    if not isinstance(benchmark, pd.Series):
        raise DataError(
            f"the benchmark is of type {type(benchmark).__name__}: give a Series of levels by date or time, "
            "such as market.price['KWEB']"
        )
    index = benchmark.index
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(f"the benchmark is indexed by {index.dtype}: give levels by date or UTC time")
    if not pd.api.types.is_numeric_dtype(benchmark.dtype) or pd.api.types.is_bool_dtype(benchmark.dtype):
        raise DataError(f"the benchmark has values of type {benchmark.dtype}: give levels such as closes")
    if index.hasnans:
        raise DataError("the benchmark has a level without a date: drop the rows whose date is missing")
    values = benchmark.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise DataError("the benchmark has an infinite level: give finite levels, NaN where there is none")
    if (values <= 0).any():
        raise DataError("the benchmark has values at or below zero: give levels such as closes, not returns")
    dates = bool((index == index.normalize()).all())
    if index.tz is None and not dates:
        raise DataError("the benchmark has times without a zone: give session dates, or times in UTC")
    stamps = index.tz_localize(None) if dates else index.tz_convert("UTC")
    levels = pd.Series(values, index=stamps.as_unit("ns")).dropna().sort_index()
    if levels.empty:
        raise DataError("the benchmark has no level: give levels by date or UTC time")
    if levels.index.has_duplicates:
        twice = levels.index[levels.index.duplicated()][0]
        raise DataError(f"the benchmark has more than one level at {twice}: give one for each date or time")
    return levels
