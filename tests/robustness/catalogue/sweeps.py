"""Sweeps that have no configuration, grids without end, and checkpoint folders that hold something else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from robustness.cases import Case
from robustness.small import market, other_market, path, swept

import entrepot as ep
from entrepot.errors import DataError, EntrepotError, ParameterError

PAIRS = ep.LongHKShortADR()
GRID = {"lookback": [10, 20]}


def sweep(grid: Any = GRID, strategy: Any = PAIRS, on: Any = None, **terms: Any) -> ep.Sweep:
    return ep.sweep(market() if on is None else on, strategy, grid, **({"progress": False} | terms))


@cache
def whole() -> dict[str, bytes]:
    """The files of a finished checkpoint."""
    with TemporaryDirectory() as folder:
        sweep(checkpoint=folder, chunk=1)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def checkpoint(folder: Path, spoil: Callable[[Path], object], **terms: Any) -> ep.Sweep:
    """Sweep into the folder of a finished sweep, spoilt."""
    for name, content in whole().items():
        (folder / name).write_bytes(content)
    spoil(folder)
    return sweep(**({"checkpoint": folder, "chunk": 1} | terms))


def chunk(folder: Path) -> Path:
    return folder / "chunk-000001.parquet"


def edited(folder: Path, **changes: Any) -> None:
    """Change what the head of a checkpoint says."""
    head = folder / "sweep.json"
    head.write_text(json.dumps(json.loads(head.read_text()) | changes))


def nudged(folder: Path) -> None:
    """Another Sharpe ratio in a chunk that is otherwise as it was, what it says of itself included."""
    table = pq.read_table(chunk(folder))
    place = table.column_names.index("Sharpe Ratio")
    higher = pa.array(table.column(place).to_numpy() + 1.0)
    pq.write_table(table.set_column(place, "Sharpe Ratio", higher), chunk(folder))


def swapped(folder: Path) -> None:
    """Two chunks under each other's names."""
    first, second = folder / "chunk-000000.parquet", chunk(folder)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def in_place(path: Path) -> None:
    """A folder where a file was."""
    path.unlink()
    path.mkdir()


