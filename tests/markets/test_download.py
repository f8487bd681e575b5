"""Prices from Yahoo, through yfinance's own parsing of answers in the recorded shape; nothing is sent."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.markets import download as module
from entrepot.markets.download import download
from entrepot.markets.load import load_market
from entrepot.markets.sessions import session_times

yfinance = pytest.importorskip("yfinance")

RECORDED = Path(__file__).parent / "recorded"
START, END = "2022-02-14", "2022-04-22"
COLUMNS = ["Date", "Open", "High", "Low", "Close", "Adj Close", "Volume", "Dividends", "Stock Splits"]
NOT_FOUND = {
    "chart": {
        "result": None,
        "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"},
    }
}


class Answer:
    """What yfinance's HTTP layer returns."""

    def __init__(self, text: str, status: int = 200) -> None:
        self.text, self.status_code, self.url = text, status, "https://query2.finance.yahoo.com/"

    def json(self) -> Any:
        return json.loads(self.text)

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            from yfinance._http import HTTPError

            raise HTTPError(f"HTTP Error {self.status_code}", 0, self)


class Yahoo:
    """Answers as the chart endpoint does: the rows from ``period1`` until before ``period2``."""

    def __init__(self) -> None:
        self.charts: dict[str, Any] = {p.stem: json.loads(p.read_text()) for p in RECORDED.glob("*.json")}
        self.errors: dict[str, BaseException | Answer] = {}
        self.asked: list[str] = []

    def make_request(self, _: object, url: str, *args: Any, **how: Any) -> Answer:
        symbol, params = unquote(url.rpartition("/")[2]), how.get("params") or {}
        self.asked.append(symbol)
        error = self.errors.get(symbol)
        if isinstance(error, BaseException):
            raise error
        if error is not None:
            return error
        if "/v8/finance/chart/" not in url or symbol not in self.charts:
            return Answer(json.dumps(NOT_FOUND), 404)
        chart = deepcopy(self.charts[symbol])
        if "period1" in params and "timestamp" in chart["chart"]["result"][0]:
            self.cut(chart["chart"]["result"][0], params["period1"], params["period2"])
        return Answer(json.dumps(chart))

    @staticmethod
    def cut(result: dict[str, Any], first: int, last: int) -> None:
        kept = [i for i, t in enumerate(result["timestamp"]) if first <= t < last]
        result["timestamp"] = [result["timestamp"][i] for i in kept]
        quote = result["indicators"]["quote"][0]
        adjusted = result["indicators"]["adjclose"][0]
        for values in (quote, adjusted):
            values.update({name: [column[i] for i in kept] for name, column in values.items()})
        for kind, events in result.get("events", {}).items():
            result["events"][kind] = {k: e for k, e in events.items() if first <= e["date"] < last}


@pytest.fixture
def yahoo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Yahoo]:
    from yfinance.data import YfData

    server = Yahoo()
    yfinance.set_tz_cache_location(str(tmp_path / "cache"))
    YfData.cache_get.cache_clear()
    monkeypatch.setattr(
        YfData, "_make_request", lambda self, *args, **how: server.make_request(self, *args, **how)
    )
    monkeypatch.setattr("yfinance.base._tz_info_fetch_ctr", 0)
    hidden = yfinance.config.debug.hide_exceptions
    yield server
    assert yfinance.config.debug.hide_exceptions == hidden
    YfData.cache_get.cache_clear()


def fetch(folder: Path, symbols: Any = ("BABA", "9988.HK"), **how: Any) -> pd.DataFrame:
    return download(symbols, folder, **{"start": START, "end": END, "progress": False, **how})


def said(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "entrepot.json").read_text()))


