"""When each venue trades: sessions, the grid of steps, and the clock that counts New York sessions.

Sessions come from exchange_calendars, corrected by the sourced rows of `data/session_overrides.csv`
(days lost to weather, openings delayed by it, closings brought forward by it).
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError, is_listed, is_number, shown
from entrepot.markets.tables import dates, read_table
from entrepot.markets.written_times import moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

Phase = Literal["open", "bar", "close"]

TIMEZONES: Final = {"XHKG": "Asia/Hong_Kong", "XNYS": "America/New_York"}
PHASES: Final = ("open", "close")
# Of moments that need no exchange's calendar; a nanosecond timestamp holds them.
FIRST_YEAR, LAST_YEAR = 1700, 2200
# What figures that are annualised by 252 may be of: dates on which both venues trade are some 236 a year,
# days without weekends 261. Less than a quarter tells nothing of a year.
DAILY: Final = (200.0, 300.0)
LEAST_SPAN: Final = pd.Timedelta(days=90)
YEAR: Final = pd.Timedelta(days=365.25)
CLOCK_ORIGIN: Final = pd.Timestamp("2000-01-03")
"""The New York session at whose close `session_clock` is 0."""

# Since this day the price of a Hong Kong close is made by an auction that ends 8 to 10 minutes after the
# calendar's close (HKEX, Closing Auction Session, phase 1); the later end is the one at which it is known.
CLOSING_AUCTION_FROM: Final = pd.Timestamp("2016-07-25")
CLOSING_AUCTION: Final = pd.Timedelta(minutes=10)

# Year, month and day, or the month by name: 04/01/2021 is in January or in April, 2021 a day or a year, and
# "today" another one tomorrow.
_A_DAY = re.compile(
    r"\s*(\d{8}|\d{4}([/.-])\d{1,2}\2\d{1,2}|\d{1,2} [a-z]+\.?,? \d{4}|[a-z]+\.? \d{1,2},? \d{4})(?!\d)",
    re.ASCII | re.IGNORECASE,
)


def session_times(
    venue: str,
    start: str | pd.Timestamp,
    end: str | pd.Timestamp,
    phases: Sequence[str] = PHASES,
) -> pd.DataFrame:
    """Sessions of a venue from `start` to `end`, both inclusive, with the times at which it opens and closes.

    Args:
        venue: "XHKG" or "XNYS".
        start: first date; a time of day or a time zone is dropped.
        end: last date.
        phases: which of "open" and "close" to give.

    Returns:
        RangeIndex; `session` (datetime64[ns], naive date), then one column per phase (datetime64[ns, UTC]).
        A Hong Kong close is the end of the closing auction: 16:10, or 12:10 on a half day, from
        2016-07-25; 16:00 and 12:00 before.

    Raises:
        ParameterError: unknown venue or phase, `start` after `end`, or dates no calendar covers.
    """
    wanted = check_phases(phases)
    first, last = (check_date(start), check_date(end))
    if first > last:
        raise ParameterError(f"the start {first.date()} is after the end {last.date()}: swap them")
    table = _calendar_for(venue, first, last)
    inside = table["session"].between(first, last).to_numpy()
    return table.loc[inside, ["session", *wanted]].reset_index(drop=True)


def build_grid(
    venues: Sequence[str],
    start: str | pd.Timestamp,
    end: str | pd.Timestamp,
    phases: Sequence[str] = PHASES,
    minutes: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Every step of the venues from `start` to `end`, in UTC order.

    Args:
        venues: "XHKG", "XNYS" or both.
        start: first session date of either venue, inclusive.
        end: last session date of either venue, inclusive.
        phases: which of "open" and "close" are steps.
        minutes: length of the bars whose ends between open and close are steps too, phase "bar", by venue;
            none of a venue that is not named.

    Returns:
        RangeIndex "step"; `time` (datetime64[ns, UTC], strictly increasing), `venue`, `phase` (str),
        `session` (datetime64[ns], naive date).

    Raises:
        ParameterError: as `session_times`, or a venue named twice, or no session in the range.
    """
    venues = [check_venue(each) for each in venues] if is_listed(venues) else []
    if len(set(venues)) != len(venues) or not venues:
        raise ParameterError(f"the venues {venues} must be one or more of XHKG, XNYS, each named once")
    wanted = check_phases(phases)
    parts = [
        sessions[[phase, "session"]].rename(columns={phase: "time"}).assign(venue=venue, phase=phase)
        for venue in venues
        for sessions in [session_times(venue, start, end, wanted)]
        for phase in wanted
    ]
    parts += [
        ends[["time", "session"]].assign(venue=venue, phase="bar")
        for venue in venues
        if minutes and venue in minutes
        for bars in [bars_of(venue, start, end, minutes[venue])]
        for ends in [bars[bars["end"] < bars["close"]].rename(columns={"end": "time"})]
    ]
    grid = pd.concat(parts, ignore_index=True).sort_values("time", ignore_index=True)
    if grid.empty:
        raise ParameterError(f"no session of {', '.join(venues)} falls between {start} and {end}")
    grid.index = pd.RangeIndex(len(grid), name="step")
    return grid[["time", "venue", "phase", "session"]]


