"""The discount monitor one session and one name at a time, from its definition; missing values are None."""

from __future__ import annotations

from datetime import timedelta
from math import floor, sqrt
from statistics import median

from naive_observations import Tables


def premia(market, adrs, align):
    """By ADR, one premium for each session, and when each session's was known."""
    tables = Tables(market)
    rows, known = {}, [None] * len(tables.sessions)
    for adr in adrs:
        hk = dict(tables.pairs)[adr]
        rows[adr] = []
        for k, session in enumerate(tables.sessions):
            value, when = getattr(tables, align)(adr, hk, session), tables.rows[session]
            if align == "next_hk" and value is not None:
                when = min(tables.time["XHKG", s] for s in tables.closes[hk] if tables.time["XHKG", s] > when)
            rows[adr].append(value)
            if value is not None:
                known[k] = when
    return tables.sessions, rows, known


def smoothed(row, count):
    result = []
    for k, value in enumerate(row):
        seen = [v for v in row[: k + 1] if v is not None][-count:]
        result.append(sum(seen) / count if value is not None and len(seen) == count else None)
    return result


def zscores(row, lookback):
    result = []
    for k, value in enumerate(row):
        seen = [v for v in row[: k + 1] if v is not None][-lookback:]
        if value is None or len(seen) < lookback:
            result.append(None)
            continue
        mean = sum(seen) / lookback
        result.append((value - mean) / sqrt(sum((v - mean) ** 2 for v in seen) / (lookback - 1)))
    return result


def past(row, k, window):
    """What a name showed in the sessions before, or None where that is too little."""
    seen = [v for v in row[max(k - window, 0) : k] if v is not None]
    return seen if len(seen) >= min(250, window // 2) else None


def levels(row, window, percentile):
    result = []
    for k in range(len(row)):
        seen = past(row, k, window)
        if seen is None:
            result.append(None)
            continue
        seen.sort()
        place = (len(seen) - 1) * percentile
        low = floor(place)
        high = min(low + 1, len(seen) - 1)
        result.append(seen[low] + (place - low) * (seen[high] - seen[low]))
    return result


def percentiles(row, window):
    result = []
    for k, value in enumerate(row):
        seen = past(row, k, window)
        there = value is not None and seen is not None
        result.append(sum(v < value for v in seen) / len(seen) if there else None)
    return result


def medians(rows):
    result = []
    for now in zip(*rows, strict=True):
        seen = [v for v in now if v is not None]
        result.append(median(seen) if len(seen) >= 3 else None)
    return result


def alerts(kind, name, row, bars, sessions, known):
    """One dictionary for each run below the bar."""
    result, current = [], None
    for value, bar, session, when in zip(row, bars, sessions, known, strict=True):
        if value is None or bar is None:
            continue
        if value < bar:
            if current is None:
                current = {
                    "known_at": when, "session": session, "kind": kind, "name": name, "premium": value,
                    "level": bar, "sessions": 0, "lowest": value, "ended_at": None,
                }  # fmt: skip
                result.append(current)
            current["sessions"] += 1
            current["lowest"] = min(current["lowest"], value)
        elif current is not None:
            current["ended_at"], current = when, None
    return result


def widest_since(row, sessions, k, by):
    if by == "session":
        wider = [s for s, v in zip(sessions[:k], row[:k], strict=True) if v is not None and v < row[k]]
        return wider[-1] if wider else None
    weeks = {}
    for session, value in zip(sessions[: k + 1], row[: k + 1], strict=True):
        if value is not None and session.weekday() <= sessions[k].weekday():
            weeks.setdefault(session - timedelta(days=session.weekday()), []).append((session, value))
    means = [(own[-1][0], sum(v for _, v in own) / len(own)) for own in weeks.values()]
    wider = [session for session, mean in means if mean < means[-1][1]]
    return wider[-1] if wider else None


def gauge(market, sessions, known, row):
    """The median at each step of the market: the last one known, if five sessions old at most."""
    clock, times = list(market.session_count), list(market.grid["time"])
    result = []
    for step, now in enumerate(times):
        told = [(when, v) for when, v in zip(known, row, strict=True) if v is not None and when <= now]
        if not told or clock[step] - clock[times.index(told[-1][0])] > 5:
            result.append(None)
        else:
            result.append(told[-1][1])
    return result
