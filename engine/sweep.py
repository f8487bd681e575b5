"""Run many configurations in chunks: on threads, processes or a cluster, with progress and an early end."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from entrepot.engine.checkpoint import Checkpoint
from entrepot.errors import EntrepotError, ParameterError, shown
from entrepot.progress import progress_bar

# Chunks handed out before the first of them is back: enough to keep a cluster busy, few enough to forget.
WINDOW = 64
# How often a chunk is tried again on a cluster whose worker died with it.
RETRIES = 3


@dataclass(frozen=True, eq=False)
class Rows:
    """What became of a chunk of configurations.

    Args:
        index: which they are, shape (C,).
        figures: shape (C, columns), NaN where one was refused or not run.
        refused: why one cannot be run, empty where it can.
        done: False where the run was ended first.
    """

    index: NDArray[np.int64]
    figures: NDArray[np.float64]
    refused: tuple[str, ...]
    done: NDArray[np.bool_]


class Job(Protocol):
    """What a worker needs to run any configuration; it is pickled for other processes."""

    def run(self, index: NDArray[np.int64], stop: NDArray[np.int8] | None = None) -> Rows:
        """Run some configurations, until ``stop``, shape (1,), is no longer 0."""


def run_chunks(
    job: Job,
    chunks: Sequence[NDArray[np.int64]],
    figures: NDArray[np.float64],
    refused: dict[int, str],
    *,
    executor: Executor | None = None,
    checkpoint: Checkpoint | None = None,
    progress: bool = True,
) -> NDArray[np.bool_]:
    """Run every chunk that a checkpoint does not have yet; Ctrl-C ends it and keeps what is done.

    Args:
        job: what is run.
        chunks: configurations by number, each in one chunk.
        figures: shape (configurations, columns); filled in place.
        refused: filled with the reasons of those that cannot be run.
        executor: a `concurrent.futures.Executor` or a Dask client; None: a thread for each processor.
        checkpoint: where finished chunks are kept.
        progress: show a bar with rate and time left.

    Returns:
        Which configurations are done, shape (configurations,).

    Raises:
        ParameterError: for an executor that is none.
        EntrepotError: where the executor was shut down, its processes died or their memory was full.
    """
    done = np.zeros(len(figures), dtype=bool)

    def keep(rows: Rows) -> int:
        mine = rows.index[rows.done]
        figures[mine] = rows.figures[rows.done]
        refused.update((int(i), why) for i, why in zip(rows.index, rows.refused, strict=True) if why)
        done[mine] = True
        return len(mine)

    def settle(number: int, rows: Rows) -> None:
        bar.update(keep(rows))
        if checkpoint is not None and rows.done.all():
            checkpoint.write(number, rows.index, rows.figures, rows.refused)

    todo = []
    for number, chunk in enumerate(chunks):
        known = None if checkpoint is None else checkpoint.read(number, chunk)
        if known is None:
            todo.append(number)
        else:
            keep(Rows(chunk, *known, np.ones(len(chunk), dtype=bool)))
    bar = progress_bar(
        total=len(figures), initial=int(done.sum()), unit="config", show=progress, dynamic_ncols=True
    )
    stop = np.zeros(1, dtype=np.int8)
    with bar, _submitter(job, executor, stop) as submit:
        waiting: dict[Future[Rows], int] = {}
        # Called for what an executor drops when it is shut down as well, which wait() waits for in vain.
        ended: SimpleQueue[Future[Rows]] = SimpleQueue()
        left = iter(todo)
        try:
            while True:
                for number in islice(left, WINDOW - len(waiting)):
                    future = submit(chunks[number])
                    waiting[future] = number
                    future.add_done_callback(ended.put)
                if not waiting:
                    break
                future = ended.get()
                settle(waiting.pop(future), future.result())
        except BaseException as error:
            stop[0] = 1
            for future in waiting:
                future.cancel()
            # Threads end within a step; what another process is at is not waited for.
            for future in wait(waiting, timeout=1.0 if executor is None else 0.0).done:
                if not future.cancelled() and future.exception() is None:
                    settle(waiting[future], future.result())
            if why := _ended(error):
                again = "give checkpoint= to keep what is done"
                if checkpoint is not None:
                    again = "start again, what the checkpoint has is not done twice"
                raise EntrepotError(
                    f"{why} with {int(done.sum())} of {len(done)} configurations done: {again}"
                ) from error
            if not isinstance(error, KeyboardInterrupt):
                raise
        finally:
            stop[0] = 1
    return done


def _ended(error: BaseException) -> str:
    """Say what became of the executor; "" where it is the job itself that went wrong, or Ctrl-C."""
    if isinstance(error, BrokenExecutor):
        sent = "" if error.__cause__ is None else " or sent what cannot be read here"
        return f"a process of the executor died{sent}"
    if isinstance(error, MemoryError):
        return "a worker's memory was full (it takes less with fewer workers and a smaller chunk=)"
    after = isinstance(error, RuntimeError) and str(error).startswith("cannot schedule new futures after")
    if after or isinstance(error, CancelledError):
        return "the executor was shut down"
    if type(error).__module__.partition(".")[0] == "distributed":
        return f"the cluster gave up ({type(error).__name__})"
    return ""


@contextmanager
def _submitter(job: Job, executor: Executor | None, stop: NDArray[np.int8]) -> Iterator[Any]:
    """Give a function that hands out a chunk and returns its future."""
    if executor is None:
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            yield lambda chunk: pool.submit(job.run, chunk, stop)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    elif isinstance(executor, ThreadPoolExecutor):
        yield lambda chunk: executor.submit(job.run, chunk, stop)
    elif type(executor).__module__.partition(".")[0] == "distributed":
        # A Dask client: the job goes to each worker once, the chunks as numbers.
        client: Any = executor
        payload = _payload(job)
        there = client.scatter(payload, broadcast=True, hash=False)
        tasks = client.get_executor(pure=False, retries=RETRIES)
        yield lambda chunk: tasks.submit(_run_there, there, chunk)
    elif isinstance(executor, Executor):
        payload = _payload(job)
        yield lambda chunk: executor.submit(_run_there, payload, chunk)
    else:
        raise ParameterError(
            f"executor is {shown(executor)}: give a concurrent.futures.Executor, a Dask client, or None"
        )


def _payload(job: Job) -> tuple[str, bytes]:
    """Pickle a job once, with a name by which a process knows it again."""
    try:
        pickled = pickle.dumps(job, protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ParameterError(
            f"the sweep cannot be sent to other processes ({error}): define its functions in a module, not "
            "in a notebook or as a lambda, or leave out executor="
        ) from error
    return sha256(pickled).hexdigest(), pickled


_JOBS: dict[str, Job] = {}
# How many jobs this process has unpickled: one for each sweep, however many chunks.
UNPICKLED = [0]


def _run_there(payload: tuple[str, bytes], chunk: NDArray[np.int64]) -> Rows:
    """Run a chunk in another process, which unpickles the job when it first meets it."""
    name, pickled = payload
    if name not in _JOBS:
        _JOBS.clear()
        # From the process that started this one, over the executor's own channel, which pickles as well;
        # never from a file: a checkpoint holds JSON and Parquet.
        try:
            _JOBS[name] = pickle.loads(pickled)  # noqa: S301
        except Exception as error:  # whatever a class raises that is not the same there
            raise EntrepotError(
                f"the sweep cannot be read in another process ({type(error).__name__}: {error}): have the "
                "same modules and versions there, and its functions in a module"
            ) from None
        UNPICKLED[0] += 1
    return _JOBS[name].run(chunk)


def cut(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Cut an order of configurations into chunks."""
    return [order[first : first + size] for first in range(0, len(order), size)]
