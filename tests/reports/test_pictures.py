"""Every picture, in both sizes: legible, itself whatever the user's settings, and true to its numbers."""

from __future__ import annotations

import io
import itertools
import warnings

import doubles
import legible
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

import entrepot as ep
from entrepot import reports
from entrepot.errors import ParameterError
from entrepot.hindsight import LookAheadGap
from entrepot.monitor import discount_monitor
from entrepot.reports.pictures import style, sweep_map
from entrepot.reports.pictures.leg_risk import draw_leg_risk
from entrepot.reports.pictures.regime_shades import HATCHES
from entrepot.reports.pictures.style import DARK, LIGHT, LINE_STYLES, money, number
from entrepot.reports.pictures.waterfall import largest, source_steps
from entrepot.reports.plots import PICTURES, STEPS, plot
from entrepot.reports.plotted import (
    HALF_YEAR,
    pair_costs,
    worst_drawdowns,
)
from entrepot.switching import SwitchingValue

SIZES = ("page", "slide")
OVER_TIME = ("leg_risk", "turnover", "rolling")


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market(start="2020-01-02", end="2021-12-31", seed=7)


@pytest.fixture(scope="module")
def events() -> ep.Events:
    return ep.load_events()


@pytest.fixture(scope="module")
def path(market, events) -> ep.RegimePath:
    return ep.RegimeModel().walk_forward(market, events, progress=False)


@pytest.fixture(scope="module")
def result(market, path) -> ep.Result:
    pairs = ep.LongHKShortADR(lookback=40)
    hedge = pairs.with_(mode="delisting_hedge")
    plan = ep.RegimeSwitch(path, calm=pairs, tariff=ep.SectorRotation(), delisting=hedge, decoupling=hedge)
    return ep.backtest(market, plan)


def cells() -> pd.DataFrame:
    table = pd.DataFrame(
        np.add.outer([0.0, 0.3, 0.5, 0.2], [-0.3, 0.1, 0.4, 0.2, 0.0]),
        index=pd.Index([20, 40, 60, 80], name="lookback"),
        columns=pd.Index([1.0, 1.25, 1.5, 1.75, 2.0], name="entry"),
    )
    table.iloc[0, 0] = np.nan
    return table


@pytest.fixture(scope="module")
def pictures(market, events, path, result):
    """Every picture by name, a function of its size."""
    given = {"states": path.states, "names": path.names, "events": events.frame, "premium": result.premium}
    rng = np.random.default_rng(3)
    daily = pd.DataFrame(
        rng.normal(0.0003, 0.01, (len(result.returns), 3)),
        index=result.returns.index,
        columns=["walk-forward", "full-sample parameters", "smoothed states"],
    )
    figures = pd.DataFrame({"Sharpe Ratio": [0.31, 0.9, np.nan]}, index=daily.columns)
    gap = LookAheadGap(figures, daily, {}, market.label)
    measured = pd.DataFrame(
        {"Sharpe Ratio": [0.41, 0.12, np.nan, 0.6]},
        index=["switch", "calm: LongHKShortADR()", "tariff: SectorRotation()", "delisting: LongHKShortADR()"],
    )
    placebo = pd.DataFrame({"Sharpe Ratio": [*rng.normal(0.2, 0.3, 60), np.nan]})
    value = SwitchingValue(measured, placebo, pd.Series(dtype=float), "", market.label)
    monitor = discount_monitor(market)
    marks = {"2020-05-20": "Senate passes the Act", "2020-12-18": "signed", "2020-12-28": "guidance"}
    drawn = {what: lambda size, what=what: plot(result, what, size=size, **given) for what in PICTURES}
    drawn |= {
        f"waterfall by {by}": lambda size, by=by: plot(result, "waterfall", size=size, by=by, **given)
        for by in STEPS
    }
    return drawn | {
        "ribbon": lambda size: ep.draw_regimes(market, path, events, size=size),
        "monitor": lambda size: monitor.plot(adrs=["BABA", "JD", "NTES"], marks=marks, size=size),
        "gap": lambda size: gap.plot(size),
        "placebo": lambda size: value.plot(size),
        "heatmap": lambda size: sweep_map.heatmap(cells(), "Sharpe Ratio", market.label, size),
        "surface": lambda size: sweep_map.surface(cells(), "Sharpe Ratio", market.label, size),
    }


