"""Every shape in which people have prices gives the market that the folder gives, to the last bit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from price_folders import closes, long, pair, write

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.markets.load import load_market
from entrepot.markets.market import Market
from entrepot.markets.price_tables import local_moments, zone_of

Files = dict[str, pd.DataFrame]
Shape = Callable[[Files, Path], Any]
TABLES = ("grid", "price", "instruments", "fixings", "ratios", "dividends", "splits", "delistings")


def same(one: Market, other: Market) -> None:
    """Whether two markets are equal to the last bit, and in every type."""
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    assert (one.volume is None) == (other.volume is None)
    if one.volume is not None and other.volume is not None:
        pd.testing.assert_frame_equal(one.volume, other.volume, check_exact=True)


def simulated() -> Files:
    """A pair over a change of the clocks, with all columns, a fund of adjusted closes, an index, rates."""
    files = pair("BABA", "9988.HK", "2022-02-01", "2022-04-29")
    for symbol, paid in (("BABA", 1.0), ("9988.HK", 0.97)):
        frame = files[symbol]
        frame["Adj Close"] = frame["Close"] * 0.98
        frame["Dividends"] = np.where(frame.index == 12, paid, 0.0)
        frame["Stock Splits"] = 0.0
        frame["Volume"] = np.arange(len(frame)) * 100 + 700
        frame.loc[20, "Close"] = np.nan
        frame.loc[:4, "Open"] = np.nan
    fund = closes("XNYS", "2022-02-01", "2022-04-29", seed=5)[["Date", "Close"]]
    index = closes("XHKG", "2022-02-01", "2022-04-29", seed=6, level=24000.0)[["Date", "Close"]]
    return {**files, "KWEB": fund.rename(columns={"Close": "Adj Close"}), "^HSI": index}


def indexed(files: Files) -> Files:
    return {symbol: frame.set_index("Date") for symbol, frame in files.items()}


def side_by_side(files: Files, order: str = "field first") -> pd.DataFrame:
    """What `yf.download` returns of several symbols."""
    frame = pd.concat(indexed(files), axis=1, names=["Ticker", "Price"], sort=True)
    return frame.swaplevel(axis=1).sort_index(axis=1) if order == "field first" else frame


def by_field(files: Files) -> Files:
    """One frame per field, one column per symbol, by date."""
    both = side_by_side(files)
    return {field: both[field] for field in both.columns.get_level_values(0).unique()}


def wide_folder(
    files: Files, folder: Path, *, names: Callable[[str], str] = str, parquet: bool = False
) -> Path:
    for field, frame in by_field(files).items():
        if parquet:
            frame.to_parquet(folder / f"{names(field)}.parquet")
        else:
            frame.to_csv(folder / f"{names(field)}.csv")
    return folder


def csv_of(frame: pd.DataFrame, folder: Path, **how: Any) -> Path:
    frame.to_csv(folder / "all.csv", **how)
    return folder / "all.csv"


def parquet_of(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_parquet(folder / "all.parquet")
    return folder / "all.parquet"


def folder_of(files: Files, folder: Path, save: Callable[[pd.DataFrame, str], object]) -> Path:
    for symbol, frame in files.items():
        save(frame, str(folder / symbol))
    return folder


def one_by_one(files: Files, folder: Path) -> Path:
    """What `yf.download(symbol).to_csv(...)` writes for each symbol: three rows of names.

    It always writes an Adj Close, or closes that are adjusted; a table without any is not its.
    """
    for symbol, frame in files.items():
        table = side_by_side({symbol: frame})
        names = ["Price", "Ticker"] if "Adj Close" in frame else ["field", "line"]
        table.rename_axis(columns=names).to_csv(folder / f"{symbol}.csv")
    return folder


def vectorbt_data(files: Files, folder: Path, zone: str = "UTC") -> Any:
    """What `vbt.YFData.download` makes: midnights of each exchange in one zone, joined."""
    import vectorbt as vbt

    fields = ["Open", "Close", "Adj Close", "Volume", "Dividends", "Stock Splits"]
    data = {
        symbol: frame.reindex(columns=fields).tz_localize(zone_of(symbol)).tz_convert(zone)
        for symbol, frame in indexed(files).items()
    }
    with pytest.warns(UserWarning, match="mismatching index"):
        return vbt.Data.from_data(
            data, tz_localize=None, tz_convert=None, missing_index="nan", download_kwargs={}
        )


SHAPES: dict[str, Shape] = {
    "long": lambda files, _: long(files),
    "long, csv": lambda files, folder: csv_of(long(files), folder, index=False),
    "long, parquet": lambda files, folder: parquet_of(long(files), folder),
    "long, rows by symbol and date": lambda files, _: pd.concat(indexed(files), names=["Ticker", "Date"]),
    "long, stacked": lambda files, _: side_by_side(files).stack(level=1),  # noqa: PD013
    "long, polars": lambda files, _: pl.from_pandas(long(files)),
    "folder of parquet": lambda files, folder: folder_of(
        files, folder, lambda frame, path: frame.to_parquet(path + ".parquet")
    ),
    "folder of polars' parquet": lambda files, folder: folder_of(
        files, folder, lambda frame, path: pl.from_pandas(frame).write_parquet(path + ".parquet")
    ),
    "folder of three rows of names": one_by_one,
    "field folder, csv": lambda files, folder: wide_folder(files, folder),
    "field folder, parquet": lambda files, folder: wide_folder(files, folder, parquet=True),
    "field folder, other names": lambda files, folder: wide_folder(
        files, folder, names=lambda field: field.upper().replace(" ", "_")
    ),
    "two levels": lambda files, _: side_by_side(files),
    "two levels, symbol first": lambda files, _: side_by_side(files, "symbol first"),
    "two levels, date a column": lambda files, _: side_by_side(files).reset_index(),
    "two levels, csv": lambda files, folder: csv_of(side_by_side(files), folder),
    "two levels, symbol first, csv": lambda files, folder: csv_of(
        side_by_side(files, "symbol first"), folder
    ),
    "two levels, nothing named, csv": lambda files, folder: csv_of(
        side_by_side(files).rename_axis(columns=[None, None], index=None), folder
    ),
    "two levels, date a column, csv": lambda files, folder: csv_of(
        side_by_side(files).reset_index(), folder, index=False
    ),
    "two levels, parquet": lambda files, folder: parquet_of(side_by_side(files), folder),
    "mapping by symbol": lambda files, _: files,
    "mapping by symbol, indexed": lambda files, _: indexed(files),
    "mapping by symbol, polars": lambda files, _: {s: pl.from_pandas(f) for s, f in files.items()},
    "mapping by field": lambda files, _: by_field(files),
    "mapping by field, lower case": lambda files, _: {f.lower(): x for f, x in by_field(files).items()},
    "mapping by field, polars": lambda files, _: {
        field: pl.from_pandas(frame.reset_index()) for field, frame in by_field(files).items()
    },
    "vectorbt": vectorbt_data,
    "vectorbt in New York": lambda files, folder: vectorbt_data(files, folder, "America/New_York"),
}


@pytest.fixture(scope="module")
def files() -> Files:
    return simulated()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, files: Files) -> Market:
    return load_market(write(tmp_path_factory.mktemp("folder") / "prices", files))


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_gives_the_market_of_the_folder(
    shape: str, files: Files, folder: Market, tmp_path: Path
) -> None:
    assert folder.volume is not None
    assert len(folder.dividends) == 2
    same(folder, load_market(SHAPES[shape](files, tmp_path)))


@pytest.fixture(scope="module")
def real(real_prices: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Market]:
    """Some of the real files over two years, and their market."""
    names = ("BABA", "9988.HK", "CHL", "0941.HK", "0700.HK", "KWEB", "^HSI", "HKD=X", "CNY=X")
    files = {}
    for name in names:
        frame = pd.read_csv(real_prices / f"{name}.csv", parse_dates=["Date"])
        files[name] = frame[frame["Date"].between("2019-06-03", "2021-06-30")].reset_index(drop=True)
    return files, load_market(write(tmp_path_factory.mktemp("real") / "prices", files))


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_of_real_prices_gives_the_market_of_the_folder(
    shape: str, real: tuple[Files, Market], tmp_path: Path
) -> None:
    files, market = real
    assert market.volume is not None
    assert len(market.dividends) > 5
    same(market, load_market(SHAPES[shape](files, tmp_path)))


# -- closes only ---------------------------------------------------------------------------------------------

CLOSES: dict[str, Shape] = {
    "index of dates": lambda wide, _: wide,
    "column of dates": lambda wide, _: wide.reset_index(),
    "polars": lambda wide, _: pl.from_pandas(wide.reset_index()),
    "csv": lambda wide, folder: csv_of(wide, folder),
    "csv, the index unnamed": lambda wide, folder: csv_of(wide.rename_axis(None), folder),
    "index of text": lambda wide, _: wide.set_axis(wide.index.strftime("%Y-%m-%d"), axis=0),
    "mapping of series": lambda wide, _: {symbol: wide[symbol].dropna() for symbol in wide},
    "csv, with row numbers": lambda wide, folder: csv_of(wide.reset_index(), folder),
    "vectorbt series": lambda wide, _: vectorbt_closes(wide),
}


def vectorbt_closes(wide: pd.DataFrame) -> Any:
    import vectorbt as vbt

    data = {s: wide[s].dropna().rename("Close").tz_localize(zone_of(s)).tz_convert("UTC") for s in wide}
    with pytest.warns(UserWarning, match="mismatching index"):
        return vbt.Data.from_data(
            data, tz_localize=None, tz_convert=None, missing_index="nan", download_kwargs={}
        )


@pytest.mark.parametrize("shape", CLOSES)
def test_a_column_of_closes_per_symbol_is_read_as_closes_and_said(
    shape: str, files: Files, tmp_path: Path
) -> None:
    only = {s: f[["Date", "Close"]] for s, f in files.items() if "Close" in f}
    expected = load_market(write(tmp_path / "prices", only))
    market = load_market(CLOSES[shape](by_field(only)["Close"].rename_axis(columns="line"), tmp_path))
    same(expected, market)
    assert any("read as closes" in note for note in market.notes)


def as_yfinance_gives_it(auto_adjust: bool) -> Files:
    """All its fields of each symbol; adjusted, closes hold dividends and there is no Adj Close."""
    files = {}
    for symbol, frame in pair("BABA", "9988.HK", "2022-02-01", "2022-04-29").items():
        full = frame.assign(High=frame["Close"] * 1.01, Low=frame["Close"] * 0.99, Dividends=0.0)
        full.loc[12, "Dividends"] = 0.0 if symbol == "HKD=X" else 1.0
        full["Volume"] = 1000
        full["Open"] = full["Close"]
        files[symbol] = full if auto_adjust else full.assign(**{"Adj Close": full["Close"] * 0.99})
    return files


def as_yfdata(files: Files) -> Any:
    import vectorbt as vbt

    data = {s: f.tz_localize(zone_of(s)).tz_convert("UTC") for s, f in indexed(files).items()}
    with pytest.warns(UserWarning, match="mismatching index"):
        return vbt.YFData.from_data(
            data, tz_localize=None, tz_convert=None, missing_index="nan", download_kwargs={}
        )


def one_below_the_other(files: Files) -> pd.DataFrame:
    return side_by_side(files).stack(level="Ticker").reset_index()  # noqa: PD013


def cut_out(files: Files) -> Files:
    both = side_by_side(files)
    return {symbol: both.xs(symbol, axis=1, level="Ticker").dropna(how="all") for symbol in files}


def picked(files: Files) -> Files:
    both = side_by_side(files, "symbol first")
    return {symbol: both[symbol].dropna(how="all") for symbol in files}


@pytest.mark.parametrize("shape", [side_by_side, as_yfdata, one_below_the_other, cut_out, picked])
def test_what_yfinance_adjusted_for_dividends_without_saying_is_total_return(
    shape: Callable[[Files], Any],
) -> None:
    """Its closes are called Close; paid once more, a dividend would count twice."""
    adjusted = load_market(shape(as_yfinance_gives_it(auto_adjust=True)))
    assert adjusted.instruments["adjustment"].tolist() == ["total_return", "total_return"]
    assert adjusted.dividends.empty
    plain = load_market(shape(as_yfinance_gives_it(auto_adjust=False)))
    assert "total_return" not in plain.instruments["adjustment"].tolist()
    assert len(plain.dividends) == 2
    pd.testing.assert_frame_equal(adjusted.price, plain.price)


@pytest.mark.parametrize("pick", [lambda both: both["Close"], lambda both: both[["Close"]]])
def test_closes_of_yfinance_may_be_adjusted_and_its_rates_are_of_whole_days(
    pick: Callable[[pd.DataFrame], pd.DataFrame],
) -> None:
    """Its rate of a date is the last of the day: as a fixing it would be known at New York's close."""
    files = as_yfinance_gives_it(auto_adjust=False)
    market = load_market(pick(side_by_side(files)))
    late = load_market({s: f[["Date", "Close"]] for s, f in files.items()}, fx_time="23:59 Europe/London")
    same(late, market)
    assert any("auto_adjust=False: say adjusted='total_return'" in note for note in market.notes)
    assert any("as yfinance's all are" in note for note in market.notes)
    early = load_market(pick(side_by_side(files)), fx_time="14:15 Europe/Berlin")
    assert (early.fixings["time"].iloc[: len(market.fixings)] < market.fixings["time"]).all()


