"""The compiled clock against its slow twin, and what must hold of any run."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from types import SimpleNamespace

import naive
import numpy as np
import pandas as pd
import pytest
import worlds
from hypothesis import HealthCheck, example, given, settings, strategies as st

from entrepot.engine import Costs, Ledger, Margin, _kernels as kernels, backtest, backtest_batch
from entrepot.engine.result import DROPPED, MOVED, REASONS
from entrepot.errors import DataError, EntrepotError, ParameterError, TargetError
from entrepot.markets.market import Market
from entrepot.strategies.targets import Targets


def examples(count: int) -> settings:
    """As many examples as asked for, however long a world takes to make and run."""
    return settings(
        max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
    )


def run(world: worlds.World, market: Market | None = None, **changes: object) -> Ledger:
    """Run a world's plan on its market, every step's books checked."""
    options = {
        "capital": world.capital,
        "base_currency": world.base_currency,
        "costs": world.costs,
        "path": world.path,
        "fill": world.fill,
        "check": True,
    }
    return backtest(market or world.market, world.plan, **(options | changes))


def cut(world: worlds.World, step: int) -> tuple[Market, SimpleNamespace, SimpleNamespace | None]:
    """The world as it was known at a step: market, plan and path."""
    market = world.market.until(step)
    targets = worlds.until(world.targets, step)
    plan = SimpleNamespace(targets=lambda market, path=None: targets)
    path = None
    if world.path is not None:
        known = {name: getattr(world.path, name)[: step + 1] for name in ("states", "time")}
        path = SimpleNamespace(**(vars(world.path) | known))
    return market, plan, path


def run_until_a_gap(
    market: Market, plan: SimpleNamespace, path: SimpleNamespace | None, world: worlds.World
) -> Ledger | None:
    """Run a world that was cut; None where the cut falls into a gap so long that prices seem to end there."""
    options = {"capital": world.capital, "base_currency": world.base_currency, "costs": world.costs}
    try:
        return backtest(market, plan, path=path, fill=world.fill, **options)
    except DataError as error:
        symbol = str(error).split(" is held but has no price after ")[0]
        if not world.market.price[symbol].iloc[len(market) :].notna().any():
            raise
        return None


def agree(world: worlds.World) -> None:
    """Hold the kernel to the twin: equity, cash, positions, every fill, every dropped order, every source."""
    try:
        slow = worlds.twin(world)
    except EntrepotError:
        with pytest.raises(EntrepotError):
            run(world)
        return
    hold(world, slow)


def hold(world: worlds.World, slow: naive.NaiveRun) -> None:
    """Run the kernel on a world and hold it to what the twin made of it."""
    fast = run(world)
    scale = world.capital + max(abs(float(x)) for x in slow.equity)
    near = {"rtol": 1e-9, "atol": 1e-9 * scale}
    np.testing.assert_allclose(fast.equity_by_step, np.array(slow.equity, dtype=float), **near)
    for currency in fast.cash:
        np.testing.assert_allclose(fast.cash[currency], np.array(slow.cash[currency], dtype=float), **near)
        owed = np.array(slow.receivables[currency], dtype=float)
        np.testing.assert_allclose(fast.receivables[currency], owed, **near)
    for symbol in fast.positions:
        held = np.array(slow.positions[symbol], dtype=float)
        np.testing.assert_allclose(fast.positions[symbol], held, rtol=1e-9, atol=1e-6)
    same = ["step", "symbol", "reason", "pair", "decided_step"]
    numbers = ["quantity", "price", "fill_price", "notional", "slippage", "impact", "fees", "fx"]
    assert sorted(fast.fills[same].itertuples(index=False, name=None)) == sorted(
        tuple(fill[name] for name in same) for fill in slow.fills
    )
    by_line = sorted(fast.fills[same + numbers].itertuples(index=False, name=None))
    expected = sorted(
        (*(fill[name] for name in same), *(float(fill[name]) for name in numbers)) for fill in slow.fills
    )
    for mine, theirs in zip(by_line, expected, strict=True):
        np.testing.assert_allclose(mine[len(same) :], theirs[len(same) :], rtol=1e-7, atol=1e-6)
    columns = ["step", "symbol", "decided_step", "reason"]
    assert sorted(fast.dropped[columns].itertuples(index=False, name=None)) == sorted(
        tuple(order[name] for name in columns) for order in slow.dropped
    )
    names = ["step", "symbol", "into", "reason"]
    moved = sorted(
        fast.conversions[[*names, "quantity", "into_quantity", "fee"]].itertuples(index=False, name=None)
    )
    told = sorted(
        (*(row[name] for name in names), *(float(row[n]) for n in ("quantity", "into_quantity", "fee")))
        for row in slow.conversions
    )
    assert [row[:4] for row in moved] == [row[:4] for row in told]
    for mine, theirs in zip(moved, told, strict=True):
        np.testing.assert_allclose(mine[4:], theirs[4:], rtol=1e-7, atol=1e-6)
    booked = fast.contributions
    for key, amounts in slow.contributions.items():
        theirs = np.array(amounts, dtype=float)
        mine = booked[key] if key in booked.columns else np.zeros(len(theirs))
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-8 * scale, err_msg=str(key))
    assert set(booked.columns) <= set(slow.contributions)


def possible(seed: int, **sizes: int) -> worlds.World:
    """A world of everything at random, whose targets may all be tried."""
    switches = replace(worlds.random_switches(seed), impossible_shorts=False)
    return worlds.random_world(seed, switches=switches, **sizes)


@pytest.mark.parametrize("seed", range(120))
def test_the_kernel_agrees_with_its_twin_on_drawn_worlds(seed: int) -> None:
    agree(possible(seed, steps=60, pairs=seed % 3, hk_singles=1 + seed % 2, ny_singles=1))


def test_what_a_pair_under_way_needs_is_counted_with_the_ratio_of_the_step() -> None:
    """A world in which a pair that New York leads waits for its hedge as the ratio changes."""
    agree(possible(659, steps=90, pairs=3, hk_singles=2, ny_singles=1))


ONE_LINE = worlds.Switches(margin=True, leverage=True)  # would want more than any weight may be


@examples(60)
@given(worlds.worlds(steps=(30, 80)))
@example(worlds.random_world(75, steps=38, pairs=0, hk_singles=0, ny_singles=1, switches=ONE_LINE))
def test_the_kernel_agrees_with_its_twin_on_any_world(world: worlds.World) -> None:
    agree(world)


@pytest.mark.slow
@examples(3000)
@given(worlds.worlds(steps=(30, 120)))
def test_the_kernel_agrees_with_its_twin_on_thousands_of_worlds(world: worlds.World) -> None:
    agree(world)


def test_the_drawn_worlds_reach_every_kind_of_fill_drop_and_conversion() -> None:
    reasons, dropped, moved = set(), set(), set()
    for seed in range(120):
        try:
            ledger = run(possible(seed, steps=60, pairs=seed % 3, hk_singles=1 + seed % 2, ny_singles=1))
        except EntrepotError:
            continue
        reasons |= set(ledger.fills["reason"])
        dropped |= set(ledger.dropped["reason"])
        moved |= set(ledger.conversions["reason"])
    assert reasons == set(REASONS)
    assert dropped == set(DROPPED)
    assert moved == set(MOVED)


@examples(40)
@given(worlds.worlds(steps=(30, 80)), st.floats(0, 1))
def test_a_cut_after_any_step_changes_nothing_up_to_it(world: worlds.World, where: float) -> None:
    """Prices, fixings, actions and targets after a step removed: the same equity, fills and drops."""
    step = int(where * (len(world.market) - 1))
    market, plan, path = cut(world, step)
    try:
        whole = run(world)
    except EntrepotError:
        return
    part = run_until_a_gap(market, plan, path, world)
    if part is None:
        return
    np.testing.assert_array_equal(part.equity_by_step, whole.equity_by_step[: step + 1])
    for name in ("fills", "dropped"):
        earlier = getattr(whole, name)
        earlier = earlier[earlier["step"] <= step].reset_index(drop=True)
        pd.testing.assert_frame_equal(getattr(part, name), earlier, check_exact=True)


HEIR_BEFORE = worlds.random_world(  # a line that left turned into one that the market lists before it
    259, steps=30, pairs=0, hk_singles=1, ny_singles=1,
    switches=worlds.Switches(intraday=True, delisting=True, buy_ins=True, impact=True),
)  # fmt: skip


@examples(60)
@example(HEIR_BEFORE, 1.0)
@given(worlds.worlds(steps=(30, 80)), st.floats(0, 1))
def test_a_run_cut_anywhere_and_taken_up_again_is_the_same_run(world: worlds.World, where: float) -> None:
    """Stopped after any step and resumed from its recorded state: every bit as if it had not been stopped."""
    hold_a_cut(world, where)


@pytest.mark.parametrize("seed", range(24))
def test_a_small_run_cut_and_taken_up_again_is_the_same_run(seed: int) -> None:
    hold_a_cut(possible(seed, steps=40), (seed % 8 + 1) / 9)


def hold_a_cut(world: worlds.World, where: float) -> None:
    """Cut a world, resume it, and hold it to the run that was not cut."""
    step = int(where * (len(world.market) - 2))
    try:
        whole = run(world)
    except EntrepotError:
        return
    market, plan, path = cut(world, step)
    part = run_until_a_gap(market, plan, path, world)
    if part is None:
        return
    again = backtest(
        world.market, world.plan, path=world.path, fill=world.fill, check=True, resume=part.state
    )
    hold_to_the_bit(again, whole)


def hold_to_the_bit(one: Ledger, other: Ledger) -> None:
    np.testing.assert_array_equal(one.equity_by_step, other.equity_by_step)
    for name in ("fills", "dropped", "conversions", "positions", "cash", "receivables", "contributions"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)


def test_a_short_that_grows_by_rounding_alone_borrows_nothing() -> None:
    needs_borrow = worlds.as_written(kernels.needs_borrow)
    for held in (0.0, 1.0, 1e6):
        rounding = max(1.0, held) * kernels.SLACK
        assert not needs_borrow(-held, -held - 0.9 * rounding)
        assert needs_borrow(-held, -held - 1.1 * rounding)
        assert not needs_borrow(held, -0.9 * rounding)


def test_what_is_no_trade_is_measured_by_what_is_held() -> None:
    nothing, exceeds = worlds.as_written(kernels.nothing), worlds.as_written(kernels.exceeds)
    for held in (0.0, 0.5, 1.0, 1e6, -1e6):
        rounding = max(1.0, abs(held)) * kernels.SLACK
        assert nothing(0.9 * rounding, held)
        assert nothing(-0.9 * rounding, held)
        assert not nothing(rounding, held)
        assert not exceeds(abs(held) + 0.9 * rounding, abs(held))
        assert exceeds(-abs(held) - 1.1 * rounding, abs(held))


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_goals_and_positions_of_any_size_are_compared_by_their_sides(size: float, sign: float) -> None:
    within, reduces, shared_part = (
        worlds.as_written(kernels.within),
        worlds.as_written(kernels.reduces),
        worlds.as_written(kernels.shared_part),
    )
    limit = size * sign
    assert within(0.0, limit)
    assert within(0.0, -limit)
    assert within(limit, limit)
    assert within(0.5 * limit, limit)
    assert not within(1.5 * limit, limit)
    assert not within(-0.5 * limit, limit)
    assert reduces(0.0, limit)
    assert reduces(0.5 * limit, limit)
    assert not reduces(limit * (1.0 - kernels.SLACK), limit)
    assert not reduces(-0.5 * limit, limit)
    assert shared_part(limit, 2.0 * limit) == limit
    assert shared_part(2.0 * limit, limit) == limit
    assert shared_part(limit, -limit) == 0.0
    assert shared_part(0.0, limit) == 0.0


def test_a_state_is_refused_where_it_does_not_fit() -> None:
    world = worlds.random_world(1, steps=40, switches=worlds.Switches())
    state = run(world).state
    with pytest.raises(ParameterError, match="goes on from there"):
        run(world, resume=state)
    other = worlds.random_world(2, steps=60, switches=worlds.Switches())
    with pytest.raises(ParameterError, match="other steps"):
        run(other, resume=state)
    with pytest.raises(ParameterError, match=r"result\.state"):
        run(world, resume="yesterday")


SIZELESS = {"lots": False, "exact_fees": False, "caps": False, "impact": False}


@examples(40)
@given(worlds.worlds(steps=(30, 60), mechanisms=worlds.switches(**SIZELESS)))
def test_capital_scales_everything(world: worlds.World) -> None:
    """Twice the money, twice every fill, cost and contribution: nothing has a size of its own."""
    costs = world.costs.with_(ads_conversion_fee=0.0)  # by the hundred ADSs begun
    try:
        once = run(world, costs=costs)
    except EntrepotError:
        return
    twice = run(world, costs=costs, capital=2.0 * world.capital)
    scale = 1e-9 * world.capital
    np.testing.assert_allclose(twice.equity_by_step, 2.0 * once.equity_by_step, rtol=1e-9, atol=scale)
    assert len(twice.fills) == len(once.fills)
    assert len(twice.dropped) == len(once.dropped)
    for kind in ("quantity", "fees", "slippage"):
        np.testing.assert_allclose(twice.fills[kind], 2.0 * once.fills[kind], rtol=1e-9, atol=1e-6)


@examples(40)
@given(worlds.worlds(steps=(30, 60)), st.randoms(use_true_random=False))
def test_the_order_of_the_instruments_changes_nothing(world: worlds.World, random: Random) -> None:
    order = list(range(len(world.market.symbols)))
    pairs = list(range(len(world.targets.pairs)))
    random.shuffle(order)
    random.shuffle(pairs)
    market = replace(
        world.market,
        price=world.market.price.iloc[:, order],
        instruments=world.market.instruments.iloc[order],
        volume=None if world.market.volume is None else world.market.volume.iloc[:, order],
    )
    targets = replace(
        world.targets,
        weights=world.targets.weights[:, order],
        pairs=tuple(world.targets.pairs[p] for p in pairs),
        pair_weights=world.targets.pair_weights[:, pairs],
        exits=world.targets.exits[:, pairs],
    )
    try:
        whole = run(world)
    except EntrepotError:
        return
    shuffled = backtest(
        market,
        SimpleNamespace(targets=lambda market, path=None: targets),
        capital=world.capital,
        base_currency=world.base_currency,
        costs=world.costs,
        path=world.path,
        fill=world.fill,
        check=True,
    )
    scale = 1e-9 * (world.capital + np.abs(whole.equity_by_step).max())
    np.testing.assert_allclose(shuffled.equity_by_step, whole.equity_by_step, rtol=1e-9, atol=scale)
    pd.testing.assert_frame_equal(
        shuffled.positions[whole.positions.columns], whole.positions, rtol=1e-9, atol=1e-6
    )
    names = ["step", "symbol", "pair", "reason", "decided_step"]
    for table in ("fills", "dropped"):
        mine, theirs = (getattr(ledger, table)[names].sort_values(names) for ledger in (shuffled, whole))
        pd.testing.assert_frame_equal(mine.reset_index(drop=True), theirs.reset_index(drop=True))


@examples(30)
@given(worlds.worlds(steps=(30, 60)))
def test_a_plan_that_wants_nothing_earns_its_interest_and_nothing_else(world: worlds.World) -> None:
    nothing = replace(
        world.targets,
        weights=np.full_like(world.targets.weights, np.nan),
        pair_weights=np.full_like(world.targets.pair_weights, np.nan),
    )
    ledger = backtest(
        world.market,
        SimpleNamespace(targets=lambda market, path=None: nothing),
        capital=world.capital,
        base_currency=world.base_currency,
        costs=world.costs,
    )
    assert len(ledger.fills) == 0
    assert set(ledger.contributions.columns.get_level_values("source")) <= {"interest"}
    growth = world.capital * ledger.risk_free_growth
    np.testing.assert_allclose(ledger.equity_by_step, growth, rtol=1e-12)


DEARER = {
    "half_spread_bps": (1.0, 20.0),
    "fee_bps": (0.0, 15.0),
    "borrow_rate_pa": (0.0, 0.2),
    "borrow_multiplier": (1.0, 5.0),
    "rebate_spread_pa": (0.0, 0.03),
    "debit_spread_pa": (0.0, 0.05),
    "fx_spread": (0.0, 0.002),
    "ads_service_fee_pa": (0.0, 0.05),
    "ads_conversion_fee": (0.0, 0.05),
    "dated_fees": (False, True),
}


@pytest.mark.parametrize("name", DEARER)
@examples(6)
@given(seed=st.integers(0, 2**20))
def test_the_same_trades_at_a_higher_cost_never_end_higher(name: str, seed: int) -> None:
    """Everything is decided at one step, before any fill: costs have not yet touched equity."""
    on = worlds.Switches(shorts=True, delisting=True, dividends=True)
    world = worlds.random_world(seed, steps=80, pairs=2, switches=on)
    weights = np.full_like(world.targets.weights, np.nan)
    pair_weights = np.full_like(world.targets.pair_weights, np.nan)
    legs = {symbol for pair in world.targets.pairs for symbol in pair}
    alone = [column for column, symbol in enumerate(world.market.symbols) if symbol not in legs]
    weights[3, alone], pair_weights[3] = 0.2, 0.3
    targets = replace(world.targets, weights=weights, pair_weights=pair_weights)
    plan = SimpleNamespace(targets=lambda market, path=None: targets)
    base = Costs(exact_fees=False, lots=False, cash_rate_pa={"USD": 0.0, "HKD": 0.0}, rebate_spread_pa=0.0)
    low, high = DEARER[name]
    if name == "borrow_multiplier":
        base = base.with_(borrow_rate_pa=0.02)
    ends = [
        backtest(world.market, plan, costs=base.with_(**{name: level}), check=True).equity_by_step[-1]
        for level in (low, high)
    ]
    assert ends[1] <= ends[0]


def test_threads_and_company_change_no_bit() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        50 * np.exp(np.cumsum(rng.normal(0, 0.02, (300, 5)), axis=0)),
        index=pd.bdate_range("2020-01-01", periods=300),
        columns=list("abcde"),
    )
    market = Market.from_prices(frame)
    weights = rng.uniform(-0.3, 0.3, (37, 300, 5))
    weights[rng.random(weights.shape) < 0.7] = np.nan
    costs = Costs(half_spread_bps=3.0, fee_bps=5.0, cash_rate_pa={"USD": 0.03}, borrow_rate_pa=0.02)
    equity = backtest_batch(market, weights, costs=costs, threads=1)
    np.testing.assert_array_equal(equity, backtest_batch(market, weights, costs=costs, threads=3))
    np.testing.assert_array_equal(equity[:, 5:6], backtest_batch(market, weights[5:6], costs=costs))
    plan = pd.DataFrame(weights[5], index=frame.index, columns=frame.columns)
    recorded = backtest(market, plan, capital=1e6, costs=costs.with_(exact_fees=False), check=True)
    np.testing.assert_array_equal(equity[:, 5], recorded.equity_by_step)


def test_the_clock_is_compiled_once(plain: tuple[Market, pd.DataFrame]) -> None:
    """An array of another layout is another signature, which takes half a minute to compile."""
    market, frame = plain
    weights = pd.DataFrame(0.3, index=frame.index, columns=frame.columns)
    for symbols in (["a"], ["a", "b"]):
        backtest(market, weights[symbols])
    backtest_batch(market, np.stack([weights.to_numpy()] * 3), fee_bps=1.0)
    backtest_batch(market, np.asfortranarray(np.stack([weights.to_numpy()] * 3)), exact_fees=True)
    run(worlds.random_world(3, steps=40, switches=worlds.Switches()))
    assert len(kernels.run.signatures) == 1


def test_a_batch_may_be_exact_to_the_cent() -> None:
    """With `exact_fees` a batch is the recorded run, minimum fees, rounding and margin included."""
    world = worlds.random_world(
        5, steps=80, pairs=0, hk_singles=3, ny_singles=3, switches=worlds.Switches(shorts=True, costs=True)
    )
    weights = np.stack([world.targets.weights, 3.0 * world.targets.weights, -0.0 * world.targets.weights])
    costs = Costs(margin=Margin(0.5, 0.5, 0.4, 0.4))
    equity = backtest_batch(
        world.market, weights, costs=costs, capital=2e5, base_currency="USD", exact_fees=True
    )
    plain = backtest_batch(world.market, weights, costs=costs, capital=2e5, base_currency="USD")
    assert (equity[-1, :2] != plain[-1, :2]).all()
    for lane, own in enumerate(weights):
        targets = Targets(own, drift_band=np.inf)
        recorded = backtest(
            world.market,
            SimpleNamespace(targets=lambda market, path=None, targets=targets: targets),
            costs=costs,
            capital=2e5,
        )
        np.testing.assert_array_equal(equity[:, lane], recorded.equity_by_step)


@pytest.fixture(scope="module")
def plain() -> tuple[Market, pd.DataFrame]:
    index = pd.bdate_range("2020-01-01", periods=6)
    frame = pd.DataFrame({"a": [10.0, 11, 12, 11, 10, 12], "b": [5.0, 5, 6, 6, 7, 7]}, index=index)
    return Market.from_prices(frame), frame


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.rename(columns={"a": "zzz"}), "for zzz, which this market does not have; it has a, b"),
        (lambda w: w.rename(columns={"a": "A"}), "does not have, did you mean a"),
        (lambda w: w.reset_index(names="Date"), "not indexed by dates"),
        (lambda w: w.replace(0.5, np.inf), "infinite"),
        (
            lambda w: w.set_axis(w.index + pd.Timedelta(days=400)),
            r"dated 2021-02-04 and on 5 more days or times, .* no session .*weights.reindex\(market.grid",
        ),
        (lambda w: w.set_axis(w.index.tz_localize("UTC")), r"no step of .*weights.tz_localize\(None\)"),
        (lambda w: w.reset_index(drop=True), "not indexed by dates"),
        (lambda w: w.astype(str), "not numbers"),
        (lambda w: pd.concat([w, w]), "twice"),
    ],
)
def test_weights_that_cannot_be_used_are_refused_in_one_sentence(plain, change, says: str) -> None:
    market, frame = plain
    weights = pd.DataFrame(0.5, index=frame.index, columns=frame.columns)
    with pytest.raises(TargetError, match=says) as refused:
        backtest(market, change(weights))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (pd.Series([0.5]), "the plan is a Series: give a DataFrame of weights"),
        (lambda market: None, r"the plan is a function: .*strategy\(function\)"),
        (SimpleNamespace, r"the plan is the class SimpleNamespace: give an instance, SimpleNamespace\(\)"),
        ("convergence", "the plan is 'convergence': give a DataFrame of weights"),
    ],
)
def test_what_is_no_plan_is_refused_with_what_makes_one_of_it(plain, plan: object, says: str) -> None:
    with pytest.raises(TargetError, match=says):
        backtest(plain[0], plan)


def test_a_rate_of_a_currency_that_is_not_there_is_refused(plain: tuple[Market, pd.DataFrame]) -> None:
    market, weights = plain
    with pytest.raises(ParameterError, match="cash_rate_pa names 'GBP': this market knows"):
        backtest(market, weights, costs=Costs(cash_rate_pa={"GBP": 0.01}))


def test_targets_already_made_are_a_plan(plain) -> None:
    market, frame = plain
    weights = pd.DataFrame({"a": [0.5, 0.0]}, index=frame.index[[1, 3]])
    targets = Targets.from_frame(market, weights)
    given, framed = (backtest(market, plan, capital=1000.0) for plan in (targets, weights))
    assert given.equity.tolist() == framed.equity.tolist()
    with pytest.raises(TargetError, match="the targets are for other symbols or steps than this market"):
        backtest(market.until(3), targets)
    with pytest.raises(TargetError, match="targets have the shapes"):
        backtest(market.until(3), Targets(targets.weights))


def test_the_sessions_named_in_a_refusal_leave_out_days_without_one(plain) -> None:
    market, frame = plain
    every_day = pd.DataFrame({"a": 0.5}, index=pd.date_range(frame.index[0], frame.index[-1]))
    with pytest.raises(TargetError, match="no session"):
        backtest(market, every_day)
    kept = every_day.reindex(market.grid["session"].unique())
    assert kept.index.tolist() == frame.index.tolist()
    backtest(market, kept, check=True)


def test_a_frame_by_date_decides_at_the_last_step_of_the_date(plain) -> None:
    market, frame = plain
    weights = pd.DataFrame({"a": [0.5]}, index=frame.index[1:2])
    ledger = backtest(market, weights, capital=1000.0, costs=Costs.none())
    assert ledger.fills[["step", "decided_step", "quantity", "price"]].to_numpy().tolist() == [
        [2, 1, 500 / 11, 12.0]
    ]
