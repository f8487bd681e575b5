"""What the trades on series of one's own share: their lines, readings still fresh, rankings and targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, shown
from entrepot.markets.known_series import KnownSeries
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind, short
from entrepot.strategies.sector_universe import total_return_levels
from entrepot.strategies.targets import (
    STALE_SESSIONS,
    Targets,
    changes,
    columns_of,
    decisions,
    departed,
    latest,
    sessions_of,
)

THIRDS = 3  # the strongest third is held where no number is given, as in sorts on terciles

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def require_series(name: str, value: object) -> None:
    """Refuse what is no series with the times it became known."""
    if not isinstance(value, KnownSeries):
        raise ParameterError(f"{name} is {kind(value)}: give a series, such as load_series('{name}.csv')")


def hong_kong_lines(
    market: Market, series: KnownSeries, among: Sequence[str] | None = None
) -> tuple[KnownSeries, tuple[str, ...]]:
    """Return the columns of a series that are Hong Kong lines of a market, and a note on what is left out.

    A market of one venue does not say where its lines trade: there the symbol does.

    Args:
        market: whose order the columns take.
        series: by symbol.
        among: symbols that alone are asked for; None: all.

    Raises:
        ParameterError: where no column is left, naming what there was.
    """
    table = market.instruments
    fits = (table["venue"] == "XHKG") | table.index.str.endswith(".HK")
    fits &= table["kind"] != "index"
    asked = series.symbols if among is None else tuple(dict.fromkeys(among))
    inside = [symbol for symbol in market.symbols if fits[symbol] and symbol in asked]
    inside = [symbol for symbol in inside if symbol in series.symbols]
    if not inside:
        told = [symbol for symbol in asked if symbol in series.symbols] or asked
        raise ParameterError(
            f"{short(series.name)} and this market share no Hong Kong line among {short(', '.join(told))}: "
            "spell the columns as the market's symbols, such as 9988.HK"
        )
    out = [symbol for symbol in asked if symbol not in inside]
    why = "no Hong Kong line of this market" if among is None else "not in it, or not in this market"
    return series.only(inside), (f"{series.name}: {why}, left out: {short(', '.join(out))}",) if out else ()


def fresh(
    series: KnownSeries,
    market: Market,
    stale: float,
    make: Callable[[pd.DataFrame], pd.DataFrame] = lambda values: values,
) -> Floats:
    """Return what is made of each column up to the last value known at each decision, shape (S, columns).

    Args:
        series: shape (rows, columns).
        market: of S decisions.
        stale: New York sessions after which that value no longer counts: NaN from then on.
        make: turns the values into a frame of the same rows, each from itself and those above it, NaN where
            nothing can be made; what was made of a row before is not carried on. Without one, the values.
    """
    # Numbered from 1: row 0 is for what is not known yet.
    numbered = series.derived(lambda values: values * 0.0 + np.arange(1.0, len(values) + 1)[:, None])
    row, age = numbered.latest(market, decisions(market))
    made = np.vstack([np.full(len(series.symbols), np.nan), make(series.values).to_numpy()])
    value = np.take_along_axis(made, np.nan_to_num(row).astype(np.intp), axis=0)
    return np.where(age <= stale, value, np.nan)


def rolling_mean(values: pd.DataFrame, window: int) -> pd.DataFrame:
    """Mean of the last ``window`` rows, NaN where the last is not known, or fewer than half of them are."""
    return values.rolling(window, min_periods=(window + 1) // 2).mean().where(values.notna())


def rolling_zscore(values: pd.DataFrame, window: int) -> pd.DataFrame:
    """Distance from the mean of the last ``window`` rows in their standard deviations (ddof 1).

    NaN where the last is not known, fewer than half of them are, or all are equal.
    """
    rows = values.rolling(window, min_periods=(window + 1) // 2)
    deviation = rows.std()
    return (values - rows.mean()) / deviation.where(deviation > 1e-12)


def quoted(market: Market, columns: NDArray[np.intp]) -> Mask:
    """Tell which lines have traded within five sessions of each decision and not left, shape (S, lines)."""
    steps = decisions(market)
    age = latest(market.printed[:, columns], steps)[1]
    return (age <= STALE_SESSIONS) & ~departed(market)[np.ix_(steps, columns)]


def trend(market: Market, columns: NDArray[np.intp], sessions: int) -> Floats:
    """Return each line's level against its own mean, as of each decision.

    level / mean(levels of the last ``sessions`` decisions, this one included) - 1, on prices with splits and
    gross dividends. Shape (S, lines), NaN before there are so many.
    """
    known = pd.DataFrame(latest(total_return_levels(market, columns), decisions(market))[0])
    return (known / known.rolling(sessions).mean() - 1).to_numpy()


def rebalances(score: Floats, every: int) -> NDArray[np.intp]:
    """Return the decisions that rank: every so many from the first that has a score."""
    scored = np.isfinite(score).any(axis=1)
    return np.arange(int(np.argmax(scored)) if scored.any() else len(score), len(score), every)


def extremes(score: Floats, top: int | None, both: bool) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the lines with the highest scores and those with the lowest; of equals the first is higher.

    Args:
        score: of each line, NaN where it is not ranked, shape (lines,).
        top: how many; None: a third of those ranked.
        both: the two ends are wanted and may not overlap.
    """
    ranked = np.flatnonzero(np.isfinite(score))
    count = len(ranked) // THIRDS if top is None else min(top, len(ranked) // (2 if both else 1))
    highest = ranked[np.argsort(-score[ranked], kind="stable")]
    return highest[:count], highest[::-1][:count]


