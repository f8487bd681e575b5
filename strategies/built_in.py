"""Where the built-in decisions find their params, features and memory; known without loading numba."""

from __future__ import annotations

from entrepot.decisions import Function

# What a decision is: the first of its params.
CONVERGENCE, HOLDING, ROTATION, REPLAY, SWITCH = range(5)
# Planes of features, params and memory of each; what is by pair or line stands in its column.
Z, REVERSION, COST, FLAGS = range(4)
STALE, DEPARTED, ADR_SHORTABLE, HK_SHORTABLE = 1, 2, 4, 8
ENTRY, EXIT, PAIR_WEIGHT, REVERSE, ROUND_TRIP, CLOSING, OWN_COST = range(1, 8)
RICH, CHEAP, WANTED = range(3)

LEVEL, GONE = range(2)

GROWTH, GAPS, TILT, MEMBER, LEFT, ROW = range(6)
LOOKBACK, TOP, REBALANCE, GROSS, SKIP, SECTORS, TILTED = range(1, 8)

BY_PROBABILITY, DEADBAND, SINGLES, PAIRS, PARTS = range(1, 6)
CHARGE, AWAY = range(2)
# Of each part: where its params, features, memory and columns begin, their numbers, and its regimes.
FIRST_PARAM, FIRST_PLANE, LAST_PLANE, FIRST_SLOT, LAST_SLOT, ITS_SINGLES, ITS_PAIRS, FIRST_COLUMN = range(8)
TABLE, WIDTH, REGIMES = 6, 8, 4


def built_in() -> Function:
    """Return the one function that decides for every built-in strategy."""
    from entrepot.strategies import _kernels as kernels

    return kernels.decide
