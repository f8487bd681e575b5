"""A strategy of one's own that decides inside the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from entrepot.decisions import Decision, Function, Identity
from entrepot.errors import ParameterError, TargetError, is_number, no_parameter, shown
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind
from entrepot.regimes.path import RegimePath
from entrepot.strategies.targets import require, require_band, require_market, require_symbols

MakeFeatures = Callable[..., NDArray[np.float64]]


def no_features(market: Market, path: RegimePath | None) -> NDArray[np.float64]:
    """Return the features of a decision that reads none, shape (0, T, 0)."""
    return np.empty((0, len(market), 0))


@dataclass(frozen=True, eq=False, repr=False)
class CompiledStrategy:
    """A function of one's own, compiled and called inside the time loop, where it can see its own book.

    It is called at each decision step as ``decide(step, state, params, features, out)``; see `Decision`.
    ``params`` holds the numbers of ``parameters`` in their order. ``state.memory`` is what it keeps for
    itself, ``state.equity``, ``state.shares`` and ``state.worth`` what it owns. What it may read of
    ``features`` ends at ``[:, step]``.

        >>> import numpy as np
        >>> import entrepot as ep
        >>> market = ep.simulate_market(start="2024-01-02", end="2024-06-28", seed=7)
        >>> def momentum(market, path, lookback):
        ...     past = market.price[["KWEB", "FXI"]].ffill().pct_change(4 * lookback)
        ...     return past.to_numpy()[None]
        >>> def decide(step, state, params, features, out):
        ...     for k in range(2):
        ...         held = state.shares[k] != 0.0
        ...         wanted = features[0, step, k] > params[1]
        ...         if wanted != held:
        ...             out[k] = 0.4 if wanted else 0.0
        >>> plan = ep.CompiledStrategy(
        ...     decide,
        ...     symbols=["KWEB", "FXI"],
        ...     parameters={"lookback": 20, "threshold": 0.0},
        ...     features=momentum,
        ...     shared=["lookback"],
        ... )
        >>> swept = ep.sweep(market, plan, {"lookback": [10, 20], "threshold": [0.0, 0.02]}, progress=False)
        >>> len(swept.table)
        4

    Args:
        decide: plain or njit; numbers and arrays only.
        symbols: single lines, one column of ``out`` each, in the market's order whatever theirs here.
        pairs: linked pairs as ADR or Hong Kong symbols, one column each after the single lines.
        parameters: numbers by name.
        features: called as ``features(market, path, **shared)``, returns floats of shape (F, T, N); None: no
            features.
        shared: names of the parameters that the features depend on. They are computed once for each choice of
            these, however many configurations share it.
        memory: how many numbers of its own it keeps, zero at the start.
        every_step: ask it at every step, not at the market's decision steps only.
        drift_band: see `Targets`.

    Raises:
        ParameterError: on a parameter that is no number or has no name, a shared name that is no parameter.
    """

    decide: Function
    symbols: Sequence[str] = ()
    pairs: Sequence[str] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    features: MakeFeatures | None = None
    shared: Sequence[str] = ()
    memory: int = 0
    every_step: bool = False
    drift_band: float = np.inf

    def __post_init__(self) -> None:
        if not callable(self.decide):
            raise ParameterError(
                f"decide is {kind(self.decide)}: give a function of (step, state, params, features, out)"
            )
        if self.features is not None and not callable(self.features):
            raise ParameterError(
                f"features is {kind(self.features)}: give a function of (market, path, **shared)"
            )
        object.__setattr__(self, "symbols", require_symbols("symbols", self.symbols))
        object.__setattr__(self, "pairs", require_symbols("pairs", self.pairs))
        object.__setattr__(self, "shared", require_symbols("shared", self.shared))
        if not isinstance(self.parameters, Mapping):
            raise ParameterError(f"parameters is {kind(self.parameters)}: give numbers by name")
        for name, value in self.parameters.items():
            if not isinstance(name, str):
                raise ParameterError(f"a parameter is named {shown(name)}: give its name as text")
            if not is_number(value):
                raise ParameterError(f"the parameter {name} is {kind(value)}: give a number")
        for name in self.shared:
            if name not in self.parameters:
                raise ParameterError(f"shared names {shown(name)}: give one of {', '.join(self.parameters)}")
        if not self.symbols and not self.pairs:
            raise ParameterError("there is nothing to hold: give symbols or pairs")
        require("memory", self.memory, 0, whole=True)
        require_band(self.drift_band)

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value:g}" for name, value in self.parameters.items())
        return f"CompiledStrategy({getattr(self.decide, '__name__', 'a function')}: {told})"

    def with_(self, **changes: float) -> Self:
        """Return a copy with some parameters changed."""
        for name in changes:
            if name not in self.parameters:
                raise no_parameter(repr(self), name, list(self.parameters))
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return type(self)(**(own | {"parameters": {**self.parameters, **changes}}))

    def decision(self, market: Market, path: RegimePath | None = None) -> Decision:
        """Return what is decided inside the loop.

        Raises:
            ParameterError: for a symbol or pair that the market does not have, and a pair named twice.
        """
        require_market(market, "CompiledStrategy")
        hk_of = dict(zip(market.pairs.index, market.pairs["hk"], strict=True)) if self.pairs else {}
        adr_of = {hk: adr for adr, hk in hk_of.items()} | {adr: adr for adr in hk_of}
        unknown = [name for name in self.symbols if name not in market.symbols]
        unknown += [name for name in self.pairs if name not in adr_of]
        if unknown:
            raise ParameterError(
                f"{', '.join(unknown)} cannot be traded in this market: give symbols of its lines, and pairs "
                "of which it has both legs"
            )
        pairs = tuple((hk_of[adr_of[name]], adr_of[name]) for name in self.pairs)
        if len(set(pairs)) < len(pairs):
            twin = "/".join(next(pair for pair in pairs if pairs.count(pair) > 1))
            raise ParameterError(f"pairs names {twin} twice: give one symbol of each pair")
        shared = {name: self.parameters[name] for name in self.shared}
        return Decision(
            function=self.decide,
            symbols=tuple(symbol for symbol in market.symbols if symbol in self.symbols),
            pairs=pairs,
            params=np.array([float(value) for value in self.parameters.values()], dtype=np.float64),
            features=partial(self._features, market, path, shared),
            features_key=(Identity(self.features), *shared.items()),
            memory=int(self.memory),
            steps=np.ones(len(market), dtype=bool) if self.every_step else None,
            drift_band=self.drift_band,
        )

    def _features(
        self, market: Market, path: RegimePath | None, shared: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        made = no_features(market, path) if self.features is None else self.features(market, path, **shared)
        told = f"the features of {self!r} are {kind(made)}: return floats of shape (features, steps, columns)"
        if np.ma.isMaskedArray(made):
            raise TargetError(told)
        try:
            return np.ascontiguousarray(made, dtype=np.float64)
        except (ValueError, TypeError) as error:
            raise TargetError(told) from error
