"""Faults planted in clean files, one at a time: the check names each, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import DataError, ParameterError
from entrepot.markets.data_check import DataCheck, check_data
from entrepot.markets.load import load_market
from entrepot.markets.simulate import simulate_market

Files = dict[str, pd.DataFrame]
SYMBOLS = ["BABA", "9988.HK", "NTES", "9999.HK", "JD", "9618.HK", "CHL", "0941.HK", "KWEB", "FXI", "0388.HK"]


def simulated_files(start: str, end: str, seed: int, symbols: list[str] | None = None) -> Files:
    """A simulated market as the files of a vendor: prices, volumes, actions, rates."""
    market = simulate_market(start, end, seed=seed, symbols=symbols)
    assert market.volume is not None
    files: Files = {}
    for symbol in market.symbols:
        venue = market.instruments.at[symbol, "venue"]
        own = {
            phase: ((market.grid["venue"] == venue) & (market.grid["phase"] == phase)).to_numpy()
            for phase in ("open", "close")
        }
        session = pd.DatetimeIndex(market.grid["session"][own["close"]], name="Date")
        frame = pd.DataFrame(
            {
                "Open": market.price[symbol].to_numpy()[own["open"]],
                "Close": market.price[symbol].to_numpy()[own["close"]],
                "Volume": market.volume[symbol].to_numpy()[own["close"]],
            },
            index=session,
        ).dropna(subset=["Close"])
        if frame.empty:
            continue
        frame.insert(1, "High", frame[["Open", "Close"]].max(axis=1))
        frame.insert(2, "Low", frame[["Open", "Close"]].min(axis=1))
        for name, table, value in (
            ("Dividends", market.dividends, "amount"),
            ("Stock Splits", market.splits, "factor"),
        ):
            amounts = table[table["symbol"] == symbol].groupby("ex_date")[value].sum()
            frame[name] = amounts.reindex(frame.index).fillna(0.0)
        share = 1.0 - frame["Dividends"] / frame["Close"].shift()
        later = share.fillna(1.0)[::-1].cumprod()[::-1].shift(-1).fillna(1.0)
        splits = frame["Stock Splits"].where(frame["Stock Splits"] > 0, 1.0)[::-1].cumprod()[::-1]
        frame["Adj Close"] = frame["Close"] * later / splits.shift(-1).fillna(1.0)
        files[symbol] = frame.reset_index()
    for currency, rows in market.fixings.groupby("currency"):
        files[f"{currency}=X"] = pd.DataFrame(
            {"Date": rows["time"].dt.tz_localize(None).dt.normalize(), "Close": rows["per_usd"]}
        ).reset_index(drop=True)
    return files


@pytest.fixture(scope="module")
def clean() -> Files:
    return simulated_files("2019-12-02", "2021-06-30", 7, SYMBOLS)


@pytest.fixture
def files(clean: Files) -> Files:
    return {symbol: frame.copy() for symbol, frame in clean.items()}


def found(check: DataCheck, *severities: str) -> set[tuple[str, str]]:
    """Kind and symbol of the findings of some severities."""
    rows = check.findings[check.findings["severity"].isin(severities)]
    return set(zip(rows["kind"], rows["symbol"], strict=True))


@pytest.mark.parametrize(
    ("start", "end", "seed"),
    [
        pytest.param("2019-01-02", "2021-12-31", 7, marks=pytest.mark.slow),
        pytest.param("2016-01-04", "2018-12-31", 3, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_found_in_a_clean_market(start: str, end: str, seed: int, tmp_path: Path) -> None:
    for symbol, frame in simulated_files(start, end, seed).items():
        frame.to_csv(tmp_path / f"{symbol}.csv", index=False)
    check = check_data(tmp_path)
    assert check.findings.empty, check.findings[["kind", "symbol", "what"]].to_string()
    assert check.loads
    assert "Nothing looks wrong." in str(check)


def test_nothing_is_found_in_a_clean_folder(files: Files, tmp_path: Path) -> None:
    for symbol, frame in files.items():
        frame.to_csv(tmp_path / f"{symbol}.csv", index=False)
    check = check_data(tmp_path)
    assert check.findings.empty
    assert check.symbols["rows"].to_dict() == {symbol: len(frame) for symbol, frame in files.items()}


# -- faults --------------------------------------------------------------------------------------------------


def row(frame: pd.DataFrame, day: str) -> int:
    """Number of the row of a date."""
    return int(np.flatnonzero(frame["Date"] == pd.Timestamp(day))[0])


def cell(symbol: str, day: str, column: str, value: object) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[symbol][column] = files[symbol][column].astype(object)
        files[symbol].loc[row(files[symbol], day), column] = value

    return change


def scale(symbol: str, first: str, last: str, factor: float) -> Callable[[Files], None]:
    """Multiply all prices and dividends between two dates; New York's stay whole cents."""

    def change(files: Files) -> None:
        rows = files[symbol]["Date"].between(first, last)
        columns = files[symbol].columns.intersection(
            ["Open", "High", "Low", "Close", "Adj Close", "Dividends"]
        )
        files[symbol].loc[rows, columns] *= factor
        if not symbol.endswith(".HK"):
            prices = columns[:4]
            files[symbol][prices] = files[symbol][prices].round(2)

    return change


