"""Time the rebalancing loop against its peers: the same market, the same weights, the same equity.

Every configuration rebalances at every step to its own target weights, with shared cash and 10 bp of fees.
A run that disagrees by more than 1e-9 with the others is an error: nothing is timed before it is compared.
Each engine works in a process of its own, so that peak memory is its own. `--help` lists the options.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FEE = 1e-3
CAPITAL = 1_000_000.0
TOLERANCE = 1e-9
ENGINES = ("entrepot", "numpy loop", "vectorbt numba", "vectorbt rust", "bt")
# bt takes seconds for one configuration, vectorbt gigabytes for thousands.
MOST_CONFIGURATIONS = {"bt": 1, "vectorbt numba": 1000, "vectorbt rust": 1000}
MOST_CELLS = {"bt": 50_000}


def make_world(
    kind: str, configurations: int, steps: int, instruments: int
) -> tuple[pd.DataFrame, FloatArray]:
    """Return prices (steps x instruments) and weights (configurations, steps, instruments), always the same.

    The kinds `long` (weights of 0 or more that sum to 0.95) and `neutral` (sum 0, gross 1) keep cash from
    going negative, which is where vectorbt does what it was told. `full` (sum 1) and `levered` (sum 1.3) are
    outside: it cuts purchases.
    """
    rng = np.random.default_rng(7)
    minutes = steps > 20_000  # as days they would end after pandas' calendar
    moves = (0.00075 if minutes else 0.015) * rng.standard_normal((steps, instruments))
    times = pd.date_range("2015-01-01", periods=steps, freq="min" if minutes else "B", name="time")
    symbols = [f"S{i:02d}" for i in range(instruments)]
    prices = pd.DataFrame(100.0 * np.exp(np.cumsum(moves, axis=0)), index=times, columns=symbols)

    weights = rng.standard_normal((configurations, steps, instruments))
    # Signals that last about 20 days, or 50,000 minutes: fees at each minute would eat all there is.
    kept, new = (0.99998, 0.0063) if minutes else (0.95, 0.31)
    for t in range(1, steps):
        weights[:, t] = kept * weights[:, t - 1] + new * weights[:, t]
    for block in np.array_split(weights, max(1, configurations // 10)):  # in place, small temporaries
        if kind == "neutral":
            block -= block.mean(axis=2, keepdims=True)
            block /= np.abs(block).sum(axis=2, keepdims=True)
        else:
            net = {"long": 0.95, "full": 1.0, "levered": 1.3}[kind]
            np.exp(block, out=block)
            block *= net / block.sum(axis=2, keepdims=True)
    return prices, weights


def prepare_entrepot(prices: pd.DataFrame, weights: FloatArray) -> Callable[[], FloatArray]:
    """Return the call that is timed."""
    import entrepot as ep

    market = ep.Market.from_prices(prices)

    def run() -> FloatArray:
        equity = ep.backtest_batch(market, weights, capital=CAPITAL, fee_bps=FEE * 1e4, fill="same_step")
        return np.asarray(equity)

    return run


def prepare_vectorbt(prices: pd.DataFrame, weights: FloatArray, engine: str) -> Callable[[], FloatArray]:
    """Return the call that is timed; vectorbt's inputs, tiled prices and wide weights, exist before it."""
    import vectorbt as vbt

    configurations, steps, instruments = weights.shape
    columns = configurations * instruments
    close = np.tile(prices.to_numpy(), (1, configurations))
    size = np.ascontiguousarray(weights.transpose(1, 0, 2).reshape(steps, columns))
    groups = np.repeat(np.arange(configurations), instruments)

    def run() -> FloatArray:
        portfolio = vbt.Portfolio.from_orders(
            close,
            size,
            size_type="targetpercent",
            direction="both",
            price=np.inf,
            fees=FEE,
            fixed_fees=0.0,
            slippage=0.0,
            init_cash=CAPITAL,
            group_by=groups,
            cash_sharing=True,
            call_seq="auto",
            update_value=False,
            lock_cash=False,
            allow_partial=True,
            val_price=np.inf,
            ffill_val_price=True,
            freq="1D",
            engine=engine,
        )
        return np.asarray(portfolio.value()).reshape(steps, configurations)

    return run


def prepare_numpy(prices: pd.DataFrame, weights: FloatArray) -> Callable[[], FloatArray]:
    """Return the call that is timed: a loop over steps, all configurations at once in each."""
    quotes = prices.to_numpy()

    def run() -> FloatArray:
        configurations, steps, instruments = weights.shape
        cash, held = np.full(configurations, CAPITAL), np.zeros((configurations, instruments))
        equity = np.empty((steps, configurations))
        for t in range(steps):
            price = quotes[t]
            goal = weights[:, t] * (cash + held @ price)[:, None] / price
            traded = (goal - held) * price
            cash -= traded.sum(axis=1) + FEE * np.abs(traded).sum(axis=1)
            held = goal
            equity[t] = cash + held @ price
        return equity

    return run


