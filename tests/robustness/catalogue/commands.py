"""Command lines that cannot be run: exit code 2, one line on stderr, nothing on stdout and no traceback."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path

from robustness.cases import Case

from entrepot.cli import main
from entrepot.errors import EntrepotError


def refused_command(*arguments: object) -> None:
    """Run a command; raise the line that it refused with, as the library would have."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
    except SystemExit as left:  # of argparse, which shows the usage first
        code = left.code
    assert code == 2, f"exit code {code}"
    assert out.getvalue() == "", out.getvalue()
    told = err.getvalue()
    assert told.endswith("\n")
    assert "Traceback" not in told
    line = told.rstrip("\n").rpartition("\n")[2]
    assert line.startswith("entrepot"), told
    if not told.startswith("usage:"):
        assert told.count("\n") == 1, told
    raise EntrepotError(line.partition(": ")[2].rstrip("."))


def written(folder: Path, content: str, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_text(content)
    return path


# What is asked, given an empty folder.
BAD_COMMANDS: dict[str, tuple[Callable[[Path], tuple[object, ...]], str]] = {
    "nothing at all": (lambda f: (), "required"),
    "a command there is not": (lambda f: ("backtest",), "invalid choice"),
    "an option there is not": (lambda f: ("demo", "--fast"), "unrecognized arguments"),
    "demo: prices that are not there": (
        lambda f: ("demo", "--prices", f / "absent", "--out", f / "out"),
        "there is no file or folder",
    ),
    "demo: an empty folder of prices": (
        lambda f: ("demo", "--prices", f, "--out", f / "out"),
        "has no CSV or Parquet file",
    ),
    "demo: a start in words": (lambda f: ("demo", "--start", "soon", "--out", f / "out"), "soon"),
    "demo: a start on the 30th of February": (
        lambda f: ("demo", "--start", "2020-02-30", "--out", f / "out"),
        "2020-02-30",
    ),
    "demo: an end before the start": (
        lambda f: ("demo", "--start", "2021-01-04", "--end", "2020-01-03", "--out", f / "out"),
        "2020-01-03",
    ),
    "demo: out to a file": (lambda f: ("demo", "--out", written(f, "x")), "is a file"),
    "demo: out below a file": (lambda f: ("demo", "--out", "/dev/null/out"), "cannot be written"),
    "demo: out to nowhere": (lambda f: ("demo", "--out", ""), "the path is ''"),
    "data: no action": (lambda f: ("data",), "required"),
    "data: no folder": (lambda f: ("data", "check"), "required"),
    "data: a folder that is not there": (
        lambda f: ("data", "check", f / "absent"),
        "there is no file or folder",
    ),
    "data: an empty folder": (lambda f: ("data", "check", f), "has no CSV or Parquet file"),
    "data: ends in an unknown way": (lambda f: ("data", "check", f, "--ends", "ignore"), "invalid choice"),
    "data: listings that are not there": (
        lambda f: ("data", "check", f, "--listings", f / "absent.csv"),
        "absent",
    ),
    "events: an unknown channel": (lambda f: ("events", "--channel", "taxes"), "invalid choice"),
    "events: an unknown direction": (lambda f: ("events", "--direction", "up"), "invalid choice"),
    "events: a severity in words": (lambda f: ("events", "--severity", "high"), "invalid int value"),
    "events: a severity of 9": (lambda f: ("events", "--severity", "9"), "severity is 9"),
    "events: a severity of 400 digits": (lambda f: ("events", "--severity", "9" * 400), "severity is 99"),
    "events: a severity of 5,000 digits": (
        lambda f: ("events", "--severity", "9" * 5000),
        "invalid int value",
    ),
    "events: a date in words": (lambda f: ("events", "--from", "spring"), "'spring' is not a date"),
    "events: dates the wrong way round": (
        lambda f: ("events", "--from", "2025-01-02", "--to", "2025-01-01"),
        "before it begins",
    ),
    "events: known by a bare date": (lambda f: ("events", "--known-by", "2022-03-10"), "UTC offset"),
    "events: known by a day first": (lambda f: ("events", "--known-by", "01/02/2022 18:00Z"), "UTC offset"),
    "events: affected by a stranger": (lambda f: ("events", "--affected", "ADR"), "did you mean adr"),
    "events: a search for nothing": (lambda f: ("events", "--search", ""), "search is ''"),
    "events: only of no file": (lambda f: ("events", "--only"), "--only needs --file"),
    "events: a file that is not there": (lambda f: ("events", "--file", f / "absent.csv"), "cannot be read"),
    "events: a folder": (
        lambda f: ("events", "--file", f),
        "cannot be read as a table of events (Is a directory)",
    ),
    "events: a file of prices": (
        lambda f: ("events", "--file", written(f, "Date,Close\n2021-01-04,1\n")),
        "has no column event_id",
    ),
    "events: a file of one bad row": (
        lambda f: (
            "events",
            "--file",
            written(f, "event_id,announced_at,channel,direction,severity,title\na,soon,tariff,1,1,t\n"),
        ),
        "'soon' is not a date",
    ),
    "events: a file name with a zero byte": (lambda f: ("events", "--file", "a\0b.csv"), "cannot be read"),
    "events check: options of the list": (
        lambda f: ("events", "--csv", "--severity", "99", "--from", "2024-01-01", "check", written(f, "")),
        "--severity, --csv, --from is of the list of events and changes nothing in a check: leave it out",
    ),
    "events check: no file": (lambda f: ("events", "check"), "required"),
    "events check: a file that is not there": (
        lambda f: ("events", "check", f / "absent.csv"),
        "cannot be read",
    ),
    "events check: an empty file": (lambda f: ("events", "check", written(f, "")), "is empty"),
}

CASES = [
    Case(
        "command lines",
        name,
        lambda f, asked=asked: refused_command(*asked(f)),
        EntrepotError,
        re.escape(words),
    )
    for name, (asked, words) in BAD_COMMANDS.items()
]