# What is swept, what refuses it, and what is told.
BAD_SWEEPS: dict[str, tuple[Callable[[], Any], type[EntrepotError], str]] = {
    "no market": (lambda: sweep(on=5), ParameterError, "the market is a int"),
    "a class": (
        lambda: sweep(strategy=ep.LongHKShortADR),
        ParameterError,
        "the strategy is the class LongHKShortADR",
    ),
    "no strategy": (lambda: sweep(strategy=None), ParameterError, "the strategy is None"),
    "strategies in an empty list": (lambda: sweep(strategy=[]), ParameterError, "no strategy was given"),
    "strategies by name and none": (lambda: sweep(strategy={"a": 5}), ParameterError, "the strategy is 5"),
    "a frame of weights": (
        lambda: sweep(strategy=pd.DataFrame({"BABA": [0.5]})),
        ParameterError,
        "the strategy is a DataFrame",
    ),
    "no parameters": (lambda: sweep({}), ParameterError, "there are no parameters"),
    "parameters in a word": (lambda: sweep("lookback"), ParameterError, "parameters is 'lookback'"),
    "parameters in nothing": (lambda: sweep(None), ParameterError, "parameters is None"),
    "parameters in a number": (lambda: sweep(3), ParameterError, "parameters is 3"),
    "parameters in a set": (lambda: sweep({"lookback"}), ParameterError, "parameters is {'lookback'}"),
    "parameters in a generator": (
        lambda: sweep({"lookback": n} for n in range(3)),
        ParameterError,
        "parameters is <generator object <lambda>.<locals>.<genexpr> at",
    ),
    "no configurations": (lambda: sweep([]), ParameterError, "parameters is []"),
    "a configuration in words": (
        lambda: sweep(["lookback"]),
        ParameterError,
        "a configuration is 'lookback'",
    ),
    "a configuration of pairs": (
        lambda: sweep([("lookback", 10)]),
        ParameterError,
        "a configuration is ('lookback', 10)",
    ),
    "one value": (lambda: sweep({"lookback": 10}), ParameterError, "lookback is 10"),
    "a word for values": (lambda: sweep({"mode": "convergence"}), ParameterError, "mode is 'convergence'"),
    "no values": (lambda: sweep({"lookback": []}), ParameterError, "lookback has no values"),
    "a used generator": (lambda: sweep({"lookback": iter([])}), ParameterError, "lookback has no values"),
    "an unknown parameter": (
        lambda: sweep({"lookbak": [10]}),
        ParameterError,
        "LongHKShortADR has no parameter 'lookbak', did you mean",
    ),
    "a parameter of another strategy": (
        lambda: sweep({"top": [1, 2]}),
        ParameterError,
        "LongHKShortADR has no parameter 'top'",
    ),
    "a parameter named as a figure": (
        lambda: sweep({"Turnover": [1.0]}, ep.strategy(lambda market, Turnover=1.0: None)),
        ParameterError,
        "a parameter is named 'Turnover', as a column of the sweep's table is",
    ),
    "a parameter named as what is refused": (
        lambda: sweep([{"Refused": 1.0}], ep.strategy(lambda market, Refused=1.0: None)),
        ParameterError,
        "a parameter is named 'Refused', as a column of the sweep's table is",
    ),
    "a parameter named as the number": (
        lambda: sweep({"configuration": [1.0]}, ep.strategy(lambda market, configuration=1.0: None)),
        ParameterError,
        "a parameter is named 'configuration', as a column of the sweep's table is",
    ),
    "a part that is a class": (
        lambda: sweep({"mode.__class__.x": [1.0]}),
        ParameterError,
        "str has no part '__class__'",
    ),
    "a class of a dataclass as part": (
        lambda: sweep({"__class__.lookback": [10]}),
        ParameterError,
        "LongHKShortADR has no part '__class__'",
    ),
    "a part there is not": (
        lambda: sweep({"calm.entry": [1.0]}),
        ParameterError,
        "LongHKShortADR has no part 'calm'",
    ),
    "a parameter without a name": (
        lambda: sweep({"": [1.0]}),
        ParameterError,
        "LongHKShortADR has no parameter ''",
    ),
    "a parameter that is a number": (
        lambda: sweep({5: [1.0]}),
        ParameterError,
        "LongHKShortADR has no parameter '5'",
    ),
    "a strategy there is not": (
        lambda: sweep([{"strategy": "b", "lookback": 10}], {"a": PAIRS}),
        ParameterError,
        "a configuration has the strategy 'b'",
    ),
    "a strategy there is not, by name": (
        lambda: sweep({"strategy": ["a", "b"], "lookback": [10]}, {"a": PAIRS}),
        ParameterError,
        "a configuration has the strategy 'b'",
    ),
    "strategies in a list of lists": (
        lambda: sweep([{"strategy": ["a"]}], {"a": PAIRS}),
        ParameterError,
        "a configuration has the strategy ['a']",
    ),
    "a strategy for one that has no part": (
        lambda: sweep({"strategy": ["a"]}),
        ParameterError,
        "LongHKShortADR has no parameter 'strategy'",
    ),
    "a word for the part named strategy": (
        lambda: sweep({"strategy": ["a"]}, ep.cap(PAIRS, gross=1.0)),
        ParameterError,
        "strategy is 'a'",
    ),
    "values in a set": (
        lambda: sweep({"mode": {"convergence", "carry"}}),
        ParameterError,
        "mode is a set, which has no order: give its values in a list",
    ),
    "values in a frozen set": (
        lambda: sweep({"lookback": frozenset({10, 20})}),
        ParameterError,
        "lookback is a frozenset, which has no order",
    ),
    "values that are all refused": (lambda: sweep({"lookback": [-1, 0]}), ParameterError, "lookback is -1"),
    "values that are no numbers": (
        lambda: sweep({"entry": [np.nan, np.inf]}),
        ParameterError,
        "entry is nan",
    ),
    "values that no float holds": (lambda: sweep({"entry": [10**400]}), ParameterError, "entry is"),
    "values of more than 64 bits": (lambda: sweep({"entry": [2**64]}), ParameterError, "entry is 1844"),
    "values that cannot be hashed": (lambda: sweep({"entry": [[1.0], {}]}), ParameterError, "entry is [1.0]"),
    "values in words": (lambda: sweep({"lookback": ["10", "20"]}), ParameterError, "lookback is '10'"),
    "a grid of 10**12": (
        lambda: sweep({"lookback": range(10, 10**6), "entry": range(1, 10**6)}),
        ParameterError,
        "999,989,000,010 configurations",
    ),
    "a grid of 10**24": (
        lambda: sweep({n: range(10**6) for n in ("lookback", "entry", "exit", "weight")}),
        ParameterError,
        "1,000,000,000,000,000,000,000,000 configurations",
    ),
    "values without end": (
        lambda: sweep({"lookback": count(10)}),
        ParameterError,
        "lookback has more than 2,000,000 values",
    ),
    "both path and model": (
        lambda: sweep(path=path(), model=ep.RegimeModel(), events=ep.load_events()),
        ParameterError,
        "both path and model were given",
    ),
    "a model without events": (
        lambda: sweep(model=ep.RegimeModel()),
        ParameterError,
        "parameters of the regime model need model= and events=",
    ),
    "events without a model": (
        lambda: sweep(events=ep.load_events()),
        ParameterError,
        "parameters of the regime model need model= and events=",
    ),
    "parameters of no model": (
        lambda: sweep({"model.delisting.threshold": [1.0]}),
        ParameterError,
        "parameters of the regime model need model= and events=",
    ),
    "parameters of a model's part there is not": (
        lambda: sweep({"model.weather.threshold": [1.0]}, model=ep.RegimeModel(), events=ep.load_events()),
        ParameterError,
        "RegimeModel has no part 'weather'",
    ),
    "a model in words": (
        lambda: sweep(model="threshold", events=ep.load_events()),
        ParameterError,
        "model is 'threshold'",
    ),
    "events in a frame": (
        lambda: sweep(model=ep.RegimeModel(), events=ep.load_events().frame),
        ParameterError,
        "walk_forward was given a Market and a DataFrame",
    ),
    "a path of another market": (
        lambda: sweep({"mode": ["delisting_hedge"]}, on=other_market(), path=path()),
        ParameterError,
        "the regime path has 324 steps and the market 318",
    ),
    "a path in words": (lambda: sweep(path="calm"), ParameterError, "the path is a str"),
    "something like a path": (
        lambda: sweep(path=SimpleNamespace(states=path().states, names=None)),
        ParameterError,
        "the path is a SimpleNamespace",
    ),
    "no chunk": (lambda: sweep(chunk=0), ParameterError, "chunk is 0"),
    "half a chunk": (lambda: sweep(chunk=2.5), ParameterError, "chunk is 2.5"),
    "a truth as chunk": (lambda: sweep(chunk=True), ParameterError, "chunk is True"),
    "capital of nothing": (lambda: sweep(capital=0), ParameterError, "capital is 0"),
    "capital that no float holds": (lambda: sweep(capital=10**400), ParameterError, "capital is"),
    "costs in a number": (lambda: sweep(costs=5), ParameterError, "costs is 5"),
    "a currency without rates": (
        lambda: sweep(base_currency="EUR"),
        ParameterError,
        "base_currency is 'EUR'",
    ),
    "an executor that is none": (lambda: sweep(executor=5), ParameterError, "executor is 5"),
    "an executor's class": (lambda: sweep(executor=type), ParameterError, "executor is <class 'type'>"),
    "a checkpoint in a number": (lambda: sweep(checkpoint=5), ParameterError, "the path is 5"),
    "a checkpoint without a name": (lambda: sweep(checkpoint=""), ParameterError, "the path is ''"),
    "a checkpoint with a zero byte": (
        lambda: sweep(checkpoint="a\0b"),
        ParameterError,
        "the path is 'a\\x00b'",
    ),
    "a checkpoint below a file": (
        lambda: sweep(checkpoint="/dev/null/kept"),
        DataError,
        "the checkpoint folder /dev/null/kept cannot be used",
    ),
    "a checkpoint of what cannot be told": (
        lambda: sweep(
            {"rows": [(n for n in range(3))]},
            ep.strategy(lambda market, rows=None: market.price * 0),
            checkpoint="kept",
        ),
        ParameterError,
        "the grid holds or reads a generator, whose contents cannot be told",
    ),
    "progress in words": (lambda: sweep(progress="yes"), ParameterError, "progress is 'yes'"),
}

