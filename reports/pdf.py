"""A report on paper: the tear sheet, then every table and word of the report, as a PDF of A4 pages."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pandas as pd
from numpy.typing import ArrayLike

from entrepot.files import check_target, write_whole
from entrepot.reports.pages import paper
from entrepot.reports.pages.contents import contents_of
from entrepot.reports.pages.document import Section, check_names
from entrepot.reports.pages.findings import Findings
from entrepot.reports.pictures.style import LIGHT
from entrepot.reports.tear_sheet import draw_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from entrepot.engine.result import Ledger

SUFFIXES = (".pdf",)
ON_TEAR_SHEET = ("equity", "drawdown", "exposure", "premium", "sources")


def pdf_report(
    ledger: Ledger,
    path: str | os.PathLike[str],
    *,
    states: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    events: pd.DataFrame | None = None,
    premium: pd.DataFrame | None = None,
    title: str | None = None,
    benchmark: pd.Series[Any] | None = None,
    sessions: float = 5,
    sensitivity: pd.DataFrame | None = None,
    extra: Mapping[str, pd.DataFrame] | None = None,
    sections: Sequence[Section] = (),
    trials: int | None = None,
    caveats: Sequence[str] = (),
    provenance: Mapping[str, str] | None = None,
    rows: int = 20,
) -> Path:
    """Write the report of a run as a PDF of A4 pages.

    The first page is the tear sheet; then come the answers, the tables and the caveats of the HTML report, in
    the same words, and those of its figures that are not on the tear sheet. Long tables go on over pages,
    wide ones are set in smaller type or in two, and nothing is cut. Text can be searched and copied. The same
    run and arguments give the same bytes.

    Args:
        ledger: a finished run.
        path: file to write, ``.pdf``; it is replaced whole or not at all.
        states: as in `report`, and so are all others.
        names: regimes; needed with `states`.
        events: as in `by_event`; None leaves events out.
        premium: parity premium as a fraction, sessions by ADR; None leaves the figure out.
        title: heading.
        benchmark: as in `summary`.
        sessions: length of an event's window, New York sessions.
        sensitivity: the result under other costs, one row per case.
        extra: further tables by title.
        sections: further parts of the report.
        trials: how many configurations were tried, this one included; None where that is not known.
        caveats: what else a reader must know, shown first.
        provenance: further lines on where the run came from, by name; "Run" stands at the foot of every page.
        rows: how many fills and dropped orders are shown from each end.

    Returns:
        The path written.

    Raises:
        ParameterError: where the file cannot be written, or an argument is not what it must be.
    """
    target = check_target(path, SUFFIXES)
    told = contents_of(
        ledger, states=states, names=names, events=events, premium=premium, title=title, benchmark=benchmark,
        sessions=sessions, sensitivity=sensitivity, extra=extra, sections=sections, trials=trials,
        caveats=caveats, provenance=provenance, rows=rows,
    )  # fmt: skip
    check_names(told.sections)
    flow = paper.Flow()
    flow.heading("At a glance")
    for question, answer in told.glance:
        flow.paragraph(answer, head=question)
    for section in told.sections:
        write_section(flow, section)
    flow.heading("Caveats")
    for caveat in told.caveats:
        flow.paragraph(caveat)
    foot = paper.foot_of(provenance or {})
    write_whole(target, lambda file: write_pages(file, told.found, flow.pages, foot))
    return target


def write_section(flow: paper.Flow, section: Section) -> None:
    """Write a section's figures that are not on the tear sheet, then its tables."""
    figures = [figure for figure in section.figures if figure.key not in ON_TEAR_SHEET]
    tables = (*section.beside, *section.tables)
    if not (figures or tables):
        return
    following = 72.0 * figures[0].height if figures else paper.laid_out(tables[0])[0].least
    flow.heading(section.title, following)
    for figure in figures:
        flow.picture(figure)
    flow.beside(section.beside)
    for table in section.tables:
        flow.table(table)


def write_pages(file: BinaryIO, found: Findings, pages: Sequence[paper.Page], foot: str) -> None:
    """Write the tear sheet and the pages after it into one PDF, without dates."""
    from matplotlib.backends.backend_pdf import PdfPages

    about = {
        "Title": f"{found.title} ({found.label})",
        "Creator": "entrepot",
        "Producer": None,
        "CreationDate": None,
    }
    # Fonts are written when the file is closed, in the way they were chosen when the pages were drawn.
    with LIGHT.active(), PdfPages(file, metadata=about) as pdf:
        for figure in figures_of(found, pages, foot):
            pdf.savefig(figure)


def figures_of(found: Findings, pages: Sequence[paper.Page], foot: str) -> Sequence[Figure]:
    """Draw the tear sheet and the pages after it, each with its number and foot."""
    count = len(pages) + 1
    sheet = draw_page(found)
    paper.stamp(sheet, foot, f"1 of {count}")
    figures = [sheet]
    with LIGHT.active():
        for number, page in enumerate(pages, start=2):
            around = paper.running(found.title, found.label, foot, number, count)
            figures.append(paper.drawn_page([*around, *page]))
    return figures
