"""Strategies made of strategies: one at a time by a state, or shares of several."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from inspect import signature
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, TargetError, is_listed, is_number, no_parameter, shown
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind
from entrepot.regimes.path import RegimePath
from entrepot.strategies.book import Book, all_signals, decided, last_where, merged
from entrepot.strategies.function import FunctionStrategy, alike
from entrepot.strategies.switch import Part, brief
from entrepot.strategies.targets import (
    Parametrised,
    Strategy,
    Targets,
    require_market,
    require_path,
)

REGIME = "regime"

States = str | pd.Series | Callable[[Market, RegimePath | None], pd.Series]


@dataclass(frozen=True, eq=False, repr=False)
class Composition(Parametrised, ABC):
    """A strategy made of others, its parts, which are also its attributes by name.

    It decides at the market's decision steps and wherever a part says something. ``with_`` changes its own
    parameters, a part by name, and with ``path=`` the regime path of every part that carries one. A sweep
    reaches a parameter of a part by a dotted name, such as ``"calm.entry"`` or ``"strategy.lookback"``.
    """

    @abstractmethod
    def named(self) -> dict[str, Part]:
        """Return the parts by name."""

    @abstractmethod
    def book(self, market: Market, path: RegimePath | None) -> Book:
        """Return what is stood for at every step."""

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step.

        Args:
            market: handed to the parts.
            path: handed to the parts; None: the one that a part carries, if any. A `RegimeSwitch` follows its
                own.

        Raises:
            ParameterError: when a path is needed and missing, or was made for other steps.
        """
        require_market(market, type(self).__name__)
        path = path_of(self) if path is None else path
        if path is not None:
            path = require_path(market, path, type(self).__name__)
        return self.book(market, path).targets(market)

    @property
    def path(self) -> RegimePath:
        """The regime path of the first part that carries one; no attribute where none does."""
        carried = [own for own in map(path_of, self.named().values()) if own is not None]
        if not carried:
            raise AttributeError(f"no part of this {type(self).__name__} carries a regime path")
        return carried[0]

    def __getattr__(self, name: str) -> Any:
        # Before its fields are there, as while it is unpickled, it has no parts either.
        parts = self.named() if all(f.name in self.__dict__ for f in fields(self)) else {}
        if name not in parts:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return parts[name]

    def __repr__(self) -> str:
        own = [f"{f.name}={told(getattr(self, f.name))}" for f in fields(self)]
        return f"{type(self).__name__}({', '.join(own)})"

    def with_(self, **changes: Any) -> Self:
        """Return a copy with some parameters or parts changed, validated like a new one."""
        parts = self.named()
        if "path" in changes:
            path = changes.pop("path")
            carriers: dict[str, Any] = {
                name: part for name, part in parts.items() if path_of(part) is not None
            }
            for name, part in carriers.items():
                if not hasattr(part, "with_"):
                    raise ParameterError(
                        f"the part {name} of {type(self).__name__} carries a path and has no with_(path=...) "
                        "to give it another"
                    )
            changes = {name: part.with_(path=path) for name, part in carriers.items()} | changes
        own = {name: value for name, value in changes.items() if name in self.__dict__}
        others = {name: value for name, value in changes.items() if name not in own}
        if unknown := [name for name in others if name not in parts]:
            known = list(dict.fromkeys([*(f.name for f in fields(self)), *parts]))
            inside = [
                f"{name}.{unknown[0]}" for name, part in parts.items() if has_parameter(part, unknown[0])
            ]
            raise no_parameter(type(self).__name__, unknown[0], known, inside)
        return replace(self._with_parts(parts | others) if others else self, **own)

    def _with_parts(self, parts: Mapping[str, Any]) -> Self:
        """Return a copy with other parts by the same names, each a field of its own unless told otherwise."""
        return replace(self, **parts)


