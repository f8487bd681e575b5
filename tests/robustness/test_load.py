"""Load: what is too large for the machine is refused before it is made, and what is large still works."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import count
from multiprocessing import get_context
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from naive_bars import daily_files, minute_files
from robustness.cases import is_one_sentence
from robustness.footprint import MEASURED, footprint
from robustness.large import many_lines
from robustness.soak import JOBS, SYMBOLS, Soak
from tally import reached, tried

import entrepot as ep
from entrepot import memory
from entrepot.errors import ParameterError

STATM = Path("/proc/self/statm")


@pytest.fixture
def poor(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the machine have only so much memory available, and look into what is small, too."""

    def have(there: float) -> None:
        monkeypatch.setattr(memory, "SMALL", 0.0)
        monkeypatch.setattr(memory, "available", lambda: there)

    return have


# -- what there is -------------------------------------------------------------------------------------------


def test_sizes_are_read_as_people_write_them() -> None:
    told = [memory.size(value) for value in (1.6e10, 9.13e9, 6.4e8, 3.2e6, 6.88e14)]
    assert told == ["16 GB", "9.1 GB", "640 MB", "3 MB", "688 TB"]


@pytest.mark.skipif(not STATM.exists(), reason="the system has no /proc")
def test_what_is_available_is_less_than_what_is_built_in() -> None:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0.0 < memory.available() < total


