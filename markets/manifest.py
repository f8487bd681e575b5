"""What a folder of prices says about itself: its source, how it treats splits, when its rates are known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, cast

import pandas as pd

from entrepot.errors import DataError, ParameterError, shown
from entrepot.files import open_plain
from entrepot.markets.instruments import describe, venue_of
from entrepot.markets.lines import ADJUSTMENTS, Adjustment, registry_splits
from entrepot.markets.listings import Listings
from entrepot.markets.own_rows import printable
from entrepot.markets.price_tables import RATES_ZONE, PriceTable, spell_symbol
from entrepot.markets.rates import read_clock
from entrepot.markets.written_times import aware

MANIFEST: Final = "entrepot.json"
FORMAT: Final = 1
KEYS: Final = ("format", "source", "fetched_at", "adjusted", "fx_time")
FX_TIME: Final = "14:15 Europe/Berlin"
"""When a fixing of the European Central Bank is known; what is assumed of one number a day."""
DAY_OVER: Final = f"23:59 {RATES_ZONE}"
"""When a day of the currency market is over for Yahoo, whose days run from midnight to midnight in London."""
ALL: Final = ""
"""Stands for every symbol that is not named."""


@dataclass(frozen=True)
class Manifest:
    """What `entrepot.json` says; empty where there is none.

    Args:
        source: where the prices came from, in words.
        fetched_at: when they were fetched, by symbol, under "" for all others.
        adjusted: how splits were treated, by symbol, under "" for all others.
        fx_time: when the rate of a date is known; None: not said.
    """

    source: str = ""
    fetched_at: Mapping[str, pd.Timestamp] = field(default_factory=lambda: MappingProxyType({}))
    adjusted: Mapping[str, Adjustment] = field(default_factory=lambda: MappingProxyType({}))
    fx_time: str | None = None

    def adjustments(
        self,
        tables: Sequence[PriceTable],
        listings: Listings,
        given: Adjustment | Mapping[str, Adjustment] | None,
    ) -> Adjustment | Mapping[str, Adjustment] | None:
        """Return how each table was adjusted as far as it is said, by the caller before the folder.

        A vendor who adjusts for splits leaves a line without any as it was printed, and cannot know of those
        after the day it was asked: "split" holds for lines with a split between their first price and then,
        and none later. How the others are to be read is found out from their prices.

        Args:
            tables: of the folder; rates have no adjustment.
            listings: the splits that are known.
            given: the argument of `load_market`.
        """
        if not self.adjusted or not (given is None or isinstance(given, Mapping)):
            return given
        strangers = sorted(set(self.adjusted) - {ALL} - {table.symbol for table in tables})
        if strangers:
            raise DataError(
                f"{MANIFEST} names {printable(', '.join(strangers))} in adjusted, which has no price file: "
                "correct the symbol, or remove it"
            )
        words = {
            table.symbol: word
            for table in tables
            if (word := self.adjusted.get(table.symbol, self.adjusted.get(ALL)))
            and self.word_holds(word, table, listings)
        }
        return words | dict(given or {})

    def word_holds(self, word: Adjustment, table: PriceTable, listings: Listings) -> bool:
        """Whether the word about all files, or about this one, says how this one is to be read."""
        if table.symbol not in self.adjusted and "close" not in table.frame:
            return False
        if word != "split" or not venue_of(table.symbol):
            return word != "split"  # an index of unknown venue is left out of the market
        own = table.column("stock splits")
        splits = [*own.index[(own > 0) & (own != 1)]]
        splits += [
            date for date, _ in registry_splits(describe(table.symbol, listings)[0], table.symbol, listings)
        ]
        fetched = self.fetched_at.get(table.symbol, self.fetched_at.get(ALL))
        if fetched is not None and any(date > fetched.tz_localize(None) for date in splits):
            return False
        return any(date > table.level.index[0] for date in splits)

    def rates_known(self, rates: Sequence[PriceTable], given: str | None, notes: list[str]) -> str:
        """Return when the rate of a date is known: as given, else as the folder says, else as the rates show.

        A fixing is one number a day. Rates with opens, and those of yfinance, are of whole days, whose closes
        are known at their end.
        """
        said = self.fx_time if given is None else given
        if said is not None:
            return said
        whole = [table.origin for table in rates if table.yahoo or table.column("open").notna().any()]
        if not whole:
            return FX_TIME
        notes.append(
            f"{', '.join(whole)}: rates with opens are of whole days, as yfinance's all are, no fixings; "
            f"taken as known from {DAY_OVER} of their date."
        )
        return DAY_OVER

    def notes(self) -> list[str]:
        """Return a sentence of what the manifest says, none where it says nothing."""
        parts = [f"the prices come from {self.source}"] if self.source else []
        if times := sorted(set(self.fetched_at.values())):
            ends = dict.fromkeys(f"{time:%Y-%m-%d %H:%M} UTC" for time in (times[0], times[-1]))
            parts.append(f"fetched {' to '.join(ends)}")
        if words := sorted(set(self.adjusted.values())):
            parts.append(f"adjusted: {', '.join(words)}")
        parts += [f"rates of a date known from {self.fx_time}"] if self.fx_time else []
        return [f"{MANIFEST} says: {'; '.join(parts)}."] if parts else []

    def text(self) -> str:
        """Return the file's text."""
        said: dict[str, Any] = {"format": FORMAT}
        said |= {"source": self.source} if self.source else {}
        if self.fetched_at:
            said["fetched_at"] = plain({key: f"{t:%Y-%m-%dT%H:%M:%SZ}" for key, t in self.fetched_at.items()})
        said |= {"adjusted": plain(self.adjusted)} if self.adjusted else {}
        said |= {"fx_time": self.fx_time} if self.fx_time else {}
        return json.dumps(said, indent=2) + "\n"

    def with_fetched(
        self, symbol: str, source: str, at: pd.Timestamp, adjusted: Adjustment, fx_time: str
    ) -> Manifest:
        """Return the manifest with one more symbol; a rate sets ``fx_time`` for the folder."""
        known = [part for part in self.source.split("; ") if part]
        told = (
            {"fx_time": fx_time}
            if symbol.endswith("=X")
            else {"adjusted": {**self.adjusted, symbol: adjusted}}
        )
        return replace(
            self,
            source="; ".join(dict.fromkeys([*known, source])),
            fetched_at={**self.fetched_at, symbol: at},
            **told,
        )


