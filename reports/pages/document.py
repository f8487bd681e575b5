"""A document in one file: headline, sections of figures and tables, caveats; nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from entrepot.reports.pages.files import write_whole
from entrepot.reports.pages.svg import Drawing, drawing, palette
from entrepot.reports.pages.tables import Table
from entrepot.reports.pictures.style import LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATES = Path(__file__).parent / "templates"
SUFFIXES = (".html", ".htm")
WIDTH = 4.8  # inches: with 9 point text, 9 pixels high on a phone 360 pixels wide


@dataclass(frozen=True)
class Picture:
    """One figure, what it shows in words, and a line below it."""

    drawing: Drawing
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """One part of a document; tables `beside` each other come first."""

    anchor: str
    title: str
    tables: tuple[Table, ...] = ()
    figures: tuple[Picture, ...] = ()
    beside: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Document:
    """What a page says.

    Args:
        title: heading.
        subtitle: one line below it.
        label: where the prices come from.
        headline: the main figures: name, value, a note in small print.
        sections: in order; empty ones are left out.
        caveats: what a reader must know.
    """

    title: str
    subtitle: str
    label: str
    headline: Sequence[tuple[str, str, str]]
    sections: Sequence[Section]
    caveats: Sequence[str]

    @property
    def simulated(self) -> bool:
        """Whether the label says that the prices are simulated."""
        return "simulated" in self.label.lower()


def drawn(
    key: str,
    height: float,
    alt: str,
    draw: Callable[[Figure, Theme], None],
    caption: str = "",
    above: float = 0.27,
) -> Picture:
    """Draw a figure of a document, which follows the reader's light or dark scheme.

    Args:
        key: its name, no other figure of the document has it.
        height: inches; all are `WIDTH` wide.
        alt: what it shows, for those who cannot see it.
        draw: draws into a figure, in the colours and text size of the theme it is given.
        caption: a line below.
        above: inches for what stands over the axes.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    theme = LIGHT.for_phones()
    with theme.active():
        figure = Figure(figsize=(WIDTH, height))
        FigureCanvasSVG(figure)
        figure.subplots_adjust(0.08, 0.24 / height, 0.985, 1 - above / height)
        draw(figure, theme)
        return Picture(drawing(figure, key), alt, caption)


def rendered(document: Document) -> str:
    """Return a document as HTML; everything that is not the template's own is escaped."""
    from importlib.metadata import version

    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("report.html.j2").render(
        document=document,
        sections=[part for part in document.sections if part.tables or part.figures or part.beside],
        generator=f"entrepot {version('entrepot')}",
        style=Markup(palette() + "\n" + (TEMPLATES / "report.css").read_text(encoding="utf-8")),
        drawn=Markup,
    )


def write_document(document: Document, target: Path) -> None:
    """Write a document as one HTML file, whole or not at all."""
    page = rendered(document).encode("utf-8")
    write_whole(target, lambda file: file.write(page))
