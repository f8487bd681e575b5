"""Time what a user waits for before the first result: import, and the first backtest of a new process.

The first backtest is timed with the compiled kernels on disk; `--cold` compiles them again, into a folder of
its own. The best of five fresh processes counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile

IMPORT = """
import time
start = time.perf_counter()
import entrepot
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


def fastest(script: str, repeat: int, environment: dict[str, str] | None = None) -> float:
    """Smallest time printed by fresh processes."""
    command = [sys.executable, "-c", script]
    return min(float(subprocess.check_output(command, text=True, env=environment)) for _ in range(repeat))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cold", action="store_true", help="also compile everything once more")
    options = parser.parse_args()
    fastest(FIRST_CALL, 1)  # fills the caches of Python and numba
    print(f"import entrepot: {fastest(IMPORT, 5):.2f} s")
    print(f"first backtest_batch of a process, kernels on disk: {fastest(FIRST_CALL, 5):.2f} s")
    if options.cold:
        with tempfile.TemporaryDirectory() as folder:
            cold = fastest(FIRST_CALL, 1, os.environ | {"NUMBA_CACHE_DIR": folder})
        print(f"first backtest_batch ever, compiling: {cold:.2f} s")


if __name__ == "__main__":
    main()
