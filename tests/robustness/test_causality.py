"""Nothing public sees the future: whatever comes after a cut, what was told up to it has the same bits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import worlds
from robustness import look_aheads
from robustness.audit import Future, Leak, Subject, Tally, audit, differences, futures_of, of_ledger
from robustness.futures import (
    MARKETS,
    World,
    announced_otherwise,
    last_session,
    other_costs,
    other_world,
)
from robustness.subjects import (
    EXEMPT,
    MEMBERS,
    STRATEGIES,
    all_subjects,
    audited_world,
    every_run,
    hard_cuts,
    members,
    public_names,
    wanted,
)
from tally import tried

import entrepot as ep
from entrepot.errors import EntrepotError

SUBJECTS = {subject.name: subject for subject in all_subjects()}
LOOK_AHEADS = {subject.name: subject for subject in look_aheads.all_look_aheads()}
FEW = 2  # futures of each subject in the ordinary run
DRAWN = 8  # worlds of the ordinary run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return audited_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def futures(world: World) -> list[Future]:
    """Futures after every hard step, and after a few others at random."""
    drawn = np.random.default_rng(1).integers(len(world.market) // 3, len(world.market) - 1, 6)
    return futures_of(world, [*hard_cuts(world).values(), *map(int, drawn)], seed=2)


def count(tally: Tally) -> None:
    tried("causality", "cut points", tally.cuts)
    tried("causality", "other futures", tally.futures)
    tried("causality", "steps compared bit for bit", tally.rows)


def nothing_leaks(subject: Subject, world: World, futures: Iterable[Future]) -> None:
    leaks, tally = audit(subject, world, futures)
    assert not leaks, "\n".join(map(str, leaks[:5]))
    assert tally.futures >= max(1, tally.refused), f"{subject.name} was refused {tally.refused} futures"
    count(tally)


def share_of(subject: Subject, world: World, futures: list[Future]) -> list[Future]:
    """A few futures, others for each subject, such that all of them come in turn."""
    later = [future for future in futures if future.step >= subject.learns_until * len(world.market)]
    number = list(SUBJECTS).index(subject.name)
    return [later[(number * FEW + k) % len(later)] for k in range(FEW)]


# -- what there is -------------------------------------------------------------------------------------------


def test_nothing_public_is_forgotten() -> None:
    audited = {name for subject in SUBJECTS.values() for name in subject.covers}
    names = set(public_names())
    assert not names - audited - set(EXEMPT), "neither audited nor exempt with a reason"
    assert not audited & set(EXEMPT), "both audited and exempt"
    assert not (audited | set(EXEMPT)) - names, "there is no such name any more"
    assert all(EXEMPT.values())
    tried("causality", "public strategies, detectors and signals audited", len(SUBJECTS))


@pytest.mark.parametrize("kind", MEMBERS, ids=lambda kind: kind.__name__)
def test_nothing_that_a_class_tells_is_forgotten(kind: type) -> None:
    asked, exempt = MEMBERS[kind]
    listed = [*asked.split(), *" ".join(exempt.values()).split()]
    assert len(set(listed)) == len(listed)
    assert set(listed) == members(kind)


def test_the_strategies_of_the_audit_want_something(world: World) -> None:
    middle = int(world.market.times[len(world.market) // 2])
    for name, (_, make) in STRATEGIES.items():
        lines = {what: one for what, one in wanted(make, world).items() if not what.startswith("signal ")}
        said = [np.isfinite(one.until(middle)).any() for one in lines.values() if np.isnan(one.blank or 0)]
        assert any(said), f"{name} wants nothing in the first half of the market"


def test_the_hard_places_are_what_they_are_called(world: World) -> None:
    cuts, grid = hard_cuts(world), world.market.grid
    between = cuts["between the venues' sessions of one date"]
    assert list(grid["venue"].iloc[[between, between + 1]]) == ["XHKG", "XNYS"]
    assert grid["session"].iloc[between] == grid["session"].iloc[between + 1]
    known = pd.DatetimeIndex(world.events.frame["known_at"])
    seen = cuts["the step at which event 1 is known"]
    times = grid["time"].iloc[[seen - 1, seen]]
    assert ((known > times.iloc[0]) & (known <= times.iloc[1])).any()
    before, after = (
        grid["time"].iloc[cuts[f"the {word}"]]
        for word in ("last step before the clocks change", "first step after the clocks changed")
    )
    zone = "America/New_York"
    assert before.tz_convert(zone).utcoffset() != after.tz_convert(zone).utcoffset()
    assert len(cuts) >= 20
    tried("causality", "hard places to cut at", len(cuts))


@pytest.mark.parametrize("how", MARKETS)
def test_another_future_is_another_and_has_the_same_past(world: World, how: str) -> None:
    step = len(world.market) // 2
    other = other_world(world, step, how, np.random.default_rng(3))
    now = int(world.market.times[step])
    for name in ("signal: market", "signal: intensities", "signal: series"):
        mine, theirs = (SUBJECTS[name].ask(one) for one in (world, other))
        assert differences(mine, theirs, now)[0] == []
        end = int(other.market.times[-1])
        if how != "ends":
            assert differences(mine, theirs, end)[0], f"the future of {name} is the same"
    assert len(other.path.time) == len(other.market)


# -- nothing sees it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SUBJECTS)
def test_nothing_told_depends_on_what_comes_later(world: World, futures: list[Future], name: str) -> None:
    subject = SUBJECTS[name]
    nothing_leaks(subject, world, share_of(subject, world, futures))


def test_a_market_as_it_was_known_is_the_same_whatever_comes_later(
    world: World, futures: list[Future]
) -> None:
    for future in futures:
        mine, theirs = (one.market.until(future.step) for one in (world, future.world))
        for name in ("price", "volume", "fixings", "ratios", "dividends", "splits", "ahead"):
            pd.testing.assert_frame_equal(getattr(mine, name), getattr(theirs, name), check_exact=True)
        # When a halt ends is not known while it lasts.
        pd.testing.assert_series_equal(mine.halts["start"], theirs.halts["start"])
        tried("causality", "cut points")


@pytest.fixture(scope="module")
def many_futures(world: World) -> list[Future]:
    """Futures after every hard step, twice, and after many at random."""
    drawn = np.random.default_rng(4).integers(len(world.market) // 4, len(world.market) - 1, 60)
    hard = list(hard_cuts(world).values())
    return futures_of(world, [*hard, *hard, *map(int, drawn)], seed=5)


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_nothing_told_depends_on_what_comes_later_anywhere(
    world: World, many_futures: list[Future], name: str
) -> None:
    nothing_leaks(SUBJECTS[name], world, many_futures)


@pytest.mark.slow
@pytest.mark.parametrize("subject", list(every_run()), ids=lambda subject: subject.name)
def test_no_run_depends_on_what_comes_later(world: World, futures: list[Future], subject: Subject) -> None:
    nothing_leaks(subject, world, futures)


ON_REAL_PRICES = (
    "strategy: convergence",
    "strategy: delisting hedge",
    "strategy: sector momentum",
    "strategy: sector volatility",
    "strategy: index pair",
    "strategy: regime switch",
    "strategy: scaled to volatility",
    "press: convergence",
    "press: relief reversal",
    "path: threshold",
    "path: jump",
    "signal: premium",
    "signal: volumes",
    "signal: discount monitor",
    "observation: parity_gap",
    "observation: hk_minus_adr",
    "observation: basket_return",
    "observation: realised_volatility",
    "run: pairs that leave",
)


@pytest.fixture(scope="module")
def real_world(real_prices: Path) -> World:
    market = ep.load_market(
        real_prices, start="2020-06-01", end="2022-06-30", ends="cut", departures="parity"
    )
    events = ep.load_events()
    return World(market, events, ep.RegimeModel().walk_forward(market, events))


@pytest.fixture(scope="module")
def real_futures(real_world: World) -> list[Future]:
    drawn = np.random.default_rng(7).integers(len(real_world.market) // 2, len(real_world.market) - 1, 16)
    return futures_of(real_world, [int(step) for step in drawn], seed=8)


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_REAL_PRICES)
def test_nothing_told_of_real_prices_depends_on_what_comes_later(
    real_world: World, real_futures: list[Future], name: str
) -> None:
    nothing_leaks(SUBJECTS[name], real_world, real_futures)


# -- the engine on drawn worlds ------------------------------------------------------------------------------


def ledger_of(drawn: worlds.World, market: ep.Market, **changes: object) -> ep.Result:
    terms = {"capital": drawn.capital, "base_currency": drawn.base_currency, "fill": drawn.fill}
    return ep.backtest(market, **terms, **changes)  # type: ignore[arg-type]


def engine_sees_nothing(seed: int, cuts: int) -> Tally:
    """Run a drawn world and others that are the same up to a step: market, plan, regimes and dated costs."""
    switches = replace(worlds.random_switches(seed), impossible_shorts=False)
    drawn = worlds.random_world(seed, steps=70, pairs=1 + seed % 2, switches=switches)
    tally = Tally()
    try:
        ledger = ledger_of(drawn, drawn.market, plan=drawn.plan, costs=drawn.costs, path=drawn.path)
    except EntrepotError:
        return tally
    whole, rng = of_ledger(ledger), np.random.default_rng(seed)
    for number, step in enumerate(rng.integers(1, len(drawn.market) - 1, cuts)):
        how = list(MARKETS)[(seed * cuts + number) % len(MARKETS)]
        market = MARKETS[how](drawn.market, int(step), rng)
        order = np.searchsorted(drawn.market.times, market.times)
        order[step + 1 :] = rng.integers(0, len(drawn.market), max(len(order) - step - 1, 0))
        targets = replace(
            drawn.targets,
            weights=drawn.targets.weights[order],
            pair_weights=drawn.targets.pair_weights[order],
            exits=drawn.targets.exits[order],
        )
        path = drawn.path
        if path is not None:
            path = SimpleNamespace(**vars(path) | {"states": path.states[order], "time": market.grid["time"]})
        costs = other_costs(drawn.costs, last_session(drawn.market, int(step)), rng)
        plan = SimpleNamespace(targets=lambda market, path=None, targets=targets: targets)
        try:
            told = of_ledger(ledger_of(drawn, market, plan=plan, costs=costs, path=path))
        except EntrepotError:
            tally.refused += 1
            continue
        found, rows = differences(whole, told, int(drawn.market.times[step]))
        assert not found, Leak(repr(drawn), ", ".join(found[:5]), how, int(step))
        tally.cuts, tally.futures, tally.rows = tally.cuts + 1, tally.futures + 1, tally.rows + rows
    return tally


def test_the_ledger_of_drawn_worlds_depends_on_nothing_later() -> None:
    tallies = [engine_sees_nothing(seed, cuts=2) for seed in range(DRAWN)]
    assert sum(one.futures for one in tallies) > DRAWN / 2
    for one in tallies:
        count(one)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_the_ledger_of_many_drawn_worlds_depends_on_nothing_later(block: int) -> None:
    for seed in range(1000 + 40 * block, 1040 + 40 * block):
        count(engine_sees_nothing(seed, cuts=5))


# -- the moment at which something is known ------------------------------------------------------------------


def test_when_an_event_was_announced_changes_nothing_where_it_was_known_when_it_was(world: World) -> None:
    other = replace(world, events=announced_otherwise(world.events, np.random.default_rng(6)))
    end = int(world.market.times[-1])
    for name in ("signal: intensities", "path: threshold", "path: markov", "strategy: stimulus"):
        mine, theirs = (SUBJECTS[name].ask(one) for one in (world, other))
        found, rows = differences(mine, theirs, end)
        assert found == []
        tried("causality", "steps compared bit for bit", rows)


@pytest.mark.parametrize("early", [1, 3])
def test_what_is_known_at_the_time_of_a_step_is_seen_at_that_step_and_a_nanosecond_later_is_not(
    world: World, early: int
) -> None:
    """Known at a step: `known_at` is at or before its time."""
    market = world.market
    step = len(market) // early - 100
    frame = world.events.frame.iloc[:1].assign(
        event_id="own", channel="tariff", direction=1, severity=5, effective_on="", announced_at="2020-01-01"
    )
    quiet = ep.Events(world.events.frame.iloc[:0])
    for late, first in ((0, step), (1, step + 1)):
        known_at = market.grid["time"].iloc[step] + pd.Timedelta(late, "ns")
        events = quiet.merge(ep.Events(frame.assign(known_at=known_at)))
        assert len(events.known_by(market.grid["time"].iloc[step])) == 1 - late
        seen = events.intensity(market.grid, channels="tariff")["tariff", "escalation"].to_numpy() > 0
        assert int(seen.argmax()) == first
        path = ep.RegimeModel().walk_forward(market, events)
        assert int((path.states == 1).argmax()) == first
        values = pd.DataFrame({"0700.HK": [1.0]}, [known_at.tz_localize(None).normalize()])
        series = ep.KnownSeries("one", values, pd.DatetimeIndex([known_at]))
        assert int(np.argmax(series.row_at(market, np.arange(len(market))) == 0)) == first
    tried("causality", "moments at which something is known, to the nanosecond", 2)


# -- what looks ahead is caught ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOOK_AHEADS)
def test_what_looks_ahead_is_caught(world: World, futures: list[Future], name: str) -> None:
    leaks, _ = audit(LOOK_AHEADS[name], world, futures[::3])
    if not leaks:
        leaks, _ = audit(LOOK_AHEADS[name], world, futures)
    assert leaks, f"{name} was not caught"
    assert name in str(leaks[0])
    tried("causality", "deliberate look-aheads caught")


@pytest.mark.parametrize("name", ["one row early", "events by the gravest to come", "a series by its dates"])
def test_what_users_check_with_catches_it_too(world: World, name: str) -> None:
    checked = {"steps": range(1, len(world.market) - 1, 151)} if name == "one row early" else {}
    caught_by_users(world, name, **checked)


@pytest.mark.slow
@pytest.mark.parametrize("name", look_aheads.STRATEGIES)
def test_what_users_check_with_catches_every_strategy_that_looks_ahead(world: World, name: str) -> None:
    caught_by_users(world, name)
    tried("causality", "deliberate look-aheads caught by check_causal")


def caught_by_users(world: World, name: str, **checked: object) -> None:
    made = look_aheads.STRATEGIES[name](world)
    report = ep.check_causal(made, world.market, world.path, strict=False, **checked)  # type: ignore[arg-type]
    assert report.first is not None, repr(report)


def test_there_are_many_ways_of_looking_ahead() -> None:
    assert len(LOOK_AHEADS) >= 25
