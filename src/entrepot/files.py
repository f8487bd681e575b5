"""Writing a file whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from entrepot.errors import DataError, ParameterError, shown

# What is not finished is called so with sixteen digits after it, and locked while somebody is at it.
DRAFT = ".entrepot."
# No part of a path: what ends it or a line, and halves of a character other than the bytes of a name.
NO_NAME = re.compile("[\\0\\n\\r\\ud800-\\udc7f\\udd00-\\udfff]")


class Writer(Protocol):
    """Anything that writes into an open file."""

    def __call__(self, target: BinaryIO) -> object:
        """Write."""


def open_plain(path: Path, links: bool = False) -> BinaryIO:
    """Open a file to read that a folder holds: a plain file, or none; a pipe or a device may never end.

    Args:
        path: the file.
        links: whether a link is followed, as where the reader named it himself. One in a folder that came
            from somebody else would make this folder say what is read of the reader's disk.

    Raises:
        DataError: for a link, and for what is no plain file.
        OSError: where the system refuses.
    """
    if not links and path.is_symlink():
        raise DataError(f"{path.name} cannot be read, it is a link: put the file itself there")
    # What was looked at need not be what is opened; the system refuses a link put there in between.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise DataError(f"{path.name} cannot be read, it is no plain file: put one there")
    return os.fdopen(handle, "rb")


def check_target(path: object, suffixes: Sequence[str]) -> Path:
    """Return the path of a file that can be written, or say in one sentence why it cannot be.

    Args:
        path: where the file shall be.
        suffixes: the kinds of file there are, such as ``.png``.
    """
    target = checked_path(path, f"a file name ending in {', '.join(suffixes)}")
    try:
        if target.is_dir():
            raise ParameterError(
                f"{target} is a folder: give the name of a file in it, ending in {suffixes[0]}"
            )
        if target.suffix.lower() not in suffixes:
            raise ParameterError(
                f"{target.name} cannot be written: give a name ending in {', '.join(suffixes)}"
            )
        if target.parent.exists() and not target.parent.is_dir():
            raise ParameterError(f"{target.parent} is a file, not a folder: give another path")
        if not target.parent.is_dir():
            raise ParameterError(
                f"the folder {target.parent} does not exist: create it, or give another path"
            )
    except OSError as error:
        raise _refused(target, error) from error
    return target


def write_whole(path: Path, write: Writer, check: Callable[[Path], object] | None = None) -> None:
    """Write into a new file of the same folder, then put it in place: never half a file under `path`.

    A link stays one, and what it points to is written; an older file hands on who may read it.

    Args:
        path: where the file shall be.
        write: writes its content into an open file.
        check: looks at the new file before it is put in place, and raises what keeps it from that.

    Raises:
        ParameterError: where the system refuses, in its words.
    """
    try:
        if not path.parent.is_dir():
            raise ParameterError(f"the folder {path.parent} does not exist: create it, or give another path")
        place = Path(os.path.realpath(path))
        if place.exists() and not place.is_file():
            raise ParameterError(f"{path} is no ordinary file: give another path")
        remove_drafts(place.parent)
        with replacing(place) as (target, draft):
            write(target)
            if check is not None:
                target.flush()
                check(draft)
    except OSError as error:
        raise _refused(path, error) from error


@contextmanager
def replacing(place: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a draft in the folder of a file; where the block ends well, it is on the disk and takes its place.

    Where it does not, the draft is removed; `remove_drafts` removes that of a process that was killed.

    Raises:
        OSError: where the system refuses.
    """
    older = stat.S_IMODE(place.stat().st_mode) if place.exists() else None
    file, draft = _open_draft(place)
    try:
        with file:
            if older is not None:
                os.fchmod(file.fileno(), older)
            yield file, draft
            file.flush()
            os.fsync(file.fileno())  # a name that is on the disk before its content would be half a file
            os.replace(draft, place)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    _sync(place.parent)