def trading_hours(venue: str, start: str | pd.Timestamp, end: str | pd.Timestamp) -> pd.DataFrame:
    """Sessions of a venue with the hours of continuous trading.

    Args:
        venue: "XHKG" or "XNYS".
        start: first date, inclusive.
        end: last date, inclusive.

    Returns:
        `session`, `open`, `pause` and `resume` (of the lunch break; NaT where there is none), `end` (of
        continuous trading) and `close`, which in Hong Kong is the end of the auction that follows. The lunch
        is that of today also before 2012-03-05, when it was longer.

    Raises:
        ParameterError: as `session_times`.
    """
    table = _calendar_for(venue, check_date(start), check_date(end))
    inside = table["session"].between(check_date(start), check_date(end)).to_numpy()
    return table[inside].reset_index(drop=True)


def bars_of(venue: str, start: str | pd.Timestamp, end: str | pd.Timestamp, minutes: int) -> pd.DataFrame:
    """The bars of one length into which a venue's continuous trading falls.

    They are counted from the opening, and in the afternoon of Hong Kong from its end of lunch; the last one
    before lunch or the end is shorter where the length does not divide the hours.

    Args:
        venue: "XHKG" or "XNYS".
        start: first session date, inclusive.
        end: last session date, inclusive.
        minutes: length.

    Returns:
        One row per bar in order: `session`, `start` and `end` of the bar, `last` (end of the session's
        continuous trading) and `close` of its session.
    """
    hours = trading_hours(venue, start, end)
    whole = hours.assign(begin=hours["open"], stop=hours["pause"].fillna(hours["end"]))
    second = hours[hours["pause"].notna()]
    parts = pd.concat([whole, second.assign(begin=second["resume"], stop=second["end"])])
    parts = parts.sort_values("begin", ignore_index=True)
    length = pd.Timedelta(minutes=minutes)
    span = pd.DatetimeIndex(parts["stop"]) - pd.DatetimeIndex(parts["begin"])
    count = np.ceil(np.asarray(span / length)).astype(np.int64)
    row = np.repeat(np.arange(len(parts)), count)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    bars = parts.iloc[row].reset_index(drop=True)
    begun = bars["begin"] + place * length
    ended = begun + length
    return pd.DataFrame(
        {
            "session": bars["session"],
            "start": begun,
            "end": ended.where(ended < bars["stop"], bars["stop"]),
            "last": bars["end"],
            "close": bars["close"],
        }
    )


def session_clock(times: pd.DatetimeIndex | pd.Series[pd.Timestamp]) -> NDArray[np.float64]:
    """New York sessions elapsed, as a continuous count.

    The count is a whole number at every New York close (0 at the close of 2000-01-03, 1 at the next,
    negative before) and runs linearly in UTC time between consecutive closes, so a decay over n
    sessions is exact from close to close and a weekend ages an event by one session.

    Args:
        times: (T,) moments with a time zone, in any order.

    Returns:
        (T,) sessions.

    Raises:
        ParameterError: what is no list of times, times without a time zone or outside the years 1700 to 2200,
            or NaT among them.
    """
    try:
        index = moments(times)
    except (TypeError, ValueError):
        raise ParameterError(
            f"the session clock was given {shown(times)}: give a DatetimeIndex of moments with a time zone"
        ) from None
    if index.tz is None:
        raise ParameterError(
            "the session clock was given times without a time zone; use tz_localize('UTC') if they are UTC"
        )
    if index.hasnans:
        raise ParameterError("the session clock was given a missing time (NaT); drop it first")
    if not len(index):
        return np.empty(0)
    first, last = index.min(), index.max()
    if not FIRST_YEAR <= first.year <= last.year <= LAST_YEAR:
        raise ParameterError(
            f"the session clock was given times from {first} to {last}: give times from {FIRST_YEAR} to "
            f"{LAST_YEAR}"
        )
    utc = index.tz_convert("UTC").as_unit("ns")
    margin = pd.Timedelta(days=14)  # longer than any closure of New York since 1914
    table = _calendar_for("XNYS", check_date(utc.min()) - margin, check_date(utc.max()) + margin)
    closes = pd.DatetimeIndex(table["close"]).as_unit("ns").asi8
    origin = int(table["session"].searchsorted(CLOCK_ORIGIN))
    # As floats, nanoseconds since the origin are good to 0.1 us; equal times still become equal floats,
    # and that makes the count exact at the closes.
    base = closes[origin]
    counts = np.arange(len(closes), dtype=np.float64) - origin
    elapsed: NDArray[np.float64] = np.interp(
        (utc.asi8 - base).astype(np.float64), (closes - base).astype(np.float64), counts
    )
    return elapsed


