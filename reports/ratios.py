"""empyrical, without the parts of scipy that its ratios do not use."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

UNUSED = ("optimize", "stats")


class Deferred(ModuleType):
    """Stands for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        """Import the module and return what it has under `name`."""
        return getattr(import_module(self.__name__), name)


def empyrical() -> ModuleType:
    """Import empyrical.

    At its import it asks scipy for two packages that take two thirds of a second to load, and then uses them
    for tail estimates only. Meanwhile they are stood for by modules that load when they are used; scipy
    itself is left as it was found.
    """
    import scipy

    if "empyrical" in sys.modules:
        return import_module("empyrical")
    placed = {name: Deferred(f"scipy.{name}") for name in UNUSED if f"scipy.{name}" not in sys.modules}
    for name, module in placed.items():
        setattr(scipy, name, module)
    try:
        return import_module("empyrical")
    finally:
        for name, module in placed.items():
            if vars(scipy).get(name) is module:
                delattr(scipy, name)
