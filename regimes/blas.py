"""One thread for linear algebra on matrices too small for more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

_lock = Lock()
_inside = 0
_limited: Any = None


@cache
def _controller() -> Any:
    import scipy.linalg  # noqa: F401  its library must be there to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS to one thread inside, in every thread of the process, until the last one is out again.

    scipy's L-BFGS-B factors matrices of 40 rows at most; with more threads than idle processors these wait
    for each other: 92 ms instead of 2 for ten parameters, two processors, both busy.
    """
    global _inside, _limited
    with _lock:
        if _inside == 0:
            _limited = _controller().limit(limits=1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limited.restore_original_limits()
