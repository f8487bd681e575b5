"""Fixtures shared by the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REAL_PRICES = Path(__file__).parents[1] / ".." / "shared" / "data" / "prices"


@pytest.fixture(scope="session")
def real_prices() -> Path:
    """The folder of real prices beside the project, which is never part of it."""
    if not REAL_PRICES.is_dir():
        pytest.skip("real prices are not at hand: ../shared/data/prices is absent")
    return REAL_PRICES.resolve()


@pytest.fixture(autouse=True)
def figures_are_closed() -> Iterator[None]:
    """No figure is open when a test starts, whichever ran before: the 21st that stays open is a warning."""
    yield
    if drawing := sys.modules.get("matplotlib.pyplot"):
        drawing.close("all")
