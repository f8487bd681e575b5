"""What a result came from, in words that are the same wherever it is made again."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from functools import cache, partial
from importlib.metadata import version
from types import FunctionType, MappingProxyType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entrepot.engine.costs import Costs
from entrepot.engine.fingerprints import attributes_of, code_fingerprint, fingerprint, pickles_itself
from entrepot.engine.own_code import is_own, reads
from entrepot.regimes.path import RegimePath
from entrepot.strategies.composition import Composition

if TYPE_CHECKING:
    from entrepot.engine.run_state import RunState
    from entrepot.markets.market import Market
    from entrepot.result import Result

LIBRARIES = ("numpy", "pandas", "numba", "scipy")
# Of a market: where it is from, what was noted of it, and what no run reads.
NOT_DATA = ("label", "notes", "truth")
SEED = re.compile(r"\bseed (-?\d+)")
# More characters of a list or a mapping are a fingerprint.
WRITTEN_OUT = 300
# What lies deeper in objects of one's own is a fingerprint.
DEEPEST = 12


def provenance_of(result: Result) -> dict[str, str]:
    """Return what a run came from, by name, in this order.

    Args:
        result: a finished run.

    Returns:
        "entrepot" (version and fingerprint of the source), "Libraries", "Prices" (the market's label), "Data"
        (fingerprint of prices, volumes, rates and actions), "Seed" (of a simulated market), "Capital",
        "Plan", and "Plan.<name>" for each part of it, "Fill", "Resumed" where the run went on from another,
        "Costs" (those that differ from the default), "Regime path", "Trials", and "Run": a fingerprint of all
        of them but the label. Equal runs have equal entries, in any process and folder; there is no time and
        no machine in them.
    """
    return with_run(
        {
            **world_facts(result.market, result.capital, result.base_currency),
            **result.recipe,
            "Costs": changed_costs(result.cost_model),
            "Regime path": path_facts(result.path),
            "Trials": f"{result.trials:,}" if result.trials > 1 else "1, no other being known of",
        }
    )


def world_facts(market: Market, capital: float, base_currency: str) -> dict[str, str]:
    """Name the code, the data and the money."""
    return {
        "entrepot": code_fingerprint(),
        "Libraries": libraries(),
        "Prices": market.label,
        "Data": content_fingerprint(market, NOT_DATA),
        "Seed": seed_of(market),
        "Capital": f"{f'{capital:,}'.removesuffix('.0')} {base_currency}",
    }


def with_run(facts: dict[str, str]) -> dict[str, str]:
    """Add "Run", a fingerprint of all facts but the label."""
    own = [[name, text] for name, text in facts.items() if name != "Prices"]
    return facts | {"Run": fingerprint(own)}


def recipe_of(plan: object, path: RegimePath | None, fill: str, resume: RunState | None) -> dict[str, str]:
    """Say what was asked for, before the run: a plan of one's own may change later.

    Args:
        plan: what was run.
        path: of the run; the plan's own is not said again where it is the same.
        fill: when orders are filled.
        resume: what the run went on from.
    """
    facts = dict(plan_facts("Plan", plan, path)) | {"Fill": fill}
    if resume is not None:
        facts["Resumed"] = (
            f"after {len(resume.times):,} steps of a run whose plan is not told here, equity then "
            f"{float(resume.equity[-1])!r} {resume.currencies[0]}"
        )
    return facts


@cache
def libraries() -> str:
    """Return the versions of what computes: Python and the numerical libraries."""
    python = ".".join(map(str, sys.version_info[:3]))
    return ", ".join([f"Python {python}", *(f"{name} {version(name)}" for name in LIBRARIES)])


def seed_of(market: Market) -> str:
    """Return the seed of a simulated market; it is kept in the label."""
    found = SEED.search(market.label) if market.truth is not None else None
    return found[1] if found else "none: the prices are not drawn"


def path_facts(path: RegimePath | None) -> str:
    """Name a regime path by its contents."""
    if path is None:
        return "none"
    fits = "".join(f", {risk} fitted {len(table):,} times" for risk, table in path.refits.items())
    return f"{content_fingerprint(path)}, marks {path.marks}{fits}"


def changed_costs(costs: Costs) -> str:
    """Return the costs that differ from the default."""
    default = Costs()
    told = {item.name: described(getattr(costs, item.name)) for item in fields(costs)}
    own = [f"{name}={text}" for name, text in told.items() if text != described(getattr(default, name))]
    return ", ".join(own) or "the defaults"


def plan_facts(
    name: str, plan: object, path: RegimePath | None, around: tuple[int, ...] = ()
) -> Iterator[tuple[str, str]]:
    """Describe a plan, then each of its parts under a dotted name, as a sweep names them.

    Args:
        name: of the plan.
        plan: what is described.
        path: the regime path of the run, which is not described again.
        around: ids of the plans it is a part of.
    """
    if id(plan) in around:
        yield name, "itself"
        return
    made_of = contents(plan)
    if isinstance(plan, Composition):
        parts: dict[str, Any] = plan.named()
        own = {key: value for key, value in made_of.items() if key != "parts" and key not in parts}
    else:
        parts = {key: value for key, value in made_of.items() if is_plan(value)}
        own = {key: value for key, value in made_of.items() if key not in parts}
    words = written(own, path)
    yield name, described(plan, path) if plan is None or is_table(plan) else f"{kind_of(plan)}({words})"
    for key, part in parts.items():
        yield from plan_facts(f"{name}.{key}", part, path, (*around, id(plan)))


def kind_of(plan: object) -> str:
    """Return the name of a plan's class, with a fingerprint of its code where that is the user's."""
    return code_named(type(plan))


def code_named(code: type | ModuleType) -> str:
    """Return the name of a class or module, with a fingerprint where it is the user's."""
    own = is_own(code.__module__ if isinstance(code, type) else code.__name__)
    return f"{code.__name__} {fingerprint(code)}" if own else code.__name__


def is_plan(value: object) -> bool:
    """Whether a value is a plan of its own, of which others are made."""
    makes = hasattr(value, "targets") or hasattr(value, "decision")
    return makes and not isinstance(value, type) and not is_table(value)


def is_table(value: object) -> bool:
    """Whether a value is a table or an array."""
    return isinstance(value, pd.DataFrame | pd.Series | pd.Index | np.ndarray)


def contents(value: object) -> dict[str, Any]:
    """Return what an object was made of: the fields of a dataclass, the attributes of others."""
    return {} if is_table(value) else attributes_of(value)


def is_written_out(value: object) -> bool:
    """Whether an object is told by what it holds by name, as those of one's own and of the library are."""
    kind = type(value)
    if is_dataclass(value):
        return True
    ours = is_own(kind.__module__) or kind.__module__.startswith("entrepot.")
    return ours and not (pickles_itself(kind) or isinstance(value, Collection))


def described(value: Any, path: object = None, around: tuple[int, ...] = ()) -> str:
    """Write a value so that equal ones are written alike and others are not: no address, no folder.

    Tables, arrays, functions and objects of other libraries are written as fingerprints, and so are long
    lists.

    Args:
        value: anything a plan, a cost model or a strategy may hold.
        path: the regime path of the run, which is not described again.
        around: ids of what is being described around it.
    """
    if id(value) in around:
        return "itself"
    kind = type(value)
    if len(around) > DEEPEST:
        return f"{kind.__name__} {fingerprint(value)}"
    inside = (*around, id(value))
    if isinstance(value, RegimePath):
        return "that of the run" if value is path else f"RegimePath {content_fingerprint(value)}"
    if isinstance(value, np.generic) and value.dtype.kind not in "mM":
        value = value.item()
    if value is None or isinstance(value, bool | int | float | complex | str):
        return repr(value)
    if isinstance(value, date | time | timedelta | np.generic):
        return str(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes {fingerprint(value)}"
    if isinstance(value, pd.DataFrame):
        return f"DataFrame({len(value)} x {value.shape[1]}, {fingerprint(value)})"
    if isinstance(value, pd.Series):
        return f"Series({len(value)}, {fingerprint(value)})"
    if isinstance(value, pd.Index | np.ndarray):
        shape = " x ".join(map(str, value.shape))
        return f"{type(value).__name__}({shape}, {fingerprint(value)})"
    if kind in (dict, MappingProxyType):
        items = [f"{described(k, path, inside)}: {described(v, path, inside)}" for k, v in value.items()]
        return listed(items, "{", "}")
    if kind in (set, frozenset):
        return listed(sorted(described(item, path, inside) for item in value), "{", "}")
    if kind in (list, tuple):
        return listed([described(item, path, inside) for item in value], *"[]")
    if isinstance(value, type | ModuleType):
        return code_named(value)
    if isinstance(value, partial):
        return f"partial({described([value.func, value.args, value.keywords], path, inside)})"
    if isinstance(value, MethodType):
        return f"{described(value.__self__, path, inside)}.{described(value.__func__, path, inside)}"
    plain = getattr(value, "py_func", value)  # of what numba has compiled
    if isinstance(plain, FunctionType):
        return f"{plain.__qualname__} {source_fingerprint(plain, path, inside)}"
    if is_written_out(value):
        return f"{kind_of(value)}({written(contents(value), path, inside)})"
    return f"{kind.__name__} {fingerprint(value)}"


def written(values: Mapping[str, object], path: object, around: tuple[int, ...] = ()) -> str:
    """Write values by name."""
    return ", ".join(f"{name}={described(value, path, around)}" for name, value in values.items())


def listed(items: list[str], start: str, end: str) -> str:
    """Write a list, or its length and fingerprint where it is long."""
    text = ", ".join(items)
    return f"{start}{text if len(text) <= WRITTEN_OUT else f'{len(items)} items, {fingerprint(text)}'}{end}"


def source_fingerprint(function: FunctionType, path: object, around: tuple[int, ...]) -> str:
    """Name a function by its code, its defaults, what it encloses and reads, whatever file it stands in."""
    if not is_own(function.__module__):
        return fingerprint(function)
    held = {name: described(value, path, around) for name, value in enclosed(function)}
    given = described([function.__defaults__, function.__kwdefaults__, vars(function)], path, around)
    return fingerprint([function.__code__, given, held, list(reads(function))])


def enclosed(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Yield what a function encloses, by name."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:
            yield name, None  # not there yet


def content_fingerprint(value: Any, apart: tuple[str, ...] = ()) -> str:
    """Name a dataclass of tables and arrays by its contents, some fields apart."""
    return fingerprint(
        [[item.name, getattr(value, item.name)] for item in fields(value) if item.name not in apart]
    )
