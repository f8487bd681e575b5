"""Sweeps: every row is the recorded run of its configuration, whatever runs it and however it ends."""

from __future__ import annotations

import copy
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sweep_rows import agree, row_of

import entrepot as ep
from entrepot.capacity import capacity
from entrepot.errors import ParameterError
from entrepot.strategies.targets import Targets

GRID = {"lookback": [20, 40], "entry": [0.8, 1.2, 1.6], "exit": [-0.2, 0.2]}


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2018-03-01", end="2019-06-28", seed=3)


@pytest.fixture(scope="module")
def path(market: ep.Market) -> ep.RegimePath:
    return ep.RegimeModel().walk_forward(market, ep.load_events())


@pytest.fixture(scope="module")
def swept(market: ep.Market, path: ep.RegimePath) -> ep.Sweep:
    return ep.sweep(market, ep.LongHKShortADR(), GRID, path=path, progress=False)


def test_every_row_is_the_recorded_run(market: ep.Market, path: ep.RegimePath, swept: ep.Sweep) -> None:
    assert len(swept.table) == 12
    assert swept.complete
    assert list(swept.table.columns[:3]) == list(GRID)
    runs = [swept.backtest(row) for row in swept.table.index]
    figures = swept.table.drop(columns=[*GRID, "Refused"])
    agree(figures, [row_of(run, path) for run in runs], 1e7)
    assert swept.table["Sharpe Ratio"].nunique() >= 10
    for row in (0, 5, 11):
        values = swept.table.loc[row, list(GRID)]
        by_hand = ep.LongHKShortADR(
            lookback=int(values["lookback"]), entry=values["entry"], exit=values["exit"]
        )
        direct = ep.backtest(market, by_hand, path=path)
        np.testing.assert_array_equal(direct.equity_by_step, runs[row].equity_by_step)
    equity = swept.equity([3, 7], by="configuration")
    np.testing.assert_array_equal(equity[7].to_numpy(), runs[7].equity_by_step)


def test_the_grid_goes_through_the_last_name_fastest(swept: ep.Sweep) -> None:
    wanted = [(a, b, c) for a in GRID["lookback"] for b in GRID["entry"] for c in GRID["exit"]]
    assert list(swept.table[list(GRID)].itertuples(index=False, name=None)) == wanted


def test_chunks_and_lists_change_nothing(market: ep.Market, path: ep.RegimePath, swept: ep.Sweep) -> None:
    again = ep.sweep(market, ep.LongHKShortADR(), GRID, path=path, progress=False, chunk=5)
    pd.testing.assert_frame_equal(again.table, swept.table)
    listed = [dict(zip(GRID, row, strict=True)) for row in swept.table[list(GRID)].itertuples(index=False)]
    explicit = ep.sweep(market, ep.LongHKShortADR(), listed, path=path, progress=False)
    pd.testing.assert_frame_equal(explicit.table, swept.table, check_dtype=False)


