"""The efficient price of each company and the premium of its ADS: what the lines' prints are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from entrepot.markets.sessions import session_clock
from entrepot.markets.simulated_events import CHANNELS, impact, marks_of, standing
from entrepot.markets.simulated_issuers import FACTORS, ISSUER_OF, ISSUERS, Issuer
from entrepot.markets.simulated_random import Floats, mean_reverting, smoothed, stream
from entrepot.markets.simulated_series import MARKET, Signal, at_steps, owner_of

if TYPE_CHECKING:
    from entrepot.markets.simulated_effects import Effects

# Share of a day's variance by the step that ends the segment: Hong Kong's open and close, New York's open and
# close. From eight real pairs, 2020 to 2025, less the noise of the prints; names without a New York line move
# 60 % while Hong Kong trades. Where a venue is shut, `QUIET` of its shares falls to the step that comes next.
DUAL_SHARES, HOME_SHARES = (0.04, 0.40, 0.12, 0.44), (0.12, 0.60, 0.12, 0.16)
QUIET: Final = 0.3
STEPS_A_DAY: Final = 4
STEPS_A_YEAR: Final = 252.0 * STEPS_A_DAY

# Half-lives are in sessions.
SLOW_SD, SLOW_HALF_LIFE = 0.42, 20.0  # of log-volatility
FAST_SD, FAST_HALF_LIFE = 0.45, 0.5
NEWS_CHANCE, NEWS_SCALE = 0.01, 4.0  # of a company's own shock at a step, and how much larger it is then
PREMIUM_MEAN, PREMIUM_SD, PREMIUM_WANDER = -0.0009, 0.0075, 0.01  # the last a year, where nothing reverts
PREMIUM_COMMON: Final = 0.4  # share of the variance of the premium's transient that is common to all pairs
DISCOUNT, FULL_THREAT, DISCOUNT_LAG = 0.005, 4.0, 3.0  # log premium, severity points, sessions
CUSTODY_FADE: Final = 250.0
MOMENTUM_HALF_LIFE: Final = 120.0
# What a line earns for each unit of the price of risk, where it does not depend on its own.
AVERAGE_RISK: Final = sum(issuer.market * issuer.volatility for issuer in ISSUERS) / len(ISSUERS)


def segments(grid: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return the share of a day's variance in the segment that ends at each step, of dual and other lines.

    Both have shape (T,).
    """
    kind = 2 * (grid["venue"] == "XNYS").to_numpy() + (grid["phase"] == "close").to_numpy()
    skipped = np.append(0, (np.diff(kind) - 1) % 4)
    shares = []
    for share in (np.array(DUAL_SHARES), np.array(HOME_SHARES)):
        own = share[kind]
        for back in range(1, 4):
            own = own + np.where(skipped >= back, QUIET * share[(kind - back) % 4], 0.0)
        shares.append(own)
    return shares[0], shares[1]


def lives_at_home(issuer: Issuer) -> bool:
    """Whether most of an issuer's news comes while Hong Kong trades."""
    return not issuer.adr or (issuer.factor == "state" and bool(issuer.hk))


def reward(issuer: Issuer, effects: Effects) -> float:
    """Return what an issuer is expected to earn for its risk, log return a year."""
    risk = issuer.market * issuer.volatility
    return effects.risk_price * (risk + effects.low_volatility * (AVERAGE_RISK - risk))


def sector_drifts(T: int, seed: int, effects: Effects) -> Floats:
    """Return the drift of each sector over the segment that ends at each step, a year, shape (T, factors)."""
    if not effects.momentum:
        return np.zeros((T, len(FACTORS)))
    half_life = MOMENTUM_HALF_LIFE * STEPS_A_DAY
    paths = [mean_reverting(stream(seed, f"momentum/{name}"), T, half_life) for name in FACTORS]
    return effects.momentum * np.stack(paths, axis=1)


def volatility_levels(T: int, seed: int) -> Floats:
    """Return the multiple of its usual volatility at which all moves, shape (T,), of mean square 1."""
    z = SLOW_SD * mean_reverting(stream(seed, "volatility"), T, SLOW_HALF_LIFE * STEPS_A_DAY)
    z += FAST_SD * mean_reverting(stream(seed, "turbulence"), T, FAST_HALF_LIFE * STEPS_A_DAY)
    multiple: Floats = np.exp(z - SLOW_SD**2 - FAST_SD**2)
    return multiple


