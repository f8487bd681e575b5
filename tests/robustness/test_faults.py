"""Whatever fails or ends a run, nothing half-written is read as whole and the next run puts things right."""

from __future__ import annotations

import gc
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from robustness.faults import ERRORS, Faults, contents, drafts, plainly_told, system_error
from tally import tried

import entrepot as ep
from entrepot import files, job as main_job
from entrepot.decisions import compiled, kept_on_disk
from entrepot.engine.checkpoint import Checkpoint
from entrepot.engine.sweep import Job, Rows, cut, run_chunks
from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.export import read_export, write_tables
from entrepot.markets.download import write_symbol
from entrepot.markets.manifest import Manifest
from entrepot.reports import pdf
from entrepot.reports.pages.document import Document, write_document
from entrepot.reports.pictures.style import LIGHT
from entrepot.reports.tear_sheet import bare_figure, save

COUNT, CHUNK = 6, 3
COLUMNS = ["square", "root"]


# -- every operation of every writer fails -------------------------------------------------------------------


@dataclass
class Squares:
    """A job that takes no time."""

    version: int = 0

    def run(self, index: NDArray[np.int64], stop: Any = None) -> Rows:
        figures = np.column_stack([index**2.0, index**0.5]) + self.version
        return Rows(index, figures, ("",) * len(index), np.ones(len(index), dtype=bool))


def run_job(job: Job, folder: Path | None, executor: Any = None, count: int = COUNT) -> NDArray[np.float64]:
    """Run a job as a sweep does; not all of it is as good as Ctrl-C."""
    figures = np.full((count, 2), np.nan)
    chunks, refused = cut(np.arange(count), CHUNK), dict[int, str]()
    given: dict[str, Any] = {"executor": executor, "progress": False}
    if folder is None:
        done = run_chunks(job, chunks, figures, refused, **given)
    else:
        with Checkpoint(folder, {"job": str(getattr(job, "version", 0))}, COLUMNS) as kept:
            done = run_chunks(job, chunks, figures, refused, checkpoint=kept, **given)
    if not done.all():
        raise KeyboardInterrupt
    return figures


def checkpoint(folder: Path, version: int) -> None:
    figures = run_job(Squares(), folder / "kept", ThreadPoolExecutor(1))
    np.testing.assert_array_equal(figures, Squares().run(np.arange(COUNT)).figures)


def export(folder: Path, version: int) -> None:
    frame = pd.DataFrame({"a": [1.0, version]})
    told: dict[str, Any] = {"label": "simulated", "provenance": {}, "base_currency": "USD"}
    write_tables(folder / "run", {"equity": frame, "fills": frame}, format="parquet", **told)


def page(folder: Path, version: int) -> None:
    write_document(Document("Title", "", f"simulated {version}", [], [], []), folder / "page.html")


def picture(folder: Path, version: int) -> None:
    save(bare_figure((1 + version, 1), LIGHT), folder / "sheet.png", LIGHT, 20)


def figure(folder: Path, version: int) -> None:
    bare_figure((1 + version, 1), LIGHT).savefig(folder / "monitor.svg", metadata={"Date": None})


def paper(folder: Path, version: int) -> None:
    def pages(file: BinaryIO) -> None:
        pdf.write_pages(file, FOUND, [], "")

    FOUND.size = (1 + version, 1)
    files.write_whole(folder / "report.pdf", pages)


class FOUND:
    """Findings of a run whose only page is empty."""

    title, label, size = "Title", "simulated", (1, 1)


def events(folder: Path, version: int) -> None:
    EVENTS[version].save(folder / "events.csv")


def listings(folder: Path, version: int) -> None:
    LISTINGS[version].save(folder / "listings.parquet")


def download(folder: Path, version: int) -> None:
    frame = pd.DataFrame({"Close": [1.0 + version]}, index=pd.DatetimeIndex(["2022-04-20"], name="Date"))
    at = pd.Timestamp("2022-04-21", tz="UTC")
    write_symbol(
        folder / "prices", "BABA", frame, Manifest().with_fetched("BABA", f"{version}", at, "split", "")
    )


