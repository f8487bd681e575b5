"""How a symbol is written, and which ones an argument names."""

from __future__ import annotations

import re
from typing import Any

from entrepot.errors import ParameterError, is_listed, shown


def hk_symbol(code: str) -> str:
    """A Hong Kong code as the symbol used everywhere: "9988", "09988" and "9988.HK" are "9988.HK".

    Raises:
        ParameterError: not one to five digits with or without ".HK".
    """
    digits = re.fullmatch(r"([0-9]{1,5})(\.HK)?", str(code).strip().upper())
    if digits is None:
        raise ParameterError(f"{code!r} is not a Hong Kong code; write it as 9988 or 9988.HK")
    return f"{int(digits[1]):04d}.HK"


def symbols_named(argument: str, given: object) -> list[str]:
    """Return the symbols that an argument names, one or several; a generator is read once.

    Raises:
        ParameterError: for what is no text and no list of texts.
    """
    named: list[Any] = [given] if isinstance(given, str) else list(given) if is_listed(given) else [None]
    if not all(isinstance(symbol, str) for symbol in named):
        raise ParameterError(f"{argument}={shown(given)} is no list of symbols: give such as ['9988.HK']")
    return named
