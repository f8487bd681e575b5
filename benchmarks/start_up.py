"""Time what a user waits for: import, prices from disk, the first backtest of a process, the first report.

Compiled kernels are on disk; `--cold` compiles them once more, into a folder of their own. The best of
several fresh processes counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMPORT = """
import time
start = time.perf_counter()
import entrepot
print(time.perf_counter() - start)
"""

IMPORT_ALL = """
import time
start = time.perf_counter()
import entrepot
[getattr(entrepot, name) for name in entrepot.__all__]
print(time.perf_counter() - start)
"""

FIRST_CALL = """
import time
import numpy as np
import pandas as pd
import entrepot as ep
prices = pd.DataFrame(100.0, index=pd.bdate_range("2020-01-01", periods=50), columns=["A", "B"])
market = ep.Market.from_prices(prices)
start = time.perf_counter()
ep.backtest_batch(market, np.full((1, 50, 2), 0.4), fee_bps=10, fill="same_step")
print(time.perf_counter() - start)
"""


LOAD = """
import sys, time
import entrepot as ep
ep.Market, ep.load_market
start = time.perf_counter()
market = ep.load_market(sys.argv[1])
print(time.perf_counter() - start)
"""

WRITE = """
import sys
from pathlib import Path
import pandas as pd
import entrepot as ep
market = ep.simulate_market("2018-01-02", "2025-12-31")
session = pd.DatetimeIndex(market.grid["session"], name="Date")
rows = {phase: (market.grid["phase"] == phase).to_numpy() for phase in ("open", "close")}
for symbol in market.symbols:
    price = market.price[symbol].to_numpy()
    parts = {phase.capitalize(): pd.Series(price[own], session[own]).dropna() for phase, own in rows.items()}
    pd.DataFrame(parts).to_csv(Path(sys.argv[1]) / f"{symbol}.csv")
rates = market.fixings.set_index(market.fixings["time"].dt.date.rename("Date"))
rates[["per_usd"]].set_axis(["Close"], axis=1).to_csv(Path(sys.argv[1]) / "HKD=X.csv")
"""


def fastest(script: str, repeat: int, *arguments: str, cache: str | None = None) -> float:
    """Smallest time printed by fresh processes."""
    command = [sys.executable, "-c", script, *arguments]
    environment = os.environ if cache is None else os.environ | {"NUMBA_CACHE_DIR": cache}
    return min(float(subprocess.check_output(command, text=True, env=environment)) for _ in range(repeat))


def report_seconds(repeat: int, cache: str | None = None) -> float:
    """Time a fresh process from its start to the main job's finished report."""
    environment = os.environ if cache is None else os.environ | {"NUMBA_CACHE_DIR": cache}
    taken = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            command = [sys.executable, "-m", "entrepot", "demo", "--out", folder]
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
            taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cold", action="store_true", help="also compile everything once more")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args()
    fastest(FIRST_CALL, 1)  # fills the caches of Python and numba
    report_seconds(1)
    figures = {
        "import entrepot": fastest(IMPORT, 5),
        "import entrepot and every public name": fastest(IMPORT_ALL, 5),
        "first backtest_batch of a process, kernels on disk": fastest(FIRST_CALL, 5),
        "main job to its report, kernels on disk": report_seconds(2),
    }
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", WRITE, folder], check=True)
        count = len(list(Path(folder).iterdir()))
        figures[f"load_market, {count} files of 8 years"] = fastest(LOAD, 2, folder)
    if options.cold:
        with tempfile.TemporaryDirectory() as cache:
            figures["first backtest_batch ever, compiling"] = fastest(FIRST_CALL, 1, cache=cache)
        with tempfile.TemporaryDirectory() as cache:
            figures["main job to its report, compiling"] = report_seconds(1, cache)
    for name, seconds in figures.items():
        print(f"{name}: {seconds:.2f} s")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
