"""Good prices, changed on their way: the same market, a sentence or a gap there, never another number."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from price_folders import closes, pair
from robustness.cases import is_one_sentence
from robustness.damage import BYTES, ROWS, Mutation, slowly
from tally import tried

import entrepot as ep
from entrepot.errors import EntrepotError
from entrepot.markets.price_files import read_file

FEW, MANY = 40, 2_000
AREA, WHAT = "bad inputs", "mutated price files and frames"
SEEDS = st.integers(0, 2**32 - 1)
LONG_AGO = pd.DataFrame(
    {"known_at": pd.to_datetime(["1984-01-20T12:00Z"]), "channel": "tariff", "direction": 1, "severity": 3.0}
)


def at_length(few: int = FEW, many: int = MANY) -> Callable[[Any], Any]:
    """Run a property over some examples in the ordinary suite, and over many in a slow test."""
    return pytest.mark.parametrize("examples", [few, pytest.param(many, marks=pytest.mark.slow)])


def over(examples: int, *drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], None]:
    """Try a property on drawn values now, and count what was tried."""

    def run(holds: Callable[..., None]) -> None:
        count = 0

        def counted(*values: Any) -> None:
            nonlocal count
            holds(*values)
            count += 1

        plain = settings(
            max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        plain(given(st.tuples(*drawn))(lambda values: counted(*values)))()
        tried(AREA, WHAT, count)

    return run


def loaded(source: object, **how: Any) -> ep.Market | None:
    """The market of a source, None where it is refused; anything else that comes out fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return ep.load_market(source, **how)  # type: ignore[arg-type]
        except EntrepotError as error:
            said = str(error)
    assert is_one_sentence(said), said
    return None


