"""Answers about a finished run, worked out once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

Answer = TypeVar("Answer", pd.DataFrame, np.ndarray)


def once_per_ledger(function: Callable[[Ledger], Answer]) -> Callable[[Ledger], Answer]:
    """Ask a ledger, which never changes, once and hand out copies; forget it when it is gone."""
    known: WeakKeyDictionary[Ledger, Answer] = WeakKeyDictionary()

    @wraps(function)
    def answer(ledger: Ledger) -> Answer:
        if ledger not in known:
            known[ledger] = function(ledger)
        return known[ledger].copy()

    return answer
