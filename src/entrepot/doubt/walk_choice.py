"""A sweep's configuration chosen anew from time to time, as one could have done, and what that earned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.doubt.sensitivity import trading_costs
from entrepot.reports.intervals import sharpe_interval
from entrepot.reports.metrics import MONTHS_PER_YEAR, SESSIONS_PER_YEAR, by_month, sharpe
from entrepot.reports.walk_choice import NOTHING, WalkChoice, sharpes, walk_choice
from entrepot.result import Result

if TYPE_CHECKING:
    from entrepot.sweeps import Sweep

# What is annualised as if months were sessions, times this, is annual.
MONTHS_TO_SESSIONS = (MONTHS_PER_YEAR / SESSIONS_PER_YEAR) ** 0.5


@dataclass(frozen=True, eq=False, repr=False)
class WalkForwardChoice:
    """What came of choosing the best configuration again and again; see `Sweep.walk_forward`.

    Args:
        table: one row per window: the sessions ``From`` and ``To`` that it was held, their number
            ``Sessions``, the ``Configuration`` (-1: none could be told from cash), its Sharpe ratio ``In
            Sample`` and ``Out of Sample``, its ``Rank`` out of sample (1 the best of all), the ``Turnover``
            of changing to it, a fraction of equity, and what that would have cost, ``Cost [%]`` of equity.
        returns: session returns over the policy rate of what was held, one window after the other. Changing
            from one configuration to another is not charged: each was run alone from the first session on.
        charged: the same less the estimated cost of changing, on the first session of each window.
        hindsight: over the same sessions, of the configuration whose Sharpe ratio was the highest in them.
        choice: the arrays behind these.
        metric: of the choice.
        configurations: how many there were to choose from.
        label: where the prices come from.
    """

    table: pd.DataFrame
    returns: pd.Series[Any]
    charged: pd.Series[Any]
    hindsight: pd.Series[Any]
    choice: WalkChoice
    metric: str
    configurations: int
    label: str

    @property
    def sharpe(self) -> float:
        """Annual Sharpe ratio out of sample; NaN where returns do not vary."""
        return self.choice.sharpe

    @property
    def charged_sharpe(self) -> float:
        """The same after the estimated cost of changing."""
        return ratio(self.charged)

    @property
    def hindsight_sharpe(self) -> float:
        """Annual Sharpe ratio of the configuration that turned out best over the same sessions."""
        return ratio(self.hindsight)

    def interval(self, monthly: bool, confidence: float, draws: int, seed: int) -> tuple[float, float]:
        """Return the bootstrap interval of the ratio after the estimated cost of changing."""
        if not monthly:
            return sharpe_interval(self.charged.to_numpy(dtype=np.float64), confidence, draws, seed)
        low, high = sharpe_interval(by_month(self.charged), confidence, draws, seed)
        return low * MONTHS_TO_SESSIONS, high * MONTHS_TO_SESSIONS

    @property
    def efficiency(self) -> float:
        """Ratio out of sample over the mean one in sample; NaN where the latter is not positive."""
        return self.choice.efficiency

    @property
    def changes(self) -> int:
        """How often the choice changed, the first purchase not counted."""
        return self.choice.changes

    def __repr__(self) -> str:
        count = f"{len(self.table)} windows, {self.configurations:,} configurations"
        return f"WalkForwardChoice({count}, {self.label})"

    def __str__(self) -> str:
        return (
            f"choosing the best of {self.configurations:,} configurations by {self.metric}, "
            f"{len(self.table)} times, earned a Sharpe ratio of {self.sharpe:.2f} out of sample "
            f"({self.charged_sharpe:.2f} after an estimate of what changing costs); in sample the chosen had "
            f"{self.table['In Sample'].mean():.2f} on average, and the one that turned out best had "
            f"{self.hindsight_sharpe:.2f}; the choice changed {self.changes} times"
        )


def walk_forward(
    sweep: Sweep, excess: pd.DataFrame, train: int, test: int, metric: str, anchored: bool, gap: int
) -> WalkForwardChoice:
    """Choose among configurations whose returns are known; see `Sweep.walk_forward`.

    Args:
        sweep: what they are of.
        excess: shape (sessions, configurations), from `Sweep.returns`.
        train: sessions looked at.
        test: sessions held.
        metric: of the choice.
        anchored: look at all sessions before.
        gap: sessions between the last one looked at and the first one held.
    """
    values = excess.to_numpy(dtype=np.float64)
    choice = walk_choice(values, train, test, metric, anchored=anchored, gap=gap)
    session = pd.DatetimeIndex(excess.index)
    numbers = excess.columns.to_numpy()
    picked = np.where(choice.chosen == NOTHING, NOTHING, numbers[choice.chosen])
    turnover, cost = changing(sweep, picked, choice.first)
    held = session[choice.first[0] :]
    returns = pd.Series(choice.returns, index=held, name="returns")
    charged = returns.rename("charged")
    charged.iloc[choice.first - choice.first[0]] -= cost
    after = sharpes(values[choice.first[0] :])
    best = 0 if np.isnan(after).all() else int(np.nanargmax(after))
    table = pd.DataFrame(
        {
            "From": session[choice.first],
            "To": session[choice.stop - 1],
            "Sessions": choice.stop - choice.first,
            "Configuration": picked,
            "In Sample": choice.in_sample,
            "Out of Sample": choice.out_of_sample,
            "Rank": choice.rank,
            "Turnover": turnover,
            "Cost [%]": 100.0 * cost,
        }
    )
    hindsight = pd.Series(values[choice.first[0] :, best], index=held, name="hindsight")
    label = sweep.job.market.label
    return WalkForwardChoice(table, returns, charged, hindsight, choice, metric, excess.shape[1], label)


def changing(
    sweep: Sweep, picked: NDArray[np.int64], first: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate what it takes to go from one configuration to the next, as fractions of equity.

    Args:
        sweep: what they are of.
        picked: shape (W,), configuration of each window, -1 for none.
        first: shape (W,), row of its first return: the sample before it is when it is bought.

    Returns:
        Turnover, the sum over lines of the change of their weights in equity, and that times what the
        recorded runs of all that were picked paid on average for each unit of value they traded.
    """
    steps = np.flatnonzero(sweep.job.market.decision_steps)[first]
    weights: dict[int, pd.DataFrame] = {}
    paid = value = 0.0
    for number in dict.fromkeys(int(row) for row in picked if row != NOTHING):
        result = sweep.backtest(number)
        weights[number] = weights_at(result, steps)
        own = trading_costs(result)
        paid, value = paid + own[0], value + own[1]
    turnover = np.zeros(len(picked))
    for window, number in enumerate(picked.tolist()):
        before = picked[window - 1] if window else NOTHING
        if number == before:
            continue
        sides = [weights[row].iloc[window] for row in (number, int(before)) if row != NOTHING]
        change = sides[0] if len(sides) == 1 else sides[0].sub(sides[1], fill_value=0.0)
        turnover[window] = float(change.abs().sum())
    return turnover, turnover * (paid / value if value > 0.0 else 0.0)


def weights_at(result: Result, steps: NDArray[np.int64]) -> pd.DataFrame:
    """Return what each line is worth after some steps, at its last price, as a fraction of equity.

    0 where equity is gone: no fraction of it is left to be changed.
    """
    held = result.positions.iloc[steps]
    market = result.market
    price = market.price[held.columns].ffill().iloc[steps].to_numpy()
    currency = list(market.instruments["currency"].reindex(held.columns))
    rate = market.fx[currency].to_numpy()[steps] / market.fx[result.base_currency].to_numpy()[steps, None]
    equity = result.equity_by_step[steps, None]
    worth = held.to_numpy() * np.nan_to_num(price * rate)
    return pd.DataFrame(
        np.where(equity > 0.0, worth / np.where(equity > 0.0, equity, 1.0), 0.0), columns=held.columns
    )


def ratio(excess: pd.Series[Any], monthly: bool = False) -> float:
    """Return the annual Sharpe ratio of session returns, or of the months they make."""
    if monthly:
        return float(sharpe(by_month(excess)) * MONTHS_TO_SESSIONS)
    return sharpe(excess.to_numpy(dtype=np.float64))
