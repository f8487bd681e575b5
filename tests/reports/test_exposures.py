"""What a run held and traded: against the books, a naive twin, and by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace

import naive_attribution as naive
import numpy as np
import pandas as pd
import pytest
import worlds
from hypothesis import HealthCheck, assume, given, settings

import entrepot as ep
from entrepot.engine import Costs, Ledger, backtest
from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.job import default_plan
from entrepot.markets.market import Market
from entrepot.markets.sectors import SectorMap, load_sectors
from entrepot.reports import currency_exposures, exposures, holdings, sector_exposures, turnover_by
from entrepot.strategies.targets import Targets

SEEDS = (0, 1, 2, 7, 9, 10, 13, 15, 18, 19, 22, 24)
STANDING = (30, 33, 52, 54, 64, 88, 135, 319)  # lines kept at parity, or silent over a split
MEASURES = ["long", "short", "net", "gross"]


@lru_cache(maxsize=64)
def drawn(seed: int, stays: bool = False) -> Ledger:
    """A run of a drawn world with every mechanism, or without lines that leave."""
    switches = replace(worlds.random_switches(seed), impossible_shorts=False)
    if stays:
        switches = replace(switches, delisting=False, dead_end=False, stops=False)
    sizes = {"pairs": seed % 3, "hk_singles": 1 + seed % 2, "ny_singles": 1}
    world = worlds.random_world(seed, steps=80, switches=switches, **sizes)
    return run(world)


def run(world: worlds.World) -> Ledger:
    options = {"capital": world.capital, "base_currency": world.base_currency, "costs": world.costs}
    return backtest(world.market, world.plan, path=world.path, fill=world.fill, **options)


def sampled(ledger: Ledger) -> np.ndarray:
    return np.asarray(ledger.market.decision_steps, dtype=bool)


def assert_in_the_books(ledger: Ledger) -> None:
    """Values are what equity says, and every table of weights adds up."""
    rates = ledger.market.fx[list(ledger.currencies)].to_numpy()
    rates = rates / ledger.market.fx[ledger.base_currency].to_numpy()[:, None]
    money = ((ledger.cash + ledger.receivables).to_numpy() * rates).sum(axis=1)
    worth = ledger.position_values
    equity = ledger.equity_by_step
    size = np.abs(money) + worth.abs().sum(axis=1).to_numpy() + ledger.capital
    assert (np.abs(worth.sum(axis=1).to_numpy() + money - equity) <= 1e-12 * size).all()

    table, alive = exposures(ledger), ledger.daily.to_numpy() > 0
    assert table.index.equals(ledger.daily.index)
    assert table[~alive].isna().all(axis=None) or alive.all()
    kept = table[alive]
    assert kept.notna().all(axis=None)
    for leg in kept.columns.levels[0]:
        part = kept[leg]
        assert list(part.columns) == MEASURES
        assert (part["long"] >= 0).all()
        assert (part["short"] <= 0).all()
        np.testing.assert_allclose(part["long"] + part["short"], part["net"], atol=1e-9)
        np.testing.assert_allclose(part["long"] - part["short"], part["gross"], atol=1e-9)
    own = ledger.exposure[sampled(ledger)]
    for measure in MEASURES if len(own.columns) else ():  # the ledger's own, by venue, say the same
        whole = own[measure].sum(axis=1, skipna=False).to_numpy()
        np.testing.assert_allclose(whole, table["all"][measure], rtol=1e-9, atol=1e-9)
    legs = [leg for leg in dict.fromkeys(kept.columns.get_level_values(0)) if leg != "all"]
    for measure in MEASURES:
        parts = sum((kept[leg][measure] for leg in legs), start=pd.Series(0.0, kept.index))
        np.testing.assert_allclose(parts, kept["all"][measure], atol=1e-9)

    currency = currency_exposures(ledger)
    assert list(currency.columns) == list(ledger.currencies)
    assert currency[~alive].isna().all(axis=None) or alive.all()
    bound = 1e-12 * size[sampled(ledger)][alive] / ledger.daily[alive]
    assert ((currency[alive].sum(axis=1) - 1).abs() <= bound).all()

    sectors = {symbol: f"sector {i % 3}" for i, symbol in enumerate(ledger.market.symbols)}
    for by in (sector_exposures(ledger), sector_exposures(ledger, sectors)):
        np.testing.assert_allclose(by[alive].sum(axis=1), kept["all"]["net"], atol=1e-9)
        assert by[~alive].isna().all(axis=None) or alive.all()
    assert not np.isinf(turnover_by(ledger).to_numpy()).any()

    sheet = holdings(ledger)
    held = (ledger.positions[sampled(ledger)] != 0).sum(axis=1)
    assert sheet["Sessions"] == len(ledger.daily)
    assert sheet["Most Positions"] == held.max()
    if (held > 0).any():
        assert sheet["Time Invested [%]"] == pytest.approx(100 * (held > 0).mean())
        assert sheet["Most Gross [%]"] == pytest.approx(100 * kept["all"]["gross"].max())
        assert sheet["Largest Weight [%]"] <= sheet["Most Gross [%]"] + 1e-9
        on, of = sheet["Largest Weight On"], sheet["Largest Weight Of"]
        at = np.flatnonzero(sampled(ledger))[ledger.daily.index.get_loc(on)]
        weight = 100 * abs(worth[of].iloc[at]) / ledger.equity.iloc[at]
        assert weight == pytest.approx(sheet["Largest Weight [%]"])


# -- against the books ---------------------------------------------------------------------------------------


def test_what_is_traded_only_later_moves_no_last_digit() -> None:
    """A line joins three others, and stands between them, at the last step: sums until then are the same."""
    market = ep.simulate_market(start="2022-01-03", end="2022-03-31", seed=5)
    weights = np.full((len(market), len(market.symbols)), np.nan)
    for symbol in ("BABA", "JD", "KWEB", *market.symbols[::3]):
        weights[3, market.column(symbol)] = 0.07
    later = weights.copy()
    later[-2, [i for i, s in enumerate(market.symbols) if np.isnan(weights[3, i])]] = 0.01
    paired = np.full((len(market), 1), np.nan)
    paired[3] = 0.1
    before, after = (
        backtest(market, Targets(each, (("9988.HK", "BABA"),), paired)) for each in (weights, later)
    )
    assert len(after.position_values.columns) > len(before.position_values.columns) > 12
    assert (before.exposure.iloc[-3] != 0).any()
    pd.testing.assert_frame_equal(after.exposure.iloc[:-2], before.exposure.iloc[:-2], check_exact=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_exposures_of_drawn_runs_are_in_the_books(seed: int) -> None:
    assert_in_the_books(drawn(seed))


@pytest.mark.parametrize("seed", STANDING)
def test_lines_without_a_print_stand_where_the_books_have_them(seed: int) -> None:
    """Kept at parity after they left, or silent since a split: the last print is not what they are worth."""
    ledger = drawn(seed)
    assert_in_the_books(ledger)
    printed = ledger.market.price[ledger.positions.columns].ffill()
    currency = ledger.market.instruments["currency"].reindex(printed.columns)
    rate = ledger.market.fx[list(currency)].to_numpy()
    rate = rate / ledger.market.fx[ledger.base_currency].to_numpy()[:, None]
    naively = np.nan_to_num(ledger.positions.to_numpy() * printed.to_numpy()) * rate
    assert np.abs(naively - ledger.position_values.to_numpy()).max() > 1e-6 * ledger.capital


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(worlds.worlds(steps=(30, 80)))
def test_exposures_of_any_run_are_in_the_books(world: worlds.World) -> None:
    try:
        ledger = run(world)
    except EntrepotError:
        assume(False)
        raise
    assert_in_the_books(ledger)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(worlds.worlds(steps=(30, 150)))
def test_exposures_of_hundreds_of_runs_are_in_the_books(world: worlds.World) -> None:
    try:
        ledger = run(world)
    except EntrepotError:
        assume(False)
        raise
    assert_in_the_books(ledger)


@pytest.mark.parametrize("seed", SEEDS)
def test_values_are_those_of_books_kept_anew(seed: int) -> None:
    ledger = drawn(seed, stays=True)
    mine = ledger.position_values
    for t, worth in enumerate(naive.values(ledger)):
        for symbol in mine.columns:
            assert mine[symbol].iloc[t] == pytest.approx(
                worth.get(symbol, 0.0), rel=1e-9, abs=1e-9 * ledger.capital
            ), (t, symbol)


@pytest.fixture(scope="module")
def simulated() -> ep.Result:
    market = ep.simulate_market(start="2018-01-02", end="2019-12-31", seed=7)
    path = ep.RegimeModel().walk_forward(market, ep.load_events())
    return ep.backtest(market, default_plan(path), path=path)


def test_the_default_plan_is_in_the_books(simulated: ep.Result) -> None:
    assert_in_the_books(simulated)
    weight = simulated.exposure[sampled(simulated)]
    table = exposures(simulated)
    for venue, leg in (("XHKG", "Hong Kong"), ("XNYS", "New York")):
        for measure in MEASURES:  # where every line prints, the ledger's own say the same
            np.testing.assert_allclose(table[leg][measure], weight[measure, venue], atol=1e-12)
    dated = sector_exposures(simulated, load_sectors())
    assert (dated.loc[:"2018-09-28", "it"] != 0).any()  # Alibaba and Baidu, before the revision of GICS
    today = sector_exposures(simulated)
    np.testing.assert_allclose(dated.sum(axis=1), today.sum(axis=1), atol=1e-12)
    later = dated.index > "2018-09-28"
    for name in today.columns:
        np.testing.assert_allclose(dated.loc[later, name], today.loc[later, name], atol=1e-12)


@pytest.mark.slow
def test_real_prices_are_in_the_books(real_prices) -> None:
    market = ep.load_market(real_prices, start="2019-06-03", ends="cut", departures="parity")
    path = ep.RegimeModel().walk_forward(market, ep.load_events())
    assert_in_the_books(ep.backtest(market, default_plan(path), path=path))


# -- by hand -------------------------------------------------------------------------------------------------


DAYS = ("2020-01-30", "2020-01-31", "2020-02-03", "2020-02-04", "2020-02-05")


def market_of(hk: tuple[float, ...], ny: tuple[float, ...]) -> Market:
    """Closes of a Hong Kong and a New York line, at 08:10 and 21:00 UTC, HKD 8 per USD."""
    days = DAYS[: len(hk)]
    rows = [(pd.Timestamp(f"{d} 08:10", tz="UTC"), "XHKG", pd.Timestamp(d)) for d in days]
    rows += [(pd.Timestamp(f"{d} 21:00", tz="UTC"), "XNYS", pd.Timestamp(d)) for d in days]
    grid = pd.DataFrame(sorted(rows), columns=["time", "venue", "session"])
    grid.insert(2, "phase", "close")
    grid = grid.astype({"time": "datetime64[ns, UTC]", "session": "datetime64[ns]"}).rename_axis("step")
    index = pd.DatetimeIndex(grid["time"], name="time")
    price = pd.DataFrame(np.nan, index=index, columns=["1.HK", "NYS"])
    price.loc[(grid["venue"] == "XHKG").to_numpy(), "1.HK"] = hk
    price.loc[(grid["venue"] == "XNYS").to_numpy(), "NYS"] = ny
    instruments = pd.DataFrame(
        {
            "venue": ["XHKG", "XNYS"], "currency": ["HKD", "USD"], "company": "One",
            "sector": ["energy:oil", "it"], "kind": ["ordinary", "ads"], "pair": ["NYS", "1.HK"], "lot": 0.0,
            "adjustment": "raw", "shortable": True, "size": "mega", "withholding": 0.0,
            "fee_class": ["hk_stock", "us_stock"],
        },
        index=pd.Index(price.columns, name="symbol"),
    )  # fmt: skip
    times = pd.DatetimeIndex([pd.Timestamp(f"{d} 07:00", tz="UTC") for d in DAYS]).as_unit("ns")
    fixings = pd.DataFrame({"time": times, "currency": "HKD", "per_usd": 8.0})
    return Market(grid, price, instruments, fixings, label="hand")


def plan_of(market: Market, at: Mapping[tuple[int, str], float]) -> SimpleNamespace:
    single = np.full(market.price.shape, np.nan)
    for (step, symbol), weight in at.items():
        single[step, market.column(symbol)] = weight
    found = Targets(single, drift_band=np.inf)
    return SimpleNamespace(targets=lambda market, path=None: found)


@pytest.fixture(scope="module")
def small() -> Ledger:
    """Decided at the first close of New York: 60,000 shares of HK$ 80 long, 30,000 of USD 10 short."""
    market = market_of(hk=(80.0, 80.0, 96.0, 96.0), ny=(10.0, 10.0, 10.0, 12.0))
    plan = plan_of(market, {(1, "1.HK"): 0.6, (1, "NYS"): -0.3, (5, "1.HK"): 0.0})
    return backtest(market, plan, capital=1_000_000.0, costs=Costs.none())


def test_exposures_by_hand(small: Ledger) -> None:
    # ends of sessions: nothing; 60,000 x 10 and -30,000 x 10; 60,000 x 12 of 1,120,000; sold, -30,000 x 12
    assert small.daily.tolist() == pytest.approx([1_000_000, 1_000_000, 1_120_000, 1_060_000])
    table = exposures(small)
    assert list(dict.fromkeys(table.columns.get_level_values("leg"))) == ["all", "Hong Kong", "New York"]
    long, short = [0, 0.6, 720 / 1120, 0], [0, -0.3, -300 / 1120, -360 / 1060]
    assert table["all"]["long"].tolist() == pytest.approx(long)
    assert table["all"]["short"].tolist() == pytest.approx(short)
    assert table["all"]["net"].tolist() == pytest.approx([0, 0.3, 420 / 1120, -360 / 1060])
    assert table["all"]["gross"].tolist() == pytest.approx([0, 0.9, 1020 / 1120, 360 / 1060])
    assert table["Hong Kong"]["net"].tolist() == pytest.approx(long)
    assert table["New York"]["net"].tolist() == pytest.approx(short)
    sectors = sector_exposures(small)
    assert list(sectors.columns) == ["energy", "it"]
    assert sectors["energy"].tolist() == pytest.approx(long)
    assert list(sector_exposures(small, {"1.HK": "mine"}).columns) == ["mine", "it"]


def test_a_change_of_sector_by_hand(small: Ledger) -> None:
    """Exposure is of the sector of the session's own date."""
    rows = [("1.HK", "old:x", None, "2020-01-31"), ("1.HK", "new", "2020-02-01", None)]
    frame = pd.DataFrame(rows, columns=["symbol", "sector", "since", "until"])
    frame = frame.astype({"since": "datetime64[ns]", "until": "datetime64[ns]"})
    table = sector_exposures(
        small, SectorMap(frame.assign(export_exposure=0, source="", confidence="", notes=""))
    )
    assert set(table.columns) == {"old", "new", "it"}
    assert table["old"].tolist() == pytest.approx([0, 0.6, 0, 0])
    assert table["new"].tolist() == pytest.approx([0, 0, 720 / 1120, 0])


