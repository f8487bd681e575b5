"""Targets: what a strategy wants to hold, decided step by step, and the little that all strategies share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol, Self, get_args, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.decisions import Decision, compiled
from entrepot.errors import (
    ParameterError,
    TargetError,
    is_listed,
    is_number,
    near_word,
    no_parameter,
    shown,
    some_of,
)
from entrepot.markets.frames import is_over, refuse_targets_of_another, weights_on_grid
from entrepot.markets.market import Market
from entrepot.regimes.arguments import changed_fields, keep_plain, kind
from entrepot.regimes.path import RegimePath

LONGEST = 1e18  # rows, or of whatever is counted in 64 bits
STALE_SESSIONS = 5  # an observation older than this many New York sessions is no longer an observation
Exit = Literal["trade", "convert", "cheapest"]
EXITS = get_args(Exit)  # how a pair is closed, by its number in `Targets.exits`


@dataclass(frozen=True, eq=False, repr=False)
class Targets:
    """Wanted weights of equity, by the step at which they are decided.

    A finite number replaces the line's standing target and pending order, 0 means get out, NaN leaves both
    alone. Numbers appear where the strategy changes its mind; the engine looks after drift in between.

    Args:
        weights: shape (T, N) over ``market.symbols``: weight of equity of single lines.
        pairs: P linked pairs as (Hong Kong symbol, ADR symbol).
        pair_weights: shape (T, P): weight of the Hong Kong leg, positive long HK / short ADR, negative the
            reverse. The ADR leg follows in equal ordinary shares.
        drift_band: the engine re-decides a standing target at a decision step when the line's weight is away
            from it by more than this fraction of it; inf: never.
        notes: what a reader should know, a sentence each.
        signals: series behind the decisions, by name, indexed by New York session.
        exits: shape (T, P): how a pair that is told to get out at that step is closed, a position in
            ``EXITS``. 0: both legs are traded. 1: one line is converted into the other. 2: whichever is
            cheaper at that step's marks. All 0 where not given.
        symbols: of the market they are for, N. Where they are told, targets fit no other market.
        times: of the steps they are for, UTC nanoseconds, shape (T,).

    Raises:
        TargetError: on wrong shapes, infinite weights, a repeated pair, an unknown exit or a negative band.
    """

    weights: NDArray[np.float64]
    pairs: tuple[tuple[str, str], ...] = ()
    pair_weights: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    drift_band: float = 0.10
    notes: tuple[str, ...] = ()
    signals: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    exits: NDArray[np.int8] = field(default_factory=lambda: np.empty((0, 0), dtype=np.int8))
    symbols: tuple[str, ...] | None = None
    times: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        single = weights_array("weights", self.weights)
        paired = weights_array("pair_weights", self.pair_weights)
        object.__setattr__(self, "pairs", linked_pairs(self.pairs))
        object.__setattr__(self, "notes", sentences(self.notes))
        if not isinstance(self.signals, Mapping):
            raise TargetError(
                f"signals is {kind(self.signals)}: give a dict of frames by name, or leave it out"
            )
        if not self.pairs and paired.size == 0:
            paired = np.empty((len(single), 0))
        if single.ndim != 2 or paired.shape != (len(single), len(self.pairs)):
            raise TargetError(
                f"weights has shape {single.shape} and pair_weights {paired.shape} for {len(self.pairs)} "
                "pairs: give (steps, symbols) and (steps, pairs)"
            )
        if np.isinf(single).any() or np.isinf(paired).any():
            raise TargetError("a weight is infinite: give a finite weight, 0 to get out, NaN to leave alone")
        if len(set(self.pairs)) != len(self.pairs):
            raise TargetError("a pair occurs twice among the linked pairs: add its weights into one column")
        if not (is_number(self.drift_band) and self.drift_band > 0):
            raise TargetError(
                f"drift_band is {kind(self.drift_band)}: give a positive fraction, or inf for never"
            )
        for name, fits, wanted in (
            ("symbols", isinstance(self.symbols, tuple), "market.symbols"),
            ("times", isinstance(self.times, np.ndarray) and self.times.dtype == np.int64, "market.times"),
        ):
            if not (fits or getattr(self, name) is None):
                raise TargetError(f"{name} is {kind(getattr(self, name))}: give {wanted}, or leave it out")
        keep_plain(self)
        object.__setattr__(self, "weights", single)
        object.__setattr__(self, "pair_weights", paired)
        object.__setattr__(self, "exits", checked_exits(self.exits, paired.shape))

    def __repr__(self) -> str:
        steps, lines = len(self.weights), int(np.isfinite(self.weights).any(axis=0).sum())
        pairs = int(np.isfinite(self.pair_weights).any(axis=0).sum())
        said = [f"{n} {what}{'s' * (n != 1)}" for n, what in ((pairs, "pair"), (lines, "line")) if n]
        return f"Targets({steps} steps: {', '.join(said) or 'nothing wanted'})"

    @classmethod
    def from_frame(cls, market: Market, frame: pd.DataFrame, *, drift_band: float = np.inf) -> Targets:
        """Read a frame of weights (dates or times x symbols) as targets.

        A row dated without a time decides at the last step of that session date; where that step is still to
        come in this market the row is left out. A row with a time zone decides at exactly that step.

            >>> import pandas as pd
            >>> import entrepot as ep
            >>> market = ep.simulate_market("2024-01-02", "2024-03-28", symbols=["BABA", "9988.HK"])
            >>> dates = pd.bdate_range("2024-01-02", "2024-03-28")
            >>> steady = pd.DataFrame({"BABA": 0.5}, index=dates)  # half of equity, on every date
            >>> targets = ep.Targets.from_frame(market, steady, drift_band=0.2)
            >>> targets
            Targets(244 steps: 1 line)
            >>> targets.drift_band  # ordered once, and again where the weight has drifted by a fifth
            0.2

        Args:
            market: T steps, N symbols.
            frame: weights of equity; NaN leaves a line alone.
            drift_band: inf: every number is an order. With a band, which looks after drift, a number that
                repeats the one before is no order.

        Raises:
            TargetError: for symbols that are not in the market, dates without a session, repeated dates,
                weights for an index and infinite weights.
        """
        require_market(market, "Targets", "from_frame")
        require_band(drift_band)
        weights = weights_on_grid(market, past_sessions(market, frame))
        targets = cls(
            said_once(weights, drift_band),
            drift_band=drift_band,
            symbols=market.symbols,
            times=market.times,
        )
        targets.check(market)
        return targets

    @classmethod
    def from_pairs(cls, market: Market, frame: pd.DataFrame, *, drift_band: float = np.inf) -> Targets:
        """Read a frame of weights as targets of linked pairs, each the weight of its Hong Kong leg.

        Without a band every number is an order, also one that repeats the number before it: of a frame that
        says at every date what is held, keep the changes, ``frame.where(frame.ne(frame.shift()))``.

        Args:
            market: T steps.
            frame: as `from_frame` reads one; a column names a pair by its ADR or its Hong Kong line. A
                positive weight is long Hong Kong and short the ADR.
            drift_band: see `from_frame`.

        Raises:
            TargetError: for columns that are no pair of this market or name one twice, and as `from_frame`.
        """
        require_market(market, "Targets", "from_pairs")
        require_band(drift_band)
        frame = past_sessions(market, frame)
        adr_of = {hk: adr for adr, hk in market.pairs["hk"].items()} | {
            adr: adr for adr in market.pairs.index
        }
        if isinstance(frame, pd.DataFrame):
            unknown = [str(name) for name in frame.columns if name not in adr_of]
            if unknown:
                raise TargetError(
                    f"weights for the pairs {some_of(unknown)}, which this market does not have"
                    f"{near_word(unknown[0], adr_of) or ';'} it has {some_of(list(market.pairs.index))}"
                )
            frame = frame.set_axis([adr_of[name] for name in frame.columns], axis=1)
        on_grid = weights_on_grid(market, frame)
        columns = columns_of(market, frame.columns)
        return cls(
            np.full(market.price.shape, np.nan),
            tuple((str(market.pairs.at[adr, "hk"]), str(adr)) for adr in frame.columns),
            said_once(on_grid[:, columns], drift_band),
            drift_band,
            symbols=market.symbols,
            times=market.times,
        )

    def check(self, market: Market) -> None:
        """Refuse targets that do not fit a market: shape, unknown pairs, weights for an index."""
        if self.weights.shape != market.price.shape:
            raise TargetError(
                f"weights has shape {self.weights.shape} and the market {market.price.shape}: "
                "give one row per step and one column per symbol"
            )
        refuse_targets_of_another(market, self)
        known = set(zip(market.pairs["hk"], market.pairs.index, strict=True))
        for pair in self.pairs:
            if pair not in known:
                raise TargetError(f"{pair} is not a pair of this market: give (Hong Kong symbol, ADR symbol)")
        wanted = np.isfinite(self.weights).any(axis=0)
        index = wanted & (market.instruments["kind"] == "index").to_numpy()
        if index.any():
            symbol = market.symbols[int(np.argmax(index))]
            raise TargetError(f"{symbol} is an index and cannot be traded: give weights for an ETF or stock")

    def standing(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weights wanted at each step: the last number emitted, 0 before the first.

        Returns:
            Single lines, shape (T, N), and linked pairs, shape (T, P). No NaN.
        """
        return carried(self.weights), carried(self.pair_weights)


