"""Rotation into a theme: frozen lists, nothing before their date, and who earns."""

from __future__ import annotations

from datetime import date

import naive_baskets as naive
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.errors import ParameterError
from entrepot.markets.instruments import describe
from entrepot.markets.load import load_market
from entrepot.strategies.targets import decisions
from entrepot.strategies.theme_rotation import ThemeRotation, load_themes

START = "2024-12-02"  # 36 business days to 20 January 2025, 35 with decisions up to it
AI, OLD = ("9988.HK", "0700.HK", "0981.HK"), ("0939.HK", "0941.HK")


def lines(make_market, line, count=90, seed=1, symbols=(*AI, *OLD), shorts=OLD, start=START, **changes):
    rng = np.random.default_rng(seed)
    common = 0.01 * rng.standard_normal(count)
    levels = {
        symbol: 40 * np.exp(np.cumsum((1.5 - 0.25 * k) * common + 0.008 * rng.standard_normal(count)))
        for k, symbol in enumerate(symbols)
    }
    rows = {symbol: line(symbol, "ordinary", shortable=symbol in shorts) for symbol in symbols}
    rows["PGJ"], levels["PGJ"] = line("PGJ", "etf"), np.full(count, 30.0)
    return make_market(levels, rows, start=start, **changes)


def weights_by_day(targets, market):
    single, _ = targets.standing()
    steps = decisions(market)
    frame = pd.DataFrame(single[steps], pd.DatetimeIndex(market.grid["session"][steps]), list(market.symbols))
    return frame.loc[:, (frame != 0).any()]


# -- the lists -------------------------------------------------------------------------------------------


def test_the_lists_are_complete_and_frozen():
    table = load_themes()
    assert set(table["theme"]) == {"ai", "old_economy"}
    assert (table["since"] == pd.Timestamp("2025-01-20")).all()
    for column in ("rationale", "source", "confidence"):
        assert table[column].str.len().gt(2).all()
    assert not table["symbol"].duplicated().any()
    for symbol in table["symbol"]:
        instrument, assumed = describe(symbol)
        assert instrument["venue"] == "XHKG"
        assert instrument["sector"] != "unclassified", assumed
    banks = table[table["theme"] == "old_economy"]["symbol"]
    sectors = {describe(symbol)[0]["sector"].split(":")[0] for symbol in banks}
    assert sectors == {"financials", "telecom", "energy", "insurance"}


def test_the_lists_handed_out_are_copies():
    table = load_themes()
    table.loc[0, "symbol"] = "X"
    assert load_themes()["symbol"].iloc[0] == "9988.HK"


# -- what is held when -----------------------------------------------------------------------------------


def test_nothing_is_held_before_the_day_after_the_lists_were_frozen(make_market, line):
    market = lines(make_market, line)
    held = weights_by_day(ThemeRotation(hedge="dollar").targets(market), market)
    assert set(held) == {*AI, *OLD}
    assert (held.loc[:"2025-01-20"] == 0).all(axis=None)
    first = held.loc["2025-01-21"]
    assert first[list(AI)].tolist() == [0.5 / 3] * 3
    assert first[list(OLD)].tolist() == [-0.25] * 2
    assert (held.loc["2025-01-21":] == first).all(axis=None)


def test_since_delays_and_never_hastens(make_market, line):
    market = lines(make_market, line)
    plan = ThemeRotation(hedge="dollar")
    for since, first in (
        ("2025-02-03", "2025-02-04"),
        (date(2025, 2, 3), "2025-02-04"),
        ("2024-12-05", "2025-01-21"),
    ):
        held = weights_by_day(plan.with_(since=since).targets(market), market)
        assert held[(held != 0).any(axis=1)].index[0] == pd.Timestamp(first)