def drop(symbol: str, first: str, last: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        frame = files[symbol]
        files[symbol] = frame[~frame["Date"].between(first, last)].reset_index(drop=True)

    return change


def change(symbol: str, make: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Files], None]:
    def apply(files: Files) -> None:
        files[symbol] = make(files[symbol].copy())

    return apply


def repeat(symbol: str, first: str, last: str, *, volume: bool) -> Callable[[Files], None]:
    """Let prices stand still between two dates."""

    def change(files: Files) -> None:
        frame = files[symbol]
        rows = frame["Date"].between(first, last)
        at = row(frame, first)
        for column in ("Open", "High", "Low", "Close"):
            frame.loc[rows, column] = frame["Close"].iloc[at]
        frame.loc[rows, "Adj Close"] = frame["Adj Close"].iloc[at]
        if not volume:
            frame.loc[rows, "Volume"] = 0.0

    return change


def add(symbol: str, frame: Callable[[Files], pd.DataFrame]) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[symbol] = frame(files)

    return change


def by_a_session(symbol: str, rows: int) -> Callable[[Files], None]:
    """Let every row carry the prices of another session."""

    def make(frame: pd.DataFrame) -> pd.DataFrame:
        values = frame.columns.drop("Date")
        frame[values] = frame[values].shift(rows)
        return frame.dropna(subset=["Close"]).reset_index(drop=True)

    return change(symbol, make)


