"""Trades side by side: the parts add up to the run, and hard questions get an answer."""

from __future__ import annotations

from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.comparison import compare_trades, profit_by_regime
from entrepot.reports.periods import period_statistics

SPLIT = pd.Timestamp("2021-07-01")


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2020-06-01", end="2022-03-31", seed=3)


@pytest.fixture(scope="module")
def path(market: ep.Market) -> ep.RegimePath:
    return ep.RegimeModel().walk_forward(market, ep.load_events(), progress=False)


@pytest.fixture(scope="module")
def found(market: ep.Market, path: ep.RegimePath) -> Any:
    trades = {"pairs": ep.LongHKShortADR(), "sectors": ep.SectorRotation()}
    return compare_trades(market, trades, path, split=SPLIT, draws=100)


def test_each_row_is_the_trades_own_run_read_in_parts(
    market: ep.Market, path: ep.RegimePath, found: Any
) -> None:
    result = ep.backtest(market, ep.LongHKShortADR(), path=path)
    spans = {"in sample": (None, SPLIT - pd.Timedelta("1D")), "out of sample": (SPLIT, None), "whole": ()}
    for period, ends in spans.items():
        pd.testing.assert_series_equal(
            found.table.loc["pairs", period], period_statistics(result, *ends, draws=100), check_names=False
        )
    assert list(found.table.index) == ["pairs", "sectors"]


def test_the_regimes_of_a_period_add_up_to_its_profit(found: Any) -> None:
    for name, result in found.results.items():
        before = result.equity_by_step[(result.market.grid["session"] < SPLIT).to_numpy()][-1]
        profit = {"in sample": before - 1e7, "out of sample": result.equity_by_step[-1] - before}
        profit["whole"] = result.equity_by_step[-1] - 1e7
        for period, amount in profit.items():
            assert found.by_regime.loc[name, period].sum() == pytest.approx(amount / 1e5, abs=1e-9)
        table = result.by_regime()
        np.testing.assert_allclose(found.by_regime.loc[name, "whole"], table["P&L"] / 1e5, atol=1e-9)


def test_a_day_on_which_new_york_is_closed_is_in_the_same_period_in_both_tables(
    market: ep.Market, path: ep.RegimePath, found: Any
) -> None:
    """5 July 2021 was a holiday in New York alone: what Hong Kong made is in New York's return of the 6th."""
    result, day = found.results["pairs"], pd.Timestamp("2021-07-06")
    open_on = market.grid.loc[market.grid["session"] == day - pd.Timedelta("1D"), "venue"]
    assert set(open_on) == {"XHKG"}
    before = result.daily[result.daily.index < day].iloc[-1]
    moved = profit_by_regime(result, path, None, day - pd.Timedelta("1D"))
    assert moved.sum() == pytest.approx((before - 1e7) / 1e5, abs=1e-9)
    rest = profit_by_regime(result, path, day, None)
    assert rest.sum() == pytest.approx((result.equity_by_step[-1] - before) / 1e5, abs=1e-9)


def test_the_past_does_not_depend_on_what_came_after_the_split(
    market: ep.Market, path: ep.RegimePath, found: Any
) -> None:
    step = int(np.flatnonzero(market.grid["session"] <= SPLIT)[-1])
    short = compare_trades(
        market.until(step), {"pairs": ep.LongHKShortADR()}, path.until(step), split=SPLIT, draws=0
    )
    columns = ["Net Return [% pa]", "Sharpe Ratio", "Costs [% pa]", "Turnover", "Max Drawdown [%]"]
    np.testing.assert_allclose(
        short.table.loc["pairs", "in sample"][columns], found.table.loc["pairs", "in sample"][columns]
    )


def test_the_example_runs_on_a_simulated_market(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(__file__).parents[1] / "examples" / "press_trades.py"
    spec = spec_from_file_location("press_trades", file)
    assert spec is not None
    assert spec.loader is not None
    example = module_from_spec(spec)
    spec.loader.exec_module(example)
    short = partial(ep.simulate_market, start="2020-06-01", end="2021-06-30", seed=3)
    monkeypatch.setattr(ep, "simulate_market", short)
    monkeypatch.setattr(example, "SPLIT", "2021-01-04")
    monkeypatch.setattr("sys.argv", ["press_trades.py", "--placebos", "1"])
    example.main()
    told = capsys.readouterr().out
    assert "Simulated prices, 2020-06-01 to 2021-06-30" in told
    assert all(f"| {trade.name} | " in told for trade in ep.PRESS_TRADES)
    assert "not run" not in told  # a simulated market has every series
    assert "of 2 calendars, all but one with wrong dates" in told


def test_a_path_that_is_none_and_draws_that_are_no_number_are_told(
    market: ep.Market, path: ep.RegimePath
) -> None:
    trades = {"pairs": ep.LongHKShortADR()}
    with pytest.raises(ep.ParameterError, match="the path is a NoneType: make one with"):
        compare_trades(market, trades, None, split=SPLIT)  # type: ignore[arg-type]
    for draws in (None, "", [], pd.Series([1.0]), 50):
        with pytest.raises(ep.ParameterError, match=r"draws is .*: give a whole number of at least 100"):
            compare_trades(market, trades, path, split=SPLIT, draws=draws)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"trades": {}}, r"trades is \{\}: give strategies by name"),
        ({"trades": [1]}, r"trades is \[1\]: give strategies by name"),
        ({"split": "2030-01-01"}, "split is 2030-01-01 and the market runs from 2020-06-01 to 2022-03-31"),
        ({"trades": {"mine": ep.SectorRotation(universe=["AAPL"])}}, "mine: 'AAPL' is not in this market"),
    ],
)
def test_wrong_arguments(
    market: ep.Market, path: ep.RegimePath, arguments: dict[str, Any], sentence: str
) -> None:
    given: dict[str, Any] = {"trades": {"pairs": ep.LongHKShortADR()}, "split": SPLIT} | arguments
    with pytest.raises(ep.ParameterError, match=sentence):
        compare_trades(market, given.pop("trades"), path, **given)