def rows_of(chart: dict[str, Any]) -> dict[str, dict[str, float]]:
    """A slow reading of a chart by its own offsets, for comparison: quotes with a close by local date."""
    from zoneinfo import ZoneInfo

    result = chart["chart"]["result"][0]
    zone = ZoneInfo(result["meta"]["exchangeTimezoneName"])
    quote, adjusted = result["indicators"]["quote"][0], result["indicators"]["adjclose"][0]["adjclose"]
    rows: dict[str, dict[str, float]] = {}
    for i, stamp in enumerate(result["timestamp"]):
        if quote["close"][i] is not None:
            day = dt.datetime.fromtimestamp(stamp, zone).date().isoformat()
            rows[day] = {name.capitalize(): values[i] for name, values in quote.items()}
            rows[day] |= {"Adj Close": adjusted[i], "Dividends": 0.0, "Stock Splits": 0.0}
    for event in result.get("events", {}).get("dividends", {}).values():
        rows[dt.datetime.fromtimestamp(event["date"], zone).date().isoformat()]["Dividends"] = event["amount"]
    return rows


# -- what is written -----------------------------------------------------------------------------------------


def test_the_folder_holds_what_was_answered(yahoo: Yahoo, tmp_path: Path) -> None:
    table = fetch(tmp_path / "prices")
    assert table["problem"].tolist() == ["", "", ""]
    assert sorted(p.name for p in (tmp_path / "prices").iterdir()) == [
        "9988.HK.csv",
        "BABA.csv",
        "HKD=X.csv",
        "entrepot.json",
    ]
    for symbol, row in table.iterrows():
        frame = pd.read_csv(tmp_path / "prices" / str(row["file"]))
        assert frame.columns.tolist() == COLUMNS
        early = "2022-02-04" if symbol == "HKD=X" else START
        expected = {d: r for d, r in rows_of(yahoo.charts[str(symbol)]).items() if early <= d <= END}
        assert frame.set_index("Date").to_dict("index") == expected
        assert (row["rows"], row["first"], row["last"]) == (
            len(expected),
            pd.Timestamp(min(expected)),
            pd.Timestamp(max(expected)),
        )
    assert table.index.tolist() == ["BABA", "9988.HK", "HKD=X"]
    assert table.loc["HKD=X", "first"] == pd.Timestamp("2022-02-04")
    paid = pd.read_csv(tmp_path / "prices" / "BABA.csv").set_index("Date")["Dividends"]
    assert paid[paid > 0].to_dict() == {"2022-03-15": 1.0}


@pytest.mark.parametrize(("symbol", "venue"), [("BABA", "XNYS"), ("9988.HK", "XHKG")])
def test_dates_are_sessions_of_the_exchange_over_a_change_of_the_clocks(
    yahoo: Yahoo, tmp_path: Path, symbol: str, venue: str
) -> None:
    fetch(tmp_path, symbol)
    dates = pd.to_datetime(pd.read_csv(tmp_path / f"{symbol}.csv")["Date"])
    sessions = pd.DatetimeIndex(session_times(venue, START, END)["session"])
    assert sessions.isin(dates).sum() == len(dates) >= len(sessions) - 1  # one row may be of nulls


def test_rates_are_dated_in_london_in_winter_and_in_summer(yahoo: Yahoo, tmp_path: Path) -> None:
    """In summer midnight in London is 23:00 UTC of the day before."""
    fetch(tmp_path)
    dates = pd.to_datetime(pd.read_csv(tmp_path / "HKD=X.csv")["Date"])
    assert dates.tolist() == pd.bdate_range("2022-02-04", END).tolist()


def test_a_market_is_loaded_from_it_from_the_first_session(yahoo: Yahoo, tmp_path: Path) -> None:
    fetch(tmp_path / "prices")
    market = load_market(tmp_path / "prices")
    assert market.symbols == ("9988.HK", "BABA")
    assert market.grid["session"].iloc[0] == pd.Timestamp(START)
    assert market.grid["session"].iloc[-1] == pd.Timestamp(END)
    assert len(market.pairs) == 1
    assert market.instruments["adjustment"].tolist() == ["raw", "raw"]  # no split since these prices
    assert market.instruments.loc["9988.HK", "lot"] > 1
    assert any("entrepot.json says: the prices come from Yahoo Finance" in note for note in market.notes)


