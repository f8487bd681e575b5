"""The sections of a run's report in their order, on a screen and on paper alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from entrepot.reports.pages import detail, sections
from entrepot.reports.pages.document import Section
from entrepot.reports.pages.findings import Findings
from entrepot.reports.pages.tables import frame_table


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
        sections.performance(found),
        detail.doubt(found, trials),
        sections.contributions(found),
        detail.attribution(found),
        sections.regimes(found),
        sections.events(found),
        sections.costs(found, sensitivity),
        sections.pairs(found),
        detail.held(found),
        Section("more", "Diagnostics", diagnostics),
        *others,
        sections.orders(found, rows),
        sections.provenance(found, provenance or {}),
    ]
    return [section for section in every if not section.empty]
