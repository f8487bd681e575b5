"""What price files will take of memory, told by their sizes before any of them is read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from entrepot.memory import require_memory

# Bytes in use at most while a market is made: for each byte of a CSV file, and for each cell of a Parquet
# file. Measured; `tests/robustness/test_load.py` holds them to it.
OF_TEXT, OF_CELL = 4.5, 30.0


def require_files(paths: Iterable[Path]) -> None:
    """Refuse files whose prices do not fit; what is no file is left to those who read it."""
    files = [path for path in paths if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    require_memory(
        sum(map(taken, files)),
        f"the prices from {len(files):,} file{'s' * (len(files) != 1)} of {total / 1e6:,.0f} MB",
        "load fewer symbols, a shorter time or longer bars",
    )


def taken(path: Path) -> float:
    """Return the bytes that a file's prices will take at most."""
    if path.suffix.lower() != ".parquet":
        return OF_TEXT * path.stat().st_size
    import pyarrow as pa
    from pyarrow import parquet

    try:
        told = parquet.read_metadata(path)
    except (pa.ArrowException, OSError):  # its reader says what is wrong with it
        return 0.0
    return OF_CELL * float(told.num_rows * told.num_columns)
