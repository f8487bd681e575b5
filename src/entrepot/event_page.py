"""An event study as a part of a report: its answers in words, the paths drawn, and the tables behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from entrepot.event_design import OUTSIDE, SIDES
from entrepot.event_words import (
    HINDSIGHT,
    answers,
    days,
    events_of,
    most_dated,
    opening,
    path_label,
    path_of,
    picture_note,
    picture_title,
    spoken,
)
from entrepot.reports.pages.document import Picture, Section
from entrepot.reports.pages.tables import Table, frame_table
from entrepot.reports.pictures.event_paths import MOST, draw_paths

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from entrepot.reports.pictures.style import Theme
    from entrepot.studies import EventStudy

TITLE = "Event study"
HEIGHT = 3.1  # inches, of the picture
TESTS = ("p_clustered", "p_flip", "p_placebo", "p_bmp_kp", "p_portfolio")
TESTED = (
    "p-values, two-sided: between independent dates, over all their signs, at random dates; then allowing "
    "for the correlation of lines, and for how their mean moved before. n/a: not defined."
)
COUNTED = {"n": "lines at dates"}
COLUMNS = {
    "known_at": "known at", "day0": "day 0", "channel": "channel", "direction": "direction",
    "securities": "lines", "car": "car", "t": "t", "p": "p", "title": "title", "why_not": "not studied",
}  # fmt: skip
EVENTS = (
    "The mean of the lines over the first window, against how their mean moved before (t, p): a date alone "
    "tells little, and those of one episode tell the same."
)


def sections(study: EventStudy, anchor: str) -> tuple[Section, ...]:
    """Return the sections of a document; see `EventStudy.sections`."""
    said = pd.Series({spoken(group): text for group, text in answers(study).items()}, name="answer")
    notes = pd.DataFrame({"note": [note for note in study.notes if note != HINDSIGHT]})
    tables = (
        frame_table(said.to_frame(), "Answers", opening(study), corner="events"),
        windows_table(study),
        frame_table(notes, "What to know"),
        days_table(study),
        events_table(study),
    )
    return (Section(anchor, TITLE, tables, (picture(study, anchor),)),)


def unit(study: EventStudy) -> str:
    """Name the unit of what was measured, times 100."""
    return "%" if study.measure == "return" else "% points"


def picture(study: EventStudy, anchor: str) -> Picture:
    """Draw the paths of the groups of most dates."""
    named = most_dated(study, MOST)
    own = events_of(study, named)

    def fill(figure: Figure, theme: Theme) -> None:
        figure.subplots_adjust(left=0.09, right=0.62, bottom=0.16, top=0.9)
        axes = figure.add_subplot()
        draw_paths(
            axes, study.table.loc[list(named)], path_of(study), theme, HEIGHT, ylabel=path_label(study)
        )

    alt = f"{picture_title(study, own)}: lines by event day with their bands."
    return Picture(f"{anchor}-paths", HEIGHT, alt, fill, picture_note(own, len(study.groups) - len(named)))


def windows_table(study: EventStudy) -> Table:
    """Return every window of every group."""
    own = study.windows
    names = [f"{spoken(group)}, {days(part)}" for group, part in own.index]
    table = own[["n", "dates", "independent"]].astype(int).rename(columns=COUNTED)
    for name in ("mean", "low", "high"):
        table[f"{name} [{unit(study)}]"] = 100 * own[name]
    return frame_table(
        table.join(own[list(TESTS)]).set_axis(names), "Windows", TESTED, corner="events", digits=3
    )


def days_table(study: EventStudy) -> Table:
    """Return every day of every group."""
    own = study.table
    names = [f"{spoken(group)}, day {day}" for group, day in own.index]
    table = own[["n", "dates"]].astype(int).rename(columns=COUNTED)
    shown = {"aar": "day", "caar": "cumulated"} if study.measure == "return" else {"aar": "day"}
    for column, name in shown.items():
        for end in ("", "_low", "_high"):
            table[f"{name}{end} [{unit(study)}]"] = 100 * own[f"{column}{end}"]
    return frame_table(table.set_axis(names), "Day by day", corner="events", folded=True)


def events_table(study: EventStudy) -> Table:
    """Return every event within the market."""
    own = study.events[study.events["why_not"] != OUTSIDE][list(COLUMNS)]
    own["car"] *= 100
    own["direction"] = own["direction"].map(SIDES)
    return frame_table(
        own.rename(columns=COLUMNS | {"car": f"car [{unit(study)}]"}), "Events", EVENTS, folded=True
    )
