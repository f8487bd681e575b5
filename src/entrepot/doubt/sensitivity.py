"""What would have become of a run on other terms: borrow, costs of trading, neighbouring parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entrepot.configurations import matching
from entrepot.engine.costs import Costs
from entrepot.engine.figures import columns_of
from entrepot.engine.lines import FEE_KINDS
from entrepot.result import Result

if TYPE_CHECKING:
    from entrepot.sweeps import Sweep

# What is told of each case.
HEADLINE: tuple[str, ...] = (
    "Total Return [%]",
    "Sharpe Ratio",
    "Monthly Sharpe",
    "Max Drawdown [%]",
    "Borrow Paid",
    "Orders Dropped",
)
BORROW_MULTIPLE = 3.0
# What an order pays, rather than a position that is held.
TRADING = (*FEE_KINDS, "slippage", "impact", "fx_spread")
# What the search for a break-even adds to the costs of each fill at first and at most: parts of its value.
FIRST_ADDED, MOST_ADDED = 1e-4, 0.1


def borrow_terms(costs: Costs, stressed: frozenset[int]) -> dict[str, Costs]:
    """Return costs under other terms of borrow, by what they are.

    Args:
        costs: as given.
        stressed: regime states in which lines are hard to borrow; none: only a multiple of the fees.
    """
    terms: dict[str, dict[str, Any]] = {
        f"borrow x{BORROW_MULTIPLE:g}": {"borrow_multiplier": BORROW_MULTIPLE * costs.borrow_multiplier}
    }
    if stressed:
        terms["no new shorts under delisting risk"] = {"no_borrow_states": costs.no_borrow_states | stressed}
        terms["shorts recalled under delisting risk"] = {"recall_states": costs.recall_states | stressed}
    return {name: costs.with_(**changes) for name, changes in terms.items()}


def trading_costs(result: Result) -> tuple[float, float]:
    """Return what trading cost a run, and the value it traded, both sides of each trade, base currency."""
    paid = result.costs()
    value = float((result.fills["notional"] * result.fills["fx"]).sum())
    return float(paid[paid.index.isin(TRADING)].sum()), value


def dearer(costs: Costs, added: float) -> Costs:
    """Return costs with a fraction of the value of every fill on top.

    Dated fees and spreads have no common factor: to make trading cost twice as much, what it cost on average
    is added once more as a flat fee.
    """
    return costs.with_(fee_bps=costs.fee_bps + 1e4 * added)


def figures_under(sweep: Sweep, row: int, costs: Costs) -> pd.Series[Any]:
    """Run one configuration of a sweep under other costs: figures of its row, NaN where it cannot be run."""
    job = replace(
        sweep.job,
        strategies={"": sweep.plan(row)},
        configurations=[{}],
        path=sweep.path(row),
        model=None,
        events=None,
        costs=costs,
    )
    return pd.Series(job.run(np.zeros(1, dtype=np.int64)).figures[0], index=columns_of(job.regimes))


def break_even(ratio: Callable[[float], float], first: float = FIRST_ADDED) -> float:
    """Return the cost that takes away what a configuration earns over the policy rate.

    Args:
        ratio: Sharpe ratio with a fraction of the value of every fill added to its costs; positive at 0.
            Where it is not defined, equity is gone. It is asked for some fractions twice.
        first: the fraction that is tried first, then twice that, and so on.

    Returns:
        The fraction added at which the ratio crosses zero, within 0.1 bp; infinite above 10 %.
    """
    from scipy.optimize import brentq

    def sign_of(added: float) -> float:
        value = ratio(added)
        return -1.0 if np.isnan(value) else value

    low, high = 0.0, first
    while sign_of(high) > 0.0:
        if high >= MOST_ADDED:
            return float(np.inf)
        low, high = high, min(2.0 * high, MOST_ADDED)
    return float(brentq(sign_of, low, high, xtol=1e-5))


def neighbours(table: pd.DataFrame, parameters: Sequence[str], row: int, column: str) -> pd.DataFrame:
    """Find the configurations beside one: one parameter a step up or down, all others the same.

    Args:
        table: of the sweep.
        parameters: their names. One that is no number has no order, and stays as it is.
        row: number of the configuration.
        column: the figure to compare.

    Returns:
        One row for each: ``configuration``, ``parameter``, its ``value`` and the figure, NaN where that
        neighbour has none.
    """
    same = pd.DataFrame(
        {name: matching(table[name], table.at[row, name]) for name in parameters}, index=table.index
    )
    found = []
    for name in parameters:
        own = table.at[row, name]
        if not isinstance(own, int | float | np.number) or isinstance(own, bool | np.bool_):
            continue
        beside = same.drop(columns=name).all(axis=1)
        values = pd.to_numeric(table.loc[beside, name], errors="coerce")
        for side in (values[values < own].nlargest(1), values[values > own].nsmallest(1)):
            found += [
                (number, name, table.at[number, name], table.at[number, column]) for number in side.index
            ]
    return pd.DataFrame(found, columns=["configuration", "parameter", "value", column])
