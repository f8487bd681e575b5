"""Home against export by tariff risk: sides, sizes, the way back, and who earns."""

from __future__ import annotations

import naive_baskets as naive
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.errors import ParameterError
from entrepot.markets.load import load_market
from entrepot.markets.sectors import load_sectors
from entrepot.regimes import RegimeModel, load_events
from entrepot.strategies.targets import decisions
from entrepot.strategies.tariff_rotation import TariffRotation

HOME, EXPORT = ("0939.HK", "0941.HK"), ("0992.HK", "1810.HK")
FUNDS = {"ASHR": -1, "CQQQ": 1, "KARS": 1, "MCHI": 0}
QUICK = TariffRotation(hedge="dollar", lookback=20, horizon=4, rebalance=6)


def lines(make_market, line, count=90, seed=1, shorts=(*HOME, *EXPORT), funds=True, **changes):
    rng = np.random.default_rng(seed)
    common = 0.01 * rng.standard_normal(count)
    symbols = (*HOME, *EXPORT, "0700.HK", *(FUNDS if funds else ()))
    levels = {
        symbol: 20 * np.exp(np.cumsum((0.5 + 0.2 * (k % 4)) * common + 0.006 * rng.standard_normal(count)))
        for k, symbol in enumerate(symbols)
    }
    rows = {
        s: line(s, "etf" if s in FUNDS else "ordinary", shortable=s in shorts or s in FUNDS) for s in symbols
    }
    return make_market(levels, rows, **changes)


def tariffs(make_path, market, escalation=0.0, relief=0.0):
    """A path of tariff risk; delisting risk escalates all the while and must not matter."""
    return naive.with_intensity(make_path(market, 0, 3.0), tariff_escalation=escalation, tariff_relief=relief)


def held(targets, market, decision=-1):
    single, _ = targets.standing()
    row = single[decisions(market)[decision]]
    return {s: float(w) for s, w in zip(market.symbols, row, strict=True) if w}


def by_day(*values, each=10):
    """One value for each ten days of a two-venue market of closes."""
    return np.repeat(np.array(values, dtype=float), 2 * each)


def test_exposures_are_those_of_the_map():
    exposure = load_sectors().exposure([*HOME, *EXPORT, "0700.HK", *FUNDS], "2022-01-03")
    assert exposure[list(HOME)].tolist() == [-1, -1]
    assert exposure[list(EXPORT)].tolist() == [1, 1]
    assert exposure["0700.HK"] == 0
    for fund, sign in FUNDS.items():
        assert np.nan_to_num(exposure[fund]) == sign


def test_home_is_held_on_escalation_and_exporters_on_relief(make_market, line, make_path):
    market = lines(make_market, line, count=60)
    path = tariffs(
        make_path, market, escalation=by_day(0, 3, 1.5, 3, 3, 1), relief=by_day(0, 0, 0, 3, 6, 1.5)
    )
    targets = QUICK.targets(market, path)
    whole = dict.fromkeys(HOME, 0.25) | dict.fromkeys(EXPORT, -0.25)
    expected = [
        {},
        whole,
        {s: w / 2 for s, w in whole.items()},
        {},  # as strong as each other
        {s: -w for s, w in whole.items()},
        {s: -w / 2 for s, w in whole.items()},
    ]
    for k, wanted in enumerate(expected):
        assert held(targets, market, 10 * k) == pytest.approx(wanted)
        assert held(targets, market, 10 * k + 9) == pytest.approx(wanted)
    assert len(targets.signals["tariff_rotation"]["level"].unique()) == 5
    once = QUICK.with_(reverse=False).targets(market, path)
    for k, wanted in enumerate(expected):
        assert held(once, market, 10 * k) == pytest.approx(wanted if k < 4 else {})


