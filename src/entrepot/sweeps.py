"""Many configurations of a strategy over one market: a table of what became of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, fields, replace
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import numpy as np
import pandas as pd

from entrepot.configurations import (
    Grid,
    Parameters,
    configurations_of,
    matching,
    named,
    on_axis,
    parameter_table,
    readable,
)
from entrepot.engine.checkpoint import Checkpoint
from entrepot.engine.costs import Costs
from entrepot.engine.figures import columns_of
from entrepot.engine.fingerprints import code_fingerprint, told
from entrepot.engine.plans import check_run, no_path
from entrepot.engine.sizes import require_figures
from entrepot.engine.sweep import cut, run_chunks
from entrepot.errors import (
    ParameterError,
    is_number,
    is_whole,
    near_word,
    no_parameter,
    shown,
)
from entrepot.files import checked_path
from entrepot.guarded import Guarded
from entrepot.markets.market import Market
from entrepot.provenance import libraries
from entrepot.regimes import Events, RegimeModel, RegimePath
from entrepot.regimes.arguments import plain
from entrepot.reports.pictures.style import Size
from entrepot.result import Result, backtest, check_states
from entrepot.sweep_jobs import MODEL, SweepJob

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from entrepot.doubt.significance import Significance
    from entrepot.doubt.walk_choice import WalkForwardChoice

Label = Literal["parameters", "configuration"]

# Configurations that are handed out, shown and checkpointed together: eight times the lanes of the clock.
CHUNK = 512
REFUSED, NUMBER = "Refused", "configuration"
OWN = ("market", "plan", "path")  # what a sweep, and no one else, gives to the runs of its configurations
AGGREGATES = ("mean", "max", "min", "median")
SHORT_NAMES = {
    "sharpe": "Sharpe Ratio",
    "sortino": "Sortino Ratio",
    "calmar": "Calmar Ratio",
    "omega": "Omega Ratio",
    "return": "Total Return [%]",
    "annual_return": "Annualized Return [%]",
    "volatility": "Annualized Volatility [%]",
    "drawdown": "Max Drawdown [%]",
    "turnover": "Turnover",
    "costs": "Total Costs",
}
LEAST_IS_BEST = ("Annualized Volatility [%]", "Turnover", "Total Costs", "Orders Dropped")


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Guarded):
    """What became of every configuration of a sweep.

    Args:
        table: one row for each configuration: its parameters, the figures of `Result.summary`, costs by kind,
            profit and costs by regime, and "Refused", why it cannot be run where it cannot. The index is the
            number of the configuration. A parameter that a configuration does not name reads None.
        parameters: names of the parameters.
        trials: configurations of the whole sweep, however many of them `table` has.
        done: how many of them were run.
        job: what ran them.
        refused: how many of them cannot be run.
    """

    table: pd.DataFrame
    parameters: tuple[str, ...]
    trials: int
    done: int
    job: SweepJob
    refused: int = 0

    def __repr__(self) -> str:
        count = f"{len(self.table):,} configurations"
        if not self.complete:
            count = f"interrupted: {self.done:,} of {self.trials:,} configurations"
        elif len(self.table) < self.trials:
            count = f"{len(self.table):,} of {self.trials:,} configurations"
        return f"Sweep({count} of {', '.join(self.parameters)})"

    @property
    def complete(self) -> bool:
        """Whether every configuration was run; not so after Ctrl-C."""
        return self.done == self.trials

    @overload
    def best(self, metric: str = "sharpe", n: Literal[1] = 1) -> pd.Series[Any]: ...
    @overload
    def best(self, metric: str = "sharpe", n: int = 1) -> pd.Series[Any] | pd.DataFrame: ...
    def best(self, metric: str = "sharpe", n: int = 1) -> pd.Series[Any] | pd.DataFrame:
        """Return the best row, or the best n rows.

            >>> import entrepot as ep
            >>> market = ep.simulate_market("2023-01-03", "2023-12-29", symbols=["BABA", "9988.HK"])
            >>> swept = ep.sweep(market, ep.LongHKShortADR(), {"entry": [1.0, 1.5, 2.0]}, progress=False)
            >>> bool(swept.best("sharpe")["Sharpe Ratio"] == swept.table["Sharpe Ratio"].max())
            True

        Args:
            metric: a column, or "sharpe", "sortino", "calmar", "omega", "return", "annual_return",
                "volatility", "drawdown", "turnover" or "costs". Of volatility, turnover and costs the least
                is the best; of drawdown, which is negative, the one nearest zero.
            n: how many.

        Raises:
            ParameterError: for a metric that is no column, where no row has it, or for another n.
        """
        if not is_whole(n) or n < 1:
            raise ParameterError(f"n is {shown(n)}: give a whole number of rows, at least 1")
        name = self.column_of(metric)
        known = self.table.loc[self.table[name].notna()]
        known = known.sort_values(name, ascending=least_best(name), kind="stable")
        if known.empty:
            raise ParameterError(f"no configuration has {name}: look at the column {REFUSED}")
        return known.iloc[0] if n == 1 else known.head(n)

    def select(self, **values: Any) -> Sweep:
        """Return the rows whose parameters have these values; a list, set, range or the like allows several.

        Where some configuration has the list itself for a value, those are taken that have it. Names with a
        dot are given as ``select(**{"calm.entry": 1.5})``.

        Raises:
            ParameterError: for a name that is no parameter, and for values without end.
        """
        keep = np.ones(len(self.table), dtype=bool)
        for name, value in values.items():
            if name not in self.parameters:
                raise ParameterError(
                    f"{name} is no parameter of this sweep: it has {', '.join(self.parameters)}"
                )
            keep &= matching(self.table[name], value)
        return replace(self, table=self.table.loc[keep])

    def heatmap(
        self,
        x: str,
        y: str,
        metric: str = "sharpe",
        aggregate: str | Callable[[pd.Series[Any]], float] = "mean",
        *,
        size: Size = "page",
    ) -> Axes:
        """Draw a metric over two parameters; other parameters are aggregated.

        Args:
            x: parameter along the page.
            y: parameter up the page.
            metric: as in `best`.
            aggregate: what becomes of several rows of one cell: "mean", "max", "min", "median" or a function
                of a Series that returns a number.
            size: "page", or "slide" for a whole one.
        """
        from entrepot.reports.pictures.sweep_map import heatmap

        name, label = self.column_of(metric), self.job.market.label
        return heatmap(self._cells(x, y, name, aggregate), name, label, size, least_is_best=least_best(name))

    def surface(
        self,
        x: str,
        y: str,
        metric: str = "sharpe",
        aggregate: str | Callable[[pd.Series[Any]], float] = "mean",
        *,
        size: Size = "page",
    ) -> Axes:
        """Draw a metric over two parameters as a surface; arguments as in `heatmap`.

        A plateau says that the choice of parameters does not matter much, a lone peak that it was luck.
        """
        from entrepot.reports.pictures.sweep_map import surface

        name, label = self.column_of(metric), self.job.market.label
        return surface(self._cells(x, y, name, aggregate), name, label, size, least_is_best=least_best(name))

    def _cells(
        self, x: str, y: str, column: str, aggregate: str | Callable[[pd.Series[Any]], float]
    ) -> pd.DataFrame:
        for name in (x, y):
            if not isinstance(name, str) or name not in self.parameters:
                raise ParameterError(
                    f"{shown(name)} is no parameter of this sweep: it has {', '.join(self.parameters)}"
                )
        if x == y:
            raise ParameterError(f"{x} was given twice: give two parameters, one along and one up the page")
        a_function = callable(aggregate) and not isinstance(aggregate, type)
        if not a_function and (not isinstance(aggregate, str) or aggregate not in AGGREGATES):
            raise ParameterError(
                f"aggregate is {shown(aggregate)}: give {', '.join(AGGREGATES)} or a function of a Series"
            )
        joined = aggregated(aggregate) if callable(aggregate) else aggregate
        axes = {name: on_axis(self.table[name].tolist()) for name in (y, x)}
        places = pd.DataFrame({name: place for name, (place, _) in axes.items()}, index=self.table.index)
        cells = places.assign(**{column: self.table[column]}).pivot_table(
            index=y, columns=x, values=column, aggfunc=cast("Any", joined)
        )
        up, along = (labels.rename(name) for name, (_, labels) in axes.items())
        return cells.set_axis(up[cells.index], axis=0).set_axis(along[cells.columns], axis=1)

    def plan(self, row: int) -> Any:
        """Return the strategy of a configuration, by its number in the table."""
        return self.job.on_path(self.job.plan(self.configuration(row)), self.path(row))

    def path(self, row: int) -> RegimePath | None:
        """Return the regime path of a configuration."""
        parameters = self.configuration(row)
        return cast("RegimePath | None", self.job.bench(parameters, self.job.plan(parameters)).path)

    def backtest(self, row: int, **options: Any) -> Result:
        """Run a configuration again and record everything.

        Args:
            row: its number in the table.
            options: those of `entrepot.backtest`, but for market, plan and path, which are the sweep's.

        Raises:
            ParameterError: for a row that is not in the table, and for another option.
        """
        known = [name for name in signature(backtest).parameters if name not in OWN]
        for name in options:
            if name in OWN:
                raise ParameterError(
                    f"{name} was given and is the sweep's own: leave it out, or call "
                    "entrepot.backtest(market, sweep.plan(row), ...)"
                )
            if name not in known:
                raise no_parameter("Sweep.backtest", name, known)
        job = self.job
        terms: dict[str, Any] = {
            "capital": job.capital,
            "base_currency": job.base_currency,
            "costs": job.costs,
            "trials": self.trials,
        }
        return backtest(job.market, self.plan(row), path=self.path(row), **(terms | options))

    def equity(self, rows: int | Iterable[int] | None = None, *, by: Label = "parameters") -> pd.DataFrame:
        """Run configurations again and return their equity at every step.

        Args:
            rows: numbers of configurations; None: all that were not refused.
            by: as in `returns`.

        Returns:
            Base currency, shape (T, configurations), by UTC time, 8 bytes each.

        Raises:
            ParameterError: as in `returns`.
        """
        from entrepot.doubt.reruns import equity_of

        check_label(by)
        return self._labelled(equity_of(self, rows), by)

    def returns(
        self,
        rows: int | Iterable[int] | None = None,
        *,
        excess: bool = True,
        by: Label = "parameters",
        progress: bool = False,
    ) -> pd.DataFrame:
        """Run configurations again and return their session returns, by default over the policy rate.

        Equity is sampled at the last step of each New York session (of the only venue's, where there is one),
        the first sample having no return; the policy rate is that of the base currency, zero where it is not
        known. Returns over it are what the Sharpe ratios of the table are made of, plain ones what return,
        volatility and drawdown are.

        Args:
            rows: numbers of configurations; None: all that were not refused.
            excess: over the policy rate; False: as `Result.returns`.
            by: "parameters": columns are labelled by the values of the parameters, a level each, which pandas
                and vectorbt's accessors can use; "configuration": by number in the table.
            progress: show a bar with rate and time left.

        Returns:
            Fractions, shape (sessions, configurations), by session date, 8 bytes each; ``.attrs["refused"]``
            counts the rows of the table that have none. NaN after equity is gone. Values that are no numbers,
            dates, booleans or text stand under a short text, numbered where several read alike.

        Raises:
            ParameterError: for a row that is not in the table or was refused, where there is none or all
                were, and for another `by` or `excess`.
        """
        from entrepot.doubt.reruns import returns_of

        check_label(by)
        if not isinstance(excess, bool):
            raise ParameterError(f"excess is {shown(excess)}: give True for over the policy rate, or False")
        return self._labelled(returns_of(self, rows, progress, excess=excess), by)

    def _labelled(self, curves: pd.DataFrame, by: Label) -> pd.DataFrame:
        """Name columns, which are numbers of configurations, by what was asked for, if there are any."""
        if by == "parameters" and self.parameters:
            # Labels are those of the whole sweep, whatever was selected and whichever rows were asked for.
            every = np.arange(len(self.job.configurations))
            values = parameter_table(self.job.configurations, self.parameters, every)
            labels = pd.DataFrame({name: readable(values[name].tolist()) for name in self.parameters})
            chosen = labels.loc[curves.columns]
            only = len(self.parameters) == 1
            curves.columns = pd.Index(chosen.iloc[:, 0]) if only else pd.MultiIndex.from_frame(chosen)
        return curves

    def walk_forward(
        self,
        train: int = 504,
        test: int = 126,
        metric: str = "sharpe",
        *,
        anchored: bool = False,
        gap: int = 1,
    ) -> WalkForwardChoice:
        """Choose again and again the configuration that was best so far, and hold it until the next choice.

        Every `test` sessions the one that was best over the last `train` is chosen, and its returns are taken
        until the next choice. `gap` sessions lie between the last one looked at and the first one held: what
        a close tells can be traded at the next step only. All configurations are run from the first session
        on, so that none is warmed up twice; changing from one to another is not charged, but what it would
        have cost is estimated.

        Args:
            train: sessions looked at, 20 or more.
            test: sessions held; the last window may be shorter.
            metric: "sharpe", "sortino" or "return" (mean return over the policy rate).
            anchored: look at all sessions from the first on, at least `train`.
            gap: sessions between.

        Raises:
            ParameterError: for windows or a metric that are none, and where all configurations were refused.
            DataError: where the sessions do not suffice.
        """
        from entrepot.doubt.reruns import returns_of
        from entrepot.doubt.walk_choice import walk_forward

        return walk_forward(self, returns_of(self), train, test, metric, anchored, gap)

    def significance(
        self,
        metric: str = "sharpe",
        *,
        benchmark: pd.Series[Any] | int | None = None,
        other_trials: int = 0,
        blocks: int = 16,
        draws: int = 1000,
        confidence: float = 0.95,
        train: int = 504,
        test: int = 126,
        placebos: int = 0,
        events: Events | None = None,
        model: RegimeModel | None = None,
        seed: int = 0,
        progress: bool = True,
    ) -> Significance:
        """Say whether the best configuration is skill or luck, why, and what would change that.

        Its Sharpe ratio, by session and by month, is held against what the luckiest of so many trials without
        skill would show; all configurations against a benchmark together, against each other in the halves of
        history, and against choosing among them as time went on; the best against dearer trading, other terms
        of borrow, its neighbours and its own best months; and with `placebos`, all of them against calendars
        with wrong dates. Whatever the metric of the choice, it is the Sharpe ratio that is tested.

        Every configuration of the sweep is a trial, whatever part of it was selected, but for those refused.
        What else was tried before, here or by others, is not known: give it as `other_trials`; their ratios
        are taken to spread no less than those of trials without skill.

        Args:
            metric: by which the best is chosen, as in `best`.
            benchmark: what has to be beaten: None, the policy rate; a configuration, by number; or a series
                by session date or time with a zone, of levels (all above zero) or returns (some not), which
                are not over the policy rate.
            other_trials: made elsewhere, each counted as independent.
            blocks: of history in the cross-validation, even; see `entrepot.reports.overfitting`.
            draws: bootstrap samples, 100 or more.
            confidence: of tests and intervals, above 0.5.
            train: sessions that the walk-forward choice looks at; see `walk_forward`.
            test: sessions for which it holds.
            placebos: calendars with wrong dates on which all configurations are run; 0: none.
            events: the true calendar; the sweep's own where not given.
            model: what walks over them; the sweep's own, or `RegimeModel()`, where not given.
            seed: of all draws.
            progress: show bars.

        Returns:
            The `Significance`: ``.verdict`` in words, ``.table``, ``.plot()``, ``.report("page.html")``.

        Raises:
            ParameterError: for arguments outside what they may be.
            DataError: for a benchmark that is none or does not cover the run.
        """
        from entrepot.doubt.significance import significance

        return significance(
            self,
            metric,
            benchmark=benchmark,
            other_trials=other_trials,
            blocks=blocks,
            draws=draws,
            confidence=confidence,
            train=train,
            test=test,
            placebos=placebos,
            events=events,
            model=model,
            seed=seed,
            progress=progress,
        )

    def configuration(self, row: int) -> Mapping[str, Any]:
        """Return the parameters of a configuration, by its number in the table."""
        if not is_whole(row) or row not in self.table.index:
            raise ParameterError(f"{shown(row)} is no row of this sweep's table: give a number of its index")
        return self.job.configurations[int(row)]

    def column_of(self, metric: str) -> str:
        """Return the column of the table that a metric stands for; see `best`."""
        name = SHORT_NAMES.get(metric, metric) if isinstance(metric, str) else ""
        figures = [str(column) for column in self.table if column not in (*self.parameters, REFUSED)]
        if name not in figures:
            hint = near_word(name, figures) or ":"
            raise ParameterError(
                f"{shown(metric)} is no figure of this sweep{hint} give {', '.join(SHORT_NAMES)}, or a "
                "column of the table"
            )
        return name


def sweep(
    market: Market,
    strategy: Any,
    parameters: Parameters,
    *,
    path: RegimePath | None = None,
    model: RegimeModel | None = None,
    events: Events | None = None,
    capital: float = 10_000_000.0,
    base_currency: str = "USD",
    costs: Costs | None = None,
    executor: Executor | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
    chunk: int = CHUNK,
) -> Sweep:
    """Run a strategy with many choices of its parameters.

    A strategy with a compiled decision (all built-in ones, `CompiledStrategy`) decides inside the loop, and
    weights are never held; of any other the targets are made, block by block. The figures are those of the
    recorded run of each configuration.

        >>> import entrepot as ep
        >>> market = ep.simulate_market("2023-01-03", "2023-12-29", symbols=["BABA", "9988.HK"])
        >>> grid = {"entry": [1.0, 2.0], "lookback": [20, 40]}
        >>> swept = ep.sweep(market, ep.LongHKShortADR(), grid, progress=False)
        >>> len(swept.table), int(swept.trials)
        (4, 4)

    Args:
        market: of every configuration.
        strategy: with ``with_(name=value)``; or several, by name or in a list, told apart by the parameter
            "strategy".
        parameters: values by name, of which every combination is run, the last name's fastest; or a list of
            configurations, a dict of values each. ``"calm.entry"`` is the parameter entry of the part calm of
            a `RegimeSwitch`; ``"model.delisting.threshold"`` one of the regime model's detector.
        path: regime path of every configuration; a `RegimeSwitch` brings its own.
        model: regime model, walked over ``events`` once for each choice of the parameters that begin with
            ``"model."``.
        events: what the model walks over.
        capital: equity of each configuration before the first step.
        base_currency: of equity.
        costs: what trading and holding cost; `Costs()` where not given.
        executor: where chunks are run: any `concurrent.futures.Executor`, or a Dask client; None: a thread
            for each processor.
        checkpoint: folder that keeps finished chunks; a sweep that was ended goes on from there.
        progress: show a bar with rate and time left.
        chunk: configurations that are handed out together.

    Returns:
        The sweep; after Ctrl-C what was done by then.

    Raises:
        ParameterError: for parameters that no configuration can have, and for more configurations than there
            is memory for their figures; a configuration that cannot be run among others that can is told in
            the table's column "Refused".
    """
    costs = Costs() if costs is None else costs
    check_run(market, capital, base_currency, "next_step", costs)
    strategies = named(strategy)
    configurations, names = configurations_of(parameters, strategies)
    changes_model = any(name.startswith(MODEL) for name in names)
    if (changes_model and model is None) or (model is not None) != (events is not None):
        raise ParameterError(
            "parameters of the regime model need model= and events=: give both, such as model=RegimeModel(), "
            "events=load_events()"
        )
    if not isinstance(path, RegimePath | None):
        raise no_path(path)
    if path is not None and model is not None:
        raise ParameterError("both path and model were given: the model walks its own path, give one")
    if model is not None and not isinstance(model, RegimeModel):
        raise ParameterError(f"model is {shown(model)}: give a RegimeModel, such as RegimeModel()")
    if not isinstance(progress, bool):
        raise ParameterError(f"progress is {shown(progress)}: give True or False")
    kept_in = None if checkpoint is None else checked_path(checkpoint, "a folder")
    if not is_whole(chunk) or chunk < 1:
        raise ParameterError(f"chunk is {shown(chunk)}: give a whole number of at least 1")
    job = SweepJob(
        market, strategies, configurations, path, model, events, float(capital), base_currency, costs
    )
    check_states(costs, RegimePath if job.regimes else None)
    columns = columns_of(job.regimes)
    for name in names:
        if name in (*columns, REFUSED, NUMBER):
            raise ParameterError(
                f"a parameter is named {name!r}, as a column of the sweep's table is: give it another name"
            )
    count = configurations.count if isinstance(configurations, Grid) else len(configurations)
    require_figures(count, len(columns), len(names))
    order = job.order()
    figures = np.full((count, len(columns)), np.nan)
    refused: dict[int, str] = {}
    chunks = cut(order, chunk)
    if kept_in is None:
        done = run_chunks(job, chunks, figures, refused, executor=executor, progress=progress)
    else:
        with Checkpoint(kept_in, _identity(job, chunk), columns) as kept:
            done = run_chunks(
                job, chunks, figures, refused, executor=executor, checkpoint=kept, progress=progress
            )
    numbers = np.flatnonzero(done)
    table = pd.concat(
        [
            parameter_table(configurations, names, numbers),
            pd.DataFrame(figures[numbers], index=numbers, columns=columns),
        ],
        axis=1,
    )
    table[REFUSED] = [refused.get(int(number), "") for number in numbers]
    table.index.name = NUMBER
    return Sweep(table, tuple(names), count, len(numbers), job, len(refused))


def least_best(name: str) -> bool:
    """Whether the lowest value of a figure is the best one."""
    return name in LEAST_IS_BEST or name.startswith("Costs (") or name.endswith("Paid")


def aggregated(function: Callable[[pd.Series[Any]], float]) -> Callable[[pd.Series[Any]], float]:
    """Return a function of the rows of a cell that refuses what it gives where that is no number."""

    def one(rows: pd.Series[Any]) -> float:
        value = plain(function(rows))
        if not is_number(value):
            raise ParameterError(
                f"aggregate gave {shown(value)}: give a function of a Series that returns a number"
            )
        return value

    return one


def check_label(by: object) -> None:
    """Refuse what columns cannot be labelled by."""
    if not isinstance(by, str) or by not in ("parameters", "configuration"):
        raise ParameterError(f'by is {shown(by)}: give "parameters" or "configuration"')


def _identity(job: SweepJob, chunk: int) -> dict[str, str]:
    """What a checkpoint is of, by part."""
    market = {
        item.name: getattr(job.market, item.name)
        for item in fields(Market)
        if item.name not in ("label", "notes")
    }
    grid = job.configurations
    return {
        "code version": code_fingerprint(),
        "version of the libraries": libraries(),
        "market": _known_again("market", market),
        "strategy": _known_again("strategy", job.strategies),
        "grid": _known_again("grid", grid.choices if isinstance(grid, Grid) else list(grid)),
        "regime path": _known_again("regime path", [job.path, job.model, job.events]),
        "terms": _known_again("terms", [job.capital, job.base_currency, job.costs]),
        "chunk size": str(chunk),
    }


def _known_again(part: str, value: object) -> str:
    """Return the fingerprint of a part of a sweep, refusing what another sweep's could be mistaken for."""
    name, untold = told(value)
    if untold:
        raise ParameterError(
            f"the {part} holds or reads a {' and a '.join(untold)}, whose contents cannot be told, so that "
            "no checkpoint can be known again: give values in its place, or leave out checkpoint="
        )
    return name
