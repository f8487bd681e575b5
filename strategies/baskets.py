"""Baskets of lines, long and short: who may be in them, their weights, and how one hedges the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError
from entrepot.markets.market import Market
from entrepot.regimes.arguments import kind
from entrepot.strategies.pair_history import once_per_market
from entrepot.strategies.sector_universe import total_return_levels
from entrepot.strategies.targets import (
    STALE_SESSIONS,
    Targets,
    changes,
    columns_of,
    decisions,
    departed,
    latest,
    require,
    require_band,
    require_choice,
    require_symbols,
    sessions_of,
)

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Groups = tuple[tuple[str, ...], ...]

Sizing = Literal["equal", "inverse_volatility"]
Hedge = Literal["beta", "dollar"]
# A short side that has to be more than twice the long one, or to be bought, does not hedge it.
LEAST_RATIO, LARGEST_RATIO = 0.0, 2.0


class Rules(NamedTuple):
    """How two baskets are held against each other; the strategies' own parameters explain each.

    Args:
        weight: of equity in the whole long basket at level 1.
        sizing: of the lines of a basket, "equal" or "inverse_volatility".
        hedge: size of the short basket, "beta" or "dollar".
        lookback: New York sessions of the window behind volatilities and betas.
        horizon: New York sessions of the returns behind a beta.
        rebalance: New York sessions between two looks at that window.
    """

    weight: float
    sizing: Sizing = "equal"
    hedge: Hedge = "dollar"
    lookback: int = 120
    horizon: int = 5
    rebalance: int = 21

    def check(self) -> None:
        """Refuse numbers that make no sense, and words that are none of the choices."""
        require("weight", self.weight, 0)
        require_choice("sizing", self.sizing, get_args(Sizing))
        require_choice("hedge", self.hedge, get_args(Hedge))
        require("lookback", self.lookback, 10, whole=True)
        require("horizon", self.horizon, 1, self.lookback / 2, whole=True)
        require("rebalance", self.rebalance, 1, whole=True)


class Held(NamedTuple):
    """What two baskets are to weigh at each of S decisions.

    Args:
        symbols: N lines, the long ones first.
        weights: shape (S, N), of equity.
        ratio: weight of the short basket over that of the long one, shape (S,); NaN where nothing is held.
    """

    symbols: tuple[str, ...]
    weights: Floats
    ratio: Floats


# -- who may be in a basket ----------------------------------------------------------------------------------


def require_groups(name: str, value: object) -> Groups:
    """Return lists of symbols in order of preference; a plain list of symbols is one of them."""
    groups = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if all(isinstance(group, str) for group in groups):
        groups = (groups,)
    checked = tuple(require_symbols(name, group) for group in groups)
    if not checked or not all(checked):
        raise ParameterError(f"{name} is {kind(value)}: give at least one symbol in every list")
    return checked


def first_present(
    market: Market, what: str, groups: Groups, *, short: bool = False, fix: str = ""
) -> tuple[str, ...]:
    """Return the first list of which a line is in the market (and may be shorted), those lines of it only.

    Raises:
        ParameterError: where there is none, ``fix`` being another way out; or where a line is an index.
    """
    for group in groups:
        if found := present(market, group, short=short):
            return found
    wanted = ", or ".join(", ".join(group) for group in groups)
    may = " that may be shorted (for Hong Kong lines: load_market(hk_shorts=[...]))" if short else ""
    raise ParameterError(f"{what} has no line in this market: load one{may} of {wanted}{fix}")


def present(market: Market, symbols: Iterable[str], *, short: bool = False) -> tuple[str, ...]:
    """Return the symbols that are in the market (and may be shorted), each once; refuse an index."""
    table = market.instruments
    here = [symbol for symbol in dict.fromkeys(symbols) if symbol in table.index]
    for symbol in here:
        if table.at[symbol, "kind"] == "index":
            raise ParameterError(f"{symbol} is an index and cannot be traded: name a fund or shares")
    return tuple(symbol for symbol in here if not short or table.at[symbol, "shortable"])


def left_out(market: Market, what: str, groups: Groups, used: Sequence[str]) -> tuple[str, ...]:
    """Say which lines of the lists up to the one used are left out, and why."""
    before = groups[: next(i for i, group in enumerate(groups) if set(used) <= set(group)) + 1]
    missing = [symbol for group in before for symbol in dict.fromkeys(group) if symbol not in used]
    absent = [symbol for symbol in missing if symbol not in market.symbols]
    barred = [symbol for symbol in missing if symbol in market.symbols]
    notes = []
    if absent:
        notes.append(f"{what} without {', '.join(absent)}: not in this market")
    if barred:
        notes.append(f"{what} without {', '.join(barred)}: they may not be shorted")
    return tuple(notes)


# -- returns, weights and hedges -----------------------------------------------------------------------------


@once_per_market
def usd_levels(market: Market, symbols: tuple[str, ...]) -> Floats:
    """Return total-return levels of lines in USD at each decision, shape (S, N).

    Prices that were printed, times what splits and gross dividends have added, at the last exchange rate
    known. Only ratios mean something. NaN where a line has not traded within five sessions.
    """
    steps, columns = decisions(market), columns_of(market, symbols)
    level, age = latest(total_return_levels(market, columns), steps)
    rate = market.fx[market.instruments["currency"].iloc[columns]].to_numpy(np.float64)[steps]
    return np.where(age <= STALE_SESSIONS, level * rate, np.nan)


def complete(levels: Floats, lookback: int) -> Mask:
    """Tell which lines have a level at every decision of the last ``lookback`` sessions, shape (S, N)."""
    gaps = np.vstack([np.zeros((lookback + 1, levels.shape[1])), np.isnan(levels).cumsum(axis=0)])
    full = gaps[lookback + 1 :] == gaps[: len(levels)]
    full[:lookback] = False
    return np.asarray(full, dtype=bool)


def shares(window: Floats, sizing: Sizing) -> Floats:
    """Return the share of each line in a basket, shape (N,), summing to 1.

    Args:
        window: levels, shape (lookback + 1, N), the last row being the decision's.
        sizing: "equal", or "inverse_volatility": ``1 / s`` over its sum, s being the standard deviation of
            daily log returns in the window; a line that never moved counts like the quietest that did, and
            all count alike where none did.
    """
    raw = np.ones(window.shape[1])
    if sizing == "inverse_volatility":
        deviation = np.diff(np.log(window), axis=0).std(axis=0)
        moved = deviation > 1e-9
        if moved.any():
            raw = 1.0 / np.where(moved, deviation, deviation[moved].min())
    return np.asarray(raw / raw.sum(), dtype=np.float64)


def basket_returns(window: Floats, share: Floats, horizon: int) -> Floats:
    """Return overlapping returns over ``horizon`` sessions of a basket, shape (lookback + 1 - horizon,)."""
    grown = window[horizon:] / window[:-horizon] - 1.0
    return np.asarray((grown * share).sum(axis=1))


def hedge_ratio(long: Floats, short: Floats) -> float:
    """Return the slope of long returns on short returns by ordinary least squares, from 0 to 2.

    NaN where the short returns do not vary.
    """
    x, y = short - short.mean(), long - long.mean()
    variance = (x * x).sum()
    if not variance > 1e-18:
        return np.nan
    return float(np.clip((x * y).sum() / variance, LEAST_RATIO, LARGEST_RATIO))


# -- what is held --------------------------------------------------------------------------------------------


def held_against(
    market: Market,
    long: tuple[str, ...],
    short: tuple[str, ...],
    level: Floats,
    rules: Rules,
    since: NDArray[np.intp] | None = None,
) -> Held:
    """Return the weights of a long basket and of a short one that hedges it.

    At level l the long basket weighs ``weight * l``, the short one that times 1 ("dollar") or times the
    hedge ratio ("beta"), each divided among the lines it has then. A line is in its basket once it has
    traded within five sessions of the decision and, where a volatility or a beta is asked for, of every
    decision of the window, until it leaves the market. Baskets are made anew when the level or their lines
    change, and every ``rebalance`` sessions from the market's first. While one of them has no line nothing is
    held.

    Args:
        market: with all the lines.
        long: lines of the long basket.
        short: lines of the short basket; empty for none.
        level: part of ``weight``, from 0 to 1, shape (S,).
        rules: see `Rules`.
        since: first decision from which each line may be held, by number, shape (N,); None: all of them.

    Raises:
        ParameterError: when a line is in both baskets.
    """
    if both := [symbol for symbol in long if symbol in short]:
        raise ParameterError(f"{', '.join(both)} would be held long and short: name each line on one side")
    symbols, count = (*long, *short), len(long)
    levels = usd_levels(market, symbols)
    hedged = rules.hedge == "beta" and bool(short)
    lookback = rules.lookback if hedged or rules.sizing != "equal" else 0
    ready = complete(levels, lookback)
    ready &= ~departed(market)[np.ix_(decisions(market), columns_of(market, symbols))]
    number = np.arange(len(levels))
    if since is not None:
        ready &= number[:, None] >= since
    due = number % rules.rebalance == 0
    due[1:] |= (level[1:] != level[:-1]) | (ready[1:] != ready[:-1]).any(axis=1)
    weights, ratio = np.zeros(levels.shape), np.full(len(levels), np.nan)
    for i in np.flatnonzero(due & (level > 0)):
        sides = [np.flatnonzero(ready[i, :count]), count + np.flatnonzero(ready[i, count:])]
        if not len(sides[0]) or (short and not len(sides[1])):
            continue
        windows = [levels[i - lookback : i + 1, lines] for lines in sides]
        share = [shares(window, rules.sizing) if window.shape[1] else np.empty(0) for window in windows]
        ratio[i] = float(bool(short))
        if hedged:
            ratio[i] = hedge_ratio(
                *(basket_returns(w, s, rules.horizon) for w, s in zip(windows, share, strict=True))
            )
        if np.isnan(ratio[i]):
            continue
        weights[i, sides[0]] = rules.weight * level[i] * share[0]
        weights[i, sides[1]] = 0.0 - rules.weight * level[i] * ratio[i] * share[1]
    made = np.maximum.accumulate(np.where(due, number, 0))
    return Held(symbols, weights[made], ratio[made])


def as_targets(
    market: Market,
    held: Held,
    level: Floats,
    *,
    drift_band: float,
    notes: Iterable[str] = (),
    signal: str,
    **series: Floats,
) -> Targets:
    """Return targets that say a weight where it changes and leave alone lines that have left the market.

    Args:
        market: whose decisions the weights are of.
        held: what to hold.
        level: part of the trade asked for, shape (S,); shown, not used.
        drift_band: see `Targets`.
        notes: what a reader should know.
        signal: name under which the level, the hedge ratio and the other series are kept.
        series: others by name, shape (S,).
    """
    steps, columns = decisions(market), columns_of(market, held.symbols)
    weights = np.full(market.price.shape, np.nan)
    gone = departed(market)[np.ix_(steps, columns)]
    weights[np.ix_(steps, columns)] = np.where(gone, np.nan, changes(held.weights))
    frame = pd.DataFrame(
        {**series, "level": level, "hedge_ratio": held.ratio}, index=sessions_of(market, steps)
    )
    notes = tuple(notes)
    if not held.weights.any() and not any("never" in note for note in notes):
        why = "nothing ever calls for it"
        if level.any():
            why = "its lines never have the window of prices and exchange rates it needs"
        notes = (f"never trades: {why}", *notes)
    return Targets(weights, drift_band=drift_band, notes=notes, signals={signal: frame})


def check_rules(strategy: Any, rules: Rules) -> None:
    """Refuse parameters of a strategy that make no sense, and make its whole numbers integers."""
    rules.check()
    require_band(strategy.drift_band)
    for name in ("lookback", "horizon", "rebalance"):  # 60.0 is whole, but counts no rows
        object.__setattr__(strategy, name, int(getattr(strategy, name)))