NAMES = (
    *PICTURES, *(f"waterfall by {by}" for by in STEPS if by != "source"),
    "ribbon", "monitor", "gap", "placebo", "heatmap", "surface",
)  # fmt: skip


def png(axes) -> bytes:
    file = io.BytesIO()
    legible.figure_of(axes).savefig(file, format="png", dpi=60)
    return file.getvalue()


@pytest.fixture(scope="module")
def once(pictures):
    """Draw each picture once; what is looked at is shared."""
    known = {}

    def draw(name, size="page"):
        if (name, size) not in known:
            known[name, size] = pictures[name](size)
            plt.close(legible.figure_of(known[name, size]))  # forgets it; it can still be looked at
        return known[name, size]

    return draw


@pytest.fixture(scope="module")
def idle(market) -> ep.Result:
    """Nothing traded in forty steps."""
    return ep.backtest(market.until(40), pd.DataFrame({"BABA": [0.0]}, index=[pd.Timestamp("2020-01-03")]))


# -- colours -------------------------------------------------------------------------------------------------

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
# Machado, Oliveira and Fernandes (2009), A Physiologically-based Model for Simulation of Color Vision
# Deficiency, table 1, severity 1.0, on linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
# IEC 61966-2-1: linear sRGB to XYZ, D65.
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour) -> np.ndarray:
    part = np.array(to_rgb(colour))
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def contrast(one, other) -> float:
    """Contrast ratio of WCAG 2.2."""
    light, dark = sorted((float(linear(colour) @ TO_XYZ[1]) for colour in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(rgb) -> np.ndarray:
    """CIE L*a*b* of linear RGB."""
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / TO_XYZ.sum(axis=1)
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(colours, by) -> float:
    return min(by(one, other) for one, other in itertools.combinations(colours, 2))


def grey(one, other) -> float:
    """Difference of lightness, which is all that a grey print keeps: 100 from black to white."""
    return abs(lab(linear(one))[0] - lab(linear(other))[0])


def test_the_measures_of_colour_are_right():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # by WebAIM
    assert lab(linear("#808080")) == pytest.approx([53.585, 0, 0], abs=0.05)  # Lindbloom's calculator
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    for matrix in BLINDNESS.values():
        assert matrix @ np.ones(3) == pytest.approx(np.ones(3), abs=1e-5)  # grey stays grey


@THEMES
def test_text_can_be_read_on_what_is_behind_it(theme):
    behind = [theme.paper, theme.shade_gain, theme.shade_loss]  # of the months
    assert min(contrast(theme.ink, colour) for colour in behind) >= 4.5
    assert contrast(theme.faint, theme.paper) >= 4.5
    assert min(contrast(theme.ink, colour) for colour in theme.regimes) >= 4.5
    assert contrast(theme.gain, theme.paper) >= 3  # WCAG 1.4.11, of what is no text
    assert min(contrast(line, theme.paper) for line in theme.lines) >= 3


@THEMES
@pytest.mark.parametrize("blind", BLINDNESS)
def test_lines_and_shades_are_told_apart(theme, blind):
    def seen(one, other):
        return float(
            np.linalg.norm(lab(BLINDNESS[blind] @ linear(one)) - lab(BLINDNESS[blind] @ linear(other)))
        )

    assert apart(theme.lines, grey) >= 12
    assert apart(theme.lines, seen) >= 25
    assert grey(theme.gain, theme.loss) >= 12
    assert seen(theme.gain, theme.loss) >= 25
    assert apart(theme.regimes[:4], grey) >= 9
    assert apart(theme.regimes[:4], seen) >= 10
    lightness = [lab(linear(colour))[0] for colour in theme.regimes[:4]]
    assert lightness == sorted(lightness, reverse=theme is LIGHT)
    least = 2 if theme is DARK else 4  # of the line that a picture is about, over any shade
    assert min(contrast(theme.lines[0], shade) for shade in theme.regimes[:4]) >= least
    assert len(set(HATCHES[1:])) == len(HATCHES) - 1
    assert len(set(map(str, LINE_STYLES))) == len(LINE_STYLES) == len(theme.lines)


def test_a_colour_has_one_meaning_in_both_schemes():
    light, dark = LIGHT.colours(), DARK.colours()
    for one, other in itertools.combinations(light, 2):
        assert (light[one] == light[other]) == (dark[one] == dark[other]), (one, other)


def test_cells_have_readable_numbers():
    colours = sweep_map.shades(LIGHT)(np.linspace(0, 1, 101))[:, :3]
    for colour in [*colours, *np.random.default_rng(1).random((200, 3))]:
        assert contrast(sweep_map.readable_on(colour), colour) >= 4.5
    lightness = [lab(linear(colour))[0] for colour in colours]
    assert (np.diff(lightness) < 0).all()  # darker with the value, in grey too
    assert lightness[0] < lab(linear(LIGHT.paper))[0] - 5  # and never paper


def test_a_slide_is_a_page_that_has_grown():
    page, slide = (style.theme_of(size) for size in SIZES)
    assert page == LIGHT
    for name in ("hair", "thin", "thick", "small", "size"):
        assert getattr(slide, name) == pytest.approx(getattr(page, name) * 14 / 6.5), name
    with page.active():
        first = {
            name: mpl.rcParams[name] for name in mpl.rcParams if "width" in name or name.endswith("size")
        }
    with slide.active():
        grown = {
            name for name, value in first.items() if isinstance(value, float) and mpl.rcParams[name] != value
        }
    assert {
        "lines.linewidth",
        "lines.markersize",
        "axes.titlesize",
        "xtick.labelsize",
        "hatch.linewidth",
    } <= grown


# -- every picture -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_a_picture_can_be_read(once, name, size):
    axes = once(name, size)
    assert all(isinstance(place, Axes) for place in np.ravel(axes))
    figure = legible.figure_of(axes)
    width, most = legible.SIZES[size]
    assert figure.get_figwidth() == pytest.approx(width)
    assert figure.get_figheight() <= most if size == "page" else figure.get_figheight() == most
    assert any("simulated market, seed 7" in text for text in legible.read(figure, legible.LEAST_SIZE[size]))


WEIRD = {
    "font.size": 31.0, "font.family": ["serif"], "axes.grid": False, "axes.facecolor": "red",
    "lines.linewidth": 9.0, "lines.markersize": 20.0, "xtick.labelsize": 40.0, "ytick.labelsize": 2.0,
    "xtick.color": "red", "xtick.direction": "in", "ytick.major.size": 30.0,
    "axes.prop_cycle": mpl.cycler(color=["lime"]), "axes.titlelocation": "right", "axes.spines.top": True,
    "axes.xmargin": 0.4, "axes.labelcolor": "lime", "figure.autolayout": True, "figure.facecolor": "yellow",
    "figure.dpi": 40.0, "figure.figsize": [1.0, 1.0], "hatch.color": "red", "hatch.linewidth": 7.0,
    "image.cmap": "jet", "legend.frameon": True, "legend.loc": "center", "patch.edgecolor": "lime",
    "patch.force_edgecolor": True, "path.sketch": (5, 90, 2), "text.color": "lime", "text.parse_math": True,
    "timezone": "Asia/Hong_Kong", "axes.unicode_minus": False, "grid.color": "red", "axes3d.grid": False,
    "date.autoformatter.year": "%d", "scatter.marker": "x",
}  # fmt: skip


SOON = ("equity", "waterfall", "leg_risk", "ribbon", "heatmap", "surface")


@pytest.mark.parametrize(
    "name", [*SOON, *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES if name not in SOON)]
)
def test_the_users_settings_do_not_show_and_stay(pictures, name):
    first = pictures[name]("page")
    own = png(first)
    plt.close(legible.figure_of(first))
    before = plt.get_fignums()
    with mpl.rc_context(WEIRD):
        settings = dict(mpl.rcParams)
        again = pictures[name]("page")
        assert dict(mpl.rcParams) == settings
        drawn = png(again)
    assert drawn == own  # and so the same input gives the same bytes
    figure = legible.figure_of(again)
    assert plt.get_fignums() == [*before, figure.number]
    plt.close(figure)
    assert plt.get_fignums() == before


HOSTILE = "Up $5$ & \\alpha_{x}^2 <b>50%</b> {y}"


@pytest.mark.parametrize("what", ["equity", "premium", "waterfall"])
def test_markup_is_shown_as_it_is(result, path, events, what):
    names = ["$calm$", "_tariff", "<delisting>", "100%"]
    premium = result.premium.iloc[:, :2].set_axis(["$A_1$", "<B>"], axis=1)
    told = events.frame.assign(title=HOSTILE)
    axes = plot(
        result,
        what,
        states=path.states,
        names=names,
        events=told,
        premium=premium,
        title=HOSTILE,
        by="regime",
    )
    figure = legible.figure_of(axes)
    shown = legible.read(figure, 6.0)
    assert any(text.startswith(HOSTILE) for text in shown)
    if what == "equity":
        assert set(names) <= set(shown)
        assert HOSTILE in " ".join(shown).replace("\u00a0", " ")
    if what == "waterfall":
        occurred = {names[code] for code in np.unique(path.states)}
        assert occurred <= set(shown)
    if what == "premium":
        assert {"$A_1$", "<B>"} <= set(shown)
    plt.close(figure)


def test_a_long_title_is_broken_and_not_cut(result):
    title = " ".join(["every word of it"] * 20) + " " + "x" * 300
    for size in SIZES:
        figure = legible.figure_of(plot(result, "exposure", size=size, title=title))
        legible.read(figure, legible.LEAST_SIZE[size])
        told = figure.get_suptitle()
        assert told.count("\n") > 2
        assert told.replace("\n", "").replace(" ", "").startswith(title.replace(" ", ""))
        plt.close(figure)


# -- what is asked for ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"what": "nope"}, "there is no picture 'nope': give one of equity, drawdown, exposure"),
        ({"what": None}, "there is no picture None"),
        ({"what": ["equity"]}, "there is no picture"),
        ({"size": "poster"}, "size is 'poster': give 'page' or 'slide'"),
        ({"size": None}, "size is None"),
        ({"size": ["page"]}, "size is"),
        ({"what": "waterfall", "by": "moon"}, "by is 'moon': give one of source, leg, pair"),
        ({"what": "waterfall", "by": 3}, "by is 3"),
        ({"what": "waterfall", "by": "regime"}, "no regimes to draw: give states and names"),
        ({"what": "premium"}, "no premium to draw: give premium="),
        ({"what": "equity", "names": ["calm"]}, "states and names go together"),
        ({"what": "equity", "title": 3}, "title is 3"),
    ],
)
def test_what_cannot_be_drawn_is_refused(result, asked, why):
    before = plt.get_fignums()
    with pytest.raises(ParameterError, match=why):
        plot(result, **({"what": "equity"} | asked))
    assert plt.get_fignums() == before  # no empty figure is left behind


