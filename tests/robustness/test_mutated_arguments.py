"""Every public call with one valid argument replaced: refused in a sentence, or as good as its plain twin."""

from __future__ import annotations

import datetime
import decimal
import fractions
import inspect
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from robustness.cases import is_one_sentence
from robustness.small import market, path, run, swept, weights
from tally import tried

import entrepot as ep
from entrepot.engine.fingerprints import fingerprint
from entrepot.errors import EntrepotError
from entrepot.strategies import load_tilts

FEW = 60
DATES = pd.DatetimeIndex(["2021-02-01", "2021-02-02"])
# What people hand over by mistake: made anew each time, for a generator is used up.
NASTY: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "not a number": lambda: float("nan"),
    "endless": lambda: float("inf"),
    "endless below": lambda: -float("inf"),
    "an integer that no float holds": lambda: 10**400,
    "one below all": lambda: -(10**400),
    "more digits than are written": lambda: 10**5000,
    "the largest float": lambda: 1.7e308,
    "the smallest float": lambda: 5e-324,
    "minus one": lambda: -1,
    "zero": lambda: 0,
    "minus nothing": lambda: -0.0,
    "a half": lambda: 0.5,
    "one": lambda: 1,
    "a number between": lambda: 2.5,
    "more than 64 bits": lambda: 2**64,
    "a million": lambda: 1e6,
    "true": lambda: True,
    "false": lambda: False,
    "numpy's true": lambda: np.True_,
    "numpy's half": lambda: np.float64(0.5),
    "a tenth in 32 bits": lambda: np.float32(0.1),
    "numpy's nan": lambda: np.float32("nan"),
    "a small integer of numpy": lambda: np.int8(3),
    "an integer of numpy": lambda: np.int64(3),
    "an integer without sign": lambda: np.uint8(7),
    "text of numpy": lambda: np.str_("abc"),
    "an array without length": lambda: np.array(3.0),
    "an array": lambda: np.array([1.0, 2.0]),
    "an empty array": lambda: np.array([]),
    "an array of objects": lambda: np.array([None, 1], dtype=object),
    "an array of text": lambda: np.array(["a", "b"]),
    "a table of numpy": lambda: np.zeros((2, 2)),
    "records": lambda: np.zeros(2, dtype=[("a", "f8")]),
    "masked": lambda: np.ma.masked,
    "no time": lambda: pd.NaT,
    "not available": lambda: pd.NA,
    "no time of numpy": lambda: np.datetime64("NaT"),
    "a moment": lambda: pd.Timestamp("2021-02-01"),
    "a moment of a zone": lambda: pd.Timestamp("2021-02-01", tz="UTC"),
    "a day": lambda: datetime.date(2021, 2, 1),
    "a day long": lambda: pd.Timedelta("1D"),
    "a number in text": lambda: "3",
    "a word": lambda: "abc",
    "no text": lambda: "",
    "blanks": lambda: " ",
    "a zero byte": lambda: "a\0b",
    "half a character": lambda: "\ud800",
    "two lines": lambda: "a\nb",
    "a long text": lambda: "x" * 100_000,
    "bytes": lambda: b"abc",
    "numbers": lambda: [1, 2],
    "an empty list": list,
    "a list of nothing": lambda: [None],
    "a word twice": lambda: ["a", "a"],
    "a ragged list": lambda: [[1], [2, 3]],
    "a word and a number": lambda: ("a", 1),
    "a set": lambda: {1, 2},
    "an empty set": set,
    "a dict": lambda: {"a": 1},
    "an empty dict": dict,
    "a dict with a key that is no number": lambda: {float("nan"): 1.0},
    "a dict of a huge number": lambda: {"BABA": 10**400},
    "a dict of objects": lambda: {"BABA": object()},
    "a range": lambda: range(3),
    "a generator": lambda: (i for i in range(3)),
    "a function": lambda: lambda *given, **named: None,
    "a class": lambda: int,
    "an object": object,
    "complex": lambda: 1j,
    "a decimal": lambda: decimal.Decimal("0.5"),
    "a fraction": lambda: fractions.Fraction(1, 2),
    "a huge fraction": lambda: fractions.Fraction(10**400, 3),
    "an exception": lambda: ValueError("x"),
    "a module": lambda: datetime,
    "dots": lambda: ...,
    "a view of memory": lambda: memoryview(b"ab"),
    "a series": lambda: pd.Series([1.0, 2.0]),
    "an empty series": lambda: pd.Series([], dtype=float),
    "a series of text": lambda: pd.Series(["a"]),
    "a frame": lambda: pd.DataFrame({"a": [1.0]}),
    "an empty frame": pd.DataFrame,
    "a dated frame": lambda: pd.DataFrame({"BABA": [0.1, 0.2]}, index=DATES),
    "a frame of repeated dates": lambda: pd.DataFrame({"BABA": [0.1, 0.2]}, index=DATES[[0, 0]]),
    "a frame of a missing date": lambda: pd.DataFrame({"BABA": [0.1]}, index=pd.DatetimeIndex([pd.NaT])),
    "a frame of a zone": lambda: pd.DataFrame({"BABA": [0.1, 0.2]}, index=DATES.tz_localize("UTC")),
    "a frame that names a column twice": lambda: pd.DataFrame([[1.0, 2.0]], columns=["BABA", "BABA"]),
    "a frame of objects": lambda: pd.DataFrame({"BABA": [object()]}, index=DATES[:1]),
    "a frame of several levels": lambda: pd.DataFrame({("a", "b"): [1.0]}),
    "a frame of categories": lambda: pd.DataFrame({"BABA": pd.Categorical(["a"])}),
}


