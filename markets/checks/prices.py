"""Checks of one line's prices: bars that contradict themselves, prices that repeat, jump or return."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.markets.checks.findings import Finding, counted, days
from entrepot.markets.checks.sheets import Moves, Pair, Sheet
from entrepot.markets.fees import half_tick
from entrepot.markets.lines import MOST_OFF_TICK, PRICE_ROUNDING, TICK_ROUNDING
from entrepot.markets.sessions import TIMEZONES, session_times

# The longest run of one close in 48 files of large names over 5 to 16 years is 4; for a price that moves by
# few ticks longer ones are chance: a run counts where chance makes it once in a million sessions.
SAME_CLOSE: Final = 5
SAME_CLOSE_WITHOUT_VOLUME: Final = 3
CHANCE: Final = 1e-6
# What the other leg or the market moves meanwhile: as much as a share of low volatility in five sessions.
MOVED_MEANWHILE: Final = 0.03
# A jump alone: far from what the line does, and larger than what one company's news made in 46 real lines
# (54 %) and in ten simulated markets (55 %, once).
JUMP_SD: Final = 10.0
JUMP: Final = float(np.log(1.6))
# A spike is told by its way back, so a smaller one counts; one of 46 real lines has one.
SPIKE_SD: Final = 8.0
SPIKE: Final = float(np.log(1.15))
RETURNED: Final = 0.2  # of a jump, left after the next day: then it is a spike
# Moves of a whole factor look like splits; below 2 they look like news (a bid at a half more).
SPLIT_FACTORS: Final = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 20.0)
SPLIT_LIKE: Final = float(np.log(1.08))
TICKS: Final = 2  # of a move, that rounding may have made
STAYS: Final = 0.3  # of a split, that the days after it may take back or add
AROUND: Final = 5  # closes on either side whose median is a level
OUTSIDE: Final = 0.005  # high and low of one venue miss a print of another by less
ONE_PRICE_ROWS: Final = 5  # fewer are days cut short by weather, which vendors fill
ZERO_VOLUME_RUN: Final = 5  # a week; single days are half days, whose volume vendors lose
SAME_FILE: Final = 20  # equal closes on that many dates are one file under two names
SAME_FILE_SHARE: Final = 0.5


def check_prices(sheet: Sheet, pair: Pair | None, moves: Moves) -> Iterator[Finding]:
    """Yield what looks wrong in one line's prices.

    Args:
        sheet: the line.
        pair: it and its other leg, where both are at hand.
        moves: of all lines, and of the market of each venue.
    """
    yield from bars(sheet)
    yield from repeated_closes(sheet, pair, moves)
    yield from zero_volume(sheet)
    yield from jumps(sheet, pair, moves)
    yield from ticks(sheet)


def bars(sheet: Sheet) -> Iterator[Finding]:
    """Rows whose high is below their low, or whose open or close lies outside of them."""
    high, low = sheet.column("high"), sheet.column("low")
    upside_down = high < low * (1 - PRICE_ROUNDING)
    if upside_down.any():
        where = days(high.index[upside_down])
        row = sheet.rows.loc[where[0]]
        yield Finding(
            "high below low",
            sheet.symbol,
            sheet.origin,
            where,
            f"high {row['high']:g} is below low {row['low']:g} on {where[0].date()}",
        )
    for name in ("close", "open"):
        price = sheet.column(name)
        beyond = np.maximum(price / high, low / price) - 1
        wrong = (beyond > OUTSIDE) & ~upside_down
        if wrong.any():
            where = days(high.index[wrong])
            row = sheet.rows.loc[where[0]]
            yield Finding(
                "outside high and low",
                sheet.symbol,
                sheet.origin,
                where,
                f"{name} {row[name]:g} lies outside {row['low']:g} to {row['high']:g} on "
                f"{where[0].date()}, by at most {beyond[wrong].max():.1%} in {counted(len(where), 'row')}",
            )


def repeated_closes(sheet: Sheet, pair: Pair | None, moves: Moves) -> Iterator[Finding]:
    """Runs of one close: wrong where the other leg, or the market, moved meanwhile."""
    closes = sheet.closes
    no_volume = (sheet.column("volume").reindex(closes.index) == 0.0).to_numpy()
    enough = longest_by_chance(sheet)
    for run in runs(closes.to_numpy(), SAME_CLOSE_WITHOUT_VOLUME):
        dates, silent = sheet.dates[run], bool(no_volume[run].all())
        if len(dates) < enough[run.start] and not silent:
            continue
        moved, who = moved_meanwhile(sheet, dates, pair, moves)
        if who and moved <= MOVED_MEANWHILE and not silent:
            continue
        yield Finding(
            "stale prices",
            sheet.symbol,
            sheet.origin,
            days(dates),
            f"the close is {closes.iloc[run.start]:g} in {counted(len(dates), 'session')} from "
            f"{dates[0].date()} to {dates[-1].date()}"
            + (" without volume" if silent else "")
            + (f", while {who} moved {np.expm1(moved):.0%}" if moved > MOVED_MEANWHILE else ""),
            severity="wrong" if moved > MOVED_MEANWHILE else "look",
        )


def longest_by_chance(sheet: Sheet) -> NDArray[np.float64]:
    """Return by row the least number of equal closes that chance does not explain, infinite for a still line.

    A close repeats where a normal move rounds to no tick, with probability ``p``; n of them in a row with
    ``p ** (n - 1)``.
    """
    half_ticks = relative_tick(sheet) / 2.0 / np.maximum(sheet.usual_move.to_numpy(), 1e-12)
    repeats = np.array([math.erf(x / math.sqrt(2.0)) for x in half_ticks])
    with np.errstate(divide="ignore"):
        rows: NDArray[np.float64] = 1.0 + np.log(CHANCE) / np.log(repeats)
    return np.where(np.isfinite(rows), np.maximum(rows, SAME_CLOSE), np.inf)


def runs(values: NDArray[Any], least: int = 1) -> Iterator[slice]:
    """Yield the stretches of equal neighbours that are at least so long."""
    edges = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1, [len(values)]])
    for at in np.flatnonzero(np.diff(edges) >= least):
        yield slice(int(edges[at]), int(edges[at + 1]))


def relative_tick(sheet: Sheet) -> NDArray[np.float64]:
    """Return the tick of each close as a share of it."""
    price = np.asarray(sheet.closes, dtype=np.float64)
    return 2.0 * half_tick(sheet.venue, price, sheet.dates) / price


def moved_meanwhile(
    sheet: Sheet, dates: pd.DatetimeIndex, pair: Pair | None, moves: Moves
) -> tuple[float, str]:
    """Return the log range of the other leg, or of the market, from the first date to the last, and whose."""
    if pair is not None:
        other = pair.other(sheet)
        level = pair.levels[pair.side(other)].loc[dates[0] : dates[-1]].dropna()
        if len(level) > 1:
            return float(level.max() - level.min()), other.symbol
    path = moves.market[sheet.venue].loc[dates[0] : dates[-1]].iloc[1:].cumsum().dropna()
    if len(path):
        return float(max(path.max(), 0.0) - min(path.min(), 0.0)), "the market"
    return 0.0, ""


def zero_volume(sheet: Sheet) -> Iterator[Finding]:
    """Runs of zero volume, and rows of one price without volume on whole days."""
    if not sheet.line.tradable or "volume" not in sheet.rows:
        return
    volume = sheet.rows["volume"].dropna()
    for run in runs((volume == 0.0).to_numpy(), ZERO_VOLUME_RUN):
        dates = volume.index[run]
        if volume.iloc[run.start] == 0.0:
            yield Finding(
                "volume zero",
                sheet.symbol,
                sheet.origin,
                days(dates),
                f"volume is 0 in {counted(len(dates), 'row')} from {dates[0].date()} to {dates[-1].date()}",
            )
    one_price = volume.reindex(sheet.rows.index) == 0.0
    for name in ("open", "high", "low"):
        one_price &= sheet.column(name) == sheet.column("close")
    whole = sheet.rows.index[one_price].intersection(sheet.sessions).difference(half_days(sheet))
    if len(whole) >= ONE_PRICE_ROWS:
        yield Finding(
            "one price without volume",
            sheet.symbol,
            sheet.origin,
            days(whole),
            f"one price in all columns and a volume of 0 in {len(whole)} sessions that are no half day",
        )


def half_days(sheet: Sheet) -> pd.DatetimeIndex:
    """Sessions of a line's venue that end before two in the afternoon."""
    table = session_times(sheet.venue, sheet.rows.index[0], sheet.rows.index[-1], ("close",))
    early = table["close"].dt.tz_convert(TIMEZONES[sheet.venue]).dt.hour < 14
    return pd.DatetimeIndex(table["session"][early])


