"""Does it help to switch: the switch against each of its parts, and against calendars with wrong dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from entrepot.engine.costs import Costs
from entrepot.errors import ParameterError, is_whole, shown
from entrepot.markets.market import Market
from entrepot.progress import progress_bar
from entrepot.regimes import Events, RegimeModel
from entrepot.regimes.placebo import Move, misdate
from entrepot.reports.intervals import sharpe_interval
from entrepot.reports.metrics import excess_returns
from entrepot.reports.periods import period_statistics
from entrepot.result import Result, backtest
from entrepot.strategies import RegimeSwitch
from entrepot.strategies.function import alike
from entrepot.strategies.switch import brief

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from entrepot.reports.pictures.style import Size

SWITCH = "switch"
DRAWS = 1000  # bootstrap samples behind each interval
COMPARED = ("Net Return [% pa]", "Sharpe Ratio", "Monthly Sharpe", "Max Drawdown [%]", "Costs [% pa]")


@dataclass(frozen=True, eq=False)
class SwitchingValue:
    """What switching was worth, and how sure that is.

    Args:
        table: one row for the switch, one for each of its parts held throughout, named by the regimes it
            serves; figures of `period_statistics`, and for each part how much larger the switch's Sharpe
            ratio is, with its interval (``Switch Adds``, ``Adds Low``, ``Adds High``).
        placebo: one row for each calendar with wrong dates: the switch's net return and Sharpe ratios on it.
        p: share of calendars whose Sharpe ratio is at least as large, the true one counted as one of them,
            and so is one on which it is not defined; NaN without placebos, and where the true calendar has no
            ratio. By figure: daily and monthly Sharpe ratio, and net return.
        caveat: what to say beside it.
        label: where the prices come from.
    """

    table: pd.DataFrame
    placebo: pd.DataFrame
    p: pd.Series[float]
    caveat: str
    label: str

    def __str__(self) -> str:
        own: float = self.table["Sharpe Ratio"][SWITCH]
        if np.isnan(own):
            return "the switch has no Sharpe ratio: it held nothing, or lost everything"
        best: pd.Series[float] = self.table.drop(SWITCH)["Sharpe Ratio"].dropna()
        text = f"the switch has a Sharpe ratio of {own:.2f}"
        if len(best):
            name = best.index.astype(str)[int(best.to_numpy().argmax())]
            low, high = self.table.loc[name, ["Adds Low", "Adds High"]]
            text += (
                f", its best part ({name}) {best.max():.2f}: switching adds "
                f"{self.table.loc[name, 'Switch Adds']:+.2f} (95 % interval {low:+.2f} to {high:+.2f})"
            )
        if len(self.placebo):
            text += (
                f"; of {1 + len(self.placebo)} calendars, all but one with wrong dates, "
                f"{self.p['Sharpe Ratio']:.1%} do at least as well"
            )
        return text

    def plot(self, size: Size = "page") -> Axes:
        """Draw the Sharpe ratios with wrong dates, and where the true calendar and the parts lie.

        Args:
            size: "page", as wide as a page of print, or "slide", a whole one.
        """
        from entrepot.reports.pictures.placebo import draw_placebo

        return draw_placebo(
            self.placebo["Sharpe Ratio"].to_numpy(),
            self.table["Sharpe Ratio"],
            f"Sharpe ratio on calendars with wrong dates ({self.label})",
            size,
        )


def switching_value(
    market: Market,
    events: Events,
    plan: RegimeSwitch,
    model: RegimeModel | None = None,
    *,
    placebos: int = 100,
    move: Move = "shift",
    capital: float = 10_000_000.0,
    costs: Costs | None = None,
    seed: int = 0,
    progress: bool = True,
) -> SwitchingValue:
    """Run a switch, each of its parts held throughout, and the switch on calendars with wrong dates.

    With a handful of episodes no asymptotic test means much: the calendars with wrong dates, same events,
    same marks, say what a switch gains that happens to switch as often. What borrow costs stays with the true
    calendar throughout: on wrong dates only the strategy is wrong.

    Args:
        market: what is traded.
        events: the true calendar.
        plan: its path is replaced by those that ``model`` walks.
        model: `RegimeModel()` where not given.
        placebos: how many calendars with wrong dates; 0: none.
        move: see `misdate`.
        capital: of each run.
        costs: what trading and holding cost; `Costs()` where not given.
        seed: of the wrong dates and of the intervals.
        progress: show a bar over the placebos.

    Raises:
        ParameterError: for a plan that is no `RegimeSwitch`, or a number of placebos that is none.
    """
    if not isinstance(plan, RegimeSwitch):
        raise ParameterError(f"switching_value was given {shown(plan)}: give a RegimeSwitch")
    if not is_whole(placebos) or placebos < 0:
        raise ParameterError(f"placebos is {shown(placebos)}: give a whole number of calendars, 0 or more")
    if not is_whole(seed) or seed < 0:
        raise ParameterError(f"seed is {shown(seed)}: give a whole number, 0 or more")
    if not isinstance(model, RegimeModel | None):
        raise ParameterError(f"model is {shown(model)}: give a RegimeModel(), or leave it out")
    model = RegimeModel() if model is None else model
    path = model.walk_forward(market, events, progress=False)

    def run(strategy: object) -> Result:
        return backtest(market, strategy, path=path, capital=capital, costs=costs)  # type: ignore[arg-type]

    def measured(result: Result) -> pd.Series[float]:
        return period_statistics(result, draws=DRAWS, seed=seed)

    switched = run(plan.with_(path=path))
    rows = {SWITCH: measured(switched)}
    own = excess_returns(switched)
    for name, part in alone(plan).items():
        result = run(part)
        both = np.column_stack([own, excess_returns(result)])
        low, high = sharpe_interval(both, draws=DRAWS, seed=seed)
        figures = measured(result)
        adds = rows[SWITCH]["Sharpe Ratio"] - figures["Sharpe Ratio"]
        rows[name] = pd.concat(
            [figures, pd.Series({"Switch Adds": adds, "Adds Low": low, "Adds High": high})]
        )
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in progress_bar(range(placebos), desc="wrong dates", show=progress):
        wrong = model.walk_forward(market, misdate(events, market, rng, move), progress=False)
        figures = period_statistics(run(plan.with_(path=wrong)), draws=0)
        drawn.append(figures[list(COMPARED)])
    placebo = pd.DataFrame(drawn, columns=list(COMPARED)).reset_index(drop=True).astype(float)
    p = pd.Series({name: share_as_good(placebo[name], rows[SWITCH][name]) for name in COMPARED[:3]})
    return SwitchingValue(pd.DataFrame(rows).T, placebo, p, path.caveat, market.label)


def share_as_good(placebo: pd.Series[float], own: float) -> float:
    """Return the share of calendars whose figure is not below the true one's, which is one of them."""
    if not len(placebo) or np.isnan(own):
        return float(np.nan)
    return (1 + int((~(placebo < own)).sum())) / (1 + len(placebo))


def alone(plan: RegimeSwitch) -> dict[str, object]:
    """Return the different parts of a switch by name and the regimes they serve, cash left out."""
    found: list[tuple[list[str], object]] = []
    for name, part in zip(plan.path.names, plan.parts, strict=True):
        known = [regimes for regimes, other in found if alike(other, part)]
        if known:
            known[0].append(name)
        elif part is not None:
            found.append(([name], part))
    return {f"{' and '.join(regimes)}: {brief(part)}": part for regimes, part in found}
