"""Configurations of a sweep run once more for their equity, of which only what is asked for is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine.batch import LANES
from entrepot.engine.sizes import require_curves
from entrepot.engine.sweep import Rows, cut, run_chunks
from entrepot.errors import ParameterError, is_listed

if TYPE_CHECKING:
    from entrepot.sweep_jobs import SweepJob
    from entrepot.sweeps import Sweep


@dataclass(frozen=True, eq=False)
class Curves:
    """Runs configurations for their equity at some steps, or for its returns between them.

    Args:
        job: of the sweep.
        numbers: shape (C,), the configurations.
        steps: shape (S,), where equity is sampled.
        free: shape (S - 1,), returns of the policy rate to be taken off; None: equity itself.
    """

    job: SweepJob
    numbers: NDArray[np.int64]
    steps: NDArray[np.int64]
    free: NDArray[np.float64] | None = None

    def run(self, index: NDArray[np.int64], stop: NDArray[np.int8] | None = None) -> Rows:
        """Run some of them, by their places in ``numbers``."""
        curves = np.full((len(index), len(self.steps)), np.nan)
        refused, done = [""] * len(index), np.zeros(len(index), dtype=bool)
        for bench, places, ready in self.job.blocks(self.numbers[index], refused, stop):
            tallied = bench.run(ready, stop=stop, equity=True)
            assert tallied.equity is not None
            curves[places], done[places] = tallied.equity[self.steps].T, tallied.done
            for place, why in zip(places, tallied.refused, strict=True):
                refused[place] = why
        done |= np.array([bool(why) for why in refused], dtype=bool)
        if self.free is not None:
            gone = np.logical_or.accumulate(curves[:, :-1] <= 0.0, axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                curves = curves[:, 1:] / curves[:, :-1] - 1.0 - self.free
            curves[gone] = np.nan  # a debt has no return
        return Rows(index, curves, tuple(refused), done)


def equity_of(sweep: Sweep, rows: int | Iterable[int] | None = None) -> pd.DataFrame:
    """Return equity at every step, by UTC time and number of the configuration; see `Sweep.equity`."""
    numbers = _numbers(sweep, rows)
    time = sweep.job.market.price.index
    curves = _run(Curves(sweep.job, numbers, np.arange(len(time))), progress=False)
    return pd.DataFrame(curves.T, index=time, columns=pd.Index(numbers, name="configuration"))


def returns_of(
    sweep: Sweep, rows: int | Iterable[int] | None = None, progress: bool = False, *, excess: bool = True
) -> pd.DataFrame:
    """Return session returns by number of the configuration; see `Sweep.returns`."""
    numbers = _numbers(sweep, rows)
    market = sweep.job.market
    # One recorded run tells what the policy rate paid between samples: it is the same for all.
    free = sweep.backtest(int(numbers[0])).risk_free.fillna(0.0)
    steps = np.flatnonzero(market.decision_steps)
    taken_off = np.asarray(free, dtype=np.float64) * excess
    curves = _run(Curves(sweep.job, numbers, steps, taken_off), progress)
    frame = pd.DataFrame(curves.T, index=free.index, columns=pd.Index(numbers, name="configuration"))
    frame.attrs["refused"] = int((sweep.table["Refused"] != "").sum())
    return frame


def _numbers(sweep: Sweep, rows: int | Iterable[int] | None) -> NDArray[np.int64]:
    """Return the configurations asked for, refuse those that are not there or cannot be run."""
    if rows is None:
        rows = sweep.table.index[sweep.table["Refused"] == ""]
        if not len(rows):
            raise ParameterError(
                "every configuration of this sweep was refused: look at the column Refused of its table"
            )
    wanted: list[Any] = list(rows) if is_listed(rows) else [rows]
    if not wanted:
        raise ParameterError("no configuration was asked for: give numbers of the table, or None for all")
    for row in wanted:
        sweep.configuration(row)
        if why := str(sweep.table.at[row, "Refused"]):
            raise ParameterError(f"configuration {row} was refused: {why}")
    return np.array(wanted, dtype=np.int64)


def _run(curves: Curves, progress: bool) -> NDArray[np.float64]:
    """Run them on all processors, shape (C, samples)."""
    count, width = len(curves.numbers), len(curves.steps) - (curves.free is not None)
    require_curves(count, width)
    found = np.full((count, width), np.nan)
    chunks = cut(curves.job.order(curves.numbers), LANES)
    done = run_chunks(curves, chunks, found, {}, progress=progress)
    if not done.all():  # `run_chunks` ends quietly: half a matrix would be taken for all of it
        raise KeyboardInterrupt
    return found
