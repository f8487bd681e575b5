"""Long Hong Kong, short ADR: the signal and the states against slow twins, and nothing from the future."""

from __future__ import annotations

import gc
import math
import weakref
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from entrepot.errors import ParameterError
from entrepot.markets.market import Market
from entrepot.markets.premium import premium
from entrepot.markets.simulate import simulate_market
from entrepot.strategies import LongHKShortADR, _kernels as kernels
from entrepot.strategies.pair_history import averaged_premium, between_ex_dates, round_trip_cost
from entrepot.strategies.targets import EXITS, decisions, emitted as asked_alone

QUICK = LongHKShortADR(lookback=20, span=3, entry=1.0, exit=0.2, round_trip_bps=0)


def slow_signal(market, adr):
    """The premium at each decision, observation by observation in plain Python."""
    same = premium(market, adr, align="same_date", detail=True)["premium"].to_dict()
    ahead = premium(market, adr, align="next_hk", detail=True)
    ahead = list(zip(ahead["known_at"], ahead["premium"], strict=True))
    steps = decisions(market)
    times, days = list(market.grid["time"][steps]), list(market.grid["session"][steps])
    values = []
    for number, (now, day) in enumerate(zip(times, days, strict=True)):
        known = [pair for pair in ahead if pair[0] <= now]
        if day not in same or not known:
            values.append(math.nan)
            continue
        first = next(k for k in range(number + 1) if times[k] >= known[-1][0])
        values.append((same[day] + known[-1][1]) / 2 if number - first <= 5 else math.nan)
    return values


def slow_states(values, *, entry, exit, lookback, span, cost, reverse=False):
    """Smoothing, z-score and the two latches of one pair in plain Python."""
    smooth, weights, total, states = [], 0.0, 0.0, []
    long = short = False
    missing = 0
    decay = 1 - 2 / (span + 1)
    for value in values:
        missing = 0 if math.isfinite(value) else missing + 1
        if missing > 5 or (not smooth and missing):
            long = short = False
        if missing == 0:
            total, weights = total * decay + value, weights * decay + 1
            smooth.append(total / weights)
            if len(smooth) >= lookback:
                window = smooth[-lookback:]
                mean = sum(window) / lookback
                deviation = math.sqrt(sum((x - mean) ** 2 for x in window) / (lookback - 1))
                z, distance = (smooth[-1] - mean) / deviation, smooth[-1] - mean
                long = (z > entry and distance > cost) or (long and not z < exit)
                short = (z < -entry and -distance > cost) or (short and not z > -exit)
        states.append(float(long) - float(short and reverse))
    return states


def emitted(states, weight):
    numbers, before = [], 0.0
    for state in states:
        numbers.append(weight * state if state != before else math.nan)
        before = state
    return numbers


@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
def test_the_signal_is_the_slow_twins(make_pairs, phases):
    market = make_pairs(phases=phases)
    adrs = tuple(market.pairs.index)
    fast = averaged_premium(market, adrs)
    for p, adr in enumerate(adrs):
        np.testing.assert_allclose(fast[:, p], slow_signal(market, adr), rtol=0, atol=1e-15)
    assert np.isnan(fast[1:]).any()
    assert np.isfinite(fast).mean() > 0.9


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cost_bps", [0, 150])
def test_the_states_are_the_slow_twins(make_pairs, reverse, cost_bps):
    market = make_pairs(count=400, seed=5, hk_shorts=("100.HK", "101.HK", "102.HK"))
    strategy = QUICK.with_(reverse=reverse, round_trip_bps=cost_bps, weight=0.2)
    targets = strategy.targets(market)
    steps = decisions(market)
    for p, (_, adr) in enumerate(targets.pairs):
        states = slow_states(
            slow_signal(market, adr),
            entry=1.0,
            exit=0.2,
            lookback=20,
            span=3,
            cost=cost_bps / 1e4,
            reverse=reverse,
        )
        np.testing.assert_array_equal(targets.pair_weights[steps, p], emitted(states, 0.2))
        assert len(set(states)) == (3 if reverse else 2)
    quiet = np.ones(len(market), dtype=bool)
    quiet[steps] = False
    assert np.isnan(targets.pair_weights[quiet]).all()
    assert np.isnan(targets.weights).all()


