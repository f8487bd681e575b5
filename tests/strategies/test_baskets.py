"""Baskets against their slow twins: levels, weights, betas, and what is held when."""

from __future__ import annotations

from dataclasses import replace

import naive_baskets as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import entrepot as ep
from entrepot.errors import ParameterError
from entrepot.markets.simulate import simulate_market
from entrepot.regimes import RegimeModel, load_events
from entrepot.strategies.baskets import (
    Held,
    Rules,
    as_targets,
    complete,
    first_present,
    hedge_ratio,
    held_against,
    left_out,
    present,
    require_groups,
    shares,
    usd_levels,
)
from entrepot.strategies.index_pair import IndexPair
from entrepot.strategies.stimulus import StimulusBasket
from entrepot.strategies.targets import Targets, decisions
from entrepot.strategies.tariff_rotation import TariffRotation
from entrepot.strategies.theme_rotation import ThemeRotation

LONG, SHORT = ("A.HK", "B.HK", "US"), ("X", "Y.HK")


def world(make_market, line, count=90, seed=1, **changes):
    """Three lines against two: gaps, a late one, one that leaves, dividends, a split and holidays."""
    rng = np.random.default_rng(seed)
    days, count = count, 90
    common = 0.01 * rng.standard_normal(count)
    levels, rows = {}, {}
    for symbol, beta in zip((*LONG, *SHORT), (1.4, 0.6, 1.0, 1.1, 0.7), strict=True):
        levels[symbol] = 50 * np.exp(np.cumsum(beta * common + 0.008 * rng.standard_normal(count)))
        rows[symbol] = line(symbol, "ordinary" if symbol.endswith("HK") else "etf", shortable=True)
    levels["A.HK"][:12] = np.nan
    levels["B.HK"][40:47] = np.nan
    levels["X"][25] = np.nan
    levels["Y.HK"][70:] = np.nan
    levels["US"][50:] /= 4
    dividends = pd.DataFrame(
        [("A.HK", "2022-02-01", 2.0), ("X", "2022-02-07", 0.5), ("B.HK", "2022-03-02", 1.0)],
        columns=["symbol", "ex_date", "amount"],
    ).assign(pay_date=pd.NaT)
    dividends["ex_date"] = pd.to_datetime(dividends["ex_date"]).dt.as_unit("ns")
    day = pd.bdate_range("2022-01-03", periods=count)[50]
    splits = pd.DataFrame([("US", day, 4.0)], columns=["symbol", "ex_date", "factor"])
    changes.setdefault("hk_holidays", ("2022-02-01", "2022-02-02", "2022-02-03"))
    market = make_market(levels, rows, dividends=dividends, splits=splits, **changes)
    return market.until(int(decisions(market)[days - 1]))


def as_rows(held):
    return [{s: w for s, w in zip(held.symbols, row, strict=True) if w} for row in held.weights.tolist()]


def assert_same_rows(fast, slow):
    assert [set(row) for row in fast] == [set(row) for row in slow]
    for one, other in zip(fast, slow, strict=True):
        assert one == pytest.approx(other, rel=1e-9)


# -- levels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
def test_levels_are_those_of_a_share_held_from_the_start(make_market, line, phases):
    market = world(make_market, line, phases=phases)
    fast = usd_levels(market, (*LONG, *SHORT))
    for n, symbol in enumerate((*LONG, *SHORT)):
        slow = np.array(naive.levels(market, symbol))
        np.testing.assert_array_equal(np.isnan(fast[:, n]), np.isnan(slow))
        np.testing.assert_allclose(fast[:, n], slow, rtol=1e-12)
    assert np.isnan(fast).any()


def test_a_split_and_a_dividend_are_no_loss(make_market, line):
    flat = np.full(8, 10.0)
    split, paid = flat.copy(), flat.copy()
    split[4:] = 2.5
    paid[4:] = 8.0
    day = pd.bdate_range("2022-01-03", periods=8)[4]
    market = make_market(
        {"S": split, "P": paid},
        {s: line(s, "etf") for s in "SP"},
        splits=pd.DataFrame([("S", day, 4.0)], columns=["symbol", "ex_date", "factor"]),
        dividends=pd.DataFrame(
            [("P", day, pd.NaT, 2.0)], columns=["symbol", "ex_date", "pay_date", "amount"]
        ),
    )
    np.testing.assert_allclose(usd_levels(market, ("S", "P")), 10.0)


def test_estimated_prices_are_not_learnt_from(make_market, line):
    price = np.array([10.0, 11, 12, 13])
    days = pd.bdate_range("2022-01-03", periods=4)
    estimates = pd.DataFrame({"symbol": ["S"], "session": days[2:3].as_unit("ns")})
    market = make_market({"S": price}, {"S": line("S", "etf")}, estimates=estimates)
    np.testing.assert_array_equal(usd_levels(market, ("S",))[:, 0], [10, 11, 11, 13])


