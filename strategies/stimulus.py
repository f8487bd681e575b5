"""Consumer and internet lines after a package of policy support, for as long as it is not taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from entrepot.errors import ParameterError
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind
from entrepot.regimes.events import Events
from entrepot.regimes.path import RegimePath
from entrepot.strategies.baskets import (
    Rules,
    as_targets,
    first_present,
    held_against,
    left_out,
    require_groups,
)
from entrepot.strategies.exposure import after_events
from entrepot.strategies.targets import Parametrised, Targets, require, require_band, require_market

CHANNEL = "policy_support"
DEFAULT_LINES = (
    ("KWEB", "CHIQ"),
    ("0700.HK", "9988.HK", "3690.HK", "9618.HK", "9888.HK", "9999.HK", "1024.HK", "9626.HK", "9961.HK"),
)


@dataclass(frozen=True)
class StimulusBasket(Parametrised):
    """Equal weights in consumer and internet lines for a while after each package of policy support.

    The press's trade: buy what is sold at home after the National People's Congress, a Politburo meeting or
    a package of the central bank. Held from the first New York close that knows an event of the channel
    ``policy_support`` with direction -1 and a severity of at least ``severity``, through ``sessions`` New
    York closes; the next such event begins the count again. Out at the first close that knows an event of
    direction +1 and at least ``exit_severity``, as on 8 October 2024, when the follow-up disappointed.

    Severities count as 3 at most, since 4 and 5 were given with the market's answer in view; that an event is
    in the calendar at all, and on which side, remains hindsight.

    Args:
        events: the calendar; each counts from its `known_at`.
        symbols: lists of symbols in order of preference; the first of which a line is in the market is held.
            The default takes the internet and the consumer fund, else Hong Kong's large internet and consumer
            lines.
        sessions: New York sessions; 60, a quarter, until the next round of data and meetings.
        severity: from 1 to 3, from which support is followed; 3, the packages.
        exit_severity: from 1 to 3, from which the opposite ends it; 2, since what disappoints is bad news
            before it is large.
        weight: of equity in the whole basket.
        drift_band: see `Targets`.
    """

    events: Events
    symbols: Sequence[str] | Sequence[Sequence[str]] = DEFAULT_LINES
    sessions: int = 60
    severity: float = 3
    exit_severity: float = 2
    weight: float = 1.0
    drift_band: float = 0.10

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.events, Events):
            raise ParameterError(f"events is {kind(self.events)}: give a calendar, such as load_events()")
        object.__setattr__(self, "symbols", require_groups("symbols", self.symbols))
        require("sessions", self.sessions, 1, whole=True)
        require("severity", self.severity, 1, 3)
        require("exit_severity", self.exit_severity, 1, 3)
        Rules(self.weight).check()
        require_band(self.drift_band)

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step.

        Args:
            market: with one of the lines.
            path: not used.

        Raises:
            ParameterError: when none of the lines is in the market.
        """
        require_market(market, "StimulusBasket")
        groups = require_groups("symbols", self.symbols)
        lines = first_present(market, "the basket", groups)
        held = after_events(
            market, self.events, CHANNEL, self.severity, self.exit_severity, int(self.sessions)
        )
        level = held.astype(np.float64)
        return as_targets(
            market,
            held_against(market, lines, (), level, Rules(self.weight)),
            level,
            drift_band=self.drift_band,
            notes=left_out(market, "the basket is", groups, lines),
            signal="stimulus",
        )
