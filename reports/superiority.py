"""Whether the best of many configurations beats a benchmark, counting that it is the best of many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from entrepot.errors import DataError, ParameterError, is_number, is_whole, shown
from entrepot.memory import require_memory
from entrepot.reports.significance import returns_array, returns_table, rows_at_once, varying

FEWEST_SESSIONS = 20
FEWEST_DRAWS = 100
TIE = 1e-12  # a sample of all sessions in another order has their mean: what is above it is rounding
COLUMNS = 128  # configurations whose spectra are held at a time


@dataclass(frozen=True, eq=False)
class Superiority:
    """Whether any configuration beats the benchmark, and which do; see `superior_ability`.

    Attributes:
        p_lower: p-value where every configuration that did worse than the benchmark is taken to be as much
            worse as it was: too small.
        p_consistent: p-value where only those that did far worse are: the one to use.
        p_upper: p-value where all are taken to be as good as the benchmark, White's reality check: too large
            where many are poor.
        better: shape (k,), columns of the configurations found better than the benchmark, all of them so with
            the confidence, ascending.
        block: mean length of the blocks drawn, in sessions; NaN where nothing was drawn.
        draws: bootstrap samples.
    """

    p_lower: float
    p_consistent: float
    p_upper: float
    better: NDArray[np.int64]
    block: float
    draws: int


def superior_ability(
    models: ArrayLike,
    benchmark: ArrayLike | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
    block: float | None = None,
    confidence: float = 0.95,
    studentize: bool = True,
) -> Superiority:
    """Test whether the best of many configurations beats a benchmark, and find those that do.

    The null hypothesis is that none has a higher mean return than the benchmark. The statistic is the largest
    ``mean / omega`` of any configuration's returns less the benchmark's, omega being the root of their
    long-run variance. Its distribution is that of the stationary bootstrap (Politis and Romano 1994), the
    same sessions being drawn for all configurations: Hansen (2005), A Test for Superior Predictive Ability.
    Which ones are better is found by Romano and Wolf (2005), Stepwise Multiple Testing as Formalized Data
    Snooping, with Hansen's consistent centring: the probability of naming even one that is not is
    1 - confidence.

    The same seed and block draw the same sessions as `arch.bootstrap.SPA` and ``StepM`` do. P-values and sets
    are theirs for losses divided by omega, and with ``studentize=False`` for the losses as they are: their
    own ``studentize`` decides which configurations are far worse, and leaves the statistic as it is.

    Configurations whose difference to the benchmark does not vary, or that have a NaN, are left out and never
    better. A p-value of 0 is one below 1 / draws.

    Args:
        models: shape (n, C), returns (not losses) of C configurations on the same n sessions.
        benchmark: shape (n,), returns on the same sessions, finite; None: zero, which is cash where returns
            are over the policy rate.
        draws: bootstrap samples, 100 or more.
        seed: of these.
        block: mean length of blocks in sessions, from 1 to n; None: at least 1, Politis and White's choice
            (2004, corrected by Patton, Politis and White 2009) for the configuration with the highest mean
            difference over its standard deviation.
        confidence: of the set of better ones, between 0 and 1.
        studentize: divide each configuration's mean by omega, so that one that is only more volatile does not
            drown the others. Omega is estimated: with many unlike configurations, a short record and long
            blocks the test errs more often than it says (of 200 independent ones over 500 sessions without
            skill, 16 % were rejected at 5 % with blocks of 10, 7 % with the chosen ones, and 3 % undivided).

    Returns:
        The `Superiority`; p-values NaN and none better where there are fewer than 20 sessions or no
        configuration counts.

    Raises:
        DataError: on anything but tables of numbers, infinite ones, or a benchmark that does not fit.
        ParameterError: on other arguments outside what they may be.
    """
    check_sampling(draws, seed, confidence)
    if not isinstance(studentize, bool):
        raise ParameterError(f"studentize is {shown(studentize)}: give True or False")
    gains = differences(models, benchmark)
    sessions = len(gains)
    if block is not None and not (is_number(block) and 1.0 <= block <= sessions):
        raise ParameterError(
            f"block is {shown(block)}: give a number of sessions from 1 to their number, {sessions}, or None"
        )
    kept = np.flatnonzero(varying(gains))
    if sessions < FEWEST_SESSIONS or len(kept) == 0:
        return Superiority(np.nan, np.nan, np.nan, np.empty(0, dtype=np.int64), np.nan, int(draws))
    gains = gains[:, kept]
    length = best_block(gains) if block is None else float(block)
    mean = gains.mean(axis=0)
    gains -= mean
    omega = np.sqrt(long_run_variance(gains, length))
    if studentize:
        gains /= omega
        mean, omega = mean / omega, np.ones(len(kept))
    bound = -omega * np.sqrt(2.0 * np.log(np.log(sessions)) / sessions)
    lower, consistent, upper = np.minimum(mean, 0.0), np.where(mean < bound, mean, 0.0), np.zeros(len(kept))
    drawn = drawn_counts(sessions, length, int(draws), int(seed))
    peaks = largest(drawn, gains, np.array([lower, consistent, upper]))
    odds = (peaks > mean.max() + TIE * omega.max()).mean(axis=1)
    better = stepwise(drawn, gains, mean, consistent, peaks[1], confidence)
    return Superiority(
        p_lower=float(odds[0]),
        p_consistent=float(odds[1]),
        p_upper=float(odds[2]),
        better=kept[better],
        block=length,
        draws=int(draws),
    )


def differences(models: ArrayLike, benchmark: ArrayLike | None) -> NDArray[np.float64]:
    """Return what each configuration earned beyond the benchmark, shape (n, C)."""
    table = returns_table(models)
    if benchmark is None:
        return table
    if (
        isinstance(models, pd.DataFrame)
        and isinstance(benchmark, pd.Series)
        and not models.index.equals(benchmark.index)
    ):
        raise DataError("the benchmark has another index than the models: give it on the same sessions")
    base = returns_array(benchmark)
    if base.shape != (len(table),):
        raise DataError(
            f"the benchmark has shape {base.shape}: give a return for each of the {len(table)} sessions"
        )
    if np.isnan(base).any():
        raise DataError("some of the benchmark's returns are missing: give a return for each session")
    return np.asarray(table - base[:, None], dtype=np.float64)


def best_block(gains: NDArray[np.float64]) -> float:
    """Return the mean length of blocks, at least 1, that suits the best configuration."""
    from arch.bootstrap import optimal_block_length

    best = int(np.argmax(gains.mean(axis=0) / gains.std(axis=0)))
    return float(np.nanmax([1.0, *optimal_block_length(gains[:, best])["stationary"]]))


def long_run_variance(centred: NDArray[np.float64], block: float) -> NDArray[np.float64]:
    """Return n times the variance that the mean of each column has under the stationary bootstrap.

    ``g(0) + 2 * sum_i k(i) * g(i)``, g being autocovariances (over n) and, with p = 1 / block,
    ``k(i) = (1 - i / n) * (1 - p) ** i + (i / n) * (1 - p) ** (n - i)``: Politis and Romano (1994).

    Args:
        centred: shape (n, C), returns less their column's mean.
        block: mean length of blocks.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    n, count = centred.shape
    lag = np.arange(n)
    stay = 1.0 - 1.0 / block
    weight = 2.0 * ((1.0 - lag / n) * stay**lag + lag / n * stay ** (n - lag))
    weight[0] = 1.0
    padded = next_fast_len(2 * n, real=True)  # zeros enough to keep the ends of a series apart
    out = np.empty(count)
    for start in range(0, count, COLUMNS):
        spectrum = rfft(centred[:, start : start + COLUMNS].T, padded)
        covariance = irfft(np.abs(spectrum) ** 2, padded)[:, :n] / n
        out[start : start + COLUMNS] = covariance @ weight
    return out