@runtime_checkable
class Strategy(Protocol):
    """Anything that turns a market, and possibly a regime path, into targets."""

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step."""
        ...


class Parametrised:
    """A frozen dataclass of parameters."""

    def __post_init__(self) -> None:
        keep_plain(self)

    def with_(self, **changes: Any) -> Self:
        """Return a copy with some parameters changed, validated like a new one."""
        known = [f.name for f in fields(self)]  # type: ignore[arg-type]
        for name in changes:
            if name not in known:
                raise no_parameter(type(self).__name__, name, known)
        changed: Self = changed_fields(self, changes)
        return changed


def weights_array(name: str, given: object) -> NDArray[np.float64]:
    """Return weights as an array of floats; refuse what holds none."""
    try:
        cells = np.asarray(given)
    except ValueError:  # rows of several lengths
        cells = np.array(None)
    numbers = cells.dtype.kind in "fiu"
    if cells.dtype.kind == "O" and cells.ndim:
        numbers = all(cell is None or is_number(cell) for cell in cells.flat)
    if not numbers or np.ma.isMaskedArray(given):
        raise TargetError(f"{name} is {kind(given)}: give an array of numbers, NaN to leave alone")
    return np.ascontiguousarray(cells, dtype=np.float64)


def linked_pairs(given: object) -> tuple[tuple[str, str], ...]:
    """Return linked pairs in a tuple; refuse what names none."""
    pairs = tuple(given) if isinstance(given, (list, tuple)) else (None,)
    if not all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 and all(isinstance(one, str) for one in pair)
        for pair in pairs
    ):
        raise TargetError(
            f"pairs is {kind(given)}: give (Hong Kong symbol, ADR symbol) of each, such as "
            "[('9988.HK', 'BABA')]"
        )
    return tuple((hk, adr) for hk, adr in pairs)


def sentences(given: object) -> tuple[str, ...]:
    """Return notes in a tuple; refuse what holds no text."""
    if not isinstance(given, (list, tuple)) or not all(isinstance(note, str) for note in given):
        raise TargetError(f"notes is {kind(given)}: give a tuple of sentences")
    return tuple(given)


def checked_exits(exits: NDArray[np.int8], shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Return exits as small integers, zeros where none are given; refuse another shape and unknown exits."""
    try:
        given = np.asarray(exits)
    except ValueError:
        given = np.array(0)
    if np.ma.isMaskedArray(exits):
        raise TargetError("exits is a masked array: fill it, such as exits.filled(0)")
    if given.size == 0:
        return np.zeros(shape, dtype=np.int8)
    if given.shape != shape:
        raise TargetError(f"exits has shape {given.shape} and pair_weights {shape}: give one for each weight")
    unknown = given[~np.isin(given, range(len(EXITS)))]
    if unknown.size:
        allowed = ", ".join(f"{number} ({word})" for number, word in enumerate(EXITS))
        raise TargetError(f"exits holds {shown(unknown[0].item())}: give one of {allowed}")
    return np.ascontiguousarray(given, dtype=np.int8)


