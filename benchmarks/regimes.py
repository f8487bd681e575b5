"""Time detectors against statsmodels and jumpmodels, and a whole walk forward; `--help` lists the options.

What is fitted is compared with the other package first: see `regimes_markov.py` and `regimes_jump.py`. The
walk forward is compared with itself on a market that was cut: its first years must have the same bits.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import regimes_jump
import regimes_markov
from hot_loop import describe_machine

import entrepot as ep

CUT = 6_000


def measure_walk(quick: bool) -> dict[str, Any]:
    """Eight years of the simulated market, both risks fitted by `MarkovDetector` every 21 sessions."""
    events = ep.load_events()
    market = ep.simulate_market(start="2018-01-02", end="2025-12-31", seed=7)
    model = ep.RegimeModel(tariff=ep.MarkovDetector(), delisting=ep.MarkovDetector())
    whole = model.walk_forward(market, events, progress=False)
    cut = model.walk_forward(market.until(CUT), events, progress=False)
    if cut.states.tobytes() != whole.until(CUT).states.tobytes():
        raise SystemExit("regimes: the walk forward changes when the market is cut; nothing was timed")
    taken = []
    for _ in range(2 if quick else 7):
        start = time.perf_counter()
        model.walk_forward(market, events, progress=False)
        taken.append(time.perf_counter() - start)
    fits = {risk: len(table) for risk, table in whole.refits.items()}
    return {
        "steps": len(market),
        "sessions": len(whole.rows["tariff"]),
        "fits": sum(fits.values()),
        "best_s": min(taken),
        "median_s": median(taken),
    }


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small shapes")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args()
    figures = {
        "machine": describe_machine(),
        "markov": regimes_markov.measure(options.quick),
        "jump": regimes_jump.measure(options.quick),
        "walk": measure_walk(options.quick),
    }
    for row in figures["markov"]:
        print(
            f"Markov, {row['what']}: {row['T']:,} rows, {row['states']} states: "
            f"{row['entrepot_s'] * 1e3:.2f} ms, statsmodels {row['statsmodels_s'] * 1e3:.0f} ms, "
            f"{row['ratio']:.0f} times"
        )
    for row in figures["jump"]:
        print(
            f"jump model, fit: {row['T']:,} rows, {row['states']} states: {row['entrepot_s'] * 1e3:.2f} ms, "
            f"jumpmodels {row['jumpmodels_s'] * 1e3:.0f} ms, {row['ratio']:.0f} times"
        )
    walk = figures["walk"]
    print(
        f"walk forward: {walk['sessions']:,} sessions, {walk['fits']} fits: best {walk['best_s']:.2f} s, "
        f"median {walk['median_s']:.2f} s"
    )
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
