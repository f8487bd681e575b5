"""Switching between strategies by regime: all of one, or each by its probability."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from functools import partial
from types import NoneType
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.decisions import Decision, Identity
from entrepot.errors import ParameterError, shown
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind
from entrepot.regimes.path import RegimePath
from entrepot.strategies.dual_listing import LongHKShortADR
from entrepot.strategies.function import alike
from entrepot.strategies.sector_rotation import SectorRotation
from entrepot.strategies.targets import (
    Parametrised,
    Strategy,
    Targets,
    columns_of,
    decisions,
    departed,
    emitted,
    require,
    require_band,
    require_choice,
    require_market,
    require_path,
)

Part = Strategy | pd.DataFrame | None
Weighting = Literal["hard", "probability"]


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

        >>> import entrepot as ep
        >>> market = ep.simulate_market("2024-01-02", "2025-06-30", symbols=["BABA", "9988.HK"])
        >>> path = ep.RegimeModel().walk_forward(market, ep.load_events())
        >>> pairs = ep.LongHKShortADR()
        >>> plan = ep.RegimeSwitch(path, calm=pairs, delisting=pairs.with_(mode="delisting_hedge"))
        >>> plan.delisting.mode, plan.tariff  # a part that is not given is cash
        ('delisting_hedge', None)

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
    weighting: Weighting = "hard"
    deadband: float = 0.10
    drift_band: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.path, RegimePath):
            raise ParameterError(
                f"path is {kind(self.path)}: give what model.walk_forward(market, events) returns"
            )
        require_choice("weighting", self.weighting, get_args(Weighting))
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
        made = self._targets_of_parts(market, require_path(market, self.path, "RegimeSwitch"))
        decision = self._decision(market, made)
        numbers, exits, _ = emitted(market, decision)
        singles = len(decision.symbols)
        weights = np.full(market.price.shape, np.nan)
        weights[:, columns_of(market, decision.symbols)] = numbers[:, :singles]
        signals: dict[str, pd.DataFrame] = {}
        for targets in made:
            if targets is not None:
                signals = {**targets.signals, **signals}
        return Targets(
            weights=weights,
            pairs=decision.pairs,
            pair_weights=numbers[:, singles:],
            drift_band=decision.drift_band,
            notes=self._notes(made),
            signals=signals,
            exits=exits,
        )

    def decision(self, market: Market, path: RegimePath | None = None) -> Decision:
        """Return what is decided inside the loop; its numbers are those of `targets`.

        Parts that are built-in strategies decide in the loop too; the targets of others are made beforehand.

        Args:
            market: of the same steps as the switch's path.
            path: not used; the parts get the switch's own.

        Raises:
            ParameterError: when the switch's path was made for other steps.
        """
        require_market(market, "RegimeSwitch")
        require_path(market, self.path, "RegimeSwitch")
        return self._decision(market, None)

    def _decision(self, market: Market, made: list[Targets | None] | None) -> Decision:
        """Put the parts' decisions together; `made` are their targets where they are there already."""
        from entrepot.strategies import _kernels as kernels

        parts, of_regime = self._decisions_of_parts(market, made)
        used = {symbol for part in parts for symbol in part.symbols}
        symbols = tuple(symbol for symbol in market.symbols if symbol in used)
        pairs = tuple(dict.fromkeys(pair for part in parts for pair in part.pairs))
        columns: list[object] = [*symbols, *pairs]
        head = [float(self.weighting == "probability"), self.deadband, len(symbols), len(pairs), len(parts)]
        # Behind the switch's own params: where each part finds its own, then which columns are its.
        table: list[float] = []
        tail: list[float] = []
        plane, slot = 2, len(columns) + len(pairs) + len(parts) * len(columns)
        param = kernels.TABLE + kernels.REGIMES + kernels.WIDTH * len(parts)
        planes = [part.planes for part in parts]
        for part, count in zip(parts, planes, strict=True):
            its = [columns.index(column) for column in (*part.symbols, *part.pairs)]
            at = param + len(tail)
            places = [at, plane, plane + count, slot, slot + part.memory]
            table += [*places, len(part.symbols), len(part.pairs), at + len(part.params)]
            tail += [*part.params, *its]
            plane, slot = plane + count, slot + part.memory
        bands = [part.drift_band for part in parts] or [np.inf]
        replays = any(part.params[0] == kernels.REPLAY for part in parts)
        return Decision(
            function=kernels.decide,
            symbols=symbols,
            pairs=pairs,
            params=np.array([kernels.SWITCH, *head, *of_regime, *table, *tail], dtype=np.float64),
            features=partial(self._features, market, symbols, pairs, parts),
            features_key=(
                "switch",
                self.weighting,
                symbols,
                pairs,
                tuple(part.features_key for part in parts),
                tuple(of_regime),
                Identity(self.path),
            ),
            memory=slot,
            steps=np.ones(len(market), dtype=bool) if replays else None,
            drift_band=min(bands) if self.drift_band is None else self.drift_band,
            planes=plane,
        )

    def _decisions_of_parts(
        self, market: Market, made: list[Targets | None] | None
    ) -> tuple[list[Decision], list[int]]:
        """The decisions of the different parts, and which of them each regime follows; -1 is cash."""
        asked: list[Decision] = []
        of_regime: list[int] = []
        for k, part in enumerate(self.parts):
            before = [j for j in range(k) if alike(self.parts[j], part)]
            if part is None or before:
                of_regime.append(of_regime[before[0]] if before else -1)
                continue
            of_regime.append(len(asked))
            # A subclass may write its targets anew: they are made beforehand, as those of others are.
            if type(part) is LongHKShortADR or type(part) is SectorRotation:
                asked.append(part.decision(market, self.path))
            else:
                ready = None if made is None else made[k]
                asked.append(replayed(market, ready or targets_of_part(market, part, self.path)))
        return asked, of_regime

    def _features(
        self,
        market: Market,
        symbols: tuple[str, ...],
        pairs: tuple[tuple[str, str], ...],
        parts: list[Decision],
    ) -> NDArray[np.float64]:
        """Stack the features of the switch, (2, T, columns), and of its parts."""
        from entrepot.strategies import _kernels as kernels

        made = [part.features() for part in parts]
        columns = len(symbols) + len(pairs)
        width = max([kernels.REGIMES + 1, columns, *(features.shape[2] for features in made)])
        features = np.zeros((2 + sum(len(planes) for planes in made), len(market), width))
        features[kernels.CHARGE, :, : kernels.REGIMES] = self._charge(self.path, decisions(market))
        features[kernels.CHARGE, :, kernels.REGIMES] = market.decision_steps
        lines = columns_of(market, (*symbols, *(adr for _, adr in pairs)))
        features[kernels.AWAY, :, :columns] = departed(market)[:, lines]
        at = 2
        for planes in made:
            features[at : at + len(planes), :, : planes.shape[2]] = planes
            at += len(planes)
        return features

    def _targets_of_parts(self, market: Market, path: RegimePath) -> list[Targets | None]:
        """The targets of each part, equal parts being asked once."""
        made: list[Targets | None] = []
        for k, part in enumerate(self.parts):
            before = [j for j in range(k) if alike(self.parts[j], part)]
            if part is None or before:
                made.append(made[before[0]] if before else None)
                continue
            made.append(targets_of_part(market, part, path))
        return made

    def _charge(self, path: RegimePath, steps: NDArray[np.intp]) -> NDArray[np.float64]:
        """Each regime's share in what is decided, as of the last decision, (T, 4); 0 before the first."""
        probability = path.probabilities.to_numpy(np.float64)
        share = np.eye(len(path.names))[path.states] if self.weighting == "hard" else probability
        last = np.searchsorted(steps, np.arange(len(share)), side="right") - 1
        charge = np.zeros(share.shape)
        charge[last >= 0] = share[steps[last[last >= 0]]]
        return charge

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


def targets_of_part(market: Market, part: Strategy | pd.DataFrame, path: RegimePath | None) -> Targets:
    """Return what one part wants, checked."""
    if isinstance(part, pd.DataFrame):
        return Targets.from_frame(market, part)
    targets = part.targets(market, path)
    targets.check(market)
    return targets


def replayed(market: Market, targets: Targets) -> Decision:
    """Return a decision that repeats targets."""
    from entrepot.strategies import _kernels as kernels

    used = np.asarray(np.isfinite(targets.weights).any(axis=0))
    rows = np.hstack([targets.weights[:, used], targets.pair_weights, targets.exits])
    return Decision(
        function=kernels.decide,
        symbols=tuple(symbol for symbol, wanted in zip(market.symbols, used, strict=True) if wanted),
        pairs=targets.pairs,
        params=np.array([kernels.REPLAY], dtype=np.float64),
        features=lambda: rows[None],
        features_key=Identity(rows),
        drift_band=targets.drift_band,
        planes=1,
    )


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