def test_numbers_come_only_with_a_change_of_state(make_pairs):
    targets = QUICK.targets(make_pairs())
    for column in targets.pair_weights.T:
        said = column[np.isfinite(column)]
        assert len(said) > 4
        assert said[0] != 0
        assert (np.diff(said) != 0).all()


def test_the_weight_is_taken_as_given_whatever_the_number_of_pairs(make_pairs):
    market = make_pairs()
    assert LongHKShortADR().weight == 0.075
    assert 13 * LongHKShortADR().weight < 1
    for changes in ({}, {"pairs": ["ADA"]}):
        assert np.nanmax(QUICK.with_(weight=0.5, **changes).targets(market).pair_weights) == 0.5


@pytest.mark.parametrize("mode", ["convergence", "delisting_hedge"])
def test_the_way_out_is_the_same_at_every_step_and_moves_no_weight(make_pairs, make_path, mode):
    market = make_pairs()
    plan, path = QUICK.with_(mode=mode), make_path(market, 2, 3.0)
    traded = plan.targets(market, path)
    for number, word in enumerate(EXITS):
        targets = plan.with_(exit_by=word).targets(market, path)
        np.testing.assert_array_equal(targets.exits, np.full(targets.pair_weights.shape, number))
        assert targets.pair_weights.tobytes() == traded.pair_weights.tobytes()
    assert not traded.exits.any()


def without(market, symbols):
    """The market without some lines."""
    keep = [symbol for symbol in market.symbols if symbol not in symbols]
    adrs = [symbol for symbol in market.ratios["adr"] if symbol in keep]
    return Market(
        market.grid,
        market.price[keep],
        market.instruments.loc[keep],
        fixings=market.fixings,
        ratios=market.ratios[market.ratios["adr"].isin(adrs)],
    )


@pytest.mark.parametrize("mode", ["convergence", "delisting_hedge"])
def test_pairs_that_list_later_change_no_earlier_target(make_pairs, make_path, mode):
    market = make_pairs(count=300, pairs=5)
    price = market.price.copy()
    price.loc[price.index < price.index[400], ["101.HK", "ADB", "103.HK", "ADD", "104.HK", "ADE"]] = np.nan
    market = Market(market.grid, price, market.instruments, fixings=market.fixings, ratios=market.ratios)
    cut = market.until(399)
    short = without(cut, ["101.HK", "ADB", "103.HK", "ADD", "104.HK", "ADE"])
    plan = QUICK.with_(mode=mode, weight=0.4)
    whole = plan.targets(market, make_path(market, 2, 3.0))
    fewer = plan.targets(short, make_path(short, 2, 3.0))
    assert len(whole.pairs) == 5
    assert [adr for _, adr in fewer.pairs] == ["ADA", "ADC"]
    assert np.nanmax(fewer.pair_weights) == 0.4
    for p, pair in enumerate(fewer.pairs):
        earlier = whole.pair_weights[:400, whole.pairs.index(pair)]
        assert fewer.pair_weights[:, p].tobytes() == earlier.tobytes()


def test_an_earlier_end_gives_the_same_earlier_targets():
    short, whole = (
        LongHKShortADR().targets(simulate_market(start="2018-01-02", end=end, seed=3))
        for end in ("2019-12-31", "2021-12-31")
    )
    steps = len(short.weights)
    assert np.isfinite(short.pair_weights).sum() > 10
    for p, pair in enumerate(short.pairs):
        earlier = np.ascontiguousarray(whole.pair_weights[:steps, whole.pairs.index(pair)])
        assert np.ascontiguousarray(short.pair_weights[:, p]).tobytes() == earlier.tobytes()


def test_pairs_are_chosen_by_either_symbol(make_pairs):
    market = make_pairs()
    assert QUICK.with_(pairs=("ADB", "100.HK", "ADA")).targets(market).pairs == (
        ("101.HK", "ADB"),
        ("100.HK", "ADA"),
    )
    assert QUICK.with_(pairs="102.HK").targets(market).pairs == (("102.HK", "ADC"),)


# -- cost ----------------------------------------------------------------------------------------------


