"""Event studies of markets: days, returns, what is left out, random dates, known truth, and real prices."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.figure
import matplotlib.pyplot as plt
import naive_event_study as naive
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.event_design import CONTEXT, NO_DATA, OUTSIDE
from entrepot.event_panels import Windows
from entrepot.event_words import HINDSIGHT
from entrepot.markets.market import Market
from entrepot.markets.simulated_events import impact
from entrepot.markets.simulated_issuers import ISSUER_OF
from entrepot.reports.event_study import STATISTICS
from entrepot.reports.pictures.style import LIGHT, apart
from entrepot.studies import EventStudy, at_random_dates, event_study

matplotlib.use("agg")

SHORT: dict[str, Any] = {"window": (-2, 3), "estimation": (-40, -6), "placebos": 0}
LINES = ["BABA", "9988.HK", "NTES", "9999.HK", "JD", "9618.HK", "FXI", "2828.HK"]


def calendar(*rows: tuple[str, str, int], **columns: Any) -> pd.DataFrame:
    """Events of given moments, channels and directions."""
    frame = pd.DataFrame(rows, columns=["known_at", "channel", "direction"])
    frame["known_at"] = pd.DatetimeIndex([pd.Timestamp(when).tz_convert("UTC") for when in frame["known_at"]])
    names = [f"e{i}" for i in range(len(rows))]
    return frame.assign(severity=3, title="", event_id=names, **columns)


def one_venue(values: dict[str, Any], start: str = "2020-01-01") -> Market:
    """A market of log returns by symbol, one session a business day, closing at 21:00 UTC."""
    frame = pd.DataFrame(values)
    index = pd.bdate_range(start, periods=len(frame)) + pd.Timedelta(hours=21)
    return Market.from_prices(100 * np.exp(frame.cumsum()).set_axis(index.tz_localize("UTC")))


def at_session(market: Market, number: int, hours: float = -1.0) -> str:
    """A moment so many hours after a close of the only venue."""
    return str(market.grid["time"][number] + pd.Timedelta(hours=hours))


@pytest.fixture(scope="module")
def market() -> Market:
    return ep.simulate_market("2020-01-02", "2021-06-30", seed=3, symbols=LINES, phases=("close",))


@pytest.fixture(scope="module")
def simulated() -> Market:
    return ep.simulate_market("2019-01-02", "2021-12-31", seed=7)


@pytest.fixture(scope="module")
def study(simulated: Market) -> EventStudy:
    assert simulated.truth is not None
    return event_study(simulated, simulated.truth.events, by="both")


# -- day 0 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "new_york", "hong_kong"),
    [
        ("2021-03-09T20:59:59Z", "2021-03-09", "2021-03-10"),  # a second before New York's close
        ("2021-03-09T21:00:00Z", "2021-03-10", "2021-03-10"),  # at the close: the next session's
        ("2021-03-09T21:00:01Z", "2021-03-10", "2021-03-10"),
        (
            "2021-03-10T08:09:59Z",
            "2021-03-10",
            "2021-03-10",
        ),  # a second before the end of Hong Kong's auction
        ("2021-03-10T08:10:00Z", "2021-03-10", "2021-03-11"),
        ("2021-03-13T12:00:00Z", "2021-03-15", "2021-03-15"),  # a Saturday
        ("2021-03-15T19:59:59Z", "2021-03-15", "2021-03-16"),  # daylight saving has come
        ("2021-03-15T20:00:00Z", "2021-03-16", "2021-03-16"),
        ("2021-04-02T15:00:00Z", "2021-04-05", "2021-04-07"),  # Good Friday in both, Easter and Ching Ming
    ],
)
def test_day_0_is_the_first_session_whose_close_is_after_the_event_was_known(
    market: Market, known: str, new_york: str, hong_kong: str
) -> None:
    events = calendar((known, "delisting", 1))
    for symbol, day in (("BABA", new_york), ("9988.HK", hong_kong)):
        found = event_study(market, events, [symbol], benchmark=None, **SHORT)
        assert found.events["day0"].iloc[0] == pd.Timestamp(day)
        venue = market.instruments["venue"][symbol]
        sessions, returns = naive.log_returns(market, symbol)
        zero = naive.day_zero(market, venue, pd.Timestamp(known))
        assert sessions[zero] == pd.Timestamp(day)
        mean = np.mean([returns[s][0] for s in sessions[zero - 40 : zero - 5]])
        np.testing.assert_allclose(
            found.abnormal.loc[0].iloc[0], returns[pd.Timestamp(day)][0] - mean, atol=1e-12
        )
    both = event_study(market, events, ["BABA", "9988.HK"], benchmark=None, **SHORT)
    assert both.events["day0"].iloc[0] == pd.Timestamp(new_york)  # New York's clock tells dates apart
    alone = event_study(market, events, ["9988.HK"], benchmark=None, **SHORT)
    np.testing.assert_array_equal(both.abnormal["e0", "9988.HK"], alone.abnormal["e0", "9988.HK"])


# -- returns -------------------------------------------------------------------------------------------------


def expected(
    market: Market, symbol: str, benchmark: str | None, known: str, model: str
) -> tuple[dict[str, Any] | None, list[float | None]]:
    """Fit and abnormal returns of one line at one event, session by session."""
    venue = market.instruments["venue"][symbol]
    sessions, returns = naive.log_returns(market, symbol)
    beside = naive.log_returns(market, benchmark)[1] if benchmark else {}
    zero = naive.day_zero(market, venue, pd.Timestamp(known))
    assert zero is not None

    def row(day: int) -> tuple[float | None, float, int]:
        number = zero + day
        if not 0 <= number < len(sessions) or sessions[number] not in returns:
            return None, 0.0, 1
        value, span = returns[sessions[number]]
        other = sum(beside[sessions[k]][0] for k in range(number - span + 1, number + 1)) if beside else 0.0
        return value, other, span

    past = [row(day) for day in range(-40, -5)]
    event = [row(day) for day in range(-2, 4)]
    single = [value if span == 1 else None for value, _, span in past]
    fitted = naive.fit(single, [m for _, m, _ in past], model, least=17)
    if fitted is None:
        return None, []
    own, other, span = (list(part) for part in zip(*event, strict=True))
    return fitted, naive.abnormal(own, other, span, fitted)


@pytest.mark.parametrize("model", ["market", "market_adjusted", "mean"])
def test_abnormal_returns_are_those_worked_out_session_by_session(market: Market, model: str) -> None:
    """Over a split and a change of ratio, dividends, gaps in prices, and the market's end."""
    price = market.price.copy()
    closes = {venue: np.flatnonzero((market.grid["venue"] == venue).to_numpy()) for venue in ("XNYS", "XHKG")}
    price.iloc[closes["XNYS"][185:188], price.columns.get_loc("JD")] = np.nan  # around the second event
    price.iloc[closes["XNYS"][150], price.columns.get_loc("JD")] = np.nan
    price.iloc[closes["XHKG"][188], price.columns.get_loc("9618.HK")] = np.nan
    gappy = replace(market, price=price)
    assert "NTES" in set(market.splits["symbol"])
    assert len(market.dividends)
    known = ["2020-09-30T15:00Z", "2020-09-28T23:00Z", "2021-04-05T15:00Z", "2021-06-28T12:00Z"]
    events = calendar(*((when, "tariff", 1) for when in known))
    names = [line for line in LINES if line not in ("FXI", "2828.HK")]
    options: dict[str, Any] = {"benchmark": None} if model == "mean" else {"model": model}
    found = event_study(gappy, events, names, **options, **SHORT)
    assert found.versus == (
        {"XNYS": "their own mean before", "XHKG": "their own mean before"}
        if model == "mean"
        else {"XNYS": "FXI", "XHKG": "2828.HK"}
    )
    checked = 0
    for symbol in names:
        beside = None if model == "mean" else "2828.HK" if symbol.endswith("HK") else "FXI"
        for event, when in zip(events["event_id"], known, strict=True):
            fitted, ar = expected(gappy, symbol, beside, when, model)
            if fitted is None or not any(v is not None for v in ar):
                assert (event, symbol) not in found.pairs.index
                continue
            np.testing.assert_allclose(
                found.abnormal[event, symbol], [np.nan if v is None else v for v in ar], atol=1e-12
            )
            row = found.pairs.loc[(event, symbol)]
            np.testing.assert_allclose(
                row[["intercept", "slope", "sigma", "length"]].astype(float),
                [fitted["a"], fitted["b"], fitted["s"], fitted["length"]],
                rtol=1e-9, atol=1e-15,
            )  # fmt: skip
            checked += 1
    assert checked >= 20
    assert any("cover a gap in prices" in note for note in found.notes)
    assert any("runs out of the market" in note for note in found.notes)


