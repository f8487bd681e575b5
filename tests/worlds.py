"""Random small markets, targets and costs on which the engine's kernel is compared with its slow twin.

`random_world` is reproducible: the same seed, sizes and switches give the same world. Every mechanism draws
from its own stream, so that switching one off leaves the others as they were and a failing world shrinks.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import naive
import numpy as np
import pandas as pd
from hypothesis import strategies as st

import entrepot as ep
from entrepot.engine.costs import FEES_OF_VENUE, Costs, Fee, Margin
from entrepot.engine.plans import LARGEST_WEIGHT
from entrepot.errors import EntrepotError
from entrepot.markets.market import Market, empty_table
from entrepot.markets.sessions import build_grid
from entrepot.strategies.targets import Targets

FIRST_START, LAST_START = pd.Timestamp("2018-01-08"), pd.Timestamp("2025-07-01")
CLOCKS = {"XHKG": ("01:30", "08:10"), "XNYS": ("14:30", "21:00")}
AHEAD = pd.Timedelta(days=21)
SILENCE = 5  # whole sessions in which a line may print nothing and yet count as trading
RATIOS = (1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 10.0, 25.0, 0.5, 0.2)
HK_LOTS = (50.0, 100.0, 200.0, 500.0, 1000.0)


@dataclass(frozen=True)
class Switches:
    """One boolean per mechanism, all off: a market of plain prices traded for nothing.

    Attributes:
        intraday: four steps a day (open and close) instead of two.
        real_calendar: the venues' own sessions instead of weekdays with invented holidays.
        ahead: the calendar is known beyond the last step, which may then fall within a session.
        gaps: missing prices, scattered and in stretches.
        late: lines that begin to print after the first step.
        halts: listed halts.
        splits: of one line or of both, with the ratio that goes with them.
        bare_ratio: a ratio that changes without any split.
        dividends, pay_dates: dividends, and when they are paid (otherwise at the ex-date).
        delisting: lines that leave and convert into Hong Kong, some silent for up to five sessions before.
        dead_end: a line that leaves with nothing to convert into (an error if it is held).
        total_return, split_adjusted: lines whose prices are not raw.
        commons: New York legs that are shares, not ADSs, and funds among the singles.
        shared_hk: a second ADR on a Hong Kong line that has one.
        index: a line that cannot be traded.
        legs_alone: the symbols of pairs also held for themselves.
        shorts: negative weights of singles, and pairs the other way round.
        hk_shorts: Hong Kong lines may be shorted; otherwise none.
        hard_to_borrow: some New York lines cannot be shorted.
        impossible_shorts: targets sell what cannot be shorted; otherwise their signs respect it.
        zeros, busy: weights of 0; a number at most steps instead of a few.
        drift: a finite drift band.
        costs: spreads, fees, borrow and interest by default; off: none of them.
        exact_fees, lots: as in `Costs`.
        given_costs: rates given by hand, flat or by symbol, instead of the defaults.
        flat_fee, keep_currencies, states, tight_legs: a flat fee; no conversion on fills; regimes without
            borrow; legs at most a few hours apart.
        hkd: the base currency is HKD.
        same_step: decided and filled at one price (no pairs then).
        stress: regimes with stressed borrow fees, named by the costs or by the path.
        borrow_frames: borrow fees by date and symbol, or by regime and size or symbol.
        recalls: shorts called back, by regime, by date and symbol, or by both.
        short_rules: the tick rule and Rule 201, with falls of a tenth and prices that stand still.
        caps: no more than so many shares of a line at a step, some 0 or below a lot.
        daily_fx: one conversion of currencies a day.
        dated_rates: interest on cash by date.
        given_fees: fees that replace the schedule's.
        margin: requirements from lenient to tight, and larger weights; otherwise the default or none.
        leverage: far larger weights and moves, so that some are ruined.
        exits: pairs closed by conversion, or by what is cheaper, and told to close more often.
        delisting_cash, delisting_mark: what leaves is paid out, or kept at parity with Hong Kong; and targets
            for it shortly before and afterwards.
        buy_ins: shorts in what leaves are bought in; and the same targets.
        stops: a line whose prices end for good, some under a halt, and long silences before lines leave
            (an error if it is held).
        impact: trades move their prices, by volumes of the market, given by hand, or both; nothing is wanted
            in the first sessions (an error where an impact is not known).
    """

    intraday: bool = False
    real_calendar: bool = False
    ahead: bool = False
    gaps: bool = False
    late: bool = False
    halts: bool = False
    splits: bool = False
    bare_ratio: bool = False
    dividends: bool = False
    pay_dates: bool = False
    delisting: bool = False
    dead_end: bool = False
    total_return: bool = False
    split_adjusted: bool = False
    commons: bool = False
    shared_hk: bool = False
    index: bool = False
    legs_alone: bool = False
    shorts: bool = False
    hk_shorts: bool = False
    hard_to_borrow: bool = False
    impossible_shorts: bool = False
    zeros: bool = False
    busy: bool = False
    drift: bool = False
    costs: bool = False
    exact_fees: bool = False
    lots: bool = False
    given_costs: bool = False
    flat_fee: bool = False
    keep_currencies: bool = False
    states: bool = False
    tight_legs: bool = False
    hkd: bool = False
    same_step: bool = False
    stress: bool = False
    borrow_frames: bool = False
    recalls: bool = False
    short_rules: bool = False
    caps: bool = False
    daily_fx: bool = False
    dated_rates: bool = False
    given_fees: bool = False
    margin: bool = False
    leverage: bool = False
    exits: bool = False
    delisting_cash: bool = False
    delisting_mark: bool = False
    buy_ins: bool = False
    stops: bool = False
    impact: bool = False

    def __repr__(self) -> str:
        on = [f"{f.name}=True" for f in fields(self) if getattr(self, f.name)]
        return f"Switches({', '.join(on)})"


# Not in the usual mix: they may end a run in an error, and `same_step` takes the pairs away.
UNUSUAL = ("dead_end", "impossible_shorts", "same_step", "stops")


def random_switches(seed: int, probability: float = 0.5) -> Switches:
    """Every mechanism on with a probability, the unusual ones with a tenth of it."""
    rng = stream(seed, "switches")
    return Switches(
        **{
            f.name: bool(rng.random() < probability * (0.1 if f.name in UNUSUAL else 1.0))
            for f in fields(Switches)
        }
    )


@dataclass(frozen=True)
class World:
    """A market, what is wanted of it and what that costs; prints as the call that makes it again."""

    seed: int
    sizes: dict[str, int]
    switches: Switches
    market: Market = field(repr=False)
    targets: Targets = field(repr=False)
    costs: Costs = field(repr=False)
    capital: float = field(repr=False)
    base_currency: str = field(repr=False)
    fill: str = field(repr=False)
    states: np.ndarray | None = field(repr=False)
    path_stressed: frozenset[int] | None = field(repr=False)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}={number}" for name, number in self.sizes.items())
        return f"random_world({self.seed}, {sizes}, switches={self.switches})"

    @cached_property
    def plan(self) -> SimpleNamespace:
        """The targets as a strategy: for `backtest`."""
        return SimpleNamespace(targets=lambda market, path=None: self.targets)

    @cached_property
    def path(self) -> SimpleNamespace | None:
        """The states as a regime path, with those it calls stressed where it says so: for `backtest`."""
        if self.states is None:
            return None
        says = {} if self.path_stressed is None else {"stressed": self.path_stressed}
        return SimpleNamespace(states=self.states, time=self.market.grid["time"], **says)

    @cached_property
    def stressed(self) -> frozenset[int]:
        """The states with stressed borrow fees, whoever names them: for the twin."""
        named = self.costs.stress_states
        return named if named is not None else self.path_stressed or frozenset()


def stream(seed: int, name: str) -> np.random.Generator:
    """A stream of random numbers for one mechanism."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def capital_of(seed: int) -> float:
    rng = stream(seed, "capital")
    return float(np.round(np.exp(rng.uniform(np.log(2e5), np.log(5e7))), 2))