@cache
def known(level: float = 2.0) -> ep.KnownSeries:
    days = pd.bdate_range("2019-01-02", "2021-04-30")
    values = pd.DataFrame({"9988.HK": 0.5 * np.sin(np.arange(len(days))) + level}, index=days)
    return ep.load_series(values, name="something", lag="2 days")


@cache
def monthly() -> ep.KnownSeries:
    months = pd.date_range("2018-01-31", "2021-03-31", freq="ME")
    return ep.load_series(pd.DataFrame({"proceeds": 1.0}, index=months), name="proceeds", lag="10 days")


def noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(120)


def one_row(cells: Mapping[str, Any]) -> pd.DataFrame:
    """A frame of one row that holds whatever it is given as it is."""
    frame = pd.DataFrame(index=[0])
    for name, cell in cells.items():
        column = np.empty(1, dtype=object)
        column[0] = cell
        frame[name] = pd.Series(column, dtype=object)
    return frame


def event(**cells: Any) -> ep.Events:
    row = {
        "event_id": "a", "channel": "tariff", "direction": 1, "severity": 3,
        "announced_at": "2021-02-01", "title": "t", "known_at": pd.Timestamp("2021-02-02", tz="UTC"),
    }  # fmt: skip
    return ep.Events(one_row(row | cells))


def level(**cells: Any) -> ep.TariffLevels:
    row = {
        "series": "us_a", "effective_from": "2021-02-01", "rate_pct": 10, "scope": "all", "source_ref": "x"
    }  # fmt: skip
    return ep.TariffLevels(one_row(row | cells))


