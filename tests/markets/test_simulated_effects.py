"""What can be foreseen in a simulated market has the size that was asked for, and nothing else can."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from naive_simulation import arrived_at, discounts, known_before, segments, threat_at

from entrepot.engine import Costs, backtest
from entrepot.errors import EntrepotError, ParameterError
from entrepot.markets.known_series import KnownSeries
from entrepot.markets.listings import load_listings
from entrepot.markets.market import Market
from entrepot.markets.sessions import session_clock
from entrepot.markets.simulate import listed_lines, simulate_market
from entrepot.markets.simulated_effects import Effects
from entrepot.markets.simulated_events import THREATS, draw_events, impact, threats
from entrepot.markets.simulated_issuers import FACTORS, ISSUER_OF, ISSUERS
from entrepot.markets.simulated_prices import ads_premia, efficient_prices, sector_drifts
from entrepot.markets.simulated_series import SERIES, draw_signals, visible_series
from entrepot.markets.truth import Truth

SEEDS = range(24)
FEW = ("BABA", "9988.HK", "JD", "9618.HK", "0939.HK", "KWEB")
NOTHING = Effects.none(risk_price=0.0)


def made(effects: Effects, seed: int = 7, **given: Any) -> tuple[Market, Truth]:
    """A short market of few lines and its truth."""
    given = {"start": "2021-01-04", "end": "2021-12-31", "symbols": FEW} | given
    market = simulate_market(seed=seed, effects=effects, **given)
    assert market.truth is not None
    return market, market.truth


class World(NamedTuple):
    """Six years of few lines without their prints, which would take most of the time."""

    efficient: pd.DataFrame
    foreseen: pd.DataFrame
    premium: pd.DataFrame
    threat: pd.DataFrame
    sector_drift: pd.DataFrame
    series: dict[str, KnownSeries]


MARKET = simulate_market("2020-01-02", "2025-12-31", symbols=FEW)
CLOSES = np.flatnonzero(MARKET.decision_steps)
WORLDS: dict[str, World] = {}


def long(effects: Effects, seed: int) -> World:
    """As `simulate_market` makes them, once for each seed."""
    key = f"{effects} {seed}"
    if key not in WORLDS:
        time = pd.DatetimeIndex(MARKET.grid["time"])
        lines = listed_lines(MARKET.grid["session"].min(), FEW, load_listings())
        issuers = [ISSUER_OF[symbol] for symbol in FEW]
        events = draw_events(MARKET.grid, seed)
        threat = threats(time, events)
        signals = draw_signals(MARKET.grid, issuers, seed)
        drift = sector_drifts(len(time), seed, effects)
        pairs = [ISSUER_OF[adr] for adr in MARKET.pairs.index]
        premia = ads_premia(time, pairs, threat["delisting"].to_numpy(), seed, effects, signals)
        WORLDS[key] = World(
            *(
                pd.DataFrame(values, index=time, columns=FEW)
                for values in efficient_prices(MARKET.grid, issuers, events, seed, effects, signals)
            ),
            pd.DataFrame(np.expm1(premia), index=time, columns=MARKET.pairs.index),
            threat,
            pd.DataFrame(drift, index=time, columns=FACTORS),
            visible_series(signals, lines, time[-1], seed)[0],
        )
    return WORLDS[key]


def truth_of(market: Market) -> Truth:
    assert market.truth is not None
    return market.truth


def test_the_worlds_of_these_tests_are_those_of_the_market() -> None:
    world, truth = long(Effects(), 7), truth_of(MARKET)
    for name in ("efficient", "foreseen", "premium", "threat", "sector_drift"):
        assert np.array_equal(getattr(world, name), getattr(truth, name))
    assert np.array_equal(world.series["custody"].array, truth.series["custody"].array, equal_nan=True)


def column(series: KnownSeries, name: str) -> np.ndarray:
    return series.only([name]).array[:, 0]


def changes(table: pd.DataFrame) -> pd.DataFrame:
    """From one New York close to the next."""
    return table.iloc[CLOSES].diff().iloc[1:]


def t_of(slopes: list[float]) -> float:
    """Of the mean over seeds."""
    return float(np.mean(slopes) / (np.std(slopes, ddof=1) / np.sqrt(len(slopes))))


def slope(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / (x * x).sum())


def clock(moment: pd.Timestamp) -> float:
    return float(session_clock(pd.DatetimeIndex([moment]))[0])


# -- nothing ---------------------------------------------------------------------------------------------


def none_of(world: World) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What each effect would have predicted, and what came: pairs of (predictor, later return)."""
    moves = changes(world.efficient).to_numpy()
    level = world.premium.to_numpy()[CLOSES]
    premium = np.diff(level, axis=0)
    lines = list(FEW)
    threat = world.threat.to_numpy()[CLOSES][:-1]
    past = pd.DataFrame(moves).rolling(60).mean().to_numpy()
    found = {
        "reversion": (level[:-1].ravel(), premium.ravel()),
        "reversal": (moves[:-1].ravel(), moves[1:].ravel()),
        "momentum": (past[59:-1].ravel(), moves[60:].ravel()),
        "delisting premium": (np.repeat(threat[:, 1], premium.shape[1]), premium.ravel()),
        "delisting": (threat[:, 1], moves[:, lines.index("BABA")]),
        "tariff": (threat[:, 0], moves[:, lines.index("BABA")]),
    }
    for name, line in (("southbound", "9988.HK"), ("forward_pe", "KWEB"), ("ah_premium", "0939.HK")):
        series = world.series[name]
        row = series.row_at(MARKET, CLOSES)[:-1]
        signal = column(series, line)[np.maximum(row, 0)]
        found[name] = (signal[row >= 0], moves[row >= 0, lines.index(line)])
    row = world.series["ipo_proceeds"].row_at(MARKET, CLOSES)[:-1]
    money = column(world.series["ipo_proceeds"], "market")[np.maximum(row, 0)]
    found["ipo_proceeds"] = (money[row >= 0], moves[row >= 0, lines.index("KWEB")])
    custody = world.series["custody"]
    row = custody.row_at(MARKET, CLOSES)[:-1]
    rise = custody.derived(lambda values: values.diff(20))
    rise = column(rise, "9988.HK")[np.maximum(row, 0)]
    seen = (row >= 0) & np.isfinite(rise)
    found["custody"] = (rise[seen], premium[seen, 0])
    return found


