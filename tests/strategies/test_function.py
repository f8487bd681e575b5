"""Strategies from functions: parameters, what may be returned, and frames of pairs."""

from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.errors import EntrepotError, ParameterError, TargetError
from entrepot.strategies.function import FunctionStrategy, strategy
from entrepot.strategies.targets import Targets, decisions

NAN = np.nan


def momentum(market, path, *, symbols=("KWEB", "ASHR"), lookback=20, size=0.4):
    close = market.price.loc[market.decision_steps, list(symbols)]
    return (close.pct_change(lookback, fill_method=None) > 0) * size


@strategy
def pathless(market, lookback=5):
    close = market.price.loc[market.decision_steps, ["KWEB"]]
    return (close.pct_change(lookback, fill_method=None) > 0) * 0.5


@strategy(weight=0.2)
def regimes(market, path, weight, calm=1.0):
    """Hold while the regime is calm."""
    frame = pd.DataFrame({"KWEB": np.where(path.states == 0, weight * calm, 0.0)}, index=path.time)
    return frame[market.decision_steps]


@pytest.fixture
def market(make_pairs):
    return make_pairs(count=80)


def test_a_function_says_what_its_frame_says(market):
    plan = strategy(momentum, lookback=10)
    frame = momentum(market, None, lookback=10)
    targets = plan.targets(market)
    np.testing.assert_array_equal(targets.weights, Targets.from_frame(market, frame).weights)
    assert np.isfinite(targets.weights).sum() == frame.size
    assert 0 < (frame > 0).to_numpy().mean() < 1
    by_frame, by_plan = ep.backtest(market, frame), ep.backtest(market, plan)
    np.testing.assert_array_equal(by_plan.equity_by_step, by_frame.equity_by_step)


def test_parameters_are_the_defaults_and_what_replaces_them(market):
    plan = strategy(momentum, lookback=10)
    assert plan.parameters == {"symbols": ("KWEB", "ASHR"), "lookback": 10, "size": 0.4}
    other = plan.with_(size=0.1)
    assert (other.lookback, other.size, plan.size) == (10, 0.1, 0.4)
    np.testing.assert_allclose(4 * other.targets(market).weights, plan.targets(market).weights)
    assert repr(pathless.with_(lookback=7)) == "pathless(lookback=7)"
    assert regimes.parameters == {"weight": 0.2, "calm": 1.0}
    assert isinstance(plan, ep.Strategy)


def test_equal_functions_with_equal_parameters_are_equal():
    plan = strategy(momentum)
    assert plan == strategy(momentum, lookback=20)
    assert plan != plan.with_(lookback=21)
    assert plan != pathless
    assert len({plan, strategy(momentum), plan.with_(size=1.0)}) == 2
    array = np.arange(3)
    assert plan.with_(symbols=array) == plan.with_(symbols=array)
    assert plan.with_(symbols=array) != plan.with_(symbols=array.copy())
    assert plan.with_(symbols=[array]) != plan.with_(symbols=[array.copy()])


@pytest.mark.parametrize("plan", [strategy(momentum, size=0.3), pathless.with_(lookback=3), regimes])
def test_a_module_function_is_pickled_by_name(plan):
    again = pickle.loads(pickle.dumps(plan))
    assert again == plan
    assert again.function is plan.function


def test_a_function_whose_name_is_taken_by_another_is_not_pickled_as_that():
    """As in a notebook: the cell that defines a strategy is run again, and the old one still about."""
    old = strategy(pathless.function)
    new = FunctionStrategy(momentum)
    assert pickle.loads(pickle.dumps(old)) == old
    momentum.__qualname__ = "pathless"
    try:
        with pytest.raises(pickle.PicklingError):
            pickle.dumps(new)
    finally:
        momentum.__qualname__ = "momentum"


def test_a_function_without_a_name_is_not_pickled():
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(strategy(lambda market: None))


