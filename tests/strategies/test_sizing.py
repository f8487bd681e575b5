"""Sizes: by volatility, regime and beta, and within limits, against twins written out line by line."""

from __future__ import annotations

from dataclasses import dataclass, replace

import naive_composition as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import entrepot as ep
from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.strategies import LongHKShortADR, SectorRotation, Targets
from entrepot.strategies.causality import check_causal
from entrepot.strategies.composition import blend, switch
from entrepot.strategies.limits import cap, limit_to_volume, traded_value
from entrepot.strategies.sizing import neutralise, returns_over, scale_by_regime, scale_to_volatility
from entrepot.strategies.targets import Parametrised, carried, decisions

NAN = np.nan
PAIR, OTHER = ("100.HK", "ADA"), ("101.HK", "ADB")
QUICK = LongHKShortADR(lookback=20, span=3, entry=1.0, round_trip_bps=0)
SECTORS = SectorRotation(lookback=15, top=1, rebalance=4, universe="hk")


@dataclass(frozen=True)
class Wanderer(Parametrised):
    """Random numbers now and then, at any step, from a seed and the step alone."""

    seed: int = 0
    singles: tuple[str, ...] = ("KWEB", "100.HK", "ADB")
    linked: tuple[tuple[str, str], ...] = (PAIR, OTHER)
    often: float = 0.02
    since: int = 60

    def targets(self, market, path=None):
        numbers = np.full((len(market), len(self.singles) + len(self.linked)), NAN)
        for step in range(self.since, len(market)):
            rng = np.random.default_rng([self.seed, step])
            speaks = rng.random(numbers.shape[1]) < self.often
            numbers[step, speaks] = rng.choice([0.0, -0.1, 0.2, 0.4], numbers.shape[1])[speaks]
        weights = np.full(market.price.shape, NAN)
        columns = [market.column(symbol) for symbol in self.singles]
        weights[:, columns] = numbers[:, : len(columns)]
        exits = np.full((len(market), len(self.linked)), 2)
        notes = (f"seed {self.seed}",)
        return Targets(weights, self.linked, numbers[:, len(columns) :], 0.07, notes, exits=exits)


@dataclass(frozen=True)
class Hold(Parametrised):
    """Constant weights from the first decision on."""

    singles: tuple[tuple[str, float], ...] = ()
    linked: tuple[tuple[tuple[str, str], float], ...] = ()

    def targets(self, market, path=None):
        first = decisions(market)[0]
        weights = np.full(market.price.shape, NAN)
        pair_weights = np.full((len(market), len(self.linked)), NAN)
        for symbol, weight in self.singles:
            weights[first, market.column(symbol)] = weight
        pair_weights[first] = [weight for _, weight in self.linked]
        return Targets(weights, tuple(pair for pair, _ in self.linked), pair_weights)


def hold(**singles):
    return Hold(tuple(singles.items()))


@pytest.fixture(scope="module")
def market(make_pairs):
    """Gaps, holidays, two steps a day and venue, a split, dividends, a departure and volumes."""
    tables = {
        "delistings": pd.DataFrame(
            [("ADB", pd.Timestamp("2022-06-15"), "101.HK", 8.0)],
            columns=["symbol", "last_session", "into", "ordinary_per_ads"],
        ),
        "splits": pd.DataFrame(
            [("KWEB", pd.Timestamp("2022-04-12"), 1.05), ("100.HK", pd.Timestamp("2022-05-03"), 0.9)],
            columns=["symbol", "ex_date", "factor"],
        ),
        "dividends": pd.DataFrame(
            [
                ("100.HK", pd.Timestamp("2022-04-05"), pd.NaT, 3.0),
                ("ADB", pd.Timestamp("2022-05-07"), pd.NaT, 2.0),
            ],
            columns=["symbol", "ex_date", "pay_date", "amount"],
        ),
    }
    made = make_pairs(count=150, phases=("open", "close"), seed=5, **tables)
    shares = 1e5 * np.exp(np.random.default_rng(6).normal(size=made.price.shape))
    known = np.isfinite(made.prices) & (made.grid["phase"] == "close").to_numpy()[:, None]
    known &= np.random.default_rng(7).random(known.shape) > 0.1
    return replace(
        made, volume=pd.DataFrame(np.where(known, shares, NAN), made.price.index, made.price.columns)
    )


