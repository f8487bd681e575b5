"""What an object hands out of its own cannot be written into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd


class Guarded:
    """Hands out frames as copies, which pandas makes when one is written to, and arrays read-only.

    Many read the same market, path and result. What one of them changed for itself, a mask or a rate turned
    round, would be in the numbers of all that come after.
    """

    if not TYPE_CHECKING:  # to which every name would be one of Any's

        def __getattribute__(self, name: str) -> Any:
            value = object.__getattribute__(self, name)
            if isinstance(value, pd.DataFrame | pd.Series):
                return value.copy(deep=False)
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            return value