def test_a_figure_that_fails_is_not_left_behind():
    before = plt.get_fignums()
    with pytest.raises(ZeroDivisionError), style.sheet("page", 2.0):
        raise ZeroDivisionError
    assert plt.get_fignums() == before


def test_more_names_than_can_be_read_are_refused(market):
    monitor = discount_monitor(market)
    with pytest.raises(
        ParameterError, match="a slide has room for 5 names and not 11: give adrs= with fewer"
    ):
        monitor.plot(size="slide")
    with pytest.raises(ParameterError, match="size is 'poster'"):
        monitor.plot(size="poster")


def test_a_surface_needs_two_values_of_each(market):
    for table in (cells().iloc[:1], cells().iloc[:, :1]):
        with pytest.raises(ParameterError, match=r"two values of each parameter .* draw the heatmap"):
            sweep_map.surface(table, "Sharpe Ratio", market.label)
        assert isinstance(sweep_map.heatmap(table, "Sharpe Ratio", market.label), Axes)


# -- little to draw ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [what for what in PICTURES if what != "leg_risk"])  # they keep no pairs
@pytest.mark.parametrize(
    "levels",
    [
        [100.0],
        [100, 60, -20, 5, 8],
        [100, np.nan, 101],
        *(
            pytest.param(levels, marks=pytest.mark.slow)
            for levels in ([100, 101], [100.0] * 40, [np.nan] * 5)
        ),
    ],
)
def test_odd_runs_are_drawn_or_refused(levels, what):
    ledger = doubles.from_equity([float(level) for level in levels])
    if what == "premium":
        with pytest.raises(ParameterError, match="no premium to draw"):
            plot(ledger, what)
        return
    axes = plot(ledger, what)
    figure = legible.figure_of(axes)
    legible.read(figure, 6.0)
    plt.close(figure)


