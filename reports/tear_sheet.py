"""One page, or one slide, for an investment committee."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import ArrayLike

from entrepot.files import check_target, write_whole
from entrepot.reports.pages import page_text
from entrepot.reports.pages.findings import Findings, gather
from entrepot.reports.pictures import panels
from entrepot.reports.pictures.style import LIGHT, SIZES, Size, Theme, folded, money, room, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from entrepot.engine.result import Ledger

PAGE = (8.27, 11.69)  # A4, inches
LEFT, RIGHT, TOP, BOTTOM = 0.065, 0.965, 0.975, 0.022
SOURCES = 0.15  # left edge of the bars, after their names
RESOLUTION = 200
THEME = replace(LIGHT, size=7.0)
SIDE = 0.022  # of a slide
SUFFIXES = (".png", ".pdf", ".svg")


def tear_sheet(
    ledger: Ledger,
    path: str | os.PathLike[str] | None = None,
    *,
    states: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    events: pd.DataFrame | None = None,
    premium: pd.DataFrame | None = None,
    title: str | None = None,
    benchmark: pd.Series[Any] | None = None,
    sessions: float = 5,
    size: Size = "page",
) -> Figure:
    """Draw the one-page summary of a run, A4 upright, or the little of it that can be read from a slide.

    Args:
        ledger: a finished run.
        path: file to write, ``.png``, ``.pdf`` or ``.svg``; None only draws.
        states: (T,) integers into `names`, the regime decided at each step; None leaves regimes out.
        names: regimes; needed with `states`. The first is the quiet one and is not shaded.
        events: as in `by_event`; the most severe are marked. None leaves events out.
        premium: parity premium as a fraction, sessions by ADR; None leaves the panel out.
        title: heading.
        benchmark: as in `summary`.
        sessions: length of an event's window, New York sessions.
        size: "page"; or "slide": main figures, equity, drawdown and sources.

    Returns:
        The figure, free of pyplot: nothing to close, no display needed.

    Raises:
        ParameterError: where the file cannot be written or is of another kind, where `states` and `names` do
            not fit, or where there is no such size.
    """
    target = None if path is None else check_target(path, SUFFIXES)
    theme = theme_of(size)
    found = gather(
        ledger, states=states, names=names, events=events, premium=premium, title=title, benchmark=benchmark,
        sessions=sessions,
    )  # fmt: skip
    figure = draw_page(found) if size == "page" else draw_slide(found, theme)
    if target is not None:
        save(figure, target, LIGHT)
    return figure


def save(figure: Figure, path: Path, theme: Theme, resolution: int = RESOLUTION) -> None:
    """Write a figure whole or not at all, without dates in the file: the same run gives the same bytes."""
    kind = path.suffix.lower().lstrip(".")
    # The least compression that is still small: the most takes as long as drawing the page.
    options: dict[str, Any] = {"pil_kwargs": {"compress_level": 3}} if kind == "png" else {}
    undated = {"png": {"Software": "entrepot"}, "pdf": {"Creator": "entrepot", "CreationDate": None}}
    stamp: Any = undated.get(kind, {"Creator": "entrepot", "Date": None})
    with theme.active():
        write_whole(
            path,
            lambda target: figure.savefig(target, format=kind, dpi=resolution, metadata=stamp, **options),
        )


def bare_figure(inches: tuple[float, float], theme: Theme) -> Figure:
    """Return an empty figure that pyplot does not know."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from entrepot.reports.pictures.figure import ThemedFigure

    figure = ThemedFigure(figsize=inches, theme=theme)
    FigureCanvasAgg(figure)
    return figure


