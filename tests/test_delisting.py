"""Lines that leave New York, halts and prices that stop: what becomes of a position, worked out by hand.

Every company of the registry that left is loaded around its day in a world without movement: HK$20 a share,
HKD 8 per USD, the ADR 2 % above parity to its last print: that is all equity may move when the line leaves.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from price_folders import long

from entrepot.engine import Costs, backtest
from entrepot.engine.result import Ledger
from entrepot.errors import DataError
from entrepot.markets.load import load_market
from entrepot.markets.market import Market
from entrepot.markets.sessions import session_times
from entrepot.strategies.targets import Targets

HK_PRICE, PER_USD, PREMIUM, CAPITAL, WEIGHT = 20.0, 8.0, 0.02, 1_000_000.0, 0.4

# Last New York session, Hong Kong line and ordinary shares per ADS, typed from the companies' announcements.
# OneConnect and its Hong Kong line went private together; DiDi and Luckin had no Hong Kong line.
LEFT = {
    "CHL": ("2021-01-08", "0941.HK", 5.0),
    "CHA": ("2021-01-08", "0728.HK", 100.0),
    "CHU": ("2021-01-08", "0762.HK", 10.0),
    "CEO": ("2021-03-08", "0883.HK", 100.0),
    "PTR": ("2022-09-07", "0857.HK", 100.0),
    "SNP": ("2022-09-08", "0386.HK", 100.0),
    "LFC": ("2022-09-01", "2628.HK", 5.0),
    "ACH": ("2022-09-01", "2600.HK", 25.0),
    "SHI": ("2022-09-06", "0338.HK", 100.0),
    "HNP": ("2022-07-07", "0902.HK", 40.0),
    "CEA": ("2023-02-02", "0670.HK", 50.0),
    "ZNH": ("2023-02-02", "1055.HK", 50.0),
    "GSH": ("2020-11-25", "0525.HK", 50.0),
    "SMI": ("2019-06-13", "0981.HK", 5.0),
    "OCFT": ("2025-11-20", "6638.HK", 30.0),
    "DIDI": ("2022-06-10", "", 0.25),
    "LK": ("2020-06-26", "", 8.0),
}
NO_HEIR = ("OCFT", "DIDI", "LK")
HEIRS = tuple(symbol for symbol in LEFT if symbol not in NO_HEIR)
POLICIES = [(longs, shorts) for longs in ("convert", "cash", "mark") for shorts in ("move", "buy_in")]
each_policy = pytest.mark.parametrize(("longs", "shorts"), POLICIES, ids=[f"{a}-{b}" for a, b in POLICIES])


def line(venue: str, start: pd.Timestamp, end: pd.Timestamp, price: float) -> pd.DataFrame:
    sessions = session_times(venue, start, end, ("close",))["session"]
    return pd.DataFrame({"Date": sessions, "Close": price, "Volume": 1000.0})


@lru_cache(maxsize=4)
def world(adr: str) -> Market:
    """The pair, or the ADR alone, and a fund, from four weeks before the last session to three after it."""
    day, hk, ratio = LEFT[adr]
    last = pd.Timestamp(day)
    start, end = last - pd.Timedelta(days=28), last + pd.Timedelta(days=21)
    parity = ratio * HK_PRICE / PER_USD
    files = {
        adr: line("XNYS", start, last, parity * (1 + PREMIUM)),
        "KWEB": line("XNYS", start, end, 50.0),
        "HKD=X": pd.DataFrame({"Date": pd.bdate_range(start - pd.Timedelta(days=7), end), "Close": PER_USD}),
    }
    if hk:
        files[hk] = line("XHKG", start, end, HK_PRICE)
    return load_market(long(files), adjusted="raw")


def plan(
    market: Market,
    single: dict[tuple[int, str], float] | None = None,
    pair: tuple[str, str] | None = None,
    paired: dict[int, float] | None = None,
) -> SimpleNamespace:
    """Targets by step: of single lines, and of one pair."""
    weights = np.full(market.price.shape, np.nan)
    for (step, symbol), weight in (single or {}).items():
        weights[step, market.column(symbol)] = weight
    pair_weights = np.full((len(market), 0 if pair is None else 1), np.nan)
    for step, weight in (paired or {}).items():
        pair_weights[step, 0] = weight
    targets = Targets(weights, () if pair is None else (pair,), pair_weights, drift_band=np.inf)
    return SimpleNamespace(targets=lambda market, path=None: targets)


def hold(market: Market, adr: str, how: str, later: dict[int, float] | None = None) -> SimpleNamespace:
    """Entered at the first decision step: a "pair" (long Hong Kong, short ADR), or one "long" or "short"."""
    entry = {int(np.flatnonzero(market.decision_steps)[0]): WEIGHT}
    if how == "pair":
        return plan(market, pair=(str(market.instruments.at[adr, "pair"]), adr), paired=entry | (later or {}))
    side = 1.0 if how == "long" else -1.0
    return plan(market, {(step, adr): side * weight for step, weight in (entry | (later or {})).items()})


def run(market: Market, wanted: SimpleNamespace, costs: Costs) -> Ledger:
    return backtest(market, wanted, capital=CAPITAL, costs=costs, check=True)


def leaving_step(market: Market, day: str | pd.Timestamp) -> int:
    """The first step after the line's last session."""
    rows = (market.grid["venue"] == "XNYS") & (market.grid["session"] <= pd.Timestamp(day))
    return int(np.flatnonzero(rows)[-1]) + 1


