"""Tariff levels: the additional duty in force at each step, series by series and added up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_listed
from entrepot.guarded import Guarded
from entrepot.markets.own_rows import cell_text, csv_rows
from entrepot.regimes.arguments import kind, short, with_given
from entrepot.regimes.events import grid_time
from entrepot.regimes.intensity import nanoseconds

BUNDLED_LEVELS: Final = Path(__file__).parent / "data" / "tariff_levels.csv"
COLUMNS: Final = (
    "series",
    "effective_from",
    "effective_to",
    "rate_pct",
    "scope",
    "source_ref",
    "confidence",
    "notes",
)
NEEDED: Final = ("series", "effective_from", "rate_pct", "scope", "source_ref")
AGGREGATES: Final = ("us", "us_headline")
IMPORTS_2017: Final = 505.6
"""US general imports from China in 2017, billions of US dollars (US International Trade Commission, Shifts in
U.S. Merchandise Trade 2017, China): the last full year before the duties, known when they began."""

_AMOUNT = re.compile(r"(?:about )?US\$(\d+(?:\.\d+)?)bn")


class TariffLevels(Guarded):
    """Dated rates of additional duty between the US and China; made by `load_tariff_levels` or from a table.

    A rate is in force from 00:00 in New York on effective_from to the end of effective_to there, or until
    further notice where that is blank. A row whose effective_from is blank is not in force: it was reported
    and not imposed.

    Args:
        frame: one row per rate. series ("us_..." are duties of the US); effective_from, effective_to (dates,
            both inclusive, blank as above); rate_pct (percent of the goods' value); scope ("US$34bn" or
            "about US$120bn" for a list of goods worth that much a year, anything else for all goods);
            source_ref; confidence and notes, blank where missing.

    Raises:
        ParameterError: when `frame` is no table.
        DataError: when a column is missing, or naming the first row that cannot be used.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        if not isinstance(frame, pd.DataFrame):
            raise ParameterError(f"frame is {kind(frame)}: give a table such as load_tariff_levels().frame")
        _check_header(list(frame.columns), "the table of tariff levels")
        try:
            cells = frame.reset_index(drop=True).map(_text).astype("str")
        except UnicodeEncodeError:
            raise DataError("the table of tariff levels holds half a character; correct that text") from None
        self._rows = _checked(cells, [f"tariff levels row {row}" for row in range(len(cells))])

    @classmethod
    def _of(cls, rows: pd.DataFrame) -> TariffLevels:
        """Levels of rows that have been checked."""
        levels = cls.__new__(cls)
        levels._rows = rows
        return levels

    @property
    def frame(self) -> pd.DataFrame:
        """The table, a copy; dates as datetime64[ns], rate_pct as float64, the rest as text."""
        return self._rows.copy(deep=False)  # pandas copies what is then written to

    @property
    def series(self) -> tuple[str, ...]:
        """Names of the series, in the order of the table."""
        return tuple(dict.fromkeys(self._rows["series"]))

    def __repr__(self) -> str:
        return f"TariffLevels({len(self._rows)} rates in {len(self.series)} series)"

    def level(
        self, grid: pd.DataFrame | pd.DatetimeIndex, series: str | Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Rate in force at each step, in percent; what is announced for later days plays no part.

        Two names add the duties of the US up, those of every series that begins with "us_":

        * "us" is the average rate over all imports from China: a rate on all goods counts in full, one on
          a list of goods with the list's part of the imports of 2017, `IMPORTS_2017`.
        * "us_headline" is the rate on the goods that are hit hardest: the rates on all goods plus the
          highest rate on a list, since no goods are on two lists.

        Both are rates written into law, not duties collected. They leave out what is not in the table
        (ordinary duties, anti-dumping, steel and other sector duties, increases on single products, and
        exemptions such as that of electronics in April 2025), and so does every series.

        Args:
            grid: steps, with a `time` column (UTC, ascending), such as `market.grid`, or the times alone.
            series: which series or sums, or the name of one; every series of the table when None.

        Returns:
            (n_steps, n_series) frame indexed by grid time, columns the names; 0 where nothing is in force,
            finite, without NaN. The last rates are carried past the end of the table.
        """
        time = grid_time(grid)
        names = _names(series, self.series)
        known = (*self.series, *AGGREGATES)
        unknown = [name for name in names if not isinstance(name, str) or name not in known]
        if unknown:
            raise ParameterError(
                f"unknown series {short(', '.join(map(str, unknown)))}; use some of {', '.join(known)}"
            )
        spans = self._spans(time)
        columns = {}
        for name in names:
            own = name in self.series
            columns[name] = self._series(name, spans, len(time)) if own else self._sum(name, spans, len(time))
        values = np.column_stack(list(columns.values()))
        return pd.DataFrame(values, index=time, columns=pd.Index(list(columns), name="series"))

    def _spans(self, time: pd.DatetimeIndex) -> list[slice]:
        """Steps at which each row is in force."""
        step = nanoseconds(time)
        last_day = self._rows["effective_to"]
        ends = _midnight(last_day + pd.Timedelta(days=1))
        first = np.searchsorted(step, _midnight(self._rows["effective_from"]), side="left")
        end = np.where(last_day.isna(), len(step), np.searchsorted(step, ends, side="left"))
        in_force = self._rows["effective_from"].notna()
        return [slice(a, b if holds else a) for a, b, holds in zip(first, end, in_force, strict=True)]

    def _series(self, name: str, spans: list[slice], steps: int) -> NDArray[np.float64]:
        out = np.zeros(steps)
        for row in np.flatnonzero(self._rows["series"] == name):
            out[spans[row]] = self._rows["rate_pct"].iloc[row]
        return out

    def _sum(self, name: str, spans: list[slice], steps: int) -> NDArray[np.float64]:
        """Average rate over all imports, or the rate on the goods that are hit hardest."""
        total = np.zeros(steps)
        highest = np.zeros(steps)
        for row in np.flatnonzero(self._rows["series"].str.startswith("us_")):
            on, rate = spans[row], self._rows["rate_pct"].iloc[row]
            amount = listed_goods(self._rows["scope"].iloc[row])
            if amount is None:
                total[on] += rate
            elif name == "us":
                total[on] += rate * (amount / IMPORTS_2017)
            else:
                highest[on] = np.maximum(highest[on], rate)
        return total + highest


def load_tariff_levels(path: str | Path | None = None) -> TariffLevels:
    """Load the bundled table of additional duties between the US and China, 2018 to 2026, or one's own.

    The table was compiled in November 2026 from sources up to about 10 October 2026, so it tells which rates
    turned out to be in force; a rate carried beyond that day is unknown, not unchanged.

    Args:
        path: a CSV file with the columns series, effective_from, rate_pct, scope, source_ref, and
            effective_to, confidence and notes where there are any; it takes the place of the bundled table.

    Raises:
        DataError: naming row and series, for a row without source, a date or rate that cannot be read, a
            rate that is negative, an end before its start, or two rates of a series on one day.
    """
    if path is None:
        path = BUNDLED_LEVELS
    header, rows = read_cells(path, "a file of tariff levels")
    where = short(Path(path).name)
    _check_header(header, where)
    cells = pd.DataFrame([row for _, row in rows], columns=pd.Index(header, dtype="str"), dtype="str")
    return TariffLevels._of(_checked(cells, [f"{where} row {number}" for number, _ in rows]))


def listed_goods(scope: str) -> float | None:
    """Billions of US dollars that a scope names, such as "about US$120bn"; None where it is all goods."""
    match = _AMOUNT.fullmatch(scope)
    return float(match[1]) if match else None


def read_cells(path: str | Path, what: str) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Header and rows of a CSV file as text without outer blanks; empty lines are left out.

    Args:
        path: of the file.
        what: what it should be, for messages, such as "a file of tariff levels".

    Returns:
        The names in the header, and each row by name, with its number as a spreadsheet counts (the header
        being row 1); cells that are not there are "".

    Raises:
        DataError: for what is no CSV file in UTF-8 or may have been cut short, a column named twice, or a row
            longer than the header.
    """
    if not isinstance(path, (str, PathLike)):
        raise ParameterError(f"path is {kind(path)}: give the path of {what}")
    name = short(Path(path).name)
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError):  # a NUL in the path is a ValueError
        text = " ".join(str(path).split())
        text = text if len(text) <= 60 else f"...{text[-57:]}"
        raise DataError(f"{text!r} cannot be read as {what}; give the path of a CSV file") from None
    header, lines = csv_rows(name, content)
    named = [column for column in header if column]
    if len(set(named)) != len(named):
        raise DataError(f"{name} names a column twice; give each column a name of its own")
    rows = []
    for number, line in enumerate(lines, start=2):
        if any(line[len(header) :]):
            raise DataError(
                f"{name} row {number}: {len(line)} cells under a header of {len(header)}; put a text that "
                "contains a comma between double quotes"
            )
        if any(line):
            cells = dict(zip(header, line, strict=False))
            rows.append((number, {column: cells.get(column, "") for column in named}))
    return named, rows


