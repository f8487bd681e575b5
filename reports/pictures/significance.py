"""Whether a sweep's best configuration is skill or luck: six panels, and a page of them with the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.reports.pictures import time_axis
from entrepot.reports.pictures.style import (
    DOTS_PER_INCH,
    EDGE,
    LINE_STYLES,
    SIZES,
    Size,
    Theme,
    folded,
    nothing,
    number,
    room,
    theme_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Dates that stand below an axis half a page wide.
HALF_WIDTH_TICKS = 5
PANELS = ("trials", "intervals", "splits", "halves", "chosen", "terms")
ACROSS = {"page": 2, "slide": 3}
HEIGHT = 9.4  # inches of a page
# Points: six panels on a slide need smaller text than one.
TEXT = {"page": 6.5, "slide": 9.0}
# Between the lines of words, in lines, and between title, answer and reasons, in text sizes.
SPACING, GAP = 1.25, 0.7
MOST_POINTS = 1_500  # of a scatter: more hide each other, and weigh on a page that is drawn in lines


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the page shows. Ratios are annual.

    Args:
        title: what it is about, and where the prices come from.
        words: the verdict, a sentence each.
        period: of the returns that the ratios of trials and terms are of: "session" or "month".
        ratios: shape (C,), of the trials, none NaN.
        best: of the best of them.
        luckiest: what luck shows, by name.
        intervals: ratio, low and high by name; NaN where there is none.
        logits: shape (splits,), of the chosen one's rank out of sample; NaN is left out; empty: not known.
        overfit: share of them below zero.
        inside: shape (splits,), ratio of the chosen one in sample.
        outside: shape (splits,), the same out of sample.
        slope: of the line through these.
        intercept: of that line.
        chosen: shape (n, 2), returns of what was chosen as time went on and of what turned out best, named,
            by session; empty: not known.
        terms: ratios by case, the first as given.
        reasons: why a panel is empty, by its name in ``PANELS``.
    """

    title: str
    words: Sequence[str]
    period: str
    ratios: NDArray[np.float64]
    best: float
    luckiest: Mapping[str, float]
    intervals: pd.DataFrame
    logits: NDArray[np.float64]
    overfit: float
    inside: NDArray[np.float64]
    outside: NDArray[np.float64]
    slope: float
    intercept: float
    chosen: pd.DataFrame
    terms: pd.Series[Any]
    reasons: Mapping[str, str]


def draw_page(shown: Drawn, size: Size = "page") -> NDArray[Any]:
    """Draw the verdict and the six panels on one page or slide.

    Args:
        shown: the numbers and words.
        size: "page" or "slide".

    Returns:
        The Axes, shape (6,), in the order of ``PANELS``.
    """
    import matplotlib.pyplot as plt

    theme = replace(theme_of(size), size=TEXT[size])
    width, most, _ = SIZES[size]
    rows: Any = [PANELS[first : first + ACROSS[size]] for first in range(0, len(PANELS), ACROSS[size])]
    with theme.active():
        figure, axes = plt.subplot_mosaic(
            rows, figsize=(width, min(HEIGHT, most)), dpi=DOTS_PER_INCH, layout="constrained"
        )
        below = write_words(figure, shown, theme)
        layout: Any = figure.get_layout_engine()
        layout.set(rect=(0.0, 0.0, 1.0, below))
        for name in PANELS:
            draw_panel(name, axes[name], shown, theme)
        figure.draw_without_rendering()
    return np.array([axes[name] for name in PANELS])


def write_words(figure: Figure, shown: Drawn, theme: Theme) -> float:
    """Write title and verdict from the top of a figure downwards; return where they end, as a share of it."""
    answer, *others = shown.words
    blocks: tuple[tuple[Sequence[str], dict[str, Any]], ...] = (
        ([shown.title], {"fontsize": theme.size + 1.5 * theme.scale, "fontweight": "bold"}),
        ([answer], {"fontsize": theme.size, "fontweight": "bold"}),
        (others, {"fontsize": theme.size, "fontweight": "normal"}),
    )
    gap = GAP * theme.size / 72.0 / float(figure.get_figheight())
    y = 1.0 - gap
    for texts, look in blocks:
        lines = [folded(text, room(figure), look["fontsize"], look["fontweight"]) for text in texts]
        if lines:
            item = figure.text(EDGE, y, "\n".join(lines), va="top", linespacing=SPACING, **look)
            y = figure.transFigure.inverted().transform(item.get_window_extent())[0, 1] - gap
    return float(y)


def draw_panel(name: str, ax: Axes, shown: Drawn, theme: Theme) -> None:
    """Draw one panel by its name in ``PANELS``, or say why it is empty."""
    ax.set_title(title_of(name, shown))
    if name in shown.reasons:
        nothing(ax, folded(shown.reasons[name], 24.0 * theme.size, theme.size), theme)
        return
    DRAW[name](ax, shown, theme)