def test_a_split_a_change_of_ratio_and_a_dividend_are_not_abnormal(market: Market) -> None:
    """NTES splits five for one on 2 October 2020: a naive return would be -161 %."""
    found = event_study(
        market, calendar(("2020-10-02T15:00Z", "tariff", 1)), ["NTES"], benchmark=None, **SHORT
    )
    assert np.log(market.price["NTES"].dropna()).diff().min() < -1.4
    assert found.abnormal.abs().max().max() < 0.3
    rng = np.random.default_rng(0)
    flat = one_venue({"A": rng.normal(0, 0.01, 80), "B": rng.normal(0, 0.01, 80)})
    day = flat.grid["session"][60]
    paid = pd.DataFrame({"symbol": ["A"], "ex_date": [day], "pay_date": [pd.NaT], "amount": [10.0]})
    price = flat.price.copy()
    price.loc[flat.grid["session"].to_numpy() >= day, "A"] -= 10.0
    events = calendar((at_session(flat, 60), "tariff", 1))
    whole = event_study(flat, events, ["A"], benchmark=None, **SHORT).abnormal
    less = event_study(replace(flat, price=price, dividends=paid), events, ["A"], benchmark=None, **SHORT)
    np.testing.assert_allclose(less.abnormal.loc[0], whole.loc[0], atol=1e-12)
    forgotten = event_study(replace(flat, price=price), events, ["A"], benchmark=None, **SHORT)
    assert (forgotten.abnormal.loc[0] < whole.loc[0] - 0.08).all()


def test_estimated_prices_are_no_prices(market: Market) -> None:
    session = pd.Timestamp("2021-03-10")
    estimates = pd.DataFrame({"symbol": ["BABA"], "session": [session]})
    events = calendar(("2021-03-10T15:00Z", "delisting", 1))
    found = event_study(replace(market, estimates=estimates), events, ["BABA"], benchmark=None, **SHORT)
    assert np.isnan(found.abnormal.loc[0].iloc[0])
    assert np.isfinite(found.abnormal.loc[1].iloc[0])


# -- the benchmark -------------------------------------------------------------------------------------------


def noise(*names: str, seed: int = 0, sessions: int = 120) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.01, sessions)
    return {name: shared + rng.normal(0, 0.01, sessions) for name in names}


def test_the_default_benchmark_is_a_broad_fund_then_the_other_lines_then_nothing(market: Market) -> None:
    events = calendar(("2021-03-10T15:00Z", "delisting", 1))
    assert event_study(market, events, ["BABA"], **SHORT).versus == {"XNYS": "FXI"}
    assert event_study(market, events, **SHORT).versus == {"XNYS": "FXI"}
    lines = ep.simulate_market(
        "2020-01-02", "2021-06-30", seed=3, symbols=["BABA", "JD", "NTES", "BIDU", "9988.HK"]
    )
    alone = event_study(lines, events, ["BABA"], **SHORT)
    assert alone.versus == {"XNYS": "the mean of 3 other lines"}
    peers = np.mean(
        [[r for r, _ in naive.log_returns(lines, s)[1].values()] for s in ("JD", "NTES", "BIDU")], 0
    )
    sessions = naive.log_returns(lines, "BABA")[0][1:]
    series = pd.Series(np.exp(np.cumsum(peers)), pd.DatetimeIndex(sessions))
    given = event_study(lines, events, ["BABA"], benchmark=series, **SHORT)
    np.testing.assert_allclose(given.abnormal, alone.abnormal, atol=1e-12)
    assert event_study(lines, events, ["BABA", "JD"], **SHORT).versus == {"XNYS": "their own mean before"}
    plain = one_venue(noise("A", "B", "C", "D"))
    own = calendar((at_session(plain, 80), "tariff", 1))
    assert event_study(plain, own, **SHORT).versus == {"XONE": "their own mean before"}
    assert event_study(plain, own, ["A"], **SHORT).versus == {"XONE": "the mean of 3 other lines"}


def test_a_series_of_levels_is_the_line_it_was_taken_from(market: Market) -> None:
    events = calendar(("2021-03-10T15:00Z", "delisting", 1), ("2020-12-02T15:00Z", "delisting", -1))
    line = event_study(market, events, ["BABA", "JD"], benchmark="FXI", **SHORT)
    steps = np.flatnonzero(market.price["FXI"].notna())
    closes = market.price["FXI"].iloc[steps]
    by_date = pd.Series(closes.to_numpy(), pd.DatetimeIndex(market.grid["session"].iloc[steps]), name="FXI")
    for series in (closes, by_date, by_date * 7.0):
        found = event_study(market, events, ["BABA", "JD"], benchmark=series, **SHORT)
        pd.testing.assert_frame_equal(found.abnormal, line.abnormal)
        assert found.versus == {"XNYS": "FXI"}


