"""The bar that shows how far something long has come."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm.auto import tqdm


def progress_bar(over: Iterable[Any] | None = None, *, show: bool | None, **how: Any) -> tqdm[Any]:
    """Return a bar of tqdm, silent where the program has no standard error, as one without a console.

    Args:
        over: what is gone through; None: the bar is moved by its `update`.
        show: whether there is a bar; None: only in a terminal.
        **how: as tqdm takes it.
    """
    silent = None if show is None else not show
    return tqdm(over, disable=silent if sys.stderr is not None else True, **how)
