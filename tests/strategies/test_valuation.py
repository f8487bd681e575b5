"""Trades on valuations: against the formulas worked out slowly, by hand, and with nothing from the future."""

from __future__ import annotations

from dataclasses import replace

import naive_series
import numpy as np
import pandas as pd
import pytest
from series_worlds import NAMES, assert_agrees, daily, given, monthly, world

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.markets.market import Market
from entrepot.regimes import Events
from entrepot.strategies.series_rank import latched
from entrepot.strategies.targets import decisions
from entrepot.strategies.valuation import STATE_OWNED, AHDiscount, SanctionsDiscount, ValuationGap


def held(targets, market, decision):
    row = targets.standing()[0][decisions(market)[decision]]
    return {s: round(float(w), 12) for s, w in zip(market.symbols, row, strict=True) if w}


@pytest.fixture(scope="module")
def market(make_market, line):
    return world(make_market, line)


@pytest.fixture
def rising(make_market, line):
    """Six Hong Kong lines and the tech fund, all of which rise, but for the last."""
    count = 60
    symbols = [f"{n}.HK" for n in range(1, 6)] + ["0883.HK", "3033.HK", "KWEB", "DOWN.HK"]
    levels = {s: 100 * 1.002 ** np.arange(count) for s in symbols} | {
        "DOWN.HK": 100 * 0.99 ** np.arange(count)
    }
    rows = {
        s: line(s, "etf" if s in ("3033.HK", "KWEB") else "ordinary", shortable=s == "2.HK") for s in symbols
    }
    rows["KWEB"] |= {"venue": "XNYS", "shortable": True}
    return make_market(levels, rows)


def multiples(values, columns, first="2017-01-31"):
    """Month ends, known six days later."""
    return given(values, columns, first=first, hours=24 * 6, freq="ME")


# -- the gap -------------------------------------------------------------------------------------------------


def test_the_snapshot_of_the_press_is_a_gap_of_twenty_nine_percent(rising):
    # Sixty months whose mean is 24.5, the last at 17.4: 24.62 in the others.
    before = (60 * 24.5 - 17.4) / 59
    series = multiples([before] * 59 + [17.4], ("HSTECH",), first="2017-02-28")
    targets = ValuationGap(series, trend_window=20, rebalance=1).targets(rising)
    assert targets.notes == ("held for the whole market: 3033.HK",)
    assert str(series.dates[-1].date()) == "2022-01-31"
    session = targets.signals["gap"].index
    known = session.get_loc(pd.Timestamp("2022-02-07"))  # 6 February is a Sunday
    assert targets.signals["gap"]["3033.HK"].iloc[known] == pytest.approx(1 - 17.4 / 24.5)
    assert round(1 - 17.4 / 24.5, 2) == 0.29
    assert held(targets, rising, known - 1) == {}
    assert held(targets, rising, known) == {"3033.HK": 1.0}
    dear = ValuationGap(series, trend_window=20, rebalance=1, gap=0.2899).targets(rising)
    assert held(dear, rising, known) == {}
    assert held(ValuationGap(series, trend_window=30, rebalance=1).targets(rising), rising, known) == {}


def test_a_falling_price_keeps_out_and_each_symbol_has_its_part(rising):
    columns = ("1.HK", "DOWN.HK", "NOPE")
    series = multiples(np.tile([[20.0, 20, 20]], (58, 1)).tolist() + [[10.0, 10, 10]] * 4, columns)
    targets = ValuationGap(series, trend_window=5, rebalance=1).targets(rising)
    assert held(targets, rising, 10) == {"1.HK": 0.5}
    assert any("left out: NOPE" in note for note in targets.notes)
    named = ValuationGap(series, symbols="1.HK", trend_window=5, rebalance=1, gross=0.6).targets(rising)
    assert held(named, rising, 10) == {"1.HK": 0.6}


