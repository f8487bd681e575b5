"""How much money a trade holds: one plan run with more and more capital against the volume of its lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from entrepot.engine.costs import Costs
from entrepot.engine.lines import NOT_COSTS, SOURCES
from entrepot.engine.plans import Plan, TargetArrays, carried_path
from entrepot.errors import ParameterError, is_listed, is_number, shown
from entrepot.markets.market import Market
from entrepot.markets.volume import check_share, share_of_volume, shares_since_start, steps_sharing_a_session
from entrepot.regimes.path import RegimePath
from entrepot.result import Result, backtest

KINDS = tuple(source for source in SOURCES if source not in NOT_COSTS)


class _Made:
    """A plan whose targets have been made: they depend on no capital."""

    def __init__(self, targets: TargetArrays) -> None:
        self.made = targets

    def targets(self, market: Market, path: Any = None) -> TargetArrays:
        return self.made


def capacity(
    market: Market,
    plan: pd.DataFrame | Plan,
    capitals: Iterable[float] = (1e6, 1e7, 1e8, 1e9),
    *,
    impact: float = 1.0,
    participation: float | None = 0.1,
    costs: Costs | None = None,
    base_currency: str = "USD",
    path: RegimePath | None = None,
) -> pd.DataFrame:
    """Run one plan with ever more capital and say what is left of it.

    The more money, the further each fill moves its price (the square root of its shares: ``Costs.impact``)
    and the less of each order finds a market within a share of the volume. A trade holds as much money as
    still earns what is asked of it here. It is a model's answer: who trades, and how, is not in it.

    >>> import entrepot as ep
    >>> from entrepot.capacity import capacity
    >>> market = ep.simulate_market(start="2022-01-03", end="2022-12-30", seed=7)
    >>> weights = pd.DataFrame({"BABA": [0.9, 0.0]}, index=pd.to_datetime(["2022-03-01", "2022-09-01"]))
    >>> table = capacity(market, weights, (1e6, 1e8), participation=None)
    >>> bool(9 < table.loc[1e8, "Impact [bp]"] / table.loc[1e6, "Impact [bp]"] < 11)  # sqrt(100)
    True

    Args:
        market: with volumes, unless ``costs.impact_volume`` gives them; see `load_market`.
        plan: as in `backtest`. What it wants must not depend on the capital.
        capitals: equity before the first step, in ``base_currency``.
        impact: Y of the square-root law, in place of that of ``costs``; 0 for none.
        participation: the most of a line's average volume that is filled in one step, in place of
            ``costs.max_fill_shares``; None keeps that.
        costs: all other terms of trade; `Costs()` where not given.
        base_currency: of equity.
        path: as in `backtest`.

    Returns:
        One row per capital, the index. "Annualized Return [%]" and "Sharpe Ratio", net of all costs, as in
        `Result.summary`; "Turnover" a year; "Filled [%]", the shares of each line that are traded, over
        those without any cap and at most all of them, both without impact, which leaves less equity to trade
        with; a line counts by what is traded of it without a cap, each fill as a part of equity; "Impact
        [bp]" of the value traded; "Costs [%]" a year of mean equity, then those by kind, such as "impact",
        that are paid at all. NaN where all equity is lost.

    Raises:
        DataError: where a line is filled before its volume is known, and where there is no volume.
        ParameterError: on capitals, an impact or a participation that cannot be used.
    """
    if not isinstance(market, Market):
        raise ParameterError(f"capacity was given {shown(market)}: give a Market, as from load_market")
    costs = Costs() if costs is None else costs
    if not isinstance(costs, Costs):
        raise ParameterError(f"costs is {shown(costs)}: give a Costs object, such as Costs(fee_bps=5)")
    sizes = list(capitals) if is_listed(capitals) else []
    if not sizes or not all(is_number(size) and 0.0 < size < 1e15 for size in sizes):
        raise ParameterError(f"capitals is {shown(capitals)}: give positive amounts, such as (1e6, 1e7, 1e8)")
    costs = costs.with_(impact=impact)
    if participation is not None:
        check_share(participation, "participation")
        costs = costs.with_(max_fill_shares=_caps(market, participation, costs))
    capped = costs.with_(impact=0.0)
    free = capped.with_(max_fill_shares=None)
    path = carried_path(plan) if path is None else path
    if not isinstance(plan, pd.DataFrame | type) and isinstance(plan, Plan):
        plan = _Made(plan.targets(market, path))
    rows = []
    for size in sizes:
        runs = [
            backtest(market, plan, capital=size, base_currency=base_currency, costs=terms, path=path)
            for terms in (costs, capped, free)
        ]
        rows.append(_row(*runs))
    table = pd.DataFrame(rows, index=pd.Index(sizes, dtype=np.float64, name="capital"))
    return table.loc[:, [name not in KINDS or bool(table[name].any()) for name in table]]


def _row(result: Result, capped: Result, free: Result) -> dict[str, float]:
    """The figures of one capital."""
    summary = result.summary()
    years = (result.market.times[-1] - result.market.times[0]) / (365.25 * 86_400e9)
    lost = bool((result.equity_by_step <= 0.0).any())
    yearly = np.nan if lost else 100.0 / years / float(result.daily.mean())
    paid, traded = result.costs(), float((result.fills["notional"] * result.fills["fx"]).sum())
    return {
        "Annualized Return [%]": float(summary["Annualized Return [%]"]),
        "Sharpe Ratio": float(summary["Sharpe Ratio"]),
        "Turnover": float(summary["Turnover"]),
        "Filled [%]": 100.0 * _share_filled(capped, free),
        "Impact [bp]": 1e4 * float(paid.get("impact", 0.0)) / traded if traded > 0 else np.nan,
        "Costs [%]": yearly * float(paid.sum()),
        **{kind: yearly * float(paid.get(kind, 0.0)) for kind in KINDS},
    }


def _share_filled(capped: Result, free: Result) -> float:
    """The part of the shares wanted that finds a market; NaN where nothing is wanted.

    Shares, not money: what is filled late at another price is filled no less and no more.
    """
    fills = free.fills
    value = fills["quantity"].abs() * fills["price"] * fills["fx"] / free.equity_by_step[fills["step"]]
    weight, wanted = value.groupby(fills["symbol"]).sum(), _shares_by_line(free)
    part = (_shares_by_line(capped).reindex(wanted.index, fill_value=0.0) / wanted).clip(upper=1.0)
    return float((part * weight).sum() / weight.sum()) if len(weight) else np.nan


def _shares_by_line(result: Result) -> pd.Series[float]:
    """Shares of each line that are bought or sold, in those of the first step."""
    fills, market = result.fills, result.market
    step, line = fills["step"].to_numpy(), market.price.columns.get_indexer(pd.Index(fills["symbol"]))
    first: pd.Series[float] = fills["quantity"].abs() / shares_since_start(market)[step, line]
    return first.groupby(fills["symbol"]).sum()


def _caps(market: Market, participation: float, costs: Costs) -> pd.DataFrame:
    """The most shares of each line that are filled in one step, by session date."""
    given, part = costs.impact_volume, float(participation) / steps_sharing_a_session(market)
    if is_number(given):
        return given * part
    if market.volume is None and isinstance(given, Mapping):
        return part.reindex(columns=list(given)) * pd.Series(dict(given))
    if market.volume is None and isinstance(given, pd.DataFrame):
        return _by_date(given, part)
    caps = share_of_volume(market, participation, costs.impact_sessions)
    # Where the volume is not known it is better to be told than to trade nothing.
    caps = caps if costs.impact == 0.0 else caps.where(caps > 0.0)
    own = pd.DataFrame(dict(given), index=caps.index) if isinstance(given, Mapping) else given
    if not isinstance(own, pd.DataFrame):
        return caps
    return _by_date(own, part).reindex(columns=caps.columns).combine_first(caps)


def _by_date(volume: pd.DataFrame, part: pd.DataFrame) -> pd.DataFrame:
    """Parts of volumes that hold from their dates on, by session date."""
    held = volume.reindex(part.index.union(volume.index)).ffill().reindex(part.index)
    return held * part.reindex(columns=held.columns)
