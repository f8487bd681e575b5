"""The audit: what is told up to a step must be the same, bit for bit, whatever comes after it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import pandas as pd
from robustness.futures import MARKETS, World, other_world

import entrepot as ep
from entrepot.errors import EntrepotError
from entrepot.strategies.as_known import swapped


@dataclass(frozen=True, eq=False)
class Told:
    """One thing that is told, row after row.

    Args:
        known_at: UTC nanoseconds of each row, shape (R,): from when it could be acted on.
        values: shape (R, ...); floats, integers, booleans or text.
        blank: what every row holds where the whole is not told at all; None: it must be told.
    """

    known_at: np.ndarray
    values: np.ndarray
    blank: float | None = None

    def until(self, now: int) -> np.ndarray:
        """The rows known at a moment."""
        return self.values[self.known_at <= now]


Answer = Mapping[str, Told]


@dataclass(frozen=True, eq=False)
class Subject:
    """Something public that tells things by time.

    Args:
        name: of the subject.
        ask: what it tells of a world.
        covers: public names that are audited by it.
        learns_until: part of the market that it is fitted on beforehand: cuts lie after it.
        silent: whether it may tell nothing at all in the world of the audit.
        remembers: whether it may keep something from one question to the next.
    """

    name: str
    ask: Callable[[World], Answer]
    covers: tuple[str, ...] = ()
    learns_until: float = 0.0
    silent: bool = False
    remembers: bool = False


@dataclass(frozen=True)
class Leak:
    """Something told of the past that depends on what came later."""

    subject: str
    what: str
    how: str
    step: int

    def __str__(self) -> str:
        return f"{self.subject}: {self.what} changes up to step {self.step} with another future ({self.how})"


@dataclass(frozen=True, eq=False)
class Future:
    """A world that is another after some step."""

    step: int
    how: str
    world: World


@dataclass
class Tally:
    """What an audit has tried."""

    cuts: int = 0
    futures: int = 0
    rows: int = 0
    refused: int = 0


def futures_of(
    world: World, cuts: Iterable[int], seed: int, hows: Iterable[str] = tuple(MARKETS)
) -> list[Future]:
    """Another future after each of some steps, of each kind in turn.

    Args:
        world: T steps.
        cuts: steps, before the last.
        seed: of what is drawn.
        hows: names of kinds.
    """
    kinds = cycle(hows)
    made = []
    for step, how in zip(cuts, kinds, strict=False):
        rng = np.random.default_rng([seed, step, zlib.crc32(how.encode())])
        made.append(Future(step, how, other_world(world, step, how, rng)))
    return made


def audit(subject: Subject, world: World, futures: Iterable[Future]) -> tuple[list[Leak], Tally]:
    """Ask a subject about a world and about others that differ from it after some step.

    Returns:
        The leaks found, one for each thing and kind of future, and how much was compared.
    """
    tally, cuts = Tally(), set()
    leaks: dict[tuple[str, str], Leak] = {}
    whole = asked(subject, world)
    for future in futures:
        if future.step < subject.learns_until * len(world.market):
            continue
        try:
            told = asked(subject, future.world)
        except EntrepotError:  # such as a market too short to learn from, or a line that stops for good
            tally.refused += 1
            continue
        cuts.add(future.step)
        tally.futures += 1
        found, rows = differences(whole, told, int(world.market.times[future.step]))
        tally.rows += rows
        leaks |= {(what, future.how): Leak(subject.name, what, future.how, future.step) for what in found}
    tally.cuts = len(cuts)
    return list(leaks.values()), tally


def asked(subject: Subject, world: World) -> Answer:
    """What a subject tells of a world; one that remembers forgets what it was asked before."""
    if not subject.remembers:
        return subject.ask(world)
    with swapped(subject.ask):
        return subject.ask(world)


def differences(one: Answer, other: Answer, now: int) -> tuple[list[str], int]:
    """What is told otherwise up to a moment, and how many rows were compared."""
    found, rows = [], 0
    for what in dict.fromkeys([*one, *other]):
        pair = [answer.get(what) for answer in (one, other)]
        known = [None if told is None else told.until(now) for told in pair]
        there = [values for values in known if values is not None]
        rows += len(there[0])
        if len(there) == 2:
            if not same_bits(*there):
                found.append(what)
        else:
            blank = next(told.blank for told in pair if told is not None)
            fills = np.full(there[0].shape, np.nan if blank is None else blank)
            if blank is None or not np.array_equal(there[0], fills, equal_nan=True):
                found.append(what)
    return found, rows


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays hold the same bits; of text and objects, equal ones."""
    if one.shape != other.shape:
        return False
    if one.dtype.kind in "OUTS" or other.dtype.kind in "OUTS":
        return one.astype(str).tolist() == other.astype(str).tolist()
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