@lru_cache
def slopes_of_nothing() -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for seed in SEEDS:
        for name, (predictor, later) in none_of(long(NOTHING, seed)).items():
            found.setdefault(name, []).append(slope(predictor, later) * predictor.std() / later.std())
    return found


@pytest.mark.parametrize(
    "effect",
    [
        "reversal",
        "momentum",
        "delisting premium",
        "delisting",
        "tariff",
        *SERIES,
    ],
)
def test_where_nothing_is_switched_on_nothing_can_be_foreseen(effect: str) -> None:
    slopes = slopes_of_nothing()[effect]
    assert len(slopes) == len(SEEDS)
    assert abs(t_of(slopes)) < 3.0
    assert abs(np.mean(slopes)) < 0.02


def test_a_random_walk_seems_to_revert_only_as_much_as_any_does() -> None:
    """The slope on its own level is biased in every sample of a random walk: 1.77 * sd(slope) is normal."""
    slopes = [slope(*none_of(long(NOTHING, seed))["reversion"]) * len(CLOSES) for seed in SEEDS]
    # Dickey and Fuller: T * slope has its median near -4.4 with a constant, and 1 % below -20.
    assert -12.0 < np.median(slopes) < 0.0


def test_the_null_market_is_a_martingale() -> None:
    """Mean gross return of every line over all seeds is one, and the exchange rate stands still."""
    growth = np.array(
        [np.exp(np.diff(long(NOTHING, s).efficient.to_numpy()[[0, -1]], axis=0))[0] for s in SEEDS]
    )
    error = growth.std(axis=0, ddof=1) / np.sqrt(len(growth))
    assert (np.abs(growth.mean(axis=0) - 1.0) < 3.0 * error).all()
    assert (long(NOTHING, 3).foreseen == 0.0).all(axis=None)
    assert len(set(made(NOTHING)[0].fixings["per_usd"])) == 1
    assert len(set(made(Effects())[0].fixings["per_usd"])) > 100


def test_risk_is_paid_unless_it_is_not() -> None:
    paid = long(Effects.none(), 3)
    years = len(CLOSES) / 252
    for symbol in FEW:
        issuer = ISSUER_OF[symbol]
        reward = 0.3 * issuer.market * issuer.volatility
        assert truth_of(MARKET).lines.at[symbol, "reward"] == pytest.approx(reward)
        assert paid.foreseen[symbol].iloc[-1] == pytest.approx(reward * years, rel=0.05)
    assert (paid.efficient - paid.foreseen).to_numpy() == pytest.approx(
        long(NOTHING, 3).efficient.to_numpy(), abs=1e-9
    )


