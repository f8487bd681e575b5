from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import itertools
import re
import statistics
import warnings
from html.parser import HTMLParser

import doubles
import naive_glance
import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot import files
from entrepot.errors import ParameterError
from entrepot.reports import report
from entrepot.reports.intervals import sharpe_interval
from entrepot.reports.pages import document
from entrepot.reports.pages.document import Document, Picture, Section, rendered
from entrepot.reports.pages.findings import gather
from entrepot.reports.pages.glance import belief, glance, independent_episodes
from entrepot.reports.pages.tables import (
    Cell,
    Table,
    frame_table,
    printable,
    series_table,
    transposed,
    value_cell,
)
from entrepot.reports.pictures.style import DARK, LIGHT, money, number

VOID = {"meta", "img", "source", "br", "hr", "link", "input"}
SENSITIVITY = pd.DataFrame(
    {"Total Return [%]": [22.4, 21.3, 18.0]}, index=["borrow x1", "borrow x3", "unavailable under stress"]
)


class Page(HTMLParser):
    """Collects elements and checks that they nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.words.append(data)


def read(path) -> tuple[str, Page]:
    text = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    return text, page


@pytest.fixture(scope="module")
def written(ledger, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    market = ledger.market
    report(
        ledger,
        path,
        states=doubles.states(market),
        names=doubles.REGIMES,
        events=doubles.events(market),
        premium=doubles.premium(market),
        title="Pairs <script>alert(1)</script>",
        sensitivity=SENSITIVITY,
        extra={"Filled at the signal's own closes <b>": SENSITIVITY},
        caveats=["One more & thing."],
        provenance={"Plan": "pairs"},
    )
    return path


def test_is_one_file_without_network(written):
    text, page = read(written)
    assert [file.name for file in written.parent.iterdir()] == ["report.html"]
    tags = [tag for tag, _ in page.seen]
    assert not set(tags) & {"link", "iframe", "object", "embed", "base", "form"}
    assert not set(tags) & {"img", "image", "source", "foreignobject", "metadata"}
    assert tags.count("style") == tags.count("script") == 1
    for _, attributes in page.seen:
        assert not {"src", "srcset", "xlink:href"} & set(attributes)
        assert str(attributes.get("href", "#")).startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    assert "http:" not in text
    assert "https:" not in text
    assert set(re.findall(r"url\((.)", text)) == {"#"}
    assert "Content-Security-Policy" in text
    assert len(text) < 1_000_000


def test_only_its_own_script_is_allowed(written):
    text, page = read(written)
    script = re.findall("<script>(.*?)</script>", text, flags=re.DOTALL)
    assert script == [(document.TEMPLATES / "report.js").read_text(encoding="utf-8")]
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    [policy] = [it["content"] for _, it in page.seen if it.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    assert rules == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert len(script[0].splitlines()) < 60


def test_what_comes_from_outside_is_escaped(written):
    text, page = read(written)
    assert text.count("<script") == 1
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; an order" in text
    assert "&lt;b&gt;" in text
    assert "<script>alert('x')</script> & an order" in "".join(page.words)


def test_a_hostile_symbol_is_escaped(tmp_path):
    market = doubles.world("2020-01-01", "2020-12-31")
    name = "<script>alert(2)</script>"
    changed = {"KWEB": name}
    market = dataclasses.replace(
        market,
        price=market.price.rename(columns=changed),
        instruments=market.instruments.rename(index=changed),
    )
    ledger = doubles.simulated(
        dataclasses.replace(market, price=market.price, instruments=market.instruments), fund=name
    )
    path = report(ledger, tmp_path / "report.html")
    text, page = read(path)
    assert text.count("<script") == 1
    assert name in "".join(page.words)


def test_reads_on_a_phone_and_aloud(written):
    text, page = read(written)
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text
    assert "prefers-color-scheme: dark" in text
    drawings = [attributes for tag, attributes in page.seen if tag == "svg"]
    assert len(drawings) == 5
    assert all(it["viewbox"] and it["role"] == "img" for it in drawings)
    described = {attributes["id"] for tag, attributes in page.seen if tag == "desc"}
    assert {it["aria-labelledby"] for it in drawings} == described
    assert ("html", {"lang": "en"}) in page.seen
    tables = sum(tag == "table" for tag, _ in page.seen)
    assert tables == sum(attributes.get("class") == "scroll" for _, attributes in page.seen)
    named = [attributes["id"] for _, attributes in page.seen if "id" in attributes]
    anchors = set(named)
    assert len(named) == len(anchors)
    assert set(re.findall(r"url\(#([^)]*)\)", text)) <= anchors
    links = {str(attributes["href"])[1:] for tag, attributes in page.seen if tag == "a"}
    assert links <= anchors


def test_figures_follow_the_scheme(written):
    text, _ = read(written)
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert not re.search(r"(fill|stroke)[:=][ \"]*#[0-9a-f]", drawn)
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", text))
    for scheme in (LIGHT, DARK):
        assert used - {"tint", "accent", "edge", "across"} <= set(scheme.colours())
        assert all(f"--{name}: {colour};" in text for name, colour in scheme.colours().items())
    # one drawing serves both: what is one colour in the light is one colour in the dark
    pairs = set(zip(LIGHT.colours().values(), DARK.colours().values(), strict=True))
    assert len(pairs) == len(set(LIGHT.colours().values()))


def test_names_in_figures_are_escaped(tmp_path, ledger):
    names = ("calm", "<b>tariff</b>", "delisting", "decoupling")
    premium = doubles.premium(ledger.market).rename(columns={"JD": "</svg><i>JD"})
    path = report(
        ledger, tmp_path / "r.html", states=doubles.states(ledger.market), names=names, premium=premium
    )
    text, page = read(path)
    assert not {"b", "i"} & {tag for tag, _ in page.seen}
    assert "&lt;b&gt;tariff" in text
    assert "</svg><i>JD" in page.words


def test_the_title_says_what_was_traded(tmp_path, ledger):
    _, page = read(report(ledger, tmp_path / "pairs.html"))
    assert "Backtest of 2 Hong Kong/ADR pairs and 1 other line" in page.words
    _, page = read(report(doubles.from_equity([100, 101, 99]), tmp_path / "idle.html"))
    assert "Backtest without a trade" in page.words


def test_a_caveat_is_said_once(tmp_path, ledger):
    states = doubles.states(ledger.market)
    given = "Dates were chosen with hindsight; 2 episodes are independent observations."
    path = report(ledger, tmp_path / "r.html", states=states, names=doubles.REGIMES, caveats=[given])
    text, _ = read(path)
    assert given in text
    assert text.count("hindsight") == 1
    assert text.count("independent observations") == 1


def test_rates_that_are_carried_on_are_said(tmp_path):
    market = doubles.world("2025-06-02", "2026-03-31")
    sessions = pd.DatetimeIndex(market.grid["session"])[market.decision_steps]
    later = (sessions > "2025-12-11").sum()
    said = f"Policy rates are known up to 2025-12-11 and carried on for the {later} sessions after it"
    rate = pd.Series(1e-4, index=sessions[1:], name="risk_free")
    run = dataclasses.replace(
        doubles.simulated(market), risk_free=rate, label="prices loaded from prices", cost_model=ep.Costs()
    )
    assert said in read(report(run, tmp_path / "r.html"))[0]
    own = dataclasses.replace(run, cost_model=ep.Costs(cash_rate_pa={"USD": 0.03}))
    for other in (own, dataclasses.replace(run, risk_free=rate[:"2025-12-11"]), doubles.simulated(market)):
        assert "carried on" not in read(report(other, tmp_path / "r.html"))[0]


def test_holds_every_table(written, ledger):
    _, page = read(written)
    words = "\n".join(page.words)
    for title in (
        "Summary",
        "Monthly returns, %",
        "By source and leg",
        "By instrument and source",
        "By regime",
        "By regime and source",
        "By kind of event",
        "By event",
        "Costs by kind",
        "Under other terms of borrow, and with other exits",
        "Costs assumed",
        "Fills",
        "Orders dropped or cut",
        "Gaps",
        "Provenance",
        "unavailable under stress",
        "no event",
        "decoupling",
        "no_borrow",
        "One more & thing.",
        "hindsight",
        "Default parameters",
        "independent observations",
        "market: BABA: 1,264 closes read",
        "plan: 3 signals not taken",
    ):
        assert title in words, title
    assert f"{len(ledger.fills)} in all; the first and the last 20 are shown." in words
    assert words.count(ledger.label) >= 7


def test_counts_delisting_episodes(written):
    _, page = read(written)
    # delisting and decoupling run into each other: two episodes, far apart
    assert "Delisting risk was on in 2 episodes, of which 2 began" in "".join(page.words)


def test_same_run_same_bytes(tmp_path):
    ledger = doubles.from_equity([100, 101, 99, 104])
    one = report(ledger, tmp_path / "one.html").read_bytes()
    assert report(ledger, tmp_path / "two.html").read_bytes() == one


@pytest.mark.parametrize("levels", [[100, 60, -20, 5, 8], [100.0] * 40, [100.0], [100, np.nan, 101]])
def test_odd_runs_are_reported(levels, tmp_path):
    _, page = read(report(doubles.from_equity(levels), tmp_path / "report.html"))
    assert "Undefined:" in "".join(page.words)
    assert "SIMULATED" not in "".join(page.words)


def test_nothing_half_written(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("before")

    def broken(target):
        target.write(b"half")
        raise OSError("disk full")

    with pytest.raises(ParameterError, match="disk full"):
        files.write_whole(path, broken)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_refuses_bad_arguments(tmp_path):
    ledger = doubles.from_equity([100, 101])
    with pytest.raises(ParameterError, match="does not exist"):
        report(ledger, tmp_path / "nowhere" / "report.html")
    one = Section("own", "Own", (frame_table(SENSITIVITY, "Cases"),))
    for words, given in {
        "rows is 0": {"rows": 0},
        "rows is 'all'": {"rows": "all"},
        "trials is 0": {"trials": 0},
        "trials is 2.5": {"trials": 2.5},
        "title is 5": {"title": 5},
        "caveats is of type str": {"caveats": "a sentence"},
        "a caveat is 5": {"caveats": [5]},
        "table of extra has the title 5": {"extra": {5: SENSITIVITY}},
        "section 'own' has a title, table": {"sections": [dataclasses.replace(one, title=5)]},
        "section 'own' has a title, table or": {
            "sections": [dataclasses.replace(one, tables=(SENSITIVITY,))]
        },
        "section 'own' has a title, table or figure": {"sections": [figured("a line")]},
        "figure 'k' has no height": {"sections": [figured(Picture("k", -1.0, "A line.", line))]},
        "figure 'k' has no height in": {"sections": [figured(Picture("k", True, "A line.", line))]},
        "figure 'k' has no height in inches, or words": {"sections": [figured(Picture("k", 1.0, 5, line))]},
        "a figure is called '\">g'": {"sections": [figured(Picture('">g', 1.0, "A line.", line))]},
        "two figures of the document are called 'equity'": {
            "sections": [figured(Picture("equity", 1.0, "A line.", line))]
        },
        "provenance is of type list": {"provenance": ["plan"]},
        "sections is": {"sections": [SENSITIVITY]},
        "anchor of a section is 'a b'": {"sections": [dataclasses.replace(one, anchor="a b")]},
        "have the anchor 'own'": {"sections": [one, one]},
        "have the anchor 'costs'": {"sections": [dataclasses.replace(one, anchor="costs")]},
        "have the anchor 'caveats'": {"sections": [dataclasses.replace(one, anchor="caveats")]},
    }.items():
        with pytest.raises(ParameterError, match=words) as refused:
            report(ledger, tmp_path / "report.html", **given)
        assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def line(figure, theme) -> None:
    figure.add_subplot().plot([1, 2])


def figured(picture) -> Section:
    return Section("own", "Own", (), (picture,))


def test_a_note_of_a_further_table_is_written(tmp_path, ledger):
    noted = SENSITIVITY.copy()
    noted.attrs["note"] = "What it is <for>."
    _, page = read(report(ledger, tmp_path / "r.html", extra={"Noted": noted, "Bare": SENSITIVITY}))
    assert page.words.count("What it is <for>.") == 1


def test_events_of_one_name_are_told_apart(tmp_path, ledger):
    """Two calendars put together may hold an event twice."""
    events = doubles.events(ledger.market)
    twice = pd.concat([events, events.assign(title="Said again")]).assign(event_id="the same")
    found = gather(ledger, events=twice)
    assert found.event.index.is_unique
    assert found.event["P&L"].sum() == pytest.approx(ledger.equity.iloc[-1] - ledger.capital)
    each = naive_glance.near_events(ledger, list(twice["known_at"]), 5)[0]
    assert found.event["P&L"].drop("no event").sum() == pytest.approx(each)
    _, page = read(report(ledger, tmp_path / "r.html", events=twice))
    assert "Said again" in page.words


def test_names_that_no_encoding_holds_are_shown(tmp_path, ledger):
    """Names of files and folders that are not in UTF-8 come as halves of characters."""
    name = "caf\udce9 <b>"
    run = dataclasses.replace(
        ledger, label=f"prices loaded from {name}", plan_notes=(name,),
        market=dataclasses.replace(ledger.market, notes=(name,)),
    )  # fmt: skip
    _, page = read(report(run, tmp_path / "r.html", provenance={name: name}, caveats=[name]))
    shown = "caf\ufffd <b>"
    assert page.words.count(shown) == 3
    for words in (f"prices loaded from {shown}", f"market: {shown}", f"plan: {shown}"):
        assert words in page.words


def test_further_sections_stand_before_orders(tmp_path, ledger):
    own = Section("own", "Own findings", (frame_table(SENSITIVITY, "Cases"),))
    text, page = read(report(ledger, tmp_path / "r.html", sections=[own]))
    headings = re.findall('<h2 id="([^"]*)">', text)
    assert headings[-4:] == ["own", "orders", "provenance", "caveats"]
    links = [attributes["href"] for tag, attributes in page.seen if tag == "a"]
    assert [f"#{anchor}" for anchor in headings] == [link for link in links if link not in ("#top", "#main")]


def test_two_figures_of_one_name_are_refused():
    twice = Picture("same", 1.0, "A line.", lambda figure, theme: figure.add_subplot().plot([1, 2]))
    page = Document("T", "", "L", (), [Section("a", "A", (), (twice, twice))], ())
    with pytest.raises(ParameterError, match="two figures of the document are called 'same'"):
        rendered(page)


@pytest.mark.parametrize("colours", [LIGHT.colours(), DARK.colours()], ids=["light", "dark"])
def test_contrast(colours, written):
    """Text reaches 4.5 to 1, lines and fills that carry meaning 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11)."""
    text, _ = read(written)
    rules = re.findall(r"--(tint|accent): (#[0-9a-f]{6})", text)
    assert [name for name, _ in rules] == ["tint", "accent"] * 2
    own = dict(rules[:2] if colours["paper"] == LIGHT.paper else rules[2:])
    for ground in (colours["paper"], own["tint"]):
        for name in (colours["ink"], colours["faint"], own["accent"]):
            assert contrast(name, ground) >= 4.5
    for name in ("line-0", "line-1", "line-2", "line-3", "gain", "hatch"):
        assert contrast(colours[name], colours["paper"]) >= 3, name


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return float(np.dot((0.2126, 0.7152, 0.0722), linear))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)  # the example of many checkers


def test_cells_keep_what_they_are_sorted_by():
    frame = pd.DataFrame(
        {
            "whole": [1234, -5],
            "part": [0.1234, np.inf],
            "day": pd.to_datetime(["2020-01-02", "2019-12-31"]),
            "time": [pd.Timedelta("60h"), pd.NaT],
            "mixed": pd.Series([2.5, None], dtype=object).to_numpy(),
            "yes": [True, False],
        },
        index=pd.Index([10.5, "b"], name="key"),
    )
    table = frame_table(frame, "T")
    kept = {head.text: [row[i].value for row in table.rows] for i, head in enumerate(table.head)}
    assert kept["key"] == [10.5, None]
    assert kept["whole"] == [1234.0, -5.0]
    assert kept["part"][0] == 0.1234
    assert np.isnan(kept["part"][1])
    assert kept["time"][0] == 2.5
    assert kept["day"] == kept["yes"] == [None, None]
    assert [cell.number for cell in table.head] == [False, True, True, False, False, True, False]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["10.5", "1,234", "0.1234", "2020-01-02", "2 days", "2.50", "yes"],
        ["b", "\u22125", "n/a", "2019-12-31", "", "", "no"],
    ]
    assert series_table(pd.Series({"a": 1.5}), "S").rows[0][1] == Cell("1.50", True, 1.5)
    assert frame_table(pd.DataFrame({"a": pd.array([1, None], "Int64")}), "T").rows[1][0].text == ""


def test_only_like_is_sorted_with_like():
    table = frame_table(SENSITIVITY, "T")
    assert table.sortable
    assert not transposed(table).sortable
    assert transposed(table, sortable=True).sortable


def test_wide_tables_are_told_from_narrow_ones():
    assert Table("T", (Cell("a"), Cell("two words")), ((Cell("x"), Cell("1,234", True)),)).across == 3 + 7
    text = "a sentence that goes on " * 3
    assert Table("T", (Cell(""),), ((Cell(text),),)).across == 26
    assert Table("T", (Cell(""),), ((Cell("x" * 80),),)).across == 82
    assert not frame_table(SENSITIVITY, "T").wide
    assert frame_table(pd.DataFrame(np.full((3, 16), 1e6)), "T").wide


def test_what_cannot_be_printed_is_marked():
    assert printable("a\x00b\x1b\x7f\x85\u202e\u2066\ud800\uffff") == "a\ufffdb" + 7 * "\ufffd"
    plain = "tab\tline\nreturn\r\u4e2d\u05d0\u200f\U0001f600 \ufffd"
    assert printable(plain) == plain
    page = rendered(Document("T \x00\ud800", "\u202e", "L", (), (), ("\x1b[31m",)))
    page.encode()
    assert "T \ufffd\ufffd" in page
    assert "\ufffd[31m" in page


@pytest.fixture(scope="module")
def found(ledger):
    market = ledger.market
    return gather(ledger, states=doubles.states(market), names=doubles.REGIMES, events=doubles.events(market))


def said(found, question, trials=None) -> str:
    return dict(glance(found, trials))[question]


def signed(value) -> str:
    return f"+{money(value)}" if value > 0 else money(value)


def test_glance_says_what_was_earned(found, ledger):
    profit = ledger.equity.iloc[-1] - ledger.capital
    daily, dates = [*ledger.daily], ledger.daily.index
    returns = [b / a - 1 for a, b in itertools.pairwise(daily)]
    growth = (daily[-1] / daily[0]) ** (252 / len(returns)) - 1
    volatility = statistics.stdev(returns) * 252**0.5
    cash = naive_glance.compounded(ledger.risk_free)
    assert said(found, "What was earned") == (
        f"{'Gained' if profit > 0 else 'Lost'} {abs(100 * profit / ledger.capital):.1f}% of capital, "
        f"{money(abs(profit), 'USD')}, in {(dates[-1] - dates[0]).days / 365.25:.1f} years, after all costs: "
        f"{number(100 * growth, 1)}% a year at a volatility of {100 * volatility:.1f}%. "
        f"Cash at the policy rate made {100 * cash:.1f}%. "
        f"The Sharpe ratio is {number(found.summary['Sharpe Ratio'])} by day and "
        f"{number(found.summary['Monthly Sharpe'])} by month."
    )


def test_glance_says_what_paid(found, ledger):
    states, events = doubles.states(ledger.market), doubles.events(ledger.market)
    source = {k: v for k, v in naive_glance.by_source(ledger).items() if k not in naive_glance.COSTS}
    falling = sorted(source, key=lambda name: -source[name])
    assert source[falling[1]] > 0 > source[falling[-1]]
    names = {
        "fx": "FX",
        "interest": "interest on cash",
        "rebate": "rebate on shorts",
        "dividend": "dividends",
    }
    sources = ", ".join(f"{names.get(k, k)} {signed(source[k])}" for k in (*falling[:2], falling[-1]))
    legs = sorted(naive_glance.by_leg(ledger).items(), key=lambda leg: -leg[1])
    regimes = naive_glance.by_regime(ledger, states, doubles.REGIMES)
    ordered = sorted(regimes, key=lambda name: -regimes[name][0])
    best, worst = (
        f"{name} {signed(regimes[name][0])} in {regimes[name][1]:.0f}% of the time"
        for name in (ordered[0], ordered[-1])
    )
    near, far = naive_glance.near_events(ledger, list(events["known_at"]), 5)
    assert said(found, "What paid for it") == (
        f"By source, USD: {sources}. By leg, after costs: "
        f"{', '.join(f'{name} {signed(value)}' for name, value in legs)}. "
        f"Best regime: {best}; worst: {worst}. "
        f"Within 5 sessions of an event {signed(near)}, otherwise {signed(far)}."
    )


def test_glance_leaves_out_regimes_that_never_were():
    ledger = doubles.from_equity([100, 98, 97, 96, 95])
    found = gather(ledger, states=[0, 0, 1, 1, 1], names=("calm", "tariff", "delisting"))
    assert "Best regime: tariff \u22122 in 67% of the time; worst: calm \u22123" in said(
        found, "What paid for it"
    )
    found = gather(ledger, states=[0] * 5, names=("calm", "tariff", "delisting"))
    assert "regime" not in said(found, "What paid for it")


@pytest.mark.parametrize(("rate", "words"), [(0.01, "Cash at the policy rate made 2.0%. "), (0.0, "")])
def test_glance_compounds_the_policy_rate(rate, words):
    text = said(gather(doubles.from_equity([100, 101, 103], rate)), "What was earned")
    assert text.partition("%. ")[2].startswith(words or "The Sharpe ratio")
    assert ("Cash" in text) == bool(words)


def test_glance_says_what_it_cost(found, ledger):
    costs = {k: -v for k, v in naive_glance.by_source(ledger).items() if k in naive_glance.COSTS}
    total, largest = sum(costs.values()), max(costs, key=costs.__getitem__)
    share = 100 * costs[largest] / total
    before = ledger.equity.iloc[-1] - ledger.capital + total
    against = (
        f" and {100 * total / before:.0f}% of the {money(before)} earned before costs"
        if before > 0
        else f", on top of {money(-before)} lost before costs"
    )
    assert said(found, "What it cost") == (
        f"{money(total, 'USD')}, {100 * total / ledger.capital:.1f}% of capital{against}. The largest is "
        f"{largest.replace('_', ' ')}: {money(costs[largest])}, {share:.0f}% of all costs."
    )


@pytest.mark.parametrize("levels", [[100, 101, 99, 104], [100.0] * 5])
def test_glance_of_a_run_without_costs(levels):
    assert said(gather(doubles.from_equity(levels)), "What it cost") == "Nothing: no cost was booked."


@pytest.mark.parametrize(
    ("levels", "cost", "words"),
    [
        ([100, 90, 104], 8.0, "USD 8, 8.0% of capital and 67% of the 12 earned before costs."),
        ([100, 90, 80], 3.0, "USD 3, 3.0% of capital, on top of 17 lost before costs."),
        ([100, 90, 98], 2.0, "USD 2, 2.0% of capital."),
    ],
)
def test_glance_of_costs_by_hand(levels, cost, words):
    text = said(gather(charged(doubles.from_equity(levels), cost)), "What it cost")
    assert text == f"{words} The largest is borrow: {money(cost)}, 100% of all costs."


def charged(ledger, cost):
    """The same equity, part of whose last change was the cost of borrowing."""
    booked = ledger.contributions.copy()
    booked.iloc[-1, 0] += cost
    booked["borrow", "X"] = [0.0] * (len(booked) - 1) + [-cost]
    return dataclasses.replace(ledger, contributions=booked)


def test_glance_says_how_far_to_believe(found, ledger):
    states = doubles.states(ledger.market)
    excess = (ledger.returns - ledger.risk_free).to_numpy()
    low, high = sharpe_interval(excess)
    verdict = (
        "all above zero" if low > 0 else "all below zero" if high < 0 else "so luck alone could explain it"
    )
    sessions, months, count, many = naive_glance.concentration(ledger)
    which, what = ("best", "profit") if ledger.equity.iloc[-1] > ledger.capital else ("worst", "loss")
    tariff, delisting = (naive_glance.independent(ledger, states, on) for on in ((1, 3), (2, 3)))
    assert said(found, "Whether to believe it") == (
        "The prices are simulated, so nothing here speaks of a market. "
        f"The Sharpe ratio's 95% interval, by bootstrap, is {number(low)} to {number(high)}, {verdict}. "
        f"The 5 {which} of {count:,} sessions made {sessions:.0f}% of the {what}, the 3 {which} of "
        f"{many} months {months:.0f}%. Independent episodes: {tariff} of tariff, {delisting} of delisting. "
        "How many configurations were tried is not stated."
    )


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        (None, "How many configurations were tried is not stated."),
        (1, "No other configuration is known to have been tried."),
        (1200, "Chosen from 1,200 configurations, which the interval leaves out of account."),
    ],
)
def test_glance_says_how_many_were_tried(found, trials, words):
    assert belief(found, trials).endswith(words)


def test_concentration_by_hand():
    # 28 January to 7 February 2020: a profit of 10, of which 8, 4, 3, 1 and 0 came in the best five sessions
    steps = [0] * 18 + [8, -2, 1, 4, -4, 3, 0, 0]
    text = belief(gather(doubles.from_equity(list(np.cumsum([100, *steps])))), None)
    assert "The 5 best of 27 sessions made 160% of the profit." in text
    assert "months" not in text
    text = belief(gather(doubles.from_equity(list(np.cumsum([100, *(-np.array(steps))])))), None)
    assert "The 5 worst of 27 sessions made 160% of the loss." in text
    # what the first session made counts: it began with the capital, 100
    text = belief(gather(doubles.from_equity([104, 104, 104, 104, 105, 105, 106, 108])), None)
    assert "The 5 best of 8 sessions made 100% of the profit." in text
    text = belief(gather(doubles.from_equity([97, 98, 99, 100, 101, 102, 103])), None)
    assert "The 5 best of 7 sessions made 167% of the profit." in text
    assert "sessions made" not in belief(gather(doubles.from_equity([100, 101, 102, 103, 105])), None)
    steady = belief(gather(doubles.from_equity([*np.linspace(100, 110, 101)])), None)
    # a hundred equal steps from Wednesday 1 January 2020; the three longest months have 22, 22 and 22 of them
    assert "The 5 best of 101 sessions made 5% of the profit, the 3 best of 5 months 66%." in steady


@pytest.mark.parametrize(
    ("rate", "verdict"), [(0.004, "all above zero"), (-0.004, "all below zero"), (0.0, "so luck alone")]
)
def test_the_verdict_follows_the_interval(rate, verdict):
    noise = np.random.default_rng(3).normal(0.0, 0.002, 300)
    levels = 100 * np.cumprod(1 + noise - noise.mean() + rate)
    assert verdict in belief(gather(doubles.from_equity([100.0, *levels])), None)


@pytest.mark.parametrize(
    ("levels", "earned", "believed"),
    [
        ([100, np.nan, 101], "The Sharpe ratio is undefined: returns are missing", "has no interval"),
        (
            [100, 60, -20, 5, 8],
            "Lost 92.0% of capital, USD 92, in 5 sessions, after all costs. The Sharpe",
            "no interval",
        ),
        ([100, 101, np.nan], "Not known: the last equity is missing.", "has no interval"),
        (
            [100.0] * 40,
            "Gained 0.0% of capital, USD 0, in 40 sessions, after all costs: 0.0% a year",
            "no interval",
        ),
        ([100.0], "The Sharpe ratio is undefined: fewer than two returns.", "has no interval"),
    ],
)
def test_glance_of_odd_runs(levels, earned, believed):
    found = gather(doubles.from_equity(levels))
    assert earned in said(found, "What was earned")
    assert believed in said(found, "Whether to believe it")
    assert not re.search(r"nan|inf|n/a", " ".join(answer for _, answer in glance(found)))


def test_glance_names_the_benchmark(ledger):
    levels = pd.Series([50.0, 60.0], index=ledger.daily.index[[0, -1]])
    text = said(gather(ledger, benchmark=levels), "What was earned")
    assert ". The benchmark made 20.0%. The Sharpe ratio is" in text


def test_independent_episodes_by_hand():
    ledger = doubles.from_equity([100.0] * 420)
    states = np.zeros(420, dtype=int)
    states[100:110] = 3  # both: the first of either
    states[169:180] = 1  # 59 sessions after the last tariff episode
    states[240:250] = 1  # 60 after that
    states[300:310] = 2  # the second delisting episode
    states[310:320] = 3  # which goes on, and another of tariff begins
    found = gather(ledger, states=states, names=("calm", "tariff", "delisting", "decoupling"))
    assert independent_episodes(found) == {"tariff": 3, "delisting": 2}
    assert independent_episodes(gather(ledger)) == {}
    other = gather(ledger, states=np.minimum(states, 1), names=("quiet", "storm"))
    assert belief(other, 1).split(". ")[-2] == "Independent episodes: 2 of storm"  # 50 sessions apart at last


def test_glance_counts_episodes_as_the_regime_path_does(tmp_path):
    market = ep.simulate_market(start="2018-01-02", end="2020-12-31")
    path = ep.RegimeModel().walk_forward(market, ep.load_events())
    run = ep.backtest(market, ep.LongHKShortADR(), path=path)
    delisting, tariff = re.search(r"; (\d+) and (\d+) of them began", path.caveat).groups()
    text = belief(gather(run, states=path.states, names=path.names), None)
    assert f"Independent episodes: {tariff} of tariff, {delisting} of delisting." in text


def test_names_that_are_no_text_are_drawn(tmp_path, ledger):
    half = "\ud800 \u4e2d"  # half a character, and one that the fonts of figures do not have
    premium = doubles.premium(ledger.market).set_axis(pd.Index([half, "JD"], dtype=object), axis=1)
    names = ("calm", half, "delisting", "decoupling")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = report(
            ledger, tmp_path / "r.html", states=doubles.states(ledger.market), names=names, premium=premium,
            title=half,
        )  # fmt: skip
    _, page = read(path)
    assert page.words.count("\ufffd \u4e2d") == 5  # heading, two tables and two legends


def test_text_in_figures_is_left_as_it_is(tmp_path):
    text = ' id="a" d="M1.2345 2" href="#b" url(#c) fill="#0b3c6f" stroke: #0b3c6f; font-family: x; '
    picture = Picture("key", 1.0, "Words.", lambda figure, theme: figure.text(0, 0.5, text))
    assert html.unescape(re.search(">([^<]* id=[^<]*)<", picture.drawing.body)[1]) == text


def test_an_integer_that_numpy_cannot_hold_is_written_out():
    cell = value_cell(2**64)
    assert cell.text == "18,446,744,073,709,551,616"
    assert cell.value is None
    assert value_cell(2**62).value == 2.0**62
