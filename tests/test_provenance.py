"""Every result says what it came from: the same words for the same inputs, others for any other."""

from __future__ import annotations

import functools
import os
import pickle
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot import provenance
from entrepot.engine.fingerprints import code_fingerprint
from entrepot.errors import ParameterError

LINES = ["BABA", "9988.HK", "JD", "9618.HK", "KWEB", "FXI"]
HEX = re.compile(r"[0-9a-f]{16}")


def market_of(seed: int = 7, **changes: Any) -> ep.Market:
    given = {"start": "2022-01-03", "end": "2022-06-30", "seed": seed, "symbols": LINES}
    return ep.simulate_market(**(given | changes))


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return market_of()


@pytest.fixture(scope="module")
def path(market: ep.Market) -> ep.RegimePath:
    return ep.RegimeModel().walk_forward(market, ep.load_events())


def facts(plan: object, path: ep.RegimePath | None = None) -> dict[str, str]:
    """What is said of a plan and its parts."""
    return dict(provenance.plan_facts("Plan", plan, path))


def momentum(market: ep.Market, *, lookback: int = 5, lines: tuple[str, ...] = ("KWEB",)) -> pd.DataFrame:
    close = market.price.loc[market.decision_steps, list(lines)]
    return (close.pct_change(lookback, fill_method=None) > 0) * 0.3


# -- what is in it -------------------------------------------------------------------------------------------


def test_it_holds_everything_a_run_came_from_in_order(market: ep.Market) -> None:
    result = ep.backtest(market, ep.LongHKShortADR(lookback=20), capital=1_234_567.5, trials=12)
    told = result.provenance
    assert list(told) == [
        "entrepot", "Libraries", "Prices", "Data", "Seed", "Capital", "Plan", "Fill", "Costs", "Regime path",
        "Trials", "Run",
    ]  # fmt: skip
    assert all(type(text) is str and text for text in told.values())
    assert told["entrepot"] == code_fingerprint()
    for library in ("numpy", "pandas", "numba", "scipy"):
        assert f"{library} {version(library)}" in told["Libraries"]
    assert told["Prices"] == "simulated market, seed 7"
    assert HEX.fullmatch(told["Data"])
    assert told["Seed"] == "7"
    assert told["Capital"] == "1,234,567.5 USD"
    assert ep.backtest(market, ep.LongHKShortADR()).provenance["Capital"] == "10,000,000 USD"
    for item in fields(ep.LongHKShortADR):
        assert f"{item.name}={getattr(ep.LongHKShortADR(lookback=20), item.name)!r}" in told["Plan"]
    assert told["Fill"] == "next_step"
    assert told["Costs"] == "the defaults"
    assert told["Regime path"] == "none"
    assert told["Trials"] == "12"
    assert HEX.fullmatch(told["Run"])


def test_a_change_to_the_answer_does_not_change_the_result(market: ep.Market) -> None:
    result = ep.backtest(market, ep.LongHKShortADR())
    result.provenance["Data"] = "mine"
    assert result.provenance["Data"] != "mine"


def test_prices_that_are_not_drawn_have_no_seed() -> None:
    frame = pd.DataFrame({"A": [10.0, 11.0, 12.0]}, index=pd.bdate_range("2024-01-02", periods=3))
    market = ep.Market.from_prices(frame, label="seed 7 of nothing")
    told = ep.backtest(market, frame.iloc[:1] * 0 + 0.5).provenance
    assert told["Seed"] == "none: the prices are not drawn"