@pytest.mark.parametrize("size", ["page", pytest.param("slide", marks=pytest.mark.slow)])
@pytest.mark.parametrize("what", PICTURES)
def test_a_run_without_a_trade_is_drawn(idle, what, size):
    premium = pd.DataFrame({"BABA": 0.01}, index=idle.daily.index)
    axes = plot(idle, what, size=size, premium=premium)
    figure = legible.figure_of(axes)
    shown = " ".join(legible.read(figure, legible.LEAST_SIZE[size]))
    expected = {
        "leg_risk": "no pair was traded", "rolling": f"nothing to measure over {HALF_YEAR} sessions",
        "drawdown": "no drawdown",
    }  # fmt: skip
    assert expected.get(what, "simulated") in shown
    plt.close(figure)


@pytest.mark.parametrize("size", SIZES)
def test_empty_tables_are_drawn(market, size):
    nothing = cells() * np.nan
    drawn = [
        sweep_map.heatmap(nothing, "Sharpe Ratio", market.label, size),
        sweep_map.surface(nothing, "Sharpe Ratio", market.label, size),
        sweep_map.heatmap(cells() * 0 + 1.0, "Sharpe Ratio", market.label, size),
        sweep_map.surface((cells() * 0).fillna(0.0), "Sharpe Ratio", market.label, size),
        SwitchingValue(
            pd.DataFrame({"Sharpe Ratio": [np.nan]}, index=["switch"]),
            pd.DataFrame(columns=["Sharpe Ratio"], dtype=float), pd.Series(dtype=float), "", market.label,
        ).plot(size),
        LookAheadGap(
            pd.DataFrame({"Sharpe Ratio": [np.nan]}, index=["walk-forward"]),
            pd.DataFrame({"walk-forward": pd.Series(dtype=float, index=pd.DatetimeIndex([]))}), {},
            market.label,
        ).plot(size),
    ]  # fmt: skip
    shown = [legible.read(legible.figure_of(axes), legible.LEAST_SIZE[size]) for axes in drawn]
    for words, expected in zip(
        shown, ("no configuration", "no configuration", "1", "0", "nothing was measured", "100"), strict=True
    ):
        assert any(expected in text for text in words)


