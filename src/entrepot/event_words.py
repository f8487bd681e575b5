"""What an event study says in words: its findings, what it takes for granted, what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entrepot.event_design import CONTEXT, NO_DATA, OUTSIDE, Design
from entrepot.event_panels import OWN_MEAN, Sample

if TYPE_CHECKING:
    from entrepot.studies import EventStudy

HINDSIGHT = (
    "Which events are in the calendar, their direction and their severity were written with hindsight, and "
    "prices before, at and after them are looked at: a study describes, and none of it could be traded."
)
RANDOM = {"p_clustered": "between dates", "p_flip": "with random signs", "p_placebo": "at random dates"}


# -- what was found ------------------------------------------------------------------------------------------


def opening(study: EventStudy) -> str:
    """Say what was measured, beyond what, and where the prices come from."""
    what = "premia" if study.measure == "premium" else "log returns"
    return f"Abnormal {what} around events, beyond {beyond(study.versus)} ({study.label})."


def answers(study: EventStudy) -> dict[str, str]:
    """Return a sentence for each group: how much over the first window, over how many dates, and how sure."""
    unit = "pp" if study.measure == "premium" else "%"
    return {group: answer(study.windows.loc[group].iloc[0], unit) for group in study.groups}


def answer(row: pd.Series[Any], unit: str) -> str:
    """Say what one group did over one window; a row of `EventStudy.windows`."""
    when = days(str(row.name))
    if not np.isfinite(row["mean"]):
        return f"{when}: no abnormal return."
    dates, own = int(row["dates"]), int(row["independent"])
    band = f"95 % band {100 * row['low']:+.2f} to {100 * row['high']:+.2f}"
    among = f"{dates} dates, {own} of them independent" if dates > 1 else "1 date"
    # Of one date the signs have two patterns, which are equally far from zero.
    named = {p: words for p, words in RANDOM.items() if np.isfinite(row[p]) and (own > 1 or p != "p_flip")}
    ps = ", ".join(f"{row[p]:.3f} {words}" for p, words in named.items())
    return (
        f"{when}: {100 * row['mean']:+.2f} {unit} on average, "
        f"{band if np.isfinite(row['low']) else 'no band'}, over {among}{'; p ' if ps else ''}{ps}."
    )


def days(part: str) -> str:
    """Name the days of a window, "0" or "-1 to 1"."""
    return f"{'days' if ' to ' in part else 'day'} {part}"


def spoken(group: str) -> str:
    """Return the name of a group of events as words."""
    return group.replace("_", " ")


def beyond(versus: dict[str, str]) -> str:
    """Name what was expected."""
    names = list(dict.fromkeys(versus.values()))
    if len(names) == 1:
        return names[0]
    return ", ".join(f"{name} ({venue})" for venue, name in versus.items())


def against(versus: dict[str, str]) -> str:
    """Name what must have a return beside a line's own, as the rest of a sentence; "" where nothing must."""
    names = [name for name in dict.fromkeys(versus.values()) if name != OWN_MEAN]
    return f" beside those of {' or '.join(names)}" if names else ""


# -- the picture and its words -------------------------------------------------------------------------------


def path_of(study: EventStudy) -> str:
    """Name the column of `EventStudy.table` that is drawn: cumulated, or of premia, which are levels, not."""
    return "caar" if study.measure == "return" else "aar"


def path_label(study: EventStudy) -> str:
    """Say what that column is, times 100."""
    returns = study.measure == "return"
    return "Cumulated abnormal return, %" if returns else "Premium less its mean before, pp"


def most_dated(study: EventStudy, most: int) -> tuple[str, ...]:
    """Return so many groups at most, those of most dates, in the study's order."""
    dates = study.table["dates"].groupby(level="group", sort=False).max()
    kept = dates.sort_values(ascending=False, kind="stable").index[:most]
    return tuple(group for group in study.groups if group in kept)


def events_of(study: EventStudy, groups: Sequence[str]) -> pd.DataFrame:
    """Return the rows of the events that are studied in some of the groups."""
    return study.events[(study.events["securities"] > 0) & study.events["group"].isin(groups)]