def random_world(
    seed: int,
    *,
    steps: int = 80,
    pairs: int = 2,
    hk_singles: int = 1,
    ny_singles: int = 1,
    switches: Switches | None = None,
) -> World:
    """A small world of two venues.

    Args:
        seed: of everything drawn.
        steps: length of the grid, 30 to 200 or so.
        pairs: companies listed in both venues, each an HK line and an ADR.
        hk_singles: other lines in Hong Kong.
        ny_singles: other lines in New York. At least one line in all.
        switches: the mechanisms that are on; None draws them.
    """
    switches = random_switches(seed) if switches is None else switches
    sizes = {"steps": steps, "pairs": pairs, "hk_singles": hk_singles, "ny_singles": ny_singles}
    builder = Builder(seed, switches, **sizes)
    market = builder.market()
    targets = builder.targets(market)
    states, path_stressed = builder.states(market)
    return World(
        seed=seed,
        sizes=sizes,
        switches=switches,
        market=market,
        targets=targets,
        costs=builder.costs(market),
        capital=capital_of(seed),
        base_currency="HKD" if switches.hkd else "USD",
        fill="same_step" if switches.same_step else "next_step",
        states=states,
        path_stressed=path_stressed,
    )


class Builder:
    """Makes the parts of a world one after the other."""

    def __init__(
        self, seed: int, on: Switches, *, steps: int, pairs: int, hk_singles: int, ny_singles: int
    ) -> None:
        if pairs + hk_singles + ny_singles == 0:
            raise ValueError("a world needs at least one line")
        self.seed, self.on, self.steps = seed, on, steps
        self.companies = [(f"{9001 + i}.HK", f"ADR{i}") for i in range(pairs)]
        if on.shared_hk and pairs:
            self.companies.append((self.companies[0][0], "TWIN"))
        self.hk_singles = [f"{101 + i}.HK" for i in range(hk_singles)]
        self.ny_singles = [f"NYS{i}" for i in range(ny_singles)]

    def rng(self, name: str) -> np.random.Generator:
        return stream(self.seed, name)

    # -- the market ------------------------------------------------------------------------------------------

    def market(self) -> Market:
        self.instruments = self.make_instruments()
        self.symbols = list(self.instruments.index)
        venues = [v for v in CLOCKS if v in set(self.instruments["venue"])]
        self.grid, self.ahead = self.make_grid(venues)
        self.sessions = {
            v: list(dict.fromkeys(self.grid.loc[self.grid["venue"] == v, "session"])) for v in venues
        }
        self.fixings = self.make_fixings()
        self.price, self.ratio = self.make_prices()
        self.ratio_rows = [
            {"adr": adr, "effective_from": pd.Timestamp("2010-01-01"), "ordinary_per_ads": ratio}
            for adr, ratio in self.ratio.items()
        ]
        self.split_rows: list[dict[str, Any]] = []
        self.delisting_rows: list[dict[str, Any]] = []
        if self.on.splits:
            self.add_splits()
        if self.on.bare_ratio:
            self.add_bare_ratio()
        if self.on.short_rules:
            self.add_standstills()
        dividends = self.make_dividends() if self.on.dividends else []
        self.whole = self.price.copy()  # before anything is missing
        self.silent: set[str] = set()
        halts: list[dict[str, Any]] = []
        if self.on.delisting:
            self.add_delistings()
        if self.on.stops:
            halts += self.add_stop()
        if self.on.late:
            self.add_late_lines()
        if self.on.gaps:
            self.add_gaps()
        self.end_silences()
        halts += self.make_halts() if self.on.halts else []
        return Market(
            grid=self.grid,
            price=self.price,
            instruments=self.instruments,
            fixings=self.fixings,
            ratios=table("ratios", self.ratio_rows),
            dividends=table("dividends", dividends),
            splits=table("splits", self.split_rows),
            halts=table("halts", halts),
            delistings=table("delistings", self.delisting_rows),
            ahead=self.ahead,
            volume=self.make_volumes() if self.on.impact else None,
            label=f"random world, seed {self.seed}",
        )

    def make_instruments(self) -> pd.DataFrame:
        on, rng = self.on, self.rng("instruments")
        rows: dict[str, dict[str, Any]] = {}
        for hk, adr in self.companies:
            rows.setdefault(hk, self.instrument(hk, "XHKG", "ordinary", adr))
            kind = "common" if on.commons and rng.random() < 0.3 else "ads"
            rows[adr] = self.instrument(adr, "XNYS", kind, hk)
            rows[adr]["company"] = rows[hk]["company"]
        for symbol in self.hk_singles:
            kind = "etf" if on.commons and rng.random() < 0.5 else "ordinary"
            rows[symbol] = self.instrument(symbol, "XHKG", kind, "")
        for symbol in self.ny_singles:
            kind = str(rng.choice(["stock", "etf"])) if on.commons else "ads"
            rows[symbol] = self.instrument(symbol, "XNYS", kind, "")
        if on.index:
            rows["^HSI"] = self.instrument("^HSI", "XHKG", "index", "")
            rows["^HSI"] |= {"shortable": False, "fee_class": "none", "adjustment": "raw", "lot": 0.0}
        frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("symbol")
        return frame.iloc[self.rng("order").permutation(len(frame))]

    def instrument(self, symbol: str, venue: str, kind: str, pair: str) -> dict[str, Any]:
        on, hong_kong = self.on, venue == "XHKG"
        own = self.rng(f"instrument {symbol}")
        adjustment, lucky = "raw", own.random(4)
        if on.total_return and lucky[0] < 0.3:
            adjustment = "total_return"
        elif on.split_adjusted and lucky[1] < 0.3:
            adjustment = "split"
        shortable = on.hk_shorts if hong_kong else not (on.hard_to_borrow and lucky[2] < 0.3)
        fee_class = ("hk_etp" if kind == "etf" else "hk_stock") if hong_kong else "us_stock"
        return {
            "venue": venue,
            "currency": "HKD" if hong_kong else "USD",
            "company": f"Company {symbol}",
            "sector": "unclassified",
            "kind": kind,
            "pair": pair,
            "lot": float(own.choice(HK_LOTS)) if hong_kong else 1.0,
            "adjustment": adjustment,
            "shortable": bool(shortable),
            "size": str(own.choice(["mega", "mid", "small"])),
            "withholding": float(own.choice([0.0, 0.1])),
            "fee_class": fee_class,
        }

    def make_grid(self, venues: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        on, rng = self.on, self.rng("grid")
        start = FIRST_START + pd.Timedelta(days=int(rng.integers((LAST_START - FIRST_START).days)))
        phases = ("open", "close") if on.intraday else ("close",)
        # generous: holidays, weekends and three weeks beyond the last step
        days = int(self.steps / len(phases) / len(venues) * 1.8) + 60
        if on.real_calendar:
            whole = real_grid(tuple(venues), start, start + pd.Timedelta(days=days), phases)
        else:
            whole = invented_grid(venues, start, days, phases, rng)
        # without a calendar beyond the grid, the grid ends where no venue is within a session
        stop = self.steps
        grid, later = whole.iloc[:stop], whole.iloc[stop:]
        if not on.ahead:
            last_phase = whole["phase"].to_numpy() == "close"
            while not last_phase[stop - 1]:
                stop += 1
            grid, later = whole.iloc[:stop], whole.iloc[:0]
        later = later[later["time"] <= grid["time"].iloc[-1] + AHEAD]
        return grid.reset_index(drop=True).rename_axis("step"), later.reset_index(drop=True)

    def make_fixings(self) -> pd.DataFrame:
        rng = self.rng("fixings")
        first, last = self.grid["time"].iloc[0], self.grid["time"].iloc[-1]
        days = pd.bdate_range((first - pd.Timedelta(days=10)).date(), last.date())
        keep = np.ones(len(days), dtype=bool)
        for i in range(2, len(days)):
            # a fixing may be missing, never two in a row: none gets older than five days
            keep[i] = not (keep[i - 1] and rng.random() < 0.1)
        local = (days[keep] + pd.Timedelta(hours=14, minutes=15)).tz_localize("Europe/Berlin")
        known = local.tz_convert("UTC")
        rate = 7.8 * np.exp(np.cumsum(rng.normal(0, 0.002, len(known))))
        return pd.DataFrame({"time": known.as_unit("ns"), "currency": "HKD", "per_usd": np.round(rate, 4)})

    def make_prices(self) -> tuple[pd.DataFrame, dict[str, float]]:
        """Random walks by company; an ADR stays within a few per cent of parity with its Hong Kong line."""
        steps, time = len(self.grid), pd.DatetimeIndex(self.grid["time"], name="time")
        price = pd.DataFrame(np.nan, index=time, columns=self.symbols)
        on_venue = {v: (self.grid["venue"] == v).to_numpy() for v in CLOCKS}
        ratio: dict[str, float] = {}
        spread = 0.012 * (self.rng("moves").uniform(2, 6) if self.on.leverage else 1.0)
        for symbol in self.symbols:
            row = self.instruments.loc[symbol]
            leader = row["pair"] if row["venue"] == "XNYS" and row["pair"] else symbol
            walk = self.rng(f"price {leader}")
            level = np.exp(walk.uniform(np.log(4), np.log(300)))
            path = level * np.exp(np.cumsum(walk.normal(0, 1, steps)) * spread)
            if self.on.leverage:
                path = path * self.crash(leader)
            if self.on.short_rules:
                path = path * self.falls(leader)
            own = self.rng(f"premium {symbol}")
            if row["venue"] == "XNYS" and row["pair"]:
                ratio[symbol] = float(own.choice(RATIOS))
                path = path * ratio[symbol] / 7.8 * np.exp(own.normal(0, 0.03, steps))
            mask = on_venue[row["venue"]]
            price.loc[mask, symbol] = np.maximum(np.round(path[mask], 4), 0.01)
        return price, ratio

    def crash(self, leader: str) -> np.ndarray:
        """One step, the same for all companies, at which most of them lose or gain much of their value."""
        shared, own = self.rng("crash"), self.rng(f"crash {leader}")
        factor = np.ones(len(self.grid))
        start, up = int(shared.integers(len(factor) // 5, len(factor))), shared.random() < 0.3
        if own.random() < 0.8:
            fall = own.uniform(0.3, 0.8)
            factor[start:] = 1 / fall if up else fall
        return factor

    def falls(self, leader: str) -> np.ndarray:
        """Falls of about a tenth, half of them made good within a few steps."""
        rng, factor = self.rng(f"falls {leader}"), np.ones(len(self.grid))
        for start in np.flatnonzero(rng.random(len(factor)) < 0.03):
            stop = start + int(rng.integers(1, 6)) if rng.random() < 0.5 else len(factor)
            factor[start:stop] *= rng.uniform(0.78, 0.95)
        return factor

    def add_standstills(self) -> None:
        """Prices equal to the one before, but not over a split."""
        for column, symbol in enumerate(self.symbols):
            still = self.rng(f"standstill {symbol}").random(len(self.grid)) < 0.08
            dates = {row["ex_date"] for row in self.split_rows if row["symbol"] == symbol}
            price, session = self.price[symbol].to_numpy(copy=True), self.grid["session"].tolist()
            printed = np.flatnonzero(np.isfinite(price))
            for before, t in pairwise(printed):
                if still[t] and not any(session[before] < date <= session[t] for date in dates):
                    price[t] = price[before]
            self.price.isetitem(column, price)

    def add_splits(self) -> None:
        rng = self.rng("splits")
        for _ in range(int(rng.integers(1, 4))):
            factor = float(rng.choice([2.0, 3.0, 5.0, 10.0, 0.5, 0.2]))
            if self.companies and rng.random() < 0.7:
                hk, adr = self.companies[int(rng.integers(len(self.companies)))]
                if sum(hk == other for other, _ in self.companies) > 1:
                    continue  # a Hong Kong split would have to change both ratios
                if not (self.is_raw(hk) and self.is_raw(adr)):
                    continue
                kind = str(rng.choice(["hk", "adr", "both"]))
                date = self.session_of("XHKG" if kind == "hk" else "XNYS", rng)
                if kind == "both":
                    common = [s for s in self.sessions["XHKG"] if s in self.sessions["XNYS"]]
                    date = common[int(rng.integers(len(common)))]
                if kind in ("hk", "both"):
                    self.split_line(hk, date, factor)
                if kind in ("adr", "both"):
                    self.split_line(adr, date, factor)
                if kind != "both":
                    self.change_ratio(adr, date, factor if kind == "hk" else 1 / factor)
            else:
                singles = [s for s in (*self.hk_singles, *self.ny_singles) if self.is_raw(s)]
                if singles:
                    symbol = singles[int(rng.integers(len(singles)))]
                    self.split_line(symbol, self.session_of(self.venue_of(symbol), rng), factor)

    def split_line(self, symbol: str, date: pd.Timestamp, factor: float) -> None:
        same = [row for row in self.split_rows if (row["symbol"], row["ex_date"]) == (symbol, date)]
        for row in same:  # of one date there is one row, the product
            row["factor"] *= factor
        if not same:
            self.split_rows.append({"symbol": symbol, "ex_date": date, "factor": factor})
        after = (self.grid["session"] >= date).to_numpy()
        self.price.loc[after, symbol] = np.maximum(np.round(self.price.loc[after, symbol] / factor, 4), 0.001)

    def change_ratio(self, adr: str, date: pd.Timestamp, factor: float) -> None:
        """The new ratio from a date on, and all later ones changed with it."""
        rows = [r for r in self.ratio_rows if r["adr"] == adr]
        before = [r for r in rows if r["effective_from"] <= date]
        current = max(before, key=lambda r: r["effective_from"])["ordinary_per_ads"]
        for row in rows:
            if row["effective_from"] >= date:
                row["ordinary_per_ads"] = float(np.round(row["ordinary_per_ads"] * factor, 6))
        if all(row["effective_from"] != date for row in rows):
            ratio = float(np.round(current * factor, 6))
            self.ratio_rows.append({"adr": adr, "effective_from": date, "ordinary_per_ads": ratio})

    def add_bare_ratio(self) -> None:
        rng = self.rng("bare ratio")
        if not self.companies:
            return
        _, adr = self.companies[int(rng.integers(len(self.companies)))]
        date, factor = self.session_of("XNYS", rng), float(rng.choice([2.0, 0.5, 1.5]))
        self.change_ratio(adr, date, factor)
        after = (self.grid["session"] >= date).to_numpy()
        self.price.loc[after, adr] = np.round(self.price.loc[after, adr] * factor, 4)

    def make_dividends(self) -> list[dict[str, Any]]:
        rng, rows = self.rng("dividends"), []
        split_dates = {r["symbol"]: r["ex_date"] for r in self.split_rows}
        for symbol in self.symbols:
            row = self.instruments.loc[symbol]
            if row["kind"] == "index":
                continue  # total-return lines have some too: they are to be ignored
            for _ in range(int(rng.integers(0, 3))):
                ex_date = self.session_of(row["venue"], rng)
                if symbol in split_dates and rng.random() < 0.3:
                    ex_date = split_dates[symbol]
                wait, known = int(rng.integers(0, 45)), rng.random() < 0.8
                pay_date = ex_date + pd.Timedelta(days=wait) if self.on.pay_dates and known else pd.NaT
                level = float(np.nanmedian(self.price[symbol]))
                amount = float(np.round(level * rng.uniform(0.0, 0.05), 4))
                # After splits a price may be a hundredth of the median.
                amount = min(amount, float(np.round(0.2 * np.nanmin(self.price[symbol]), 4)))
                dates = {"ex_date": ex_date, "pay_date": pay_date}
                if amount > 0:
                    rows.append({"symbol": symbol, **dates, "amount": amount})
        return rows

    def add_delistings(self) -> None:
        """One ADR, or one New York single, leaves; some print nothing for days before."""
        rng = self.rng("delistings")
        leaving: list[tuple[str, str]] = []
        if self.companies:
            hk, adr = self.companies[int(rng.integers(len(self.companies)))]
            leaving.append((adr, hk))
        if self.ny_singles and self.hk_singles and rng.random() < 0.5:
            leaving.append((self.ny_singles[0], self.hk_singles[0]))
        if self.on.dead_end and self.ny_singles:
            leaving = [x for x in leaving if x[0] != self.ny_singles[-1]] + [(self.ny_singles[-1], "")]
        for symbol, into in leaving:
            sessions = self.sessions["XNYS"]
            position = int(rng.integers(len(sessions) // 3, len(sessions)))
            last_session = sessions[position]
            ratios = [r for r in self.ratio_rows if r["adr"] == symbol]
            ratios = [r for r in ratios if r["effective_from"] <= last_session]
            until = (self.grid["session"] <= last_session).to_numpy()
            ratio = 1.0
            if into:  # a single converts into shares of about the same value
                own, other = (float(self.price.loc[until, s].dropna().iloc[-1]) for s in (symbol, into))
                ratio = float(f"{7.8 * own / other:.3g}")
            if ratios:
                ratio = max(ratios, key=lambda r: r["effective_from"])["ordinary_per_ads"]
            self.delisting_rows.append(
                {"symbol": symbol, "last_session": last_session, "into": into, "ordinary_per_ads": ratio}
            )
            silent = int(rng.integers(0, SILENCE + 1)) if rng.random() < 0.5 else 0
            if self.on.stops and self.rng(f"silence {symbol}").random() < 0.7:
                silent += SILENCE
                self.silent.add(symbol)
            printed_until = sessions[max(position - silent, 0)]
            self.price.loc[(self.grid["session"] > printed_until).to_numpy(), symbol] = np.nan

    def add_stop(self) -> list[dict[str, Any]]:
        """A line prints for the last time, then or later under a halt that may end before the market does."""
        rng = self.rng("stops")
        kept = {s for row in self.delisting_rows for s in (row["symbol"], row["into"])}
        lines = [s for s in self.symbols if s not in kept and not s.startswith("^")]
        if not lines:
            return []
        symbol = lines[int(rng.integers(len(lines)))]
        self.silent.add(symbol)
        stop = int(rng.integers(len(self.grid) // 4, len(self.grid)))
        self.price.iloc[stop:, self.price.columns.get_loc(symbol)] = np.nan
        times, halted = self.grid["time"], rng.random() < 0.5
        start = min(stop + int(rng.choice([0, 0, 7])), len(times) - 1)
        end = start + int(rng.integers(2, 40)) if rng.random() < 0.5 else len(times)
        until = times[end] if end < len(times) else times.iloc[-1] + pd.Timedelta(days=30)
        return [{"symbol": symbol, "start": times[start], "end": until}] if halted else []

    def end_silences(self) -> None:
        """Give back a print where a line would end in more than five whole sessions without any."""
        last = {row["symbol"]: row["last_session"] for row in self.delisting_rows}
        unfinished = set(zip(self.ahead["venue"], self.ahead["session"], strict=True))
        for column, symbol in enumerate(self.symbols):
            price, venue = self.price[symbol].to_numpy(), self.venue_of(symbol)
            printed = np.flatnonzero(np.isfinite(price))
            if symbol in self.silent or not len(printed):
                continue
            since = self.grid["session"][printed[-1]]
            until = last.get(symbol, self.grid["session"].iloc[-1])
            later = [s for s in self.sessions[venue] if since < s <= until and (venue, s) not in unfinished]
            if len(later) > SILENCE:
                there = (self.grid["venue"] == venue) & (self.grid["session"] == later[-SILENCE - 1])
                t = int(np.flatnonzero(there)[-1])
                self.price.iloc[t, column] = self.whole.iloc[t, column]

    def add_late_lines(self) -> None:
        """Some lines begin later; not one into which another converts, which must have a price by then."""
        rng = self.rng("late")
        heirs = {row["into"] for row in self.delisting_rows}
        for symbol in self.symbols:
            begins = int(rng.integers(1, max(2, len(self.grid) // 2)))
            if rng.random() < 0.3 and symbol not in heirs:
                self.price.iloc[:begins, self.price.columns.get_loc(symbol)] = np.nan

    def add_gaps(self) -> None:
        rng = self.rng("gaps")
        # a line into which another converts keeps its first price
        heirs = {r["into"] for r in self.delisting_rows if r["into"]}
        first = {symbol: int(np.argmax(self.price[symbol].notna())) for symbol in heirs}
        kept = {symbol: self.price[symbol].iloc[step] for symbol, step in first.items()}
        scattered = rng.random(self.price.shape) < rng.choice([0.02, 0.2])
        for column in range(self.price.shape[1]):
            if rng.random() < 0.5:
                start = int(rng.integers(len(self.grid)))
                scattered[start : start + int(rng.integers(2, 40)), column] = True
        self.price = self.price.mask(scattered)
        for symbol, value in kept.items():
            self.price.iloc[first[symbol], self.price.columns.get_loc(symbol)] = value

    def make_volumes(self) -> pd.DataFrame | None:
        """Volumes of a few to some hundred orders at the closes; some 0 or unknown, of all lines or some."""
        rng, usual = self.rng("volumes"), self.usual_shares()
        if self.one_of("volumes are", ["there", "there", "absent"]) == "absent":
            return None
        closes = (self.grid["phase"] == "close").to_numpy()
        volume = pd.DataFrame(np.nan, index=self.price.index, columns=self.symbols)
        for column, symbol in enumerate(self.symbols):
            own = self.rng(f"volume {symbol}")
            there = closes & (self.grid["venue"] == self.venue_of(symbol)).to_numpy()
            drawn = usual[symbol] * np.exp(own.uniform(np.log(0.5), np.log(300)))
            drawn = np.ceil(drawn * np.exp(own.normal(0, 0.5, len(self.grid))))
            luck = own.random(len(self.grid))
            drawn[luck < 0.02] = 0.0
            drawn[(luck > 0.95) | ~there] = np.nan
            for row in self.split_rows:
                if row["symbol"] == symbol:
                    drawn[(self.grid["session"] >= row["ex_date"]).to_numpy()] *= row["factor"]
            if rng.random() < 0.97:
                volume.isetitem(column, drawn)
        return volume

    def make_halts(self) -> list[dict[str, Any]]:
        rng, rows = self.rng("halts"), []
        times = self.grid["time"]
        for symbol in self.symbols:
            for _ in range(int(rng.integers(0, 3))):
                start = int(rng.integers(len(times)))
                end = min(start + int(rng.integers(1, 30)), len(times) - 1)
                if end > start:
                    rows.append({"symbol": symbol, "start": times[start], "end": times[end]})
        return rows

    def is_raw(self, symbol: str) -> bool:
        return bool(self.instruments.loc[symbol, "adjustment"] == "raw")

    def venue_of(self, symbol: str) -> str:
        return str(self.instruments.loc[symbol, "venue"])

    def session_of(self, venue: str, rng: np.random.Generator) -> pd.Timestamp:
        sessions = self.sessions[venue]
        return sessions[int(rng.integers(len(sessions)))]

    # -- what is wanted, and what it costs -------------------------------------------------------------------

    def targets(self, market: Market) -> Targets:
        on, rng = self.on, self.rng("targets")
        legs = {symbol for company in self.companies for symbol in company}
        linked = () if on.same_step else tuple(self.companies)
        lines = len(self.symbols) + len(linked)
        scale = self.scale = self.weight_scale(lines)
        weights = np.full(market.price.shape, np.nan)
        for column, symbol in enumerate(market.symbols):
            drawn = self.column_of_weights(self.rng(f"weights {symbol}"), scale, on.shorts)
            self.want_around(symbol, symbol, drawn)
            alone = symbol not in legs or on.legs_alone or on.same_step
            if not (on.impossible_shorts or self.instruments.loc[symbol, "shortable"]):
                drawn = np.abs(drawn)
            if alone and self.instruments.loc[symbol, "kind"] != "index":
                weights[:, column] = drawn
        pair_weights = np.empty((len(market), len(linked)))
        exits = np.zeros(pair_weights.shape, dtype=np.int8)
        for i, (hk, adr) in enumerate(linked):
            drawn = self.column_of_weights(self.rng(f"weights {hk} {adr}"), scale, on.shorts)
            if on.exits:
                own = self.rng(f"exits {hk} {adr}")
                exits[:, i] = own.choice(3, len(market)) if own.random() < 0.5 else own.choice(3)
                drawn[own.random(len(market)) < (0.2 if on.busy else 0.06)] = 0.0
            self.want_around(adr, f"{hk} {adr}", drawn)
            if not on.impossible_shorts:
                # a positive weight sells the ADR, a negative one the Hong Kong line
                drawn[(drawn > 0) & (not self.instruments.loc[adr, "shortable"])] *= -1
                drawn[(drawn < 0) & (not self.instruments.loc[hk, "shortable"])] = 0.0
            pair_weights[:, i] = drawn
        band = float(np.round(rng.uniform(0.02, 0.3), 3)) if on.drift else np.inf
        if on.impact:  # by then enough closes and volumes are known, usually
            begun = min(len(market) - 1, (self.impact_sessions() + 5) * len(self.grid) // self.days_of_grid())
            weights[:begun] = pair_weights[:begun] = np.nan
        return Targets(weights, linked, pair_weights, drift_band=band, exits=exits)

    def impact_sessions(self) -> int:
        return int(self.rng("impact sessions").integers(1, 5))

    def days_of_grid(self) -> int:
        return int(self.grid["session"].nunique())

    def weight_scale(self, lines: int) -> float:
        """The largest weight of one line: twice the equity in all where nothing else is said, one allowed."""
        scale = 2.0 / lines
        if self.on.margin:
            scale *= self.rng("margin weights").uniform(1.0, 3.0)
        if self.on.leverage:
            scale *= self.rng("leverage").uniform(2.0, 10.0)
        return min(scale, LARGEST_WEIGHT)

    def want_around(self, leaving: str, name: str, drawn: np.ndarray) -> None:
        """Where a line leaves, for it or its pair: a target shortly before, a few later, half of them 0."""
        if not (self.on.delisting_cash or self.on.delisting_mark or self.on.buy_ins):
            return
        low = -1.0 if self.on.shorts else 0.02
        for row in self.delisting_rows:
            gone = np.flatnonzero((self.grid["session"] > row["last_session"]).to_numpy())
            if row["symbol"] == leaving and len(gone):
                rng = self.rng(f"around {name}")
                some = rng.choice(gone, 3)
                drawn[max(gone[0] - int(rng.integers(4, 14)), 0)] = rng.uniform(low, 1.0) * self.scale
                drawn[some] = np.where(rng.random(3) < 0.5, 0.0, rng.uniform(low, 1.0, 3) * self.scale)

    def column_of_weights(self, rng: np.random.Generator, scale: float, shorts: bool) -> np.ndarray:
        steps = len(self.grid)
        drawn = rng.uniform(-scale if shorts else 0.02 * scale, scale, steps)
        if self.on.zeros:
            drawn[rng.random(steps) < 0.25] = 0.0
        else:
            rng.random(steps)
        every = 0.6 if self.on.busy else 0.08
        drawn[rng.random(steps) >= every] = np.nan
        return drawn

    def states(self, market: Market) -> tuple[np.ndarray | None, frozenset[int] | None]:
        """Regimes that last a while, and those of them which the path itself calls stressed."""
        on, rng = self.on, self.rng("states")
        drawn, keep = rng.integers(0, 4, len(market)), rng.random(len(market)) < 0.8
        # a table of borrow fees by state may meet a run without states
        tabled = on.borrow_frames and rng.random() < 0.4
        if not (on.states or on.stress or tabled or (on.recalls and self.recalled_by() != "dates")):
            return None, None
        states = np.zeros(len(market), dtype=np.int8)
        for t in range(1, len(market)):
            states[t] = states[t - 1] if keep[t] else drawn[t]
        # where the costs name the stressed ones too, the path is not asked
        return states, self.some_states("path stressed") if on.stress else None

    def some_states(self, name: str) -> frozenset[int]:
        rng = self.rng(name)
        return frozenset(int(s) for s in rng.choice(4, int(rng.integers(1, 3)), replace=False))

    def costs(self, market: Market) -> Costs:
        on, rng = self.on, self.rng("costs")
        given: dict[str, Any] = {}
        if not on.costs:
            given |= {
                "half_spread_bps": 0.0,
                "dated_fees": False,
                "borrow_rate_pa": 0.0,
                "rebate_spread_pa": 0.0,
                "cash_rate_pa": {"USD": 0.0, "HKD": 0.0},
                "fx_spread": 0.0,
                "ads_service_fee_pa": 0.0,
                "ads_dividend_fee": 0.0,
                "ads_conversion_fee": 0.0,
            }
        given["exact_fees"], given["lots"] = on.exact_fees, on.lots
        if on.given_costs:
            some = [s for s in market.symbols if rng.random() < 0.5]
            by_symbol = rng.random(2) < 0.5
            spread = {s: float(np.round(rng.uniform(0, 30), 2)) for s in some}
            borrow = {s: float(np.round(rng.uniform(0, 0.4), 4)) for s in some}
            given |= {
                "half_spread_bps": spread if by_symbol[0] else float(np.round(rng.uniform(0, 30), 2)),
                "borrow_rate_pa": borrow if by_symbol[1] else float(np.round(rng.uniform(0, 0.4), 4)),
                "borrow_multiplier": float(rng.choice([1.0, 3.0])),
                "rebate_spread_pa": float(np.round(rng.uniform(0, 0.02), 4)),
                "debit_spread_pa": float(np.round(rng.uniform(0, 0.03), 4)),
                "cash_rate_pa": {"USD": float(np.round(rng.uniform(0, 0.06), 4)), "HKD": 0.031},
                "fx_spread": float(np.round(rng.uniform(0, 0.002), 5)),
                "ads_service_fee_pa": float(np.round(rng.uniform(0, 0.05), 3)),
                "ads_dividend_fee": float(np.round(rng.uniform(0, 0.05), 3)),
                "ads_conversion_fee": float(np.round(rng.uniform(0, 0.05), 3)),
            }
        if on.flat_fee:
            given["fee_bps"] = float(np.round(rng.uniform(0.5, 25), 2))
        if on.tight_legs:
            given["max_leg_gap_hours"] = float(rng.choice([6.0, 12.0, 17.5]))
        if on.states:
            given["no_borrow_states"] = frozenset({2, 3} if rng.random() < 0.5 else {2})
        if on.stress and self.rng("stress").random() < 0.5:
            given["stress_states"] = self.some_states("stressed")
        if on.borrow_frames:
            given["borrow_rate_pa"] = self.borrow_frame()
        if on.recalls:
            given |= self.recalls()
        given["short_sale_rules"] = on.short_rules
        if on.caps:
            given["max_fill_shares"] = self.caps()
        if on.impact:
            given |= self.impact(market)
        if on.dated_rates:
            given["cash_rate_pa"] = given.get("cash_rate_pa", {}) | self.dated_rates()
        if on.given_fees:
            given["fees"] = self.given_fees()
        ways = [way for way, wanted in (("daily", on.daily_fx), ("never", on.keep_currencies)) if wanted]
        given["fx_conversion"] = self.one_of("fx", ways or ["on_fill"])
        given["conversion_days"] = int(self.rng("conversion days").integers(1, 6)) if on.exits else 2
        ways = [way for way, wanted in (("cash", on.delisting_cash), ("mark", on.delisting_mark)) if wanted]
        given["delisting"] = self.one_of("delisting", ways or ["convert"])
        given["delisted_shorts"] = "buy_in" if on.buy_ins else "move"
        given["margin"] = self.margin()
        return Costs(**given)

    def one_of(self, name: str, ways: Sequence[str]) -> str:
        return ways[int(self.rng(name).integers(len(ways)))]

    def dates(self, rng: np.random.Generator) -> pd.DatetimeIndex:
        """Dates from before or after the first session on, sessions or not."""
        first, last = self.grid["session"].iloc[0], self.grid["session"].iloc[-1]
        start = first + pd.Timedelta(days=int(rng.integers(-5, 8)))
        days = pd.date_range(start, max(start, last), freq="D")
        keep = rng.random(len(days)) < rng.uniform(0.1, 0.5)
        keep[0] = True
        return days[keep]

    def some_symbols(self, rng: np.random.Generator) -> list[str]:
        return [s for s in self.symbols if rng.random() < 0.75] or self.symbols[:1]

    def borrow_frame(self) -> pd.DataFrame:
        """By date and symbol, or by size or symbol and regime; some left to the default."""
        rng = self.rng("borrow frame")
        if rng.random() < 0.5:
            index, columns = self.dates(rng), self.some_symbols(rng)
        else:
            names = ["mega", "mid", "small", "hk", *self.symbols]
            index = pd.Index([name for name in names if rng.random() < 0.6] or ["hk"])
            columns = [int(state) for state in rng.permutation(4)[: int(rng.integers(1, 5))]]
        rates = rng.uniform(0, 0.6, (len(index), len(columns)))
        rates[rng.random(rates.shape) < 0.25] = np.nan
        return pd.DataFrame(rates, index=index, columns=columns)

    def recalled_by(self) -> str:
        return self.one_of("recalls by", ["states", "dates", "both"])

    def recalls(self) -> dict[str, Any]:
        rng, given = self.rng("recalls"), {}
        by = self.recalled_by()
        if by != "dates":
            given["recall_states"] = frozenset({int(rng.integers(1, 4))})
        if by != "states":
            index, columns = self.dates(rng), self.some_symbols(rng)
            words = ["available", "no_new", "recall", None]
            drawn = rng.choice(4, (len(index), len(columns)), p=[0.6, 0.15, 0.15, 0.1])
            given["availability"] = pd.DataFrame(np.array(words, object)[drawn], index=index, columns=columns)
        return given

    def caps(self) -> float | dict[str, float] | pd.DataFrame:
        """Shares about as many as an order has, one number, by symbol, or by date and symbol."""
        rng, usual = self.rng("caps"), self.usual_shares()
        form = self.one_of("form of caps", ["number", "symbols", "dates"])
        if form == "number":
            return float(
                np.ceil(np.median(list(usual.values())) * np.exp(rng.uniform(np.log(0.2), np.log(2))))
            )
        columns = self.some_symbols(rng)
        index = self.dates(rng) if form == "dates" else pd.Index([0])
        shares = np.exp(rng.uniform(np.log(0.1), np.log(3), (len(index), len(columns))))
        shares = np.ceil(shares * np.array([usual[symbol] for symbol in columns]))
        luck = rng.random(shares.shape)
        shares[luck < 0.05] = 0.0
        shares[(luck >= 0.05) & (luck < 0.1)] = 30.0  # less than any lot of Hong Kong
        if form == "symbols":
            return dict(zip(columns, shares[0].tolist(), strict=True))
        shares[luck > 0.85] = np.nan
        return pd.DataFrame(shares, index=index, columns=columns)

    def usual_shares(self) -> dict[str, float]:
        """About as many shares as an order of each line has."""
        lines = len(self.symbols) + (0 if self.on.same_step else len(self.companies))
        value = 0.5 * self.weight_scale(lines) * capital_of(self.seed)
        value *= 1.0 if self.on.hkd else 7.8  # in HKD
        usual = {}
        for symbol in self.symbols:
            price = float(self.whole[symbol].median()) * (1.0 if self.venue_of(symbol) == "XHKG" else 7.8)
            usual[symbol] = value / price
        return usual

    def impact(self, market: Market) -> dict[str, Any]:
        """From a little to more than the law holds for, against the market's volumes or given ones."""
        rng, usual = self.rng("impact"), self.usual_shares()
        given: dict[str, Any] = {"impact": float(np.round(np.exp(rng.uniform(np.log(0.1), np.log(5))), 3))}
        given["impact_sessions"] = self.impact_sessions()
        forms = ["number", "symbols", "dates", "none"] if market.volume is not None else ["number", "dates"]
        form = self.one_of("form of impact volumes", forms)
        if form == "number":
            return given | {"impact_volume": float(np.ceil(np.median(list(usual.values())) * 20))}
        if form == "none":
            return given
        columns = self.some_symbols(rng) if market.volume is not None else self.symbols
        index = self.dates(rng) if form == "dates" else pd.Index([0])
        volume = np.exp(rng.uniform(np.log(0.5), np.log(300), (len(index), len(columns))))
        volume = np.ceil(volume * np.array([usual[symbol] for symbol in columns]))
        if form == "symbols":
            return given | {"impact_volume": dict(zip(columns, volume[0].tolist(), strict=True))}
        if market.volume is not None:
            volume[rng.random(volume.shape) > 0.85] = np.nan
        return given | {"impact_volume": pd.DataFrame(volume, index=index, columns=columns)}

    def dated_rates(self) -> dict[str, float | pd.Series]:
        rng, rates = self.rng("dated rates"), {}
        for currency in ("USD", "HKD"):
            index = self.dates(rng)
            rate = pd.Series(np.round(rng.uniform(-0.005, 0.07, len(index)), 5), index=index)
            form = rng.random()
            if form < 0.85:
                rates[currency] = rate if form < 0.7 else float(rate.iloc[0])
        return rates

    def given_fees(self) -> dict[tuple[str, str], Fee]:
        """Fees of every form. Rates are of many digits: no amount lies halfway between two units."""
        rng, fees = self.rng("given fees"), {}
        for venue, kinds in FEES_OF_VENUE.items():
            for kind in kinds:
                there, has = rng.random() < 0.5, rng.random(4) < 0.5
                minimum = float(rng.integers(1, 120)) if has[2] else 0.0
                fee = Fee(
                    rate=rng.uniform(0, 0.003) if has[0] else 0.0,
                    per_share=rng.uniform(0, 0.03) if has[1] else 0.0,
                    minimum=minimum,
                    maximum=minimum + float(rng.integers(0, 900)) if has[3] else np.inf,
                    unit=float(rng.choice([0.0, 0.01, 1.0])),
                    up=bool(rng.random() < 0.5),
                    side=str(rng.choice(["both", "buy", "sell"], p=[0.5, 0.25, 0.25])),
                )
                if there:
                    fees[venue, kind] = fee
        return fees

    def margin(self) -> Margin | None:
        """From none to one that is often breached; the default or none where the switch is off."""
        rng = self.rng("margin")
        if not self.on.margin:
            return Margin.institutional() if rng.random() < 0.5 else None
        if rng.random() < 0.4:
            return (Margin.retail(), Margin.institutional())[int(rng.integers(2))]
        first = np.round(rng.uniform(0.4, 1.1, 2), 3)
        later = np.round(first * rng.uniform(0.6, 1.0, 2), 3)
        later = np.minimum(first, later)
        return Margin(*first.tolist(), *later.tolist())


def table(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The market's long table of these rows, with its columns and types, by date."""
    empty = empty_of(name)
    if not rows:
        return empty
    frame = pd.DataFrame(rows, columns=list(empty.columns)).astype(empty.dtypes.to_dict())
    dates = [c for c in frame.columns if str(frame[c].dtype).startswith("datetime64")]
    return frame.sort_values(dates[0], kind="stable", ignore_index=True)


@lru_cache
def empty_of(name: str) -> pd.DataFrame:
    return empty_table(name)


@lru_cache(maxsize=64)
def real_grid(
    venues: tuple[str, ...], start: pd.Timestamp, end: pd.Timestamp, phases: tuple[str, ...]
) -> pd.DataFrame:
    return build_grid(list(venues), start, end, phases)


def invented_grid(
    venues: Sequence[str], start: pd.Timestamp, days: int, phases: Sequence[str], rng: np.random.Generator
) -> pd.DataFrame:
    """Weekdays at fixed hours, with single holidays and one long closure in each venue."""
    weekdays = pd.bdate_range(start, start + pd.Timedelta(days=days))
    rows = []
    for venue in venues:
        opened = rng.random(len(weekdays)) >= 0.06
        closure = int(rng.integers(2, len(weekdays)))
        opened[closure : closure + int(rng.integers(2, 6))] = False
        opened[:2] = True
        for session in weekdays[opened]:
            for phase in phases:
                clock = CLOCKS[venue][("open", "close").index(phase)]
                time = pd.Timestamp(f"{session.date()} {clock}", tz="UTC")
                rows.append({"time": time, "venue": venue, "phase": phase, "session": session})
    grid = pd.DataFrame(rows).sort_values("time", ignore_index=True)
    grid["time"] = pd.DatetimeIndex(grid["time"]).as_unit("ns")
    grid["session"] = pd.DatetimeIndex(grid["session"]).as_unit("ns")
    return grid.rename_axis("step")


# -- hypothesis ----------------------------------------------------------------------------------------------


def switches(**fixed: bool) -> st.SearchStrategy[Switches]:
    """Any combination of mechanisms; those named are fixed. Shrinks toward all off.

    The unusual ones (`UNUSUAL`) are off unless named.
    """
    drawn = {
        f.name: st.just(fixed.get(f.name, False)) if f.name in fixed or f.name in UNUSUAL else st.booleans()
        for f in fields(Switches)
    }
    return st.builds(Switches, **drawn)


def worlds(
    *,
    steps: tuple[int, int] = (30, 200),
    pairs: tuple[int, int] = (0, 3),
    singles: tuple[int, int] = (0, 2),
    mechanisms: st.SearchStrategy[Switches] | None = None,
) -> st.SearchStrategy[World]:
    """Worlds of any size and mechanism. Shrinks toward few steps, few lines and few mechanisms."""
    make: Callable[..., World] = random_world
    return (
        st.tuples(
            st.integers(0, 2**20),
            st.integers(*steps),
            st.integers(*pairs),
            st.integers(*singles),
            st.integers(*singles),
            switches() if mechanisms is None else mechanisms,
        )
        .filter(lambda x: x[2] + x[3] + x[4] > 0)
        .map(lambda x: make(x[0], steps=x[1], pairs=x[2], hk_singles=x[3], ny_singles=x[4], switches=x[5]))
    )


def as_written(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel as it is written: compiled, it may be callable by compiled code only."""
    return getattr(kernel, "py_func", kernel)


def until(targets: Targets, step: int) -> Targets:
    """What was wanted up to a step, that one included."""
    cut = {name: getattr(targets, name)[: step + 1] for name in ("weights", "pair_weights", "exits")}
    return replace(targets, **cut)


def twin(world: World) -> naive.NaiveRun:
    """What the exact twin makes of a world; whatever it refuses raises."""
    terms = (world.costs, world.capital, world.base_currency, world.fill, world.states, world.stressed)
    return naive.backtest(world.market, world.targets, *terms)


def run(world: World) -> ep.Result | None:
    """Run a world; None where it ends in one of the errors it may end in."""
    terms = {"capital": world.capital, "base_currency": world.base_currency, "costs": world.costs}
    try:
        return ep.backtest(world.market, world.plan, path=world.path, fill=world.fill, **terms)  # type: ignore[arg-type]
    except EntrepotError:
        return None