def _names(series: str | Sequence[str] | None, every: tuple[str, ...]) -> list[str]:
    if series is None:
        return list(every)
    if isinstance(series, str):
        return [series]
    names = list(series) if is_listed(series) else []
    if not names:
        raise ParameterError(
            f"series is {kind(series)}: give one or more of {', '.join((*every, *AGGREGATES))}"
        )
    return names


def _check_header(header: Sequence[str], where: str) -> None:
    missing = [name for name in NEEDED if name not in header]
    if missing or len(set(header)) != len(header):
        said = f"has no column {', '.join(missing)}" if missing else "names a column twice"
        raise DataError(f"{where} {said}; give each of {', '.join(NEEDED)} once")


def _checked(cells: pd.DataFrame, where: Sequence[str]) -> pd.DataFrame:
    """Return rows of text as a table with dates and rates, or refuse the first that cannot be used."""
    table = cells.copy()
    for name in COLUMNS:
        if name not in table:
            table[name] = ""
    first, last = (iso_dates(table[name]) for name in ("effective_from", "effective_to"))
    rate = pd.to_numeric(table["rate_pct"], errors="coerce")
    amount = table["scope"].map(listed_goods)
    for bad, said in (
        (table["series"] == "", "series is blank; name the duty, such as us_301_list1"),
        (table["series"].isin(AGGREGATES), f"series may not be {' or '.join(AGGREGATES)}, which are sums"),
        (first.isna() & (table["effective_from"] != ""), "effective_from must be a date such as 2025-04-09"),
        (
            last.isna() & (table["effective_to"] != ""),
            "effective_to must be a date such as 2025-04-09, or blank",
        ),
        (first.isna() & last.notna(), "effective_to is given without effective_from; give both or none"),
        (last < first, "effective_to is before effective_from; give the last day on which the rate held"),
        (~rate.between(0, 1000), "rate_pct must be a number of percent from 0 to 1000"),
        (table["scope"].str.contains("$", regex=False) & amount.isna(), "scope must name goods as US$34bn"),
        (amount > IMPORTS_2017, f"scope exceeds all imports from China, US${IMPORTS_2017}bn"),
        (table["source_ref"] == "", "source_ref is blank; a rate needs a source, say where it is written"),
        (_overlaps(table["series"], first, last), "the series has another rate on some of the same days"),
    ):
        if bad.any():
            row = int(bad.to_numpy().argmax())
            said = with_given(said, table.iloc[row])
            raise DataError(f"{where[row]} ({short(table['series'].iloc[row]) or 'no series'}): {said}")
    table = table.assign(effective_from=first, effective_to=last, rate_pct=rate.astype("float64"))
    return table[[*COLUMNS, *(name for name in cells.columns if name not in COLUMNS)]]


