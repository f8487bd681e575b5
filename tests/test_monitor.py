"""The ADR discount monitor: its figures, what it knew when, and the picture of March 2025."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import naive_monitor as naive
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.markets.market import Market, empty_table
from entrepot.monitor import DiscountMonitor, discount_monitor
from entrepot.strategies.pair_history import between_ex_dates
from entrepot.strategies.targets import decisions

matplotlib.use("agg")

LINES = ["BABA", "9988.HK", "JD", "9618.HK", "NTES", "9999.HK", "BIDU", "9888.HK"]
ADRS = ["BABA", "BIDU", "JD", "NTES"]
CLOCK = {"XHKG": "08:10", "XNYS": "21:00"}


def pair_market(
    premia: Any, start: str = "2022-01-03", hk_holidays: tuple[str, ...] = (), **tables: Any
) -> Market:
    """A pair for each column of premia, one business day a row: Hong Kong stands at 100, the rate at 7.8."""
    premia = np.asarray(premia, dtype=float)
    days = pd.bdate_range(start, periods=len(premia))
    shut = pd.DatetimeIndex(list(hk_holidays))
    rows = [
        (day + pd.Timedelta(f"{clock}:00"), venue, "close", day)
        for day in days
        for venue, clock in CLOCK.items()
        if not (venue == "XHKG" and day in shut)
    ]
    grid = pd.DataFrame(rows, columns=["time", "venue", "phase", "session"]).rename_axis("step")
    grid["time"] = pd.DatetimeIndex(grid["time"]).as_unit("ns").tz_localize("UTC")
    grid["session"] = pd.DatetimeIndex(grid["session"]).as_unit("ns")
    at, in_hk = days.get_indexer(grid["session"]), (grid["venue"] == "XHKG").to_numpy()
    price, lines = {}, {}
    for k, column in enumerate(premia.T):
        hk, adr = f"{100 + k}.HK", f"AD{chr(65 + k)}"
        price[hk] = np.where(in_hk, 100.0, np.nan)
        price[adr] = np.where(in_hk, np.nan, 8 * 100 / 7.8 * (1 + column[at]))
        for symbol, partner, venue, currency, kind in (
            (hk, adr, "XHKG", "HKD", "ordinary"), (adr, hk, "XNYS", "USD", "ads"),
        ):  # fmt: skip
            lines[symbol] = {
                "venue": venue, "currency": currency, "company": adr, "sector": "unclassified", "kind": kind,
                "pair": partner, "lot": 1.0, "adjustment": "raw", "shortable": True, "size": "mega",
                "withholding": 0.0, "fee_class": "hk_stock" if venue == "XHKG" else "us_stock",
            }  # fmt: skip
    fixings = pd.DataFrame(
        {
            "time": (days - pd.Timedelta("11h")).tz_localize("UTC").as_unit("ns"),
            "currency": "HKD",
            "per_usd": 7.8,
        }
    )
    ratios = pd.DataFrame(
        [
            (symbol, pd.Timestamp("2010-01-01"), 8.0)
            for symbol, line in lines.items()
            if line["kind"] == "ads"
        ],
        columns=["adr", "effective_from", "ordinary_per_ads"],
    )
    return Market(
        grid,
        pd.DataFrame(price, index=pd.DatetimeIndex(grid["time"], name="time")),
        pd.DataFrame.from_dict(lines, orient="index").rename_axis("symbol"),
        fixings=fixings,
        ratios=ratios,
        **tables,
    )


def dividends(*rows: tuple[str, str]) -> pd.DataFrame:
    table = pd.DataFrame(
        [(symbol, pd.Timestamp(day), 5.0, pd.NaT) for symbol, day in rows],
        columns=["symbol", "ex_date", "amount", "pay_date"],
    )
    return table[list(empty_table("dividends").columns)].astype(empty_table("dividends").dtypes)


@pytest.fixture(scope="module")
def simulated() -> Market:
    """Three years of four pairs, with their dividends and holidays, and prices missing here and there."""
    market = ep.simulate_market("2019-11-01", "2021-12-31", seed=5, symbols=LINES)
    price = market.price.copy()
    rng = np.random.default_rng(1)
    for column in range(price.shape[1]):
        price.iloc[rng.integers(0, len(price), 60), column] = np.nan
    return replace(market, price=price)


@pytest.fixture(scope="module")
def watching(simulated: Market) -> DiscountMonitor:
    return discount_monitor(simulated, levels={"BABA": -0.02})


# -- figures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"smooth": 5, "lookback": 20, "alert_median": -0.004, "percentile": 0.05, "window": 300},
        {
            "align": "next_hk",
            "window": 250,
            "lookback": 30,
            "levels": {"JD": -0.01, "BABA": -0.03},
            "adrs": ["JD", "BABA", "NTES"],
        },
    ],
    ids=["default", "smooth", "next_hk"],
)
def test_figures_are_those_of_plain_loops(simulated: Market, asked: dict[str, Any]) -> None:
    monitor = discount_monitor(simulated, **asked)
    adrs = asked.get("adrs", list(simulated.pairs.index))
    sessions, raw, known = naive.premia(simulated, adrs, asked.get("align", "same_date"))
    window, percentile = asked.get("window", 504), asked.get("percentile", 0.01)
    watched = {adr: naive.smoothed(row, asked.get("smooth", 1)) for adr, row in raw.items()}
    bars = {adr: naive.levels(row, window, percentile) for adr, row in watched.items()}
    assert list(monitor.premium.columns) == list(adrs)
    assert list(monitor.premium.index) == sessions
    assert monitor.premium.isna().any(axis=None)
    for frame, rows in (
        (monitor.premium, raw),
        (monitor.watched, watched),
        (monitor.zscore, {a: naive.zscores(r, asked.get("lookback", 60)) for a, r in watched.items()}),
        (monitor.level, bars),
        (monitor.percentile, {a: naive.percentiles(r, window) for a, r in watched.items()}),
    ):
        expected = np.array([rows[adr] for adr in adrs], dtype=float).T
        assert np.isfinite(expected).any()
        np.testing.assert_allclose(frame.to_numpy(), expected, rtol=1e-9, atol=1e-12)
    median = naive.medians(watched.values())
    np.testing.assert_allclose(monitor.median.to_numpy(), np.array(median, dtype=float), atol=1e-14)
    assert list(monitor.known_at) == [pd.NaT if when is None else when for when in known]

    expected = naive.alerts(
        "median", "median", median, [asked.get("alert_median", -0.015)] * len(sessions), sessions, known
    )
    for adr in adrs:
        expected += naive.alerts("percentile", adr, watched[adr], bars[adr], sessions, known)
        fixed = [asked.get("levels", {}).get(adr)] * len(sessions)
        expected += naive.alerts("level", adr, watched[adr], fixed, sessions, known)
    expected.sort(key=lambda row: row["session"])
    assert len(expected) > 10
    assert {row["kind"] for row in expected} >= {"median", "percentile"}
    table = pd.DataFrame(expected)
    for column in ("known_at", "session", "kind", "name", "sessions", "ended_at"):
        own = [None if value is pd.NaT else value for value in monitor.alerts[column]]
        assert own == [None if value is pd.NaT else value for value in table[column]], column
    for column in ("premium", "level", "lowest"):
        np.testing.assert_allclose(monitor.alerts[column], table[column], rtol=1e-9)

    gauge = naive.gauge(simulated, sessions, known, median)
    signal = monitor.signal()
    np.testing.assert_allclose(signal["median"], np.array(gauge, dtype=float), atol=1e-14)
    assert signal.index.equals(simulated.price.index)
    assert (signal["alert"] == (signal["median"] < monitor.alert_median)).all()


@pytest.mark.parametrize("by", ["session", "week"])
def test_the_last_wider_discount_is_that_of_plain_loops(watching: DiscountMonitor, by: str) -> None:
    sessions, found = list(watching.premium.index), 0
    for adr in ADRS:
        row = [None if np.isnan(value) else value for value in watching.premium[adr]]
        for k in range(20, len(sessions), 9):
            if row[k] is not None:
                when = watching.widest_since(adr, sessions[k], by=by)
                expected = naive.widest_since(row, sessions, k, by)
                assert (when is pd.NaT) if expected is None else when == expected
                found += expected is not None
    assert found > 100


def test_a_discount_by_hand() -> None:
    premia = np.zeros((12, 4))
    premia[5] = [-0.05, -0.02, -0.0098, 0.03]  # Monday 10 January
    premia[6] = [-0.03, -0.04, np.nan, np.nan]
    premia[7] = [-0.03, -0.04, -0.018, np.nan]
    monitor = discount_monitor(pair_market(premia, hk_holidays=("2022-01-13",)), levels={"ADA": -0.04})
    day = monitor.premium.index[5]
    assert day == pd.Timestamp("2022-01-10")
    np.testing.assert_allclose(monitor.premium.iloc[5], premia[5], atol=1e-12)
    assert monitor.median[day] == pytest.approx(-0.0149)  # of four, the mean of the middle two
    assert list(monitor.names[5:9]) == [4, 2, 3, 0]
    assert np.isnan(monitor.median.iloc[6])  # two names have no median
    assert monitor.median.iloc[7] == pytest.approx(-0.03)
    assert monitor.premium.iloc[8].isna().all()  # Hong Kong was closed
    alerts = monitor.alerts.set_index("kind")
    assert alerts.index.tolist() == ["level", "median"]
    assert alerts.loc["level", ["name", "session", "sessions"]].tolist() == ["ADA", day, 1]
    assert alerts.loc["level", "ended_at"] == pd.Timestamp("2022-01-11 21:00", tz="UTC")
    assert alerts.loc["median", "known_at"] == pd.Timestamp("2022-01-12 21:00", tz="UTC")
    assert alerts.loc["median", "ended_at"] == pd.Timestamp(
        "2022-01-14 21:00", tz="UTC"
    )  # the next with a median
    assert monitor.week("ADA", "2022-01-14").to_dict() == pytest.approx(
        {"mean": -0.11 / 4, "min": -0.05, "max": 0.0, "sessions": 4.0}, abs=1e-12
    )
    assert monitor.week("ADA", "2022-01-11")["mean"] == pytest.approx(-0.04)
    assert monitor.week("ADA", "2022-01-16").equals(monitor.week("ADA", "2022-01-14"))
    assert monitor.widest_since("ADA", "2022-01-12") == day
    assert monitor.widest_since("ADA", "2022-01-10") is pd.NaT
    assert monitor.widest_since("ADB", "2022-01-12") is pd.NaT  # as wide the day before, not wider


def test_a_record_low_has_percentile_zero_and_is_below_a_level_that_was_known_before() -> None:
    past = np.linspace(-0.01, 0.01, 301)
    premia = np.column_stack([np.append(np.roll(past, k), -0.02) for k in range(3)])
    monitor = discount_monitor(pair_market(premia), window=301, percentile=0.01)
    last = monitor.premium.index[-1]
    own = np.sort(premia[:301, 0])
    assert monitor.level.at[last, "ADA"] == pytest.approx(own[3])  # a hundredth of the way
    assert monitor.percentile.at[last, "ADA"] == 0.0
    assert (monitor.level.notna().sum() == 302 - 150).all()  # half of the window
    scrambled = premia.copy()
    scrambled[-1] = 0.3
    other = discount_monitor(pair_market(scrambled), window=301, percentile=0.01)
    assert other.level.iloc[-1].equals(monitor.level.iloc[-1])
    assert other.percentile.iloc[-1].eq(1.0).all()
    assert monitor.alerts.loc[monitor.alerts["session"] == last, "name"].tolist() == [
        "median",
        "ADA",
        "ADB",
        "ADC",
    ]


def test_where_nothing_moves_nothing_is_low() -> None:
    monitor = discount_monitor(pair_market(np.full((60, 3), -0.001)), window=20, lookback=5)
    assert monitor.percentile.dropna().eq(0.0).all(axis=None)  # no value was lower
    assert monitor.percentile.notna().sum().eq(50).all()
    assert monitor.zscore.isna().all(axis=None)  # of no deviation
    assert monitor.alerts.empty
    assert not monitor.signal()["alert"].any()


def test_one_long_alert_is_one_row_and_is_on_until_it_ends() -> None:
    premia = np.zeros((30, 3))
    premia[10:22] = -0.02
    premia[15] = -0.03
    premia[25:] = -0.016
    monitor = discount_monitor(pair_market(premia))
    assert monitor.alerts["sessions"].tolist() == [12, 5]
    assert monitor.alerts["lowest"].tolist() == pytest.approx([-0.03, -0.016])
    assert monitor.alerts["ended_at"].isna().tolist() == [False, True]
    on = monitor.signal()["alert"]
    assert on[monitor.known_at.iloc[10] : monitor.known_at.iloc[22]].iloc[:-1].all()
    assert not on[monitor.known_at.iloc[22]]
    assert on.sum() == 2 * 12 + 9  # each session's value holds until the next New York close


def test_an_old_median_is_no_gauge() -> None:
    premia = np.full((16, 3), -0.02)
    premia[4:12] = np.nan
    monitor = discount_monitor(pair_market(premia))
    signal = monitor.signal()
    last = monitor.known_at.iloc[3]
    assert signal["median"].last_valid_index() == signal.index[-1]
    stale = signal.index[
        (signal.index > last + pd.Timedelta(days=7)) & (signal.index < monitor.known_at.iloc[12])
    ]
    assert len(stale) == 7
    assert not signal.loc[stale, "alert"].any()
    assert signal.loc[stale, "known_at"].isna().all()
    assert signal.loc[: stale[0]].iloc[:-1].loc[last:, "alert"].all()
    assert (signal["known_at"].dropna() <= signal.index[signal["known_at"].notna()]).all()


# -- dividends, ratios, holidays -----------------------------------------------------------------------------


def test_premia_that_hold_a_dividend_are_left_out() -> None:
    premia = np.full((12, 3), 0.001)
    table = dividends(
        ("100.HK", "2022-01-05"), ("ADA", "2022-01-07"), ("ADB", "2022-01-06"), ("101.HK", "2022-01-10"),
        ("102.HK", "2022-01-06"), ("ADC", "2022-01-06"),
    )  # fmt: skip
    monitor = discount_monitor(pair_market(premia, dividends=table))
    gone = monitor.premium.isna()
    assert gone.index[gone["ADA"]].strftime("%d").tolist() == ["05", "06"]
    assert gone.index[gone["ADB"]].strftime("%d").tolist() == ["06", "07"]
    assert not gone["ADC"].any()  # both closes are after it
    ahead = discount_monitor(pair_market(premia, dividends=table), align="next_hk").premium.isna()[:-1]
    assert ahead.index[ahead["ADA"]].strftime("%d").tolist() == ["04", "05", "06"]
    assert ahead.index[ahead["ADB"]].strftime("%d").tolist() == ["06"]
    assert ahead.index[ahead["ADC"]].strftime("%d").tolist() == ["05"]


def test_what_strategies_do_not_trade_on_is_left_out_but_for_the_last_day(
    simulated: Market,
) -> None:
    monitor = discount_monitor(simulated)
    raw = pd.DataFrame({adr: ep.premium(simulated, adr) for adr in ADRS}).reindex(monitor.premium.index)
    out = raw.notna() & monitor.premium[ADRS].isna()
    wide = pd.DataFrame(between_ex_dates(simulated, tuple(ADRS)), monitor.premium.index, ADRS)
    assert out.any(axis=None)
    assert not (out & ~wide).any(axis=None)
    ex = simulated.dividends.groupby("symbol")["ex_date"].apply(set)
    for adr in ADRS:
        for day in raw.index[raw[adr].notna() & wide[adr] & ~out[adr]]:
            of_pair = ex[adr] | ex[simulated.pairs["hk"][adr]]
            assert (
                day in of_pair or day - pd.Timedelta(days=7) in of_pair
            )  # or where the partner's never came
    pd.testing.assert_frame_equal(monitor.premium[ADRS], raw.mask(out), check_names=False)


def test_a_change_of_ratio_leaves_no_step() -> None:
    market = ep.simulate_market("2020-06-01", "2020-12-31", seed=2, symbols=LINES)
    around = discount_monitor(market).premium["NTES"]["2020-09-01":"2020-11-01"]  # 2 October: 25 became 5
    assert market.ordinary_per_ads["NTES"].iloc[[0, -1]].tolist() == [25.0, 5.0]
    assert around.count() > 30
    assert around.abs().max() < 0.1


# -- what was known when -------------------------------------------------------------------------------------


@pytest.mark.parametrize("align", ["same_date", "next_hk", "hk_open", "us_open"])
def test_rows_are_those_of_a_market_cut_when_they_were_known(simulated: Market, align: str) -> None:
    whole = discount_monitor(simulated, align=align, smooth=2)
    frames = ("premium", "watched", "zscore", "percentile", "median", "names", "known_at")
    signal = whole.signal()
    for step in (30, 700, 1000, 1203, 1500, 1501, 1502, 1503, 1900, len(simulated) - 1):
        cut = discount_monitor(simulated.until(step), align=align, smooth=2)
        now = simulated.grid["time"][step]
        known = (whole.known_at <= now).to_numpy()[: len(cut.premium)]
        assert not (whole.known_at <= now).to_numpy()[len(known) :].any()
        for name in frames:
            own, full = getattr(cut, name), getattr(whole, name).iloc[: len(known)]
            assert own[known].equals(full[known]), (name, step)
        assert cut.premium[~known].isna().all(axis=None)
        assert cut.level[known].equals(whole.level.iloc[: len(known)][known])
        assert cut.signal().equals(signal.iloc[: step + 1])
        before = whole.alerts[whole.alerts["known_at"] <= now].reset_index(drop=True)
        told = ["known_at", "session", "kind", "name", "premium", "level"]
        assert cut.alerts[told].equals(before[told])
        ended = before["ended_at"].where(before["ended_at"] <= now)
        assert cut.alerts["ended_at"].equals(ended)


def test_another_future_changes_nothing_before(simulated: Market, watching: DiscountMonitor) -> None:
    step = 1400
    price = simulated.price.copy()
    rng = np.random.default_rng(3)
    price.iloc[step + 1 :] *= np.exp(0.3 * rng.standard_normal(price.iloc[step + 1 :].shape))
    other = discount_monitor(replace(simulated, price=price), levels={"BABA": -0.02})
    before = (watching.known_at <= simulated.grid["time"][step]).to_numpy()
    assert before.any()
    assert not before.all()
    for name in ("premium", "watched", "zscore", "percentile", "level", "median"):
        assert getattr(other, name)[before].equals(getattr(watching, name)[before])
    assert not other.premium[~before].equals(watching.premium[~before])
    assert other.signal().iloc[: step + 1].equals(watching.signal().iloc[: step + 1])


def test_tables_look_at_nothing_later(simulated: Market, watching: DiscountMonitor) -> None:
    day = pd.Timestamp("2021-11-17")
    step = int(np.flatnonzero(watching.market.grid["session"] == day)[-1])
    cut = discount_monitor(simulated.until(step), levels={"BABA": -0.02})
    pd.testing.assert_frame_equal(cut.table(day), watching.table("2021-11-17"))
    table = watching.table(day)
    assert list(table.index) == list(watching.premium.columns)
    for adr in table.index:
        assert table.at[adr, "widest_since"] == watching.widest_since(adr, day)
        assert table.at[adr, "week_widest_since"] == watching.widest_since(adr, day, by="week")
        assert table.at[adr, "week_mean"] == watching.week(adr, day)["mean"]
        own = watching.premium[adr][:day].dropna()
        assert table.at[adr, "mean_5y"] == pytest.approx(own.mean(), rel=1e-12)
        assert table.at[adr, "first"] == own.index[0]


def test_five_years_are_five_years() -> None:
    premia = np.zeros((1500, 3))
    premia[:100] = 0.05
    premia[100:] = np.linspace(-0.01, 0.01, 1400)[:, None]
    monitor = discount_monitor(pair_market(premia, start="2015-01-05"))
    row = monitor.table("2020-09-30").loc["ADA"]
    assert row["first"] == pd.Timestamp("2015-09-30")
    assert row["mean_5y"] == pytest.approx(
        monitor.premium["ADA"]["2015-09-30":"2020-09-30"].mean(), rel=1e-12
    )


def test_known_is_by_the_moment_and_the_later_session_stays() -> None:
    premia = np.repeat(np.arange(8)[:, None] / 1000, 3, axis=1)
    market = pair_market(premia, hk_holidays=("2022-01-05", "2022-01-06"))
    known = discount_monitor(market, align="next_hk").known
    assert str(known.index.tz) == "UTC"
    assert known.index.is_unique
    # The closes of 4, 5 and 6 January meet the same next close of Hong Kong, on the 7th.
    assert known[pd.Timestamp("2022-01-07 08:10", tz="UTC")] == pytest.approx(0.003)
    assert len(known) == 5


# -- a strategy ----------------------------------------------------------------------------------------------


class OutOnAlert:
    """In the first line while the gauge has no alert."""

    def targets(self, market: Market, path: object = None) -> ep.Targets:
        alert = discount_monitor(market).signal()["alert"].to_numpy()
        weights = np.full(market.price.shape, np.nan)
        at = decisions(market)
        wanted = np.where(alert[at], 0.0, 0.5)
        weights[at, market.column("BABA")] = np.where(np.diff(wanted, prepend=-1.0) != 0, wanted, np.nan)
        return ep.Targets(weights=weights)


def test_the_gauge_drives_a_strategy_that_cannot_see_the_future(simulated: Market) -> None:
    whole = OutOnAlert().targets(simulated).weights
    assert np.unique(whole[np.isfinite(whole)]).tolist() == [0.0, 0.5]
    for step in (0, 900, 1501, 2000):
        assert OutOnAlert().targets(simulated.until(step)).weights.tobytes() == whole[: step + 1].tobytes()
    result = ep.backtest(simulated, OutOnAlert())
    assert len(result.fills) > 10


# -- the picture ---------------------------------------------------------------------------------------------


def test_the_picture_shows_what_is_in_the_tables(watching: DiscountMonitor) -> None:
    plt.close("all")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes = watching.plot(
            "2020-03-02",
            "2021-12-31",
            ["JD", "BABA"],
            {"2021-01-05": "a", "2021-01-08": "b", "2021-12-15": "c"},
        )
        axes[0, 0].figure.canvas.draw()
    assert axes.shape == (3, 2)
    assert [place.get_title(loc="left") for place in axes[:, 0]] == [
        "JD",
        "BABA",
        "Median of the 4 names that trade",
    ]
    assert "simulated" in axes[0, 0].figure.get_suptitle()
    drawn = watching.premium["BABA"]["2020-03-02":"2021-12-31"]
    lines = [line.get_ydata() for line in axes[1, 0].lines]
    assert any(len(y) == len(drawn) and np.allclose(y, 100 * drawn, equal_nan=True) for y in lines)
    bars = [bar.get_height() for bar in axes[1, 1].patches]
    assert sorted(bars) == pytest.approx(sorted(100 * drawn[-30:].dropna()))
    alerts = watching.alerts[
        (watching.alerts["name"] == "BABA") & watching.alerts["session"].between(*drawn.index[[0, -1]])
    ]
    dots = axes[1, 0].collections[-1].get_offsets()
    assert len(dots) == len(alerts) > 0
    np.testing.assert_allclose(np.sort(dots[:, 1]), np.sort(100 * alerts["premium"]))
    assert [text.get_text() for text in axes[0, 0].texts] == ["1\u20132", "3"]
    assert [text.get_text() for text in axes[0, 1].texts] == ["3"]
    foot = axes[0, 0].figure.get_supxlabel()
    for words in ("5 Jan 2021:\u00a0a", "15\u00a0Dec\u00a02021:\u00a0c"):
        assert words.replace(" ", "\u00a0") in foot
    median = watching.median["2020-03-02":"2021-12-31"]
    shaded = [c for c in axes[2, 0].collections if c.get_facecolor()[0][3] == 1.0]
    assert len(shaded) == (median < -0.015).sum() > 0


def test_bars_are_dark_where_what_is_watched_is_below_its_level() -> None:
    premia = np.tile(np.linspace(-0.002, 0.002, 4), (3, 15)).T
    premia[52:54] = -0.03
    monitor = discount_monitor(pair_market(premia), window=40, smooth=3)
    axes = monitor.plot(recent=20)
    below = (monitor.watched < monitor.level)["ADA"][-20:]
    assert below.sum() == 3  # the two low sessions and the one after them, by the mean of three
    colours = pd.Series([bar.get_facecolor() for bar in axes[0, 1].patches]).value_counts()
    assert sorted(colours) == [3, 17]
    dark = [bar for bar in axes[0, 1].patches if bar.get_facecolor() == colours.index[1]]
    assert sorted(bar.get_height() for bar in dark) == pytest.approx(
        sorted(100 * monitor.premium["ADA"][-20:][below])
    )


@pytest.mark.parametrize(
    "premia",
    [np.full((8, 1), np.nan), np.zeros((5, 1)), np.zeros((40, 3))],
    ids=["nothing to see", "a week of one name", "all at parity"],
)
def test_pictures_of_little_are_drawn_without_a_warning(premia: np.ndarray) -> None:
    market = pair_market(np.where(np.isnan(premia), 0.0, premia))
    if np.isnan(premia).any():
        market = replace(market, price=market.price.mask(market.price > 101))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes = discount_monitor(market).plot(marks={"2022-01-04": "only"})
        axes[0, 0].figure.canvas.draw()


# -- wrong arguments -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"market": None}, "discount_monitor was given None: give a market"),
        ({"adrs": []}, "adrs names nobody: give symbols among BABA"),
        ({"adrs": 3}, "adrs is 3: give a list of symbols"),
        (
            {"adrs": ["9988.HK"]},
            "9988.HK is the Hong Kong leg of a pair: ask for the premium of its ADR, BABA",
        ),
        ({"adrs": ["XYZ"]}, "'XYZ' is not in this market"),
        ({"align": "noon"}, "align='noon' is unknown"),
        ({"smooth": 0}, "smooth is 0: give a whole number of at least 1"),
        ({"smooth": 2.5}, "smooth is 2.5: give a whole number"),
        ({"lookback": 2}, "lookback is 2: give a whole number of at least 3"),
        ({"alert_median": 0.015}, "alert_median is 0.015: give a number from -1 to 0"),
        ({"alert_median": -1.5}, "alert_median is -1.5: give a number from -1 to 0"),
        ({"percentile": 1}, "percentile is 1: give a number from 0 to 0.5"),
        ({"window": 10}, "window is 10: give a whole number of at least 20"),
        ({"levels": -0.05}, "levels is -0.05: give fractions by ADR"),
        ({"levels": {"TCOM": -0.05}}, "levels names 'TCOM', which is not watched"),
        ({"levels": {"BABA": -5}}, "the level of BABA is -5: give a number from -1 to 0"),
    ],
)
def test_wrong_arguments_are_refused(simulated: Market, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(ep.EntrepotError, match=words):
        discount_monitor(**({"market": simulated} | asked))


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (lambda m: m.week("TCOM", "2021-01-05"), "'TCOM' is not watched: the names are BABA"),
        (lambda m: m.week("BABA", "soon"), "'soon' is no session date: write it as '2025-02-28'"),
        (lambda m: m.week("BABA", 20210105), "20210105 is no session date"),
        (lambda m: m.widest_since("BABA", "2021-01-05T10:00Z"), "is no session date"),
        (
            lambda m: m.widest_since("BABA", "2021-01-02"),
            "BABA has no premium on 2021-01-02: the last before is 20",
        ),
        (
            lambda m: m.widest_since("BABA", "2001-01-02"),
            "BABA has no premium on 2001-01-02: there is none before",
        ),
        (
            lambda m: m.widest_since("BABA", "2021-01-05", by="month"),
            "by is 'month': give 'session' or 'week'",
        ),
        (
            lambda m: m.table("2021-01-03"),
            "2021-01-03 is no New York session of this market: the last before is 2020-12-31",
        ),
        (lambda m: m.plot(adrs=["TCOM"]), "'TCOM' is not watched"),
        (lambda m: m.plot(adrs=[]), "there is nothing to draw"),
        (
            lambda m: m.plot("2031-01-01", "2031-01-05"),
            "there is nothing to draw of .* from 2031-01-01 to 2031-01-05",
        ),
        (lambda m: m.plot("2021-05-01", "2021-01-05"), "there is nothing to draw"),
        (lambda m: m.plot(marks=["2021-05-01"]), "marks is .*: give words by date"),
        (lambda m: m.plot(recent=1), "recent is 1: give a whole number of at least 5"),
    ],
)
def test_wrong_questions_are_refused(watching: DiscountMonitor, question: Any, words: str) -> None:
    with pytest.raises(ep.ParameterError, match=words):
        question(watching)


def test_a_market_without_pairs_is_refused() -> None:
    fund = Market.from_prices(
        pd.DataFrame({"FUND": [1.0, 2.0]}, index=pd.bdate_range("2022-01-03", periods=2))
    )
    with pytest.raises(ep.ParameterError, match="this market has no pair with both legs"):
        discount_monitor(fund)


# -- March 2025, on real closes ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def march(real_prices: Path) -> DiscountMonitor:
    market = ep.load_market(real_prices, start="2019-06-03", ends="cut", departures="parity", hk_shorts=[])
    return discount_monitor(market)


def test_the_week_of_the_story(march: DiscountMonitor) -> None:
    week = march.week("BABA", "2025-02-28")
    assert week["sessions"] == 5
    assert -0.026 <= week["mean"] <= -0.016
    monday = pd.Timestamp("2025-02-24")
    assert march.premium["BABA"]["2025-02-24":"2025-02-28"].idxmin() == monday
    # The press says the widest since 2022; on these closes it is wider than any day of 2022 as well.
    assert march.widest_since("BABA", monday) < pd.Timestamp("2023-01-01")
    table = march.table("2025-02-28")
    assert -0.004 <= table.at["BABA", "mean_5y"] <= 0.002
    assert table.at["BABA", "first"] <= pd.Timestamp("2020-03-06")


@pytest.mark.parametrize("adr", ["BIDU", "NTES"])
def test_baidu_and_netease_were_the_cheapest_in_five_months_by_the_week(
    march: DiscountMonitor, adr: str
) -> None:
    week = march.widest_since(adr, "2025-02-28", by="week")
    assert pd.Timestamp("2025-02-28") - week > pd.Timedelta(days=140)
    assert pd.Timestamp("2025-02-28") - week < pd.Timedelta(days=165)
    # By the session it is not: there was a wider day within a few weeks or months.
    day = march.premium[adr]["2025-02-24":"2025-02-28"].idxmin()
    assert day - march.widest_since(adr, day) < pd.Timedelta(days=120)


def test_the_year_2022_had_more_discounts_and_its_extreme_was_nearly_what_was_said(
    march: DiscountMonitor,
) -> None:
    year = march.premium["BABA"]["2022-01-03":"2022-12-30"].dropna()
    assert len(year) > 200
    assert (year < 0).mean() > 0.5
    assert -0.08 < year.min() < -0.065


def test_the_gap_closed_on_the_fifth_of_march(march: DiscountMonitor) -> None:
    before, day, after = (march.premium["BABA"][d] for d in ("2025-03-04", "2025-03-05", "2025-03-06"))
    assert before < 0 < day
    assert after < 0
    assert march.median["2025-03-05"] > 0


def test_alerts_came_at_the_first_close_after_the_memo_and_the_weeks_later_than_the_days(
    march: DiscountMonitor,
) -> None:
    monday = march.alerts[march.alerts["session"] == "2025-02-24"]
    assert {"median", "BABA", "BIDU"} <= set(monday["name"])
    assert "NTES" not in set(monday["name"])
    assert (monday["known_at"] == pd.Timestamp("2025-02-24 21:00", tz="UTC")).all()
    assert (monday["sessions"] == 1).all()  # over the next day: a day's alert is half overnight news
    before = march.alerts[march.alerts["session"].between("2025-02-18", "2025-02-21")]
    assert before["name"].tolist() == ["median"]  # and the median had alerted before there was a memo
    signal = march.signal()["alert"]
    memo = pd.Timestamp("2025-02-21 21:00", tz="UTC")
    assert not signal[memo:"2025-02-24T20:59Z"].any()
    assert signal[pd.Timestamp("2025-02-24 21:00", tz="UTC")]
    assert not signal[pd.Timestamp("2025-03-05 21:00", tz="UTC")]


def test_single_days_alert_often_and_weeks_seldom(march: DiscountMonitor) -> None:
    weekly = discount_monitor(march.market, smooth=5)
    days, weeks = (int((m.median < m.alert_median).sum()) for m in (march, weekly))
    assert days > 3 * weeks > 0
    # The lowest of all is in the days before 15 March 2022.
    own = weekly.alerts[weekly.alerts["kind"] == "median"]
    march_2022 = own[(own["session"] >= "2022-03-01") & (own["session"] <= "2022-03-15")]
    assert len(march_2022)
    assert march_2022["lowest"].min() == own["lowest"].min()
    # Of the story, the week's means see Alibaba, three sessions after the memo, and not the median.
    story = weekly.alerts[weekly.alerts["session"].between("2025-02-21", "2025-03-07")]
    assert set(story["kind"]) == {"percentile"}
    baba = story[story["name"] == "BABA"]
    assert baba["known_at"].tolist() == [pd.Timestamp("2025-02-27 21:00", tz="UTC")]
    assert baba["sessions"].tolist() == [2]


def test_no_price_that_nobody_printed_has_a_premium(march: DiscountMonitor) -> None:
    gone = march.market.estimates
    assert len(gone) > 100
    for symbol, rows in gone.groupby("symbol"):
        assert march.premium[symbol].reindex(pd.DatetimeIndex(rows["session"])).isna().all()


def test_the_story_is_drawn(march: DiscountMonitor) -> None:
    axes = march.plot(
        start="2020-03-06", end="2025-03-07", adrs=["BABA", "BIDU", "NTES"], marks={"2025-02-21": "memo"}
    )
    figure = axes[0, 0].figure
    figure.canvas.draw()
    assert axes.shape == (4, 2)
    assert march.market.label in figure.get_suptitle()
    low, high = axes[0, 0].get_ylim()
    assert low < -8 < 5 < high
    for places in (axes[-1], [*axes[:, 0]]):
        for place in places:
            boxes = [label.get_window_extent() for label in place.get_xticklabels() if label.get_text()]
            boxes = [box for box in boxes if box.width]
            assert not any(a.overlaps(b) for a, b in pairwise(boxes))
