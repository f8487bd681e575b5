"""The same bits whatever runs them: threads, chunks, compiler flags, processors, memory, layouts of input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from robustness import everywhere
from robustness.everywhere import WORLDS, drawn, numbers
from tally import tried

import entrepot as ep
from entrepot.engine import Bench, _kernels as kernels, backtest_batch
from entrepot.errors import EntrepotError
from entrepot.regimes import (
    _jump_kernels as jump_kernels,
    _kernels as switch_kernels,
    _markov_kernels as markov_kernels,
)
from entrepot.regimes._change_point_kernels import follow_runs
from entrepot.strategies import _kernels as strategy_kernels

SCRIPT = Path(everywhere.__file__)
RUNS = "runs under other threads, chunks, processors and compiler flags, all bit for bit the same"
LAYOUTS = "inputs in another memory layout, number type or byte order, with the same result"


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays have the same bits; every NaN is one NaN."""
    return np.array_equal(one, other, equal_nan=True) and np.array_equal(np.signbit(one), np.signbit(other))


def differing(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> list[str]:
    assert set(one) == set(other)
    return [name for name in one if not same(one[name], other[name])]


def in_a_process(folder: Path, *arguments: object, **environment: str) -> dict[str, np.ndarray]:
    """The results of a process of its own, with these variables."""
    out = folder / "results.npz"
    command = [sys.executable, str(SCRIPT), str(out), *(str(a) for a in arguments)]
    subprocess.run(command, env=os.environ | environment, check=True, timeout=1800)
    with np.load(out) as kept:
        return {name: kept[name] for name in kept.files}


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2020-01-02", end="2020-12-31", seed=7)


def test_threads_and_chunks_change_no_bit(market: ep.Market) -> None:
    once = everywhere.swept(market, workers=1, chunk=1)["sweep: table"]
    others = [(2, 1000), (4, 5), (8, 2)]
    for workers, chunk in others:
        assert same(everywhere.swept(market, workers, chunk)["sweep: table"], once), (workers, chunk)
    tried("numerics", RUNS, len(others))


def test_a_configuration_is_the_same_alone_among_others_and_recorded() -> None:
    """In any order, and in numbers that the width of a vector divides or does not."""
    count = 0
    for seed in range(WORLDS):
        world = drawn(seed)
        if world.fill == "same_step":
            continue
        terms: dict[str, Any] = {"costs": world.costs, "capital": world.capital, "path": world.path}
        terms["base_currency"] = world.base_currency
        try:
            bench = Bench(world.market, **terms)
            recorded = ep.backtest(world.market, world.plan, **terms).equity_by_step
        except EntrepotError:
            continue
        rng = np.random.default_rng(seed)
        for lanes in (1, 3, 8, 17):
            by = rng.permutation(lanes)
            plans = [everywhere.scaled(world.targets, 1.0 - i / 40.0) for i in by]
            curves = bench.run(plans, equity=True).equity
            assert curves is not None
            assert same(curves[:, int(np.argmin(by))], recorded), (seed, lanes)
            count += 1
    assert count > 20
    tried("numerics", RUNS, count)


def layouts(array: np.ndarray) -> dict[str, np.ndarray]:
    """The same numbers, laid out otherwise."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]))
    wide[..., ::2] = array
    locked = array.copy()
    locked.setflags(write=False)
    return {
        "column by column": np.asfortranarray(array),
        "every other one": wide[..., ::2],
        "backwards": np.ascontiguousarray(array[..., ::-1])[..., ::-1],
        "not to be written": locked,
        "most significant byte first": array.astype(">f8"),
        "as objects of one bit more": array.astype(np.longdouble),
    }


def test_the_layout_of_what_is_given_changes_no_bit() -> None:
    rng = np.random.default_rng(4)
    prices = np.exp(rng.normal(0, 0.02, (120, 5)).cumsum(axis=0)) * 50.0
    prices[rng.random(prices.shape) < 0.05] = np.nan
    weights = np.round(rng.uniform(-0.5, 0.5, (3, 120, 5)), 2)
    names = list("ABCDE")
    dates = pd.bdate_range("2020-01-01", periods=120)

    def curve(given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        market = ep.Market.from_prices(pd.DataFrame(given, index=dates, columns=names, copy=False))
        return backtest_batch(market, wanted, fee_bps=5.0)

    once, count = curve(prices, weights), 0
    for name, given in layouts(prices).items():
        assert same(curve(given, weights), once), name
        count += 1
    for name, given in layouts(weights).items():
        assert same(curve(prices, given), once), name
        count += 1
    frame = pd.DataFrame(prices, index=dates, columns=names)
    nullable = ep.Market.from_prices(frame.convert_dtypes())
    assert same(backtest_batch(nullable, weights, fee_bps=5.0), once)
    rough = prices.astype(np.float32)
    assert same(curve(rough, weights), curve(rough.astype(np.float64), weights))

    y = np.where(np.arange(300) % 100 < 70, 1.0, 3.0) * rng.standard_normal(300)
    for make in (ep.MarkovDetector, ep.JumpDetector, ep.ChangePointDetector):
        told = make().fit(y).filter(y)
        for name, given in layouts(y).items():
            assert same(make().fit(given).filter(given), told), (make, name)
            count += 1
        assert same(make().fit(pd.Series(y, dtype="Float64")).filter(pd.Series(y, dtype="Float64")), told)
        count += 1
    tried("numerics", LAYOUTS, count + 2)


def test_numbers_of_a_table_are_all_looked_at(market: ep.Market) -> None:
    """The comparison itself sees one bit in one number."""
    table = numbers(pd.DataFrame({"a": [1.0, np.nan, 0.0], "b": ["x", "y", "z"]}))
    changed = table.copy()
    assert same(table, changed)
    changed[0, 0] = np.nextafter(1.0, 2.0)
    assert not same(table, changed)
    changed[0, 0], changed[2, 0] = 1.0, -0.0
    assert not same(table, changed)


# What a process is told before it compiles anything. Memory that is not written before it is read would show
# under malloc's filling; reads beyond an array's end raise under bounds checks.
OTHERWISE = {
    "garbage in fresh memory": {"MALLOC_PERTURB_": "165"},
    "other garbage in fresh memory": {"MALLOC_PERTURB_": "90"},
    "four threads for linear algebra": {"OPENBLAS_NUM_THREADS": "4", "OMP_NUM_THREADS": "4"},
    "one thread for everything": {"OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
    "another hash seed": {"PYTHONHASHSEED": "77"},
}
COMPILED = {
    "a plain processor without AVX and FMA": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
    "no AVX": {"NUMBA_ENABLE_AVX": "0"},
    "bounds of every array checked": {"NUMBA_BOUNDSCHECK": "1"},
    "no optimisation": {"NUMBA_OPT": "0"},
}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    return in_a_process(tmp_path_factory.mktemp("usual"))


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERWISE)
def test_the_process_changes_no_bit(name: str, usual: dict[str, np.ndarray], tmp_path: Path) -> None:
    workers = 1 + len(name) % 4
    told = in_a_process(tmp_path, workers, 3, **OTHERWISE[name])
    assert differing(told, usual) == []
    tried("numerics", RUNS)


def test_no_kernel_may_be_reordered_or_contracted() -> None:
    """Without fastmath a compiler may not join a product and a sum, which processors do or do not have."""
    markov = markov_kernels.kernels(2, 0)
    own = [follow_runs(), *markov]
    for module in (kernels, strategy_kernels, switch_kernels, jump_kernels):
        own += [value for value in vars(module).values() if hasattr(value, "targetoptions")]
    assert len(own) > 60
    assert [kernel for kernel in own if kernel.targetoptions.get("fastmath")] == []
    tried("numerics", "kernels compiled without licence to reorder or contract", len(own))


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPILED)
def test_what_it_is_compiled_for_changes_no_bit(
    name: str, usual: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Everything compiled anew, a minute of work and more. No kernel may be contracted or reordered."""
    told = in_a_process(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"), **COMPILED[name])
    assert differing(told, usual) == []
    tried("numerics", RUNS)


# What goes through numpy's exponentials, logarithms and powers: a processor with AVX-512 has others, which
# differ in the last place. By how much results then differ; a fit of three states follows a long way down.
ROUGHLY = {
    "markov of three states: filter": 1e-6,
    "markov: filter": 1e-12,
    "markov: filter of later rows": 1e-12,
    "regime path: probabilities": 1e-14,
    "figures": 1e-13,
    "summary": 1e-13,
}


@pytest.mark.slow
def test_numpy_on_a_plain_processor_changes_last_places_of_exponentials_alone(
    usual: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Ledgers, equity, sweeps' fills and states stay the same bits; so do simulated prices."""
    features = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    told = in_a_process(tmp_path, NPY_DISABLE_CPU_FEATURES=" ".join(features))
    for name in differing(told, usual):
        (within,) = {much for end, much in ROUGHLY.items() if name == end or name.endswith(f": {end}")}
        np.testing.assert_allclose(told[name], usual[name], rtol=within, atol=within, err_msg=name)
    tried("numerics", "runs on a processor with other exponentials, ledgers bit for bit the same")


@pytest.mark.slow
def test_plain_python_gives_the_same_ledgers(usual: dict[str, np.ndarray], tmp_path: Path) -> None:
    """Nothing compiled at all. Python's own lgamma is another than the C library's: fits follow it."""
    told = in_a_process(tmp_path, NUMBA_DISABLE_JIT="1")
    assert set(differing(told, usual)) <= {"markov of three states: filter", "change point: filter"}
    np.testing.assert_allclose(told["change point: filter"], usual["change point: filter"], atol=1e-10)
    three = "markov of three states: filter"
    np.testing.assert_allclose(told[three], usual[three], atol=1e-5)
    tried("numerics", RUNS)