# What is asked of a sweep that was run.
BAD_QUESTIONS: dict[str, tuple[Callable[[], Any], type[EntrepotError], str]] = {
    "an unknown figure": (
        lambda: swept().best("sharp"),
        ParameterError,
        "'sharp' is no figure of this sweep",
    ),
    "a parameter as figure": (
        lambda: swept().best("lookback"),
        ParameterError,
        "'lookback' is no figure of this sweep",
    ),
    "a list of figures": (
        lambda: swept().best(["sharpe"]),
        ParameterError,
        "['sharpe'] is no figure of this sweep",
    ),
    "the best none": (lambda: swept().best(n=0), ParameterError, "n is 0"),
    "the best in words": (lambda: swept().best(n="3"), ParameterError, "n is '3'"),
    "an unknown parameter to select": (
        lambda: swept().select(depth=3),
        ParameterError,
        "depth is no parameter of this sweep",
    ),
    "values to select without end": (
        lambda: swept().select(lookback=count()),
        ParameterError,
        "lookback has more than 2,000,000 values",
    ),
    "a run on another path": (
        lambda: swept().backtest(0, path=path()),
        ParameterError,
        "path was given and is the sweep's own: leave it out",
    ),
    "a run on another market": (
        lambda: swept().backtest(0, market=market()),
        ParameterError,
        "market was given and is the sweep's own",
    ),
    "a run of another plan": (
        lambda: swept().backtest(0, plan=PAIRS),
        ParameterError,
        "plan was given and is the sweep's own",
    ),
    "a run with an unknown option": (
        lambda: swept().backtest(0, cost=ep.Costs()),
        ParameterError,
        "Sweep.backtest has no parameter 'cost', did you mean costs?",
    ),
    "significance of nothing": (
        lambda: swept().select(lookback=99).significance(progress=False),
        ParameterError,
        "this sweep's table has no configuration: select values that one of them has",
    ),
    "a row there is not": (
        lambda: swept().backtest(99),
        ParameterError,
        "99 is no row of this sweep's table",
    ),
    "a row in words": (
        lambda: swept().plan("first"),
        ParameterError,
        "'first' is no row of this sweep's table",
    ),
    "half a row": (lambda: swept().path(0.5), ParameterError, "0.5 is no row of this sweep's table"),
    "rows there are not": (
        lambda: swept().returns([0, 99]),
        ParameterError,
        "99 is no row of this sweep's table",
    ),
    "no rows": (lambda: swept().returns([]), ParameterError, "no configuration was asked for"),
    "labels by something else": (lambda: swept().returns(by="name"), ParameterError, "by is 'name'"),
    "labels in a list": (lambda: swept().equity(by=["parameters"]), ParameterError, "by is ['parameters']"),
    "excess in words": (lambda: swept().returns(excess="yes"), ParameterError, "excess is 'yes'"),
    "a map over what is no parameter": (
        lambda: swept().heatmap("lookback", "depth"),
        ParameterError,
        "'depth' is no parameter of this sweep",
    ),
    "a map of what is no figure": (
        lambda: swept().heatmap("lookback", "entry", "beauty"),
        ParameterError,
        "'beauty' is no figure of this sweep",
    ),
    "a map in an unknown way": (
        lambda: swept().heatmap("lookback", "entry", aggregate="middle"),
        ParameterError,
        "aggregate is 'middle'",
    ),
    "a map of words": (
        lambda: swept().heatmap("lookback", "entry", aggregate=lambda rows: "a"),
        ParameterError,
        "aggregate gave 'a': give a function of a Series that returns a number",
    ),
    "a map of lists": (
        lambda: swept().heatmap("lookback", "entry", aggregate=lambda rows: list(rows)),
        ParameterError,
        "aggregate gave [",
    ),
    "a surface of nothing": (
        lambda: swept().surface("lookback", "entry", aggregate=lambda rows: None),
        ParameterError,
        "aggregate gave None",
    ),
    "a map of an unknown size": (
        lambda: swept().heatmap("lookback", "entry", size="poster"),
        ParameterError,
        "size is 'poster'",
    ),
    "a map of one parameter": (
        lambda: swept().heatmap("entry", "entry"),
        ParameterError,
        "entry was given twice",
    ),
    "a choice from no sessions": (lambda: swept().walk_forward(train=0), ParameterError, "train is 0"),
    "a choice from more sessions than there are": (
        lambda: swept().walk_forward(train=10_000),
        DataError,
        "81 sessions leave none to hold after 10000 to choose by and 1",
    ),
    "a choice by beauty": (
        lambda: swept().walk_forward(30, 10, "beauty"),
        ParameterError,
        "metric is 'beauty'",
    ),
    "a choice that looks ahead": (lambda: swept().walk_forward(30, 10, gap=-1), ParameterError, "gap is -1"),
    "significance of no draws": (
        lambda: swept().significance(draws=0, progress=False),
        ParameterError,
        "draws is 0",
    ),
    "significance of odd blocks": (
        lambda: swept().significance(blocks=7, progress=False),
        ParameterError,
        "blocks is 7",
    ),
    "significance of certainty": (
        lambda: swept().significance(confidence=1.0, progress=False),
        ParameterError,
        "confidence is 1.0",
    ),
    "significance of trials below none": (
        lambda: swept().significance(other_trials=-1, progress=False),
        ParameterError,
        "other_trials is -1",
    ),
    "significance of a seed in words": (
        lambda: swept().significance(seed="a", progress=False),
        ParameterError,
        "seed is 'a'",
    ),
    "significance against what is no series": (
        lambda: swept().significance(benchmark="KWEB", progress=False),
        ParameterError,
        "benchmark is 'KWEB'",
    ),
    "significance with placebos and no calendar": (
        lambda: swept().significance(placebos=2, progress=False),
        ParameterError,
        "placebos were asked for and this sweep follows no regime path",
    ),
}