def _overlaps(series: pd.Series, first: pd.Series, last: pd.Series) -> pd.Series:
    """Which rows begin while an earlier rate of their series is still in force."""
    rows = pd.DataFrame({"series": series, "first": first, "last": last.fillna(pd.Timestamp("2200-01-01"))})
    rows = rows[first.notna()].sort_values(["series", "first"], kind="stable")
    before = rows.groupby("series")["last"].shift()
    return (rows["first"] <= before).reindex(series.index, fill_value=False)


def iso_dates(cells: pd.Series) -> pd.Series:
    """ISO dates from 1900 to 2199 as naive datetime64[ns], NaT for anything else."""
    plausible = cells.where(cells.str.fullmatch(r"(?:19|20|21)\d\d-\d\d-\d\d"))
    return pd.to_datetime(plausible, format="%Y-%m-%d", errors="coerce").dt.as_unit("ns")


def _midnight(days: pd.Series) -> NDArray[np.int64]:
    """Start of each day in New York as UTC nanoseconds; the smallest integer where there is none."""
    return nanoseconds(pd.DatetimeIndex(days).tz_localize("America/New_York"))


def _text(cell: Any) -> str:
    """A cell of a table as a file would hold it."""
    if isinstance(cell, pd.Timestamp):
        return f"{cell:%Y-%m-%d}" if cell == cell.normalize() else str(cell)
    return cell_text(cell)
