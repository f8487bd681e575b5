"""What a simulated market shows beside its prices: its truth, volumes, borrow fees and series."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.markets.fees import borrow_table
from entrepot.markets.known_series import KnownSeries
from entrepot.markets.market import Market
from entrepot.markets.premium import premium
from entrepot.markets.simulate import simulate_market
from entrepot.markets.simulated_effects import Effects
from entrepot.markets.simulated_events import CHANNELS
from entrepot.markets.simulated_issuers import FACTORS, ISSUER_OF, MAINLAND
from entrepot.markets.simulated_series import SERIES, observed
from entrepot.markets.truth import Truth

EVERYTHING = Effects(
    underreaction=0.4,
    momentum=0.1,
    low_volatility=0.5,
    drift={"JD": 0.05},
    signals=dict.fromkeys(SERIES, 0.1),
)
BY_STEP = ("efficient", "foreseen", "premium", "threat", "sector_drift")


@lru_cache
def whole(end: str = "2022-12-30") -> Market:
    return simulate_market("2020-01-02", end, effects=EVERYTHING)


def truth_of(market: Market) -> Truth:
    assert market.truth is not None
    return market.truth


def volume_of(market: Market) -> pd.DataFrame:
    assert market.volume is not None
    return market.volume


def equal(one: Truth, other: Truth) -> None:
    for name in (*BY_STEP, "events", "lines", "betas", "borrow"):
        pd.testing.assert_frame_equal(
            getattr(one, name), getattr(other, name), check_exact=True, check_freq=False
        )
    for name in SERIES:
        for kind in ("series", "signals"):
            mine, theirs = getattr(one, kind)[name], getattr(other, kind)[name]
            assert np.array_equal(mine.array, theirs.array, equal_nan=True)
            assert mine.symbols == theirs.symbols
            assert (mine.known_at == theirs.known_at).all()


# -- the truth -------------------------------------------------------------------------------------------


def test_the_truth_has_the_shapes_it_says() -> None:
    market = whole()
    truth = truth_of(market)
    T, symbols = len(market), list(market.symbols)
    for name, columns in {
        "efficient": symbols,
        "foreseen": symbols,
        "premium": list(market.pairs.index),
        "threat": ["tariff", "delisting"],
        "sector_drift": list(FACTORS),
    }.items():
        table = getattr(truth, name)
        assert list(table.columns) == columns
        assert table.shape == (T, len(columns))
        assert (table.index == market.price.index).all()
        assert np.isfinite(table).all(axis=None)
    assert list(truth.lines.index) == symbols
    assert list(truth.betas.index) == symbols
    assert list(truth.betas.columns) == list(CHANNELS)
    assert truth.effects == EVERYTHING
    assert repr(truth) == f"Truth({len(truth.events)} events, {T} steps, 5 series)"
    assert set(truth.series) == set(truth.signals) == set(SERIES)


def test_both_lines_of_a_company_have_one_price_and_prints_are_noise_around_it() -> None:
    market, truth = whole(), truth_of(whole())
    assert (truth.efficient["BABA"] == truth.efficient["9988.HK"]).all()
    plain = market.price["0700.HK"].dropna()
    paid = market.dividends[market.dividends["symbol"] == "0700.HK"]
    noise = (np.log(plain) - truth.efficient["0700.HK"].reindex(plain.index)).to_numpy()
    first = plain.index.tz_localize(None).searchsorted(paid["ex_date"].iloc[0])
    opens = market.grid["phase"].to_numpy()[market.price.index.isin(plain.index)] == "open"
    assert noise[:first].mean() == pytest.approx(0.0, abs=0.0008)
    assert noise[:first][opens[:first]].std() == pytest.approx(0.0025, rel=0.25)
    assert noise[:first][~opens[:first]].std() == pytest.approx(0.0012, rel=0.25)
    assert noise[first:].mean() < -0.001  # a dividend leaves the print and not the efficient price


@pytest.mark.parametrize("adr", ["BABA", "JD", "ZTO"])
def test_the_true_premium_is_that_of_the_prints_without_their_noise_and_news(adr: str) -> None:
    market, truth = whole(), truth_of(whole())
    seen = premium(market, adr, detail=True)
    true = truth.premium[adr].reindex(pd.DatetimeIndex(seen["ads_time"])).to_numpy()
    hk = market.pairs.at[adr, "hk"]
    efficient = truth.efficient[adr]
    news = (
        efficient.reindex(pd.DatetimeIndex(seen["ads_time"])).to_numpy()
        - truth.efficient[hk].reindex(pd.DatetimeIndex(seen["hk_time"])).to_numpy()
    )
    left = np.log1p(seen["premium"].to_numpy()) - np.log1p(true) - news
    assert np.median(left) == pytest.approx(0.0, abs=0.0003)
    assert np.median(np.abs(left)) < 0.0025


@pytest.mark.parametrize("phases", [("open", "close"), ("close",)])
def test_the_truth_until_a_step_is_that_of_a_market_that_ends_there(phases: tuple[str, ...]) -> None:
    given = {
        "start": "2021-01-04",
        "phases": phases,
        "effects": EVERYTHING,
        "symbols": ["BABA", "9988.HK", "0939.HK"],
    }
    long, short = simulate_market(end="2021-12-31", **given), simulate_market(end="2021-06-25", **given)
    cut = long.until(len(short) - 1)
    equal(truth_of(cut), truth_of(short))
    pd.testing.assert_frame_equal(volume_of(cut), volume_of(short), check_exact=True)


@pytest.mark.parametrize("step", [400, 401, 402, 403, 1500])
def test_nothing_of_the_truth_is_known_before_its_time(step: int) -> None:
    market = whole()
    now, truth = market.price.index[step], truth_of(market.until(step))
    assert (truth.events["known_at"] <= now).all()
    for name in BY_STEP:
        assert getattr(truth, name).index[-1] == now
        pd.testing.assert_frame_equal(getattr(truth, name), getattr(truth_of(market), name).iloc[: step + 1])
    for kind in (truth.series, truth.signals):
        for series in kind.values():
            assert (series.known_at <= now).all()
    closes = market.grid["time"][(market.grid["venue"] == "XNYS") & (market.grid["phase"] == "close")]
    done = closes[closes <= now]
    assert len(truth.borrow) in (len(done), len(done) + 1)
    later = truth_of(market).series["southbound"]
    assert len(truth.series["southbound"].dates) == int((later.known_at <= now).sum()) < len(later.dates)


def test_a_middle_keeps_what_was_known_before_it() -> None:
    market = whole().between("2021-06-01", "2021-06-30")
    truth = truth_of(market)
    assert len(truth.efficient) == len(market)
    assert truth.events["known_at"].min() < market.grid["time"].iloc[0]
    assert truth.series["custody"].dates[0] < pd.Timestamp("2020-02-01")


def test_other_symbols_do_not_change_the_truth() -> None:
    few = simulate_market("2020-01-02", "2022-12-30", effects=EVERYTHING, symbols=["BABA", "0939.HK", "KWEB"])
    truth, all_of_it = truth_of(few), truth_of(whole())
    symbols = list(few.symbols)
    assert (truth.efficient == all_of_it.efficient[symbols]).all(axis=None)
    assert (truth.premium["BABA"] == all_of_it.premium["BABA"]).all()
    assert truth.series["southbound"].symbols == ("0939.HK",)
    theirs = all_of_it.series["southbound"].only(["0939.HK"]).array
    assert np.array_equal(truth.series["southbound"].array, theirs, equal_nan=True)
    alone = truth_of(simulate_market("2020-01-02", "2020-02-28", symbols="KWEB"))
    assert set(alone.series) == {"forward_pe", "ipo_proceeds"}


@pytest.mark.parametrize(
    ("start", "end", "venues"),
    [
        ("2020-01-02", "2020-01-03", {"XHKG", "XNYS"}),  # no month ends
        ("2020-01-27", "2020-01-28", {"XNYS"}),  # lunar new year
        ("2012-10-29", "2012-10-30", {"XHKG"}),  # hurricane Sandy
    ],
)
@pytest.mark.parametrize("symbols", [None, ["KWEB"], ["0700.HK"]])
def test_a_few_days_are_a_market_whoever_is_on_holiday(
    start: str, end: str, venues: set[str], symbols: list[str] | None
) -> None:
    market = simulate_market(start, end, effects=EVERYTHING, symbols=symbols)
    truth = truth_of(market)
    assert set(market.grid["venue"]) == venues
    priced = market.price.notna().any()
    for symbol, venue in market.instruments["venue"].items():
        assert venue in venues or not priced[symbol]
        assert venue not in venues or symbols is None or priced[symbol]
    assert len(truth.borrow) == (2 if "XNYS" in venues else 0)
    assert len(truth.series["ipo_proceeds"].dates) == 0


def test_lines_say_what_the_model_takes_them_to_be() -> None:
    truth = truth_of(whole())
    row = truth.lines.loc["0939.HK"]
    assert (row["factor"], row["industry"], row["volatility"]) == ("state", "banks", 0.23)
    bank = ISSUER_OF["0939.HK"]
    average = truth.lines["reward"]["KWEB"] - 0.15 * 0.93 * 0.42
    assert row["reward"] == pytest.approx(0.15 * bank.market * bank.volatility + average)
    assert truth.betas.at["XPEV", "tariff"] == pytest.approx(-0.0025 * 1.3 * 0.82 / 0.5)
    assert (truth.betas["tariff"] < 0).all()


# -- borrow ----------------------------------------------------------------------------------------------


def test_borrow_goes_from_calm_to_stressed_with_the_threat_of_the_session_before() -> None:
    market, truth = whole(), truth_of(whole())
    table = borrow_table()
    close = ((market.grid["venue"] == "XNYS") & (market.grid["phase"] == "close")).to_numpy()
    threat = pd.Series(truth.threat["delisting"].to_numpy()[close], market.grid["session"][close])
    dates = truth.borrow.index
    assert dates.is_monotonic_increasing
    assert (truth.borrow.iloc[0] == truth.borrow.iloc[0].where(lambda x: x >= 0.0)).all()
    for symbol, size in (("BABA", "mega"), ("XPEV", "mid")):
        calm, stress = table.at[size, "calm"], table.at[size, "stress"]
        for day in dates[[5, 100, 333, 500]]:
            before = threat[threat.index < day].iloc[-1]
            fee = calm + (stress - calm) * (1.0 - np.exp(-before / 4.0))
            assert truth.borrow.at[day, symbol] == pytest.approx(fee, rel=1e-12)
        assert truth.borrow[symbol].max() > calm + 0.5 * (stress - calm)
    assert (truth.borrow["9988.HK"] == table.at["hk", "calm"]).all()
    assert (truth.borrow["KWEB"] == table.at["mid", "calm"]).all()


def test_borrow_can_be_given_to_the_engine() -> None:
    market = whole().between("2021-01-04", "2021-03-31")
    borrow = truth_of(market).borrow
    weights = pd.DataFrame({"BABA": [-0.5]}, index=[pd.Timestamp("2021-01-05")])

    def paid(rates: pd.DataFrame) -> float:
        result = ep.backtest(market, weights, capital=1e7, costs=ep.Costs(borrow_rate_pa=rates))
        return float(result.costs()["borrow"])

    year = borrow.loc["2021-01-06":"2021-03-30", "BABA"].mean() * 84 / 360
    assert paid(borrow) == pytest.approx(year * 5e6, rel=0.15)
    assert paid(3.0 * borrow) == pytest.approx(3.0 * paid(borrow), rel=0.01)


# -- volume ----------------------------------------------------------------------------------------------


def test_volume_stands_at_closes_where_there_is_a_price() -> None:
    market = whole()
    volume = volume_of(market)
    closes = (market.grid["phase"] == "close").to_numpy()
    assert volume[~closes].isna().all(axis=None)
    assert (np.isfinite(volume[closes]) == np.isfinite(market.price[closes])).all(axis=None)
    seen = volume.to_numpy()[np.isfinite(volume)]
    assert (seen >= 0.0).all()
    assert (seen == np.round(seen)).all()


@pytest.mark.parametrize("symbol", ["BABA", "9988.HK", "0939.HK", "FXI", "NTES"])
def test_turnover_has_its_size_and_rises_with_the_move(symbol: str) -> None:
    market, truth = whole(), truth_of(whole())
    issuer = ISSUER_OF[symbol]
    money = (volume_of(market)[symbol] * market.price[symbol]).dropna()
    home = market.instruments.at[symbol, "venue"] == "XHKG"
    level = np.exp(truth.efficient[symbol].reindex(money.index)) / issuer.level
    median = (money / level).median() / (7.8e6 if home else 1e6)
    assert median == pytest.approx(issuer.turnover[home], rel=0.25)
    log = np.log(money / level)
    assert 0.4 < log.std() < 0.7
    move = truth.efficient[symbol].reindex(money.index).diff().abs()
    assert 0.3 < move.corr(log) < 0.7
    assert 0.4 < log.autocorr(1) < 0.85


def test_shares_are_those_of_the_day() -> None:
    """NetEase's ADS was split in five: five times as many change hands for the same money."""
    market = whole()
    money = (volume_of(market)["NTES"] * market.price["NTES"]).dropna()
    day = money.index.tz_localize(None).normalize()
    before, after = money[day < "2020-10-02"].tail(60).median(), money[day >= "2020-10-02"].head(60).median()
    assert 0.4 < after / before < 2.5
    shares = volume_of(market)["NTES"].dropna()
    assert shares[day >= "2020-10-02"].head(60).median() > 2.5 * shares[day < "2020-10-02"].tail(60).median()


