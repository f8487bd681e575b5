"""What of the code at hand is the user's, and what that reads and is made of."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from dis import get_instructions
from functools import cache, cached_property
from importlib import import_module
from importlib.util import find_spec, resolve_name
from pathlib import Path
from sysconfig import get_path
from types import CodeType, FunctionType, ModuleType

import entrepot

# Where Python's own modules and installed ones are: their code is told by a version, not by its text.
INSTALLED = [Path(get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")]


def is_own(module: str | None) -> bool:
    """Whether a module is the user's: not this library's, not installed, not Python's."""
    root = (module or "__main__").partition(".")[0]
    if root in ("__main__", entrepot.__name__):
        return root == "__main__"
    file = file_of(module or root) or file_of(root)
    # Without a file it is one of Python's, of a notebook, or made by a program.
    return root not in sys.stdlib_module_names if file is None else not is_installed(file)


def file_of(module: str) -> str | None:
    """Return the file of a module; one that is not a part of another need not have been imported."""
    if module in sys.modules:
        return getattr(sys.modules[module], "__file__", None)
    spec = None if "." in module else find_spec(module)
    return spec.origin if spec is not None and spec.has_location else None


@cache
def is_installed(file: str) -> bool:
    """Whether a file lies where Python's modules or installed ones do."""
    return any(Path(file).resolve().is_relative_to(each) for each in INSTALLED)


def reads(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Yield what a user's function reads of its module, and of those it names or imports, by name."""
    names: set[str] = set().union(*(code.co_names for code in codes_of(function.__code__)))
    worlds = [function.__globals__, *(vars(module) for module in imported(function))]
    for world in worlds:  # grows by the modules that are named
        for name in sorted(names & set(world)):
            value = world[name]
            if not isinstance(value, ModuleType):
                yield name, value
            elif is_own(value.__name__) and not any(vars(value) is each for each in worlds):
                worlds.append(vars(value))


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """Yield code, and that of the functions and classes written inside it."""
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from codes_of(inner)


def imported(function: FunctionType) -> Iterator[ModuleType]:
    """Yield the user's modules that a function imports, importing them: they count before the call too."""
    package = function.__globals__.get("__package__")
    for code in codes_of(function.__code__):
        steps = [step for step in get_instructions(code) if step.opname != "EXTENDED_ARG"]
        for level, names, step in zip(steps, steps[1:], steps[2:], strict=False):
            if step.opname != "IMPORT_NAME":
                continue
            with suppress(ImportError):  # the function says so when it is called, or does without
                path = resolve_name("." * level.argval + step.argval, package)
                if is_own(path):
                    module = import_module(path)
                    yield module
                    for name in names.argval or ():
                        if not hasattr(module, name):
                            import_module(f"{path}.{name}")


def methods_of(owner: type) -> Iterator[tuple[str, object]]:
    """Yield what a user's class is made of, that of the user's classes it inherits from too."""
    for one in owner.__mro__:
        for name, value in vars(one).items() if is_own(one.__module__) else ():
            if isinstance(value, staticmethod | classmethod):
                value = value.__func__
            elif isinstance(value, property | cached_property):
                value = value.fget if isinstance(value, property) else value.func
            if isinstance(value, FunctionType) or not (name.startswith("__") or name == "_abc_impl"):
                yield f"{one.__qualname__}.{name}", value