def test_a_sweep_of_detectors_walks_each_model_once(
    market: ep.Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked: list[ep.RegimeModel] = []
    walk = ep.RegimeModel.walk_forward

    def counted(self: ep.RegimeModel, *given: Any) -> ep.RegimePath:
        walked.append(self)
        return walk(self, *given)

    monkeypatch.setattr(ep.RegimeModel, "walk_forward", counted)
    model, events = ep.RegimeModel(), ep.load_events()
    start = walk(model, market, events)
    pairs = ep.LongHKShortADR(lookback=30)
    hedge = pairs.with_(mode="delisting_hedge")
    switch = ep.RegimeSwitch(start, calm=pairs, tariff=ep.SectorRotation(lookback=40), delisting=hedge)
    grid = {
        "model.delisting.threshold": [1.5, 2.5],
        "model.tariff.half_life": [10, 20],
        "calm.entry": [1.0, 1.5],
        "tariff.top": [2, 3],
    }
    made = ep.sweep(market, switch, grid, model=model, events=events, progress=False)
    assert len(walked) == 4
    assert not made.table["Refused"].any()
    for row in (0, 6, 9, 15):
        values = made.table.loc[row]
        own = ep.RegimeModel(
            tariff=replace(model.tariff, half_life=int(values["model.tariff.half_life"])),
            delisting=replace(model.delisting, threshold=float(values["model.delisting.threshold"])),
        )
        path = walk(own, market, events)
        plan = switch.with_(
            path=path,
            calm=pairs.with_(entry=float(values["calm.entry"])),
            tariff=ep.SectorRotation(lookback=40, top=int(values["tariff.top"])),
        )
        run = ep.backtest(market, plan)
        assert values["End Value"] == run.equity_by_step[-1]
        assert values["P&L (delisting)"] == pytest.approx(run.by_regime().at["delisting", "P&L"], abs=1e-3)


def test_parameters_of_the_model_may_be_lists_and_each_is_walked_once(
    market: ep.Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked: list[ep.Events] = []
    walk = ep.RegimeModel.walk_forward

    def counted(self: ep.RegimeModel, market: ep.Market, events: ep.Events, **options: Any) -> ep.RegimePath:
        walked.append(events)
        return walk(self, market, events, **options)

    monkeypatch.setattr(ep.RegimeModel, "walk_forward", counted)
    model = ep.RegimeModel(
        delisting=ep.JumpDetector(),
        delisting_observation=ep.regimes.observations.basket_return,
        event_driven=False,
        schedule=ep.Schedule(least=60),
    )
    events = ep.load_events()
    half_lives = [[10.0], [5.0], [10.0]]
    plan = ep.LongHKShortADR(mode="delisting_hedge")
    grid = {"model.delisting.downside_half_lives": half_lives, "weight": [0.1, 0.2]}
    made = ep.sweep(market, plan, grid, model=model, events=events, progress=False)
    assert not made.table["Refused"].any()
    assert len(walked) == 2
    for row, given in ((0, (10.0,)), (3, (5.0,))):
        own = replace(model, delisting=ep.JumpDetector(downside_half_lives=given))
        run = ep.backtest(market, made.plan(row), path=walk(own, market, events))
        assert made.table.at[row, "End Value"] == run.equity_by_step[-1]
    wrong = made.significance(placebos=1, draws=100, blocks=4, train=60, test=60, progress=False).placebos
    assert sum(calendar is not events for calendar in walked) == 2
    assert np.isfinite(wrong).all()


def test_a_truth_is_no_number_of_the_model(market: ep.Market) -> None:
    terms: dict[str, Any] = {"model": ep.RegimeModel(), "events": ep.load_events(), "progress": False}
    plan = ep.LongHKShortADR(mode="delisting_hedge")
    made = ep.sweep(market, plan, {"model.delisting.dwell": [1, True]}, **terms)
    assert made.table["Refused"].tolist() == ["", "dwell is True: give a finite number, zero or more"]
    with pytest.raises(ParameterError, match=r"tariff_covariates is .* give a tuple of functions"):
        ep.sweep(market, plan, {"model.tariff_covariates": [[len]]}, **terms)


class Loud(ep.ProbabilityDetector):
    """On while the last moves are large; keeps more than the fields of what it inherits from."""

    def __init__(self, window: int = 20, **levels: float) -> None:
        super().__init__(**levels)
        self.window = window

    def fit(self, y: Any, intensity: Any = None, previous: Any = None) -> Loud:
        return self

    def filter(self, y: Any, intensity: Any = None) -> Any:
        moves = pd.Series(y).abs().rolling(self.window, min_periods=1).mean()
        loud = (moves > moves.expanding().mean()).to_numpy(np.float64)
        return np.column_stack([1.0 - loud, loud])

    def update(self, y: Any, intensity: Any = None) -> Any:
        return self.filter([y])[0]


def test_detectors_of_ones_own_are_told_apart_by_all_they_keep(market: ep.Market) -> None:
    basket = ep.regimes.observations.basket_return
    schedule = ep.Schedule(least=60)
    model = ep.RegimeModel(delisting=Loud(), delisting_observation=basket, schedule=schedule)
    terms: dict[str, Any] = {"model": model, "events": ep.load_events(), "progress": False}
    plan = ep.RegimeSwitch(
        model.walk_forward(market, ep.load_events()), calm=ep.SectorRotation(lookback=20, top=1)
    )
    detectors = [Loud(20), Loud(3)]
    made = ep.sweep(market, plan, {"model.delisting": detectors}, **terms)
    for row, detector in enumerate(detectors):
        path = replace(model, delisting=detector).walk_forward(market, ep.load_events())
        run = ep.backtest(market, plan.with_(path=path))
        assert made.table.at[row, "End Value"] == run.equity_by_step[-1]
    assert made.table["End Value"].nunique() == 2
    with pytest.raises(ParameterError, match=r"Loud keeps window beside its fields, .* dwell changed would"):
        ep.sweep(market, plan, {"model.delisting.dwell": [1.0]}, **terms)


def test_what_cannot_be_told_by_its_contents_is_another_for_each_object(market: ep.Market) -> None:
    def observed(books: sqlite3.Connection, market: ep.Market) -> pd.DataFrame:
        symbols = [symbol for (symbol,) in books.execute("select symbol from basket")]
        return ep.regimes.observations.basket_return(market, symbols=symbols)

    def reading(symbol: str) -> Any:
        books = sqlite3.connect(":memory:", check_same_thread=False)
        books.execute("create table basket (symbol text)")
        books.execute("insert into basket values (?)", [symbol])
        return partial(observed, books)

    both = [reading("KWEB"), reading("FXI")]
    model = ep.RegimeModel(
        delisting=Loud(5), delisting_observation=both[0], event_driven=False, schedule=ep.Schedule(least=60)
    )
    events = ep.load_events()
    plan = ep.RegimeSwitch(model.walk_forward(market, events), calm=ep.SectorRotation(lookback=20, top=1))
    grid = {"model.delisting_observation": both}
    made = ep.sweep(market, plan, grid, model=model, events=events, progress=False)
    for row, observation in enumerate(both):
        path = replace(model, delisting_observation=observation).walk_forward(market, events)
        run = ep.backtest(market, plan.with_(path=path))
        assert made.table.at[row, "End Value"] == run.equity_by_step[-1]
    assert made.table["End Value"].nunique() == 2
    assert len(made.select(**{"model.delisting_observation": both[1]}).table) == 1


def test_times_of_numpy_are_times(market: ep.Market) -> None:
    given: list[Any] = []

    def begun(market: ep.Market, *, start: Any = None, wait: Any = None) -> pd.DataFrame:
        given.append((start, wait))
        return pd.DataFrame({"FXI": [0.5]}, index=[start + wait])

    days = pd.DatetimeIndex(["2018-06-04", "2018-09-04"])
    grid = {
        "start": days.to_numpy(dtype="datetime64[ns]"),
        "wait": np.array([1, 2], dtype="timedelta64[D]").astype("timedelta64[ns]"),
    }
    made = ep.sweep(market, ep.strategy(begun), grid, progress=False)
    assert given == [(day, pd.Timedelta(days=wait)) for day in days for wait in (1, 2)]
    assert len(made.select(start=grid["start"][0]).table) == len(made.select(wait=grid["wait"][1]).table) == 2
    rotation = ep.ThemeRotation(theme=["KWEB"], against=None, since=grid["start"][0])
    assert rotation.since == days[0]


class Scaled(ep.SectorRotation):
    """A built-in strategy whose targets are written anew."""

    def __init__(self, part: float = 0.5, **own: Any) -> None:
        super().__init__(**own)
        object.__setattr__(self, "part", part)

    def targets(self, market: ep.Market, path: ep.RegimePath | None = None) -> Targets:
        made = super().targets(market, path)
        return replace(made, weights=made.weights * self.part)


def test_a_strategy_that_writes_its_targets_anew_is_swept_by_them(
    market: ep.Market, path: ep.RegimePath
) -> None:
    half, whole = Scaled(lookback=20, top=1), ep.SectorRotation(lookback=20, top=1)
    both = {"half": half, "whole": whole}
    made = ep.sweep(market, both, [{"strategy": name} for name in both], path=path, progress=False)
    for row, plan in enumerate((half, whole)):
        assert made.table.at[row, "End Value"] == ep.backtest(market, plan, path=path).equity_by_step[-1]
    assert made.table["End Value"].nunique() == 2
    with pytest.raises(ParameterError, match=r"Scaled keeps part beside its fields, .* top changed would"):
        half.with_(top=2)

    def decided(market: ep.Market, *, decision: float = 0.1) -> pd.DataFrame:
        return pd.DataFrame({"FXI": [decision]}, index=[market.grid["session"].iloc[0]])

    assert ep.sweep(market, ep.strategy(decided), {"decision": [0.1, 0.2]}, progress=False).complete


@dataclass
class FromFile:
    """Carries a path to a file, which is no regime path."""

    path: str = "weights.csv"
    weight: float = 0.1

    def targets(self, market: ep.Market, path: Any = None) -> Targets:
        session = market.grid["session"].iloc[0]
        return Targets.from_frame(market, pd.DataFrame({"FXI": [self.weight]}, index=[session]))


def test_a_path_to_a_file_is_no_regime_path(market: ep.Market) -> None:
    made = ep.sweep(market, FromFile(), {"weight": [0.1, 0.2]}, progress=False)
    assert "P&L (calm)" not in made.table
    run = ep.backtest(market, FromFile(weight=0.2))
    assert made.table.at[1, "End Value"] == run.equity_by_step[-1]
    assert capacity(market, FromFile(), [1e6], impact=0.0, participation=None).index.tolist() == [1e6]


def test_features_may_be_made_by_what_has_no_hash(market: ep.Market) -> None:
    @dataclass
    class Made:
        level: float = 1.0

        def __call__(self, market: ep.Market, path: Any) -> np.ndarray:
            return np.full((1, len(market), 1), self.level)

    def decide(step: int, state: Any, params: Any, features: Any, out: Any) -> None:
        if state.shares[0] == 0.0:
            out[0] = params[0] * features[0, step, 0]

    plan = ep.CompiledStrategy(decide, symbols=["KWEB"], parameters={"weight": 0.1}, features=Made())
    made = ep.sweep(market, plan, {"weight": [0.1, 0.2]}, progress=False)
    for row in made.table.index:
        assert made.table.at[row, "End Value"] == ep.backtest(market, made.plan(row)).equity_by_step[-1]


@dataclass(frozen=True)
class Fixed:
    """A strategy that knows no loop: a weight of KWEB, decided once."""

    weight: float = 0.1
    day: int = 10

    def with_(self, **changes: Any) -> Fixed:
        return replace(self, **changes)

    def targets(self, market: ep.Market, path: object = None) -> Targets:
        weights = np.full(market.price.shape, np.nan)
        weights[self.day, market.column("KWEB")] = self.weight
        return Targets(weights, drift_band=np.inf)


def test_a_strategy_without_a_loop_is_swept_by_its_targets(market: ep.Market) -> None:
    made = ep.sweep(market, Fixed(), {"weight": [0.1, 0.2, 500.0], "day": [10, 20]}, progress=False)
    for row in range(4):
        run = ep.backtest(market, made.plan(row))
        assert made.table.at[row, "End Value"] == run.equity_by_step[-1]
    assert made.table["Refused"].str.contains("500 times equity").tolist() == [False] * 4 + [True] * 2
    assert made.table.loc[4:, "End Value"].isna().all()


def test_several_strategies_and_dotted_names(market: ep.Market) -> None:
    several = {"pairs": ep.LongHKShortADR(lookback=30), "sectors": ep.SectorRotation(lookback=40)}
    made = ep.sweep(market, several, {"drift_band": [0.1, 0.2]}, progress=False)
    assert made.table["strategy"].tolist() == ["pairs", "pairs", "sectors", "sectors"]
    run = ep.backtest(market, several["sectors"].with_(drift_band=0.2))
    assert made.table.at[3, "End Value"] == run.equity_by_step[-1]
    listed = ep.sweep(market, list(several.values()), {"drift_band": [0.1]}, progress=False)
    assert listed.table["strategy"].tolist() == ["LongHKShortADR", "SectorRotation"]


def test_switches_keep_their_own_paths(market: ep.Market, path: ep.RegimePath) -> None:
    model = ep.RegimeModel(tariff=ep.ThresholdDetector(threshold=60.0))
    other = model.walk_forward(market, ep.load_events())
    assert (other.states != path.states).any()
    parts = {"calm": ep.LongHKShortADR(lookback=30), "tariff": ep.SectorRotation(lookback=40)}
    one, two = ep.RegimeSwitch(path, **parts), ep.RegimeSwitch(other, **parts)
    alone = ep.LongHKShortADR(lookback=30)
    made = ep.sweep(
        market, {"one": one, "two": two, "alone": alone}, {"drift_band": [0.1, 0.2]}, progress=False
    )
    for row, plan in enumerate((one, one, two, two, alone, alone)):
        run = ep.backtest(market, plan.with_(drift_band=[0.1, 0.2][row % 2]))
        assert made.table.at[row, "End Value"] == run.equity_by_step[-1]
        if plan is not alone:
            assert made.table.at[row, "P&L (tariff)"] == pytest.approx(run.by_regime().at["tariff", "P&L"])
    assert made.table.loc[4:, "P&L (tariff)"].isna().all()
    swept = ep.sweep(market, one, {"path": [path, other]}, progress=False)
    assert swept.table["End Value"].tolist() == made.table.loc[[0, 2], "End Value"].tolist()


def test_a_configuration_that_cannot_be_is_told_and_the_others_run(market: ep.Market) -> None:
    made = ep.sweep(
        market, ep.LongHKShortADR(lookback=30), {"entry": [0.5, 1.0], "exit": [0.3, 0.7]}, progress=False
    )
    assert made.table["Refused"].str.startswith("exit is 0.7").tolist() == [False, True, False, False]
    assert made.table["End Value"].isna().tolist() == [False, True, False, False]


def test_best_select_and_heatmap(swept: ep.Sweep) -> None:
    table = swept.table
    best = swept.best()
    assert best["Sharpe Ratio"] == table["Sharpe Ratio"].max()
    assert swept.best("costs")["Total Costs"] == table["Total Costs"].min()
    assert swept.best("drawdown")["Max Drawdown [%]"] == table["Max Drawdown [%]"].max()
    three = swept.best("return", n=3)
    assert three["Total Return [%]"].tolist() == sorted(table["Total Return [%]"])[::-1][:3]
    part = swept.select(entry=[0.8, 1.2], lookback=40)
    assert len(part.table) == 4
    assert part.trials == 12
    assert part.complete
    assert repr(part).startswith("Sweep(4 of 12 configurations")
    assert swept.select(entry=1.2).best().name in swept.table.index
    axes = swept.heatmap("entry", "lookback", "sharpe", "max")
    cells = table.pivot_table(index="lookback", columns="entry", values="Sharpe Ratio", aggfunc="max")
    drawn = axes.collections[0].get_array()
    np.testing.assert_array_equal(np.asarray(drawn).reshape(cells.shape), cells.to_numpy())
    assert axes.get_xlabel() == "entry"
    assert "simulated" in axes.get_title(loc="left")


def test_what_holds_several_values_selects_them_all(swept: ep.Sweep) -> None:
    wanted = swept.select(entry=[0.8, 1.2]).table.index.tolist()
    for values in (
        {0.8, 1.2},
        frozenset({0.8, 1.2}),
        {0.8: "a", 1.2: "b"}.keys(),
        (value for value in (0.8, 1.2)),
        np.array([0.8, 1.2]),
        pd.Index([0.8, 1.2]),
    ):
        assert swept.select(entry=values).table.index.tolist() == wanted, values
    for value in (20, np.int64(20), 20.0):
        assert len(swept.select(lookback=value).table) == 6
    assert swept.select(entry="0.8").table.empty


def ticks(axis: Any) -> list[str]:
    return [tick.get_text() for tick in axis.get_ticklabels()]


def test_none_is_a_value_like_any_other(market: ep.Market) -> None:
    grid = {"lookback": [20, 30], "round_trip_bps": [None, 10.0]}
    made = ep.sweep(market, ep.LongHKShortADR(), grid, progress=False)
    assert made.table["round_trip_bps"].tolist() == [None, 10.0, None, 10.0]
    assert made.select(round_trip_bps=None).table.index.tolist() == [0, 2]
    assert made.select(round_trip_bps=[None, 10]).table.index.tolist() == [0, 1, 2, 3]
    axes = made.heatmap("lookback", "round_trip_bps")
    assert ticks(axes.yaxis) == ["10", "None"]
    sharpe = made.table["Sharpe Ratio"].to_numpy()
    drawn = np.asarray(axes.collections[0].get_array()).ravel()
    np.testing.assert_array_equal(drawn, sharpe[[1, 3, 0, 2]])
    assert made.surface("lookback", "round_trip_bps").get_ylabel() == "round_trip_bps"
    labels = [(20, "None"), (20, 10.0), (30, "None"), (30, 10.0)]
    assert made.returns().columns.tolist() == made.equity().columns.tolist() == labels
    assert made.walk_forward(60, 60).configurations == 4
    found = made.significance(draws=100, blocks=4, train=60, test=60, progress=False)
    assert found.parameters["round_trip_bps"] == made.best()["round_trip_bps"]
    listed = ep.sweep(
        market, ep.LongHKShortADR(), [{"lookback": 20}, {"round_trip_bps": 9.0}], progress=False
    )
    assert listed.table["lookback"].tolist() == [20, None]
    assert listed.table["round_trip_bps"].tolist() == [None, 9.0]
    named = ep.sweep(market, Labelled(), {"label": [None, "None"]}, progress=False)
    assert named.returns().columns.tolist() == ["None 1", "None 2"]


@dataclass(frozen=True)
class Labelled:
    """A weight of KWEB, and something that plays no part."""

    label: Any = None
    weight: float = 0.1

    def with_(self, **changes: Any) -> Labelled:
        return replace(self, **changes)

    def targets(self, market: ep.Market, path: object = None) -> Targets:
        return Fixed(self.weight).targets(market)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([["BABA"], ["9988.HK"]], ["['9988.HK']", "['BABA']"]),
        ([{"tech": 1.0}, {"tech": 2.0}], ["{'tech': 1.0}", "{'tech': 2.0}"]),
        ([np.array([1.0, 2.0]), np.array([3.0, 2.0])], ["array([1., 2.])", "array([3., 2.])"]),
        ([pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})], ["DataFrame 1", "DataFrame 2"]),
        ([(1, 2), (3, 4)], ["(1, 2)", "(3, 4)"]),
        ([[{"a": 1}], [{"a": 2}]], ["[{'a': 1}]", "[{'a': 2}]"]),
    ],
    ids=["lists", "dicts", "arrays", "frames", "tuples", "nested"],
)
def test_values_without_a_hash_are_selected_and_drawn(
    market: ep.Market, values: list[Any], texts: list[str]
) -> None:
    made = ep.sweep(market, Labelled(), {"label": values, "weight": [0.1, 0.2]}, progress=False)
    assert made.select(label=values[0]).table.index.tolist() == [0, 1]
    assert made.select(label=copy.deepcopy(values[1]), weight=0.2).table.index.tolist() == [3]
    assert made.select(label=values).table.index.tolist() == [0, 1, 2, 3]
    assert made.select(label=["nothing"]).table.empty
    assert ticks(made.heatmap("weight", "label").yaxis) == texts
    assert made.surface("weight", "label").get_ylabel() == "label"


