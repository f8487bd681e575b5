"""What waiting for the second leg did: how far prices went, how long it took, what it cost and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.reports.leg_risk import LONG_HOURS, TOTAL
from entrepot.reports.pictures import time_axis
from entrepot.reports.pictures.style import Theme, foot, head, money, nothing, number, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARRANGEMENT = [["moves", "pairs"], ["hours", "pairs"], ["sums", "sums"]]
MOST_PAIRS = 18
MOST_BINS = 60
HEADROOM = 1.3  # of the highest bar, for the figures above it
NOTE = (
    "From the fill of the leg that leads until the other one's, against a hedge at once at the last price "
    "known then; that price was hours old, so part of the move had happened before. Whiskers: 95 % interval, "
    "each order taken for one draw."
)


def draw_leg_risk(
    orders: pd.DataFrame, costs: pd.DataFrame, title: str, currency: str, size: object = "page"
) -> NDArray[Any]:
    """Draw the linked orders of a run.

    Args:
        orders: as `linked_orders` has them.
        costs: by pair and for "all", as `pair_costs` has them.
        title: of the picture.
        currency: of the costs.
        size: "page" or "slide".

    Returns:
        Four Axes: moves between the fills in basis points, hours between them, cost by pair in basis points
        of value traded with its interval, and the sum of all costs over time.
    """
    options = {"height_ratios": [1.0, 1.0, 1.1], "width_ratios": [1.0, 1.0]}
    with sheet(size, 5.2, ARRANGEMENT, **options) as (figure, places, theme):
        head(figure, title)
        draw_moves(places["moves"], orders["move"].dropna().to_numpy(float), theme)
        draw_hours(places["hours"], orders["hours"].to_numpy(float), theme)
        draw_costs(places["pairs"], costs, theme)
        draw_sum(places["sums"], orders, currency, theme)
        foot(figure, NOTE, theme)
    return np.array([places[name] for name in ("moves", "hours", "pairs", "sums")])


def draw_moves(place: Axes, moves: NDArray[np.float64], theme: Theme) -> None:
    """Count the moves of the second leg's price until it was filled, with their mean."""
    place.set_title("Move while waiting, bp")
    if not len(moves):
        nothing(place, "no order was hedged later", theme)
        return
    count(place, 1e4 * moves, theme)
    mean, spread = 1e4 * moves.mean(), 1e4 * moves.std(ddof=1) if len(moves) > 1 else np.nan
    place.axvline(0.0, color=theme.faint, linewidth=theme.thin)
    place.axvline(mean, color=theme.lines[1])
    aside(place, f"mean {number(mean, 1)}, st. dev. {number(spread, 0)}", theme)


def draw_hours(place: Axes, hours: NDArray[np.float64], theme: Theme) -> None:
    """Count the hours, one a bar, with their median."""
    place.set_title("Hours until hedged")
    if not len(hours):
        nothing(place, "no order", theme)
        return
    count(place, hours, theme, np.arange(np.floor(hours.min()), np.floor(hours.max()) + 2))
    place.axvline(LONG_HOURS, color=theme.faint, linewidth=theme.thin, linestyle=(0, (2, 2)))
    middle, late = float(np.median(hours)), 100 * (hours > LONG_HOURS).mean()
    place.axvline(middle, color=theme.lines[1])
    aside(place, f"median {number(middle, 1)}, over a day {number(late, 1)} %", theme)


def aside(place: Axes, text: str, theme: Theme) -> None:
    """Write figures above the bars, at the right: beside the title a slide has no room for them."""
    place.set_ylim(top=HEADROOM * place.get_ylim()[1])
    place.text(
        1.0, 0.97, text, transform=place.transAxes, ha="right", va="top", color=theme.faint,
        bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": theme.scale},
    )  # fmt: skip


def count(place: Axes, values: NDArray[np.float64], theme: Theme, edges: Any = "auto") -> None:
    """Draw how many values there are in each stretch; every value is counted."""
    if isinstance(edges, str) and len(np.histogram_bin_edges(values, edges)) > MOST_BINS:
        edges = MOST_BINS
    place.hist(values, edges, color=theme.shade_gain, edgecolor=theme.paper, linewidth=theme.hair)
    place.set_ylabel("orders")
    place.grid(visible=False, axis="x")
    place.locator_params(axis="y", integer=True)
    place.locator_params(axis="x", nbins=7)


def draw_costs(place: Axes, costs: pd.DataFrame, theme: Theme) -> None:
    """Draw what each pair paid for waiting, most expensive first, and all of them together below."""
    pairs = costs.drop(index=TOTAL, errors="ignore")
    shown = pairs.nlargest(MOST_PAIRS, "orders").sort_values("cost_bp", ascending=False, kind="stable")
    left_out = f", the {len(shown)} of {len(pairs)} pairs with most orders" if len(shown) < len(pairs) else ""
    place.set_title(f"Cost, bp of value traded (orders){left_out}")
    if pairs.empty:
        nothing(place, "no pair was traded", theme)
        return
    table = pd.concat([shown, costs.loc[[TOTAL]]])
    row = np.arange(len(table), dtype=float)
    place.axvline(0.0, color=theme.faint, linewidth=theme.thin)
    place.hlines(row, table["low"], table["high"], color=theme.lines[0])
    place.plot(table["cost_bp"].iloc[:-1], row[:-1], "o", color=theme.lines[0])
    place.plot(table["cost_bp"].iloc[-1:], row[-1:], "D", color=theme.lines[1])
    place.axhline(row[-1] - 0.5, color=theme.rule, linewidth=theme.thin)
    place.set_yticks(row, [f"{name} ({n:,})" for name, n in zip(table.index, table["orders"], strict=True)])
    place.tick_params(axis="y", colors=theme.ink)
    place.get_yticklabels()[-1].set_fontweight("bold")
    place.set_ylim(row[-1] + 0.5, -0.5)
    place.grid(visible=False, axis="y")


def draw_sum(place: Axes, orders: pd.DataFrame, currency: str, theme: Theme) -> None:
    """Add up the costs in the order in which they became known."""
    place.set_title(f"Cost of all orders so far, {currency}; below zero waiting brought more than it cost")
    known = orders[orders["cost"].notna()]
    if known.empty:
        nothing(place, "no cost is known", theme)
        return
    when = known["hedge_time"].fillna(known["lead_time"])
    cost = pd.Series(known["cost"].to_numpy(float), index=time_axis.without_zone(when)).sort_index(
        kind="stable"
    )
    total = cost.cumsum()
    place.step(total.index, total.to_numpy(), where="post", color=theme.lines[0])
    place.axhline(0.0, color=theme.faint, linewidth=theme.thin)
    place.yaxis.set_major_formatter(lambda x, _: money(x))
    time_axis.span(place, total.index[0], total.index[-1])
    place.annotate(
        money(total.iloc[-1]), (1.0, total.iloc[-1]), (0.4, 0.0), xycoords=place.get_yaxis_transform(),
        textcoords="offset fontsize", va="center", fontweight="bold", annotation_clip=False,
    )  # fmt: skip
