"""A run read between two dates: against the whole run's summary, and against plain sums."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.reports.intervals import sharpe_interval
from entrepot.reports.leg_risk import linked_orders
from entrepot.reports.metrics import sharpe
from entrepot.reports.periods import FIGURES, period_statistics

CUT = pd.Timestamp("2021-06-30")


@pytest.fixture(scope="module")
def result() -> ep.Result:
    market = ep.simulate_market(start="2020-06-01", end="2022-03-31", seed=3)
    return ep.backtest(market, ep.LongHKShortADR(), costs=ep.Costs())


def plain(result: ep.Result, first: pd.Timestamp, last: pd.Timestamp) -> dict[str, float]:
    """The figures from equity by session and the list of fills, one by one."""
    grid, equity = result.market.grid, result.equity_by_step
    closes = [t for t in range(len(grid)) if result.market.decision_steps[t]]
    chosen = [k for k in range(1, len(closes)) if first <= grid["session"][closes[k]] <= last]
    free = result.risk_free_growth
    returns, over, held, mean = [], [], 0, 0.0
    for k in chosen:
        now, before = closes[k], closes[k - 1]
        returns.append(equity[now] / equity[before] - 1.0)
        over.append(returns[-1] - (free[now] / free[before] - 1.0))
        held += any(shares != 0.0 for shares in result.positions.iloc[now])
        mean += equity[now] / len(chosen)
    begin, end = closes[chosen[0] - 1], closes[chosen[-1]]
    years = len(chosen) / 252
    traded = sum(f.notional * f.fx for f in result.fills.itertuples() if begin < f.step <= end)
    costs = 0.0
    for (source, _), column in result.contributions.items():
        if source not in ("price", "fx", "dividend", "interest", "rebate", "conversion"):
            costs -= sum(column.iloc[begin + 1 : end + 1])
    waited = 0.0
    for order in linked_orders(result).itertuples():
        if grid["time"][begin] <= order.decided < grid["time"][end] and not math.isnan(order.cost):
            waited += order.cost
    peak, depth = equity[begin], 0.0
    for k in chosen:
        peak = max(peak, equity[closes[k]])
        depth = min(depth, equity[closes[k]] / peak - 1)
    months: dict[str, list[float]] = {}
    for k, made, more in zip(chosen, returns, over, strict=True):
        own = months.setdefault(f"{grid['session'][closes[k]]:%Y-%m}", [1.0, 1.0])
        own[0], own[1] = own[0] * (1 + made), own[1] * (1 + made - more)
    monthly = np.array([grown - rate for grown, rate in months.values()])
    average = sum(over) / len(over)
    spread = math.sqrt(sum((x - average) ** 2 for x in over) / (len(over) - 1))

    def ratio(mean: float, spread: float, per_year: int) -> float:
        return mean / spread * math.sqrt(per_year) if spread > 1e-14 else math.nan

    return {
        "Sessions": len(chosen),
        "Held [%]": 100 * held / len(chosen),
        "Net Return [% pa]": 100 * ((equity[end] / equity[begin]) ** (1 / years) - 1),
        "Volatility [% pa]": 100 * float(np.std(returns, ddof=1)) * math.sqrt(252),
        "Monthly Sharpe": ratio(monthly.mean(), monthly.std(ddof=1), 12),
        "Max Drawdown [%]": 100 * depth,
        "Leg Risk [% pa]": 100 * waited / years / mean,
        "Sharpe Ratio": ratio(average, spread, 252),
        "Turnover": traded / years / mean,
        "Costs [% pa]": 100 * costs / years / mean,
    }


def agree(result: ep.Result, first: pd.Timestamp, last: pd.Timestamp) -> None:
    found = period_statistics(result, first, last, draws=0)
    expected = plain(result, first, last)
    assert {*expected, "Sharpe Low", "Sharpe High"} == set(FIGURES)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9, nan_ok=True), name


@pytest.mark.parametrize("span", [("2020-06-01", "2021-06-30"), ("2021-07-01", "2022-03-31")])
def test_a_period_is_what_its_sessions_and_fills_add_up_to(result: ep.Result, span: tuple[str, str]) -> None:
    agree(result, *map(pd.Timestamp, span))


def test_what_is_done_on_the_day_of_the_split_is_in_one_part_alone(result: ep.Result) -> None:
    """Splits before and after orders whose legs were filled apart, and fills at New York's close."""
    market, days = result.market, pd.Timedelta("1D")
    orders = linked_orders(result)
    apart = orders[(orders["cost"] != 0) & (orders["lead_time"] != orders["hedge_time"])]
    decided = pd.DatetimeIndex(market.grid["time"]).get_indexer(pd.DatetimeIndex(apart["decided"]))
    opens = np.flatnonzero((market.grid["venue"] == "XNYS") & (market.grid["phase"] == "open"))[
        [50, 150, 151]
    ]
    held = pd.DataFrame({"KWEB": [0.5, 0.2, 0.4]}, market.price.index[opens])
    at_closes = ep.backtest(market, held)
    assert list(at_closes.fills["step"]) == [opens[0] + 1, opens[1] + 1, opens[2] + 1]
    assert market.decision_steps[opens + 1].all()
    assert len(decided) > 3
    for run, steps in ((result, decided[[0, 1, -1]]), (at_closes, opens + 1)):
        for cut in market.grid["session"].iloc[steps]:
            for split in (cut, cut + days):
                agree(run, pd.Timestamp("2020-06-01"), split - days)
                agree(run, split, pd.Timestamp("2022-03-31"))