@pytest.fixture(scope="module")
def no_split(market):
    """The same without its splits, by which volumes are counted in other shares."""
    return replace(market, splits=market.splits.iloc[:0])


def agree(targets, expected, market, least=20):
    made = naive.numbers_of(targets, market)
    assert made.keys() == expected.keys()
    for key, number in expected.items():
        assert made[key] == pytest.approx(number, rel=1e-9, abs=1e-12), key
    assert len({round(number, 6) for number in expected.values()}) > least


# -- twins ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "terms", [(0.1, 40, 5, 2.0, 0.1), (0.1, 20, 1, 1.5, 0.0), (0.05, 30, 10, 1.0, 0.5)], ids=str
)
def test_scales_are_those_of_the_formula(market, terms):
    part = Wanderer(1)
    targets = scale_to_volatility(part, *terms).targets(market)
    agree(targets, naive.by_volatility(part.targets(market), market, *terms), market, least=10)
    assert (targets.drift_band, targets.notes) == (0.07, ("Wanderer: seed 1",))
    assert (targets.exits == 2).all()


@pytest.mark.parametrize("method", ["beta", "dollar"])
@pytest.mark.parametrize("shares", [{"KWEB": 1.0}, {"ASHR": 2.0, "ADA": 1.0}], ids=str)
def test_hedges_are_those_of_the_formula(market, method, shares):
    part = Wanderer(2)
    against = "KWEB" if len(shares) == 1 else shares
    terms = {"lookback": 30, "horizon": 3, "max_weight": 0.35, "band": 0.1}
    targets = neutralise(part, against, **terms, method=method).targets(market)
    expected = naive.by_beta(part.targets(market), market, shares, method, 30, 3, 0.35, 0.1)
    agree(targets, expected, market, least=8 if method == "dollar" else 20)


@pytest.mark.parametrize(
    "limits", [(0.25, None, None), (None, 0.6, None), (None, None, 0.2), (0.3, 0.8, 0.1)]
)
def test_limits_are_those_of_the_definition(market, limits):
    part = Wanderer(3, often=0.05)
    targets = cap(part, *limits).targets(market)
    agree(targets, naive.capped(part.targets(market), market, *limits), market, least=3)


@pytest.mark.parametrize("terms", [(1e8, 0.05, 20, 1.0, 0.1), (3e8, 0.1, 5, 2.0, 0.0)], ids=str)
def test_sizes_by_volume_are_those_of_the_definition(no_split, terms):
    part = Wanderer(4, often=0.04, since=160)
    targets = limit_to_volume(part, *terms).targets(no_split)
    agree(targets, naive.by_volume(part.targets(no_split), no_split, *terms), no_split)


# -- by hand -------------------------------------------------------------------------------------------------


def at_decisions(targets, symbol, market):
    return targets.weights[decisions(market), market.column(symbol)]


def one_line(make_market, line, returns, **others):
    """KWEB with these returns day by day, and other lines with theirs."""
    levels = {"KWEB": 100 * np.cumprod(1 + np.asarray(returns))}
    levels |= {symbol: 100 * np.cumprod(1 + np.asarray(own)) for symbol, own in others.items()}
    rows = {symbol: line(symbol, "etf") for symbol in levels}
    return make_market(levels, rows)