@pytest.mark.parametrize("split", ["2020-02-03", "2020-02-04", "2020-02-05"])
def test_a_line_kept_at_parity_by_hand(split: str) -> None:
    """Five ordinary shares for an ADS at its last session, ten from a split on; HK$ 96 before it, 48 after.

    The pair is long 60,000 shares of HK$ 80 and short 12,000 ADS; the ADS leaves after 3 February.
    """
    market = market_of(hk=(80.0, 80.0, 96.0, 96.0, 104.0), ny=(50.0, 50.0, 58.0, np.nan, np.nan))
    before = (market.grid["session"] < pd.Timestamp(split)).to_numpy()
    price = market.price.copy()
    price["1.HK"] *= np.where(before, 1.0, 0.5)
    day = pd.Timestamp("2020-02-03")
    # the ratio is that of the last session, so that a split of that day is in it
    ratio = 10.0 if pd.Timestamp(split) <= day else 5.0
    gone = {"symbol": ["NYS"], "last_session": [day], "into": ["1.HK"], "ordinary_per_ads": [ratio]}
    since = {"adr": ["NYS", "NYS"], "effective_from": pd.DatetimeIndex(["2010-01-01", split])}
    splits = pd.DataFrame({"symbol": ["1.HK"], "ex_date": pd.DatetimeIndex([split]), "factor": [2.0]})
    market = replace(
        market,
        price=price,
        delistings=pd.DataFrame(gone).astype({"last_session": "datetime64[ns]"}),
        ratios=pd.DataFrame(since).assign(ordinary_per_ads=[5.0, 10.0]),
        splits=splits.astype({"ex_date": "datetime64[ns]"}),
    )
    paired = np.full((len(market), 1), np.nan)
    paired[1, 0] = 0.6
    targets = Targets(np.full(price.shape, np.nan), (("1.HK", "NYS"),), paired, drift_band=np.inf)
    plan = SimpleNamespace(targets=lambda market, path=None: targets)
    costs = Costs.none().with_(delisting="mark", delisted_shorts="move")
    ledger = backtest(market, plan, capital=1_000_000.0, costs=costs)
    assert ledger.positions["NYS"].iloc[-1] == -12_000
    assert_in_the_books(ledger)
    # 60,000 x 12 USD against 12,000 x 58, then against 12,000 x 5 x 12 and x 13
    assert ledger.position_values["NYS"].tolist() == pytest.approx(
        [0, 0, 0, -600_000, -600_000, -696_000, -720_000, -720_000, -780_000, -780_000]
    )


