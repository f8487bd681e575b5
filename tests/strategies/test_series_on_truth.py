"""The trades on series of one's own in simulated markets: they earn what was put in, and else nothing.

Gains are before costs: what is wanted is held from the line's next close on, at the weight wanted.
"""

from __future__ import annotations

import numpy as np
import pytest

from entrepot.markets.simulate import simulate_market
from entrepot.markets.simulated_effects import Effects
from entrepot.strategies.flow import CustodyShift, ListingBreadth, SouthboundFlow
from entrepot.strategies.valuation import AHDiscount, SanctionsDiscount, ValuationGap

LINES = ("0700.HK", "1810.HK", "0981.HK", "1211.HK", "0939.HK", "1398.HK", "2318.HK", "0388.HK")
LINES += ("0941.HK", "0762.HK", "0857.HK", "0883.HK", "MCHI")
PAIRS = ("BABA", "9988.HK", "JD", "9618.HK", "NTES", "9999.HK", "BIDU", "9888.HK")
STRENGTH = 0.5  # log return a year for each standard deviation of the signal
OF_A_THIRD = 1.09  # mean of the highest third of a standard normal


def southbound(series):
    return SouthboundFlow(series["southbound"], trend=False, short=True, rebalance=5)


def ah_level(series):
    return AHDiscount(series["ah_premium"], short=True)


def ah_zscore(series):
    return AHDiscount(series["ah_premium"], rank_by="zscore", short=True)


def sanctions(series):
    return SanctionsDiscount(series["ah_premium"])


def valuation(series):
    return ValuationGap(series["forward_pe"], ["MCHI"], trend_window=2)


def breadth(series):
    return ListingBreadth(series["ipo_proceeds"], ["MCHI"])


def custody(series):
    return CustodyShift(series["custody"], window=20, history=120, weight=0.25, rebalance=5)


# Each trade, and what a year of it should bring, as a multiple of the strength. Two thirds held against each
# other earn at most 2 * OF_A_THIRD, a quarter of it where the series shows half of its signal; a fund that is
# held half of the time earns at most 0.4, the mean of max(x, 0); three names at 0.15 earn less.
TRADES = {
    "southbound": (southbound, 0.5 * OF_A_THIRD, 2 * OF_A_THIRD),
    "ah_level": (ah_level, 0.5 * OF_A_THIRD, 2 * OF_A_THIRD),
    "ah_zscore": (ah_zscore, 0.5 * OF_A_THIRD, 2 * OF_A_THIRD),
    "sanctions": (sanctions, 0.02, 0.3),
    "valuation": (valuation, 0.05, 0.4),
    "breadth": (breadth, 0.05, 0.4),
    "custody": (custody, 0.02, 1.0),
}
SIGNAL = {"ah_level": "ah_premium", "ah_zscore": "ah_premium", "sanctions": "ah_premium"}
SIGNAL |= {"valuation": "forward_pe", "breadth": "ipo_proceeds"}
# Monthly series say little in a few years.
MARKETS = {"custody": ("2021-04-01", "2023-03-31", PAIRS)}
MARKETS |= dict.fromkeys(("forward_pe", "ipo_proceeds"), ("2011-01-03", "2020-12-31", ("MCHI", "0939.HK")))


def made(seed, name, strength):
    signal = SIGNAL.get(name, name)
    start, end, symbols = MARKETS.get(signal, ("2019-01-02", "2020-12-31", LINES))
    return simulate_market(
        start,
        end,
        seed=seed,
        phases=("close",),
        symbols=symbols,
        hk_shorts=[symbol for symbol in symbols if symbol.endswith(".HK")],
        effects=Effects.none(risk_price=0.0).with_(signals={signal: strength} if strength else {}),
    )


def gains(market, trade):
    """Gain a year on the prices as they came, and on that part of them which could be foreseen."""
    targets = trade(market.truth.series).targets(market)
    single, paired = targets.standing()
    years = market.grid["session"].nunique() / 261
    if targets.pairs:
        # Equal shares long in Hong Kong and short in New York lose what the premium gains.
        rows = np.flatnonzero(market.grid["venue"] == "XNYS")
        premium = market.truth.premium[[adr for _, adr in targets.pairs]].to_numpy()[rows]
        return -(paired[rows[1:] - 1][:-1] * np.diff(premium, axis=0)[1:]).sum() / years, np.nan
    came = foreseen = 0.0
    for venue in ("XHKG", "XNYS"):
        rows = np.flatnonzero(market.grid["venue"] == venue)
        columns = np.flatnonzero(market.instruments["venue"] == venue)
        held = np.vstack([np.zeros(single.shape[1]), single[:-1]])[rows][:-1, columns]
        level = np.exp(market.truth.efficient.to_numpy())[np.ix_(rows, columns)]
        due = market.truth.foreseen.to_numpy()[np.ix_(rows, columns)]
        came += (held * (level[1:] / level[:-1] - 1)).sum()
        foreseen += (held * np.diff(due, axis=0)).sum()
    return came / years, foreseen / years


@pytest.mark.parametrize("name", [name for name in TRADES if name != "custody"])
def test_what_is_held_was_due_to_gain(name):
    """Of what could be foreseen there is no luck: three markets are enough for its sign and size."""
    trade, low, high = TRADES[name]
    due = [gains(made(seed, name, STRENGTH), trade)[1] for seed in range(3)]
    assert low * STRENGTH < np.mean(due) < high * STRENGTH
    assert gains(made(0, name, 0.0), trade)[1] == 0.0
    assert np.mean([gains(made(seed, name, -STRENGTH), trade)[1] for seed in range(3)]) < -low * STRENGTH


@pytest.mark.slow
@pytest.mark.parametrize("name", TRADES)
def test_a_signal_is_earned_on_average_and_none_earns_nothing(name):
    trade, low, _ = TRADES[name]
    with_it = np.array([gains(made(seed, name, STRENGTH), trade)[0] for seed in range(24)])
    without = np.array([gains(made(seed, name, 0.0), trade)[0] for seed in range(24)])
    error = without.std(ddof=1) / np.sqrt(len(without))
    assert abs(without.mean()) < 3 * error
    assert with_it.mean() > 3 * with_it.std(ddof=1) / np.sqrt(len(with_it))
    assert with_it.mean() > low * STRENGTH
