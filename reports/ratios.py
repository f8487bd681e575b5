"""empyrical, without the parts of scipy that its ratios do not use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

SLOW = ("optimize", "stats")


class Deferred(ModuleType):
    """Stands for a module of functions: each imports the module when it is first called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a function that calls the module's of that name."""
        if name.startswith("_"):
            raise AttributeError(name)

        def call(*args: Any, **options: Any) -> Any:
            return getattr(import_module(self.__name__), name)(*args, **options)

        call.__name__ = call.__qualname__ = name
        return call


def empyrical() -> ModuleType:
    """Import empyrical.

    Its import asks scipy for two packages that take most of a second to load and that only its tail
    estimates, its stability and its moments call. Meanwhile they are stood for by modules that load when they
    are called; scipy itself is left as it was found.
    """
    if "empyrical" in sys.modules:
        return import_module("empyrical")
    import scipy

    placed = {name: Deferred(f"scipy.{name}") for name in SLOW if f"scipy.{name}" not in sys.modules}
    for name, module in placed.items():
        setattr(scipy, name, module)
    try:
        return import_module("empyrical")
    finally:
        for name, module in placed.items():
            if vars(scipy).get(name) is module:
                delattr(scipy, name)
