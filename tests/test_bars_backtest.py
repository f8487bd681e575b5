"""Bars are days with more steps: who decides at closes trades, earns and owes the same on both."""

from __future__ import annotations

from typing import Any, NamedTuple

import naive
import numpy as np
import pandas as pd
import pytest
from naive_bars import daily_files, minute_files

import entrepot as ep
from entrepot.errors import TargetError
from entrepot.job import default_plan, pair_fill_timing

SYMBOLS = [
    *["BABA", "9988.HK", "JD", "9618.HK", "NTES", "9999.HK", "BIDU", "9888.HK"],
    *["KWEB", "FXI", "ASHR", "CQQQ", "3033.HK", "0939.HK", "0883.HK", "0857.HK"],
]
# What is earned and paid for holding depends on the prices in between; without it nothing does.
NO_ACCRUALS: dict[str, Any] = {
    "borrow_rate_pa": 0.0,
    "rebate_spread_pa": 0.0,
    "debit_spread_pa": 0.0,
    "cash_rate_pa": {"USD": 0.0, "HKD": 0.0},
    "ads_service_fee_pa": 0.0,
}


class Worlds(NamedTuple):
    """One history as days and as bars of 30 minutes, with the regimes walked over each."""

    days: ep.Market
    bars: ep.Market
    path_of_days: ep.RegimePath
    path_of_bars: ep.RegimePath
    ends: np.ndarray[Any, np.dtype[np.int64]]  # steps of the bars that are steps of the days


@pytest.fixture(scope="module")
def simulated() -> ep.Market:
    return ep.simulate_market("2020-06-01", "2021-12-31", symbols=SYMBOLS, seed=11)


@pytest.fixture(scope="module")
def worlds(simulated: ep.Market) -> Worlds:
    files = daily_files(simulated)
    days, bars = ep.load_market(files), ep.load_market(minute_files(files, 30))
    events = ep.load_events()
    paths = [ep.RegimeModel().walk_forward(market, events, progress=False) for market in (days, bars)]
    return Worlds(days, bars, *paths, np.flatnonzero(bars.grid["phase"] != "bar"))


def strategies(worlds: Worlds, simulated: ep.Market, path: ep.RegimePath) -> dict[str, Any]:
    assert simulated.truth is not None
    made = ep.press_trades(ep.load_events(), simulated.truth.series)
    made = {name: made[name] for name in made if name not in ("AI rotation",)}  # of lines that are not there
    pairs, sectors = ep.LongHKShortADR(mode="convergence"), ep.SectorRotation()
    return made | {
        "the main job": default_plan(path),
        "by probability": ep.RegimeSwitch(
            path, calm=pairs, tariff=sectors, delisting=None, decoupling=None, weighting="probability"
        ),
        "scaled": ep.scale_to_volatility(sectors),
        "capped": ep.cap(pairs, gross=0.5),
        "limited": ep.limit_to_volume(sectors, capital=1e6),
        "neutral": ep.neutralise(sectors, against="KWEB"),
        "blend": ep.blend({pairs: 0.5, sectors: 0.5}),
    }


# -- deciding ------------------------------------------------------------------------------------------------


def test_regimes_are_the_same_at_closes(worlds: Worlds) -> None:
    np.testing.assert_array_equal(worlds.path_of_bars.states[worlds.ends], worlds.path_of_days.states)
    assert len(set(worlds.path_of_days.states)) > 1


def test_every_shipped_strategy_decides_at_the_same_closes_and_the_same(
    worlds: Worlds, simulated: ep.Market
) -> None:
    of_days = strategies(worlds, simulated, worlds.path_of_days)
    of_bars = strategies(worlds, simulated, worlds.path_of_bars)
    between = np.setdiff1d(np.arange(len(worlds.bars)), worlds.ends)
    decided = set()
    for name in of_days:
        days = of_days[name].targets(worlds.days, worlds.path_of_days)
        bars = of_bars[name].targets(worlds.bars, worlds.path_of_bars)
        for what in ("weights", "pair_weights", "exits"):
            mine, theirs = getattr(bars, what), getattr(days, what)
            np.testing.assert_array_equal(mine[worlds.ends], theirs, err_msg=f"{what} of {name}")
        assert np.isnan(bars.weights[between]).all(), name
        assert np.isnan(bars.pair_weights[between]).all(), name
        if np.isfinite(days.weights).any() or np.isfinite(days.pair_weights).any():
            decided.add(name)
    assert len(decided) >= 12


