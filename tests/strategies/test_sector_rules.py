"""Rules, sides, weights and dated sectors of the rotation: by hand, against a slow twin, nothing early."""

from __future__ import annotations

from dataclasses import replace

import naive_sectors
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.errors import ParameterError
from entrepot.markets.sectors import load_sectors
from entrepot.strategies import SectorRotation
from entrepot.strategies.targets import decisions

DAYS = 60
QUICK = SectorRotation(lookback=10, top=1, rebalance=5, tilts={})


def swinging(drift, swing, count=DAYS):
    """Levels that move by drift plus and minus swing in turn."""
    daily = drift + swing * np.where(np.arange(count) % 2, 1.0, -1.0)
    return 100 * np.cumprod(1 + daily)


def held(targets, market, decision):
    single, _ = targets.standing()
    row = single[decisions(market)[decision]]
    return {s: round(float(w), 12) for s, w in zip(market.symbols, row, strict=True) if w}


@pytest.fixture
def funds(make_market, line):
    """FAST earns most and swings most, CALM earns least and swings least, EVEN and SLOW lie between."""
    moves = {"FAST": (0.006, 0.03), "EVEN": (0.004, 0.004), "SLOW": (0.002, 0.02), "CALM": (0.001, 0.002)}
    return make_market({s: swinging(*m) for s, m in moves.items()}, {s: line(s, "etf") for s in moves})


@pytest.fixture
def lines(make_market, line):
    """Four Hong Kong sectors, weakest last; of bank, one line may be sold, of rail both, of oil none."""
    rates = {
        "901.HK": ("it:hardware", 0.005, False),
        "902.HK": ("auto:ev", 0.004, True),
        "903.HK": ("rail", 0.003, True),
        "904.HK": ("rail", 0.002, True),
        "905.HK": ("bank:large", 0.001, True),
        "906.HK": ("bank:small", 0.0005, False),
        "907.HK": ("oil", 0.0001, False),
    }
    levels = {s: 100 * (1 + rate) ** np.arange(DAYS) for s, (_, rate, _) in rates.items()}
    rows = {s: line(s, "ordinary", sector=sector, shortable=may) for s, (sector, _, may) in rates.items()}
    return make_market(levels | {"US": np.full(DAYS, 9.0)}, rows | {"US": line("US", "stock")})


def write(path, text):
    path.write_text("symbol,sector,since,until\n" + text)
    return load_sectors(path)


@pytest.mark.parametrize(
    ("rule", "best", "worst"),
    [("momentum", "FAST", "CALM"), ("low_volatility", "CALM", "FAST"), ("risk_adjusted", "EVEN", "SLOW")],
)
def test_each_rule_holds_its_own_best_and_sells_its_own_worst(funds, rule, best, worst):
    alone = QUICK.with_(rule=rule, universe="etf").targets(funds)
    assert held(alone, funds, 30) == {best: 1.0}
    both = QUICK.with_(rule=rule, universe="etf", short=1, gross_short=0.5).targets(funds)
    assert held(both, funds, 30) == {best: 1.0, worst: -0.5}
    assert both.notes == ()


def test_of_equal_sectors_the_first_in_the_market_is_taken_on_either_side(make_market, line):
    rates = {"Y": 0.002, "B": 0.004, "A": 0.004, "X": 0.001, "C": 0.001}
    levels = {s: 100 * (1 + rate) ** np.arange(DAYS) for s, rate in rates.items()}
    market = make_market(levels, {s: line(s, "etf") for s in rates})
    targets = QUICK.with_(universe="etf", short=1).targets(market)
    assert held(targets, market, 30) == {"B": 1.0, "X": -1.0}


def test_the_scores_are_the_standardised_volatilities(funds):
    """Ten returns of drift +- swing: their deviation is the swing, whatever the drift."""
    score = QUICK.with_(rule="low_volatility", universe="etf").targets(funds).signals["score"].iloc[0]
    swing = -np.array([0.03, 0.004, 0.02, 0.002])
    np.testing.assert_allclose(score, (swing - swing.mean()) / swing.std(), rtol=1e-9)
    adjusted = QUICK.with_(rule="risk_adjusted", universe="etf").targets(funds).signals["score"].iloc[0]
    level = funds.price.iloc[decisions(funds)]
    ratio = (level.iloc[10] / level.iloc[0] - 1).to_numpy() / -swing
    np.testing.assert_allclose(adjusted, (ratio - ratio.mean()) / ratio.std(), rtol=1e-9)