def test_the_round_trip_is_the_dated_schedule(make_pairs):
    market = make_pairs(count=5, pairs=1)  # January 2022
    price = market.price.copy()
    price["100.HK"] = np.where(market.venue_of_step == "XHKG", 90.0, np.nan)
    price["ADA"] = np.where(market.venue_of_step == "XNYS", 92.0, np.nan)
    market = Market(market.grid, price, market.instruments, fixings=market.fixings, ratios=market.ratios)
    hk = 2 * (0.0013 + 0.000027 + 0.0000015 + 0.00005 + 0.00002 + 0.0003)  # the last is the broker's
    us = 5.1e-6 + 0.00013 / 92 + 2 * 0.0035 / 92
    spreads = 2 * 0.05 / 2 / 90 + 2 * 2e-4
    assert round_trip_cost(market, ("ADA",))[-1, 0] == pytest.approx(hk + us + spreads, rel=1e-12)
    dear = Market(
        market.grid,
        price,
        market.instruments.assign(fee_class="none"),
        fixings=market.fixings,
        ratios=market.ratios,
    )
    assert round_trip_cost(dear, ("ADA",))[-1, 0] == pytest.approx(spreads, rel=1e-12)


def test_a_reversion_below_the_round_trip_is_not_traded_and_counted(make_pairs):
    market = make_pairs()
    free, dear = QUICK.targets(market), QUICK.with_(round_trip_bps=5000).targets(market)
    assert np.isfinite(free.pair_weights).any()
    assert np.isnan(dear.pair_weights).all()
    assert any("less than the round trip" in note for note in dear.notes)
    zscore = dear.signals["zscore"].to_numpy()
    beyond = np.abs(zscore) > 1.0
    entered = sum(
        int((side & ~np.vstack([np.zeros((1, 3), bool), side[:-1]])).sum())
        for side in (beyond & (zscore > 0), beyond & (zscore < 0))
    )
    assert f"{entered} signals not taken: the reversion" in " ".join(dear.notes)


def test_the_dated_cost_holds_back_some_entries(make_pairs):
    market = make_pairs(swing=0.004)
    free, dated = QUICK.targets(market), QUICK.with_(round_trip_bps=None).targets(market)
    assert np.isfinite(dated.pair_weights).sum() < np.isfinite(free.pair_weights).sum()


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_what_lies_on_a_bound_neither_enters_nor_leaves(make_pairs, side):
    """More than the entry, a distance that exceeds the cost, below the exit: equal to it is none of these."""
    market = make_pairs(count=8, pairs=1)
    plan = LongHKShortADR(entry=1.5, exit=0.25, weight=0.5, reverse=True, round_trip_bps=100)
    told = [  # z-score, distance from the mean, what is said
        (1.5, 0.02, math.nan),
        (2.0, 0.01, math.nan),  # 100 basis points
        (2.0, 0.02, 0.5 * side),
        (0.25, 0.02, math.nan),
        (0.125, 0.02, 0.0),
        (2.0, 0.02, 0.5 * side),
        (2.0, 0.02, 0.0),  # of quotes too old to trade on
    ]
    features = np.full((4, len(market), 1), math.nan)
    asked = decisions(market)[: len(told)]
    for step, (z, distance, _) in zip(asked, told, strict=True):
        features[[kernels.Z, kernels.REVERSION], step, 0] = side * z, side * distance
    features[kernels.FLAGS] = kernels.ADR_SHORTABLE | kernels.HK_SHORTABLE
    features[kernels.FLAGS, asked[-1]] += kernels.STALE
    decision = replace(plan.decision(market), features=lambda: features)
    numbers, _, _ = asked_alone(market, decision)
    np.testing.assert_array_equal(numbers[asked, 0], [number for *_, number in told])


# -- what is not taken -----------------------------------------------------------------------------------


def test_cheap_adrs_are_counted_where_they_are_not_bought(make_pairs):
    market = make_pairs(hk_shorts=("101.HK",))
    off = QUICK.targets(market)
    assert (off.pair_weights[np.isfinite(off.pair_weights)] >= 0).all()
    lost = int(off.notes[0].split()[0])
    assert off.notes[0].endswith("signals of a cheap ADR not taken: reverse is off")

    on = QUICK.with_(reverse=True).targets(market)
    sold = (on.pair_weights < 0).any(axis=0)
    assert [hk for (hk, _), s in zip(on.pairs, sold, strict=True) if s] == ["101.HK"]
    still_lost = int(on.notes[0].split()[0])
    assert 0 < still_lost < lost
    taken = int((on.pair_weights[:, 1] < 0).sum())
    assert still_lost + taken == lost
    assert "100.HK, 102.HK may not be shorted" in on.notes[0]


