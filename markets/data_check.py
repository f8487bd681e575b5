"""What is in a source of prices, what is missing and what looks wrong, before a backtest is trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypedDict, get_args

import pandas as pd

from entrepot.errors import DataError
from entrepot.markets.bars import BarTimes
from entrepot.markets.checks.actions import check_actions
from entrepot.markets.checks.coverage import check_coverage, pair_table, rate_ends, symbol_table
from entrepot.markets.checks.findings import SEVERITIES, Finding, finding_frame
from entrepot.markets.checks.pairs import check_pair
from entrepot.markets.checks.prices import check_prices, copies
from entrepot.markets.checks.rates import check_rates
from entrepot.markets.checks.sheets import Moves
from entrepot.markets.checks.sources import Reading, read_source, refusal
from entrepot.markets.checks.words import describe
from entrepot.markets.ends import Ends
from entrepot.markets.lines import Adjustment
from entrepot.markets.listings import Listings, ListingsSource, listings_of
from entrepot.markets.load import load_market
from entrepot.markets.sessions import check_date

if TYPE_CHECKING:
    from entrepot.markets.price_shapes import PriceSource

RANGE_COLUMNS: Final = {
    "first": "datetime64[ns]",
    "last": "datetime64[ns]",
    "lines": "int64",
    "pairs": "int64",
    "refusal": "str",
}


@dataclass(frozen=True, eq=False)
class DataCheck:
    """What `check_data` found.

    Attributes:
        name: of the source.
        symbols: one row per symbol, index `symbol`: `file`, `company`, `venue`, `kind` ("rate" for exchange
            rates, "not readable" for a file that is not), `pair` (its other leg, there or not),
            `adjustment` ("raw", "split", "total_return"), `rows`, `closes`, `first` and `last` (dates of the
            first and last close), `covered` (share of the venue's sessions between them that have a close),
            `opens`, `volumes`, `dividends`, `splits` (counts).
        pairs: one row per pair that can be formed, index `adr`: `hk`, `company`, `first`, `last`, `dates` (on
            which both legs have a close), `ratio` (ordinary shares per ADS that fits the prices, at the end),
            `median_premium`, `adr_adjustment`, `hk_adjustment`.
        ranges: what `load_market` would give for each `ends=`, index `ends`: `first`, `last`, `lines`,
            `pairs`, `refusal` ("" where it loads).
        findings: worst first: `severity` ("stops": `load_market` refuses it; "wrong": it loads, but a number
            will be wrong; "look": unusual, may be right), `kind`, `symbol`, `file`, `first` and `last`
            (dates, NaT where there is none), `count`, `what`, `why`, `fix`.
        refusal: the sentence with which `load_market` refuses the source with these arguments, "" where it
            loads.
    """

    name: str
    symbols: pd.DataFrame
    pairs: pd.DataFrame
    ranges: pd.DataFrame
    findings: pd.DataFrame = field(repr=False)
    refusal: str

    @property
    def loads(self) -> bool:
        """Whether `load_market` loads the source with the arguments of the check."""
        return not self.refusal

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings by severity, zeros included."""
        found = self.findings["severity"].value_counts()
        return {severity: int(found.get(severity, 0)) for severity in SEVERITIES}

    def __str__(self) -> str:
        return describe(self)


def check_data(
    source: PriceSource,
    *,
    start: str | pd.Timestamp | None = None,
    end: str | pd.Timestamp | None = None,
    ends: Ends = "error",
    adjusted: Adjustment | Mapping[str, Adjustment] | None = None,
    listings: ListingsSource | None = None,
    bar_times: BarTimes | None = None,
) -> DataCheck:
    """Say what is in a source of prices, what is missing and what looks wrong.

    A check goes past what it finds: of ten files that cannot be read it names ten. What it calls "stops" is
    what `load_market` refuses, and all of it, with the same sentences; what loads is never called so.
    Thresholds stand, with the figures they come from, in `markets/checks`.

    Args:
        source: as `load_market` reads it.
        start: as in `load_market`; findings that end before it are left out.
        end: as in `load_market`; findings that begin after it are left out.
        ends: as in `load_market`: what it would do about lines that end early.
        adjusted: as in `load_market`.
        listings: as in `load_market`.
        bar_times: as in `load_market`.

    Raises:
        DataError: when there is nothing to read.
        ParameterError: for an argument outside what it may be.
    """
    listed = listings_of(listings)
    given: Arguments = {
        "start": start,
        "end": end,
        "adjusted": adjusted,
        "listings": listed,
        "bar_times": bar_times,
    }
    own = try_to_load(source, ends, given)
    # Where nothing ends early there is nothing to cut or to drop.
    same = ends == "error" and not own["refusal"]
    rows = {way: own if same or way == ends else try_to_load(source, way, given) for way in get_args(Ends)}
    sentence = str(own["refusal"])
    reading = read_source(source, ends=ends, **given)
    findings = [*refusals(reading, sentence), *remarks(reading, listed)]
    return DataCheck(
        name=reading.name,
        symbols=symbol_table(reading),
        pairs=pair_table(reading),
        ranges=pd.DataFrame.from_dict(rows, orient="index").rename_axis("ends").astype(RANGE_COLUMNS),
        findings=finding_frame(within(findings, start, end)),
        refusal=sentence,
    )


class Arguments(TypedDict):
    """What a check hands on to `load_market`."""

    start: str | pd.Timestamp | None
    end: str | pd.Timestamp | None
    adjusted: Adjustment | Mapping[str, Adjustment] | None
    listings: Listings
    bar_times: BarTimes | None


def try_to_load(source: PriceSource, ends: Ends, given: Arguments) -> dict[str, object]:
    """Return what `load_market` gives, as a row of `DataCheck.ranges`."""
    try:
        market = load_market(source, ends=ends, **given)
    except DataError as error:
        return {"first": pd.NaT, "last": pd.NaT, "lines": 0, "pairs": 0, "refusal": str(error)}
    session = market.grid["session"]
    return {
        "first": session.min(),
        "last": session.max(),
        "lines": len(market.symbols),
        "pairs": len(market.pairs),
        "refusal": "",
    }


def refusals(reading: Reading, sentence: str) -> list[Finding]:
    """Return every reason why a source is refused, the one that `load_market` gives among them.

    None where it loads: what was left out of the market may then be as it likes.
    """
    if not sentence:
        return []
    heard = reading.refusals
    known = any(found.what == sentence for found in heard)
    return heard if known else [refusal("refused", "", reading.name, sentence), *heard]


def remarks(reading: Reading, listings: Listings) -> Iterator[Finding]:
    """Yield all that is wrong or unusual in what could be read."""
    yield from reading.passed_over
    for table in reading.rates:
        yield from check_rates(table)
    sheets = reading.sheets
    if not sheets:
        return
    moves = Moves.of(list(sheets.values()))
    tradable = [sheet.closes.index[-1] for sheet in sheets.values() if sheet.line.tradable]
    for sheet in sheets.values():
        yield from check_coverage(sheet, reading, max(tradable, default=sheet.closes.index[-1]), listings)
        yield from check_prices(sheet, reading.pairs.get(sheet.symbol), moves)
        yield from check_actions(sheet, listings)
    for symbol, pair in reading.pairs.items():
        if symbol == pair.adr.symbol:
            yield from check_pair(pair, moves)
    yield from copies(list(sheets.values()))
    if tradable:
        yield from rate_ends(reading, max(tradable))


def within(
    findings: Sequence[Finding], start: str | pd.Timestamp | None, end: str | pd.Timestamp | None
) -> list[Finding]:
    """Return the findings that touch a range, and those without a date."""
    low = pd.Timestamp.min if start is None else check_date(start)
    high = pd.Timestamp.max if end is None else check_date(end)
    return [
        found
        for found in findings
        if found.stops() or not found.dates or (found.dates[-1] >= low and found.dates[0] <= high)
    ]
