"""The refusals of the whole package, read as a set: one form for all of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import entrepot as ep
from entrepot import errors

ROOT = Path(__file__).parents[1]
ROOMS = ("markets", "regimes", "strategies", "engine", "reports")
REFUSALS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ValueError)
} | {"LookAheadError"}


def sources() -> list[Path]:
    """The package's modules, those of the rooms by the folder they are in."""
    own = (ROOT / "src" / "entrepot").rglob("*.py")
    linked = {ROOT / "src" / "entrepot" / room for room in ROOMS}
    found = [path for path in own if not linked & set(path.parents)]
    return sorted(found + [path for room in ROOMS for path in (ROOT / room).rglob("*.py")])


def template(node: ast.expr) -> str:
    """A message as written, each value that is put into it as ``{}``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) for part in node.values)
    return "{}"


def messages() -> list[tuple[str, str]]:
    """Where each refusal is made and what it says."""
    found = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFUSALS:
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                found.append((where, template(node.args[0]) if node.args else ""))
    return found


def test_there_are_many_and_each_is_found() -> None:
    assert len(messages()) > 700
    assert {"ParameterError", "DataError", "TargetError", "EntrepotError"} <= REFUSALS
    assert issubclass(ep.EntrepotError, ValueError)


@pytest.mark.parametrize(
    ("fault", "is_there"),
    [
        ("says nothing", lambda text: not text.strip()),
        ("ends with a full stop, though it is shown after a name and in brackets", lambda t: t.endswith(".")),
        ("is more than one sentence", lambda text: ". " in text.replace("...", "")),
        ("has a line break", lambda text: "\n" in text),
        ("begins with a capital", lambda text: text.split(" ")[0].rstrip(",").istitle() and text[1:2] != "S"),
        ("shouts or apologises", lambda text: "!" in text or "sorry" in text.lower() or "please" in text),
    ],
)
def test_no_message(fault: str, is_there: Callable[[str], bool]) -> None:
    allowed = {"Costs", "Effects", "Events"}  # names of classes
    wrong = [
        f"{where}: {text}"
        for where, text in messages()
        if is_there(text) and text.split(" ")[0] not in allowed
    ]
    assert not wrong, f"{fault}: {wrong}"


MARKET = ep.simulate_market(start="2022-01-03", end="2022-02-04", seed=5, symbols=["FXI", "KWEB"])
PLAN = ep.SectorRotation(lookback=5)
CLOSES = {"FXI": MARKET.price["FXI"]}
WITHOUT_AN_AXIS: dict[str, Callable[[np.ndarray], object]] = {
    "the phases array(1) are": lambda one: ep.load_market(CLOSES, phases=one),
    "hk_shorts=array(1) is": lambda one: ep.load_market(CLOSES, hk_shorts=one),
    "symbols=array(1) are": lambda one: ep.simulate_market(symbols=one),
    "symbols=array(1) is": lambda one: ep.download(one, "nowhere", start="2022-01-03"),
    "windows is": lambda one: ep.event_study(MARKET, ep.load_events(), ["FXI"], windows=one),
    "channels is": lambda one: ep.load_events().intensity(MARKET.grid, channels=one),
    "series is": lambda one: ep.load_tariff_levels().level(MARKET.grid, series=one),
    "steps is": lambda one: ep.check_causal(PLAN, MARKET, steps=one),
    "blend was given": lambda one: ep.blend(one),
    "capitals is": lambda one: ep.capacity(MARKET, PLAN, capitals=one),
    "lookback is": lambda one: ep.sweep(MARKET, PLAN, {"lookback": one}),
}


@pytest.mark.parametrize("words", WITHOUT_AN_AXIS)
def test_an_array_without_an_axis_is_no_list(words: str) -> None:
    with pytest.raises(errors.EntrepotError, match="^" + re.escape(words)):
        WITHOUT_AN_AXIS[words](np.array(1))


def test_what_is_gone_through_is_first_asked_whether_it_can_be() -> None:
    """`isinstance(x, Iterable)` is true of an array without an axis: `is_listed` is the question."""
    asking = {path.name for path in sources() if ", Iterable)" in path.read_text(encoding="utf-8")}
    assert asking == {"errors.py"}
