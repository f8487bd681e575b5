"""Runs side by side: on the sessions they share, against each run's own figures and plain sums."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import naive_metrics as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import entrepot as ep
from entrepot.reports.comparison import (
    RISK,
    SHAPE,
    TRADED,
    alike,
    compare_results,
    comparison_report,
    pictures,
)
from entrepot.reports.intervals import sharpe_interval
from entrepot.reports.metrics import excess_returns
from entrepot.reports.pages.document import WIDTH
from entrepot.reports.periods import period_statistics
from entrepot.reports.pictures.comparison import brief, draw_growth, look
from entrepot.reports.pictures.style import LIGHT, apart, number


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2020-06-01", end="2021-12-31", seed=3)


@pytest.fixture(scope="module")
def results(market: ep.Market) -> dict[str, ep.Result]:
    return {
        "pairs": ep.backtest(market, ep.LongHKShortADR()),
        "wide": ep.backtest(market, ep.LongHKShortADR(entry=2.5)),
        "sectors": ep.backtest(market, ep.SectorRotation(), capital=1e6),
    }


@pytest.fixture(scope="module")
def side(results: dict[str, ep.Result]):
    return compare_results(results, draws=200)


def single(days: pd.DatetimeIndex, seed: int = 1, last: float | None = None) -> ep.Result:
    """Half of equity in one share of a venue without a name; `last` is its price on the last two days."""
    moves = np.random.default_rng(seed).normal(0, 0.01, len(days))
    price = pd.DataFrame({"X": 10 * np.exp(np.cumsum(moves))}, index=days)
    if last is not None:
        price.iloc[-2:] = last
    weights = pd.DataFrame({"X": [0.5 if last is None else -1.0]}, index=days[:1])
    return ep.backtest(ep.Market.from_prices(price), weights)


# -- numbers ----------------------------------------------------------------------------------------------


def test_runs_of_one_market_have_their_own_figures(side, results) -> None:
    assert list(side.summary.columns) == list(results)
    assert list(side.summary.index) == [*RISK, *SHAPE, *TRADED]
    for name, run in results.items():
        summary, whole = run.summary(), period_statistics(run, draws=0)
        for figure in {*RISK, *SHAPE} - {"Total Return [%]", "Max Drawdown Days"}:
            assert side.summary.at[figure, name] == pytest.approx(summary[figure], rel=1e-9), figure
        for figure in TRADED:
            assert side.summary.at[figure, name] == pytest.approx(whole[figure], rel=1e-9), figure
        total = 100 * (run.daily.iloc[-1] / run.daily.iloc[0] - 1)
        assert side.summary.at["Total Return [%]", name] == pytest.approx(total)
        assert side.summary.at["Max Drawdown Days", name] == summary["Max Drawdown Duration"].days
    assert side.notes == ()
    assert set(side.labels) == set(results)


def test_sources_add_up_to_the_total_return(side) -> None:
    parts, total = side.source.drop(index="total"), side.source.loc["total"]
    np.testing.assert_allclose(parts.sum(), total, rtol=1e-9)
    np.testing.assert_allclose(total, side.summary.loc["Total Return [%]"], rtol=1e-9)
    assert (parts.loc["slippage"] < 0).all()


def test_sources_are_the_bookings_between_the_first_sample_and_the_last(side, results) -> None:
    for name, run in results.items():
        closes = [t for t in range(len(run.market.grid)) if run.market.decision_steps[t]]
        booked = 0.0
        for (source, _), column in run.contributions.items():
            if source == "borrow":
                booked += sum(column.iloc[closes[0] + 1 : closes[-1] + 1])
        expected = 100 * booked / run.equity_by_step[closes[0]]
        assert side.source.at["borrow", name] == pytest.approx(expected, rel=1e-9)


def test_growth_drawdown_and_years(side, results) -> None:
    for name, run in results.items():
        level, peak = run.daily / run.daily.iloc[0], 0.0
        pd.testing.assert_series_equal(side.growth[name], level, check_names=False)
        for value, fall in zip(level, side.drawdown[name], strict=True):
            peak = max(peak, value)
            assert fall == pytest.approx(value / peak - 1, abs=1e-12)
        by_year = [
            100 * (math.prod(1 + r for r in own) - 1)
            for _, own in run.returns.groupby(run.returns.index.year)
        ]
        np.testing.assert_allclose(side.yearly[name], by_year, rtol=1e-9)
    assert list(side.yearly.index) == [2020, 2021]


def test_correlation_and_differences(side, results) -> None:
    returns = pd.DataFrame({name: run.returns for name, run in results.items()})
    np.testing.assert_allclose(side.correlation, np.corrcoef(returns.T), rtol=1e-9)
    base = excess_returns(results["pairs"])
    assert list(side.difference.index) == ["wide", "sectors"]
    for name, row in side.difference.iterrows():
        own = excess_returns(results[name])
        assert row["Sharpe Ratio"] == pytest.approx(naive.sharpe(list(own)))
        assert row["Difference"] == pytest.approx(naive.sharpe(list(own)) - naive.sharpe(list(base)))
        expected = sharpe_interval(np.column_stack([own, base]), draws=200)
        assert (row["Low"], row["High"]) == pytest.approx(expected)


def test_a_run_against_itself_differs_by_nothing(results) -> None:
    one = results["pairs"]
    row = compare_results({"a": one, "b": one}, draws=100).difference.loc["b"]
    assert row[["Difference", "Low", "High"]].tolist() == [0, 0, 0]


def test_one_run_alone_is_shown(results, tmp_path) -> None:
    side = compare_results({"pairs": results["pairs"]}, draws=100)
    assert side.difference.empty
    assert side.correlation.to_numpy().tolist() == [[pytest.approx(1.0)]]
    page = comparison_report({"pairs": results["pairs"]}, tmp_path / "one.html").read_text(encoding="utf-8")
    assert "1 backtest side by side" in page


# -- runs that are not alike ------------------------------------------------------------------------------


def test_other_spans_are_compared_where_they_meet(results) -> None:
    """The earlier run's figures are those of its sessions from the later one's first on."""
    late = ep.simulate_market(start="2021-03-01", end="2022-06-30", seed=8)
    other = ep.backtest(late, ep.SectorRotation())
    run = results["pairs"]
    side = compare_results({"early": run, "late": other}, draws=100)
    first, last = side.growth.index[[0, -1]]
    assert first == max(run.daily.index[0], other.daily.index[0])
    assert last == min(run.daily.index[-1], other.daily.index[-1])
    part = period_statistics(run, first + pd.Timedelta("1D"), last, draws=0)
    for mine, theirs in {
        "Annualized Return [%]": "Net Return [% pa]",
        "Annualized Volatility [%]": "Volatility [% pa]",
        "Sharpe Ratio": "Sharpe Ratio",
        "Monthly Sharpe": "Monthly Sharpe",
        "Max Drawdown [%]": "Max Drawdown [%]",
        "Turnover": "Turnover",
        "Costs [% pa]": "Costs [% pa]",
    }.items():
        assert side.summary.at[mine, "early"] == pytest.approx(part[theirs], rel=1e-9), mine
    np.testing.assert_allclose(side.source.loc["total"], side.summary.loc["Total Return [%]"], rtol=1e-9)
    assert "Only the sessions all runs have in common" in side.notes[0]
    assert f"{len(run.daily):,} sessions" in side.notes[0]
    assert any("different markets" in note for note in side.notes)
    assert side.simulated == ("early", "late")


def test_between_common_sessions_nothing_is_lost() -> None:
    """One market is closed on every fifth day: what the other earned then is in the return to the next."""
    days = pd.bdate_range("2021-01-04", periods=120)
    every, fewer = single(days, 1), single(days[np.arange(120) % 5 != 1], 2)
    side = compare_results({"every": every, "fewer": fewer}, draws=100)
    assert list(side.growth.index) == list(fewer.daily.index)
    levels = every.daily.reindex(fewer.daily.index)
    assert side.growth["every"].iloc[-1] == pytest.approx(levels.iloc[-1] / levels.iloc[0])
    moves = [b / a - 1 for a, b in pairwise(levels)]
    assert side.summary.at["Sharpe Ratio", "every"] == pytest.approx(naive.sharpe(moves))
    assert side.source.at["total", "every"] == pytest.approx(100 * (levels.iloc[-1] / levels.iloc[0] - 1))


def test_the_policy_rate_runs_on_between_common_sessions(results) -> None:
    """A common session's rate compounds those of the run's own sessions since the one before."""
    run = results["pairs"]
    keep = np.arange(len(run.daily)) % 6 != 2
    other = single(pd.DatetimeIndex(run.daily.index[keep]))
    side = compare_results({"pairs": run, "other": other}, draws=100)
    common = run.daily.index[keep]
    rate = pd.Series(run.risk_free_growth[run.market.decision_steps], run.daily.index)[common]
    level = run.daily[common]
    steps = zip(pairwise(level), pairwise(rate), strict=True)
    over = [b / a - g / f for (a, b), (f, g) in steps]
    assert side.summary.at["Sharpe Ratio", "pairs"] == pytest.approx(naive.sharpe(over), rel=1e-8)


def test_currencies_and_hours_that_differ_are_said(market, tmp_path) -> None:
    hong_kong = pd.bdate_range("2020-06-01", "2021-12-31")
    dollars = ep.backtest(market, ep.SectorRotation())
    local = ep.backtest(market, ep.SectorRotation(), base_currency="HKD", capital=1e7)
    side = compare_results({"a": dollars, "b": local}, draws=100)
    assert side.notes == ("Returns are in different currencies: USD (a); HKD (b).",)
    mixed = {"a": dollars, "c": single(hong_kong)}
    side = compare_results(mixed, draws=100)
    assert any("hours apart" in note for note in side.notes)
    text = comparison_report(mixed, tmp_path / "mixed.html", draws=100).read_text(encoding="utf-8")
    assert "(in part simulated market)" in text
    assert "The prices of a are simulated" in text


def test_what_is_alike_is_said_once() -> None:
    assert alike({"a": "x", "b": "y", "c": "x"}) == "x (a, c); y (b)"


def test_a_ruined_run_has_no_ratios_and_spoils_no_other(tmp_path) -> None:
    days = pd.bdate_range("2021-01-04", periods=60)
    ruined, whole = single(days, 1, last=50.0), single(days, 2)
    assert ruined.ruined_at is not None
    side = compare_results({"ruined": ruined, "whole": whole}, draws=100)
    assert side.summary.loc[["Sharpe Ratio", "Skew", "Annualized Return [%]"], "ruined"].isna().all()
    assert side.summary.loc["Sharpe Ratio", "whole"] == pytest.approx(whole.summary()["Sharpe Ratio"])
    assert side.summary.loc["Total Return [%]", "ruined"] < -100
    assert side.correlation.loc["ruined", "whole"] is not None
    assert np.isnan(side.correlation.loc["ruined", "whole"])
    assert side.difference.drop(columns="Sharpe Ratio").isna().all(axis=None)
    assert side.yearly["ruined"].isna().all()
    assert any("ruined: equity fell" in note for note in side.notes)
    page = comparison_report({"ruined": ruined, "whole": whole}, tmp_path / "r.html", draws=100)
    assert "inf" not in re.sub(r"<style.*?</style>|<script.*?</script>", "", page.read_text(), flags=re.S)


# -- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({}, "results is {}: give finished runs by name"),
        ([1], r"results is \[1\]: give finished runs"),
        (None, "results is None"),
        ({"a": 3}, "the result 'a' is of type int: give finished runs, as backtest returns them"),
        ({"a": pd.Series([1.0])}, "the result 'a' is of type Series"),
        ({3: None}, "a result has the name 3: give each one a name"),
        ({" ": None}, "a result has the name ' '"),
    ],
)
def test_what_is_no_finished_run_is_refused(wrong: object, sentence: str, tmp_path: Path) -> None:
    for ask in (compare_results, lambda given: comparison_report(given, tmp_path / "a.html")):
        with pytest.raises(ep.ParameterError, match=sentence):
            ask(wrong)
    assert list(tmp_path.iterdir()) == []


def test_runs_that_meet_too_seldom_for_figures_by_the_year_are_refused() -> None:
    days = pd.bdate_range("2021-01-04", periods=260)
    weekly = single(days).market
    keep = np.arange(260) % 5 == 4
    weekly = replace(
        weekly, grid=weekly.grid[keep].reset_index(drop=True).rename_axis("step"), price=weekly.price[keep]
    )
    sparse = ep.backtest(weekly, pd.DataFrame({"X": [0.5]}, index=days[[4]]))
    with pytest.raises(ep.DataError, match=r"have 52 sessions a year in common .* give runs of daily"):
        compare_results({"daily": single(days), "weekly": sparse})


def test_runs_that_never_meet_are_refused() -> None:
    early, late = (single(pd.bdate_range(start, periods=30)) for start in ("2020-01-02", "2021-01-04"))
    with pytest.raises(ep.DataError, match=r"0 sessions in common \(2020-01-02 to .* \(early\); .*overlap"):
        compare_results({"early": early, "late": late})
    touching = single(pd.bdate_range(early.daily.index[-1], periods=30))
    with pytest.raises(ep.DataError, match="have 1 sessions in common"):
        compare_results({"early": early, "late": touching})


@pytest.mark.parametrize("wrong", [{"draws": 5}, {"confidence": 2}, {"seed": "x"}])
def test_arguments_of_the_bootstrap_are_checked(results, wrong) -> None:
    with pytest.raises(ep.ParameterError, match=f"{next(iter(wrong))} is "):
        compare_results(results, **wrong)


def test_a_file_that_cannot_be_written_is_refused_first(results, tmp_path) -> None:
    with pytest.raises(ep.ParameterError, match="does not exist"):
        comparison_report(results, tmp_path / "nowhere" / "a.html")
    with pytest.raises(ep.ParameterError, match=r"ending in \.html"):
        comparison_report(results, tmp_path / "a.pdf")


# -- the page ---------------------------------------------------------------------------------------------


class Words(HTMLParser):
    """What a reader sees, and which elements there are."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_shows_every_part(side, results, tmp_path) -> None:
    path = tmp_path / "side.html"
    assert comparison_report(results, path, provenance={"Plan": "three & more"}, draws=200) == path
    page = Words()
    page.feed(path.read_text(encoding="utf-8"))
    words = "\n".join(page.words)
    for wanted in (
        "3 backtests side by side", side.span, side.label, "SIMULATED", "Return and risk",
        "Difference of Sharpe ratios", "Correlation of returns", "Returns by calendar year, %",
        "Profit and loss by source, %", "Stamp duty", "Interest on cash", "total", "three & more",
        "number of trials", number(side.summary.at["Sharpe Ratio", "wide"]),
    ):  # fmt: skip
        assert wanted in words, wanted
    assert "svg" in page.tags
    again = tmp_path / "again.html"
    comparison_report(results, again, provenance={"Plan": "three & more"}, draws=200)
    assert again.read_bytes() == path.read_bytes()


