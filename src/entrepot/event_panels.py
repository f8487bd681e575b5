"""What an event study looks at: returns of lines beside a benchmark's, or premia, session by session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.discounts import clean_premia
from entrepot.errors import DataError, ParameterError
from entrepot.markets.market import Market
from entrepot.markets.premium import Align
from entrepot.reports.abnormal import Abnormal, Floats, Model, abnormal_returns
from entrepot.reports.event_study import window_values
from entrepot.strategies.sector_universe import total_return_levels

# Broad funds and indices by how well they stand for the market; those of US-listed companies are the lines
# that are studied.
BROAD = (
    "broad:china", "broad:china_large_cap", "broad:hsi", "broad:hscei", "broad:china_a_shares",
)  # fmt: skip
LEAST_PEERS = 3  # lines in a mean that stands for the market
OTHER_VENUE_DAYS = 5.0  # how old the last print of a benchmark of other hours may be
OWN_MEAN = "their own mean before"
CHUNK = 3_000  # columns whose windows are held in memory at once


class Panel(NamedTuple):
    """Lines of one venue by session, S sessions and n lines."""

    venue: str
    symbols: tuple[str, ...]
    session: pd.DatetimeIndex
    close: NDArray[np.int64]  # UTC nanoseconds
    value: Floats  # (S, n): log returns, or levels
    market: Floats  # (S, n): the benchmark's over the same sessions
    span: Floats  # (S, n): sessions that each covers
    versus: str  # what the benchmark is
    model: Model

    def day_zero(self, known: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the first session whose close is after each moment; S where there is none."""
        return np.searchsorted(self.close, known, side="right").astype(np.int64)


def closes_of(market: Market, venue: str) -> NDArray[np.int64]:
    """Return the steps of a venue's closes."""
    closes = (market.grid["phase"] == "close").to_numpy() & (market.venue_of_step == venue)
    if not closes.any():
        raise DataError(f"an event study needs closes and {venue} has none in this market: load them")
    return np.flatnonzero(closes).astype(np.int64)


def return_panels(
    market: Market, symbols: Sequence[str], benchmark: str | pd.Series[float] | None, model: Model
) -> list[Panel]:
    """Return the log returns of lines from close to close, splits and dividends included, by venue.

    Args:
        market: holds the lines.
        symbols: of the lines, of any venue.
        benchmark: see `entrepot.event_study`.
        model: where there is a benchmark.

    Returns:
        New York's first.
    """
    venue_of = market.instruments["venue"].astype(str)
    panels = []
    for venue in sorted({venue_of[symbol] for symbol in symbols}, reverse=True):
        own = tuple(symbol for symbol in symbols if venue_of[symbol] == venue)
        steps = closes_of(market, venue)
        level = levels_at(market, own, steps)
        other, versus = benchmark_level(market, venue, symbols, benchmark, steps)
        both = np.isfinite(level) & np.isfinite(other)[:, None]
        value, beside, span = (
            since_last(np.where(both, part, np.nan))
            for part in (np.log(level), np.log(other)[:, None], np.arange(len(steps))[:, None])
        )
        ways: Model = "mean" if versus == OWN_MEAN else model
        panels.append(Panel(venue, own, *moments(market, steps), value, beside, span, versus, ways))
    return panels


def premium_panel(market: Market, adrs: Sequence[str], align: Align) -> Panel:
    """Return the premia of ADRs by New York session, those left out that have a dividend between them."""
    steps = closes_of(market, "XNYS")
    session, close = moments(market, steps)
    premia = clean_premia(market, adrs, align, session)[0].to_numpy()
    nothing, one = np.zeros(premia.shape), np.ones(premia.shape)
    return Panel("XNYS", tuple(adrs), session, close, premia, nothing, one, OWN_MEAN, "mean")


def moments(market: Market, steps: NDArray[np.int64]) -> tuple[pd.DatetimeIndex, NDArray[np.int64]]:
    """Return the session dates and the times of steps."""
    session = pd.DatetimeIndex(market.grid["session"].iloc[steps], name="session").as_unit("ns")
    return session, market.times[steps]


# -- the benchmark -------------------------------------------------------------------------------------------


