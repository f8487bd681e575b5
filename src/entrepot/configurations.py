"""The configurations of a sweep: the values of its parameters, each combination of them, and their labels."""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Iterable, Mapping, MappingView, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from math import prod
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.decisions import Identity
from entrepot.engine.fingerprints import told
from entrepot.engine.plans import decides
from entrepot.errors import ParameterError, is_listed, is_number, no_plan, shown
from entrepot.regimes.arguments import plain

Parameters = Mapping[str, Iterable[Any]] | list[Mapping[str, Any]] | tuple[Mapping[str, Any], ...]

STRATEGY = "strategy"
# Values of one parameter; what goes on for ever has more.
MOST_VALUES = 2_000_000
LONGEST_LABEL = 40
PLAIN = (str, int, float, datetime.date, NoneType)


@dataclass(frozen=True, eq=False)
class Grid:
    """Every combination of some values, the last name's fastest; combinations are made when asked for.

    Args:
        choices: values by name, each not empty.
    """

    choices: Mapping[str, tuple[Any, ...]]

    @property
    def count(self) -> int:
        """How many combinations there are: of an absurd grid more than a length may be."""
        return prod(len(values) for values in self.choices.values())

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict[str, Any]:
        chosen = {}
        for name, values in reversed(list(self.choices.items())):
            number, place = divmod(number, len(values))
            chosen[name] = values[place]
        return dict(reversed(chosen.items()))


def are_several(strategies: Mapping[str, Any]) -> bool:
    """Whether strategies are told apart by name, so that the parameter "strategy" is which of them it is."""
    return list(strategies) != [""]


def named(strategy: Any) -> dict[str, Any]:
    """Return strategies by name: one alone is named ""."""
    if isinstance(strategy, Mapping):
        found = {str(name): one for name, one in strategy.items()}
    elif isinstance(strategy, (list, tuple)):
        kinds = [type(one).__name__ for one in strategy]
        found = {
            kind if kinds.count(kind) == 1 else f"{kind} {i}": one
            for i, (kind, one) in enumerate(zip(kinds, strategy, strict=True))
        }
    else:
        found = {"": strategy}
    for one in found.values():
        if isinstance(one, type) or not (hasattr(one, "targets") or decides(one)):
            raise ParameterError(f"the strategy is {no_plan(one, 'a strategy, such as LongHKShortADR()')}")
    if not found:
        raise ParameterError("no strategy was given: give one, or several by name")
    return found


def configurations_of(
    parameters: Parameters, strategies: Mapping[str, Any]
) -> tuple[Grid | list[dict[str, Any]], list[str]]:
    """The configurations and the names of their parameters."""
    several = are_several(strategies)
    if isinstance(parameters, Mapping):
        values: dict[str, tuple[Any, ...]] = {STRATEGY: tuple(strategies)} if several else {}
        for name, given in parameters.items():
            if isinstance(given, str) or not is_listed(given):
                raise ParameterError(
                    f"{name} is {shown(given)}: give its values in a list, such as [{given}]"
                )
            if isinstance(given, Set) and not isinstance(given, MappingView):  # another order in each process
                raise ParameterError(
                    f"{name} is a {type(given).__name__}, which has no order: give its values in a list"
                )
            values[str(name)] = values_of(name, given)
            if not values[str(name)]:
                raise ParameterError(f"{name} has no values: give at least one")
        for name in values[STRATEGY] if several else ():
            check_strategy(name, strategies)
        grid = Grid(values)
        if not values:
            raise ParameterError("there are no parameters: give values by name, or a list of configurations")
        return grid, list(values)
    if not isinstance(parameters, (list, tuple)) or not parameters:
        raise ParameterError(
            f"parameters is {shown(parameters)}: give values by name, or a list with a dict for each "
            "configuration"
        )
    found = []
    for given in parameters:
        if not isinstance(given, Mapping):
            raise ParameterError(f"a configuration is {shown(given)}: give a dict of values by name")
        if several:
            check_strategy(given.get(STRATEGY), strategies)
        found.append({str(name): plain(value) for name, value in given.items()})
    return found, list(dict.fromkeys(name for given in found for name in given))


def values_of(name: object, given: Iterable[Any]) -> tuple[Any, ...]:
    """Return the values of a parameter, none of them numpy's; refuse values without end."""
    values = tuple(plain(value) for value in islice(given, MOST_VALUES + 1))
    if len(values) > MOST_VALUES:
        raise ParameterError(f"{name} has more than {MOST_VALUES:,} values: give fewer of them")
    return values


def check_strategy(name: object, strategies: Mapping[str, Any]) -> None:
    """Refuse a name that none of several strategies has."""
    if not isinstance(name, str) or name not in strategies:
        raise ParameterError(f"a configuration has the strategy {shown(name)}: give {', '.join(strategies)}")


