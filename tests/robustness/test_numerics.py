"""Extreme numbers and long runs: how far rounding takes results from exact ones, and what is refused."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import naive
import numpy as np
import pandas as pd
import pytest
import worlds
from hypothesis import HealthCheck, given, settings, strategies as st
from robustness import exact
from robustness.exact import U
from scipy.special import log_ndtr
from tally import reached, tried
from test_naive import line, make_market, want

import entrepot as ep
from entrepot.engine import Bench, Costs, _kernels as kernels, backtest, backtest_batch
from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.regimes import _jump_kernels as jump_kernels
from entrepot.regimes.intensity import shot_noise
from entrepot.regimes.markov_model import MarkovModel, Parameters, Sample

MECHANISMS = (
    "shorts", "dividends", "splits", "busy", "drift", "daily_fx", "hkd", "keep_currencies", "pay_dates",
    "exact_fees", "lots", "dated_rates", "intraday", "bare_ratio", "zeros", "gaps", "hk_shorts",
)  # fmt: skip
ERROR = "error of equity against exact fractions, of what the books hold"
SHARE_OF_BOUND = "error of equity against exact fractions, of what rounding could do at most"


def examples(count: int) -> settings:
    return settings(
        max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
    )


# -- the ledger against fractions ----------------------------------------------------------------------------


def stretched(seed: int) -> worlds.World:
    """A drawn world, each company priced in another unit, from 1e-6 to 1e9, and a capital of 0.01 to 1e15."""
    rng = np.random.default_rng(seed)
    on = worlds.Switches(costs=True, **{name: bool(rng.random() < 0.5) for name in MECHANISMS})
    sizes = {"steps": int(rng.integers(40, 110)), "pairs": int(rng.integers(0, 3))}
    world = worlds.random_world(seed, hk_singles=1, ny_singles=1, switches=on, **sizes)
    powers = [int(power) for power in rng.integers(-7, 8, 3)]
    odd = [1.0, 1.0 / 3.0, 1.4, 7.0][seed % 4]
    return exact.stretched(
        world, powers, float(10.0 ** rng.uniform(-2, 14.9)), odd, 10.0 ** -int(rng.integers(4, 10))
    )


def stays_within_its_bound(world: worlds.World) -> int:
    """Hold a world to the twin: every fill, and equity to the bound; return how many fills there were."""
    try:
        run = exact.both(world)
    except ParameterError:  # a capital that buys next to nothing
        with pytest.raises(ParameterError, match="billionth of a share"):
            exact.both(world)
        return 0
    same = ["step", "symbol", "reason", "pair", "decided_step"]
    mine = sorted(run.fast.fills[same].itertuples(index=False, name=None))
    assert mine == sorted(tuple(fill[name] for name in same) for fill in run.slow.fills)
    error, bound = np.abs(run.error()), exact.bound(run)
    assert (error <= bound).all(), (error / bound).max()
    reached("numerics", ERROR, float((error / exact.gross(run)).max()))
    reached("numerics", SHARE_OF_BOUND, float((error / bound).max()))
    return len(mine)


@examples(8)
@given(st.integers(0, 10**6))
def test_equity_errs_by_less_than_its_bound(seed: int) -> None:
    fills = stays_within_its_bound(stretched(seed))
    tried("numerics", "fills of stretched worlds against exact fractions", fills)


@pytest.mark.slow
@examples(200)
@given(st.integers(0, 10**6))
def test_equity_errs_by_less_than_its_bound_in_many_worlds(seed: int) -> None:
    fills = stays_within_its_bound(stretched(seed))
    tried("numerics", "fills of stretched worlds against exact fractions", fills)


def long_run(steps: int) -> None:
    """Errors of a long run grow no faster than in proportion to its length; the bound per step is 5e-15."""
    run = exact.both(exact.long_world(steps))
    assert len(run.fast.fills) == len(run.slow.fills) > steps
    error, bound = np.abs(run.error()), exact.bound(run)
    assert (error <= bound).all()
    assert bound[-1] / run.fast.equity_by_step[-1] < 5e-15 * steps
    reached("numerics", "steps of one run against exact fractions", steps)
    reached("numerics", "error of equity at the end of it", float(error[-1] / run.fast.equity_by_step[-1]))


def test_a_long_run_errs_by_less_than_its_bound() -> None:
    long_run(400)


@pytest.mark.slow
def test_a_very_long_run_errs_by_less_than_its_bound() -> None:
    long_run(20_000)


def cash_adds_up(steps: int) -> None:
    """A run too long for the twin: its cash is capital less all that was paid, summed without error."""
    rng = np.random.default_rng(3)
    times = pd.date_range("1990-01-01", periods=2 * steps, freq="min")
    times = times[times.day_of_week < 5][:steps]
    prices = 4e8 * np.exp(0.3 * np.sin(np.arange(steps) / 90.0) + 0.001 * rng.standard_normal(steps))
    market = ep.Market.from_prices(pd.DataFrame({"A": prices}, index=times))
    weights = rng.integers(-5, 10, (steps, 1)) / 10.0
    targets = ep.Targets(weights, (), np.empty((steps, 0)))
    plan = SimpleNamespace(targets=lambda market, path=None: targets)
    capital = 123_456_789.01
    ledger = backtest(market, plan, costs=Costs.none().with_(fee_bps=0.01), capital=capital)
    fills = ledger.record.fills[: len(ledger.fills)]
    quantity, price, fees = fills[:, 2], fills[:, 4], fills[:, 8]
    value = quantity * price
    paid = math.fsum([*value, *product_error(quantity, price, value), *fees])
    cash = ledger.cash["USD"].to_numpy()
    # 14 for what is traded and 2 sums in cash, each at most 2^-53 of what is there: see `exact.bound`.
    bound = U * (14.0 * np.abs(value).sum() + 2.0 * np.abs(cash).sum() + np.abs(cash[-1]))
    error = abs(cash[-1] - math.fsum([capital, -paid]))
    assert len(fills) > 0.8 * steps
    assert error <= bound
    reached("numerics", "steps of one run whose cash adds up", steps)
    reached("numerics", "error of cash at the end of it, of all that was traded", error / np.abs(value).sum())


def product_error(a: np.ndarray, b: np.ndarray, product: np.ndarray) -> np.ndarray:
    """What rounding took from products, without error (T. J. Dekker, Numerische Mathematik 18, 1971)."""
    split = 134_217_729.0  # 2^27 + 1
    a_high, b_high = a * split - (a * split - a), b * split - (b * split - b)
    a_low, b_low = a - a_high, b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def test_the_cash_of_a_long_run_adds_up() -> None:
    cash_adds_up(20_000)


@pytest.mark.slow
def test_the_cash_of_a_million_steps_adds_up() -> None:
    cash_adds_up(1_000_000)


# -- decisions at their edges --------------------------------------------------------------------------------

# A quantity within this part of an edge may fall on either side of it; further away it falls where it should.
EDGE = 8 * U


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 10**12), st.sampled_from([0.1, 0.3, 1.0, 7.0, 100.0, 1e-6, 1e9]), st.integers(-40, 40))
def test_lots_are_those_of_exact_fractions(count: int, unit: float, off: int) -> None:
    """Multiples of a lot as binary fractions have them: 0.3 is three times 0.1, and so are its neighbours."""
    quantity = count * unit
    for _ in range(abs(off)):
        quantity = math.nextafter(quantity, math.copysign(math.inf, off))
    units = round(kernels.in_units.py_func(-quantity, unit) / -unit)
    parts = Fraction(quantity) / Fraction(naive.decimal(unit)) + Fraction(1, 10**9)
    expected = math.floor(parts)
    if units != expected:
        assert abs(parts - round(parts)) <= EDGE * parts
    else:
        assert units in (count, count - 1)
    assert abs(units - parts) <= 1 + Fraction(1, 10**9) + EDGE * parts


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 10**7),
    st.sampled_from([0.01, 1.0, 0.05]),
    st.booleans(),
    st.booleans(),
    st.integers(-9, 9),
)
def test_fees_are_rounded_as_exact_fractions_are(
    count: int, unit: float, half: bool, up: bool, off: int
) -> None:
    amount = (count + 0.5 * half) * unit
    for _ in range(abs(off)):
        amount = math.nextafter(amount, math.copysign(math.inf, off))
    row = np.array([1.0, 0.0, 0.0, np.inf, unit, float(up)]).reshape(1, 1, 1, 6)
    charged = kernels.fee.py_func(row, 0, 0, 0, amount, 0.0)
    expected = naive.rounded(Decimal(amount), naive.decimal(unit), up=up)
    # Amounts a few units of last place from an edge, which lies a billionth of a unit away: never the next.
    parts = Fraction(amount) / Fraction(naive.decimal(unit))
    edge = parts - Fraction(1, 10**9) if up else parts + Fraction(1, 2) + Fraction(1, 10**9)
    if abs(edge - round(edge)) > EDGE * parts:
        assert charged == pytest.approx(float(expected), rel=4 * U)


def drifts_at_their_edge(count: int) -> int:
    """Prices a few units of last place from the one at which the drift is the band."""
    rng = np.random.default_rng(2)
    dates, disagreed = pd.bdate_range("2024-01-01", periods=4), 0
    for _ in range(count):
        weight, band = round(float(rng.uniform(0.1, 0.7)), 2), round(float(rng.uniform(0.05, 0.3)), 2)
        drifted = weight * (1.0 + band)
        price = 100.0 * drifted * (1.0 - weight) / (weight * (1.0 - drifted))
        price *= 1.0 + float(rng.integers(-12, 13)) * 2.0 * U
        market = ep.Market.from_prices(pd.DataFrame({"A": [100.0, 100.0, price, price]}, index=dates))
        targets = want(market, {(0, "A"): weight}, band=band)
        slow = naive.backtest(market, targets, Costs.none(), capital=1e6)
        plan = SimpleNamespace(targets=lambda *a, made=targets: made)
        fast = backtest(market, plan, costs=Costs.none(), capital=1e6)
        exactly = slow.positions["A"][2] * naive.decimal(price) / slow.equity[2] / naive.decimal(weight) - 1
        if len(fast.fills) != len(slow.fills):
            disagreed += 1
            assert abs(float(exactly - naive.decimal(band))) <= 32 * U
    tried("numerics", "decisions within a few units of last place of their edge", count)
    return disagreed


def test_a_drift_band_is_crossed_where_the_exact_drift_crosses_it() -> None:
    assert drifts_at_their_edge(25) < 25


@pytest.mark.slow
def test_a_drift_band_is_crossed_where_the_exact_drift_crosses_it_often_tried() -> None:
    """That float and fraction disagree at all shows that the edge was reached."""
    assert 0 < drifts_at_their_edge(600) < 600


@pytest.mark.parametrize("leverage", [1.9999, 2.0, 2.0 + 1e-9])
def test_buying_power_that_is_exactly_enough_is_enough(leverage: float) -> None:
    rng = np.random.default_rng(5)
    for _ in range(8):
        price, capital = float(rng.uniform(0.01, 1e4)), float(10.0 ** rng.uniform(4, 14))
        dates = pd.bdate_range("2024-01-01", periods=3)
        market = ep.Market.from_prices(pd.DataFrame({"A": [price] * 3, "B": [1.7 * price] * 3}, index=dates))
        targets = want(market, {(0, "A"): 0.3 * leverage, (0, "B"): -0.7 * leverage})
        plan = SimpleNamespace(targets=lambda *a, made=targets: made)
        costs = Costs.none().with_(margin=ep.Margin(0.5, 0.5, 0.25, 0.25))
        assert backtest(market, plan, costs=costs, capital=capital).dropped.empty
    tried("numerics", "decisions within a few units of last place of their edge", 8)


# -- what is refused -----------------------------------------------------------------------------------------


def bought(price: float, capital: float = 1e6, **market: Any) -> Any:
    dates = pd.bdate_range("2024-01-01", periods=3)
    made = ep.Market.from_prices(
        pd.DataFrame({"A": [price, 1.1 * price, 1.1 * price]}, index=dates), **market
    )
    return backtest_batch(made, np.full((1, 3, 1), 0.5), fee_bps=0.0, capital=capital, fill="same_step")


@pytest.mark.parametrize("price", [1e-320, 1e-300, 1e-12, 9.9e-10, 1.1e12, 1e200, 1.6e308])
def test_prices_in_no_known_unit_are_refused(price: float) -> None:
    with pytest.raises(DataError, match=r"from 1e-09 to 1e\+12: mark a missing one NaN"):
        bought(price, 1e14)


@pytest.mark.parametrize("capital", [1e-300, 5e-324, 0.0099, 1e15, 1e300, math.inf, math.nan, 0.0, -1.0])
def test_capitals_that_are_no_amounts_are_refused(capital: float) -> None:
    with pytest.raises(ParameterError, match=r"at least 0\.01 and below 1e15"):
        bought(10.0, capital)


@pytest.mark.parametrize("price", [1e-9, 1e-6, 1.0, 1e9, 0.9e12])
@pytest.mark.parametrize("capital", [0.01, 1.0, 1e6, 9.9e14])
def test_what_is_not_refused_is_right(price: float, capital: float) -> None:
    """Half of the money in something that rises by a tenth: 1.05 times the capital, or a refusal."""
    if 1.1 * price > 100_000 * capital:
        with pytest.raises(ParameterError, match="give at least"):
            bought(price, capital)
        return
    curve = bought(price, capital)[:, 0]
    np.testing.assert_allclose(curve, capital * np.array([1.0, 1.05, 1.05]), rtol=1e-6)
    tried("numerics", "pairs of an extreme price and an extreme capital, right or refused")


def test_a_capital_below_a_hundred_thousandth_of_a_share_is_refused_wherever_it_runs() -> None:
    dates = pd.bdate_range("2024-01-01", periods=3)
    market = ep.Market.from_prices(pd.DataFrame({"A": [5e6] * 3, "B": [10.0] * 3}, index=dates))
    plan = want(market, {(0, "A"): 0.5})
    for call in (
        lambda: ep.backtest(market, plan, capital=49.0),
        lambda: backtest_batch(market, np.ones((1, 3, 2)), fee_bps=0.0, capital=49.0),
    ):
        with pytest.raises(ParameterError, match=r"a share of A is worth up to 5e\+06: give at least 50"):
            call()
    refused = Bench(market, capital=49.0).run([plan]).refused
    assert "a share of A is worth up to 5e+06: give at least 50" in refused[0]
    ep.backtest(market, want(market, {(0, "B"): 0.5}), capital=49.0)  # what is not traded may be dear


@pytest.mark.parametrize("price", [1e-6, 4e-4, 5e-4])
def test_a_hong_kong_price_of_half_a_tick_is_refused(price: float) -> None:
    """Its bid would be nothing, or negative: a sale would cost money."""
    market = make_market({"1.HK": line("XHKG", [price] * 3), "U": line("XNYS", [10.0] * 3)})
    with pytest.raises(DataError, match="no more than half a tick there"):
        ep.backtest(market, want(market, {(0, "1.HK"): 0.1}))


# -- detectors -----------------------------------------------------------------------------------------------


def model_of(stay: float, apart: float, scales: tuple[float, float]) -> tuple[MarkovModel, Parameters]:
    logit = math.log(stay / (1.0 - stay))
    logits = np.zeros((2, 2, 1))
    logits[0, 0], logits[1, 0] = logit, -logit
    means = np.array([[0.0], [apart]])
    none = np.empty((2, 0))
    return MarkovModel(2), Parameters(logits, means, np.array(scales), none)


@pytest.mark.parametrize(
    ("stay", "apart", "scales"),
    [
        (0.98, 1.0, (1.0, 2.0)),
        (1.0 - 1e-9, 0.0, (1.0, 1.5)),
        (0.5, 0.0, (1.0, 1.0 + 1e-9)),
        (0.9, 1e6, (1.0, 3.0)),
    ],
)
def test_a_long_filter_errs_by_less_than_its_bound(
    stay: float, apart: float, scales: tuple[float, float]
) -> None:
    """Against the same recursion in extended precision, in states that rarely change, or hardly differ."""
    rng = np.random.default_rng(1)
    rows = 20_000
    hidden = np.arange(rows) % 500 < 350
    y = np.where(hidden, 0.0, apart) + np.where(hidden, *scales) * rng.standard_normal(rows)
    model, parameters = model_of(stay, apart, scales)
    found = model.filter(Sample(y, np.ones((rows, 1)), np.ones((rows, 1))), parameters)
    scores, probability = extended_filter(y, parameters)
    # A row's log density is a handful of operations on terms as large as z^2 and log sigma.
    z = np.abs(y[:, None] - np.array([0.0, apart])) / np.array(scales)
    of_a_row = U * (16.0 + 4.0 * np.minimum(z, 1e6).min(axis=1) ** 2)
    error = abs(float(found.scores.sum() - scores.sum()))
    assert error <= of_a_row.sum() + U * np.abs(found.scores).sum() * math.log2(rows)
    # What is filtered forgets, and the odds of a row err by the errors of those that it remembers.
    odds = np.cumsum(U * (16.0 + 4.0 * z.min(axis=1) ** 2 + 8.0 * np.minimum(z.max(axis=1) ** 2, 60.0)))
    off = np.abs(found.probabilities[:, 0] - probability)
    assert (off <= odds).all()
    reached(
        "numerics", "error of a log-likelihood of 20,000 rows, of its size", error / abs(float(scores.sum()))
    )


def extended_filter(y: np.ndarray, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Hamilton's filter of two normal states with eleven more bits: scores, and the first state's odds."""
    wide = np.longdouble
    means, sigma = parameters.coefficients[:, 0].astype(wide), parameters.sigma.astype(wide)
    move = np.exp(parameters.logits[:, :, 0].astype(wide))
    move = move / move.sum(axis=1, keepdims=True) * (1 - 2 * wide(1e-12)) + wide(1e-12)
    z = (y.astype(wide)[:, None] - means) / sigma
    log_density = -z * z / 2 - np.log(sigma) - np.log(2 * wide("3.14159265358979323846264338327950288")) / 2
    top = log_density.max(axis=1)
    weight = np.exp(log_density - top[:, None])
    here, there = move[1, 0] / (move[0, 1] + move[1, 0]), move[0, 1] / (move[0, 1] + move[1, 0])
    scores, probability = np.empty(len(y), dtype=wide), np.empty(len(y), dtype=wide)
    for t in range(len(y)):
        one = (here * move[0, 0] + there * move[1, 0]) * weight[t, 0]
        other = (here * move[0, 1] + there * move[1, 1]) * weight[t, 1]
        scores[t] = one + other
        here, there = (
            one / scores[t],
            other / scores[t],
        )  # never one less the other: what is small is exact too
        probability[t] = here
    return np.log(scores) + top, probability


