"""Runs whose numbers are stretched over many powers of ten, and how far rounding can take their equity."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import worlds
from naive import NaiveRun

import entrepot as ep
from entrepot.engine import Fee, Ledger, backtest
from entrepot.markets.market_tables import PRICE_BOUNDS

U = 2.0**-53  # what one operation may err by, as a part of its result


@dataclass(frozen=True)
class Run:
    """A world, run by the engine and by its twin of fifty digits."""

    world: worlds.World
    fast: Ledger
    slow: NaiveRun

    def error(self) -> np.ndarray:
        """What the engine's equity errs by at each step."""
        pairs = zip(self.fast.equity_by_step.tolist(), self.slow.equity, strict=True)
        return np.array([float(type(exact)(mine) - exact) for mine, exact in pairs])


def both(world: worlds.World) -> Run:
    """Run a world twice; whatever the twin refuses raises."""
    slow = worlds.twin(world)
    fast = backtest(
        world.market,
        world.plan,
        capital=world.capital,
        base_currency=world.base_currency,
        costs=world.costs,
        path=world.path,
        fill=world.fill,
        check=True,
    )
    return Run(world, fast, slow)


def stretched(
    world: worlds.World, powers: list[int], capital: float, odd: float, unit: float
) -> worlds.World:
    """The same world with every line, or company, priced in another unit, other ratios and another capital.

    Args:
        world: its prices are around 10 to 500.
        powers: of ten by which the prices of each company are multiplied, used in turn.
        capital: in the base currency.
        odd: what ratios are multiplied by, and ADRs with them: a third, or seven fifths.
        unit: to which a fee is rounded, as a part of the capital.
    """
    market = world.market
    row = market.instruments
    company = row["pair"].where(row["pair"] != "", row.index.to_series())
    named = sorted({min(symbol, pair) for symbol, pair in company.items()})
    factor = {
        symbol: 10.0 ** powers[named.index(min(symbol, pair)) % len(powers)]
        for symbol, pair in company.items()
    }
    adrs = set(market.ratios["adr"])
    scale = np.array([factor[s] * (odd if s in adrs else 1.0) for s in market.symbols])
    if np.nanmin(market.prices * scale) < PRICE_BOUNDS[0]:
        scale *= 10.0  # a line that has fallen far would leave the range of prices
    by_symbol = dict(zip(market.symbols, scale, strict=True))
    dividends, ratios, delistings = market.dividends.copy(), market.ratios.copy(), market.delistings.copy()
    dividends["amount"] *= dividends["symbol"].map(by_symbol).astype(float)
    ratios["ordinary_per_ads"] *= odd
    delistings["ordinary_per_ads"] *= odd
    changed = replace(
        market, price=market.price * scale, dividends=dividends, ratios=ratios, delistings=delistings
    )
    rounded = {"unit": min(capital * unit, 1e5), "up": bool(len(powers) % 2)}
    fees = {
        ("XHKG", "stamp_duty"): Fee(rate=0.0013, **rounded),
        ("XNYS", "brokerage"): Fee(rate=0.00037, minimum=min(capital * 1e-6, 1e5), **rounded),
    }
    costs = world.costs.with_(
        half_spread_bps=3.0,
        dated_fees=False,
        fees=fees,
        margin=None,
        ads_service_fee_pa=0.0,
        ads_dividend_fee=0.0,
        ads_conversion_fee=0.0,
    )
    return replace(world, market=changed, costs=costs, capital=capital)


def gross(run: Run) -> np.ndarray:
    """Cash, receivables and positions of each step without their signs, in base currency, (T,)."""
    ledger, market = run.fast, run.world.market
    fx = market.fx
    rates = {c: (fx[c] / fx[run.world.base_currency]).to_numpy() for c in ledger.cash}
    held = np.zeros(len(market))
    for currency, rate in rates.items():
        held += np.abs(ledger.cash[currency].to_numpy() * rate)
        held += np.abs(ledger.receivables[currency].to_numpy() * rate)
    marks, currencies = market.price.ffill().fillna(0.0), market.instruments["currency"]
    for line, symbol in enumerate(ledger.lines.symbols):
        worth = marks[symbol].to_numpy() * rates[currencies[symbol]]
        held += np.abs(ledger.record.positions[:, line]) * worth
    return np.asarray(held)


