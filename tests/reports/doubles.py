"""A small market and a ledger-shaped record whose books balance, kept by a plain loop.

Two pairs and one fund over two venues with one close each a day. Everything the reports read is here
under the names of `entrepot.engine.result.Ledger`; nothing of the engine is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from entrepot.engine.costs import Costs
from entrepot.engine.lines import NOT_COSTS

INSTRUMENTS = pd.DataFrame(
    [
        ("9988.HK", "XHKG", "HKD", "Alibaba", "9618-free", "ordinary", "BABA"),
        ("BABA", "XNYS", "USD", "Alibaba", "consumer", "ads", "9988.HK"),
        ("9618.HK", "XHKG", "HKD", "JD.com", "consumer", "ordinary", "JD"),
        ("JD", "XNYS", "USD", "JD.com", "consumer", "ads", "9618.HK"),
        ("KWEB", "XNYS", "USD", "KraneShares", "fund", "etf", ""),
    ],
    columns=["symbol", "venue", "currency", "company", "sector", "kind", "pair"],
).set_index("symbol")
NO_COSTS = Costs.none()
RATIO = {"BABA": 8.0, "JD": 2.0}
FILLS = ["step", "time", "venue", "session", "phase", "symbol", "currency", "quantity", "price", "fill_price"]
FILLS += ["notional", "slippage", "stamp_duty", "trading_fee", "fees", "fx", "reason", "decided_step", "pair"]
REGIMES = ("calm", "tariff", "delisting", "decoupling")


@dataclass(frozen=True, eq=False)
class Market:
    """The fields of a market that reports read."""

    grid: pd.DataFrame
    price: pd.DataFrame
    instruments: pd.DataFrame
    fx: pd.DataFrame
    session_count: np.ndarray
    decision_steps: np.ndarray
    label: str = "simulated market, seed 5"
    notes: tuple[str, ...] = ("BABA: 1,264 closes read", "rates after 2023-07-26 carried forward")

    def column(self, symbol: str) -> int:
        return list(self.price.columns).index(symbol)

    @property
    def estimated(self) -> np.ndarray:
        return np.zeros(self.price.shape, dtype=bool)


@dataclass(frozen=True, eq=False)
class Ledger:
    """The fields of a ledger that reports read."""

    market: Market
    equity: pd.Series
    contributions: pd.DataFrame
    fills: pd.DataFrame
    positions: pd.DataFrame
    cash: pd.DataFrame
    receivables: pd.DataFrame
    dropped: pd.DataFrame
    gaps: pd.Series
    exposure: pd.DataFrame
    risk_free: pd.Series
    capital: float = 10_000_000.0
    base_currency: str = "USD"
    label: str = "simulated market, seed 5"
    cost_model: Costs = NO_COSTS
    plan_notes: tuple[str, ...] = ("3 signals not taken",)

    @property
    def conversions(self) -> pd.DataFrame:
        names = ["step", "time", "symbol", "quantity", "into", "into_quantity", "fee", "reason", "pair"]
        return pd.DataFrame(columns=names)

    @property
    def daily(self) -> pd.Series:
        chosen = self.market.decision_steps
        index = pd.DatetimeIndex(self.market.grid["session"].to_numpy()[chosen], name="session")
        return pd.Series(self.equity.to_numpy()[chosen], index=index, name="equity")

    @property
    def returns(self) -> pd.Series:
        return self.daily.pct_change().iloc[1:].rename("returns")

    def costs(self) -> pd.Series:
        by_source = self.contributions.T.groupby(level="source").sum().T.sum()
        return -by_source.drop(list(NOT_COSTS), errors="ignore").rename("cost")


def world(start: str = "2019-01-02", end: str = "2023-12-29", seed: int = 5) -> Market:
    """Closes of two venues on business days, with holidays of their own."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range(start, end).as_unit("ns")
    hk = days[rng.random(len(days)) > 0.03]
    ny = days[rng.random(len(days)) > 0.02]
    parts = [
        pd.DataFrame({"time": hk + pd.Timedelta("8h10min"), "venue": "XHKG", "session": hk}),
        pd.DataFrame({"time": ny + pd.Timedelta("20h"), "venue": "XNYS", "session": ny}),
    ]
    grid = pd.concat(parts).sort_values("time", ignore_index=True)
    grid["time"] = grid["time"].dt.tz_localize("UTC")
    grid.insert(2, "phase", "close")
    grid.index.name = "step"
    steps = len(grid)
    is_hk = (grid["venue"] == "XHKG").to_numpy()
    time = pd.DatetimeIndex(grid["time"])

    usd_per_hkd = 1 / (7.8 + 0.03 * np.sin(np.arange(steps) / 400))
    price = pd.DataFrame(np.nan, index=pd.DatetimeIndex(time, name="time"), columns=INSTRUMENTS.index)
    for name, scale, hk_line, adr in (("a", 12.0, "9988.HK", "BABA"), ("b", 15.0, "9618.HK", "JD")):
        common = scale * np.exp(np.cumsum(rng.normal(-0.0001, 0.016, steps)))
        discount = np.zeros(steps)
        for t in range(1, steps):
            discount[t] = 0.985 * discount[t - 1] + rng.normal(0, 0.0035)
        price.loc[is_hk, hk_line] = (common / usd_per_hkd)[is_hk]
        price.loc[~is_hk, adr] = (common * np.exp(discount) * RATIO[adr])[~is_hk]
        assert name
    price.loc[~is_hk, "KWEB"] = 45 * np.exp(np.cumsum(rng.normal(0.0, 0.018, steps)))[~is_hk]

    ny_close = grid.index[~is_hk].to_numpy()
    decision = np.zeros(steps, dtype=bool)
    decision[ny_close] = True
    ns = time.as_unit("ns").asi8.astype(float)
    count = np.interp(ns, ns[ny_close], np.arange(1.0, len(ny_close) + 1))
    fx = pd.DataFrame({"USD": 1.0, "HKD": usd_per_hkd}, index=price.index)
    return Market(grid, price, INSTRUMENTS, fx, count, decision)


