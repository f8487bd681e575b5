"""Short names for what a result depends on: equal ones mean equal inputs."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from copyreg import dispatch_table
from dataclasses import fields, is_dataclass
from functools import cache, cached_property
from hashlib import sha256
from itertools import chain
from operator import itemgetter
from pathlib import Path
from threading import Lock, RLock
from types import CellType, CodeType, FunctionType, MethodType, ModuleType, NoneType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary, ref

import numpy as np
import pandas as pd

import entrepot
from entrepot.engine.own_code import is_own, methods_of, reads

PLAIN = frozenset({NoneType, bool, int, float, complex, str})
# Nothing of their own is in them.
HOLD_NOTHING = (type(Lock()), type(RLock()), ref, WeakKeyDictionary, WeakValueDictionary, WeakSet)
# Seeded anew in each process; distributions of scipy keep it.
EVERYONES = np.random.mtrand._rand
# What lies deeper is not told.
DEEPEST = 300


def fingerprint(value: object) -> str:
    """Return 16 hexadecimal digits of a value: of its contents, whatever process made it.

    The library's dataclasses count by their fields, functions by their code and what they enclose, methods by
    what they are bound to as well, arrays and frames by their bytes and names, all else by what a pickle of
    it would hold and what it holds by name.
    Of code that is neither this library's nor installed, classes count by their methods and what is written
    into them, also where an instance is given, and functions by the globals they read as well; what is
    installed counts by its name. What is cached on an object does not count.
    """
    return told(value)[0]


def told(value: object) -> tuple[str, list[str]]:
    """Return a value's fingerprint, and the types of what in it cannot be told from others of its type.

    Those are open files, connections, generators, pools of threads and the like, and what is nested too deep.
    """
    contents = _Contents()
    return contents.all_of(value), sorted(contents.untold)


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


def attributes_of(value: object) -> dict[str, Any]:
    """Return what an object holds by name: all but what it has worked out and keeps.

    The library's dataclasses hold their fields; others may keep more, such as what a subclass was made with.
    """
    kind, held = type(value), dict[str, Any]()
    if is_dataclass(value):
        held = {item.name: getattr(value, item.name) for item in fields(value) if hasattr(value, item.name)}
        if is_fields(value):
            return held
    state = object.__getstate__(value)
    for part in state if isinstance(state, tuple) else (state,):
        held |= part or {}
    return {n: item for n, item in held.items() if not isinstance(getattr(kind, n, None), cached_property)}


def is_fields(value: object) -> bool:
    """Whether an object is one of the library's dataclasses, which hold nothing else than their fields."""
    return is_dataclass(value) and type(value).__module__.startswith(f"{entrepot.__name__}.")


def pickles_itself(kind: type) -> bool:
    """Whether a class says what a pickle of its objects holds, and does not leave that to Python."""
    names = ("__reduce_ex__", "__reduce__", "__getstate__")
    return any(getattr(kind, name) is not getattr(object, name) for name in names)


def pickled(value: Any) -> list[Any] | str | None:
    """Return what a pickle of an object holds: how it is made and of what, or its name, or None."""
    reduce = dispatch_table.get(type(value))
    try:
        parts = reduce(value) if reduce else value.__reduce_ex__(4)
    except Exception:  # of whatever kind: it is how a class says that there can be no pickle
        return None
    if isinstance(parts, str):
        return parts
    return [*parts[:3], *(list(items or ()) for items in parts[3:5])]


def is_named(value: Any, path: object) -> bool:
    """Whether an object is what its module has under a name."""
    found = sys.modules.get(str(getattr(value, "__module__", None)))
    for name in str(path).split("."):
        found = getattr(found, name, None)
    return found is value


def cells_of(column: Any) -> list[Any]:
    """Return the type of an index or column of a frame, and what is in it: times as numbers."""
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return [column.codes, kind.categories, kind.ordered]
    return [str(kind), column.asi8 if hasattr(column, "asi8") else column.to_numpy()]


def contents(cell: CellType) -> list[object]:
    """Return what a function encloses, if that is assigned yet."""
    try:
        return [cell.cell_contents]
    except ValueError:
        return []


