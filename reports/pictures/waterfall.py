"""From capital to final equity, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entrepot.reports.pictures.style import head, minus, number, sheet, source_name
from entrepot.reports.sources import GROUPS, is_cost, source_group, source_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 12  # steps
LEAST = 0.01  # of all that was earned and paid: smaller costs are added up
BAR = 0.62  # of a row
# From a capital of so much on: the unit, decimals, its name.
UNITS = ((1e9, 1e6, 1, " million"), (1e6, 1e3, 0, " thousand"), (1e4, 1.0, 0, ""))
CENTS = (1.0, 2, "")
COLUMNS = (7.5, 15.0)  # right edges, in text sizes right of the axes


def draw_waterfall(
    steps: pd.Series[float], by: str, capital: float, title: str, currency: str, size: object = "page"
) -> Axes:
    """Draw each step as a bar from where the one before ended.

    Capital and final equity are marks at their level and no bars, as the axis need not begin at 0.

    Args:
        steps: profit and loss by name, in the order in which they are drawn.
        by: what the steps are, in a word.
        capital: where they begin.
        title: of the picture.
        currency: of all of them.
        size: "page" or "slide".

    Returns:
        The Axes: of its bars (``patches``), the i-th goes from capital with all steps before it to the same
        with its own; a loss is hatched.
    """
    value = steps.to_numpy(dtype=float)
    level = capital + np.concatenate([[0.0], np.cumsum(value)])
    names = ["Capital", *map(str, steps.index), "Final equity"]
    row = np.arange(len(names), dtype=float)
    above, below = row - BAR / 2, row + BAR / 2
    with sheet(size, 0.8 + 0.21 * len(names)) as (figure, axes, theme):
        ax: Axes = axes
        head(figure, title)
        ax.set_title(f"From capital to final equity, by {by}")
        for y, begin, change in zip(row[1:], level, value, strict=False):
            own: dict[str, Any] = {"color": theme.gain}
            if change < 0:
                own = {"color": theme.loss, "hatch": "/////", "edgecolor": theme.paper}
            ax.barh(y, change, BAR, left=begin, linewidth=0, **own)
        ax.vlines(level, below[:-1], above[1:], color=theme.faint, linewidth=theme.thin)
        ends = [0, -1]
        ax.vlines(level[ends], above[ends], below[ends], color=theme.ink, linewidth=2 * theme.thick)
        ax.axvline(capital, color=theme.faint, linewidth=theme.thin, linestyle=(0, (2, 2)), zorder=0)
        ax.set_ylim(row[-1] + 0.6, -0.6)
        ax.set_yticks(row, names)
        ax.tick_params(axis="y", colors=theme.ink, labelsize=theme.size)
        ax.grid(visible=False, axis="y")
        ax.spines["left"].set_visible(False)
        ax.use_sticky_edges = False
        ax.margins(x=0.03)
        unit, digits, words = unit_of(capital)
        ax.xaxis.set_major_formatter(lambda x, _: minus(f"{x / unit:,.10g}"))
        write(ax, -1.0, (f"{currency}{words}", "% of capital"), color=theme.faint)
        for i, amount in enumerate([capital, *value, level[-1]]):
            whole = i in (0, len(names) - 1)
            weight, plus = ("bold", "") if whole else ("normal", "+" if amount > 0 else "")
            told = (number(amount / unit, digits), number(100 * amount / capital, 1))
            write(ax, i, [f"{plus}{text}" for text in told], fontweight=weight)
            ax.get_yticklabels()[i].set_fontweight(weight)
        if not len(value):
            ax.set_xlabel("nothing was earned or paid")
    return ax


def unit_of(capital: float) -> tuple[float, int, str]:
    """Return the unit in which amounts are short and still add up, the decimals shown, and its name."""
    return next(((unit, digits, words) for least, unit, digits, words in UNITS if capital >= least), CENTS)


def write(ax: Axes, row: float, words: Sequence[str], **style: Any) -> None:
    """Write columns right of the axes, level with a row."""
    for column, text in zip(COLUMNS, words, strict=True):
        ax.annotate(
            text, (1.0, row), (column, 0.0), xycoords=ax.get_yaxis_transform(), textcoords="offset fontsize",
            ha="right", va="center", annotation_clip=False, **style,
        )  # fmt: skip


def source_steps(source: pd.Series[Any]) -> pd.Series[float]:
    """Choose steps by source: what was earned by holding, then what was paid, largest first.

    Args:
        source: profit and loss by source, as `by_source` has it.

    Returns:
        By name, with the same sum. Income and costs are by group (`source_group`), fees by kind. Of the costs
        those below a hundredth of all that was earned and paid, and those beyond a dozen steps, are one where
        they are two or more.
    """
    present = source[source != 0]
    earned: dict[str, float] = {}
    paid: dict[str, float] = {}
    for name in source_order([str(name) for name in present.index]):
        label = source_group(name) if name in GROUPS else source_name(name)
        group = paid if is_cost(name) else earned
        group[label] = group.get(label, 0.0) + float(present[name])
    least = LEAST * float(present.abs().sum())
    return pd.Series(earned | largest(paid, MOST - len(earned), "costs", least), dtype=float)


def largest(amounts: dict[str, float], most: int, kind: str, least: float = 0.0) -> dict[str, float]:
    """Sort amounts by size and add up those beyond `most` or below `least`, where they are two or more.

    Args:
        amounts: by name.
        most: how many are left, the sum of the others included.
        kind: what they are, in the plural.
        least: size below which an amount is not shown by itself.
    """
    ordered = sorted(amounts.items(), key=lambda item: -abs(item[1]))
    alone = [item for item in ordered if not abs(item[1]) < least]
    if len(alone) < len(ordered) or len(alone) > most:
        alone = alone[: max(most - 1, 1)]
    rest = ordered[len(alone) :]
    if len(rest) < 2:
        return dict(ordered)
    return dict(alone) | {f"{len(rest)} other {kind}": sum(value for _, value in rest)}
