"""How messages about arguments name what they were given, and how numbers of numpy are kept."""

from __future__ import annotations

from dataclasses import fields
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from entrepot.errors import shown


def kind(value: object) -> str:
    """Return what a wrong argument is, in a few words: its value if short by nature, else its type."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if value is None or isinstance(value, (str, bytes, Real, list, tuple, dict, set)):
        return shown(value)
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def short(text: object) -> str:
    """Return text on one line, cut after 60 characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def with_given(said: str, row: pd.Series[Any]) -> str:
    """Return what is said of a row, "column must be ...", with what the row holds in that column."""
    column, must, rest = said.partition(" must ")
    return f"{column} is {shown(row[column])}; it must {rest}" if must else said


def plain(value: Any) -> Any:
    """Return a number of numpy's as one of Python's."""
    return value.item() if isinstance(value, np.generic) else value


def keep_plain(owner: Any) -> None:
    """Turn the fields of a dataclass that are numbers of numpy's into Python's.

    Arithmetic with a float32 is done in 32 bits, and -numpy.uint8(3) is 253.
    """
    for item in fields(owner):
        if isinstance(value := getattr(owner, item.name), np.generic):
            object.__setattr__(owner, item.name, plain(value))
