"""Reading a source as far as it goes: each file on its own, each refusal kept, and what else there is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from entrepot.errors import DataError
from entrepot.markets.bars import BarTimes, settle_bars
from entrepot.markets.checks.findings import Finding, days
from entrepot.markets.checks.sheets import Pair, Sheet
from entrepot.markets.ends import Ends, settle_end
from entrepot.markets.lines import Adjustment, Line, on_sessions, read_lines
from entrepot.markets.listings import Listings
from entrepot.markets.load import after_first_rates, date_range, settle_pairs
from entrepot.markets.manifest import MANIFEST, Manifest, read_manifest
from entrepot.markets.market import empty_table
from entrepot.markets.price_files import find_source, list_folder, read_file, read_path, say_what_is_unended
from entrepot.markets.price_shapes import Named, Rows, is_of_a_field, named_tables, split_named, take_apart
from entrepot.markets.price_tables import PriceTable, parse_table, spell_symbol
from entrepot.markets.rates import currency_quoted, read_fixings, refuse_gaps
from entrepot.markets.sessions import PHASES, build_grid, session_times

if TYPE_CHECKING:
    from entrepot.markets.price_shapes import PriceSource

DATE: Final = re.compile(r"\b(?:19[7-9]\d|20\d\d)-\d{2}-\d{2}\b")  # as long as prices may be


@dataclass(eq=False)
class Reading:
    """What could be read of a source, and each reason why something could not.

    Attributes:
        name: of the source.
        rows: of each file or symbol, as they stand.
        tables: those that could be checked, by symbol.
        lines: those of shares, funds and indices that `load_market` could read.
        rates: tables of exchange rates that `load_market` could read.
        fixings: all of them, see `read_fixings`.
        origins: file of each currency.
        pairs: by the symbol of either leg.
        refusals: one finding per reason.
        passed_over: findings about files that no market is made of.
        notes: sentences of the loader, as `Market.notes` has them.
    """

    name: str = ""
    rows: list[Rows] = field(default_factory=list)
    tables: dict[str, PriceTable] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    rates: list[PriceTable] = field(default_factory=list)
    fixings: pd.DataFrame = field(default_factory=lambda: empty_table("fixings"))
    origins: dict[str, str] = field(default_factory=dict)
    pairs: dict[str, Pair] = field(default_factory=dict)
    refusals: list[Finding] = field(default_factory=list)
    passed_over: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def known(self) -> set[str]:
        """Symbols that there is something of, usable or not."""
        return {*self.tables, *(found.symbol for found in self.refusals)}

    def lacks_rates(self) -> bool:
        """Whether a currency in use has no rates; said where its file was not refused already."""
        for currency in sorted({line.instrument["currency"] for line in self.lines.values()} - {"USD"}):
            if currency in self.origins:
                continue
            who = next(s for s, line in self.lines.items() if line.instrument["currency"] == currency)
            if not any(currency_quoted(found.symbol)[0] == currency for found in self.refusals):
                sentence = (
                    f"{who} is in {currency} and there are no rates of it: add {currency}=X.csv with "
                    f"{currency} per USD"
                )
                self.refusals.append(refusal("no rates", who, self.name, sentence))
            return True
        return False

    @contextmanager
    def hears(self, kind: str, symbol: str = "", file: str = "") -> Iterator[None]:
        """Keep a refusal as a finding and go on."""
        try:
            yield
        except DataError as error:
            self.refusals.append(refusal(kind, symbol, file or self.name, str(error)))

    @cached_property
    def sheets(self) -> dict[str, Sheet]:
        """The lines with all columns of their files; asked for once all lines are read."""
        return {symbol: Sheet(self.tables[symbol], line) for symbol, line in self.lines.items()}


def refusal(kind: str, symbol: str, file: str, sentence: str) -> Finding:
    """Return the finding of a refusal: the sentence itself, with the dates it names."""
    dates = pd.DatetimeIndex(
        pd.to_datetime(DATE.findall(sentence), format="%Y-%m-%d", errors="coerce")
    ).dropna()
    return Finding(kind, symbol, file, days(dates[:1]), sentence)


def read_source(
    source: PriceSource,
    *,
    start: str | pd.Timestamp | None,
    end: str | pd.Timestamp | None,
    ends: Ends,
    adjusted: Adjustment | Mapping[str, Adjustment] | None,
    listings: Listings,
    bar_times: BarTimes | None,
) -> Reading:
    """Go the way of `load_market` file by file and pair by pair, past everything it would refuse.

    Raises:
        DataError: when there is nothing to read.
        ParameterError: for a source or an argument of the wrong kind.
    """
    reading = Reading()
    read_tables(source, reading, bar_times)
    manifest = Manifest()
    with reading.hears("unreadable file", file=MANIFEST):
        manifest = read_manifest(source)
    read_rates(manifest, reading)
    shares = [table for table in reading.tables.values() if not table.symbol.endswith("=X")]
    with reading.hears("unreadable file", file=MANIFEST):
        adjusted = manifest.adjustments(shares, listings, adjusted)
    for table in shares:
        own = adjusted
        if isinstance(own, Mapping):
            own = {s: word for s, word in own.items() if spell_symbol(s) == table.symbol}
        with reading.hears("unusable prices", table.symbol, table.origin):
            for line in read_lines([table], own, reading.notes, listings):
                reading.lines[line.symbol] = line
    if any(line.tradable for line in reading.lines.values()):
        hear_range(reading, start, end, ends, listings)
        read_pairs(reading, listings)
    return reading


def read_tables(source: PriceSource, reading: Reading, bar_times: BarTimes | None) -> None:
    """Read every file, and check every symbol, on its own."""
    reading.rows = read_rows(source, reading)
    for rows in reading.rows:
        symbol = spell_symbol(rows.symbol)
        with reading.hears("unreadable file", symbol, rows.origin):
            table = parse_table(*rows)
            if symbol not in reading.tables:
                reading.tables[symbol] = table
                continue
            sentence = (
                f"{reading.tables[symbol].origin} and {rows.origin} both hold {symbol}: keep one of them"
            )
            reading.refusals.append(refusal("two files of one symbol", symbol, rows.origin, sentence))
    bars = [table for table in reading.tables.values() if table.bars is not None]
    for table in bars:
        del reading.tables[table.symbol]
    with reading.hears("unreadable file"):
        reading.tables |= {table.symbol: table for table in settle_bars(bars, bar_times, reading.notes)[0]}
    reading.tables = dict(sorted(reading.tables.items()))


def read_rows(source: PriceSource, reading: Reading) -> list[Rows]:
    """Take a source apart; tables that are named by symbol one by one, others as a whole."""
    if isinstance(source, Mapping):
        reading.name = "a mapping in memory"
        return split_each(named_tables(source, reading.name, reading.notes), reading)
    if not isinstance(source, str | PathLike):
        rows, reading.name = take_apart(source, reading.notes)
        return rows
    reading.name, folder, _ = find_source(source)
    if folder:
        return split_each(read_files(Path(source), reading), reading)
    rows, reading.name = read_path(source, reading.notes)
    return rows


def split_each(named: Sequence[Named], reading: Reading) -> list[Rows]:
    """Take named tables apart."""
    if any(is_of_a_field(table) for table in named):
        with reading.hears("unreadable file"):
            return list(split_named(named, reading.name))
    rows: list[Rows] = []
    for table in named:
        with reading.hears("unreadable file", spell_symbol(table.name), table.origin):
            rows += split_named([table], reading.name)
    return rows


def read_files(folder: Path, reading: Reading) -> list[Named]:
    """Read the files of a folder one by one."""
    named: list[Named] = []
    files, others = list_folder(folder)
    reading.passed_over += [
        Finding("not read", "", path.name, (), f"{path.name} is neither CSV nor Parquet") for path in others
    ]
    unended: list[str] = []
    for path in files:
        with reading.hears("unreadable file", spell_symbol(path.stem), path.name):
            named.append(Named(path.stem, path.name, read_file(path, unended)))
    reading.notes += say_what_is_unended(unended)
    return named


def read_rates(manifest: Manifest, reading: Reading) -> None:
    """Read the exchange rates, file by file."""
    for table in reading.tables.values():
        if not table.symbol.endswith("=X"):
            continue
        if not currency_quoted(table.symbol)[0]:
            reading.passed_over.append(
                Finding(
                    "not read", table.symbol, table.origin, (), f"{table.origin} is no rate against the USD"
                )
            )
            continue
        with reading.hears("unusable rates", table.symbol, table.origin):
            reading.fixings, reading.origins, _ = read_fixings(
                [*reading.rates, table], manifest.rates_known([*reading.rates, table], None, [])
            )
            reading.rates.append(table)


def hear_range(
    reading: Reading,
    start: str | pd.Timestamp | None,
    end: str | pd.Timestamp | None,
    ends: Ends,
    listings: Listings,
) -> None:
    """Hear what is wrong with the range: lines and rates that end early, days without a session or a rate."""
    lines, fixings = list(reading.lines.values()), reading.fixings
    with reading.hears("ends apart"):
        first, last = date_range(lines, start, end, reading.name)
        if start is None:
            first = after_first_rates(first, lines, fixings, [])
        venues = sorted({line.instrument["venue"] for line in lines})
        sessions = {
            venue: pd.DatetimeIndex(session_times(venue, first, last, ("close",))["session"])
            for venue in venues
        }
        for line in lines:
            inside = line.within(first, last)
            if len(inside.close):
                with reading.hears("price without a session", line.symbol, line.origin):
                    on_sessions(inside, sessions[line.instrument["venue"]], [])
        if reading.lacks_rates():
            return
        kept, last, *_ = settle_end(
            lines, sessions, first, last, fixings, reading.origins, ends, [], listings
        )
        phases = PHASES if any(len(line.open) for line in kept if line.tradable) else ("close",)
        time = pd.DatetimeIndex(build_grid(venues, first, last, phases)["time"])
        for currency in sorted({line.instrument["currency"] for line in lines} - {"USD"}):
            with reading.hears("unusable rates", f"{currency}=X", reading.origins[currency]):
                refuse_gaps(fixings, currency, reading.origins[currency], time)


def read_pairs(reading: Reading, listings: Listings) -> None:
    """Read the two lines of each pair together."""
    sheets = reading.sheets
    for adr, line in list(reading.lines.items()):
        hk = reading.lines.get(line.instrument["pair"])
        if line.instrument["kind"] not in ("ads", "common") or hk is None:
            continue
        rates = reading.fixings[reading.fixings["currency"] == hk.instrument["currency"]]
        if rates.empty:
            continue
        with reading.hears("legs do not fit", adr, line.origin):
            (ours, theirs), ratios = settle_pairs([line, hk], reading.fixings, listings)
            dates = rates["time"].dt.tz_localize(None).dt.normalize()
            pair = Pair(
                sheets[adr],
                sheets[hk.symbol],
                ours.reading,
                theirs.reading,
                ratios.set_index("effective_from")["ordinary_per_ads"],
                rates.set_index(dates)["per_usd"],
            )
            reading.pairs |= {adr: pair, hk.symbol: pair}