def check_venue(venue: str) -> str:
    """The venue as given, if it has a calendar and a fee schedule."""
    if not isinstance(venue, str) or venue not in TIMEZONES:
        raise ParameterError(f"the venue {shown(venue)} is unknown: use XHKG (Hong Kong) or XNYS (New York)")
    return venue


def check_phases(phases: Sequence[str]) -> tuple[str, ...]:
    """The phases in the order of the day, each at most once."""
    given = (phases,) if isinstance(phases, str) else tuple(phases) if is_listed(phases) else ()
    if not given or not all(isinstance(phase, str) and phase in PHASES for phase in given):
        raise ParameterError(f"the phases {shown(phases)} are not usable: give 'open', 'close' or both")
    return tuple(phase for phase in PHASES if phase in given)


def session_overrides() -> pd.DataFrame:
    """Days on which a venue was closed or its hours changed at short notice, with their sources.

    Returns:
        `venue`, `session` (naive date), `kind` ("closed": no session; "late_open" and "early_close": at
        `local_time` instead), `local_time` ("HH:MM" or ""), `source`, `confidence`, `notes`.
    """
    name = "session_overrides.csv"
    table = read_table(name, "venue session kind local_time source confidence notes")
    table["session"] = dates(table, "session", name)
    timed = table["kind"].isin(["late_open", "early_close"])
    known = timed | table["kind"].eq("closed")
    well_formed = table["local_time"].str.fullmatch(r"\d\d:\d\d").where(timed, table["local_time"] == "")
    wrong = ~(known & well_formed & table["venue"].isin(list(TIMEZONES)) & table["session"].notna())
    wrong |= table.duplicated(["venue", "session"])
    if wrong.any():
        raise DataError(f"{name}: unusable or repeated rows among {table.loc[wrong, 'session'].tolist()}")
    return table


def sessions_a_year(sessions: pd.DatetimeIndex) -> float:
    """How many of these dates, in order, there are a year; NaN where they span less than 90 days."""
    span = sessions[-1] - sessions[0] if len(sessions) else pd.Timedelta(0)
    return (len(sessions) - 1) / (span / YEAR) if span >= LEAST_SPAN else math.nan


def refuse_other_than_daily(sessions: pd.DatetimeIndex) -> None:
    """Refuse prices of dates that are plainly not the sessions of a year: of weeks, months, or all its days.

    Raises:
        DataError: where there are fewer than 200 or more than 300 a year.
    """
    rate, (fewest, most) = sessions_a_year(sessions), DAILY
    if rate < fewest or rate > most:
        fix = (
            "give the prices of every trading day"
            if rate < fewest
            else "leave out the days without trading, such as prices[prices.index.day_of_week < 5]"
        )
        raise DataError(
            f"the price frame has {rate:.0f} dates a year and figures are annualised by 252 daily sessions: "
            f"{fix}"
        )


def naive_moment(given: object) -> pd.Timestamp | None:
    """A date or time without a zone; None for anything else, and for what can be read in two ways."""
    try:
        stamp = pd.Timestamp(given).as_unit("ns") if _names_a_day(given) else pd.NaT  # type: ignore[arg-type]
    except (TypeError, ValueError):  # the year 9999 among them
        return None
    return None if pd.isna(stamp) or stamp.tzinfo is not None else stamp


def _names_a_day(given: object) -> bool:
    """Whether text names one day in one way; a number names none, and what is neither is looked at later."""
    return _A_DAY.match(given) is not None if isinstance(given, str) else not is_number(given)


def check_date(moment: str | pd.Timestamp) -> pd.Timestamp:
    """A date without time of day or zone, or one sentence why it is none."""
    try:
        if not _names_a_day(moment):
            raise TypeError
        stamp = pd.Timestamp(moment)
        if pd.isna(stamp):
            raise TypeError
        return stamp.tz_localize(None).normalize().as_unit("ns")
    except (TypeError, ValueError, AttributeError):
        raise ParameterError(f"{shown(moment)} is not a date; write it as 2018-01-02") from None


