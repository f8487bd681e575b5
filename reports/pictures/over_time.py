"""What a run did month by month, over rolling windows, and at its worst."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.reports.pictures import time_axis
from entrepot.reports.pictures.style import Theme, explained, foot, head, nothing, number, sheet, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_trading(months: pd.DataFrame, title: str, size: object = "page") -> NDArray[Any]:
    """Draw turnover and costs of each month as bars; what holding costs is hatched, above what trading costs.

    Args:
        months: as `monthly_trading` has them.
        title: of the picture.
        size: "page" or "slide".

    Returns:
        Two Axes: turnover, costs.
    """
    with sheet(size, 3.8, 2, sharex=True) as (figure, places, theme):
        head(figure, title)
        places[0].set_title("Turnover of the month, % of equity")
        places[1].set_title("Costs of the month, bp of equity")
        if months.empty:
            for place in places:
                nothing(place, "no session", theme)
            return np.asarray(places)
        begin = months.index.to_timestamp()  # type: ignore[attr-defined]
        width = 0.8 * (months.index.to_timestamp(how="end") - begin)  # type: ignore[attr-defined]
        look: dict[str, Any] = {"width": width, "align": "edge", "linewidth": 0}
        turnover, trading, holding = (months[name].to_numpy(float) for name in months)
        places[0].bar(begin, turnover, color=theme.gain, **look)
        places[1].bar(begin, trading, color=theme.gain, label="trading", **look)
        places[1].bar(
            begin, holding, bottom=trading, color=theme.loss, hatch="/////", edgecolor=theme.paper,
            label="holding: borrow and depositary", **look,
        )  # fmt: skip
        for place in places:
            place.grid(visible=False, axis="x")
        time_axis.span(places[1], begin[0], months.index[-1].end_time.normalize())
        explained(figure, places[1].get_legend_handles_labels()[0], theme)
    return np.asarray(places)


def draw_rolling(rolling: pd.DataFrame, sessions: int, title: str, size: object = "page") -> NDArray[Any]:
    """Draw Sharpe ratio and volatility over the sessions before each.

    Args:
        rolling: as `rolling_statistics` has them.
        sessions: in a window.
        title: of the picture.
        size: "page" or "slide".

    Returns:
        Two Axes: Sharpe ratio, volatility.
    """
    with sheet(size, 3.8, 2, sharex=True) as (figure, places, theme):
        head(figure, title)
        names = ("Sharpe ratio", "Volatility, % a year")
        at = time_axis.without_zone(rolling.index)
        for place, column, name in zip(places, rolling.columns, names, strict=True):
            place.set_title(f"{name}, {sessions} sessions up to each")
            if not rolling[column].notna().any():
                nothing(place, f"nothing to measure over {sessions} sessions", theme)
                continue
            place.plot(np.asarray(at), rolling[column].to_numpy(float), color=theme.lines[0])
            place.axhline(0.0, color=theme.faint, linewidth=theme.thin)
        if len(at):
            time_axis.span(places[1], at[0], at[-1])
    return np.asarray(places)


def explain_drawdowns(ax: Axes, worst: pd.DataFrame, theme: Theme) -> None:
    """Number the deepest drawdowns at their lowest value and list them below the figure.

    Args:
        ax: where drawdowns are drawn, in per cent.
        worst: as `worst_drawdowns` has them.
        theme: colours and text size.
    """
    lines = []
    for n, (_, row) in enumerate(worst.iterrows(), start=1):
        ax.annotate(
            str(n), (row["Low"], row["Depth [%]"]), (0.0, -0.9), textcoords="offset fontsize", ha="center",
            va="center", fontsize=theme.small, fontweight="bold", color=theme.paper,
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": theme.ink, "linewidth": 0},
        )  # fmt: skip
        until = "not recovered" if row["Recovered"] is pd.NaT else f"recovered {written(row['Recovered'])}"
        lines.append(
            f"[{n}] {number(row['Depth [%]'], 1)} % from {written(row['Peak'])} to {written(row['Low'])}, "
            f"{until}, {row['Days']:,} days"
        )
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.12 * (high - low), high)
    figure = ax.get_figure(root=True)
    assert figure is not None
    foot(figure, "\n".join(lines) or "no drawdown", theme)
