from __future__ import annotations

import dataclasses
import io
import subprocess
import sys

import doubles
import legible
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from entrepot.errors import ParameterError
from entrepot.reports import summary, tear_sheet
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


@pytest.fixture(scope="module")
def slide(ledger):
    return tear_sheet(ledger, size="slide", **everything(ledger))


def shown(figure) -> list[str]:
    return [
        text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()
    ]


def test_it_can_be_read(figure, slide):
    assert len(legible.read(figure, legible.LEAST_SIZE["page"])) > 150
    assert len(legible.read(slide, legible.LEAST_SIZE["slide"])) > 40
    assert tuple(figure.get_size_inches()) == (8.27, 11.69)
    assert tuple(slide.get_size_inches()) == legible.SIZES["slide"]


def test_the_slide_has_the_main_figures(slide, figure, ledger):
    words = shown(slide)
    value = summary(ledger)
    for told in (
        "Pairs", number(value["Total Return [%]"], 1, "%"), number(value["Sharpe Ratio"]),
        money(value["Total Costs"], "USD"), "Contribution by source, USD", "Drawdown, %", *doubles.REGIMES,
    ):  # fmt: skip
        assert told in words
        assert told in shown(figure)
    assert any(ledger.label in text for text in words)
    line = slide.axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(1e6 * line, ledger.daily)
    total = max(bar.get_width() for bar in slide.axes[2].patches)
    assert total == pytest.approx(ledger.equity.iloc[-1] - ledger.capital)
    assert not slide.axes[0].texts  # no numbers of events that are not listed


def test_settings_of_the_user_do_not_show(ledger, figure):
    file, own = io.BytesIO(), io.BytesIO()
    figure.savefig(own, format="png", dpi=50)
    with mpl.rc_context({"axes.unicode_minus": False, "xtick.color": "red", "text.color": "red"}):
        tear_sheet(ledger, **everything(ledger)).savefig(file, format="png", dpi=50)
    assert file.getvalue() == own.getvalue()


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
    for size in ("page", "slide"):
        tear_sheet(ledger, path, size=size)
        first = path.read_bytes()
        tear_sheet(ledger, path, size=size)
        assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert len(first) > 10_000


def test_refuses_what_it_cannot_write(ledger, tmp_path):
    with pytest.raises(ParameterError, match=r"sheet.docx .*\.png"):
        tear_sheet(ledger, tmp_path / "sheet.docx")
    with pytest.raises(ParameterError, match="does not exist"):
        tear_sheet(ledger, tmp_path / "nowhere" / "sheet.png")
    with pytest.raises(ParameterError, match="size is 'poster': give 'page' or 'slide'"):
        tear_sheet(ledger, size="poster")
    with pytest.raises(ParameterError, match="go together"):
        tear_sheet(ledger, states=doubles.states(ledger.market))


@pytest.mark.parametrize(
    "levels", [[100, 60, -20, 5, 8], [100.0] * 40, [100.0], [100, 101], [100, np.nan, 101], [100, 0.0, 0.0]]
)
def test_odd_runs_are_drawn(levels, tmp_path):
    path = tmp_path / "odd.png"
    for size in ("page", "slide"):
        tear_sheet(doubles.from_equity(levels), path, size=size)
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
