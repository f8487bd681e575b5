"""How a symbol is written."""

from __future__ import annotations

import re

from entrepot.errors import ParameterError


def hk_symbol(code: str) -> str:
    """A Hong Kong code as the symbol used everywhere: "9988", "09988" and "9988.HK" are "9988.HK".

    Raises:
        ParameterError: not one to five digits with or without ".HK".
    """
    digits = re.fullmatch(r"([0-9]{1,5})(\.HK)?", str(code).strip().upper())
    if digits is None:
        raise ParameterError(f"{code!r} is not a Hong Kong code; write it as 9988 or 9988.HK")
    return f"{int(digits[1]):04d}.HK"
