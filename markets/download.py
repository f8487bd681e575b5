"""Daily prices from Yahoo, written as the folder that `load_market` reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any, Final

import pandas as pd

from entrepot.errors import ParameterError, is_listed, shown
from entrepot.files import write_whole
from entrepot.markets.instruments import CURRENCIES, venue_of
from entrepot.markets.manifest import DAY_OVER, MANIFEST, Manifest, read_manifest
from entrepot.markets.price_tables import RATES_ZONE, SYMBOL, spell_symbol
from entrepot.markets.rates import currency_quoted
from entrepot.markets.sessions import TIMEZONES, check_date, session_times
from entrepot.progress import progress_bar

SOURCE: Final = "Yahoo Finance"
COLUMNS: Final = ("Open", "High", "Low", "Close", "Adj Close", "Volume", "Dividends", "Stock Splits")
SETTLED: Final = pd.Timedelta(hours=1)  # after a close: quotes come late, and corrections to them later
RATES_BEFORE: Final = pd.Timedelta(days=10)
REFUSED: Final = "Yahoo takes no more requests for now: wait some minutes, then download the rest"


def download(
    symbols: str | Iterable[str],
    folder: str | PathLike[str],
    *,
    start: str | pd.Timestamp,
    end: str | pd.Timestamp | None = None,
    rates: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """Fetch daily prices from Yahoo into a folder that `load_market` reads, with its `entrepot.json`.

    One ``SYMBOL.csv`` per symbol with Date (of the exchange), Open, High, Low, Close, Adj Close, Volume,
    Dividends and Stock Splits. Yahoo adjusts prices, volumes and dividends for splits, and the folder says
    so. A session is left out until an hour after its close. A file is written whole or not at all; one that
    is there is replaced where Yahoo has prices, whatever dates it had, and kept where it has none.

    Args:
        symbols: in Yahoo's spelling: ``BABA``, ``9988.HK``, ``KWEB``, ``^HSI``, ``CNY=X``.
        folder: where the files shall be; made if need be.
        start: first date.
        end: last date; None: today.
        rates: whether HKD per USD is fetched too where any line is of Hong Kong. Rates are fetched from ten
            days before ``start``.
        progress: whether a bar is shown.

    Returns:
        One row per symbol: ``file`` (its name, "" where none was written), ``rows``, ``first`` and ``last``
        date, ``problem`` ("" or a sentence). A symbol that fails does not keep the others from being written.

    Raises:
        ParameterError: for an argument outside what it may be, before anything is fetched, and where yfinance
            is not installed.
        DataError: for a symbol of a market that is not covered, and where the folder's own ``entrepot.json``
            cannot be read.
    """
    wanted = check_symbols(symbols)
    first, last = check_date(start), now().tz_localize(None).normalize() if end is None else check_date(end)
    if first > last:
        raise ParameterError(f"start={first.date()} is after end={last.date()}: give an earlier start")
    for name, flag in (("rates", rates), ("progress", progress)):
        if not isinstance(flag, bool):
            raise ParameterError(f"{name}={shown(flag)} is neither True nor False")
    lines = [symbol for symbol in wanted if not symbol.endswith("=X")]
    if rates and "HKD" not in map(key_of, wanted) and "XHKG" in map(venue_of, lines):
        wanted.append("HKD=X")
    yahoo = import_yfinance()
    place = check_folder(folder, wanted)
    manifest = read_manifest(place)
    rows, refused = [], ""
    for symbol in progress_bar(wanted, desc="Yahoo", show=progress):
        early = first - RATES_BEFORE if symbol.endswith("=X") else first
        frame, problem = (None, refused) if refused else fetch(yahoo, symbol, early, last)
        refused = REFUSED if problem == REFUSED else ""
        if frame is not None:
            manifest = manifest.with_fetched(symbol, SOURCE, now(), "split", DAY_OVER)
            write_symbol(place, symbol, frame, manifest)
        rows.append(outcome(symbol, frame, problem))
    table = pd.DataFrame(rows, columns=["symbol", "file", "rows", "first", "last", "problem"])
    return table.astype({"first": "datetime64[ns]", "last": "datetime64[ns]"}).set_index("symbol")


def now() -> pd.Timestamp:
    """Return the present moment in UTC."""
    return pd.Timestamp.now("UTC")


def check_symbols(symbols: str | Iterable[str]) -> list[str]:
    """Return the symbols in Yahoo's spelling, each once, or say in a sentence which one cannot be fetched."""
    given = [symbols] if isinstance(symbols, str) else symbols
    if not is_listed(given):
        raise ParameterError(
            f"symbols={shown(symbols)} is no list of symbols: give such as ['BABA', '9988.HK']"
        )
    wanted = []
    for symbol in given:
        if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol.strip().upper()):
            raise ParameterError(f"{shown(symbol)} is no symbol: write it as Yahoo does, such as '9988.HK'")
        spelt = spell_symbol(symbol.upper())
        if spelt.endswith("=X") and not currency_quoted(spelt)[0]:
            raise ParameterError(f"{spelt} is no rate against the USD: give such as HKD=X")
        if not spelt.endswith("=X") and not venue_of(spelt):
            raise ParameterError(f"{spelt} is an index of no known venue: leave it out")
        wanted.append(spelt)
    if not wanted:
        raise ParameterError("symbols is empty: give at least one, such as ['BABA', '9988.HK']")
    wanted = list(dict.fromkeys(wanted))
    held = [key_of(symbol) for symbol in wanted]
    if twice := [symbol for symbol, key in zip(wanted, held, strict=True) if held.count(key) > 1]:
        raise ParameterError(f"{' and '.join(twice)} are rates of one currency: give one of them")
    return wanted