@pytest.mark.parametrize("make", [ep.MarkovDetector, ep.JumpDetector, ep.ChangePointDetector])
def test_the_unit_of_a_series_is_no_news(make: Any) -> None:
    """Scaling by a power of two changes no digit: probabilities are the same bits, at any scale."""
    rng = np.random.default_rng(8)
    y = np.where(np.arange(600) % 200 < 140, 1.0, 3.0) * rng.standard_normal(600)
    once = make().fit(y)
    for power in (-40, -13, 13, 40):
        factor = 2.0**power
        scaled = make().fit(factor * y)
        # Only the change point's log densities have a unit: each errs by 30 u, a run's by that for each row.
        within = 30 * U * len(y) if make is ep.ChangePointDetector else 0.0
        np.testing.assert_allclose(scaled.filter(factor * y), once.filter(y), rtol=0, atol=within)
        if isinstance(once, ep.MarkovDetector):
            shifted = once.loglikelihood_ - len(y) * math.log(factor)
            assert scaled.loglikelihood_ == pytest.approx(shifted, rel=16 * U)
    for factor in (1e-12, 1e12):  # whose products are rounded
        np.testing.assert_allclose(make().fit(factor * y).filter(factor * y), once.filter(y), atol=1e-6)
    tried("numerics", "detectors fitted to one series in other units", 6)


