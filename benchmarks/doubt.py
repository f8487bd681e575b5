"""Time the tests of luck against arch and purgedcv, and a sweep with its page; `--help` lists the options.

Peers get the same returns, and their answers are compared before anything is timed: p-values and the set of
superior models must be arch's, the logits of all splits purgedcv's.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from math import comb
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
import numpy as np
from arch.bootstrap import SPA
from hot_loop import describe_machine
from purgedcv import probability_of_backtest_overfitting

import entrepot as ep

SESSIONS, BLOCK, DRAWS = 2_000, 10, 1_000
SPLITS = 12  # blocks of history: with 16, purgedcv takes eight minutes for a thousand configurations
GRID = {
    "lookback": range(20, 120, 5),
    "entry": np.arange(0.5, 3.0, 0.25).tolist(),
    "exit": np.arange(-0.5, 0.5, 0.1).round(2).tolist(),
}


def timed(run: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Best and median of some runs, seconds."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken), median(taken)


def returns_of(configurations: int) -> np.ndarray:
    """Returns of configurations that are alike, shape (sessions, configurations)."""
    rng = np.random.default_rng(0)
    common, own = rng.standard_normal((SESSIONS, 1)), rng.standard_normal((SESSIONS, configurations))
    return 0.01 * (0.7**0.5 * common + 0.3**0.5 * own) + rng.normal(0, 2e-4, configurations)


def measure_superiority(configurations: int, repeats: int) -> dict[str, Any]:
    """Hansen's test on one table of returns; arch runs once, for it takes long."""
    table = returns_of(configurations)
    found = ep.superior_ability(table, draws=DRAWS, seed=1, block=BLOCK, studentize=False)
    begin = time.perf_counter()
    peer = SPA(np.zeros(SESSIONS), -table, block_size=BLOCK, reps=DRAWS, seed=1)
    peer.compute()
    peer_s = time.perf_counter() - begin
    ours = [found.p_lower, found.p_consistent, found.p_upper]
    if not np.allclose(ours, peer.pvalues.to_numpy(), atol=1e-12):
        raise SystemExit(f"doubt: p-values {ours} are not arch's {peer.pvalues.tolist()}; nothing was timed")
    best, middle = timed(
        lambda: ep.superior_ability(table, draws=DRAWS, seed=1, block=BLOCK, studentize=False), repeats
    )
    return row("superior ability", "arch", configurations, best, middle, peer_s)


def measure_overfitting(configurations: int, repeats: int) -> dict[str, Any]:
    """All splits of one table of returns; purgedcv runs once."""
    table = returns_of(configurations)
    found = ep.overfitting(table, blocks=SPLITS)
    begin = time.perf_counter()
    peer = probability_of_backtest_overfitting(table.T, SPLITS)
    peer_s = time.perf_counter() - begin
    if not np.allclose(found.logits, np.asarray(peer.logits), atol=1e-9):
        raise SystemExit("doubt: the logits are not purgedcv's; nothing was timed")
    best, middle = timed(lambda: ep.overfitting(table, blocks=SPLITS), repeats)
    return row(
        f"overfitting, {comb(SPLITS, SPLITS // 2):,} splits", "purgedcv", configurations, best, middle, peer_s
    )


def row(
    what: str, peer: str, configurations: int, best: float, middle: float, peer_s: float
) -> dict[str, Any]:
    """One comparison."""
    return {
        "what": what, "peer": peer, "configurations": configurations, "sessions": SESSIONS,
        "best_s": best, "median_s": middle, "peer_s": peer_s, "ratio": peer_s / best,
    }  # fmt: skip


def measure_page(quick: bool) -> dict[str, Any]:
    """Sweep, significance and page of the pairs strategy on the simulated market."""
    mpl.use("Agg")
    market = ep.simulate_market()
    grid = {name: list(values)[:: 3 if quick else 1] for name, values in GRID.items()}
    stages: dict[str, float] = {}
    begin = time.perf_counter()

    def stage(name: str) -> None:
        stages[name] = time.perf_counter() - begin - sum(stages.values())

    sweep = ep.sweep(market, ep.LongHKShortADR(), grid, progress=False)
    stage("sweep")
    found = sweep.significance(progress=False)
    stage("significance")
    found.plot()
    stage("page")
    return {"configurations": sweep.trials, "steps": len(market), "stages": stages}


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small shapes")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args()
    count, repeats = (100, 2) if options.quick else (1_000, 5)
    figures = {
        "machine": describe_machine(),
        "rows": [measure_superiority(count, repeats), measure_overfitting(count, repeats)],
        "page": measure_page(options.quick),
    }
    for own in figures["rows"]:
        print(
            f"{own['what']}, {own['configurations']:,} configurations of {own['sessions']:,} sessions: "
            f"best {own['best_s']:.2f} s, {own['peer']} {own['peer_s']:.1f} s, {own['ratio']:.0f} times"
        )
    page = figures["page"]
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in page["stages"].items())
    print(f"{page['configurations']:,} configurations over {page['steps']:,} steps: {stages}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
