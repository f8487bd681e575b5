"""Reports in a real browser: what a reader sees, can do, and is kept safe from."""

from __future__ import annotations

import dataclasses
import itertools
import re
import shutil

import browser as own
import doubles
import numpy as np
import pandas as pd
import pytest
from browser import BESIDE, DESK, PAPER, PHONE, shown

from entrepot.reports import report
from entrepot.reports.pages.document import Document, Picture, Section, write_document
from entrepot.reports.pages.tables import frame_table, series_table
from entrepot.reports.pictures.style import DARK, LIGHT

pytest.importorskip("playwright")
if own.installed() is None:
    pytest.skip(f"no browser is installed under {', '.join(own.NAMES)}", allow_module_level=True)

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(2)</script>',
    "</svg><script>alert(3)</script>",
    "{{7*7}}{% raw %}",
    "$x_1$ \\frac{a}",
    "'><svg onload=alert(4)>",
    "javascript:alert(5)",
    "</title></style><script>alert(6)</script>",
    "<!--<script>",
    "]]><a href='javascript:alert(7)'>",
    "&lt;b&gt;&amp;",
    ' id="top" d="M0 0" fill="#0b3c6f" url(#top)',
    "x" * 300,
    "\u202etxet desrever\u2066\x00\x07\x1b[31m\ufffe",
)


@pytest.fixture(scope="session")
def browser():
    with own.opened() as opened:
        yield opened


def write(ledger, path, words):
    """Write a report that has `words(i)` wherever a name, a note or a title can come from data."""
    market, line = ledger.market, {"KWEB": words(0)}
    instruments = market.instruments.rename(index=line)
    instruments.loc["JD", "company"] = words(1)
    market = dataclasses.replace(
        market,
        price=market.price.rename(columns=line),
        instruments=instruments,
        label=f"prices of {words(2)}",
        notes=(words(3), words(4)),
    )
    ledger = dataclasses.replace(
        ledger,
        market=market,
        contributions=ledger.contributions.rename(columns=line, level="instrument"),
        fills=ledger.fills.replace({"symbol": line}),
        positions=ledger.positions.rename(columns=line),
        dropped=ledger.dropped.replace({"symbol": {"JD": words(0)}}),
        gaps=ledger.gaps.rename(index=line),
        label=market.label,
        plan_notes=(words(5),),
    )
    events = doubles.events(market)
    events["title"] = [words(i) for i in range(len(events))]
    events["channel"] = words(6)
    names = ("calm", words(7), words(8), "decoupling")
    premium = doubles.premium(market).rename(columns={"BABA": words(2), "JD": words(9)})
    table = pd.DataFrame(
        {words(10): [1.5, 2.5, 3.5], words(11): [words(12), words(13), ""]},
        index=pd.Index([words(1), words(2), words(3)], name=words(4)),
    )
    figure = Picture("own", 1.5, words(0), lambda figure, theme: label(figure, words), words(5))
    section = Section("own", words(6), (frame_table(table, words(7), words(8)),), (figure,))
    return report(
        ledger,
        path,
        states=doubles.states(market),
        names=names,
        events=events,
        premium=premium,
        title=words(9),
        sensitivity=table,
        extra={words(10): table},
        sections=[section],
        caveats=[words(11), words(12)],
        provenance={words(13): words(0), "Plan": words(1)},
    )


def label(figure, words):
    """Draw hostile words wherever a figure has words: title, axis, ticks, legend, notes."""
    ax = figure.add_subplot()
    ax.plot([0, 1], [0, 1], label=words(0))
    ax.plot([0, 1], [1, 0], label=words(2))
    ax.set_title(words(3))
    ax.set_xlabel(words(4))
    ax.set_xticks([0, 1], [words(1), words(11)])
    ax.text(0.5, 0.5, words(9))
    ax.legend()


@pytest.fixture(scope="session")
def hostile(ledger, tmp_path_factory):
    return write(ledger, tmp_path_factory.mktemp("hostile") / "report.html", lambda i: HOSTILE[i])


@pytest.fixture(scope="session")
def harmless(ledger, tmp_path_factory):
    return write(ledger, tmp_path_factory.mktemp("harmless") / "report.html", lambda i: f"word {i}")


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "light"), (DESK, "dark")])
def test_nothing_is_fetched_and_nothing_goes_wrong(browser, hostile, width, scheme):
    with shown(browser, hostile, width, color_scheme=scheme) as view:
        view.page.wait_for_load_state("networkidle")
        assert view.asked == [hostile.as_uri()]
        assert view.said == []


