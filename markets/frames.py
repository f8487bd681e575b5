"""What a user made for a market's grid of steps: dated frames put on it, and whether it is for this one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import TargetError, near_word, some_of
from entrepot.markets.market import Market


def weights_on_grid(market: Market, frame: pd.DataFrame) -> NDArray[np.float64]:
    """Place a frame of weights on a market's steps.

    Args:
        market: T steps, N symbols.
        frame: weights of equity, columns symbols. A row dated without a time zone decides at the last step of
            that session date, a row with one at exactly that step. NaN leaves a line alone.

    Returns:
        Shape (T, N), NaN where the frame says nothing.

    Raises:
        TargetError: for unknown symbols, dates without a session, repeated dates or symbols, text, and
            infinite weights.
    """
    if not isinstance(frame, pd.DataFrame):
        raise TargetError(f"weights are a {type(frame).__name__}: give a DataFrame of dates x symbols")
    if not isinstance(frame.index, pd.DatetimeIndex):
        raise TargetError("the weights are not indexed by dates: set the index with pandas.to_datetime")
    unknown = [str(c) for c in frame.columns if str(c) not in market.symbols]
    if unknown:
        raise TargetError(
            f"weights for {some_of(unknown)}, which this market does not have"
            f"{near_word(unknown[0], market.symbols) or ';'} it has {some_of(market.symbols)}"
        )
    if frame.columns.has_duplicates or frame.index.has_duplicates:
        raise TargetError(
            "the weights name a symbol or a date twice: keep one row per date and column per symbol"
        )
    text = [
        str(c)
        for c in frame.columns
        if not pd.api.types.is_numeric_dtype(frame[c]) or frame[c].dtype.kind in "cb"
    ]
    if text:
        raise TargetError(
            f"the weights of {', '.join(text)} are not numbers: give floats, NaN to leave alone"
        )
    if frame.index.tz is None:
        moments = market.grid.reset_index().groupby("session")["step"].max()
        timed = not frame.index.equals(frame.index.normalize())
        what = (
            "no session of this market: give times with their zone, such as weights.tz_localize('UTC')"
            if timed
            else "no session of this market: move them to one, or leave them out with "
            "weights.reindex(market.grid['session'].unique())"
        )
    else:
        moments = pd.Series(np.arange(len(market)), index=market.price.index)
        what = (
            "no step of this market's grid: give times of market.times, or dates without a zone, "
            "weights.tz_localize(None)"
        )
    step = moments.reindex(frame.index)
    lost = frame.index[step.isna().to_numpy()]
    if len(lost) > 0:
        first = str(lost[0]).removesuffix(" 00:00:00")
        more = f" and on {len(lost) - 1} more days or times, which are" if len(lost) > 1 else ", which is"
        raise TargetError(f"weights are dated {first}{more} {what}")
    values = frame.to_numpy(dtype=np.float64)
    if np.isinf(values).any():
        raise TargetError("a weight is infinite: give finite weights of equity, or NaN to leave a line alone")
    weights = np.full(market.prices.shape, np.nan)
    columns = np.array([market.column(str(c)) for c in frame.columns], dtype=np.int64)
    weights[np.ix_(step.to_numpy(dtype=np.int64), columns)] = values
    return weights


def is_over(market: Market, times: pd.DatetimeIndex | NDArray[np.int64]) -> bool:
    """Whether times, in nanoseconds or with a zone, are those of a market's steps."""
    return np.array_equal(pd.DatetimeIndex(times).as_unit("ns").asi8, market.times)


def refuse_targets_of_another(market: Market, targets: Any) -> None:
    """Refuse targets that say for which steps and symbols they are, where the market has others."""
    times, symbols = (getattr(targets, name, None) for name in ("times", "symbols"))
    if (symbols is not None and symbols != market.symbols) or not (times is None or is_over(market, times)):
        raise TargetError(
            "the targets are for other symbols or steps than this market has: make them from this market"
        )
