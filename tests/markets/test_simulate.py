"""The simulated market: what it may not know, what must not depend on what, and wide bands for its prices."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from entrepot.errors import EntrepotError
from entrepot.markets.fees import half_tick
from entrepot.markets.market import Market
from entrepot.markets.premium import premium
from entrepot.markets.simulate import simulate_market
from entrepot.markets.simulated_effects import Effects
from entrepot.markets.simulated_events import CHANNELS, draw_events, impact
from entrepot.markets.simulated_issuers import ISSUER_OF
from entrepot.markets.simulated_prices import efficient_prices

DUAL = ["BABA", "JD", "NTES", "BIDU", "TCOM", "BILI", "XPEV", "LI", "NIO", "ZTO"]
NO_EVENTS = pd.DataFrame(
    {"known_at": pd.DatetimeIndex([], tz="UTC"), "channel": [], "direction": [], "severity": []}
)


@lru_cache
def simulated(seed: int = 7) -> Market:
    return simulate_market(seed=seed)


def one_event(known_at: str, channel: str, direction: int = 1, severity: float = 5) -> pd.DataFrame:
    known = pd.Timestamp(known_at)
    return pd.DataFrame(
        {"known_at": [known], "channel": channel, "direction": direction, "severity": severity}
    )


def same(a: object, b: object) -> bool:
    return np.array_equal(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64), equal_nan=True)


def prints(market: Market, symbol: str, phase: str = "close") -> pd.Series[float]:
    """A line's prices at one phase of its own venue, by session."""
    rows = (market.grid["venue"] == market.instruments.at[symbol, "venue"]) & (market.grid["phase"] == phase)
    return pd.Series(market.price[symbol].to_numpy()[rows], index=market.grid["session"][rows])


# -- what the market is ----------------------------------------------------------------------------------


def test_default_market_is_labelled_and_complete() -> None:
    market = simulated()
    assert market.label == "simulated market, seed 7"
    assert any("simulated" in note for note in market.notes)
    assert list(market.pairs.index) == [*DUAL, "CHL"]
    assert market.pairs.at["BABA", "hk"] == "9988.HK"
    assert {"0700.HK", "KWEB", "FXI", "MCHI", "ASHR", "CQQQ", "CHIQ", "KARS", "PGJ"} <= set(market.symbols)
    assert {"2828.HK", "3033.HK", "0883.HK", "0857.HK", "1398.HK", "2318.HK", "0388.HK"} <= set(
        market.symbols
    )
    assert {"1024.HK", "0268.HK", "3888.HK", "0762.HK"} <= set(market.symbols)
    assert (market.instruments["sector"] != "unclassified").all()
    assert list(market.instruments.index[market.instruments["fee_class"] == "hk_etp"]) == [
        "2828.HK",
        "3033.HK",
    ]
    assert market.instruments.at["9988.HK", "lot"] == 100.0
    assert market.instruments.at["KWEB", "kind"] == "etf"
    assert (market.instruments["adjustment"] == "raw").all()
    assert set(zip(market.grid["venue"], market.grid["phase"], strict=True)) == {
        (venue, phase) for venue in ("XHKG", "XNYS") for phase in ("open", "close")
    }
    assert market.fx["HKD"].notna().all()
    assert market.fx_age_days["HKD"].max() < 5.0


@pytest.mark.parametrize(
    ("symbol", "first"), [("9988.HK", "2019-11-26"), ("9999.HK", "2020-06-11"), ("XPEV", "2020-08-27")]
)
def test_a_line_has_prices_from_its_listing_on(symbol: str, first: str) -> None:
    price = prints(simulated(), symbol)
    assert price[: pd.Timestamp(first) - pd.Timedelta(days=1)].isna().all()
    assert price[first:].notna().all()


def test_china_mobile_leaves_new_york() -> None:
    market = simulated()
    price = prints(market, "CHL")
    assert price[:"2021-01-08"].notna().all()
    assert price["2021-01-09":].isna().all()
    assert prints(market, "0941.HK")["2021-01-09":].notna().all()
    assert market.delistings.to_dict("records") == [
        {
            "symbol": "CHL",
            "last_session": pd.Timestamp("2021-01-08"),
            "into": "0941.HK",
            "ordinary_per_ads": 5.0,
        }
    ]
    assert simulate_market(end="2020-12-31").delistings.equals(market.delistings)
    later = simulate_market(start="2022-01-03", end="2022-12-30")
    assert "CHL" not in later.symbols
    assert later.instruments.at["0941.HK", "pair"] == ""