def test_the_cheapest_path_is_the_cheapest_in_fractions() -> None:
    rng = np.random.default_rng(6)
    rows = 1_500
    columns = np.ascontiguousarray((rng.normal(size=(rows, 2)) + (np.arange(rows) % 300 < 100)[:, None]).T)
    centroids = np.array([[0.1, 0.2], [1.1, 0.9], [1.1, 0.9 + 1e-15]])
    for penalty in (0.0, 0.3, 50.0):
        path = np.empty(rows, dtype=np.int64)
        cost = jump_kernels.best_path(columns, centroids, penalty, np.empty((3, rows)), path)
        loss = [
            [
                sum((Fraction(x) - Fraction(c)) ** 2 for x, c in zip(row, centre, strict=True)) / 2
                for centre in centroids.tolist()
            ]
            for row in columns.T.tolist()
        ]
        best = loss[0]
        for row in loss[1:]:
            jumped = min(best) + Fraction(penalty)
            best = [own + min(value, jumped) for own, value in zip(row, best, strict=True)]
        jumps = int((np.diff(path) != 0).sum())
        taken = sum((loss[t][k] for t, k in enumerate(path.tolist())), jumps * Fraction(penalty))
        bound = 2 * rows * U * cost  # a row adds one rounded sum, and its loss errs by a few parts of itself
        assert abs(float(Fraction(cost) - min(best))) <= bound
        assert 0 <= float(taken - min(best)) <= 2 * bound


