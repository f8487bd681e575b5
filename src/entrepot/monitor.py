"""The ADR discount monitor: how cheap each ADR is beside its own past, how cheap all are, and alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.discounts import clean_premia, last_wider, mean, median_of, of_values, runs_below, standardised
from entrepot.errors import ParameterError, shown
from entrepot.markets.market import Market
from entrepot.markets.premium import Align
from entrepot.markets.sessions import naive_moment
from entrepot.regimes.arguments import kind
from entrepot.strategies.targets import STALE_SESSIONS, require, require_choice, require_symbols

if TYPE_CHECKING:
    from entrepot.reports.pictures.style import Size

LEAST_OF_WINDOW = 250  # premia of one name, a year of them, before its percentiles say anything
LEAST_WINDOW = 20
MEAN_YEARS = 5  # as the press counts
ALL = "median"  # what is named where an alert is of all names


@dataclass(frozen=True, eq=False, repr=False)
class DiscountMonitor:
    """The premia of several ADRs, what they are beside their past, and the alerts they gave.

    Frames have one row for each New York session and one column for each ADR. A row holds what was known at
    its `known_at` and nothing later. There is NaN where a session has no premium: one of the venues was
    closed, a price is missing, or one price is from before a dividend's ex-date and the other is not. Nothing
    is filled.

    Attributes:
        market: what it was made from.
        premium: fractions, negative where the ADR is cheap.
        watched: what the figures below and the alerts look at: the mean of a name's last ``smooth`` premia,
            where it has a premium.
        zscore: distance from the trailing mean in trailing standard deviations.
        percentile: share of the name's values in the ``window`` sessions before that were lower; 0 is a new
            low.
        level: the value below which a name alerts: the chosen percentile of the same values, so it was known
            before the session.
        median: over the names, by session; NaN with fewer than three.
        names: how many names the median is of, by session.
        known_at: UTC, by session; NaT where no name has a premium.
        alerts: one row for each alert, in the order in which they became known. ``known_at`` and ``session``
            of the first value below; ``kind``: "median", "percentile" or "level"; ``name``, "median" for the
            median; ``premium`` and ``level``: that value, and what it was below; ``sessions`` below one after
            the other, sessions without a value left out; ``lowest`` of them; ``ended_at``: when the first
            value no longer below was known, NaT while there is none. The last three are known at the end.
        align: whose price of when; see `entrepot.premium`.
        smooth: premia in the mean that is watched.
        alert_median: what the median alerts below.
        alert_percentile: fraction, of ``level``.
        window: sessions of ``percentile`` and ``level``.
        levels: fixed levels by ADR.
    """

    market: Market
    premium: pd.DataFrame
    watched: pd.DataFrame
    zscore: pd.DataFrame
    percentile: pd.DataFrame
    level: pd.DataFrame
    median: pd.Series[float]
    names: pd.Series[int]
    known_at: pd.Series[Any]
    alerts: pd.DataFrame
    align: Align
    smooth: int
    alert_median: float
    alert_percentile: float
    window: int
    levels: Mapping[str, float]

    def __repr__(self) -> str:
        return (
            f"DiscountMonitor({self.market.label!r}: {self.premium.shape[1]} names, "
            f"{len(self.premium)} sessions, {len(self.alerts)} alerts)"
        )

    @property
    def known(self) -> pd.Series[float]:
        """The median by the moment at which it was known, UTC; of two known together, the later session's."""
        own = self.median.notna().to_numpy()
        index = pd.DatetimeIndex(self.known_at[own], name="known_at")
        series = pd.Series(self.median[own].to_numpy(), index=index, name=ALL)
        return series[~index.duplicated(keep="last")]

    def signal(self) -> pd.DataFrame:
        """Return the stress gauge at every step of the market, to decide by.

        Returns:
            By the time of the step: ``median``, the last one known, NaN before the first and once it is older
            than five New York sessions; ``alert``: it is below ``alert_median``; ``known_at`` of the median.
        """
        known, times = self.known, self.market.times
        moments = pd.DatetimeIndex(known.index)
        at = moments.as_unit("ns").asi8
        row = np.searchsorted(at, times, side="right") - 1
        clock = self.market.session_count
        fresh: NDArray[np.bool_] = row >= 0
        fresh[fresh] = clock[fresh] - clock[np.searchsorted(times, at)][row[fresh]] <= STALE_SESSIONS
        value = np.full(len(times), np.nan)
        value[fresh] = known.to_numpy()[row[fresh]]
        when = pd.Series(pd.NaT, index=self.market.price.index, dtype="datetime64[ns, UTC]")
        when[fresh] = moments[row[fresh]]
        return pd.DataFrame({ALL: value, "alert": value < self.alert_median, "known_at": when})

    def week(self, adr: str, date: str | pd.Timestamp) -> pd.Series[float]:
        """Return the premium's ``mean``, ``min`` and ``max`` from the week's Monday to a date.

        ``sessions`` counts those with both prices and no dividend between them. Where there are none, the
        others are NaN.
        """
        day = _date(date)
        own = self._of(adr)[day - pd.Timedelta(days=day.weekday()) : day].dropna()
        return pd.Series(
            {"mean": own.mean(), "min": own.min(), "max": own.max(), "sessions": float(len(own))}, name=adr
        )

    def widest_since(self, adr: str, date: str | pd.Timestamp, *, by: str = "session") -> pd.Timestamp:
        """Return when the discount was last wider than at a date; NaT where it never was before.

        Args:
            adr: one of the monitor's.
            date: a session with a premium.
            by: "session" compares single premia. "week" compares the mean of the week's premia up to the date
                with those of the weeks before up to the same weekday, and returns the last session of the
                wider one: half of a same-date premium is overnight news, of which a week's mean has less.

        Raises:
            ParameterError: for an unknown name, and a date without a premium.
        """
        require_choice("by", by, ("session", "week"))
        day, own = _date(date), self._of(adr).dropna()
        if day not in own.index:
            before = own.index[own.index < day]
            last = f"the last before is {before[-1].date()}" if len(before) else "there is none before"
            raise ParameterError(f"{adr} has no premium on {day.date()}: {last}")
        when: pd.Timestamp = last_wider(own[:day], by)
        return when

    def table(self, date: str | pd.Timestamp) -> pd.DataFrame:
        """Return what a desk looks at after a session, by ADR, from what was known then.

        Args:
            date: a New York session of the market.

        Returns:
            ``premium``; ``zscore``, ``percentile`` and ``level`` of what is watched; ``widest_since``;
            ``week_mean`` of the week up to the date and ``week_widest_since``; ``mean_5y`` of the five years
            up to the date, or of as much as there is: ``first`` is the first session in it. NaN where a name
            has no premium in that session, but for the means and the level of an alert, which stay.

        Raises:
            ParameterError: for a date that is no session of the market.
        """
        day = _date(date)
        if day not in self.premium.index:
            before = self.premium.index[self.premium.index < day]
            last = f"the last before is {before[-1].date()}" if len(before) else "there is none before"
            raise ParameterError(f"{day.date()} is no New York session of this market: {last}")
        rows = {}
        for adr in self.premium.columns:
            own = self.premium[adr][:day].dropna()
            there = day in own.index
            years = own[day - pd.DateOffset(years=MEAN_YEARS) :]
            rows[adr] = {
                "premium": self.premium.at[day, adr],
                "zscore": self.zscore.at[day, adr],
                "percentile": self.percentile.at[day, adr],
                "level": self.level.at[day, adr],
                "widest_since": last_wider(own, "session") if there else pd.NaT,
                "week_mean": self.week(adr, day)["mean"],
                "week_widest_since": last_wider(own, "week") if there else pd.NaT,
                "mean_5y": years.mean(),
                "first": years.index[0] if len(years) else pd.NaT,
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("adr")

    def plot(
        self,
        start: str | pd.Timestamp | None = None,
        end: str | pd.Timestamp | None = None,
        adrs: Sequence[str] | None = None,
        marks: Mapping[str, str] | None = None,
        *,
        recent: int = 30,
        size: Size = "page",
    ) -> NDArray[Any]:
        """Draw each name's premium with its alert level, the median below; at the right, the last sessions.

        Args:
            start: first session drawn; None: the first there is.
            end: last session drawn; None: the last there is. Nothing of what is drawn was known later.
            adrs: names to draw, all where None. The median is of all names in any case.
            marks: words by date, numbered at the top and explained at the foot.
            recent: sessions at the right.
            size: "page", as wide as a page of print, or "slide", a whole one.

        Returns:
            Array of Axes, shape (names + 1, 2): a row for each name, the median last.

        Raises:
            ParameterError: for unknown names or more than can be read, and dates that are none or have no
                session between them.
        """
        from entrepot.reports.pictures.discount_monitor import draw_monitor

        require("recent", recent, 5, whole=True)
        names = list(self.premium.columns) if adrs is None else list(require_symbols("adrs", adrs))
        for adr in names:
            self._of(adr)
        first = self.premium.index[0] if start is None else _date(start)
        last = self.premium.index[-1] if end is None else _date(end)
        if not names or self.premium[first:last].empty:
            raise ParameterError(
                f"there is nothing to draw of {shown(names)} from {first.date()} to {last.date()}: give "
                f"names among {', '.join(self.premium.columns)}, and dates with sessions between them"
            )
        if marks is not None and not isinstance(marks, Mapping):
            raise ParameterError(
                f"marks is {kind(marks)}: give words by date, such as {{'2025-02-21': 'memo'}}"
            )
        alerts = self.alerts[self.alerts["session"].between(first, last)]
        return draw_monitor(
            self.premium.loc[first:last, names],
            self.watched.loc[first:last, names],
            self.level.loc[first:last, names],
            alerts[alerts["kind"] != ALL],
            median_of(self.premium)[0][first:last],
            self.median[first:last],
            self.alert_median,
            marks={_date(when): str(words) for when, words in (marks or {}).items()},
            recent=int(recent),
            smooth=self.smooth,
            words={
                "title": f"ADR premium over Hong Kong, {ALIGNED[self.align]} ({self.market.label})",
                "level": f"lowest {100 * self.alert_percentile:.3g} % of {self.window} sessions before",
                "median": f"Median of the {self.premium.shape[1]} names that trade",
            },
            size=size,
        )

    def _of(self, adr: str) -> pd.Series[float]:
        if not isinstance(adr, str) or adr not in self.premium.columns:
            raise ParameterError(
                f"{shown(adr)} is not watched: the names are {', '.join(self.premium.columns)}"
            )
        return self.premium[adr]


ALIGNED: dict[Align, str] = {
    "same_date": "closes of one date",
    "next_hk": "New York's close over Hong Kong's next",
    "hk_open": "New York's close over Hong Kong's next open",
    "us_open": "New York's open over Hong Kong's last close",
}


def discount_monitor(
    market: Market,
    adrs: Iterable[str] | None = None,
    *,
    align: Align = "same_date",
    smooth: int = 1,
    lookback: int = 60,
    alert_median: float = -0.015,
    percentile: float = 0.01,
    window: int = 504,
    levels: Mapping[str, float] | None = None,
) -> DiscountMonitor:
    """Watch the premia of ADRs over their Hong Kong lines, and say when they are unusually low.

    There is an alert when the median of all names falls below ``alert_median``, when a name falls below its
    own ``percentile`` of the ``window`` sessions before, and when it falls below its fixed level. The
    defaults are round numbers of a desk, fitted to nothing: -1.5 %, and the 1st percentile of two years.

    About half of a same-date premium's movement is overnight news, so that single sessions cross the levels
    often and say little by themselves; ``smooth=5`` watches the mean of a week, as the press quotes it.

    Args:
        market: with pairs.
        adrs: symbols of ADRs; None: every pair of the market, delisted ones as long as they traded.
        align: whose price of when; see `entrepot.premium`.
        smooth: premia in the trailing mean that is watched; 1: each premium alone.
        lookback: values in the z-score's mean and standard deviation (ddof 1), the session's own included,
            all of them required; a quarter by default.
        alert_median: fraction from -1 to 0.
        percentile: fraction from 0 to 0.5; 0: below everything in the window.
        window: New York sessions before the session, 20 or more, in which a name needs 250 values, or half as
            many as there are sessions where that is less.
        levels: of some ADRs, the value below which they alert in any case, fractions from -1 to 0.

    Raises:
        ParameterError: for parameters outside what they may be, and symbols that are no ADR of a pair here.
        DataError: when the alignment needs opens that the market does not have, or a rate is missing.
    """
    names = _names(market, adrs)
    require("smooth", smooth, 1, whole=True)
    require("lookback", lookback, 3, whole=True)
    require("alert_median", alert_median, -1, 0)
    require("percentile", percentile, 0, 0.5)
    require("window", window, LEAST_WINDOW, whole=True)
    fixed = _levels(levels, names)

    grid = market.grid
    sessions = pd.DatetimeIndex(grid.loc[grid["venue"] == "XNYS", "session"].unique(), name="session")
    premia, known = clean_premia(market, names, align, sessions)
    watched = premia if smooth == 1 else premia.apply(of_values, last=smooth, by=mean)
    zscore = watched.apply(of_values, last=lookback, by=standardised)
    least = min(LEAST_OF_WINDOW, window // 2)
    span = max(min(window, len(sessions)), least)
    level = watched.rolling(span, min_periods=least).quantile(percentile).shift(1)
    rolling = watched.rolling(span + 1, min_periods=least + 1)
    lower = rolling.rank(method="min") - 1
    median, count = median_of(watched)
    alerts = [runs_below("median", ALL, median, pd.Series(alert_median, index=sessions), known)]
    for adr in names:
        alerts.append(runs_below("percentile", adr, watched[adr], level[adr], known))
        if adr in fixed:
            alerts.append(
                runs_below("level", adr, watched[adr], pd.Series(fixed[adr], index=sessions), known)
            )
    return DiscountMonitor(
        market=market,
        premium=premia,
        watched=watched,
        zscore=zscore,
        percentile=lower / (rolling.count() - 1),
        level=level,
        median=median,
        names=count,
        known_at=known,
        alerts=pd.concat(alerts).sort_values("session", kind="stable", ignore_index=True),
        align=align,
        smooth=int(smooth),
        alert_median=float(alert_median),
        alert_percentile=float(percentile),
        window=int(window),
        levels=fixed,
    )


# -- arguments -----------------------------------------------------------------------------------------------


def _names(market: object, adrs: Iterable[str] | None) -> tuple[str, ...]:
    """Return the ADRs to watch; `premium` refuses those that have none."""
    if not isinstance(market, Market):
        raise ParameterError(
            f"discount_monitor was given {kind(market)}: give a market, such as simulate_market() or "
            "load_market(folder)"
        )
    if market.pairs.empty:
        raise ParameterError("this market has no pair with both legs: load the Hong Kong line and the ADR")
    names = tuple(map(str, market.pairs.index)) if adrs is None else require_symbols("adrs", adrs)
    if not names:
        raise ParameterError(
            f"adrs names nobody: give symbols among {', '.join(market.pairs.index)}, or None"
        )
    return tuple(dict.fromkeys(names))


def _levels(levels: Mapping[str, float] | None, names: Sequence[str]) -> dict[str, float]:
    """Return fixed levels by ADR."""
    if levels is not None and not isinstance(levels, Mapping):
        raise ParameterError(f"levels is {kind(levels)}: give fractions by ADR, such as {{'BABA': -0.05}}")
    for adr, value in (levels or {}).items():
        if adr not in names:
            raise ParameterError(f"levels names {shown(adr)}, which is not watched: give {', '.join(names)}")
        require(f"the level of {adr}", value, -1, 0)
    return {adr: float(value) for adr, value in (levels or {}).items()}


def _date(given: object) -> pd.Timestamp:
    """Return a session date."""
    day = naive_moment(given)
    if day is None or day != day.normalize():
        raise ParameterError(f"{shown(given)} is no session date: write it as '2025-02-28'")
    return day
