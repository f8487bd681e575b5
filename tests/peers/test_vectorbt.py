"""vectorbt gives the same equity and the same orders, as long as it does what it is told.

vectorbt 1.2 (Apache 2.0 with the Commons Clause), https://github.com/polakowo/vectorbt, and its compiled
backend `vectorbt-rust`. Its conventions, read in `vectorbt/portfolio/nb.py`:

* `from_orders(size_type="targetpercent")` sizes ``weight * value / price - position`` before fees, as ours; a
  size of NaN is no order.
* `buy_nb` cuts a purchase to the cash there is, without a word; `size_granularity` floors what is traded.
* The order records are the only ledger: `cash_flow_nb` is ``-size * price - fees``, nothing else is booked.
* `execute_order_nb` ignores an order at a price of NaN, and the position keeps the last price for ever.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import vectorbt as vbt
from hot_loop import CAPITAL, FEE, TOLERANCE, FloatArray, disagreement, make_world, prepare

import entrepot as ep

SHAPE = (8, 250, 6)  # configurations, steps, instruments
VECTORBT = ("vectorbt numba", "vectorbt rust")
LOT = 100.0

engines = pytest.mark.parametrize("engine", ["numba", "rust"])


def rebalance(prices: pd.DataFrame, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return equity and cash, (steps, configurations): weights of equity before fees, at that price."""
    price = prices.to_numpy()
    configurations, steps, instruments = weights.shape
    equity = np.empty((steps, configurations))
    cash = np.empty((steps, configurations))
    for c in range(configurations):
        held, purse = np.zeros(instruments), CAPITAL
        for t in range(steps):
            wanted = weights[c, t] * (purse + held @ price[t]) / price[t]
            purse -= (wanted - held) @ price[t] + FEE * np.abs(wanted - held) @ price[t]
            held = wanted
            equity[t, c] = purse + held @ price[t]
            cash[t, c] = purse
    return equity, cash


def theirs(
    prices: pd.DataFrame, weights: FloatArray, engine: str, *, fees: float = FEE, lot: float = np.nan
) -> vbt.Portfolio:
    """One portfolio of vectorbt's, cash shared, sales first."""
    return vbt.Portfolio.from_orders(
        prices,
        weights,
        size_type="targetpercent",
        direction="both",
        fees=fees,
        init_cash=CAPITAL,
        size_granularity=lot,
        group_by=True,
        cash_sharing=True,
        call_seq="auto",
        freq="1D",
        engine=engine,
    )


def ours(prices: pd.DataFrame, weights: FloatArray, costs: ep.Costs, lot: float = 0.0) -> ep.Result:
    return trade(ep.Market.from_prices(prices, lot=lot), weights, costs)


def trade(market: ep.Market, weights: FloatArray, costs: ep.Costs) -> ep.Result:
    frame = pd.DataFrame(weights, market.grid["session"], market.symbols)
    return ep.backtest(market, frame, capital=CAPITAL, costs=costs, fill="same_step", check=True)


# -- where they are the same ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["long", "neutral"])
def test_equity_is_vectorbts(kind: str) -> None:
    prices, weights = make_world(kind, *SHAPE)
    mine = prepare("entrepot", prices, weights)()
    for engine in VECTORBT:
        assert disagreement(mine, prepare(engine, prices, weights)()) < TOLERANCE, engine


@engines
@pytest.mark.parametrize("kind", ["long", "neutral"])
def test_every_order_is_vectorbts(kind: str, engine: str) -> None:
    """Weights every 20 steps, NaN between: the recorded run fills what vectorbt records as orders."""
    prices, weights = make_world(kind, 1, *SHAPE[1:])
    sparse = np.where(np.arange(SHAPE[1])[:, None] % 20 == 0, weights[0], np.nan)
    result = ours(prices, sparse, ep.Costs.flat(fee_bps=FEE * 1e4))
    portfolio = theirs(prices, sparse, engine)
    assert disagreement(result.equity.to_numpy(), portfolio.value().to_numpy()) < TOLERANCE
    compare_orders(result, portfolio, prices)


@engines
@pytest.mark.parametrize("kind", ["long", "neutral"])
def test_board_lots_are_a_size_granularity(kind: str, engine: str) -> None:
    """What is traded is truncated to whole lots of 100, buying and selling, and through zero."""
    prices, weights = make_world(kind, 1, *SHAPE[1:])
    weights[0, 100:110] = 0.0  # an exit
    result = ours(prices, weights[0], ep.Costs.flat(fee_bps=FEE * 1e4).with_(lots=True), LOT)
    portfolio = theirs(prices, weights[0], engine, lot=LOT)
    assert disagreement(result.equity.to_numpy(), portfolio.value().to_numpy()) < TOLERANCE
    assert (result.fills["quantity"] % LOT == 0.0).all()
    assert len(result.fills) > 200
    compare_orders(result, portfolio, prices)


