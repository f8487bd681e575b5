"""What a trade does to its own price: the square-root law by hand, against the twin, and what it implies."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import naive
import numpy as np
import pandas as pd
import pytest
import test_engine as engine
import worlds
from hypothesis import HealthCheck, given, settings, strategies as st
from sweep_rows import agree, row_of
from test_naive import DAYS, FREE, PAIR, at, line as line_of, make_market, number, want

import entrepot as ep
from entrepot.engine import Bench, Costs, Ledger, backtest, backtest_batch
from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.markets.market import Market
from entrepot.markets.volume import average_volume, daily_volatility, share_of_volume

# Two returns of 10 %, up and down, again and again: a volatility of 0.1 over any two of them.
ZIGZAG = [100.0, 110.0, 99.0, 108.9, 98.01, 107.811]
LAW = Costs.none().with_(impact=1.0, impact_volume=400.0, impact_sessions=2)


def plain(price: list[float] = ZIGZAG, **columns: list[float]) -> Market:
    index = pd.bdate_range("2024-03-04", periods=len(price))
    return Market.from_prices(pd.DataFrame({"A": price, **columns}, index=index))


def hold(market: Market, rows: dict[int, float], symbol: str = "A") -> pd.DataFrame:
    days = pd.DatetimeIndex(market.grid["session"])
    return pd.DataFrame({symbol: list(rows.values())}, index=days[list(rows)])


def moving(seed: int, **changes: bool) -> worlds.World:
    """A random world in which trades move prices and whose targets may all be tried."""
    on = {"impossible_shorts": False, "impact": True} | changes
    switches = replace(worlds.random_switches(seed), **on)
    return worlds.random_world(
        seed, steps=60, pairs=seed % 3, hk_singles=1 + seed % 2, ny_singles=1, switches=switches
    )


def ran(world: worlds.World) -> Ledger | None:
    try:
        return engine.run(world)
    except EntrepotError:
        return None


# -- by hand -------------------------------------------------------------------------------------------------


def test_a_fill_pays_the_square_root_of_its_part_of_the_volume() -> None:
    market = plain()
    run = backtest(market, hold(market, {2: 0.1}), capital=99_000.0, costs=LAW, check=True)
    # 0.1 * 99,000 / 99 = 100 shares, a quarter of 400: 1 * 0.1 * sqrt(1/4) = 5 % above 108.90
    (fill,) = run.fills.to_dict("records")
    assert (fill["step"], fill["quantity"], fill["price"]) == (3, number(100), 108.9)
    assert fill["fill_price"] == number(108.9 * 1.05)
    assert fill["impact"] == number(100 * 108.9 * 0.05)
    assert fill["slippage"] == number(0)
    assert run.costs().to_dict() == {"impact": number(544.5)}
    assert run.equity_by_step[3] == number(99_000 - 544.5)
    assert run.contributions["impact", "A"].tolist()[3:] == [number(-544.5), 0, 0]


def test_spread_fees_and_impact_add_up() -> None:
    market = plain()
    costs = LAW.with_(half_spread_bps=100.0, fee_bps=50.0)
    run = backtest(market, hold(market, {1: -0.1, 2: 0.0}), capital=110_000.0, costs=costs, check=True)
    # 100 shares sold short at 99 * (1 - 0.01 - 0.05), bought back at 108.90 * (1 + 0.01 + 0.05)
    sold, bought = run.fills.to_dict("records")
    assert sold["fill_price"] == number(99 * 0.94)
    assert bought["fill_price"] == number(108.9 * 1.06)
    assert (sold["slippage"], sold["impact"]) == (number(99), number(495))
    assert (bought["slippage"], bought["impact"]) == (number(108.9), number(544.5))
    assert (sold["fees"], bought["fees"]) == (number(0.005 * 9_306), number(0.005 * 11_543.4))
    kinds = {"impact": 1_039.5, "slippage": 207.9, "flat_fee": 0.005 * (9_306 + 11_543.4)}
    assert run.costs().to_dict() == {kind: number(paid) for kind, paid in kinds.items()}
    assert run.equity_by_step[-1] == number(110_000 - 990 - sum(kinds.values()))


def test_fees_per_share_are_charged_by_the_share_whatever_the_price_becomes() -> None:
    market = make_market({"U": line_of("XNYS", ZIGZAG)})
    fees = {("XNYS", "brokerage"): ep.Fee(per_share=0.01)}
    for exact in (True, False):
        costs = Costs(**FREE | {"exact_fees": exact, "fees": fees, "impact": 1.0, "impact_sessions": 2})
        costs = costs.with_(impact_volume={"U": 100.0})
        wanted = SimpleNamespace(targets=lambda market, path=None: want(market, {(2, "U"): 0.1}))
        run = backtest(market, wanted, capital=99_000.0, costs=costs, check=True)
        assert run.fills["brokerage"].tolist() == [number(1)]
        assert run.fills["fill_price"].tolist() == [number(108.9 * 1.1)]


def test_beyond_the_law_a_sale_brings_nothing_and_a_purchase_costs_twice() -> None:
    market = plain()
    for weight, price in ((0.1, 217.8), (-0.1, 0.0)):
        tiny = LAW.with_(impact_volume=0.01)  # 0.1 * sqrt(100 / 0.01) = 10 times the price
        run = backtest(market, hold(market, {2: weight}), capital=99_000.0, costs=tiny, check=True)
        assert run.fills["fill_price"].tolist() == [pytest.approx(price, abs=1e-12)]
        assert run.fills["impact"].tolist() == [number(100 * 108.9)]
        assert run.equity_by_step[3] == number(99_000 - 10_890)


def test_the_coefficient_is_of_the_step_of_the_fill() -> None:
    """Volumes by date, and a market's own: each fill by what is known at its step."""
    market = plain()
    frame = pd.DataFrame({"A": [400.0, 100.0]}, index=pd.DatetimeIndex(market.grid["session"])[[0, 4]])
    weights = hold(market, {2: 0.1, 3: 0.0})
    run = backtest(market, weights, capital=99_000.0, costs=LAW.with_(impact_volume=frame), check=True)
    fractions = run.fills["impact"] / (run.fills["quantity"].abs() * run.fills["price"])
    np.testing.assert_allclose(fractions, [0.05, 0.1], rtol=1e-12)
    seen = pd.DataFrame({"A": [1.0, 1, 100, 700, 100, 1]}, index=market.price.index)
    traded = replace(market, volume=seen)
    run = backtest(traded, weights, capital=99_000.0, costs=LAW.with_(impact_volume=None), check=True)
    # 100 and 700, then 700 and 100: 400
    fractions = run.fills["impact"] / (run.fills["quantity"].abs() * run.fills["price"])
    np.testing.assert_allclose(fractions, [0.05, 0.05], rtol=1e-12)