def test_where_the_benchmark_has_no_close_the_return_waits_for_both() -> None:
    """The line's return over the gap stands at its end, beside the benchmark's over the same sessions."""
    plain = one_venue(noise("A", "B", "C", "D"))
    price = plain.price.copy()
    price.iloc[81, 1:] = np.nan
    events = calendar((at_session(plain, 80), "tariff", 1))
    for benchmark, name in (("B", "B"), ("auto", "the mean of 3 other lines")):
        whole, gap = (
            event_study(given_, events, ["A"], benchmark=benchmark, windows=[(0, 2)], **SHORT)
            for given_ in (plain, replace(plain, price=price))
        )
        assert gap.versus == {"XONE": name}
        assert np.isnan(gap.abnormal.loc[1].iloc[0])
        np.testing.assert_allclose(gap.abnormal.loc[[-2, -1, 0, 3]], whole.abnormal.loc[[-2, -1, 0, 3]])
        both = whole.abnormal.loc[1:2].sum()
        if benchmark == "B":
            np.testing.assert_allclose(gap.abnormal.loc[2], both, rtol=1e-9)
            np.testing.assert_allclose(
                gap.windows["mean"].iloc[-1], whole.windows["mean"].iloc[-1], rtol=1e-9
            )


def test_a_benchmark_of_other_hours_stands_at_its_last_close(market: Market) -> None:
    events = calendar(("2021-03-10T05:00Z", "delisting", 1))
    found = event_study(market, events, ["9988.HK"], benchmark="FXI", **SHORT)
    fxi = pd.Series(market.price["FXI"].dropna())
    steps = np.flatnonzero((market.grid["venue"] == "XHKG").to_numpy())
    times = market.price.index[steps]
    level = fxi.reindex(times.union(fxi.index)).ffill()[times]
    assert level.iloc[20] == fxi[fxi.index < times[20]].iloc[-1]
    series = event_study(market, events, ["9988.HK"], benchmark=level, **SHORT)
    np.testing.assert_allclose(series.abnormal, found.abnormal, atol=1e-14)


# -- tables --------------------------------------------------------------------------------------------------


def test_the_tables_hold_the_same_numbers_in_every_way(study: EventStudy) -> None:
    groups = study.events["group"].reindex(study.abnormal.columns.get_level_values("event")).to_numpy()
    own_day = study.events["day0"].reindex(study.abnormal.columns.get_level_values("event"))
    for group in study.groups:
        own = study.abnormal.loc[:, groups == group]
        # Events of one session are one date: each line counts once.
        key = pd.Index(zip(own_day[groups == group], own.columns.get_level_values("symbol"), strict=True))
        own = own.loc[:, ~key.duplicated()]
        table = study.table.loc[group]
        np.testing.assert_allclose(table["aar"], own.mean(axis=1), rtol=1e-9, atol=1e-15)
        np.testing.assert_array_equal(table["n"], own.notna().sum(axis=1))
        for label, row in study.windows.loc[group].iterrows():
            first, last = map(int, str(label).split(" to "))
            car = own.loc[first:last].sum(min_count=1)
            np.testing.assert_allclose(row["mean"], car.mean(), rtol=1e-9, atol=1e-15)
            assert row["dates"] >= row["independent"] >= 1
            assert row["low"] < row["mean"] < row["high"]
        for day in (-5, 0, 10):
            np.testing.assert_allclose(table["caar"][day], own.loc[:day].sum(min_count=1).mean(), atol=1e-15)
        whole = study.windows.loc[(group, "-5 to 10")]
        for name in ("", "_low", "_high"):
            np.testing.assert_allclose(table[f"caar{name}"][10], whole[name.strip("_") or "mean"], atol=1e-15)
        one = study.table.loc[(group, 0)]
        np.testing.assert_allclose(one["t"], own.loc[0].mean() / own.loc[0].sem(), rtol=1e-9)
    car = study.abnormal.loc[-1:1].sum(min_count=1)
    np.testing.assert_allclose(study.pairs["car"], car, atol=1e-15)
    np.testing.assert_allclose(
        study.events["car"].dropna(), study.pairs["car"].groupby(level=0, sort=False).mean(), atol=1e-15
    )
    p = study.table[[f"p_{name}" for name in (*STATISTICS, "flip", "placebo")]]
    assert ((p >= 0) & (p <= 1) | p.isna()).all(axis=None)
    assert not np.isinf(study.table.to_numpy()).any()
    assert not np.isinf(study.windows.to_numpy()).any()


def test_groups_are_by_direction_channel_both_or_none(simulated: Market) -> None:
    assert simulated.truth is not None
    events, options = simulated.truth.events, {"placebos": 0}
    by = {
        by: event_study(simulated, events, by=by, **options) for by in ("direction", "channel", "both", None)
    }
    assert by["direction"].groups == ("escalation", "relief")
    assert by[None].groups == ("all events",)
    assert by["channel"].groups[:3] == ("tariff", "delisting", "investment_restriction")
    assert by["both"].groups[:3] == ("tariff escalation", "tariff relief", "delisting escalation")
    for found in by.values():
        pd.testing.assert_frame_equal(found.abnormal, by[None].abnormal)
    only = events[(events["channel"] == "tariff") & (events["direction"] == 1)]
    alone = event_study(simulated, only, by=None, **options)
    pd.testing.assert_frame_equal(
        alone.table.loc["all events"], by["both"].table.loc["tariff escalation"], check_exact=False
    )


def test_events_of_one_session_count_once_and_close_ones_are_not_independent(market: Market) -> None:
    rows = [
        ("2021-03-10T15:00Z", "delisting", 1), ("2021-03-10T16:00Z", "delisting", 1),
        ("2021-03-12T15:00Z", "delisting", 1), ("2021-05-12T15:00Z", "delisting", 1),
        ("2020-11-12T15:00Z", "delisting", 1),
    ]  # fmt: skip
    found = event_study(market, calendar(*rows), ["BABA", "JD"], windows=[(0, 1), (0, 3)], **SHORT)
    assert list(found.events.index) == ["e4", "e0", "e1", "e2", "e3"]
    once = event_study(
        market, calendar(rows[0], *rows[2:]), ["BABA", "JD"], windows=[(0, 1), (0, 3)], **SHORT
    )
    pd.testing.assert_frame_equal(found.windows, once.windows)
    assert list(found.windows["dates"]) == [4, 4]
    assert list(found.windows["independent"]) == [4, 3]  # two sessions apart: four days overlap, two do not
    assert list(found.windows["n"]) == [8, 8]
    assert list(found.events["same_session"]) == [0, 1, 1, 0, 0]
    assert list(found.events["overlapping"]) == [0, 1, 1, 2, 0]
    assert list(found.events["in_estimation"]) == [0, 0, 0, 0, 0]
    later = event_study(market, calendar(*rows, ("2021-04-05T15:00Z", "tariff", 1)), ["BABA"], **SHORT)
    assert later.events.loc["e5", "in_estimation"] == 3