@dataclass(frozen=True, eq=False, repr=False)
class Switch(Composition):
    """What `switch` makes.

    Args:
        states: "regime", labels by time, or a function (market, path) that returns them.
        parts: by label.
    """

    states: States
    parts: Mapping[Hashable, Part]

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.states, str) and self.states != REGIME:
            raise ParameterError(
                f"states is {shown(self.states)}: give 'regime', a Series of labels by date or time, or a "
                "function of (market, path) that returns one"
            )
        if not (isinstance(self.states, (str, pd.Series)) or callable(self.states)):
            raise ParameterError(
                f"states is {kind(self.states)}: give 'regime', a Series of labels by date or time, or a "
                "function of (market, path) that returns one"
            )
        if callable(self.states):
            try:
                signature(self.states).bind("market", "path")
            except (TypeError, ValueError):  # takes others, or is of those of Python's that tell nobody
                raise ParameterError(
                    f"states is {kind(self.states)} of other arguments: give one of (market, path)"
                ) from None
        if not isinstance(self.parts, Mapping) or not self.parts:
            raise ParameterError(f"parts is {kind(self.parts)}: give a strategy by label, None for cash")
        for label, part in self.parts.items():
            require_part(f"the part of {shown(label)}", part, cash=True)
        if len(self.named()) < len(self.parts):
            raise ParameterError("two labels of parts are written alike: give each another name")
        if isinstance(self.states, str) and (strange := set(self.parts) - set(RegimePath.names)):
            raise ParameterError(
                f"parts has the label {shown(min(strange, key=str))}: give {', '.join(RegimePath.names)}"
            )
        object.__setattr__(self, "parts", dict(self.parts))

    def named(self) -> dict[str, Part]:
        """Return the parts by label."""
        return {str(label): part for label, part in self.parts.items()}

    def _with_parts(self, parts: Mapping[str, Part]) -> Self:
        return replace(self, parts={label: parts[str(label)] for label in self.parts})

    def book(self, market: Market, path: RegimePath | None) -> Book:
        """Return what the part in charge stands for."""
        charge = decided(market, self._labels(market, path), before=-1)
        books: list[Book] = []
        of_label: list[int] = []
        parts = list(self.parts.values())
        for k, part in enumerate(parts):
            twin = next((j for j in range(k) if alike(parts[j], part)), None)
            of_label.append(len(books) if twin is None else of_label[twin])
            if twin is None:
                books.append(Book.of(market, part, path))
        own = [book.pairs for book in books]
        pairs = merged(books)
        books = [book.on(market, pairs) for book in books]
        chosen = np.where(charge >= 0, np.array(of_label)[charge], -1)
        idle, steps = chosen < 0, np.arange(len(market))
        wanted = np.stack([book.wanted for book in books])[chosen, steps]
        spoken = np.stack([book.spoken for book in books])[chosen, steps]
        wanted[idle], spoken[idle] = 0.0, False
        exits = np.zeros((len(market), len(pairs)), dtype=np.int8)
        for p, pair in enumerate(pairs):
            names_it = np.array([pair in named for named in own])
            # A pair that the part in charge does not name is closed the way of the last that did.
            owner = last_where(np.where(idle | ~names_it[chosen], -1, chosen), before=0)
            exits[:, p] = np.stack([book.exits[:, p] for book in books])[owner, steps]
        notes = []
        if all(part is None for part in parts):
            notes.append("can never trade: every part is None, which is cash")
        for k, book in enumerate(books):
            labels = [str(label) for label, at in zip(self.parts, of_label, strict=True) if at == k]
            notes += [f"{' and '.join(labels)}: {note}" for note in book.notes]
        return Book(
            pairs, wanted, spoken, exits, min(b.drift_band for b in books), tuple(notes), all_signals(books)
        )

    def _labels(self, market: Market, path: RegimePath | None) -> NDArray[np.int64]:
        """The position among the parts of the label in force at each step, -1 before the first."""
        labels: Any
        if isinstance(self.states, str):
            labels = require_path(market, path, "switch('regime', ...)").regime
        else:
            labels = self.states if isinstance(self.states, pd.Series) else self.states(market, path)
        at, names = on_grid(market, labels)
        position = {label: i for i, label in enumerate(self.parts)}
        codes = np.full(len(market), -1, dtype=np.int64)
        for step, name in zip(at, names, strict=True):
            if not isinstance(name, Hashable) or name not in position:
                raise TargetError(
                    f"the label {shown(name)} at {market.grid['time'][step]:%Y-%m-%d %H:%M} UTC has no part: "
                    f"there are {', '.join(map(shown, position))}; give one for it, or None for cash"
                )
            codes[step] = position[name]
        return last_where(codes, before=-1)


