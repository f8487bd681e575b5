"""Markets and events the regime tests share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from entrepot.markets.market import Market
from entrepot.markets.sessions import build_grid
from entrepot.regimes import Events

MakeMarket = Callable[[str, str], Market]
MakeEvents = Callable[[list[tuple[str, str, int, int]]], Events]


@pytest.fixture(scope="session")
def two_venues() -> MakeMarket:
    """Make a market of one flat line on the grid of both venues; regimes read no price."""

    def make(start: str, end: str) -> Market:
        grid = build_grid(["XHKG", "XNYS"], start, end, ("open", "close"))
        flat = np.where(grid["venue"] == "XNYS", 1.0, np.nan)
        prices = pd.DataFrame({"FLAT": flat}, index=pd.DatetimeIndex(grid["time"]))
        market = Market.from_prices(prices)
        return replace(market, grid=grid, instruments=market.instruments.assign(venue="XNYS"))

    return make


@pytest.fixture(scope="session")
def made_events() -> MakeEvents:
    """Make events from (known_at, channel, direction, severity)."""

    def make(rows: list[tuple[str, str, int, int]]) -> Events:
        known_at = pd.DatetimeIndex([pd.Timestamp(row[0]) for row in rows], tz="UTC").as_unit("ns")
        frame = pd.DataFrame(
            {
                "event_id": [f"event-{i:03d}" for i in range(len(rows))],
                "channel": pd.Series([row[1] for row in rows], dtype="str"),
                "direction": np.array([row[2] for row in rows], dtype=np.int64),
                "severity": np.array([row[3] for row in rows], dtype=np.int64),
                "notes": pd.Series([""] * len(rows), dtype="str"),
                "known_at": known_at,
            }
        )
        return Events(frame.sort_values(["known_at", "event_id"], ignore_index=True))

    return make