def test_other_tables_without_adjusted_closes_are_what_they_say() -> None:
    files = as_yfinance_gives_it(auto_adjust=True)
    market = load_market(side_by_side(files).rename_axis(columns=["field", "line"]))
    same(load_market(files), market)
    assert len(market.dividends) == 2


def test_a_dividend_without_a_price_is_kept() -> None:
    """A row in which only an amount stands says something, on a day on which the line did not trade."""
    files = simulated()
    files["BABA"].loc[12, ["Open", "Close", "Adj Close", "Volume"]] = np.nan
    expected = load_market(files)
    assert len(expected.dividends) == 2
    same(expected, load_market(side_by_side(files)))


def test_a_symbol_may_have_the_name_of_a_field() -> None:
    """LOW and OPEN are shares: a table that has a close of its own is one symbol's."""
    share = closes("XNYS", "2022-01-04", "2022-03-31")
    assert load_market({"LOW": share, "OPEN": share}).symbols == ("LOW", "OPEN")
    wide = pd.DataFrame({"LOW": share["Close"], "KWEB": share["Close"]}).set_axis(share["Date"])
    assert load_market(wide).symbols == ("KWEB", "LOW")


# -- dates ---------------------------------------------------------------------------------------------------

START, END = "2022-02-01", "2022-04-29"
VENUES = {"BABA": "America/New_York", "9988.HK": "Asia/Hong_Kong", "HKD=X": "Europe/London"}