def system(folder: Path, files: dict[str, str]) -> None:
    """Write what a system says of itself."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="ascii")


MEMINFO = "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    8000000 kB\n"


@pytest.mark.parametrize(
    ("files", "there"),
    [
        pytest.param({"proc/meminfo": MEMINFO}, 8.192e9, id="machine"),
        pytest.param(
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "0::/a/b\n",
                "group/a/b/memory.max": "max\n",
                "group/a/b/memory.current": "1000\n",
                "group/a/b/memory.stat": "anon 1000\n",
                "group/a/memory.max": "4000000000\n",
                "group/a/memory.current": "1500000000\n",
                "group/a/memory.stat": "anon 1000000000\ninactive_file 300000000\nactive_file 200000000\n",
            },
            3e9,
            id="version 2, limit of the group above",
        ),
        pytest.param(
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/not/seen/from/here\n0::/\n",
                "group/memory/memory.limit_in_bytes": "2000000000\n",
                "group/memory/memory.usage_in_bytes": "1500000000\n",
                "group/memory/memory.stat": "inactive_file 7\ntotal_inactive_file 100000000\n",
            },
            6e8,
            id="version 1, in a container",
        ),
        pytest.param(
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "4:memory:/\n",
                "group/memory/memory.limit_in_bytes": "1000\n",
                "group/memory/memory.usage_in_bytes": "5000\n",
                "group/memory/memory.stat": "total_inactive_file 0\n",
            },
            0.0,
            id="over its limit",
        ),
    ],
)
def test_the_least_of_machine_and_control_groups_counts(
    files: dict[str, str], there: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system(tmp_path, files)
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "group")
    assert memory.available() == pytest.approx(there)


def test_where_nothing_is_told_all_that_is_built_in_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PROC", tmp_path)
    assert memory.available() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_what_is_small_reads_no_file_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: pytest.fail("looked"))
    monkeypatch.setattr(memory, "addresses", lambda: pytest.fail("looked"))
    began = time.perf_counter()
    for _ in range(1000):
        memory.require_memory(1e6, "a few numbers", "give fewer")
    assert time.perf_counter() - began < 0.05  # 50 microseconds each


# -- refused before it is made -------------------------------------------------------------------------------


def small_sweep(market: ep.Market) -> ep.Sweep:
    return ep.sweep(market, ep.LongHKShortADR(), {"entry": [0.5, 1.0], "lookback": [20, 30]}, progress=False)


@pytest.fixture(scope="module")
def pair() -> ep.Market:
    return ep.simulate_market("2022-01-03", "2023-06-30", symbols=["BABA", "9988.HK"])


@pytest.fixture(scope="module")
def swept(pair: ep.Market) -> ep.Sweep:
    return small_sweep(pair)


REFUSED: dict[str, tuple[Callable[[ep.Market, ep.Sweep, Path], Any], str]] = {
    "a recorded run of weights": (
        lambda market, _, __: ep.backtest(
            market, pd.DataFrame({"BABA": 0.5}, index=[pd.Timestamp("2022-03-01")])
        ),
        r"1 lines over 1,482 steps, recorded, take 0 MB of memory and 0 MB are available: cut the market",
    ),
    "a recorded run of a compiled decision": (
        lambda market, _, __: ep.backtest(market, ep.LongHKShortADR()),
        r"2 lines over 1,482 steps, recorded, take 1 MB",
    ),
    "a batch": (
        lambda market, _, __: ep.backtest_batch(market, np.zeros((3, len(market), 2)), fee_bps=1),
        r"3 configurations over 1,482 steps take 0 MB",
    ),
    "a sweep": (
        lambda market, _, __: small_sweep(market),
        r"4 configurations with 40 figures each take 0 MB",
    ),
    "equity of a sweep": (lambda _, swept, __: swept.equity(), r"configurations over 1,482 steps take"),
    "returns of a sweep": (lambda _, swept, __: swept.returns(0), r"configurations over|lines over"),
    "significance of a sweep": (
        lambda _, swept, __: swept.significance(draws=100, blocks=4, progress=False),
        r"^4 configurations over [\d,]+ sessions take",
    ),
    "a folder of prices": (
        lambda _, __, folder: ep.load_market(written(folder)),
        r"prices from 1 file of 0 MB take 0 MB of memory .*: load fewer symbols",
    ),
    "a file of prices": (
        lambda _, __, folder: ep.load_market(written(folder) / "A.csv"),
        r"prices from 1 file of 0 MB take 0 MB of memory .*: load fewer symbols",
    ),
}


def written(folder: Path) -> Path:
    (folder / "A.csv").write_text("Date,Close,symbol\n2024-01-02,1\n2024-01-03,2\n", encoding="ascii")
    return folder


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused_in_a_sentence(
    what: str, pair: ep.Market, swept: ep.Sweep, poor: Callable[[float], None], tmp_path: Path
) -> None:
    call, words = REFUSED[what]
    poor(1.0)
    with pytest.raises(ParameterError, match=words) as caught:
        call(pair, swept, tmp_path)
    assert is_one_sentence(str(caught.value)), caught.value
    tried("load", "kinds of work refused before they fill the memory")


def test_weights_that_are_copied_count_twice(pair: ep.Market, poor: Callable[[float], None]) -> None:
    weights = np.zeros((9, len(pair), 2))
    poor(8.0 * 9 * len(pair) * 2)  # enough for the equity, not for weights besides
    assert ep.backtest_batch(pair, weights, fee_bps=1).shape == (len(pair), 9)
    with pytest.raises(ParameterError, match=r"9 configurations over 1,482 steps take"):
        ep.backtest_batch(pair, weights.astype(np.int8), fee_bps=1)
    poor(8.0 * 9 * len(pair) * (1 + 2))  # and this is enough for both
    assert ep.backtest_batch(pair, weights.astype(np.int8), fee_bps=1).shape == (len(pair), 9)
    tried("load", "kinds of work refused before they fill the memory")


def test_decisions_whose_own_numbers_do_not_fit_side_by_side_run_one_after_the_other(
    pair: ep.Market, poor: Callable[[float], None]
) -> None:
    def hold(step, state, params, features, out):  # type: ignore[no-untyped-def]
        out[0] = params[0]

    def swept(numbers: int) -> pd.DataFrame:
        plan = ep.CompiledStrategy(hold, symbols=["BABA"], parameters={"weight": 0.0}, memory=numbers)
        return ep.sweep(pair, plan, {"weight": [0.1, 0.2, 0.3]}, progress=False).table

    plain = swept(0)
    poor(1e6)
    pd.testing.assert_frame_equal(swept(100_000), plain)
    said = "200,000 numbers that decisions keep take 2 MB of memory and 1 MB are available: give a smaller"
    assert swept(200_000)["Refused"].str.startswith(said).all()


@pytest.mark.parametrize("draws", [10**9, 10**12])
def test_absurd_numbers_of_draws_are_refused(pair: ep.Market, draws: int) -> None:
    result = ep.backtest(pair, ep.LongHKShortADR())
    with pytest.raises(ParameterError, match=r"bootstrap samples take .* give fewer draws"):
        result.intervals(draws=draws)
    with pytest.raises(ParameterError, match=r"bootstrap samples of 360 sessions take .* give fewer draws"):
        ep.superior_ability(np.random.default_rng(0).normal(size=(360, 3)), draws=draws)
    with pytest.raises(ParameterError, match=r"draws of [\d,]+ random dates take .* give fewer placebos"):
        ep.event_study(pair, ep.load_events(), placebos=draws, estimation=(-60, -11))
    tried("load", "kinds of work refused before they fill the memory", 3)


@pytest.mark.parametrize(("each", "takes"), [(1_000, r"1 TB"), (10_000, r"1,024 TB")])
def test_absurd_grids_are_refused_at_once_with_what_they_would_take(
    pair: ep.Market, each: int, takes: str
) -> None:
    began = time.process_time()
    grid = {
        "entry": np.linspace(0.4, 2.0, each),
        "lookback": range(20, 20 + each),
        "weight": np.linspace(0.01, 0.5, each),
    }
    said = rf"^{each**3:,} configurations with \d+ figures each take {takes} of memory and .* are available: "
    with pytest.raises(ParameterError, match=said):
        ep.sweep(pair, ep.LongHKShortADR(), grid, progress=False)
    assert time.process_time() - began < 1.0
    tried("load", "absurd grids refused at once")


def test_a_grid_beyond_any_length_is_refused(pair: ep.Market) -> None:
    grid = {name: range(1, 10_001) for name in ("entry", "lookback", "weight", "span", "round_trip_bps")}
    with pytest.raises(ParameterError, match=r"^100(,000){6} configurations with \d+ figures each take"):
        ep.sweep(pair, ep.LongHKShortADR(), grid, progress=False)
    tried("load", "absurd grids refused at once")


def test_values_without_an_end_are_refused(pair: ep.Market) -> None:
    with pytest.raises(
        ParameterError, match=r"^lookback has more than 2,000,000 values: give fewer of them$"
    ):
        ep.sweep(pair, ep.LongHKShortADR(), {"lookback": count(20)}, progress=False)
    tried("load", "absurd grids refused at once")


REFUSED_FOR_REAL = """
import resource
import numpy as np, pandas as pd, entrepot as ep
from entrepot.errors import ParameterError
dates, names = pd.bdate_range("1990-01-01", periods=4000), [f"S{i}" for i in range(60)]
market = ep.Market.from_prices(pd.DataFrame(np.full((4000, 60), 10.0), dates, names))
weights = pd.DataFrame(0.01, market.grid["session"][::50], market.symbols)
ep.backtest(market.until(100), weights.iloc[:2])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for room in (150e6, 2e9):
    resource.setrlimit(resource.RLIMIT_AS, (int(used + room), resource.RLIM_INFINITY))
    try:
        print(ep.backtest(market, weights))
    except ParameterError as error:
        print(error)
