"""Our returns, frames and sweeps as quantstats, empyrical, pyfolio and vectorbt take them, and what they say.

quantstats 0.0.86 (Apache 2.0), https://github.com/ranaroussi/quantstats; empyrical-reloaded 0.7 and
pyfolio-reloaded 0.10 (Apache 2.0), https://github.com/stefan-jansen; vectorbt 1.2 (Apache 2.0 with the
Commons Clause), https://github.com/polakowo/vectorbt. pyfolio's layout is that of its docstrings
(`pyfolio/tears.py`): positions by date with a column "cash", transactions by time with amount, price and
symbol; it converts their times from UTC (`plot_txn_time_hist`), so all that it is given has that zone.
"""

from __future__ import annotations

from pathlib import Path

import empyrical
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyfolio
import pytest
import quantstats as qs
import vectorbt  # noqa: F401  (the accessor)

import entrepot as ep
from entrepot.errors import DataError, ParameterError
from entrepot.reports.overfitting import overfitting
from entrepot.reports.superiority import superior_ability

EXACT = 1e-9
GRID = {"lookback": [20, 60], "entry": [0.8, 1.2, 1.6]}
YEAR = {"freq": "1D", "year_freq": "252 days"}


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2020-01-02", end="2021-12-31", seed=7)


@pytest.fixture(scope="module")
def result(market: ep.Market) -> ep.Result:
    return ep.backtest(market, ep.LongHKShortADR(lookback=20))


@pytest.fixture(scope="module")
def swept(market: ep.Market) -> ep.Sweep:
    return ep.sweep(market, ep.LongHKShortADR(), GRID, progress=False)


# -- returns -------------------------------------------------------------------------------------------------


def test_returns_are_daily_without_a_zone(result: ep.Result) -> None:
    for series, name in ((result.returns, "returns"), (result.excess_returns, "excess")):
        index = series.index
        assert isinstance(index, pd.DatetimeIndex)
        assert index.tz is None
        assert (index == index.normalize()).all()
        assert index.is_monotonic_increasing
        assert index.is_unique
        assert series.name == name
        assert series.dtype == np.float64
        assert series.notna().all()
    np.testing.assert_array_equal(result.excess_returns, result.returns - result.risk_free)
    assert abs(result.risk_free).max() > 0.0
    # By hand: equity after the last step of each New York session.
    steps = result.market.grid[(result.market.grid["venue"] == "XNYS").to_numpy()]
    last = steps.groupby("session").tail(1)
    by_hand = result.equity.to_numpy()[last.index]
    np.testing.assert_allclose(result.returns, by_hand[1:] / by_hand[:-1] - 1)
    assert list(result.returns.index) == list(last["session"])[1:]


def test_quantstats_and_empyrical_measure_the_same(result: ep.Result) -> None:
    summary, plain, over = result.summary(), result.returns, result.excess_returns
    for name, theirs in {
        "Sharpe Ratio": [
            qs.stats.sharpe(over),
            empyrical.sharpe_ratio(over),
            empyrical.sharpe_ratio(plain, result.risk_free),
            over.vbt.returns(**YEAR).sharpe_ratio(),
        ],
        "Annualized Volatility [%]": [
            100 * qs.stats.volatility(plain),
            100 * empyrical.annual_volatility(plain),
            100 * plain.vbt.returns(**YEAR).annualized_volatility(),
        ],
        "Max Drawdown [%]": [
            100 * qs.stats.max_drawdown(plain),
            100 * empyrical.max_drawdown(plain),
            100 * plain.vbt.returns(**YEAR).max_drawdown(),
        ],
        "Annualized Return [%]": [100 * empyrical.annual_return(plain)],
    }.items():
        for value in theirs:
            assert float(value) == pytest.approx(summary[name], rel=EXACT), name


