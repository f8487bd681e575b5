"""Trades on valuations: earnings multiples, and Hong Kong lines that are cheaper than their A shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import NoneType
from typing import Literal

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError
from entrepot.markets.known_series import KnownSeries
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind, short
from entrepot.regimes.events import Events
from entrepot.regimes.path import RegimePath
from entrepot.strategies.series_rank import (
    Floats,
    Mask,
    basket,
    fresh,
    funds_of,
    hong_kong_lines,
    latched,
    never,
    quoted,
    rebalances,
    require_series,
    rolling_zscore,
    single_lines,
    trend,
)
from entrepot.strategies.targets import (
    Parametrised,
    Targets,
    columns_of,
    count_in_whole_numbers,
    decisions,
    require,
    require_band,
    require_choice,
    require_flag,
    require_market,
    require_symbols,
)

HSTECH_FUNDS = ("3033.HK", "3067.HK", "KWEB")
STATE_OWNED = ("0883.HK", "0857.HK", "0386.HK", "0941.HK", "0728.HK", "0762.HK")
RESTRICTION = ("investment_restriction", "escalation")


@dataclass(frozen=True)
class ValuationGap(Parametrised):
    """Hold a fund or line while it is cheap against its own past and its price is rising.

    The gap is 1 - P/E / mean, the mean being that of the forward P/E over the last ``years``, the latest
    value included, as published. In while the gap is at least ``gap`` and the level of total return stands
    above its mean of ``trend_window`` sessions; out otherwise; looked at every ``rebalance`` sessions.

    The press gives a single snapshot: 17.4 against a five-year mean of 24.5 in February 2025, a gap of
    0.29. One snapshot is no test, and five years that begin in a bubble have a high mean.

    Args:
        forward_pe: price over expected earnings, positive (left empty where earnings are negative), by date
            and symbol; or one column for the index that ``symbols`` stand for.
        symbols: funds or lines held, an equal part of ``gross`` each; None: the lines that the series names,
            or, where its one column is an index, the first of 3033.HK, 3067.HK and KWEB in the market.
        years: in the mean: 5, the press's.
        gap: smallest one to be in: 0.10, beyond what a month's estimates move, a third of the press's 0.29.
        least: months with a value that the mean needs: 24.
        trend_window: sessions in the trend's mean: 120, half a year, as in the sector rotation.
        rebalance: New York sessions between looks: 21, since multiples come once a month.
        gross: sum of the weights.
        stale: New York sessions after which a multiple no longer counts: 45, two months.
        drift_band: see `Targets`.
    """

    forward_pe: KnownSeries
    symbols: Sequence[str] | None = None
    years: float = 5.0
    gap: float = 0.10
    least: int = 24
    trend_window: int = 120
    rebalance: int = 21
    gross: float = 1.0
    stale: float = 45.0
    drift_band: float = 0.10

    def __post_init__(self) -> None:
        super().__post_init__()
        require_series("forward_pe", self.forward_pe)
        if self.symbols is not None:
            object.__setattr__(self, "symbols", require_symbols("symbols", self.symbols))
        require("years", self.years, 0.25, 100)
        require("gap", self.gap, -1, 1)
        require("least", self.least, 1, whole=True)
        require("trend_window", self.trend_window, 2, whole=True)
        require("rebalance", self.rebalance, 1, whole=True)
        require("gross", self.gross, 0)
        require("stale", self.stale, 0)
        require_band(self.drift_band)
        count_in_whole_numbers(self, "least", "trend_window", "rebalance")
        if self.least > 12 * self.years:
            raise ParameterError(
                f"least is {self.least} months and years is {self.years:g}: the mean never has so many"
            )
        if (self.forward_pe.array <= 0).any():
            raise DataError(
                f"{short(self.forward_pe.name)} holds a multiple that is not positive: leave it empty where "
                "earnings are negative"
            )

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step.

        Args:
            market: with what is held.
            path: not used.

        Raises:
            ParameterError: when the market does not have it, or the series says nothing about it.
        """
        require_market(market, "ValuationGap")
        symbols, multiple, notes = self._held(market)
        columns = columns_of(market, symbols)
        gap = fresh(multiple, market, self.stale, self._gaps)
        gap = np.where(quoted(market, columns), gap, np.nan)  # one column for all symbols spreads here
        rising = trend(market, columns, self.trend_window)
        share = self.gross / len(symbols)
        wanted, looks = np.zeros(gap.shape), rebalances(gap, self.rebalance)
        for i, s in enumerate(looks):
            cheap = (gap[s] >= self.gap) & (rising[s] > 0)
            wanted[s : looks[i + 1] if i + 1 < len(looks) else None] = np.where(cheap, share, 0.0)
        notes += never(multiple, wanted, gap, "the gap is never wide enough while the price rises")
        signals = {"gap": gap, "trend": rising}
        return single_lines(market, symbols, wanted, self.drift_band, notes, signals)

    def _gaps(self, multiple: pd.DataFrame) -> pd.DataFrame:
        """The gap as of each row, NaN where the mean has too few months."""
        span = pd.Timedelta(days=round(365.25 * self.years))
        month = pd.DatetimeIndex(multiple.index).to_period("M").asi8
        first = multiple.notna().groupby(month).cumsum().eq(1) & multiple.notna()
        months = first.astype(np.float64).rolling(span).sum()
        gap: pd.DataFrame = 1 - multiple / multiple.rolling(span, min_periods=1).mean()
        return gap.where(months >= self.least)

    def _held(self, market: Market) -> tuple[tuple[str, ...], KnownSeries, tuple[str, ...]]:
        """What is held, the multiples it is judged by (a column each, or one for all), and notes."""
        series = self.forward_pe
        lines = market.instruments.index[market.instruments["kind"] != "index"]
        of_lines = [symbol for symbol in lines if symbol in series.symbols]
        if len(series.symbols) == 1 and not of_lines:
            if self.symbols is None and series.symbols[0].endswith(".HK"):  # a line's own multiple
                series.for_symbols(market)
            symbols, notes = funds_of(market, self.symbols, HSTECH_FUNDS)
            return symbols, series, notes
        asked = of_lines if self.symbols is None else list(self.symbols)
        if not asked:
            series.for_symbols(market)
        funds_of(market, asked, ())
        if silent := [symbol for symbol in asked if symbol not in series.symbols]:
            raise ParameterError(
                f"{short(series.name)} has no column {short(', '.join(silent))}: it has "
                f"{short(', '.join(series.symbols))}"
            )
        left = [symbol for symbol in series.symbols if symbol not in asked]
        notes = (f"{series.name}: no line that is held, left out: {short(', '.join(left))}",) if left else ()
        return tuple(asked), series.only(asked), notes


