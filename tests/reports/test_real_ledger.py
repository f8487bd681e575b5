"""The same reports on what the engine itself records."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from entrepot.engine.backtest import backtest
from entrepot.engine.costs import Costs
from entrepot.engine.lines import NOT_COSTS
from entrepot.engine.tape import SOURCES
from entrepot.markets.market import Market
from entrepot.reports import by_event, by_leg, by_regime, by_source, report, round_trips, summary, tear_sheet
from entrepot.reports.sources import is_cost, source_order


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(4)
    days = pd.bdate_range("2021-01-04", periods=400)
    growth = np.exp(np.cumsum(rng.normal(0, 0.01, (400, 3)), axis=0))
    market = Market.from_prices(pd.DataFrame(50 * growth, index=days, columns=["A", "B", "C"]))
    weights = pd.DataFrame(np.nan, index=days, columns=["A", "B", "C"])
    weights.iloc[5] = [0.5, -0.2, np.nan]
    weights.iloc[150] = [0.0, np.nan, 0.4]
    weights.iloc[300] = [0.3, 0.0, np.nan]
    return backtest(market, weights, costs=Costs.flat(10))


def test_the_sources_are_the_engines():
    assert sorted(source_order(SOURCES)) == sorted(SOURCES)
    assert {name for name in SOURCES if not is_cost(name)} == set(NOT_COSTS)


def test_sums_and_costs(run):
    total = run.equity.iloc[-1] - run.capital
    states = (np.arange(len(run.equity)) // 50 % 2).astype(np.int8)
    events = pd.DataFrame({"known_at": pd.to_datetime(["2021-06-01", "2021-06-03"], utc=True), "title": "x"})
    events = events.assign(channel="tariff", direction=1, severity=3)
    assert by_source(run).sum() == pytest.approx(total)
    assert by_leg(run)["total"].sum() == pytest.approx(total)
    assert by_regime(run, states, ("calm", "tariff"))["P&L"].sum() == pytest.approx(total)
    assert by_event(run, events)["P&L"].sum() == pytest.approx(total)
    table = summary(run)
    assert table["Total Costs"] == pytest.approx(run.costs().sum())
    assert table["Total Fees Paid"] == pytest.approx((run.fills["notional"] * 0.001).sum())
    assert table["Undefined"] == "Profit Factor: no closed trade lost money"
    trips = round_trips(run)
    assert list(trips["name"]) == ["A", "B", "C", "A"]
    assert list(trips["direction"]) == [1, -1, 1, 1]
    assert list(trips["open"]) == [False, False, True, True]
    assert trips["P&L"].sum() == pytest.approx(total)


def test_sheet_and_report(run, tmp_path):
    tear_sheet(run, tmp_path / "sheet.png")
    text = report(run, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "flat_fee" in text or "Flat fee" in text
    assert "fee_bps" in text


def test_fills_show_what_they_moved_where_they_did(run, tmp_path):
    symbol = run.market.symbols[0]
    weights = pd.DataFrame({symbol: [0.5]}, index=run.market.price.index[[50]])
    moved = backtest(run.market, weights, costs=Costs.flat(10).with_(impact=1.0, impact_volume=1e6))
    heads = []
    for ledger in (run, moved):
        text = report(ledger, tmp_path / "report.html").read_text(encoding="utf-8")
        heads.append(text.partition("<h3>Fills</h3>")[2].partition("</thead>")[0])
    assert [">impact<" in head for head in heads] == [False, True]
    assert all(">slippage<" in head for head in heads)