# -- the numbers in it ---------------------------------------------------------------------------------------


def test_equity_and_drawdown_are_the_ledgers(once, result):
    line = once("equity").lines[0]
    np.testing.assert_allclose(1e6 * line.get_ydata(), result.daily, rtol=1e-12)
    axes = once("drawdown")
    deepest = axes.lines[0].get_ydata().min()
    assert deepest == pytest.approx(result.summary()["Max Drawdown [%]"])
    told = legible.figure_of(axes).get_supxlabel().splitlines()
    worst = worst_drawdowns(result.daily)
    assert told[0].startswith(f"[1] {number(deepest, 1)} % from ")
    assert len(told) == len(worst) == len(axes.texts)
    time = dict(zip(result.daily.index, axes.lines[0].get_xdata(), strict=True))
    for mark, (_, row) in zip(axes.texts, worst.iterrows(), strict=True):
        assert mark.xy == (time[row["Low"]], row["Depth [%]"])


def test_the_events_that_are_marked_are_explained(once, events):
    axes = once("equity")
    marked = [text.get_text() for text in axes.texts]
    told = legible.figure_of(axes).get_supxlabel().replace("\u00a0", " ").replace("\n", " ")
    assert marked == [str(n) for n in range(1, len(marked) + 1)] != []
    for n in marked:
        assert f"[{n}] " in told
    titles = set(events.frame["title"].str[:20])
    assert sum(title in told for title in titles) >= len(marked) - 1


