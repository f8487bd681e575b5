"""Volumes as they are read, and what is usually traded of a line, against a slow twin and by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import worlds
from naive_volume import usual
from price_folders import ACTIONS, long, pair, split_pair

import entrepot as ep
from entrepot.engine import Costs, backtest
from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.markets.load import load_market
from entrepot.markets.market import Market
from entrepot.markets.volume import average_volume, daily_volatility, share_of_volume

DAYS = pd.bdate_range("2024-03-04", periods=6)


def plain(price: list[float], volume: list[float]) -> Market:
    """One line, a close a day."""
    market = Market.from_prices(pd.DataFrame({"A": price}, index=DAYS[: len(price)]))
    return replace(market, volume=pd.DataFrame({"A": volume}, index=market.price.index))


@pytest.mark.parametrize("wrong", [-1.0, np.inf])
def test_a_volume_that_cannot_be_is_refused(wrong: float) -> None:
    """An infinite one would let any order pass for nothing."""
    with pytest.raises(DataError, match="volume holds a negative or infinite number"):
        plain([1.0, 2.0], [5.0, wrong])


# -- what is read --------------------------------------------------------------------------------------------


def test_volumes_stand_at_the_closes_of_their_sessions() -> None:
    files = pair()
    for symbol, frame in files.items():
        if not symbol.endswith("=X"):
            frame["Volume"] = np.arange(1.0, len(frame) + 1) * 100
    files["BABA"].loc[3, "Volume"] = 0.0  # a row that a vendor filled
    files["BABA"].loc[4, "Volume"] = np.nan
    market = load_market(long(files))
    for symbol, venue in (("BABA", "XNYS"), ("9988.HK", "XHKG")):
        at = ((market.grid["venue"] == venue) & (market.grid["phase"] == "close")).to_numpy()
        told = files[symbol].set_index("Date")["Volume"].replace(0.0, np.nan)
        read = market.volume[symbol]
        np.testing.assert_array_equal(read[at], told.reindex(market.grid["session"][at]).to_numpy())
        assert read[~at].isna().all()
    assert market.volume["BABA"].isna().sum() == len(market) - len(files["BABA"]) + 2
    assert market.until(50).volume.equals(market.volume.iloc[:51])


def test_what_has_no_volume_has_none() -> None:
    files = pair()
    files = {symbol: frame.drop(columns="Volume", errors="ignore") for symbol, frame in files.items()}
    assert load_market(long(files)).volume is None
    files["BABA"]["Volume"] = 5.0
    files["^HSI"] = files["9988.HK"].assign(Volume=7.0)  # an index is no shares
    market = load_market(long(files))
    assert (market.volume["BABA"].dropna() == 5.0).all()
    assert market.volume[["9988.HK", "^HSI"]].isna().all(axis=None)


def test_total_return_volumes_keep_the_value_traded() -> None:
    files = pair()
    for symbol in ("BABA", "9988.HK"):
        files[symbol]["Adj Close"] = files[symbol]["Close"] * np.linspace(0.8, 1.0, len(files[symbol]))
    told = load_market(long(files), adjusted={"BABA": "total_return", "9988.HK": "total_return"})
    raw = load_market(long(files))
    value, same = told.price * told.volume, raw.price * raw.volume
    assert (told.price["BABA"].dropna() < raw.price["BABA"].dropna()).any()
    pd.testing.assert_frame_equal(value, same)


def test_volumes_go_with_the_kind_of_prices() -> None:
    """Raw: a split multiplies what is traded from its day on, and the average with it. Adjusted: no."""
    action = next(a for a in ACTIONS if a.adr == "NTES")  # 5 ADSs for one on 2020-10-02
    for adjusted in (False, True):
        files, _ = split_pair(action, ads_adjusted=adjusted, hk_adjusted=adjusted)
        ads = files["NTES"]
        before = ads["Date"] < pd.Timestamp(action.date)
        ads["Volume"] = np.where(before & (not adjusted), 1_000.0, 5_000.0)
        market = load_market(long(files))
        assert market.instruments.at["NTES", "adjustment"] == ("split" if adjusted else "raw")
        average = average_volume(market, 5)["NTES"]
        own = (market.grid["venue"] == "XNYS").to_numpy()
        split = (market.grid["session"] >= pd.Timestamp(action.date)).to_numpy()
        known = average.notna().to_numpy() & own
        assert set(average[known & ~split]) == {5_000.0 if adjusted else 1_000.0}
        assert set(average[known & split]) == {5_000.0}
        risk = daily_volatility(market, 5)["NTES"]
        assert risk.max() < 0.05  # a split is no move


def test_real_volumes(real_prices: Path) -> None:
    market = ep.load_market(
        real_prices, start="2019-06-03", ends="cut", departures="parity", hk_shorts=["9988.HK"]
    )
    file = pd.read_csv(real_prices / "9988.HK.csv", parse_dates=["Date"]).set_index("Date")["Volume"]
    read = market.volume["9988.HK"].dropna()
    told = file[(file > 0) & (file.index <= market.grid["session"].max())]
    assert (file == 0).any()
    np.testing.assert_array_equal(read.to_numpy(), told.to_numpy())
    assert market.volume["KWEB"].isna().all()
    assert market.volume["CHL"][market.estimated[:, market.column("CHL")]].isna().all()
    # Alibaba in 2024: about a billion dollars a day in New York, half as much in Hong Kong
    average = (average_volume(market) * market.price.ffill()).loc["2024-07-31"].iloc[-1]
    assert 5e8 < average["BABA"] < 2e9
    assert 2e8 < average["9988.HK"] / 7.8 < 1e9
    # in New York nothing is known for the first years, nor a quarter after the file has stopped saying
    assert average_volume(market)["BABA"].loc[:"2024-03-11"].isna().all()
    assert np.isnan(average_volume(market)["BABA"].iloc[-1])


# -- what is usual -------------------------------------------------------------------------------------------


def test_the_average_is_a_median_of_what_is_known() -> None:
    market = plain([10.0] * 6, [100.0, 0.0, 300.0, 9_000.0, np.nan, 200.0])
    # of the last three: 100, 300, 9000, then 300, 9000, 200
    assert average_volume(market, 3)["A"].tolist()[3:] == [300.0, 300.0, 300.0]
    assert average_volume(market, 3)["A"].isna().tolist() == [True, True, True, False, False, False]
    assert average_volume(market, 2)["A"].tolist()[2:] == [200.0, 4_650.0, 4_650.0, 4_600.0]
    # one volume may be three sessions back, its own counted, and no further
    silent = plain([10.0] * 6, [100.0, np.nan, np.nan, np.nan, np.nan, 50.0])
    np.testing.assert_array_equal(average_volume(silent, 1)["A"], [100, 100, 100, np.nan, np.nan, 50])


def test_volatility_is_the_root_mean_square_of_the_last_returns() -> None:
    market = plain([100.0, 110.0, 99.0, np.nan, 200.0, 210.0], [1.0] * 6)
    # 0.1 and -0.1; then nothing over the gap; then -0.1 and 0.05
    expected = [np.nan, np.nan, 0.1, 0.1, 0.1, np.sqrt((0.01 + 0.0025) / 2)]
    np.testing.assert_allclose(daily_volatility(market, 2)["A"], expected, rtol=1e-12)


def test_an_estimated_close_is_no_close() -> None:
    market = plain([100.0, 110.0, 99.0, 108.9, 98.01], [1.0] * 5)
    estimates = pd.DataFrame({"symbol": ["A"], "session": [DAYS[2]]})
    market = replace(market, estimates=estimates.astype({"symbol": "str"}))
    # 110 to 99 and 99 to 108.90 are not known
    expected = [np.nan, 0.1, 0.1, 0.1, 0.1]
    np.testing.assert_allclose(daily_volatility(market, 1)["A"], expected, rtol=1e-12)
    assert daily_volatility(market, 2)["A"].isna().tolist() == [True, True, True, True, False]


def test_a_dividend_is_no_move() -> None:
    market = plain([100.0, 100.0, 95.0, 95.0], [1.0] * 4)
    paid = {"symbol": ["A"], "ex_date": [DAYS[2]], "pay_date": [pd.NaT], "amount": [5.0]}
    assert daily_volatility(market, 2)["A"].iloc[2] == pytest.approx(0.05 / np.sqrt(2))
    market = replace(market, dividends=pd.DataFrame(paid).astype({"pay_date": "datetime64[ns]"}))
    np.testing.assert_allclose(daily_volatility(market, 2)["A"].iloc[2:], 0.0, atol=1e-15)


@pytest.mark.parametrize("seed", range(12))
def test_the_frames_agree_with_their_twin(seed: int) -> None:
    switches = replace(
        worlds.random_switches(seed), impact=True, splits=True, dividends=True, gaps=seed % 2 == 0
    )
    market = worlds.random_world(seed, steps=50, pairs=1, switches=switches).market
    for sessions in (1, 4):
        average, risk = average_volume(market, sessions), daily_volatility(market, sessions)
        for symbol in market.symbols:
            told = np.array([usual(market, symbol, t, sessions) for t in range(0, len(market), 3)])
            np.testing.assert_allclose(average[symbol].iloc[::3], told[:, 0], rtol=1e-12)
            np.testing.assert_allclose(risk[symbol].iloc[::3], told[:, 1], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_later_changes_what_was_known(seed: int) -> None:
    switches = replace(worlds.random_switches(seed), impact=True)
    market = worlds.random_world(seed, steps=60, pairs=2, switches=switches).market
    for make in (average_volume, daily_volatility):
        whole = make(market, 3)
        for step in (5, 17, 18, 41):
            pd.testing.assert_frame_equal(
                make(market.until(step), 3), whole.iloc[: step + 1], check_exact=True
            )


# -- a share of it -------------------------------------------------------------------------------------------


def test_a_share_of_the_volume_of_the_sessions_before() -> None:
    market = plain([10.0] * 4, [100.0, 300.0, 900.0, 500.0])
    caps = share_of_volume(market, 0.5, 2)
    # of 100 and 300, then of 300 and 900; no volume of its own date
    assert caps["A"].tolist() == [0.0, 0.0, 100.0, 300.0]
    assert list(caps.index) == list(DAYS[:4])
    weights = pd.DataFrame({"A": [0.5]}, index=DAYS[:1])
    run = backtest(market, weights, capital=1e5, costs=Costs.none().with_(max_fill_shares=caps))
    # nothing on the second day; 100 and 300 of 5000, then the order is given up
    assert run.fills[["step", "quantity"]].to_numpy().tolist() == [[2, 100.0], [3, 300.0]]
    assert run.dropped["reason"].tolist() == ["expired"]


def test_the_caps_of_a_date_are_in_its_own_shares() -> None:
    action = next(a for a in ACTIONS if a.adr == "NTES")
    files, _ = split_pair(action, ads_adjusted=False, hk_adjusted=False)
    files["NTES"]["Volume"] = np.where(files["NTES"]["Date"] < pd.Timestamp(action.date), 1_000.0, 5_000.0)
    caps = share_of_volume(load_market(long(files)), 0.1, 5)["NTES"]
    caps = caps[caps > 0]
    assert set(caps[caps.index < action.date]) == {100.0}
    assert set(caps[caps.index >= action.date]) == {500.0}


@pytest.mark.parametrize("seed", range(4))
def test_a_row_of_caps_knows_no_volume_of_its_date(seed: int) -> None:
    switches = replace(worlds.random_switches(seed), impact=True)
    market = worlds.random_world(seed, steps=60, pairs=2, switches=switches).market
    try:
        caps = share_of_volume(market, 0.1, 3)
    except EntrepotError:
        assert market.volume is None
        return
    date = caps.index[len(caps) // 2]
    later = (market.grid["session"] >= date).to_numpy()
    other = replace(market, volume=market.volume.mask(later[:, None] & market.volume.notna(), 7.0))
    changed = share_of_volume(other, 0.1, 3)
    pd.testing.assert_frame_equal(changed.loc[:date], caps.loc[:date], check_exact=True)
    assert not changed.equals(caps)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda m: average_volume(m, 0), "sessions is 0: give a whole number of sessions, 1 to 250"),
        (lambda m: average_volume(m, 2.5), "sessions is 2.5"),
        (lambda m: daily_volatility(m, "month"), "sessions is 'month'"),
        (lambda m: daily_volatility(m, 251), "sessions is 251"),
        (lambda m: share_of_volume(m, 10), "share is 10: give a fraction above 0 and up to 1"),
        (lambda m: share_of_volume(m, 0.0), "share is 0.0"),
        (lambda m: share_of_volume(m, True), "share is True"),
        (lambda m: share_of_volume(m, 0.1, -1), "sessions is -1"),
    ],
)
def test_what_cannot_be_meant_is_refused(make, says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        make(plain([1.0, 2.0], [1.0, 1.0]))


def test_a_market_without_volumes_has_no_share_of_them() -> None:
    market = replace(plain([1.0] * 5, [1.0] * 5), volume=None)
    assert average_volume(market, 1).isna().all(axis=None)
    with pytest.raises(
        DataError, match="no line of this market has 20 known volumes: load files with a Volume"
    ):
        share_of_volume(market)