def benchmark_level(
    market: Market,
    venue: str,
    studied: Sequence[str],
    benchmark: str | pd.Series[float] | None,
    steps: NDArray[np.int64],
) -> tuple[Floats, str]:
    """Return the level of the benchmark at each close of a venue, shape (S,), and its name."""
    if benchmark is None:
        return np.ones(len(steps)), OWN_MEAN
    if isinstance(benchmark, pd.Series):
        return series_level(market, benchmark, steps), str(benchmark.name or "the series given")
    if benchmark != "auto":
        if benchmark in studied:
            raise ParameterError(
                f"{benchmark} is both studied and the benchmark: take it out of symbols, or give another"
            )
        return line_level(market, benchmark, venue, steps), benchmark
    own = market.instruments[market.instruments["venue"] == venue].drop(list(studied), errors="ignore")
    for sector in BROAD:
        for symbol in own.index[own["sector"] == sector].astype(str):
            if np.isfinite(market.printed[steps, market.column(symbol)]).any():
                return line_level(market, symbol, venue, steps), symbol
    if len(own) < LEAST_PEERS:
        return np.ones(len(steps)), OWN_MEAN
    return peers_level(market, list(own.index.astype(str)), steps), f"the mean of {len(own)} other lines"


def line_level(market: Market, symbol: str, venue: str, steps: NDArray[np.int64]) -> Floats:
    """Return the last level of a line at the closes of a venue, its own closes where it trades there."""
    where = closes_of(market, str(market.instruments["venue"].iloc[market.column(symbol)]))
    level: Floats = levels_at(market, [symbol], where)[:, 0]
    there = np.isfinite(level)
    if not there.any():
        raise DataError(f"the benchmark {symbol} has no close in this market: give another")
    same = market.instruments["venue"].iloc[market.column(symbol)] == venue
    return latest(
        market.times[where][there], level[there], market.times[steps], 0.0 if same else OTHER_VENUE_DAYS
    )


def peers_level(market: Market, symbols: Sequence[str], steps: NDArray[np.int64]) -> Floats:
    """Return a level whose log return at each close is the mean of those of the lines that have one."""
    level = levels_at(market, symbols, steps)
    moved = since_last(np.log(level))
    count = np.isfinite(moved).sum(axis=1)
    grown: Floats = np.exp(np.nancumsum(np.nansum(moved, axis=1) / np.maximum(count, 1)))
    return np.where(np.isfinite(level).any(axis=1), grown, np.nan)


def since_last(values: Floats) -> Floats:
    """Return what each number of a column adds to the last one before it; NaN where there is none, (S, n).

    So a return over a gap stands at its end, and so does the benchmark's over the same sessions.
    """
    table = pd.DataFrame(values)
    return (table - table.ffill().shift()).to_numpy()


def series_level(market: Market, series: pd.Series[float], steps: NDArray[np.int64]) -> Floats:
    """Return the levels of a series: by session where its index has no time zone, else the last known."""
    index = series.index
    if not isinstance(index, pd.DatetimeIndex) or index.hasnans:
        raise DataError("the benchmark is not indexed by dates: give levels by session date or UTC time")
    try:
        level: Floats = np.asarray(series, dtype=np.float64)
    except (TypeError, ValueError):
        level = np.zeros(1)
    if not (level > 0).any() or (level <= 0).any() or np.isinf(level).any():
        raise DataError(
            "the benchmark has levels that are not above zero, infinite or no numbers: give closes, not "
            "returns"
        )
    there = np.isfinite(level)
    if index.has_duplicates or not index.is_monotonic_increasing:
        raise DataError("the benchmark's dates repeat or are out of order: sort them and drop duplicates")
    session, close = moments(market, steps)
    if index.tz is None:
        known, at, days = index.normalize(), session.asi8, 0.0
    else:
        known, at, days = index.tz_convert("UTC"), close, OTHER_VENUE_DAYS
    return latest(known.as_unit("ns").asi8[there], level[there], at, days)


def latest(known: NDArray[np.int64], level: Floats, at: NDArray[np.int64], days: float) -> Floats:
    """Return the last level known at each moment, NaN where it is older than so many days."""
    row = np.searchsorted(known, at, side="right") - 1
    fresh = (row >= 0) & (at - known[row] <= days * 86_400e9)
    return np.where(fresh, level[row], np.nan)


def levels_at(market: Market, symbols: Sequence[str], steps: NDArray[np.int64]) -> Floats:
    """Return total-return levels of lines at steps, NaN where none was printed, shape (S, n)."""
    columns = np.array([market.column(symbol) for symbol in symbols], dtype=np.intp)
    return total_return_levels(market, columns)[steps]


# -- windows around events -----------------------------------------------------------------------------------


class Windows(NamedTuple):
    """Which sessions around day 0 are looked at."""

    event: tuple[int, int]  # first and last, both included
    estimation: tuple[int, int]
    least: int  # returns that a line needs in the estimation window


