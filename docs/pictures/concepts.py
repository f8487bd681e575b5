"""The pictures of the pages of concepts: the clock, the grid, parity and regimes."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import simulated
from canvas import WIDTH, Drawn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import entrepot as ep
from entrepot.reports.pictures import regime_shades, time_axis
from entrepot.reports.pictures.panels import legend_above
from entrepot.reports.pictures.style import Theme

MONDAY = pd.Timestamp("2024-01-08")
LANES = {"XHKG": (1.0, "Hong Kong", "Asia/Hong_Kong"), "XNYS": (0.0, "New York", "America/New_York")}
HALF = 0.16  # height of a session's box
LAST_SESSIONS = pd.Timestamp("2024-01-02"), pd.Timestamp("2024-03-28")


def two_days() -> pd.DataFrame:
    """The steps of two days, as a market has them, with hours since the first midnight."""
    grid = ep.simulate_market(*LAST_SESSIONS, symbols=["BABA", "9988.HK"]).grid
    days = grid[grid["session"].isin([MONDAY, MONDAY + pd.Timedelta(days=1)])]
    hours = (days["time"] - MONDAY.tz_localize("UTC")) / pd.Timedelta(hours=1)
    return days.assign(hour=hours)


def lanes(ax: Axes, steps: pd.DataFrame, theme: Theme) -> None:
    """Draw both venues' sessions as boxes, their opens and closes with the clock on the wall there."""
    for venue, (y, name, zone) in LANES.items():
        own = steps[steps["venue"] == venue]
        colour = theme.lines[0] if venue == "XHKG" else theme.lines[1]
        ax.plot([0.9, 46.2], [y, y], color=theme.rule, linewidth=theme.thin, zorder=0)
        for _, session in own.groupby("session"):
            begin, end = session["hour"].iloc[[0, -1]]
            ax.barh(y, end - begin, left=begin, height=2 * HALF, color=colour, alpha=0.22, zorder=1)
        ax.scatter(own["hour"], [y] * len(own), s=5 * theme.size, color=colour, zorder=3)
        for hour, time, phase in zip(own["hour"], own["time"], own["phase"], strict=True):
            wall = f"{time.tz_convert(zone):%H:%M}"
            left, side = (hour + 0.4, "left") if phase == "open" else (hour + 0.2, "right")
            ax.text(left, y - HALF - 0.05, wall, ha=side, va="top", color=theme.faint, fontsize=theme.small)
        ax.text(0.6, y, name, ha="right", va="center", color=colour, fontweight="bold")


def bare(ax: Axes) -> None:
    """Leave nothing of the axes but what is drawn in them."""
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set(xticks=[], yticks=[])


def clock(theme: Theme) -> Figure:
    """One decision and its two fills on the steps of two days."""
    steps = two_days()
    hour = {(row.venue, row.phase, row.session): row.hour for row in steps.itertuples()}
    tuesday = MONDAY + pd.Timedelta(days=1)
    decided = hour["XNYS", "close", MONDAY]
    lead, hedge = hour["XHKG", "open", tuesday], hour["XNYS", "open", tuesday]
    figure, ax = plt.subplots(figsize=(WIDTH, 3.5), layout="constrained")
    lanes(ax, steps, theme)
    for x, day in ((11.5, "Monday"), (35.5, "Tuesday")):
        ax.text(x, 1.84, day, ha="center", fontweight="bold")
    midnight = 24.0
    ax.plot([midnight] * 2, [-0.3, 1.8], color=theme.rule, linewidth=theme.thin, linestyle=(0, (4, 3)))
    ax.text(midnight + 0.4, -0.3, "midnight, UTC", color=theme.faint, fontsize=theme.small, va="bottom")
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "color": theme.ink, "linewidth": theme.thin}
    arrow |= {"shrinkA": 7, "shrinkB": 7, "connectionstyle": "arc3,rad=-0.12"}
    ax.annotate("", (lead, 1.0), (decided, 0.0), arrowprops=arrow)
    ax.plot(
        [lead, lead, hedge, hedge], [1.0, 0.45, 0.45, 0.0], color=theme.loss,
        linewidth=2 * theme.thick, zorder=2,
    )  # fmt: skip
    told: dict[str, Any] = {"ha": "center", "va": "center", "linespacing": 1.3}
    known = hour["XHKG", "close", MONDAY]
    ax.text(known, 1.43, "Hong Kong's close:\nknown_at is here", color=theme.faint, **told)
    ax.text(decided, -0.55, "decide\non both closes", fontweight="bold", **told)
    ax.text(lead + 0.5, 1.43, "the lead fills\nat Hong Kong's open", fontweight="bold", **told)
    ax.text(hedge + 1.0, -0.55, "the hedge fills\nat New York's open", fontweight="bold", **told)
    for x, y, marker in ((decided, 0.0, "D"), (lead, 1.0, "o"), (hedge, 0.0, "o")):
        ax.scatter(x, y, s=13 * theme.size, marker=marker, color=theme.ink, zorder=4)
    wait = f"{hedge - lead:.0f} hours of leg risk"
    ax.text((lead + hedge) / 2, 0.4, wait, ha="center", va="top", fontweight="bold")
    ax.set(xlim=(-4.4, 46.2), ylim=(-0.8, 2.0))
    bare(ax)
    return figure