def test_the_ads_split_of_netease_moves_price_and_ratio_but_no_premium() -> None:
    market = simulated()
    assert market.splits.to_dict("records") == [
        {"symbol": "NTES", "ex_date": pd.Timestamp("2020-10-02"), "factor": 5.0}
    ]
    price = prints(market, "NTES")
    assert 3.5 < price["2020-10-01"] / price["2020-10-02"] < 7.0
    assert list(market.ordinary_per_ads["NTES"].unique()) == [25.0, 5.0]
    for adr in market.pairs.index:
        assert premium(market, adr, "hk_open").diff().abs().max() < 0.2


def test_prices_are_positive_and_on_their_ticks() -> None:
    market = simulated()
    assert np.nanmin(market.prices) > 0.0
    sessions = pd.DatetimeIndex(market.grid["session"])
    for symbol in ("9988.HK", "9866.HK", "0939.HK", "BABA", "NIO"):
        venue = str(market.instruments.at[symbol, "venue"])
        price = market.price[symbol].to_numpy()
        traded = np.isfinite(price)
        ticks = price[traded] / (2.0 * half_tick(venue, price[traded], sessions[traded]))
        assert np.abs(ticks - np.round(ticks)).max() < 1e-6


def test_dividends_are_a_fraction_of_the_price_before_their_day() -> None:
    market = simulated()
    table = market.dividends
    assert (table["pay_date"] > table["ex_date"]).all()
    for symbol, own in table.groupby("symbol"):
        issuer, price = ISSUER_OF[str(symbol)], prints(market, str(symbol))
        before = price.to_numpy()[price.index.searchsorted(own["ex_date"]) - 1]
        fraction = issuer.payout / len(issuer.months)
        assert own["amount"].to_numpy() == pytest.approx(fraction * before, abs=1e-4)
    of_2022 = table[table["ex_date"].dt.year == 2022].set_index("symbol")["ex_date"]
    assert of_2022["9618.HK"] - of_2022["JD"] == pd.Timedelta(days=1)
    assert not set(table["symbol"]) & {"KWEB", "BIDU"}


def test_a_dividend_leaves_the_price(monkeypatch: pytest.MonkeyPatch) -> None:
    import entrepot.markets.simulate as module

    paying = simulate_market(end="2018-12-31", symbols=["0939.HK"])
    unpaid = {symbol: issuer._replace(payout=0.0, months=()) for symbol, issuer in ISSUER_OF.items()}
    monkeypatch.setattr(module, "ISSUER_OF", unpaid)
    plain = simulate_market(end="2018-12-31", symbols=["0939.HK"])
    ratio = prints(paying, "0939.HK") / prints(plain, "0939.HK")
    ex_date = paying.dividends["ex_date"].iloc[0]
    assert (ratio[: ex_date - pd.Timedelta(days=1)] == 1.0).all()
    assert ratio[ex_date:].to_numpy() == pytest.approx(0.94, abs=0.003)


# -- what it may not depend on ---------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["2018-02-15", "2020-10-02", "2021-12-31", "2022-07-01"])
def test_the_past_does_not_depend_on_the_end(end: str) -> None:
    short, long = simulate_market(end=end), simulated().between("2018-01-02", end)
    assert short.symbols == long.symbols
    assert same(short.times, long.times)
    assert same(short.prices, long.prices)
    assert same(short.volume, long.volume)
    for table in ("grid", "instruments", "fixings", "ratios", "dividends", "splits"):
        pd.testing.assert_frame_equal(getattr(short, table), getattr(long, table), check_exact=True)


def test_later_events_do_not_change_the_past() -> None:
    known = draw_events(simulated().grid)
    part, whole = simulate_market(events=known[:30]), simulate_market(events=known)
    before = part.times <= known["known_at"].iloc[30].value
    assert same(part.prices[before], whole.prices[before])
    assert not same(part.prices[~before], whole.prices[~before])
    shuffled = simulate_market(events=known.sample(frac=1.0, random_state=1))
    assert same(shuffled.prices, whole.prices)
    assert same(simulated().prices, whole.prices)


@pytest.mark.parametrize("step", [1000, 1001, 1002, 1003])
@pytest.mark.parametrize("channel", ["delisting", "tariff"])
def test_an_event_acts_from_the_first_step_after_it_was_known(step: int, channel: str) -> None:
    quiet = simulate_market(end="2019-12-31", events=NO_EVENTS)
    known_at = quiet.grid["time"].iloc[step]
    moved = simulate_market(end="2019-12-31", events=one_event(str(known_at), channel))
    assert same(quiet.prices[: step + 1], moved.prices[: step + 1])
    changed = (quiet.prices[step + 1 :] != moved.prices[step + 1 :]) & np.isfinite(quiet.prices[step + 1 :])
    assert changed[:2].any()


