"""An invented company through splits of both lines and its departure, every share and cent counted by hand.

A Hong Kong share is worth HK$80 on 1 February 2021 and HKD 8 are a USD, so the ADS that stands for one share
is US$10. On 10 March each Hong Kong share becomes five of HK$16, and an ADS stands for five. On 14 April each
ADS becomes two of US$5, and stands for two and a half. On 12 May the ADS trades for the last time and becomes
Hong Kong shares. Nobody gains or loses on any of it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from price_folders import write

import entrepot as ep
from entrepot.engine import Costs, backtest
from entrepot.errors import DataError
from entrepot.markets.market import Market
from entrepot.markets.sessions import session_times
from entrepot.strategies.targets import Targets

HK, ADR = "1234.HK", "TST"
START, END, LAST = "2021-02-01", "2021-06-30", "2021-05-12"
CAPITAL, WEIGHT = 1_000_000.0, 0.4
STAGES = ("2021-03-09", "2021-04-13", LAST)  # the last days of each count of shares
ROW = {
    "adr": ADR,
    "hk": "1234",
    "ratio_history": "2015-06-01:1|2021-03-10:5|2021-04-14:2.5",
    "splits": "2021-03-10:hk:5|2021-04-14:ads:2",
    "lot": "1000",
    "us_last": LAST,
}


def line(venue: str, end: str, prices: dict[str, float]) -> pd.DataFrame:
    """A line's file: each price holds from its date on."""
    days = pd.DatetimeIndex(
        session_times(venue, pd.Timestamp(START), pd.Timestamp(end), ("close",))["session"]
    )
    price = (
        pd.Series(prices.values(), index=pd.DatetimeIndex(prices)).reindex(days, method="ffill").to_numpy()
    )
    return pd.DataFrame({"Date": days, "Open": price, "Close": price, "Volume": 1e6})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rates = pd.DataFrame({"Date": pd.bdate_range("2021-01-25", END), "Close": 8.0})
    hk = line("XHKG", END, {START: 80.0, "2021-03-10": 16.0})
    ads = line("XNYS", LAST, {START: 10.0, "2021-04-14": 5.0})
    return write(tmp_path_factory.mktemp("world") / "prices", {HK: hk, ADR: ads, "HKD=X": rates})


def market_of(folder: Path, **cells: str) -> Market:
    own = pd.DataFrame([ROW | cells])
    return ep.load_market(folder, listings=own, adjusted="raw", hk_shorts=[HK])


def held_through(market: Market, weight: float, lots: bool = False) -> pd.DataFrame:
    """Positions at the last step of each stage, and at the end; equity is the capital throughout."""
    paired = np.full((len(market), 1), np.nan)
    paired[3, 0] = weight
    targets = Targets(np.full(market.price.shape, np.nan), ((HK, ADR),), paired, drift_band=np.inf)
    plan = SimpleNamespace(targets=lambda market, path=None: targets)
    run = backtest(market, plan, capital=CAPITAL, costs=replace(Costs.none(), lots=lots), check=True)
    np.testing.assert_allclose(run.equity_by_step, CAPITAL, rtol=0, atol=0.005)
    session = market.grid["session"].to_numpy()
    steps = [int(np.flatnonzero(session <= pd.Timestamp(day))[-1]) for day in STAGES]
    return run.positions[[HK, ADR]].iloc[[*steps, -1]]


def test_a_long_ads_becomes_the_shares_that_the_short_owes(folder):
    """US$400,000 are 40,000 shares of HK$80 and as many ADSs of US$10."""
    held = held_through(market_of(folder), -WEIGHT)
    assert held[HK].tolist() == [-40_000, -200_000, -200_000, 0]
    assert held[ADR].tolist() == [40_000, 40_000, 80_000, 0]


def test_a_short_ads_is_followed_through_both_splits(folder):
    held = held_through(market_of(folder), WEIGHT)
    assert held[HK].tolist()[:3] == [40_000, 200_000, 200_000]
    assert held[ADR].tolist()[:3] == [-40_000, -40_000, -80_000]


def test_the_board_lot_of_ones_own_rounds_the_pair(folder):
    """15,000 a lot: two lots fit into 40,000 shares, and 30,000 ADSs hedge them."""
    held = held_through(market_of(folder, lot="15000"), -WEIGHT, lots=True)
    assert held[HK].tolist()[:2] == [-30_000, -150_000]
    assert held[ADR].tolist()[:3] == [30_000, 30_000, 60_000]


def test_what_the_market_has_of_the_company_is_what_the_row_says(folder):
    market = market_of(folder)
    assert market.ratios["ordinary_per_ads"].tolist() == [1.0, 5.0, 2.5]
    assert market.splits[["symbol", "factor"]].to_numpy().tolist() == [[HK, 5.0], [ADR, 2.0]]
    left = market.delistings.iloc[0]
    assert (left["symbol"], left["into"], left["ordinary_per_ads"]) == (ADR, HK, 2.5)
    assert left["last_session"] == pd.Timestamp(LAST)
    assert ep.premium(market, ADR, "next_hk").abs().max() < 1e-12


def test_a_split_that_the_row_leaves_out_is_found_in_the_prices(folder):
    cells = {"ratio_history": "2015-06-01:1|2021-03-10:5", "splits": "2021-03-10:hk:5"}
    found = ep.check_data(folder, listings=pd.DataFrame([ROW | cells]), adjusted="raw").findings
    breaks = found[found["kind"] == "level break"]
    assert breaks["first"].dt.strftime("%Y-%m-%d").tolist() == ["2021-04-14"]
    none = ep.check_data(folder, listings=pd.DataFrame([ROW]), adjusted="raw").findings
    assert "level break" not in set(none["kind"])


def test_a_row_that_leaves_out_both_splits_is_refused(folder):
    """At 2.5 shares an ADS stands at 0.4 of its parity, then at twice, last at it: twice by the median."""
    own = pd.DataFrame([ROW | {"ratio_history": "2015-06-01:2.5", "splits": ""}])
    found = ep.check_data(folder, listings=own, adjusted="raw").findings
    assert "legs do not fit" in set(found["kind"])
    with pytest.raises(DataError, match=r"TST stands at 2 times its parity with 1234\.HK"):
        ep.load_market(folder, listings=own, adjusted="raw")
