"""Attribution of the engine's own runs: every table is the whole, whatever happened, and the naive one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

import naive_attribution as naive
import numpy as np
import pandas as pd
import pytest
import worlds
from hypothesis import HealthCheck, assume, given, settings

import entrepot as ep
from entrepot.engine import Costs, Ledger, backtest
from entrepot.engine.lines import SOURCES
from entrepot.engine.result import MOVED
from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.job import default_plan
from entrepot.markets.market import Market
from entrepot.markets.sectors import SectorMap, load_sectors
from entrepot.reports import (
    by_event,
    by_instrument,
    by_leg,
    by_pair,
    by_period,
    by_regime,
    by_sector,
    by_source,
    event_sources,
    pair_trades,
    regime_sources,
    turnover_by,
)
from entrepot.strategies.targets import Targets

REGIMES = ("calm", "tariff", "delisting", "decoupling")
PERIODS = ("year", "quarter", "month")
EXACT = 1e-9  # of the capital
LEGS = ["Hong Kong leg", "ADR leg"]
SEEDS = (0, 1, 2, 5, 7, 9, 10, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 27, 29)
RUINED = (0, 22, 27)


def examples(count: int) -> settings:
    return settings(
        max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
    )


def run(world: worlds.World) -> Ledger:
    """Run a world; one that cannot be run is no example."""
    try:
        return backtest(
            world.market,
            world.plan,
            capital=world.capital,
            base_currency=world.base_currency,
            costs=world.costs,
            path=world.path,
            fill=world.fill,
        )
    except EntrepotError:
        assume(False)
        raise


@lru_cache(maxsize=64)
def drawn(seed: int, stays: bool = False) -> Ledger:
    """A run of a drawn world with every mechanism, or without lines that leave; `SEEDS` can be run."""
    switches = replace(worlds.random_switches(seed), impossible_shorts=False, stops=False)
    if stays:
        switches = replace(switches, delisting=False, dead_end=False)
    sizes = {"pairs": 1 + seed % 3, "hk_singles": 1 + seed % 2, "ny_singles": 1}
    world = worlds.random_world(seed, steps=80, switches=switches, **sizes)
    options = {"capital": world.capital, "base_currency": world.base_currency, "costs": world.costs}
    return backtest(world.market, world.plan, path=world.path, fill=world.fill, **options)


def states_of(ledger: Ledger, seed: int = 0) -> np.ndarray:
    """Regimes that last a few steps."""
    rng = np.random.default_rng(seed)
    return np.repeat(rng.integers(0, 4, len(ledger.equity)), 7)[: len(ledger.equity)]


def calendar(market: Market, seed: int = 0) -> pd.DataFrame:
    """Events at steps, between them, before the first and after the last; some at one moment."""
    rng, time = np.random.default_rng(seed), pd.DatetimeIndex(market.grid["time"])
    at = [time[0] - pd.Timedelta("30h"), time[-1] + pd.Timedelta("1h"), time[-1], time[0]]
    at += [time[i] + pd.Timedelta(hours=int(h)) for i, h in rng.integers(0, (len(time), 60), (9, 2))]
    at += at[-2:]
    frame = pd.DataFrame({"known_at": pd.DatetimeIndex(at), "title": "what happened"})
    frame["channel"] = [("tariff", "delisting", "sanction")[int(i)] for i in rng.integers(0, 3, len(at))]
    frame["direction"] = rng.choice([-1, 1], len(at))
    return frame.assign(severity=3, event_id=[f"event {i}" for i in range(len(at))])


def dated_sectors(market: Market) -> SectorMap:
    """Every line moves to another sector in mid-run, some twice, and some have none at first."""
    sessions = sorted(set(market.grid["session"]))
    first, second = sessions[len(sessions) // 3], sessions[len(sessions) // 2]
    day, rows = pd.Timedelta(days=1), []
    for i, symbol in enumerate(market.symbols):
        if i % 3:
            rows.append((symbol, f"early{i % 2}:x", pd.NaT, first - day))
        rows.append((symbol, f"middle{i % 2};late0", first, second - day))
        rows.append((symbol, f"late{i % 2}", second, pd.NaT))
    frame = pd.DataFrame(rows, columns=["symbol", "sector", "since", "until"])
    frame = frame.astype({"since": "datetime64[ns]", "until": "datetime64[ns]"})
    return SectorMap(frame.assign(export_exposure=0, source="", confidence="", notes=""))


def source_tables(ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Every table with one column per source."""
    states, events = states_of(ledger), calendar(ledger.market)
    own = {symbol: f"sector {i % 2}" for i, symbol in enumerate(ledger.market.symbols[:2])}
    return {
        "instrument": by_instrument(ledger),
        "leg": by_leg(ledger),
        "pair": by_pair(ledger),
        "sector": by_sector(ledger),
        "own sector": by_sector(ledger, own),
        "dated sector": by_sector(ledger, dated_sectors(ledger.market)),
        **{freq: by_period(ledger, freq) for freq in PERIODS},
        "regime": regime_sources(ledger, states, REGIMES),
        **{f"event {s}": event_sources(ledger, events, s) for s in (5, 0.4, 1e-9)},
        "channel": event_sources(ledger, events, by=["channel", "direction"]),
        "direction": event_sources(ledger, events, by="direction"),
    }


