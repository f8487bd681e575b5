"""Runs side by side on the sessions they share: figures, differences, and one page that shows them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entrepot.engine.result import Ledger
from entrepot.errors import DataError, ParameterError, shown, visible
from entrepot.files import check_target
from entrepot.markets.sessions import DAILY, sessions_a_year
from entrepot.reports.intervals import check_bootstrap, sharpe_interval
from entrepot.reports.metrics import drawdown, return_statistics, ruin_note, shape_statistics, sharpe
from entrepot.reports.pages.contents import check_words
from entrepot.reports.pages.document import SUFFIXES, Document, Picture, Section, write_document
from entrepot.reports.pages.tables import Table, frame_table, mapping_table, transposed
from entrepot.reports.periods import period_statistics
from entrepot.reports.pictures import time_axis
from entrepot.reports.pictures.comparison import draw_growth, draw_lines, name_lines
from entrepot.reports.pictures.style import Theme, number, source_name
from entrepot.reports.sources import source_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RISK = (
    "Total Return [%]",
    "Annualized Return [%]",
    "Annualized Volatility [%]",
    "Sharpe Ratio",
    "Monthly Sharpe",
    "Lag-adjusted Sharpe",
    "Sortino Ratio",
    "Calmar Ratio",
    "Omega Ratio",
    "Max Drawdown [%]",
    "Max Drawdown Days",
)
SHAPE = (
    "Skew",
    "Excess Kurtosis",
    "Value at Risk [%]",
    "Conditional VaR [%]",
    "Tail Ratio",
    "Best Day [%]",
    "Worst Day [%]",
    "Best Month [%]",
    "Worst Month [%]",
    "Positive Months [%]",
)
TRADED = ("Held [%]", "Turnover", "Costs [% pa]", "Leg Risk [% pa]")
TILES = 6
MOST_TICKS = 4  # beside the names of the lines


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Runs side by side, from the first session they have in common to the last.

    Args:
        summary: figures by run, of returns from one common session to the next; as `summary` has them, and
            as `period_statistics` "Held [%]", "Turnover", "Costs [% pa]" and "Leg Risk [% pa]".
        difference: of every run but the first: its "Sharpe Ratio", its "Difference" from the first
            one's, "Low" and "High" of that, by `sharpe_interval` with sessions drawn together.
        correlation: of the returns, run by run.
        source: profit and loss by source and run, per cent of equity at the first common session; the last
            row, "total", is the total return.
        yearly: returns by calendar year and run, per cent; the first and the last year as far as they go.
        growth: by session and run, 1 at the first.
        drawdown: by session and run, fraction below the peak so far, 0 or less.
        labels: where the prices of each run come from.
        notes: what is not alike in them, a sentence each.
    """

    summary: pd.DataFrame
    difference: pd.DataFrame
    correlation: pd.DataFrame
    source: pd.DataFrame
    yearly: pd.DataFrame
    growth: pd.DataFrame
    drawdown: pd.DataFrame
    labels: Mapping[str, str]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        names = ", ".join(self.growth.columns)
        return f"SideBySide({len(self.growth.columns)} runs, {self.span}: {names})"

    @property
    def label(self) -> str:
        """Where the prices come from."""
        return "; ".join(dict.fromkeys(self.labels.values()))

    @property
    def simulated(self) -> tuple[str, ...]:
        """The runs whose prices are simulated."""
        return tuple(name for name, label in self.labels.items() if "simulated" in label.lower())

    @property
    def span(self) -> str:
        """The sessions compared."""
        first, last = self.growth.index[[0, -1]]
        return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, {len(self.growth):,} common sessions"

    def plot(self, size: str = "page") -> Axes:
        """Draw what 100 became in each run, across a "page" or on a "slide"; return the Axes."""
        return draw_growth(self.growth, f"Growth of 100, {self.label}", self.span, size)


