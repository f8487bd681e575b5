"""Every bad input of the catalogue gets the refusal that is written beside it, and leaves nothing behind."""

from __future__ import annotations

import os
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
from robustness.cases import Case, refused
from tally import tried

FOLDER = Path(__file__).parent / "catalogue"
CASES: list[Case] = [
    case
    for module in sorted(path.stem for path in FOLDER.glob("*.py"))
    for case in import_module(f"robustness.catalogue.{module}").CASES
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_it_is_refused(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = tmp_path / "given"
    given.mkdir()
    refused(case, given)
    assert os.listdir(tmp_path) == ["given"], "something was left where the program runs"
    tried("bad inputs", "inputs of the catalogue, each with its refusal")


def test_the_catalogue_is_wide() -> None:
    assert len(CASES) >= 150
    assert len({case.label for case in CASES}) == len(CASES)
    fewest = min(Counter(case.area for case in CASES).items(), key=lambda item: item[1])
    assert fewest[1] >= 5, f"hardly anything is tried of {fewest[0]}"
