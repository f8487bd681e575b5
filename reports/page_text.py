"""The parts of the tear sheet that are words: heading, main figures, tables, footing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entrepot.reports.findings import Findings
from entrepot.reports.sources import INCOME, MARKET
from entrepot.reports.style import Theme, money, number

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
