"""A figure that is drawn in its own style, whenever that happens and whatever settings hold by then."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from entrepot.files import write_whole

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase

    from entrepot.reports.pictures.style import Theme


class ThemedFigure(Figure):
    """A figure with a theme.

    Ticks are made when a figure is first drawn and when its size changes, with the settings of that moment:
    without this the user's own would show in some of them.
    """

    def __init__(self, *args: Any, theme: Theme, **options: Any) -> None:
        super().__init__(*args, **options)
        self.theme = theme

    def draw(self, renderer: RendererBase) -> None:
        """Draw in the theme."""
        with self.theme.active():
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save as any figure, but a named file whole or not at all."""
        kind = None
        if isinstance(fname, str | os.PathLike):
            kind = options.get("format") or Path(fname).suffix.lstrip(".")
        if not kind:
            super().savefig(fname, **options)
            return
        save = super().savefig
        write_whole(Path(fname), lambda file: save(file, **(options | {"format": kind})))