def assert_whole(ledger: Ledger) -> None:
    """Rows, columns and all of every table are what they are sums of, and what the run earned."""
    final, capital = float(ledger.equity.iloc[-1]), ledger.capital
    near = EXACT * capital
    sources = by_source(ledger)
    assert abs(sources.sum() - (final - capital)) <= near
    for name, table in source_tables(ledger).items():
        amounts = table[list(sources.index)]
        assert list(table.columns[: len(sources) + 1]) == [*sources.index, "total"], name
        assert abs(table["total"].sum() - (final - capital)) <= near, name
        assert (amounts.sum() - sources).abs().max() <= near or amounts.empty, name
        assert (amounts.sum(axis=1) - table["total"]).abs().max() <= near or amounts.empty, name
    states, events = states_of(ledger), calendar(ledger.market)
    regime, event = by_regime(ledger, states, REGIMES), by_event(ledger, events)
    for table, detail in (
        (regime, regime_sources(ledger, states, REGIMES)),
        (event, event_sources(ledger, events)),
    ):
        assert abs(table["P&L"].sum() - (final - capital)) <= near
        assert abs(table["Costs"].sum() - ledger.costs().sum()) <= near
        assert list(table.index) == list(detail.index)
        assert (table["P&L"] - detail["total"]).abs().max() <= near
    assert event["Steps"].iloc[-1] <= len(ledger.equity)
    pair = by_pair(ledger).loc[[f"{hk} / {adr}" for hk, adr in ledger.lines.pairs]]
    assert (pair[LEGS].sum(axis=1) - pair["total"]).abs().max() <= near or pair.empty
    for freq in PERIODS:
        period = by_period(ledger, freq)
        assert (period["End Equity"] - period["Start Equity"] - period["total"]).abs().max() <= near
        assert period["Start Equity"].iloc[0] == capital
        assert period["End Equity"].iloc[-1] == final
        assert list(period["Start Equity"].iloc[1:]) == list(period["End Equity"].iloc[:-1])
        assert abs(period["Costs"].sum() - ledger.costs().sum()) <= near
        assert not np.isinf(period.to_numpy()).any()
        traded = turnover_by(ledger, freq)
        assert traded.index.equals(period.index)
        np.testing.assert_allclose(traded["Turnover"], period["Turnover"], rtol=1e-12)
        value = float((ledger.fills["notional"] * ledger.fills["fx"]).sum())
        np.testing.assert_allclose(traded["Traded"].sum(), value, rtol=1e-12)
        legs = traded.drop(columns=["Traded", "Mean Equity", "Turnover"])
        np.testing.assert_allclose(legs.sum(axis=1), traded["Traded"], rtol=1e-12)


# -- the whole -----------------------------------------------------------------------------------------------


@examples(8)
@given(worlds.worlds(steps=(30, 80)))
def test_every_table_of_any_run_is_the_whole(world: worlds.World) -> None:
    assert_whole(run(world))


@pytest.mark.slow
@examples(500)
@given(worlds.worlds(steps=(30, 150)))
def test_every_table_of_hundreds_of_runs_is_the_whole(world: worlds.World) -> None:
    assert_whole(run(world))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_table_of_a_drawn_run_is_the_whole(seed: int) -> None:
    assert_whole(drawn(seed))


def test_the_drawn_runs_have_all_that_can_happen() -> None:
    """Every source, every conversion, ruin, and symbols that earned both in a pair and alone."""
    ledgers = [drawn(seed) for seed in SEEDS]
    assert {source for ledger in ledgers for source in by_source(ledger).index} == set(SOURCES)
    assert {reason for ledger in ledgers for reason in ledger.conversions["reason"]} == set(MOVED)
    assert tuple(s for s in SEEDS if drawn(s).ruined_at is not None) == RUINED
    twice = 0
    for ledger in ledgers:
        lines = ledger.lines
        earned = ledger.record.sources.any(axis=(0, 1))[: len(lines.symbols)]
        legs, alone = (np.array(lines.symbols)[earned & of] for of in (lines.linked, ~lines.linked))
        twice += bool(set(legs) & set(alone))
    assert twice > 3