def test_windows_overlap_where_they_share_a_session(market: Market) -> None:
    """Six sessions each, from day -2 to 3: dates five sessions apart share one, six apart none."""
    for second, shared in (("2021-03-17T15:00Z", 1), ("2021-03-18T15:00Z", 0)):
        rows = [("2021-03-10T15:00Z", "delisting", 1), (second, "delisting", 1)]
        found = event_study(market, calendar(*rows), ["BABA"], **SHORT)
        assert list(found.events["overlapping"]) == [shared, shared]
        assert found.windows.loc[("escalation", "-2 to 3"), "independent"] == 2 - shared


def test_what_is_left_out_is_counted_and_said(market: Market) -> None:
    rows = [
        ("2015-03-10T15:00Z", "delisting", 1), ("2021-12-10T16:00Z", "delisting", 1),
        ("2020-01-15T15:00Z", "delisting", 1), ("2021-03-12T15:00Z", "delisting", 1),
        ("2020-12-12T15:00Z", "delisting", 1), ("2021-06-29T15:00Z", "delisting", 1),
    ]  # fmt: skip
    notes = ["", "", "", "context only; of another company", "", ""]
    dated = ["2015-03-10", "2021-12-10T16:00Z", "2020-01-15", "2021-03-12", "2020-12-12", "2021-06-29T15:00Z"]
    events = calendar(*rows, notes=notes, announced_at=dated)
    found = event_study(market, events, ["BABA", "9988.HK", "JD", "9618.HK"], **SHORT)
    why = found.events["why_not"].to_dict()
    assert why == {"e0": OUTSIDE, "e1": OUTSIDE, "e2": NO_DATA, "e3": CONTEXT, "e4": "", "e5": ""}
    gone = found.events[found.events["why_not"] != ""]
    assert gone[["car", "sar", "t", "p"]].isna().all(axis=None)
    assert (gone["securities"] == 0).all()
    assert found.events.loc["e2", "left_out"] == 4
    assert list(found.events["date_only"]) == [True, True, True, True, False, False]  # in order
    assert found.events.loc["e5", "cut_off"]
    assert not found.events.loc["e4", "cut_off"]
    said = " ".join(found.notes)
    for words in (
        "Of 6 events not studied, outside the market: 2.",
        "Of 6 events not studied, context only: 1.",
        "Of 6 events not studied, no line with enough returns: 1.",
        "Events known by date, which count as known at its end: 1; the answer",
        "Events whose window runs out of the market, so that later days have fewer: 1.",
        "Lines at events left out, with fewer than 17 returns in the estimation window",
        "none in the event window: 4 (BABA at 1",
        "Lines of XNYS are measured beyond FXI (market).",
        "What an event did to FXI itself is not in their abnormal returns.",
        HINDSIGHT,
    ):
        assert words in said, words
    assert "Known by date only: 1 of the events" in found.plot().get_figure().get_supxlabel()
    plt.close("all")
    with pytest.raises(ep.DataError, match="none of the 4 events can be studied: 3 lie outside"):
        event_study(market, events.iloc[:4], ["BABA"], **SHORT)


def test_the_sentence_says_how_sure_it_is_and_that_it_is_hindsight(study: EventStudy) -> None:
    text = str(study)
    assert "simulated market" in text
    assert "of them independent" in text
    assert "at random dates" in text
    assert HINDSIGHT in text
    assert len(text.splitlines()) == len(study.groups) + 2
    assert any(f"{len(study.groups)} groups are tested" in note for note in study.notes)
    assert "EventStudy('simulated market, seed 7': return around 90 of 101 events" in repr(study)


def test_sentences_hold_at_the_edges(market: Market) -> None:
    """One date, one line, no price in the window, a benchmark that ended before."""
    event = calendar(("2021-03-10T15:00Z", "delisting", 1))
    one = event_study(market, event, ["BABA"], **(SHORT | {"placebos": 20}))
    said = str(one).splitlines()[1]
    assert said.startswith("escalation, days -1 to 1: ")
    assert "over 1 date; p " in said
    assert "independent" not in said
    assert "signs" not in said  # of one date they say nothing
    price = market.price.copy()
    number = naive.log_returns(market, "BABA")[0].index(pd.Timestamp("2021-03-10"))
    closes = np.flatnonzero((market.grid["venue"] == "XNYS").to_numpy())
    price.iloc[closes[number - 1 : number + 2], price.columns.get_loc("BABA")] = np.nan
    none = event_study(replace(market, price=price), event, ["BABA"], windows=[(0, 0)], **SHORT)
    assert str(none).splitlines()[1] == "escalation, day 0: no abnormal return."
    ended = market.price["FXI"].where(market.price.index < pd.Timestamp("2021-01-01", tz="UTC"))
    with pytest.raises(ep.DataError, match="no line has 17 returns beside those of FXI from day -40 to -6"):
        event_study(
            replace(market, price=market.price.assign(FXI=ended)), event, ["BABA"], benchmark="FXI", **SHORT
        )
    with pytest.raises(ep.DataError, match="an event has no channel"):
        event_study(market, event.assign(channel=None), ["BABA"], by="both", **SHORT)


def test_the_close_of_a_half_day_is_its_own(market: Market) -> None:
    """On 27 November 2020 New York closed at 13:00, 18:00 UTC."""
    events = calendar(("2020-11-27T17:59Z", "delisting", 1), ("2020-11-27T18:00Z", "delisting", 1))
    found = event_study(market, events, ["BABA"], **SHORT)
    assert list(found.events["day0"].dt.strftime("%m-%d")) == ["11-27", "11-30"]