def prepare_bt(prices: pd.DataFrame, weights: FloatArray) -> Callable[[], FloatArray]:
    """Return the call that is timed: one configuration, traded to the weight as the other engines do."""
    import bt

    targets = pd.DataFrame(weights[0], prices.index, prices.columns)

    class Trade(bt.Algo):  # type: ignore[misc]
        def __call__(self, target: Any) -> bool:
            value = target.value
            for symbol, weight in targets.loc[target.now].items():
                held = target.children[symbol].position if symbol in target.children else 0.0
                target.transact(weight * value / target.universe.at[target.now, symbol] - held, child=symbol)
            return True

    def run() -> FloatArray:
        made = bt.Backtest(
            bt.Strategy("peer", [bt.algos.RunDaily(run_on_last_date=True), Trade()]),
            prices,
            initial_capital=CAPITAL,
            integer_positions=False,
            commissions=lambda quantity, price: FEE * abs(quantity) * price,
            progress_bar=False,
        )
        made.run()
        return np.asarray(made.strategy.data["value"], dtype=np.float64)[1:, None]

    return run


def prepare(engine: str, prices: pd.DataFrame, weights: FloatArray) -> Callable[[], FloatArray]:
    """Return a call without arguments that gives the equity, (steps, configurations)."""
    if engine == "entrepot":
        return prepare_entrepot(prices, weights)
    if engine == "numpy loop":
        return prepare_numpy(prices, weights)
    if engine == "bt":
        return prepare_bt(prices, weights)
    return prepare_vectorbt(prices, weights, engine.removeprefix("vectorbt "))


def seconds_of(call: Callable[[], object], repeat: int) -> list[float]:
    """Time a call that has already run once."""
    taken = []
    for _ in range(repeat):
        gc.collect()
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return taken


def stream_seconds(weights: FloatArray, repeat: int) -> list[float]:
    """Time reading every weight once, on as many threads as there are processors: no engine can be faster."""
    from numba import njit

    # fastmath lets the sum vectorise; it is a floor of memory traffic, its value is not used
    @njit(nogil=True, fastmath=True)
    def total(values: FloatArray) -> float:
        out = 0.0
        for value in values:
            out += value
        return out

    threads = os.cpu_count() or 1
    parts = np.array_split(weights.reshape(-1), threads)
    with ThreadPoolExecutor(threads) as pool:

        def stream() -> list[float]:
            return list(pool.map(total, parts))

        stream()
        return seconds_of(stream, repeat)


def resident_bytes() -> int:
    """Memory this process holds now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_bytes() -> int:
    """Largest memory this process has held since `forget_peak`, or since it began where that does nothing."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def forget_peak() -> None:
    """Start a new peak, where the kernel offers it (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def work(
    engine: str, kind: str, shape: tuple[int, int, int], repeat: int, equity_file: Path
) -> dict[str, Any]:
    """Run one engine in this process: first call, peak memory of a warm call, then the times."""
    small = prepare(engine, *make_world(kind, 1, 30, shape[2]))
    start = time.perf_counter()
    small()  # compiles
    first = time.perf_counter() - start
    prices, weights = make_world(kind, *shape)
    run = prepare(engine, prices, weights)
    floor = stream_seconds(weights, max(repeat, 3)) if engine == "entrepot" else []
    if engine.startswith("vectorbt"):
        del weights  # it has its own layout of them
    gc.collect()
    before = resident_bytes()
    forget_peak()
    equity = run()
    memory = peak_bytes() - before
    np.save(equity_file, equity)
    del equity
    taken = seconds_of(run, repeat)
    return {"seconds": taken, "first_call": first, "memory": memory, "stream": floor}


def start_worker(
    engine: str, kind: str, shape: tuple[int, int, int], repeat: int, equity_file: Path
) -> dict[str, Any]:
    """Run `work` in a process of its own."""
    command = [sys.executable, __file__, "--worker", engine, "--kind", kind, "--shape", *map(str, shape)]
    command += ["--repeat", str(repeat), "--json", str(equity_file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"hot_loop: {engine} failed on {shape}, see above")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def disagreement(ours: FloatArray, theirs: FloatArray) -> float:
    """Largest relative difference of two equity arrays."""
    return float(np.max(np.abs(ours / theirs - 1.0)))


def measure(engines: list[str], kind: str, shape: tuple[int, int, int], repeat: int) -> list[dict[str, Any]]:
    """Compare the engines on one workload, then return their figures."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        reference: tuple[str, FloatArray] | None = None
        for engine in engines:
            if shape[0] > MOST_CONFIGURATIONS.get(engine, shape[0]) or np.prod(shape) > MOST_CELLS.get(
                engine, np.inf
            ):
                continue
            # vectorbt needs minutes for the largest shape
            short = engine == "entrepot" or np.prod(shape) < 2e7
            runs = 1 if engine == "bt" else repeat if short else min(repeat, 2)
            figures = start_worker(engine, kind, shape, runs, Path(folder) / "equity.npy")
            equity = np.load(Path(folder) / "equity.npy")
            if equity.shape != shape[1::-1]:
                raise SystemExit(
                    f"hot_loop: {engine} returned equity of shape {equity.shape}, not {shape[1::-1]}"
                )
            reference = reference or (engine, equity)
            difference = disagreement(equity, reference[1])
            if not difference < TOLERANCE:
                raise SystemExit(
                    f"hot_loop: {engine} and {reference[0]} differ by {difference:.1e} on {kind} {shape}"
                )
            best = min(figures["seconds"])
            rows.append(
                {
                    "engine": engine,
                    "kind": kind,
                    "configurations": shape[0],
                    "steps": shape[1],
                    "instruments": shape[2],
                    "best_s": best,
                    "median_s": median(figures["seconds"]),
                    "runs": len(figures["seconds"]),
                    "first_call_s": figures["first_call"],
                    "ns_per_cell": best * 1e9 / np.prod(shape),
                    "memory_mb": figures["memory"] / 1e6,
                    "stream_s": min(figures["stream"], default=None),
                    "difference": difference,
                }
            )
            print(f"{engine}, {kind}, {shape}: {best:.4g} s", file=sys.stderr)
    return rows