def test_data_adds_no_element(browser, hostile, harmless):
    every = "[...document.querySelectorAll('*')]"
    kinds = f"{every}.map(it => it.localName).sort()"
    names = f"[...new Set({every}.flatMap(it => it.getAttributeNames()))].sort()"
    with shown(browser, hostile) as bad, shown(browser, harmless) as good:
        assert bad.ask(kinds) == good.ask(kinds)
        assert bad.ask(names) == good.ask(names)
        assert bad.ask("document.querySelectorAll('script').length") == 1
        assert (
            bad.ask("document.querySelectorAll('img, iframe, object, embed, form, base, link').length") == 0
        )
        links = bad.ask("[...document.querySelectorAll('[href]')].map(it => it.getAttribute('href'))")
        assert all(link.startswith("#") for link in links)
        assert not any(name.startswith("on") for name in bad.ask(names))


def test_data_is_shown_as_it_is(browser, hostile):
    with shown(browser, hostile) as view:
        words = " ".join(view.ask("document.body.textContent").split())
        drawing = " ".join(
            view.ask("document.querySelector('[aria-labelledby=own-alt]').textContent").split()
        )
        for text in HOSTILE[:-1]:
            assert " ".join(text.split()) in words
        for i in (0, 1, 2, 3, 4, 9, 11):
            assert " ".join(HOSTILE[i].split()) in drawing
        assert "\ufffdtxet desrever\ufffd\ufffd\ufffd\ufffd[31m\ufffd" in words
        assert not re.search("[\x00\x07\x1b\u202e\u2066\ufffe]", words)
        assert "49" not in view.ask("document.querySelector('h2#more').parentElement.innerText")
        assert view.page.title() == f"{HOSTILE[9]}"


def test_the_policy_holds(browser, harmless):
    """Were something to get in after all, it could neither run nor reach anybody."""
    reached = []
    with shown(browser, harmless) as view:
        view.page.route("https://**", lambda route: (reached.append(route.request.url), route.abort()))
        broken = view.ask("""async () => {
          const broken = [];
          document.addEventListener("securitypolicyviolation", (it) => broken.push(it.effectiveDirective));
          const made = (tag, change) => Object.assign(document.createElement(tag), change);
          const add = (tag, change) => document.body.append(made(tag, change));
          add("script", { textContent: "window.ran = true" });
          add("img", { src: "https://example.org/x.png" });
          add("iframe", { src: "https://example.org/" });
          add("div", { innerHTML: "<b onclick='window.ran = true'>b</b>" });
          document.querySelector("b").click();
          add("link", { rel: "stylesheet", href: "https://example.org/x.css" });
          await fetch("https://example.org/").catch(() => {});
          await new Promise((done) => setTimeout(done, 100));
          return broken.sort();
        }""")
        assert set(broken) == {
            "connect-src", "frame-src", "img-src", "script-src-attr", "script-src-elem", "style-src-elem"
        }  # fmt: skip
        assert view.ask("window.ran") is None
    assert reached == []


@pytest.mark.parametrize("width", [PHONE, 768, 1024, DESK])
def test_fits_the_window(browser, hostile, width):
    with shown(browser, hostile, width) as view:
        view.ask("document.querySelectorAll('main details').forEach(it => it.open = true)")
        assert view.ask("document.scrollingElement.scrollWidth <= document.scrollingElement.clientWidth")
        outside = view.ask("""() => [...document.body.querySelectorAll("*")]
          .filter((it) => !it.closest(".scroll > *, svg > *, .skip"))
          .filter((it) => it.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
          .map((it) => it.outerHTML.slice(0, 80))""")
        assert outside == []
        boxes = view.ask("""[...document.querySelectorAll("header, main > section, footer")]
          .map((it) => it.getBoundingClientRect()).map(({ top, bottom }) => [top, bottom])""")
        assert len(boxes) > 8
        for (_, bottom), (top, _) in itertools.pairwise(boxes):
            assert bottom <= top + 0.5
        if width >= BESIDE:
            aside, main = view.ask("""["nav", "main"].map((it) => document.querySelector(it))
              .map((it) => it.getBoundingClientRect()).map(({ left, right }) => [left, right])""")
            assert aside[1] < main[0]