def test_exposure_premium_and_months_are_the_tables(once, result):
    net = next(line for line in once("exposure").lines if line.get_label() == "net").get_ydata()
    gross = result.exposure.xs("net", axis=1, level=0).sum(axis=1)
    sampled = gross.to_numpy()[result.market.decision_steps]
    np.testing.assert_allclose(net, 100 * sampled, atol=1e-9)
    middle = once("premium").lines[0].get_ydata()
    np.testing.assert_allclose(middle, 100 * result.premium.dropna(how="all").median(axis=1), atol=1e-12)
    shown = [text.get_text() for text in once("monthly").texts]
    years = result.daily.groupby(result.daily.index.year).last()
    returns = years / np.append(result.daily.iloc[0], years.iloc[:-1]) - 1
    assert [shown[12], shown[25]] == [number(100 * value, 1) for value in returns]


@pytest.mark.parametrize("by", STEPS)
def test_the_waterfall_ends_where_the_ledger_does(once, result, path, by):
    axes = once("waterfall" if by == "source" else f"waterfall by {by}")
    bars = axes.patches
    begins = np.array([bar.get_x() for bar in bars])
    widths = np.array([bar.get_width() for bar in bars])
    ends = begins + widths
    assert begins[0] == result.capital
    np.testing.assert_allclose(begins[1:], ends[:-1], rtol=1e-12)
    assert ends[-1] == pytest.approx(result.equity.iloc[-1], rel=1e-12)
    assert [bool(bar.get_hatch()) for bar in bars] == list(widths < 0)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert [names[0], names[-1]] == ["Capital", "Final equity"]
    table = {
        "source": lambda: result.contributions.T.groupby(level="source").sum().sum(axis=1),
        "leg": lambda: result.by_leg()["total"],
        "regime": lambda: result.by_regime()["P&L"],
        "instrument": lambda: result.by_instrument()["total"],
        "pair": lambda: reports.by_pair(result)["total"],
        "sector": lambda: reports.by_sector(result)["total"],
        "year": lambda: reports.by_period(result)["total"],
    }[by]()
    own = {style.source_name(str(name)): value for name, value in table.items()}
    own |= {str(name).replace("_", " "): value for name, value in table.items()}
    for name, width in zip(names[1:-1], widths, strict=True):
        if name in own:
            assert width == pytest.approx(own[name], rel=1e-9, abs=1e-6), name
    assert len(set(names[1:-1]) & set(own)) >= min(np.count_nonzero(table), 4) - 1
    cells = [text.get_text() for text in axes.texts]
    amounts = [cell for cell in cells if cell.lstrip("+\u2212").replace(",", "").isdigit()]
    assert amounts[0] == "10,000"
    assert amounts[-1] == number(result.equity.iloc[-1] / 1e3, 0)
    connectors = axes.collections[0].get_segments()
    np.testing.assert_allclose([segment[0][0] for segment in connectors], [result.capital, *ends], rtol=1e-12)


def test_regimes_that_occurred_are_steps(ledger):
    own = {"states": doubles.states(ledger.market), "names": [*doubles.REGIMES, "never"]}
    axes = plot(ledger, "waterfall", by="regime", **own)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["Capital", *doubles.REGIMES, "Final equity"]  # the last of them in one episode


def test_steps_add_up_and_few_are_left():
    source = pd.Series(
        {"price": 900.0, "fx": -40.0, "interest": 30.0, "rebate": 20.0, "borrow": -50.0, "stamp_duty": -25.0,
         "slippage": -9.0, "trading_fee": -4.0, "sfc_levy": -2.0, "dividend": 0.0}
    )  # fmt: skip
    steps = source_steps(source)
    assert steps.to_dict() == {
        "Price": 900.0, "FX": -40.0, "Interest and rebate": 50.0, "Borrow": -50.0, "Stamp duty": -25.0,
        "3 other costs": -15.0,
    }  # fmt: skip
    one = source_steps(source.drop(["trading_fee", "slippage"]))
    assert list(one.index)[-1] == "SFC levy"  # one alone has its own name
    many = {f"line {n}": float(n) for n in range(1, 31)}
    kept = largest(many, 12, "lines")
    assert len(kept) == 12
    assert next(iter(kept)) == "line 30"
    assert kept["19 other lines"] == sum(range(1, 20))
    assert largest({}, 12, "lines") == {}
    assert source_steps(pd.Series({"price": 0.0})).empty