def test_a_list_of_whole_numbers_is_that_of_floats(market: ep.Market) -> None:
    made = ep.sweep(market, Labelled(), {"label": [[10.0, 5.0], [20.0]]}, progress=False)
    assert made.select(label=[10, 5]).table.index.tolist() == [0]


def test_a_configuration_without_parameters_keeps_its_number(market: ep.Market) -> None:
    made = ep.sweep(market, Fixed(), [{}], progress=False)
    assert made.returns().columns.tolist() == made.equity().columns.tolist() == [0]
    assert made.returns().columns.name == "configuration"


def test_the_part_named_strategy_is_a_parameter_like_any_other(market: ep.Market) -> None:
    one, two = ep.LongHKShortADR(lookback=20), ep.SectorRotation(lookback=40)
    capped = ep.cap(one, gross=0.3)
    made = ep.sweep(market, capped, {"strategy": [one, two]}, progress=False)
    listed = ep.sweep(market, capped, [{"strategy": one}, {"strategy": two}], progress=False)
    inside = ep.sweep(market, capped, [{"strategy": one, "strategy.lookback": 60}], progress=False)
    ends = [ep.backtest(market, ep.cap(part, gross=0.3)).equity_by_step[-1] for part in (one, two)]
    assert made.table["End Value"].tolist() == listed.table["End Value"].tolist() == ends
    assert len(set(ends)) == 2
    assert inside.plan(0).strategy == one.with_(lookback=60)