# Constructors and quick functions, each with what it needs to be valid.
CONSTRUCTORS: dict[str, tuple[Callable[..., Any], Callable[[], dict[str, Any]]]] = {
    "Fee": (ep.Fee, dict),
    "Margin": (
        ep.Margin,
        lambda: dict(
            zip(
                ("initial_long", "initial_short", "maintenance_long", "maintenance_short"),
                (0.5, 0.5, 0.25, 0.3),
                strict=True,
            )
        ),
    ),
    "Costs": (ep.Costs, dict),
    "Hawkes": (ep.Hawkes, lambda: {"base": 0.02, "branching": 0.5}),
    "Schedule": (ep.Schedule, dict),
    "RegimeModel": (ep.RegimeModel, dict),
    "ThresholdDetector": (ep.ThresholdDetector, dict),
    "MarkovDetector": (ep.MarkovDetector, dict),
    "JumpDetector": (ep.JumpDetector, dict),
    "ChangePointDetector": (ep.ChangePointDetector, dict),
    "LongHKShortADR": (ep.LongHKShortADR, dict),
    "SectorRotation": (ep.SectorRotation, dict),
    "TariffRotation": (ep.TariffRotation, dict),
    "ThemeRotation": (ep.ThemeRotation, dict),
    "IndexPair": (ep.IndexPair, dict),
    "StimulusBasket": (ep.StimulusBasket, lambda: {"events": ep.load_events()}),
    "AHDiscount": (ep.AHDiscount, lambda: {"ah_premium": known()}),
    "CustodyShift": (ep.CustodyShift, lambda: {"custody": known()}),
    "ListingBreadth": (ep.ListingBreadth, lambda: {"proceeds": monthly()}),
    "SanctionsDiscount": (ep.SanctionsDiscount, lambda: {"ah_premium": known()}),
    "SouthboundFlow": (ep.SouthboundFlow, lambda: {"flow": known(0.0)}),
    "ValuationGap": (ep.ValuationGap, lambda: {"forward_pe": known()}),
    "RegimeSwitch": (ep.RegimeSwitch, lambda: {"path": path(), "calm": ep.LongHKShortADR()}),
    "Targets": (ep.Targets, lambda: {"weights": np.zeros((3, 2))}),
    "blend": (ep.blend, lambda: {"parts": [(ep.LongHKShortADR(), 1.0)]}),
    "cap": (ep.cap, lambda: {"strategy": ep.LongHKShortADR(), "gross": 1.0}),
    "limit_to_volume": (ep.limit_to_volume, lambda: {"strategy": ep.LongHKShortADR(), "capital": 1e6}),
    "neutralise": (ep.neutralise, lambda: {"strategy": ep.LongHKShortADR()}),
    "scale_by_regime": (
        ep.scale_by_regime,
        lambda: {"strategy": ep.LongHKShortADR(), "scales": {"calm": 1.0}},
    ),
    "scale_to_volatility": (ep.scale_to_volatility, lambda: {"strategy": ep.LongHKShortADR()}),
    "switch": (
        ep.switch,
        lambda: {
            "states": lambda market, path: pd.Series("a", market.price.index),
            "parts": {"a": ep.LongHKShortADR()},
        },
    ),
    "press_trades": (ep.press_trades, lambda: {"events": ep.load_events()}),
    "load_themes": (ep.load_themes, dict),
    "load_tilts": (load_tilts, dict),
    "load_events": (ep.load_events, lambda: {"path": None}),
    "load_tariff_levels": (ep.load_tariff_levels, dict),
    "load_news_index": (ep.load_news_index, lambda: {"path": "absent.csv"}),
    "read_export": (ep.read_export, lambda: {"folder": "absent"}),
    "an event": (
        event,
        lambda: {
            "event_id": "a",
            "announced_at": "2021-02-01",
            "channel": "tariff",
            "direction": 1,
            "severity": 3,
            "title": "t",
            "core": 1,
            "notes": "",
        },
    ),
    "a tariff level": (
        level,
        lambda: {
            "series": "us_a",
            "effective_from": "2021-02-01",
            "effective_to": "",
            "rate_pct": 10,
            "scope": "all",
            "source_ref": "x",
        },
    ),
    "Events": (ep.Events, lambda: {"frame": ep.load_events().frame}),
    "TariffLevels": (ep.TariffLevels, lambda: {"frame": ep.load_tariff_levels().frame}),
    "Targets.from_frame": (ep.Targets.from_frame, lambda: {"market": market(), "frame": weights()}),
    "Targets.from_pairs": (ep.Targets.from_pairs, lambda: {"market": market(), "frame": weights()}),
    "Events.where": (ep.load_events().where, dict),
    "Events.known_by": (ep.load_events().known_by, lambda: {"when": "2021-02-01T00:00Z"}),
    "Events.merge": (ep.load_events().merge, lambda: {"other": ep.load_events()}),
    "Events.intensity": (ep.load_events().intensity, lambda: {"grid": market().grid}),
    "Events.scheduled": (ep.load_events().scheduled, lambda: {"grid": market().grid}),
    "Events.next_scheduled": (ep.load_events().next_scheduled, lambda: {"grid": market().grid}),
    "Events.save": (ep.load_events().save, lambda: {"path": "absent/a.csv"}),
    "TariffLevels.level": (ep.load_tariff_levels().level, lambda: {"grid": market().grid}),
    "ThresholdDetector.filter": (
        ep.ThresholdDetector().filter,
        lambda: {"y": None, "intensity": np.zeros((3, 2))},
    ),
    "MarkovDetector.fit": (
        lambda **a: ep.MarkovDetector(starts=1).fit(**a),
        lambda: {"y": noise(), "intensity": None, "previous": None},
    ),
    "JumpDetector.fit": (
        lambda **a: ep.JumpDetector(starts=1).fit(**a),
        lambda: {"y": noise(), "intensity": None, "previous": None},
    ),
    "ChangePointDetector.fit": (
        lambda **a: ep.ChangePointDetector().fit(**a),
        lambda: {"y": noise(), "intensity": None, "previous": None},
    ),
    "Moments": (ep.Moments.of, lambda: {"excess": noise()}),
    "probabilistic_sharpe": (ep.probabilistic_sharpe, lambda: {"own": ep.Moments.of(noise())}),
    "deflated_sharpe": (
        ep.deflated_sharpe,
        lambda: {"own": ep.Moments.of(noise()), "variance": 0.01, "trials": 5},
    ),
    "luckiest_sharpe": (ep.luckiest_sharpe, lambda: {"variance": 0.01, "trials": 5}),
    "most_trials": (ep.most_trials, lambda: {"own": ep.Moments.of(noise()), "variance": 0.01}),
    "minimum_track_record": (ep.minimum_track_record, lambda: {"own": ep.Moments.of(noise())}),
    "sharpe_odds": (ep.sharpe_odds, lambda: {"returns": noise()}),
    "independent_trials": (
        ep.independent_trials,
        lambda: {"excess": np.random.default_rng(1).standard_normal((60, 3))},
    ),
    "overfitting": (ep.overfitting, lambda: {"excess": np.random.default_rng(1).standard_normal((120, 3))}),
    "superior_ability": (
        ep.superior_ability,
        lambda: {"models": np.random.default_rng(1).standard_normal((60, 3)), "draws": 100},
    ),
}

