"""The twin checked by hand: ledgers small enough to be worked out on paper, every number written out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from naive import NaiveRun, backtest, pair_unit, rounded, whole_units
from worlds import Switches, World, random_world, table, worlds

from entrepot.engine.costs import Costs
from entrepot.errors import EntrepotError
from entrepot.markets.market import Market
from entrepot.strategies.targets import Targets

FREE = {
    "half_spread_bps": 0.0,
    "statutory": False,
    "borrow_rate_pa": 0.0,
    "rebate_spread_pa": 0.0,
    "cash_rate_pa": {"USD": 0.0, "HKD": 0.0},
    "fx_spread": 0.0,
    "ads_service_fee_pa": 0.0,
    "ads_dividend_fee": 0.0,
    "ads_conversion_fee": 0.0,
}
# Monday to Friday of two weeks. Hong Kong closes at 08:00 UTC and New York at 20:00, so that with both venues
# half a day passes between any two steps of a week: step 2k is Hong Kong's day k, step 2k + 1 New York's.
DAYS = pd.bdate_range("2024-03-04", periods=10)
HOURS = {"XHKG": "08:00", "XNYS": "20:00"}
NAN = np.nan


def line(venue: str, price: list[float], **changes: Any) -> dict[str, Any]:
    """One line: its prices by day, and what differs from a plain share."""
    hong_kong = venue == "XHKG"
    row = {
        "price": price,
        "venue": venue,
        "currency": "HKD" if hong_kong else "USD",
        "company": "Company",
        "sector": "unclassified",
        "kind": "ordinary" if hong_kong else "stock",
        "pair": "",
        "lot": 100.0 if hong_kong else 1.0,
        "adjustment": "raw",
        "shortable": not hong_kong,
        "size": "mid",
        "withholding": 0.0,
        "fee_class": "hk_stock" if hong_kong else "us_stock",
    }
    return row | changes


def make_market(lines: dict[str, dict[str, Any]], **tables: list[dict[str, Any]]) -> Market:
    """Closes of the venues in use; 8 HKD per USD at every time."""
    venues = sorted({row["venue"] for row in lines.values()})
    days = max(len(row["price"]) for row in lines.values())
    steps = [(pd.Timestamp(f"{d.date()} {HOURS[v]}", tz="UTC"), v, d) for d in DAYS[:days] for v in venues]
    grid = pd.DataFrame(
        {
            "time": pd.DatetimeIndex([x[0] for x in steps]).as_unit("ns"),
            "venue": [x[1] for x in steps],
            "phase": "close",
            "session": pd.DatetimeIndex([x[2] for x in steps]).as_unit("ns"),
        }
    )
    price = pd.DataFrame(NAN, index=pd.DatetimeIndex(grid["time"], name="time"), columns=list(lines))
    for symbol, row in lines.items():
        price.loc[(grid["venue"] == row["venue"]).to_numpy(), symbol] = row["price"]
    instruments = pd.DataFrame.from_dict(lines, orient="index").drop(columns="price").rename_axis("symbol")
    known = pd.date_range("2024-03-01 13:15", periods=20, tz="UTC").as_unit("ns")
    fixings = pd.DataFrame({"time": known, "currency": "HKD", "per_usd": 8.0})
    return Market(
        grid=grid.rename_axis("step"),
        price=price,
        instruments=instruments,
        fixings=fixings,
        **{name: table(name, rows) for name, rows in tables.items()},
    )


def want(
    market: Market,
    weights: dict[tuple[int, str], float] | None = None,
    pair: tuple[str, str] | None = None,
    pair_weights: dict[int, float] | None = None,
    band: float = np.inf,
) -> Targets:
    single = np.full(market.price.shape, NAN)
    for (step, symbol), weight in (weights or {}).items():
        single[step, market.column(symbol)] = weight
    paired = np.full((len(market), 0 if pair is None else 1), NAN)
    for step, weight in (pair_weights or {}).items():
        paired[step, 0] = weight
    return Targets(single, () if pair is None else (pair,), paired, drift_band=band)


def number(text: str | float) -> Any:
    return pytest.approx(float(text), rel=1e-12, abs=1e-12)


def at(run: NaiveRun, source: str, instrument: str, step: int) -> float:
    return float(run.contributions[source, instrument][step])


def one_line_of(run: NaiveRun, what: str) -> list[tuple[Any, ...]]:
    if what == "dropped":
        return [(d["step"], d["symbol"], d["decided_step"], d["reason"]) for d in run.dropped]
    return [(f["step"], f["symbol"], float(f["quantity"]), f["reason"]) for f in run.fills]


def test_a_decision_is_sized_once_and_fills_at_the_next_step() -> None:
    dates = pd.date_range("2024-03-04", periods=3)
    market = Market.from_prices(pd.DataFrame({"A": [100.0, 110.0, 120.0]}, index=dates))
    run = backtest(market, want(market, {(0, "A"): 0.5}), Costs(fee_bps=10), capital=1_000)
    # 0.5 * 1000 / 100 = 5 shares, bought at 110: 550 and a fee of 0.55
    assert one_line_of(run, "fills") == [(1, "A", 5.0, "target")]
    # cash 1000 - 550 - 0.55 = 449.45; equity 449.45 + 550 = 999.45, then 449.45 + 600 = 1049.45
    assert [float(x) for x in run.equity] == [1000.0, number("999.45"), number("1049.45")]
    assert at(run, "flat_fee", "A", 1) == number("-0.55")
    assert at(run, "price", "A", 2) == number("50")


def test_same_step_fills_at_the_price_it_was_decided_on() -> None:
    dates = pd.date_range("2024-03-04", periods=2)
    market = Market.from_prices(pd.DataFrame({"A": [100.0, 110.0], "B": [NAN, 20.0]}, index=dates))
    wanted = want(market, {(0, "A"): 0.5, (0, "B"): 0.5, (1, "B"): 0.0})
    run = backtest(market, wanted, Costs(fee_bps=10), capital=1_000, fill="same_step")
    # 5 shares at 100, fee 0.50: 999.50, then 499.50 + 550 = 1049.50; B has no price
    assert [float(x) for x in run.equity] == [number("999.5"), number("1049.5")]
    assert one_line_of(run, "dropped") == [(0, "B", 0, "unpriced")]


def test_a_hong_kong_order_pays_every_fee_of_its_date() -> None:
    market = make_market({"1.HK": line("XHKG", [100.0, 101.0]), "U": line("XNYS", [10.0, 10.0])})
    costs = Costs(cash_rate_pa={"USD": 0.0, "HKD": 0.0})
    run = backtest(market, want(market, {(0, "1.HK"): 0.1}), costs, capital=1_000_000)
    (fill,) = run.fills
    # 0.1 * 1,000,000 / (100 / 8) = 8000 shares. At 101 the tick is 0.1, half of it 0.05: 101.05
    assert fill["step"] == 2
    assert float(fill["quantity"]) == 8000
    assert float(fill["fill_price"]) == number("101.05")
    assert float(fill["notional"]) == number("808400")
    assert float(fill["stamp_duty"]) == 809  # 0.1 % = 808.40, up to the dollar
    assert float(fill["sfc_levy"]) == number("21.83")  # 0.0027 % = 21.8268
    assert float(fill["afrc_levy"]) == number("1.21")  # 0.00015 % = 1.2126
    assert float(fill["trading_fee"]) == number("45.67")  # 0.00565 % = 45.6746
    assert float(fill["settlement_fee"]) == number("16.17")  # 0.002 % = 16.168, between 2 and 100
    assert float(fill["brokerage"]) == number("242.52")  # 0.03 %, not rounded
    assert float(fill["fees"]) == number("1136.40")
    # 809,536.40 HKD are bought for 101,192.05 USD, and the exchange costs 1 bp of that: 10.119205
    assert float(run.cash["USD"][2]) == number("898797.830795")
    assert float(run.cash["HKD"][2]) == 0
    # equity: 8000 * 101 / 8 = 101,000 and the cash
    assert float(run.equity[2]) == number("999797.830795")
    assert at(run, "slippage", "1.HK", 2) == number("-50")  # 8000 * 0.05 / 8
    assert at(run, "fx_spread", "1.HK", 2) == number("-10.119205")


def test_a_small_order_pays_the_minimum() -> None:
    market = make_market({"1.HK": line("XHKG", [10.0, 10.0]), "U": line("XNYS", [10.0, 10.0])})
    costs = Costs(half_spread_bps=0.0, cash_rate_pa={"USD": 0.0, "HKD": 0.0})
    run = backtest(market, want(market, {(0, "1.HK"): 0.1}), costs, capital=1_250)
    (fill,) = run.fills
    # 0.1 * 1250 / (10 / 8) = 100 shares for 1000 HKD: duty 1, levies 0.03 and 0.00, fee 0.06, then minimums
    assert float(fill["notional"]) == 1000
    assert [float(fill[k]) for k in ("stamp_duty", "sfc_levy", "afrc_levy", "trading_fee")] == [
        1.0,
        number("0.03"),
        0.0,
        number("0.06"),
    ]
    assert [float(fill[k]) for k in ("settlement_fee", "brokerage")] == [2.0, 3.0]


def test_cash_earns_until_a_purchase_settles() -> None:
    market = make_market({"1.HK": line("XHKG", [100.0] * 5), "U": line("XNYS", [10.0] * 5)})
    costs = Costs(**FREE | {"cash_rate_pa": {"USD": 0.036, "HKD": 0.0}})
    run = backtest(market, want(market, {(0, "1.HK"): 0.1}), costs, capital=1_000_000)
    # half a day at 3.6 % a year of 360 days: 0.00005 of the balance at every step
    # steps 1, 2: 1,000,000 * 0.00005 = 50; 1,000,050 * 0.00005 = 50.0025
    assert at(run, "interest", "cash:USD", 1) == number("50")
    assert at(run, "interest", "cash:USD", 2) == number("50.0025")
    # step 2 buys 8000 shares for 100,000 USD, due two sessions later at step 6: until then it still earns
    assert float(run.cash["USD"][2]) == number("900100.0025")
    assert at(run, "interest", "cash:USD", 3) == number("50.005000125")  # 1,000,100.0025 * 0.00005
    at_6 = sum(at(run, "interest", "cash:USD", t) for t in range(6))
    assert at(run, "interest", "cash:USD", 6) == number(0.00005 * (1_000_000 + at_6))
    at_7 = at_6 + at(run, "interest", "cash:USD", 6)
    assert at(run, "interest", "cash:USD", 7) == number(0.00005 * (900_000 + at_7))


def test_a_short_pays_borrow_and_service_fee_and_earns_the_rebate() -> None:
    market = make_market({"U": line("XNYS", [50.0, 50.0, 52.0], kind="ads")})
    costs = Costs(
        **FREE
        | {
            "borrow_rate_pa": 0.012,
            "borrow_multiplier": 3.0,
            "cash_rate_pa": {"USD": 0.072},
            "rebate_spread_pa": 0.036,
            "ads_service_fee_pa": 0.0365,
        }
    )
    run = backtest(market, want(market, {(0, "U"): -0.5}), costs, capital=100_000)
    # step 1: interest of one day, 100,000 * 0.072 / 360 = 20; then 1000 sold at 50: cash 150,020
    assert float(run.cash["USD"][1]) == 150_020
    # step 2, on 50,000 short: borrow 50,000 * 0.036 / 360 = 5, rebate 50,000 * (0.072 - 0.036) / 360 = 5,
    # service 1000 * 0.0365 / 365 = 0.10, interest on 150,020 - 50,000 = 100,020: 20.004
    assert at(run, "borrow", "U", 2) == number("-5")
    assert at(run, "rebate", "U", 2) == number("5")
    assert at(run, "ads_fee", "U", 2) == number("-0.1")
    assert at(run, "interest", "cash:USD", 2) == number("20.004")
    # equity 150,020 - 5 + 5 - 0.10 + 20.004 - 52,000
    assert float(run.equity[2]) == number("98039.904")


def test_short_proceeds_stay_in_their_own_currency() -> None:
    market = make_market({"1.HK": line("XHKG", [80.0] * 4, shortable=True), "U": line("XNYS", [10.0] * 4)})
    costs = Costs(**FREE | {"fx_spread": 0.01, "fee_bps": 10.0})
    run = backtest(market, want(market, {(0, "1.HK"): -0.1, (2, "1.HK"): 0.0}), costs, capital=100_000)
    # 0.1 * 100,000 / 10 = 1000 shares sold at 80: 80,000 HKD stay; the fee of 80 HKD is paid with 10 USD
    # plus 0.10 for the exchange
    assert float(run.cash["HKD"][2]) == 80_000
    assert float(run.cash["USD"][2]) == number("99989.9")
    # step 4 buys them back from that collateral
    assert float(run.cash["HKD"][4]) == 0
    assert float(run.cash["USD"][4]) == number("99979.8")


def test_nothing_is_sold_short_without_borrow() -> None:
    market = make_market({"U": line("XNYS", [10.0] * 5)})
    costs = Costs(**FREE | {"no_borrow_states": frozenset({3})})
    wanted = want(market, {(0, "U"): 0.5, (1, "U"): -0.5, (3, "U"): -0.5})
    run = backtest(market, wanted, costs, capital=1_000, states=[0, 0, 3, 0, 0])
    # 50 bought; at step 2, of the 100 to be sold, the 50 held; at step 4 the state has passed
    sold = [(2, "U", -50, "target"), (4, "U", -50, "target")]
    assert one_line_of(run, "fills") == [(1, "U", 50, "target"), *sold]
    assert one_line_of(run, "dropped") == [(2, "U", 1, "no_borrow")]


def test_lots_truncate_a_trade_and_an_exit_sells_the_odd_lot() -> None:
    market = make_market(
        {"1.HK": line("XHKG", [8.0] * 6)}, splits=[{"symbol": "1.HK", "ex_date": DAYS[2], "factor": 0.5}]
    )
    costs = Costs(**FREE)
    wanted = want(market, {(0, "1.HK"): 0.43, (4, "1.HK"): 0.0})
    run = backtest(market, wanted, costs, capital=8_000, base_currency="HKD")
    # 0.43 * 8000 / 8 = 430 shares: 400. Two become one at step 2: 200. All are sold.
    assert one_line_of(run, "fills") == [(1, "1.HK", 400, "target"), (5, "1.HK", -200, "target")]
    # the consolidated line printed 8 instead of 16: 200 * (8 - 16)
    assert at(run, "price", "1.HK", 2) == number("-1600")


def test_an_order_expires_after_three_sessions_without_a_price() -> None:
    market = make_market({"U": line("XNYS", [10.0, NAN, NAN, NAN, 10.0])})
    run = backtest(market, want(market, {(0, "U"): 0.5}), Costs(**FREE), capital=1_000)
    assert one_line_of(run, "dropped") == [(3, "U", 0, "expired")]
    assert run.fills == []


def test_a_drifted_target_is_decided_again() -> None:
    market = make_market({"U": line("XNYS", [10.0, 10.0, 12.0, 12.0])})
    run = backtest(market, want(market, {(0, "U"): 0.5}, band=0.08), Costs(**FREE), capital=1_000)
    # 50 shares; at 12 they are 600 of 1100, 0.545 instead of 0.5: 9.1 % away. 0.5 * 1100 / 12 = 45.8:
    # 4.17 are to be sold, 4 are
    assert one_line_of(run, "fills") == [(1, "U", 50, "target"), (3, "U", -4, "target")]


def test_a_split_and_a_dividend_of_the_same_date() -> None:
    market = make_market(
        {"U": line("XNYS", [10.0, 10.0, 5.0, 5.0, 5.0], kind="ads", withholding=0.1)},
        splits=[{"symbol": "U", "ex_date": DAYS[2], "factor": 2.0}],
        dividends=[{"symbol": "U", "ex_date": DAYS[2], "pay_date": DAYS[4], "amount": 1.0}],
    )
    costs = Costs(**FREE | {"ads_dividend_fee": 0.02})
    run = backtest(market, want(market, {(0, "U"): 1.0}), costs, capital=1_000)
    # 100 shares become 200, each with 1 * (1 - 0.1) - 0.02 = 0.88: 176, owed at step 2 and paid at step 4
    assert [float(q) for q in run.positions["U"]] == [0, 100, 200, 200, 200]
    assert [float(x) for x in run.receivables["USD"]] == [0, 0, 176, 176, 0]
    assert [float(x) for x in run.equity] == [1000, 1000, 1176, 1176, 1176]
    assert at(run, "price", "U", 2) == 0


def test_a_short_owes_the_gross_dividend() -> None:
    market = make_market(
        {"U": line("XNYS", [10.0] * 3, kind="ads", withholding=0.1)},
        dividends=[{"symbol": "U", "ex_date": DAYS[2], "pay_date": pd.NaT, "amount": 1.0}],
    )
    costs = Costs(**FREE | {"ads_dividend_fee": 0.02})
    run = backtest(market, want(market, {(0, "U"): -1.0}), costs, capital=1_000)
    assert float(run.equity[2]) == 900  # 100 * 1, at once where no pay date is known


PAIR = ("1.HK", "A")


def pair_market(adr: list[float], **tables: list[dict[str, Any]]) -> Market:
    return make_market(
        {
            "1.HK": line("XHKG", [40.0] * len(adr), pair="A"),
            "A": line("XNYS", adr, kind="ads", pair="1.HK"),
        },
        **{"ratios": [{"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 4.0}]} | tables,
    )


def test_a_pair_led_by_hong_kong() -> None:
    market = pair_market([20.0, 20.0, 21.0])
    run = backtest(market, want(market, None, PAIR, {1: 0.100123}), Costs(**FREE), capital=1_000_000)
    # 0.100123 * 1,000,000 / (40 / 8) = 20,024.6 shares; in lots of 100 that are also whole ADSs of 4: 20,000
    # Hong Kong trades first, then New York sells 20,000 / 4 = 5000 ADSs at 20
    assert one_line_of(run, "fills") == [(2, "1.HK", 20_000, "lead"), (3, "A", -5_000, "hedge")]
    assert float(run.cash["USD"][3]) == 1_000_000 - 100_000 + 100_000
    assert float(run.equity[5]) == 995_000


def test_a_pair_led_by_new_york() -> None:
    market = pair_market([20.0, 20.0, 20.0])
    run = backtest(market, want(market, None, PAIR, {0: 0.100123}), Costs(**FREE), capital=1_000_000)
    assert one_line_of(run, "fills") == [(1, "A", -5_000, "lead"), (2, "1.HK", 20_000, "hedge")]


def test_no_leg_leads_when_its_partner_is_too_far_away() -> None:
    market = pair_market([20.0] * 7)
    # decided at New York's close of Thursday (step 7): Hong Kong leads on Friday, 12 hours ahead of New York
    run = backtest(market, want(market, None, PAIR, {7: 0.1}), Costs(**FREE), capital=1_000_000)
    assert one_line_of(run, "fills") == [(8, "1.HK", 20_000, "lead"), (9, "A", -5_000, "hedge")]
    # decided at Hong Kong's close of Friday: New York's Friday is 60 hours before Hong Kong's Monday
    run = backtest(market, want(market, None, PAIR, {8: 0.1}), Costs(**FREE), capital=1_000_000)
    assert one_line_of(run, "fills") == [(10, "1.HK", 20_000, "lead"), (11, "A", -5_000, "hedge")]


def test_a_missed_hedge_is_unwound_and_a_target_waits_meanwhile() -> None:
    market = pair_market([20.0, NAN, NAN, 20.0, 20.0])
    wanted = want(market, None, PAIR, {1: 0.1, 4: 0.05})
    run = backtest(market, wanted, Costs(**FREE), capital=1_000_000)
    # New York's sessions of steps 3 and 5 pass without a price: given up at 5, unwound at 6. The target of
    # step 4 has waited; New York may lead it from step 7 on.
    assert one_line_of(run, "dropped") == [(5, "A", 1, "unwound")]
    assert one_line_of(run, "fills") == [
        (2, "1.HK", 20_000, "lead"),
        (6, "1.HK", -20_000, "unwind"),
        (7, "A", -2_500, "lead"),
        (8, "1.HK", 10_000, "hedge"),
    ]


def test_shares_led_before_a_ratio_change_are_hedged_after_it() -> None:
    """The ADSs split 2:1 on day 2; Hong Kong's step of day 2 comes before New York's."""
    market = pair_market(
        [20.0, 20.0, 10.0, 10.0],
        ratios=[
            {"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 4.0},
            {"adr": "A", "effective_from": DAYS[2], "ordinary_per_ads": 2.0},
        ],
        splits=[{"symbol": "A", "ex_date": DAYS[2], "factor": 2.0}],
    )
    run = backtest(market, want(market, None, PAIR, {2: 0.1}), Costs(**FREE), capital=1_000_000)
    # 5000 ADSs of 4 sold at step 3; at step 4 they still are ADSs of 4; from step 5 on 10,000 of 2
    assert one_line_of(run, "fills") == [(3, "A", -5_000, "lead"), (4, "1.HK", 20_000, "hedge")]
    assert float(run.positions["A"][5]) == -10_000
    assert float(run.equity[5]) == 1_000_000


def test_a_delisted_adr_becomes_shares_in_hong_kong() -> None:
    market = make_market(
        {
            "1.HK": line("XHKG", [10.0] * 4, pair="A"),
            "A": line("XNYS", [5.0, 5.0, 5.2, NAN], kind="ads", pair="1.HK"),
        },
        delistings=[{"symbol": "A", "last_session": DAYS[2], "into": "1.HK", "ordinary_per_ads": 4.0}],
    )
    costs = Costs(**FREE | {"ads_conversion_fee": 0.05})
    wanted = want(market, {(1, "A"): 0.75, (5, "A"): 1.0, (7, "A"): 1.0})
    run = backtest(market, wanted, costs, capital=1_000)
    # 150 ADSs; at step 6, the first after the last session, they are 600 shares. Fee: 200 * 0.05 = 10;
    # value 600 * 10 / 8 - 150 * 5.2 = -30. The pending order is dropped, and so is the later target.
    assert [float(q) for q in run.positions["1.HK"]][5:] == [0, 600, 600]
    assert [float(q) for q in run.positions["A"]][5:] == [150, 0, 0]
    assert at(run, "conversion", "A", 6) == number("-30")
    assert at(run, "conversion_fee", "A", 6) == number("-10")
    assert float(run.equity[6]) == number("990")  # 1000 + 150 * 0.2 - 40
    assert one_line_of(run, "dropped") == [(6, "A", 5, "delisted"), (7, "A", 7, "delisted")]


def test_a_delisted_pair_is_closed() -> None:
    market = pair_market(
        [20.0, 20.0, NAN, NAN],
        delistings=[{"symbol": "A", "last_session": DAYS[1], "into": "1.HK", "ordinary_per_ads": 3.0}],
    )
    run = backtest(market, want(market, None, PAIR, {0: 0.1}), Costs(**FREE), capital=1_000_000)
    # 20,000 shares against 5000 ADSs, converted at 3 instead of 4: 5000 shares are left, and sold at the
    # first Hong Kong step after the conversion
    assert one_line_of(run, "fills")[2:] == [(6, "1.HK", -5_000, "forced")]
    assert [float(q) for q in run.positions["1.HK"]] == [0, 0, 20_000, 20_000, 5_000, 5_000, 0, 0]


def test_a_silent_line_is_converted_after_its_fifth_session() -> None:
    market = make_market(
        {
            "1.HK": line("XHKG", [10.0] * 9, pair="A"),
            "A": line("XNYS", [5.0, 5.0] + [NAN] * 7, kind="ads", pair="1.HK"),
        },
        delistings=[{"symbol": "A", "last_session": DAYS[8], "into": "1.HK", "ordinary_per_ads": 4.0}],
    )
    run = backtest(market, want(market, {(1, "A"): 0.5}), Costs(**FREE), capital=1_000)
    # bought on day 1 (step 3); silent on days 2 to 6; day 6 closes at step 13
    assert [float(q) for q in run.positions["A"]][12:15] == [100, 100, 0]


def test_a_line_with_nowhere_to_go_is_refused_while_held() -> None:
    market = make_market(
        {"U": line("XNYS", [5.0, 5.0, NAN])},
        delistings=[{"symbol": "U", "last_session": DAYS[1], "into": "", "ordinary_per_ads": NAN}],
    )
    with pytest.raises(EntrepotError, match="U leaves the market"):
        backtest(market, want(market, {(0, "U"): 0.5}), Costs(**FREE))
    backtest(market, want(market), Costs(**FREE))


def test_units() -> None:
    d = Decimal
    assert whole_units(d("-399.99"), d(100)) == -300
    assert whole_units(d("399.9999999999999"), d(100)) == 400  # binary noise
    assert pair_unit(d(100), d(1), d(8)) == 200
    assert pair_unit(d(100), d(1), d("0.5")) == 100
    assert pair_unit(d(50), d(1), d("1.5")) == 150
    assert pair_unit(d(0), d(1), d(8)) == 0
    assert rounded(d("2.0000000000000004"), d(1), up=True) == 2
    assert rounded(d("2.001"), d(1), up=True) == 3
    assert rounded(d("0.125"), d("0.01"), up=False) == d("0.13")


@pytest.mark.parametrize("seed", range(12))
def test_the_identity_holds_in_any_world(seed: int) -> None:
    check_identity(random_world(seed, steps=60, pairs=2, hk_singles=1, ny_singles=1))


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(worlds(steps=(30, 60)))
def test_the_identity_holds_in_any_combination_of_mechanisms(world: World) -> None:
    check_identity(world)


def check_identity(world: World) -> None:
    run = backtest(
        world.market,
        world.targets,
        world.costs,
        world.capital,
        world.base_currency,
        world.fill,
        world.states,
    )
    assert run.identity_error() < run.capital * Decimal("1e-40")
    assert all(fill["step"] > fill["decided_step"] or world.fill == "same_step" for fill in run.fills)


def test_a_world_is_made_again_by_what_it_prints() -> None:
    world = random_world(5, steps=50)
    again = eval(repr(world), {"random_world": random_world, "Switches": Switches})
    pd.testing.assert_frame_equal(world.market.price, again.market.price)
    np.testing.assert_array_equal(world.targets.weights, again.targets.weights)
    assert world.costs == again.costs


def test_switching_a_mechanism_off_leaves_the_others_as_they_were() -> None:
    with_halts = random_world(5, steps=50, switches=Switches(gaps=True, halts=True))
    without = random_world(5, steps=50, switches=Switches(gaps=True))
    pd.testing.assert_frame_equal(with_halts.market.price, without.market.price)