def test_rich_adrs_that_may_not_be_shorted_are_counted(make_pairs):
    market = make_pairs()
    barred = Market(
        market.grid,
        market.price,
        market.instruments.assign(shortable=False),
        fixings=market.fixings,
        ratios=market.ratios,
    )
    targets = QUICK.targets(barred)
    assert np.isnan(targets.pair_weights).all()
    assert "ADA, ADB, ADC may not be shorted" in targets.notes[0]


# -- missing data ----------------------------------------------------------------------------------------


def rich_until_the_end(make_market, line, hk_gap=(), count=80, **changes):
    """One pair whose ADR jumps 10 % rich on day 40 and drifts on richer: entered once, never left."""
    hk = np.full(count, 80.0)
    gap = 0.001 * np.sin(np.arange(count)) + np.where(np.arange(count) >= 40, 0.1, 0)
    gap[40:] += 0.02 * np.arange(count - 40)
    adr = 8 * hk / 7.8 * (1 + gap)
    hk[list(hk_gap)] = np.nan
    rows = {"1.HK": line("1.HK", "ordinary", pair="A"), "A": line("A", "ads", pair="1.HK")}
    return make_market({"1.HK": hk, "A": adr}, rows, **changes)


STEADY = QUICK.with_(round_trip_bps=100, weight=0.1)


def said(targets, market):
    numbers = targets.pair_weights[decisions(market), 0]
    return {int(i): float(numbers[i]) for i in np.flatnonzero(np.isfinite(numbers))}


def test_a_short_gap_is_held_and_a_long_one_closed(make_market, line):
    alone = rich_until_the_end(make_market, line)
    assert said(STEADY.targets(alone), alone) == {40: 0.1}
    held = rich_until_the_end(make_market, line, hk_gap=range(50, 55))
    assert said(STEADY.targets(held), held) == {40: 0.1}
    closed = rich_until_the_end(make_market, line, hk_gap=range(50, 56))
    numbers = said(STEADY.targets(closed), closed)
    assert numbers[55] == 0.0
    ended = rich_until_the_end(make_market, line, hk_gap=range(50, 80))
    assert said(STEADY.targets(ended), ended) == {40: 0.1, 55: 0.0}


def test_nothing_is_said_before_the_window_is_full(make_pairs):
    market = make_pairs()
    targets = LongHKShortADR(lookback=60, entry=0.01, exit=0, round_trip_bps=0).targets(market)
    first = np.flatnonzero(np.isfinite(targets.pair_weights).any(axis=1))[0]
    assert (decisions(market) <= first).sum() > 60


def test_a_flat_premium_has_no_score(make_market, line):
    rows = {"1.HK": line("1.HK", "ordinary", pair="A"), "A": line("A", "ads", pair="1.HK")}
    market = make_market({"1.HK": np.full(90, 80.0), "A": np.full(90, 80.0)}, rows)
    per_usd = market.fixings.assign(per_usd=7.8)
    market = Market(market.grid, market.price, market.instruments, fixings=per_usd, ratios=market.ratios)
    targets = QUICK.targets(market)
    assert np.isnan(targets.signals["zscore"].to_numpy()).all()
    assert np.isnan(targets.pair_weights).all()


def test_a_departed_adr_gets_no_targets(make_market, line):
    delisted = pd.DataFrame(
        [("A", pd.Timestamp("2022-03-04"), "1.HK", 8.0)],
        columns=["symbol", "last_session", "into", "ordinary_per_ads"],
    )
    market = rich_until_the_end(make_market, line, delistings=delisted, hk_gap=range(45, 80))
    assert said(STEADY.targets(market), market) == {40: 0.1}


def test_a_premium_between_ex_dates_is_no_signal(make_market, line):
    dividends = pd.DataFrame(
        [("1.HK", pd.Timestamp("2022-02-08")), ("A", pd.Timestamp("2022-02-10"))],
        columns=["symbol", "ex_date"],
    ).assign(pay_date=pd.NaT, amount=1.0)
    market = rich_until_the_end(make_market, line, dividends=dividends)
    days = market.grid["session"][decisions(market)]
    masked = between_ex_dates(market, ("A",))[:, 0]
    assert [f"{d:%m-%d}" for d in days[masked]] == ["02-08", "02-09", "02-10"]
    alone = rich_until_the_end(make_market, line, dividends=dividends[:1])
    masked = between_ex_dates(alone, ("A",))[:, 0]
    assert [f"{d:%m-%d}" for d in days[masked]] == [f"02-{d:02d}" for d in (8, 9, 10, 11, 14, 15)]
    signal = QUICK.targets(market).signals["signal"]["A"]
    assert signal.isna().sum() == 4  # the first decision has no next_hk yet