def test_currencies_by_hand(small: Ledger) -> None:
    """The shares were paid in USD: their value is in HKD. Held against borrowed HKD, only the profit is."""
    assert currency_exposures(small)["HKD"].tolist() == pytest.approx([0, 0.6, 720 / 1120, 0])
    assert currency_exposures(small)["USD"].tolist() == pytest.approx([1, 0.4, 400 / 1120, 1])
    plan = plan_of(small.market, {(1, "1.HK"): 0.6})
    owed = backtest(small.market, plan, capital=1_000_000.0, costs=Costs.none().with_(fx_conversion="never"))
    assert currency_exposures(owed)["HKD"].tolist() == pytest.approx([0, 0, 120 / 1120, 120 / 1120])
    in_hkd = backtest(small.market, plan, capital=8_000_000.0, base_currency="HKD", costs=Costs.none())
    assert list(currency_exposures(in_hkd).columns) == ["HKD"]
    assert currency_exposures(in_hkd)["HKD"].tolist() == pytest.approx([1, 1, 1, 1])


def test_turnover_by_hand(small: Ledger) -> None:
    # 31 January: 600,000 bought and 300,000 sold short; 4 February: 720,000 sold
    table = turnover_by(small)
    assert [str(p) for p in table.index] == ["2020-01", "2020-02"]
    assert list(table.columns) == ["Traded", "Hong Kong", "New York", "Mean Equity", "Turnover"]
    assert table["Traded"].tolist() == pytest.approx([900_000, 720_000])
    assert table["Hong Kong"].tolist() == pytest.approx([600_000, 720_000])
    assert table["New York"].tolist() == pytest.approx([300_000, 0])
    assert table["Mean Equity"].tolist() == pytest.approx([1_000_000, 1_090_000])
    assert table["Turnover"].tolist() == pytest.approx([0.9, 720 / 1090])
    assert turnover_by(small, "year")["Turnover"].tolist() == pytest.approx([1_620 / 1_045])
    with pytest.raises(ParameterError, match="freq is 'week'"):
        turnover_by(small, "week")


