"""Trades side by side: one row each, in sample and out of sample, by regime, after every cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from entrepot.engine.costs import Costs
from entrepot.engine.plans import Plan, no_path
from entrepot.errors import EntrepotError, ParameterError, is_whole, shown
from entrepot.markets.market import Market
from entrepot.markets.sessions import check_date
from entrepot.regimes.path import RegimePath
from entrepot.reports.intervals import check_bootstrap
from entrepot.reports.ownership import decided_before, step_profit
from entrepot.reports.periods import FIGURES, period_statistics
from entrepot.result import Result, backtest

BEFORE, AFTER, WHOLE = "in sample", "out of sample", "whole"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Trades side by side.

    Args:
        table: one row per trade; columns (period, figure) over "in sample", "out of sample" and "whole", the
            figures of `period_statistics`.
        by_regime: profit and loss in each regime, per cent of capital: one row per trade, columns (period,
            regime); each period's regimes add up to its profit.
        results: the run of each trade, by name.
        split: session date from which a session is out of sample.
        caveat: what to say beside it.
        label: where the prices come from.
    """

    table: pd.DataFrame
    by_regime: pd.DataFrame
    results: Mapping[str, Result]
    split: pd.Timestamp
    caveat: str
    label: str

    def __repr__(self) -> str:
        return f"Comparison({len(self.table)} trades, split at {self.split:%Y-%m-%d}, {self.label})"


def compare_trades(
    market: Market,
    trades: Mapping[str, Plan | pd.DataFrame],
    path: RegimePath,
    *,
    split: str | pd.Timestamp = "2023-01-01",
    capital: float = 10_000_000.0,
    costs: Costs | None = None,
    confidence: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Run trades on one market and measure each before and after a date.

    Each trade is one run, read in parts, so that what is learnt before the date is known after it. Splitting
    says something only where no parameter was chosen in knowledge of the second part; the number of trades
    compared is a number of trials.

    Args:
        market: T steps.
        trades: strategies, or frames of weights, by name.
        path: the regime of every step. It is handed to every trade and decides what borrow costs.
        split: first session date out of sample.
        capital: of each run, in US dollars.
        costs: what trading and holding cost; `Costs()` where not given.
        confidence: of the intervals of the Sharpe ratios.
        draws: bootstrap samples behind them; 0: no intervals.
        seed: of these.

    Raises:
        ParameterError: where there are no trades, or the split lies outside the market.
        EntrepotError: where a trade cannot be run, its name in front.
    """
    if not isinstance(trades, Mapping) or not trades:
        raise ParameterError(
            f"trades is {shown(trades)}: give strategies by name, such as {{'pairs': LongHKShortADR()}}"
        )
    if not isinstance(path, RegimePath):
        raise no_path(path)
    if not (is_whole(draws) and draws == 0):
        check_bootstrap(confidence, draws, seed)
    cut = check_date(split)
    sessions = market.grid["session"]
    if not sessions.iloc[0] < cut <= sessions.iloc[-1]:
        raise ParameterError(
            f"split is {cut.date()} and the market runs from {sessions.iloc[0].date()} to "
            f"{sessions.iloc[-1].date()}: give a date inside"
        )
    day = pd.Timedelta(days=1)
    periods = {BEFORE: (None, cut - day), AFTER: (cut, None), WHOLE: (None, None)}
    results, rows, regimes = {}, {}, {}
    for name, trade in trades.items():
        try:
            result = backtest(market, trade, path=path, capital=capital, costs=costs)
        except EntrepotError as error:
            raise type(error)(f"{name}: {error}") from error
        results[name] = result
        options: dict[str, Any] = {"confidence": confidence, "draws": draws, "seed": seed}
        rows[name] = pd.concat(
            {p: period_statistics(result, *ends, **options) for p, ends in periods.items()}
        )
        regimes[name] = pd.concat({p: profit_by_regime(result, path, *ends) for p, ends in periods.items()})
    order = pd.MultiIndex.from_product([periods, FIGURES], names=["period", "figure"])
    table = pd.DataFrame(rows).T.reindex(columns=order).rename_axis("trade")
    split_up = pd.DataFrame(regimes).T.rename_axis("trade").rename_axis(["period", "regime"], axis=1)
    return Comparison(table, split_up, results, cut, path.caveat, market.label)


def profit_by_regime(
    result: Result, path: RegimePath, first: pd.Timestamp | None, last: pd.Timestamp | None
) -> pd.Series[float]:
    """Return the profit and loss of the sessions from one date to another by regime, per cent of capital.

    What is earned over (t-1, t] belongs to the regime decided at t-1, and to the session of the next sample,
    as in `period_statistics`: where New York was closed, Hong Kong's day belongs to the next.
    """
    owner = decided_before(path.states.astype(np.int64))
    samples = np.flatnonzero(result.market.decision_steps)
    sample = samples[np.minimum(np.searchsorted(samples, np.arange(len(owner))), len(samples) - 1)]
    session = result.market.grid["session"].to_numpy()[sample]
    inside = (session >= (session[0] if first is None else first)) & (
        session <= (session[-1] if last is None else last)
    )
    profit = 100.0 * step_profit(result) / result.capital
    return pd.Series({name: float(profit[inside & (owner == k)].sum()) for k, name in enumerate(path.names)})