def test_only_costs_that_differ_are_named() -> None:
    said = provenance.changed_costs
    assert said(ep.Costs()) == "the defaults"
    assert said(ep.Costs(fee_bps=2)) == "fee_bps=2.0"
    assert (
        said(ep.Costs(half_spread_bps={"BABA": 3}, lots=False)) == "half_spread_bps={'BABA': 3.0}, lots=False"
    )
    dates = pd.to_datetime(["2022-01-03", "2022-02-01"])
    by_date = [
        ep.Costs(borrow_rate_pa=pd.DataFrame({"BABA": [0.1, x]}, index=dates)) for x in (0.2, 0.2, 0.3)
    ]
    one, same, other = map(said, by_date)
    assert one.startswith("borrow_rate_pa=DataFrame(2 x 1, ")
    assert one == same != other
    assert "maintenance_long=0.25" in said(ep.Costs(margin=ep.Margin.retail()))
    assert said(ep.Costs(no_borrow_states={3, 2})) == "no_borrow_states={2, 3}"


def test_the_regime_path_is_named_by_its_contents(path: ep.RegimePath) -> None:
    assert provenance.path_facts(None) == "none"
    told = provenance.path_facts(path)
    assert HEX.match(told)
    assert "marks capped" in told
    states = path.states.copy()
    states[-1] ^= 1
    assert provenance.path_facts(replace(path, states=states)) != told
    fitted = replace(path, refits={"delisting": pd.DataFrame({"rows": [1, 2, 3]})})
    assert "delisting fitted 3 times" in provenance.path_facts(fitted)


# -- plans ---------------------------------------------------------------------------------------------------


def test_a_switch_names_its_parts_and_not_its_path_again(path: ep.RegimePath, market: ep.Market) -> None:
    pairs = ep.LongHKShortADR(entry=1.25)
    plan = ep.RegimeSwitch(path, calm=pairs, tariff=ep.SectorRotation(top=2), delisting=market.price * 0.1)
    told = facts(plan, path)
    assert list(told) == ["Plan", "Plan.calm", "Plan.tariff"]
    assert "path=that of the run" in told["Plan"]
    assert "decoupling=None" in told["Plan"]
    assert re.search(rf"delisting=DataFrame\({len(market)} x 6, [0-9a-f]{{16}}\)", told["Plan"])
    assert "entry=1.25" in told["Plan.calm"]
    assert "top=2" in told["Plan.tariff"]
    other = facts(plan, None)["Plan"]
    assert re.search("path=RegimePath [0-9a-f]{16}", other)


def test_compositions_name_their_parts_as_a_sweep_does() -> None:
    own = ep.strategy(momentum)
    told = facts(ep.blend([(own, 0.4), (ep.SectorRotation(top=1), 0.6)]))
    assert list(told) == ["Plan", "Plan.0", "Plan.1"]
    assert told["Plan"] == "Blend(shares=[0.4, 0.6])"
    nested = facts(ep.scale_to_volatility(ep.switch("regime", {"calm": own, "tariff": None}), 0.1))
    assert list(nested) == ["Plan", "Plan.strategy", "Plan.strategy.calm", "Plan.strategy.tariff"]
    assert nested["Plan.strategy.tariff"] == "None"
    assert "target=0.1" in nested["Plan"]


def test_a_function_is_named_with_its_source_and_parameters() -> None:
    told = facts(ep.strategy(momentum, lookback=9))["Plan"]
    name, parameters = r"function=momentum [0-9a-f]{16}", r"parameters=\{'lookback': 9, 'lines': \['KWEB'\]\}"
    assert re.fullmatch(rf"FunctionStrategy\({name}, {parameters}\)", told)


def made(source: str) -> Callable[..., Any]:
    """The function `f` of a source text."""
    names: dict[str, Any] = {}
    exec(source, names)
    return names["f"]


def test_the_source_of_a_function_counts_and_where_it_stands_does_not() -> None:
    one = provenance.described(made("def f(x, k=2):\n    return x * k"))
    assert provenance.described(made("\n\n# moved\ndef f(x, k=2):\n    return x * k  # the same")) == one
    for source in (
        "def f(x, k=2):\n    return x + k",
        "def f(x, k=3):\n    return x * k",
        "def f(x, *, k=2):\n    return x * k",
        "def f(x, k=2):\n    return abs(x * k)",
        "def f(x, k=2):\n    return [v * k for v in x]",
    ):
        assert provenance.described(made(source)) != one