def jumps(sheet: Sheet, pair: Pair | None, moves: Moves) -> Iterator[Finding]:
    """Moves that nothing else made, where no other leg can tell; a pair's are found on its premium."""
    if not sheet.line.tradable:
        return
    own, sd, closes = moves.beyond_market(sheet), sheet.usual_move.to_numpy(), sheet.closes
    size = own.abs().to_numpy() - TICKS * relative_tick(sheet)
    level = pd.Series(np.log(closes.to_numpy()), index=closes.index)
    told_by_pair = own.index[:0] if pair is None else pair.premium.index
    back = False
    for at in np.flatnonzero((size > SPIKE) & (size > SPIKE_SD * sd)).tolist():
        day, move = own.index[at], float(own.iloc[at])
        was_back, back = back, False
        if (
            was_back
            or own.index[at - 1 : at + 1].isin(told_by_pair).all()
            or moves.shared(sheet.symbol, day, move)
        ):
            continue
        text = f"the close goes from {closes.iloc[at - 1]:g} to {closes.iloc[at]:g} on {day.date()}"
        back = at + 1 < len(own) and abs(move + own.iloc[at + 1]) < RETURNED * abs(move)
        stays = level.iloc[at : at + AROUND].median() - level.iloc[max(at - AROUND, 0) : at].median()
        factor = nearest_factor(move)
        if back:
            kind, text = "spike", f"{text} and back to {closes.iloc[at + 1]:g}"
        elif factor and abs(stays - move) < STAYS * abs(move):
            kind = "split not named"
            text += f" and stays, as after a {'reverse ' * (move > 0)}split by {factor:g} that nothing names"
        elif size[at] > JUMP and size[at] > JUMP_SD * sd[at]:
            kind, text = (
                "jump",
                f"{text}, {np.expm1(move):+.0%} against the market, and no line went half as far",
            )
        else:
            continue
        yield Finding(kind, sheet.symbol, sheet.origin, (day,), text)


