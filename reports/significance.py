"""How far a Sharpe ratio is from luck: its odds, the record it needs, and how many trials it survives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from entrepot.errors import DataError, ParameterError, is_number, is_whole, shown
from entrepot.reports.metrics import SESSIONS_PER_YEAR

NORMAL = NormalDist()
SPREAD = 1e-14  # a standard deviation that is no more than rounding
MOST_TRIALS = 1e15  # more than anybody tries


@dataclass(frozen=True)
class Moments:
    """What the odds of a Sharpe ratio depend on, per period.

    Attributes:
        n: number of returns.
        sharpe: mean excess return over its standard deviation (ddof 1), not annualised.
        skew: third central moment over the cube of the standard deviation, both with ddof 0.
        kurtosis: fourth central moment over the square of the variance, both with ddof 0; raw: 3 if normal.

    Skew and kurtosis are the sample's own moments, without a small-sample correction: the standard error of
    the ratio is derived for them, and with them it is never the root of a negative number, because
    ``kurtosis >= 1 + skew ** 2`` holds in every sample.
    """

    n: int
    sharpe: float
    skew: float
    kurtosis: float

    def __post_init__(self) -> None:
        if not (is_whole(self.n) and self.n >= 0):
            raise ParameterError(f"n is {shown(self.n)}: give the number of returns")
        for name in ("sharpe", "skew", "kurtosis"):
            value = getattr(self, name)
            if not is_number(value) or math.isinf(value):
                raise ParameterError(f"{name} is {shown(value)}: give a finite number, or NaN if unknown")

    @classmethod
    def of(cls, excess: ArrayLike) -> Moments:
        """Measure excess returns.

        Args:
            excess: shape (n,), returns over the policy rate, one a period, finite.

        Returns:
            Moments; NaN where one is not defined: the ratio of fewer than 2 returns, the skew of fewer than
            3, the kurtosis of fewer than 4, and all of them where returns do not vary.

        Raises:
            DataError: on anything but one-dimensional finite numbers.
        """
        returns = returns_array(excess)
        if returns.ndim != 1:
            raise DataError(
                f"the returns have {returns.ndim} dimensions: give one return a period, as in frame['column']"
            )
        if np.isnan(returns).any():
            raise DataError("some returns are missing: give finite returns, as after Series.dropna()")
        n = len(returns)
        if n < 2 or not varying(returns[:, None])[0]:
            return cls(n, np.nan, np.nan, np.nan)
        from scipy.stats import kurtosis, skew

        return cls(
            n,
            float(returns.mean() / returns.std(ddof=1)),
            float(skew(returns)) if n > 2 else np.nan,
            float(kurtosis(returns, fisher=False)) if n > 3 else np.nan,
        )

    @property
    def dispersion(self) -> float:
        """Standard error of the ratio times ``sqrt(n - 1)``; NaN where it is not defined.

        ``sqrt(1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe ** 2)``: Mertens (2002), as in Bailey and Lopez
        de Prado (2012).
        """
        square = 1.0 - self.skew * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2
        return math.sqrt(square) if square > 0.0 else np.nan


def sharpe_odds(
    returns: ArrayLike,
    benchmark: float = 0.0,
    periods_per_year: float = SESSIONS_PER_YEAR,
    confidence: float = 0.95,
) -> pd.Series[Any]:
    """Tell how sure a record makes its Sharpe ratio.

    Args:
        returns: shape (n,), returns over the policy rate, one a period, finite; a Series' index is not used
            but to refuse a period that is there twice.
        benchmark: the annual Sharpe ratio to exceed.
        periods_per_year: of the returns: 252 sessions, 12 months.
        confidence: of the minimum track record, above 0.5 and below 1.

    Returns:
        By name; NaN where not defined (see `Moments`):

        * Sharpe Ratio: annual, ``sqrt(periods_per_year)`` times the ratio of a period.
        * Probabilistic Sharpe: probability that the true ratio exceeds the benchmark, see
          `probabilistic_sharpe`.
        * Minimum Track Record [years]: of this ratio, for that probability to reach the confidence; see
          `minimum_track_record`.
        * Skew, Kurtosis: of a period's returns; kurtosis is raw, 3 if normal.
        * Observations: number of returns.

    Raises:
        DataError: on returns that are not finite numbers in one dimension, or none, or of one period twice.
        ParameterError: on a benchmark, a number of periods or a confidence that is none.
    """
    if not (is_number(periods_per_year) and 0.0 < periods_per_year < math.inf):
        raise ParameterError(
            f"periods_per_year is {shown(periods_per_year)}: give a positive number, such as 252 or 12"
        )
    periods_per_year = float(periods_per_year)  # in 32 bits the quotient below would be, too
    if isinstance(returns, pd.Series) and returns.index.has_duplicates:
        twice: Any = returns.index[returns.index.duplicated()][0]
        raise DataError(f"the returns have more than one of {twice}: give one return a period")
    own = Moments.of(returns)
    if own.n == 0:
        raise DataError("the returns are empty: give at least two")
    year = math.sqrt(periods_per_year)
    aim = checked_benchmark(benchmark) / year
    return pd.Series(
        {
            "Sharpe Ratio": own.sharpe * year,
            "Probabilistic Sharpe": probabilistic_sharpe(own, aim),
            "Minimum Track Record [years]": minimum_track_record(own, aim, confidence) / periods_per_year,
            "Skew": own.skew,
            "Kurtosis": own.kurtosis,
            "Observations": float(own.n),
        },
        name="sharpe odds",
    )


def probabilistic_sharpe(own: Moments, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio exceeds a benchmark.

    ``Phi((sharpe - benchmark) * sqrt(n - 1) / dispersion)``: Bailey and Lopez de Prado (2012), The Sharpe
    Ratio Efficient Frontier. It takes returns of different periods to be independent.

    Args:
        own: of the record.
        benchmark: a Sharpe ratio per period, as `own` has it.

    Returns:
        Between 0 and 1; NaN where `own` has a NaN.

    Raises:
        ParameterError: on a benchmark that is no finite number, or moments of another type.
    """
    return probability_below(deviations(own, checked_benchmark(benchmark)))


