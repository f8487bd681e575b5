"""Trades on flows: against the formulas worked out slowly, by hand, and with nothing from the future."""

from __future__ import annotations

from functools import partial

import naive_series
import numpy as np
import pandas as pd
import pytest
from series_worlds import NAMES, assert_agrees, daily, given, monthly, world

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.markets.market import Market
from entrepot.strategies.flow import CustodyShift, ListingBreadth, SouthboundFlow
from entrepot.strategies.targets import decisions

NAN = np.nan


def held(targets, market, decision):
    row = targets.standing()[0][decisions(market)[decision]]
    return {s: round(float(w), 12) for s, w in zip(market.symbols, row, strict=True) if w}


def pair_held(targets, market, decision):
    return targets.standing()[1][decisions(market)[decision]].tolist()


@pytest.fixture(scope="module")
def market(make_market, line):
    return world(make_market, line)


@pytest.fixture
def six(make_market, line):
    """Six Hong Kong lines, the last three falling, and a fund in New York."""
    count = 40
    levels = {f"{n}.HK": 100 * (1.004 - 0.002 * (n > 3)) ** np.arange(count) for n in range(1, 4)}
    levels |= {f"{n}.HK": 100 * 0.996 ** np.arange(count) for n in range(4, 7)}
    levels["US"] = np.full(count, 10.0)
    rows = {s: line(s, "ordinary", shortable=s in ("4.HK", "6.HK")) for s in levels if s != "US"}
    return make_market(levels, rows | {"US": line("US", "stock")})


SIX = tuple(f"{n}.HK" for n in range(1, 7))


# -- Southbound ----------------------------------------------------------------------------------------------


def test_the_third_that_is_bought_most_is_held_from_its_first_window_on(six):
    flow = given([[0.05, 0.01, 0.02, 0.06, 0.00, -0.01]] * 40, SIX)
    plan = SouthboundFlow(flow, window=4, trend=False, rebalance=5)
    targets = plan.targets(six)
    # Two of four values are half a window: known at noon UTC, so at the second close.
    assert held(targets, six, 0) == {}
    assert held(targets, six, 1) == {"4.HK": 0.5, "1.HK": 0.5}
    third = round(1 / 3, 12)
    assert held(plan.with_(top=3).targets(six), six, 1) == {"4.HK": third, "1.HK": third, "3.HK": third}
    np.testing.assert_allclose(
        targets.signals["flow"].iloc[5], [0.05, 0.01, 0.02, 0.06, 0, -0.01], atol=1e-15
    )


def test_a_line_below_its_trend_leaves_its_part_in_cash_and_only_falling_ones_are_sold(six):
    flow = given([[0.05, 0.01, 0.02, 0.06, 0.00, -0.01]] * 40, SIX)
    plan = SouthboundFlow(flow, window=2, trend_window=3, rebalance=1, gross=0.8)
    assert held(plan.targets(six), six, 1) == {}
    assert held(plan.targets(six), six, 2) == {"1.HK": 0.4}
    both = plan.with_(short=True).targets(six)
    assert held(both, six, 2) == {"1.HK": 0.4, "6.HK": -0.4}
    assert any("never sold short" in note and "5.HK" in note for note in both.notes)
    # 2.HK is among the weakest, may not be shorted, and rises besides.
    reversed_ = SouthboundFlow(
        given([[0, -0.5, 0.1, 0.2, 0.3, 0.4]] * 40, SIX), window=1, trend_window=3, short=True
    )
    assert held(reversed_.targets(six), six, 2) == {}


def test_a_line_that_is_hardly_known_is_not_ranked_by_an_older_score(six):
    values = np.tile([0.10, 0.05, 0.02, 0.0, 0.0, 0.0], (40, 1))
    values[5:8, 0], values[8, 0] = NAN, -0.9
    targets = SouthboundFlow(given(values, SIX), window=4, top=1, rebalance=1, trend=False).targets(six)
    # Days without a value leave the score as it is; then one day of four is known, two, three.
    by_hand = [0.10, 0.10, 0.10, 0.10, NAN, (-0.9 + 0.1) / 2, (-0.9 + 0.2) / 3]
    np.testing.assert_allclose(targets.signals["flow"]["1.HK"].iloc[4:11], by_hand, atol=1e-15)
    assert held(targets, six, 7) == {"1.HK": 1.0}
    assert held(targets, six, 8) == {"2.HK": 1.0}