def demo(folder: Path, version: int) -> None:
    """The main job, with drawings that take no time."""

    def drawn(market: Any, place: Path, costs: Any, stage: Any) -> Any:
        for name in (main_job.REPORT, main_job.TEAR_SHEET):
            files.write_whole(place / name, lambda file: file.write(b"%d" % version * 9000))
        return main_job.Outcome(None, None, None, place, place)  # type: ignore[arg-type]

    whole, main_job._run = main_job._run, drawn
    try:
        main_job.run_main_job(lambda told: None, folder / "out")  # type: ignore[arg-type, return-value]
    finally:
        main_job._run = whole


EVENTS: list[ep.Events] = []
LISTINGS: list[ep.Listings] = []
WRITERS: tuple[Callable[[Path, int], None], ...] = (
    checkpoint, export, page, picture, figure, paper, events, listings, download, demo,
)  # fmt: skip


@pytest.fixture(autouse=True)
def little_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "figures_of", lambda *_: [bare_figure(FOUND.size, LIGHT)])
    if not EVENTS:
        found = ep.load_events()
        EVENTS.extend(found.where(between=("2020-01-01", f"2020-0{m}-28")) for m in (5, 8))
        row = {"symbol": "ZZZZ", "venue": "US", "currency": "USD"}
        LISTINGS.extend(
            ep.load_listings(pd.DataFrame([row | {"symbol": f"ZZZ{v}"}]), replace=True) for v in "AB"
        )


def outcome(write: Callable[[Path, int], None], folder: Path, faults: Faults) -> BaseException | None:
    """Write the second version under faults; what was raised, without the frames that hold files open."""
    with faults:
        try:
            write(folder, 1)
        except (Exception, KeyboardInterrupt) as error:
            return error.with_traceback(None)
    return None


def hit(
    write: Callable[[Path, int], None], there: bool, folder: Path, wanted: dict[str, bytes], **how: Any
) -> None:
    """Let one fault happen and look at what came of it, at once and after the next run."""
    folder.mkdir()
    if there:
        write(folder, 0)
    before = contents(folder)
    faults = Faults(folder, **how)
    raised = outcome(write, folder, faults)
    what = f"{write.__name__} {how} {faults.seen[-3:]} {raised!r}"
    if raised is None:  # a sweep returns at Ctrl-C what it has
        assert write is checkpoint or contents(folder) == wanted, what
    else:
        assert plainly_told(raised), what
    for name, content in contents(folder).items():
        assert content in (before.get(name), wanted.get(name)), f"{name}: {what}"
    if raised is not None:
        raised.__context__ = raised.__cause__ = None
    del raised
    gc.collect(0)
    write(folder, 1)
    assert contents(folder) == wanted, what
    assert not drafts(folder), what
    assert not list(folder.rglob("lock")), what


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("there", [False, True], ids=["new", "older"])
def test_any_operation_may_fail(write: Callable[[Path, int], None], there: bool, tmp_path: Path) -> None:
    """An error of the system or Ctrl-C, before it is done or after; of writers that draw, every fifth."""
    count, wanted = operations(write, there, tmp_path)
    some = range(1, count + 1, 1 if write in (checkpoint, export) else 5)
    for at in some:
        error = KeyboardInterrupt() if at % 2 else system_error(ERRORS[at % len(ERRORS)])
        hit(write, there, tmp_path / str(at), wanted, at=at, error=error, late=at % 4 == 1)
    tried("faults", "injected faults in writers", len(some))


@pytest.mark.slow
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("there", [False, True], ids=["new", "older"])
def test_any_operation_may_fail_in_every_way(
    write: Callable[[Path, int], None], there: bool, tmp_path: Path
) -> None:
    """Each with every error, once and from then on."""
    count, wanted = operations(write, there, tmp_path)
    hows: list[dict[str, Any]] = [
        {"error": system_error(name), "lasting": lasting} for name in ERRORS for lasting in (False, True)
    ]
    hows += [{"error": KeyboardInterrupt(), "late": late} for late in (False, True)]
    for at in range(1, count + 1):
        for case, how in enumerate(hows):
            hit(write, there, tmp_path / f"{at}-{case}", wanted, at=at, **how)
    tried("faults", "injected faults in writers", len(hows) * count)