def paid(symbol: str, factor: float) -> Callable[[Files], None]:
    def make(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(Dividends=frame["Dividends"] * factor).drop(columns="Adj Close")

    return change(symbol, make)


def split(day: str, factor: float) -> Callable[[Files], None]:
    """Give the ADS split of NetEase another date or factor in its file."""

    def make(frame: pd.DataFrame) -> pd.DataFrame:
        frame["Stock Splits"] = np.where(frame["Date"] == day, factor, 0.0)
        return frame

    return change("NTES", make)


def drift(frame: pd.DataFrame) -> pd.DataFrame:
    """Levels that rise by a tenth over the file, as dividend-adjusted ones do."""
    slope = np.linspace(0.85, 1.0, len(frame))
    for column in ("Open", "High", "Low", "Close"):
        frame[column] = (frame[column] * slope).round(2)
    return frame.drop(columns="Adj Close")


def auto_adjusted(frame: pd.DataFrame) -> pd.DataFrame:
    factor = frame["Adj Close"] / frame["Close"]
    for column in ("Open", "High", "Low", "Close"):
        frame[column] *= factor
    return frame.drop(columns="Adj Close")


@dataclass(frozen=True)
class Fault:
    """What is planted, and how it must be named."""

    plant: Callable[[Files], None]
    severity: str
    kind: str
    symbol: str
    day: str = ""
    words: str = ""
    ends: str = "error"
    also: tuple[str, ...] = ()
    whole: bool = False  # told only by a market of several lines


MONDAYS = pd.date_range("2020-03-02", periods=5, freq="7D")
HOLIDAY = pd.Timestamp("2020-10-01")
FAULTS: dict[str, Fault] = {
    "text": Fault(
        cell("BABA", "2020-03-03", "Close", "n/a?"), "stops", "unreadable file", "BABA", "2020-03-03", "n/a?"
    ),
    "zero": Fault(cell("JD", "2020-03-03", "Open", 0.0), "stops", "unreadable file", "JD", "2020-03-03"),
    "infinite": Fault(
        cell("JD", "2020-03-03", "Close", np.inf), "stops", "unreadable file", "JD", "2020-03-03"
    ),
    "bad date": Fault(
        cell("9988.HK", "2020-03-03", "Date", "soon"), "stops", "unreadable file", "9988.HK", words="'soon'"
    ),
    "repeated date": Fault(
        change("BABA", lambda f: pd.concat([f, f.iloc[[-1]]], ignore_index=True)),
        "stops",
        "unreadable file",
        "BABA",
        "2021-06-30",
        "twice",
    ),
    "out of order": Fault(
        change("BABA", lambda f: f.iloc[::-1].reset_index(drop=True)), "stops", "unreadable file", "BABA"
    ),
    "no close": Fault(
        change("BABA", lambda f: f.drop(columns=["Close", "Adj Close"])),
        "stops",
        "unreadable file",
        "BABA",
        words="lacks the column Close",
    ),
    "no rows": Fault(
        change("9618.HK", lambda f: f.iloc[:0]), "stops", "unreadable file", "9618.HK", words="no rows"
    ),
    "all closes blank": Fault(
        change("KWEB", lambda f: f.assign(Close=np.nan)), "stops", "unreadable file", "KWEB", words="no close"
    ),
    "negative dividend": Fault(
        cell("JD", "2020-03-03", "Dividends", -0.1), "stops", "unreadable file", "JD", "2020-03-03"
    ),
    "dates of UTC": Fault(
        change("9988.HK", lambda f: f.assign(Date=f["Date"] - pd.Timedelta(days=1))),
        "stops",
        "unreadable file",
        "9988.HK",
        words="shifted by a day",
    ),
    "another market": Fault(
        add("600519.SS", lambda files: files["0388.HK"]),
        "stops",
        "unreadable file",
        "600519.SS",
        words="not covered",
    ),
    "two spellings": Fault(
        add("09988.HK", lambda files: files["9988.HK"]),
        "stops",
        "two files of one symbol",
        "9988.HK",
        words="both hold",
    ),
    "rates upside down": Fault(
        change("HKD=X", lambda f: f.assign(Close=1 / f["Close"])),
        "stops",
        "unusable rates",
        "HKD=X",
        words="invert it",
    ),
    "rates of another currency": Fault(
        change("HKD=X", lambda f: f.assign(Close=6.4)),
        "stops",
        "unusable rates",
        "HKD=X",
        words="lies between",
    ),
    "no rates": Fault(lambda files: files.pop("HKD=X"), "stops", "no rates", "0388.HK", words="HKD=X.csv"),  # type: ignore[arg-type, return-value]
    "rates with a hole": Fault(
        drop("HKD=X", "2020-03-03", "2020-03-16"), "stops", "unusable rates", "HKD=X", "2020-03-09"
    ),
    "a print on a holiday": Fault(
        change(
            "0388.HK",
            lambda f: (
                pd.concat([f, f[f["Date"] == "2020-09-30"].assign(Date=HOLIDAY, Close=715.5)])
                .sort_values("Date")
                .drop(columns="Adj Close")
                .reset_index(drop=True)
            ),
        ),
        "stops",
        "price without a session",
        "0388.HK",
        "2020-10-01",
    ),
    "cents": Fault(
        scale("FXI", "2020-03-03", "2020-03-03", 100.0), "stops", "unusable prices", "FXI", "2020-03-03"
    ),
    "all in another currency": Fault(
        scale("9988.HK", "2019-01-01", "2022-01-01", 1 / 7.8),
        "stops",
        "legs do not fit",
        "BABA",
        words="times its parity",
    ),
    "one leg adjusted twice": Fault(
        scale("NTES", "2019-01-01", "2020-10-01", 0.5), "stops", "legs do not fit", "NTES", "2020-10-02"
    ),
    "one leg total return": Fault(
        change("JD", lambda f: f[["Date", "Adj Close"]]),
        "stops",
        "legs do not fit",
        "JD",
        words="total-return",
    ),
    "a line ends early": Fault(
        drop("KWEB", "2021-05-03", "2022-01-01"), "stops", "ends apart", "", "2021-06-30", "KWEB 2021-04-30"
    ),
    "rates end early": Fault(
        drop("HKD=X", "2021-05-03", "2022-01-01"), "stops", "ends apart", "", "2021-04-30", "HKD=X"
    ),
    "spike in New York": Fault(
        scale("BABA", "2020-03-03", "2020-03-03", 1.4), "wrong", "spike in one leg", "BABA", "2020-03-03"
    ),
    "spike in Hong Kong": Fault(
        scale("9988.HK", "2020-03-03", "2020-03-03", 0.6),
        "wrong",
        "spike in one leg",
        "9988.HK",
        "2020-03-03",
    ),
    "a ratio that nobody named": Fault(
        scale("BABA", "2021-02-01", "2022-01-01", 0.5),
        "wrong",
        "level break",
        "BABA",
        "2021-02-01",
        "times as high",
        also=("dividends in other units",),
    ),
    "another unit in the middle": Fault(
        scale("9618.HK", "2020-12-01", "2022-01-01", 1.4),
        "wrong",
        "level break",
        "9618.HK",
        "2020-12-01",
        also=("dividends in other units",),
    ),
    "still in New York": Fault(
        repeat("BABA", "2020-03-02", "2020-03-16", volume=True),
        "wrong",
        "stale prices",
        "BABA",
        "2020-03-05",
        "9988",
    ),
    "still without volume": Fault(
        repeat("0388.HK", "2021-01-11", "2021-01-25", volume=False),
        "wrong",
        "stale prices",
        "0388.HK",
        "2021-01-14",
        "the market",
        whole=True,
    ),
    "a split that nobody named": Fault(
        scale("KWEB", "2020-06-01", "2022-01-01", 0.5),
        "wrong",
        "split not named",
        "KWEB",
        "2020-06-01",
        "by 2",
    ),
    "Hong Kong a session early": Fault(
        by_a_session("9988.HK", -1),
        "wrong",
        "shifted sessions",
        "9988.HK",
        "2020-06-01",
        "session on, in",
        whole=True,
    ),
    "New York a session late": Fault(
        by_a_session("JD", 1), "wrong", "shifted sessions", "JD", "2020-09-01", "session back"
    ),
    "a dividend of another currency": Fault(
        cell("FXI", "2020-03-03", "Dividends", 30.0),
        "wrong",
        "dividend too large",
        "FXI",
        "2020-03-03",
        also=("Adj Close disagrees",),
    ),
    "dividends in USD": Fault(
        paid("0941.HK", 1 / 7.8), "wrong", "dividends in other units", "CHL", words="times"
    ),
    "dividends of one leg only": Fault(paid("0941.HK", 0.0), "wrong", "dividend on one leg", "CHL"),
    "a dividend twice": Fault(
        change(
            "0388.HK",
            lambda f: f.assign(Dividends=f["Dividends"] + f["Dividends"].shift(-1).fillna(0.0)).drop(
                columns="Adj Close"
            ),
        ),
        "wrong",
        "dividend repeated",
        "0388.HK",
    ),
    "adjusted for the dividends given": Fault(
        change("0388.HK", auto_adjusted), "wrong", "dividends counted twice", "0388.HK"
    ),
    "Adj Close of other dividends": Fault(
        change("0388.HK", lambda f: f.assign(Dividends=f["Dividends"] * 2)),
        "wrong",
        "Adj Close disagrees",
        "0388.HK",
    ),
    "a dividend left out": Fault(
        change("0388.HK", lambda f: f.assign(Dividends=0.0)), "wrong", "Adj Close disagrees", "0388.HK"
    ),
    "one file under two names": Fault(
        add("MCHI", lambda files: files["FXI"]), "wrong", "same prices twice", "MCHI", "2020-03-03", "FXI"
    ),
    "a split of another factor": Fault(
        split("2020-10-02", 4.0), "look", "split differs", "NTES", "2020-10-02", "4"
    ),
    "a split of another date": Fault(
        split("2020-10-20", 5.0), "stops", "unusable prices", "NTES", "2020-10-02", "part raw"
    ),
    "a rate outside the band": Fault(
        cell("HKD=X", "2020-03-03", "Close", 7.70), "wrong", "rate off its band", "HKD=X", "2020-03-03"
    ),
    "a rate that returns": Fault(
        add(
            "CNY=X",
            lambda files: files["HKD=X"].assign(
                Close=lambda f: f["Close"].mask(f["Date"] == "2020-03-03", 8.5) * 0.9
            ),
        ),
        "wrong",
        "rate jumps and returns",
        "CNY=X",
        "2020-03-03",
    ),
    "rates that stand still": Fault(
        change(
            "HKD=X",
            lambda f: f.assign(Close=f["Close"].where(~f["Date"].between("2020-03-01", "2020-03-31"), 7.8)),
        ),
        "wrong",
        "stale rates",
        "HKD=X",
        "2020-03-03",
    ),
    "rows missing": Fault(
        drop("BABA", "2020-03-03", "2020-03-10"), "look", "gaps", "BABA", "2020-03-03", "longest run 6"
    ),
    "closes blank": Fault(
        change(
            "BABA", lambda f: f.assign(Close=f["Close"].mask(f["Date"].between("2020-03-03", "2020-03-06")))
        ),
        "look",
        "gaps",
        "BABA",
        "2020-03-04",
    ),
    "a repeated row on a holiday": Fault(
        change(
            "0388.HK",
            lambda f: (
                pd.concat([f, f[f["Date"] == "2020-09-30"].assign(Date=HOLIDAY, Volume=0.0)])
                .sort_values("Date")
                .reset_index(drop=True)
            ),
        ),
        "look",
        "row without a session",
        "0388.HK",
        "2020-10-01",
    ),
    "a leg that starts late": Fault(
        drop("JD", "2019-01-01", "2020-12-31"), "look", "starts late", "JD", "2021-01-04", "9618.HK"
    ),
    "a line cut early": Fault(
        drop("KWEB", "2021-05-03", "2022-01-01"), "look", "ends early", "KWEB", "2021-04-30", ends="cut"
    ),
    "a departure before its day": Fault(
        drop("CHL", "2020-12-01", "2022-01-01"),
        "look",
        "departure not reached",
        "CHL",
        "2020-11-30",
        "2021-01-08",
    ),
    "a leg missing": Fault(lambda files: files.pop("JD"), "look", "missing leg", "9618.HK", words="JD"),  # type: ignore[arg-type, return-value]
    "a year without opens": Fault(
        change("BABA", lambda f: f.assign(Open=f["Open"].mask(f["Date"].dt.year == 2020))),
        "look",
        "opens missing",
        "BABA",
        "2020-03-03",
        "0% in 2020",
    ),
    "an unknown name": Fault(
        add(
            "FXXI",
            lambda files: files["FXI"].assign(Close=lambda f: (f["Close"] * 0.7).round(2))[["Date", "Close"]],
        ),
        "look",
        "not in the listings",
        "FXXI",
    ),
    "a cross rate": Fault(add("EURHKD=X", lambda files: files["HKD=X"]), "look", "not read", "EURHKD=X"),
    "high below low": Fault(
        cell("BABA", "2020-03-03", "High", 1.0), "look", "high below low", "BABA", "2020-03-03"
    ),
    "a close outside": Fault(
        change(
            "BABA",
            lambda f: f.assign(
                High=f["High"] * np.where(f["Date"] == "2020-03-03", 0.99, 1.0),
                Low=f["Low"] * np.where(f["Date"] == "2020-03-03", 0.9, 1.0),
            ),
        ),
        "look",
        "outside high and low",
        "BABA",
        "2020-03-03",
    ),
    "days filled with one price": Fault(
        change(
            "BABA",
            lambda f: f.assign(
                **{
                    name: f[name].mask(f["Date"].isin(MONDAYS), 0.0 if name == "Volume" else f["Close"])
                    for name in ("Open", "High", "Low", "Volume")
                }
            ),
        ),
        "look",
        "one price without volume",
        "BABA",
        "2020-03-09",
    ),
    "volume lost": Fault(
        change(
            "BABA",
            lambda f: f.assign(Volume=f["Volume"].mask(f["Date"].between("2020-03-03", "2020-04-03"), 0.0)),
        ),
        "look",
        "volume zero",
        "BABA",
        "2020-03-03",
    ),
    "a spike alone": Fault(
        scale("KWEB", "2020-06-01", "2020-06-01", 1.3), "look", "spike", "KWEB", "2020-06-01"
    ),
    "a large spike alone": Fault(
        scale("KWEB", "2020-06-01", "2020-06-01", 1.9), "look", "spike", "KWEB", "2020-06-01"
    ),
    "a jump alone": Fault(
        scale("KWEB", "2020-06-01", "2022-01-01", 1.7), "look", "jump", "KWEB", "2020-06-01"
    ),
    "a lone line in USD": Fault(
        scale("0388.HK", "2019-01-01", "2022-01-01", 1 / 7.8), "look", "between the ticks", "0388.HK"
    ),
    "one leg adjusted for dividends": Fault(
        change("JD", drift), "look", "premium far from zero", "JD", "2020-09-01"
    ),
    "a week without rates": Fault(
        drop("HKD=X", "2020-03-03", "2020-03-05"), "look", "days without a rate", "HKD=X", "2020-03-04"
    ),
}


def near(symbol: str, files: Files) -> Files:
    """The lines that stand alone and those of a symbol's company: what a fault of it is told by."""
    alone = {"KWEB", "FXI", "0388.HK", "HKD=X"}
    pairs = [{"BABA", "9988.HK"}, {"NTES", "9999.HK"}, {"JD", "9618.HK"}, {"CHL", "0941.HK"}]
    kept = alone.union(*[pair for pair in pairs if symbol in pair])
    return {name: frame for name, frame in files.items() if name in kept}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named_and_nothing_else(name: str, files: Files) -> None:
    fault = FAULTS[name]
    if not fault.whole:
        files = near(fault.symbol, files)
    fault.plant(files)
    check = check_data(files, ends=fault.ends)  # type: ignore[arg-type]
    table = check.findings
    severe = table[table["severity"] != "look"]
    shown = table[["severity", "kind", "symbol", "first", "what"]].to_string()
    own = table[(table["kind"] == fault.kind) & (table["symbol"] == fault.symbol)]
    assert len(own) == 1, shown
    assert own["severity"].item() == fault.severity, shown
    assert set(severe["kind"]) - {fault.kind} <= set(fault.also), shown
    assert set(fault.also) <= set(severe["kind"]), shown
    assert set(severe.loc[severe["kind"] == fault.kind, "symbol"]) <= {fault.symbol}, shown
    if fault.severity == "look":
        assert set(table["kind"]) == {fault.kind}, shown
    if fault.day:
        assert own["first"].item() <= pd.Timestamp(fault.day) <= own["last"].item(), shown
    assert fault.words in own["what"].item(), shown
    assert own["why"].item()
    assert own["fix"].item()
    assert check.loads == ("stops" not in set(table["severity"]))


def penny(frame: pd.DataFrame) -> pd.DataFrame:
    """A line that trades at five and at six cents."""
    price = np.where(np.arange(len(frame)) % 40 == 20, 0.06, 0.05)
    return pd.DataFrame({"Date": frame["Date"], "Close": price})


def back_adjusted(frame: pd.DataFrame) -> pd.DataFrame:
    """Prices before a split divided by it, as vendors do."""
    before = frame["Date"] < "2020-10-02"
    frame.loc[before, ["Open", "High", "Low", "Close", "Dividends"]] /= 5.0
    return frame.drop(columns="Adj Close")


def filled_half_days(frame: pd.DataFrame) -> pd.DataFrame:
    """Half days of one price without volume, which vendors lose."""
    half = ["2019-12-24", "2019-12-31", "2020-01-24", "2020-12-24", "2020-12-31", "2021-02-11"]
    rows = frame["Date"].isin(pd.to_datetime(half))
    assert rows.sum() == len(half)
    for column in ("Open", "High", "Low"):
        frame.loc[rows, column] = frame["Close"]
    frame.loc[rows, "Volume"] = 0.0
    return frame


def before_hong_kong(files: Files) -> None:
    """New York's line alone, of a time before the company was listed in Hong Kong."""
    del files["9618.HK"]
    files["JD"] = files["JD"][files["JD"]["Date"] < "2020-06-01"]
    for symbol in ("KWEB", "FXI", "0388.HK", "HKD=X"):
        files[symbol] = files[symbol][files[symbol]["Date"] < "2020-06-01"]


USUAL: dict[str, tuple[str, Callable[[Files], None]]] = {
    "ticks that are large": ("KWEB", change("KWEB", penny)),
    "adjusted for a split": ("NTES", change("NTES", back_adjusted)),
    "half days": ("0388.HK", change("0388.HK", filled_half_days)),
    "no other leg yet": ("JD", before_hong_kong),
    "a few sessions fewer": ("KWEB", drop("KWEB", "2021-06-28", "2022-01-01")),
    "one session missing": ("KWEB", drop("KWEB", "2021-03-01", "2021-03-01")),
    "a holiday of the rates": ("KWEB", drop("HKD=X", "2020-03-03", "2020-03-04")),
    "news of both legs": (
        "BABA",
        lambda files: [scale(s, "2020-06-01", "2022-01-01", 0.7)(files) for s in ("BABA", "9988.HK")],  # type: ignore[arg-type, return-value]
    ),
}


@pytest.mark.parametrize("name", USUAL)
def test_what_is_usual_is_no_finding(name: str, files: Files) -> None:
    symbol, make = USUAL[name]
    files = near(symbol, files)
    make(files)
    found_now = check_data(files).findings
    severe = (
        found_now[~found_now["kind"].isin(["between the ticks"])] if name.startswith("news") else found_now
    )
    assert severe.empty, found_now[["severity", "kind", "symbol", "what"]].to_string()


def test_the_faults_are_of_all_kinds() -> None:
    from entrepot.markets.checks.findings import KINDS

    assert {fault.kind for fault in FAULTS.values()} == set(KINDS) - {"refused"}


def write(folder: Path, files: Files) -> Path:
    for symbol, frame in files.items():
        frame.to_csv(folder / f"{symbol}.csv", index=False)
    return folder


BROKEN_FILES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("BABA.csv", b"", "is empty"),
    "a web page": ("BABA.csv", b"<html><body>no</body></html>\n", "web page"),
    "a pointer": ("BABA.csv", b"version https://git-lfs.github.com/spec/v1\n", "git-LFS pointer"),
    "semicolons": ("BABA.csv", b"Date;Close\n2020-01-02;1\n", "separated by"),
    "too many cells": ("BABA.csv", b"Date,Close\n2020-01-02,1,5\n2020-01-03,1,5\n", "more cells"),
    "no text at all": ("BABA.csv", bytes(range(128, 256)), "cannot be read as CSV"),
    "a column twice": ("BABA.csv", b"Date,Close,close\n2020-01-02,1,1\n", "twice"),
    "no Parquet": ("KWEB.parquet", b"PAR1 not", "cannot be read as PARQUET"),
    "several symbols": (
        "BABA.csv",
        b"Date,symbol,Close\n2020-01-02,BABA,1\n2020-01-02,JD,1\n",
        "holds several symbols",
    ),
}