def test_what_a_function_encloses_counts() -> None:
    def scaled(by: object) -> Callable[..., Any]:
        return lambda x: x * by

    named = [provenance.described(scaled(by)) for by in (2, 2, 3, np.arange(3), np.arange(3), np.arange(4))]
    assert named[0] == named[1] != named[2]
    assert named[3] == named[4] != named[5]


def test_what_holds_itself_is_described() -> None:
    def down(x: int) -> int:
        return down(x - 1) if x else 0

    assert provenance.described(down) == provenance.described(down)
    loop: list[Any] = [1]
    loop.append(loop)
    assert provenance.described(loop) == "[1, itself]"

    def early() -> object:
        return late

    before = provenance.described(early)
    late = 1
    assert before != provenance.described(early)
    assert late


class Plain:
    """A plan of one's own that is no dataclass."""

    def __init__(self, weight: float) -> None:
        self.weight = weight
        self.draw = np.random.default_rng(1)
        self.lock = object()

    def targets(self, market: ep.Market, path: object = None) -> ep.Targets:
        frame = pd.DataFrame({"KWEB": [self.weight]}, index=[market.grid["session"].iloc[0]])
        return ep.Targets.from_frame(market, frame)


class Sharper(Plain):
    """The same with a number of the class."""

    least = 0.5


class Bolder(Plain):
    """The same with another method."""

    def targets(self, market: ep.Market, path: object = None) -> ep.Targets:
        self.weight *= 2
        return super().targets(market, path)


def test_a_class_of_ones_own_is_named_by_its_code_and_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = (Plain(0.1), Plain(0.1), Plain(0.2), Bolder(0.1), Sharper(0.1))
    told = [facts(plan)["Plan"].partition(" ")[2] for plan in plans]
    assert told[0] == told[1]
    assert len(set(told)) == 4
    one = facts(Sharper(0.1))["Plan"]
    monkeypatch.setattr(Sharper, "least", 0.6)
    assert facts(Sharper(0.1))["Plan"] != one
    told = [facts(Plain(0.1))["Plan"]]
    assert re.match("Plain [0-9a-f]{16}", told[0])
    assert "weight=0.1" in told[0]
    assert "0x" not in told[0]
    # The library's own classes are told by the fingerprint of its code.
    assert facts(ep.LongHKShortADR())["Plan"].startswith("LongHKShortADR(")


def test_the_plan_is_described_as_it_was_run(market: ep.Market) -> None:
    """A plan that changes, by itself or later, does not change what is said of the run."""
    plan = Bolder(0.1)
    result = ep.backtest(market, plan)
    plan.weight = 0.7
    assert "weight=0.1" in result.provenance["Plan"]
    frame = pd.DataFrame({"KWEB": [0.5]}, index=[market.grid["session"].iloc[0]])
    result = ep.backtest(market, frame)
    before = facts(frame)["Plan"]
    frame.iloc[0, 0] = 0.9
    assert result.provenance["Plan"] == before
    assert result.plan.iloc[0, 0] == 0.5


def test_values_of_every_kind_are_written_without_address_or_folder() -> None:
    @dataclass
    class Holder:
        inner: object

    told = provenance.described
    assert told(np.float64(0.1)) == told(0.1) == "0.1"
    assert told(1) != told(1.0) != told("1.0")
    assert told(True) == "True"
    assert told(set("hgfedcba")) == str(sorted("abcdefgh")).replace("[", "{").replace("]", "}")
    assert told((1, [2])) == told([1, (2,)]) == "[1, [2]]"
    assert told({"k": None}) == "{'k': None}"
    assert told(pd.Timestamp("2024-01-02", tz="UTC")) == "2024-01-02 00:00:00+00:00"
    assert told(pd.Timedelta("2D")) == "2 days 00:00:00"
    assert told(np.datetime64("2024-01-02")) == "2024-01-02"
    assert told(b"ab").startswith("2 bytes ")
    assert re.sub(" [0-9a-f]{16}", "", told(Holder(Holder(1.5)))) == "Holder(inner=Holder(inner=1.5))"
    assert told(ep.LongHKShortADR) == "LongHKShortADR"
    assert told(np) == "numpy"
    assert told(functools.partial(int, base=2)) == "partial([int, [], {'base': 2}])"
    assert told("a".upper) == told("a".upper) != told("b".upper)
    for value in (Path("/tmp/secret"), object(), np.random.default_rng(3), Holder(Path("/tmp/secret"))):
        assert "secret" not in told(value)
        assert "0x" not in told(value)
    method = Plain(0.3).targets
    assert "weight=0.3" in told(method)
    assert re.search("targets [0-9a-f]{16}$", told(method))