@pytest.mark.parametrize("name", ["parity_gap", "hk_minus_adr", "basket_return", "realised_volatility"])
def test_observations_are_the_same(worlds: Worlds, name: str) -> None:
    from entrepot.regimes import observations

    pd.testing.assert_frame_equal(
        getattr(observations, name)(worlds.bars), getattr(observations, name)(worlds.days)
    )


def test_fitted_detectors_see_the_same(worlds: Worlds) -> None:
    model = ep.RegimeModel(
        tariff=ep.MarkovDetector(), delisting=ep.MarkovDetector(), schedule=ep.Schedule(every=60, least=250)
    )
    events = ep.load_events()
    days, bars = (model.walk_forward(m, events, progress=False) for m in (worlds.days, worlds.bars))
    np.testing.assert_array_equal(bars.states[worlds.ends], days.states)


def test_volume_and_volatility_count_sessions(worlds: Worlds) -> None:
    from entrepot.markets.volume import daily_volatility

    for made in (ep.average_volume, daily_volatility):
        bars, days = made(worlds.bars).to_numpy()[worlds.ends], made(worlds.days).to_numpy()
        np.testing.assert_allclose(bars, days, rtol=1e-12)


# -- trading -------------------------------------------------------------------------------------------------

EXACT = {
    "no costs": ep.Costs.none(),
    "a flat fee": ep.Costs.flat(10),
    "all but accruals": ep.Costs(**NO_ACCRUALS),
    "a broker's": ep.Costs.institutional().with_(**NO_ACCRUALS),
    "impact": ep.Costs(impact=0.3, impact_volume=1e7, **NO_ACCRUALS),
    "tight margin": ep.Costs(margin=ep.Margin(0.6, 0.6, 0.6, 0.6), **NO_ACCRUALS),
    "currencies once a day": ep.Costs(fx_conversion="daily", **NO_ACCRUALS),
}
FILLS = [
    "time",
    "symbol",
    "quantity",
    "price",
    "fill_price",
    "fees",
    "impact",
    "fx",
    "reason",
    "pair",
    "phase",
]


@pytest.mark.parametrize("costs", EXACT)
def test_who_decides_at_closes_has_the_same_fills_and_equity(worlds: Worlds, costs: str) -> None:
    """Opens and closes agree, every order fills at an open, and nothing accrues: the ledgers are one."""
    terms = EXACT[costs]
    # The main job trades before a volatility is known that impact can be told by.
    plan: Any = default_plan if terms.impact == 0.0 else lambda path: ep.LongHKShortADR(mode="convergence")
    days = ep.backtest(
        worlds.days, plan(worlds.path_of_days), costs=terms, path=worlds.path_of_days, check=True
    )
    bars = ep.backtest(
        worlds.bars, plan(worlds.path_of_bars), costs=terms, path=worlds.path_of_bars, check=True
    )
    assert len(days.fills) > 100
    pd.testing.assert_frame_equal(bars.fills[FILLS], days.fills[FILLS], rtol=1e-9)
    pd.testing.assert_frame_equal(
        bars.dropped[["time", "symbol", "reason"]], days.dropped[["time", "symbol", "reason"]]
    )
    np.testing.assert_allclose(bars.equity_by_step[worlds.ends], days.equity_by_step, rtol=1e-9)
    pd.testing.assert_series_equal(bars.daily, days.daily, rtol=1e-9)
    numbers = bars.summary().drop("Benchmark Return [%]", errors="ignore")
    for name, value in days.summary().items():
        if isinstance(value, float) and name in numbers:
            assert numbers[name] == pytest.approx(value, rel=1e-7, abs=1e-9, nan_ok=True), name


def test_what_is_reported_is_the_same(worlds: Worlds) -> None:
    terms = EXACT["all but accruals"]
    days = ep.backtest(worlds.days, default_plan(worlds.path_of_days), costs=terms)
    bars = ep.backtest(worlds.bars, default_plan(worlds.path_of_bars), costs=terms)
    for name in ("by_leg", "by_pair", "by_sector", "by_instrument", "by_period", "leg_risk", "exposures"):
        pd.testing.assert_frame_equal(getattr(bars, name)(), getattr(days, name)(), rtol=1e-7)
    by_regime = [
        run.by_regime(path)[["P&L", "Sessions", "Episodes", "Costs"]]
        for run, path in ((bars, worlds.path_of_bars), (days, worlds.path_of_days))
    ]
    pd.testing.assert_frame_equal(*by_regime, rtol=1e-7)
    pd.testing.assert_frame_equal(
        *(pair_fill_timing(market, ep.Costs.none()) for market in (worlds.bars, worlds.days)), rtol=1e-7
    )


