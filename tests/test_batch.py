"""Configurations side by side: the bits of each are those of its recorded run, whoever runs beside it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
import test_compiled_decisions as decisions
import test_engine as engine
import test_naive as hand
import worlds
from hypothesis import HealthCheck, example, given, settings, strategies as st
from sweep_rows import agree, row_of

import entrepot as ep
from entrepot.engine import Bench, Ledger, _kernels as kernels, backtest, backtest_batch, batch
from entrepot.errors import EntrepotError, TargetError
from entrepot.strategies.targets import Targets


def drawn(seed: int, steps: int = 60) -> worlds.World:
    """A random world whose orders are filled at the next step: mechanisms on and off at random."""
    switches = replace(worlds.random_switches(seed), same_step=False)
    return worlds.random_world(seed, steps=steps, switches=switches)


def variants(world: worlds.World, count: int) -> list[Targets]:
    """The world's targets and others like them: smaller, reversed in time, with another drift band, fewer."""
    rng = np.random.default_rng(world.seed)
    out = [world.targets]
    for i in range(1, count):
        some = rng.random(world.targets.weights.shape) < 0.7
        part = rng.random(world.targets.pair_weights.shape) < 0.7
        out.append(
            replace(
                world.targets,
                weights=np.where(some, world.targets.weights * rng.choice([0.3, 0.7, 1.0]), np.nan),
                pair_weights=np.where(part, world.targets.pair_weights * rng.choice([0.5, 1.0]), np.nan),
                drift_band=[world.targets.drift_band, 0.05, np.inf][i % 3],
            )
        )
    return out


def bench_of(world: worlds.World) -> Bench:
    return Bench(
        world.market,
        costs=world.costs,
        capital=world.capital,
        base_currency=world.base_currency,
        path=world.path,
    )


def recorded(world: worlds.World, targets: Targets) -> Ledger | EntrepotError:
    try:
        return backtest(
            world.market,
            targets_plan(targets),
            costs=world.costs,
            capital=world.capital,
            base_currency=world.base_currency,
            path=world.path,
        )
    except EntrepotError as error:
        return error


class targets_plan:  # noqa: N801 - reads as a function
    """A plan that wants these targets."""

    def __init__(self, made: Targets) -> None:
        self.made = made

    def targets(self, market: object, path: object = None) -> Targets:
        return self.made


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@example(seed=6506, count=7)  # a short that a departure turns and an order of the same step turns back
@given(seed=st.integers(0, 10**6), count=st.integers(1, 7))
def test_a_block_is_the_recorded_runs_side_by_side(seed: int, count: int) -> None:
    hold_a_block(drawn(seed), count)


@pytest.mark.parametrize("seed", range(24))
def test_a_small_block_is_the_recorded_runs_side_by_side(seed: int) -> None:
    hold_a_block(drawn(seed, steps=40), 3)


@pytest.mark.parametrize("name", ["scaled", "paired", "drifting", "loud"])
def test_the_loop_decides_on_a_few_steps_as_plain_python_would(name: str) -> None:
    symbols = ["FXI", "KWEB", "BABA", "9988.HK", "0700.HK"]
    market = ep.simulate_market(start="2022-01-03", end="2022-01-24", seed=5, symbols=symbols)
    costs = ep.Costs(fx_conversion="daily", lots=False)
    decisions.hold_a_decision(market, decisions.PLANS[name], costs, trades=True)


def hold_a_block(world: worlds.World, count: int) -> None:
    """Run a world's plans side by side and hold each to its recorded run."""
    plans = variants(world, count)
    try:
        tallied = bench_of(world).run(plans, equity=True)
    except EntrepotError:
        with pytest.raises(EntrepotError):
            backtest(
                world.market,
                world.plan,
                costs=world.costs,
                base_currency=world.base_currency,
                path=world.path,
            )
        return
    assert tallied.done.all()
    for i, targets in enumerate(plans):
        run = recorded(world, targets)
        if isinstance(run, EntrepotError):
            assert tallied.refused[i] == str(run)
            assert tallied.table.iloc[i].isna().all()
            continue
        assert tallied.refused[i] == ""
        np.testing.assert_array_equal(tallied.equity[:, i], run.equity_by_step)
        scale = world.capital + float(np.abs(run.equity_by_step).max())
        agree(tallied.table.iloc[[i]], [row_of(run)], scale, f"world {world.seed}, plan {i}")


