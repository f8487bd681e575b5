"""Round trips: from flat to flat, a pair's two legs together."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from entrepot.reports.memory import once_per_ledger

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

COLUMNS = ("name", "opened", "closed", "direction", "sessions", "P&L", "P&L [%]", "open")

NOTHING = 1e-9  # of the most shares ever held of a line


@once_per_ledger
def round_trips(ledger: Ledger) -> pd.DataFrame:
    """List the round trips of a run.

    The lines of a pair are one holding, and so are all pairs that share a line. A trip begins with the first
    step that leaves the holding in place and ends with the step that takes it back to nothing; a reversal
    without a flat step between ends one trip and begins the next at its own step. Its profit and loss is all
    that the holding's instruments contributed meanwhile: price, FX, dividends, borrow, rebate, fees and
    slippage. What a reversal's step books, its costs included, belongs to the trip that it ends.

    Args:
        ledger: a finished run.

    Returns:
        One row per trip in order of opening: name (the ADR of a pair, else the symbol), opened and closed
        (UTC; the last step where still open), direction (+1: the Hong Kong leg of a pair, or the single line,
        is long; -1: short), sessions held, "P&L" (base currency), "P&L [%]" of equity before opening,
        open (True where the run ended first).
    """
    held = ledger.positions
    time = pd.DatetimeIndex(ledger.equity.index)
    count = np.asarray(ledger.market.session_count, dtype=float)
    equity = ledger.equity.to_numpy(dtype=float)
    before = np.concatenate([[ledger.capital], equity[:-1]])
    by_line = ledger.contributions.T.groupby(level="instrument").sum().T
    venue = ledger.market.instruments["venue"]
    rows = []
    for name, members in holdings(ledger).items():
        lines = sorted(members, key=lambda line: (venue.get(line) != "XHKG", line))
        shares = np.array(held[lines], dtype=float)
        # Held singly and in pairs, a line may net to what rounding leaves of nothing, on either side of it.
        shares[np.abs(shares) <= NOTHING * np.abs(shares).max(axis=0)] = 0.0
        present = (shares != 0).any(axis=1)
        if not present.any():
            continue
        booked = by_line[[line for line in lines if line in by_line.columns]]
        profit = np.concatenate([[0.0], np.cumsum(booked.sum(axis=1).to_numpy(dtype=float))])
        counted = 0
        for first, last, side, still_open in spells(present, np.sign(shares[:, 0])):
            earned = profit[last + 1] - profit[max(first, counted)]
            counted = last + 1
            rows.append(
                (
                    name,
                    time[first],
                    time[last],
                    side,
                    count[last] - count[first],
                    earned,
                    100 * earned / before[first] if before[first] > 0 else np.nan,
                    still_open,
                )
            )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("opened", kind="stable", ignore_index=True)


def holdings(ledger: Ledger) -> dict[str, list[str]]:
    """Group the traded symbols: a pair's lines together, under the ADR's name."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    fills = ledger.fills
    names = set()
    for symbol, pair in fills[["symbol", "pair"]].drop_duplicates().itertuples(index=False):
        top = root(str(symbol))
        names.add(str(symbol))
        if pair and isinstance(pair, str):
            names.add(pair)
            parent[top] = root(pair)
    columns = set(ledger.positions.columns)
    # What a line that left was turned into, without a fill of its own, goes with it.
    heirs = set()
    for symbol, into in ledger.conversions[["symbol", "into"]].drop_duplicates().itertuples(index=False):
        if into and into not in names:
            heirs.add(str(into))
            parent[root(str(into))] = root(str(symbol))
    groups: dict[str, list[str]] = {}
    for name in sorted((names | heirs) & columns):
        groups.setdefault(root(name), []).append(name)
    return groups


def spells(present: np.ndarray, sign: np.ndarray) -> list[tuple[int, int, int, bool]]:
    """Cut a holding into (first step, last step, side, still open); a reversal's step is in two of them.

    Args:
        present: (T,) whether anything is held after each step.
        sign: (T,) sign of the leading line's position; 0 keeps the side before it.
    """
    out: list[tuple[int, int, int, bool]] = []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], present, [False]]).astype(int)))
    for first, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        side = settled_sign(sign[first:stop])
        turns = first + 1 + np.flatnonzero(side[1:] != side[:-1])
        for begin, end in pairwise([first, *turns.tolist(), stop]):
            last = min(end, len(present) - 1)
            out.append((begin, last, int(side[begin - first]), end == len(present)))
    return out


def settled_sign(sign: np.ndarray) -> np.ndarray:
    """Let zeros keep the sign before them, leading ones take the first after; 1 where there is none."""
    known = np.flatnonzero(sign)
    if len(known) == 0:
        return np.ones(len(sign))
    before = np.searchsorted(known, np.arange(len(sign)), side="right") - 1
    return np.asarray(sign[known[np.maximum(before, 0)]], dtype=float)