def test_nothing_is_earned_after_ruin() -> None:
    tables = [by_period(drawn(seed), "month") for seed in RUINED]
    for table in tables:
        gone = table["Start Equity"] <= 0
        assert table.loc[gone, ["Return [%]", "Turnover"]].isna().all(axis=None)
        assert (table.loc[gone, "total"] == 0).all()
        assert table.loc[~gone, "Return [%]"].notna().all()
        assert table.loc[~gone, "Return [%]"].iloc[-1] <= -100
    assert any((table["Start Equity"] <= 0).any() for table in tables)


@pytest.fixture(scope="module")
def events() -> ep.Events:
    return ep.load_events()


@pytest.fixture(scope="module")
def simulated(events: ep.Events) -> ep.Result:
    market = ep.simulate_market(start="2018-01-02", end="2021-12-31", seed=7)
    path = ep.RegimeModel().walk_forward(market, events)
    return ep.backtest(market, default_plan(path), path=path)


def assert_whole_under_regimes_and_events(result: ep.Result, events: ep.Events) -> None:
    assert_whole(result)
    total = result.equity.iloc[-1] - result.capital
    path, near = result.path, EXACT * result.capital
    for table in (
        regime_sources(result, path.states, path.names),
        event_sources(result, events.frame),
        event_sources(result, events.frame, by=("channel", "direction")),
        by_sector(result, load_sectors()),
    ):
        assert abs(table["total"].sum() - total) <= near
        assert (table.drop(columns="total").sum() - by_source(result)).abs().max() <= near
    assert abs(result.by_event(events)["P&L"].sum() - total) <= near
    assert abs(result.by_regime()["P&L"].sum() - total) <= near


def test_the_default_plan_is_the_whole_under_its_regimes_and_the_calendar(simulated, events) -> None:
    assert_whole_under_regimes_and_events(simulated, events)
    named = event_sources(simulated, events.frame, by=("channel", "direction"))
    assert {"tariff escalation", "delisting relief"} <= set(named.index)
    assert named.index.name == "channel and direction"


@pytest.mark.slow
def test_real_prices_are_the_whole_too(real_prices, events) -> None:
    market = ep.load_market(real_prices, start="2019-06-03", ends="cut", departures="parity")
    path = ep.RegimeModel().walk_forward(market, events)
    assert_whole_under_regimes_and_events(ep.backtest(market, default_plan(path), path=path), events)


def test_both_legs_of_a_pair_are_in_one_sector(simulated: ep.Result) -> None:
    sector = simulated.market.instruments["sector"]
    assert all(sector[hk] == sector[adr] for hk, adr in simulated.lines.pairs)
    table, pairs = by_sector(simulated), by_pair(simulated)
    assert {"cash", "broad", "auto", "telecom"} <= set(table.index)
    own = [f"{hk} / {adr}" for hk, adr in simulated.lines.pairs if sector[hk] == "industrials:logistics"]
    assert own == ["2057.HK / ZTO"]  # the sector's only company
    assert table.loc["industrials", "total"] == pytest.approx(pairs.loc[own, "total"].sum())


# -- the same, slowly ----------------------------------------------------------------------------------------


def same(table: pd.DataFrame, slow: Mapping[tuple[Any, str], float], scale: float) -> None:
    """A table holds what the naive one does, and nothing else."""
    fast = {(row, source): v for row, of in table.to_dict("index").items() for source, v in of.items()}
    for key in set(fast) | set(slow):
        if key[1] not in ("total", "Return [%]", "Costs", "Turnover", "Start Equity", "End Equity", *LEGS):
            assert fast.get(key, 0.0) == pytest.approx(slow.get(key, 0.0), rel=1e-9, abs=1e-9 * scale), key


