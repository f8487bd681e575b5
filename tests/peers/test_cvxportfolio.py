"""Borrow, rebate and interest accrue by cvxportfolio's formulas, once the conventions are mapped.

cvxportfolio 1.5.1 is under the GPL: nothing of it is installed, called or copied. The formulas, written anew
below, are those of its documentation, https://www.cvxportfolio.com/en/stable/costs.html (`HoldingCost`,
`StocksHoldingCost`) and simulator.html, and of the paper behind it: Boyd, Busseti, Diamond, Kahn, Koh,
Nystrup and Speth, "Multi-Period Trading via Convex Optimization" (2017), sections 2.4 to 2.6,
https://stanford.edu/~boyd/papers/cvx_portfolio.html. How a period's part is taken of an annual percentage is
only in the source: its root, not its share.

Over a period of `dt` days, with holdings `h` after trading and cash `c`:

    cost = sum(s * max(-h, 0)),   h' = h * (1 + r),   c' = (c - cost) * (1 + r_c)

* `s` is ``(1 + short_fees / 100) ** (dt / 365.24) - 1``, weekends in full.
* `r_c` is the period's return of cash, paid on the whole cash account, short proceeds included.
* There is no rebate spread, no debit spread, one currency, and dividends are part of `r`.

Ours accrues simple interest on actual days over 360 (USD) or 365, at the end of the period. So the mapping is

    r_c = rate * dt / day_count
    s   = (borrow_rate + rebate_spread) * dt / day_count / (1 + r_c)

as the rebate on proceeds, ``rate - rebate_spread``, and the interest on the rest are together ``rate`` on all
cash, less the spread on what is short.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hot_loop import FloatArray, disagreement

import entrepot as ep

CAPITAL = 1_000_000.0
YEAR = 365.24  # days, cvxportfolio's
TOLERANCE = 1e-12
SIDES = {"neutral": [0.6, -0.6], "short": [-0.3, -0.5], "levered": [1.5, -0.2]}  # levered: cash is negative


@dataclass(frozen=True)
class Rates:
    """Annual fractions."""

    cash: float = 0.045
    borrow: float = 0.03
    rebate_spread: float = 0.005
    day_count: float = 360.0


def make_prices(days: int = 300) -> pd.DataFrame:
    """Business days: periods of one and of three days."""
    rng = np.random.default_rng(5)
    dates = pd.bdate_range("2023-01-02", periods=days)
    moves = 0.015 * rng.standard_normal((days, 2))
    return pd.DataFrame(50.0 * np.exp(np.cumsum(moves, axis=0)), dates, ["A", "B"])


def annual_percent(part: float, days: float) -> float:
    """The `short_fees` of which a period's part is `part`."""
    return 100.0 * ((1.0 + part) ** (YEAR / days) - 1.0)


def their_equity(
    prices: pd.DataFrame, weights: list[float], cash_return: FloatArray, short_fees: FloatArray
) -> FloatArray:
    """The formulas above, by period: traded once at the first price, then held. Fees in annual percent."""
    price = prices.to_numpy()
    days = np.diff(prices.index) / np.timedelta64(1, "D")
    held = CAPITAL * np.array(weights)
    cash = CAPITAL - held.sum()
    equity = [CAPITAL]
    for t, length in enumerate(days):
        part = (1.0 + short_fees[t] / 100.0) ** (length / YEAR) - 1.0
        cost = part * np.maximum(-held, 0.0).sum()
        cash = (cash - cost) * (1.0 + cash_return[t])
        held = held * price[t + 1] / price[t]
        equity.append(cash + held.sum())
    return np.array(equity)


def our_run(prices: pd.DataFrame, weights: list[float], rates: Rates, currency: str = "USD") -> ep.Result:
    frame = pd.DataFrame(np.nan, prices.index, prices.columns)
    frame.iloc[0] = weights
    costs = ep.Costs.none().with_(
        borrow_rate_pa=rates.borrow,
        rebate_spread_pa=rates.rebate_spread,
        cash_rate_pa={currency: rates.cash},
    )
    market = ep.Market.from_prices(prices)
    if currency != "USD":
        pegged = {"time": market.grid["time"], "currency": currency, "per_usd": 7.8}
        lines = market.instruments.assign(currency=currency)
        market = replace(market, instruments=lines, fixings=pd.DataFrame(pegged))
    return ep.backtest(
        market,
        frame,
        capital=CAPITAL,
        base_currency=currency,
        costs=costs,
        fill="same_step",
        check=True,
    )


@pytest.mark.parametrize("rates", [Rates(), Rates(0.0, 0.08, 0.0), Rates(0.05, 0.0, 0.01)], ids=str)
@pytest.mark.parametrize("side", SIDES)
def test_accruals_are_their_formulas(side: str, rates: Rates) -> None:
    prices = make_prices()
    days = np.diff(prices.index) / np.timedelta64(1, "D")
    cash_return = rates.cash * days / rates.day_count
    part = (rates.borrow + rates.rebate_spread) * days / rates.day_count / (1.0 + cash_return)
    fees = np.array([annual_percent(p, d) for p, d in zip(part, days, strict=True)])
    result = our_run(prices, SIDES[side], rates)
    theirs = their_equity(prices, SIDES[side], cash_return, fees)
    assert disagreement(result.equity.to_numpy(), theirs) < TOLERANCE
    booked = set(result.contributions.columns.get_level_values("source"))
    expected = {"borrow"} if rates.borrow else set()
    assert booked == {"price"} | expected | ({"interest", "rebate"} if rates.cash else set())


def test_a_hong_kong_year_has_365_days() -> None:
    prices = make_prices()
    days = np.diff(prices.index) / np.timedelta64(1, "D")
    rates = Rates(0.04, 0.02, 0.0, day_count=365.0)
    cash_return = rates.cash * days / 365.0
    part = rates.borrow * days / 365.0 / (1.0 + cash_return)
    fees = np.array([annual_percent(p, d) for p, d in zip(part, days, strict=True)])
    ours = our_run(prices, SIDES["neutral"], rates, "HKD").equity.to_numpy()
    assert disagreement(ours, their_equity(prices, SIDES["neutral"], cash_return, fees)) < TOLERANCE


def test_what_the_conventions_are_worth() -> None:
    """The same 5 % quoted to both: theirs, a root over 365.24 days, is 3.8 % less of a fee than actual/360.

    Dollar stock loan fees are quoted simple over 360 days, so ours is right for a line lent in New York.
    """
    prices = make_prices()
    prices.loc[:] = 50.0
    days = np.diff(prices.index) / np.timedelta64(1, "D")
    rates = Rates(0.0, 0.05, 0.0)
    ours = our_run(prices, SIDES["neutral"], rates).equity.to_numpy()[-1] - CAPITAL
    none = np.zeros(len(days))
    theirs = their_equity(prices, SIDES["neutral"], none, np.full(len(days), 5.0))[-1] - CAPITAL
    assert ours == pytest.approx(-0.05 * 600_000.0 * days.sum() / 360.0)
    assert theirs / ours == pytest.approx(np.log(1.05) / YEAR * 360.0 / 0.05, rel=1e-3)
    assert theirs / ours == pytest.approx(0.962, abs=5e-4)