"""


@pytest.mark.skipif(not STATM.exists(), reason="the system has no /proc")
def test_a_process_with_a_limit_is_told_before_it_reaches_it() -> None:
    told = subprocess.run(
        [sys.executable, "-c", REFUSED_FOR_REAL], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    short, enough = told.stdout.splitlines()
    assert short.startswith("60 lines over 4,000 steps, recorded, take 23")
    assert "MB are available: cut the market" in short
    assert enough.startswith("Result(")
    tried("load", "processes with a limit of memory that were told before they reached it")


# -- estimates hold ------------------------------------------------------------------------------------------


@pytest.mark.skipif(not STATM.exists(), reason="the system has no /proc")
@pytest.mark.parametrize("what", MEASURED)
def test_estimates_are_near_what_is_measured(what: str) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        measured, estimated = alone.submit(footprint, what).result()
    assert 0.7 < measured / estimated < 1.5, (measured, estimated)
    tried("load", "estimates of memory held to what was measured")


# -- large ---------------------------------------------------------------------------------------------------


def seconds() -> float:
    """Seconds of a processor that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def note_memory() -> None:
    """Note what this process has had resident at most."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reached(
        "load", "GB of memory at most", round(kilobytes * (1024 if sys.platform == "linux" else 1) / 1e9, 1)
    )


@ep.strategy
def rotation(market: ep.Market, *, lookback: int = 60, every: int = 20) -> pd.DataFrame:
    """The better half of all lines, in equal parts."""
    closes = (market.grid["phase"] == "close").to_numpy()
    prices = market.price[closes].groupby(market.grid["session"].to_numpy()[closes]).last().ffill()
    ranks = prices.pct_change(lookback, fill_method=None).iloc[lookback::every].rank(axis=1, pct=True)
    better = (ranks > 0.5).astype(float)
    return better.div(better.sum(axis=1), axis=0)


def work_on_many(
    each: int, pairs: int, start: str, folder: Path, documents: tuple[str, ...]
) -> dict[str, float]:
    """Write prices of so many lines, do with them what is done with ten, and tell how long each took."""
    files, listings = many_lines(each, pairs, start, "2024-12-31")
    (folder / "prices").mkdir()
    for symbol, table in files.items():
        table.to_csv(folder / "prices" / f"{symbol}.csv", index=False)
    taken = {"loading": seconds()}
    market = ep.load_market(folder / "prices", listings=listings)
    taken |= {"loading": seconds() - taken["loading"], "a rotation": seconds()}
    assert (len(market.symbols), len(market.pairs)) == (2 * each, pairs)
    assert max(map(len, market.notes)) < 400
    result = ep.backtest(market, rotation, check=True)
    taken |= {"a rotation": seconds() - taken["a rotation"], "its report": seconds()}
    assert len(result.by_instrument()) >= each
    for name in documents:
        assert result.report(folder / name).stat().st_size < 5e6
    taken |= {"its report": seconds() - taken["its report"]}
    result.export(folder / "tables", "parquet")
    pd.testing.assert_series_equal(
        ep.read_export(folder / "tables")["equity"].squeeze(),
        result.equity,
        check_freq=False,
        check_names=False,
    )
    taken |= {"pairs": seconds()}
    held = ep.backtest(market, ep.LongHKShortADR(weight=0.6 / pairs), check=True)
    assert len(held.lines.pairs) == pairs
    assert len(held.by_pair()) >= pairs // 2
    taken |= {"pairs": seconds() - taken["pairs"], "a check of the files": seconds()}
    found = ep.check_data(folder / "prices", listings=listings)
    assert found.loads
    taken |= {"a check of the files": seconds() - taken["a check of the files"]}
    reached("load", "instruments in one backtest", len(market.symbols))
    reached("load", "linked pairs in one backtest", pairs)
    reached("load", "files in one folder", len(files))
    note_memory()
    return {f"{what}, {2 * each:,} lines over {len(market):,} steps": used for what, used in taken.items()}


def test_a_few_lines_as_a_thousand(tmp_path: Path) -> None:
    work_on_many(8, 6, "2024-01-02", tmp_path, ())


@pytest.mark.slow
def test_a_thousand_lines(tmp_path: Path) -> None:
    taken = work_on_many(500, 300, "2017-12-14", tmp_path, ("run.html", "run.pdf"))
    for what, used in taken.items():
        reached("load", f"seconds of a processor, {what}", round(used))


def work_on_minutes(end: str, symbols: list[str] | None) -> ep.Market:
    """Bars of a minute from the beginning of 2021, held to what the days say at their closes."""
    days = daily_files(ep.simulate_market("2021-01-04", end, symbols=symbols))
    market = ep.load_market(minute_files(days, 1))
    result = ep.backtest(market, ep.LongHKShortADR(lookback=10), check=True)
    assert result.record.counts[0] > 0
    same = ep.backtest(ep.load_market(days), ep.LongHKShortADR(lookback=10))
    assert len(result.fills) == len(same.fills)
    assert result.equity.iloc[-1] == pytest.approx(same.equity.iloc[-1], rel=1e-3)
    return market


@pytest.mark.slow
def test_a_year_of_minutes() -> None:
    market = work_on_minutes("2021-12-31", [*SYMBOLS, "MCHI", "CHIQ", "0700.HK", "1398.HK"])
    reached("load", "steps in one backtest", len(market))
    note_memory()


def test_symbols_that_are_alike_are_found_among_many_at_once() -> None:
    from types import SimpleNamespace

    from entrepot.markets.checks.prices import copies

    dates = pd.bdate_range("2022-01-03", periods=500)
    prices = np.random.default_rng(0).uniform(10.0, 20.0, (400, 500)).round(3)
    prices[333] = prices[44]
    sheets: Any = [
        SimpleNamespace(symbol=f"S{i}", origin=f"S{i}.csv", closes=pd.Series(row, dates))
        for i, row in enumerate(prices)
    ]
    began = seconds()
    assert [found.what for found in copies(sheets)] == [
        "S333 and S44 have the same close on 500 of 500 dates"
    ]
    assert seconds() - began < 3.0  # each pair by itself takes half a minute


@contextmanager
def interrupted_at(folder: Path, chunks: int) -> Iterator[None]:
    """Press Ctrl-C, once, when so many chunks are kept."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            if len(list(folder.glob("chunk-*.parquet"))) >= chunks:
                os.kill(os.getpid(), signal.SIGINT)
                return

    # Where tests run in the background, their shell may have it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGINT, before)