def test_events_make_markets_trade() -> None:
    event = pd.DataFrame(
        {
            "known_at": [pd.Timestamp("2021-03-01T08:00Z")],
            "channel": "tariff",
            "direction": -1,
            "severity": 5.0,
        }
    )
    given = {"start": "2021-01-04", "end": "2021-04-30", "symbols": ["BABA"], "effects": Effects.none()}
    moved, quiet = (
        volume_of(simulate_market(events=e, **given))["BABA"].dropna() for e in (event, event[:0])
    )
    ratio = (moved / quiet).to_numpy()
    at = quiet.index.searchsorted(pd.Timestamp("2021-03-01T08:00Z"))
    assert (ratio[:at] == 1.0).all()
    assert ratio[at] == pytest.approx(np.exp(0.02 * 5.0 * 0.5 ** (13 / 24)), rel=0.05)
    assert ratio[at + 8] == pytest.approx(1.0, abs=0.005)


# -- series ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "zone", "known"),
    [
        ("southbound", "Asia/Hong_Kong", "2021-03-01 20:00"),
        ("custody", "Asia/Hong_Kong", "2021-03-02 08:00"),
        ("ah_premium", "Asia/Hong_Kong", "2021-03-01 16:10"),
        ("forward_pe", "Asia/Hong_Kong", "2021-03-03 08:00"),
        ("ipo_proceeds", "Asia/Hong_Kong", "2021-03-05 08:00"),
    ],
)
def test_series_are_known_when_they_would_be(name: str, zone: str, known: str) -> None:
    series = truth_of(whole()).series[name]
    day = (
        pd.Timestamp("2021-03-01")
        if name in ("southbound", "custody", "ah_premium")
        else pd.Timestamp("2021-02-28")
    )
    at = series.dates.get_loc(day)
    assert series.known_at[at].tz_convert(zone).strftime("%Y-%m-%d %H:%M") == known
    assert (series.known_at > series.dates.tz_localize("UTC")).all()