def test_names_are_escaped_wherever_they_stand(results, tmp_path) -> None:
    hostile = "</svg><script>alert(1)</script> & $x$ <b>"
    named = {hostile: results["pairs"], "<i>other</i>": results["wide"]}
    path = comparison_report(named, tmp_path / "h.html", title="<u>title</u>", draws=100)
    text = path.read_text(encoding="utf-8")
    page = Words()
    page.feed(text)
    assert not page.tags & {"b", "i", "u"}
    assert "<script>alert" not in text
    assert hostile in "".join(page.words)
    assert "&lt;/svg&gt;&lt;script&gt;" in text


# -- the picture ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["page", "slide"])
def test_growth_is_drawn_and_named(side, size) -> None:
    ax = side.plot(size)
    lines = ax.get_lines()[:3]
    for line, name in zip(lines, side.growth, strict=True):
        np.testing.assert_allclose(line.get_ydata(), 100 * side.growth[name])
    assert [text.get_text().split("  ")[0] for text in ax.texts] == list(side.growth.columns)
    assert ax.texts[0].get_text().endswith(f"  {100 * side.growth['pairs'].iloc[-1]:,.1f}")
    assert "simulated" in ax.figure.get_suptitle()
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    for i, box in enumerate(boxes):
        assert box.x1 <= ax.figure.bbox.x1 + 1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_other_sizes_are_refused(side) -> None:
    with pytest.raises(ep.ParameterError, match="size is 'poster'"):
        side.plot("poster")