def test_a_sweep_is_the_same(worlds: Worlds) -> None:
    pairs, grid = ep.LongHKShortADR(), {"entry": [1.0, 1.5], "lookback": [40]}
    terms = EXACT["all but accruals"]
    tables = [
        ep.sweep(market, pairs, grid, costs=terms, progress=False).table.select_dtypes("number")
        for market in (worlds.bars, worlds.days)
    ]
    pd.testing.assert_frame_equal(*tables, rtol=1e-7)


# -- what accrues --------------------------------------------------------------------------------------------


def test_a_year_of_borrow_does_not_depend_on_the_number_of_steps(worlds: Worlds) -> None:
    """A fee is ``rate * days * shares * last price``: only the last price knows the bars.

    In days a short stands at its open until the close; in bars at each bar in between. The difference of the
    two fees is what this loop adds up, price by price; the fee per share and day has none.
    """
    rate = 0.30
    terms = ep.Costs(**(NO_ACCRUALS | {"borrow_rate_pa": rate, "ads_service_fee_pa": 0.05, "margin": None}))
    short = pd.DataFrame({"BABA": -0.5}, index=[pd.Timestamp("2020-07-06")])
    runs = [ep.backtest(market, short, costs=terms) for market in (worlds.days, worlds.bars)]
    shares = -runs[0].positions["BABA"].iloc[-1]
    assert runs[1].positions["BABA"].iloc[-1] == -shares
    for run in runs:
        market, fee, custody, last, held = run.market, 0.0, 0.0, np.nan, 0.0
        fees = run.contributions
        for step, (time, price) in enumerate(market.price["BABA"].items()):
            if step:
                days = (time - market.price.index[step - 1]) / pd.Timedelta(days=1)
                fee += held * last * rate * days / 360.0 if held else 0.0
                custody += held * 0.05 * days / 365.0
            last = price if np.isfinite(price) else last
            held = -float(run.positions["BABA"].iloc[step])
        assert -fees["borrow", "BABA"].sum() == pytest.approx(fee, rel=1e-10)
        assert -fees["ads_fee", "BABA"].sum() == pytest.approx(custody, rel=1e-10)
    paid = [-run.contributions["borrow", "BABA"].sum() for run in runs]
    assert paid[1] == pytest.approx(paid[0], rel=1e-3)  # the bars wander about the open
    assert runs[1].contributions["ads_fee", "BABA"].sum() == pytest.approx(
        runs[0].contributions["ads_fee", "BABA"].sum(), rel=1e-12
    )


def test_with_every_cost_the_books_agree_where_prices_stand_still_in_between(simulated: ep.Market) -> None:
    """Bars that stay at the open until the last one: then only interest on interest of a day is new."""
    files = daily_files(simulated)
    bars = minute_files(files, 30)
    for table in (table for symbol, table in bars.items() if not symbol.endswith("=X")):
        day = table["Datetime"].str.slice(0, 10)
        last = ~day.duplicated(keep="last")
        table["Close"] = table["Close"].where(last, table.groupby(day)["Open"].transform("first"))
    days, still = ep.load_market(files), ep.load_market(bars)
    plan = ep.LongHKShortADR(mode="convergence")
    runs = [ep.backtest(market, plan, check=True) for market in (days, still)]
    kept = (still.grid["phase"] != "bar").to_numpy()
    np.testing.assert_allclose(runs[1].equity_by_step[kept], runs[0].equity_by_step, rtol=1e-9)
    for source in ("borrow", "rebate", "interest", "ads_fee"):
        mine, theirs = (run.contributions[source].to_numpy().sum() for run in runs)
        assert mine == pytest.approx(theirs, rel=1e-6)
        assert theirs != 0.0


