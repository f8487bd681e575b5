"""A document in one file: headline, sections of figures and tables, caveats; nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from entrepot import __version__
from entrepot.errors import ParameterError, shown
from entrepot.files import write_whole
from entrepot.reports.pages.svg import Drawing, drawing, palette
from entrepot.reports.pages.tables import Table, printable
from entrepot.reports.pictures.style import LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATES = Path(__file__).parent / "templates"
SUFFIXES = (".html", ".htm")
# Every page has these of its own; the text of links begins with a letter and needs no escape.
OWN_ANCHORS = ("top", "contents", "main", "glance", "caveats")
ANCHOR = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
COLUMN = 45  # characters of a table in a third of a page
WIDTH = 4.8  # inches: with 9 point text, 9 pixels high on a phone 360 pixels wide


@dataclass(frozen=True)
class Picture:
    """One figure: what draws it, and what it shows in words.

    Args:
        key: its name, no other figure of the document has it.
        height: inches; on a screen all are `WIDTH` wide.
        alt: what it shows, for those who cannot see it.
        draw: draws into a figure, or a part of one, in the colours and text size of the theme it is given.
        caption: a line below.
        above: inches for what stands over the axes.
    """

    key: str
    height: float
    alt: str
    draw: Callable[[Figure, Theme], None]
    caption: str = ""
    above: float = 0.27

    def draw_into(self, figure: Figure, theme: Theme) -> None:
        """Draw it into a figure of its height, or a part of one."""
        figure.subplots_adjust(0.08, 0.24 / self.height, 0.985, 1 - self.above / self.height)
        self.draw(figure, theme)

    @cached_property
    def drawing(self) -> Drawing:
        """The figure for a page on a screen; it follows the reader's light or dark scheme."""
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        theme = LIGHT.for_phones()
        with theme.active():
            figure = Figure(figsize=(WIDTH, self.height))
            FigureCanvasSVG(figure)
            self.draw_into(figure, theme)
            return drawing(figure, self.key)


@dataclass(frozen=True)
class Section:
    """One part of a document: its figures, tables `beside` each other, then tables below each other.

    Args:
        anchor: what a link to it ends in: a letter, then letters, digits, ``-`` and ``_``; no other section
            of the document has it.
        title: heading.
        tables: below each other.
        figures: shown first.
        beside: small tables, next to each other where there is room.
    """

    anchor: str
    title: str
    tables: tuple[Table, ...] = ()
    figures: tuple[Picture, ...] = ()
    beside: tuple[Table, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.tables or self.figures or self.beside)

    @property
    def long(self) -> bool:
        """Whether it begins a new page of paper."""
        return bool(self.figures)

    @property
    def sideways(self) -> bool:
        """Whether it begins with a table for which paper is held sideways, and goes on like that."""
        return not (self.figures or self.beside) and self.tables[0].wide

    @property
    def narrow(self) -> bool:
        """Whether the tables beside each other fit three columns of a page."""
        return all(table.across <= COLUMN for table in self.beside)


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
        glance: the answers a reader wants before anything else: a question in a few words, and its answer.
    """

    title: str
    subtitle: str
    label: str
    headline: Sequence[tuple[str, str, str]]
    sections: Sequence[Section]
    caveats: Sequence[str]
    glance: Sequence[tuple[str, str]] = ()

    @property
    def simulated(self) -> bool:
        """Whether the label says that the prices are simulated."""
        return "simulated" in self.label.lower()


def check_names(sections: Sequence[Section]) -> None:
    """Refuse sections that a link cannot tell apart, and figures whose parts a page could mix up."""
    taken = set(OWN_ANCHORS)
    for section in sections:
        anchor = section.anchor
        if not isinstance(anchor, str) or not ANCHOR.fullmatch(anchor):
            raise ParameterError(
                f"the anchor of a section is {shown(anchor)}: give a letter, then letters, digits, - and _"
            )
        if anchor in taken:
            raise ParameterError(
                f"two parts of the document have the anchor {shown(anchor)}: give each section its own"
            )
        taken.add(anchor)
    keys = [figure.key for section in sections for figure in section.figures]
    for key in keys:
        if not isinstance(key, str) or not ANCHOR.fullmatch(key):
            raise ParameterError(
                f"a figure is called {shown(key)}: give a letter, then letters, digits, - and _"
            )
        if keys.count(key) > 1:
            raise ParameterError(
                f"two figures of the document are called {shown(key)}: give each its own name"
            )


def rendered(document: Document) -> str:
    """Return a document as HTML; everything that is not the template's own is escaped.

    The page's own script is allowed by its hash, so that no other script can run whatever a title may hold.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    check_names(document.sections)
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("report.html.j2").render(
        document=document,
        sections=[part for part in document.sections if not part.empty],
        generator=f"entrepot {__version__}",
        style=Markup(palette() + "\n" + (TEMPLATES / "report.css").read_text(encoding="utf-8")),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        drawn=Markup,
    )
    return printable(page)


def write_document(document: Document, target: Path) -> None:
    """Write a document as one HTML file, whole or not at all."""
    page = rendered(document).encode("utf-8")
    write_whole(target, lambda file: file.write(page))