def test_lines_of_two_venues_are_not_held_against_each_other_row_by_row(market: Market) -> None:
    """Their holidays differ, so that a row of the estimation windows is not one day; bmp_kp rejected 23 %."""
    event = calendar(("2021-03-10T15:00Z", "delisting", 1), ("2021-05-12T15:00Z", "delisting", 1))
    both = event_study(market, event, ["BABA", "JD", "9988.HK", "9618.HK"], **SHORT)
    for name in ("patell_kp", "bmp_kp", "rank", "grank", "portfolio"):
        assert both.windows[f"p_{name}"].isna().all(), name
    assert both.windows[["low", "high"]].isna().all(axis=None)  # of two dates
    assert both.windows[["mean", "p_clustered", "p_flip", "p_bmp"]].notna().all(axis=None)
    assert "no band, over 2 dates, 2 of them independent; p " in str(both)
    assert both.events[["t", "p"]].isna().all(axis=None)
    assert any("study one venue at a time" in note for note in both.notes)
    alone = event_study(market, event, ["BABA", "JD"], **SHORT)
    assert alone.windows[["p_bmp_kp", "p_portfolio", "low"]].notna().all(axis=None)
    assert not any("one venue at a time" in note for note in alone.notes)


# -- in a report ---------------------------------------------------------------------------------------------


def test_a_study_is_part_of_a_report(simulated: Market, study: EventStudy, tmp_path: Path) -> None:
    assert simulated.truth is not None
    premia = event_study(simulated, simulated.truth.events, measure="premium", placebos=0)
    (section,), (other,) = study.sections(), premia.sections("premia")
    answers, windows, notes, days, events = section.tables
    assert [row[1].text for row in answers.rows] == [
        line.partition(", ")[2] for line in str(study).splitlines()[1:-1]
    ]
    assert study.label in answers.note  # says that the market is simulated
    assert [cell.text for cell in windows.head][4:7] == ["mean [%]", "low [%]", "high [%]"]
    for row, (_, figures) in zip(windows.rows, study.windows.iterrows(), strict=True):
        np.testing.assert_allclose([cell.value for cell in row[1:4]], figures[["n", "dates", "independent"]])
        np.testing.assert_allclose(
            [cell.value for cell in row[4:7]], 100 * figures[["mean", "low", "high"]].to_numpy(dtype=float)
        )
        tests = ["p_clustered", "p_flip", "p_placebo", "p_bmp_kp", "p_portfolio"]
        np.testing.assert_allclose([cell.value for cell in row[7:]], figures[tests].to_numpy(dtype=float))
    assert [row[0].text for row in notes.rows] == list(study.notes[:-1])
    assert [cell.value for cell in days.rows[5]][3] == 100 * study.table["aar"].iloc[5]
    inside = study.events[study.events["why_not"] != OUTSIDE]
    assert len(events.rows) == len(inside)
    at = [cell.text for cell in events.head].index("car [%]")
    np.testing.assert_allclose([row[at].value for row in events.rows], 100 * inside["car"])
    assert [cell.text for cell in other.tables[1].head][4] == "mean [% points]"
    (picture,) = section.figures
    assert "simulated market" in picture.alt
    assert HINDSIGHT in picture.caption
    assert f"Groups that are not drawn: {len(study.groups) - 4}." in picture.caption
    figure = matplotlib.figure.Figure()
    picture.draw_into(figure, LIGHT.for_phones())
    (axes,) = figure.axes
    paths = [line for line in axes.lines if len(line.get_xdata()) == 16]
    drawn_ = [
        group
        for group in study.groups
        if group.replace("_", " ") in " ".join(text.get_text().replace("\n", " ") for text in axes.texts)
    ]
    assert len(paths) == len(drawn_) == 4
    dates = study.table["dates"].groupby(level="group").max()
    assert dates[drawn_].min() >= dates.drop(drawn_).max()
    for line, group in zip(paths, drawn_, strict=True):
        np.testing.assert_allclose(line.get_ydata(), 100 * study.table.loc[group]["caar"])
    result = ep.backtest(simulated, ep.LongHKShortADR())
    page = result.report(tmp_path / "run.html", sections=[section, other]).read_text(encoding="utf-8")
    assert 'id="event-study"' in page
    assert 'id="premia"' in page
    assert "delisting escalation, days -1 to 1" in page
    with pytest.raises(ep.ParameterError, match="have the anchor 'event-study'"):
        result.report(tmp_path / "run.html", sections=[*study.sections(), *premia.sections()])


# -- premia --------------------------------------------------------------------------------------------------


def test_a_premium_is_measured_against_its_mean_before(market: Market) -> None:
    rows = [("2021-03-10T15:00Z", "delisting", 1), ("2020-12-02T15:00Z", "delisting", 1)]
    found = event_study(market, calendar(*rows), measure="premium", windows=[(-1, 1), (0, 3)], **SHORT)
    sessions = pd.DatetimeIndex(market.grid.loc[market.grid["venue"] == "XNYS", "session"])
    for adr in ("BABA", "NTES", "JD"):
        values = ep.premium(market, adr, align="next_hk").reindex(sessions)
        zero = sessions.get_loc(pd.Timestamp("2021-03-10"))
        before = values.iloc[zero - 40 : zero - 5]
        got = found.abnormal["e0", adr]
        want = values.iloc[zero - 2 : zero + 4] - before.mean()
        there = np.isfinite(got.to_numpy())  # a dividend's days are left out
        np.testing.assert_allclose(got[there], want[there], atol=1e-12)
        assert there.sum() >= 4
    row = found.windows.loc[("escalation", "0 to 3")]
    np.testing.assert_allclose(row["mean"], found.abnormal.loc[0:3].mean().mean(), rtol=1e-9)
    assert found.table["caar"].isna().all()
    assert found.versus == {"XNYS": "their own mean before"}
    assert " pp on average" in str(found)
    assert any("Premia are levels" in note for note in found.notes)
    other = event_study(market, calendar(*rows), measure="premium", align="same_date", **SHORT)
    assert not np.allclose(other.abnormal, found.abnormal, equal_nan=True)


def test_on_day_0_a_premium_of_one_date_holds_the_news_that_hong_kong_has_not_seen() -> None:
    """New York answers an event of its own hours at once, Hong Kong the next day: parity hides that."""
    rows = [
        (f"{day}T15:00Z", "delisting", 1) for day in pd.bdate_range("2020-06-03", "2021-05-28", freq="21B")
    ]
    events = calendar(*((row[0].replace(" 00:00:00", ""), *row[1:]) for row in rows))
    effects = ep.Effects.none(risk_price=0.0).with_(event_impact=8.0)
    market = ep.simulate_market(
        "2020-01-02", "2021-06-30", seed=5, symbols=LINES, events=events, effects=effects
    )
    same, later = (
        event_study(market, events, measure="premium", align=align, **SHORT).table.loc[("escalation", 0)]
        for align in ("same_date", "next_hk")
    )
    assert same["aar"] < -0.03
    assert abs(later["aar"]) < 0.01


