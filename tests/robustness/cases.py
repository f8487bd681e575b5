"""A bad input and the refusal it must get: the form of the catalogue's rows, and how one is tried."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import EntrepotError


@dataclass(frozen=True)
class Case:
    """One bad input.

    Args:
        area: what kind of input it is: "price files", "events", "costs", ...
        name: what is wrong with it, in a few words; names of one area differ.
        call: given an empty folder, makes the input and hands it to the library.
        error: which refusal it must get, exactly.
        words: a regular expression found in the message: what was given and the fix, not the whole sentence.
    """

    area: str
    name: str
    call: Callable[[Path], Any]
    error: type[EntrepotError]
    words: str

    @property
    def label(self) -> str:
        """The name of its test."""
        return re.sub(r"[^a-z0-9.]+", "-", f"{self.area}: {self.name}".lower()).strip("-")


def is_one_sentence(message: str) -> bool:
    """Whether a message reads as refusals do: one line, no full stop at its end, no words of a library."""
    plain = bool(message.strip()) and "\n" not in message and not message.endswith(".")
    return plain and "Traceback" not in message and "site-packages" not in message


def refused(case: Case, folder: Path) -> str:
    """Try a case in an empty folder and return its message; whatever else comes out fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(EntrepotError) as caught:
            case.call(folder)
    message = str(caught.value)
    assert type(caught.value) is case.error, f"{type(caught.value).__name__}: {message}"
    assert re.search(case.words, message), message
    assert is_one_sentence(message), message
    return message