def compare_results(
    results: Mapping[str, Ledger], *, confidence: float = 0.95, draws: int = 1000, seed: int = 0
) -> SideBySide:
    """Put runs side by side on the sessions they have in common.

    They may be of different markets, spans and base currencies, which the notes then say; each return is in
    its run's own currency, over its own policy rate. The number of runs compared is a number of trials.

    Args:
        results: finished runs by name; the first is the one the others are measured against.
        confidence: of the intervals of differences between Sharpe ratios.
        draws: bootstrap samples behind them, 100 or more.
        seed: of these.

    Raises:
        ParameterError: where there are no runs, one is none, or the arguments of the bootstrap are wrong.
        DataError: where the runs have fewer than two sessions in common, or over 90 days and more fewer than
            200 a year.
    """
    check_results(results)
    check_bootstrap(confidence, draws, seed)
    levels = common_levels(results)
    returns = levels.pct_change().iloc[1:]
    excess = returns - policy_returns(results, levels.index)
    ruined = {name: bool((run.equity <= 0).any()) for name, run in results.items()}
    gone = [name for name, broke in ruined.items() if broke]
    usable, over = (table.assign(**dict.fromkeys(gone, np.nan)) for table in (returns, excess))
    growth = levels / levels.iloc[0].where(levels.iloc[0] > 0)
    return SideBySide(
        summary=pd.DataFrame(
            {
                name: measured(run, levels[name], returns[name], excess[name], ruined=ruined[name])
                for name, run in results.items()
            }
        ).rename_axis("figure"),
        difference=differences(over, confidence, draws, seed),
        correlation=usable.corr().rename_axis("run"),
        source=sources(results, levels),
        yearly=100 * ((1 + usable).groupby(pd.DatetimeIndex(usable.index).year).prod(skipna=False) - 1),
        growth=growth,
        drawdown=growth / growth.cummax() - 1,
        labels={name: run.label for name, run in results.items()},
        notes=tuple(unlike(results, levels)),
    )


def check_results(results: object) -> None:
    """Refuse what is no mapping of names to finished runs."""
    if not isinstance(results, Mapping) or not results:
        raise ParameterError(
            f"results is {shown(results)}: give finished runs by name, such as {{'pairs': result}}"
        )
    for name, run in results.items():
        if not isinstance(name, str) or not name.strip():
            raise ParameterError(
                f"a result has the name {shown(name)}: give each one a name of its own, as text"
            )
        if visible(name) != name:
            raise ParameterError(f"a result has the name {shown(name)}: leave out what cannot be shown")
        if not isinstance(run, Ledger):
            raise ParameterError(
                f"the result {shown(name)} is of type {type(run).__name__}: give finished runs, as backtest "
                "returns them"
            )


def common_levels(results: Mapping[str, Ledger]) -> pd.DataFrame:
    """Return equity by session and run at the sessions all have in common."""
    levels = pd.concat({name: run.daily for name, run in results.items()}, axis=1, join="inner")
    if len(levels) < 2:
        spans = alike({name: ran(run) for name, run in results.items()})
        raise DataError(
            f"the results have {len(levels)} sessions in common ({spans}): give runs whose spans overlap"
        )
    rate = sessions_a_year(pd.DatetimeIndex(levels.index))
    if rate < DAILY[0]:
        raise DataError(
            f"the results have {rate:.0f} sessions a year in common and figures are annualised by 252: give "
            "runs of daily sessions"
        )
    return levels.rename_axis(index="session", columns="run")


def ran(run: Ledger) -> str:
    """Say over which sessions a run went."""
    daily = run.daily
    ends = f"{daily.index[0]:%Y-%m-%d} to {daily.index[-1]:%Y-%m-%d}, " if len(daily) else ""
    return f"{ends}{len(daily):,} sessions"


def alike(said: Mapping[str, str]) -> str:
    """Write what is said of each name, once for all of which the same is said."""
    names: dict[str, list[str]] = {}
    for name, words in said.items():
        names.setdefault(words, []).append(name)
    return "; ".join(f"{words} ({', '.join(own)})" for words, own in names.items())


def policy_returns(results: Mapping[str, Ledger], sessions: pd.Index[Any]) -> pd.DataFrame:
    """Return what each run's base currency earned at its policy rate from one common session to the next."""
    growth = {
        name: (1 + run.risk_free.reindex(run.daily.index).fillna(0.0)).cumprod().reindex(sessions)
        for name, run in results.items()
    }
    return pd.DataFrame(growth).pct_change().iloc[1:]


def measured(
    run: Ledger, levels: pd.Series[Any], returns: pd.Series[Any], excess: pd.Series[Any], *, ruined: bool
) -> pd.Series[float]:
    """Measure a run between common sessions: the figures of `SideBySide.summary`."""
    depth, longest = drawdown(levels)
    after = levels.index[0] + pd.Timedelta(days=1)
    figures = {
        "Total Return [%]": 100 * (levels.iloc[-1] / levels.iloc[0] - 1) if levels.iloc[0] > 0 else np.nan,
        **return_statistics(returns, excess, ruined=ruined).figures,
        "Max Drawdown [%]": 100 * depth,
        "Max Drawdown Days": longest / pd.Timedelta(days=1),
        **shape_statistics(returns, ruined=ruined).figures,
        **period_statistics(run, after, levels.index[-1], draws=0)[list(TRADED)],
    }
    return pd.Series({name: figures[name] for name in (*RISK, *SHAPE, *TRADED)}, dtype=float)


