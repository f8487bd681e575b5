"""The press's trades as a whole: all there, refused where wrong, and none of them looks ahead."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from entrepot.errors import ParameterError
from entrepot.markets.simulate import simulate_market
from entrepot.regimes import RegimeModel, load_events
from entrepot.strategies.causality import check_causal
from entrepot.strategies.press import PRESS_TRADES, press_trades

EVENTS = load_events()
NAMES = [trade.name for trade in PRESS_TRADES]
SERIES = {"southbound", "custody", "forward_pe", "ah_premium", "ipo_proceeds"}
# Two years of months are longer than the market.
SHORTER = {"valuation gap": {"least": 6}, "listing breadth": {"recent": 1, "history": 6}}


@pytest.fixture(scope="module")
def world():
    """A market in which delisting and tariffs threaten, and lines of either side may be shorted."""
    shorts = ["0700.HK", "9988.HK", "0939.HK", "0941.HK", "0883.HK", "1810.HK", "1398.HK", "2318.HK"]
    market = simulate_market(
        start="2023-09-01", end="2025-06-30", seed=4, phases=("close",), hk_shorts=shorts, events=EVENTS.frame
    )
    path = RegimeModel().walk_forward(market, EVENTS, progress=False)
    made = press_trades(EVENTS, market.truth.series)
    return market, path, {n: plan.with_(**SHORTER.get(n, {})) for n, plan in made.items()}


def test_a_trade_whose_series_is_missing_is_left_out(world):
    market, _, _ = world
    every = press_trades(EVENTS, market.truth.series)
    assert list(every) == NAMES
    assert len(set(NAMES)) == len(NAMES)
    assert {name for trade in PRESS_TRADES for name in trade.series} == SERIES
    for name in SERIES:
        some = press_trades(EVENTS, {k: v for k, v in market.truth.series.items() if k != name})
        assert {t.name for t in PRESS_TRADES if name in t.series} == set(every) - set(some)
    assert [t.name for t in PRESS_TRADES if not t.series] == list(press_trades(EVENTS))


@pytest.mark.parametrize("name", NAMES)
def test_no_trade_looks_ahead_and_each_survives_a_copy(world, name):
    market, path, trades = world
    report = check_causal(trades[name], market, path)
    assert report.ok, report
    copy = pickle.loads(pickle.dumps(trades[name]))
    one, other = trades[name].targets(market, path), copy.targets(market, path)
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.pair_weights, other.pair_weights)
    assert trades[name].with_() == trades[name]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((None,), r"events is None: give a calendar"),
        ((EVENTS.frame,), r"events is a DataFrame: give a calendar"),
        ((EVENTS, ["southbound"]), r"series is \['southbound'\]: give series by name"),
        ((EVENTS, {"southbond": None}), r"series names .*southbond.*, which no trade uses: give ah_premium"),
        ((EVENTS, {"southbound": 0.1}), r"flow is 0.1: give a series"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(given, words):
    with pytest.raises(ParameterError, match=words) as refusal:
        press_trades(*given)
    assert "\n" not in str(refusal.value)
