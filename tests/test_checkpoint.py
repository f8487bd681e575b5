"""Checkpoints: whatever kills a sweep, it goes on where it was and ends with the same table."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import entrepot as ep
from entrepot.engine import checkpoint as files
from entrepot.engine.fingerprints import fingerprint, sources
from entrepot.engine.sweep import Rows
from entrepot.errors import DataError, ParameterError
from entrepot.sweep_jobs import SweepJob

GRID = {"lookback": [20, 40], "entry": [0.8, 1.2, 1.6], "exit": [-0.2, 0.2]}


def market_of(seed: int = 3) -> ep.Market:
    return ep.simulate_market(start="2021-01-04", end="2021-12-31", seed=seed)


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return market_of()


def sweep(market: ep.Market, folder: Path | None, **changes: Any) -> ep.Sweep:
    given: dict[str, Any] = {"parameters": GRID, "checkpoint": folder, "progress": False, "chunk": 3}
    plan = changes.pop("strategy", ep.LongHKShortADR())
    return ep.sweep(market, plan, **(given | changes))


@pytest.fixture(scope="module")
def table(market: ep.Market) -> pd.DataFrame:
    return sweep(market, None).table


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The configurations that are run."""
    ran: list[int] = []
    run = SweepJob.run

    def noting(self: SweepJob, index: Any, stop: Any = None) -> Rows:
        ran.extend(index.tolist())
        return run(self, index, stop)

    monkeypatch.setattr(SweepJob, "run", noting)
    return ran


def test_nothing_is_done_twice(
    market: ep.Market, table: pd.DataFrame, tmp_path: Path, counted: list[int]
) -> None:
    first = sweep(market, tmp_path)
    pd.testing.assert_frame_equal(first.table, table)
    assert sorted(counted) == list(range(12))
    counted.clear()
    again = sweep(market_of(), tmp_path)
    pd.testing.assert_frame_equal(again.table, table)
    assert counted == []
    (tmp_path / "chunk-000002.parquet").unlink()
    pd.testing.assert_frame_equal(sweep(market, tmp_path).table, table)
    assert len(counted) == 3
    assert not (tmp_path / "lock").exists()


KILLED = """
import sys, entrepot as ep
from entrepot.engine import checkpoint
write = checkpoint.Checkpoint.write
def slow(self, number, *given):
    write(self, number, *given)
    print(number, flush=True)
checkpoint.Checkpoint.write = slow
market = ep.simulate_market(start="2021-01-04", end="2021-12-31", seed=3)
grid = {"lookback": [20, 40], "entry": [0.8, 1.2, 1.6], "exit": [-0.2, 0.2]}
table = ep.sweep(market, ep.LongHKShortADR(), grid, checkpoint=sys.argv[1], progress=False, chunk=1).table
table.to_parquet(sys.argv[2])
"""


def test_a_killed_sweep_goes_on(market: ep.Market, table: pd.DataFrame, tmp_path: Path) -> None:
    folder, out = tmp_path / "kept", tmp_path / "table.parquet"
    done: list[int] = []
    for delay in (0.0, 0.002, 0.005):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(folder), str(out)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        done.append(int(process.stdout.readline()))
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        done += [int(line) for line in process.stdout.read().split()]
        process.wait()
        assert (folder / "lock").exists()
    finished = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(out)], capture_output=True, text=True, check=True
    )
    done += [int(line) for line in finished.stdout.split()]
    # A chunk may have been written and its number not yet printed when the process was killed.
    assert len(done) == len(set(done))
    assert len(done) >= 12 - 3
    expected = table.reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.read_parquet(out).reset_index(drop=True), expected)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"parameters": GRID | {"exit": [-0.2, 0.25]}}, "grid"),
        ({"strategy": ep.LongHKShortADR(weight=0.05)}, "strategy"),
        ({"costs": ep.Costs(fee_bps=3)}, "terms"),
        ({"capital": 5e6}, "terms"),
        ({"chunk": 4}, "chunk size"),
    ],
)
def test_a_checkpoint_of_another_sweep_is_refused(
    market: ep.Market, tmp_path: Path, changes: dict[str, Any], part: str
) -> None:
    sweep(market, tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(ParameterError, match=f"of another sweep, its {part} differs"):
        sweep(market, tmp_path, **changes)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_another_market_path_or_version_is_refused(
    market: ep.Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(market, tmp_path)
    with pytest.raises(ParameterError, match="its market differs"):
        sweep(market_of(4), tmp_path)
    path = ep.RegimeModel().walk_forward(market, ep.load_events())
    with pytest.raises(ParameterError, match="its regime path differs"):
        sweep(market, tmp_path, path=path)
    for what, part in (("libraries", "version of the libraries"), ("code_fingerprint", "code version")):
        with monkeypatch.context() as other:
            other.setattr(f"entrepot.sweeps.{what}", lambda: "0.0.9")
            with pytest.raises(ParameterError, match=f"its {part} differs"):
                sweep(market, tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "foreign", "swapped"])
def test_a_damaged_chunk_is_named(market: ep.Market, tmp_path: Path, damage: str) -> None:
    sweep(market, tmp_path)
    chunk, other = tmp_path / "chunk-000001.parquet", tmp_path / "chunk-000002.parquet"
    if damage == "foreign":
        pd.DataFrame({"a": [1]}).to_parquet(chunk)
    elif damage == "swapped":
        chunk.write_bytes(other.read_bytes())
    else:
        whole = chunk.read_bytes()
        chunk.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"hello"}[damage])
    with pytest.raises(DataError, match=r"chunk-000001.parquet .* remove it"):
        sweep(market, tmp_path)
    assert not (tmp_path / "lock").exists()


