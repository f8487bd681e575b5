"""Short Hong Kong, long the ADR on relief: the mirror of the delisting hedge."""

from __future__ import annotations

import naive_baskets as naive
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.errors import ParameterError
from entrepot.markets.load import load_market
from entrepot.markets.market import Market
from entrepot.regimes import RegimeModel, load_events
from entrepot.strategies import LongHKShortADR
from entrepot.strategies.targets import decisions

REVERSAL = LongHKShortADR(mode="relief_reversal", weight=0.2, pairs=["ADA"])
ALL_SHORTS = ("100.HK", "101.HK", "102.HK")


def said(targets, market):
    numbers = targets.pair_weights[decisions(market), 0]
    return {int(i): float(numbers[i]) for i in np.flatnonzero(np.isfinite(numbers))}


def path_of(make_path, market, **columns):
    return naive.with_intensity(make_path(market), **columns)


def test_it_is_held_in_quarters_while_relief_is_the_stronger(make_pairs, make_path):
    market = make_pairs(count=12, hk_holidays=(), hk_shorts=ALL_SHORTS)
    relief = np.repeat([0, 0.3, 0.4, 0.8, 1.2, 3, 9, 2.0, 2.0, 1.0, 1.0, 0.2], 2)
    escalation = np.repeat([0, 0, 0, 0, 0, 0, 0, 0, 2.0, 0.9, 0, 0], 2)
    path = make_path(market, 0, escalation, relief)
    numbers = said(REVERSAL.targets(market, path), market)
    quarter = 0.05
    assert numbers == pytest.approx(
        {2: -quarter, 4: -2 * quarter, 5: -4 * quarter, 7: -3 * quarter, 8: 0, 9: -quarter, 11: 0}
    )


def test_it_mirrors_the_hedge(make_pairs, wander):
    market = make_pairs(hk_shorts=ALL_SHORTS)
    path = wander(market)
    both = {"escalation": "relief", "relief": "escalation"}
    mirrored = naive.with_intensity(
        path, **{f"delisting_{side}": path.intensity["delisting", both[side]] for side in both}
    )
    hedge = LongHKShortADR(mode="delisting_hedge", weight=0.3)
    reversal = hedge.with_(mode="relief_reversal", risks="delisting")
    one, other = hedge.targets(market, path), reversal.targets(market, mirrored)
    np.testing.assert_array_equal(one.pair_weights, -other.pair_weights)
    assert np.isfinite(one.pair_weights).sum() > 20
    held = [plan.targets(market, path).standing()[1] for plan in (hedge, reversal)]
    assert ((held[0] != 0) & (held[1] != 0)).sum() == 0
    assert (held[0] > 0).any()
    assert (held[1] < 0).any()


def test_it_listens_to_both_risks_and_the_hedge_to_delisting(make_pairs, make_path):
    market = make_pairs(count=6, hk_holidays=(), hk_shorts=ALL_SHORTS)
    path = path_of(
        make_path,
        market,
        tariff_relief=np.repeat([0, 3, 3, 3, 3, 3], 2),
        delisting_escalation=np.repeat([0, 0, 2, 3.1, 0, 0], 2),
        tariff_escalation=np.repeat([0, 0, 0, 0, 0, 3], 2),
    )
    assert said(REVERSAL.targets(market, path), market) == {1: -0.2, 3: 0, 4: -0.2, 5: 0}
    assert said(REVERSAL.with_(risks="delisting").targets(market, path), market) == {}
    assert said(REVERSAL.with_(risks=["tariff"]).targets(market, path), market) == {1: -0.2, 5: 0}
    hedge = REVERSAL.with_(mode="delisting_hedge")
    assert said(hedge.targets(market, path), market) == pytest.approx({2: 0.15, 3: 0.2, 4: 0})
    both = hedge.with_(risks=("delisting", "tariff"))
    assert said(both.targets(market, path), market) == pytest.approx({3: 0.2, 4: 0})