@pytest.mark.parametrize("sizing", ["equal", "inverse_volatility"])
@pytest.mark.parametrize("hedge", ["dollar", "beta"])
def test_it_is_the_slow_twin(make_market, line, make_path, sizing, hedge):
    market = lines(make_market, line, hk_holidays=("2022-02-01", "2022-02-02"))
    rng = np.random.default_rng(4)
    path = tariffs(
        make_path, market, *(np.repeat(rng.integers(0, 7, 15) / 2, 12)[: len(market)] for _ in range(2))
    )
    terms = {"sizing": sizing, "hedge": hedge, "lookback": 20, "horizon": 4, "rebalance": 6, "weight": 0.4}
    targets = TariffRotation(universe="hk", **terms).targets(market, path)
    up, down = [], []
    for step in decisions(market):
        escalation, relief = (path.intensity["tariff", side].iloc[step] for side in ("escalation", "relief"))
        up.append(naive.quarters(escalation) if escalation > relief else 0.0)
        down.append(naive.quarters(relief) if relief > escalation else 0.0)
    slow = naive.held(market, HOME, EXPORT, up, **terms)
    back = naive.held(market, EXPORT, HOME, down, **terms)
    for i, (one, other) in enumerate(zip(slow, back, strict=True)):
        assert not (one and other)
        assert held(targets, market, i) == pytest.approx(one | other, rel=1e-9)
    assert any(slow)
    assert any(back)


@pytest.mark.parametrize("move", [-0.1, 0.1])
@pytest.mark.parametrize("side", ["escalation", "relief"])
def test_it_earns_where_exporters_fall_in_the_war_and_rise_in_the_truce(
    make_market, line, make_path, move, side
):
    count = 40
    day = np.arange(count)
    levels = {"0941.HK": np.full(count, 50.0), "1810.HK": 15.0 * np.where(day >= 20, 1 + move, 1.0)}
    market = make_market(levels, {s: line(s, "ordinary", shortable=True) for s in levels})
    fixed = market.fixings.assign(per_usd=7.8)
    market = ep.Market(market.grid, market.price, market.instruments, fixings=fixed)
    path = tariffs(make_path, market, **{side: by_day(0, 3, 3, 3)})
    plan = QUICK.with_(drift_band=np.inf)
    run = ep.backtest(market, plan, path=path, costs=ep.Costs.none(), check=True)
    sign = -1 if side == "escalation" else 1
    assert run.equity.iloc[-1] / 1e7 - 1 == pytest.approx(sign * 0.5 * move, rel=1e-9)


# -- universes -------------------------------------------------------------------------------------------


def sides(plan, market, path):
    row = held(plan.targets(market, path), market)
    return {s for s, w in row.items() if w > 0}, {s for s, w in row.items() if w < 0}


def test_the_universe_is_what_was_asked_for(make_market, line, make_path):
    market = lines(make_market, line, count=30)
    path = tariffs(make_path, market, 3.0)
    assert sides(QUICK, market, path) == (set(HOME), set(EXPORT))
    assert sides(QUICK.with_(universe="hk"), market, path) == (set(HOME), set(EXPORT))
    assert sides(QUICK.with_(universe="etf"), market, path) == ({"ASHR"}, {"CQQQ", "KARS"})
    assert sides(QUICK.with_(short="none"), market, path) == (set(HOME), set())
    own = QUICK.with_(universe=["ASHR", "1810.HK", "0700.HK", "9999.HK"])
    assert sides(own, market, path) == ({"ASHR"}, {"1810.HK"})
    assert own.targets(market, path).notes == (
        "domestic lines to hold: ASHR",
        "export-heavy lines to short: 1810.HK",
        "without 9999.HK: not in this market",
        "without 0700.HK: neither domestic nor export-heavy in load_sectors()",
        "export-heavy lines to hold: 1810.HK",
        "domestic lines to short: ASHR",
    )


def test_auto_takes_funds_for_a_side_without_hong_kong_lines(make_market, line, make_path):
    market = lines(make_market, line, count=30, shorts=("0939.HK",))
    assert sides(QUICK, market, tariffs(make_path, market, 3.0)) == (set(HOME), {"CQQQ", "KARS"})
    assert sides(QUICK, market, tariffs(make_path, market, 0.0, 3.0)) == (set(EXPORT), {"0939.HK"})