def grid(theme: Theme) -> Figure:
    """Eight steps as a market holds them, with what is wanted and what comes of it."""
    market = ep.simulate_market(*LAST_SESSIONS, symbols=["BABA", "9988.HK"])
    steps = two_days()
    prices = market.price.loc[steps["time"], ["9988.HK", "BABA"]].to_numpy()
    decided, last = 3, 7
    comes = {
        decided: "decided: 10 % of equity",
        decided + 1: "9988.HK fills here, and",
        decided + 3: "BABA here: its next step",
        last: "NaN: nothing new is said,\nthe position stays",
    }
    heads = ("step (UTC)", "venue", "9988.HK\nin HKD", "BABA\nin USD", "target,\nboth")
    left = np.array([0.0, 1.75, 3.35, 4.65, 5.95, 7.05])
    figure, ax = plt.subplots(figsize=(WIDTH, 3.7), layout="constrained")
    middle: dict[str, Any] = {"ha": "center", "va": "center"}
    for x, end, words in zip(left, left[1:], heads, strict=False):
        place, side = ((x + end) / 2, "center") if "\n" in words else (x + 0.05, "left")
        ax.text(place, -0.8, words, fontweight="bold", linespacing=1.1, ha=side, va="center")
    for row, (step, price) in enumerate(zip(steps.itertuples(), prices, strict=True)):
        day = "Mon" if step.session == MONDAY else "Tue"
        venue = LANES[step.venue][1]
        ax.text(left[0] + 0.05, row, f"{day} {step.time:%H:%M}", va="center")
        ax.text(left[1] + 0.05, row, f"{venue.split()[0][0]}{venue.split()[1][0]} {step.phase}", va="center")
        for column, value in enumerate(price):
            colour = theme.lines[column]
            cell(ax, left[2 + column], row, 1.2, None if np.isnan(value) else colour, theme)
            words = "NaN" if np.isnan(value) else f"{value:.2f}"
            faint = theme.faint if np.isnan(value) else theme.ink
            ax.text(left[2 + column] + 0.6, row, words, color=faint, **middle)
        wanted = row == decided
        cell(ax, left[4], row, 1.0, theme.ink if wanted else None, theme)
        ax.text(
            left[4] + 0.5, row, "0.10" if wanted else "NaN", color=theme.ink if wanted else theme.faint,
            fontweight="bold" if wanted else "normal", **middle,
        )  # fmt: skip
        ax.text(left[5] + 0.1, row, comes.get(row, ""), va="center", linespacing=1.2)
    ax.text(left[5] + 0.1, -0.8, "prices are simulated", color=theme.faint, va="center")
    ax.axhline(3.5, color=theme.rule, linewidth=theme.thin, linestyle=(0, (4, 3)))
    ax.set(xlim=(0, 10.4), ylim=(last + 0.6, -1.4))
    bare(ax)
    return figure


def cell(ax: Axes, x: float, row: int, width: float, colour: str | None, theme: Theme) -> None:
    """Draw one cell of a table; one without a value is empty, with an outline."""
    look = {"color": colour, "alpha": 0.22} if colour else {"facecolor": "none", "edgecolor": theme.rule}
    ax.barh(row, width, left=x, height=0.8, linewidth=theme.thin, **look)  # type: ignore[arg-type]


ALIGNED = {
    "same_date": (("XHKG", "close", 0), ("XNYS", "close", 0), "both closes of a date"),
    "next_hk": (("XNYS", "close", 0), ("XHKG", "close", 1), "New York's close, Hong Kong's next close"),
    "hk_open": (("XNYS", "close", 0), ("XHKG", "open", 1), "New York's close, Hong Kong's next open"),
    "us_open": (("XHKG", "close", 0), ("XNYS", "open", 0), "Hong Kong's close, New York's next open"),
}


