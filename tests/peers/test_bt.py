"""bt and `backtest` give the same equity: rebalancing with fees, dividends and splits, long and short.

bt 1.4.1 (MIT), https://github.com/pmorissette/bt. Its conventions, read in `backtest.py`, `core.py` and
`algos.py`:

* `Backtest` puts a day without prices before the first one; its value on that day is the initial capital.
* `RunMonthly` runs on the first date and on the first date of each month, and trades at the close it has
  seen: our ``fill="same_step"``.
* `Rebalance` hands each line ``(weight - weight now) * value``, commission included (`core.allocate`):
  a purchase is ``amount / (price * (1 + fee))`` shares, a sale ``amount / (price * (1 - fee))``, an exit all
  there is. Ours trades to the weight and takes the fee from cash. `StrategyBase.transact` trades a quantity.
* `CorporateActions` multiplies the position by the split and adds ``dividend * position`` to cash on the
  ex-date, whatever the sign of the position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import bt
import numpy as np
import pandas as pd
import pytest
from hot_loop import FloatArray, disagreement

import entrepot as ep

CAPITAL = 1_000_000.0
FEE = 1e-3
TOLERANCE = 1e-13  # relative; the largest difference seen is 2e-15
WEIGHTS = {
    "long": [0.4, 0.3, 0.2],
    "full": [0.5, 0.3, 0.2],
    "short": [-0.2, -0.4, -0.1],
    "neutral": [0.5, -0.3, -0.2],
    "levered": [0.9, 0.7, -0.6],
}
SYMBOLS = ["A", "B", "C"]

kinds = pytest.mark.parametrize("kind", WEIGHTS)


def make_prices(days: int = 260) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    dates = pd.bdate_range("2022-01-03", periods=days)
    moves = 0.02 * rng.standard_normal((days, 3))
    return pd.DataFrame(np.exp(np.cumsum(moves, axis=0)) * [20.0, 90.0, 7.0], dates, SYMBOLS)


def monthly(prices: pd.DataFrame, weights: Sequence[float]) -> pd.DataFrame:
    """The weights on the first date and on the first date of each month, NaN between."""
    first = ~prices.index.to_period("M").duplicated()
    return pd.DataFrame(np.where(first[:, None], weights, np.nan), prices.index, prices.columns)


class Transact(bt.Algo):
    """Trade our quantities: weight times value before fees, over price, less what is held."""

    def __call__(self, target: Any) -> bool:
        value = target.value
        for symbol, weight in target.temp["weights"].items():
            held = target.children[symbol].position if symbol in target.children else 0.0
            price = target.universe.at[target.now, symbol]
            target.transact(weight * value / price - held, child=symbol)
        return True


def run_bt(
    prices: pd.DataFrame, weights: Sequence[float], fee: float, trade: Any, actions: Sequence[Any] = ()
) -> Any:
    """Run bt's own monthly schedule; `actions` run every day before it."""
    plan = [bt.algos.RunMonthly(), bt.algos.SelectAll()]
    plan += [bt.algos.WeighSpecified(**dict(zip(SYMBOLS, weights, strict=True))), trade]
    run = bt.Backtest(
        bt.Strategy("peer", [*actions, *plan]),
        prices,
        initial_capital=CAPITAL,
        integer_positions=False,
        commissions=lambda quantity, price: fee * abs(quantity) * price,
    )
    run.run()
    return run


def equity_of(run: Any) -> FloatArray:
    value = np.asarray(run.strategy.data["value"], dtype=np.float64)
    assert value[0] == CAPITAL  # the day before the first
    return value[1:]


def run_ours(market: ep.Market, weights: pd.DataFrame, fee: float) -> ep.Result:
    costs = ep.Costs.flat(fee_bps=fee * 1e4)
    return ep.backtest(market, weights, capital=CAPITAL, costs=costs, fill="same_step", check=True)


# -- rebalancing ---------------------------------------------------------------------------------------------


@kinds
def test_rebalancing_without_fees(kind: str) -> None:
    prices = make_prices()
    theirs = equity_of(run_bt(prices, WEIGHTS[kind], 0.0, bt.algos.Rebalance()))
    ours = run_ours(ep.Market.from_prices(prices), monthly(prices, WEIGHTS[kind]), 0.0).equity
    assert disagreement(ours.to_numpy(), theirs) < TOLERANCE


