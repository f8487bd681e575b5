"""Whether a sweep's best configuration is skill or luck: every test of it, in one object and on one page."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.doubt.misdated import RATIO, best_on_wrong_dates
from entrepot.doubt.provenance import provenance_of_tests
from entrepot.doubt.reruns import returns_of
from entrepot.doubt.sensitivity import (
    FIRST_ADDED,
    HEADLINE,
    borrow_terms,
    break_even,
    dearer,
    figures_under,
    neighbours,
    trading_costs,
)
from entrepot.doubt.verdict import criteria, figures, months_decide, sentences, skill, written
from entrepot.doubt.walk_choice import WalkForwardChoice, walk_forward
from entrepot.engine.sizes import require_curves
from entrepot.errors import DataError, ParameterError, is_whole, shown
from entrepot.regimes import Events, RegimeModel
from entrepot.reports.benchmark import known_levels, missing_level
from entrepot.reports.intervals import check_bootstrap, sharpe_interval
from entrepot.reports.metrics import MONTHS_PER_YEAR, SESSIONS_PER_YEAR, by_month
from entrepot.reports.overfitting import Overfitting, check_blocks, overfitting
from entrepot.reports.significance import (
    Moments,
    confidence_quantile,
    deflated_sharpe,
    independent_trials,
    luckiest_sharpe,
    minimum_track_record,
    most_trials,
    probabilistic_sharpe,
)
from entrepot.reports.superiority import Superiority, superior_ability
from entrepot.reports.walk_choice import MEASURES, check_windows
from entrepot.result import Result
from entrepot.sweeps import SHORT_NAMES
from entrepot.switching import share_as_good

if TYPE_CHECKING:
    from entrepot.reports.pages.document import Section
    from entrepot.reports.pictures.style import Size
    from entrepot.sweeps import Sweep

T = TypeVar("T")

# How many times as much trading costs in the cases that are always run.
COST_MULTIPLES = (2.0, 3.0)
AS_GIVEN = "as given"
MONTHLY = "Monthly Sharpe"
POLICY_RATE = "the policy rate"
# A benchmark whose values are all above zero and below this may be returns as well as levels.
LARGEST_RETURN = 0.05


@dataclass(frozen=True)
class Trials:
    """How many configurations were tried to find the best.

    Args:
        tried: configurations of the whole sweep, whatever part of it is looked at, but for those refused.
        elsewhere: tried outside the sweep.
        measured: those with a Sharpe ratio.
        refused: those looked at that cannot be run.
        idle: those that were run and have no Sharpe ratio: they held nothing, or lost everything.
        independent: how many independent trials the measured ones amount to, those elsewhere added.
    """

    tried: int
    elsewhere: int
    measured: int
    refused: int
    idle: int
    independent: float

    @property
    def counted(self) -> int:
        """All trials, at least one."""
        return max(1, self.tried + self.elsewhere)


@dataclass(frozen=True)
class Odds:
    """A Sharpe ratio and what chance has to say about it, on returns of one length.

    Args:
        sharpe: annual; so are all ratios here.
        low: of its bootstrap interval.
        high: of the interval.
        observations: returns it is made of.
        skew: of these.
        kurtosis: of these, raw: 3 if normal.
        probable: probability that the true ratio is above 0, as if it were the only trial.
        luckiest: ratio that the best of all trials shows on average where none has skill.
        luckiest_independent: the same of as many independent trials as there were in effect.
        deflated: probability that the true ratio is above ``luckiest``.
        deflated_independent: above ``luckiest_independent``.
        record: years of such returns after which the true ratio is above 0 with the confidence.
        needed: years after which it is above ``luckiest_independent``; NaN where no record is long enough.
        survives: independent trials up to which the deflated ratio stays above the confidence; 1 where it is
            not above it even for one, NaN where no number is too many.
    """

    sharpe: float = np.nan
    low: float = np.nan
    high: float = np.nan
    observations: int = 0
    skew: float = np.nan
    kurtosis: float = np.nan
    probable: float = np.nan
    luckiest: float = np.nan
    luckiest_independent: float = np.nan
    deflated: float = np.nan
    deflated_independent: float = np.nan
    record: float = np.nan
    needed: float = np.nan
    survives: float = np.nan


@dataclass(frozen=True, eq=False, repr=False)
class Significance:
    """What is to be said about a sweep's best configuration; see `Sweep.significance`.

    Numbers that are not defined are NaN, parts that could not be worked out are None.

    Args:
        label: where the prices come from.
        metric: the column by which the best was chosen.
        confidence: of tests and intervals.
        trials: how many there were.
        best: number of the best configuration; None where none has a Sharpe ratio.
        parameters: of the best, by name.
        excess: its session returns over the policy rate.
        months: the same compounded by calendar month.
        autocorrelation: of session returns with those of the session before.
        by_month: whether months decide, not sessions; see `entrepot.doubt.verdict.months_decide`.
        daily: its Sharpe ratio of session returns, against chance.
        monthly: that of monthly returns.
        ratios: annual Sharpe ratios of every configuration that has one, by session and by month, named as in
            the sweep's table.
        overfitting: by cross-validation, of all these; see `entrepot.reports.overfitting`.
        superiority: whether any of them beats the benchmark, by months where these decide; see
            `entrepot.reports.superiority`.
        alike: whether all of several earned the same, in ratio and in total.
        rivals: configurations held against the benchmark: all of them, but for one that is it.
        better: those found to beat it.
        benchmark: what that is.
        walk_forward: what choosing again and again would have earned.
        walk_interval: of its Sharpe ratio after the estimated cost of changing.
        sensitivity: the best under other costs of trading and terms of borrow: figures by case.
        cost: what trading cost it, as a fraction of the value traded.
        break_even: what must be added to that for its Sharpe ratio to fall to zero; infinite above 10 %.
        neighbours: ratios that decide, of the configurations beside it that can be run; see
            `entrepot.doubt.sensitivity.neighbours`.
        placebos: highest Sharpe ratio of all configurations on each calendar with wrong dates.
        placebo_p: share of calendars on which it is at least that of the true one, which is one of them.
        caveat: what to say beside results that follow a regime path.
        provenance: what it came from, by name; see `Result.provenance`.
        missing: why there is no ``overfitting`` and no ``walk_forward``; empty where there is.
    """

    label: str
    metric: str
    confidence: float
    trials: Trials
    best: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    excess: pd.Series[Any] = field(default_factory=lambda: pd.Series(dtype=np.float64))
    months: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    autocorrelation: float = np.nan
    by_month: bool = False
    daily: Odds = field(default_factory=Odds)
    monthly: Odds = field(default_factory=Odds)
    ratios: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[RATIO, MONTHLY], dtype=float))
    overfitting: Overfitting | None = None
    superiority: Superiority | None = None
    alike: bool = False
    rivals: int = 0
    better: tuple[int, ...] = ()
    benchmark: str = POLICY_RATE
    walk_forward: WalkForwardChoice | None = None
    walk_interval: tuple[float, float] = (np.nan, np.nan)
    sensitivity: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(HEADLINE)))
    cost: float = np.nan
    break_even: float = np.nan
    neighbours: pd.DataFrame = field(default_factory=pd.DataFrame)
    placebos: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    placebo_p: float = np.nan
    caveat: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=lambda: {"overfitting": "", "walk_forward": ""})

    def __repr__(self) -> str:
        return f"Significance(configuration {self.best} of {self.trials.counted:,} trials, {self.label})"

    def __str__(self) -> str:
        return f"{self.verdict}\n\n{written(self.table)}"

    @property
    def criteria(self) -> pd.DataFrame:
        """What was asked of the best and whether it passed, a row each; see `entrepot.doubt.verdict`."""
        return criteria(self)

    @property
    def skill(self) -> bool | None:
        """True where every test of luck is passed, False where neither of the two main ones is, else None."""
        return skill(self.criteria)

    @property
    def sentences(self) -> dict[str, str]:
        """The verdict, sentence by sentence, each under what it answers."""
        return sentences(self)

    @property
    def verdict(self) -> str:
        """Whether this is skill or luck, why, and what would change that, in plain words."""
        return " ".join(self.sentences.values())

    @property
    def table(self) -> pd.DataFrame:
        """Every figure with its ``value`` and what it ``means``."""
        return figures(self)

    def plot(self, path: str | os.PathLike[str] | None = None, size: Size = "page") -> NDArray[Any]:
        """Draw everything on one page, the verdict on top.

        Args:
            path: file to write, ``.png``, ``.pdf`` or ``.svg``; None only draws.
            size: "page" for a page of print, "slide" for a whole slide.

        Returns:
            The Axes, shape (6,): trials, intervals, logits, degradation, walk forward, other terms.
        """
        from entrepot.doubt.page import draw

        return draw(self, path, size)

    def sections(self) -> tuple[Section, ...]:
        """Return the sections of a document: verdict, pictures, and every table behind them."""
        from entrepot.doubt.page import sections

        return sections(self)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write everything as one HTML file, ``.html`` or ``.htm``, that fetches nothing; return its path."""
        from entrepot.doubt.page import write

        return write(self, path)


