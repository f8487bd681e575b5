"""Fingerprints of what may hold itself, is not assigned yet, or differs in its names only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from entrepot.engine.fingerprints import fingerprint


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