def title_of(name: str, shown: Drawn) -> str:
    """Head a panel."""
    below = f": {number(100 * shown.overfit, 0)} % below median" if np.isfinite(shown.overfit) else ""
    titles = {
        "trials": f"Sharpe ratios of all configurations, by {shown.period}",
        "intervals": "Sharpe ratio with its interval",
        "splits": f"Rank in the other half{below}",
        "halves": "Sharpe ratio of the best of one half, in both",
        "chosen": "Growth of 100 over the policy rate",
        "terms": f"By {shown.period} on other terms",
    }
    return titles[name]


def draw_trials(ax: Axes, shown: Drawn, theme: Theme) -> None:
    """Draw how the trials' ratios are spread, the best of them, and what luck shows."""
    most = max([shown.best, *shown.luckiest.values()])
    ax.hist(
        shown.ratios, bins=bins_of(shown.ratios), color=theme.shade_gain, edgecolor=theme.paper,
        linewidth=theme.hair,
    )  # fmt: skip
    lines = {"the best": shown.best} | dict(shown.luckiest)
    for k, (name, value) in enumerate(lines.items()):
        if np.isfinite(value):
            ax.axvline(
                value, color=theme.lines[(0, 1, 2)[k % 3]], linestyle=LINE_STYLES[k % len(LINE_STYLES)],
                linewidth=theme.thick, label=f"{name}: {number(value)}",
            )  # fmt: skip
    low, high = min(float(shown.ratios.min()), 0.0), float(np.nanmax([most, shown.ratios.max(), 0.0]))
    ax.set_xlim(low - 0.05 * (high - low or 1.0), high + 0.05 * (high - low or 1.0))
    ax.set_ylim(0, 1.45 * ax.get_ylim()[1])
    ax.locator_params(axis="y", integer=True)
    ax.set_ylabel("configurations")
    ax.legend(
        loc="upper left", handlelength=2.4, frameon=True, framealpha=0.9, facecolor=theme.paper,
        edgecolor="none",
    )  # fmt: skip
    ax.grid(visible=False, axis="x")


def bins_of(values: NDArray[np.float64]) -> Any:
    """Return the edges of at most 60 bins; one bin where values do not differ."""
    if float(np.ptp(values)) <= 1e-9 * max(1.0, float(np.abs(values).max())):
        return 1
    edges = np.histogram_bin_edges(values, "auto")
    return edges if len(edges) <= 61 else 60


def draw_intervals(ax: Axes, shown: Drawn, theme: Theme) -> None:
    """Draw ratios as points with their intervals; a cross is what luck shows."""
    table = shown.intervals
    row = np.arange(len(table), dtype=float)
    value, low, high = (table[name].to_numpy(dtype=float) for name in ("ratio", "low", "high"))
    ax.hlines(row, low, high, color=theme.lines[0], linewidth=2.0 * theme.thick)
    ax.plot(value, row, "o", color=theme.lines[0], markersize=6.0 * theme.scale, label="measured")
    luck = table["luck"].to_numpy(dtype=float)
    if np.isfinite(luck).any():
        ax.plot(
            luck, row, "x", color=theme.lines[1], markersize=5.5 * theme.scale, markeredgewidth=theme.thick,
            label="luckiest of independent trials",
        )  # fmt: skip
    ax.axvline(0.0, color=theme.faint, linewidth=theme.thin)
    for y, ratio in zip(row, value, strict=True):
        ax.annotate(
            number(ratio), (ratio, y), (0, 5.0 * theme.scale), textcoords="offset points", ha="center"
        )
    ax.set_yticks(row, [str(name) for name in table.index])
    ax.tick_params(axis="y", colors=theme.ink, labelsize=theme.size)
    ax.set_ylim(len(table) + 0.1, -0.7)
    ax.margins(x=0.08)
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower left", ncols=1, handlelength=1.4)


def draw_splits(ax: Axes, shown: Drawn, theme: Theme) -> None:
    """Draw the logits of the chosen one's rank out of sample; those below zero are hatched."""
    logits = shown.logits[np.isfinite(shown.logits)]
    edges = np.asarray(np.histogram_bin_edges(logits, 40), dtype=float)
    edges = np.unique(np.append(edges, 0.0))  # no bar may lie on both sides of the median
    count, _ = np.histogram(logits, edges)
    share = 100.0 * count / len(logits)
    below = edges[1:] <= 0.0
    looks: tuple[tuple[NDArray[np.bool_], str, dict[str, Any]], ...] = (
        (below, "below the median", {"color": theme.loss, "hatch": "/////", "edgecolor": theme.paper}),
        (~below, "above it", {"color": theme.gain}),
    )
    for mine, name, look in looks:
        if mine.any():
            at, width = edges[:-1][mine], np.diff(edges)[mine]
            ax.bar(at, share[mine], width, align="edge", linewidth=0, label=name, **look)
    ax.axvline(0.0, color=theme.ink, linewidth=theme.thin)
    ax.set_xlabel("logit of its rank in the other half; 0 is the median")
    ax.set_ylabel("% of splits")
    ax.set_ylim(0, 1.25 * ax.get_ylim()[1])
    ax.legend(loc="upper left", ncols=2)
    ax.grid(visible=False, axis="x")


