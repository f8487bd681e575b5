"""Round trips against a slow twin that walks step by step, and reversals by hand."""

from __future__ import annotations

from types import SimpleNamespace

import naive_trips as naive
import numpy as np
import pandas as pd
import pytest
import worlds
from hypothesis import HealthCheck, assume, given, settings

import entrepot as ep
from entrepot.reports import round_trips
from entrepot.reports.trades import holdings

COLUMNS = ["opened", "closed", "direction", "sessions", "P&L", "P&L [%]", "open"]
# Mechanisms that move no shares but by fills.
ONLY_FILLS = worlds.switches(
    **dict.fromkeys(
        (
            "splits",
            "bare_ratio",
            "delisting",
            "dead_end",
            "delisting_cash",
            "delisting_mark",
            "buy_ins",
            "exits",
        ),
        False,
    ),
    shorts=True,
    hk_shorts=True,
)


def examples(count: int) -> settings:
    return settings(
        max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
    )


def in_order(trips: list[naive.Trip]) -> pd.DataFrame:
    return ordered(pd.DataFrame(trips, columns=COLUMNS))


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    return table[COLUMNS].sort_values(["opened", "closed", "direction", "P&L"], ignore_index=True)


def agree(run: ep.Result, held: list[dict[str, float]]) -> pd.DataFrame:
    mine, theirs = ordered(round_trips(run)), in_order(naive.trips(run, held))
    assert len(mine) == len(theirs)
    for name in ("opened", "closed", "direction", "open"):
        assert mine[name].tolist() == theirs[name].tolist(), name
    for name, scale in (("sessions", 1.0), ("P&L", run.capital), ("P&L [%]", 100.0)):
        own, other = mine[name].astype(float), theirs[name].astype(float)
        np.testing.assert_allclose(own, other, rtol=1e-7, atol=1e-9 * scale, err_msg=name)
    figures = run.summary()
    assert (figures["Trades"], figures["Open Trades"]) == (
        len(theirs) - sum(theirs["open"]),
        sum(theirs["open"]),
    )
    return theirs


@examples(40)
@given(worlds.worlds(steps=(30, 80), mechanisms=ONLY_FILLS))
def test_trips_are_those_of_the_fills(world):
    run = worlds.run(world)
    assume(run is not None and run.ruined_at is None)
    agree(run, naive.positions(run))


@examples(40)
@given(worlds.worlds(steps=(30, 120), mechanisms=worlds.switches(shorts=True)))
def test_trips_are_those_of_the_positions(world):
    run = worlds.run(world)
    assume(run is not None)
    agree(run, run.positions.to_dict("records"))


def reversed_at(*steps: int) -> ep.Result:
    """One line over eight sessions, long from the first and turned at the closes of some."""
    dates = pd.bdate_range("2024-01-02", periods=8)
    prices = pd.DataFrame({"A": [10.0, 11.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0]}, index=dates)
    weights = pd.DataFrame({"A": [(-1.0) ** n for n in range(len(steps) + 1)]}, index=dates[[0, *steps]])
    market = ep.Market.from_prices(prices)
    return ep.backtest(market, weights, capital=1000.0, costs=ep.Costs.none())


def test_a_reversal_is_the_last_step_of_one_trip_and_the_first_of_the_next():
    run = reversed_at(3)
    old, new = (trip for _, trip in round_trips(run).iterrows())
    turned = run.equity.index[4]
    assert (old["closed"], new["opened"]) == (turned, turned)
    assert (old["sessions"], new["sessions"]) == (3, 3)
    # 100 shares from 11 to 10; then 90.9 sold at 10 are worth 7 at the end.
    assert old["P&L"] == pytest.approx(-100.0)
    assert new["P&L"] == pytest.approx(90.909090909 * 3)
    assert new["P&L [%]"] == pytest.approx(100 * new["P&L"] / 1000.0)


def test_a_reversal_at_the_last_step_leaves_a_trade_open():
    run = reversed_at(6)
    trips = round_trips(run)
    assert trips["direction"].tolist() == [1, -1]
    assert trips["open"].tolist() == [False, True]
    assert trips["sessions"].tolist() == [6, 0]
    assert trips["P&L"].tolist() == pytest.approx([-400.0, 0.0])
    assert run.summary()[["Trades", "Open Trades"]].tolist() == [1, 1]


def test_what_rounding_leaves_of_a_netted_line_is_no_reversal():
    switches = (
        "intraday",
        "shared_hk",
        "index",
        "legs_alone",
        "shorts",
        "hk_shorts",
        "zeros",
        "busy",
        "caps",
    )
    mechanisms = worlds.Switches(**dict.fromkeys(switches, True))
    world = worlds.random_world(1670, steps=30, pairs=3, hk_singles=1, ny_singles=0, switches=mechanisms)
    run = worlds.run(world)
    net = run.positions["9003.HK"]
    assert net[(net != 0.0) & (net.abs() < 1e-9)].tolist() == pytest.approx([0.0], abs=1e-9)
    agree(run, naive.positions(run))


def test_what_two_lines_turned_into_is_in_one_holding_with_them():
    run = SimpleNamespace(
        fills=pd.DataFrame({"symbol": ["A", "B"], "pair": ""}),
        positions=pd.DataFrame({"0001.HK": [0.0, 8.0], "A": [1.0, 0.0], "B": [1.0, 0.0]}),
        conversions=pd.DataFrame({"symbol": ["A", "B"], "into": "0001.HK"}),
    )
    assert [sorted(lines) for lines in holdings(run).values()] == [["0001.HK", "A", "B"]]


def test_a_reversal_at_every_step():
    run = reversed_at(*range(1, 7))
    trips = round_trips(run)
    assert trips["opened"].tolist() == run.equity.index[1:].tolist()
    assert trips["P&L"].sum() == pytest.approx(run.equity.iloc[-1] - 1000.0)
