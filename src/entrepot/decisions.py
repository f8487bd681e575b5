"""Compiled decisions: what a strategy does inside the time loop, and the form in which it is handed over.

A decision is a plain function of ``(step, state, params, features, out)``. The engine calls it for one
configuration at a time, after equity has been recorded at ``step``, and compiles it first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from entrepot.errors import TargetError, shown
from entrepot.memory import require_memory

Floats = NDArray[np.float64]
Function = Callable[[int, Any, Floats, Floats, Floats], None]

OWN = "entrepot."
# Where compiled code cannot be kept our way: numba has changed inside, or a source is in no file of its own.
UNFIT = (ImportError, AttributeError, TypeError, OSError)
T = TypeVar("T")


class DecisionState(NamedTuple):
    """What a decision sees of its own configuration at a step. S single lines, P pairs, M numbers of its own.

    Args:
        equity: in base currency.
        shares: shape (S + 2P,), held of the single lines, then of the Hong Kong and the ADR leg of each pair.
            Cannot be written into.
        worth: shape (S + 2P,) or longer, value of one share of each in base currency at the last mark; NaN
            before the first price. Cannot be written into.
        memory: shape (M,), kept from step to step, zero at the start.
    """

    equity: float
    shares: Floats
    worth: Floats
    memory: Floats


class Identity:
    """A key that is equal for one object only, and keeps it alive so that no other takes its place."""

    __slots__ = ("of",)

    def __init__(self, of: object) -> None:
        self.of: object = of

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and other.of is self.of

    def __hash__(self) -> int:
        return id(self.of)


@dataclass(frozen=True, eq=False, repr=False)
class Decision:
    """A compiled decision and what it needs, for one configuration on one market of T steps.

    ``function(step, state, params, features, out)`` writes into ``out``, shape (S + 2P,), the weights of
    equity wanted in the S single lines, then of the Hong Kong legs of the P pairs, then how each pair is
    closed (0 trade, 1 convert, 2 cheapest). ``out`` comes filled with NaN, which leaves alone, and with 0 for
    the closings. It may read ``features[:, : step + 1]``, nothing later.

    Args:
        function: plain or njit; the same object for all configurations of a strategy.
        symbols: S single lines, in the market's order.
        pairs: P linked pairs as (Hong Kong symbol, ADR symbol).
        params: shape (Q,), the configuration's own numbers.
        features: makes the array (F, T, N) of floats that configurations with equal keys share.
        features_key: configurations of one function with equal keys have equal features.
        memory: M, how many numbers of its own a configuration keeps.
        steps: shape (T,), the steps at which it is asked; None: the market's decision steps.
        drift_band: relative drift beyond which the engine decides a standing target again; inf: never.
        notes: what a reader should know, a sentence each.
        planes: F, where something must know it before the features are made; 0: not said.
    """

    function: Function
    symbols: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    params: Floats
    features: Callable[[], Floats]
    features_key: Hashable
    memory: int = 0
    steps: NDArray[np.bool_] | None = None
    drift_band: float = np.inf
    notes: tuple[str, ...] = ()
    planes: int = 0

    def __repr__(self) -> str:
        named = getattr(self.function, "__name__", "a function")
        return f"Decision({named}: {len(self.symbols)} lines, {len(self.pairs)} pairs)"


def decides_itself(plan: object) -> bool:
    """Whether what a plan wants is told by its decision: not where a subclass writes its targets anew."""
    told = (name for kind in type(plan).__mro__ for name in ("decision", "targets") if name in vars(kind))
    return next(told, "decision" if not hasattr(plan, "targets") else "targets") == "decision"


def require_own_numbers(memory: int, configurations: int = 1) -> None:
    """Refuse what does not fit of the numbers that each of some configurations keeps of its own."""
    numbers = memory * configurations
    require_memory(8.0 * numbers, f"{numbers:,} numbers that decisions keep", "give a smaller memory")


def signature() -> Any:
    """Return numba's type of a decision function."""
    from numba import float64, int64, types, void

    state = types.NamedTuple((float64, float64[:], float64[::1], float64[:]), DecisionState)
    return void(int64, state, float64[::1], float64[:, :, ::1], float64[:])


def read_only_signature() -> Any:
    """Return numba's type of a decision with its state's fields one by one: into most it cannot write."""
    from numba import float64, int64, types, void

    def read(axes: int, layout: str) -> Any:
        return types.Array(float64, axes, layout, readonly=True)

    shares, worth, params, features = read(1, "A"), read(1, "C"), read(1, "C"), read(3, "C")
    return void(int64, float64, shares, worth, float64[:], params, features, float64[:])


def kept_on_disk(compile_it: Callable[[bool], T]) -> T:
    """Compile with a cache on disk, or without one where there is nowhere to keep it."""
    try:
        made: Any = compile_it(True)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return compile_it(False)
    if hasattr(made, "py_func"):
        with suppress(*UNFIT):  # then numba keeps it in files of its own
            from entrepot.kept_code import KeptCode

            made._cache = KeptCode(made.py_func)
    return cast("T", made)


@cache
def compiled(function: Function) -> Any:
    """Return a decision function as a first-class value that any kernel can call; compiled once per process.

    A function of one's own is bounds-checked and guarded: an exception in it makes infinite targets, which
    the engine refuses. The library's own are kept on disk.

    Raises:
        TargetError: where numba cannot compile it.
    """
    from numba import cfunc, njit
    from numba.core.errors import NumbaError

    plain = getattr(function, "py_func", function)
    if not callable(plain):
        raise TargetError(
            f"a decision's function is {shown(function)}: give a function of "
            "(step, state, params, features, out)"
        )
    home = sys.modules.get(plain.__module__)
    if plain.__module__.startswith(OWN) and getattr(home, plain.__name__, None) is function:
        options = {"nopython": True, "error_model": "numpy"}
        with suppress(*UNFIT):  # then as numba itself does
            from entrepot.kept_code import callback

            return kept_on_disk(lambda cache: callback(plain, signature(), cache, **options))
        return kept_on_disk(lambda cache: cfunc(signature(), cache=cache, **options)(plain))
    checked = njit(boundscheck=True, error_model="numpy")(plain)

    def reading(step, equity, shares, worth, memory, params, features, out):  # type: ignore[no-untyped-def]
        checked(step, DecisionState(equity, shares, worth, memory), params, features, out)

    def guarded(step: int, state: Any, params: Floats, features: Floats, out: Floats) -> None:
        try:
            read_only(step, state.equity, state.shares, state.worth, state.memory, params, features, out)
        except Exception:  # numba knows no narrower one; the engine reports the step
            out[:] = np.inf

    try:
        read_only = njit(read_only_signature())(reading)
        return cfunc(signature(), nopython=True)(guarded)
    except NumbaError as error:
        why = " ".join(str(error).split())
        name = getattr(plain, "__name__", plain)
        if "Cannot modify readonly array" in why:
            raise TargetError(
                f"the decision {name} writes into its features, params, shares or worth, which other "
                "configurations read too: write into out and state.memory alone"
            ) from error
        raise TargetError(
            f"the decision {name} cannot be compiled: {why[:300]}; keep to numbers and arrays"
        ) from error
