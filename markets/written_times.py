"""Dates and times as people and programs write them: year first, and a time with its offset from UTC."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any, Final

import pandas as pd

from entrepot.errors import shown

YEARS: Final = range(1900, 2200)  # wide enough for any table, inside what a nanosecond timestamp can hold
OFFSETS: Final = (timedelta(hours=-12), timedelta(hours=14))  # of all clocks in use, from UTC
LONGEST_MOMENT: Final = 60  # characters; pandas takes minutes over millions of digits
_BARE_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:", re.ASCII)
_REWRITTEN = re.compile(r"\d{1,4}[/.]\d{1,2}[/.]\d{2,4}.*|\d{1,2}-\d{1,2}-\d{2,4}.*", re.ASCII)
_DAY_NUMBER = re.compile(r"[1-9]\d{4}(\.\d+)?", re.ASCII)
_DAY_ZERO = date(1899, 12, 30)  # what spreadsheets count days from


def parse_moment(text: str) -> date | datetime:
    """Return a bare date, or a time with its offset from UTC.

    Raises:
        ValueError: with the reason, which follows the name of a column: "... is not a date".
    """
    moment: date | None = None
    try:
        if _BARE_DATE.fullmatch(text):
            moment = date.fromisoformat(text)
        elif datetime.fromisoformat(text):  # is strict, and drops nanoseconds
            moment = pd.Timestamp(text)
    except (ValueError, TypeError, OverflowError, LookupError):
        moment = None
    spelt = _BARE_DATE.fullmatch(text) or _TIME.match(text)
    if moment is None or not spelt or pd.isna(moment) or moment.year not in YEARS:
        raise ValueError(f"{shown(text)} is not a date{_why_no_date(text)}")
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise ValueError(
            f"{shown(text)} has a time without a UTC offset; write 2025-04-02T16:00-04:00, or the bare date "
            "where the time is not established"
        )
    if isinstance(moment, datetime) and not OFFSETS[0] <= (moment.utcoffset() or timedelta(0)) <= OFFSETS[1]:
        raise ValueError(f"{shown(text)} has an offset that no clock has; correct what follows the time")
    return moment


def aware(given: object) -> pd.Timestamp | None:
    """Return a moment in UTC, None for what is no time with an offset, in text as `parse_moment` reads it."""
    if not isinstance(given, str | datetime) or (isinstance(given, str) and len(given) > LONGEST_MOMENT):
        return None
    try:
        stamp = pd.Timestamp(parse_moment(given.strip()) if isinstance(given, str) else given)
        # A missing time has no zone either.
        return None if stamp.tzinfo is None else stamp.tz_convert("UTC").as_unit("ns")
    except (ValueError, OverflowError):  # the year 9999 among them
        return None


def moments(given: Any) -> pd.DatetimeIndex:
    """Return the dates or times of a list or column, those in text as `parse_moment` reads them.

    Raises:
        TypeError: for no list.
        ValueError: for anything else in it.
    """
    cells = pd.Index(given)
    if cells.dtype.kind in "OU":
        cells = pd.Index([pd.Timestamp(parse_moment(c)) if isinstance(c, str) else c for c in cells])
    return pd.DatetimeIndex(cells)


def parse_date(text: str) -> date:
    """Return a bare date.

    Raises:
        ValueError: with the reason, which follows the name of a column.
    """
    if _BARE_DATE.fullmatch(text):
        with suppress(ValueError):
            return parse_moment(text)
    raise ValueError(f"{shown(text)} is not a date{_why_no_date(text, moments=False)}")


def _why_no_date(text: str, moments: bool = True) -> str:
    """Say how a date that a spreadsheet has rewritten, or any other, should be written."""
    if _DAY_NUMBER.fullmatch(text):
        day = _DAY_ZERO + timedelta(days=int(float(text)))
        return f" but a spreadsheet's number of one; format the column as text and write {day.isoformat()}"
    if _REWRITTEN.fullmatch(text):
        return (
            " that can be read in one way only; write 2025-04-02, year first, and format the column as text "
            "so that a spreadsheet keeps it"
        )
    return "; write 2025-04-02" + (
        ", or 2025-04-02T16:00-04:00 where the time is known" if moments else ", year first"
    )