def test_pairs_whose_hong_kong_line_may_not_be_shorted_are_noted(make_pairs, make_path):
    market = make_pairs(count=10, hk_shorts=("101.HK",))
    path = make_path(market, 0, 0.0, 3.0)
    targets = LongHKShortADR(mode="relief_reversal").targets(market, path)
    assert np.isfinite(targets.pair_weights).any(axis=0).tolist() == [False, True, False]
    assert targets.notes == ("no reversal in 100.HK, 102.HK: the Hong Kong line may not be shorted",)
    none = make_pairs(count=10)
    targets = LongHKShortADR(mode="relief_reversal").targets(none, make_path(none, 0, 0.0, 3.0))
    assert np.isnan(targets.pair_weights).all()
    assert targets.notes == ("can never trade: no Hong Kong line of the pairs may be shorted",)
    quiet = LongHKShortADR(mode="relief_reversal").targets(market, make_path(market))
    assert quiet.notes[0].startswith("never trades: the path's delisting and tariff relief never calls")
    hedge = LongHKShortADR(mode="delisting_hedge").targets(none, make_path(none, 2, 3.0))
    assert hedge.notes == ()  # the ADR is what it shorts


def test_both_lines_have_to_trade(make_pairs, make_path):
    market = make_pairs(count=40, hk_holidays=(), hk_shorts=ALL_SHORTS)
    price = market.price.copy()
    session = market.grid["session"].to_numpy()
    price.loc[session < pd.Timestamp("2022-01-12"), "100.HK"] = np.nan
    price.loc[session > pd.Timestamp("2022-02-04"), "ADA"] = np.nan
    market = Market(market.grid, price, market.instruments, fixings=market.fixings, ratios=market.ratios)
    numbers = said(REVERSAL.targets(market, make_path(market, 0, 0.0, 3.0)), market)
    days = market.grid["session"][decisions(market)].dt.strftime("%m-%d").to_numpy()
    assert {days[i]: w for i, w in numbers.items()} == {"01-12": -0.2, "02-14": 0.0}


def test_no_zero_is_negative(make_pairs, make_path):
    market = make_pairs(count=6, hk_holidays=(), hk_shorts=("100.HK",))
    relief = np.repeat([3.0, 3.0, 0, 3.0, 3.0, 0], 2)
    numbers = REVERSAL.targets(market, make_path(market, 0, 0.0, relief)).pair_weights
    assert not np.signbit(numbers[numbers == 0]).any()
    assert (numbers == 0).sum() == 2


@pytest.mark.parametrize("gain", [-0.05, 0.05])
@pytest.mark.parametrize("mode", ["relief_reversal", "delisting_hedge"])
def test_the_reversal_earns_where_the_adr_gains_on_hong_kong(make_market, line, make_path, mode, gain):
    """Relief or escalation on day 5; the ADR then gains on its Hong Kong line, or the line on the ADR."""
    count = 20
    hk = np.full(count, 80.0)
    adr = 8 * hk / 7.8 * np.where(np.arange(count) >= 10, 1 + gain, 1.0)
    rows = {"1.HK": line("1.HK", "ordinary", pair="A", shortable=True), "A": line("A", "ads", pair="1.HK")}
    market = make_market({"1.HK": hk, "A": adr}, rows)
    market = Market(
        market.grid,
        market.price,
        market.instruments,
        fixings=market.fixings.assign(per_usd=7.8),
        ratios=market.ratios,
    )
    side = "relief" if mode == "relief_reversal" else "escalation"
    intensity = np.repeat(np.where(np.arange(count) >= 5, 3.0, 0.0), 2)
    path = path_of(make_path, market, **{f"delisting_{side}": intensity})
    plan = LongHKShortADR(mode=mode, weight=0.5, drift_band=np.inf)
    run = ep.backtest(market, plan, path=path, costs=ep.Costs.none(), check=True)
    sign = 1 if mode == "relief_reversal" else -1
    assert run.equity.iloc[-1] / 1e7 - 1 == pytest.approx(sign * 0.5 * gain, rel=1e-9)


