"""Pair trades and leg risk: small runs worked out by hand, and what must add up in any world."""

from __future__ import annotations

from typing import Any

import doubles
import numpy as np
import pandas as pd
import pytest
from test_naive import DAYS, FREE, NAN, PAIR, line, make_market, want
from worlds import random_world

import entrepot as ep
from entrepot.engine.lines import NOT_COSTS, SOURCES
from entrepot.markets.market import Market
from entrepot.reports import leg_risk, linked_orders, pair_trades, report
from entrepot.reports.leg_risk import ORDER_TYPES, RISK_TYPES
from entrepot.reports.pair_trades import COSTS, TRADE_TYPES

CAPITAL = 1_000_000.0


def pair_market(hk: list[float], adr: list[float], **tables: list[dict[str, Any]]) -> Market:
    """One pair, four ordinary shares per ADS; Hong Kong at 08:00 UTC, even steps; New York at 20:00, odd."""
    return make_market(
        {
            "1.HK": line("XHKG", hk, pair="A", shortable=True),
            "A": line("XNYS", adr, kind="ads", pair="1.HK"),
        },
        **{"ratios": [{"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 4.0}]} | tables,
    )


def run(market: Market, weights: dict[int, float], **costs: Any) -> ep.Result:
    class Plan:
        def targets(self, market: Market, path: Any = None) -> ep.Targets:
            return want(market, None, PAIR, weights)

    return ep.backtest(market, Plan(), capital=CAPITAL, costs=ep.Costs(**FREE | costs), check=True)


def booked(result: ep.Result) -> float:
    return float(result.record.sources[:, :, result.lines.legs.ravel()].sum())


def approx(value: float) -> Any:
    return pytest.approx(value, rel=1e-12, abs=1e-9)


def test_a_round_trip_and_what_waiting_cost() -> None:
    market = pair_market([40.0, 40.0, 42.0, 44.0, 44.0], [20.0, 21.0, 21.5, 22.0, 22.0])
    result = run(market, {1: 0.1, 5: 0.0}, half_spread_bps=10.0, fee_bps=5.0)
    # Decided at New York's close of day 0: 100,000 / (40 / 8) = 20,000 shares. Hong Kong leads at step 2 at
    # 40, New York sells 20,000 / 4 = 5000 ADSs at 21, one up on the 20 last known at step 2. Left on day 3:
    # Hong Kong at 44, New York buys 5000 at 22, last known 21.5.
    first, last = (row for _, row in result.linked_orders.iterrows())
    assert (first["pair"], first["lead"], first["hedge"]) == ("A", "1.HK", "A")
    assert (first["lead_quantity"], first["hedge_quantity"]) == (20_000, -5_000)
    assert first["lead_price"] == approx(40 * 1.001)
    assert first["hedge_price"] == approx(21 * 0.999)
    assert str(first["decided"]) == "2024-03-04 20:00:00+00:00"
    assert str(first["lead_time"]) == "2024-03-05 08:00:00+00:00"
    assert str(first["hedge_time"]) == "2024-03-05 20:00:00+00:00"
    assert first["hours"] == 12
    assert first["move"] == approx(0.05)
    assert first["cost"] == approx(-5_000)  # sold a dollar higher
    assert first["premium"] == approx(21 * 0.999 / (4 * 40 * 1.001 / 8) - 1)
    assert first["value"] == approx(20_000 * 40 * 1.001 / 8 + 5_000 * 21 * 0.999)
    assert last["move"] == approx(22 / 21.5 - 1)
    assert last["cost"] == approx(2_500)
    assert list(result.linked_orders["outcome"]) == ["hedged", "hedged"]

    (trade,) = (row for _, row in result.pair_trades.iterrows())
    assert (trade["direction"], trade["hk"], trade["adr"], trade["exit_by"]) == (1, "1.HK", "A", "trade")
    assert (trade["hk_shares"], trade["ads"], trade["orders"]) == (20_000, -5_000, 2)
    assert trade["entry"] == first["lead_time"]
    assert trade["entry_decided"] == first["decided"]
    assert trade["exit"] == last["hedge_time"] == pd.Timestamp("2024-03-07 20:00", tz="UTC")
    assert trade["days"] == 2.5
    # Hong Kong 20,000 * 4 / 8 = 10,000; New York -5000 * 1 = -5000
    assert trade["gross"] == approx(10_000 - 5_000)
    slippage = 0.001 * (20_000 * (40 + 44) / 8 + 5_000 * (21 + 22))
    fees = 0.0005 * (20_000 * (40 * 1.001 + 44 * 0.999) / 8 + 5_000 * (21 * 0.999 + 22 * 1.001))
    assert trade["slippage"] == approx(slippage)
    assert trade["flat_fee"] == approx(fees)
    assert trade["costs"] == approx(slippage + fees)
    assert trade["net"] == approx(5_000 - slippage - fees)
    assert trade["net [%]"] == approx(trade["net"] / CAPITAL * 100)
    assert trade["entry_premium"] == first["premium"]
    assert trade["exit_premium"] == approx(22 * 1.001 / (4 * 44 * 0.999 / 8) - 1)
    assert (trade["leg_hours"], trade["leg_cost"]) == (12, approx(-2_500))

    risk = result.leg_risk()
    assert list(risk.index) == ["A", "all"]
    total = risk.loc["all"]
    assert (total["orders"], total["hedged"], total["unwound"], total["open"]) == (2, 2, 0, 0)
    assert (total["mean_hours"], total["median_hours"], total["max_hours"]) == (12, 12, 12)
    assert total["over_24h"] == 0
    values = result.linked_orders["value"]
    moves = [0.05, 22 / 21.5 - 1]
    assert total["mean_move"] == approx(np.average(moves, weights=values))
    assert total["std_move"] == approx(np.std(moves, ddof=1))
    assert (total["worst_cost"], total["cost"]) == (approx(2_500), approx(-2_500))
    assert total["cost_bp"] == approx(-2_500 / values.sum() * 1e4)


def test_new_york_leads_and_the_mark_is_of_before_the_lead() -> None:
    market = pair_market([40.0, 38.0, 38.0], [20.0, 20.0, 20.0])
    result = run(market, {0: 0.1})
    # 5000 ADSs sold at step 1; Hong Kong, last known at 40, is bought at 38: 20,000 * 2 / 8 saved
    (order,) = (row for _, row in result.linked_orders.iterrows())
    assert (order["lead"], order["lead_quantity"], order["hedge_quantity"]) == ("A", -5_000, 20_000)
    assert (order["move"], order["cost"]) == (approx(-0.05), approx(-5_000))
    (trade,) = (row for _, row in result.pair_trades.iterrows())
    assert trade["exit_by"] == "open"
    assert trade["exit"] is pd.NaT
    assert np.isnan(trade["exit_premium"])
    assert trade["days"] == 2
    assert trade["net"] == approx(booked(result)) == approx(0.0)


def test_a_split_of_the_hedge_is_no_move() -> None:
    """The ADSs split 2:1 on day 1, between the lead in Hong Kong and the hedge."""
    market = pair_market(
        [40.0, 40.0, 40.0],
        [20.0, 10.5, 10.0],
        ratios=[
            {"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 4.0},
            {"adr": "A", "effective_from": DAYS[1], "ordinary_per_ads": 2.0},
        ],
        splits=[{"symbol": "A", "ex_date": DAYS[1], "factor": 2.0}],
    )
    (order,) = (row for _, row in run(market, {1: 0.1}).linked_orders.iterrows())
    assert order["hedge_quantity"] == -10_000
    assert order["move"] == approx(0.05)
    assert order["cost"] == approx(-5_000)  # 10,000 sold half a dollar higher
    assert order["premium"] == approx(0.05)


def test_a_lead_without_a_hedge_is_unwound() -> None:
    market = pair_market([40.0, 40.0, 40.0, 39.0, 39.0], [20.0, NAN, NAN, 20.0, 20.0])
    result = run(market, {1: 0.1})
    # Led at step 2 at 40; New York prints nothing on days 1 and 2; sold again at step 6 at 39, two days on
    (order,) = (row for _, row in result.linked_orders.iterrows())
    assert order["outcome"] == "unwound"
    assert (order["lead_quantity"], order["hedge_quantity"], order["hours"]) == (20_000, 0, 48)
    assert order["hedge_time"] is pd.NaT
    assert np.isnan(order["hedge_price"])
    assert np.isnan(order["premium"])
    assert order["move"] == approx(39 / 40 - 1)
    assert order["cost"] == approx(20_000 * 1 / 8)
    assert order["value"] == approx(20_000 * 79 / 8)
    (trade,) = (row for _, row in result.pair_trades.iterrows())
    assert (trade["exit_by"], trade["orders"], trade["ads"]) == ("unwind", 1, 0)
    assert trade["net"] == approx(-2_500)
    risk = result.leg_risk().loc["all"]
    assert (risk["unwound"], risk["over_24h"], risk["max_hours"]) == (1, 1, 48)


def test_a_lead_at_the_end_is_open() -> None:
    result = run(pair_market([40.0, 40.0, 40.0], [20.0, NAN, NAN]), {1: 0.1})
    (order,) = (row for _, row in result.linked_orders.iterrows())
    assert (order["outcome"], order["hours"]) == ("open", 36)
    assert np.isnan(order["cost"])
    assert result.leg_risk().loc["all", "cost"] == 0


def test_partial_hedges_wait_by_their_shares() -> None:
    market = pair_market([40.0, 40.0, 40.4, 40.8, 40.8], [20.0] * 5)
    caps = pd.DataFrame({"1.HK": [20_000.0, 12_000.0]}, index=pd.to_datetime(["2024-03-04", "2024-03-06"]))
    result = run(market, {2: 0.1}, max_fill_shares=caps)
    # 5000 ADSs led at step 3; 12,000 shares follow at step 4 at 40.4, the other 8000 a day later at 40.8
    (order,) = (row for _, row in result.linked_orders.iterrows())
    assert (order["outcome"], order["hedge_quantity"]) == ("hedged", 20_000)
    assert order["hours"] == approx(0.6 * 12 + 0.4 * 36)
    assert order["move"] == approx(0.6 * 0.01 + 0.4 * 0.02)
    assert order["cost"] == approx((12_000 * 0.4 + 8_000 * 0.8) / 8)
    assert order["hedge_price"] == approx(0.6 * 40.4 + 0.4 * 40.8)
    assert str(order["hedge_time"]) == "2024-03-07 08:00:00+00:00"


def test_partial_leads_are_one_order() -> None:
    market = pair_market([40.0, 40.0, 41.0, 41.0], [20.0, 20.0, 20.0, 20.0])
    result = run(market, {1: 0.1}, max_fill_shares={"1.HK": 12_000})
    # 12,000 at step 2 at 40, hedged at 3; the other 8000 at step 4 at 41, hedged at 5
    (order,) = (row for _, row in result.linked_orders.iterrows())
    assert (order["lead_quantity"], order["hedge_quantity"]) == (20_000, -5_000)
    assert order["lead_price"] == approx(0.6 * 40 + 0.4 * 41)
    assert str(order["lead_time"]) == "2024-03-05 08:00:00+00:00"
    assert (order["hours"], order["move"]) == (12, 0)
    assert len(result.pair_trades) == 1


def test_a_reversal_ends_one_trade_and_begins_the_next() -> None:
    market = pair_market([40.0, 40.0, 44.0, 44.0, 48.0], [20.0, 20.0, 22.0, 22.0, 24.0])
    result = run(market, {1: 0.1, 3: -0.1, 7: 0.0}, half_spread_bps=10.0)
    old, new = (row for _, row in result.pair_trades.iterrows())
    orders = result.linked_orders
    assert (old["direction"], new["direction"]) == (1, -1)
    assert (old["exit_by"], new["exit_by"]) == ("reversal", "trade")
    # Decided at step 3: 0.1 of some 1,000,000 at 40 is again nearly 20,000 shares, sold from 20,000 at step 4
    short = -new["hk_shares"]
    assert orders["lead_quantity"].iloc[1] == -20_000 - short
    assert new["entry"] == orders["lead_time"].iloc[1]
    assert old["exit"] == orders["hedge_time"].iloc[1]
    assert new["entry"] < old["exit"]
    # each share pays its own half-spread: 20,000 at 40 and at 44, 5000 ADSs at 20 and at 22
    assert old["slippage"] == approx(0.001 * (20_000 * 84 / 8 + 5_000 * 42))
    assert new["slippage"] == approx(0.001 * (short * 92 / 8 + short / 4 * 46))
    assert old["gross"] == approx(20_000 * 4 / 8 - 5_000 * 2)
    assert new["gross"] == approx(-short * 4 / 8 + short / 4 * 2)
    assert old["exit_premium"] == approx(22 * 1.001 / (22 * 0.999) - 1)
    assert new["entry_premium"] == approx(old["exit_premium"])
    assert (old["orders"], new["orders"]) == (1, 2)
    assert old["net"] + new["net"] == approx(booked(result))


def test_a_reversal_that_was_taken_back_is_none() -> None:
    market = pair_market([40.0] * 7, [20.0, 20.0, NAN, NAN, 20.0, 20.0, 20.0])
    result = run(market, {1: 0.1, 3: -0.1})
    assert list(result.linked_orders["outcome"]) == ["hedged", "unwound"]
    (trade,) = (row for _, row in result.pair_trades.iterrows())
    assert (trade["direction"], trade["hk_shares"], trade["exit_by"]) == (1, 20_000, "open")


def test_a_delisted_pair_is_left_by_delisting() -> None:
    market = pair_market(
        [40.0] * 4,
        [20.0, 20.0, NAN, NAN],
        delistings=[{"symbol": "A", "last_session": DAYS[1], "into": "1.HK", "ordinary_per_ads": 3.0}],
    )
    result = run(market, {0: 0.1}, ads_conversion_fee=0.05)
    # what is left is sold without a lead: it is no order, and belongs to the trade
    assert len(result.linked_orders) == 1
    (trade,) = (row for _, row in result.pair_trades.iterrows())
    assert (trade["exit_by"], trade["conversion_fee"]) == ("delisting", 250)
    assert str(trade["exit"]) == "2024-03-07 08:00:00+00:00"
    assert np.isnan(trade["exit_premium"])
    assert trade["net"] == approx(booked(result))


def test_a_lead_whose_line_leaves_is_converted() -> None:
    market = pair_market(
        [40.0, NAN, NAN, 40.0],
        [20.0, 20.0, NAN, NAN],
        delistings=[{"symbol": "A", "last_session": DAYS[1], "into": "1.HK", "ordinary_per_ads": 4.0}],
    )
    result = run(market, {2: 0.1})
    # sold in New York at step 3, the last; the short is in Hong Kong from step 4 on
    (order,) = (row for _, row in result.linked_orders.iterrows())
    assert (order["lead"], order["outcome"], order["hours"]) == ("A", "converted", 12)
    assert list(result.pair_trades["exit_by"]) == ["delisting"]


def test_a_recalled_short_closes_the_pair() -> None:
    market = pair_market([40.0] * 5, [20.0] * 5)
    called = pd.DataFrame({"A": ["available", "recall"]}, index=[DAYS[0], DAYS[2]])
    result = run(market, {1: 0.1}, availability=called)
    assert list(result.fills["reason"]) == ["lead", "hedge", "forced", "hedge"]
    orders = result.linked_orders
    assert list(orders["lead"]) == ["1.HK", "A"]
    assert list(orders["outcome"]) == ["hedged", "hedged"]
    assert list(result.pair_trades["exit_by"]) == ["recall"]


def test_a_late_booking_belongs_to_the_trade_just_ended() -> None:
    result = run(pair_market([40.0] * 6, [20.0] * 6), {1: 0.1, 3: 0.0, 7: 0.1})
    late = int(result.fills["step"].iloc[3]) + 1
    result.record.sources[SOURCES.index("dividend"), late, result.lines.legs[0, 0]] = 123.0
    trades = pair_trades(result)
    assert list(trades["gross"]) == [123, 0]
    assert trades["net"].sum() == approx(booked(result))


@pytest.mark.parametrize("seed", range(40))
def test_what_adds_up_in_any_world(seed: int) -> None:
    world = random_world(seed, steps=100, pairs=2)
    if world.fill == "same_step":
        pytest.skip("no pairs")
    try:
        result = ep.backtest(
            world.market, world.plan, capital=world.capital, base_currency=world.base_currency,
            costs=world.costs, path=world.path,
        )  # fmt: skip
    except ep.EntrepotError:
        pytest.skip("refused")
    trades, orders, risk = result.pair_trades, result.linked_orders, result.leg_risk()
    for (_, adr), legs in zip(result.lines.pairs, result.lines.legs, strict=True):
        own = result.record.sources[:, :, legs]
        mine = trades[trades["pair"] == adr]
        tolerance = 1e-12 * max(np.abs(own).sum(), 1.0)
        assert mine["net"].sum() == pytest.approx(own.sum(), abs=tolerance)
        assert (mine["gross"] - mine["costs"]).sum() == pytest.approx(mine["net"].sum(), abs=tolerance)
        for cost in COSTS:
            paid = -own[SOURCES.index(cost)].sum()
            assert mine[cost].sum() == pytest.approx(paid, abs=tolerance)
        assert mine["entry"].is_monotonic_increasing
        assert (mine["exit"].iloc[:-1] >= mine["entry"].iloc[:-1]).all()
        fills = result.fills[result.fills["pair"] == adr]
        leading = fills[fills["reason"] == "lead"]
        ours = orders[orders["pair"] == adr]
        assert leading["decided_step"].nunique() <= len(ours)
    assert trades["orders"].sum() == len(orders)
    assert trades["leg_cost"].sum() == pytest.approx(orders["cost"].sum(), rel=1e-9, abs=1e-6)
    assert (orders["hours"] >= 0).all()
    assert set(orders["outcome"]) <= {"hedged", "unwound", "converted", "open"}
    if len(orders):
        assert risk.loc["all", "orders"] == len(orders) == risk["orders"].iloc[:-1].sum()
        assert risk.loc["all", "cost"] == pytest.approx(risk["cost"].iloc[:-1].sum(), rel=1e-9, abs=1e-6)


def test_no_pair_gives_empty_tables(tmp_path: Any) -> None:
    days = pd.bdate_range("2024-03-04", periods=3)
    market = Market.from_prices(pd.DataFrame({"A": [1.0, 2.0, 3.0]}, index=days))
    result = ep.backtest(market, pd.DataFrame({"A": [0.5]}, index=days[:1]))
    idle = run(pair_market([40.0] * 3, [20.0] * 3), {})
    for ledger in (result, idle, doubles.from_equity([100, 101])):
        for table, types in (
            (linked_orders(ledger), ORDER_TYPES),
            (pair_trades(ledger), TRADE_TYPES),
            (leg_risk(ledger), RISK_TYPES),
        ):
            assert table.empty
            assert table.dtypes.astype(str).to_dict() == types
    text = report(idle, tmp_path / "idle.html").read_text(encoding="utf-8")
    assert "Pair trades and leg risk" not in text


def test_the_costs_are_the_ledgers() -> None:
    assert set(COSTS) == set(SOURCES) - set(NOT_COSTS)


def test_the_report_has_a_section(tmp_path: Any) -> None:
    result = run(pair_market([40.0, 40.0, 42.0, 44.0], [20.0, 21.0, 21.5, 22.0]), {1: 0.1, 5: 0.0})
    text = report(result, tmp_path / "pairs.html").read_text(encoding="utf-8")
    for words in ("Pair trades and leg risk", "Leg risk by pair", "Best and worst pair trades", "hours old"):
        assert words in text
