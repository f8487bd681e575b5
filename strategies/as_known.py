"""What a strategy carries and reads, with all that came to be known after some step taken out for a while."""

from __future__ import annotations

import sys
import sysconfig
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property, partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.markets.known_series import KnownSeries
from entrepot.markets.market import Market
from entrepot.regimes.events import Events
from entrepot.regimes.path import RegimePath

# Of these nothing inside is looked at: they keep what they know of all markets.
LIBRARIES = ("entrepot", "numpy", "pandas", "numba", "scipy")
INSTALLED = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
DATED = (Market, RegimePath, KnownSeries, Events, pd.DataFrame, pd.Series, np.ndarray)
PLAIN = (str, bytes, int, float, complex, ModuleType, type(None))


@contextmanager
def as_known(value: Any, market: Market, step: int) -> Iterator[Any]:
    """Let a strategy carry and read only what was known at a step of a market, for a while.

    Looked for in its fields and attributes, in what its functions and methods enclose, take by default or
    read from modules, in the functions and classes that these call, and in the lists, deques and dicts among
    all of them: markets and regime paths are cut after the step's time, series and events are those known by
    then, frames and series lose the rows dated later. A frame without dates loses its later rows, and an
    array its later numbers, where it has one for each step or decision of the market. What libraries keep is
    left alone.
    """
    now = pd.Timestamp(market.times[step], tz="UTC")
    session = market.grid["session"].iloc[step]
    decided = market.decision_steps
    known_of = {int(decided.sum()): int(decided[: step + 1].sum()), len(market): step + 1}

    def cut(found: Any) -> Any:
        if isinstance(found, Market):
            last = int(np.searchsorted(found.times, now.value, side="right")) - 1
            return found if last in (-1, len(found) - 1) else found.until(last)
        if isinstance(found, RegimePath):
            last = int(found.time.searchsorted(now, side="right")) - 1
            return found if last in (-1, len(found.time) - 1) else found.until(last)
        if isinstance(found, KnownSeries):
            return found.until(now.isoformat())
        if isinstance(found, Events):
            return found.known_by(now.isoformat())
        if isinstance(found, np.ndarray):
            return blinded(found, known_of)
        if not isinstance(found.index, pd.DatetimeIndex):
            return found.iloc[: known_of[len(found)]] if len(found) in known_of else found
        past = np.asarray(found.index <= (session if found.index.tz is None else now))
        return found if past.all() else found[past]

    with swapped(value, cut) as known:
        yield known


@contextmanager
def swapped(value: Any, change: Callable[[Any], Any] = lambda found: found) -> Iterator[Any]:
    """Put something else in the place of everything dated in a value, for a while.

    Afterwards everything is as it was, also what was written meanwhile into dicts, lists, attributes and
    modules; what functions remember of earlier calls (`functools.cache`) is forgotten before and after.
    """
    walk = _Walk(change)
    try:
        yield walk(value)
    finally:
        for undo in reversed(walk.undo):
            undo()


def blinded(values: NDArray[Any], known_of: Mapping[int, int]) -> NDArray[Any]:
    """Return an array without its later numbers, at the places by length: NaN, or in another order."""
    for axis, length in enumerate(values.shape):
        if length in known_of:
            made = np.moveaxis(values.copy(), axis, 0)
            later = made[known_of[length] :]
            later[:] = np.nan if values.dtype.kind == "f" else later[::-1].copy()
            return np.moveaxis(made, 0, axis)
    return values


