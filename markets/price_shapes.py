"""The shapes in which tables of prices come, each taken apart into one symbol's rows after the other."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError, shown
from entrepot.markets.price_tables import (
    AMOUNTS,
    FIELDS,
    UNNAMED,
    read_moments,
    refuse_repeated,
    refuse_unreadable,
    spell,
    spell_symbol,
    tidy_columns,
    with_date_column,
)

if TYPE_CHECKING:
    from os import PathLike
    from typing import TypeAlias

    import vectorbt as vbt

    Table: TypeAlias = "pd.DataFrame | PolarsFrame"
    PriceSource: TypeAlias = "str | PathLike[str] | Table | Mapping[str, Table | pd.Series[float]] | vbt.Data"

CLOSES: Final = frozenset({"close", "adj close"})
YFINANCE_LEVELS: Final = frozenset({"price", "symbol"})  # Price and Ticker, as it names them
OF_YFINANCE: Final = ("Ticker", "Date")  # names of columns and index of one of its fields
UNSAID: Final = (
    ", as they were traded; yfinance adjusts them for dividends unless given auto_adjust=False: "
    "say adjusted='total_return' where it did"
)
YFINANCE_FIELDS: Final = frozenset({"open", "high", "low", "close", "volume"})
KINDS: Final = (
    "it reads a folder, the path of a CSV or Parquet file, or a DataFrame, a dict of DataFrames by symbol or "
    "by field, or vectorbt's Data"
)


class PolarsFrame(Protocol):
    """What a type checker is told of a polars DataFrame: where polars is not installed it knows of none."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows."""

    def to_pandas(self) -> pd.DataFrame:
        """Return the same as a table of pandas."""


class Rows(NamedTuple):
    """One symbol's rows as their source has them, with tidy columns: `date` and the fields.

    ``yahoo`` where the source is known to come from yfinance.
    """

    symbol: str
    origin: str
    frame: pd.DataFrame
    yahoo: bool = False


class Named(NamedTuple):
    """A table and the name under which it came: of a symbol or of a field."""

    name: str
    origin: str
    frame: pd.DataFrame


def take_apart(source: object, notes: list[str]) -> tuple[list[Rows], str]:
    """Return the rows of every symbol of a source in memory, and what the source is called.

    Args:
        source: a DataFrame of pandas or polars, a mapping of them by symbol or by field, or vectorbt's Data.
        notes: a sentence is added for each thing that had to be assumed.

    Raises:
        DataError: on a table whose shape is none of those known, or two at a time.
        ParameterError: on a source of any other kind.
    """
    if isinstance(source, Mapping):
        name = "a mapping in memory"
        return list(split_named(named_tables(source, name, notes), name)), name
    if is_from("vectorbt.data.base", "Data", source):
        name = "the data of vectorbt"
        yahoo = is_from("vectorbt.data.custom", "YFData", source)
        rows = []
        for row in split_named(named_tables(source.data, name, notes), name):  # type: ignore[attr-defined]
            frame = row.frame.set_axis(told_apart(row.frame.columns), axis=1) if yahoo else row.frame
            rows.append(row._replace(frame=without_blanks(frame), yahoo=yahoo))
        return rows, name
    name, table = "a table in memory", in_pandas(source, "")
    if isinstance(table, pd.Series):
        raise ParameterError(f"load_market was given one Series: {KINDS}")
    return list(split_table(table, name, notes)), name


def named_tables(given: Mapping[Any, object], name: str, notes: list[str]) -> list[Named]:
    """Return the tables of a mapping, each a table of pandas under the name of a symbol or of a field."""
    if not given:
        raise DataError(f"{name} is empty: give at least one symbol and its prices")
    named = []
    for key, value in given.items():
        if not isinstance(key, str):
            raise ParameterError(
                f"load_market was given a dict with the key {shown(key)}: its keys are symbols such as "
                "'9988.HK', or fields such as 'close'"
            )
        table = in_pandas(value, f" in a dict under {shown(key)}")
        origin = f"{name} [{key}]"
        if isinstance(table, pd.Series):
            if spell(key) in FIELDS:
                raise ParameterError(
                    f"load_market was given a Series under {shown(key)}: a field has a DataFrame with one "
                    "column per symbol"
                )
            notes.append(f"{origin} is a Series: read as closes.")
            table = table.to_frame("close")
        named.append(Named(key, origin, table))
    return named


