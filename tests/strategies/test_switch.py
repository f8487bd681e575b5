"""The regime switch: who is in charge at each step, and what is emitted when that changes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.errors import ParameterError, TargetError
from entrepot.strategies import LongHKShortADR, RegimeSwitch, SectorRotation, Targets
from entrepot.strategies.composition import switch
from entrepot.strategies.targets import decisions
from entrepot.switching import alone

NAN = np.nan
PAIR = ("100.HK", "ADA")


@dataclass(frozen=True, eq=False)
class Scripted:
    """Targets written down in advance: {decision: number} for a symbol or a pair."""

    singles: dict[str, dict[int, float]] = field(default_factory=dict)
    linked: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)
    drift_band: float = 0.10
    seen: list = field(default_factory=list)
    exits: int | list[int] = 0  # by step, or one for all

    def targets(self, market, path=None):
        self.seen.append(path)
        steps = decisions(market)
        weights = np.full(market.price.shape, NAN)
        pair_weights = np.full((len(market), len(self.linked)), NAN)
        for symbol, script in self.singles.items():
            for decision, number in script.items():
                if decision < len(steps):
                    weights[steps[decision], market.column(symbol)] = number
        for p, script in enumerate(self.linked.values()):
            for decision, number in script.items():
                if decision < len(steps):
                    pair_weights[steps[decision], p] = number
        by_step = np.broadcast_to(self.exits, len(market))
        exits = np.tile(by_step[:, None], len(self.linked))
        return Targets(weights, tuple(self.linked), pair_weights, self.drift_band, ("scripted",), exits=exits)


@pytest.fixture
def market(make_pairs):
    return make_pairs(count=12, hk_holidays=())


@dataclass(frozen=True)
class Weighted:
    """Weights of KWEB by decision, in an array."""

    weights: np.ndarray

    def targets(self, market, path=None):
        session = market.grid["session"].to_numpy()[decisions(market)[: len(self.weights)]]
        return Targets.from_frame(market, pd.DataFrame({"KWEB": self.weights}, index=session))


def states_at(market, by_decision):
    """States by decision, each from just after the decision before."""
    states = np.zeros(len(market), dtype=int)
    steps = decisions(market)
    for decision, state in enumerate(by_decision):
        states[(steps[decision - 1] + 1 if decision else 0) : steps[decision] + 1] = state
    return states


def spoken(column, market):
    numbers = column[decisions(market)]
    return {int(i): float(numbers[i]) for i in np.flatnonzero(np.isfinite(numbers))}


def test_on_a_change_the_incoming_part_is_adopted_and_the_outgoing_left(market, make_path):
    calm = Scripted({"KWEB": {1: 0.3, 6: 0.4}, "ASHR": {1: 0.2}}, {PAIR: {2: 0.1}})
    tariff = Scripted({"KWEB": {0: 0.3, 5: 0.1}, "100.HK": {2: 0.25, 8: 0.0}})
    path = make_path(market, states_at(market, [0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1]))
    switch = RegimeSwitch(path, calm=calm, tariff=tariff)
    targets = switch.targets(market)
    single = {s: spoken(targets.weights[:, market.column(s)], market) for s in ("KWEB", "ASHR", "100.HK")}
    assert single == {
        "KWEB": {1: 0.3, 5: 0.1, 7: 0.4, 9: 0.1},  # both want 0.3 at decision 4: nothing to say
        "ASHR": {1: 0.2, 4: 0.0, 7: 0.2, 9: 0.0},
        "100.HK": {4: 0.25, 7: 0.0},
    }
    assert targets.pairs == (PAIR,)
    assert spoken(targets.pair_weights[:, 0], market) == {2: 0.1, 4: 0.0, 7: 0.1, 9: 0.0}
    assert calm.seen == [path]
    assert targets.notes == ("calm: scripted", "tariff: scripted")


def test_what_stands_is_always_what_the_part_in_charge_wants(make_pairs, wander):
    market = make_pairs(phases=("open", "close"))
    path = wander(market)
    pairs = LongHKShortADR(lookback=20, span=3, entry=1.0, round_trip_bps=0)
    parts = {
        "calm": pairs,
        "tariff": SectorRotation(lookback=15, top=1, rebalance=4, universe="hk"),
        "delisting": pairs.with_(mode="delisting_hedge"),
    }
    single, linked = RegimeSwitch(path, **parts).targets(market).standing()
    steps = decisions(market)
    for state, name in enumerate(path.names):
        here = steps[path.states[steps] == state]
        if name not in parts:
            assert not single[here].any()
            assert not linked[here].any()
            continue
        wanted, wanted_linked = parts[name].targets(market, path).standing()
        np.testing.assert_array_equal(single[here], wanted[here])
        np.testing.assert_array_equal(linked[here], wanted_linked[here] if wanted_linked.size else 0)


def test_a_part_that_stays_in_charge_under_two_regimes_is_not_repeated(market, make_path):
    part = Scripted({"KWEB": {1: 0.3}})
    path = make_path(market, states_at(market, [0, 0, 1, 3, 1, 0, 0, 3, 3, 0, 0, 0]))
    targets = RegimeSwitch(path, calm=part, tariff=part, decoupling=part).targets(market)
    assert spoken(targets.weights[:, market.column("KWEB")], market) == {1: 0.3}
    assert len(part.seen) == 1
    assert RegimeSwitch(path, calm=part, tariff=part).targets(market).notes == ("calm and tariff: scripted",)


def test_what_a_part_says_again_passes_through(market, make_path):
    """Drift is undone by it, though what stands is the same; by the first part as by any other."""
    calm = Scripted({"KWEB": {1: 0.3, 3: 0.3, 7: 0.3}})
    tariff = Scripted({"KWEB": {0: 0.1, 4: 0.1, 6: 0.1}}, {PAIR: {4: 0.2, 7: 0.2, 9: 0.2}})
    path = make_path(market, states_at(market, 5 * [0] + 7 * [1]))
    targets = RegimeSwitch(path, calm=calm, tariff=tariff).targets(market)
    said = spoken(targets.weights[:, market.column("KWEB")], market)
    assert said == {1: 0.3, 3: 0.3, 5: 0.1, 6: 0.1}
    assert spoken(targets.pair_weights[:, 0], market) == {5: 0.2, 7: 0.2, 9: 0.2}


def test_parts_with_equal_parameters_are_one(make_pairs, make_path):
    market = make_pairs()
    quick = LongHKShortADR(lookback=20, span=3, entry=1.0, round_trip_bps=0)
    path = make_path(market, np.arange(len(market)) // 7 % 2)
    single = quick.targets(market)
    switched = RegimeSwitch(path, calm=quick, tariff=quick.with_()).targets(market)
    np.testing.assert_array_equal(switched.pair_weights, single.pair_weights)


def test_parts_that_carry_arrays_are_told_apart(market, make_path):
    calm, tariff, twin = (Weighted(np.array(given)) for given in ([0.1, 0.2], [0.3, 0.4], [0.3, 0.4]))
    path = make_path(market, states_at(market, [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0]))
    plan = RegimeSwitch(path, calm=calm, tariff=tariff, delisting=twin)
    said = {0: 0.1, 1: 0.2, 3: 0.4, 9: 0.2}
    assert spoken(plan.targets(market).weights[:, market.column("KWEB")], market) == said
    assert plan.decision(market).planes == 5  # its own two, and one for each part
    by_label = switch("regime", dict(zip(path.names, plan.parts, strict=True))).targets(market, path)
    assert spoken(by_label.weights[:, market.column("KWEB")], market) == said
    swept = ep.sweep(market, plan, {"delisting": [twin, calm, tariff]}, path=path, progress=False)
    assert (swept.table["Refused"] == "").all()
    assert list(alone(plan)) == ["calm: Weighted(...)", "tariff: Weighted(...)", "delisting: Weighted(...)"]


def test_changes_between_decisions_wait_for_the_next_one(make_pairs, make_path):
    market = make_pairs(count=12, phases=("open", "close"), hk_holidays=())
    part = Scripted({"KWEB": {0: 0.3}})
    states = np.zeros(len(market), dtype=int)
    steps = decisions(market)
    states[steps[3] + 1 : steps[4]] = 1  # gone again before the New York close
    states[steps[6] - 1 :] = 1
    targets = RegimeSwitch(make_path(market, states), calm=part).targets(market)
    assert spoken(targets.weights[:, market.column("KWEB")], market) == {0: 0.3, 6: 0.0}
    assert np.isfinite(targets.weights).sum() == 2


def test_frames_are_parts_and_none_is_cash(market, make_path):
    days = market.grid["session"].unique()
    frame = pd.DataFrame({"KWEB": [0.5, 0.7]}, index=pd.DatetimeIndex(days[[1, 6]]))
    path = make_path(market, states_at(market, [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0]))
    switch = RegimeSwitch(path, calm=frame)
    targets = switch.targets(market)
    assert spoken(targets.weights[:, market.column("KWEB")], market) == {1: 0.5, 3: 0.0, 8: 0.7}
    assert targets.drift_band == np.inf
    assert switch.with_(tariff=Scripted()).targets(market).drift_band == 0.10
    assert switch.with_(drift_band=0.5).targets(market).drift_band == 0.5
    with pytest.raises(TargetError, match="NOPE"):
        RegimeSwitch(path, calm=frame.rename(columns={"KWEB": "NOPE"})).targets(market)
    nothing = RegimeSwitch(path).targets(market)
    assert np.isnan(nothing.weights).all()


def test_probabilities_weight_the_parts_within_a_deadband(market, make_path):
    probability = np.zeros((12, 4))
    probability[:, 0] = [1, 1, 0.95, 0.89, 0.85, 0.80, 0.5, 0.5, 0.55, 0.0, 0, 0]
    probability[:, 1] = 1 - probability[:, 0]
    by_step = np.repeat(probability, 2, axis=0)
    part = Scripted({"KWEB": {0: 0.4, 11: 0.0}}, {PAIR: {0: 0.2}})
    path = make_path(market, 0, probabilities=by_step)
    switch = RegimeSwitch(path, calm=part, weighting="probability")
    targets = switch.targets(market)
    assert spoken(targets.weights[:, market.column("KWEB")], market) == pytest.approx(
        {0: 0.4, 3: 0.356, 6: 0.2, 9: 0.0}
    )
    exact = switch.with_(deadband=0).targets(market)
    np.testing.assert_allclose(
        exact.standing()[0][decisions(market), market.column("KWEB")][:11], 0.4 * probability[:11, 0]
    )


def test_a_line_no_part_wants_any_more_is_left_at_once(market, make_path):
    part = Scripted({"KWEB": {0: 0.04, 5: 0.0}, "ASHR": {0: 0.4}})
    switch = RegimeSwitch(make_path(market, 0), calm=part, weighting="probability")
    assert spoken(switch.targets(market).weights[:, market.column("KWEB")], market) == {0: 0.04, 5: 0.0}


def test_equal_pairs_of_two_parts_are_one_and_their_probabilities_add_up(market, make_path):
    one = Scripted(linked={PAIR: {0: 0.1}, ("101.HK", "ADB"): {0: 0.3}})
    two = Scripted(linked={("102.HK", "ADC"): {0: 0.2}, PAIR: {0: -0.1}})
    path = make_path(market, 0, probabilities=np.tile([0.75, 0.25, 0, 0], (len(market), 1)))
    targets = RegimeSwitch(path, calm=one, tariff=two, weighting="probability").targets(market)
    assert targets.pairs == (PAIR, ("101.HK", "ADB"), ("102.HK", "ADC"))
    np.testing.assert_allclose(targets.pair_weights[decisions(market)[0]], [0.05, 0.225, 0.05])


OTHER = ("101.HK", "ADB")


def exits_of(targets, pair, market):
    return targets.exits[decisions(market), targets.pairs.index(pair)].tolist()


def test_a_pair_is_closed_the_way_of_the_part_in_charge(market, make_path):
    calm = Scripted(linked={PAIR: {0: 0.1}, OTHER: {0: 0.1}}, exits=2)
    tariff = Scripted({"KWEB": {0: 0.3}})
    delisting = Scripted(linked={PAIR: {0: 0.2, 6: 0.0}}, exits=1)
    states = [0, 0, 2, 2, 1, 1, 2, 2, 3, 3, 0, 1]
    path = make_path(market, states_at(market, states))
    targets = RegimeSwitch(path, calm=calm, tariff=tariff, delisting=delisting).targets(market)
    assert spoken(targets.pair_weights[:, 0], market) == {0: 0.1, 2: 0.2, 4: 0.0, 6: 0.0, 10: 0.1, 11: 0.0}
    # Tariff and decoupling name no pair: what they close goes out as the part before them wanted.
    assert exits_of(targets, PAIR, market) == [2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2]
    # Delisting does not name the other pair, calm is the last that did.
    assert exits_of(targets, OTHER, market) == [2] * 12
    assert targets.exits.dtype == np.int8


def test_a_convert_part_that_gives_way_to_one_without_the_pair_is_converted_out_of(make_pairs, make_path):
    """Also at the steps after the change, where the engine may have to tell the pair again to get out."""
    market = make_pairs(count=40, phases=("open", "close"), hk_holidays=())
    steps = decisions(market)
    states = np.full(len(market), 2)
    states[steps[20] - 2 :] = 1  # between two New York closes: the change waits for the next one
    path = make_path(market, states, escalation=3.0)
    hedge = LongHKShortADR(mode="delisting_hedge", exit_by="convert")
    calm = LongHKShortADR(exit_by="cheapest")
    sectors = SectorRotation(lookback=10, top=1, universe="etf")
    targets = RegimeSwitch(path, calm=calm, tariff=sectors, delisting=hedge).targets(market)
    assert (targets.pair_weights[steps[20]] == 0).all()
    assert (targets.exits[steps[0] :] == 1).all()
    last = RegimeSwitch(path, calm=hedge, tariff=calm, delisting=hedge).targets(market)
    assert (last.exits[: steps[20]][steps[0] :] == 1).all()
    assert (last.exits[steps[20] :] == 2).all()  # it names the pair and wants nothing of it


def test_exits_may_change_by_step_and_are_read_at_the_step_of_the_close(market, make_path):
    calm = Scripted(linked={PAIR: {0: 0.1}}, exits=[0, 0, 1, 1, 2, 2] * 4)  # two steps a day
    path = make_path(market, states_at(market, [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]))
    targets = RegimeSwitch(path, calm=calm).targets(market)
    assert exits_of(targets, PAIR, market) == [0, 1, 2] * 4


def test_by_probability_the_most_probable_part_that_names_the_pair_says_how(market, make_path):
    """One row per regime: calm cheapest, tariff names no pair, delisting converts."""
    probability = np.array(
        [
            [0.6, 0.6, 0.3, 0.3, 0.0, 0.0, 0.2, 0.1, 0.1, 0.4, 0.0, 0.0],
            [0.2, 0.0, 0.3, 0.5, 1.0, 1.0, 0.7, 0.8, 0.0, 0.2, 0.0, 1.0],
            [0.2, 0.4, 0.4, 0.2, 0.0, 0.0, 0.1, 0.1, 0.9, 0.4, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        ]
    )
    path = make_path(market, 0, probabilities=np.repeat(probability.T, 2, axis=0))
    switch = RegimeSwitch(
        path,
        calm=Scripted(linked={PAIR: {0: 0.1}}, exits=2),
        tariff=Scripted({"KWEB": {0: 0.3}}),
        delisting=Scripted(linked={PAIR: {0: 0.2}, OTHER: {0: 0.2}}, exits=1),
        weighting="probability",
    )
    targets = switch.targets(market)
    assert exits_of(targets, PAIR, market) == [2, 2, 1, 2, 2, 2, 2, 2, 1, 2, 2, 2]  # ties go to the first
    assert exits_of(targets, OTHER, market) == [1] * 12
    certain = make_path(market, probability.argmax(axis=0).repeat(2), probabilities=None)
    hard = switch.with_(path=certain, weighting="hard").targets(market)
    sure = switch.with_(path=certain).targets(market)
    np.testing.assert_array_equal(hard.exits, sure.exits)


def test_a_departed_line_is_not_spoken_of(make_pairs, make_path):
    delisted = pd.DataFrame(
        [("ADA", pd.Timestamp("2022-01-07"), "100.HK", 8.0)],
        columns=["symbol", "last_session", "into", "ordinary_per_ads"],
    )
    market = make_pairs(count=12, hk_holidays=(), delistings=delisted)
    part = Scripted({"ADA": {0: 0.2}}, {PAIR: {0: 0.1}})
    path = make_path(market, states_at(market, [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0]))
    for weighting, expected in (("hard", {0: 0.1, 3: 0.0}), ("probability", {0: 0.1, 3: 0.0})):
        targets = RegimeSwitch(path, calm=part, weighting=weighting).targets(market)
        assert spoken(targets.pair_weights[:, 0], market) == expected
        assert max(spoken(targets.weights[:, market.column("ADA")], market)) == 3


@pytest.mark.parametrize("weighting", ["hard", "probability"])
def test_a_line_is_not_spoken_of_from_the_first_step_after_its_last_session(make_pairs, make_path, weighting):
    """Hong Kong is closed that day: the step before is the New York close the line still had."""
    delisted = pd.DataFrame(
        [("ADA", pd.Timestamp("2022-01-07"), "100.HK", 8.0)],
        columns=["symbol", "last_session", "into", "ordinary_per_ads"],
    )
    market = make_pairs(count=12, hk_holidays=("2022-01-10",), delistings=delisted)
    part = Scripted({"ADA": {0: 0.2}, "KWEB": {0: 0.3}}, {PAIR: {0: 0.1}})
    path = make_path(market, states_at(market, 5 * [0] + 7 * [1]))
    targets = RegimeSwitch(path, calm=part, weighting=weighting).targets(market)
    assert spoken(targets.weights[:, market.column("ADA")], market) == {0: 0.2}
    assert spoken(targets.pair_weights[:, 0], market) == {0: 0.1}
    assert spoken(targets.weights[:, market.column("KWEB")], market) == {0: 0.3, 5: 0.0}


@pytest.mark.parametrize("weighting", ["hard", "probability"])
@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
def test_cutting_market_and_path_changes_nothing_before(make_pairs, wander, same_until, weighting, phases):
    market = make_pairs(seed=31, phases=phases)
    path = wander(market, 32)
    pairs = LongHKShortADR(lookback=20, span=3, entry=1.0, round_trip_bps=0)
    switch = RegimeSwitch(
        path,
        calm=pairs,
        tariff=SectorRotation(lookback=15, top=1, rebalance=4, universe="etf"),
        delisting=pairs.with_(mode="delisting_hedge", exit_by="convert"),
        decoupling=SectorRotation(lookback=30, top=2, rebalance=6, universe="hk"),
        weighting=weighting,
    )
    targets = switch.targets(market)
    assert {0, 1} == set(np.unique(targets.exits))
    assert np.isfinite(targets.weights).sum() > 10
    assert np.isfinite(targets.pair_weights).sum() > 10
    same_until(switch, market, path, 33, cuts=8)


def test_bad_switches_are_refused_in_one_sentence(market, make_path):
    path = make_path(market)
    for arguments, words in (
        ({"path": None}, "path"),
        ({"path": path, "calm": "cash"}, "calm"),
        ({"path": path, "decoupling": LongHKShortADR}, "decoupling"),
        ({"path": path, "weighting": "soft"}, "weighting"),
        ({"path": path, "deadband": 2}, "deadband"),
        ({"path": path, "drift_band": -1}, "drift_band"),
    ):
        with pytest.raises(ParameterError, match=words) as refusal:
            RegimeSwitch(**arguments)
        assert "\n" not in str(refusal.value)
    with pytest.raises(ParameterError, match=f"{len(market)} steps and the market 10"):
        RegimeSwitch(path).targets(market.until(9))


@dataclass(frozen=True)
class Given(SectorRotation):
    """A built-in strategy that wants another number of KWEB."""

    def targets(self, market, path=None):
        return Scripted({"KWEB": {0: vars(self).get("wanted", 0.1)}}).targets(market)


def test_a_part_that_writes_its_targets_anew_is_followed_by_them(market, make_path):
    path = make_path(market, states_at(market, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1]))
    calm, tariff = Given(lookback=5, top=1), Given(lookback=5, top=1)
    object.__setattr__(tariff, "wanted", 0.3)  # equal by their fields
    targets = RegimeSwitch(path, calm=calm, tariff=tariff).targets(market)
    assert spoken(targets.weights[:, market.column("KWEB")], market) == {0: 0.1, 5: 0.3}
