"""What the README and the documentation show exists and runs."""

from __future__ import annotations

import ast
import difflib
import doctest
import itertools
import re
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import entrepot as ep

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").rglob("*.md"))
GALLERY = ROOT / "docs" / "gallery"
TEXTS = [README, *PAGES]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHECKER = doctest.OutputChecker()
MARKERS = ("<!-- benchmark:start -->", "<!-- benchmark:end -->")
TABLES = ("<!-- trades:start -->", "<!-- trades:end -->")
SECTIONS = [
    "The rule",
    "Chosen beforehand",
    "What it assumes",
    "Run it",
    "Data it needs",
    "On real prices",
]
NO_TRADES = {"index", "adr-discount-monitor"}


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return [code for kind, code in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


def told(page: Path) -> list[tuple[str, str | None]]:
    """The Python blocks of a page, each with what the page says it prints: a text block right below it."""
    text = page.read_text(encoding="utf-8")
    fences = [*FENCE.finditer(text), None]
    pairs = []
    for block, below in itertools.pairwise(fences):
        assert block is not None
        follows = below is not None and not text[block.end() : below.start()].strip()
        if block[1] == "python":
            pairs.append((block[2], below[2] if below and follows and below[1] == "text" else None))
    return pairs


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three years of simulated prices in ``prices/``, as a reader may have it."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "prices").mkdir()
    lines = ["BABA", "9988.HK", "JD", "9618.HK", "KWEB", "FXI", "ASHR", "CQQQ"]
    market = ep.simulate_market("2020-01-02", "2022-12-30", symbols=lines)
    session = pd.DatetimeIndex(market.grid["session"], name="Date")
    columns = {phase: (market.grid["phase"] == phase).to_numpy() for phase in ("open", "close")}
    for symbol, price in market.price.items():
        parts = {
            phase.capitalize(): pd.Series(price.to_numpy()[rows], session[rows]).dropna()
            for phase, rows in columns.items()
        }
        pd.DataFrame(parts).to_csv(folder / "prices" / f"{symbol}.csv")
    rates = market.fixings.set_index(market.fixings["time"].dt.date.rename("Date"))
    rates[["per_usd"]].set_axis(["Close"], axis=1).to_csv(folder / "prices" / "HKD=X.csv")
    return folder


def test_what_stands_right_below_a_block_is_what_it_prints(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\na\n```\n\n```text\n1\n```\n\n```python\nb\n```\nwords\n\n```text\nrule\n```\n"
        "\n```python\nc\n```\n```python\nd\n```\n"
    )
    assert told(page) == [("a\n", "1\n"), ("b\n", None), ("c\n", None), ("d\n", None)]


@pytest.mark.parametrize("page", TEXTS, ids=name)
def test_every_python_block_runs(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The blocks of a page run one after the other, as a reader would run them, and print what it shows.

    Three dots in what is shown stand for anything.
    """
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"__name__": "__main__"}
    start = time.perf_counter()
    for number, (code, shown) in enumerate(told(page), start=1):
        exec(compile(code, f"{name(page)}, block {number}", "exec"), names)
        printed = "".join(f"{line.rstrip()}\n" for line in capsys.readouterr().out.splitlines())
        if shown is not None and not CHECKER.check_output(shown, printed, doctest.ELLIPSIS):
            apart = difflib.unified_diff(
                shown.splitlines(), printed.splitlines(), "shown", "printed", lineterm=""
            )
            pytest.fail("\n".join([f"{name(page)}, block {number}:", *apart]))
    for report in folder.glob("*.html"):
        assert report.stat().st_mtime > 0
        assert report.read_text(encoding="utf-8").lstrip().startswith("<!")
        report.unlink()
    assert time.perf_counter() - start < 120  # compiling included; a few seconds without


def test_the_readme_opens_with_what_it_is_code_and_two_commands() -> None:
    code = blocks(README, "python")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    first_screen = README.read_text(encoding="utf-8").split("## ")[0].splitlines()
    assert len(first_screen) <= 40
    assert [line.split()[:3] for line in blocks(README, "console")[0].splitlines()] == [
        ["$", "make", "demo"],
        ["$", "make", "test"],
    ]


def test_the_readme_keeps_a_place_for_the_benchmark() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    at = [[i for i, line in enumerate(lines) if line == marker] for marker in MARKERS]
    assert [len(found) for found in at] == [1, 1]
    assert at[0] < at[1]


def anchors(page: Path) -> set[str]:
    """What a link may name after its #: the headings of a page."""
    return {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ")).strip().lower().replace(" ", "-")
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    }


@pytest.mark.parametrize("page", TEXTS, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """The site's pictures apart, which are drawn when it is built; see `test_docs.py`."""
    for before, target in re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target and not (before and page in PAGES):
            file, _, anchor = target.partition("#")
            leads_to = page.parent / file if file else page
            assert leads_to.is_file(), target
            assert not anchor or anchor in anchors(leads_to), target


@pytest.mark.parametrize("page", TEXTS, ids=name)
def test_commands_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"^\$ make ([\w-]+)", text, re.MULTILINE) + re.findall(r"`make ([\w-]+)`", text)
    assert set(named) <= set(targets)


def test_the_clock_names_functions_and_tests_that_exist() -> None:
    text = (ROOT / "docs" / "clock.md").read_text(encoding="utf-8")
    for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text):
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), test
    kernel = ast.parse((ROOT / "engine" / "_kernels.py").read_text(encoding="utf-8"))
    functions = {node.name for node in kernel.body if isinstance(node, ast.FunctionDef)}
    stages = [
        "accrue",
        "settle",
        "act",
        "convert",
        "dissolve",
        "leave",
        "close_in_cash",
        "deliver",
        "conversion_is_cheaper",
        "sweep",
        "stopped",
        "end_what_is_ruined",
        "call_margin",
        "limit",
        "recall",
        "mark",
        "fill",
        "fill_single",
        "execute",
        "fee",
    ]
    stages += ["lead_pair", "follow_pair", "expire", "value", "decide", "decide_single", "decide_pair", "run"]
    for function in stages:
        assert f"`{function}`" in text
        assert function in functions


def test_the_reference_has_every_public_name() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    described = {path.rpartition(".")[2] for path in re.findall(r"^::: (\S+)$", text, re.MULTILINE)}
    assert described >= set(ep.__all__) - {"__version__"}


def test_every_page_is_in_the_navigation() -> None:
    configuration = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"[:-] ([\w/-]+\.md)$", configuration, re.MULTILINE)
    assert sorted(listed) == sorted(page.relative_to(ROOT / "docs").as_posix() for page in PAGES)


def slug(trade: ep.PressTrade) -> str:
    """The name of a trade's page."""
    return re.sub("[ +]", "-", trade.name.lower())


def section(page: Path, heading: str) -> str:
    """What stands under a heading of a page."""
    return page.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_each_trade_has_a_page_in_the_gallery_and_each_page_a_trade() -> None:
    slugs = [slug(trade) for trade in ep.PRESS_TRADES]
    assert len(set(slugs)) == len(slugs)
    assert {page.stem for page in GALLERY.glob("*.md")} - NO_TRADES == set(slugs)


@pytest.mark.parametrize("trade", ep.PRESS_TRADES, ids=slug)
def test_the_pages_of_the_gallery_are_alike(trade: ep.PressTrade) -> None:
    text = (GALLERY / f"{slug(trade)}.md").read_text(encoding="utf-8")
    assert text.splitlines()[0].lower() == f"# {trade.name.lower()}"
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert len(text.splitlines()) <= 80
    assert "```text\n" in section(GALLERY / f"{slug(trade)}.md", "The rule")
    assert "```python\n" in section(GALLERY / f"{slug(trade)}.md", "Run it")
    assert "(index.md)" in text or trade.series


@pytest.fixture(scope="module")
def press() -> dict[str, ep.Strategy]:
    """Every trade as the list makes it."""
    market = ep.simulate_market("2021-01-04", "2021-12-31", phases=("close",))
    assert market.truth is not None
    return ep.press_trades(ep.load_events(), market.truth.series)


@pytest.mark.parametrize("trade", ep.PRESS_TRADES, ids=slug)
def test_the_parameters_in_the_gallery_are_the_defaults(
    trade: ep.PressTrade, press: dict[str, ep.Strategy]
) -> None:
    chosen = section(GALLERY / f"{slug(trade)}.md", "Chosen beforehand")
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \| (.+) \|$", chosen, re.MULTILINE)
    made = press[trade.name]
    own = {field.name: getattr(made, field.name) for field in fields(made)}  # type: ignore[arg-type]
    assert len(rows) == chosen.count("\n| `") >= 5
    assert {name: ast.literal_eval(value) for name, value, _ in rows} == {
        name: own[name] for name, *_ in rows
    }
    assert "None of these was fitted." in chosen


def test_the_gallery_lists_each_trade_with_its_idea_and_needs() -> None:
    rows = re.findall(
        r"^\| \[(.+)\]\((\S+)\.md\) \| (.+?) \| (.*?) ?\|$",
        (GALLERY / "index.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [(name, page) for name, page, *_ in rows] == [(t.name, slug(t)) for t in ep.PRESS_TRADES]
    for trade, (_, _, idea, needs) in zip(ep.PRESS_TRADES, rows, strict=True):
        assert idea == trade.idea[0].upper() + trade.idea[1:]
        assert tuple(re.findall(r"the series `(\w+)`", needs)) == trade.series


def test_the_gallery_keeps_a_place_for_the_tables() -> None:
    lines = (GALLERY / "index.md").read_text(encoding="utf-8").splitlines()
    at = [[i for i, line in enumerate(lines) if line == marker] for marker in TABLES]
    assert [len(found) for found in at] == [1, 1]
    assert at[0] < at[1]


@pytest.mark.parametrize("default", ["half_spread_bps", "borrow_rate_pa", "cash_rate_pa", "no_borrow_states"])
def test_the_defaults_that_are_rules_are_none(default: str) -> None:
    """`docs/costs.md` explains what stands for them."""
    assert not getattr(ep.Costs(), default)


def test_the_defaults_in_the_table_of_costs() -> None:
    costs = ep.Costs()
    assert (costs.rebate_spread_pa, costs.debit_spread_pa, costs.fx_spread) == (0.005, 0.0, 0.0001)
    assert (costs.ads_service_fee_pa, costs.ads_dividend_fee, costs.ads_conversion_fee) == (0.02, 0.02, 0.05)
    assert (costs.fx_conversion, costs.exact_fees, costs.lots) == ("on_fill", True, True)


def test_the_counts_in_the_page_of_events() -> None:
    text = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    events = ep.load_events().frame
    assert f"{len(events)} dated events" in text
    assert f"{(events['verification'] == 'K').sum()} of the {len(events)} rows are `K`" in text
    assert f"1 for the {events['core'].sum()} events" in text
