"""Calendars with wrong dates: the same events, marks and signs, at other times."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd

from entrepot.errors import ParameterError, shown
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind
from entrepot.regimes.event_file import in_order
from entrepot.regimes.events import Events
from entrepot.regimes.intensity import nanoseconds

Move = Literal["shuffle", "shift"]


def misdate(events: Events, market: Market, rng: np.random.Generator, move: Move = "shift") -> Events:
    """Return the events with those of a market's time moved to other moments of it.

    Events known before the market's first step stay where they are, so that every calendar begins from the
    same past; those known after its last step are left out. Moments are drawn on the clock of New York
    sessions, so that a day without trading is no likelier than it is short.

    Args:
        events: the true calendar.
        market: its steps are the time within which events move.
        rng: of the draw.
        move: "shuffle" draws a moment for each event; "shift" moves all by one number of sessions, round the
            end to the beginning, which keeps together what came together.

    Raises:
        ParameterError: for another move, or events that are none.
    """
    if move not in get_args(Move):
        raise ParameterError(f"move={shown(move)} is unknown: use one of {', '.join(get_args(Move))}")
    if not isinstance(events, Events):
        raise ParameterError(f"events is {kind(events)}: give events such as load_events()")
    clock, time = market.session_count, market.times
    frame = events.known_by(market.price.index[-1]).frame
    known = nanoseconds(pd.DatetimeIndex(frame["known_at"]))
    inside = known >= time[0]
    at = np.interp(known.astype(np.float64), time.astype(np.float64), clock)
    length = clock[-1] - clock[0]
    if move == "shuffle":
        moved = clock[0] + length * rng.random(len(at))
    else:
        moved = clock[0] + (at - clock[0] + length * rng.random()) % length
    offset = np.interp(moved, clock, (time - time[0]).astype(np.float64)).astype(np.int64)
    known = np.where(inside, time[0] + offset, known)
    frame["known_at"] = pd.DatetimeIndex(known, tz="UTC").as_unit("ns")
    return Events._of(in_order(frame))  # not Events(frame): these are known when they were not announced