def check_folder(folder: str | PathLike[str], symbols: Sequence[str]) -> Path:
    """Return the folder; refuse one that cannot be used or where a symbol has a file of another name."""
    if not isinstance(folder, str | PathLike) or not str(folder).strip() or "\0" in str(folder):
        raise ParameterError(f"folder={shown(folder)} is no path: give the name of a folder")
    place = Path(folder)
    try:
        there = next(path for path in (place, *place.absolute().parents) if path.exists())
        usable = there.is_dir() and os.access(there, os.W_OK)
        paths = sorted(place.iterdir()) if place.is_dir() else []
    except OSError:
        usable = False
    if not usable:
        raise ParameterError(f"the folder {shown(str(place))} cannot be written to: give another")
    for name in (MANIFEST, *map(file_of, symbols)):
        if (place / name).is_symlink():
            raise ParameterError(
                f"the folder {place} has {name}, a link, and what it leads to would be written over: move it "
                "away, or give another folder"
            )
    for path in paths:
        if path.suffix.lower() not in (".csv", ".parquet"):
            continue
        held = key_of(spell_symbol(path.stem.upper()))
        for symbol in symbols:
            if held == key_of(symbol) and path.name != file_of(symbol):
                raise ParameterError(
                    f"the folder {place} has {path.name}, which holds what {file_of(symbol)} would: move it "
                    "away, or give another folder"
                )
    return place


def key_of(symbol: str) -> str:
    """Return what two files may not both hold: a currency, or a symbol."""
    return (currency_quoted(symbol)[0] if symbol.endswith("=X") else "") or symbol


def file_of(symbol: str) -> str:
    """Return the name of a symbol's file."""
    return f"{symbol}.csv"


def import_yfinance() -> Any:
    """Return yfinance, or say how to install it."""
    try:
        return import_module("yfinance")
    except ModuleNotFoundError:
        raise ParameterError(
            'download needs yfinance, which is not installed: pip install "entrepot[yahoo]"'
        ) from None


def fetch(
    yahoo: Any, symbol: str, first: pd.Timestamp, last: pd.Timestamp
) -> tuple[pd.DataFrame | None, str]:
    """Return the rows of one symbol, or None and why there are none."""
    debug = yahoo.config.debug
    hidden = debug.hide_exceptions
    debug.hide_exceptions = False  # hidden, they would be logged and the rows empty
    try:
        ticker = yahoo.Ticker(symbol)
        frame = ticker.history(
            start=first.date(),
            interval="1d",
            auto_adjust=False,
            actions=True,
        )
        currency = str(ticker.history_metadata["currency"])
        paid = dividend_currencies(ticker)
    except yahoo.exceptions.YFRateLimitError:
        return None, REFUSED
    except yahoo.exceptions.YFTickerMissingError as error:
        return None, nothing(first, last, " ".join(str(error.rationale).split()))
    except OSError as error:
        if getattr(getattr(error, "response", None), "status_code", None) == 404:
            return None, nothing(first, last, "not found")
        return None, f"Yahoo could not be reached ({type(error).__name__}): check the connection"
    except Exception as error:  # whatever a change on Yahoo's side brings about is told in the table
        return (
            None,
            f"Yahoo's answer could not be read ({type(error).__name__}): try again, or update yfinance",
        )
    finally:
        debug.hide_exceptions = hidden
    quoted = "" if symbol.endswith("=X") or symbol.startswith("^") else CURRENCIES[venue_of(symbol)]
    if quoted and currency != quoted:
        return (
            None,
            f"Yahoo quotes it in {currency}, not in {quoted}: leave it out, or take its {quoted} line",
        )
    if strange := sorted(paid - {quoted, ""}):
        return None, (
            f"Yahoo has dividends in {', '.join(strange)} and prices in {currency}: take this line from "
            "another source"
        )
    frame = tidy(frame, symbol, last)
    if frame.empty:
        return None, nothing(first, last, "no close of a session that is over")
    return frame, ""