def test_the_whole_run_is_its_summary(result: ep.Result) -> None:
    found, summary = period_statistics(result, draws=0), result.summary()
    for mine, theirs in {
        "Net Return [% pa]": "Annualized Return [%]",
        "Volatility [% pa]": "Annualized Volatility [%]",
        "Sharpe Ratio": "Sharpe Ratio",
        "Monthly Sharpe": "Monthly Sharpe",
        "Max Drawdown [%]": "Max Drawdown [%]",
    }.items():
        assert found[mine] == pytest.approx(summary[theirs], rel=1e-9), mine
    assert found["Leg Risk [% pa]"] == pytest.approx(
        100 * result.leg_risk().loc["all", "cost"] / (found["Sessions"] / 252) / result.daily.iloc[1:].mean()
    )


def test_periods_share_sessions_costs_and_growth_between_them(result: ep.Result) -> None:
    parts = [
        period_statistics(result, None, CUT, draws=0),
        period_statistics(result, CUT + pd.Timedelta("1D"), draws=0),
    ]
    whole = period_statistics(result, draws=0)
    assert sum(part["Sessions"] for part in parts) == whole["Sessions"]
    growth = [(1 + part["Net Return [% pa]"] / 100) ** (part["Sessions"] / 252) for part in parts]
    assert math.prod(growth) == pytest.approx(result.daily.iloc[-1] / result.daily.iloc[0])


def test_a_period_without_sessions_has_no_figures(result: ep.Result) -> None:
    found = period_statistics(result, pd.Timestamp("2030-01-01"))
    assert list(found.index) == list(FIGURES)
    assert found["Sessions"] == 0
    assert found.drop("Sessions").isna().all()


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # Independent returns with a true ratio of 1: 200 samples of two years, 90 % intervals. Each covers with
    # probability 0.9 up to small-sample error; 3 standard errors of 200 draws are 0.064.
    rng, truth, covered = np.random.default_rng(5), 1.0, 0
    for _ in range(200):
        sample = 0.01 * (rng.standard_normal(504) + truth / math.sqrt(252))
        low, high = sharpe_interval(sample, 0.90, 200)
        covered += low <= truth <= high
    assert abs(covered / 200 - 0.90) < 0.08


def test_returns_that_reverse_have_a_narrower_interval() -> None:
    # A moving average with coefficient -0.5 has a long-run variance of (1 - 0.5)^2 / (1 + 0.5^2) = 0.2 times
    # its variance: the standard error of the mean, and with it the interval, is 0.45 times as wide.
    noise = np.random.default_rng(1).standard_normal(2001)
    reverse, free = noise[1:] - 0.5 * noise[:-1], noise[1:]
    width = [np.diff(sharpe_interval(rows, draws=400))[0] for rows in (reverse, free)]
    assert 0.3 < width[0] / width[1] < 0.7


def test_a_difference_is_taken_on_the_same_sessions() -> None:
    # The same noise with another mean: the difference is known far better than either ratio.
    noise = np.random.default_rng(2).standard_normal(1000)
    rows = np.column_stack([noise + 0.05, noise])
    low, high = sharpe_interval(rows, draws=400)
    assert low <= sharpe(rows[:, 0]) - sharpe(rows[:, 1]) <= high
    assert high - low < 0.2 * np.diff(sharpe_interval(rows[:, 0], draws=400))[0]


@pytest.mark.parametrize("excess", [np.zeros(100), np.arange(10.0)])
def test_nothing_to_resample_is_no_interval(excess: np.ndarray) -> None:
    assert all(math.isnan(end) for end in sharpe_interval(excess))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"confidence": 95}, "confidence is 95: give a fraction such as 0.95"),
        ({"draws": 5}, "draws is 5: give a whole number of at least 100"),
        ({"seed": -1}, "seed is -1: give a whole number, 0 or more"),
    ],
)
def test_wrong_arguments(arguments: dict[str, float], sentence: str) -> None:
    with pytest.raises(ep.ParameterError, match=sentence):
        sharpe_interval(np.random.default_rng(0).standard_normal(50), **arguments)  # type: ignore[arg-type]
