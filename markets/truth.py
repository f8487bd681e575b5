"""What a simulated market was made from: the numbers that no real market shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import pandas as pd

from entrepot.guarded import Guarded
from entrepot.markets.known_series import KnownSeries
from entrepot.markets.simulated_effects import Effects


@dataclass(frozen=True, eq=False)
class Truth(Guarded):
    """The ground truth of a simulated market of T steps and N lines, to judge strategies by, not to trade on.

    Args:
        events: what moved the prices: ``known_at``, ``channel``, ``direction``, ``severity``; those known by
            the last step.
        effects: what could be foreseen, as the market was made.
        efficient: log of the price behind each line, shape (T, N), indexed by ``grid.time``: HKD per ordinary
            share of today, USD per share of a New York fund. Dividends are never taken off, and it runs
            before a listing and after a delisting. Both lines of a company have the same.
        foreseen: the part of ``efficient`` that was expected at each step before it came, summed up since the
            first step, log, shape (T, N): the reward for risk and every effect on efficient prices.
        premium: of each ADS over parity, free of the noise of prints and ticks, fractions, shape (T, pairs).
        threat: standing escalations less relief of ``tariff`` and ``delisting``, severity points, (T, 2).
        lines: one row per line: ``factor`` (sector of the model), ``industry``, ``volatility`` (annual),
            ``market``, ``in_sector``, ``in_industry`` (correlations) and ``reward`` (expected log return a
            year for risk).
        betas: log return of each line on an escalation of severity 1 where ``effects.event_impact`` is 1; its
            multiple otherwise, shape (N, channels).
        sector_drift: drift of each sector of the model over the segment that ends at each step, log return a
            year, shape (T, factors); zeros without momentum.
        borrow: annual borrow fee of each line, fractions, shape (dates, N), by naive date: from the calm to
            the stressed level of its size for ADSs as the threat of delisting of the session before stood.
        series: what a data vendor would sell beside the prices, by name; see `load_series`.
        signals: the standardised signals behind the series, by the same names, rows and columns.
    """

    events: pd.DataFrame
    effects: Effects = field(default_factory=Effects)
    efficient: pd.DataFrame = field(default_factory=pd.DataFrame)
    foreseen: pd.DataFrame = field(default_factory=pd.DataFrame)
    premium: pd.DataFrame = field(default_factory=pd.DataFrame)
    threat: pd.DataFrame = field(default_factory=pd.DataFrame)
    lines: pd.DataFrame = field(default_factory=pd.DataFrame)
    betas: pd.DataFrame = field(default_factory=pd.DataFrame)
    sector_drift: pd.DataFrame = field(default_factory=pd.DataFrame)
    borrow: pd.DataFrame = field(default_factory=pd.DataFrame)
    series: Mapping[str, KnownSeries] = field(default_factory=dict)
    signals: Mapping[str, KnownSeries] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Truth({len(self.events)} events, {len(self.efficient)} steps, {len(self.series)} series)"

    def cut(self, first: int, stop: int) -> Self:
        """Return the truth of the steps from ``first`` to before ``stop``: nothing known later remains.

        Events, borrow fees and series from before ``first`` stay: they were known then.
        """
        if not len(self.efficient):
            return replace(self)
        by_step = ("efficient", "foreseen", "premium", "threat", "sector_drift")
        now = self.efficient.index[stop - 1]
        return replace(
            self,
            **{name: getattr(self, name).iloc[first:stop] for name in by_step},
            events=self.events[self.events["known_at"] <= now],
            borrow=self.borrow[self.borrow.index <= last_date(now)],
            series={name: one.until(now) for name, one in self.series.items()},
            signals={name: one.until(now) for name, one in self.signals.items()},
        )


def last_date(now: pd.Timestamp) -> pd.Timestamp:
    """Return the last date whose borrow fees are known: they are set by New York's close before it."""
    return now.tz_convert("Asia/Hong_Kong").tz_localize(None).normalize()