def test_a_rate_is_known_when_its_day_in_london_is_over(yahoo: Yahoo, tmp_path: Path) -> None:
    """Read with the hour of the European fixing, it would be known half a day before it existed."""
    fetch(tmp_path)
    market = load_market(tmp_path)
    times = pd.DatetimeIndex(market.fixings["time"]).tz_convert("Europe/London")
    assert {(t.hour, t.minute) for t in times} == {(23, 59)}
    closes = market.grid[(market.grid["venue"] == "XNYS") & (market.grid["phase"] == "close")]
    known = 1.0 / market.fx["HKD"].to_numpy()[closes.index]
    rates = pd.read_csv(tmp_path / "HKD=X.csv", parse_dates=["Date"]).set_index("Date")["Close"]
    before = rates.reindex(closes["session"] - pd.Timedelta(days=1), method="ffill")
    np.testing.assert_allclose(known, before.to_numpy(), rtol=1e-15)
    early = load_market(tmp_path, fx_time="14:15 Europe/Berlin")  # the caller's word comes first
    same_day = 1.0 / early.fx["HKD"].to_numpy()[closes.index]
    np.testing.assert_allclose(same_day, rates.reindex(closes["session"]), rtol=1e-15)


def test_rates_are_left_out_where_not_wanted_or_not_needed(yahoo: Yahoo, tmp_path: Path) -> None:
    assert fetch(tmp_path / "a", rates=False).index.tolist() == ["BABA", "9988.HK"]
    assert fetch(tmp_path / "b", "BABA").index.tolist() == ["BABA"]
    assert "fx_time" not in said(tmp_path / "b")
    assert fetch(tmp_path / "c", ["HKD=X", "9988.HK"]).index.tolist() == ["HKD=X", "9988.HK"]
    assert fetch(tmp_path / "d", ["USDHKD=X", "9988.HK"]).index.tolist() == ["USDHKD=X", "9988.HK"]


def test_what_the_folder_says_grows_with_each_download(yahoo: Yahoo, tmp_path: Path) -> None:
    fetch(tmp_path, "BABA")
    first = said(tmp_path)
    assert first["format"] == 1
    assert first["source"] == "Yahoo Finance"
    assert first["adjusted"] == {"BABA": "split"}
    assert list(first["fetched_at"]) == ["BABA"]
    fetch(tmp_path, "09988.HK")
    second = said(tmp_path)
    assert second["source"] == "Yahoo Finance"
    assert second["adjusted"] == {"9988.HK": "split", "BABA": "split"}
    assert second["fetched_at"]["BABA"] == first["fetched_at"]["BABA"]
    assert second["fx_time"] == "23:59 Europe/London"
    assert load_market(tmp_path).symbols == ("9988.HK", "BABA")


def test_files_of_others_stay_and_the_own_is_replaced_only_by_prices(yahoo: Yahoo, tmp_path: Path) -> None:
    (tmp_path / "JD.csv").write_text("Date,Close\n2022-02-14,1\n")
    (tmp_path / "BABA.csv").write_text("Date,Close\n2022-02-14,1\n")
    (tmp_path / "entrepot.json").write_text('{"format": 1, "source": "a desk", "adjusted": {"JD": "raw"}}')
    yahoo.errors["BABA"] = TimeoutError()
    assert fetch(tmp_path, "BABA")["problem"].tolist()[0].startswith("Yahoo could not be reached")
    assert (tmp_path / "BABA.csv").read_text() == "Date,Close\n2022-02-14,1\n"
    assert said(tmp_path)["adjusted"] == {"JD": "raw"}
    del yahoo.errors["BABA"]
    fetch(tmp_path, "BABA")
    assert len((tmp_path / "BABA.csv").read_text().splitlines()) > 40
    assert (tmp_path / "JD.csv").read_text() == "Date,Close\n2022-02-14,1\n"
    assert said(tmp_path)["adjusted"] == {"BABA": "split", "JD": "raw"}
    assert said(tmp_path)["source"] == "a desk; Yahoo Finance"


# -- sessions that are not over ------------------------------------------------------------------------------


def at(monkeypatch: pytest.MonkeyPatch, moment: str) -> pd.Timestamp:
    time = pd.Timestamp(moment).tz_convert("UTC")
    monkeypatch.setattr(module, "now", lambda: time)
    return time