def test_equity_that_is_gone_looks_at_no_drift() -> None:
    """A world in which the mark of a step leaves nothing, on the very price that orders are filled at."""
    seed = 2000501
    engine.agree(worlds.random_world(seed, steps=60, switches=worlds.random_switches(seed)))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(seed=st.integers(0, 10**6))
def test_neighbours_order_and_threads_change_no_bit(seed: int) -> None:
    world = drawn(seed)
    plans = variants(world, 9)
    try:
        bench = bench_of(world)
    except EntrepotError:
        return
    whole = bench.run(plans, equity=True)
    order = Random(seed).sample(range(9), 9)
    mixed = bench.run([plans[i] for i in order], equity=True)
    np.testing.assert_array_equal(mixed.equity, whole.equity[:, order])
    np.testing.assert_array_equal(mixed.table.to_numpy(), whole.table.to_numpy()[order])
    with ThreadPoolExecutor(4) as pool:
        alone = list(pool.map(lambda plan: bench.run([plan], equity=True), plans))
    for i, one in enumerate(alone):
        np.testing.assert_array_equal(one.equity[:, 0], whole.equity[:, i])
        assert one.refused[0] == whole.refused[i]


def test_the_drawn_worlds_exercise_what_they_should() -> None:
    """Without this the comparisons above could be of runs in which nothing happens."""
    happened: dict[str, int] = {}
    for seed in range(60):
        run = recorded(drawn(seed), drawn(seed).targets)
        if isinstance(run, EntrepotError):
            happened["refused"] = happened.get("refused", 0) + 1
            continue
        for why in (*run.fills["reason"], *run.dropped["reason"], *run.conversions["reason"]):
            happened[why] = happened.get(why, 0) + 1
        happened["ruin"] = happened.get("ruin", 0) + (run.ruined_at is not None)
    for wanted in ("target", "lead", "hedge", "unwind", "forced", "margin", "delisted", "ruin", "refused"):
        assert happened.get(wanted, 0) > 0, (wanted, happened)


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2018-03-01", end="2019-02-28", seed=3)


def test_the_built_in_strategies_decide_in_the_loop_as_their_targets_say(market: ep.Market) -> None:
    path = ep.RegimeModel().walk_forward(market, ep.load_events())
    assert len(set(path.states)) > 1
    pairs = ep.LongHKShortADR(lookback=30)
    hedge = pairs.with_(mode="delisting_hedge", exit_by="cheapest")
    switch = ep.RegimeSwitch(path, calm=pairs, tariff=ep.SectorRotation(lookback=40), delisting=hedge)
    plans = [pairs, pairs.with_(entry=1.0, reverse=True), hedge, ep.SectorRotation(lookback=40), switch]
    plans.append(
        switch.with_(
            weighting="probability", decoupling=pd.DataFrame({"KWEB": [0.1]}, pd.to_datetime(["2018-05-01"]))
        )
    )
    for costs in (ep.Costs(), ep.Costs(fx_conversion="daily"), ep.Costs.none()):
        tallied = Bench(market, path=path, costs=costs).run(
            [plan.decision(market, path) for plan in plans], equity=True
        )
        runs = [ep.backtest(market, plan, path=path, costs=costs) for plan in plans]
        assert tallied.refused == ("",) * len(plans)
        np.testing.assert_array_equal(tallied.equity, np.column_stack([run.equity_by_step for run in runs]))
        agree(tallied.table, [row_of(run, path) for run in runs], 1e7)
    assert all(len(run.fills) > 0 for run in runs)


