"""Event studies: what prices or premia did around the events of a calendar, beyond what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, shown
from entrepot.event_design import (
    NO_DATA,
    By,
    Design,
    Measure,
    calendar_of,
    check_parts,
    check_windows,
    groups_of,
    studied_lines,
    unusable,
)
from entrepot.event_panels import (
    Sample,
    Windows,
    everywhere,
    premium_panel,
    return_panels,
    sample_of,
)
from entrepot.event_words import (
    HINDSIGHT,
    against,
    answers,
    assumed,
    counted,
    events_of,
    most_dated,
    multiple,
    opening,
    path_label,
    path_of,
    picture_note,
    picture_title,
    spoken,
)
from entrepot.markets.market import Market
from entrepot.markets.premium import Align
from entrepot.memory import require_memory
from entrepot.regimes import Events
from entrepot.regimes.arguments import kind
from entrepot.reports.abnormal import Abnormal, Floats
from entrepot.reports.event_study import EventTests, independent_dates, two_sided, window_values
from entrepot.strategies.targets import require, require_choice, require_symbols

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from entrepot.reports.pages.document import Section

LEAST_PLACES = 20  # sessions that random dates are drawn from


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
        said = [f"{spoken(group)}, {text}" for group, text in answers(self).items()]
        return "\n".join([opening(self), *said, HINDSIGHT])

    def plot(self, size: str = "page", groups: Sequence[str] | None = None) -> Axes:
        """Draw the cumulated path of each group with its band; of premia, their distance from before.

        Args:
            size: "page" or "slide".
            groups: which; None: the four of most dates.

        Raises:
            ParameterError: for another size, groups that are not in the study, or more than four.
        """
        from entrepot.reports.pictures.event_paths import MOST, draw_event_paths

        named = most_dated(self, MOST) if groups is None else require_symbols("groups", groups)
        if not named or (strange := [group for group in named if group not in self.groups]):
            raise ParameterError(
                f"there is nothing to draw of {shown(strange if named else named)}: the groups are "
                f"{', '.join(self.groups)}"
            )
        if len(named) > MOST:
            raise ParameterError(f"{len(named)} groups are too many for one picture: name {MOST} at most")
        own = events_of(self, named)
        axes: Axes = draw_event_paths(
            self.table.loc[list(named)],
            path_of(self),
            ylabel=path_label(self),
            title=picture_title(self, own),
            note=picture_note(own, len(self.groups) - len(named) if groups is None else 0),
            size=size,
        )
        return axes

    def sections(self, anchor: str = "event-study") -> tuple[Section, ...]:
        """Return the study as a part of a report: answers in words, the picture, and the tables behind them.

        ``result.report("run.html", sections=study.sections())`` puts it in.

        Args:
            anchor: what a link to it ends in; two studies in one report need two.
        """
        from entrepot.event_page import sections

        return sections(self, anchor)


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
    around = check_windows(window, estimation, least, market.grid["session"].nunique())
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
    versus = {panel.venue: panel.versus for panel in panels}
    if not len(sample.event):
        raise DataError(
            f"none of the {len(calendar)} events can be studied: {len(calendar) - len(studied)} lie outside "
            f"the market or are only context, and at the others no line has {around.least} returns"
            f"{against(versus)} from day {around.estimation[0]} to {around.estimation[1]}: give more "
            "prices or a shorter estimation"
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
        versus=versus,
        notes=(*assumed(design), *counted(rows, every, design), *said, *multiple(len(days)), HINDSIGHT),
        measure=measure,
        window=around.event,
        label=market.label,
    )


# -- groups --------------------------------------------------------------------------------------------------


def tested(
    sample: Sample,
    design: Design,
    places: tuple[Floats, Floats] | None,
    draws: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return the figures and tests of one group by day and by window, and what to say of its random dates."""
    tests = EventTests(sample.abnormal, sample.day, design.average, design.seed, design.together)
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
    require_memory(
        8.0 * draws * (len(means) + 1) * (4 + 2 * int(np.bincount(chains).max())),
        f"{draws:,} draws of {len(dates):,} random dates",
        "give fewer placebos",
    )
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
        t, degrees, _ = EventTests(used.abnormal, used.day, together=design.together).portfolio(
            *design.part_rows[0]
        )
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
