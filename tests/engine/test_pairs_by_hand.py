"""Pairs, calls and ruin at their edges: ledgers small enough to be worked out on paper, held to the twin."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_naive import (
    DAYS,
    FREE,
    NAN,
    PAIR,
    backtest,
    by_date,
    line,
    make_market,
    number,
    one_line_of,
    pair_market,
    want,
)

from entrepot.engine import Bench, backtest as plain_backtest, backtest_batch
from entrepot.engine.costs import Costs, Margin
from entrepot.engine.lines import Lines
from entrepot.engine.tape import build_tape, empty_record, ratios_in_force
from entrepot.errors import EntrepotError, ParameterError
from entrepot.markets import simulate_market
from entrepot.markets.market import Market


@pytest.mark.parametrize(("fee", "converts"), [(0.2397, True), (0.24, False)])
def test_what_a_sale_brings_in_is_exchanged_after_its_spread(fee: float, converts: bool) -> None:
    market = pair_market([20.0] * 4)
    how = {"half_spread_bps": 10.0, "fx_spread": 0.01, "ads_conversion_fee": fee}
    wanted = want(market, None, PAIR, {0: 0.1, 3: 0.0}, exits={3: 2})
    run = backtest(market, wanted, Costs(**FREE | how), capital=1_000_000)
    # 20,000 shares at 5 USD against 5000 ADSs at 20, at parity: each trade costs 100, and the sale in Hong
    # Kong brings in 99,900, of which the exchange takes 999: 1199. The depositary takes 1198.50, or 1200
    assert [row["reason"] for row in run.conversions] == ["chosen"] * converts


def test_a_pair_that_waits_may_be_told_to_hold_less_under_a_margin_call() -> None:
    prices = pair_market([20.0, 20.0, 30.0, 30.0, 30.0])
    time = prices.grid["time"]
    # nobody leads in New York at step 5 while Hong Kong is halted
    halt = {"symbol": "1.HK", "start": time[5], "end": time[6]}
    market = pair_market([20.0, 20.0, 30.0, 30.0, 30.0], halts=[halt])
    costs = Costs(**FREE | {"margin": Margin.retail()})
    wanted = want(market, None, PAIR, {0: 1.0, 4: 0.2, 5: 0.2})
    run = backtest(market, wanted, costs, capital=1_000_000)
    # 200,000 shares against 50,000 ADSs. At step 5 the ADSs are at 30: equity is 500,000, the pair is called
    # and 80,000 shares may stay. The 0.2 * 1,000,000 / 5 = 40,000 of step 4 are fewer and left alone; the
    # 0.2 * 500,000 / 5 = 20,000 of step 5 are fewer than those and take their place
    assert one_line_of(run, "fills")[2:] == [(6, "1.HK", -180_000, "lead"), (7, "A", 45_000, "hedge")]
    assert run.dropped == []


def test_a_pair_whose_hedge_is_due_gets_it_under_a_margin_call() -> None:
    market = make_market(
        {
            "1.HK": line("XHKG", [40.0] * 6, pair="A"),
            "A": line("XNYS", [20.0, 20.0, NAN, 20.0, 20.0, 20.0], kind="ads", pair="1.HK"),
            "U": line("XNYS", [10.0, 10.0, 14.0, 14.0, 14.0, 14.0]),
        },
        ratios=[{"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 4.0}],
    )
    costs = Costs(**FREE | {"margin": Margin.retail()})
    wanted = want(market, {(1, "U"): -1.5}, PAIR, {3: 0.1})
    run = backtest(market, wanted, costs, capital=1_000_000)
    # At step 5 A has no price and U is at 14: equity is 400,000, of 1,100,000 to open U and the shares in
    # Hong Kong. 4/11 of U stay; the pair is brought even first, and then looked at with all that is left
    assert one_line_of(run, "fills") == [
        (3, "U", -150_000, "target"),
        (4, "1.HK", 20_000, "lead"),
        (7, "U", 95_454, "forced"),
        (7, "A", -5_000, "hedge"),
    ]


def test_equity_of_nothing_at_all_is_gone() -> None:
    market = make_market({"U": line("XNYS", [10.0, 10.0, 20.0, 15.0, 10.0])})
    run = backtest(market, want(market, {(0, "U"): -1.0}), Costs(**FREE), capital=1_000)
    # 100 short at 10, cash 2000: at 20 all of it is owed
    assert [float(x) for x in run.equity] == [1_000, 1_000, 0, 0, 0]
    assert [float(x) for x in run.positions["U"]] == [0, -100, 0, 0, 0]
    assert [float(x) for x in run.cash["USD"]] == [1_000, 2_000, 0, 0, 0]


def test_a_target_that_waits_for_a_hedge_goes_with_it_when_the_short_is_recalled() -> None:
    prices = pair_market([20.0] * 5)
    time = prices.grid["time"]
    market = pair_market([20.0] * 5, halts=[{"symbol": "1.HK", "start": time[2], "end": time[3]}])
    costs = Costs(**FREE | {"availability": by_date(A={1: "recall", 2: "available"})})
    run = backtest(market, want(market, None, PAIR, {0: 0.1, 1: 0.05}), costs, capital=1_000_000)
    # New York leads at step 1; the target of the same step waits for a hedge that a halt keeps off at step 2.
    # The recall of step 2 drops both, and nothing is left to do once the ADSs are bought in
    assert one_line_of(run, "dropped") == [(2, "A", 0, "forced"), (2, "A", 1, "forced")]
    assert one_line_of(run, "fills") == [(1, "A", -5_000, "lead"), (3, "A", 5_000, "forced")]


def test_an_order_for_what_is_not_held_ends_with_a_margin_call() -> None:
    market = make_market(
        {"U": line("XNYS", [10.0, 10.0, 14.0, 14.0]), "V": line("XNYS", [10.0, 10.0, NAN, 10.0])}
    )
    costs = Costs(**FREE | {"margin": Margin.retail()})
    run = backtest(market, want(market, {(0, "U"): -1.5, (1, "V"): 0.1}), costs, capital=1_000)
    # called at step 2, as in test_a_margin_call_scales_a_single_and_lets_targets_only_reduce, when the order
    # for 10 of V still waits for a price
    assert one_line_of(run, "dropped") == [(2, "V", 1, "margin")]
    assert one_line_of(run, "fills") == [(1, "U", -150, "target"), (3, "U", 92, "forced")]


def test_the_last_of_a_pair_leaves_in_an_odd_lot() -> None:
    market = make_market(
        {
            "1.HK": line("XHKG", [40.0, 40.0, 80.0, 80.0], pair="A"),
            "A": line("XNYS", [20.0] * 4, kind="ads", pair="1.HK"),
        },
        splits=[{"symbol": "1.HK", "ex_date": DAYS[2], "factor": 0.5}],
        ratios=[
            {"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 4.0},
            {"adr": "A", "effective_from": DAYS[2], "ordinary_per_ads": 2.0},
        ],
    )
    run = backtest(market, want(market, None, PAIR, {0: 0.1005, 5: 0.0}), Costs(**FREE), capital=1_000_000)
    # 20,100 shares against 5025 ADSs; two shares become one on day 2: 10,050, half a lot more than whole ones
    assert one_line_of(run, "fills")[2:] == [(6, "1.HK", -10_050, "lead"), (7, "A", 5_025, "hedge")]


def test_a_pair_that_turns_ends_one_trade() -> None:
    market = pair_market([20.0] * 5, hk_shorts=True)
    wanted = want(market, None, PAIR, {1: 0.1, 3: -0.1})
    run = backtest(market, wanted, Costs(**FREE), capital=1_000_000)
    assert [quantity for _, _, quantity, _ in one_line_of(run, "fills")] == [20_000, -5_000, -40_000, 10_000]
    tallied = Bench(market, costs=Costs(**FREE), capital=1_000_000).run([wanted])
    assert tallied.table["Fills"].tolist() == [4]
    assert tallied.table["Trades"].tolist() == [1]


def test_a_pair_on_the_other_side_of_what_is_wanted_has_drifted() -> None:
    market = pair_market([20.0] * 7, hk_shorts=True)
    lent = by_date(**{"1.HK": {0: "available", 2: "no_new", 5: "available"}})
    wanted = want(market, None, PAIR, {1: 0.1, 3: -0.1}, band=0.5)
    run = backtest(market, wanted, Costs(**FREE | {"availability": lent}), capital=1_000_000)
    # 20,000 shares against 5000 ADSs. They are to be turned, but nobody lends shares on days 2 to 4, all of
    # the order's three sessions. The target still stands: at step 9 it is decided again, and filled on day 5
    assert one_line_of(run, "dropped") == [(9, "A", 3, "expired")]
    assert one_line_of(run, "fills")[2:] == [(10, "1.HK", -40_000, "lead"), (11, "A", 10_000, "hedge")]


def test_one_share_bought_under_an_alarm_needs_what_a_long_position_needs() -> None:
    market = make_market({"U": line("XNYS", [1_000.0] * 5), "V": line("XNYS", [10.0] * 5)})
    lent = by_date(V={0: "available", 2: "recall"})
    costs = Costs(**FREE | {"margin": Margin(0.5, 1.5, 0.25, 0.3), "availability": lent})
    run = backtest(market, want(market, {(0, "V"): -0.1, (2, "U"): 1.0}), costs, capital=1_000)
    # 10 of V are short when step 2 has them bought in and asks for one of U: 0.5 * 1000 + 1.5 * 100 = 650
    # of an equity of 1000
    assert run.dropped == []
    assert one_line_of(run, "fills")[1:] == [(3, "U", 1, "target"), (3, "V", 10, "forced")]


def test_a_split_dated_on_a_holiday_of_hong_kong_reaches_the_adr_first() -> None:
    """Two shares for one on a day on which only New York trades, and the ratio goes from 1 to 2 with it."""
    ratios = [
        {"adr": "A", "effective_from": day, "ordinary_per_ads": n}
        for day, n in ((DAYS[0], 1.0), (DAYS[2], 2.0))
    ]
    whole = make_market(
        {
            "1.HK": line("XHKG", [8.0, 8.0, NAN, 4.0, 4.0, 4.0], pair="A", lot=1.0),
            "A": line("XNYS", [1.0] * 6, kind="ads", pair="1.HK"),
        },
        ratios=ratios,
        splits=[{"symbol": "1.HK", "ex_date": DAYS[2], "factor": 2.0}],
    )
    open_ = ~((whole.grid["venue"] == "XHKG") & (whole.grid["session"] == DAYS[2])).to_numpy()
    grid = whole.grid[open_].reset_index(drop=True).rename_axis("step")
    market = replace(whole, grid=grid, price=whole.price[open_])
    run = backtest(market, want(market, None, PAIR, {1: 0.3, 3: 0.4}), Costs(**FREE), capital=1_000_000)
    # 300,000 shares at 1 USD against 300,000 ADSs. On the holiday a share is still worth an ADS: 400,000
    # ADSs, which are 800,000 of the new shares
    assert one_line_of(run, "fills") == [
        (2, "1.HK", 300_000, "lead"), (3, "A", -300_000, "hedge"),
        (4, "A", -100_000, "lead"), (5, "1.HK", 200_000, "hedge"),
    ]  # fmt: skip
    for step in range(2, len(market)):
        part = market.until(step)
        lines = Lines.of(part, (), (PAIR,))
        known = ratios_in_force(part, lines)
        assert (known == ratios_in_force(market, lines)[: len(part)]).all()


def test_what_is_kept_at_parity_with_a_line_that_leaves_is_refused() -> None:
    market = make_market(
        {
            "1.HK": line("XHKG", [8.0, 8.0, 8.0, 8.0, 6.0] + [NAN] * 5, pair="A"),
            "A": line("XNYS", [10.0] * 3 + [NAN] * 7, kind="ads", pair="1.HK"),
            "2.HK": line("XHKG", [5.0] * 10),
            "U": line("XNYS", [5.0] * 10),
        },
        ratios=[{"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 10.0}],
        delistings=[
            {"symbol": "A", "last_session": DAYS[2], "into": "1.HK", "ordinary_per_ads": 10.0},
            {"symbol": "1.HK", "last_session": DAYS[4], "into": "", "ordinary_per_ads": NAN},
        ],
    )
    costs = Costs(**FREE | {"delisting": "mark"})
    for wanted in (want(market, {(1, "A"): 0.3}), want(market, None, PAIR, {1: 0.3})):
        with pytest.raises(EntrepotError, match=r"1\.HK leaves the market"):
            backtest(market, wanted, costs, capital=1_000_000)
    closed = backtest(market, want(market, {(1, "A"): 0.3, (7, "A"): 0.0}), costs, capital=1_000_000)
    assert [float(closed.positions["A"][step]) for step in (3, 7, 10)] == [30_000, 30_000, 0]


def test_nobody_knows_the_evening_before_that_weather_will_take_a_session() -> None:
    """A typhoon and black rain on Fridays, 1 and 8 September 2023: Thursday's decisions lead in New York."""
    market = simulate_market("2023-08-01", "2023-09-29", seed=1, symbols=["BABA", "9988.HK"])
    grid = market.grid
    for day in ("2023-08-31", "2023-09-07", "2023-09-14"):
        at = (grid["session"] == pd.Timestamp(day)) & (grid["venue"] == "XHKG") & (grid["phase"] == "close")
        step = int(np.flatnonzero(at)[0])
        wanted = want(market, None, ("9988.HK", "BABA"), {step: 0.3})
        run = backtest(market, wanted, Costs.none(), capital=1_000_000)
        leads = [(row["step"], row["symbol"]) for row in run.fills if row["reason"] == "lead"]
        assert leads[0] == (step + 1, "BABA")
        assert grid["time"][step + 1] == pd.Timestamp(f"{day} 13:30", tz="UTC")