def test_of_equal_lines_the_first_are_held_and_the_last_sold(six):
    flow = given(np.ones((40, 6)), SIX)
    plan = SouthboundFlow(flow, window=1, trend=False, short=True, top=3, gross=0.9)
    assert held(plan.targets(six), six, 1) == {
        "1.HK": 0.3,
        "2.HK": 0.3,
        "3.HK": 0.3,
        "4.HK": -0.3,
        "6.HK": -0.3,
    }


def test_rankings_change_when_they_are_due_and_only_with_what_was_known(six):
    values = np.tile([0.3, 0.2, 0.1, 0.0, 0.0, 0.0], (40, 1))
    values[12:] = values[12:, ::-1]
    plan = SouthboundFlow(given(values, SIX), window=1, trend=False, rebalance=4, top=1)
    targets = plan.targets(six)
    assert held(targets, six, 0) == held(targets, six, 11) == {"1.HK": 1.0}
    assert held(targets, six, 12) == {"6.HK": 1.0}  # the close of the day itself, a decision that is due
    late = plan.with_(flow=given(values, SIX, hours=30)).targets(six)
    assert held(late, six, 12) == {"1.HK": 1.0}
    assert held(late, six, 13) == {"6.HK": 1.0}  # known the next day, and counted from the first score
    spoken = np.flatnonzero(np.isfinite(targets.weights[decisions(six)]).any(axis=1))
    assert spoken.tolist() == [0, 12]


@pytest.mark.parametrize(
    ("window", "every", "top", "trend", "short", "stale"),
    [
        (20, 5, None, True, False, 10),
        (5, 3, None, False, True, 3),
        (3, 4, 2, True, True, 10),
        (1, 1, 5, False, True, 2),
    ],
)
def test_southbound_is_its_formula(market, window, every, top, trend, short, stale):
    flow = daily(market, [*NAMES, "0005.HK", "^HSI", "MCHI"], scale=0.02)
    plan = SouthboundFlow(flow, window, top, every, trend, 12, short, 0.9, stale)
    targets = plan.targets(market)
    expected = naive_series.southbound(
        market, flow, NAMES, window, every, top, 0.9, 12 if trend else None, short, stale
    )
    assert assert_agrees(targets, market, expected) > 7
    assert "left out: 0005.HK, ^HSI, MCHI" in targets.notes[0]


def test_a_split_is_no_fall_and_a_dividend_no_loss_of_trend(six):
    flow = given([[0.05, 0.04, 0.0, 0.0, 0.0, 0.0]] * 40, SIX)
    plan = SouthboundFlow(flow, window=1, trend_window=10, rebalance=1)
    price, day = six.price.copy(), pd.Timestamp("2022-02-01")
    after = (six.grid["session"] >= day).to_numpy()
    price.loc[after, "1.HK"] /= 4
    price.loc[after, "2.HK"] *= 0.9
    split = pd.DataFrame({"symbol": ["1.HK"], "ex_date": [day], "factor": [4.0]})
    paid = price.loc[after, "2.HK"].dropna().iloc[0] * 0.1 / 0.9
    dividend = pd.DataFrame({"symbol": ["2.HK"], "ex_date": [day], "pay_date": [pd.NaT], "amount": [paid]})
    known = Market(six.grid, price, six.instruments, splits=split, dividends=dividend)
    assert held(plan.targets(known), known, 24) == {"1.HK": 0.5, "2.HK": 0.5}
    assert held(plan.targets(Market(six.grid, price, six.instruments)), known, 24) == {}