@kinds
def test_rebalancing_in_our_quantities_with_fees(kind: str) -> None:
    prices = make_prices()
    run = run_bt(prices, WEIGHTS[kind], FEE, Transact())
    ours = run_ours(ep.Market.from_prices(prices), monthly(prices, WEIGHTS[kind]), FEE)
    assert disagreement(ours.equity.to_numpy(), equity_of(run)) < TOLERANCE
    assert ours.fills["fees"].sum() == pytest.approx(run.strategy.fees.sum(), rel=1e-12)


@kinds
def test_rebalancing_in_bts_quantities_with_fees(kind: str) -> None:
    """Given the weights that bt's quantities are of its value before fees, ours is bt's equity again."""
    prices = make_prices()
    run = run_bt(prices, WEIGHTS[kind], FEE, bt.algos.Rebalance())
    before_fees = equity_of(run) + run.strategy.fees.to_numpy()[1:]
    held = run.positions[SYMBOLS].iloc[1:]
    wanted = monthly(prices, WEIGHTS[kind])
    reached = (held * prices).div(before_fees, axis=0).where(wanted.notna())
    market = ep.Market.from_prices(prices)
    assert disagreement(run_ours(market, reached, FEE).equity.to_numpy(), equity_of(run)) < TOLERANCE

    # The difference of the two rules, line by line and in money on the first day.
    worth = (held.shift(fill_value=0.0) * prices).to_numpy()
    amount = (wanted.to_numpy() * before_fees[:, None] - worth)[wanted.notna().all(axis=1)]
    traded = (held.diff().fillna(held.iloc[:1]) * prices).to_numpy()[wanted.notna().all(axis=1)]
    np.testing.assert_allclose(traded, amount / (1.0 + FEE * np.sign(amount)), rtol=1e-9)
    ours = run_ours(market, wanted, FEE).equity.to_numpy()
    saved = FEE * np.sum(np.abs(amount[0]) - np.abs(traded[0]))
    assert equity_of(run)[0] - ours[0] == pytest.approx(saved, abs=1e-8)
    assert 1e-6 < disagreement(ours, equity_of(run)) < 2e-4


# -- corporate actions ---------------------------------------------------------------------------------------


