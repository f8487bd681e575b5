"""Exports, reports and pictures that cannot be written or read, and studies and monitors of nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from robustness.cases import Case
from robustness.small import LOOSE_DATES, LOOSE_TIMES, market, path, run, weights

import entrepot as ep
from entrepot.errors import DataError, EntrepotError, ParameterError, shown
from entrepot.export import seal
from entrepot.reports import by_regime, overfitting, sharpe_interval
from entrepot.reports.abnormal import abnormal_returns

EVENTS = ep.load_events()


@cache
def monitor() -> ep.DiscountMonitor:
    return ep.discount_monitor(market())


@cache
def whole() -> dict[str, bytes]:
    """The files of an export."""
    with TemporaryDirectory() as folder:
        run().export(folder)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def read(folder: Path, spoil: Callable[[Path], object]) -> ep.Export:
    """Read an export that was spoilt."""
    for name, content in whole().items():
        (folder / name).write_bytes(content)
    spoil(folder)
    return ep.read_export(folder)


def edited(folder: Path, sealed: bool = True, **changes: Any) -> None:
    """Change what a manifest says, and seal it again as if it were the export's own."""
    file = folder / "manifest.json"
    content = json.loads(file.read_text()) | changes
    told = content.pop("sha256")
    file.write_text(json.dumps(content | {"sha256": seal(content) if sealed else told}))


def doubled(folder: Path) -> None:
    """A row of the fills twice."""
    file = folder / "fills.csv"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines, lines[-1]]))


def in_place(path: Path) -> None:
    """A folder where a file was."""
    path.unlink()
    path.mkdir()


def one(table: str, **changes: Any) -> dict[str, Any]:
    """What a manifest says of its tables, of one of them something else."""
    tables = json.loads(whole()["manifest.json"])["tables"]
    return tables | {table: tables[table] | changes}