def decay(events: int) -> None:
    """Event intensity after very many events, against extended precision."""
    rng = np.random.default_rng(7)
    clock = np.cumsum(rng.exponential(0.05, events))
    time = np.arange(events, dtype=np.int64)
    marks = rng.integers(1, 4, events).astype(np.float64)
    half_life = 20.0
    told = shot_noise(time, clock, time, clock, marks, half_life)
    level = np.longdouble(0.0)
    worst, last = 0.0, np.longdouble(0.0)
    for i in range(events):
        now = np.longdouble(clock[i])
        level = level * np.exp2((last - now) / np.longdouble(half_life)) + np.longdouble(marks[i])
        last = now
        worst = max(worst, float(abs(np.longdouble(told[i]) - level) / level))
    # Each event adds 4 roundings to all that came before; of those, what is 53 half-lives old is forgotten.
    # The clock's own differences are exact to half a unit of the clock.
    remembered = min(events, 53 * half_life / 0.05)
    assert worst <= U * (4.0 * remembered + clock[-1] / half_life)
    reached("numerics", "events whose intensity decays in one series", events)
    reached("numerics", "error of an event intensity, of itself", worst)


def test_event_intensity_errs_by_less_than_its_bound() -> None:
    decay(20_000)


@pytest.mark.slow
def test_the_intensity_of_a_million_events_errs_by_less_than_its_bound() -> None:
    decay(1_000_000)