def in_pandas(value: object, where: str) -> pd.DataFrame | pd.Series[Any]:
    """Return a table of pandas or polars as one of pandas, or say in a sentence what it is."""
    if is_from("polars", "LazyFrame", value):
        raise ParameterError(f"load_market was given a LazyFrame of polars{where}: collect() it first")
    if is_from("polars", "DataFrame", value) or is_from("polars", "Series", value):
        value = value.to_pandas()  # type: ignore[attr-defined]
    if not isinstance(value, pd.DataFrame | pd.Series):
        raise ParameterError(f"load_market was given {type(value).__name__}{where}: {KINDS}")
    # Labels of several levels that have one are tuples of one, which nobody means.
    if isinstance(value.index, pd.MultiIndex) and value.index.nlevels == 1:
        value = value.set_axis(value.index.get_level_values(0))
    columns = value.columns if isinstance(value, pd.DataFrame) else None
    if isinstance(columns, pd.MultiIndex) and columns.nlevels == 1:
        value = value.set_axis(columns.get_level_values(0), axis=1)
    return value


def is_from(module: str, name: str, value: object) -> bool:
    """Whether a value is of a class of a library, which nobody can have one of without having imported it."""
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))


def split_table(frame: pd.DataFrame, name: str, notes: list[str]) -> Iterator[Rows]:
    """Take a single table apart: two header levels, long with a symbol column, or wide with closes."""
    if frame.columns.nlevels > 1:
        yield from split_two_levels(frame, name)
        fields = {spell(label) for pair in frame.columns for label in pair}
        if is_yfinances(frame) and "adj close" not in fields and not fields >= YFINANCE_FIELDS:
            notes.append(f"{name} is read as closes{UNSAID}.")
        return
    if frame.index.nlevels > 1:
        heads = [str(head) for head in (*frame.index.names, *frame.columns) if head is not None]
        twice = sorted({head for head in heads if heads.count(head) > 1})
        if twice:
            raise DataError(f"{name} has {shown(twice)} twice among its index and columns: keep one of each")
        frame = frame.reset_index()
    spelt = {spell(column) for column in frame.columns}
    if "symbol" in spelt:
        yield from split_long(frame, name)
    elif spelt & CLOSES or spelt <= {*FIELDS, "date"}:
        raise DataError(
            f"{name} has no symbol column: a single table needs symbol, Date and Close, or Date and one "
            "column of closes per symbol (one symbol's table is given in a dict, its file in a folder)"
        )
    else:
        yahoo = (frame.columns.name, frame.index.name) == OF_YFINANCE
        for rows in split_wide({"close": with_date_column(frame)}, name):
            yield rows._replace(yahoo=yahoo)
        notes.append(f"{name} has one column per symbol: read as closes{UNSAID if yahoo else ''}.")


def split_long(frame: pd.DataFrame, name: str) -> Iterator[Rows]:
    """Take a table with a symbol column apart."""
    frame = tidy_fields(frame)
    refuse_repeated(frame, name)
    if frame.empty:
        raise DataError(f"{name} has no rows: give it at least one price")
    if frame["symbol"].isna().any():
        raise DataError(f"{name} has rows without a symbol: fill or delete them")
    for symbol, rows in frame.groupby("symbol", sort=True):
        yield Rows(str(symbol), f"{name} [{symbol}]", without_blanks(rows))


