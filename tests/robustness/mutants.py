"""Put faults into the ledger and the filters, one at a time, and see that the tests notice each.

Run it as a program. Kernels with a fault in run as plain Python, where a fault costs milliseconds instead of
the half minute that compiling takes; where the faults are in what is never compiled, kernels stay as they
are. First every test of a part runs as the code stands: what fails then, takes long, or starts processes that
would not have the fault, is left out, and what each test reaches is noted. Then each fault goes into a forked
process, where the tests that reach it run, the quickest first, until one fails, or takes far too long. A
fault is caught by a test that fails, and by nothing else.

A call of the clock, or of what lays out its tape, that leaves what it left without the fault, to the last
bit, need not be looked at again by its test: so these are first called alone with what they were given
before, which is a hundred times as quick as the tests around them.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import pickle
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from types import FrameType
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from robustness.mutations import ROOT, Mutant, forget, module_of, mutants_of, put_in  # noqa: E402
from robustness.seeded import FAULTS, fault_as_mutant  # noqa: E402
from robustness.survivors import UNCHANGED  # noqa: E402
from tally import tried  # noqa: E402

CLOCK = "engine/_kernels.py"
TAPE = "engine/tape.py"
AREA = "seeded faults"
# Faults by rule of a part, which a run tries unless told otherwise: minutes of two cores, and not hours.
SAMPLE = 300
# Seconds of a test beyond which it is left out, and the time a test may take with a fault in.
LONGEST = 5.0
PATIENCE = 1.5, 10.0  # seconds, and times what it took
# Seconds of processor time after which a fault counts as not caught, whatever tests are left.
ENOUGH = 20.0
MEMORY = 12 << 30
# How a test ends the process that runs it.
FATAL = {
    signal.SIGPROF: "takes far too long",
    signal.SIGSEGV: "reads what is not there",
    signal.SIGABRT: "is given up",
    signal.SIGFPE: "divides by nothing",
    signal.SIGBUS: "reads what is not there",
}
# What the clock's state holds that nothing reads after a run.
SCRATCH = {"scratch", "tile", "wanted", "worth", "agenda", "busy", "alarm", "fresh"}


@dataclass(frozen=True)
class Part:
    """Modules and the tests that must notice what is wrong in them.

    Args:
        what: the faults are counted as seeded in.
        modules: files, from the root of the project.
        tests: files, or tests of a file.
        kernels: whether the modules are kernels, and have to run as they are written.
        examples: how many a test that draws its own draws at most; they are the same every time.
    """

    what: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    kernels: bool = True
    examples: int = 10


PARTS = {
    "clock": Part(
        "ledger",
        (CLOCK,),
        (
            "tests/test_naive.py",
            "tests/test_engine.py::test_the_kernel_agrees_with_its_twin_on_drawn_worlds",
            "tests/test_engine.py::test_what_a_pair_under_way_needs_is_counted_with_the_ratio_of_the_step",
            "tests/test_engine.py::test_a_small_run_cut_and_taken_up_again_is_the_same_run",
            "tests/test_engine.py::test_a_short_that_grows_by_rounding_alone_borrows_nothing",
            "tests/test_engine.py::test_what_is_no_trade_is_measured_by_what_is_held",
            "tests/test_engine.py::test_goals_and_positions_of_any_size_are_compared_by_their_sides",
            "tests/test_engine.py::test_a_rate_of_a_currency_that_is_not_there_is_refused",
            "tests/test_batch.py::test_a_small_block_is_the_recorded_runs_side_by_side",
            "tests/test_batch.py::test_the_loop_decides_on_a_few_steps_as_plain_python_would",
            "tests/test_batch.py::test_lanes_of_their_own_equity_size_their_own_orders",
            "tests/test_batch.py::test_one_that_is_called_lets_the_drift_of_another_wait",
            "tests/test_batch.py::test_a_weight_that_may_not_be_is_refused_where_it_stands",
            "tests/test_compiled_decisions.py::test_targets_that_may_not_be_are_refused_and_leave_the_others",
            "tests/test_compiled_decisions.py::test_less_than_one_unit_of_money_is_equity",
            "tests/test_capacity.py::test_what_impact_takes_is_not_said_to_be_filled",
            "tests/engine/test_lines_by_hand.py",
            "tests/engine/test_pairs_by_hand.py",
        ),
    ),
    "around the clock": Part(
        "ledger",
        (TAPE, "engine/run_state.py", "engine/batch.py"),
        (
            "tests/test_naive.py",
            "tests/test_engine.py",
            "tests/test_batch.py",
            "tests/test_checkpoint.py",
            "tests/test_capacity.py",
            "tests/test_engine_input.py",
            "tests/engine/test_costs.py",
            "tests/engine/test_pairs_by_hand.py",
            "tests/engine/test_weather.py",
            "tests/robustness/test_load.py",
        ),
        kernels=False,
    ),
    "costs": Part(
        "ledger",
        ("engine/costs.py", "markets/fees.py", "markets/premium.py"),
        (
            "tests/engine",
            "tests/markets/test_fees.py",
            "tests/markets/test_premium.py",
            "tests/test_hand_checked_trade.py",
            "tests/test_engine_input.py",
            "tests/test_monitor.py",
            "tests/robustness/test_catalogue.py",
        ),
        kernels=False,
    ),
    "events": Part(
        "filters",
        (
            "regimes/_kernels.py",
            "regimes/intensity.py",
            "regimes/threshold.py",
            "regimes/event_filters.py",
        ),
        (
            "tests/regimes/test_threshold.py",
            "tests/regimes/test_intensity.py",
            "tests/regimes/test_own_events.py",
            "tests/regimes/test_wrong_arguments.py",
        ),
        examples=60,
    ),
    "change point": Part(
        "filters", ("regimes/_change_point_kernels.py",), ("tests/regimes/test_change_point.py",)
    ),
    "jump": Part("filters", ("regimes/_jump_kernels.py",), ("tests/regimes/test_jump.py",)),
    "markov": Part(
        "filters",
        ("regimes/_markov_kernels.py",),
        tuple(
            f"tests/regimes/test_markov_model.py::test_{name}"
            for name in (
                "logits_whose_exponentials_are_no_numbers_have_their_probabilities",
                "the_filter_is_the_formulas",
                "the_filter_is_the_formulas_where_the_density_of_all_rows_is_less_than_any_float",
                "sums_over_the_rows_are_those_over_all_paths_of_states",
                "the_gradient_is_the_slope_of_the_formulas",
                "a_missing_row_adds_nothing_to_the_objective",
                "no_later_row_changes_a_bit_and_the_filter_goes_on_from_where_it_ended",
                "other_labels_are_the_same_model",
                "published_estimates_have_their_published_likelihood",
                "a_jump_whose_square_is_no_number_is_survived",
                "a_far_row_in_every_state_and_lag_keeps_the_gradient_right",
                "an_impossible_history_counts_for_the_same_whatever_came_before",
                "rows_after_an_impossible_history_are_scored_as_any_others_however_many",
                "a_start_is_taken_up_to_a_factor",
                "a_row_that_no_history_explains_leaves_something_finite",
                "rows_before_the_first_with_a_density_have_the_probabilities_of_their_own",
                "sums_of_the_maximisation_step_are_those_of_their_definition",
            )
        ),
    ),
    "strategies": Part(
        "strategies' decisions",
        ("strategies/_kernels.py",),
        (
            "tests/test_compiled_decisions.py",
            "tests/strategies/test_composition.py",
            "tests/strategies/test_dual_listing.py",
            "tests/strategies/test_kernels.py",
            "tests/strategies/test_sector_rotation.py",
            "tests/strategies/test_sector_rules.py",
            "tests/strategies/test_switch.py",
        ),
    ),
}


# -- plain Python in place of compiled code ------------------------------------------------------------------


def run_uncompiled() -> None:
    """Let everything that is compiled run as it is written; before the library is imported."""
    import numpy as np

    import entrepot.decisions

    entrepot.decisions.compiled = lambda function: getattr(function, "py_func", function)
    import entrepot.engine._kernels as clock

    clock.by_reference = lambda value: value
    np.seterr(all="ignore")  # as numba's error model has it


@dataclass
class Entry:
    """A function, which notes what it was given and what it left, while it is told to.

    Args:
        run: the function.
        kept: what it was given, as it was before the call.
        left: what it left, from what it returned and was given; where it raised, that is noted.
        notes: what it was given and left; None while nothing is noted.
        inside: threads that are in it.
    """

    run: Callable[..., Any]
    kept: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    left: Callable[[Any, tuple[Any, ...]], Any]
    notes: list[tuple[tuple[Any, ...], Any]] | None = None
    inside: set[int] = field(default_factory=set)

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return self.run

    def __call__(self, *given: Any) -> Any:
        if self.notes is None:
            return self.run(*given)
        before = self.kept(given)
        self.inside.add(threading.get_ident())
        try:
            out = self.run(*given)
        except Exception as error:
            self.notes.append((before, repr(error)))
            raise
        finally:
            self.inside.discard(threading.get_ident())
        self.notes.append((before, self.left(out, given)))
        return out

    def leaves_the_same(self, notes: Iterable[tuple[tuple[Any, ...], Any]]) -> bool:
        """Whether every call leaves what it left before, to the last bit."""
        for before, left in notes:
            given = self.kept(before)
            try:
                came = self.left(self.run(*given), given)
            except Exception as error:
                came = repr(error)
            if came != left:
                return False
        return True


def copied(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the clock is given, with copies of the arrays it writes into."""
    tape, state, record, orders, decision, first, equity = given

    def fresh(fields: Any) -> Any:
        return type(fields)(*(each.copy() if hasattr(each, "copy") else each for each in fields))

    return tape, fresh(state), fresh(record), orders, decision, first, equity.copy()