def next_step(market: Market, venue: str, after: int) -> int:
    """The first step of a venue at or after a step."""
    return int(next(t for t in range(after, len(market)) if market.grid.at[t, "venue"] == venue))


def fills_from(ledger: Ledger, step: int) -> list[tuple[int, str, float, str]]:
    rows = ledger.fills[ledger.fills["step"] >= step]
    return list(rows[["step", "symbol", "quantity", "reason"]].itertuples(index=False, name=None))


def test_the_table_above_is_the_registrys() -> None:
    """Every line the registry says left New York is tested here, with the same day, line and ratio."""
    from entrepot.markets.listings import load_listings

    gone = load_listings().delistings
    assert set(gone.index) == set(LEFT)
    for adr, (day, hk, ratio) in LEFT.items():
        row = gone.loc[adr]
        assert row["earliest"] <= pd.Timestamp(day) <= row["latest"], adr
        assert row["into"] == ("" if adr in NO_HEIR else hk), adr
        assert row["ordinary_per_ads"] == ratio, adr
        market = world(adr)
        assert market.delistings["last_session"].tolist() == [pd.Timestamp(day)], adr


@each_policy
@pytest.mark.parametrize("how", ["pair", "long", "short"])
@pytest.mark.parametrize("adr", HEIRS)
def test_a_line_that_leaves_is_worth_what_the_policy_says(
    adr: str, how: str, longs: str, shorts: str
) -> None:
    day, hk, ratio = LEFT[adr]
    market = world(adr)
    leaves, parity = leaving_step(market, day), ratio * HK_PRICE / PER_USD
    last = parity * (1 + PREMIUM)
    costs = Costs.none().with_(delisting=longs, delisted_shorts=shorts)
    ledger = run(market, hold(market, adr, how), costs)
    policy = longs if how == "long" or shorts == "move" else "buy_in"

    # 0.4 of a million: single ADRs at their price, or 160,000 shares of HK$20 and the ADSs for as many.
    held = {"pair": -160_000 / ratio, "long": 400_000 / last, "short": -400_000 / last}[how]
    positions, eve = ledger.positions, leaves - 1
    assert positions[adr].iloc[eve] == pytest.approx(held)
    if how == "pair":
        assert positions[hk].iloc[eve] == pytest.approx(160_000)
    # Converted or kept, what is held is worth parity from then on; paid out or bought in, its last price.
    gain = held * (parity - last) if policy in ("convert", "mark") else 0.0
    np.testing.assert_allclose(ledger.equity_by_step[:leaves], CAPITAL, rtol=0, atol=0.005)
    np.testing.assert_allclose(ledger.equity_by_step[leaves:], CAPITAL + gain, rtol=0, atol=0.005)

    after = fills_from(ledger, leaves)
    in_hk = next_step(market, "XHKG", leaves + 1)  # what is decided as it leaves is filled strictly after
    moved = ledger.conversions.drop(columns=["time", "pair"]).to_dict("records")
    if policy == "mark":
        assert (after, moved) == ([], [])
        np.testing.assert_allclose(positions[adr].iloc[leaves:], held, rtol=1e-12)
        if how == "pair":
            np.testing.assert_allclose(positions[hk].iloc[leaves:], 160_000, rtol=1e-12)
        return
    assert (positions[adr].iloc[leaves:] == 0).all()
    reason = {"convert": "delisted", "cash": "cashed_out", "buy_in": "bought_in"}[policy]
    into = hk if policy == "convert" else ""
    assert moved == [
        {
            "step": leaves,
            "symbol": adr,
            "quantity": pytest.approx(held),
            "into": into,
            "into_quantity": pytest.approx(held * ratio if into else 0.0),
            "fee": 0.0,
            "reason": reason,
        }
    ]
    if how == "pair":
        # Converted, the short's shares are the long's; otherwise the long is left over and sold.
        assert after == ([] if into else [(in_hk, hk, pytest.approx(-160_000), "forced")])
        assert positions[hk].iloc[-1] == 0
    elif how == "long" and into:
        assert after == []
        np.testing.assert_allclose(positions[hk].iloc[leaves:], held * ratio, rtol=1e-12)
    elif into:
        # Nobody lends the Hong Kong line: the short that lands there is bought in.
        assert after == [(in_hk, hk, pytest.approx(-held * ratio), "forced")]
        assert positions[hk].iloc[-1] == 0
    else:
        assert after == []


