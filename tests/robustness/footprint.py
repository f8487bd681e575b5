"""What a run takes of memory, measured in a process of its own, and what the library thinks it takes."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import entrepot as ep


def market_of(steps: int, symbols: int) -> ep.Market:
    """A market of one venue whose prices wander, one step a day."""
    dates = pd.bdate_range("1950-01-02", periods=steps)
    moves = np.random.default_rng(0).normal(0.0, 0.01, (steps, symbols))
    prices = 100.0 * np.exp(np.cumsum(moves, axis=0))
    return ep.Market.from_prices(pd.DataFrame(prices, dates, [f"S{i}" for i in range(symbols)]))


def rebalanced(market: ep.Market, every: int) -> ep.Targets:
    """Weights in all lines, a little other each time."""
    weights = np.full(market.prices.shape, np.nan)
    rows = weights[::every]
    rows[:] = (1.0 + 0.1 * np.random.default_rng(1).normal(size=rows.shape)) * 0.5 / rows.shape[1]
    return ep.Targets(weights)


def status(name: str) -> int:
    """What the system says of this process, in bytes."""
    rows = dict(row.split(":", 1) for row in Path("/proc/self/status").read_text("ascii").splitlines())
    return int(rows[name].split()[0]) * 1024


def peak_of(call: Callable[[], Any]) -> int:
    """Bytes that a call has resident at most, more than before."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed and kept would be used again, and not be seen
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak begins anew
    before = status("VmRSS")
    kept = call()
    peak = status("VmHWM")
    del kept
    return peak - before


def a_run(every: int) -> Callable[[], Any]:
    market = market_of(4000, 200)
    targets = rebalanced(market, every)
    ep.backtest(market.until(50), ep.Targets(targets.weights[:51]))  # what is compiled, is
    return lambda: ep.backtest(market, targets, costs=ep.Costs(margin=None))


def a_batch() -> Callable[[], Any]:
    market, weights = market_of(2000, 1), np.zeros((6000, 2000, 1))
    ep.backtest_batch(market, weights[:1], fee_bps=1)
    return lambda: ep.backtest_batch(market, weights, fee_bps=1)


def many_draws() -> Callable[[], Any]:
    returns = np.random.default_rng(0).normal(0.0, 0.01, (600, 4))
    ep.superior_ability(returns, draws=100)
    return lambda: ep.superior_ability(returns, draws=20_000)


MEASURED = {
    "a run that trades each month": lambda: a_run(20),
    "a run that trades each day": lambda: a_run(1),
    "a batch": a_batch,
    "a bootstrap of many draws": many_draws,
}


def footprint(what: str) -> tuple[float, float]:
    """Bytes that one of `MEASURED` takes at most, and the largest estimate made of it."""
    call = MEASURED[what]()
    call()  # what the first one loads and compiles is not the run's
    estimates: list[float] = []

    def note(needed: float, what: str, instead: str, *, reserved: float = 0.0) -> None:
        estimates.append(needed)

    for name, module in list(sys.modules.items()):
        if name.startswith("entrepot.") and hasattr(module, "require_memory"):
            module.require_memory = note  # type: ignore[attr-defined]
    return float(peak_of(call)), max(estimates)