@pytest.fixture(scope="module")
def small(clean: Files) -> Files:
    """A pair, a fund and rates of half a year."""
    return {
        symbol: clean[symbol][clean[symbol]["Date"] < "2020-06-01"]
        for symbol in ("BABA", "9988.HK", "KWEB", "HKD=X")
    }


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_file_that_cannot_be_read_is_named(name: str, small: Files, tmp_path: Path) -> None:
    file, content, words = BROKEN_FILES[name]
    write(tmp_path, small)
    (tmp_path / "KWEB.csv").unlink()
    (tmp_path / file).write_bytes(content)
    check = check_data(tmp_path)
    (stop,) = check.findings[check.findings["severity"] == "stops"].to_dict("records")
    assert (stop["kind"], stop["symbol"], stop["file"]) == ("unreadable file", Path(file).stem, file)
    assert words in stop["what"]
    assert stop["what"] == check.refusal
    assert check.counts["wrong"] == 0
    assert check.symbols.loc[Path(file).stem, "kind"] == "not readable"


def test_a_check_does_not_stop_at_the_first_bad_file(files: Files, tmp_path: Path) -> None:
    write(tmp_path, files)
    (tmp_path / "BABA.csv").write_text("")
    (tmp_path / "JD.csv").write_text("Date,Close\n2020-01-02,x\n")
    (tmp_path / "notes.txt").write_text("mine")
    scale("KWEB", "2020-06-01", "2020-06-01", 90.0)(files)
    files["KWEB"].to_csv(tmp_path / "KWEB.csv", index=False)
    scale("NTES", "2020-03-03", "2020-03-03", 1.5)(files)
    scale("FXI", "2020-06-02", "2020-06-02", 1.4)(files)
    files["FXI"].to_csv(tmp_path / "FXI.csv", index=False)
    check = check_data(tmp_path)
    assert found(check, "stops") == {
        ("unreadable file", "BABA"),
        ("unreadable file", "JD"),
        ("unusable prices", "KWEB"),
    }
    assert found(check, "look") == {("not read", ""), ("spike", "FXI")}
    with pytest.raises(DataError) as refused:
        load_market(tmp_path)
    assert check.refusal == str(refused.value)
    assert check.refusal in set(check.findings["what"])
    assert {"BABA", "JD", "KWEB"} <= set(check.symbols.index)


