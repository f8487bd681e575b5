"""What entrepot raises when it is given something it cannot use."""

from __future__ import annotations


class EntrepotError(ValueError):
    """Input that cannot be used: the message says what was given, what is allowed and the usual fix."""


class DataError(EntrepotError):
    """Prices, rates, events or listings that cannot be trusted."""


class TargetError(EntrepotError):
    """Targets that cannot be turned into orders."""


class ParameterError(EntrepotError):
    """A parameter outside what it may be."""