def luckiest_sharpe(variance: float, trials: float) -> float:
    """Return the Sharpe ratio that the luckiest of several trials without skill is expected to show.

    ``sqrt(variance) * ((1 - g) * z(1 - 1 / N) + g * z(1 - 1 / (N * e)))``, g being Euler's constant and z the
    normal quantile: Bailey and Lopez de Prado (2014), The Deflated Sharpe Ratio. It approximates the expected
    maximum of N independent normal ratios; below N = 1.28 it would be negative, which no expected maximum of
    trials around zero is, and 0 is returned.

    Args:
        variance: of the trials' Sharpe ratios, per period.
        trials: number of independent ones, from 1 to 10 ** 15, may be fractional.

    Returns:
        A Sharpe ratio per period, 0 or more; 0 for one trial; NaN where an argument is NaN.

    Raises:
        ParameterError: on a variance below 0, fewer trials than 1 or more than 10 ** 15, or a
            variance that is infinite.
    """
    if not (is_number(variance) and not (variance < 0.0 or math.isinf(variance))):
        raise ParameterError(
            f"variance is {shown(variance)}: give that of the trials' Sharpe ratios, 0 or more"
        )
    if not (is_number(trials) and not (trials < 1.0 or trials > MOST_TRIALS)):
        raise ParameterError(
            f"trials is {shown(trials)}: give the number of trials, 1 or more, no more than 1e15"
        )
    if math.isnan(variance) or math.isnan(trials):
        return np.nan
    if trials == 1.0:
        return 0.0
    # The quantile of a small share keeps its digits where that of one less it does not.
    luck = (1.0 - np.euler_gamma) * NORMAL.inv_cdf(1.0 / trials)
    luck += np.euler_gamma * NORMAL.inv_cdf(1.0 / (trials * math.e))
    return math.sqrt(variance) * max(0.0, -luck)


