"""Splits, ratio changes and dividends: raw prices as they were printed, and shares that must follow them.

Every market here is one pair whose value never changes: HK$80 a share before the action, HKD 8 per USD, the
ADS at parity. So whatever the ledger does with an action, equity may not move by a cent.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from price_folders import ACTIONS, Action, write

from entrepot.engine import Costs, backtest
from entrepot.engine.result import Ledger
from entrepot.markets.load import load_market
from entrepot.markets.market import Market
from entrepot.markets.premium import premium
from entrepot.markets.sessions import session_times
from entrepot.strategies.targets import Targets

HK_PRICE, PER_USD, CAPITAL, WEIGHT = 80.0, 8.0, 1_000_000.0, 0.4

# 0.4 of a million dollars is 40,000 Hong Kong shares of HK$80, and the ADSs that stand for as many. By
# company and date: Hong Kong shares before the action and after it, ADSs before and after.
SHARES = {
    ("BABA", "2019-07-30"): (40_000, 320_000, 40_000, 40_000),
    ("BIDU", "2021-03-01"): (40_000, 3_200_000, 400_000, 400_000),
    ("TCOM", "2021-03-18"): (40_000, 320_000, 320_000, 320_000),
    ("HTHT", "2021-06-25"): (40_000, 400_000, 40_000, 40_000),
    ("ATHM", "2021-02-05"): (40_000, 160_000, 40_000, 40_000),
    ("ZLAB", "2022-03-30"): (40_000, 400_000, 40_000, 40_000),
    ("NOAH", "2023-10-30"): (40_000, 400_000, 80_000, 80_000),
    ("HSAI", "2026-07-10"): (40_000, 320_000, 40_000, 40_000),
    ("NTES", "2020-10-02"): (40_000, 40_000, 1_600, 8_000),
    ("EDU", "2022-04-08"): (40_000, 40_000, 40_000, 4_000),
    ("ZH", "2024-05-10"): (40_000, 40_000, 80_000, 40_000 / 3),
    ("LU", "2023-12-15"): (40_000, 40_000, 80_000, 20_000),
    ("OCFT", "2022-12-12"): (40_000, 40_000, 40_000 / 3, 4_000 / 3),
    ("EDU", "2021-03-10"): (40_000, 400_000, 40_000, 400_000),
}
each_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda a: f"{a.adr}-{a.date}")


def constant(venue: str, start: pd.Timestamp, end: pd.Timestamp, before: float, after: float, day: str):
    """One line's file: one price until the day of the action, another one from then on."""
    sessions = session_times(venue, start, end, ("close",))["session"]
    price = np.where(sessions < pd.Timestamp(day), before, after)
    return pd.DataFrame({"Date": sessions, "Open": price, "Close": price, "Volume": 1000.0})