# -- hedge -----------------------------------------------------------------------------------------------


def hedge_of(market, path, **changes):
    strategy = LongHKShortADR(mode="delisting_hedge", weight=0.2, pairs=["ADA"], **changes)
    return said(strategy.targets(market, path), market)


def test_the_hedge_moves_in_quarters_and_leaves_on_relief(make_pairs, make_path):
    market = make_pairs(count=12, hk_holidays=())
    level = np.repeat([0, 0.3, 0.4, 0.8, 1.2, 3, 9, 2.0, 2.0, 1.0, 1.0, 0.2], 2)
    relief = np.repeat([0, 0, 0, 0, 0, 0, 0, 0, 2.0, 0.9, 0, 0], 2)
    numbers = hedge_of(market, make_path(market, 0, level, relief))
    quarter = 0.05
    assert numbers == pytest.approx(
        {2: quarter, 4: 2 * quarter, 5: 4 * quarter, 7: 3 * quarter, 8: 0, 9: quarter, 11: 0}
    )


def test_the_hedge_decides_at_new_york_closes_only(make_pairs, make_path):
    market = make_pairs(count=12, phases=("open", "close"))
    escalation = np.where(market.grid["venue"] == "XNYS", 0.0, 3.0)
    targets = LongHKShortADR(mode="delisting_hedge").targets(market, make_path(market, 2, escalation))
    assert np.isnan(targets.pair_weights).all()


def test_the_hedge_says_nothing_of_an_adr_that_has_left(make_pairs, make_path):
    """The ADR's last session is that of decision 4; relief ends the hedge at decision 7."""
    level, relief = np.repeat([0, 0] + 10 * [3.0], 2), np.repeat(7 * [0] + 5 * [4.0], 2)
    stays = make_pairs(count=12, hk_holidays=())
    assert hedge_of(stays, make_path(stays, 0, level, relief)) == {2: 0.2, 7: 0.0}
    delisted = pd.DataFrame(
        [("ADA", pd.Timestamp("2022-01-07"), "100.HK", 8.0)],
        columns=["symbol", "last_session", "into", "ordinary_per_ads"],
    )
    leaves = make_pairs(count=12, hk_holidays=(), delistings=delisted)
    assert hedge_of(leaves, make_path(leaves, 0, level, relief)) == {2: 0.2}


def test_a_pair_joins_the_hedge_when_both_lines_trade_and_leaves_when_one_stops(make_pairs, make_path):
    market = make_pairs(count=40, hk_holidays=())
    price = market.price.copy()
    price.loc[market.grid["session"].to_numpy() < pd.Timestamp("2022-01-12"), "100.HK"] = np.nan
    price.loc[market.grid["session"].to_numpy() > pd.Timestamp("2022-02-04"), "ADA"] = np.nan
    market = Market(market.grid, price, market.instruments, fixings=market.fixings, ratios=market.ratios)
    numbers = hedge_of(market, make_path(market, 2, 3.0))
    days = market.grid["session"][decisions(market)].dt.strftime("%m-%d").to_numpy()
    assert {days[i]: w for i, w in numbers.items()} == {"01-12": 0.2, "02-14": 0.0}


def test_the_hedge_needs_a_path_made_for_the_market(make_pairs, make_path):
    market = make_pairs(count=12)
    hedge = LongHKShortADR(mode="delisting_hedge")
    with pytest.raises(ParameterError, match="needs a regime path"):
        hedge.targets(market)
    with pytest.raises(ParameterError, match="11 steps and the market 24"):
        hedge.targets(market, make_path(market.until(10)))
    other = make_pairs(count=12, start="2022-02-07")
    with pytest.raises(ParameterError, match="other steps"):
        hedge.targets(make_pairs(count=12, hk_holidays=()), make_path(other))


