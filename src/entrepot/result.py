"""Where the rooms meet: run a plan, and ask the finished run what it means."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import NDArray

from entrepot import engine, reports
from entrepot.engine.costs import Costs
from entrepot.engine.plans import Fill, Plan, carried_path, states_of
from entrepot.engine.result import Ledger
from entrepot.engine.run_state import RunState
from entrepot.errors import ParameterError, is_whole, shown
from entrepot.export import Format, write_export
from entrepot.files import check_target
from entrepot.markets.market import Market
from entrepot.markets.premium import premium
from entrepot.markets.sectors import SectorMap
from entrepot.provenance import provenance_of, recipe_of
from entrepot.regimes.events import Events
from entrepot.regimes.path import RegimePath
from entrepot.reports.benchmark import known_levels
from entrepot.reports.metrics import excess_returns, ruin_note
from entrepot.reports.ownership import Period
from entrepot.reports.pages.contents import check_words
from entrepot.reports.pages.document import SUFFIXES as HTML, Section
from entrepot.reports.pages.paper import foot_of, stamp
from entrepot.reports.pdf import SUFFIXES as PDF, pdf_report
from entrepot.reports.pictures.style import LIGHT, Size
from entrepot.reports.plots import By, Picture
from entrepot.reports.tear_sheet import SUFFIXES as PICTURES, save
from entrepot.tidy import PyfolioFrames, blotter, book, pyfolio_frames
from entrepot.vectorbt_portfolio import gap_by_step, gap_in_words, portfolio_of

if TYPE_CHECKING:
    import vectorbt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from entrepot.strategies.targets import Targets

Sectors = SectorMap | Mapping[str, str] | pd.Series


@dataclass(frozen=True, eq=False, repr=False)
class Result(Ledger):
    """A recorded run with the questions a researcher asks of it.

    Args:
        path: the regime path the plan was switched by, or None. It is what the methods below use where
            they are not given another.
        plan: what was run, to be run again; None after pickling, since a plan may hold functions that no
            other process can load.
        recipe: the plan, the moment of fills and what the run went on from, in words; see `provenance`.
        trials: how many configurations were tried to find this one; 1 where no other is known of.
    """

    path: RegimePath | None = None
    plan: Any = None
    recipe: Mapping[str, str] = field(default_factory=dict)
    trials: int = 1

    def __repr__(self) -> str:
        ruin = ruin_note(self)
        return f"{super().__repr__()[:-1]}, {ruin})" if ruin else super().__repr__()

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)} | {
            "plan": None,
            "_provenance": self._provenance,
        }

    @cached_property
    def _provenance(self) -> dict[str, str]:
        return provenance_of(self)

    @property
    def provenance(self) -> dict[str, str]:
        """What the run came from, by name; equal runs have equal entries, and "Run" is short for them all.

        Code, libraries, data, seed, capital, the plan with every parameter and part, fills, costs that differ
        from the default, regime path and trials: no times, folders or machines. Reports and exports show it.
        """
        return dict(self._provenance)

    def summary(self, benchmark: pd.Series[Any] | None = None) -> pd.Series[Any]:
        """Return the run's metrics under the field's names; see `entrepot.reports.summary`.

        >>> import entrepot as ep
        >>> market = ep.simulate_market("2023-01-03", "2023-12-29", symbols=["BABA", "9988.HK"])
        >>> figures = ep.backtest(market, ep.LongHKShortADR()).summary()
        >>> figures["Sessions"]
        250
        >>> bool(figures["Total Costs"] > figures["Total Fees Paid"])
        True
        """
        return reports.summary(self, benchmark)

    def by_source(self) -> pd.DataFrame:
        """Return profit and loss by source: "P&L" in base currency, costs negative, and "P&L [%]" of capital.

        The rows add up to final equity less capital; see `entrepot.reports.by_source`.
        """
        booked = reports.by_source(self).rename_axis("source")
        return pd.DataFrame({"P&L": booked, "P&L [%]": 100 * booked / self.capital})

    def by_leg(self) -> pd.DataFrame:
        """Return profit and loss by leg and source; see `entrepot.reports.by_leg`."""
        return reports.by_leg(self)

    def by_instrument(self) -> pd.DataFrame:
        """Return profit and loss by instrument and source; see `entrepot.reports.by_instrument`."""
        return reports.by_instrument(self)

    def by_pair(self) -> pd.DataFrame:
        """Return profit and loss by pair and source; see `entrepot.reports.by_pair`."""
        return reports.by_pair(self)

    def by_sector(self, sectors: Sectors | None = None) -> pd.DataFrame:
        """Return profit and loss by sector and source; see `entrepot.reports.by_sector`."""
        return reports.by_sector(self, sectors)

    def by_period(self, freq: Period = "year") -> pd.DataFrame:
        """Return profit and loss by year, quarter or month and source; see `entrepot.reports.by_period`."""
        return reports.by_period(self, freq)

    def by_regime(self, path: RegimePath | None = None) -> pd.DataFrame:
        """Return profit, loss and costs by the regime decided at the step before, risk by the close before.

        A session in which the regime changed may so count for one regime's profit and another's return.

        Args:
            path: of this run's market; the run's own where not given.

        Raises:
            ParameterError: when there is no path at all, or it is not one of this run's market.
        """
        path = self._path_or(path)
        return reports.by_regime(self, path.states, path.names)

    def regime_sources(self, path: RegimePath | None = None) -> pd.DataFrame:
        """Return profit and loss by regime and source; arguments as in `by_regime`."""
        path = self._path_or(path)
        return reports.regime_sources(self, path.states, path.names)

    def _path_or(self, path: RegimePath | None) -> RegimePath:
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
        states_of(self.market, path)  # or it is refused
        return path

    def by_event(self, events: Events | pd.DataFrame, sessions: float = 5) -> pd.DataFrame:
        """Return profit and loss in the windows after events; see `entrepot.reports.by_event`."""
        return reports.by_event(self, _frame_of(events), sessions)

    def event_sources(
        self, events: Events | pd.DataFrame, sessions: float = 5, by: str | Sequence[str] = "event"
    ) -> pd.DataFrame:
        """Return profit and loss by event, or kind of event, and source; `entrepot.reports.event_sources`."""
        return reports.event_sources(self, _frame_of(events), sessions, by)

    def exposures(self) -> pd.DataFrame:
        """Return long, short, net and gross by session and leg; see `entrepot.reports.exposures`."""
        return reports.exposures(self)

    def sector_exposures(self, sectors: Sectors | None = None) -> pd.DataFrame:
        """Return net positions by session and sector; see `entrepot.reports.sector_exposures`."""
        return reports.sector_exposures(self, sectors)

    def currency_exposures(self) -> pd.DataFrame:
        """Return net assets by session and currency; see `entrepot.reports.currency_exposures`."""
        return reports.currency_exposures(self)

    def turnover(self, freq: Period = "month") -> pd.DataFrame:
        """Return what was traded by month, quarter or year; see `entrepot.reports.turnover_by`."""
        return reports.turnover_by(self, freq)

    def holdings(self) -> pd.Series[Any]:
        """Return how much was held, and how concentrated it was; see `entrepot.reports.holdings`."""
        return reports.holdings(self)

    def relative(self, benchmark: pd.Series[Any]) -> pd.Series[Any]:
        """Return alpha, beta and the like against levels of a benchmark; see `entrepot.reports.relative`."""
        return reports.relative(self, benchmark)

    def intervals(self, *, confidence: float = 0.95, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
        """Return the main figures with bootstrap intervals; see `entrepot.reports.intervals`."""
        return reports.intervals(self, confidence=confidence, draws=draws, seed=seed)

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
    def excess_returns(self) -> pd.Series[float]:
        """`returns` over the policy rate of the base currency: what the Sharpe ratio of `summary` is made of.

        The rate is zero where it is not known.
        """
        return excess_returns(self)

    def benchmark_returns(self, benchmark: pd.Series[Any]) -> pd.Series[Any]:
        """Return what a benchmark earned over the same sessions as `returns`.

        Args:
            benchmark: levels by session date or time with a zone; see `relative` for which one is known when.

        Returns:
            Fractions by session date; NaN where no level was known at either end, or only one older than 15
            days.

        Raises:
            DataError: where `benchmark` is not a series of levels.
        """
        return known_levels(self, benchmark).pct_change(fill_method=None).iloc[1:]

    @cached_property
    def blotter(self) -> pd.DataFrame:
        """All that changed a position, one row each, in the order in which it happened.

        These are the `fills`, and what needed no trade: conversions, lines that left, the closing at ruin.
        Signed ``quantity`` times ``fill_price`` (half-spread and impact included, local currency) times
        ``fx`` is ``value``; it and every cost, positive where paid, are in base currency. ``fees`` is the sum
        of the kinds of fee, and has neither ``slippage`` (the half-spread), ``impact`` nor ``conversion_fee``
        (the depositary's) in it. What it cost to convert currencies is booked by step, and is no fill's.

        ``session`` is the date at the venue of the step. ``order`` numbers the decisions: both legs of a
        linked order, and all partial fills of one, share it. ``pair`` is the ADR ("" for a line held singly),
        ``leg`` "hk", "adr" or "single". ``reason`` is "entry" (opens a position or adds to it), "exit" (takes
        from it or closes it), "reversal", "forced", "unwind" (of a leg that found no hedge), "conversion"
        (into other shares, given up for what those were worth), "delisting" (for cash at the last mark, or
        bought in) or "ruin".
        """
        return blotter(self)

    @cached_property
    def book(self) -> pd.DataFrame:
        """What was held after the fills of each step, one row for each step and position that is not zero.

        ``quantity`` shares (signed) at ``price``, at which they are marked (local currency), times ``fx`` are
        ``value`` in base currency, and ``weight`` as a part of equity. A symbol held singly and in a pair has
        a row for each; ``pair`` and ``leg`` as in `blotter`.
        """
        return book(self)

    def to_pyfolio(self, benchmark: pd.Series[Any] | None = None) -> PyfolioFrames:
        """Return what pyfolio takes: ``pyfolio.create_simple_tear_sheet(**result.to_pyfolio())``.

        Args:
            benchmark: as in `benchmark_returns`, or None.

        Returns:
            ``returns``, ``positions``, ``transactions`` and ``benchmark_rets``, in base currency and UTC, as
            pyfolio has them; see `entrepot.tidy.PyfolioFrames`.

        Raises:
            DataError: where `benchmark` is not a series of levels.
            ParameterError: where a line is called "cash".
        """
        return pyfolio_frames(self, None if benchmark is None else self.benchmark_returns(benchmark))

    def to_vectorbt(self) -> vectorbt.Portfolio:
        """Return the run as a portfolio of vectorbt's: the `blotter` as its orders, all sharing one cash.

        An order is at the fill price, half-spread and impact included, times the FX of that moment, with the
        fees of that fill; what needed no trade is an order without fees. Prices are the marks in base
        currency, carried while a venue is closed; quantities and prices are per share as of the last step, so
        that splits of raw prices move neither. A row is a step of the run and lasts as long as the mean one.

        A portfolio of vectorbt's is its orders and nothing else. Dividends, borrow, rebate, interest, fees of
        ADRs and of conversions, the cost of converting currencies and what rates did to cash are missing:
        `vectorbt_gap` says how much of each, and a warning says so here.

        Warns:
            UserWarning: where the portfolio does not end at the run's equity.
        """
        if told := gap_in_words(self):
            warnings.warn(told, UserWarning, stacklevel=2)
        return portfolio_of(self)

    def vectorbt_gap(self) -> pd.Series[float]:
        """Return what the run earned and paid that `to_vectorbt` has no order for, by source.

        It is added up from what the ledger booked, not taken as what is left over.

        Returns:
            Base currency; dividend, borrow, rebate, interest, ads_fee, conversion_fee, fx_spread and "fx on
            cash". The sum is the last `equity` less the portfolio's last value.
        """
        return self.vectorbt_gap_by_step().iloc[-1].rename("vectorbt gap")

    def vectorbt_gap_by_step(self) -> pd.DataFrame:
        """Return `vectorbt_gap` up to each step, (T, sources): rows add up to `equity` less the value."""
        return gap_by_step(self)

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
        size: Size = "page",
    ) -> Figure:
        """Draw the run on one page, or one slide, and write it where a path (png, pdf or svg) is given.

        The last line names the code, the data and the run by their fingerprints; see `provenance`.
        """
        target = None if path is None else check_target(path, PICTURES)
        figure = reports.tear_sheet(self, title=title, size=size, **self._context(events))
        stamp(figure, foot_of(self.provenance))
        if target is not None:
            save(figure, target, LIGHT)
        return figure

    def plot(
        self,
        what: Picture = "equity",
        *,
        size: Size = "page",
        by: By = "source",
        events: Events | pd.DataFrame | None = None,
        title: str | None = None,
    ) -> Axes | NDArray[Any]:
        """Draw one picture of the run, for a page or a slide; see `entrepot.reports.plot` for which."""
        return reports.plot(self, what, size=size, by=by, title=title, **self._context(events))

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        events: Events | pd.DataFrame | None = None,
        title: str | None = None,
        benchmark: pd.Series[Any] | None = None,
        sensitivity: pd.DataFrame | None = None,
        extra: Mapping[str, pd.DataFrame] | None = None,
        sections: Sequence[Section] = (),
        provenance: Mapping[str, str] | None = None,
    ) -> Path:
        """Write the run as one self-contained HTML file, or as a PDF of A4 pages.

        Args:
            path: ending in ``.html``, ``.htm`` or ``.pdf``.
            events: as in `by_event`; None leaves events out.
            title: heading.
            benchmark: levels by session date or UTC time, which the run is held against; see `relative`.
            sensitivity: the result under other costs, one row per case.
            extra: further tables by title.
            sections: further parts, such as ``sweep.significance().sections()``.
            provenance: further lines on where the run came from, after its own; see `provenance`.

        Returns:
            The path written; see `entrepot.reports.report` and `entrepot.reports.pdf.pdf_report`.

        Raises:
            ParameterError: where the file cannot be written or is of another kind.
        """
        target = check_target(path, (*HTML, *PDF))
        check_words((), provenance)
        write = pdf_report if target.suffix.lower() in PDF else reports.report
        return write(
            self,
            target,
            title=title,
            benchmark=benchmark,
            sensitivity=sensitivity,
            extra=extra,
            sections=sections,
            trials=self.trials if self.trials > 1 else None,
            caveats=() if self.path is None else (self.path.caveat,),
            provenance={**self.provenance, **(provenance or {})},
            **self._context(events),
        )

    def export(
        self,
        folder: str | os.PathLike[str],
        format: Format = "csv",
        events: Events | pd.DataFrame | None = None,
    ) -> Path:
        """Write the run as a folder of tables, CSV or Parquet, with a manifest; `read_export` reads it back.

        Equity, returns, fills, positions, cash, contributions of each step by source and instrument, dropped
        orders, conversions, trades and orders of pairs, the tables of this result, its summary and costs, and
        the regime path where there is one. ``manifest.json`` holds the provenance, and of each file its
        columns, types, units, rows and SHA-256. Times are ISO 8601 in UTC, numbers come back to the last bit.

        Args:
            folder: made if need be. An export that is in it is replaced, all of it or nothing; other files
                are left alone.
            format: "csv" or "parquet".
            events: as in `by_event`; None leaves that table out.

        Returns:
            The folder.

        Raises:
            ParameterError: where the folder cannot be written to, or a file of no export is in the way.
        """
        return write_export(self, folder, format, events)

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
    plan: pd.DataFrame | Targets | Plan,
    *,
    capital: float = 10_000_000.0,
    base_currency: str = "USD",
    costs: Costs | None = None,
    path: RegimePath | None = None,
    fill: Fill = "next_step",
    check: bool = False,
    resume: RunState | None = None,
    trials: int = 1,
) -> Result:
    """Run one plan through the clock and record everything.

        >>> import pandas as pd
        >>> import entrepot as ep
        >>> market = ep.simulate_market("2024-01-02", "2024-06-28", symbols=["BABA", "9988.HK"])
        >>> weights = pd.DataFrame({"BABA": [0.5, 0.0]}, index=pd.to_datetime(["2024-01-08", "2024-05-06"]))
        >>> result = ep.backtest(market, weights, capital=1_000_000, check=True)
        >>> result.fills["session"].dt.date.astype(str).tolist()  # never the date of the decision
        ['2024-01-09', '2024-05-07']
        >>> bool(abs(result.contributions.sum().sum() - (result.equity.iloc[-1] - 1_000_000)) < 1e-6)
        True

    Args:
        market: T steps.
        plan: anything with ``targets(market, path)``, `Targets` already made for this market, or a DataFrame
            of weights of equity whose columns are symbols and whose index is dates (decided at the last step
            of each date) or UTC times of steps. NaN leaves a line alone, 0 gets out of it.
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
        trials: how many configurations were tried to find this one, itself included; every report says so.

    Raises:
        EntrepotError: on anything that cannot be run, in one sentence; see `entrepot.engine.backtest`.
    """
    if not is_whole(trials) or trials < 1:
        raise ParameterError(f"trials is {shown(trials)}: give a whole number of configurations, at least 1")
    if path is None:
        path = carried_path(plan)
    recipe = recipe_of(plan, path, fill, resume if isinstance(resume, RunState) else None)
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
    # Pandas copies what is written to: the frame of weights stays what was run.
    kept = plan.copy(deep=False) if isinstance(plan, pd.DataFrame) else plan
    return Result(**recorded, path=path, plan=kept, recipe=recipe, trials=int(trials))
