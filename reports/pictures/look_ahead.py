"""What hindsight would have earned, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from entrepot.reports.pictures import time_axis
from entrepot.reports.pictures.style import LINE_STYLES, explained, head, number, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_gap(returns: pd.DataFrame, sharpe: pd.Series[float], title: str, size: object = "page") -> Axes:
    """Draw growth with honest states and with states that know the future.

    Args:
        returns: daily, one column per way of telling states, the honest one first; by session.
        sharpe: of each column, annualised.
        title: of the picture.
        size: "page" or "slide".
    """
    with sheet(size, 3.2) as (figure, axes, theme):
        place: Axes = axes
        head(figure, title)
        at = time_axis.without_zone(returns.index)
        for column, name in enumerate(returns.columns):
            growth = 100 * (1 + returns[name].fillna(0.0)).cumprod().to_numpy()
            place.plot(
                np.asarray(at), growth, linestyle=LINE_STYLES[column], color=theme.lines[column],
                linewidth=theme.thick if column == 0 else None,
                label=f"{name}: Sharpe {number(sharpe[name])}",
            )  # fmt: skip
        place.axhline(100.0, color=theme.faint, linewidth=theme.thin)
        place.set_ylabel("equity, start = 100")
        if len(at):
            time_axis.span(place, at[0], at[-1])
        explained(figure, place.get_legend_handles_labels()[0], theme)
    return place