def test_a_market_of_one_venue_has_its_shares_in_hong_kong(make_market, line):
    market = lines(make_market, line, count=30)
    symbols = [*HOME, *EXPORT, "0700.HK"]
    prices = market.price[symbols].dropna().set_axis(market.grid["session"].unique(), axis=0)
    plain = ep.Market.from_prices(prices)
    risk = RegimeModel().walk_forward(plain, load_events(), progress=False)
    path = naive.with_intensity(risk, tariff_escalation=3.0, tariff_relief=0.0)
    assert sides(QUICK, plain, path) == (set(HOME), set(EXPORT))


def test_an_empty_side_is_refused(make_market, line, make_path):
    market = lines(make_market, line, count=30, shorts=(), funds=False)
    path = tariffs(make_path, market, 3.0)
    for plan in (QUICK, QUICK.with_(universe="hk"), QUICK.with_(universe=["0941.HK", "1810.HK"])):
        with pytest.raises(
            ParameterError, match=r"no export-heavy lines to short .*hk_shorts.*short='none'"
        ) as no:
            plan.targets(market, path)
        assert "\n" not in str(no.value)
    with pytest.raises(ParameterError, match="no domestic lines to hold in universe 'etf'"):
        QUICK.with_(universe="etf").targets(market, path)
    assert sides(QUICK.with_(short="none"), market, path) == (set(HOME), set())
    with pytest.raises(ParameterError, match="TariffRotation needs a regime path"):
        QUICK.targets(market)


# -- nothing from the future -----------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
def test_cutting_the_market_changes_nothing_before(make_market, line, make_path, same_until, phases):
    market = lines(make_market, line, phases=phases, hk_holidays=("2022-02-01",))
    rng = np.random.default_rng(6)
    path = tariffs(make_path, market, *(rng.gamma(1, 2, len(market)) for _ in range(2)))
    for plan in (
        QUICK,
        QUICK.with_(hedge="beta", sizing="inverse_volatility"),
        QUICK.with_(universe="etf", hedge="beta"),
        QUICK.with_(short="none", reverse=False),
    ):
        same_until(plan, market, path, seed=2, cuts=5)
        assert np.isfinite(plan.targets(market, path).weights).sum() > 20


def test_later_prices_change_no_earlier_target(make_market, line, make_path):
    market = lines(make_market, line)
    cut = 110
    price = market.price.copy()
    price.iloc[cut:] = price.iloc[cut:] ** 2
    other = ep.Market(market.grid, price, market.instruments, fixings=market.fixings)
    plan, path = QUICK.with_(hedge="beta"), tariffs(make_path, market, 3.0)
    one, two = plan.targets(market, path).weights, plan.targets(other, path).weights
    assert one[:cut].tobytes() == two[:cut].tobytes()
    assert one.tobytes() != two.tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"universe": "world"},
        {"universe": 5},
        {"reverse": 1},
        {"reverse": None},
        {"short": "all"},
        {"short": None},
        {"sizing": 1},
        {"hedge": "gamma"},
        {"weight": np.inf},
        {"rebalance": 1.5},
        {"drift_band": -1},
    ],
)
def test_wrong_parameters_are_refused_in_one_sentence(changes):
    with pytest.raises(ParameterError, match=f"^{next(iter(changes))} is") as refusal:
        TariffRotation(**changes)
    assert "\n" not in str(refusal.value)


def test_on_real_prices_it_is_on_in_the_war_of_april_and_swapped_in_june(real_prices):
    market = load_market(
        real_prices, start="2024-01-02", ends="cut", departures="parity", hk_shorts=["1810.HK", "0939.HK"]
    )
    path = RegimeModel().walk_forward(market, load_events(), progress=False)
    targets = TariffRotation().targets(market, path)
    single, _ = targets.standing()
    steps = decisions(market)
    days = pd.DatetimeIndex(market.grid["session"].to_numpy()[steps])
    weight = pd.DataFrame(single[steps], days, list(market.symbols))
    assert weight.loc["2025-04-09", "0939.HK"] > 0 > weight.loc["2025-04-09", "1810.HK"]
    assert weight.loc["2025-06-12", "0939.HK"] < 0 < weight.loc["2025-06-12", "1810.HK"]
