"""The README's picture: premium, regimes and equity after costs of one simulated run.

``python docs/pictures/first_screen.py`` draws ``docs/pictures/readme.png`` again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import simulated
from canvas import SIZE, png
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import entrepot as ep
from entrepot.reports.pictures import regime_shades, time_axis
from entrepot.reports.pictures.panels import legend_above
from entrepot.reports.pictures.style import LIGHT, Theme, money
from entrepot.reports.sources import is_cost

README = Path(__file__).with_name("readme.png")
PIXELS, DOTS = (1600, 800), 200
FAINT = 0.3


def before_costs(result: ep.Result) -> pd.Series[float]:
    """Equity at each sample had no cost been paid and all else been as it was, in base currency."""
    sources = result.contributions.T.groupby(level="source").sum().T
    paid = sources[[name for name in sources if is_cost(name)]].sum(axis=1).cumsum()
    steps = result.market.decision_steps
    return result.daily - paid.reindex(result.equity.index, method="ffill")[steps].fillna(0.0).to_numpy()


def ribbon(ax: Axes, path: ep.RegimePath, theme: Theme) -> None:
    """Draw the regimes as a band, their names above it."""
    regime_shades.shade(ax, path.time, path.states, len(path.names), theme)
    ax.set(yticks=[], ylim=(0, 1))
    ax.grid(visible=False)
    ax.set_title("Regime, as known at each step")
    legend_above(ax, regime_shades.patches(path.names, theme)[1:])


def beside(ax: Axes, last: tuple[Any, float], words: str, **look: Any) -> None:
    """Name a line at its end."""
    ax.annotate(words, last, xytext=(6, 0), textcoords="offset points", va="center", **look)


def draw(theme: Theme) -> Figure:
    """Draw the premium of one pair, the regimes, and what switching made of all pairs."""
    market, path, result = simulated.market(), simulated.path(), simulated.result()
    figure, (above, between, below) = plt.subplots(
        3, 1, figsize=(PIXELS[0] / DOTS, PIXELS[1] / DOTS), dpi=DOTS, layout="constrained", sharex=True,
        height_ratios=[1.0, 0.16, 1.0],
    )  # fmt: skip
    for ax in (above, below):
        regime_shades.shade(ax, path.time, path.states, len(path.names), theme)
        for shade in ax.collections:
            shade.set(hatch=None, alpha=FAINT)
    ribbon(between, path, theme)

    premium = 100 * ep.premium(market, "BABA", align="next_hk").dropna()
    mean = premium.ewm(span=10).mean()
    above.plot(premium.index, premium, color=theme.lines[3], linewidth=theme.hair)
    above.plot(mean.index, mean, color=theme.lines[0], linewidth=theme.thick)
    above.axhline(0, color=theme.faint, linewidth=theme.hair)
    above.set_title("Premium of BABA in New York over its Hong Kong line, %")
    beside(above, (mean.index[-1], 5.0), "each day", color=theme.faint)
    beside(above, (mean.index[-1], 0.0), "mean", color=theme.lines[0], fontweight="bold")

    free, left = before_costs(result) / 1e6, result.daily / 1e6
    below.fill_between(free.index, left, free, color=theme.loss, alpha=FAINT, linewidth=0, zorder=2)
    below.plot(free.index, free, color=theme.lines[1], linewidth=theme.thin, zorder=3)
    below.plot(left.index, left, color=theme.lines[0], linewidth=theme.thick, zorder=4)
    below.set_title("Equity of the plan that switches with the regime, US$ million")
    last, least, most = free.index[-1], left.iloc[-1], free.iloc[-1]
    beside(below, (last, most), "before costs", color=theme.lines[1])
    beside(below, (last, (least + most) / 2), f"{money(1e6 * (most - least), 'US$')} of costs")
    beside(below, (last, least), "after every cost", color=theme.lines[0], fontweight="bold")
    below.margins(y=0.12)
    time_axis.span(below, left.index[0], left.index[-1])
    for ax in (above, between):
        ax.tick_params(axis="x", length=0)
    figure.suptitle("What was known, what was held, what was left: a simulated market", x=0.008, ha="left")
    return figure


if __name__ == "__main__":
    own = replace(LIGHT, size=SIZE)
    with own.active():
        README.write_bytes(png(draw(own), DOTS))
