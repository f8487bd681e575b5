"""Event studies: what prices or premia did around the events of a calendar, beyond what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_whole, shown
from entrepot.event_panels import (
    OWN_MEAN,
    Panel,
    Sample,
    Windows,
    everywhere,
    premium_panel,
    return_panels,
    sample_of,
)
from entrepot.markets.market import Market
from entrepot.markets.premium import Align, other_leg
from entrepot.regimes import CHANNELS, Events
from entrepot.regimes.arguments import kind
from entrepot.reports.abnormal import LEAST, Abnormal, Floats
from entrepot.reports.attribution import check_events
from entrepot.reports.event_study import EventTests, independent_dates, two_sided, window_values
from entrepot.strategies.targets import require, require_choice, require_symbols

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Measure = Literal["return", "premium"]
By = Literal["direction", "channel", "both"]
SIDES = {1: "escalation", -1: "relief"}
ALL = "all events"
USUAL = ((-1, 1), (0, 1), (0, 5))
LEAST_PLACES = 20  # sessions that random dates are drawn from
OUTSIDE, CONTEXT, NO_DATA = "outside the market", "context only", "no line with enough returns"
HINDSIGHT = (
    "Which events are in the calendar, their direction and their severity were written with hindsight, and "
    "prices before, at and after them are looked at: a study describes, and none of it could be traded."
)


@dataclass(frozen=True, eq=False, repr=False)
class EventStudy:
    """What was abnormal around events, and how sure that is.

    Log returns beyond what the benchmark explains (0.01 is 1 %), or premia less their mean before the event
    (fractions, 0.01 is one percentage point). Bands hold 95 %: of the mean between independent dates, or, of
    fewer than three dates, of the mean as it moved in the estimation windows. What the tests are stands in
    `entrepot.reports.event_study`; NaN is not defined.

    Attributes:
        table: by group and event day, 0 being the event's. ``n``, securities at their dates, and ``dates``;
            ``aar``, the average abnormal return of the day, with ``aar_low`` and ``aar_high``; ``caar``,
            cumulated since the window's first day, with ``caar_low`` and ``caar_high`` (NaN of premia, which
            are levels); each test of the day and its two-sided p-value ``p_...``; ``p_flip`` and
            ``p_placebo``, the latter NaN where no random dates were drawn.
        windows: by group and window: ``n``, ``dates``, ``independent`` (dates whose windows do not overlap,
            chains of overlapping ones counted once), ``mean`` cumulated abnormal return (of premia: the mean
            of the days), ``low``, ``high``, and the tests as above.
        events: one row for each event given, in order: known_at, title, channel, direction, severity,
            ``group``; ``day0`` session; ``securities`` that are studied and ``left_out`` that are not. Over
            the first of the windows, NaN where the event is not studied: ``car``, mean of the securities,
            ``sar``, mean in units of what each could miss by, ``t``, as ``portfolio``, and ``p``. To know:
            ``date_only`` (no time of day is known), how many other events that are studied have the
            ``same_session``, a window ``overlapping`` its own, a day 0 ``in_estimation``; ``cut_off`` (its
            window runs out of the market), and ``why_not``, blank where it is studied.
        pairs: one row for each security at each event: ``intercept``, ``slope``, ``sigma``, ``length`` of the
            estimation, ``car`` and ``sar`` over the first of the windows.
        abnormal: the abnormal returns, one row for each event day, columns (event, symbol).
        versus: what was expected, by venue.
        notes: what was left out or counted, a sentence each.
        measure: "return" or "premium".
        window: first and last event day.
        label: where the prices come from.
    """

    table: pd.DataFrame
    windows: pd.DataFrame
    events: pd.DataFrame
    pairs: pd.DataFrame
    abnormal: pd.DataFrame
    versus: dict[str, str]
    notes: tuple[str, ...]
    measure: Measure
    window: tuple[int, int]
    label: str

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of events that are studied, in order."""
        return tuple(dict.fromkeys(self.table.index.get_level_values("group")))

    def __repr__(self) -> str:
        studied = int((self.events["securities"] > 0).sum())
        return (
            f"EventStudy({self.label!r}: {self.measure} around {studied} of {len(self.events)} events, "
            f"{len(self.groups)} groups)"
        )

    def __str__(self) -> str:
        unit = "pp" if self.measure == "premium" else "%"
        what = "premia" if self.measure == "premium" else "log returns"
        lines = [f"Abnormal {what} around events, beyond {beyond(self.versus)} ({self.label})."]
        for group in self.groups:
            row = self.windows.loc[group].iloc[0]
            dates, own = int(row["dates"]), int(row["independent"])
            named = {
                "p_clustered": "between dates",
                "p_flip": "with random signs",
                "p_placebo": "at random dates",
            }
            ps = [f"{row[p]:.3f} {words}" for p, words in named.items() if np.isfinite(row[p])]
            lines.append(
                f"{group.replace('_', ' ')}, days {row.name}: {100 * row['mean']:+.2f} {unit} on average, "
                f"95 % band {100 * row['low']:+.2f} to {100 * row['high']:+.2f}, over {dates} "
                f"date{'s' if dates != 1 else ''}, {own} of them independent"
                f"{'; p ' if ps else ''}{', '.join(ps)}."
            )
        return "\n".join([*lines, HINDSIGHT])

    def plot(self, size: str = "page", groups: Sequence[str] | None = None) -> Axes:
        """Draw the cumulated path of each group with its band; of premia, their distance from before.

        Args:
            size: "page" or "slide".
            groups: which; None: the four of most dates.

        Raises:
            ParameterError: for another size, groups that are not in the study, or more than four.
        """
        from entrepot.reports.pictures.event_paths import MOST, draw_event_paths

        if groups is None:
            most = self.table["dates"].groupby(level="group", sort=False).max()
            kept = most.sort_values(ascending=False, kind="stable").index[:MOST]
            named = tuple(group for group in self.groups if group in kept)
        else:
            named = require_symbols("groups", groups)
        if not named or (strange := [group for group in named if group not in self.groups]):
            raise ParameterError(
                f"there is nothing to draw of {shown(strange if named else named)}: the groups are "
                f"{', '.join(self.groups)}"
            )
        if len(named) > MOST:
            raise ParameterError(f"{len(named)} groups are too many for one picture: name {MOST} at most")
        own = self.events[(self.events["securities"] > 0) & self.events["group"].isin(named)]
        lines = self.pairs.index.get_level_values("symbol").nunique()
        returns = self.measure == "return"
        what = f"{lines} {'lines' if returns else 'premia'} around {len(own)} events"
        note = [
            "Bands hold 95 % of the mean between independent dates.",
            f"{own['date_only'].sum()} events are known by date only and count from its end: the answer to "
            "them may stand on day -1."
            if own["date_only"].any()
            else "",
            f"{len(self.groups) - len(named)} other groups are not drawn." if groups is None else "",
            HINDSIGHT,
        ]
        axes: Axes = draw_event_paths(
            self.table.loc[list(named)],
            "caar" if returns else "aar",
            ylabel="Cumulated abnormal return, %" if returns else "Premium less its mean before, pp",
            title=f"{what}, beyond {beyond(self.versus)} ({self.label})",
            note=" ".join(text for text in note if text),
            size=size,
        )
        return axes