def drawn_counts(sessions: int, block: float, draws: int, seed: int) -> NDArray[np.int32]:
    """Return how often each session is in each bootstrap sample, shape (draws, sessions)."""
    from arch.bootstrap import StationaryBootstrap

    require_memory(
        20.0 * sessions * draws, f"{draws:,} bootstrap samples of {sessions:,} sessions", "give fewer draws"
    )
    samples = StationaryBootstrap(block, np.arange(sessions), seed=seed).bootstrap(draws)
    return np.array([np.bincount(index, minlength=sessions) for (index,), _ in samples], dtype=np.int32)


def largest(
    drawn: NDArray[np.int32], gains: NDArray[np.float64], shifts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the largest mean over configurations in each bootstrap sample.

    Args:
        drawn: shape (draws, n), how often each session is in a sample.
        gains: shape (n, C), centred.
        shifts: shape (s, C), added to the means; -inf where a configuration does not count.

    Returns:
        Shape (s, draws).
    """
    draws, sessions = drawn.shape
    out = np.empty((len(shifts), draws))
    step = rows_at_once(gains.shape[1])
    for start in range(0, draws, step):
        means = drawn[start : start + step].astype(np.float64) @ gains / sessions
        for row, shift in zip(out, shifts, strict=True):
            row[start : start + step] = (means + shift).max(axis=1)
    return out


def stepwise(
    drawn: NDArray[np.int32],
    gains: NDArray[np.float64],
    mean: NDArray[np.float64],
    shift: NDArray[np.float64],
    peaks: NDArray[np.float64],
    confidence: float,
) -> NDArray[np.int64]:
    """Return the configurations found better, step by step, each step without those found before.

    Args:
        drawn: see `largest`.
        gains: see `largest`.
        mean: shape (C,), what is compared.
        shift: shape (C,), see `largest`.
        peaks: shape (draws,), the first step's.
        confidence: of all of them together.
    """
    better = np.zeros(len(mean), dtype=bool)
    while True:
        found = ~better & (mean > np.quantile(peaks, confidence))
        better |= found
        if better.all() or not found.any():
            return np.flatnonzero(better)
        peaks = largest(drawn, gains, np.where(better, -np.inf, shift)[None])[0]


def check_sampling(draws: int, seed: int, confidence: float) -> None:
    """Refuse a bootstrap's parameters where they are none."""
    if not (is_number(confidence) and 0.0 < confidence < 1.0):
        raise ParameterError(f"confidence is {shown(confidence)}: give a fraction such as 0.95")
    if not (is_whole(draws) and draws >= FEWEST_DRAWS):
        raise ParameterError(f"draws is {shown(draws)}: give a whole number of at least {FEWEST_DRAWS}")
    if not (is_whole(seed) and seed >= 0):
        raise ParameterError(f"seed is {shown(seed)}: give a whole number, 0 or more")
