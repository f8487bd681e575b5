"""A run as vectorbt's portfolio: vectorbt's own arithmetic on our orders, and the gap that is left.

vectorbt 1.2 (Apache 2.0 with the Commons Clause), https://github.com/polakowo/vectorbt, read in
`vectorbt/portfolio/nb.py`: cash is ``init_cash`` less ``size * price + fees`` of each order (`cash_flow_nb`),
a position the sum of sizes (`asset_flow_nb`), the value both at ``close``. So equity less value is what a
ledger booked without an order, and nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import vectorbt as vbt
import worlds
from hypothesis import given, settings

import entrepot as ep
from entrepot.job import default_plan
from entrepot.markets.market import empty_table

EXACT = 1e-9
SOURCES = ["dividend", "borrow", "rebate", "interest", "ads_fee", "conversion_fee", "fx_spread", "fx on cash"]


def portfolio(result: ep.Result) -> vbt.Portfolio:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return result.to_vectorbt()


def check(result: ep.Result) -> vbt.Portfolio:
    """The gap is all there is between the two, at every step."""
    made = portfolio(result)
    size = max(result.capital, float(result.equity.abs().max()))
    gap = result.vectorbt_gap_by_step()
    assert list(gap.columns) == SOURCES
    assert made.value().index.equals(result.equity.index)
    difference = (result.equity - made.value()).to_numpy()
    np.testing.assert_allclose(gap.sum(axis=1) / size, difference / size, rtol=0, atol=EXACT)
    assert result.vectorbt_gap().sum() == pytest.approx(difference[-1], abs=EXACT * size)
    # Its sources are the ledger's own.
    booked = result.contributions.T.groupby(level="source").sum().T
    for name in SOURCES[:-1]:
        own = booked.get(name, pd.Series(0.0, result.equity.index)).cumsum()
        np.testing.assert_allclose(gap[name] / size, own / size, rtol=0, atol=1e-12)
    # Whole positions, and those at the end in shares as they are then. What never had a price has no column.
    names = [name for name in result.positions if result.market.price[name].notna().any()]
    assert list(made.assets().columns) == (names or ["cash"])
    assert (result.positions.drop(columns=names) == 0.0).all(axis=None)
    most = np.maximum(1.0, result.positions[names].abs().max())
    last = (made.assets()[names].iloc[-1] - result.positions[names].iloc[-1]) / most
    assert (last.abs() < EXACT).all()
    assert made.orders.fees.sum() == pytest.approx(result.blotter["fees"].sum(), rel=1e-9, abs=EXACT * size)
    return made


@settings(max_examples=10, deadline=None)
@given(worlds.worlds(steps=(30, 80)))
def test_the_gap_is_exact_in_any_world(world: worlds.World) -> None:
    result = worlds.run(world)
    if result is not None:
        check(result)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(worlds.worlds(steps=(30, 120)))
def test_the_gap_is_exact_in_hundreds_of_worlds(world: worlds.World) -> None:
    result = worlds.run(world)
    if result is not None:
        check(result)


def test_the_gap_is_exact_with_everything_on() -> None:
    moved: set[str] = set()
    sources = pd.Series(0.0, SOURCES)
    kept = split = 0
    for seed in (1, 2, 7, 10, 12, 14, 18, 19):  # which can be run
        drawn = worlds.random_switches(seed, 0.75)
        on = replace(drawn, delisting=True, same_step=False, stops=False, costs=True, splits=seed % 2 == 0)
        result = worlds.run(worlds.random_world(seed, steps=80, switches=on))
        assert result is not None
        check(result)
        moved |= set(result.conversions["reason"])
        sources += result.vectorbt_gap().abs()
        split += len(result.market.splits) > 0
        for row in result.market.delistings.itertuples():
            kept += bool((result.positions.get(row.symbol, pd.Series(0.0)).to_numpy()[-1:] != 0).any())
    assert moved == {"chosen", "delisted", "cashed_out", "bought_in", "closed"}
    assert (sources > 0.0).all()
    assert min(kept, split) > 0


def test_the_gap_is_exact_at_ruin() -> None:
    ruined = 0
    for seed in (0, 2, 25, 27, 32, 47):
        drawn = replace(worlds.random_switches(seed), same_step=False, stops=False)
        result = worlds.run(worlds.random_world(seed, steps=60, switches=drawn))
        if result is not None and result.ruined_at is not None:
            made = check(result)
            after = made.value()[result.ruined_at :]
            np.testing.assert_allclose(after, after.iloc[0], rtol=1e-12)
            ruined += 1
    assert ruined > 3


# -- where nothing is missing --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_plain_portfolio_is_that_of_from_orders(seed: int) -> None:
    """Weights, no costs but a flat fee: their orders, fees, trades, positions and values are the same."""
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2023-01-02", periods=120)
    names = ["A", "B", "C"]
    prices = pd.DataFrame(50 * np.exp(np.cumsum(0.02 * rng.standard_normal((120, 3)), axis=0)), index, names)
    weights = pd.DataFrame(rng.uniform(-0.4, 0.4, (120, 3)), index, names)
    weights = weights.mask(rng.random((120, 3)) < 0.7)
    if seed == 2:
        prices.iloc[:40, 1] = np.nan  # not listed yet
        weights.iloc[:41, 1] = np.nan
    market = ep.Market.from_prices(prices)
    result = ep.backtest(market, weights, capital=1e6, costs=ep.Costs.flat(10.0), fill="same_step")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is missing, nothing is said
        mine = result.to_vectorbt()
    theirs = vbt.Portfolio.from_orders(
        prices, weights, size_type="targetpercent", direction="both", fees=10e-4, init_cash=1e6,
        group_by=True, cash_sharing=True, call_seq="auto", freq="1D",
    )  # fmt: skip
    assert (result.vectorbt_gap() == 0.0).all()
    np.testing.assert_allclose(mine.value(), result.equity, rtol=EXACT)
    np.testing.assert_allclose(mine.value(), theirs.value(), rtol=EXACT)
    np.testing.assert_allclose(mine.assets(), theirs.assets(), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(mine.cash(), theirs.cash(), rtol=0, atol=1e-9 * 1e6)
    for name in ("orders", "trades", "positions"):
        ours, others = (
            getattr(one, name).records.drop(columns="id").sort_values(["col", by], kind="stable")
            for one in (mine, theirs)
            for by in [next(c for c in ("idx", "entry_idx") if c in getattr(one, name).records)]
        )
        skip = [c for c in ("position_id", "parent_id") if c in ours]
        pd.testing.assert_frame_equal(
            ours.drop(columns=skip).reset_index(drop=True), others.drop(columns=skip).reset_index(drop=True),
            rtol=1e-8, check_exact=False,
        )  # fmt: skip
    assert mine.total_return() == pytest.approx(theirs.total_return(), rel=EXACT)
    assert mine.drawdowns.max_drawdown() == pytest.approx(theirs.drawdowns.max_drawdown(), rel=EXACT)


# -- what an order is, by hand -------------------------------------------------------------------------------


def two_venues(**tables: pd.DataFrame) -> ep.Market:
    market = ep.simulate_market(start="2021-03-01", end="2021-03-31", seed=3, symbols=["BABA", "9988.HK"])
    empty = {name: empty_table(name) for name in ("dividends", "splits", "halts", "delistings")}
    return replace(market, **(empty | tables))


def bought(market: ep.Market, symbol: str, **terms: object) -> ep.Result:
    """Half of equity in one line from the third session on."""
    days = pd.DatetimeIndex(market.grid["session"].unique())
    wanted = pd.DataFrame({symbol: np.nan}, days)
    wanted.iloc[2] = 0.5
    return ep.backtest(market, wanted, **terms)  # type: ignore[arg-type]


def test_an_order_is_the_fill_in_base_currency() -> None:
    result = bought(two_venues(), "9988.HK")
    (fill,), (order,) = result.fills.itertuples(), portfolio(result).orders.records.itertuples()
    assert order.size == fill.quantity
    assert order.price == pytest.approx(fill.fill_price * fill.fx, rel=1e-12)
    assert order.price > fill.price * fill.fx  # the half-spread is in it
    assert order.fees == pytest.approx(fill.fees * fill.fx, rel=1e-12)
    assert order.idx == fill.step
    readable = portfolio(result).orders.records_readable.iloc[0]
    assert (readable["Column"], readable["Side"]) == ("9988.HK", "Buy")
    assert readable["Timestamp"] == fill.time


def test_a_price_is_carried_while_its_venue_is_closed() -> None:
    result = bought(two_venues(), "9988.HK")
    close, price = portfolio(result).close["9988.HK"], result.market.price["9988.HK"]
    rate = result.market.fx["HKD"] / result.market.fx["USD"]
    np.testing.assert_allclose(close, price.ffill() * rate, rtol=1e-12)
    assert price.isna().any()
    # In HKD the other line is what moves with the rate.
    other = bought(two_venues(), "BABA", base_currency="HKD")
    expected = result.market.price["BABA"].ffill() * result.market.fx["USD"] / result.market.fx["HKD"]
    np.testing.assert_allclose(portfolio(other).close["BABA"], expected, rtol=1e-12)


def test_a_split_moves_neither_value_nor_position() -> None:
    market = two_venues()
    on = pd.DatetimeIndex(market.grid["session"])[len(market) // 2]
    row = empty_table("splits").reindex([0]).assign(symbol="BABA", ex_date=on, factor=8.0)
    price = market.price.copy()
    price.loc[(market.grid["session"] >= on).to_numpy(), "BABA"] /= 8.0
    raw = market.instruments.assign(adjustment="raw")
    whole = bought(replace(market, instruments=raw), "BABA")
    parts = bought(replace(market, instruments=raw, price=price, splits=row), "BABA")
    assert set(np.unique(parts.positions["BABA"])) == {
        0.0,
        *(whole.positions["BABA"].max() * np.array([1, 8])),
    }
    mine, other = portfolio(whole), portfolio(parts)
    np.testing.assert_allclose(other.assets()["BABA"], 8 * mine.assets()["BABA"])
    np.testing.assert_allclose(other.close["BABA"], mine.close["BABA"] / 8, rtol=1e-12)
    np.testing.assert_allclose(other.value(), mine.value(), rtol=1e-12)
    assert other.orders.records["price"][0] == pytest.approx(mine.orders.records["price"][0] / 8, rel=1e-12)
    check(parts)


def without_baba(**tables: pd.DataFrame) -> ep.Market:
    """BABA leaves after the 13th session, as 8 shares of its Hong Kong line each."""
    market = two_venues(**tables)
    gone = pd.DatetimeIndex(market.grid["session"].unique())[12]
    left = empty_table("delistings").reindex([0])
    left = left.assign(symbol="BABA", last_session=gone, into="9988.HK", ordinary_per_ads=8.0)
    price = market.price.copy()
    price.loc[(market.grid["session"] > gone).to_numpy(), "BABA"] = np.nan
    raw = market.instruments.assign(adjustment="raw")
    return replace(market, price=price, delistings=left, instruments=raw)


def test_a_conversion_moves_no_cash() -> None:
    result = bought(without_baba(), "BABA")
    (moved,) = result.conversions.itertuples()
    made = check(result)
    sold, come = (row for row in made.orders.records.itertuples() if row.idx == moved.step)
    assert sold.size == moved.quantity
    assert come.size == moved.into_quantity == 8 * moved.quantity
    assert sold.size * sold.price == pytest.approx(come.size * come.price, rel=1e-12)
    assert come.price == pytest.approx(made.close["9988.HK"].iloc[moved.step], rel=1e-12)
    assert sold.fees == come.fees == 0.0
    assert made.cash_flow().iloc[moved.step] == pytest.approx(0.0, abs=1e-6)
    assert result.vectorbt_gap()["conversion_fee"] == pytest.approx(-moved.fee)


def test_what_is_kept_at_parity_is_split_no_more() -> None:
    """A split that is dated after a line has left is none of it."""
    days = pd.DatetimeIndex(two_venues().grid["session"].unique())
    late = empty_table("splits").reindex([0]).assign(symbol="BABA", ex_date=days[16], factor=4.0)
    costs = ep.Costs(delisting="mark")
    result, plain = (
        bought(market, "BABA", costs=costs) for market in (without_baba(splits=late), without_baba())
    )
    pd.testing.assert_frame_equal(result.positions, plain.positions)
    assert result.positions["BABA"].iloc[-1] > 0
    made = check(result)
    np.testing.assert_array_equal(made.assets()["BABA"], result.positions["BABA"])
    assert made.orders.records["size"].tolist() == result.fills["quantity"].tolist()
    after = (result.market.grid["session"] > days[13]).to_numpy()
    np.testing.assert_allclose(made.close["BABA"][after], 8 * made.close["9988.HK"][after], rtol=1e-12)


@pytest.mark.parametrize("single", [0.2, -0.2])
def test_a_line_that_is_kept_beside_one_that_was_bought_in(single: float) -> None:
    """Of one ADR, the long line stays at parity with Hong Kong, the short one is closed: each way round."""
    market = without_baba()
    market = replace(market, instruments=market.instruments.assign(shortable=True))
    weights, pair = np.full(market.price.shape, np.nan), np.full((len(market), 1), np.nan)
    weights[8, market.column("BABA")], pair[8, 0] = single, single
    targets = ep.Targets(weights, (("9988.HK", "BABA"),), pair, drift_band=np.inf)
    plan = SimpleNamespace(targets=lambda market, path=None: targets)
    result = ep.backtest(market, plan, costs=ep.Costs(delisting="mark", delisted_shorts="buy_in"))
    assert list(result.conversions["reason"]) == ["bought_in"]
    left = result.book[(result.book["symbol"] == "BABA") & (result.book["step"] == len(market) - 1)]
    assert list(left["leg"]) == ["single" if single > 0 else "adr"]
    check(result)


# -- the whole thing -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def main_job() -> ep.Result:
    market = ep.simulate_market(start="2021-01-04", end="2022-12-30", seed=7)
    path = ep.RegimeModel().walk_forward(market, ep.load_events(), progress=False)
    return ep.backtest(market, default_plan(path), path=path)


def test_the_main_job(main_job: ep.Result) -> None:
    made = check(main_job)
    stats, summary = made.stats(), main_job.summary()
    assert stats.name == made.value().name == main_job.label
    assert stats["Start Value"] == main_job.capital
    assert stats["End Value"] + main_job.vectorbt_gap().sum() == pytest.approx(
        summary["End Value"], rel=EXACT
    )
    assert stats["Total Fees Paid"] == pytest.approx(summary["Total Fees Paid"], rel=EXACT)
    lasted = main_job.equity.index[-1] - main_job.equity.index[0]
    assert stats["Period"] / lasted == pytest.approx(1.0, abs=2 / len(main_job.equity))
    steps = made.value().pct_change().iloc[1:]
    a_year = pd.Timedelta(days=365) / (lasted / (len(main_job.equity) - 1))
    assert stats["Sharpe Ratio"] == pytest.approx(steps.mean() / steps.std() * a_year**0.5, rel=1e-3)
    assert len(made.orders.records_readable) == len(main_job.blotter)
    for records in (made.trades, made.positions, made.drawdowns):
        assert len(records.records_readable) >= 10
    open_at_end = (main_job.positions.iloc[-1] != 0).sum()
    assert made.positions.open.count() == open_at_end
    profit = made.trades.pnl.sum()
    assert profit == pytest.approx(made.total_profit(), rel=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pictures of orders are by column, and it says so
        assert len(made.plot().data) > 3
        assert len(made.plot(column=main_job.fills["symbol"].iloc[0], group_by=False).data) > 3


def test_the_benchmark_is_every_line_held_from_its_first_price() -> None:
    """A line that never had a price would make it NaN, of which vectorbt says 0."""
    index = pd.bdate_range("2024-01-01", periods=6)
    frame = pd.DataFrame(np.nan, index, ["A", "B", "C"])
    frame["A"] = [10.0, 11, 12, 13, 14, 15]
    frame.iloc[3:, 1] = [4.0, 5.0, 8.0]
    result = ep.backtest(ep.Market.from_prices(frame), frame.fillna(0.0) * 0.0 + [0.5, 0.0, 0.0])
    made = check(result)
    assert list(result.positions) == ["A", "B", "C"]
    assert list(made.close) == ["A", "B"]
    assert made.stats()["Benchmark Return [%]"] == pytest.approx(100 * (0.5 + 1.0) / 2)


def test_only_what_is_missing_is_named() -> None:
    result = bought(two_venues(), "9988.HK", costs=ep.Costs.none().with_(fx_spread=0.001))
    gap = result.vectorbt_gap()
    named = [name for name in SOURCES if gap[name] != 0.0]
    assert 0 < len(named) < 3
    with pytest.warns(UserWarning, match="books orders only") as said:
        result.to_vectorbt()
    told = str(said[0].message)
    assert [name for name in SOURCES if f"{name} " in told] == named
    assert "..." not in told


def test_the_reader_is_told(main_job: ep.Result) -> None:
    gap = main_job.vectorbt_gap()
    with pytest.warns(UserWarning, match="vectorbt books orders only") as said:
        main_job.to_vectorbt()
    (told,) = said
    assert told.filename == __file__
    text, end = str(told.message), main_job.equity.iloc[-1]
    assert f"ends at {end - gap.sum():,.0f} and the run at {end:,.0f} USD" in text
    for name in gap.abs().nlargest(3).index:
        assert f"{name} {gap[name]:+,.0f}" in text


@pytest.mark.slow
def test_real_prices(real_prices: Path) -> None:
    market = ep.load_market(real_prices, start="2019-06-03", ends="cut", departures="parity")
    path = ep.RegimeModel().walk_forward(market, ep.load_events(), progress=False)
    check(ep.backtest(market, default_plan(path), path=path))


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("weight", [0.0, np.nan])
def test_a_run_of_one_step_and_one_without_trades(steps: int, weight: float) -> None:
    index = pd.bdate_range("2024-01-01", periods=steps)
    frame = pd.DataFrame({"A": 100.0, "B": np.nan}, index)
    frame.iloc[-1, 1] = 5.0
    result = ep.backtest(ep.Market.from_prices(frame), frame * weight, costs=ep.Costs.flat(0.0))
    made = portfolio(result)
    assert list(made.close.columns) == (["cash"] if np.isnan(weight) else ["A", "B"])
    assert len(made.orders.records) == 0
    np.testing.assert_array_equal(made.value(), np.full(steps, result.capital))
    assert result.vectorbt_gap().sum() == 0.0


def test_vectorbt_is_loaded_when_it_is_asked_for() -> None:
    code = (
        "import sys, pandas as pd, entrepot as ep;"
        "f = pd.DataFrame({'A': [1.0, 2.0, 3.0]}, pd.bdate_range('2024-01-01', periods=3));"
        "r = ep.backtest(ep.Market.from_prices(f), f * 0 + 0.5, fill='same_step');"
        "r.blotter, r.book, r.vectorbt_gap(), r.to_pyfolio();"
        "print({'vectorbt', 'pyfolio', 'polars', 'plotly'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
