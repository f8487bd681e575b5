"""How much memory there is, and a refusal of what will not fit before the machine begins to swap."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from entrepot.errors import ParameterError

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
# What takes less than this is not looked into: a call on a small market reads no file of the system.
SMALL = 64e6
# Of a control group, by version: where it is, its limit, what it uses, and what of that can be given back.
GROUP_FILES = {
    "1": (
        "memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
    "2": ("", "memory.max", "memory.current", ("inactive_file", "active_file")),
}


def require_memory(needed: float, what: str, instead: str, *, reserved: float = 0.0) -> None:
    """Refuse what takes more memory than there is; to be called before anything of it is made.

    Args:
        needed: bytes that will be in use at most, at once.
        what: is made, with its size, in the plural: "1,000,000 configurations over 2,000 steps".
        instead: the usual fix: "give fewer of them".
        reserved: bytes of addresses, where more is asked of the system than will be in use.

    Raises:
        ParameterError: where the machine, the process or its control group does not have as much.
    """
    most = max(needed, reserved)
    if most < SMALL:
        return
    for wanted, there in ((needed, available()), (most, addresses())):
        if wanted > there:
            raise ParameterError(
                f"{what} take {size(wanted)} of memory and {size(there)} are available: {instead}"
            )


def available() -> float:
    """Return the bytes that can be had without swapping."""
    return max(0.0, min(_of_machine(), *_of_groups()))


def addresses() -> float:
    """Return the bytes that the process may still ask for, used or not; inf where it has no limit."""
    with suppress(OSError):  # macOS does not say what is used
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            pages = int((PROC / "self" / "statm").read_text(encoding="ascii").split()[0])
            return max(0.0, limit - pages * resource.getpagesize())
    return float("inf")


def size(number: float) -> str:
    """Return bytes as they are read: "9.1 GB", "640 MB"."""
    for unit, of in (("TB", 1e12), ("GB", 1e9)):
        if number >= of:
            return f"{number / of:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{number / 1e6:,.0f} MB"


def _of_machine() -> float:
    """What the system counts as available; where it does not say, all that is built in."""
    with suppress(OSError):
        for line in (PROC / "meminfo").read_text(encoding="ascii").splitlines():
            name, _, rest = line.partition(":")
            if name == "MemAvailable":
                return float(rest.split()[0]) * 1024
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _of_groups() -> Iterator[float]:
    """What each control group that the process is in has left, inf last."""
    with suppress(OSError):
        for line in (PROC / "self" / "cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            version = "2" if not controllers else "1" if "memory" in controllers.split(",") else ""
            if version:
                own = PurePosixPath(path)
                yield from (_left(version, group) for group in (own, *own.parents))
    yield float("inf")


def _left(version: str, group: PurePosixPath) -> float:
    """What a control group has left; inf where it has no limit, or is not seen from here."""
    root, limit, usage, returnable = GROUP_FILES[version]
    folder = CGROUPS / root / group.relative_to("/")
    try:
        most = float((folder / limit).read_text(encoding="ascii"))
        used = float((folder / usage).read_text(encoding="ascii"))
        told = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):  # "max": no limit
        return float("inf")
    rows = dict(row.split(maxsplit=1) for row in told if " " in row)
    return most - used + sum(float(rows.get(name, 0)) for name in returnable)
