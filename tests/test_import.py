"""`import entrepot` is light: what is slow to import is imported when it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORTED_WHEN_USED = (
    "arch",
    "dask",
    "empyrical",
    "IPython",
    "matplotlib",
    "plotly",
    "sklearn",
    "statsmodels",
    "vectorbt",
    "vectorbt_rust",
    "yfinance",
)


@pytest.mark.parametrize("statement", ["import entrepot", "import entrepot.cli"])
def test_import_loads_nothing_slow(statement: str) -> None:
    if statement.endswith("cli"):
        pytest.importorskip("entrepot.cli")
    script = f"{statement}, sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(IMPORTED_WHEN_USED) & set(run.stdout.split())


def test_every_public_name_exists() -> None:
    import entrepot

    names = getattr(entrepot, "__all__", ())
    assert len(set(names)) == len(names)
    assert [name for name in names if not hasattr(entrepot, name)] == []


def test_a_module_does_not_hide_the_function_of_its_name() -> None:
    script = "import entrepot.capacity, entrepot; print(callable(entrepot.capacity))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "True\n"
