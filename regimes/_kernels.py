"""The switch that every detector shares, compiled: a plain loop over arrays, without fastmath."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from entrepot.decisions import kept_on_disk


def _hysteresis(
    enter: NDArray[np.bool_],
    leave: NDArray[np.bool_],
    session_count: NDArray[np.float64],
    bypass: NDArray[np.bool_],
    dwell: float,
    state: NDArray[np.bool_],
) -> None:
    """Run a switch over the steps: on where `enter` holds, off where `leave` does, else as it was.

    It starts off, and its first switch needs no dwell. After a switch at session count c no other is made
    before c + dwell, except where `bypass` holds.

    Args:
        enter: where it may go on, shape (n_steps,).
        leave: where it may go off, shape (n_steps,).
        session_count: shape (n_steps,), not descending.
        bypass: where the dwell does not hold, shape (n_steps,).
        dwell: sessions.
        state: filled, shape (n_steps,).
    """
    inside = False
    free_from = -np.inf
    for t in range(len(state)):
        may = leave[t] if inside else enter[t]
        if may and (session_count[t] >= free_from or bypass[t]):
            inside = not inside
            free_from = session_count[t] + dwell
        state[t] = inside


hysteresis = kept_on_disk(lambda cache: njit(cache=cache, nogil=True, error_model="numpy")(_hysteresis))