# -- each effect ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("half_life", [0.5, 1.0, 10.0])
def test_premia_revert_with_their_half_life_and_keep_their_spread(half_life: float) -> None:
    effects = Effects(premium_half_life=half_life, delisting_drift=0.0)
    decays, spreads = [], []
    for seed in SEEDS[:8]:
        log = np.log1p(long(effects, seed).premium.to_numpy())
        decays.append(np.mean([slope(log[:-4, k], log[4:, k]) for k in range(2)]))
        spreads.append(log.std(axis=0).mean())
    assert np.mean(decays) == pytest.approx(0.5 ** (1.0 / half_life), abs=0.03)
    assert np.mean(spreads) == pytest.approx(0.0075, rel=0.1)


def test_a_premium_without_reversion_wanders_one_percent_a_year() -> None:
    steps = np.concatenate([np.diff(np.log1p(long(NOTHING, s).premium.to_numpy()), axis=0) for s in SEEDS])
    assert steps.std() * np.sqrt(1008) == pytest.approx(0.01, rel=0.02)
    assert abs(pd.Series(steps[:, 0]).autocorr(1)) < 0.02
    assert np.corrcoef(steps.T)[0, 1] == pytest.approx(0.4, abs=0.03)


def test_the_threat_stands_decays_and_is_ended_by_relief() -> None:
    """By hand: 4 decays to 2 in twenty sessions; 3 more make 5; a relief of 2 leaves 3, one of 5 nothing."""
    when = ["2021-03-01T21:00Z", "2021-03-29T20:00Z", "2021-03-29T20:00Z", "2021-04-29T20:00Z"]
    events = pd.DataFrame(
        {
            "known_at": pd.to_datetime(when, utc=True),
            "channel": ["delisting", "investment_restriction", "delisting", "delisting"],
            "direction": [1, 1, -1, -1],
            "severity": [4.0, 3.0, 2.0, 5.0],
        }
    )
    market, truth = made(Effects(), events=events)
    at_close = truth.threat["delisting"][market.decision_steps]
    at_close.index = at_close.index.tz_localize(None).normalize()
    assert at_close["2021-03-01"] == 0.0  # known at the close, it stands from the next step on
    assert at_close["2021-03-02"] == pytest.approx(4.0 * 0.5 ** (1 / 20))
    assert at_close["2021-03-26"] == pytest.approx(4.0 * 0.5 ** (19 / 20))
    assert at_close["2021-03-30"] == pytest.approx(3.0 * 0.5 ** (1 / 20))
    assert (at_close["2021-04-30":] == 0.0).all()
    assert (truth.threat["tariff"] == 0.0).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_threat_and_discount_are_those_of_the_formulas(seed: int) -> None:
    market, truth = made(Effects(delisting_drift=3.0), seed, end="2021-06-30")
    _, flat = made(Effects(delisting_drift=0.0), seed, end="2021-06-30")
    times = list(market.price.index)
    for risk, channels in THREATS.items():
        naive = [threat_at(time, clock, truth.events, channels) for time in times[::20]]
        assert truth.threat[risk].to_numpy()[::20] == pytest.approx(naive, abs=1e-9)
    naive = discounts(truth.threat["delisting"], 3.0)
    gap = np.log1p(truth.premium) - np.log1p(flat.premium)
    for adr in ("BABA", "JD"):
        assert gap[adr].to_numpy() == pytest.approx(naive, abs=1e-12)


@pytest.mark.parametrize("drift", [1.0, 6.0])
def test_who_acts_at_the_close_after_an_event_still_earns_most_of_what_it_does(drift: float) -> None:
    when = ["2021-03-01T15:00Z", "2021-06-01T15:00Z"]
    events = pd.DataFrame(
        {
            "known_at": pd.to_datetime(when, utc=True),
            "channel": "delisting",
            "direction": [1, -1],
            "severity": 5.0,
        }
    )
    market, truth = made(Effects(delisting_drift=drift), events=events)
    _, flat = made(Effects(delisting_drift=drift), events=events[:0])
    gap = (np.log1p(truth.premium["BABA"]) - np.log1p(flat.premium["BABA"]))[market.decision_steps]
    gap.index = gap.index.tz_localize(None).normalize()
    widest = gap.min()
    assert -0.005 * drift < widest < -0.0025 * drift
    assert gap["2021-03-01"] / widest < 0.25
    assert gap[:"2021-02-26"].abs().max() == 0.0
    before = gap["2021-05-28"]
    assert before < -0.0003 * drift
    assert gap["2021-06-01"] / before > 0.8
    assert abs(gap["2021-06-30"] / before) < 0.02