@pytest.mark.parametrize("how", ["long", "short"])
@pytest.mark.parametrize("adr", NO_HEIR)
def test_a_line_with_nowhere_to_go_can_only_be_paid_out(adr: str, how: str) -> None:
    market = world(adr)
    leaves = leaving_step(market, LEFT[adr][0])
    for longs, shorts in POLICIES:
        costs = Costs.none().with_(delisting=longs, delisted_shorts=shorts)
        policy = longs if how == "long" or shorts == "move" else "buy_in"
        if policy in ("convert", "mark"):
            with pytest.raises(DataError, match=f"{adr} leaves the market before .* while held") as refused:
                run(market, hold(market, adr, how), costs)
            assert "\n" not in str(refused.value)
            continue
        ledger = run(market, hold(market, adr, how), costs)
        assert ledger.positions[adr].iloc[leaves - 1] != 0
        assert (ledger.positions[adr].iloc[leaves:] == 0).all()
        np.testing.assert_allclose(ledger.equity_by_step, CAPITAL, rtol=0, atol=0.005)


@pytest.mark.parametrize("how", ["pair", "long", "short"])
def test_who_is_out_before_does_not_notice(how: str) -> None:
    for adr in ("CHL", "DIDI"):
        market = world(adr)
        if how == "pair" and adr == "DIDI":
            continue
        out = int(np.flatnonzero(market.decision_steps)[6])
        ledger = run(market, hold(market, adr, how, {out: 0.0}), Costs.none())
        assert (ledger.positions.iloc[out + 3 :] == 0).all(axis=None)
        np.testing.assert_allclose(ledger.equity_by_step, CAPITAL, rtol=0, atol=0.005)
        assert ledger.conversions.empty


# -- what it costs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["long", "short"])
def test_the_depositary_is_paid_by_the_hundred_begun(how: str) -> None:
    """US$400,000 of CHL at 5 x 20 / 8 x 1.02 = US$12.75 are 31,372.55 ADSs, 314 hundreds."""
    market = world("CHL")
    leaves = leaving_step(market, "2021-01-08")
    fee = 314 * 100 * 0.05
    for longs in ("convert", "cash"):
        costs = Costs.none().with_(delisting=longs, ads_conversion_fee=0.05)
        ledger = run(market, hold(market, "CHL", how), costs)
        booked = ledger.contributions["conversion_fee", "CHL"].to_numpy()
        assert booked[leaves] == pytest.approx(-fee)
        assert np.count_nonzero(booked) == 1
        assert ledger.conversions["fee"].tolist() == [pytest.approx(fee)]


def test_a_buy_in_costs_half_a_spread_and_no_fee() -> None:
    market = world("CHL")
    leaves = leaving_step(market, "2021-01-08")
    costs = Costs.none().with_(
        delisted_shorts="buy_in",
        ads_conversion_fee=0.05,
        half_spread_bps={"CHL": 20.0, "KWEB": 0.0, "0941.HK": 0.0},
    )
    ledger = run(market, hold(market, "CHL", "short"), costs)
    slippage = ledger.contributions["slippage", "CHL"].to_numpy()
    # 31,372.55 ADSs x US$12.75 x 20 bp: the order of the entry was sized before its spread was paid.
    assert slippage[leaves] == pytest.approx(-400_000 * 0.0020)
    assert ledger.conversions["fee"].tolist() == [0.0]
    assert "conversion_fee" not in ledger.contributions.columns.get_level_values("source")
    assert ledger.equity_by_step[-1] == pytest.approx(CAPITAL - 2 * 400_000 * 0.0020)


