"""What an event study measures, and how: its arguments read, checked and put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_listed, is_whole, shown
from entrepot.event_panels import Panel, Windows
from entrepot.markets.market import Market
from entrepot.markets.premium import other_leg
from entrepot.regimes import CHANNELS, Events
from entrepot.regimes.arguments import kind
from entrepot.reports.abnormal import LEAST
from entrepot.reports.ownership import check_events
from entrepot.strategies.targets import require, require_symbols

Measure = Literal["return", "premium"]
By = Literal["direction", "channel", "both"]
SIDES = {1: "escalation", -1: "relief"}
ALL = "all events"
USUAL = ((-1, 1), (0, 1), (0, 5))
MOST_DAYS = 2_520  # before or after an event: ten years, or as long as the market is
OUTSIDE, CONTEXT, NO_DATA = "outside the market", "context only", "no line with enough returns"


class Design(NamedTuple):
    """What is measured, and how."""

    panels: Sequence[Panel]
    windows: Windows
    parts: Sequence[tuple[int, int]]  # first and last day of each window that is tested
    average: bool
    seed: int

    @property
    def together(self) -> bool:
        """Whether all lines have the same sessions."""
        return len(self.panels) == 1

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


def calendar_of(events: Events | pd.DataFrame, by: By | None) -> pd.DataFrame:
    """Return the events in order with their group, or say what is wrong with them."""
    frame = events.frame if isinstance(events, Events) else events
    if isinstance(frame, pd.DataFrame) and frame.columns.nlevels == 1 and "title" not in frame:
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
    if table["channel"].isna().any():
        raise DataError("an event has no channel: give each one, such as 'tariff' or 'delisting'")
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


def check_windows(window: object, estimation: object, least: object, sessions: int) -> Windows:
    """Return the windows, or say why they cannot be used in a market of so many sessions."""
    event, before = days_from("window", window), days_from("estimation", estimation)
    most = max(sessions, MOST_DAYS)
    for name, days in (("window", event), ("estimation", before)):
        if max(map(abs, days)) > most:
            raise ParameterError(f"{name} is {days}: give days from {-most} to {most}")
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
    if not is_listed(parts) or isinstance(parts, str):
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
