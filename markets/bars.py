"""Intraday bars: which moment each stamp means, when each bar was known, and the days they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, shown
from entrepot.markets.instruments import venue_of
from entrepot.markets.sessions import TIMEZONES, bars_of, trading_hours

if TYPE_CHECKING:
    from entrepot.markets.price_tables import PriceTable

BarTimes = Literal["start", "end"]

LONGEST: Final = 60  # minutes
LAYOUT: Final = "YYYY-MM-DD HH:MM"
# A day of which nearly all bars lie equally far apart, and farther than those of other days, has longer bars.
LEAST_TO_TELL, MOST_ALIKE = 5, 0.8
FARTHEST_FROM_CLOSE: Final = 3.0
SESSIONS_TO_TELL: Final = 5  # a thin line without a trade in half an hour of each of so many is not expected


@dataclass(frozen=True, eq=False)
class Raster:
    """How one venue's bars are to be read.

    Args:
        venue: "XHKG" or "XNYS".
        minutes: length of its bars.
        stamped: whether a stamp is a bar's start or its end.
        told: whether the caller said so.
        hours: of its sessions, see `trading_hours`.
        bars: of its sessions, see `bars_of`.
    """

    venue: str
    minutes: int
    stamped: BarTimes
    told: bool
    hours: pd.DataFrame
    bars: pd.DataFrame


# -- one file ------------------------------------------------------------------------------------------------


def bar_stamps(
    stamps: pd.DatetimeIndex, column: pd.Series[Any], symbol: str, origin: str
) -> pd.DatetimeIndex | None:
    """Return the stamps of a table of bars in UTC, strictly increasing; None where its rows are days.

    A table holds bars where some date occurs with several times of day. A stamp without an offset is in the
    time of the symbol's exchange.

    Args:
        stamps: as read, NaT where one cannot be.
        column: as written, for messages.
        symbol: in Yahoo's spelling.
        origin: as messages name the table.

    Raises:
        DataError: for stamps of bars that cannot be read, repeat or go back, for whole days among them, and
            for bars of an exchange rate.
    """
    day = stamps.normalize()
    timed = stamps.asi8 != day.asi8
    if not timed.any() or not day.dropna().has_duplicates:
        return None
    if symbol.endswith("=X"):
        raise DataError(f"{origin} holds bars of an exchange rate: give one rate a day, its fixing")
    wrong: dict[str, NDArray[np.bool_]] = {
        f"not readable: bars are stamped {LAYOUT}, with an offset on all or on none": np.asarray(
            stamps.isna()
        ),
        "a second time: keep one row per bar": np.asarray(stamps.duplicated()),
        "out of order: sort its rows by time, oldest first": np.append(False, np.diff(stamps.asi8) < 0),
        "a whole day among bars: give one of the two": ~timed & ~np.asarray(day.duplicated(keep=False)),
    }
    for what, rows in wrong.items():
        if rows.any():
            row = int(np.argmax(rows))
            raise DataError(f"{origin} has {shown(str(column.iloc[row]))} in data row {row + 1}, {what}")
    if stamps.tz is None:
        first = np.ones(len(stamps), dtype=bool)
        stamps = stamps.tz_localize(zone_of(symbol), ambiguous=first, nonexistent="shift_forward")
    return pd.DatetimeIndex(stamps.tz_convert("UTC").as_unit("ns"), name="time")


def as_bars(table: PriceTable) -> PriceTable:
    """Make a table of bars, stamped as in its file, and of the days in which they fall."""
    if "close" not in table.frame:
        raise DataError(f"{table.origin} lacks the column Close: bars are prices as they were traded")
    bars = table.frame.drop(columns="adj close", errors="ignore")
    day = pd.DatetimeIndex(bars.index).tz_convert(zone_of(table.symbol)).tz_localize(None).normalize()
    bars = bars.assign(day=day.as_unit("ns"))
    return replace(table, frame=days_of(bars, bars["day"]), bars=bars)


def zone_of(symbol: str) -> str:
    """Return the time zone of a symbol's exchange; an index of unknown venue, which is left out, has any."""
    return TIMEZONES.get(venue_of(symbol), "UTC")