def significance(
    sweep: Sweep,
    metric: str = "sharpe",
    *,
    benchmark: pd.Series[Any] | int | None = None,
    other_trials: int = 0,
    blocks: int = 16,
    draws: int = 1000,
    confidence: float = 0.95,
    train: int = 504,
    test: int = 126,
    placebos: int = 0,
    events: Events | None = None,
    model: RegimeModel | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Significance:
    """Test a sweep's best configuration; the arguments are those of `Sweep.significance`."""
    chosen_by = sweep.column_of(metric)
    check_bootstrap(confidence, draws, seed)
    confidence_quantile(confidence)
    check_windows(train, test, 0)
    check_blocks(blocks)
    for name, value in (("other_trials", other_trials), ("placebos", placebos)):
        if not is_whole(value) or value < 0:
            raise ParameterError(f"{name} is {shown(value)}: give a whole number, 0 or more")
    if sweep.table.empty:
        raise ParameterError(
            "this sweep's table has no configuration: select values that one of them has, or let it finish"
        )
    label, table = sweep.job.market.label, sweep.table
    measured = replace(sweep, table=table[table[RATIO].notna()])
    trials = counted(sweep, int(other_trials))
    asked = {
        "metric": chosen_by, "benchmark": benchmark, "other_trials": other_trials, "blocks": blocks,
        "draws": draws, "confidence": confidence, "train": train, "test": test, "placebos": placebos,
        "events": events, "model": model, "seed": seed,
    }  # fmt: skip
    came_from = provenance_of_tests(sweep, asked)
    if measured.table[chosen_by].isna().all():
        return Significance(label, chosen_by, float(confidence), trials, provenance=came_from)
    sessions = int(sweep.job.market.decision_steps.sum())
    # The returns, those of the configurations measured, and two more while they are compared.
    require_curves(len(table), sessions, more=24.0 * len(measured.table) * sessions, unit="sessions")
    row = int(str(measured.best(metric).name))
    result = sweep.backtest(row)
    everything = returns_of(sweep, progress=progress)
    excess = everything[measured.table.index]
    values, own = excess.to_numpy(dtype=np.float64), excess[row].to_numpy(dtype=np.float64)
    trials = replace(trials, independent=independent_trials(values) + trials.elsewhere)
    months = months_of(excess[[row]], result)[:, 0]
    lagged = reversal(own)
    monthly = months_decide(lagged, len(own), len(months))
    ratio = MONTHLY if monthly else RATIO
    sampled: dict[str, Any] = {"confidence": confidence, "draws": draws, "seed": seed}
    crossed, crossing = tried(lambda: overfitting(values, blocks))
    choice = next((name for name in MEASURES if SHORT_NAMES[name] == chosen_by), "sharpe")
    # Those that lost everything later on were there to be chosen: without them it would be hindsight.
    walked, walking = tried(
        lambda: walk_forward(sweep, everything, train, test, choice, anchored=False, gap=1)
    )
    beside = neighbours(table, sweep.parameters, row, ratio)
    can_run = (table.loc[beside["configuration"], "Refused"] == "").to_numpy()
    wrong = np.empty(0)
    if placebos:
        wrong = best_on_wrong_dates(measured, events, model, int(placebos), int(seed), progress)
    return Significance(
        label=label,
        metric=chosen_by,
        confidence=float(confidence),
        trials=trials,
        best=row,
        parameters={name: table.at[row, name] for name in sweep.parameters},
        excess=excess[row].rename("excess"),
        months=months,
        autocorrelation=lagged,
        by_month=monthly,
        daily=odds(own, measured.table[RATIO], SESSIONS_PER_YEAR, trials, **sampled),
        monthly=odds(months, measured.table[MONTHLY], MONTHS_PER_YEAR, trials, **sampled),
        ratios=measured.table[[RATIO, MONTHLY]],
        alike=len(measured.table) > 1
        and bool((np.ptp(measured.table[[RATIO, SHORT_NAMES["return"]]].to_numpy(), axis=0) <= 1e-9).all()),
        overfitting=crossed,
        walk_forward=walked,
        walk_interval=walked.interval(monthly, **sampled) if walked else (np.nan, np.nan),
        neighbours=beside[can_run].reset_index(drop=True),
        placebos=wrong,
        placebo_p=placebo_p(wrong, float(measured.table[RATIO].max())),
        caveat="" if result.path is None else result.path.caveat,
        provenance=came_from,
        missing={"overfitting": crossing, "walk_forward": walking},
        **against_benchmark(sweep, excess, result, benchmark, monthly, **sampled),
        **on_other_terms(sweep, row, result, ratio),
    )


def counted(sweep: Sweep, elsewhere: int) -> Trials:
    """Count the trials of a sweep; how many independent ones they amount to is told by their returns."""
    table = sweep.table
    refused, measured = int((table["Refused"] != "").sum()), int(table[RATIO].notna().sum())
    return Trials(
        tried=sweep.trials - sweep.refused,
        elsewhere=elsewhere,
        measured=measured,
        refused=refused,
        idle=len(table) - refused - measured,
        independent=np.nan,
    )


def tried(test: Callable[[], T]) -> tuple[T | None, str]:
    """Return what a test finds and nothing, or None and why there is not enough to test."""
    try:
        return test(), ""
    except DataError as error:
        return None, str(error)


def against_benchmark(
    sweep: Sweep,
    excess: pd.DataFrame,
    result: Result,
    benchmark: pd.Series[Any] | int | None,
    monthly: bool,
    *,
    confidence: float,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Hold all configurations against a benchmark, by session or by month: fields of `Significance`."""
    against, name = benchmark_returns(sweep, result, benchmark)
    rivals = excess.drop(columns=benchmark, errors="ignore") if is_whole(benchmark) else excess
    models, base = rivals.to_numpy(dtype=np.float64), against.to_numpy(dtype=np.float64)
    if monthly:
        models, base = months_of(rivals, result), months_of(against.to_frame(), result)[:, 0]
    found = superior_ability(models, base, draws=draws, seed=seed, confidence=confidence)
    better = tuple(int(number) for number in rivals.columns[found.better])
    return {"superiority": found, "rivals": rivals.shape[1], "better": better, "benchmark": name}


def odds(
    excess: NDArray[np.float64],
    ratios: pd.Series[Any],
    per_year: int,
    trials: Trials,
    *,
    confidence: float,
    draws: int,
    seed: int,
) -> Odds:
    """Hold a Sharpe ratio against chance.

    Args:
        excess: shape (n,), returns over the policy rate of the chosen.
        ratios: annual Sharpe ratios of the trials measured.
        per_year: periods in a year.
        trials: how many there were.
        confidence: of tests and interval.
        draws: bootstrap samples of the interval.
        seed: of these.
    """
    own, year = Moments.of(excess), float(per_year**0.5)
    independent = max(1.0, trials.independent)
    variance = spread_of(
        ratios.dropna().to_numpy(dtype=np.float64) / year, own.n, independent, trials.elsewhere
    )
    luckiest = luckiest_sharpe(variance, trials.counted), luckiest_sharpe(variance, independent)
    low, high = sharpe_interval(excess, confidence, draws, seed)
    scale = year / SESSIONS_PER_YEAR**0.5  # the interval is that of session returns
    return Odds(
        sharpe=own.sharpe * year,
        low=low * scale,
        high=high * scale,
        observations=own.n,
        skew=own.skew,
        kurtosis=own.kurtosis,
        probable=probabilistic_sharpe(own),
        luckiest=luckiest[0] * year,
        luckiest_independent=luckiest[1] * year,
        deflated=deflated_sharpe(own, variance, trials.counted),
        deflated_independent=deflated_sharpe(own, variance, independent),
        record=minimum_track_record(own, 0.0, confidence) / per_year,
        needed=minimum_track_record(own, luckiest[1], confidence) / per_year,
        survives=most_trials(own, variance, confidence),
    )


def spread_of(ratios: NDArray[np.float64], n: int, independent: float, elsewhere: int) -> float:
    """Return the variance of the Sharpe ratios of all trials, per period.

    Configurations of one grid earn alike, and their ratios lie closer together than those of unlike trials.
    So that of the trials elsewhere, whose ratios are not known, is taken to be no less than that of a ratio
    without skill, ``1 / (n - 1)``; both kinds count by the number of independent trials.

    Args:
        ratios: of the trials measured, per period. Where there are not two, all are as those elsewhere.
        n: returns that each is made of.
        independent: all independent trials, those elsewhere among them.
        elsewhere: trials made elsewhere.
    """
    chance = 1.0 / max(n - 1, 1)
    own = float(ratios.var(ddof=1)) if len(ratios) > 1 else chance
    share = min(elsewhere / independent, 1.0)
    return (1.0 - share) * own + share * max(own, chance)


def reversal(excess: NDArray[np.float64]) -> float:
    """Return the correlation of returns with those of the session before, NaN where they do not vary."""
    centred = excess - excess.mean()
    own = float(centred @ centred)
    return float(centred[1:] @ centred[:-1]) / own if own > 0.0 else float(np.nan)


def months_of(excess: pd.DataFrame, result: Result) -> NDArray[np.float64]:
    """Compound session returns over the policy rate of a run by calendar month: shape (months, columns)."""
    free = result.risk_free.fillna(0.0)
    growth = excess.add(free, axis=0) + 1.0
    dates = pd.DatetimeIndex(excess.index)
    grown = growth.groupby(dates.year * 12 + dates.month).prod().to_numpy(dtype=np.float64) - 1.0
    return np.asarray(grown - by_month(free)[:, None], dtype=np.float64)


def on_other_terms(sweep: Sweep, row: int, result: Result, ratio: str) -> dict[str, Any]:
    """Run a configuration under dearer trading and other terms of borrow: fields of `Significance`.

    Args:
        sweep: whose configuration it is.
        row: its number.
        result: its recorded run.
        ratio: column of the Sharpe ratio that decides.
    """
    given, own = sweep.job.costs, sweep.table.loc[[row], list(HEADLINE)].astype(np.float64).iloc[0]
    paid, value = trading_costs(result)
    cost = paid / value if value > 0.0 else float(np.nan)

    @cache
    def with_added(more: float) -> pd.Series[Any]:
        return own if more == 0.0 else figures_under(sweep, row, dearer(given, more))

    cases = {AS_GIVEN: own}
    if cost > 0.0:
        for multiple in COST_MULTIPLES:
            cases[f"trading costs x{multiple:g}"] = with_added(cost * (multiple - 1.0))
    stressed = frozenset[int]() if result.path is None else result.path.stressed
    for name, costs in borrow_terms(given, stressed).items():
        cases[name] = figures_under(sweep, row, costs)
    added = float(np.nan)
    if own[ratio] > 0.0:
        added = break_even(lambda more: float(with_added(more)[ratio]), cost if cost > 0.0 else FIRST_ADDED)
    frame = pd.DataFrame({name: case[list(HEADLINE)] for name, case in cases.items()}).T
    return {"sensitivity": frame, "cost": cost, "break_even": added}


def benchmark_returns(
    sweep: Sweep, result: Result, benchmark: pd.Series[Any] | int | None
) -> tuple[pd.Series[Any], str]:
    """Return what is to be beaten: returns over the policy rate by session, and its name.

    Args:
        sweep: whose configuration it may be.
        result: a run of the sweep, which has its sessions.
        benchmark: a configuration's number; a series of levels (all above zero) or of returns (some not) by
            session date or time with a zone; None: the policy rate itself.

    Raises:
        DataError: where a series is none, or does not cover the run.
        ParameterError: where the number is none of the sweep's, or was refused.
    """
    free = result.risk_free.fillna(0.0)
    if benchmark is None:
        return 0.0 * free, POLICY_RATE
    if not isinstance(benchmark, pd.Series):
        if not is_whole(benchmark):
            raise ParameterError(
                f"benchmark is {shown(benchmark)}: give a Series of levels or returns by date, the number of "
                "a configuration, or None for the policy rate"
            )
        own = returns_of(sweep, int(benchmark))[int(benchmark)]
        if own.isna().any():
            raise ParameterError(f"configuration {benchmark} lost all its equity: give another benchmark")
        return own, f"configuration {benchmark}"
    levels = known_levels(result, as_levels(benchmark, result))
    lacks = missing_level(levels, benchmark)
    if lacks:
        raise DataError(f"{lacks}: give one that covers the whole run")
    return levels.pct_change().iloc[1:] - free, str(benchmark.name or "the benchmark")


def as_levels(benchmark: pd.Series[Any], result: Result) -> pd.Series[Any]:
    """Return levels where a series holds returns, which are not all above zero.

    Args:
        benchmark: by date or time.
        result: a run; the first return is what was earned since its sample before.
    """
    known = benchmark.dropna().sort_index()
    numbers = pd.api.types.is_numeric_dtype(benchmark.dtype)
    if not numbers or not len(known) or not isinstance(known.index, pd.DatetimeIndex):
        return benchmark  # refused with all that is no series of levels
    if (known > 0.0).all():
        if float(known.max()) < LARGEST_RETURN:
            raise DataError(
                f"the benchmark's values are all between 0 and {LARGEST_RETURN:g}, returns or small levels: "
                "give levels such as (1 + returns).cumprod()"
            )
        return benchmark
    if not (known > -1.0).all() or not np.isfinite(known.to_numpy(dtype=np.float64)).all():
        raise DataError(
            "the benchmark has values of -1 and below, or infinite ones: give levels such as closes, or "
            "returns as fractions"
        )
    growth: pd.Series[Any] = (1.0 + known).cumprod()
    if (known.index == known.index.normalize()).all():
        growth.index = known.index.tz_localize(None)
    stamps = pd.DatetimeIndex(growth.index)
    sampled = pd.DatetimeIndex(result.daily.index)
    if stamps.tz is not None:
        moments = pd.DatetimeIndex(result.equity.index[result.market.decision_steps])
        sampled = moments.tz_convert(stamps.tz)
    earlier = sampled[sampled < stamps[0]]
    start = earlier[-1] if len(earlier) else stamps[0] - pd.Timedelta(days=1)
    return cast("pd.Series[Any]", pd.concat([pd.Series([1.0], index=pd.DatetimeIndex([start])), growth]))


def placebo_p(placebos: NDArray[np.float64], true: float) -> float:
    """Return the share of calendars whose best is at least the true one's; NaN where all give the same."""
    if len(placebos) and np.isfinite(placebos).all() and np.ptp([*placebos, true]) <= 1e-12:
        return float(np.nan)  # no configuration looks at the calendar
    return share_as_good(pd.Series(placebos), true)
