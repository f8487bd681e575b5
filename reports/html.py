"""A report in one file: figures, tables and caveats, readable on a phone, nothing fetched from anywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import ArrayLike

from entrepot.errors import ParameterError
from entrepot.reports.pages import sections
from entrepot.reports.pages.caveats import caveats_of
from entrepot.reports.pages.document import SUFFIXES, Document, Section, write_document
from entrepot.reports.pages.files import check_target
from entrepot.reports.pages.findings import gather
from entrepot.reports.pages.page_text import headline
from entrepot.reports.pages.tables import frame_table
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
    caveats: Sequence[str] = (),
    provenance: Mapping[str, str] | None = None,
    rows: int = 20,
) -> Path:
    """Write the report of a run as one HTML file.

    No script, no font, no image is fetched: figures are part of the page and a content policy forbids the
    rest. It follows the reader's light or dark scheme. The same run and arguments give the same bytes.

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
        extra: further tables by title, such as fills at the signal's own closes against the next step.
        caveats: what else a reader must know, shown first.
        provenance: further lines on where the run came from, by name.
        rows: how many fills and dropped orders are shown from each end.

    Returns:
        The path written.

    Raises:
        ParameterError: where the file cannot be written, or `states`, `names`, `rows` or tables do not fit.
    """
    if rows < 1:
        raise ParameterError(f"rows is {rows!r}: give how many fills to show from each end, at least 1")
    target = check_target(path, SUFFIXES)
    check_tables(sensitivity, extra)
    found = gather(
        ledger, states=states, names=names, events=events, premium=premium, title=title, benchmark=benchmark,
        sessions=sessions,
    )  # fmt: skip
    tables = tuple(frame_table(frame, name) for name, frame in (extra or {}).items())
    parts = [
        sections.performance(found),
        sections.contributions(found),
        sections.regimes(found),
        sections.events(found),
        sections.costs(found, sensitivity),
        sections.pairs(found),
        Section("more", "Diagnostics", tables),
        sections.orders(found, rows),
        sections.provenance(found, provenance or {}),
    ]
    value = found.summary
    when = " to ".join(str(value[name].date()) for name in ("Start", "End") if value[name] is not pd.NaT)
    document = Document(
        title=found.title,
        subtitle=f"{when}, {value['Sessions']:,} sessions, capital {money(ledger.capital, found.currency)}",
        label=ledger.label,
        headline=headline(found),
        sections=parts,
        caveats=caveats_of(found, caveats),
    )
    write_document(document, target)
    return target


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