@dataclass(frozen=True, eq=False, repr=False)
class Blend(Composition):
    """What `blend` makes.

    Args:
        parts: strategies and frames of weights.
        shares: one for each part.
    """

    parts: tuple[Part, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, fix in (("parts", "strategies"), ("shares", "numbers")):
            given = getattr(self, name)
            if not is_listed(given):
                raise ParameterError(f"{name} is {kind(given)}: give a list of {fix}, one for each part")
            object.__setattr__(self, name, tuple(given))
        if not self.parts or len(self.parts) != len(self.shares):
            raise ParameterError(
                f"there are {len(self.parts)} parts and {len(self.shares)} shares: give one share for each"
            )
        for k, (part, share) in enumerate(zip(self.parts, self.shares, strict=True)):
            require_part(f"part {k}", part)
            if not is_number(share) or not np.isfinite(share):
                raise ParameterError(f"the share of part {k} is {kind(share)}: give a number, such as 0.5")

    def named(self) -> dict[str, Part]:
        """Return the parts by number."""
        return {str(k): part for k, part in enumerate(self.parts)}

    def _with_parts(self, parts: Mapping[str, Part]) -> Self:
        return replace(self, parts=tuple(parts[name] for name in self.named()))

    def book(self, market: Market, path: RegimePath | None) -> Book:
        """Return the sum of what the parts stand for."""
        books = [Book.of(market, part, path) for part in self.parts]
        pairs, singles = merged(books), len(market.symbols)
        books = [book.on(market, pairs) for book in books]
        each = np.stack([share * book.wanted for share, book in zip(self.shares, books, strict=True)])
        weight, steps = np.abs(each[:, :, singles:]), np.arange(len(market))
        exits = np.zeros((len(market), len(pairs)), dtype=np.int8)
        for p in range(len(pairs)):
            # Of a pair that no part wants any more the part decides that last had most of it.
            heaviest = np.where(weight[:, :, p].any(axis=0), weight[:, :, p].argmax(axis=0), -1)
            owner = last_where(heaviest, before=0)
            exits[:, p] = np.stack([book.exits[:, p] for book in books])[owner, steps]
        notes = [
            f"{share:g} of {short_name(part)}: {note}"
            for share, part, book in zip(self.shares, self.parts, books, strict=True)
            for note in book.notes
        ]
        return Book(
            pairs,
            sum(each[1:], each[0]),
            np.any([book.spoken for book in books], axis=0),
            exits,
            min(book.drift_band for book in books),
            tuple(notes),
            all_signals(books),
        )


def switch(states: States, parts: Mapping[Any, Part]) -> Switch:
    """Follow, at each decision, the part that belongs to the state.

    What the part of the label stands for is wanted. On a change, at the next decision step, lines that two
    parts want differently get the incoming part's number, 0 where it wants nothing; in between the part's own
    numbers pass through. Pairs are closed the way of the part in charge, as in `RegimeSwitch`, of which
    ``switch("regime", parts)`` is the same with the path given at run time.

    Args:
        states: "regime": the regime of the path that is handed to ``targets``. A Series of labels: one dated
            without a time holds from the last step of that session date, where there is no session from the
            next step on, one with a time zone from the first step at or after it; before the first nothing is
            held. A function of (market, path) that returns such a Series, known at its own times.
        parts: a strategy, a frame of weights or None for cash by label. A label without a part is refused.

    Raises:
        ParameterError: for what is no state and no part.
    """
    return Switch(states, parts)


def blend(parts: Mapping[Any, float] | Iterable[tuple[Strategy | pd.DataFrame, float]]) -> Blend:
    """Hold shares of several strategies at once: the sum of share times what each stands for.

    Equal pairs of different parts are one pair. A pair is closed the way of the part that weighs most in it,
    once none wants it the way of the last that did. The drift band is the smallest of the parts'.

    Args:
        parts: share by strategy, or (strategy, share) for each; a negative share takes the other side. They
            are named "0", "1" and so on, as in ``with_(**{"0": other})`` and ``"0.entry"`` of a sweep.

    Raises:
        ParameterError: for what is no part and no number.
    """
    given: list[Any] = [0]
    if is_listed(parts):
        given = list(parts.items() if isinstance(parts, Mapping) else parts)
    if not all(isinstance(item, tuple) and len(item) == 2 for item in given):
        raise ParameterError(f"blend was given {kind(parts)}: give (strategy, share) for each part")
    return Blend(tuple(part for part, _ in given), tuple(share for _, share in given))


# -- pieces --------------------------------------------------------------------------------------------------


def require_part(name: str, part: object, *, cash: bool = False) -> None:
    """Refuse what is neither a strategy nor a frame of weights (nor None for cash)."""
    if (cash and part is None) or isinstance(part, pd.DataFrame):
        return
    if isinstance(part, type) or not isinstance(part, Strategy):
        also = ", a frame of weights or None for cash" if cash else " or a frame of weights"
        raise ParameterError(f"{name} is {kind(part)}: give a strategy{also}")


def path_of(part: object) -> RegimePath | None:
    """Return the regime path that a strategy carries, None where it carries none."""
    path = None if isinstance(part, pd.DataFrame) else getattr(part, "path", None)
    return path if isinstance(path, RegimePath) else None


def on_grid(market: Market, labels: object) -> tuple[NDArray[np.int64], list[Any]]:
    """Return the steps from which labels hold, and those labels, in order; later ones are left out.

    Raises:
        TargetError: for what is no series of labels by date or time, or is out of order.
    """
    index = labels.index if isinstance(labels, pd.Series) else None
    if not isinstance(labels, pd.Series) or not isinstance(index, pd.DatetimeIndex):
        raise TargetError(f"the states are {kind(labels)}: give a Series of labels indexed by dates or times")
    if not index.is_monotonic_increasing or not index.is_unique or index.hasnans:
        raise TargetError("the states' dates repeat or are out of order: sort them, one label for each")
    if index.tz is not None:
        step = np.searchsorted(market.times, index.tz_convert("UTC").as_unit("ns").asi8)
    else:
        session = (
            pd.DatetimeIndex(market.schedule["session"]).as_unit("ns").asi8
        )  # falls from no step to next
        day = index.as_unit("ns").asi8
        step = np.searchsorted(session, day, side="right")
        step -= session[np.maximum(step - 1, 0)] == day  # the last step of the date, where it is a session
    inside = step < len(market)
    return step[inside].astype(np.int64), labels[inside].tolist()


def has_parameter(part: Part, name: str) -> bool:
    """Whether a part has a parameter of a name."""
    known = (
        part.parameters if isinstance(part, FunctionStrategy) else getattr(part, "__dataclass_fields__", ())
    )
    return name in known


def short_name(part: Part) -> str:
    """Return what a part is called in a note."""
    if isinstance(part, FunctionStrategy):
        return part.name
    return "a weights frame" if isinstance(part, pd.DataFrame) else type(part).__name__


def told(value: object) -> str:
    """Return a parameter of a composition as its repr shows it."""
    if isinstance(value, (Composition, FunctionStrategy)):
        return repr(value)
    if isinstance(value, pd.DataFrame) or (isinstance(value, Strategy) and not isinstance(value, type)):
        return brief(value)
    if isinstance(value, pd.Series):
        return f"Series({len(value)} labels)"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {told(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(told(item) for item in value) + ")"
    return getattr(value, "__name__", shown(value))
