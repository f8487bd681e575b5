"""Show how time grows with steps, instruments and configurations, each over three orders of magnitude.

The slope of a line through the logarithms is 1 where time is proportional; a fixed cost makes it less. Plots
go beside the figures. `--help` lists the options.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from hot_loop import describe_machine, make_world, seconds_of

import entrepot as ep

# What stays as it is while one of them grows: configurations, steps, instruments.
AXES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "steps": tuple((64, steps, 4) for steps in (50, 500, 5_000, 50_000)),
    "instruments": tuple((64, 500, instruments) for instruments in (2, 20, 200, 2_000)),
    "configurations": tuple((configurations, 500, 4) for configurations in (64, 640, 6_400, 64_000)),
}


def measure(axis: str, shapes: tuple[tuple[int, int, int], ...]) -> list[dict[str, Any]]:
    """Time the batch on growing shapes."""
    rows = []
    for shape in shapes:
        prices, weights = make_world("neutral", *shape)
        market = ep.Market.from_prices(prices)

        def run(market: ep.Market = market, weights: Any = weights) -> object:
            return ep.backtest_batch(market, weights, fee_bps=10, fill="same_step")

        run()
        best = min(seconds_of(run, 3))
        rows.append(
            {"axis": axis, "shape": list(shape), "best_s": best, "ns_per_cell": best * 1e9 / weights.size}
        )
        del weights
    return rows


def slope(axis: str, rows: list[dict[str, Any]]) -> float:
    """Slope of time against size, in logarithms, over the upper two of the three orders of magnitude."""
    place = ("configurations", "steps", "instruments").index(axis)
    size = np.log([row["shape"][place] for row in rows[1:]])
    return float(np.polyfit(size, np.log([row["best_s"] for row in rows[1:]]), 1)[0])


def draw(results: dict[str, list[dict[str, Any]]], folder: Path) -> Path:
    """Draw time against size for each axis."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(results), figsize=(10, 3.2), layout="constrained")
    for panel, (axis, rows) in zip(panels, results.items(), strict=True):
        place = ("configurations", "steps", "instruments").index(axis)
        panel.loglog([row["shape"][place] for row in rows], [row["best_s"] for row in rows], marker="o")
        panel.set_xlabel(axis)
        panel.set_title(f"slope {slope(axis, rows):.2f}")
    panels[0].set_ylabel("seconds")
    path = folder / "growth.png"
    figure.savefig(path, dpi=120)
    return path


def main() -> None:
    """Read the options, measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="without the largest shape of each")
    parser.add_argument("--json", type=Path, help="write every figure to this file, and the plots beside it")
    options = parser.parse_args()
    results = {}
    for axis, shapes in AXES.items():
        results[axis] = measure(axis, shapes[:-1] if options.quick else shapes)
        told = ", ".join(
            f"{' x '.join(f'{n:,}' for n in row['shape'])}: {row['best_s']:.3g} s" for row in results[axis]
        )
        print(f"{axis}: slope {slope(axis, results[axis]):.2f} ({told})", flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"machine": describe_machine(), "results": results}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
        print(draw(results, options.json.parent))


if __name__ == "__main__":
    main()
