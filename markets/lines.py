"""A line on its way from its file into the market: what it is, and which of its prices are to be kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, shown
from entrepot.markets.adjustment import SAME_ACTION_DAYS, Reading, read_adjustment
from entrepot.markets.fees import half_tick
from entrepot.markets.instruments import Instrument, describe, venue_of
from entrepot.markets.listings import Listings
from entrepot.markets.market_tables import refuse_large_dividend
from entrepot.markets.price_tables import RANGE, PriceTable, spell_symbol

Adjustment = Literal["raw", "split", "total_return"]

ADJUSTMENTS: Final = ("raw", "split", "total_return")
MOST_NAMED: Final = 5
MOST_OFF_TICK: Final = 0.05
TICK_ROUNDING, PRICE_ROUNDING = 1e-3, 1e-6  # of the tick, and of the price where it is stored in 32 bits
MOST_IN_A_DAY: Final = 5.0
MOST_FROM_CLOSE: Final = 3.0
# Between opens and closes, in the median of a year of so many days and more.
MOST_USUALLY, DAYS_TO_TELL = np.log(1.03), 120
ONE_DAY: Final = 11  # days between two rows that are neighbours, longer than a holiday; a longer halt is not


@dataclass(frozen=True, eq=False)
class Line:
    """One tradable line or index on its way into the market: prices by session, in the range only.

    ``volume`` counts the shares that ``close`` is the price of; NaN where the file has none, or 0, which is
    what vendors write into rows they filled. ``bars`` are the prices by the UTC time at which each was known,
    those of the close among them; None where there are only days.
    """

    symbol: str
    origin: str
    instrument: Instrument
    reading: Reading
    close: pd.Series[float]
    open: pd.Series[float]
    dividends: pd.Series[float]
    volume: pd.Series[float]
    bars: pd.Series[float] | None = None

    @property
    def tradable(self) -> bool:
        """Whether orders may be given for it: an index only informs."""
        return self.instrument["kind"] != "index"

    def within(self, first: pd.Timestamp, last: pd.Timestamp) -> Line:
        """Return the line with the rows from one date to another."""
        span = slice(first, last)
        return replace(
            self,
            close=self.close.loc[span].dropna(),
            open=self.open.loc[span].dropna(),
            dividends=self.dividends.loc[span],
            volume=self.volume.loc[span],
            # Neither venue trades over midnight in UTC.
            bars=None if self.bars is None else self.bars.loc[str(first.date()) : str(last.date())],
        )

    def prints(self, phase: str, steps: pd.DataFrame) -> NDArray[np.float64]:
        """Return the prices at steps of one phase of its venue, NaN where there is none."""
        if phase != "open" and self.bars is not None:
            return np.asarray(self.bars.reindex(pd.DatetimeIndex(steps["time"])))
        if phase == "bar":
            return np.full(len(steps), np.nan)
        prints = self.open if phase == "open" else self.close
        return np.asarray(prints.reindex(pd.DatetimeIndex(steps["session"])))


def read_lines(
    tables: Sequence[PriceTable],
    adjusted: Adjustment | Mapping[str, Adjustment] | None,
    notes: list[str],
    listings: Listings,
) -> list[Line]:
    """Say what each table is and how its splits were treated."""
    if not (adjusted is None or isinstance(adjusted, str | Mapping)):
        raise ParameterError(
            f"adjusted={shown(adjusted)} is neither a word nor one by symbol: it is one of "
            f"{', '.join(ADJUSTMENTS)}, or a dict of them by symbol"
        )
    told = dict(adjusted) if isinstance(adjusted, Mapping) else {}
    told = {spell_symbol(str(symbol)): kind for symbol, kind in told.items()}
    refuse_unknown(told, {t.symbol for t in tables}, "adjusted")
    for kind in [*told.values(), *([adjusted] if isinstance(adjusted, str) else [])]:
        if not isinstance(kind, str) or kind not in ADJUSTMENTS:
            raise ParameterError(f"adjusted={shown(kind)} is unknown: it is one of {', '.join(ADJUSTMENTS)}")
    lines = []
    for table in tables:
        if not venue_of(table.symbol):
            notes.append(f"{table.origin} was left out: the venue of this index is not known.")
            continue
        instrument, said = describe(table.symbol, listings)
        notes += said
        # A word for all files is about those that could be otherwise: Adj Close alone is total return.
        for_all = adjusted if isinstance(adjusted, str) and "close" in table.frame else None
        reading = read_adjustment(
            table, registry_splits(instrument, table.symbol, listings), told.get(table.symbol, for_all)
        )
        refuse_implausible(table, reading)
        if reading.adjustment == "total_return" and table.bars is not None:
            raise ParameterError(
                f"adjusted='total_return' was said of {table.origin}, which holds bars: they are 'raw' or "
                "'split'"
            )
        if instrument["venue"] == "XHKG" and instrument["kind"] not in ("etf", "index"):
            reading = off_tick(reading, notes)
        close, opened = table.level, true_opens(table, notes)
        volume = table.column("volume")
        volume = volume.where(volume > 0)
        if reading.adjustment == "total_return" and "close" in table.frame:
            if len(table.adjusted):
                close = table.adjusted
                opened = opened * close / table.column("close")
                volume = volume * table.column("close") / close  # price times volume is the value traded
            else:
                notes.append(
                    f"{table.origin} has no Adj Close: its closes were taken as total return, as told."
                )
        lines.append(
            Line(
                table.symbol,
                table.origin,
                instrument,
                reading,
                close,
                opened if instrument["kind"] != "index" else opened.iloc[:0],
                table.column("dividends"),
                volume,
                None if table.bars is None else table.bars["close"],
            )
        )
    return lines


def true_opens(table: PriceTable, notes: list[str]) -> pd.Series[float]:
    """Return the opens without those that are the close in disguise.

    Vendors fill half days and days they missed with one price in all columns and no volume. It is the close,
    and a fill at such an "open" would be hours ahead of its time.
    """
    opened, silent = table.column("open"), table.column("volume") == 0.0
    one_price = silent & opened.notna()
    if not one_price.any():
        return opened
    for name in (*RANGE, "close"):
        column = table.column(name)
        one_price &= column.isna() | (column == opened)
    if one_price.any():
        notes.append(
            f"{table.origin}: {counted(int(one_price.sum()), 'open')} left out, of days with one price and "
            "no volume."
        )
    return opened.mask(one_price)


def counted(number: int, what: str) -> str:
    """Return "1 open was" or "2 opens were"."""
    return f"1 {what} was" if number == 1 else f"{number} {what}s were"


def off_tick(reading: Reading, notes: list[str]) -> Reading:
    """Return a Hong Kong line as split-adjusted where too many of its closes lie between the ticks.

    A close is a multiple of its date's tick. A file raw throughout misses a handful (vendors' errors, and
    days around a change of the table: under 1 % in every raw file seen); back-adjusting moves most of the
    earlier prices off (over 50 %). A jump at a known split, and the caller, speak first.
    """
    level = reading.level
    first, last = level.index[0], level.index[-1]
    seen = any(first < split.date <= last for split in reading.splits)
    if reading.told or seen or reading.adjustment != "raw":
        return reading
    price = np.exp(level.to_numpy())
    tick = 2.0 * half_tick("XHKG", price, pd.DatetimeIndex(level.index))
    off = np.abs(price - np.round(price / tick) * tick) > TICK_ROUNDING * tick + PRICE_ROUNDING * price
    if off.mean() <= MOST_OFF_TICK:
        return reading
    notes.append(
        f"{reading.symbol} is read as split-adjusted (as found): its prices lie between the ticks on "
        f"{off.mean():.0%} of its days, so its lots and ticks are off."
    )
    return replace(reading, adjustment="split", later=True)


def refuse_implausible(table: PriceTable, reading: Reading) -> None:
    """Refuse a move or an open that no market makes and no known split explains."""
    level, days = reading.level, pd.DatetimeIndex(reading.level.index)
    moves = np.diff(level.to_numpy())
    near = np.diff(days.asi8) <= pd.Timedelta(days=ONE_DAY).as_unit(days.unit).value
    for row in (np.flatnonzero((np.abs(moves) > np.log(MOST_IN_A_DAY)) & near) + 1).tolist():
        before, after = np.exp(level.iloc[row - 1]), np.exp(level.iloc[row])
        actions = [
            np.log(split.factor)
            for split in reading.splits
            if min(abs((split.date - days[row]).days), abs((split.listed - days[row]).days))
            <= SAME_ACTION_DAYS
        ]
        if not any(abs(moves[row - 1] + action) <= np.log(MOST_IN_A_DAY) for action in actions):
            raise DataError(
                f"{table.origin} moves from {before:g} to {after:g} on {days[row].date()}, more than "
                f"{MOST_IN_A_DAY:g}-fold in a day: correct the row, or name the split in Stock Splits"
            )
    if "close" in table.frame and reading.adjustment != "total_return":
        refuse_impossible_actions(table)
    if "open" in table.frame:
        refuse_other_opens(table)


def refuse_other_opens(table: PriceTable) -> None:
    """Refuse an open far from its close, and a year of opens that are not adjusted as the closes are.

    A year's median is within 1.2 % in every file seen that is right.
    """
    close = table.level
    opened = table.frame["open"].reindex(close.index)
    apart = np.log(opened / close).dropna()
    day = apart.abs().idxmax() if len(apart) else None
    if day is not None and abs(apart[day]) > np.log(MOST_FROM_CLOSE):
        raise DataError(
            f"{table.origin} has open {opened[day]:g} and close {close[day]:g} on {day.date()}, more than "
            f"{MOST_FROM_CLOSE:g}-fold apart: correct the row, or load open and close adjusted for the same "
            "splits"
        )
    by_year = apart.groupby(pd.DatetimeIndex(apart.index).year)
    usual = by_year.median()[by_year.size() >= DAYS_TO_TELL]
    for year in usual.index[usual.abs() > MOST_USUALLY]:
        raise DataError(
            f"{table.origin} has opens that in {year} lie {np.expm1(usual[year]):+.1%} from the closes in "
            "the median: load both adjusted for the same splits and dividends, or leave the opens out"
        )


def refuse_impossible_actions(table: PriceTable) -> None:
    """Refuse a dividend that is no less than the last close with it, and what comes too often for splits."""
    paid = table.column("dividends")
    before = table.column("close").ffill().shift()
    for row in np.flatnonzero(paid >= before)[:1]:
        refuse_large_dividend(table.origin, table.frame.index[row], paid.iloc[row], before.iloc[row])
    splits = table.column("stock splits")
    splits = splits[(splits > 0) & (splits != 1)]
    # Two may be meant: a consolidation that buys out small holders is followed by the split that undoes it.
    days, week = splits.index.to_series(), pd.Timedelta(days=SAME_ACTION_DAYS)
    wrong = (days.diff() < week) & (splits == splits.shift()) | (days.diff(2) < week)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{table.origin} has stock splits {splits.iloc[row]:g} on {splits.index[row].date()}, the same "
            "or two others within the week before: keep one row of each split, or correct the column"
        )


def registry_splits(
    instrument: Instrument, symbol: str, listings: Listings
) -> list[tuple[pd.Timestamp, float]]:
    """Return date and factor of the splits that the listings know of a line."""
    hk = instrument["venue"] == "XHKG"
    rows = listings.splits
    rows = rows[
        (rows["adr"] == (instrument["pair"] if hk else symbol))
        & rows["line"].isin(["hk" if hk else "ads", "both"])
    ]
    return list(zip(rows["date"], rows["factor"], strict=True))


def refuse_unknown(named: Iterable[str], known: Collection[str], argument: str) -> None:
    """Refuse an argument that names a symbol without a file."""
    strangers = sorted(set(named) - set(known))
    if strangers:
        raise ParameterError(
            f"{argument} names {', '.join(strangers)}, which has no price file: correct the symbol"
        )


def on_sessions(line: Line, sessions: pd.DatetimeIndex, notes: list[str]) -> Line:
    """Drop repeated closes on days without a session; refuse any other print there."""
    odd = line.close.index.difference(sessions)
    if odd.empty:
        return line
    before = line.close.shift()
    traded = line.volume.reindex(odd).fillna(0.0) > 0
    moved = before[odd].notna() & (line.close[odd] != before[odd])
    real = odd[(traded | moved).to_numpy()]
    if len(real):
        raise DataError(
            f"{line.origin} has a price on {real[0].date()}, when {line.instrument['venue']} held no "
            "session: correct its date or delete the row"
        )
    notes.append(
        f"{line.origin}: {counted(len(odd), 'repeated close')} without volume on days without a session "
        f"left out "
        f"({', '.join(str(d.date()) for d in odd[:MOST_NAMED])}{', ...' if len(odd) > MOST_NAMED else ''})."
    )
    return replace(line, close=line.close.drop(odd), open=line.open.drop(odd, errors="ignore"))


def describe_line(line: Line, sessions: pd.DatetimeIndex, with_opens: bool) -> str:
    """Say in a sentence what was read of a line."""
    first, last = line.close.index[0], line.close.index[-1]
    inside = int(sessions.slice_indexer(first, last).stop - sessions.slice_indexer(first, last).start)
    gaps = inside - len(line.close)
    kind = {"raw": "raw", "split": "split-adjusted", "total_return": "total-return"}[line.reading.adjustment]
    how = "as told" if line.reading.told else "as found"
    paid = int((line.dividends > 0).sum()) if line.reading.adjustment != "total_return" else 0
    parts = [f"{len(line.close):,} closes"]
    parts += [f"{len(line.open):,} opens"] if with_opens and len(line.open) else []
    parts += [f"{paid} dividends"] if paid else []
    parts += [f"{gaps} sessions without a price"] if gaps else []
    return (
        f"{line.origin}: {kind} prices ({how}) from {first.date()} to {last.date()}, {', '.join(parts)}."
        if line.tradable
        else f"{line.origin}: {parts[0]} from {first.date()} to {last.date()}, an index, not tradable."
    )
