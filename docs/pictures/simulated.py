"""The simulated run that pictures of results show: made once, whatever draws it."""

from __future__ import annotations

from functools import cache

import entrepot as ep

START, END, SEED = "2020-01-02", "2025-12-31", 7


@cache
def events() -> ep.Events:
    """The bundled calendar."""
    return ep.load_events()


@cache
def market() -> ep.Market:
    """Six years of simulated prices, moved by the bundled events."""
    return ep.simulate_market(START, END, seed=SEED, events=events().frame)


@cache
def path() -> ep.RegimePath:
    """The regimes of the default model."""
    return ep.RegimeModel().walk_forward(market(), events())


@cache
def switched() -> ep.RegimeSwitch:
    """Convergence while no delisting threatens, the hedge while it does."""
    pairs = ep.LongHKShortADR()
    hedge = pairs.with_(mode="delisting_hedge")
    return ep.RegimeSwitch(path(), calm=pairs, tariff=pairs, delisting=hedge, decoupling=hedge)


@cache
def result() -> ep.Result:
    """The switched plan with every cost."""
    return ep.backtest(market(), switched(), path=path())