def test_a_basket_swings_less_than_its_lines(make_market, line):
    """Two lines that move in opposite directions make the calmest sector of all."""
    up, down = swinging(0.001, 0.03), swinging(0.001, -0.03)
    levels = {"1.HK": up, "2.HK": down, "3.HK": swinging(0.001, 0.01), "US": np.ones(DAYS)}
    sectors = {"1.HK": "it", "2.HK": "it", "3.HK": "telecom"}
    rows = {s: line(s, "ordinary", sector=word) for s, word in sectors.items()}
    market = make_market(levels, rows | {"US": line("US", "stock")})
    targets = QUICK.with_(rule="low_volatility", universe="hk").targets(market)
    assert held(targets, market, 30) == {"1.HK": 0.5, "2.HK": 0.5}


def test_what_never_moves_is_the_calmest_and_divides_nothing(make_market, line):
    levels = {"STILL": np.full(DAYS, 7.0), "A": swinging(0.001, 0.01), "B": swinging(0.002, 0.02)}
    market = make_market(levels, {s: line(s, "etf") for s in levels})
    assert held(QUICK.with_(rule="low_volatility", universe="etf").targets(market), market, 20) == {
        "STILL": 1.0
    }
    ratio = QUICK.with_(rule="risk_adjusted", universe="etf", weighting="inverse_volatility", top=3)
    targets = ratio.targets(market)
    assert np.isfinite(targets.signals["score"].to_numpy()).all()
    assert sum(held(targets, market, 20).values()) == pytest.approx(1.0)


def test_the_sides_share_their_gross_by_inverse_volatility(funds):
    plan = QUICK.with_(top=2, short=2, gross=0.9, gross_short=0.6, weighting="inverse_volatility")
    weights = held(plan.with_(universe="etf").targets(funds), funds, 30)
    swing = {"FAST": 0.03, "EVEN": 0.004, "SLOW": 0.02, "CALM": 0.002}
    for side, gross in ((("FAST", "EVEN"), 0.9), (("SLOW", "CALM"), -0.6)):
        one, two = (1 / swing[s] for s in side)
        assert weights[side[0]] == pytest.approx(gross * one / (one + two), rel=1e-9)
        assert weights[side[1]] == pytest.approx(gross * two / (one + two), rel=1e-9)


def test_places_that_stay_empty_stay_in_cash_in_either_weighting(funds):
    for weighting in ("equal", "inverse_volatility"):
        plan = QUICK.with_(top=8, universe="etf", weighting=weighting)
        assert sum(held(plan.targets(funds), funds, 30).values()) == pytest.approx(4 / 8)


def test_a_sector_that_may_not_be_sold_whole_gives_its_place_to_the_next(lines):
    plan = QUICK.with_(universe="hk", short=1)
    assert held(plan.targets(lines), lines, 20) == {"901.HK": 1.0, "903.HK": -0.5, "904.HK": -0.5}
    two = plan.with_(short=2).targets(lines)
    assert held(two, lines, 20) == {"901.HK": 1.0, "903.HK": -0.25, "904.HK": -0.25, "902.HK": -0.5}
    three = plan.with_(short=3).targets(lines)
    assert sum(w for w in held(three, lines, 20).values() if w < 0) == pytest.approx(-2 / 3)
    told = "theirs may not be: it (901.HK), bank (906.HK), oil (907.HK); the next lowest is sold instead"
    assert any(told in note for note in two.notes)
    assert not any("sold" in note for note in plan.with_(short=0).targets(lines).notes)


def test_what_is_held_is_never_sold(lines):
    plan = QUICK.with_(universe="hk", top=4, short=2)
    targets = plan.targets(lines)
    weights = held(targets, lines, 20)
    assert not any(w < 0 for w in weights.values())
    assert weights["902.HK"] == 0.25
    assert any("at most 1 are sold" in note for note in targets.notes)


