"""Which sector each line belongs to, and since when.

The words are the registry's: a first level close to GICS (with telecom, education, insurance, airlines and
auto kept apart), a colon and a second level; several are separated by semicolons, the main one first. Dated
rows are those of the revision of GICS that took effect after the close of 2018-09-28 and made internet
companies communication services and online marketplaces consumer discretionary: announced ten months before
it, so that nothing more than its date need be known. The revision of 2023-03-17 (data processing to
financials, internet retail dissolved into broadline retail) moved no company of the map from one first level
to another. A row without dates is today's word, carried back.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, shown
from entrepot.files import open_plain
from entrepot.guarded import Guarded
from entrepot.markets.file_ends import refuse_unended
from entrepot.markets.market import Market
from entrepot.markets.sessions import naive_moment
from entrepot.markets.written_times import YEARS

COLUMNS: Final = ("symbol", "sector", "since", "until", "export_exposure", "source", "confidence", "notes")
REQUIRED: Final = COLUMNS[:2]
UNCLASSIFIED: Final = "unclassified"
EXPOSURES: Final = {"": 0, "0": 0, "1": 1, "+1": 1, "-1": -1}
DAY: Final = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False, repr=False)
class SectorMap(Guarded):
    """Sectors of lines by date. `load_sectors()` gives the one shipped with the package.

    Attributes:
        frame: one row per line and period, in order of time for each line: `symbol`, `sector`, `since` and
            `until` (first and last day, datetime64[ns]; NaT: open), `export_exposure` (+1 sells much of its
            product abroad, -1 sells at home what is bought every day or regulated, 0 neither), `source`,
            `confidence` and `notes`. The exposures are judgements about the business, made once for trades on
            tariffs and never fitted on returns.
    """

    frame: pd.DataFrame

    def __repr__(self) -> str:
        dated = self.frame["symbol"].duplicated().sum()
        return f"SectorMap({self.frame['symbol'].nunique()} lines, {dated} changes of sector)"

    def at(self, date: str | pd.Timestamp) -> pd.Series[str]:
        """Return the sector of every line on a date, indexed by symbol; lines without one are left out."""
        rows = self._on(date)
        return pd.Series(rows["sector"].to_numpy(), pd.Index(rows["symbol"]), name="sector")

    def exposure(self, symbols: Iterable[str], date: str | pd.Timestamp) -> pd.Series[float]:
        """Return the export exposure of symbols on a date: +1, -1 or 0; NaN where the map has no row."""
        rows = self._on(date)
        known = pd.Series(rows["export_exposure"].to_numpy(np.float64), pd.Index(rows["symbol"]))
        return known.reindex(pd.Index(list(symbols), name="symbol")).rename("export_exposure")

    def of(
        self, market: Market, steps: NDArray[np.intp] | None = None, overrule: bool = False
    ) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Return the sector of every line of a market at some of its steps, on the date of their session.

        Args:
            market: a line's sector is its `instruments` word where the map does not list it, or gives it
                another sector today: a word in the market that is not the registry's was given by hand.
            steps: positions on the grid, shape (S,); None: every step.
            overrule: let the map speak of every line it lists, whatever the market says.

        Returns:
            Codes, shape (S, N), and the sectors (first level of the main one) that they number; -1 where a
            line has no sector on that date.
        """
        session = pd.DatetimeIndex(market.grid["session"])
        return coded(
            self.history(market, overrule), market.symbols, session if steps is None else session[steps]
        )

    def history(self, market: Market, overrule: bool = False) -> pd.DataFrame:
        """Return the sectors that a market's lines had: `symbol`, `sector` (first level), `since`, `until`.

        Args:
            market: see `of`.
            overrule: see `of`.
        """
        words = market.instruments["sector"].astype(str)
        rows = self.frame.loc[self.frame["symbol"].isin(market.symbols), list(COLUMNS[:4])]
        if not overrule:
            today = rows.loc[rows["until"].isna()].set_index("symbol")["sector"]
            agreed = today.index[today == words.reindex(today.index)]
            rows = rows[rows["symbol"].isin(agreed)]
        others = pd.DataFrame({"symbol": [s for s in market.symbols if s not in set(rows["symbol"])]})
        others["sector"] = words.reindex(others["symbol"]).to_numpy()
        rows = pd.concat([rows, others], ignore_index=True)
        return rows.assign(sector=[first_level(word) for word in rows["sector"]])

    def _on(self, date: str | pd.Timestamp) -> pd.DataFrame:
        day = naive_moment(date)
        if day is None:
            raise ParameterError(f"{shown(date)} is no date: write it as '2018-09-28', without a time zone")
        since, until = _filled(self.frame)
        return self.frame[(since <= day.normalize()) & (until >= day.normalize())]


def first_level(words: str) -> str:
    """Return the first level of the main sector: "it" of "it:hardware;auto:ev"."""
    return words.split(";")[0].split(":")[0].strip()


