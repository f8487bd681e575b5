"""A report in one file: figures, tables and caveats, readable on a phone, nothing fetched from anywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import ArrayLike

from entrepot.files import check_target
from entrepot.reports.pages.contents import contents_of
from entrepot.reports.pages.document import SUFFIXES, Document, Section, write_document
from entrepot.reports.pages.page_text import headline
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
    told = contents_of(
        ledger, states=states, names=names, events=events, premium=premium, title=title, benchmark=benchmark,
        sessions=sessions, sensitivity=sensitivity, extra=extra, sections=sections, trials=trials,
        caveats=caveats, provenance=provenance, rows=rows,
    )  # fmt: skip
    found = told.found
    value = found.summary
    when = " to ".join(str(value[name].date()) for name in ("Start", "End") if value[name] is not pd.NaT)
    document = Document(
        title=found.title,
        subtitle=f"{when}, {value['Sessions']:,} sessions, capital {money(ledger.capital, found.currency)}",
        label=ledger.label,
        headline=headline(found),
        sections=told.sections,
        caveats=told.caveats,
        glance=told.glance,
    )
    write_document(document, target)
    return target