def test_symbols_and_phases_do_not_change_each_other() -> None:
    market = simulated()
    few = simulate_market(symbols=["9988.HK", "KWEB", "BABA"])
    assert few.symbols == ("BABA", "9988.HK", "KWEB")
    assert same(few.prices, market.price[list(few.symbols)])
    assert few.volume is not None
    assert market.volume is not None
    assert same(few.volume, market.volume[list(few.symbols)])
    alone = simulate_market(symbols="BABA")
    assert alone.pairs.empty
    assert same(alone.prices[:, 0], market.price["BABA"])
    closes = simulate_market(phases=["close"])
    assert same(closes.prices, market.prices[market.grid["phase"] == "close"])
    assert same(closes.times, market.times[market.grid["phase"] == "close"])


def test_seeds_repeat_and_differ() -> None:
    first, again, other = (simulate_market(end="2018-12-31", seed=seed).prices for seed in (7, 7, 8))
    assert same(first, again)
    assert not same(first, other)


# -- what events do --------------------------------------------------------------------------------------


def gap(channel: str, direction: int, symbol: str) -> pd.Series[float]:
    """Log price with one event known on 2021-08-02 minus log price without."""
    quiet = simulate_market(end="2022-12-30", events=NO_EVENTS, symbols=[symbol])
    event = one_event("2021-08-02T12:00Z", channel, direction)
    moved = simulate_market(end="2022-12-30", events=event, symbols=[symbol])
    return np.log(prints(moved, symbol)) - np.log(prints(quiet, symbol))


def test_news_reaches_the_venue_that_is_open() -> None:
    """On the day itself New York has the news and Hong Kong, already closed, has not."""
    ads, home = gap("delisting", 1, "BABA")["2021-08-02":], gap("delisting", 1, "9988.HK")["2021-08-02":]
    move = 5 * impact(ISSUER_OF["BABA"], "delisting")
    assert home.iloc[0] == 0.0
    assert ads.iloc[0] == pytest.approx(move, rel=0.1)
    assert home.iloc[1] == pytest.approx(move, rel=0.1)
    assert home.iloc[-1] == pytest.approx(move, rel=0.1)


def test_a_tariff_hits_cars_more_than_the_state_and_leaves_the_premium_alone() -> None:
    names = ("XPEV", "9868.HK", "0939.HK", "KARS")
    hit = {symbol: gap("tariff", 1, symbol)["2021-08-04":].mean() for symbol in names}
    assert hit["XPEV"] < hit["KARS"] < hit["0939.HK"] < 0.0
    assert hit["XPEV"] == pytest.approx(-0.0025 * 5 * 1.3 * 0.79 / 0.5, rel=0.1)
    assert hit["9868.HK"] == pytest.approx(hit["XPEV"], rel=0.1)
    assert gap("tariff", -1, "KARS")["2021-08-04":].mean() > 0.0


def test_drawn_events_are_episodic_and_plausible() -> None:
    events = pd.concat([draw_events(simulated().grid, seed) for seed in range(10)], ignore_index=True)
    per_year = len(events) / 10 / 8
    assert 15 < per_year < 60
    assert set(events["channel"]) == set(CHANNELS)
    assert events["severity"].between(1, 5).all()
    monthly = events[events["channel"] == "tariff"].groupby(events["known_at"].dt.strftime("%Y-%m")).size()
    assert monthly.var() > monthly.mean()


# -- wide bands for the prices ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [7, 11])
def test_premia_are_asynchronous_news_around_a_persistent_gap(seed: int) -> None:
    market = simulated(seed)
    for adr in DUAL:
        same_date, next_hk = premium(market, adr), premium(market, adr, "next_hk")
        hk_open = premium(market, adr, "hk_open")
        assert 0.005 < hk_open.std() < 0.03
        assert 0.01 < same_date.std() < 0.06
        assert hk_open.std() < same_date.std()
        assert abs(same_date.mean()) < 0.01
        assert same_date.autocorr(1) < 0.25
        assert 0.0 < next_hk.autocorr(1) < 0.35
        assert 0.05 < hk_open.autocorr(1) < 0.5
        signal = ((same_date + next_hk.shift(1)) / 2).dropna().ewm(span=10).mean()
        assert 0.8 < signal.autocorr(1) < 0.98
        assert signal.std() < 0.015