def test_ones_own_lists_count_from_the_start_or_from_since(make_market, line):
    market = lines(make_market, line)
    own = ThemeRotation(theme=["0700.HK", "9988.HK"], against=["PGJ"], hedge="dollar")
    held = weights_by_day(own.targets(market), market)
    assert held.iloc[0].to_dict() == {"9988.HK": 0.25, "0700.HK": 0.25, "PGJ": -0.5}
    later = weights_by_day(own.with_(since=pd.Timestamp("2024-12-10")).targets(market), market)
    assert later[(later != 0).any(axis=1)].index[0] == pd.Timestamp("2024-12-11")
    mixed = weights_by_day(own.with_(against="old_economy").targets(market), market)
    assert mixed[(mixed != 0).any(axis=1)].index[0] == pd.Timestamp("2025-01-21")


@pytest.mark.parametrize("sizing", ["equal", "inverse_volatility"])
@pytest.mark.parametrize("hedge", ["dollar", "beta"])
@pytest.mark.parametrize("against", ["old_economy", None])
def test_it_is_the_slow_twin(make_market, line, sizing, hedge, against):
    market = lines(make_market, line, hk_holidays=("2025-01-29", "2025-01-30", "2025-01-31"))
    days = list(market.grid["session"][decisions(market)])
    start = next(i for i, day in enumerate(days) if day > pd.Timestamp("2025-01-20"))
    terms = {"sizing": sizing, "hedge": hedge, "lookback": 20, "horizon": 4, "rebalance": 7, "weight": 0.6}
    targets = ThemeRotation(against=against, **terms).targets(market)
    short = OLD if against else ()
    level = [float(i >= start) for i in range(len(days))]
    slow = naive.held(market, AI, short, level, first=dict.fromkeys((*AI, *OLD), start), **terms)
    fast = weights_by_day(targets, market)
    for row, wanted in zip(fast.to_dict("records"), slow, strict=True):
        assert {s: w for s, w in row.items() if w} == pytest.approx(wanted, rel=1e-9)
    assert len(slow[start]) == len(AI) + len(short)


def test_a_volatile_line_weighs_less(make_market, line):
    market = lines(make_market, line)
    held = weights_by_day(ThemeRotation(sizing="inverse_volatility", lookback=30).targets(market), market)
    last = held.iloc[-1]
    assert last["9988.HK"] < last["0981.HK"]
    assert last[list(AI)].sum() == pytest.approx(0.5)


@pytest.mark.parametrize("jump", [0.5, -0.2])
def test_only_what_the_theme_gains_after_the_freeze_is_earned(make_market, line, jump):
    """The theme doubles before its list was frozen, which earns nothing, and jumps after it."""
    count = 60
    day = np.arange(count)
    theme = 100.0 * np.where(day >= 20, 2.0, 1.0) * np.where(day >= 45, 1 + jump, 1.0)
    symbols = ("0700.HK", "0939.HK")
    rows = {s: line(s, "ordinary", shortable=True) for s in symbols}
    market = make_market({"0700.HK": theme, "0939.HK": np.full(count, 5.0)}, rows, start=START)
    fixed = market.fixings.assign(per_usd=7.8)
    market = ep.Market(market.grid, market.price, market.instruments, fixings=fixed)
    plan = ThemeRotation(hedge="dollar", drift_band=np.inf)
    run = ep.backtest(market, plan, costs=ep.Costs.none(), check=True)
    assert run.equity.iloc[-1] / 1e7 - 1 == pytest.approx(0.5 * jump, rel=1e-9)


# -- what is left out and refused ------------------------------------------------------------------------


def test_what_is_missing_is_noted(make_market, line):
    market = lines(make_market, line, count=50, shorts=("0941.HK",))
    targets = ThemeRotation(hedge="dollar").targets(market)
    assert weights_by_day(targets, market).iloc[-1]["0941.HK"] == -0.5
    text = " | ".join(targets.notes)
    assert "the long side is without 9888.HK, 1024.HK" in text
    assert "the short side is without 0939.HK: they may not be shorted" in text
    assert "not in this market" in text