def test_a_line_whose_flow_is_no_longer_told_is_dropped_however_long_the_window(six):
    values = np.tile([0.05, 0.01, 0.02, 0.06, 0.00, -0.01], (40, 1))
    values[22:, 3] = NAN
    plan = SouthboundFlow(given(values, SIX), window=30, trend=False, rebalance=1, top=1, stale=4.5)
    targets = plan.targets(six)
    assert held(targets, six, 21) == held(targets, six, 25) == {"4.HK": 1.0}
    assert held(targets, six, 26) == {"1.HK": 1.0}  # its last value has been known for five and a half


def test_a_market_of_one_venue_knows_its_hong_kong_lines_by_their_symbols(six):
    prices = six.price[list(SIX)].dropna().set_axis(six.grid["session"].unique(), axis=0)
    plain = Market.from_prices(prices)
    plan = SouthboundFlow(given([[0.05, 0.01, 0.02, 0.06, 0.00, -0.01]] * 40, SIX), window=1, trend=False)
    assert held(plan.targets(plain), plain, 5) == {"1.HK": 0.5, "4.HK": 0.5}


def test_nothing_is_ranked_for_want_of_lines_or_of_readings(six):
    two = given(np.ones((40, 2)), SIX[:2])
    assert "fewer than three lines" in SouthboundFlow(two).targets(six).notes[-1]
    assert SouthboundFlow(two, top=1, trend=False).targets(six).notes == ()
    old = given(np.ones((40, 6)), SIX, first="2019-01-01")
    targets = SouthboundFlow(old).targets(six)
    assert not np.isfinite(targets.weights).any()
    assert "no fresh reading" in targets.notes[-1]
    with pytest.raises(ParameterError, match=r"share no Hong Kong line among US, XX: spell"):
        SouthboundFlow(given(np.ones((4, 2)), ("US", "XX"))).targets(six)


# -- custody -------------------------------------------------------------------------------------------------


@pytest.fixture
def pairs(make_pairs):
    return make_pairs(count=160, pairs=4, seed=7)


def shares(market, seed=4, columns=("100.HK", "101.HK", "102.HK", "103.HK")):
    return daily(market, columns, seed=seed, scale=1.0, level=65.0).derived(lambda values: values.round(2))


@pytest.mark.parametrize(
    ("window", "scale", "history", "full", "every", "stale"),
    [
        (10, "own", 30, 2.0, 5, 30),
        (5, "cross", 30, 1.0, 3, 6),
        (1, "own", 12, 1.5, 1, 4),
        (20, "cross", 9, 2, 21, 9),
    ],
)
def test_custody_is_its_formula(pairs, window, scale, history, full, every, stale):
    series = shares(pairs)
    plan = CustodyShift(series, window, scale, history, full, 0.08, every, stale)
    targets = plan.targets(pairs)
    legs = tuple((hk, adr) for adr, hk in pairs.pairs["hk"].items())
    expected = naive_series.custody(pairs, series, legs, window, scale, history, full, 0.08, every, stale)
    assert assert_agrees(targets, pairs, expected) > 3
    assert targets.pairs == legs


def test_a_shift_is_held_in_quarters_of_its_distance_from_the_other_pairs(make_pairs):
    market = make_pairs(count=30, pairs=3, seed=2, hk_holidays=())
    values = np.tile([60.0, 50.0, 40.0], (30, 1))
    values[10:] += [2.0, 0.0, 1.0]  # deviations from the mean of one: 1, -1 and 0
    series = given(values, ("100.HK", "101.HK", "102.HK"))
    plan = CustodyShift(series, window=5, scale="cross", weight=0.1, rebalance=1)
    targets = plan.targets(market)
    assert pair_held(targets, market, 9) == [0, 0, 0]
    assert pair_held(targets, market, 10) == pytest.approx([0.05, 0, 0])  # z 1 of 2
    assert pair_held(targets, market, 15) == [0, 0, 0]  # five sessions on nothing has changed since
    assert pair_held(plan.with_(full=1.0).targets(market), market, 10) == pytest.approx([0.1, 0, 0])
    assert pair_held(plan.with_(full=0.5).targets(market), market, 10) == pytest.approx([0.1, 0, 0])
    assert pair_held(plan.with_(full=8.1).targets(market), market, 10) == [0, 0, 0]
    assert targets.signals["change"].iloc[10].tolist() == [2, 0, 1]


