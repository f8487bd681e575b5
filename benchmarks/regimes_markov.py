"""Time the fit and the filter of the Markov-switching detector against statsmodels.

Both maximise the likelihood: no ridge, no prior, a variance for each state. What they found is compared
before it is timed again: the benchmark ends with an error where our log-likelihood is lower by over 1e-3, or
where statsmodels does not give our parameters the log-likelihood that we give them, to 1e-5. Each searches
as it does by default: the detector from four starts by rule, and with three states from 8 at random too;
statsmodels from one, or where it is told to search, from the best of 20 at random besides.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from hot_loop import describe_machine, duration
from numpy.typing import NDArray
from regimes_jump import seconds

from entrepot.regimes.markov import MarkovDetector

Floats = NDArray[np.float64]

SEARCH = 20  # statsmodels' random starts where it is told to search
WORSE = 1e-3  # of our log-likelihood, at most
APART = 1e-5  # of two log-likelihoods at one point
PATHS_APART = 1e-8  # of two filtered probabilities


def make_rows(rows: int, states: int, driven: bool = False) -> tuple[Floats, Floats]:
    """Return observations whose states stay with 98 % and differ in mean and scale, and events.

    Args:
        rows: how many.
        states: how many; the scales rise from 0.6 to 2.
        driven: an event, known at 3 % of the rows, makes the next row's move upwards likelier.
    """
    rng = np.random.default_rng(1)
    event = (rng.random(rows) < 0.03).astype(np.float64)
    draw, state = rng.random(rows), np.zeros(rows, dtype=np.int64)
    for t in range(1, rows):
        last = state[t - 1]
        leave = 0.3 if driven and last == 0 and event[t - 1] else 0.02
        others = [k for k in range(states) if k != last]
        state[t] = others[int(draw[t] / leave * len(others))] if draw[t] < leave else last
    mean, scale = np.linspace(0.05, -0.1, states), np.linspace(0.6, 2.0, states)
    return mean[state] + scale[state] * rng.standard_normal(rows), event


def peer_of(y: Floats, states: int, event: Floats | None) -> Any:
    """The same in statsmodels, which is given events in the row that they drive, in the first their mean."""
    from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

    driven = None
    if event is not None:
        driven = np.column_stack([np.ones(len(y)), np.concatenate([[event.mean()], event[:-1]])])
    return MarkovRegression(y, k_regimes=states, switching_variance=True, exog_tvtp=driven)


def peer_vector(detector: MarkovDetector, driven: bool) -> Floats:
    """Estimates of a detector in statsmodels' order."""
    P = detector.transition_
    moves = P[:, :-1].T.ravel()
    if driven:
        logits = np.log(P / P[:, -1:])
        moves = np.concatenate([logits[:, 0], detector.slopes_[:, 0, 0]])
    return np.concatenate([moves, detector.means_, detector.scales_**2])