def parameter_table(
    configurations: Grid | Sequence[Mapping[str, Any]], names: Sequence[str], numbers: NDArray[np.int64]
) -> pd.DataFrame:
    """Return a column for each parameter and a row for each configuration asked for by number."""
    columns: dict[str, Any] = {}
    if isinstance(configurations, Grid):
        place = numbers.copy()
        for name, values in reversed(list(configurations.choices.items())):
            place, own = np.divmod(place, len(values))
            choices = pd.Series(list(values), dtype=None if len(set(map(type, values))) == 1 else object)
            if choices.dtype != object:
                columns[name] = choices.iloc[own].to_numpy()
            else:
                columns[name] = column_from([values[i] for i in own], numbers)
        columns = dict(reversed(columns.items()))
    else:
        for name in names:
            columns[name] = column_from([configurations[int(i)].get(name) for i in numbers], numbers)
    return pd.DataFrame(columns, index=numbers)


def column_from(values: list[Any], numbers: NDArray[np.int64]) -> pd.Series[Any]:
    """Return values of a parameter as a column, by number; None stays None, as NaN it would be another."""
    return pd.Series(values, numbers, dtype=object if any(value is None for value in values) else None)


def matching(values: pd.Series[Any], wanted: object) -> NDArray[np.bool_]:
    """Whether each value is the one wanted, or where none is that, one of those that it holds.

    Args:
        values: of one parameter, shape (C,).
        wanted: a value, or a list, set, range or the like of several.

    Raises:
        ParameterError: for values without end.
    """
    items: tuple[Any, ...] | None = None
    if is_listed(wanted) and not isinstance(wanted, (str, bytes, Mapping)):
        items = values_of(values.name, wanted)
    known: dict[int, Hashable] = {}  # by identity: a grid holds one object in many configurations
    held = values.tolist()
    for value in held:
        if not isinstance(value, PLAIN) and id(value) not in known:
            known[id(value)] = comparable(value)
    # As objects: a column of text would have to be compared with text.
    keys = pd.Series([known.get(id(value), value) for value in held], dtype=object)
    found = np.zeros(len(keys), dtype=np.bool_)
    if known or items is None:
        found = keys.isin(pd.Series([comparable(wanted)], dtype=object)).to_numpy()
    if items is not None and not found.any():
        found = keys.isin(pd.Series([comparable(item) for item in items], dtype=object)).to_numpy()
    return found


def comparable(value: Any) -> Hashable:
    """Return what equal values have in common: a list of numbers or texts itself, contents of what else."""
    value = plain(value)
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(item, PLAIN) for item in value):
        return type(value).__name__, *value
    return contents_of(value)


def contents_of(value: object) -> Hashable:
    """Return what equal values have in common: their fingerprint, or each itself where that cannot tell."""
    name, untold = told(value)
    return Identity(value) if untold else name


def on_axis(values: list[Any]) -> tuple[NDArray[np.intp], pd.Index]:
    """Return the place of each value of a parameter on an axis, shape (C,), and the labels of the places.

    Numbers ascend, then come texts in their order; see `readable`.
    """
    code, labels = pd.factorize(pd.Series(readable(values), dtype=object), use_na_sentinel=False)
    order = sorted(range(len(labels)), key=lambda i: order_of(labels[i]))
    return np.argsort(order)[code], pd.Index([labels[i] for i in order])


def order_of(label: Any) -> tuple[bool, Any]:
    """Return what labels are sorted by; dates are in the order of their texts."""
    is_text = not (is_number(label) or isinstance(label, bool)) or label != label
    return is_text, str(label) if is_text else label


def readable(values: list[Any]) -> list[Any]:
    """Return the values of a parameter as labels: objects by a short text, numbered where some read alike."""
    plainly = all(isinstance(value, PLAIN) for value in values)
    if plainly and not (None in values and "None" in values):
        return ["None" if value is None else value for value in values]
    known: dict[int, tuple[str, Hashable]] = {}
    for value in values:
        if id(value) not in known:
            known[id(value)] = (text_of(value), contents_of(value))
    alike: dict[str, list[Hashable]] = {}
    for text, contents in dict.fromkeys(known.values()):
        alike.setdefault(text, []).append(contents)
    labels = {
        (text, contents): text if len(all_alike) == 1 else f"{text} {number}"
        for text, all_alike in alike.items()
        for number, contents in enumerate(all_alike, start=1)
    }
    return [labels[known[id(value)]] for value in values]


def text_of(value: object) -> str:
    """Return a value as it is written, where that is short, and the name of it or its kind otherwise."""
    text = repr(value)
    if len(text) <= LONGEST_LABEL and "\n" not in text and " at 0x" not in text:
        return value if isinstance(value, str) else text
    return str(getattr(value, "__name__", type(value).__name__))