# -- random dates --------------------------------------------------------------------------------------------


PLACES = Windows((-2, 3), (-40, -6), 17)


def drawn(sums: Any, dates: list[int], mean: float, draws: int = 400) -> tuple[float, str]:
    """The p-value of one figure at random dates, every session having one line."""
    values = np.asarray(sums, dtype=float)[:, None]
    counts = np.isfinite(values).astype(float)
    places = np.nan_to_num(values), counts
    p, said = at_random_dates(
        np.array([mean]), np.array(dates), places, PLACES, draws, np.random.default_rng(1)
    )
    return float(p[0]), said


def test_random_dates_are_never_near_a_true_one_nor_outside() -> None:
    """Neither lies in the other's window: within three sessions, and the whole window is in the market."""
    flat = np.zeros(200)
    assert drawn(flat, [100, 150], 1e-9)[0] == 1 / 401  # the true one is one of them
    for place in (97, 98, 100, 103, 147, 153, 0, 1, 197, 199):
        spiked = flat.copy()
        spiked[place] = 1.0
        assert drawn(spiked, [100, 150], 1e-9)[0] == 1 / 401, place
    for place in (96, 104, 146, 154, 2, 196):
        spiked = flat.copy()
        spiked[place] = 1.0
        assert drawn(spiked, [100, 150], 1e-9, draws=3000)[0] > 1 / 401, place
    spiked = flat.copy()
    spiked[60] = np.nan  # without a line there
    assert drawn(spiked, [100], 1e-9)[0] == 1 / 401


def test_random_dates_keep_the_distances_of_close_ones() -> None:
    """On levels that alternate, dates one session apart add up to nothing, wherever they fall."""
    alternate = np.where(np.arange(400) % 2, 1.0, -1.0)
    assert drawn(alternate, [100, 101], 0.5)[0] == 1 / 401
    assert drawn(alternate, [100, 102], 0.5)[0] == 1.0
    p, said = drawn(alternate, [100, 150], 0.5)
    assert 0.4 < p < 0.6
    assert said == ""


def test_random_dates_that_fit_nowhere_are_said() -> None:
    values = np.zeros(240)
    p, said = drawn(values, list(range(15, 235, 5)), 0.1)
    assert np.isnan(p)
    assert "too few to draw random dates from" in said
    long = [60 + 5 * k for k in range(16)]
    p, said = drawn(values[:200], long, 0.1)
    assert p == 1 / 401
    assert said == "16 of its 16 dates were drawn one by one: their chain fits nowhere else."


def test_random_dates_count_as_far_from_zero_on_either_side() -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(size=2000)
    p, _ = drawn(values, [1000], 1.0, draws=4000)
    assert abs(p - 0.317) < 0.04  # two standard normal tails beyond one
    assert drawn(values, [1000], -1.0, draws=4000)[0] == p
    assert np.isnan(drawn(values, [1000], np.nan)[0])


def test_the_mean_at_random_dates_is_over_the_lines_there_are() -> None:
    """One per line, whether a session has one line or three."""
    counts = np.where(np.arange(300) % 2, 1.0, 3.0)[:, None]
    for mean, p in ((1.0 - 1e-9, 1.0), (1.0 + 1e-9, 1 / 101)):
        rng = np.random.default_rng(0)
        got, _ = at_random_dates(np.array([mean]), np.array([50, 200]), (counts, counts), PLACES, 100, rng)
        assert got[0] == p


def test_the_study_draws_from_what_it_would_have_seen_on_any_session(simulated: Market) -> None:
    """The figure of a session taken for an event's is the one that stood ready for random dates."""
    from entrepot.event_panels import everywhere, return_panels

    names = [*simulated.pairs.index[:4], "9988.HK", "9618.HK"]
    panels = return_panels(simulated, names, "auto", "market")
    windows = Windows((-2, 3), (-40, -6), 17)
    sums, counts = everywhere(panels, windows, [(2, 3), (0, 6)], average=False)
    close = pd.DatetimeIndex(panels[0].close, tz="UTC")
    for number in (60, 333, 501, len(close) - 5):
        event = calendar((str(close[number - 1]), "tariff", 1))
        found = event_study(simulated, event, names, windows=[(0, 0), (-2, 3)], **SHORT)
        np.testing.assert_allclose(sums[number] / counts[number], found.windows["mean"], rtol=1e-9)
        np.testing.assert_array_equal(counts[number], found.windows["n"])


def test_random_dates_leave_out_the_lines_that_the_study_leaves_out() -> None:
    """A price that never moved has no standard deviation, at a true date or at another."""
    from entrepot.event_panels import everywhere, return_panels

    market = one_venue(noise("A", "B") | {"C": np.zeros(120)})
    panels = return_panels(market, ["A", "B", "C"], None, "market")
    _, counts = everywhere(panels, PLACES, [(2, 3)], average=False)
    assert set(counts[60:115, 0]) == {2.0}
    event = calendar((at_session(market, 80), "tariff", 1))
    assert (
        event_study(market, event, ["A", "B", "C"], benchmark=None, **SHORT).events["left_out"].iloc[0] == 1
    )


def test_without_draws_there_is_no_p_value_of_them(simulated: Market) -> None:
    assert simulated.truth is not None
    found = event_study(simulated, simulated.truth.events, placebos=0)
    assert found.table["p_placebo"].isna().all()
    one, two, other = (
        event_study(simulated, simulated.truth.events, placebos=50, seed=seed).windows for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one, two)
    assert not one["p_placebo"].equals(other["p_placebo"])


# -- known truth ---------------------------------------------------------------------------------------------


def spaced(first: str, last: str, sessions: int) -> pd.DataFrame:
    """Escalations of delisting, known at 15:00 UTC of every so many business days."""
    days = pd.bdate_range(first, last, freq=f"{sessions}B")
    return calendar(*((f"{day.date()}T15:00Z", "delisting", 1) for day in days))


