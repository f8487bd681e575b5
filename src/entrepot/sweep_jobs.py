"""What it takes to run any configuration of a sweep, here or in another process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from threading import Lock
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from entrepot.configurations import STRATEGY, Grid, are_several, contents_of
from entrepot.decisions import Decision, Identity, decides_itself
from entrepot.engine.batch import Bench
from entrepot.engine.costs import Costs
from entrepot.engine.figures import columns_of
from entrepot.engine.fingerprints import PLAIN
from entrepot.engine.plans import carried_path
from entrepot.engine.sweep import Rows
from entrepot.errors import EntrepotError, ParameterError, no_parameter
from entrepot.markets.market import Market
from entrepot.regimes import Events, RegimeModel, RegimePath
from entrepot.regimes.arguments import changed_fields
from entrepot.strategies import RegimeSwitch
from entrepot.strategies.composition import Composition

# Configurations whose targets are made beforehand that are held at once: 2 MB each on 8,000 steps.
PLANS = 16
# Regime paths, each with its prepared market, that are kept ready.
BENCHES = 4
MODEL = "model."


@dataclass(frozen=True, eq=False)
class SweepJob:
    """All that it takes to run any configuration of a sweep, here or in another process.

    Args:
        market: of every configuration.
        strategies: by name; one of them, named "", where the sweep has one.
        configurations: parameters by number.
        path: of every configuration, where no parameter changes the model.
        model: whose path is walked for each choice of its parameters.
        events: what the model walks over.
        capital: of each configuration.
        base_currency: of equity.
        costs: what trading and holding cost.
    """

    market: Market
    strategies: Mapping[str, Any]
    configurations: Grid | Sequence[Mapping[str, Any]]
    path: RegimePath | None
    model: RegimeModel | None
    events: Events | None
    capital: float
    base_currency: str
    costs: Costs
    _benches: OrderedDict[Hashable, Bench] = field(default_factory=OrderedDict, init=False, repr=False)
    _lock: Any = field(default_factory=Lock, init=False, repr=False)
    _contents: dict[Identity, Hashable] = field(default_factory=dict, init=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        own = (item.name for item in fields(self) if item.init)
        return {name: getattr(self, name) for name in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        anew = {item.name: cast("Any", item.default_factory)() for item in fields(self) if not item.init}
        for name, value in (state | anew).items():
            object.__setattr__(self, name, value)

    def bench(self, parameters: Mapping[str, Any], plan: Any) -> Bench:
        """The market with the regime path of a configuration, ready to run."""
        own = self.world(parameters, plan)
        with self._lock:
            bench = self._benches.get(own)
            if bench is None:
                bench = self._benches[own] = Bench(
                    self.market,
                    costs=self.costs,
                    capital=self.capital,
                    base_currency=self.base_currency,
                    path=self._path(parameters, plan),
                )
                while len(self._benches) > BENCHES:
                    self._benches.popitem(last=False)
            return bench

    def world(self, parameters: Mapping[str, Any], plan: Any) -> Hashable:
        """What configurations with the same regime path have in common."""
        return Identity(self._path(parameters, plan)) if self.model is None else self.choice(parameters)

    def choice(self, parameters: Mapping[str, Any]) -> Hashable:
        """What configurations with the same parameters of the regime model have in common."""
        return tuple((name, self._key(value)) for name, value in of_model(parameters).items())

    def _key(self, value: object) -> Hashable:
        """Stand for a value: plain ones with their type, since True is 1, others by what they hold."""
        if type(value) in PLAIN:
            return type(value), value
        own = Identity(value)
        if own not in self._contents:  # a grid holds one object in many configurations
            self._contents[own] = contents_of(value)
        return self._contents[own]

    def _path(self, parameters: Mapping[str, Any], plan: Any) -> RegimePath | None:
        """The path of the sweep, of its model, or where it has neither, the strategy's own."""
        if self.model is None or self.events is None:
            return carried_path(plan) if self.path is None else self.path
        model: RegimeModel = changed(self.model, of_model(parameters))
        return model.walk_forward(self.market, self.events)

    def plan(self, parameters: Mapping[str, Any]) -> Any:
        """The strategy with the parameters of a configuration."""
        several = are_several(self.strategies)
        own = {
            name: value
            for name, value in parameters.items()
            if not (several and name == STRATEGY) and not name.startswith(MODEL)
        }
        return changed(self.strategies[parameters[STRATEGY] if several else ""], own)

    def wanted(self, plan: Any, bench: Bench) -> Any:
        """What the engine runs for a strategy: a compiled decision, or targets."""
        path = cast("RegimePath | None", bench.path)
        plan = self.on_path(plan, path)
        if decides_itself(plan):
            return plan.decision(self.market, path)
        return plan.targets(self.market, path)

    def on_path(self, plan: Any, path: RegimePath | None) -> Any:
        """What carries a path follows that of the sweep's model, where there is one, and else its own."""
        if self.model is not None and isinstance(plan, (RegimeSwitch, Composition)) and path is not None:
            return plan.with_(path=path)
        return plan

    def prepared(self, parameters: Mapping[str, Any]) -> tuple[Bench, Any]:
        """The bench of a configuration and what runs on it."""
        plan = self.plan(parameters)
        bench = self.bench(parameters, plan)
        return bench, self.wanted(plan, bench)

    def blocks(
        self, index: NDArray[np.int64], refused: list[str], stop: NDArray[np.int8] | None = None
    ) -> Iterator[tuple[Bench, list[int], list[Any]]]:
        """Cut configurations into neighbours of one regime path: the bench, places in the index, what runs.

        Why one cannot be made goes to its place in `refused`; nothing more is made once `stop` is set.
        """
        ready: list[Any] = []
        places: list[int] = []
        bench: Bench | None = None
        for place, number in enumerate(index):
            if stop is not None and stop[0] != 0:
                break
            try:
                own, wanted = self.prepared(self.configurations[int(number)])
            except EntrepotError as error:
                refused[place] = str(error)
                continue
            full = len(ready) == PLANS and not isinstance(wanted, Decision)
            if bench is not None and ready and (own is not bench or full):
                yield bench, places, ready
                ready, places = [], []
            bench = own
            ready.append(wanted)
            places.append(place)
        if bench is not None and ready:
            yield bench, places, ready

    def run(self, index: NDArray[np.int64], stop: NDArray[np.int8] | None = None) -> Rows:
        """Run some configurations, neighbours with the same regime path together."""
        width = len(columns_of(self.regimes))
        figures, done = np.full((len(index), width), np.nan), np.zeros(len(index), dtype=bool)
        refused = [""] * len(index)
        for bench, places, ready in self.blocks(index, refused, stop):
            tallied = bench.run(ready, stop=stop)
            # Figures by regime are the last columns: a configuration without a path has none.
            figures[places, : tallied.table.shape[1]] = tallied.table.to_numpy()
            done[places] = tallied.done
            for place, why in zip(places, tallied.refused, strict=True):
                refused[place] = why
        done |= np.array([bool(why) for why in refused], dtype=bool)
        return Rows(index, figures, tuple(refused), done)

    @property
    def regimes(self) -> tuple[str, ...]:
        """Names of the regimes that profit and costs are split by; none without a path."""
        paths = [self.path, self.model, *map(carried_path, self.strategies.values())]
        return () if all(path is None for path in paths) else RegimePath.names

    def order(self, numbers: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Configurations in the order in which they are run: those that share features beside each other.

        Args:
            numbers: shape (C,), which configurations; None: all.

        Returns:
            Shape (C,), places in `numbers`.

        Raises:
            EntrepotError: where no configuration can be made, for the reason of the first.
        """
        numbers = np.arange(len(self.configurations)) if numbers is None else numbers
        first: EntrepotError | None = None
        # By regime path first: each is walked once, however the grid goes through them.
        world = self._worlds(numbers)
        groups: dict[Hashable, int] = {}
        group = np.full(len(numbers), -1, dtype=np.int64)
        for place in np.argsort(world, kind="stable"):
            parameters = self.configurations[int(numbers[place])]
            try:
                plan = self.plan(parameters)
                bench = self.bench(parameters, plan)
                shared = self.wanted(plan, bench).features_key if decides_itself(plan) else None
            except EntrepotError as error:
                first = first or error
                continue
            group[place] = groups.setdefault((int(world[place]), shared), len(groups))
        if first is not None and not groups:
            raise first
        return np.argsort(group, kind="stable")

    def _worlds(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number the regime paths of some configurations, (C,); 0 also where none can be made."""
        world = np.zeros(len(numbers), dtype=np.int64)
        if self.model is None and (self.path is not None or not self.regimes):
            return world  # one path or none, whatever the strategy: a million need not be made to see that
        worlds: dict[Hashable, int] = {}
        for place, number in enumerate(numbers):
            parameters = self.configurations[int(number)]
            with suppress(EntrepotError):  # why, is told by whoever runs it
                world[place] = worlds.setdefault(self.world(parameters, self.plan(parameters)), len(worlds))
        return world


def changed(owner: Any, values: Mapping[str, Any]) -> Any:
    """Return a strategy or model with parameters changed; a dotted name reaches into a part.

    Parameters of one owner are changed together, since what one may be can depend on another.

    Raises:
        ParameterError: where there is no such parameter.
    """
    own = {name: value for name, value in values.items() if "." not in name}
    if own:
        owner = changed_together(owner, own)
    parts: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        head, dot, rest = name.partition(".")
        if dot:
            parts.setdefault(head, {})[rest] = value
    for head, inner in parts.items():
        if not hasattr(owner, head) or isinstance(getattr(owner, head), type):
            raise ParameterError(
                f"{type(owner).__name__} has no part {head!r}: {head}.{next(iter(inner))} names none of its "
                "parameters"
            )
        owner = changed_together(owner, {head: changed(getattr(owner, head), inner)})
    return owner


def changed_together(owner: Any, values: Mapping[str, Any]) -> Any:
    """Return a strategy or model with its own parameters changed."""
    if hasattr(owner, "with_"):
        return owner.with_(**values)
    own = fields(owner) if hasattr(owner, "__dataclass_fields__") else ()
    known = [item.name for item in own if item.init]
    for name in values:
        if name not in known:
            raise no_parameter(type(owner).__name__, name, known)
    return changed_fields(owner, values)


def of_model(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of the regime model, under its own names for them."""
    return {name.removeprefix(MODEL): value for name, value in parameters.items() if name.startswith(MODEL)}
