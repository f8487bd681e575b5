"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import BinaryIO, Protocol

from entrepot.errors import ParameterError


class Writer(Protocol):
    """Anything that writes into an open file."""

    def __call__(self, target: BinaryIO) -> object:
        """Write."""


def write_whole(path: Path, write: Writer) -> None:
    """Write into a new file of the same folder, then put it in place: never half a file under `path`."""
    if not path.parent.is_dir():
        raise ParameterError(f"the folder {path.parent} does not exist: create it, or give another path")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as target:
            write(target)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
