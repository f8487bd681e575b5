"""Fingerprints of what may hold itself, is not assigned yet, or differs in its names only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import entrepot as ep
from entrepot.engine.fingerprints import fingerprint, reads


@dataclass
class Record:
    """A class whose field has no default."""

    size: int


class Rule:
    """Says one."""

    def __init__(self) -> None:
        self.above: Any = None

    def said(self) -> int:
        return 1


class Louder(Rule):
    """Encloses its own class, as `super` does."""

    def said(self) -> int:
        return super().said() + 1


class Loudest(Rule):
    """As the other, but for a number."""

    def said(self) -> int:
        return super().said() + 2


def each_other(add: int) -> Callable[[int], int]:
    """Return one of two functions that call each other."""

    def even(n: int) -> int:
        return odd(n - 1) if n else add

    def odd(n: int) -> int:
        return even(n - 1) if n else 0

    return even


def unassigned(assign: bool) -> Callable[[], int]:
    """Return a function that encloses what may not be there yet."""

    def later() -> int:
        return other()

    if assign:

        def other() -> int:
            return 1

    return later


def holds_itself(number: int) -> list[Any]:
    own: list[Any] = [number]
    own.append(own)
    return own


def circle(number: int) -> Rule:
    one, other = Rule(), Rule()
    one.above, other.above = other, [one, number]
    return one


@pytest.mark.parametrize("make", [holds_itself, circle, each_other, lambda n: circle(n).said])
def test_what_holds_itself_is_gone_through_once(make: Callable[[int], Any]) -> None:
    assert fingerprint(make(1)) == fingerprint(make(1)) != fingerprint(make(2))


def test_a_value_that_is_there_twice_is_not_one_that_holds_itself() -> None:
    twice = [1, 2]
    assert fingerprint([twice, twice]) == fingerprint([[1, 2], [1, 2]])


def test_a_function_may_enclose_what_is_not_assigned_yet() -> None:
    assert fingerprint(unassigned(False)) == fingerprint(unassigned(False)) != fingerprint(unassigned(True))


def test_classes_are_their_names_and_methods() -> None:
    assert fingerprint(Record) == fingerprint(Record) != fingerprint(Rule)
    assert fingerprint(Louder().said) == fingerprint(Louder().said) != fingerprint(Loudest().said)
    one, other = (type("Made", (), {"said": rule.said, "__module__": "x"}) for rule in (Louder, Loudest))
    assert fingerprint(one) != fingerprint(other)
    script = "from entrepot.engine.fingerprints import fingerprint; print(fingerprint([int, dict]))"
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == fingerprint([int, dict])  # whatever the addresses in a process


def test_names_count() -> None:
    assert fingerprint(pd.Series([1.0], name="FXI")) != fingerprint(pd.Series([1.0], name="MCHI"))
    assert fingerprint(pd.DataFrame({1: [1.0]})) != fingerprint(pd.DataFrame({"1": [1.0]}))


def test_what_is_held_again_may_be_the_inner_or_the_outer_one() -> None:
    outer: list[Any] = [1, [2]]
    outer[1].append(outer)
    inner: list[Any] = [1, [2]]
    inner[1].append(inner[1])
    assert fingerprint(outer) != fingerprint(inner)


# A module, and the same with a change that makes its `made` another thing.
CODE = """
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
import entrepot as ep
SINCE, WEIGHT, COSTS = date(2021, 1, 4), {"KWEB": 0.5}, ep.Costs(fee_bps=1.0)
def scaled(factor, x): return factor * x
half = partial(scaled, 0.25)
class Base:
    level = 1.0
    bound = partial(scaled, 4.0)
    def inherited(self): return 1
class Rule(Base):
    def targets(self): return helper(1)
    @property
    def share(self): return 1
    @cached_property
    def kept(self): return 1
    @staticmethod
    def plain(): return 1
    @classmethod
    def of(cls): return 1
@dataclass
class Plan:
    size: int = 1
    def targets(self): return self.size * 2