def test_long_lists_and_tables_are_fingerprints() -> None:
    told = provenance.described
    many = list(range(1_000))
    assert re.fullmatch(r"\[1000 items, [0-9a-f]{16}\]", told(many))
    assert told(many) != told([*many[:-1], -1])
    assert told([1, 2]) == "[1, 2]"
    series = pd.Series([1.0, 2.0], index=pd.to_datetime(["2024-01-02", "2024-01-03"], utc=True))
    assert re.fullmatch(r"Series\(2, [0-9a-f]{16}\)", told(series))
    assert re.fullmatch(r"ndarray\(2 x 2, [0-9a-f]{16}\)", told(np.eye(2)))
    moved = series.set_axis(series.index + pd.Timedelta("1D"))
    assert told(moved) != told(series) == told(series.copy())
    frame = series.to_frame("a")
    for other in (
        frame + 1e-15,
        frame.rename(columns={"a": "b"}),
        frame.set_axis(frame.index + pd.Timedelta("1s")),
        frame.astype("float32"),
        frame.iloc[:1],
    ):
        assert told(other) != told(frame)
    assert told(frame.copy()) == told(frame)


def test_a_plan_that_is_its_own_part_is_described() -> None:
    plan = Plain(0.1)
    plan.again = plan  # type: ignore[attr-defined]
    assert list(facts(plan)) == ["Plan", "Plan.again"]
    assert facts(plan)["Plan.again"] == "itself"


def test_objects_nested_without_end_are_cut() -> None:
    class Link:
        def __init__(self, inner: object) -> None:
            self.inner = inner

    chain: object = 1
    for _ in range(5_000):
        chain = Link(chain)
    assert len(provenance.described(chain)) < 500


# -- what changes it -----------------------------------------------------------------------------------------


def changed(one: dict[str, str], other: dict[str, str]) -> set[str]:
    """Names of the entries that differ."""
    return {name for name in one | other if one.get(name) != other.get(name)}


def with_price(market: ep.Market, step: int, symbol: str) -> ep.Market:
    price = market.price.copy()
    price.iloc[step, market.column(symbol)] *= 1 + 1e-12
    return replace(market, price=price)


@pytest.fixture(scope="module")
def told(market: ep.Market) -> dict[str, str]:
    return ep.backtest(market, ep.LongHKShortADR()).provenance


