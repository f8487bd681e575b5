"""Each trade earns in simulated markets what theory says, and nothing where its effect is switched off.

Three claims, all before costs, in the words of `known_truth`:

* Profit less what was due has mean zero over seeds, whatever the trade: only what was put in is earned.
* What was due is what `naive_truth` predicts, which knows no prices, lines or ledger.
* With every effect off nothing is due and nothing is earned: a profit from noise is a fault of the engine.

Profit less what was due is held against 3.5 standard errors, which chance alone exceeds once in two thousand
comparisons; other means against what is as rare by Student's distribution, 5.3 of their own standard errors
for ten seeds. Profit, then, lies within the sum of both bands of the prediction. The seeds are fixed, so that
what passes goes on passing until something moves. A profit from noise is seen half the time if its Sharpe
ratio is 3.5 / sqrt(seeds * years), here 0.55, and nearly always if it is 1; over a hundred markets, if it is
0.25 and 0.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, NamedTuple

import naive_truth as bare
import numpy as np
import pandas as pd
import pytest
from known_truth import FREE, Earned, run
from naive_simulation import discounts
from scipy.stats import norm as normal, t as student_t

from entrepot.job import default_plan, pair_fill_timing
from entrepot.markets.market import Market
from entrepot.markets.simulate import simulate_market
from entrepot.markets.simulated_effects import Effects
from entrepot.markets.simulated_issuers import ISSUER_OF
from entrepot.markets.simulated_prices import AVERAGE_RISK
from entrepot.regimes.events import load_events
from entrepot.regimes.path import RegimePath
from entrepot.regimes.walk_forward import RegimeModel
from entrepot.strategies.composition import blend
from entrepot.strategies.dual_listing import LongHKShortADR
from entrepot.strategies.flow import CustodyShift, ListingBreadth, SouthboundFlow
from entrepot.strategies.index_pair import IndexPair
from entrepot.strategies.press import PRESS_TRADES
from entrepot.strategies.sector_rotation import SectorRotation
from entrepot.strategies.sizing import neutralise, scale_to_volatility
from entrepot.strategies.stimulus import StimulusBasket
from entrepot.strategies.tariff_rotation import TariffRotation
from entrepot.strategies.theme_rotation import ThemeRotation
from entrepot.strategies.valuation import AHDiscount, SanctionsDiscount, ValuationGap

FEW, SOME, MANY = 10, 20, 100  # seeds
EVENTS = load_events()
RISKS = ("delisting", "investment_restriction")

# -- markets -------------------------------------------------------------------------------------------------

PAIRS = ("BABA", "9988.HK", "NTES", "9999.HK", "TCOM", "9961.HK", "ZTO", "2057.HK")
DOMESTIC = ("0939.HK", "1398.HK", "0941.HK", "0762.HK", "0857.HK", "0883.HK")
EXPORTER = "1810.HK"
AI = ("9988.HK", "0700.HK", "9888.HK", "1024.HK", "1810.HK", "0981.HK", "3888.HK", "0268.HK")
OLD = (*DOMESTIC, "2318.HK")
MAINLAND = ("0939.HK", "1398.HK", "2318.HK", "0857.HK", "0883.HK", "0941.HK", "0981.HK", "1211.HK")
CONNECT = (*MAINLAND, "0700.HK")
SECTORS = ("KWEB", "FXI", "CQQQ", "CHIQ", "KARS")
INDICES = ("2828.HK", "3033.HK", "PGJ", "KWEB")
EVERYTHING = tuple(dict.fromkeys((*PAIRS, *AI, *OLD, *CONNECT, *SECTORS, *INDICES)))

NOTHING, PRICE_OF_RISK = Effects.none(risk_price=0.0), Effects.none(risk_price=1.0)
REVERTING = NOTHING.with_(premium_half_life=5.0)
DISCOUNTED = NOTHING.with_(delisting_drift=20.0)
SLOW = NOTHING.with_(event_impact=6.0, underreaction=0.5, reaction_half_life=20.0)
STRENGTH = 0.5  # log return a year for each standard deviation of a signal


def led_by(series: str) -> Effects:
    return NOTHING.with_(signals={series: STRENGTH})


class World(NamedTuple):
    """Markets in which only some effects are there, one for each seed."""

    effects: Effects
    symbols: tuple[str, ...]
    start: str = "2024-01-02"
    end: str = "2025-12-31"
    channels: tuple[str, ...] | None = None  # of the events that move prices; None: all


WORLDS = {
    "nothing": World(NOTHING, EVERYTHING),
    "premia revert": World(REVERTING, PAIRS),
    "threats widen": World(DISCOUNTED, PAIRS),
    "reliefs narrow": World(DISCOUNTED, PAIRS, "2022-01-03", "2023-06-30"),
    "slow to threats": World(SLOW.with_(event_impact=10.0, underreaction=1.0), INDICES, channels=RISKS),
    "slow to tariffs": World(SLOW, (*DOMESTIC, EXPORTER), channels=("tariff",)),
    "slow to support": World(SLOW, ("KWEB", "CHIQ"), channels=("policy_support",)),
    "AI rises": World(NOTHING.with_(drift=dict.fromkeys(AI, 0.5)), (*AI, *OLD, "KWEB")),
    "sectors trend": World(NOTHING.with_(momentum=0.5), SECTORS, "2022-01-03"),
    "calm pays": World(PRICE_OF_RISK.with_(low_volatility=1.0), SECTORS),
    "risk pays": World(PRICE_OF_RISK, (*SECTORS, *INDICES[:3])),
    "A+H leads": World(led_by("ah_premium"), MAINLAND, "2022-01-03"),
    "multiples lead": World(led_by("forward_pe"), INDICES, "2022-01-03"),
    "Southbound leads": World(led_by("southbound"), CONNECT),
    "custody leads": World(led_by("custody"), PAIRS, "2022-01-03"),
    "listings lead": World(led_by("ipo_proceeds"), ("FXI",), "2018-01-02"),
    "two effects": World(REVERTING.with_(signals={"ah_premium": STRENGTH}), (*PAIRS, *MAINLAND)),
    "three effects": World(REVERTING.with_(delisting_drift=20.0, momentum=0.5), (*PAIRS, *SECTORS)),
}


@lru_cache(maxsize=SOME)
def market_of(name: str, seed: int) -> Market:
    """One market of a world, without tax on dividends; no two worlds share a random number."""
    world = WORLDS[name]
    events = EVENTS.frame
    if world.channels is not None:
        events = events[events["channel"].isin(world.channels)]
    market = simulate_market(
        world.start,
        world.end,
        seed=1000 * list(WORLDS).index(name) + seed,
        events=events,
        symbols=world.symbols,
        effects=world.effects,
        hk_shorts=[symbol for symbol in world.symbols if symbol.endswith(".HK")],
    )
    return replace(market, instruments=market.instruments.assign(withholding=0.0))


@cache
def path_of(start: str, end: str) -> RegimePath:
    """The regimes follow from the calendar alone: they are the same under every seed."""
    market = simulate_market(start, end, symbols=["KWEB"], events=EVENTS.frame)
    return RegimeModel().walk_forward(market, EVENTS)


# -- trades --------------------------------------------------------------------------------------------------


def sessions(market: Market) -> int:
    return int(market.decision_steps.sum())


def pairs(**changes: Any) -> LongHKShortADR:
    return LongHKShortADR(weight=0.25, round_trip_bps=0.0, **changes)


def ah_discount(market: Market) -> AHDiscount:
    return AHDiscount(market.truth.series["ah_premium"])


def predicted_convergence(market: Market, *, reverse: bool = False) -> float:
    """Four pairs at a quarter each."""
    volatility = np.mean([ISSUER_OF[adr].volatility for adr in PAIRS[::2]])
    return bare.convergence(5.0, volatility, sessions(market), reverse=reverse)


def predicted_ah_discount(market: Market) -> float:
    return bare.ah_discount(STRENGTH, len(MAINLAND), sessions(market))


def predicted_widening(market: Market) -> float:
    level = np.maximum(bare.levels(market, EVENTS.frame, RISKS), 0.0)
    return widened(market, level)


def predicted_narrowing(market: Market) -> float:
    level = np.minimum(bare.levels(market, EVENTS.frame, (*RISKS, "tariff")), 0.0)
    return widened(market, level)


def widened(market: Market, level: Any) -> float:
    """What the discount moves while four quarters of a pair are held, by the calendar."""
    path = discounts(market.truth.threat["delisting"], market.truth.effects.delisting_drift)
    return -bare.yearly(market, bare.in_force(level, market, "XNYS"), np.diff(path))


def predicted_index_pair(market: Market) -> float:
    level = np.maximum(bare.levels(market, EVENTS.frame, RISKS), 0.0)
    return of_late_moves(market, level, INDICES[:2], INDICES[2:3])


def predicted_tariff_rotation(market: Market) -> float:
    level = bare.levels(market, EVENTS.frame, ("tariff",))
    return of_late_moves(market, level, DOMESTIC, (EXPORTER,))


def of_late_moves(market: Market, level: Any, long: tuple[str, ...], short: tuple[str, ...]) -> float:
    """Half the equity on each side, dollar for dollar, times a level; below 0 the sides are swapped."""
    moves, total = bare.late_moves(market), 0.0
    for side, weight in ((long, 0.5), (short, -0.5)):
        for symbol in side:
            held = bare.in_force(level, market, market.instruments.at[symbol, "venue"])
            total += weight / len(side) * bare.yearly(market, held, moves[:, market.column(symbol)])
    return total


def predicted_stimulus(market: Market) -> float:
    """The late rise of both funds through the 60 closes after each package, until one that disappoints."""
    closes, decided = np.flatnonzero(market.decision_steps), np.zeros(len(market))
    for known, _, direction, severity in market.truth.events.itertuples(index=False):
        after = closes[market.price.index[closes] >= known]
        if direction == -1 and severity >= 3:
            decided[after[0] : after[60] if len(after) > 60 else None] = 1.0
        elif direction == 1 and severity >= 2:
            decided[after[0] :] = 0.0
    held = bare.in_force(decided, market, "XNYS")
    return bare.yearly(market, held, bare.late_moves(market).mean(axis=1))


def predicted_ai(market: Market) -> float:
    """A drift of 0.5 on half the equity, from the lists' first session on."""
    days = market.grid["session"][market.decision_steps]
    return 0.5 * 0.5 * float((days > pd.Timestamp("2025-01-21")).mean())