def test_the_path_goes_to_whom_asks_for_it(market, make_path):
    path = make_path(market, np.arange(len(market)) // 40 % 2)
    kweb = regimes.targets(market, path).weights[:, market.column("KWEB")]
    steps = decisions(market)
    np.testing.assert_array_equal(kweb[steps], np.where(path.states[steps] == 0, 0.2, 0.0))
    np.testing.assert_array_equal(
        pathless.targets(market, path).weights, pathless.targets(market, None).weights
    )
    with pytest.raises(ParameterError, match="80"):
        regimes.targets(market.until(79), path)
    frame = pd.DataFrame({"KWEB": [0.5]}, DAY)
    taken = strategy(lambda path: frame if path is market else None)  # its first argument, whatever its name
    assert np.isfinite(taken.targets(market, path).weights).sum() == 1


def test_it_is_swept_and_switched(market, make_path):
    plan = strategy(momentum)
    swept = ep.sweep(market, plan, {"lookback": [5, 10], "size": [0.2, 0.4]}, progress=False)
    assert swept.table["Refused"].eq("").all()
    for row in range(4):
        chosen = swept.table.loc[row]
        alone = ep.backtest(market, plan.with_(lookback=int(chosen["lookback"]), size=chosen["size"]))
        np.testing.assert_allclose(chosen["Total Return [%]"], alone.summary()["Total Return [%]"])
    path = make_path(market, np.arange(len(market)) // 40 % 2)
    switch = ep.RegimeSwitch(path, calm=plan, tariff=pathless)
    swept = ep.sweep(market, switch, {"calm.lookback": [5, 10]}, progress=False)
    assert swept.table["Total Return [%]"].nunique() == 2
    one, linked = switch.targets(market).standing()
    calm = decisions(market)[path.states[decisions(market)] == 0]
    np.testing.assert_array_equal(one[calm], plan.targets(market).standing()[0][calm])
    assert linked.shape[1] == 0


def wrapping(market, path, *, inner=None, share=0.5):
    targets = inner.targets(market, path)
    return Targets(targets.weights * share, drift_band=0.05)


def test_targets_are_passed_on_and_a_strategy_may_be_a_parameter(market):
    plan = strategy(wrapping, inner=pathless)
    targets = plan.targets(market)
    assert targets.drift_band == 0.05
    np.testing.assert_array_equal(targets.weights, 0.5 * pathless.targets(market).weights)
    swept = ep.sweep(market, plan, {"inner.lookback": [3, 9]}, progress=False)
    assert swept.table["Total Return [%]"].nunique() == 2


def no_market():
    return None


def many(market, *others):
    return None


def by_place(market, lookback=3, /):
    return None


def decide(step, state, params, features, out):
    out[0] = 1.0


def test_a_path_that_is_read_and_not_given_is_asked_for():
    market = ep.simulate_market("2024-01-02", "2024-02-02", symbols=["KWEB"])
    with pytest.raises(ParameterError, match=r"<lambda> needs a regime path: pass path=model"):
        ep.backtest(market, strategy(lambda market, path: path.regime))
    with pytest.raises(AttributeError, match="no attribute 'closes'"):  # any other mistake is shown as it is
        ep.backtest(market, strategy(lambda market, path: market.closes))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: strategy(3), "the function is 3: give a function"),
        (lambda: strategy(FunctionStrategy), "the class FunctionStrategy"),
        (lambda: strategy(no_market), "no argument for the market"),
        (lambda: strategy(many), r"argument \*others has no name"),
        (lambda: strategy(by_place), "argument lookback=3 has no name"),
        (lambda: strategy(decide), "CompiledStrategy"),
        (lambda: strategy(momentum, lookbak=3), "no parameter 'lookbak', did you mean lookback"),
        (lambda: pathless.with_(path=3), "no parameter 'path': it has lookback"),
        (lambda: strategy(lambda market, path, weight: None), "no value for weight: give the argument"),
        (lambda: strategy(lambda market: None, a=1), "no parameter 'a': it has none"),
    ],
)
def test_what_is_no_such_function_is_refused(make, words):
    with pytest.raises(ParameterError, match=words) as refusal:
        make()
    assert "\n" not in str(refusal.value)


def result(market, *, made=None):
    return made


DAY = pd.DatetimeIndex(["2022-01-05"])


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (None, "result returned None: return a DataFrame of weights"),
        (pd.Series([0.5], DAY), "returned a Series"),
        (np.zeros((3, 2)), "returned a ndarray"),
        (pd.DataFrame({"NOPE": [0.5]}, DAY), "weights for NOPE"),
        (pd.DataFrame({"KWEB": [0.5]}, pd.DatetimeIndex(["2030-01-02"])), "2030-01-02"),
        (pd.DataFrame({"KWEB": ["much"]}, DAY), "not numbers"),
        (Targets(np.zeros((2, 2))), r"weights has shape \(2, 2\)"),
    ],
)
def test_what_cannot_be_targets_is_refused_in_one_sentence(market, made, words):
    with pytest.raises(TargetError, match=words) as refusal:
        strategy(result, made=made).targets(market)
    assert "\n" not in str(refusal.value)


def test_what_is_no_market_is_refused_by_name():
    with pytest.raises(ParameterError, match=r"momentum\.targets was given 3"):
        strategy(momentum).targets(3)