def event_study(
    market: Market,
    events: Events | pd.DataFrame,
    symbols: Iterable[str] | None = None,
    *,
    benchmark: str | pd.Series[float] | None = "auto",
    model: Literal["market", "market_adjusted"] = "market",
    measure: Measure = "return",
    align: Align = "next_hk",
    by: By | None = "direction",
    window: tuple[int, int] = (-5, 10),
    estimation: tuple[int, int] = (-130, -11),
    windows: Sequence[tuple[int, int]] | None = None,
    least: int | None = None,
    placebos: int = 500,
    seed: int = 0,
) -> EventStudy:
    """Measure what lines did around events beyond what was expected of them, with tests that allow for dates.

    Day 0 of a line is the first session of its venue whose close is after ``known_at``: an event known at
    the close or later belongs to the next session. Events that are known by date only count as known at its
    end, so that the answer to them may stand on day -1.

    Returns are logarithms from close to close with splits and gross dividends included. One over a missing
    price stands at its end and is expected to be as many times as large and as variable as it covers
    sessions; in the estimation window it is left out. Estimated prices are no prices.

    Look-ahead is not kept out: a study is made afterwards.

    Args:
        market: what is studied.
        events: a calendar, or a frame with known_at (UTC), channel, direction, severity and perhaps title and
            event_id. Rows whose notes begin with "context only" are not studied.
        symbols: lines of any venue; None: all ADRs, or where there are none all lines but funds and indices.
            With ``measure="premium"`` ADRs with their Hong Kong line; None: all pairs.
        benchmark: symbol of a line, whose last close known stands where it trades at other hours; levels by
            session date, or by UTC time; None: the line's own mean in the estimation window. "auto": a broad
            fund or index of China of the same venue, else the mean of the venue's other lines where there are
            three, else None. What moves all of China moves such a benchmark, and is then not abnormal.
        model: "market" estimates the slope on the benchmark, "market_adjusted" takes it for 1.
        measure: "return", or "premium": the ADR's premium over its Hong Kong line less its mean in the
            estimation window, without a benchmark.
        align: of premia; see `entrepot.premium`. With "same_date" Hong Kong has not seen yet on day 0 what
            New York has.
        by: groups of events, each studied alone: by direction, channel, "both", or None: all together.
        window: first and last event day.
        estimation: first and last day of the estimation window, which ends before the event window.
        windows: parts of ``window`` to be tested, first and last day each, the first being that of
            `EventStudy.events`; None: (-1, 1), (0, 1), (0, 5) and all of it.
        least: returns a line needs in the estimation window; None: half of it.
        placebos: draws of random dates, none of them near an event of the group: as many dates as the group
            has, chains of close ones at the same distances. 0: none.
        seed: of the draws.

    Raises:
        ParameterError: for parameters outside what they may be, or unknown symbols.
        DataError: for events or a benchmark that cannot be used, or when no event can be studied.
    """
    if not isinstance(market, Market):
        raise ParameterError(
            f"event_study was given {kind(market)}: give a market, such as simulate_market() or "
            "load_market(folder)"
        )
    require_choice("measure", measure, get_args(Measure))
    require_choice("model", model, ("market", "market_adjusted"))
    if by is not None:
        require_choice("by", by, get_args(By))
    require("placebos", placebos, 0, whole=True)
    require("seed", seed, 0, whole=True)
    calendar = calendar_of(events, by)
    names = studied_lines(market, symbols, measure)
    around = check_windows(window, estimation, least)
    if measure == "premium":
        if not (benchmark is None or (isinstance(benchmark, str) and benchmark == "auto")):
            raise ParameterError("a premium has no benchmark: leave benchmark out, or give measure='return'")
        panels = [premium_panel(market, names, align)]
    elif benchmark is None or isinstance(benchmark, (str, pd.Series)):
        panels = return_panels(market, names, benchmark, model)
    else:
        raise ParameterError(f"benchmark is {kind(benchmark)}: give a symbol, a Series of levels or None")
    design = Design(panels, around, check_parts(windows, around), measure == "premium", int(seed))

    known = pd.DatetimeIndex(calendar["known_at"]).as_unit("ns").asi8
    day = panels[0].day_zero(known)
    why_not = unusable(calendar, (known < market.times[0]) | (day >= len(panels[0].close)))
    studied = np.flatnonzero(why_not == "")
    every = sample_of(panels, known[studied], studied, around)
    sample = every.pick(every.usable)
    if not len(sample.event):
        raise DataError(
            f"none of the {len(calendar)} events can be studied: {len(calendar) - len(studied)} lie outside "
            f"the market or are only context, and at the others no line has {around.least} returns from day "
            f"{around.estimation[0]} to {around.estimation[1]}: give more prices or a shorter estimation"
        )
    places = everywhere(panels, around, design.rows, design.average) if placebos else None
    rng = np.random.default_rng(design.seed)
    days, parts, said = {}, {}, []
    for name in groups_of(calendar.iloc[np.unique(sample.event)], by):
        own = sample.pick((calendar["group"] == name).to_numpy()[sample.event]).once()
        days[name], parts[name], words = tested(own, design, places, int(placebos), rng)
        said += [f"{name}: {words}"] if words else []
    rows = event_rows(calendar, every, day, why_not, design)
    pairs = pairs_of(sample, calendar.index, design)
    return EventStudy(
        table=pd.concat(days, names=["group", "day"]),
        windows=pd.concat(parts, names=["group", "window"]),
        events=rows,
        pairs=pairs,
        abnormal=pd.DataFrame(sample.abnormal.value, design.days, pairs.index),
        versus={panel.venue: panel.versus for panel in panels},
        notes=(*assumed(design), *counted(rows, every, design), *said, *multiple(len(days)), HINDSIGHT),
        measure=measure,
        window=around.event,
        label=market.label,
    )


