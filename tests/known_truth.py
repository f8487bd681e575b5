"""What a strategy should have earned in a simulated market, from what the market was made of.

A position held over a segment is due its value times the return that was expected of the segment at its
begin, given the calendar of events. The sum of that over a run is the compensator of its profit: whatever a
strategy does, as long as it sees no future, profit before costs less what was due is a martingale, whose mean
over seeds is zero. What is due has little of the noise of prices in it, so that its size is known well. The
variance of a martingale is the expected sum of its squared steps, so that its error is known well too.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from naive_simulation import discounts

from entrepot.engine.costs import Costs
from entrepot.markets import simulated_prices as model
from entrepot.result import Result, backtest

FREE = Costs.none()
LAG = 8  # steps of two days


class Earned(NamedTuple):
    """Of one run before costs, as fractions of equity a year, not compounded."""

    profit: float
    due: float
    surprise: float  # the part of ``due`` that came with events at the moment they were known
    squares: float  # sum of the squares of what came at each step less what was due, prints left out


def run(market, plan, path=None) -> Earned:
    """Run a plan without any cost and say what it made and what it should have."""
    result = backtest(market, plan, costs=FREE, path=path)
    # Each step counts by the equity of two days before: today's is marked at prices of different hours, which
    # what comes next takes back.
    equity = np.append(np.full(LAG, result.capital), result.equity_by_step)
    share = 1.0 / equity[: -LAG - 1] / (market.decision_steps.sum() / 252)
    foreseen, at_once = expected(market)
    level = levels(market)
    value = values(result, level)[:-1] * share[:, None]
    due = (value * np.expm1(foreseen + at_once)).sum(axis=1)
    came = (value * np.expm1(np.diff(level, axis=0))).sum(axis=1)
    surprise = due.sum() - (value * np.expm1(foreseen)).sum()
    profit = np.diff(result.equity_by_step) @ share
    return Earned(float(profit), float(due.sum()), float(surprise), float(((came - due) ** 2).sum()))


@lru_cache(maxsize=16)
def expected(market) -> tuple[np.ndarray, np.ndarray]:
    """Expected log growth of each line over the segment after each step, without and from new events.

    Both have shape (T - 1, N); exp of the sum, less 1, is the expected return. Dividends are left in.
    """
    truth = market.truth
    assert truth.effects.fx_half_life == np.inf
    assert market.splits.empty
    assert (market.instruments["withholding"] == 0.0).all()
    assert not (market.ratios["effective_from"] > market.grid["session"].iloc[0]).any()
    growth = np.diff(truth.foreseen.to_numpy(), axis=0)
    at_once = np.diff(surprises(market), axis=0)
    ads = [market.column(symbol) for symbol in truth.premium]
    growth[:, ads] += premium_growth(market)
    return growth, at_once


def surprises(market) -> np.ndarray:
    """What events have added to efficient log prices at the first step after each, summed up, (T, N)."""
    truth, time = market.truth, market.price.index
    came = np.zeros((len(time), truth.betas.shape[1]))
    for known, channel, direction, severity in truth.events.itertuples(index=False):
        hit = int(np.searchsorted(time, known, side="right"))
        if 0 < hit < len(time):
            came[hit:, truth.betas.columns.get_loc(channel)] += direction * severity
    part = truth.effects.event_impact * (1.0 - truth.effects.underreaction)
    return part * came @ truth.betas.to_numpy().T


def premium_growth(market) -> np.ndarray:
    """Expected growth of the ratio of each ADS to parity over the segment after each step, (T - 1, pairs).

    Log premium = mean + discount + custody + x. The first three are known beforehand given the calendar and
    the signals; x reverts or wanders, and half the variance of its next step is due as well.
    """
    truth, effects = market.truth, market.truth.effects
    slow = slow_parts(market)
    x = np.log1p(truth.premium.to_numpy()) - slow
    if np.isinf(effects.premium_half_life):
        pull, variance = np.zeros_like(x), model.PREMIUM_WANDER**2 / model.STEPS_A_YEAR
    else:
        keep = 0.5 ** (1.0 / (4.0 * effects.premium_half_life))
        pull, variance = (keep - 1.0) * x, model.PREMIUM_SD**2 * (1.0 - keep**2)
    return np.diff(slow, axis=0) + pull[:-1] + variance / 2.0


def slow_parts(market) -> np.ndarray:
    """Mean, discount under threat and what custody has done to the log premium of each ADS, (T, pairs)."""
    truth, time = market.truth, market.price.index
    under_threat = np.array(discounts(truth.threat["delisting"], truth.effects.delisting_drift))
    slow = model.PREMIUM_MEAN + np.repeat(under_threat[:, None], truth.premium.shape[1], axis=1)
    strength = truth.effects.signals.get("custody", 0.0)
    if strength:
        series = truth.signals["custody"]
        fade = 0.5 ** (1.0 / (4.0 * model.CUSTODY_FADE))
        row = np.searchsorted(series.known_at, time[:-1], side="right")
        for column, adr in enumerate(truth.premium):
            known = np.append(0.0, series.only([market.pairs.at[adr, "hk"]]).array[:, 0])[row]
            moved = 0.0
            for step, signal in enumerate(known.tolist(), start=1):
                moved = fade * moved - strength / model.STEPS_A_YEAR * signal
                slow[step, column] += moved
    return slow


def levels(market) -> np.ndarray:
    """Log value of each line but for splits, dividends and the exchange rate, free of the noise of prints."""
    level = market.truth.efficient.to_numpy().copy()
    ads = [market.column(symbol) for symbol in market.truth.premium]
    level[:, ads] += np.log1p(market.truth.premium.to_numpy())
    return level


def values(result: Result, level: np.ndarray) -> np.ndarray:
    """What is held in each line after each step at its value free of the last print's age, USD, (T, N)."""
    market = result.market
    # The last print, carried by what its value has done since.
    anchor = pd.DataFrame(market.price.to_numpy() * np.exp(-level)).ffill().to_numpy()
    rate = np.where(market.instruments["currency"] == "HKD", 1.0 / market.fixings["per_usd"].iloc[0], 1.0)
    held = result.positions.reindex(columns=market.price.columns, fill_value=0.0).to_numpy()
    return held * np.where(held != 0.0, anchor * np.exp(level) * rate, 0.0)