def operations(write: Callable[[Path, int], None], there: bool, folder: Path) -> tuple[int, dict[str, bytes]]:
    """How many operations a writer makes, and what it leaves."""
    for name in ("clean", "counted"):
        (folder / name).mkdir()
    write(folder / "clean", 1)
    if there:
        write(folder / "counted", 0)
    faults = Faults(folder / "counted")
    assert outcome(write, folder / "counted", faults) is None
    assert faults.seen
    return len(faults.seen), contents(folder / "clean")


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_what_has_its_name_is_on_the_disk(write: Callable[[Path, int], None], tmp_path: Path) -> None:
    """A power cut after a name was given finds the content, and after the end the name."""
    (tmp_path / "one").mkdir()
    for version in (0, 1):
        faults = Faults(tmp_path / "one")
        with faults:
            write(tmp_path / "one", version)
        assert not faults.early
        assert {Path(path).name for path in faults.dirty} <= {"lock"}
        assert "replace" in faults.seen or write is checkpoint
    tried("faults", "writers whose files are on the disk before they get their names")


@pytest.mark.parametrize("lost", [b"", b"\0" * 700, b"PAR1" * 100, None, "cut"])
def test_what_a_power_cut_left_of_a_chunk_is_never_read(lost: Any, tmp_path: Path) -> None:
    checkpoint(tmp_path, 0)
    chunk = tmp_path / "kept" / "chunk-000001.parquet"
    whole = chunk.read_bytes()
    if lost is None:  # zeros from the middle on, as where only some of the blocks were written
        lost = whole[: len(whole) // 2].ljust(len(whole), b"\0")
    for cut_at in range(1, len(whole), 97) if lost == "cut" else [0]:
        chunk.write_bytes(whole[:-cut_at] if lost == "cut" else lost)
        with pytest.raises(DataError, match="remove it"):
            checkpoint(tmp_path, 0)
        tried("faults", "chunks as a power cut leaves them, none read as whole")
    chunk.unlink()
    checkpoint(tmp_path, 0)
    assert chunk.read_bytes() == whole
    for name in ("sweep.json", "lock"):
        (tmp_path / "kept" / name).write_bytes(b"\0" * 300)
    with pytest.raises(DataError, match=r"sweep.json cannot be read"):
        checkpoint(tmp_path, 0)


# -- disks that are full, gone or may not be written to ------------------------------------------------------


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_files_that_may_not_grow(write: Callable[[Path, int], None], tmp_path: Path) -> None:
    """The limit of the system on the size of a file, which the kernel itself enforces."""
    (tmp_path / "clean").mkdir()
    write(tmp_path / "clean", 1)
    (tmp_path / "one").mkdir()
    write(tmp_path / "one", 0)
    before = contents(tmp_path / "one")
    if write is checkpoint:
        (tmp_path / "one" / "kept" / "chunk-000001.parquet").unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        raised = outcome(write, tmp_path / "one", Faults(tmp_path / "elsewhere"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(raised, EntrepotError)
    assert "File too large" in str(raised)
    assert contents(tmp_path / "one").items() <= before.items()
    assert not drafts(tmp_path / "one")
    write(tmp_path / "one", 1)
    assert contents(tmp_path / "one") == contents(tmp_path / "clean")
    tried("faults", "writers at the system's limit on the size of a file")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A disk of its own, with given options."""
    place = tmp_path / "disk"
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        place.mkdir(exist_ok=True)
        told = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True
        )
        if told.returncode:
            pytest.skip(f"no disk can be mounted here: {told.stderr.decode().strip()}")
        mounted.append(place)
        return place

    yield mount
    for disk in mounted:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="needs root on Linux")
@pytest.mark.parametrize("options", ["size=4k", "size=12k", "nr_inodes=3", "nr_inodes=5", "ro"])
def test_a_disk_that_is_full(options: str, small_disk: Any, tmp_path: Path) -> None:
    disk = small_disk(options)
    failed = 0
    for write in WRITERS:
        raised = outcome(write, disk, Faults(tmp_path / "elsewhere"))
        failed += raised is not None
        assert raised is None or plainly_told(raised), f"{write.__name__}: {raised!r}"
        assert not drafts(disk)
        for name in {path.parts[0] for path in map(Path, contents(disk))}:
            subprocess.run(["rm", "-rf", str(disk / name)], check=True)
    assert failed
    tried("faults", "writers on disks that are full, have no room for a name or are read-only", len(WRITERS))


def test_a_folder_that_is_removed_meanwhile(tmp_path: Path) -> None:
    def remove() -> None:
        for left in sorted(tmp_path.rglob("*"), reverse=True):
            left.rmdir() if left.is_dir() else left.unlink()

    def vanishing(index: NDArray[np.int64], stop: Any = None) -> Rows:
        remove()
        return Squares().run(index)

    job = Squares()
    job.run = vanishing  # type: ignore[method-assign]
    with pytest.raises(DataError, match=r"a chunk cannot be written to .* start again"):
        run_job(job, tmp_path / "kept", ThreadPoolExecutor(1))

    def goes() -> None:
        with files.all_or_none(tmp_path / "out", ["a"]) as staging:
            (staging / "a").write_bytes(b"x")
            remove()

    with pytest.raises(ParameterError, match="cannot be written"):
        goes()
    assert not list(tmp_path.iterdir())
    tried("faults", "folders removed during a run", 2)


# -- processes that are ended --------------------------------------------------------------------------------

CTX = get_context("forkserver")
CTX.set_forkserver_preload(["entrepot.export", "entrepot.engine.sweep", "entrepot.reports.pages.document"])
ENDS = (
    (signal.SIGKILL,), (signal.SIGTERM,), (signal.SIGINT,), (signal.SIGINT, signal.SIGINT), (signal.SIGHUP,),
)  # fmt: skip


def long_checkpoint(folder: Path, version: int) -> None:
    run_job(Squares(), folder / "long", ThreadPoolExecutor(1), count=60)


KILLED = (long_checkpoint, export, page, demo)


def keep_writing(write: Callable[[Path, int], None], folder: Path, ready: Any) -> None:
    """Write over and over until Ctrl-C, which a sweep answers with what it has."""
    told: list[int] = []

    def interrupted(number: int, frame: Any) -> None:
        told.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # who starts the tests may have it ignored, as nohup does
    ready.set()
    with suppress(KeyboardInterrupt):
        while not told:
            for version in (0, 1):
                write(folder, version)
    os._exit(1)


def kill_at_random(kills: int, folder: Path) -> None:
    chance = random.Random(7)
    for write in KILLED:
        names = [folder / write.__name__ / name for name in ("0", "1", "killed")]
        for name in names:
            name.mkdir(parents=True)
        for version in (0, 1):
            write(names[version], version)
        whole = [contents(name) for name in names[:2]]
        for number in range(kills // len(KILLED)):
            ready = CTX.Event()
            worker = CTX.Process(target=keep_writing, args=(write, names[2], ready))
            worker.start()
            assert ready.wait(60)
            time.sleep(chance.uniform(0, 0.05))
            for which in ENDS[number % len(ENDS)]:
                os.kill(worker.pid or 0, which)
            worker.join(60)
            ended = worker.exitcode
            worker.kill()
            assert ended, "it goes on in spite of the signal"
            for name, content in contents(names[2]).items():
                assert content in (whole[0][name], whole[1][name]), f"{name} after {ENDS[number % len(ENDS)]}"
            if write is export and (names[2] / "run" / "manifest.json").exists():
                read_or_refused(names[2] / "run")
            if number % 3 == 0:
                write(names[2], number % 2)
                assert contents(names[2]) == whole[number % 2]
                assert not drafts(names[2])
                assert not list(names[2].rglob("lock"))
            if write is long_checkpoint:
                subprocess.run(["rm", "-rf", str(names[2] / "long")] if number % 3 else ["true"], check=True)
    tried("faults", "kills at random moments", kills)


def read_or_refused(folder: Path) -> None:
    """Read an export; files of two are refused."""
    try:
        found = read_export(folder)
    except DataError as error:
        assert "export the run again" in str(error)  # noqa: PT017
    else:
        assert found["equity"].equals(found["fills"])


def test_whatever_ends_a_process(tmp_path: Path) -> None:
    kill_at_random(20, tmp_path)


@pytest.mark.slow
def test_whatever_ends_a_process_hundreds_of_times(tmp_path: Path) -> None:
    kill_at_random(600, tmp_path)


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_what_only_looks_like_a_draft_is_left_alone(
    write: Callable[[Path, int], None], tmp_path: Path
) -> None:
    write(tmp_path, 0)
    for folder in {path.parent for path in tmp_path.rglob("*")}:
        for name in (".entrepot.toml", ".entrepot.2026-11-26.log", ".entrepot.0123456789abcde"):
            (folder / name).write_text("mine")
        (folder / ".entrepot.notes").mkdir()
    before = drafts(tmp_path)
    write(tmp_path, 1)
    assert drafts(tmp_path) == before


# -- two runs on one checkpoint ------------------------------------------------------------------------------


def step_in(folder: str, rounds: int, both: Any, alone: Any) -> None:
    """Open one checkpoint over and over, at the same moments as another process."""
    for number in range(rounds):
        if both.wait() == 0:  # one of the two: the lock of a process that was killed
            Path(folder, "lock").write_text(f"{99999 + number} {os.uname().nodename}")
        both.wait()
        try:
            with Checkpoint(folder, {}, ["a"]):
                handle = os.open(f"{folder}/inside", os.O_CREAT | os.O_EXCL)
                os.close(handle)
                os.unlink(f"{folder}/inside")
                with alone.get_lock():
                    alone.value += 1
        except ParameterError as error:
            assert "another process is at work" in str(error)  # noqa: PT017


def start_at_once(rounds: int, folder: Path) -> None:
    both, alone = CTX.Barrier(2, timeout=60), CTX.Value("i", 0)
    pair = [CTX.Process(target=step_in, args=(str(folder), rounds, both, alone)) for _ in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(300)
    assert [process.exitcode for process in pair] == [0, 0]
    assert rounds <= alone.value <= 2 * rounds, "each time at least one gets in"
    assert os.listdir(folder) == ["sweep.json"]
    tried("faults", "pairs of runs started at once on one checkpoint", rounds)


def test_two_that_start_at_once(tmp_path: Path) -> None:
    start_at_once(100, tmp_path)


@pytest.mark.slow
def test_two_that_start_at_once_a_thousand_times(tmp_path: Path) -> None:
    start_at_once(2000, tmp_path)


def test_a_forked_worker_does_not_hold_the_lock(tmp_path: Path) -> None:
    """One that outlives its parent would hold it for ever."""
    code = (
        "import os, sys, time\nfrom entrepot.engine.checkpoint import Checkpoint\n"
        "kept = Checkpoint(sys.argv[1], {}, ['a']).__enter__()\n"
        "os.fork()\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE, start_new_session=True, text=True,
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        for _ in range(2):  # both are there: the worker lets go as its first act
            parent.stdout.readline()
        with (
            pytest.raises(ParameterError, match="another process is at work"),
            Checkpoint(tmp_path, {}, ["a"]),
        ):
            raise AssertionError
        parent.kill()
        parent.wait()
        with Checkpoint(tmp_path, {}, ["a"]):
            pass
        os.killpg(parent.pid, signal.SIGKILL)


def test_strangers_files_and_links_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "thesis.draft").write_text("years of work")
    (tmp_path / "mine").write_text("mine")
    checkpoint(tmp_path, 0)
    (tmp_path / "kept" / "lock").symlink_to(tmp_path / "mine")
    with pytest.raises(DataError, match="cannot be used"):
        checkpoint(tmp_path, 0)
    (tmp_path / "kept" / "lock").unlink()
    os.mkfifo(tmp_path / "kept" / "lock")
    with pytest.raises(DataError, match="is no plain file"):
        checkpoint(tmp_path, 0)
    assert (tmp_path / "kept" / "thesis.draft").read_text() == "years of work"
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_clock_that_is_set_changes_nothing(tmp_path: Path) -> None:
    """Whatever the times of files say: none is looked at."""
    for moved in (-3600, 3600, 366 * 86400, -366 * 86400):
        checkpoint(tmp_path, 0)
        (tmp_path / "kept" / "chunk-000001.parquet").unlink()
        (tmp_path / "kept" / "lock").write_text(f"{os.getppid()} {os.uname().nodename}")
        for path in (tmp_path / "kept").iterdir():
            os.utime(path, (time.time() + moved,) * 2)
        checkpoint(tmp_path, 0)
        tried("faults", "clocks set forward or back between runs")


# -- the user's own zone, language and hashes ----------------------------------------------------------------

RUN = """
import hashlib, entrepot as ep
market = ep.simulate_market("2021-02-01", "2021-06-30", seed=3, symbols=["BABA", "9988.HK", "KWEB"])
result = ep.backtest(market, ep.LongHKShortADR(lookback=20))
told = result.equity.to_csv() + result.fills.to_csv() + str(result.summary().to_dict())
print(hashlib.sha256(told.encode()).hexdigest(), len(result.fills))
"""


@pytest.mark.slow
def test_zone_language_and_hashes_change_no_bit() -> None:
    given = [
        {"TZ": zone} for zone in ("Asia/Hong_Kong", "America/New_York", "Pacific/Kiritimati", "Europe/London")
    ]
    given += [{"LC_ALL": name, "LANG": name} for name in ("C", "C.UTF-8", "tr_TR.UTF-8", "de_DE.UTF-8")]
    given += [{"PYTHONHASHSEED": seed} for seed in ("0", "1", "4242")]
    found = {
        subprocess.check_output([sys.executable, "-c", RUN], text=True, env=os.environ | own) for own in given
    }
    assert len(found) == 1
    assert int(found.pop().split()[1]) > 0
    tried("faults", "zones, languages and hash seeds under which a backtest is equal to the bit", len(given))


# -- workers that fail ---------------------------------------------------------------------------------------


class OddError(Exception):
    """One that cannot be unpickled."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)


@dataclass
class Failing(Squares):
    """All is well until the second chunk."""

    way: str = ""

    def run(self, index: NDArray[np.int64], stop: Any = None) -> Rows:
        if index[0] >= CHUNK:
            match self.way:
                case "memory":
                    raise MemoryError
                case "too much":
                    resource.setrlimit(resource.RLIMIT_AS, (2**32, resource.RLIM_INFINITY))
                    np.ones(2**33)
                case "odd":
                    raise OddError("one", "two")
                case "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "own":
                    raise ZeroDivisionError("of the user's own strategy")
        return super().run(index, stop)


@dataclass
class Unreadable(Squares):
    """What cannot be unpickled elsewhere."""

    def __reduce__(self) -> Any:
        return _not_there, ()


def _not_there() -> None:
    raise AttributeError("Can't get attribute 'plan' on <module '__main__'>")


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("memory", r"^a worker's memory was full .* with 3 of 6 configurations done: start again"),
        ("too much", r"^a worker's memory was full .* with 3 of 6 "),
        ("odd", r"^a process of the executor died or sent what cannot be read here with 3 of 6 "),
        ("killed", r"^a process of the executor died.* with 3 of 6 "),
    ],
)
def test_a_worker_that_fails_is_told_and_what_is_done_is_kept(way: str, words: str, tmp_path: Path) -> None:
    with (
        ProcessPoolExecutor(1, mp_context=CTX) as pool,
        pytest.raises(EntrepotError, match=words) as told,
    ):
        run_job(Failing(way=way), tmp_path, pool)
    assert plainly_told(told.value)
    assert sorted(contents(tmp_path)) == ["chunk-000000.parquet", "sweep.json"]
    np.testing.assert_array_equal(run_job(Squares(), tmp_path), Squares().run(np.arange(COUNT)).figures)
    tried("faults", "ways in which a worker fails")


@pytest.mark.parametrize("executor", [None, "threads"])
def test_a_thread_without_memory_is_told(executor: str | None, tmp_path: Path) -> None:
    pool = None if executor is None else ThreadPoolExecutor(1)
    with pytest.raises(EntrepotError, match="a worker's memory was full"):
        run_job(Failing(way="memory"), tmp_path, pool)
    assert len(list(tmp_path.glob("chunk-*"))) == 1
    tried("faults", "ways in which a worker fails")


def test_an_error_of_the_users_own_is_his(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="own strategy"):
        run_job(Failing(way="own"), tmp_path)
    assert len(list(tmp_path.glob("chunk-*"))) == 1


def test_an_executor_that_ends_is_told() -> None:
    gone = ThreadPoolExecutor(1)
    gone.shutdown()
    with pytest.raises(EntrepotError, match=r"^the executor was shut down with 0 of 6 .* give checkpoint="):
        run_job(Squares(), None, gone)
    held, pool = threading.Event(), ThreadPoolExecutor(1)
    pool.submit(held.wait)
    ending = threading.Timer(0.2, lambda: (pool.shutdown(wait=False, cancel_futures=True), held.set()))
    ending.start()
    with pytest.raises(EntrepotError, match=r"^the executor was shut down with 0 of 6 "):
        run_job(Squares(), None, pool)
    ending.join()
    with (
        ProcessPoolExecutor(1, mp_context=CTX) as processes,
        pytest.raises(EntrepotError, match=r"^the sweep cannot be read in another process \(AttributeError"),
    ):
        run_job(Unreadable(), None, processes)
    tried("faults", "ways in which a worker fails", 3)


class Interrupting(ThreadPoolExecutor):
    """Ctrl-C reaches the workers as well, which break, and only then the parent."""

    def submit(self, *given: Any, **options: Any) -> Future[Any]:  # type: ignore[override]
        future: Future[Any] = Future()
        future.set_exception(KeyboardInterrupt())
        return future


def test_ctrl_c_that_reaches_the_workers_too_is_ctrl_c(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):  # run_job's own: the sweep itself returned what it had
        run_job(Squares(), tmp_path, Interrupting(1))
    assert sorted(contents(tmp_path)) == ["sweep.json"]


# -- compiled code on disk -----------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[float, int]]:
    """Compile a small function as kernels are; what it gives, and how often it came from disk."""
    from numba import njit

    source = tmp_path / "small.py"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python would take the older code itself
    source.write_text("def double(x):\n    return 2 * x\n")
    os.utime(source, (1e9, 1e9))

    def run() -> tuple[float, int, Path]:
        spec = spec_from_file_location("small", source)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "small", module)
        spec.loader.exec_module(module)
        made = kept_on_disk(lambda cache: njit(cache=cache)(module.double))
        return made(21), sum(made._cache_hits.values())

    return run


