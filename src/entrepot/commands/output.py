"""Writing to a terminal or a pipe, whatever its encoding and however soon it stops reading."""

from __future__ import annotations

import os
import sys


def in_terminal(text: str) -> bytes:
    """Return text in the encoding of standard output, "?" for what that cannot write."""
    return text.encode(sys.stdout.encoding or "utf-8", "replace")


def write(content: bytes) -> None:
    """Write to standard output; whoever stops reading, such as ``head``, ends it quietly."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer would be written once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
