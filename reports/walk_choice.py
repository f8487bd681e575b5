"""Walk-forward choice: at each date the configuration that was best until then, held for a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_whole, shown
from entrepot.reports.metrics import FLAT, SESSIONS_PER_YEAR, sharpe_ratios

NOTHING = -1
FEWEST = 20  # sessions that a choice is made by


def sharpes(excess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the annual Sharpe ratio of each column, NaN where it does not vary or has a NaN."""
    return sharpe_ratios(excess.T)


def sortinos(excess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the annual Sortino ratio of each column, NaN where it never falls or has a NaN."""
    fell = np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2, axis=0))
    falls = fell > FLAT
    by_session = excess.mean(axis=0) / np.where(falls, fell, 1.0)
    return np.where(falls, by_session * SESSIONS_PER_YEAR**0.5, np.nan)


def means(excess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the annual mean of each column."""
    return np.asarray(excess.mean(axis=0) * SESSIONS_PER_YEAR)


MEASURES = MappingProxyType[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]](
    {"sharpe": sharpes, "sortino": sortinos, "return": means}
)


@dataclass(frozen=True, eq=False)
class WalkChoice:
    """What was chosen when, of C configurations over W windows, and what came of it.

    Args:
        chosen: (W,) column held in each window; -1 where none could be told from cash.
        first: (W,) its first row.
        stop: (W,) the row after its last.
        in_sample: (W,) annual Sharpe ratio of the chosen over the rows it was chosen on; NaN where undefined.
        out_of_sample: (W,) over the rows it was held.
        rank: (W,) of the chosen among all over the rows it was held, by the metric of the choice, 1 the best,
            equal ones sharing the mean of their ranks. A configuration without the metric there held nothing
            and counts as 0.
        returns: (rows from the first window on,) excess returns of the chosen, one window after the other;
            0 where nothing was chosen.
    """

    chosen: NDArray[np.int64]
    first: NDArray[np.int64]
    stop: NDArray[np.int64]
    in_sample: NDArray[np.float64]
    out_of_sample: NDArray[np.float64]
    rank: NDArray[np.float64]
    returns: NDArray[np.float64]

    @property
    def sharpe(self) -> float:
        """Annual Sharpe ratio of the chained returns, NaN where they do not vary."""
        return float(sharpes(self.returns[:, None])[0])

    @property
    def efficiency(self) -> float:
        """That over the mean ratio in sample of what was chosen; NaN where the latter is not positive."""
        known = self.in_sample[np.isfinite(self.in_sample)]
        expected = float(known.mean()) if len(known) else np.nan
        return self.sharpe / expected if expected > 0.0 else float(np.nan)

    @property
    def changes(self) -> int:
        """How often the choice changed from one window to the next, the first purchase not counted."""
        begun = np.logical_or.accumulate(self.chosen != NOTHING)
        return int((np.diff(self.chosen[begun]) != 0).sum())


def walk_choice(
    excess: NDArray[np.float64],
    train: int = 504,
    test: int = 126,
    metric: str = "sharpe",
    *,
    anchored: bool = False,
    gap: int = 1,
) -> WalkChoice:
    """Choose again and again the configuration that was best until then, and hold it until the next choice.

    Before row ``s``, rows ``s - gap - train`` up to, without, ``s - gap`` are looked at, and the returns of
    rows ``s`` to ``s + test - 1`` are those of the best of them; then ``s`` goes on by ``test``. The last
    window may be shorter. A gap of one session leaves time to trade: what a close tells is filled after it.

    Args:
        excess: shape (n, C), session returns over the policy rate. A column with a NaN in the rows looked at
            cannot be chosen from them; a NaN in a row that is held counts as 0.
        train: rows looked at.
        test: rows held.
        metric: "sharpe", "sortino" or "return" (mean excess return). Of equal ones the first column is taken.
        anchored: look at all rows from the first on, at least `train`.
        gap: rows between the last one looked at and the first one held.

    Raises:
        ParameterError: for a number of rows or a metric that is none.
        DataError: where fewer than ``train + gap + 2`` rows leave nothing to hold.
    """
    check_windows(train, test, gap)
    if not isinstance(metric, str) or metric not in MEASURES:
        raise ParameterError(f"metric is {shown(metric)}: give {', '.join(map(repr, MEASURES))}")
    if not isinstance(anchored, bool):
        raise ParameterError(f"anchored is {shown(anchored)}: give True or False")
    if excess.ndim != 2 or excess.shape[1] == 0:
        raise DataError(
            f"excess has the shape {excess.shape}: give rows by session and columns to choose from"
        )
    n = len(excess)
    if n < train + gap + 2:
        raise DataError(
            f"{n} sessions leave none to hold after {train} to choose by and {gap} between: give a smaller "
            "train, or a longer market"
        )
    measure = MEASURES[metric]
    first = np.arange(train + gap, n, test)
    stop = np.minimum(first + test, n)
    chosen = np.full(len(first), NOTHING)
    before, after, rank = (np.full(len(first), np.nan) for _ in range(3))
    returns = np.zeros(n - first[0])
    for w, (begin, end) in enumerate(zip(first, stop, strict=True)):
        seen = excess[0 if anchored else begin - gap - train : begin - gap]
        value = measure(seen)
        if not np.isfinite(value).any():
            continue
        best = chosen[w] = int(np.nanargmax(value))
        held = np.nan_to_num(excess[begin:end])
        came = np.nan_to_num(measure(held))
        before[w], after[w] = sharpes(seen[:, [best]])[0], sharpes(held[:, [best]])[0]
        rank[w] = (came > came[best]).sum() + ((came == came[best]).sum() + 1) / 2.0
        returns[begin - first[0] : end - first[0]] = held[:, best]
    return WalkChoice(chosen, first, stop, before, after, rank, returns)


def check_windows(train: object, test: object, gap: object) -> None:
    """Refuse windows that are none."""
    for name, value, least in (("train", train, FEWEST), ("test", test, 1), ("gap", gap, 0)):
        if not is_whole(value) or value < least:
            raise ParameterError(
                f"{name} is {shown(value)}: give a whole number of sessions, at least {least}"
            )
