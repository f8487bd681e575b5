"""Finished chunks of a sweep on disk: written whole or not at all, and never mixed with another sweep's."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from weakref import WeakSet

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError
from entrepot.files import locked, open_plain, remove_drafts, replacing
from entrepot.markets.parquet_files import read_arrow

FORMAT = 1
HEAD, LOCK = "sweep.json", "lock"
REFUSED = "Refused"
DIGEST = b"sha256"


class Checkpoint:
    """A folder with one Parquet file for each finished chunk, and what they are chunks of.

    It is locked while it is open, by a lock that the system drops with the process, however that ends.

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
        self._held: BinaryIO | None = None

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock()
            remove_drafts(self.folder)
            self._claim()
        except BaseException as error:
            self._unlock()
            if not isinstance(error, OSError):
                raise
            raise DataError(
                f"the checkpoint folder {self.folder} cannot be used: {error.strerror or error}; give one "
                "that can be written to, on a disk that has locks"
            ) from error
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
        try:
            with open_plain(path) as file:
                table = read_arrow(file)
            found = table["configuration"].to_numpy()
            figures = np.column_stack([table[name].to_numpy() for name in self.columns]).astype(np.float64)
            refused = tuple(str(text) for text in table[REFUSED].to_pylist())
            told = (table.schema.metadata or {}).get(DIGEST)
        except FileNotFoundError:
            return None
        except DataError:
            raise
        except OSError as error:  # of the system: what is in the file may be whole
            raise DataError(
                f"{path} cannot be read ({error.strerror or error}): start again when it can, or remove it, "
                "and the chunk is run again"
            ) from error
        except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path} cannot be read as a chunk of this sweep: remove it, and it is run again"
            ) from error
        if not np.array_equal(found, index):
            raise DataError(f"{path} holds other configurations: remove it, and the chunk is run again")
        if told != self._digest(index, figures, refused):
            raise DataError(f"{path} is not as this sweep wrote it: remove it, and the chunk is run again")
        return figures, refused

    def _digest(
        self, index: NDArray[np.int64], figures: NDArray[np.float64], refused: Sequence[str]
    ) -> bytes:
        """Return what a chunk's file says of itself: a flipped bit in a figure is still a figure."""
        parts = [sorted(self._identity.items()), index.tolist(), self.columns, list(refused)]
        whole = sha256(json.dumps(parts).encode())
        whole.update(np.ascontiguousarray(figures, dtype=np.float64).tobytes())
        return whole.hexdigest().encode()

    def write(
        self, number: int, index: NDArray[np.int64], figures: NDArray[np.float64], refused: Sequence[str]
    ) -> None:
        """Write a finished chunk: under another name first, and on the disk before it gets its own."""
        columns: dict[str, object] = {"configuration": index}
        columns |= {name: figures[:, j] for j, name in enumerate(self.columns)}
        columns[REFUSED] = pa.array(list(refused), pa.string())
        digest = {DIGEST: self._digest(index, figures, refused)}
        try:
            with replacing(self._path(number)) as (file, _):
                pq.write_table(pa.table(columns).replace_schema_metadata(digest), file)
        except OSError as error:
            raise DataError(
                f"a chunk cannot be written to {self.folder}: {error.strerror or error}; what was written "
                "before is kept, make room and start again"
            ) from error

    def _path(self, number: int) -> Path:
        return self.folder / f"chunk-{number:06d}.parquet"

    def _claim(self) -> None:
        """Refuse a folder of another sweep; write down what this one is where it is new."""
        head = self.folder / HEAD
        if not head.exists():
            if next(self.folder.glob("chunk-*.parquet"), None) is not None:
                raise DataError(f"{self.folder} has chunks and no {HEAD}: give an empty folder")
            with replacing(head) as (file, _):
                file.write(json.dumps(self._identity, indent=2).encode())
            return
        try:
            with open_plain(head) as told:
                found = json.loads(told.read())
            other = [part for part, text in self._identity.items() if found.get(part) != text]
        except (ValueError, AttributeError, RecursionError) as error:
            raise DataError(f"{head} cannot be read: give an empty folder") from error
        if other:
            raise ParameterError(
                f"the checkpoint in {self.folder} is of another sweep, its {' and '.join(other)} differ"
                f"{'s' * (len(other) == 1)}: give another folder, or run what it was made with"
            )

    def _lock(self) -> None:
        path = self.folder / LOCK
        while self._held is None:
            file = open(path, "r+b", buffering=0, opener=_open_lock)  # noqa: SIM115 - open as long as locked
            try:
                _OPEN.add(file)
                if self._is_free(file):
                    file.seek(0)
                    file.truncate()
                    file.write(f"{os.getpid()} {socket.gethostname()}".encode())
                    self._held = file
            finally:
                if self._held is None:
                    file.close()

    def _is_free(self, file: BinaryIO) -> bool:
        """Lock a file; False where another process was done with it in between and took it away."""
        path = self.folder / LOCK
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise DataError(f"{path} is no plain file: remove it, or give another folder")
        free = locked(file.fileno())
        if free and os.fstat(file.fileno()).st_nlink == 0:
            return False
        told = file.read().split()
        # Whether a lock on another machine is seen here depends on the file system: take its word.
        if not free or (len(told) == 2 and told[1] != socket.gethostname().encode()):
            raise ParameterError(
                f"another process is at work in {self.folder}: wait for it, or give another folder (if there "
                f"is none, remove the file {LOCK} there)"
            )
        return True

    def _unlock(self) -> None:
        if (held := self._held) is not None:
            self._held = None
            with suppress(OSError):  # it is the system's lock that counts, and that ends with the file
                try:
                    (self.folder / LOCK).unlink(missing_ok=True)
                finally:
                    held.close()


def _open_lock(path: str, flags: int) -> int:
    """Open a lock or create it, never through a link that was put there."""
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


# A forked worker that outlives this process would hold its locks.
_OPEN: WeakSet[BinaryIO] = WeakSet()


def _let_go() -> None:
    for file in _OPEN:
        file.close()


os.register_at_fork(after_in_child=_let_go)