def remove_drafts(folder: Path) -> None:
    """Remove what killed processes have left in a folder; what somebody is still at is locked, and stays."""
    for left in folder.glob(f"{DRAFT}{'[0-9a-f]' * 16}*"):
        # Somebody else's, or gone in the meantime: it is in nobody's way.
        with suppress(OSError):
            handle = os.open(left, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                if locked(handle):
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
            finally:
                os.close(handle)


def locked(handle: int) -> bool:
    """Lock an open file or folder until it is closed or its process is gone; False where another has it.

    Raises:
        OSError: where the file system has no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _draft(folder: Path, suffix: str = "") -> Path:
    """Return a name in a folder that nothing has yet."""
    return folder / f"{DRAFT}{secrets.token_hex(8)}{suffix}"


def _open_draft(place: Path) -> tuple[BinaryIO, Path]:
    """Create a draft for a file and open it."""
    while True:
        draft = _draft(place.parent, place.suffix)
        file = draft.open("xb")
        if _own(file.fileno()):
            return file, draft
        file.close()


def _open_staging(folder: Path) -> tuple[int, Path]:
    """Create a folder for drafts in a folder and open it."""
    while True:
        staging = _draft(folder)
        staging.mkdir(mode=0o700)
        with suppress(FileNotFoundError):  # taken for left behind before it was locked
            handle = os.open(staging, os.O_RDONLY)
            if _own(handle):
                return handle, staging
            os.close(handle)


def _own(handle: int) -> bool:
    """Lock what was just created; False where another process took it for left behind."""
    try:
        free = locked(handle)
    except OSError:  # no locks here: nothing is taken for left behind either
        return True
    return free and os.fstat(handle).st_nlink > 0


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        # Some file systems have no such thing for folders, and some folders may not be read.
        if not path.is_dir() or error.errno not in (errno.EINVAL, errno.EACCES):
            raise


@contextmanager
def all_or_none(folder: object, names: Sequence[str]) -> Iterator[Path]:
    """Open an empty folder for files that shall appear in `folder` together.

    `folder` is made if need be, and it is known at once whether it can be written to. Where the block ends
    well, the files `names` are moved there over those of the same name; where it does not, nothing is left.
    They are on the disk by then and moved one right after another: only what ends the process in that moment
    leaves some of them new and some old, each whole.

    Args:
        folder: where the files shall be.
        names: of the files the block writes.

    Raises:
        ParameterError: where `folder` cannot be used, in one sentence, before the block is entered.
    """
    goal = checked_path(folder, "a folder")
    made: list[Path] = []
    handle, staging = None, None
    try:
        try:
            if goal.exists() and not goal.is_dir():
                raise ParameterError(f"{goal} is a file: give the name of a folder")
            for name in names:
                _free(goal / name)
            for missing in reversed([place for place in (goal, *goal.parents) if not place.exists()]):
                missing.mkdir()
                made.append(missing)
            remove_drafts(goal)
            handle, staging = _open_staging(goal)
        except OSError as error:
            raise _refused(goal, error) from error
        yield staging
        try:
            for name in names:
                _free(goal / name)
                _sync(staging / name)
            for name in names:
                os.replace(staging / name, goal / name)
            made.clear()
            _sync(goal)
        except OSError as error:
            raise _refused(goal, error) from error
    finally:
        if handle is not None and staging is not None:
            os.close(handle)  # first: what then stays after all is removed by whoever writes here next
            shutil.rmtree(staging, ignore_errors=True)
        for place in reversed(made):
            with suppress(OSError):
                place.rmdir()


def checked_path(given: object, wanted: str) -> Path:
    """Turn a path into a Path, or say what is wanted."""
    if not isinstance(given, str | os.PathLike):
        raise ParameterError(f"the path is {shown(given)}: give {wanted}")
    text = os.fspath(given)
    if not isinstance(text, str) or not text.strip() or NO_NAME.search(text):
        raise ParameterError(f"the path is {shown(text)}: give {wanted}")
    return Path(text)


def _free(target: Path) -> None:
    """Refuse a folder where a file shall be."""
    if target.is_dir():
        raise ParameterError(f"{target} is a folder, not a file: move it away, or give another folder")


def _refused(target: Path, error: OSError) -> ParameterError:
    """Say what the system said, about a name short enough to read."""
    name = str(target)
    shown = name if len(name) <= 80 else f"{name[:40]}...{name[-20:]}"
    return ParameterError(
        f"{shown} cannot be written ({error.strerror or error}): give a path in a folder you may write to"
    )
