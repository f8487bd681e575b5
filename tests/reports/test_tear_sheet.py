from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys

import doubles
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from entrepot.errors import ParameterError
from entrepot.reports import tear_sheet
from entrepot.reports.pages.findings import monthly_returns
from entrepot.reports.pictures.style import money, number


def everything(ledger):
    market = ledger.market
    return {
        "states": doubles.states(market),
        "names": doubles.REGIMES,
        "events": doubles.events(market),
        "premium": doubles.premium(market),
        "title": "Pairs",
    }


@pytest.fixture(scope="module")
def figure(ledger):
    return tear_sheet(ledger, **everything(ledger))


def shown(figure) -> list[str]:
    return [
        text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()
    ]


def test_texts_do_not_overlap(figure, monkeypatch):
    drawn = []
    draw = Text.draw

    def spy(self, renderer):
        if self.get_visible() and self.get_text().strip():
            drawn.append(self)
        draw(self, renderer)

    monkeypatch.setattr(Text, "draw", spy)
    figure.canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in drawn]
    for name, box in boxes:
        assert box.x0 >= 0, name
        assert box.x1 <= figure.bbox.x1, name
    assert len(boxes) > 150
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert wide < 1 or high < 0.35 * min(a.height, b.height), (one, other)


def test_says_that_it_is_simulated(figure, ledger):
    words = shown(figure)
    assert any("SIMULATED" in text for text in words)
    assert any(ledger.label in text for text in words)
    real = tear_sheet(dataclasses.replace(ledger, label="prices loaded from prices"))
    assert not any("simulated" in text.lower() for text in shown(real))


def test_dollar_signs_stay(figure):
    assert not any(text.get_parse_math() for text in figure.findobj(Text) if "US$" in text.get_text())
    assert any("US$" in text for text in shown(figure))


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_writes_the_same_bytes_again(ledger, tmp_path, kind):
    path = tmp_path / f"sheet.{kind}"
    tear_sheet(ledger, path)
    first = path.read_bytes()
    tear_sheet(ledger, path)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert len(first) > 10_000


def test_refuses_what_it_cannot_write(ledger, tmp_path):
    with pytest.raises(ParameterError, match=r"sheet.docx .*\.png"):
        tear_sheet(ledger, tmp_path / "sheet.docx")
    with pytest.raises(ParameterError, match="does not exist"):
        tear_sheet(ledger, tmp_path / "nowhere" / "sheet.png")
    with pytest.raises(ParameterError, match="go together"):
        tear_sheet(ledger, states=doubles.states(ledger.market))


@pytest.mark.parametrize(
    "levels", [[100, 60, -20, 5, 8], [100.0] * 40, [100.0], [100, 101], [100, np.nan, 101], [100, 0.0, 0.0]]
)
def test_odd_runs_are_drawn(levels, tmp_path):
    path = tmp_path / "odd.png"
    tear_sheet(doubles.from_equity(levels), path)
    assert path.stat().st_size > 10_000


def test_many_pairs_and_many_years(ledger):
    premium = pd.concat([doubles.premium(ledger.market).add_suffix(str(i)) for i in range(4)], axis=1)
    words = shown(tear_sheet(ledger, premium=premium))
    assert any("median of 8 pairs" in text for text in words)


def test_leaves_the_users_settings_alone(ledger):
    with mpl.rc_context({"font.size": 31, "axes.grid": False, "text.usetex": False}):
        before = dict(mpl.rcParams)
        tear_sheet(ledger)
        assert dict(mpl.rcParams) == before


def test_needs_no_pyplot():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import doubles;"
        "from entrepot.reports import tear_sheet;"
        "assert not {'matplotlib', 'empyrical', 'jinja2'} & set(sys.modules);"
        "tear_sheet(doubles.from_equity([100, 101, 99, 103]));"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    folder = str(doubles.__file__).rsplit("doubles", 1)[0]
    subprocess.run([sys.executable, "-c", code, folder], check=True)


def test_monthly_returns_chain_to_the_total(ledger):
    table = monthly_returns(ledger.daily)
    grown = np.nanprod(1 + table[list(range(1, 13))].to_numpy())
    assert grown == pytest.approx(ledger.daily.iloc[-1] / ledger.daily.iloc[0])
    assert (1 + table["Year"]).prod() == pytest.approx(grown)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12_236_345, "12.2m"),
        (1_110_000, "1.11m"),
        (-1101, "\u22121.1k"),
        (999_600, "1.00m"),
        (0.2, "0"),
        (-0.2, "0"),
        (-3.4, "\u22123"),
        (2.5e9, "2.50bn"),
        (float("nan"), "n/a"),
        (154_000, "154k"),
        (53_862, "53.9k"),
    ],
)
def test_amounts_are_short(value, text):
    assert money(value) == text


def test_numbers_have_no_negative_zero():
    assert number(-0.001) == "0.00"
    assert number(-1.005, 1) == "\u22121.0"
    assert number(float("inf")) == "n/a"
    assert number(None) == "n/a"
