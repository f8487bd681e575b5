"""Finished chunks of a sweep on disk: written whole or not at all, and never mixed with another sweep's."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError

FORMAT = 1
HEAD, LOCK = "sweep.json", "lock"
REFUSED = "Refused"


class Checkpoint:
    """A folder with one Parquet file for each finished chunk, and what they are chunks of.

    It is locked while it is open; the lock of a process that is gone is taken over.

    Args:
        folder: made if need be.
        identity: what the sweep is, by part: market, plan, grid and so on, each as text. A folder that
            holds another sweep is refused, naming the parts that differ.
        columns: names of the figures.

    Raises:
        ParameterError: where the folder holds another sweep, or another process is at work in it.
        DataError: where the folder or what is in it cannot be used.
    """

    def __init__(
        self, folder: str | os.PathLike[str], identity: Mapping[str, str], columns: Sequence[str]
    ) -> None:
        self.folder: Path = Path(folder)
        self.columns: list[str] = list(columns)
        self._identity = {"format": str(FORMAT), **identity}

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock()
        except OSError as error:
            raise DataError(
                f"the checkpoint folder {self.folder} cannot be used: {error.strerror}; give one that can be "
                "written to"
            ) from error
        try:
            self._claim()
        except BaseException:
            self._unlock()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unlock()

    def read(
        self, number: int, index: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], tuple[str, ...]] | None:
        """Return a chunk's figures, (C, columns), and refusals; None where it is not finished.

        Raises:
            DataError: where its file is not what was written.
        """
        path = self._path(number)
        if not path.exists():
            return None
        try:
            table = pq.read_table(path)
            figures = np.column_stack([table[name].to_numpy() for name in self.columns])
            refused = tuple(str(text) for text in table[REFUSED].to_pylist())
            same = np.array_equal(table["configuration"].to_numpy(), index)
        except (pa.ArrowException, KeyError, OSError, ValueError) as error:
            raise DataError(
                f"{path} cannot be read as a chunk of this sweep: remove it, and it is run again"
            ) from error
        if not same:
            raise DataError(f"{path} holds other configurations: remove it, and the chunk is run again")
        return figures, refused

    def write(
        self, number: int, index: NDArray[np.int64], figures: NDArray[np.float64], refused: Sequence[str]
    ) -> None:
        """Write a finished chunk: under another name first, and on the disk before it gets its own."""
        columns: dict[str, object] = {"configuration": index}
        columns |= {name: figures[:, j] for j, name in enumerate(self.columns)}
        columns[REFUSED] = pa.array(list(refused), pa.string())
        draft = self._path(number).with_suffix(f".{os.getpid()}.draft")
        try:
            with draft.open("wb") as file:
                pq.write_table(pa.table(columns), file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path(number))
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise DataError(
                f"a chunk cannot be written to {self.folder}: {error.strerror}; what was written before is "
                "kept, make room and start again"
            ) from error

    def _path(self, number: int) -> Path:
        return self.folder / f"chunk-{number:06d}.parquet"

    def _claim(self) -> None:
        """Refuse a folder of another sweep; write down what this one is where it is new."""
        head = self.folder / HEAD
        for draft in self.folder.glob("*.draft"):
            draft.unlink()
        if not head.exists():
            if next(self.folder.glob("chunk-*.parquet"), None) is not None:
                raise DataError(f"{self.folder} has chunks and no {HEAD}: give an empty folder")
            draft = head.with_suffix(f".{os.getpid()}.draft")
            with draft.open("w", encoding="utf-8") as file:
                json.dump(self._identity, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(head)
            return
        try:
            found = json.loads(head.read_text(encoding="utf-8"))
            other = [part for part, text in self._identity.items() if found.get(part) != text]
        except (ValueError, AttributeError) as error:
            raise DataError(f"{head} cannot be read: give an empty folder") from error
        if other:
            raise ParameterError(
                f"the checkpoint in {self.folder} is of another sweep, its {' and '.join(other)} differ"
                f"{'s' * (len(other) == 1)}: give another folder, or run what it was made with"
            )

    def _lock(self) -> None:
        path, draft = self.folder / LOCK, self.folder / f"{LOCK}.{os.getpid()}.draft"
        draft.write_text(f"{os.getpid()} {socket.gethostname()}", encoding="utf-8")
        try:
            for _ in range(2):
                try:
                    os.link(draft, path)  # with its content at once: a lock is never seen empty
                except FileExistsError:
                    if not _is_stale(path):
                        break
                    path.unlink(missing_ok=True)
                else:
                    _OPEN.add(path.resolve())
                    return
        finally:
            draft.unlink(missing_ok=True)
        raise ParameterError(
            f"another process is at work in {self.folder}: wait for it, or give another folder (if there is "
            f"none, remove the file {LOCK} there)"
        )

    def _unlock(self) -> None:
        path = self.folder / LOCK
        _OPEN.discard(path.resolve())
        path.unlink(missing_ok=True)


# Locks of this process: its own number in another lock is that of one long gone.
_OPEN: set[Path] = set()


def _is_stale(path: Path) -> bool:
    """Tell whether a lock's process is gone; one on another machine counts as there."""
    try:
        pid, host = path.read_text(encoding="utf-8").split()
        if host != socket.gethostname():
            return False
        if int(pid) == os.getpid():
            return path.resolve() not in _OPEN
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError, FileNotFoundError):
        return True
    except PermissionError:
        return False
    return False
