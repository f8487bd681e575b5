"""Trades on flows: mainland buying of Hong Kong lines, shares that move there, and new listings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError
from entrepot.markets.known_series import KnownSeries
from entrepot.markets.market import Market
from entrepot.regimes.arguments import short
from entrepot.regimes.path import RegimePath
from entrepot.strategies.series_rank import (
    Floats,
    basket,
    frames,
    fresh,
    funds_of,
    hong_kong_lines,
    never,
    quoted,
    rebalances,
    require_series,
    rolling_mean,
    rolling_zscore,
    single_lines,
    trend,
)
from entrepot.strategies.targets import (
    Parametrised,
    Targets,
    changes,
    columns_of,
    count_in_whole_numbers,
    decisions,
    departed,
    require,
    require_band,
    require_choice,
    require_flag,
    require_market,
    require_symbols,
)

QUARTERS = 4  # of a pair's weight, as in the delisting hedge
Scale = Literal["own", "cross"]
INDEX_FUNDS = ("2800.HK", "2828.HK", "MCHI", "FXI")


@dataclass(frozen=True)
class SouthboundFlow(Parametrised):
    """Hold the Hong Kong lines that mainland investors buy most, by Southbound net buying over turnover.

    A line's score is the sum of its last ``window`` daily values divided by their number: net buying as a
    fraction of turnover, (bought - sold) / turnover, both in HKD and of the line's whole turnover. A day
    without a value is left out, and the score stays the one of the last day with a value; a line with fewer
    than half of them is not ranked. Lines are ranked every ``rebalance`` New York sessions, once they have
    traded within five; ties go to the first in the market's order.

    The idea is the press's of March 2025: 20 sessions of net buying over turnover, and a trend filter. Net
    buying persists from week to week and moves prices while it lasts; whether it foretells them is the test.

    Args:
        flow: net buying as a fraction of turnover, by day and Hong Kong symbol; see `load_series`.
        window: days in the score: 20, the press's month.
        top: lines on a side, each ``gross / top``; None: a third of those ranked, the usual sort.
        rebalance: New York sessions between rankings: 21, so that hardly a day counts in two of them and
            stamp duty is paid on one ranking a month.
        trend: at a ranking, hold a line only if its level is above its mean of ``trend_window`` sessions, and
            sell it short only if below; else its part stays in cash until the next ranking.
        trend_window: sessions in that mean: 120, half a year, as in the sector rotation.
        short: also sell the least bought short, where they may be.
        gross: sum of the weights on one side.
        stale: New York sessions after which a line's last value, and with it its score, no longer counts: 10,
            since Stock Connect pauses for up to twelve days over the long holidays.
        drift_band: see `Targets`.
    """

    flow: KnownSeries
    window: int = 20
    top: int | None = None
    rebalance: int = 21
    trend: bool = True
    trend_window: int = 120
    short: bool = False
    gross: float = 1.0
    stale: float = 10.0
    drift_band: float = 0.10

    def __post_init__(self) -> None:
        super().__post_init__()
        require_series("flow", self.flow)
        require("window", self.window, 1, whole=True)
        if self.top is not None:
            require("top", self.top, 1, whole=True)
            count_in_whole_numbers(self, "top")
        require("rebalance", self.rebalance, 1, whole=True)
        require_flag("trend", self.trend)
        require("trend_window", self.trend_window, 2, whole=True)
        require_flag("short", self.short)
        require("gross", self.gross, 0)
        require("stale", self.stale, 0)
        require_band(self.drift_band)
        count_in_whole_numbers(self, "window", "rebalance", "trend_window")
        if (np.abs(self.flow.array) > 1).any():
            raise DataError(
                f"{short(self.flow.name)} is outside -1 to 1: give net buying as a fraction of the line's "
                "turnover, since amounts would rank by size"
            )

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step.

        Args:
            market: with a Hong Kong line that the flow is about.
            path: not used.

        Raises:
            ParameterError: when the market has none.
        """
        require_market(market, "SouthboundFlow")
        flow, notes = hong_kong_lines(market, self.flow)
        columns = columns_of(market, flow.symbols)
        score = fresh(flow, market, self.stale, partial(rolling_mean, window=self.window))
        score[~quoted(market, columns)] = np.nan
        above = trend(market, columns, self.trend_window)
        shortable = market.instruments["shortable"].to_numpy(bool)[columns]
        long = (above > 0) | (not self.trend)
        below = ((above < 0) | (not self.trend)) & shortable if self.short else None
        wanted = basket(score, self.rebalance, self.top, self.gross, long, below)
        if self.short and not shortable.all():
            barred = [s for s, may in zip(flow.symbols, shortable, strict=True) if not may]
            notes = (*notes, f"never sold short, since they may not be: {short(', '.join(barred))}")
        notes += never(flow, wanted, score, "fewer than three lines can be ranked, or none is in a trend")
        signals = {"flow": score, "trend": above}
        return single_lines(market, flow.symbols, wanted, self.drift_band, notes, signals)


