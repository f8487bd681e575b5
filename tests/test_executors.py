"""Sweeps on processes and on a cluster: the same table, the market sent once to each worker."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.engine import sweep as chunks
from entrepot.errors import EntrepotError, ParameterError

GRID = {"lookback": [20, 40], "entry": [0.8, 1.2, 1.6], "exit": [-0.2, 0.2]}


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2021-01-04", end="2021-12-31", seed=3)


def sweep(market: ep.Market, executor: Any, **changes: Any) -> ep.Sweep:
    given: dict[str, Any] = {"parameters": GRID, "progress": False, "chunk": 2, "executor": executor}
    return ep.sweep(market, ep.LongHKShortADR(), **(given | changes))


@pytest.fixture(scope="module")
def table(market: ep.Market) -> pd.DataFrame:
    return sweep(market, None).table


def test_threads_give_the_same_table(market: ep.Market, table: pd.DataFrame) -> None:
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as pool:
            pd.testing.assert_frame_equal(sweep(market, pool).table, table)


def jobs_unpickled(seconds: float) -> tuple[int, int]:
    time.sleep(seconds)  # long enough for every worker to be asked
    return os.getpid(), chunks.UNPICKLED[0]


def test_processes_give_the_same_table_and_unpickle_once(market: ep.Market, table: pd.DataFrame) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        pd.testing.assert_frame_equal(sweep(market, pool).table, table)
        counts = dict(pool.map(jobs_unpickled, [0.3] * 4))
    assert set(counts.values()) <= {0, 1}
    assert 1 in counts.values()


def test_what_cannot_be_sent_is_refused(market: ep.Market) -> None:
    plan = ep.CompiledStrategy(lambda step, state, params, features, out: None, symbols=["FXI"])
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(ParameterError, match="cannot be sent to other processes"),
    ):
        ep.sweep(market, plan, [{}], executor=pool, progress=False)


def die_when_told(folder: str) -> None:
    """Kill this process once a chunk has been written."""
    while not list(Path(folder).glob("chunk-*.parquet")):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_is_told_and_a_checkpoint_goes_on(
    market: ep.Market, table: pd.DataFrame, tmp_path: Path
) -> None:
    grid = {"parameters": {"entry": np.linspace(0.5, 3, 500)}}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        pool.submit(die_when_told, str(tmp_path))
        with pytest.raises(EntrepotError, match=r"a process of the executor died with .* start again"):
            sweep(market, pool, checkpoint=tmp_path, **grid)
    kept = len(list(tmp_path.glob("chunk-*.parquet")))
    assert 0 < kept < 250
    whole = sweep(market, None, checkpoint=tmp_path, **grid)
    pd.testing.assert_frame_equal(whole.table, sweep(market, None, **grid).table)


@pytest.fixture(scope="module")
def cluster() -> Any:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


def unpickled_there() -> int:
    return chunks.UNPICKLED[0]


def test_a_cluster_gets_the_market_once_for_each_worker(
    market: ep.Market, table: pd.DataFrame, cluster: Any
) -> None:
    before = cluster.run(unpickled_there)
    pd.testing.assert_frame_equal(sweep(market, cluster).table, table)
    after = cluster.run(unpickled_there)
    assert {after[worker] - before[worker] for worker in after} <= {0, 1}
    assert sum(after.values()) > sum(before.values())


def test_a_worker_killed_half_way_is_survived(market: ep.Market, cluster: Any, tmp_path: Path) -> None:
    grid = {"parameters": {"entry": np.linspace(0.5, 3, 4000)}, "chunk": 50}
    expected = sweep(market, None, **grid).table
    workers = cluster.run(os.getpid)
    assert len(workers) == 2
    victim = next(iter(workers.values()))
    finished: list[int] = []

    def kill() -> None:
        while len(list(tmp_path.glob("chunk-*.parquet"))) < 10:
            time.sleep(0.001)
        os.kill(victim, signal.SIGKILL)
        finished.append(len(list(tmp_path.glob("chunk-*.parquet"))))

    killer = threading.Thread(target=kill)
    killer.start()
    made = sweep(market, cluster, checkpoint=tmp_path, **grid)
    killer.join()
    assert 10 <= finished[0] < 80
    pd.testing.assert_frame_equal(made.table, expected)