# What runs the ledger or walks over a market.
RUNS: dict[str, tuple[Callable[..., Any], Callable[[], dict[str, Any]]]] = {
    "backtest": (
        ep.backtest,
        lambda: {"market": market(), "plan": weights(), "path": path(), "resume": None},
    ),
    "backtest_batch": (
        ep.backtest_batch,
        lambda: {"market": market(), "weights": np.zeros((2, *market().price.shape))},
    ),
    "sweep": (
        lambda market, strategy, parameters, **more: (
            ep.sweep(market, strategy, parameters, **{"progress": False} | more).table
        ),
        lambda: {
            "market": market(),
            "strategy": ep.LongHKShortADR(),
            "parameters": {"lookback": [10, 20]},
            "path": None,
            "model": None,
            "events": None,
            "capital": 1e6,
            "base_currency": "USD",
            "costs": None,
            "executor": None,
            "chunk": 4,
        },
    ),
    "a value of a sweep": (
        lambda **values: (
            ep.sweep(
                market(),
                ep.LongHKShortADR(),
                {name: [value] for name, value in values.items()},
                progress=False,
            ).table
        ),
        lambda: {
            "lookback": 10,
            "entry": 1.0,
            "weight": 0.1,
            "mode": "convergence",
            "pairs": None,
            "risks": None,
        },
    ),
    "Sweep.best": (lambda **a: swept().best(**a), lambda: {"metric": "sharpe", "n": 1}),
    "Sweep.select": (lambda **a: swept().select(**a).table, lambda: {"lookback": 10, "entry": 0.8}),
    "Sweep.backtest": (lambda **a: swept().backtest(**a).equity, lambda: {"row": 1, "capital": 1e6}),
    "Sweep.returns": (
        lambda **a: swept().returns(**a),
        lambda: {"rows": [0], "excess": True, "by": "parameters"},
    ),
    "Sweep.equity": (lambda **a: swept().equity(**a), lambda: {"rows": [0], "by": "parameters"}),
    "Sweep.heatmap": (
        lambda **a: drawn(swept().heatmap(**a)),
        lambda: {"x": "lookback", "y": "entry", "metric": "sharpe", "aggregate": "mean"},
    ),
    "Sweep.surface": (
        lambda **a: drawn(swept().surface(**a)),
        lambda: {"x": "lookback", "y": "entry", "metric": "sharpe", "aggregate": "mean"},
    ),
    "Sweep.significance": (
        lambda **a: str(swept().significance(**a)),
        lambda: {"blocks": 4, "draws": 100, "train": 30, "test": 10},
    ),
    "Sweep.walk_forward": (
        lambda **a: swept().walk_forward(**a).table,
        lambda: {"train": 30, "test": 10, "metric": "sharpe", "anchored": False, "gap": 1},
    ),
    "walk_forward": (
        lambda **a: ep.RegimeModel().walk_forward(**a),
        lambda: {"market": market(), "events": ep.load_events()},
    ),
    "RegimePath.until": (lambda **a: path().until(**a), lambda: {"step": 3}),
    "capacity": (
        ep.capacity,
        lambda: {
            "market": market(),
            "plan": weights(),
            "capitals": [1e6],
            "impact": 0.0,
            "participation": None,
        },
    ),
    "compare_results": (ep.compare_results, lambda: {"results": {"a": run(), "b": run()}, "draws": 100}),
    "discount_monitor": (ep.discount_monitor, lambda: {"market": market()}),
    "event_study": (
        ep.event_study,
        lambda: {"market": market(), "events": ep.load_events(), "placebos": 0, "estimation": (-30, -11)},
    ),
    "fill_timing": (
        ep.fill_timing,
        lambda: {"market": market(), "targets": ep.LongHKShortADR(lookback=10).targets(market())},
    ),
    "look_ahead_gap": (
        ep.look_ahead_gap,
        lambda: {
            "market": market(),
            "strategy": lambda path: ep.LongHKShortADR(mode="delisting_hedge"),
            "model": ep.RegimeModel(),
            "events": ep.load_events(),
        },
    ),
    "check_causal": (
        ep.check_causal,
        lambda: {"strategy": ep.LongHKShortADR(lookback=10), "market": market(), "path": None, "steps": [20]},
    ),
    "Result.summary": (lambda **a: run().summary(**a), lambda: {"benchmark": None}),
    "Result.by_regime": (lambda **a: run().by_regime(**a), lambda: {"path": path()}),
    "Result.regime_sources": (lambda **a: run().regime_sources(**a), lambda: {"path": path()}),
    "Result.event_sources": (
        lambda **a: run().event_sources(**a),
        lambda: {"events": ep.load_events(), "sessions": 5, "by": "channel"},
    ),
    "Result.by_sector": (lambda **a: run().by_sector(**a), lambda: {"sectors": {"BABA": "internet"}}),
    "Result.by_event": (lambda **a: run().by_event(**a), lambda: {"events": ep.load_events(), "sessions": 5}),
    "Result.by_period": (lambda **a: run().by_period(**a), lambda: {"freq": "year"}),
    "Result.turnover": (lambda **a: run().turnover(**a), lambda: {"freq": "month"}),
    "Result.relative": (
        lambda **a: run().relative(**a),
        lambda: {"benchmark": market().price["BABA"].dropna()},
    ),
    "Result.intervals": (
        lambda **a: run().intervals(**a),
        lambda: {"confidence": 0.9, "draws": 100, "seed": 1},
    ),
    "Result.report": (lambda **a: run().report(**a), lambda: {"path": "absent/a.html"}),
    "Result.tear_sheet": (lambda **a: run().tear_sheet(**a), lambda: {"path": "absent/a.png"}),
    "Result.export": (lambda **a: run().export(**a), lambda: {"folder": "/dev/null/absent", "format": "csv"}),
}


