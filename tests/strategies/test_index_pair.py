"""Hong Kong's China index against US-listed China: sides, sizes, and who earns when."""

from __future__ import annotations

import naive_baskets as naive
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.errors import ParameterError
from entrepot.markets.load import load_market
from entrepot.strategies.index_pair import IndexPair
from entrepot.strategies.targets import decisions

QUICK = IndexPair(lookback=20, horizon=4, rebalance=6)


def funds(
    make_market, line, symbols=("2828.HK", "3033.HK", "FXI", "PGJ", "KWEB"), count=120, seed=1, **changes
):
    rng = np.random.default_rng(seed)
    common = 0.012 * rng.standard_normal(count)
    levels = {
        symbol: 30 * np.exp(np.cumsum((0.7 + 0.2 * k) * common + 0.006 * rng.standard_normal(count)))
        for k, symbol in enumerate(symbols)
    }
    rows = {symbol: line(symbol, "etf", shortable=not symbol.endswith("HK")) for symbol in symbols}
    return make_market(levels, rows, **changes)


def used(targets, market):
    single, _ = targets.standing()
    last = single[decisions(market)[-1]]
    return {s: float(w) for s, w in zip(market.symbols, last, strict=True) if w}


ALWAYS = QUICK.with_(when="always", hedge="dollar")


@pytest.mark.parametrize(
    ("symbols", "long", "short"),
    [
        (("2828.HK", "3033.HK", "FXI", "PGJ", "KWEB"), ("2828.HK", "3033.HK"), ("PGJ",)),
        (("2828.HK", "3067.HK", "FXI", "PGJ"), ("2828.HK",), ("PGJ",)),
        (("2828.HK", "3033.HK", "3067.HK", "PGJ"), ("2828.HK", "3033.HK"), ("PGJ",)),
        (("3067.HK", "FXI", "KWEB"), ("3067.HK",), ("KWEB",)),
        (("FXI", "PGJ"), ("FXI",), ("PGJ",)),
    ],
)
def test_the_first_funds_there_are_taken(make_market, line, symbols, long, short):
    market = funds(make_market, line, symbols, count=30)
    wanted = {s: 0.5 / len(long) for s in long} | {s: -0.5 / len(short) for s in short}
    targets = ALWAYS.targets(market)
    assert used(targets, market) == wanted
    told = {"FXI": "2828.HK, 3033.HK, 3067.HK", "3067.HK": "2828.HK, 3033.HK", "2828.HK": "3033.HK"}
    notes = [] if "3033.HK" in symbols else [f"the long side is without {told[long[0]]}: not in this market"]
    if short == ("KWEB",):
        notes.append("the short side is without PGJ: not in this market")
    assert list(targets.notes) == notes


def test_ones_own_sides(make_market, line):
    market = funds(make_market, line, count=30)
    plan = ALWAYS.with_(long="FXI", short=["KWEB", "PGJ"], weight=0.8)
    assert used(plan.targets(market), market) == {"FXI": 0.8, "KWEB": -0.4, "PGJ": -0.4}
    assert plan.targets(market).notes == ()
    with pytest.raises(
        ParameterError, match=r"the long side has no line in this market: load one of 3188.HK"
    ):
        ALWAYS.with_(long=["3188.HK"]).targets(market)
    with pytest.raises(ParameterError, match=r"the short side has no line .* that may be shorted"):
        ALWAYS.with_(long="FXI", short="2828.HK").targets(market)