class _Walk:
    """One walk through a value, which changes it where it stands and notes how to undo that."""

    def __init__(self, change: Callable[[Any], Any]) -> None:
        self.change = change
        self.seen: dict[int, tuple[Any, Any]] = {}  # by id: the value, kept alive, and what it becomes
        self.read: set[tuple[int, str]] = set()  # names that have been looked up, by module
        self.undo: list[Callable[[], Any]] = []

    def __call__(self, value: Any) -> Any:
        if isinstance(value, PLAIN):
            return value
        if id(value) not in self.seen:
            self.seen[id(value)] = value, value  # what holds itself stays as it is
            made = self._made(value)
            self.seen[id(value)], self.seen[id(made)] = (value, made), (made, made)
        return self.seen[id(value)][1]

    def _made(self, value: Any) -> Any:
        if isinstance(value, DATED):
            return self.change(value)
        if isinstance(value, dict):
            self._inside(value)
        elif isinstance(value, (list, deque)):
            self.undo += [partial(value.extend, list(value)), value.clear]  # the last is undone first
            made = [self(item) for item in value]
            value.clear()
            value.extend(made)
        elif isinstance(value, set):
            self.undo += [partial(value.update, set(value)), value.clear]
        elif isinstance(value, Mapping):
            items = {name: self(item) for name, item in value.items()}
            return items if any(items[name] is not value[name] for name in items) else value
        elif isinstance(value, tuple):
            made = [self(item) for item in value]
            if any(new is not old for new, old in zip(made, value, strict=True)):
                return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
        elif isinstance(value, partial):
            parts = [self(value.func), self(value.args), self(value.keywords)]
            return partial(parts[0], *parts[1], **parts[2])
        elif isinstance(value, MethodType):
            return MethodType(value.__func__, self(value.__self__))
        elif isinstance(value, FunctionType):
            if own(value.__module__):
                self._function(value)
        elif isinstance(value, type):
            for one in filter(of_ours, value.__mro__):
                self._class(one)
        else:
            self._object(value)
        return value

    def _inside(self, place: dict[Any, Any], names: Iterable[Any] | None = None) -> None:
        """Change what stands in a dict under some names, all where none are given."""
        named = list(place if names is None else names)
        before = {name: place[name] for name in named if name in place}

        def undo() -> None:
            for name in list(place) if names is None else named:
                if name not in before:
                    place.pop(name, None)
            place.update(before)

        self.undo.append(undo)
        for name, item in before.items():
            if (new := self(item)) is not item:
                place[name] = new

    def _function(self, function: FunctionType) -> None:
        """Change what a function encloses, takes by default and reads from modules."""
        self._read(function.__globals__, names_in(function.__code__))
        for cell in function.__closure__ or ():
            self._cell(cell)
        if (made := self(function.__defaults__)) is not function.__defaults__:
            self.undo.append(partial(setattr, function, "__defaults__", function.__defaults__))
            function.__defaults__ = made
        self(function.__kwdefaults__)
        self(function.__dict__)

    def _read(self, world: dict[str, Any], names: set[str]) -> None:
        """Change what code that mentions some names finds in a module, and in modules that are named."""
        names = {name for name in names if (id(world), name) not in self.read}
        self.read |= {(id(world), name) for name in names}
        self._inside(world, names)
        for name in names:
            module = world.get(name, sys.modules.get(name))  # as imported above, or in the function
            if isinstance(module, ModuleType) and own(module.__name__):
                self._read(vars(module), names)

    def _cell(self, cell: CellType) -> None:
        try:
            held = cell.cell_contents
        except ValueError:  # nothing yet
            self.undo.append(partial(delattr, cell, "cell_contents"))
            return
        self.undo.append(partial(setattr, cell, "cell_contents", held))
        cell.cell_contents = self(held)

    def _class(self, one: type) -> None:
        """Change the attributes of a class, and what its methods read."""
        before = dict(vars(one))

        def undo() -> None:
            for name in [name for name in vars(one) if name not in before]:
                delattr(one, name)
            for name, item in before.items():
                if vars(one).get(name) is not item:
                    setattr(one, name, item)

        self.undo.append(undo)
        for name, item in before.items():
            for function in (item, *(getattr(item, inner, None) for inner in ("fget", "func", "__func__"))):
                if isinstance(function, FunctionType):
                    self(function)
            if isinstance(item, (*DATED, dict, list, deque, set, tuple)) and (new := self(item)) is not item:
                setattr(one, name, new)

    def _object(self, value: Any) -> None:
        """Change an object's attributes; what it has worked out from the old ones is worked out again."""
        kind = type(value)
        remembers = getattr(value, "__wrapped__", None)
        if isinstance(remembers, FunctionType):  # cached, compiled or else wrapped
            if own(remembers.__module__) and hasattr(value, "cache_clear"):
                value.cache_clear()
                self.undo.append(value.cache_clear)
            self(remembers)
        if not (of_ours(kind) or kind is SimpleNamespace or kind.__module__.startswith("entrepot.")):
            return
        self(kind)
        attributes = getattr(value, "__dict__", {})
        self._inside(attributes)
        for name in [name for name in attributes if isinstance(getattr(kind, name, None), cached_property)]:
            del attributes[name]
        for name in slots_of(kind):
            if hasattr(value, name) and name not in attributes:
                held = getattr(value, name)
                self.undo.append(partial(object.__setattr__, value, name, held))
                object.__setattr__(value, name, self(held))


def own(module: str | None) -> bool:
    """Tell whether a module is a researcher's own: no library that is installed, and not Python's."""
    return module is None or module == "__main__" or not of_a_library(module)


@cache
def of_a_library(module: str) -> bool:
    """Tell whether a module belongs to a library or to Python."""
    root = module.partition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return root in LIBRARIES or root in sys.stdlib_module_names or file.startswith(INSTALLED)


def of_ours(kind: type) -> bool:
    """Tell whether a class is a researcher's own."""
    return own(kind.__module__)


def slots_of(kind: type) -> list[str]:
    """Return the names of a class's slots, those of its bases included."""
    found: list[str] = []
    for one in kind.__mro__:
        slots = vars(one).get("__slots__", ())
        found += [slots] if isinstance(slots, str) else [*slots]
    return [name for name in found if not name.startswith("__")]


def names_in(code: CodeType) -> set[str]:
    """Return the names that code reads, those of the functions written inside it included."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*(names_in(one) for one in inner))