class Design(NamedTuple):
    """What is measured, and how."""

    panels: Sequence[Panel]
    windows: Windows
    parts: Sequence[tuple[int, int]]  # first and last day of each window that is tested
    average: bool
    seed: int

    @property
    def days(self) -> pd.Index[int]:
        """The event days."""
        first, last = self.windows.event
        return pd.RangeIndex(first, last + 1, name="day")

    @property
    def part_rows(self) -> list[tuple[int, int]]:
        """First row and stop of each window that is tested, among the rows of the event window."""
        return [(first - self.days[0], last - self.days[0] + 1) for first, last in self.parts]

    @property
    def rows(self) -> list[tuple[int, int]]:
        """First row and stop of each event day, then of each window."""
        return [(t, t + 1) for t in range(len(self.days))] + self.part_rows


# -- what is studied -----------------------------------------------------------------------------------------


def calendar_of(events: Events | pd.DataFrame, by: By | None) -> pd.DataFrame:
    """Return the events in order with their group, or say what is wrong with them."""
    frame = events.frame if isinstance(events, Events) else events
    if isinstance(frame, pd.DataFrame) and "title" not in frame:
        frame = frame.assign(title="")
    table = check_events(frame)
    if table.empty:
        raise DataError("there is no event to study: give at least one")
    if not table["direction"].isin(list(SIDES)).all():
        raise DataError(
            "an event has another direction than 1 (escalation) and -1 (relief): give one of them"
        )
    if table.index.has_duplicates:
        raise DataError(f"the event {table.index[table.index.duplicated()][0]} occurs twice: name each once")
    side = table["direction"].map(SIDES)
    channel = table["channel"].astype(str)
    names = {"direction": side, "channel": channel, "both": channel + " " + side}
    group = pd.Series(ALL, table.index) if by is None else names[by]
    return table.assign(group=group).rename_axis("event")


