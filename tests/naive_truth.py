"""What trades should earn where only their effect is there, without prices, lines, steps or a ledger.

Each number is a fraction of equity a year. Trades on events are worked out from the calendar; the others by
drawing the process behind their signal day by day, many worlds at once, and following the rule on it. Left
out are holidays, listing dates, dividends, ticks and changes of volatility.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from entrepot.markets.sessions import session_clock

YEAR = 252
HALF = YEAR // 2
SHARES = (0.04, 0.40, 0.12, 0.44)  # of a day's variance of dual-listed names, by step
PRINT_SD = 0.0012


def ar1(rng, shape, half_life):
    """Stationary AR(1) of unit variance along the first axis."""
    keep = 0.5 ** (1.0 / half_life)
    value = rng.standard_normal(shape)
    value[1:] *= np.sqrt(1.0 - keep**2)
    for t in range(1, shape[0]):
        value[t] += keep * value[t - 1]
    return value


def trailing(values, window, least=None):
    """Mean and standard deviation (ddof 1) of the last rows, NaN where there are fewer than ``least``."""
    count = np.minimum(np.arange(1, len(values) + 1), window).reshape(-1, *[1] * (values.ndim - 1))

    def total(numbers):
        until = np.cumsum(numbers, axis=0)
        return np.concatenate([until[:window], until[window:] - until[:-window]])

    mean = total(values) / count
    spread = np.sqrt(np.maximum(total(values**2) - count * mean**2, 0.0) / np.maximum(count - 1, 1))
    known = count >= (least or window)
    return np.where(known, mean, np.nan), np.where(known, spread, np.nan)


# -- events --------------------------------------------------------------------------------------------------


def levels(market, events, channels):
    """Part of a trade on risk decided at each step, (T,): above 0 a hedge, below 0 a bet on relief."""
    own = events[events["channel"].isin(channels) & ~events["notes"].str.startswith("context only")]
    known, direction = pd.DatetimeIndex(own["known_at"]), own["direction"].to_numpy()
    mark, born = np.minimum(own["severity"].to_numpy(), 3), session_clock(known)
    time, decides = market.price.index, market.decision_steps
    decided, level = np.zeros(len(time)), 0.0
    for step, now in enumerate(session_clock(time)):
        if decides[step]:
            left = np.where(known <= time[step], mark * 0.5 ** ((now - born) / 20.0), 0.0)
            worse, better = left[direction == 1].sum(), left[direction == -1].sum()
            part = np.floor(4.0 * min(1.0, max(worse, better) / 3.0) + 0.5) / 4.0
            level = part if worse > better else -part if better > worse else 0.0
        decided[step] = level
    return decided


def in_force(decided, market, venue):
    """What is held after each step, (T,): what was decided before it, from the venue's next step on."""
    held, now = np.zeros(len(decided)), 0.0
    trades = (market.grid["venue"] == venue).to_numpy()
    for step in range(1, len(decided)):
        if trades[step]:
            now = decided[step - 1]
        held[step] = now
    return held


def late_moves(market):
    """Log return that comes late over the segment after each step, (T - 1, N), from the calendar."""
    truth, time = market.truth, market.price.index
    clock, effects = session_clock(time), truth.effects
    late = np.zeros((len(time), len(market.symbols)))
    for known, channel, direction, severity in truth.events.itertuples(index=False):
        after = np.flatnonzero(time > known)
        if 0 < len(after) < len(time):
            come = 1.0 - 0.5 ** ((clock[after] - clock[after[0]]) / effects.reaction_half_life)
            late[after] += direction * severity * come[:, None] * truth.betas[channel].to_numpy()
    return np.diff(effects.event_impact * effects.underreaction * late, axis=0)


def yearly(market, held, moves):
    """Sum of what is held times what moved after it, a year."""
    return float((held[:-1] * moves).sum() / (market.decision_steps.sum() / YEAR))


# -- pairs ---------------------------------------------------------------------------------------------------


