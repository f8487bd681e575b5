"""Input that looks odd and is sound: it is taken, with a note where something was left open."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from price_folders import closes, pair

import entrepot as ep
from entrepot.markets.market import Market
from entrepot.markets.sessions import session_times
from entrepot.markets.volume import daily_volatility
from entrepot.regimes.observations import basket_return
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


def test_a_dividend_per_share_after_a_consolidation_is_taken() -> None:
    """One share for ten of before, which cost one each: two are less than the ten it cost."""
    paid = {"symbol": ["A"], "ex_date": DAYS[2:3], "pay_date": DAYS[2:3], "amount": [2.0]}
    market = Market.from_prices(pd.DataFrame({"A": [1.0, 1.0, 8.0, 8.0]}, index=DAYS[:4]))
    split = pd.DataFrame({"symbol": ["A"], "ex_date": DAYS[2:3], "factor": [0.1]})
    assert len(replace(market, splits=split, dividends=pd.DataFrame(paid)).dividends) == 1
    with pytest.raises(ep.DataError, match="A has dividends 2 on 2022-01-05 and a close of 1 before"):
        replace(market, dividends=pd.DataFrame(paid))


def test_a_consolidation_and_the_split_that_undoes_it_are_taken() -> None:
    frame = fund(**{"Stock Splits": at(5, 1 / 500, 500)})
    frame.loc[5, ["Open", "Close"]] *= 500
    market = ep.load_market({"KWEB": frame}, adjusted="raw")
    assert market.splits["factor"].tolist() == pytest.approx([1 / 500, 500])


@pytest.mark.parametrize("name", ["Stock Split", "stock_splits", "stockSplits", "Split", "splitFactor"])
@pytest.mark.parametrize("ordinary", [0.0, 1.0])
@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_splits_are_read_under_each_of_their_names(name: str, ordinary: float, factor: float) -> None:
    frame = fund()
    frame.loc[5:, ["Open", "Close"]] /= factor
    column = np.where(frame.index == 5, factor, ordinary)
    market = ep.load_market({"KWEB": frame.assign(**{name: column})})
    wanted = ep.load_market({"KWEB": frame.assign(**{"Stock Splits": at(5, factor)(frame)})})
    assert wanted.splits["factor"].tolist() == [factor]
    pd.testing.assert_frame_equal(market.splits, wanted.splits)
    pd.testing.assert_frame_equal(market.price, wanted.price)


def test_a_reverse_split_among_ones_is_found_in_bars() -> None:
    days = session_times("XNYS", "2022-01-04", "2022-01-31", ("open",))
    stamps = pd.DatetimeIndex(days["open"]).tz_convert("America/New_York").tz_localize(None)
    both = stamps.append(stamps + pd.Timedelta(minutes=30)).sort_values()
    after = np.arange(len(both)) >= 10
    split = np.where(np.arange(len(both)) == 10, 0.5, 1.0)
    bars = pd.DataFrame({"Datetime": both, "Close": np.where(after, 60.0, 30.0), "splitFactor": split})
    assert ep.load_market({"KWEB": bars}, bar_times="start").splits["factor"].tolist() == [0.5]


def test_columns_of_other_things_are_left_out_beside_those_they_are_near_to() -> None:
    others = ["Open Interest", "OpenInt", "VWAP", "Value", "adjHigh", "adjOpen", "adjVolume", "Lot", "Name"]
    market = ep.load_market({"KWEB": fund().assign(**dict.fromkeys(others, 1.0))})
    pd.testing.assert_frame_equal(market.price, ep.load_market({"KWEB": fund()}).price)


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


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_rows_of_one_date_are_one_session(zone: str | None) -> None:
    """Seven bars a day for a year have the figures of the last of each day."""
    days = pd.bdate_range("2021-01-04", periods=250)
    bars = pd.DatetimeIndex([day + pd.Timedelta(hours=hour) for day in days for hour in range(10, 17)])
    level = 100 * np.exp(np.random.default_rng(3).normal(0, 0.004, len(bars)).cumsum())
    frame = pd.DataFrame({"A": level}, index=bars.tz_localize(zone))
    market = Market.from_prices(frame)
    assert market.grid["phase"].tolist() == (["bar"] * 6 + ["close"]) * 250
    assert market.grid["session"].unique().tolist() == list(days)
    closes = Market.from_prices(frame.iloc[6::7].set_axis(days))
    one, other = (
        ep.backtest(m, pd.DataFrame({"A": 1.0}, index=days[:1]), costs=ep.Costs.none(), fill="same_step")
        for m in (market, closes)
    )
    np.testing.assert_allclose(one.returns, other.returns, rtol=0, atol=1e-12)
    for name in ("Sessions", "Sharpe Ratio", "Annualized Volatility [%]", "Annualized Return [%]"):
        assert one.summary()[name] == pytest.approx(other.summary()[name], rel=1e-9)
    first = pd.DataFrame({"A": 1.0}, index=market.price.index[:1])  # a moment decides at its own bar
    assert ep.backtest(market, first, costs=ep.Costs.none()).fills["step"].tolist() == [1]


def test_dates_are_counted_by_the_year_where_they_span_a_quarter() -> None:
    for periods, freq in ((13, "W"), (3, "ME"), (90, "D")):
        index = pd.date_range("2021-01-04", periods=periods, freq=freq)
        assert len(Market.from_prices(pd.DataFrame({"A": 1.0}, index=index))) == periods
    for kept in (0.95, 0.8):  # of the days without weekends: as of New York, and fewer than of any venue
        days = pd.bdate_range("2021-01-04", periods=2000)
        days = days[np.random.default_rng(1).random(len(days)) < kept]
        assert len(Market.from_prices(pd.DataFrame({"A": 1.0}, index=days))) == len(days)


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


@pytest.mark.parametrize("table", ["dividends", "splits"])
def test_rows_of_symbols_without_prices_move_no_volume_and_no_volatility(table: str) -> None:
    market = ep.simulate_market("2022-01-04", "2022-03-31", symbols=["BABA", "9988.HK"])
    strange = {
        "dividends": {"symbol": "JD", "ex_date": DAYS[5], "pay_date": pd.NaT, "amount": 1.5},
        "splits": {"symbol": "JD", "ex_date": DAYS[5], "factor": 2.0},
    }[table]
    rows = pd.concat([getattr(market, table), pd.DataFrame([strange])], ignore_index=True)
    more = replace(market, **{table: rows.astype(getattr(market, table).dtypes.to_dict())})
    for made in (ep.average_volume, daily_volatility, ep.share_of_volume, basket_return):
        pd.testing.assert_frame_equal(made(more), made(market))


def test_a_line_of_a_venue_without_a_step_has_no_return_and_no_volume() -> None:
    market = ep.simulate_market("2022-01-04", "2022-03-31", symbols=["BABA", "9988.HK", "KWEB"])
    price, volume = market.price.copy(), market.volume.copy()
    price["BABA"] = volume["BABA"] = np.nan
    instruments = market.instruments.copy()
    instruments.loc["BABA", "venue"] = "XLON"
    moved = replace(market, price=price, volume=volume, instruments=instruments)
    assert basket_return(moved, symbols=["BABA"])["value"].isna().all()
    assert ep.average_volume(moved)["BABA"].isna().all()
    assert daily_volatility(moved)["BABA"].isna().all()
    wanted = basket_return(market, symbols=["KWEB"])
    pd.testing.assert_frame_equal(basket_return(moved, symbols=["KWEB"]), wanted)


@pytest.mark.parametrize("listed", [list, tuple, set, iter, lambda names: (name for name in names)])
def test_lines_that_may_be_shorted_are_named_by_whatever_lists_them(listed: Callable) -> None:
    loaded = ep.load_market(pair(), hk_shorts=listed(["9988.HK"]))
    assert loaded.instruments["shortable"].all()
    made = ep.simulate_market("2022-01-04", "2022-01-31", symbols=["9988.HK"], hk_shorts=listed(["9988.HK"]))
    assert made.instruments["shortable"].all()


def arrow(values: object, kind: str) -> pd.Series:
    """A column of one of Arrow's types."""
    plain = pa.array(np.asarray(values), getattr(pa, kind)())
    return pd.Series(pd.arrays.ArrowExtensionArray(plain))