def test_contents_beside_the_text(browser, harmless):
    with shown(browser, harmless) as view:
        links = view.page.locator("nav a")
        assert all(link.is_visible() for link in links.all())
        assert not view.page.locator("nav summary").is_visible()
        anchors = view.ask("[...document.querySelectorAll('nav a')].map(it => it.getAttribute('href'))")
        headings = view.ask("[...document.querySelectorAll('h2')].map(it => '#' + it.id)")
        assert anchors == ["#top", *headings]
        assert headings[:4] == ["#glance", "#performance", "#doubt", "#contributions"]
        for anchor in ("#costs", "#regimes", "#own", "#top"):
            view.page.locator(f"nav a[href='{anchor}']").click()
            settle(view)
            assert 0 <= view.page.locator("nav").bounding_box()["y"] < own.HEIGHT
            if anchor == "#top":
                assert view.ask("scrollY") == 0
                continue
            assert 0 <= view.page.locator(anchor).bounding_box()["y"] < 60
            current = view.ask("[...document.querySelectorAll('[aria-current]')].map(it => it.hash)")
            assert current == [anchor]


def test_contents_on_a_phone(browser, harmless):
    with shown(browser, harmless, PHONE, has_touch=True) as view:
        summary, link = view.page.locator("nav summary"), view.page.locator("nav a[href='#costs']")
        assert not link.is_visible()
        view.ask("scrollTo(0, 3000)")
        settle(view)
        assert view.page.locator("nav").bounding_box()["y"] == 0
        summary.tap()
        assert link.is_visible()
        assert view.page.locator("nav").bounding_box()["height"] <= own.HEIGHT
        link.tap()
        settle(view)
        assert not link.is_visible()
        bar, heading = view.page.locator("nav").bounding_box(), view.page.locator("#costs").bounding_box()
        assert bar["height"] <= heading["y"] < bar["height"] + 80
        assert summary.bounding_box()["height"] >= 24
        summary.tap()
        view.page.locator("nav a[href='#top']").tap()
        settle(view)
        assert view.ask("scrollY") == 0


def settle(view):
    """Wait until the page has come to rest where a link led."""
    view.ask("""() => new Promise((done) => {
      let last = -1, same = 0;
      const look = () => {
        same = scrollY === last ? same + 1 : 0;
        last = scrollY;
        same > 5 ? done() : requestAnimationFrame(look);
      };
      look();
    })""")


def test_the_keyboard_gets_everywhere(browser, harmless):
    with shown(browser, harmless) as view:
        press = view.page.keyboard.press
        press("Tab")
        assert view.ask("document.activeElement.className") == "skip"
        assert view.page.locator(".skip").bounding_box()["x"] >= 0
        press("Enter")
        assert view.ask("document.activeElement.id") == "main"
        press("Tab")
        assert view.ask("document.activeElement.closest('main') !== null")
        seen = set()
        for _ in range(150):
            if {"divscroll", "button", "summary"} <= seen:
                break
            outline = view.ask("""(({ outlineStyle, outlineWidth }) => [outlineStyle, outlineWidth])(
              getComputedStyle(document.activeElement))""")
            assert outline[0] != "none"
            assert float(outline[1][:-2]) >= 2
            seen.add(view.ask("document.activeElement.localName + document.activeElement.className"))
            press("Tab")
        else:
            pytest.fail(f"only {seen} can be reached")


@pytest.mark.parametrize(("scheme", "theme"), [("light", LIGHT), ("dark", DARK)])
def test_colours_follow_the_reader(browser, harmless, scheme, theme):
    colour = "([what, name]) => getComputedStyle(document.querySelector(what))[name]"
    with shown(browser, harmless, color_scheme=scheme) as view:
        assert view.ask(colour, ["body", "backgroundColor"]) == rgb(theme.paper)
        assert view.ask(colour, ["h1", "color"]) == rgb(theme.ink)
        assert view.ask(colour, [".note", "color"]) == rgb(theme.faint)
        drawn_in = view.ask("""() => new Set([...document.querySelectorAll("#performance ~ .plots path")]
          .flatMap((it) => [getComputedStyle(it).stroke, getComputedStyle(it).fill]))""")
        assert drawn_in is not None
        strokes = view.ask("""[...new Set([...document.querySelectorAll(".plots svg path")]
          .map((it) => getComputedStyle(it).stroke))]""")
        assert rgb(theme.lines[0]) in strokes
        other = DARK if theme is LIGHT else LIGHT
        assert not {rgb(it) for it in other.colours().values()} & (
            set(strokes) - {rgb(it) for it in theme.colours().values()}
        )
        view.page.emulate_media(media="print", color_scheme=scheme)
        assert view.ask(colour, ["h1", "color"]) == rgb(LIGHT.ink)
        assert view.ask(colour, ["body", "backgroundColor"]) in (rgb(LIGHT.paper), "rgba(0, 0, 0, 0)")


def rgb(colour: str) -> str:
    """Write a colour as a browser reports it."""
    return "rgb({}, {}, {})".format(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)))


