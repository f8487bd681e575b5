"""Where a text file ends: one that was cut off in the middle looks whole but for its last line."""

from __future__ import annotations

import csv
import os
from typing import BinaryIO, Final

from entrepot.errors import DataError, shown

LONGEST_LINE: Final = 100_000  # the csv module takes no longer cell


def is_unended(file: BinaryIO, name: str) -> bool:
    """Whether no line break ends a CSV file; it is at its start again after.

    What is compared is not the header: some writers leave out the empty cells at the end of every row.

    Raises:
        DataError: for a last line without line break and with fewer cells than the one above.
    """
    file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST_LINE))
    *above, last = file.read().decode(errors="replace").replace("\r", "\n").split("\n")
    file.seek(0)
    if not last.strip():
        return False
    before = next((line for line in reversed(above) if line.strip()), "")
    if len(next(csv.reader([last]))) < len(next(csv.reader([before]), [])):
        raise DataError(
            f"{name} ends within a row, {shown(last)}, without a line break: it was cut off; fetch it again"
        )
    return True


def refuse_unended(file: BinaryIO, name: str) -> None:
    """Refuse a CSV file without a last line break: a number that was cut off looks like a whole one.

    Raises:
        DataError: for such a file.
    """
    if is_unended(file, name):
        raise DataError(
            f"{name} ends without a line break, so it may have been cut short: add one if it is whole"
        )
