"""How messages about arguments name what they were given."""

from __future__ import annotations

from numbers import Real

from entrepot.errors import shown


def kind(value: object) -> str:
    """Return what a wrong argument is, in a few words: its value if short by nature, else its type."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if value is None or isinstance(value, (str, bytes, Real, list, tuple, dict, set)):
        return shown(value)
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def short(text: object) -> str:
    """Return text on one line, cut after 60 characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= 60 else f"{line[:57]}..."
