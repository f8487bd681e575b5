"""What was tried, counted by the tests and runs that try it: docs/robustness.md is written from this.

Nothing is written unless the variable `ENTREPOT_TALLY` names a file, to which each call then appends a line.
It is an absolute path: tests change the folder they run in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any


def tried(area: str, what: str, count: int = 1) -> None:
    """Count what was tried and came out right: called after the assertions, never before.

    Args:
        area: a row group of the page, such as "bad inputs".
        what: the thing counted, in the plural, such as "cases of the catalogue"; counts of one thing add up.
        count: how many.
    """
    _append({"area": area, "what": what, "count": int(count)})


def reached(area: str, what: str, value: float, unit: str = "") -> None:
    """Note how far something was taken, a size or an error: the largest value of one thing is kept.

    Args:
        area: a row group of the page, such as "load".
        what: the thing measured, such as "instruments in one backtest".
        value: how much.
        unit: of the value, such as "GB"; "": a pure number.
    """
    _append({"area": area, "what": what, "value": float(value), "unit": unit})


def _append(line: Mapping[str, Any]) -> None:
    if not (path := os.environ.get("ENTREPOT_TALLY")):
        return
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)  # test workers share the file
    try:
        os.write(handle, (json.dumps(line) + "\n").encode())
    finally:
        os.close(handle)
