"""Tests of abnormal returns: whether the mean over securities and events is more than chance.

Each column of N is one security at one event date, ``A`` its abnormal return of a day or cumulated over a
window of w days, and ``Z = A / (s sqrt(C))`` the same in units of what it could miss by (see `abnormal`).

============  ==========================================================================  ====================
t             ``mean(A) / (sd(A) / sqrt N)``                                              t, N - 1
patell        ``sum Z / sqrt(sum d / (d - 2))``, d = L - k                                normal
patell_kp     patell ``/ sqrt(1 + (N - 1) r)``                                            normal
bmp           ``mean(Z) / (sd(Z) / sqrt N)``                                              t, N - 1
bmp_kp        bmp ``* sqrt((1 - r) / (1 + (N - 1) r))``                                   t, N - 1
rank          ``sum over days of sqrt(n_t) mean U_t / S / sqrt(w)``                       normal
grank         ranks of ``Z sqrt(1 - r) / sd(Z)`` among the estimation window's            t, L - 1
portfolio     ``sum of daily means / (sd of daily means before * sqrt w)``                t, days before - 1
sign          ``(positive - N p) / sqrt(N p (1 - p))``, p the share positive before       normal
clustered     mean over standard error between independent dates                          t, dates - 1
flip          exact, over the signs of the sums of independent dates                      only a p-value
============  ==========================================================================  ====================

``r`` is the mean correlation of two columns: that of their residuals where their windows lie on the same
days, in proportion to the days they share, 0 where they share none. Sources: Patell 1976 (Journal of
Accounting Research 14), Brown and Warner 1985 (Journal of Financial Economics, JFE, 14; portfolio), Corrado
1989 and Corrado and Zivney 1992 (JFE 23, Journal of Financial and Quantitative Analysis 27; rank), Boehmer,
Musumeci and Poulsen 1991 (JFE 30; bmp), Cowan 1992 (Review of Quantitative Finance and Accounting 2; sign),
Campbell and Wasley 1993 (JFE 33; rank over windows), Kolari and Pynnonen 2010 (Review of Financial Studies
23; r) and 2011 (Journal of Empirical Finance 18; grank).

t, patell, bmp and sign take columns for independent and reject far too often where the same date hits all
securities. patell_kp and bmp_kp allow for that within a date, portfolio, rank and grank by how the mean moved
before. Only clustered and flip ask how many independent dates there were.

Where windows of different dates overlap, the days of a mean are not independent of each other, and portfolio,
rank and grank are divided by how much that adds, ``sqrt((1 + (N - 1) r) / (1 + (N - 1) r_1))`` with ``r_1``
the ``r`` of one day; without overlaps they are the papers'. Columns of venues with different sessions stand
on different days row by row: what asks how they moved together, all of these and the two with ``r``, is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError
from entrepot.reports.abnormal import FLAT, Abnormal, Cumulated, Floats

STATISTICS = (
    "t", "patell", "patell_kp", "bmp", "bmp_kp", "rank", "grank", "portfolio", "sign", "clustered",
)  # fmt: skip
CONFIDENCE = 0.95
LEAST_DATES = 3  # for a band between dates; with fewer it comes from the estimation windows
EXACT_DATES = 14  # sign patterns are counted up to here and drawn beyond
DRAWS = 9_999
LEAST_SHARED = 3  # returns of two columns that make a correlation


@dataclass(frozen=True, eq=False)
class EventTests:
    """All tests of a sample of abnormal returns.

    Args:
        abnormal: N columns, each security once at each date.
        day: session number of the event date of each column, shape (N,): what tells dates apart and says
            which windows overlap.
        average: whether a window's figure is the mean of its days and not their sum, for levels instead of
            returns. Test statistics are the same.
        seed: of the sign patterns where they are drawn.
        together: whether a row stands for the same session in all columns of one date.
    """

    abnormal: Abnormal
    day: NDArray[np.int64]
    average: bool = False
    seed: int = 0
    together: bool = True

    def __post_init__(self) -> None:
        if self.day.shape != (self.abnormal.count,) or self.day.dtype.kind not in "iu":
            raise DataError(
                f"day has the shape {self.day.shape} and type {self.day.dtype}: give one session number for "
                f"each of the {self.abnormal.count} columns"
            )

    def over(self, first: int, stop: int) -> dict[str, float]:
        """Test the rows of the event window from ``first`` to before ``stop``.

        Returns:
            ``n`` columns with a value, ``dates`` they are of, ``independent``: dates whose windows do not
            overlap, chains of overlapping ones counted once; ``mean``, ``low`` and ``high``; each statistic,
            its p-value (two-sided) as ``p_...``, and ``p_flip``. NaN where not defined.
        """
        sums = self.abnormal.over(first, stop)
        there = np.isfinite(sums.value)
        z = sums.value / (self.abnormal.sigma * np.sqrt(sums.factor))
        n, r = int(np.isfinite(z).sum()), self.mean_correlation(stop - first)
        patell = patell_test(z, self.abnormal.degrees)
        bmp = cross_section(z)[0]
        value, groups = self._by_date(sums, stop - first)
        tests = {
            "t": cross_section(sums.value),
            "patell": (patell, np.inf),
            "patell_kp": (patell * shrink(r, n), np.inf),
            "bmp": (bmp, n - 1.0),
            "bmp_kp": (bmp * np.sqrt(1.0 - r) * shrink(r, n), n - 1.0),
            "rank": (self.rank_test(first, stop), np.inf),
            "grank": self.generalised_rank_test(z, stop - first),
            "portfolio": self.portfolio(first, stop)[:2],
            "sign": (sign_test(sums.value, self.abnormal.residual), np.inf),
            "clustered": between_dates(value, groups)[:2],
        }
        found = {
            "n": float(there.sum()),
            "dates": float(len(np.unique(self.day[there]))),
            **self.mean_over(first, stop),
        }
        for name in STATISTICS:
            statistic, degrees = tests[name]
            found |= {name: statistic, f"p_{name}": two_sided(statistic, degrees)}
        return found | {"p_flip": sign_flip(value, groups, self.seed)}

    def mean_over(self, first: int, stop: int) -> dict[str, float]:
        """Return the number of independent dates, the mean and its band over rows of the event window.

        The band holds 95 % (Student's t): of independent dates, or where there are fewer than three, of how
        the mean of all columns moved in the estimation windows.
        """
        value, groups = self._by_date(self.abnormal.over(first, stop), stop - first)
        mean = float(np.nanmean(value)) if np.isfinite(value).any() else np.nan
        count = len(np.unique(groups[np.isfinite(value)]))
        _, degrees, error = between_dates(value, groups)
        if count < LEAST_DATES:
            _, degrees, error = self.portfolio(first, stop)
            error /= stop - first if self.average else 1
        half = quantile(degrees) * error
        return {"independent": float(count), "mean": mean, "low": mean - half, "high": mean + half}

    def mean_correlation(self, sessions: int) -> float:
        """Return the mean correlation of two columns over windows of so many sessions; NaN of one column."""
        count = self._alive
        pairs = count * (count - 1)
        gaps = np.arange(len(self._shared))
        shared = np.clip(1.0 - gaps / sessions, 0.0, None)
        return float(self._shared @ shared) / pairs if pairs and self.together else np.nan

    def overlap(self, sessions: int) -> float:
        """Return how much more sums over so many sessions miss by than if windows shared no days; a factor.

        NaN where rows are not of the same sessions.
        """
        if not self.together:
            return np.nan
        if not self._shared[1:sessions].any():
            return 1.0
        one, all_ = (shrink(self.mean_correlation(days), self._alive) for days in (1, sessions))
        return one / all_

    def rank_test(self, first: int, stop: int) -> float:
        """Return Corrado's rank statistic in the form of Corrado and Zivney, summed over days.

        ``U = rank / (1 + n) - 1/2`` among the security's own n returns of both windows, and with n_t columns
        on day t, ``S^2 = mean over days of n_t (mean U_t)^2``. See this module for windows that overlap.
        """
        before = len(self.abnormal.residual)
        weighted = self._day_ranks
        deviation = np.sqrt(np.nanmean(weighted**2)) if np.isfinite(weighted).any() else np.nan
        days = weighted[before + first : before + stop]
        days = days[np.isfinite(days)]
        if not len(days) or not deviation > 0:
            return np.nan
        return float(days.sum() / deviation / np.sqrt(len(days))) / self.overlap(stop - first)

    def generalised_rank_test(self, z: Floats, sessions: int) -> tuple[float, float]:
        """Return Kolari and Pynnonen's GRANK-T over so many sessions and its degrees of freedom.

        The standardised (cumulated) abnormal returns ``z``, shape (N,), divided by their standard deviation
        over the columns, count as one more day beside the estimation window's, and are ranked among them.
        Columns that move together differ by less than each may move, by ``sqrt(1 - r)``: what the paper
        divides by is divided by that, as in bmp_kp. With ten columns it still rejects in 6 to 8 % of samples.
        """
        own, correlation = np.isfinite(z), self.mean_correlation(sessions)
        if own.sum() < 2 or not varies(z[own]) or not correlation < 1:
            return np.nan, np.nan
        deviation = np.std(z[own], ddof=1) / np.sqrt(1.0 - correlation)
        score, before, ranks = (z / deviation)[own], self._scores[:, own], self._score_ranks[:, own]
        there = np.isfinite(before)
        lower, equal = (before < score).astype(float), (before == score) * 0.5
        size = there.sum(axis=0) + 2.0
        ranked = np.where(there, (ranks + 1.0 - lower - equal) / size - 0.5, 0.0)
        event = float(((1.0 + lower.sum(axis=0) + equal.sum(axis=0)) / size - 0.5).mean())
        count = there.sum(axis=1)
        mean = ranked.sum(axis=1)[count > 0] / count[count > 0]
        days = len(mean) + 1
        squares = (count[count > 0] * mean**2).sum() / own.sum() + event**2
        ratio = event / np.sqrt(squares / days)
        left = days - 1 - ratio**2
        statistic = float(ratio * np.sqrt((days - 2) / left)) if left > 0 else np.nan
        return statistic / self.overlap(sessions), days - 2.0

    def _by_date(self, sums: Cumulated, length: int) -> tuple[Floats, NDArray[np.int64]]:
        """Return the figure of each column, and which independent date it belongs to."""
        return window_values(sums, self.average), independent_dates(self.day, length - 1)

    def portfolio(self, first: int, stop: int) -> tuple[float, float, float]:
        """Return Brown and Warner's statistic, its degrees of freedom and the standard error of the sum."""
        before, days = mean_by_day(self.abnormal.residual), mean_by_day(self.abnormal.value[first:stop])
        before, days = before[np.isfinite(before)], days[np.isfinite(days)]
        if len(before) < 2 or not len(days):
            return np.nan, np.nan, np.nan
        error = float(before.std(ddof=1)) * np.sqrt(len(days)) * self.overlap(stop - first)
        return float(days.sum()) / error if error > 0 else np.nan, len(before) - 1.0, error

    @cached_property
    def _day_ranks(self) -> Floats:
        """Square root of n_t times the mean rank of day t, over both windows, shape (L + W,)."""
        both = np.vstack([self.abnormal.residual, self.abnormal.value])
        ranks = ranked(both) / (1.0 + np.isfinite(both).sum(axis=0)) - 0.5
        weighted: Floats = np.sqrt(np.isfinite(both).sum(axis=1)) * mean_by_day(ranks)
        return weighted

    @cached_property
    def _alive(self) -> int:
        """How many columns have a standard deviation."""
        return int(np.isfinite(self.abnormal.sigma).sum())

    @cached_property
    def _scores(self) -> Floats:
        return self.abnormal.residual / self.abnormal.sigma

    @cached_property
    def _score_ranks(self) -> Floats:
        return ranked(self._scores)

    @cached_property
    def _shared(self) -> Floats:
        """Sum of the correlations of all ordered pairs of columns, by the sessions between their dates."""
        residual, reach = self.abnormal.residual, len(self.abnormal.value)
        sums = np.zeros(reach)
        alive = np.isfinite(self.abnormal.sigma)
        dates = np.unique(self.day[alive])
        columns = [np.flatnonzero((self.day == date) & alive) for date in dates]
        for i, date in enumerate(dates):
            for j in range(i, len(dates)):
                gap = int(dates[j] - date)
                if gap >= min(reach, len(residual)):
                    break
                early, late = residual[gap:, columns[i]], residual[: len(residual) - gap, columns[j]]
                sums[gap] += (1 if gap == 0 else 2) * sum_of_correlations(early, late, gap == 0)
        return sums


# -- the tests on plain arrays -------------------------------------------------------------------------------


def window_values(sums: Cumulated, average: bool) -> Floats:
    """Return the sum of each column over a window, or the mean of its days, shape (N,)."""
    return sums.value / sums.sessions if average else sums.value


def cross_section(values: Floats) -> tuple[float, float]:
    """Return ``mean / (sd / sqrt n)`` and n - 1; NaN is left out, and the result where nothing varies."""
    own = values[np.isfinite(values)]
    if len(own) < 2 or not varies(own):
        return np.nan, np.nan
    return float(own.mean() / own.std(ddof=1) * np.sqrt(len(own))), len(own) - 1.0


def patell_test(z: Floats, degrees: Floats) -> float:
    """Return Patell's Z of standardised abnormal returns, t distributed with so many degrees of freedom."""
    own = np.isfinite(z)
    if not own.any():
        return np.nan
    return float(z[own].sum() / np.sqrt((degrees[own] / (degrees[own] - 2.0)).sum()))


def shrink(correlation: float, count: int) -> float:
    """Return ``1 / sqrt(1 + (n - 1) r)``; NaN where correlations that do not belong together leave none."""
    inflation = 1.0 + (count - 1.0) * correlation
    return float(1.0 / np.sqrt(inflation)) if inflation > 0 else np.nan


def sign_test(values: Floats, residual: Floats) -> float:
    """Return Cowan's generalised sign statistic.

    Args:
        values: shape (N,), NaN left out.
        residual: of the estimation windows, shape (L, N): the share that is positive is expected.
    """
    own = np.isfinite(values)
    there = np.isfinite(residual[:, own]).sum(axis=0)
    if not (there > 0).any():
        return np.nan
    share = float(((residual[:, own] > 0).sum(axis=0)[there > 0] / there[there > 0]).mean())
    if not 0 < share < 1:
        return np.nan
    expected = own.sum() * share
    return float(((values[own] > 0).sum() - expected) / np.sqrt(expected * (1.0 - share)))


def independent_dates(day: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
    """Number the dates that are more than ``reach`` sessions from the one before; chains share a number."""
    dates, which = np.unique(day, return_inverse=True)
    number = np.cumsum(np.append(0, np.diff(dates) > reach)[: len(dates)])
    return np.asarray(number[which], dtype=np.int64)


def between_dates(values: Floats, groups: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return the mean over its standard error between groups, degrees of freedom, and that error.

    ``error^2 = G / (G - 1) * sum over groups of (sum - n_g mean)^2 / N^2``: where groups are of one size, the
    standard error of the mean of their means.
    """
    own = np.isfinite(values)
    sums, sizes = by_group(values[own], groups[own])
    count = len(sums)
    if count < 2:
        return np.nan, np.nan, np.nan
    mean = sums.sum() / sizes.sum()
    error = np.sqrt(count / (count - 1) * ((sums - sizes * mean) ** 2).sum()) / sizes.sum()
    if not varies(sums / sizes):
        return np.nan, count - 1.0, np.nan
    return float(mean / error), count - 1.0, float(error)


def sign_flip(values: Floats, groups: NDArray[np.int64], seed: int = 0) -> float:
    """Return the share of sign patterns of the groups' sums whose total is at least as far from zero.

    Exact under symmetry, whatever the distribution, with up to 14 groups; the smallest it can be is
    ``2 / 2**G``. With more groups 9,999 patterns are drawn, and the true one is one of them.
    """
    own = np.isfinite(values)
    sums, _ = by_group(values[own], groups[own])
    if not len(sums):
        return np.nan
    signs = sign_patterns(len(sums), seed)
    bar = abs(sums.sum()) - 1e-12 * np.abs(sums).sum()
    return float((np.abs(signs @ sums) >= bar).mean())


def sign_patterns(count: int, seed: int) -> Floats:
    """Return patterns of signs, one a row, the first all positive; a pattern and its opposite are one."""
    if count <= EXACT_DATES:
        number = np.arange(2 ** (count - 1))[:, None]
        return np.asarray(1.0 - 2.0 * (number >> np.arange(count) & 1), dtype=np.float64)
    return drawn_signs(1 << (count - 1).bit_length(), seed)[:, :count]


@lru_cache(maxsize=8)
def drawn_signs(count: int, seed: int) -> Floats:
    """Return 9,999 random patterns of signs below one that is all positive."""
    drawn = np.random.default_rng(seed).integers(0, 2, (DRAWS, count)) * 2.0 - 1.0
    return np.vstack([np.ones(count), drawn])


def by_group(values: Floats, groups: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the sum and the size of each group."""
    _, which = np.unique(groups, return_inverse=True)
    return np.bincount(which, values).astype(np.float64), np.bincount(which).astype(np.float64)


def sum_of_correlations(one: Floats, other: Floats, same: bool) -> float:
    """Sum the correlations of each column with each, over the rows that both have.

    Args:
        one: shape (L, A).
        other: shape (L, B).
        same: whether they are the same columns, whose correlations with themselves do not count.

    A pair with too few rows in common counts as the others do on average.
    """
    a, b = np.isfinite(one), np.isfinite(other)
    x, y = np.where(a, one, 0.0), np.where(b, other, 0.0)
    a, b = a.astype(np.float64), b.astype(np.float64)
    n, sx, sy = a.T @ b, x.T @ b, a.T @ y
    vx, vy = n * ((x * x).T @ b) - sx**2, n * (a.T @ (y * y)) - sy**2
    defined = (n >= LEAST_SHARED) & (vx > 0) & (vy > 0)
    if same:
        np.fill_diagonal(defined, False)
    if not defined.any():
        return 0.0
    found = (n * (x.T @ y) - sx * sy)[defined] / np.sqrt(vx[defined] * vy[defined])
    return float(found.mean()) * (n.size - (len(n) if same else 0))


def mean_by_day(values: Floats) -> Floats:
    """Return the mean of each row, NaN where there is none."""
    count = np.isfinite(values).sum(axis=1)
    mean: Floats = np.nansum(values, axis=1) / np.where(count, count, np.nan)
    return mean


def ranked(values: Floats) -> Floats:
    """Rank each column from 1 among its own numbers, ties sharing the mean of their ranks; NaN stays."""
    return pd.DataFrame(values).rank().to_numpy()


def varies(values: Floats) -> bool:
    """Whether values differ by more than rounding."""
    return bool(np.ptp(values) > FLAT * np.abs(values).max())


def two_sided(statistic: float, degrees: float) -> float:
    """Return the two-sided p-value of Student's t, or of the normal where there are infinite degrees."""
    from scipy import special

    tail = special.ndtr(-abs(statistic)) if np.isinf(degrees) else special.stdtr(degrees, -abs(statistic))
    return float(2.0 * tail)


def quantile(degrees: float) -> float:
    """Return how many standard errors the band reaches on either side."""
    from scipy import special

    return float(special.stdtrit(degrees, 0.5 + CONFIDENCE / 2))