def test_a_line_of_two_percent_a_day_is_held_at_a_third(make_market, line):
    """Daily returns of +-2 % are 0.02 sqrt(252) = 31.75 % a year; 10 % of that is a scale of 0.315."""
    market = one_line(make_market, line, [0.02, -0.02] * 20)
    targets = scale_to_volatility(hold(KWEB=0.5), 0.1, 20, 1).targets(market)
    kweb = at_decisions(targets, "KWEB", market)
    said = np.flatnonzero(np.isfinite(kweb))
    assert said.tolist() == [0, 20]  # the part speaks; twenty returns are known
    assert kweb[0] == 0.0
    assert kweb[20] == pytest.approx(0.5 * 0.1 / (0.5 * 0.02 * 252**0.5))
    most = scale_to_volatility(hold(KWEB=0.5), 0.1, 20, 1, cap=0.4).targets(market)
    assert at_decisions(most, "KWEB", market)[20] == pytest.approx(0.2)


def test_returns_over_weeks_do_not_see_what_days_make_up_for(make_market, line):
    """Over two sessions +2 % and -2 % come to -0.04 %: hardly any volatility, and the largest scale."""
    market = one_line(make_market, line, [0.02, -0.02] * 20)
    wide = scale_to_volatility(hold(KWEB=0.5), 0.1, 20, 2).targets(market)
    assert at_decisions(wide, "KWEB", market)[20] == pytest.approx(1.0)


def test_a_scale_moves_only_out_of_its_band(make_market, line):
    returns = np.tile([0.02, -0.02], 60)
    returns[60:] *= 1.05  # 5 % more volatile, in the end
    market = one_line(make_market, line, returns)
    scaled = scale_to_volatility(hold(KWEB=0.5), 0.1, 20, 1)
    assert np.isfinite(scaled.targets(market).weights).sum() == 2
    assert np.isfinite(scaled.with_(band=0.02).targets(market).weights).sum() > 2
    market = one_line(make_market, line, np.where(np.arange(120) < 60, 1.0, 2.0) * np.tile([0.02, -0.02], 60))
    kweb = carried(scaled.targets(market).weights)[decisions(market), market.column("KWEB")]
    assert kweb[-1] == pytest.approx(kweb[59] / 2, rel=0.1)


def test_half_of_the_window_has_to_be_known(make_market, line):
    """A fund listed on day 20 has eleven of twenty returns on day 31, and is held from then on."""
    returns = np.tile([0.02, -0.02], 30)
    young = np.where(np.arange(60) < 20, NAN, 1.0) * 100
    levels = {"KWEB": 100 * np.cumprod(1 + returns), "FXI": young * np.cumprod(1 + returns)}
    market = make_market(levels, {symbol: line(symbol, "etf") for symbol in levels})
    targets = scale_to_volatility(hold(KWEB=0.5, FXI=0.5), 0.1, 20, 1).targets(market)
    said = np.flatnonzero(np.isfinite(at_decisions(targets, "KWEB", market)))
    assert said.tolist() == [0, 30]
    late = scale_to_volatility(hold(FXI=0.5), 0.1, 50, 1).targets(market.until(int(decisions(market)[40])))
    assert late.notes == ("never held: its volatility could not be measured at any step",)
    assert not np.nan_to_num(late.weights).any()


def test_legs_twelve_hours_apart_look_wild_by_day_and_are_not(make_market, line):
    """The ADR moves at once, Hong Kong a day later: hedged, by day twice the news, by week next to none."""
    rng = np.random.default_rng(8)
    news = 0.02 * rng.standard_normal(250)
    adr = 100 * np.exp(news.cumsum())
    hk = np.concatenate([[100.0], adr[:-1]])
    rows = {
        "100.HK": line("100.HK", "ordinary", pair="ADA"),
        "ADA": line("ADA", "ads", pair="100.HK"),
    }
    market = make_market({"100.HK": hk * 7.8 / 8, "ADA": adr}, rows)
    pair = Hold((), ((PAIR, 0.5),))
    scales = {}
    for horizon in (1, 5, 20):
        targets = scale_to_volatility(pair, 0.10, 240, horizon, cap=50).targets(market)
        scales[horizon] = targets.pair_weights[decisions(market)[240], 0] / 0.5
    assert scales[1] < 0.5 < scales[5] < scales[20]
    assert scales[5] / scales[1] == pytest.approx(5**0.5, rel=0.15)
    assert scales[20] / scales[1] == pytest.approx(20**0.5, rel=0.25)