def test_the_slow_clock_agrees_on_bars(worlds: Worlds) -> None:
    """All costs, a pair, a single line and orders within sessions: every step's equity of the twin's."""
    market = worlds.bars.between("2021-03-08", "2021-03-19")
    weights = np.full(market.price.shape, np.nan)
    rng = np.random.default_rng(4)
    kweb = market.column("KWEB")
    at = rng.choice(len(market), 30, replace=False)
    weights[at, kweb] = rng.choice([0.0, 0.3, -0.4, 0.6], 30)
    paired = np.full((len(market), 1), np.nan)
    paired[[3, 61, 130, 170], 0] = 0.3, 0.1, 0.0, 0.4
    targets = ep.Targets(weights, (("9988.HK", "BABA"),), paired, drift_band=0.05)
    plan = type("Plan", (), {"targets": lambda self, market, path=None: targets})()
    run = ep.backtest(market, plan, capital=5e6, check=True)
    slow = naive.backtest(market, targets, ep.Costs(), capital=5e6)
    np.testing.assert_allclose(run.equity_by_step, np.array(slow.equity, dtype=float), rtol=1e-9)
    assert [(f["step"], f["symbol"]) for f in slow.fills] == [
        (f.step, f.symbol) for f in run.fills.itertuples()
    ]
    assert {"bar", "open"} <= set(run.fills["phase"])


# -- trading within the session ------------------------------------------------------------------------------


def test_a_decision_at_a_bar_fills_at_the_close_of_the_next(worlds: Worlds) -> None:
    market = worlds.bars
    own = np.flatnonzero((market.grid["venue"] == "XNYS") & (market.grid["session"] == "2021-03-09"))
    for decided, filled in ((own[3], own[4]), (own[-2], own[-1]), (own[-1], None)):
        frame = pd.DataFrame({"KWEB": 0.5}, index=market.price.index[[decided]])
        fill = ep.backtest(market, frame, costs=ep.Costs.none()).fills.iloc[0]
        if filled is None:  # at the close: the next session's open
            filled = np.flatnonzero((market.grid["venue"] == "XNYS") & (market.grid.index > decided))[0]
            assert fill["phase"] == "open"
        assert fill["step"] == filled
        assert fill["price"] == market.price["KWEB"].iloc[filled]
        equity, mark = 10_000_000.0, market.price["KWEB"].iloc[decided]
        assert fill["quantity"] == pytest.approx(0.5 * equity / mark)


def test_a_strategy_of_ones_own_sees_bars_and_nothing_later(worlds: Worlds) -> None:
    @ep.strategy
    def reversal(market: ep.Market, *, bars: int = 3) -> pd.DataFrame:
        """Against the last bars of KWEB, flat at the close."""
        own = market.grid["venue"].eq("XNYS").to_numpy()
        price = market.price.loc[own, "KWEB"]
        weight = -np.sign(price.pct_change(bars, fill_method=None)) * 0.3
        weight[market.grid["phase"].eq("close").to_numpy()[own]] = 0.0
        return weight.to_frame().dropna()

    market = worlds.bars.between("2021-03-08", "2021-04-16")
    assert ep.check_causal(reversal, market).ok
    run = ep.backtest(market, reversal)
    assert set(run.fills["phase"]) == {"open", "bar", "close"}
    assert len(run.fills) > 100

    @ep.strategy
    def clairvoyant(market: ep.Market) -> pd.DataFrame:
        """Buys the bar that is about to rise."""
        own = market.grid["venue"].eq("XNYS").to_numpy()
        price = market.price.loc[own, "KWEB"]
        return (np.sign(price.shift(-1) - price) * 0.3).to_frame().dropna()

    report = ep.check_causal(clairvoyant, market, strict=False)
    assert report.first is not None


def test_stamps_must_be_those_of_steps(worlds: Worlds) -> None:
    stamp = pd.Timestamp("2021-03-09 10:07", tz="America/New_York")
    with pytest.raises(TargetError, match="no step of this market's grid"):
        ep.backtest(worlds.bars, pd.DataFrame({"KWEB": 0.5}, index=[stamp]))


def test_a_standing_weight_is_looked_at_once_a_day(worlds: Worlds) -> None:
    """Drift is decided at New York's close however many bars there are."""
    weights = pd.DataFrame({"KWEB": 0.5, "FXI": 0.3}, index=[pd.Timestamp("2020-07-06")])

    @ep.strategy
    def constant(market: ep.Market) -> ep.Targets:
        return ep.Targets.from_frame(market, weights, drift_band=0.02)

    terms = EXACT["all but accruals"]
    days, bars = (ep.backtest(market, constant, costs=terms) for market in (worlds.days, worlds.bars))
    assert len(days.fills) == len(bars.fills) > 20
    assert set(bars.fills["phase"]) == {"open"}