def nearest_factor(move: float) -> float:
    """Return the whole factor that a log move is close to, 0.0 where it is close to none."""
    apart = [abs(abs(move) - np.log(factor)) for factor in SPLIT_FACTORS]
    best = int(np.argmin(apart))
    return SPLIT_FACTORS[best] if apart[best] < SPLIT_LIKE else 0.0


def ticks(sheet: Sheet) -> Iterator[Finding]:
    """Closes between the ticks: adjusted, or of another currency; with dividends beside they count twice.

    Rows before a known split are left out: adjusting for it moves them off, and is said elsewhere.
    """
    kind = sheet.line.instrument["kind"]
    if kind == "index" or (kind == "etf" and sheet.venue == "XHKG") or "close" not in sheet.rows:
        return
    splits = [split.date for split in sheet.line.reading.splits]
    closes = sheet.closes.loc[max([*splits, sheet.closes.index[0]]) :]
    if closes.empty or sheet.line.reading.adjustment == "total_return":
        return
    price = np.asarray(closes, dtype=np.float64)
    tick = 2.0 * half_tick(sheet.venue, price, pd.DatetimeIndex(closes.index))
    off = np.abs(price - np.round(price / tick) * tick) > TICK_ROUNDING * tick + PRICE_ROUNDING * price
    if off.mean() <= MOST_OFF_TICK:
        return
    paid = sheet.column("dividends").loc[closes.index[0] :]
    share = f"{off.mean():.0%} of the closes from {closes.index[0].date()} to {closes.index[-1].date()}"
    # yfinance's adjusted closes come without a column Adj Close beside them; a split-adjusted file has one.
    twice = bool((paid > 0).any()) and "adj close" not in sheet.rows
    yield Finding(
        "dividends counted twice" if twice else "between the ticks",
        sheet.symbol,
        sheet.origin,
        days(closes.index[off]),
        f"{share} lie between the ticks" + (", and dividends are given" if twice else ""),
    )


def alike(sheets: Sequence[Sheet]) -> Iterator[tuple[Sheet, Sheet]]:
    """Pairs of symbols with more equal closes than one file twice has at least: of a thousand, hardly any."""
    closes = pd.DataFrame({i: sheet.closes for i, sheet in enumerate(sheets)}).to_numpy().T.copy()
    for i, one in enumerate(sheets):
        same = (closes[i + 1 :] == closes[i]).sum(axis=1)
        yield from ((one, sheets[i + 1 + int(j)]) for j in np.flatnonzero(same > SAME_FILE_SHARE * SAME_FILE))


def copies(sheets: Sequence[Sheet]) -> Iterator[Finding]:
    """Two symbols with the same closes."""
    for one, two in alike(sheets):
        both = one.closes.index.intersection(two.closes.index)
        if len(both) < SAME_FILE or one.closes[both[0]] != two.closes[both[0]]:
            continue
        same = (one.closes[both] == two.closes[both]).to_numpy()
        if same.mean() > SAME_FILE_SHARE:
            yield Finding(
                "same prices twice",
                two.symbol,
                two.origin,
                days(both[same]),
                f"{two.symbol} and {one.symbol} have the same close on {same.sum():,} of {len(both):,} dates",
            )
