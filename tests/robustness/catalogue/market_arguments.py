"""Dates, symbols and options that no market can be made from, cut to, compared or stressed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from price_folders import fixings, long, pair
from robustness.cases import Case
from robustness.market_inputs import put
from robustness.small import LOOSE_TIMES

import entrepot as ep
from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.markets.stress import peg_stress

SIMULATED, LOADED, CHECKED = "market arguments", "arguments of load_market", "arguments of check_data"
CUT, PAIRED, STRESSED, MANIFESTS = "parts of a market", "premium arguments", "stress arguments", "manifests"
DATE = "2022-02-16"

MADE: dict[str, tuple[dict[str, Any], str]] = {
    "an end before the start": ({"start": "2021-01-04", "end": "2020-01-02"}, "2020-01-02"),
    "30 February": ({"start": "2020-02-30"}, "'2020-02-30' is not a date"),
    "day first": ({"start": "03/04/2020"}, "'03/04/2020' is not a date"),
    "a number for a date": ({"start": 20200102}, "20200102 is not a date"),
    "truth for a date": ({"start": True}, "True is not a date"),
    "no time": ({"start": pd.NaT}, "NaT is not a date"),
    "an infinite date": ({"end": float("inf")}, "inf is not a date"),
    "the year 1": ({"start": "0001-01-01"}, "'0001-01-01' is not a date"),
    "the year 9999": ({"end": "9999-12-31"}, "'9999-12-31' is not a date"),
    "the year 2262": ({"end": "2262-04-11"}, "no calendar of XHKG covers"),
    "the year 1677": ({"start": "1677-09-22", "end": "1680-01-01"}, "no calendar of XHKG covers"),
    "truth for a seed": ({"seed": True}, "the seed True is not a non-negative integer"),
    "a fraction for a seed": ({"seed": 1.5}, "the seed 1.5 is not"),
    "text for a seed": ({"seed": "7"}, "the seed '7' is not"),
    "a seed that is no number": ({"seed": float("nan")}, "the seed nan is not"),
    "a negative seed": ({"seed": -1}, "the seed -1 is not"),
    "an unknown symbol": ({"symbols": ["BABA", "TSLA"]}, "TSLA"),
    "a symbol in small letters": ({"symbols": ["baba"]}, "'baba'. are not all simulated"),
    "a number for a symbol": ({"symbols": [9988]}, "9988. are not all simulated"),
    "no symbols": ({"symbols": []}, "symbols"),
    "an unknown phase": ({"phases": ("noon",)}, "the phases .* are not usable"),
    "no phase": ({"phases": ()}, "phases"),
    "words for effects": ({"effects": "yes"}, "effects is 'yes'"),
    "shorts in one text": ({"hk_shorts": "9988.HK,0700.HK"}, "no Hong Kong line of this market"),
    "a New York line for a short in Hong Kong": ({"hk_shorts": ["BABA"]}, "no Hong Kong line"),
}
GIVEN: dict[str, tuple[dict[str, Any], str]] = {
    "ends": ({"ends": "ignore"}, r"ends='ignore' is unknown: it is 'error', 'drop' or 'cut'"),
    "phases": ({"phases": ("noon",)}, r"noon"),
    "adjusted": ({"adjusted": "yes"}, r"adjusted='yes' is unknown: it is one of raw, split, total_return"),
    "adjusted by symbol": ({"adjusted": {"BABA": "yes"}}, r"adjusted='yes' is unknown"),
    "adjusted stranger": ({"adjusted": {"JD": "raw"}}, r"adjusted names JD, which has no price file"),
    "shorts stranger": ({"hk_shorts": ["9618.HK"]}, r"hk_shorts names 9618.HK"),
    "fx_time": ({"fx_time": "noon"}, r"fx_time='noon' is no time of a place"),
    "fx_time zone": ({"fx_time": "14:15 Europe/Atlantis"}, r"is no time of a place"),
    "fx_time hour": ({"fx_time": "25:15 Europe/Berlin"}, r"is no time of a place"),
    "start": ({"start": "yesteryear"}, r"start='yesteryear' is no date"),
    "end": ({"end": 3.5j}, r"end=3.5j is no date"),
    "a number for adjusted": ({"adjusted": 5}, "adjusted=5 is neither a word nor one by symbol"),
    "a number for shorts": ({"hk_shorts": 5}, "hk_shorts=5 is no list of symbols"),
    "no shorts": ({"hk_shorts": None}, "hk_shorts=None is no list of symbols"),
    "shorts in New York": ({"hk_shorts": ["BABA"]}, "hk_shorts names .'BABA'., no Hong Kong line"),
    "no phases": ({"phases": None}, "the phases None are not usable"),
    "a number for phases": ({"phases": 5}, "the phases 5 are not usable"),
    "a number for the start": ({"start": 5}, "start=5 is no date"),
    "day first for the start": ({"start": "04/01/2022"}, "start='04/01/2022' is no date"),
    **{
        f"{word} for the end": ({"end": word}, f"end='{word}' is no date")
        for word in ("2022", "2022-06", "2022Q1", "5 6 2021", "210604", "today", "now", "10:30")
    },
    "30 February for the end": ({"end": "2022-02-30"}, "end='2022-02-30' is no date"),
    "departures": ({"departures": "Parity"}, "departures='Parity' is unknown"),
    "a blank label": ({"label": " "}, "label=' ' is no text"),
    "a number for a label": ({"label": 5}, "label=5 is no text"),
    "bar_times": ({"bar_times": "middle"}, "bar_times='middle' is unknown"),
}
RANGES: dict[str, tuple[str | None, str | None]] = {
    "after all prices": ("2030-01-01", None),
    "before all prices": (None, "2001-01-01"),
    "an end before its start": ("2022-03-01", "2022-02-01"),
    "a weekend": ("2022-01-08", "2022-01-09"),
}
STRESSES: list[tuple[Any, Any, Any, str]] = [
    ("nonsense", 9.0, 1.0, r"date='nonsense' is no session date"),
    (20220216, 9.0, 1.0, r"date=20220216 is no session date"),
    (None, 9.0, 1.0, r"date=None is no session date"),
    (pd.Timestamp(DATE, tz="UTC"), 9.0, 1.0, "without a time zone"),
    ("2021-02-16", 9.0, 1.0, r"outside the market, which runs from 2022-01-04 to 2022-03-31"),
    ("2022-06-16", 9.0, 1.0, "outside the market"),
    (DATE, 0.128, 1.0, r"per_usd is 0.128 where a USD cost 7\.\d+ HKD"),
    (DATE, -9.0, 1.0, "per_usd is -9.0"),
    (DATE, float("nan"), 1.0, "per_usd is nan"),
    (DATE, "9", 1.0, "per_usd is '9'"),
    (DATE, True, 1.0, "per_usd is True"),
    (DATE, 9.0, 1.5, "pass_through is 1.5: give a fraction from 0 to 1"),
    (DATE, 9.0, float("nan"), "pass_through is nan"),
    (DATE, 9.0, True, "pass_through is True"),
    ("16/02/2022", 9.0, 1.0, "date='16/02/2022' is no session date"),
    ("2022-02-30", 9.0, 1.0, "date='2022-02-30' is no session date"),
    (DATE, float("inf"), 1.0, "per_usd is inf"),
    (DATE, 1e308, 1.0, "per_usd is 1e.308"),
    (DATE, 9 + 0j, 1.0, "per_usd is .9.0j"),
]
MANIFEST: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "entrepot.json is no JSON"),
    "empty": ("", "entrepot.json is no JSON"),
    "a list": ("[1]", r"entrepot.json holds \[1\]"),
    "no format": ("{}", "has format None"),
    "format 2": ('{"format": 2}', "has format 2"),
    "format 1.0": ('{"format": 1.0}', "has format 1.0"),
    "truth for a format": ('{"format": true}', "has format True"),
    "a format that is no number": ('{"format": NaN}', "has format nan"),
    "a key that is not known": ('{"format": 1, "currency": "USD"}', r"has \['currency'\]"),
    "a key twice": ('{"format": 1, "adjusted": "raw", "adjusted": "split"}', r"has \['adjusted'\] twice"),
    "another word for adjusted": ('{"format": 1, "adjusted": "yes"}', "has adjusted 'yes'"),
    "nothing for adjusted": ('{"format": 1, "adjusted": null}', "has adjusted None"),
    "a stranger adjusted": ('{"format": 1, "adjusted": {"JD": "raw"}}', "names JD in adjusted"),
    "no time of a place": ('{"format": 1, "fx_time": "noon"}', "has fx_time 'noon'"),
    "a time without its zone": ('{"format": 1, "fetched_at": "2022-01-31 09:00"}', "has fetched_at"),
    **{
        f"fetched at {text}": (
            f'{{"format": 1, "fetched_at": "{text}"}}',
            "has fetched_at '.*': it is a time with its zone, such as 2026-01-31T09:00:00Z",
        )
        for text in LOOSE_TIMES
    },
    "a number for a time": ('{"format": 1, "fetched_at": 1643619600}', "has fetched_at 1643619600"),
    "a mark of UTF-8": ('\ufeff{"format": 1}', "is no JSON"),
    "an integer of 5,000 digits": ('{"format": ' + "1" * 5000 + "}", "is no JSON"),
}


@cache
def market() -> ep.Market:
    """The good pair, loaded."""
    return ep.load_market(pair())


def with_manifest(folder: Path, text: str) -> object:
    """Load a folder of good prices whose manifest says something."""
    for symbol, frame in pair().items():
        frame.to_csv(folder / f"{symbol}.csv", index=False)
    put(folder, text, "entrepot.json")
    return ep.load_market(folder)


def case(area: str, name: str, call: Any, words: str, error: type[EntrepotError] = ParameterError) -> Case:
    """A case that needs no folder."""
    return Case(area, name, lambda folder: call(), error, words)


CASES = [
    *(
        case(
            SIMULATED,
            name,
            lambda a=arguments: ep.simulate_market(**{"start": "2020-01-02", "end": "2020-03-31"} | a),
            words,
        )
        for name, (arguments, words) in MADE.items()
    ),
    *(
        case(
            SIMULATED,
            f"events known at {text!r}",
            lambda t=text: ep.simulate_market(
                "2020-01-02",
                "2020-03-31",
                events=pd.DataFrame({"known_at": [t], "channel": "tariff", "direction": 1, "severity": 2}),
            ),
            "events has the row .*: it needs a time with its offset",
            DataError,
        )
        for text in (*LOOSE_TIMES, "2021-03-02", "2021-03-02 09:00")
    ),
    *(
        case(LOADED, name, lambda a=arguments: ep.load_market(long(pair()), **a), words)
        for name, (arguments, words) in GIVEN.items()
    ),
    *(
        case(
            LOADED,
            f"a range of {name}",
            lambda s=start, e=end: ep.load_market(long(pair()), start=s, end=e),
            "no (prices|session|line)",
            DataError,
        )
        for name, (start, end) in RANGES.items()
    ),
    *(
        case(
            CHECKED, f"{name} {value!r}", lambda n=name, v=value: ep.check_data(long(pair()), **{n: v}), name
        )
        for name, value in (
            ("ends", "ignore"),
            ("ends", []),
            ("start", "soon"),
            ("adjusted", "yes"),
            ("adjusted", {"X": "raw"}),
        )
    ),
    *(
        case(CUT, f"until {step!r}", lambda s=step: market().until(s), "step .* is (no position|outside)")
        for step in (1.5, "3", None, True, np.nan, 10**30, -(10**9))
    ),
    *(
        case(CUT, f"between {start!r} and {end!r}", lambda s=start, e=end: market().between(s, e), "session")
        for start, end in (
            ("2022-03-01", "2022-02-01"),
            ("soon", DATE),
            ("2022", DATE),
            (DATE, "2022-06"),
            (None, None),
            (5, 6),
            ("02/03/2022", "03/03/2022"),
            ("2022-02-30", "2022-03-01"),
            ("9999-12-31", "9999-12-31"),
        )
    ),
    *(
        case(
            PAIRED,
            f"symbol {number}, {symbol!r}",
            lambda s=symbol: ep.premium(market(), s),
            "is not in this market|is no ADR|its ADR",
        )
        for number, symbol in enumerate((None, 5, [], "BABA ", "baba", b"BABA", ("BABA",), "9988.HK", ""))
    ),
    *(
        case(
            PAIRED,
            f"alignment {number}, {align!r}",
            lambda a=align: ep.premium(market(), "BABA", a),
            "align=.* is unknown",
        )
        for number, align in enumerate((None, 5, [], "SAME_DATE", "same_day", ["same_date"]))
    ),
    *(
        case(
            STRESSED,
            f"{number}, {date!r} {rate!r}",
            lambda d=date, r=rate, p=part: peg_stress(market(), d, r, pass_through=p),
            words,
        )
        for number, (date, rate, part, words) in enumerate(STRESSES, 1)
    ),
    case(STRESSED, "no market", lambda: peg_stress("prices/", DATE, 9.0), "give a Market"),
    *(
        Case(
            MANIFESTS,
            name,
            lambda folder, t=text: with_manifest(folder, t),
            DataError,
            words,
        )
        for name, (text, words) in MANIFEST.items()
    ),
    case(
        LOADED,
        "rates that are cut",
        lambda: ep.load_market({**pair(), "HKD=X": fixings("2022-01-04", "2022-02-01")}),
        "HKD=X. ends 2022-02-01 and the market 2022-03-31",
        DataError,
    ),
]