def loaded_file(content: bytes, file: str = "KWEB.csv") -> ep.Market | None:
    """The market of a folder with one file."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / file).write_bytes(content)
        return loaded(folder)


@cache
def table() -> pd.DataFrame:
    """A fund over some weeks, to the cent."""
    return closes("XNYS", "2022-01-04", "2022-03-31").round({"Open": 2, "Close": 2})


@cache
def content() -> bytes:
    """The same as a CSV file."""
    return bytes(table().to_csv(index=False).encode())


@cache
def valid() -> ep.Market:
    """The market of it."""
    market = loaded({"KWEB": table()})
    assert market is not None
    return market


def prints(market: ep.Market, symbol: str = "KWEB") -> dict[str, dict[date, float]]:
    """Open and close by date, as they stand in a market."""
    known = market.grid.assign(price=market.price[symbol].to_numpy()).dropna(subset="price")
    return {
        phase: {day.date(): price for day, price in zip(rows["session"], rows["price"], strict=True)}
        for phase in ("open", "close")
        if len(rows := known[known["phase"] == phase]) or phase == "close"
    }


def same(market: ep.Market | None, other: ep.Market) -> bool:
    """Whether two markets hold the same prices at the same steps, bit for bit."""
    return market is not None and market.price.equals(other.price) and market.grid.equals(other.grid)


# -- bytes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mutation", BYTES, ids=lambda mutation: mutation.name)
def test_a_file_written_otherwise(mutation: Mutation) -> None:
    for seed in range(2):
        market = loaded_file(mutation.change(content(), np.random.default_rng(seed)))
        assert same(market, valid()) if mutation.outcome == "same" else market is None
        tried(AREA, WHAT)


@at_length()
def test_a_file_cut_off_at_any_byte_holds_the_first_of_its_prices_or_is_refused(examples: int) -> None:
    whole = prints(valid())

    def holds(stop: int) -> None:
        market = loaded_file(content()[:stop])
        if market is None:
            return
        doubtful = any("No line break ends" in note for note in market.notes)
        assert doubtful == (not content()[:stop].endswith(b"\n"))
        read = prints(market)
        days = sorted(read["close"])
        assert days == sorted(whole["close"])[: len(days)]
        for phase, prices in read.items():
            assert {day: whole[phase][day] for day in prices} == prices

    over(examples, st.integers(0, len(content())))(holds)


@at_length()
def test_a_file_with_bytes_changed_holds_what_it_says_or_is_refused(examples: int) -> None:
    changes = st.lists(
        st.tuples(st.integers(0, len(content()) - 1), st.integers(0, 255)), min_size=1, max_size=3
    )
    likely = st.sampled_from([ord(c) for c in '0123456789.,-\n\r" eE+:;/TZ'])
    near = st.lists(st.tuples(st.integers(0, len(content()) - 1), likely), min_size=1, max_size=3)

    def holds(flips: list[tuple[int, int]]) -> None:
        changed = bytearray(content())
        for at, byte in flips:
            changed[at] = byte
        market = loaded_file(bytes(changed))
        if market is None:
            return
        said, read = slowly(bytes(changed)), prints(market)
        sessions = {day.date() for day in market.grid["session"]}
        for phase, prices in read.items():
            assert prices == {day: said[phase][day] for day in prices}
        assert {day for day in said["close"] if day in sessions} == set(read["close"])

    over(examples, st.one_of(changes, near))(holds)


@at_length(25, 1_000)
def test_a_parquet_file_with_bytes_changed_or_cut_off_is_read_or_refused(examples: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "KWEB.parquet"
        table().to_parquet(path)
        whole = path.read_bytes()

    def holds(at: int, byte: int, cut: bool) -> None:
        changed = whole[:at] if cut else whole[:at] + bytes([byte]) + whole[at + 1 :]
        market = loaded_file(changed, "KWEB.parquet")
        assert market is None or not cut

    over(examples, st.integers(0, len(whole) - 1), st.integers(0, 255), st.booleans())(holds)


# -- rows ----------------------------------------------------------------------------------------------------


def as_csv(rows: pd.DataFrame, folder: Path) -> Path:
    """A folder with the rows as CSV."""
    rows.to_csv(folder / "KWEB.csv", index="Date" not in rows, index_label="Date")
    return folder


def as_parquet(rows: pd.DataFrame, folder: Path) -> Path | None:
    """A folder with the rows as Parquet, None for what Parquet cannot hold."""
    try:
        rows.to_parquet(folder / "KWEB.parquet")
    except (pa.ArrowException, ValueError, NotImplementedError):
        return None
    return folder


SHAPES: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "in a dict": lambda rows, _: {"KWEB": rows},
    "in a long table": lambda rows, _: rows.assign(symbol="KWEB"),
    "in a CSV file": as_csv,
    "in a Parquet file": as_parquet,
}


def blanked(rows: pd.DataFrame) -> pd.DataFrame:
    """The good market's prices without those that the rows lack."""
    left = rows.set_index("Date")
    price = valid().price.copy()
    for step, (session, phase) in enumerate(zip(valid().grid["session"], valid().grid["phase"], strict=True)):
        if session not in left.index or pd.isna(left.loc[session, phase.title()]):
            price.iloc[step] = np.nan
    return price


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mutation", ROWS, ids=lambda mutation: mutation.name)
def test_rows_that_were_changed(mutation: Mutation, shape: str, tmp_path: Path) -> None:
    rows = mutation.change(table(), np.random.default_rng(7))
    source = SHAPES[shape](rows, tmp_path)
    if source is None:
        return
    market = loaded(source)
    if mutation.outcome == "same":
        assert same(market, valid())
    elif mutation.outcome == "refused":
        assert market is None
    else:
        assert market is not None
        pd.testing.assert_frame_equal(market.price, blanked(rows), check_exact=True)
        assert not market.price.equals(valid().price)
    tried(AREA, WHAT)


@at_length()
def test_rows_that_were_changed_twice_are_as_bad_as_the_worse_change(examples: int) -> None:
    gaps = [m for m in ROWS if m.outcome == "gap"]
    refused = [m for m in ROWS if m.outcome == "refused" and not m.name.startswith(("a date", "no "))]
    usual = [m for m in ROWS if m.name in ("columns in another order", "another index")]

    def holds(first: Mutation, second: Mutation, seed: int) -> None:
        random = np.random.default_rng(seed)
        rows = second.change(first.change(table(), random), random)
        market = loaded({"KWEB": rows})
        if second.outcome == "refused":
            assert market is None
        else:
            assert market is not None
            pd.testing.assert_frame_equal(market.price, blanked(rows), check_exact=True)

    over(examples, st.sampled_from(gaps + usual), st.sampled_from(gaps + refused), SEEDS)(holds)