def test_callables_of_all_kinds_will_do(market):
    class Hold:
        def __call__(self, market, *, weight=0.3):
            return pd.DataFrame({"KWEB": [weight]}, DAY)

    held = strategy(Hold(), weight=0.1)
    assert repr(held) == "Hold(weight=0.1)"
    part = strategy(partial(momentum, symbols=("KWEB",)))
    assert np.isfinite(held.targets(market).weights).sum() == 1
    assert np.isfinite(part.targets(market).weights).any(axis=0).sum() == 1


# -- frames --------------------------------------------------------------------------------------------------


def test_a_row_of_a_session_that_is_not_over_is_left_out(make_pairs):
    """At a Hong Kong close the session's last step, New York's close, is still to come."""
    market = make_pairs(count=20, phases=("open", "close"), hk_holidays=())
    day = market.grid["session"].unique()[7]
    frame = pd.DataFrame({"KWEB": [0.1, 0.5]}, index=pd.DatetimeIndex([day - pd.Timedelta("1D"), day]))
    steps = np.flatnonzero((market.grid["session"] == day).to_numpy())
    column = market.column("KWEB")
    whole = Targets.from_frame(market, frame).weights[:, column]
    assert whole[steps[-1]] == 0.5
    for step in steps[:-1]:
        cut = Targets.from_frame(market.until(int(step)), frame).weights[:, column]
        np.testing.assert_array_equal(cut, whole[: step + 1])
        assert np.isfinite(cut).sum() == 1
    assert np.isfinite(Targets.from_frame(market.until(int(steps[-1])), frame).weights).sum() == 2


def test_with_a_band_a_repeated_number_is_no_order(market):
    days = pd.DatetimeIndex(market.grid["session"].unique()[:6])
    frame = pd.DataFrame({"KWEB": [0, 0.2, 0.2, NAN, 0.2, 0.3], "ASHR": [0.1, 0, 0, 0.1, 0.1, 0]}, index=days)
    every = Targets.from_frame(market, frame)
    assert np.isfinite(every.weights).sum() == 11
    assert every.drift_band == np.inf
    once = Targets.from_frame(market, frame, drift_band=0.2)
    assert once.drift_band == 0.2
    said = once.weights[[np.flatnonzero(market.grid["session"] == day)[-1] for day in days]]
    np.testing.assert_array_equal(said[:, market.column("KWEB")], [NAN, 0.2, NAN, NAN, NAN, 0.3])
    np.testing.assert_array_equal(said[:, market.column("ASHR")], [0.1, 0, NAN, 0.1, NAN, 0])
    np.testing.assert_array_equal(once.standing()[0], every.standing()[0])


def test_a_frame_of_pairs_is_read_as_linked_pairs(market):
    days = pd.DatetimeIndex(market.grid["session"].unique()[[2, 4]])
    frame = pd.DataFrame({"102.HK": [0.1, 0.0], "ADA": [NAN, -0.2]}, index=days)
    targets = Targets.from_pairs(market, frame)
    assert targets.pairs == (("102.HK", "ADC"), ("100.HK", "ADA"))
    steps = [np.flatnonzero(market.grid["session"] == day)[-1] for day in days]
    np.testing.assert_array_equal(targets.pair_weights[steps], [[0.1, NAN], [0.0, -0.2]])
    assert np.isfinite(targets.pair_weights).sum() == 3
    assert not np.isfinite(targets.weights).any()
    assert targets.drift_band == np.inf
    once = Targets.from_pairs(market, frame.fillna(0.1), drift_band=0.3)
    assert (once.drift_band, np.isfinite(once.pair_weights).sum()) == (0.3, 4)
    result = ep.backtest(market, strategy(lambda market: Targets.from_pairs(market, frame[["102.HK"]])))
    assert set(result.fills["symbol"]) == {"102.HK", "ADC"}


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame({"KWEB": [0.1]}, DAY), "weights for the pairs KWEB, which this market does not have"),
        (pd.DataFrame({"ADA": [0.1], "100.HK": [0.1]}, DAY), "twice"),
        (pd.DataFrame({"ADA": [np.inf]}, DAY), "infinite"),
        (pd.DataFrame({"ADA": [0.1]}, pd.DatetimeIndex(["2022-01-08"])), "2022-01-08"),
        (3, "weights are a int"),
    ],
)
def test_bad_frames_of_pairs_are_refused(market, frame, words):
    with pytest.raises(EntrepotError, match=words) as refusal:
        Targets.from_pairs(market, frame)
    assert "\n" not in str(refusal.value)
    with pytest.raises(ParameterError, match="drift_band is 0"):
        Targets.from_pairs(market, frame, drift_band=0)