def test_a_pair_whose_adr_may_not_be_shorted_or_has_left_is_let_be(market):
    series = daily(market, ["1003.HK", "1000.HK", "0941.HK"], level=50.0, seed=9)
    plan = CustodyShift(series, window=5, scale="own", history=20, full=0.5, rebalance=2)
    targets = plan.targets(market)
    assert targets.pairs == (("1000.HK", "AD0"), ("1003.HK", "AD3"))
    assert not np.nan_to_num(targets.pair_weights[:, 0]).any()
    assert np.nan_to_num(targets.pair_weights[:, 1]).any()
    assert any("no pair in AD0" in note for note in targets.notes)
    assert "series: no pair of this market, left out: 0941.HK" in targets.notes
    day = market.grid["session"].iloc[-60]
    gone = pd.DataFrame(
        {"symbol": ["AD3"], "last_session": [day], "into": ["1003.HK"], "ordinary_per_ads": [8.0]}
    )
    left = Market(
        market.grid,
        market.price,
        market.instruments,
        ratios=market.ratios,
        fixings=market.fixings,
        delistings=gone,
    )
    after = (market.grid["session"] > day).to_numpy()
    spoken = plan.targets(left).pair_weights
    assert np.isnan(spoken[after]).all()
    np.testing.assert_array_equal(spoken[~after], targets.pair_weights[~after])


# -- listings ------------------------------------------------------------------------------------------------


def test_the_fund_is_held_while_three_months_raise_more_than_their_two_years(market):
    values = [1.0] * 21 + [2.0, 2.0, 2.0, 0.1, 0.1, 0.1, 0.1]
    series = given(values, first="2020-04-30", freq="ME", hours=24 * 6)
    targets = ListingBreadth(series).targets(market)
    assert targets.notes == ("held for the whole market: 2800.HK",)
    session = pd.DatetimeIndex(market.grid["session"].to_numpy()[decisions(market)])
    weight = pd.Series(targets.standing()[0][decisions(market), market.column("2800.HK")], session)
    # March 2022 is the twenty-fourth month and known on 6 April; April's three months still raise more.
    assert weight[:"2022-04-05"].eq(0).all()
    assert weight["2022-04-06"] == 1.0
    assert weight.loc["2022-04-06":].eq(1).all()
    breadth = targets.signals["breadth"]["2800.HK"]
    assert breadth["2022-04-06"] == pytest.approx(2 / (27 / 24))


def test_the_fund_is_left_once_a_month_of_the_history_is_empty(market):
    values = [1.0] * 5 + [3.0] * 20 + [NAN, 3.0]
    series = given(values, first="2020-01-31", freq="ME", hours=24 * 6)
    targets = ListingBreadth(series, "MCHI", recent=3, history=24).targets(market)
    breadth = targets.signals["breadth"]["MCHI"]
    # January 2022 is the last full month; February is empty; March is known on 6 April.
    assert breadth["2022-04-05"] == pytest.approx(3 / ((4 * 1 + 20 * 3) / 24))
    assert np.isnan(breadth["2022-04-06"])


@pytest.mark.parametrize(("recent", "history", "stale"), [(1, 12, 45), (1, 4, 12), (2, 3, 45)])
def test_breadth_is_its_formula(market, recent, history, stale):
    series = monthly("2020-06-30", 26)
    series = series.derived(lambda values: values.drop(index=values.index[6]).reindex(values.index))
    plan = ListingBreadth(series, ["MCHI", "1002.HK"], recent, history, 0.7, stale)
    expected = naive_series.breadth(market, series, ["MCHI", "1002.HK"], recent, history, 0.7, stale)
    assert assert_agrees(plan.targets(market), market, expected) >= 2