def plain(values: Mapping[str, Any]) -> Any:
    """Return a value for all as itself, and values by symbol as a sorted dict."""
    return values[ALL] if set(values) == {ALL} else dict(sorted(values.items()))


def read_manifest(source: object) -> Manifest:
    """Read the `entrepot.json` of a folder; that of anything else is empty.

    Raises:
        DataError: when the file cannot be read, or says anything that is not understood.
    """
    if not isinstance(source, str | PathLike):
        return Manifest()
    path = Path(source) / MANIFEST
    try:
        with open_plain(path) as file:
            text = file.read().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Manifest()
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"{MANIFEST} cannot be read ({reason(error)}): write it again or delete it") from None
    return parse_manifest(text)


def reason(error: Exception) -> str:
    """Return what the system said, on one line."""
    return str(getattr(error, "strerror", None) or error).splitlines()[0]


def parse_manifest(text: str) -> Manifest:
    """Turn the text of an `entrepot.json` into what it says."""
    try:
        said = json.loads(text, object_pairs_hook=each_once)
    except DataError:
        raise
    except (ValueError, RecursionError) as error:
        raise DataError(f"{MANIFEST} is no JSON ({reason(error)}): correct it or delete it") from None
    if not isinstance(said, dict):
        raise DataError(f'{MANIFEST} holds {shown(said)}: it is an object such as {{"format": 1}}')
    if type(said.get("format")) is not int or said["format"] != FORMAT:
        raise DataError(
            f"{MANIFEST} has format {shown(said.get('format'))}: this version of entrepot reads "
            f'"format": {FORMAT}'
        )
    if unknown := sorted(set(said) - set(KEYS)):
        raise DataError(
            f"{MANIFEST} has {shown(unknown)}: it may have {', '.join(KEYS)}; correct or remove it"
        )
    source, fx_time = said.get("source", ""), said.get("fx_time")
    if not isinstance(source, str):
        raise DataError(f"{MANIFEST} has source {shown(source)}: it is text, such as a vendor's name")
    if "fx_time" in said:
        try:
            read_clock(str(fx_time))
        except ParameterError:
            raise DataError(f"{MANIFEST} has fx_time {shown(fx_time)}: write it as {FX_TIME!r}") from None
    return Manifest(
        source=source,
        fetched_at={k: moment(v) for k, v in by_symbol(said, "fetched_at").items()},
        adjusted={k: adjustment(v) for k, v in by_symbol(said, "adjusted").items()},
        fx_time=fx_time,
    )


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of the file; of a name that it has twice, JSON's readers keep either."""
    said = dict(pairs)
    if twice := sorted(name for name, times in Counter(name for name, _ in pairs).items() if times > 1):
        raise DataError(f"{MANIFEST} has {shown(twice)} twice: keep one of each")
    return said


def by_symbol(said: Mapping[str, Any], key: Literal["fetched_at", "adjusted"]) -> dict[str, Any]:
    """Return the values of a key by symbol, one for all of them under ""."""
    if key not in said:
        return {}
    value = said[key]
    return (
        {spell_symbol(name): one for name, one in value.items()} if isinstance(value, dict) else {ALL: value}
    )


def moment(value: object) -> pd.Timestamp:
    """Return a time with its zone, in UTC."""
    stamp = aware(value)
    if stamp is None:
        raise DataError(
            f"{MANIFEST} has fetched_at {shown(value)}: it is a time with its zone, such as "
            "2026-01-31T09:00:00Z"
        )
    return stamp


def adjustment(value: object) -> Adjustment:
    """Return one of the ways in which splits are treated."""
    if not isinstance(value, str) or value not in ADJUSTMENTS:
        raise DataError(f"{MANIFEST} has adjusted {shown(value)}: it is one of {', '.join(ADJUSTMENTS)}")
    return cast("Adjustment", value)
