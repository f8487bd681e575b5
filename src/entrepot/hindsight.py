"""What a strategy would have earned on states told with hindsight, and the picture of regimes over premia."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine.costs import Costs
from entrepot.errors import ParameterError, shown
from entrepot.markets.frames import is_over
from entrepot.markets.market import Market
from entrepot.markets.premium import premium
from entrepot.regimes import Events, RegimeModel, RegimePath
from entrepot.regimes.research import Leak, check_fitted, leaky_path
from entrepot.regimes.walk_forward import RISK_CHANNELS
from entrepot.result import backtest
from entrepot.strategies import RegimeSwitch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from entrepot.reports.pictures.style import Size

HONEST = "walk-forward"
LEAKS: dict[str, Leak] = {"full-sample parameters": "full_sample", "smoothed states": "smoothed"}
FIGURES = (
    "Total Return [%]",
    "Annualized Return [%]",
    "Sharpe Ratio",
    "Monthly Sharpe",
    "Max Drawdown [%]",
    "Turnover",
    "Total Costs",
)


@dataclass(frozen=True, eq=False)
class LookAheadGap:
    """One strategy on honest regimes and on regimes that know the future.

    Args:
        table: one row per way of telling states: "walk-forward", which could have been traded, "full-sample
            parameters" and "smoothed states", which could not. Figures of `Result.summary`, the number of
            regime `Switches`, and `Steps Apart [%]`: how often the regime is another than walk-forward's.
        returns: daily, one column each, over the whole market. Until the honest detectors are first fitted
            they are alike, which brings all Sharpe ratios nearer to each other.
        paths: the regime path of each.
        label: where the prices come from.
    """

    table: pd.DataFrame
    returns: pd.DataFrame
    paths: dict[str, RegimePath]
    label: str

    def plot(self, size: Size = "page") -> Axes:
        """Draw the growth of each, as wide as a page of print or on a whole slide."""
        from entrepot.reports.pictures.look_ahead import draw_gap

        title = f"Look-ahead gap: only walk-forward could be traded ({self.label})"
        return draw_gap(self.returns, self.table["Sharpe Ratio"], title, size)


def look_ahead_gap(
    market: Market,
    strategy: RegimeSwitch | Callable[[RegimePath], Any],
    model: RegimeModel,
    events: Events,
    *,
    capital: float = 10_000_000.0,
    costs: Costs | None = None,
) -> LookAheadGap:
    """Run a strategy on the regimes of a walk forward, and on those that hindsight would have drawn.

    The leaking regimes begin where the honest ones do, so that what differs is what they knew and not for how
    long.

    Args:
        market: what is traded.
        strategy: a `RegimeSwitch`, whose path is replaced, or a function of a path that returns a strategy.
        model: with at least one detector that is fitted.
        events: what it walks over.
        capital: of each run.
        costs: what trading and holding cost; `Costs()` where not given.

    Raises:
        ParameterError: for a strategy that follows no path, or a model in which nothing is fitted.
    """
    if not (isinstance(strategy, RegimeSwitch) or callable(strategy)):
        raise ParameterError(
            f"look_ahead_gap was given {shown(strategy)}: give a RegimeSwitch, or a function of a path"
        )
    check_fitted(model)
    honest = model.walk_forward(market, events, progress=False)
    paths = {HONEST: honest}
    paths |= {name: leaky_path(model, market, events, leak, honest) for name, leak in LEAKS.items()}
    rows, returns = {}, {}
    for name, path in paths.items():
        plan = replace(strategy, path=path) if isinstance(strategy, RegimeSwitch) else strategy(path)
        result = backtest(market, plan, path=path, capital=capital, costs=costs)
        summary = result.summary()
        rows[name] = {figure: summary[figure] for figure in FIGURES} | {
            "Switches": int(np.count_nonzero(np.diff(path.states))),
            "Steps Apart [%]": 100.0 * float((path.states != paths[HONEST].states).mean()),
        }
        returns[name] = result.returns
    return LookAheadGap(pd.DataFrame(rows).T, pd.DataFrame(returns), paths, market.label)


def draw_regimes(
    market: Market, path: RegimePath, events: Events | None = None, *, size: Size = "page"
) -> NDArray[Any]:
    """Draw the premia of all pairs over the regimes of a path, and the probability of each risk below.

    Args:
        market: with pairs.
        path: its regimes.
        events: marked over the premia where they are tariff or delisting events of severity 3 or more.
        size: "page", as wide as a page of print, or "slide", a whole one.

    Returns:
        Array of Axes, premia first.

    Raises:
        ParameterError: for a market without pairs.
    """
    from entrepot.reports.pictures.regime_ribbon import draw_ribbon

    if not isinstance(market, Market) or not isinstance(path, RegimePath):
        raise ParameterError("draw_regimes needs a market and its regime path, in this order")
    if not (events is None or isinstance(events, Events)):
        raise ParameterError(f"events is {shown(events)}: give events such as load_events(), or None")
    if market.pairs.empty:
        raise ParameterError(
            "the market has no pair, so there are no premia: give one with both legs of some"
        )
    if not is_over(market, path.time):
        raise ParameterError("the path is of another market: walk the model over this one")
    premia = pd.DataFrame({adr: premium(market, str(adr)) for adr in market.pairs.index})
    stress = {risk: _stress(path, risk) for risk in RISK_CHANNELS}
    chosen = None
    if events is not None:
        frame = events.known_by(path.time[-1]).frame
        channels = [channel for own in RISK_CHANNELS.values() for channel in own]
        keep = (
            frame["channel"].isin(channels) & (frame["severity"] >= 3) & (frame["known_at"] >= path.time[0])
        )
        chosen = frame[keep]
    return draw_ribbon(
        premia,
        path.time,
        path.states,
        path.names,
        stress,
        chosen,
        f"Regimes as they could have been known ({market.label})",
        size,
    )


def _stress(path: RegimePath, risk: str) -> pd.DataFrame:
    """Probability or score of a risk at each step, NaN before its detector was first fitted."""
    line = path.probabilities[risk] + path.probabilities["decoupling"]
    if risk not in path.refits:
        return pd.DataFrame({"score": line})
    fits = path.refits[risk]
    begin = fits.loc[fits["accepted"], "known_at"].min()
    return pd.DataFrame({"filtered probability": line.where(line.index >= begin)})
