"""A strategy from a plain function of the market."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from inspect import Parameter, signature
from typing import Any, Self, overload

import numpy as np
import pandas as pd

from entrepot.errors import ParameterError, TargetError, no_parameter
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind
from entrepot.regimes.path import RegimePath
from entrepot.strategies.targets import Targets, require_market, require_path

DECISION = ("step", "state", "params", "features", "out")


@dataclass(frozen=True, eq=False, repr=False)
class FunctionStrategy:
    """A function that turns a market into weights, with its parameters; made by `strategy`.

    Args:
        function: its first argument is the market; one named ``path`` is the regime path, or None; all others
            are parameters.
        parameters: values by name, those of the function's defaults included.

    Raises:
        ParameterError: for what is no such function, a parameter it does not have, and one without a value.
    """

    function: Callable[..., Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = dict(self.parameters)
        defaults = parameters_of(self.function)
        for name in given:
            if name not in defaults:
                raise no_parameter(self.name, name, list(defaults))
        values = {name: given.get(name, default) for name, default in defaults.items()}
        missing = [name for name, value in values.items() if value is Parameter.empty]
        if missing:
            raise ParameterError(
                f"{self.name} has no value for {', '.join(missing)}: give the argument a default, or a value "
                f"as in strategy(function, {missing[0]}=...)"
            )
        object.__setattr__(self, "parameters", values)

    @property
    def name(self) -> str:
        """The function's name."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.parameters.items())})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FunctionStrategy)
            and other.function is self.function
            and all(alike(value, other.parameters[name]) for name, value in self.parameters.items())
        )

    def __hash__(self) -> int:
        return hash(self.function)

    def __getattr__(self, name: str) -> Any:
        parameters = self.__dict__.get("parameters", {})  # not there yet while it is unpickled
        if name not in parameters:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return parameters[name]

    def __reduce__(self) -> tuple[Any, ...]:
        module, place = getattr(self.function, "__module__", ""), getattr(self.function, "__qualname__", "")
        held = named(module, place)
        if isinstance(held, FunctionStrategy) and held.function is self.function:  # by its decorator
            return decorated, (module, place, self.parameters)
        return type(self), (self.function, self.parameters)

    def with_(self, **changes: Any) -> Self:
        """Return a copy with some parameters changed; an unknown name is refused."""
        return type(self)(self.function, {**self.parameters, **changes})

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return what the function wants at every step of the market.

        Args:
            market: handed to the function.
            path: handed to the function if it has an argument of that name.

        Raises:
            TargetError: where the function returns no frame of weights or `Targets`, or returns what does not
                fit the market.
            ParameterError: for what is no market, for a path of other steps, and for none where the function
                reads it.
        """
        require_market(market, self.name)
        if path is not None:
            path = require_path(market, path, self.name)
        own = {"path": path} if "path" in list(signature(self.function).parameters)[1:] else {}
        try:
            made = self.function(market, **own, **self.parameters)
        except AttributeError as error:
            if own and path is None and error.obj is None:  # most often path.regime of a path not given
                raise ParameterError(
                    f"{self.name} needs a regime path: pass path=model.walk_forward(market, events)"
                ) from error
            raise
        if isinstance(made, pd.DataFrame):
            return Targets.from_frame(market, made)
        if not isinstance(made, Targets):
            raise TargetError(
                f"{self.name} returned {kind(made)}: return a DataFrame of weights (dates or times of steps "
                "x symbols), or Targets"
            )
        made.check(market)
        return made


@overload
def strategy(function: Callable[..., Any], /, **parameters: Any) -> FunctionStrategy: ...
@overload
def strategy(function: None = None, /, **parameters: Any) -> Callable[..., FunctionStrategy]: ...
def strategy(function: Callable[..., Any] | None = None, /, **parameters: Any) -> Any:
    """Make a strategy of a function ``(market, path, *, lookback=20, ...)``; also as a decorator.

    The function's first argument is the market. It may have one named ``path``, the regime path or None. All
    others are parameters, with their defaults: ``with_(lookback=40)`` changes one, and a sweep varies them.
    It returns a DataFrame of weights as `entrepot.backtest` reads one, every number an order, or `Targets`:
    ``Targets.from_frame(market, frame, drift_band=0.1)`` holds constant weights without trading each day,
    ``Targets.from_pairs`` trades linked pairs. What it reads at a step must have been known by then:
    `check_causal` tells.

        >>> import entrepot as ep
        >>> @ep.strategy
        ... def momentum(market, *, symbols=("KWEB", "FXI"), lookback=60):
        ...     close = market.price.loc[market.decision_steps, list(symbols)]
        ...     return (close.pct_change(lookback, fill_method=None) > 0) * 0.4
        >>> momentum
        momentum(symbols=('KWEB', 'FXI'), lookback=60)
        >>> momentum.with_(lookback=20).targets(ep.simulate_market("2024-01-02", "2024-06-28")).drift_band
        inf

    Args:
        function: as above. Without one, returns a decorator.
        parameters: values that replace defaults.

    Raises:
        ParameterError: for what is no such function, and a parameter that it does not have.
    """
    if function is None:
        return lambda own: FunctionStrategy(own, parameters)
    return FunctionStrategy(function, parameters)


def parameters_of(function: object) -> dict[str, Any]:
    """Return the defaults of a function's parameters, `Parameter.empty` where there is none.

    Raises:
        ParameterError: for what cannot be called with a market and parameters by name.
    """
    if isinstance(function, type) or not callable(function):
        raise ParameterError(f"the function is {kind(function)}: give a function of (market, path, *, ...)")
    arguments = signature(function).parameters
    if tuple(arguments) == DECISION:
        raise ParameterError(
            "the function is a compiled decision: hand it to CompiledStrategy(decide, symbols=[...])"
        )
    market, *others = arguments.values() or [Parameter("none", Parameter.VAR_KEYWORD)]
    if market.kind not in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD):
        raise ParameterError("the function has no argument for the market: its first is (market, ...)")
    for other in others:
        if other.kind not in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY):
            raise ParameterError(
                f"the function's argument {other} has no name to give it by: name each parameter, with its "
                "default"
            )
    return {other.name: other.default for other in others if other.name != "path"}


def alike(one: object, other: object) -> bool:
    """Tell whether two parameters or parts are equal; what is or holds an array or frame must be one object.

    Where equal ones are told apart they are asked twice, to the same end.
    """
    if one is other:
        return True
    whole = not isinstance(one, (np.ndarray, pd.DataFrame, pd.Series, pd.Index))
    held, others = (getattr(value, "__dict__", None) for value in (one, other))
    try:
        # A dataclass is equal by its fields, whatever a subclass of it keeps beside them.
        return whole and type(one) is type(other) and bool(one == other and held == others)
    except ValueError:
        return False


def named(module: str, place: str) -> Any:
    """Return what a module has under a dotted name, None where it has nothing."""
    return reduce(lambda owner, name: getattr(owner, name, None), place.split("."), sys.modules.get(module))


def decorated(module: str, place: str, parameters: Mapping[str, Any]) -> FunctionStrategy:
    """Return a strategy whose function is known by the name of its decorated self."""
    from importlib import import_module

    import_module(module)
    return FunctionStrategy(named(module, place).function, parameters)
