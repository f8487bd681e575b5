"""What the tests of a sweep came from, in the words of a run's provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from entrepot.configurations import Grid
from entrepot.provenance import (
    changed_costs,
    described,
    path_facts,
    plan_facts,
    with_run,
    world_facts,
    written,
)

if TYPE_CHECKING:
    from entrepot.sweeps import Sweep


def provenance_of_tests(sweep: Sweep, asked: Mapping[str, object]) -> dict[str, str]:
    """Return what the tests of a sweep came from, by name; see `Result.provenance`.

    Args:
        sweep: all of whose configurations are trials.
        asked: arguments of `Sweep.significance` by name, the seed of its draws among them.

    Returns:
        The entries of a run, with a "Plan" for each strategy, "Parameters" (each value tried), "Regime model"
        and "Events" where the sweep walks its own paths, and "Asked". Equal tests have equal entries.
    """
    job = sweep.job
    facts = world_facts(job.market, job.capital, job.base_currency)
    for name, plan in job.strategies.items():
        facts |= plan_facts(f"Plan.{name}" if name else "Plan", plan, job.path)
    tried = job.configurations
    facts["Parameters"] = described(tried.choices if isinstance(tried, Grid) else list(tried))
    facts |= {"Costs": changed_costs(job.costs), "Regime path": path_facts(job.path)}
    if job.model is not None:
        facts |= {"Regime model": described(job.model), "Events": described(job.events)}
    return with_run(facts | {"Trials": f"{sweep.trials:,}", "Asked": written(asked, job.path)})
