"""Fingerprints: equal for equal contents in any process, and for no others."""

from __future__ import annotations

import array
import os
import random
import re
import subprocess
import sys
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache, cached_property, partial, singledispatch
from pathlib import Path
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import numba
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.polynomial import Polynomial
from scipy import stats

import entrepot as ep
from entrepot.engine.fingerprints import fingerprint, told
from entrepot.engine.own_code import is_own, reads
from entrepot.errors import ParameterError


@dataclass
class Record:
    """A class whose field has no default."""

    size: int


class Rule:
    """Says one."""

    def __init__(self) -> None:
        self.above: Any = None

    def said(self) -> int:
        return 1


class Louder(Rule):
    """Encloses its own class, as `super` does."""

    def said(self) -> int:
        return super().said() + 1


class Loudest(Rule):
    """As the other, but for a number."""

    def said(self) -> int:
        return super().said() + 2


def each_other(add: int) -> Callable[[int], int]:
    """Return one of two functions that call each other."""

    def even(n: int) -> int:
        return odd(n - 1) if n else add

    def odd(n: int) -> int:
        return even(n - 1) if n else 0

    return even


def unassigned(assign: bool) -> Callable[[], int]:
    """Return a function that encloses what may not be there yet."""

    def later() -> int:
        return other()

    if assign:

        def other() -> int:
            return 1

    return later


def holds_itself(number: int) -> list[Any]:
    own: list[Any] = [number]
    own.append(own)
    return own


def circle(number: int) -> Rule:
    one, other = Rule(), Rule()
    one.above, other.above = other, [one, number]
    return one


@pytest.mark.parametrize("make", [holds_itself, circle, each_other, lambda n: circle(n).said])
def test_what_holds_itself_is_gone_through_once(make: Callable[[int], Any]) -> None:
    assert fingerprint(make(1)) == fingerprint(make(1)) != fingerprint(make(2))


def test_a_value_that_is_there_twice_is_not_one_that_holds_itself() -> None:
    twice = [1, 2]
    assert fingerprint([twice, twice]) == fingerprint([[1, 2], [1, 2]])


def test_a_function_may_enclose_what_is_not_assigned_yet() -> None:
    assert fingerprint(unassigned(False)) == fingerprint(unassigned(False)) != fingerprint(unassigned(True))


def test_classes_are_their_names_and_methods() -> None:
    assert fingerprint(Record) == fingerprint(Record) != fingerprint(Rule)
    assert fingerprint(Louder().said) == fingerprint(Louder().said) != fingerprint(Loudest().said)
    one, other = (type("Made", (), {"said": rule.said, "__module__": "x"}) for rule in (Louder, Loudest))
    assert fingerprint(one) != fingerprint(other)
    script = "from entrepot.engine.fingerprints import fingerprint; print(fingerprint([int, dict]))"
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == fingerprint([int, dict])  # whatever the addresses in a process


def test_names_count() -> None:
    assert fingerprint(pd.Series([1.0], name="FXI")) != fingerprint(pd.Series([1.0], name="MCHI"))
    assert fingerprint(pd.DataFrame({1: [1.0]})) != fingerprint(pd.DataFrame({"1": [1.0]}))


def test_what_is_held_again_may_be_the_inner_or_the_outer_one() -> None:
    outer: list[Any] = [1, [2]]
    outer[1].append(outer)
    inner: list[Any] = [1, [2]]
    inner[1].append(inner[1])
    assert fingerprint(outer) != fingerprint(inner)