@pytest.mark.parametrize(
    ("moment", "last"),
    [
        ("2022-04-20 15:00-04:00", {"BABA": "04-19", "9988.HK": "04-20", "HKD=X": "04-19"}),
        ("2022-04-20 16:59-04:00", {"BABA": "04-19", "9988.HK": "04-20", "HKD=X": "04-19"}),
        ("2022-04-20 17:00-04:00", {"BABA": "04-20", "9988.HK": "04-20", "HKD=X": "04-19"}),
        ("2022-04-20 17:09+08:00", {"BABA": "04-19", "9988.HK": "04-19", "HKD=X": "04-19"}),
        ("2022-04-20 17:10+08:00", {"BABA": "04-19", "9988.HK": "04-20", "HKD=X": "04-19"}),
        ("2022-04-21 00:59+01:00", {"BABA": "04-20", "9988.HK": "04-20", "HKD=X": "04-19"}),
        ("2022-04-21 01:00+01:00", {"BABA": "04-20", "9988.HK": "04-20", "HKD=X": "04-20"}),
    ],
)
def test_a_session_that_is_not_over_is_no_close(
    yahoo: Yahoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, last: dict[str, str]
) -> None:
    """Yahoo's last row is the running day, stamped with the moment of its last quote."""
    time = at(monkeypatch, moment)
    for chart in yahoo.charts.values():
        result = chart["chart"]["result"][0]
        yahoo.cut(result, 0, int(time.timestamp()))
        zone = result["meta"]["exchangeTimezoneName"]
        row = pd.Timestamp(result["timestamp"][-1], unit="s", tz="UTC").tz_convert(zone)
        if row.date() == time.tz_convert(zone).date():
            result["timestamp"][-1] = int(time.timestamp()) - 1
    table = fetch(tmp_path, end=None)
    assert {s: f"{t:%m-%d}" for s, t in table["last"].items()} == last