def test_an_empty_side_is_refused(make_market, line):
    market = lines(make_market, line, count=50, shorts=())
    with pytest.raises(
        ParameterError, match=r"short side has no line .*hk_shorts.*, or use against=None"
    ) as no:
        ThemeRotation().targets(market)
    assert "\n" not in str(no.value)
    assert ThemeRotation(against=None).targets(market).notes
    with pytest.raises(ParameterError, match="the long side has no line in this market"):
        ThemeRotation(theme=["X"]).targets(market)
    with pytest.raises(ParameterError, match="held long and short"):
        ThemeRotation(theme=["PGJ"], against=["PGJ"]).targets(market)


def test_a_market_that_ends_before_the_freeze_says_so(make_market, line):
    market = lines(make_market, line, count=30)
    targets = ThemeRotation().targets(market)
    assert np.isnan(targets.weights).all()
    assert "never trades: the lists may be used after 2025-01-20 and the market ends before" in targets.notes
    own = ThemeRotation(theme=["PGJ"]).targets(market)
    assert np.isnan(own.weights).all()
    assert own.notes[-1] == targets.notes[-1]


# -- nothing from the future -----------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
def test_cutting_the_market_changes_nothing_before(make_market, line, same_until, phases):
    dividends = pd.DataFrame(
        [("0939.HK", pd.Timestamp("2025-02-10"), pd.NaT, 1.0)],
        columns=["symbol", "ex_date", "pay_date", "amount"],
    )
    market = lines(make_market, line, phases=phases, dividends=dividends, hk_holidays=("2025-01-29",))
    for plan in (
        ThemeRotation(lookback=20, rebalance=5),
        ThemeRotation(lookback=20, rebalance=5, sizing="inverse_volatility", hedge="dollar"),
        ThemeRotation(against=None, since="2025-02-05"),
    ):
        same_until(plan, market, None, seed=8)
        assert np.isfinite(plan.targets(market).weights).any()


def test_later_prices_change_no_earlier_target(make_market, line):
    market = lines(make_market, line)
    cut = 110
    price = market.price.copy()
    price.iloc[cut:] = price.iloc[cut:] ** 2
    other = ep.Market(market.grid, price, market.instruments, fixings=market.fixings)
    plan = ThemeRotation(lookback=20, rebalance=5, sizing="inverse_volatility")
    one, two = plan.targets(market).weights, plan.targets(other).weights
    assert one[:cut].tobytes() == two[:cut].tobytes()
    assert one.tobytes() != two.tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"theme": "quantum"},
        {"theme": []},
        {"theme": [5]},
        {"theme": None},
        {"against": "quantum"},
        {"against": ()},
        {"since": "soon"},
        {"since": 2025},
        {"since": pd.NaT},
        {"since": "2025-01-20T00:00Z"},
        {"sizing": "cap"},
        {"hedge": None},
        {"weight": -1},
        {"lookback": 5},
        {"drift_band": "wide"},
    ],
)
def test_wrong_parameters_are_refused_in_one_sentence(changes):
    with pytest.raises(ParameterError, match=f"^{next(iter(changes))} is") as refusal:
        ThemeRotation(**changes)
    assert "\n" not in str(refusal.value)


def test_on_real_prices_the_theme_is_long_only_since_its_freeze(real_prices):
    shorts = ["0939.HK", "0941.HK", "0762.HK", "0883.HK", "0857.HK", "1398.HK", "2318.HK", "2628.HK"]
    market = load_market(real_prices, start="2024-01-02", ends="cut", departures="parity", hk_shorts=shorts)
    held = weights_by_day(ThemeRotation().targets(market), market)
    assert (held.loc[:"2025-01-20"] == 0).all(axis=None)
    assert (held.loc["2025-01-21":, ["9988.HK", "0700.HK"]] > 0).all(axis=None)
    assert set(held.columns[(held.iloc[-1] < 0)]) == set(shorts)
