"""News indices made by others, such as geopolitical risk, as they could have been known at each step.

They are for comparison and robustness, not for signals: a file is one revised vintage, counted and normalised
again after the fact, so that a lag makes the date honest and not the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError, is_whole
from entrepot.regimes.arguments import kind, short
from entrepot.regimes.events import grid_time
from entrepot.regimes.tariff_levels import iso_dates, read_cells

NEW_YORK: Final = "America/New_York"
SHORTEST_LAG: Final = {"daily": 7, "monthly": 10}
"""Days after its date before which no value counts as published: the monthly file lands about the 10th of the
following month, and a daily file that is renewed weekly has each day within a week."""
CYCLE: Final = {"daily": 7, "monthly": 31}
"""Days from one publication to the next, the default lag."""


@dataclass(frozen=True, eq=False)
class NewsIndex:
    """One column of an index file; made by `load_news_index`.

    Attributes:
        name: of the column.
        frequency: "daily" or "monthly".
        lag: days from the end of a date until its value counts as known.
        frame: one row per value: date (datetime64[ns], the day or the last day of the month), value
            (float64, no NaN), known_at (datetime64[ns, UTC]), all ascending.
    """

    name: str
    frequency: str
    lag: int
    frame: pd.DataFrame

    def __repr__(self) -> str:
        first, last = self.frame["date"].iloc[0], self.frame["date"].iloc[-1]
        return (
            f"NewsIndex({self.name}: {len(self.frame)} {self.frequency} values from {first:%Y-%m-%d} to "
            f"{last:%Y-%m-%d}, known {self.lag} days later)"
        )

    def at(self, grid: pd.DataFrame | pd.DatetimeIndex) -> pd.Series[float]:
        """Newest value known at each step, never interpolated.

        Args:
            grid: steps, with a `time` column (UTC, ascending), such as `market.grid`, or the times alone.

        Returns:
            Indexed by grid time; NaN before the first value is known, and from one publication after the next
            was due: a file that has ended tells nothing about what came later.
        """
        time = grid_time(grid)
        known_at = pd.DatetimeIndex(self.frame["known_at"])
        newest = known_at.searchsorted(time, side="right") - 1
        fresh_for = pd.Timedelta(days=2 * CYCLE[self.frequency])
        fresh = (newest >= 0) & (time < known_at[newest] + fresh_for)
        values = np.where(fresh, self.frame["value"].to_numpy(np.float64)[newest], np.nan)
        return pd.Series(values, index=time, name=self.name)


def load_news_index(path: str | Path, column: str | None = None, lag: int | None = None) -> NewsIndex:
    """Load one column of a daily or monthly index, such as those of geopolitical risk or policy uncertainty.

    The file has a column `date` and one or more of numbers; empty cells are missing. It is monthly when every
    date is the last day of a month, else daily. In a monthly file 0 is missing as well: no month is without a
    single article, and the file of GPR, TPU and EPU writes so where EPU does not reach. A value is known
    at 23:59:59 in New York `lag` days after its date.

    D. Caldara, M. Iacoviello, American Economic Review 112 (2022), 1194-1225 (GPR, daily and monthly);
    D. Caldara, M. Iacoviello, P. Molligo, A. Prestipino, A. Raffo, Journal of Monetary Economics 109 (2020),
    38-59 (TPU); S. Baker, N. Bloom, S. Davis, Quarterly Journal of Economics 131 (2016), 1593-1636 (EPU).

    Args:
        path: a CSV file, such as one with date,GPRD,GPRD_ACT,GPRD_THREAT or date,gpr,tpu,epu.
        column: which column; may be left out where there is only one.
        lag: days until a value is known, at least 7 for daily and 10 for monthly ones. One publication cycle
            when None: 7 days, or 31, so that January's value is used from early March on.

    Raises:
        DataError: naming the row, for dates that cannot be read, do not ascend or lie a month apart without
            being month ends, values that are no finite number or negative, and a column that is not there.
        ParameterError: for a lag shorter than any publication.
    """
    header, rows = read_cells(path, "a file of a news index")
    name = short(Path(path).name)
    column = _column(header, column, name)
    numbers = [number for number, _ in rows]
    text = pd.DataFrame([row for _, row in rows], columns=pd.Index(header, dtype="str"), dtype="str")
    day = iso_dates(text["date"])
    value = pd.to_numeric(text[column], errors="coerce").astype("float64")
    gap = day.diff()
    month_apart = len(day) > 1 and gap.min() >= pd.Timedelta(days=27)
    for bad, said in (
        (day.isna(), "date must be a day such as 2024-01-31"),
        (
            gap <= pd.Timedelta(0),
            "date must come after that of the row before; sort the file, keep one of each",
        ),
        (
            ~day.dt.is_month_end & month_apart,
            "the dates lie a month apart and this is no month's end; date a month by its last day, or it "
            "counts as known before it is over",
        ),
        (
            (text[column] != "") & ~value.between(0, np.finfo(np.float64).max),
            f"{short(column)} must be a finite number of at least 0, or blank where it is missing",
        ),
    ):
        if bad.any():
            raise DataError(f"{name} row {numbers[int(bad.to_numpy().argmax())]}: {said}")
    frequency = "monthly" if day.dt.is_month_end.all() else "daily"
    days = _lag(lag, frequency)
    missing = value.isna() | ((value == 0) & (frequency == "monthly"))
    if missing.all():
        raise DataError(f"{name} has no value in {short(column)}; give a file with dates and numbers")
    dated = pd.DatetimeIndex(day[~missing])
    known_at = dated + pd.Timedelta(days=days + 1) - pd.Timedelta(seconds=1)
    frame = pd.DataFrame(
        {
            "date": dated,
            "value": value[~missing].to_numpy(),
            "known_at": known_at.tz_localize(NEW_YORK).tz_convert("UTC"),
        }
    )
    return NewsIndex(column, frequency, days, frame)


def compare_with_intensity(index: NewsIndex, intensity: pd.DataFrame | pd.Series) -> pd.DataFrame:
    """Rank correlation of monthly means of an index and of event intensity, in the months that have both.

    A description of the past: the index is taken at its own dates, not when it was known. Both series move
    slowly, so their levels correlate more easily than the number of months suggests; the correlation of the
    changes from month to month is the harder test. No p-value is given: months are not independent, and the
    intensity rests on few events.

    Args:
        index: from `load_news_index`.
        intensity: from `Events.intensity`, or one of its columns; indexed by moments with a time zone.

    Returns:
        One row per column of the intensity: `levels` and `changes` (Spearman's rank correlation, NaN where
        one side is constant or fewer than three months can be compared), `months` (in both).

    Raises:
        ParameterError: for what is no such index or intensity.
        DataError: when there is no month in common.
    """
    table = intensity.to_frame() if isinstance(intensity, pd.Series) else intensity
    if not isinstance(index, NewsIndex) or not isinstance(table, pd.DataFrame):
        raise ParameterError(
            f"compare_with_intensity was given {kind(index)} and {kind(intensity)}: give "
            "load_news_index(path), then events.intensity(market.grid)"
        )
    if not isinstance(table.index, pd.DatetimeIndex) or table.index.tz is None:
        raise ParameterError(
            "the intensity must be indexed by moments with a time zone: give Events.intensity"
        )
    # In UTC every step of either venue has the date of its session: 01:30 to 08:10 and 13:30 to 21:00.
    ours = table.groupby(_month(table.index.tz_convert("UTC"))).mean()
    theirs = index.frame["value"].groupby(_month(pd.DatetimeIndex(index.frame["date"]))).mean()
    months = ours.index.intersection(theirs.index)
    if months.empty:
        raise DataError(f"{index.name} and the intensity have no month in common: choose a longer grid")
    ours, theirs = ours.loc[months], theirs.loc[months]
    columns = [ours.iloc[:, i] for i in range(ours.shape[1])]
    return pd.DataFrame(
        {
            "levels": [_rank_correlation(column, theirs) for column in columns],
            "changes": [_rank_correlation(_changes(column), _changes(theirs)) for column in columns],
            "months": len(months),
        },
        index=table.columns,
    )


def _column(header: list[str], column: str | None, name: str) -> str:
    if "date" not in header or len(header) < 2:
        raise DataError(
            f"{name} needs a column date and one of numbers; its columns are "
            f"{short(', '.join(header)) or 'none'}"
        )
    others = [other for other in header if other != "date"]
    if column is None and len(others) == 1:
        return others[0]
    if not isinstance(column, str) or column not in others:
        raise DataError(f"column is {kind(column)}, which {name} has not: choose one of {', '.join(others)}")
    return column


def _lag(lag: int | None, frequency: str) -> int:
    if lag is None:
        return CYCLE[frequency]
    least = SHORTEST_LAG[frequency]
    if not (is_whole(lag) and least <= lag <= 3660):
        raise ParameterError(
            f"lag is {kind(lag)}: give whole days, at least {least} for a {frequency} index, because nothing "
            "is published sooner"
        )
    return int(lag)


def _month(days: pd.DatetimeIndex) -> pd.PeriodIndex:
    return days.tz_localize(None).to_period("M")


def _changes(monthly: pd.Series) -> pd.Series:
    """Change from the month before, without the months that follow a gap."""
    steps = pd.PeriodIndex(monthly.index)
    return monthly.diff()[1:][(steps[1:] - 1) == steps[:-1]]


def _rank_correlation(one: pd.Series, other: pd.Series) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN where it is not defined."""
    ranks = [values.rank().to_numpy(np.float64) for values in (one, other)]
    if len(ranks[0]) < 3 or any(np.ptp(rank) == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