def require(
    name: str, value: object, low: float, high: float = np.inf, *, whole: bool = False, above: bool = False
) -> None:
    """Refuse a parameter that is not a finite number (a whole one) in ``low <= value <= high``.

    ``above``: the number must lie above ``low``, which is 0.
    """
    if whole and is_number(value) and LONGEST < value < np.inf:
        high = min(high, LONGEST)
    fits = is_number(value) and abs(value) < np.inf and (low < value if above else low <= value <= high)
    if not fits or (whole and value != int(value)):  # type: ignore[call-overload]
        what = "a whole number" if whole else "a positive number" if above else "a number"
        bounds = "" if above else f" of at least {low:g}" if high == np.inf else f" from {low:g} to {high:g}"
        raise ParameterError(f"{name} is {kind(value)}: give {what}{bounds}")


def require_flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ParameterError(f"{name} is {kind(value)}: give True or False")


def count_in_whole_numbers(owner: object, *names: str) -> None:
    """Make fields of a frozen strategy integers: 20.0 is whole, but counts no rows."""
    for name in names:
        object.__setattr__(owner, name, int(getattr(owner, name)))


def require_choice(name: str, value: object, allowed: Iterable[str]) -> None:
    """Refuse what is not one of a few words."""
    allowed = tuple(allowed)
    if not isinstance(value, str) or value not in allowed:
        raise ParameterError(f"{name} is {kind(value)}: give {' or '.join(map(repr, allowed))}")