def left_by_the_clock(out: Any, given: tuple[Any, ...]) -> list[bytes]:
    _, state, record, *_, equity = given
    held = [getattr(state, name) for name in state._fields if name not in SCRATCH]
    arrays = [each for each in (*held, *record, equity) if hasattr(each, "tobytes")]
    return [repr(out).encode(), *(each.tobytes() for each in arrays)]


def entry_of(module: str) -> Entry | None:
    """Put an entry in place of the function that a module is called through, where there is one."""
    import entrepot.engine._kernels as kernels
    import entrepot.engine.tape as tape

    if module == CLOCK:
        kernels.run = Entry(kernels.run, copied, left_by_the_clock)
        return kernels.run
    if module == TAPE:
        tape.build_tape = Entry(tape.build_tape, tuple, lambda out, given: pickle.dumps(out))
        return tape.build_tape
    return None


# -- the tests of a part -------------------------------------------------------------------------------------


@dataclass
class Check:
    """One test: how long it takes, and which lines it reaches.

    Args:
        item: the test as collected.
        seconds: of processor time.
        reaches: modules and lines.
        by_itself: modules and functions it calls other than through the module's entry.
        notes: by module, what its entry was given, and left.
    """

    item: Any
    seconds: float = 0.0
    reaches: frozenset[tuple[str, int]] = frozenset()
    by_itself: frozenset[tuple[str, str]] = frozenset()
    notes: dict[str, list[Any]] = field(default_factory=dict)

    def failure(self) -> str:
        """Run it; what it says where it fails, or nothing."""
        from _pytest.runner import runtestprotocol

        for report in runtestprotocol(self.item, nextitem=None, log=False):
            if report.outcome != "passed":
                return report.longreprtext.strip().split("\n")[-1] or report.outcome
        return ""