def test_the_options_of_a_run_are_those_of_backtest(swept: ep.Sweep) -> None:
    free = swept.backtest(0, costs=ep.Costs.none(), capital=1e6, check=True, trials=3)
    assert free.capital == 1e6
    assert free.costs().empty
    assert free.trials == 3


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"parameters": {"nope": [1]}}, "has no parameter 'nope': it has"),
        ({"parameters": {"lookbak": [1]}}, r"has no parameter 'lookbak', did you mean lookback\? it has"),
        (
            {"strategy": ep.cap(ep.LongHKShortADR(), gross=1.0), "parameters": {"lookback": [20]}},
            r"Capped has no parameter 'lookback', did you mean strategy.lookback\? it has",
        ),
        ({"parameters": {"entry": []}}, "entry has no values"),
        ({"parameters": {"entry": 1.5}}, "entry is 1.5: give its values in a list"),
        ({"parameters": {}}, "there are no parameters"),
        ({"parameters": [3]}, "a configuration is 3"),
        ({"parameters": {"model.tariff.dwell": [1]}}, "need model= and events="),
        ({"parameters": {"calm.entry": [1]}}, "has no part 'calm'"),
        ({"strategy": 5}, "the strategy is 5"),
        ({"strategy": ep.LongHKShortADR}, r"the class LongHKShortADR: give an instance, LongHKShortADR\(\)"),
        ({"chunk": 0}, "chunk is 0"),
        ({"executor": 7}, "executor is 7"),
        ({"capital": -1}, "capital is -1"),
    ],
)
def test_what_cannot_be_swept_is_refused(market: ep.Market, options: dict[str, Any], why: str) -> None:
    given: dict[str, Any] = {"strategy": ep.LongHKShortADR(), "parameters": {"entry": [1.0]}} | options
    with pytest.raises(ParameterError, match=why):
        ep.sweep(market, **given, progress=False)