def test_hong_kong_levels_move_with_the_rate(make_market, line):
    market = make_market({"A.HK": np.full(30, 78.0)}, {"A.HK": line("A.HK", "ordinary")})
    rate = market.fx["HKD"].to_numpy()[decisions(market)]
    np.testing.assert_array_equal(usd_levels(market, ("A.HK",))[:, 0], 78.0 * rate)
    assert len(set(rate)) > 10


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 12), st.integers(0, 2**31), st.integers(1, 15))
def test_a_line_is_complete_where_its_window_has_no_gap(lookback, seed, count):
    levels = np.where(np.random.default_rng(seed).random((count, 3)) < 0.15, np.nan, 1.0)
    slow = [
        [i >= lookback and not np.isnan(levels[i - lookback : i + 1, n]).any() for n in range(3)]
        for i in range(count)
    ]
    np.testing.assert_array_equal(complete(levels, lookback), slow)


# -- shares and slopes -----------------------------------------------------------------------------------


def test_shares_by_hand():
    window = np.exp(np.array([[0, 0.0], [0.01, 0.03], [0, 0.0], [0.01, 0.03]]))
    np.testing.assert_allclose(shares(window, "inverse_volatility"), [0.75, 0.25])
    np.testing.assert_array_equal(shares(window, "equal"), [0.5, 0.5])
    still = np.column_stack([window, np.ones(4)])
    np.testing.assert_allclose(shares(still, "inverse_volatility"), [3 / 7, 1 / 7, 3 / 7])
    np.testing.assert_array_equal(shares(np.ones((4, 2)), "inverse_volatility"), [0.5, 0.5])


def test_a_slope_by_hand_and_its_bounds():
    x = np.array([1.0, 2, 3, 6]) / 100
    assert hedge_ratio(0.5 * x + 0.07, x) == pytest.approx(0.5, rel=1e-12)
    noisy = np.array([0.01, 0.03, 0.02, 0.05])
    assert hedge_ratio(noisy, x) == pytest.approx(np.polyfit(x, noisy, 1)[0], rel=1e-10)
    assert hedge_ratio(9 * x, x) == 2.0
    assert hedge_ratio(-x, x) == 0.0
    assert np.isnan(hedge_ratio(x, np.full(4, 0.01)))


def test_returns_over_a_week_see_past_the_hours_between_the_venues(make_market, line):
    """Hong Kong closes in the middle of what New York's day brings: a daily slope finds half of it."""
    rng = np.random.default_rng(2)
    half_days = 0.01 * rng.standard_normal((600, 2))  # until Hong Kong's close, and after it
    new_york = np.exp(half_days.sum(axis=1).cumsum())
    until_noon = half_days.sum(axis=1).cumsum() - half_days[:, 1]
    market = make_market(
        {"F.HK": 100 * np.exp(until_noon), "PGJ": 50 * new_york},
        {"F.HK": line("F.HK", "etf"), "PGJ": line("PGJ", "etf")},
    )
    found = {
        horizon: np.nanmean(
            held_against(
                market, ("F.HK",), ("PGJ",), np.ones(600), Rules(1.0, hedge="beta", horizon=horizon)
            ).ratio
        )
        for horizon in (1, 5, 20)
    }
    assert found[1] == pytest.approx(0.5, abs=0.06)
    assert found[5] == pytest.approx(0.9, abs=0.06)
    assert found[20] == pytest.approx(0.975, abs=0.06)


# -- what is held ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizing", ["equal", "inverse_volatility"])
@pytest.mark.parametrize("hedge", ["dollar", "beta"])
@pytest.mark.parametrize("short", [SHORT, ()])
def test_what_is_held_is_the_slow_twins(make_market, line, sizing, hedge, short):
    gone = pd.DataFrame(
        [("B.HK", pd.Timestamp("2022-03-24"), "", np.nan)],
        columns=["symbol", "last_session", "into", "ordinary_per_ads"],
    )
    for seed, tables in ((1, {}), (2, {"delistings": gone})):
        market = world(make_market, line, seed=seed, **tables)
        rng = np.random.default_rng(seed)
        level = np.repeat(rng.integers(0, 5, 10) / 4, 9)
        terms = {
            "weight": 0.7,
            "sizing": sizing,
            "hedge": hedge,
            "lookback": 15,
            "horizon": 4,
            "rebalance": 7,
        }
        held = held_against(market, LONG, short, level, Rules(**terms))
        slow = naive.held(market, LONG, short, level, **terms)
        assert_same_rows(as_rows(held), slow)
        assert sum(bool(row) for row in slow) > 20
        assert all("B.HK" not in row for row in slow[59:]) is bool(tables)
        targets = as_targets(market, held, level, drift_band=0.1, signal="s")
        numbers = naive.said(slow)
        for i, step in enumerate(decisions(market)):
            spoken = {s: targets.weights[step, market.column(s)] for s in held.symbols}
            spoken = {s: w for s, w in spoken.items() if np.isfinite(w)}
            if np.array_equal(held.weights[i], held.weights[i - 1]) and i:
                assert spoken == {}
            else:
                stays = {s: w for s, w in numbers[i].items() if not (tables and i > 58 and s == "B.HK")}
                assert spoken == pytest.approx(stays, rel=1e-9)