def stamped(zone: str | None, at: str = "00:00") -> Callable[[pd.Series, str], Any]:
    """Dates as the moments at which the day of each exchange begins, written in a zone."""
    return lambda days, symbol: (
        (days + pd.Timedelta(at + ":00")).dt.tz_localize(VENUES[symbol]).dt.tz_convert(zone or VENUES[symbol])
    )


DATES: dict[str, Callable[[pd.Series, str], Any]] = {
    "text": lambda days, _: days.dt.strftime("%Y-%m-%d"),
    "text with midnights": lambda days, _: days.dt.strftime("%Y-%m-%d 00:00:00"),
    "date objects": lambda days, _: days.dt.date,
    "whole numbers": lambda days, _: days.dt.strftime("%Y%m%d").astype("int64"),
    "eight digits as text": lambda days, _: days.dt.strftime("%Y%m%d"),
    "short whole numbers": lambda days, _: days.dt.strftime("%Y%m%d").astype("int32"),
    "periods": lambda days, _: days.dt.to_period("D"),
    "seconds": lambda days, _: days.astype("datetime64[s]"),
    "arrow dates": lambda days, _: days.dt.date.astype("date32[pyarrow]"),
    "arrow stamps": lambda days, _: days.astype("timestamp[us][pyarrow]"),
    "the exchange's midnights": stamped(None),
    "the exchange's midnights in UTC": stamped("UTC"),
    "the exchange's midnights in Tokyo": stamped("Asia/Tokyo"),
    "the exchange's midnights in Auckland": stamped("Pacific/Auckland"),
    "the exchange's midnights in Los Angeles": stamped("America/Los_Angeles"),
    "the exchange's morning in UTC": stamped("UTC", "09:30"),
    "the exchange's evening in UTC": stamped("UTC", "16:00"),
    "midnights of UTC": lambda days, _: days.dt.tz_localize("UTC"),
    "midnights of Hong Kong": lambda days, _: days.dt.tz_localize("Asia/Hong_Kong"),
    "text of midnights of UTC": lambda days, _: days.dt.strftime("%Y-%m-%d 00:00:00+00:00"),
    "text of midnights in Hong Kong": lambda days, _: days.dt.strftime("%Y-%m-%dT00:00+08:00"),
    "text of those in Kathmandu": lambda days, s: stamped("Asia/Kathmandu")(days, s).astype(str),
    "text of the exchange's midnights": lambda days, s: stamped(None)(days, s).map(pd.Timestamp.isoformat),
    "text of those in UTC": lambda days, s: stamped("UTC")(days, s).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "text of those in New York": lambda days, s: stamped("America/New_York")(days, s).astype(str),
    "text of those in Tokyo": lambda days, s: stamped("Asia/Tokyo")(days, s).dt.strftime("%Y-%m-%d %H:%M%z"),
}


