"""Compiled code on disk: renewed when the library changes, done without where nothing can be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUN = """
import numpy as np, pandas as pd, entrepot as ep
from entrepot.engine import _kernels as kernels
market = ep.Market.from_prices(
    pd.DataFrame(100.0 + np.arange(30)[:, None], pd.bdate_range("2020-01-01", periods=30), ["A"])
)
equity = ep.backtest_batch(market, np.full((1, 30, 1), 0.5), fee_bps=10)
hits = sum(getattr(kernels.run, "_cache_hits", {}).values())
print(ep.__file__, repr(float(equity[-1, 0])), hits)
"""


def installed(folder: Path) -> Path:
    """A copy of the library, as an installation has it."""
    shutil.copytree(
        ROOT / "src" / "entrepot", folder / "entrepot", ignore=shutil.ignore_patterns("__pycache__")
    )
    return folder


def run(folder: Path, **environment: str) -> tuple[float, int]:
    """Run a backtest on a copy; the result, and how often the kernel came from disk."""
    own = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    told = subprocess.check_output(
        [sys.executable, "-c", RUN],
        text=True,
        env=own | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"} | environment,
    ).split()
    assert told[0].startswith(str(folder))
    return float(told[1]), int(told[2])


@pytest.mark.slow
def test_a_changed_kernel_is_compiled_anew(tmp_path: Path) -> None:
    folder = installed(tmp_path)
    first, hits = run(folder)
    assert hits == 0
    assert run(folder) == (first, 1)
    kernel = folder / "entrepot" / "engine" / "_kernels.py"
    text = kernel.read_text(encoding="utf-8")
    changed = text.replace("return float(notional * tape.quote", "return 2.0 * float(notional * tape.quote")
    changed = changed.replace(
        "fees[lane] = bought * ask * buy_fees", "fees[lane] = 2.0 * bought * ask * buy_fees"
    )
    assert changed != text
    kernel.write_text(changed, encoding="utf-8")
    dearer, hits = run(folder)
    assert hits == 0
    assert dearer < first


@pytest.mark.slow
def test_nothing_that_can_be_written_to_is_no_obstacle(tmp_path: Path) -> None:
    folder = installed(tmp_path)
    for room in ("engine", "strategies"):  # a file in its place: not even root can make the folder
        (folder / "entrepot" / room / "__pycache__").write_text("")
    nowhere = {"HOME": "/dev/null/none", "XDG_CACHE_HOME": "/dev/null/none"}
    result, hits = run(folder, **nowhere)
    assert hits == 0
    assert result > 0.0