@pytest.mark.parametrize(("late", "half_life"), [(0.5, 5.0), (1.0, 2.0), (0.0, 5.0)])
def test_underreaction_brings_a_share_of_each_event_later(late: float, half_life: float) -> None:
    given = {"start": "2021-01-04", "end": "2021-03-31"}
    effects = NOTHING.with_(event_impact=1.0, underreaction=late, reaction_half_life=half_life)
    market, truth = made(effects, **given)
    _, quiet = made(NOTHING, **given)
    assert len(truth.events) > 5
    times = list(market.price.index)
    for symbol in ("BABA", "0939.HK"):
        moved = (truth.efficient[symbol] - quiet.efficient[symbol]).to_numpy()
        for step in range(0, len(times), 17):
            naive = sum(
                arrived_at(step, times, clock, truth.events, channel, late, half_life)
                * impact(ISSUER_OF[symbol], channel)
                for channel in truth.events["channel"].unique()
            )
            assert moved[step] == pytest.approx(naive, abs=1e-12)
        assert truth.betas.at[symbol, "tariff"] == impact(ISSUER_OF[symbol], "tariff")


def test_what_comes_late_is_foreseen_and_the_surprise_is_not() -> None:
    events = pd.DataFrame(
        {
            "known_at": [pd.Timestamp("2021-03-01T15:00Z")],
            "channel": "tariff",
            "direction": 1,
            "severity": 5.0,
        }
    )
    effects = NOTHING.with_(event_impact=1.0, underreaction=0.6, reaction_half_life=4.0)
    market, truth = made(effects, events=events)
    total = 5.0 * impact(ISSUER_OF["BABA"], "tariff")
    foreseen = truth.foreseen["BABA"][market.decision_steps]
    foreseen.index = foreseen.index.tz_localize(None).normalize()
    assert foreseen["2021-02-26"] == 0.0
    assert foreseen["2021-03-05"] - foreseen["2021-03-01"] == pytest.approx(0.6 * total / 2, rel=0.02)
    assert foreseen.iloc[-1] == pytest.approx(0.6 * total, rel=1e-6)
    assert foreseen["2021-03-01"] == 0.0  # the first step after 15:00 UTC is that day's close


def test_momentum_moves_whole_sectors_by_what_it_says() -> None:
    effects = NOTHING.with_(momentum=1.5)
    drifts, ratios = [], []
    for seed in SEEDS:
        world = long(effects, seed)
        drifts.append(world.sector_drift.to_numpy())
        moved = world.efficient - long(NOTHING, seed).efficient
        daily = changes(moved)["BABA"].to_numpy() * 252
        known = world.sector_drift["internet"].to_numpy()[CLOSES][1:]
        ratios.append(slope(known, daily))
    assert np.concatenate(drifts).std() == pytest.approx(1.5, rel=0.1)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.02)
    path = drifts[0][:, FACTORS.index("internet")]
    assert slope(path[:-480], path[480:]) == pytest.approx(0.5, abs=0.35)
    together = np.corrcoef(np.concatenate(drifts).T)[~np.eye(5, dtype=bool)]
    assert np.abs(together).max() < 0.25


def test_momentum_can_be_seen_in_returns() -> None:
    """The share of the variance of sector returns that the drift explains, over all seeds."""
    effects = NOTHING.with_(momentum=1.5)
    found = []
    for seed in SEEDS:
        world = long(effects, seed)
        known = world.sector_drift["internet"].to_numpy()[CLOSES][:-1]
        found.append(slope(known, changes(world.efficient)["KWEB"].to_numpy() * 252))
    assert t_of(found) > 5.0
    assert np.mean(found) == pytest.approx(1.0, abs=3.0 * np.std(found, ddof=1) / np.sqrt(len(found)))


def test_low_volatility_takes_the_reward_for_risk_away() -> None:
    rewards = [
        made(Effects(low_volatility=share), end="2021-02-26")[1].lines["reward"] for share in (0, 0.5, 1)
    ]
    average = 0.3 * np.mean([issuer.market * issuer.volatility for issuer in ISSUERS])
    assert rewards[2].to_numpy() == pytest.approx(average)
    assert rewards[1].to_numpy() == pytest.approx((rewards[0] + rewards[2]) / 2)
    assert rewards[0]["BABA"] > average > rewards[0]["0939.HK"]