FRAME = pd.DataFrame(
    {
        "whole": [3, -1_000_000, 20, 7, 1_000],
        "money": [1234.56, -9e6, np.nan, 0.5, 12_345_678.9],
        "return [%]": [0.121, 0.124, -0.122, np.nan, 0.119],
        "day": pd.to_datetime(["2021-03-01", "2019-12-31", None, "2020-01-02", "2020-01-10"]),
        "length": pd.to_timedelta(["2D", "10D", "1D", None, "100D"]),
        "name": ["beta", "Alpha", "9988.HK", "700.HK", ""],
        "mixed": pd.Series([10, "n.m.", 9, "abc", 100], dtype=object).to_numpy(),
    },
    index=pd.Index(["r1", "r2", "r10", "r3", "r4"], name="row"),
)
TOTAL = pd.DataFrame([{"whole": -999_000, "money": 3e6, "name": "zz"}], index=["total"])
ORDERS = {  # each column from low to high, as a reader takes it; what is missing comes last either way
    "row": ["r1", "r2", "r3", "r4", "r10"],
    "whole": ["r2", "r1", "r3", "r10", "r4"],
    "money": ["r2", "r3", "r1", "r4", "r10"],
    "return [%]": ["r10", "r4", "r1", "r2", "r3"],
    "day": ["r2", "r3", "r4", "r1", "r10"],
    "length": ["r10", "r1", "r2", "r4", "r3"],
    "name": ["r3", "r10", "r2", "r1", "r4"],
    "mixed": ["r10", "r1", "r4", "r3", "r2"],
}
MISSING = {"money": ["r10"], "return [%]": ["r3"], "day": ["r10"], "length": ["r3"], "name": ["r4"]}


@pytest.fixture(scope="session")
def table_page(tmp_path_factory):
    """A page with one table to sort, and two that are not for sorting."""
    path = tmp_path_factory.mktemp("table") / "table.html"
    frame = pd.concat([FRAME, TOTAL]).rename_axis("row")
    tables = (
        frame_table(frame, "To sort", foot=1),
        series_table(pd.Series({"a": 1, "b": 2, "c": 3}), "Names and values"),
        frame_table(FRAME.head(2), "Two rows"),
    )
    write_document(Document("Tables", "", "test", (), [Section("tables", "Tables", tables)], ()), path)
    return path


def rows(view) -> list[str]:
    return view.ask(
        "[...document.querySelectorAll('[data-sortable] tr > th:first-child')].map(it => it.innerText)"
    )[1:]


@pytest.mark.parametrize("column", ORDERS)
def test_tables_are_sorted_by_value(browser, table_page, column):
    missing = MISSING.get(column, [])
    rising = ORDERS[column]
    falling = [*reversed(rising[: len(rising) - len(missing)]), *missing]
    numbers = column in ("whole", "money", "return [%]")
    first, second = (falling, rising) if numbers else (rising, falling)
    names = ["descending", "ascending"] if numbers else ["ascending", "descending"]
    before = [*FRAME.index, "total"]
    with shown(browser, table_page) as view:
        head = view.page.locator("[data-sortable]").get_by_role("columnheader", name=column, exact=True)
        button = head.get_by_role("button")
        assert rows(view) == before
        button.click()
        assert rows(view) == [*first, "total"]
        assert head.get_attribute("aria-sort") == names[0]
        button.click()
        assert rows(view) == [*second, "total"]
        assert head.get_attribute("aria-sort") == names[1]
        button.click()
        assert rows(view) == before
        assert head.get_attribute("aria-sort") is None
        for key, order in (("Enter", first), ("Space", second), ("Enter", before[:-1])):
            button.press(key)
            assert rows(view) == [*order, "total"]
        assert view.said == []


def test_one_column_at_a_time(browser, table_page):
    with shown(browser, table_page) as view:
        for column in ("whole", "name"):
            view.page.get_by_role("columnheader", name=column).get_by_role("button").click()
        assert rows(view) == [*ORDERS["name"], "total"]
        marked = view.ask("[...document.querySelectorAll('[aria-sort]')].map(it => it.innerText.trim())")
        assert marked == ["name"]
        assert view.ask("document.querySelectorAll('table').length") == 3
        assert view.page.get_by_role("button").count() == len(ORDERS)
        assert view.ask("document.querySelector('[data-sortable]').tFoot.rows.length") == 1


def test_without_scripts_nothing_is_missing(browser, harmless, table_page):
    with shown(browser, table_page, java_script_enabled=False) as view:
        assert view.page.get_by_role("button").count() == 0
        assert view.page.get_by_role("columnheader").first.inner_text() == "row"
    with shown(browser, harmless, PHONE, java_script_enabled=False) as view:
        view.page.locator("nav summary").click()
        assert view.page.locator("nav a[href='#costs']").is_visible()