def draw_halves(ax: Axes, shown: Drawn, theme: Theme) -> None:
    """Draw what the best of one half of history had in it and in the other, and the line through these."""
    known = np.flatnonzero(np.isfinite(shown.inside) & np.isfinite(shown.outside))
    some = known[:: -(-len(known) // MOST_POINTS)]
    inside, outside = shown.inside[some], shown.outside[some]
    loss = outside < 0.0
    for mine, mark, color in ((loss, "x", theme.lines[1]), (~loss, "o", theme.lines[0])):
        ax.plot(
            inside[mine], outside[mine], mark, color=color, markersize=2.0 * theme.scale, alpha=0.45,
            markeredgewidth=theme.hair, linestyle="none",
        )  # fmt: skip
    ends = np.array([inside.min(), inside.max()])
    if np.isfinite(shown.slope):
        ax.plot(
            ends, shown.intercept + shown.slope * ends, color=theme.ink, linewidth=theme.thick,
            label=f"slope {number(shown.slope)}",
        )  # fmt: skip
    ax.plot(
        ends,
        ends,
        color=theme.faint,
        linewidth=theme.thin,
        linestyle=LINE_STYLES[1],
        label="as good as in it",
    )
    ax.axhline(0.0, color=theme.faint, linewidth=theme.thin)
    ax.set_xlabel("where it was the best")
    ax.set_ylabel("in the other half")
    ax.margins(y=0.1)
    ax.legend(loc="best", handlelength=2.4)


def draw_chosen(ax: Axes, shown: Drawn, theme: Theme) -> None:
    """Draw the growth of what was chosen as time went on, and of what turned out best."""
    when = pd.DatetimeIndex(shown.chosen.index)
    for k, name in enumerate(shown.chosen.columns):
        growth = 100.0 * np.cumprod(1.0 + shown.chosen[name].to_numpy(dtype=float))
        ax.plot(
            np.asarray(when), growth, color=theme.lines[k % len(theme.lines)],
            linestyle=LINE_STYLES[k % len(LINE_STYLES)], linewidth=theme.thick if k == 0 else theme.thin,
            label=str(name),
        )  # fmt: skip
    ax.axhline(100.0, color=theme.faint, linewidth=theme.thin)
    time_axis.span(ax, when[0], when[-1], most=HALF_WIDTH_TICKS)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.28 * (high - low))
    ax.legend(loc="upper left", handlelength=2.4)


def draw_terms(ax: Axes, shown: Drawn, theme: Theme) -> None:
    """Draw ratios on other terms as bars; those below zero are hatched."""
    value = shown.terms.to_numpy(dtype=float)
    row = np.arange(len(value), dtype=float)
    looks: tuple[tuple[NDArray[np.bool_], dict[str, Any]], ...] = (
        (value >= 0.0, {"color": theme.gain}),
        (value < 0.0, {"color": theme.loss, "hatch": "/////", "edgecolor": theme.paper}),
    )
    for mine, look in looks:
        ax.barh(row[mine], value[mine], 0.62, linewidth=0, **look)
    ax.axvline(0.0, color=theme.faint, linewidth=theme.thin)
    ax.set_yticks(row, [str(name) for name in shown.terms.index])
    ax.tick_params(axis="y", colors=theme.ink, labelsize=theme.size)
    ax.set_ylim(len(value) - 0.4, -0.6)
    low, high = min(float(np.nanmin(value)), 0.0), max(float(np.nanmax(value)), 0.0)
    beyond = 0.2 * (high - low or 1.0)
    ax.set_xlim(low - (beyond if low < 0.0 else 0.0), high + beyond)
    ax.locator_params(axis="x", nbins=5)
    ax.grid(visible=False, axis="y")
    for y, ratio in zip(row, value, strict=True):
        side = 1.0 if not ratio < 0.0 else -1.0
        ax.annotate(
            number(ratio), (np.nan_to_num(ratio), y), (3.0 * side * theme.scale, 0),
            textcoords="offset points", ha="left" if side > 0 else "right", va="center",
        )  # fmt: skip


DRAW = {
    "trials": draw_trials,
    "intervals": draw_intervals,
    "splits": draw_splits,
    "halves": draw_halves,
    "chosen": draw_chosen,
    "terms": draw_terms,
}
