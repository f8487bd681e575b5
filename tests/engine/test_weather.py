"""Sessions that a typhoon or a hurricane took were still to come until they did not open."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import test_naive as hand

import entrepot as ep


def test_a_session_that_weather_took_was_still_to_come_at_its_planned_open() -> None:
    """Black rain of 8 September 2023, on a market that ends with the next step there was: New York's open."""
    whole = ep.simulate_market("2023-08-21", "2023-09-08", seed=1, symbols=["BABA", "9988.HK"])
    steps = len(whole) - 1
    market = replace(whole, grid=whole.grid[:steps], price=whole.price[:steps], volume=None)
    evening = steps - 4  # of 7 September in Hong Kong: two steps of New York follow, then the 8th
    assert market.grid["time"][evening] == pd.Timestamp("2023-09-07 08:10", tz="UTC")
    wanted = hand.want(market, None, ("9988.HK", "BABA"), {evening: 0.3})
    # the open was planned for 01:30 UTC and the close for 08:10: 12 hours after New York's open, or 5.5 after
    # its close
    for hours, later in ((12.0, 1), (11.9, 2), (5.5, 2)):
        costs = ep.Costs.none().with_(max_leg_gap_hours=hours)
        run = hand.backtest(market, wanted, costs, capital=1_000_000)
        assert [(row["step"], row["reason"]) for row in run.fills] == [(evening + later, "lead")]


def pair_around(monday: str, kept: list[int]) -> ep.Market:
    """A pair at some closes of seven days, the sixth that Monday: Hong Kong's are even, New York's odd."""
    ratio = {"adr": "A", "effective_from": pd.Timestamp("2000-01-03"), "ordinary_per_ads": 4.0}
    market = hand.pair_market([20.0] * 7, ratios=[ratio])
    back = hand.DAYS[5] - pd.Timestamp(monday)
    grid = market.grid.iloc[kept].reset_index(drop=True).rename_axis("step")
    grid = grid.assign(time=grid["time"] - back, session=grid["session"] - back)
    price = market.price.iloc[kept].set_axis(pd.DatetimeIndex(grid["time"], name="time"))
    fixings = market.fixings.assign(time=market.fixings["time"] - back)
    return replace(market, grid=grid, price=price, fixings=fixings)


def test_where_closes_are_all_there_is_a_session_that_weather_took_was_to_come_at_its_planned_close() -> None:
    """A typhoon closed Hong Kong on Monday, 9 October 2023; the market ends with New York's close of it."""
    market = pair_around("2023-10-09", [*range(10), 11])
    wanted = hand.want(market, None, hand.PAIR, {8: 0.1})  # at Hong Kong's close of Friday
    # from New York's close of Friday, 20:00, to the close planned for Monday, 08:10, are 60 hours and a sixth
    for hours, fills in ((60.0, []), (61.0, [(9, "A", -5_000, "lead")])):
        costs = ep.Costs(**hand.FREE | {"max_leg_gap_hours": hours})
        run = hand.backtest(market, wanted, costs, capital=1_000_000)
        assert hand.one_line_of(run, "fills") == fills


def test_of_a_venue_without_a_step_weather_took_none_either() -> None:
    """A hurricane closed New York on Monday, 29 October 2012; of this market Hong Kong's closes are all."""
    market = pair_around("2012-10-29", list(range(0, 14, 2)))
    assert market.grid["time"][5] == pd.Timestamp("2012-10-29 08:00", tz="UTC")
    # New York's close of that day was planned for 20:00, twelve hours later
    costs = ep.Costs(**hand.FREE | {"max_leg_gap_hours": 12.0})
    wanted = hand.want(market, None, hand.PAIR, {4: 0.1})
    assert hand.backtest(market, wanted, costs, capital=1_000_000).fills == []