def test_what_is_no_figure_or_row_is_refused(swept: ep.Sweep) -> None:
    for call in (
        lambda: swept.best("nope"),
        lambda: swept.heatmap("entry", "nope"),
        lambda: swept.select(nope=1),
        lambda: swept.backtest(99),
    ):
        with pytest.raises(ParameterError):
            call()
    with pytest.raises(ParameterError, match=r"no figure of this sweep, did you mean Sharpe Ratio\? give"):
        swept.best("sharpe ratio")
    with pytest.raises(ParameterError, match="'entry' is no figure of this sweep: give"):
        swept.best("entry")


def test_memory_does_not_grow_with_configurations(market: ep.Market) -> None:
    """Beyond the table itself; a sweep of a hundred times as many may hold little more."""
    script = """
import resource, sys, numpy as np, entrepot as ep
market = ep.simulate_market(start="2021-01-04", end="2021-06-30", seed=3)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def sweep(n):
    grid = {"entry": np.linspace(0.5, 3, n), "exit": [-0.2, 0.0, 0.2, 0.4], "lookback": [20, 30]}
    return ep.sweep(market, ep.LongHKShortADR(), grid, progress=False)
sweep(20)
before = peak()
table = sweep(2000).table
print(peak() - before - table.memory_usage(deep=True).sum() / 2**20 * 3)
"""
    grown = float(subprocess.check_output([sys.executable, "-c", script], text=True))
    assert grown < 50.0