@pytest.mark.parametrize("method", ["dollar", "beta"])
def test_a_hedge_that_lists_late_is_held_once_it_has_a_price(make_market, line, method):
    rng = np.random.default_rng(9)
    fund = 0.01 * rng.standard_normal(80)
    kweb = 100 * np.cumprod(1 + fund)
    kweb[:30] = np.nan
    levels = {"KWEB": kweb, "FXI": 100 * np.cumprod(1 + fund)}
    market = make_market(levels, {symbol: line(symbol, "etf") for symbol in levels})
    hedged = neutralise(hold(FXI=0.3), "KWEB", 20, 1, method=method, max_weight=0.3)
    targets = hedged.targets(market)
    said = np.flatnonzero(np.isfinite(at_decisions(targets, "KWEB", market)))
    assert said[0] == (30 if method == "dollar" else 40)  # half of twenty returns are known
    assert targets.notes == ()
    result = ep.backtest(market, hedged, costs=ep.Costs.none())
    assert result.dropped.empty
    assert result.positions["KWEB"].iloc[-1] < 0.0


def test_a_hedge_takes_out_the_beta(make_market, line):
    rng = np.random.default_rng(9)
    fund = 0.01 * rng.standard_normal(60)
    market = one_line(make_market, line, fund, FXI=2 * fund)
    targets = neutralise(hold(FXI=0.3), "KWEB", 20, 1).targets(market)
    kweb = at_decisions(targets, "KWEB", market)
    assert np.flatnonzero(np.isfinite(kweb)).tolist() == [20]
    assert kweb[20] == pytest.approx(-0.6, rel=1e-9)
    least = neutralise(hold(FXI=0.3), "KWEB", 20, 1, max_weight=0.25).targets(market)
    assert at_decisions(least, "KWEB", market)[20] == -0.25
    own = neutralise(hold(KWEB=0.3), "KWEB", 20, 1).targets(market).standing()[0][decisions(market)]
    assert own[20:, market.column("KWEB")] == pytest.approx(0.0, abs=1e-12)
    assert neutralise(hold(FXI=0.3), "KWEB", 58, 1).targets(market).notes == ()
    late = neutralise(hold(FXI=0.3), "KWEB", 60, 1).targets(market)  # sixty closes have 59 returns
    assert late.notes == ("never hedged: the hedge had no price, or its beta could not be measured",)
    assert np.isnan(at_decisions(late, "KWEB", market)).all()
    dollar = neutralise(hold(FXI=0.3), "KWEB", 20, 1, method="dollar").targets(market)
    assert at_decisions(dollar, "KWEB", market)[0] == -0.3


def test_pairs_are_neutral_in_dollars_by_themselves(market):
    paired = Hold((), ((PAIR, 0.5),))
    targets = neutralise(paired, "KWEB", method="dollar").targets(market)
    assert not np.isfinite(targets.weights).any()


def test_where_nothing_is_wanted_the_hedge_is_closed(make_market, line):
    rng = np.random.default_rng(10)
    fund = 0.01 * rng.standard_normal(60)
    market = one_line(make_market, line, fund, FXI=2 * fund)
    days = market.grid["session"].unique()
    frame = pd.DataFrame({"FXI": [0.3, 0.0]}, index=pd.DatetimeIndex(days[[0, 40]]))
    kweb = at_decisions(neutralise(frame, "KWEB", 20, 1).targets(market), "KWEB", market)
    assert np.flatnonzero(np.isfinite(kweb)).tolist() == [20, 40]
    assert kweb[40] == 0.0