@pytest.mark.parametrize("seed", [1, 5, 9, 19, 27])
def test_tables_are_those_that_are_added_up_cell_by_cell(seed: int) -> None:
    ledger = drawn(seed)
    market, scale, states = ledger.market, ledger.capital, states_of(ledger, seed)
    cells = naive.by_symbol(ledger)

    def decided(t: int) -> dict[str, float]:
        return {REGIMES[states[max(t - 1, 0)]]: 1.0}

    slow = naive.table(cells, decided, lambda owner, entry, t: owner)
    same(regime_sources(ledger, states, REGIMES), slow, scale)
    for freq in PERIODS:
        dates = [naive.period(naive.session(market, t), freq) for t in range(len(market))]
        slow = naive.table(cells, lambda t, d=dates: {d[t]: 1.0}, lambda owner, entry, t: owner)
        same(by_period(ledger, freq).set_axis(list(dict.fromkeys(dates))), slow, scale)
        assert [str(p) for p in by_period(ledger, freq).index] == list(dict.fromkeys(dates))

    events = calendar(market, seed)
    ordered = events.sort_values("known_at", kind="stable")
    for sessions in (3, 0.4):
        holders = naive.windows(market, list(ordered["known_at"]), sessions)

        def shared(t: int, holders=holders) -> dict[int, float]:
            return {e: 1.0 / len(holders[t]) for e in holders[t]} or {-1: 1.0}

        def named(e: int, entry: str, t: int) -> str:
            return "no event" if e < 0 else str(ordered["event_id"].iloc[e])

        def grouped(e: int, entry: str, t: int) -> str:
            row = ordered.iloc[e]
            way = "escalation" if row["direction"] > 0 else "relief"
            return "no event" if e < 0 else f"{row['channel']} {way}"

        same(event_sources(ledger, events, sessions), naive.table(cells, shared, named), scale)
        found = event_sources(ledger, events, sessions, by=["channel", "direction"])
        same(found, naive.table(cells, shared, grouped), scale)

    sectors = dated_sectors(market)
    known = [sectors.at(session) for session in market.grid["session"]]

    def sector(owner: str, entry: str, t: int) -> str:
        if entry.startswith("cash:"):
            return "cash"
        word = known[max(t - 1, 0)].get(entry)
        return "unclassified" if word is None else word.split(";")[0].split(":")[0]

    same(by_sector(ledger, sectors), naive.table(cells, naive.everyone, sector), scale)

    lines = ledger.lines
    pair_of = {int(k): p for p, legs in enumerate(lines.legs) for k in legs}

    def pair(owner: str, line: int, t: int) -> str:
        if line >= len(lines.symbols):
            return "cash"
        return " / ".join(lines.pairs[pair_of[line]]) if line in pair_of else "single lines"

    same(by_pair(ledger), naive.table(naive.by_line(ledger, SOURCES), naive.everyone, pair), scale)


@pytest.mark.parametrize("seed", SEEDS)
def test_price_and_fx_follow_from_fills_prices_rates_and_cash(seed: int) -> None:
    """Books kept anew from the fills of each order: also that a symbol held twice is split right."""
    ledger = drawn(seed, stays=True)
    slow, near = naive.price_and_fx(ledger), 1e-9 * ledger.capital
    totals: dict[tuple[str, str], np.ndarray] = {}
    for (source, entry, _), amounts in slow.items():
        totals[source, entry] = totals.get((source, entry), 0.0) + np.array(amounts)
    for key in {key for key in ledger.contributions.columns if key[0] in ("price", "fx")} | set(totals):
        booked = ledger.contributions[key] if key in ledger.contributions else np.zeros(len(ledger.equity))
        np.testing.assert_allclose(booked, totals.get(key, 0.0), rtol=1e-8, atol=near, err_msg=str(key))
    pairs = {adr: f"{hk} / {adr}" for hk, adr in ledger.lines.pairs}
    expected: dict[tuple[str, str], float] = {}
    for (source, entry, pair), amounts in slow.items():
        row = "cash" if entry.startswith("cash:") else pairs.get(pair, "single lines")
        expected[row, source] = expected.get((row, source), 0.0) + sum(amounts)
    table = by_pair(ledger)
    for source in {"price", "fx"} & set(table.columns):
        for row in table.index:
            assert table.loc[row, source] == pytest.approx(expected.get((row, source), 0.0), abs=near)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pair_earns_what_its_trades_do(seed: int) -> None:
    """`pair_trades` walks the lines' books on its own: its nets add up to all that was booked on them."""
    ledger = drawn(seed)
    table, trades = by_pair(ledger), pair_trades(ledger)
    for name, own in trades.groupby("pair"):
        hk = own["hk"].iloc[0]
        total = table.loc[f"{hk} / {name}", "total"]
        assert total == pytest.approx(own["net"].sum(), rel=1e-9, abs=1e-9 * ledger.capital)


# -- by hand -------------------------------------------------------------------------------------------------


