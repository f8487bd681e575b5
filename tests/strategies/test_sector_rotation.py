"""Sector rotation: rankings by hand, tilts as data, and nothing from the future."""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from entrepot.errors import ParameterError
from entrepot.markets.market import Market
from entrepot.regimes.path import RegimePath
from entrepot.strategies import SectorRotation, load_tilts
from entrepot.strategies.sector_rotation import total_return_levels
from entrepot.strategies.targets import decisions

DAYS = 60
QUICK = SectorRotation(lookback=10, top=2, rebalance=5, tilts={})


def growing(rate, count=DAYS, start=100.0):
    return start * (1 + rate) ** np.arange(count)


@pytest.fixture
def etfs(make_market, line):
    """Five ETFs of known order: E5 grows fastest for thirty days, then E1 does."""
    levels = {}
    for k in range(1, 6):
        first = growing(0.001 * k, 30)
        levels[f"E{k}"] = np.concatenate([first, first[-1] * growing(0.001 * (6 - k), DAYS - 29, 1.0)[1:]])
    return make_market(levels, {s: line(s, "etf") for s in levels})


@pytest.fixture
def baskets(make_market, line):
    """Hong Kong lines in three sectors and one without."""
    rates = {"1.HK": 0.004, "2.HK": 0.002, "3.HK": 0.001, "4.HK": 0.005, "5.HK": 0.009}
    sectors = {
        "1.HK": "it:semis",
        "2.HK": "it:hardware;auto:ev",
        "3.HK": "telecom",
        "4.HK": "auto:ev",
        "5.HK": "unclassified",
    }
    rows = {s: line(s, "ordinary", sector=sectors[s]) for s in rates} | {"^HSI": line("^HSI", "index")}
    levels = {s: growing(r) for s, r in rates.items()} | {"^HSI": growing(0.02), "US": growing(0.0)}
    return make_market(levels, rows | {"US": line("US", "stock")})


def held(targets, market, decision):
    single, _ = targets.standing()
    row = single[decisions(market)[decision]]
    return {s: round(float(w), 12) for s, w in zip(market.symbols, row, strict=True) if w}


def spoken(targets, market):
    return np.flatnonzero(np.isfinite(targets.weights[decisions(market)]).any(axis=1)).tolist()


def test_the_strongest_are_held_and_numbers_come_with_changes_only(etfs):
    targets = QUICK.targets(etfs)
    assert held(targets, etfs, 9) == {}
    assert held(targets, etfs, 10) == {"E5": 0.5, "E4": 0.5}
    assert held(targets, etfs, 59) == {"E1": 0.5, "E2": 0.5}
    changed = spoken(targets, etfs)
    assert changed[0] == 10
    assert len(changed) <= 3
    assert all((i - 10) % 5 == 0 for i in changed)
    at = decisions(etfs)[changed[-1]]
    assert (targets.weights[at][np.isfinite(targets.weights[at])] == 0).any()


def test_a_basket_is_the_mean_of_its_lines(baskets):
    targets = QUICK.with_(universe="hk").targets(baskets)
    assert held(targets, baskets, 10) == {"4.HK": 0.5, "1.HK": 0.25, "2.HK": 0.25}
    assert "5.HK" in targets.notes[0]
    scores = targets.signals["score"]
    assert list(scores.columns) == ["it", "telecom", "auto"]
    past = np.array([(1.004**10 + 1.002**10) / 2, 1.001**10, 1.005**10]) - 1
    np.testing.assert_allclose(scores.iloc[0], (past - past.mean()) / past.std(), rtol=1e-9)


def test_fewer_sectors_than_places_leave_cash(baskets):
    targets = QUICK.with_(universe="hk", top=5, gross=0.9).targets(baskets)
    weights = held(targets, baskets, 10)
    assert sum(weights.values()) == pytest.approx(3 * 0.9 / 5)


@pytest.mark.parametrize(
    ("universe", "symbols"),
    [
        ("auto", {"1.HK", "2.HK", "4.HK"}),
        (("US", "3.HK", "5.HK"), {"3.HK", "5.HK"}),
        (("1.HK", "2.HK", "3.HK"), {"1.HK", "2.HK", "3.HK"}),
    ],
)
def test_the_universe_is_what_was_asked_for(baskets, universe, symbols):
    assert set(held(QUICK.with_(universe=universe).targets(baskets), baskets, 10)) == symbols


