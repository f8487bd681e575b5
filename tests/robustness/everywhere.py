"""Everything entrepot computes from fixed input, bit by bit: run as a script under other flags and compared.

`python everywhere.py FILE [workers]` writes the arrays of `results` to an .npz file.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS)] if str(TESTS) not in sys.path else []

import worlds  # noqa: E402

import entrepot as ep  # noqa: E402
from entrepot.engine import Bench  # noqa: E402
from entrepot.errors import EntrepotError  # noqa: E402

# Odd, so that no vector width divides it: lanes are run in vectors of 2, 4 or 8 and a rest.
CONFIGURATIONS = 13
WORLDS = 12


def results(workers: int = 1, chunk: int = 5) -> dict[str, np.ndarray]:
    """Ledgers, batches, a sweep, detectors and figures of fixed seeds, by name.

    Args:
        workers: threads of the sweep.
        chunk: configurations that the sweep runs at once.
    """
    market = ep.simulate_market(start="2019-01-02", end="2020-12-31", seed=7)
    return {
        "prices of a simulated market": market.prices,
        **ledgers(),
        **batches(),
        **swept(market, workers, chunk),
        **regimes(market),
    }


def numbers(frame: pd.DataFrame) -> np.ndarray:
    """The numeric columns of a table."""
    return np.asarray(frame.select_dtypes("number").to_numpy(dtype=np.float64))


def drawn(seed: int) -> worlds.World:
    """A small world in which any mechanism may be on."""
    switches = worlds.random_switches(seed)
    return worlds.random_world(seed, steps=60, pairs=seed % 3, switches=switches)


def ledgers() -> dict[str, np.ndarray]:
    """Recorded runs of drawn worlds."""
    out: dict[str, np.ndarray] = {}
    for seed in range(WORLDS):
        if (run := worlds.run(drawn(seed))) is None:
            continue
        for name in ("equity_by_step", "positions", "cash", "receivables", "contributions"):
            out[f"ledger {seed}: {name}"] = np.asarray(getattr(run, name), dtype=np.float64)
        out[f"ledger {seed}: fills"] = numbers(run.fills)
    return out


def batches() -> dict[str, np.ndarray]:
    """Many configurations side by side, on drawn worlds."""
    out: dict[str, np.ndarray] = {}
    for seed in range(WORLDS):
        world = drawn(seed)
        try:
            bench = Bench(world.market, costs=world.costs, capital=world.capital, path=world.path)
            some = [scaled(world.targets, 1.0 - i / 20.0) for i in range(CONFIGURATIONS)]
            tallied = bench.run(some, equity=True)
        except EntrepotError:
            continue
        out[f"batch {seed}: equity"] = np.asarray(tallied.equity)
        out[f"batch {seed}: figures"] = tallied.table.to_numpy(dtype=np.float64)
    return out


def scaled(targets: ep.Targets, by: float) -> ep.Targets:
    from dataclasses import replace

    return replace(targets, weights=targets.weights * by, pair_weights=targets.pair_weights * by)


GRID: Mapping[str, Any] = {"lookback": [20, 40], "entry": [0.8, 1.2, 1.6], "exit": [-0.2, 0.2]}


def swept(market: ep.Market, workers: int, chunk: int) -> dict[str, np.ndarray]:
    """A sweep of a strategy that decides inside the loop, and one run of it with its summary."""
    with ThreadPoolExecutor(workers) as pool:
        sweep = ep.sweep(market, ep.LongHKShortADR(), GRID, progress=False, chunk=chunk, executor=pool)
    one = ep.backtest(market, ep.LongHKShortADR())
    summary = pd.to_numeric(one.summary(), errors="coerce")
    rotation = ep.backtest(market, ep.SectorRotation())
    return {
        "sweep: table": numbers(sweep.table),
        "backtest: equity": one.equity.to_numpy(),
        "backtest: summary": np.asarray(summary, dtype=np.float64),
        "rotation: equity": rotation.equity.to_numpy(),
    }


def regimes(market: ep.Market) -> dict[str, np.ndarray]:
    """Detectors fitted to a drawn series, event intensities and the path of the default model."""
    rng = np.random.default_rng(5)
    y = np.where(np.arange(600) % 200 < 140, 1.0, 3.0) * rng.standard_normal(600)
    out: dict[str, np.ndarray] = {}
    fitted: dict[str, Any] = {
        "markov": ep.MarkovDetector(),
        "markov of three states": ep.MarkovDetector(states=3, family="student"),
        "jump": ep.JumpDetector(),
        "change point": ep.ChangePointDetector(),
    }
    for name, detector in fitted.items():
        out[f"{name}: filter"] = detector.fit(y).filter(y)
    frozen = ep.MarkovDetector().fit(np.round(y, 1))
    out["markov: filter of later rows"] = frozen.filter(y[:300])
    path = ep.RegimeModel().walk_forward(market, ep.load_events())
    out["regime path: states"] = np.asarray(path.states)
    out["regime path: probabilities"] = np.asarray(path.probabilities, dtype=np.float64)
    return out


if __name__ == "__main__":
    np.savez(sys.argv[1], **results(*(int(x) for x in sys.argv[2:])))  # type: ignore[arg-type]