def test_features_that_are_not_kept_are_made_again(
    market: ep.Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [ep.LongHKShortADR(lookback=20 + i % 7, entry=1.0 + 0.01 * i) for i in range(40)]
    kept = Bench(market).run([plan.decision(market) for plan in plans], equity=True)
    monkeypatch.setattr("entrepot.engine.batch.FEATURE_BYTES", 0)
    monkeypatch.setattr("entrepot.engine.batch.PLAN_BYTES", 1)
    forgetful = Bench(market)
    again = forgetful.run([plan.decision(market) for plan in plans], equity=True)
    np.testing.assert_array_equal(again.equity, kept.equity)
    by_targets = forgetful.run([plan.targets(market) for plan in plans[:5]], equity=True)
    np.testing.assert_array_equal(by_targets.equity, kept.equity[:, :5])


def test_a_run_that_is_told_to_stop_keeps_what_is_done(market: ep.Market) -> None:
    plans = [ep.LongHKShortADR(lookback=30, entry=0.5 + 0.01 * i).decision(market) for i in range(200)]
    bench = Bench(market)
    whole = bench.run(plans)
    stop = np.ones(1, dtype=np.int8)
    assert not bench.run(plans, stop=stop).done.any()
    stop[0] = 0
    timer = threading.Timer(0.02, lambda: stop.__setitem__(0, 1))
    timer.start()
    part = bench.run(plans * 20, stop=stop)
    timer.join()
    assert not part.done.all()
    expected = np.tile(whole.table.to_numpy(), (20, 1))
    np.testing.assert_array_equal(part.table.to_numpy()[part.done], expected[part.done])
    assert part.table[~part.done].isna().all(axis=None)


@pytest.mark.parametrize("fill", ["same_step", "next_step"])
def test_a_batch_of_weights_is_the_recorded_runs(fill: str) -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        100 * np.exp(np.cumsum(0.02 * rng.standard_normal((80, 6)), axis=0)),
        index=pd.bdate_range("2020-01-01", periods=80),
        columns=list("abcdef"),
    )
    market = ep.Market.from_prices(frame)
    weights = rng.normal(0, 0.2, (70, 80, 6))
    weights[rng.random(weights.shape) < 0.3] = np.nan
    batch = backtest_batch(market, weights, fee_bps=7, fill=fill)
    for i in (0, 13, 63, 64, 69):
        plan = pd.DataFrame(weights[i], index=frame.index, columns=frame.columns)
        run = ep.backtest(market, plan, costs=ep.Costs.flat(7), capital=1e6, fill=fill)
        np.testing.assert_array_equal(batch[:, i], run.equity_by_step)
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(
            backtest_batch(market, weights, fee_bps=7, fill=fill, threads=threads), batch
        )
    frozen = weights.copy()
    frozen.flags.writeable = False
    for other in (np.asfortranarray(weights), frozen, weights[::-1][::-1]):
        np.testing.assert_array_equal(backtest_batch(market, other, fee_bps=7, fill=fill), batch)


def test_who_cannot_be_run_is_told_why_and_its_neighbours_run(market: ep.Market) -> None:
    fine = [ep.LongHKShortADR(lookback=lookback).targets(market) for lookback in (20, 30)]
    short = worlds.until(fine[0], len(market) - 2)
    wild = replace(fine[0], pair_weights=fine[0].pair_weights * 1e6)
    plans = [short, fine[0], wild, fine[1], short]
    tallied = Bench(market).run(plans, equity=True)
    for i in (1, 3):
        assert tallied.refused[i] == ""
        run = backtest(market, plans[i])
        np.testing.assert_array_equal(tallied.equity[:, i], run.equity_by_step)
    for i in (0, 2, 4):
        with pytest.raises(EntrepotError) as told:
            backtest(market, plans[i])
        assert tallied.refused[i] == str(told.value)
        assert tallied.table.iloc[i].isna().all()
    assert tallied.done.all()


def test_a_bench_refuses_what_a_run_does(market: ep.Market) -> None:
    plan = ep.LongHKShortADR()
    dated = pd.DataFrame({"X": [0.1]}, pd.to_datetime(["2018-05-01"]))
    for terms, words in (
        ({"capital": -1.0}, "capital is -1"),
        ({"base_currency": "EUR"}, "EUR"),
        ({"costs": ep.Costs(borrow_rate_pa={"X": 0.1})}, "names 'X'"),
        ({"costs": ep.Costs(borrow_rate_pa=dated)}, "names 'X'"),
    ):
        with pytest.raises(EntrepotError, match=words) as told:
            backtest(market, plan, **terms)
        try:
            refused = Bench(market, **terms).run([plan.decision(market)]).refused
        except EntrepotError as error:
            refused = (str(error),)
        assert refused == (str(told.value),)
    dear = ep.Market.from_prices(
        pd.DataFrame({"A": [1e9, 1e9]}, index=pd.date_range("2024-01-01", periods=2))
    )
    targets, little = Targets(np.full((2, 1), 0.5)), {"costs": ep.Costs.flat(0), "capital": 1.0}
    with pytest.raises(EntrepotError, match="a share of A is worth up to 1e") as told:
        backtest(dear, targets, **little)
    assert Bench(dear, **little).run([targets, targets]).refused == (str(told.value),) * 2
    whole = hand.make_market({"A": hand.line("XNYS", [1e9, 1e9])})  # traded by the whole share
    plan = hand.want(whole, {(0, "A"): 0.5})
    assert Bench(whole, costs=ep.Costs(**hand.FREE), capital=1.0).run([plan]).refused == ("",)