# A module, and the same with a change that makes its `made` another thing.
CODE = """
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
import entrepot as ep
SINCE, WEIGHT, COSTS = date(2021, 1, 4), {"KWEB": 0.5}, ep.Costs(fee_bps=1.0)
def scaled(factor, x): return factor * x
half = partial(scaled, 0.25)
class Base:
    level = 1.0
    bound = partial(scaled, 4.0)
    def inherited(self): return 1
class Rule(Base):
    def targets(self): return helper(1)
    @property
    def share(self): return 1
    @cached_property
    def kept(self): return 1
    @staticmethod
    def plain(): return 1
    @classmethod
    def of(cls): return 1
@dataclass
class Plan:
    size: int = 1
    def targets(self): return self.size * 2
def helper(x): return deeper(x) if x else decided()
def deeper(x): return x + 10
def decided(): return SINCE, WEIGHT, COSTS, Base, helper
told = Rule().targets
def bindings(): return half, told
def through(): return (lambda: helper(0))()
"""
CHANGES = {
    "a method": ("Rule()", "return helper(1)", "return helper(2)"),
    "a property": ("Rule()", "def share(self): return 1", "def share(self): return 2"),
    "a property that is kept": ("Rule()", "def kept(self): return 1", "def kept(self): return 2"),
    "a static method": ("Rule()", "def plain(): return 1", "def plain(): return 2"),
    "a method of the class": ("Rule()", "def of(cls): return 1", "def of(cls): return 2"),
    "what it inherits": ("Rule()", "def inherited(self): return 1", "def inherited(self): return 2"),
    "a number of the class it inherits from": ("Rule()", "level = 1.0", "level = 2.0"),
    "a method of a dataclass": ("Plan()", "self.size * 2", "self.size * 3"),
    "the default of a dataclass": ("Plan()", "size: int = 1", "size: int = 2"),
    "a class in a list": ("[Rule]", "return helper(1)", "return helper(2)"),
    "a function": ("helper", "if x else", "if not x else"),
    "what a method calls": ("Rule()", "x + 10", "x + 11"),
    "what a function calls": ("helper", "x + 10", "x + 11"),
    "what an inner function calls": ("through", "x + 10", "x + 11"),
    "what a bound function calls": ("partial(helper, 0)", "x + 10", "x + 11"),
    "what is bound to a function that is read": ("bindings", "scaled, 0.25", "scaled, 0.75"),
    "a method that is read": ("bindings", "return helper(1)", "return helper(2)"),
    "what is bound to a function of the class": ("Rule()", "scaled, 4.0", "scaled, 5.0"),
    "a function to which something is bound": ("bindings", "factor * x", "factor - x"),
    "a date that is read": ("decided", "2021, 1, 4", "2021, 1, 5"),
    "a table that is read": ("helper", '"KWEB": 0.5', '"KWEB": 0.6'),
    "costs that are read": ("helper", "fee_bps=1.0", "fee_bps=2.0"),
    "a class that is read": ("helper", "level = 1.0", "level = 2.0"),
}