def days_of(bars: pd.DataFrame, day: pd.Series[pd.Timestamp]) -> pd.DataFrame:
    """Return the days that bars make: first open, last close, sum of volume; an amount a day for the rest."""
    by_day = bars.groupby(day.rename("date"))
    days = pd.DataFrame({"close": by_day["close"].last()})
    if "open" in bars:
        days["open"] = by_day["open"].first()
    if "volume" in bars:
        days["volume"] = by_day["volume"].sum(min_count=1)
    for name in ("dividends", "stock splits"):
        if name in bars:
            days[name] = by_day[name].max()  # vendors write a day's amount at one of its bars or at all
    return days.set_index(pd.DatetimeIndex(days.index, name="date"))


# -- all files -----------------------------------------------------------------------------------------------


def settle_bars(
    tables: Sequence[PriceTable], bar_times: BarTimes | None, notes: list[str]
) -> tuple[list[PriceTable], dict[str, int]]:
    """Find out how bars are stamped and put each at the moment at which it was known.

    Args:
        tables: of days and of bars.
        bar_times: whether bars are stamped at their start or their end; None: found out by venue.
        notes: a sentence is added for each table of bars.

    Returns:
        The tables, in order. Those of bars have in ``bars`` the column "close" by UTC time at which it was
        known, and in ``frame`` the days of what lies in the sessions: the open of the bar that begins at the
        opening, the last close, the sum of volume. And the length in minutes of each venue's bars.

    Raises:
        DataError: where lengths are mixed, stamps lie off their raster or on days without a session, or
            start and end cannot be told apart.
        ParameterError: for an unknown ``bar_times``.
    """
    if bar_times is not None and (not isinstance(bar_times, str) or bar_times not in get_args(BarTimes)):
        raise ParameterError(f"bar_times={shown(bar_times)} is unknown: it is 'start', 'end' or None")
    rasters = {}
    for venue in TIMEZONES:
        own = [t for t in tables if t.bars is not None and venue_of(t.symbol) == venue]
        if own:
            rasters[venue] = raster_of(venue, own, bar_times)
    settled = [
        table
        if table.bars is None or (venue := venue_of(table.symbol)) not in rasters
        else lay_bars(table, rasters[venue], notes)
        for table in tables
    ]
    return settled, {venue: raster.minutes for venue, raster in rasters.items()}


def raster_of(venue: str, tables: Sequence[PriceTable], bar_times: BarTimes | None) -> Raster:
    """Find the length of a venue's bars and which end of a bar its stamp is."""
    lengths = {table.origin: length_of(table) for table in tables}
    minutes = lengths[tables[0].origin]
    for origin, other in lengths.items():
        if other != minutes:
            raise DataError(
                f"{tables[0].origin} has bars of {counted_minutes(minutes)} and {origin} of "
                f"{counted_minutes(other)}: give bars of one length for each venue"
            )
    days = [pd.DatetimeIndex(bars["day"]) for bars in bars_in(tables)]
    first, last = min(d[0] for d in days), max(d[-1] for d in days)
    hours = trading_hours(venue, first, last)
    found = found_stamps(tables, hours)
    if bar_times is None and found is None:
        raise DataError(
            f"the bars of {venue} do not tell whether they are stamped at their start or their end "
            f"({tables[0].origin} begins {local(tables[0], 0)}): say which with bar_times='start' or 'end'"
        )
    if bar_times is not None and found is not None and bar_times != found:
        raise DataError(
            f"bar_times={bar_times!r} does not fit the bars of {venue}: stamps at the {found} of bars are "
            f"there and none at the {bar_times}; leave bar_times out or correct the files"
        )
    stamped = bar_times or found
    assert stamped is not None
    return Raster(venue, minutes, stamped, bar_times is not None, hours, bars_of(venue, first, last, minutes))


def bars_in(tables: Sequence[PriceTable]) -> Iterator[pd.DataFrame]:
    """Yield the bars of tables that have some."""
    for table in tables:
        if table.bars is not None:
            yield table.bars


