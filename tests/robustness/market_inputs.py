"""Good inputs of the market side, small, and cases that are one of them with something wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from price_folders import closes, pair
from robustness.cases import Case

import entrepot as ep
from entrepot.errors import DataError, EntrepotError

DAYS = ("04", "05", "06", "07", "10", "11", "12", "13", "14")
GOOD = "Date,Close\n" + "".join(f"2022-01-{day},2{row}.5\n" for row, day in enumerate(DAYS))
"""A CSV file of one fund, KWEB, over nine sessions of January 2022."""


def put(folder: Path, content: str | bytes, file: str) -> Path:
    """Write a file, text as UTF-8 with its line breaks as they are."""
    path = folder / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def of_file(
    area: str,
    name: str,
    content: str | bytes,
    words: str,
    file: str = "KWEB.csv",
    load: Callable[[Path], Any] = lambda path: ep.load_market(path.parent),
) -> Case:
    """A file of some content, loaded by the folder it is in unless said otherwise."""
    return Case(area, name, lambda folder: load(put(folder, content, file)), DataError, words)


def of_files(area: str, rows: Sequence[tuple[str, str | bytes, str]], **how: Any) -> list[Case]:
    """Files of name, content and words."""
    return [of_file(area, name, content, words, **how) for name, content, words in rows]


def of_source(
    area: str,
    name: str,
    make: Callable[[], Any],
    words: str,
    error: type[EntrepotError] = DataError,
    **how: Any,
) -> Case:
    """What is given to `load_market` from memory."""
    return Case(area, name, lambda folder: ep.load_market(make(), **how), error, words)


def fund(**columns: Any) -> dict[str, pd.DataFrame]:
    """A fund in memory, over January 2022, with some columns given in place of its own."""
    return {"KWEB": closes("XNYS", "2022-01-04", "2022-01-31").drop(columns="Open").assign(**columns)}


def scaled(symbol: str, factor: float) -> dict[str, pd.DataFrame]:
    """The good pair with the prices of one file in another unit."""
    files = pair()
    for column in files[symbol].columns.intersection(["Open", "Close"]):
        files[symbol][column] *= factor
    return files
