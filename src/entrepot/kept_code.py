"""Compiled code on disk: what is damaged, stale or cannot be written there is compiled anew."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc
from numba.core.serialize import dumps

from entrepot.files import remove_drafts, replacing

SEAL = 32  # bytes


class KeptCode(FunctionCache):  # type: ignore[misc]  # numba has no types
    """Compiled code of one function, found by numba as ever and kept in files of the library's own."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        source = Path(function.__code__.co_filename).read_bytes()
        self._cache_file = SealedFiles(Path(self.cache_path), self._impl.filename_base, source)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled; where that cannot be, as on a full disk, it is compiled again next time."""
        with suppress(OSError):
            super().save_overload(sig, data)


class SealedFiles:
    """A file for each signature and processor, sealed; numba asks it as it asks its own files.

    Those are renewed by the time and size of the source, read unchecked, and share an index in which two
    processes that compile two signatures at once can give both the same file.
    """

    def __init__(self, folder: Path, base: str, source: bytes) -> None:
        self._folder, self._base = folder, base
        self._source = sha256(source).hexdigest()

    def load(self, key: Any) -> Any:
        """Return what was kept under a key, None where that is nothing that can be used."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        seal, code = content[:SEAL], content[SEAL:]
        if seal != self._seal(key, code):
            return None
        # As numba's own files are read; whoever writes where they are kept can change the library as well.
        return pickle.loads(code)  # noqa: S301

    def save(self, key: Any, data: Any) -> None:
        """Keep what was compiled under a key."""
        code = dumps(data)
        remove_drafts(self._folder)
        with replacing(self._path(key)) as (file, _):
            file.write(self._seal(key, code) + code)

    def _path(self, key: Any) -> Path:
        # Signature and processor. Of the function's code, the rest of the key, the last is kept.
        name = sha256(repr(key[:2]).encode()).hexdigest()[:16]
        return self._folder / f"{self._base}.{name}.code"

    def _seal(self, key: Any, code: bytes) -> bytes:
        """Return the digest of code and of all it depends on."""
        return sha256(repr((key, numba.__version__, self._source)).encode() + code).digest()


def callback(function: Callable[..., Any], signature: Any, cache: bool, **options: Any) -> CFunc:
    """Compile a function that compiled code can call, as `numba.cfunc` does."""
    made = CFunc(function, (signature.args, signature.return_type), {}, options)
    if cache:
        made._cache = KeptCode(function)  # type: ignore[attr-defined]  # as its enable_caching does
    made.compile()
    return made