@pytest.mark.parametrize(
    ("years", "gap", "least", "every", "stale"),
    [(5, 0.1, 24, 3, 45), (1, -0.05, 6, 1, 12), (2.5, 0.0, 22, 7, 45)],
)
def test_the_gap_is_its_formula(market, years, gap, least, every, stale):
    columns = ("0883.HK", "MCHI", "1001.HK", "1002.HK")
    series = monthly("2016-06-30", 72, columns, level=15, spread=0.3).derived(
        lambda values: values.mask(np.random.default_rng(4).random(values.shape) < 0.1)
    )
    plan = ValuationGap(series, None, years, gap, least, 8, every, 0.9, stale)
    column_of = {symbol: symbol for symbol in market.symbols if symbol in columns}
    expected = naive_series.valuation(market, series, column_of, years, gap, least, 8, every, 0.9, stale)
    assert assert_agrees(plan.targets(market), market, expected) > 3


def test_the_gap_of_daily_multiples_counts_months_and_not_days(market):
    days = daily(market, ("HSTECH",), scale=5, level=30.0, holes=0.1, early=150).derived(np.abs)
    plan = ValuationGap(days, ("MCHI", "2800.HK"), 1, -0.02, 7, 6, 4, 1.0, 10)
    column_of = dict.fromkeys(("MCHI", "2800.HK"), "HSTECH")
    expected = naive_series.valuation(market, days, column_of, 1, -0.02, 7, 6, 4, 1.0, 10)
    assert assert_agrees(plan.targets(market), market, expected) > 3
    assert not np.isfinite(plan.with_(least=12).targets(market).weights).any()


def test_the_mean_ends_a_year_of_days_before(rising):
    values = np.full(430, 20.0)
    values[:2] = 200.0
    series = given(values, ("1.HK",), first="2021-01-12", freq="D")
    targets = ValuationGap(series, years=1, least=12, rebalance=1, trend_window=2).targets(rising)
    gap = targets.signals["gap"]["1.HK"]
    assert gap["2022-01-11"] == pytest.approx(1 - 20 / ((2 * 200 + 363 * 20) / 365))
    assert gap["2022-01-12"] == pytest.approx(1 - 20 / ((200 + 364 * 20) / 365))
    assert gap["2022-01-13"] == pytest.approx(0)


def test_what_the_multiples_say_nothing_about_is_refused(rising):
    series = multiples(np.full((40, 2), 9.0), ("1.HK", "2.HK"))
    with pytest.raises(ParameterError, match=r"given has no column 3.HK: it has 1.HK, 2.HK"):
        ValuationGap(series, symbols=("1.HK", "3.HK")).targets(rising)
    with pytest.raises(ParameterError, match=r"'X' is not in this market"):
        ValuationGap(series, symbols=("X",)).targets(rising)
    tencent = ValuationGap(multiples(np.full((40, 1), 9.0), ("0700.HK",)))
    with pytest.raises(ParameterError, match=r"given is about '0700.HK', none of them in this market"):
        tencent.targets(rising)
    assert tencent.with_(symbols="3033.HK").targets(rising).signals["gap"].columns.tolist() == ["3033.HK"]
    with pytest.raises(ParameterError, match=r"given is about 'P, Q', none of them in this market"):
        ValuationGap(multiples(np.full((40, 2), 9.0), ("P", "Q"))).targets(rising)


# -- A and H -------------------------------------------------------------------------------------------------

SIX = ("1.HK", "2.HK", "3.HK", "4.HK", "5.HK", "0883.HK")


def test_the_cheapest_third_is_held_and_against_its_own_past_another(rising):
    level = np.tile([-0.4, -0.1, -0.3, -0.2, 0.0, -0.35], (60, 1))
    level += 0.01 * np.sin(np.arange(60))[:, None]
    level[30:, 4] -= 0.05  # the dearest is cheaper than it ever was
    series = given(level, SIX)
    targets = AHDiscount(series).targets(rising)
    assert held(targets, rising, 0) == {"1.HK": 0.5, "0883.HK": 0.5}
    np.testing.assert_allclose(targets.signals["score"].iloc[3], -level[3])
    own = AHDiscount(series, rank_by="zscore", lookback=20, top=1, rebalance=1).targets(rising)
    assert held(own, rising, 31) == {"5.HK": 1.0}
    both = AHDiscount(series, short=True, gross=0.6).targets(rising)
    assert held(both, rising, 0) == {"1.HK": 0.3, "0883.HK": 0.3, "2.HK": -0.3}
    assert any("never sold short" in note and "5.HK" in note and "2.HK" not in note for note in both.notes)