@pytest.mark.parametrize("when", ["delisting", "tariff", "always"])
@pytest.mark.parametrize("hedge", ["beta", "dollar"])
def test_it_is_the_slow_twin(make_market, line, make_path, when, hedge):
    holidays = ("2022-02-01", "2022-02-02", "2022-02-03")
    market = funds(make_market, line, hk_holidays=holidays)
    rng = np.random.default_rng(3)
    steps = decisions(market)
    path = naive.with_intensity(
        make_path(market),
        **{
            f"{risk}_{side}": rng.gamma(1, 1, len(market)).round(1) * (np.arange(len(market)) // 40 % 3 > 0)
            for risk in ("delisting", "tariff")
            for side in ("escalation", "relief")
        },
    )
    level = []
    for step in steps:
        if when == "always":
            level.append(1.0)
            continue
        escalation, relief = (path.intensity[when, side].iloc[step] for side in ("escalation", "relief"))
        level.append(naive.quarters(escalation) if escalation > relief else 0.0)
    targets = QUICK.with_(when=when, hedge=hedge, weight=0.6).targets(market, path)
    slow = naive.held(
        market,
        ("2828.HK", "3033.HK"),
        ("PGJ",),
        level,
        weight=0.6,
        hedge=hedge,
        lookback=20,
        horizon=4,
        rebalance=6,
    )
    single, _ = targets.standing()
    for i, step in enumerate(steps):
        row = {s: w for s, w in zip(market.symbols, single[step].tolist(), strict=True) if w}
        assert row == pytest.approx(slow[i], rel=1e-9)
    quiet = np.delete(targets.weights, steps, axis=0)
    assert np.isnan(quiet).all()
    assert len({round(w, 9) for row in slow for w in row.values()}) > (2 if when == hedge else 1)


@pytest.mark.parametrize("gain", [-0.03, 0.04])
def test_it_earns_where_hong_kong_beats_new_york_during_the_scare(make_market, line, make_path, gain):
    """Hong Kong gains while delisting risk is high, and once more after the relief, when nothing is held."""
    count = 40
    day = np.arange(count)
    of_step = np.repeat(day, 2)
    hk = 100.0 * np.where(day >= 20, 1 + gain, 1.0) * np.where(day >= 32, 1 + gain, 1.0)
    market = make_market(
        {"FXI": hk, "PGJ": np.full(count, 30.0)}, {s: line(s, "etf") for s in ("FXI", "PGJ")}
    )
    path = naive.with_intensity(
        make_path(market),
        delisting_escalation=np.where(of_step >= 10, 3.0, 0.0),
        delisting_relief=np.where(of_step >= 25, 3.0, 0.0),
    )
    plan = IndexPair(hedge="dollar", drift_band=np.inf)
    run = ep.backtest(market, plan, path=path, costs=ep.Costs.none(), check=True)
    assert run.equity.iloc[-1] / 1e7 - 1 == pytest.approx(0.5 * gain, rel=1e-9)


def test_a_beta_hedge_loses_the_market_and_keeps_the_difference(make_market, line):
    """Hong Kong moves 0.6 of New York and gains 5 bp a day on it: hedged, only the gain is left."""
    rng = np.random.default_rng(7)
    count = 400
    market_return = 0.015 * rng.standard_normal(count)
    levels = {
        "FXI": 100 * np.cumprod(1 + 0.6 * market_return + 0.0005),
        "PGJ": 50 * np.cumprod(1 + market_return),
    }
    market = make_market(levels, {s: line(s, "etf") for s in levels})
    runs = {}
    for hedge in ("beta", "dollar"):
        plan = IndexPair(when="always", hedge=hedge, weight=1.0, drift_band=0.02)
        runs[hedge] = ep.backtest(market, plan, costs=ep.Costs.none())
    daily = {
        hedge: run.equity[market.decision_steps].iloc[122:].pct_change().dropna()
        for hedge, run in runs.items()
    }
    assert daily["beta"].mean() == pytest.approx(0.0005, abs=1e-4)
    assert daily["beta"].std() < 0.1 * daily["dollar"].std()
    ratio = plan.with_(hedge="beta").targets(market).signals["index_pair"]["hedge_ratio"].dropna()
    assert ratio.between(0.55, 0.65).all()


def test_the_ratio_is_estimated_once_a_month(make_market, line):
    market = funds(make_market, line, count=300)
    frame = IndexPair(when="always").targets(market).signals["index_pair"]
    ratio = frame["hedge_ratio"].to_numpy()
    changed = np.flatnonzero(ratio[1:] != ratio[:-1]) + 1
    changed = changed[np.isfinite(ratio[changed - 1])]
    assert np.isnan(ratio[:120]).all()
    assert np.isfinite(ratio[120:]).all()
    assert set(changed) == {126, 147, 168, 189, 210, 231, 252, 273, 294}


@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
def test_cutting_the_market_changes_nothing_before(make_market, line, wander, same_until, phases):
    dividends = pd.DataFrame(
        [
            ("2828.HK", pd.Timestamp("2022-03-10"), pd.NaT, 1.0),
            ("PGJ", pd.Timestamp("2022-04-01"), pd.NaT, 0.4),
        ],
        columns=["symbol", "ex_date", "pay_date", "amount"],
    )
    market = funds(make_market, line, phases=phases, dividends=dividends, hk_holidays=("2022-02-01",))
    path = wander(market, 5)
    for plan in (QUICK, QUICK.with_(when="always", hedge="dollar"), QUICK.with_(when="always")):
        same_until(plan, market, path, seed=3)
        assert np.isfinite(plan.targets(market, path).weights).any()


def test_later_prices_change_no_earlier_target(make_market, line):
    market = funds(make_market, line)
    cut = 160
    price = market.price.copy()
    price.iloc[cut:] = price.iloc[cut:] ** 2
    other = ep.Market(market.grid, price, market.instruments, fixings=market.fixings)
    plan = QUICK.with_(when="always")
    one, two = plan.targets(market).weights, plan.targets(other).weights
    assert one[:cut].tobytes() == two[:cut].tobytes()
    assert one.tobytes() != two.tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"long": []},
        {"short": 5},
        {"hedge": "gamma"},
        {"when": "never"},
        {"when": ("tariff",)},
        {"weight": np.nan},
        {"lookback": 3},
        {"horizon": 100},
        {"rebalance": 0},
        {"drift_band": 0},
    ],
)
def test_wrong_parameters_are_refused_in_one_sentence(changes):
    with pytest.raises(ParameterError, match=f"^{next(iter(changes))} is") as refusal:
        IndexPair(**changes)
    assert "\n" not in str(refusal.value)


def test_it_needs_a_market_and_a_path(make_market, line):
    market = funds(make_market, line, count=12)
    with pytest.raises(ParameterError, match=r"IndexPair\(when='delisting'\) needs a regime path"):
        IndexPair().targets(market)
    with pytest.raises(ParameterError, match=r"IndexPair.targets was given 5"):
        IndexPair().targets(5)
    assert IndexPair(lookback=60.0).lookback == 60
    assert isinstance(IndexPair(lookback=60.0).lookback, int)


def test_on_real_prices_the_fund_of_hong_kong_lines_stands_in(real_prices):
    market = load_market(real_prices, start="2019-06-03", end="2022-12-30", ends="cut")
    targets = IndexPair(when="always").targets(market)
    assert set(used(targets, market)) == {"FXI", "PGJ"}
    ratio = targets.signals["index_pair"]["hedge_ratio"].dropna()
    assert ratio.between(0.2, 1.0).all()  # banks and oil move less than growth