def market_of(
    hk: Mapping[str, float], ny: Mapping[str, float], per_usd: Mapping[str, float], second: float = 0.0
) -> Market:
    """One Hong Kong line "1.HK", one ADS "ADR" of one share, closes only, at 08:10 and 21:00 UTC.

    Args:
        hk: close by Hong Kong session.
        ny: close by New York session.
        per_usd: HKD per USD, fixed at 07:00 UTC of the date.
        second: a constant price of another line in Hong Kong, "2.HK"; 0: none.
    """
    rows = [(pd.Timestamp(f"{d} 08:10", tz="UTC"), "XHKG", d) for d in hk]
    rows += [(pd.Timestamp(f"{d} 21:00", tz="UTC"), "XNYS", d) for d in ny]
    grid = pd.DataFrame(sorted(rows), columns=["time", "venue", "session"])
    grid.insert(2, "phase", "close")
    grid["time"] = pd.DatetimeIndex(grid["time"]).as_unit("ns")
    grid["session"] = pd.DatetimeIndex(grid["session"]).as_unit("ns")
    in_hk = (grid["venue"] == "XHKG").to_numpy()
    dates = [str(d.date()) for d in grid["session"]]
    price = {
        "1.HK": [hk[d] if own else np.nan for d, own in zip(dates, in_hk, strict=True)],
        "ADR": [np.nan if own else ny[d] for d, own in zip(dates, in_hk, strict=True)],
    }
    if second:
        price["2.HK"] = np.where(in_hk, second, np.nan)
    symbols = list(price)
    instruments = pd.DataFrame(
        {
            "venue": ["XNYS" if s == "ADR" else "XHKG" for s in symbols],
            "currency": ["USD" if s == "ADR" else "HKD" for s in symbols],
            "company": ["Two" if s == "2.HK" else "One" for s in symbols],
            "sector": ["it:software" if s == "2.HK" else "energy:oil;utilities" for s in symbols],
            "kind": ["ads" if s == "ADR" else "ordinary" for s in symbols],
            "pair": [{"1.HK": "ADR", "ADR": "1.HK"}.get(s, "") for s in symbols],
            "lot": 0.0,
            "adjustment": "raw",
            "shortable": True,
            "size": "mega",
            "withholding": 0.0,
            "fee_class": ["us_stock" if s == "ADR" else "hk_stock" for s in symbols],
        },
        index=pd.Index(symbols, name="symbol"),
    )
    fixings = pd.DataFrame(
        {
            "time": pd.DatetimeIndex([pd.Timestamp(f"{d} 07:00", tz="UTC") for d in per_usd]).as_unit("ns"),
            "currency": "HKD",
            "per_usd": [float(v) for v in per_usd.values()],
        }
    )
    ratios = pd.DataFrame(
        {"adr": ["ADR"], "effective_from": pd.DatetimeIndex(["2010-01-01"]), "ordinary_per_ads": [1.0]}
    )
    index = pd.DatetimeIndex(grid["time"], name="time")
    return Market(
        grid.rename_axis("step"), pd.DataFrame(price, index=index), instruments, fixings, ratios, label="hand"
    )


def targets(market: Market, at: Mapping[tuple[int, str], float], pair: Mapping[int, float] = {}):
    """Weights of single lines by step and symbol, and of the pair by step."""
    single, paired = np.full(market.price.shape, np.nan), np.full((len(market), 1), np.nan)
    for (step, symbol), weight in at.items():
        single[step, market.column(symbol)] = weight
    for step, weight in pair.items():
        paired[step, 0] = weight
    pairs = (("1.HK", "ADR"),) if pair else ()
    found = Targets(single, pairs, paired if pair else np.empty((0, 0)), drift_band=np.inf)
    return SimpleNamespace(targets=lambda market, path=None: found)


DAYS = ("2019-12-27", "2019-12-30", "2019-12-31", "2020-01-02")


@pytest.fixture(scope="module")
def abroad() -> Ledger:
    """100,000 shares of HK$ 80, bought at HKD 8 per USD with borrowed HKD, by a run in USD."""
    market = market_of(
        hk=dict(zip(DAYS, (80.0, 80.0, 88.0, 66.0), strict=True)),
        ny=dict.fromkeys(("2019-12-27", "2019-12-30", "2020-01-02"), 10.0),
        per_usd=dict(zip(DAYS, (8.0, 8.0, 8.0, 7.5), strict=True)),
        second=10.0,
    )
    return backtest(
        market,
        targets(market, {(1, "1.HK"): 1.0}),
        capital=1_000_000.0,
        costs=Costs.none().with_(fx_conversion="never"),
    )


def test_price_times_fx_by_hand(abroad: Ledger) -> None:
    """The cross term is FX's: price at the rate before, FX on the price after.

    Steps: HK 27th, NY 27th (decided), HK 30th (bought), NY 30th, HK 31st (+8 at 8.0), HK 2nd (-22, the HKD
    from 8.0 to 7.5 per USD), NY 2nd. Owed: HKD 8,000,000.
    """
    assert list(abroad.positions["1.HK"]) == [0, 0, 100_000, 100_000, 100_000, 100_000, 100_000]
    table = by_instrument(abroad)
    # 100,000 * 8 / 8 = 100,000 and 100,000 * -22 / 8 = -275,000
    assert table.loc["1.HK", "price"] == pytest.approx(-175_000)
    # 100,000 shares at 66, a HKD up from 1/8 to 1/7.5 of a USD: 6,600,000 / 120 = 55,000
    assert table.loc["1.HK", "fx"] == pytest.approx(55_000)
    # HKD -8,000,000 / 120
    assert table.loc["cash:HKD", "fx"] == pytest.approx(-8_000_000 / 120)
    assert list(table.columns) == ["price", "fx", "total"]
    # HKD 6,600,000 less HKD 8,000,000, at 7.5, on top of the capital
    assert abroad.equity.iloc[-1] == pytest.approx(1_000_000 - 1_400_000 / 7.5)
    assert table["total"].sum() == pytest.approx(-1_400_000 / 7.5)