def coded(
    history: pd.DataFrame, symbols: Sequence[str], sessions: pd.DatetimeIndex
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number the sectors of symbols on session dates.

    Args:
        history: `symbol`, `sector`, `since`, `until`; periods of a symbol in order of time.
        symbols: N, each with at least one row.
        sessions: S dates.

    Returns:
        Codes, shape (S, N), -1 where a symbol has no sector, and the sectors in the order in which the dates
        and then the symbols come to have them: neither a later end nor a later change reorders earlier ones.
    """
    place = {symbol: n for n, symbol in enumerate(symbols)}
    rows = history[history["symbol"].isin(place)]
    rows = rows.iloc[np.argsort([place[symbol] for symbol in rows["symbol"]], kind="stable")]
    names = list(dict.fromkeys(rows["sector"]))
    days = sessions.normalize()
    codes = np.full((len(days), len(place)), -1, dtype=np.int64)
    for symbol, sector, since, until in zip(rows["symbol"], rows["sector"], *_filled(rows), strict=True):
        codes[(days >= since) & (days <= until), place[symbol]] = names.index(sector)
    used, first = np.unique(codes, return_index=True)
    order = used[np.argsort(first)]
    order = order[order >= 0]
    renumbered = np.full(len(names) + 1, -1)  # the last one is that of no sector
    renumbered[order] = np.arange(len(order))
    return renumbered[codes], tuple(names[code] for code in order)


def _filled(rows: pd.DataFrame) -> tuple[pd.Series[pd.Timestamp], pd.Series[pd.Timestamp]]:
    """Return first and last days, open ends far away."""
    return rows["since"].fillna(pd.Timestamp.min), rows["until"].fillna(pd.Timestamp.max)


def load_sectors(path: str | Path | None = None) -> SectorMap:
    """Load the bundled map of sectors, or merge one of one's own into it.

    Args:
        path: a CSV file with at least the columns symbol and sector; since, until, export_exposure (blank:
            0), source, confidence and notes may be left out. The rows of a symbol replace all that the
            bundled map has of it.

    Raises:
        DataError: naming the row (as a spreadsheet numbers it, the header being row 1) and the symbol.
    """
    if path is None:
        return _bundled()
    if not isinstance(path, (str, PathLike)):
        raise ParameterError(f"path is {shown(path)}: give the path of a CSV file of sectors")
    own = _read(Path(path), Path(path).name)
    kept = _bundled().frame
    kept = kept[~kept["symbol"].isin(own["symbol"])]
    return SectorMap(pd.concat([kept, own], ignore_index=True))


@lru_cache(maxsize=1)
def _bundled() -> SectorMap:
    return SectorMap(_read(Path(str(files("entrepot.markets") / "data" / "sectors.csv")), "sectors.csv"))


def _read(path: Path, name: str) -> pd.DataFrame:
    """Read and check a file of sectors; periods of a line in order of time."""
    try:
        with open_plain(path, links=True) as file, warnings.catch_warnings():
            refuse_unended(file, shown(name))
            # Of rows with more cells than the header, pandas would take the first for their names.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                file, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False
            ).fillna("")  # the cells that a short row lacks
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{shown(name)} cannot be read ({error.strerror}): check the path") from None
    except (ValueError, pd.errors.ParserWarning):  # pandas' own errors are ValueErrors
        raise DataError(
            f"{shown(name)} cannot be read as a CSV file in UTF-8 with a header of as many names as cells"
        ) from None
    missing = [column for column in REQUIRED if column not in table]
    if missing:
        raise DataError(f"{name} has no column {', '.join(missing)}: it needs symbol and sector")
    table = table.reindex(columns=list(COLUMNS), fill_value="").apply(lambda cells: cells.str.strip())
    table.index = pd.RangeIndex(2, len(table) + 2)
    for row, symbol, sector in zip(table.index, table["symbol"], table["sector"], strict=True):
        if not symbol or not first_level(sector) or first_level(sector) == UNCLASSIFIED:
            raise DataError(
                f"{name} row {row} ({symbol}) lacks a symbol or a sector: fill both, and leave out a line "
                "that belongs to none"
            )
    table["since"], table["until"] = _days(table, "since", name), _days(table, "until", name)
    unknown = ~table["export_exposure"].isin(EXPOSURES)
    if unknown.any():
        row = table[unknown].iloc[0]
        raise DataError(
            f"{name} row {row.name} ({row['symbol']}) has export_exposure {shown(row['export_exposure'])}: "
            "give 1, 0 or -1"
        )
    table["export_exposure"] = table["export_exposure"].map(EXPOSURES).astype(np.int8)
    _check_periods(table, name)
    table["place"] = table.groupby("symbol", sort=False).ngroup()
    ordered: pd.DataFrame = table.sort_values(
        ["place", "since"], kind="stable", na_position="first", ignore_index=True
    ).drop(columns="place")
    return ordered


def _days(table: pd.DataFrame, column: str, name: str) -> pd.Series[pd.Timestamp]:
    days = pd.to_datetime(table[column], format="%Y-%m-%d", errors="coerce")
    wrong = ~days.dt.year.isin(YEARS) & table[column].ne("")
    if wrong.any():
        row = table[wrong].iloc[0]
        raise DataError(
            f"{name} row {row.name} ({row['symbol']}) has {column} {shown(row[column])}: write a date as "
            "2018-09-28, or leave it blank"
        )
    return days.dt.as_unit("ns")


def _check_periods(table: pd.DataFrame, name: str) -> None:
    """Refuse periods of one line that end before they begin, overlap, or leave days between them out."""
    for symbol, rows in table.groupby("symbol", sort=False):
        rows = rows.sort_values("since", kind="stable", na_position="first")
        for row, since, until in zip(rows.index, rows["since"], rows["until"], strict=True):
            if until < since:
                raise DataError(f"{name} row {row} ({symbol}) ends before it begins: swap since and until")
        before = rows["until"].iloc[:-1]
        for row, since, ended in zip(rows.index[1:], rows["since"].iloc[1:], before, strict=True):
            if since == ended + DAY:
                continue
            wrong = "leaves days out after" if since > ended + DAY else "overlaps with"
            raise DataError(
                f"{name} row {row} ({symbol}) {wrong} the period before it: let since be the day after the "
                "earlier row's until"
            )
