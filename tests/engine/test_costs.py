"""What Costs, Fee and Margin accept and refuse, and what presets and fees given by hand charge for a fill."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.engine.costs import AMOUNTS, BY_DATE, BY_SYMBOL, CHOICES, STATES, SWITCHES, Fee, Margin
from entrepot.errors import ParameterError
from entrepot.markets.fees import policy_rate

DATES = pd.to_datetime(["2021-01-04", "2021-02-01"])
BAD_DATES = {
    "a time zone": DATES.tz_localize("UTC"),
    "a time of day": DATES + pd.Timedelta(hours=16),
    "a missing date": pd.DatetimeIndex([DATES[0], pd.NaT]),
    "a wrong order": DATES[::-1],
    "a repeated date": DATES[[0, 0]],
}


def dated(value: Any, index: pd.Index = DATES, columns: tuple[str, ...] = ("BABA",)) -> pd.DataFrame:
    return pd.DataFrame(value, index=index, columns=list(columns))


# What is refused, and a word its message has to hold.
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "fee: negative rate": (lambda: Fee(rate=-0.001), "rate"),
    "fee: the whole amount": (lambda: Fee(rate=1.0), "rate"),
    "fee: a rate in words": (lambda: Fee(rate="3 bp"), "'3 bp'"),
    "fee: not a number per share": (lambda: Fee(per_share=float("nan")), "per_share"),
    "fee: negative minimum": (lambda: Fee(minimum=-1.0), "minimum"),
    "fee: endless minimum": (lambda: Fee(minimum=np.inf), "minimum"),
    "fee: negative unit": (lambda: Fee(unit=-0.01), "unit"),
    "fee: a truth as unit": (lambda: Fee(unit=True), "unit"),
    "fee: maximum below minimum": (lambda: Fee(minimum=5.0, maximum=2.0), "maximum is 2.0"),
    "fee: no maximum": (lambda: Fee(maximum=None), "maximum"),
    "fee: maximum not a number": (lambda: Fee(maximum=float("nan")), "maximum"),
    "fee: a number as up": (lambda: Fee(up=1), "up is 1"),
    "fee: unknown side": (lambda: Fee(side="short"), "'short'"),
    "margin: negative": (lambda: Margin(-0.5, 0.5, 0.25, 0.3), "initial_long"),
    "margin: per cent": (lambda: Margin(50.0, 50.0, 25.0, 30.0), "initial_long is 50.0"),
    "margin: nothing": (lambda: Margin(0.5, 0.5, None, 0.3), "maintenance_long"),
    "margin: more to keep a long than to open it": (lambda: Margin(0.2, 0.5, 0.25, 0.3), "_long"),
    "margin: more to keep a short than to open it": (lambda: Margin(0.5, 0.2, 0.25, 0.3), "_short"),
    "a number as margin": (lambda: ep.Costs(margin=0.5), "Margin.retail()"),
    "the class as margin": (lambda: ep.Costs(margin=Margin), "Margin.retail()"),
    "no conversion days": (lambda: ep.Costs(conversion_days=0), "1 to 60"),
    "half a day": (lambda: ep.Costs(conversion_days=1.5), "1.5"),
    "a quarter to convert": (lambda: ep.Costs(conversion_days=90), "90"),
    "unknown field": (lambda: ep.Costs().with_(bogus=1), "bogus"),
    "spread of one symbol": (lambda: ep.Costs(half_spread_bps={"A": 1.0, "B": -1.0}), "half_spread_bps of B"),
    "spreads by date": (lambda: ep.Costs(half_spread_bps=dated(1.0)), "dict of them by symbol"),
    "a Series of caps": (lambda: ep.Costs(max_fill_shares=pd.Series({"A": 1.0})), "dict of them by symbol"),
    "flat fee by symbol": (lambda: ep.Costs(fee_bps={"A": 1.0}), "fee_bps"),
    "endless cap": (lambda: ep.Costs(max_fill_shares=np.inf), "max_fill_shares"),
    "cap without dates": (lambda: ep.Costs(max_fill_shares=dated(1.0, pd.Index([0, 1]))), "without dates"),
    "negative dated cap": (lambda: ep.Costs(max_fill_shares=dated(-1.0)), "a value of max_fill_shares"),
    "negative dated borrow": (lambda: ep.Costs(borrow_rate_pa=dated(-0.1)), "a value of borrow_rate_pa"),
    "endless dated borrow": (lambda: ep.Costs(borrow_rate_pa=dated(np.inf)), "a value of borrow_rate_pa"),
    "borrow in words": (lambda: ep.Costs(borrow_rate_pa=dated("1 %")), "numbers"),
    "truths as borrow": (lambda: ep.Costs(borrow_rate_pa=dated(True)), "numbers"),
    "borrow by named states": (
        lambda: ep.Costs(borrow_rate_pa=pd.DataFrame({"calm": {"mega": 0.01}})),
        "integer states",
    ),
    "borrow of a size named twice": (
        lambda: ep.Costs(borrow_rate_pa=pd.DataFrame({0: [0.01, 0.02]}, index=["mega", "mega"])),
        "each once",
    ),
    "borrow of a symbol named twice": (
        lambda: ep.Costs(borrow_rate_pa=dated(0.01, columns=("BABA", "BABA"))),
        "column twice",
    ),
    "availability in one word": (lambda: ep.Costs(availability="no_new"), "'no_new'"),
    "availability without dates": (
        lambda: ep.Costs(availability=dated("recall", pd.Index([0, 1]))),
        "dates as rows",
    ),
    "availability of a symbol named twice": (
        lambda: ep.Costs(availability=dated("recall", columns=("BABA", "BABA"))),
        "symbol twice",
    ),
    "unknown availability": (lambda: ep.Costs(availability=dated("none")), "'none'"),
    "a number as availability": (lambda: ep.Costs(availability=dated(1)), "availability holds"),
    "a list as availability": (
        lambda: ep.Costs(availability=pd.DataFrame({"A": [["recall"], "recall"]}, index=DATES)),
        "['recall']",
    ),
    "a list of fees": (lambda: ep.Costs(fees=[Fee()]), "mapping"),
    "no fees": (lambda: ep.Costs(fees=None), "mapping"),
    "a fee by kind": (lambda: ep.Costs(fees={"brokerage": Fee()}), "XHKG, XNYS"),
    "a fee of another venue": (lambda: ep.Costs(fees={("XLON", "brokerage"): Fee()}), "XHKG, XNYS"),
    "a fee that venue does not have": (lambda: ep.Costs(fees={("XNYS", "stamp_duty"): Fee()}), "finra_taf"),
    "the flat fee as a fee": (lambda: ep.Costs(fees={("XHKG", "flat_fee"): Fee()}), "settlement_fee"),
    "a number as fee": (lambda: ep.Costs(fees={("XHKG", "brokerage"): 0.001}), "Fee(rate"),
    "a rate without currency": (lambda: ep.Costs(cash_rate_pa=0.03), "mapping"),
    "a rate in words": (lambda: ep.Costs(cash_rate_pa={"USD": "3 %"}), "cash_rate_pa of USD"),
    "a rate in per cent": (lambda: ep.Costs(cash_rate_pa={"USD": 3}), "such as 0.03"),
    "a rate that is no number": (lambda: ep.Costs(cash_rate_pa={"USD": np.nan}), "such as 0.03"),
    "a truth as rate": (lambda: ep.Costs(cash_rate_pa={"USD": True}), "cash_rate_pa of USD"),
    "rates without dates": (lambda: ep.Costs(cash_rate_pa={"USD": pd.Series([0.01])}), "Series"),
    "dated rates in words": (lambda: ep.Costs(cash_rate_pa={"USD": pd.Series("1", DATES)}), "Series"),
    "dated rates with a gap": (
        lambda: ep.Costs(cash_rate_pa={"USD": pd.Series([0.01, np.nan], DATES)}),
        "nan",
    ),
    **{
        f"{name}: a word": (lambda name=name: ep.Costs(**{name: "yes"}), f"{name} is 'yes'")
        for name in (*SWITCHES, *CHOICES, *AMOUNTS, *STATES)
    },
    **{
        f"{name}: {given!r}": (lambda name=name, given=given: ep.Costs(**{name: given}), name)
        for name in AMOUNTS
        for given in (-1.0, float("nan"), True)
    },
    **{f"{name}: its bound": (lambda name=name: ep.Costs(**{name: AMOUNTS[name]}), name) for name in AMOUNTS},
    **{
        f"{name}: None": (lambda name=name: ep.Costs(**{name: None}), name)
        for name in (*SWITCHES, *CHOICES, *(name for name in AMOUNTS if name not in BY_SYMBOL), *STATES[1:])
    },
    **{
        f"{name}: {given!r}": (lambda name=name, given=given: ep.Costs(**{name: given}), "path.names")
        for name in STATES
        for given in (2, {"delisting"}, [-1], {1.0}, {True})
    },
    **{
        f"{name}: {what} as dates": (
            lambda name=name, index=index: ep.Costs(**{name: dated(0.01, index)}),
            f"the dates of {name}",
        )
        for name in BY_DATE
        for what, index in BAD_DATES.items()
    },
    **{
        f"availability: {what} as dates": (
            lambda index=index: ep.Costs(availability=dated("recall", index)),
            "the dates of availability",
        )
        for what, index in BAD_DATES.items()
    },
    **{
        f"cash_rate_pa: {what} as dates": (
            lambda index=index: ep.Costs(cash_rate_pa={"USD": pd.Series(0.01, index)}),
            "the dates of cash_rate_pa of USD",
        )
        for what, index in BAD_DATES.items()
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_costs_are_refused_in_one_sentence(name: str) -> None:
    make, word = REFUSED[name]
    with pytest.raises(ParameterError) as refused:
        make()
    message = str(refused.value)
    assert word in message
    assert "\n" not in message
    assert 20 < len(message) < 500


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
    "default": (ep.Costs(), {}),
    "none": (ep.Costs.none(), FREE),
    "flat": (ep.Costs.flat(10), {**FREE, "fee_bps": 10.0}),
    "statutory": (
        ep.Costs.statutory(),
        {**NOTHING_HELD, "fees": {("XHKG", "brokerage"): Fee(), ("XNYS", "brokerage"): Fee()}},
    ),
    "institutional": (
        ep.Costs.institutional(),
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
        ep.Costs.retail(),
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
    costs, changed = PRESETS[name]
    assert differences(costs, ep.Costs()) == changed


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
        assert paid(one_fill("1.HK", 1_000, 100.0, PRESETS[name][0])) == taxes | expected, name
    # US$100,000 of 1,000 shares sold: 27.80 a million = 2.78, 0.000166 a share = 0.166, up to 0.17
    taxes = {"sec_section31": 2.78, "finra_taf": 0.17}
    for name, expected in {"default": 3.5, "institutional": 3.5, "retail": 3.5}.items():  # 0.0035 a share
        sale = paid(one_fill("A", -1_000, 100.0, PRESETS[name][0]))
        assert sale == taxes | {"brokerage": expected}, name
    assert paid(one_fill("A", -1_000, 100.0, ep.Costs.statutory())) == taxes


def test_minimum_brokerage_of_the_presets() -> None:
    # HK$5,000: 3 bp are 1.50, 2 bp 1.00 and 25 bp 12.50
    small = {"default": 3.0, "statutory": 0.0, "institutional": 1.0, "retail": 100.0}
    for name, expected in small.items():
        fill = one_fill("1.HK", 100, 50.0, PRESETS[name][0])
        assert fill["brokerage"] == pytest.approx(expected), name
    # 20 shares at 0.0035 are 0.07
    small = {"default": 0.35, "statutory": 0.0, "institutional": 0.07, "retail": 0.35}
    for name, expected in small.items():
        assert one_fill("A", 20, 50.0, PRESETS[name][0])["brokerage"] == pytest.approx(expected), name


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
