"""How well the figures of a run are known: bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, is_number, is_whole, shown
from entrepot.memory import require_memory
from entrepot.reports.metrics import FLAT, SESSIONS_PER_YEAR, excess_returns, sharpe_ratios, unusable
from entrepot.reports.significance import returns_array

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

FEWEST = 20  # returns that can be resampled
CELLS = 1 << 19  # resampled returns held at once, so that memory does not grow with the draws
ESTIMATED = (
    "Annualized Return [%]",
    "Annualized Volatility [%]",
    "Mean Excess Return [%]",
    "Sharpe Ratio",
    "Sortino Ratio",
    "Calmar Ratio",
    "Max Drawdown [%]",
)


def intervals(ledger: Ledger, *, confidence: float = 0.95, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Give the figures of a run with what resampling its sessions makes of them.

    The stationary bootstrap (Politis and Romano 1994) joins blocks of sessions, each with its policy rate,
    whose mean length is Politis and White's choice for the excess returns (2004, corrected by Patton, Politis
    and White 2009), at least 1. Low and high are percentiles of the figures of the resampled runs. They say
    how much luck there was in the order and choice of these sessions, not in the choice of the strategy; the
    drawdown is that of blocks in another order, and may well be deeper on most of them.

    Args:
        ledger: a finished run.
        confidence: between 0 and 1.
        draws: bootstrap samples, 100 or more.
        seed: of these.

    Returns:
        One row per figure of ``ESTIMATED`` (as in `summary`; Mean Excess Return is 252 times the mean over
        the policy rate), columns "estimate", "low", "high" and "standard error". NaN where a figure is not
        defined, and beside the estimates where fewer than 20 returns, or excess returns that do not vary,
        leave nothing to resample. ``.attrs`` holds "block" (mean length, sessions), "draws", "confidence",
        "seed" and "reason" ("" or why there are no intervals).

    Raises:
        ParameterError: on a confidence outside 0 to 1, too few draws or a seed that is none.
    """
    check_bootstrap(confidence, draws, seed)
    returns = ledger.returns
    columns = np.array([returns, excess_returns(ledger)], dtype=np.float64)
    table = pd.DataFrame(
        np.nan,
        index=pd.Index(ESTIMATED, name="figure"),
        columns=["estimate", "low", "high", "standard error"],
    )
    block, reason = np.nan, unusable(returns, ruined=bool((ledger.equity <= 0).any()))
    if not reason:
        table["estimate"] = path_figures(columns)
        reason = nothing_to_resample(columns[1])
    if not reason:
        block = block_length(columns[1:])
        found = resampled(columns, path_figures, block, draws, seed)
        table["low"], table["high"], table["standard error"] = spread(found, confidence)
    table.attrs = {
        "block": block, "draws": int(draws), "confidence": float(confidence), "seed": int(seed),
        "reason": reason,
    }  # fmt: skip
    return table


def sharpe_interval(
    excess: NDArray[np.float64], confidence: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return an interval for the annual Sharpe ratio of session returns by the stationary bootstrap.

    Args:
        excess: shape (n,), session returns over the policy rate, no NaN; or (n, 2), for an interval of how
            much larger the ratio of the first column is than that of the second, sessions being drawn
            together.
        confidence: between 0 and 1.
        draws: bootstrap samples, 100 or more.
        seed: of these.

    Returns:
        Low and high: percentiles of the ratio over resampled sessions (Politis and Romano 1994), in blocks
        whose mean length is Politis and White's choice for these returns (2004, corrected by Patton, Politis
        and White 2009), at least 1: legs marked hours apart make returns reverse from day to day, which
        blocks keep. NaN where fewer than 20 returns, or returns that do not vary, leave nothing to resample.

    Raises:
        DataError: on anything but numbers, and infinite ones.
        ParameterError: on a confidence outside 0 to 1, too few draws or a seed that is none.
    """
    check_bootstrap(confidence, draws, seed)
    excess = returns_array(excess)
    if excess.size == 0:
        return float(np.nan), float(np.nan)
    columns = np.ascontiguousarray(excess.reshape(len(excess), -1).T)
    if any(nothing_to_resample(column) for column in columns):
        return float(np.nan), float(np.nan)
    found = resampled(columns, ratio, block_length(columns), draws, seed)
    low, high, _ = spread(found, confidence)
    return float(low[0]), float(high[0])


def ratio(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Sharpe ratios of the first of (k, ..., n) less those of the second where there is one."""
    first, *second = sharpe_ratios(columns)
    return np.asarray(first - second[0] if second else first)


