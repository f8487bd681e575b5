"""Switching between strategies by regime: all of one, or each by its probability."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from types import NoneType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, shown
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind
from entrepot.regimes.path import RegimePath
from entrepot.strategies.targets import (
    Parametrised,
    Strategy,
    Targets,
    carried,
    columns_of,
    decisions,
    departed,
    require,
    require_band,
    require_choice,
    require_market,
    require_path,
)

Part = Strategy | pd.DataFrame | None
WEIGHTINGS = ("hard", "probability")


@dataclass(frozen=True, eq=False, repr=False)
class RegimeSwitch(Parametrised):
    """Follow, at each decision, the part that belongs to the regime.

    ``hard``: what the regime's part stands for is wanted. On a change, at the next New York close, lines
    that the two parts want differently get the incoming part's number, 0 where it wants nothing; what both
    want alike is left alone. In between the part's own numbers pass through.

    ``probability``: the sum over regimes of probability times what each part stands for, at New York
    closes. A line's number is emitted when it differs from the last one by more than ``deadband`` of the
    largest weight that any part stands for in it then, and when no part wants the line any more, so that a
    drifting probability does not trade every day.

    A pair is closed the way the regime's part closes it (`Targets.exits`), by probability the way of the
    most probable regime whose part names it. A pair that no part in charge names, closed because the regime
    has changed, is closed the way of the part that was last in charge of it.

    Equal pairs of different parts are one linked pair. A symbol may be a single line of one part and a leg
    of another's pair; the engine keeps these apart.

    Args:
        path: the regime of every step of the market.
        calm: a strategy, a frame of weights, or None for cash.
        tariff: the same.
        delisting: the same.
        decoupling: the same.
        weighting: "hard" or "probability".
        deadband: see ``probability``; between 0 and 1.
        drift_band: see `Targets`; None: the smallest of the parts'.
    """

    path: RegimePath
    calm: Part = None
    tariff: Part = None
    delisting: Part = None
    decoupling: Part = None
    weighting: str = "hard"
    deadband: float = 0.10
    drift_band: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, RegimePath):
            raise ParameterError(
                f"path is {kind(self.path)}: give what model.walk_forward(market, events) returns"
            )
        require_choice("weighting", self.weighting, WEIGHTINGS)
        require("deadband", self.deadband, 0, 1)
        if self.drift_band is not None:
            require_band(self.drift_band)
        for name, part in zip(self.path.names, self.parts, strict=True):
            if isinstance(part, type) or not isinstance(part, (pd.DataFrame, Strategy, NoneType)):
                raise ParameterError(
                    f"{name} is {kind(part)}: give a strategy, a weights frame, or None for cash"
                )

    def __repr__(self) -> str:
        parts = [f"{name}={brief(part)}" for name, part in zip(self.path.names, self.parts, strict=True)]
        return f"RegimeSwitch({', '.join(parts)}, weighting={self.weighting!r})"

    @property
    def parts(self) -> tuple[Part, Part, Part, Part]:
        """The parts in the order of the path's names."""
        return self.calm, self.tariff, self.delisting, self.decoupling

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step.

        Args:
            market: of the same steps as the switch's path.
            path: not used; the parts get the switch's own.

        Raises:
            ParameterError: when the switch's path was made for other steps.
        """
        require_market(market, "RegimeSwitch")
        own = require_path(market, self.path, "RegimeSwitch")
        made = self._targets_of_parts(market, own)
        present = [targets for targets in made if targets is not None]
        pairs = tuple(dict.fromkeys(pair for targets in present for pair in targets.pairs))
        used = np.zeros(len(market.symbols), dtype=bool)
        for targets in present:
            used |= np.isfinite(targets.weights).any(axis=0)
        singles = np.flatnonzero(used)

        emitted = np.full((len(made), len(market), len(singles) + len(pairs)), np.nan)
        for k, part in enumerate(made):
            if part is not None:
                linked = [len(singles) + pairs.index(pair) for pair in part.pairs]
                emitted[k, :, : len(singles)] = part.weights[:, singles]
                emitted[k][:, linked] = part.pair_weights
        standing = np.stack([carried(numbers) for numbers in emitted])
        steps = decisions(market)
        charge = self._charge(own, steps)
        if self.weighting == "hard":
            numbers = self._hard(charge, emitted, standing)
        else:
            numbers = self._by_probability(charge, steps, standing)
        lines = np.append(singles, columns_of(market, (adr for _, adr in pairs)))
        numbers[departed(market)[:, lines]] = np.nan

        weights = np.full(market.price.shape, np.nan)
        weights[:, singles] = numbers[:, : len(singles)]
        bands = [targets.drift_band for targets in present] or [np.inf]
        signals: dict[str, pd.DataFrame] = {}
        for targets in present:
            signals = {**targets.signals, **signals}
        return Targets(
            weights=weights,
            pairs=pairs,
            pair_weights=numbers[:, len(singles) :],
            drift_band=min(bands) if self.drift_band is None else self.drift_band,
            notes=self._notes(made),
            signals=signals,
            exits=self._exits(charge, made, pairs),
        )

    def _targets_of_parts(self, market: Market, path: RegimePath) -> list[Targets | None]:
        """The targets of each part, equal parts being asked once."""
        made: list[Targets | None] = []
        for k, part in enumerate(self.parts):
            before = [j for j in range(k) if same(self.parts[j], part)]
            if part is None or before:
                made.append(made[before[0]] if before else None)
                continue
            if isinstance(part, pd.DataFrame):
                made.append(Targets.from_frame(market, part))
            else:
                targets = part.targets(market, path)
                targets.check(market)
                made.append(targets)
        return made

    def _charge(self, path: RegimePath, steps: NDArray[np.intp]) -> NDArray[np.float64]:
        """Each regime's share in what is decided, as of the last decision, (T, 4); 0 before the first."""
        probability = path.probabilities.to_numpy(np.float64)
        share = np.eye(len(path.names))[path.states] if self.weighting == "hard" else probability
        last = np.searchsorted(steps, np.arange(len(share)), side="right") - 1
        charge = np.zeros(share.shape)
        charge[last >= 0] = share[steps[last[last >= 0]]]
        return charge

    def _hard(
        self, charge: NDArray[np.float64], emitted: NDArray[np.float64], standing: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        row = np.arange(len(charge))
        decided = charge.max(axis=1) > 0
        chosen = charge.argmax(axis=1)
        wanted = np.where(decided[:, None], standing[chosen, row], 0.0)
        before = np.vstack([np.zeros((1, wanted.shape[1])), wanted[:-1]])
        own = np.where(decided[:, None], emitted[chosen, row], np.nan)
        return np.where(np.isnan(own) & (wanted != before), wanted, own)

    def _by_probability(
        self, charge: NDArray[np.float64], steps: NDArray[np.intp], standing: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        at = standing[:, steps]
        wanted = charge[steps].T[:, :, None] * at
        total = wanted[0] + wanted[1] + wanted[2] + wanted[3]
        largest = np.abs(at).max(axis=0)
        numbers = np.full(standing.shape[1:], np.nan)
        last = np.zeros(standing.shape[2])
        for i, step in enumerate(steps):
            moved = np.abs(total[i] - last) > self.deadband * largest[i]
            numbers[step, moved] = total[i, moved]
            last[moved] = total[i, moved]
        return numbers

    def _exits(
        self,
        charge: NDArray[np.float64],
        made: list[Targets | None],
        pairs: tuple[tuple[str, str], ...],
    ) -> NDArray[np.int8]:
        """How each pair is closed, (T, P): by the weightiest part that names it, or the last there was."""
        claim = np.zeros((len(made), len(charge), len(pairs)))
        exits = np.zeros(claim.shape, dtype=np.int8)
        for k, part in enumerate(made):
            if part is not None:
                linked = [pairs.index(pair) for pair in part.pairs]
                claim[k][:, linked] = charge[:, k, None]
                exits[k][:, linked] = part.exits
        claimed = claim.max(axis=0) > 0
        by = carried(np.where(claimed, claim.argmax(axis=0), np.nan)).astype(np.intp)
        chosen: NDArray[np.int8] = np.take_along_axis(exits, by[None], axis=0)[0]
        return chosen

    def _notes(self, made: list[Targets | None]) -> tuple[str, ...]:
        """The parts' notes, each after the name of its regimes."""
        notes: list[str] = []
        if all(targets is None for targets in made):
            notes.append("can never trade: every part is None, which is cash")
        for targets in dict.fromkeys(made):
            if targets is not None:
                names = [name for name, other in zip(self.path.names, made, strict=True) if other is targets]
                notes += [f"{' and '.join(names)}: {note}" for note in targets.notes]
        return tuple(notes)


def brief(part: object) -> str:
    """Return a part in a few words: a strategy's name, its mode and what differs from the defaults."""
    if part is None:
        return "None"
    if isinstance(part, pd.DataFrame):
        return f"DataFrame({len(part)} rows, {part.shape[1]} columns)"
    if isinstance(part, RegimeSwitch) or not isinstance(part, Parametrised):
        return f"{type(part).__name__}(...)"
    own = fields(part)  # type: ignore[arg-type]
    told = [
        f.name for f in own if f.name == "mode" or f.default is MISSING or getattr(part, f.name) != f.default
    ]
    words = [f"{name}={shown(getattr(part, name))}" for name in told]
    return f"{type(part).__name__}({', '.join(words + ['...'] * (len(told) < len(own)))})"


def same(one: Part, other: Part) -> bool:
    """Tell whether two parts are one object, or strategies with equal parameters."""
    if one is other:
        return True
    return not isinstance(one, pd.DataFrame) and type(one) is type(other) and one == other