def test_auto_takes_etfs_where_there_are_more_than_places(make_pairs, baskets):
    market = make_pairs(count=30)
    assert set(QUICK.with_(top=1).targets(market).signals["score"].columns) == {"KWEB", "ASHR"}
    few = QUICK.targets(market)
    assert set(few.signals["score"].columns) == {"it", "telecom", "auto"}
    assert any(note.startswith("Hong Kong lines are ranked: 2 funds") for note in few.notes)
    assert not any("funds are no choice" in note for note in QUICK.targets(baskets).notes)
    levels = {"A": growing(0.1), "B": growing(0.2)}
    plain = Market.from_prices(pd.DataFrame(levels, pd.bdate_range("2022-01-03", periods=DAYS)))
    assert set(QUICK.targets(plain).signals["score"].columns) == {"A", "B"}


def test_tilts_change_the_ranking_when_the_regime_does(etfs, make_path):
    tilted = QUICK.with_(tilts={"tariff": {"E1": 5.0, "NOT_HERE": 9.0}})
    states = np.zeros(len(etfs), dtype=int)
    first = decisions(etfs)[17]
    states[first : decisions(etfs)[19]] = 1
    targets = tilted.targets(etfs, make_path(etfs, states))
    assert held(targets, etfs, 16) == {"E5": 0.5, "E4": 0.5}
    assert held(targets, etfs, 17) == {"E5": 0.5, "E1": 0.5}
    assert held(targets, etfs, 18) == {"E5": 0.5, "E1": 0.5}
    assert held(targets, etfs, 19) == {"E5": 0.5, "E4": 0.5}
    assert {17, 19} <= set(spoken(targets, etfs))
    assert held(tilted.targets(etfs), etfs, 17) == {"E5": 0.5, "E4": 0.5}
    delisting = tilted.targets(etfs, make_path(etfs, 2 * states))
    np.testing.assert_array_equal(delisting.weights, tilted.targets(etfs).weights)


