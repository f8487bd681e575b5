"""How often the best configuration of one half of history is a poor one in the other half."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entrepot.errors import DataError, ParameterError, is_whole, shown
from entrepot.reports.significance import SPREAD, returns_table, rows_at_once

FEWEST_BLOCKS, MOST_BLOCKS = 2, 20
TIE = 1e-12  # Sharpe ratios closer than this are of the same returns, but for rounding
STILL = 1e-12  # share of the sum of squares that is left by rounding where returns do not vary


@dataclass(frozen=True, eq=False)
class Overfitting:
    """What combinatorially symmetric cross-validation found; see `overfitting`.

    Attributes:
        probability: share of the splits in which the chosen configuration was below the median of all
            out of sample: logit below zero.
        logits: shape (splits,), ``log(w / (1 - w))`` with w the chosen one's rank out of sample over C + 1.
        in_sample: shape (splits,), Sharpe ratio per period of the chosen configuration where it was chosen.
        out_of_sample: shape (splits,), the same in the other half.
        slope: of out_of_sample on in_sample, least squares; below 0: the better it looked, the worse it did.
        intercept: of the same line, a Sharpe ratio per period.
        probability_of_loss: share of the splits with a Sharpe ratio below zero out of sample.
        blocks: number of blocks time was cut into.
        chosen: shape (C,), in how many splits each configuration was the best in sample.
    """

    probability: float
    logits: NDArray[np.float64]
    in_sample: NDArray[np.float64]
    out_of_sample: NDArray[np.float64]
    slope: float
    intercept: float
    probability_of_loss: float
    blocks: int
    chosen: NDArray[np.int64]


def overfitting(excess: ArrayLike, blocks: int = 16) -> Overfitting:
    """Estimate the probability of backtest overfitting by combinatorially symmetric cross-validation.

    Time is cut into blocks of equal length (the first ones a session longer where it does not divide), which
    are split into two halves in every possible way. In each split the configuration with the highest Sharpe
    ratio in one half (in sample) is chosen, and ranked among all by the other half (out of sample): Bailey,
    Borwein, Lopez de Prado and Zhu (2017), The Probability of Backtest Overfitting. Conventions where authors
    differ: relative rank w = rank / (C + 1) with rank 1 for the worst; equal ratios share the average of
    their ranks; the median itself, logit 0, is not overfit; of equal bests the first is chosen. Split k is
    out of sample in the k-th of ``itertools.combinations(range(blocks), blocks // 2)``.

    A configuration whose returns do not vary in a half, or that has a NaN anywhere, has no ratio there: it is
    not chosen in it, and ranks among the others as if the ratio were 0. A split in which none has a ratio is
    NaN in all arrays and counts in no share.

    Args:
        excess: shape (n, C), returns over the policy rate of C configurations on the same n sessions, at
            least two sessions to a block.
        blocks: even, from 2 to 20; 16 make 12,870 splits.

    Returns:
        The `Overfitting`; numbers that are not defined are NaN.

    Raises:
        DataError: on anything but a table of numbers, infinite ones, fewer than two configurations, or too
            few sessions.
        ParameterError: on a number of blocks that cannot be used.
    """
    check_blocks(blocks)
    table = returns_table(excess)
    sessions, configurations = table.shape
    if configurations < 2:
        raise DataError(
            f"there are returns of {configurations} configuration{'s' * (configurations != 1)}: "
            "give at least two to choose among"
        )
    if sessions < 2 * blocks:
        raise DataError(
            f"there are {sessions} sessions: {blocks} blocks need at least {2 * blocks}, give fewer blocks"
        )
    halves = split_halves(blocks)
    splits = len(halves)
    sums = BlockSums.of(table, blocks)
    choice = np.empty(splits, dtype=np.int64)
    inside, outside, rank = (np.full(splits, np.nan) for _ in range(3))
    step = rows_at_once(configurations)
    for start in range(0, splits // 2, step):
        # The k-th combination's complement is the k-th from the end: two halves serve two splits.
        front = slice(start, min(start + step, splits // 2))
        back = slice(splits - front.stop, splits - front.start)
        ratios, others = sums.ratios(halves[front]), sums.ratios(halves[back][::-1])
        at = np.arange(front.start, front.stop)
        for tested, train, test in ((at, others, ratios), (splits - 1 - at, ratios, others)):
            choice[tested], inside[tested], outside[tested], rank[tested] = judge(train, test)
    decided = choice >= 0
    share = rank / (configurations + 1)
    logits = np.log(share / (1.0 - share))
    slope, intercept = line(inside[decided], outside[decided])
    return Overfitting(
        probability=fraction(logits[decided] < 0.0),
        logits=logits,
        in_sample=inside,
        out_of_sample=outside,
        slope=slope,
        intercept=intercept,
        probability_of_loss=fraction(outside[decided] < -TIE),
        blocks=int(blocks),
        chosen=np.bincount(choice[decided], minlength=configurations).astype(np.int64),
    )


@dataclass(frozen=True)
class BlockSums:
    """Sums from which the Sharpe ratio of any set of blocks follows.

    Returns are taken less their column's mean, without which a large mean would leave no digits to the
    variance.

    Attributes:
        sizes: shape (blocks,), sessions.
        sums: shape (blocks, C), of the centred returns.
        squares: shape (blocks, C), of their squares.
        centre: shape (C,), the mean, NaN where a column has one.
    """

    sizes: NDArray[np.float64]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    centre: NDArray[np.float64]

    @classmethod
    def of(cls, table: NDArray[np.float64], blocks: int) -> BlockSums:
        """Sum a table of returns by blocks."""
        centre = table.mean(axis=0)
        parts = [part - centre for part in np.array_split(table, blocks)]
        return cls(
            np.array([float(len(part)) for part in parts]),
            np.array([part.sum(axis=0) for part in parts]),
            np.array([np.einsum("tc,tc->c", part, part) for part in parts]),
            centre,
        )

    def ratios(self, halves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the Sharpe ratios per period in halves, shape (halves, C), NaN where returns do not vary."""
        count = (halves @ self.sizes)[:, None]
        # Not by @: on a busy machine the threads it starts for so thin a product wait longer than they work.
        mean = np.einsum("hb,bc->hc", halves, self.sums) / count
        squares = np.einsum("hb,bc->hc", halves, self.squares)
        variance = squares - count * mean**2
        variance[variance <= STILL * squares] = np.nan
        variance /= count - 1.0
        variance[variance <= SPREAD**2] = np.nan
        return np.asarray((mean + self.centre) / np.sqrt(variance), dtype=np.float64)


def check_blocks(blocks: object) -> None:
    """Refuse a number of blocks that cannot be cut into two halves, or too many ways."""
    if not (is_whole(blocks) and FEWEST_BLOCKS <= blocks <= MOST_BLOCKS and blocks % 2 == 0):
        raise ParameterError(
            f"blocks is {shown(blocks)}: give an even number from {FEWEST_BLOCKS} to {MOST_BLOCKS}"
        )


def split_halves(blocks: int) -> NDArray[np.float64]:
    """Return which blocks are in each half, shape (splits, blocks), 1 or 0, in lexicographic order."""
    members = np.array(list(combinations(range(blocks), blocks // 2)))
    halves = np.zeros((len(members), blocks))
    np.put_along_axis(halves, members, 1.0, axis=1)
    return halves


def judge(
    train: NDArray[np.float64], test: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Choose in one half and look in the other.

    Args:
        train: shape (splits, C), Sharpe ratios in sample, NaN where there is none.
        test: shape (splits, C), the same out of sample.

    Returns:
        Of each split: the chosen configuration (-1: none), its ratio in and out of sample, and its rank from
        1 out of sample; NaN where none was chosen.
    """
    known = np.where(np.isnan(train), -np.inf, train)
    best = known.max(axis=1)
    decided = np.isfinite(best)
    choice = np.argmax(known >= (best - TIE * (1.0 + np.abs(best)))[:, None], axis=1)
    ranked = np.where(np.isnan(test), 0.0, test)
    own = np.take_along_axis(ranked, choice[:, None], axis=1)
    near = TIE * (1.0 + np.abs(own))
    worse = np.count_nonzero(ranked < own - near, axis=1)
    no_better = np.count_nonzero(ranked <= own + near, axis=1)
    rank = (worse + 1 + no_better) / 2.0
    return (
        np.where(decided, choice, -1),
        np.where(decided, best, np.nan),
        np.where(decided, own[:, 0], np.nan),
        np.where(decided, rank, np.nan),
    )


def line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return slope and intercept of y on x by least squares, NaN where x does not vary."""
    if len(x) < 2 or float(np.ptp(x)) <= TIE * (1.0 + float(np.abs(x).max())):
        return np.nan, np.nan
    away = x - x.mean()
    slope = float(away @ y / (away @ away))
    return slope, float(y.mean()) - slope * float(x.mean())


def fraction(true: NDArray[np.bool_]) -> float:
    """Return the share that is true, NaN of none."""
    return float(true.mean()) if len(true) else np.nan