def path_figures(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the figures ``ESTIMATED`` of paths of sessions, as `entrepot.reports.summary` defines them.

    Args:
        columns: shape (2, ..., n): session returns, and the same over the policy rate.

    Returns:
        Shape (7, ...), in the order of ``ESTIMATED``; NaN where one is not defined.
    """
    returns, excess = columns
    year = SESSIONS_PER_YEAR**0.5
    level = np.cumprod(1 + returns, axis=-1)
    growth = level[..., -1] ** (SESSIONS_PER_YEAR / returns.shape[-1]) - 1
    peak = np.maximum(np.maximum.accumulate(level, axis=-1), 1.0)  # the level before the first return is 1
    depth = (level / peak - 1).min(axis=-1)
    below = np.minimum(excess, 0.0)
    falls = below.min(axis=-1) < -FLAT
    downside = np.where(falls, np.sqrt((below * below).mean(axis=-1)), np.nan)
    mean = excess.mean(axis=-1)
    return np.array(
        [
            100 * growth,
            100 * returns.std(axis=-1, ddof=1) * year,
            100 * mean * SESSIONS_PER_YEAR,
            sharpe_ratios(excess),
            mean / downside * year,
            growth / np.where(depth < 0, -depth, np.nan),
            100 * depth,
        ]
    )


def resampled(
    columns: NDArray[np.float64],
    measure: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    block: float,
    draws: int,
    seed: int,
) -> NDArray[np.float64]:
    """Measure resampled sessions.

    Args:
        columns: shape (k, n), what belongs to each session, drawn together.
        measure: turns (k, draws, n) into (figures, draws), or (draws,) of one figure.
        block: mean length of the blocks, sessions.
        draws: samples.
        seed: of these; the samples are those of arch's `StationaryBootstrap`.

    Returns:
        Shape (figures, draws).
    """
    from arch.bootstrap import StationaryBootstrap

    n = columns.shape[1]
    require_memory(16.0 * len(ESTIMATED) * draws, f"{draws:,} bootstrap samples", "give fewer draws")
    samples = StationaryBootstrap(block, np.arange(n), seed=int(seed)).bootstrap(int(draws))
    parts = []
    while taken := [data[0] for data, _ in islice(samples, max(1, CELLS // n))]:
        parts.append(np.atleast_2d(measure(columns[:, np.array(taken)])))
    return np.concatenate(parts, axis=1)


def block_length(columns: NDArray[np.float64]) -> float:
    """Return the longest of Politis and White's mean lengths of block for each of (k, n), at least 1."""
    from arch.bootstrap import optimal_block_length

    return float(np.nanmax([1.0, *optimal_block_length(columns.T)["stationary"]]))


def spread(found: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Return low, high and standard error, shape (3, figures), of figures (figures, draws), NaN left out."""
    tail = (1.0 - float(confidence)) / 2.0
    out = np.full((3, len(found)), np.nan)
    known = np.isfinite(found).sum(axis=1) > 1
    out[:2, known] = np.nanquantile(found[known], [tail, 1.0 - tail], axis=1)
    out[2, known] = np.nanstd(found[known], axis=1, ddof=1)
    return out


def nothing_to_resample(excess: NDArray[np.float64]) -> str:
    """Say why there is no interval for figures of excess returns (n,); nothing where there is one."""
    if len(excess) < FEWEST:
        return f"fewer than {FEWEST} returns"
    if not np.isfinite(excess).all():
        return "returns are missing on some sessions"
    return "" if float(excess.std()) > FLAT else "excess returns do not vary"


def check_bootstrap(confidence: object, draws: object, seed: object) -> None:
    """Refuse what cannot be the arguments of a bootstrap."""
    if not (is_number(confidence) and 0.0 < confidence < 1.0):
        raise ParameterError(f"confidence is {shown(confidence)}: give a fraction such as 0.95")
    if not (is_whole(draws) and draws >= 100):
        raise ParameterError(f"draws is {shown(draws)}: give a whole number of at least 100")
    if not (is_whole(seed) and seed >= 0):
        raise ParameterError(f"seed is {shown(seed)}: give a whole number, 0 or more")
