"""Abnormal returns and their tests: against formulas written out, other libraries, and under the null."""

from __future__ import annotations

from typing import Any

import naive_event_study as naive
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from scipy import stats

from entrepot.errors import DataError, ParameterError
from entrepot.reports.abnormal import Abnormal, abnormal_returns
from entrepot.reports.event_study import (
    STATISTICS,
    EventTests,
    between_dates,
    cross_section,
    independent_dates,
    patell_test,
    shrink,
    sign_flip,
    sign_patterns,
    sign_test,
    two_sided,
)

MODELS = ("market", "market_adjusted", "mean")
Floats = NDArray[np.float64]


class Returns:
    """Returns of N securities around their events, and the market's."""

    def __init__(
        self,
        seed: int,
        securities: int = 6,
        length: int = 40,
        window: int = 6,
        missing: float = 0.0,
        together: float = 0.0,
        dates: int = 1,
    ) -> None:
        rng = np.random.default_rng(seed)
        days, n = length + window, securities * dates
        own = self.market = rng.normal(0.0004, 0.01, (days, n)).repeat(1, axis=1)
        for date in range(dates):  # one market for the securities of a date
            own[:, date * securities : (date + 1) * securities] = own[:, [date * securities]]
        shock = np.repeat(rng.normal(size=(days, dates)), securities, axis=1)
        noise = np.sqrt(together) * shock + np.sqrt(1 - together) * rng.normal(size=(days, n))
        sigma = np.tile(rng.uniform(0.01, 0.04, securities), dates)
        beta = np.tile(rng.uniform(0.5, 1.5, securities), dates)
        self.values = 0.0002 + beta * own + sigma * noise
        self.values[rng.random(self.values.shape) < missing] = np.nan
        self.span = np.where(rng.random((window, n)) < missing, 3.0, 1.0)
        self.length, self.window = length, window
        self.day = np.repeat(1000 * np.arange(dates), securities)

    def estimate(self, model: str = "market", **options: Any) -> Abnormal:
        past, own = self.values[: self.length], self.values[self.length :]
        market = self.market[: self.length], self.market[self.length :]
        return abnormal_returns(past, own, *market, model=model, **options)  # type: ignore[arg-type]


def plain(column: Floats) -> list[float | None]:
    return [None if np.isnan(v) else float(v) for v in column]


# -- estimation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_the_market_model_is_the_least_squares_of_statsmodels(seed: int) -> None:
    import statsmodels.api as sm

    returns = Returns(seed)
    found = returns.estimate()
    for i in range(found.count):
        x = sm.add_constant(returns.market[:, i])
        fitted = sm.OLS(returns.values[:40, i], x[:40]).fit()
        np.testing.assert_allclose([found.intercept[i], found.slope[i]], fitted.params, rtol=1e-10)
        np.testing.assert_allclose(found.sigma[i], np.sqrt(fitted.scale), rtol=1e-12)
        np.testing.assert_allclose(found.residual[:, i], fitted.resid, atol=1e-16)
        ahead = fitted.get_prediction(x[40:])
        np.testing.assert_allclose(
            found.value[:, i], returns.values[40:, i] - ahead.predicted_mean, atol=1e-15
        )
        errors = [found.sigma[i] * np.sqrt(found.over(t, t + 1).factor[i]) for t in range(6)]
        np.testing.assert_allclose(errors, ahead.se_obs, rtol=1e-10)
        whole = fitted.scale * (6 + x[40:].sum(axis=0) @ fitted.normalized_cov_params @ x[40:].sum(axis=0))
        np.testing.assert_allclose(found.sigma[i] ** 2 * found.over(0, 6).factor[i], whole, rtol=1e-10)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("ddof", [None, 1])
