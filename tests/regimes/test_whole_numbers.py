"""Whole numbers of numpy's small and unsigned kinds mean what those of Python mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.markets.volume import daily_volatility, share_of_volume
from entrepot.regimes import observations, research
from entrepot.regimes.refits import Schedule
from entrepot.regimes.research import calendar_value, hac_mean

Whole = Callable[[int], Any]

MONTHS = pd.date_range("2021-01-31", periods=12, freq="ME").strftime("%Y-%m-%d")
NOISE = np.random.default_rng(5).standard_normal(400)


@pytest.fixture(scope="module")
def market() -> ep.Market:
    """Of more steps and sessions than 8 bits hold."""
    return ep.simulate_market("2021-01-04", "2022-06-30", seed=3)


OF_A_MARKET: dict[str, Callable[[ep.Market, Whole], Any]] = {
    "average_volume": lambda m, whole: ep.average_volume(m, whole(20)),
    "daily_volatility": lambda m, whole: daily_volatility(m, whole(20)),
    "share_of_volume": lambda m, whole: share_of_volume(m, sessions=whole(20)),
    "parity_gap, window": lambda m, whole: observations.parity_gap(
        m, statistic="widening", window=whole(5), min_pairs=whole(2)
    ),
    "hk_minus_adr": lambda m, whole: observations.hk_minus_adr(m, min_pairs=whole(3)),
    "sector_dispersion": lambda m, whole: observations.sector_dispersion(m, min_sectors=whole(3)),
    "realised_volatility": lambda m, whole: observations.realised_volatility(m, window=whole(20)),
    "simulate_market": lambda m, whole: (
        ep.simulate_market("2021-01-04", "2021-02-26", whole(9), symbols=["KWEB"]).price
    ),
    "the steps of a path": lambda m, whole: (
        ep.RegimeModel().walk_forward(m, ep.load_events()).until(whole(100)).probabilities
    ),
    "the severity of events": lambda m, whole: (
        ep.load_events().where(severity=whole(3), direction=whole(1)).frame
    ),
    "MarkovDetector": lambda m, whole: pd.DataFrame(
        ep.MarkovDetector(states=whole(2), starts=whole(2), cold_every=whole(6), seed=whole(1))
        .fit(NOISE)
        .filter(NOISE)
    ),
    "JumpDetector": lambda m, whole: pd.DataFrame(
        ep.JumpDetector(states=whole(2), stress_by=whole(1), starts=whole(3), seed=whole(1))
        .fit(NOISE)
        .filter(NOISE)
    ),
    "ChangePointDetector": lambda m, whole: pd.DataFrame(
        ep.ChangePointDetector(recent=whole(20), most_runs=whole(100)).fit(NOISE).filter(NOISE)
    ),
    "Schedule": lambda m, whole: pd.Series(
        Schedule(every=whole(21), least=whole(100), window=whole(120)).stops(NOISE)
    ),
    "hac_mean": lambda m, whole: pd.Series(hac_mean(NOISE, whole(7))),
}


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint64, np.int64])
@pytest.mark.parametrize("call", OF_A_MARKET.values(), ids=OF_A_MARKET)
def test_a_whole_number_of_numpy_is_the_same_number(market, call, kind) -> None:
    wanted, found = call(market, int), call(market, kind)
    equal = (
        pd.testing.assert_frame_equal if isinstance(wanted, pd.DataFrame) else pd.testing.assert_series_equal
    )
    equal(found, wanted, check_exact=True)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint64])
def test_the_lag_of_a_news_index_may_be_one_of_numpy(tmp_path, kind) -> None:
    path = tmp_path / "index.csv"
    pd.DataFrame({"date": MONTHS, "value": np.arange(12.0)}).to_csv(path, index=False)
    wanted, found = (ep.load_news_index(path, lag=number(40)) for number in (int, kind))
    pd.testing.assert_frame_equal(found.frame, wanted.frame)
    assert found.lag == wanted.lag


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint64])
def test_as_many_placebos_as_the_kind_holds_are_counted_with_the_calendar_itself(
    market, monkeypatch, kind
) -> None:
    def scores(detector, y, x, schedule):
        return (np.zeros(len(y)) if x is None else y * x[:, 0]), 0

    monkeypatch.setattr(research, "log_scores", scores)
    model = ep.RegimeModel(delisting=ep.MarkovDetector(), schedule=Schedule(least=50))
    count = min(np.iinfo(kind).max, 255)
    found = [
        calendar_value(
            model, market, ep.load_events(), placebo=number(count), seed=number(3), progress=False
        ).placebo_p
        for number in (int, kind)
    ]
    assert found[0] == found[1]
    assert 1 / (count + 1) <= found[1] <= 1