# -- nothing from the future -------------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
@pytest.mark.parametrize("seed", [11, 12])
def test_cutting_the_market_changes_nothing_before(make_pairs, wander, same_until, phases, seed):
    dividends = pd.DataFrame(
        [("100.HK", pd.Timestamp("2022-05-10")), ("ADA", pd.Timestamp("2022-05-12"))],
        columns=["symbol", "ex_date"],
    ).assign(pay_date=pd.NaT, amount=2.0)
    market = make_pairs(seed=seed, phases=phases, dividends=dividends, hk_shorts=("101.HK",))
    same_until(QUICK.with_(reverse=True, round_trip_bps=None), market, None, seed)
    same_until(QUICK.with_(mode="delisting_hedge"), market, wander(market, seed), seed)


def test_what_is_remembered_of_a_market_goes_with_it(make_pairs):
    market = make_pairs(count=30)
    first = averaged_premium(market, ("ADA",))
    assert averaged_premium(market, ("ADA",)) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0
    gone = weakref.ref(market)
    del market
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "carry"},
        {"mode": ["convergence"]},
        {"signal": {}},
        {"pairs": 5},
        {"pairs": [5]},
        {"reverse": "yes"},
        {"reverse": None},
        {"weight": None},
        {"drift_band": pd.DataFrame()},
        {"entry": 0},
        {"entry": math.nan},
        {"entry": "1"},
        {"exit": 2.0},
        {"exit": -1.5},
        {"lookback": 2},
        {"lookback": 20.5},
        {"lookback": True},
        {"span": 0.5},
        {"weight": -0.1},
        {"weight": math.nan},
        {"round_trip_bps": -1},
        {"drift_band": 0},
        {"exit_by": "sell"},
        {"exit_by": 1},
        {"exit_by": None},
    ],
)
def test_bad_parameters_are_refused_in_one_sentence(changes):
    with pytest.raises(ParameterError, match=next(iter(changes))) as refusal:
        LongHKShortADR(**changes)
    assert "\n" not in str(refusal.value)


def test_a_negative_entry_is_told_to_be_positive():
    with pytest.raises(ParameterError, match=r"entry is -1: give a positive number$"):
        LongHKShortADR(entry=-1)
    assert LongHKShortADR(entry=np.float32(2), lookback=np.int64(60)).entry == 2


@pytest.mark.parametrize("exit", [0.3, -0.3, 0.1])
def test_an_exit_outside_the_entry_is_refused_with_both(exit):
    with pytest.raises(ParameterError, match=rf"exit is {exit} and entry 0.1: exit lies strictly between"):
        LongHKShortADR(entry=0.1, exit=exit)


def test_wrong_objects_are_refused_in_one_sentence(make_pairs):
    market = make_pairs(count=5)
    with pytest.raises(ParameterError, match="was given None: give a market"):
        LongHKShortADR().targets(None)
    with pytest.raises(ParameterError, match="needs a regime path and was given 'x': pass"):
        LongHKShortADR(mode="delisting_hedge").targets(market, "x")


def test_a_plan_that_can_never_trade_says_so(make_pairs, make_path):
    market = make_pairs(count=100)
    for changes, words in (
        ({"lookback": 500}, "lookback is 500 and no pair has more than 89 premia"),
        ({"lookback": 10**18}, "can never trade: lookback"),
        ({"lookback": 4, "entry": 1.5}, "z-score among 4 observations stays below 1.50"),
        ({"weight": 0}, "weight is 0"),
    ):
        targets = QUICK.with_(**changes).targets(market)
        assert not np.nan_to_num(targets.pair_weights).any()
        assert any(words in note for note in targets.notes), targets.notes
    hedge = LongHKShortADR(mode="delisting_hedge").targets(market, make_path(market))
    assert "never trades: the path's delisting escalation" in hedge.notes[0]
    assert not any("never" in note for note in QUICK.targets(market).notes)


def test_pairs_outside_the_market_are_refused(make_pairs):
    market = make_pairs(count=5)
    for pairs in (["NOPE"], [], ["KWEB"]):
        with pytest.raises(ParameterError, match="ADA, ADB, ADC"):
            LongHKShortADR(pairs=pairs).targets(market)
    no_pair = Market.from_prices(pd.DataFrame({"A": [1.0]}, pd.DatetimeIndex(["2022-01-03"])))
    with pytest.raises(ParameterError, match="no pair"):
        LongHKShortADR().targets(no_pair)