def test_nothing_is_pushed_by_a_conversion_or_a_buy_in() -> None:
    market = make_market(
        {
            "1.HK": line_of("XHKG", [40.0, 44.0, 39.6, 43.56, 39.204, 43.1244], pair="A"),
            "A": line_of("XNYS", [20.0, 22.0, 19.8, 21.78, 19.602, 21.5622], kind="ads", pair="1.HK"),
        },
        ratios=[{"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 4.0}],
    )
    costs = Costs(**FREE | {"impact": 1.0, "impact_volume": {"1.HK": 80_000.0, "A": 20_000.0}})
    costs = costs.with_(impact_sessions=2, ads_conversion_fee=0.05)
    wanted = want(market, None, PAIR, {5: 0.099, 7: 0.0}, exits={7: 1})
    plan = SimpleNamespace(targets=lambda market, path=None: wanted)
    run = backtest(market, plan, capital=1_000_000.0, costs=costs, check=True)
    # 99,000 / 4.95 = 20,000 shares and 5000 ADSs, a quarter of each volume: 5 %; then converted
    assert run.fills["quantity"].tolist() == [20_000.0, -5_000.0]
    assert run.fills["impact"].tolist() == [number(20_000 * 43.56 * 0.05), number(5_000 * 21.78 * 0.05)]
    assert run.conversions["reason"].tolist() == ["chosen"]
    assert run.costs()["impact"] == number(20_000 * 43.56 * 0.05 / 8 + 5_000 * 21.78 * 0.05)


@pytest.mark.parametrize(("level", "converts"), [(0.0, False), (0.02, True)])
def test_what_is_cheaper_counts_the_impact_of_trading(level: float, converts: bool) -> None:
    """At parity and without spreads trading is free, unless it moves both prices."""
    market = make_market(
        {
            "1.HK": line_of("XHKG", [40.0, 44.0, 39.6, 43.56, 39.204, 43.1244], pair="A"),
            "A": line_of("XNYS", [20.0, 22.0, 19.8, 21.78, 19.602, 21.5622], kind="ads", pair="1.HK"),
        },
        ratios=[{"adr": "A", "effective_from": DAYS[0], "ordinary_per_ads": 4.0}],
    )
    # 100 for the depositary; the legs are worth about 100,000 each: trading costs 2 * 100,000 * 0.05 * level
    costs = Costs(**FREE | {"impact": level, "impact_volume": {"1.HK": 80_000.0, "A": 20_000.0}})
    costs = costs.with_(impact_sessions=2, ads_conversion_fee=0.02)
    wanted = want(market, None, PAIR, {5: 0.099, 7: 0.0}, exits={7: 2})
    slow = naive.backtest(market, wanted, costs, 1_000_000)
    plan = SimpleNamespace(targets=lambda market, path=None: wanted)
    run = backtest(market, plan, capital=1_000_000.0, costs=costs, check=True)
    assert (run.conversions["reason"].tolist() == ["chosen"]) == converts
    assert bool(slow.conversions) == converts


def test_the_twin_pays_it_too() -> None:
    market = make_market({"U": line_of("XNYS", ZIGZAG)})
    costs = Costs(**FREE | {"impact": 1.0, "impact_volume": {"U": 400.0}, "impact_sessions": 2})
    run = naive.backtest(market, want(market, {(2, "U"): 0.1}), costs, 99_000)
    assert at(run, "impact", "U", 3) == number(-544.5)
    assert float(run.fills[0]["fill_price"]) == number(108.9 * 1.05)


# -- the kernel, its twin and its other ways in --------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_the_kernel_agrees_with_its_twin(seed: int) -> None:
    engine.agree(moving(seed, gaps=False))


def test_the_worlds_are_moved() -> None:
    """Without this the comparisons above could be of runs in which nothing happens."""
    runs = [run for run in map(ran, (moving(seed, gaps=False) for seed in range(40))) if run is not None]
    assert len(runs) > 25
    pushed = pd.concat([run.fills for run in runs])
    assert set(pushed.loc[pushed["impact"] > 0, "reason"]) >= {"target", "lead", "hedge", "forced"}
    fraction = pushed["impact"] / (pushed["quantity"].abs() * pushed["price"])
    assert fraction.quantile(0.1) < 0.001
    assert fraction.max() > 0.5
    for run in runs:
        booked = -run.contributions.get("impact", pd.DataFrame([0.0])).to_numpy().sum()
        assert booked == pytest.approx(float((run.fills["impact"] * run.fills["fx"]).sum()), abs=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_a_block_is_the_recorded_runs_side_by_side(seed: int) -> None:
    world = moving(seed, same_step=False)
    plans = [
        replace(world.targets, weights=scale * world.targets.weights, drift_band=band)
        for scale, band in ((1.0, world.targets.drift_band), (0.3, np.inf), (0.7, 0.05))
    ]
    terms: dict[str, Any] = {
        name: getattr(world, name) for name in ("costs", "capital", "base_currency", "path")
    }
    try:
        tallied = Bench(world.market, **terms).run(plans, equity=True)
    except EntrepotError:
        return
    for i, targets in enumerate(plans):
        plan = SimpleNamespace(targets=lambda market, path=None, targets=targets: targets)
        try:
            run = backtest(world.market, plan, **terms)
        except EntrepotError as error:
            refusal = str(error)
        else:
            refusal = ""
        assert tallied.refused[i] == refusal
        if refusal:
            continue
        np.testing.assert_array_equal(tallied.equity[:, i], run.equity_by_step)
        agree(tallied.table.iloc[[i]], [row_of(run)], world.capital + np.abs(run.equity_by_step).max())


def test_decisions_inside_the_loop_pay_it_as_well() -> None:
    symbols = ["BABA", "9988.HK", "JD", "9618.HK", "0700.HK", "0939.HK"]
    market = ep.simulate_market(start="2021-01-04", end="2021-12-31", seed=3, symbols=symbols)
    plans = [ep.LongHKShortADR(lookback=30, entry=entry, round_trip_bps=0.0) for entry in (0.5, 1.0)]
    costs = Costs(impact=1.0)
    tallied = Bench(market, costs=costs).run([plan.decision(market) for plan in plans], equity=True)
    runs = [ep.backtest(market, plan, costs=costs, check=True) for plan in plans]
    np.testing.assert_array_equal(tallied.equity, np.column_stack([run.equity_by_step for run in runs]))
    agree(tallied.table, [row_of(run) for run in runs], 1e7)
    assert (tallied.table["Impact Paid"] > 0).all()
    assert (tallied.table["impact"] == tallied.table["Impact Paid"]).all()


def test_a_batch_of_weights_pays_it_whatever_runs_beside_it() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        50 * np.exp(np.cumsum(rng.normal(0, 0.02, (120, 3)), axis=0)),
        index=pd.bdate_range("2020-01-01", periods=120),
        columns=list("abc"),
    )
    market = Market.from_prices(frame)
    weights = rng.uniform(-0.3, 0.3, (70, 120, 3))
    weights[rng.random(weights.shape) < 0.7] = np.nan
    weights[:, :25] = np.nan
    costs = Costs.flat(5).with_(impact=1.0, impact_volume=1e5)
    for fill in ("next_step", "same_step"):
        equity = backtest_batch(market, weights, costs=costs, fill=fill, threads=1)
        np.testing.assert_array_equal(
            equity[:, 5:6], backtest_batch(market, weights[5:6], costs=costs, fill=fill)
        )
        plan = pd.DataFrame(weights[5], index=frame.index, columns=frame.columns)
        run = backtest(market, plan, capital=1e6, costs=costs, fill=fill, check=True)
        np.testing.assert_array_equal(equity[:, 5], run.equity_by_step)
        assert run.costs()["impact"] > run.costs()["flat_fee"]


# -- what it implies -----------------------------------------------------------------------------------------


def round_trip(capital: float, level: float, seed: int = 3) -> Ledger:
    """A purchase and a sale, both sized before any cost has touched equity."""
    rng = np.random.default_rng(seed)
    price = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, 40)))
    market = plain(price.tolist())
    costs = Costs.none().with_(impact=level, impact_volume=5e4)
    return backtest(market, hold(market, {30: 0.5, 31: 0.0}), capital=capital, costs=costs, check=True)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.floats(0, 3), st.floats(0, 3), st.integers(0, 100))
