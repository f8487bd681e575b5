"""Lines at the edges of what the clock compares: bounds that are just met, dust, and who is named.

Ledgers small enough to be worked out on paper; where a bound is met exactly, every number is a power of two.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from test_naive import (
    DAYS,
    FREE,
    NAN,
    PAIR,
    at,
    backtest as with_the_twin,
    by_date,
    leaving_single,
    line,
    make_market,
    number,
    one_line_of,
    sizes,
    want,
)

from entrepot.engine import Bench, Costs, Margin, backtest, backtest_batch
from entrepot.errors import DataError, TargetError
from entrepot.markets.market import Market

ZIGZAG = [100.0, 110.0, 99.0, 108.9, 98.01]  # a volatility of 0.1 over any two returns
LAW = Costs.none().with_(impact=1.0, impact_sessions=2)
FRACTIONS = Costs(**FREE | {"lots": False})
run = partial(backtest, capital=1024.0, check=True)


def plain(symbols: str, price: list[float]) -> Market:
    return Market.from_prices(pd.DataFrame(dict.fromkeys(symbols, price), index=DAYS[: len(price)]))


@pytest.mark.parametrize("unknown", ["U", "V", "W"])
def test_the_line_whose_impact_is_not_known_is_the_one_that_is_named(unknown: str) -> None:
    market = plain("UVW", ZIGZAG)
    volume = by_date(**{symbol: {0: NAN if symbol == unknown else 400.0} for symbol in "UVW"})
    wanted = want(market, {(2, symbol): 0.1 for symbol in "UVW"})
    with pytest.raises(DataError, match=f"^{unknown} is filled at 2024-03-07 "):
        run(market, wanted, costs=LAW.with_(impact_volume=volume))


def test_the_most_a_trade_may_move_its_price_is_what_the_spread_of_its_own_step_leaves() -> None:
    market = make_market({"1.HK": line("XHKG", ZIGZAG, shortable=True), "U": line("XNYS", [10.0] * 5)})
    beyond = {"half_spread_bps": 100.0, "lots": False, "impact": 1.0, "impact_sessions": 2}
    costs = Costs(**FREE | beyond | {"impact_volume": 0.01})
    for weight, price in ((0.1, 217.8), (-0.1, 0.0)):
        made = with_the_twin(market, want(market, {(4, "1.HK"): weight}), costs, capital=12_375)
        # 100 shares at 99 / 8; 0.1 * sqrt(100 / 0.01) is ten times the price. The spread takes 1 % of 108.90,
        # so that 99 % are left for the impact: a sale brings nothing. New York's step before has no spread
        (fill,) = made.fills
        assert (fill["step"], float(fill["quantity"])) == (6, number(1_000 * weight))
        assert float(fill["fill_price"]) == pytest.approx(price, abs=1e-12)
        assert float(fill["slippage"]) == number(108.9)
        assert float(fill["impact"]) == number(99 * 108.9)
        assert float(made.equity[6]) == number(12_375 - 100 * 108.9 / 8)


def test_a_short_of_a_billionth_of_a_share_is_rounding_and_borrows_nothing() -> None:
    market = make_market({"U": line("XNYS", [1024.0] * 4)})
    closed = FRACTIONS.with_(availability=by_date(U={0: "no_new"}))
    # 1e-9 * 1024 / 1024 to the last digit; the next larger number is more than a billionth
    for weight, sold, refused in ((-1e-9, [(1, "U", -1e-9)], []), (-1.5e-9, [], ["no_borrow"])):
        made = run(market, want(market, {(0, "U"): weight}), costs=closed)
        assert sizes(made) == sold
        assert made.dropped["reason"].tolist() == refused


@pytest.mark.parametrize(
    "changes", [{}, {"max_fill_shares": 1e6}, {"availability": by_date(U={0: "no_new"})}]
)
def test_less_than_a_billionth_of_a_position_is_not_traded(changes: dict[str, object]) -> None:
    market = make_market({"U": line("XNYS", [1.0] * 5)})
    wanted = want(market, {(0, "U"): 0.5, (1, "U"): 0.5 + 2.0**-35, (2, "U"): 0.5 + 2.0**-29})
    made = run(market, wanted, costs=FRACTIONS.with_(**changes))
    # Of 512 shares a billionth are 5.12e-7: 2**-25 = 3e-8 more are none, 2**-19 = 1.9e-6 more are
    assert sizes(made) == [(1, "U", 512), (3, "U", 2.0**-19)]


def test_what_a_split_leaves_of_a_position_stays_where_nothing_is_ordered() -> None:
    market = make_market(
        {"U": line("XNYS", [1024.0, 1024.0, 4096.0, 4096.0])},
        splits=[{"symbol": "U", "ex_date": DAYS[2], "factor": 0.25}],
    )
    made = run(market, want(market, {(0, "U"): 2.0**-29}), costs=FRACTIONS)
    # Two billionths of a share become half a billionth: too little to trade, and worth what it was
    assert made.positions["U"].tolist() == [0, 2.0**-29, 2.0**-31, 2.0**-31]
    assert made.equity_by_step.tolist() == [1024] * 4


def test_what_a_split_leaves_stays_beside_one_that_trades_and_under_an_order_that_is_none() -> None:
    market = make_market(
        {"U": line("XNYS", [2.0**24, 2.0**24, 2.0**26, 2.0**26, 2.0**26])},
        splits=[{"symbol": "U", "ex_date": DAYS[2], "factor": 0.25}],
    )
    dust, other = want(market, {(0, "U"): 2.0**-15}), want(market, {(2, "U"): 0.5})
    batch = Bench(market, costs=FRACTIONS, capital=1024.0).run([dust, other], equity=True)
    assert batch.equity[:, 0].tolist() == [1024] * 5
    again = want(market, {(0, "U"): 2.0**-15, (2, "U"): 2.0**-15})
    made = with_the_twin(market, again, FRACTIONS, capital=1024)
    assert [float(held) for held in made.positions["U"]] == [0, 2.0**-29, 2.0**-31, 2.0**-31, 2.0**-31]


def test_what_a_pair_waits_for_is_split_with_its_hong_kong_shares() -> None:
    market = make_market(
        {
            "1.HK": line("XHKG", [40.0, 20.0, 20.0], pair="A"),
            "A": line("XNYS", [20.0] * 3, kind="ads", pair="1.HK"),
        },
        ratios=[
            {"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 4.0},
            {"adr": "A", "effective_from": DAYS[1], "ordinary_per_ads": 8.0},
        ],
        splits=[{"symbol": "1.HK", "ex_date": DAYS[1], "factor": 2.0}],
    )
    made = with_the_twin(market, want(market, None, PAIR, {1: 0.1}), Costs(**FREE), capital=1_000_000)
    # decided at step 1: 100,000 USD of shares at 5 are 20,000, of which step 2 makes 40,000 at 2.50
    assert one_line_of(made, "fills") == [(2, "1.HK", 40_000, "lead"), (3, "A", -5_000, "hedge")]


@pytest.mark.parametrize("fill", ["next_step", "same_step"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_of_two_weights_the_one_that_may_not_be_is_named_and_not_the_largest_that_may(
    sign: float, fill: str
) -> None:
    market = plain("U", ZIGZAG)
    weights = np.full((2, 5, 1), NAN)
    weights[:, 1, 0] = sign * 40.0, sign * 41.0
    with pytest.raises(TargetError, match=f"a weight is {sign * 41:g} times equity at 2024-03-05"):
        backtest_batch(market, weights, fill=fill)
    assert backtest_batch(market, weights[:1], fill=fill).shape == (5, 1)


MONTHS = pd.bdate_range(DAYS[0], periods=50)


def beyond_any_float(lines: dict[str, list[float]]) -> Market:
    """The last of the lines has no more prices, and is split: 1 / 1e-9 / 1e-9 / ... is beyond any float."""
    *_, last = lines
    rows = {
        symbol: line("XHKG" if symbol.endswith(".HK") else "XNYS", price + price[-1:] * (50 - len(price)))
        for symbol, price in lines.items()
    }
    splits = [{"symbol": last, "ex_date": day, "factor": 1e-9} for day in MONTHS[5:45]]
    return make_market(rows, dates=MONTHS, splits=splits)


@pytest.mark.parametrize("how", ["on_fill", "daily"])
@pytest.mark.parametrize("held", [False, True])
def test_a_line_that_nobody_holds_is_worth_nothing_whatever_its_price_becomes(how: str, held: bool) -> None:
    market = beyond_any_float({"U": [10.0], "1.HK": [8.0, 8.0, 8.0, NAN]})
    wanted = {(1, "U"): 0.5, (1, "1.HK"): 0.5 if held else 0.0, (3, "1.HK"): 0.0}
    costs = Costs(**FREE | {"fx_conversion": how})
    with np.errstate(all="ignore"):  # where kernels run as they are written
        made = backtest(market, want(market, wanted), capital=1_000, costs=costs)
    # nought of what is beyond any float is nothing all the same
    assert sizes(made) == [(2, "1.HK", 500), (3, "U", 50), (4, "1.HK", -500)] if held else [(3, "U", 50)]
    assert made.equity_by_step.tolist() == [1_000] * len(market)


def test_a_line_that_nobody_wants_any_more_needs_no_margin_whatever_its_price_becomes() -> None:
    market = beyond_any_float({"U": [10.0], "V": [10.0, NAN]})
    costs = FRACTIONS.with_(margin=Margin.retail())
    with np.errstate(all="ignore"):  # where kernels run as they are written
        made = backtest(market, want(market, {(0, "V"): 0.1, (47, "U"): 4.0}), capital=1_024, costs=costs)
    # the order for V waits for a price until step 3; half of four times equity is twice as much as there is
    told = made.dropped[["step", "symbol", "reason"]].to_numpy().tolist()
    assert told == [[3, "V", "expired"], [47, "U", "margin"]]
    assert sizes(made) == [(48, "U", 204.8)]


def test_one_share_is_bought_at_the_ask() -> None:
    market = make_market({"U": line("XNYS", [10.0] * 3)})
    made = with_the_twin(
        market, want(market, {(0, "U"): 0.01}), Costs(**FREE | {"half_spread_bps": 100.0}), capital=1_000
    )
    # one at 10, worsened by 1 %
    assert one_line_of(made, "fills") == [(1, "U", 1, "target")]
    assert float(made.cash["USD"][1]) == number("989.9")


def test_what_the_exchange_rate_adds_to_a_line_as_it_is_paid_out_is_of_that_step() -> None:
    market = make_market(
        {"1.HK": line("XHKG", [10.0, 10.0, 10.0, NAN, NAN])},
        delistings=[{"symbol": "1.HK", "last_session": DAYS[2], "into": "", "ordinary_per_ads": NAN}],
    )
    later = market.fixings["time"] >= pd.Timestamp(DAYS[2], tz="UTC")
    market = replace(market, fixings=market.fixings.assign(per_usd=np.where(later, 6.25, 8.0)))
    made = with_the_twin(
        market, want(market, {(0, "1.HK"): 0.5}), Costs(**FREE | {"delisting": "cash"}), capital=1_000
    )
    # 400 shares at 10 HKD are 500 USD, and 640 at the fixing of day 2, which Hong Kong knows on day 3: the
    # step at which they are paid out
    assert one_line_of(made, "conversions") == [(3, "1.HK", 400, "", 0, 0, "cashed_out")]
    assert [at(made, "fx", "1.HK", step) for step in range(5)] == [0, 0, 0, number("140"), 0]
    assert [float(x) for x in made.equity] == [1_000, 1_000, 1_000, number("1140"), number("1140")]


def test_a_short_that_cancels_out_shares_leaves_their_order_alone() -> None:
    market = make_market(
        {
            "1.HK": line("XHKG", [10.0, 10.0, NAN, 10.0, 10.0], pair="A"),
            "A": line("XNYS", [5.0, 5.0, 5.0, NAN, NAN], kind="ads", pair="1.HK"),
        },
        delistings=[{"symbol": "A", "last_session": DAYS[2], "into": "1.HK", "ordinary_per_ads": 4.0}],
    )
    wanted = want(market, {(1, "A"): -0.75, (1, "1.HK"): 0.75, (3, "1.HK"): 0.125})
    made = with_the_twin(market, wanted, Costs(**FREE), capital=1_000)
    # 150 ADSs owed become 600 shares owed at step 6, as many as are held: there is nothing to buy in, and the
    # order for 0.125 * 1000 / 1.25 = 100 shares, which had no price on day 2, is filled
    assert made.dropped == []
    assert one_line_of(made, "fills") == [
        (2, "1.HK", 600, "target"),
        (3, "A", -150, "target"),
        (6, "1.HK", 100, "target"),
    ]
    assert [float(held) for held in made.positions["1.HK"]] == [0, 0] + [600] * 4 + [100] * 4


def test_a_long_line_is_kept_at_parity_where_shorts_are_bought_in() -> None:
    how = {"delisting": "mark", "delisted_shorts": "buy_in"}
    made = leaving_single(how, {(1, "A"): 0.75})
    # as in test_a_delisted_line_is_kept_at_parity_and_closed_later: 150 ADSs at 5.20, then at 5 and at 5.50
    assert [float(x) for x in made.equity[5:]] == [1_030, 1_000, 1_000] + [number("1075")] * 4
    assert made.conversions == []
