"""Markets made by hand whose tables hold what no ledger could be kept of, and prices in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from robustness.cases import Case
from robustness.catalogue.market_arguments import market

import entrepot as ep
from entrepot.errors import DataError, ParameterError

TABLES, FRAMES = "tables of a market", "frames of prices"
DAY = pd.Timestamp("2022-02-15")
PAID = pd.DataFrame({"symbol": ["BABA"], "ex_date": [DAY], "pay_date": [DAY], "amount": [1.0]})
SPLIT = pd.DataFrame({"symbol": ["BABA"], "ex_date": [DAY], "factor": [2.0]})
HALT = pd.DataFrame({"symbol": ["BABA"], "start": [DAY.tz_localize("UTC")], "end": [DAY.tz_localize("UTC")]})
GONE = pd.DataFrame(
    {"symbol": ["BABA"], "last_session": [DAY], "into": ["9988.HK"], "ordinary_per_ads": [8.0]}
)
POSITIVE = r"in row 0: it must be from 1e-09 to 1e\+12"
# the table, what is done to that of the good pair or to a sound one, and what is said
SPOILT: list[tuple[str, str, Callable[[pd.DataFrame], pd.DataFrame], str]] = [
    *(
        (
            name,
            f"{column} of {value!r}",
            lambda table, c=column, v=value: table.assign(**{c: v}),
            f"{column}.*{POSITIVE}",
        )
        for name, column in (("fixings", "per_usd"), ("ratios", "ordinary_per_ads"), ("splits", "factor"))
        for value in (0.0, 1e-300, -8.0, np.nan, 2e12, np.inf)
    ),
    *(
        (
            "dividends",
            f"an amount of {value!r}",
            lambda table, v=value: table.assign(amount=v),
            r"it must be from 0 to 1e\+12",
        )
        for value in (-1.0, np.nan, 1e300, np.inf)
    ),
    (
        "dividends",
        "more than the line cost before",
        lambda table: table.assign(amount=1e6),
        r"BABA has dividends 1e\+06 on .* and a close of [\d.]+ before: they are per share",
    ),
    *(
        (
            "instruments",
            f"a lot of {value!r}",
            lambda table, v=value: table.assign(lot=v),
            r"lot .*: it must be from 0 to 1e\+12",
        )
        for value in (-100.0, np.nan, np.inf)
    ),
    *(
        (
            "instruments",
            f"withholding of {value!r}",
            lambda table, v=value: table.assign(withholding=v),
            "withholding .*from 0 to 1",
        )
        for value in (-0.1, 2.0, np.nan)
    ),
    ("fixings", "text", lambda table: table.assign(per_usd="7.8"), "per_usd that holds no numbers"),
    ("fixings", "truth", lambda table: table.assign(per_usd=True), "per_usd that holds no numbers"),
    ("fixings", "newest first", lambda table: table.iloc[::-1], "fixings of HKD are out of order"),
    (
        "fixings",
        "no zone",
        lambda table: table.assign(time=table["time"].dt.tz_localize(None)),
        "fixings has a column time that holds no times in UTC",
    ),
    (
        "fixings",
        "no rates",
        lambda table: table.drop(columns="per_usd"),
        r"fixings lacks the columns \['per_usd'\]",
    ),
    ("ratios", "text", lambda table: table.assign(ordinary_per_ads="8"), "holds no numbers"),
    (
        "halts",
        "backwards",
        lambda table: table.assign(end=table["end"] - pd.Timedelta("1D")),
        "ends before it starts",
    ),
    (
        "delistings",
        "into itself",
        lambda table: table.assign(into="BABA"),
        "BABA twice or leaving into itself",
    ),
    ("delistings", "twice", lambda table: pd.concat([table, table]), "BABA twice or leaving into itself"),
    (
        "price",
        "a negative one",
        lambda table: table.mask(table > 0, -1.0),
        "has the price -1.0 .*: prices are positive",
    ),
    (
        "price",
        "an infinite one",
        lambda table: table.mask(table > 0, np.inf),
        "has the price inf .*: prices are positive",
    ),
    ("price", "1e308", lambda table: table.mask(table > 0, 1e308), "has the price 1e.308"),
    ("price", "fewer steps", lambda table: table.iloc[1:], "give one row per step"),
    ("price", "another symbol", lambda table: table.rename(columns={"BABA": "JD"}), "name different symbols"),
    ("price", "no symbols", lambda table: table.iloc[:, :0], "the market is empty"),
    (
        "instruments",
        "a column less",
        lambda table: table.drop(columns="lot"),
        r"instruments lacks the columns \['lot'\]",
    ),
    ("grid", "newest first", lambda table: table[::-1].reset_index(drop=True), "not strictly increasing"),
    *(
        (
            name,
            f"{column} as {what}",
            lambda table, c=column, k=kind: table.assign(**{c: k(table[c])}),
            f"{name} has a column {column} that holds no dates without a time zone",
        )
        for name, column in (
            ("dividends", "ex_date"),
            ("dividends", "pay_date"),
            ("splits", "ex_date"),
            ("ratios", "effective_from"),
            ("delistings", "last_session"),
            ("grid", "session"),
        )
        for what, kind in (
            ("text", lambda dates: dates.astype(str)),
            (
                "dates of Python",
                lambda dates: dates.astype(object).map(lambda date: DAY.date()),
            ),
            ("times", lambda dates: dates.dt.tz_localize("UTC")),
        )
    ),
    *(
        (
            name,
            f"{column} without a zone",
            lambda table, c=column: table.assign(**{c: table[c].dt.tz_localize(None)}),
            f"{name} has a column {column} that holds no times in UTC",
        )
        for name, column in (("halts", "start"), ("halts", "end"), ("grid", "time"), ("ahead", "time"))
    ),
    *(
        (
            name,
            f"no {column}",
            lambda table, c=column: table.assign(**{c: table[c].where(table.index > 0)}),
            f"{name} has no {column} in row 0: fill it",
        )
        for name, column in (
            ("dividends", "ex_date"),
            ("dividends", "symbol"),
            ("splits", "ex_date"),
            ("ratios", "effective_from"),
            ("ratios", "adr"),
            ("fixings", "currency"),
            ("fixings", "time"),
            ("halts", "start"),
            ("halts", "end"),
            ("delistings", "last_session"),
            ("delistings", "into"),
            ("grid", "session"),
            ("grid", "venue"),
        )
    ),
    *(
        (
            "delistings",
            f"ordinary_per_ads of {value!r}",
            lambda table, v=value: table.assign(ordinary_per_ads=v),
            f"ordinary_per_ads .*{POSITIVE}",
        )
        for value in (0.0, 1e-300, -8.0, np.inf)
    ),
    ("delistings", "a ratio in words", lambda table: table.assign(ordinary_per_ads="8"), "holds no numbers"),
    (
        "ratios",
        "two of one date",
        lambda table: pd.concat([table, table.assign(ordinary_per_ads=4.0)], ignore_index=True),
        "ratios has two of BABA on 20..-..-..: give the one",
    ),
    (
        "splits",
        "two of one date",
        lambda table: pd.concat([table, table], ignore_index=True),
        "splits has two of BABA on 2022-02-15: give one factor",
    ),
    *(
        (
            "instruments",
            f"{column} in categories",
            lambda table, c=column: table.astype({c: "category"}),
            f"instruments has a column {column} that holds no text",
        )
        for column in ("venue", "currency", "kind", "pair", "size", "fee_class")
    ),
    (
        "instruments",
        "shortable in words",
        lambda table: table.assign(shortable="no"),
        "a column shortable that holds no True and False",
    ),
    (
        "instruments",
        "currency of 5",
        lambda table: table.assign(currency=5),
        "holds no text",
    ),
    ("grid", "phases in capitals", lambda table: table.assign(phase="CLOSE"), "grid has the phase 'CLOSE'"),
    (
        "grid",
        "an index of times",
        lambda table: table.set_index("time", drop=False),
        "an index of its own",
    ),
    (
        "grid",
        "no column session",
        lambda table: table.drop(columns="session"),
        "grid lacks the columns",
    ),
    (
        "grid",
        "a column twice",
        lambda table: pd.concat([table, table[["venue"]]], axis=1),
        "has a column twice",
    ),
    (
        "ahead",
        "newest first",
        lambda table: table.iloc[::-1],
        "ahead has steps that are not after the grid's",
    ),
    (
        "ahead",
        "what has been",
        lambda table: table.assign(time=table["time"] - pd.Timedelta("9000D")),
        "ahead has steps that are not after the grid's",
    ),
    (
        "price",
        "steps in another order",
        lambda table: table[::-1],
        "price has an index other than the grid's",
    ),
    (
        "price",
        "no times",
        lambda table: table.reset_index(drop=True),
        "price has an index other than the grid's",
    ),
    (
        "price",
        "times of another year",
        lambda table: table.set_axis(table.index + pd.Timedelta("366D"), axis=0),
        "price has an index other than the grid's times",
    ),
    (
        "price",
        "gaps filled over venues",
        lambda table: table.ffill(),
        "price has .* of 9988.HK at .*, when its venue does not trade: leave NaN",
    ),
    ("price", "text", lambda table: table.astype(str), "price holds something other than numbers"),
    ("price", "strings", lambda table: table.astype("string"), "price holds something other than numbers"),
    ("price", "an array", lambda table: table.to_numpy(), "price is a ndarray: give a DataFrame"),
    ("halts", "nothing", lambda table: None, "halts is a NoneType: give a DataFrame"),
    ("grid", "nothing", lambda table: None, "grid is a NoneType: give a DataFrame"),
    ("volume", "an array", lambda table: table.to_numpy(), "volume is a ndarray: give a DataFrame"),
    (
        "volume",
        "shares at every step",
        lambda table: table.fillna(1.0),
        "volume has 1 of .* is no close",
    ),
    ("volume", "a negative one", lambda table: table * -1 - 1, "volume holds a negative or infinite number"),
    ("volume", "fewer steps", lambda table: table.iloc[1:], "volume has other steps or symbols than price"),
]
NAMES: list[tuple[str, Callable[[], object], str]] = [
    ("no label", lambda: replace(market(), label=None), "label is None: say in words"),
    ("no label of prices", lambda: ep.Market.from_prices(frame(1.0), label=5), "label is 5: say in words"),
    ("one note", lambda: replace(market(), notes="read"), "notes is 'read': give a tuple"),
    ("no notes", lambda: replace(market(), notes=None), "notes is None: give a tuple"),
    (
        "symbols that are numbers",
        lambda: replace(
            market(),
            price=market().price.set_axis(range(2), axis=1),
            instruments=market().instruments.set_axis(range(2)),
        ),
        "give symbols, which are text, each once",
    ),
]
SOON = pd.DataFrame(
    {
        "time": pd.to_datetime(["2030-01-02 14:30", "2030-01-02 21:00"], utc=True),
        "venue": "XNYS",
        "phase": ["open", "close"],
        "session": pd.Timestamp("2030-01-02"),
    }
)
SOUND = {"ahead": SOON, "dividends": PAID, "splits": SPLIT, "halts": HALT, "delistings": GONE}
DAYS = pd.bdate_range("2022-01-03", periods=5)
PRICES: list[tuple[str, Callable[[], Any], str]] = [
    ("no table", lambda: None, "not given a DataFrame indexed by dates"),
    ("one Series", lambda: pd.Series(1.0, index=DAYS), "not given a DataFrame indexed by dates"),
    ("no dates", lambda: pd.DataFrame({"A": [1.0, 2.0]}), "not given a DataFrame indexed by dates"),
    ("periods for dates", lambda: frame(1.0).to_period("D"), "not given a DataFrame indexed by dates"),
    ("newest first", lambda: frame(1.0).iloc[::-1], "repeat or are out of order"),
    ("a day twice", lambda: frame(1.0).iloc[[0, 0, 1]], "repeat or are out of order"),
    ("a missing day", lambda: frame(1.0).set_axis([*DAYS[:4], pd.NaT]), "repeat or are out of order"),
    (
        "the year 9999",
        lambda: frame(1.0).set_axis(DAYS.as_unit("s") + pd.Timedelta(days=2_900_000)),
        "between 1700 and 2200",
    ),
    (
        "the year 2262",
        lambda: frame(1.0).set_axis(pd.date_range("2262-04-06", periods=5)),
        "between 1700 and 2200",
    ),
    (
        "the year 1677",
        lambda: frame(1.0).set_axis(pd.date_range("1677-09-22", periods=5)),
        "between 1700 and 2200",
    ),
    ("a symbol twice", lambda: pd.DataFrame(np.ones((5, 2)), DAYS, ["A", "A"]), "occur twice"),
    ("a symbol twice as text", lambda: pd.DataFrame(np.ones((5, 2)), DAYS, ["700", 700]), "occur twice"),
    ("text", lambda: frame("1.0"), "are not numbers"),
    ("truth", lambda: frame(True), "are not numbers"),
    ("complex numbers", lambda: frame(1 + 0j), "are not numbers"),
    ("spans of time", lambda: frame(pd.Timedelta("1D")), "are not numbers"),
    ("categories", lambda: frame(1.0).astype("category"), "are not numbers"),
    ("zero", lambda: frame(0.0), "has the price 0.0 at"),
    ("minus one", lambda: frame(-1.0), "has the price -1.0 at"),
    ("infinity", lambda: frame(np.inf), "has the price inf at"),
    ("1e308", lambda: frame(1e308), "has the price 1e.308 at"),
    ("1e-320", lambda: frame(1e-320), "has the price 1e-320 at|has the price 9.99"),
    ("nothing known", lambda: frame(np.nan), "holds no price at all"),
    *(
        (f"{what} for sessions", lambda n=n, freq=freq: dated(n, freq), words)
        for what, n, freq, words in (
            ("months", 120, "ME", "has 12 dates a year .* give the prices of every trading day"),
            ("weeks", 60, "W", "has 52 dates a year .* give the prices of every trading day"),
            (
                "every day of the year",
                100,
                "D",
                r"has 365 dates a year .*prices\[prices.index.day_of_week",
            ),
        )
    ),
    ("no columns", lambda: pd.DataFrame(index=DAYS), "the market is empty"),
    ("no rows", lambda: frame(1.0).iloc[:0], "the market is empty"),
]


def frame(value: Any) -> pd.DataFrame:
    """Five days of one line at one price."""
    return pd.DataFrame({"A": value}, index=DAYS)


def dated(periods: int, freq: str) -> pd.DataFrame:
    """One line at one price on dates of another kind than sessions."""
    return pd.DataFrame({"A": 1.0}, index=pd.date_range("2020-01-31", periods=periods, freq=freq))


def spoil(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> object:
    """The good pair with one table changed."""
    return replace(market(), **{name: change(SOUND.get(name, getattr(market(), name)))})


CASES = [
    *(Case(TABLES, what, lambda folder, m=make: m(), DataError, words) for what, make, words in NAMES),
    *(
        Case(TABLES, f"{name}: {what}", lambda folder, n=name, c=change: spoil(n, c), DataError, words)
        for name, what, change, words in SPOILT
    ),
    *(
        Case(FRAMES, name, lambda folder, m=make: ep.Market.from_prices(m()), DataError, words)
        for name, make, words in PRICES
    ),
    *(
        Case(
            FRAMES,
            f"a lot of {lot!r}",
            lambda folder, v=lot: ep.Market.from_prices(frame(1.0), lot=v),
            ParameterError,
            "is no lot",
        )
        for lot in (np.nan, -1, "100", True, np.inf)
    ),
    *(
        Case(
            FRAMES,
            f"the currency {currency!r}",
            lambda folder, c=currency: ep.Market.from_prices(frame(1.0), currency=c),
            ParameterError,
            "prices alone have no exchange rate",
        )
        for currency in ("HKD", "usd", "", "XXX", None)
    ),
]
