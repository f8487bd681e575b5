"""The page that says whether a sweep's best configuration is skill or luck: drawn, or as a document."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.doubt.verdict import chance, judged, many, median_beside, plural, probability, ratio_column
from entrepot.doubt.walk_choice import ratio
from entrepot.files import check_target
from entrepot.reports.metrics import SESSIONS_PER_YEAR
from entrepot.reports.pages.document import SUFFIXES, Document, Picture, Section, write_document
from entrepot.reports.pages.tables import Table, frame_table, mapping_table
from entrepot.reports.pictures.significance import PANELS, Drawn, draw_page, draw_panel, title_of
from entrepot.reports.pictures.style import LIGHT, Size, Theme, number
from entrepot.reports.tear_sheet import SUFFIXES as PICTURES, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from entrepot.doubt.significance import Significance

TITLE = "Skill or luck?"
PASSED = {True: "yes", False: "no", None: "not known"}
DECIDES = (
    "Luck: more than luck where all that are known are passed, luck where neither of the first two is; "
    "weaknesses decide nothing."
)
CHANGING = (
    "Each configuration was run alone from the first session on; the cost of changing from one to another is "
    "an estimate, the turnover between their weights at what trading cost them on average."
)
ADDED = "Dearer trading is a flat fee on every fill: for twice the costs, what trading cost on average."
BESIDE = "One parameter a step up or down, all others the same."
CAVEATS = (
    "Only trials that were counted are held against the result: those of this sweep and those given as made "
    "elsewhere. What others tried on the same years, and what was looked at before the sweep, is not known.",
    "What luck shows is told by the spread of the trials' own Sharpe ratios. Where they differ in skill, the "
    "spread is wider than luck alone makes it, and the deflated ratio is too strict.",
    "All tests take the future to be like these years. They say nothing about what has changed since.",
)
# Left edge of the axes where names stand before them, as a share of the width.
LEFT = {"intervals": 0.2, "terms": 0.46}
# What each panel shows, for those who cannot see it, and a line below it.
SAID = {
    "trials": "Histogram of the trials' Sharpe ratios, with lines at the best and at what luck shows.",
    "intervals": "Sharpe ratios as points with their bootstrap intervals.",
    "splits": "Histogram of the logit of the rank, in one half of history, of the best of the other half.",
    "halves": "Scatter of the Sharpe ratio of the best of one half of history, in that half and the other.",
    "chosen": "Growth of the configuration chosen again and again, and of the one that turned out best.",
    "terms": "Bars of the best configuration's Sharpe ratio under other costs and terms of borrow.",
}


def draw(found: Significance, path: str | os.PathLike[str] | None, size: Size) -> NDArray[Any]:
    """Draw the page; see `Significance.plot`."""
    target = None if path is None else check_target(path, PICTURES)
    axes = draw_page(pictured(found), size)
    if target is not None:
        save(axes[0].get_figure(root=True), target, LIGHT)
    return axes


def pictured(found: Significance) -> Drawn:
    """Choose what the page shows."""
    empty = np.empty(0)
    crossed, walked, own = found.overfitting, found.walk_forward, judged(found)
    column = ratio_column(found)
    year = SESSIONS_PER_YEAR**0.5
    whom = "" if found.best is None else f"Configuration {found.best} of "
    title = f"{TITLE} {whom}{plural(found.trials.counted, 'trial')} ({found.label})"
    lines = {
        f"luckiest of {found.trials.counted:,} without skill": own.luckiest,
        f"of {many(found.trials.independent)} independent ones": own.luckiest_independent,
    }
    rows = {
        name: (odds.sharpe, odds.low, odds.high, odds.luckiest_independent)
        for name, odds in (("by session", found.daily), ("by month", found.monthly))
    }
    chosen = pd.DataFrame()
    if walked is not None:
        rows["chosen anew"] = (ratio(walked.charged, found.by_month), *found.walk_interval, np.nan)
        chosen = pd.DataFrame(
            {
                f"chosen anew {len(walked.table)} times, changes charged": walked.charged.clip(lower=-1.0),
                "the one that turned out best": walked.hindsight,
            }
        )
    intervals = pd.DataFrame.from_dict(rows, orient="index", columns=["ratio", "low", "high", "luck"])
    terms = found.sensitivity[column]
    if len(found.neighbours):
        name = f"median of {plural(len(found.neighbours), 'neighbour')}"
        terms = pd.concat([terms, pd.Series({name: median_beside(found)})])
    return Drawn(
        title=title,
        words=tuple(found.sentences.values()),
        period="month" if found.by_month else "session",
        ratios=found.ratios[column].dropna().to_numpy(dtype=np.float64),
        best=own.sharpe,
        luckiest=lines,
        intervals=intervals,
        logits=empty if crossed is None else crossed.logits,
        overfit=np.nan if crossed is None else crossed.probability,
        inside=empty if crossed is None else crossed.in_sample * year,
        outside=empty if crossed is None else crossed.out_of_sample * year,
        slope=np.nan if crossed is None else crossed.slope,
        intercept=np.nan if crossed is None else crossed.intercept * year,
        chosen=chosen,
        terms=terms,
        reasons=reasons(found),
    )


def reasons(found: Significance) -> dict[str, str]:
    """Say which panels are empty, and why."""
    if found.best is None:
        return dict.fromkeys(PANELS, "nothing to show")
    told = {}
    if found.overfitting is None or np.isnan(found.overfitting.logits).all():
        told = dict.fromkeys(("splits", "halves"), found.missing["overfitting"] or "no ratio in any half")
    if found.walk_forward is None:
        told["chosen"] = found.missing["walk_forward"]
    return told


def picture(name: str, shown: Drawn) -> Picture:
    """Draw a panel of a document."""

    def fill(figure: Figure, theme: Theme) -> None:
        figure.subplots_adjust(left=LEFT.get(name, 0.12), bottom=0.17)
        draw_panel(name, figure.add_subplot(), shown, theme)

    return Picture(f"significance-{name}", 2.9, f"{title_of(name, shown)}. {SAID[name]}", fill)


def sections(found: Significance) -> tuple[Section, ...]:
    """Return the sections of a document; see `Significance.sections`."""
    words = pd.Series(found.sentences, name="answer").to_frame()
    verdict = Section("significance", TITLE, (frame_table(words, "Verdict", corner="question"),))
    return (verdict, *evidence(found), came_from(found))


def came_from(found: Significance) -> Section:
    """Return the section on code, data, parameters, seed and trials."""
    table = mapping_table(found.provenance, "Provenance of the tests")
    return Section("significance-provenance", "Provenance of the tests", (table,))


def evidence(found: Significance) -> tuple[Section, ...]:
    """Return the sections that the verdict rests on."""
    if found.best is None:
        return (Section("significance-figures", "Figures", (figures_table(found),)),)
    shown = pictured(found)
    empty = reasons(found)
    asked = found.criteria.assign(passed=[PASSED[value] for value in found.criteria["passed"]])
    tables = [frame_table(asked, "Tests", f"The thresholds of the verdict. {DECIDES}", digits=3)]
    walked = () if found.walk_forward is None else (
        frame_table(found.walk_forward.table, "Walk-forward choice", CHANGING),
    )  # fmt: skip
    return (
        Section("significance-tests", "Tests", tuple(tables), tuple(
            picture(name, shown) for name in PANELS if name not in empty
        )),
        Section("significance-figures", "Figures", (figures_table(found),)),
        Section("significance-terms", "Other terms", (
            frame_table(found.sensitivity, "Costs and borrow", ADDED, corner="case"),
            frame_table(found.neighbours, "Neighbours", BESIDE),
        )),
        Section("significance-choice", "Walk-forward choice", walked),
    )  # fmt: skip


def figures_table(found: Significance) -> Table:
    """Return all figures as a table."""
    return frame_table(
        found.table, "Every figure", "n/a: not defined, or not worked out for the reason given."
    )


def write(found: Significance, path: str | os.PathLike[str]) -> Path:
    """Write the document; see `Significance.report`."""
    target = check_target(path, SUFFIXES)
    document = Document(
        title=TITLE,
        subtitle=subtitle(found),
        label=found.label,
        headline=headline(found),
        sections=(*evidence(found), came_from(found)),
        caveats=[*([found.caveat] if found.caveat else []), *CAVEATS],
        glance=tuple(found.sentences.items()),
    )
    write_document(document, target)
    return target


def subtitle(found: Significance) -> str:
    """Say in a line what was tested."""
    if found.best is None:
        return f"{found.trials.counted:,} trials"
    first, last = found.excess.index[0].date(), found.excess.index[-1].date()
    return (
        f"Configuration {found.best}, the best of {plural(found.trials.counted, 'trial')} by {found.metric}, "
        f"{first} to {last}, {len(found.excess):,} sessions"
    )


def headline(found: Significance) -> list[tuple[str, str, str]]:
    """Choose the main figures: name, value, a note in small print."""
    count, own = found.trials, judged(found)
    superior, crossed, walked = found.superiority, found.overfitting, found.walk_forward
    sure = f"{100 * found.confidence:g} %"
    return [
        (
            "Sharpe, session",
            number(found.daily.sharpe),
            f"{sure}: {number(found.daily.low)} to {number(found.daily.high)}",
        ),
        (
            "Sharpe, month",
            number(found.monthly.sharpe),
            f"{sure}: {number(found.monthly.low)} to {number(found.monthly.high)}",
        ),
        ("Trials", f"{count.counted:,}", f"as much as {many(count.independent)} independent ones"),
        (
            "Deflated Sharpe",
            probability(own.deflated_independent),
            f"all trials {probability(own.deflated)}; {found.confidence:g} is asked for",
        ),
        (
            "Superior ability p",
            "n/a" if superior is None or np.isnan(superior.p_consistent) else chance(superior),
            f"{len(found.better):,} found better than {found.benchmark}",
        ),
        (
            "Overfitting",
            number(np.nan if crossed is None else 100 * crossed.probability, 0, " %"),
            "of halves: best of one below median of the other",
        ),
        (
            "Chosen anew",
            number(np.nan if walked is None else ratio(walked.charged, found.by_month)),
            "" if walked is None else f"in hindsight {number(ratio(walked.hindsight, found.by_month))}",
        ),
    ]