def picture_title(study: EventStudy, drawn: pd.DataFrame) -> str:
    """Return the title over the paths of some of the events."""
    lines = study.pairs.index.get_level_values("symbol").nunique()
    what = "premia" if study.measure == "premium" else "lines"
    return f"{lines} {what} around {len(drawn)} events, beyond {beyond(study.versus)} ({study.label})"


def picture_note(drawn: pd.DataFrame, left_out: int) -> str:
    """Return what stands below the paths of some of the events, other groups being left out."""
    dated = int(drawn["date_only"].sum())
    said = [
        "Bands hold 95 % of the mean between independent dates.",
        f"Known by date only: {dated} of the events, which count from its end; the answer to them may stand "
        "on day -1.",
        f"Groups that are not drawn: {left_out}.",
        HINDSIGHT,
    ]
    kept = [True, dated > 0, left_out > 0, True]
    return " ".join(text for text, keep in zip(said, kept, strict=True) if keep)


# -- what to know --------------------------------------------------------------------------------------------


def assumed(design: Design) -> list[str]:
    """Return what the study takes for granted, a sentence each."""
    notes = [
        "Day 0 is the first session of a line's venue whose close is after the event was known; one known at "
        "the close belongs to the next session."
    ]
    if design.average:
        return [
            *notes,
            "Premia are levels whose days depend on each other: over windows, tests that take the variance "
            "from the estimation window (patell, portfolio, rank) are too sure; dates, flip and placebo are "
            "not.",
        ]
    for panel in design.panels:
        notes.append(f"Lines of {panel.venue} are measured beyond {panel.versus} ({panel.model}).")
        if panel.versus != OWN_MEAN:
            notes.append(f"What an event did to {panel.versus} itself is not in their abnormal returns.")
    if not design.together:
        notes.append(
            "Lines of venues with different sessions do not stand on the same days row by row: tests that "
            "ask how they moved together before (patell_kp, bmp_kp, rank, grank, portfolio, bands of fewer "
            "than three dates) are not defined; study one venue at a time for them."
        )
    return notes


def counted(rows: pd.DataFrame, every: Sample, design: Design) -> list[str]:
    """Return what was left out or is to be known of the events, a sentence each."""
    used = every.pick(every.usable)
    own = rows[rows["why_not"] == ""]
    first, last = design.windows.event
    short = pd.Series(every.symbol[~every.usable]).value_counts()
    missing = ", ".join(f"{name} at {count}" for name, count in short.items())
    gaps = np.isfinite(used.abnormal.value) & (used.abnormal.span > 1)
    said = [
        (f"Of {len(rows)} events not studied, {why}", (rows["why_not"] == why).sum(), "")
        for why in (OUTSIDE, CONTEXT, NO_DATA)
    ] + [
        (
            "Events known by date, which count as known at its end",
            own["date_only"].sum(),
            "; the answer to them may stand on day -1",
        ),
        (
            "Events that share their session with another",
            (own["same_session"] > 0).sum(),
            "; a group counts it once",
        ),
        (
            f"Events with a window, day {first} to {last}, that overlaps another event's",
            (own["overlapping"] > 0).sum(),
            "",
        ),
        (
            "Events with others in their estimation window, which makes abnormal returns look usual",
            (own["in_estimation"] > 0).sum(),
            "",
        ),
        (
            "Events whose window runs out of the market, so that later days have fewer",
            own["cut_off"].sum(),
            "",
        ),
        (
            f"Lines at events left out, with fewer than {design.windows.least} returns in the estimation "
            "window or none in the event window",
            len(every.event) - len(used.event),
            f" ({missing})",
        ),
        ("Abnormal returns that cover a gap in prices and stand at its end", gaps.sum(), ""),
    ]
    return [f"{words}: {count:,}{more}." for words, count, more in said if count]


def multiple(groups: int) -> list[str]:
    """Return what to say of several groups."""
    if groups == 1:
        return []
    return [f"{groups} groups are tested: of p-values of nothing, one in twenty lies below 0.05."]