def test_periods_by_hand(abroad: Ledger) -> None:
    """New York is closed on the 31st: Hong Kong's close of that day belongs to the session of 2 January."""
    table = by_period(abroad, "year")
    assert [str(p) for p in table.index] == ["2019", "2020"]
    assert table["total"].tolist() == pytest.approx([0.0, -1_400_000 / 7.5])
    assert table.loc["2020", "price"].item() == pytest.approx(-175_000)
    assert table["Start Equity"].tolist() == pytest.approx([1_000_000, 1_000_000])
    assert table["End Equity"].tolist() == pytest.approx([1_000_000, 1_000_000 - 1_400_000 / 7.5])
    assert table["Return [%]"].tolist() == pytest.approx([0.0, -140 / 7.5])
    # 100,000 shares at HK$ 80 and HKD 8 are USD 1,000,000; mean equity of 2019: two samples of 1,000,000
    assert table["Turnover"].tolist() == pytest.approx([1.0, 0.0])
    assert turnover_by(abroad, "year")["Hong Kong"].tolist() == pytest.approx([1_000_000, 0.0])
    assert list(by_period(abroad, "quarter").index.astype(str)) == ["2019Q4", "2020Q1"]
    assert list(by_period(abroad, "month").index.astype(str)) == ["2019-12", "2020-01"]


def test_steps_after_the_last_session_end_belong_to_their_own_date(abroad: Ledger) -> None:
    market = abroad.market.until(5)  # without New York's close of 2 January
    part = backtest(market, targets(market, {(1, "1.HK"): 1.0}), costs=Costs.none(), capital=1_000_000.0)
    assert part.market.grid["venue"].tolist()[-2:] == ["XHKG", "XHKG"]
    dates = [str(d.date()) for d in part.market.grid["session"].iloc[-2:]]
    table = by_period(part)
    if part.market.decision_steps[4:].any():
        pytest.fail(f"no session ends after {dates}")
    # Hong Kong's close of 31 December is now in 2019, with its own date; that of 2 January stays in 2020
    assert [str(p) for p in table.index] == ["2019", "2020"]
    assert table.loc["2019", "price"].item() == pytest.approx(100_000)
    # no session ends in it: there is no mean equity to turn over
    assert np.isnan(table.loc["2020", "Turnover"].item())
    assert table.loc["2020", "Return [%]"].item() == pytest.approx(
        100 * (part.equity.iloc[-1] / part.equity.iloc[-2] - 1)
    )


def test_a_symbol_in_a_pair_and_alone_is_split_by_hand() -> None:
    """1.HK is held long in the pair and short alone; the two never net."""
    days = ("2020-03-02", "2020-03-03", "2020-03-04", "2020-03-05")
    market = market_of(
        hk=dict(zip(days, (80.0, 80.0, 80.0, 100.0), strict=True)),
        ny=dict(zip(days, (10.0, 10.0, 10.0, 11.0), strict=True)),
        per_usd=dict.fromkeys(days, 8.0),
    )
    plan = targets(market, {(1, "1.HK"): -0.25}, {1: 0.5})
    ledger = backtest(market, plan, capital=1_000_000.0, costs=Costs.none())
    # 50,000 shares long and 50,000 ADS short as a pair, 25,000 shares short alone
    assert ledger.positions.iloc[-1].to_dict() == {"1.HK": 25_000, "ADR": -50_000}
    table = by_pair(ledger)
    assert list(table.index) == ["1.HK / ADR", "single lines", "cash"]
    # +20 HKD a share is USD 2.5; +1 USD an ADS
    assert table.loc["1.HK / ADR", "Hong Kong leg"] == pytest.approx(125_000)
    assert table.loc["1.HK / ADR", "ADR leg"] == pytest.approx(-50_000)
    assert table.loc["1.HK / ADR", "total"] == pytest.approx(75_000)
    assert table.loc["single lines", "total"] == pytest.approx(-62_500)
    assert table.loc["cash", "total"] == 0
    assert table.loc[["single lines", "cash"], LEGS].isna().all(axis=None)
    assert by_instrument(ledger).loc["1.HK", "total"] == pytest.approx(62_500)
    alone = backtest(market, targets(market, {}, {1: 0.5}), capital=1_000_000.0, costs=Costs.none())
    assert list(by_pair(alone).index) == ["1.HK / ADR", "cash"]
    single = backtest(market, targets(market, {(1, "1.HK"): -0.25}), costs=Costs.none())
    assert list(by_pair(single).index) == ["single lines", "cash"]