def test_what_only_the_loader_finds_is_named_with_its_sentence(small: Files) -> None:
    check = check_data({"HKD=X": small["HKD=X"]})
    assert found(check, "stops", "wrong", "look") == {("refused", "")}
    assert check.findings["what"].item() == check.refusal
    assert "holds no tradable line" in check.refusal
    assert check.symbols["kind"].to_dict() == {"HKD=X": "rate"}


def test_the_tables_say_what_is_there(files: Files) -> None:
    drop("BABA", "2020-03-03", "2020-03-10")(files)
    check = check_data(files)
    row = check.symbols.loc["BABA"]
    frame = files["BABA"]
    assert (row["company"], row["venue"], row["kind"], row["pair"]) == (
        "Alibaba Group",
        "XNYS",
        "ads",
        "9988.HK",
    )
    assert (row["first"], row["last"]) == (frame["Date"].iloc[0], frame["Date"].iloc[-1])
    assert row["closes"] == row["opens"] == row["volumes"] == len(frame)
    assert row["covered"] == pytest.approx(len(frame) / (len(frame) + 6))
    assert row["dividends"] == (frame["Dividends"] > 0).sum()
    assert check.symbols.loc["NTES", ["splits", "adjustment"]].tolist() == [1, "raw"]
    assert check.symbols.loc["HKD=X", "kind"] == "rate"
    assert check.pairs["hk"].to_dict() == {
        "BABA": "9988.HK",
        "CHL": "0941.HK",
        "JD": "9618.HK",
        "NTES": "9999.HK",
    }
    assert check.pairs["ratio"].to_dict() == {"BABA": 8.0, "CHL": 5.0, "JD": 2.0, "NTES": 5.0}
    assert check.pairs["median_premium"].abs().max() < 0.05
    assert check.ranges["lines"].tolist() == [11, 11, 11]


