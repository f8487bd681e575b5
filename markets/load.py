"""Real prices: from the daily files people have to a market, or one sentence why they cannot be trusted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd

from entrepot.errors import DataError, ParameterError, shown
from entrepot.markets.adjustment import agree, effective_ratios
from entrepot.markets.bars import BarTimes, settle_bars
from entrepot.markets.departures import Departures, fill_at_parity, say_what_is_missing
from entrepot.markets.ends import Ends, settle_end
from entrepot.markets.instruments import reference_only, say_what_is_own, venue_of
from entrepot.markets.lines import Adjustment, Line, describe_line, on_sessions, read_lines, refuse_unknown
from entrepot.markets.listings import Listings, ListingsSource, listings_of
from entrepot.markets.manifest import read_manifest
from entrepot.markets.market import Market, empty_table
from entrepot.markets.market_tables import INSTRUMENT_COLUMNS
from entrepot.markets.price_files import read_prices
from entrepot.markets.price_tables import spell_symbol
from entrepot.markets.rates import MAX_AGE, read_fixings, refuse_gaps
from entrepot.markets.sessions import build_grid, check_date, check_phases, session_times
from entrepot.markets.symbols import symbols_named

if TYPE_CHECKING:
    from entrepot.markets.price_shapes import PriceSource

FIXINGS_BEFORE_START: Final = pd.Timedelta(days=10)


def load_market(
    source: PriceSource,
    *,
    start: str | pd.Timestamp | None = None,
    end: str | pd.Timestamp | None = None,
    phases: Literal["auto"] | Sequence[str] = "auto",
    adjusted: Adjustment | Mapping[str, Adjustment] | None = None,
    hk_shorts: Collection[str] = (),
    fx_time: str | None = None,
    ends: Ends = "error",
    departures: Departures = "as_given",
    listings: ListingsSource | None = None,
    bar_times: BarTimes | None = None,
    label: str | None = None,
) -> Market:
    """Load daily prices or bars of Hong Kong and New York lines, with exchange rates, into a market.

    ``Market.notes`` says for each file what was read, left out and assumed.

    Args:
        source: a folder of one CSV or Parquet file per symbol in Yahoo's layout (Date, Open, High, Low,
            Close, Volume; Adj Close, Dividends, Stock Splits if at hand), named by symbol: ``BABA.csv``,
            ``9988.HK.csv``, ``^HSI.csv``, ``HKD=X.csv`` (HKD per USD), or one file per field with a column
            per symbol: ``Close.csv``, ``Open.csv``. One table, as a file or a DataFrame of pandas or polars:
            long with a symbol column, wide with the header levels field and symbol, or wide with a column of
            closes per symbol. A mapping of DataFrames by symbol or by field. ``vectorbt.Data``. Prices in
            local currency; a blank price is a gap. Dates are those of the exchange; stamps with a time zone
            are turned into its own first. Volume counts the shares that Close is the price of, as Yahoo's
            does: both back-adjusted for splits, or both as printed. A volume of 0 is not known. An
            ``entrepot.json`` in the folder says what ``adjusted`` and ``fx_time`` are if not given.
        start: first session, by default that of the first price; the day after where the rates begin with it.
        end: last session, by default that of the last price of any tradable line.
        phases: "auto" for four steps a day where any tradable line has opens in the range, else two; or
            ("close",) or ("open", "close").
        adjusted: how splits were treated: "raw" (as printed), "split" (back-adjusted, all known splits),
            "total_return" (dividends too), for all files or by symbol. What is not said is found out at the
            known splits; a file without one inside its dates is raw unless its pair's parity says otherwise.
        hk_shorts: Hong Kong lines that may be sold short.
        fx_time: when the fixing of a date becomes known. None: as the folder's ``entrepot.json`` says; else
            "14:15 Europe/Berlin", the time of the European Central Bank's, or "23:59 Europe/London" where the
            rates have opens, as Yahoo's, and so are no fixings but closes of whole days.
        ends: what to do about lines whose prices end more than five sessions before the market: "error",
            "drop" (leave them out) or "cut" (end the market there). A line that left New York by the
            registry is kept. "cut" also ends the market where the exchange rates do.
        departures: what to do about a line that left New York and whose prices end before its last session:
            "as_given" (a run that holds it more than five sessions past its last price is refused) or
            "parity" (the missing closes are estimated: at parity with its Hong Kong line, with that line's
            dividends; ``Market.estimates`` lists them).
        listings: what the symbols are: pairs, dated ratios, splits, lots, sectors, departures. A file, table
            or `Listings` such as `load_listings` takes and returns; a file or table is merged with the
            bundled listings. None: the bundled ones.
        bar_times: where files hold bars of 1 to 60 minutes: whether each is stamped at its "start" or its
            "end". None: found out by venue from the first and last stamps of sessions. Each bar's end is then
            a step, at which its close is known; exchange rates stay daily; ``phases`` is not given. What is
            said of days above holds of the days that the bars make.
        label: where the prices come from, printed on every report; with the word "simulated" in it, they are
            told to be. None: "prices loaded from" the name of the folder or file.

    Raises:
        DataError: when a file or the files together cannot be trusted; the sentence names file, date and fix.
        ParameterError: for an argument outside what it may be.
    """
    if not isinstance(ends, str) or ends not in ("error", "drop", "cut"):
        raise ParameterError(f"ends={shown(ends)} is unknown: it is 'error', 'drop' or 'cut'")
    if not isinstance(departures, str) or departures not in ("as_given", "parity"):
        raise ParameterError(f"departures={shown(departures)} is unknown: it is 'as_given' or 'parity'")
    if label is not None and not (isinstance(label, str) and label.strip()):
        raise ParameterError(
            f"label={shown(label)} is no text: say where the prices come from, in some words"
        )
    wanted = None if isinstance(phases, str) and phases == "auto" else check_phases(phases)
    shorts = {spell_symbol(symbol) for symbol in symbols_named("hk_shorts", hk_shorts)}
    listed = listings_of(listings)
    tables, notes, name = read_prices(source)
    tables, minutes = settle_bars(tables, bar_times, notes)
    if minutes and wanted is not None:
        raise ParameterError(
            f"phases={shown(phases)} was given and {name} holds bars: leave phases out, their steps are the "
            "open, the end of each bar and the close"
        )
    manifest = read_manifest(source)
    notes += manifest.notes()
    rates = [table for table in tables if table.symbol.endswith("=X")]
    shares = [table for table in tables if not table.symbol.endswith("=X")]
    fixings, origins, said = read_fixings(rates, manifest.rates_known(rates, fx_time, notes))
    notes += said
    lines = read_lines(shares, manifest.adjustments(shares, listed, adjusted), notes, listed)
    if not any(line.tradable for line in lines):
        raise DataError(
            f"{name} holds no tradable line: give prices of shares or funds besides rates and indices"
        )
    refuse_unknown(shorts, {line.symbol for line in lines}, "hk_shorts")
    foreign = sorted(s for s in shorts if venue_of(s) != "XHKG")
    if foreign:
        raise ParameterError(
            f"hk_shorts names {shown(foreign)}, no Hong Kong line: name lines such as 9988.HK"
        )

    first, last = date_range(lines, start, end, name)
    if start is None:
        first = after_first_rates(first, lines, fixings, notes)
    sessions = {
        venue: pd.DatetimeIndex(session_times(venue, first, last, ("close",))["session"])
        for venue in sorted({line.instrument["venue"] for line in lines})
    }
    if all(days.empty for days in sessions.values()):
        raise DataError(f"no session falls between {first.date()} and {last.date()}: widen the range")
    lines, last, delistings, missing = settle_end(
        lines, sessions, first, last, fixings, origins, ends, notes, listed
    )
    lines = [on_sessions(line, sessions[line.instrument["venue"]], notes) for line in lines]
    opens = bool(minutes) or any(len(x.open) for x in lines if x.tradable)
    steps = wanted or (("open", "close") if opens else ("close",))
    grid = build_grid(sorted({line.instrument["venue"] for line in lines}), first, last, steps, minutes)
    time = pd.DatetimeIndex(grid["time"], name="time")
    for currency in sorted({line.instrument["currency"] for line in lines} - {"USD"}):
        refuse_gaps(fixings, currency, origins[currency], time)

    lines, ratios = settle_pairs(lines, fixings, listed)
    label = f"prices loaded from {name}" if label is None else label
    label, said = say_what_is_own([x.symbol for x in lines], listed, label)
    notes += [*said, *missing_legs(lines, listed)]
    notes += [describe_line(line, sessions[line.instrument["venue"]], "open" in steps) for line in lines]
    if wanted is None and steps == ("close",):
        notes.append("No tradable line has opens in the range: two steps a day, the closes.")
    known = (fixings["time"] >= time[0] - FIXINGS_BEFORE_START) & (fixings["time"] <= time[-1])
    into = ratios.groupby("adr")["ordinary_per_ads"].last()
    if departures == "as_given":
        notes += say_what_is_missing(missing, delistings)
    market = Market(
        grid=grid,
        price=price_frame(lines, grid, time),
        volume=volume_frame(lines, grid, time),
        instruments=instrument_frame(lines, shorts, listed),
        fixings=fixings[known].reset_index(drop=True),
        ratios=ratios[ratios["effective_from"] <= last].reset_index(drop=True),
        dividends=dividend_frame(lines),
        splits=split_frame(lines, last),
        delistings=delistings.assign(ordinary_per_ads=delistings["symbol"].map(into).astype(np.float64)),
        label=label,
        notes=tuple(notes),
    )
    return market if departures == "as_given" else fill_at_parity(market, missing, listed)


def date_range(
    lines: Sequence[Line], start: str | pd.Timestamp | None, end: str | pd.Timestamp | None, name: str
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first and last date asked for, within those that have prices."""
    have = [line.close for line in lines if line.tradable]
    first, last = min(c.index[0] for c in have), max(c.index[-1] for c in have)
    low = first if start is None else max(parse_date(start, "start"), first)
    high = last if end is None else min(parse_date(end, "end"), last)
    if low > last:
        raise DataError(
            f"{name} has no prices from start={low.date()} on: the last day there is, is {last.date()}; "
            "give an earlier start"
        )
    if low > high:
        raise DataError(
            f"{name} has no prices between start={shown(start)} and end={shown(end)}: they run "
            f"from {first.date()} to {last.date()}"
        )
    return low, high


