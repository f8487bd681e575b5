"""Strategies made of strategies: who is in charge, what shares add up to, and what is said when."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace

import naive_composition as naive
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.errors import EntrepotError, ParameterError, TargetError
from entrepot.regimes import RegimeModel, load_events
from entrepot.strategies import LongHKShortADR, RegimeSwitch, SectorRotation, Strategy, Targets
from entrepot.strategies.composition import Blend, Switch, blend, switch
from entrepot.strategies.function import strategy
from entrepot.strategies.limits import cap
from entrepot.strategies.targets import Parametrised, decisions

NAN = np.nan
PAIR, OTHER = ("100.HK", "ADA"), ("101.HK", "ADB")
QUICK = LongHKShortADR(lookback=20, span=3, entry=1.0, round_trip_bps=0)
SECTORS = SectorRotation(lookback=15, top=1, rebalance=4, universe="hk")


@dataclass(frozen=True)
class Wanderer(Parametrised):
    """Random numbers now and then, at any step, from a seed and the step alone."""

    seed: int = 0
    singles: tuple[str, ...] = ("KWEB", "100.HK")
    linked: tuple[tuple[str, str], ...] = (PAIR,)
    drift_band: float = 0.10
    size: float = 1.0
    often: float = 0.03

    def targets(self, market, path=None):
        weights = np.full(market.price.shape, NAN)
        pair_weights, exits = np.full((2, len(market), len(self.linked)), NAN)
        for step in range(len(market)):
            rng = np.random.default_rng([self.seed, step])
            columns = [market.column(symbol) for symbol in self.singles]
            for row, to in ((weights[step], columns), (pair_weights[step], range(len(self.linked)))):
                for column in to:
                    if rng.random() < self.often:
                        row[column] = self.size * rng.choice([0.0, 0.1, 0.2, 0.3])
            exits[step] = rng.integers(0, 3, len(self.linked))
        return Targets(
            weights, self.linked, pair_weights, self.drift_band, (f"seed {self.seed}",), exits=exits
        )


@dataclass(frozen=True, eq=False)
class Scripted:
    """Targets written down in advance: {decision: number} for a symbol or a pair."""

    singles: dict[str, dict[int, float]] = field(default_factory=dict)
    linked: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)
    drift_band: float = 0.10
    exits: int = 0
    seen: list = field(default_factory=list)

    def targets(self, market, path=None):
        self.seen.append(path)
        steps = decisions(market)
        weights = np.full(market.price.shape, NAN)
        pair_weights = np.full((len(market), len(self.linked)), NAN)
        for symbol, script in self.singles.items():
            weights[steps[list(script)], market.column(symbol)] = list(script.values())
        for p, script in enumerate(self.linked.values()):
            pair_weights[steps[list(script)], p] = list(script.values())
        exits = np.full(pair_weights.shape, self.exits)
        return Targets(weights, tuple(self.linked), pair_weights, self.drift_band, ("scripted",), exits=exits)


@pytest.fixture
def market(make_pairs):
    return make_pairs(count=12, hk_holidays=())


@pytest.fixture(scope="module")
def long_market(make_pairs):
    """Two steps a day and venue, a pair of which the ADR leaves half-way."""
    gone = pd.DataFrame(
        [("ADB", pd.Timestamp("2022-06-15"), "101.HK", 8.0)],
        columns=["symbol", "last_session", "into", "ordinary_per_ads"],
    )
    return make_pairs(count=150, phases=("open", "close"), delistings=gone, seed=5)


def spoken(column, market):
    numbers = column[decisions(market)]
    return {int(i): float(numbers[i]) for i in np.flatnonzero(np.isfinite(numbers))}


def says(targets, symbol, market):
    return spoken(targets.weights[:, market.column(symbol)], market)


def agree(targets, expected, market):
    made = naive.numbers_of(targets, market)
    assert made.keys() == expected.keys()
    for key, number in expected.items():
        assert made[key] == pytest.approx(number, rel=1e-9, abs=1e-12), key
    assert len(expected) > 20


# -- switch --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
def test_by_regime_it_is_the_regime_switch(make_pairs, wander, phases):
    market = make_pairs(seed=31, phases=phases)
    path = wander(market, 32)
    parts = {
        "calm": QUICK.with_(exit_by="cheapest"),
        "tariff": SECTORS,
        "delisting": QUICK.with_(mode="delisting_hedge", exit_by="convert"),
        "decoupling": QUICK.with_(exit_by="cheapest"),
    }
    made, twin = switch("regime", parts).targets(market, path), RegimeSwitch(path, **parts).targets(market)
    assert made.pairs == twin.pairs
    np.testing.assert_array_equal(made.weights, twin.weights)
    np.testing.assert_array_equal(made.pair_weights, twin.pair_weights)
    first = decisions(market)[0]
    np.testing.assert_array_equal(made.exits[first:], twin.exits[first:])
    assert (made.drift_band, made.notes) == (twin.drift_band, twin.notes)
    assert set(made.signals) == set(twin.signals)
    assert np.isfinite(made.weights).sum() > 10
    assert {0, 1, 2} >= set(np.unique(made.exits)) >= {1, 2}


def test_on_a_change_the_incoming_part_is_adopted_at_the_next_decision(market):
    one = Scripted({"KWEB": {1: 0.3, 6: 0.4}, "ASHR": {1: 0.2}}, {PAIR: {2: 0.1}}, exits=2)
    two = Scripted({"KWEB": {0: 0.3, 5: 0.1}})
    days = pd.DatetimeIndex(market.grid["session"].unique())
    states = pd.Series(["up", "down", "up", "flat"], index=days[[1, 4, 7, 9]])
    plan = switch(states, {"up": one, "down": two, "flat": None})
    targets = plan.targets(market)
    assert says(targets, "KWEB", market) == {1: 0.3, 5: 0.1, 7: 0.4, 9: 0.0}
    assert says(targets, "ASHR", market) == {1: 0.2, 4: 0.0, 7: 0.2, 9: 0.0}
    assert spoken(targets.pair_weights[:, 0], market) == {2: 0.1, 4: 0.0, 7: 0.1, 9: 0.0}
    assert (targets.exits[decisions(market)[1] :] == 2).all()  # closed the way of the part that had it
    assert targets.notes == ("up: scripted", "down: scripted")


def test_labels_by_date_by_time_and_from_a_function(make_pairs):
    market = make_pairs(count=120, phases=("open", "close"), seed=9)
    rng = np.random.default_rng(3)
    days = pd.date_range("2021-12-20", market.grid["session"].iloc[-1] + pd.Timedelta("9D"))
    by_date = pd.Series(
        rng.choice(["a", "b", "c"], 15), index=days[np.sort(rng.choice(len(days), 15, False))]
    )
    times = pd.DatetimeIndex(market.grid["time"][np.sort(rng.choice(len(market), 15, False))])
    by_time = pd.Series(rng.choice(["a", "b", "c"], 15), index=times - pd.Timedelta("1h"))
    parts = {"a": Wanderer(1), "b": Wanderer(2, ("ASHR",), (OTHER,)), "c": None}
    made = {label: part and part.targets(market) for label, part in parts.items()}
    for states in (by_date, by_time, by_time.tz_convert("Asia/Hong_Kong")):
        expected = naive.switched(naive.label_at(states, market), made, market)
        targets = switch(states, parts).targets(market)
        agree(targets, expected, market)
        called = switch(lambda market, path, s=states: s, parts).targets(market)
        np.testing.assert_array_equal(called.weights, targets.weights)


def test_a_date_counts_from_its_last_step_and_a_weekend_from_the_next(make_pairs):
    market = make_pairs(count=10, phases=("open", "close"), hk_holidays=())
    hold = Scripted({"KWEB": {0: 0.5}})
    steps, days = decisions(market), market.grid["session"].unique()
    for date, decision in ((days[2], 2), (days[4] + pd.Timedelta("1D"), 5), (pd.Timestamp("2021-06-01"), 0)):
        targets = switch(pd.Series([True], pd.DatetimeIndex([date])), {True: hold}).targets(market)
        assert says(targets, "KWEB", market) == {decision: 0.5}
        assert np.flatnonzero(np.isfinite(targets.weights).any(axis=1)).tolist() == [steps[decision]]
    late = pd.Series([True], pd.DatetimeIndex([market.grid["time"][steps[3]]]))
    assert says(switch(late, {True: hold}).targets(market), "KWEB", market) == {3: 0.5}
    late.index += pd.Timedelta("1ns")
    assert says(switch(late, {True: hold}).targets(market), "KWEB", market) == {4: 0.5}


def test_the_path_reaches_states_and_parts(market, make_path):
    path, part, seen = make_path(market), Scripted({"KWEB": {0: 0.5}}), []

    def states(market, path):
        seen.append(path)
        return path.regime

    switch(states, {"calm": part}).targets(market, path)
    assert seen == part.seen == [path]


def test_a_switch_between_cash_and_cash_says_so(market):
    targets = switch(LABELS, {"a": None}).targets(market)
    assert targets.notes == ("can never trade: every part is None, which is cash",)
    assert not np.isfinite(targets.weights).any()


def test_frames_and_equal_parts(market):
    days = market.grid["session"].unique()
    frame = pd.DataFrame({"KWEB": [0.5, 0.7]}, index=pd.DatetimeIndex(days[[1, 6]]))
    part = Scripted({"KWEB": {1: 0.3}})
    states = pd.Series([1, 2, 3], pd.DatetimeIndex(days[[0, 3, 8]]))
    targets = switch(states, {1: part, 2: part, 3: frame}).targets(market)
    assert says(targets, "KWEB", market) == {1: 0.3, 8: 0.7}
    assert len(part.seen) == 1
    assert targets.notes == ("1 and 2: scripted",)
    assert targets.drift_band == 0.10


# -- blend ---------------------------------------------------------------------------------------------------


def test_shares_add_up(market):
    one = Scripted({"KWEB": {1: 0.4, 5: 0.4}}, {PAIR: {2: 0.2, 8: 0.0}}, exits=1)
    two = Scripted({"KWEB": {3: 0.2}, "ASHR": {3: 0.1}}, {OTHER: {0: 0.1}, PAIR: {4: 0.1, 9: 0.0}}, 0.05, 2)
    plan = blend([(one, 0.5), (two, -1.0)])
    targets = plan.targets(market)
    assert says(targets, "KWEB", market) == pytest.approx({1: 0.2, 3: 0.0, 5: 0.0})
    assert says(targets, "ASHR", market) == {3: -0.1}
    assert targets.pairs == (PAIR, OTHER)
    paired = spoken(targets.pair_weights[:, 0], market)
    assert paired == pytest.approx({2: 0.1, 4: 0.0, 8: -0.1, 9: 0.0})
    assert spoken(targets.pair_weights[:, 1], market) == {0: -0.1}
    # Both weigh 0.1 in the pair from decision 4 on: of equals the first counts. The last to hold it is two.
    exits = targets.exits[decisions(market), 0]
    assert exits.tolist() == [1] * 8 + [2] * 4
    assert targets.drift_band == 0.05
    assert targets.notes == ("0.5 of Scripted: scripted", "-1 of Scripted: scripted")


def test_a_blend_is_the_naive_sum(long_market):
    parts = [Wanderer(1), Wanderer(2, ("ASHR", "KWEB"), (OTHER, PAIR)), Wanderer(3, (), (PAIR,))]
    made = [part.targets(long_market) for part in parts]
    shares = (0.5, 0.3, -0.2)
    targets = blend(dict(zip(parts, shares, strict=True))).targets(long_market)
    agree(targets, naive.blended(shares, made, long_market), long_market)
    books = [naive.standing(t, long_market) for t in made]
    owner, way = 0, []
    for step in range(len(long_market)):
        sizes = [abs(s * b[step].get(PAIR, 0)) for s, b in zip(shares, books, strict=True)]
        owner = sizes.index(max(sizes)) if max(sizes) > 0 else owner
        way.append(made[owner].exits[step, made[owner].pairs.index(PAIR)] if PAIR in made[owner].pairs else 0)
    np.testing.assert_array_equal(targets.exits[:, targets.pairs.index(PAIR)], way)


def test_half_of_the_same_twice_is_the_same(long_market):
    part = Wanderer(4, linked=(PAIR, OTHER))
    alone, made = part.targets(long_market), blend([(part, 0.5), (part, 0.5)]).targets(long_market)
    left = np.isnan(made.pair_weights) & np.isfinite(alone.pair_weights)
    np.testing.assert_array_equal(made.weights, alone.weights)
    np.testing.assert_array_equal(made.pair_weights[~left], alone.pair_weights[~left])
    rows, columns = np.nonzero(left)  # of a pair that has left nothing more is said
    assert set(columns) == {1}
    assert (long_market.grid["session"][rows] > "2022-06-15").all()


# -- both ----------------------------------------------------------------------------------------------------


def nested(path):
    return blend(
        [
            (RegimeSwitch(path, calm=QUICK, tariff=SECTORS), 0.5),
            (
                switch("regime", {"calm": SECTORS, "tariff": None, "delisting": QUICK, "decoupling": None}),
                0.5,
            ),
        ]
    )


def test_cutting_market_and_path_changes_nothing_before(make_pairs, wander, same_until):
    market = make_pairs(seed=41, phases=("open", "close"))
    path = wander(market, 42)
    days = pd.DatetimeIndex(market.grid["session"].unique())
    states = pd.Series(np.random.default_rng(1).choice(["x", "y"], len(days[::9])), index=days[::9])
    plan = switch(states, {"x": nested(path), "y": Wanderer(7)})
    assert np.isfinite(plan.targets(market, path).weights).sum() > 20
    same_until(plan, market, path, 43, cuts=8)


def test_what_prices_do_later_changes_nothing_before(make_pairs, wander):
    market = make_pairs(seed=44)
    path = wander(market, 45)
    plan, step = nested(path), 400
    whole = plan.targets(market, path)
    price = market.price.copy()
    price.iloc[step + 1 :] *= np.exp(np.random.default_rng(2).normal(size=price.iloc[step + 1 :].shape))
    other = plan.targets(replace(market, price=price), path)
    np.testing.assert_array_equal(other.weights[: step + 1], whole.weights[: step + 1])
    np.testing.assert_array_equal(other.pair_weights[: step + 1], whole.pair_weights[: step + 1])
    assert not np.array_equal(other.weights, whole.weights, equal_nan=True)


def test_parts_are_reached_by_name():
    plan = blend([(switch("regime", {"calm": QUICK}), 0.5), (cap(SECTORS, gross=1.0), 0.5)])
    assert plan.with_(shares=(0.2, 0.8)).shares == (0.2, 0.8)
    deeper = plan.with_(**{"0": getattr(plan, "0").with_(calm=SECTORS)})
    assert getattr(deeper, "0").calm is SECTORS
    assert getattr(plan, "1").strategy.lookback == 15
    for wrong in ({"2": QUICK}, {"calm": QUICK}):
        with pytest.raises(ParameterError, match=r"Blend has no parameter .*: it has parts, shares, 0, 1"):
            plan.with_(**wrong)
    with pytest.raises(AttributeError, match="Blend has no attribute 'entry'"):
        _ = plan.entry
    assert isinstance(plan, Strategy)
    assert isinstance(pickle.loads(pickle.dumps(plan)), Blend)
    assert repr(switch("regime", {"calm": QUICK, "tariff": None})) == (
        "Switch(states='regime', parts={'calm': LongHKShortADR(mode='convergence', entry=1.0, lookback=20, "
        "span=3, round_trip_bps=0, ...), 'tariff': None})"
    )


def test_a_sweep_reaches_parameters_of_parts(make_pairs, wander):
    market = make_pairs(count=100, seed=46)
    path = wander(market, 47)
    plan = blend([(switch("regime", dict.fromkeys(path.names, QUICK)), 0.5), (cap(SECTORS, gross=1.0), 0.5)])
    grid = {"0.calm.entry": [0.5, 1.5], "1.gross": [0.2, 1.0], "1.strategy.lookback": [10, 20]}
    swept = ep.sweep(market, plan, grid, path=path, progress=False)
    assert swept.table["Refused"].eq("").all()
    assert swept.table["Total Return [%]"].nunique() == 8
    alone = ep.backtest(market, swept.plan(5), path=path).summary()["Total Return [%]"]
    assert swept.table.loc[5, "Total Return [%]"] == pytest.approx(alone)
    assert getattr(swept.plan(5), "0").calm.entry == 1.5


def test_the_path_that_a_part_carries_is_found_and_replaced(make_pairs, wander):
    market = make_pairs(count=100, seed=48)
    one, two = wander(market, 1), wander(market, 2)
    plan = cap(nested(one), gross=1.0)
    assert plan.path is one
    assert not hasattr(cap(QUICK, gross=1.0), "path")
    other = plan.with_(path=two, gross=0.5)
    assert (other.path, other.gross, plan.path) == (two, 0.5, one)
    result = ep.backtest(market, plan)
    assert result.path is one
    np.testing.assert_array_equal(plan.targets(market).weights, plan.targets(market, one).weights)
    with pytest.raises(ParameterError, match="steps"):
        plan.targets(market.until(50))


def test_a_sweep_over_the_model_moves_every_switch():
    market = ep.simulate_market("2021-06-01", "2022-12-30", seed=5, symbols=["KWEB", "FXI", "ASHR", "CQQQ"])
    events, model = load_events(), RegimeModel()
    hold = pd.DataFrame({"KWEB": [1.0]}, index=market.price.index[decisions(market)[:1]])
    carried = RegimeSwitch(model.walk_forward(market, events), calm=hold)
    grid = {"model.tariff.threshold": [0.5, 50.0], "model.delisting.threshold": [0.5, 50.0]}
    terms = {"model": model, "events": events, "progress": False}
    plain = ep.sweep(market, carried, grid, **terms).table["Total Return [%]"]
    inside = ep.sweep(market, cap(carried, gross=2.0), grid, **terms).table["Total Return [%]"]
    np.testing.assert_allclose(inside, plain)
    assert len(set(plain)) > 1


LABELS = pd.Series(["a"], pd.DatetimeIndex(["2022-01-05"]))


class Carrier:
    """It has a path of its own, which nobody can change."""

    @property
    def path(self):
        return object.__new__(ep.RegimePath)

    def targets(self, market, path=None):
        return Wanderer().targets(market)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: switch("season", {"a": QUICK}), "states is 'season': give 'regime'"),
        (lambda: switch(3, {"a": QUICK}), "states is 3: give 'regime'"),
        (lambda: switch(LABELS, {}), "parts is {}"),
        (lambda: switch(LABELS, [QUICK]), "parts is"),
        (lambda: switch(LABELS, {"a": "cash"}), "the part of 'a' is 'cash': give a strategy, a frame"),
        (lambda: switch(LABELS, {"a": LongHKShortADR}), "the class LongHKShortADR"),
        (lambda: switch("regime", {"quiet": QUICK}), "label 'quiet': give calm, tariff, delisting"),
        (lambda: switch(LABELS, {1: QUICK, "1": None}), "two labels of parts are written alike"),
        (
            lambda: cap(Carrier(), gross=1).with_(path=None),
            r"part strategy of Capped .* no with_\(path=...\)",
        ),
        (lambda: blend([]), "0 parts and 0 shares"),
        (lambda: blend([QUICK]), r"blend was given \[LongHK.*: give \(strategy, share\)"),
        (lambda: blend([(QUICK, "half")]), "the share of part 0 is 'half'"),
        (lambda: blend([(QUICK, NAN)]), "the share of part 0 is nan"),
        (lambda: blend([(None, 1.0)]), "part 0 is None: give a strategy or a frame of weights"),
        (lambda: Blend((QUICK,), (0.5, 0.5)), "1 parts and 2 shares"),
    ],
)
def test_what_cannot_be_composed_is_refused(make, words):
    with pytest.raises(ParameterError, match=words) as refusal:
        make()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (pd.Series(["b"], LABELS.index), "the label 'b' at 2022-01-05 21:00 UTC has no part: there are 'a'"),
        (pd.Series([None], LABELS.index), "the label None"),
        (pd.Series([["a"]], LABELS.index), r"the label \['a'\] at"),
        (pd.Series(["a"]), "the states are a Series: give a Series of labels indexed by dates"),
        (pd.Series(["a", "a"], LABELS.index.repeat(2)), "repeat or are out of order"),
        (pd.Series(["a", "a"], pd.DatetimeIndex(["2022-01-06", "2022-01-05"])), "out of order"),
        (lambda market, path: "a", "the states are 'a'"),
        ("regime", "needs a regime path"),
    ],
)
def test_states_that_cannot_be_used_are_refused(market, states, words):
    part = {"calm" if isinstance(states, str) else "a": Wanderer()}
    with pytest.raises(EntrepotError, match=words) as refusal:
        switch(states, part).targets(market)
    assert "\n" not in str(refusal.value)


def test_a_regime_without_a_part_is_refused(market, make_path):
    with pytest.raises(
        TargetError, match=r"the label 'tariff' at .* has no part: there are 'calm'; give one"
    ):
        switch("regime", {"calm": Wanderer()}).targets(market, make_path(market, 1))


def test_a_label_after_the_end_is_not_looked_at(market):
    states = pd.Series(["a", "b"], pd.DatetimeIndex(["2022-01-05", "2030-01-02"]))
    assert isinstance(switch(states, {"a": strategy(lambda market: Wanderer().targets(market))}), Switch)
    assert np.isfinite(switch(states, {"a": Wanderer(often=1.0)}).targets(market).weights).any()