def test_the_study_finds_the_effect_that_was_put_in() -> None:
    """Ten times an escalation of severity 3, in the first session after, and nothing else."""
    events = spaced("2020-02-03", "2021-11-30", 25)
    effects = ep.Effects.none(risk_price=0.0).with_(event_impact=10.0)
    market = ep.simulate_market("2019-01-02", "2021-12-31", seed=2, events=events, effects=effects)
    found = event_study(market, events, benchmark=None, windows=[(0, 0), (1, 5), (-5, -1)])
    assert market.truth is not None
    sizes = [
        10.0 * 3 * impact(ISSUER_OF[name], "delisting") for name in found.pairs.index.get_level_values(1)
    ]
    on_the_day, after, before = (
        found.windows.loc[("escalation", part)] for part in ("0", "1 to 5", "-5 to -1")
    )
    assert on_the_day["independent"] >= 18
    assert on_the_day["low"] < np.mean(sizes) < on_the_day["high"]
    assert np.mean(sizes) < -0.1
    error = (on_the_day["high"] - on_the_day["low"]) / 4
    assert error < 0.02
    for name in ("patell_kp", "bmp_kp", "rank", "grank", "portfolio", "clustered", "flip", "placebo"):
        assert on_the_day[f"p_{name}"] < 0.01, name
        assert after[f"p_{name}"] > 0.01, name
        assert before[f"p_{name}"] > 0.01, name
    by_line = found.pairs.groupby(level="symbol")[["car"]].mean()
    true = pd.Series(sizes, found.pairs.index).groupby(level="symbol").mean()
    assert np.corrcoef(by_line["car"], true)[0, 1] > 0.9
    beyond = event_study(market, events, windows=[(0, 0)]).windows.loc[("escalation", "0")]
    assert abs(beyond["mean"]) < abs(on_the_day["mean"]) / 2  # the fund holds much of what was hit


def false_alarms(seeds: range) -> pd.Series[float]:
    """Share of markets without any effect in which each test of days -1 to 1 rejects at five per cent."""
    events = spaced("2020-01-02", "2021-11-30", 20)
    rows = []
    for seed in seeds:
        market = ep.simulate_market(
            "2019-06-03", "2021-12-31", seed=seed, events=events, phases=("close",),
            symbols=["BABA", "JD", "NTES", "BIDU", "ZTO", "NIO"], effects=ep.Effects.none(risk_price=0.0),
        )  # fmt: skip
        found = event_study(market, events, benchmark=None, placebos=200).windows.iloc[0]
        rows.append({name: found[f"p_{name}"] < 0.05 for name in (*STATISTICS, "flip", "placebo")})
    return pd.DataFrame(rows).mean()


def test_it_finds_nothing_where_nothing_is() -> None:
    share = false_alarms(range(25))
    for name in ("patell_kp", "bmp_kp", "rank", "clustered", "flip", "placebo"):
        assert share[name] <= 0.2, share  # six of 25 at five per cent happen once in a thousand
    assert share["patell"] > 0.2


@pytest.mark.slow
def test_it_finds_nothing_where_nothing_is_at_length() -> None:
    share = false_alarms(range(100, 400))
    for name in ("bmp_kp", "clustered", "flip", "placebo"):
        assert share[name] < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 300) + 0.01, share


# -- real prices ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(real_prices: Path) -> Market:
    return ep.load_market(real_prices, start="2019-06-03", ends="cut", departures="parity")


def test_the_days_of_march_2022_were_what_the_press_said(real: Market) -> None:
    """Golden Dragon fell 10 % on 10 March, the worst day since 2008, and again twice; it leapt on 16 March.

    First names on the SEC's list; at dawn of the 16th the State Council promised support.
    """
    events = calendar(
        ("2022-03-10T13:07-05:00", "delisting", 1), ("2022-03-11T09:00-05:00", "delisting", 1),
        ("2022-03-14T09:00-04:00", "delisting", 1), ("2022-03-16T03:00-04:00", "policy_support", -1),
        ("2022-08-25T12:00-04:00", "delisting", -1),
    )  # fmt: skip
    for benchmark, shock in ((None, -0.08), ("ASHR", -0.03)):
        found = event_study(real, events, benchmark=benchmark, windows=[(0, 0), (0, 1)], placebos=0)
        day = found.events["car"]
        assert list(found.events["day0"].dt.strftime("%m-%d")) == [
            "03-10",
            "03-11",
            "03-14",
            "03-16",
            "08-25",
        ]
        assert (day[["e0", "e1", "e2"]] < shock).all()
        assert day["e3"] > 0.1
        assert day["e4"] > 0.02  # press reports that the audit deal, signed the next day, was near
        assert (found.events.loc[["e0", "e3"], "p"] < 0.001).all()


def test_escalations_of_delisting_moved_adrs_beyond_mainland_shares(real: Market) -> None:
    """Over the whole calendar, whose dates were chosen with hindsight."""
    events = ep.load_events().frame
    found = event_study(real, events[events["channel"] == "delisting"], benchmark="ASHR")
    row = found.windows.loc[("escalation", "-1 to 1")]
    assert row["independent"] > 25
    assert row["mean"] < -0.01
    assert row[["p_clustered", "p_flip", "p_placebo", "p_bmp_kp"]].max() < 0.05
    assert abs(row["bmp"]) > 1.8 * abs(row["bmp_kp"])  # they fell together
    assert (found.events["date_only"] & (found.events["why_not"] == "")).sum() > 30


# -- pictures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["page", "slide"])
def test_the_picture_draws_each_group_and_names_it(study: EventStudy, size: str) -> None:
    axes = study.plot(size)
    drawn_ = [line for line in axes.lines if len(line.get_xdata()) == 16]
    assert len(drawn_) == 4
    words = [text.get_text() for text in axes.texts]
    assert all("date" in word for word in words)
    assert max(len(line) for word in words for line in word.splitlines()) <= 22  # beside the axes
    figure = axes.get_figure()
    assert "simulated market" in figure.get_suptitle()
    assert "hindsight" in figure.get_supxlabel()
    assert f"Groups that are not drawn: {len(study.groups) - 4}." in figure.get_supxlabel()
    chosen = study.plot(size, groups=["tariff relief"])
    assert "not drawn" not in chosen.get_figure().get_supxlabel()
    line = next(line for line in chosen.lines if len(line.get_xdata()) == 16)
    np.testing.assert_allclose(line.get_ydata(), 100 * study.table.loc["tariff relief"]["caar"])


def test_premia_are_drawn_as_levels(market: Market) -> None:
    rows = [("2021-03-10T15:00Z", "delisting", 1), ("2020-12-02T15:00Z", "delisting", -1)]
    found = event_study(market, calendar(*rows), measure="premium", **SHORT)
    axes = found.plot()
    line = next(line for line in axes.lines if len(line.get_xdata()) == 6)
    np.testing.assert_allclose(line.get_ydata(), 100 * found.table.loc["escalation"]["aar"])
    assert "pp" in axes.get_title(loc="left")
    said = axes.get_figure().get_supxlabel()
    assert "Known by date" not in said
    assert "not drawn" not in said