class _Contents:
    """What has been gone through of a value.

    Attributes:
        within: identities of the values that hold the one at hand, the innermost last: one that holds itself
            is not gone through again.
        known: the digests of what was gone through, by identity, with what it is so that it stays there.
        later: the user's functions and modules whose globals count too, each once.
        noted: what tells those apart: functions of the same code read the same.
        untold: types of what cannot be told.
    """

    def __init__(self, within: Iterable[int] = ()) -> None:
        self.within = list(within)
        self.known: dict[int, tuple[object, bytes]] = {}
        self.later: list[FunctionType | ModuleType] = []
        self.noted: set[object] = set()
        self.untold: set[str] = set()

    def all_of(self, value: object) -> str:
        """Return a value's fingerprint."""
        whole = sha256(self.digest(value))
        for each in self.later:  # grows by those that are read by others
            own = ((name, item) for name, item in vars(each).items() if not name.startswith("__"))
            read = reads(each) if isinstance(each, FunctionType) else sorted(own, key=itemgetter(0))
            whole.update(self.digest(list(read)))
        return whole.hexdigest()[:16]

    def digest(self, value: Any) -> bytes:
        """Return what stands for a value and its type, so that 1, 1.0 and "1" differ."""
        kind = type(value)
        if kind in PLAIN:
            return f"{kind.__name__}({value!r})".encode()
        if id(value) in self.known:
            return self.known[id(value)][1]
        if id(value) in self.within:
            return f"held({self.within[::-1].index(id(value))})".encode()
        whole = sha256(f"{kind.__qualname__}(".encode())
        if len(self.within) == DEEPEST:
            self.untold.add(kind.__qualname__)
            return whole.digest()
        self.within.append(id(value))
        if kind is bytes:
            whole.update(value)
        elif kind is np.ndarray and not value.dtype.hasobject:
            whole.update(f"{value.dtype} {value.shape}".encode() + value.tobytes())
        else:
            for part in self.parts_of(value):
                whole.update(self.digest(part))
        self.within.pop()
        self.known[id(value)] = value, whole.digest()
        return whole.digest()

    def parts_of(self, value: Any) -> Iterable[Any]:
        """Return the values that tell a value from others of its type."""
        kind = type(value)
        if kind in (list, tuple):
            return (part for part in value)
        if kind is dict:
            return chain.from_iterable(value.items())
        if isinstance(value, set | frozenset):
            return [kind, attributes_of(value), *sorted(value, key=self.apart)]
        if isinstance(value, np.generic | pd.Timestamp):
            return [repr(value)]
        if value is np.ma.masked:  # a constant of numpy's, which cannot be asked for what fills it
            return ["masked"]
        if isinstance(value, np.ma.MaskedArray):
            return [value.data, np.ma.getmaskarray(value), value.fill_value]
        if kind is np.ndarray:
            return [str(value.dtype), value.shape, *value.ravel().tolist()]
        if isinstance(value, pd.DataFrame):
            return [value.index, value.columns, *(value.iloc[:, i].array for i in range(value.shape[1]))]
        if isinstance(value, pd.Series):
            return [value.name, value.index, value.array]
        if isinstance(value, pd.Index):
            return [list(value.names), *cells_of(value)]
        if isinstance(value, pd.api.extensions.ExtensionArray):
            return cells_of(value)
        if isinstance(value, CodeType):
            shape = value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount, value.co_flags
            text = value.co_code, value.co_exceptiontable, value.co_names, value.co_varnames, value.co_consts
            return [*shape, *text]
        if isinstance(value, CellType):
            return contents(value)
        if isinstance(value, type):
            bases = [(one.__module__, one.__qualname__) for one in value.__mro__]
            return [*chain.from_iterable(bases), *methods_of(value)]
        if isinstance(value, ModuleType):
            self.read_later(value, value.__name__)
            return [value.__name__]
        module, path = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if path is not None and not is_own(module) and is_named(value, path):
            return [module, path]
        if isinstance(value, FunctionType):
            self.read_later(value, value.__module__)
            given = value.__defaults__, value.__kwdefaults__, vars(value)
            return [value.__qualname__, value.__code__, *given, *(value.__closure__ or ())]
        if isinstance(value, MethodType):
            return [value.__func__, value.__self__]
        if hasattr(value, "py_func"):  # compiled by numba
            return [value.py_func]
        if is_fields(value):
            return [kind, attributes_of(value)]
        return self.state_of(value)

    def state_of(self, value: Any) -> list[Any]:
        """Return the values that tell an object of no known type from others."""
        kind = type(value)
        if isinstance(value, HOLD_NOTHING) or value is EVERYONES:
            return [kind]
        if isinstance(value, np.vectorize):  # which keeps what it made of the function
            return [kind, value.pyfunc, value.otypes, value.excluded, value.signature]
        own, itself = is_own(kind.__module__), pickles_itself(kind)
        if not own and isinstance(getattr(value, "__wrapped__", None), FunctionType):  # cached, or compiled
            return [kind, value.__wrapped__]
        made = pickled(value)
        held = sorted(attributes_of(value).items()) if own or not itself else []
        if isinstance(made, list):
            if not itself:
                del made[2:3]  # which is what it holds
            return [kind, held, *made]
        if own and itself:
            return [kind, held]
        if made is not None and is_named(value, made):
            return [kind, made]
        if isinstance(value, Mapping):
            return [kind, *chain.from_iterable(value.items())]
        if isinstance(value, Collection):
            return [kind, *value]
        self.untold.add(kind.__qualname__)
        return [kind]

    def apart(self, value: object) -> str:
        """Return a value's fingerprint, by which those of a set have an order."""
        return _Contents(self.within).all_of(value)

    def read_later(self, value: FunctionType | ModuleType, module: str | None) -> None:
        """Note what has globals that count, where it is the user's."""
        same = (value.__code__, id(value.__globals__)) if isinstance(value, FunctionType) else id(value)
        if is_own(module) and same not in self.noted:
            self.noted.add(same)
            self.later.append(value)
