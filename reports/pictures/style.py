"""How figures and numbers look: colours, text sizes, amounts, names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from entrepot.errors import ParameterError, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Width in inches, most height, text in points: of a picture across a page of print, and of a whole slide.
SIZES = {"page": (7.2, 9.6, 6.5), "slide": (13.333, 7.5, 14.0)}

SOURCE_NAMES = {
    "fx": "FX",
    "interest": "Interest on cash",
    "rebate": "Rebate on shorts",
    "ads_fee": "ADR service fee",
    "conversion": "ADR conversion",
    "conversion_fee": "ADR conversion fee",
    "fx_spread": "FX spread",
    "sfc_levy": "SFC levy",
    "afrc_levy": "AFRC levy",
    "sec_section31": "SEC section 31",
    "finra_taf": "FINRA TAF",
    "dividend": "Dividends",
}


@dataclass(frozen=True)
class Theme:
    """Colours that stay apart in grey and for colour-blind readers, and a text size in points."""

    paper: str = "#ffffff"
    ink: str = "#1a1f27"
    faint: str = "#5d6673"
    rule: str = "#d5d9df"
    lines: tuple[str, ...] = ("#0b3c6f", "#c4560a", "#1a1f27", "#7a8594")
    gain: str = "#0b3c6f"
    loss: str = "#e08a3c"
    # Luminance falls from regime to regime; the first, the quiet one, is not shaded.
    regimes: tuple[str, ...] = ("#ffffff", "#f7dfae", "#a9cbe6", "#9a83b8", "#b9d8b0", "#d9a9a0", "#8b98a5")
    hatch: str = "#5b7fa0"
    shade_gain: str = "#5b8fc0"
    shade_loss: str = "#e39a55"
    size: float = 6.5
    narrow: bool = False  # no room for a legend beside a long title

    def for_phones(self) -> Theme:
        """Return this theme for narrow figures with larger text."""
        return replace(self, size=9.0, narrow=True)

    @property
    def scale(self) -> float:
        """How much larger everything is than on a page: line widths and marker sizes too."""
        return self.size / SIZES["page"][2]

    def colours(self) -> dict[str, str]:
        """Name every colour; "paper", "ink", "faint" and "rule" are also those of the page around it."""
        named = {
            name: getattr(self, name)
            for name in ("paper", "ink", "faint", "rule", "gain", "loss", "hatch", "shade_gain", "shade_loss")
        }
        named |= {f"line-{i}": colour for i, colour in enumerate(self.lines)}
        return named | {f"regime-{i}": colour for i, colour in enumerate(self.regimes)}

    def active(self) -> AbstractContextManager[None]:
        """Style everything drawn inside, whatever the user's own settings. Dollar signs stay themselves."""
        from matplotlib import rc_context, rcParamsDefault

        own = {
            key: value
            for key, value in rcParamsDefault.items()
            if not key.startswith(("backend", "interactive"))
        }
        return rc_context(
            own
            | {
                "font.family": "DejaVu Sans",
                "font.size": self.size,
                "axes.titlesize": self.size + 0.5,
                "axes.titleweight": "bold",
                "axes.titlelocation": "left",
                "axes.titlepad": 4,
                "axes.labelsize": self.size,
                "axes.edgecolor": self.rule,
                "axes.facecolor": self.paper,
                "axes.linewidth": 0.6,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.titlecolor": self.ink,
                "axes.grid": True,
                "axes.axisbelow": True,
                "grid.color": self.rule,
                "grid.linewidth": 0.4,
                "hatch.linewidth": 0.4,
                "figure.facecolor": self.paper,
                "savefig.facecolor": self.paper,
                "legend.frameon": False,
                "legend.fontsize": self.size,
                "lines.linewidth": 0.9,
                "text.color": self.ink,
                "text.parse_math": False,
                "xtick.color": self.faint,
                "ytick.color": self.faint,
                "xtick.labelsize": self.size - 0.5,
                "ytick.labelsize": self.size - 0.5,
                "xtick.major.size": 2,
                "ytick.major.size": 0,
                "svg.fonttype": "none",
                "svg.hashsalt": "entrepot",
            }
        )


LIGHT = Theme()
DARK = Theme(
    paper="#14181f",
    ink="#e8ebef",
    faint="#a4adb9",
    rule="#39414d",
    lines=("#7db8ef", "#f0a050", "#e8ebef", "#8c97a5"),
    gain="#7db8ef",
    loss="#d9822b",
    regimes=("#14181f", "#5a4a22", "#27486b", "#6b4f8c", "#2f5a34", "#6e3a33", "#59636e"),
    hatch="#7fa3c4",
    shade_gain="#3d78ad",
    shade_loss="#a8631f",
)


def theme_of(size: object) -> Theme:
    """Return the theme of a picture across a page ("page") or of a whole slide ("slide")."""
    if not isinstance(size, str) or size not in SIZES:
        raise ParameterError(f"size is {shown(size)}: give {' or '.join(map(repr, SIZES))}")
    return replace(LIGHT, size=SIZES[size][2])


@contextmanager
def sheet(size: object, height: float, rows: int = 1, **options: Any) -> Iterator[tuple[Figure, Any, Theme]]:
    """Open a figure of a size, with its axes and theme; what is drawn inside has the style of all pictures.

    Args:
        size: "page" or "slide".
        height: inches on a page; a slide keeps the proportion as far as it is high.
        rows: of axes, above each other.
        options: of `matplotlib.pyplot.subplots`.

    Yields:
        The figure, its Axes (an array where there are several) and the theme.
    """
    import matplotlib.pyplot as plt

    theme = theme_of(size)
    width, most, _ = SIZES[str(size)]
    with theme.active():
        tall = min(height * width / SIZES["page"][0], most)
        figure, axes = plt.subplots(rows, figsize=(width, tall), **({"layout": "constrained"} | options))
        yield figure, axes, theme


def money(value: float, currency: str = "") -> str:
    """Write an amount in at most four figures: 12.2m, 304k, -1.1k."""
    if not np.isfinite(value):
        return "n/a"
    size = abs(value)
    for unit, letter in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if size >= 0.9995 * unit:
            digits = 0 if size >= 99.95 * unit else 2 if unit > 1e3 and size < 9.995 * unit else 1
            text = f"{value / unit:,.{digits}f}{letter}"
            break
    else:
        text = f"{value:,.0f}" if size >= 0.5 else "0"
    return minus(f"{currency} {text}".strip())


def number(value: object, digits: int = 2, suffix: str = "") -> str:
    """Write a number with `digits` decimals, or n/a."""
    if not isinstance(value, int | float | np.number) or not np.isfinite(float(value)):
        return "n/a"
    return minus(f"{float(value):,.{digits}f}{suffix}")


def minus(text: str) -> str:
    """Write negative numbers with a minus sign, and no negative zero."""
    return text.replace("-", "\u2212") if any(c in "123456789" for c in text) else text.replace("-", "")


def source_name(source: str) -> str:
    """Name a source for readers."""
    return SOURCE_NAMES.get(source, source.replace("_", " ").capitalize())
