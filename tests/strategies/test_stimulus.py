"""The policy-stimulus basket: bought when support is known, kept for a while, out on the disappointment."""

from __future__ import annotations

import naive_baskets as naive
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.errors import ParameterError
from entrepot.markets.load import load_market
from entrepot.markets.sessions import session_times
from entrepot.regimes import load_events
from entrepot.regimes.events import Events
from entrepot.strategies.stimulus import StimulusBasket
from entrepot.strategies.targets import decisions


def calendar(*rows):
    """Events from (known_at, direction, severity), of policy support unless a channel is named."""
    table = [
        {
            "event_id": f"e{i}",
            "known_at": at,
            "direction": d,
            "severity": s,
            "channel": (*c, "policy_support")[0],
        }
        for i, (at, d, s, *c) in enumerate(rows)
    ]
    return Events(pd.DataFrame(table))


def funds(make_market, line, count=60, symbols=("KWEB", "CHIQ", "0700.HK"), seed=1, **changes):
    rng = np.random.default_rng(seed)
    levels = {s: 30 * np.exp(np.cumsum(0.01 * rng.standard_normal(count))) for s in symbols}
    rows = {s: line(s, "ordinary" if s.endswith("HK") else "etf") for s in symbols}
    return make_market(levels, rows, **changes)


def said(targets, market):
    """What is said at New York closes, by day and symbol."""
    steps = decisions(market)
    days = market.grid["session"][steps].dt.strftime("%m-%d").to_numpy()
    numbers = targets.weights[steps]
    return {
        days[i]: {s: w for s, w in zip(market.symbols, row.tolist(), strict=True) if np.isfinite(w)}
        for i, row in enumerate(numbers)
        if np.isfinite(row).any()
    }


PACKAGE = calendar(("2022-01-18T02:00Z", -1, 5), ("2022-01-21T15:00Z", -1, 3), ("2022-02-02T02:00Z", 1, 3))


def test_bought_at_the_close_that_knows_and_sold_when_the_time_is_over(make_market, line):
    market = funds(make_market, line)
    both, none = {"KWEB": 0.5, "CHIQ": 0.5}, {"KWEB": 0.0, "CHIQ": 0.0}
    plan = StimulusBasket(calendar(("2022-01-18T02:00Z", -1, 3)), sessions=5)
    assert said(plan.targets(market), market) == {"01-18": both, "01-25": none}
    assert said(plan.with_(events=PACKAGE).targets(market), market) == {"01-18": both, "01-28": none}
    assert said(plan.with_(events=PACKAGE, sessions=60).targets(market), market) == {
        "01-18": both,
        "02-02": none,
    }
    weak = plan.with_(events=calendar(("2022-01-18T02:00Z", -1, 2)))
    assert said(weak.targets(market), market) == {}
    assert said(weak.with_(severity=2).targets(market), market) == {"01-18": both, "01-25": none}
    other = plan.with_(events=calendar(("2022-01-18T02:00Z", -1, 5, "tariff")))
    assert said(other.targets(market), market) == {}
    assert "nothing ever calls for it" in other.targets(market).notes[0]


@pytest.mark.parametrize(("severity", "out"), [(1, "01-25"), (2, "01-20"), (5, "01-20")])
def test_a_disappointment_ends_it(make_market, line, severity, out):
    market = funds(make_market, line)
    events = calendar(("2022-01-18T02:00Z", -1, 3), ("2022-01-20T02:00Z", 1, severity))
    plan = StimulusBasket(events, sessions=5, weight=0.4)
    assert said(plan.targets(market), market) == {
        "01-18": {"KWEB": 0.2, "CHIQ": 0.2},
        out: {"KWEB": 0.0, "CHIQ": 0.0},
    }


@pytest.mark.parametrize(
    ("symbols", "lines"),
    [
        (("KWEB", "CHIQ", "0700.HK"), {"KWEB", "CHIQ"}),
        (("CHIQ", "0700.HK"), {"CHIQ"}),
        (("0700.HK", "9988.HK", "0939.HK"), {"0700.HK", "9988.HK"}),
    ],
)
def test_funds_where_there_are_any_else_hong_kong_lines(make_market, line, symbols, lines):
    market = funds(make_market, line, symbols=symbols)
    targets = StimulusBasket(PACKAGE).targets(market)
    assert set(said(targets, market)["01-18"]) == lines
    assert sum(said(targets, market)["01-18"].values()) == pytest.approx(1)
    assert ("KWEB" in " ".join(targets.notes)) is ("KWEB" not in symbols)


