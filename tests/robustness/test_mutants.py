"""Faults are made, put in and noticed as `mutants.py` says; it tries many of them, this file a few."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from robustness.mutants import PARTS, faults_of, spread
from robustness.mutations import mutants_of, plain_function, put_in
from robustness.seeded import FAULTS, fault_as_mutant
from robustness.survivors import UNCHANGED

import entrepot.regimes.threshold
from entrepot.regimes import ThresholdDetector

PROGRAM = Path(__file__).with_name("mutants.py")
CODE = '''
LONG, SHORT = range(2)

def paid(books, t, most):
    """What is paid."""
    if not isinstance(most, float):
        raise TypeError(f"{most + 1}")
    total = 0.0
    for i in range(t):
        if i < 3 and books[LONG, t] > 0.0:
            continue
        total += min(books[SHORT, i], most) * 2.0
    return total if total > 1.0 else -total
'''


def test_what_stands_in_a_function_is_changed_in_every_way(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(CODE)
    made = mutants_of(str(path))
    assert len({mutant.key for mutant in made}) == len(made)
    texts = {mutant.text for mutant in made}
    assert texts >= {
        "range(t) -> range(t - 1)",
        "i < 3 -> i <= 3",
        "3 -> 4",
        "i < 3 and books[LONG, t] > 0.0 -> i < 3 or books[LONG, t] > 0.0",
        "i < 3 and books[LONG, t] > 0.0 -> i < 3",
        "LONG -> SHORT",
        "t -> t - 1",
        "continue -> nothing",
        "min(books[SHORT, i], most) -> max(books[SHORT, i], most)",
        "min(books[SHORT, i], most) * 2.0 -> min(books[SHORT, i], most) / 2.0",
        "total += min(books[SHORT, i], most) * 2.0 -> total -= min(books[SHORT, i], most) * 2.0",
        "total > 1.0 -> False",
        "-total -> total",
    }
    assert not any("isinstance" in text or "TypeError" in text for text in texts)


def test_a_fault_is_in_wherever_the_function_is_used() -> None:
    switch = ThresholdDetector(threshold=2.0, dwell=0.0).switch
    rows = np.array([[2.0, 0.0], [3.0, 0.0]])
    sound = plain_function(entrepot.regimes.threshold, "ThresholdDetector.switch").__code__
    (fault,) = (fault for fault in FAULTS if fault.means == "enters only above the threshold")
    mutant = fault_as_mutant(fault)
    assert switch(None, rows, np.arange(2.0)).tolist() == [True, True]
    try:
        put_in(mutant.module, mutant.function, mutant.node())
        assert switch(None, rows, np.arange(2.0)).tolist() == [False, True]
    finally:
        plain_function(entrepot.regimes.threshold, "ThresholdDetector.switch").__code__ = sound


def test_faults_by_hand_stand_in_the_code_and_belong_to_a_part() -> None:
    assert len(FAULTS) >= 60
    assert len({fault_as_mutant(fault).key for fault in FAULTS}) == len(FAULTS)
    modules = {module for part in PARTS.values() for module in part.modules}
    assert {fault.module for fault in FAULTS} <= modules


def test_a_sample_takes_from_every_function_and_is_the_same_for_a_seed() -> None:
    made = [*mutants_of("regimes/_kernels.py"), *mutants_of("regimes/_jump_kernels.py")]
    functions = {mutant.function for mutant in made}
    some = spread(made, len(functions), 3)
    assert {mutant.function for mutant in some} == functions
    assert [mutant.key for mutant in some] == [mutant.key for mutant in spread(made, len(functions), 3)]
    assert len(spread(made, 10**6, 3)) == len(made)


def test_a_sample_without_some_of_its_faults_keeps_the_others() -> None:
    made = [*mutants_of("regimes/_kernels.py"), *mutants_of("regimes/_jump_kernels.py")]
    sample = {mutant.key for mutant in spread(made, 100, 0)}
    gone = set(sorted(sample)[::10])
    later = {mutant.key for mutant in spread([m for m in made if m.key not in gone], 100 - len(gone), 0)}
    # One that moves up in its function may take the place of the last of another.
    assert len(sample - gone - later) <= len(gone)
    assert sample & {mutant.key for mutant in spread(made, 100, 1)} != sample


def test_what_is_said_to_change_nothing_is_a_change_that_is_made() -> None:
    made = {fault.key for part in PARTS.values() for fault in faults_of(part, ())}
    assert set(UNCHANGED) <= made, "the code has changed: look at these again"
    assert all(len(reason) > 20 for reason in UNCHANGED.values())


def run_it(*options: str, tally: str = "") -> tuple[int, int]:
    """Run the program; how many faults it tried and how many of them it caught."""
    environment = os.environ | {"ENTREPOT_TALLY": tally}
    command = [sys.executable, str(PROGRAM), "--jobs", "1", *options]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"(\d+) of \d+ faults were tried, (\d+) of them not caught", ran.stdout)
    assert found, ran.stderr
    count, missed = map(int, found.groups())
    assert ran.stdout.count("not caught by ") == missed
    return count, count - missed


FEES = ["--part", "clock", "--only", "_kernels.py fee:"]
SMALL_ORDER = "tests/test_naive.py::test_a_small_order_pays_the_minimum"
FULL_ORDER = "tests/test_naive.py::test_a_hong_kong_order_pays_every_fee_of_its_date"


def test_faults_of_the_fees_are_caught_by_tests_of_the_fees() -> None:
    count, caught = run_it(*FEES, "--sample", "9", "--test", SMALL_ORDER, "--test", FULL_ORDER)
    assert count == 12
    assert caught >= 8


def test_faults_of_the_dwell_are_caught() -> None:
    count, caught = run_it(
        "--part", "events", "--module", "regimes/_kernels.py", "--sample", "10", "--quick", "12"
    )
    assert count == 12
    assert caught >= 9


def test_what_tests_try_with_a_fault_in_is_not_counted(tmp_path: Path) -> None:
    counting, tally = tmp_path / "test_counting.py", tmp_path / "tally.jsonl"
    counting.write_text(
        "from tally import tried\n\n\ndef test_it():\n    tried('load', 'things')\n", encoding="utf-8"
    )
    run_it("--part", "change point", "--sample", "1", "--test", str(counting), tally=str(tally))
    counted = [json.loads(line) for line in tally.read_text(encoding="utf-8").splitlines()]
    assert counted
    assert {line["area"] for line in counted} == {"seeded faults"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "least"),
    [
        (["--part", "clock", "--by-hand", "--quick", "40"], 0.7),
        (["--part", "events", "--by-hand", "--quick", "40"], 0.7),
    ],
)
def test_a_part_of_the_tests_catches_most_faults(options: list[str], least: float) -> None:
    count, caught = run_it(*options)
    assert least * count <= caught <= count
