"""What a pair trade seems to earn filled at the closes its signal was made from, and what it can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine.backtest import backtest
from entrepot.engine.costs import Costs
from entrepot.engine.plans import TargetArrays
from entrepot.engine.result import Ledger
from entrepot.errors import ParameterError, shown
from entrepot.markets.market import Market, one_venue, records

SESSIONS_A_YEAR = 252


@dataclass(frozen=True)
class _Pairs:
    """The linked pairs of a plan, each at the same fraction of its weight, and nothing else."""

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

        >>> import entrepot as ep
        >>> market = ep.simulate_market("2021-01-04", "2022-12-30", symbols=["BABA", "9988.HK"], seed=7)
        >>> naive = ep.LongHKShortADR(signal="same_date", span=1, round_trip_bps=0)
        >>> ratios = ep.fill_timing(market, naive.targets(market)).loc["BABA"]
        >>> bool(ratios["own closes"] > ratios["next step"] > ratios["next step, net"])
        True

    Args:
        market: T steps of both venues.
        targets: linked pairs and their weights, decided at New York closes, such as
            ``strategy.targets(market)``. Together they are scaled to a gross weight of at most 1 a side;
            single lines and how a pair is closed are left out.
        costs: of the third column; `Costs()` where not given.

    Returns:
        One row per pair; annualised Sharpe ratios of the pair's daily profit over equity, while both its
        lines print: ``own closes`` (both legs at the closes of the decision's date, or of the next date on
        which both venues close, no costs), ``next step`` (each leg at its venue's next step, no costs),
        ``next step, net`` (after all costs), and the number
        of ``round trips``, begun each time that a weight other than 0 follows none, 0 or one of the other
        sign. A pair finances itself, so its profit is an excess return. NaN where it never
        traded, or where a line never printed.

    Raises:
        ParameterError: when these are no targets, or link no pair.
    """
    if not isinstance(market, Market):
        raise ParameterError(f"market is {shown(market)}: give one, made by load_market or simulate_market")
    if not all(hasattr(targets, name) for name in ("pairs", "pair_weights")):
        raise ParameterError(f"targets is {shown(targets)}: give such as LongHKShortADR().targets(market)")
    if not targets.pairs:
        raise ParameterError("the targets link no pair: give those of a pair strategy")
    largest = np.nansum(np.nanmax(np.abs(targets.pair_weights), axis=0, initial=0.0))
    plan = _Pairs(
        np.full(market.prices.shape, np.nan),
        tuple(targets.pairs),
        targets.pair_weights / max(float(largest), 1.0),
    )
    free = profit_by_pair(backtest(market, plan, costs=Costs.none()), plan.pairs)
    paid = profit_by_pair(backtest(market, plan, costs=costs), plan.pairs)
    own = _own_close_profit(market, plan)
    side = np.sign(pd.DataFrame(plan.pair_weights).ffill().fillna(0.0).to_numpy())
    begun = (side != 0.0) & (side != np.vstack([np.zeros((1, side.shape[1])), side[:-1]]))
    return pd.DataFrame(
        {
            "own closes": sharpe(own),
            "next step": sharpe(free),
            "next step, net": sharpe(paid),
            "round trips": pd.Series(begun.sum(axis=0), index=own.columns),
        }
    ).rename_axis("pair")


def profit_by_pair(ledger: Ledger, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Daily profit of each pair's two lines as a fraction of the day's opening equity, sessions by ADR.

    NaN before both lines print and after one has stopped; NaN throughout where one never prints.
    """
    market = ledger.market
    booked = ledger.contributions.T.groupby(level="instrument").sum().T
    day: NDArray[np.int64] = np.cumsum(market.decision_steps) - market.decision_steps
    opening = ledger.daily.shift(fill_value=ledger.capital)
    profit = {}
    for pair in pairs:
        earned = booked.reindex(columns=list(pair), fill_value=0.0).sum(axis=1).to_numpy()
        series = np.bincount(day, weights=earned)[: len(opening)] / opening
        printed = [np.flatnonzero(market.price[symbol].notna()) for symbol in pair]
        if not all(len(steps) for steps in printed):
            profit[pair[1]] = pd.Series(np.nan, index=opening.index)
            continue
        first, last = max(steps[0] for steps in printed), min(steps[-1] for steps in printed)
        profit[pair[1]] = series.where(
            (np.arange(len(opening)) > day[first]) & (np.arange(len(opening)) <= day[last])
        )
    return pd.DataFrame(profit, index=opening.index)


def sharpe(excess: pd.DataFrame) -> pd.Series[Any]:
    """Annualised Sharpe ratio of daily excess returns by column (252, ddof 1); NaN without a spread."""
    spread = excess.std(ddof=1)
    ratio: pd.Series[Any] = excess.mean() / spread.where(spread > 1e-14) * np.sqrt(SESSIONS_A_YEAR)
    return ratio


def _own_close_profit(market: Market, plan: _Pairs) -> pd.DataFrame:
    """Run the pairs on a calendar of dates, both legs filled at the closes of the date of the decision."""
    grid = market.grid
    closes, wanted = {}, {}
    for p, pair in enumerate(plan.pairs):
        for symbol in pair:
            line = market.instruments.loc[symbol]
            own = (grid["phase"] == "close").to_numpy() & (market.venue_of_step == line["venue"])
            usd = market.printed[:, market.column(symbol)] * market.fx[line["currency"]].to_numpy()
            series = pd.Series(usd[own], index=pd.DatetimeIndex(grid["session"][own]))
            for split in records(market.splits[market.splits["symbol"] == symbol]):
                series[series.index >= pd.Timestamp(split.ex_date)] *= float(split.factor)
            closes[symbol] = series
        together = closes[pair[0]].notna() & closes[pair[1]].notna()
        if not together.any():
            del closes[pair[0]], closes[pair[1]]
            continue
        for symbol in pair:
            closes[symbol] = closes[symbol].where(together)
        weight = pd.Series(plan.pair_weights[:, p], index=pd.DatetimeIndex(grid["session"])).dropna()
        # What is decided while the other venue is shut is filled on the next date with both closes.
        dates = together.index[together]
        at = dates.searchsorted(weight.index)
        weight = pd.Series(weight.to_numpy()[at < len(dates)], dates[at[at < len(dates)]])
        weight = weight[~weight.index.duplicated(keep="last")]
        weight[dates[-1]] = 0.0
        wanted[pair[0]], wanted[pair[1]] = weight, -weight
    names = [adr for _, adr in plan.pairs]
    if not closes:
        return pd.DataFrame(columns=names, dtype=float)
    prices = pd.DataFrame(closes).dropna(how="all")
    daily = one_venue(prices, label=market.label)
    ledger = backtest(daily, pd.DataFrame(wanted).reindex(prices.index), costs=Costs.none(), fill="same_step")
    kept = [pair for pair in plan.pairs if pair[0] in closes]
    return profit_by_pair(ledger, kept).reindex(columns=names)
