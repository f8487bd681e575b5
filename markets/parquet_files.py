"""Parquet files, which anybody may have written, as tables."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

import pandas as pd

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
FEW: Final = 10_000_000  # cells that any machine holds
DENSEST: Final = 100  # cells in a byte of a file; prices take bytes for a cell


def read_parquet(file: BinaryIO) -> pd.DataFrame:
    """Read a Parquet file as pandas wrote or would have written it.

    Raises:
        ValueError: for anything else, with the reason on one line.
        OSError: where the system refuses to read it; what is in it may be whole.
    """
    return _followed(file, pd.read_parquet)


def read_arrow(file: BinaryIO) -> pa.Table:
    """Read a Parquet file as it is, whatever it says of pandas.

    Raises:
        ValueError: where it cannot be read, with the reason on one line.
        OSError: where the system refuses to read it; what is in it may be whole.
    """
    from pyarrow import parquet

    return _followed(file, parquet.read_table)


def _followed(file: BinaryIO, read: Callable[[BinaryIO], T]) -> T:
    """Read a file whose own words on types, names and zones are followed, whatever is raised on the way."""
    try:
        _refuse_bomb(file)
        return read(file)
    except Exception as error:  # of every kind there is: types, keys, zones, recursion, memory, syntax
        if isinstance(error, OSError) and error.errno is not None:  # the system's; pyarrow's own have none
            raise
        said = [line for line in str(error).splitlines() if line.strip()]
        raise ValueError(said[0] if said else type(error).__name__) from error


def _refuse_bomb(file: BinaryIO) -> None:
    """Refuse a small file that would fill the memory: one value repeated takes no room in it."""
    from pyarrow import parquet

    told = parquet.ParquetFile(file).metadata
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    cells = told.num_rows * told.num_columns
    if cells > max(FEW, DENSEST * size):
        raise ValueError(f"{size:,} bytes say that they hold {cells:,} cells")