def test_holdings_by_hand(small: Ledger) -> None:
    sheet = holdings(small)
    assert sheet["Sessions"] == 4
    assert sheet["Time Invested [%]"] == 75
    assert sheet["Mean Positions"] == pytest.approx(5 / 3)
    assert sheet["Most Positions"] == 2
    assert sheet["Mean Gross [%]"] == pytest.approx(100 * (0.9 + 1020 / 1120 + 360 / 1060) / 3)
    assert sheet["Most Gross [%]"] == pytest.approx(100 * 1020 / 1120)
    assert sheet["Mean Largest Weight [%]"] == pytest.approx(100 * (0.6 + 720 / 1120 + 360 / 1060) / 3)
    assert sheet["Largest Weight [%]"] == pytest.approx(100 * 720 / 1120)
    assert sheet["Largest Weight Of"] == "1.HK"
    assert sheet["Largest Weight On"] == pd.Timestamp("2020-02-03")


# -- at the edge ---------------------------------------------------------------------------------------------


def test_a_run_that_never_trades_holds_nothing(small: Ledger) -> None:
    idle = backtest(small.market, plan_of(small.market, {(1, "1.HK"): np.nan}), costs=Costs.none())
    assert exposures(idle)["all"].eq(0).all(axis=None)
    assert sector_exposures(idle).shape == (4, 0)
    assert currency_exposures(idle)["USD"].tolist() == [1, 1, 1, 1]
    assert turnover_by(idle)["Turnover"].tolist() == [0, 0]
    sheet = holdings(idle)
    assert sheet[["Time Invested [%]", "Most Positions", "Largest Weight Of"]].tolist() == [0, 0, ""]
    undefined = [
        "Mean Positions",
        "Mean Gross [%]",
        "Most Gross [%]",
        "Largest Weight [%]",
        "Largest Weight On",
    ]
    assert sheet[undefined].isna().all()