# -- positions that are kept ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["pair", "long", "short"])
def test_what_is_kept_follows_hong_kong_and_is_closed_on_demand(how: str) -> None:
    market = world("CHL")
    leaves = leaving_step(market, "2021-01-08")
    hk, own = market.column("0941.HK"), market.column("CHL")
    assert own != hk
    price = market.price.copy()
    moves = np.where(np.arange(len(market)) >= leaves + 4, 1.1, 1.0)
    price["0941.HK"] = price["0941.HK"].to_numpy() * moves
    market = replace(market, price=price)
    out = int(np.flatnonzero(market.decision_steps & (np.arange(len(market)) > leaves + 10))[0])
    costs = Costs.none().with_(delisting="mark", ads_conversion_fee=0.05)
    ledger = run(market, hold(market, "CHL", how, {out - 8: 0.2, out: 0.0}), costs)

    last, parity = 12.75, 12.50
    held = {"pair": -32_000.0, "long": 400_000 / last, "short": -400_000 / last}[how]
    gain = held * (parity - last)
    rises = next_step(market, "XHKG", leaves + 4)
    equity = ledger.equity_by_step
    np.testing.assert_allclose(equity[leaves:rises], CAPITAL + gain, rtol=0, atol=0.005)
    # From there on a pair is even: what the shares gain the ADSs lose. Alone, the ADSs move 10 % of parity.
    rise = 0.0 if how == "pair" else held * parity * 0.1
    np.testing.assert_allclose(equity[rises : out + 1], CAPITAL + gain + rise, rtol=0, atol=0.005)
    # A weight other than 0 cannot be traded; 0 closes the ADSs at the next step, at parity, less the fee.
    assert ledger.dropped[["step", "symbol", "reason"]].to_numpy().tolist() == [[out - 8, "CHL", "delisted"]]
    fee = np.ceil(abs(held) / 100) * 100 * 0.05
    closed = ledger.conversions.iloc[-1]
    assert (closed["step"], closed["reason"], closed["into"]) == (out + 1, "closed", "")
    assert closed["quantity"] == pytest.approx(held)
    assert (ledger.positions["CHL"].iloc[out + 1 :] == 0).all()
    np.testing.assert_allclose(equity[out + 1 :], CAPITAL + gain + rise - fee, rtol=0, atol=0.005)
    assert (ledger.positions.iloc[-1] == 0).all()
    if how == "pair":
        sold = next_step(market, "XHKG", out + 1)
        assert fills_from(ledger, out) == [(sold, "0941.HK", pytest.approx(-160_000), "forced")]


def test_orders_for_a_line_that_left_are_dropped() -> None:
    market = world("CHL")
    leaves = leaving_step(market, "2021-01-08")
    late = int(np.flatnonzero(market.decision_steps & (np.arange(len(market)) >= leaves))[0])
    wanted = plan(market, {(leaves - 1, "CHL"): 0.3, (late, "CHL"): 0.3})
    ledger = run(market, wanted, Costs.none())
    assert ledger.fills.empty
    assert ledger.dropped[["step", "symbol", "reason"]].to_numpy().tolist() == [
        [leaves, "CHL", "delisted"],
        [late, "CHL", "delisted"],
    ]


# -- halts and prices that stop ------------------------------------------------------------------------------


def test_a_halt_freezes_only_what_is_halted() -> None:
    """Luckin, halted from 7 April to 20 May 2020: 31 sessions without a print. The fund beside it trades."""
    start, end = pd.Timestamp("2020-03-16"), pd.Timestamp("2020-06-19")
    own = line("XNYS", start, end, 4.39)
    own.loc[own["Date"] >= "2020-05-20", "Close"] = 2.82
    own = own[~own["Date"].between("2020-04-07", "2020-05-19")]
    market = load_market(long({"LK": own, "KWEB": line("XNYS", start, end, 50.0)}), adjusted="raw")
    halts = pd.DataFrame(
        {
            "symbol": ["LK"],
            "start": pd.to_datetime(["2020-04-07 11:00+00:00"]).as_unit("ns"),
            "end": pd.to_datetime(["2020-05-20 13:00+00:00"]).as_unit("ns"),
        }
    )
    market = replace(market, halts=halts)
    sessions = market.grid["session"]
    on = {
        day: int(np.flatnonzero(sessions == day)[0])
        for day in ("2020-03-16", "2020-04-07", "2020-05-18", "2020-05-20")
    }
    wanted = {(on["2020-03-16"], "LK"): 0.4, (on["2020-05-18"], "LK"): 0.0}
    wanted |= {(on["2020-04-07"], "KWEB"): 0.3, (on["2020-04-07"] + 5, "KWEB"): 0.0}
    ledger = run(market, plan(market, wanted), Costs.none())
    shares = 400_000 / 4.39
    assert ledger.fills[["step", "symbol"]].to_numpy().tolist() == [
        [on["2020-03-16"] + 1, "LK"],
        [on["2020-04-07"] + 1, "KWEB"],
        [on["2020-04-07"] + 6, "KWEB"],
        [on["2020-05-20"], "LK"],
    ]
    np.testing.assert_allclose(ledger.equity_by_step[: on["2020-05-20"]], CAPITAL, rtol=0, atol=0.005)
    lost = shares * (2.82 - 4.39)
    np.testing.assert_allclose(ledger.equity_by_step[on["2020-05-20"] :], CAPITAL + lost, rtol=0, atol=0.005)


