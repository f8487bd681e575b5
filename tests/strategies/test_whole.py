"""All strategies on whole markets, simulated and real: a cut changes nothing that was decided before it."""

from __future__ import annotations

import numpy as np
import pytest

from entrepot.markets.load import load_market
from entrepot.markets.simulate import simulate_market
from entrepot.regimes import RegimeModel, load_events
from entrepot.strategies import LongHKShortADR, RegimeSwitch, SectorRotation

PAIRS = LongHKShortADR()
HEDGE = PAIRS.with_(mode="delisting_hedge", exit_by="convert")


def plan(path, weighting):
    return RegimeSwitch(
        path,
        calm=PAIRS,
        tariff=SectorRotation(lookback=60),
        delisting=HEDGE,
        decoupling=SectorRotation(lookback=60, universe="hk"),
        weighting=weighting,
    )


def cut_and_compare(market, seed, cuts):
    events, model = load_events(), RegimeModel()
    path = model.walk_forward(market, events)
    whole = {w: plan(path, w).targets(market) for w in ("hard", "probability")}
    for step in np.random.default_rng(seed).choice(len(market), cuts, replace=False):
        short = market.until(int(step))
        seen = model.walk_forward(short, events)
        for weighting, targets in whole.items():
            cut = plan(seen, weighting).targets(short)
            assert cut.pairs == targets.pairs
            assert cut.weights.tobytes() == targets.weights[: step + 1].tobytes(), f"cut at {step}"
            assert cut.pair_weights.tobytes() == targets.pair_weights[: step + 1].tobytes(), f"cut at {step}"
            assert cut.exits.tobytes() == targets.exits[: step + 1].tobytes(), f"cut at {step}"
    return whole["hard"]


def test_cutting_the_simulated_world_changes_nothing_before():
    market = simulate_market(start="2018-01-02", end="2019-12-31", seed=3)
    targets = cut_and_compare(market, seed=4, cuts=5)
    assert np.isfinite(targets.weights).sum() > 10
    assert np.isfinite(targets.pair_weights).sum() > 10


def test_cutting_real_prices_changes_nothing_before(real_prices):
    market = load_market(real_prices, start="2019-06-03", end="2022-12-30", ends="cut")
    targets = cut_and_compare(market, seed=5, cuts=4)
    assert np.isfinite(targets.weights).sum() > 10
    assert np.isfinite(targets.pair_weights).sum() > 10


def test_real_premia_are_traded_on_the_convergence_signal(real_prices):
    market = load_market(real_prices, start="2019-06-03", end="2022-12-30", ends="cut")
    targets = PAIRS.targets(market)
    signal = targets.signals["signal"]
    if "BABA" not in signal:
        pytest.skip("BABA is not among the real prices")
    said = signal["BABA"].dropna()
    assert 0.7 < said.autocorr(1) < 0.99  # of the same-date premium alone it is under 0.2
    assert 0.5 < targets.signals["premium"].loc[said.index, "BABA"].std() * 100 < 2
    assert targets.signals["round_trip"]["BABA"].between(0.002, 0.006).loc["2020":].all()