def test_a_line_that_leaves_stays_with_its_pair_by_hand() -> None:
    """The ADS become ordinary shares at their last prices, 8 per cent dearer: conversion, then price."""
    days = ("2020-03-02", "2020-03-03", "2020-03-04", "2020-03-05", "2020-03-06")
    market = market_of(
        hk=dict(zip(days, (80.0, 80.0, 86.4, 86.4, 90.0), strict=True)),
        ny=dict.fromkeys(days, 10.0),
        per_usd=dict.fromkeys(days, 8.0),
    )
    gone = pd.DataFrame(
        {"symbol": ["ADR"], "last_session": pd.DatetimeIndex(["2020-03-04"]), "into": ["1.HK"]}
    ).assign(ordinary_per_ads=1.0)
    prices = market.price.copy()
    prices.loc[market.grid["session"].to_numpy() > np.datetime64("2020-03-04"), "ADR"] = np.nan
    market = replace(market, price=prices, delistings=gone)
    # short Hong Kong, long the ADS: once they are ordinary shares they cover the short, and nothing is left
    ledger = backtest(market, targets(market, {}, {1: -0.5}), capital=1_000_000.0, costs=Costs.none())
    assert ledger.conversions["reason"].tolist() == ["delisted"]
    table = by_pair(ledger)
    assert list(table.index) == ["1.HK / ADR", "cash"]
    # 50,000 shares are short at 80 and 50,000 ADS long at 10; the short loses 6.4 HKD, then 50,000 ADS of
    # USD 10 become shares of USD 10.8
    assert table.loc["1.HK / ADR", "Hong Kong leg"] == pytest.approx(-50_000 * 6.4 / 8)
    assert table.loc["1.HK / ADR", "conversion"] == pytest.approx(50_000 * 0.8)
    assert table.loc["1.HK / ADR", "ADR leg"] == pytest.approx(50_000 * 0.8)
    assert table["total"].sum() == pytest.approx(0, abs=1e-6)
    assert ledger.equity.iloc[-1] == pytest.approx(1_000_000)


def test_a_change_of_sector_by_hand(abroad: Ledger) -> None:
    """Profit belongs to the sector known at the step before: New York's close of the 30th says "old"."""
    rows = [("1.HK", "old:x", None, "2019-12-30"), ("1.HK", "new", "2019-12-31", None)]
    frame = pd.DataFrame(rows, columns=["symbol", "sector", "since", "until"])
    frame = frame.astype({"since": "datetime64[ns]", "until": "datetime64[ns]"})
    sectors = SectorMap(frame.assign(export_exposure=0, source="", confidence="", notes=""))
    table = by_sector(abroad, sectors)
    assert set(table.index) == {"old", "new", "cash"}
    assert table.loc["old", "price"] == pytest.approx(100_000)  # of the night to the 31st
    assert table.loc["new", "price"] == pytest.approx(-275_000)
    assert table.loc["new", "fx"] == pytest.approx(55_000)
    assert table.index[-1] == "cash"
    assert list(by_sector(abroad).index) == ["energy", "cash"]
    assert list(by_sector(abroad, {"1.HK": "mine: all"}).index) == ["mine: all", "cash"]
    assert list(by_sector(abroad, pd.Series({"2.HK": "mine"})).index) == ["energy", "cash"]


def test_regimes_and_events_by_source_by_hand(abroad: Ledger) -> None:
    """+100,000 by price at step 4; -275,000, +55,000 and -66,667 at step 5."""
    states = np.array([0, 0, 0, 1, 0, 0, 0])
    table = regime_sources(abroad, states, ["quiet", "loud"])
    assert table.loc["loud"].tolist() == pytest.approx([100_000, 0, 100_000])
    assert table.loc["quiet"].tolist() == pytest.approx([-275_000, 55_000 - 8e6 / 120, -275_000 - 35e3 / 3])
    events = pd.DataFrame(
        {"known_at": pd.to_datetime(["2019-12-30T22:00Z", "2019-12-31T08:10Z"], utc=True), "title": "x"}
    ).assign(channel=["tariff", "delisting"], direction=[1, -1], severity=3, event_id=["a", "b"])
    table = event_sources(abroad, events, sessions=2)
    # a holds steps 4, 5 and 6, b those after it was known: 5 and 6
    assert table.loc["a", "price"] == pytest.approx(100_000 - 275_000 / 2)
    assert table.loc["b", "price"] == pytest.approx(-275_000 / 2)
    assert table.loc["b", "fx"] == pytest.approx((55_000 - 8e6 / 120) / 2)
    assert table.loc["no event"].tolist() == pytest.approx([0, 0, 0])
    grouped = event_sources(abroad, events, sessions=2, by=["channel", "direction"])
    assert list(grouped.index) == ["delisting relief", "tariff escalation", "no event"]
    assert grouped.loc["delisting relief"].tolist() == pytest.approx(table.loc["b"].tolist())
    assert list(event_sources(abroad, events, by="direction").index) == ["escalation", "relief", "no event"]
    neither = event_sources(abroad, events.assign(direction=0), by="direction")
    assert list(neither.index) == ["neither", "no event"]


# -- at the edge ---------------------------------------------------------------------------------------------