def test_sources_are_the_ledgers(once, result):
    widths = [bar.get_width() for bar in once("sources").patches]
    assert widths[-1] == pytest.approx(result.equity.iloc[-1] - result.capital)
    assert sum(widths[:-1]) == pytest.approx(widths[-1])
    source = reports.by_source(result)
    assert widths[0] == pytest.approx(source["price"])
    assert money(source["price"]) in [text.get_text() for text in once("sources").texts]


@pytest.mark.parametrize("size", SIZES)
def test_figures_of_leg_risk_stand_clear_of_titles_and_bars(size, result):
    orders = result.linked_orders.assign(move=lambda own: 30 * own["move"])  # four digits
    axes = draw_leg_risk(orders, pair_costs(orders), "simulated market, seed 7", "USD", size)
    figure = legible.figure_of(axes)
    texts = legible.drawn_texts(figure)
    assert legible.complaints(figure, legible.LEAST_SIZE[size], texts) == []
    for place in axes[:2]:
        (note,) = place.texts
        highest = max(bar.get_window_extent().y1 for bar in place.patches)
        assert texts[note].y0 > highest
    plt.close(figure)


def test_leg_risk_is_the_tables(once, result):
    moves, hours, pairs, sums = once("leg_risk")
    orders, risk = result.linked_orders, result.leg_risk()
    assert sum(bar.get_height() for bar in moves.patches) == orders["move"].notna().sum() > 50
    assert sum(bar.get_height() for bar in hours.patches) == len(orders)
    assert moves.lines[1].get_xdata()[0] == pytest.approx(1e4 * orders["move"].mean())
    assert hours.lines[1].get_xdata()[0] == orders["hours"].median()
    labels = [label.get_text() for label in pairs.get_yticklabels()]
    values = [*pairs.lines[1].get_xdata(), *pairs.lines[2].get_xdata()]
    assert labels[-1] == f"all ({len(orders):,})"
    for label, value in zip(labels, values, strict=True):
        name = label.split(" ")[0]
        assert value == pytest.approx(risk.at[name, "cost_bp"]), name
        assert label == f"{name} ({risk.at[name, 'orders']:,})"
    assert list(values[:-1]) == sorted(values[:-1], reverse=True)
    interval = pair_costs(orders)
    whiskers = pairs.collections[0].get_segments()
    for row, ((left, right), label) in enumerate(zip(whiskers, labels, strict=True)):
        own = interval.loc[label.split(" ")[0]]
        np.testing.assert_allclose([left, right], [[own["low"], row], [own["high"], row]])
    assert sums.lines[0].get_ydata()[-1] == pytest.approx(risk.at["all", "cost"])
    assert sums.texts[-1].get_text() == money(risk.at["all", "cost"])


def test_turnover_and_costs_are_the_ledgers(once, result):
    turnover, costs = once("turnover")
    months = reports.by_period(result, "month")
    np.testing.assert_allclose([bar.get_height() for bar in turnover.patches], 100 * months["Turnover"])
    trading, holding = (np.array([bar.get_height() for bar in part]) for part in costs.containers)
    daily = result.daily
    mean = daily.groupby(daily.index.to_period("M")).mean().to_numpy()
    paid = result.costs()
    assert (holding * mean).sum() / 1e4 == pytest.approx(
        paid.reindex(["borrow", "ads_fee", "conversion_fee"]).sum()
    )
    assert ((trading + holding) * mean).sum() / 1e4 == pytest.approx(paid.sum())
    np.testing.assert_allclose([bar.get_y() for bar in costs.containers[1]], trading)