def test_a_sweep_over_modes_and_risks_finds_what_single_runs_find(make_pairs, make_path):
    market = make_pairs(count=60, hk_shorts=ALL_SHORTS)
    early = np.arange(len(market)) < 60
    path = path_of(make_path, market, tariff_relief=3.0 * early, delisting_escalation=3.0 * ~early)
    plan, grid = (
        LongHKShortADR(mode="relief_reversal"),
        {
            "mode": ["delisting_hedge", "relief_reversal"],
            "risks": ["delisting", "tariff"],
        },
    )
    table = ep.sweep(market, plan, grid, path=path, progress=False).table
    for _, row in table.iterrows():
        run = ep.backtest(market, plan.with_(mode=row["mode"], risks=row["risks"]), path=path)
        assert row["End Value"] == pytest.approx(run.equity.iloc[-1], rel=1e-12)
    assert table["End Value"].nunique() == 3  # two of the four have nothing to hold


@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
def test_cutting_the_market_changes_nothing_before(make_pairs, wander, same_until, phases):
    market = make_pairs(seed=4, phases=phases, hk_shorts=("100.HK", "102.HK"))
    path = wander(market, 7)
    path = naive.with_intensity(path, tariff_relief=np.random.default_rng(1).random(len(market)) * 5)
    for plan in (
        LongHKShortADR(mode="relief_reversal"),
        LongHKShortADR(mode="delisting_hedge", risks="tariff"),
    ):
        same_until(plan, market, path, seed=9)
    assert np.isfinite(LongHKShortADR(mode="relief_reversal").targets(market, path).pair_weights).sum() > 20


def test_later_prices_change_no_earlier_target(make_pairs, make_path):
    market = make_pairs(seed=4, hk_shorts=ALL_SHORTS)
    path, cut = make_path(market, 0, 0.0, 3.0), 200
    price = market.price.copy()
    price.iloc[cut:] = price.iloc[cut:] * 3
    price.iloc[cut : cut + 40, 0] = np.nan
    other = Market(market.grid, price, market.instruments, fixings=market.fixings, ratios=market.ratios)
    plan = LongHKShortADR(mode="relief_reversal")
    one, two = plan.targets(market, path).pair_weights, plan.targets(other, path).pair_weights
    assert one[:cut].tobytes() == two[:cut].tobytes()
    assert one.tobytes() != two.tobytes()


@pytest.mark.parametrize("risks", [(), ("carry",), 5, ("tariff", "tariff"), "policy_support"])
def test_other_risks_are_refused(risks):
    with pytest.raises(ParameterError, match=r"^risks is") as refusal:
        LongHKShortADR(mode="relief_reversal", risks=risks)
    assert "\n" not in str(refusal.value)


def test_it_needs_a_path(make_pairs):
    market = make_pairs(count=5)
    with pytest.raises(ParameterError, match=r"relief_reversal'\) needs a regime path"):
        LongHKShortADR(mode="relief_reversal").targets(market)


def test_on_the_calendar_it_follows_the_audit_deal_and_waits_after_geneva(real_prices):
    market = load_market(
        real_prices, start="2019-06-03", ends="cut", departures="parity", hk_shorts=["9988.HK"]
    )
    path = RegimeModel().walk_forward(market, load_events(), progress=False)
    plan = LongHKShortADR(mode="relief_reversal", pairs=["BABA"])
    level = plan.targets(market, path).signals["reversal"]["level"]
    assert level["2022-08-29"] == -1
    assert level["2022-12-16"] == -1
    assert (level["2025-04-09":"2025-06-10"] == 0).all()
    assert level["2025-06-12"] == -1
    assert level.min() == -1
    assert level.max() == 0
