"""Every period of every dated fee, worked out by hand on one trade and charged by the engine.

Dates are sessions: the last one of a period and the first one of the next. Where a period begins on a weekend
or a holiday, the session is the first after it. No rate below is read from entrepot.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pandas as pd
import pytest

import entrepot as ep
from entrepot.markets.fees import HK_KINDS, US_KINDS, fee_schedule, fee_table, settlement_days

CLOSES = {"XHKG": "08:00", "XNYS": "21:00"}
CURRENCY = {"XHKG": "HKD", "XNYS": "USD"}
ITEMS = {"XHKG": HK_KINDS, "XNYS": US_KINDS}


class Trade(NamedTuple):
    shares: int
    price: float


# Hong Kong
PLAIN = Trade(1_700, 93.35)  # HK$158,695.00
TINY = Trade(100, 4.10)  # HK$410.00
HUGE = Trade(40_000, 312.40)  # HK$12,496,000.00
EXACT = Trade(500, 40.00)  # HK$20,000.00
# New York
SALE = Trade(8_300, 87.13)  # US$723,179.00
MANY = Trade(60_000, 12.50)  # US$750,000.00, more shares than the cap of the trading activity fee
FEW = Trade(40, 20.00)  # US$800.00


def market_of(venue: str, date: str, price: float, **changes: Any) -> ep.Market:
    """One line with one price, at the close of a date and of the day before."""
    days = pd.DatetimeIndex([pd.Timestamp(date) - pd.Timedelta(days=1), pd.Timestamp(date)])
    return closes_of(venue, days, price, **changes)


def closes_of(venue: str, days: pd.DatetimeIndex, price: float, **changes: Any) -> ep.Market:
    hong_kong = venue == "XHKG"
    row = {
        "venue": venue,
        "currency": CURRENCY[venue],
        "company": "Company",
        "sector": "unclassified",
        "kind": "ordinary" if hong_kong else "stock",
        "pair": "",
        "lot": 100.0 if hong_kong else 1.0,
        "adjustment": "raw",
        "shortable": True,
        "size": "mega",
        "withholding": 0.0,
        "fee_class": "hk_stock" if hong_kong else "us_stock",
    }
    times = pd.DatetimeIndex([f"{day.date()} {CLOSES[venue]}" for day in days], tz="UTC").as_unit("ns")
    grid = pd.DataFrame({"time": times, "venue": venue, "phase": "close", "session": days.as_unit("ns")})
    return ep.Market(
        grid=grid.rename_axis("step"),
        price=pd.DataFrame({"LINE": price}, index=times.rename("time")),
        instruments=pd.DataFrame([row | changes], index=pd.Index(["LINE"], name="symbol")),
        fixings=pd.DataFrame({"time": times, "currency": "HKD", "per_usd": 7.8}),
    )


def fill_of(venue: str, date: str, trade: Trade, sign: int, **changes: Any) -> pd.Series:
    """The one fill of a trade on a date: half the equity, wanted at the close before."""
    market = market_of(venue, date, trade.price, **changes)
    weights = pd.DataFrame({"LINE": [0.5 * sign]}, index=[market.grid["session"].iloc[0]])
    result = ep.backtest(
        market,
        weights,
        capital=2.0 * trade.shares * trade.price,
        base_currency=CURRENCY[venue],
        costs=ep.Costs(half_spread_bps=0.0),
        check=True,
    )
    assert len(result.fills) == 1
    fill = result.fills.iloc[0]
    assert str(fill["session"].date()) == date
    assert fill["quantity"] == sign * trade.shares
    assert fill["notional"] == pytest.approx(trade.shares * trade.price, rel=1e-12)
    return fill


# Per order: stamp duty, SFC levy, AFRC levy, trading fee, settlement fee, brokerage; the last is the model's
# default of 3 bp and at least HK$3 (no source: freely negotiable since 2003-04-01), and is not rounded.
#   stamp duty  up to a whole HK$; Stamp Duty Ordinance Cap. 117 Sch. 1 head 2(1), Revenue (Stamp Duty)
#               Ordinance 2021, Stamp Duty (Amendment) (Stock Transfers) Ordinance 2023
#   SFC levy    to the nearest cent, from 2014-11-01; HKEX transaction fees page
#   AFRC levy   to the nearest cent, from 2022-01-01; HKEX transaction fees page
#   trading fee to the nearest cent; HKEX, since 2023 HKEX transaction fees page
#   settlement  to the nearest cent, HK$2 to HK$100 until 2025-06-29; HKEX/HKSCC, HKEX news 2025-02-21
HONG_KONG: list[tuple[str, Trade, tuple[float, ...]]] = [
    # HK$158,695.00 at 0.10 % = 158.695, 0.0027 % = 4.284765, 0.005 % = 7.93475, 0.002 % = 3.1739,
    # 3 bp = 47.6085
    ("2018-01-02", PLAIN, (159, 4.28, 0, 7.93, 3.17, 47.6085)),
    ("2021-07-30", PLAIN, (159, 4.28, 0, 7.93, 3.17, 47.6085)),  # the last session of 0.10 %
    # at 0.13 % = 206.3035
    ("2021-08-02", PLAIN, (207, 4.28, 0, 7.93, 3.17, 47.6085)),
    ("2021-12-31", PLAIN, (207, 4.28, 0, 7.93, 3.17, 47.6085)),  # the last without the AFRC levy
    # 0.00015 % = 0.2380425
    ("2022-01-03", PLAIN, (207, 4.28, 0.24, 7.93, 3.17, 47.6085)),
    ("2022-12-30", PLAIN, (207, 4.28, 0.24, 7.93, 3.17, 47.6085)),  # the last trading fee of 0.005 %
    # 0.00565 % = 8.9662675
    ("2023-01-03", PLAIN, (207, 4.28, 0.24, 8.97, 3.17, 47.6085)),
    ("2023-11-16", PLAIN, (207, 4.28, 0.24, 8.97, 3.17, 47.6085)),  # the last of 0.13 %
    ("2023-11-17", PLAIN, (159, 4.28, 0.24, 8.97, 3.17, 47.6085)),
    ("2025-06-27", PLAIN, (159, 4.28, 0.24, 8.97, 3.17, 47.6085)),  # the last settlement fee of 0.002 %
    # 0.0042 % = 6.66519
    ("2025-06-30", PLAIN, (159, 4.28, 0.24, 8.97, 6.67, 47.6085)),
    ("2026-10-05", PLAIN, (159, 4.28, 0.24, 8.97, 6.67, 47.6085)),
    # HK$410.00 at 0.10 % = 0.41 or 0.13 % = 0.533, both up to HK$1; 0.0027 % = 0.01107; 0.00015 % = 0.000615;
    # 0.005 % = 0.0205 or 0.00565 % = 0.023165; 0.002 % = 0.0082, lifted to the floor; 3 bp = 0.123, to HK$3
    ("2018-01-02", TINY, (1, 0.01, 0, 0.02, 2, 3)),
    ("2022-01-03", TINY, (1, 0.01, 0, 0.02, 2, 3)),
    ("2025-06-27", TINY, (1, 0.01, 0, 0.02, 2, 3)),
    # 0.0042 % = 0.01722, no floor
    ("2025-06-30", TINY, (1, 0.01, 0, 0.02, 0.02, 3)),
    # HK$12,496,000.00 at 0.10 % = 12,496 exactly, 0.0027 % = 337.392, 0.005 % = 624.80,
    # 0.002 % = 249.92, cut to the cap, 3 bp = 3,748.80
    ("2018-01-02", HUGE, (12_496, 337.39, 0, 624.80, 100, 3_748.80)),
    # at 0.13 % = 16,244.80; 0.00015 % = 18.744; 0.00565 % = 706.024
    ("2023-11-16", HUGE, (16_245, 337.39, 18.74, 706.02, 100, 3_748.80)),
    ("2025-06-27", HUGE, (12_496, 337.39, 18.74, 706.02, 100, 3_748.80)),
    # 0.0042 % = 524.832, no cap
    ("2025-06-30", HUGE, (12_496, 337.39, 18.74, 706.02, 524.83, 3_748.80)),
    # HK$20,000.00: whole dollars of duty stay as they are, 20 and 26; 0.0027 % = 0.54; 0.00015 % = 0.03;
    # 0.005 % = 1.00 or 0.00565 % = 1.13; 0.002 % = 0.40, to the floor, or 0.0042 % = 0.84; 3 bp = 6.00
    ("2021-08-02", EXACT, (26, 0.54, 0, 1.00, 2, 6)),
    ("2025-06-30", EXACT, (20, 0.54, 0.03, 1.13, 0.84, 6)),
]

# Exchange-traded products: no stamp duty, and 0.002 % for settlement before and after; HKEX news 2025-02-21.
FUNDS: list[tuple[str, Trade, tuple[float, ...]]] = [
    ("2025-06-27", PLAIN, (0, 4.28, 0.24, 8.97, 3.17, 47.6085)),
    ("2025-06-30", PLAIN, (0, 4.28, 0.24, 8.97, 3.17, 47.6085)),
    ("2025-06-27", TINY, (0, 0.01, 0, 0.02, 2, 3)),
    ("2025-06-30", TINY, (0, 0.01, 0, 0.02, 0.01, 3)),  # 0.002 % = 0.0082, no floor
    ("2025-06-27", HUGE, (0, 337.39, 18.74, 706.02, 100, 3_748.80)),
    ("2025-06-30", HUGE, (0, 337.39, 18.74, 706.02, 249.92, 3_748.80)),  # 0.002 % = 249.92, no cap
]

# Per sale: Section 31, trading activity fee, brokerage; the last is the model's default of US$0.0035 a share
# and at least US$0.35 (no source: a typical tiered schedule), paid by buyers too.
#   Section 31              up to the cent, by the million of sales; SEC fee rate advisories, named below
#   trading activity fee    up to the cent, per share with a cap per order; FINRA By-Laws Sched. A s. 1
NEW_YORK: list[tuple[str, Trade, tuple[float, ...]]] = [
    # US$723,179.00 and 8,300 shares: 0.000119 a share = 0.9877; brokerage 29.05
    ("2018-01-02", SALE, (16.71, 0.99, 29.05)),  # 23.10 a million = 16.7054349; SEC fee rate advisory
    ("2018-05-21", SALE, (16.71, 0.99, 29.05)),
    ("2018-05-22", SALE, (9.41, 0.99, 29.05)),  # 13.00 = 9.401327; SEC fee rate advisory
    ("2019-04-15", SALE, (9.41, 0.99, 29.05)),
    ("2019-04-16", SALE, (14.97, 0.99, 29.05)),  # 20.70 = 14.9698053; Advisory #2 FY2019, 84 FR 9576
    ("2020-02-14", SALE, (14.97, 0.99, 29.05)),
    ("2020-02-18", SALE, (15.99, 0.99, 29.05)),  # 22.10 = 15.9822559; FINRA Information Notice 2020-02-03
    ("2021-02-24", SALE, (15.99, 0.99, 29.05)),
    ("2021-02-25", SALE, (3.69, 0.99, 29.05)),  # 5.10 = 3.6882129; Advisory #2 FY2021
    ("2021-12-31", SALE, (3.69, 0.99, 29.05)),
    ("2022-01-03", SALE, (3.69, 1.08, 29.05)),  # 0.00013 a share = 1.079; SR-FINRA-2024-019
    ("2022-05-13", SALE, (3.69, 1.08, 29.05)),
    ("2022-05-16", SALE, (16.57, 1.08, 29.05)),  # 22.90 = 16.5607991; SEC fee rate advisory
    ("2022-12-30", SALE, (16.57, 1.08, 29.05)),
    ("2023-01-03", SALE, (16.57, 1.21, 29.05)),  # 0.000145 a share = 1.2035; SR-FINRA-2024-019
    ("2023-02-24", SALE, (16.57, 1.21, 29.05)),
    ("2023-02-27", SALE, (5.79, 1.21, 29.05)),  # 8.00 = 5.785432; SEC Rel. 34-96724, 88 FR 5051
    ("2023-12-29", SALE, (5.79, 1.21, 29.05)),
    ("2024-01-02", SALE, (5.79, 1.38, 29.05)),  # 0.000166 a share = 1.3778; SR-FINRA-2024-019
    ("2024-05-21", SALE, (5.79, 1.38, 29.05)),
    ("2024-05-22", SALE, (20.11, 1.38, 29.05)),  # 27.80 = 20.1043762; SEC Rel. 34-99973, 89 FR 29402
    ("2025-05-13", SALE, (20.11, 1.38, 29.05)),
    ("2025-05-14", SALE, (0, 1.38, 29.05)),  # nothing; Advisory #2 FY2025, FINRA notice 2025-04-24
    ("2025-12-31", SALE, (0, 1.38, 29.05)),
    ("2026-01-02", SALE, (0, 1.62, 29.05)),  # 0.000195 a share = 1.6185; SR-FINRA-2024-019
    ("2026-04-02", SALE, (0, 1.62, 29.05)),  # the session before Good Friday, 3 April
    ("2026-04-06", SALE, (14.90, 1.62, 29.05)),  # 20.60 = 14.8974874; SEC Rel. 34-104909, 91 FR 10643
    ("2026-09-30", SALE, (14.90, 1.62, 29.05)),
    ("2026-10-01", SALE, (14.90, 0, 29.05)),  # nothing; SR-FINRA-2026-021, SEC Rel. 34-106409
    ("2026-12-31", SALE, (14.90, 0, 29.05)),
    ("2027-01-04", SALE, (14.90, 1.62, 29.05)),  # 0.000195 a share again; SR-FINRA-2026-020
    ("2029-01-02", SALE, (14.90, 1.62, 29.05)),  # after the schedule's end its last row is carried
    # US$750,000.00 and 60,000 shares, more than any cap allows; brokerage 210.00
    ("2018-01-02", MANY, (17.33, 5.95, 210.00)),  # 23.10 a million = 17.325; 7.14 cut to 5.95
    ("2021-12-31", MANY, (3.83, 5.95, 210.00)),  # 5.10 = 3.825
    ("2022-01-03", MANY, (3.83, 6.49, 210.00)),  # 7.80 cut
    ("2022-12-30", MANY, (17.18, 6.49, 210.00)),  # 22.90 = 17.175
    ("2023-01-03", MANY, (17.18, 7.27, 210.00)),  # 8.70 cut
    ("2024-01-02", MANY, (6.00, 8.30, 210.00)),  # 8.00 = 6.00 exactly; 9.96 cut
    ("2026-01-02", MANY, (0, 9.79, 210.00)),  # 11.70 cut
    ("2026-10-01", MANY, (15.45, 0, 210.00)),  # 20.60 = 15.45 exactly
    ("2027-01-04", MANY, (15.45, 9.79, 210.00)),  # 11.70 cut
    # US$800.00 and 40 shares: a cent at least where anything is due; brokerage 0.14, lifted to 0.35
    ("2018-01-02", FEW, (0.02, 0.01, 0.35)),  # 23.10 a million = 0.01848; 0.00476
    ("2021-02-25", FEW, (0.01, 0.01, 0.35)),  # 5.10 = 0.00408
    ("2024-05-22", FEW, (0.03, 0.01, 0.35)),  # 27.80 = 0.02224; 0.00664
    ("2025-05-14", FEW, (0, 0.01, 0.35)),
    ("2026-10-01", FEW, (0.02, 0, 0.35)),  # 20.60 = 0.01648
]


def names(cases: list[tuple[str, Trade, tuple[float, ...]]]) -> list[str]:
    return [f"{date}, {trade.shares} at {trade.price:g}" for date, trade, _ in cases]


@pytest.mark.parametrize(("date", "trade", "fees"), HONG_KONG, ids=names(HONG_KONG))
@pytest.mark.parametrize("sign", [1, -1], ids=["bought", "sold"])
def test_hong_kong(date: str, trade: Trade, fees: tuple[float, ...], sign: int) -> None:
    fill = fill_of("XHKG", date, trade, sign)
    for kind, amount in zip(ITEMS["XHKG"], fees, strict=True):
        assert fill[kind] == pytest.approx(amount, abs=1e-7), kind
    assert fill["fees"] == pytest.approx(sum(fees), abs=1e-7)


@pytest.mark.parametrize(("date", "trade", "fees"), FUNDS, ids=names(FUNDS))
def test_hong_kong_funds(date: str, trade: Trade, fees: tuple[float, ...]) -> None:
    fill = fill_of("XHKG", date, trade, 1, kind="etf", fee_class="hk_etp")
    for kind, amount in zip(ITEMS["XHKG"], fees, strict=True):
        assert fill[kind] == pytest.approx(amount, abs=1e-7), kind
    assert fill["fees"] == pytest.approx(sum(fees), abs=1e-7)


@pytest.mark.parametrize(("date", "trade", "fees"), NEW_YORK, ids=names(NEW_YORK))
def test_new_york(date: str, trade: Trade, fees: tuple[float, ...]) -> None:
    sold = fill_of("XNYS", date, trade, -1)
    for kind, amount in zip(ITEMS["XNYS"], fees, strict=True):
        assert sold[kind] == pytest.approx(amount, abs=1e-7), kind
    assert sold["fees"] == pytest.approx(sum(fees), abs=1e-7)
    bought = fill_of("XNYS", date, trade, 1)
    assert bought["brokerage"] == bought["fees"] == pytest.approx(fees[-1], abs=1e-7)


# Of a seller, on the last day of a period and on the first of the next, weekends included: rate, amount per
# share, minimum, maximum, unit of rounding, up. Sources as above.
INF = math.inf
ROWS = [
    ("hk_stock", "stamp_duty", "2021-07-31", (1e-3, 0, 1, INF, 1, 1)),
    ("hk_stock", "stamp_duty", "2021-08-01", (1.3e-3, 0, 1, INF, 1, 1)),
    ("hk_stock", "stamp_duty", "2023-11-16", (1.3e-3, 0, 1, INF, 1, 1)),
    ("hk_stock", "stamp_duty", "2023-11-17", (1e-3, 0, 1, INF, 1, 1)),
    ("hk_stock", "afrc_levy", "2021-12-31", (0, 0, 0, INF, 0, 0)),
    ("hk_stock", "afrc_levy", "2022-01-01", (1.5e-6, 0, 0, INF, 0.01, 0)),
    ("hk_stock", "trading_fee", "2022-12-31", (5e-5, 0, 0, INF, 0.01, 0)),
    ("hk_stock", "trading_fee", "2023-01-01", (5.65e-5, 0, 0, INF, 0.01, 0)),
    ("hk_stock", "settlement_fee", "2025-06-29", (2e-5, 0, 2, 100, 0.01, 0)),
    ("hk_stock", "settlement_fee", "2025-06-30", (4.2e-5, 0, 0, INF, 0.01, 0)),
    ("hk_etp", "settlement_fee", "2025-06-29", (2e-5, 0, 2, 100, 0.01, 0)),
    ("hk_etp", "settlement_fee", "2025-06-30", (2e-5, 0, 0, INF, 0.01, 0)),
    ("us_stock", "sec_section31", "2025-05-13", (2.78e-5, 0, 0, INF, 0.01, 1)),
    ("us_stock", "sec_section31", "2025-05-14", (0, 0, 0, INF, 0.01, 1)),
    ("us_stock", "sec_section31", "2026-04-03", (0, 0, 0, INF, 0.01, 1)),
    ("us_stock", "sec_section31", "2026-04-04", (2.06e-5, 0, 0, INF, 0.01, 1)),
    ("us_stock", "finra_taf", "2025-12-31", (0, 1.66e-4, 0, 8.30, 0.01, 1)),
    ("us_stock", "finra_taf", "2026-01-01", (0, 1.95e-4, 0, 9.79, 0.01, 1)),
    ("us_stock", "finra_taf", "2026-09-30", (0, 1.95e-4, 0, 9.79, 0.01, 1)),
    ("us_stock", "finra_taf", "2026-10-01", (0, 0, 0, 0, 0.01, 1)),
    ("us_stock", "finra_taf", "2026-12-31", (0, 0, 0, 0, 0.01, 1)),
    ("us_stock", "finra_taf", "2027-01-01", (0, 1.95e-4, 0, 9.79, 0.01, 1)),
]


@pytest.mark.parametrize(("fee_class", "kind", "date", "row"), ROWS, ids=[" ".join(r[:3]) for r in ROWS])
def test_the_row_in_force_around_each_change(
    fee_class: str, kind: str, date: str, row: tuple[float, ...]
) -> None:
    table = fee_table(fee_class, pd.DatetimeIndex([date]))
    assert tuple(float(column[0, table.kinds.index(kind), 1]) for column in table[1:]) == row


def test_every_period_of_the_schedule_has_a_worked_example() -> None:
    """A row that is added to the schedule needs an example above."""
    worked = {
        ("HK", "equities"): [date for date, _, _ in HONG_KONG],
        ("HK", "ETFs/L&I products"): [date for date, _, _ in FUNDS],
        ("US", "equities"): [date for date, _, _ in NEW_YORK],
    }
    schedule = fee_schedule()
    checked = 0
    for venue, market in (("XHKG", "HK"), ("XNYS", "US")):
        rows = schedule[(schedule["market"] == market) & schedule["item"].isin(ITEMS[venue].values())]
        for _, row in rows.iterrows():
            funds = row["applies_to"] == "ETFs/L&I products"
            dates = pd.DatetimeIndex(worked[market, "ETFs/L&I products" if funds else "equities"])
            inside = ~(dates < row["effective_from"]) & ~(dates > row["effective_to"])
            assert inside.any(), row["schedule_id"]
            checked += 1
    assert checked == 12 + 10 + 7 + 1  # Hong Kong, Section 31, trading activity fee, New York's brokerage


# A purchase of 50,000 out of 100,000, decided on the first session and filled on the second. Cash earns 0.1 %
# a day (36 % over 360 days, or 36.5 % over 365), and the 50,000 earn it until they are paid.
SETTLEMENTS = {
    # T+2, SEC Rule 15c6-1: Friday's purchase is paid on Wednesday, Monday 27 May being Memorial Day
    "New York, bought on 2024-05-24": (
        "XNYS",
        ["2024-05-23", "2024-05-24", "2024-05-28", "2024-05-29", "2024-05-30"],
        # 100,000.00 for 1 day, 100,100.00 for 4, 100,500.40 for 1, then 100,600.9004 - 50,000 for 1
        [0, 100.00, 400.40, 100.5004, 50.6009004],
    ),
    # T+1 from Tuesday 28 May 2024, SEC Rel. 34-96930: paid on Wednesday
    "New York, bought on 2024-05-28": (
        "XNYS",
        ["2024-05-24", "2024-05-28", "2024-05-29", "2024-05-30"],
        # 100,000.00 for 4 days, 100,400.00 for 1, then 100,500.40 - 50,000 for 1
        [0, 400.00, 100.40, 50.5004],
    ),
    # T+2, HKEX: Tuesday's purchase is paid on Thursday
    "Hong Kong, bought on 2024-05-28": (
        "XHKG",
        ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30", "2024-05-31"],
        # 100,000.00, 100,100.00 and 100,200.10 for 1 day each, then 100,300.3001 - 50,000
        [0, 100.00, 100.10, 100.2001, 50.3003001],
    ),
}


@pytest.mark.parametrize(("venue", "sessions", "interest"), SETTLEMENTS.values(), ids=list(SETTLEMENTS))
def test_a_purchase_earns_interest_until_it_settles(
    venue: str, sessions: list[str], interest: list[float]
) -> None:
    market = closes_of(venue, pd.DatetimeIndex(sessions), 50.0)
    weights = pd.DataFrame({"LINE": [0.5]}, index=[pd.Timestamp(sessions[0])])
    costs = ep.Costs.none().with_(cash_rate_pa={"USD": 0.36, "HKD": 0.365})
    currency = CURRENCY[venue]
    result = ep.backtest(market, weights, capital=100_000.0, base_currency=currency, costs=costs, check=True)
    assert result.fills[["step", "quantity"]].to_numpy().tolist() == [[1, 1_000.0]]
    earned = result.contributions["interest", f"cash:{currency}"]
    assert earned.tolist() == pytest.approx(interest, abs=1e-9)


def test_settlement_days_of_each_cycle() -> None:
    # New York: T+2 by SEC Rule 15c6-1, T+1 for trades from Tuesday 28 May 2024 by SEC Rel. 34-96930
    sessions = pd.DatetimeIndex(["2018-01-02", "2024-05-24", "2024-05-28", "2026-10-01"])
    assert settlement_days("XNYS", sessions).tolist() == [2, 2, 1, 1]
    assert settlement_days("XHKG", sessions).tolist() == [2, 2, 2, 2]  # HKEX, since 1992-06-24