def made(text: str, what: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(text, namespace)
    return eval(what, namespace)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_ones_own_code_counts(change: str) -> None:
    what, old, new = CHANGES[change]
    assert CODE.count(old) == 1
    assert fingerprint(made(CODE, what)) == fingerprint(made(CODE, what))
    assert fingerprint(made(CODE, what)) != fingerprint(made(CODE.replace(old, new), what))


def test_what_is_not_read_does_not_count() -> None:
    changed = CODE.replace("0.5", "0.6").replace("return helper(1)", "return helper(2)")
    assert fingerprint(made(CODE, "Plan()")) == fingerprint(made(changed, "Plan()"))
    assert fingerprint(made(CODE, "deeper")) == fingerprint(made(changed, "deeper"))


def test_a_module_of_ones_own_is_read_by_what_is_named_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for number, word in enumerate((1, 1, 2)):
        name, text = f"own_rules_{number}", f"def half(x): return x / {word}\ndef unused(): return {number}"
        (tmp_path / f"{name}.py").write_text(text)
        found.append(fingerprint(made(f"import {name} as rules\ndef f(x): return rules.half(x)", "f")))
        monkeypatch.delitem(sys.modules, name)
    assert found[0] == found[1] != found[2]


def test_code_that_is_installed_or_the_librarys_is_not_gone_through() -> None:
    text = "import numpy as np, json, entrepot as ep\ndef f(x): return np.sum(x), json.dumps(x), ep.cap"
    alone = made(text.replace("np.sum(x), json.dumps(x), ep.cap", "np.sum, json.dumps, ep.cap"), "f")
    assert list(reads(made(text, "f"))) == list(reads(alone)) == []
    assert fingerprint(ep.LongHKShortADR()) == fingerprint(ep.LongHKShortADR())


# -- values of every kind ------------------------------------------------------------------------------------


class Slotted:
    """Has no dict."""

    __slots__ = ("least",)

    def __init__(self, least: float) -> None:
        self.least = least


class Shy:
    """Leaves out of its pickle what counts."""

    def __init__(self, least: float) -> None:
        self.least = least

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Closed(Shy):
    """Cannot be pickled."""

    def __reduce__(self) -> Any:
        raise TypeError("no")


class Queue(deque[Any]):
    """A library's container with an attribute."""

    def __init__(self, items: Any, least: float) -> None:
        super().__init__(items)
        self.least = least


class Weights(dict[str, float]):
    """Python's container with a method."""

    least = 1.0


class Mood(Enum):
    """Two members."""

    BOLD = 1
    MEEK = 2


@dataclass(slots=True)
class Packed:
    """A dataclass with slots and a field that is not there yet."""

    size: int
    later: int = field(init=False)


class Wider(Record):
    """Keeps more than the fields of the dataclass it inherits from."""

    def __init__(self, size: int, more: int) -> None:
        super().__init__(size)
        self.more = more


@dataclass
class Doubled:
    """Keeps what it makes of something that is no field."""

    given: InitVar[int]

    def __post_init__(self, given: int) -> None:
        self.kept = 2 * given


def double(x: float) -> float:
    return x * 2


def half(x: float) -> float:
    return x / 2


def filled(kind: type, number: float) -> Any:
    """Return a class that a function makes."""
    return type("Filled", (kind,), {"number": number, "__module__": __name__})


BIG = np.arange(10_000.0)


def big(last: float) -> np.ndarray[Any, Any]:
    return np.append(BIG, last)


def masked(mask: list[int]) -> Any:
    return np.ma.MaskedArray([1.0, 2.0], mask)


def frame_of(values: Any, **index: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": values}, **index)


def months(freq: str) -> pd.PeriodIndex:
    return pd.period_range("2020-01", periods=2, freq=freq)


def drawn(seed: int) -> np.random.Generator:
    rng = np.random.default_rng(seed)
    rng.normal(size=3)
    return rng


# Each makes one of two values that differ.
KINDS: dict[str, Callable[[int], Any]] = {
    "Timedelta": lambda n: pd.Timedelta(days=n),
    "Period": lambda n: pd.Period("2020-01", "M") + n,
    "frequency of a Period": lambda n: pd.Period("2020-01-01", "MD"[n]),
    "frame by period": lambda n: frame_of([1.0, 2.0], index=months("MQ"[n])),
    "periods in a frame": lambda n: frame_of(months("M") + n),
    "name of an index": lambda n: frame_of([1.0], index=pd.Index([1], name="ab"[n])),
    "Categorical": lambda n: pd.Categorical(["a", "ab"[n]], categories=["a", "b"]),
    "categories": lambda n: pd.Categorical(["a"], categories=["a", "bc"[n]]),
    "order of categories": lambda n: pd.Series(pd.Categorical(["a"], ordered=bool(n))),
    "DatetimeArray": lambda n: pd.array(pd.date_range(f"202{n}", periods=3)),
    "integers that may be missing": lambda n: pd.array([1, None, n], dtype="Int64"),
    "MultiIndex": lambda n: pd.MultiIndex.from_product([[1, 2], ["a", "bc"[n]]]),
    "IntervalIndex": lambda n: pd.interval_range(0, 3 + n),
    "BDay": lambda n: pd.offsets.BDay(n),
    "CustomBusinessDay": lambda n: pd.offsets.CustomBusinessDay(holidays=[f"2020-01-0{n + 1}"]),
    "deque": lambda n: deque([big(n)]),
    "longest deque": lambda n: deque([1], maxlen=n + 3),
    "subclass of deque": lambda n: Queue([1], n),
    "items in a subclass of deque": lambda n: Queue([n], 1),
    "subclass of a dict": lambda n: Weights(a=n),
    "dict_values": lambda n: {"a": 1, "b": n}.values(),
    "dict_keys": lambda n: dict.fromkeys([n, 5]).keys(),
    "default of a defaultdict": lambda n: defaultdict((int, float)[n]),
    "OrderedDict": lambda n: OrderedDict(a=n),
    "mappingproxy": lambda n: MappingProxyType({"a": n}),
    "set of sets": lambda n: {frozenset({"a", "b", n}), frozenset({"c", "d"})},
    "set of functions": lambda n: {double, (half, len)[n], drawn},
    "SimpleNamespace": lambda n: SimpleNamespace(a=n),
    "pyarrow table": lambda n: pa.table({"a": big(n)}),
    "pyarrow array": lambda n: pa.array(big(n)),
    "polars frame": lambda n: pl.DataFrame({"a": [n], "b": ["x"]}),
    "polars series": lambda n: pl.Series([n]),
    "polars expression": lambda n: pl.col("a") + n,
    "poly1d": lambda n: np.poly1d([1, 2, n]),
    "Polynomial": lambda n: Polynomial([1.0, n + 1.0]),
    "masked array": lambda n: masked([0, n]),
    "the masked constant": lambda n: (np.ma.masked, np.ma.MaskedArray(0.0))[n],
    "array of objects": lambda n: np.array([[n, "a"]], dtype=object),
    "array of records with objects": lambda n: np.array([(n, "a")], dtype=[("x", int), ("y", object)]),
    "array of Python": lambda n: array.array("d", [1, n]),
    "random.Random": lambda n: random.Random(n),
    "Generator": lambda n: np.random.default_rng(n),
    "Generator that drew": drawn,
    "RandomState": lambda n: np.random.RandomState(n),
    "frozen distribution": lambda n: stats.norm(n, 1.0),
    "smoothed density": lambda n: stats.gaussian_kde([0.0, 1.0, n + 0.5]),
    "vectorized": lambda n: np.vectorize((double, half)[n]),
    "excluded of a vectorized": lambda n: np.vectorize(double, excluded={n}),
    "cached": lambda n: cache((double, half)[n]),
    "dispatched": lambda n: singledispatch((double, half)[n]),
    "compiled": lambda n: numba.njit((double, half)[n]),
    "compiled for arrays": lambda n: numba.vectorize((double, half)[n]),
    "bound": lambda n: partial(double, n),
    "bound by Python": lambda n: "ab"[n].upper,
    "Python's own": lambda n: (len, sum)[n],
    "of numpy": lambda n: (np.add, np.multiply)[n],
    "function of a library": lambda n: (np.nanmean, np.nansum)[n],
    "pattern": lambda n: re.compile("ab"[n]),
    "date and zone": lambda n: datetime(2020, 1, 1, tzinfo=(ZoneInfo("Asia/Tokyo"), UTC)[n]),
    "timedelta": lambda n: timedelta(days=n),
    "Decimal": lambda n: Decimal(f"1.{n}"),
    "member": lambda n: (Mood.BOLD, Mood.MEEK)[n],
    "bytes": lambda n: ([b"a)bytes(b"], [b"a", b"b"])[n],
    "path": lambda n: Path("ab"[n]),
    "slots": lambda n: Slotted(n),
    "slots of a dataclass": lambda n: Packed(n),
    "beside the fields of a dataclass": lambda n: Wider(1, n),
    "what a dataclass makes of what it is given": lambda n: Doubled(n),
    "what a class inherits from": lambda n: filled((OrderedDict, defaultdict)[n], 1),
    "what is left out of a pickle": lambda n: Shy(n),
    "what cannot be pickled": lambda n: Closed(n),
    "class of a subclass of a dict": lambda n: filled(Weights, n)(a=1),
    "order of classes of one name": lambda n: [filled(Shy, 1 - n)(1), filled(Shy, n)(1)],
    "module made by a program": lambda n: module_of("made_here", a=n),
    "names of arguments": lambda n: (lambda a, b: a - b, lambda b, a: b - a)[n],
    "several arguments or one": lambda n: (lambda a: a, lambda *a: a)[n],
    "attribute of a function": lambda n: marked(n),
}


def module_of(name: str, **held: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(held)
    return module


def marked(number: int) -> Any:
    def own() -> int:
        return 1

    cast("Any", own).number = number
    return own


@pytest.mark.parametrize("kind", KINDS)
def test_equal_contents_have_one_fingerprint_and_others_another(kind: str) -> None:
    make = KINDS[kind]
    assert told(make(1)) == told(make(1)) == (fingerprint(make(1)), [])
    assert fingerprint(make(1)) != fingerprint(make(0))


def every_kind() -> list[str]:
    return [f"{kind} {fingerprint(make(1))}" for kind, make in KINDS.items()]


def test_equal_contents_have_one_fingerprint_in_another_process() -> None:
    script = "import test_fingerprints; print(*test_fingerprints.every_kind(), sep=chr(10))"
    said = []
    for seed in "12":  # the order of sets
        paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
        around = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        call = [sys.executable, "-c", script]
        said.append(subprocess.run(call, capture_output=True, text=True, env=around, check=True).stdout)
    assert said[0].splitlines() == said[1].splitlines()
    assert len(said[0].splitlines()) == len(KINDS)


def test_what_was_worked_out_and_kept_does_not_count() -> None:
    class Lazy:
        def __init__(self) -> None:
            self.lock = threading.Lock()

        @cached_property
        def worked_out(self) -> int:
            return 1

    lazy, kept, many = Lazy(), cache(double), np.vectorize(double, otypes=[float])
    before = [told(each) for each in (lazy, kept, many)]
    assert [lazy.worked_out, kept(1.0), many(1.0)] == [1, 2.0, 2.0]
    assert [told(each) for each in (lazy, kept, many)] == before == [told(Lazy()), *before[1:]]
    assert told(singledispatch(double))[1] == []


def test_what_two_share_counts_as_if_each_had_its_own() -> None:
    shared = Rule()
    assert fingerprint([shared, {"a": shared}]) == fingerprint([Rule(), {"a": Rule()}])
    text = "".join(["long ", "name"])
    assert fingerprint([text, text]) == fingerprint([text, "".join(["long ", "name"])])


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


def numbers() -> Iterator[int]:
    yield 1


def test_what_cannot_be_told_is_named_and_told_by_its_type(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool, open(tmp_path / "a", "w") as file:
        for value, kind in (
            (numbers(), "generator"),
            (file, "TextIOWrapper"),
            (np.frompyfunc(double, 1, 1), "ufunc"),
            (pool, "SimpleQueue"),
            (nested(2_000), "list"),
        ):
            assert told([value]) == (fingerprint([value]), [kind])
    assert fingerprint(numbers()) == fingerprint(numbers())
    made = numbers()
    fingerprint([made, iter([1])])
    assert next(made) == 1
    wide: list[Any] = [1]
    for _ in range(100):
        wide = [wide, wide]  # 2**100 paths
    assert told(wide)[1] == []


def test_modules_without_a_file_are_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "of_a_notebook", ModuleType("of_a_notebook"))
    assert is_own("of_a_notebook")
    assert not any(
        map(is_own, ("builtins", "sys", "_thread", "json", "numpy", "pandas._libs", "entrepot.job"))
    )


# -- what a strategy reads -----------------------------------------------------------------------------------

# A package of one's own, and what is done to it after a sweep.
SETTINGS = """
W, LIST = 0.5, [1]
"""
STRATEGY = """
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
import numpy as np, pandas as pd, polars as pl, entrepot as ep
import NAME.trading
import NAME.trading as under_another_name
from NAME.trading import W

EVENTS, LEVELS = ep.load_events(), ep.load_tariff_levels()
DAY, FRAME, SPACE = pd.offsets.BDay(1), pl.DataFrame({"a": [1]}), SimpleNamespace(a=1)

class Slotted:
    __slots__ = ("a",)
    def __init__(self, a): self.a = a
SLOTS = Slotted(1)

def factor(x): return 0.25
kept = cache(factor)
many = np.vectorize(factor)

def imports_a_module():
    import NAME.late
    return NAME.late.W
def imports_a_name():
    from NAME.late import W
    return W
def imports_what_is_beside():
    from . import late
    return late.W
def imports_from_beside():
    from .late import W as under
    return under
def tries():
    try:
        import there_is_no_such_module
    except ImportError:
        return 1

@dataclass
class Plan:
    entry: float = 1.0
    def with_(self, **changes): return Plan(**changes)
    def targets(self, market, path=None):
        READ
        frame = pd.DataFrame({"BABA": [0.1 * self.entry]}, index=[market.grid["session"].iloc[0]])
        return ep.Targets.from_frame(market, frame)
"""
LINES: dict[str, tuple[str, str]] = {
    "events": ("EVENTS", "rules.EVENTS = rules.EVENTS.where(severity=5)"),
    "tariff levels": ("LEVELS", "rules.LEVELS = type(LEVELS)(LEVELS.frame.iloc[:-1])"),
    "an offset": ("DAY", "rules.DAY = pd.offsets.BDay(2)"),
    "a polars frame": ("FRAME", "rules.FRAME = pl.DataFrame({'a': [2]})"),
    "a namespace": ("SPACE.a", "rules.SPACE.a = 2"),
    "slots": ("SLOTS.a", "rules.SLOTS.a = 2"),
    "a cached function": ("kept(1)", "rules.kept = cache(lambda x: 0.5)"),
    "a vectorized function": ("many(1)", "rules.many = np.vectorize(lambda x: 0.5)"),
    "a number of a module of a package": ("NAME.trading.W", "trading.W = 2"),
    "a number of a module under another name": ("under_another_name.W", "trading.W = 2"),
    "a list that was imported": ("W", "rules.W = 2"),
    "a module imported when called": ("imports_a_module()", "late.W = 2"),
    "a name imported when called": ("imports_a_name()", "late.W = 2"),
    "a module beside, imported when called": ("imports_what_is_beside()", "late.W = 2"),
    "a name from beside, imported when called": ("imports_from_beside()", "late.W = 2"),
}


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market("2022-01-03", "2022-03-31", seed=7, symbols=["BABA", "9988.HK"])


def strategy_of(
    read: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str = "mysettings"
) -> ModuleType:
    """Write a package with a strategy, and import that."""
    package = tmp_path / name
    package.mkdir()
    files = {"__init__": "", "trading": SETTINGS, "late": SETTINGS, "rules": STRATEGY.replace("READ", read)}
    for module, text in files.items():
        (package / f"{module}.py").write_text(text.replace("NAME", name))
    monkeypatch.syspath_prepend(tmp_path)
    for module in ["", ".trading", ".late", ".rules"]:
        monkeypatch.delitem(sys.modules, name + module, raising=False)
    return __import__(f"{name}.rules").rules


@pytest.mark.parametrize("what", LINES)
def test_a_change_of_what_a_strategy_reads_is_another_run(
    what: str, market: ep.Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, change = LINES[what]
    rules = strategy_of(read, tmp_path, monkeypatch)
    options: dict[str, Any] = {"checkpoint": tmp_path / "kept", "progress": False}
    run = ep.backtest(market, rules.Plan()).provenance
    ep.sweep(market, rules.Plan(), {"entry": [1.0, 2.0]}, **options)
    ep.sweep(market, rules.Plan(), {"entry": [1.0, 2.0]}, **options)  # is the same one
    assert ep.backtest(market, rules.Plan()).provenance == run
    late = sys.modules.get("mysettings.late")
    exec(change, vars(rules) | {"rules": rules, "late": late, "trading": sys.modules["mysettings.trading"]})
    assert ep.backtest(market, rules.Plan()).provenance["Run"] != run["Run"]
    with pytest.raises(ParameterError, match="of another sweep, its strategy differs"):
        ep.sweep(market, rules.Plan(), {"entry": [1.0, 2.0]}, **options)


def test_what_a_strategy_does_not_read_or_cannot_import_does_not_count(
    market: ep.Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = strategy_of("tries()", tmp_path, monkeypatch)
    one = fingerprint(rules.Plan())
    vars(rules).update(EVENTS=1, kept=1, imports_a_name=1)
    assert fingerprint(rules.Plan()) == one
    assert "mysettings.late" not in sys.modules


@dataclass
class Holding:
    """Holds for a while, of whatever type that is."""

    hold: object = None

    def with_(self, **changes: Any) -> Holding:
        return Holding(**changes)

    def targets(self, market: ep.Market, path: object = None) -> ep.Targets:
        days = cast("pd.Timedelta", self.hold).days if isinstance(self.hold, pd.Timedelta) else 1
        frame = pd.DataFrame({"BABA": [days / 100]}, index=[market.grid["session"].iloc[0]])
        return ep.Targets.from_frame(market, frame)


def test_a_checkpoint_does_not_hand_back_another_sweeps_figures(market: ep.Market, tmp_path: Path) -> None:
    def swept(*days: int) -> ep.Sweep:
        grid = {"hold": [pd.Timedelta(days=n) for n in days]}
        return ep.sweep(market, Holding(), grid, checkpoint=tmp_path, progress=False)

    swept(20, 60)
    with pytest.raises(ParameterError, match="its grid differs"):
        swept(40, 90)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "subclass" not in kind])
def test_runs_that_differ_in_a_value_are_told_apart(kind: str, market: ep.Market) -> None:
    runs = [ep.backtest(market, Holding(KINDS[kind](n))).provenance["Plan"] for n in (0, 1, 1)]
    assert runs[0] != runs[1] == runs[2]


def test_what_cannot_be_told_has_no_checkpoint_and_a_provenance(market: ep.Market, tmp_path: Path) -> None:
    with open(tmp_path / "a", "w") as file:
        plan = Holding(file)
        with pytest.raises(ParameterError, match="strategy holds or reads a TextIOWrapper, whose contents"):
            ep.sweep(market, plan, {"hold": [1]}, checkpoint=tmp_path / "kept", progress=False)
        with pytest.raises(ParameterError, match="grid holds or reads a TextIOWrapper, whose contents"):
            ep.sweep(market, Holding(), {"hold": [file]}, checkpoint=tmp_path / "kept", progress=False)
        assert "TextIOWrapper" in ep.backtest(market, plan).provenance["Plan"]
    assert not (tmp_path / "kept").exists()