@pytest.mark.parametrize(
    ("top", "rank_by", "lookback", "every", "short", "stale"),
    [
        (None, "level", 252, 5, False, 10),
        (2, "zscore", 30, 4, True, 3),
        (6, "zscore", 9, 3, False, 10),
        (9, "level", 4, 1, True, 5),
    ],
)
def test_the_ranking_by_discount_is_its_formula(market, top, rank_by, lookback, every, short, stale):
    series = daily(market, ("600000.SS", *NAMES), scale=0.05, level=-0.3)
    plan = AHDiscount(series, top, rank_by, lookback, every, short, 0.9, stale)
    targets = plan.targets(market)
    expected = naive_series.ah_discount(
        market, series, NAMES, top, rank_by, lookback, every, short, 0.9, stale
    )
    assert assert_agrees(targets, market, expected) > 8
    assert "left out: 600000.SS" in targets.notes[0]


def test_a_line_that_is_hardly_known_has_no_score_against_its_past(rising):
    """Three days without a value leave the score as it is; then one day of four is known, two of them."""
    level = np.tile([-0.31, -0.29], 30)
    level[9], level[10:13], level[13] = -0.50, np.nan, -0.60
    score = AHDiscount(given(level, ("1.HK",)), rank_by="zscore", lookback=4, rebalance=1).targets(rising)
    window = -level[6:10]
    last = (window[-1] - window.mean()) / window.std(ddof=1)
    by_hand = [last, last, last, last, np.nan, -np.sqrt(0.5)]
    np.testing.assert_allclose(score.signals["score"]["1.HK"].iloc[9:15], by_hand)
    plan = SanctionsDiscount(given(level, ("0883.HK",)), entry=1.0, lookback=4, weight=0.2)
    z = plan.targets(rising)
    np.testing.assert_allclose(z.signals["zscore"]["0883.HK"].iloc[9:15], -np.array(by_hand))
    assert held(z, rising, 12) == {"0883.HK": 0.2}
    assert held(z, rising, 13) == {}


# -- sanctions -----------------------------------------------------------------------------------------------


def escalation(*times, direction=1, channel="investment_restriction"):
    rows = [
        {
            "event_id": f"e{i}",
            "channel": channel,
            "direction": direction,
            "severity": 3,
            "known_at": pd.Timestamp(time),
        }
        for i, time in enumerate(times)
    ]
    return Events(pd.DataFrame(rows))


