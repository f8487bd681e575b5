"""What only a researcher may look at: states told with hindsight, and whether the calendar adds anything.

Nothing else in this room imports this module. `smoothed` and `leaky_path` know the whole sample: what
they say could not have been traded on. They are here to be compared with what could.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_whole, shown
from entrepot.markets.market import Market
from entrepot.markets.sessions import session_clock
from entrepot.progress import progress_bar
from entrepot.regimes.arguments import kind
from entrepot.regimes.detector import Detector
from entrepot.regimes.events import Events
from entrepot.regimes.intensity import SIDES, event_marks, shot_noise
from entrepot.regimes.jump import JumpDetector
from entrepot.regimes.markov import MarkovDetector
from entrepot.regimes.markov_model import Passes
from entrepot.regimes.path import RegimePath
from entrepot.regimes.refits import Refit, Schedule, fit_copy, in_force, stress_probability, walk
from entrepot.regimes.walk_forward import RISK_CHANNELS, RegimeModel, Rows

FloatArray = NDArray[np.float64]
Leak = Literal["full_sample", "smoothed"]
Move = Literal["shuffle", "shift"]

FINE = 1e9  # parts of a session in which moved events are put in order


# -- states told with hindsight ------------------------------------------------------------------------------


def smoothed(detector: Detector, y: FloatArray, intensity: FloatArray | None = None) -> FloatArray:
    """Return P(state | all rows), shape (T, states): it sees the future.

    Of a `MarkovDetector`, Kim's smoother (Journal of Econometrics 60, 1994) at the parameters it has; of a
    `JumpDetector`, the cheapest path through all rows, fitted on them.

    Args:
        detector: fitted.
        y: observations, shape (T,).
        intensity: as in its `fit`.

    Raises:
        ParameterError: for a detector that has no smoother.
    """
    if isinstance(detector, MarkovDetector):
        sample, _ = detector._given(y, intensity)
        if not len(sample.y):
            return np.empty((0, detector.states))
        passes = Passes(detector.model, sample)
        passes.run_forward(detector._parameters)
        passes.run_backward()
        return passes.smoothed
    if isinstance(detector, JumpDetector):
        own = replace(detector).fit(y, intensity)
        path: FloatArray = np.eye(own.states)[own._path]
        return path
    raise ParameterError(
        f"smoothed was given {kind(detector)}: give a MarkovDetector or a JumpDetector; the others have no "
        "smoother"
    )


def leaky_path(
    model: RegimeModel, market: Market, events: Events, leak: Leak, honest: RegimePath | None = None
) -> RegimePath:
    """Return the regime path as hindsight would have drawn it, from where the honest one begins.

    Args:
        model: with at least one detector that is fitted.
        market: as in `RegimeModel.walk_forward`.
        events: as there.
        leak: "full_sample" filters with parameters fitted once, on all rows; "smoothed" takes the smoothed
            states of that fit.
        honest: what `model.walk_forward` has returned for them, where it is at hand.

    Raises:
        ParameterError: for an unknown leak, or a model in which nothing is fitted.
        DataError: where the fit on all rows should not be used.
    """
    check_fitted(model)
    if leak not in get_args(Leak):
        raise ParameterError(f"leak={shown(leak)} is unknown: use one of {', '.join(get_args(Leak))}")
    honest = honest or model.walk_forward(market, events, progress=False)
    rows, refits = honest.rows, honest.refits

    def estimate(risk: str, fed: Rows) -> tuple[FloatArray, pd.DataFrame]:
        fitted, reason = fit_copy(getattr(model, risk), fed.y, fed.x)
        if reason:
            raise DataError(
                f"the {risk} detector fitted on all rows should not be used ({reason}): there is no "
                "hindsight to compare with, give another detector or market"
            )
        if leak == "full_sample":
            told = stress_probability(fitted, fed.y, fed.x)
        else:
            told = smoothed(fitted, fed.y, fed.x)[:, -1]
        known = rows[risk]["probability"].notna().to_numpy()
        return np.where(known, told, np.nan), refits[risk]

    return model.assemble(market, events, estimate)


def check_fitted(model: object) -> None:
    """Raise ParameterError where there is no model, or no detector of it learns anything."""
    if not isinstance(model, RegimeModel):
        raise ParameterError(f"model is {kind(model)}: give a RegimeModel with a fitted detector")
    if not any(getattr(model, risk).needs_observations for risk in RISK_CHANNELS):
        raise ParameterError(
            "neither detector of the model is fitted, so hindsight has nothing to change: give it a "
            "MarkovDetector or a JumpDetector"
        )


# -- does the calendar add anything? -------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class CalendarValue:
    """Predictive log scores of a detector driven by events, less those of the same detector without.

    Args:
        scores: one row per session that both scored: `with_events`, `without_events` and their `difference`,
            log f(y_t | rows before t) in nats, at parameters fitted before t.
        mean: of the differences, nats per session; positive where events help.
        t: its t-statistic, with the standard error of Newey and West (1987).
        p: one-sided, that events do not help.
        lags: of the standard error.
        placebo: `mean` with each calendar of wrong dates, shape (draws,); empty where none was asked for.
        placebo_p: share of placebo calendars that do at least as well, the true one counted as one of them;
            NaN without placebo.
        refused: fits that were refused with events and without; where they differ, parameters of different
            age are compared.
    """

    scores: pd.DataFrame
    mean: float
    t: float
    p: float
    lags: int
    placebo: FloatArray = field(default_factory=lambda: np.empty(0))
    placebo_p: float = np.nan
    refused: tuple[int, int] = (0, 0)

    @property
    def trials(self) -> int:
        """How many calendars were tried, the true one counted."""
        return 1 + len(self.placebo)

    def __str__(self) -> str:
        text = (
            f"events {'add' if self.mean > 0 else 'cost'} {abs(self.mean):.4f} nats a session over "
            f"{len(self.scores):,} sessions (t {self.t:.2f} with {self.lags} lags, p {self.p:.3f})"
        )
        if len(self.placebo):
            text += (
                f"; of {self.trials} calendars, all but one with wrong dates, {self.placebo_p:.1%} do at "
                "least as well"
            )
        if any(self.refused):
            text += f"; {self.refused[0]} fits with events and {self.refused[1]} without were refused"
        return text


def calendar_value(
    model: RegimeModel,
    market: Market,
    events: Events,
    risk: str = "delisting",
    placebo: int = 0,
    move: Move = "shuffle",
    schedule: Schedule | None = None,
    seed: int = 0,
    progress: bool = True,
) -> CalendarValue:
    """Ask whether a detector predicts its observations better with the calendar of events than without.

    Both are walked forward on one schedule, and compared on the rows that both score (Amisano and Giacomini,
    Journal of Business & Economic Statistics 25, 2007). With `placebo`, the calendar is then given wrong
    dates: with a handful of episodes the placebo is to be trusted before the t-statistic.

    Args:
        model: its detector of the risk must score observations, as `MarkovDetector` does.
        market: as in `RegimeModel.walk_forward`.
        events: as there.
        risk: "tariff" or "delisting".
        placebo: how many calendars with wrong dates.
        move: how dates go wrong, marks kept: "shuffle" draws one for each event, evenly over the sample's
            sessions; "shift" moves all by one number of sessions, round the end of the sample to its
            beginning, which keeps events that came together together.
        schedule: of the fits; the model's where None. Placebos want few fits: Schedule(every=252).
        seed: of the draws.
        progress: show a bar over the placebos.

    Raises:
        ParameterError: for a detector that gives no scores, or where no row is scored by both.
    """
    if not isinstance(model, RegimeModel):
        raise ParameterError(f"model is {kind(model)}: give a RegimeModel")
    when = model.schedule if schedule is None else schedule
    fed = replace(model, schedule=when).rows_of(risk, market, events)
    detector: Detector = getattr(model, risk)
    if not isinstance(detector, MarkovDetector):
        raise ParameterError(
            f"the {risk} detector is {kind(detector)}, which has no predictive density: give a MarkovDetector"
        )
    if fed.x is None or not model.event_driven:
        raise ParameterError("the model reads no events: give it event_driven=True")
    if not is_whole(placebo) or placebo < 0:
        raise ParameterError(f"placebo is {kind(placebo)}: give a whole number of calendars, 0 or more")
    if move not in get_args(Move):
        raise ParameterError(f"move={shown(move)} is unknown: use one of {', '.join(get_args(Move))}")
    if not is_whole(seed) or seed < 0:
        raise ParameterError(f"seed is {kind(seed)}: give a whole number, 0 or more")
    placebo, seed = int(placebo), int(seed)  # numpy.uint8(255) + 1 is 0
    without, refused_without = log_scores(detector, fed.y, fed.x[:, 2:] if fed.x.shape[1] > 2 else None, when)
    with_events, refused = log_scores(detector, fed.y, fed.x, when)
    found = replace(_compared(with_events, without, fed.frame.index), refused=(refused, refused_without))
    if not placebo:
        return found
    scored = np.isfinite(with_events) & np.isfinite(without)
    drawn = np.array(
        [
            _mean_gain(log_scores(detector, fed.y, wrong, when)[0], without, scored)
            for wrong in progress_bar(
                _wrong_dates(model, events, risk, fed, placebo, move, seed),
                total=placebo,
                desc="placebo calendars",
                show=progress,
            )
        ]
    )
    as_good = 1 + int((drawn >= found.mean).sum())
    return replace(found, placebo=drawn, placebo_p=as_good / (placebo + 1))


def log_scores(
    detector: MarkovDetector, y: FloatArray, x: FloatArray | None, schedule: Schedule
) -> tuple[FloatArray, int]:
    """Return log f(y_t | rows before t) at parameters fitted before t, shape (R,), and how many fits failed.

    A row that is missing, or comes before the first accepted fit, is NaN.
    """
    made: list[Refit] = []

    def read(fitted: Detector, rows: FloatArray, known: FloatArray | None) -> FloatArray:
        return cast("MarkovDetector", fitted).log_scores(rows, known)

    scores = in_force(walk(detector, y, x, schedule, made), y, x, read)
    return scores, sum(not refit.accepted for refit in made)


def hac_mean(values: FloatArray, lags: int | None = None) -> tuple[float, float, int]:
    """Return the mean, its t-statistic and the lags of the standard error of Newey and West.

    Args:
        values: shape (n,), no NaN.
        lags: of the Bartlett kernel; None: the integer part of 4 (n / 100)^(2/9), their rule of 1994.
    """
    from statsmodels.regression.linear_model import OLS

    if len(values) < 2 or not (lags is None or (is_whole(lags) and 0 <= lags < len(values))):
        raise ParameterError(
            f"{len(values)} values and lags={kind(lags)} have no standard error: give two values or more, "
            "and fewer lags than values"
        )
    lags = int(4.0 * (len(values) / 100.0) ** (2.0 / 9.0) if lags is None else lags)
    result = OLS(values, np.ones(len(values))).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    return float(result.params[0]), float(result.tvalues[0]), lags


def _compared(with_events: FloatArray, without: FloatArray, sessions: pd.Index) -> CalendarValue:
    """Compare scores on the rows that have both."""
    from scipy.stats import norm

    both = np.isfinite(with_events) & np.isfinite(without)
    if both.sum() < 2:
        raise ParameterError(
            "no two sessions are scored both with and without events: give a longer market, or a schedule "
            "with a smaller least"
        )
    scores = pd.DataFrame(
        {"with_events": with_events[both], "without_events": without[both]}, index=sessions[both]
    )
    scores["difference"] = scores["with_events"] - scores["without_events"]
    difference = scores["difference"].to_numpy()
    if not difference.any():
        return CalendarValue(scores, 0.0, 0.0, 0.5, 0)
    mean, t, lags = hac_mean(difference)
    return CalendarValue(scores, mean, t, float(norm.sf(t)), lags)


def _mean_gain(scores: FloatArray, without: FloatArray, scored: NDArray[np.bool_]) -> float:
    """Mean gain of a placebo on the rows of the true calendar; 0 on those before its own first event.

    Until then it is the model without events, which a fit driven by events waits for.
    """
    gain = scores[scored] - without[scored]
    return float(np.where(np.isnan(gain), 0.0, gain).mean())


def _wrong_dates(
    model: RegimeModel,
    events: Events,
    risk: str,
    fed: Rows,
    draws: int,
    move: Move,
    seed: int,
) -> Iterator[FloatArray]:
    """Yield what the detector would be fed with, had the events of its risk come at other times."""
    time = pd.DatetimeIndex(fed.frame["known_at"]).as_unit("ns")
    clock = np.asarray(session_clock(time), dtype=np.float64)
    seen = events.known_by(time[-1]).frame  # later ones are known at no row
    own = seen[seen["channel"].isin(RISK_CHANNELS[risk])]
    weight, direction = event_marks(own, model.marks), own["direction"].to_numpy()
    at = np.asarray(session_clock(pd.DatetimeIndex(own["known_at"])), dtype=np.float64)
    # Events before the sample stay where they are; the others move within it.
    inside = at >= clock[0]
    rng = np.random.default_rng(seed)
    length = clock[-1] - clock[0]
    for _ in range(draws):
        moved = at.copy()
        if move == "shuffle":
            moved[inside] = clock[0] + length * rng.random(int(inside.sum()))
        else:
            moved[inside] = clock[0] + (moved[inside] - clock[0] + length * rng.random()) % length
        order = np.argsort(moved, kind="stable")
        x = np.array(fed.x)
        for column, sign in enumerate(SIDES.values()):
            chosen = order[direction[order] == sign]
            # Sessions stand in for time on both axes: what is known at a row is what lies before it.
            x[:, column] = shot_noise(
                (clock * FINE).astype(np.int64),
                clock,
                (moved[chosen] * FINE).astype(np.int64),
                moved[chosen],
                weight[chosen],
                getattr(model, risk).half_life,
            )
        yield x
