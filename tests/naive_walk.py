"""Walking a detector forward row by row, everything done anew at each row, and its switch step by step."""

from __future__ import annotations

import numpy as np

from entrepot.errors import DataError


def complete(row) -> bool:
    return not np.isnan(row).any()


def walk(make, y, x, every, least, window=None):
    """The probability of the last state at each row, and (first, stop, accepted) of each fit.

    Args:
        make: makes a detector that has learned nothing.
        y: observations, one row after the other.
        x: intensities, as many rows, or None.
        every: rows between two fits.
        least: complete rows before the first.
        window: rows that a fit sees; None for all.
    """
    said, fits, due = [], [], None
    in_force, begins = None, 0
    for t in range(len(y)):
        if due is None and sum(complete(row) for row in y[:t]) >= least:
            due = t
        if t == due:
            due = t + every
            first = 0 if window is None else max(0, t - window)
            own = make()
            try:
                own.fit(y[first:t], None if x is None else x[first:t], previous=in_force)
                accepted = own.rejected_ == ""
            except DataError:
                accepted = False
            fits.append((first, t, accepted))
            if accepted:
                in_force, begins = own, first
        if in_force is None:
            said.append(np.nan)
        else:
            rows = slice(begins, t + 1)
            said.append(in_force.filter(y[rows], None if x is None else x[rows])[-1, -1])
    return np.array(said), fits


def states_on_steps(probability, known_at, time, session_count, enter, leave, dwell, shocks=()):
    """Whether a detector is on at each step, given what it said at each row and when rows were known."""
    on, free_from, states = False, -np.inf, []
    for step, now in enumerate(time):
        known = [p for p, at in zip(probability, known_at, strict=True) if at <= now]
        latest = known[-1] if known else np.nan
        wanted = latest >= leave if on else latest > enter
        if wanted != on and (session_count[step] >= free_from or step in shocks):
            on, free_from = wanted, session_count[step] + dwell
        states.append(on)
    return np.array(states)