def test_lines_join_from_their_day_on(make_market, line):
    market = world(make_market, line)
    since = np.array([30.0, 20, 0, 25, 0])
    rules = {"weight": 1.0, "hedge": "dollar", "rebalance": 100}
    held = held_against(market, LONG, SHORT, np.ones(90), Rules(**rules), since)
    first = dict(zip((*LONG, *SHORT), since, strict=True))
    assert_same_rows(as_rows(held), naive.held(market, LONG, SHORT, np.ones(90), first=first, **rules))
    assert as_rows(held)[19] == {"US": 1.0, "Y.HK": -1.0}
    assert as_rows(held)[20] == {"B.HK": 0.5, "US": 0.5, "Y.HK": -1.0}


def test_nothing_is_held_while_a_side_is_empty(make_market, line):
    market = world(make_market, line)
    held = held_against(market, ("US",), ("Y.HK",), np.ones(90), Rules(1.0))
    assert held.weights[74].tolist() == [1.0, -1.0]
    assert held.weights[75].tolist() == [0.0, 0.0]  # Y.HK traded last on day 69, six sessions before
    assert np.isnan(held.ratio[75])


def test_weights_between_two_looks_are_not_said_again(make_market, line):
    market = world(make_market, line, count=40)
    held = held_against(
        market, ("US",), ("X",), np.ones(40), Rules(1.0, hedge="beta", lookback=10, rebalance=5)
    )
    changed = np.flatnonzero((np.diff(held.weights, axis=0) != 0).any(axis=1)) + 1
    assert changed[0] == 10
    assert set(changed) <= {10, 15, 20, 25, 30, 31, 35}  # X is out for a day at 25, which is no gap
    assert len(changed) >= 5
    assert (held.weights[10:, 0] == 1.0).all()
    np.testing.assert_allclose(held.weights[10:, 1], -held.ratio[10:])


def test_a_line_on_both_sides_is_refused(make_market, line):
    market = world(make_market, line, count=12)
    with pytest.raises(ParameterError, match="US would be held long and short"):
        held_against(market, ("US", "X"), ("US",), np.ones(12), Rules(1.0))


def test_a_departed_line_is_left_alone(make_market, line):
    gone = pd.DataFrame(
        [("X", pd.Timestamp("2022-01-13"), "", np.nan)],
        columns=["symbol", "last_session", "into", "ordinary_per_ads"],
    )
    levels = {"X": np.where(np.arange(20) < 9, 10.0, np.nan), "U": np.full(20, 10.0)}
    market = make_market(levels, {s: line(s, "etf") for s in levels}, delistings=gone)
    level = np.ones(20)
    held = held_against(market, ("X", "U"), (), level, Rules(1.0))
    targets = as_targets(market, held, level, drift_band=0.1, signal="s")
    spoken = targets.weights[decisions(market)]
    assert np.flatnonzero(np.isfinite(spoken[:, 0])).tolist() == [0]
    assert {int(i): spoken[i, 1] for i in np.flatnonzero(np.isfinite(spoken[:, 1]))} == {0: 0.5, 9: 1.0}


def test_the_long_side_earns_and_the_short_side_costs(make_market, line):
    """Half the equity on each side, bought in shares at the first day's prices and filled a day later."""
    days = np.arange(30)
    up, slow = 100 * 1.01**days, 100 * 1.005**days
    market = make_market({"UP": up, "SLOW": slow}, {s: line(s, "etf") for s in ("UP", "SLOW")})
    earned = 0.5 * (up[-1] - up[1]) / 100 - 0.5 * (slow[-1] - slow[1]) / 100
    assert earned > 0.08
    for long, short, sign in (("UP", "SLOW", 1), ("SLOW", "UP", -1)):
        held = held_against(market, (long,), (short,), np.ones(30), Rules(0.5))
        plan = as_targets(market, held, np.ones(30), drift_band=np.inf, signal="s")
        run = ep.backtest(market, Fixed(plan), costs=ep.Costs.none(), check=True)
        assert run.equity.iloc[-1] / 1e7 - 1 == pytest.approx(sign * earned, rel=1e-9)


class Fixed:
    """A strategy whose targets are made."""

    def __init__(self, made):
        self.made = made

    def targets(self, market, path=None):
        return self.made


