"""The command line: ``entrepot demo`` and the other commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import entrepot as ep
from entrepot.commands import data, demo, events

COMMANDS = (demo, data, events)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 2 with one sentence for unusable input, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="entrepot", description=ep.__doc__)
    parser.add_argument("--version", action="version", version=f"entrepot {ep.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    given = parser.parse_args(arguments)
    try:
        return int(given.run(given))
    except ep.EntrepotError as error:
        print(f"entrepot: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("entrepot: interrupted", file=sys.stderr)
        return 130
