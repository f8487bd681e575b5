"""How faults are made: file operations in a folder are counted, and the n-th of them fails."""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robustness.cases import is_one_sentence

from entrepot.errors import EntrepotError
from entrepot.files import DRAFT

ERRORS = ("ENOSPC", "EACCES", "EIO", "EDQUOT", "EROFS", "EMFILE", "ENAMETOOLONG")
# What takes room or changes a folder: on a full disk these fail, from some moment on.
TAKES_ROOM = {"open", "write", "mkdir", "link", "fsync", "close"}
CALLS = (
    "open", "replace", "rename", "link", "mkdir", "rmdir", "unlink", "remove", "fsync", "fchmod", "chmod",
    "ftruncate", "listdir", "scandir", "stat", "lstat",
)  # fmt: skip


def system_error(name: str) -> OSError:
    """What the system raises for one of its errors."""
    number = getattr(errno, name)
    return OSError(number, os.strerror(number))


class Faults:
    """While it is entered, the file operations in a folder are counted and some of them fail.

    Args:
        folder: operations elsewhere are left alone.
        at: the number of the first operation that fails, from 1; 0: none.
        error: what it raises.
        late: it is done and fails then, as where Ctrl-C comes just after it.
        lasting: those after it fail as well, if they are among `TAKES_ROOM`.
    """

    def __init__(
        self,
        folder: Path,
        at: int = 0,
        error: BaseException | None = None,
        *,
        late: bool = False,
        lasting: bool = False,
    ) -> None:
        self.folder, self.at, self.error, self.late, self.lasting = str(folder), at, error, late, lasting
        self.seen: list[str] = []
        # What a power cut would take: written or renamed, and not yet on the disk; renamed before it was.
        self.dirty: set[str] = set()
        self.early: list[str] = []
        self._handles: dict[int, str] = {}
        self._kept: dict[Any, Callable[..., Any]] = {}

    def __enter__(self) -> Faults:
        for name in CALLS:
            self._kept[os, name] = getattr(os, name)
            setattr(os, name, self._watched(name, getattr(os, name)))
        for module in (io, builtins):
            self._kept[module, "open"] = module.open  # type: ignore[attr-defined]
            module.open = self._opened  # type: ignore[attr-defined]
        return self

    def __exit__(self, *raised: object) -> None:
        for (module, name), call in self._kept.items():
            setattr(module, name, call)

    def _inside(self, path: Any, folder: Any = None) -> bool:
        if isinstance(path, int):
            return path in self._handles
        return folder in self._handles or str(path).startswith(self.folder)

    def due(self, name: str) -> bool:
        """Count an operation; whether it fails."""
        self.seen.append(name)
        count = len(self.seen)
        return count == self.at or (self.lasting and count > self.at > 0 and name in TAKES_ROOM)

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any, **options: Any) -> Any:
            if not given or not self._inside(given[0], options.get("dir_fd")):
                return call(*given, **options)
            due = self.due(name)
            if due and not self.late:
                raise self.error  # type: ignore[misc]
            done = call(*given, **options)
            if name == "open":
                self._handles[done] = str(given[0])
            elif name == "fsync":
                self.dirty.discard(self._handles[given[0]])
            elif name in ("replace", "rename"):
                self.early += [str(given[0])] * (str(given[0]) in self.dirty)
                self.dirty.add(str(Path(given[1]).parent))
            if due:
                raise self.error  # type: ignore[misc]
            return done

        return watched

    def _opened(
        self, file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None,
        newline: Any = None, closefd: bool = True, opener: Any = None,
    ) -> Any:  # fmt: skip
        given = buffering, encoding, errors, newline, closefd, opener
        if not self._inside(file):
            return self._kept[io, "open"](file, mode, *given)
        due = self.due("open")
        if due and not self.late:
            raise self.error  # type: ignore[misc]
        raw = _Raw(self, file, mode.replace("b", "").replace("t", ""), closefd, opener)
        self._handles[raw.fileno()] = str(file)
        if due:
            raise self.error  # type: ignore[misc]
        if buffering == 0:
            return raw
        both = "+" in mode
        buffer = (io.BufferedRandom if both else io.BufferedReader if "r" in mode else io.BufferedWriter)(raw)
        return buffer if "b" in mode else io.TextIOWrapper(buffer, encoding, errors, newline)


class _Raw(io.FileIO):
    """A file below its buffer: a write that fails has written half, and closing may be what fails."""

    def __init__(self, faults: Faults, file: Any, mode: str, closefd: bool, opener: Any) -> None:
        self.faults: Faults | None = None
        super().__init__(file, mode, closefd, opener)
        self.faults = faults

    def write(self, data: Any) -> int:
        if self.faults is not None and self.faults.due("write"):
            super().write(bytes(data)[: len(data) if self.faults.late else len(data) // 2])
            raise self.faults.error  # type: ignore[misc]
        if self.faults is not None:
            self.faults.dirty.add(self.faults._handles[self.fileno()])
        return super().write(data)

    def close(self) -> None:
        faults, self.faults = self.faults, None
        handle = None if self.closed else self.fileno()
        super().close()
        if faults is not None and handle is not None:
            faults._handles.pop(handle)
            if self.writable_before and faults.due("close"):
                raise faults.error  # type: ignore[misc]

    @property
    def writable_before(self) -> bool:
        """Whether it was open to write."""
        return self.mode != "rb"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder that is finished, by its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and DRAFT not in str(path.relative_to(folder)) and path.name != "lock"
    }


def drafts(folder: Path) -> list[str]:
    """What is not finished below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(f"{DRAFT}*"))


def plainly_told(error: BaseException) -> bool:
    """Whether what a fault raised is a sentence, or the Ctrl-C that it was."""
    if isinstance(error, EntrepotError):
        return is_one_sentence(str(error))
    return isinstance(error, KeyboardInterrupt)
