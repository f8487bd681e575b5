"""The row of a sweep's table, made from a recorded run: slow, and plain."""

from __future__ import annotations

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
    """Count the ends of holdings: of each single line, and of each pair, by its positions after each step."""
    held, lines = result.record.positions, result.lines
    before = np.vstack([np.zeros(held.shape[1]), held[:-1]])
    turned = before * held < 0
    ended = (before != 0) & (held == 0)
    single = ~lines.linked
    count = int(ended[:, single].sum() + turned[:, single].sum())
    for hk, adr in lines.legs:
        was = (before[:, [hk, adr]] != 0).any(axis=1)
        now = (held[:, [hk, adr]] != 0).any(axis=1)
        count += int((was & ~now).sum() + turned[:, hk].sum())
    return count


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