def test_damaged_and_stale_code_is_compiled_anew(kept: Any, tmp_path: Path) -> None:
    assert kept() == (42, 0)
    assert kept() == (42, 1)
    (file,) = (tmp_path / "__pycache__").glob("*.code")
    whole = file.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for damaged in (b"", b"\0" * len(whole), whole[:middle], b"garbage" * 99, flipped):
        file.write_bytes(damaged)
        assert kept() == (42, 0)
        assert kept() == (42, 1)
        tried("faults", "damaged or stale files of compiled code, none of them run")
    source = tmp_path / "small.py"
    source.write_text(source.read_text().replace("2", "3"))
    os.utime(source, (1e9, 1e9))  # of the same size and, by its clock, of the same moment
    assert kept() == (63, 0)
    tried("faults", "damaged or stale files of compiled code, none of them run")


def test_what_a_killed_process_left_of_compiled_code_is_removed(kept: Any, tmp_path: Path) -> None:
    left = tmp_path / "__pycache__" / ".entrepot.0123456789abcdef.code"
    left.parent.mkdir()
    left.write_bytes(b"half")
    assert kept() == (42, 0)
    assert not left.exists()


def test_where_numba_has_changed_inside_it_keeps_code_itself(
    kept: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from entrepot.engine import _kernels as kernels

    monkeypatch.setitem(sys.modules, "entrepot.kept_code", None)
    assert kept() == (42, 0)
    assert kept() == (42, 1)
    assert not list((tmp_path / "__pycache__").glob("*.code"))
    assert compiled.__wrapped__(kernels.leave_alone).address


def test_where_code_cannot_be_kept_it_still_runs(kept: Any, tmp_path: Path) -> None:
    for name in ("ENOSPC", "EACCES"):
        for at in range(1, 30):
            with Faults(tmp_path / "__pycache__", at, system_error(name), lasting=True) as faults:
                assert kept()[0] == 42
            for file in (tmp_path / "__pycache__").glob("*.code"):
                file.unlink()
            if len(faults.seen) < at:
                break
            tried("faults", "faults while compiled code is kept")
        assert at > 5
    assert kept()[0] == 42
    assert kept() == (42, 1)
