"""Attribution by hand, and on a ledger whose books a plain loop kept."""

from __future__ import annotations

import dataclasses

import doubles
import numpy as np
import pandas as pd
import pytest

from entrepot.errors import DataError, ParameterError
from entrepot.reports import (
    by_event,
    by_instrument,
    by_leg,
    by_period,
    by_regime,
    by_sector,
    by_source,
    event_sources,
    regime_sources,
)


@pytest.fixture
def total(ledger):
    return ledger.equity.iloc[-1] - ledger.capital


def test_every_table_sums_to_the_total(ledger, total):
    state, calendar = doubles.states(ledger.market), doubles.events(ledger.market)
    near = 1e-9 * ledger.capital
    tables = [by_instrument(ledger), by_leg(ledger), by_sector(ledger), by_sector(ledger, {"JD": "own"})]
    tables += [by_period(ledger, freq) for freq in ("year", "quarter", "month")]
    tables += [regime_sources(ledger, state, doubles.REGIMES), event_sources(ledger, calendar)]
    tables += [event_sources(ledger, calendar, 40, by) for by in ("channel", ("channel", "direction"))]
    sources = by_source(ledger)
    assert abs(sources.sum() - total) <= near
    for table in tables:
        assert abs(table["total"].sum() - total) <= near
        assert (table[sources.index].sum() - sources).abs().max() <= near
        assert (table[sources.index].sum(axis=1) - table["total"]).abs().max() <= near
    regime, event = by_regime(ledger, state, doubles.REGIMES), by_event(ledger, calendar)
    for table in (regime, event):
        assert abs(table["P&L"].sum() - total) <= near
        assert abs(table["Costs"].sum() - ledger.costs().sum()) <= near


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
    with pytest.raises(DataError, match="empty or a zoneless time"):
        by_event(ledger, good.assign(known_at=good["known_at"].where(np.arange(len(good)) > 0)))
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
    assert by_period(idle)["total"].tolist() == [0]
    assert event_sources(idle, calendar(["2020-01-02T21:00Z"]))["total"].tolist() == [0, 0]
    assert regime_sources(idle, np.zeros(5, dtype=int), ["quiet"])["total"].tolist() == [0]


def test_sectors_of_the_market(ledger):
    """The words as they are given: Alibaba's lines are in different ones here, funds in their own."""
    table, each = by_sector(ledger), by_instrument(ledger)["total"]
    assert set(table.index) == {"9618-free", "consumer", "fund", "cash"}
    assert table.index[-1] == "cash"
    assert table["total"].iloc[:-1].abs().is_monotonic_decreasing
    expected = each[["BABA", "9618.HK", "JD"]].sum()
    assert table.loc["consumer", "total"] == pytest.approx(expected)
    assert table.loc["fund", "total"] == pytest.approx(each["KWEB"])
    assert table.loc["cash", "total"] == pytest.approx(each[["cash:USD", "cash:HKD"]].sum())


def test_periods_are_those_of_session_dates():
    # sessions of 30 December 2019 to 6 January 2020 but for weekends: 30, 31, 1, 2, 3, 6
    ledger = doubles.from_equity([100, 110, 99, 99, 108.9, 108.9])
    sessions = pd.bdate_range("2019-12-30", periods=6).as_unit("ns").rename("session")
    dated = dataclasses.replace(
        ledger, market=dataclasses.replace(ledger.market, grid=ledger.market.grid.assign(session=sessions))
    )
    table = by_period(dated)
    assert [str(period) for period in table.index] == ["2019", "2020"]
    assert table.index.name == "period"
    assert list(table["total"]) == pytest.approx([10, -1.1])
    assert list(table["Return [%]"]) == pytest.approx([10, -1])
    assert list(table["Start Equity"]) == [100, 110]
    assert list(table["End Equity"]) == [110, 108.9]
    assert list(table["Turnover"]) == [0, 0]
    assert [str(period) for period in by_period(dated, "quarter").index] == ["2019Q4", "2020Q1"]


def test_what_is_not_known_reaches_only_its_owner():
    """A NaN among the contributions is nobody's zero: its regime and event are unknown, others are not."""
    ledger = doubles.from_equity([100, 101, 103, 106, 110, 115])
    booked = ledger.contributions.copy()
    booked.iloc[2, 0] = np.nan
    ledger = dataclasses.replace(ledger, contributions=booked)
    states = np.array([0, 1, 1, 0, 0, 1])
    table = regime_sources(ledger, states, ["quiet", "loud"])
    assert table["total"].tolist() == pytest.approx([1 + 4 + 5, np.nan], nan_ok=True)
    assert by_regime(ledger, states, ["quiet", "loud"])["P&L"].tolist() == pytest.approx(
        [10, np.nan], nan_ok=True
    )
    table = event_sources(ledger, calendar(["2020-01-01T22:00Z"], ["a"]), sessions=1)
    assert table["total"].tolist() == pytest.approx([1, np.nan], nan_ok=True)
    assert np.isnan(by_source(ledger).sum(skipna=False))
