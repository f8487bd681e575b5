"""Reading the fact tables shipped with the package: sourced rows in, checked columns out."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pandas as pd

from entrepot.errors import DataError


def read_table(name: str, columns: str, key: str | None = None) -> pd.DataFrame:
    """One table of `markets/data`, every cell as text and an empty cell as "".

    Args:
        name: file name, such as "fees.csv".
        columns: the columns it must have, in order, separated by spaces.
        key: column that must be filled and unique, if any.

    Raises:
        DataError: the columns are others, or the key is not unique.
    """
    with files("entrepot.markets").joinpath("data", name).open(encoding="utf-8") as lines:
        table = pd.read_csv(lines, dtype=str, keep_default_na=False)
    wanted = columns.split()
    if list(table.columns) != wanted:
        raise DataError(f"{name} has the columns {list(table.columns)}; it must have {wanted}")
    if key is not None:
        unusable = table.loc[table[key].duplicated() | table[key].eq(""), key]
        if len(unusable):
            raise DataError(f"{name}: {key} must be filled and unique, but {unusable.iloc[0]!r} is not")
    return table


def dates(table: pd.DataFrame, column: str, name: str) -> pd.Series[pd.Timestamp]:
    """A column of ISO dates as naive datetime64[ns], NaT where the cell is empty."""
    return _parsed(table, column, name, "a date such as 2021-08-01", _date)


def numbers(table: pd.DataFrame, column: str, name: str) -> pd.Series[float]:
    """A column of numbers as float64, NaN where the cell is empty."""
    return _parsed(table, column, name, "a number", _number)


def _date(cells: pd.Series[str]) -> pd.Series[pd.Timestamp]:
    return pd.to_datetime(cells, format="%Y-%m-%d", errors="coerce").dt.as_unit("ns")


def _number(cells: pd.Series[str]) -> pd.Series[float]:
    return pd.to_numeric(cells, errors="coerce").astype("float64")


def _parsed(
    table: pd.DataFrame, column: str, name: str, kind: str, parse: Callable[[pd.Series[str]], pd.Series[Any]]
) -> pd.Series[Any]:
    parsed = parse(table[column].where(table[column].ne("")))
    wrong = parsed.isna() & table[column].ne("")
    if wrong.any():
        raise DataError(f"{name}: {column} is {table.loc[wrong, column].iloc[0]!r}, which is not {kind}")
    return parsed