def deflated_sharpe(own: Moments, variance: float, trials: float) -> float:
    """Return the probability that the true Sharpe ratio exceeds what luck alone shows in so many trials.

    `probabilistic_sharpe` against `luckiest_sharpe`: Bailey and Lopez de Prado (2014).

    Args:
        own: of the chosen trial.
        variance: of the trials' Sharpe ratios, per period.
        trials: number of independent ones, 1 or more, may be fractional; see `independent_trials`.

    Returns:
        Between 0 and 1; NaN where `own` or an argument has a NaN.

    Raises:
        ParameterError: as `luckiest_sharpe` does, or on moments of another type.
    """
    return probability_below(deviations(own, luckiest_sharpe(variance, trials)))


def minimum_track_record(own: Moments, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Return the number of returns after which a ratio such as this would be above the benchmark for sure.

    ``1 + (dispersion * z / (sharpe - benchmark)) ** 2``: the length at which `probabilistic_sharpe` reaches
    the confidence, were the moments to stay. Bailey and Lopez de Prado (2012).

    Args:
        own: of the record; its length does not matter.
        benchmark: a Sharpe ratio per period, as `own` has it.
        confidence: above 0.5 and below 1.

    Returns:
        Observations, not rounded; NaN where the ratio does not exceed the benchmark or is not defined.

    Raises:
        ParameterError: on a benchmark or a confidence that is none, or moments of another type.
    """
    aim, quantile = checked_benchmark(benchmark), confidence_quantile(confidence)
    above = checked_moments(own).sharpe - aim
    return float(1.0 + (own.dispersion * quantile / above) ** 2) if above > 0.0 else np.nan


def most_trials(own: Moments, variance: float, confidence: float = 0.95) -> float:
    """Return the number of independent trials at which the deflated ratio falls to a confidence.

    Args:
        own: of the chosen trial.
        variance: of the trials' Sharpe ratios, per period.
        confidence: above 0.5 and below 1.

    Returns:
        Trials, fractional: `deflated_sharpe` is above the confidence for fewer, below it for more. 1 where it
        is not above it even for one trial. NaN where `own` or the variance has a NaN, and where no number up
        to 10 ** 15 makes it fall so far, as where the variance is 0.

    Raises:
        ParameterError: as `luckiest_sharpe` does, on a confidence that is none, or moments of another type.
    """
    spare = deviations(own, 0.0) - confidence_quantile(confidence)
    highest = luckiest_sharpe(variance, MOST_TRIALS)
    if math.isnan(spare) or math.isnan(highest):
        return np.nan
    if spare <= 0.0:
        return 1.0
    bar = spare * own.dispersion / math.sqrt(own.n - 1)
    if highest < bar:
        return np.nan
    from scipy.optimize import brentq

    def beyond(log_trials: float) -> float:
        return luckiest_sharpe(variance, math.exp(log_trials)) - bar

    return math.exp(brentq(beyond, 0.0, math.log(MOST_TRIALS), xtol=1e-13))


def independent_trials(excess: ArrayLike) -> float:
    """Return the number of independent trials that correlated ones amount to.

    ``rho + (1 - rho) * C``, rho being the average correlation of two of the C trials: Bailey and Lopez de
    Prado (2014). The average is found from the variance of the sum of standardised returns, which is
    ``C + C * (C - 1) * rho``, without any correlation by itself.

    It measures how alike the trials' returns are, whatever the order they were tried in. Estimates from the
    sequence of the trials' Sharpe ratios, such as purgedcv's ``effective_n_trials``, measure how much each
    trial was led by the one before, and depend on that order.

    Args:
        excess: shape (n, C), the trials' returns by period. Those that do not vary or have a NaN are left
            out.

    Returns:
        Between 1 and the number of trials that count (average correlations below zero make no more of them);
        NaN where none does.

    Raises:
        DataError: on anything but a table of numbers, or on infinite ones.
    """
    table = returns_table(excess)
    table = table[:, varying(table)]
    count = table.shape[1]
    if count < 2:
        return 1.0 if count else np.nan
    total = (table - table.mean(axis=0)) @ (1.0 / table.std(axis=0))
    rho = (float(total @ total) / len(table) - count) / (count * (count - 1))
    return float(np.clip(rho + (1.0 - rho) * count, 1.0, count))


def returns_array(returns: ArrayLike) -> NDArray[np.float64]:
    """Return numbers as an array of floats, NaN kept; refuse what is not numbers, and infinite ones."""
    if np.ma.isMaskedArray(returns):
        raise DataError("the returns are a masked array: fill it, returns.filled(numpy.nan)")
    try:
        array = np.asarray(returns)
    except (TypeError, ValueError):
        raise DataError(f"the returns are {shown(returns)}: give an array of numbers") from None
    if array.size and array.dtype.kind not in "fiu":
        raise DataError(f"the returns are of type {array.dtype}: give numbers, as after astype(float)")
    array = array.astype(np.float64, copy=False)
    if np.isinf(array).any():
        raise DataError("some returns are infinite: give finite ones; equity that fell to zero leaves none")
    return array


def returns_table(returns: ArrayLike) -> NDArray[np.float64]:
    """Return a table of returns, shape (n, C), as `returns_array` does; refuse other dimensions."""
    table = returns_array(returns)
    if table.ndim != 2:
        raise DataError(
            f"the returns have {table.ndim} dimension{'s' * (table.ndim != 1)}: "
            "give a table with a row for each period and a column for each configuration"
        )
    return table


def varying(table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which columns of a table have returns that vary beyond rounding, and no NaN."""
    if len(table) < 2:
        return np.zeros(table.shape[1], dtype=bool)
    spread = table.std(axis=0, ddof=1)
    return np.asarray(spread > SPREAD * np.maximum(1.0, np.abs(table.mean(axis=0))), dtype=np.bool_)


def rows_at_once(columns: int) -> int:
    """Return how many rows of a table this wide to work on at a time, to stay in a processor's cache."""
    return max(1, (1 << 18) // columns)


def deviations(own: Moments, benchmark: float) -> float:
    """Return by how many standard errors a Sharpe ratio exceeds a benchmark, NaN of fewer than 2 returns."""
    length = math.sqrt(own.n - 1) if checked_moments(own).n > 1 else np.nan
    return (own.sharpe - benchmark) * length / own.dispersion


def probability_below(deviation: float) -> float:
    """Return the normal distribution function; `NormalDist.cdf` has no digits left far below zero."""
    return 0.5 * math.erfc(-deviation / math.sqrt(2.0))


def checked_moments(own: Moments) -> Moments:
    """Return moments, refuse anything else."""
    if not isinstance(own, Moments):
        raise ParameterError(f"the moments are {shown(own)}: give Moments.of(returns)")
    return own


def checked_benchmark(benchmark: float) -> float:
    """Return a Sharpe ratio to exceed, refuse what is none."""
    if not (is_number(benchmark) and math.isfinite(benchmark)):
        raise ParameterError(f"benchmark is {shown(benchmark)}: give a Sharpe ratio, such as 0.0")
    return float(benchmark)


def confidence_quantile(confidence: float) -> float:
    """Return the normal quantile of a confidence above a half."""
    if not (is_number(confidence) and 0.5 < confidence < 1.0):
        raise ParameterError(
            f"confidence is {shown(confidence)}: give a fraction above 0.5 and below 1, such as 0.95"
        )
    return NORMAL.inv_cdf(confidence)