def test_a_fund_that_has_left_is_let_be(market):
    series = given(np.arange(1.0, 31.0), first="2020-01-31", freq="ME")
    gone = pd.DataFrame(
        {
            "symbol": ["MCHI"],
            "last_session": [market.grid["session"].iloc[-40]],
            "into": [""],
            "ordinary_per_ads": [1.0],
        }
    )
    left = Market(market.grid, market.price, market.instruments, ratios=market.ratios, delistings=gone)
    targets = ListingBreadth(series, ["MCHI", "2800.HK"]).targets(left)
    assert np.isfinite(targets.weights).sum() == 2
    assert targets.standing()[0][-1].sum() == 1.0


def test_funds_are_named_or_found(market, six):
    series = given(np.ones(30), first="2020-01-31", freq="ME")
    assert ListingBreadth(series, "MCHI").symbols == ("MCHI",)
    with pytest.raises(ParameterError, match=r"none of 2800\.HK, 2828\.HK, MCHI, FXI: load one"):
        ListingBreadth(series).targets(six)
    with pytest.raises(ParameterError, match="is an index and cannot be held"):
        ListingBreadth(series, ["^HSI"]).targets(market)
    with pytest.raises(ParameterError, match="'NOPE' is not in this market"):
        ListingBreadth(series, ["NOPE"]).targets(market)
    with pytest.raises(ParameterError, match="names a symbol twice"):
        ListingBreadth(series, ["MCHI", "MCHI"]).targets(market)


# -- the future ----------------------------------------------------------------------------------------------


def plans(market):
    flow = daily(market, NAMES, scale=0.02)
    custody = daily(market, ["1003.HK", "1000.HK"], level=50.0, seed=9)
    proceeds = monthly("2020-06-30", 26)
    yield SouthboundFlow(flow, window=5, trend_window=12, rebalance=3, short=True)
    yield CustodyShift(custody, window=5, history=20, full=0.5, rebalance=2)
    yield CustodyShift(custody, window=5, scale="cross", full=0.5, rebalance=2)
    yield ListingBreadth(proceeds, ["MCHI"], 1, 4)


@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
def test_cutting_market_and_series_changes_nothing_before(make_market, line, same_until, phases):
    market = world(make_market, line, phases=phases)
    for number, plan in enumerate(plans(market)):
        same_until(plan, market, None, 10 + number)
        whole = plan.targets(market)
        name = next(iter(plan.__dataclass_fields__))
        for step in (30, 77, 150):
            series = getattr(plan, name).until(market.grid["time"][step])
            cut = plan.with_(**{name: series}).targets(market.until(step))
            assert cut.weights.tobytes() == whole.weights[: len(cut.weights)].tobytes()
            assert cut.pair_weights.tobytes() == whole.pair_weights[: len(cut.pair_weights)].tobytes()


def changed(values, rows):
    return values * np.where(
        rows[:, None], np.random.default_rng(2).uniform(-0.9, 0.9, values.shape) ** 2, 1.0
    )


def test_other_prices_and_values_later_change_nothing_before(market):
    for plan in plans(market):
        whole, step = plan.targets(market), 120
        price = market.price.copy()
        price.iloc[step + 1 :] *= np.random.default_rng(1).uniform(0.5, 2, price.iloc[step + 1 :].shape)
        name = next(iter(plan.__dataclass_fields__))
        series = getattr(plan, name)
        later = np.asarray(series.known_at > market.grid["time"][step])
        other = plan.with_(**{name: series.derived(partial(changed, rows=later))})
        moved = Market(market.grid, price, market.instruments, ratios=market.ratios, fixings=market.fixings)
        targets = other.targets(moved)
        assert targets.weights[: step + 1].tobytes() == whole.weights[: step + 1].tobytes()
        assert targets.pair_weights[: step + 1].tobytes() == whole.pair_weights[: step + 1].tobytes()
        after = [np.hstack([made.weights, made.pair_weights])[step + 1 :] for made in (whole, targets)]
        assert after[0].tobytes() != after[1].tobytes(), plan


