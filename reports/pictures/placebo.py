"""How a figure compares with what wrong dates would have given, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.reports.pictures.style import LIGHT, Theme, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_placebo(
    placebo: NDArray[np.float64], measured: pd.Series[Any], title: str, theme: Theme = LIGHT
) -> Axes:
    """Draw the spread of a figure over wrong dates, and lines at what was measured.

    Args:
        placebo: shape (draws,), may be empty; NaN is left out.
        measured: by name; the first, on the true dates, is drawn solid; NaN is not drawn.
        title: of the picture.
        theme: colours and text size.
    """
    import matplotlib.pyplot as plt

    drawn = placebo[np.isfinite(placebo)]
    with theme.active():
        figure, place = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
        if len(drawn):
            place.hist(
                drawn, bins="auto", color=theme.faint, alpha=0.5, label=f"{len(drawn)} wrong calendars"
            )
        for k, (name, value) in enumerate(measured.items()):
            if not np.isfinite(value):
                continue
            place.axvline(
                float(value),
                color=theme.lines[k % len(theme.lines)],
                linestyle="-" if k == 0 else "--",
                label=f"{name}: {number(value)}",
            )
        place.set_ylabel("calendars")
        place.set_title(title, color=theme.ink)
        if place.get_legend_handles_labels()[0]:
            figure.legend(loc="outside lower left", fontsize=theme.size)
    return place