def test_series_are_about_the_lines_they_can_be_about() -> None:
    market, series = whole(), truth_of(whole()).series
    kinds = market.instruments["kind"]
    home = set(market.instruments.index[market.instruments["venue"] == "XHKG"])
    assert (
        set(series["southbound"].symbols) == set(series["custody"].symbols) == home - {"2828.HK", "3033.HK"}
    )
    assert set(series["forward_pe"].symbols) == home | set(kinds.index[kinds == "etf"])
    assert set(series["ah_premium"].symbols) == MAINLAND
    assert series["ipo_proceeds"].symbols == ("market",)
    listed = series["custody"].only(["9888.HK"]).array[:, 0]
    assert np.isnan(listed[series["custody"].dates < "2021-03-23"]).all()
    assert np.isfinite(listed[series["custody"].dates >= "2021-03-23"]).all()


def shown(name: str, line: str) -> np.ndarray:
    values = truth_of(whole()).series[name].only([line]).array[:, 0]
    return values[np.isfinite(values)]


def test_series_have_the_size_of_real_ones() -> None:
    assert np.mean([shown("ah_premium", line).mean() for line in MAINLAND]) == pytest.approx(-0.25, abs=0.06)
    assert shown("southbound", "0700.HK").std() == pytest.approx(0.03, rel=0.25)
    for line in ("0700.HK", "9988.HK"):
        held = shown("custody", line)
        assert 30.0 < held.min() < held.max() < 90.0
        assert np.abs(np.diff(held)).max() < 0.2
        assert 0.2 < held.std() < 4.0
    assert 3.0 < shown("forward_pe", "0939.HK").mean() < 12.0 < shown("forward_pe", "0700.HK").mean() < 30.0
    assert 5e8 < np.median(shown("ipo_proceeds", "market")) < 1e10


