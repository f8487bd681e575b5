"""What switching is worth: on a market where it is worth something by construction, and where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.regimes.placebo import misdate
from entrepot.switching import SWITCH, SwitchingValue, alone, share_as_good, switching_value


@pytest.fixture(scope="module")
def events() -> ep.Events:
    return ep.load_events()


@pytest.fixture(scope="module")
def market(events: ep.Events) -> ep.Market:
    return ep.simulate_market(start="2019-01-02", end="2021-12-31", seed=2, events=events.frame)


def timed_market(market: ep.Market, path: ep.RegimePath, drift: float, seed: int) -> ep.Market:
    """The market with funds that move steadily: KWEB up in calm and down otherwise, FXI the other way."""
    price = market.price.copy()
    calm = path.states == 0
    step = np.concatenate([[0.0], np.where(calm[:-1], drift, -drift)])
    noise = 0.002 * np.random.default_rng(seed).standard_normal(len(price))
    for symbol, sign in (("KWEB", 1.0), ("FXI", -1.0)):
        level = 40 * np.exp(np.cumsum(sign * step + noise))
        price[symbol] = np.where(market.scheduled[:, market.column(symbol)], level, np.nan)
    return replace(market, price=price)


def holding(market: ep.Market, symbol: str) -> pd.DataFrame:
    return pd.DataFrame({symbol: [1.0]}, index=market.grid["session"].iloc[[8]])


def asked(
    market: ep.Market, events: ep.Events, drift: float, placebos: int, noise: int = 0
) -> SwitchingValue:
    path = ep.RegimeModel().walk_forward(market, events, progress=False)
    assert 0.2 < (path.states == 0).mean() < 0.8
    made = timed_market(market, path, drift, noise)
    up, down = holding(made, "KWEB"), holding(made, "FXI")
    plan = ep.RegimeSwitch(path, calm=up, tariff=down, delisting=down, decoupling=down)
    return switching_value(made, events, plan, placebos=placebos, progress=False)


def test_switching_is_worth_what_was_built_in(market: ep.Market, events: ep.Events) -> None:
    value = asked(market, events, 0.0006, 19)
    assert next(iter(value.table.index)) == SWITCH
    assert len(value.table) == 3
    assert (value.table["Switch Adds"].drop(SWITCH) > 1).all()
    assert (value.table["Adds Low"].drop(SWITCH) > 0).all()
    assert value.p["Sharpe Ratio"] == 1 / 20
    assert "of 20 calendars, all but one with wrong dates, 5.0% do at least as well" in str(value)


def test_switching_between_noise_is_worth_nothing(market: ep.Market, events: ep.Events) -> None:
    # p is even over 0.1, 0.2, ... 1: more than three of eight at 0.1 happen once in two hundred times.
    values = [asked(market, events, 0.0, 9, noise) for noise in range(8)]
    assert sum(value.p["Sharpe Ratio"] <= 0.1 for value in values) <= 3
    low = [(value.table["Adds Low"].drop(SWITCH) > 0).all() for value in values]
    assert sum(low) <= 1


def test_a_placebo_is_the_switch_on_wrong_dates_and_the_true_cost_of_borrow(
    market: ep.Market, events: ep.Events
) -> None:
    model = ep.RegimeModel()
    path = model.walk_forward(market, events, progress=False)
    hedge = ep.LongHKShortADR(mode="delisting_hedge")
    plan = ep.RegimeSwitch(path, delisting=hedge, decoupling=hedge)
    terms: dict[str, Any] = {"capital": 3e5, "costs": ep.Costs(borrow_multiplier=3.0)}
    value = switching_value(market, events, plan, placebos=2, move="shuffle", seed=9, progress=False, **terms)
    rng = np.random.default_rng(9)
    for drawn in value.placebo["Net Return [% pa]"]:
        wrong = model.walk_forward(market, misdate(events, market, rng, "shuffle"), progress=False)
        result = ep.backtest(market, plan.with_(path=wrong), path=path, **terms)
        growth = result.daily.iloc[-1] / result.daily.iloc[0]
        assert drawn == pytest.approx(100 * (growth ** (252 / len(result.returns)) - 1))
    good = (value.placebo["Sharpe Ratio"] >= value.table.loc[SWITCH, "Sharpe Ratio"]).sum()
    assert value.p["Sharpe Ratio"] == (1 + good) / 3


def test_equal_parts_are_run_once_and_cash_not_at_all(market: ep.Market, events: ep.Events) -> None:
    path = ep.RegimeModel().walk_forward(market, events, progress=False)
    hedge = ep.LongHKShortADR(mode="delisting_hedge")
    plan = ep.RegimeSwitch(path, tariff=ep.SectorRotation(), delisting=hedge, decoupling=hedge.with_())
    assert [name.split(":")[0] for name in alone(plan)] == ["tariff", "delisting and decoupling"]


def test_what_holds_nothing_is_no_evidence(market: ep.Market, events: ep.Events) -> None:
    path = ep.RegimeModel().walk_forward(market, events, progress=False)
    never = ep.LongHKShortADR(lookback=10_000)
    part = switching_value(
        market,
        events,
        ep.RegimeSwitch(path, calm=holding(market, "KWEB"), tariff=never),
        placebos=0,
        progress=False,
    )
    assert part.table["Sharpe Ratio"].isna().tolist() == [False, False, True]
    assert "its best part (calm: DataFrame(1 rows, 1 columns)) " in str(part)
    assert "nan" not in str(part)
    value = switching_value(market, events, ep.RegimeSwitch(path, tariff=never), placebos=3, progress=False)
    assert value.p[["Sharpe Ratio", "Monthly Sharpe"]].isna().all()
    assert value.p["Net Return [% pa]"] == 1.0
    assert str(value) == "the switch has no Sharpe ratio: it held nothing, or lost everything"
    assert not value.plot().patches


def test_the_share_that_does_as_well_counts_the_true_calendar_and_those_without_a_ratio() -> None:
    placebo = pd.Series([0.1, 0.5, 0.7, np.nan])
    assert share_as_good(placebo, 0.5) == 4 / 5
    assert share_as_good(placebo, 0.8) == 2 / 5
    assert np.isnan(share_as_good(placebo, np.nan))
    assert np.isnan(share_as_good(placebo[:0], 0.5))


def test_the_picture_shows_the_placebos_and_every_row(market: ep.Market, events: ep.Events) -> None:
    path = ep.RegimeModel().walk_forward(market, events, progress=False)
    plan = ep.RegimeSwitch(path, calm=ep.SectorRotation())
    value = switching_value(market, events, plan, placebos=5, progress=False)
    place = value.plot()
    assert "simulated" in place.figure.get_suptitle()
    assert sum(patch.get_height() for patch in place.patches) == 5
    assert sorted(line.get_xdata()[0] for line in place.lines) == sorted(value.table["Sharpe Ratio"])


def test_a_market_of_one_session_has_no_ratio(market: ep.Market, events: ep.Events) -> None:
    short = market.until(4)
    path = ep.RegimeModel().walk_forward(short, events, progress=False)
    value = switching_value(short, events, ep.RegimeSwitch(path, calm=ep.SectorRotation()), placebos=0)
    assert value.table["Sharpe Ratio"].isna().all()


def test_wrong_arguments(market: ep.Market, events: ep.Events) -> None:
    path = ep.RegimeModel().walk_forward(market, events, progress=False)
    plan = ep.RegimeSwitch(path, calm=ep.SectorRotation())
    with pytest.raises(ep.ParameterError, match="give a RegimeSwitch"):
        switching_value(market, events, ep.SectorRotation())  # type: ignore[arg-type]
    with pytest.raises(ep.ParameterError, match=r"placebos is -1: give a whole number of calendars"):
        switching_value(market, events, plan, placebos=-1)
    for model in (path, ep.RegimeModel):
        with pytest.raises(ep.ParameterError, match=r"model is .*: give a RegimeModel\(\), or leave it out"):
            switching_value(market, events, plan, model)  # type: ignore[arg-type]
    with pytest.raises(ep.ParameterError, match=r"seed is 0\.5: give a whole number"):
        switching_value(market, events, plan, seed=0.5)  # type: ignore[arg-type]
