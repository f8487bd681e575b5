"""The figures of the discount monitor: premia without dividends in them, their past, runs below a level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from entrepot.markets.market import Market
from entrepot.markets.premium import Align, ex_dates_apart, other_leg, premium

LEAST_NAMES = 3  # fewer premia have no median worth the name
FLAT = 1e-9  # standard deviation below which there is no z-score


def clean_premia(
    market: Market, adrs: Sequence[str], align: Align, sessions: pd.DatetimeIndex
) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Return premia that hold no dividend, shape (S, P), and when each row was known.

    Args:
        market: with these pairs.
        adrs: P symbols of ADRs.
        align: whose price of when.
        sessions: S sessions of New York.

    Returns:
        Fractions, NaN where a session has none or one price is from before an ex-date and the other is not;
        UTC times by session, NaT where no ADR has one.
    """
    values = np.full((len(sessions), len(adrs)), np.nan)
    known = np.full(len(sessions), pd.NaT.value)
    for column, adr in enumerate(adrs):
        hk = other_leg(market, adr)
        if not np.isfinite(market.printed[:, [market.column(adr), market.column(hk)]]).any(axis=0).all():
            continue  # not listed yet
        detail = premium(market, adr, align=align, detail=True)
        hk_step = np.searchsorted(market.times, pd.DatetimeIndex(detail["hk_time"]).as_unit("ns").asi8)
        hk_session = market.grid["session"].to_numpy()[hk_step]
        legs = {adr: detail.index.to_numpy(), hk: hk_session}
        detail = detail[~ex_dates_apart(market, legs)]
        row = sessions.get_indexer(detail.index)
        values[row, column] = detail["premium"].to_numpy()
        known[row] = np.maximum(known[row], pd.DatetimeIndex(detail["known_at"]).as_unit("ns").asi8)
    premia = pd.DataFrame(values, index=sessions, columns=pd.Index(adrs, name="adr"))
    return premia, pd.Series(pd.DatetimeIndex(known, tz="UTC"), index=sessions, name="known_at")


def of_values(
    column: pd.Series[float], last: int, by: Callable[[pd.Series[float], int], pd.Series[float]]
) -> pd.Series[float]:
    """Apply a function of the ``last`` values to a column, gaps left out, and put the gaps back."""
    values = column.dropna()
    return by(values, min(last, len(values) + 1)).reindex(column.index)


def mean(values: pd.Series[float], count: int) -> pd.Series[float]:
    """Return the trailing mean, NaN before there are ``count`` values."""
    return values.rolling(count).mean()


def standardised(values: pd.Series[float], count: int) -> pd.Series[float]:
    """Return the distance from the trailing mean in trailing standard deviations (ddof 1)."""
    rolling = values.rolling(count)
    deviation = rolling.std()
    return (values - rolling.mean()) / deviation.where(deviation > FLAT)


def median_of(values: pd.DataFrame) -> tuple[pd.Series[float], pd.Series[int]]:
    """Return the median of each row, NaN with fewer than three values, and how many there are."""
    count = values.notna().sum(axis=1).rename("names")
    return values.median(axis=1).where(count >= LEAST_NAMES).rename("median"), count


def last_wider(values: pd.Series[float], by: str) -> Any:
    """Return when a series without gaps was last below its last value, NaT where it never was.

    Args:
        values: by session.
        by: "session", or "week": means from Monday to the weekday of the last value, each told by its last
            session.
    """
    day, value = pd.DatetimeIndex(values.index), values.to_numpy()
    if by == "week":
        same = day.day_of_week <= day[-1].day_of_week
        monday = (day - pd.to_timedelta(day.day_of_week, unit="D"))[same]
        weeks = pd.DataFrame({"day": day[same], "value": value[same]}).groupby(monday)
        day, value = pd.DatetimeIndex(weeks["day"].max()), weeks["value"].mean().to_numpy()
    wider = np.flatnonzero(value < value[-1])
    return day[wider[-1]] if len(wider) else pd.NaT


def runs_below(
    why: str, name: str, value: pd.Series[float], level: pd.Series[float], known: pd.Series[Any]
) -> pd.DataFrame:
    """Return a row for each run of values below a level; gaps neither count nor end a run.

    Args:
        why: kind of the alert.
        name: whose it is.
        value: by session, NaN where there is none.
        level: of the same sessions, NaN where there is none.
        known: when each row was known.
    """
    there = np.flatnonzero(value.notna() & level.notna())
    own, bar = value.to_numpy()[there], level.to_numpy()[there]
    moments = pd.DatetimeIndex(known).take(there).append(pd.DatetimeIndex([pd.NaT], tz="UTC"))
    edge = np.flatnonzero(np.diff(own < bar, prepend=False, append=False))
    first, after = edge[::2], edge[1::2]
    columns: dict[str, Any] = {
        "known_at": moments.take(first),
        "session": value.index.take(there[first]),
        "kind": why,
        "name": name,
        "premium": own[first],
        "level": bar[first],
        "sessions": after - first,
        "lowest": np.array([own[i:j].min() for i, j in zip(first, after, strict=True)], dtype=np.float64),
        "ended_at": moments.take(after),
    }
    return pd.DataFrame(columns, index=range(len(first)))