BAD_EXPORTS: dict[str, tuple[Callable[[Path], Any], type[EntrepotError], str]] = {
    "nothing": (lambda f: ep.read_export(None), ParameterError, "the folder is None"),
    "a number": (lambda f: ep.read_export(5), ParameterError, "the folder is 5"),
    "no folder": (lambda f: ep.read_export(f / "absent"), ParameterError, "is no folder"),
    "an empty folder": (lambda f: ep.read_export(f), DataError, "holds no manifest.json"),
    "a file": (
        lambda f: read(f, lambda f: None) and ep.read_export(f / "fills.csv"),
        ParameterError,
        "is no folder",
    ),
    "a name that is too long": (
        lambda f: ep.read_export("x" * 5000),
        ParameterError,
        "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx... is",
    ),
    "a zero byte": (lambda f: ep.read_export("a\0b"), ParameterError, "'a\\x00b' is no folder"),
    "two lines": (lambda f: ep.read_export("a\nb"), ParameterError, "'a\\nb' is no folder"),
    "a missing table": (lambda f: read(f, lambda f: (f / "fills.csv").unlink()), DataError, "is missing"),
    "a truncated table": (
        lambda f: read(f, lambda f: (f / "fills.csv").write_bytes(whole()["fills.csv"][:-20])),
        DataError,
        "is damaged or has been edited since it was written",
    ),
    "an empty table": (
        lambda f: read(f, lambda f: (f / "fills.csv").write_bytes(b"")),
        DataError,
        "is damaged or has been edited since it was written",
    ),
    "a row twice": (
        lambda f: read(f, doubled),
        DataError,
        "is damaged or has been edited since it was written",
    ),
    "another table's rows": (
        lambda f: read(f, lambda f: (f / "fills.csv").write_bytes(whole()["equity.csv"])),
        DataError,
        "is damaged or has been edited since it was written",
    ),
    "a table saved by a spreadsheet": (
        lambda f: read(
            f, lambda f: (f / "equity.csv").write_bytes(whole()["equity.csv"].replace(b"\n", b"\r\n"))
        ),
        DataError,
        "is damaged or has been edited since it was written",
    ),
    "a folder in place of a table": (
        lambda f: read(f, lambda f: in_place(f / "fills.csv")),
        DataError,
        "is no plain file",
    ),
    "no manifest": (
        lambda f: read(f, lambda f: (f / "manifest.json").unlink()),
        DataError,
        "holds no manifest.json",
    ),
    "an empty manifest": (
        lambda f: read(f, lambda f: (f / "manifest.json").write_bytes(b"")),
        DataError,
        "is damaged, it is no JSON",
    ),
    "a manifest of garbage": (
        lambda f: read(f, lambda f: (f / "manifest.json").write_bytes(b"\xff\x00{")),
        DataError,
        "is damaged, it is no JSON",
    ),
    "a manifest that is a list": (
        lambda f: read(f, lambda f: (f / "manifest.json").write_text("[]")),
        DataError,
        "is no manifest of an export",
    ),
    "a manifest nested without end": (
        lambda f: read(f, lambda f: (f / "manifest.json").write_text("[" * 100_000)),
        DataError,
        "is damaged, it is no JSON",
    ),
    "a folder in place of the manifest": (
        lambda f: read(f, lambda f: in_place(f / "manifest.json")),
        DataError,
        "is no plain file",
    ),
    "another label": (
        lambda f: read(f, lambda f: edited(f, sealed=False, label="real prices")),
        DataError,
        "has been edited since it was written",
    ),
    "another kind": (
        lambda f: read(f, lambda f: edited(f, kind="a listing")),
        DataError,
        "is no manifest of an export",
    ),
    "a newer version": (
        lambda f: read(f, lambda f: edited(f, version=99)),
        DataError,
        "has the format version 99 and this version of entrepot reads 1",
    ),
    "a version in words": (
        lambda f: read(f, lambda f: edited(f, version="1")),
        DataError,
        "has the format version '1'",
    ),
    "tables in a list": (
        lambda f: read(f, lambda f: edited(f, tables=[])),
        DataError,
        "names a file or a type that no export has",
    ),
    "a table elsewhere": (
        lambda f: read(f, lambda f: edited(f, tables=one("fills", file="../fills.csv"))),
        DataError,
        "names a file or a type that no export has",
    ),
    "a table under another's name": (
        lambda f: read(f, lambda f: edited(f, tables=one("fills", file="equity.csv"))),
        DataError,
        "names a file or a type that no export has",
    ),
    "a type there is not": (
        lambda f: read(f, lambda f: edited(f, tables=one("equity", names_type="category"))),
        DataError,
        "names a file or a type that no export has",
    ),
    "rows in words": (
        lambda f: read(f, lambda f: edited(f, tables=one("equity", rows="10"))),
        DataError,
        "names a file or a type that no export has",
    ),
    "other rows": (
        lambda f: read(f, lambda f: edited(f, tables=one("equity", rows=3))),
        DataError,
        "has other columns or rows than manifest.json says",
    ),
    "no columns": (
        lambda f: read(f, lambda f: edited(f, tables=one("equity", columns=[], index=[]))),
        DataError,
        "has other columns or rows than manifest.json says",
    ),
    "no label": (
        lambda f: read(f, lambda f: edited(f, label=5)),
        DataError,
        "says nothing of where the run came from",
    ),
    "a table there is not": (
        lambda f: read(f, lambda f: None)["trades"],
        ParameterError,
        "'trades' is no table of this export",
    ),
    "written to nothing": (lambda f: run().export(None), ParameterError, "the path is None"),
    "written to a file": (
        lambda f: read(f, lambda f: None) and run().export(f / "fills.csv"),
        ParameterError,
        "is a file",
    ),
    "written below a file": (
        lambda f: run().export("/dev/null/x"),
        ParameterError,
        "/dev/null/x cannot be written (Not a directory)",
    ),
    "written as a spreadsheet": (
        lambda f: run().export(f / "out", format="xlsx"),
        ParameterError,
        "format is 'xlsx'",
    ),
    "written over somebody's file": (
        lambda f: (f / "fills.csv").write_text("mine") and run().export(f),
        ParameterError,
        "is in the way and is no file of an export",
    ),
    "written with no calendar": (
        lambda f: run().export(f / "out", events=5),
        ParameterError,
        "events is of type int",
    ),
}

