"""A sweep on calendars with wrong dates: what the best of its configurations shows where timing is chance."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from entrepot.decisions import decides_itself
from entrepot.engine.batch import Bench
from entrepot.engine.figures import columns_of
from entrepot.engine.sweep import cut, run_chunks
from entrepot.errors import ParameterError
from entrepot.progress import progress_bar
from entrepot.regimes import Events, RegimeModel, RegimePath
from entrepot.regimes.placebo import misdate
from entrepot.strategies import RegimeSwitch
from entrepot.strategies.composition import Composition
from entrepot.sweep_jobs import SweepJob, changed, of_model
from entrepot.sweeps import CHUNK

if TYPE_CHECKING:
    from entrepot.sweeps import Sweep

RATIO = "Sharpe Ratio"


@dataclass(frozen=True, eq=False)
class MisdatedJob(SweepJob):
    """A sweep whose strategies follow a calendar with wrong dates; what borrow costs stays with the true one.

    Args:
        wrong: the calendar.
        walks: the model that makes a path of it, but for parameters of its own.
    """

    wrong: Events = field(kw_only=True)
    walks: RegimeModel = field(kw_only=True)
    _paths: dict[Hashable, RegimePath] = field(default_factory=dict, init=False, repr=False)

    def prepared(self, parameters: Mapping[str, Any]) -> tuple[Bench, Any]:
        """The bench of the true dates, and a decision made on the wrong ones."""
        plan = self.plan(parameters)
        bench, path = self.bench(parameters, plan), self.wrong_path(parameters)
        if isinstance(plan, (RegimeSwitch, Composition)):
            plan = plan.with_(path=path)
        made = plan.decision if decides_itself(plan) else plan.targets
        return bench, made(self.market, path)

    def wrong_path(self, parameters: Mapping[str, Any]) -> RegimePath:
        """The path of the wrong calendar, walked once for each choice of the model's parameters."""
        key = self.choice(parameters)
        with self._lock:
            if key not in self._paths:
                model: RegimeModel = changed(self.walks, of_model(parameters))
                self._paths[key] = model.walk_forward(self.market, self.wrong, progress=False)
            return self._paths[key]


def best_on_wrong_dates(
    sweep: Sweep,
    events: Events | None,
    model: RegimeModel | None,
    placebos: int,
    seed: int,
    progress: bool,
) -> NDArray[np.float64]:
    """Run the whole table of a sweep on each of some calendars with wrong dates.

    All configurations are run on each, as they were on the true dates: the best of the true calendar was
    chosen on it, and would be favoured against the same configuration elsewhere.

    Args:
        sweep: whose strategies follow a regime path.
        events: the true calendar; None: the sweep's own.
        model: what walked the sweep's path; None: the sweep's own, or `RegimeModel()`.
        placebos: how many calendars.
        seed: of their dates; see `entrepot.regimes.placebo.misdate`, "shift".
        progress: show a bar.

    Returns:
        Highest Sharpe ratio of the table on each calendar, shape (placebos,), NaN where none has one.

    Raises:
        ParameterError: where the sweep follows no path, or has no events and none are given.
    """
    job = sweep.job
    if not job.regimes:
        raise ParameterError(
            "placebos were asked for and this sweep follows no regime path: leave them out, or give one"
        )
    calendar = job.events if events is None else events
    if calendar is None:
        raise ParameterError("placebos need the true calendar: give events=, such as load_events()")
    walks = (RegimeModel() if job.model is None else job.model) if model is None else model
    numbers = sweep.table.index.to_numpy(dtype=np.int64)
    order = job.order(numbers)
    at = columns_of(job.regimes).index(RATIO)
    own = {item.name: getattr(job, item.name) for item in fields(job) if item.init}
    own["configurations"] = [job.configurations[int(number)] for number in numbers]
    rng = np.random.default_rng(seed)
    best = np.full(placebos, np.nan)
    for k in progress_bar(range(placebos), desc="wrong dates", show=progress):
        wrong = MisdatedJob(**own, wrong=misdate(calendar, job.market, rng), walks=walks)
        figures = np.full((len(numbers), len(columns_of(job.regimes))), np.nan)
        done = run_chunks(wrong, cut(order, CHUNK), figures, {}, progress=False)
        if not done.all():
            raise KeyboardInterrupt
        ratios = cast("NDArray[np.float64]", figures[:, at])
        best[k] = np.nanmax(ratios) if np.isfinite(ratios).any() else np.nan
    return best
