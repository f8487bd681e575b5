"""Each expectation is worked out by hand from the row whose source_ref stands beside it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from entrepot.errors import DataError, EntrepotError
from entrepot.markets import fees
from entrepot.markets.fees import (
    FeeTable,
    borrow_table,
    fee_schedule,
    fee_table,
    half_tick,
    policy_rate,
    policy_rates_end,
    settlement_days,
)

BUY, SELL = 0, 1


def days(*dates: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(dates)


def charge(table: FeeTable, kind: str, side: int, shares: float, notional: float) -> float:
    """The fee of one order on the first date, by the rule FeeTable states."""
    at = 0, table.kinds.index(kind), side
    amount = table.rate[at] * notional + table.per_share[at] * shares
    amount = min(max(amount, table.minimum[at]), table.maximum[at])
    unit = table.unit[at]
    if unit == 0:
        return float(amount)
    whole = math.ceil(round(amount / unit, 9)) if table.up[at] else math.floor(amount / unit + 0.5)
    return float(whole * unit)


@pytest.mark.parametrize(
    ("kind", "day", "expected"),
    [
        # notional HKD 123,456.00, 1,000 shares
        ("stamp_duty", "2021-07-30", 124.0),  # 0.10 % = 123.456, up to HKD 124; Cap.117 Sch.1 head 2(1)
        ("stamp_duty", "2021-08-02", 161.0),  # 0.13 % = 160.4928; Revenue (Stamp Duty) Ordinance 2021
        ("stamp_duty", "2023-11-16", 161.0),  # the last day of 0.13 %
        ("stamp_duty", "2023-11-17", 124.0),  # Stamp Duty (Amendment) (Stock Transfers) Ordinance 2023
        ("sfc_levy", "2018-01-02", 3.33),  # 0.0027 % = 3.333312; HKEX transaction fees page
        ("afrc_levy", "2021-12-31", 0.0),  # not charged before 2022; HKEX transaction fees page
        ("afrc_levy", "2022-01-03", 0.19),  # 0.00015 % = 0.185184; HKEX transaction fees page
        ("trading_fee", "2022-12-30", 6.17),  # 0.005 % = 6.1728; HKEX
        ("trading_fee", "2023-01-03", 6.98),  # 0.00565 % = 6.975264; HKEX transaction fees page
        ("settlement_fee", "2025-06-27", 2.47),  # 0.002 % = 2.46912; HKEX/HKSCC
        ("settlement_fee", "2025-06-30", 5.19),  # 0.0042 % = 5.185152; HKEX news 2025-02-21
        ("brokerage", "2018-01-02", 37.0368),  # 3 bp, model default; freely negotiable since 2003-04-01
    ],
)
@pytest.mark.parametrize("side", [BUY, SELL])
def test_hong_kong_fee_of_one_order_in_each_period(kind: str, day: str, expected: float, side: int) -> None:
    assert charge(fee_table("hk_stock", days(day)), kind, side, 1_000, 123_456.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("day", "notional", "expected"),
    [
        ("2025-06-27", 5_000.0, 2.0),  # 0.10 lifted to the floor of HKD 2; HKEX/HKSCC
        ("2025-06-27", 10_000_000.0, 100.0),  # 200.00 cut to the cap of HKD 100; HKEX/HKSCC
        ("2025-06-30", 5_000.0, 0.21),  # 0.0042 %, neither floor nor cap; HKEX news 2025-02-21
        ("2025-06-30", 10_000_000.0, 420.0),
    ],
)
def test_ccass_floor_and_cap_end_on_2025_06_29(day: str, notional: float, expected: float) -> None:
    assert charge(fee_table("hk_stock", days(day)), "settlement_fee", BUY, 1, notional) == expected


def test_smallest_hong_kong_orders_pay_the_minimum() -> None:
    table = fee_table("hk_stock", days("2024-01-02"))
    assert charge(table, "stamp_duty", BUY, 1, 0.5) == 1.0  # a whole dollar; Cap.117 Sch.1 head 2(1)
    assert charge(table, "stamp_duty", BUY, 1, 20_000.0) == 20.0  # an exact dollar is not rounded further
    assert charge(table, "brokerage", BUY, 1, 1_000.0) == 3.0  # model default minimum


def test_statutory_total_is_the_derived_check_value() -> None:
    # 0.1 % + 0.0027 % + 0.00015 % + 0.00565 % + 0.0042 % = 0.1127 % a side; row hk_total_levels, derived
    table = fee_table("hk_stock", days("2025-06-30"))
    statutory = [k for k, kind in enumerate(table.kinds) if kind != "brokerage"]
    for side in (BUY, SELL):
        assert table.rate[0, statutory, side].sum() == pytest.approx(0.001127, rel=1e-12)
    check = fee_schedule().set_index("schedule_id").loc["hk_total_levels"]
    assert check["rate"] == 0.001127
    assert check["effective_from"] == pd.Timestamp("2025-06-30")


def test_hong_kong_funds_pay_no_stamp_duty_and_keep_their_settlement_fee() -> None:
    table = fee_table("hk_etp", days("2025-06-27", "2025-06-30"))
    assert table.kinds == fee_table("hk_stock", days("2025-06-27")).kinds
    assert charge(table, "stamp_duty", BUY, 1_000, 123_456.0) == 0.0
    settlement = table.kinds.index("settlement_fee")
    assert (table.rate[:, settlement, BUY] == 2e-05).all()  # HKEX news 2025-02-21: 0.002 % for ETFs
    assert table.minimum[:, settlement, BUY].tolist() == [2.0, 0.0]
    assert table.maximum[:, settlement, BUY].tolist() == [100.0, math.inf]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # selling for USD 1,234,567.00, up to the cent
        ("2018-05-21", 28.52),  # 23.10 a million = 28.5185; SEC fee rate advisory
        ("2018-05-22", 16.05),  # 13.00 a million = 16.0494; SEC fee rate advisory
        ("2019-04-16", 25.56),  # 20.70 a million = 25.5555; SEC Fee Rate Advisory #2 FY2019, 84 FR 9576
        ("2020-02-18", 27.29),  # 22.10 a million = 27.2839; FINRA Information Notice 2020-02-03
        ("2021-02-25", 6.30),  # 5.10 a million = 6.2963; SEC Fee Rate Advisory #2 FY2021
        ("2022-05-16", 28.28),  # 22.90 a million = 28.2716; SEC fee rate advisory
        ("2023-02-27", 9.88),  # 8.00 a million = 9.8765; SEC Rel. 34-96724, 88 FR 5051
        ("2024-05-22", 34.33),  # 27.80 a million = 34.3210; SEC Rel. 34-99973, 89 FR 29402
        ("2025-05-13", 34.33),
        ("2025-05-14", 0.0),  # SEC Fee Rate Advisory #2 FY2025
        ("2026-04-02", 0.0),  # the last session before 2026-04-04
        ("2026-04-06", 25.44),  # 20.60 a million = 25.4321; SEC Rel. 34-104909, 91 FR 10643
    ],
)
def test_section_31_in_each_period(day: str, expected: float) -> None:
    table = fee_table("us_stock", days(day))
    assert charge(table, "sec_section31", SELL, 10_000, 1_234_567.0) == pytest.approx(expected)
    assert charge(table, "sec_section31", BUY, 10_000, 1_234_567.0) == 0.0


@pytest.mark.parametrize(
    ("day", "shares", "expected"),
    [
        # FINRA By-Laws Sched. A s.1; SR-FINRA-2024-019
        ("2021-12-31", 10_050, 1.20),  # 0.000119 a share = 1.19595
        ("2021-12-31", 100_000, 5.95),  # 11.90, the cap
        ("2022-01-03", 10_050, 1.31),  # 0.00013 a share = 1.3065
        ("2022-01-03", 100_000, 6.49),
        ("2023-01-03", 10_050, 1.46),  # 0.000145 a share = 1.45725
        ("2023-01-03", 100_000, 7.27),
        ("2024-01-02", 10_050, 1.67),  # 0.000166 a share = 1.6683
        ("2024-01-02", 100_000, 8.30),
        ("2026-01-02", 10_050, 1.96),  # 0.000195 a share = 1.95975
        ("2026-01-02", 100_000, 9.79),
        ("2026-10-01", 100_000, 0.0),  # SR-FINRA-2026-021, SEC Rel. 34-106409
        ("2027-01-04", 10_050, 1.96),  # SR-FINRA-2026-020 holds the rate of 2026
        ("2029-01-02", 10_050, 1.96),  # after the schedule's end its last row is carried
    ],
)
def test_trading_activity_fee_in_each_period(day: str, shares: float, expected: float) -> None:
    table = fee_table("us_stock", days(day))
    assert charge(table, "finra_taf", SELL, shares, 1.0) == pytest.approx(expected)
    assert charge(table, "finra_taf", BUY, shares, 1.0) == 0.0


def test_new_york_brokerage_is_per_share_with_a_minimum() -> None:
    table = fee_table("us_stock", days("2024-01-02"))  # 0.0035 a share, at least 0.35; tiered broker schedule
    assert [charge(table, "brokerage", side, 1_000, 1e6) for side in (BUY, SELL)] == [3.5, 3.5]
    assert charge(table, "brokerage", BUY, 10, 1e6) == 0.35


def test_no_fee_class_has_no_kinds() -> None:
    table = fee_table("none", days("1990-01-02", "1990-01-03"))
    assert table.kinds == ()
    assert all(array.shape == (2, 0, 2) for array in table[1:])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fee_table("us_stock", days("2017-07-03", "2018-01-02")), ["sec_section31", "2017-07-04"]),
        (lambda: fee_table("hk_stock", days("2014-10-31")), ["sfc_transaction_levy", "2014-11-01"]),
        (lambda: fee_table("hk_warrant", days("2020-01-02")), ["hk_warrant", "hk_etp"]),
        (lambda: settlement_days("XNYS", days("2017-09-01")), ["settlement_cycle", "2017-09-05"]),
        (lambda: settlement_days("XLON", days("2020-01-02")), ["XLON", "XHKG"]),
        (lambda: policy_rate("USD", days("2017-12-13")), ["USD", "2017-12-14"]),
        (lambda: policy_rate("CNY", days("2020-01-02")), ["CNY", "HKD"]),
        (lambda: half_tick("XHKG", np.ones(3), days("2020-01-02")), ["(3,)"]),
        (lambda: fee_table("us_stock", pd.DatetimeIndex(["2020-01-02"], tz="UTC")), ["naive"]),
    ],
)
def test_what_the_schedule_cannot_answer_is_refused_by_name(call, words: list[str]) -> None:
    with pytest.raises(EntrepotError) as refusal:
        call()
    assert all(word in str(refusal.value) for word in words)


PRICES = [0.1, 0.3, 5.0, 15.0, 30.0, 60.0, 150.0, 300.0, 700.0, 1500.0, 3000.0, 7000.0]


@pytest.mark.parametrize(
    ("day", "ticks"),
    [
        # HKEX Second Schedule spread table: the three phases
        ("2025-08-01", [0.001, 0.005, 0.01, 0.02, 0.05, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]),
        ("2025-08-04", [0.001, 0.005, 0.01, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]),
        ("2026-07-31", [0.001, 0.005, 0.01, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]),
        ("2026-08-03", [0.001, 0.005, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]),
    ],
)
def test_hong_kong_ticks_by_phase(day: str, ticks: list[float]) -> None:
    half = half_tick("XHKG", np.array([PRICES]), days(day))
    np.testing.assert_allclose(half[0], np.array(ticks) / 2, rtol=1e-12)


def test_a_band_begins_at_its_lower_bound() -> None:
    # lower bound inclusive: 19.98 is in the band of 10 to 20 (0.02), 20.00 in that of 20 to 100 (0.05)
    half = half_tick("XHKG", np.array([19.98, 20.0, 9.99, 10.0]), days(*["2020-01-02"] * 4))
    np.testing.assert_allclose(half, [0.01, 0.025, 0.005, 0.01])


def test_prices_outside_the_spread_table_take_the_nearest_band_and_missing_prices_stay_missing() -> None:
    half = half_tick("XHKG", np.array([[0.005, 12_000.0, np.nan]]), days("2020-01-02"))
    np.testing.assert_allclose(half, [[0.0005, 2.5, np.nan]])
    half = half_tick("XNYS", np.array([[130.0, 0.4, np.nan]]), days("2020-01-02"))
    np.testing.assert_allclose(half, [[0.005, 0.005, np.nan]])  # Reg NMS Rule 612


def test_settlement_shortens_in_new_york_on_2024_05_28() -> None:
    around = days("2024-05-24", "2024-05-27", "2024-05-28", "2024-05-29")
    assert settlement_days("XNYS", around).tolist() == [2, 2, 1, 1]  # Rule 15c6-1; SEC Rel. 34-96930
    assert settlement_days("XHKG", around).tolist() == [2, 2, 2, 2]  # HKEX


def test_policy_rates_step_on_their_day_and_are_carried_after_the_last() -> None:
    # FOMC and HKMA: 1.00-1.25 % and 1.50 % from 2020-03-04, 0-0.25 % and 0.50 % from 2020-03-16
    march = days("2020-03-13", "2020-03-16")
    np.testing.assert_allclose(policy_rate("USD", march), [0.01125, 0.00125])
    np.testing.assert_allclose(policy_rate("HKD", march), [0.015, 0.005])
    assert policy_rates_end() == pd.Timestamp("2025-12-11")
    assert policy_rate("USD", days("2031-01-02"))[0] == pytest.approx(0.03625)  # 3.50-3.75 %
    assert policy_rate("HKD", days("2031-01-02"))[0] == pytest.approx(0.04)


def test_borrow_table_holds_the_estimates_of_the_schedule() -> None:
    table = borrow_table()
    assert table.loc["mega"].tolist() == [0.004, 0.0025, 0.01, 0.015, 0.005, 0.05]
    assert table.loc["mid"].tolist() == [0.015, 0.005, 0.04, 0.06, 0.02, 0.2]
    assert table.loc["small"].tolist() == [0.06, 0.02, 0.2, 0.3, 0.1, 1.0]
    assert table.loc["hk", ["calm", "calm_low", "calm_high"]].tolist() == [0.01, 0.003, 0.03]
    assert table.loc["hk", "stress"] != table.loc["hk", "stress"]


def test_schedule_has_all_rows_and_callers_cannot_change_it() -> None:
    schedule = fee_schedule()
    assert len(schedule) == 101
    schedule["rate"] = 0.0
    assert fee_schedule()["rate"].max() > 0


# What is read, which rows of it (by how their key begins), and the value that contradicts the rest.
SCHEDULE, RATES = (fees._schedule, "fees.csv"), (fees._policy_rates, "policy_rates.csv")
CONTRADICTIONS = [
    (SCHEDULE, "hk_stamp_b", "effective_from", "2021-07-01", "stamp_duty overlap"),
    (SCHEDULE, "hk_stamp_b", "effective_from", "2021-08-02", "stamp_duty overlap, leave a gap"),
    (SCHEDULE, "hk_stamp_b", "effective_to", "", "stamp_duty overlap"),  # open before the last
    (SCHEDULE, "hk_settle_b_etp", "effective_from", "2025-07-01", "ccass_settlement_fee overlap"),  # of funds
    (SCHEDULE, "us_taf_20220101", "rate", "", "US finra_taf has a row without a rate"),
    (
        SCHEDULE,
        "hk_stamp_b",
        "rounding",
        "to taste",
        "or with unknown rounding",
    ),
    (SCHEDULE, "settle_us_a", "effective_to", "2024-05-26", "US settlement_cycle overlap, leave a gap"),
    (SCHEDULE, "settle_hk", "item", "settlement", "HK settlement_cycle overlap"),  # no row at all
    (SCHEDULE, "hk_tick_p1_", "effective_from", "2025-08-05", "HK tick_size overlap, leave a gap"),
    (SCHEDULE, "hk_tick_pre_20", "basis", "price 25 to 100", "price bands"),
    (SCHEDULE, "hk_tick_p1_20", "basis", "price 25 to 50", "price bands"),
    (SCHEDULE, "hk_tick_p2_5000", "basis", "price 5000 to 4000", "price bands"),
    (SCHEDULE, "hk_stamp_b", "effective_from", "1 Aug 2021", "1 Aug 2021"),
    (RATES, "2018-03-22", "fed_funds_low_pct", "", "must be filled"),
    (RATES, "2018-03-22", "hkma_base_rate_pct", "", "must be filled"),
    (RATES, "2018-03-22", "fed_funds_low_pct", "2.25", "low at most high"),
    (RATES, "2018-03-22", "effective_from", "2018-07-22", "in order of date"),
    (RATES, "2018-03-22", "effective_from", "22 March", "22 March"),
]


def read_with(
    monkeypatch: pytest.MonkeyPatch, reading: tuple[Any, str], rows: str, column: str, value: str
) -> pd.DataFrame:
    """What is read from a table of the package in which some rows are changed."""
    read_table = fees.read_table

    def changed(name: str, columns: str, key: str) -> pd.DataFrame:
        table = read_table(name, columns, key)
        those = table[key].str.startswith(rows)
        assert name == reading[1]
        assert those.any()
        table.loc[those, column] = value
        return table

    monkeypatch.setattr(fees, "read_table", changed)
    return reading[0].__wrapped__()


@pytest.mark.parametrize(("reading", "rows", "column", "value", "words"), CONTRADICTIONS)
def test_a_table_that_contradicts_itself_is_refused(
    monkeypatch: pytest.MonkeyPatch, reading: Any, rows: str, column: str, value: str, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        read_with(monkeypatch, reading, rows, column, value)


def test_a_target_may_be_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    # as the federal funds rate was until 2008
    table = read_with(monkeypatch, RATES, "2018-03-22", "fed_funds_low_pct", "1.75")
    assert table["USD"].iloc[1] == 0.0175
