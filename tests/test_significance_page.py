"""Skill or luck: every number of the page from its formula, every word by its rule, truth by simulation."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import naive_significance as naive
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm

import entrepot as ep
from entrepot.doubt.page import pictured
from entrepot.doubt.sensitivity import break_even, dearer, neighbours, trading_costs
from entrepot.doubt.significance import (
    Odds,
    Significance,
    Trials,
    as_levels,
    benchmark_returns,
    odds,
    spread_of,
)
from entrepot.doubt.verdict import (
    COSTS,
    DATES,
    DEFLATED,
    SUPERIOR,
    WALKED,
    months_decide,
    skill,
    without_best,
)
from entrepot.errors import EntrepotError, ParameterError
from entrepot.reports.overfitting import overfitting
from entrepot.reports.pictures.significance import draw_page
from entrepot.reports.significance import independent_trials
from entrepot.reports.superiority import Superiority, superior_ability
from entrepot.strategies.targets import Targets

PAIRS = ("BABA", "9988.HK", "NTES", "9999.HK", "KWEB", "FXI")
GRID = {"entry": [0.6, 1.0, 1.4], "lookback": [20, 40], "exit": [0.0, 0.7]}
QUICK: dict[str, Any] = {"train": 120, "test": 300, "draws": 100, "blocks": 6, "progress": False}


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2018-01-02", end="2021-06-30", seed=3, symbols=PAIRS)


@pytest.fixture(scope="module")
def swept(market: ep.Market) -> ep.Sweep:
    """Twelve configurations, two of which cannot be: an exit above the entry."""
    return ep.sweep(market, ep.LongHKShortADR(weight=0.3), GRID, progress=False)


@pytest.fixture(scope="module")
def found(swept: ep.Sweep) -> Significance:
    return swept.significance(**QUICK)


@dataclass(frozen=True)
class Held:
    """A weight of KWEB, decided once."""

    weight: float = 0.5
    day: int = 8

    def with_(self, **changes: Any) -> Held:
        return replace(self, **changes)

    def targets(self, market: ep.Market, path: object = None) -> Targets:
        weights = np.full(market.price.shape, np.nan)
        weights[self.day, market.column("KWEB")] = self.weight
        return Targets(weights, drift_band=np.inf)


def drifting(market: ep.Market, drift: float, spread: float = 0.01, seed: int = 0) -> ep.Market:
    """The market with a KWEB of a given drift and spread of log returns by step."""
    price, rng = market.price.copy(), np.random.default_rng(seed)
    level = 40 * np.exp(np.cumsum(drift + spread * rng.standard_normal(len(price))))
    price["KWEB"] = np.where(market.scheduled[:, market.column("KWEB")], level, np.nan)
    return replace(market, price=price)


# -- returns -------------------------------------------------------------------------------------------------


def test_returns_are_those_of_the_recorded_runs(swept: ep.Sweep) -> None:
    made = swept.returns(by="configuration")
    refused = swept.table["Refused"] != ""
    assert 0 < refused.sum() < len(swept.table)
    assert made.columns.tolist() == swept.table.index[~refused].tolist()
    assert made.attrs["refused"] == refused.sum()
    for row in made.columns:
        run = swept.backtest(row)
        assert made.index.equals(run.returns.index)
        np.testing.assert_allclose(made[row], run.returns - run.risk_free, rtol=0, atol=1e-12)
    ratios = made.mean() / made.std() * 252**0.5
    np.testing.assert_allclose(ratios, swept.table.loc[~refused, "Sharpe Ratio"], rtol=1e-9)


def test_returns_of_some_are_those_of_all(swept: ep.Sweep) -> None:
    whole = swept.returns(by="configuration")
    some = whole.columns[[4, 0]].tolist()
    again, one = (swept.returns(rows, by="configuration") for rows in (some, some[0]))
    pd.testing.assert_frame_equal(again, whole[some], check_exact=True)
    pd.testing.assert_frame_equal(one, whole[some[:1]], check_exact=True)
    part = swept.select(lookback=20)
    own = part.returns(by="configuration").columns.tolist()
    assert own == [c for c in whole.columns if c in part.table.index]
    curves = swept.equity(some, by="configuration")
    daily = swept.backtest(some[0]).equity
    np.testing.assert_array_equal(curves[some[0]], daily)


def test_blocks_of_many_paths_and_of_targets_are_run_together(market: ep.Market) -> None:
    """More configurations than go side by side, some without a loop, and a regime path for each model."""
    held = ep.sweep(market, Held(), {"weight": np.linspace(0.01, 0.9, 70)}, progress=False)
    made = held.returns(by="configuration")
    assert made.shape[1] == 70
    run = held.backtest(66)
    np.testing.assert_allclose(made[66], run.returns - run.risk_free, atol=1e-12)
    model, events = ep.RegimeModel(), ep.load_events()
    path = model.walk_forward(market, events, progress=False)
    switch = ep.RegimeSwitch(path, calm=ep.LongHKShortADR(lookback=20, weight=0.3), tariff=Held())
    grid = {"model.tariff.half_life": [5, 20], "calm.entry": [0.6, 1.2]}
    several = ep.sweep(market, switch, grid, model=model, events=events, progress=False)
    excess = several.returns(by="configuration")
    for row in several.table.index:
        run = several.backtest(row)
        np.testing.assert_allclose(excess[row], run.returns - run.risk_free, atol=1e-12)


def test_returns_of_what_was_refused_are_refused(swept: ep.Sweep) -> None:
    refused = int(swept.table.index[swept.table["Refused"] != ""][0])
    for ask in (swept.returns, swept.equity):
        with pytest.raises(ParameterError, match=f"configuration {refused} was refused: exit is 0.7"):
            ask(refused)
        for row in (99, "x", 1.5):
            with pytest.raises(ParameterError, match="is no row"):
                ask(row)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="every configuration of this sweep was refused"):
        swept.select(entry=0.6, exit=0.7).returns()


def ruined(market: ep.Market) -> ep.Sweep:
    """Three configurations of a line that falls far; the last one, the best until then, owes money."""
    fallen = drifting(market, 4e-4, 0.004)
    price = fallen.price.copy()
    price.loc[price.index[int(0.6 * len(price))] :, "KWEB"] *= 0.3
    weights = [{"weight": weight} for weight in (0.01, 0.02, 2.9)]
    return ep.sweep(replace(fallen, price=price), Held(), weights, progress=False)


def test_a_debt_has_no_returns(market: ep.Market) -> None:
    made = ruined(market)
    assert np.isnan(made.table.at[2, "Sharpe Ratio"])
    daily = made.backtest(2).daily
    below = int(np.argmax(daily.to_numpy() <= 0.0))
    excess = made.returns(by="configuration")
    assert excess[2].iloc[:below].notna().all()
    assert excess[2].iloc[below - 1] < -1.0
    assert excess[2].iloc[below:].isna().all()
    assert excess[[0, 1]].notna().all(axis=None)
    with pytest.raises(ParameterError, match="configuration 2 lost all its equity"):
        made.significance(benchmark=2, **QUICK)


def test_what_loses_everything_later_could_be_chosen_before(market: ep.Market) -> None:
    made = ruined(market)
    found = made.significance(**QUICK)
    assert found.trials.measured == 2
    assert found.walk_forward is not None
    walked = made.walk_forward(QUICK["train"], QUICK["test"])
    pd.testing.assert_frame_equal(found.walk_forward.table, walked.table)
    assert walked.table["Configuration"].tolist() == [2, 2, 1]
    assert walked.table["Cost [%]"].between(0.0, 10.0).all()
    assert found.walk_forward.charged.min() < -1.0
    assert found.criteria.at[WALKED, "passed"] is False
    grown = 100.0 * (1.0 + pictured(found).chosen).cumprod()
    assert (grown >= 0.0).all(axis=None)


# -- odds ----------------------------------------------------------------------------------------------------


def months(run: ep.Result) -> list[float]:
    """Returns over the policy rate by calendar month, one month at a time."""
    grown: dict[tuple[int, int], list[float]] = {}
    for day, value, free in zip(run.returns.index, run.returns, run.risk_free, strict=True):
        own = grown.setdefault((day.year, day.month), [1.0, 1.0])
        own[0] *= 1 + value
        own[1] *= 1 + free
    return [own - free for own, free in grown.values()]


def test_the_odds_follow_from_the_formulas(swept: ep.Sweep, found: Significance) -> None:
    table = swept.table[swept.table["Refused"] == ""]
    best = int(table["Sharpe Ratio"].idxmax())
    assert found.best == best
    assert dict(found.parameters) == {name: table.at[best, name] for name in GRID}
    run = swept.backtest(best)
    excess = swept.returns(by="configuration")
    independent = naive.independent(excess.to_numpy())
    assert found.trials == Trials(10, 0, 10, 2, 0, pytest.approx(independent))
    for own, values, column, per_year in (
        (found.daily, (run.returns - run.risk_free).tolist(), "Sharpe Ratio", 252),
        (found.monthly, months(run), "Monthly Sharpe", 12),
    ):
        ratio, skew, kurtosis = naive.moments(values)
        assert own.sharpe == pytest.approx(ratio * per_year**0.5, rel=1e-9)
        assert own.sharpe == pytest.approx(table.at[best, column], rel=1e-9)
        assert (own.skew, own.kurtosis) == (pytest.approx(skew), pytest.approx(kurtosis))
        variance = (table[column] / per_year**0.5).var(ddof=1)
        error = (1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) ** 0.5
        for trials, luckiest, deflated in (
            (10, own.luckiest, own.deflated),
            (independent, own.luckiest_independent, own.deflated_independent),
        ):
            g = 0.5772156649015329
            z = (1 - g) * norm.ppf(1 - 1 / trials) + g * norm.ppf(1 - 1 / (trials * np.e))
            assert luckiest == pytest.approx(variance**0.5 * z * per_year**0.5, rel=1e-9)
            odds = norm.cdf((ratio - variance**0.5 * z) * (len(values) - 1) ** 0.5 / error)
            assert deflated == pytest.approx(odds, rel=1e-9)
        assert own.probable == pytest.approx(norm.cdf(ratio * (len(values) - 1) ** 0.5 / error), rel=1e-9)
        assert own.record == pytest.approx((1 + (error * norm.ppf(0.95) / ratio) ** 2) / per_year, rel=1e-9)
        assert own.observations == len(values)
        assert own.low < own.sharpe < own.high
    np.testing.assert_allclose(found.months, months(run), atol=1e-12)
    lagged = run.returns - run.risk_free
    assert found.autocorrelation == pytest.approx(lagged.autocorr(1), abs=0.01)


def test_months_are_judged_where_sessions_reverse(swept: ep.Sweep, found: Significance) -> None:
    assert found.autocorrelation < -0.1
    assert found.by_month
    excess = swept.returns(by="configuration")
    free = swept.backtest(found.best).risk_free  # type: ignore[arg-type]
    by_month = pd.DataFrame({row: months_of_column(excess[row], free) for row in excess.columns}).to_numpy()
    again = superior_ability(by_month, draws=100)
    assert found.superiority is not None
    assert found.superiority.p_consistent == again.p_consistent
    assert found.rivals == 10
    assert "months are judged, since returns of sessions reverse" in found.verdict
    crossed = overfitting(excess.to_numpy(), 6)
    assert found.overfitting is not None
    np.testing.assert_array_equal(found.overfitting.logits, crossed.logits)


def months_of_column(excess: pd.Series, free: pd.Series) -> list[float]:
    whole, policy = (1 + excess + free), (1 + free)
    keys = [(day.year, day.month) for day in excess.index]
    return [
        float(whole[[k == key for k in keys]].prod() - policy[[k == key for k in keys]].prod())
        for key in dict.fromkeys(keys)
    ]


@pytest.mark.parametrize(
    ("lagged", "sessions", "count", "decide"),
    [
        (-0.5, 500, 36, True),
        (-0.5, 500, 35, False),
        (0.2, 500, 40, True),
        (-0.09, 500, 40, True),
        (-0.089, 500, 40, False),
        (np.nan, 500, 40, False),
    ],
)
def test_what_decides(lagged: float, sessions: int, count: int, decide: bool) -> None:
    assert months_decide(lagged, sessions, count) is decide


def test_where_sessions_do_not_depend_on_each_other_they_are_judged(market: ep.Market) -> None:
    made = ep.sweep(drifting(market, 2e-4), Held(), {"weight": [0.3, 0.6, 0.9]}, progress=False)
    found = made.significance(**QUICK)
    assert abs(found.autocorrelation) < 0.065
    assert not found.by_month
    again = superior_ability(made.returns().to_numpy(), draws=100)
    assert found.superiority is not None
    assert found.superiority.p_consistent == again.p_consistent
    assert "ratio by session of" in found.sentences["What does luck show?"]
    assert found.criteria.at[DEFLATED, "value"] == found.daily.deflated_independent


# -- trials --------------------------------------------------------------------------------------------------


def test_every_trial_counts_whatever_is_looked_at(swept: ep.Sweep, found: Significance) -> None:
    part = swept.select(lookback=20, entry=[0.6, 1.0]).significance(**QUICK)
    assert part.trials.tried == 12 - 2  # neither the refused one that is looked at nor the other
    assert part.trials.measured == 3
    assert "Only 3 of the 10 configurations are looked at here" in part.verdict
    more = swept.significance(other_trials=1000, **QUICK)
    assert more.trials.counted == 1010
    assert more.trials.independent == pytest.approx(found.trials.independent + 1000)
    assert "1,010 trials, 1,000 of them made elsewhere" in more.verdict
    assert more.daily.deflated < found.daily.deflated
    assert more.daily.deflated_independent < found.daily.deflated_independent
    assert more.daily.probable == found.daily.probable
    unfinished = replace(swept.select(entry=1.0, lookback=20), done=7, trials=60, refused=0).significance(
        **QUICK
    )
    assert unfinished.trials.tried == 60


@pytest.mark.parametrize("weights", [[0.6] * 5, [0.6, 0.601, 0.602]])
def test_trials_elsewhere_are_not_as_alike_as_those_of_a_grid(
    market: ep.Market, weights: list[float]
) -> None:
    """They show what a thousand ratios without skill do, however close together those of the sweep are."""
    made = ep.sweep(
        drifting(market, 4e-4), Held(), [{"weight": weight} for weight in weights], progress=False
    )
    alone = ep.sweep(drifting(market, 4e-4), Held(), {"weight": [0.6]}, progress=False)
    several = made.significance(other_trials=1000, **QUICK)
    one = alone.significance(other_trials=1000, **QUICK)
    assert several.daily.luckiest_independent == pytest.approx(one.daily.luckiest_independent, rel=1e-3)
    assert several.daily.luckiest == pytest.approx(one.daily.luckiest, rel=5e-3)
    assert several.daily.luckiest > 1.5
    assert several.daily.survives == pytest.approx(one.daily.survives, rel=0.02)


def test_the_spread_of_trials() -> None:
    ratios = np.array([0.01, 0.03, 0.05])
    own = 0.0004
    assert spread_of(ratios, 501, 2.0, 0) == pytest.approx(own)
    assert spread_of(ratios, 501, 8.0, 6) == pytest.approx((2 * own + 6 * 0.002) / 8)
    assert spread_of(10 * ratios, 501, 8.0, 6) == pytest.approx(100 * own)
    assert spread_of(ratios[:1], 501, 7.0, 6) == 1 / 500
    assert spread_of(ratios[:0], 1, 1.0, 0) == 1.0


def test_one_configuration_is_judged_as_one_trial(market: ep.Market) -> None:
    made = ep.sweep(drifting(market, 4e-4), Held(), {"weight": [0.6]}, progress=False)
    found = made.significance(**QUICK)
    assert found.trials.counted == 1
    assert found.daily.luckiest == 0.0
    assert found.daily.deflated == found.daily.probable
    assert found.overfitting is None
    assert "at least two" in found.missing["overfitting"]
    assert "Of 1 trial, the best" in found.verdict
    shown = f"{np.floor(1000 * found.daily.probable) / 1000:.3f}"
    assert f"probability of {shown}, where 0.95 is asked for" in found.verdict
    assert "As the only trial it has a true ratio by session above 0" in found.verdict
    assert np.isnan(found.criteria.at["overfitting", "value"])
    others = made.significance(other_trials=100, **QUICK)
    n = others.daily.observations
    g = 0.5772156649015329
    z = (1 - g) * norm.ppf(1 - 1 / 101) + g * norm.ppf(1 - 1 / (101 * np.e))
    assert others.daily.luckiest == pytest.approx((252 / (n - 1)) ** 0.5 * z, rel=1e-9)


def test_one_that_holds_nothing_is_a_trial_and_can_be_the_benchmark(market: ep.Market) -> None:
    made = ep.sweep(drifting(market, 4e-4), Held(), {"weight": [0.0, 0.3, 0.6]}, progress=False)
    found = made.significance(benchmark=0, **QUICK)
    assert found.trials == Trials(3, 0, 2, 0, 1, pytest.approx(found.trials.independent))
    assert found.rivals == 2
    cash = made.significance(**QUICK)
    assert found.superiority is not None
    assert cash.superiority is not None
    assert found.superiority.p_consistent == cash.superiority.p_consistent


def test_equal_configurations_are_one_trial(market: ep.Market) -> None:
    made = ep.sweep(drifting(market, 4e-4), Held(), [{"weight": 0.6}] * 5, progress=False)
    found = made.significance(**QUICK)
    assert found.trials.independent == pytest.approx(1.0)
    assert found.daily.luckiest == pytest.approx(0.0, abs=1e-9)
    assert found.daily.deflated == pytest.approx(found.daily.probable)
    assert "all of which earned the same: the parameters change nothing" in found.verdict
    found.plot()


def test_equal_ratios_are_not_equal_earnings(market: ep.Market) -> None:
    last = np.flatnonzero(market.decision_steps)[:3].tolist()
    plan, grid = Held(day=last[1]), {"weight": [0.1, 0.5]}  # bought in the third session, the last
    made = ep.sweep(market.until(last[2] + 1), plan, grid, costs=ep.Costs.none(), progress=False)
    ratio, earned = made.table["Sharpe Ratio"], made.table["Total Return [%]"]
    assert ratio[0] == pytest.approx(ratio[1], abs=1e-9)
    assert earned[0] != pytest.approx(earned[1], abs=1e-3)
    assert "earned the same" not in made.significance(**QUICK).verdict


# -- what cannot be judged -----------------------------------------------------------------------------------


def test_where_nothing_trades_nothing_is_said(market: ep.Market, tmp_path: Path) -> None:
    made = ep.sweep(
        market, ep.LongHKShortADR(weight=0.0), {"entry": [1.0, 1.5], "exit": [0.1, 1.2]}, progress=False
    )
    found = made.significance(**QUICK)
    assert found.best is None
    assert found.skill is None
    assert found.verdict == (
        "Nothing can be said: no configuration has a Sharpe ratio (1 cannot be run and 3 held nothing or "
        "lost everything)."
    )
    assert found.trials == Trials(3, 0, 0, 1, 3, pytest.approx(np.nan, nan_ok=True))
    assert len(found.plot()) == 6
    page = found.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Nothing can be said" in page
    assert "Trials" in str(found)


def test_where_all_is_refused_nothing_is_said(swept: ep.Sweep) -> None:
    part = swept.select(entry=0.6, exit=0.7)
    found = part.significance(**QUICK)
    with pytest.raises(ParameterError, match="blocks is 7"):
        part.significance(**QUICK | {"blocks": 7})
    assert found.best is None
    assert "(2 cannot be run)" in found.verdict


def test_a_loss_is_not_explained(market: ep.Market, tmp_path: Path) -> None:
    made = ep.sweep(drifting(market, -1e-3), Held(), {"weight": [0.3, 0.6]}, progress=False)
    found = made.significance(**QUICK)
    assert found.daily.sharpe < 0
    assert found.skill is False
    assert found.verdict.startswith("There is nothing to explain: even the best configuration earned no more")
    assert np.isnan(found.break_even)
    assert "What is weak about it?" not in found.sentences
    assert "survive" not in found.verdict
    assert "What does luck show?" not in found.sentences
    found.plot(tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("last", ["2018-01-12", "2018-01-24", "2018-03-20"])
def test_a_history_too_short_says_so(market: ep.Market, last: str) -> None:
    short = market.between("2018-01-02", last)
    made = ep.sweep(short, Held(day=4), {"weight": [0.3, 0.6, 0.9]}, progress=False)
    found = made.significance(**QUICK | {"blocks": 16})
    assert found.skill in (None, False)
    assert found.walk_forward is None
    assert "leave none to hold" in found.missing["walk_forward"]
    if found.daily.observations < 20:
        assert found.verdict.startswith("Too little to judge by") or "nothing to explain" in found.verdict
        assert found.overfitting is None
        assert np.isnan(found.daily.low)
    found.plot()
    assert str(found)


def test_the_best_by_another_metric_is_judged_by_its_ratio(swept: ep.Sweep) -> None:
    found = swept.significance("drawdown", **QUICK)
    assert found.metric == "Max Drawdown [%]"
    best = swept.table["Max Drawdown [%]"].idxmax()
    assert found.best == best
    assert found.daily.sharpe == pytest.approx(swept.table.at[best, "Sharpe Ratio"])
    assert found.walk_forward is not None
    assert found.walk_forward.metric == "sharpe"
    for name, choice in (
        ("sortino", "sortino"),
        ("Sortino Ratio", "sortino"),
        ("Total Return [%]", "return"),
    ):
        other = swept.significance(name, **QUICK)
        assert other.walk_forward is not None
        assert other.walk_forward.metric == choice


# -- against a benchmark -------------------------------------------------------------------------------------


def test_a_benchmark_is_a_configuration_levels_or_returns(swept: ep.Sweep) -> None:
    row = int(swept.best(n=2).index[1])
    run = swept.backtest(row)
    against = swept.significance(benchmark=row, **QUICK)
    assert against.benchmark == f"configuration {row}"
    assert against.rivals == 9
    assert row not in against.better
    assert f"tested against configuration {row}" in against.verdict.lower()
    excess = against.superiority
    assert excess is not None
    levels, name = benchmark_returns(swept, run, run.daily.rename("mine"))
    returns, _ = benchmark_returns(swept, run, run.returns.rename("mine"))
    assert name == "mine"
    np.testing.assert_allclose(levels, run.returns - run.risk_free, atol=1e-12)
    np.testing.assert_allclose(returns, run.returns - run.risk_free, atol=1e-12)
    assert benchmark_returns(swept, run, None)[0].eq(0.0).all()


@pytest.mark.parametrize(
    ("benchmark", "why"),
    [
        (99, "99 is no row"),
        (1.5, "benchmark is 1.5: give a Series"),
        ("SPY", "benchmark is 'SPY'"),
        (True, "benchmark is True"),
        (pd.Series([1.0, 2.0]), "indexed by int64"),
        (pd.Series([], dtype=float, index=pd.DatetimeIndex([])), "no level"),
        (pd.Series([1.0, np.inf], index=pd.to_datetime(["2017-12-01", "2018-01-02"])), "infinite"),
        (pd.Series([1.0, 1.1], index=pd.to_datetime(["2019-12-02", "2020-01-02"])), "begins after the run"),
        (pd.Series([1.0, 1.1], index=pd.to_datetime(["2017-12-29", "2018-01-02"])), "covers the whole run"),
        (pd.Series([0.001, 0.02], index=pd.to_datetime(["2017-12-29", "2018-01-02"])), "small levels"),
        (pd.Series([-3.0, 0.02], index=pd.to_datetime(["2017-12-29", "2018-01-02"])), "-1 and below"),
        (pd.Series(["a", "b"], index=pd.to_datetime(["2017-12-29", "2018-01-02"])), "of type"),
        (pd.Series([1.0, 1.1], index=pd.to_datetime(["2018-01-02", "2018-01-02"])), "more than one level"),
    ],
)  # fmt: skip
def test_what_is_no_benchmark_is_refused(swept: ep.Sweep, benchmark: Any, why: str) -> None:
    with pytest.raises(EntrepotError, match=why):
        swept.select(entry=1.0, lookback=20).significance(benchmark=benchmark, **QUICK)


def test_returns_become_levels(market: ep.Market) -> None:
    run = ep.backtest(market, Held())
    days = pd.to_datetime(
        ["2018-01-02", "2018-01-03"]
    )  # the run's first: what was earned since the day before
    levels = as_levels(pd.Series([-0.2, 0.1], index=days)[::-1], run)
    assert levels.index.tolist() == list(pd.to_datetime(["2018-01-01", "2018-01-02", "2018-01-03"]))
    np.testing.assert_allclose(levels, [1.0, 0.8, 0.88])


@pytest.mark.parametrize("first", ["2018-01-05", "2018-03-09", "2018-03-29"])
@pytest.mark.parametrize("zone", ["", "America/New_York", "Asia/Hong_Kong"])
def test_a_first_return_is_earned_since_the_sample_before(market: ep.Market, first: str, zone: str) -> None:
    """Over a weekend, one on which clocks change, and Easter; by date, in a zone or not, and by time."""
    short = market.between(first, "2018-06-29")
    made = ep.sweep(short, Held(), {"weight": [0.3, 0.6]}, progress=False)
    run = made.backtest(0)
    given = run.returns.tz_localize(zone) if zone else run.returns
    timed = run.returns.set_axis(run.equity.index[short.decision_steps][1:])
    if zone:
        timed = timed.tz_convert(zone)
    for benchmark in (given, timed):
        returns, _ = benchmark_returns(made, run, benchmark)
        np.testing.assert_allclose(returns, run.returns - run.risk_free, atol=1e-12)


# -- other terms ---------------------------------------------------------------------------------------------


def test_other_terms_are_runs_on_them(swept: ep.Sweep, found: Significance) -> None:
    best = int(str(found.best))
    run = swept.backtest(best)
    paid, value = trading_costs(run)
    by_hand = sum(
        float((run.fills[kind] * run.fills["fx"]).sum()) for kind in ("fees", "slippage", "impact")
    ) - float(run.contributions.get("fx_spread", pd.DataFrame()).to_numpy().sum())
    assert paid == pytest.approx(by_hand, rel=1e-9)
    assert value == pytest.approx((run.fills["notional"] * run.fills["fx"]).sum())
    assert found.cost == pytest.approx(paid / value)
    cases = {
        "as given": ep.Costs(),
        "trading costs x2": ep.Costs(fee_bps=1e4 * found.cost),
        "trading costs x3": ep.Costs(fee_bps=2e4 * found.cost),
        "borrow x3": ep.Costs(borrow_multiplier=3.0),
    }
    assert found.sensitivity.index.tolist() == list(cases)
    for name, costs in cases.items():
        summary = swept.backtest(best, costs=costs).summary()
        for figure in found.sensitivity.columns:
            assert found.sensitivity.at[name, figure] == pytest.approx(summary[figure], rel=1e-6), (
                name,
                figure,
            )
    twice, _ = trading_costs(swept.backtest(best, costs=cases["trading costs x2"]))
    assert twice == pytest.approx(2 * paid, rel=0.05)


def test_the_break_even_cost_leaves_nothing(market: ep.Market) -> None:
    made = ep.sweep(drifting(market, 1e-4, 0.004), Held(), {"weight": [0.3, 0.9]}, progress=False)
    found = made.significance(**QUICK)
    best = int(str(found.best))
    column = "Monthly Sharpe" if found.by_month else "Sharpe Ratio"
    assert 0 < found.break_even < 0.1
    at = [
        made.backtest(best, costs=dearer(ep.Costs(), found.break_even + off)).summary()[column]
        for off in (-1.5e-5, 1.5e-5)
    ]
    assert at[0] > 0 > at[1]
    multiple = 1 + found.break_even / found.cost
    assert found.criteria.at[COSTS, "value"] == pytest.approx(multiple)
    assert f"costs of trading {multiple:,.1f} times as high" in found.verdict


def test_break_even_of_a_line_is_where_it_crosses_zero() -> None:
    assert break_even(lambda added: 1.0 - 1000.0 * added) == pytest.approx(0.001, abs=1e-5)
    assert break_even(lambda added: 1.0 - 20_000.0 * added) == pytest.approx(0.00005, abs=1e-5)
    assert break_even(lambda added: 1.0 - 20_000.0 * added, 0.01) == pytest.approx(0.00005, abs=1e-5)
    assert break_even(lambda added: 1.0) == np.inf
    assert break_even(lambda added: 1.0 if added < 0.003 else np.nan) == pytest.approx(0.003, abs=1e-5)


def test_where_trading_is_free_the_break_even_is_a_cost(market: ep.Market) -> None:
    made = ep.sweep(
        drifting(market, 1e-4, 0.004), Held(), {"weight": [0.3, 0.9]}, costs=ep.Costs.none(), progress=False
    )
    found = made.significance(**QUICK)
    assert found.cost == 0.0
    assert np.isnan(found.criteria.at[COSTS, "value"])
    assert (
        f"costs of {1e4 * found.break_even:,.1f} bp of the value traded would take all of it" in found.verdict
    )
    assert "trading costs x2" not in found.sensitivity.index


def test_under_a_regime_path_borrow_can_be_out_of_reach(market: ep.Market) -> None:
    path = ep.RegimeModel().walk_forward(market, ep.load_events(), progress=False)
    assert (np.isin(path.states, list(path.stressed))).any()
    made = ep.sweep(market, ep.LongHKShortADR(weight=0.3), {"entry": [0.6, 1.0]}, path=path, progress=False)
    found = made.significance(**QUICK)
    best = int(str(found.best))
    for name, costs in (
        ("no new shorts under delisting risk", ep.Costs(no_borrow_states=path.stressed)),
        ("shorts recalled under delisting risk", ep.Costs(recall_states=path.stressed)),
    ):
        run = ep.backtest(market, made.plan(best), path=path, costs=costs)
        assert found.sensitivity.at[name, "Sharpe Ratio"] == pytest.approx(run.summary()["Sharpe Ratio"])
    assert found.caveat == path.caveat


def test_neighbours_are_one_step_away(swept: ep.Sweep) -> None:
    table = swept.table
    for row in table.index:
        made = neighbours(table, swept.parameters, int(row), "Sharpe Ratio")
        expected = set()
        for name, values in GRID.items():
            place = values.index(table.at[row, name])
            for other in (place - 1, place + 1):
                if 0 <= other < len(values):
                    same = (
                        table[[n for n in GRID if n != name]]
                        == table.loc[row, [n for n in GRID if n != name]]
                    )
                    mine = same.all(axis=1) & (table[name] == values[other])
                    expected.add((int(table.index[mine][0]), name, values[other]))
        assert (
            set(made[["configuration", "parameter", "value"]].itertuples(index=False, name=None)) == expected
        )
        ratios = table["Sharpe Ratio"].reindex(made["configuration"])
        np.testing.assert_array_equal(made["Sharpe Ratio"], ratios)


def test_neighbours_that_cannot_be_run_are_left_out(market: ep.Market) -> None:
    grid = [{"entry": entry, "exit": 0.9} for entry in (0.8, 1.0, 1.2)]
    made = ep.sweep(market, ep.LongHKShortADR(weight=0.3), grid, progress=False)
    found = made.select(entry=[0.8, 1.0]).significance(**QUICK)
    assert found.best == 1
    assert found.neighbours.empty
    assert "neighbour" not in found.verdict
    assert np.isnan(found.criteria.at["neighbours", "value"])
    assert made.significance(**QUICK).neighbours["configuration"].tolist() in ([1], [2])


@pytest.mark.parametrize("size", ["page", "slide"])
@pytest.mark.parametrize("last", ["2021-12-31", "2023-06-30", "2025-07-18", "2029-12-31"])
def test_dates_stand_apart(found: Significance, size: Any, last: str) -> None:
    days = pd.bdate_range("2021-06-04", last)
    chosen = pd.DataFrame({"chosen anew": np.zeros(len(days))}, index=days)
    axes = draw_page(replace(pictured(found), chosen=chosen), size)
    axes[4].figure.canvas.draw()
    boxes = [label.get_window_extent() for label in axes[4].get_xticklabels() if label.get_text()]
    assert len(boxes) >= 2
    assert all(left.x1 + 4 < right.x0 for left, right in itertools.pairwise(boxes))


def test_what_is_handed_out_is_a_copy() -> None:
    made = judged(superiority=p_of(0.9))
    before = made.verdict
    asked, told, rows = made.criteria, made.sentences, made.table
    asked["passed"] = True
    told.clear()
    rows["value"] = 0.0
    assert made.skill is None
    assert made.verdict == before
    assert made.table.at["Trials", "value"] == 100


def test_values_without_an_order_have_no_neighbours() -> None:
    paths = [[1], [2]]
    table = pd.DataFrame(
        {
            "mode": ["a", "a", "b", "a", "a"],
            "since": pd.to_datetime(["2025-01-20"] * 5),
            "path": [paths[0], paths[0], paths[0], paths[1], paths[0]],
            "entry": [1.0, 2.0, 2.0, 2.0, np.nan],
            "on": [True, True, True, True, True],
            "Sharpe Ratio": [0.1, 0.2, 0.3, 0.4, 0.5],
        }
    )
    names = ["mode", "since", "path", "entry", "on"]
    assert neighbours(table, names, 0, "Sharpe Ratio")["configuration"].tolist() == [1]
    assert neighbours(table.iloc[[2]], names, 2, "Sharpe Ratio").empty


# -- wrong dates ---------------------------------------------------------------------------------------------


@cache
def timed() -> tuple[ep.Market, ep.RegimePath, ep.Events]:
    """A market in which KWEB rises in calm and falls otherwise, FXI the other way, but for a little noise."""
    events = ep.load_events()
    market = ep.simulate_market(
        "2020-01-02", "2021-12-31", seed=2, events=events.frame, symbols=("KWEB", "FXI")
    )
    path = ep.RegimeModel().walk_forward(market, events, progress=False)
    price, rng = market.price.copy(), np.random.default_rng(0)
    step = np.concatenate([[0.0], np.where((path.states == 0)[:-1], 6e-4, -6e-4)])
    noise = 0.002 * rng.standard_normal(len(price))
    for symbol, sign in (("KWEB", 1.0), ("FXI", -1.0)):
        level = 40 * np.exp(np.cumsum(sign * step + noise))
        price[symbol] = np.where(market.scheduled[:, market.column(symbol)], level, np.nan)
    return replace(market, price=price), path, events


def switch(path: ep.RegimePath, market: ep.Market) -> ep.RegimeSwitch:
    first = market.grid["session"].iloc[[8]]
    up, down = (pd.DataFrame({symbol: [1.0]}, index=first) for symbol in ("KWEB", "FXI"))
    return ep.RegimeSwitch(path, calm=up, tariff=down, delisting=down, decoupling=down)


def test_what_follows_the_calendar_is_better_on_the_true_one() -> None:
    market, path, events = timed()
    made = ep.sweep(market, switch(path, market), {"drift_band": [0.1, 0.3]}, progress=False)
    found = made.significance(placebos=19, events=events, **QUICK)
    assert len(found.placebos) == 19
    assert found.placebo_p == 1 / 20
    assert found.criteria.at[DATES, "passed"] is True
    assert "of 20 calendars, all but one with wrong dates, 5.0 % do as well" in found.verdict
    assert found.skill is True
    assert found.verdict.startswith("More than luck: the best configuration passes every test of luck made")
    few = made.significance(placebos=2, events=events, **QUICK)
    assert few.criteria.at[DATES, "passed"] is None
    assert "too few calendars to tell" in few.verdict


def test_each_wrong_calendar_is_the_whole_sweep_on_it_at_the_true_cost_of_borrow() -> None:
    from entrepot.regimes.placebo import misdate

    events, model = ep.load_events(), ep.RegimeModel()
    market = ep.simulate_market("2020-06-01", "2021-12-31", seed=2, events=events.frame, symbols=PAIRS[:2])
    path = model.walk_forward(market, events, progress=False)
    hedge = ep.LongHKShortADR(mode="delisting_hedge", weight=0.3)
    grid = {"weight": [0.2, 0.4], "exit_by": ["trade", "convert"]}
    made = ep.sweep(market, hedge, grid, path=path, costs=ep.Costs(borrow_multiplier=3.0), progress=False)
    found = made.significance(placebos=2, events=events, seed=5, **QUICK)
    rng = np.random.default_rng(5)
    for mine in found.placebos:
        wrong = model.walk_forward(market, misdate(events, market, rng), progress=False)
        ratios = []
        for row in made.table.index:
            targets = made.plan(row).targets(market, wrong)
            run = ep.backtest(market, Made(targets), path=path, costs=ep.Costs(borrow_multiplier=3.0))
            ratios.append(run.summary()["Sharpe Ratio"])
        assert mine == pytest.approx(max(ratios), rel=1e-9)


class Made:
    """Targets that are there already."""

    def __init__(self, targets: Targets) -> None:
        self.made = targets

    def targets(self, market: ep.Market, path: object = None) -> Targets:
        return self.made


def test_models_of_a_sweep_walk_the_wrong_calendar_each_with_its_own_parameters() -> None:
    from entrepot.regimes.placebo import misdate

    events, model = ep.load_events(), ep.RegimeModel()
    market = ep.simulate_market(
        "2020-06-01", "2021-06-30", seed=2, events=events.frame, symbols=("KWEB", "FXI")
    )
    path = model.walk_forward(market, events, progress=False)
    plan = switch(path, market)
    grid = {"model.tariff.half_life": [5, 40]}
    made = ep.sweep(market, plan, grid, model=model, events=events, progress=False)
    found = made.significance(placebos=1, **QUICK | {"blocks": 4})
    wrong = misdate(events, market, np.random.default_rng(0))
    ratios = []
    for row in (0, 1):
        own = replace(model, tariff=replace(model.tariff, half_life=grid["model.tariff.half_life"][row]))
        followed = plan.with_(path=own.walk_forward(market, wrong, progress=False))
        run = ep.backtest(market, followed, path=made.path(row))
        ratios.append(run.summary()["Sharpe Ratio"])
    assert found.placebos[0] == pytest.approx(max(ratios), rel=1e-9)


def test_what_does_not_follow_the_calendar_says_so(market: ep.Market, swept: ep.Sweep) -> None:
    events = ep.load_events()
    short = market.between("2020-01-02", "2020-12-31")
    path = ep.RegimeModel().walk_forward(short, events, progress=False)
    plan = ep.LongHKShortADR(weight=0.3, lookback=20)
    made = ep.sweep(short, plan, {"entry": [0.6, 1.0]}, path=path, progress=False)
    found = made.significance(placebos=2, events=events, **QUICK)
    assert np.isnan(found.placebo_p)
    assert "wrong dates change nothing: no configuration follows the calendar" in found.verdict
    with pytest.raises(ParameterError, match="follows no regime path"):
        swept.select(entry=1.0, lookback=20).significance(placebos=2, events=events, **QUICK)
    with pytest.raises(ParameterError, match="give events="):
        made.significance(placebos=2, **QUICK)
    with pytest.raises(ParameterError, match="give events such as"):
        made.significance(placebos=2, events=events.frame, **QUICK)


# -- the verdict ---------------------------------------------------------------------------------------------


def judged(**changes: Any) -> Significance:
    """A result made by hand, good in all that decides, for one number to be changed at a time."""
    days = pd.date_range("2020-01-02", periods=500, freq="B")
    rng = np.random.default_rng(0)
    steady = pd.Series(0.001 + 0.005 * rng.standard_normal(500), index=days)
    odds = Odds(2.0, 1.0, 3.0, 500, 0.0, 3.0, 0.999, 0.9, 0.6, 0.98, 0.99, 1.0, 1.5, 40.0)
    given: dict[str, Any] = {
        "label": "simulated market, seed 1",
        "metric": "Sharpe Ratio",
        "confidence": 0.95,
        "trials": Trials(100, 0, 100, 0, 0, 12.0),
        "best": 7,
        "parameters": {"entry": 1.5},
        "excess": steady,
        "months": 0.01 + 0.01 * rng.standard_normal(24),
        "autocorrelation": 0.0,
        "daily": odds,
        "monthly": odds,
        "ratios": pd.DataFrame({"Sharpe Ratio": [1.0, 2.0], "Monthly Sharpe": [1.0, 2.0]}),
        "superiority": Superiority(0.01, 0.01, 0.02, np.empty(0, dtype=np.int64), 5.0, 1000),
        "rivals": 100,
        "cost": 0.001,
        "break_even": 0.004,
        "neighbours": pd.DataFrame({"Sharpe Ratio": [1.2, 1.8], "Monthly Sharpe": [1.2, 1.8]}),
    }
    return Significance(**given | changes)


def p_of(value: float) -> Any:
    return Superiority(value, value, value, np.empty(0, dtype=np.int64), 5.0, 200)


@pytest.mark.parametrize(
    ("changes", "answer", "begins"),
    [
        ({}, True, "More than luck"),
        ({"superiority": p_of(0.05)}, True, "More than luck"),
        ({"superiority": p_of(0.051)}, None, "The tests disagree"),
        ({"daily": replace(judged().daily, deflated_independent=0.95)}, True, "More than luck"),
        ({"daily": replace(judged().daily, deflated_independent=0.949)}, None, "The tests disagree"),
        (
            {"daily": replace(judged().daily, deflated_independent=0.949), "superiority": p_of(0.2)},
            False,
            "Not to be told from luck",
        ),
        ({"superiority": None}, None, "Too little to judge by"),
        ({"superiority": p_of(np.nan)}, None, "Too little to judge by"),
        ({"placebos": np.zeros(19), "placebo_p": 0.05}, True, "More than luck"),
        ({"placebos": np.zeros(19), "placebo_p": 0.1}, None, "The tests disagree"),
        ({"placebos": np.zeros(18), "placebo_p": 0.1}, True, "More than luck"),
        ({"by_month": True, "monthly": replace(judged().daily, deflated_independent=0.3)}, None, "The tests"),
        ({"by_month": False, "monthly": replace(judged().daily, deflated_independent=0.3)}, True, "More"),
    ],
)
def test_the_rules_of_the_verdict(changes: dict[str, Any], answer: bool | None, begins: str) -> None:
    found = judged(**changes)
    assert found.skill is answer
    assert found.verdict.startswith(begins)
    assert found.skill is skill(found.criteria)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "No weakness was found in costs of trading, neighbours and best months"),
        ({"break_even": 0.0009}, "Costs of trading less than 2 times as high take all of it away"),
        ({"break_even": 0.001}, "No weakness"),
        ({"neighbours": pd.DataFrame({"Sharpe Ratio": [0.9, 1.0, 2.0]})}, "No weakness"),
        (
            {"neighbours": pd.DataFrame({"Sharpe Ratio": [0.9, 0.9, 2.0]})},
            "have 45 % of its ratio: a lone peak",
        ),
        ({"neighbours": pd.DataFrame({"Sharpe Ratio": [-0.9]})}, "have 0 % of its ratio: a lone peak"),
        (
            {"months": np.append(np.full(20, -0.001) - 1e-5 * np.arange(20), [0.2, 0.2, 0.2])},
            "3 best months carry",
        ),
        ({"break_even": np.inf}, "costs of 10 % of the value of each trade would not take it away"),
        (
            {"sensitivity": pd.DataFrame({"Sharpe Ratio": [2.0, -0.5]}, index=["as given", "borrow x3"])},
            "Borrow x3 leaves a ratio of \u22120.50",
        ),
        (
            {"sensitivity": pd.DataFrame({"Sharpe Ratio": [2.0, np.nan]}, index=["as given", "borrow x3"])},
            "Borrow x3 leaves nothing",
        ),
        (
            {"neighbours": pd.DataFrame({"Sharpe Ratio": [np.nan, np.nan, 2.0]})},
            "have 0 % of its ratio: a lone peak",
        ),
        ({}, "It would survive 40 independent trials instead of 12, were their ratios as close together as"),
        (
            {"daily": replace(judged().daily, deflated_independent=0.7, needed=2.01)},
            "At this ratio 2.1 years instead of 2.0 would lift",
        ),
        (
            {"daily": replace(judged().daily, deflated=0.94996, deflated_independent=0.99996)},
            "has a probability of 0.949 and 0.999, where 0.95 is asked for",
        ),
        ({"daily": replace(judged().daily, deflated=0.95, deflated_independent=1.0)}, "of 0.950 and 1.000"),
        (
            {"trials": Trials(100, 0, 1, 0, 0, 12.0)},
            "Only 1 of the 100 configurations is looked at here",
        ),
        (
            {"superiority": p_of(np.nan), "rivals": 0, "benchmark": "configuration 7"},
            "500 sessions of returns and 0 configurations to hold against configuration 7 allow no test of "
            "superior predictive ability.",
        ),
        ({"daily": replace(judged().daily, survives=np.nan)}, "It would survive any number of such trials"),
        (
            {"daily": replace(judged().daily, survives=2e6)},
            "It would survive more than a million independent",
        ),
        ({"daily": replace(judged().daily, survives=14.3)}, "It would survive 14 independent trials"),
        (
            {"daily": replace(judged().daily, deflated_independent=0.7)},
            "At this ratio 1.5 years instead of 2.0 would lift it above luck; it would pass among 40 ",
        ),
        (
            {"daily": replace(judged().daily, deflated_independent=0.7, needed=np.nan, survives=1.0)},
            "No record at this ratio is long enough: it is no higher than what luck shows; it would not",
        ),
    ],
)
def test_what_is_weak_and_what_would_change_it(changes: dict[str, Any], said: str) -> None:
    assert said in judged(**changes).verdict


def test_a_p_of_zero_is_one_below_what_the_draws_can_tell() -> None:
    assert "p is below 0.005 and 0 of 100 configurations" in judged(superiority=p_of(0.0)).verdict
    assert "p is 0.005 and 0 of 100 configurations" in judged(superiority=p_of(0.005)).verdict
    assert "p is 0.051 and" in judged(superiority=p_of(0.0501)).verdict  # not the 0.05 that is asked for


def test_without_its_best_months() -> None:
    months = np.array([0.05, 0.01, -0.01, 0.02] * 6 + [0.5, 0.6, 0.7])
    left = np.sort(months)[:-3]
    assert without_best(months) == pytest.approx(left.mean() / left.std(ddof=1) * 12**0.5)
    assert np.isnan(without_best(months[:14]))
    assert np.isfinite(without_best(months[:15]))
    assert np.isnan(without_best(np.empty(0)))


def test_the_verdict_says_what_the_numbers_say(swept: ep.Sweep, found: Significance) -> None:
    text = found.verdict
    table = swept.table.loc[found.best]
    run = swept.backtest(int(str(found.best)))
    grown = float((1 + run.returns - run.risk_free).prod() ** (252 / len(run.returns)) - 1)
    for number in (grown * 100,):
        assert f"{number:,.1f}".replace("-", "\u2212") + " % a year over the policy rate" in text
    for ratio in (table["Sharpe Ratio"], table["Monthly Sharpe"], found.monthly.luckiest):
        assert f"{ratio:,.2f}".replace("-", "\u2212") in text
    assert f"configuration {found.best} (entry" in text
    assert 3 <= len(found.sentences) <= 6
    rows = found.table
    assert set(rows.columns) == {"value", "means"}
    assert rows.at["Trials", "value"] == 10
    assert rows.at["Monthly Deflated Sharpe", "value"] == found.monthly.deflated
    assert rows["means"].str.len().between(1, 110).all()
    for name in rows.index:
        assert name in str(found)


# -- the page ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "width"), [("page", 7.2), ("slide", 13.333)])
def test_the_page(found: Significance, size: Any, width: float) -> None:
    axes = found.plot(size=size)
    figure = axes[0].get_figure()
    assert figure.get_figwidth() == pytest.approx(width)
    words = " ".join("\n".join(item.get_text() for item in figure.texts).split())
    assert "simulated" in words
    for sentence in found.sentences.values():
        assert sentence in words
    trials, intervals, splits, halves, chosen, terms = axes
    own = found.ratios["Monthly Sharpe"]
    assert sum(bar.get_height() for bar in trials.patches) == len(own)
    assert [line.get_xdata()[0] for line in trials.lines] == [
        found.monthly.sharpe, found.monthly.luckiest, found.monthly.luckiest_independent,
    ]  # fmt: skip
    shown = intervals.lines[0].get_xdata()
    np.testing.assert_allclose(shown[:2], [found.daily.sharpe, found.monthly.sharpe])
    assert found.overfitting is not None
    hatched = [bar for bar in splits.patches if bar.get_hatch()]
    assert all(bar.get_x() + bar.get_width() <= 1e-12 for bar in hatched)
    below = sum(bar.get_height() for bar in hatched)
    assert sum(bar.get_height() for bar in splits.patches) == pytest.approx(100)
    assert below == pytest.approx(100 * found.overfitting.probability)
    points = sum(len(line.get_xdata()) for line in halves.lines[:2])
    assert points == np.isfinite(found.overfitting.in_sample).sum()
    assert found.walk_forward is not None
    grown = 100 * np.prod(1 + found.walk_forward.charged)
    assert chosen.lines[0].get_ydata()[-1] == pytest.approx(grown)
    drawn = [bar.get_width() for bar in terms.patches]
    expected = [*found.sensitivity["Monthly Sharpe"], found.neighbours["Monthly Sharpe"].median()]
    assert sorted(drawn) == pytest.approx(sorted(expected))
    # No words lie over a panel, and no panel leaves the page.
    renderer = figure.canvas.get_renderer()
    boxes = [ax.get_tightbbox(renderer) for ax in axes]
    assert max(box.y1 for box in boxes) <= min(text.get_window_extent(renderer).y0 for text in figure.texts)
    assert min(box.x0 for box in boxes) >= -1
    assert max(box.x1 for box in boxes) <= figure.bbox.x1 + 1
    assert min(box.y0 for box in boxes) >= -1


def test_what_it_came_from_is_said(swept: ep.Sweep, found: Significance, tmp_path: Path) -> None:
    """Code, data, seeds, every value tried and what was asked; anything else asked is another run."""
    best = swept.backtest(found.best).provenance
    said = found.provenance
    for name in ("entrepot", "Libraries", "Prices", "Data", "Seed", "Capital", "Costs"):
        assert said[name] == best[name]
    assert said["Trials"] == f"{swept.trials:,}"
    for name in swept.parameters:
        assert name in said["Parameters"]
    assert said["Plan"].startswith("LongHKShortADR(")
    page = found.report(tmp_path / "page.html").read_text(encoding="utf-8")
    pages = found.sections()[-1].tables[0]
    assert [row[0].text for row in pages.rows] == list(said)
    for text in (said["Run"], said["Data"], said["entrepot"]):
        assert text in page
    small = swept.select(**{swept.parameters[0]: swept.table[swept.parameters[0]].iloc[0]})
    asked = {"draws": 100, "train": 252, "test": 63, "progress": False}
    one, same = (small.significance(**asked).provenance for _ in range(2))
    assert one == same
    for change in ({"seed": 1}, {"other_trials": 5}, {"blocks": 8}, {"confidence": 0.9}):
        assert small.significance(**(asked | change)).provenance["Run"] != one["Run"]


def test_the_report(found: Significance, tmp_path: Path) -> None:
    page = found.report(tmp_path / "page.html").read_text(encoding="utf-8")
    plain = re.sub(r"\s+", " ", page)
    for sentence in found.sentences.values():
        assert sentence.replace("'", "&#39;") in plain
    assert "SIMULATED" in page
    assert page.count("<svg") == 6
    assert "://" not in page.replace("http://www.w3.org", "")
    sections = found.sections()
    assert sections[0].anchor == "significance"
    assert len({part.anchor for part in sections}) == len(sections)
    with pytest.raises(ParameterError, match="ending in"):
        found.report(tmp_path / "page.txt")
    with pytest.raises(ParameterError, match="ending in"):
        found.plot(tmp_path / "page.txt")
    with pytest.raises(ParameterError, match="size is 'wall'"):
        found.plot(size="wall")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"metric": "luck"}, "'luck' is no figure"),
        ({"other_trials": -1}, "other_trials is -1"),
        ({"other_trials": 1.5}, "other_trials is 1.5"),
        ({"placebos": "9"}, "placebos is '9'"),
        ({"confidence": 0.5}, "confidence is 0.5"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"draws": 99}, "draws is 99"),
        ({"seed": -1}, "seed is -1"),
        ({"train": 5}, "train is 5"),
        ({"test": 0}, "test is 0"),
        ({"blocks": 7}, "blocks is 7"),
    ],
)
def test_what_cannot_be_asked_is_refused(swept: ep.Sweep, options: dict[str, Any], why: str) -> None:
    with pytest.raises(ParameterError, match=why):
        swept.select(entry=1.0).significance(**QUICK | options)


# -- truth ---------------------------------------------------------------------------------------------------

LINES = ("BABA", "9988.HK", "NTES", "9999.HK", "TCOM", "9961.HK")
FUNDS = ("KWEB", "FXI", "CQQQ", "CHIQ", "KARS")
NOTHING = ep.Effects.none(risk_price=0.0)


def judge(
    seed: int, plan: Any, grid: dict[str, Any], symbols: tuple[str, ...], **effects: Any
) -> Significance:
    """The best of a sweep without any cost in a market of which only some effects are there."""
    short = [symbol for symbol in symbols if symbol.endswith(".HK")]
    market = ep.simulate_market(
        "2022-01-03",
        "2025-12-31",
        seed=seed,
        symbols=symbols,
        effects=NOTHING.with_(**effects),
        hk_shorts=short,
    )
    market = replace(market, instruments=market.instruments.assign(withholding=0.0))
    made = ep.sweep(market, plan, grid, costs=ep.Costs.none(), progress=False)
    return made.significance(draws=200, train=252, test=252, blocks=8, seed=seed, progress=False)


def pairs(seed: int, **effects: Any) -> Significance:
    plan = ep.LongHKShortADR(weight=0.25, round_trip_bps=0.0)
    return judge(seed, plan, {"entry": [0.5, 1.0, 1.5, 2.0], "lookback": [20, 60]}, LINES, **effects)


def rotation(seed: int, **effects: Any) -> Significance:
    return judge(seed, ep.SectorRotation(), {"lookback": [20, 60, 120], "top": [1, 2]}, FUNDS, **effects)


def most(trials: int, p: float = 0.05) -> int:
    """More successes than these are seen once in two hundred times."""
    return int(binom.ppf(0.995, trials, p))


def test_where_nothing_is_to_be_found_it_is_not_called_skill() -> None:
    made = [pairs(seed) for seed in range(2)]
    assert not any(one.skill for one in made)
    small = [one.superiority.p_consistent <= 0.05 for one in made]  # type: ignore[union-attr]
    assert sum(small) <= most(2)


def test_a_strong_effect_is_called_skill() -> None:
    made = rotation(1, momentum=2.0)
    assert made.skill is True
    assert made.verdict.startswith("More than luck")
    assert len(made.better) > 0


@pytest.mark.slow
@pytest.mark.parametrize("make", [pairs, rotation])
def test_luck_passes_no_oftener_than_it_may(make: Any) -> None:
    """Over many markets without anything to find each test of luck is passed at its nominal rate or below."""
    none = [make(100 + seed) for seed in range(30)]
    p = [one.superiority.p_consistent for one in none]
    assert sum(value <= 0.05 for value in p) <= most(30)
    assert sum(value <= 0.5 for value in p) >= binom.ppf(0.005, 30, 0.25)
    assert sum(one.criteria.at[DEFLATED, "passed"] is True for one in none) <= most(30)
    assert sum(one.skill is True for one in none) <= most(30)


def by_chance(seed: int, months: int, alike: float, ratio: float = 0.0) -> tuple[float, float, bool]:
    """The tests of a hundred configurations of one true ratio, marked too high and too low by turns.

    Returns:
        The deflated ratio of the best by session, p, both by month, and whether it is called skill.
    """
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2015-01-01", periods=21 * months)
    own = (len(days), 100)

    def drawn(rows: int) -> np.ndarray:
        shared = alike**0.5 * rng.standard_normal((rows, 1))
        return 0.006 * (shared + (1 - alike) ** 0.5 * rng.standard_normal((rows, own[1])))

    excess = drawn(own[0]) + np.diff(drawn(own[0] + 1), axis=0) + 0.006 * ratio / 252**0.5
    grown = (1 + pd.DataFrame(excess, index=days)).groupby([days.year, days.month]).prod().to_numpy() - 1
    best = int(np.argmax(excess.mean(axis=0) / excess.std(axis=0)))
    ratios = pd.Series(grown.mean(axis=0) / grown.std(axis=0, ddof=1) * 12**0.5)
    trials = Trials(100, 0, 100, 0, 0, independent_trials(excess))
    found = odds(grown[:, best], ratios, 12, trials, confidence=0.95, draws=100, seed=0)
    tested = superior_ability(grown, draws=500)
    held = judged(monthly=found, by_month=True, superiority=tested)
    return found.deflated_independent, tested.p_consistent, held.skill is True


@pytest.mark.slow
@pytest.mark.parametrize(("months", "alike", "p_may"), [(96, 0.0, 0.05), (38, 0.7, 0.1), (38, 0.0, 0.25)])
def test_few_months_of_many_unlike_trials_are_not_called_skill(
    months: int, alike: float, p_may: float
) -> None:
    """Superior ability alone errs oftener than it says there: the deflated ratio holds the verdict back."""
    made = [by_chance(seed, months, alike) for seed in range(80)]
    assert sum(p <= 0.05 for _, p, _ in made) <= most(80, p_may)
    assert sum(deflated >= 0.95 for deflated, _, _ in made) <= most(80)
    assert sum(called for *_, called in made) <= most(80)


@pytest.mark.slow
def test_a_ratio_of_one_and_a_half_is_mostly_called_skill() -> None:
    assert sum(by_chance(seed, 96, 0.5, 1.5)[-1] for seed in range(20)) >= 17


@pytest.mark.slow
def test_a_strong_effect_is_called_skill_in_most_markets() -> None:
    there = [rotation(200 + seed, momentum=2.0) for seed in range(8)]
    assert sum(one.skill is True for one in there) >= 6
    assert sum(one.criteria.at[SUPERIOR, "passed"] is True for one in there) >= 7
    assert sum(one.criteria.at[WALKED, "passed"] is True for one in there) >= 7