def test_named_funds_stand_alone_beside_the_shares_of_their_sector(make_market, line):
    kinds = {"KWEB": "etf", "CQQQ": "etf", "0700.HK": "ordinary", "9888.HK": "ordinary", "XX": "stock"}
    words = ("communication:internet", "it:technology", "communication:gaming", "communication:internet")
    levels = {s: swinging(0.001 * k, 0.01) for k, s in enumerate(kinds)}
    sectors = dict(zip(kinds, (*words, "unclassified"), strict=True))
    market = make_market(levels, {s: line(s, kind, sector=sectors[s]) for s, kind in kinds.items()})
    named = QUICK.with_(universe=tuple(kinds)).targets(market).signals["score"]
    assert list(named.columns) == ["KWEB", "CQQQ", "communication", "XX"]


def test_a_note_names_a_few_lines_of_many(make_market, line):
    symbols = [f"{900 + k}.HK" for k in range(5)]
    levels = {s: swinging(0.001 * k, 0.01) for k, s in enumerate(symbols)} | {"US": np.ones(DAYS)}
    rows = {s: line(s, "ordinary", sector="it") for s in symbols} | {"US": line("US", "stock")}
    notes = QUICK.with_(universe="hk", short=1).targets(make_market(levels, rows)).notes
    assert any("it (900.HK, 901.HK, 902.HK, ...)" in note for note in notes)


def test_where_nothing_may_be_sold_nothing_is_and_a_note_says_so(lines):
    barred = replace(lines, instruments=lines.instruments.assign(shortable=False))
    targets = QUICK.with_(universe="hk", short=2).targets(barred)
    assert held(targets, barred, 20) == {"901.HK": 1.0}
    assert any("name what may be shorted when the market is loaded" in note for note in targets.notes)


def test_a_line_that_moves_changes_baskets_at_the_next_rebalance(lines, tmp_path):
    """Rankings at decisions 10, 15, 20 ...; the line moves on the session of decision 22."""
    day = lines.grid["session"][decisions(lines)[22]]
    before = day - pd.Timedelta(days=1)
    text = f"901.HK,it:hardware,,{before.date()}\n901.HK,oil,{day.date()},\n"
    plan = QUICK.with_(universe="hk", top=2, sectors=write(tmp_path / "own.csv", text))
    targets = plan.targets(lines)
    assert held(targets, lines, 24) == {"901.HK": 0.5, "902.HK": 0.5}
    assert held(targets, lines, 25) == {"902.HK": 0.5, "901.HK": 0.25, "907.HK": 0.25}
    scores = targets.signals["score"]
    assert list(scores.columns) == ["it", "auto", "rail", "bank", "oil"]  # as they come to be used
    assert scores["it"].notna().tolist() == [True] * 3 + [False] * (len(scores) - 3)
    past = [(1.005**10 + 1.0001**10) / 2, 1.004**10, (1.003**10 + 1.002**10) / 2]
    past = np.array([*past, (1.001**10 + 1.0005**10) / 2])
    last = scores[["oil", "auto", "rail", "bank"]].iloc[-1]
    np.testing.assert_allclose(last, (past - past.mean()) / past.std(), rtol=1e-7)


def test_a_line_outside_its_periods_is_neither_ranked_nor_kept(lines, tmp_path):
    sessions = lines.grid["session"][decisions(lines)]
    text = f"901.HK,it,{sessions.iloc[17].date()},{sessions.iloc[32].date()}\n"
    targets = QUICK.with_(universe="hk", sectors=write(tmp_path / "own.csv", text)).targets(lines)
    assert held(targets, lines, 15) == {"902.HK": 1.0}
    assert held(targets, lines, 20) == held(targets, lines, 30) == {"901.HK": 1.0}
    assert held(targets, lines, 35) == {"902.HK": 1.0}