def helper(x): return deeper(x) if x else decided()
def deeper(x): return x + 10
def decided(): return SINCE, WEIGHT, COSTS, Base, helper
told = Rule().targets
def bindings(): return half, told
def through(): return (lambda: helper(0))()
"""
CHANGES = {
    "a method": ("Rule()", "return helper(1)", "return helper(2)"),
    "a property": ("Rule()", "def share(self): return 1", "def share(self): return 2"),
    "a property that is kept": ("Rule()", "def kept(self): return 1", "def kept(self): return 2"),
    "a static method": ("Rule()", "def plain(): return 1", "def plain(): return 2"),
    "a method of the class": ("Rule()", "def of(cls): return 1", "def of(cls): return 2"),
    "what it inherits": ("Rule()", "def inherited(self): return 1", "def inherited(self): return 2"),
    "a number of the class it inherits from": ("Rule()", "level = 1.0", "level = 2.0"),
    "a method of a dataclass": ("Plan()", "self.size * 2", "self.size * 3"),
    "the default of a dataclass": ("Plan()", "size: int = 1", "size: int = 2"),
    "a class in a list": ("[Rule]", "return helper(1)", "return helper(2)"),
    "a function": ("helper", "if x else", "if not x else"),
    "what a method calls": ("Rule()", "x + 10", "x + 11"),
    "what a function calls": ("helper", "x + 10", "x + 11"),
    "what an inner function calls": ("through", "x + 10", "x + 11"),
    "what a bound function calls": ("partial(helper, 0)", "x + 10", "x + 11"),
    "what is bound to a function that is read": ("bindings", "scaled, 0.25", "scaled, 0.75"),
    "a method that is read": ("bindings", "return helper(1)", "return helper(2)"),
    "what is bound to a function of the class": ("Rule()", "scaled, 4.0", "scaled, 5.0"),
    "a function to which something is bound": ("bindings", "factor * x", "factor - x"),
    "a date that is read": ("decided", "2021, 1, 4", "2021, 1, 5"),
    "a table that is read": ("helper", '"KWEB": 0.5', '"KWEB": 0.6'),
    "costs that are read": ("helper", "fee_bps=1.0", "fee_bps=2.0"),
    "a class that is read": ("helper", "level = 1.0", "level = 2.0"),
}


def made(text: str, what: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(text, namespace)
    return eval(what, namespace)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_ones_own_code_counts(change: str) -> None:
    what, old, new = CHANGES[change]
    assert CODE.count(old) == 1
    assert fingerprint(made(CODE, what)) == fingerprint(made(CODE, what))
    assert fingerprint(made(CODE, what)) != fingerprint(made(CODE.replace(old, new), what))


def test_what_is_not_read_does_not_count() -> None:
    changed = CODE.replace("0.5", "0.6").replace("return helper(1)", "return helper(2)")
    assert fingerprint(made(CODE, "Plan()")) == fingerprint(made(changed, "Plan()"))
    assert fingerprint(made(CODE, "deeper")) == fingerprint(made(changed, "deeper"))


def test_a_module_of_ones_own_is_read_by_what_is_named_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for number, word in enumerate((1, 1, 2)):
        name, text = f"own_rules_{number}", f"def half(x): return x / {word}\ndef unused(): return {number}"
        (tmp_path / f"{name}.py").write_text(text)
        found.append(fingerprint(made(f"import {name} as rules\ndef f(x): return rules.half(x)", "f")))
        monkeypatch.delitem(sys.modules, name)
    assert found[0] == found[1] != found[2]


def test_code_that_is_installed_or_the_librarys_is_not_gone_through() -> None:
    text = "import numpy as np, json, entrepot as ep\ndef f(x): return np.sum(x), json.dumps(x), ep.cap"
    alone = made(text.replace("np.sum(x), json.dumps(x), ep.cap", "np.sum, json.dumps, ep.cap"), "f")
    assert list(reads(made(text, "f"))) == list(reads(alone)) == []
    assert fingerprint(ep.LongHKShortADR()) == fingerprint(ep.LongHKShortADR())
