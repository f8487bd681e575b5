"""One trade on real prices, from decision to exit, worked out with a pencil.

Alibaba, long 9988.HK and short BABA, decided at New York's close of 2020-03-25 and left again in April. The
prices come straight from the files; every rate below was typed from its source, none is read from entrepot.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

import entrepot as ep

STAMP_DUTY = 0.001  # Stamp Duty Ordinance Cap. 117, 0.10 % until 2021-07-31, up to a whole HK$
SFC_LEVY = 0.000027  # HKEX transaction fees, from 2014-11-01
TRADING_FEE = 0.00005  # HKEX, until 2022-12-31
CCASS = 0.00002  # HKSCC, at least HK$2 and at most HK$100 until 2025-06-29
HK_BROKERAGE = 0.0003  # the model's default
SECTION_31 = 22.10e-6  # FINRA Information Notice 2020-02-03: from 2020-02-18, sales only
TAF = 0.000119  # FINRA By-Laws Schedule A s. 1, per share sold, until 2021-12-31
US_BROKERAGE = 0.0035  # per share, the model's default
BORROW = 0.004  # calm, a megacap; of short value, a year of 360 days
POLICY_RATE = (0.0 + 0.0025) / 2  # Fed funds 0 to 0.25 % from 2020-03-16
ADS_SERVICE_FEE = 0.02  # per ADS and year
TICK_100_TO_200, TICK_200_TO_500 = 0.1, 0.2  # HKEX spread table before 2025-08-04


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name, index_col="Date")


def nearest_cent(amount: float) -> float:
    return math.floor(amount * 100 + 0.5) / 100


def hong_kong_fees(notional: float) -> dict[str, float]:
    return {
        "stamp_duty": math.ceil(notional * STAMP_DUTY),
        "sfc_levy": nearest_cent(notional * SFC_LEVY),
        "trading_fee": nearest_cent(notional * TRADING_FEE),
        "settlement_fee": min(max(nearest_cent(notional * CCASS), 2.0), 100.0),
        "brokerage": notional * HK_BROKERAGE,
    }


def new_york_fees(shares: float, notional: float, *, sells: bool) -> dict[str, float]:
    fees = {"brokerage": shares * US_BROKERAGE}
    if sells:
        fees["sec_section31"] = math.ceil(notional * SECTION_31 * 100) / 100
        fees["finra_taf"] = math.ceil(shares * TAF * 100) / 100
    return fees


@pytest.fixture(scope="module")
def result(real_prices: Path) -> ep.Result:
    market = ep.load_market(real_prices, start="2019-06-03", ends="cut")
    return ep.backtest(market, ep.LongHKShortADR(pairs=["BABA"], weight=0.10), check=True)


def test_entry_fills_fees_borrow_and_exit(result: ep.Result, real_prices: Path) -> None:
    hk, us, fx = (table(real_prices, name) for name in ("9988.HK.csv", "BABA.csv", "HKD=X.csv"))
    entry, hedge, trim, trim_hedge, leave, cover = (row for _, row in result.fills.head(6).iterrows())
    grid = result.market.grid

    # The decision: New York's close of 25 March, at that close's equity, the last Hong Kong close and the
    # ECB's rate of that day, fixed at 14:15 in Frankfurt, before New York's close.
    decided = grid.loc[entry["decided_step"]]
    assert (str(decided["session"].date()), decided["venue"], decided["phase"]) == (
        "2020-03-25",
        "XNYS",
        "close",
    )
    equity = result.equity.iloc[entry["decided_step"]]
    per_share = hk.at["2020-03-25", "Close"] / fx.at["2020-03-25", "Close"]
    # A tenth of equity, in whole lots of 100 in Hong Kong and whole ADSs of 8: units of 200 shares.
    shares = math.floor(0.10 * equity / per_share / 200) * 200

    # Entry: Hong Kong opens first, the ADS follow at New York's next print, its close (no opens on file yet).
    assert (str(entry["time"]), entry["symbol"], entry["quantity"]) == (
        "2020-03-26 01:30:00+00:00",
        "9988.HK",
        shares,
    )
    assert entry["price"] == hk.at["2020-03-26", "Open"]
    assert entry["fill_price"] == pytest.approx(hk.at["2020-03-26", "Open"] + TICK_100_TO_200 / 2)
    assert (str(hedge["time"]), hedge["symbol"], hedge["quantity"]) == (
        "2020-03-26 20:00:00+00:00",
        "BABA",
        -shares / 8,
    )
    assert hedge["price"] == us.at["2020-03-26", "Close"]
    assert hedge["fill_price"] == pytest.approx(us.at["2020-03-26", "Close"] * (1 - 2e-4))

    # In between, a drift beyond a tenth of the target is trimmed on both legs alike; then the exit.
    assert trim["quantity"] == -8 * trim_hedge["quantity"]
    assert leave["quantity"] == -(shares + trim["quantity"])
    assert cover["quantity"] == shares / 8 - trim_hedge["quantity"]
    for fill, tick in ((trim, TICK_200_TO_500), (leave, TICK_200_TO_500)):
        date = str(fill["session"].date())
        assert fill["fill_price"] == pytest.approx(hk.at[date, "Open"] - tick / 2)
    for fill in (trim_hedge, cover):
        date = str(fill["session"].date())
        assert fill["fill_price"] == pytest.approx(us.at[date, "Close"] * (1 + 2e-4))

    # Each fee of each of the six orders, against the schedule of its date.
    for fill in (entry, hedge, trim, trim_hedge, leave, cover):
        size, notional = abs(fill["quantity"]), abs(fill["quantity"]) * fill["fill_price"]
        if fill["symbol"] == "9988.HK":
            expected = hong_kong_fees(notional)
        else:
            expected = new_york_fees(size, notional, sells=fill["quantity"] < 0)
        for kind, amount in expected.items():
            assert fill[kind] == pytest.approx(amount, abs=1e-6), (fill["step"], kind)
        assert fill["fees"] == pytest.approx(sum(expected.values()), abs=1e-6)

    # Borrow, rebate and service fee: from each New York close to the next, on the close before.
    days = us.index[(us.index >= "2020-03-26") & (us.index <= "2020-04-21")]
    short = {
        d: -hedge["quantity"] if d < str(trim_hedge["session"].date()) else cover["quantity"] for d in days
    }
    spans = [(a, (pd.Timestamp(b) - pd.Timestamp(a)).days) for a, b in pairwise(days)]
    value_days = sum(short[d] * us.at[d, "Close"] * n for d, n in spans)
    ads_days = sum(short[d] * n for d, n in spans)
    booked = result.contributions.iloc[: cover["step"] + 1].sum()
    assert booked["borrow", "BABA"] == pytest.approx(-value_days * BORROW / 360, rel=1e-9)
    assert booked["rebate", "BABA"] == pytest.approx(value_days * (POLICY_RATE - 0.005) / 360, rel=1e-9)
    assert booked["ads_fee", "BABA"] == pytest.approx(-ads_days * ADS_SERVICE_FEE / 365, rel=1e-9)

    # The short's own profit: sold, partly bought back, bought back.
    sold = sum(f["quantity"] * f["price"] for f in (hedge, trim_hedge, cover))
    assert booked["price", "BABA"] == pytest.approx(-sold, rel=1e-9)
    assert result.positions.iloc[cover["step"]].abs().sum() == 0
