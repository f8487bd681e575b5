"""What entrepot raises when it is given something it cannot use."""

from __future__ import annotations

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


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a real number, numpy's included; True and False are not."""
    return type(value) is not bool and isinstance(value, Real)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is an integer, numpy's included; True and False are not."""
    return type(value) is not bool and isinstance(value, Integral)
