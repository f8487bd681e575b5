"""Small two-venue worlds for the strategies' tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from entrepot.markets.market import Market, empty_table
from entrepot.regimes.path import RegimePath

CLOCK = {
    ("XHKG", "open"): "01:30",
    ("XHKG", "close"): "08:10",
    ("XNYS", "open"): "14:30",
    ("XNYS", "close"): "21:00",
}


def build_grid(days: pd.DatetimeIndex, phases: Iterable[str], hk_holidays: Iterable[str]) -> pd.DataFrame:
    closed = pd.DatetimeIndex(list(hk_holidays))
    rows = [
        (day + pd.Timedelta(f"{clock}:00"), venue, phase, day)
        for day in days
        for (venue, phase), clock in CLOCK.items()
        if phase in phases and not (venue == "XHKG" and day in closed)
    ]
    grid = pd.DataFrame(rows, columns=["time", "venue", "phase", "session"])
    grid["time"] = pd.DatetimeIndex(grid["time"]).as_unit("ns").tz_localize("UTC")
    grid["session"] = pd.DatetimeIndex(grid["session"]).as_unit("ns")
    return grid.rename_axis("step")


def instrument(symbol: str, kind: str, **changes: Any) -> dict[str, Any]:
    hk = symbol.endswith(".HK") or symbol.startswith("^")
    row = {
        "venue": "XHKG" if hk else "XNYS",
        "currency": "HKD" if hk else "USD",
        "company": symbol,
        "sector": "unclassified",
        "kind": kind,
        "pair": "",
        "lot": 1.0,
        "adjustment": "raw",
        "shortable": not hk,
        "size": "mega",
        "withholding": 0.0,
        "fee_class": "hk_stock" if hk else "us_stock",
    }
    return row | changes


def build_market(
    levels: dict[str, Any],
    rows: dict[str, dict[str, Any]],
    *,
    start: str = "2022-01-03",
    phases: tuple[str, ...] = ("close",),
    hk_holidays: Iterable[str] = (),
    **tables: Any,
) -> Market:
    """Levels: one price per business day and symbol; a line prints it at each of its steps of that day."""
    count = len(next(iter(levels.values())))
    days = pd.bdate_range(start, periods=count)
    grid = build_grid(days, phases, hk_holidays)
    instruments = pd.DataFrame.from_dict(rows, orient="index").rename_axis("symbol")
    at = days.get_indexer(grid["session"])
    price = pd.DataFrame(index=pd.DatetimeIndex(grid["time"], name="time"))
    for symbol, path in levels.items():
        here = (grid["venue"] == instruments.at[symbol, "venue"]).to_numpy()
        price[symbol] = np.where(here, np.asarray(path, dtype=float)[at], np.nan)
    fixings = pd.DataFrame(
        {
            "time": (days - pd.Timedelta("11h")).tz_localize("UTC").as_unit("ns"),
            "currency": "HKD",
            "per_usd": 7.8 + 0.01 * np.sin(np.arange(count)),
        }
    )
    ratios = pd.DataFrame(
        [(s, pd.Timestamp("2010-01-01"), 8.0) for s, r in rows.items() if r["kind"] == "ads"],
        columns=["adr", "effective_from", "ordinary_per_ads"],
    )
    ratios = ratios if len(ratios) else empty_table("ratios")
    return Market(grid, price, instruments, fixings=fixings, ratios=ratios, **tables)


def pair_world(
    count: int = 260, pairs: int = 3, seed: int = 1, swing: float = 0.03, **changes: Any
) -> Market:
    """Pairs whose premium wanders around zero, with gaps, plus two ETFs, two sectors and an index."""
    rng = np.random.default_rng(seed)
    levels, rows = {}, {}
    sectors = ("it:semis", "telecom", "auto:ev")
    shorts = changes.pop("hk_shorts", ())
    for p in range(pairs):
        hk, adr = f"{100 + p}.HK", f"AD{chr(65 + p)}"
        line = 100 * np.exp(0.02 * rng.standard_normal(count).cumsum())
        gap = np.zeros(count)
        for t in range(1, count):
            gap[t] = 0.92 * gap[t - 1] + swing * 0.4 * rng.standard_normal()
        levels[hk] = line
        levels[adr] = 8 * line / 7.8 * np.exp(gap)
        levels[hk][rng.integers(0, count, 3)] = np.nan
        levels[adr][rng.integers(0, count, 3)] = np.nan
        rows[hk] = instrument(hk, "ordinary", pair=adr, sector=sectors[p % 3], shortable=hk in shorts)
        rows[adr] = instrument(adr, "ads", pair=hk, sector=sectors[p % 3])
    for symbol, kind in (("KWEB", "etf"), ("ASHR", "etf"), ("^HSI", "index")):
        levels[symbol] = 50 * np.exp(0.015 * rng.standard_normal(count).cumsum())
        rows[symbol] = instrument(symbol, kind)
    changes.setdefault("hk_holidays", ("2022-02-01", "2022-02-02", "2022-02-03", "2022-04-05", "2022-07-01"))
    return build_market(levels, rows, **changes)


def build_path(
    market: Market,
    states: Any = 0,
    escalation: Any = 0.0,
    relief: Any = 0.0,
    probabilities: Any = None,
) -> RegimePath:
    count = len(market)
    time = pd.DatetimeIndex(market.grid["time"])
    intensity = pd.DataFrame(
        {
            ("tariff", "escalation"): np.zeros(count),
            ("tariff", "relief"): np.zeros(count),
            ("delisting", "escalation"): np.broadcast_to(escalation, count),
            ("delisting", "relief"): np.broadcast_to(relief, count),
        },
        index=time,
    )
    states = np.array(np.broadcast_to(states, count), dtype=np.int8)
    if probabilities is None:
        probabilities = np.eye(4)[states]
    return RegimePath(
        time=time,
        probabilities=pd.DataFrame(probabilities, index=time, columns=list(RegimePath.names)),
        states=states,
        intensity=intensity,
        session_count=market.session_count,
        marks="capped",
    )


def wandering_path(market: Market, seed: int = 3) -> RegimePath:
    """Regimes that change every few weeks, at any step, with soft probabilities."""
    rng = np.random.default_rng(seed)
    states = np.zeros(len(market), dtype=np.int8)
    for t in range(1, len(market)):
        states[t] = rng.integers(0, 4) if rng.random() < 0.04 else states[t - 1]
    soft = 0.1 * rng.random((len(market), 4)) + np.eye(4)[states]
    escalation = np.where(states >= 2, 4 * rng.random(len(market)), 0.2)
    relief = np.where(rng.random(len(market)) < 0.03, 5.0, 0.0)
    return build_path(market, states, escalation, relief, soft / soft.sum(axis=1, keepdims=True))


def assert_same_until(
    strategy: Any, market: Market, path: RegimePath | None, seed: int, cuts: int = 8
) -> None:
    """Cut market and path after random steps: the targets before must be the same, bit for bit."""
    whole = strategy.targets(market, path)
    steps = np.random.default_rng(seed).choice(len(market), cuts, replace=False)
    for step in [*steps, 0, len(market) - 1]:
        step = int(step)
        short = None if path is None else path.until(step)
        own = strategy.with_(path=short) if hasattr(strategy, "path") else strategy
        cut = own.targets(market.until(step), short)
        assert cut.pairs == whole.pairs
        assert cut.weights.tobytes() == whole.weights[: step + 1].tobytes(), f"weights differ, cut at {step}"
        assert cut.pair_weights.tobytes() == whole.pair_weights[: step + 1].tobytes(), f"cut at {step}"
        assert cut.exits.tobytes() == whole.exits[: step + 1].tobytes(), f"exits differ, cut at {step}"


@pytest.fixture(scope="session")
def make_market() -> Callable[..., Market]:
    return build_market


@pytest.fixture(scope="session")
def make_pairs() -> Callable[..., Market]:
    return pair_world


@pytest.fixture(scope="session")
def make_path() -> Callable[..., RegimePath]:
    return build_path


@pytest.fixture(scope="session")
def line() -> Callable[..., dict[str, Any]]:
    return instrument


@pytest.fixture(scope="session")
def wander() -> Callable[..., RegimePath]:
    return wandering_path


@pytest.fixture(scope="session")
def same_until() -> Callable[..., None]:
    return assert_same_until