def split_two_levels(frame: pd.DataFrame, name: str) -> Iterator[Rows]:
    """Take a table with two levels of columns apart, fields above symbols or symbols above fields."""
    if frame.columns.nlevels > 2:
        raise DataError(f"{name} has {frame.columns.nlevels} levels of columns: give two, field and symbol")
    dated = [spell(" ".join(map(str, pair))) for pair in frame.columns]
    index: pd.Index[Any] | pd.Series[Any] = frame.index
    if "date" in dated:
        index = frame.iloc[:, dated.index("date")]
        frame = frame.drop(columns=frame.columns[dated.index("date")])
    levels = [[str(label).strip() for label in frame.columns.get_level_values(level)] for level in (0, 1)]
    priced = [level for level in (0, 1) if CLOSES & {spell(label) for label in levels[level]}]
    if len(priced) != 1:
        raise DataError(
            f"{name} has two levels of columns and {'both hold' if priced else 'neither holds'} Close or Adj "
            "Close: one level names the fields, the other the symbols; correct or delete one of the rows"
        )
    fields, symbols = levels[priced[0]], np.array(levels[1 - priced[0]])
    yahoo = is_yfinances(frame)
    fields = told_apart(fields) if yahoo else fields
    # Its rates have opens too: one without opens among others with some was joined to them.
    yahoo = yahoo and not {"open", "adj open"} & {spell(field) for field in fields}
    for symbol in dict.fromkeys(symbols.tolist()):
        mine = np.flatnonzero(symbols == symbol)
        rows = frame.iloc[:, mine].set_axis([spell(fields[column]) for column in mine], axis=1)
        refuse_repeated(rows, f"{name} [{symbol}]")
        rows = rows.set_axis(pd.Index(index, name="date"), axis=0).reset_index()
        yield Rows(symbol, f"{name} [{symbol}]", without_blanks(rows), yahoo)


def is_yfinances(frame: pd.DataFrame) -> bool:
    """Whether the two levels of a table's columns have the names that yfinance gives them."""
    return {spell(name) for name in frame.columns.names} == YFINANCE_LEVELS


def tidy_fields(frame: pd.DataFrame) -> pd.DataFrame:
    """Tidy the columns of a table, with those of yfinance told apart that keep the name of their level."""
    tidy = tidy_columns(frame)
    return tidy.set_axis(told_apart(tidy.columns), axis=1) if spell(frame.columns.name) == "price" else tidy


def told_apart(fields: Iterable[str]) -> list[str]:
    """Return the fields of a table of yfinance with its opens and closes named for what they are.

    By default it adjusts opens and closes for dividends and calls them Open and Close all the same; that
    there is no Adj Close beside them is all that tells. Dividends paid on such closes would count twice.
    """
    named = list(fields)
    spelt = {spell(field) for field in named}
    unsaid = spelt >= YFINANCE_FIELDS and "adj close" not in spelt
    return [
        f"adj {spell(field)}" if unsaid and spell(field) in ("open", "close") else field for field in named
    ]


def split_named(named: Sequence[Named], name: str) -> Iterator[Rows]:
    """Take tables apart that are named by symbol, or all by field."""
    by_field = [table for table in named if is_of_a_field(table)]
    by_symbol = [table for table in named if not is_of_a_field(table)]
    if by_field and by_symbol:
        raise DataError(
            f"{name} holds {by_field[0].origin}, with a column per symbol, and {by_symbol[0].origin}, of one "
            "symbol: give tables of one kind"
        )
    if by_field:
        fields: dict[str, pd.DataFrame] = {}
        for table in by_field:
            if spell(table.name) in fields:
                raise DataError(f"{name} holds {spell(table.name)} twice: keep one of them")
            fields[spell(table.name)] = with_date_column(table.frame)
        yield from split_wide(fields, name)
    for table in by_symbol:
        yield one_symbol(table)


def is_of_a_field(table: Named) -> bool:
    """Whether a table has one column per symbol and the name of a field; LOW and OPEN may be symbols."""
    if spell(table.name) not in FIELDS or table.frame.columns.nlevels > 1:
        return False
    return not {spell(column) for column in table.frame.columns} & {*CLOSES, "symbol"}