def simulated(market: Market | None = None, capital: float = 10_000_000.0, fund: str = "KWEB") -> Ledger:
    """Pairs bought and sold every few months, a fund in between, books kept in plain Python."""
    market = market or world()
    steps, symbols = len(market.grid), list(market.instruments.index)
    position = dict.fromkeys(symbols, 0.0)
    last = dict.fromkeys(symbols, np.nan)
    cash = {"USD": capital, "HKD": 0.0}
    wanted: dict[str, tuple[float, str]] = {}
    money: list[dict[tuple[str, str], float]] = []
    fills: list[dict[str, object]] = []
    held, balances, equity, exposure = [], [], [], []
    quote, fx = market.price.to_numpy(), market.fx
    hkd = fx["HKD"].to_numpy()
    time, venue, session = market.grid["time"], market.grid["venue"], market.grid["session"]
    for t in range(steps):
        row: dict[tuple[str, str], float] = {}
        rate = {"USD": 1.0, "HKD": hkd[t]}
        before = {"USD": 1.0, "HKD": hkd[max(t - 1, 0)]}
        dt = (time[t] - time[t - 1]) / pd.Timedelta("1D") if t else 0.0
        row["fx", "cash:HKD"] = cash["HKD"] * (rate["HKD"] - before["HKD"])
        interest = cash["USD"] * 0.02 * dt / 360
        cash["USD"] += interest
        row["interest", "cash:USD"] = interest
        for j, symbol in enumerate(symbols):
            currency = market.instruments["currency"].iloc[j]
            if position[symbol] < 0:
                fee = -position[symbol] * last[symbol] * 0.004 * dt / 360
                cash[currency] -= fee
                row["borrow", symbol] = -fee * rate[currency]
                rebate = -position[symbol] * last[symbol] * 0.015 * dt / 360
                cash[currency] += rebate
                row["rebate", symbol] = rebate * rate[currency]
            old, new = last[symbol], quote[t, j]
            mark = new if np.isfinite(new) else old
            if position[symbol]:
                row["price", symbol] = position[symbol] * (mark - old) * before[currency]
                row["fx", symbol] = position[symbol] * mark * (rate[currency] - before[currency])
                if np.isfinite(new) and t % 250 == 60:
                    paid = position[symbol] * mark * 0.006
                    cash[currency] += paid
                    row["dividend", symbol] = paid * rate[currency]
            last[symbol] = mark
            if np.isfinite(new) and symbol in wanted:
                goal, pair = wanted.pop(symbol)
                trade = goal - position[symbol]
                if trade:
                    fill_price = new * (1 + np.sign(trade) * 0.0004)
                    stamp = abs(trade) * fill_price * (0.001 if currency == "HKD" else 0.0)
                    levy = abs(trade) * fill_price * (0.000085 if currency == "HKD" else 0.0000278)
                    cash[currency] -= trade * fill_price + stamp + levy
                    position[symbol] = goal
                    row["slippage", symbol] = -abs(trade) * abs(fill_price - new) * rate[currency]
                    row["stamp_duty", symbol] = -stamp * rate[currency]
                    row["trading_fee", symbol] = -levy * rate[currency]
                    fills.append(
                        {
                            "step": t, "time": time[t], "venue": venue[t], "session": session[t],
                            "phase": "close", "symbol": symbol, "currency": currency, "quantity": trade,
                            "price": new, "fill_price": fill_price, "notional": abs(trade) * fill_price,
                            "slippage": abs(trade) * abs(fill_price - new), "stamp_duty": stamp,
                            "trading_fee": levy, "fees": stamp + levy, "fx": rate[currency],
                            "reason": ("lead" if currency == "HKD" else "hedge") if pair else "target",
                            "decided_step": t - 1, "pair": pair,
                        }
                    )  # fmt: skip
        value = {
            s: position[s] * last[s] * rate[c] if position[s] else 0.0
            for s, c in zip(symbols, market.instruments["currency"], strict=True)
        }
        worth = sum(cash[c] * rate[c] for c in cash) + sum(value.values())
        equity.append(worth)
        money.append(row)
        held.append(dict(position))
        balances.append(dict(cash))
        exposure.append(value)
        if t % 170 == 20:
            adr = ("BABA", "JD")[(t // 170) % 2]
            hk_line = market.instruments.loc[adr, "pair"]
            side = 1.0 if (t // 340) % 2 == 0 else -1.0
            shares = side * np.floor(0.3 * worth / (last[hk_line] * hkd[t]) / 800) * 800
            wanted[hk_line], wanted[adr] = (shares, adr), (-shares / RATIO[adr], adr)
        if t % 170 == 130:
            for symbol in ("9988.HK", "BABA", "9618.HK", "JD"):
                wanted[symbol] = (0.0, market.instruments.loc[symbol, "pair"] if "HK" in symbol else symbol)
        if t % 400 == 100:
            wanted[fund] = (np.floor(0.4 * worth / last[fund]), "")
        if t % 400 == 330:
            wanted[fund] = (0.0, "")
    index = market.price.index
    contributions = pd.DataFrame(money, index=index).fillna(0.0)
    contributions.columns = pd.MultiIndex.from_tuples(contributions.columns, names=["source", "instrument"])
    contributions = contributions.loc[:, (contributions != 0).any()]
    weights = pd.DataFrame(exposure, index=index).div(equity, axis=0)
    legs = {}
    for code in ("XHKG", "XNYS"):
        part = weights[[s for s in symbols if market.instruments.loc[s, "venue"] == code]]
        legs["long", code], legs["short", code] = (
            part.clip(lower=0).sum(axis=1),
            part.clip(upper=0).sum(axis=1),
        )
        legs["net", code], legs["gross", code] = part.sum(axis=1), part.abs().sum(axis=1)
    dropped = pd.DataFrame(
        {
            "step": [41, 300],
            "symbol": ["9618.HK", "JD"],
            "decided_step": [35, 294],
            "reason": ["expired", "no_borrow"],
        }
    )
    sessions = pd.DatetimeIndex(market.grid["session"].to_numpy()[market.decision_steps], name="session")
    return Ledger(
        market=market,
        equity=pd.Series(equity, index=index, name="equity"),
        contributions=contributions,
        fills=pd.DataFrame(fills),
        positions=pd.DataFrame(held, index=index),
        cash=pd.DataFrame(balances, index=index),
        receivables=pd.DataFrame(0.0, index=index, columns=["USD", "HKD"]),
        dropped=dropped,
        gaps=pd.Series({"9988.HK": 0, "BABA": 2, "9618.HK": 0, "JD": 0, "KWEB": 1}, name="gaps"),
        exposure=pd.DataFrame(legs),
        risk_free=pd.Series(0.02 / 252, index=sessions[1:], name="risk_free"),
        capital=capital,
    )


def from_equity(levels: list[float], rate: float = 0.0, label: str = "prices loaded from prices") -> Ledger:
    """One venue, one step on each business day from 2020-01-01, equity as given, one share never traded."""
    sessions = pd.bdate_range("2020-01-01", periods=len(levels)).as_unit("ns").rename("session")
    time = (sessions + pd.Timedelta("21h")).tz_localize("UTC").rename("time")
    grid = pd.DataFrame({"time": time, "venue": "XONE", "phase": "close", "session": sessions})
    instruments = pd.DataFrame(
        {"venue": "XONE", "currency": "USD", "kind": "stock", "pair": ""},
        index=pd.Index(["X"], name="symbol"),
    )
    market = Market(
        grid=grid,
        price=pd.DataFrame({"X": 1.0}, index=time),
        instruments=instruments,
        fx=pd.DataFrame({"USD": 1.0}, index=time),
        session_count=np.arange(1.0, len(levels) + 1),
        decision_steps=np.ones(len(levels), dtype=bool),
        label=label,
        notes=(),
    )
    equity = pd.Series(levels, index=time, dtype=float, name="equity")
    names = pd.MultiIndex.from_tuples([("price", "X")], names=["source", "instrument"])
    change = np.diff(equity.to_numpy(), prepend=100.0)
    sides = pd.MultiIndex.from_tuples([(side, "XONE") for side in ("long", "short", "net", "gross")])
    return Ledger(
        market=market,
        equity=equity,
        contributions=pd.DataFrame(change[:, None], index=time, columns=names),
        fills=pd.DataFrame(columns=FILLS).astype({"notional": float, "fx": float}),
        positions=pd.DataFrame({"X": 0.0}, index=time),
        cash=pd.DataFrame({"USD": equity}),
        receivables=pd.DataFrame({"USD": 0.0}, index=time),
        dropped=pd.DataFrame(columns=["step", "symbol", "decided_step", "reason"]),
        gaps=pd.Series({"X": 0}, name="gaps"),
        exposure=pd.DataFrame(0.0, index=time, columns=sides),
        risk_free=pd.Series(rate, index=sessions[1:], name="risk_free"),
        capital=100.0,
        label=label,
        plan_notes=(),
    )


def states(market: Market) -> np.ndarray:
    """Regimes with a few episodes each, as a (T,) integer array over `REGIMES`."""
    out = np.zeros(len(market.grid), dtype=np.int8)
    for code, start, end in (
        (1, 150, 420),
        (1, 560, 700),
        (2, 620, 980),
        (3, 700, 760),
        (1, 1500, 1620),
        (2, 1900, 2300),
    ):
        out[start:end] = code
    return out


def events(market: Market) -> pd.DataFrame:
    """A calendar of a few events, one of them hostile to a browser and to a text layout engine."""
    steps = [160, 290, 560, 625, 700, 705, 1100, 1500, 1905, 2100]
    titles = [
        "List 3 to 25% on Friday and 25% on US$325bn to follow, after US$50bn",
        "Osaka truce: further tariffs held",
        "10% on US$300bn from September",
        "Press: White House weighs delisting Chinese firms and limiting portfolio flows",
        "Senate passes the Holding Foreign Companies Accountable Act by unanimous consent",
        "<script>alert('x')</script> & an order",
        "Phase One signed",
        "Duties raised again",
        "First issuers identified under the Act",
        "Board secures complete access to audit work papers",
    ]
    channel = ["tariff"] * 3 + ["delisting"] * 3 + ["tariff"] * 2 + ["delisting"] * 2
    return pd.DataFrame(
        {
            "event_id": [f"event-{i}" for i in range(len(steps))],
            "known_at": [market.grid["time"][s] + pd.Timedelta("3h") for s in steps],
            "title": titles,
            "channel": channel,
            "direction": [1, -1, 1, 1, 1, 1, -1, 1, 1, -1],
            "severity": [5, 4, 4, 4, 4, 3, 4, 3, 5, 5],
        }
    )


def premium(market: Market) -> pd.DataFrame:
    """Same-date parity premium of both pairs by session."""
    close = market.price.copy()
    close["session"] = market.grid["session"].to_numpy()
    by_day = close.groupby("session").last()
    usd_per_hkd = market.fx["HKD"].groupby(market.grid["session"].to_numpy()).last()
    return pd.DataFrame(
        {
            adr: by_day[adr] / (ratio * by_day[INSTRUMENTS.loc[adr, "pair"]] * usd_per_hkd) - 1
            for adr, ratio in RATIO.items()
        }
    )