def differences(excess: pd.DataFrame, confidence: float, draws: int, seed: int) -> pd.DataFrame:
    """Compare the Sharpe ratio of every run but the first with the first one's."""
    first, *others = excess.columns
    rows = {}
    for name in others:
        both = excess[[name, first]].to_numpy(dtype=np.float64)
        own, base = (sharpe(column) for column in both.T)
        rows[name] = (own, own - base, *sharpe_interval(both, confidence, draws, seed))
    columns = ["Sharpe Ratio", "Difference", "Low", "High"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=float).rename_axis("run")


def sources(results: Mapping[str, Ledger], levels: pd.DataFrame) -> pd.DataFrame:
    """Add up profit and loss by source between the first common session and the last, as in `SideBySide`."""
    found = {}
    for name, run in results.items():
        sampled = np.flatnonzero(np.asarray(run.market.decision_steps, dtype=bool))
        begin, end = sampled[run.daily.index.get_indexer(levels.index[[0, -1]])]
        found[name] = run.contributions.iloc[begin + 1 : end + 1].sum().groupby(level="source").sum()
    start = levels.iloc[0]
    table = 100 * pd.DataFrame(found).fillna(0.0) / start.where(start > 0)
    table = table.loc[source_order([str(source) for source in table.index])].rename_axis("source")
    table.loc["total"] = table.sum(min_count=1)
    return table


def unlike(results: Mapping[str, Ledger], levels: pd.DataFrame) -> list[str]:
    """Say what is not alike in the runs compared, a sentence each."""
    notes = []
    if any(len(run.daily) != len(levels) for run in results.values()):
        spans = alike({name: ran(run) for name, run in results.items()})
        notes.append(f"Only the sessions all runs have in common are compared. They went over {spans}.")
    for what, of in (
        ("Returns are in different currencies", {name: run.base_currency for name, run in results.items()}),
        ("Prices are of different markets", {name: run.label for name, run in results.items()}),
    ):
        if len(set(of.values())) > 1:
            notes.append(f"{what}: {alike(of)}.")
    moments = [
        pd.Series(run.equity.index[run.market.decision_steps], run.daily.index)[levels.index]
        for run in results.values()
    ]
    if any(not own.equals(moments[0]) for own in moments):
        notes.append(
            "The runs are sampled hours apart on the same date, at the last step of another venue's session: "
            "their correlation is understated."
        )
    return notes + [f"{name}: {note}." for name, run in results.items() if (note := ruin_note(run))]