def _calendar_for(venue: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """The cached sessions of whole decades around the dates; one table of 2000 to 2029 serves nearly all."""
    check_venue(venue)
    return _calendar(venue, min(2000, first.year // 10 * 10), max(2029, last.year // 10 * 10 + 9))


@cache
def disrupted_sessions(venue: str) -> pd.DataFrame:
    """The sessions since 2000 that were lost or shortened at short notice, as they had been published.

    Nobody knew of it the day before: what is decided earlier counts on these hours. Every run asks, and
    reading them takes 4 ms, so that all are given one table.

    Args:
        venue: "XHKG" or "XNYS".

    Returns:
        As `session_times`, with the "open" and "close" that were planned.
    """
    overrides = session_overrides()
    planned = _planned_calendar(check_venue(venue), 2000, 2029)
    disrupted = planned["session"].isin(overrides.loc[overrides["venue"] == venue, "session"])
    return planned.loc[disrupted, ["session", "open", "close"]].reset_index(drop=True)


@lru_cache(maxsize=8)
def _calendar(venue: str, first_year: int, last_year: int) -> pd.DataFrame:
    table = _planned_calendar(venue, first_year, last_year).copy()
    overrides = session_overrides()
    overrides = overrides[overrides["venue"] == venue]
    for row in overrides[overrides["kind"] != "closed"].to_dict("records"):
        local = pd.Timestamp(f"{row['session']:%Y-%m-%d} {row['local_time']}", tz=TIMEZONES[venue])
        # What the weather ends early, ends without an auction.
        moved = ["open"] if row["kind"] == "late_open" else ["end", "close"]
        table.loc[table["session"] == row["session"], moved] = local.tz_convert("UTC").as_unit("ns")
    no_lunch = (table["open"] >= table["resume"]) | (table["end"] <= table["pause"])
    table.loc[no_lunch, ["pause", "resume"]] = pd.NaT
    closed = overrides.loc[overrides["kind"] == "closed", "session"]
    return table[~table["session"].isin(closed)].reset_index(drop=True)


@lru_cache(maxsize=8)
def _planned_calendar(venue: str, first_year: int, last_year: int) -> pd.DataFrame:
    """The sessions as they had been published, also those that were lost at short notice."""
    schedule = _library_schedule(venue, f"{first_year}-01-01", f"{last_year}-12-31")
    session = pd.DatetimeIndex(schedule.index).as_unit("ns")
    opens = pd.DatetimeIndex(schedule["open"]).as_unit("ns")
    ends = pd.DatetimeIndex(schedule["close"]).as_unit("ns")
    closes = ends
    if venue == "XHKG":
        closes = ends.where(session < CLOSING_AUCTION_FROM, ends + CLOSING_AUCTION)
    table = pd.DataFrame({"session": session, "open": opens, "end": ends, "close": closes})
    for column, name in (("pause", "break_start"), ("resume", "break_end")):
        table[column] = pd.DatetimeIndex(schedule[name]).as_unit("ns")
    return table


def _library_schedule(venue: str, start: str, end: str) -> pd.DataFrame:
    """The library's schedule and the sessions that were lost, with its holidays of these years only.

    The library evaluates every holiday rule from 1970 to 2200, which is half of its construction time.
    """
    from exchange_calendars.exchange_calendar_xhkg import XHKGExchangeCalendar
    from exchange_calendars.exchange_calendar_xnys import XNYSExchangeCalendar
    from pandas.tseries.offsets import CustomBusinessDay

    base = XHKGExchangeCalendar if venue == "XHKG" else XNYSExchangeCalendar
    overrides = session_overrides()
    lost = overrides.loc[(overrides["venue"] == venue) & (overrides["kind"] == "closed"), "session"]

    class Calendar(base):  # type: ignore[misc, valid-type]
        @cached_property
        def day(self) -> CustomBusinessDay:
            adhoc = pd.DatetimeIndex([pd.Timestamp(day).tz_localize(None) for day in self.adhoc_holidays])
            holidays = [*self.regular_holidays.holidays(start, end), *adhoc[~adhoc.isin(lost)]]
            return CustomBusinessDay(holidays=holidays, weekmask=self.weekmask)

    with warnings.catch_warnings():
        # pandas 3 deprecations inside exchange_calendars 4.13, nothing a user could act on
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=pd.errors.Pandas4Warning)
        try:
            schedule: pd.DataFrame = Calendar(start=start, end=end).schedule
        except ValueError:
            raise ParameterError(
                f"no calendar of {venue} covers {start} to {end}: choose other years"
            ) from None
    return schedule
