"""The verdict on a sweep's best configuration: words made of numbers, by the rules written down here.

The thresholds are those of docs/significance.md; nothing else decides.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.doubt.misdated import RATIO
from entrepot.doubt.sensitivity import MOST_ADDED
from entrepot.doubt.walk_choice import ratio
from entrepot.reports.metrics import MONTHS_PER_YEAR, SESSIONS_PER_YEAR
from entrepot.reports.pictures.style import number

if TYPE_CHECKING:
    from entrepot.doubt.significance import Odds, Significance
    from entrepot.reports.superiority import Superiority

MONTHLY = "Monthly Sharpe"
# Months from which on they decide, where returns of sessions depend on each other.
FEWEST_MONTHS = 36
# Share of splits in which the one chosen in one half may fall below the median in the other.
MOST_OVERFIT = 0.5
# How many times as high the costs of trading must be before nothing is left.
LEAST_MULTIPLE = 2.0
# Share of its Sharpe ratio that the median neighbour must have.
LEAST_KEPT = 0.5
# Best months without which something must be left.
DROPPED = 3
LUCK, WEAKNESS = "luck", "weakness"
DEFLATED, SUPERIOR, WALKED, DATES = (
    "deflated Sharpe ratio",
    "superior predictive ability",
    "walk-forward choice",
    "wrong dates",
)
SPLITS, COSTS, BORROW, BESIDE, MONTHS = (
    "overfitting",
    "costs of trading",
    "terms of borrow",
    "neighbours",
    "best months",
)
ASKED: dict[str, Callable[[float, float], bool]] = {
    "at least": operator.ge,
    "at most": operator.le,
    "above": operator.gt,
}


# -- what is asked -------------------------------------------------------------------------------------------


def criteria(found: Significance) -> pd.DataFrame:
    """Ask of the best configuration what the verdict rests on.

    Returns:
        One row per question. ``of``: "luck" where it decides between skill and luck, "weakness" where it says
        how easily what there is may be lost; the ``value``; what was ``asked`` of it; whether it ``passed``,
        None where there is no value.
    """
    alpha = round(1.0 - found.confidence, 12)
    crossed, superior, walked = found.overfitting, found.superiority, found.walk_forward
    unknown = float(np.nan)
    earned_anew = unknown if walked is None else ratio(walked.charged, found.by_month)
    rows = [
        (DEFLATED, LUCK, judged(found).deflated_independent, "at least", found.confidence),
        (SUPERIOR, LUCK, unknown if superior is None else superior.p_consistent, "at most", alpha),
        (WALKED, LUCK, earned_anew, "above", 0.0),
        (DATES, LUCK, found.placebo_p if enough_placebos(found) else unknown, "at most", alpha),
        (SPLITS, WEAKNESS, unknown if crossed is None else crossed.probability, "at most", MOST_OVERFIT),
        (COSTS, WEAKNESS, cost_multiple(found), "at least", LEAST_MULTIPLE),
        (BORROW, WEAKNESS, worst_borrow(found)[1], "above", 0.0),
        (BESIDE, WEAKNESS, kept_beside(found), "at least", LEAST_KEPT),
        (MONTHS, WEAKNESS, without_best(found.months), "above", 0.0),
    ]
    table = pd.DataFrame(
        {
            "of": [row[1] for row in rows],
            "value": [row[2] for row in rows],
            "asked": [f"{word} {limit:g}" for *_, word, limit in rows],
            "passed": [
                None if np.isnan(value) else bool(ASKED[word](value, limit))
                for _, _, value, word, limit in rows
            ],
        },
        index=pd.Index([row[0] for row in rows], name="test"),
    )
    return table.astype({"passed": object})


def skill(table: pd.DataFrame) -> bool | None:
    """Tell skill from luck by a table of `criteria`.

    True where every test of luck that has a value is passed, the two main ones among them: the deflated ratio
    and superior predictive ability. False where neither of these two is. None in between, and where one of
    the two has no value.
    """
    luck = table.loc[table["of"] == LUCK, "passed"]
    main = [luck[DEFLATED], luck[SUPERIOR]]
    if None in main:
        return None
    if all(passed for passed in luck if passed is not None):
        return True
    return None if any(main) else False


def judged(found: Significance) -> Odds:
    """Return the odds that decide."""
    return found.monthly if found.by_month else found.daily


def months_decide(autocorrelation: float, sessions: int, months: int) -> bool:
    """Whether months decide and not sessions: these depend on each other, and there are months enough.

    They do where the autocorrelation is more than two standard errors, ``1 / sqrt(sessions)``, from zero.
    Legs marked hours apart make returns reverse: a risk that nobody bears, and it raises the mean return of a
    session by the variance that is taken back (Blume and Stambaugh 1983, Biases in Computed Returns), which
    nobody earns. Compounded by month both are all but gone.
    """
    return abs(autocorrelation) * sessions**0.5 > 2.0 and months >= FEWEST_MONTHS


def enough_placebos(found: Significance) -> bool:
    """Whether there are calendars enough for the share of them to be as small as is asked for."""
    return 1.0 / (1 + len(found.placebos)) <= 1.0 - found.confidence + 1e-12


def ratio_column(found: Significance) -> str:
    """Return the column of the Sharpe ratio that decides."""
    return MONTHLY if found.by_month else RATIO


def cost_multiple(found: Significance) -> float:
    """Return how many times as high the costs of trading take away all that is earned; NaN of no cost."""
    return 1.0 + found.break_even / found.cost if found.cost > 0.0 else float(np.nan)


def cost_that_removes(found: Significance) -> float:
    """Return the cost of trading, a fraction of the value traded, that takes away all that is earned."""
    return float(np.nan_to_num(found.cost)) + found.break_even


def worst_borrow(found: Significance) -> tuple[str, float]:
    """Return the term of borrow under which the Sharpe ratio is the lowest, and that; NaN where none is.

    A term under which there is no ratio, nothing being held or everything lost, has one of 0.
    """
    ratios = found.sensitivity[ratio_column(found)].fillna(0.0)
    ratios = ratios[[name for name in ratios.index if "borrow" in name or "short" in name]]
    return (str(ratios.idxmin()), float(ratios.min())) if len(ratios) else ("", float(np.nan))


def kept_beside(found: Significance) -> float:
    """Return the median share of its Sharpe ratio that neighbours have; NaN of none, or of a loss."""
    own = judged(found).sharpe
    return median_beside(found) / own if own > 0.0 else float(np.nan)


def median_beside(found: Significance) -> float:
    """Return the median Sharpe ratio of neighbours, NaN of none.

    One without a ratio, which held nothing or lost everything, has one of 0.
    """
    if found.neighbours.empty:
        return float(np.nan)
    return float(found.neighbours[ratio_column(found)].fillna(0.0).median())


def without_best(months: NDArray[np.float64], dropped: int = DROPPED) -> float:
    """Return the annual Sharpe ratio of monthly returns without the best ones; NaN of fewer than 12 left."""
    left = np.sort(months)[: max(len(months) - dropped, 0)]
    if len(left) < MONTHS_PER_YEAR or not left.std(ddof=1) > 0.0:
        return float(np.nan)
    return float(left.mean() / left.std(ddof=1) * MONTHS_PER_YEAR**0.5)


# -- what is said --------------------------------------------------------------------------------------------


def sentences(found: Significance) -> dict[str, str]:
    """Return the verdict, each sentence under the question that it answers; the first one is the answer."""
    if found.best is None:
        return {"Skill or luck?": nothing_to_test(found)}
    told = {
        "Skill or luck?": answer(found),
        "What did the best earn?": earned(found),
        "What does luck show?": by_luck(found),
        "What do other tests say?": by_other_tests(found),
        "What would change it?": what_would_change_it(found),
        "What is weak about it?": weaknesses(found),
    }
    return {question: text for question, text in told.items() if text}


def nothing_to_test(found: Significance) -> str:
    """Say why there is no best configuration."""
    count = found.trials
    if count.measured:
        return f"Nothing can be said: none of {count.measured:,} configurations has {found.metric}."
    why = [
        f"{many:,} {what}"
        for many, what in ((count.refused, "cannot be run"), (count.idle, "held nothing or lost everything"))
        if many
    ]
    return f"Nothing can be said: no configuration has a Sharpe ratio ({listed(why)})."


def answer(found: Significance) -> str:
    """Answer skill or luck, and with which tests."""
    table = found.criteria
    luck = table[table["of"] == LUCK]
    passed = [str(name) for name in luck.index if luck.at[name, "passed"] is True]
    failed = [str(name) for name in luck.index if luck.at[name, "passed"] is False]
    if judged(found).sharpe <= 0.0:
        return (
            "There is nothing to explain: even the best configuration earned no more than the policy rate "
            "after every cost."
        )
    if found.skill:
        return f"More than luck: the best configuration passes every test of luck made, of {listed(passed)}."
    if found.skill is False:
        return f"Not to be told from luck: the best configuration fails the tests of {listed(failed)}."
    unknown = [name for name in (DEFLATED, SUPERIOR) if luck.at[name, "passed"] is None]
    if unknown:
        return (
            f"Too little to judge by: {plural(found.daily.observations, 'session')} of returns and "
            f"{plural(found.rivals, 'configuration')} to hold against {found.benchmark} allow no test of "
            f"{listed(unknown)}."
        )
    return (
        f"The tests disagree: the best configuration passes those of {listed(passed)} and fails those of "
        f"{listed(failed)}."
    )


def earned(found: Significance) -> str:
    """Say what the best earned, and of how many trials it is the best."""
    count, own = found.trials, found.daily
    named = ", ".join(f"{name} {brief(value)}" for name, value in found.parameters.items())
    growth = float(np.prod(1.0 + found.excess.to_numpy(dtype=np.float64)))
    yearly = 100.0 * (growth ** (SESSIONS_PER_YEAR / len(found.excess)) - 1.0)
    tried = plural(count.counted, "trial")
    if count.elsewhere:
        tried += f", {count.elsewhere:,} of them made elsewhere"
    if found.alike:
        tried += ", all of which earned the same: the parameters change nothing"
    text = (
        f"Of {tried}, the best by {found.metric} is configuration {found.best} ({named}): "
        f"{number(yearly, 1)} % a year over the policy rate after every cost, a Sharpe ratio of "
        f"{number(own.sharpe)} by session{interval(own, found)} and {number(found.monthly.sharpe)} by month."
    )
    looked_at = count.measured + count.idle
    if looked_at < count.tried:
        text += (
            f" Only {looked_at:,} of the {count.tried:,} configurations {'is' if looked_at == 1 else 'are'} "
            "looked at here: the spread that luck is told by is theirs."
        )
    return text


def by_luck(found: Significance) -> str:
    """Say what the luckiest trial without skill shows, and whether the best is above that."""
    own, count = judged(found), found.trials
    if np.isnan(own.deflated) or own.sharpe <= 0.0:
        return ""
    period = "month" if found.by_month else "session"
    text = (
        f"Without any skill the luckiest of {plural(count.counted, 'trial')} would show a ratio by "
        f"{period} of {number(own.luckiest)} on average, that of the "
        f"{many(count.independent)} independent ones they amount to {number(own.luckiest_independent)}; that "
        f"the true ratio is higher has a probability of {probability(own.deflated)} and "
        f"{probability(own.deflated_independent)}, where {found.confidence:g} is asked for"
    )
    if count.counted == 1:
        text = (
            f"As the only trial it has a true ratio by {period} above 0 with a probability of "
            f"{probability(own.deflated)}, where {found.confidence:g} is asked for"
        )
    if found.by_month:
        how = "reverse" if found.autocorrelation < 0.0 else "follow each other"
        text += (
            f"; months are judged, since returns of sessions {how} (autocorrelation "
            f"{number(found.autocorrelation)})"
        )
        if found.autocorrelation < 0.0:
            text += ", as those of legs marked hours apart do"
    return text + "."


def by_other_tests(found: Significance) -> str:
    """Say what the tests that need no formula for luck found."""
    parts = []
    superior, crossed, walked = found.superiority, found.overfitting, found.walk_forward
    if superior is not None and np.isfinite(superior.p_consistent):
        parts.append(
            f"tested against {found.benchmark}, p is {chance(superior)} and {len(found.better):,} of "
            f"{found.rivals:,} configurations are found better"
        )
    if crossed is not None and np.isfinite(crossed.probability):
        parts.append(
            f"the best of one half of history falls below the median in the other in "
            f"{percent(crossed.probability)} of {len(crossed.logits):,} splits"
        )
    if walked is not None and np.isfinite(ratio(walked.charged, found.by_month)):
        parts.append(
            f"choosing anew every {int(walked.table['Sessions'].iloc[0])} sessions earned a ratio of "
            f"{number(ratio(walked.charged, found.by_month))} after the estimated cost of changing, against "
            f"{number(ratio(walked.hindsight, found.by_month))} in hindsight"
        )
    if len(found.placebos):
        count = 1 + len(found.placebos)
        parts.append(
            f"of {count:,} calendars, all but one with wrong dates, {percent(found.placebo_p)} do as well"
            f"{'' if enough_placebos(found) else ', too few calendars to tell'}"
            if np.isfinite(found.placebo_p)
            else "wrong dates change nothing: no configuration follows the calendar"
        )
    return sentence(parts)


def what_would_change_it(found: Significance) -> str:
    """Say how many trials, years, costs and months the result depends on."""
    own, count = judged(found), found.trials
    if np.isnan(own.deflated):
        return ""
    years = own.observations / (MONTHS_PER_YEAR if found.by_month else SESSIONS_PER_YEAR)
    parts = []
    if own.deflated_independent >= found.confidence:
        parts.append(
            f"it would survive {many(own.survives)} independent trials instead of {many(count.independent)}, "
            "were their ratios as close together as these"
            if np.isfinite(own.survives)
            else "it would survive any number of such trials"
        )
    elif own.sharpe > 0.0:
        parts.append(
            f"at this ratio {number(math.ceil(10.0 * own.needed) / 10.0, 1)} years instead of "
            f"{number(years, 1)} would lift it above luck"
            if np.isfinite(own.needed)
            else "no record at this ratio is long enough: it is no higher than what luck shows"
        )
        parts.append(
            f"it would pass among {many(own.survives)} independent trials, not {many(count.independent)}"
            if own.survives > 1.0
            else "it would not pass as the only trial either"
        )
    parts += costs_that_remove_it(found)
    left = without_best(found.months)
    if np.isfinite(left) and own.sharpe > 0.0:
        parts.append(
            f"without its {DROPPED} best months of {len(found.months)} the ratio by month is {number(left)} "
            f"instead of {number(found.monthly.sharpe)}"
        )
    return sentence(parts)


def costs_that_remove_it(found: Significance) -> list[str]:
    """Say at which costs of trading nothing is left, where something is earned."""
    if np.isnan(found.break_even):
        return []
    if np.isinf(found.break_even):
        return [f"costs of {100 * MOST_ADDED:g} % of the value of each trade would not take it away"]
    paid, most = 1e4 * found.cost, 1e4 * cost_that_removes(found)
    if not found.cost > 0.0:
        return [f"costs of {number(most, 1)} bp of the value traded would take all of it away"]
    return [
        f"costs of trading {number(cost_multiple(found), 1)} times as high ({number(most, 1)} bp of the "
        f"value traded instead of {number(paid, 1)}) would take all of it away"
    ]


def weaknesses(found: Significance) -> str:
    """Say how easily what there is may be lost."""
    table = found.criteria
    asked = table[(table["of"] == WEAKNESS) & table["passed"].notna()]
    if judged(found).sharpe <= 0.0 or asked.empty:
        return ""
    case, lowest = worst_borrow(found)
    words = {
        SPLITS: "choosing the best of these configurations is no better than choosing any",
        COSTS: f"costs of trading less than {LEAST_MULTIPLE:g} times as high take all of it away",
        BORROW: f"{case} leaves {f'a ratio of {number(lowest)}' if lowest < 0.0 else 'nothing'}",
        BESIDE: f"its neighbours have {percent(max(kept_beside(found), 0.0))} of its ratio: a lone peak",
        MONTHS: f"its {DROPPED} best months carry all of it",
    }
    failed = [words[str(name)] for name in asked.index if not asked.at[name, "passed"]]
    if not failed:
        return f"No weakness was found in {listed([str(name) for name in asked.index])}."
    return sentence(failed)


# -- what is tabled ------------------------------------------------------------------------------------------


def figures(found: Significance) -> pd.DataFrame:
    """Return every figure with its value and what it means, in the order in which they are read."""
    count = found.trials
    rows: list[tuple[str, Any, str]] = [
        (
            "Trials",
            count.counted,
            "configurations of the whole sweep and those tried elsewhere, none refused",
        ),
        ("Independent Trials", count.independent, "what they amount to, given how alike their returns are"),
    ]
    if found.best is not None:
        rows += odds_rows(found, "", found.daily, "session") + odds_rows(
            found, "Monthly ", found.monthly, "month"
        )
        rows += other_rows(found)
    index = pd.Index([name for name, _, _ in rows], name="figure")
    values = pd.Series([value for _, value, _ in rows], index, dtype=object)  # counts stay whole numbers
    return pd.DataFrame({"value": values, "means": [means for *_, means in rows]}, index)


def written(table: pd.DataFrame) -> str:
    """Write a table of `figures` as lines of text."""
    lines = [
        (str(name), f"{value:,}" if isinstance(value, int) else number(value, 3), str(means))
        for name, value, means in table.itertuples(name=None)
    ]
    wide = [max(len(line[column]) for line in lines) for column in (0, 1)]
    return "\n".join(f"{name:<{wide[0]}}  {value:>{wide[1]}}  {means}" for name, value, means in lines)


def odds_rows(found: Significance, prefix: str, own: Odds, period: str) -> list[tuple[str, Any, str]]:
    """Return the figures of a ratio by session or by month."""
    sure = f"{100 * found.confidence:g} %"
    rows: list[tuple[str, Any, str]] = [
        ("Sharpe Ratio", own.sharpe, f"of returns by {period} over the policy rate, annual"),
        ("Sharpe Low", own.low, f"{sure} interval by the stationary bootstrap"),
        ("Sharpe High", own.high, "its upper end"),
        ("Probabilistic Sharpe", own.probable, "probability that the true one is above 0, as the only trial"),
        ("Luckiest Sharpe", own.luckiest, "what the best of all trials shows on average without any skill"),
        ("Luckiest of Independent", own.luckiest_independent, "the same of as many independent trials"),
        ("Deflated Sharpe", own.deflated, "probability that the true one is above the luckiest of all"),
        ("Deflated of Independent", own.deflated_independent, "above the luckiest of the independent ones"),
        ("Record Needed [years]", own.record, f"for the true ratio to be above 0 with {sure}"),
        ("Record against Luck [years]", own.needed, "above the luckiest of the independent ones"),
        ("Survives [trials]", own.survives, f"independent trials up to which {sure} are kept"),
        ("Observations", own.observations, f"returns by {period}"),
        ("Skew", own.skew, "of these"),
        ("Kurtosis", own.kurtosis, "of these; 3 if normal"),
    ]  # fmt: skip
    if not prefix:
        rows.append(
            ("Autocorrelation", found.autocorrelation, "of returns by session with the session before")
        )
    return [(f"{prefix}{name}", value, means) for name, value, means in rows]


def other_rows(found: Significance) -> list[tuple[str, Any, str]]:
    """Return the figures of all other tests; what was not worked out says why."""
    rows: list[tuple[str, Any, str]] = []
    crossed, superior, walked = found.overfitting, found.superiority, found.walk_forward
    if crossed is None:
        rows.append(("Probability of Overfitting", np.nan, found.missing["overfitting"]))
    else:
        rows += [
            ("Probability of Overfitting", crossed.probability, "best of one half below median in the other"),
            ("Probability of Loss", crossed.probability_of_loss, "best of one half below 0 in the other"),
            ("Degradation Slope", crossed.slope, "ratio out of sample by that in sample"),
        ]  # fmt: skip
    if superior is not None:
        rows += [
            ("Superior Ability p", superior.p_consistent,
             f"that none is better than {found.benchmark}; the one to use"),
            ("Superior Ability p, lower", superior.p_lower, "too small"),
            ("Superior Ability p, upper", superior.p_upper, "too large: White's reality check"),
            ("Better Configurations", len(found.better), f"found better than {found.benchmark}, all of them"),
        ]  # fmt: skip
    if walked is None:
        rows.append(("Walk-forward Sharpe", np.nan, found.missing["walk_forward"]))
    else:
        rows += [
            ("Walk-forward Sharpe", walked.sharpe, "of the best so far, chosen again and again, by session"),
            ("Walk-forward Charged", walked.charged_sharpe, "after an estimate of what changing costs"),
            ("Walk-forward Monthly", ratio(walked.charged, monthly=True), "the same by month"),
            ("Walk-forward Efficiency", walked.efficiency, "ratio out of sample over that in sample"),
            ("Hindsight Sharpe", walked.hindsight_sharpe, "of what turned out best in the same time"),
            ("Choices Changed", walked.changes, f"of {len(walked.table) - 1}"),
        ]
    rows += [
        ("Cost of Trading [bp]", 1e4 * found.cost, "of the value traded, on average"),
        ("Break-even Cost [bp]", 1e4 * cost_that_removes(found), "at which nothing is left"),
        ("Break-even Multiple", cost_multiple(found), "the same, times what trading costs"),
        ("Lowest on Other Borrow", worst_borrow(found)[1], worst_borrow(found)[0]),
        ("Kept by Neighbours", kept_beside(found), f"median share of its ratio, of {len(found.neighbours)}"),
        ("Without Best Months", without_best(found.months), f"ratio by month without the {DROPPED} best"),
    ]
    if len(found.placebos):
        rows.append(
            ("Wrong Dates p", found.placebo_p, f"share of {1 + len(found.placebos)} calendars as good")
        )
    return rows


# -- words ---------------------------------------------------------------------------------------------------


def interval(own: Odds, found: Significance) -> str:
    """Write the interval of a ratio, nothing where there is none."""
    if np.isnan(own.low):
        return ""
    return f" ({100 * found.confidence:g} % interval {number(own.low)} to {number(own.high)})"


def listed(names: list[str]) -> str:
    """Join names: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def sentence(parts: list[str]) -> str:
    """Join clauses to a sentence, nothing where there are none."""
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def plural(count: int, name: str) -> str:
    """Write a count with its noun."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def chance(superior: Superiority) -> str:
    """Write a p-value; one of 0 is below what so many draws can tell."""
    if not superior.p_consistent > 0.0:
        return f"below {1 / superior.draws:g}"
    return number(math.ceil(1e3 * superior.p_consistent - 1e-9) / 1e3, 3)


def probability(share: float) -> str:
    """Write a probability, rounded down: what falls short of what is asked for does not look like it."""
    return number(math.floor(1e3 * share + 1e-9) / 1e3 if np.isfinite(share) else share, 3)


def many(count: float) -> str:
    """Write a number of trials that need not be whole."""
    if count > 1e6:
        return "more than a million"
    return f"{count:,.0f}" if count >= 10.0 else f"{count:.1f}"


def percent(share: float) -> str:
    """Write a share as per cent."""
    return number(100.0 * share, 0 if share >= 0.1 or share == 0.0 else 1, " %")


def brief(value: Any) -> str:
    """Write the value of a parameter."""
    text = f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