def length_of(table: PriceTable) -> int:
    """Return how many minutes most neighbouring bars lie apart; refuse days of longer bars among shorter."""
    (bars,) = bars_in([table])
    stamps, day = pd.DatetimeIndex(bars.index).asi8, pd.DatetimeIndex(bars["day"]).asi8
    apart = np.diff(stamps)[np.diff(day) == 0]
    of_day = day[1:][np.diff(day) == 0]
    sizes, counts = np.unique(apart, return_counts=True)
    usual = pd.Timedelta(int(sizes[np.argmax(counts)]))
    minutes = usual / pd.Timedelta(minutes=1)
    if minutes != int(minutes) or not 1 <= minutes <= LONGEST:
        raise DataError(
            f"{table.origin} has bars {usual.total_seconds():g} seconds apart: give bars of 1 to "
            f"{LONGEST} whole minutes, or one row a day"
        )
    gaps = pd.DataFrame({"day": of_day, "apart": apart})
    count = gaps.groupby(["day", "apart"]).size().rename("count").reset_index()
    most = count.loc[count.groupby("day")["count"].idxmax()].set_index("day")
    total = gaps.groupby("day").size()
    longer = (most["apart"] > usual.value) & (total >= LEAST_TO_TELL) & (most["count"] >= MOST_ALIKE * total)
    if longer.any():
        when = pd.Timestamp(int(longer.index[longer][0]))
        other = int(most["apart"].to_numpy()[longer.to_numpy()][0] // pd.Timedelta(minutes=1).value)
        raise DataError(
            f"{table.origin} has bars of {counted_minutes(int(minutes))}, and on {when.date()} of "
            f"{counted_minutes(other)}: give bars of one length"
        )
    return int(minutes)


def found_stamps(tables: Sequence[PriceTable], hours: pd.DataFrame) -> BarTimes | None:
    """Tell the start from the end of bars by the minutes at which only one of them can lie.

    Only a start lies at an opening (after lunch too), only an end at the beginning of lunch or at the close.
    The end of Hong Kong's continuous trading tells nothing where an auction follows it.
    """
    final = hours.loc[hours["end"] == hours["close"], "end"]
    begins = pd.DatetimeIndex(pd.concat([hours["open"], hours["resume"].dropna()]))
    ends = pd.DatetimeIndex(pd.concat([hours["pause"].dropna(), final]))
    stamps = [pd.DatetimeIndex(bars.index) for bars in bars_in(tables)]
    at_start = any(stamp.isin(begins).any() for stamp in stamps)
    at_end = any(stamp.isin(ends).any() for stamp in stamps)
    if at_start == at_end:
        return None
    return "start" if at_start else "end"


def lay_bars(table: PriceTable, raster: Raster, notes: list[str]) -> PriceTable:
    """Put a table's bars at the moments at which they were known, and make its days anew."""
    (bars,) = bars_in([table])
    given = len(bars)
    empty = filled(bars)
    refuse_days_without_session(table, bars[~empty], raster)
    if given and empty.all():
        raise DataError(f"{table.origin} has no bar with a trade: fill its Close column or remove it")
    amounts = bars
    bars = bars[~empty]
    stamps = pd.DatetimeIndex(bars.index)
    place = pd.Index(raster.bars[raster.stamped]).get_indexer(stamps)
    session = pd.Index(raster.hours["session"]).get_indexer(bars["day"])
    hours = raster.hours.iloc[session].set_index(bars.index)
    auction = in_auction(stamps, hours, raster)
    refuse_off_raster(table, stamps, hours, raster, (place < 0) & ~auction)
    inside = (place >= 0) | auction
    refuse_other_clock(table, stamps, hours, inside, raster)
    of_raster = raster.bars.iloc[place]
    known = pd.DatetimeIndex(of_raster["end"])
    close = pd.DatetimeIndex(hours["close"])
    # Where a file has no auction, its last bar is the close, and the close is known when the auction ends.
    final = (known == pd.DatetimeIndex(hours["end"])) & (place >= 0)
    known = known.where(~(auction | (final & (not auction.any()))), close)
    price = pd.Series(bars["close"].to_numpy(), index=known)[inside]
    price = price[~price.index.duplicated(keep="last")].rename_axis("time").rename("close")
    laid = bars[inside]
    if "open" in laid:
        opening = (place >= 0) & (pd.DatetimeIndex(of_raster["start"]) == pd.DatetimeIndex(hours["open"]))
        laid = laid.assign(open=laid["open"].where(opening[inside]))
    days = days_of(laid, laid["day"])
    refuse_stray_prices(table, laid, days)
    paid = days_of(amounts, amounts["day"]).filter(["dividends", "stock splits"])
    paid = paid[(paid != 0).any(axis=1)]
    days = days.drop(columns=list(paid)).reindex(days.index.union(paid.index)).join(paid)
    notes.append(describe_bars(table, raster, given, empty, inside, price, auction))
    return replace(table, frame=days, bars=price.to_frame())


def filled(bars: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell the rows in which nothing was traded: no price, or one price and no volume, as vendors fill.

    Where no row has any volume, as in files of indices, none is told by it.
    """
    empty = bars["close"].isna()
    if "volume" in bars and (bars["volume"] > 0).any():
        one_price = bars["volume"] == 0
        for name in bars.columns.intersection(["open", "high", "low"]):
            one_price &= bars[name].isna() | (bars[name] == bars["close"])
        empty |= one_price
    return empty.to_numpy(dtype=bool)


def in_auction(stamps: pd.DatetimeIndex, hours: pd.DataFrame, raster: Raster) -> NDArray[np.bool_]:
    """Tell the bars of the auction between the end of continuous trading and the close."""
    end, close = pd.DatetimeIndex(hours["end"]), pd.DatetimeIndex(hours["close"])
    if raster.stamped == "start":
        return np.asarray((stamps >= end) & (stamps < close))
    # A bar longer than the auction ends after it, and holds nothing else.
    until = np.maximum(close.asi8, end.asi8 + raster.minutes * pd.Timedelta(minutes=1).value)
    return np.asarray((stamps > end) & (stamps.asi8 <= until) & (close > end))


def refuse_days_without_session(table: PriceTable, bars: pd.DataFrame, raster: Raster) -> None:
    """Refuse trades on a day without a session."""
    odd = ~bars["day"].isin(raster.hours["session"]).to_numpy()
    if odd.any():
        raise DataError(
            f"{table.origin} has bars on {bars['day'].iloc[int(np.argmax(odd))].date()}, when {raster.venue} "
            "held no session: correct their dates or delete the rows"
        )


def refuse_other_clock(
    table: PriceTable,
    stamps: pd.DatetimeIndex,
    hours: pd.DataFrame,
    inside: NDArray[np.bool_],
    raster: Raster,
) -> None:
    """Refuse bars of which some lie outside the sessions, and never one in their first half hour, or last.

    So lie stamps of another time zone, as of New York in UTC or in Chicago's time. Those of a clock without
    summer time lie so for half of the year: each half is looked at alone. A thin line may have none in those
    half hours too: it takes some sessions to tell, or most bars outside.
    """
    length, edge = pd.Timedelta(minutes=raster.minutes), pd.Timedelta(minutes=30)
    begins = stamps if raster.stamped == "start" else stamps - length
    opens = pd.DatetimeIndex(hours["open"])
    near = {
        "first": np.asarray(begins < opens + edge),
        "last": np.asarray(begins + length > pd.DatetimeIndex(hours["end"]) - edge),
    }
    clock = opens - opens.normalize()  # of the opening in UTC: one in winter, one in summer
    for alike in (clock == time for time in clock.unique()):
        outside = int((alike & ~inside).sum())
        few = hours.loc[alike, "session"].nunique() < SESSIONS_TO_TELL
        if not outside or (few and outside <= alike.sum() / 2):
            continue
        for which, rows in near.items():
            if not (rows & inside & alike).any():
                raise DataError(
                    f"{table.origin} has {outside:,} bars outside the sessions of {raster.venue} and none in "
                    f"the {which} half hour of any: its stamps seem to be of another time zone (it begins "
                    f"{local(table, int(np.argmax(alike)))}); write them in the exchange's time, or with "
                    "their offset"
                )


def refuse_off_raster(
    table: PriceTable,
    stamps: pd.DatetimeIndex,
    hours: pd.DataFrame,
    raster: Raster,
    unplaced: NDArray[np.bool_],
) -> None:
    """Refuse stamps within continuous trading at which no bar of the venue starts or ends."""
    at = {name: pd.DatetimeIndex(hours[name]) for name in ("open", "pause", "resume", "end")}
    if raster.stamped == "start":
        off = (
            (stamps >= at["open"])
            & (stamps < at["end"])
            & ~((stamps >= at["pause"]) & (stamps < at["resume"]))
        )
    else:
        off = (
            (stamps > at["open"])
            & (stamps <= at["end"])
            & ~((stamps > at["pause"]) & (stamps <= at["resume"]))
        )
    off = np.asarray(off) & unplaced
    if off.any():
        row = int(np.argmax(off))
        raise DataError(
            f"{table.origin} has a bar at {local_time(stamps[row], raster.venue)}, where no bar of "
            f"{counted_minutes(raster.minutes)} has its {raster.stamped}: bars are counted from the opening "
            f"at {local_time(at['open'][row], raster.venue)[-5:]}"
        )


def refuse_stray_prices(table: PriceTable, bars: pd.DataFrame, days: pd.DataFrame) -> None:
    """Refuse a bar that stands far from its day's close."""
    close = days["close"].reindex(bars["day"]).to_numpy()
    far = np.abs(np.log(bars["close"].to_numpy() / close)) > np.log(FARTHEST_FROM_CLOSE)
    if far.any():
        row = int(np.argmax(far))
        raise DataError(
            f"{table.origin} has the price {bars['close'].iloc[row]:g} at "
            f"{local_time(pd.Timestamp(bars.index[row]), venue_of(table.symbol))} and closes that day at "
            f"{close[row]:g}, more than {FARTHEST_FROM_CLOSE:g}-fold apart: correct the row"
        )


# -- words ---------------------------------------------------------------------------------------------------


def describe_bars(
    table: PriceTable,
    raster: Raster,
    given: int,
    empty: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    price: pd.Series[float],
    auction: NDArray[np.bool_],
) -> str:
    """Say in a sentence what was read of a file of bars and left out of it."""
    how = "as told" if raster.told else "as found"
    parts = [
        f"{given:,} bars of {counted_minutes(raster.minutes)}, stamped at their {raster.stamped} ({how})"
    ]
    left = {"without a trade": int(empty.sum()), "outside the session": int((~inside).sum())}
    parts += [f"{number:,} {why} left out" for why, number in left.items() if number]
    closes = pd.Index(raster.hours["close"])
    traded = len(pd.DatetimeIndex(price.index).normalize().unique())
    silent = traded - int(price.index.isin(closes).sum())
    parts += [f"{silent} session{'s' * (silent > 1)} without a price at the close"] if silent else []
    said = f"{table.origin}: {', '.join(parts)}."
    if (raster.hours["end"] < raster.hours["close"]).any() and not auction.any():
        said += " It has no closing auctions: the last bar of a session is taken as its close, known when the"
        said += " auction has ended."
    return said


def counted_minutes(minutes: int) -> str:
    """Return "1 minute" or "5 minutes"."""
    return f"{minutes} minute{'s' * (minutes != 1)}"


def local_time(moment: pd.Timestamp, venue: str) -> str:
    """Return a moment in the time of a venue."""
    return f"{moment.tz_convert(TIMEZONES[venue]):%Y-%m-%d %H:%M}"


def local(table: PriceTable, row: int) -> str:
    """Return the stamp of a row of bars in its exchange's time."""
    (bars,) = bars_in([table])
    return local_time(pd.Timestamp(bars.index[row]), venue_of(table.symbol))
