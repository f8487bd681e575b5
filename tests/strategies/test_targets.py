"""Targets: validation, frames of weights, and the clockwork shared by all strategies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from entrepot.errors import EntrepotError, ParameterError, TargetError
from entrepot.strategies import LongHKShortADR, RegimeSwitch, SectorRotation, Strategy, Targets
from entrepot.strategies.targets import EXITS, changes, decisions, departed, latest

NAN = np.nan
ONE_PAIR = {"weights": np.zeros((1, 1)), "pairs": (("1.HK", "A"),), "pair_weights": np.zeros((1, 1))}


def test_targets_hold_c_ordered_floats_and_an_empty_pair_block():
    targets = Targets(np.asfortranarray(np.full((4, 3), NAN)))
    assert targets.weights.flags.c_contiguous
    assert targets.pair_weights.shape == (4, 0)
    assert targets.exits.shape == (4, 0)


def test_exits_are_small_integers_and_trades_where_not_given():
    linked = {"pairs": (("1.HK", "A"), ("2.HK", "B")), "pair_weights": np.zeros((3, 2))}
    silent = Targets(np.zeros((3, 1)), **linked)
    assert silent.exits.dtype == np.int8
    np.testing.assert_array_equal(silent.exits, np.zeros((3, 2)))
    told = Targets(np.zeros((3, 1)), **linked, exits=np.asfortranarray([[0, 1], [2, 0], [1, 1]]))
    assert told.exits.dtype == np.int8
    assert told.exits.flags.c_contiguous
    np.testing.assert_array_equal(told.exits, [[0, 1], [2, 0], [1, 1]])
    assert [EXITS[k] for k in (0, 1, 2)] == ["trade", "convert", "cheapest"]  # as the engine numbers them


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"weights": np.zeros(3)}, "shape"),
        ({"weights": np.zeros((3, 2)), "pairs": (("1.HK", "A"),)}, "shape"),
        ({"weights": np.array([[np.inf]])}, "infinite"),
        ({"weights": np.zeros((1, 1)), "pairs": (("1.HK", "A"),), "pair_weights": [[-np.inf]]}, "infinite"),
        ({"weights": np.zeros((1, 1)), "pairs": (("1.HK", "A"),) * 2, "pair_weights": [[0.0, 0]]}, "twice"),
        ({**ONE_PAIR, "exits": [0]}, r"exits has shape \(1,\) and pair_weights \(1, 1\)"),
        ({**ONE_PAIR, "exits": [[0, 0]]}, "exits has shape"),
        ({**ONE_PAIR, "exits": "convert"}, "exits has shape"),
        ({**ONE_PAIR, "exits": [[3]]}, r"exits holds 3: give one of 0 \(trade\), 1 \(convert\), 2"),
        ({**ONE_PAIR, "exits": [[-1]]}, "exits holds -1"),
        ({**ONE_PAIR, "exits": [[0.5]]}, "exits holds 0.5"),
        ({**ONE_PAIR, "exits": [[NAN]]}, "exits holds nan"),
        ({**ONE_PAIR, "exits": [["convert"]]}, "exits holds 'convert'"),
        ({"weights": np.zeros((1, 1)), "exits": [[1]]}, "exits has shape"),
        ({"weights": np.zeros((1, 1)), "drift_band": 0.0}, "drift_band"),
        ({"weights": np.zeros((1, 1)), "drift_band": NAN}, "drift_band"),
    ],
)
def test_what_cannot_be_targets_is_refused(arguments, words):
    with pytest.raises(TargetError, match=words) as refusal:
        Targets(**arguments)
    assert "\n" not in str(refusal.value)


def test_reprs_are_short(make_pairs, make_path):
    market = make_pairs(count=90)
    path = make_path(market)
    targets = LongHKShortADR(lookback=20, entry=0.5, round_trip_bps=0).targets(market)
    assert repr(targets) == f"Targets({len(market)} steps: 3 pairs)"
    assert repr(Targets(np.full((4, 2), NAN))) == "Targets(4 steps: nothing wanted)"
    assert repr(Targets(np.eye(2))) == "Targets(2 steps: 2 lines)"
    switch = RegimeSwitch(path, calm=LongHKShortADR(), tariff=SectorRotation(top=2), delisting=pd.DataFrame())
    assert repr(switch) == (
        "RegimeSwitch(calm=LongHKShortADR(mode='convergence', ...), tariff=SectorRotation(top=2, ...), "
        "delisting=DataFrame(0 rows, 0 columns), decoupling=None, weighting='hard')"
    )
    with pytest.raises(ParameterError, match="was given None: give a market"):
        switch.targets(None)
    assert RegimeSwitch(path).targets(market).notes == ("can never trade: every part is None, which is cash",)


def test_standing_carries_the_last_number_and_starts_at_zero():
    targets = Targets(
        np.array([[NAN, 1], [0.5, NAN], [NAN, 0], [NAN, NAN]]),
        (("1.HK", "A"),),
        np.array([[NAN], [NAN], [-0.1], [NAN]]),
    )
    single, linked = targets.standing()
    np.testing.assert_array_equal(single, [[0, 1], [0.5, 1], [0.5, 0], [0.5, 0]])
    np.testing.assert_array_equal(linked, [[0], [0], [-0.1], [-0.1]])


def test_changes_keeps_what_differs_from_the_row_before():
    wanted = np.array([[0, 1.0], [0.5, 1], [0.5, 0], [0, 0]])
    np.testing.assert_array_equal(changes(wanted), [[NAN, 1], [0.5, NAN], [NAN, 0], [0, NAN]])


def test_latest_counts_ages_in_decisions():
    values = np.array([[NAN], [2.0], [NAN], [NAN], [5.0], [NAN]])
    value, age = latest(values, np.array([0, 2, 3, 5]))
    np.testing.assert_array_equal(value[:, 0], [NAN, 2, 2, 5])
    assert age[0, 0] > 10**6
    np.testing.assert_array_equal(age[1:, 0], [0, 1, 0])


def test_a_frame_decides_at_the_last_step_of_its_dates(make_pairs):
    market = make_pairs(count=10, phases=("open", "close"))
    days = market.grid["session"].unique()
    frame = pd.DataFrame({"KWEB": [0.5, 0.2], "100.HK": [NAN, 0.1]}, index=pd.DatetimeIndex(days[[2, 5]]))
    targets = Targets.from_frame(market, frame)
    assert targets.drift_band == np.inf
    kweb = targets.weights[:, market.column("KWEB")]
    steps = np.flatnonzero(np.isfinite(kweb))
    assert list(market.grid["session"][steps]) == list(days[[2, 5]])
    assert (market.grid["phase"][steps] == "close").all()
    assert (market.grid["venue"][steps] == "XNYS").all()
    assert np.isfinite(targets.weights).sum() == 3


def test_a_frame_with_times_decides_at_those_steps(make_pairs):
    market = make_pairs(count=10, phases=("open", "close"))
    frame = pd.DataFrame({"KWEB": [0.5]}, index=market.price.index[[5]].tz_convert("Asia/Hong_Kong"))
    targets = Targets.from_frame(market, frame)
    assert np.flatnonzero(np.isfinite(targets.weights[:, market.column("KWEB")])).tolist() == [5]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame({"NOPE": [1.0]}, index=pd.DatetimeIndex(["2022-01-05"])), "NOPE"),
        (pd.DataFrame({"KWEB": [1.0]}, index=pd.DatetimeIndex(["2022-01-08"])), "2022-01-08"),
        (pd.DataFrame({"KWEB": [1.0, 2]}, index=pd.DatetimeIndex(["2022-01-05"] * 2)), "twice"),
        (pd.DataFrame({"KWEB": [np.inf]}, index=pd.DatetimeIndex(["2022-01-05"])), "infinite"),
        (pd.DataFrame({"^HSI": [1.0]}, index=pd.DatetimeIndex(["2022-01-05"])), "index"),
        (pd.DataFrame({"KWEB": [1.0]}), "dates"),
    ],
)
def test_bad_frames_are_refused_in_one_sentence(make_pairs, frame, words):
    with pytest.raises(EntrepotError, match=words) as refusal:
        Targets.from_frame(make_pairs(count=10), frame)
    assert "\n" not in str(refusal.value)


def test_targets_are_checked_against_the_market(make_pairs):
    market = make_pairs(count=10)
    blank = np.full(market.price.shape, NAN)
    with pytest.raises(TargetError, match="shape"):
        Targets(blank[:-1]).check(market)
    with pytest.raises(TargetError, match="not a pair"):
        Targets(blank, (("100.HK", "ADB"),), np.full((len(market), 1), NAN)).check(market)


def test_decisions_are_new_york_closes_also_in_a_cut_market(make_pairs):
    market = make_pairs(count=12, phases=("open", "close"))
    rows = market.grid.loc[decisions(market)]
    assert (rows["venue"] == "XNYS").all()
    assert (rows["phase"] == "close").all()
    for step in range(len(market)):
        expected = decisions(market)
        assert decisions(market.until(step)).tolist() == expected[expected <= step].tolist()


def test_a_line_has_departed_after_its_last_session(make_pairs):
    delisted = pd.DataFrame(
        [("ADA", pd.Timestamp("2022-01-06"), "100.HK", 8.0), ("GONE", pd.Timestamp("2022-01-06"), "", NAN)],
        columns=["symbol", "last_session", "into", "ordinary_per_ads"],
    )
    market = make_pairs(count=10, delistings=delisted)
    gone = departed(market)
    after = (market.grid["session"] > "2022-01-06").to_numpy()
    np.testing.assert_array_equal(gone[:, market.column("ADA")], after)
    assert gone.sum() == after.sum()


@pytest.mark.parametrize("strategy", [LongHKShortADR(), SectorRotation()])
def test_strategies_satisfy_the_protocol_and_change_by_copy(strategy):
    assert isinstance(strategy, Strategy)
    other = strategy.with_(lookback=77)
    assert (other.lookback, type(other)) == (77, type(strategy))
    assert strategy.lookback != 77
    with pytest.raises(ParameterError, match=r"no parameter 'lookbak'.*lookback"):
        strategy.with_(lookbak=3)
    with pytest.raises(ParameterError, match="lookback"):
        strategy.with_(lookback=-1)


def test_a_switch_satisfies_the_protocol(make_pairs, make_path):
    assert isinstance(RegimeSwitch(make_path(make_pairs(count=5))), Strategy)
