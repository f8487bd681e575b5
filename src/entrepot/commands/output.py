"""Writing to a terminal or a pipe, whatever its encoding and however soon it stops reading."""

from __future__ import annotations

import os
import sys

from entrepot.errors import ParameterError, visible


def in_terminal(text: str) -> bytes:
    """Return text in standard output's encoding: "?" for what that cannot write, escapes for controls."""
    return visible(text, keep="\n").encode((sys.stdout and sys.stdout.encoding) or "utf-8", "replace")


def write(content: bytes) -> None:
    """Write to standard output; whoever stops reading, such as ``head``, ends it quietly.

    Raises:
        ParameterError: it cannot be written, as on a full disk.
    """
    if sys.stdout is None:  # closed before the start: nobody wants to read
        return
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer would be written once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise ParameterError(
                f"the output cannot be written ({error.strerror or error}): free space, or write elsewhere"
            ) from error