@pytest.mark.parametrize("column", ["Open", "Close", "High", "Volume", "Dividends"])
def test_half_floats_of_arrow_are_numbers(column: str) -> None:
    given = fund(High=60.0, Volume=512.0, Dividends=0.0)
    given[column] = given[column].astype("float16").astype("float64")
    wanted = ep.load_market({"KWEB": given})
    halves = ep.load_market({"KWEB": given.assign(**{column: arrow(np.float16(given[column]), "float16")})})
    pd.testing.assert_frame_equal(halves.price, wanted.price)
    pd.testing.assert_frame_equal(halves.volume, wanted.volume)


def test_numbers_in_a_dictionary_of_arrow_are_numbers() -> None:
    given = fund(Volume=512.0)
    coded = given.copy()
    for column in ("Open", "Close", "Volume"):
        plain = pa.array(given[column].to_numpy()).dictionary_encode()
        coded[column] = pd.Series(pd.arrays.ArrowExtensionArray(plain))
    pd.testing.assert_frame_equal(
        ep.load_market({"KWEB": coded}).price, ep.load_market({"KWEB": given}).price
    )


@pytest.mark.parametrize("freq", ["D", "B", "h", "s"])
def test_dates_may_be_periods_of_a_day_or_less(freq: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas says of B when it is made that it will go
        given = fund(Date=lambda frame: frame["Date"].dt.to_period(freq))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        market = ep.load_market({"KWEB": given})
    pd.testing.assert_frame_equal(market.price, ep.load_market({"KWEB": fund()}).price)


def test_rows_of_symbols_without_prices_are_noted_once() -> None:
    paid = pd.DataFrame({"symbol": ["B"], "ex_date": [DAYS[5]], "pay_date": [pd.NaT], "amount": [1.5]})
    market = replace(line(), dividends=paid)
    said = "dividends has rows of B, without prices here: they are not used."
    assert market.notes.count(said) == replace(market).notes.count(said) == 1
    pd.testing.assert_series_equal(equity(market), equity(line()))