CHANGES: dict[str, tuple[set[str], Callable[[ep.Market], ep.Result]]] = {
    "parameter": ({"Plan"}, lambda m: ep.backtest(m, ep.LongHKShortADR(entry=1.500001))),
    "cost": ({"Costs"}, lambda m: ep.backtest(m, ep.LongHKShortADR(), costs=ep.Costs(fx_spread=0.0))),
    "capital": ({"Capital"}, lambda m: ep.backtest(m, ep.LongHKShortADR(), capital=10_000_000.01)),
    "currency": ({"Capital"}, lambda m: ep.backtest(m, ep.LongHKShortADR(), base_currency="HKD")),
    "trials": ({"Trials"}, lambda m: ep.backtest(m, ep.LongHKShortADR(), trials=2)),
    "price": ({"Data"}, lambda m: ep.backtest(with_price(m, -1, "BABA"), ep.LongHKShortADR())),
    "seed": ({"Data", "Seed", "Prices"}, lambda m: ep.backtest(market_of(8), ep.LongHKShortADR())),
    "dividend": (
        {"Data"},
        lambda m: ep.backtest(replace(m, dividends=m.dividends.iloc[1:]), ep.LongHKShortADR()),
    ),
    "volume": (
        {"Data"},
        lambda m: ep.backtest(replace(m, volume=None), ep.LongHKShortADR()),
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_any_input_that_changes_changes_its_entry_and_the_run(
    what: str, market: ep.Market, told: dict[str, str]
) -> None:
    entries, run = CHANGES[what]
    assert changed(told, run(market).provenance) == entries | {"Run"}


def test_fills_and_path_change_theirs(market: ep.Market, path: ep.RegimePath) -> None:
    weights = pd.DataFrame({"KWEB": [0.5]}, index=[market.grid["session"].iloc[0]])
    one = ep.backtest(market, weights).provenance
    assert changed(one, ep.backtest(market, weights, fill="same_step").provenance) == {"Fill", "Run"}
    assert changed(one, ep.backtest(market, weights, path=path).provenance) == {"Regime path", "Run"}


def test_label_notes_and_truth_do_not_count(market: ep.Market, told: dict[str, str]) -> None:
    """The same prices from another folder are the same run."""
    renamed = replace(market, label="simulated market, seed 7, of a friend", notes=("another",))
    assert changed(told, ep.backtest(renamed, ep.LongHKShortADR()).provenance) == {"Prices"}


def test_a_run_that_goes_on_says_so(market: ep.Market) -> None:
    weights = pd.DataFrame({"KWEB": [0.5]}, index=[market.grid["session"].iloc[0]])
    short = market.until(len(market) // 2)
    begun = ep.backtest(short, weights)
    whole = ep.backtest(market, weights, resume=begun.state)
    said = whole.provenance
    assert said["Resumed"].startswith(f"after {len(short):,} steps")
    assert changed(said, ep.backtest(market, weights).provenance) == {"Resumed", "Run"}


def test_the_same_inputs_made_again_are_the_same_run(told: dict[str, str]) -> None:
    assert ep.backtest(market_of(), ep.LongHKShortADR()).provenance == told


@pytest.mark.parametrize("trials", [0, -1, 1.5, True, "3", None, float("nan")])
def test_trials_are_a_count(trials: Any, market: ep.Market) -> None:
    with pytest.raises(ParameterError, match=r"^trials is .*: give a whole number of configurations"):
        ep.backtest(market, ep.LongHKShortADR(), trials=trials)


# -- what carries it -----------------------------------------------------------------------------------------


def test_a_pickled_result_keeps_what_it_came_from(market: ep.Market) -> None:
    """The plan may hold what no other process can load."""
    result = ep.backtest(market, ep.strategy(lambda market: market.price.iloc[[0], :1] * 0 + 0.5), trials=3)
    again = pickle.loads(pickle.dumps(result))
    assert again.provenance == result.provenance
    assert again.trials == 3
    assert again.plan is None
    assert result.plan is not None
    pd.testing.assert_series_equal(again.equity, result.equity)


def test_a_result_knows_its_plan_and_can_run_it_again(market: ep.Market) -> None:
    plan = ep.LongHKShortADR(lookback=10)
    result = ep.backtest(market, plan)
    assert result.plan is plan
    again = ep.backtest(result.market, result.plan)
    assert again.provenance == result.provenance
    pd.testing.assert_series_equal(again.equity, result.equity, check_exact=True)


def test_the_report_shows_it_and_what_the_caller_adds(market: ep.Market, tmp_path: Path) -> None:
    result = ep.backtest(market, ep.LongHKShortADR(), trials=77)
    page = result.report(tmp_path / "a.html", provenance={"Ordered by": "the committee"}).read_text("utf-8")
    for name in ("Data", "Run"):
        assert result.provenance[name] in page
    assert "LongHKShortADR(mode=&#39;convergence&#39;" in page
    assert "the committee" in page
    assert "77" in page


def test_the_tear_sheet_shows_it(market: ep.Market, tmp_path: Path) -> None:
    result = ep.backtest(market, ep.LongHKShortADR())
    figure = result.tear_sheet(tmp_path / "a.png")
    words = [text.get_text() for text in figure.texts]
    assert any(all(result.provenance[n] in w for n in ("entrepot", "Data", "Run")) for w in words)
    other = ep.backtest(market, ep.LongHKShortADR(), trials=2)
    other.tear_sheet(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_a_sweeps_result_says_how_many_were_tried(market: ep.Market) -> None:
    swept = ep.sweep(market, ep.LongHKShortADR(), {"entry": [1.0, 1.5], "lookback": [10, 20]}, progress=False)
    result = swept.backtest(0)
    assert result.trials == swept.trials == 4
    assert result.provenance["Trials"] == "4"
    assert swept.select(entry=1.0).backtest(1).trials == 4


def test_it_takes_no_time() -> None:
    """Fingerprints of eight years of 47 lines: 23 ms on one core, times hashed as numbers."""
    market = ep.simulate_market()
    assert market.price.shape[1] == 47
    best = min(timed(lambda: provenance.content_fingerprint(market, provenance.NOT_DATA)) for _ in range(3))
    assert best < 0.1


def timed(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


# -- the same bytes ------------------------------------------------------------------------------------------

SCRIPT = """
import pandas as pd
import entrepot as ep

class Own:
    threshold = 0.1
    def __init__(self, names):
        self.names, self.bag = names, {"x", "y", "z"}
    def targets(self, market, path=None):
        if path is None or "none" in {"none", "of", "these"}:
            return ep.LongHKShortADR(lookback=10).targets(market, path)

market = ep.simulate_market("2022-01-03", "2022-04-29", seed=7, symbols=["BABA", "9988.HK", "KWEB", "FXI"])
events = ep.load_events()
path = ep.RegimeModel().walk_forward(market, events)
plan = ep.RegimeSwitch(path, calm=Own(("a", "b")), tariff=ep.SectorRotation(), delisting=market.price * 0.01)
result = ep.backtest(market, plan, costs=ep.Costs(no_borrow_states={2, 3}), trials=9)
out = "."
result.report(f"{out}/a.html", events=events)
result.report(f"{out}/a.pdf", events=events)
result.tear_sheet(f"{out}/a.png", events=events)
result.export(f"{out}/csv", events=events)
result.export(f"{out}/parquet", format="parquet", events=events)
"""


def test_two_processes_tell_the_same(tmp_path: Path) -> None:
    said = run_twice(SCRIPT.partition("out = ")[0] + "print(*result.provenance.items(), sep='\\n')", tmp_path)
    assert said[0] == said[1]
    assert "Plan.calm" in said[0]


def run_twice(script: str, place: Path) -> list[str]:
    """Run a script in two processes that differ in all that must not matter; return what they print."""
    runs = []
    for number in (1, 2):
        folder = place / f"place {number}"
        folder.mkdir()
        surroundings = {"PYTHONHASHSEED": str(number), "TZ": ("UTC", "Asia/Hong_Kong")[number - 1]}
        runs.append(
            subprocess.Popen(
                [sys.executable, "-c", script],
                cwd=folder,
                env={**os.environ, **surroundings},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    said = []
    for run in runs:
        words, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors
        said.append(words)
    return said


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    """HTML, PDF, PNG, CSV and Parquet, whatever the order of sets, the folder and the day."""
    run_twice(SCRIPT, tmp_path)
    one, other = (
        {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file()
        }
        for folder in (tmp_path / "place 1", tmp_path / "place 2")
    )
    assert {"a.html", "a.pdf", "a.png", "csv/manifest.json", "parquet/fills.parquet"} <= set(one)
    assert sorted(one) == sorted(other)
    assert [name for name in one if one[name] != other[name]] == []