def bound(run: Run) -> np.ndarray:
    """How far rounding can have taken equity from the exact one by each step, to first order in u = 2^-53.

    A running error analysis (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 3.3):
    each operation adds at most u times its result. Counted off the kernels, and rounded up:

    * a fill: 5 for what is traded (price, spread, product), 4 for its fees, 5 for the exchange, 2 for cash;
    * a step: 4 for each currency's cash (what has accrued is worked out and added);
    * what is booked, dividends and accruals among it: 6;
    * shares: 12 of a position (the weight, the mark and the rate as they are read, and four operations);
    * equity: 5 for each product of shares, mark and rate, and one for each sum: this is not carried on.

    Positions are parts of equity. Had equity been wrong by a part r when they were decided and still were,
    all that follows would be wrong by r, and r would stay. What r has gained since then, g, makes the
    positions wrong by g of themselves, and so g of what they earn. A whole number of lots, or of units of a
    fee, does not take part in r: with lots g is all of r, and so is r of every fee.
    """
    ledger, market = run.fast, run.world.market
    held = gross(run)
    booked = np.abs(ledger.contributions.to_numpy(dtype=np.float64)).sum(axis=1)
    fills = ledger.fills
    traded, fees, count = (np.zeros(len(market)) for _ in range(3))
    np.add.at(traded, fills["step"], np.abs(fills["notional"] * fills["fx"]))
    np.add.at(fees, fills["step"], np.abs(fills["fees"] * fills["fx"]))
    np.add.at(count, fills["step"], 1)
    by_step = dict(iter(fills.groupby("step")[["symbol", "pair", "decided_step"]]))
    size = np.maximum(held, np.append(run.world.capital, held[:-1]))
    equity = ledger.equity_by_step
    every_step = U * (14 * traded + (2 * count + 4 * len(ledger.currencies)) * size + 6 * booked) / equity
    earned = (booked + 0.02 * size * (count > 0)) / equity
    lost = np.zeros(len(market) + 1)  # parts of equity, by step; the last is that before the first step
    decided: dict[tuple[str, str], int] = {}
    for t in range(len(market)):
        for row in by_step[t].itertuples() if t in by_step else ():
            decided[row.symbol, row.pair] = row.decided_step
        since = -1 if run.world.costs.lots or not decided else min(decided.values())
        gained = lost[t - 1] - lost[since]
        lost[t] = (
            lost[t - 1] + every_step[t] + (12 * U + gained) * earned[t] + lost[t - 1] * fees[t] / equity[t]
        )
    return lost[:-1] * equity + U * (5 + len(ledger.lines.symbols) + 2 * len(ledger.currencies)) * held


def long_world(steps: int, seed: int = 11) -> worlds.World:
    """A market of one venue, a step every hour of weekdays; a tiny and a huge line are traded at most steps.

    Prices wander without drifting far, so that equity neither vanishes nor grows out of proportion.
    """
    rng = np.random.default_rng(seed)
    hours = pd.date_range("1990-01-01", periods=steps * 7 // 5 + 49, freq="h")
    times = hours[hours.day_of_week < 5][:steps]
    level = np.zeros((steps, 2))
    shocks = rng.normal(0.0, 0.01, (steps, 2))
    for t in range(1, steps):
        level[t] = 0.999 * level[t - 1] + shocks[t]
    prices = pd.DataFrame(np.exp(level) * [3e-6, 4e8], index=times, columns=["TINY", "HUGE"])
    market = ep.Market.from_prices(prices)
    weights = np.round(rng.uniform(-0.6, 0.6, (steps, 2)), 3)
    weights[rng.random((steps, 2)) < 0.3] = np.nan
    none = np.empty((steps, 0))
    costs = ep.Costs.none().with_(fee_bps=0.01, cash_rate_pa={"USD": 0.03}, borrow_rate_pa=0.02)
    return worlds.World(
        seed=seed,
        sizes={"steps": steps},
        switches=worlds.Switches(),
        market=market,
        targets=ep.Targets(weights, (), none),
        costs=costs,
        capital=123_456_789.01,
        base_currency="USD",
        fill="next_step",
        states=None,
        path_stressed=None,
    )