def test_a_drift_is_of_the_company() -> None:
    market, truth = made(NOTHING.with_(drift={"9988.HK": 0.10, "KWEB": -0.20}))
    _, flat = made(NOTHING)
    moved = (truth.efficient - flat.efficient).to_numpy()
    shares = np.cumsum(segments(market.grid, dual=True)) / 252
    for symbol, drift in {"BABA": 0.10, "9988.HK": 0.10, "KWEB": -0.20, "JD": 0.0}.items():
        assert moved[:, FEW.index(symbol)] == pytest.approx(drift * shares, abs=1e-9)
    assert moved[:, FEW.index("JD")] == pytest.approx(0.0, abs=1e-12)
    assert shares[-1] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("name", ["southbound", "forward_pe", "ah_premium", "ipo_proceeds"])
def test_a_signal_moves_prices_from_the_moment_it_is_known(name: str) -> None:
    """Step by step: strength times the last signal known at the step before, times the segment."""
    line = {"southbound": "9988.HK", "forward_pe": "KWEB", "ah_premium": "0939.HK", "ipo_proceeds": "KWEB"}[
        name
    ]
    given = {"start": "2021-01-04", "end": "2021-04-30"}
    market, truth = made(NOTHING.with_(signals={name: 0.5}), **given)
    _, flat = made(NOTHING, **given)
    moved = (truth.efficient - flat.efficient)[line].to_numpy()
    times, total = list(market.price.index), 0.0
    shares = segments(market.grid, dual=line != "0939.HK")
    assert moved[0] == 0.0
    for t in range(1, len(market)):
        signal = known_before(truth.signals[name], "market" if name == "ipo_proceeds" else line, times[t - 1])
        total += 0.5 * signal * shares[t] / 252
        assert moved[t] == pytest.approx(total, abs=1e-12)
    assert abs(total) > 1e-4
    assert (truth.foreseen - truth.efficient + flat.efficient).abs().max(axis=None) < 1e-9
    assert np.array_equal(truth.series[name].array, flat.series[name].array, equal_nan=True)


def test_custody_lowers_the_premium_and_no_price() -> None:
    given = {"start": "2021-01-04", "end": "2021-04-30"}
    market, truth = made(NOTHING.with_(signals={"custody": 0.5}), **given)
    _, flat = made(NOTHING, **given)
    pd.testing.assert_frame_equal(truth.efficient, flat.efficient)
    moved = (np.log1p(truth.premium) - np.log1p(flat.premium))["BABA"].to_numpy()
    times, level = list(market.price.index), 0.0
    for t in range(1, len(market)):
        signal = known_before(truth.signals["custody"], "9988.HK", times[t - 1])
        level = level * 0.5 ** (1 / 1000) - 0.5 * signal / 1008
        assert moved[t] == pytest.approx(level, abs=1e-12)
    assert abs(level) > 1e-3


@pytest.mark.parametrize(
    ("name", "line", "sign"),
    [
        ("southbound", "9988.HK", 1),
        ("forward_pe", "KWEB", -1),
        ("ah_premium", "0939.HK", -1),
        ("ipo_proceeds", "KWEB", 1),
    ],
)
def test_what_the_vendor_shows_predicts_returns_where_the_signal_does(
    name: str, line: str, sign: int
) -> None:
    effects = NOTHING.with_(signals={name: 2.0})
    found = []
    for seed in SEEDS[:12]:
        world = long(effects, seed)
        moves = changes(world.efficient)[line].to_numpy()
        series = world.series[name]
        row = series.row_at(MARKET, CLOSES)[:-1]
        shown = column(series, "market" if name == "ipo_proceeds" else line)
        found.append(slope(shown[np.maximum(row, 0)][row >= 0], moves[row >= 0]))
    assert t_of(found) * sign > 4.0


def test_the_market_without_effects_is_the_same_whatever_else_is_asked() -> None:
    """Switching one effect on changes no draw of another."""
    _, flat = made(NOTHING)
    _, busy = made(NOTHING.with_(momentum=0.2, signals=dict.fromkeys(SERIES, 0.1), drift={"JD": 0.1}))
    unexpected = busy.efficient - busy.foreseen
    assert unexpected.to_numpy() == pytest.approx(flat.efficient.to_numpy(), abs=1e-9)
    for name in SERIES:
        assert np.array_equal(busy.signals[name].array, flat.signals[name].array)