# What has become of a checkpoint before it is taken up again.
BAD_CHECKPOINTS: dict[str, tuple[Callable[[Path], Any], type[EntrepotError], str]] = {
    "a truncated chunk": (
        lambda f: checkpoint(f, lambda f: chunk(f).write_bytes(chunk(f).read_bytes()[:900])),
        DataError,
        "cannot be read as a chunk of this sweep",
    ),
    "an empty chunk": (
        lambda f: checkpoint(f, lambda f: chunk(f).write_bytes(b"")),
        DataError,
        "cannot be read as a chunk of this sweep",
    ),
    "a chunk of text": (
        lambda f: checkpoint(f, lambda f: chunk(f).write_text("Sharpe Ratio,1.5")),
        DataError,
        "cannot be read as a chunk of this sweep",
    ),
    "a Parquet file of something else": (
        lambda f: checkpoint(f, lambda f: pd.DataFrame({"a": [1]}).to_parquet(chunk(f))),
        DataError,
        "cannot be read as a chunk of this sweep",
    ),
    "another figure in a chunk": (
        lambda f: checkpoint(f, nudged),
        DataError,
        "is not as this sweep wrote it",
    ),
    "two chunks swapped": (lambda f: checkpoint(f, swapped), DataError, "holds other configurations"),
    "a folder in place of a chunk": (
        lambda f: checkpoint(f, lambda f: in_place(chunk(f))),
        DataError,
        "is no plain file",
    ),
    "a head of garbage": (
        lambda f: checkpoint(f, lambda f: (f / "sweep.json").write_text("{")),
        DataError,
        "cannot be read",
    ),
    "a head of bytes": (
        lambda f: checkpoint(f, lambda f: (f / "sweep.json").write_bytes(b"\xff\xfe\x00")),
        DataError,
        "cannot be read",
    ),
    "a head that is a list": (
        lambda f: checkpoint(f, lambda f: (f / "sweep.json").write_text("[]")),
        DataError,
        "cannot be read",
    ),
    "a head that is nothing": (
        lambda f: checkpoint(f, lambda f: (f / "sweep.json").write_text("null")),
        DataError,
        "cannot be read",
    ),
    "a head nested without end": (
        lambda f: checkpoint(f, lambda f: (f / "sweep.json").write_text("[" * 100_000)),
        DataError,
        "cannot be read",
    ),
    "an empty head": (
        lambda f: checkpoint(f, lambda f: (f / "sweep.json").write_text("")),
        DataError,
        "cannot be read",
    ),
    "a folder in place of the head": (
        lambda f: checkpoint(f, lambda f: in_place(f / "sweep.json")),
        DataError,
        "cannot be read",
    ),
    "a head of another format": (
        lambda f: checkpoint(f, lambda f: edited(f, format="99")),
        ParameterError,
        "is of another sweep, its format differs",
    ),
    "a head of another version": (
        lambda f: checkpoint(f, lambda f: edited(f, **{"code version": "0"})),
        ParameterError,
        "is of another sweep, its code version differs",
    ),
    "a head of another market": (
        lambda f: checkpoint(f, lambda f: edited(f, market="0")),
        ParameterError,
        "is of another sweep, its market differs",
    ),
    "chunks without a head": (
        lambda f: checkpoint(f, lambda f: (f / "sweep.json").unlink()),
        DataError,
        "has chunks and no sweep.json",
    ),
    "a lock of another machine": (
        lambda f: checkpoint(f, lambda f: (f / "lock").write_text("1 elsewhere")),
        ParameterError,
        "another process is at work in",
    ),
    "another grid": (
        lambda f: checkpoint(f, lambda f: None, grid={"lookback": [10, 30]}),
        ParameterError,
        "is of another sweep, its grid differs",
    ),
    "other costs": (
        lambda f: checkpoint(f, lambda f: None, costs=ep.Costs(fee_bps=5)),
        ParameterError,
        "is of another sweep, its terms differs",
    ),
    "other capital": (
        lambda f: checkpoint(f, lambda f: None, capital=1e6),
        ParameterError,
        "is of another sweep, its terms differs",
    ),
    "another size of chunks": (
        lambda f: checkpoint(f, lambda f: None, chunk=2),
        ParameterError,
        "is of another sweep, its chunk size differs",
    ),
    "another strategy": (
        lambda f: checkpoint(f, lambda f: None, strategy=PAIRS.with_(weight=0.05)),
        ParameterError,
        "is of another sweep, its strategy differs",
    ),
    "a path besides": (
        lambda f: checkpoint(f, lambda f: None, path=path()),
        ParameterError,
        "is of another sweep, its regime path differs",
    ),
    "a file as folder": (lambda f: sweep(checkpoint=spoilt_file(f)), DataError, "cannot be used"),
    "a name that is too long": (lambda f: sweep(checkpoint=f / ("x" * 5000)), DataError, "cannot be used"),
}


def spoilt_file(folder: Path) -> Path:
    path = folder / "file"
    path.write_text("x")
    return path


CASES = [
    *(
        Case("sweeps", name, lambda f, call=call: call(), error, re.escape(words))
        for name, (call, error, words) in BAD_SWEEPS.items()
    ),
    *(
        Case("questions to a sweep", name, lambda f, call=call: call(), error, re.escape(words))
        for name, (call, error, words) in BAD_QUESTIONS.items()
    ),
    *(
        Case("checkpoints", name, call, error, re.escape(words))
        for name, (call, error, words) in BAD_CHECKPOINTS.items()
    ),
]
