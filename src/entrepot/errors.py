"""What entrepot raises when it is given something it cannot use."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import TypeGuard


class EntrepotError(ValueError):
    """Input that cannot be used: the message says what was given, what is allowed and the usual fix."""


class DataError(EntrepotError):
    """Prices, rates, events or listings that cannot be trusted."""


class TargetError(EntrepotError):
    """Targets that cannot be turned into orders."""


class ParameterError(EntrepotError):
    """A parameter outside what it may be."""


def shown(value: object) -> str:
    """Return a value as a message shows it: on one line, cut after 60 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def some_of(names: Sequence[str], most: int = 12) -> str:
    """Return names as a message lists them: the first of them, and how many more there are."""
    told = ", ".join(names[:most]) or "none"
    return told if len(names) <= most else f"{told} and {len(names) - most} more"


def near_word(word: str, known: Iterable[str]) -> str:
    """Return ", did you mean ...?" for a word that is close to a known one, "" otherwise."""
    spelt = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), list(spelt), n=1, cutoff=0.6)
    return f", did you mean {spelt[near[0]]}?" if near else ""


def no_parameter(owner: str, name: str, known: Sequence[str], inside: Sequence[str] = ()) -> ParameterError:
    """Return what is raised for a parameter that is not there, but perhaps in a part, as `part.name`."""
    hint = f", did you mean {' or '.join(inside)}?" if inside else near_word(name, known)
    return ParameterError(
        f"{owner} has no parameter {name!r}{hint or ':'} it has {', '.join(known) or 'none'}"
    )


def no_plan(given: object, wanted: str) -> str:
    """Say what was given in place of a plan or strategy, and what to give in its place."""
    if isinstance(given, type):
        return f"the class {given.__name__}: give an instance, {given.__name__}()"
    if callable(given):
        return "a function: make a strategy of it, entrepot.strategy(function)"
    plain = given is None or isinstance(given, str | int | float | list | tuple | dict)
    return f"{shown(given) if plain else f'a {type(given).__name__}'}: give {wanted}"


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a real number, numpy's included; True and False are not."""
    return type(value) is not bool and isinstance(value, Real)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is an integer, numpy's included; True and False are not."""
    return type(value) is not bool and isinstance(value, Integral)