@pytest.mark.parametrize("seed", [7, 11])
def test_volatilities_and_correlations_are_plausible(seed: int) -> None:
    market = simulated(seed)
    names = ("BABA", "JD", "XPEV", "NIO", "KWEB", "FXI")
    closes = pd.DataFrame({symbol: np.log(prints(market, symbol)) for symbol in names}).diff()
    volatility = closes.std() * np.sqrt(252)
    assert 0.35 < volatility["BABA"] < 0.65
    assert 0.55 < volatility["XPEV"] < 1.1
    assert 0.2 < volatility["FXI"] < 0.4
    assert closes["BABA"].kurt() > 1.0
    correlation = closes.corr()
    assert 0.55 < correlation.at["BABA", "JD"] < 0.85
    assert correlation.at["BABA", "XPEV"] < correlation.at["BABA", "JD"]
    assert correlation.at["NIO", "XPEV"] > 0.55
    assert correlation.at["KWEB", "BABA"] > 0.6


@pytest.mark.parametrize("seed", range(7, 12))
def test_usdhkd_stays_inside_its_band_and_reverts(seed: int) -> None:
    rate = simulate_market(symbols=["KWEB"], seed=seed).fixings["per_usd"]
    assert rate.between(7.75, 7.85).all()
    assert 0.01 < rate.std() < 0.05
    assert np.log(rate).diff().std() < 0.001


def test_fixings_are_known_at_a_quarter_past_two_in_berlin() -> None:
    local = simulated().fixings["time"].dt.tz_convert("Europe/Berlin")
    assert set(local.dt.strftime("%H:%M")) == {"14:15"}
    assert simulated().fixings["time"].iloc[0] < simulated().grid["time"].iloc[0]


def test_prices_earn_their_risk_premium_and_no_more() -> None:
    grid, issuer = simulated().between("2018-01-02", "2018-12-31").grid, ISSUER_OF["KWEB"]
    growth, twin = np.empty(400), np.empty(400)
    for seed in range(400):
        value, foreseen = efficient_prices(grid, [issuer], NO_EVENTS, seed, Effects(), {})
        growth[seed] = np.exp(value[-1, 0]) / issuer.level
        twin[seed] = growth[seed] / np.exp(foreseen[-1, 0])
    error = growth.std(ddof=1) / np.sqrt(len(growth))
    assert growth.mean() == pytest.approx(1.0 + 0.3 * issuer.market * issuer.volatility, abs=3.0 * error)
    assert twin.mean() == pytest.approx(1.0, abs=3.0 * error)


def test_the_default_market_takes_well_under_a_second() -> None:
    simulated()
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        simulate_market()
        seconds.append(time.process_time() - begun)
    assert min(seconds) < 0.6


def test_hong_kong_lines_can_be_sold_short_where_asked() -> None:
    plain = simulate_market(end="2018-03-29")
    market = simulate_market(end="2018-03-29", hk_shorts=["9988.HK", "0700.HK"])
    short = market.instruments["shortable"]
    home = market.instruments["venue"] == "XHKG"
    assert set(short.index[short & home]) == {"9988.HK", "0700.HK"}
    assert short[~home].all()
    assert not plain.instruments.loc[home, "shortable"].any()
    assert same(market.prices, plain.prices)
    assert simulate_market(end="2018-03-29", hk_shorts="0700.HK").instruments.at["0700.HK", "shortable"]


# -- bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": "2020-01-02", "end": "2019-01-02"}, "after the end"),
        ({"start": "2020-01-02", "end": "2020-01-02"}, "start before the end"),
        ({"start": "yesterday"}, "not a date"),
        ({"end": "2190-01-02"}, "calendar"),
        ({"phases": ("open", "noon")}, "phases"),
        ({"phases": ()}, "phases"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 1.5}, "seed 1.5"),
        ({"symbols": ["BABA", "TSLA"]}, "TSLA"),
        ({"symbols": []}, "symbols"),
        ({"symbols": ["CHL"], "start": "2023-01-03"}, "had all left the market by 2023-01-03"),
        ({"effects": 0.5}, "effects is 0.5"),
        ({"hk_shorts": ["BABA"]}, "no Hong Kong line"),
        ({"hk_shorts": ["9988.HK"], "symbols": ["BABA"]}, "no Hong Kong line"),
        ({"hk_shorts": 9988}, "no list of symbols"),
        ({"events": "events.csv"}, "known_at"),
        ({"events": NO_EVENTS.drop(columns=["severity", "channel"])}, r"lacks .*\['channel', 'severity'\]"),
        ({"events": one_event("2021-01-04T00:00Z", "weather")}, "weather"),
        ({"events": one_event("2021-01-04T00:00Z", "tariff", direction=2)}, "direction"),
        ({"events": one_event("2021-01-04T00:00Z", "tariff", severity=np.nan)}, "severity"),
        ({"events": one_event("NaT", "tariff")}, "known_at|time"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(EntrepotError, match=message) as refusal:
        simulate_market(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)