def test_every_model_is_what_its_formula_says_on_panels_with_gaps(model: str, ddof: int | None) -> None:
    returns = Returns(5, missing=0.15)
    returns.market[3, 2] = np.nan
    found = returns.estimate(model, span=returns.span, ddof=ddof)
    for i in range(found.count):
        market = plain(returns.market[:, i])
        one = naive.fit(plain(returns.values[:40, i]), market[:40], model, ddof=ddof)
        own, span = plain(returns.values[40:, i]), list(returns.span[:, i])
        if model == "mean":
            market = [0.0] * len(market)
        ar = naive.abnormal(own, market[40:], span, one)
        assert found.length[i] == one["length"]
        assert found.degrees[i] == one["length"] - one["k"]
        np.testing.assert_allclose(found.sigma[i], one["s"], rtol=1e-12)
        np.testing.assert_allclose(
            found.value[:, i], [np.nan if v is None else v for v in ar], atol=1e-16, rtol=1e-12
        )
        for first, stop in ((0, 1), (2, 5), (0, 6)):
            sums = found.over(first, stop)
            expected = naive.cumulated(ar, market[40:], span, one, first, stop)
            got = [part[i] for part in sums]
            np.testing.assert_allclose(got, [np.nan] * 3 if expected is None else expected, rtol=1e-10)