def test_the_ranges_are_those_of_the_loader(files: Files) -> None:
    files = {symbol: files[symbol] for symbol in ("BABA", "9988.HK", "CHL", "0941.HK", "KWEB", "HKD=X")}
    drop("KWEB", "2021-05-03", "2022-01-01")(files)
    check = check_data(files)
    assert not check.loads
    assert [bool(sentence) for sentence in check.ranges["refusal"]] == [True, False, False]
    for ends in ("drop", "cut"):
        market = load_market(files, ends=ends)  # type: ignore[arg-type]
        row = check.ranges.loc[ends]
        assert row["last"] == market.grid["session"].max()
        assert (row["lines"], row["pairs"]) == (len(market.symbols), len(market.pairs))
        assert check_data(files, ends=ends).loads  # type: ignore[arg-type]


def test_findings_outside_the_range_are_left_out(files: Files) -> None:
    files = {symbol: files[symbol] for symbol in ("BABA", "9988.HK", "KWEB", "HKD=X")}
    scale("BABA", "2020-03-03", "2020-03-03", 1.4)(files)
    assert ("spike in one leg", "BABA") in found(check_data(files, end="2020-12-31"), "wrong")
    assert found(check_data(files, start="2020-06-01"), "wrong") == set()


def test_a_long_table_and_a_wide_one_are_checked_like_a_folder(small: Files) -> None:
    files = {symbol: frame.copy() for symbol, frame in small.items()}
    scale("BABA", "2020-03-03", "2020-03-03", 1.4)(files)
    long = pd.concat([frame.assign(symbol=symbol) for symbol, frame in files.items()])
    wide = pd.DataFrame({symbol: frame.set_index("Date")["Close"] for symbol, frame in files.items()})
    for source in (long, wide):
        assert ("spike in one leg", "BABA") in found(check_data(source), "wrong")