@pytest.fixture(scope="module")
def dated() -> Market:
    return load_market(pair("BABA", "9988.HK", START, END))


@pytest.mark.parametrize("kind", DATES)
@pytest.mark.parametrize("head", ["datetime", "index of any name"])
def test_dates_of_every_kind_are_those_of_the_exchange(kind: str, head: str, dated: Market) -> None:
    files = dated_by(DATES[kind], head)
    same(dated, load_market(files))


@pytest.mark.parametrize("head", ["Date", "DATE", "timestamp", "Time", "Date ", "Unnamed: 0", "date"])
def test_dates_are_found_under_every_usual_name(head: str, dated: Market) -> None:
    files = dated_by(DATES["text"], head)
    same(dated, load_market(files))


def dated_by(made: Callable[[pd.Series, str], Any], head: str) -> Files:
    """The pair with its dates written otherwise, in a column or as an index."""
    files = pair("BABA", "9988.HK", START, END)
    for symbol, frame in files.items():
        dates = made(frame["Date"], symbol)
        if head == "index of any name":
            files[symbol] = frame.drop(columns="Date").set_axis(pd.Index(dates, name="when"), axis=0)
        else:
            files[symbol] = frame.assign(Date=dates).rename(columns={"Date": head})
    return files


@pytest.mark.parametrize("kind", ["the exchange's midnights in UTC", "text of those in UTC"])
def test_a_day_of_hong_kong_stamped_in_utc_is_not_the_day_before(kind: str) -> None:
    """Midnight in Hong Kong is 16:00 UTC of the day before: read as that date, prices were a day early."""
    files = pair("BABA", "9988.HK", START, END)
    stamps = DATES[kind](files["9988.HK"]["Date"], "9988.HK")
    assert str(stamps.iloc[0])[:10] < str(files["9988.HK"]["Date"].iloc[0])[:10]
    market = load_market({**files, "9988.HK": files["9988.HK"].assign(Date=stamps)})
    first = market.grid.index[(market.grid["venue"] == "XHKG") & (market.grid["phase"] == "close")][0]
    assert market.grid.loc[first, "session"] == files["9988.HK"]["Date"].iloc[0]
    assert market.price["9988.HK"].iloc[first] == files["9988.HK"]["Close"].iloc[0]