def test_each_leg_of_a_pair_counts(market):
    held = Hold((("100.HK", 0.2), ("KWEB", 0.3)), ((PAIR, 0.2), (OTHER, -0.1)))
    first = decisions(market)[0]

    def row(**limits):
        targets = cap(held, **limits).targets(market)
        return [targets.weights[first, market.column(s)] for s in ("100.HK", "KWEB")] + list(
            targets.pair_weights[first]
        )

    assert row(name=0.1) == pytest.approx([0.05, 0.1, 0.05, -0.1])  # 100.HK: 0.2 alone and 0.2 in the pair
    assert row(name=0.3) == pytest.approx([0.15, 0.3, 0.15, -0.1])
    assert row(gross=0.55) == pytest.approx([0.1, 0.15, 0.1, -0.05])  # 0.5 + 2 * 0.3 = 1.1
    assert row(net=0.25) == pytest.approx([0.1, 0.15, 0.1, -0.05])
    assert row(name=0.1, gross=0.225) == pytest.approx([0.025, 0.05, 0.025, -0.05])  # 0.15 + 2 * 0.15
    assert row(gross=2.0, net=1.0) == pytest.approx([0.2, 0.3, 0.2, -0.1])
    assert row(name=0) == [0, 0, 0, 0]


def test_the_thinner_leg_binds(make_market, line):
    """Hong Kong trades 10,000 shares at HKD 78, USD 100,000; the ADR 500 at USD 80, which is 40,000."""
    rows = {"100.HK": line("100.HK", "ordinary", pair="ADA"), "ADA": line("ADA", "ads", pair="100.HK")}
    market = make_market({"100.HK": np.full(10, 78.0), "ADA": np.full(10, 80.0)}, rows)
    flat = market.fixings.assign(per_usd=7.8)
    volume = pd.DataFrame(np.where(np.isfinite(market.prices), [[10_000.0, 500.0]], NAN), market.price.index)
    market = replace(market, fixings=flat, volume=volume.set_axis(market.symbols, axis=1))
    late = pd.DataFrame({"100.HK": [0.5]}, index=market.price.index[[-2]])
    targets = limit_to_volume(blend([(late, 1)]), 1e6, 0.1, 3, 2).targets(market)
    assert targets.weights[-2, 0] == pytest.approx(0.1 * 2 * 100_000 / 1e6)
    pair = Targets.from_pairs(market, late.set_axis(["ADA"], axis=1))
    part = ep.strategies.function.strategy(lambda market: pair)
    targets = limit_to_volume(part, 1e6, 0.1, 3, 2).targets(market)
    assert targets.pair_weights[-2, 0] == pytest.approx(0.1 * 2 * 40_000 / 1e6)
    small = limit_to_volume(part, 1e4, 0.1, 3, 2).targets(market)
    assert small.pair_weights[-2, 0] == 0.5


def test_scales_follow_the_regime_of_the_last_decision(make_pairs, make_path):
    market = make_pairs(count=8, phases=("open", "close"), hk_holidays=())
    steps = decisions(market)
    states = np.zeros(len(market), dtype=int)
    states[steps[2] + 1 : steps[4]] = 1  # gone again before the fourth New York close
    states[steps[5] - 1 :] = 2
    path = make_path(market, states)
    targets = scale_by_regime(hold(KWEB=0.4), {"tariff": 0.5, "delisting": 0.0}).targets(market, path)
    kweb = targets.weights[steps, market.column("KWEB")]
    np.testing.assert_array_equal(kweb, [0.4, NAN, NAN, 0.2, 0.4, 0.0, NAN, NAN])
    assert np.isfinite(targets.weights).sum() == 4


