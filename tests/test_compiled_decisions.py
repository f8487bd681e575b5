"""Decisions that look at their own book, against the same function called in plain Python step by step."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from sweep_rows import agree, row_of

import entrepot as ep
from entrepot.decisions import DecisionState, kept_on_disk
from entrepot.engine import Bench
from entrepot.engine.lines import Lines
from entrepot.engine.tape import build_tape
from entrepot.errors import ParameterError, TargetError
from entrepot.strategies.targets import Targets, emitted

MARKET = ep.simulate_market(start="2022-01-03", end="2022-03-31", seed=5)


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return MARKET


def returns(market: ep.Market, path: object) -> np.ndarray:
    return market.price[["FXI", "KWEB"]].ffill().pct_change(8).to_numpy()[None]


def scaled(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    """Hold less of what fell, by the equity there is; get out and stay out after a loss."""
    if state.memory[0] == 0.0:
        state.memory[1] = state.equity
    state.memory[0] += 1.0
    lost = state.equity < params[1] * state.memory[1]
    for k in range(2):
        held = state.shares[k] * state.worth[k] / state.equity
        wanted = params[0] + features[0, step, k]
        if lost:
            out[k] = 0.0
        elif wanted == wanted and abs(wanted - held) > 0.05:
            out[k] = min(max(wanted, -0.5), 0.5)


def paired(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    """Turn a pair over every few decisions, and close it by conversion every other time."""
    state.memory[0] += 1.0
    turn = int(state.memory[0]) % 9
    if turn == 1:
        out[0] = params[0] * state.equity / 1e7
    elif turn == 5 and state.shares[0] > 0.0:
        out[0] = 0.0
        if int(state.memory[0]) % 18 == 5:
            out[1] = 1.0


def silent(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    """Want nothing."""


def loud(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    """Want something at every step, by the value of a share."""
    out[0] = 0.1 + 0.01 * (state.worth[0] % 1.0) if state.worth[0] == state.worth[0] else np.nan


PLANS: dict[str, ep.CompiledStrategy] = {
    "scaled": ep.CompiledStrategy(
        scaled,
        symbols=["FXI", "KWEB"],
        parameters={"base": 0.3, "stop": 0.99},
        features=returns,
        memory=2,
    ),
    "drifting": ep.CompiledStrategy(
        scaled,
        symbols=["FXI", "KWEB"],
        parameters={"base": 0.2, "stop": 0.5},
        features=returns,
        memory=2,
        drift_band=0.02,
    ),
    "paired": ep.CompiledStrategy(paired, pairs=["BABA"], parameters={"weight": 0.3}, memory=1),
    "silent": ep.CompiledStrategy(silent, symbols=["FXI"]),
    "loud": ep.CompiledStrategy(loud, symbols=["0700.HK"], every_step=True),
}


def step_by_step(market: ep.Market, plan: ep.CompiledStrategy, costs: ep.Costs) -> ep.Result:
    """Run a decision in plain Python: at each step on the recorded run of what it has wanted so far."""
    decision = plan.decision(market)
    lines = Lines.of(market, decision.symbols, decision.pairs)
    tape, _ = build_tape(market, lines, costs, "USD", None)
    rates = tape.rates[0][:, tape.flags[0]]
    worth = pd.DataFrame(tape.quote[0]).ffill().to_numpy() * rates
    singles, pairs = len(decision.symbols), len(decision.pairs)
    columns = [market.column(symbol) for symbol in decision.symbols]
    weights = np.full(market.price.shape, np.nan)
    pair_weights, exits = np.full((len(market), pairs), np.nan), np.zeros((len(market), pairs), dtype=np.int8)
    features, memory = decision.features(), np.zeros(decision.memory)
    asked = market.decision_steps if decision.steps is None else decision.steps

    def run() -> ep.Result:
        made = Targets(weights, decision.pairs, pair_weights, decision.drift_band, exits=exits)
        # The engine lays out a line that is ever wanted; all are, as where a decision names them.
        named = made.weights.copy()
        named[0, columns] = np.where(np.isfinite(named[:, columns]).any(axis=0), named[0, columns], 0.0)
        made = Targets(named, made.pairs, made.pair_weights, made.drift_band, exits=made.exits)
        return ep.backtest(market, SimpleNamespace(targets=lambda market, path=None: made), costs=costs)

    for step in np.flatnonzero(asked):
        result = run()
        book = DecisionState(
            float(result.equity_by_step[step]), result.record.positions[step], worth[step], memory
        )
        out = np.concatenate([np.full(singles + pairs, np.nan), np.zeros(pairs)])
        plan.decide(int(step), book, decision.params, features, out)
        weights[step, columns] = out[:singles]
        pair_weights[step], exits[step] = out[singles : singles + pairs], out[singles + pairs :]
        exits[step:] = exits[step]
    return run()


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize(
    "costs", [ep.Costs(), ep.Costs(fx_conversion="daily", lots=False)], ids=["default", "fx"]
)
def test_the_loop_decides_as_plain_python_would(market: ep.Market, name: str, costs: ep.Costs) -> None:
    hold_a_decision(market, PLANS[name], costs, trades=name != "silent")


def hold_a_decision(market: ep.Market, plan: ep.CompiledStrategy, costs: ep.Costs, *, trades: bool) -> None:
    """Run a decision alone and in three lanes, and hold both to plain Python."""
    slow = step_by_step(market, plan, costs)
    fast = ep.backtest(market, plan, costs=costs, check=True)
    np.testing.assert_allclose(fast.equity_by_step, slow.equity_by_step, rtol=1e-12)
    assert len(fast.fills) == len(slow.fills)
    assert (len(fast.fills) > 0) == trades
    tallied = Bench(market, costs=costs).run([plan.decision(market)] * 3, equity=True)
    for lane in range(3):
        np.testing.assert_array_equal(tallied.equity[:, lane], fast.equity_by_step)
    agree(tallied.table.iloc[[0]], [row_of(fast)], 1e7)


def failing(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    if step > 20:
        out[5] = 1.0 / 0.0


def huge(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    out[0] = params[0]


def test_a_decision_that_fails_says_at_which_step(market: ep.Market) -> None:
    plan = ep.CompiledStrategy(failing, symbols=["FXI"])
    when = market.grid["time"][np.flatnonzero(market.decision_steps & (np.arange(len(market)) > 20))[0]]
    with pytest.raises(
        TargetError, match=f"failed or wanted an infinite weight at {when:%Y-%m-%d %H:%M} UTC"
    ):
        ep.backtest(market, plan)


@pytest.mark.parametrize(
    ("symbol", "weight", "why"),
    [
        ("FXI", 1e9, "1e\\+09 times equity"),
        ("FXI", -np.inf, "infinite"),
        ("0700.HK", -0.1, "0700.HK short, which this market does not allow"),
        ("BABA", 1e9, "1e\\+09 times equity"),
    ],
)
def test_targets_that_may_not_be_are_refused_and_leave_the_others(
    symbol: str, weight: float, why: str
) -> None:
    lines = [symbol, "9988.HK"]
    market = ep.simulate_market(start="2022-01-03", end="2022-01-10", seed=5, symbols=lines)
    what = {"pairs" if symbol == "BABA" else "symbols": [symbol]}
    good = ep.CompiledStrategy(huge, parameters={"weight": 0.1}, **what)
    bad = good.with_(weight=weight)
    with pytest.raises(TargetError, match=why):
        ep.backtest(market, bad)
    tallied = Bench(market).run([plan.decision(market) for plan in (good, bad, good)])
    alone = Bench(market).run([good.decision(market)])
    assert tallied.refused[0] == tallied.refused[2] == ""
    pd.testing.assert_frame_equal(tallied.table.iloc[[0]], alone.table)
    with pytest.raises(TargetError, match=why):
        raise TargetError(tallied.refused[1])


def test_less_than_one_unit_of_money_is_equity() -> None:
    market = ep.simulate_market(start="2022-01-03", end="2022-01-10", seed=5, symbols=["FXI"])
    plan = ep.CompiledStrategy(huge, symbols=["FXI"], parameters={"weight": 0.5})
    run = ep.backtest(market, plan, costs=ep.Costs.none(), capital=0.5)
    assert run.exposure["net", "XNYS"].iloc[-1] == pytest.approx(0.5, rel=0.05)


def test_features_are_made_once_for_equal_keys(market: ep.Market) -> None:
    made: list[int] = []

    def counted(market: ep.Market, path: object, lag: int) -> np.ndarray:
        made.append(lag)
        return market.price[["FXI", "KWEB"]].ffill().pct_change(lag).to_numpy()[None]

    plan = ep.CompiledStrategy(
        scaled,
        symbols=["FXI", "KWEB"],
        parameters={"base": 0.3, "stop": 0.9, "lag": 4},
        features=counted,
        shared=["lag"],
        memory=2,
    )
    plans = [plan.with_(base=b, lag=lag) for lag in (4, 8) for b in np.linspace(0.1, 0.4, 90)]
    tallied = Bench(market).run([plan.decision(market) for plan in plans])
    assert made == [4, 8]
    assert tallied.table["Total Return [%]"].nunique() > 100


def follow(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    """Depend on everything up to the step, and keep a running state."""
    state.memory[0] = 0.9 * state.memory[0] + features[0, step, 0]
    total = 0.0
    for t in range(max(step - 3, 0), step + 1):
        total += features[0, t, 1]
    out[0] = params[0] * state.memory[0]
    if total > 0.0:
        out[1] = total


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(1, 200))
def test_emitting_is_asking_in_plain_python_and_sees_no_later_features(seed: int, cut: int) -> None:
    market, rng = MARKET, np.random.default_rng(seed)
    features = rng.normal(size=(1, len(market), 2))

    def told(features: np.ndarray) -> np.ndarray:
        plan = ep.CompiledStrategy(
            follow, symbols=["FXI", "KWEB"], parameters={"a": 0.1}, features=lambda m, p: features, memory=1
        )
        return emitted(market, plan.decision(market))[0]

    memory, expected = np.zeros(1), np.full((len(market), 2), np.nan)
    for step in np.flatnonzero(market.decision_steps):
        follow(step, SimpleNamespace(memory=memory), np.array([0.1]), features, expected[step])
    numbers = told(features)
    np.testing.assert_allclose(numbers, expected, rtol=1e-12)
    later = features.copy()
    later[:, cut:] = rng.normal(size=later[:, cut:].shape)
    np.testing.assert_array_equal(told(later)[:cut], numbers[:cut])


def converts_once(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    """Say of a pair, the second time, that it be converted out of; otherwise nothing."""
    state.memory[0] += 1.0
    if state.memory[0] == 2.0:
        out[0], out[1] = params[0], 1.0


def test_a_way_out_that_is_not_said_again_is_a_trade_again() -> None:
    plan = ep.CompiledStrategy(converts_once, pairs=["BABA"], parameters={"weight": 0.1}, memory=1)
    numbers, exits, _ = emitted(MARKET, plan.decision(MARKET))
    asked = np.flatnonzero(MARKET.decision_steps)
    expected = np.zeros((len(MARKET), 1))
    expected[asked[1] : asked[2]] = 1
    np.testing.assert_array_equal(exits, expected)
    assert {int(step): numbers[step, 0] for step in np.flatnonzero(np.isfinite(numbers))} == {asked[1]: 0.1}


def test_the_public_names_load_no_numba() -> None:
    script = (
        "import entrepot, entrepot.decisions, entrepot.strategies, sys; assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"decide": 3}, "decide is 3"),
        ({"parameters": {"a": "x"}}, "the parameter a is 'x': give a number"),
        ({"shared": ["b"]}, "shared names 'b'"),
        ({"symbols": ()}, "nothing to hold"),
        ({"memory": -1}, "memory is -1"),
        ({"features": 5}, "features is 5"),
        ({"drift_band": 0}, "drift_band is 0"),
    ],
)
def test_what_cannot_be_a_strategy_is_refused(options: dict[str, Any], why: str) -> None:
    given: dict[str, Any] = {"decide": silent, "symbols": ["FXI"], "parameters": {"a": 1.0}} | options
    with pytest.raises(ParameterError, match=why):
        ep.CompiledStrategy(**given)


def test_what_a_market_does_not_have_is_refused(market: ep.Market) -> None:
    with pytest.raises(ParameterError, match="NOPE cannot be traded"):
        ep.backtest(market, ep.CompiledStrategy(silent, symbols=["NOPE"]))
    with pytest.raises(ParameterError, match="FXI cannot be traded"):
        ep.backtest(market, ep.CompiledStrategy(silent, pairs=["FXI"]))
    wrong = ep.CompiledStrategy(silent, symbols=["FXI"], features=lambda m, p: np.zeros((3, 2)))
    with pytest.raises(TargetError, match="features are float64 of the shape"):
        ep.backtest(market, wrong)
    with pytest.raises(TargetError, match="fills at the next step"):
        ep.backtest(market, PLANS["silent"], fill="same_step")


def bad_code(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    out[0] = state.nothing_of_the_kind


def writes_features(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    features[0, step, 0] *= -1.0
    out[0] = 0.1 * features[0, step, 0]


def writes_params(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    params[0] += 1.0
    out[0] = 0.1


def writes_shares(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    state.shares[0] *= 1.01


def writes_worth(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
    state.worth[:] = 1.0


@pytest.mark.parametrize("rude", [writes_features, writes_params, writes_shares, writes_worth])
def test_a_decision_writes_into_nothing_that_others_read(market: ep.Market, rude: Any) -> None:
    plan = ep.CompiledStrategy(
        rude, symbols=["FXI"], parameters={"a": 1.0}, features=lambda m, p: np.ones((1, len(m), 1))
    )
    why = f"{rude.__name__} writes into its features, params, shares or worth, which other"
    for run in (
        ep.backtest,
        lambda m, p: ep.check_causal(p, m),
        lambda m, p: ep.sweep(m, p, {"a": [1.0, 2.0]}),
    ):
        with pytest.raises(TargetError, match=why):
            run(market, plan)


def test_code_that_cannot_be_compiled_says_so(market: ep.Market) -> None:
    with pytest.raises(TargetError, match="bad_code cannot be compiled"):
        ep.backtest(market, ep.CompiledStrategy(bad_code, symbols=["FXI"]))


def test_where_nothing_can_be_kept_on_disk_it_is_compiled_without() -> None:
    asked: list[bool] = []

    def compile_it(cache: bool) -> str:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function 'run': no locator available")
        return "compiled"

    assert kept_on_disk(compile_it) == "compiled"
    assert asked == [True, False]
    with pytest.raises(RuntimeError, match="something else"):
        kept_on_disk(lambda cache: (_ for _ in ()).throw(RuntimeError("something else")))