def parse_date(given: str | pd.Timestamp, argument: str) -> pd.Timestamp:
    """Return a naive date."""
    try:
        return check_date(given)
    except ParameterError:
        raise ParameterError(f"{argument}={shown(given)} is no date: write it as '2018-01-02'") from None


def after_first_rates(
    first: pd.Timestamp, lines: Sequence[Line], fixings: pd.DataFrame, notes: list[str]
) -> pd.Timestamp:
    """Return a start some days later where prices and rates were fetched from the same day on.

    The first fixing is not known yet at that day's first step.
    """
    used = fixings[fixings["currency"].isin({line.instrument["currency"] for line in lines})]
    begun = used.groupby("currency")["time"].min().dt.tz_localize(None).dt.normalize()
    late = begun[(begun >= first) & (begun <= first + MAX_AGE)]
    if late.empty:
        return first
    start = pd.Timestamp(late.max()) + pd.Timedelta(days=1)
    notes.append(f"The market starts {start.date()}: the rates of {late.idxmax()} begin {late.max().date()}.")
    return start


def settle_pairs(
    lines: list[Line], fixings: pd.DataFrame, listings: Listings
) -> tuple[list[Line], pd.DataFrame]:
    """Make the two lines of each pair agree on their splits, and return the ratios that fit."""
    by_symbol = {line.symbol: line for line in lines}
    registry = listings.ratios
    parts = [empty_table("ratios")]
    for line in lines:
        if line.instrument["kind"] not in ("ads", "common"):
            continue
        rows = registry[registry["adr"] == line.symbol]
        history = list(zip(rows["effective_from"], rows["ordinary_per_ads"], strict=True))
        hk = by_symbol.get(line.instrument["pair"])
        if hk is None:
            fits = effective_ratios(history, line.reading, None)
        else:
            rate = fixings[fixings["currency"] == hk.instrument["currency"]]
            per_usd = rate.set_index(rate["time"].dt.tz_localize(None).dt.normalize())["per_usd"]
            one, two, fits = agree(history, line.reading, hk.reading, per_usd)
            by_symbol[line.symbol] = replace(line, reading=one)
            by_symbol[hk.symbol] = replace(hk, reading=two)
        parts.append(
            pd.DataFrame(
                {"adr": line.symbol, "effective_from": fits.index, "ordinary_per_ads": fits.to_numpy()}
            )
        )
    return list(by_symbol.values()), pd.concat(parts, ignore_index=True)


