"""Other libraries measure the same returns alike, once their conventions are turned into ours.

quantstats 0.0.86 (Apache 2.0), https://github.com/ranaroussi/quantstats; vectorbt 1.2 (Apache 2.0 with the
Commons Clause), https://github.com/polakowo/vectorbt; empyrical-reloaded 0.7 (Apache 2.0),
https://github.com/stefan-jansen/empyrical-reloaded. What they do differently, read in `quantstats/stats.py`,
`vectorbt/returns/nb.py` and `empyrical/stats.py`:

* Their risk-free rate is one number, ours each session's. So they are given returns over it where a figure is
  one of excess returns (Sharpe, Sortino, Omega, alpha, beta, R-squared), and plain returns elsewhere.
* quantstats' `value_at_risk` is a normal law's quantile, ours that of the returns. Its alpha is 252 times the
  session's, ours compounded, as vectorbt's and empyrical's.
* The information ratios of all three are by session, ours by year.
"""

from __future__ import annotations

import empyrical
import numpy as np
import pandas as pd
import pytest
import quantstats.stats as qs
import vectorbt  # noqa: F401  (the accessor)
from scipy.stats import norm

import entrepot as ep
from entrepot.reports.metrics import excess_returns

EXACT = 1e-9
YEAR = 252


@pytest.fixture(scope="module")
def result() -> ep.Result:
    market = ep.simulate_market(start="2019-06-03", end="2022-12-30", seed=5)
    return ep.backtest(market, ep.LongHKShortADR())


@pytest.fixture(scope="module")
def levels(result: ep.Result) -> pd.Series:
    return result.market.price["KWEB"].dropna()


@pytest.fixture(scope="module")
def ours(result: ep.Result, levels: pd.Series) -> pd.Series:
    return result.summary(levels)


@pytest.fixture(scope="module")
def returns(result: ep.Result) -> pd.Series:
    return result.returns


@pytest.fixture(scope="module")
def over(result: ep.Result) -> pd.Series:
    return excess_returns(result)


@pytest.fixture(scope="module")
def benchmark(result: ep.Result, levels: pd.Series) -> pd.Series:
    """KWEB's returns from New York close to New York close."""
    closes = levels.reindex(result.equity.index[result.market.decision_steps])
    return closes.set_axis(result.daily.index).pct_change().iloc[1:]


@pytest.fixture(scope="module")
def benchmark_over(benchmark: pd.Series, returns: pd.Series, over: pd.Series) -> pd.Series:
    return benchmark - (returns - over)


def same(ours: pd.Series, theirs: dict[str, float]) -> None:
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(float(value), rel=EXACT), name


def test_the_rate_is_not_one_number(returns: pd.Series, over: pd.Series) -> None:
    assert (returns - over).std() > 1e-6


def test_quantstats(ours, returns, over, benchmark, benchmark_over) -> None:
    greeks = qs.greeks(over, benchmark_over, periods=YEAR)
    same(
        ours,
        {
            "Sharpe Ratio": qs.sharpe(over, periods=YEAR),
            "Sortino Ratio": qs.sortino(over, periods=YEAR),
            "Omega Ratio": qs.omega(over, periods=YEAR),
            "Annualized Return [%]": 100 * qs.cagr(returns, periods=YEAR),
            "Annualized Volatility [%]": 100 * qs.volatility(returns, periods=YEAR),
            "Max Drawdown [%]": 100 * qs.max_drawdown(returns),
            "Calmar Ratio": qs.calmar(returns, periods=YEAR),
            "Skew": qs.skew(returns),
            "Excess Kurtosis": qs.kurtosis(returns),
            "Conditional VaR [%]": 100 * qs.conditional_value_at_risk(returns, method="historical"),
            "Tail Ratio": qs.tail_ratio(returns),
            "Best Day [%]": 100 * qs.best(returns),
            "Worst Day [%]": 100 * qs.worst(returns),
            "Best Month [%]": 100 * qs.best(returns, aggregate="ME"),
            "Worst Month [%]": 100 * qs.worst(returns, aggregate="ME"),
            "Positive Months [%]": 100 * qs.win_rate(returns, aggregate="ME"),
            "Beta": greeks["beta"],
            "Alpha [%]": 100 * ((1 + greeks["alpha"] / YEAR) ** YEAR - 1),
            "R-squared": qs.r_squared(over, benchmark_over),
            "Information Ratio": np.sqrt(YEAR) * qs.information_ratio(returns, benchmark),
            "Annualized Benchmark Return [%]": 100 * qs.cagr(benchmark, periods=YEAR),
        },
    )