def test_a_run_without_a_session_end(small: Ledger) -> None:
    one = backtest(small.market.until(0), plan_of(small.market.until(0), {(0, "1.HK"): 0.5}))
    for table in (exposures(one), currency_exposures(one), sector_exposures(one)):
        assert len(table) == 0
    assert holdings(one)["Sessions"] == 0
    assert np.isnan(holdings(one)["Time Invested [%]"])
    assert turnover_by(one)[["Mean Equity", "Turnover"]].isna().all(axis=None)


def test_after_ruin_nothing_is_defined() -> None:
    market = market_of(hk=(80.0, 80.0, 80.0, 80.0), ny=(10.0, 10.0, 60.0, 60.0))
    ledger = backtest(market, plan_of(market, {(1, "NYS"): -0.5}), costs=Costs.none())
    assert ledger.daily.iloc[2] < 0
    assert exposures(ledger)["all"]["net"].tolist() == pytest.approx([0, -0.5, np.nan, np.nan], nan_ok=True)
    assert currency_exposures(ledger).iloc[2:].isna().all(axis=None)
    assert sector_exposures(ledger)["it"].tolist() == pytest.approx([0, -0.5, np.nan, np.nan], nan_ok=True)
    table = turnover_by(ledger)
    assert table["Turnover"].iloc[0] == pytest.approx(0.5)
    assert table[["Mean Equity", "Turnover"]].iloc[1].isna().all()
    assert holdings(ledger)["Time Invested [%]"] == 25


def test_sectors_that_cannot_be_used_are_refused(small: Ledger) -> None:
    with pytest.raises(ParameterError, match="sectors is of type int"):
        sector_exposures(small, 3)
    with pytest.raises(DataError, match="give a printable word"):
        sector_exposures(small, {"1.HK": ""})
