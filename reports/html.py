"""A report in one file: figures, tables and caveats, readable on a phone, nothing fetched from anywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import ArrayLike

from entrepot.errors import ParameterError, is_number, is_whole, shown
from entrepot.reports.pages.caveats import caveats_of
from entrepot.reports.pages.contents import sections_of
from entrepot.reports.pages.document import SUFFIXES, Document, Picture, Section, write_document
from entrepot.reports.pages.files import check_target
from entrepot.reports.pages.findings import gather
from entrepot.reports.pages.glance import glance
from entrepot.reports.pages.page_text import headline
from entrepot.reports.pages.tables import Table
from entrepot.reports.pictures.style import money

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger


def report(
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
    """Write the report of a run as one HTML file.

    Nothing is fetched: figures are part of the page, and a content policy forbids the rest, all scripts but
    the page's own included. It follows the reader's light or dark scheme; tables can be sorted by a column;
    on paper everything is unfolded. The same run and arguments give the same bytes.

    The opening says in words what was earned, what paid for it, what it cost and whether to believe it; see
    `entrepot.reports.pages.glance.glance`.

    Args:
        ledger: a finished run.
        path: file to write, ``.html`` or ``.htm``; it is replaced whole or not at all.
        states: (T,) integers into `names`, the regime decided at each step; None leaves regimes out.
        names: regimes; needed with `states`.
        events: as in `by_event`; None leaves events out.
        premium: parity premium as a fraction, sessions by ADR; None leaves the figure out.
        title: heading.
        benchmark: as in `summary`.
        sessions: length of an event's window, New York sessions.
        sensitivity: the result under other costs, one row per case (borrow x1, x3, unavailable under stress).
        extra: further tables by title, such as fills at the signal's own closes against the next step; what
            stands under "note" in the ``attrs`` of one is written below its title.
        sections: further parts of the report, shown before orders and data.
        trials: how many configurations were tried before this one was chosen, itself included; None where
            that is not known, which the report says.
        caveats: what else a reader must know, shown first.
        provenance: further lines on where the run came from, by name.
        rows: how many fills and dropped orders are shown from each end.

    Returns:
        The path written.

    Raises:
        ParameterError: where the file cannot be written, or an argument is not what it must be.
    """
    target = check_target(path, SUFFIXES)
    check_counts(rows, trials)
    check_tables(sensitivity, extra)
    check_words(caveats, provenance)
    check_sections(sections)
    found = gather(
        ledger, states=states, names=names, events=events, premium=premium, title=title, benchmark=benchmark,
        sessions=sessions,
    )  # fmt: skip
    value = found.summary
    when = " to ".join(str(value[name].date()) for name in ("Start", "End") if value[name] is not pd.NaT)
    document = Document(
        title=found.title,
        subtitle=f"{when}, {value['Sessions']:,} sessions, capital {money(ledger.capital, found.currency)}",
        label=ledger.label,
        headline=headline(found),
        sections=sections_of(
            found, sensitivity=sensitivity, extra=extra, others=sections, trials=trials,
            provenance=provenance, rows=rows,
        ),
        caveats=caveats_of(found, caveats),
        glance=glance(found, trials),
    )  # fmt: skip
    write_document(document, target)
    return target


def check_counts(rows: object, trials: object) -> None:
    """Refuse counts that are none."""
    if not (is_whole(rows) and rows >= 1):
        raise ParameterError(f"rows is {shown(rows)}: give how many fills to show from each end, at least 1")
    if trials is not None and not (is_whole(trials) and trials >= 1):
        raise ParameterError(
            f"trials is {shown(trials)}: give how many configurations were tried, this one included, or None"
        )


def check_words(caveats: object, provenance: object) -> None:
    """Refuse caveats that are not a list of sentences, and provenance without names."""
    if isinstance(caveats, str) or not isinstance(caveats, Sequence):
        raise ParameterError(f"caveats is of type {type(caveats).__name__}: give a list of sentences")
    if odd := [caveat for caveat in caveats if not isinstance(caveat, str)]:
        raise ParameterError(f"a caveat is {shown(odd[0])}: give each as a sentence")
    if provenance is not None and not isinstance(provenance, Mapping):
        raise ParameterError(
            f"provenance is of type {type(provenance).__name__}: give a mapping of names to text"
        )


def check_sections(sections: object) -> None:
    """Refuse what is not a sequence of sections, or holds what no document can show."""
    if not isinstance(sections, Sequence) or not all(isinstance(part, Section) for part in sections):
        raise ParameterError(f"sections is {shown(sections)}: give a list of sections of a document")
    for part in sections:
        tables = all(isinstance(one, Table) for one in (*part.tables, *part.beside))
        figures = all(isinstance(one, Picture) for one in part.figures)
        if not (isinstance(part.title, str) and tables and figures):
            raise ParameterError(
                f"the section {shown(part.anchor)} has a title, table or figure of another type: give text, "
                "Tables, as frame_table makes them, and Pictures"
            )
        for one in part.figures:
            words = isinstance(one.alt, str) and isinstance(one.caption, str)
            if not (words and is_number(one.height) and one.height > 0):
                raise ParameterError(
                    f"the figure {shown(one.key)} has no height in inches, or words that are no text"
                )


def check_tables(sensitivity: object, extra: object) -> None:
    """Refuse tables that are not frames."""
    if sensitivity is not None and not isinstance(sensitivity, pd.DataFrame):
        raise ParameterError(
            f"sensitivity is of type {type(sensitivity).__name__}: give a DataFrame, one row per case"
        )
    frames = extra.values() if isinstance(extra, Mapping) else None
    if extra is not None and (frames is None or not all(isinstance(f, pd.DataFrame) for f in frames)):
        raise ParameterError(
            f"extra is of type {type(extra).__name__}: give a mapping of titles to DataFrames"
        )
    titles = list(extra) if isinstance(extra, Mapping) else []
    if odd := [title for title in titles if not isinstance(title, str)]:
        raise ParameterError(f"a table of extra has the title {shown(odd[0])}: give text")