def test_a_run_that_never_trades(abroad: Ledger) -> None:
    market = abroad.market
    idle = backtest(market, targets(market, {}, {0: np.nan}), costs=Costs.none(), capital=1_000_000.0)
    assert_whole(idle)
    assert list(by_pair(idle).index) == ["1.HK / ADR", "cash"]
    assert by_pair(idle)["total"].tolist() == [0, 0]
    assert list(by_pair(idle).columns) == ["total", *LEGS]
    assert by_sector(idle).empty
    assert by_period(idle)["Return [%]"].tolist() == [0, 0]
    assert by_period(idle)["Turnover"].tolist() == [0, 0]
    assert event_sources(idle, calendar(market))["total"].eq(0).all()
    earning = backtest(market, targets(market, {}, {0: np.nan}), capital=1_000_000.0)
    assert_whole(earning)
    assert list(by_sector(earning).index) == ["cash"]


def test_what_the_first_step_books_is_in_the_first_period_and_in_its_own_regime(abroad: Ledger) -> None:
    """Traded at the first step's own price for 1 per cent: equity is below the capital from the start."""
    market = abroad.market
    ledger = backtest(
        market,
        targets(market, {(0, "1.HK"): 0.5}),
        capital=1_000_000.0,
        costs=Costs.flat(100),
        fill="same_step",
    )
    assert ledger.equity.iloc[0] == pytest.approx(995_000)
    table = by_period(ledger)
    assert table["Start Equity"].iloc[0] == 1_000_000
    assert table["Return [%]"].iloc[0] == pytest.approx(-0.5)
    assert table["flat_fee"].tolist() == pytest.approx([-5_000, 0])
    assert_whole(ledger)
    states = np.array([1, 0, 0, 0, 0, 0, 0])
    assert regime_sources(ledger, states, ["quiet", "loud"]).loc["loud", "flat_fee"] == pytest.approx(-5_000)
    early = calendar(market).iloc[[0]]  # thirty hours before it
    assert event_sources(ledger, early).loc["event 0", "flat_fee"] == pytest.approx(-5_000)


def test_a_run_of_one_step(abroad: Ledger) -> None:
    market = abroad.market.until(0)
    one = backtest(market, targets(market, {(0, "1.HK"): 1.0}), capital=1_000_000.0)
    assert_whole(one)
    assert by_period(one)["total"].tolist() == [0.0]


def test_a_window_without_a_step_is_no_window(abroad: Ledger) -> None:
    events = calendar(abroad.market).iloc[[4]].assign(known_at=pd.Timestamp("2019-12-30T21:00Z"))
    for sessions in (1e-9, 0.01):
        assert list(event_sources(abroad, events, sessions).index) == ["no event"]
        assert list(event_sources(abroad, events, sessions, by="channel").index) == ["no event"]
        assert by_event(abroad, events, sessions)["P&L"].sum() == pytest.approx(-1_400_000 / 7.5)


def test_what_cannot_be_used_is_refused(abroad: Ledger) -> None:
    events = calendar(abroad.market)
    for freq in ("week", "Year", None, 1, ["year"]):
        with pytest.raises(ParameterError, match=r"freq is .* give 'year', 'quarter', 'month'"):
            by_period(abroad, freq)
    for by in ("title", [], ["event", "channel"], ["channel", "severity"], [1]):
        with pytest.raises(
            ParameterError, match=r"by is .* give 'event', or one or both of channel, direction"
        ):
            event_sources(abroad, events, by=by)
    for sessions in (0, -1, np.nan, np.inf, "5", True, None):
        with pytest.raises(ParameterError, match="positive number of sessions"):
            event_sources(abroad, events, sessions)
    for wrong in ("energy", 3, ["1.HK"], abroad):
        with pytest.raises(ParameterError, match=r"sectors is of type .* load_sectors\(\)"):
            by_sector(abroad, wrong)
    for none in ({}, {"1.hk": "energy"}, pd.Series(dtype=object)):
        with pytest.raises(
            ParameterError, match=r"names no line of this market: give symbols such as '1.HK'"
        ):
            by_sector(abroad, none)
    for word in ("", "  ", None, 3, np.nan, "cash"):
        with pytest.raises(DataError, match=r"gives 1.HK the sector .*: give a printable word"):
            by_sector(abroad, {"1.HK": word})
    with pytest.raises(ParameterError, match="one integer for each of the 7 steps"):
        regime_sources(abroad, np.zeros(3, dtype=int), REGIMES)
    with pytest.raises(ParameterError, match="events is of type str"):
        event_sources(abroad, "events")


def test_tables_are_the_callers_own(abroad: Ledger) -> None:
    """What is written into one table is in no other."""
    for ask in (by_instrument, by_pair, by_leg, by_sector, partial(by_period, freq="month")):
        table = ask(abroad)
        table.loc[:, "total"] = 0.0
        assert ask(abroad)["total"].abs().sum() > 0