@dataclass(frozen=True)
class AHDiscount(Parametrised):
    """Hold the Hong Kong lines that are cheapest against the A shares of the same company.

    Lines are ranked by their discount, 1 - H / A at the exchange rate, every ``rebalance`` New York sessions,
    once they have traded within five; ties go to the first in the market's order. The A share cannot be
    sold short by most and its line is not in the market: the trade is half of an arbitrage, and what
    separates the two prices (taxes, who may buy) need not close. A discount is no distance from parity.

    Args:
        ah_premium: H / A - 1 at the exchange rate, negative for a discount, by day and Hong Kong symbol.
        top: lines held, each ``gross / top``; None: a third of those ranked, the usual sort.
        rank_by: "level", the discount itself, the press's basket; "zscore", against the line's own mean of
            ``lookback`` days in standard deviations, which leaves out what always separates the two.
        lookback: days in that mean: 252, a year; half of them must be known.
        rebalance: New York sessions between rankings: 21, since discounts move by the month.
        short: also sell the lines with the smallest discount short, where they may be.
        gross: sum of the weights on one side.
        stale: New York sessions after which a value no longer counts: 10, the longest holiday in Shanghai.
        drift_band: see `Targets`.
    """

    ah_premium: KnownSeries
    top: int | None = None
    rank_by: Literal["level", "zscore"] = "level"
    lookback: int = 252
    rebalance: int = 21
    short: bool = False
    gross: float = 1.0
    stale: float = 10.0
    drift_band: float = 0.10

    def __post_init__(self) -> None:
        super().__post_init__()
        require_series("ah_premium", self.ah_premium)
        require_premium(self.ah_premium)
        if self.top is not None:
            require("top", self.top, 1, whole=True)
            count_in_whole_numbers(self, "top")
        require_choice("rank_by", self.rank_by, ("level", "zscore"))
        require("lookback", self.lookback, 4, whole=True)
        require("rebalance", self.rebalance, 1, whole=True)
        require_flag("short", self.short)
        require("gross", self.gross, 0)
        require("stale", self.stale, 0)
        require_band(self.drift_band)
        count_in_whole_numbers(self, "lookback", "rebalance")

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step.

        Args:
            market: with a Hong Kong line that the premium is about.
            path: not used.

        Raises:
            ParameterError: when the market has none.
        """
        require_market(market, "AHDiscount")
        ah, notes = hong_kong_lines(market, self.ah_premium)
        columns = columns_of(market, ah.symbols)
        score = fresh(ah, market, self.stale, self._scores)
        score[~quoted(market, columns)] = np.nan
        shortable = market.instruments["shortable"].to_numpy(bool)[columns]
        everywhere = np.ones(score.shape, dtype=bool)
        below = everywhere & shortable if self.short else None
        wanted = basket(score, self.rebalance, self.top, self.gross, everywhere, below)
        if self.short and not shortable.all():
            barred = [s for s, may in zip(ah.symbols, shortable, strict=True) if not may]
            notes = (*notes, f"never sold short, since they may not be: {short(', '.join(barred))}")
        notes += never(ah, wanted, score, "fewer than three lines can be ranked")
        return single_lines(market, ah.symbols, wanted, self.drift_band, notes, {"score": score})

    def _scores(self, premium: pd.DataFrame) -> pd.DataFrame:
        """What lines are ranked by, as of each row: the discount or its z-score."""
        return -premium if self.rank_by == "level" else rolling_zscore(-premium, self.lookback)


@dataclass(frozen=True)
class SanctionsDiscount(Parametrised):
    """Buy state-owned names while their discount to the A share is wide, as a premium for sanction risk.

    The A share is held by those whom sanctions do not reach, so that a discount of the Hong Kong line wider
    than its own habit is a price of that risk. A name is bought when the z-score of its premium H / A - 1
    against its own ``lookback`` days falls below ``-entry``, and left when it is above ``-exit`` or there is
    no fresh value; decided at every New York close. Oil and dividend taxes move these names as well: the
    press's own trap is the oil beta.

    Args:
        ah_premium: H / A - 1 at the exchange rate, negative for a discount, by day and Hong Kong symbol.
        events: where given, no name is bought while an escalation of investment restrictions is fresh: its
            intensity at least ``pause``. What is held stays, since it would be sold at the widest discount.
        symbols: names traded, those of them that market and series have; None: CNOOC, PetroChina, Sinopec,
            China Mobile, China Telecom and China Unicom, which left New York in 2021 and 2022.
        entry: z-score below which, taken negative, a name is bought: 1.5, as the convergence of pairs.
        exit: z-score above which, taken negative, it is left, below entry: 0, the habit itself.
        lookback: days in the mean and deviation (ddof 1): 252, a year; half of them must be known.
        pause: marks: 1.5, so that an event of the largest mark, 3, stays fresh for one half-life.
        half_life: of those marks, New York sessions: 20, as everywhere.
        weight: of equity in each name; 0.15 keeps the six below 1 together.
        against: line sold short in the weight of all that is held, such as an oil or index fund; None: no
            hedge. Nothing is held while it does not trade.
        stale: New York sessions after which a value no longer counts: 10, the longest holiday in Shanghai.
        drift_band: see `Targets`.
    """

    ah_premium: KnownSeries
    events: Events | None = None
    symbols: Sequence[str] | None = None
    entry: float = 1.5
    exit: float = 0.0
    lookback: int = 252
    pause: float = 1.5
    half_life: float = 20.0
    weight: float = 0.15
    against: str | None = None
    stale: float = 10.0
    drift_band: float = 0.10

    def __post_init__(self) -> None:
        super().__post_init__()
        require_series("ah_premium", self.ah_premium)
        require_premium(self.ah_premium)
        if not isinstance(self.events, (Events, NoneType)):
            raise ParameterError(f"events is {kind(self.events)}: give load_events(), or None for no pause")
        if self.symbols is not None:
            object.__setattr__(self, "symbols", require_symbols("symbols", self.symbols))
        require("entry", self.entry, 0, above=True)
        require("exit", self.exit, -self.entry, self.entry)
        if self.exit == self.entry:
            raise ParameterError(f"exit is {self.exit:g} and entry {self.entry:g}: exit lies below entry")
        require("lookback", self.lookback, 4, whole=True)
        count_in_whole_numbers(self, "lookback")
        require("pause", self.pause, 0, above=True)
        require("half_life", self.half_life, 0, above=True)
        require("weight", self.weight, 0)
        if not isinstance(self.against, (str, NoneType)):
            raise ParameterError(f"against is {kind(self.against)}: give a symbol, such as 'FXI', or None")
        require("stale", self.stale, 0)
        require_band(self.drift_band)

    def targets(self, market: Market, path: RegimePath | None = None) -> Targets:
        """Return the targets of every step, each made from what was known at that step.

        Args:
            market: with a name that the premium is about, and what is sold against it.
            path: not used.

        Raises:
            ParameterError: when the market has none, or the hedge may not be sold short or is traded itself.
        """
        require_market(market, "SanctionsDiscount")
        names = STATE_OWNED if self.symbols is None else tuple(self.symbols)
        ah, notes = hong_kong_lines(market, self.ah_premium, names)
        z = fresh(ah, market, self.stale, partial(rolling_zscore, window=self.lookback))
        z[~quoted(market, columns_of(market, ah.symbols))] = np.nan
        z[~self._hedged(market, ah.symbols)] = np.nan
        held = latched((z < -self.entry) & ~self._paused(market), ~(z <= -self.exit))
        wanted = np.where(held, self.weight, 0.0)
        notes += never(ah, wanted, z, "no discount is wide enough against its own past")
        symbols = ah.symbols
        if self.against is not None:
            symbols = (*symbols, self.against)
            wanted = np.column_stack([wanted, -self.weight * np.count_nonzero(held, axis=1)])
        return single_lines(market, symbols, wanted, self.drift_band, notes, {"zscore": z})

    def _hedged(self, market: Market, names: Sequence[str]) -> Mask:
        """Whether the hedge can be sold at each decision, shape (S,); always where there is none."""
        if self.against is None:
            return np.ones(len(decisions(market)), dtype=bool)
        column = market.column(self.against)
        if self.against in names or not market.instruments["shortable"].iloc[column]:
            raise ParameterError(
                f"against is {self.against!r}, which is traded itself or may not be sold short: name another"
            )
        return quoted(market, np.array([column]))[:, 0]

    def _paused(self, market: Market) -> Mask:
        """Whether an escalation is fresh at each decision, shape (S, 1)."""
        steps = decisions(market)
        if self.events is None:
            return np.zeros((len(steps), 1), dtype=bool)
        channel, _ = RESTRICTION
        intensity = self.events.intensity(market.grid, half_life=self.half_life, channels=channel)
        marks: Floats = intensity[RESTRICTION].to_numpy(np.float64)[steps]
        return (marks >= self.pause)[:, None]


def require_premium(ah_premium: KnownSeries) -> None:
    """Refuse premia that are no fractions above -1, such as percentages."""
    values = ah_premium.array
    if ((values <= -1) | (values > 10)).any():
        raise DataError(
            f"{short(ah_premium.name)} holds a premium outside -1 to 10: give H / A - 1 as a fraction, -0.38 "
            "for a discount of 38 %"
        )
