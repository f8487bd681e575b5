"""The pictures of what a run gives: reports, sweeps and trades."""

from __future__ import annotations

from typing import Any

import first_screen
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import simulated
from canvas import WIDTH, Drawn, Shown
from matplotlib.figure import Figure

import entrepot as ep
from entrepot.reports.pictures import time_axis
from entrepot.reports.pictures.panels import legend_above
from entrepot.reports.pictures.style import Theme


def of(axes: Any) -> Figure:
    """Return the figure of axes."""
    figure = np.ravel(axes)[0].get_figure()
    assert isinstance(figure, Figure)
    return figure


def equity() -> Figure:
    """Equity of the switched plan with its regimes and events."""
    return of(simulated.result().plot("equity", events=simulated.events(), size="slide"))


def waterfall() -> Figure:
    """From capital to final equity, by source."""
    return of(simulated.result().plot("waterfall", size="slide"))


def ribbon() -> Figure:
    """Premia over regimes, and the score of each risk."""
    drawn = ep.draw_regimes(simulated.market(), simulated.path(), simulated.events(), size="slide")
    return of(drawn)


def heatmap() -> Figure:
    """A sweep's Sharpe ratios over two parameters."""
    grid = {"entry": [0.5, 1.0, 1.5, 2.0, 2.5], "lookback": range(20, 121, 20)}
    swept = ep.sweep(simulated.market(), ep.LongHKShortADR(), grid, path=simulated.path(), progress=False)
    return of(swept.heatmap("lookback", "entry", size="slide"))


def convergence(theme: Theme) -> Figure:
    """The z-score of one pair's premium, and when the pair was held."""
    market, plan = simulated.market(), ep.LongHKShortADR()
    targets = plan.targets(market)
    score = targets.signals["zscore"]["BABA"].loc["2023-01":"2023-12"]  # type: ignore[misc]
    positions = ep.backtest(market, plan).positions["BABA"][market.decision_steps]
    sessions = market.grid["session"][market.decision_steps]
    held = positions.set_axis(sessions).reindex(score.index) < 0
    figure, ax = plt.subplots(figsize=(WIDTH, 3.0), layout="constrained")
    at = score.index
    ax.fill_between(
        at, 0, 1, where=held, step="post", transform=ax.get_xaxis_transform(), color=theme.lines[1],
        alpha=0.22, linewidth=0, label="pair held",
    )  # fmt: skip
    ax.plot(at, score, color=theme.lines[0], linewidth=theme.thick)
    for level, words in ((plan.entry, "enter"), (plan.exit, "leave")):
        ax.axhline(level, color=theme.ink, linewidth=theme.thin, linestyle=(0, (1, 1.5)))
        beside: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(f"{words} {level:g}", (at[-1], level), **beside)
    ax.set_title("BABA, z-score of the premium (simulated market)")
    legend_above(ax, ax.get_legend_handles_labels()[0])
    time_axis.span(ax, at[0], pd.Timestamp(at[-1]))
    return figure


PICTURES: dict[str, Drawn | Shown] = {
    "glance": Drawn(first_screen.draw),
    "equity": Shown(equity),
    "waterfall": Shown(waterfall),
    "ribbon": Shown(ribbon),
    "heatmap": Shown(heatmap),
    "convergence": Drawn(convergence),
}
