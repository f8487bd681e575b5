from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import doubles
import numpy as np
import pandas as pd
import pytest

from entrepot.errors import ParameterError
from entrepot.reports import report
from entrepot.reports.pages import files
from entrepot.reports.pictures.style import DARK, LIGHT

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
        if self.open[-1:] != ["style"]:
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


def test_is_one_file_without_network_or_script(written):
    text, page = read(written)
    assert [file.name for file in written.parent.iterdir()] == ["report.html"]
    tags = {tag for tag, _ in page.seen}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert not tags & {"img", "image", "source", "foreignobject", "metadata"}
    assert sum(tag == "style" for tag, _ in page.seen) == 1
    for _, attributes in page.seen:
        assert not {"src", "srcset", "xlink:href"} & set(attributes)
        assert str(attributes.get("href", "#")).startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    assert "http:" not in text
    assert "https:" not in text
    assert set(re.findall(r"url\((.)", text)) == {"#"}
    assert "Content-Security-Policy" in text
    assert len(text) < 1_000_000


def test_what_comes_from_outside_is_escaped(written):
    text, page = read(written)
    assert "<script" not in text
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
    assert "<script" not in text
    assert name in "".join(page.words)


def test_reads_on_a_phone_and_aloud(written):
    text, page = read(written)
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text
    assert "prefers-color-scheme: dark" in text
    drawings = [attributes for tag, attributes in page.seen if tag == "svg"]
    assert len(drawings) == 5
    assert all(it["aria-label"] and it["viewbox"] and it["role"] == "img" for it in drawings)
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
        assert used - {"tint", "accent", "edge"} <= set(scheme.colours())
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


def test_holds_every_table(written, ledger):
    _, page = read(written)
    words = "\n".join(page.words)
    for title in (
        "Summary",
        "Monthly returns, %",
        "By source",
        "By leg",
        "By instrument and source",
        "By regime",
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
    with pytest.raises(ParameterError, match="rows is 0"):
        report(ledger, tmp_path / "report.html", rows=0)
