"""Time the fit of the jump model against jumpmodels, the package of the authors of the 2024 paper.

Both fit the same standardised features, from 10 starts of their own. What they found is compared before
anything is timed: `measure` ends with an error where our cost is above theirs by more than 1e-9 of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entrepot.regimes.jump import JumpDetector

FEATURES = 9
PENALTY = 50.0
STARTS = 10
TOLERANCE = 1e-9


def make_features(rows: int, states: int) -> NDArray[np.float64]:
    """Return rows around centroids that change once in 100 rows; each column has mean 0 and sd 1."""
    rng = np.random.default_rng(5)
    changes = np.cumsum(rng.random(rows) < 0.01)
    state = rng.integers(states, size=changes[-1] + 1)[changes]
    features = 0.8 * rng.standard_normal((states, FEATURES))[state] + rng.standard_normal((rows, FEATURES))
    return np.asarray((features - features.mean(axis=0)) / features.std(axis=0), dtype=np.float64)


def seconds(call: Callable[[], object], runs: int) -> list[float]:
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return taken


def measure(quick: bool) -> list[dict[str, Any]]:
    """Return one row per number of rows and states: best and median seconds of both, and their ratios.

    Args:
        quick: the shorter data only, and fewer runs.
    """
    with np.errstate():  # importing it turns numpy's warnings off for everyone
        from jumpmodels.jump import JumpModel

    measured = []
    for rows in (2_500,) if quick else (2_500, 10_000):
        for states in (2, 3):
            features = make_features(rows, states)
            detector = JumpDetector(states=states, penalty=PENALTY, starts=STARTS, clip=np.inf)
            model = JumpModel(n_components=states, jump_penalty=PENALTY, n_init=STARTS, random_state=0)
            given = detector.fit(features).features(features)

            def theirs(model: Any = model, given: NDArray[np.float64] = given) -> None:
                # A model that has been fitted would start from what it found, too.
                vars(model).pop("centers_", None)
                with np.errstate(all="ignore"):
                    model.fit(given)

            theirs()
            difference = float(detector.objective_ / model.val_ - 1.0)
            if difference > TOLERANCE:
                raise SystemExit(
                    f"{rows} rows, {states} states: the detector found {detector.objective_!r}, jumpmodels "
                    f"{float(model.val_)!r}; nothing was timed"
                )
            ours_s = seconds(lambda d=detector, x=features: d.fit(x), 5 if quick else 30)  # type: ignore[misc]
            theirs_s = seconds(theirs, 2 if quick else 5)
            measured.append(
                {
                    "T": rows,
                    "states": states,
                    "entrepot_s": min(ours_s),
                    "jumpmodels_s": min(theirs_s),
                    "ratio": min(theirs_s) / min(ours_s),
                    "entrepot_median_s": median(ours_s),
                    "jumpmodels_median_s": median(theirs_s),
                    "median_ratio": median(theirs_s) / median(ours_s),
                    "objective_difference": difference,
                }
            )
    return measured


if __name__ == "__main__":
    for row in measure(quick=False):
        print(row)
