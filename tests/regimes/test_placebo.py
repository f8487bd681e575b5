"""Calendars with wrong dates keep everything but the dates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.regimes.placebo import misdate


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2020-01-02", end="2021-12-31", seed=1)


def sessions(market: ep.Market, events: ep.Events) -> np.ndarray:
    """The session clock at each event, by event_id."""
    frame = events.frame.sort_values("event_id")
    known = pd.DatetimeIndex(frame["known_at"]).as_unit("ns").asi8
    return np.interp(known, market.times, market.session_count)


@pytest.mark.parametrize("move", ["shuffle", "shift"])
def test_marks_signs_and_the_past_are_kept(market: ep.Market, move: str) -> None:
    events = ep.load_events().known_by(market.price.index[-1])
    wrong = misdate(ep.load_events(), market, np.random.default_rng(0), move)  # type: ignore[arg-type]
    true, moved = (e.frame.sort_values("event_id").reset_index(drop=True) for e in (events, wrong))
    pd.testing.assert_frame_equal(true.drop(columns="known_at"), moved.drop(columns="known_at"))
    before = (true["known_at"] < market.price.index[0]).to_numpy()
    assert before.any()
    assert (~before).any()
    assert (true["known_at"] == moved["known_at"]).to_numpy()[before].all()
    inside = moved["known_at"][~before]
    assert inside.min() >= market.price.index[0]
    assert inside.max() <= market.price.index[-1]
    assert (true["known_at"] != moved["known_at"]).to_numpy()[~before].mean() > 0.9


def test_a_shift_keeps_what_came_together_together(market: ep.Market) -> None:
    events = ep.load_events().known_by(market.price.index[-1])
    wrong = misdate(events, market, np.random.default_rng(3), "shift")
    inside = (events.frame.sort_values("event_id")["known_at"] >= market.price.index[0]).to_numpy()
    length = market.session_count[-1] - market.session_count[0]
    moved = (sessions(market, wrong) - sessions(market, events))[inside] % length
    assert np.ptp(moved) < 1e-6


def test_shuffled_dates_spread_evenly_over_the_sessions(market: ep.Market) -> None:
    rng = np.random.default_rng(4)
    inside = (
        ep.load_events().known_by(market.price.index[-1]).frame["known_at"] >= market.price.index[0]
    ).sum()
    drawn = []
    for _ in range(40):
        wrong = misdate(ep.load_events(), market, rng, "shuffle")
        drawn += list(np.sort(sessions(market, wrong))[-inside:])
    share = (np.array(drawn) - market.session_count[0]) / (market.session_count[-1] - market.session_count[0])
    # Kolmogorov's bound at one in a thousand.
    order = np.sort(share)
    away = np.abs(order - (np.arange(len(order)) + 0.5) / len(order)).max()
    assert away < 1.95 / np.sqrt(len(order))


def test_wrong_arguments(market: ep.Market) -> None:
    with pytest.raises(ep.ParameterError, match=r"move='swap' is unknown: use one of shuffle, shift"):
        misdate(ep.load_events(), market, np.random.default_rng(0), "swap")  # type: ignore[arg-type]
    with pytest.raises(ep.ParameterError, match="give events such as load_events"):
        misdate(ep.load_events().frame, market, np.random.default_rng(0))  # type: ignore[arg-type]


def test_what_follows_a_placebo_can_be_checked_for_look_ahead() -> None:
    # Its events are known before they were announced, which no other calendar may say.
    market = ep.simulate_market(start="2024-06-03", end="2025-06-30", seed=1)
    wrong = misdate(ep.load_events(), market, np.random.default_rng(3))
    assert ep.check_causal(ep.StimulusBasket(wrong), market, steps=[len(market) // 2]).ok
