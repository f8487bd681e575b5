"""The main job: regimes, switched pairs and sectors, a backtest with every cost, and its report."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from entrepot.doubt.sensitivity import HEADLINE, borrow_terms
from entrepot.engine.costs import Costs
from entrepot.files import all_or_none
from entrepot.markets.market import Market
from entrepot.regimes import Events, RegimeModel, RegimePath, load_events
from entrepot.reports.fill_timing import fill_timing
from entrepot.result import Result, backtest
from entrepot.strategies import LongHKShortADR, RegimeSwitch, SectorRotation
from entrepot.strategies.targets import Exit

REPORT, TEAR_SHEET = "report.html", "tear_sheet.png"


@dataclass(frozen=True)
class Outcome:
    """What the main job made.

    Args:
        result: the backtest.
        sensitivity: the result under other terms of borrow and other exits, a row each.
        timing: the pairs' Sharpe ratios by the moment of their fills; see `fill_timing`.
        report: the HTML report.
        tear_sheet: the page as a picture.
    """

    result: Result
    sensitivity: pd.DataFrame
    timing: pd.DataFrame
    report: Path
    tear_sheet: Path


def default_plan(path: RegimePath, exit_by: Exit = "trade") -> RegimeSwitch:
    """Return the portfolio of the main job: each regime's strategy, parameters chosen beforehand.

    Calm trades the premium back to its mean, tariff risk rotates sectors, delisting risk, alone or with
    tariffs, holds the Hong Kong line against the ADR.

    Args:
        path: the regime of every step.
        exit_by: how pairs are closed; see `LongHKShortADR`.
    """
    pairs = LongHKShortADR(mode="convergence", exit_by=exit_by)
    hedge = pairs.with_(mode="delisting_hedge")
    return RegimeSwitch(path, calm=pairs, tariff=SectorRotation(), delisting=hedge, decoupling=hedge)


def run_main_job(
    make_market: Callable[[Events], Market],
    out: str | os.PathLike[str],
    *,
    costs: Costs | None = None,
    stage: Callable[[str], object] = lambda name: None,
) -> Outcome:
    """Run the main job and write its report.

    Args:
        make_market: makes the market, given the event calendar (a simulated one is moved by it).
        out: folder for ``report.html`` and ``tear_sheet.png``, made if need be; they
            replace files of those names together, once the run has succeeded.
        costs: of the backtest; `Costs()` where not given.
        stage: called with the name of each stage as it begins.

    Raises:
        EntrepotError: in one sentence, nothing written; on an unusable folder before the run.
    """
    costs = costs or Costs()
    with all_or_none(out, [REPORT, TEAR_SHEET]) as drafts:
        outcome = _run(make_market, drafts, costs, stage)
    return replace(outcome, report=Path(out) / REPORT, tear_sheet=Path(out) / TEAR_SHEET)


def _run(
    make_market: Callable[[Events], Market], folder: Path, costs: Costs, stage: Callable[[str], object]
) -> Outcome:
    """Run the main job and write its files into a folder that is there."""
    stage("reading events and prices")
    events = load_events()
    market = make_market(events)
    stage("walking through the regimes")
    path = RegimeModel().walk_forward(market, events)
    stage("deciding targets")
    plan = default_plan(path)
    stage("running the ledger, compiled at its first use")
    result = backtest(market, plan, costs=costs, check=True)
    stage("asking what other terms would have done")
    sensitivity = _sensitivity(result, plan, costs)
    stage("comparing the moments of fills")
    timing = pair_fill_timing(market, costs)
    timing.attrs["note"] = TIMING_NOTE
    stage("drawing the tear sheet")
    sheet = folder / TEAR_SHEET
    result.tear_sheet(sheet, events=events, title=TITLE)
    stage("writing the report")
    page = result.report(
        folder / REPORT,
        events=events,
        title=TITLE,
        sensitivity=sensitivity,
        extra={TIMING_TITLE: timing},
    )
    return Outcome(result, sensitivity, timing, page, sheet)


TITLE = "Long Hong Kong / short ADR and sector rotation, switched by regime"
TIMING_NOTE = (
    "Own closes: filled at the very prices the signal was computed from, which nobody can trade at. Next "
    "step: at the first price after it, before and after costs."
)
TIMING_TITLE = "Sharpe ratio of a same-date z-score, by when its legs are filled (both directions)"


def pair_fill_timing(market: Market, costs: Costs | None = None) -> pd.DataFrame:
    """Run the naive premium trade at its own closes and at each venue's next step.

    The signal is the z-score of the same-date premium, taken in both directions, as if Hong Kong lines could
    be shorted freely; the strategy of the main job uses neither.
    """
    instruments = market.instruments.assign(shortable=True)
    naive = LongHKShortADR(signal="same_date", span=1, reverse=True, round_trip_bps=0.0, weight=0.5)
    free = replace(market, instruments=instruments)
    return fill_timing(free, naive.targets(free), costs)


def _sensitivity(result: Result, plan: RegimeSwitch, costs: Costs) -> pd.DataFrame:
    """Run the plan again under other terms of borrow, and once with other exits: a row each."""
    calm = {"calm borrow throughout": costs.with_(stress_states=frozenset())}
    cases = {"borrow as given": result}
    for name, terms in (calm | borrow_terms(costs, plan.path.stressed)).items():
        cases[name] = backtest(result.market, plan, costs=terms)
    cheapest = default_plan(plan.path, exit_by="cheapest")
    cases["exits by whichever is cheaper"] = backtest(result.market, cheapest, costs=costs)
    return pd.DataFrame({name: case.summary()[list(HEADLINE)] for name, case in cases.items()}).T