def test_a_return_over_a_gap_counts_as_that_many_sessions() -> None:
    """One return over three sessions stands for three: same sum, same variance of the sum."""
    returns = Returns(8)
    whole = returns.estimate().over(0, 3)
    for part in (returns.values, returns.market):
        part[42] = part[40:43].sum(axis=0)
        part[40:42] = np.nan
    span = np.ones((6, 6))
    span[2] = 3.0
    lumped = returns.estimate(span=span).over(0, 3)
    for one, other in zip(whole, lumped, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_securities_with_too_few_returns_are_nan_throughout() -> None:
    returns = Returns(1)
    returns.values[10:40, 2] = np.nan
    found = returns.estimate(least=11)
    assert np.isnan(found.value[:, 2]).all()
    assert np.isnan(found.sigma[2])
    assert np.isfinite(found.sigma[[0, 1, 3, 4, 5]]).all()
    assert np.isfinite(returns.estimate(least=10).sigma).all()


def test_what_does_not_vary_has_no_standard_deviation() -> None:
    flat = Returns(1)
    flat.market[:] = 0.001
    assert np.isnan(flat.estimate().value).all()
    assert np.isfinite(flat.estimate("mean").sigma).all()
    still = Returns(1)
    still.values[:, 0] = 0.002
    still.values[:, 1] = still.market[:, 1]
    found = still.estimate("mean")
    assert np.isnan(found.sigma[0])
    assert np.isnan(still.estimate().sigma[:2]).all()
    assert np.isnan(still.estimate("market_adjusted").sigma[1])
    results = EventTests(still.estimate(), still.day).over(0, 2)
    assert np.isfinite([results[name] for name in STATISTICS if name != "clustered"]).all()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"model": "capm"}, ParameterError, "model='capm' is unknown"),
        ({"model": None}, ParameterError, "model=None is unknown"),
        ({"least": 4}, ParameterError, "least is 4"),
        ({"least": 20.5}, ParameterError, "least is 20.5"),
        ({"ddof": -1}, ParameterError, "ddof is -1"),
        ({"ddof": 5}, ParameterError, "ddof is 5"),
        ({"estimation": "x"}, DataError, "estimation is no table"),
        ({"estimation": np.zeros(10)}, DataError, "estimation is no table"),
        ({"estimation": np.zeros((0, 3))}, DataError, "estimation is no table"),
        ({"estimation": [["a", "b", "c"]]}, DataError, "estimation is no table"),
        ({"event": np.full((2, 3), np.inf)}, DataError, "event holds an infinite return"),
        ({"event": np.zeros((2, 4))}, DataError, "give the same securities"),
        ({"market_event": None}, ParameterError, "needs the market's returns"),
        ({"market_estimation": np.zeros(19)}, DataError, "has the shape"),
        ({"market_event": np.zeros((2, 2))}, DataError, "has the shape"),
        ({"market_event": "x"}, DataError, "no table"),
        ({"span": np.ones((3, 3))}, DataError, "span has the shape"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(change: dict[str, Any], error: type, said: str) -> None:
    good = {
        "estimation": np.random.default_rng(0).normal(size=(20, 3)),
        "event": np.zeros((2, 3)),
        "market_estimation": np.arange(20.0),
        "market_event": np.zeros(2),
    }
    abnormal_returns(**good)  # type: ignore[arg-type]
    given_ = good | change
    with pytest.raises(error, match=said) as caught:
        abnormal_returns(**given_)
    assert "\n" not in str(caught.value)


def test_days_that_do_not_fit_the_columns_are_refused() -> None:
    found = Returns(0).estimate()
    for days in (np.zeros(5, dtype=int), np.zeros(6), np.zeros((6, 1), dtype=int)):
        with pytest.raises(DataError, match="one session number"):
            EventTests(found, days)


# -- every statistic against its formula ---------------------------------------------------------------------


def expected_tests(found: Abnormal, returns: Returns, first: int, stop: int) -> dict[str, float]:
    """All statistics of a window from lists; needs a value of every security in the window."""
    market = [[m or 0.0 for m in plain(returns.market[40:, i])] for i in range(found.count)]
    columns = []
    for i in range(found.count):
        one = naive.fit(plain(returns.values[:40, i]), plain(returns.market[:40, i]), "market")
        ar = naive.abnormal(plain(returns.values[40:, i]), market[i], [1.0] * 6, one)
        columns.append((one, ar, naive.cumulated(ar, market[i], [1.0] * 6, one, first, stop)))
    residuals, events = [one["residual"] for one, *_ in columns], [ar for _, ar, _ in columns]
    car = [cum[0] for *_, cum in columns]
    z = [cum[0] / (one["s"] * np.sqrt(cum[1])) for one, _, cum in columns]
    n, w, days = len(car), stop - first, list(map(int, returns.day))
    r, of_a_day = (naive.mean_correlation(list(zip(days, residuals, strict=True)), k) for k in (w, 1))
    wider = np.sqrt((1 + (n - 1) * r) / (1 + (n - 1) * of_a_day))  # 1 where no windows overlap
    patell = naive.patell(z, [one["length"] - 2 for one, *_ in columns])
    bmp = naive.cross_section(z)
    scores = [[None if e is None else e / one["s"] for e in one["residual"]] for one, *_ in columns]
    both = [r_ + e for r_, e in zip(residuals, events, strict=True)]
    several = len(naive.chains(days, w - 1)) > 1
    return {
        "mean": float(np.mean(car)),
        "t": naive.cross_section(car),
        "patell": patell,
        "patell_kp": patell / np.sqrt(1 + (n - 1) * r),
        "bmp": bmp,
        "bmp_kp": bmp * np.sqrt((1 - r) / (1 + (n - 1) * r)),
        "rank": naive.rank_test(both, range(40 + first, 40 + stop)) / wider,
        "grank": naive.generalised_rank_test(z, scores, r) / wider,
        "portfolio": naive.portfolio(residuals, events, range(first, stop)) / wider,
        "sign": naive.sign_test(car, residuals),
        "clustered": naive.between_dates(car, days, w - 1)[0] if several else np.nan,
        "p_flip": naive.sign_flip(car, days, w - 1),
    }


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("dates", ["one", "apart", "overlapping"])
def test_every_statistic_is_what_its_formula_says(dates: str, missing: float) -> None:
    count = 1 if dates == "one" else 4
    returns = Returns(3, missing=missing, together=0.4, dates=count)
    if dates == "overlapping":
        returns.day = np.repeat([0, 1, 9, 13], 6)
    found = returns.estimate()
    tests = EventTests(found, returns.day)
    for first, stop in ((0, 6), (1, 5)) + (((2, 3),) if missing == 0 else ()):
        got, wanted = tests.over(first, stop), expected_tests(found, returns, first, stop)
        assert got["n"] == found.count
        assert got["dates"] == count
        for name, value in wanted.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-9, err_msg=f"{name} of {first}, {stop}")


