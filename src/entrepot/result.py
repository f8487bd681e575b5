"""Where the rooms meet: run a plan, and ask the finished run what it means."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from entrepot import engine, reports
from entrepot.engine.costs import Costs
from entrepot.engine.plans import Fill, Plan
from entrepot.engine.result import Ledger
from entrepot.engine.run_state import RunState
from entrepot.errors import ParameterError
from entrepot.markets.market import Market
from entrepot.markets.premium import premium
from entrepot.regimes.events import Events
from entrepot.regimes.path import RegimePath
from entrepot.reports.metrics import ruin_note

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Result(Ledger):
    """A recorded run with the questions a researcher asks of it.

    Args:
        path: the regime path the plan was switched by, or None. It is what the methods below use where
            they are not given another.
    """

    path: RegimePath | None = None

    def __repr__(self) -> str:
        ruin = ruin_note(self)
        return f"{super().__repr__()[:-1]}, {ruin})" if ruin else super().__repr__()

    def summary(self, benchmark: pd.Series[Any] | None = None) -> pd.Series[Any]:
        """Return the run's metrics under the field's names; see `entrepot.reports.summary`."""
        return reports.summary(self, benchmark)

    def by_leg(self) -> pd.DataFrame:
        """Return profit and loss by leg and source; see `entrepot.reports.by_leg`."""
        return reports.by_leg(self)

    def by_instrument(self) -> pd.DataFrame:
        """Return profit and loss by instrument and source; see `entrepot.reports.by_instrument`."""
        return reports.by_instrument(self)

    def by_regime(self, path: RegimePath | None = None) -> pd.DataFrame:
        """Return profit and loss, risk and costs by the regime decided at the step before.

        Args:
            path: of this run's market; the run's own where not given.

        Raises:
            ParameterError: when there is no path at all, or it is not one of this run's market.
        """
        path = self.path if path is None else path
        if path is None:
            raise ParameterError(
                "this run has no regime path: give one, made by RegimeModel().walk_forward(...)"
            )
        if not isinstance(path, RegimePath):
            raise ParameterError(
                f"path is of type {type(path).__name__}: give a regime path, made by "
                "RegimeModel().walk_forward(...)"
            )
        return reports.by_regime(self, path.states, path.names)

    def by_event(self, events: Events | pd.DataFrame, sessions: float = 5) -> pd.DataFrame:
        """Return profit and loss in the windows after events; see `entrepot.reports.by_event`."""
        return reports.by_event(self, _frame_of(events), sessions)

    @cached_property
    def pair_trades(self) -> pd.DataFrame:
        """Trades of the pairs from flat to flat; see `entrepot.reports.pair_trades`."""
        return reports.pair_trades(self)

    @cached_property
    def linked_orders(self) -> pd.DataFrame:
        """Orders of the pairs, leg by leg; see `entrepot.reports.linked_orders`."""
        return reports.linked_orders(self)

    def leg_risk(self) -> pd.DataFrame:
        """Return what it cost that legs trade hours apart; see `entrepot.reports.leg_risk`."""
        return reports.leg_risk(self)

    @cached_property
    def premium(self) -> pd.DataFrame:
        """Same-date parity premium of the pairs this run traded, sessions by ADR."""
        series = {adr: premium(self.market, adr) for _, adr in self.lines.pairs}
        return pd.DataFrame(series) if series else pd.DataFrame()

    def tear_sheet(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        events: Events | pd.DataFrame | None = None,
        title: str | None = None,
    ) -> Figure:
        """Draw the run on one page and write it where a path (png, pdf or svg) is given."""
        return reports.tear_sheet(self, path, title=title, **self._context(events))

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        events: Events | pd.DataFrame | None = None,
        title: str | None = None,
        sensitivity: pd.DataFrame | None = None,
        extra: Mapping[str, pd.DataFrame] | None = None,
        provenance: Mapping[str, str] | None = None,
    ) -> Path:
        """Write the run as one self-contained HTML file; see `entrepot.reports.report`."""
        return reports.report(
            self,
            path,
            title=title,
            sensitivity=sensitivity,
            extra=extra,
            caveats=() if self.path is None else (self.path.caveat,),
            provenance=provenance,
            **self._context(events),
        )

    def _context(self, events: Events | pd.DataFrame | None) -> dict[str, Any]:
        return {
            "states": None if self.path is None else self.path.states,
            "names": None if self.path is None else self.path.names,
            "events": None if events is None else _frame_of(events),
            "premium": None if self.premium.empty else self.premium,
        }


def check_states(costs: Costs, path: RegimePath | type[RegimePath] | None) -> None:
    """Refuse costs that depend on a regime state which the run cannot be in."""
    for name in ("stress_states", "no_borrow_states", "recall_states", "borrow_rate_pa"):
        states = getattr(costs, name)
        if isinstance(states, pd.DataFrame):
            states = () if isinstance(states.index, pd.DatetimeIndex) else states.columns
        elif name == "borrow_rate_pa":
            continue
        wanted = [] if states is None else sorted(int(state) for state in states)
        if wanted and path is None:
            raise ParameterError(
                f"{name} names the states {wanted} and this run has no regime path: give path=, or give the "
                "cost by date"
            )
        names = getattr(path, "names", None)
        if wanted and names is not None and wanted[-1] >= len(names):
            numbered = ", ".join(f"{i} {state}" for i, state in enumerate(names))
            raise ParameterError(f"{name} names the state {wanted[-1]}: this path has {numbered}")


def _frame_of(events: Events | pd.DataFrame) -> pd.DataFrame:
    """Return the frame of a calendar; what is no frame is refused by the reports."""
    return events.frame if isinstance(events, Events) else events


def backtest(
    market: Market,
    plan: pd.DataFrame | Plan,
    *,
    capital: float = 10_000_000.0,
    base_currency: str = "USD",
    costs: Costs | None = None,
    path: RegimePath | None = None,
    fill: Fill = "next_step",
    check: bool = False,
    resume: RunState | None = None,
) -> Result:
    """Run one plan through the clock and record everything.

    Args:
        market: T steps.
        plan: anything with ``targets(market, path)``, or a DataFrame of weights of equity whose columns are
            symbols and whose index is dates (decided at the last step of each date) or UTC times of steps.
            NaN leaves a line alone, 0 gets out of it.
        capital: equity before the first step, in ``base_currency``.
        base_currency: of equity.
        costs: what trading and holding cost; `Costs()` where not given.
        path: regime path handed to the plan; a `RegimeSwitch` brings its own. Its states go to the ledger.
        fill: ``"next_step"`` fills at the first tradable step after the decision; ``"same_step"`` at the very
            price the decision was made on, for comparing with engines that do so.
        check: work every booked amount and every balance out again, at every step, and refuse a ledger that
            does not add up.
        resume: ``result.state`` of a run over the first steps of this market, to go on from; its capital,
            base currency and, where none are given, costs hold. The result is that of a single run.

    Raises:
        EntrepotError: on anything that cannot be run, in one sentence; see `entrepot.engine.backtest`.
    """
    if path is None:
        path = getattr(plan, "path", None)
    given = resume.costs if costs is None and isinstance(resume, RunState) else costs
    if isinstance(given, Costs):
        check_states(given, path)
    ledger = engine.backtest(
        market,
        plan,
        capital=capital,
        base_currency=base_currency,
        costs=costs,
        path=path,
        fill=fill,
        check=check,
        resume=resume,
    )
    recorded = {item.name: getattr(ledger, item.name) for item in fields(Ledger)}
    ruin = ruin_note(ledger)
    if ruin:
        recorded["plan_notes"] = (*ledger.plan_notes, ruin)
    return Result(**recorded, path=path)