def test_prints(browser, harmless):
    with shown(browser, harmless, color_scheme="dark") as view:
        pages = len(re.findall(rb"/Type\s*/Page\b", view.page.pdf(format="A4", print_background=True)))
        assert 5 <= pages <= 30
        closed = view.page.locator("main details:not([open])")
        assert closed.count() > 3
        assert not closed.first.locator("table, p").first.is_visible()
        view.page.emulate_media(media="print")
        for width, which in zip(PAPER, (".table:not(.wide) table", "table"), strict=True):
            view.page.set_viewport_size({"width": width, "height": own.HEIGHT})
            cut = view.ask(
                """(which) => [...document.querySelectorAll(which)]
              .filter((it) => it.scrollWidth > innerWidth || it.getBoundingClientRect().width > innerWidth)
              .map((it) => it.caption.innerText)""",
                which,
            )
            assert cut == []
        for folded in closed.all():
            assert folded.locator("table, p").first.is_visible()
        for gone in ("nav", ".skip", "footer a"):
            assert not view.page.locator(gone).first.is_visible()
        # a head that holds a control is not repeated on the next page
        shows = "[...document.querySelectorAll('th button')].map(it => getComputedStyle(it).display)"
        assert set(view.ask(shows)) == {"contents"}


CHECKS = """() => {
  const all = (what) => [...document.querySelectorAll(what)];
  const wrong = (what, right) => all(what).filter((it) => !right(it)).map((it) => it.outerHTML.slice(0, 100));
  const get = (it, name) => it.getAttribute(name) ?? "";
  const there = (id) => document.getElementById(id) !== null;
  const words = (id) => document.getElementById(id)?.textContent ?? "";
  const named = (it) => (get(it, "aria-label") || words(get(it, "aria-labelledby"))).trim() !== "";
  const ids = all("[id]").map((it) => it.id);
  const levels = all("h1, h2, h3, h4, h5, h6").map((it) => Number(it.localName[1]));
  const parts = ["main", "body > header", "body > footer", "nav", "html[lang=en]"];
  return {
    "ids used twice": ids.filter((id, i) => ids.indexOf(id) !== i),
    "labels from nowhere": wrong("[aria-labelledby]", (it) => there(get(it, "aria-labelledby"))),
    "links to nowhere": wrong("[href]", (it) => there(get(it, "href").slice(1))),
    "clips of nothing": wrong("[clip-path]", (it) => there(get(it, "clip-path").slice(5, -1))),
    "drawings that are no images": wrong("svg", (it) => get(it, "role") === "img"),
    "parts without a name": wrong("[role], nav, main > section", named),
    "controls without a name": wrong("button, a, summary", (it) => it.textContent.trim() !== ""),
    "buttons outside heads": wrong("button", (it) => it.closest("th[scope=col]")),
    "tables without a caption": wrong("table", (it) => it.caption.textContent.trim() !== ""),
    "heads without a scope": wrong("th", (it) => it.scope === (it.closest("thead") ? "col" : "row")),
    "rows without a head": wrong("tbody tr, tfoot tr", (it) => it.cells[0].localName === "th"),
    "ragged rows": wrong("tr", (it) => it.cells.length === it.closest("table").rows[0].cells.length),
    "empty heads": wrong("th[scope=col]", (it) => it.textContent.trim() !== ""),
    "headings out of order": levels.filter((level, i) => level > (levels[i - 1] ?? 0) + 1),
    "first headings": levels.filter((level, i) => (level === 1) !== (i === 0)),
    "missing or double": parts.filter((it) => all(it).length !== 1),
    "lists of something else": wrong("ul > *, dl > *", (it) => ["li", "div"].includes(it.localName)),
    "tabs in an order of their own": wrong("[tabindex]", (it) => it.tabIndex <= 0),
    "scrollers out of reach": wrong(".scroll", (it) => it.tabIndex === 0),
  };
}"""


def test_can_be_read_without_seeing(browser, hostile, table_page):
    for path in (hostile, table_page):
        with shown(browser, path) as view:
            view.ask("document.querySelectorAll('details').forEach(it => it.open = true)")
            assert {name: wrong for name, wrong in view.ask(CHECKS).items() if wrong} == {}


def test_the_file_can_be_moved(browser, harmless, tmp_path):
    """What is written is all there is: the same page from another folder."""
    moved = shutil.copy(harmless, tmp_path / "a report & more.html")
    with shown(browser, moved) as view:
        assert view.page.get_by_role("img").count() == view.ask("document.querySelectorAll('figure').length")
        assert view.said == []