def groups_of(calendar: pd.DataFrame, by: By | None) -> list[str]:
    """Return the groups of events in the order of channels, escalation before relief."""
    place = calendar["channel"].map({name: at for at, name in enumerate(CHANNELS)}).fillna(len(CHANNELS))
    order = calendar.assign(place=place if by in ("channel", "both") else 0)
    return list(dict.fromkeys(order.sort_values(["place", "direction"], ascending=[True, False])["group"]))


def studied_lines(market: Market, symbols: Iterable[str] | None, measure: Measure) -> tuple[str, ...]:
    """Return the symbols to study, each once, or refuse those that cannot be."""
    if symbols is not None:
        names = tuple(dict.fromkeys(require_symbols("symbols", symbols)))
    elif measure == "premium" or len(market.pairs):
        names = tuple(map(str, market.pairs.index))
    else:
        own = market.instruments
        adrs, plain = own["kind"].isin(["ads", "common"]), ~own["kind"].isin(["etf", "index"])
        names = tuple(map(str, own.index[adrs if adrs.any() else plain]))
    if not names:
        raise ParameterError("there is no line to study: give symbols, or a market with ADRs or other stocks")
    for name in names:
        market.column(name)
        if measure == "premium":
            other_leg(market, name)
    return names


def check_windows(window: object, estimation: object, least: object) -> Windows:
    """Return the windows, or say why they cannot be used."""
    event, before = days_from("window", window), days_from("estimation", estimation)
    if before[1] >= event[0]:
        raise ParameterError(
            f"estimation ends on day {before[1]} and window begins on day {event[0]}: end it before"
        )
    length = before[1] - before[0] + 1
    if least is None:
        least = max(LEAST, length // 2)
    require("least", least, LEAST, whole=True)
    if int(least) > length:  # type: ignore[call-overload]
        raise ParameterError(
            f"the estimation window has {length} sessions and {least} returns are needed: make it longer"
        )
    return Windows(event, before, int(least))  # type: ignore[call-overload]


def check_parts(parts: object, windows: Windows) -> tuple[tuple[int, int], ...]:
    """Return the parts of the event window that are tested, each once."""
    first, last = windows.event
    if parts is None:
        inside = [part for part in USUAL if first <= part[0] and part[1] <= last]
        return tuple(dict.fromkeys([*inside, windows.event]))
    if not isinstance(parts, Iterable) or isinstance(parts, str):
        raise ParameterError(f"windows is {kind(parts)}: give pairs of days, such as [(-1, 1), (0, 5)]")
    given = tuple(dict.fromkeys(days_from("windows", part) for part in parts))
    if not given or min(part[0] for part in given) < first or max(part[1] for part in given) > last:
        raise ParameterError(f"windows is {shown(given)}: give pairs of days from {first} to {last}")
    return given


def days_from(name: str, given: object) -> tuple[int, int]:
    """Return a first and a last day, or say that they are none."""
    pair = tuple(given) if isinstance(given, (tuple, list)) else ()
    if len(pair) != 2 or not all(is_whole(day) for day in pair) or pair[0] > pair[1]:
        raise ParameterError(f"{name} is {kind(given)}: give a first and a last day, such as (-1, 1)")
    return int(pair[0]), int(pair[1])


def unusable(calendar: pd.DataFrame, outside: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Return why each event is not studied, "" where it is."""
    why = np.where(outside, OUTSIDE, "").astype(object)
    if "notes" in calendar:
        why[calendar["notes"].astype(str).str.startswith(CONTEXT).to_numpy()] = CONTEXT
    return why


# -- groups --------------------------------------------------------------------------------------------------


def tested(
    sample: Sample,
    design: Design,
    places: tuple[Floats, Floats] | None,
    draws: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return the figures and tests of one group by day and by window, and what to say of its random dates."""
    tests = EventTests(sample.abnormal, sample.day, design.average, design.seed)
    figures = pd.DataFrame([tests.over(*rows) for rows in design.rows])
    figures["p_placebo"], said = np.nan, ""
    if places is not None:
        figures["p_placebo"], said = at_random_dates(
            figures["mean"].to_numpy(), np.unique(sample.day), places, design.windows, draws, rng
        )
    count = len(design.days)
    path = [tests.mean_over(0, t + 1) for t in range(count)]
    cumulated = pd.DataFrame(path)[["mean", "low", "high"]] * (np.nan if design.average else 1.0)
    of_day = figures[["mean", "low", "high"]].iloc[:count]
    days = pd.concat(
        [
            figures[["n", "dates"]].iloc[:count],
            of_day.set_axis(["aar", "aar_low", "aar_high"], axis=1),
            cumulated.set_axis(["caar", "caar_low", "caar_high"], axis=1),
            figures.drop(columns=["n", "dates", "independent", "mean", "low", "high"]).iloc[:count],
        ],
        axis=1,
    )
    parts = figures.iloc[count:].set_axis([part_name(part) for part in design.parts])
    return days.set_axis(design.days), parts, said


def part_name(part: tuple[int, int]) -> str:
    """Name a window by its days."""
    return f"{part[0]} to {part[1]}" if part[0] < part[1] else f"{part[0]}"


def at_random_dates(
    means: Floats,
    dates: NDArray[np.int64],
    places: tuple[Floats, Floats],
    windows: Windows,
    draws: int,
    rng: np.random.Generator,
) -> tuple[Floats, str]:
    """Return how often the mean at random dates is at least as far from zero, the true one counted as one.

    Dates whose windows overlap keep their distances. No random date is near a true one: neither of the two
    lies in the event window of the other.

    Args:
        means: at the true dates, shape (K,).
        dates: sessions of the group, each once.
        places: see `everywhere`.
        windows: sessions that are looked at.
        draws: how many times.
        rng: of the draws.

    Returns:
        Shape (K,), NaN where there are too few other sessions; and what to say about the draw.
    """
    sums, counts = places
    first, last = windows.event
    session = np.arange(len(sums))
    near = np.abs(session[:, None] - dates).min(axis=1) <= max(abs(first), abs(last))
    free = ~near & (counts[:, 0] > 0) & (session + min(first, 0) >= 0) & (session + max(last, 0) < len(sums))
    if free.sum() < LEAST_PLACES:
        return np.full(len(means), np.nan), (
            f"only {free.sum()} sessions are not near one of its {len(dates)} dates, too few to draw random "
            "dates from."
        )
    chains = independent_dates(dates, last - first)
    total, number = np.zeros((draws, len(means))), np.zeros((draws, len(means)))
    broken = 0
    for chain in range(chains[-1] + 1):
        offsets = dates[chains == chain] - dates[chains == chain][0]
        starts = session[: len(session) - offsets[-1]]
        starts = starts[free[starts[:, None] + offsets].all(axis=1)]
        if len(starts):
            drawn = rng.choice(starts, draws)[:, None] + offsets
        else:
            broken += len(offsets)
            drawn = rng.choice(session[free], (draws, len(offsets)))
        total += sums[drawn].sum(axis=1)
        number += counts[drawn].sum(axis=1)
    random = np.abs(total) / np.where(number > 0, number, np.nan)
    as_far = ~(random < np.abs(means))  # undefined ones count against
    p = np.where(np.isfinite(means), (1.0 + as_far.sum(axis=0)) / (1.0 + draws), np.nan)
    said = f"{broken} of its {len(dates)} dates were drawn one by one: their chain fits nowhere else."
    return p, said if broken else ""


# -- tables and words ----------------------------------------------------------------------------------------


def pairs_of(sample: Sample, names: pd.Index[Any], design: Design) -> pd.DataFrame:
    """Return the estimates and the first window's figures of each line at each event."""
    own = sample.abnormal
    value, z = first_window(own, design)
    columns = {"intercept": own.intercept, "slope": own.slope, "sigma": own.sigma, "length": own.length}
    index = pd.MultiIndex.from_arrays([names[sample.event], sample.symbol], names=["event", "symbol"])
    return pd.DataFrame(columns | {"car": value, "sar": z}, index)


def first_window(abnormal: Abnormal, design: Design) -> tuple[Floats, Floats]:
    """Return each column's figure over the first of the windows, and the same in units of its error."""
    sums = abnormal.over(*design.part_rows[0])
    return window_values(sums, design.average), sums.value / (abnormal.sigma * np.sqrt(sums.factor))


def event_rows(
    calendar: pd.DataFrame,
    every: Sample,
    day: NDArray[np.int64],
    why_not: NDArray[np.object_],
    design: Design,
) -> pd.DataFrame:
    """Return a row for each event: what it did in the first window, and what to know about it."""
    studied = why_not == ""
    session = design.panels[0].session
    (first, last), (begin, end) = design.windows.event, design.windows.estimation
    figures = []
    for row in range(len(calendar)):
        own = every.pick(every.event == row)
        used = own.pick(own.usable)
        value, z = (np.append(part, np.nan) for part in first_window(used.abnormal, design))
        t, degrees, _ = EventTests(used.abnormal, used.day).portfolio(*design.part_rows[0])
        figures.append(
            {
                "day0": session[day[row]] if studied[row] else pd.NaT,
                "securities": len(used.event),
                "left_out": len(own.event) - len(used.event),
                "car": pd.Series(value).mean(),
                "sar": pd.Series(z).mean(),
                "t": t,
                "p": two_sided(t, degrees),
            }
        )
    apart = day[studied] - day[:, None]  # of the events that are studied, from each
    none = np.where(studied, 0, np.nan)
    flags = {
        "date_only": dated_only(calendar),
        "same_session": (apart == 0).sum(axis=1) - 1 + none,
        "overlapping": ((apart != 0) & (np.abs(apart) <= last - first)).sum(axis=1) + none,
        "in_estimation": ((apart >= begin) & (apart <= end)).sum(axis=1) + none,
        "cut_off": studied & ((day + first < 0) | (day + last >= len(session))),
        "why_not": np.where(studied & (np.array([f["securities"] for f in figures]) == 0), NO_DATA, why_not),
    }
    columns = ["known_at", "title", "channel", "direction", "severity", "group"]
    return calendar[columns].join(pd.DataFrame(figures, calendar.index)).assign(**flags)


def dated_only(calendar: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell the events of which a date is known and no time of day, where the calendar says how it knows."""
    if "announced_at" not in calendar:
        return np.zeros(len(calendar), dtype=bool)
    return calendar["announced_at"].astype(str).str.fullmatch(r"\d{4}-\d{2}-\d{2}").to_numpy(dtype=bool)


def assumed(design: Design) -> list[str]:
    """Return what the study takes for granted, a sentence each."""
    notes = [
        "Day 0 is the first session of a line's venue whose close is after the event was known; one known at "
        "the close belongs to the next session."
    ]
    if design.average:
        return [
            *notes,
            "Premia are levels whose days depend on each other: over windows, tests that take the variance "
            "from the estimation window (patell, portfolio, rank) are too sure; dates, flip and placebo are "
            "not.",
        ]
    for panel in design.panels:
        notes.append(f"Lines of {panel.venue} are measured beyond {panel.versus} ({panel.model}).")
        if panel.versus != OWN_MEAN:
            notes.append(f"What an event did to {panel.versus} itself is not in their abnormal returns.")
    return notes


def counted(rows: pd.DataFrame, every: Sample, design: Design) -> list[str]:
    """Return what was left out or is to be known of the events, a sentence each."""
    used = every.pick(every.usable)
    own = rows[rows["why_not"] == ""]
    first, last = design.windows.event
    short = pd.Series(every.symbol[~every.usable]).value_counts()
    missing = ", ".join(f"{name} at {count}" for name, count in short.items())
    gaps = int((np.isfinite(used.abnormal.value) & (used.abnormal.span > 1)).sum())
    said = [
        (int((rows["why_not"] == why).sum()), f"of the {len(rows)} events are not studied: {why}.")
        for why in (OUTSIDE, CONTEXT, NO_DATA)
    ]
    said += [
        (
            int(own["date_only"].sum()),
            "of the events are known by date and count as known at its end: the answer to them may stand on "
            "day -1.",
        ),
        (
            int((own["same_session"] > 0).sum()),
            "events share their session with another; a group counts it once.",
        ),
        (
            int((own["overlapping"] > 0).sum()),
            f"events have a window from day {first} to {last} that overlaps another event's.",
        ),
        (
            int((own["in_estimation"] > 0).sum()),
            "events have other events in their estimation window, which makes abnormal returns look usual.",
        ),
        (
            int(own["cut_off"].sum()),
            "events have a window that runs out of the market: later days have fewer.",
        ),
        (
            len(every.event) - len(used.event),
            f"lines at events were left out, with fewer than {design.windows.least} returns in the "
            f"estimation window or none in the event window: {missing}.",
        ),
        (gaps, "abnormal returns cover a gap in prices and stand at its end."),
    ]
    return [f"{count:,} {words}" for count, words in said if count]


def multiple(groups: int) -> list[str]:
    """Return what to say of several groups."""
    if groups == 1:
        return []
    return [f"{groups} groups are tested: of p-values of nothing, one in twenty lies below 0.05."]


def beyond(versus: dict[str, str]) -> str:
    """Name what was expected."""
    names = list(dict.fromkeys(versus.values()))
    if len(names) == 1:
        return names[0]
    return ", ".join(f"{name} ({venue})" for venue, name in versus.items())