def drawn(axes: Any) -> list[float]:
    """The limits of a picture, which is closed."""
    limits = [*axes.get_xlim(), *axes.get_ylim()]
    plt.close(axes.figure)
    return limits


# Numbers and words of numpy, and what each stands for.
PLAIN: dict[str, Any] = {
    "numpy's true": True,
    "numpy's half": 0.5,
    "a tenth in 32 bits": float(np.float32(0.1)),
    "a small integer of numpy": 3,
    "an integer of numpy": 3,
    "an integer without sign": 7,
    "text of numpy": "abc",
}

Calls = Mapping[str, tuple[Callable[..., Any], Callable[[], dict[str, Any]]]]


def outcome(call: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """What a call gives, or the one sentence it refuses with; whatever else comes out fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return call(**arguments)
        except EntrepotError as error:
            refusal = error
    assert is_one_sentence(str(refusal)), str(refusal)
    assert len(str(refusal)) < 1000, str(refusal)
    return refusal


def parameters_of(call: Callable[..., Any], valid: Mapping[str, Any]) -> list[str]:
    """The names that a call can be given."""
    several = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    own = [item.name for item in inspect.signature(call).parameters.values() if item.kind not in several]
    return list(dict.fromkeys([*own, *valid]))


def contents(value: object) -> str:
    """A short name of what came out: a run is its equity."""
    return fingerprint(value.equity_by_step if isinstance(value, ep.Result) else value)


def same(one: object, other: object) -> bool:
    """Whether two outcomes are equal, to the last bit."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (one != one and other != other)
    plain = isinstance(one, (int, ep.Fee, ep.Margin))
    return bool(one == other) if plain else contents(one) == contents(other)


def check_one(calls: Calls, name: str, parameter: str, nasty: str) -> None:
    """Replace one argument of a valid call: it is refused in a sentence, or taken for what it stands for."""
    call, valid = calls[name]
    given = outcome(call, valid() | {parameter: NASTY[nasty]()})
    if nasty in PLAIN and not isinstance(given, EntrepotError):
        plainly = outcome(call, valid() | {parameter: PLAIN[nasty]})
        assert same(given, plainly), f"{name}({parameter}={nasty})"


def triples(calls: Calls) -> list[tuple[str, str, str]]:
    """Every call with every one of its arguments replaced by everything."""
    return [
        (name, parameter, nasty)
        for name, (call, valid) in calls.items()
        for parameter in parameters_of(call, valid())
        for nasty in NASTY
    ]


@pytest.fixture(scope="module")
def constructed() -> list[tuple[str, str, str]]:
    return triples(CONSTRUCTORS)


@pytest.fixture(scope="module")
def ran() -> list[tuple[str, str, str]]:
    return triples(RUNS)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word may be a path that can be written to."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))


PROPERTY = settings(
    max_examples=FEW,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def count() -> None:
    tried("bad inputs", "wrong arguments put into valid calls")


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_what_is_replaced_is_valid_before(name: str) -> None:
    call, valid = CONSTRUCTORS[name]
    given = outcome(call, valid())
    assert not isinstance(given, EntrepotError) or "absent" in str(given), str(given)


@settings(PROPERTY, max_examples=4 * FEW)
@given(data=st.data())
def test_a_wrong_argument_of_a_constructor_is_told(data: st.DataObject, constructed: Any) -> None:
    check_one(CONSTRUCTORS, *data.draw(st.sampled_from(constructed)))
    count()


@PROPERTY
@given(data=st.data())
def test_a_wrong_argument_of_a_run_is_told(data: st.DataObject, ran: Any) -> None:
    check_one(RUNS, *data.draw(st.sampled_from(ran)))
    count()


@pytest.mark.slow
@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_every_wrong_argument_of_a_constructor_is_told(name: str) -> None:
    for _, parameter, nasty in triples({name: CONSTRUCTORS[name]}):
        check_one(CONSTRUCTORS, name, parameter, nasty)
        count()


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_every_wrong_argument_of_a_run_is_told(name: str) -> None:
    for _, parameter, nasty in triples({name: RUNS[name]}):
        check_one(RUNS, name, parameter, nasty)
        count()