class Sample(NamedTuple):
    """Abnormal returns of N columns, each a line around an event, and what they are of, shape (N,)."""

    abnormal: Abnormal
    event: NDArray[np.int64]  # row of the calendar
    symbol: NDArray[np.object_]
    day: NDArray[np.int64]  # session of the event in the first panel, by which dates are told apart
    own: NDArray[np.int64]  # session of the event in the line's own venue

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Which columns have an estimate and at least one abnormal return."""
        some = np.asarray(np.isfinite(self.abnormal.value).any(axis=0), dtype=bool)
        return some & np.isfinite(self.abnormal.sigma)

    def pick(self, columns: NDArray[np.bool_] | NDArray[np.int64]) -> Sample:
        """Return some of the columns."""
        abnormal, event, symbol, day, own = self
        return Sample(abnormal.pick(columns), event[columns], symbol[columns], day[columns], own[columns])

    def once(self) -> Sample:
        """Return each line once at each of its sessions: events of one session are one date."""
        _, first = np.unique(
            [f"{s} {d}" for s, d in zip(self.symbol, self.own, strict=True)], return_index=True
        )
        return self.pick(np.sort(first))


def sample_of(
    panels: Sequence[Panel], known: NDArray[np.int64], events: NDArray[np.int64], windows: Windows
) -> Sample:
    """Return every line of every panel around each event.

    Args:
        panels: of different venues.
        known: when each event was known, UTC nanoseconds, shape (G,).
        events: which rows of the calendar they are, shape (G,).
        windows: sessions that are looked at.
    """
    clock = panels[0].day_zero(known)
    parts = []
    for panel in panels:
        day, n = panel.day_zero(known), len(panel.symbols)
        symbol = np.tile(np.array(panel.symbols, dtype=object), len(known))
        found = around(panel, day, windows)
        parts.append(Sample(found, np.repeat(events, n), symbol, np.repeat(clock, n), np.repeat(day, n)))
    abnormal = Abnormal.join([part.abnormal for part in parts])
    event, symbol, day, own = (np.concatenate([part[i] for part in parts]) for i in range(1, 5))
    return Sample(abnormal, event, symbol, day, own)


def everywhere(
    panels: Sequence[Panel], windows: Windows, parts: Sequence[tuple[int, int]], average: bool
) -> tuple[Floats, Floats]:
    """Return what the study would see if any session of the first panel were an event's.

    Args:
        panels: of different venues.
        windows: sessions that are looked at.
        parts: K first rows and stops of the event window.
        average: see `EventTests`.

    Returns:
        Sum over all lines of each part, and how many lines have one, shape (S, K).
    """
    clock = panels[0]
    sums, counts = (np.zeros((len(clock.close), len(parts))) for _ in range(2))
    for panel in panels:
        # As if known at the close before, so that the session's own close is the first after it.
        day = panel.day_zero(np.append(np.iinfo(np.int64).min, clock.close[:-1]))
        size = max(1, CHUNK // len(panel.symbols))
        for start in range(0, len(day), size):
            rows = slice(start, start + size)
            found = around(panel, day[rows], windows)
            for k, (first, stop) in enumerate(parts):
                value = window_values(found.over(first, stop), average).reshape(-1, len(panel.symbols))
                value[~np.isfinite(found.sigma).reshape(value.shape)] = np.nan
                sums[rows, k] += np.nansum(value, axis=1)
                counts[rows, k] += np.isfinite(value).sum(axis=1)
    return sums, counts


def around(panel: Panel, day: NDArray[np.int64], windows: Windows) -> Abnormal:
    """Return the abnormal returns of every line of a panel around each day; n columns a day, in order."""
    before, own = (np.arange(first, last + 1) for first, last in (windows.estimation, windows.event))
    past, during = (rows[:, None] + day for rows in (before, own))
    # A return over a gap varies more than those it would be estimated with.
    single = np.where(panel.span == 1, panel.value, np.nan)
    return abnormal_returns(
        cut(single, past),
        cut(panel.value, during),
        cut(panel.market, past),
        cut(panel.market, during),
        model=panel.model,
        span=cut(panel.span, during),
        least=windows.least,
    )


def cut(values: Floats, rows: NDArray[np.int64]) -> Floats:
    """Return rows of a table, (R, G) of them, beside each other: shape (R, G * n), NaN outside the table."""
    padded = np.vstack([values, np.full(values.shape[1], np.nan)])
    inside = (rows >= 0) & (rows < len(values))
    found: Floats = padded[np.where(inside, rows, len(values))]
    return found.reshape(len(rows), -1)