def efficient_prices(
    grid: pd.DataFrame,
    issuers: Sequence[Issuer],
    events: pd.DataFrame,
    seed: int,
    effects: Effects,
    signals: Mapping[str, Signal],
) -> tuple[Floats, Floats]:
    """Return the efficient log price of each issuer, and the part of it that could be foreseen.

    Both have shape (T, issuers). The second is the sum of what was expected of each segment at its begin, so
    that exp(first - second) is a martingale but for the events' surprises.
    """
    T, time = len(grid), pd.DatetimeIndex(grid["time"])
    dual, home = segments(grid)
    level = volatility_levels(T, seed)
    common = {"": stream(seed, "market").standard_normal(T)}
    for name in (*FACTORS, *sorted({issuer.industry for issuer in ISSUERS} - {""})):
        common[name] = stream(seed, f"sector/{name}").standard_normal(T)
    trends = sector_drifts(T, seed, effects)
    arrived, late = arrivals(time, events, effects)
    constant: dict[Issuer, float] = {}
    for symbol, drift in effects.drift.items():
        constant[ISSUER_OF[symbol]] = constant.get(ISSUER_OF[symbol], 0.0) + drift

    value, foreseen = np.empty((T, len(issuers))), np.empty((T, len(issuers)))
    for column, issuer in enumerate(issuers):
        share = (home if lives_at_home(issuer) else dual) / 252.0
        sd = issuer.volatility * np.sqrt(share) * level
        name_of = issuer.adr or issuer.hk
        loadings = (issuer.market, issuer.sector, issuer.in_industry)
        names = ("", issuer.factor, issuer.industry)
        shared = sum(loading**2 for loading in loadings)
        news = np.where(stream(seed, f"news/{name_of}").random(T) < NEWS_CHANCE, NEWS_SCALE, 1.0)
        news /= np.sqrt(1.0 + NEWS_CHANCE * (NEWS_SCALE**2 - 1.0))
        shocks = np.sqrt(1.0 - shared) * news * stream(seed, f"company/{name_of}").standard_normal(T)
        variance = sd**2 * (shared + (1.0 - shared) * news**2)
        for loading, name in zip(loadings, names, strict=True):
            if loading:
                shocks += loading * common[name]
        annual = reward(issuer, effects) + constant.get(issuer, 0.0) + trends[:, FACTORS.index(issuer.factor)]
        for name, strength in effects.signals.items():
            if strength and name != "custody":
                owner = MARKET if name == "ipo_proceeds" else owner_of(issuer)
                annual = annual + strength * at_steps(time, signals[name], owner)
        by_event = effects.event_impact * np.array([impact(issuer, name) for name in CHANNELS])
        expected = annual * share
        foreseen[:, column] = np.cumsum(expected) + late @ by_event
        moves = np.cumsum(sd * shocks - variance / 2.0 + expected)
        value[:, column] = np.log(issuer.level) + moves + arrived @ by_event
    return value, foreseen


def arrivals(time: pd.DatetimeIndex, events: pd.DataFrame, effects: Effects) -> tuple[Floats, Floats]:
    """Return the severity that has reached prices by each step, by channel, and the late part of it.

    Both have shape (T, channels) and count escalations less reliefs since the first step. The late part is
    what was known before it came.
    """
    now, marks = session_clock(time), marks_of(time, events)
    marks = marks.where(marks.hit > 0)
    arrived, late = np.zeros((len(time), len(CHANNELS))), np.zeros((len(time), len(CHANNELS)))
    for column, name in enumerate(CHANNELS):
        own = marks.of(name)
        np.add.at(arrived[:, column], own.hit, own.size)
        arrived[:, column] = np.cumsum(arrived[:, column])
        if effects.underreaction:
            still = standing(now, own._replace(born=now[own.hit]), effects.reaction_half_life)
            late[:, column] = effects.underreaction * (arrived[:, column] - still)
            arrived[:, column] -= effects.underreaction * still
    return arrived, late


def discount(threat: Floats, effects: Effects) -> Floats:
    """Return what the standing threat of delisting adds to the log premium of every ADS, shape (T,).

    It goes towards ``-0.5 % * delisting_drift * (1 - exp(-threat / 4))`` with a half-life of three sessions.
    """
    depth = -DISCOUNT * effects.delisting_drift * (1.0 - np.exp(-threat / FULL_THREAT))
    return smoothed(depth, DISCOUNT_LAG * STEPS_A_DAY)


def ads_premia(
    time: pd.DatetimeIndex,
    issuers: Sequence[Issuer],
    threat: Floats,
    seed: int,
    effects: Effects,
    signals: Mapping[str, Signal],
) -> Floats:
    """Return the log premium of the ADS of each issuer, free of the noise of prints, shape (T, issuers).

    ``threat`` is the standing threat of delisting at each step, shape (T,).
    """
    T, half_life = len(time), effects.premium_half_life * STEPS_A_DAY
    level = PREMIUM_MEAN + discount(threat, effects)
    volatile = volatility_levels(T, seed)
    strength = effects.signals.get("custody", 0.0)
    fade = 0.5 ** (1.0 / (CUSTODY_FADE * STEPS_A_DAY))

    def transient(purpose: str) -> Floats:
        if np.isinf(half_life):
            steps = stream(seed, purpose).standard_normal(T)
            wandered: Floats = PREMIUM_WANDER / np.sqrt(STEPS_A_YEAR) * np.cumsum(steps)
            return wandered
        return PREMIUM_SD * mean_reverting(stream(seed, purpose), T, half_life, volatile)

    common = np.sqrt(PREMIUM_COMMON) * transient("premium")
    premia = np.empty((T, len(issuers)))
    for column, issuer in enumerate(issuers):
        own = transient(f"premium/{issuer.adr}")
        premia[:, column] = level + common + np.sqrt(1.0 - PREMIUM_COMMON) * own
        if strength:
            moves = -strength / STEPS_A_YEAR * at_steps(time, signals["custody"], owner_of(issuer))
            premia[:, column] += smoothed(moves, CUSTODY_FADE * STEPS_A_DAY) / (1.0 - fade)
    return premia