def alignments(theme: Theme) -> Figure:
    """Which two prices each alignment compares, how far apart they are, and from when it is known."""
    steps = two_days().iloc[:6]
    hour = {(row.venue, row.phase, (row.session - MONDAY).days): row.hour for row in steps.itertuples()}
    figure, ax = plt.subplots(figsize=(WIDTH, 3.5), layout="constrained")
    for (venue, _, day), begin in ((key, h) for key, h in hour.items() if key[1] == "open"):
        colour = theme.lines[0] if venue == "XHKG" else theme.lines[1]
        end = hour[venue, "close", day]
        ax.fill_between([begin, end], -1.6, 3.5, color=colour, alpha=0.13, linewidth=0)
        name, when = LANES[venue][1], "Monday" if day == 0 else "Tuesday"
        ax.text(
            (begin + end) / 2,
            -1.1,
            f"{name}\n{when}",
            ha="center",
            va="center",
            color=colour,
            fontweight="bold",
        )
    for row, (name, (first, second, words)) in enumerate(ALIGNED.items()):
        begin, end = hour[first], hour[second]
        ax.plot([begin, end], [row, row], color=theme.ink, linewidth=theme.thick, zorder=2)
        ax.scatter(begin, row, s=8 * theme.size, color=theme.ink, zorder=3)
        ax.scatter(end, row, s=9 * theme.size, marker="D", color=theme.ink, zorder=3)
        ax.text((begin + end) / 2, row - 0.14, f"{end - begin:.0f} h", ha="center", va="bottom")
        ax.text(-0.3, row - 0.17, name, ha="right", va="center", family="monospace", fontweight="bold")
        ax.text(-0.3, row + 0.19, words, ha="right", va="center", color=theme.faint, fontsize=theme.small)
    ax.scatter([], [], s=8 * theme.size, color=theme.ink, label="the earlier price")
    ax.scatter([], [], s=9 * theme.size, marker="D", color=theme.ink, label="the later price: known_at")
    ax.legend(loc="lower right", ncols=2, bbox_to_anchor=(1.0, -0.03))
    ax.set(xlim=(-13.0, 33.5), ylim=(4.2, -1.6))
    bare(ax)
    return figure


def measured(theme: Theme) -> Figure:
    """The premium of one date and the signal made of two alignments, each over the true premium."""
    market = simulated.market()
    assert market.truth is not None
    at_close = market.decision_steps
    true = 100 * market.truth.premium["BABA"].set_axis(market.grid["session"])[at_close]
    same = 100 * ep.premium(market, "BABA", align="same_date")
    following = 100 * ep.premium(market, "BABA", align="next_hk")
    signal = ((same + following.shift(1)) / 2).dropna().ewm(span=10).mean()
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(WIDTH, 3.9), layout="constrained", sharex=True, sharey=True
    )
    shown = slice("2022-07-01", "2023-06-30")
    told = {
        above: (same, "same_date", "What both closes of a date say, %"),
        below: (signal, "signal", "Ten days of two alignments, averaged, %"),
    }
    for ax, (line, name, title) in told.items():
        own, truth = line.loc[shown], true.loc[shown]
        handles = [
            *ax.plot(
                truth.index, truth, color=theme.lines[1], linewidth=2 * theme.thick, label="true premium"
            ),
            *ax.plot(own.index, own, color=theme.lines[0], linewidth=theme.thin, label=name),
        ]
        ax.axhline(0, color=theme.faint, linewidth=theme.hair)
        ax.set_title(title)
        legend_above(ax, handles)
    figure.supxlabel("BABA on a simulated market, where the true premium is known", x=0.008, ha="left")
    time_axis.span(below, pd.Timestamp(shown.start), pd.Timestamp(shown.stop), most=5)
    return figure


def hysteresis(theme: Theme) -> Figure:
    """Intensities of delisting events, the two levels, and the state that comes of them."""
    events, detector = simulated.events(), ep.ThresholdDetector()
    market = ep.simulate_market("2021-09-01", "2023-06-30", symbols=["BABA", "9988.HK"])
    path = ep.RegimeModel(delisting=detector).walk_forward(market, events)
    sides = path.intensity["delisting"]
    at = time_axis.without_zone(sides.index)
    figure, ax = plt.subplots(figsize=(WIDTH, 3.2), layout="constrained")
    on = np.isin(path.states, [2, 3]) * 2
    regime_shades.shade(ax, path.time, on, 3, theme)
    leave = detector.threshold * detector.exit_ratio
    lines = [
        *ax.plot(at, sides["escalation"], color=theme.lines[0], linewidth=theme.thick, label="escalation"),
        *ax.plot(at, sides["relief"], color=theme.lines[1], linestyle=(0, (4, 1.5)), label="relief"),
    ]
    for level, words in ((detector.threshold, "enter"), (leave, "leave")):
        ax.axhline(level, color=theme.ink, linewidth=theme.thin, linestyle=(0, (1, 1.5)))
        ax.annotate(
            f"{words} {level:g}", (at[-1], level), xytext=(4, 0), textcoords="offset points", va="center"
        )
    ax.set_title("Delisting events known, in marks")
    ax.set_ylim(bottom=0)
    legend_above(ax, [*lines, regime_shades.patches(["", "", "risk on"], theme)[2]])
    time_axis.span(ax, at[0], at[-1])
    return figure


PICTURES: dict[str, Drawn] = {
    "clock": Drawn(clock),
    "grid": Drawn(grid),
    "alignments": Drawn(alignments),
    "measured": Drawn(measured),
    "hysteresis": Drawn(hysteresis),
}