def test_an_order_lives_three_sessions_however_many_bars(worlds: Worlds) -> None:
    markets = []
    for market in (worlds.days, worlds.bars):
        halts = pd.DataFrame(
            {
                "symbol": ["KWEB"],
                "start": [pd.Timestamp("2021-03-08 23:00", tz="UTC")],
                "end": [pd.Timestamp("2021-03-15 23:00", tz="UTC")],
            }
        )
        markets.append(ep.Market(**{**vars_of(market), "halts": halts}))
    frame = pd.DataFrame({"KWEB": 0.5}, index=[pd.Timestamp("2021-03-08")])
    dropped = [ep.backtest(market, frame).dropped for market in markets]
    assert dropped[0]["reason"].tolist() == ["expired"]
    assert dropped[0]["time"].tolist() == dropped[1]["time"].tolist()


def vars_of(market: ep.Market) -> dict[str, Any]:
    """A market's tables by name."""
    return {name: getattr(market, name) for name in market.__dataclass_fields__}


def test_a_share_of_the_volume_is_one_of_each_bars(worlds: Worlds) -> None:
    """A tenth of a day's volume is not filled 14 times a day."""
    market = worlds.bars
    caps, of_days = ep.share_of_volume(market, 0.1), ep.share_of_volume(worlds.days, 0.1)
    per_session = market.grid[market.grid["venue"] == "XNYS"].groupby("session").size()
    expected = of_days["KWEB"].div(per_session.reindex(of_days.index).fillna(1.0))
    pd.testing.assert_series_equal(caps["KWEB"], expected.rename("KWEB"), rtol=1e-12)
    assert per_session.value_counts().index[0] == 14
    big = pd.DataFrame({"KWEB": 1.0}, index=[pd.Timestamp("2021-03-08")])
    run = ep.backtest(market, big, capital=1e12, costs=ep.Costs(max_fill_shares=caps, margin=None))
    traded = run.fills.groupby("session")["quantity"].sum()
    assert (traded <= of_days["KWEB"].reindex(traded.index) * (1 + 1e-12)).all()
    assert len(run.fills) > 14


@pytest.mark.parametrize("form", ["number", "symbols", "dates"])
def test_a_capacity_of_ones_own_volume_is_spread_over_the_bars(worlds: Worlds, form: str) -> None:
    """A tenth of the volume a session, not a step."""
    dates = pd.DatetimeIndex([pd.Timestamp("2020-06-01")])
    given: Any = {
        "number": 1e5,
        "symbols": {"KWEB": 1e5},
        "dates": pd.DataFrame({"KWEB": 1e5}, index=dates),
    }[form]
    market = ep.Market(**{**vars_of(worlds.bars), "volume": None}) if form != "number" else worlds.bars
    market = market.between("2020-06-01", "2020-09-30")
    plan = pd.DataFrame({"KWEB": [1.0, 0.0]}, index=pd.to_datetime(["2020-07-06", "2020-08-31"]))
    costs = ep.Costs(impact_volume=given)
    capped = ep.capacity(market, plan, [1e9], participation=0.1, costs=costs)
    own = costs.with_(max_fill_shares=0.1 * 1e5 / 14, impact=1.0)  # the open and 13 bars
    run = ep.backtest(market, plan, capital=1e9, costs=own)
    assert 3 * 14 - 1 <= len(run.fills) <= 6 * 14
    assert capped["Sharpe Ratio"].iloc[0] == pytest.approx(run.summary()["Sharpe Ratio"], rel=1e-6)


@pytest.mark.parametrize("step", [2_000, 2_010, 2_020])
def test_a_market_cut_within_a_session_gives_the_same_prefix(worlds: Worlds, step: int) -> None:
    part = worlds.bars.until(step)
    frame = pd.DataFrame({"KWEB": [0.5, 0.0]}, index=worlds.bars.price.index[[1_000, 1_990]])
    whole, cut = (ep.backtest(market, frame) for market in (worlds.bars, part))
    np.testing.assert_array_equal(whole.equity_by_step[: step + 1], cut.equity_by_step)
    pd.testing.assert_frame_equal(
        ep.share_of_volume(part).iloc[-5:],
        ep.share_of_volume(worlds.bars).loc[part.grid["session"].unique()[-5:]],
    )
