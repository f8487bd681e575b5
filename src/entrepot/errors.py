"""What entrepot raises when it is given something it cannot use."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from numbers import Integral, Rational, Real
from typing import Any, TypeGuard


class EntrepotError(ValueError):
    """Input that cannot be used: the message says what was given, what is allowed and the usual fix.

    A message may quote a file, and is shown in a terminal: what would steer that is written as an escape.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(visible(message, keep="\n"))


class DataError(EntrepotError):
    """Prices, rates, events or listings that cannot be trusted."""


class TargetError(EntrepotError):
    """Targets that cannot be turned into orders."""


class ParameterError(EntrepotError):
    """A parameter outside what it may be."""


def visible(text: str, keep: str = "") -> str:
    r"""Return text with ``\x1b`` and the like for what steers a terminal, writes backwards or is not seen.

    Args:
        text: from anywhere.
        keep: characters that stay as they are, such as line breaks.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep or unicodedata.category(c) == "Zs" else ascii(c)[1:-1] for c in text
    )


def shown(value: object) -> str:
    """Return a value as a message shows it: on one line, cut after 60 characters."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of more digits than Python writes
        text = f"a {type(value).__name__} too long to write"
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
    """Whether a value is a real number that numpy holds, numpy's included; truths and fractions are not."""
    if type(value) is float:  # most are, and a sweep of a million asks millions of times
        return True
    if isinstance(value, Integral):  # numpy makes an object of one with more bits
        return is_whole(value)
    return isinstance(value, Real) and not isinstance(value, Rational)


def is_listed(value: object) -> TypeGuard[Iterable[Any]]:
    """Whether a value holds others one after the other; an array without an axis does not, nor a table."""
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) == 1


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is an integer of 64 bits, numpy's included; True and False are not."""
    return type(value) is not bool and isinstance(value, Integral) and -(2**63) <= int(value) < 2**63