@pytest.mark.slow
def test_detectors_stay_right_over_a_million_rows() -> None:
    """Nothing drifts: rows late in a very long series are told as after a short one."""
    rng = np.random.default_rng(9)
    rows = 1_000_000
    y = np.where(np.arange(rows) % 500 < 350, 1.0, 3.0) * rng.standard_normal(rows)
    for make in (ep.MarkovDetector, ep.JumpDetector):
        detector = make().fit(y[:2_000])
        told, late = detector.filter(y), detector.filter(y[-5_000:])
        assert np.isfinite(told).all()
        np.testing.assert_allclose(told[-2_000:], late[-2_000:], atol=1e-9)
    reached("numerics", "rows filtered in one series", rows)


# -- figures -------------------------------------------------------------------------------------------------


def fractions_of(returns: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation, the sums exact."""
    values = [Fraction(x) for x in returns.tolist()]
    mean = sum(values) / len(values)
    variance = sum((x - mean) ** 2 for x in values) / (len(values) - 1)
    return float(mean), math.sqrt(float(variance))


@pytest.mark.parametrize("level", [0.0, 1e-4, 1.0, 1e3])
@pytest.mark.parametrize("spread", [1e-2, 1e-6, 1e-10])
def test_a_sharpe_ratio_of_nearly_constant_returns(level: float, spread: float) -> None:
    """Two passes: the deviation errs by no more than rounding of the returns' mean, not of their squares."""
    returns = level + spread * np.random.default_rng(3).standard_normal(1_000)
    own = ep.Moments.of(returns)
    mean, deviation = fractions_of(returns)
    off_by = 16 * U * (1.0 + abs(mean) / deviation) * max(1.0, abs(mean) / deviation)
    assert own.sharpe == pytest.approx(mean / deviation, abs=off_by)


def test_odds_far_in_the_tail_keep_their_digits() -> None:
    """Down to 1e-300, against the logarithm of the normal distribution as scipy has it."""
    worst = 0.0
    for sharpe in -np.array([0.01, 0.1, 0.3, 0.5, 0.8, 1.0, 1.15]):
        own = ep.Moments(1_001, float(sharpe), 0.0, 3.0)
        z = sharpe * math.sqrt(1_000) / own.dispersion
        told = math.log(ep.probabilistic_sharpe(own))
        worst = max(worst, abs(told / float(log_ndtr(z)) - 1.0))
        assert told == pytest.approx(float(log_ndtr(z)), rel=1e-13)
        deflated = ep.deflated_sharpe(own, 0.0, 1.0)
        assert math.log(deflated) == pytest.approx(float(log_ndtr(z)), rel=1e-13)
    reached("numerics", "error of the logarithm of odds down to 1e-200", worst)


@pytest.mark.parametrize("power", [-40, 13, 15])
def test_the_unit_of_money_is_no_news(power: int) -> None:
    """Capital and nothing else times a power of two: every ratio has the same bits, from 1e-6 to 1e15."""
    rng = np.random.default_rng(12)
    dates = pd.bdate_range("2019-01-01", periods=400)
    prices = 0.001 * np.exp(np.cumsum(rng.normal(0, 0.01, (400, 3)), axis=0))
    market = ep.Market.from_prices(pd.DataFrame(prices, index=dates, columns=list("ABC")))
    weights = pd.DataFrame(np.round(rng.uniform(-0.4, 0.5, (400, 3)), 2), index=dates, columns=list("ABC"))
    costs = Costs.none().with_(fee_bps=2.0)
    capital = 2.0**34
    once = ep.backtest(market, weights, costs=costs, capital=capital).summary()
    other = ep.backtest(market, weights, costs=costs, capital=capital * 2.0**power).summary()
    for name in (
        "Sharpe Ratio",
        "Sortino Ratio",
        "Max Drawdown [%]",
        "Annualized Volatility [%]",
        "Calmar Ratio",
    ):
        assert once[name] == other[name], name


def test_the_causes_of_profit_add_up_at_any_scale() -> None:
    """Contributions of all sources against the change of equity, the sums exact."""
    for seed in range(4):
        try:
            run = exact.both(stretched(seed))
        except EntrepotError:
            continue
        equity = run.fast.equity_by_step
        causes = math.fsum(run.fast.contributions.to_numpy(dtype=np.float64).ravel())
        residual = abs(math.fsum([equity[-1], -run.world.capital, -causes]))
        assert residual <= exact.bound(run)[-1]
        reached(
            "numerics",
            "what the causes of profit lack of it, of what the books hold",
            residual / exact.gross(run)[-1],
        )