def test_a_moment_is_the_same_however_its_offset_is_written() -> None:
    moment = pd.Timestamp("2022-03-13 09:05:30.25", tz="UTC")
    for zone in ("UTC", "Asia/Kathmandu", "America/St_Johns", "Asia/Hong_Kong"):
        written = [moment.tz_convert(zone).isoformat(sep=" "), moment.tz_convert(zone).isoformat()]
        written += [text.replace("+00:00", end) for text in written for end in ("Z", " UTC", "+0000")]
        assert set(local_moments(pd.Series(written), None)) == {moment}
        assert local_moments(pd.Series(written), "Asia/Hong_Kong")[0].hour == 17


def test_dates_with_the_zone_of_utc_torn_off_are_refused_as_shifted(tmp_path: Path) -> None:
    for zone_kept in ("9988.HK", "HKD=X"):
        files = pair("BABA", "9988.HK", START, END)
        stamps = stamped("UTC")(files[zone_kept]["Date"], zone_kept).dt.tz_localize(None)
        files[zone_kept]["Date"] = stamps
        if zone_kept == "HKD=X":
            files[zone_kept] = files[zone_kept][stamps.dt.hour == 23]  # in summer time, the day before
        folder = write(tmp_path / zone_kept, files)
        with pytest.raises(DataError, match=r"prices on Saturdays and Sundays: .* shifted by a day") as error:
            load_market(folder)
        sentence(error)


def test_dates_a_day_late_are_refused_too() -> None:
    files = pair("BABA", "9988.HK", START, END)
    files["BABA"]["Date"] += pd.Timedelta(days=1)
    with pytest.raises(DataError, match="shifted by a day"):
        load_market(files)


def test_prices_carried_over_weekends_and_blanks_on_them_are_no_shift() -> None:
    files = pair("BABA", "9988.HK", START, END)
    expected = load_market(files)
    for symbol, frame in files.items():
        daily = frame.drop(columns="Volume", errors="ignore").set_index("Date").resample("D")
        files[symbol] = (daily.asfreq() if symbol == "BABA" else daily.ffill()).reset_index()
    market = load_market(files)
    pd.testing.assert_frame_equal(expected.price, market.price)
    assert any("without volume on days without a session" in note for note in market.notes)


def test_rates_may_be_quoted_on_sundays() -> None:
    files = pair("BABA", "9988.HK", START, END)
    rates = files["HKD=X"]
    sundays = rates[rates["Date"].dt.day_of_week == 0].assign(Date=lambda f: f["Date"] - pd.Timedelta(days=1))
    both = pd.concat([rates, sundays.assign(Close=sundays["Close"] + 0.001)]).sort_values("Date")
    assert len(load_market({**files, "HKD=X": both}).fixings) == len(both)


def test_a_few_rows_on_weekends_are_what_they_were() -> None:
    files = pair("BABA", "9988.HK", START, END)
    odd = pd.DataFrame({"Date": [pd.Timestamp("2022-02-12")], "Close": [101.0]})
    files["BABA"] = pd.concat([files["BABA"], odd]).sort_values("Date", ignore_index=True)
    with pytest.raises(DataError, match="has a price on 2022-02-12, when XNYS held no session"):
        load_market(files)


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (lambda d: d.dt.to_period("W"), "dates are written YYYY-MM-DD"),
        (lambda d: d.dt.to_period("M"), "dates are written YYYY-MM-DD"),
        (lambda d: d.astype("int64") // 10**9, "dates are written YYYY-MM-DD"),
        (lambda d: d.dt.strftime("%Y-%m-%d").where(d.index != 5, "2022-02-30 00:00"), "2022-02-30 00:00"),
        (lambda d: d.dt.strftime("%Y-%m-%d 09:30Z").where(d.index != 5, "2022-02-09 09:30"), "data row 6"),
        (lambda d: d.dt.strftime("%Y-%m-%d HKT"), "dates are written YYYY-MM-DD"),
        (lambda d: d.where(d.index != 5), "data row 6"),
        (lambda d: pd.Series(True, index=d.index), "dates are written YYYY-MM-DD"),
        (lambda d: pd.Series(1.5, index=d.index), "dates are written YYYY-MM-DD"),
    ],
)
def test_dates_that_cannot_be_read_are_refused(dates: Callable[[pd.Series], Any], words: str) -> None:
    files = pair("BABA", "9988.HK", START, END)
    files["BABA"]["Date"] = dates(files["BABA"]["Date"])
    with pytest.raises(DataError, match=words) as error:
        load_market(files)
    sentence(error)


