"""The words of tear sheets and reports: heading, main figures, tables, footing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entrepot.reports.pages.findings import Findings
from entrepot.reports.pages.tables import printable
from entrepot.reports.pictures.style import Theme, money, number
from entrepot.reports.sources import INCOME, MARKET

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PITCH, HEAD = 0.142, 0.345  # inches: between the rows of a table, from its title to its first row
HINDSIGHT = (
    "Which events are in the calendar, their sign and their severity were written down afterwards: results "
    "by regime and event are descriptions, not forecasts."
)


@dataclass(frozen=True)
class Block:
    """A box of the page for words, in figure coordinates; inside it they run from 0 to 1, 1 at the top."""

    figure: Figure
    left: float
    bottom: float
    width: float
    height: float

    def text(self, x: float, y: float, words: str, **style: Any) -> None:
        """Write."""
        self.figure.text(self.left + x * self.width, self.bottom + y * self.height, words, **style)

    def rule(self, y: float, theme: Theme) -> None:
        """Draw a line across."""
        from matplotlib.lines import Line2D

        ends, level = [self.left, self.left + self.width], self.bottom + y * self.height
        self.figure.add_artist(Line2D(ends, [level, level], color=theme.rule, linewidth=0.6))

    def inches(self, length: float) -> float:
        """Turn inches into a fraction of the height."""
        return length / (self.height * float(self.figure.get_figheight()))

    def fit(self, text: str, width: float, size: float, weight: str = "normal") -> str:
        """Shorten `text` to a fraction of the width, at a word where it can; mark what none can print."""
        from matplotlib.font_manager import FontProperties

        renderer = self.figure.canvas.get_renderer()  # type: ignore[attr-defined]
        room = width * self.width * self.figure.get_figwidth() * self.figure.dpi
        font = FontProperties(family="DejaVu Sans", size=size, weight=weight)

        def wide(line: str) -> float:
            return float(renderer.get_text_width_height_descent(line, font, False)[0])

        text = " ".join(printable(text).split())
        if wide(text) <= room:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if wide(text[:middle] + "\u2026") <= room:
                low = middle
            else:
                high = middle - 1
        cut = text[:low]
        if " " in cut[-12:]:
            cut = cut[: cut.rindex(" ")]
        return cut.rstrip(" ,;:") + "\u2026"


def header(on: Block, found: Findings, theme: Theme) -> None:
    """Title, where the prices come from, and the run's main figures."""
    size = theme.size
    ledger, value = found.ledger, found.summary
    title = on.fit(found.title, 1.0, size + 6.5, "bold")
    on.text(0, 0.97, title, fontsize=size + 6.5, fontweight="bold", va="top")
    when = " to ".join(str(value[name].date()) for name in ("Start", "End") if value[name] is not pd.NaT)
    capital = f"capital {money(ledger.capital, found.currency)}"
    line = f"{when}  \u00b7  {value['Sessions']:,} sessions  \u00b7  {capital}"
    room = 0.68 if found.simulated else 1.0
    on.text(
        0, 0.665, on.fit(f"{line}  \u00b7  {found.ledger.label}", room, size + 0.5), fontsize=size + 0.5,
        color=theme.faint, va="top",
    )  # fmt: skip
    if found.simulated:
        on.text(
            0.996, 0.62, "SIMULATED: prices that never traded", ha="right", va="center", fontsize=size,
            fontweight="bold",
            bbox={"boxstyle": "square,pad=0.4", "facecolor": theme.paper, "edgecolor": theme.ink},
        )  # fmt: skip
    for x, (name, shown, note) in zip(
        (0, 0.115, 0.25, 0.455, 0.605, 0.765, 0.91), headline(found), strict=True
    ):
        on.text(x, 0.41, name, fontsize=size - 0.5, color=theme.faint, va="top")
        on.text(x, 0.27, shown, fontsize=size + 3.5, fontweight="bold", va="top")
        on.text(x, 0.015, note, fontsize=size - 1, color=theme.faint, va="bottom")
    on.rule(0.475, theme)


def headline(found: Findings) -> list[tuple[str, str, str]]:
    """Choose the run's main figures: name, value, a note in small print."""
    value = found.summary
    longest = value["Max Drawdown Duration"]
    costs, trades = value["Total Costs"], value["Trades"]
    return [
        (
            "Total return",
            number(value["Total Return [%]"], 1, "%"),
            f"benchmark {number(value['Benchmark Return [%]'], 1, '%')}"
            if "Benchmark Return [%]" in value
            else "after all costs",
        ),
        (
            "Annualized",
            number(value["Annualized Return [%]"], 1, "%"),
            f"volatility {number(value['Annualized Volatility [%]'], 1, '%')}",
        ),
        (
            "Sharpe, daily",
            number(value["Sharpe Ratio"]),
            f"monthly {number(value['Monthly Sharpe'])}, lag-adj. {number(value['Lag-adjusted Sharpe'])}",
        ),
        (
            "Max drawdown",
            number(value["Max Drawdown [%]"], 1, "%"),
            "" if longest is pd.NaT else f"longest {longest.days:,} days",
        ),
        (
            "Turnover a year",
            number(value["Turnover"], 1, "\u00d7"),
            f"{value['Fills']:,} fills, {value['Orders Dropped']:,} dropped",
        ),
        (
            "Total costs",
            money(costs, found.currency),
            f"{number(100 * costs / found.ledger.capital, 1, '%')} of capital",
        ),
        (
            "Trades",
            f"{trades:,}",
            f"{number(value['Win Rate [%]'], 0, '%')} won" if trades else "none closed",
        ),
    ]