BAD_REPORTS: dict[str, tuple[Callable[[Path], Any], type[EntrepotError], str]] = {
    "a page without a name": (lambda f: run().report(""), ParameterError, "the path is ''"),
    "a page in a number": (lambda f: run().report(5), ParameterError, "the path is 5"),
    "a page of another kind": (
        lambda f: run().report(f / "report.docx"),
        ParameterError,
        "report.docx cannot be written",
    ),
    "a page without a kind": (
        lambda f: run().report(f / "report"),
        ParameterError,
        "report cannot be written",
    ),
    "a page in a folder that is not there": (
        lambda f: run().report(f / "no" / "report.html"),
        ParameterError,
        "does not exist",
    ),
    "a page where a folder is": (
        lambda f: (f / "a.html").mkdir() or run().report(f / "a.html"),
        ParameterError,
        "is a folder",
    ),
    "a page below a file": (
        lambda f: run().report("/dev/null/report.html"),
        ParameterError,
        "/dev/null is a file, not a folder",
    ),
    "a page with a zero byte": (
        lambda f: run().report("a\0b.html"),
        ParameterError,
        "the path is 'a\\x00b.html'",
    ),
    "a page of two lines": (lambda f: run().report(f"{f}/a\nb.html"), ParameterError, "the path is"),
    "a page with a name that is too long": (
        lambda f: run().report(f / f"{'x' * 500}.html"),
        ParameterError,
        "cannot be written (File name too long)",
    ),
    "a picture of another kind": (
        lambda f: run().tear_sheet(f / "sheet.doc"),
        ParameterError,
        "sheet.doc cannot be written",
    ),
    "a picture in bytes": (
        lambda f: run().tear_sheet(b"sheet.png"),
        ParameterError,
        "the path is b'sheet.png'",
    ),
    "a picture in a folder that is not there": (
        lambda f: run().tear_sheet(f / "no" / "sheet.png"),
        ParameterError,
        "does not exist",
    ),
    "a page of no calendar": (
        lambda f: run().report(f / "a.html", events=5),
        ParameterError,
        "events is of type int",
    ),
    "a summary against a word": (lambda f: run().summary("KWEB"), DataError, "the benchmark is of type str"),
    "regimes of another path": (
        lambda f: run().by_regime(path().until(10)),
        ParameterError,
        "the regime path has 11 steps and the market 324",
    ),
    "regimes of a word": (lambda f: run().by_regime("calm"), ParameterError, "path is of type str"),
    "events in a list": (lambda f: run().by_event([1]), ParameterError, "events is of type list"),
    "events over sessions below none": (
        lambda f: run().by_event(EVENTS, sessions=-1),
        ParameterError,
        "sessions is -1",
    ),
    "events over more sessions than 64 bits hold": (
        lambda f: run().by_event(EVENTS, 2**64),
        ParameterError,
        "sessions is 18446744073709551616",
    ),
    **{
        f"events known at {text!r}": (
            lambda f, text=text: run().by_event(EVENTS.frame.iloc[:1].assign(known_at=text)),
            DataError,
            f"the events cannot be read ({text!r} is not a date",
        )
        for text in LOOSE_TIMES
    },
    "events with a column twice": (
        lambda f: run().by_event(pd.concat([EVENTS.frame, EVENTS.frame[["title"]]], axis=1)),
        DataError,
        "the events have the column title twice: keep one of them",
    ),
    **{
        f"events by {what}": (
            lambda f, by=by: run().event_sources(EVENTS, by=by),
            ParameterError,
            f"by is {shown(by)}: give 'event'",
        )
        for what, by in (
            ("a number", 5),
            ("nothing", None),
            ("lists", [["channel"]]),
            ("arrays", [np.array(["channel", "direction"])]),
            ("an array without an axis", np.array("channel")),
            ("no kind", []),
        )
    },
    "half a surrogate pair as sector": (
        lambda f: run().by_sector({"KWEB": "\ud800"}),
        DataError,
        "sectors gives KWEB the sector '\\ud800'",
    ),
    "masked states": (
        lambda f: by_regime(run(), np.ma.array(path().states), path().names),
        ParameterError,
        "states are a masked array",
    ),
    "an interval of masked returns": (
        lambda f: sharpe_interval(np.ma.array(run().excess_returns)),
        DataError,
        "the returns are a masked array: fill it",
    ),
    "overfitting of masked returns": (
        lambda f: overfitting(np.ma.zeros((40, 2)), 4),
        DataError,
        "the returns are a masked array: fill it",
    ),
    "abnormal returns of a masked table": (
        lambda f: abnormal_returns(np.ma.zeros((40, 2)), np.zeros(40)),
        DataError,
        "is a masked array: fill it",
    ),
    "abnormal returns against a masked market": (
        lambda f: abnormal_returns(np.zeros((40, 2)), np.ma.zeros(40)),
        DataError,
        "is a masked array: fill it",
    ),
    "periods of a fortnight": (lambda f: run().by_period("fortnight"), ParameterError, "freq is 'fortnight'"),
    "periods in a list": (lambda f: run().turnover(["month"]), ParameterError, "freq is ['month']"),
    "intervals of certainty": (
        lambda f: run().intervals(confidence=1.0),
        ParameterError,
        "confidence is 1.0",
    ),
    "intervals of no draws": (lambda f: run().intervals(draws=0), ParameterError, "draws is 0"),
    "intervals of a seed that no integer holds": (
        lambda f: run().intervals(seed=10**400),
        ParameterError,
        "seed is",
    ),
    "a comparison of nothing": (lambda f: ep.compare_results(None), ParameterError, "results is None"),
    "a comparison of frames": (
        lambda f: ep.compare_results({"a": weights(), "b": weights()}),
        ParameterError,
        "the result 'a' is of type DataFrame",
    ),
    "a comparison written to nothing": (
        lambda f: ep.comparison_report({"a": run(), "b": run()}, None),
        ParameterError,
        "the path is None",
    ),
    "a study of no calendar": (
        lambda f: ep.event_study(market(), None),
        ParameterError,
        "events is of type NoneType",
    ),
    "a study of no market": (
        lambda f: ep.event_study(None, EVENTS),
        ParameterError,
        "event_study was given None",
    ),
    "a study of strangers": (
        lambda f: ep.event_study(market(), EVENTS, ["NOPE"]),
        ParameterError,
        "'NOPE' is not in this market; its symbols are BABA, 9988.HK,",
    ),
    "a study with a window the wrong way round": (
        lambda f: ep.event_study(market(), EVENTS, window=(5, -5)),
        ParameterError,
        "window is (5, -5)",
    ),
    "a study of more days than there are": (
        lambda f: ep.event_study(market(), EVENTS, window=(-5, 2_000_000)),
        ParameterError,
        "window is (-5, 2000000): give days from -2520 to 2520",
    ),
    "a study of days long before": (
        lambda f: ep.event_study(market(), EVENTS, estimation=(-(10**6), -11)),
        ParameterError,
        "estimation is (-1000000, -11): give days from -2520 to 2520",
    ),
    "a study with a window of one": (
        lambda f: ep.event_study(market(), EVENTS, window=5),
        ParameterError,
        "window is 5",
    ),
    "a study that learns from what it tests": (
        lambda f: ep.event_study(market(), EVENTS, estimation=(-30, 3)),
        ParameterError,
        "estimation ends on day 3 and window begins on day -5",
    ),
    "a study with an unknown model": (
        lambda f: ep.event_study(market(), EVENTS, model="magic"),
        ParameterError,
        "model is 'magic'",
    ),
    "a study with placebos below none": (
        lambda f: ep.event_study(market(), EVENTS, placebos=-1),
        ParameterError,
        "placebos is -1",
    ),
    **{
        f"a monitor's {question} of {date!r}": (
            lambda f, question=question, date=date: getattr(monitor(), question)(date),
            ParameterError,
            "is no session date: write it as '2025-02-28'",
        )
        for question in ("table", "plot")
        for date in ("9999-12-31", *LOOSE_DATES)
    },
    **{
        f"a monitor's {question} at {date!r}": (
            lambda f, question=question, date=date: getattr(monitor(), question)("BABA", date),
            ParameterError,
            "is no session date: write it as '2025-02-28'",
        )
        for question in ("week", "widest_since")
        for date in LOOSE_DATES
    },
    "a monitor of no market": (
        lambda f: ep.discount_monitor(None),
        ParameterError,
        "discount_monitor was given None",
    ),
    "a monitor of strangers": (
        lambda f: ep.discount_monitor(market(), ["NOPE"]),
        ParameterError,
        "'NOPE' is not in this market; its symbols are BABA, 9988.HK,",
    ),
    "a monitor of nothing": (
        lambda f: ep.discount_monitor(market(), []),
        ParameterError,
        "adrs names nobody",
    ),
    "a monitor with an unknown alignment": (
        lambda f: ep.discount_monitor(market(), align="never"),
        ParameterError,
        "align='never' is unknown",
    ),
    "a monitor with no window": (
        lambda f: ep.discount_monitor(market(), window=0),
        ParameterError,
        "window is 0",
    ),
    "a monitor with a percentile of 1": (
        lambda f: ep.discount_monitor(market(), percentile=1),
        ParameterError,
        "percentile is 1",
    ),
    "a capacity of nothing": (
        lambda f: ep.capacity(market(), weights(), []),
        ParameterError,
        "capitals is []",
    ),
    "a capacity in words": (
        lambda f: ep.capacity(market(), weights(), ["much"]),
        ParameterError,
        "capitals is ['much']",
    ),
    "a gap without a model": (
        lambda f: ep.look_ahead_gap(market(), lambda p: None, None, EVENTS),
        ParameterError,
        "model is None",
    ),
    "a timing of no pairs": (
        lambda f: ep.fill_timing(market(), ep.Targets.from_frame(market(), weights("KWEB"))),
        ParameterError,
        "the targets link no pair",
    ),
    "a sharpe ratio of words": (
        lambda f: ep.sharpe_odds(["a", "b"]),
        DataError,
        "the returns are of type <U1",
    ),
    "a sharpe ratio of an infinite return": (
        lambda f: ep.sharpe_odds([0.1, np.inf, 0.2]),
        DataError,
        "some returns are infinite",
    ),
    "odds of certainty": (
        lambda f: ep.sharpe_odds(np.zeros(30), confidence=1.0),
        ParameterError,
        "confidence is 1.0",
    ),
    "luck of no trials": (lambda f: ep.luckiest_sharpe(0.01, 0), ParameterError, "trials is 0"),
    "luck of a variance below nothing": (
        lambda f: ep.luckiest_sharpe(-0.01, 5),
        ParameterError,
        "variance is -0.01",
    ),
    "overfitting in one column": (
        lambda f: ep.overfitting(np.zeros(100)),
        DataError,
        "the returns have 1 dimension",
    ),
    "overfitting in odd blocks": (
        lambda f: ep.overfitting(np.random.default_rng(0).standard_normal((100, 3)), blocks=7),
        ParameterError,
        "blocks is 7",
    ),
    "superiority of words": (
        lambda f: ep.superior_ability([["a"]]),
        DataError,
        "the returns are of type <U1",
    ),
    "superiority scaled by words": (
        lambda f: ep.superior_ability(np.zeros((30, 2)), studentize="yes"),
        ParameterError,
        "studentize is 'yes'",
    ),
}

CASES = [
    *(
        Case("exports", name, call, error, re.escape(words))
        for name, (call, error, words) in BAD_EXPORTS.items()
    ),
    *(
        Case("reports", name, call, error, re.escape(words))
        for name, (call, error, words) in BAD_REPORTS.items()
    ),
]