def nothing(first: pd.Timestamp, last: pd.Timestamp, reason: str) -> str:
    """Say that Yahoo has no prices."""
    return (
        f"Yahoo has no prices from {first.date()} to {last.date()} ({reason}): check the symbol and the "
        "dates; a line that was delisted is often gone"
    )


def dividend_currencies(ticker: Any) -> set[str]:
    """Return the currencies that Yahoo names of dividends, which it does only of some.

    yfinance keeps them beside the rows, where nothing else is to be had without asking again.
    """
    paid = getattr(getattr(ticker, "_price_history", None), "_dividends", None)
    return (
        set(paid["currency"].astype(str)) if isinstance(paid, pd.DataFrame) and "currency" in paid else set()
    )


def tidy(frame: pd.DataFrame, symbol: str, last: pd.Timestamp) -> pd.DataFrame:
    """Return the closes of sessions that are over until a date, and of later rows their splits.

    A split is in all earlier prices at once: a file that did not say so would be read as printed.
    """
    dates = pd.DatetimeIndex(frame.index).tz_localize(None).normalize().as_unit("ns")
    frame = frame.set_axis(dates.rename("Date"), axis=0).reindex(columns=list(COLUMNS))
    if frame.empty:
        return frame
    over = (ended(dates, symbol) <= now() - SETTLED) & (dates <= last)
    closes = frame[over & frame["Close"].notna()]
    later = frame.loc[(frame["Stock Splits"] > 0) & (dates > closes.index.max()), ["Stock Splits"]]
    return pd.concat([closes, later]) if len(closes) else closes


def ended(dates: pd.DatetimeIndex, symbol: str) -> pd.Series[pd.Timestamp]:
    """Return when the day of each date was over: at its close, or where there was no session, at midnight."""
    if symbol.endswith("=X"):
        return midnights(dates, RATES_ZONE)
    venue = venue_of(symbol)
    sessions = session_times(venue, dates[0], dates[-1], ("close",)).set_index("session")["close"]
    return sessions.reindex(dates).fillna(midnights(dates, TIMEZONES[venue]))


def midnights(dates: pd.DatetimeIndex, zone: str) -> pd.Series[pd.Timestamp]:
    """Return the ends of dates in a zone, in UTC."""
    return pd.Series((dates + pd.Timedelta(days=1)).tz_localize(zone).tz_convert("UTC"), index=dates)


def write_symbol(folder: Path, symbol: str, frame: pd.DataFrame, manifest: Manifest) -> None:
    """Write a symbol's file and what the folder says of it.

    Interrupted in between, the folder must not mislead: the later hour of rates is said before there are any,
    the treatment of splits, which is found out where it is not said, after.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(
            f"the folder {shown(str(folder))} cannot be made ({error.strerror or error}): give another"
        ) from None
    table = frame.to_csv(lineterminator="\n", date_format="%Y-%m-%d")
    texts = [(file_of(symbol), table), (MANIFEST, manifest.text())]
    for name, text in reversed(texts) if symbol.endswith("=X") else texts:
        write_whole(folder / name, lambda file, text=text: file.write(text.encode()))


def outcome(symbol: str, frame: pd.DataFrame | None, problem: str) -> dict[str, object]:
    """Return a row of what was done."""
    if frame is None:
        return {"symbol": symbol, "file": "", "rows": 0, "first": pd.NaT, "last": pd.NaT, "problem": problem}
    closes = frame["Close"].dropna()
    return {
        "symbol": symbol,
        "file": file_of(symbol),
        "rows": len(closes),
        "first": closes.index[0],
        "last": closes.index[-1],
        "problem": problem,
    }