# -- what is refused -----------------------------------------------------------------------------------------


def sentence(error: pytest.ExceptionInfo[EntrepotError]) -> None:
    text = str(error.value)
    assert "\n" not in text
    assert 20 < len(text) < 420
    assert not text.endswith(".")
    assert error.value.__cause__ is None


def mixed_folder(folder: Path) -> Path:
    wide_folder(simulated(), folder)
    return write(folder, {"JD": closes("XNYS", START, END)})


def two_spellings(folder: Path) -> Path:
    wide_folder(simulated(), folder)
    by_field(simulated())["Adj Close"].to_csv(folder / "adj_close.csv")
    return folder


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.iloc[:, :1]], axis=1)


REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a folder of both kinds": (mixed_folder, "with a column per symbol, and JD.csv, of one symbol"),
    "a mapping of both kinds": (
        lambda _: {**by_field(simulated()), "JD": closes("XNYS", START, END)},
        r"with a column per symbol, and a mapping in memory \[JD\]",
    ),
    "a field twice": (two_spellings, "holds adj close twice"),
    "a field twice in a mapping": (
        lambda _: {"Close": by_field(simulated())["Close"], "close ": by_field(simulated())["Close"]},
        "holds close twice",
    ),
    "a symbol in two files": (
        lambda folder: [write(folder, pair()), pair()["BABA"].to_parquet(folder / "BABA.parquet")][0],
        "BABA.csv and BABA.parquet both hold BABA",
    ),
    "a symbol under two keys": (
        lambda _: {**pair(), "09988.HK": pair()["9988.HK"]},
        r"\[9988.HK\] and a mapping in memory \[09988.HK\] both hold 9988.HK",
    ),
    "a wide frame with a column twice": (
        lambda _: twice(by_field(simulated())["Close"]),
        "close of a table in memory has the columns .* twice",
    ),
    "a wide frame with a column twice but for a blank": (
        lambda _: by_field(simulated())["Close"].assign(**{" BABA": 1.0}),
        r"has the columns \['BABA'\] twice",
    ),
    "a file of another symbol than its name": (
        lambda folder: [
            side_by_side({"JD": simulated()["BABA"]}).to_csv(folder / "BABA.csv"),
            folder,
        ][1],
        "BABA.csv holds 'JD': name it 'JD'",
    ),
    "two levels with a column twice": (lambda _: twice(side_by_side(simulated())), "twice: keep one of each"),
    "two levels with a column twice, csv": (
        lambda folder: csv_of(twice(side_by_side(simulated())), folder),
        "all.csv has the columns .* twice",
    ),
    "two levels without fields": (
        lambda _: side_by_side(simulated()).rename(columns={"Close": "Last", "Adj Close": "Net"}),
        "two levels of columns and neither holds Close or Adj Close",
    ),
    "two levels of fields": (
        lambda _: side_by_side(simulated()).rename(columns={"BABA": "Close"}, level=1),
        "two levels of columns and both hold Close or Adj Close",
    ),
    "three levels": (
        lambda _: pd.concat({"x": side_by_side(simulated())}, axis=1),
        "has 3 levels of columns: give two",
    ),
    "several symbols in a symbol's file": (
        lambda folder: [csv_of(side_by_side(simulated()), folder), folder][1],
        "all.csv holds several symbols",
    ),
    "one symbol alone": (lambda _: pair()["BABA"], "has no symbol column"),
    "opens alone": (lambda _: pair()["BABA"][["Date", "Open"]], "has no symbol column"),
    "no dates": (
        lambda _: pd.DataFrame({"BABA": [1.0, 2.0], "JD": [1.0, 2.0]}),
        "close of a table in memory lacks the column Date",
    ),
    "no dates by field": (
        lambda _: {"close": pd.DataFrame({"BABA": [1.0, 2.0]})},
        "close of a mapping in memory lacks the column Date",
    ),
    "a date twice by field": (
        lambda _: {"close": by_field(simulated())["Close"].iloc[[0, 0, 1]]},
        "close of a mapping in memory has 2022-01-25.* twice",
    ),
    "newest first by field": (
        lambda _: {"close": by_field(simulated())["Close"].iloc[::-1]},
        "close of a mapping in memory is out of order",
    ),
    "a blank date by field": (
        lambda _: {"close": by_field(simulated())["Close"].rename({pd.Timestamp("2022-02-02"): pd.NaT})},
        "close of a mapping in memory has a row without a date",
    ),
    "days written otherwise by field": (
        lambda _: {
            "close": by_field(simulated())["Close"].rename(index=lambda day: f"{day:%d/%m/%Y}"),
        },
        "close of a mapping in memory has the date '25/01/2022' in data row 1: dates are written YYYY-MM-DD",
    ),
    "fields with a zone and without": (
        lambda _: {
            "close": by_field(simulated())["Close"].shift(9, freq="h").tz_localize("UTC"),
            "open": by_field(simulated())["Open"],
        },
        "close of a mapping in memory has stamps with a time zone and open has none: give both alike",
    ),
    "a symbol in the index and a column": (
        lambda _: long(pair()).set_index(["symbol", "Date"], drop=False),
        r"has \['Date', 'symbol'\] twice among its index and columns: keep one of each",
    ),
    "two levels of the index with one name": (
        lambda _: long(pair()).set_index(["symbol", "Date"]).rename_axis(["symbol", "symbol"]),
        r"has \['symbol'\] twice among its index and columns",
    ),
    "a file that begins with a blank": (
        lambda folder: [(folder / "BABA.csv").write_text("Date,Close\n03/01/2022,-\n"), folder][1],
        "BABA.csv has the date '03/01/2022' in data row 1",
    ),
    "truth for closes": (
        lambda _: {"BABA": pair()["BABA"].assign(Close=True)},
        "has close 'True' on 2022-01-04: it must be a number or blank",
    ),
    "dates for closes": (
        lambda _: {"BABA": pair()["BABA"].assign(Close=pair()["BABA"]["Date"])},
        "has close '2022-01-04 00:00:00' on 2022-01-04: it must be a number or blank",
    ),
    "no closes by field": (
        lambda _: {"open": by_field(simulated())["Open"]},
        r"a mapping in memory \[9988.HK\] lacks the column Close",
    ),
    "words among closes": (
        lambda _: by_field(simulated())["Close"].assign(note="x"),
        r"a table in memory \[note\] has close 'x'",
    ),
    "a column of blanks": (
        lambda _: by_field(simulated())["Close"].assign(JD=np.nan),
        r"a table in memory \[JD\] has no close at all",
    ),
    "nothing": (lambda _: {}, "a mapping in memory is empty"),
    "no rows": (lambda _: long(pair()).iloc[:0], "has no rows"),
    "wide, no rows": (lambda _: by_field(simulated())["Close"].iloc[:0], "has no rows|has no close"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_mixed_or_ambiguous_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    make, words = REFUSED[name]
    with pytest.raises(DataError, match=words) as error:
        load_market(make(tmp_path))
    sentence(error)


WRONG_KIND: dict[str, tuple[Any, str]] = {
    "lazy": (pl.LazyFrame({"symbol": ["BABA"]}), r"a LazyFrame of polars: collect\(\) it first"),
    "lazy in a dict": ({"BABA": pl.LazyFrame({"Close": [1]})}, r"under 'BABA': collect\(\) it first"),
    "polars series": (pl.Series("BABA", [1.0]), "was given one Series"),
    "key of a number": ({700: pair()["9988.HK"]}, "a dict with the key 700: its keys are symbols"),
    "value of a list": ({"BABA": [1.0]}, "was given list in a dict under 'BABA'"),
    "series of a field": ({"close": pair()["BABA"]["Close"]}, "a Series under 'close'"),
    "array": (np.ones((3, 2)), "was given ndarray"),
    "set": ({"BABA"}, "was given set"),
    "date": (dt.date(2022, 1, 4), "was given date"),
}


@pytest.mark.parametrize("name", WRONG_KIND)
def test_a_source_of_another_kind_is_refused(name: str) -> None:
    source, words = WRONG_KIND[name]
    with pytest.raises(ParameterError, match=words) as error:
        load_market(source)
    sentence(error)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "9988",
            "09988",
            "9988 HK Equity",
            "HK.09988",
            "SEHK:9988",
            "9988-HK",
            "²².HK",
            "Close_9988.HK",
            "",
        ),
        *("BABA.HK", "123456.HK", "1234567.HK", "9988-R.HK", "A9988.HK"),
    ],
)
def test_a_name_that_does_not_say_where_a_line_trades_is_refused(name: str) -> None:
    """Read as a line of New York, its prices would be in dollars."""
    files = pair(start="2022-02-08", end="2022-02-16")  # days on which both venues hold sessions
    files[name] = files.pop("9988.HK")
    with pytest.raises(
        DataError, match=r"does not say what it is: write Hong Kong lines as 9988\.HK"
    ) as error:
        load_market(files)
    sentence(error)