@pytest.mark.parametrize(
    ("name", "line", "sign"),
    [
        ("southbound", "0700.HK", 1),
        ("forward_pe", "0700.HK", -1),
        ("ah_premium", "0939.HK", -1),
        ("ipo_proceeds", "market", 1),
    ],
)
def test_the_signal_shows_in_its_series(name: str, line: str, sign: int) -> None:
    truth = truth_of(whole())
    value = truth.series[name].only([line]).array[:, 0]
    signal = truth.signals[name].only([line]).array[:, 0]
    assert np.corrcoef(sign * value, signal)[0, 1] > 0.5


def test_the_pace_of_custody_is_its_signal() -> None:
    signal = np.repeat([1.0, 0.0, -1.0], 250)
    held = observed("custody", signal, "0700.HK", 1)
    assert held[249] - held[0] == pytest.approx(2.1 * (1 - 2**-1) / np.log(2), rel=0.05)
    assert held[-1] < held[500] < held[250]
    assert np.diff(held[:250])[50:200].mean() * 252 == pytest.approx(2.1 * 2**-0.5, rel=0.1)


def test_signals_are_standardised() -> None:
    signals = truth_of(whole()).signals
    daily = np.concatenate([signals["southbound"].array.ravel(), signals["ah_premium"].array.ravel()])
    assert daily.std() == pytest.approx(1.0, abs=0.15)
    assert daily.mean() == pytest.approx(0.0, abs=0.25)
    assert isinstance(signals["custody"], KnownSeries)
    one = pd.Series(signals["southbound"].only(["0700.HK"]).array[:, 0])
    assert one.autocorr(10) == pytest.approx(0.5, abs=0.2)