def comparison_report(
    results: Mapping[str, Ledger],
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    provenance: Mapping[str, str] | None = None,
    confidence: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Path:
    """Write runs side by side as one HTML file, as `report` does for one run.

    Args:
        results: as in `compare_results`.
        path: file to write, ``.html`` or ``.htm``; it is replaced whole or not at all.
        title: heading.
        provenance: further lines on where the runs came from, by name.
        confidence: as in `compare_results`.
        draws: as in `compare_results`.
        seed: as in `compare_results`.

    Returns:
        The path written.

    Raises:
        ParameterError: where the file cannot be written; otherwise as in `compare_results`.
        DataError: as in `compare_results`.
    """
    target = check_target(path, SUFFIXES)
    check_words((), provenance)
    if title is not None and not isinstance(title, str):
        raise ParameterError(f"title is {shown(title)}: give text, or None for a plain title")
    side = compare_results(results, confidence=confidence, draws=draws, seed=seed)
    count = len(results)
    document = Document(
        title=title or f"{count} {'backtest' if count == 1 else 'backtests'} side by side",
        subtitle=side.span,
        label=side.label,
        headline=tiles(side),
        sections=[
            Section("performance", "Performance", performance_tables(side), pictures(side)),
            Section("sharpe", "Differences", difference_tables(side, confidence, draws)),
            Section("years", "Years", (across(side.yearly, "Returns by calendar year, %", 1),)),
            Section("sources", "Sources of profit", (source_table(side),)),
            Section("provenance", "Provenance", provenance_tables(results, provenance or {})),
        ],
        caveats=caveats(side),
    )
    write_document(document, target)
    return target


def tiles(side: SideBySide) -> list[tuple[str, str, str]]:
    """Choose the main figures: the Sharpe ratios of the first runs."""
    return [
        (
            f"Sharpe, {name}",
            number(figures["Sharpe Ratio"]),
            f"{number(figures['Annualized Return [%]'], 1, '%')} a year, "
            f"drawdown {number(figures['Max Drawdown [%]'], 1, '%')}",
        )
        for name, figures in list(side.summary.items())[:TILES]
    ]


def pictures(side: SideBySide) -> tuple[Picture, ...]:
    """Draw growth and drawdown of all runs."""
    made_up = len(side.simulated)
    dates = pd.DatetimeIndex(side.growth.index)
    simulated = f" ({'in part ' if made_up < len(side.labels) else ''}simulated market)" if made_up else ""

    def panel(key: str, heading: str, table: pd.DataFrame, alt: str) -> Picture:
        def draw(figure: Figure, theme: Theme) -> None:
            figure.subplots_adjust(right=0.66)
            ax = figure.add_subplot()
            ax.set_title(f"{heading}{simulated}")
            draw_lines(ax, table, theme)
            time_axis.span(ax, dates[0], dates[-1], most=MOST_TICKS)
            name_lines(ax, table, theme)

        return Picture(key, 3.0, alt, draw, f"At the ends: the last values. Prices: {side.label}.")

    growth, fall = 100 * side.growth, 100 * side.drawdown
    last = ", ".join(f"{name} {number(value, 1)}" for name, value in growth.iloc[-1].items())
    worst = ", ".join(f"{name} {number(value, 1)}" for name, value in fall.min().items())
    return (
        panel("growth", "Growth of 100", growth, f"What 100 became in each run: {last}."),
        panel(
            "drawdown", "Drawdown, %", fall, f"Drawdown of each run over time, at worst per cent: {worst}."
        ),
    )


def across(
    frame: pd.DataFrame, heading: str, digits: int | None = None, note: str = "", foot: int = 0
) -> Table:
    """Make a table with one column per run of a frame that has one: each row's numbers have its decimals."""
    return transposed(frame_table(frame.T.rename_axis(index=None), heading, note, digits=digits), foot)


def performance_tables(side: SideBySide) -> tuple[Table, ...]:
    """Tabulate the figures of each run."""
    table = side.summary
    return (
        across(table.loc[list(RISK)], "Return and risk"),
        across(table.loc[list(SHAPE)], "Distribution of returns"),
        across(table.loc[list(TRADED)], "Trading and costs"),
    )


def difference_tables(side: SideBySide, confidence: float, draws: int) -> tuple[Table, ...]:
    """Tabulate how the runs differ and move together; nothing where there is one."""
    if len(side.difference) == 0:
        return ()
    note = (
        f"Against {side.summary.columns[0]}. Low and high bound {100 * confidence:g} % of {draws:,} draws of "
        "the stationary bootstrap, the same sessions drawn for both."
    )
    return (
        frame_table(side.difference, "Difference of Sharpe ratios", note, digits=2),
        frame_table(
            side.correlation, "Correlation of returns", "From one common session to the next.", digits=2
        ),
    )


def source_table(side: SideBySide) -> Table:
    """Tabulate profit and loss by source."""
    table = side.source.rename(index=lambda name: name if name == "total" else source_name(str(name)))
    note = "Per cent of equity at the first common session; costs are negative. Totals are the total returns."
    return across(table, "Profit and loss by source, %", 2, note, foot=1)


def provenance_tables(results: Mapping[str, Ledger], given: Mapping[str, str]) -> tuple[Table, ...]:
    """Tabulate where each run came from, then what is `given` for all."""
    facts = {
        name: {
            "Prices": run.label,
            "Run": ran(run),
            "Capital": f"{run.capital:,.0f} {run.base_currency}",
            "Fills": f"{len(run.fills):,}",
        }
        for name, run in results.items()
    }
    own = {name: getattr(run, "provenance", {}) for name, run in results.items()}
    more = [mapping_table(said, f"Provenance of {name}", folded=True) for name, said in own.items() if said]
    more += [mapping_table(given, "Provenance")] if given else []
    return (frame_table(pd.DataFrame(facts).T, "Runs", corner="run"), *more)


def caveats(side: SideBySide) -> list[str]:
    """List what a reader must know."""
    out = list(side.notes)
    if side.simulated:
        out.append(
            f"The prices of {', '.join(side.simulated)} are simulated: nothing of it happened, and no "
            "figure says what a plan earns in a market."
        )
    out.append(
        "The number of runs compared is a number of trials: the best of several looks better than it is."
    )
    return out