def predicted_momentum(market: Market, **sides: int) -> float:
    lines = np.array([[ISSUER_OF[symbol].volatility, ISSUER_OF[symbol].market] for symbol in SECTORS])
    return bare.momentum(0.5, lines, sessions(market), **sides)


def rewards(*symbols: str) -> float:
    """Mean reward of lines at a price of risk of 1."""
    return float(np.mean([ISSUER_OF[symbol].market * ISSUER_OF[symbol].volatility for symbol in symbols]))


def ranked(market: Market) -> float:
    """Part of the time in which a rotation has the 120 sessions that it looks back on."""
    return 1.0 - 121.0 / sessions(market)


class Trade(NamedTuple):
    """A trade in the world of its effect.

    Args:
        world: by name.
        make: the strategy, given a market and its regime path. What differs from its defaults was chosen
            beforehand: windows that fit into a few years, weights that fill the equity, ``round_trip_bps=0``
            since there are no costs, ``hedge="dollar"`` where a formula is to be had.
        predicted: what it should earn a year, given a market of which no price is looked at; None: something.
        slack: part of the prediction by which the bare computation may miss.
    """

    world: str
    make: Callable[[Market, RegimePath], Any]
    predicted: Callable[[Market], float] | None
    slack: float = 0.10


TRADES: dict[str, Trade] = {
    "convergence": Trade("premia revert", lambda market, path: pairs(), predicted_convergence),
    "convergence, both ways": Trade(
        "premia revert",
        lambda market, path: pairs(reverse=True),
        lambda market: predicted_convergence(market, reverse=True),
    ),
    "delisting hedge": Trade(
        "threats widen", lambda market, path: pairs(mode="delisting_hedge"), predicted_widening
    ),
    "relief reversal": Trade(
        "reliefs narrow", lambda market, path: pairs(mode="relief_reversal"), predicted_narrowing
    ),
    "index pair": Trade(
        "slow to threats", lambda market, path: IndexPair(hedge="dollar"), predicted_index_pair
    ),
    "tariff rotation": Trade(
        "slow to tariffs", lambda market, path: TariffRotation(hedge="dollar"), predicted_tariff_rotation
    ),
    "stimulus basket": Trade(
        "slow to support", lambda market, path: StimulusBasket(EVENTS), predicted_stimulus
    ),
    "AI rotation": Trade("AI rises", lambda market, path: ThemeRotation(), predicted_ai, 0.02),
    "AI basket, hedged": Trade(
        "AI rises",
        lambda market, path: neutralise(ThemeRotation(against=None), "KWEB"),
        predicted_ai,
        0.02,
    ),
    "sector momentum": Trade(
        "sectors trend", lambda market, path: SectorRotation(tilts={}), predicted_momentum
    ),
    "sector momentum, long and short": Trade(
        "sectors trend",
        lambda market, path: SectorRotation(tilts={}, top=2, short=2),
        lambda market: predicted_momentum(market, top=2, short=2),
    ),
    "sector low volatility": Trade(
        "calm pays",
        lambda market, path: SectorRotation(rule="low_volatility", tilts={}),
        lambda market: AVERAGE_RISK * ranked(market),
        0.02,
    ),
    "sanctions discount": Trade(
        "A+H leads",
        lambda market, path: SanctionsDiscount(market.truth.series["ah_premium"], weight=0.3),
        lambda market: 3 * 0.3 * bare.sanctions(STRENGTH, sessions(market)),
    ),
    "A+H discount": Trade("A+H leads", lambda market, path: ah_discount(market), predicted_ah_discount),
    "A+H discount, at a volatility": Trade(
        "A+H leads", lambda market, path: scale_to_volatility(ah_discount(market), target=0.2), None
    ),
    "valuation gap": Trade(
        "multiples lead",
        lambda market, path: ValuationGap(
            market.truth.series["forward_pe"], years=2.0, least=12, trend_window=20
        ),
        lambda market: bare.valuation(
            STRENGTH, [ISSUER_OF[symbol].volatility for symbol in INDICES], sessions(market)
        ),
    ),
    "Southbound flow": Trade(
        "Southbound leads",
        lambda market, path: SouthboundFlow(market.truth.series["southbound"]),
        lambda market: bare.southbound(
            STRENGTH, [ISSUER_OF[symbol].volatility for symbol in CONNECT], sessions(market)
        ),
    ),
    "custody shift": Trade(
        "custody leads",
        lambda market, path: CustodyShift(market.truth.series["custody"], weight=0.25),
        lambda market: bare.custody(STRENGTH, sessions(market)),
    ),
    "listing breadth": Trade(
        "listings lead",
        lambda market, path: ListingBreadth(market.truth.series["ipo_proceeds"], history=12),
        lambda market: bare.breadth(STRENGTH, sessions(market) // 21),
    ),
    "blend": Trade(
        "two effects",
        lambda market, path: blend([(pairs(), 0.5), (ah_discount(market), 0.5)]),
        lambda market: 0.5 * predicted_convergence(market) + 0.5 * predicted_ah_discount(market),
    ),
    "default plan": Trade("three effects", lambda market, path: default_plan(path), None),
}
# These earn or lose the price of risk, by what they are long and short of.
RISKY: dict[str, Trade] = {
    "always in an index pair": Trade(
        "risk pays",
        lambda market, path: IndexPair(when="always", hedge="dollar"),
        lambda market: 0.5 * (rewards("2828.HK", "3033.HK") - rewards("PGJ")),
        0.02,
    ),
    "calm against wild": Trade(
        "risk pays",
        lambda market, path: SectorRotation(
            universe=SECTORS, rule="low_volatility", tilts={}, top=2, short=1
        ),
        lambda market: (rewards("FXI", "KARS") - rewards("KWEB")) * ranked(market),
    ),
}
ALL = TRADES | RISKY


def run_on(market: Market, world: str, make: Callable[[Market, RegimePath], Any]) -> Earned:
    path = path_of(WORLDS[world].start, WORLDS[world].end)
    return run(market, make(market, path), path)


@cache
def earned(name: str, seed: int) -> Earned:
    """What a trade made in one market of its world."""
    trade = ALL[name]
    return run_on(market_of(trade.world, seed), trade.world, trade.make)


def over_seeds(name: str, seeds: int) -> pd.DataFrame:
    return pd.DataFrame([earned(name, seed) for seed in range(seeds)])


def error(values: Any) -> float:
    """Standard error of the mean."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def luck(made: pd.DataFrame) -> tuple[float, float]:
    """Mean of profit less what was due, and its standard error by the squares of its steps."""
    assert made["squares"].mean() > 0.0
    return (made["profit"] - made["due"]).mean(), np.sqrt(made["squares"].mean() / len(made))


def band(values: Any) -> float:
    """What chance alone takes a mean away from its expectation once in two thousand times."""
    return float(student_t.isf(normal.sf(3.5), len(values) - 1)) * error(values)


few = pytest.mark.parametrize("seeds", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
some = pytest.mark.parametrize("seeds", [SOME, pytest.param(MANY, marks=pytest.mark.slow)])


def test_every_trade_of_the_press_is_here() -> None:
    assert {trade.name for trade in PRESS_TRADES} <= set(TRADES)


@few
@pytest.mark.parametrize("name", ALL)
def test_only_what_is_due_is_earned(name: str, seeds: int) -> None:
    mean, error = luck(over_seeds(name, seeds))
    assert abs(mean) < 3.5 * error


@few
@pytest.mark.parametrize("name", ALL)
def test_what_is_due_was_predicted(name: str, seeds: int) -> None:
    """Surprises are left out: what events do at once is nothing that a trade could have counted on."""
    made, trade = over_seeds(name, seeds), ALL[name]
    foreseen = made["due"] - made["surprise"]
    if trade.predicted is None:
        assert foreseen.mean() > band(foreseen)
        return
    predicted = trade.predicted(market_of(trade.world, 0))
    assert predicted > 0.0 or name in RISKY
    assert abs(predicted) > 2.0 * error(foreseen)  # else the next line says little
    assert abs(foreseen.mean() - predicted) < band(foreseen) + trade.slack * abs(predicted)


# -- where there is nothing to earn --------------------------------------------------------------------------

NULL = {name: trade.make for name, trade in TRADES.items()} | {
    "same-date premium": lambda market, path: pairs(signal="same_date", span=1.0, reverse=True),
    "index pair, by beta": lambda market, path: IndexPair(),
    "tariff rotation, by beta": lambda market, path: TariffRotation(),
    "sector rotation by risk, tilted": lambda market, path: SectorRotation(
        rule="risk_adjusted", weighting="inverse_volatility", short=2
    ),
    "Southbound flow, long and short": lambda market, path: SouthboundFlow(
        market.truth.series["southbound"], trend=False, short=True, rebalance=5
    ),
}
PAIRED = {"convergence", "convergence, both ways", "delisting hedge", "relief reversal", "custody shift"}
PAIRED |= {"blend", "default plan", "same-date premium"}
# A premium whose logarithm wanders by 1 % a year grows on average by half the square of that.
OF_WANDERING = 0.5 * 0.01**2


@cache
def from_nothing(seed: int) -> dict[str, Earned]:
    """What every trade made in one market without any effect."""
    market = market_of("nothing", seed)
    return {name: run_on(market, "nothing", make) for name, make in NULL.items()}


@some
def test_without_an_effect_nothing_is_due(seeds: int) -> None:
    for seed in range(seeds):
        for name, one in from_nothing(seed).items():
            assert abs(one.due) < (2.0 * OF_WANDERING if name in PAIRED else 1e-12), name
            assert abs(one.surprise) < 1e-12, name


@some
@pytest.mark.parametrize("name", NULL)
def test_noise_earns_nothing(name: str, seeds: int) -> None:
    mean, error = luck(pd.DataFrame([from_nothing(seed)[name] for seed in range(seeds)]))
    assert abs(mean) < 3.5 * error


@some
def test_noise_earns_nothing_all_in_all(seeds: int) -> None:
    profit = pd.DataFrame(
        [{name: one.profit for name, one in from_nothing(seed).items()} for seed in range(seeds)]
    )
    pooled = (profit / profit.std()).mean(axis=1)
    assert abs(pooled.mean()) < band(pooled)


def peeking(market: Market, seed: int) -> pd.DataFrame:
    """Weights in a fund that know a little of tomorrow: as much as makes a Sharpe ratio of 1.

    They are decided at the close and held from New York's next open to the one after. Weights that are
    correlated by r with the return of their day earn r in a day, in standard deviations.
    """
    grid, price = market.grid, market.price["KWEB"]
    opens = price[((grid["venue"] == "XNYS") & (grid["phase"] == "open")).to_numpy()].to_numpy()
    ahead = np.zeros(len(opens))
    ahead[:-2] = np.log(opens[2:] / opens[1:-1])
    known = 1.0 / np.sqrt(bare.YEAR)
    noise = np.random.default_rng(seed).standard_normal(len(opens))
    weights = 0.3 * (known * ahead / ahead.std() + np.sqrt(1.0 - known**2) * noise)
    return pd.DataFrame({"KWEB": weights}, index=grid["session"][market.decision_steps].to_numpy())


def test_a_sharpe_ratio_of_one_from_noise_would_be_seen() -> None:
    markets = [market_of("nothing", seed) for seed in range(SOME)]
    made = pd.DataFrame([run(market, peeking(market, seed)) for seed, market in enumerate(markets)])
    mean, error = luck(made)
    assert mean > 3.5 * error
    assert made["due"].abs().max() < 1e-12


def test_the_same_date_premium_pays_at_its_own_closes_alone() -> None:
    """The plain z-score buys half of the overnight news at yesterday's price: splendid, and impossible."""
    tables = [pair_fill_timing(market_of("nothing", seed), FREE) for seed in range(FEW)]
    own, after = (pd.Series([table[name].mean() for table in tables]) for name in ("own closes", "next step"))
    assert min(table["round trips"].min() for table in tables) > 20
    assert own.min() > 2.0
    assert abs(after.mean()) < band(after)