# -- shapes of several symbols -------------------------------------------------------------------------------


@cache
def both() -> dict[str, pd.DataFrame]:
    """A pair with its rates."""
    return {symbol: frame.round({"Open": 4, "Close": 4}) for symbol, frame in pair(end="2022-02-28").items()}


@cache
def both_loaded() -> ep.Market:
    """The market of it, closes only."""
    market = loaded(wide())
    assert market is not None
    return market


def wide() -> pd.DataFrame:
    """Its closes in one table, a column per symbol."""
    return pd.DataFrame({symbol: frame.set_index("Date")["Close"] for symbol, frame in both().items()})


def long() -> pd.DataFrame:
    """Its closes one below the other."""
    frames = [frame[["Date", "Close"]].assign(symbol=symbol) for symbol, frame in both().items()]
    return pd.concat(frames, ignore_index=True)


def by_field(frame: pd.DataFrame, folder: Path) -> Path:
    """A folder of one file per field."""
    frame.to_csv(folder / "Close.csv")
    return folder


@at_length(25, 1_000)
def test_a_blank_cell_is_a_gap_exactly_there_in_every_shape(examples: int) -> None:
    def holds(row: int, symbol: str, shape: str) -> None:
        day = both()[symbol]["Date"].iloc[1 + row % (len(both()[symbol]) - 2)]
        frame = wide()
        frame.loc[day, symbol] = np.nan
        with tempfile.TemporaryDirectory() as folder:
            stacked = long()
            stacked.loc[(stacked["Date"] == day) & (stacked["symbol"] == symbol), "Close"] = np.nan
            source = {"wide": frame, "long": stacked, "by field": by_field(frame, Path(folder))}[shape]
            market = loaded(source)
        assert market is not None
        expected = both_loaded().price.copy()
        venue = both_loaded().instruments.loc[symbol, "venue"]
        grid = both_loaded().grid
        expected.loc[((grid["session"] == day) & (grid["venue"] == venue)).to_numpy(), symbol] = np.nan
        pd.testing.assert_frame_equal(market.price[list(expected)], expected, check_exact=True)

    symbols = st.sampled_from(["BABA", "9988.HK"])
    over(examples, st.integers(0, 10**6), symbols, st.sampled_from(["wide", "long", "by field"]))(holds)


@at_length(15, 600)
def test_a_long_table_in_which_symbols_alternate_is_the_same_market(examples: int) -> None:
    def holds(seed: int) -> None:
        order = np.random.default_rng(seed).random(len(long()))
        mixed = long().assign(place=order).sort_values(["Date", "place"]).drop(columns="place")
        assert same(loaded(mixed), both_loaded())

    over(examples, SEEDS)(holds)


@at_length(15, 600)
def test_one_leg_in_another_unit_is_refused(examples: int) -> None:
    """From half as much again; less than that is a premium that has been seen."""

    def holds(symbol: str, factor: float, upside_down: bool) -> None:
        files = {name: frame.copy() for name, frame in both().items()}
        for column in files[symbol].columns.intersection(["Open", "Close"]):
            files[symbol][column] *= 1 / factor if upside_down else factor
        assert loaded(files) is None

    names = st.sampled_from(["BABA", "9988.HK", "HKD=X"])
    over(
        examples,
        names,
        st.one_of(st.sampled_from([7.8, 8.0, 100.0, 1000.0]), st.floats(1.7, 1e6)),
        st.booleans(),
    )(holds)