INTERRUPTED = """
import sys, time, numpy as np, entrepot as ep
market = ep.simulate_market(start="2018-01-02", end="2022-06-30", seed=3)
plan = ep.LongHKShortADR()
ep.sweep(market, plan, {"entry": [1.0, 1.5]}, progress=False)
print("ready", flush=True)
grid = {"entry": np.linspace(0.5, 3, 4000), "exit": np.linspace(-0.4, 0.4, 20)}
made = ep.sweep(market, plan, grid, chunk=128)
print(time.time(), len(made.table), made.complete, repr(made), flush=True)
row = int(made.table.index[-1])
assert made.table.loc[row, "End Value"] == made.backtest(row).equity_by_step[-1]
"""


def test_ctrl_c_ends_at_once_and_keeps_what_is_done() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().strip() == "ready"
    bar = ""
    while not re.search(r"\b[1-9]\d*/80000", bar):  # planning takes seconds, more on a busy machine
        read = process.stderr.read(1)
        assert read, bar
        bar += read
    sent = time.time()
    process.send_signal(signal.SIGINT)
    told = process.stdout.readline().split(maxsplit=3)
    assert process.wait() == 0
    assert float(told[0]) - sent < 5.0  # milliseconds; this machine may be busy
    assert 0 < int(told[1]) < 80_000
    assert told[2] == "False"
    assert "interrupted" in told[3]