@cache
def convergence(half_life, volatility, sessions, *, reverse=False, worlds=3000, seed=1):
    """Of one pair of weight 1: short the ADS where the smoothed premium is high against its own past."""
    rng = np.random.default_rng(seed)
    x = 0.0070 * ar1(rng, (4 * sessions, worlds), 4.0 * half_life)
    sd = volatility * np.sqrt(np.tile(SHARES, sessions) / YEAR)
    efficient = np.cumsum(sd[:, None] * rng.standard_normal(x.shape), axis=0)
    hk = efficient[1::4] + PRINT_SD * rng.standard_normal((sessions, worlds))
    ads = (efficient + x)[3::4] + PRINT_SD * rng.standard_normal((sessions, worlds))
    averaged = (ads - hk)[1:] / 2.0 + (ads[:-1] - hk[1:]) / 2.0
    signal = pd.DataFrame(averaged).ewm(span=10).mean().to_numpy()
    mean, deviation = trailing(signal, 60)
    z = (signal - mean) / deviation
    short = np.zeros(worlds)  # of ADSs
    gain = 0.0
    for day in range(1, sessions - 1):  # z[day - 1] is of the close of this day
        now = z[day - 1]
        entered = np.where(now > 1.5, 1.0, np.where((now < -1.5) & reverse, -1.0, 0.0))
        left = ((short > 0) & (now < 0.3)) | ((short < 0) & (now > -0.3))
        short = np.where((short == 0.0) | left, entered, short)
        # Held from the next open of New York to the one after.
        first = 4 * (day + 1) + 2
        until = min(first + 4, 4 * sessions - 1)
        gain += (short * (x[first] - x[until])).mean()
    return gain / (sessions / YEAR)


def custody(strength, sessions, *, worlds=3000, seed=2):
    """Of one pair of weight 1: short the ADS while more than usual moves into custody."""
    rng = np.random.default_rng(seed)
    signal = ar1(rng, (sessions, worlds), 60.0)
    fade, moved = 1.0 - 0.5 ** (1.0 / 250.0), np.zeros(worlds)
    shown, lost = np.empty(signal.shape), np.empty(signal.shape)
    premium = np.zeros(worlds)
    for day in range(sessions):
        moved = moved + fade * (signal[day] - moved)
        shown[day] = 2.1 / YEAR / fade * moved + 0.01 * rng.standard_normal(worlds)
        after = premium * (1.0 - fade) - strength / YEAR * signal[day]
        lost[day] = premium - after
        premium = after
    change, z = shown[60:] - shown[:-60], np.zeros(shown.shape)
    mean, deviation = trailing(change, YEAR, HALF)
    z[60:] = np.nan_to_num((change - mean) / deviation)
    quarters = np.floor(4.0 * np.clip(z / 2.0, 0.0, 1.0) + 0.5) / 4.0
    first = 60 + HALF - 1
    gain = 0.0
    for day in range(first, sessions - 1):
        gain += (quarters[day - (day - first) % 21] * lost[day + 1]).mean()
    return gain / (sessions / YEAR)


# -- signals of lines ----------------------------------------------------------------------------------------