def test_quantstats_takes_a_constant_rate_by_the_year(returns: pd.Series) -> None:
    """It turns the yearly rate into (1 + rf) ** (1 / 252) - 1 a session."""
    session = 0.0001
    free = (1 + session) ** YEAR - 1
    theirs = qs.sharpe(returns, rf=free, periods=YEAR), qs.sortino(returns, rf=free, periods=YEAR)
    mine = empyrical.sharpe_ratio(returns, session), empyrical.sortino_ratio(returns, session)
    assert theirs == pytest.approx(mine, rel=EXACT)


def test_quantstats_value_at_risk_is_a_normal_laws() -> None:
    """On returns that lie where a normal law's would, its quantile and that of the returns meet."""
    n = 20_000
    scores = norm.ppf((np.arange(n) + 0.5) / n) * 0.01 + 0.0003
    order = np.random.default_rng(1).permutation(n)
    normal = pd.Series(scores[order], index=pd.bdate_range("1950-01-02", periods=n))
    theirs = qs.value_at_risk(normal)
    assert theirs == pytest.approx(norm.ppf(0.05, normal.mean(), normal.std()), rel=EXACT)
    assert np.percentile(normal, 5) == pytest.approx(theirs, rel=1e-3)


def test_empyrical(ours, returns, over, benchmark, benchmark_over) -> None:
    alpha, beta = empyrical.alpha_beta(over, benchmark_over)
    monthly = empyrical.aggregate_returns(returns, "monthly")
    same(
        ours,
        {
            "Sharpe Ratio": empyrical.sharpe_ratio(over),
            "Sortino Ratio": empyrical.sortino_ratio(over),
            "Omega Ratio": empyrical.omega_ratio(over),
            "Annualized Return [%]": 100 * empyrical.cagr(returns),
            "Annualized Volatility [%]": 100 * empyrical.annual_volatility(returns),
            "Max Drawdown [%]": 100 * empyrical.max_drawdown(returns),
            "Calmar Ratio": empyrical.calmar_ratio(returns),
            "Value at Risk [%]": 100 * empyrical.value_at_risk(returns),
            "Conditional VaR [%]": 100 * empyrical.conditional_value_at_risk(returns),
            "Tail Ratio": empyrical.tail_ratio(returns),
            "Best Month [%]": 100 * monthly.max(),
            "Alpha [%]": 100 * alpha,
            "Beta": beta,
            "Information Ratio": np.sqrt(YEAR) * empyrical.excess_sharpe(returns, benchmark),
            "Up Capture": empyrical.up_capture(returns, benchmark),
            "Down Capture": empyrical.down_capture(returns, benchmark),
            "Benchmark Return [%]": 100 * empyrical.cum_returns_final(benchmark),
        },
    )


def test_vectorbt(ours, returns, over, benchmark, benchmark_over) -> None:
    options = {"freq": "1D", "year_freq": f"{YEAR} days"}
    plain = returns.vbt.returns(benchmark_rets=benchmark, **options)
    excess = over.vbt.returns(benchmark_rets=benchmark_over, **options)
    same(
        ours,
        {
            "Sharpe Ratio": excess.sharpe_ratio(),
            "Sortino Ratio": excess.sortino_ratio(),
            "Omega Ratio": excess.omega_ratio(),
            "Annualized Return [%]": 100 * plain.annualized(),
            "Annualized Volatility [%]": 100 * plain.annualized_volatility(),
            "Max Drawdown [%]": 100 * plain.max_drawdown(),
            "Calmar Ratio": plain.calmar_ratio(),
            "Skew": returns.skew(),
            "Excess Kurtosis": returns.kurtosis(),
            "Value at Risk [%]": 100 * plain.value_at_risk(),
            "Conditional VaR [%]": 100 * plain.cond_value_at_risk(),
            "Tail Ratio": plain.tail_ratio(),
            "Alpha [%]": 100 * excess.alpha(),
            "Beta": excess.beta(),
            "Information Ratio": np.sqrt(YEAR) * plain.information_ratio(),
            "Up Capture": plain.up_capture(),
            "Down Capture": plain.down_capture(),
        },
    )