@pytest.mark.parametrize("source", [None, 7, ["prices"], pd.Series([1.0])])
def test_a_source_of_the_wrong_type_is_refused(source: object) -> None:
    with pytest.raises(ParameterError, match="it reads a folder"):
        check_data(source)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [{"ends": "ignore"}, {"ends": []}, {"start": "soon"}, {"adjusted": "yes"}, {"adjusted": {"X": "raw"}}],
)
def test_an_argument_outside_what_it_may_be_is_refused(arguments: dict[str, object], small: Files) -> None:
    with pytest.raises(ParameterError):
        check_data(small, **arguments)  # type: ignore[arg-type]


def test_nothing_to_check_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no CSV or Parquet file"):
        check_data(tmp_path)
    with pytest.raises(DataError, match="there is no file or folder"):
        check_data(tmp_path / "nowhere")


# -- what load_market says -----------------------------------------------------------------------------------


def agrees_with_the_loader(source: Path) -> None:
    """What is refused is listed as "stops" with the same sentence, what loads is not."""
    check = check_data(source)
    stops = check.findings.loc[check.findings["severity"] == "stops", "what"]
    sentence = ""
    try:
        load_market(source)
    except DataError as error:
        sentence = str(error)
    assert check.refusal == sentence
    assert check.loads == (not sentence) == stops.empty
    assert check.loads or sentence in set(stops)
    assert str(check).isprintable() or "\n" in str(check)


