"""What a pair trade seems to earn filled at the closes its signal was made from, and what it can."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine.backtest import TargetArrays, backtest
from entrepot.engine.costs import Costs
from entrepot.engine.result import Ledger
from entrepot.errors import ParameterError
from entrepot.markets.market import Market, records

SESSIONS_A_YEAR = 252


@dataclass(frozen=True)
class _PairTargets:
    """The targets of one linked pair alone, as a plan."""

    weights: NDArray[np.float64]
    pairs: tuple[tuple[str, str], ...]
    pair_weights: NDArray[np.float64]
    drift_band: float = np.inf
    notes: tuple[str, ...] = ()

    def targets(self, market: Market, path: object = None) -> TargetArrays:
        return self


def fill_timing(market: Market, targets: TargetArrays, costs: Costs | None = None) -> pd.DataFrame:
    """Compare fills at a signal's own closes with fills at each venue's next step.

    A same-date premium pairs New York's close with a Hong Kong close twelve hours older. Filled at those two
    prices, half of the overnight news is bought back at yesterday's price: a profit nobody could take.

    Args:
        market: T steps of both venues.
        targets: linked pairs and their weights, decided at New York closes.
        costs: of the third column; `Costs()` where not given.

    Returns:
        One row per pair; annualised Sharpe ratios of daily returns: ``own closes`` (both legs at the closes
        of the decision's date, no costs), ``next step`` (each leg at its venue's next step, no costs) and
        ``next step, net`` (after all costs, over the policy rate), and the number of ``round trips``. NaN
        where a pair never traded.

    Raises:
        ParameterError: when the targets link no pair.
    """
    if not targets.pairs:
        raise ParameterError("the targets link no pair: give those of a pair strategy")
    rows = {}
    for p, pair in enumerate(targets.pairs):
        weight = targets.pair_weights[:, p]
        alone = _PairTargets(np.full(market.prices.shape, np.nan), (pair,), weight[:, None])
        free = backtest(market, alone, costs=Costs.none())
        paid = backtest(market, alone, costs=costs)
        rows[pair[1]] = {
            "own closes": sharpe(_at_own_closes(market, pair, weight)),
            "next step": sharpe(free),
            "next step, net": sharpe(paid),
            "round trips": int(((weight != 0) & np.isfinite(weight)).sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pair")


def sharpe(ledger: Ledger) -> float:
    """Annualised Sharpe ratio of daily excess returns (252 a year, ddof 1), NaN where there is no spread."""
    excess = (ledger.returns - ledger.risk_free).to_numpy()
    spread = excess.std(ddof=1) if len(excess) > 1 else 0.0
    return float(excess.mean() / spread * np.sqrt(SESSIONS_A_YEAR)) if spread > 1e-14 else float("nan")


def _at_own_closes(market: Market, pair: tuple[str, str], weight: NDArray[np.float64]) -> Ledger:
    """Run one pair on a calendar of dates on which both venues closed, filled at the closes themselves."""
    grid = market.grid
    closes = {}
    for symbol in pair:
        line = market.instruments.loc[symbol]
        own = (grid["phase"] == "close").to_numpy() & (market.venue_of_step == line["venue"])
        usd = market.price[symbol].to_numpy() * market.fx[line["currency"]].to_numpy()
        series = pd.Series(usd[own], index=pd.DatetimeIndex(grid["session"][own]))
        for split in records(market.splits[market.splits["symbol"] == symbol]):
            series[series.index >= pd.Timestamp(split.ex_date)] *= float(split.factor)
        closes[symbol] = series
    together = pd.DataFrame(closes).dropna()
    wanted = pd.Series(weight, index=pd.DatetimeIndex(grid["session"])).dropna()
    wanted = wanted[~wanted.index.duplicated(keep="last")].reindex(together.index)
    plan = pd.DataFrame({pair[0]: wanted, pair[1]: -wanted})
    daily = replace(Market.from_prices(together), label=market.label)
    return backtest(daily, plan, costs=Costs.none(), fill="same_step")