def compare_orders(result: ep.Result, portfolio: vbt.Portfolio, prices: pd.DataFrame) -> None:
    records = portfolio.orders.records
    signed = records["size"].where(records["side"] == 0, -records["size"])
    orders = pd.DataFrame({"step": records["idx"], "line": records["col"], "quantity": signed})
    fills = result.fills.assign(line=prices.columns.get_indexer(result.fills["symbol"]))
    left = orders.assign(fees=records["fees"]).sort_values(["step", "line"]).to_numpy()
    right = fills[["step", "line", "quantity", "fees"]].sort_values(["step", "line"]).to_numpy()
    np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-6)


# -- where they are not --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["full", "levered"])
def test_vectorbt_cuts_purchases_that_need_negative_cash(kind: str) -> None:
    prices, weights = make_world(kind, *SHAPE)
    told, cash = rebalance(prices, weights)
    assert cash.min() < 0.0
    assert disagreement(prepare("entrepot", prices, weights)(), told) < TOLERANCE
    for engine in VECTORBT:
        assert disagreement(prepare(engine, prices, weights)(), told) > 1e-5, engine


@engines
def test_vectorbt_loses_a_lot_to_rounding(engine: str) -> None:
    """0.397 % of a million at 0.10 is 397 lots; in floats it is 39,699.99999999999 shares, floored to 396."""
    prices, weights = still_world(3)
    prices.loc[:] = 0.1
    weights[0] = [0.00397, -0.00397]
    portfolio = theirs(prices, weights, engine, fees=0.0, lot=LOT)
    assert portfolio.orders.records["size"].tolist() == [39_600.0, 39_600.0]
    result = ours(prices, weights, ep.Costs.none().with_(lots=True), LOT)
    assert result.fills["quantity"].tolist() == [39_700.0, -39_700.0]


def still_world(steps: int = 263) -> tuple[pd.DataFrame, FloatArray]:
    """Prices that do not move, long A and short B from the first day on."""
    prices = pd.DataFrame(100.0, pd.bdate_range("2023-01-02", periods=steps), ["A", "B"])
    weights = np.full(prices.shape, np.nan)
    weights[0] = [0.5, -0.5]
    return prices, weights


@engines
def test_vectorbt_lends_for_nothing(engine: str) -> None:
    """A year of 5 % on 500,000 short, actual/360: vectorbt has no argument for it and books none."""
    prices, weights = still_world()
    costs = ep.Costs.flat(fee_bps=0.0)
    free = theirs(prices, weights, engine, fees=0.0).value()
    assert (free == CAPITAL).all()
    assert (ours(prices, weights, costs).equity == CAPITAL).all()
    paid = ours(prices, weights, costs.with_(borrow_rate_pa=0.05)).equity.iloc[-1] - CAPITAL
    assert paid == pytest.approx(-0.05 * 500_000.0 * 366 / 360)


@engines
@pytest.mark.parametrize("weight", [0.5, -0.5], ids=["long", "short"])
def test_vectorbt_takes_the_ex_date_for_a_move(weight: float, engine: str) -> None:
    """The price falls by the dividend: a long is made whole, a short owes it. vectorbt keeps the move.

    Fed adjusted prices instead it has later dividends in earlier levels, and its lots and fees are of prices
    that never were.
    """
    prices, weights = still_world(20)
    prices.iloc[10:, 0] = 98.0
    weights[0] = [weight, np.nan]
    dividend = pd.DataFrame({"symbol": "A", "ex_date": prices.index[10:11], "amount": 2.0})
    dividend["pay_date"] = pd.Series(pd.NaT, dividend.index, dtype="datetime64[ns]")
    market = replace(ep.Market.from_prices(prices), dividends=dividend)
    np.testing.assert_allclose(trade(market, weights, ep.Costs.none()).equity, CAPITAL, rtol=1e-12)
    last = theirs(prices, weights, engine, fees=0.0).value().iloc[-1]
    assert last == pytest.approx(CAPITAL - weight * CAPITAL / 100.0 * 2.0)


@engines
def test_vectorbt_marks_a_line_that_left_for_ever(engine: str) -> None:
    """The exit after the last price is ignored and the position stays; ours asks what became of the line."""
    prices, weights = still_world(40)
    prices.iloc[:20, 0] = 110.0
    prices.iloc[20:, 0] = np.nan
    weights[0] = [0.5, np.nan]
    weights[30] = [0.0, np.nan]
    portfolio = theirs(prices, weights, engine, fees=0.0)
    assert (portfolio.value() == CAPITAL).all()
    assert len(portfolio.orders.records) == 1
    with pytest.raises(ep.DataError, match=r"^A "):
        ours(prices, weights, ep.Costs.none())
