"""The regime path: at every step, what the world was thought to be in, from what was known by then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, is_whole
from entrepot.guarded import Guarded
from entrepot.regimes.arguments import kind
from entrepot.regimes.intensity import Marks

INDEPENDENT_AFTER = 60  # sessions: three half-lives of 20 leave an eighth of what came before
_MARKS_TEXT: dict[Marks, str] = {
    "capped": "severities above 3 count as 3, since 4 and 5 were given with the market's answer in view",
    "severity": "severities count as given, and 4 and 5 were given with the market's answer in view",
    "ones": "every event counts 1, whatever its severity",
}


@dataclass(frozen=True, eq=False, repr=False)
class RegimePath(Guarded):
    """The regime at each step of a market, made by `RegimeModel.walk_forward`.

    The regime is the pair of detector states, never the most probable of the four products: calm (neither),
    tariff, delisting, decoupling (both).

    Attributes:
        time: UTC time of every step, shape (n_steps,).
        probabilities: (n_steps, 4) frame by name: products of the two detectors' probabilities, which holds
            only if tariff and delisting risk are independent; the columns are labelled so.
        states: int8, shape (n_steps,), index into `names`.
        intensity: (n_steps, 4) frame, columns (tariff | delisting, escalation | relief), in marks.
        session_count: continuous count of New York sessions, shape (n_steps,).
        marks: how severities were turned into marks.
        rows: of each risk whose detector was fitted: one row per session with its observation, `known_at` and
            the filtered probability of stress, NaN before the first accepted fit.
        refits: of each such risk, one row per fit: `in_force_from`, `known_at`, `fitted_from` and `fitted_to`
            by session, the `rows` it saw, whether it was `accepted` and the `reason` where not, the distance
            of its states from those before (`match`), and fingerprints of the `data` and `parameters`.
        stressed: states in which borrow is at its stressed level: delisting and decoupling.
    """

    names: ClassVar[tuple[str, str, str, str]] = ("calm", "tariff", "delisting", "decoupling")
    stressed: ClassVar[frozenset[int]] = frozenset({names.index("delisting"), names.index("decoupling")})

    time: pd.DatetimeIndex
    probabilities: pd.DataFrame
    states: NDArray[np.int8]
    intensity: pd.DataFrame
    session_count: NDArray[np.float64]
    marks: Marks
    rows: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    refits: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @classmethod
    def from_detectors(
        cls,
        time: pd.DatetimeIndex,
        session_count: NDArray[np.float64],
        tariff: tuple[NDArray[np.float64], NDArray[np.bool_]],
        delisting: tuple[NDArray[np.float64], NDArray[np.bool_]],
        intensity: pd.DataFrame,
        marks: Marks,
        rows: Mapping[str, pd.DataFrame] | None = None,
        refits: Mapping[str, pd.DataFrame] | None = None,
    ) -> RegimePath:
        """Pair two detectors' (probability, state), each of shape (n_steps,), into one path."""
        (p_tariff, in_tariff), (p_delisting, in_delisting) = tariff, delisting
        products = (
            (1 - p_tariff) * (1 - p_delisting),
            p_tariff * (1 - p_delisting),
            (1 - p_tariff) * p_delisting,
            p_tariff * p_delisting,
        )
        columns = pd.Index(cls.names, name="independence assumed")
        return cls(
            time=time,
            probabilities=pd.DataFrame(np.column_stack(products), index=time, columns=columns),
            states=(in_tariff + 2 * in_delisting.astype(np.int8)).astype(np.int8),
            intensity=intensity,
            session_count=session_count,
            marks=marks,
            rows=rows or {},
            refits=refits or {},
        )

    def __repr__(self) -> str:
        steps = len(self.time)
        if not steps:
            return "RegimePath(0 steps)"
        counts = np.bincount(self.states, minlength=len(self.names))
        parts = ", ".join(
            f"{n} {c / steps:.0%}".replace("%", " %") for n, c in zip(self.names, counts, strict=True)
        )
        return f"RegimePath({steps} steps, {self.time[0]:%Y-%m-%d} to {self.time[-1]:%Y-%m-%d}: {parts})"

    @cached_property
    def regime(self) -> pd.Series[str]:
        """Name of the regime at each step."""
        return pd.Series(np.array(self.names)[self.states], index=self.time, name="regime")

    @property
    def caveat(self) -> str:
        """What to say beside every result that uses this path."""
        (tariff, fresh_tariff), (delisting, fresh_delisting) = (
            count_episodes((self.states & bit) > 0, self.session_count) for bit in (1, 2)
        )
        return (
            "Which events are in the calendar, their sign and their severity were written with hindsight "
            f"({_MARKS_TEXT[self.marks]}). The path holds {delisting} delisting and {tariff} tariff "
            f"episodes; {fresh_delisting} and {fresh_tariff} of them began {INDEPENDENT_AFTER} sessions "
            "or more after the last one ended, and no more than those are independent observations. "
            "Probabilities are scores, and those of the four regimes are products with independence assumed."
            + self._silence()
            + "".join(f" {self._fitting(risk)}" for risk in self.refits)
        )

    def _silence(self) -> str:
        """Say how long nothing has become known before the path's end, where that is long."""
        rose = np.flatnonzero((np.diff(self.intensity.to_numpy(), axis=0, prepend=0.0) > 0.0).any(axis=1))
        quiet = self.session_count[-1] - self.session_count[rose[-1]] if len(rose) else 0.0
        if quiet < INDEPENDENT_AFTER:
            return ""
        return (
            f" Nothing of either risk became known in its last {quiet:.0f} sessions: where the calendar has "
            "ended, that is not known to be calm."
        )

    def _fitting(self, risk: str) -> str:
        """How a detector that is fitted came by its parameters."""
        fits = self.refits[risk]
        accepted = fits[fits["accepted"]]
        refused = len(fits) - len(accepted)
        if accepted.empty:
            last = f", the last because {fits['reason'].iloc[-1]}" if len(fits) else ""
            return f"None of the {len(fits)} fits of the {risk} detector could be used{last}: it stays off."
        begin = f"{accepted['in_force_from'].iloc[0]:%Y-%m-%d}"
        return (
            f"The {risk} detector was fitted {len(fits)} times on what had been seen by then, {refused} of "
            f"the fits were refused, and before {begin} none had been accepted and it counts as off."
        )

    def episodes(self) -> pd.DataFrame:
        """Every unbroken run of one regime, calm included.

        Returns:
            one row per run, in order: start (its first step), end (the step that starts the next run, the
            last step for the run still open), regime, sessions (New York sessions from start to end).
        """
        first = np.flatnonzero(np.diff(self.states, prepend=np.int8(-1)))
        last = np.append(first[1:], len(self.states) - 1)[: len(first)]
        return pd.DataFrame(
            {
                "start": self.time[first],
                "end": self.time[last],
                "regime": np.array(self.names)[self.states[first]],
                "sessions": self.session_count[last] - self.session_count[first],
            }
        )

    def until(self, step: int) -> RegimePath:
        """Return the path as it stood at a step, that step included.

        Args:
            step: position on the grid, 0..n_steps-1 (negative counts from the end).
        """
        steps = len(self.time)
        if not is_whole(step):
            raise ParameterError(f"step is {kind(step)}: give a whole number from 0 to {steps - 1}")
        if not -steps <= step < steps:
            raise ParameterError(f"step {step} is outside the path of {steps} steps; use 0 to {steps - 1}")
        stop = int(step) % steps + 1
        return replace(
            self,
            time=self.time[:stop],
            probabilities=self.probabilities.iloc[:stop],
            states=self.states[:stop],
            intensity=self.intensity.iloc[:stop],
            session_count=self.session_count[:stop],
            rows={risk: self._known(table, stop) for risk, table in self.rows.items()},
            refits={risk: self._known(table, stop) for risk, table in self.refits.items()},
        )

    def _known(self, table: pd.DataFrame, stop: int) -> pd.DataFrame:
        """Rows of a table that were known by the step before `stop`."""
        return table[table["known_at"] <= self.time[stop - 1]]


def count_episodes(inside: NDArray[np.bool_], session_count: NDArray[np.float64]) -> tuple[int, int]:
    """Unbroken runs of True, and how many of them began `INDEPENDENT_AFTER` sessions after the last ended."""
    step = np.diff(inside.astype(np.int8), prepend=np.int8(0))
    starts, ends = session_count[step == 1], session_count[step == -1]
    calm = starts[1:] - ends[: max(len(starts) - 1, 0)]
    return len(starts), min(len(starts), 1) + int(np.count_nonzero(calm >= INDEPENDENT_AFTER))