def calm_then_wide(count=60, at=30):
    """A premium that swings by a point around -30 %, falls ten points and comes back."""
    level = -0.30 + 0.01 * np.tile([1.0, -1.0], count // 2)
    level[at : at + 8] -= 0.10
    return level


def test_a_discount_wider_than_its_habit_is_bought_and_left_at_its_mean(rising):
    series = given(calm_then_wide(), ("0883.HK",))
    plan = SanctionsDiscount(series, lookback=20, weight=0.2)
    targets = plan.targets(rising)
    z = targets.signals["zscore"]["0883.HK"].to_numpy()
    window = calm_then_wide()[11:31]
    assert z[30] == pytest.approx((window[-1] - window.mean()) / window.std(ddof=1))
    assert held(targets, rising, 29) == {}
    assert held(targets, rising, 30) == {"0883.HK": 0.2}
    assert held(targets, rising, 37) == {"0883.HK": 0.2}  # wide for a while, less so against its last days
    assert held(targets, rising, 38) == {}
    spoken = np.flatnonzero(np.isfinite(targets.weights).any(axis=1))
    assert len(spoken) == 2
    hedged = plan.with_(against="KWEB").targets(rising)
    assert held(hedged, rising, 33) == {"0883.HK": 0.2, "KWEB": -0.2}
    assert held(hedged, rising, 38) == {}


def test_nothing_is_bought_while_an_escalation_is_fresh_and_what_is_held_stays(rising):
    series = given(calm_then_wide(), ("0883.HK",))
    plan = SanctionsDiscount(series, lookback=20, exit=-1.4)
    day = rising.grid["session"].to_numpy()[decisions(rising)]
    before = plan.with_(events=escalation(pd.Timestamp(day[29], tz="UTC")))
    assert held(before.targets(rising), rising, 36) == {}
    assert held(before.with_(pause=3.5).targets(rising), rising, 33) == {"0883.HK": 0.15}
    during = plan.with_(events=escalation(pd.Timestamp(day[32], tz="UTC")))
    assert held(during.targets(rising), rising, 33) == {"0883.HK": 0.15}
    long_ago = plan.with_(events=escalation(pd.Timestamp(day[5], tz="UTC")))
    assert held(long_ago.targets(rising), rising, 33) == {"0883.HK": 0.15}  # 25 sessions: 1.26 marks of 3
    assert held(long_ago.with_(half_life=30).targets(rising), rising, 33) == {}
    relief = plan.with_(events=escalation(pd.Timestamp(day[29], tz="UTC"), direction=-1))
    assert held(relief.targets(rising), rising, 33) == {"0883.HK": 0.15}
    other = plan.with_(events=escalation(pd.Timestamp(day[29], tz="UTC"), channel="tariff"))
    assert held(other.targets(rising), rising, 33) == {"0883.HK": 0.15}


@pytest.mark.parametrize(
    ("entry", "exit_", "lookback", "against", "stale"),
    [(1.5, 0.0, 30, None, 10), (0.5, -0.4, 12, "MCHI", 3), (1.0, 0.9, 8, "2800.HK", 5)],
)
def test_the_state_of_each_name_is_its_formula(make_market, line, entry, exit_, lookback, against, stale):
    market = world(make_market, line, shorts=("2800.HK",))
    instruments = market.instruments
    instruments.loc[["2800.HK", "MCHI"], "shortable"] = True
    market = replace(market, instruments=instruments)
    series = daily(market, ("0941.HK", "0883.HK", "1001.HK"), scale=0.05, level=-0.3, early=60)
    events = escalation("2022-02-10T12:00Z", "2022-04-01T12:00Z")
    plan = SanctionsDiscount(
        series, events, None, entry, exit_, lookback, 2.0, 20.0, 0.15, against, stale, drift_band=0.2
    )
    targets = plan.targets(market)
    names = ("0883.HK", "0941.HK")
    marks = []
    for _, now in naive_series.decision_times(market):
        ages = [
            naive_series.sessions(now) - naive_series.sessions(event)
            for event in events.frame["known_at"]
            if event <= now
        ]
        marks.append(sum(3 * 0.5 ** (age / 20) for age in ages))
    paused = [mark >= 2.0 for mark in marks]
    assert 0 < sum(paused) < len(paused)
    expected = naive_series.sanctions(
        market, series, names, entry, exit_, lookback, 0.15, against, stale, paused
    )
    assert assert_agrees(targets, market, expected) > 3
    assert targets.drift_band == 0.2


def test_only_the_names_asked_for_are_traded(rising):
    series = given(np.tile(calm_then_wide()[:, None], (1, 2)), ("0883.HK", "1.HK"))
    plan = SanctionsDiscount(series, lookback=20)
    assert held(plan.targets(rising), rising, 33) == {"0883.HK": 0.15}
    assert plan.targets(rising).notes == (
        "given: not in it, or not in this market, left out: 0857.HK, 0386.HK, 0941.HK, 0728.HK, 0762.HK",
    )
    assert held(plan.with_(symbols="1.HK").targets(rising), rising, 33) == {"1.HK": 0.15}
    assert plan.with_(symbols="1.HK").targets(rising).notes == ()
    misspelt = plan.with_(symbols=("1.HK", "883.HK")).targets(rising)
    assert misspelt.notes == ("given: not in it, or not in this market, left out: 883.HK",)
    with pytest.raises(ParameterError, match=r"share no Hong Kong line among 0883.HK, 0857.HK, 0386.HK"):
        SanctionsDiscount(series.only(["1.HK"])).targets(rising)
    for against in ("1.HK", "0883.HK"):
        with pytest.raises(ParameterError, match=r"traded itself or may not be sold short"):
            plan.with_(against=against).targets(rising)
    with pytest.raises(ParameterError, match=r"'OIL' is not in this market"):
        plan.with_(against="OIL").targets(rising)
    assert len(STATE_OWNED) == 6


def test_a_state_is_on_from_where_it_is_entered_until_it_is_left():
    enter = np.array([[0, 1, 0, 0, 1, 1]], dtype=bool).T
    leave = np.array([[0, 0, 0, 1, 1, 0]], dtype=bool).T
    assert latched(enter, leave)[:, 0].tolist() == [False, True, True, False, False, True]


def test_nothing_is_held_while_the_hedge_does_not_trade(make_market, line):
    count = 60
    levels = {"0883.HK": np.full(count, 9.0), "HEDGE": np.full(count, 5.0)}
    levels["HEDGE"][32:] = np.nan
    market = make_market(levels, {"0883.HK": line("0883.HK", "ordinary"), "HEDGE": line("HEDGE", "etf")})
    series = given(calm_then_wide(at=34), ("0883.HK",))
    plan = SanctionsDiscount(series, lookback=20, exit=-1.4)
    assert held(plan.targets(market), market, 38) == {"0883.HK": 0.15}
    hedged = plan.with_(against="HEDGE").targets(market)
    assert held(hedged, market, 36) == {"0883.HK": 0.15, "HEDGE": -0.15}
    assert held(hedged, market, 37) == {}  # six sessions after its last price


# -- the future ----------------------------------------------------------------------------------------------


def plans(market):
    ah = daily(market, NAMES, scale=0.05, level=-0.3)
    multiple = monthly("2016-06-30", 72, ("0883.HK", "MCHI"), level=15, spread=0.3)
    events = escalation("2022-02-10T12:00Z", "2022-04-01T12:00Z")
    yield "forward_pe", ValuationGap(multiple, trend_window=8, rebalance=2, gap=0.0)
    yield "ah_premium", AHDiscount(ah, rank_by="zscore", lookback=12, rebalance=3, short=True)
    yield "ah_premium", AHDiscount(ah, top=2, rebalance=2)
    yield "ah_premium", SanctionsDiscount(ah, events, entry=0.5, exit=-0.2, lookback=12, against="MCHI")


@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
def test_cutting_market_and_series_changes_nothing_before(make_market, line, same_until, phases):
    market = world(make_market, line, phases=phases)
    for number, (name, plan) in enumerate(plans(market)):
        same_until(plan, market, None, 10 + number)
        whole = plan.targets(market)
        assert np.isfinite(whole.weights).sum() > 3
        for step in (30, 77, 150):
            series = getattr(plan, name).until(market.grid["time"][step])
            cut = plan.with_(**{name: series}).targets(market.until(step))
            assert cut.weights.tobytes() == whole.weights[: step + 1].tobytes()


def test_other_prices_and_values_later_change_nothing_before(market):
    for name, plan in plans(market):
        whole, step = plan.targets(market), 120
        price = market.price.copy()
        price.iloc[step + 1 :] *= np.random.default_rng(1).uniform(0.5, 2, price.iloc[step + 1 :].shape)
        series = getattr(plan, name)
        later = 1.0 - np.random.default_rng(2).random(series.array.shape) / 2
        later[series.known_at <= market.grid["time"][step]] = 1.0
        other = plan.with_(**{name: series.derived(lambda values, later=later: values * later)})
        targets = other.targets(Market(market.grid, price, market.instruments, ratios=market.ratios))
        assert targets.weights[: step + 1].tobytes() == whole.weights[: step + 1].tobytes()
        assert targets.weights.tobytes() != whole.weights.tobytes()


# -- wrong arguments -----------------------------------------------------------------------------------------

PE = multiples(np.full((40, 2), 9.0), ("1.HK", "2.HK"))
AH = given(np.full((9, 2), -0.3), ("1.HK", "0883.HK"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ValuationGap(17.4), r"forward_pe is 17.4: give a series"),
        (lambda: ValuationGap(PE, symbols=5), r"symbols is 5"),
        (lambda: ValuationGap(PE, years=0), r"years is 0"),
        (lambda: ValuationGap(PE, years=101), r"years is 101: give a number from 0.25 to 100"),
        (lambda: ValuationGap(PE, gap=1.1), r"gap is 1.1"),
        (lambda: ValuationGap(PE, least=0), r"least is 0"),
        (
            lambda: ValuationGap(PE, least=61),
            r"least is 61 months and years is 5: the mean never has so many",
        ),
        (lambda: ValuationGap(PE, trend_window=1), r"trend_window is 1"),
        (lambda: ValuationGap(PE, rebalance=0), r"rebalance is 0"),
        (lambda: ValuationGap(PE.derived(lambda v: -v)), r"given holds a multiple that is not positive"),
        (lambda: ValuationGap(PE.derived(lambda v: 0 * v)), r"not positive: leave it empty where earnings"),
        (lambda: ValuationGap(PE).targets(None), r"ValuationGap.targets was given None"),
        (lambda: AHDiscount({}), r"ah_premium is \{\}: give a series"),
        (lambda: AHDiscount(AH, top=1.5), r"top is 1.5"),
        (lambda: AHDiscount(AH, rank_by="z"), r"rank_by is 'z': give 'level' or 'zscore'"),
        (lambda: AHDiscount(AH, lookback=3), r"lookback is 3"),
        (lambda: AHDiscount(AH, short=None), r"short is None"),
        (
            lambda: AHDiscount(AH.derived(lambda v: 100 * v)),
            r"outside -1 to 10: give H / A - 1 as a fraction",
        ),
        (lambda: AHDiscount(AH.derived(lambda v: -100 * v)), r"outside -1 to 10"),
        (lambda: AHDiscount(AH).targets("x"), r"AHDiscount.targets was given 'x'"),
        (lambda: SanctionsDiscount(None), r"ah_premium is None"),
        (lambda: SanctionsDiscount(AH.derived(lambda v: 100 * v)), r"outside -1 to 10"),
        (lambda: SanctionsDiscount(AH, events="all"), r"events is 'all': give load_events\(\)"),
        (lambda: SanctionsDiscount(AH, entry=0), r"entry is 0"),
        (lambda: SanctionsDiscount(AH, exit=1.5), r"exit is 1.5 and entry 1.5: exit lies below entry"),
        (lambda: SanctionsDiscount(AH, exit=2), r"exit is 2"),
        (lambda: SanctionsDiscount(AH, lookback=2.5), r"lookback is 2.5"),
        (lambda: SanctionsDiscount(AH, pause=0), r"pause is 0"),
        (lambda: SanctionsDiscount(AH, half_life=0), r"half_life is 0"),
        (lambda: SanctionsDiscount(AH, weight=-1), r"weight is -1"),
        (lambda: SanctionsDiscount(AH, against=["FXI"]), r"against is \['FXI'\]: give a symbol"),
        (lambda: SanctionsDiscount(AH, symbols=[1]), r"symbols is \[1\]"),
        (lambda: SanctionsDiscount(AH).targets(5), r"SanctionsDiscount.targets was given 5"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(make, words):
    with pytest.raises(EntrepotError, match=words) as refusal:
        make()
    assert "\n" not in str(refusal.value)
    assert isinstance(refusal.value, (ParameterError, DataError))
