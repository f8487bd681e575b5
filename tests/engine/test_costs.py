"""What Costs, Fee and Margin accept and refuse, and what presets and fees given by hand charge for a fill."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest
import test_naive as hand

import entrepot as ep
from entrepot.engine.costs import Fee, Margin
from entrepot.engine.lines import Lines
from entrepot.engine.tape import build_tape
from entrepot.markets.fees import policy_rate

DATES = pd.to_datetime(["2021-01-04", "2021-02-01"])


def dated(value: Any, index: pd.Index = DATES, columns: tuple[str, ...] = ("BABA",)) -> pd.DataFrame:
    return pd.DataFrame(value, index=index, columns=list(columns))


ACCEPTED: dict[str, dict[str, Any]] = {
    "numbers of numpy": {"borrow_multiplier": np.int64(3), "half_spread_bps": np.float32(1.5)},
    "days of numpy": {"conversion_days": np.int64(5)},
    "spreads by symbol": {"half_spread_bps": {"BABA": 1, "9988.HK": 2.5}},
    "no short at any price": {"max_fill_shares": 0},
    "caps by date": {"max_fill_shares": dated([1_000, 2_000])},
    "borrow by date with gaps": {"borrow_rate_pa": dated([0.01, np.nan])},
    "borrow by date that may be missing": {"borrow_rate_pa": dated([0.01, None]).astype("Float64")},
    "borrow by size and state": {"borrow_rate_pa": pd.DataFrame({0: [0.01], 2: [0.3]}, index=["small"])},
    "availability with gaps": {"availability": dated(["no_new", None])},
    "negative cash rates": {"cash_rate_pa": {"EUR": -0.005}},
    "dated cash rates": {"cash_rate_pa": {"USD": pd.Series([0.01, 0.02], DATES)}},
    "states in a list": {"no_borrow_states": [1, 2]},
    "no stressed state at all": {"stress_states": ()},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_good_costs_are_accepted(name: str) -> None:
    costs = ep.Costs(**ACCEPTED[name])
    assert isinstance(pickle.loads(pickle.dumps(costs)), ep.Costs)


# What each number stays below.
BY_SYMBOL = {
    "half_spread_bps": 1e4,
    "borrow_rate_pa": 1.0,
    "max_fill_shares": np.inf,
    "impact_volume": np.inf,
}
OF_ALL = {
    "fee_bps": 1e4,
    "borrow_multiplier": 1e3,
    "impact": 100.0,
    "max_leg_gap_hours": np.inf,
    **dict.fromkeys(["rebate_spread_pa", "debit_spread_pa", "fx_spread"], 1.0),
    **dict.fromkeys(["ads_service_fee_pa", "ads_dividend_fee", "ads_conversion_fee"], 100.0),
}
OF_A_FEE = {"rate": 1.0, "per_share": 1e6, "minimum": 1e9, "unit": 1e6}
# A requirement to keep a position needs as high a one to open it.
MARGINS = {(1, 0, 0, 0): "initial_long", (0, 1, 0, 0): "initial_short"}
MARGINS |= {(1, 0, 1, 0): "maintenance_long", (0, 1, 0, 1): "maintenance_short"}


def cases() -> Iterator[tuple[str, Callable[[float], object], float]]:
    """Every number by name, what makes something of it, and what it stays below."""
    for name, limit in (BY_SYMBOL | OF_ALL).items():
        yield name, lambda x, name=name: ep.Costs(**{name: x}), limit
    for name, limit in BY_SYMBOL.items():
        yield f"{name} of a symbol", lambda x, name=name: ep.Costs(**{name: {"BABA": 0.5, "JD": x}}), limit
        if name != "half_spread_bps":
            yield f"{name} of a date", lambda x, name=name: ep.Costs(**{name: dated([0.5, x])}), limit
    for name, limit in OF_A_FEE.items():
        yield name, lambda x, name=name: Fee(**{name: x}), limit
    for these, name in MARGINS.items():
        yield name, lambda x, these=these: Margin(*(x if own else 0.0 for own in these)), 10.0


@pytest.mark.parametrize(("name", "make", "limit"), [*cases()])
def test_a_number_may_be_all_from_nothing_to_just_below_its_limit(
    name: str, make: Callable[[float], object], limit: float
) -> None:
    make(np.nextafter(limit, 0.0))
    if "impact_volume" not in name:  # against no volume nothing could be traded
        make(0.0)
    for bad in (-5e-324, limit):
        with pytest.raises(ep.ParameterError, match="give a number of at least 0"):
            make(bad)


def test_a_cash_rate_lies_between_minus_one_and_one() -> None:
    almost = np.nextafter(1.0, 0.0)
    for good in (-almost, almost, pd.Series([-almost, almost], DATES)):
        ep.Costs(cash_rate_pa={"USD": good})
    for bad in (-1.0, 1.0, pd.Series([0.0, -1.0], DATES), pd.Series([1.0, 0.0], DATES)):
        with pytest.raises(ep.ParameterError, match="between -1 and 1"):
            ep.Costs(cash_rate_pa={"USD": bad})


@pytest.mark.parametrize("given", [5.0, {"BABA": 5.0}, dated([0.0, 5.0])], ids=["one", "mapped", "dated"])
def test_a_rate_of_borrowing_that_is_too_large_is_told_what_else_to_do(given: Any) -> None:
    with pytest.raises(ep.ParameterError, match=r"a dearer loan is borrow_multiplier times a rate below 1$"):
        ep.Costs(borrow_rate_pa=given)
    with pytest.raises(ep.ParameterError, match=r"give a number of at least 0 and below 10,000$"):
        ep.Costs(half_spread_bps={"BABA": -1.0})


def test_every_form_is_kept_as_one() -> None:
    costs = ep.Costs(
        half_spread_bps={"BABA": np.float32(1.5)},
        borrow_multiplier=3,
        conversion_days=np.int64(3),
        max_fill_shares=dated([1_000, 2_000]),
        recall_states=[np.int8(3), 3],
        cash_rate_pa={"USD": 0, "HKD": pd.Series([0, 0], DATES)},
    )
    assert costs.half_spread_bps == {"BABA": 1.5}
    assert type(costs.half_spread_bps["BABA"]) is type(costs.borrow_multiplier) is float
    assert type(costs.conversion_days) is int
    assert costs.max_fill_shares.dtypes.tolist() == [np.float64]
    assert costs.recall_states == frozenset({3})
    assert costs.stress_states is None
    assert costs.cash_rate_pa["USD"] == 0.0
    assert costs.cash_rate_pa["HKD"].dtype == np.float64


def test_costs_do_not_change_with_what_they_were_made_of() -> None:
    fees, spreads, caps = {("XHKG", "brokerage"): Fee()}, {"BABA": 1.0}, dated(1.0)
    costs = ep.Costs(fees=fees, half_spread_bps=spreads, max_fill_shares=caps)
    fees.clear()
    spreads["BABA"] = caps.loc[DATES[0], "BABA"] = -1.0
    assert costs.fees == {("XHKG", "brokerage"): Fee()}
    assert costs.half_spread_bps == {"BABA": 1.0}
    assert costs.max_fill_shares.to_numpy().tolist() == [[1.0], [1.0]]


def differences(costs: ep.Costs, other: ep.Costs) -> dict[str, Any]:
    """The fields of one that are not those of the other; frames are not compared."""
    names = [field.name for field in fields(costs)]
    return {name: getattr(costs, name) for name in names if getattr(costs, name) != getattr(other, name)}


def test_with_replaces_what_is_named_and_keeps_the_rest() -> None:
    before = ep.Costs.retail()
    kept = copy.copy(before)
    after = before.with_(borrow_multiplier=3, margin=None)
    assert differences(after, before) == {"borrow_multiplier": 3.0, "margin": None}
    assert differences(before, kept) == {}


# -- presets: each against the default -----------------------------------------------------------------------

NOTHING_HELD = {
    "borrow_rate_pa": 0.0,
    "rebate_spread_pa": 0.0,
    "fx_spread": 0.0,
    "ads_service_fee_pa": 0.0,
    "ads_dividend_fee": 0.0,
    "ads_conversion_fee": 0.0,
    "half_spread_bps": 0.0,
    "margin": None,
}
FREE = {
    **NOTHING_HELD,
    "dated_fees": False,
    "exact_fees": False,
    "lots": False,
    "cash_rate_pa": {"USD": 0.0, "HKD": 0.0},
}
PRESETS = {
    "default": (ep.Costs, {}),
    "none": (ep.Costs.none, FREE),
    "flat": (lambda: ep.Costs.flat(10), {**FREE, "fee_bps": 10.0}),
    "statutory": (
        ep.Costs.statutory,
        {**NOTHING_HELD, "fees": {("XHKG", "brokerage"): Fee(), ("XNYS", "brokerage"): Fee()}},
    ),
    "institutional": (
        ep.Costs.institutional,
        {
            "fees": {
                ("XHKG", "brokerage"): Fee(rate=0.0002),
                ("XNYS", "brokerage"): Fee(per_share=0.0035),
            },
            "debit_spread_pa": 0.005,
            "fx_spread": 0.000075,
        },
    ),
    "retail": (
        ep.Costs.retail,
        {
            "fees": {("XHKG", "brokerage"): Fee(rate=0.0025, minimum=100.0)},
            "short_sale_rules": True,
            "rebate_spread_pa": 0.026,
            "debit_spread_pa": 0.015,
            "fx_spread": 0.002,
            "margin": Margin(0.5, 0.5, 0.25, 0.3),
        },
    ),
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_differs_from_the_default_as_documented(name: str) -> None:
    make, changed = PRESETS[name]
    assert differences(make(), ep.Costs()) == changed


def test_margins_of_the_presets() -> None:
    assert ep.Costs.institutional().margin == ep.Costs().margin == Margin(0.25, 0.25, 0.20, 0.20)
    assert ep.Costs.retail().margin == Margin.retail() == Margin(0.50, 0.50, 0.25, 0.30)


def test_a_retail_rebate_is_nothing_over_the_years() -> None:
    days = pd.date_range("2018-01-01", "2025-12-31")
    rebate = policy_rate("USD", days) - ep.Costs.retail().rebate_spread_pa
    assert abs(rebate.mean()) < 0.0005
    by_year = pd.Series(rebate, index=days).groupby(days.year).mean()
    assert by_year[2021] == pytest.approx(-0.025, abs=0.0005)
    assert pd.Series(rebate, index=days)["2023"].max() == pytest.approx(0.028, abs=0.0005)


# -- fees given by hand, on fills ----------------------------------------------------------------------------

HK_KINDS = ("stamp_duty", "sfc_levy", "afrc_levy", "trading_fee", "settlement_fee", "brokerage")
US_KINDS = ("sec_section31", "finra_taf", "brokerage")
DAYS = pd.DatetimeIndex(["2024-06-03", "2024-06-04"])


def one_fill(symbol: str, shares: float, price: float, costs: ep.Costs, **changes: Any) -> pd.Series:
    """The fill of 4 June 2024 of a purchase, or of a sale where the shares are negative."""
    hong_kong = symbol.endswith(".HK")
    row = {
        "venue": "XHKG" if hong_kong else "XNYS",
        "currency": "HKD" if hong_kong else "USD",
        "company": "Company",
        "sector": "unclassified",
        "kind": "ordinary" if hong_kong else "stock",
        "pair": "",
        "lot": 0.0,
        "adjustment": "raw",
        "shortable": True,
        "size": "mega",
        "withholding": 0.0,
        "fee_class": "hk_stock" if hong_kong else "us_stock",
    } | changes
    times = (DAYS + pd.Timedelta(hours=8 if hong_kong else 20)).tz_localize("UTC").as_unit("ns")
    grid = pd.DataFrame({"time": times, "venue": row["venue"], "phase": "close", "session": DAYS})
    market = ep.Market(
        grid=grid.rename_axis("step"),
        price=pd.DataFrame({symbol: price}, index=times.rename("time")),
        instruments=pd.DataFrame([row], index=pd.Index([symbol], name="symbol")),
        fixings=pd.DataFrame({"time": times, "currency": "HKD", "per_usd": 7.8}),
    )
    result = ep.backtest(
        market,
        pd.DataFrame({symbol: [0.1 * np.sign(shares)]}, index=DAYS[:1]),
        capital=10.0 * abs(shares) * price,
        base_currency=row["currency"],
        costs=costs.with_(half_spread_bps=0.0, short_sale_rules=False),
        check=True,
    )
    assert len(result.fills) == 1
    assert result.fills["quantity"].iloc[0] == pytest.approx(shares)
    return result.fills.iloc[0]


def paid(fill: pd.Series) -> dict[str, float]:
    kinds = dict.fromkeys((*HK_KINDS, *US_KINDS, "flat_fee"))
    return {kind: round(float(fill[kind]), 9) for kind in kinds if abs(fill[kind]) > 1e-9}


def test_presets_replace_the_brokerage_of_the_schedule_and_nothing_else() -> None:
    # HK$100,000 on 4 June 2024: 0.10 %, 0.0027 %, 0.00015 %, 0.00565 %, 0.002 %
    taxes = {
        "stamp_duty": 100.0,
        "sfc_levy": 2.70,
        "afrc_levy": 0.15,
        "trading_fee": 5.65,
        "settlement_fee": 2.0,
    }
    brokerage = {
        "default": {"brokerage": 30.0},  # 3 bp
        "statutory": {},
        "institutional": {"brokerage": 20.0},  # 2 bp
        "retail": {"brokerage": 250.0},  # 25 bp
    }
    for name, expected in brokerage.items():
        assert paid(one_fill("1.HK", 1_000, 100.0, PRESETS[name][0]())) == taxes | expected, name
    # US$100,000 of 1,000 shares sold: 27.80 a million = 2.78, 0.000166 a share = 0.166, up to 0.17
    taxes = {"sec_section31": 2.78, "finra_taf": 0.17}
    for name, expected in {"default": 3.5, "institutional": 3.5, "retail": 3.5}.items():  # 0.0035 a share
        sale = paid(one_fill("A", -1_000, 100.0, PRESETS[name][0]()))
        assert sale == taxes | {"brokerage": expected}, name
    assert paid(one_fill("A", -1_000, 100.0, ep.Costs.statutory())) == taxes


def test_minimum_brokerage_of_the_presets() -> None:
    # HK$5,000: 3 bp are 1.50, 2 bp 1.00 and 25 bp 12.50
    small = {"default": 3.0, "statutory": 0.0, "institutional": 1.0, "retail": 100.0}
    for name, expected in small.items():
        fill = one_fill("1.HK", 100, 50.0, PRESETS[name][0]())
        assert fill["brokerage"] == pytest.approx(expected), name
    # 20 shares at 0.0035 are 0.07
    small = {"default": 0.35, "statutory": 0.0, "institutional": 0.07, "retail": 0.35}
    for name, expected in small.items():
        assert one_fill("A", 20, 50.0, PRESETS[name][0]())["brokerage"] == pytest.approx(expected), name


def test_a_fee_is_bounded_then_rounded_and_only_paid_on_its_side() -> None:
    def brokerage(shares: float, **fee: Any) -> float:
        costs = ep.Costs(fees={("XNYS", "brokerage"): Fee(**fee)})
        return float(one_fill("A", shares, 123.45, costs)["brokerage"])

    # 1,000 shares at US$123.45: 0.0001 * 123,450 + 0.001 * 1,000 = 13.345
    both = {"rate": 0.0001, "per_share": 0.001}
    assert brokerage(1_000, **both) == pytest.approx(13.345)
    assert brokerage(1_000, **both, unit=0.01) == pytest.approx(13.35)
    assert brokerage(1_000, **both, unit=1.0) == pytest.approx(13.0)
    assert brokerage(1_000, **both, unit=1.0, up=True) == pytest.approx(14.0)
    assert brokerage(1_000, **both, minimum=20.0) == pytest.approx(20.0)
    assert brokerage(1_000, **both, maximum=5.5, unit=1.0) == pytest.approx(6.0)
    assert brokerage(1_000, minimum=7.0) == pytest.approx(7.0)
    assert brokerage(1_000, **both, minimum=20.0, side="sell") == 0.0
    assert brokerage(-1_000, **both, minimum=20.0, side="sell") == pytest.approx(20.0)
    assert brokerage(-1_000, **both, side="buy") == 0.0


def test_without_the_schedule_only_what_is_given_is_charged() -> None:
    fees = {("XHKG", "brokerage"): Fee(rate=0.001), ("XHKG", "stamp_duty"): Fee(rate=0.002)}
    costs = ep.Costs(dated_fees=False, fees=fees, fee_bps=1.0)
    # HK$100,000 at 0.1 %, 0.2 % and 1 bp
    expected = {"stamp_duty": 200.0, "brokerage": 100.0, "flat_fee": 10.0}
    assert paid(one_fill("1.HK", 1_000, 100.0, costs)) == expected
    assert paid(one_fill("A", 1_000, 100.0, costs)) == {"flat_fee": 10.0}
    # a fund pays no stamp duty, whatever its rate
    fund = one_fill("1.HK", 1_000, 100.0, costs, kind="etf", fee_class="hk_etp")
    assert paid(fund) == {"brokerage": 100.0, "flat_fee": 10.0}


def test_adjusted_lines_pay_the_rate_alone() -> None:
    costs = ep.Costs(fees={("XNYS", "brokerage"): Fee(rate=0.0001, per_share=0.01, minimum=50.0, unit=1.0)})
    for adjustment in ("split_adjusted", "total_return"):
        # US$100,000 at 1 bp
        fill = one_fill("A", 1_000, 100.0, costs, adjustment=adjustment)
        assert fill["brokerage"] == pytest.approx(10.0)
    fill = one_fill("A", 1_000, 100.0, costs.with_(exact_fees=False))
    assert fill["brokerage"] == pytest.approx(20.0)  # 1 bp and a cent per share


@pytest.mark.parametrize("given", [{"mid": 0.05}, dated(0.05, columns=("mid",))])
def test_sizes_are_not_offered_where_none_is_taken(given: Any) -> None:
    market = ep.simulate_market("2021-01-04", "2021-03-31", symbols=["KWEB"])
    weights = pd.DataFrame({"KWEB": [0.5]}, index=DATES[1:])
    with pytest.raises(ep.ParameterError, match=r"borrow_rate_pa names 'mid'.*: give one of its symbols$"):
        ep.backtest(market, weights, costs=ep.Costs(borrow_rate_pa=given))


def test_a_borrow_fee_that_is_not_known_from_the_first_step_on_is_asked_for() -> None:
    market = hand.make_market({"U": hand.line("XNYS", [10.0] * 3, size="none")})
    plan = hand.want(market, {(0, "U"): -0.1})
    given = {"borrow_rate_pa": hand.by_date(U={1: 0.01})}  # nothing is known of the first day
    with pytest.raises(ep.DataError, match="no borrow fee is known of U"):
        hand.run_clock(market, plan, costs=ep.Costs(**hand.FREE | given))
    given = {"borrow_rate_pa": hand.by_date(U={0: 0.01})}
    assert len(hand.run_clock(market, plan, costs=ep.Costs(**hand.FREE | given)).fills) == 1


def test_the_line_whose_borrow_fee_is_not_known_is_the_one_that_is_named() -> None:
    of_size = {"S": "mid", "U": "none", "V": "small"}
    market = hand.make_market({s: hand.line("XNYS", [10.0] * 3, size=size) for s, size in of_size.items()})
    plan = hand.want(market, {(0, symbol): -0.1 for symbol in of_size})
    costs = ep.Costs(**hand.FREE | {"borrow_rate_pa": None})
    with pytest.raises(ep.DataError, match="no borrow fee is known of U, whose size is 'none'"):
        hand.run_clock(market, plan, costs=costs)


@pytest.mark.parametrize("order", ["AB", "BA"])
def test_a_capital_is_too_little_for_the_dearest_of_all_shares(order: str) -> None:
    dates = pd.date_range("2024-01-01", periods=2)
    prices = pd.DataFrame({"A": [1e9, 1e9], "B": [1.0, 1.0]}, index=dates)
    market = ep.Market.from_prices(prices[list(order)])
    weights = pd.DataFrame({"B": [0.5]}, index=dates[:1])
    # a billionth of a share of A is worth 1, a basis point of 10,000
    ep.backtest(market, weights.assign(A=0.0), costs=ep.Costs.flat(0), capital=10_000.0)
    with pytest.raises(ep.ParameterError, match=r"a share of A is worth up to .*: give at least 10000,"):
        ep.backtest(market, weights.assign(A=0.0), costs=ep.Costs.flat(0), capital=9_999.0)


@pytest.mark.parametrize(("capital", "refused"), [(19, True), (21, False)])
def test_what_a_share_is_worth_is_counted_in_the_money_of_the_capital(capital: float, refused: bool) -> None:
    market = hand.make_market({"1.HK": hand.line("XHKG", [1.6e7] * 3)})
    costs = ep.Costs(**hand.FREE | {"lots": False})
    bought = hand.want(market, {(0, "1.HK"): 0.5})
    # 16,000,000 HKD are 2,000,000 USD, of which a billionth is 0.002: a basis point of 20
    if refused:
        with pytest.raises(
            ep.ParameterError, match=r"1\.HK is worth up to 2e\+06: give at least 20, because"
        ):
            hand.run_clock(market, bought, costs=costs, capital=capital)
    else:
        assert len(hand.run_clock(market, bought, costs=costs, capital=capital).fills) == 1


def test_a_fee_by_the_share_is_the_same_whatever_the_spread_makes_of_the_price() -> None:
    market = hand.make_market({"U": hand.line("XNYS", [10.0] * 4)})
    fee = {("XNYS", "brokerage"): Fee(per_share=0.1)}
    costs = ep.Costs(**hand.FREE | {"half_spread_bps": 2_000.0, "exact_fees": False, "fees": fee})
    run = hand.backtest(market, hand.want(market, {(0, "U"): 0.5, (1, "U"): 0.0}), costs, capital=2_000)
    # 100 shares bought at 12 and sold at 8: 0.10 for each of them either way
    assert [float(fill["brokerage"]) for fill in run.fills] == [hand.number(10), hand.number(10)]


def test_fees_that_stay_the_same_are_kept_once_however_many_days_they_are_in_force() -> None:
    costs = ep.Costs(**hand.FREE | {"fees": {("XNYS", "brokerage"): Fee(rate=0.001)}})
    for days in (2, 9):
        market = hand.make_market({"U": hand.line("XNYS", [10.0] * days)})
        tape, _ = build_tape(market, Lines.of(market, ["U"], ()), costs, "USD", None)
        assert len(tape.schedule) == 2  # no fee at all, and this one