def test_p_values_are_those_of_the_distributions_named() -> None:
    returns = Returns(4, dates=4, together=0.3)
    got = EventTests(returns.estimate(), returns.day).over(0, 3)
    n = 24
    degrees = {
        "t": n - 1, "patell": np.inf, "patell_kp": np.inf, "bmp": n - 1, "bmp_kp": n - 1, "rank": np.inf,
        "grank": 39, "portfolio": 39, "sign": np.inf, "clustered": 3,
    }  # fmt: skip
    assert set(degrees) == set(STATISTICS)
    for name, df in degrees.items():
        law = stats.norm if np.isinf(df) else stats.t(df)
        np.testing.assert_allclose(got[f"p_{name}"], 2 * law.sf(abs(got[name])), rtol=1e-9)
    assert two_sided(-2.0, np.inf) == two_sided(2.0, np.inf)


def test_the_simple_statistics_are_those_of_other_libraries() -> None:
    """scipy's one-sample t and exact permutation test, and statsmodels' standard errors by cluster."""
    import statsmodels.api as sm

    rng = np.random.default_rng(11)
    values = rng.normal(0.3, 1.0, 30)
    np.testing.assert_allclose(cross_section(values)[0], stats.ttest_1samp(values, 0.0).statistic, rtol=1e-12)
    groups = np.sort(rng.integers(0, 9, 30))
    fitted = sm.OLS(values, np.ones(30)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    t, degrees, error = between_dates(values, groups)
    np.testing.assert_allclose([t, error], [fitted.tvalues[0], fitted.bse[0]], rtol=1e-10)
    assert degrees == len(set(groups)) - 1
    sums = np.array([values[groups == g].sum() for g in sorted(set(groups))])
    theirs = stats.permutation_test(
        (sums,), lambda x, axis: x.sum(axis=axis), permutation_type="samples", vectorized=True
    )
    np.testing.assert_allclose(sign_flip(values, groups), theirs.pvalue, rtol=1e-12)


def test_the_sign_of_many_dates_is_drawn_and_near_the_exact_share() -> None:
    """Nine thousand draws of 16 signs against all 65,536 of them, at five standard errors."""
    rng = np.random.default_rng(2)
    sums = rng.normal(0.4, 1.0, 16)
    signs = 1 - 2 * ((np.arange(2**16)[:, None] >> np.arange(16)) & 1)
    exact = float((np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9).mean())
    drawn = sign_flip(sums, np.arange(16))
    assert abs(drawn - exact) < 5 * np.sqrt(exact * (1 - exact) / 10_000)
    assert drawn == sign_flip(sums, np.arange(16))
    assert drawn != sign_flip(sums, np.arange(16), seed=1)
    assert len(sign_patterns(14, 0)) == 2**13
    assert sign_flip(np.array([1.0, 2.0, 3.0]), np.arange(3)) == 0.25
    assert sign_flip(np.array([1.0, 2.0]), np.array([5, 5])) == 1.0


def test_dates_whose_windows_overlap_are_one() -> None:
    days = np.array([30, 10, 13, 30, 16, 99])
    np.testing.assert_array_equal(independent_dates(days, 3), [1, 0, 0, 1, 0, 2])
    np.testing.assert_array_equal(independent_dates(days, 2), [3, 0, 1, 3, 2, 4])
    np.testing.assert_array_equal(independent_dates(days, 0), [3, 0, 1, 3, 2, 4])
    assert len(independent_dates(np.array([], dtype=int), 2)) == 0
    returns = Returns(2, dates=3)
    returns.day = np.repeat([0, 3, 50], 6)
    tests = EventTests(returns.estimate(), returns.day)
    assert tests.over(0, 4)["independent"] == 2  # windows of four sessions share one
    assert tests.over(0, 3)["independent"] == 3
    assert tests.over(0, 4)["dates"] == 3


# -- published numbers, and where others go wrong ------------------------------------------------------------


def test_the_adjustment_for_correlation_gives_the_published_numbers() -> None:
    """Seven stocks against the S&P 500, 16 to 20 March 2020 (the example of the R package estudy2).

    The prices are not at hand. Published: BMP by day, and with it the mean correlation of the residuals,
    .16024; the adjustment of Kolari and Pynnonen then gives .7883, -.7690, .0498, 1.4176 and 5.6613: what
    looks significant on 19 March is not.
    """
    bmp = np.array([1.2047117, -1.1753134, 0.0760628, 2.1665773, 8.6521256])
    adjusted = bmp * np.sqrt(1 - 0.16024) * shrink(0.16024, 7)
    np.testing.assert_allclose(adjusted, [0.7883, -0.7690, 0.0498, 1.4176, 5.6613], atol=6e-5)
    assert two_sided(bmp[3], np.inf) < 0.05 < two_sided(adjusted[3], np.inf)
    assert np.isnan(shrink(-0.2, 7))


def test_a_standard_deviation_with_one_degree_taken_off_is_another_number() -> None:
    """The package above divides the sum of squares by L - 1, where two parameters were estimated.

    Its published Patell and BMP, 2.5507399 and 1.2047117 on 16 March, come with that. ``ddof=1`` is that
    convention: standardised returns grow by ``sqrt((L - 1) / (L - 2))``, Patell with them, BMP not at all
    where all have one L.
    """
    returns = Returns(6)
    ours, theirs = (EventTests(returns.estimate(ddof=d), returns.day).over(0, 1) for d in (None, 1))
    np.testing.assert_allclose(theirs["patell"] / ours["patell"], np.sqrt(39 / 38), rtol=1e-12)
    np.testing.assert_allclose(theirs["bmp"], ours["bmp"], rtol=1e-12)
    returns.values[:20, :3] = np.nan
    ours, theirs = (EventTests(returns.estimate(ddof=d), returns.day).over(0, 1) for d in (None, 1))
    assert abs(theirs["bmp"] / ours["bmp"] - 1) > 1e-4


def test_ranks_on_panels_with_gaps_differ_from_a_package_that_fills_them_with_means() -> None:
    """The same package: two of its seven stocks were listed during the estimation window.

    Its sums over securities are means times all seven, also on days when five were there, and it averages
    squares over the mean number of returns of a security, not over the days. Published: .7962064, -.1857202,
    1.0205417, 2.1127972, 2.9255529; correct: .8165955, -.1904761, 1.0466755, 2.1669011, 3.0004697, one factor
    throughout, since all seven are there on the event days. On full panels the two agree.
    """
    published = np.array([0.7962064, -0.1857202, 1.0205417, 2.1127972, 2.9255529])
    correct = np.array([0.8165955, -0.1904761, 1.0466755, 2.1669011, 3.0004697])
    np.testing.assert_allclose(correct / published, 1.02561, atol=2e-5)

    returns = Returns(9, securities=7)
    found = returns.estimate()
    both = [plain(column) for column in np.vstack([found.residual, found.value]).T]
    ours = [EventTests(found, returns.day).rank_test(t, t + 1) for t in range(6)]
    quirky = [naive.quirky_rank_test(both, 40 + t) for t in range(6)]
    np.testing.assert_allclose(ours, quirky, rtol=1e-10)

    returns.values[:25, 0] = returns.values[:12, 1] = np.nan
    found = returns.estimate()
    both = [plain(column) for column in np.vstack([found.residual, found.value]).T]
    ours = [EventTests(found, returns.day).rank_test(t, t + 1) for t in range(6)]
    quirky = np.array([naive.quirky_rank_test(both, 40 + t) for t in range(6)])
    np.testing.assert_allclose(ours, [naive.rank_test(both, [40 + t]) for t in range(6)], rtol=1e-10)
    factor = np.array(ours) / quirky
    np.testing.assert_allclose(factor, factor[0], rtol=1e-10)
    assert abs(factor[0] - 1) > 0.01


def test_a_hand_sized_example() -> None:
    """Four days before, one of the event, no market: everything can be followed on paper."""
    past = np.array([[1.0, 2.0], [-1.0, -2.0], [1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]])
    found = abnormal_returns(past, np.array([[3.0, -2.0]]), model="mean")
    np.testing.assert_allclose(found.sigma, [1.0, 2.0])  # sqrt(4 / 4), sqrt(16 / 4)
    np.testing.assert_allclose(found.over(0, 1).factor, 1.2)
    got = EventTests(found, np.zeros(2, dtype=int)).over(0, 1)
    np.testing.assert_allclose(got["mean"], 0.5)
    np.testing.assert_allclose(got["patell"], (3 - 1) / np.sqrt(1.2) / np.sqrt(2 * 4 / 2))
    np.testing.assert_allclose(got["patell_kp"], got["patell"] / np.sqrt(2))  # they move as one: r = 1
    np.testing.assert_allclose(got["bmp_kp"], 0.0, atol=1e-7)
    np.testing.assert_allclose(got["portfolio"], 0.5 / 1.5)  # daily means 1.5, -1.5, 1.5, -1.5, 0
    # Ranks among six returns, less 3.5, in sevenths: 4.5, 1.5, 4.5, 1.5, 3, 6 and 5.5, 2, 5.5, 2, 4, 2. Their
    # sums by day are 3, -3.5, 3, -3.5, 0 and 1, and the mean square of those is 43.5 / 6.
    np.testing.assert_allclose(got["rank"], 1 / np.sqrt(43.5 / 6))
    # Two of five and two of five were positive before, one of two is now.
    np.testing.assert_allclose(got["sign"], (1 - 0.8) / np.sqrt(0.8 * 0.6))
    assert got["n"] == 2
    assert got["independent"] == 1
    assert np.isnan(got["clustered"])


# -- invariants ----------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    scale=st.sampled_from([1e-3, 0.5, 7.0, 1e4]),
    missing=st.sampled_from([0.0, 0.1]),
    together=st.sampled_from([0.0, 0.5]),
)
def test_statistics_know_neither_scale_nor_order_and_turn_with_the_sign(
    seed: int, scale: float, missing: float, together: float
) -> None:
    returns = Returns(seed, missing=missing, together=together, dates=3)
    plain_ = EventTests(returns.estimate(), returns.day).over(1, 5)
    order = np.random.default_rng(seed).permutation(18)
    returns.values, returns.market, day = (
        scale * returns.values[:, order],
        scale * returns.market[:, order],
        returns.day[order] + 77,
    )
    found = returns.estimate()
    moved = EventTests(found, day).over(1, 5)
    for name in (*STATISTICS, "p_flip", "n", "dates", "independent"):
        np.testing.assert_allclose(moved[name], plain_[name], rtol=1e-6, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(moved["mean"], scale * plain_["mean"], rtol=1e-6, atol=1e-9 * scale)
    returns.values = -returns.values
    returns.market = -returns.market
    turned = EventTests(returns.estimate(), day).over(1, 5)
    for name in STATISTICS:
        np.testing.assert_allclose(turned[name], -moved[name], rtol=1e-6, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(turned["p_flip"], moved["p_flip"], rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), model=st.sampled_from(MODELS))
def test_days_add_up_to_windows_and_averages_have_the_same_tests(seed: int, model: str) -> None:
    returns = Returns(seed, dates=3)
    found = returns.estimate(model)
    days = [found.over(t, t + 1).value for t in range(6)]
    np.testing.assert_allclose(sum(days), found.over(0, 6).value, rtol=1e-9, atol=1e-15)
    assert (found.over(0, 6).factor >= sum(found.over(t, t + 1).factor for t in range(6)) - 30).all()
    sums, means = (EventTests(found, returns.day, average).over(0, 6) for average in (False, True))
    for name in STATISTICS:
        np.testing.assert_allclose(sums[name], means[name], rtol=1e-9, err_msg=name)
    two = returns.day < 2000  # too few for a band between dates
    for few in (np.ones(18, dtype=bool), two):
        sums, means = (
            EventTests(found.pick(few), returns.day[few], average).over(0, 6) for average in (False, True)
        )
        for name in ("mean", "low", "high"):
            np.testing.assert_allclose(sums[name], 6 * means[name], rtol=1e-9, err_msg=name)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_constant_added_to_returns_is_not_abnormal(seed: int) -> None:
    returns = Returns(seed, missing=0.05)
    before = returns.estimate().value
    returns.values += 0.01
    np.testing.assert_allclose(returns.estimate().value, before, atol=1e-14)
    returns.values += 2.0 * returns.market
    np.testing.assert_allclose(returns.estimate().value, before, atol=1e-14)


def test_what_is_not_defined_is_nan() -> None:
    returns = Returns(1, securities=1)
    one = EventTests(returns.estimate(), returns.day).over(0, 1)
    for name in ("t", "bmp", "patell_kp", "bmp_kp", "grank", "clustered"):
        assert np.isnan(one[name]), name
        assert np.isnan(one[f"p_{name}"]), name
    assert one["low"] < one["mean"] < one["high"]
    assert one["p_flip"] == 1.0
    returns = Returns(1)
    returns.values[40:] = np.nan
    none = EventTests(returns.estimate(), returns.day).over(0, 3)
    assert none["n"] == 0
    assert all(np.isnan(none[name]) for name in (*STATISTICS, "mean", "low", "high", "p_flip"))
    assert np.isnan(patell_test(np.array([np.nan]), np.array([10.0])))
    assert np.isnan(sign_test(np.array([1.0]), np.ones((10, 1))))
    assert np.isnan(sign_test(np.array([1.0]), np.full((10, 1), np.nan)))


def test_the_band_is_between_dates_where_there_are_three() -> None:
    returns = Returns(12, dates=3)
    found, day = returns.estimate(), returns.day
    got = EventTests(found, day).over(0, 4)
    car = found.over(0, 4).value
    _, error = naive.between_dates(list(car), list(day), 3)
    half = stats.t(2).ppf(0.975) * error
    np.testing.assert_allclose([got["low"], got["high"]], [car.mean() - half, car.mean() + half], rtol=1e-9)
    two = EventTests(found.pick(day < 2000), day[day < 2000]).over(0, 4)
    own = found.residual[:, day < 2000].mean(axis=1)
    half = stats.t(39).ppf(0.975) * own.std(ddof=1) * 2  # the root of four days
    np.testing.assert_allclose(two["high"] - two["mean"], half, rtol=1e-9)


# -- size under the null, and power --------------------------------------------------------------------------


def rejections(panels: int, **options: Any) -> dict[str, float]:
    """Share of panels without any effect that each test rejects at five per cent."""
    found: dict[str, list[float]] = {}
    for seed in range(panels):
        returns = Returns(seed, length=80, window=3, **options)
        result = EventTests(returns.estimate(), returns.day).over(1, 2)
        for name in (*STATISTICS, "flip"):
            found.setdefault(name, []).append(result[f"p_{name}"])
    return {name: float(np.mean(np.array(ps) < 0.05)) for name, ps in found.items()}


def near_five_per_cent(share: float, panels: int, slack: float = 0.0) -> bool:
    """Whether a share of rejections is within 3.5 standard errors of 5 %, and ``slack`` beyond."""
    return abs(share - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / panels) + slack


def check_sizes(panels: int) -> None:
    alone = rejections(panels, securities=10)
    for name in ("t", "patell", "patell_kp", "bmp", "bmp_kp", "rank", "portfolio"):
        assert near_five_per_cent(alone[name], panels, slack=0.01), (name, alone[name])
    for name in ("sign", "grank"):  # ten signs are coarse, and so is a deviation of ten
        assert near_five_per_cent(alone[name], panels, slack=0.025), (name, alone[name])
    together = rejections(panels, securities=10, together=0.4)
    for name in ("t", "patell", "bmp", "sign"):
        assert together[name] > 0.25, (name, together[name])
    for name in ("patell_kp", "bmp_kp", "rank", "portfolio"):
        assert near_five_per_cent(together[name], panels, slack=0.015), (name, together[name])
    assert near_five_per_cent(together["grank"], panels, slack=0.035), together["grank"]
    several = rejections(panels, securities=4, together=0.5, dates=8)
    for name in ("t", "patell", "bmp"):
        assert several[name] > 0.12, (name, several[name])
    for name in ("patell_kp", "bmp_kp", "portfolio", "clustered", "flip"):
        assert near_five_per_cent(several[name], panels, slack=0.015), (name, several[name])


def test_sizes_under_the_null() -> None:
    """Independent securities, one shared date, and eight shared dates: who keeps five per cent."""
    check_sizes(400)


@pytest.mark.slow
def test_sizes_under_the_null_at_length() -> None:
    check_sizes(3000)


def test_sizes_where_windows_of_a_chain_of_dates_overlap() -> None:
    """Four dates three sessions apart, windows of five: what is counted twice is not taken for more."""
    found: dict[str, list[float]] = {}
    for seed in range(400):
        rng = np.random.default_rng(seed)
        shared = rng.normal(size=(120, 1))
        one = 0.02 * (np.sqrt(0.4) * shared + np.sqrt(0.6) * rng.normal(size=(120, 6)))
        starts = [0, 3, 6, 9]
        past, own = (np.hstack([one[s + a : s + b] for s in starts]) for a, b in ((0, 100), (100, 105)))
        days = np.repeat(starts, 6)
        result = EventTests(abnormal_returns(past, own, model="mean"), days).over(0, 5)
        assert np.isnan(result["clustered"])  # one independent date
        result["p_band"] = float(result["low"] < 0 < result["high"])
        for name in ("patell_kp", "bmp_kp", "rank", "grank", "portfolio", "band"):
            found.setdefault(name, []).append(result[f"p_{name}"])
    for name in ("patell_kp", "bmp_kp", "rank", "grank", "portfolio"):
        share = float(np.mean(np.array(found[name]) < 0.05))
        assert near_five_per_cent(share, 400, slack=0.02), (name, share)  # grank 0.12 otherwise
    assert near_five_per_cent(1 - float(np.mean(found["band"])), 400, slack=0.02)


def test_rows_of_different_sessions_are_not_held_against_each_other() -> None:
    returns = Returns(3, dates=3, together=0.4)
    whole, apart = (
        EventTests(returns.estimate(), returns.day, together=together) for together in (True, False)
    )
    assert whole.overlap(4) == 1.0
    got, left = apart.over(0, 4), whole.over(0, 4)
    for name in ("patell_kp", "bmp_kp", "rank", "grank", "portfolio"):
        assert np.isnan(got[name]), name
        assert np.isfinite(left[name]), name
    for name in ("t", "patell", "bmp", "sign", "clustered", "p_flip", "mean", "low", "high"):
        assert got[name] == left[name], name
    few = returns.day < 2000  # no band of fewer than three dates
    two = EventTests(returns.estimate().pick(few), returns.day[few], together=False).over(0, 4)
    assert np.isfinite(two["mean"])
    assert np.isnan([two["low"], two["high"]]).all()


def test_a_shock_to_all_is_found_and_its_size_told() -> None:
    sizes, found = [], []
    for seed in range(40):
        returns = Returns(seed, length=80, window=3, together=0.3, dates=8)
        returns.values[81] -= 0.03
        result = EventTests(returns.estimate(), returns.day).over(1, 2)
        sizes.append(result["mean"])
        found.append(
            [result[f"p_{name}"] < 0.05 for name in ("bmp_kp", "rank", "grank", "clustered", "flip")]
        )
    assert abs(np.mean(sizes) + 0.03) < 4 * np.std(sizes) / np.sqrt(40)
    assert (np.mean(found, axis=0) > 0.8).all()
