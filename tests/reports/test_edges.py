"""Runs at the edge: nothing traded, a few steps, equity gone, arguments of the wrong kind."""

from __future__ import annotations

import warnings
from dataclasses import replace

import doubles
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.errors import ParameterError, TargetError
from entrepot.job import pair_fill_timing
from entrepot.reports import report, summary


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(end="2018-06-01")


@pytest.fixture(scope="module")
def path(market: ep.Market) -> ep.RegimePath:
    return ep.RegimeModel().walk_forward(market, ep.load_events())


def weights(market: ep.Market, value: float) -> pd.DataFrame:
    days = pd.DatetimeIndex(sorted(set(market.grid["session"])))
    return pd.DataFrame({"KWEB": value}, index=days)


@pytest.fixture(scope="module")
def result(market: ep.Market, path: ep.RegimePath) -> ep.Result:
    return ep.backtest(market, weights(market, 0.5), path=path)


def test_a_pair_without_a_print_has_no_timing(market):
    timing = pair_fill_timing(market)
    assert timing.loc["LI"].drop("round trips").isna().all()
    assert timing.loc["CHL"].notna().all()


def test_no_pair_prints_at_all(market):
    free = ep.LongHKShortADR().targets(market)
    alone = [free.pairs.index(pair) for pair in free.pairs if pair[1] == "LI"]
    chosen = ep.Targets(free.weights, (free.pairs[alone[0]],), free.pair_weights[:, alone])
    timing = ep.fill_timing(market, chosen)
    assert list(timing.index) == ["LI"]
    assert timing.drop(columns="round trips").isna().all(axis=None)


def test_round_trips_are_begun_once_however_often_their_weight_is_told(market):
    weight = np.full((len(market), 1), np.nan)
    weight[[9, 13, 17, 21, 25, 29, 33], 0] = [0.2, 0.3, 0.0, 0.2, -0.2, 0.0, 0.0]
    nothing, shorts = np.full(market.price.shape, np.nan), market.instruments.assign(shortable=True)
    targets = ep.Targets(nothing, (("0941.HK", "CHL"),), weight)
    timing = ep.fill_timing(replace(market, instruments=shorts), targets)
    assert timing.loc["CHL", "round trips"] == 3


@pytest.mark.parametrize("before", [{}, {"2022-04-12": 0.5}], ids=["enter", "leave"])
def test_what_is_decided_while_hong_kong_is_shut_is_filled_at_the_next_closes_of_both(before):
    # 2 May 2022 is a holiday in Hong Kong, the 3rd is not.
    market = ep.simulate_market("2022-03-01", "2022-08-31", symbols=["BABA", "9988.HK"], seed=3)

    def timing(date: str) -> float:
        said = before | {date: 0.0 if before else 0.5}
        frame = pd.DataFrame({"BABA": said.values()}, index=pd.to_datetime(list(said)))
        return float(ep.fill_timing(market, ep.Targets.from_pairs(market, frame)).loc["BABA", "own closes"])

    assert timing("2022-05-02") == timing("2022-05-03") != timing("2022-05-04")


def test_what_is_no_pair_of_this_market_has_no_timing(market):
    targets = ep.LongHKShortADR().targets(market)
    for given in (ep.LongHKShortADR(), pd.DataFrame(), None):
        with pytest.raises(ParameterError, match=r"targets is .*: give such as LongHKShortADR\(\)\.targets"):
            ep.fill_timing(market, given)
    with pytest.raises(ParameterError, match="market is 'x': give one, made by load_market"):
        ep.fill_timing("x", targets)
    with pytest.raises(ParameterError, match="link no pair"):
        ep.fill_timing(market, ep.SectorRotation().targets(market))
    with pytest.raises(TargetError, match=r"this market needs \(101, 47\)"):
        ep.fill_timing(market.until(100), targets)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 200])
@pytest.mark.parametrize("weight", [np.nan, 0.5])
def test_short_and_idle_runs_are_shown(market, steps, weight, tmp_path):
    part = market.until(steps)
    run = ep.backtest(part, weights(part, weight))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run.report(tmp_path / "a.html", events=ep.load_events()).is_file()
        run.tear_sheet(tmp_path / "a.png", events=ep.load_events())


def test_events_may_be_a_calendar_or_a_frame(result, tmp_path):
    events = ep.load_events()
    pd.testing.assert_frame_equal(result.by_event(events), result.by_event(events.frame))
    assert result.report(tmp_path / "a.html", events=events.frame).is_file()
    for wrong in ("x", 3, [1]):
        for ask in (result.by_event, lambda e: result.report(tmp_path / "b.html", events=e)):
            with pytest.raises(ep.ParameterError, match=r"events is of type .* give load_events\(\)"):
                ask(wrong)
    with pytest.raises(ep.ParameterError, match="events is of type NoneType"):
        result.by_event(None)
    with pytest.raises(ep.DataError, match="no column known_at"):
        result.by_event(pd.DataFrame({"a": [1]}))
    with pytest.raises(ep.DataError, match=r"zoneless|cannot be read"):
        result.by_event(events.frame.assign(known_at="soon"))
    with pytest.raises(ep.DataError, match="cannot be read"):
        result.by_event(events.frame.assign(severity="bad"))
    with pytest.raises(ep.ParameterError, match="sessions is 'x'"):
        result.by_event(events, "x")


def test_a_path_is_a_regime_path(result):
    for wrong in ("x", "", 0):
        with pytest.raises(ep.ParameterError, match="path is of type"):
            result.by_regime(wrong)
    with pytest.raises(ep.DataError, match="benchmark is of type list"):
        result.summary([1, 2])


def test_ruin_is_dated(tmp_path):
    ledger = doubles.from_equity([100, 50, -5, 10])
    page = report(ledger, tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Equity fell below zero on 2020-01-03" in page
    days = pd.bdate_range("2020-01-01", periods=5)
    short = pd.DataFrame({"X": [-1.0, *[np.nan] * 4]}, index=days)
    quiet, ruined = (
        ep.backtest(
            ep.Market.from_prices(pd.DataFrame({"X": [10.0, 10, last, last, last]}, index=days)), short
        )
        for last in (10.0, 50.0)
    )
    assert "equity fell" not in repr(quiet)
    assert repr(ruined).endswith("equity fell below zero on 2020-01-03)")
    assert "equity fell below zero on 2020-01-03" in ruined.plan_notes


def test_interest_explains_a_gain_with_a_poor_sharpe_ratio(market):
    idle = ep.backtest(market, weights(market, np.nan)).summary()
    assert idle["Interest Earned"] == pytest.approx(idle["End Value"] - idle["Start Value"])
    assert idle["Interest Earned"] > 0
    assert np.isnan(idle["Sortino Ratio"])


def test_interest_is_that_of_cash_and_rebate(ledger):
    sums = ledger.contributions.sum()
    assert summary(ledger)["Interest Earned"] == pytest.approx(sums["interest"].sum() + sums["rebate"].sum())