# -- invariants ----------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    numbers=st.lists(st.floats(-2, 2), min_size=5, max_size=5),
    name=st.floats(0.01, 1),
    gross=st.floats(0.01, 2),
    net=st.floats(0.01, 1),
)
def test_nothing_exceeds_a_limit_and_no_sign_turns(market, numbers, name, gross, net):
    single = tuple(zip(("100.HK", "KWEB", "ADA"), numbers[:3], strict=True))
    held = Hold(single, tuple(zip((PAIR, OTHER), numbers[3:], strict=True)))
    plan = cap(held, name, gross, net)
    row = naive.standing(plan.targets(market), market)[-1]
    before = naive.standing(held.targets(market), market)[-1]
    slack = 1 + 1e-9
    assert naive.gross(row) <= gross * slack
    assert abs(naive.net(row)) <= net * slack + 1e-12
    assert max(naive.of_symbol(row, symbol) for symbol in market.symbols) <= name * slack
    for key, weight in row.items():
        assert abs(weight) <= abs(before[key])
        assert weight * before[key] >= 0
    twice = naive.standing(cap(plan, name, gross, net).targets(market), market)[-1]
    assert twice == pytest.approx(row, rel=1e-9, abs=1e-15)


def compositions(path):
    switched = switch("regime", {"calm": QUICK, "tariff": SECTORS, "delisting": None, "decoupling": QUICK})
    short = {"lookback": 30, "horizon": 3}
    return {
        "volatility": scale_to_volatility(QUICK, **short),
        "regime": scale_by_regime(SECTORS, {"tariff": 0.5, "decoupling": 0.1}),
        "cap": cap(Wanderer(8), 0.2, 0.5, 0.1),
        "beta": neutralise(SECTORS, {"KWEB": 1, "ASHR": 1}, **short),
        "dollar": neutralise(Wanderer(9), "KWEB", method="dollar"),
        "volume": limit_to_volume(Wanderer(10, since=160), 1e8),
        "all": cap(neutralise(scale_to_volatility(scale_by_regime(switched, {}), **short), **short), gross=1),
    }


@pytest.mark.parametrize("name", ["volatility", "regime", "cap", "beta", "dollar", "volume", "all"])
def test_cutting_market_and_path_changes_nothing_before(market, wander, same_until, name):
    path = wander(market, 51)
    plan = compositions(path)[name]
    targets = plan.targets(market, path)
    assert np.isfinite(targets.weights).sum() + np.isfinite(targets.pair_weights).sum() > 10
    same_until(plan, market, path, 52, cuts=5)
    step, rng = 300, np.random.default_rng(53)
    price, volume = market.price.copy(), market.volume.copy()
    price.iloc[step + 1 :] *= np.exp(rng.normal(size=price.iloc[step + 1 :].shape))
    volume.iloc[step + 1 :] *= 3
    other = plan.targets(replace(market, price=price, volume=volume), path)
    np.testing.assert_array_equal(other.weights[: step + 1], targets.weights[: step + 1])
    np.testing.assert_array_equal(other.pair_weights[: step + 1], targets.pair_weights[: step + 1])


def test_they_run_and_their_ledgers_add_up(market, wander):
    path = wander(market, 54)
    result = ep.backtest(market, compositions(path)["all"], path=path, check=True)
    assert len(result.fills) > 20


