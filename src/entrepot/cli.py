"""The command line: ``entrepot demo``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tqdm import tqdm

import entrepot as ep
from entrepot.job import TIMING_TITLE, Outcome, run_main_job

STAGES = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code, 2 with one sentence on the error stream for unusable input."""
    parser = argparse.ArgumentParser(prog="entrepot", description=ep.__doc__)
    parser.add_argument("--version", action="version", version=f"entrepot {ep.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="run the main job and write its report")
    demo.add_argument(
        "--prices", metavar="DIR", help="folder of daily price files; a simulated market without it"
    )
    demo.add_argument("--out", metavar="DIR", default="out", help="folder for the report (default: out)")
    demo.add_argument(
        "--start", metavar="DATE", default="2018-01-02", help="first session (default: 2018-01-02)"
    )
    demo.add_argument("--end", metavar="DATE", help="last session (default: as far as all prices reach)")
    given = parser.parse_args(arguments)
    try:
        _demo(given)
    except ep.EntrepotError as error:
        print(f"entrepot: {error}", file=sys.stderr)
        return 2
    return 0


def _demo(given: argparse.Namespace) -> None:
    def make_market(events: ep.Events) -> ep.Market:
        if given.prices is not None:
            return ep.load_market(given.prices, start=given.start, end=given.end, ends="cut")
        end = {} if given.end is None else {"end": given.end}
        return ep.simulate_market(start=given.start, events=events.frame, **end)

    with tqdm(total=STAGES, bar_format="{desc:<48}{bar:20} {elapsed}", file=sys.stderr, disable=None) as bar:

        def stage(name: str) -> None:
            bar.set_description_str(name, refresh=False)
            bar.update()

        outcome = run_main_job(make_market, given.out, stage=stage)
    _show(outcome)


def _show(outcome: Outcome) -> None:
    result = outcome.result
    print(result.label)
    for note in result.market.notes:
        print(f"  {note}")
    for note in result.plan_notes:
        print(f"  {note}")
    print()
    print(result.summary().to_string())
    print()
    print("Profit and loss by regime, base currency")
    print(result.by_regime().to_string(float_format="{:,.2f}".format))
    print()
    print("Costs, base currency")
    print(result.costs().to_string(float_format="{:,.0f}".format))
    print()
    print("Borrow")
    print(outcome.sensitivity.to_string(float_format="{:,.2f}".format))
    print()
    print(TIMING_TITLE)
    print(outcome.timing.to_string(float_format="{:,.2f}".format))
    print()
    print(f"report      {outcome.report}")
    print(f"tear sheet  {outcome.tear_sheet}")