def test_parameters_that_depend_on_each_other_are_changed_together(market: ep.Market) -> None:
    # Beside the default exit of 0.3 an entry of 0.2 would be refused, and so would the one without the other.
    made = ep.sweep(market, ep.LongHKShortADR(), {"entry": [0.2], "exit": [0.1]}, progress=False)
    assert made.table["End Value"].notna().all()
    assert made.plan(0) == ep.LongHKShortADR(entry=0.2, exit=0.1)
    path = ep.RegimeModel().walk_forward(market, ep.load_events(), progress=False)
    switch = ep.RegimeSwitch(path, calm=ep.LongHKShortADR())
    made = ep.sweep(market, switch, {"calm.entry": [0.2], "calm.exit": [0.1]}, progress=False)
    assert made.plan(0).calm == ep.LongHKShortADR(entry=0.2, exit=0.1)


def test_a_bar_shows_rate_and_time_left(market: ep.Market, capfd: pytest.CaptureFixture[str]) -> None:
    ep.sweep(market, ep.LongHKShortADR(), {"entry": [1.0, 1.5]})
    told = capfd.readouterr().err
    assert "2/2" in told
    assert "config" in told


def test_threads_of_ones_own_may_sweep_at_once(market: ep.Market) -> None:
    tables: list[pd.DataFrame] = []

    def one() -> None:
        tables.append(ep.sweep(market, ep.LongHKShortADR(), GRID, progress=False).table)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = ep.sweep(market, ep.LongHKShortADR(), GRID, progress=False).table
    assert len(tables) == 3
    for table in tables:
        pd.testing.assert_frame_equal(table, alone)