class Unreadable(io.BytesIO):
    """A file on a disk that fails."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("fails", ["open", "read"])
def test_a_chunk_that_the_system_does_not_give_is_not_called_damaged(
    market: ep.Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    sweep(market, tmp_path)
    opening = files.open_plain

    def failing(path: Path) -> Any:
        if path.suffix != ".parquet":
            return opening(path)
        if fails == "open":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return Unreadable(path.read_bytes())

    monkeypatch.setattr(files, "open_plain", failing)
    with pytest.raises(DataError, match=r"cannot be read \(Input/output error\): start again when it can"):
        sweep(market, tmp_path)


def test_a_folder_that_is_no_checkpoint_is_refused(market: ep.Market, tmp_path: Path) -> None:
    sweep(market, tmp_path)
    head = tmp_path / "sweep.json"
    kept = head.read_text()
    head.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        sweep(market, tmp_path)
    head.write_text("[]")
    with pytest.raises(DataError, match="cannot be read"):
        sweep(market, tmp_path)
    head.unlink()
    with pytest.raises(DataError, match="has chunks and no sweep"):
        sweep(market, tmp_path)
    head.write_text(kept)
    assert json.loads(kept)["format"] == "1"
    assert sweep(market, tmp_path).complete
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(DataError, match="cannot be used"):
        sweep(market, file)


HOLDS = """
import sys, time
from entrepot.engine.checkpoint import Checkpoint
with Checkpoint(sys.argv[1], {}, ["a"]):
    print(flush=True)
    time.sleep(60)
"""


def test_two_at_once_are_not(market: ep.Market, tmp_path: Path) -> None:
    with files.Checkpoint(tmp_path, {}, ["a"]):
        with pytest.raises(ParameterError, match="another process is at work"):
            sweep(market, tmp_path)
        assert (tmp_path / "lock").exists()
    (tmp_path / "sweep.json").unlink()
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(ParameterError, match="another process is at work"):
        sweep(market, tmp_path)
    holder.kill()
    holder.wait()
    # Its number may be another process's by now.
    (tmp_path / "lock").write_text(f"{os.getppid()} {os.uname().nodename}")
    (tmp_path / "sweep.json").unlink()
    assert sweep(market, tmp_path).complete
    (tmp_path / "lock").write_text("12345 another-machine")
    with pytest.raises(ParameterError, match="another process is at work"):
        sweep(market, tmp_path)


def test_a_full_disk_leaves_nothing_half_written(
    market: ep.Market, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = [0]
    sync = os.fsync

    def full(handle: int) -> None:
        written[0] += 1
        if written[0] == 4:
            raise OSError(28, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device; what was written before is kept"):
        sweep(market, tmp_path)
    assert not list(tmp_path.glob("*.draft"))
    for chunk in tmp_path.glob("chunk-*.parquet"):
        assert len(pq.read_table(chunk)) == 3
    pd.testing.assert_frame_equal(sweep(market, tmp_path).table, table)


def test_equal_inputs_have_equal_names() -> None:
    one, other = market_of(), market_of()
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one) != fingerprint(market_of(4))
    assert fingerprint([1]) != fingerprint([1.0])
    assert fingerprint({"a": 1, "b": 2}) != fingerprint({"a": 2, "b": 1})
    assert fingerprint(lambda x: x + 1) != fingerprint(lambda x: x + 2)

    def adder(y: float) -> object:
        return lambda x: x + y

    assert fingerprint(adder(1.0)) == fingerprint(adder(1.0)) != fingerprint(adder(2.0))
    assert (
        fingerprint(ep.Costs().with_) == fingerprint(ep.Costs().with_) != fingerprint(ep.Costs.none().with_)
    )
    script = (
        "import entrepot as ep; from entrepot.engine.fingerprints import fingerprint; "
        "print(fingerprint([ep.simulate_market(start='2021-01-04', end='2021-12-31', seed=3), ep.Costs(), "
        "ep.LongHKShortADR(pairs=['BABA']), ep.load_events()]))"
    )
    here = fingerprint([one, ep.Costs(), ep.LongHKShortADR(pairs=["BABA"]), ep.load_events()])
    there = subprocess.check_output([sys.executable, "-c", script], text=True).strip()
    assert there == here


def test_a_fingerprint_is_of_times_and_of_functions_that_call_themselves() -> None:
    def count(n: int) -> int:
        return n and count(n - 1)

    assert len(fingerprint(count)) == 16
    dates = pd.date_range("2021-01-04", periods=3, tz="UTC")
    dated = pd.Series([1.0, 2.0, 3.0], dates)
    assert fingerprint(dated) == fingerprint(dated.copy())
    assert fingerprint(dated) != fingerprint(dated.set_axis(dates + pd.Timedelta(days=1)))
    assert fingerprint(dates) != fingerprint(dates.tz_convert("Asia/Hong_Kong"))


def test_the_code_fingerprint_reads_every_room() -> None:
    root = Path(ep.__path__[0])
    read = {path.relative_to(root).as_posix() for path in sources(root)}
    assert {"engine/_kernels.py", "markets/market.py", "regimes/data/events.csv", "sweeps.py"} <= read
    assert not any("__pycache__" in name for name in read)