def world_of(rng, strength, half_life, volatility, shape, every=1):
    """Signals, (days, worlds, lines), and the log price they lead; a signal lasts ``every`` days."""
    signal = np.repeat(ar1(rng, (-(-shape[0] // every), *shape[1:]), half_life), every, axis=0)[: shape[0]]
    known = np.zeros(shape)
    known[every:] = signal[:-every] if every > 1 else signal[:-1]
    moves = strength / YEAR * known + volatility / np.sqrt(YEAR) * rng.standard_normal(shape)
    return signal, np.cumsum(moves, axis=0)


def highest(score, count):
    """Equal parts of 1 in the highest of the last axis."""
    place = np.argsort(np.argsort(-score, axis=-1), axis=-1)
    return (place < count) / count


def southbound(strength, volatility, sessions, *, worlds=500, seed=3):
    """The third of lines with the largest net buying of 20 days, where their price is above its mean."""
    rng = np.random.default_rng(seed)
    volatility = np.asarray(volatility)
    shape = (sessions, worlds, len(volatility))
    signal, price = world_of(rng, strength, 10.0, volatility, shape)
    score, _ = trailing((signal + rng.standard_normal(shape)) / np.sqrt(2.0), 20, 10)
    level = np.exp(price)
    above = level > trailing(level, 120)[0]
    gain, held = 0.0, np.zeros(shape[1:])
    for day in range(9, sessions - 1):
        if (day - 9) % 21 == 0:
            held = highest(score[day], shape[2] // 3) * above[day]
        gain += strength / YEAR * (held * signal[day]).sum(axis=1).mean()
    return gain / (sessions / YEAR)


@cache
def ah_discount(strength, lines, sessions, *, worlds=1000, seed=4):
    """The third of lines that are cheapest against their A shares, whose usual ratio is 0.65 to 0.85."""
    rng = np.random.default_rng(seed)
    signal = ar1(rng, (sessions, worlds, lines), 60.0)
    usual = np.log(rng.uniform(0.65, 0.85, (worlds, lines)))
    gain, held = 0.0, np.zeros((worlds, lines))
    for day in range(sessions - 1):
        if day % 21 == 0:
            held = highest(0.10 * signal[day] - usual, lines // 3)
        gain += strength / YEAR * (held * signal[day]).sum(axis=1).mean()
    return gain / (sessions / YEAR)


def sanctions(strength, sessions, *, worlds=4000, seed=5):
    """Of one name of weight 1: held from where its discount is unusually wide until it is usual."""
    rng = np.random.default_rng(seed)
    signal = ar1(rng, (sessions, worlds), 60.0)
    premium = np.exp(-0.10 * signal + 0.01 * rng.standard_normal(signal.shape) - 0.3)
    mean, deviation = trailing(premium, YEAR, HALF)
    z = (premium - mean) / deviation
    gain, held = 0.0, np.zeros(worlds, dtype=bool)
    for day in range(sessions - 1):
        held = (held | (z[day] < -1.5)) & (z[day] <= 0.0)
        gain += strength / YEAR * (held * signal[day]).mean()
    return gain / (sessions / YEAR)


def valuation(strength, volatility, sessions, *, worlds=500, seed=6):
    """Equal parts in each line 10 % below its mean multiple of two years, and above its mean of 20 days."""
    rng = np.random.default_rng(seed)
    volatility = np.asarray(volatility)
    shape = (sessions, worlds, len(volatility))
    signal, price = world_of(rng, strength, 6.0, volatility, shape, every=21)
    multiple = np.exp(-0.20 * signal[::21] + 0.03 * rng.standard_normal(signal[::21].shape))
    gap = 1.0 - multiple / trailing(multiple, 24, 12)[0]
    level = np.exp(price)
    above = level > trailing(level, 20)[0]
    gain, held = 0.0, np.zeros(shape[1:], dtype=bool)
    for day in range(21, sessions - 1):  # a month's multiple is known when the next begins
        if day % 21 == 3:
            held = (gap[day // 21 - 1] >= 0.10) & above[day]
        gain += strength / YEAR * (held * signal[day - 21]).mean()
    return gain / (sessions / YEAR)


def breadth(strength, months, *, worlds=4000, seed=7):
    """Held while the proceeds of the last 3 months exceed those of the last 12, known a month later."""
    rng = np.random.default_rng(seed)
    signal = ar1(rng, (months, worlds), 6.0)
    proceeds = np.exp(0.70 * signal + 0.20 * rng.standard_normal(signal.shape))
    held = trailing(proceeds, 3)[0] > trailing(proceeds, 12)[0]
    return strength * (held[:-1] * signal[:-1]).sum(axis=0).mean() / months


def momentum(size, lines, sessions, *, top=3, short=0, worlds=1000, seed=8):
    """The best of a fund a sector by their return of 120 days, ranked every 21, against the worst.

    ``lines`` gives each fund's volatility and its correlation with the market.
    """
    rng = np.random.default_rng(seed)
    count = len(lines)
    volatility, market = lines.T
    drift = size * ar1(rng, (sessions, worlds, count), 120.0)
    shock = market * rng.standard_normal((sessions, worlds, 1))
    own = np.sqrt(1.0 - market**2)  # sector and company: one fund a sector
    shock = shock + own * rng.standard_normal(drift.shape)
    price = np.cumsum(drift / YEAR + volatility / np.sqrt(YEAR) * shock, axis=0)
    gain, held = 0.0, np.zeros((worlds, count))
    for day in range(120, sessions - 1):
        if (day - 120) % 21 == 0:
            score = price[day] - price[day - 120]
            held = highest(score, top) - (highest(-score, short) if short else 0.0)
        gain += (held * drift[day + 1]).sum(axis=1).mean() / YEAR
    return gain / (sessions / YEAR)