def test_a_pair_whose_lots_are_single_shares_is_whole_receipts() -> None:
    market = make_market(
        {
            "1.HK": line("XHKG", [40.0] * 3, pair="A", lot=1.0),
            "A": line("XNYS", [20.0] * 3, kind="ads", pair="1.HK"),
        },
        ratios=[{"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 4.0}],
    )
    run = backtest(market, want(market, None, PAIR, {1: 0.5}), Costs(**FREE), capital=1_070)
    # 535 at 5 USD are 107 shares: 26 receipts are 104
    assert one_line_of(run, "fills") == [(2, "1.HK", 104, "lead"), (3, "A", -26, "hedge")]


def test_nobody_leads_where_the_other_venue_has_no_step_to_come_however_wide_the_gap() -> None:
    market = pair_market([20.0] * 3)
    costs = Costs(**FREE | {"max_leg_gap_hours": 1e7})
    run = backtest(market, want(market, None, PAIR, {4: 0.1}), costs, capital=1_000_000)
    # decided in Hong Kong on the last day: New York comes after it, and Hong Kong never again
    assert run.fills == []


@pytest.mark.parametrize(("capital", "refused"), [(19, True), (21, False)])
def test_a_billionth_of_a_share_is_no_more_than_a_basis_point_of_the_capital(
    capital: float, refused: bool
) -> None:
    market = make_market({"U": line("XNYS", [2e6] * 3)})  # of which a billionth is 0.002: of 20 a basis point
    bought = want(market, {(0, "U"): 0.5})
    for costs in (Costs(**FREE | {"lots": False}), Costs(**FREE)):
        with_lots = costs.lots
        if refused and not with_lots:
            with pytest.raises(ParameterError, match="give at least 20, because"):
                plain_backtest(market, bought, costs=costs, capital=capital)
        else:
            # whole shares are never a billionth of one, and of one that is too dear none is bought
            run = plain_backtest(market, bought, costs=costs, capital=capital)
            assert len(run.fills) == (0 if with_lots else 1)


def test_a_short_at_a_venue_of_ones_own_borrows_at_nothing_unless_told() -> None:
    market = Market.from_prices(pd.DataFrame({"U": [10.0] * 4}, index=DAYS[:4]))
    costs = Costs(**FREE | {"lots": False, "borrow_rate_pa": None})
    run = plain_backtest(market, want(market, {(0, "U"): -0.5}), costs=costs, capital=1_000)
    assert run.cash["USD"].tolist() == [1_000, 1_500, 1_500, 1_500]
    assert run.equity_by_step.tolist() == [1_000] * 4


def test_a_purchase_at_a_venue_of_ones_own_settles_in_its_own_session() -> None:
    market = Market.from_prices(pd.DataFrame({"U": [10.0] * 4}, index=DAYS[:4]))
    costs = Costs(**FREE | {"lots": False, "cash_rate_pa": {"USD": 0.36}})
    run = plain_backtest(market, want(market, {(0, "U"): 0.5}), costs=costs, capital=1_000)
    # a thousandth a day: of 1000 until the purchase, and of the 501 that are left from then on
    assert run.cash["USD"].tolist() == pytest.approx([1_000, 501, 501.501, 502.002501], abs=1e-9)
    assert run.receivables["USD"].tolist() == [0] * 4


def test_a_run_that_is_not_recorded_makes_no_room_for_its_steps() -> None:
    def room(days: int) -> int:
        market = pair_market([20.0] * days)
        tape, _ = build_tape(market, Lines.of(market, (), (PAIR,)), Costs(), "USD", None)
        return sum(part.nbytes for part in empty_record(tape, on=False) if isinstance(part, np.ndarray))

    assert room(3) == room(9)


def test_a_line_named_for_the_first_time_may_have_had_one_price() -> None:
    market = make_market({"U": line("XNYS", [10.0] * 5), "V": line("XNYS", [NAN, 5.0, NAN, 6.0, 6.0])})
    whole = want(market, {(0, "U"): 0.5, (3, "V"): 0.5})
    before = plain_backtest(market.until(2), want(market.until(2), {(0, "U"): 0.5}), costs=Costs(**FREE))
    after = plain_backtest(market, whole, resume=before.state)
    pd.testing.assert_frame_equal(after.fills, plain_backtest(market, whole, costs=Costs(**FREE)).fills)
    assert after.fills["symbol"].tolist() == ["U", "V"]


def test_what_a_pair_that_has_gone_leaves_is_sold_no_faster_than_its_cap() -> None:
    market = pair_market(
        [20.0, 20.0, NAN, NAN, NAN, NAN],
        delistings=[{"symbol": "A", "last_session": DAYS[1], "into": "1.HK", "ordinary_per_ads": 4.0}],
    )
    cap = by_date(**{"1.HK": {0: 20_000.0, 2: 8_000.0}})
    costs = Costs(**FREE | {"delisting": "cash", "max_fill_shares": cap})
    run = backtest(market, want(market, None, PAIR, {0: 0.1}), costs, capital=1_000_000)
    # 20,000 shares are left when the ADR is gone at step 4; once a step of Hong Kong 8000 of them at most
    assert one_line_of(run, "fills")[2:] == [
        (6, "1.HK", -8_000, "forced"),
        (8, "1.HK", -8_000, "forced"),
        (10, "1.HK", -4_000, "forced"),
    ]


def test_dividends_that_are_owed_go_with_everything_else_in_ruin() -> None:
    market = make_market(
        {"U": line("XNYS", [10.0, 10.0, 10.0, 20.0, 20.0, 20.0]), "V": line("XNYS", [10.0] * 6)},
        dividends=[{"symbol": "V", "ex_date": DAYS[2], "pay_date": DAYS[4], "amount": 1.0}],
    )
    wanted = want(market, {(0, "U"): -2.0, (0, "V"): 0.5})
    run = backtest(market, wanted, Costs(**FREE), capital=1_000)
    # 200 short and 50 long at 10: cash 2500. V owes 50 from step 2 on; at step 3 200 at 20 are to be given
    # back, of 2500 + 500 + 50: 950 are owed for ever, and the pay date at step 4 pays nobody
    assert [float(x) for x in run.equity] == [1_000, 1_000, 1_050, -950, -950, -950]
    assert [float(x) for x in run.cash["USD"]] == [1_000, 2_500, 2_500, 0, 0, 0]
    assert [float(x) for x in run.receivables["USD"]] == [0, 0, 50, -950, -950, -950]


def test_the_ruin_of_one_closes_no_other() -> None:
    market = Market.from_prices(pd.DataFrame({"U": [10.0, 10.0, 20.0, 15.0]}, index=DAYS[:4]))
    weights = np.full((3, 4, 1), NAN)
    weights[:, 0, 0] = 0.5, -1.0, 0.25
    batch = backtest_batch(market, weights, capital=1_000, fee_bps=0)
    # 50 and 25 shares at 10, worth 5 more each at the end; who is 100 short has nothing left at 20
    assert batch[2:].tolist() == [[1_500, 0, 1_250], [1_250, 0, 1_125]]


@pytest.mark.parametrize(
    ("weights", "decided"),
    [
        # an order that waits as U is called
        ({7: 0.1}, 7),
        # One that comes with the call. 20,000 shares have been wanted before, which was taken back: 8000 are
        # fewer than those, and more than the none that are held
        ({1: 0.1, 3: 0.0, 9: 0.1}, 9),
    ],
)
def test_a_pair_that_is_to_begin_waits_for_the_end_of_a_margin_call(
    weights: dict[int, float], decided: int
) -> None:
    market = make_market(
        {
            "1.HK": line("XHKG", [40.0] * 8, pair="A"),
            "A": line("XNYS", [20.0] * 8, kind="ads", pair="1.HK"),
            "U": line("XNYS", [10.0, 10.0, 10.0, 10.0] + [14.0] * 4),
        },
        ratios=[{"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 4.0}],
    )
    lent = by_date(A={0: "no_new", 5: "available"})
    costs = Costs(**FREE | {"margin": Margin.retail(), "availability": lent})
    wanted = want(market, {(1, "U"): -1.5, (9, "U"): 0.0}, PAIR, weights, band=0.5)
    run = backtest(market, wanted, costs, capital=1_000_000)
    # Nobody lends ADSs before day 5. At step 9 U is called, as in
    # test_a_margin_call_scales_a_single_and_lets_targets_only_reduce. The target stands: once U is bought in,
    # at step 11, it is decided again, 0.1 * 400,000 / 5 shares
    assert one_line_of(run, "dropped") == [(9, "A", decided, "margin")]
    assert one_line_of(run, "fills") == [
        (3, "U", -150_000, "target"),
        (11, "U", 150_000, "forced"),
        (12, "1.HK", 8_000, "lead"),
        (13, "A", -2_000, "hedge"),
    ]


def test_who_is_called_stays_so_until_margin_is_looked_at_again() -> None:
    market = make_market(
        {
            "1.HK": line("XHKG", [10.0, 10.0, 14.0, 12.0, 12.0], shortable=True),
            "V": line("XNYS", [10.0] * 5),
        }
    )
    costs = Costs(**FREE | {"margin": Margin.retail()})
    run = backtest(market, want(market, {(1, "1.HK"): -1.5, (6, "V"): 0.1}), costs, capital=1_000_000)
    # 1,200,000 short at 1.25 USD, cash 2,500,000. At 1.75 equity is 400,000, and New York's close of step 5
    # lets 400,000 / (0.5 * 2,100,000) = 8/21 of them stay, 457,142.9: 742,800 are bought at step 6. That
    # would leave room for V, but it is Hong Kong's step: the call stands until New York's
    assert one_line_of(run, "fills") == [(2, "1.HK", -1_200_000, "target"), (6, "1.HK", 742_800, "forced")]
    assert one_line_of(run, "dropped") == [(6, "V", 6, "margin")]


def test_a_pair_that_is_short_in_hong_kong_ends_one_trade() -> None:
    market = pair_market([20.0] * 4, hk_shorts=True)
    wanted = want(market, None, PAIR, {1: -0.1, 3: 0.0})
    run = backtest(market, wanted, Costs(**FREE), capital=1_000_000)
    assert [(step, symbol) for step, symbol, _, _ in one_line_of(run, "fills")[2:]] == [(4, "1.HK"), (5, "A")]
    tallied = Bench(market, costs=Costs(**FREE), capital=1_000_000).run([wanted])
    assert tallied.table["Trades"].tolist() == [1]


def test_what_is_paid_at_a_step_belongs_to_the_regime_that_was_known_before_it() -> None:
    market = make_market({"U": line("XNYS", [10.0] * 5)})
    states = np.array([0, 1, 0, 0, 0])
    path = SimpleNamespace(states=states, time=market.times, names=("calm", "wild"))
    bench = Bench(market, costs=Costs(**FREE | {"half_spread_bps": 100.0}), capital=1_000, path=path)
    table = bench.run([want(market, {(1, "U"): 0.5}), want(market, {(2, "U"): 0.5})]).table
    # 50 at 10, worsened by 1 %: 5. The first are bought at step 2, under what was known at step 1
    assert table["Costs (calm)"].tolist() == [0, number("5")]
    assert table["Costs (wild)"].tolist() == [number("5"), 0]


def test_a_pair_of_one_share_needs_what_any_pair_needs() -> None:
    market = make_market(
        {
            "1.HK": line("XHKG", [8_000.0] * 3, pair="A"),
            "A": line("XNYS", [1_000.0] * 3, kind="ads", pair="1.HK"),
        },
        ratios=[{"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 1.0}],
    )
    costs = Costs(**FREE | {"lots": False, "margin": Margin(1.0, 1.0, 0.25, 0.3)})
    run = backtest(market, want(market, None, PAIR, {1: 1.0}), costs, capital=1_000)
    # a share and an ADS at 1000 each, of an equity of 1000: half of them
    assert one_line_of(run, "dropped") == [(1, "A", 1, "margin")]
    assert one_line_of(run, "fills") == [(2, "1.HK", 0.5, "lead"), (3, "A", -0.5, "hedge")]


def test_what_a_new_pair_is_cut_to_is_what_stands() -> None:
    prices = pair_market([20.0] * 6)
    dollars = prices.fixings
    dollars.loc[dollars["time"] < prices.grid["time"][0], "per_usd"] = 10.0
    market = replace(prices, fixings=dollars)
    costs = Costs(**FREE | {"margin": Margin.retail()})
    run = backtest(market, want(market, None, PAIR, {1: 2.0}, band=0.1), costs, capital=1_000_000)
    # 8 HKD per USD from the fixing between the steps 0 and 1 on, 10 before. It is cut to half, as in
    # test_a_new_pair_is_cut_to_the_initial_margin: 200,000 shares at 5 are all of the equity, and have
    # drifted nowhere
    assert one_line_of(run, "fills") == [(2, "1.HK", 200_000, "lead"), (3, "A", -50_000, "hedge")]
    assert one_line_of(run, "dropped") == [(1, "A", 1, "margin")]


def test_shares_that_a_run_comes_to_know_later_are_bought_in_at_the_spread_of_their_last_price() -> None:
    market = make_market(
        {
            "1.HK": line("XHKG", [NAN, 40.0] + [NAN] * 5, pair="A", shortable=True),
            "A": line("XNYS", [20.0] * 3 + [NAN] * 4, kind="ads", pair="1.HK"),
            "U": line("XNYS", [10.0] * 7),
        },
        ratios=[{"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 4.0}],
        delistings=[
            {"symbol": "A", "last_session": DAYS[2], "into": "1.HK", "ordinary_per_ads": 4.0},
            {"symbol": "1.HK", "last_session": DAYS[4], "into": "", "ordinary_per_ads": NAN},
        ],
    )
    unaware = replace(market.until(4), delistings=market.delistings.iloc[:0])
    costs = Costs(**FREE | {"half_spread_bps": {"A": 0.0}, "lots": False})

    def short(on: Market) -> object:
        return want(on, {(1, "A"): -0.2})

    known = [market.until(4), market.until(7), market]
    equity = []
    for parts in (known, [unaware, *known[1:]]):
        run = plain_backtest(parts[0], short(parts[0]), costs=costs, capital=1_000_000, check=True)
        run = plain_backtest(parts[1], short(parts[1]), resume=run.state, check=True)
        bought_in = costs.with_(delisted_shorts="buy_in")
        run = plain_backtest(market, short(market), costs=bought_in, resume=run.state, check=True)
        assert run.conversions["reason"].tolist() == ["delisted", "bought_in"]
        equity.append(run.equity_by_step.tolist())
    # 10,000 ADSs at 20 become 40,000 shares that printed last at 40, where half a tick is 0.025: 125 USD at 8
    assert equity[0][8:10] == [1_000_000, number(1_000_000 - 125)]
    assert equity[1] == equity[0]