def test_labels_keep_their_distance_and_their_order() -> None:
    for heights in ([0.5, 0.5, 0.5, 0.5], [0.99, 0.98, 0.1], [0.2], [0.0, 1.0, 0.04]):
        placed = apart(np.array(heights), 0.1)
        assert (np.diff(np.sort(placed)) > 0.1 - 1e-12).all()
        assert placed.max() <= 1.0 + 1e-12
        assert (np.argsort(placed, kind="stable") == np.argsort(heights, kind="stable")).all()


def test_what_cannot_be_drawn_is_refused(study: EventStudy) -> None:
    with pytest.raises(ep.ParameterError, match="size is 'poster'"):
        study.plot("poster")
    for groups in (["escalation"], [], ["tariff relief", "x"]):
        with pytest.raises(ep.ParameterError, match="there is nothing to draw"):
            study.plot(groups=groups)
    with pytest.raises(ep.ParameterError, match="5 groups are too many"):
        study.plot(groups=study.groups[:5])
    assert plt.get_fignums() == []


# -- speed and arguments -------------------------------------------------------------------------------------


def test_thirty_lines_at_sixty_dates_take_a_second_and_random_dates_three() -> None:
    rng = np.random.default_rng(0)
    market = one_venue({f"S{i}": rng.normal(0, 0.02, 2000) for i in range(33)}, start="2015-01-01")
    rows = [(at_session(market, number), "tariff", 1) for number in range(200, 1980, 29)]
    events, names = calendar(*rows), [f"S{i}" for i in range(30)]
    event_study(market, events, names, placebos=0)
    begun = time.process_time()  # of this process: others may be busy
    found = event_study(market, events, names, placebos=0)
    plain = time.process_time() - begun
    begun = time.process_time()
    event_study(market, events, names, placebos=500)
    random = time.process_time() - begun
    assert found.windows["n"].iloc[0] == 30 * len(rows)
    assert plain < 2.0  # 0.5 on a quiet machine
    assert random < 5.0  # 1.2


EVENT = calendar(("2021-03-10T15:00Z", "delisting", 1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"market": None}, "event_study was given None"),
        ({"events": None}, "events is of type NoneType"),
        ({"events": EVENT.drop(columns="known_at")}, "have no column known_at"),
        ({"events": EVENT.iloc[:0]}, "there is no event to study"),
        ({"events": EVENT.assign(known_at=pd.Timestamp("2021-03-10"))}, "zoneless"),
        ({"events": EVENT.assign(direction=0)}, "another direction"),
        ({"events": EVENT.assign(direction="up")}, "cannot be read"),
        ({"events": pd.concat([EVENT, EVENT])}, "occurs twice"),
        ({"symbols": ["XXX"]}, "'XXX' is not in this market"),
        ({"symbols": []}, "there is no line to study"),
        ({"symbols": 3}, "symbols is 3"),
        ({"benchmark": "BABA"}, "both studied and the benchmark"),
        ({"benchmark": "XXX"}, "'XXX' is not in this market"),
        ({"benchmark": 3}, "benchmark is 3"),
        ({"benchmark": pd.Series([1.0, 2.0])}, "not indexed by dates"),
        ({"benchmark": pd.Series(["a"], pd.DatetimeIndex(["2021-01-04"]))}, "not above zero"),
        (
            {"benchmark": pd.Series([0.01, -0.01], pd.bdate_range("2021-01-04", periods=2))},
            "closes, not returns",
        ),
        ({"benchmark": pd.Series([1.0, np.inf], pd.bdate_range("2021-01-04", periods=2))}, "infinite"),
        ({"benchmark": pd.Series(dtype=float, index=pd.DatetimeIndex([]))}, "not above zero"),
        ({"benchmark": pd.Series([1.0, 2.0], pd.DatetimeIndex(["2021-01-04"] * 2))}, "repeat"),
        (
            {"benchmark": pd.Series([1.0, 2.0], pd.DatetimeIndex(["2021-01-05", "2021-01-04"]))},
            "out of order",
        ),
        ({"model": "capm"}, "model is 'capm'"),
        ({"measure": "volume"}, "measure is 'volume'"),
        ({"measure": "premium", "symbols": ["FXI"]}, "no ADR with a Hong Kong line"),
        ({"measure": "premium", "benchmark": "FXI"}, "a premium has no benchmark"),
        ({"measure": "premium", "align": "late"}, "align='late' is unknown"),
        ({"by": "size"}, "by is 'size'"),
        ({"window": (3, -3)}, r"window is \(3, -3\)"),
        ({"window": 5}, "window is 5"),
        ({"window": (-2.5, 3)}, "window is"),
        ({"window": (np.nan, 3)}, "window is"),
        ({"estimation": (-40, -2)}, "estimation ends on day -2 and window begins on day -2"),
        ({"estimation": (-8, -6)}, "the estimation window has 3 sessions and 5 returns are needed"),
        ({"least": 4}, "least is 4"),
        ({"least": 50}, "35 sessions and 50 returns are needed"),
        ({"windows": [(0, 9)]}, "give pairs of days from -2 to 3"),
        ({"windows": []}, "give pairs of days from -2 to 3"),
        ({"windows": [(1, 0)]}, r"windows is \(1, 0\)"),
        ({"windows": "all"}, "windows is 'all'"),
        ({"placebos": -1}, "placebos is -1"),
        ({"placebos": 1.5}, "placebos is 1.5"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(
    market: Market, change: dict[str, Any], said: str
) -> None:
    good: dict[str, Any] = {"market": market, "events": EVENT, "symbols": ["BABA"], **SHORT}
    with pytest.raises(ep.EntrepotError, match=said) as caught:
        event_study(**(good | change))
    assert "\n" not in str(caught.value)


def test_markets_without_what_a_study_needs_are_refused(market: Market) -> None:
    opens = ep.simulate_market("2020-01-02", "2021-06-30", symbols=LINES, phases=("open",))
    with pytest.raises(ep.DataError, match="needs closes and XNYS has none"):
        event_study(opens, EVENT, ["BABA"], **SHORT)
    with pytest.raises(ep.ParameterError, match="there is no line to study"):
        event_study(one_venue(noise("A")), EVENT, measure="premium", **SHORT)
    silent = replace(market, price=market.price.assign(FXI=np.nan))
    with pytest.raises(ep.DataError, match="the benchmark FXI has no close"):
        event_study(silent, EVENT, ["BABA"], benchmark="FXI", **SHORT)


def test_events_are_taken_as_a_calendar_too(market: Market) -> None:
    own = ep.load_events().known_by("2021-06-30T00:00Z")
    found = event_study(market, own, ["BABA"], placebos=0)
    assert len(found.events) == len(own)
    assert found.groups == ("escalation", "relief")
    assert found.events.index.name == "event"