def test_a_halted_leg_keeps_its_partner_waiting_and_nobody_else() -> None:
    market = world("CHL")
    first = int(np.flatnonzero(market.decision_steps)[0])
    halts = pd.DataFrame(
        {
            "symbol": ["CHL"],
            "start": [market.grid.at[first, "time"]],
            "end": [market.grid.at[first + 5, "time"]],
        }
    ).astype(market.halts.dtypes.to_dict())
    market = replace(market, halts=halts)
    wanted = plan(market, {(first, "KWEB"): 0.2}, pair=("0941.HK", "CHL"), paired={first: 0.4})
    ledger = run(market, wanted, Costs.none())
    by_symbol = ledger.fills.groupby("symbol")["step"].min()
    assert by_symbol["KWEB"] == next_step(market, "XNYS", first + 1)
    assert min(by_symbol["CHL"], by_symbol["0941.HK"]) >= first + 4
    assert by_symbol["CHL"] >= first + 5
    assert ledger.positions["CHL"].iloc[-2] == 0  # it left, and the pair with it


@lru_cache(maxsize=1)
def stopping() -> pd.DataFrame:
    """Two lines; the prices of the first end on 2024-03-11, those of the other on 2024-03-29."""
    days = pd.bdate_range("2024-03-01", "2024-03-28")
    frame = pd.DataFrame({"GONE": 10.0, "HERE": 20.0}, index=days)
    frame.loc["2024-03-12":, "GONE"] = np.nan
    return frame


def test_the_loader_refuses_a_line_that_stops_without_having_left() -> None:
    frame = stopping()
    files = {s: pd.DataFrame({"Date": frame.index, "Close": frame[s]}) for s in frame}
    with pytest.raises(DataError, match=r"GONE 2024-03-11 \(13 sessions before\)"):
        load_market(long(files).dropna())


@pytest.mark.parametrize("weight", [0.5, -0.5])
def test_a_run_that_holds_a_line_past_its_prices_is_refused(weight: float) -> None:
    market = Market.from_prices(stopping())
    with pytest.raises(DataError, match=r"GONE is held but has no price after 2024-03-11") as refused:
        run(market, plan(market, {(0, "GONE"): weight}), Costs.none())
    assert "\n" not in str(refused.value)
    # Who got out before, and who never had any, runs on; so does one who looks only five sessions further.
    assert run(market, plan(market, {(0, "GONE"): weight, (4, "GONE"): 0.0}), Costs.none()) is not None
    assert run(market, plan(market, {(0, "HERE"): weight}), Costs.none()) is not None
    short = market.between("2024-03-01", "2024-03-18")
    ledger = run(short, plan(short, {(0, "GONE"): weight}), Costs.none())
    assert ledger.positions["GONE"].iloc[-1] != 0
    longer = market.between("2024-03-01", "2024-03-19")
    with pytest.raises(DataError, match="GONE is held but has no price after 2024-03-11"):
        run(longer, plan(longer, {(0, "GONE"): weight}), Costs.none())


def test_a_listed_halt_is_no_end() -> None:
    market = Market.from_prices(stopping())
    halts = pd.DataFrame(
        {
            "symbol": ["GONE"],
            "start": [pd.Timestamp("2024-03-12", tz="UTC")],
            "end": [pd.Timestamp("2024-12-31", tz="UTC")],
        }
    ).astype(market.halts.dtypes.to_dict())
    market = replace(market, halts=halts)
    ledger = run(market, plan(market, {(0, "GONE"): 0.5}), Costs.none())
    np.testing.assert_allclose(ledger.equity_by_step, CAPITAL)