@pytest.mark.parametrize("name", ["USDHKD", "HKDUSD", "USD/HKD", "USDHKD Curncy"])
def test_a_rate_is_no_share_of_new_york(name: str) -> None:
    with pytest.raises(DataError, match="and HKD per USD as HKD=X") as error:
        load_market({"BABA": pair()["BABA"], name: pair()["HKD=X"]})
    sentence(error)


def test_a_counter_in_renminbi_is_not_read_in_hong_kong_dollars() -> None:
    files = pair()
    with pytest.raises(DataError, match=r"89988\.HK, a counter that trades in renminbi") as error:
        load_market({**files, "89988.HK": files["9988.HK"]})
    sentence(error)


@pytest.mark.parametrize("of", [lambda table: table, lambda table: {"KWEB": table}])
def test_labels_of_one_level_are_labels(of: Callable[[pd.DataFrame], Any]) -> None:
    name = "KWEB" if isinstance(of(pd.DataFrame()), pd.DataFrame) else "Close"
    table = closes("XNYS", "2022-01-04", "2022-01-31").set_index("Date")[["Close"]].set_axis([name], axis=1)
    odd = table.set_axis(pd.MultiIndex.from_tuples([(name,)]), axis=1)
    same(load_market(of(odd)), load_market(of(table)))
    odd.index = pd.MultiIndex.from_arrays([table.index])
    same(load_market(of(odd)), load_market(of(table)))