def test_a_run_without_equity_is_not_drawn() -> None:
    days = pd.bdate_range("2020-01-01", periods=5)
    ax = draw_growth(pd.DataFrame({"a": np.nan, "b": [1, 1.1, 1.2, 1.1, 1.3]}, index=days), "Growth")
    assert [text.get_text() for text in ax.texts] == ["b  130.0"]


def test_sixteen_lines_look_different() -> None:
    looks = [look(i, LIGHT) for i in range(16)]
    assert len(set(looks)) == 16
    assert len({dashes for _, dashes in looks[:4]}) == 4


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.12))
def test_names_keep_their_order_and_their_distance(wanted: list[float], gap: float) -> None:
    given_, found = np.array(wanted), apart(np.array(wanted), gap)
    order = np.argsort(given_, kind="stable")
    assert (np.diff(found[order]) >= gap - 1e-9).all()
    assert (found >= -1e-9).all()
    assert (found <= 1 + 1e-9).all()
    if len(given_) and (np.diff(given_[order]) >= gap).all():
        np.testing.assert_allclose(found, given_, atol=1e-12)


def test_long_names_are_cut() -> None:
    assert brief("a  b\nc") == "a b c"
    assert brief("x" * 24) == "x" * 24
    assert brief("pairs, entry 2.5 and more", 14) == "pairs, entry\u2026"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"title": 5}, "title is 5"),
        ({"provenance": ["a"]}, "provenance is of type list"),
    ],
)
def test_words_that_are_none_are_refused(results, given, words: str, tmp_path: Path) -> None:
    with pytest.raises(ep.errors.ParameterError, match=words):
        comparison_report(results, tmp_path / "a.html", **given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("years", [1, 3, 8, 20])
def test_dates_of_the_page_do_not_overlap(side, years: int) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    index = pd.bdate_range("2001-03-05", periods=252 * years, name="session")
    level = pd.DataFrame({"a": np.linspace(1.0, 2.0, len(index)), "b": 1.0}, index=index)
    longer = replace(side, growth=level, drawdown=0 * level)
    theme = LIGHT.for_phones()
    for picture in pictures(longer):
        with theme.active():
            figure = Figure(figsize=(WIDTH, picture.height))
            FigureCanvasAgg(figure)
            picture.draw_into(figure, theme)
            figure.draw_without_rendering()
            labels = figure.axes[0].get_xticklabels()
            assert len(labels) >= 2
            boxes = [label.get_window_extent() for label in labels]
            assert not any(one.x1 >= other.x0 for one, other in pairwise(boxes))


def test_each_run_says_what_it_came_from(tmp_path: Path) -> None:
    market = ep.simulate_market(start="2021-01-04", end="2021-06-30", seed=3)
    runs = {
        name: ep.backtest(market, ep.LongHKShortADR(entry=entry), trials=trials)
        for name, entry, trials in (("early", 1.0, 1), ("late", 2.0, 7))
    }
    page = comparison_report(runs, tmp_path / "both.html", draws=100).read_text(encoding="utf-8")
    for name, run in runs.items():
        assert f"Provenance of {name}" in page
        for entry in ("entrepot", "Data", "Seed", "Run"):
            assert run.provenance[entry] in page
    assert "entry=2.0" in page
    assert ">7</td>" in page
