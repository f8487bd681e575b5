"""Random numbers of a simulated market: one stream per purpose, and what reverts to its mean."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the random numbers of one purpose: the same whatever else is drawn."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(crc32(purpose.encode()),)))


def mean_reverting(
    rng: np.random.Generator, n_steps: int, half_life: float, scale: Floats | float = 1.0
) -> Floats:
    """Return a stationary AR(1) of unit variance, shape (n_steps,).

    The half-life is in steps; inf: one number for ever. ``scale``, of mean square 1, multiplies its shocks.
    """
    decay = 0.5 ** (1.0 / half_life)
    shocks = scale * rng.standard_normal(n_steps)
    if decay == 1.0:
        return np.full(n_steps, shocks[0])
    shocks[1:] *= np.sqrt(1.0 - decay**2) / (1.0 - decay)
    return smoothed(shocks, half_life)


def smoothed(values: Floats, half_life: float) -> Floats:
    """Return the exponentially weighted mean of what came up to each row, begun at the first, shape (T,)."""
    decay = 0.5 ** (1.0 / half_life)
    # The recursion y += (1 - decay) (x - y), compiled.
    return np.array(pd.Series(values).ewm(alpha=1.0 - decay, adjust=False).mean(), dtype=np.float64)