def test_what_a_bench_keeps_is_made_once_and_is_bounded(
    market: ep.Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    lay_out, features_of = Bench._lay_out, batch.features_of
    monkeypatch.setattr(Bench, "_lay_out", lambda self, lines: made.append(lines) or lay_out(self, lines))
    monkeypatch.setattr(batch, "features_of", lambda *given: made.append(given) or features_of(*given))
    few = [ep.LongHKShortADR(pairs=[adr]) for adr in market.pairs.index[:4]]
    plans = [plan.with_(entry=entry).decision(market) for entry in (1.0, 1.5) for plan in few]
    bench = Bench(market)
    bench.run(plans)
    assert len(made) == 8  # layouts and features of four
    assert len(bench._layouts) == len(bench._features) == 4
    one = features_of(market, plans[0]).nbytes
    monkeypatch.setattr(batch, "LAYOUTS", 2)
    monkeypatch.setattr(batch, "FEATURE_BYTES", 2.5 * one)
    bounded = Bench(market)
    for plan in plans:
        bounded.run([plan])
        assert len(bounded._layouts) <= 2
        assert len(bounded._features) <= 2
    assert len(made) == 8 + 16
    bounded.run(plans[-2:])  # what was used last is still there
    assert len(made) == 8 + 16
    bounded.run([plans[-2]])
    bounded.run([plans[0]])  # in place of the one that was not used for longest
    assert len(made) == 8 + 18
    bounded.run([plans[-2]])
    assert len(made) == 8 + 18


def test_features_are_kept_as_long_as_they_fit_and_those_just_made_in_any_case(
    market: ep.Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [ep.LongHKShortADR(pairs=[adr]).decision(market) for adr in market.pairs.index[:3]]
    one = batch.features_of(market, few[0]).nbytes
    for room, kept in ((2 * one, 2), (2 * one - 1, 1), (one / 2, 1), (0, 1)):
        monkeypatch.setattr(batch, "FEATURE_BYTES", room)
        bench = Bench(market)
        for plan in few:
            bench.run([plan])
        assert len(bench._features) == kept


def test_a_batch_that_is_refused_stops_what_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    market = ep.Market.from_prices(
        pd.DataFrame({"U": [10.0] * 3}, index=pd.date_range("2024-03-04", periods=3))
    )
    monkeypatch.setattr(batch, "LANES", 1)
    run, ends, both = kernels.run, [], threading.Barrier(2, timeout=10.0)

    def waits(tape: Any, book: Any, record: Any, orders: Any, *given: Any) -> Any:
        both.wait()  # until both blocks run
        until = time.monotonic() + 10.0
        while not (orders.plan > 40.0).any() and orders.stop[0] == 0 and time.monotonic() < until:
            time.sleep(0.001)
        out = run(tape, book, record, orders, *given)
        ends.append(out[2])
        return out

    monkeypatch.setattr(kernels, "run", waits)
    weights = np.full((2, 3, 1), 0.5)
    weights[0] = 500.0
    with pytest.raises(TargetError, match="a weight is 500 times equity"):
        backtest_batch(market, weights, fee_bps=0, threads=2)
    assert ends == [kernels.OUT_OF_BOUNDS, kernels.INTERRUPTED]


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many plans ran side by side, block after block."""
    sizes: list[int] = []
    run_block = Bench._run_block

    def counting(self: Bench, plans: Any, *given: Any) -> Any:
        sizes.append(len(plans))
        return run_block(self, plans, *given)

    monkeypatch.setattr(Bench, "_run_block", counting)
    return sizes


def test_targets_side_by_side_take_no_more_than_they_may(
    market: ep.Market, blocks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = np.full((len(market), len(market.symbols)), np.nan)
    weights[3, :2] = 0.1
    paired = np.full((len(market), 1), 0.1)
    targets = Targets(weights, (("9988.HK", "BABA"),), paired)  # two lines and two legs
    monkeypatch.setattr(batch, "PLAN_BYTES", 3.5 * 8 * 4 * len(market))
    Bench(market).run([targets] * 8)
    assert blocks == [3, 3, 2]


def test_targets_fill_the_room_they_may_take(blocks: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    market = hand.make_market({"U": hand.line("XNYS", [10.0] * 4), "V": hand.line("XNYS", [10.0] * 4)})
    both = hand.want(market, {(0, "U"): 0.1, (0, "V"): 0.1})  # two lines at four steps: 64 bytes
    one = hand.want(market, {(0, "U"): 0.1})
    for plan, room, sizes in (
        (both, 3 * 64, [3, 1]),
        (both, 3 * 64 - 1, [2, 2]),
        (both, 64, [1] * 4),
        (both, 1, [1] * 4),
        (one, 3 * 32, [3, 1]),
    ):
        blocks.clear()
        monkeypatch.setattr(batch, "PLAN_BYTES", room)
        Bench(market).run([plan] * 4)
        assert blocks == sizes


def test_equity_that_grows_beyond_any_number_is_refused_where_it_does() -> None:
    """Bought at 1e-6 and sold at 1e9 every four days: the 21st time the shares are beyond any number."""
    day = np.arange(90)
    prices = pd.DataFrame({"U": np.where(day % 4 < 2, 1e-6, 1e9), "V": 10.0})
    market = ep.Market.from_prices(prices.set_axis(pd.date_range("2024-01-01", periods=90)))
    weights = np.full((3, 90, 2), np.nan)
    weights[0, :, 1] = weights[2, :, 1] = 0.5
    weights[1, day % 4 == 0, 0], weights[1, day % 4 == 2, 0] = 1.0, 0.0
    with pytest.raises(TargetError, match="no longer a number at 2024-03-22") as told:
        backtest_batch(market, weights, fee_bps=0)
    with pytest.raises(TargetError, match=str(told.value)):
        backtest(market, Targets(weights[1]), costs=ep.Costs.flat(0), capital=1e6)
    bench = Bench(market, costs=ep.Costs.flat(0), capital=1e6)
    for equity in (False, True):
        tallied = bench.run([Targets(each) for each in weights], equity=equity)
        assert tallied.refused == ("", str(told.value), "")
        assert tallied.table.isna().all(axis=1).tolist() == [False, True, False]


def test_lanes_of_their_own_equity_size_their_own_orders() -> None:
    dates = pd.date_range("2024-03-04", periods=5)
    market = ep.Market.from_prices(pd.DataFrame({"U": [10.0, 10.0, 20.0, 25.0, 30.0]}, index=dates))
    weights = np.full((3, 5, 1), np.nan)
    weights[:, 0, 0], weights[:, 2, 0] = (0.0, 0.5, 1.0), (0.5, 0.5, 0.5)
    batch = backtest_batch(market, weights, capital=1_000, fee_bps=0)
    # nothing, 50 or 100 shares until the price has doubled: equity 1000, 1500, 2000; half of it in shares at
    # 20 is 25, 37.5 or 50 of them, bought or sold at 25 and worth 5 more each at 30
    fractions = [1_000 + 25 * 5, 1_000 + 50 * 15 + 37.5 * 5, 1_000 + 100 * 15 + 50 * 5]
    assert batch[4].tolist() == fractions


def test_one_that_is_called_lets_the_drift_of_another_wait() -> None:
    """Drift is looked at in New York: not at Hong Kong's step, where the one that is called has a target."""
    market = hand.make_market(
        {
            "1.HK": hand.line("XHKG", [10.0, 10.0, 10.0, 13.0, 13.0, 16.0]),
            "U": hand.line("XNYS", [10.0, 10.0, 14.0, 14.0, 14.0, 14.0]),
            "V": hand.line("XNYS", [10.0, 10.0, 10.0, 20.0, 20.0, 20.0]),
        }
    )
    costs = ep.Costs(**hand.FREE | {"margin": ep.Margin.retail()})
    plans = [
        hand.want(market, {(1, "U"): -1.5, (1, "V"): 0.0, (6, "1.HK"): 0.1}),
        hand.want(market, {(1, "1.HK"): 0.5, (1, "U"): 0.0, (1, "V"): 0.3}, band=0.05),
    ]
    tallied = Bench(market, costs=costs, capital=10_000).run(plans, equity=True)
    for i, plan in enumerate(plans):
        run = backtest(market, plan, costs=costs, capital=10_000)
        np.testing.assert_array_equal(tallied.equity[:, i], run.equity_by_step)
    assert run.fills["decided_step"].tolist() == [1, 1, 7, 7]


def test_a_weight_that_may_not_be_is_refused_where_it_stands() -> None:
    market = ep.simulate_market(start="2022-01-03", end="2022-02-04", seed=5, symbols=["FXI", "KWEB"])
    weights = np.full((3, len(market), len(market.symbols)), np.nan)
    weights[2, 50, market.column("KWEB")] = 500.0
    with pytest.raises(TargetError, match="a weight is 500 times equity"):
        backtest_batch(market, weights)
    weights[1, 50, market.column("KWEB")] = 400.0  # of several, the first
    with pytest.raises(TargetError, match=f"400 times equity at {market.grid['time'][50]:%Y-%m-%d %H:%M}"):
        backtest_batch(market, weights)
    weights[1] = np.nan
    weights[2, 50, market.column("KWEB")] = np.inf
    with pytest.raises(TargetError, match="infinite"):
        backtest_batch(market, weights)


def test_decisions_that_are_asked_at_other_steps_do_not_run_side_by_side() -> None:
    market = ep.simulate_market("2021-01-04", "2021-06-30", seed=3, symbols=["BABA", "9988.HK"])
    often = ep.LongHKShortADR(lookback=20, entry=0.4).decision(market)
    rarely = replace(often, steps=market.decision_steps & (np.arange(len(market)) % 40 == 3))
    bench = Bench(market)
    alone = [bench.run([plan], equity=True).equity for plan in (often, rarely)]
    assert (alone[0] != alone[1]).any()
    for plans in ([0, 1], [1, 0]):
        both = bench.run([(often, rarely)[i] for i in plans], equity=True)
        np.testing.assert_array_equal(both.equity, np.hstack([alone[i] for i in plans]))


def bought_low_and_sold_high() -> tuple[ep.Market, Any]:
    """Every four days what there is grows 1e15-fold: equity of 9e8 is beyond any number on day 78."""
    day = np.arange(80)
    prices = pd.DataFrame({"U": np.where(day % 4 < 2, 1e-6, 1e9), "V": np.where(day <= 73, 10.0, np.nan)})
    market = ep.Market.from_prices(prices.set_axis(pd.date_range("2024-01-01", periods=80)))
    some = {(0, "V"): 0.1} | {(int(step), "U"): 1.0 - step % 4 / 2 for step in day[:77:2]}
    return market, hand.want(market, some)


def test_what_ends_a_run_is_told_though_equity_was_no_number_before() -> None:
    """V prints last on day 73: on day 79, the sixth after it, it may no longer be held."""
    market, plan = bought_low_and_sold_high()
    terms = {"costs": ep.Costs.flat(0), "capital": 9e8}
    with pytest.raises(ep.DataError, match="V is held but has no price after 2024-03-14") as told:
        hand.run_clock(market, plan, **terms)
    for equity in (False, True):
        assert Bench(market, **terms).run([plan], equity=equity).refused == (str(told.value),)


def test_equity_that_was_no_number_and_is_one_again_is_refused_side_by_side_too() -> None:
    days = pd.date_range("2024-01-01", periods=90)
    day = np.arange(90)
    market = ep.Market.from_prices(pd.DataFrame({"U": np.where(day % 4 < 2, 1e-6, 1e9)}, index=days))
    plan = hand.want(market, {(int(step), "U"): 1.0 - step % 4 / 2 for step in day[:77:2]})
    terms = {"costs": ep.Costs.flat(0), "capital": 9e8}
    with pytest.raises(ep.EntrepotError, match="no longer a number at 2024-03-19") as told:
        hand.run_clock(market, plan, **terms)
    assert Bench(market, **terms).run([plan]).refused == (str(told.value),)


def test_a_run_that_is_told_to_stop_does_not_look_for_when_equity_was_no_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market, plan = bought_low_and_sold_high()
    plan = replace(plan, weights=np.where(np.arange(2) == 1, np.nan, plan.weights))  # nothing of V
    bench = Bench(market, costs=ep.Costs.flat(0), capital=9e8)
    assert "no longer a number at 2024-03-19" in bench.run([plan]).refused[0]
    stop, ran, run = np.zeros(1, dtype=np.int8), [], kernels.run

    def told_at_the_end(*given: Any) -> Any:
        ran.append(given)
        out = run(*given)
        stop[0] = 1
        return out

    monkeypatch.setattr(kernels, "run", told_at_the_end)
    told = bench.run([plan], stop=stop)
    assert not told.done.any()
    assert told.refused == ("",)
    assert len(ran) == 1