@dataclass(frozen=True)
class CustodyShift(Parametrised):
    """Long Hong Kong line / short ADR in linked pairs, while shares move into Hong Kong's custody.

    The shift is the change, over ``window`` New York sessions, of the part of a company's issued shares
    that lies in Hong Kong's clearing system. Holders who give their ADRs up for Hong Kong shares raise it: a
    slow proxy of how much they fear a delisting. It also rises with new listings of unlisted shares and with
    conversions that have other reasons.

    The pair's weight is ``weight * min(1, z / full)`` in quarters, nothing below zero, where z is the
    shift in standard deviations: "own", from the mean of its own last ``history`` sessions, which
    keeps what all companies have in common; or "cross", from the mean of all pairs at that moment,
    which does not. It is decided every ``rebalance`` sessions. A pair joins once both its lines have traded
    within five.

    Args:
        custody: percent of issued shares in CCASS, by date and Hong Kong symbol; see `load_series`.
        window: sessions of the change: 60, a quarter, since holdings drift by about two points a year.
        scale: "own" or "cross".
        history: sessions in the own mean and deviation: 252, a year; half of them must be known.
        full: z at which the whole weight is held: 2, about one session in forty if shifts were normal.
        weight: of equity in each Hong Kong leg; 0.075 keeps thirteen pairs below a gross weight of 1 a side.
        rebalance: New York sessions between decisions: 21, since the series is slow and often kept by hand.
        stale: New York sessions after which a reading no longer counts: 30, a month's and a week more.
        drift_band: see `Targets`.
    """

    custody: KnownSeries
    window: int = 60
    scale: Scale = "own"
    history: int = 252
    full: float = 2.0
    weight: float = 0.075
    rebalance: int = 21
    stale: float = 30.0
    drift_band: float = 0.10

    def __post_init__(self) -> None:
        super().__post_init__()
        require_series("custody", self.custody)
        require("window", self.window, 1, whole=True)
        require_choice("scale", self.scale, get_args(Scale))
        require("history", self.history, 4, whole=True)
        require("full", self.full, 0, above=True)
        require("weight", self.weight, 0)
        require("rebalance", self.rebalance, 1, whole=True)
        require("stale", self.stale, 0)
        require_band(self.drift_band)
        count_in_whole_numbers(self, "window", "history", "rebalance")
        share = self.custody.array
        if ((share < 0) | (share > 100)).any():
            raise DataError(
                f"{short(self.custody.name)} is outside 0 to 100: give percent of issued shares in custody"
            )

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the pairs' targets at every step, each made from what was known at that step.

        Args:
            market: with a pair whose Hong Kong line the custody is about.
            path: not used.

        Raises:
            ParameterError: when the market has none.
        """
        require_market(market, "CustodyShift")
        adr_of = {str(hk): str(adr) for adr, hk in market.pairs["hk"].items()}
        if not adr_of:
            raise ParameterError(
                "this market has no pair with both legs: load the Hong Kong line and the ADR"
            )
        custody, notes = hong_kong_lines(market, self.custody, tuple(adr_of))
        if stray := [symbol for symbol in self.custody.symbols if symbol not in adr_of]:
            notes = (*notes, f"{custody.name}: no pair of this market, left out: {short(', '.join(stray))}")
        pairs = tuple((hk, adr_of[hk]) for hk in custody.symbols)
        adrs = [adr for _, adr in pairs]
        steps, hk_columns, columns = (
            decisions(market),
            columns_of(market, custody.symbols),
            columns_of(market, adrs),
        )
        share = pd.DataFrame(fresh(custody, market, self.stale))
        change = share - share.shift(self.window)
        z = self._scaled(change)
        z[~(quoted(market, hk_columns) & quoted(market, columns))] = np.nan
        shortable = market.instruments["shortable"].to_numpy(bool)[columns]
        quarters = np.floor(QUARTERS * np.clip(np.nan_to_num(z) / self.full, 0.0, 1.0) + 0.5) / QUARTERS
        ranks = rebalances(z, self.rebalance)
        wanted = np.zeros(z.shape)
        for i, s in enumerate(ranks):
            following = ranks[i + 1] if i + 1 < len(ranks) else None
            wanted[s:following] = np.where(shortable, self.weight * quarters[s], 0.0)
        numbers = np.full((len(market), len(pairs)), np.nan)
        gone = departed(market)[np.ix_(steps, columns)]
        numbers[steps] = np.where(gone, np.nan, changes(wanted))
        if not shortable.all():
            barred = [adr for adr, may in zip(adrs, shortable, strict=True) if not may]
            notes = (*notes, f"no pair in {short(', '.join(barred))}: the ADR may not be shorted")
        notes += never(custody, wanted, z, "no shift is an eighth of the way to a full weight")
        return Targets(
            weights=np.full(market.price.shape, np.nan),
            pairs=pairs,
            pair_weights=numbers,
            drift_band=self.drift_band,
            notes=notes,
            signals=frames(market, custody.symbols, {"change": change.to_numpy(), "zscore": z}),
        )

    def _scaled(self, change: pd.DataFrame) -> Floats:
        """The shifts in standard deviations, shape (S, pairs)."""
        if self.scale == "own":
            return rolling_zscore(change, self.history).to_numpy().copy()
        deviation = change.std(axis=1)
        centred = change.sub(change.mean(axis=1), axis=0)
        return centred.div(deviation.where(deviation > 1e-12), axis=0).to_numpy().copy()


@dataclass(frozen=True)
class ListingBreadth(Parametrised):
    """Hold an index fund while new listings raise more than usual: a gauge of appetite for risk.

    In while the mean monthly proceeds of the last ``recent`` months exceed those of the last ``history``,
    both as known, the recent months included; out otherwise, and while there is no full history. A boom in
    listings follows a rise of the market and may mark its end: the press names this trap itself.

    Args:
        proceeds: raised by new listings, one row a month dated by its end, in one currency; one column.
        symbols: funds or lines held, an equal part each; None: the first of 2800.HK, 2828.HK, MCHI and FXI
            that the market has.
        recent: months: 3, a quarter, because single listings are as large as a month.
        history: months: 24, long enough to hold a calm year, short enough to forget the last cycle.
        gross: sum of the weights.
        stale: New York sessions after which the last month no longer counts: 45, two months.
        drift_band: see `Targets`.
    """

    proceeds: KnownSeries
    symbols: Sequence[str] | None = None
    recent: int = 3
    history: int = 24
    gross: float = 1.0
    stale: float = 45.0
    drift_band: float = 0.10

    def __post_init__(self) -> None:
        super().__post_init__()
        require_series("proceeds", self.proceeds)
        if self.symbols is not None:
            object.__setattr__(self, "symbols", require_symbols("symbols", self.symbols))
        require("recent", self.recent, 1, whole=True)
        require("history", self.history, 2, whole=True)
        require("gross", self.gross, 0)
        require("stale", self.stale, 0)
        require_band(self.drift_band)
        count_in_whole_numbers(self, "recent", "history")
        if self.recent >= self.history:
            raise ParameterError(
                f"recent is {self.recent} and history {self.history}: recent months are fewer than history"
            )
        month = self.proceeds.dates.to_period("M").asi8
        if len(self.proceeds.symbols) != 1 or (np.diff(month) != 1).any():
            raise DataError(
                f"{short(self.proceeds.name)} has {len(self.proceeds.symbols)} columns, or a month without "
                "a row or with two: give the proceeds of all listings in one column, one row a month"
            )

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step.

        Args:
            market: with the funds named.
            path: not used.

        Raises:
            ParameterError: when the market does not have them.
        """
        require_market(market, "ListingBreadth")
        symbols, notes = funds_of(market, self.symbols, INDEX_FUNDS)
        breadth = fresh(
            self.proceeds,
            market,
            self.stale,
            lambda month: month.rolling(self.recent).mean() / month.rolling(self.history).mean(),
        )
        traded = quoted(market, columns_of(market, symbols))
        wanted = np.where((breadth > 1) & traded, self.gross / len(symbols), 0.0)
        notes += never(self.proceeds, wanted, breadth, "recent proceeds never exceed their history")
        return single_lines(market, symbols, wanted, self.drift_band, notes, {"breadth": breadth})