def flat_rate(start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    return pd.DataFrame({"Date": pd.bdate_range(start - pd.Timedelta(days=7), end), "Close": PER_USD})


def world(action: Action, folder: Path, **options: object) -> Market:
    """The pair of an action, three weeks on either side of it, from raw files."""
    day = pd.Timestamp(action.date)
    start, end = day - pd.Timedelta(days=21), day + pd.Timedelta(days=21)
    ads = action.before * HK_PRICE / PER_USD
    files = {
        action.hk: constant("XHKG", start, end, HK_PRICE, HK_PRICE / action.hk_factor, action.date),
        action.adr: constant("XNYS", start, end, ads, ads / action.ads_factor, action.date),
        "HKD=X": flat_rate(start, end),
    }
    return load_market(write(folder, files), adjusted="raw", hk_shorts=[action.hk], **options)


def pair_plan(market: Market, action: Action, at: dict[int, float]) -> SimpleNamespace:
    paired = np.full((len(market), 1), np.nan)
    for step, weight in at.items():
        paired[step, 0] = weight
    none = np.full(market.price.shape, np.nan)
    targets = Targets(none, ((action.hk, action.adr),), paired, drift_band=np.inf)
    return SimpleNamespace(targets=lambda market, path=None: targets)


def single_plan(market: Market, at: dict[tuple[int, str], float]) -> SimpleNamespace:
    single = np.full(market.price.shape, np.nan)
    for (step, symbol), weight in at.items():
        single[step, market.column(symbol)] = weight
    targets = Targets(single, drift_band=np.inf)
    return SimpleNamespace(targets=lambda market, path=None: targets)


def run(market: Market, plan: SimpleNamespace, costs: Costs | None = None) -> Ledger:
    return backtest(market, plan, capital=CAPITAL, costs=costs or Costs.none(), check=True)


def step_of(market: Market, venue: str, phase: str, *, on: str = "", before: str = "") -> int:
    """The step of a venue's open or close on a date, or the last one before a date."""
    rows = market.grid[(market.grid["venue"] == venue) & (market.grid["phase"] == phase)]
    sessions = rows["session"]
    return int(rows.index[sessions == on][0] if on else rows.index[sessions < pd.Timestamp(before)][-1])


def effective(market: Market, symbol: str, action: Action) -> int:
    """The first step of the line's venue on or after the date."""
    rows = market.grid[market.grid["venue"] == market.instruments.at[symbol, "venue"]]
    return int(rows.index[rows["session"] >= pd.Timestamp(action.date)][0])


def assert_flat(ledger: Ledger) -> None:
    """Equity is the capital, to the cent, at every step."""
    np.testing.assert_allclose(ledger.equity_by_step, CAPITAL, rtol=0, atol=0.005)


def assert_follows(ledger: Ledger, symbol: str, action: Action, before: float, after: float) -> None:
    """A position that was whole two steps before the action scales at its line's first step from its date."""
    held, at = ledger.positions[symbol].to_numpy(), effective(ledger.market, symbol, action)
    assert held[at - 1] == pytest.approx(before, rel=1e-9)
    np.testing.assert_allclose(held[at:], after, rtol=1e-9)


@each_action
def test_a_pair_held_through_an_action_stays_worth_the_same(action: Action, tmp_path: Path) -> None:
    market = world(action, tmp_path)
    hk0, hk1, ads0, ads1 = SHARES[action.adr, action.date]
    for side in (1.0, -1.0):
        ledger = run(market, pair_plan(market, action, {3: side * WEIGHT}))
        assert len(ledger.fills) == 2
        assert_flat(ledger)
        assert_follows(ledger, action.hk, action, side * hk0, side * hk1)
        assert_follows(ledger, action.adr, action, -side * ads0, -side * ads1)


@each_action
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_line_held_through_an_action_stays_worth_the_same(
    action: Action, side: float, tmp_path: Path
) -> None:
    market = world(action, tmp_path)
    hk0, hk1, ads0, ads1 = SHARES[action.adr, action.date]
    for symbol, before, after in ((action.hk, hk0, hk1), (action.adr, ads0, ads1)):
        ledger = run(market, single_plan(market, {(3, symbol): side * WEIGHT}))
        assert len(ledger.fills) == 1
        assert_flat(ledger)
        assert_follows(ledger, symbol, action, side * before, side * after)


@each_action
def test_closes_alone_do_the_same(action: Action, tmp_path: Path) -> None:
    market = world(action, tmp_path, phases=("close",))
    hk0, hk1, ads0, ads1 = SHARES[action.adr, action.date]
    ledger = run(market, pair_plan(market, action, {1: WEIGHT}))
    assert_flat(ledger)
    assert_follows(ledger, action.hk, action, hk0, hk1)
    assert_follows(ledger, action.adr, action, -ads0, -ads1)


@each_action
def test_an_order_that_is_pending_across_an_action_is_scaled_with_it(action: Action, tmp_path: Path) -> None:
    """Decided at the last close before the date in shares of that day, filled in those of the date."""
    market = world(action, tmp_path)
    _, hk1, _, ads1 = SHARES[action.adr, action.date]
    for symbol, venue, after in ((action.hk, "XHKG", hk1), (action.adr, "XNYS", ads1)):
        decided = step_of(market, venue, "close", before=action.date)
        ledger = run(market, single_plan(market, {(decided, symbol): WEIGHT}))
        fill = ledger.fills.iloc[0]
        assert (len(ledger.fills), fill["step"]) == (1, effective(market, symbol, action))
        assert fill["quantity"] == pytest.approx(after, rel=1e-9)
        assert_flat(ledger)


@each_action
@pytest.mark.parametrize("venue", ["XHKG", "XNYS"])
def test_a_pair_that_is_entered_across_an_action_is_hedged_in_the_new_shares(
    action: Action, venue: str, tmp_path: Path
) -> None:
    """Decided at either venue's last close before the date: the order, or its hedge, is filled after it."""
    market = world(action, tmp_path)
    _, hk1, _, ads1 = SHARES[action.adr, action.date]
    decided = step_of(market, venue, "close", before=action.date)
    ledger = run(market, pair_plan(market, action, {decided: WEIGHT, decided + 20: 0.0}))
    assert ledger.fills["reason"].tolist() == ["lead", "hedge"] * 2
    assert_flat(ledger)
    hedged, left = ledger.fills["step"].iloc[1:3]
    open_for = slice(max(hedged, effective(market, action.adr, action)), left)
    np.testing.assert_allclose(ledger.positions[action.hk].iloc[open_for], hk1, rtol=1e-9)
    np.testing.assert_allclose(ledger.positions[action.adr].iloc[open_for], -ads1, rtol=1e-9)
    assert (ledger.positions.iloc[-1] == 0).all()


@each_action
def test_the_premium_does_not_jump(action: Action, tmp_path: Path) -> None:
    market = world(action, tmp_path)
    for align in ("same_date", "next_hk", "hk_open", "us_open"):
        series = premium(market, action.adr, align)
        assert len(series) > 20
        assert series.abs().max() < 1e-9, align


# -- dividends -----------------------------------------------------------------------------------------------

# PetroChina: one ADS is 100 shares and 10 % is withheld from longs. HK$0.80 a share is HK$80 or US$10 an ADS.
PTR = Action("PTR", "0857.HK", "2019-06-18", 1, 1, 100, 100)
HK_EX, ADS_EX = "2019-06-18", "2019-06-19"
FEE_PER_ADS = 0.02


def dividend_world(folder: Path, hk_ex: str = HK_EX, ads_ex: str = ADS_EX) -> Market:
    """Both lines fall by the dividend at their own ex-date."""
    start, end = pd.Timestamp("2019-05-28"), pd.Timestamp("2019-07-09")
    files = {
        "0857.HK": constant("XHKG", start, end, 80.0, 79.2, hk_ex),
        "PTR": constant("XNYS", start, end, 1000.0, 990.0, ads_ex),
        "HKD=X": flat_rate(start, end),
    }
    for symbol, ex, amount in (("0857.HK", hk_ex, 0.80), ("PTR", ads_ex, 10.0)):
        files[symbol]["Dividends"] = np.where(files[symbol]["Date"] == ex, amount, 0.0)
    return load_market(write(folder, files), adjusted="raw", hk_shorts=["0857.HK"])


WITH_FEE = Costs.none().with_(ads_dividend_fee=FEE_PER_ADS)


def assert_steps(ledger: Ledger, changes: dict[int, float]) -> None:
    """Equity is the capital and what changes it, to the cent, at every step."""
    moves = np.zeros(len(ledger.market))
    for step, amount in changes.items():
        moves[step] += amount
    np.testing.assert_allclose(ledger.equity_by_step, CAPITAL + np.cumsum(moves), rtol=0, atol=0.005)


@pytest.mark.parametrize(("hk_ex", "ads_ex"), [(HK_EX, ADS_EX), (HK_EX, HK_EX), (ADS_EX, HK_EX)])
def test_each_leg_of_a_pair_is_paid_on_its_own_ex_date(hk_ex: str, ads_ex: str, tmp_path: Path) -> None:
    """Long 40,000 shares, short 400 ADSs.

    The shares fall by HK$32,000 = US$4,000; of the dividend, US$4,000 x 0.9 = 3,600 arrives: 400 are lost.
    The ADSs fall by US$4,000, which the short earns and owes in full; the depositary takes nothing from it.
    """
    market = dividend_world(tmp_path, hk_ex, ads_ex)
    ledger = run(market, pair_plan(market, PTR, {3: WEIGHT}), WITH_FEE)
    assert ledger.positions.iloc[-1].to_dict() == pytest.approx({"0857.HK": 40_000, "PTR": -400})
    at = {
        line: step_of(market, venue, "open", on=ex)
        for line, venue, ex in (("0857.HK", "XHKG", hk_ex), ("PTR", "XNYS", ads_ex))
    }
    assert_steps(ledger, {at["0857.HK"]: -400.0})
    booked = ledger.contributions["dividend"]
    assert booked["0857.HK"].to_numpy()[at["0857.HK"]] == pytest.approx(3_600.0)
    assert booked["PTR"].to_numpy()[at["PTR"]] == pytest.approx(-4_000.0)
    assert booked.abs().sum().to_dict() == pytest.approx({"0857.HK": 3_600.0, "PTR": 4_000.0})


@pytest.mark.parametrize(
    ("symbol", "side", "shares", "dividend", "change"),
    [
        # 40,000 x HK$0.80 = HK$32,000 = US$4,000, less 10 %
        ("0857.HK", 1.0, 40_000, 3_600.0, -400.0),
        # what was lent must be made good in full
        ("0857.HK", -1.0, -40_000, -4_000.0, 0.0),
        # 400 x (10 x 0.9 - 0.02)
        ("PTR", 1.0, 400, 3_592.0, -408.0),
        ("PTR", -1.0, -400, -4_000.0, 0.0),
    ],
)
def test_a_long_is_paid_net_and_a_short_pays_gross(
    symbol: str, side: float, shares: float, dividend: float, change: float, tmp_path: Path
) -> None:
    market = dividend_world(tmp_path)
    ledger = run(market, single_plan(market, {(3, symbol): side * WEIGHT}), WITH_FEE)
    assert ledger.positions[symbol].iloc[-1] == pytest.approx(shares)
    ex = (
        step_of(market, "XHKG", "open", on=HK_EX)
        if symbol == "0857.HK"
        else step_of(market, "XNYS", "open", on=ADS_EX)
    )
    assert ledger.contributions["dividend", symbol].to_numpy()[ex] == pytest.approx(dividend)
    assert_steps(ledger, {ex: change})


def test_a_dividend_with_a_pay_date_is_owed_until_then(tmp_path: Path) -> None:
    market = dividend_world(tmp_path)
    paid = market.dividends.assign(pay_date=pd.Timestamp("2019-06-27"))
    market = replace(market, dividends=paid)
    ledger = run(market, pair_plan(market, PTR, {3: WEIGHT}), WITH_FEE)
    hk_ex, ads_ex = step_of(market, "XHKG", "open", on=HK_EX), step_of(market, "XNYS", "open", on=ADS_EX)
    hk_pay, ads_pay = (step_of(market, v, "open", on="2019-06-27") for v in ("XHKG", "XNYS"))
    assert_steps(ledger, {hk_ex: -400.0})
    for currency, ex, pay, amount in (("HKD", hk_ex, hk_pay, 28_800.0), ("USD", ads_ex, ads_pay, -4_000.0)):
        owed = ledger.receivables[currency].to_numpy()
        expected = np.zeros(len(market))
        expected[ex:pay] = amount
        np.testing.assert_allclose(owed, expected, atol=0.005)


def test_who_buys_on_the_ex_date_is_not_paid_and_who_sells_on_it_is(tmp_path: Path) -> None:
    market = dividend_world(tmp_path)
    ex = step_of(market, "XNYS", "open", on=ADS_EX)
    eve = step_of(market, "XNYS", "close", before=ADS_EX)
    bought = run(market, single_plan(market, {(eve, "PTR"): WEIGHT}), WITH_FEE)
    assert bought.fills["step"].tolist() == [ex]
    assert "dividend" not in bought.contributions.columns.get_level_values("source")
    assert_steps(bought, {})
    sold = run(market, single_plan(market, {(3, "PTR"): WEIGHT, (eve, "PTR"): 0.0}), WITH_FEE)
    assert sold.fills["step"].tolist()[-1] == ex
    assert sold.contributions["dividend", "PTR"].sum() == pytest.approx(3_592.0)
    assert_steps(sold, {ex: -408.0})
