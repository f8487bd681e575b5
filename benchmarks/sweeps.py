"""Time sweeps of a compiled strategy: rate, memory against the number of configurations, and Ctrl-C.

Before it is timed, some rows are compared with their recorded single runs. Each number of configurations runs
in a process of its own, so that its peak memory is its own. `--help` lists the options.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from hot_loop import describe_machine, forget_peak, peak_bytes, resident_bytes

import entrepot as ep

TOLERANCE = 1e-12


def grid(configurations: int) -> dict[str, Any]:
    """Ten lookbacks, up to ten exits, and as many entries as make the number up."""
    lookbacks = list(range(20, 120, 10))
    exits = np.linspace(-0.4, 0.4, 10)[: max(1, configurations // 100)]
    entries = np.linspace(0.5, 3.0, max(1, configurations // (len(lookbacks) * len(exits))))
    return {"lookback": lookbacks, "entry": entries, "exit": exits}


def make_market(years: int) -> ep.Market:
    """The simulated market: its pairs, four steps a day."""
    return ep.simulate_market(start="2018-01-02", end=f"{2017 + years}-12-31", seed=7)


def work(configurations: int, years: int) -> dict[str, Any]:
    """Sweep in this process: compile and warm up on few, then time, then compare rows."""
    market, plan = make_market(years), ep.LongHKShortADR()
    path = ep.RegimeModel().walk_forward(market, ep.load_events())
    ep.sweep(market, plan, {"entry": [1.0, 2.0]}, path=path, progress=False)
    before = resident_bytes()
    forget_peak()
    start = time.perf_counter()
    made = ep.sweep(market, plan, grid(configurations), path=path, progress=False)
    taken = time.perf_counter() - start
    memory = peak_bytes() - before
    rows = np.random.default_rng(0).choice(len(made.table), 3)
    worst = 0.0
    for row in rows:
        end = made.backtest(int(row)).equity_by_step[-1]
        worst = max(worst, abs(made.table.at[int(row), "End Value"] / end - 1.0))
    if not worst < TOLERANCE:
        raise SystemExit(f"sweeps: a row and its recorded run differ by {worst:.1e}")
    cells = len(made.table) * len(market) * len(market.pairs)
    return {
        "configurations": len(made.table),
        "steps": len(market),
        "pairs": len(market.pairs),
        "seconds": taken,
        "per_second": len(made.table) / taken,
        "ns_per_cell": taken * 1e9 / cells,
        "memory_mb": memory / 1e6,
        "table_mb": float(made.table.memory_usage(deep=True).sum()) / 1e6,
        "fills_each": float(made.table["Fills"].mean()),
        "difference": worst,
    }


def interrupt(years: int) -> float:
    """Send Ctrl-C to this process in the middle of a sweep; seconds until the sweep is back."""
    market, plan = make_market(years), ep.LongHKShortADR()
    ep.sweep(market, plan, {"entry": [1.0, 2.0]}, progress=False)
    sent: list[float] = []

    def press() -> None:
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(8.0, press)  # past the planning
    timer.start()
    made = ep.sweep(market, plan, grid(100_000), progress=False)
    back = time.perf_counter()
    if made.complete:
        raise SystemExit("sweeps: the sweep was over before it could be interrupted")
    return back - sent[0]


def in_a_process(*arguments: object) -> dict[str, Any]:
    """Run this script's worker in a process of its own."""
    command = [sys.executable, __file__, "--worker", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"sweeps: {arguments} failed, see above")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small shapes")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        what, years = options.worker[0], int(options.worker[1])
        told = {"seconds": interrupt(years)} if what == "interrupt" else work(int(what), years)
        print(json.dumps(told))
        return
    years = 2 if options.quick else 8
    rows = []
    for configurations in (100, 1000) if options.quick else (100, 1000, 10_000, 100_000):
        row = in_a_process(configurations, years)
        rows.append(row)
        print(
            f"{row['configurations']:,} configurations x {row['steps']:,} steps x {row['pairs']} pairs: "
            f"{row['seconds']:.2f} s, {row['per_second']:,.0f} a second, {row['ns_per_cell']:.2f} ns per "
            f"configuration, step and pair, {row['memory_mb']:.0f} MB (the table: {row['table_mb']:.0f} MB)",
            flush=True,
        )
    stopped = in_a_process("interrupt", years)["seconds"]
    print(f"Ctrl-C: {stopped * 1e3:.0f} ms")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"machine": describe_machine(), "rows": rows, "interrupt_s": stopped}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
