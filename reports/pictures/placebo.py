"""How a figure compares with what wrong dates would have given, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.reports.pictures.style import LINE_STYLES, explained, head, nothing, number, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_placebo(
    placebo: NDArray[np.float64], measured: pd.Series[Any], title: str, size: object = "page"
) -> Axes:
    """Draw the spread of a figure over wrong dates, and lines at what was measured.

    Args:
        placebo: shape (draws,), may be empty; NaN is left out.
        measured: by name; the first, on the true dates, is drawn solid; NaN is not drawn.
        title: of the picture.
        size: "page" or "slide".
    """
    drawn = placebo[np.isfinite(placebo)]
    lines = {str(name): float(value) for name, value in measured.items() if np.isfinite(value)}
    with sheet(size, 3.4) as (figure, axes, theme):
        place: Axes = axes
        head(figure, title)
        place.grid(visible=False, axis="x")
        if len(drawn):
            place.hist(
                drawn, bins="auto", color=theme.regimes[2], edgecolor=theme.shade_gain, linewidth=theme.hair,
                label=f"{len(drawn)} wrong calendars",
            )  # fmt: skip
            place.locator_params(axis="y", integer=True)
            place.set_ylabel("calendars")
        elif lines:
            place.set_yticks([])
        else:
            nothing(place, "nothing was measured", theme)
            return place
        for k, (name, value) in enumerate(lines.items()):
            place.axvline(
                value, linestyle=LINE_STYLES[k % len(LINE_STYLES)], color=theme.lines[(k + 1) % 3],
                linewidth=theme.thick, label=f"{name}: {number(value)}",
            )  # fmt: skip
        explained(figure, place.get_legend_handles_labels()[0], theme)
    return place