def make_actions(prices: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return raw prices with dividends and splits in them, and bt's two frames.

    One dividend falls on a day of rebalancing, one on the day of a split, and one line pays twice.
    """
    dates = prices.index
    dividends = pd.DataFrame(np.nan, dates, SYMBOLS)
    splits = pd.DataFrame(np.nan, dates, SYMBOLS)
    rebalanced = dates[~dates.to_period("M").duplicated()]
    dividends.loc[dates[30], "A"] = 0.8
    dividends.loc[rebalanced[4], "B"] = 2.5
    dividends.loc[dates[150], "B"] = 1.5
    dividends.loc[dates[200], "C"] = 0.3
    splits.loc[dates[100], "A"] = 2.0
    splits.loc[dates[200], "C"] = 0.5
    raw = prices / splits.fillna(1.0).cumprod()
    return raw, dividends, splits


def rows_of(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The cells that are not NaN, one a row."""
    dated = frame.rename_axis("ex_date").reset_index()
    return dated.melt("ex_date", var_name="symbol", value_name=name).dropna(ignore_index=True)


def market_with(
    prices: pd.DataFrame, dividends: pd.DataFrame, splits: pd.DataFrame, days_to_pay: int | None = None
) -> ep.Market:
    paid = rows_of(dividends, "amount")
    paid["pay_date"] = pd.NaT if days_to_pay is None else paid["ex_date"] + pd.Timedelta(days=days_to_pay)
    paid["pay_date"] = paid["pay_date"].astype("datetime64[ns]")
    split = rows_of(splits, "factor")
    return replace(ep.Market.from_prices(prices), dividends=paid, splits=split)


@kinds
@pytest.mark.parametrize("days_to_pay", [None, 20], ids=["paid at once", "paid later"])
def test_dividends_and_splits(kind: str, days_to_pay: int | None) -> None:
    """Long and short: bt pays on the ex-date, ours owes until the pay date; the equity is the same."""
    prices, dividends, splits = make_actions(make_prices())
    actions = [bt.algos.CorporateActions(dividends, splits)]
    theirs = equity_of(run_bt(prices, WEIGHTS[kind], FEE, Transact(), actions))
    unpaid = [bt.algos.CorporateActions(0.0 * dividends, splits)]
    without = equity_of(run_bt(prices, WEIGHTS[kind], FEE, Transact(), unpaid))
    market = market_with(prices, dividends, splits, days_to_pay)
    result = run_ours(market, monthly(prices, WEIGHTS[kind]), FEE)
    assert disagreement(result.equity.to_numpy(), theirs) < TOLERANCE
    assert disagreement(without, theirs) > 0.005
    assert result.receivables.to_numpy().any() == (days_to_pay is not None)


def flat_world() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Prices that do not move and one dividend of 1.00 on A and on B."""
    dates = pd.bdate_range("2022-01-03", periods=15)
    prices = pd.DataFrame(100.0, dates, SYMBOLS)
    dividends = pd.DataFrame(np.nan, dates, SYMBOLS)
    dividends.loc[dates[5], ["A", "B"]] = 1.0
    return prices, dividends, pd.DataFrame(np.nan, dates, SYMBOLS)


def test_withholding_tax_has_no_place_in_bt() -> None:
    """10 % is withheld from the long, the short owes the gross amount: no one amount per share says that.

    Ours is right: the lender is made whole for what he would have been paid (docs/costs.md, "Holding").
    """
    prices, dividends, splits = flat_world()
    weights = [0.5, -0.3, 0.0]  # 5,000 shares of A, -3,000 of B
    market = market_with(prices, dividends, splits)
    taxed = replace(market, instruments=market.instruments.assign(withholding=0.1))
    ours = run_ours(taxed, monthly(prices, weights), 0.0).equity.iloc[-1]
    assert ours == pytest.approx(CAPITAL + 5_000 * 0.9 - 3_000)
    for amounts, expected in ((dividends, 5_000 - 3_000), (0.9 * dividends, 4_500 - 2_700)):
        actions = [bt.algos.CorporateActions(amounts, splits)]
        theirs = equity_of(run_bt(prices, weights, 0.0, Transact(), actions))[-1]
        assert theirs == pytest.approx(CAPITAL + expected)


def test_bt_loses_a_dividend_whose_ex_date_has_no_prices() -> None:
    """Ours pays it at the next step. bt asks that the date exist and does not check it."""
    prices, dividends, splits = flat_world()
    weights = [0.5, -0.3, 0.0]
    ex_date = dividends.index[5]
    closed = prices.drop(index=ex_date)
    ours = run_ours(market_with(closed, dividends, splits), monthly(closed, weights), 0.0).equity
    assert ours.iloc[4] == CAPITAL
    assert ours.iloc[5] == ours.iloc[-1] == pytest.approx(CAPITAL + 5_000 - 3_000)
    actions = [bt.algos.CorporateActions(dividends, splits)]
    assert (equity_of(run_bt(closed, weights, 0.0, Transact(), actions)) == CAPITAL).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # bt takes logarithms of the negative values it makes
def test_bt_ruins_a_short_on_a_consolidation() -> None:
    """One share for four: bt marks the old number of shares at the new price before any algo has run.

    `Backtest.run` updates the tree, finds a negative value and sells everything. Ours changes shares and
    price at once, which is right: nothing has happened.
    """
    prices, dividends, splits = flat_world()
    day = prices.index[7]
    prices.loc[day:, "C"] *= 4.0
    splits.loc[day, "C"] = 0.25
    weights = [0.5, 0.5, -0.5]
    ours = run_ours(market_with(prices, 0.0 * dividends, splits), monthly(prices, weights), 0.0)
    np.testing.assert_allclose(ours.equity, CAPITAL, rtol=1e-12)
    actions = [bt.algos.CorporateActions(0.0 * dividends, splits)]
    run = run_bt(prices, weights, 0.0, Transact(), actions)
    assert run.strategy.bankrupt
    assert equity_of(run)[-1] == pytest.approx(CAPITAL - 5_000 * 300.0)


def test_bt_refuses_a_missing_price_while_held() -> None:
    """Ours keeps the last price over a gap and counts it."""
    prices, _, _ = flat_world()
    weights = [0.5, -0.3, 0.0]
    gap = prices.copy()
    gap.loc[gap.index[7], "A"] = np.nan
    result = run_ours(ep.Market.from_prices(gap), monthly(gap, weights), 0.0)
    assert (result.equity == CAPITAL).all()
    assert result.gaps["A"] == 1
    with pytest.raises(ValueError, match="latest price is NaN"):
        run_bt(gap, weights, 0.0, Transact())