def test_ones_own_lines_and_none_at_all(make_market, line):
    market = funds(make_market, line)
    plan = StimulusBasket(PACKAGE, symbols=["0700.HK", "KWEB"])
    assert set(said(plan.targets(market), market)["01-18"]) == {"0700.HK", "KWEB"}
    with pytest.raises(ParameterError, match=r"the basket has no line in this market: load one of 3690.HK"):
        plan.with_(symbols="3690.HK").targets(market)


@pytest.mark.parametrize("jump", [0.3, -0.2])
def test_what_happens_while_it_is_held_is_earned(make_market, line, jump):
    """A jump before the package, one while the basket is held, and one after the disappointment."""
    count = 40
    day = np.arange(count)
    price = 30.0 * np.prod([np.where(day >= when, 1 + jump, 1.0) for when in (5, 16, 30)], axis=0)
    market = make_market({"KWEB": price}, {"KWEB": line("KWEB", "etf")})
    plan = StimulusBasket(PACKAGE, drift_band=np.inf, weight=0.5)
    run = ep.backtest(market, plan, costs=ep.Costs.none(), check=True)
    assert run.equity.iloc[-1] / 1e7 - 1 == pytest.approx(0.5 * jump, rel=1e-9)


def test_it_is_the_slow_twin(make_market, line):
    market = funds(make_market, line, count=200, hk_holidays=("2022-02-01",))
    rng = np.random.default_rng(3)
    moments = pd.Timestamp("2021-12-01", tz="UTC") + pd.to_timedelta(
        np.sort(rng.uniform(0, 300, 14)), unit="D"
    )
    events = calendar(*((when, int(rng.choice([-1, -1, 1])), int(rng.integers(1, 6))) for when in moments))
    targets = StimulusBasket(events, sessions=15).targets(market)
    closes = list(session_times("XNYS", "2021-06-01", "2023-12-31", phases=("close",))["close"])
    steps = decisions(market)
    on = naive.held_after_events(events, list(market.grid["time"][steps]), closes, "policy_support", 3, 2, 15)
    slow = naive.held(market, ("KWEB", "CHIQ"), (), [float(x) for x in on], weight=1.0)
    single, _ = targets.standing()
    for step, wanted in zip(steps, slow, strict=True):
        row = {s: w for s, w in zip(market.symbols, single[step].tolist(), strict=True) if w}
        assert row == pytest.approx(wanted)
    assert 20 < sum(on) < 180


@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
def test_cutting_the_market_or_the_calendar_changes_nothing_before(make_market, line, same_until, phases):
    market = funds(make_market, line, phases=phases)
    plan = StimulusBasket(PACKAGE, sessions=8)
    same_until(plan, market, None, seed=1)
    whole = plan.targets(market)
    for step in (30, 40, 60, 90):
        seen = plan.with_(events=PACKAGE.known_by(market.grid["time"][step]))
        assert seen.targets(market).weights[: step + 1].tobytes() == whole.weights[: step + 1].tobytes()
    assert np.isfinite(whole.weights).any()


@pytest.mark.parametrize(
    "changes",
    [
        {"events": None},
        {"events": "policy_support"},
        {"symbols": []},
        {"sessions": 0},
        {"sessions": 2.5},
        {"severity": 4},
        {"severity": 0},
        {"exit_severity": 5},
        {"weight": -0.5},
        {"drift_band": 0},
    ],
)
def test_wrong_parameters_are_refused_in_one_sentence(changes):
    with pytest.raises(ParameterError, match=f"^{next(iter(changes))} is") as refusal:
        StimulusBasket(**{"events": PACKAGE} | changes)
    assert "\n" not in str(refusal.value)


def test_on_the_calendar_it_is_in_for_september_and_out_on_the_eighth_of_october(real_prices):
    market = load_market(real_prices, start="2024-01-02", ends="cut", departures="parity")
    level = StimulusBasket(load_events()).targets(market).signals["stimulus"]["level"]
    assert level["2024-09-23"] == 0
    assert (level["2024-09-24":"2024-10-07"] == 1).all()
    assert level["2024-10-08"] == 0
    assert level["2025-03-05"] == 1