def test_more_impact_never_helps_a_round_trip(one: float, other: float, seed: int) -> None:
    low, high = (round_trip(1e6, level, seed) for level in sorted((one, other)))
    assert low.fills["quantity"].tolist() == high.fills["quantity"].tolist()
    assert high.equity_by_step[-1] <= low.equity_by_step[-1]


def test_the_cost_grows_as_the_square_root_of_the_money() -> None:
    once, twice, free = round_trip(1e6, 1.0), round_trip(2e6, 1.0), round_trip(1e6, 0.0)
    cost = [run.costs()["impact"] / run.capital for run in (once, twice)]
    assert cost[1] == pytest.approx(np.sqrt(2) * cost[0], rel=1e-12)
    assert once.equity_by_step[-1] == pytest.approx(free.equity_by_step[-1] - cost[0] * 1e6, rel=1e-12)
    half = round_trip(1e6, 0.5)
    assert half.costs()["impact"] == pytest.approx(0.5 * once.costs()["impact"], rel=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_money_and_volume_scale_together_and_money_alone_does_not(seed: int) -> None:
    """With twice the volume twice the money is the same trade; without, it is a dearer one."""
    world = moving(seed, lots=False, exact_fees=False, caps=False, gaps=False)
    costs = world.costs.with_(ads_conversion_fee=0.0)  # by the hundred ADSs begun
    given = costs.impact_volume
    if isinstance(given, dict):
        doubled: Any = {symbol: 2.0 * shares for symbol, shares in given.items()}
    else:
        doubled = None if given is None else 2.0 * given
    volume = world.market.volume
    deeper = replace(world.market, volume=None if volume is None else 2.0 * volume)
    try:
        once = engine.run(world, costs=costs)
    except EntrepotError:
        return
    capital, scale = 2.0 * world.capital, 1e-9 * world.capital
    twice = engine.run(world, deeper, costs=costs.with_(impact_volume=doubled), capital=capital)
    np.testing.assert_allclose(twice.equity_by_step, 2.0 * once.equity_by_step, rtol=1e-9, atol=scale)
    if once.fills["impact"].sum() > 1e-6 * world.capital:
        alone = engine.run(world, costs=costs, capital=capital)
        assert np.abs(alone.equity_by_step - 2.0 * once.equity_by_step).max() > scale


@pytest.mark.parametrize("seed", range(8))
def test_volumes_and_prices_after_a_step_change_nothing_at_it(seed: int) -> None:
    world = moving(seed, gaps=False)
    step = len(world.market) // 2
    later = np.arange(len(world.market)) > step
    run, market = ran(world), world.market
    if run is None or market.volume is None:
        return
    other = replace(market, volume=market.volume.mask(later[:, None] & market.volume.notna(), 3.0))
    try:
        changed = engine.run(world, other)
    except EntrepotError:
        return
    np.testing.assert_array_equal(changed.equity_by_step[: step + 1], run.equity_by_step[: step + 1])


def test_a_capped_order_pays_for_what_it_fills() -> None:
    """A tenth of the volume a day instead of all at once: more fills, each dearer than none, all cheaper."""
    rng = np.random.default_rng(5)
    market = plain((50 * np.exp(np.cumsum(rng.normal(0, 0.02, 60)))).tolist())
    market = replace(market, volume=pd.DataFrame({"A": 1e4}, index=market.price.index))
    caps = share_of_volume(market)
    costs = Costs.none().with_(impact=1.0)
    weights = hold(market, {40: 0.1})
    whole = backtest(market, weights, capital=1e6, costs=costs, check=True)
    parts = backtest(market, weights, capital=1e6, costs=costs.with_(max_fill_shares=caps), check=True)
    assert len(parts.fills) == 2 + (whole.fills["quantity"].iloc[0] > 2_000)
    assert (parts.fills["quantity"] <= 1_000 + 1e-9).all()
    sigma, usual = daily_volatility(market)["A"], average_volume(market)["A"]
    for run in (whole, parts):
        for fill in run.fills.to_dict("records"):
            at_step = sigma.iloc[fill["step"]] * np.sqrt(fill["quantity"] / usual.iloc[fill["step"]])
            assert fill["impact"] == pytest.approx(fill["quantity"] * fill["price"] * at_step, rel=1e-9)
    mean = [run.fills["impact"].sum() / run.fills["quantity"].sum() for run in (whole, parts)]
    assert mean[1] < mean[0]


# -- what is refused -----------------------------------------------------------------------------------------


def test_a_fill_of_unknown_impact_is_refused_by_name_with_the_fix() -> None:
    market = plain()
    says = (
        "^A is filled at 2024-03-07 23:59 UTC, before enough of its volumes and closes are known to tell its "
        r"impact: load files with a Volume column, give Costs\(impact_volume=\{'A': shares a session\}\) or "
        "fewer impact_sessions, or trade it later$"
    )
    unknown = Costs.none().with_(impact=1.0, impact_sessions=2)
    weights = hold(market, {2: 0.1})
    for costs in (
        unknown,
        LAW.with_(impact_sessions=20),
        unknown.with_(impact_volume={"A": 1.0}, impact_sessions=4),
    ):
        with pytest.raises(DataError, match=says):
            backtest(market, weights, costs=costs)
    array = np.full((3, len(market), 1), np.nan)
    array[1, 2] = 0.1
    with pytest.raises(DataError, match=says):
        backtest_batch(market, array, costs=unknown)
    plans = [ep.Targets(part, drift_band=np.inf) for part in array]
    tallied = Bench(market, costs=unknown).run(plans)
    assert [bool(text) for text in tallied.refused] == [False, True, False]
    assert tallied.refused[1].startswith("A is filled at 2024-03-07 23:59 UTC")
    # what is not traded need not be known, and without impact nothing need be
    assert backtest(market, hold(market, {2: 0.0}), costs=unknown).fills.empty
    assert len(backtest(market, weights, costs=unknown.with_(impact=0.0)).fills) == 1


DATED = pd.DataFrame({"A": [5.0, 0.0]}, index=pd.to_datetime(["2024-03-04", "2024-03-06"]))
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a negative level": ({"impact": -1.0}, "impact is -1.0: give a number of at least 0"),
    "a level in basis points": ({"impact": 100.0}, "impact is 100.0"),
    "a level by symbol": ({"impact": {"A": 1.0}}, "impact is {'A': 1.0}"),
    "no volume": ({"impact_volume": 0.0}, "impact_volume holds 0: give shares above 0"),
    "no volume of a symbol": ({"impact_volume": {"A": 5.0, "B": 0}}, "impact_volume holds 0"),
    "no volume on a date": ({"impact_volume": DATED}, "impact_volume holds 0"),
    "a negative volume": ({"impact_volume": {"A": -5.0}}, "impact_volume of A is -5.0"),
    "volumes without dates": ({"impact_volume": DATED.reset_index(drop=True)}, "a frame without dates"),
    "no sessions": (
        {"impact_sessions": 0},
        "impact_sessions is 0: give a whole number of sessions, 1 to 250",
    ),
    "a year and more": ({"impact_sessions": 300}, "impact_sessions is 300"),
    "sessions in words": ({"impact_sessions": "20"}, "impact_sessions is '20'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_costs_that_cannot_be_meant_are_refused(name: str) -> None:
    given_, says = REFUSED[name]
    with pytest.raises(ParameterError) as refused:
        Costs(**given_)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_volume_of_a_line_that_is_not_there_is_refused() -> None:
    market = plain()
    with pytest.raises(ParameterError, match="impact_volume names 'B', which this market does not have"):
        backtest(market, hold(market, {2: 0.1}), costs=LAW.with_(impact_volume={"B": 1.0}))