def one_symbol(table: Named) -> Rows:
    """Return the rows of a table that is named by its symbol, which its own columns may repeat."""
    if table.frame.columns.nlevels > 1:
        inside = list(split_two_levels(table.frame, table.origin))
        held, several, frame, yahoo = inside[0].symbol, len(inside) > 1, inside[0].frame, inside[0].yahoo
        if not several and spell_symbol(held) != spell_symbol(table.name):
            raise DataError(
                f"{table.origin} holds {shown(held)}: name it {shown(held)}, or correct its header"
            )
    else:
        frame, yahoo = tidy_fields(table.frame), False
        several = "symbol" in frame.columns and frame.columns.is_unique and len(frame["symbol"].unique()) > 1
    if several:
        raise DataError(
            f"{table.origin} holds several symbols: load it by its own path, or split it by symbol"
        )
    return Rows(table.name, table.origin, frame, yahoo)


def split_wide(fields: Mapping[str, pd.DataFrame], name: str) -> Iterator[Rows]:
    """Take tables with one column per symbol apart, one table per field, and put the fields side by side.

    Args:
        fields: by the spelling of `spell`, with a column `date`.
        name: of them all.
    """
    fields = {
        field: frame.rename(columns=lambda column: str(column).strip()) for field, frame in fields.items()
    }
    for field, frame in fields.items():
        refuse_repeated(frame, f"{field} of {name}")
        if "date" not in frame:
            raise DataError(
                f"{field} of {name} lacks the column Date: a table with a column per symbol has Date or an "
                "index of dates"
            )
    moments = {field: dates_of(frame["date"], f"{field} of {name}") for field, frame in fields.items()}
    if len({stamps.tz is None for stamps in moments.values()}) > 1:
        zoned = next(field for field, stamps in moments.items() if stamps.tz is not None)
        plain = next(field for field, stamps in moments.items() if stamps.tz is None)
        raise DataError(
            f"{zoned} of {name} has stamps with a time zone and {plain} has none: give both alike"
        )
    columns: dict[str, dict[str, pd.Series[Any]]] = {}
    for field, frame in fields.items():
        index = moments[field]
        if index.has_duplicates:
            raise DataError(
                f"{field} of {name} has {index[index.duplicated()][0]} twice: keep one row per date"
            )
        if not index.is_monotonic_increasing:
            raise DataError(f"{field} of {name} is out of order: sort its rows by date, oldest first")
        for column in frame.columns.drop("date"):
            if spell(column) in UNNAMED:  # the row numbers that pandas writes beside a table
                continue
            columns.setdefault(column, {})[field] = frame[column].set_axis(index)
    for symbol, parts in columns.items():
        rows = pd.concat(parts, axis=1, sort=True).reset_index()
        yield Rows(symbol, f"{name} [{symbol}]", without_blanks(rows))


def dates_of(column: pd.Series[Any], origin: str) -> pd.DatetimeIndex:
    """Read the dates of a table of several symbols, see `read_moments`; refuse one that cannot be read."""
    if column.isna().any():
        raise DataError(f"{origin} has a row without a date: fill or delete it")
    moments = read_moments(column)
    refuse_unreadable(moments, column, origin)
    return moments.rename("date")


def without_blanks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows and columns in which a table of several symbols says something of one.

    It has a column for every field of any symbol, and where it is wide a row for every date of any. What a
    symbol has not is blank; an amount may be 0 instead.
    """
    prices = frame.columns.intersection(["open", "high", "low", "close", "adj open", "adj close"])
    amounts = frame.columns.intersection([*AMOUNTS])
    silent = frame[prices].isna().all(axis=1)
    silent &= (frame[amounts].isna() | (frame[amounts] == 0)).all(axis=1)
    return frame if silent.all() else frame[~silent].dropna(axis=1, how="all")