# -- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: scale_to_volatility("momentum"), "strategy is 'momentum': give a strategy or a frame"),
        (lambda: scale_to_volatility(None), "strategy is None"),
        (lambda: scale_to_volatility(QUICK, target=0), "target is 0: give a positive number"),
        (lambda: scale_to_volatility(QUICK, lookback=9), "lookback is 9"),
        (lambda: scale_to_volatility(QUICK, lookback=10, horizon=6), "horizon is 6"),
        (lambda: scale_to_volatility(QUICK, cap=0), "cap is 0"),
        (lambda: scale_to_volatility(QUICK, band=-1), "band is -1"),
        (lambda: scale_by_regime(QUICK, 0.5), "scales is 0.5: give numbers by regime"),
        (lambda: scale_by_regime(QUICK, {"quiet": 1}), "a regime in scales is 'quiet': give 'calm' or"),
        (lambda: scale_by_regime(QUICK, {"calm": -1}), "the scale of calm is -1"),
        (lambda: cap(QUICK), "cap was given no limit"),
        (lambda: cap(QUICK, gross=-1), "gross is -1"),
        (lambda: neutralise(QUICK, method="delta"), "method is 'delta': give 'beta' or 'dollar'"),
        (lambda: neutralise(QUICK, {}), "against is {}"),
        (lambda: neutralise(QUICK, 3), "against is 3"),
        (lambda: neutralise(QUICK, {"KWEB": 0}), "the share of KWEB is 0"),
        (lambda: neutralise(QUICK, max_weight=-1), "max_weight is -1"),
        (lambda: limit_to_volume(QUICK, 0), "capital is 0"),
        (lambda: limit_to_volume(QUICK, 1e6, 2), "participation is 2"),
        (lambda: limit_to_volume(QUICK, 1e6, sessions=0), "sessions is 0"),
        (lambda: limit_to_volume(QUICK, 1e6, days=0), "days is 0"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(make, words):
    with pytest.raises(ParameterError, match=words) as refusal:
        make()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (neutralise(QUICK, "NOPE"), "'NOPE' is not in this market"),
        (neutralise(QUICK, "^HSI"), r"\^HSI is an index and cannot be traded: hedge with an ETF"),
        (neutralise(QUICK, "100.HK"), "100.HK may not be shorted in this market and cannot be the hedge"),
        (neutralise(QUICK, {"KWEB": 1, "101.HK": 1}), "101.HK may not be shorted"),
        (scale_by_regime(QUICK, {"calm": 0.5}), "scale_by_regime needs a regime path"),
    ],
)  # fmt: skip
def test_what_a_market_does_not_allow_is_refused(market, plan, words):
    with pytest.raises(EntrepotError, match=words) as refusal:
        plan.targets(market)
    assert "\n" not in str(refusal.value)


def test_a_line_is_not_held_until_its_volumes_are_known(market):
    plan = limit_to_volume(Wanderer(1, since=0, often=0.5), 1e8)
    targets = plan.targets(market)
    known = traded_value(market, 20)
    assert np.isnan(known[market.decision_steps]).any()
    assert (np.nan_to_num(targets.weights)[np.isnan(known)] == 0).all()
    assert np.nan_to_num(targets.weights).any()
    assert any(note.startswith("not held until 20 of its volumes are known: ") for note in targets.notes)
    name = next(s for s, used in zip(market.symbols, targets.weights.any(axis=0), strict=True) if used)
    blank = market.volume.assign(**{name: NAN})
    with pytest.raises(DataError, match=f"{name} is wanted and none of its volumes is known: load them"):
        plan.targets(replace(market, volume=blank))


def test_a_market_without_volume_is_refused(market):
    with pytest.raises(DataError, match="this market has no volume: load prices with"):
        limit_to_volume(QUICK, 1e6).targets(replace(market, volume=None))


def test_real_pairs_are_less_volatile_by_the_month_than_by_the_day(real_prices):
    market = ep.load_market(real_prices, start="2019-06-03", ends="cut", departures="parity")
    if not {"BABA", "JD"} <= set(market.pairs.index):
        pytest.skip("BABA or JD is not among the real prices")
    pairs = tuple((market.pairs.at[adr, "hk"], adr) for adr in ("BABA", "JD"))
    risk = {}
    for horizon in (1, 5, 21):
        made = returns_over(market, pairs, horizon)[:, len(market.symbols) :]
        risk[horizon] = np.sqrt(np.nanmean(made**2, axis=0) * 252 / horizon)
    assert ((risk[1] > 0.40) & (risk[1] < 0.60)).all()
    assert ((risk[5] > 0.18) & (risk[5] < 0.30)).all()
    assert ((risk[21] > 0.08) & (risk[21] < 0.16)).all()
    path = ep.RegimeModel().walk_forward(market, ep.load_events())
    plan = cap(
        neutralise(scale_to_volatility(blend({LongHKShortADR(): 0.5, SectorRotation(): 0.5}))), gross=2
    )
    assert check_causal(plan, market, path, steps=[1500, 3001, 4500]).ok
