"""Short names for what a result depends on: equal ones mean equal inputs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import pandas as pd

import entrepot


def fingerprint(value: object) -> str:
    """Return 16 hexadecimal digits of a value: of its contents, whatever process made it.

    Dataclasses count by their fields, functions by their code and what they enclose, methods by what they are
    bound to as well, classes by their name and methods, arrays and frames by their bytes and names. What is
    cached on an object does not count, nor do the globals that a function reads.
    """
    digest = sha256()
    _add(digest, [], value)
    return digest.hexdigest()[:16]


@cache
def code_fingerprint() -> str:
    """Return the library's version and a fingerprint of its source and of the tables that ship with it."""
    digest = sha256()
    for root in entrepot.__path__:
        for path in sorted(sources(Path(root))):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return f"{entrepot.__version__} {digest.hexdigest()[:16]}"


def sources(root: Path) -> Iterator[Path]:
    """Find code and data below a folder; in a checkout the rooms are links, which `Path.glob` leaves out."""
    for folder, _, names in os.walk(root, followlinks=True):
        yield from (Path(folder) / name for name in names if name.endswith((".py", ".csv")))


def _add(digest: Any, within: list[int], value: Any) -> None:
    """Add a value with its type, so that 1, 1.0 and "1" differ.

    Args:
        digest: added to.
        within: identities of the values that hold this one, the outermost first: one that holds itself is not
            gone through again.
        value: what is added.
    """
    digest.update(type(value).__qualname__.encode() + b"(")
    if id(value) in within:
        digest.update(str(within.index(id(value))).encode() + b")")
        return
    within.append(id(value))
    if value is None or isinstance(value, (bool, int, float, complex, str, np.generic, pd.Timestamp)):
        digest.update(repr(value).encode())
    elif isinstance(value, bytes):
        digest.update(value)
    elif isinstance(value, np.ndarray):
        if value.dtype == object:
            _add(digest, within, value.tolist())
        else:
            digest.update(f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, pd.DataFrame):
        columns = ([name, pd.Index(value.iloc[:, i])] for i, name in enumerate(value.columns))
        _add(digest, within, [value.index, *columns])
    elif isinstance(value, pd.Series):
        _add(digest, within, [value.name, value.index, pd.Index(value)])
    elif isinstance(value, pd.Index):
        times = isinstance(value.dtype, pd.DatetimeTZDtype)
        _add(digest, within, [str(value.dtype), value.asi8 if times else value.to_numpy()])  # type: ignore[attr-defined]
    elif isinstance(value, Mapping):
        _add(digest, within, [[key, item] for key, item in value.items()])
    elif isinstance(value, Set):
        _add(digest, within, sorted(fingerprint(item) for item in value))
    elif isinstance(value, (list, tuple, range)):
        for item in value:
            _add(digest, within, item)
    elif isinstance(value, FunctionType):
        enclosed = [contents(cell) for cell in value.__closure__ or ()]
        _add(
            digest,
            within,
            [value.__qualname__, value.__code__, value.__defaults__, value.__kwdefaults__, enclosed],
        )
    elif isinstance(value, MethodType):
        _add(digest, within, [value.__func__, value.__self__])
    elif isinstance(value, CodeType):
        _add(digest, within, [value.co_code, value.co_names, value.co_consts])
    elif isinstance(value, partial):
        _add(digest, within, [value.func, value.args, value.keywords])
    elif isinstance(value, type):
        own = {name: item for name, item in vars(value).items() if isinstance(item, FunctionType)}
        _add(digest, within, [value.__module__, value.__qualname__, own])
    elif hasattr(value, "py_func"):
        _add(digest, within, value.py_func)
    elif is_dataclass(value):
        for item in fields(value):
            _add(digest, within, [item.name, getattr(value, item.name)])
    elif hasattr(value, "__dict__"):
        _add(digest, within, vars(value))
    else:
        digest.update(repr(value).encode())
    digest.update(b")")
    within.pop()


def contents(cell: CellType) -> object:
    """Return what a function encloses, a word where that is not assigned yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return "nothing"