def test_a_line_that_has_left_takes_no_place(make_market, line):
    """The best of four funds leaves the day before a ranking: the next two are held, in whole places."""
    levels = {s: 100 * (1.004 - 0.001 * k) ** np.arange(DAYS) for k, s in enumerate("ABCD")}
    day = pd.bdate_range("2022-01-03", periods=DAYS)[19]
    levels["A"][20:] = np.nan
    gone = pd.DataFrame(
        [("A", day, "", np.nan)], columns=["symbol", "last_session", "into", "ordinary_per_ads"]
    )
    market = make_market(levels, {s: line(s, "etf") for s in levels}, delistings=gone)
    targets = QUICK.with_(universe="etf", top=2).targets(market)
    assert held(targets, market, 19) == {"A": 0.5, "B": 0.5}
    said = targets.weights[decisions(market)[20]]
    assert {s: w for s, w in zip(market.symbols, said, strict=True) if np.isfinite(w)} == {"C": 0.5}
    assert list(targets.signals["score"]["A"].notna()) == [True] * 2 + [False] * 8


def test_the_bundled_changes_hold_where_the_market_agrees(make_market, line):
    """Alibaba left information technology after the close of 2018-09-28."""
    names = {"9988.HK": "consumer_discretionary:ecommerce", "0981.HK": "it:semis", "0939.HK": "financials"}
    levels = {s: swinging(0.003 - 0.001 * k, 0.01) for k, s in enumerate(names)} | {"US": np.ones(DAYS)}
    rows = {s: line(s, "ordinary", sector=word) for s, word in names.items()} | {"US": line("US", "stock")}
    market = make_market(levels, rows, start="2018-08-20")
    plan = QUICK.with_(universe="hk", rebalance=1)
    targets = plan.targets(market)
    sessions = market.grid["session"][decisions(market)].tolist()
    last = sessions.index(pd.Timestamp("2018-09-28"))
    assert held(targets, market, last) == {"9988.HK": 0.5, "0981.HK": 0.5}
    assert held(targets, market, last + 1) == {"9988.HK": 1.0}
    by_hand = market.instruments.assign(sector=["auto", "it:semis", "financials", "unclassified"])
    assert held(plan.targets(replace(market, instruments=by_hand)), market, last) == {"9988.HK": 1.0}
    told = plan.with_(sectors=load_sectors()).targets(replace(market, instruments=by_hand))
    assert held(told, market, last) == {"9988.HK": 0.5, "0981.HK": 0.5}


