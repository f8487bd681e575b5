"""Bars of minutes on the wrong clock, of mixed lengths, or with rows that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from robustness.cases import Case

import entrepot as ep
from entrepot.errors import DataError

CLOCKS, ROWS = "clocks of bars", "rows of bars"
OTHER_CLOCK = (
    "seems? to be of another time zone|do not tell whether they are stamped at their start or their end"
)


@cache
def bars(minutes: int = 30) -> pd.DataFrame:
    """A fund over the two weeks around the start of summer time in New York, stamped at the start of bars."""
    days = pd.bdate_range("2022-03-07", "2022-03-18")
    of_a_day = pd.timedelta_range("9h30min", "15h59min", freq=f"{minutes}min")
    stamps = pd.DatetimeIndex([day + time for day in days for time in of_a_day])
    walk = 20 + np.random.default_rng(0).normal(0.0, 0.01, len(stamps)).cumsum()
    return pd.DataFrame({"Datetime": stamps, "Close": walk.round(2)})


def on_the_clock_of(zone: str) -> Callable[[pd.Series], object]:
    """The same moments on another clock, which is not named."""
    return lambda local: local.dt.tz_localize("America/New_York").dt.tz_convert(zone).dt.tz_localize(None)


WRITTEN: dict[str, Callable[[pd.Series], object]] = {
    "UTC": on_the_clock_of("UTC"),
    "London": on_the_clock_of("Europe/London"),
    "Hong Kong": on_the_clock_of("Asia/Hong_Kong"),
    "Chicago": on_the_clock_of("America/Chicago"),
    "a clock without summer time": on_the_clock_of("Etc/GMT+5"),
    "a clock that keeps summer time": on_the_clock_of("Etc/GMT+4"),
    "an hour late": lambda local: local + pd.Timedelta("1h"),
    "an hour early": lambda local: local - pd.Timedelta("1h"),
}
# what is done to good bars of half an hour
SPOILT: list[tuple[str, Callable[[pd.DataFrame], pd.DataFrame], str]] = [
    ("newest first", lambda t: t.iloc[::-1], "out of order: sort its rows by time"),
    ("a bar twice", lambda t: pd.concat([t.iloc[:1], t]), "a second time: keep one row per bar"),
    ("a bar twice at two prices", lambda t: pd.concat([t.iloc[:1].assign(Close=21.0), t]), "a second time"),
    (
        "a stamp missing",
        lambda t: t.assign(Datetime=t["Datetime"].where(t.index != 3)),
        "not readable|has the date",
    ),
    (
        "off the raster",
        lambda t: t.assign(Datetime=t["Datetime"].where(t.index != 3, t["Datetime"] + pd.Timedelta("2min"))),
        "where no bar of 30 minutes has its start",
    ),
    (
        "on a Saturday",
        lambda t: t.assign(
            Datetime=t["Datetime"].where(t["Datetime"] < "2022-03-18", t["Datetime"] + pd.Timedelta("1D"))
        ),
        "bars on 2022-03-19, when XNYS held no session",
    ),
    (
        "seconds",
        lambda t: t.assign(Datetime=t["Datetime"].iloc[0] + pd.to_timedelta(t.index * 90, unit="s")),
        "90 seconds apart",
    ),
    (
        "two lengths",
        lambda t: pd.concat(
            [t[t["Datetime"] < "2022-03-14"], bars(60)[bars(60)["Datetime"] >= "2022-03-14"]]
        ),
        "bars of 30 minutes, and on 2022-03-14 of 60 minutes",
    ),
    (
        "a price of 0",
        lambda t: t.assign(Close=t["Close"].where(t.index != 3, 0.0)),
        "close 0 on 2022-03-07: a price is",
    ),
    (
        "a price in cents",
        lambda t: t.assign(Close=t["Close"].where(t.index != 3, 2000.0)),
        "more than 3-fold apart",
    ),
    (
        "a price as text",
        lambda t: t.assign(Close=t["Close"].astype(object).where(t.index != 3, "n.a.")),
        "close 'n.a.' on",
    ),
    ("adjusted closes alone", lambda t: t.rename(columns={"Close": "Adj Close"}), "lacks the column Close"),
    ("no price at all", lambda t: t.assign(Close=np.nan), "no close at all"),
    (
        "zones on some",
        lambda t: t.assign(
            Datetime=t["Datetime"].astype("str").where(t.index != 3, "2022-03-07 11:00+00:00")
        ),
        "not readable|has the date|has '",
    ),
]


def load(table: pd.DataFrame, **how: Any) -> ep.Market:
    """A market of the fund's bars."""
    return ep.load_market({"KWEB": table}, **how)


CASES = [
    *(
        Case(
            CLOCKS,
            f"{name}, bars of {minutes}",
            lambda folder, w=write, m=minutes: load(bars(m).assign(Datetime=w(bars(m)["Datetime"]))),
            DataError,
            OTHER_CLOCK,
        )
        for name, write in WRITTEN.items()
        for minutes in (5, 30)
    ),
    *(
        Case(ROWS, name, lambda folder, c=change: load(c(bars())), DataError, words)
        for name, change, words in SPOILT
    ),
    Case(
        ROWS,
        "bars of a rate",
        lambda folder: ep.load_market({"HKD=X": bars().assign(Close=7.8)}),
        DataError,
        "holds bars of an exchange rate",
    ),
]