def require_symbols(name: str, value: object) -> tuple[str, ...]:
    """Return symbols in a tuple, one given by itself included; refuse what does not hold symbols in order."""
    if isinstance(value, str):
        return (value,)
    symbols: tuple[Any, ...] = (0,)
    if is_listed(value) and not isinstance(value, (Set, Mapping)):
        symbols = tuple(value)
    if not all(isinstance(symbol, str) for symbol in symbols):
        raise ParameterError(f"{name} is {kind(value)}: give a list of symbols, such as ['BABA', 'JD']")
    return symbols


def require_market(market: object, who: str, what: str = "targets") -> None:
    """Refuse what is not a market."""
    if not isinstance(market, Market):
        raise ParameterError(
            f"{who}.{what} was given {kind(market)}: give a market, such as simulate_market() or "
            "load_market(folder)"
        )


def require_band(value: object) -> None:
    """Refuse a drift band that is neither a positive number nor inf."""
    if not (is_number(value) and value == np.inf):
        require("drift_band", value, 0, above=True)


def require_path(market: Market, path: RegimePath | None, who: str) -> RegimePath:
    """Return the path if it is there and was made for this market's steps."""
    if not isinstance(path, RegimePath):
        given = "" if path is None else f" and was given {kind(path)}"
        raise ParameterError(
            f"{who} needs a regime path{given}: pass path=model.walk_forward(market, events)"
        )
    if len(path.time) != len(market):
        raise ParameterError(
            f"the regime path has {len(path.time)} steps and the market {len(market)}: make the path from "
            "this market, or cut both at the same step"
        )
    if not is_over(market, path.time):
        raise ParameterError(
            "the regime path has other steps than the market: make the path from this market"
        )
    return path


def decisions(market: Market) -> NDArray[np.intp]:
    """Return the numbers of the market's decision steps, shape (S,): New York closes where there are any."""
    return np.flatnonzero(market.decision_steps)


def sessions_of(market: Market, steps: NDArray[np.intp]) -> pd.DatetimeIndex:
    """Return the session dates of steps, as nanoseconds."""
    return pd.DatetimeIndex(market.grid["session"].to_numpy()[steps], name="session").as_unit("ns")


def columns_of(market: Market, symbols: Iterable[object]) -> NDArray[np.intp]:
    """Return the positions of symbols among the market's columns."""
    return np.array([market.column(str(symbol)) for symbol in symbols], dtype=np.intp)