def test_a_score_is_the_momentum_plus_the_tilt(etfs, make_path):
    plain, tilted = QUICK, QUICK.with_(tilts={"tariff": {"E2": -0.25}})
    path = make_path(etfs, 1)
    before, after = (s.targets(etfs, path).signals["score"] for s in (plain, tilted))
    np.testing.assert_allclose(after["E2"] - before["E2"], -0.25)
    np.testing.assert_array_equal(after.drop(columns="E2"), before.drop(columns="E2"))
    np.testing.assert_allclose(before.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(before.std(axis=1, ddof=0), 1)


def test_only_lines_with_a_full_window_are_ranked(make_market, line):
    late, gap, ended = growing(0.05), growing(0.04), growing(0.03)
    late[:15] = np.nan
    gap[18:24] = np.nan
    ended[45:] = np.nan
    levels = {"LATE": late, "GAP": gap, "ENDED": ended, "SLOW": growing(0.001), "SLOWER": growing(0.0005)}
    market = make_market(levels, {s: line(s, "etf") for s in levels})
    targets = QUICK.targets(market)
    assert set(held(targets, market, 10)) == {"GAP", "ENDED"}
    assert set(held(targets, market, 20)) == {"GAP", "ENDED"}
    assert set(held(targets, market, 25)) == {"LATE", "ENDED"}
    assert set(held(targets, market, 40)) == {"LATE", "GAP"}
    three = QUICK.with_(top=3).targets(market)
    assert "ENDED" in held(three, market, 45)
    assert "ENDED" not in held(three, market, 55)


def test_levels_do_not_matter_and_splits_and_dividends_do_not_either(etfs):
    price = etfs.price.copy()
    whole = QUICK.targets(etfs)
    scaled = Market(etfs.grid, price * [3, 0.1, 7, 1000, 1], etfs.instruments)
    np.testing.assert_array_equal(QUICK.targets(scaled).weights, whole.weights)

    day = pd.Timestamp("2022-01-20")
    after = (etfs.grid["session"] >= day).to_numpy() & np.isfinite(price["E5"]).to_numpy()
    price.loc[after, "E5"] /= 10
    split = pd.DataFrame({"symbol": ["E5"], "ex_date": [day], "factor": [10.0]})
    np.testing.assert_array_equal(
        QUICK.targets(Market(etfs.grid, price, etfs.instruments, splits=split)).weights, whole.weights
    )
    assert (QUICK.targets(Market(etfs.grid, price, etfs.instruments)).weights != whole.weights).any()

    paid = etfs.price.copy()
    first = np.flatnonzero(after)[0]
    amount = 0.08 * float(paid["E5"].iloc[first])
    paid.loc[after, "E5"] *= 0.92
    dividend = pd.DataFrame({"symbol": ["E5"], "ex_date": [day], "pay_date": [pd.NaT], "amount": [amount]})
    market = Market(etfs.grid, paid, etfs.instruments, dividends=dividend)
    column = np.array([etfs.column("E5")])
    level = total_return_levels(market, column)[:, 0]
    steps = np.flatnonzero(np.isfinite(level))
    ratio = level[steps[1:]] / level[steps[:-1]]
    np.testing.assert_allclose(ratio[:28], 1.005, rtol=1e-12)


def test_the_latest_sessions_can_be_left_out(etfs):
    skipped, whole = QUICK.with_(skip=5).targets(etfs), QUICK.targets(etfs)
    assert held(skipped, etfs, 35) == {"E5": 0.5, "E4": 0.5}
    assert held(whole, etfs, 45) == held(skipped, etfs, 45) == {"E1": 0.5, "E2": 0.5}


@pytest.mark.parametrize("phases", [("close",), ("open", "close")])
@pytest.mark.parametrize("universe", ["hk", "etf"])
def test_cutting_the_market_changes_nothing_before(make_pairs, wander, same_until, phases, universe):
    dividends = pd.DataFrame(
        {
            "symbol": ["100.HK"],
            "ex_date": [pd.Timestamp("2022-05-10")],
            "pay_date": [pd.NaT],
            "amount": [20.0],
        }
    )
    market = make_pairs(seed=21, phases=phases, dividends=dividends)
    strategy = SectorRotation(lookback=15, top=1, rebalance=4, universe=universe)
    targets = strategy.targets(market, wander(market))
    assert np.isfinite(targets.weights).sum() > 10
    same_until(strategy, market, wander(market), 22)
    same_until(strategy, market, None, 23)


def test_the_bundled_tilts_give_a_reason_and_a_source():
    tilts = load_tilts()
    assert set(tilts) == {"tariff", "delisting", "decoupling"} <= set(RegimePath.names)
    assert tilts["tariff"]["telecom"] > 0 > tilts["tariff"]["it"]
    assert all(abs(t) <= 1 for by_sector in tilts.values() for t in by_sector.values())
    with (files("entrepot.strategies") / "data" / "sector_tilts.csv").open() as file:
        for row in csv.DictReader(file):
            assert len(row["rationale"]) > 5
            assert len(row["source"]) > 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lookback": 1}, "lookback"),
        ({"top": 0}, "top"),
        ({"top": 1.5}, "top"),
        ({"rebalance": 0}, "rebalance"),
        ({"gross": -1}, "gross"),
        ({"gross": np.inf}, "gross"),
        ({"skip": 120}, "skip"),
        ({"universe": "us"}, "universe"),
        ({"universe": 5}, "universe is 5"),
        ({"universe": None}, "universe is None"),
        ({"tilts": "x"}, "tilts is 'x'"),
        ({"tilts": {"tariff": 5}}, "the tilts of tariff are 5"),
        ({"tilts": {"panic": {}}}, "panic"),
        ({"tilts": {"tariff": {"it": np.nan}}}, "it"),
    ],
)
def test_bad_parameters_are_refused_in_one_sentence(changes, words):
    with pytest.raises(ParameterError, match=words) as refusal:
        SectorRotation(**changes)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("universe", [("^HSI",), (), ("1.HK", "1.HK"), ("NOPE",), "etf"])
def test_universes_that_cannot_be_held_are_refused(baskets, universe):
    with pytest.raises(ParameterError) as refusal:
        QUICK.with_(universe=universe).targets(baskets)
    assert "\n" not in str(refusal.value)


def test_what_has_no_effect_and_what_can_never_trade_is_noted(etfs):
    count = len(decisions(etfs))
    for changes, words in (
        ({"lookback": count}, f"can never trade: lookback is {count} and the market has {count}"),
        ({"lookback": 10**18, "skip": 0}, "can never trade: lookback"),
        ({"top": 50}, "top is 50 and the universe has"),
        ({"gross": 0}, "gross is 0"),
        ({"tilts": {"tariff": {"nonsense": 1}}}, "no such sector: nonsense"),
    ):
        targets = QUICK.with_(**changes).targets(etfs)
        assert any(words in note for note in targets.notes), targets.notes
    assert QUICK.targets(etfs).notes == ()
    plain, numpy_made = QUICK.targets(etfs), QUICK.with_(lookback=float(QUICK.lookback)).targets(etfs)
    assert plain.weights.tobytes() == numpy_made.weights.tobytes()


def test_wrong_objects_are_refused_in_one_sentence(etfs):
    with pytest.raises(ParameterError, match="was given None: give a market"):
        QUICK.targets(None)
    with pytest.raises(ParameterError, match="was given 'x'"):
        QUICK.targets(etfs, "x")


def test_a_path_of_other_steps_is_refused(etfs, make_path):
    with pytest.raises(ParameterError, match="regime path"):
        QUICK.targets(etfs, make_path(etfs.until(20)))
