"""Input that looks odd and is sound: it is taken, with a note where something was left open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from price_folders import closes

import entrepot as ep
from entrepot.markets.market import Market
from entrepot.strategies.targets import Targets

DAYS = pd.bdate_range("2022-01-03", periods=10)


def fund(**columns: object) -> pd.DataFrame:
    """A month of closes of one New York line, with other columns."""
    return closes("XNYS", "2022-01-04", "2022-01-31").assign(**columns)


def at(row: int, *values: float) -> Callable[[pd.DataFrame], list[float]]:
    """A column of zeros but for some values from a row on."""
    return lambda frame: [
        dict(zip(range(row, row + len(values)), values, strict=True)).get(n, 0.0) for n in range(len(frame))
    ]


def test_a_dividend_above_the_first_close_is_taken() -> None:
    market = ep.load_market({"KWEB": fund(Dividends=lambda frame: at(0, 2 * frame["Close"].iloc[0])(frame))})
    assert len(market.dividends) == 1


def test_a_consolidation_and_the_split_that_undoes_it_are_taken() -> None:
    frame = fund(**{"Stock Splits": at(5, 1 / 500, 500)})
    frame.loc[5, ["Open", "Close"]] *= 500
    market = ep.load_market({"KWEB": frame}, adjusted="raw")
    assert market.splits["factor"].tolist() == pytest.approx([1 / 500, 500])


@pytest.mark.parametrize("factors", [(2.0, 2.0), (2.0, 1.5, 3.0)])
def test_a_split_that_is_there_twice_and_three_in_a_row_are_refused(factors: tuple[float, ...]) -> None:
    with pytest.raises(ep.DataError, match="the same or two others within the week before: keep one row"):
        ep.load_market({"KWEB": fund(**{"Stock Splits": at(5, *factors)})}, adjusted="split")


def test_rows_without_their_empty_last_cells_are_read_and_one_note_names_the_files(tmp_path: Path) -> None:
    text = fund(Dividends="").to_csv(index=False)
    for symbol in ("KWEB", "FXI"):
        (tmp_path / f"{symbol}.csv").write_text("\n".join(row.rstrip(",") for row in text.splitlines()))
    market = ep.load_market(tmp_path)
    assert market.price["KWEB"].notna().sum() == 2 * len(fund())
    said = [note for note in market.notes if "line break" in note]
    assert said == [
        "No line break ends FXI.csv, KWEB.csv: if a file was cut off there, its last number is wrong."
    ]
    (tmp_path / "KWEB.csv").write_text(text + "2022-02-01,30")
    with pytest.raises(ep.DataError, match="ends within a row, '2022-02-01,30'"):
        ep.load_market(tmp_path)


def line() -> Market:
    """Ten days of one line."""
    return Market.from_prices(pd.DataFrame({"A": np.linspace(100.0, 110.0, len(DAYS))}, index=DAYS))


def equity(market: Market) -> pd.Series:
    """The equity of half in the line."""
    return ep.backtest(market, Targets(np.full((len(market), 1), 0.5)), check=True).equity


@pytest.mark.parametrize("table", ["dividends", "splits", "halts", "delistings", "fixings", "ratios"])
def test_a_table_without_rows_may_have_columns_of_any_kind(table: str) -> None:
    market = line()
    empty = replace(market, **{table: pd.DataFrame(columns=list(getattr(market, table)))})
    pd.testing.assert_series_equal(equity(empty), equity(market))


def test_numbers_kept_as_objects_are_numbers() -> None:
    paid = pd.DataFrame({"symbol": ["A"], "ex_date": [DAYS[5]], "pay_date": [pd.NaT], "amount": [1.5]})
    market = replace(line(), dividends=paid)
    objects = replace(market, dividends=paid.astype({"amount": object}))
    assert equity(market).iloc[-1] > equity(line()).iloc[-1]
    pd.testing.assert_series_equal(equity(objects), equity(market))
    weights = np.full((len(DAYS), 1), None)
    weights[2] = 0.5
    np.testing.assert_array_equal(Targets(weights).weights, weights.astype(np.float64))


def test_rows_of_symbols_without_prices_are_noted_once() -> None:
    paid = pd.DataFrame({"symbol": ["B"], "ex_date": [DAYS[5]], "pay_date": [pd.NaT], "amount": [1.5]})
    market = replace(line(), dividends=paid)
    said = "dividends has rows of B, without prices here: they are not used."
    assert market.notes.count(said) == replace(market).notes.count(said) == 1
    pd.testing.assert_series_equal(equity(market), equity(line()))
