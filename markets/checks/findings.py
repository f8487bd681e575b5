"""What a check finds: its severity, its dates, the figure, why it matters and the usual fix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

Severity = Literal["stops", "wrong", "look"]

SEVERITIES: Final[dict[Severity, str]] = {
    "stops": "load_market refuses it",
    "wrong": "it loads, but a number will be wrong",
    "look": "unusual, may be right",
}
COLUMNS: Final = ("severity", "kind", "symbol", "file", "first", "last", "count", "what", "why", "fix")

# kind: severity, why it matters, usual fix
KINDS: Final[dict[str, tuple[Severity, str, str]]] = {
    "refused": ("stops", "nothing loads before this is settled", "do what the sentence says"),
    "unreadable file": ("stops", "nothing loads while one file cannot be read", "do what the sentence says"),
    "two files of one symbol": ("stops", "which of them is right cannot be told", "keep one of them"),
    "unusable rates": (
        "stops",
        "every price in that currency would be turned into USD wrongly",
        "do what the sentence says",
    ),
    "no rates": (
        "stops",
        "lines of two currencies cannot be compared or added up without rates",
        "add a file of rates, such as HKD=X.csv with HKD per USD",
    ),
    "unusable prices": (
        "stops",
        "a split that nobody named, a wrong row or two kinds of prices would be booked as profit or loss",
        "do what the sentence says",
    ),
    "price without a session": (
        "stops",
        "a price of a day on which nobody traded has a wrong date",
        "correct its date or delete the row",
    ),
    "legs do not fit": (
        "stops",
        "the premium would be one of currency, unit or ratio, not of the market",
        "check currency, unit and splits of both files",
    ),
    "ends apart": (
        "stops",
        "a line that silently stops would be held at its last price",
        "give newer prices, an earlier end=, ends='cut' or ends='drop'",
    ),
    "shifted sessions": (
        "wrong",
        "one leg's prices would be known a session before they were made, or a session late",
        "move that file's dates to the sessions on which the prices were made",
    ),
    "level break": (
        "wrong",
        "the premium changes level overnight: a split, unit or currency changes inside one of the files",
        "find which leg moved, and correct its rows or name the split in Stock Splits",
    ),
    "spike in one leg": (
        "wrong",
        "a price that the other leg denies before and after: trading at it makes a profit from nothing",
        "correct the row or leave the cell blank",
    ),
    "stale prices": (
        "wrong",
        "a price that only repeats can be traded at in a backtest and nowhere else",
        "blank the repeated rows, so that they are gaps",
    ),
    "split not named": (
        "wrong",
        "a move of a whole factor that stays is a split: it would be booked as profit or loss",
        "name the split in Stock Splits, or load adjusted prices",
    ),
    "split differs": (
        "look",
        "file and listings say two things of one split: at one date the listings are believed, at two both",
        "correct Stock Splits, or the listings",
    ),
    "dividend too large": (
        "wrong",
        "an amount of that size is mostly one in another currency, or of another number of shares",
        "give the amount per share in the line's own currency",
    ),
    "dividends in other units": (
        "wrong",
        "both legs pay the same per ordinary share: one leg's amounts are in another currency or per another "
        "number of shares",
        "give amounts per share of the file's own line, in its own currency",
    ),
    "dividend on one leg": (
        "wrong",
        "a pair pays on both legs or on neither: long one and short the other earns what nobody paid",
        "add it to the other leg, or delete it",
    ),
    "dividend repeated": (
        "wrong",
        "two dividends within days are mostly one, written twice",
        "delete the one without a source",
    ),
    "dividends counted twice": (
        "wrong",
        "Close is adjusted for dividends (yfinance does so by default) and the dividends are given too",
        "load unadjusted closes, such as with auto_adjust=False",
    ),
    "Adj Close disagrees": (
        "wrong",
        "Adj Close implies other dividends than those given: one of the two is wrong",
        "fetch both columns again at one time",
    ),
    "same prices twice": (
        "wrong",
        "two symbols have the same closes: one file was saved under two names",
        "fetch the wrong one again",
    ),
    "rate off its band": (
        "wrong",
        "the Hong Kong dollar trades from 7.75 to 7.85 per USD since 18 May 2005: the fixing is wrong",
        "correct the row or blank it",
    ),
    "rate jumps and returns": (
        "wrong",
        "a fixing that the days before and after deny moves all prices of its currency for a day",
        "correct the row or blank it",
    ),
    "stale rates": ("wrong", "a fixing that only repeats is not one", "blank the repeated rows"),
    "gaps": (
        "look",
        "orders wait where there is no price, and positions stand at the last one",
        "add the rows, or know that they are missing",
    ),
    "row without a session": (
        "look",
        "load_market leaves out such rows where they repeat the close before, and refuses others",
        "delete the rows",
    ),
    "starts late": ("look", "the pair begins where its later file begins", "add the earlier prices"),
    "ends early": (
        "look",
        "the market ends there with ends='cut', and the line is left out with ends='drop'",
        "give newer prices",
    ),
    "departure not reached": (
        "look",
        "the line traded on in New York: a run that still holds it then is refused",
        "add the rows, or load with departures='parity'",
    ),
    "missing leg": ("look", "without its other leg a line is no pair", "add the file of the other leg"),
    "opens missing": (
        "look",
        "where a line has no opens its orders wait for the close",
        "add the opens, or load with phases=('close',)",
    ),
    "not in the listings": (
        "look",
        "it is read as a plain share: no pair, no sector, no board lot",
        "correct the name of the file, or give listings= with it",
    ),
    "not read": ("look", "load_market passes it over", "remove it, or give it a name and form that is read"),
    "high below low": (
        "look",
        "the row contradicts itself, so its close may be wrong too",
        "compare the row with another source",
    ),
    "outside high and low": (
        "look",
        "open or close lies outside the day's range: one of them is wrong, or of another venue",
        "compare the row with another source",
    ),
    "one price without volume": (
        "look",
        "vendors fill missed days so; the close may repeat or stand in for none",
        "nothing on a day without trade; else another source",
    ),
    "volume zero": (
        "look",
        "a volume of 0 is read as not known, so no order is held to a share of it",
        "give the volume, or know that there is none",
    ),
    "jump": (
        "look",
        "nothing here moved with it: news of that company, or a wrong row",
        "compare with another source",
    ),
    "spike": (
        "look",
        "a price that returns the day after, alone: news twice, or a wrong row",
        "compare with another source",
    ),
    "between the ticks": (
        "look",
        "no share prints there: the prices are adjusted or of another currency; lots, ticks and fees per "
        "share are off",
        "load prices as printed",
    ),
    "premium far from zero": (
        "look",
        "shares that turn into each other stand close to parity: one leg may be adjusted for dividends or "
        "held to another ratio",
        "compare how both files are adjusted",
    ),
    "days without a rate": (
        "look",
        "the last fixing is carried; after five days the market is refused",
        "add the rows",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One remark about a source.

    Args:
        kind: a key of `KINDS`.
        symbol: what it is about, "" for the source as a whole.
        file: where it stands, as messages name it.
        dates: the dates concerned, in order; none where it is about no date.
        what: what was found, with its figure.
        severity: other than that of its kind; None: that of its kind.
        count: how many times; None: as many as there are dates, at least one.
        fix: other than that of its kind; "": that of its kind.
    """

    kind: str
    symbol: str
    file: str
    dates: tuple[pd.Timestamp, ...]
    what: str
    severity: Severity | None = None
    count: int | None = None
    fix: str = ""

    def stops(self) -> bool:
        """Whether it is why `load_market` refuses the source."""
        return (self.severity or KINDS[self.kind][0]) == "stops"

    def row(self) -> dict[str, object]:
        """The finding as a row of `DataCheck.findings`."""
        severity, why, fix = KINDS[self.kind]
        return {
            "severity": self.severity or severity,
            "kind": self.kind,
            "symbol": self.symbol,
            "file": self.file,
            "first": self.dates[0] if self.dates else pd.NaT,
            "last": self.dates[-1] if self.dates else pd.NaT,
            "count": self.count or max(len(self.dates), 1),
            "what": self.what,
            "why": why,
            "fix": self.fix or fix,
        }


def finding_frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return findings as a table, worst first, then by kind, symbol and date."""
    table = pd.DataFrame([finding.row() for finding in findings], columns=list(COLUMNS))
    for column in ("first", "last"):
        table[column] = pd.to_datetime(table[column]).dt.as_unit("ns")
    table["count"] = table["count"].astype("int64")
    order = pd.DataFrame(
        {
            "severity": table["severity"].map({name: at for at, name in enumerate(SEVERITIES)}),
            "kind": table["kind"].map({name: at for at, name in enumerate(KINDS)}),
            "symbol": table["symbol"],
            "first": table["first"],
        }
    )
    return table.loc[
        order.sort_values(["severity", "kind", "symbol", "first"], kind="stable").index
    ].reset_index(drop=True)


def days(index: Iterable[pd.Timestamp]) -> tuple[pd.Timestamp, ...]:
    """Return dates as a finding takes them."""
    return tuple(pd.Timestamp(day) for day in index)


def counted(number: int, what: str) -> str:
    """Return "1 session" or "2 sessions"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return "a, b, c and 4 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
