"""``entrepot events``: the calendar listed and filtered, and files of one's own checked."""

from __future__ import annotations

import argparse
import shutil
import sys
import unicodedata

import entrepot as ep
from entrepot.commands.output import in_terminal, write
from entrepot.markets.own_rows import printable
from entrepot.regimes.event_file import CHANNELS, event_csv, read_event_table
from entrepot.regimes.event_filters import announced_on
from entrepot.regimes.intensity import SIDES

LEAST_TITLE = 20  # columns; a narrower terminal wraps
WIDE = 100  # columns from which on there is room for the event_id
MOST_CHANNEL = 12  # columns, on a narrower terminal
MOST_ID = 28
UNBOUNDED = 10_000  # columns, where output is no terminal
EXAMPLES = """\
examples:
  entrepot events --channel delisting --direction escalation --severity 3
  entrepot events --from 2025-04-01 --to 2025-05-31 --core
  entrepot events --search "audit papers"
  entrepot events --file my.csv --csv > calendar.csv
  entrepot events check my.csv

The columns of a file are described in docs/own-tables.md.
"""


# Options of the list by the attributes they are kept in.
NARROWING = "channel direction severity core affected search file only csv"
OF_THE_LIST = {name: f"--{name}" for name in NARROWING.split()}
OF_THE_LIST |= {"first": "--from", "last": "--to", "known_by": "--known-by"}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    events = commands.add_parser(
        "events",
        help="list the event calendar, or check a file of your own",
        description="List the events that threatened or relieved Chinese shares, with the date each\n"
        "was announced. Options narrow the list; an event has to fit them all.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    events.set_defaults(run=run)
    events.add_argument(
        "--channel",
        metavar="NAME",
        action="append",
        choices=CHANNELS,
        help=f"what it threatens: {', '.join(CHANNELS)}; may be given more than once",
    )
    events.add_argument("--direction", choices=tuple(SIDES), help="worse or better")
    events.add_argument("--severity", type=int, metavar="N", help="at least this, 1 to 5")
    events.add_argument("--core", action="store_true", default=None, help="only those that matter most")
    events.add_argument(
        "--affected", metavar="WORD", action="append", help="all, adr, hk or sector:NAME, as the event says"
    )
    events.add_argument("--from", dest="first", metavar="DATE", help="first date of announcement")
    events.add_argument("--to", dest="last", metavar="DATE", help="last date of announcement")
    events.add_argument("--search", metavar="TEXT", help="words in its name, title, source or notes")
    events.add_argument(
        "--known-by", metavar="MOMENT", help="known at this moment, such as 2022-03-10T18:00Z"
    )
    add_file_arguments(events)
    events.add_argument(
        "--csv", action="store_true", help="write CSV, as load_events reads it, instead of a table"
    )
    actions = events.add_subparsers(dest="action", metavar="check", title="instead of listing")
    check = actions.add_parser(
        "check",
        help="check a file of your own",
        description="Check a file of events, and say what it adds to the bundled calendar, overrides in it "
        "and drops from it. The exit code is 2 where a row cannot be used.",
    )
    check.add_argument("path", metavar="FILE", help="CSV or Parquet")
    check.set_defaults(run=run_check)


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe where events come from."""
    parser.add_argument(
        "--file",
        metavar="FILE",
        action="append",
        help="a CSV or Parquet file of your own, merged with the bundled calendar; may be given more "
        "than once",
    )
    parser.add_argument("--only", action="store_true", help="with --file: without the bundled calendar")


def run(given: argparse.Namespace) -> int:
    """List the events asked for."""
    if given.only and not given.file:
        raise ep.ParameterError("--only needs --file: name the file whose events are wanted")
    events = ep.load_events(given.file, replace=given.only)
    if given.known_by is not None:
        events = events.known_by(given.known_by)
    bounds = (given.first, given.last)
    events = events.where(
        channel=given.channel,
        direction=given.direction,
        severity=given.severity,
        core=given.core,
        affected=given.affected,
        between=None if bounds == (None, None) else bounds,
        search=given.search,
    )
    if given.csv:
        write(event_csv(events.frame).encode("utf-8"))  # whatever the terminal's encoding: files are in it
    else:
        write(in_terminal(table(events, shutil.get_terminal_size((UNBOUNDED, 24)).columns)))
    return 0


def run_check(given: argparse.Namespace) -> int:
    """Say what a file adds, overrides and drops; or list all that is wrong with it."""
    ignored = [flag for name, flag in OF_THE_LIST.items() if getattr(given, name) not in (None, False)]
    if ignored:
        raise ep.ParameterError(
            f"{', '.join(ignored)} is of the list of events and changes nothing in a check: leave it out"
        )
    bundled = ep.load_events().frame["event_id"]
    read = read_event_table(given.path)
    read.check_drops(bundled)
    name, bad = read.rows.name, read.rows.bad
    if bad:
        print(f"entrepot: {name} has {counted(len(bad), 'row')} that cannot be used:", file=sys.stderr)
        for row in sorted(bad, key=lambda row: row.number):
            print(f"  {row}.", file=sys.stderr)
        return 2
    events = ep.Events(read.frame)
    overrides = events.frame["event_id"].isin(bundled)
    lines = [f"{name}: {counted(len(events), 'event')}, every row can be used."]
    for what, ids in (
        ("adds", events.frame.loc[~overrides, "event_id"]),
        ("overrides", events.frame.loc[overrides, "event_id"]),
        ("drops", sorted(read.rows.drops.values())),
    ):
        lines.append(f"{what} {len(ids)}{':' if len(ids) else ''}")
        lines += [f"  {printable(event_id)}" for event_id in ids]
    write(in_terminal("\n".join(lines) + "\n"))
    return 0


def table(events: ep.Events, width: int) -> str:
    """Return events as lines no wider than a terminal, the newest last, with a legend and a count.

    Args:
        events: what is shown.
        width: of the terminal, in columns.
    """
    rows = events.frame
    if rows.empty:
        return "no events\n"
    wide = width >= WIDE
    names = [printable(event_id, MOST_ID) for event_id in rows["event_id"]]
    channels = [channel if wide else fitted(channel, MOST_CHANNEL) for channel in rows["channel"]]
    signs = ["+" if direction > 0 else "-" for direction in rows["direction"]]
    marks = [
        f"{sign}{severity}{'*' if core else ' '}"
        for sign, severity, core in zip(signs, rows["severity"], rows["core"], strict=True)
    ]
    columns = [announced_on(rows).tolist(), channels, marks, *([names] if wide else [])]
    widths = [max(map(columns_of, column)) for column in columns]
    room = max(width - sum(widths) - 2 * len(widths), LEAST_TITLE)
    lines = []
    for *cells, title in zip(*columns, rows["title"], strict=True):
        padded = [filled(cell, size) for cell, size in zip(cells, widths, strict=True)]
        lines.append("  ".join([*padded, fitted(title, room)]).rstrip())
    legend = "+ escalation, - relief, then severity; * core"
    more = [] if wide else [f"event_ids: with --csv, or {WIDE} columns or more"]
    return "\n".join([*lines, "", f"{counted(len(rows), 'event')}: {legend}", *more, ""])


def fitted(text: str, room: int) -> str:
    """Return text on one line of so many columns of a terminal, without what would steer it."""
    line = printable(text, most=10_000)
    if columns_of(line) <= room:
        return line
    while columns_of(line) > room - 3:
        line = line[:-1]
    return f"{line.rstrip()}..."


def filled(text: str, columns: int) -> str:
    """Return text with blanks up to so many columns of a terminal."""
    return text + " " * (columns - columns_of(text))


def columns_of(text: str) -> int:
    """Return how many columns of a terminal text takes: characters of East Asia two, accents none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def counted(number: int, what: str) -> str:
    """Return "1 event" or "2 events"."""
    return f"{number} {what}{'' if number == 1 else 's'}"