def test_on_a_simulated_market_a_cut_changes_nothing_before(same_until):
    market = simulate_market(start="2024-03-01", end="2025-03-31", seed=3, events=load_events().frame)
    market = replace(market, instruments=market.instruments.assign(shortable=True))
    path = RegimeModel().walk_forward(market, load_events(), progress=False)
    for plan in (
        IndexPair(lookback=60),
        ThemeRotation(lookback=60, sizing="inverse_volatility"),
        TariffRotation(lookback=60),
        StimulusBasket(load_events()),
    ):
        same_until(plan, market, path, seed=6, cuts=3)
        assert np.isfinite(plan.targets(market, path).weights).any(), plan


# -- who may be in a basket ------------------------------------------------------------------------------


def test_groups_are_lists_in_order_of_preference():
    assert require_groups("long", ["A", "B"]) == (("A", "B"),)
    assert require_groups("long", "A") == (("A",),)
    assert require_groups("long", (("A", "B"), "C", ["D"])) == (("A", "B"), ("C",), ("D",))
    for wrong in ([], [[]], [["A"], []], 5, [5], {"A"}, None):
        with pytest.raises(ParameterError, match=r"^long is") as refusal:
            require_groups("long", wrong)
        assert "\n" not in str(refusal.value)


def test_the_first_list_with_a_line_is_taken_and_the_rest_noted(make_pairs):
    market = make_pairs(count=5)
    groups = (("2828.HK", "3033.HK"), ("FXI", "KWEB"), ("ASHR",))
    assert first_present(market, "the long side", groups) == ("KWEB",)
    notes = left_out(market, "the long side is", groups, ("KWEB",))
    assert notes == ("the long side is without 2828.HK, 3033.HK, FXI: not in this market",)
    assert first_present(market, "the short side", (("100.HK", "KWEB"),), short=True) == ("KWEB",)
    notes = left_out(market, "the short side is", (("100.HK", "KWEB"),), ("KWEB",))
    assert notes == ("the short side is without 100.HK: they may not be shorted",)
    assert present(market, ["KWEB", "NOPE", "KWEB"]) == ("KWEB",)


def test_an_empty_side_and_an_index_are_refused(make_pairs):
    market = make_pairs(count=5)
    with pytest.raises(
        ParameterError, match="long side has no line in this market: load one of PGJ, or FXI"
    ) as no:
        first_present(market, "the long side", (("PGJ",), ("FXI",)))
    assert "\n" not in str(no.value)
    with pytest.raises(ParameterError, match=r"may be shorted .*hk_shorts.* of 100.HK, or use less"):
        first_present(market, "the short side", (("100.HK",),), short=True, fix=", or use less")
    with pytest.raises(ParameterError, match=r"\^HSI is an index"):
        present(market, ["^HSI"])


def test_a_basket_that_never_trades_says_why(make_market, line):
    market = world(make_market, line, count=12)
    zero = held_against(market, ("US",), (), np.zeros(12), Rules(1.0))
    assert (
        "nothing ever calls for it"
        in as_targets(market, zero, np.zeros(12), drift_band=1, signal="s").notes[0]
    )
    long_window = held_against(market, ("US",), ("X",), np.ones(12), Rules(1.0, hedge="beta"))
    notes = as_targets(market, long_window, np.ones(12), drift_band=1, signal="s").notes
    assert "window of prices and exchange rates it needs" in notes[0]
    quiet = Held(("US",), np.ones((12, 1)), np.ones(12))
    assert as_targets(market, quiet, np.ones(12), drift_band=1, signal="s").notes == ()


def test_signals_are_the_level_and_the_ratio(make_market, line):
    market = world(make_market, line, count=30)
    level = np.r_[np.zeros(15), np.ones(15)]
    held = held_against(market, ("US",), ("X",), level, Rules(1.0))
    targets = as_targets(market, held, level, drift_band=0.1, signal="mine", other=2 * level)
    assert isinstance(targets, Targets)
    frame = targets.signals["mine"]
    assert list(frame.columns) == ["other", "level", "hedge_ratio"]
    assert frame["hedge_ratio"].isna().tolist() == [True] * 15 + [False] * 15
    assert frame.index[0] == pd.Timestamp("2022-01-03")


@pytest.mark.parametrize(
    "changes",
    [
        {"weight": -1},
        {"weight": "half"},
        {"sizing": "risk"},
        {"hedge": "none"},
        {"lookback": 9},
        {"lookback": 20.5},
        {"horizon": 0},
        {"horizon": 61},
        {"rebalance": 0},
        {"rebalance": True},
    ],
)
def test_wrong_rules_are_refused_in_one_sentence(changes):
    with pytest.raises(ParameterError, match=f"^{next(iter(changes))} is") as refusal:
        Rules(**{"weight": 0.5} | changes).check()
    assert "\n" not in str(refusal.value)