def departed(market: Market) -> NDArray[np.bool_]:
    """Return whether each line has left the market at each step, shape (T, N)."""
    gone = np.zeros(market.price.shape, dtype=bool)
    session = pd.DatetimeIndex(market.grid["session"]).as_unit("ns").asi8
    for symbol, last in zip(market.delistings["symbol"], market.delistings["last_session"], strict=True):
        if symbol in market.price.columns:
            gone[:, market.column(symbol)] |= session > pd.Timestamp(last).as_unit("ns").value
    return gone


def latest(
    values: NDArray[np.float64], steps: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the last finite value known at each decision step and its age in decision steps.

    Args:
        values: shape (T, N), NaN where nothing was observed.
        steps: decision steps, shape (S,).

    Returns:
        Values, shape (S, N), NaN before the first; ages, shape (S, N), very large before the first.
    """
    seen = np.where(np.isfinite(values), np.arange(len(values))[:, None], -1)
    row = np.maximum.accumulate(seen, axis=0)[steps]
    value = np.where(row >= 0, np.take_along_axis(values, np.maximum(row, 0), axis=0), np.nan)
    known = np.searchsorted(steps, row.ravel()).reshape(row.shape)  # the first decision step that knew it
    age = np.where(row >= 0, np.arange(len(steps))[:, None] - known, np.iinfo(np.int32).max)
    return value, age


def carried(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Carry the last finite number forward along the steps, 0 before the first."""
    row = np.maximum.accumulate(np.where(np.isnan(numbers), -1, np.arange(len(numbers))[:, None]), axis=0)
    return np.where(row >= 0, np.take_along_axis(numbers, np.maximum(row, 0), axis=0), 0.0)


def emitted(
    market: Market, decision: Decision
) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]]:
    """Ask a decision that looks at no book of its own at all of its steps.

    Returns:
        Targets, shape (T, S + P), NaN where it is not asked; how pairs are closed, shape (T, P), as it was
        last said; what it remembers after each step it is asked at, shape (steps asked, M).
    """
    from entrepot.strategies import _kernels as kernels

    asked = np.flatnonzero(market.decision_steps if decision.steps is None else decision.steps)
    pairs, columns = len(decision.pairs), len(decision.symbols) + len(decision.pairs)
    out = np.full((len(asked), columns + pairs), np.nan)
    out[:, columns:] = 0.0
    kept = np.empty((len(asked), decision.memory))
    features = np.require(decision.features(), requirements=["C", "W"])  # read-only is another signature
    kernels.emit(compiled(decision.function), asked, decision.params, features, out, kept)
    numbers = np.full((len(market), columns), np.nan)
    numbers[asked] = out[:, :columns]
    row = np.maximum(np.searchsorted(asked, np.arange(len(market)), side="right") - 1, 0)
    exits = out[row, columns:] if len(asked) else np.zeros((len(market), pairs))
    return numbers, exits.astype(np.int8), kept


def past_sessions(market: Market, frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows that are dated, without a time, in a session that has begun and is not over yet."""
    if not isinstance(frame, pd.DataFrame) or not isinstance(frame.index, pd.DatetimeIndex):
        return frame
    begun = market.ahead["session"] <= market.grid["session"].iloc[-1]
    if frame.index.tz is not None or not begun.any():
        return frame
    return frame[~frame.index.isin(market.ahead.loc[begun, "session"])]


def said_once(numbers: NDArray[np.float64], drift_band: float) -> NDArray[np.float64]:
    """Drop numbers that repeat what stands, unless there is no band to look after drift."""
    if drift_band == np.inf:
        return numbers
    before = np.vstack([np.zeros((1, numbers.shape[1])), carried(numbers)[:-1]])
    return np.where(numbers == before, np.nan, numbers)


def changes(wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep a wanted weight where it differs from the row before (0 before the first), NaN elsewhere."""
    before = np.vstack([np.zeros((1, wanted.shape[1])), wanted[:-1]])
    return np.where(wanted != before, wanted, np.nan)