def test_the_running_day_given_twice_is_one_row(
    yahoo: Yahoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the close the row of the day may be followed by another of the last quote."""
    at(monkeypatch, "2022-04-20 18:00-04:00")
    result = yahoo.charts["BABA"]["chart"]["result"][0]
    yahoo.cut(result, 0, int(pd.Timestamp("2022-04-20 16:00-04:00").timestamp()))
    result["timestamp"].append(int(pd.Timestamp("2022-04-20 16:00:02-04:00").timestamp()))
    for values in (result["indicators"]["quote"][0], result["indicators"]["adjclose"][0]):
        values.update({name: [*column, column[-1]] for name, column in values.items()})
    table = fetch(tmp_path, "BABA", end=None)
    dates = pd.read_csv(tmp_path / "BABA.csv")["Date"]
    assert dates.is_unique
    assert dates.iloc[-1] == "2022-04-20"
    assert table.loc["BABA", "rows"] == len(dates)


# -- splits --------------------------------------------------------------------------------------------------


def split_by(chart: dict[str, Any], factor: float, day: str) -> dict[str, float]:
    """Have a line split, as Yahoo shows it: what was before is divided, in prices, dividends and volume.

    Returns the closes as they were printed, by date.
    """
    result = chart["chart"]["result"][0]
    printed = {d: r["Close"] for d, r in rows_of(chart).items()}
    at = next(
        t for t in result["timestamp"] if dt.datetime.fromtimestamp(t, dt.UTC).date().isoformat() == day
    )
    k = result["timestamp"].index(at)
    for values in (result["indicators"]["quote"][0], result["indicators"]["adjclose"][0]):
        for name, column in values.items():
            if name == "volume":
                column[:k] = [x if x is None else int(x * factor) for x in column[:k]]
            else:
                column[:k] = [x if x is None else x / factor for x in column[:k]]
    for event in result["events"]["dividends"].values():
        if event["date"] < at:
            event["amount"] /= factor
    result["events"]["splits"] = {
        str(at): {"date": at, "numerator": factor, "denominator": 1.0, "splitRatio": f"{factor:g}:1"}
    }
    return printed


def test_a_split_is_told_and_dividends_and_volume_fit_its_prices(yahoo: Yahoo, tmp_path: Path) -> None:
    """A holder earns the same from prices and dividends adjusted for a split as from those printed."""
    yahoo.charts["ZZZZ"] = deepcopy(yahoo.charts["BABA"])
    plain = yahoo.charts["ZZZZ"]
    volume = {d: r["Volume"] for d, r in rows_of(plain).items()}
    printed = split_by(plain, 5.0, "2022-04-05")
    fetch(tmp_path, "ZZZZ")
    market = load_market(tmp_path)
    assert market.instruments.loc["ZZZZ", "adjustment"] == "split"
    assert market.splits.empty
    assert any("ZZZZ.csv: split-adjusted prices (as told)" in note for note in market.notes)
    closes = market.grid[market.grid["phase"] == "close"]
    days = closes["session"].dt.strftime("%Y-%m-%d")
    factor = np.where(days < "2022-04-05", 5.0, 1.0)
    price = market.price["ZZZZ"].to_numpy()[closes.index]
    assert market.volume is not None
    traded = market.volume["ZZZZ"].to_numpy()[closes.index]
    was = days.map(printed).to_numpy(dtype=float)
    np.testing.assert_allclose(price * factor, was, rtol=1e-12)
    np.testing.assert_allclose(traded * price, days.map(volume).to_numpy(dtype=float) * was, rtol=1e-9)
    [paid] = market.dividends.to_dict("records")
    assert paid["ex_date"] == pd.Timestamp("2022-03-15")
    np.testing.assert_allclose(
        paid["amount"] / price[days.to_list().index("2022-03-14")], 1.0 / printed["2022-03-14"], rtol=1e-12
    )


def test_a_split_after_the_end_is_in_the_prices_and_so_in_the_file(yahoo: Yahoo, tmp_path: Path) -> None:
    """Without it the line of Hong Kong would stand at twice its parity."""
    split_by(yahoo.charts["9988.HK"], 2.0, "2022-04-12")
    table = fetch(tmp_path, end="2022-03-31")
    assert table["last"].tolist() == [pd.Timestamp("2022-03-31")] * 3
    lines = (tmp_path / "9988.HK.csv").read_text().splitlines()
    assert [line[:10] for line in lines[-2:]] == ["2022-03-31", "2022-04-12"]
    assert lines[-1] == "2022-04-12,,,,,,,,2.0"
    assert table.loc["9988.HK", "rows"] == len(lines) - 2
    market = load_market(tmp_path)
    assert market.grid["session"].iloc[-1] == pd.Timestamp("2022-03-31")
    assert market.instruments["adjustment"].tolist() == ["split", "raw"]
    assert market.ratios["ordinary_per_ads"].tolist() == [16.0]


def test_a_split_of_the_running_day_is_in_the_file_and_its_close_is_not(
    yahoo: Yahoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = at(monkeypatch, "2022-04-20 15:00-04:00")
    split_by(yahoo.charts["BABA"], 2.0, "2022-04-20")
    yahoo.cut(yahoo.charts["BABA"]["chart"]["result"][0], 0, int(time.timestamp()))
    fetch(tmp_path, "BABA", end=None)
    lines = (tmp_path / "BABA.csv").read_text().splitlines()
    assert [line[:10] for line in lines[-2:]] == ["2022-04-19", "2022-04-20"]
    assert lines[-1] == "2022-04-20,,,,,,,,2.0"


# -- what goes wrong -----------------------------------------------------------------------------------------


def change(**meta: Any) -> Callable[[Yahoo], None]:
    return lambda yahoo: yahoo.charts["BABA"]["chart"]["result"][0]["meta"].update(meta)


def fail(error: BaseException | Answer) -> Callable[[Yahoo], None]:
    return lambda yahoo: yahoo.errors.update(BABA=error)


def without_rows(yahoo: Yahoo) -> None:
    result = yahoo.charts["BABA"]["chart"]["result"][0]
    del result["timestamp"]
    result["indicators"] = {"quote": [{}], "adjclose": [{}]}


def all_null(yahoo: Yahoo) -> None:
    quote = yahoo.charts["BABA"]["chart"]["result"][0]["indicators"]["quote"][0]
    quote.update({name: [None] * len(column) for name, column in quote.items()})


def paid_in(currency: str) -> Callable[[Yahoo], None]:
    def change(yahoo: Yahoo) -> None:
        for event in yahoo.charts["BABA"]["chart"]["result"][0]["events"]["dividends"].values():
            event["currency"] = currency

    return change


PROBLEMS: dict[str, tuple[Callable[[Yahoo], object], str]] = {
    "unknown": (
        lambda y: y.charts.pop("BABA"),
        r"^Yahoo has no prices from 2022-02-14 to 2022-04-22 \(.*\): check",
    ),
    "no rows": (without_rows, "^Yahoo has no prices from 2022-02-14"),
    "nulls": (all_null, "^Yahoo has no prices from 2022-02-14 to 2022-04-22"),
    "server error": (fail(Answer("<html>502</html>", 502)), "^Yahoo's answer could not be read|be reached"),
    "no json": (fail(Answer("Will be right back")), "^Yahoo's answer could not be read"),
    "changed shape": (
        lambda y: y.charts["BABA"]["chart"]["result"][0].pop("indicators"),
        "could not be read",
    ),
    "no network": (fail(ConnectionError("unreachable")), "^Yahoo could not be reached .ConnectionError"),
    "time out": (fail(TimeoutError()), "^Yahoo could not be reached .TimeoutError"),
    "another counter": (change(currency="CNY"), "^Yahoo quotes it in CNY, not in USD: leave it out"),
    "dividends in another currency": (paid_in("CNY"), "^Yahoo has dividends in CNY and prices in USD"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_symbol_that_fails_does_not_lose_the_others(name: str, yahoo: Yahoo, tmp_path: Path) -> None:
    change, words = PROBLEMS[name]
    change(yahoo)
    table = fetch(tmp_path)
    assert pd.Series([table.loc["BABA", "problem"]]).str.contains(words).all(), table.loc["BABA", "problem"]
    assert "\n" not in table.loc["BABA", "problem"]
    assert table.loc["BABA", ["file", "rows"]].tolist() == ["", 0]
    assert table.loc["BABA", ["first", "last"]].isna().all()
    assert table.loc[["9988.HK", "HKD=X"], "problem"].tolist() == ["", ""]
    assert sorted(p.name for p in tmp_path.glob("*.csv")) == ["9988.HK.csv", "HKD=X.csv"]
    assert "BABA" not in said(tmp_path)["adjusted"]


def test_dividends_in_the_currency_of_the_prices_are_kept(yahoo: Yahoo, tmp_path: Path) -> None:
    paid_in("USD")(yahoo)
    assert fetch(tmp_path, "BABA")["problem"].tolist() == [""]
    assert pd.read_csv(tmp_path / "BABA.csv")["Dividends"].sum() == 1.0


def test_where_yahoo_refuses_the_rest_is_not_asked_for(yahoo: Yahoo, tmp_path: Path) -> None:
    from yfinance.exceptions import YFRateLimitError

    yahoo.errors["9988.HK"] = YFRateLimitError()
    table = fetch(tmp_path)
    assert table["problem"].tolist() == ["", module.REFUSED, module.REFUSED]
    assert "HKD=X" not in yahoo.asked
    assert sorted(p.name for p in tmp_path.glob("*.csv")) == ["BABA.csv"]


def test_where_nothing_comes_no_folder_is_made(yahoo: Yahoo, tmp_path: Path) -> None:
    yahoo.charts.clear()
    assert (fetch(tmp_path / "a" / "b")["problem"] != "").all()
    assert not (tmp_path / "a").exists()


def test_interrupted_it_leaves_whole_files_only(yahoo: Yahoo, tmp_path: Path) -> None:
    yahoo.errors["9988.HK"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path / "prices")
    assert sorted(p.name for p in (tmp_path / "prices").iterdir()) == ["BABA.csv", "entrepot.json"]
    assert load_market(tmp_path / "prices").symbols == ("BABA",)


@pytest.mark.parametrize(
    ("symbol", "left"), [("HKD=X", ["entrepot.json"]), ("BABA", ["BABA.csv"])], ids=["rates", "a share"]
)
def test_interrupted_between_the_two_files_the_folder_does_not_mislead(
    yahoo: Yahoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, symbol: str, left: list[str]
) -> None:
    """The late hour of rates is said before there are any; a split treatment after its prices are there."""
    replace, done = os.replace, []

    def once(*args: Any) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(args)
        replace(*args)

    monkeypatch.setattr(os, "replace", once)
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path / "prices", symbol)
    assert sorted(p.name for p in (tmp_path / "prices").iterdir()) == left


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(
    yahoo: Yahoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **how: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(ParameterError, match=r"cannot be made \(No space left"):
        fetch(tmp_path / "prices", "BABA")


def test_a_full_disk_is_told_in_a_sentence_and_leaves_nothing_half(
    yahoo: Yahoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ParameterError, match=r"cannot be written \(No space left"):
        fetch(tmp_path / "prices", "BABA")
    assert not list((tmp_path / "prices").iterdir())


ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "no symbols": ({"symbols": []}, "symbols is empty"),
    "a number": ({"symbols": 700}, "symbols=700 is no list of symbols"),
    "bytes": ({"symbols": b"BABA"}, "66 is no symbol"),
    "a number among them": ({"symbols": ["BABA", 700]}, "700 is no symbol"),
    "a path": ({"symbols": ["../BABA"]}, r"'../BABA' is no symbol"),
    "blank": ({"symbols": [" "]}, "is no symbol"),
    "another market": ({"symbols": ["600519.SS"]}, "600519.SS belongs to a market that is not covered"),
    "an unknown index": ({"symbols": ["^N225"]}, r"\^N225 is an index of no known venue"),
    "a cross rate": ({"symbols": ["EURCHF=X"]}, "EURCHF=X is no rate against the USD"),
    "a currency twice": ({"symbols": ["CNY=X", "USDCNY=X"]}, "CNY=X and USDCNY=X are rates of one currency"),
    "no date": ({"start": "soon"}, "'soon' is not a date"),
    "no end date": ({"end": 5}, "5 is not a date"),
    "backwards": ({"start": "2022-05-01"}, "start=2022-05-01 is after end=2022-04-22"),
    "rates": ({"rates": "yes"}, "rates='yes' is neither True nor False"),
    "progress": ({"progress": 1}, "progress=1 is neither True nor False"),
    "folder": ({"folder": 5}, "folder=5 is no path"),
    "blank folder": ({"folder": ""}, "folder='' is no path"),
    "folder with a null": ({"folder": "a\0b"}, "is no path"),
    "folder with a long name": ({"folder": "a" * 5000}, "cannot be written to"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_are_checked_before_anything_is_asked(name: str, yahoo: Yahoo, tmp_path: Path) -> None:
    given, words = ARGUMENTS[name]
    how = {"symbols": ["BABA"], "folder": tmp_path / "prices", "start": START, "end": END, **given}
    with pytest.raises(EntrepotError, match=words) as error:
        download(how.pop("symbols"), how.pop("folder"), **how)
    assert "\n" not in str(error.value)
    assert not yahoo.asked
    assert not (tmp_path / "prices").exists()


@pytest.mark.parametrize(
    ("there", "symbol"),
    [
        ("BABA.parquet", "BABA"),
        ("09988.HK.csv", "9988.HK"),
        ("USDHKD=X.csv", "9988.HK"),
        ("baba.csv", "BABA"),
    ],
)
def test_a_second_file_of_a_symbol_is_not_written(
    yahoo: Yahoo, tmp_path: Path, there: str, symbol: str
) -> None:
    (tmp_path / there).write_text("x")
    with pytest.raises(ParameterError, match=f"has {there}, which holds what .*.csv would: move it"):
        fetch(tmp_path, symbol)
    assert not yahoo.asked


def test_a_file_where_the_folder_should_be_and_a_broken_manifest_are_refused(
    yahoo: Yahoo, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "in it"):
        with pytest.raises(ParameterError, match="cannot be written to: give another"):
            fetch(place)
    (tmp_path / "entrepot.json").write_text("{")
    with pytest.raises(DataError, match=r"entrepot.json is no JSON"):
        fetch(tmp_path)
    assert not yahoo.asked


def test_without_yfinance_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "yfinance", None)
    with pytest.raises(ParameterError, match=r'pip install "entrepot\[yahoo\]"'):
        fetch(tmp_path / "prices")
    assert not (tmp_path / "prices").exists()
