"""What a run's report says, on a screen and on paper alike: answers, sections in their order, caveats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import ArrayLike

from entrepot.errors import ParameterError, is_number, is_whole, shown
from entrepot.reports.pages import detail, sections as parts
from entrepot.reports.pages.caveats import caveats_of
from entrepot.reports.pages.document import Picture, Section
from entrepot.reports.pages.findings import Findings, gather
from entrepot.reports.pages.glance import glance
from entrepot.reports.pages.tables import Table, frame_table

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger


@dataclass(frozen=True, eq=False)
class Contents:
    """All that a report says.

    Args:
        found: the numbers.
        glance: the opening: questions and their answers.
        sections: in order, none empty.
        caveats: what a reader must know.
    """

    found: Findings
    glance: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    caveats: Sequence[str]


def contents_of(
    ledger: Ledger,
    *,
    states: ArrayLike | None,
    names: Sequence[str] | None,
    events: pd.DataFrame | None,
    premium: pd.DataFrame | None,
    title: str | None,
    benchmark: pd.Series[Any] | None,
    sessions: float,
    sensitivity: pd.DataFrame | None,
    extra: Mapping[str, pd.DataFrame] | None,
    sections: Sequence[Section],
    trials: int | None,
    caveats: Sequence[str],
    provenance: Mapping[str, str] | None,
    rows: int,
) -> Contents:
    """Check the arguments of `entrepot.reports.report`, which these are, and say what there is to say."""
    check_counts(rows, trials)
    check_tables(sensitivity, extra)
    check_words(caveats, provenance)
    check_sections(sections)
    found = gather(
        ledger, states=states, names=names, events=events, premium=premium, title=title, benchmark=benchmark,
        sessions=sessions,
    )  # fmt: skip
    shown_parts = sections_of(
        found, sensitivity=sensitivity, extra=extra, others=sections, trials=trials, provenance=provenance,
        rows=rows,
    )  # fmt: skip
    return Contents(found, glance(found, trials), shown_parts, caveats_of(found, caveats))


def sections_of(
    found: Findings,
    *,
    sensitivity: pd.DataFrame | None,
    extra: Mapping[str, pd.DataFrame] | None,
    others: Sequence[Section],
    trials: int | None,
    provenance: Mapping[str, str] | None,
    rows: int,
) -> list[Section]:
    """Return the sections of a report; the arguments are those of `entrepot.reports.report`."""
    diagnostics = tuple(
        frame_table(frame, name, str(frame.attrs.get("note", ""))) for name, frame in (extra or {}).items()
    )
    every = [
        parts.performance(found),
        detail.doubt(found, trials),
        parts.contributions(found),
        detail.attribution(found),
        parts.regimes(found),
        parts.events(found),
        parts.costs(found, sensitivity),
        parts.pairs(found),
        detail.held(found),
        Section("more", "Diagnostics", diagnostics),
        *others,
        parts.orders(found, rows),
        parts.provenance(found, provenance or {}),
    ]
    return [section for section in every if not section.empty]


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