def test_files_of_a_folder_are_not_each_compared_with_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from entrepot.markets import price_files

    for number in range(300):
        (tmp_path / f"S{number}.csv").touch()
    (tmp_path / "notes.txt").touch()
    equal, compared = PurePath.__eq__, count()
    monkeypatch.setattr(price_files, "read_file", lambda path, unended: pd.DataFrame())
    monkeypatch.setattr(PurePath, "__eq__", lambda one, two: next(compared) >= 0 and equal(one, two))
    notes: list[str] = []
    assert len(price_files.read_folder(tmp_path, notes)) == 300
    assert notes == ["notes.txt was not read: it is neither CSV nor Parquet."]
    assert next(compared) < 1000


def work_on_configurations(
    weights: int, chunk: int, interrupt: int, folder: Path, poor: Callable[[float], None]
) -> float:
    """Sweep a thousand configurations for each weight, interrupted once; return the processor's seconds."""
    market = ep.simulate_market("2023-01-03", "2023-12-29", symbols=["BABA", "9988.HK"])
    grid = {
        "entry": np.linspace(0.5, 3.0, 20),
        "exit": np.linspace(0.0, 0.4, 10),
        "lookback": range(20, 25),
        "weight": np.linspace(0.01, 0.5, weights),
    }
    total = 1000 * weights

    def swept_on() -> ep.Sweep:
        strategy = ep.LongHKShortADR()
        return ep.sweep(market, strategy, grid, progress=False, checkpoint=folder, chunk=chunk)

    began = seconds()
    with interrupted_at(folder, interrupt):
        stopped = swept_on()
    assert not stopped.complete
    assert len(stopped.table) < total
    swept = swept_on()
    used = seconds() - began
    assert swept.complete
    assert len(swept.table) == total
    assert len(list(folder.glob("chunk-*.parquet"))) == -(-total // chunk)
    pd.testing.assert_frame_equal(stopped.table, swept.table.loc[stopped.table.index], check_exact=True)
    for row in (0, total // 8, total - 1):
        figures = swept.backtest(row).summary()
        for name in ("Total Return [%]", "Sharpe Ratio", "Total Costs"):
            np.testing.assert_allclose(swept.table.at[row, name], figures[name], rtol=1e-9)
    part = swept.select(lookback=20, entry=[0.5, 3.0])
    assert len(part.table) == 20 * weights
    assert len(part.best("return", n=10)) == 10
    swept.heatmap("entry", "exit")
    again = swept_on()
    pd.testing.assert_frame_equal(again.table, swept.table, check_exact=True)
    poor(1000.0 * total)
    with pytest.raises(
        ParameterError, match=rf"^{total:,} configurations over 250 sessions take .* give fewer"
    ):
        swept.significance(progress=False)
    reached("load", "configurations in one sweep", total)
    note_memory()
    return used


def test_some_configurations_as_a_million(tmp_path: Path, poor: Callable[[float], None]) -> None:
    work_on_configurations(2, 64, 1, tmp_path, poor)


@pytest.mark.slow
def test_a_million_configurations(tmp_path: Path, poor: Callable[[float], None]) -> None:
    used = work_on_configurations(1000, 512, 600, tmp_path, poor)
    reached("load", "seconds of a processor, a sweep of a million configurations over 986 steps", round(used))


def test_costs_given_as_tables_and_sets_are_said_in_a_report(pair: ep.Market, tmp_path: Path) -> None:
    caps = pd.DataFrame({"BABA": 1e6, "9988.HK": 1e6}, [pd.Timestamp("2022-01-03")])
    for states, said in ((frozenset(), "none"), (None, "those the regime path calls stressed")):
        costs = ep.Costs(max_fill_shares=caps, stress_states=states)
        page = (
            ep.backtest(pair, ep.LongHKShortADR(), costs=costs)
            .report(tmp_path / "run.html")
            .read_text("utf-8")
        )
        assert "a table of 1 rows, given" in page
        assert f"stress_states</th><td>{said}</td>" in page.replace(' class="one"', "")


# -- soak ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not STATM.exists(), reason="the system has no /proc")
@pytest.mark.parametrize(
    ("keep", "told"),
    [
        (lambda: np.zeros(12_500).tobytes(), ["in_use"]),  # 100 kB, of malloc's
        (lambda: pa.array(np.zeros(12_500)).cast("float32"), ["in_use"]),  # 50 kB, of Arrow's
        (lambda: [object() for _ in range(500)], ["objects"]),
        (lambda: None, []),
    ],
    ids=["of malloc's", "of Arrow's", "objects", "nothing"],
)
def test_a_soak_that_keeps_something_of_every_round_says_so(
    keep: Callable[[], object], told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[object] = []

    def job(world: object) -> int:
        kept.append(keep())
        return 0

    monkeypatch.setattr("robustness.soak.LEAST_ROUNDS", 8)
    soak = Soak(tmp_path, seeds=(7,), jobs=(job,))
    for _ in range(12):
        soak.round()
    assert [fault.split(":")[0] for fault in soak.faults()] == told


@pytest.mark.slow
@pytest.mark.skipif(not STATM.exists(), reason="the system has no /proc")
def test_two_rounds_of_the_soak_are_alike_and_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    # The others take longest, and are done twice by tests of their own.
    quick = ("simulate", "load", "run", "batch", "sweeps", "export")
    jobs = tuple(job for job in JOBS if job.__name__ in quick)
    soak = Soak(tmp_path, start="2021-07-01", seeds=(7,), jobs=jobs)
    for _ in range(2):
        soak.round()
    assert list(soak.faults()) == []
    assert soak.compared == [2 * len(jobs)]