@pytest.mark.slow
def test_quantstats_writes_its_page(result: ep.Result, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    benchmark = result.benchmark_returns(result.market.price["KWEB"])
    qs.reports.html(result.returns, benchmark=benchmark, output=str(file))
    assert "Sharpe" in file.read_text(encoding="utf-8")


def test_a_benchmark_is_sampled_as_the_run_is(result: ep.Result) -> None:
    price = result.market.price["KWEB"].dropna()
    theirs = result.benchmark_returns(price)
    assert theirs.index.equals(result.returns.index)
    assert theirs.name == "benchmark"
    sampled = price.reindex(result.equity.index[result.market.decision_steps]).to_numpy()
    np.testing.assert_allclose(theirs, sampled[1:] / sampled[:-1] - 1)
    relative = result.relative(price)
    assert 100 * float(np.prod(1 + theirs) - 1) == pytest.approx(relative["Benchmark Return [%]"], rel=EXACT)
    late = price[price.index >= price.index[200]]
    part = result.benchmark_returns(late)
    known = part.notna()
    assert 0 < known.sum() < len(part)
    np.testing.assert_allclose(part[known], theirs[known])
    for wrong in ([1.0, 2.0], price * 0, pd.Series([1.0])):
        with pytest.raises(DataError, match="the benchmark"):
            result.benchmark_returns(wrong)  # type: ignore[arg-type]


# -- pyfolio -------------------------------------------------------------------------------------------------


def test_frames_for_pyfolio_add_up(result: ep.Result) -> None:
    frames = result.to_pyfolio()
    assert set(frames) == {"returns", "positions", "transactions", "benchmark_rets"}
    assert frames["benchmark_rets"] is None
    returns, positions, transactions = (frames[n] for n in ("returns", "positions", "transactions"))
    assert str(returns.index.tz) == "UTC"
    np.testing.assert_array_equal(returns.index.tz_localize(None), result.returns.index)
    assert positions.index.equals(returns.index)
    np.testing.assert_allclose(positions.sum(axis=1), result.daily.iloc[1:], rtol=1e-12)
    assert list(positions.columns) == [*result.positions.columns, "cash"]
    rates = result.market.fx[list(result.currencies)].to_numpy()
    money = ((result.cash + result.receivables).to_numpy() * rates / rates[:, :1]).sum(axis=1)
    at = np.flatnonzero(result.market.decision_steps)[1:]
    np.testing.assert_allclose(positions["cash"], money[at], rtol=1e-9, atol=1e-9 * result.capital)
    assert list(transactions.columns) == ["amount", "price", "symbol"]
    assert len(transactions) == len(result.fills)
    worth = result.fills["quantity"] * result.fills["fill_price"] * result.fills["fx"]
    np.testing.assert_allclose(transactions["amount"] * transactions["price"], worth, rtol=1e-12)
    assert list(transactions.index) == list(result.fills["time"])


def test_a_line_called_cash_is_not_taken_for_cash() -> None:
    prices = pd.DataFrame({"cash": [10.0, 11.0, 12.0]}, pd.bdate_range("2024-01-01", periods=3))
    held = ep.backtest(ep.Market.from_prices(prices), prices * 0 + 0.5)
    with pytest.raises(ParameterError, match='a line is called "cash"'):
        held.to_pyfolio()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_pyfolio_draws_its_page(result: ep.Result) -> None:
    frames = result.to_pyfolio(result.market.price["KWEB"])
    traded = pyfolio.txn.get_turnover(frames["positions"], frames["transactions"])
    gross = frames["positions"].drop(columns="cash").abs().sum(axis=1)
    mean = (gross + gross.shift().fillna(0.0)) / 2
    by_day = result.blotter["value"].abs().groupby(result.blotter["time"].dt.normalize()).sum()
    days = by_day.index.intersection(mean.index[mean > 0])
    assert len(days) > 50  # dates of trades and of positions meet
    np.testing.assert_allclose(traded[days] * mean[days], by_day[days], rtol=1e-9)
    pyfolio.create_simple_tear_sheet(**frames)
    figure = plt.gcf()
    assert {axes.get_title() for axes in figure.axes} >= {"Cumulative returns", "Daily turnover", "Exposure"}


# -- sweeps --------------------------------------------------------------------------------------------------


def test_columns_of_a_sweep_are_its_parameters(swept: ep.Sweep) -> None:
    excess = swept.returns()
    assert excess.columns.names == ["lookback", "entry"]
    assert list(excess.columns) == [(a, b) for a in GRID["lookback"] for b in GRID["entry"]]
    by_number = swept.returns(by="configuration")
    assert list(by_number.columns) == list(range(6))
    assert by_number.columns.name == "configuration"
    np.testing.assert_array_equal(excess, by_number)
    assert excess.attrs == by_number.attrs == {"refused": 0}
    some = swept.returns([4, 1])
    assert list(some.columns) == [(60, 1.2), (20, 1.2)]
    np.testing.assert_array_equal(some, by_number[[4, 1]])
    run = swept.backtest(4)
    np.testing.assert_allclose(excess[60, 1.2], run.excess_returns, atol=1e-14)
    plain = swept.returns(4, excess=False)
    np.testing.assert_allclose(plain[60, 1.2], run.returns, atol=1e-14)


def test_vectorbt_measures_a_sweep_as_the_table_does(swept: ep.Sweep) -> None:
    table = swept.table.set_index(list(GRID))
    over = swept.returns().vbt.returns(**YEAR)
    ratio = over.sharpe_ratio()
    assert ratio.index.equals(table.index)
    np.testing.assert_allclose(ratio, table["Sharpe Ratio"], rtol=EXACT)
    plain = swept.returns(excess=False).vbt.returns(**YEAR)
    np.testing.assert_allclose(
        100 * plain.annualized_volatility(), table["Annualized Volatility [%]"], rtol=EXACT
    )
    np.testing.assert_allclose(100 * plain.max_drawdown(), table["Max Drawdown [%]"], rtol=EXACT)
    square = ratio.unstack("entry")  # noqa: PD010  (what a reader would do)
    assert square.shape == (2, 3)
    assert square.loc[60, 1.2] == ratio[60, 1.2]
    drawn = ratio.vbt.heatmap(x_level="lookback", y_level="entry").data[0]
    np.testing.assert_allclose(np.sort(np.ravel(drawn.z)), np.sort(ratio))
    assert [list(drawn.x), list(drawn.y)] == [[20, 60], [0.8, 1.2, 1.6]]


def test_equity_of_a_sweep(swept: ep.Sweep) -> None:
    whole = swept.equity()
    assert whole.columns.equals(swept.returns().columns)
    np.testing.assert_array_equal(whole[20, 1.2], swept.backtest(1).equity)
    assert whole.index.equals(swept.job.market.price.index)
    np.testing.assert_array_equal(swept.equity([3], by="configuration")[3], whole[60, 0.8])


def test_one_parameter_is_a_plain_index(market: ep.Market) -> None:
    one = ep.sweep(market, ep.LongHKShortADR(), {"lookback": [20, 60]}, progress=False)
    columns = one.returns().columns
    assert not isinstance(columns, pd.MultiIndex)
    assert (columns.name, list(columns)) == ("lookback", [20, 60])
    assert list(one.returns()[20].index) == list(one.backtest(0).returns.index)
    assert list(one.select(lookback=60).returns().columns) == [60]


class Held:
    """Holds a part of equity in KWEB, as `how` says."""

    def __init__(self, how: object = None) -> None:
        self.how = how

    def with_(self, how: object) -> Held:
        return Held(how)

    def targets(self, market: ep.Market, path: object) -> ep.Targets:
        weights = np.full(market.price.shape, np.nan)
        weights[8, market.column("KWEB")] = 0.1
        return ep.Targets(weights)


class Style:
    def __init__(self, name: str) -> None:
        self.name = name


def quick() -> None:
    """A function as a value of a parameter."""


def test_objects_are_labelled_by_short_texts(market: ep.Market) -> None:
    """Objects by what they are, those that read alike by number, equal ones alike."""
    slow, fast = Style("slow"), Style("fast")
    costly = ep.Costs()
    values = [slow, fast, Style("slow"), quick, (20, 60), costly, "text", None, 3]
    held = ep.sweep(market, Held(), [{"how": value} for value in values], progress=False)
    labels = list(held.returns().columns)
    assert labels == [
        "Style 1", "Style 2", "Style 1", "quick", "(20, 60)", "Costs", "text", "None", "3",
    ]  # fmt: skip
    # Labels do not change with what is asked for or selected.
    assert list(held.returns([1]).columns) == ["Style 2"]
    assert list(held.select(how=fast).returns().columns) == ["Style 2"]
    strategies = ep.sweep(market, [ep.LongHKShortADR(), Held()], [{"strategy": "Held"}], progress=False)
    assert list(strategies.returns().columns) == ["Held"]


@pytest.mark.parametrize(
    "values",
    [[pd.Timedelta(days=n) for n in range(1, 9)], [pd.Interval(0, n) for n in range(1, 9)]],
    ids=["timedelta", "interval"],
)
def test_values_that_pandas_makes_anew_have_labels_of_their_own(
    market: ep.Market, values: list[object]
) -> None:
    held = ep.sweep(market, Held(), {"how": values}, progress=False)
    assert list(held.equity().columns) == [repr(value) for value in values]


def test_what_no_sweep_returns_is_refused(swept: ep.Sweep) -> None:
    for ask in (swept.returns, swept.equity):
        with pytest.raises(ParameterError, match="no configuration was asked for: give numbers of the table"):
            ask([])
    with pytest.raises(ParameterError, match="excess is 'no': give True for over the policy rate, or False"):
        swept.returns(excess="no")  # type: ignore[arg-type]


def test_other_labels_are_refused(swept: ep.Sweep) -> None:
    for by in ("number", None, 3):
        for ask in (swept.returns, swept.equity):
            with pytest.raises(ParameterError, match=r'by is .*: give "parameters" or "configuration"'):
                ask(by=by)  # type: ignore[arg-type]


def test_our_own_tests_of_luck_take_either(swept: ep.Sweep) -> None:
    labelled, numbered = swept.returns(), swept.returns(by="configuration")
    assert overfitting(labelled, 4).probability == overfitting(numbered, 4).probability
    assert (
        superior_ability(labelled, draws=100).p_consistent
        == superior_ability(numbered, draws=100).p_consistent
    )
    assert swept.walk_forward(100, 50).table["Configuration"].isin(range(6)).all()


def test_polars_takes_the_frames(result: ep.Result, swept: ep.Sweep) -> None:
    book = pl.from_pandas(result.book)
    by_pair = book.group_by("pair").agg(pl.col("value").abs().max())
    assert set(by_pair["pair"]) == set(result.book["pair"])
    blotter = pl.from_pandas(result.blotter)
    assert blotter["fees"].sum() == pytest.approx(result.blotter["fees"].sum())
    for frame in (book, blotter):
        assert pl.Object not in frame.dtypes
    assert pl.from_pandas(swept.table.set_index(list(GRID)).reset_index()).height == 6