def draw_page(found: Findings, theme: Theme = THEME) -> Figure:
    """Lay the page out and draw it."""
    with theme.active():
        figure = bare_figure(PAGE, theme)
        heights = {"equity": 2.25, "drawdown": 0.75, "premium": 1.0, "exposure": 1.0}
        if found.premium is None:
            del heights["premium"]
        time_axes = figure.add_gridspec(
            len(heights),
            1,
            left=LEFT,
            right=RIGHT,
            top=0.845,
            bottom=0.432,
            hspace=0.32,
            height_ratios=list(heights.values()),
        )
        axes: dict[str, Axes] = {}
        for i, name in enumerate(heights):
            axes[name] = figure.add_subplot(time_axes[i])
            getattr(panels, f"draw_{name}")(axes[name], found, theme)
            panels.time_axis(axes[name], found, labels=i == len(heights) - 1)
        middle = figure.add_gridspec(
            1, 2, left=SOURCES, right=RIGHT, top=0.386, bottom=0.233, wspace=0.13, width_ratios=[1, 1.6]
        )
        left = figure.add_subplot(middle[0])
        panels.draw_sources(left, found, theme, title_x=(LEFT - SOURCES) / left.get_position().width)
        panels.draw_monthly(figure.add_subplot(middle[1]), found, theme)
        width = RIGHT - LEFT
        block = partial(page_text.Block, figure)
        page_text.header(block(LEFT, 0.868, width, TOP - 0.868), found, theme)
        page_text.draw_regimes(block(LEFT, 0.052, 0.45 * width, 0.166), found, theme)
        page_text.draw_events(block(LEFT + 0.478 * width, 0.052, 0.522 * width, 0.166), found, theme)
        page_text.footer(block(LEFT, BOTTOM, width, 0.026), found, theme)
    return figure


def draw_slide(found: Findings, theme: Theme) -> Figure:
    """Lay the slide out and draw it."""
    width, height, _ = SIZES["slide"]
    narrow = replace(theme, narrow=True)
    with theme.active():
        figure = bare_figure((width, height), theme)
        over_time = figure.add_gridspec(
            2, 1, left=SIDE + 0.02, right=0.56, top=0.65, bottom=0.165, hspace=0.3, height_ratios=[2.6, 1.0]
        )
        for i, name in enumerate(("equity", "drawdown")):
            ax = figure.add_subplot(over_time[i])
            more = {"events": False} if name == "equity" else {}
            getattr(panels, f"draw_{name}")(ax, found, narrow, **more)
            panels.time_axis(ax, found, labels=name == "drawdown")
        bars = figure.add_axes((0.73, 0.13, 1 - SIDE - 0.73, 0.54))
        panels.draw_sources(bars, found, narrow, title_x=(0.59 - 0.73) / bars.get_position().width)
        slide_words(page_text.Block(figure, SIDE, 0.0, 1 - 2 * SIDE, 1.0), found, theme)
    return figure


def slide_words(on: page_text.Block, found: Findings, theme: Theme) -> None:
    """Write what was run on which prices, the main figures, and what a reader must know."""
    size, value = theme.size, found.summary
    heading = {"fontsize": 1.5 * size, "fontweight": "bold"}
    on.text(0, 0.965, on.fit(found.title, 1.0, 1.5 * size, "bold"), va="top", **heading)
    when = " to ".join(str(value[name].date()) for name in ("Start", "End") if value[name] is not pd.NaT)
    said = f"{when} \u00b7 capital {money(found.ledger.capital, found.currency)} \u00b7 {found.ledger.label}"
    on.text(0, 0.895, on.fit(said, 1.0, size), color=theme.faint, va="top")
    for i, (name, figure, _) in enumerate(page_text.headline(found)):
        on.text(i / 7, 0.835, name, fontsize=theme.small, color=theme.faint, va="top")
        on.text(i / 7, 0.8, figure, fontsize=1.25 * size, fontweight="bold", va="top")
    on.rule(0.745, theme)
    if found.states is not None:
        told = folded(page_text.HINDSIGHT, on.width * room(on.figure), theme.small)
        on.text(0, 0.042, told, fontsize=theme.small, color=theme.faint, va="bottom")
