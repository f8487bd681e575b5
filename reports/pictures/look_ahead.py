"""What hindsight would have earned, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from entrepot.reports.pictures.style import LIGHT, Theme, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = ("-", "--", ":")


def draw_gap(returns: pd.DataFrame, sharpe: pd.Series, title: str, theme: Theme = LIGHT) -> Axes:
    """Draw growth with honest states and with states that know the future.

    Args:
        returns: daily, one column per way of telling states, the honest one first; by session.
        sharpe: of each column, annualised.
        title: of the picture.
        theme: colours and text size.
    """
    import matplotlib.pyplot as plt

    with theme.active():
        _, place = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
        at = np.asarray(pd.DatetimeIndex(returns.index))
        for column, name in enumerate(returns.columns):
            growth = 100 * (1 + returns[name].fillna(0.0)).cumprod().to_numpy()
            place.plot(
                at,
                growth,
                STYLES[column % len(STYLES)],
                color=theme.lines[column],
                label=f"{name}: Sharpe {number(sharpe[name])}",
            )
        place.axhline(100.0, color=theme.faint, linewidth=0.6)
        place.set_ylabel("equity, start = 100")
        place.set_title(title, color=theme.ink)
        place.legend(loc="upper left")
    return place