def describe_machine() -> dict[str, Any]:
    """What the figures depend on."""
    import psutil

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    packages = {}
    for name in ("numpy", "numba", "vectorbt", "vectorbt-rust"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "absent"
    return {
        "processor": processor,
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "packages": packages,
    }


def table(rows: list[dict[str, Any]], machine: dict[str, Any]) -> str:
    """Return the markdown that goes into the README."""
    lines = [
        "| configurations x steps x instruments | weights | engine | best (median) of n | ns per cell | "
        "times entrepot | memory beyond inputs |",
        "|---|---|---|---|---|---|---|",
    ]
    ours = {shape_of(row): row for row in rows if row["engine"] == "entrepot"}
    for row in rows:
        base = ours.get(shape_of(row))
        shape = f"{row['configurations']:,} x {row['steps']:,} x {row['instruments']}"
        seconds = f"{duration(row['best_s'])} ({duration(row['median_s'])}) of {row['runs']}"
        ratio = f"{row['best_s'] / base['best_s']:,.1f}" if base else ""
        lines.append(
            f"| {shape} | {row['kind']} | {row['engine']} | {seconds} | {row['ns_per_cell']:,.2f} | {ratio} "
            f"| {row['memory_mb']:,.0f} MB |"
        )
        if row["stream_s"]:
            per_cell = row["stream_s"] * 1e9 / (row["configurations"] * row["steps"] * row["instruments"])
            ratio = f"{row['stream_s'] / row['best_s']:,.2f}"
            lines.append(
                f"| {shape} | {row['kind']} | *reading the weights once* | {duration(row['stream_s'])} "
                f"| {per_cell:,.2f} | {ratio} | |"
            )
    worst = max(row["difference"] for row in rows)
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    lines += [
        "",
        f"{machine['processor']}, {machine['cpus']} CPUs, {machine['memory_gb']} GB, "
        f"Python {machine['python']}, {packages}. Load average at the start {machine['load']:.1f}. "
        f"The engines' equity differs by at most {worst:.0e}. Made by `benchmarks/hot_loop.py`.",
    ]
    return "\n".join(lines)


def shape_of(row: dict[str, Any]) -> tuple[object, ...]:
    """What the engines of one workload have in common."""
    return tuple(row[name] for name in ("kind", "configurations", "steps", "instruments"))


def duration(seconds: float) -> str:
    """Three significant digits with a unit."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} us"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one small shape")
    parser.add_argument(
        "--full", action="store_true", help="1,000 configurations too: 10 GB of memory for vectorbt"
    )
    parser.add_argument("--engines", default=",".join(ENGINES), help="a choice of: %(default)s")
    parser.add_argument("--repeat", type=int, default=5, help="timed runs (default %(default)s)")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--worker", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    parser.add_argument("--shape", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(
            json.dumps(work(options.worker, options.kind, tuple(options.shape), options.repeat, options.json))
        )
        return

    engines = options.engines.split(",")
    if unknown := sorted(set(engines) - set(ENGINES)):
        parser.error(f"unknown engine {', '.join(unknown)}: choose from {', '.join(ENGINES)}")
    workloads = [("long", (1, 2500, 20)), ("neutral", (1, 2500, 20)), ("long", (100, 2500, 20))]
    workloads.append(("neutral", (100, 2500, 20)))
    if options.quick:
        workloads = [("long", (20, 500, 20)), ("neutral", (20, 500, 20))]
    elif options.full:
        workloads += [
            ("neutral", shape)
            for shape in (
                (1, 2500, 200),
                (10, 2500, 1000),
                (1, 100_000, 20),
                (10_000, 250, 20),
                (1000, 2500, 20),
            )
        ]
    machine = describe_machine()
    rows = [row for kind, shape in workloads for row in measure(engines, kind, shape, options.repeat)]
    text = table(rows, machine)
    print(text)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(
            json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
