"""How figures and numbers look: colours, sizes, the sheet they are drawn on, amounts, names."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, shown, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Size = Literal["page", "slide"]
# Width in inches, most height, text in points: of a picture across a page of print, and of a whole slide.
SIZES = {"page": (7.2, 9.6, 6.5), "slide": (13.333, 7.5, 14.0)}
DOTS_PER_INCH = 150
# What says where and how the user's figures are shown is the user's.
USERS_OWN = ("backend", "interactive", "figure.max_open_warning", "tk.", "webagg.", "macosx.")
EDGE = 0.008  # of the width, left of heads and feet
HINTED = 0.95  # of the width: letters fitted to pixels are wider than drawn ones
# Of the lines of one picture, so that colour does not tell them apart alone.
LINE_STYLES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
LETTER, SAMPLE = 0.6, 4.2  # text sizes: a letter on average; what stands before and after a legend's words
SHORT = 100  # characters that fit on a line of either size

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
    """Colours that stay apart in grey and for colour-blind readers, and a text size in points.

    Line widths and marks grow with the text. Whoever draws names a width, `hair`, `thin` or `thick`, or none
    for that of lines of data.
    """

    paper: str = "#ffffff"
    ink: str = "#1a1f27"
    faint: str = "#5d6673"
    rule: str = "#d5d9df"
    lines: tuple[str, ...] = ("#0b3c6f", "#b04300", "#1a1f27", "#8b94a1")
    gain: str = "#0b3c6f"
    loss: str = "#e08a3c"
    # Luminance falls from regime to regime; the first, the quiet one, is not shaded.
    regimes: tuple[str, ...] = ("#ffffff", "#f7dfae", "#a9cbe6", "#ac97c8", "#b9d8b0", "#d9a9a0", "#8b98a5")
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

    @property
    def hair(self) -> float:
        """Width of what lies behind the data, in points."""
        return 0.4 * self.scale

    @property
    def thin(self) -> float:
        """Width of frames and levels, and of lines that change from day to day."""
        return 0.6 * self.scale

    @property
    def thick(self) -> float:
        """Width of the line that a picture is about."""
        return 1.2 * self.scale

    @property
    def small(self) -> float:
        """Size of the least text, in points: of ticks and notes."""
        return 6.0 * self.scale

    def colours(self) -> dict[str, str]:
        """Name every colour; "paper", "ink", "faint" and "rule" are also those of the page around it."""
        named = {
            name: getattr(self, name)
            for name in ("paper", "ink", "faint", "rule", "gain", "loss", "hatch", "shade_gain", "shade_loss")
        }
        named |= {f"line-{i}": colour for i, colour in enumerate(self.lines)}
        return named | {f"regime-{i}": colour for i, colour in enumerate(self.regimes)}

    @contextmanager
    def active(self) -> Iterator[None]:
        """Style everything drawn inside, whatever the user's own settings. Dollar signs stay themselves."""
        with self._settings(), warnings.catch_warnings():
            # One for each letter that the font lacks, as those of Chinese: a box in its place says as much.
            warnings.filterwarnings("ignore", "Glyph .* missing")
            yield

    def _settings(self) -> AbstractContextManager[None]:
        from matplotlib import rc_context, rcParamsDefault

        scale = self.scale
        own = {key: value for key, value in rcParamsDefault.items() if not key.startswith(USERS_OWN)}
        return rc_context(
            own
            | {
                "font.family": "DejaVu Sans",
                "font.size": self.size,
                "axes.titlesize": self.size + 0.5 * scale,
                "axes.titleweight": "bold",
                "axes.titlelocation": "left",
                "axes.titlepad": 4 * scale,
                "axes.labelsize": self.size,
                "axes.labelcolor": self.ink,
                "axes.labelpad": 3 * scale,
                "axes.edgecolor": self.rule,
                "axes.facecolor": self.paper,
                "axes.linewidth": self.thin,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.titlecolor": self.ink,
                "axes.formatter.useoffset": False,
                "axes.grid": True,
                "axes.axisbelow": True,
                "grid.color": self.rule,
                "grid.linewidth": self.hair,
                "hatch.linewidth": self.hair,
                "figure.dpi": DOTS_PER_INCH,
                "figure.facecolor": self.paper,
                "figure.titlesize": self.size + 1.5 * scale,
                "figure.titleweight": "bold",
                "figure.labelsize": self.size,
                "figure.constrained_layout.h_pad": 0.04 * scale,
                "figure.constrained_layout.w_pad": 0.04 * scale,
                "savefig.facecolor": self.paper,
                "legend.frameon": False,
                "legend.fontsize": self.size,
                "lines.linewidth": 0.9 * scale,
                "lines.markersize": 3.6 * scale,
                "patch.linewidth": self.thin,
                "text.color": self.ink,
                "text.parse_math": False,
                "xtick.color": self.faint,
                "ytick.color": self.faint,
                "xtick.labelsize": self.small,
                "ytick.labelsize": self.small,
                "xtick.major.size": 2 * scale,
                "xtick.major.width": self.thin,
                "xtick.major.pad": 2.5 * scale,
                "ytick.major.size": 0,
                "ytick.major.pad": 2.5 * scale,
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
    lines=("#7db8ef", "#cf7a1e", "#e8ebef", "#666f7b"),
    gain="#7db8ef",
    loss="#d07a22",
    regimes=("#14181f", "#44381a", "#2c527b", "#795c9c", "#2f5a34", "#6e3a33", "#59636e"),
    hatch="#7fa3c4",
    shade_gain="#35699a",
    shade_loss="#985817",
)


def theme_of(size: object) -> Theme:
    """Return the theme of a picture across a page ("page") or of a whole slide ("slide")."""
    if not isinstance(size, str) or size not in SIZES:
        raise ParameterError(f"size is {shown(size)}: give {' or '.join(map(repr, SIZES))}")
    return replace(LIGHT, size=SIZES[size][2])


@contextmanager
def sheet(
    size: object, height: float, rows: int | list[list[str]] = 1, **options: Any
) -> Iterator[tuple[Figure, Any, Theme]]:
    """Open a figure of a size, with its axes and theme; what is drawn inside has the style of all pictures.

    Args:
        size: "page" or "slide".
        height: inches on a page; a slide is always whole.
        rows: of axes, above each other, or their arrangement by name, as `subplot_mosaic` has it.
        options: of `matplotlib.pyplot.subplots`.

    Yields:
        The figure, its Axes (an array, or a dictionary by name, where there are several) and the theme.
    """
    import matplotlib.pyplot as plt

    from entrepot.reports.pictures.figure import ThemedFigure

    theme = theme_of(size)
    width, most, _ = SIZES[str(size)]
    tall = most if size == "slide" else min(height, most)
    with theme.active():
        arrange: Any = plt.subplots if isinstance(rows, int) else plt.subplot_mosaic
        given = {
            "FigureClass": ThemedFigure,
            "theme": theme,
            "figsize": (width, tall),
            "layout": "constrained",
        }
        figure, axes = arrange(rows, **(given | options))
        try:
            yield figure, axes, theme
        except BaseException:
            plt.close(figure)
            raise


def head(figure: Figure, text: str) -> None:
    """Write what a whole figure is about above it, on as many lines as it takes."""
    from matplotlib import rcParams

    size, weight = float(rcParams["figure.titlesize"]), str(rcParams["figure.titleweight"])
    figure.suptitle(folded(text, room(figure), size, weight), x=EDGE, ha="left")


def foot(figure: Figure, text: str, theme: Theme) -> None:
    """Explain a figure below it, on as many lines as it takes."""
    figure.supxlabel(folded(text, room(figure), theme.size), x=EDGE, ha="left", color=theme.faint)


def explained(figure: Figure, handles: Sequence[Any], theme: Theme) -> None:
    """Put a legend below a figure, in as many columns as there is room for."""
    if not handles:
        return
    widths = [LETTER * len(str(handle.get_label())) + SAMPLE for handle in handles]
    space = room(figure) / theme.size
    columns = len(handles) if sum(widths) <= space else max(int(space / max(widths)), 1)
    figure.legend(
        handles=handles, loc="outside lower left", ncols=columns, handlelength=2.2, columnspacing=1.4,
        borderaxespad=0.3,
    )  # fmt: skip


def room(figure: Figure) -> float:
    """Return how wide the lines above and below a figure may be, in points."""
    return 72 * HINTED * (1 - 2 * EDGE) * float(figure.get_figwidth())


def folded(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Break lines at spaces, and words that are longer than a line anywhere.

    Args:
        text: of one line or more.
        width: of the longest line, in points.
        size: of the text, in points.
        weight: of the text.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)

    def fits(line: str) -> bool:
        return float(text_to_path.get_text_width_height_descent(line, font, False)[0]) <= width

    lines = []
    for paragraph in visible(text, keep="\n").split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if fits(longer):
                line = longer
                continue
            if line:
                lines.append(line)
            while len(word) > 1 and not fits(word):
                # Twice as much until it is too much, then the middle: measuring takes as long as the text.
                most = 2
                while fits(word[:most]):
                    most *= 2
                cut = most // 2
                while most - cut > 1:
                    middle = (cut + most) // 2
                    cut, most = (middle, most) if fits(word[:middle]) else (cut, middle)
                lines.append(word[:cut])
                word = word[cut:]
            line = word
        lines.append(line)
    return "\n".join(lines)


def nothing(ax: Axes, text: str, theme: Theme) -> None:
    """Say in empty axes why they are empty."""
    ax.set(xticks=[], yticks=[])
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=theme.faint)


def written(when: Any) -> str:
    """Write a date for readers: 5 Mar 2021."""
    date = pd.Timestamp(when)
    return f"{date.day} {date:%b %Y}"


def key(items: Iterable[tuple[Any, str]]) -> str:
    """Explain the numbers of marks by their dates and words; a short explanation stays on one line."""
    told = [f"[{n}] {written(when)}: {words}" for n, (when, words) in enumerate(items, start=1)]
    return "  ".join(item.replace(" ", "\u00a0") if len(item) < SHORT else item for item in told)


def apart(wanted: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Move places apart, in their order and as little as it takes for all to lie `gap` from the next.

    Args:
        wanted: shape (n,), as fractions of the axes, in which they are kept as far as they fit.
        gap: least distance.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(wanted, kind="stable")
    step = gap * np.arange(len(wanted))
    # Places that are apart are a gap each and a rest that rises: the nearest such rest is taken, in the axes.
    rest = isotonic_regression(wanted[order] - step).x if len(wanted) else step
    out = np.empty(len(wanted))
    out[order] = np.clip(rest, 0.0, max(1.0 - gap * (len(wanted) - 1), 0.0)) + step
    return out


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
