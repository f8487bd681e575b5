"""The row of a sweep's table, made from a recorded run: slow, and plain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from entrepot.engine import Ledger
from entrepot.engine.lines import FEE_KINDS, SOURCES
from entrepot.regimes import RegimePath
from entrepot.reports import by_regime, summary

SHARED = (
    "End Value",
    "Total Return [%]",
    "Annualized Return [%]",
    "Annualized Volatility [%]",
    "Sharpe Ratio",
    "Monthly Sharpe",
    "Sortino Ratio",
    "Calmar Ratio",
    "Omega Ratio",
    "Max Drawdown [%]",
    "Fills",
    "Orders Dropped",
    "Turnover",
    "Interest Earned",
    "Total Fees Paid",
    "Slippage Paid",
    "Impact Paid",
    "FX Spread Paid",
    "Borrow Paid",
    "ADR Fees Paid",
    "Total Costs",
)
PAID = (*FEE_KINDS, "slippage", "impact", "fx_spread", "borrow", "ads_fee", "conversion_fee")
EARNED = ("dividend", "rebate", "interest")


def row_of(result: Ledger, path: RegimePath | None = None) -> dict[str, float]:
    """Return the row a sweep has to give for the configuration of a recorded run."""
    figures = summary(result)
    row = {name: float(figures[name]) for name in SHARED}
    row["Trades"] = float(closed_trips(result))
    ruined = result.equity.index == result.ruined_at
    row["moves"] = float(len(result.conversions) + result.fills["step"].isin(np.flatnonzero(ruined)).sum())
    total = dict(zip(SOURCES, result.record.sources.sum(axis=(1, 2)), strict=True))
    row |= {source: -total[source] for source in PAID}
    row |= {source: total[source] for source in EARNED}
    if path is not None:
        regimes = by_regime(result, path.states, path.names)
        row |= {f"P&L ({name})": regimes.at[name, "P&L"] for name in path.names}
        row |= {f"Costs ({name})": regimes.at[name, "Costs"] for name in path.names}
    return row


def closed_trips(result: Ledger) -> int:
    """Count the ends of holdings: of each single line, and of each pair, by its positions after each step.

    What another line becomes at a step comes before the orders of that step: both changes are looked at.
    """
    held, lines = result.record.positions, result.lines
    before = np.vstack([np.zeros(held.shape[1]), held[:-1]])
    single = ~lines.linked
    count = int(ends(before[:, single], held[:, single]).sum())
    for hk, adr in lines.legs:
        was = (before[:, [hk, adr]] != 0).any(axis=1)
        now = (held[:, [hk, adr]] != 0).any(axis=1)
        count += int((was & ~now).sum() + (before[:, hk] * held[:, hk] < 0).sum())
    of_line = {lines.symbols[k]: k for k in np.flatnonzero(single)}
    made, fills = result.conversions, result.fills
    for step, into in set(zip(made["step"], made["into"].where(made["pair"] == "", ""), strict=True)):
        if into in of_line:
            k = of_line[into]
            mine = (fills["step"] == step) & (fills["symbol"] == into) & (fills["pair"] == "")
            traded = fills.loc[mine, "quantity"].sum()
            between = held[step, k] - traded
            between = between if abs(between) > 1e-9 * abs(traded) else 0.0
            on_the_way = ends(before[step, k], between) + ends(between, held[step, k])
            count += int(on_the_way - ends(before[step, k], held[step, k]))
    return count


def ends(before: Any, after: Any) -> Any:
    """1 where a position ends between two moments, or turns; else 0."""
    return 1 * ((before != 0) & ((after == 0) | (before * after < 0)))


def agree(table: pd.DataFrame, rows: list[dict[str, float]], scale: float, label: str = "") -> None:
    """Hold a sweep's rows to the recorded ones: money to a billionth of the scale, ratios to 1e-7."""
    expected = pd.DataFrame(rows)[list(table.columns)]
    for name in table.columns:
        mine, theirs = table[name].to_numpy(), expected[name].to_numpy()
        money = name[0].islower() or "Paid" in name or "P&L" in name or "Cost" in name or "Earned" in name
        tolerance = {"rtol": 1e-9, "atol": 1e-9 * scale} if money else {"rtol": 1e-7, "atol": 1e-9}
        if name == "Trades":
            # A position that a conversion or a fill turns, and that an order or ruin closes at the same step,
            # ends twice in the loop and once in the positions after each step.
            moves = np.array([row["moves"] for row in rows])
            assert ((theirs <= mine) & (mine <= theirs + moves)).all(), (label, mine, theirs)
            continue
        if name in ("Fills", "Orders Dropped"):
            tolerance = {"rtol": 0, "atol": 0}
        np.testing.assert_allclose(mine, theirs, **tolerance, err_msg=f"{label} {name}")
