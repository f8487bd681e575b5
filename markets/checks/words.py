"""A check in words, for a terminal or a notebook."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pandas as pd

from entrepot.markets.checks.findings import SEVERITIES, counted
from entrepot.markets.own_rows import printable

if TYPE_CHECKING:
    from entrepot.markets.data_check import DataCheck

WIDTH: Final = 100
LONGEST: Final = 10_000  # characters of a sentence
MOST: Final = 3  # findings of a kind that are listed unless all are asked for
COMPANY: Final = 18
VENUES: Final = {"XHKG": "HK", "XNYS": "NY"}
ADJUSTMENTS: Final = {"raw": "raw", "split": "split", "total_return": "total"}


def describe(check: DataCheck, most: int | None = MOST) -> str:
    """Return what is there and what was found, worst first, in lines of at most `WIDTH` columns.

    Args:
        check: what was found.
        most: findings listed of each kind; None: all.
    """
    parts = [*head(check), "", *symbol_lines(check.symbols)]
    if len(check.pairs):
        parts += ["", *pair_lines(check.pairs)]
    for severity, meaning in SEVERITIES.items():
        found = check.findings[check.findings["severity"] == severity]
        if len(found):
            parts += ["", f"{severity.upper()}  {meaning}", *finding_lines(found, most)]
    if check.findings.empty:
        parts += ["", "Nothing looks wrong."]
    return "\n".join(parts)


def safe(text: object) -> str:
    """Return a text on one line, without characters that a terminal would act on."""
    return printable(text, most=LONGEST)


def wrapped(text: str, first: str, then: str) -> list[str]:
    """Return a text on lines of at most `WIDTH` columns."""
    return textwrap.wrap(
        safe(text), WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False
    )


def head(check: DataCheck) -> Iterator[str]:
    """Say whether it loads, and what each `ends=` would give."""
    counts = check.counts
    told = ", ".join(f"{number} {severity}" for severity, number in counts.items())
    lines = check.symbols["venue"].ne("").sum()
    yield safe(
        f"{check.name}: {counted(int(lines), 'line')}, {counted(len(check.pairs), 'pair')}; findings: {told}"
    )
    if not check.loads:
        yield from wrapped(check.refusal, "does not load: ", "  ")
    for ends, row in check.ranges.iterrows():
        name = f"  ends={str(ends)!r:8}"
        if row["refusal"]:
            why = "" if row["refusal"] == check.refusal else f": {row['refusal']}"
            yield from wrapped(f"refused{why}", f"{name} ", "    ")
        else:
            yield (
                f"{name} {row['first'].date()} to {row['last'].date()}, {counted(row['lines'], 'line')}, "
                f"{counted(row['pairs'], 'pair')}"
            )


def symbol_lines(symbols: pd.DataFrame) -> Iterator[str]:
    """Return the table of symbols."""
    form = "{:<9} {:<18} {:<2} {:<5} {:<10} {:<10} {:>6} {:>7} {:>6} {:>6} {:>4} {:>4}"
    yield form.format(
        *(
            "symbol",
            "company",
            "at",
            "as",
            "first",
            "last",
            "closes",
            "covered",
            "opens",
            "volume",
            "div",
            "spl",
        )
    ).rstrip()
    for symbol, row in symbols.iterrows():
        if row["venue"]:
            yield form.format(
                safe(symbol)[:9],
                safe(row["company"])[:COMPANY],
                VENUES[row["venue"]],
                ADJUSTMENTS[row["adjustment"]],
                f"{row['first'].date()}",
                f"{row['last'].date()}",
                row["closes"],
                share(row["covered"]),
                row["opens"],
                row["volumes"],
                row["dividends"],
                row["splits"],
            )
        else:
            dated = f"{row['first'].date()} {row['last'].date()} {row['closes']:>6}" if row["rows"] else ""
            yield f"{safe(symbol)[:9]:<9} {row['kind']:<27} {dated}".rstrip()


def share(value: float) -> str:
    """Write a share in per cent, rounded down: what lacks a session is not 100 %."""
    return "" if pd.isna(value) else f"{int(value * 1000) / 10:.1f}%"


def pair_lines(pairs: pd.DataFrame) -> Iterator[str]:
    """Return the table of pairs."""
    form = "{:<9} {:<9} {:<18} {:>7} {:>8} {:<10} {:<10} {:>6}"
    yield form.format("pair", "", "company", "ratio", "premium", "first", "last", "dates").rstrip()
    for adr, row in pairs.iterrows():
        dated = ["", ""] if pd.isna(row["first"]) else [f"{row[side].date()}" for side in ("first", "last")]
        premium = "" if pd.isna(row["median_premium"]) else f"{row['median_premium']:+.1%}"
        yield form.format(
            safe(adr)[:9],
            safe(row["hk"])[:9],
            safe(row["company"])[:COMPANY],
            f"{row['ratio']:g}",
            premium,
            *dated,
            row["dates"],
        )


def finding_lines(found: pd.DataFrame, most: int | None) -> Iterator[str]:
    """Return findings of one severity, kind by kind."""
    for kind, rows in found.groupby("kind", sort=False):
        yield from wrapped(f"{kind} ({len(rows)}): {rows['why'].iloc[0]}", "  ", "    ")
        for _, row in rows.iloc[:most].iterrows():
            who = row["symbol"] or row["file"]
            yield from wrapped(f"{who}: {row['what']}", "    - ", "      ")
        if most is not None and len(rows) > most:
            yield f"    and {len(rows) - most} more"
        for fix in dict.fromkeys(rows["fix"]):
            yield from wrapped(f"fix: {fix}", "    ", "      ")
