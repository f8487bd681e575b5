"""How much of a trade to hold at each decision: by the intensity of risks, or for a while after an event."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from entrepot.errors import ParameterError
from entrepot.markets.market import Market
from entrepot.markets.sessions import session_clock
from entrepot.regimes.arguments import kind
from entrepot.regimes.events import Events
from entrepot.regimes.intensity import event_marks, nanoseconds
from entrepot.regimes.path import RegimePath
from entrepot.strategies.targets import decisions, require_choice, require_symbols

Floats = NDArray[np.float64]

RISKS = ("delisting", "tariff")
FULL_INTENSITY = 3.0  # marks at which a trade is whole: one event of the largest mark that is not hindsight
QUARTERS = 4  # a trade resized with every step of a decaying intensity would trade each day for nothing


class Exposure(NamedTuple):
    """What a path says of some risks at each of S decisions, each of shape (S,).

    Args:
        escalation: sum of the risks' escalation intensities, in marks.
        relief: sum of their relief intensities, in marks.
        hedge: part of a trade against the risks, in quarters from 0 to 1; 0 unless escalation is stronger.
        reversal: part of a trade on their passing, the same; 0 unless relief is stronger.
    """

    escalation: Floats
    relief: Floats
    hedge: Floats
    reversal: Floats


def exposure_to(path: RegimePath, steps: NDArray[np.intp], risks: tuple[str, ...]) -> Exposure:
    """Return what a path says of risks at the decisions at ``steps``.

    A trade is held at ``min(1, x / 3)`` in quarters, x being the stronger of escalation and relief. The two
    are compared, never netted; of equals neither is held.
    """
    escalation, relief = (
        path.intensity[[(risk, side) for risk in risks]].to_numpy(np.float64)[steps].sum(axis=1)
        for side in ("escalation", "relief")
    )
    hedge = np.where(escalation > relief, in_quarters(escalation), 0.0)
    return Exposure(escalation, relief, hedge, np.where(relief > escalation, in_quarters(relief), 0.0))


def in_quarters(intensity: Floats) -> Floats:
    """Return ``min(1, intensity / 3)`` to the nearest quarter, halves up."""
    quarters = np.floor(QUARTERS * np.minimum(1.0, intensity / FULL_INTENSITY) + 0.5)
    return np.asarray(quarters / QUARTERS, dtype=np.float64)


def after_events(
    market: Market, events: Events, channel: str, enter: float, leave: float, sessions: int
) -> NDArray[np.bool_]:
    """Tell at which decisions a trade on relief in a channel is held, shape (S,).

    It is held from the first decision that knows an event of direction -1 and a mark of at least ``enter``,
    through ``sessions`` New York closes, the first of them at or after the event's `known_at`; a further
    such event begins the count again. It is not held from the first decision that knows an event of
    direction +1 and a mark of at least ``leave``, until the next relief. Marks are severities capped at 3.
    """
    rows = events.known_by(market.grid["time"].iloc[-1]).frame
    marks, direction = event_marks(rows, "capped"), rows["direction"].to_numpy()
    relieves, ends = (direction == -1) & (marks >= enter), (direction == 1) & (marks >= leave)
    rows = rows[(rows["channel"] == channel) & (relieves | ends)]
    rows = rows.sort_values(["known_at", "direction"], kind="stable")  # of one moment, the end comes last
    clock = session_clock(rows["known_at"])
    until = np.append(np.where(rows["direction"] == -1, np.ceil(clock) + sessions, -np.inf), -np.inf)
    steps = decisions(market)
    last = np.searchsorted(nanoseconds(rows["known_at"]), market.times[steps], side="right") - 1
    held: NDArray[np.bool_] = market.session_count[steps] < until[last]
    return held


def require_risks(name: str, value: object) -> tuple[str, ...]:
    """Return risks in a tuple, one given by itself included; refuse none, others and repetitions."""
    risks = require_symbols(name, value)
    for risk in risks:
        require_choice(name, risk, RISKS)
    if not risks or len(set(risks)) != len(risks):
        raise ParameterError(f"{name} is {kind(value)}: give 'delisting', 'tariff' or both, each once")
    return risks