# -- real prices ---------------------------------------------------------------------------------------------

REAL = {
    "CHL": "2021-01-08",
    "CHU": "2021-01-08",
    "CEO": "2021-03-08",
    "PTR": "2022-09-07",
    "LFC": "2022-09-01",
}
START, END = "2020-10-05", "2022-10-31"


@pytest.fixture(scope="module")
def filled(real_prices: Path) -> Market:
    return load_market(real_prices, start=START, end=END, departures="parity")


@pytest.fixture(scope="module")
def as_given(real_prices: Path) -> Market:
    return load_market(real_prices, start=START, end=END)


@each_policy
@pytest.mark.parametrize("how", ["pair", "long", "short"])
@pytest.mark.parametrize("adr", REAL)
def test_real_lines_filled_at_parity_leave_without_a_jump(
    filled: Market, adr: str, how: str, longs: str, shorts: str
) -> None:
    _, hk, ratio = LEFT[adr]
    leaves = leaving_step(filled, REAL[adr])
    policy = longs if how == "long" or shorts == "move" else "buy_in"
    ledger = run(filled, hold(filled, adr, how), Costs.none().with_(delisting=longs, delisted_shorts=shorts))
    held = ledger.positions[adr].to_numpy()
    assert held[leaves - 1] * {"pair": -1, "long": 1, "short": -1}[how] > 0
    # At its last session the line stands at parity with that day's Hong Kong close: leaving changes nothing.
    close = filled.price[hk].iloc[:leaves].dropna().iloc[-1]
    at_parity = ratio * close * filled.fx["HKD"].iloc[leaves - 1]
    assert filled.price[adr].iloc[:leaves].dropna().iloc[-1] == pytest.approx(at_parity, rel=1e-12)
    booked = ledger.contributions
    if ("conversion", adr) in booked:
        assert booked["conversion", adr].abs().max() < 0.005
    if policy == "mark":
        assert held[-1] == held[leaves]
        assert len(ledger.conversions) == 0
    else:
        assert (held[leaves:] == 0).all()
        reason = {"convert": "delisted", "cash": "cashed_out", "buy_in": "bought_in"}[policy]
        assert ledger.conversions[["step", "symbol", "reason"]].to_numpy().tolist() == [[leaves, adr, reason]]
        assert ledger.conversions["quantity"].tolist() == [held[leaves - 1]]
    if how == "pair" and policy != "mark":
        assert (ledger.positions.iloc[leaves + 2 :] == 0).all(axis=None)
    if how == "pair":
        # Even and at parity since mid-December 2020, the pair earns only what differs between its legs:
        # the tax withheld from the long's dividends, and half a day of Hong Kong's moves.
        eve = ledger.equity_by_step[leaves - 1]
        assert abs(ledger.equity_by_step[leaves] / eve - 1) < (0.02 if policy in ("cash", "buy_in") else 1e-3)


@pytest.mark.parametrize("adr", REAL)
def test_real_lines_as_given_are_said_to_stop_and_may_not_be_held(as_given: Market, adr: str) -> None:
    note = next(n for n in as_given.notes if n.startswith(f"{adr} has no price in"))
    assert REAL[adr] in note
    assert "departures='parity'" in note
    for how in ("pair", "long", "short"):
        for longs, shorts in POLICIES:
            costs = Costs.none().with_(delisting=longs, delisted_shorts=shorts)
            with pytest.raises(
                DataError, match=rf"{adr} is held but has no price after 2020-12-11.*{REAL[adr]}"
            ) as refused:
                run(as_given, hold(as_given, adr, how), costs)
            assert "\n" not in str(refused.value)
    out = int(
        np.flatnonzero(as_given.decision_steps & (as_given.grid["session"] == "2020-12-08").to_numpy())[0]
    )
    for how in ("pair", "long", "short"):
        ledger = run(as_given, hold(as_given, adr, how, {out: 0.0}), Costs.none())
        assert (ledger.positions.iloc[-1] == 0).all()


@pytest.mark.parametrize("adr", REAL)
def test_real_pairs_run_to_the_end_with_every_cost(filled: Market, adr: str) -> None:
    for longs, shorts in POLICIES:
        ledger = run(filled, hold(filled, adr, "pair"), Costs(delisting=longs, delisted_shorts=shorts))
        kept = longs == "mark" and shorts == "move"
        assert (ledger.positions[adr].iloc[-1] != 0) == kept
        assert (ledger.positions[LEFT[adr][1]].iloc[-1] != 0) == kept