def fitted_by_peer(model: Any, search: int = 0) -> Any:
    """Its estimate; warnings of its search are its own affair."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return model.fit(search_reps=search, rng=np.random.RandomState(0))


def check(what: str, detector: MarkovDetector, y: Floats, event: Floats | None, model: Any) -> None:
    """End the benchmark where statsmodels sees something else at our estimate than we do."""
    left = model.filter(peer_vector(detector, event is not None))
    difference = abs(float(left.llf) - detector.loglikelihood_)
    if not difference <= APART:
        raise SystemExit(f"{what}: at our estimate the log-likelihoods differ by {difference:.1e}")
    paths = np.abs(left.filtered_marginal_probabilities - detector.filter(y, event)).max()
    if not paths <= PATHS_APART:
        raise SystemExit(f"{what}: filtered probabilities differ by {paths:.1e}")


def row_of(
    rows: int, states: int, what: str, ours_s: list[float], theirs_s: list[float], difference: float
) -> dict[str, Any]:
    return {
        "T": rows,
        "states": states,
        "what": what,
        "entrepot_s": min(ours_s),
        "statsmodels_s": min(theirs_s),
        "ratio": min(theirs_s) / min(ours_s),
        "entrepot_median_s": median(ours_s),
        "statsmodels_median_s": median(theirs_s),
        "median_ratio": median(theirs_s) / median(ours_s),
        "loglikelihood_difference": difference,
    }


def measure(quick: bool) -> list[dict[str, Any]]:
    """Return one row per number of rows, states and task: best and median seconds of both, and their ratios.

    `loglikelihood_difference` is ours less theirs; above 0 statsmodels ended at a lower maximum.

    Args:
        quick: the shorter data only, two states only, and fewer runs.
    """
    measured = []
    ours_runs, theirs_runs = (5, 1) if quick else (20, 3)
    for rows in (2_500,) if quick else (2_500, 10_000):
        for states in (2,) if quick else (2, 3):
            y, _ = make_rows(rows, states)
            name = f"{rows} rows, {states} states"
            detector = MarkovDetector(states=states, ridge=0.0, prior=0.0).fit(y)
            model = peer_of(y, states, None)
            check(name, detector, y, None, model)
            fit_s = seconds(lambda d=detector, y=y: d.fit(y), ours_runs)  # type: ignore[misc]
            for what, search in (("fit", 0), ("fit, statsmodels with search", SEARCH)):
                theirs_s, difference = timed_fit(f"{name}, {what}", detector, model, search, theirs_runs)
                measured.append(row_of(rows, states, what, fit_s, theirs_s, difference))
            vector = peer_vector(detector, driven=False)
            filter_s = seconds(lambda d=detector, y=y: d.filter(y), 10 * ours_runs)  # type: ignore[misc]
            theirs_s = seconds(lambda m=model, v=vector: m.filter(v), 10 * theirs_runs)  # type: ignore[misc]
            apart = detector.loglikelihood_ - float(model.loglike(vector))
            measured.append(row_of(rows, states, "filter", filter_s, theirs_s, apart))
        y, event = make_rows(rows, 2, driven=True)
        detector = MarkovDetector(ridge=0.0, prior=0.0).fit(y, event)
        model, what = peer_of(y, 2, event), "event-driven fit"
        check(f"{rows} rows, {what}", detector, y, event, model)
        fit_s = seconds(lambda d=detector, y=y, x=event: d.fit(y, x), ours_runs)  # type: ignore[misc]
        theirs_s, difference = timed_fit(f"{rows} rows, {what}", detector, model, 0, theirs_runs)
        measured.append(row_of(rows, 2, what, fit_s, theirs_s, difference))
    return measured


def timed_fit(
    name: str, detector: MarkovDetector, model: Any, search: int, runs: int
) -> tuple[list[float], float]:
    """Seconds of statsmodels' fit, and our log-likelihood less its own, compared before it is timed again."""
    start = time.perf_counter()
    theirs = fitted_by_peer(model, search)
    taken = [time.perf_counter() - start]
    difference = detector.loglikelihood_ - float(theirs.llf)
    if not difference >= -WORSE:
        raise SystemExit(
            f"{name}: the detector found {detector.loglikelihood_!r}, statsmodels {float(theirs.llf)!r}; "
            "nothing was timed"
        )
    return taken + seconds(lambda: fitted_by_peer(model, search), runs - 1), difference


def table(rows: list[dict[str, Any]], machine: dict[str, Any]) -> str:
    """Return the figures as markdown."""
    lines = [
        "| rows | states | what | entrepot, best (median) | statsmodels, best (median) | ratio (of medians) "
        "| log-likelihood, ours less theirs |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours, theirs = (
            f"{duration(row[f'{who}_s'])} ({duration(row[f'{who}_median_s'])})"
            for who in ("entrepot", "statsmodels")
        )
        lines.append(
            f"| {row['T']:,} | {row['states']} | {row['what']} | {ours} | {theirs} "
            f"| {row['ratio']:,.0f} ({row['median_ratio']:,.0f}) | {row['loglikelihood_difference']:+.1e} |"
        )
    lines += [
        "",
        f"{machine['processor']}, {machine['cpus']} CPUs, Python {machine['python']}. Load average at the "
        f"start {machine['load']:.1f}. Made by `benchmarks/regimes_markov.py`.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2,500 rows of two states, a few runs")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args()
    machine = describe_machine()
    rows = measure(options.quick)
    print(table(rows, machine))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(
            json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
