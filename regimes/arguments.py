"""How messages about arguments name what they were given, and how parameters are kept and changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from entrepot.errors import ParameterError, shown


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
    """Return a number of numpy's as one of Python's, a time of numpy's as one of pandas'."""
    if isinstance(value, np.datetime64):  # of nanoseconds Python's would be a number
        return pd.Timestamp(value)
    if isinstance(value, np.timedelta64):
        return value if np.datetime_data(value)[0] in ("Y", "M", "generic") else pd.Timedelta(value)
    return value.item() if isinstance(value, np.generic) else value


def keep_plain(owner: Any) -> None:
    """Turn the fields of a dataclass that are numbers of numpy's into Python's, and times into pandas'.

    Arithmetic with a float32 is done in 32 bits, and -numpy.uint8(3) is 253.
    """
    for item in fields(owner):
        if isinstance(value := getattr(owner, item.name), np.generic):
            object.__setattr__(owner, item.name, plain(value))


def is_made_of_fields(value: object) -> bool:
    """Whether an object is a dataclass that is made as one, and not by what a class of one's own writes."""
    maker = next(kind for kind in type(value).__mro__ if "__init__" in vars(kind))
    return "__dataclass_fields__" in vars(maker)


def changed_fields(owner: Any, changes: Mapping[str, Any]) -> Any:
    """Return a copy of a dataclass with some fields changed, made like a new one.

    Raises:
        ParameterError: where a class of one's own keeps more than fields, which the copy would not have.
    """
    held = getattr(owner, "__dict__", {}).keys() - {item.name for item in fields(owner)}
    more = [name for name in held if not name.endswith("_")]  # what it has learned is learned anew
    if more and not is_made_of_fields(owner):
        raise ParameterError(
            f"{type(owner).__name__} keeps {short(', '.join(sorted(more)))} beside its fields, which a copy "
            f"with {short(', '.join(changes))} changed would lose: make these fields too, or give it a with_ "
            "of its own"
        )
    return replace(owner, **changes)