def timed(check: Check) -> tuple[str, float]:
    """Run a test, for so long; what it says where it fails, and its seconds."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError(f"takes more than {LONGEST:g} seconds")

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    before, others = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    try:
        failure = check.failure()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    if resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime > others:
        failure = failure or "starts processes, in which the fault would not be"
    return failure, time.process_time() - before


def fewer_examples(item: Any, most: int) -> None:
    """Let a test that draws examples draw only a few."""
    from hypothesis import settings

    name = "_hypothesis_internal_use_settings"
    if (own := getattr(item.obj, name, None)) is not None:
        few = settings(
            own,
            max_examples=min(own.max_examples, most),
            derandomize=True,
            database=None,
            phases=settings().phases,
        )
        setattr(getattr(item.obj, "__func__", item.obj), name, few)


class Watch:
    """Which lines of some modules run, and which functions other than through the module's entry."""

    def __init__(self, modules: Sequence[str], entries: Mapping[str, Entry]) -> None:
        self.of_file = {}
        for module in modules:
            self.of_file[module_of(module).__file__] = self.of_file[str(ROOT / module)] = module
        self.entries = entries
        self.lines: set[tuple[str, int]] = set()
        self.calls: set[tuple[str, str]] = set()

    def __call__(self, frame: FrameType, event: str, value: object) -> Any:
        module = self.of_file.get(frame.f_code.co_filename)
        if module is None:
            return None
        entry = self.entries.get(module)
        if entry is None or threading.get_ident() not in entry.inside:
            self.calls.add((module, frame.f_code.co_qualname))
        lines = self.lines

        def each_line(frame: FrameType, event: str, value: object) -> Any:
            lines.add((module, frame.f_lineno))
            return each_line

        return each_line

    def __enter__(self) -> Watch:
        threading.settrace(self)
        sys.settrace(self)
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]