def basket(
    score: Floats, every: int, top: int | None, gross: float, long: Mask, below: Mask | None = None
) -> Floats:
    """Return the weights of the strongest lines, and of the weakest below zero, as of each decision.

    Each of ``top`` lines gets ``gross / top``, of a third an equal part of ``gross``. The part of a line that
    may not be held stays in cash.

    Args:
        score: shape (S, lines), NaN where a line is not ranked.
        every: decisions from one ranking to the next.
        top: lines held; None: a third of those ranked.
        gross: sum of the weights on one side.
        long: whether each line may be held, (S, lines).
        below: whether each may be sold short, (S, lines); None: long only.
    """
    wanted, ranks = np.zeros(score.shape), rebalances(score, every)
    for i, s in enumerate(ranks):
        best, worst = extremes(score[s], top, below is not None)
        weight = np.zeros(score.shape[1])
        share = gross / (top or max(len(best), 1))
        weight[best] = np.where(long[s, best], share, 0.0)
        if below is not None:
            weight[worst] = np.where(below[s, worst], -share, 0.0)
        wanted[s : ranks[i + 1] if i + 1 < len(ranks) else None] = weight
    return wanted


def latched(enter: Mask, leave: Mask) -> Mask:
    """Tell where a state is on: from where it is entered until it is left, off where both; (S, lines)."""
    on = np.zeros(enter.shape, dtype=bool)
    state = np.zeros(enter.shape[1], dtype=bool)
    for s in range(len(enter)):
        state = (state | enter[s]) & ~leave[s]
        on[s] = state
    return on


def single_lines(
    market: Market,
    symbols: Sequence[str],
    wanted: Floats,
    drift_band: float,
    notes: Sequence[str],
    signals: Mapping[str, Floats],
) -> Targets:
    """Turn the weights wanted at each decision into targets: a number where it changes.

    A line that has left the market is left alone.

    Args:
        market: of S decisions.
        symbols: of the lines.
        wanted: shape (S, lines), no NaN.
        drift_band: see `Targets`.
        notes: what a reader should know.
        signals: by name, shape (S, columns), a column for each of the first lines.
    """
    steps, columns = decisions(market), columns_of(market, symbols)
    spoken = np.where(departed(market)[np.ix_(steps, columns)], np.nan, changes(wanted))
    weights = np.full(market.price.shape, np.nan)
    weights[np.ix_(steps, columns)] = spoken
    return Targets(
        weights=weights,
        drift_band=drift_band,
        notes=tuple(notes),
        signals=frames(market, symbols, signals),
    )


def frames(market: Market, symbols: Sequence[str], signals: Mapping[str, Floats]) -> dict[str, pd.DataFrame]:
    """Put signals of each decision under its session and their symbols."""
    session = sessions_of(market, decisions(market))
    return {
        name: pd.DataFrame(values, session, list(symbols[: values.shape[1]]))
        for name, values in signals.items()
    }


def never(series: KnownSeries, wanted: Floats, score: Floats, why: str) -> tuple[str, ...]:
    """Say that nothing is ever wanted, and whether that is for want of readings."""
    if wanted.any():
        return ()
    if not np.isfinite(score).any():
        return (f"never trades: {short(series.name)} has no fresh reading of a traded line in this market",)
    return (f"never trades: {why}",)


def funds_of(
    market: Market, named: Sequence[str] | None, usual: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the lines that are held for a whole market, and a note where they were chosen here.

    Args:
        market: that has them.
        named: symbols asked for, all of which it must have; None: the first of the usual ones it has.
        usual: funds in order of preference.

    Raises:
        ParameterError: for an index, and where the market has none of the usual funds.
    """
    if named is None:
        found = [symbol for symbol in usual if symbol in market.symbols][:1]
        if not found:
            raise ParameterError(
                f"this market has none of {', '.join(usual)}: load one, or name what to hold in symbols"
            )
        return tuple(found), (f"held for the whole market: {found[0]}",)
    if not named or len(set(named)) != len(named):
        raise ParameterError("symbols is an empty list or names a symbol twice: give each symbol once")
    for symbol in named:
        if market.instruments["kind"].iloc[market.column(symbol)] == "index":
            raise ParameterError(f"{shown(symbol)} is an index and cannot be held: name a fund or a stock")
    return tuple(named), ()