CELLS = st.sampled_from(
    ["", "0", "-1", "inf", "nan", "x", "1e300", "2020-13-01", "2020-03-07", "1,5", '"', "\x1b[31m"]
)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_cell_may_be_anything(
    data: st.DataObject, small: Files, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = write(tmp_path_factory.mktemp("cells"), small)
    for _ in range(data.draw(st.integers(1, 3))):
        path = folder / f"{data.draw(st.sampled_from(sorted(small)))}.csv"
        lines = path.read_text().splitlines()
        at = data.draw(st.integers(0, len(lines) - 1))
        cells = lines[at].split(",")
        cells[data.draw(st.integers(0, len(cells) - 1))] = data.draw(CELLS)
        lines[at] = ",".join(cells)
        path.write_text("\n".join(lines))
    agrees_with_the_loader(folder)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_byte_may_be_anything(
    data: st.DataObject, small: Files, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = write(tmp_path_factory.mktemp("bytes"), small)
    path = folder / f"{data.draw(st.sampled_from(sorted(small)))}.csv"
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(1, 40))] = data.draw(st.binary(max_size=12))
    path.write_bytes(bytes(content))
    agrees_with_the_loader(folder)


# -- real prices ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_real_prices_raise_no_false_alarm(real_prices: Path) -> None:
    """What is known of these files, see their description, and little else."""
    check = check_data(real_prices, start="2019-06-03", ends="cut")
    assert check.loads
    assert check.counts["stops"] == check.counts["wrong"] == 0
    kinds = check.findings.groupby("kind").size()
    assert kinds.drop("ends early").sum() < 30
    assert found(check, "look") >= {
        ("opens missing", "BABA"),
        ("starts late", "NTES"),
        ("between the ticks", "0700.HK"),
    }
