"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from entrepot.errors import ParameterError


class Writer(Protocol):
    """Anything that writes into an open file."""

    def __call__(self, target: BinaryIO) -> object:
        """Write."""


def check_target(path: object, suffixes: Sequence[str]) -> Path:
    """Return the path of a file that can be written, or say in one sentence why it cannot be.

    Args:
        path: where the file shall be.
        suffixes: the kinds of file there are, such as ``.png``.
    """
    target = _path(path, f"a file name ending in {', '.join(suffixes)}")
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
    if not path.parent.is_dir():
        raise ParameterError(f"the folder {path.parent} does not exist: create it, or give another path")
    try:
        place = Path(os.path.realpath(path))
        if place.exists() and not place.is_file():
            raise ParameterError(f"{path} is no ordinary file: give another path")
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{path.name[:20]}.", suffix=path.suffix)
        try:
            with os.fdopen(handle, "wb") as target:
                write(target)
            if check is not None:
                check(Path(name))
            os.chmod(name, _mode(place))
            os.replace(name, place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _refused(path, error) from error


def _mode(place: Path) -> int:
    """Return who may read and write a file: as the older one of its name, or as any new one."""
    if place.exists():
        return stat.S_IMODE(place.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


@contextmanager
def all_or_none(folder: object, names: Sequence[str]) -> Iterator[Path]:
    """Open an empty folder for files that shall appear in `folder` together.

    `folder` is made if need be, and it is known at once whether it can be written to. Where the block ends
    well, the files `names` are moved there over those of the same name; where it does not, nothing is left.

    Args:
        folder: where the files shall be.
        names: of the files the block writes.

    Raises:
        ParameterError: where `folder` cannot be used, in one sentence, before the block is entered.
    """
    goal = _path(folder, "a folder")
    made: list[Path] = []
    staging: Path | None = None
    try:
        try:
            if goal.exists() and not goal.is_dir():
                raise ParameterError(f"{goal} is a file: give the name of a folder")
            for name in names:
                _free(goal / name)
            for missing in reversed([place for place in (goal, *goal.parents) if not place.exists()]):
                missing.mkdir()
                made.append(missing)
            staging = Path(tempfile.mkdtemp(dir=goal, prefix=".entrepot."))
        except OSError as error:
            raise _refused(goal, error) from error
        yield staging
        try:
            for name in names:
                _free(goal / name)
            for name in names:
                os.replace(staging / name, goal / name)
            made.clear()
        except OSError as error:
            raise _refused(goal, error) from error
    finally:
        if staging is not None:
            for left in staging.iterdir():
                left.unlink()
            staging.rmdir()
        for place in reversed(made):
            with suppress(OSError):
                place.rmdir()


def _path(given: object, wanted: str) -> Path:
    """Turn a path into a Path, or say what is wanted."""
    if not isinstance(given, str | os.PathLike):
        raise ParameterError(f"the path is {given!r}: give {wanted}")
    text = os.fspath(given)
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise ParameterError(f"the path is {text!r}: give {wanted}")
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