def test_rolling_figures_are_those_of_their_window(once, result):
    ratio, spread = (place.lines[0].get_ydata() for place in once("rolling"))
    index = result.returns.index
    for at in (0, 57, len(ratio) - 1):
        own = reports.periods.period_statistics(result, index[at], index[at + HALF_YEAR - 1], draws=0)
        assert own["Sessions"] == HALF_YEAR
        assert ratio[at] == pytest.approx(own["Sharpe Ratio"])
        assert spread[at] == pytest.approx(own["Volatility [% pa]"])


def test_cells_are_the_tables_and_the_best_is_marked(once, market):
    table = cells()
    axes = once("heatmap")
    drawn = np.ma.filled(axes.collections[0].get_array().reshape(table.shape), np.nan)
    np.testing.assert_array_equal(drawn, table)
    frames = [patch for patch in axes.patches if not patch.get_fill()]
    assert {patch.get_xy() for patch in frames} == {(2, 2)}
    assert "at best 0.9 with entry 1.5 and lookback 60" in axes.get_title(loc="left").replace("\n", " ")
    numbers = [float(text.get_text().replace("\u2212", "-")) for text in axes.texts]
    np.testing.assert_allclose(numbers, table.to_numpy()[table.notna()], rtol=5e-3)
    solid = once("surface")
    x, y, z = solid.lines[1].get_data_3d()
    assert (x[0], y[0], z[0]) == (2, 2, 0.9)
    assert solid.texts[-1].get_text() == "0.9"
    low = sweep_map.heatmap(table, "Total Costs", market.label, least_is_best=True)
    frames = [patch for patch in low.patches if not patch.get_fill()]
    assert {patch.get_xy() for patch in frames} == {(0, 3)}
    flat = sweep_map.surface(table, "Total Costs", market.label, least_is_best=True)
    assert flat.lines[1].get_data_3d()[2][0] == pytest.approx(-0.1)


def test_a_surface_is_seen_from_its_lowest_side():
    slope = np.add.outer(np.arange(4.0), np.arange(5.0))
    seen = [sweep_map.lowest_side(np.flip(slope, axis)) for axis in ((), 1, (0, 1), 0)]
    assert seen == [
        -120.0,
        -30.0,
        60.0,
        150.0,
    ]  # the lowest corner: left front, right front, right back, left back


def test_wrong_calendars_are_all_counted(once):
    axes = once("placebo")
    assert sum(bar.get_height() for bar in axes.patches) == 60
    assert [line.get_xdata()[0] for line in axes.lines] == [0.41, 0.12, 0.6]
    told = [text.get_text() for legend in legible.figure_of(axes).legends for text in legend.get_texts()]
    assert told[:2] == ["60 wrong calendars", "switch: 0.41"]
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 3


def test_letters_that_the_font_lacks_are_boxes_without_a_warning(tmp_path):
    days = pd.bdate_range("2021-01-04", periods=60)
    prices = pd.DataFrame({"阿里": np.linspace(100.0, 110.0, 60), "騰訊": 100.0}, index=days)
    market = ep.Market.from_prices(prices, label="兩地上市")
    run = ep.backtest(market, pd.DataFrame({"阿里": [0.5], "騰訊": [0.5]}, index=days[:1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for what in ("equity", "waterfall"):
            figure = run.plot(what)
            figure.figure.savefig(tmp_path / f"{what}.png")
            plt.close("all")
        run.tear_sheet(tmp_path / "page.png")
        run.report(tmp_path / "report.html")


def test_a_long_word_is_cut_where_the_line_is_full(monkeypatch):
    """Text that is measured takes as long as it has letters: of 5,000 in one word each counts a few times."""
    from matplotlib.textpath import text_to_path

    really, measured = text_to_path.get_text_width_height_descent, []

    def measure(text, *given):
        measured.append(text)
        return really(text, *given)

    monkeypatch.setattr(text_to_path, "get_text_width_height_descent", measure)
    word = "".join(np.random.default_rng(0).choice(list("ilmWx.7"), 5000))
    lines = style.folded(word, 300.0, 8.0).split("\n")
    assert sum(map(len, measured)) < 100 * len(word)
    assert "".join(lines) == word
    for line, after in itertools.pairwise(lines):
        assert style.folded(line, 300.0, 8.0) == line
        assert style.folded(line + after[0], 300.0, 8.0) == f"{line}\n{after[0]}"