def missing_legs(lines: Sequence[Line], listings: Listings) -> list[str]:
    """Say of each leg of a listed pair that the other one is not loaded; a reference is not missed."""
    loaded = {line.symbol for line in lines}
    return [
        f"{line.symbol} has no pair here: {other} is missing."
        for line in lines
        if (other := line.instrument["pair"]) and other not in loaded and not reference_only(other, listings)
    ]


def price_frame(lines: Sequence[Line], grid: pd.DataFrame, time: pd.DatetimeIndex) -> pd.DataFrame:
    """Lay the lines' opens, bars and closes on the grid, shape (T, N)."""
    price = np.full((len(grid), len(lines)), np.nan)
    for (venue, phase), part in grid.groupby(["venue", "phase"]):
        for column, line in enumerate(lines):
            if line.instrument["venue"] == venue:
                price[part.index, column] = line.prints(str(phase), part)
    return pd.DataFrame(price, index=time, columns=pd.Index([line.symbol for line in lines], name="symbol"))


def volume_frame(lines: Sequence[Line], grid: pd.DataFrame, time: pd.DatetimeIndex) -> pd.DataFrame | None:
    """Lay the lines' volumes on the grid's closes, shape (T, N); None where no line has any."""
    volume = np.full((len(grid), len(lines)), np.nan)
    for venue, part in grid[grid["phase"] == "close"].groupby("venue"):
        sessions = pd.DatetimeIndex(part["session"])
        for column, line in enumerate(lines):
            if line.tradable and line.instrument["venue"] == venue:
                volume[part.index, column] = line.volume.reindex(sessions).to_numpy()
    if np.isnan(volume).all():
        return None
    return pd.DataFrame(volume, index=time, columns=pd.Index([line.symbol for line in lines], name="symbol"))