def dated(market, path):
    """A map that moves every third line of a market, and ends one, about its middle."""
    sessions = market.grid["session"][decisions(market)]
    middle = sessions.iloc[len(sessions) // 2]
    hk = [s for s in market.symbols if s.endswith(".HK")]
    rows = []
    for k, symbol in enumerate(hk):
        word = str(market.instruments["sector"][symbol])
        if k % 3 == 0:
            until = middle - pd.Timedelta(days=1)
            rows += [(symbol, "telecom", "", str(until.date())), (symbol, word, str(middle.date()), "")]
        else:
            rows += [(symbol, word, "", str(sessions.iloc[-40].date()) if k == 1 else "")]
    sectors = write(path, "".join(",".join(row) + "\n" for row in rows))
    return sectors, [dict(zip(("symbol", "sector", "since", "until"), row, strict=True)) for row in rows]


@pytest.mark.parametrize("rule", ["momentum", "low_volatility", "risk_adjusted"])
@pytest.mark.parametrize("weighting", ["equal", "inverse_volatility"])
@pytest.mark.parametrize(("universe", "seed"), [("hk", 5), ("hk", 6), ("etf", 7)])
def test_every_number_is_that_of_the_slow_twin(make_pairs, wander, tmp_path, rule, weighting, universe, seed):
    rng = np.random.default_rng(seed)
    dividends = pd.DataFrame(
        {"symbol": "100.HK", "ex_date": pd.to_datetime(["2022-04-12"]), "pay_date": pd.NaT, "amount": [9.0]}
    )
    shorts = ("100.HK", "101.HK", "103.HK", "104.HK")
    gone = pd.DataFrame(
        {
            "symbol": ["104.HK"],
            "last_session": [pd.Timestamp("2022-08-01")],
            "into": "",
            "ordinary_per_ads": 8.0,
        }
    )
    market = make_pairs(count=190, pairs=5, seed=seed, dividends=dividends, hk_shorts=shorts, delistings=gone)
    path = wander(market, seed)
    sectors, rows = dated(market, tmp_path / "own.csv")
    lookback = int(rng.integers(6, 20))
    chosen = {
        "lookback": lookback,
        "top": 1,
        "rebalance": int(rng.integers(1, 9)),
        "skip": int(rng.integers(0, 4)),
        "short": 1,
        "gross": 0.8,
        "gross_short": 0.7,
        "rule": rule,
        "weighting": weighting,
    }
    tilts = {"tariff": {"it": -0.5, "telecom": 0.75, "KWEB": 0.3}, "delisting": {"auto": 1.0}}
    plan = SectorRotation(universe=universe, tilts=tilts, sectors=sectors, **chosen)
    targets = plan.targets(market, path)
    if universe == "hk":
        lines = [s for s in market.symbols if s.endswith(".HK")]
        names = [*dict.fromkeys(rows_word(rows, s, place) for place in (0, -1) for s in lines)]

        def sector_of(symbol, date):
            return naive_sectors.sector_on(rows, symbol, date)
    else:
        lines = names = ["KWEB", "ASHR"]

        def sector_of(symbol, date):
            return symbol

    def tilt_of(step, name):
        regime = ("calm", "tariff", "delisting", "decoupling")[path.states[step]]
        return tilts.get(regime, {}).get(name, 0.0)

    weights, scores = naive_sectors.rotation(market, lines, sector_of, names, tilt_of=tilt_of, **chosen)
    assert targets.weights.tobytes() == weights.tobytes()
    assert (weights < 0).any()
    expected = pd.DataFrame.from_dict(scores, orient="index", columns=names).dropna(axis=1, how="all")
    np.testing.assert_array_equal(targets.signals["score"][expected.columns], expected)


def rows_word(rows, symbol, place):
    """The sector of a symbol's first row (0) or last one (-1)."""
    return [row["sector"] for row in rows if row["symbol"] == symbol][place].split(";")[0].split(":")[0]


@pytest.mark.parametrize("rule", ["low_volatility", "risk_adjusted"])
def test_cutting_the_market_changes_nothing_before(make_pairs, wander, same_until, tmp_path, rule):
    market = make_pairs(pairs=5, seed=31, hk_shorts=("100.HK", "101.HK", "103.HK", "104.HK"))
    plan = SectorRotation(
        lookback=15,
        top=1,
        rebalance=4,
        universe="hk",
        rule=rule,
        short=1,
        weighting="inverse_volatility",
        sectors=dated(market, tmp_path / "own.csv")[0],
    )
    assert (plan.targets(market, wander(market)).weights < 0).any()
    same_until(plan, market, wander(market), 32)


def test_a_sector_that_is_yet_to_come_moves_nothing(make_pairs, make_path, same_until, tmp_path):
    """A regime that tilts only a sector without lines is no reason to rank again before it has one."""
    market = make_pairs(count=120, pairs=4, seed=51)
    sessions = market.grid["session"][decisions(market)]
    last, first = sessions.iloc[98].date(), sessions.iloc[99].date()
    text = f"100.HK,it,,{last}\n100.HK,novel,{first},\n"
    plan = SectorRotation(
        lookback=15,
        top=1,
        rebalance=50,
        universe="hk",
        tilts={"tariff": {"novel": 5.0}},
        sectors=write(tmp_path / "own.csv", text),
    )
    states = (np.arange(len(market)) // 20) % 2
    path = make_path(market, states)
    targets = plan.targets(market, path)
    told = np.flatnonzero(np.isfinite(targets.weights).any(axis=1))
    ranked = targets.signals["score"].index
    assert ranked[ranked < sessions.iloc[99]].tolist() == sessions.iloc[[15, 65]].tolist()
    asked = decisions(market)
    assert set(told[told < asked[99]]) <= {asked[15], asked[65]}
    assert (told > asked[99]).any()
    same_until(plan, market, path, 52)


@pytest.mark.parametrize("rule", ["momentum", "low_volatility", "risk_adjusted"])
def test_later_prices_change_nothing_before(make_pairs, rule):
    market = make_pairs(pairs=4, seed=41)
    plan = SectorRotation(lookback=15, top=1, rebalance=3, universe="etf", rule=rule, short=1)
    cut = 150
    price = market.price.copy()
    price.iloc[cut + 1 :] *= np.random.default_rng(1).uniform(0.5, 2, price.iloc[cut + 1 :].shape)
    one, two = plan.targets(market), plan.targets(replace(market, price=price))
    assert one.weights[: cut + 1].tobytes() == two.weights[: cut + 1].tobytes()
    assert one.weights.tobytes() != two.weights.tobytes()


def test_a_price_that_nobody_printed_teaches_nothing(make_market, line):
    levels = {s: swinging(0.001 * k, 0.01) for k, s in enumerate(("A", "B", "C"))}
    market = make_market(levels, {s: line(s, "etf") for s in levels})
    steps = decisions(market)[30:]
    price = market.price.copy()
    price.iloc[steps, 0] *= 3.0
    made_up = pd.DataFrame({"symbol": "A", "session": market.grid["session"].to_numpy()[steps]})
    targets = QUICK.with_(universe="etf").targets(replace(market, price=price, estimates=made_up))
    assert held(targets, market, 45) == {"C": 1.0}
    assert held(QUICK.with_(universe="etf").targets(replace(market, price=price)), market, 30) == {"A": 1.0}
    assert np.isnan(targets.signals["score"]["A"].iloc[-1])


def test_a_sweep_over_rules_and_sides_gives_the_single_runs():
    market = ep.simulate_market(start="2023-01-03", end="2024-06-28", seed=5)
    plan = SectorRotation(lookback=40, universe="etf", top=2)
    choices = {
        "rule": ["momentum", "low_volatility", "risk_adjusted"],
        "short": [0, 2],
        "weighting": ["equal", "inverse_volatility"],
    }
    made = ep.sweep(market, plan, choices, progress=False)
    assert len(made.table) == 12
    assert made.table["End Value"].nunique() == 12
    for row in range(12):
        own = {name: made.table.at[row, name] for name in choices} | {
            "short": int(made.table.at[row, "short"])
        }
        assert (
            made.table.at[row, "End Value"]
            == ep.backtest(market, plan.with_(**own), check=True).equity_by_step[-1]
        )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rule": "value"}, "rule is 'value': give 'momentum' or 'low_volatility' or 'risk_adjusted'"),
        ({"rule": None}, "rule is None"),
        ({"short": -1}, "short is -1"),
        ({"short": 1.5}, "short is 1.5: give a whole number"),
        ({"gross_short": -0.5}, "gross_short is -0.5"),
        ({"gross_short": np.nan}, "gross_short is nan"),
        ({"weighting": "size"}, "weighting is 'size'"),
        ({"sectors": {"BABA": "it"}}, "sectors is {'BABA': 'it'}: give a map, such as load_sectors"),
        ({"rule": "low_volatility", "lookback": 5, "skip": 4}, "a volatility needs two sessions"),
        ({"weighting": "inverse_volatility", "lookback": 5, "skip": 4}, "a volatility needs two sessions"),
    ],
)
def test_bad_parameters_are_refused_in_one_sentence(changes, words):
    with pytest.raises(ParameterError, match=words) as refusal:
        SectorRotation(**changes)
    assert "\n" not in str(refusal.value)
    SectorRotation(lookback=5, skip=4)


def test_nothing_is_sold_when_nothing_is_asked(funds):
    """gross_short says nothing while short is 0; with nothing on either side it can never trade."""
    one, two = (QUICK.with_(universe="etf", gross_short=g).targets(funds).weights for g in (0.0, 5.0))
    assert one.tobytes() == two.tobytes()
    sold = QUICK.with_(universe="etf", gross=0, short=1).targets(funds)
    assert held(sold, funds, 30) == {"CALM": -1.0}
    assert not any("never trade" in note for note in sold.notes)
    nothing = QUICK.with_(universe="etf", gross=0, short=1, gross_short=0).targets(funds)
    assert any("can never trade: gross is 0" in note for note in nothing.notes)
