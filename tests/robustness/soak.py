"""Run the main jobs over and over for hours: the same seed gives the same bits, and nothing piles up.

Each round does every job on the market of one seed. What a job returns is held against the first round of
that seed; memory, open files, threads, temporary files and open figures are measured after each round. A leak
is looked for in what the process has asked for and not given back, which is counted to the byte: what is
resident wavers by tens of megabytes with what the allocator keeps and the system takes away. A signal
(SIGTERM, Ctrl-C) ends the run after the round that is under way; the tally is written all the same.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import logging
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a program, not by pytest

from naive_bars import daily_files
from tally import reached, tried

import entrepot as ep
from entrepot.engine.fingerprints import fingerprint
from entrepot.job import default_plan
from entrepot.provenance import NOT_DATA

LOG = logging.getLogger("soak")
SEEDS = tuple(range(101, 109))
SYMBOLS = [
    *["BABA", "9988.HK", "JD", "9618.HK", "NTES", "9999.HK", "BIDU", "9888.HK"],
    *["KWEB", "FXI", "ASHR", "CQQQ", "3033.HK", "0939.HK", "0883.HK", "0857.HK"],
]
# Growth of a round that ends a soak in an error: kB in use, and Python objects. Rounds waver by some hundred
# kB and some ten thousand objects, so that much less is not told apart in a few dozen of them.
MOST_GROWTH = {"in_use": 20.0, "objects": 200.0}
# What may be resident at the end, of what was at most in the first rounds that count.
MOST_RESIDENT = 1.25
# Rounds after the first of each seed that a slope needs.
LEAST_ROUNDS = 24


@dataclass(frozen=True)
class World:
    """What the jobs of a round work on."""

    seed: int
    start: str
    folder: Path

    @cached_property
    def market(self) -> ep.Market:
        return ep.simulate_market(self.start, "2022-06-30", seed=self.seed, symbols=SYMBOLS)

    @cached_property
    def events(self) -> ep.Events:
        return ep.load_events()

    @cached_property
    def path(self) -> ep.RegimePath:
        return ep.RegimeModel().walk_forward(self.market, self.events, progress=False)

    @cached_property
    def result(self) -> ep.Result:
        """A run with every cost there is."""
        costs = ep.Costs(
            impact=0.3,
            max_fill_shares=ep.share_of_volume(self.market, 0.1),
            short_sale_rules=True,
            fx_conversion="daily",
            debit_spread_pa=0.01,
            fee_bps=1.0,
        )
        plan = ep.scale_to_volatility(ep.LongHKShortADR(mode="convergence"), target=0.1)
        return ep.backtest(self.market, plan, path=self.path, costs=costs, check=True)

    @cached_property
    def swept(self) -> ep.Sweep:
        return self.sweep()

    def sweep(self, **options: Any) -> ep.Sweep:
        """The same configurations, however they are run."""
        grid = {"entry": [1.0, 1.5, 2.0], "lookback": [20, 40], "mode": ["convergence", "carry"]}
        return ep.sweep(
            self.market, ep.LongHKShortADR(), grid, path=self.path, progress=False, chunk=3, **options
        )


def contents(market: ep.Market) -> str:
    """A market by its numbers, not its label or notes."""
    return fingerprint(
        [v for k, v in vars(market).items() if k in market.__dataclass_fields__ and k not in NOT_DATA]
    )


def simulate(world: World) -> Any:
    return contents(world.market)


def load(world: World) -> Any:
    for symbol, table in daily_files(world.market).items():
        table.to_csv(world.folder / f"{symbol}.csv", index=False)
    market = ep.load_market(world.folder)
    checked = ep.check_data(world.folder)
    return contents(market), checked.findings


def walk(world: World) -> Any:
    fitted = ep.RegimeModel(
        tariff=ep.MarkovDetector(),
        delisting=ep.JumpDetector(),
        schedule=ep.Schedule(every=60, least=150),
    )
    again = fitted.walk_forward(world.market, world.events, progress=False)
    return [vars(path) for path in (world.path, again)]


def run(world: World) -> Any:
    result = world.result
    plain = ep.backtest(world.market, default_plan(world.path))
    return [
        [
            each.equity,
            each.fills,
            each.contributions,
            each.summary(),
            each.by_source(),
            each.by_regime(world.path),
        ]
        for each in (result, plain)
    ]


def batch(world: World) -> Any:
    market = world.market
    weights = np.full((8, len(market), len(market.symbols)), np.nan)
    steps = np.flatnonzero(market.decision_steps)
    rng = np.random.default_rng(world.seed)
    weights[:, steps[::20]] = rng.uniform(0.0, 0.1, (8, len(steps[::20]), len(market.symbols)))
    return ep.backtest_batch(market, weights, fee_bps=5.0, threads=2)


def sweeps(world: World) -> Any:
    there = world.sweep(checkpoint=world.folder / "checkpoint")
    again = world.sweep(checkpoint=world.folder / "checkpoint")
    for other in (there, again):
        pd.testing.assert_frame_equal(other.table, world.swept.table, check_exact=True)
    return world.swept.table, world.swept.equity(), world.swept.best("return")


def causal(world: World) -> Any:
    report = ep.check_causal(ep.LongHKShortADR(mode="convergence"), world.market, world.path, seed=world.seed)
    assert report.ok
    return str(report)


def studies(world: World) -> Any:
    study = ep.event_study(world.market, world.events, ["KWEB", "BABA"], placebos=50, seed=world.seed)
    monitor = ep.discount_monitor(world.market, window=200)
    study.plot()
    monitor.plot()
    return study.table, monitor.signal


def luck(world: World) -> Any:
    told = world.swept.significance(
        draws=100, blocks=8, train=200, test=60, placebos=1, events=world.events, progress=False
    )
    told.report(world.folder / "luck.html")
    return told.table, told.verdict


def reports(world: World) -> Any:
    html, pdf, sheet = (world.folder / name for name in ("run.html", "run.pdf", "sheet.png"))
    for path in (html, pdf):
        world.result.report(path, events=world.events)
    world.result.tear_sheet(sheet, events=world.events)
    return html.read_bytes(), sheet.read_bytes(), pdf.read_bytes()


def export(world: World) -> Any:
    tables = []
    for format in ("csv", "parquet"):
        folder = world.result.export(world.folder / format, format, events=world.events)
        read = ep.read_export(folder)
        tables.append({name: read[name] for name in read})
    for name in tables[0]:
        pd.testing.assert_frame_equal(tables[0][name], tables[1][name], check_exact=True)
    return tables[0]


JOBS: tuple[Callable[[World], Any], ...] = (
    simulate, load, walk, run, batch, sweeps, causal, studies, luck, reports, export,
)  # fmt: skip


class Mallinfo2(ctypes.Structure):
    """What malloc tells of itself; see mallinfo(3)."""

    _fields_: ClassVar = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def given_out() -> int:
    """Bytes that Arrow, which has an allocator of its own, and glibc have given out and not got back."""
    arrow = int(pa.total_allocated_bytes())
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo is None:
        return arrow
    mallinfo.restype = Mallinfo2
    told = mallinfo()
    return arrow + int(told.uordblks + told.hblkhd)


@dataclass(frozen=True)
class Held:
    """What the process holds after a round."""

    hours: float
    memory: float  # resident, MB
    in_use: float  # what malloc and Arrow have given out, kB
    objects: int  # blocks that Python has given out
    files: int
    threads: int
    temporary: int
    figures: int


@dataclass(frozen=True)
class Soak:
    """Rounds so far.

    Args:
        temporary: where temporary files of the process go.
        start: first date of the markets: the later, the shorter the rounds.
        seeds: gone through in turn.
        jobs: of each round.
    """

    temporary: Path
    start: str = "2021-01-04"
    seeds: tuple[int, ...] = SEEDS
    jobs: tuple[Callable[[World], Any], ...] = JOBS
    began: float = field(default_factory=time.monotonic)
    first: dict[tuple[int, str], str] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    compared: list[int] = field(default_factory=lambda: [0])

    def round(self) -> None:
        """Do every job on the next seed, and hold what comes out against its first round."""
        seed = self.seeds[len(self.held) % len(self.seeds)]
        with tempfile.TemporaryDirectory() as folder:
            world = World(seed, self.start, Path(folder))
            for job in self.jobs:
                came = fingerprint(job(world))
                expected = self.first.setdefault((seed, job.__name__), came)
                if came != expected:
                    raise SystemExit(f"{job.__name__} of the seed {seed} differs from its first round")
                self.compared[0] += 1
            del world
        self.held.append(self.measure())

    def measure(self) -> Held:
        """What the process holds once what is garbage is gone; figures of the round are closed first."""
        import matplotlib.pyplot as plt

        plt.close("all")
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return Held(
            (time.monotonic() - self.began) / 3600,
            pages * resource.getpagesize() / 1e6,
            given_out() / 1e3,
            sys.getallocatedblocks(),
            len(os.listdir("/proc/self/fd")),
            threading.active_count(),
            len(list(self.temporary.rglob("*"))),
            len(plt.get_fignums()),
        )

    @property
    def settled(self) -> list[Held]:
        """Rounds after the warm-up, in which each seed comes once and what is kept for later is made."""
        return self.held[max(len(self.seeds), len(self.held) // 5) :]

    def growth(self, name: str) -> float:
        """Median slope of a measure over all pairs of rounds after the warm-up (Theil-Sen), a round."""
        from scipy.stats import theilslopes

        return float(theilslopes([getattr(h, name) for h in self.settled]).slope)

    def faults(self) -> Iterator[str]:
        """What piles up."""
        if len(self.settled) >= LEAST_ROUNDS:
            for name, most in MOST_GROWTH.items():
                if (growth := self.growth(name)) > most:
                    yield f"{name}: {growth:.1f} more a round, at most {most:g} are allowed"
            first = max(h.memory for h in self.settled[: len(self.seeds)])
            if self.held[-1].memory > MOST_RESIDENT * first:
                yield f"memory: {first:.0f} MB in the first rounds, {self.held[-1].memory:.0f} at the end"
        for name in ("files", "threads", "temporary", "figures"):
            counts = [getattr(h, name) for h in self.held]
            if len(counts) > 1 and counts[-1] > max(counts[:2]):
                yield f"{name}: {counts[0]} after the first round, {counts[-1]} after the last"

    def table(self) -> pd.DataFrame:
        """What was held after each round."""
        return pd.DataFrame([vars(h) for h in self.held], index=range(1, len(self.held) + 1)).rename_axis(
            "round"
        )

    def count(self) -> None:
        """Write to the tally how far it went."""
        tried("load", "results of a soak that were the first round's to the bit", self.compared[0])
        reached("load", "rounds of soak", len(self.held))
        reached("load", "hours of soak", round(self.held[-1].hours, 2))
        if len(self.settled) >= LEAST_ROUNDS:
            growth = max(0.0, round(self.growth("in_use"), 2))
            reached("load", "growth of memory in use over the soak", growth, "kB a round")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0, help="how long; rounds are not cut short")
    parser.add_argument("--report", type=float, default=300.0, help="seconds between two lines of the log")
    given = parser.parse_args()
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ended.set())
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    LOG.info("entrepot from %s, process %d", ep.__file__, os.getpid())
    with tempfile.TemporaryDirectory(prefix="soak.") as temporary:
        tempfile.tempdir = temporary
        soak = Soak(Path(temporary))
        told = -given.report
        while not ended.is_set() and time.monotonic() - soak.began < given.hours * 3600:
            soak.round()
            if time.monotonic() - told >= given.report:
                told = time.monotonic()
                LOG.info("round %d: %s", len(soak.held), soak.held[-1])
        tempfile.tempdir = None
    LOG.info(soak.table().iloc[:: max(1, len(soak.held) // 40)].round(3).to_string())
    if len(soak.settled) > 1:
        LOG.info(
            "%.2f kB and %.1f objects more a round over %d rounds",
            *map(soak.growth, MOST_GROWTH),
            len(soak.settled),
        )
    if faults := list(soak.faults()):
        raise SystemExit("; ".join(faults))
    soak.count()


if __name__ == "__main__":
    main()
