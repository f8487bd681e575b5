"""Checks of a pair: what one leg says that the other denies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from entrepot.markets.adjustment import JUMP
from entrepot.markets.checks.findings import Finding, counted, days, listed
from entrepot.markets.checks.sheets import Moves, Pair, Sheet

SHIFTS: Final = (-2, -1, 0, 1, 2)
YEAR_ROWS: Final = 60  # dates of a year on which both legs have prices, for a word about that year
SHIFTED: Final = 0.25  # the largest such correlation in 100 real pair-years is 0.2
# The furthest a real print lies from the other leg's before and after it is 21 % (quarterly figures); a line
# that moves by more than 5 % a day may do so by chance.
SPIKE: Final = float(np.log(1.25))
SPIKE_SD: Final = 5.0
AROUND: Final = 7  # dates whose median premium a spike is measured from
CARRIED: Final = 3  # rows that the other leg's price may be old, over a holiday of one venue
# The largest change between medians of ten dates is 10 % in 13 real pairs, 17 % in ten simulated markets.
BREAK: Final = JUMP
BREAK_ROWS: Final = 10
DRIFT: Final = 0.05  # the largest median of a real pair-year is 1.2 %
SAME_DIVIDEND_DAYS: Final = 20  # ex-dates of one dividend are at most a week or two apart
EDGE: Final = pd.Timedelta(days=SAME_DIVIDEND_DAYS)
# Amounts of one dividend agree to the withholding tax that some vendors deduct and to rounding.
AGREES: Final = (0.75, 1.35)


def check_pair(pair: Pair, moves: Moves) -> Iterator[Finding]:
    """Yield what looks wrong between the legs of a pair."""
    yield from shifted(pair, moves)
    yield from breaks(pair)
    yield from spikes(pair)
    yield from drift(pair)
    yield from dividends(pair)


def shifted(pair: Pair, moves: Moves) -> Iterator[Finding]:
    """A leg whose dates are a session off.

    New York's day lies between two of Hong Kong: its return goes with Hong Kong's of the same date and of the
    next one, and with no other. In 13 real pairs those two correlations are 0.15 to 0.83, all others within
    0.13.
    """
    both = pair.levels.dropna().diff().iloc[1:]
    wrong: dict[str, list[pd.DatetimeIndex]] = {"late": [], "early": []}
    for _, part in both.groupby(pd.DatetimeIndex(both.index).year):
        if len(part) < YEAR_ROWS:
            continue
        with np.errstate(invalid="ignore"):
            near = {k: float(part["adr"].corr(both["hk"].shift(-k).loc[part.index])) for k in SHIFTS}
        early, late = near[2], max(near[-1], near[-2])
        if max(early, late) >= SHIFTED and max(early, late) > min(near[0], near[1]):
            wrong["early" if early > late else "late"].append(pd.DatetimeIndex(part.index))
    for when, parts in wrong.items():
        if parts:
            dates = pd.DatetimeIndex(np.concatenate(parts))
            leg, certain = culprit(pair, moves, dates)
            other = pair.other(leg)
            # New York late looks like Hong Kong early, and the other way round.
            back = (when == "late") == (leg is pair.adr)
            ways = ("back", "on") if back else ("on", "back")
            yield Finding(
                "shifted sessions",
                leg.symbol,
                leg.origin,
                days(dates),
                f"returns fit those of {other.symbol} if the dates are moved a session {ways[0]}"
                + ("" if certain else f" (or those of {other.symbol} a session {ways[1]})")
                + f", in {', '.join(str(p[0].year) for p in parts)}",
            )


def culprit(pair: Pair, moves: Moves, dates: pd.DatetimeIndex) -> tuple[Sheet, bool]:
    """Return the leg that goes less with its own market on some dates, and whether markets could tell."""

    def fits(sheet: Sheet) -> float:
        return float(sheet.moves.reindex(dates).corr(moves.market[sheet.venue].reindex(dates)))

    adr, hk = fits(pair.adr), fits(pair.hk)
    return pair.hk if hk < adr else pair.adr, not np.isnan(adr + hk)


def breaks(pair: Pair) -> Iterator[Finding]:
    """Dates from which the premium stands at another level."""
    gap = pair.premium
    dates, moves = pd.DatetimeIndex(gap.index), gap.diff().abs().to_numpy()
    behind = gap.rolling(BREAK_ROWS).median().shift()
    ahead = gap[::-1].rolling(BREAK_ROWS).median()[::-1]
    step = (ahead - behind).fillna(0.0).to_numpy(copy=True)
    while len(step) and np.abs(step).max() > BREAK:
        # Medians move at several dates around the break; the premium itself moves at its own.
        peak = int(np.argmax(np.abs(step)))
        first = max(peak - BREAK_ROWS // 2, 1)
        day = dates[first + int(np.argmax(moves[first : peak + BREAK_ROWS // 2 + 1]))]
        leg = moved_leg(pair, day)
        yield Finding(
            "level break",
            leg.symbol,
            leg.origin,
            (day,),
            f"from {day.date()} on {pair.adr.symbol} stands {np.exp(step[peak]):.3g} times as high against "
            f"{pair.hk.symbol} as before, and the move is {leg.symbol}'s",
        )
        step[max(peak - 2 * BREAK_ROWS, 0) : peak + 2 * BREAK_ROWS] = 0.0


def moved_leg(pair: Pair, day: pd.Timestamp) -> Sheet:
    """Return the leg that moved more on a date."""
    adr, hk = pair.levels.dropna().diff().abs().loc[[day]].to_numpy()[0]
    return pair.adr if adr >= hk else pair.hk


def spikes(pair: Pair) -> Iterator[Finding]:
    """Prices that the other leg denies just before and just after, far from where the premium stands."""
    levels = pair.levels
    adr, hk = levels["adr"], levels["hk"]
    # On one date Hong Kong closes before New York.
    around = {
        "adr": (hk.ffill(limit=CARRIED), hk.bfill(limit=CARRIED).shift(-1)),
        "hk": (adr.ffill(limit=CARRIED).shift(), adr.bfill(limit=CARRIED)),
    }
    stands = pair.premium.rolling(AROUND, center=True, min_periods=1).median().reindex(levels.index).ffill()
    for leg in pair.legs:
        price = levels[pair.side(leg)]
        before, after = around[pair.side(leg)]
        far = (price - np.maximum(before, after)).clip(lower=0) + (price - np.minimum(before, after)).clip(
            upper=0
        )
        limit = np.maximum(SPIKE, SPIKE_SD * leg.usual_move.reindex(price.index))
        usual = stands if leg is pair.adr else -stands
        for day in price.index[(far.abs() > limit) & ((far - usual).abs() > limit)]:
            yield Finding(
                "spike in one leg",
                leg.symbol,
                leg.origin,
                (day,),
                f"the price of {leg.table.level[day]:g} on {day.date()} lies {np.expm1(far[day]):+.0%} from "
                f"what {pair.other(leg).symbol} says just before and after",
            )


def drift(pair: Pair) -> Iterator[Finding]:
    """Years whose premium stands far from zero."""
    gap = pair.premium
    years = pd.DatetimeIndex(gap.index).year
    by_year = gap.groupby(years).agg(["median", "size"])
    far = by_year[(by_year["median"].abs() > DRIFT) & (by_year["size"] >= YEAR_ROWS)]
    if far.empty:
        return
    dates = gap.index[years.isin(far.index)]
    told = [f"{np.expm1(median):+.0%} in {year}" for year, median in far["median"].items()]
    yield Finding(
        "premium far from zero",
        pair.adr.symbol,
        pair.adr.origin,
        days(dates),
        f"the median premium over {pair.hk.symbol} is {listed(told, 6)}",
    )


def dividends(pair: Pair) -> Iterator[Finding]:
    """Dividends that one leg has and the other has not, or that differ by more than tax and rounding."""
    if "total_return" in (pair.ads_reading.adjustment, pair.hk_reading.adjustment) or pair.premium.empty:
        return
    first, last = pair.premium.index[0] + EDGE, pair.premium.index[-1] - EDGE
    ours = pair.hkd_per_ordinary(paid(pair.adr).loc[first - EDGE : last + EDGE])
    theirs = paid(pair.hk).loc[first - EDGE : last + EDGE]
    matched = match(ours, theirs)
    alone = {
        pair.adr: [d for d in ours.index if d not in {a for a, _ in matched}],
        pair.hk: [d for d in theirs.index if d not in {b for _, b in matched}],
    }
    for leg, dates in alone.items():
        inside = [d for d in dates if first <= d <= last]
        if inside:
            amounts = [f"{paid(leg)[d]:g} on {d.date()}" for d in inside]
            yield Finding(
                "dividend on one leg",
                leg.symbol,
                leg.origin,
                days(inside),
                f"{pair.other(leg).symbol} has none within {SAME_DIVIDEND_DAYS} days of "
                f"{counted(len(inside), 'dividend')} of {leg.symbol}: {listed(amounts)}",
            )
    apart = pd.Series({a: ours[a] / theirs[b] for a, b in matched}, dtype=np.float64)
    wrong = apart[(apart < AGREES[0]) | (apart > AGREES[1])]
    if len(wrong):
        amounts = [f"{paid(pair.adr)[d]:g} on {d.date()} ({apart[d]:.3g} times)" for d in wrong.index]
        yield Finding(
            "dividends in other units",
            pair.adr.symbol,
            pair.adr.origin,
            days(wrong.index),
            f"{counted(len(wrong), 'dividend')} of {pair.adr.symbol} per ordinary share "
            f"{'is' if len(wrong) == 1 else 'are'} not what {pair.hk.symbol} paid: {listed(amounts)}",
        )


def paid(sheet: Sheet) -> pd.Series[float]:
    """Return a line's dividends by ex-date."""
    amounts = sheet.column("dividends")
    return amounts[amounts > 0]


def match(ours: pd.Series[float], theirs: pd.Series[float]) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Return the pairs of ex-dates of one dividend: the nearest amounts first, each date at most once."""
    near = [
        (abs(np.log(ours[a] / theirs[b])), abs(a - b), a, b)
        for a in ours.index
        for b in theirs.index[np.abs(theirs.index - a) <= EDGE]
    ]
    pairs: list[tuple[pd.Timestamp, pd.Timestamp]] = []
    for *_, a, b in sorted(near):
        if all(a != one and b != two for one, two in pairs):
            pairs.append((a, b))
    return sorted(pairs)