def test_symbols_may_be_in_small_letters() -> None:
    files = pair()
    small = {symbol.lower(): frame for symbol, frame in files.items()}
    same(load_market(files), load_market(small))
    market = load_market(small, adjusted={"baba": "raw"}, hk_shorts=["9988.hk"])
    assert market.instruments.at["9988.HK", "shortable"]
    with pytest.raises(DataError, match="both hold BABA"):
        load_market({**files, "baba": files["BABA"]})


def test_the_source_given_is_left_as_it_was() -> None:
    for make in (long, side_by_side, by_field, indexed):
        files = simulated()
        source = make(files)
        parts = list(source.values()) if isinstance(source, dict) else [source]
        before = [part.copy(deep=True) for part in parts]
        load_market(source)
        for one, other in zip(parts, before, strict=True):
            pd.testing.assert_frame_equal(one, other)


def test_fields_of_different_kinds_of_dates_are_joined(tmp_path: Path, files: Files, folder: Market) -> None:
    wide = wide_folder(files, tmp_path)
    (wide / "Volume.csv").unlink()
    by_field(files)["Volume"].to_parquet(wide / "volume.parquet")
    same(folder, load_market(wide))


def test_parquet_of_every_writer_and_type_of_date_reads_the_same(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = pair("BABA", "9988.HK", START, END)
    expected = load_market(files)
    types = {
        "date32": lambda zone: pa.date32(),
        "timestamp": lambda zone: pa.timestamp("us"),
        "timestamp with zone": lambda zone: pa.timestamp("us", zone),
        "timestamp in UTC": lambda zone: pa.timestamp("ns", "UTC"),
    }
    for name, kind in types.items():
        folder = tmp_path / name
        for writer in ("pyarrow", "pandas", "polars"):
            place = folder / writer
            place.mkdir(parents=True)
            for symbol, frame in files.items():
                zone = VENUES[symbol]
                days = (
                    frame["Date"].dt.tz_localize(zone) if "zone" in name or "UTC" in name else frame["Date"]
                )
                table = pa.Table.from_pandas(frame.drop(columns="Date"), preserve_index=False)
                table = table.add_column(0, "Date", pa.array(days).cast(kind(zone)))
                path = place / f"{symbol}.parquet"
                if writer == "pyarrow":
                    pq.write_table(table, path)
                elif writer == "pandas":
                    table.to_pandas().set_index("Date").to_parquet(path)
                else:
                    pl.from_arrow(table).write_parquet(path)  # type: ignore[union-attr]
            same(expected, load_market(place))


# -- files as programs write them ----------------------------------------------------------------------------

WRITTEN: dict[str, Callable[[str], bytes]] = {
    "byte order mark": lambda text: text.encode("utf-8-sig"),
    "windows": lambda text: text.replace("\n", "\r\n").encode(),
    "old macintosh": lambda text: text.replace("\n", "\r").encode(),
    "rows of commas below": lambda text: (
        text + 2 * (text[: text.index("\n")].count(",") * "," + "\n")
    ).encode(),
    "blank lines": lambda text: ("\n\n" + text + "\n  \n\n").encode(),
    "a comma more on each row": lambda text: text.replace("\n", ",\n").encode(),
    "names in angle brackets": lambda text: (
        ",".join(f"<{name.upper()}>" for name in text[: text.index("\n")].split(","))
        + text[text.index("\n") :]
    ).encode(),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_file_reads_the_same_as_every_program_writes_it(
    how: str, files: Files, folder: Market, tmp_path: Path
) -> None:
    for symbol, frame in files.items():
        (tmp_path / f"{symbol}.csv").write_bytes(WRITTEN[how](frame.to_csv(index=False)))
    same(folder, load_market(tmp_path))


def test_a_web_page_is_still_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "BABA.csv").write_text("<!DOCTYPE html>\n<html></html>\n")
    with pytest.raises(DataError, match="it is a web page, not a CSV"):
        load_market(tmp_path)
