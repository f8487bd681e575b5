"""The look-ahead gap, episodes everybody remembers, and their picture."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.markets.sessions import build_grid
from entrepot.regimes.episodes import REMEMBERED, Episode, find_episodes
from entrepot.regimes.refits import Schedule

matplotlib.use("agg")

PRICES = Path(__file__).parents[2] / "shared" / "data" / "prices"
real = pytest.mark.skipif(not PRICES.is_dir(), reason="needs the folder of real prices, which is not shipped")
MODEL = ep.RegimeModel(tariff=ep.MarkovDetector(), schedule=Schedule(every=63, least=150))


@pytest.fixture(scope="module")
def events() -> ep.Events:
    return ep.load_events()


def fund_world(seed: int = 0) -> tuple[ep.Market, pd.DataFrame]:
    """A market of one fund that falls in short stretches of twice the volatility, hard to tell at first."""
    rng = np.random.default_rng(seed)
    sessions = pd.bdate_range("2019-01-02", periods=1500)
    wild = np.arange(1500) % 75 >= 55
    noise = rng.standard_normal(1500)
    returns = np.where(wild, -0.005 + 0.016 * noise, 0.002 + 0.008 * noise)
    frame = pd.DataFrame({"FUND": 100.0 * np.exp(np.cumsum(returns))}, index=sessions)
    market = ep.Market.from_prices(frame)
    rows = pd.DataFrame({"value": returns, "known_at": pd.DatetimeIndex(market.grid["time"])}, index=sessions)
    return market, rows


def calm_only(path: ep.RegimePath) -> pd.DataFrame:
    """The fund while there is no tariff risk, nothing otherwise."""
    calm = (path.states & 1 == 0).astype(float)
    frame = pd.DataFrame({"FUND": calm}, index=path.time)
    return frame.where(frame.diff().ne(0.0))


def gap_of(seed: int, events: ep.Events) -> tuple[ep.Market, ep.RegimeModel, ep.LookAheadGap]:
    market, rows = fund_world(seed)
    model = replace(MODEL, tariff_observation=lambda given: rows, event_driven=False)
    return market, model, ep.look_ahead_gap(market, calm_only, model, events, costs=ep.Costs.none())


def test_hindsight_earns_more_where_states_matter(events):
    gaps = []
    for seed in range(4):
        _, _, gap = gap_of(seed, events)
        assert list(gap.table.index) == ["walk-forward", "full-sample parameters", "smoothed states"]
        assert gap.table.at["walk-forward", "Steps Apart [%]"] == 0.0
        assert gap.table.at["smoothed states", "Steps Apart [%]"] > 0.0
        sharpe = gap.table["Sharpe Ratio"]
        gaps.append(sharpe["smoothed states"] - sharpe["walk-forward"])
    assert np.mean(gaps) > 0.3
    assert min(gaps) > 0.0


def test_the_honest_row_is_a_plain_backtest_on_the_walk_forward(events):
    market, model, gap = gap_of(0, events)
    honest = model.walk_forward(market, events, progress=False)
    alone = ep.backtest(market, calm_only(honest), path=honest, costs=ep.Costs.none())
    pd.testing.assert_series_equal(
        gap.returns["walk-forward"], alone.returns, check_names=False, check_freq=False
    )
    assert gap.table.at["walk-forward", "Switches"] == np.count_nonzero(np.diff(honest.states))
    head = gap.plot().figure.get_suptitle()
    assert head.startswith("Look-ahead gap: only walk-forward could be traded")
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"strategy": 3}, "give a RegimeSwitch"),
        ({"model": ep.RegimeModel()}, "neither detector of the model is fitted"),
        ({"model": None}, "model is None"),
    ],
)
def test_what_has_no_gap_is_refused(events, given, words):
    market, _ = fund_world()
    asked = {"strategy": calm_only, "model": MODEL} | given
    with pytest.raises(ep.EntrepotError, match=words):
        ep.look_ahead_gap(market, asked["strategy"], asked["model"], events)


def test_regimes_are_drawn_over_premia_with_nothing_before_the_first_fit(events):
    market = ep.simulate_market(start="2020-01-02", end="2021-12-31", seed=2)
    path = ep.RegimeModel(tariff=ep.MarkovDetector(), schedule=Schedule(least=200)).walk_forward(
        market, events
    )
    axes = ep.draw_regimes(market, path, events)
    assert [ax.get_title(loc="left") for ax in axes[1:]] == [
        "tariff risk: filtered probability",
        "delisting risk: score",
    ]
    line = axes[1].lines[0].get_ydata()
    fits = path.refits["tariff"]
    begin = fits.loc[fits["accepted"], "known_at"].iloc[0]
    assert np.isnan(line[path.time < begin]).all()
    assert np.isfinite(line[path.time >= begin]).all()
    assert len(ep.draw_regimes(market, path)) == 3
    fund, _ = fund_world()
    with pytest.raises(ep.EntrepotError, match="no pair"):
        ep.draw_regimes(fund, path)
    with pytest.raises(ep.EntrepotError, match="a market and its regime path"):
        ep.draw_regimes(path, market)
    matplotlib.pyplot.close("all")


def test_an_episode_is_known_from_where_its_first_stretch_began(events):
    market = ep.simulate_market(start="2021-01-04", end="2021-03-31", seed=2)
    path = ep.RegimeModel().walk_forward(market, events)
    day = path.time.tz_convert("America/New_York").tz_localize(None).normalize()
    states = np.where((day >= "2021-02-08") & (day <= "2021-02-19"), 2, 0).astype(np.int8)
    path = replace(path, states=states)
    asked = (
        Episode("inside", "delisting", "2021-02-10", "2021-02-12"),
        Episode("before it", "delisting", "2021-02-01", "2021-02-26"),
        Episode("another risk", "tariff", "2021-02-10", "2021-02-12"),
        Episode("outside the market", "delisting", "2019-02-10", "2019-02-12"),
    )
    table = find_episodes(path, asked)
    assert list(table.index) == ["inside", "before it", "another risk"]
    assert table["found"].tolist() == [True, True, False]
    first = path.time[states == 2][0]
    assert (table["known_from"].iloc[:2] == first).all()
    assert table["sessions_late"].iloc[0] < 0 < table["sessions_late"].iloc[1]
    assert table.at["inside", "share"] == 1.0
    assert pd.isna(table.at["another risk", "known_from"])
    assert table.at["another risk", "share"] == 0.0
    outside = ~((day >= "2021-02-10") & (day <= "2021-02-12"))
    assert table.at["inside", "share_outside"] == pytest.approx((states[outside] == 2).mean())
    with pytest.raises(ep.EntrepotError, match="its risk is tariff or delisting"):
        find_episodes(path, [Episode("odd", "weather", "2021-02-10", "2021-02-12")])
    with pytest.raises(ep.EntrepotError, match="give a path"):
        find_episodes(None)


@pytest.fixture(scope="module")
def real_market() -> ep.Market:
    return ep.load_market(PRICES, start="2019-06-03", ends="cut", departures="parity")


@real
def test_the_default_model_is_in_what_everybody_remembers(real_market, events):
    table = find_episodes(ep.RegimeModel().walk_forward(real_market, events))
    assert table["found"].all()
    later = table[table["start"] >= "2020-12-01"]
    assert (later["share"] == 1.0).all()
    assert (later["sessions_late"] <= 0).all()


@real
def test_fitted_on_prices_alone_scares_are_seen_late_or_in_part(real_market, events):
    model = ep.RegimeModel(
        tariff=ep.MarkovDetector(), delisting=ep.MarkovDetector(), schedule=Schedule(least=250)
    )
    path = model.walk_forward(real_market, events, progress=False)
    table = find_episodes(path).set_index("start", append=True).reset_index("episode")
    march = table.loc["2022-03-01"]
    assert march["found"]
    assert march["share"] > 2 * march["share_outside"]
    assert not table.loc["2019-05-05"]["found"]  # nothing had been fitted by then
    axes = ep.draw_regimes(real_market, path, events)
    assert len(axes) == 3
    matplotlib.pyplot.close("all")


# -- the calendar's own grid, without prices -----------------------------------------------------------------


@pytest.fixture(scope="module")
def whole_calendar() -> ep.Market:
    """One flat line on the grid of both venues over the whole calendar; thresholds read no price."""
    grid = build_grid(["XHKG", "XNYS"], "2018-01-02", "2026-09-30", ("open", "close"))
    flat = pd.DataFrame({"FLAT": 1.0}, index=pd.DatetimeIndex(grid["time"]))
    market = ep.Market.from_prices(flat)
    flat[(grid["venue"] == "XHKG").to_numpy()] = np.nan
    return replace(market, grid=grid, price=flat, instruments=market.instruments.assign(venue="XNYS"))


def test_the_default_model_is_in_every_remembered_episode_of_the_bundled_calendar(whole_calendar, events):
    path = ep.RegimeModel().walk_forward(whole_calendar, events)
    table = find_episodes(path)
    assert list(table.index) == [episode.name for episode in REMEMBERED]
    assert table["found"].all()
    assert (table["share"] > table["share_outside"]).all()
    assert table["share"].between(0, 1).all()
    starts = table.set_index("start")
    for day in ("2020-12-01", "2021-07-01", "2022-03-01", "2025-02-01"):
        assert starts.at[pd.Timestamp(day), "share"] == 1.0
        assert starts.at[pd.Timestamp(day), "sessions_late"] <= 0  # it was in already
    day = path.time.tz_convert("America/New_York").tz_localize(None)
    for row in table.itertuples():
        on = (path.states & (1 if row.risk == "tariff" else 2)) > 0
        inside = int(np.searchsorted(day, row.start))
        entered = path.time.get_loc(row.known_from)
        assert not on[entered - 1]
        assert on[entered : max(inside, entered) + 1].all()  # unbroken from there into the episode
        assert row.sessions_late == path.session_count[entered] - path.session_count[inside]


def test_an_episode_that_is_none_is_refused_and_no_episode_is_an_empty_table(whole_calendar, events):
    path = ep.RegimeModel().walk_forward(whole_calendar.until(300), events)
    for episodes, words in (
        ("tariff", "give a list of Episode"),
        ([("a", "tariff", "2018-02-01", "2018-02-02")], "give Episode"),
        ([Episode("a", ["tariff"], "2018-02-01", "2018-02-02")], "its risk is tariff or delisting"),
        ([Episode("a", "tariff", "soon", "2018-02-02")], "two dates"),
        ([Episode("a", "tariff", "5 6 2018", "7 8 2018")], "from '5 6 2018' to '7 8 2018': give two dates"),
        ([Episode("a", "tariff", "2018-02-01", "today")], "to 'today': give two dates"),
        ([Episode("a", "tariff", "2018-02-03", "2018-02-02")], "the first not after the last"),
    ):
        with pytest.raises(ep.EntrepotError, match=words):
            find_episodes(path, episodes)
    for none in ([], [Episode("a", "tariff", "2031-02-01", "2031-02-02")]):
        table = find_episodes(path, none)
        assert len(table) == 0
        assert "share_outside" in table
    everything = find_episodes(path, [Episode("all", "tariff", "2018-01-01", "2031-01-01")])
    assert np.isnan(everything.at["all", "share_outside"])
    assert everything.at["all", "share"] == ((path.states & 1) > 0).mean()


# -- pairs, switched -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs_market() -> ep.Market:
    return ep.simulate_market(start="2019-01-02", end="2020-06-30", seed=3)


def test_the_path_of_a_switch_is_replaced_in_every_run(pairs_market, events):
    pairs = ep.LongHKShortADR(lookback=30)
    elsewhere = ep.RegimeModel().walk_forward(pairs_market, events)
    switch = ep.RegimeSwitch(elsewhere, calm=pairs, tariff=pairs.with_(entry=2.5))
    gap = ep.look_ahead_gap(pairs_market, switch, MODEL, events, capital=5e6)
    assert list(gap.table.columns) == [
        "Total Return [%]",
        "Annualized Return [%]",
        "Sharpe Ratio",
        "Monthly Sharpe",
        "Max Drawdown [%]",
        "Turnover",
        "Total Costs",
        "Switches",
        "Steps Apart [%]",
    ]
    assert gap.label == pairs_market.label
    honest = MODEL.walk_forward(pairs_market, events, progress=False)
    assert gap.paths["walk-forward"].states.tobytes() == honest.states.tobytes()
    for name, path in gap.paths.items():
        run = ep.backtest(pairs_market, switch.with_(path=path), path=path, capital=5e6)
        summary = run.summary()
        for figure in gap.table.columns[:7]:
            assert gap.table.at[name, figure] == pytest.approx(summary[figure], rel=1e-12, nan_ok=True)
        pd.testing.assert_series_equal(gap.returns[name], run.returns, check_names=False, check_freq=False)
        apart = 100.0 * (path.states != honest.states).mean()
        assert gap.table.at[name, "Steps Apart [%]"] == pytest.approx(apart)
    begin = honest.refits["tariff"].loc[honest.refits["tariff"]["accepted"], "in_force_from"].iloc[0]
    early = gap.returns[gap.returns.index < begin]
    assert early.eq(early["walk-forward"], axis=0).all(axis=None)  # alike until something had been fitted
    assert gap.table["Total Costs"].gt(0).all()
    assert switch.path is elsewhere


def test_pictures_are_axes_and_warn_of_nothing(pairs_market, events):
    from matplotlib.axes import Axes

    never = ep.RegimeModel(tariff=ep.JumpDetector(penalty=1e9), schedule=MODEL.schedule)
    fitted = MODEL.walk_forward(pairs_market, events, progress=False)
    unfitted = never.walk_forward(pairs_market, events, progress=False)
    assert not unfitted.refits["tariff"]["accepted"].any()
    matplotlib.pyplot.close("all")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gap = ep.look_ahead_gap(pairs_market, lambda path: ep.LongHKShortADR(lookback=30), MODEL, events)
        drawn = gap.plot()
        ribbons = [
            ep.draw_regimes(pairs_market, fitted),
            ep.draw_regimes(pairs_market, fitted, events),
            ep.draw_regimes(pairs_market, fitted, ep.Events(events.frame.iloc[:0])),
            ep.draw_regimes(pairs_market, unfitted, events),
            ep.draw_regimes(pairs_market, ep.RegimeModel().walk_forward(pairs_market, events), events),
        ]
        for place in (drawn, *(ribbon[0] for ribbon in ribbons)):
            place.figure.canvas.draw()
    assert isinstance(drawn, Axes)
    assert all(isinstance(place, Axes) for ribbon in ribbons for place in ribbon)
    growth = drawn.lines[0].get_ydata()
    np.testing.assert_allclose(growth, 100 * (1 + gap.returns["walk-forward"]).cumprod(), rtol=1e-12)
    assert len(ribbons[0][0].collections) < len(ribbons[1][0].collections)  # the events are drawn
    assert len(ribbons[2][0].collections) == len(ribbons[0][0].collections)
    assert np.isnan(ribbons[3][1].lines[0].get_ydata()).all()  # nothing had been fitted, so nothing is told
    assert len(matplotlib.pyplot.get_fignums()) == 6  # each on a figure of its own, none drawn over
    matplotlib.pyplot.close("all")


def test_the_regimes_of_another_market_are_not_drawn_over_this_one(pairs_market, events):
    path = MODEL.walk_forward(pairs_market, events, progress=False)
    with pytest.raises(ep.EntrepotError, match="path is of another market"):
        ep.draw_regimes(pairs_market.until(2), path)
    with pytest.raises(ep.EntrepotError, match="events is 3"):
        ep.draw_regimes(pairs_market, path, 3)
    for market, own in ((None, events), (pairs_market, None)):
        with pytest.raises(ep.EntrepotError, match="give the market first"):
            ep.look_ahead_gap(market, calm_only, MODEL, own)
    cannot = ep.RegimeModel(tariff=ep.ChangePointDetector(), schedule=MODEL.schedule)
    with pytest.raises(ep.EntrepotError, match="the others have no smoother"):
        ep.look_ahead_gap(pairs_market, lambda path: ep.LongHKShortADR(lookback=30), cannot, events)
