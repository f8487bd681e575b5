"""The Hong Kong China index against China listed in New York, through the funds that track them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from entrepot.markets.market import Market
from entrepot.regimes.path import RegimePath
from entrepot.strategies.baskets import (
    Hedge,
    Rules,
    as_targets,
    check_rules,
    first_present,
    held_against,
    left_out,
    require_groups,
)
from entrepot.strategies.exposure import exposure_to
from entrepot.strategies.targets import (
    Parametrised,
    Targets,
    decisions,
    require_choice,
    require_market,
    require_path,
)

HONG_KONG = (("2828.HK", "3033.HK"), ("3067.HK",), ("FXI",))  # 3033 and 3067 track the same index
NEW_YORK = (("PGJ",), ("KWEB",))
When = Literal["delisting", "tariff", "always"]


@dataclass(frozen=True)
class IndexPair(Parametrised):
    """Long funds of the Hong Kong China index, short funds of US-listed China, decided at New York closes.

    The press's trade of February 2025: Hong Kong's index beat the Golden Dragon index by about four points
    in a week of delisting talk. The long side is held at ``weight * min(1, escalation / 3)`` in quarters of
    ``weight``, as `LongHKShortADR` holds its hedge, and not at all while relief is at least as strong.

    The two indices are not made of the same companies: banks and oil on one side, growth on the other.
    ``hedge="beta"`` therefore sells the long weight times the slope of the long side's returns on the short
    side's, held between 0 and 2: more, or what has to be bought, is no hedge. The venues close twelve hours
    apart, so that a slope of daily returns misses half of what moves both and comes out far too low; returns
    in USD over ``horizon`` = 5 sessions miss a tenth of it.

    Lines have equal weights within their side. A line joins once it has traded within five sessions of every
    decision of the window (``hedge="dollar"``: of the last one).

    Args:
        long: lists of symbols in order of preference; the first of which a line is in the market is held. The
            default takes a fund each of Hong Kong's index and technology index, else FXI, which trades in
            New York and holds Hong Kong lines.
        short: the same; only lines that may be shorted. The default takes the fund of the Golden Dragon
            index that the press compared, else the internet fund.
        hedge: "beta", or "dollar" for equal weights.
        when: the risk whose escalation sizes the trade, "delisting" or "tariff"; "always": it is whole.
        weight: of equity on the long side when the trade is whole; half, so that both sides together are
            about the equity.
        lookback: New York sessions of the window behind the slope; half a year is common practice, as long
            as `SectorRotation` looks back.
        horizon: sessions of its overlapping returns; a week.
        rebalance: sessions between two estimates, the first at the market's first decision; about a month.
            Besides, the sides are made anew when the level or their lines change.
        drift_band: see `Targets`.
    """

    long: Sequence[str] | Sequence[Sequence[str]] = HONG_KONG
    short: Sequence[str] | Sequence[Sequence[str]] = NEW_YORK
    hedge: Hedge = "beta"
    when: When = "delisting"
    weight: float = 0.5
    lookback: int = 120
    horizon: int = 5
    rebalance: int = 21
    drift_band: float = 0.10

    def __post_init__(self) -> None:
        super().__post_init__()
        for side in ("long", "short"):
            object.__setattr__(self, side, require_groups(side, getattr(self, side)))
        require_choice("when", self.when, get_args(When))
        check_rules(self, self._rules)

    @property
    def _rules(self) -> Rules:
        return Rules(self.weight, "equal", self.hedge, self.lookback, self.horizon, self.rebalance)

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step.

        Args:
            market: with a fund of each side.
            path: not needed with ``when="always"``.

        Raises:
            ParameterError: when a side is empty or the path is missing or misfits.
        """
        require_market(market, "IndexPair")
        steps = decisions(market)
        sides: list[tuple[str, ...]] = []
        notes: list[str] = []
        for what, groups, short in (("long", self.long, False), ("short", self.short, True)):
            lines = first_present(market, f"the {what} side", require_groups(what, groups), short=short)
            notes += left_out(market, f"the {what} side is", require_groups(what, groups), lines)
            sides.append(lines)
        series = {}
        level = np.ones(len(steps))
        if self.when != "always":
            path = require_path(market, path, f"IndexPair(when={self.when!r})")
            exposure = exposure_to(path, steps, (self.when,))
            level = exposure.hedge
            series = {"escalation": exposure.escalation, "relief": exposure.relief}
        held = held_against(market, sides[0], sides[1], level, self._rules)
        return as_targets(
            market, held, level, drift_band=self.drift_band, notes=notes, signal="index_pair", **series
        )
