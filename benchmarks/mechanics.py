"""Time the batch with every mechanism on: dated fees, lots, borrow, financing, FX, margin, two venues.

Before it is timed, some configurations are compared with their recorded single runs. `--help` lists the
options.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
from hot_loop import describe_machine, seconds_of, stream_seconds
from numpy.typing import NDArray

import entrepot as ep

TOLERANCE = 1e-12
CAPITAL = 1e8
TERMS = {
    "no costs": ep.Costs.none(),
    "all but margin": ep.Costs(margin=None),
    "all": ep.Costs(),
}


def two_venues(configurations: int, years: int) -> tuple[ep.Market, NDArray[np.float64]]:
    """A simulated market of Hong Kong and New York lines, four steps a day, and targets at every step."""
    market = ep.simulate_market(start="2018-01-02", end=f"{2017 + years}-12-31", seed=7)
    return market, random_weights(market, configurations)


def one_venue(configurations: int, steps: int, instruments: int) -> tuple[ep.Market, NDArray[np.float64]]:
    """Random walks of New York lines, one step a day, and targets at every step."""
    rng = np.random.default_rng(7)
    moves = 0.015 * rng.standard_normal((steps, instruments))
    prices = pd.DataFrame(
        100.0 * np.exp(np.cumsum(moves, axis=0)),
        index=pd.bdate_range("2018-01-02", periods=steps),
        columns=[f"S{i:03d}" for i in range(instruments)],
    )
    market = ep.Market.from_prices(prices)
    return market, random_weights(market, configurations)


def random_weights(market: ep.Market, configurations: int) -> NDArray[np.float64]:
    """Weights of gross 0.9, long only where nothing may be shorted, none for an index."""
    rng = np.random.default_rng(3)
    instruments = market.instruments
    weights = rng.standard_normal((configurations, len(market), len(market.symbols)))
    closed = ~instruments["shortable"].to_numpy(dtype=bool)
    weights[:, :, closed] = np.abs(weights[:, :, closed])
    weights[:, :, (instruments["kind"] == "index").to_numpy()] = np.nan
    weights *= 0.9 / np.nansum(np.abs(weights), axis=2, keepdims=True)
    return weights


def check(market: ep.Market, weights: NDArray[np.float64], costs: ep.Costs) -> float:
    """Compare two configurations with their recorded runs; the largest relative difference."""
    batch = ep.backtest_batch(market, weights[:2], costs=costs, capital=CAPITAL, base_currency="USD")
    worst = 0.0
    for i in range(2):
        plan = pd.DataFrame(weights[i], index=market.grid["time"], columns=market.symbols).dropna(
            axis=1, how="all"
        )
        run = ep.backtest(market, plan, costs=costs.with_(exact_fees=False), capital=CAPITAL)
        worst = max(worst, float(np.max(np.abs(batch[:, i] / run.equity_by_step - 1.0))))
    if not worst < TOLERANCE:
        raise SystemExit(f"mechanics: the batch and a recorded run differ by {worst:.1e}")
    return worst


def measure(
    name: str, market: ep.Market, weights: NDArray[np.float64], terms: dict[str, ep.Costs], repeat: int
) -> list[dict[str, object]]:
    """Compare, then time, each choice of terms."""
    floor = min(stream_seconds(weights, repeat)) * 1e9 / weights.size
    rows: list[dict[str, object]] = []
    for label, costs in terms.items():
        worst = check(market, weights, costs)

        def run(costs: ep.Costs = costs) -> object:
            return ep.backtest_batch(market, weights, costs=costs, capital=CAPITAL, base_currency="USD")

        run()
        best = min(seconds_of(run, repeat))
        rows.append(
            {
                "market": name,
                "costs": label,
                "shape": list(weights.shape),
                "best_s": best,
                "ns_per_cell": best * 1e9 / weights.size,
                "stream_ns_per_cell": floor,
                "difference": worst,
            }
        )
        shape = " x ".join(f"{n:,}" for n in weights.shape)
        print(
            f"{name}, {shape}, {label}: {best:.3g} s, {best * 1e9 / weights.size:.2f} ns per cell (reading "
            f"the weights: {floor:.2f}); differs from the recorded run by {worst:.0e}",
            flush=True,
        )
    return rows


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small shapes")
    parser.add_argument("--repeat", type=int, default=3, help="timed runs (default %(default)s)")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args()
    quick = options.quick
    market, weights = two_venues(16 if quick else 256, 2 if quick else 8)
    rows = measure("two venues", market, weights, TERMS, options.repeat)
    del weights
    market, weights = one_venue(64 if quick else 1000, 500 if quick else 2500, 20)
    flat = {"10 bp": ep.Costs.flat(10), "all": ep.Costs()}
    rows += measure("one venue", market, weights, flat, options.repeat)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"machine": describe_machine(), "rows": rows, "cpus": os.cpu_count()}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