class Trial:
    """The part of a run of pytest that runs the tests: here, over and over with a fault in."""

    def __init__(self, part: Part, mutants: Sequence[Mutant], jobs: int, out: Path, quick: int) -> None:
        self.part, self.mutants, self.jobs, self.out, self.quick = part, mutants, jobs, out, quick

    def pytest_runtestloop(self, session: Any) -> bool:
        found = {module: entry_of(module) for module in self.part.modules}
        self.entries = {module: entry for module, entry in found.items() if entry is not None}
        every = max(len(session.items) // self.quick, 1) if self.quick else 1
        items = session.items[::every]
        self.checks = list(self.as_it_stands(items))
        say(f"{len(self.checks)} of {len(items)} tests are used")
        gc.collect()
        gc.freeze()  # what a forked process does not touch, it need not copy
        gc.disable()
        caught_in: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        with self.out.open("w", encoding="utf-8") as file:
            for done, (mutant, verdict) in enumerate(self.verdicts(caught_in), 1):
                line = {"key": mutant.key, "module": mutant.module, "operator": mutant.operator} | verdict
                file.write(json.dumps(line) + "\n")
                file.flush()
                if done % 200 == 0:
                    say(f"{done} of {len(self.mutants)}")
        return True

    def as_it_stands(self, items: Sequence[Any]) -> Iterator[Check]:
        """The tests that pass with no fault in, and soon, each watched."""
        for item in items[:1]:
            Check(item).failure()  # the first would pay for all that is imported, watched, and take too long
        for check in map(Check, items):
            fewer_examples(check.item, self.part.examples)
            for entry in self.entries.values():
                entry.notes = []
            # Or only the first test would reach what is worked out once.
            forget(map(module_of, self.part.modules))
            with Watch(self.part.modules, self.entries) as watch:
                failure, check.seconds = timed(check)
            check.reaches, check.by_itself = frozenset(watch.lines), frozenset(watch.calls)
            for module, entry in self.entries.items():
                check.notes[module], entry.notes = entry.notes or [], None
            if failure:
                say(f"left out: {check.item.nodeid}: {failure[:100]}")
            elif check.reaches:
                yield check

    def verdicts(
        self, caught_in: Mapping[tuple[str, str], Counter[int]]
    ) -> Iterator[tuple[Mutant, dict[str, Any]]]:
        """What became of each fault."""
        waiting, running = iter(self.mutants), {}
        while True:
            while len(running) < self.jobs and (mutant := next(waiting, None)) is not None:
                function = (mutant.module, mutant.function)
                order = self.order(mutant, caught_in[function])
                pid, pipe = self.fork(lambda m=mutant, o=order: self.try_out(m, o))
                running[pipe] = pid, mutant
            if not running:
                return
            for pipe in select.select(list(running), [], [])[0]:
                pid, mutant = running.pop(pipe)
                verdict = self.answer(pid, pipe)
                if isinstance(verdict.get("check"), int):
                    caught_in[mutant.module, mutant.function][verdict["check"]] += 1
                    verdict["check"] = self.checks[verdict["check"]].item.nodeid
                yield mutant, verdict

    def order(self, mutant: Mutant, caught: Counter[int]) -> list[int]:
        """The tests that reach a fault: first those that caught others nearby, then the quickest."""
        lines = [(mutant.module, line) for line in range(mutant.lines[0], mutant.lines[1] + 1)]
        reaching = [i for i, check in enumerate(self.checks) if any(line in check.reaches for line in lines)]
        return sorted(reaching, key=lambda i: (-caught[i], self.checks[i].seconds))

    def try_out(self, mutant: Mutant, order: Sequence[int]) -> dict[str, Any]:
        """With the fault in, the first test that fails."""
        put_in(mutant.module, mutant.function, mutant.node())
        for done, i in enumerate(order):
            if time.process_time() > ENOUGH:
                return {"caught": False, "reached": done, "took": time.process_time()}
            check = self.checks[i]
            signal.setitimer(signal.ITIMER_PROF, PATIENCE[0] + PATIENCE[1] * check.seconds)
            notes = check.notes.get(mutant.module)
            through_the_entry = notes and (mutant.module, mutant.function) not in check.by_itself
            if through_the_entry and self.entries[mutant.module].leaves_the_same(notes):
                continue
            if failure := check.failure():
                return {"caught": True, "check": i, "why": failure[:200], "took": time.process_time()}
        return {"caught": False, "reached": len(order), "took": time.process_time()}

    def fork(self, work: Callable[[], dict[str, Any]]) -> tuple[int, int]:
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        if pid := os.fork():
            os.close(writing)
            return pid, reading
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            answer = json.dumps(work())
        except BaseException as error:  # nothing may come back from here: the parent raises it
            answer = json.dumps({"broken": f"{type(error).__name__}: {error}"})
        os.write(writing, answer.encode())
        os._exit(0)

    def answer(self, pid: int, pipe: int) -> dict[str, Any]:
        with os.fdopen(pipe, "rb") as read:
            told = read.read()
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            ended = signal.Signals(os.WTERMSIG(status))
            if ended not in FATAL:
                raise SystemExit(f"a trial was ended from outside: {ended.name}")
            return {"caught": True, "check": "", "why": FATAL[ended]}
        verdict: dict[str, Any] = json.loads(told)
        if "broken" in verdict:
            raise SystemExit(f"a trial broke down: {verdict['broken']}")
        return verdict


# -- the program ---------------------------------------------------------------------------------------------


def say(line: str) -> None:
    """Tell whoever waits how it goes."""
    sys.stderr.write(line + "\n")


def faults_of(part: Part, modules: Sequence[str]) -> list[Mutant]:
    """Every fault of a part: those made by rule, then those by hand."""
    import ast

    def by_clock(function: ast.FunctionDef) -> bool:
        return any(
            isinstance(each, ast.Name) and each.id in {"jit", "kernel"} for each in function.decorator_list
        )

    chosen = [module for module in part.modules if not modules or module in modules]
    made = [
        m
        for module in chosen
        for m in (mutants_of(module, by_clock) if module == CLOCK else mutants_of(module))
    ]
    return made + [fault_as_mutant(fault) for fault in FAULTS if fault.module in chosen]


def spread(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """So many faults, spread evenly over the functions; those by hand are all taken.

    A fault's place is drawn from its own name: where code or a list of faults changes elsewhere, the sample
    keeps what it had, and what one run found and tests have come to catch is tried again by the next.
    """

    def place(mutant: Mutant) -> bytes:
        return sha256(f"{seed} {mutant.key}".encode()).digest()

    by_function: dict[tuple[str, str], list[Mutant]] = defaultdict(list)
    for mutant in sorted(mutants, key=place):
        if mutant.operator != "by hand":
            by_function[mutant.module, mutant.function].append(mutant)
    rounds = zip_longest(*by_function.values())
    made = [mutant for one in rounds for mutant in one if mutant is not None]
    return [m for m in mutants if m.operator == "by hand"] + made[:count]


def try_part(name: str, args: argparse.Namespace, out: Path) -> None:
    """Run one part's trial in this process."""
    if PARTS[name].kernels:
        run_uncompiled()
    import pytest
    from hypothesis import Phase, settings

    settings.register_profile(
        "faults", derandomize=True, database=None, deadline=None, phases=(Phase.explicit, Phase.generate)
    )
    settings.load_profile("faults")
    for module in PARTS[name].modules:
        __import__("entrepot." + module.removesuffix(".py").replace("/", "."))
    mutants = [m for m in faults_of(PARTS[name], args.module) if m.key not in UNCHANGED or args.all]
    if args.by_hand:
        mutants = [m for m in mutants if m.operator == "by hand"]
    if args.only:
        mutants = [m for m in mutants if args.only in m.key]
    if args.sample:
        mutants = spread(mutants, args.sample, args.seed)
    trial = Trial(PARTS[name], mutants, args.jobs, out, args.quick)
    tests = [str(ROOT / path) for path in args.test or PARTS[name].tests]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow", "--rootdir", str(ROOT)]
    options += ["--assert=plain", "--tb=line"]  # what a failure looks like, nobody reads
    code = pytest.main([*options, "-s", *tests], plugins=[trial])
    if code not in (0, 5):
        raise SystemExit(f"pytest ended with {code}")


def show(results: Sequence[Mapping[str, Any]]) -> None:
    """Faults and those caught, by module and by kind of change."""
    for by in ("module", "operator"):
        counts: dict[str, Counter[bool]] = defaultdict(Counter)
        for line in results:
            counts[line[by]][line["caught"]] += 1
        for name, count in sorted(counts.items()):
            sys.stdout.write(f"{name:35} {count[True]:6} of {count.total():6} caught\n")
    for line in results:
        if not line["caught"]:
            sys.stdout.write(f"not caught by {line['reached']} tests that reach it: {line['key']}\n")


def tally(part: Part, results: Sequence[Mapping[str, Any]]) -> tuple[int, int, int]:
    """Count a part's faults: those that could be tried, that were, and that no test caught."""
    by_hand = [line for line in results if line["operator"] == "by hand"]
    made = [line for line in results if line["operator"] != "by hand"]
    tried(AREA, f"faults seeded in the {part.what}, caught", sum(line["caught"] for line in made))
    tried(AREA, "faults seeded by hand, caught", sum(line["caught"] for line in by_hand))
    faults = [fault.key for fault in faults_of(part, ())]
    unchanged = sum(key in UNCHANGED for key in faults)
    counts = len(faults) - unchanged, len(results), sum(not line["caught"] for line in results)
    tried(AREA, "seeded faults shown to change nothing", unchanged)
    for what, count in zip(("that could be seeded", "tried", "that no test caught"), counts, strict=True):
        tried(AREA, f"faults {what}, in all", count)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", action="append", choices=list(PARTS), default=[], help="only this part")
    parser.add_argument(
        "--module", action="append", default=[], help="only this file, such as engine/tape.py"
    )
    parser.add_argument("--test", action="append", default=[], help="only this file of tests, or test")
    parser.add_argument("--only", default="", help="only faults whose name has this in it")
    parser.add_argument("--by-hand", action="store_true", help="only the faults made by hand")
    parser.add_argument(
        "--sample", type=int, default=SAMPLE, help="so many faults of each part besides those by hand; 0: all"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--quick", type=int, default=0, help="only so many tests of each part")
    parser.add_argument("--jobs", type=int, default=2, help="faults tried at once")
    parser.add_argument("--all", action="store_true", help="also those listed as changing nothing")
    parser.add_argument("--list", action="store_true", help="name the faults and try none")
    parser.add_argument("--log", type=Path, help="folder to leave what became of each fault in")
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    parts = [n for n in args.part or PARTS if not args.module or {*args.module} & {*PARTS[n].modules}]
    if args.list:
        for name in parts:
            sys.stdout.writelines(f"{m.key}\n" for m in faults_of(PARTS[name], args.module))
        return
    if args.out is not None:
        try_part(args.part[-1], args, args.out)
        return
    if args.log is not None:
        args.log.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    # Tests that are cut off leave temporary files, some thousands in a run.
    with tempfile.TemporaryDirectory() as scratch:
        for name in parts:
            out = (args.log or Path(scratch)) / f"{name}.jsonl"
            again = [sys.executable, __file__, *sys.argv[1:], "--part", name, "--out", str(out)]
            # What tests try with a fault in is not counted: only what became of the fault is.
            variables = os.environ | {"TMPDIR": scratch, "ENTREPOT_TALLY": ""}
            if PARTS[name].kernels:
                variables["NUMBA_DISABLE_JIT"] = "1"
            subprocess.run(again, check=True, env=variables, stdout=sys.stderr)
            results = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
            show(results)
            counts.update(dict(zip(("made", "tested", "missed"), tally(PARTS[name], results), strict=True)))
    sys.stdout.write(
        f"{counts['tested']} of {counts['made']} faults were tried, {counts['missed']} of them not caught\n"
    )


if __name__ == "__main__":
    main()