def test_events_move_nothing_where_their_impact_is_zero() -> None:
    market, truth = made(NOTHING)
    assert len(truth.events) > 10
    _, other = made(NOTHING, events=draw_events(market.grid, 99))
    pd.testing.assert_frame_equal(truth.efficient, other.efficient)
    pd.testing.assert_frame_equal(truth.premium, other.premium)
    _, moved = made(NOTHING.with_(event_impact=2.0))
    _, once = made(NOTHING.with_(event_impact=1.0))
    twice = moved.efficient - truth.efficient
    assert twice.to_numpy() == pytest.approx(2.0 * (once.efficient - truth.efficient).to_numpy(), abs=1e-12)
    assert twice.abs().max(axis=None) > 0.001


# -- bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"risk_price": 9.0}, "risk_price is 9.0: give a number from -5 to 5"),
        ({"premium_half_life": 0.0}, "premium_half_life is 0.0"),
        ({"premium_half_life": np.nan}, "premium_half_life is nan"),
        ({"delisting_drift": "strong"}, "delisting_drift is 'strong'"),
        ({"underreaction": 1.5}, "underreaction is 1.5: give a number from 0 to 1"),
        ({"reaction_half_life": 0}, "reaction_half_life is 0"),
        ({"momentum": -0.1}, "momentum is -0.1"),
        ({"momentum": True}, "momentum is True"),
        ({"low_volatility": 2}, "low_volatility is 2"),
        ({"drift": {"TSLA": 0.1}}, "drift names 'TSLA', not simulated"),
        ({"drift": {"BABA": 10}}, "drift of BABA is 10: give a log return a year"),
        ({"drift": 0.1}, "drift is 0.1: give a mapping"),
        ({"drift": {"BABA": 0.1, "9988.HK": 0.1}}, "drift names both lines of a company in .*: it has one"),
        ({"signals": {"rumours": 0.1}}, "signals names 'rumours', not simulated: choose among southbound"),
        ({"signals": {"custody": np.inf}}, "signals of custody is inf"),
        ({"fx_half_life": -1}, "fx_half_life is -1"),
    ],
)
def test_wrong_effects_are_refused_in_one_sentence(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(EntrepotError, match=message) as refusal:
        Effects(**arguments)
    assert "\n" not in str(refusal.value)


def test_effects_are_changed_by_name() -> None:
    assert Effects().with_(momentum=0.1) == Effects(momentum=0.1)
    assert Effects.none().with_(risk_price=0.0) == NOTHING
    with pytest.raises(ParameterError, match="no speed: it has risk_price"):
        Effects().with_(speed=1)
    given = {"JD": 0.1}
    effects = Effects(drift=given)
    given["JD"] = 0.5
    assert effects.drift == {"JD": 0.1}


def test_a_market_says_what_it_was_made_with() -> None:
    assert repr(Effects()) == "Effects()"
    assert repr(NOTHING.with_(momentum=0.2)) == (
        "Effects(risk_price=0.0, premium_half_life=inf, delisting_drift=0.0, event_impact=0.0, momentum=0.2, "
        "fx_half_life=inf)"
    )
    market, _ = made(Effects(delisting_drift=6.0), end="2021-02-26")
    assert any("Effects(delisting_drift=6.0)" in note for note in market.notes)


def test_prices_earn_their_reward_in_place_of_the_policy_rate() -> None:
    """Where nothing can be foreseen a short still earns its rebate, unless money is told to earn nothing."""
    market, _ = made(NOTHING, start="2023-01-03", end="2023-12-29", symbols=["KWEB"])
    short = pd.DataFrame({"KWEB": [-0.1]}, index=pd.to_datetime(["2023-01-03"]))
    usual = backtest(market, short, capital=1e6).contributions.sum().groupby(level=0).sum()
    assert usual["interest"] > 0.045e6
    assert usual["rebate"] > 0.0045e6
    idle = Costs(cash_rate_pa={"USD": 0.0, "HKD": 0.0}, rebate_spread_pa=0.0)
    bare = backtest(market, short, capital=1e6, costs=idle).contributions.sum().groupby(level=0).sum()
    assert not {"interest", "rebate"} & set(bare.index[bare != 0.0])
    assert {"borrow", "price"} <= set(bare.index)
