"""Fixtures of the report tests: one simulated ledger, made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import doubles


@pytest.fixture(scope="session")
def ledger() -> doubles.Ledger:
    return doubles.simulated()