def instrument_frame(lines: Sequence[Line], shorts: Collection[str], listings: Listings) -> pd.DataFrame:
    """One row per line with the market's columns."""
    loaded = {line.symbol for line in lines}
    rows = [
        {
            **line.instrument,
            "pair": line.instrument["pair"] if line.instrument["pair"] in loaded else "",
            "adjustment": line.reading.adjustment,
            "shortable": line.tradable
            and not reference_only(line.symbol, listings)
            and (line.instrument["venue"] != "XHKG" or line.symbol in shorts),
        }
        for line in lines
    ]
    index = pd.Index([line.symbol for line in lines], name="symbol")
    return pd.DataFrame(rows, index=index)[list(INSTRUMENT_COLUMNS)]


def dividend_frame(lines: Sequence[Line]) -> pd.DataFrame:
    """The dividends in the files, by ex-date; total-return prices already hold theirs."""
    parts = [empty_table("dividends")]
    for line in lines:
        paid = line.dividends[line.dividends > 0]
        if line.tradable and line.reading.adjustment != "total_return" and len(paid):
            dates = {
                "ex_date": paid.index,
                "pay_date": pd.Series(pd.NaT, index=range(len(paid)), dtype="datetime64[ns]"),
            }
            parts.append(pd.DataFrame({"symbol": line.symbol, **dates, "amount": paid.to_numpy()}))
    return pd.concat(parts, ignore_index=True)


def split_frame(lines: Sequence[Line], last: pd.Timestamp) -> pd.DataFrame:
    """The splits that raw prices go through between their first print and the end."""
    rows = [
        (line.symbol, split.date, split.factor)
        for line in lines
        if line.reading.adjustment == "raw" and line.tradable
        for split in line.reading.splits
        if line.close.index[0] < split.date <= last
    ]
    table = empty_table("splits")
    return pd.DataFrame(rows, columns=list(table)).astype(table.dtypes.to_dict()) if rows else table
