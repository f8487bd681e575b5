"""``entrepot data check``: what a folder of prices has, what it lacks and what looks wrong in it."""

from __future__ import annotations

import argparse
import json
from typing import Any, get_args

import pandas as pd

from entrepot.commands.output import in_terminal, write
from entrepot.markets.bars import BarTimes
from entrepot.markets.checks.words import MOST, describe
from entrepot.markets.data_check import DataCheck, check_data
from entrepot.markets.ends import Ends

EXAMPLES = """\
examples:
  entrepot data check prices/
  entrepot data check prices/ --ends cut --start 2019-06-03 --all
  entrepot data check prices/ --json > check.json

The exit code is 0 where nothing stops or is wrong, 1 where something does or is, and 2 where there is
nothing to check. The findings are explained in docs/data-check.md.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    data = commands.add_parser("data", help="check a folder of prices")
    actions = data.add_subparsers(dest="action", metavar="check", required=True)
    check = actions.add_parser(
        "check",
        help="say what is there, what is missing and what looks wrong",
        description="Say what a folder or file of prices has, what it lacks and what looks wrong in it,\n"
        "without stopping at the first bad file.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.set_defaults(run=run)
    check.add_argument("source", metavar="DIR", help="folder of prices, or one file of all symbols")
    check.add_argument("--start", metavar="DATE", help="first session that you will load")
    check.add_argument("--end", metavar="DATE", help="last session that you will load")
    check.add_argument(
        "--ends",
        choices=get_args(Ends),
        default="error",
        help="what you will do about lines that end early (default: error, which refuses them)",
    )
    check.add_argument("--listings", metavar="FILE", help="listings of your own")
    check.add_argument(
        "--bar-times",
        choices=get_args(BarTimes),
        help="which end of a bar its stamp is, where it cannot be told",
    )
    check.add_argument("--all", action="store_true", help=f"list every finding, not {MOST} of a kind")
    check.add_argument("--json", action="store_true", help="write everything as JSON instead")


def run(given: argparse.Namespace) -> int:
    """Check a source and show what was found."""
    check = check_data(
        given.source,
        start=given.start,
        end=given.end,
        ends=given.ends,
        listings=given.listings,
        bar_times=given.bar_times,
    )
    text = as_json(check) if given.json else describe(check, None if given.all else MOST)
    write(in_terminal(f"{text}\n"))
    counts = check.counts
    return 1 if counts["stops"] or counts["wrong"] else 0


def as_json(check: DataCheck) -> str:
    """Return everything that was found as JSON; dates as YYYY-MM-DD, null where there is none."""
    return json.dumps(
        {
            "name": check.name,
            "loads": check.loads,
            "refusal": check.refusal,
            "counts": check.counts,
            "ranges": records(check.ranges.reset_index()),
            "symbols": records(check.symbols.reset_index()),
            "pairs": records(check.pairs.reset_index()),
            "findings": records(check.findings),
        },
        indent=2,
        allow_nan=False,
    )


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows with plain values."""
    plain = table.copy()
    for name in table.select_dtypes("datetime"):
        plain[name] = table[name].dt.strftime("%Y-%m-%d")
    plain = plain.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