def draw_regimes(on: Block, found: Findings, theme: Theme) -> None:
    """Tabulate the regimes, where there are any, and the legs."""
    room = 1.0
    if found.regime is not None:
        columns = ["", "time", "episodes", "P&L", "return pa", "vol.", "Sharpe", "costs"]
        rows = [
            [
                str(name),
                number(row["Share of Time [%]"], 0, "%"),
                f"{int(row['Episodes'])}",
                money(row["P&L"]),
                number(row["Annualized Return [%]"], 1, "%"),
                number(row["Annualized Volatility [%]"], 1, "%"),
                number(row["Sharpe Ratio"]),
                money(row["Costs"]),
            ]
            for name, row in found.regime.head(6).iterrows()
        ]
        edges = [0, 0.27, 0.4, 0.53, 0.68, 0.79, 0.9, 1.0]
        title = f"By regime: P&L by step, risk by session, {found.currency}"
        room = table(on, title, columns, rows, edges, theme)
    rows = []
    for name, row in found.leg.iterrows():
        market, income = row.reindex(MARKET).sum(), row.reindex(INCOME).sum()
        costs = market + income - row["total"]
        rows.append([str(name), money(market), money(income), money(costs), money(row["total"])])
    columns = ["", "price and FX", "income", "costs", "P&L"]
    if room >= on.inches(HEAD + PITCH * len(rows)):
        table(on, f"By leg, {found.currency}", columns, rows, [0, 0.4, 0.6, 0.8, 1.0], theme, room)


def table(
    on: Block,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    edges: Sequence[float],
    theme: Theme,
    top: float = 1.0,
) -> float:
    """Write a table: the first column from its left edge, the others up to their right edges.

    Returns:
        Where the next table may begin.
    """
    size, pitch, head = theme.size, on.inches(PITCH), on.inches(HEAD)
    on.text(0, top, title, fontsize=size + 0.5, fontweight="bold", va="top")
    rule = top - 0.88 * head
    for i, name in enumerate(columns):
        on.text(
            edges[i],
            rule + 0.1 * pitch,
            name,
            fontsize=size - 0.7,
            color=theme.faint,
            ha="right" if i else "left",
            va="bottom",
        )
    on.rule(rule, theme)
    for j, row in enumerate(rows):
        for i, cell in enumerate(row):
            on.text(
                edges[i], top - head - pitch * j, on.fit(cell, 0.2, size - 0.2) if not i else cell,
                fontsize=size - 0.2, ha="right" if i else "left", va="top",
            )  # fmt: skip
    return top - head - pitch * (len(rows) + 0.75)


def draw_events(on: Block, found: Findings, theme: Theme) -> None:
    """List the marked events; the largest instruments instead where there are none."""
    size, pitch, top = theme.size, on.inches(1.2 * PITCH), 1 - on.inches(0.22)
    if found.marked is None or found.marked.empty:
        rows = [[str(name), money(row["total"])] for name, row in found.instrument.head(8).iterrows()]
        table(
            on, f"Largest contributions by instrument, {found.currency}", ["", "P&L"], rows, [0, 0.5], theme
        )
        return
    on.text(0, 1.0, "Marked events, by severity", fontsize=size + 0.5, fontweight="bold", va="top")
    on.text(
        1,
        1.0,
        f"P&L, next {found.sessions:g} sessions",
        fontsize=size - 0.7,
        color=theme.faint,
        ha="right",
        va="top",
    )
    on.rule(top + on.inches(0.045), theme)
    for i, (_, row) in enumerate(found.marked.iterrows()):
        y = top - pitch * i
        on.text(0.022, y, str(i + 1), fontsize=size - 0.2, fontweight="bold", ha="right", va="top")
        on.text(0.04, y, f"{row['time']:%Y-%m-%d}", fontsize=size - 0.2, color=theme.faint, va="top")
        sign = "relief: " if row["direction"] < 0 else ""
        on.text(0.19, y, on.fit(sign + str(row["title"]), 0.69, size - 0.2), fontsize=size - 0.2, va="top")
        on.text(1, y, money(row["P&L"]), fontsize=size - 0.2, ha="right", va="top")


def footer(on: Block, found: Findings, theme: Theme) -> None:
    """Say what a reader must know before believing the page."""
    size = theme.size - 0.9
    parts = ["entrepot \u00b7 252 sessions a year, excess over the policy rate, sampled at session ends"]
    undefined = np.count_nonzero([isinstance(v, float) and np.isnan(v) for v in found.summary])
    if undefined:
        parts.append(f"{undefined} figures undefined (n/a)")
    on.rule(0.95, theme)
    if found.states is not None or found.marked is not None:
        on.text(0, 0.82, on.fit(HINDSIGHT, 1.0, size), fontsize=size, color=theme.faint, va="top")
    on.text(0, 0.34, on.fit(" \u00b7 ".join(parts), 0.68, size), fontsize=size, color=theme.faint, va="top")
    on.text(
        1,
        0.34,
        on.fit(found.ledger.label, 0.3, size),
        fontsize=size,
        color=theme.faint,
        ha="right",
        va="top",
    )