# -- wrong arguments -----------------------------------------------------------------------------------------

FLOW = given(np.ones((4, 2)), ("1.HK", "2.HK"))
MONTHS = given(np.ones(30), first="2020-01-31", freq="ME")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SouthboundFlow(FLOW.values), r"flow is a DataFrame: give a series, such as load_series"),
        (lambda: SouthboundFlow(None), r"flow is None: give a series"),
        (
            lambda: SouthboundFlow(FLOW.derived(lambda v: 5e6 * v)),
            r"given is outside -1 to 1: give net buying as a fraction",
        ),
        (lambda: SouthboundFlow(FLOW, window=0), r"window is 0"),
        (lambda: SouthboundFlow(FLOW, window=2.5), r"window is 2.5"),
        (lambda: SouthboundFlow(FLOW, top=0), r"top is 0"),
        (lambda: SouthboundFlow(FLOW, rebalance=0), r"rebalance is 0"),
        (lambda: SouthboundFlow(FLOW, trend=1), r"trend is 1: give True or False"),
        (lambda: SouthboundFlow(FLOW, trend_window=1), r"trend_window is 1"),
        (lambda: SouthboundFlow(FLOW, short="no"), r"short is 'no': give True or False"),
        (lambda: SouthboundFlow(FLOW, gross=-1), r"gross is -1"),
        (lambda: SouthboundFlow(FLOW, gross=np.inf), r"gross is inf"),
        (lambda: SouthboundFlow(FLOW, stale=-1), r"stale is -1"),
        (lambda: SouthboundFlow(FLOW, drift_band=0), r"drift_band is 0"),
        (lambda: SouthboundFlow(FLOW).targets(None), r"SouthboundFlow.targets was given None: give a market"),
        (lambda: CustodyShift("x"), r"custody is 'x'"),
        (lambda: CustodyShift(FLOW, window=0), r"window is 0"),
        (lambda: CustodyShift(FLOW, scale="both"), r"scale is 'both': give 'own' or 'cross'"),
        (lambda: CustodyShift(FLOW, history=3), r"history is 3"),
        (lambda: CustodyShift(FLOW, full=0), r"full is 0"),
        (lambda: CustodyShift(FLOW, weight=-0.1), r"weight is -0.1"),
        (lambda: CustodyShift(FLOW, rebalance=1.5), r"rebalance is 1.5"),
        (lambda: CustodyShift(FLOW.derived(lambda v: -v)), r"given is outside 0 to 100: give percent"),
        (lambda: CustodyShift(FLOW.derived(lambda v: 101 * v)), r"given is outside 0 to 100"),
        (lambda: CustodyShift(FLOW).targets(5), r"CustodyShift.targets was given 5"),
        (lambda: ListingBreadth(MONTHS, recent=24), r"recent is 24 and history 24"),
        (lambda: ListingBreadth(MONTHS, history=1), r"history is 1"),
        (lambda: ListingBreadth(MONTHS, symbols={"A"}), r"symbols is \{'A'\}"),
        (lambda: ListingBreadth(FLOW), r"given has 2 columns, or a month without a row or with two"),
        (
            lambda: ListingBreadth(given(np.ones(9))),
            r"given has 1 columns, or a month without a row or with two",
        ),
        (lambda: ListingBreadth(MONTHS).targets("x"), r"ListingBreadth.targets was given 'x'"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(make, words):
    with pytest.raises(EntrepotError, match=words) as refusal:
        make()
    assert "\n" not in str(refusal.value)
    assert isinstance(refusal.value, (ParameterError, DataError))


def test_a_market_without_pairs_is_refused(six):
    with pytest.raises(ParameterError, match="no pair with both legs"):
        CustodyShift(FLOW).targets(six)
    with pytest.raises(ParameterError, match="SouthboundFlow has no parameter 'lookback'"):
        SouthboundFlow(FLOW).with_(lookback=3)