@at_length(6, 200)
def test_one_day_or_many_of_one_leg_in_another_unit_are_refused_or_found(examples: int) -> None:
    """What `load_market` cannot know, `check_data` says: of a day alone, and of two weeks or more."""
    year = pair(end="2022-12-30")

    def holds(symbol: str, row: int, days: int, factor: float) -> None:
        files = {name: frame.copy() for name, frame in year.items()}
        frame = files[symbol]
        first = 30 + row % (len(frame) - 60 - days)
        for column in ("Open", "Close"):
            frame.loc[first : first + days - 1, column] *= factor
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = ep.check_data(files).findings
        severe = found[found["severity"].isin(["stops", "wrong"])]
        assert {"BABA", "9988.HK"} & set(severe["symbol"])

    symbols, factors = (
        st.sampled_from(["BABA", "9988.HK"]),
        st.sampled_from([0.128, 0.5, 1.4, 2.0, 7.8, 100.0]),
    )
    over(examples, symbols, st.integers(0, 10**6), st.sampled_from([1, 14, 15, 20]), factors)(holds)


# -- listings, series and sectors ----------------------------------------------------------------------------

OTHER_FILES: dict[str, tuple[bytes, Callable[[Path], Any]]] = {
    "listings": (
        b"adr,hk,ordinary_per_ads,lot,us_listed,splits,ratio_history\n"
        b"TST,1234,5,200,2015-06-01,2020-03-02:hk:5,2015-06-01:1|2020-03-02:5\nAAA,2345,8,100,2018-01-02,,\n",
        ep.load_listings,
    ),
    "sectors": (
        b"symbol,sector,since,until\nA,it,,2020-01-31\nA,auto,2020-02-01,\nBABA,retail,,\n",
        ep.load_sectors,
    ),
    "series": (
        b"date,symbol,value,known_at\n2024-01-02,0700.HK,1.5,2024-01-02T18:00+08:00\n"
        b"2024-01-03,0700.HK,-2.25,2024-01-03T18:00+08:00\n2024-01-03,9988.HK,1e3,2024-01-03T18:00+08:00\n",
        ep.load_series,
    ),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
@at_length(25, 1_500)
def test_another_file_with_bytes_changed_is_read_or_refused_in_a_sentence(kind: str, examples: int) -> None:
    good, load = OTHER_FILES[kind]

    def holds(at: int, byte: int, how: str) -> None:
        changed = {
            "cut": good[:at],
            "put": good[:at] + bytes([byte]) + good[at:],
            "set": good[:at] + bytes([byte]),
        }[how]
        changed += good[at + 1 :] if how == "set" else b""
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("error")
            path = Path(folder) / "own.csv"
            path.write_bytes(changed)
            with suppress(EntrepotError):
                load(path)

    over(
        examples, st.integers(0, len(good) - 1), st.integers(0, 255), st.sampled_from(["cut", "put", "set"])
    )(holds)


# -- what a library would say --------------------------------------------------------------------------------


def test_a_large_file_whose_column_changes_its_kind_halfway_brings_no_warning(tmp_path: Path) -> None:
    """pandas reads a column of a large file in parts, and says so where they differ in kind."""
    rows = 40_000
    frame = pd.DataFrame(dict.fromkeys([f"n{column}" for column in range(60)], 1), index=range(rows))
    frame["note"] = np.where(np.arange(rows) < rows - 9, "1", "x")
    frame.to_csv(tmp_path / "KWEB.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_file(tmp_path / "KWEB.csv", [])) == rows


def test_a_simulated_market_of_long_ago_has_volumes_and_brings_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        market = ep.simulate_market("1984-01-03", "1984-03-30", symbols=["KWEB"], events=LONG_AGO)
    assert market.volume is not None
    traded = market.volume.to_numpy()
    assert (traded[np.isfinite(traded)] > 0).all()


# -- a market that was written into --------------------------------------------------------------------------


def test_what_is_written_into_the_prices_of_a_market_is_seen_by_no_backtest() -> None:
    market = loaded({"KWEB": table()})
    assert market is not None
    weights = pd.DataFrame({"KWEB": [1.0]}, index=market.grid["session"].iloc[:1])
    before = ep.backtest(market, weights).equity
    price = market.price
    price.iloc[5:, 0] = 1e6
    pd.testing.assert_series_equal(ep.backtest(market, weights).equity, before)
