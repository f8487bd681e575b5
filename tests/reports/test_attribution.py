from __future__ import annotations

import dataclasses

import doubles
import numpy as np
import pandas as pd
import pytest

from entrepot.errors import DataError, ParameterError
from entrepot.reports import by_event, by_instrument, by_leg, by_regime, by_source


@pytest.fixture
def total(ledger):
    return ledger.equity.iloc[-1] - ledger.capital


def test_every_table_sums_to_the_total(ledger, total):
    state, calendar = doubles.states(ledger.market), doubles.events(ledger.market)
    assert by_source(ledger).sum() == pytest.approx(total, abs=1e-4)
    assert by_instrument(ledger)["total"].sum() == pytest.approx(total, abs=1e-4)
    assert by_leg(ledger)["total"].sum() == pytest.approx(total, abs=1e-4)
    assert by_regime(ledger, state, doubles.REGIMES)["P&L"].sum() == pytest.approx(total, abs=1e-4)
    assert by_event(ledger, calendar)["P&L"].sum() == pytest.approx(total, abs=1e-4)
    costs = ledger.costs().sum()
    assert by_regime(ledger, state, doubles.REGIMES)["Costs"].sum() == pytest.approx(costs)
    assert by_event(ledger, calendar)["Costs"].sum() == pytest.approx(costs)


def test_rows_sum_to_their_totals(ledger):
    for table in (by_instrument(ledger), by_leg(ledger)):
        np.testing.assert_allclose(table.drop(columns="total").sum(axis=1), table["total"])
    assert list(by_leg(ledger).index) == ["Hong Kong", "New York", "cash"]
    assert list(by_source(ledger).index)[:2] == ["price", "fx"]


def test_profit_belongs_to_the_regime_decided_a_step_before():
    ledger = doubles.from_equity([100, 101, 103, 106, 110, 115])
    table = by_regime(ledger, np.array([0, 1, 1, 0, 0, 1]), ["quiet", "loud"])
    # (0, 1] quiet; (1, 2] and (2, 3] loud; (3, 4] and (4, 5] quiet
    assert list(table["P&L"]) == [1 + 4 + 5, 2 + 3]
    assert list(table["P&L [%]"]) == [10, 5]
    assert list(table["Sessions"]) == [3, 2]
    assert list(table["Episodes"]) == [2, 2]
    loud = np.array([103 / 101 - 1, 106 / 103 - 1])
    assert table.loc["loud", "Sharpe Ratio"] == pytest.approx(loud.mean() / loud.std(ddof=1) * np.sqrt(252))
    expected = 100 * (np.prod(1 + loud) ** (252 / 2) - 1)
    assert table.loc["loud", "Annualized Return [%]"] == pytest.approx(expected)
    time = ledger.equity.index
    share = 100 * (time[3] - time[1]) / (time[-1] - time[0])
    assert table.loc["loud", "Share of Time [%]"] == pytest.approx(share)
    assert table["Share of Time [%]"].sum() == pytest.approx(100)


def test_a_regime_that_never_was_is_nan_with_a_reason():
    ledger = doubles.from_equity([100, 101, 103])
    table = by_regime(ledger, np.zeros(3, dtype=int), ["quiet", "loud"])
    assert table.loc["loud", "P&L"] == 0
    assert table.loc["loud", "Episodes"] == 0
    assert np.isnan(table.loc["loud", "Sharpe Ratio"])
    assert table.attrs["reasons"]["loud: Sharpe Ratio"] == "fewer than two returns"


@pytest.mark.parametrize("states", [np.zeros(4, dtype=int), np.zeros(3), np.zeros((3, 1), dtype=int)])
def test_states_that_do_not_fit_are_refused(states):
    with pytest.raises(ParameterError, match="one integer for each of the 3 steps"):
        by_regime(doubles.from_equity([100, 101, 103]), states, ["quiet"])


def test_states_without_a_name_are_refused():
    with pytest.raises(ParameterError, match="there are 1 names"):
        by_regime(doubles.from_equity([100, 101, 103]), np.array([0, 1, 0]), ["quiet"])


def calendar(times, names=None):
    frame = pd.DataFrame({"known_at": pd.to_datetime(times, utc=True)})
    frame["title"] = [f"event {i}" for i in range(len(frame))]
    frame["channel"], frame["direction"], frame["severity"] = "tariff", 1, 3
    return frame if names is None else frame.assign(event_id=names)


def test_overlapping_windows_share_equally():
    # sessions from Wednesday 2020-01-01 at 21:00 UTC, one step each; profit 0 1 2 3 4 5 6
    ledger = doubles.from_equity(list(100 + np.cumsum(np.arange(7.0))))
    times = ["2020-01-01T22:00Z", "2020-01-02T22:00Z"]
    table = by_event(ledger, calendar(times, ["a", "b"]), sessions=2)
    # a holds the steps of 2 and 3 January, b those of 3 and 6 January
    assert table.loc["a", "P&L"] == pytest.approx(1 + 2 / 2)
    assert table.loc["b", "P&L"] == pytest.approx(2 / 2 + 3)
    assert table.loc["no event", "P&L"] == pytest.approx(0 + 4 + 5 + 6)
    assert list(table["Steps"]) == [2, 2, 4]
    assert list(table["Shared [%]"]) == [50, 50, 0]


def test_the_step_at_which_it_became_known_is_not_in_the_window():
    ledger = doubles.from_equity([100, 110, 130, 160])
    table = by_event(ledger, calendar(["2020-01-02T21:00Z"], ["a"]), sessions=1)
    assert table.loc["a", "P&L"] == 30 - 10 == 20
    assert list(table.index) == ["a", "no event"]


def test_events_outside_the_run_are_left_out():
    ledger = doubles.from_equity([100, 110, 130, 160])
    table = by_event(ledger, calendar(["2019-06-01", "2030-01-01"], ["early", "late"]), sessions=5)
    assert list(table.index) == ["no event"]
    assert table.loc["no event", "P&L"] == pytest.approx(60)
    before = by_event(ledger, calendar(["2019-12-31T12:00Z"], ["eve"]), sessions=5)
    assert before.loc["eve", "P&L"] == pytest.approx(60)


def test_events_come_out_in_order_of_time():
    ledger = doubles.from_equity([100, 110, 130, 160, 150, 149])
    table = by_event(ledger, calendar(["2020-01-06T03:00Z", "2020-01-01T22:00Z"], ["second", "first"]), 1)
    assert list(table.index) == ["first", "second", "no event"]


def test_bad_events_are_refused(ledger):
    good = calendar(["2020-01-02T21:00Z"])
    with pytest.raises(DataError, match="no column severity"):
        by_event(ledger, good.drop(columns="severity"))
    with pytest.raises(DataError, match="zoneless"):
        by_event(ledger, good.assign(known_at=good["known_at"].dt.tz_localize(None)))
    with pytest.raises(ParameterError, match="positive number of sessions"):
        by_event(ledger, good, sessions=0)


def test_a_run_that_did_nothing_has_empty_tables():
    ledger = doubles.from_equity([100.0] * 5)
    names = pd.MultiIndex.from_tuples([], names=["source", "instrument"])
    idle = dataclasses.replace(ledger, contributions=pd.DataFrame(index=ledger.equity.index, columns=names))
    assert by_source(idle).sum() == 0
    assert by_leg(idle).empty
    assert by_regime(idle, np.zeros(5, dtype=int), ["quiet"])["P&L"].sum() == 0
    assert by_event(idle, calendar(["2020-01-02T21:00Z"]))["P&L"].sum() == 0
