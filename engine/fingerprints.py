"""Short names for what a result depends on: equal ones mean equal inputs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from functools import cache, cached_property, partial
from hashlib import sha256
from numbers import Number
from pathlib import Path
from sysconfig import get_path
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import pandas as pd

import entrepot

# Where Python's own modules and installed ones are: their code is told by a version, not by its text.
INSTALLED = [Path(get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")]
DATA = (
    *(type(None), str, bytes, Number, np.generic, date, time, timedelta),
    *(np.ndarray, pd.DataFrame, pd.Series, pd.Index, Mapping, Set, list, tuple, range),
)


def fingerprint(value: object) -> str:
    """Return 16 hexadecimal digits of a value: of its contents, whatever process made it.

    Dataclasses count by their fields, functions by their code and what they enclose, methods by what they are
    bound to as well, arrays and frames by their bytes and names. Of code that is neither this library's nor
    installed, classes count by their methods and what is written into them, also where an instance is given,
    and functions by the globals they read as well. What is cached on an object does not count.
    """
    contents = _Contents()
    contents.add(value)
    for function in contents.functions:  # grows by those that are read by others
        contents.add(list(reads(function)))
    return contents.digest.hexdigest()[:16]


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


def is_own(module: str | None) -> bool:
    """Whether a module is the user's: not this library's, not installed, not Python's."""
    if module is None or module == "__main__" or module not in sys.modules:
        return True  # of a notebook, or made by a program
    if module.split(".")[0] == entrepot.__name__:
        return False
    file = getattr(sys.modules[module], "__file__", None)
    return file is not None and not any(Path(file).resolve().is_relative_to(each) for each in INSTALLED)


def reads(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Yield the globals that a user's function reads, by name: data, and the user's functions and classes."""
    names = names_in(function.__code__)
    for name in sorted(names & set(function.__globals__)):
        value = function.__globals__[name]
        if not isinstance(value, ModuleType):
            own = {name: value}
        elif is_own(value.__name__):
            own = {f"{name}.{each}": vars(value)[each] for each in sorted(names & set(vars(value)))}
        else:
            continue
        yield from ((each, item) for each, item in own.items() if counts(item))


def names_in(code: CodeType) -> set[str]:
    """Return the names of the globals and attributes that code reads, that of inner functions too."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(names_in, inner))


def counts(value: object) -> bool:
    """Whether what is read, or written into a class, can be told by its contents."""
    if isinstance(value, DATA):
        return True
    if isinstance(value, partial | MethodType):
        return counts(value.func if isinstance(value, partial) else value.__func__)
    plain = getattr(value, "py_func", value)
    kind = plain if isinstance(plain, type | FunctionType) else type(plain)
    return is_own(kind.__module__) or (is_dataclass(plain) and not isinstance(plain, type))


def methods_of(owner: type) -> Iterator[tuple[str, object]]:
    """Yield what a user's class is made of, that of the user's classes it inherits from too."""
    for one in owner.__mro__:
        for name, value in vars(one).items() if is_own(one.__module__) else ():
            if isinstance(value, staticmethod | classmethod):
                value = value.__func__
            elif isinstance(value, property | cached_property):
                value = value.fget if isinstance(value, property) else value.func
            if isinstance(value, FunctionType) or (not name.startswith("__") and counts(value)):
                yield f"{one.__qualname__}.{name}", value


class _Contents:
    """What has been gone through of a value.

    Attributes:
        digest: of what was added.
        within: identities of the values that hold the one being added, the outermost first: one that holds
            itself is not gone through again.
        functions: the user's, each once, whose globals count too.
    """

    def __init__(self) -> None:
        self.digest = sha256()
        self.within: list[int] = []
        self.functions: list[FunctionType] = []

    def add(self, value: Any) -> None:
        """Add a value with its type, so that 1, 1.0 and "1" differ."""
        self.digest.update(type(value).__qualname__.encode() + b"(")
        if id(value) in self.within:
            self.digest.update(str(self.within.index(id(value))).encode())
        else:
            self.within.append(id(value))
            self.add_inside(value)
            self.within.pop()
        self.digest.update(b")")

    def add_inside(self, value: Any) -> None:
        if value is None or isinstance(value, (bool, int, float, complex, str, np.generic, pd.Timestamp)):
            self.digest.update(repr(value).encode())
        elif isinstance(value, bytes):
            self.digest.update(value)
        elif isinstance(value, np.ndarray):
            if value.dtype == object:
                self.add(value.tolist())
            else:
                written = np.ascontiguousarray(value).tobytes()
                self.digest.update(f"{value.dtype} {value.shape}".encode() + written)
        elif isinstance(value, pd.DataFrame):
            columns = ([name, pd.Index(value.iloc[:, i])] for i, name in enumerate(value.columns))
            self.add([value.index, *columns])
        elif isinstance(value, pd.Series):
            self.add([value.name, value.index, pd.Index(value)])
        elif isinstance(value, pd.Index):
            times = isinstance(value.dtype, pd.DatetimeTZDtype)
            self.add([str(value.dtype), value.asi8 if times else value.to_numpy()])  # type: ignore[attr-defined]
        elif isinstance(value, Mapping):
            self.add([[key, item] for key, item in value.items()])
        elif isinstance(value, Set):
            self.add(sorted(fingerprint(item) for item in value))
        elif isinstance(value, (list, tuple, range)):
            for item in value:
                self.add(item)
        elif isinstance(value, FunctionType):
            if is_own(value.__module__) and not any(value is each for each in self.functions):
                self.functions.append(value)
            held = [contents(cell) for cell in value.__closure__ or ()]
            self.add([value.__qualname__, value.__code__, value.__defaults__, value.__kwdefaults__, held])
        elif isinstance(value, MethodType):
            self.add([value.__func__, value.__self__])
        elif isinstance(value, CodeType):
            self.add([value.co_code, value.co_names, value.co_consts])
        elif isinstance(value, partial):
            self.add([value.func, value.args, value.keywords])
        elif isinstance(value, type):
            self.add([value.__module__, value.__qualname__, list(methods_of(value))])
        elif hasattr(value, "py_func"):
            self.add(value.py_func)
        elif is_dataclass(value) or hasattr(value, "__dict__"):
            names = [item.name for item in fields(value)] if is_dataclass(value) else list(vars(value))
            made_of = {name: getattr(value, name) for name in names}
            self.add([type(value), made_of] if is_own(type(value).__module__) else made_of)
        else:
            self.digest.update(repr(value).encode())


def contents(cell: CellType) -> object:
    """Return what a function encloses, a word where that is not assigned yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return "nothing"