# -- answers -------------------------------------------------------------------------------------------------


def nanos(times: object) -> np.ndarray:
    """UTC nanoseconds of times; naive dates begin at midnight UTC."""
    index = pd.DatetimeIndex(times)  # type: ignore[arg-type]
    return np.asarray((index.tz_localize("UTC") if index.tz is None else index).as_unit("ns").asi8)


def by_step(world: World, **arrays: np.ndarray) -> Answer:
    """Arrays with one row for each step of the market."""
    return {name: Told(world.market.times, np.asarray(values)) for name, values in arrays.items()}


def columns(
    frame: pd.DataFrame | pd.Series, known_at: object, name: str = "", blank: float | None = None
) -> Answer:
    """Each column of a frame by itself; rows known at no time (NaT) are left out."""
    table = frame.to_frame("value") if isinstance(frame, pd.Series) else frame
    when = pd.DatetimeIndex(known_at)  # type: ignore[arg-type]
    there = ~when.isna()
    at = nanos(when[there])
    answer = {}
    for place, column in enumerate(table.columns):
        values = table.iloc[:, place]
        dated = isinstance(values.dtype, pd.DatetimeTZDtype) or values.dtype.kind == "M"
        array = nanos(values) if dated else values.to_numpy()
        label = "/".join(map(str, column)) if isinstance(column, tuple) else str(column)
        answer[f"{name} {label}".strip()] = Told(at, array[there], blank)
    return answer


def of_targets(world: World, targets: ep.Targets) -> Answer:
    """What a strategy wants of each line and pair at each step, and how it closes pairs."""
    time = world.market.times
    answer = {
        symbol: Told(time, targets.weights[:, n], np.nan) for n, symbol in enumerate(world.market.symbols)
    }
    for p, pair in enumerate(targets.pairs):
        answer["/".join(pair)] = Told(time, targets.pair_weights[:, p], np.nan)
        answer[f"the closing of {'/'.join(pair)}"] = Told(time, targets.exits[:, p], 0)
    answer["the drift band"] = Told(time[:1], np.array([targets.drift_band]))
    for name, signal in targets.signals.items():
        answer |= columns(signal, session_ends(world, signal.index), f"signal {name}", np.nan)
    return answer


def session_ends(world: World, sessions: pd.Index) -> pd.DatetimeIndex:
    """The last decision of each session, at which what is dated by it is known; NaT where there is none."""
    grid = world.market.grid[world.market.decision_steps]
    return pd.DatetimeIndex(grid.set_index("session")["time"].reindex(sessions))


def of_ledger(ledger: ep.Result) -> Answer:
    """All that a run has recorded, line by line and fill by fill."""
    times = ledger.market.times
    answer: dict[str, Told] = {"equity": Told(times, ledger.equity_by_step)}
    answer["growth of cash"] = Told(times, ledger.risk_free_growth)
    frames = ("positions", "cash", "receivables", "contributions", "position_values", "exposure")
    for name in frames:
        answer |= columns(getattr(ledger, name), ledger.market.price.index, name, 0.0)
    for name in ("fills", "dropped", "conversions"):
        answer |= columns(getattr(ledger, name), getattr(ledger, name)["time"], name)
    for name in ("daily", "returns", "risk_free"):
        series = getattr(ledger, name)
        ends = ledger.market.grid[ledger.market.decision_steps].set_index("session")["time"]
        answer |= columns(series, ends.reindex(series.index), name)
    return answer
