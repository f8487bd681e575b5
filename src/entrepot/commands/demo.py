"""``entrepot demo``: the main job, its summary on the screen and its report on disk."""

from __future__ import annotations

import argparse
import io
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd

import entrepot as ep
from entrepot.commands.output import in_terminal, write
from entrepot.job import REPORT, TEAR_SHEET, TIMING_TITLE, Outcome, run_main_job
from entrepot.markets.ends import MARKET_ENDS
from entrepot.progress import progress_bar
from entrepot.reports.pages.caveats import BY_REGIME, estimates_note
from entrepot.reports.pictures.style import source_name

STAGES = 8
NOTES = 8  # more of a kind are counted, not listed
MONEY = {"Start Value", "End Value", "Interest Earned", "Expectancy", "P&L", "Costs", "Total Costs"}
COUNTS = {"Sessions", "Episodes", "Orders Dropped"}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    demo = commands.add_parser("demo", help="run the main job and write its report")
    demo.set_defaults(run=run)
    demo.add_argument(
        "--prices", metavar="DIR", help="folder of daily price files; a simulated market without it"
    )
    demo.add_argument(
        "--out",
        metavar="DIR",
        default="out",
        help=f"folder for {REPORT} and {TEAR_SHEET}; files of these names in it are replaced (default: out)",
    )
    demo.add_argument(
        "--start", metavar="DATE", default="2018-01-02", help="first session (default: 2018-01-02)"
    )
    demo.add_argument("--end", metavar="DATE", help="last session (default: as far as all prices reach)")


def run(given: argparse.Namespace) -> int:
    """Run the main job and show what came of it."""

    def make_market(events: ep.Events) -> ep.Market:
        if given.prices is not None:
            return ep.load_market(
                given.prices, start=given.start, end=given.end, ends="cut", departures="parity"
            )
        end = {} if given.end is None else {"end": given.end}
        return ep.simulate_market(start=given.start, events=events.frame, **end)

    # A terminal may report no width at all, which tqdm would take for no room.
    width, height = shutil.get_terminal_size()
    form = "{desc:<48}{bar:20} {elapsed}"
    with progress_bar(show=None, total=STAGES, bar_format=form, ncols=width, nrows=height) as bar:

        def stage(name: str) -> None:
            bar.set_description_str(name, refresh=False)
            bar.update()
            bar.refresh()  # update alone leaves out a stage that follows at once

        outcome = run_main_job(make_market, given.out, stage=stage)
    write(in_terminal(_shown(outcome)))
    return 0


def _shown(outcome: Outcome) -> str:
    result, page = outcome.result, io.StringIO()
    say = partial(print, file=page)
    say(result.label)
    say()
    summary = result.summary()
    say(_written(summary.drop(["Sampling", "Undefined"]).to_frame()).to_string(header=False))
    say(f"Sampling: {summary['Sampling']}")
    reasons: dict[str, list[str]] = {}
    for name, reason in summary.attrs["reasons"].items():
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        say(f"n/a, {reason}: {', '.join(names)}")
    say()
    say(f"Profit and loss by regime, {result.base_currency}")
    say(_written(result.by_regime().T).rename_axis(None, axis=1).to_string())
    say(BY_REGIME)
    say()
    say(f"Costs, {result.base_currency}")
    costs = result.costs()
    amounts = {source_name(str(kind)): f"{amount:,.0f}" for kind, amount in costs.items()}
    amounts["Total"] = f"{costs.sum():,.0f}"
    say(pd.Series(amounts).to_string())
    say()
    say("Under other terms of borrow, and with other exits")
    say(_written(outcome.sensitivity.T).T.to_string())
    say()
    say(TIMING_TITLE)
    say(outcome.timing.to_string(float_format="{:,.2f}".format, na_rep="n/a"))
    say()
    if note := estimates_note(result):
        say(note)
        say()
    _show_notes("market", result.market.notes, say)
    _show_notes("plan", result.plan_notes, say)
    say(f"report      {outcome.report}")
    say(f"tear sheet  {outcome.tear_sheet}")
    return page.getvalue()


def _show_notes(about: str, notes: Sequence[str], say: Callable[..., None] = print) -> None:
    """List notes, or count them where they are many; that the market was cut is always said."""
    if not notes:
        return
    few = len(notes) <= NOTES
    say(f"{len(notes)} {'note' if len(notes) == 1 else 'notes'} on the {about}", end="")
    say(":" if few else ", all of them in the report")
    for note in notes if few else (note for note in notes if note.startswith(MARKET_ENDS)):
        say(f"  {note}")
    say()


def _written(table: pd.DataFrame) -> pd.DataFrame:
    """Write every figure of a table whose rows are metrics as a reader wants it."""
    rows = {name: [_figure(str(name), value) for value in row] for name, row in table.T.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(table.columns))


def _figure(name: str, value: Any) -> str:
    """Write one figure: money and counts without decimals, ratios and percentages with two."""
    if pd.isna(value):
        return "n/a"
    if isinstance(value, pd.Timedelta):
        return f"{value.days:,} days"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    whole = name in MONEY or name in COUNTS or name.endswith(" Paid") or isinstance(value, int)
    text = f"{value:,.0f}" if whole else f"{value:,.2f}"
    return text if any(digit in text for digit in "123456789") else text.lstrip("-")
