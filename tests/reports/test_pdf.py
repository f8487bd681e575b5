"""The report on paper: every word of the report is on its pages, inside them, and nothing overlaps."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import doubles
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from matplotlib.backends.backend_agg import RendererAgg

import entrepot as ep
from entrepot import reports
from entrepot.errors import ParameterError
from entrepot.reports import pdf
from entrepot.reports.pages import contents, paper
from entrepot.reports.pages.document import Picture, Section
from entrepot.reports.pages.findings import gather
from entrepot.reports.pages.lines import Lines
from entrepot.reports.pages.paper import Flow, Panel, Rule, Words
from entrepot.reports.pages.tables import Cell, Table, frame_table
from entrepot.reports.pdf import pdf_report

AMOUNT = "\N{MINUS SIGN}1,234.50"
ARGUMENTS: dict[str, Any] = {
    "title": "Pairs on paper",
    "caveats": ["One more & thing."],
    "provenance": {"entrepot": "0.0 ab", "Run": "0123456789abcdef", "Plan": "pairs"},
    "extra": {"Filled at the close": pd.DataFrame({"Sharpe Ratio": [3.25, 0.5]}, index=["close", "next"])},
    "trials": 31,
}


@pytest.fixture(scope="module")
def market_arguments(ledger: Any) -> dict[str, Any]:
    market = ledger.market
    return {
        "states": doubles.states(market),
        "names": doubles.REGIMES,
        "events": doubles.events(market),
        "premium": doubles.premium(market),
    }


@pytest.fixture(scope="module")
def flow(ledger: Any, market_arguments: dict[str, Any]) -> Flow:
    """The pages after the tear sheet."""
    kept: list[Flow] = []

    class Kept(Flow):
        def __init__(self) -> None:
            super().__init__()
            kept.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "Flow", Kept)
        patch.setattr(pdf, "write_whole", lambda *given: None)
        pdf_report(ledger, "a.pdf", **ARGUMENTS, **market_arguments)
    return kept[0]


@cache
def measured(text: str, bold: bool) -> float:
    """Width of a whole text in multiples of its size, by matplotlib."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=1.0)
    return float(TextToPath().get_text_width_height_descent(text, font, ismath=False)[0])


def width(words: Words) -> float:
    """Width of a line in points."""
    return words.size * measured(words.text, words.bold)


def span(words: Words) -> tuple[float, float]:
    """From where to where a line goes."""
    own = width(words)
    return (words.x - own, words.x) if words.right else (words.x, words.x + own)


def check_pages(pages: list[paper.Page]) -> None:
    """Refuse pages with anything outside their margins, or with lines that overlap."""
    for page in pages:
        assert page
        lines = [item for item in page if isinstance(item, Words)]
        boxes = [(*span(line), line.y - 0.78 * line.size, line.y + 0.24 * line.size) for line in lines]
        for left, right, top, bottom in boxes:
            assert paper.LEFT - 0.01 <= left <= right <= paper.RIGHT + 0.01
            assert top >= paper.TOP - 1
            assert bottom <= paper.BOTTOM + 1
        for item in page:
            if isinstance(item, Rule):
                assert paper.LEFT <= item.left <= item.right <= paper.RIGHT + 0.1
                assert paper.TOP <= item.y <= paper.BOTTOM
            if isinstance(item, Panel):
                assert paper.TOP <= item.top < item.top + item.height <= paper.BOTTOM
        box = np.array(boxes).reshape(len(boxes), 4)
        across = (box[:, None, 0] < box[None, :, 1] - 0.2) & (box[None, :, 0] < box[:, None, 1] - 0.2)
        down = (box[:, None, 2] < box[None, :, 3] - 0.6) & (box[None, :, 2] < box[:, None, 3] - 0.6)
        both = np.argwhere(np.triu(across & down, 1))
        assert [(lines[i].text, lines[j].text) for i, j in both] == []


def said(pages: list[paper.Page]) -> Counter[str]:
    """How often each word stands on the pages."""
    return Counter(
        word for page in pages for item in page if isinstance(item, Words) for word in item.text.split()
    )


def words_of(table: Table) -> Counter[str]:
    """How often each word stands in a table."""
    cells = [*(cell for row in table.rows for cell in row), *table.head, Cell(table.title), Cell(table.note)]
    return Counter(word for cell in cells for word in cell.text.split())


# -- the pages of a report -----------------------------------------------------------------------------------


def test_everything_is_inside_the_page_and_apart(flow: Flow) -> None:
    check_pages(flow.pages)
    assert len(flow.pages) >= 4


def test_every_word_of_the_report_is_on_the_pages(
    flow: Flow, ledger: Any, market_arguments: dict[str, Any]
) -> None:
    """What the HTML report has in its tables, and every caveat."""
    found = gather(ledger, title=ARGUMENTS["title"], **market_arguments)
    sections = contents.sections_of(
        found, sensitivity=None, extra=ARGUMENTS["extra"], others=(), trials=ARGUMENTS["trials"],
        provenance=ARGUMENTS["provenance"], rows=20,
    )  # fmt: skip
    wanted: Counter[str] = Counter()
    for section in sections:
        wanted += Counter(section.title.split())
        for table in (*section.beside, *section.tables):
            wanted += words_of(table)
    wanted += Counter(["One", "more", "&", "thing."])
    assert sum(wanted.values()) > 1_000
    assert wanted - said(flow.pages) == Counter()


def test_the_sections_are_those_of_the_html_report(
    ledger: Any, market_arguments: dict[str, Any], flow: Flow, tmp_path: Path
) -> None:
    page = ep.reports.report(ledger, tmp_path / "a.html", **ARGUMENTS, **market_arguments).read_text("utf-8")
    titles = re.findall(r"<h2 id=\"[\w-]+\"[^>]*>([^<]+)", page)
    assert len(titles) > 6
    headings = {
        item.text for page in flow.pages for item in page if isinstance(item, Words) and item.size > 10
    }
    assert {title.replace("&amp;", "&") for title in titles} <= headings


def test_figures_of_the_tear_sheet_are_not_drawn_again(flow: Flow) -> None:
    assert not [item for page in flow.pages for item in page if isinstance(item, Panel)]


def test_figures_of_further_sections_are_drawn(
    ledger: Any, market_arguments: dict[str, Any], tmp_path: Path, monkeypatch: Any
) -> None:
    boxes = []

    def draw(figure: Any, theme: Any) -> None:
        ax = figure.add_subplot()
        ax.plot([1, 2], [3, 4])
        box = figure.bbox.transformed(figure.figure.transFigure.inverted())
        boxes.append((box.x0 * paper.WIDTH, (1 - box.y1) * paper.HEIGHT, box.width * paper.WIDTH, box.height))

    own = Section("own", "Own findings", figures=(Picture("own", 2.5, "A line.", draw, "What it shows."),))
    kept: list[list[paper.Page]] = []
    real = pdf.write_pages

    def keep(file: Any, found: Any, pages: Any, foot: str) -> None:
        kept.append(pages)
        real(file, found, pages, foot)

    monkeypatch.setattr(pdf, "write_pages", keep)
    pdf_report(ledger, tmp_path / "a.pdf", sections=[own], **market_arguments)
    [pages] = kept
    check_pages(pages)
    [(page, panel)] = [(page, item) for page in pages for item in page if isinstance(item, Panel)]
    texts = [item.text for item in page if isinstance(item, Words)]
    assert "Own findings" in texts
    assert "What it shows." in texts
    [(left, top, width, _)] = boxes
    assert (left, top, width) == pytest.approx((paper.LEFT, panel.top, paper.ROOM), abs=0.01)
    assert panel.height == 72 * 2.5


def test_a_figure_is_no_taller_than_a_page() -> None:
    flow = Flow()
    flow.picture(Picture("tall", 40.0, "A line.", lambda figure, theme: figure.add_subplot(), "Below."))
    check_pages(flow.pages)
    paper.drawn_page(flow.pages[0])


def test_names_that_no_encoding_holds_are_written(ledger: Any, tmp_path: Path) -> None:
    name = "caf\udce9 \x00"
    run = replace(ledger, label=f"prices loaded from {name}", plan_notes=(name,))
    events = doubles.events(ledger.market).assign(title="news \x00")
    path = pdf_report(run, tmp_path / "a.pdf", provenance={name: name, "Run": name}, events=events)
    assert path.is_file()
    for size in ("page", "slide"):
        reports.tear_sheet(run, events=events, size=size)


def test_sections_that_cannot_be_told_apart_are_refused(ledger: Any, tmp_path: Path) -> None:
    one = Section("costs", "Own", (frame_table(numbers(2, 2), "T"),))
    with pytest.raises(ParameterError, match="two parts of the document have the anchor 'costs'"):
        pdf_report(ledger, tmp_path / "a.pdf", sections=[one])


def test_a_short_table_stays_on_one_page() -> None:
    flow = Flow()
    flow.y = paper.BOTTOM - 100
    flow.put(Words(paper.LEFT, 600.0, "before", 6.5))
    flow.table(frame_table(numbers(15, 2), "Short"))
    assert len(flow.pages) == 2
    assert len(flow.pages[0]) == 1
    check_pages(flow.pages)


def test_every_page_has_a_head_and_a_number(
    ledger: Any, flow: Flow, market_arguments: dict[str, Any]
) -> None:
    found = gather(ledger, title="T" * 400, **market_arguments)
    figures = pdf.figures_of(found, flow.pages[:2], "entrepot 0.0 \N{MIDDLE DOT} Run 77")
    assert len(figures) == 3
    for number, figure in enumerate(figures, start=1):
        texts = [text.get_text() for text in figure.texts]
        texts += [
            line.text for artist in figure.artists if isinstance(artist, Lines) for line in artist.lines
        ]
        assert f"{number} of 3" in texts
        assert "entrepot 0.0 \N{MIDDLE DOT} Run 77" in texts
        assert figure.get_size_inches() == pytest.approx((8.27, 11.69), abs=1e-3)
        if number > 1:
            head = texts[0]
            assert head.startswith("TTTT")
            assert head.endswith("\N{HORIZONTAL ELLIPSIS}")
            assert "simulated" in texts[1]
    running = [item for item in paper.running("T" * 400, "L" * 400, "f", 2, 3) if isinstance(item, Words)]
    (_, end), (begin, _) = span(running[0]), span(running[1])
    assert end < begin
    assert begin >= paper.LEFT


class Noting(RendererAgg):
    """Notes every text that is painted: the text, where it begins in points, its size and its weight."""

    def __init__(self, figure: Any) -> None:
        super().__init__(*(round(side) for side in figure.bbox.size), figure.dpi)
        self.painted: list[tuple[str, float, float, float, str]] = []

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:
        """As on paper: on a screen glyphs are moved to whole pixels."""
        size = prop.get_size_in_points() * self.dpi / 72
        return size * measured(s, prop.get_weight() == "bold"), size, 0.0

    def draw_text(self, gc: Any, x: float, y: float, s: str, prop: Any, *rest: Any, **more: Any) -> None:
        points = 72 / self.dpi
        self.painted.append((s, points * x, points * y, prop.get_size_in_points(), prop.get_weight()))
        super().draw_text(gc, x, y, s, prop, *rest, **more)


def test_what_is_drawn_is_what_was_laid_out(flow: Flow) -> None:
    """Every line of a page is painted in its place."""
    page = flow.pages[1]
    figure = paper.drawn_page(page)
    renderer = Noting(figure)
    figure.draw(renderer)
    lines = [item for item in page if isinstance(item, Words)]
    assert len(lines) > 50
    assert any(line.right for line in lines)
    for (text, x, y, size, weight), line in zip(renderer.painted, lines, strict=True):
        assert (text, size, weight) == (line.text, line.size, "bold" if line.bold else "normal")
        assert y == pytest.approx(line.y, abs=0.01)
        assert x == pytest.approx(span(line)[0], abs=0.01)


# -- tables --------------------------------------------------------------------------------------------------


def flowing(*tables: Table, beside: bool = False) -> Flow:
    flow = Flow()
    if beside:
        flow.beside(tables)
    for table in () if beside else tables:
        flow.table(table)
    return flow


def numbers(rows: int, columns: int, value: float = 1234567.89) -> pd.DataFrame:
    frame = pd.DataFrame(np.full((rows, columns), value), columns=[f"column {i}" for i in range(columns)])
    return frame.set_axis([f"row {i}" for i in range(rows)])


def test_a_long_table_goes_on_with_its_head_again() -> None:
    flow = flowing(frame_table(numbers(300, 3), "Long", "A note.", foot=1))
    check_pages(flow.pages)
    assert len(flow.pages) >= 4
    for number, page in enumerate(flow.pages):
        texts = [item.text for item in page if isinstance(item, Words)]
        assert texts[0] == ("Long" if number == 0 else "Long, continued")
        assert "column 0" in texts
        assert ("A note." in texts) == (number == 0)
    found = said(flow.pages)
    assert all(found[str(i)] >= 1 for i in range(300))
    last = [item for item in flow.pages[-1] if isinstance(item, Words)][-1]
    assert last.bold


def test_a_wide_table_is_set_smaller_and_then_in_parts() -> None:
    sizes = {}
    for columns in (4, 10, 12, 30):
        flow = flowing(frame_table(numbers(5, columns), "Wide"))
        check_pages(flow.pages)
        lines = [item for page in flow.pages for item in page if isinstance(item, Words)]
        sizes[columns] = min(line.size for line in lines)
        assert said(flow.pages)["1,234,568"] == 5 * columns
        titles = [line.text for line in lines if line.text.startswith("Wide")]
        assert titles == (["Wide"] if columns < 30 else [f"Wide ({i} of 3)" for i in (1, 2, 3)])
        assert [line.text for line in lines].count("row 0") == len(titles)
    assert sizes[4] == 6.5
    assert 5.5 <= sizes[12] < 6.5


def test_long_text_is_wrapped_and_never_cut() -> None:
    sentence = " ".join(f"word{i}" for i in range(400))
    unbroken = "x" * 3_000
    frame = pd.DataFrame({"a": [sentence, "short"], "b": [unbroken, "y"], "n": [1.5, 2.5]})
    flow = flowing(frame_table(frame, "Words " * 60, sentence))
    check_pages(flow.pages)
    found = said(flow.pages)
    assert all(found[f"word{i}"] == 2 for i in range(400))
    assert sum(len(word) * n for word, n in found.items() if set(word) == {"x"}) == 3_000


def test_a_row_taller_than_a_page_goes_on() -> None:
    story = " ".join(f"w{i}" for i in range(6_000))
    flow = flowing(frame_table(pd.DataFrame({"n": [1, 2], "note": [story, "end"]}), "Story"))
    check_pages(flow.pages)
    found = said(flow.pages)
    assert all(found[f"w{i}"] == 1 for i in range(6_000))
    assert len(flow.pages) > 2


def test_tables_beside_each_other_are_level_and_wrap_to_the_next_row() -> None:
    tables = [frame_table(numbers(4, 2), name) for name in ("First", "Second", "Third", "Fourth", "Fifth")]
    flow = flowing(*tables, beside=True)
    check_pages(flow.pages)
    place = {item.text: (item.x, item.y) for item in flow.pages[0] if isinstance(item, Words)}
    assert place["First"][1] == place["Second"][1]
    assert place["First"][0] < place["Second"][0]
    assert place["Fifth"][1] > place["First"][1]
    # A table too long to stand beside others stands alone.
    flow = flowing(frame_table(numbers(200, 1), "Long"), tables[0], beside=True)
    check_pages(flow.pages)


def test_a_table_without_rows_says_none() -> None:
    flow = flowing(frame_table(pd.DataFrame({"a": []}), "Empty"))
    check_pages(flow.pages)
    assert said(flow.pages)["None."] == 1


def test_a_heading_is_not_left_alone_at_the_foot() -> None:
    flow = Flow()
    flow.y = paper.BOTTOM - 60
    flow.put(Words(paper.LEFT, 700.0, "before", 6.5))
    flow.heading("Section")
    assert len(flow.pages) == 2
    assert flow.pages[1][0].text == "Section"  # type: ignore[union-attr]
    flow.y = paper.BOTTOM - 50
    flow.table(frame_table(numbers(10, 2), "Table"))
    assert len(flow.pages) == 3
    flow.y = paper.BOTTOM - 150
    flow.heading("Next", following=120)
    assert len(flow.pages) == 4


def test_no_heading_of_the_report_is_the_last_of_its_page(flow: Flow) -> None:
    for page in flow.pages:
        lowest = max((item for item in page if isinstance(item, Words)), key=lambda line: line.y)
        assert lowest.size < 10


def test_characters_the_font_does_not_have_are_marked() -> None:
    marked = f"a{paper.UNKNOWN}b{2 * paper.UNKNOWN} c"
    assert paper.legible("a\u4e2db\x00\u202e\n c") == marked
    assert paper.legible(f"{AMOUNT} \u00b7 \u4e2d") == f"{AMOUNT} \u00b7 \N{REPLACEMENT CHARACTER}"
    assert paper.legible("US$1 and $2") == "US$1 and $2"


@pytest.mark.parametrize("bold", [False, True])
def test_widths_are_those_of_the_font(bold: bool) -> None:
    for text in (AMOUNT, "AVATAR Ta", "Long Hong Kong / short ADR", "mmm iii", "AA", "x"):
        assert paper.ems(text, bold) == pytest.approx(measured(text, bold))
    assert paper.ems("", bold) == 0


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=80), room=st.floats(1.5, 30))
def test_wrapped_lines_fit_and_lose_nothing(text: str, room: float) -> None:
    lines = paper.wrapped(text, room)
    whole = paper.legible(text)
    assert "".join(lines).replace(" ", "") == whole.replace(" ", "")
    for line in lines:
        assert paper.ems(line) <= room or len(line) == 1
    short = paper.fitting(text, room)
    assert short == whole or short.endswith(paper.ELLIPSIS)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_table_fits(data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(0, 12)), data.draw(st.integers(1, 25))
    kinds = data.draw(st.lists(st.booleans(), min_size=columns, max_size=columns))
    text = st.text(st.characters(categories=["L", "N", "P"]), max_size=30) | st.just("a long text " * 8)
    sample = [data.draw(text) for _ in range(6)]
    head = tuple(Cell(f"{sample[j % 6][:20]} {j}", number) for j, number in enumerate(kinds))
    body = tuple(
        tuple(
            Cell(f"{i * j:,}.25" if number else sample[(i + j) % 6], number) for j, number in enumerate(kinds)
        )
        for i in range(rows)
    )
    table = Table("Any table", head, body, sample[0], foot=min(rows, data.draw(st.integers(0, 2))))
    flow = flowing(table, table, beside=data.draw(st.booleans()))
    check_pages(flow.pages)


# -- the file ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def file(ledger: Any, market_arguments: dict[str, Any], tmp_path_factory: Any) -> Path:
    return pdf_report(ledger, tmp_path_factory.mktemp("pdf") / "a.pdf", **ARGUMENTS, **market_arguments)


def test_the_same_bytes_twice_and_no_dates(
    file: Path, ledger: Any, market_arguments: dict[str, Any], tmp_path: Path
) -> None:
    again = pdf_report(ledger, tmp_path / "b.pdf", **ARGUMENTS, **market_arguments)
    data = file.read_bytes()
    assert data == again.read_bytes()
    assert data.startswith(b"%PDF-")
    assert data.rstrip().endswith(b"%%EOF")
    for word in (b"Date", b"Producer", os.fsencode(tmp_path), b"matplotlib"):
        assert word not in data
    assert len(data) < 1_500_000


def test_the_users_own_settings_do_not_matter(
    file: Path, ledger: Any, market_arguments: dict[str, Any], tmp_path: Path
) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"pdf.fonttype": 42, "font.size": 30, "text.usetex": False, "pdf.compression": 0}):
        again = pdf_report(ledger, tmp_path / "b.pdf", **ARGUMENTS, **market_arguments)
    assert file.read_bytes() == again.read_bytes()


def test_every_page_is_in_the_file(file: Path, flow: Flow) -> None:
    assert len(re.findall(rb"/Type /Page\b", file.read_bytes())) == len(flow.pages) + 1


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs poppler's pdftotext")
def test_another_reader_finds_the_text_inside_the_pages(file: Path, flow: Flow) -> None:
    text = subprocess.run(["pdftotext", "-bbox", str(file), "-"], capture_output=True, text=True, check=True)
    assert not text.stderr
    pages = re.findall(r'<page width="([\d.]+)" height="([\d.]+)">(.*?)</page>', text.stdout, re.DOTALL)
    assert len(pages) == len(flow.pages) + 1
    found: Counter[str] = Counter()
    for wide, high, content in pages:
        for left, top, right, bottom, word in re.findall(
            r'<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)</word>', content
        ):
            assert 0 < float(left) < float(right) < float(wide)
            assert 0 < float(top) < float(bottom) < float(high)
            found[word] += 1
    for word in ("simulated", "provenance", "Caveats", "Contributions"):
        assert any(word.lower() in one.lower() for one in found), word
    # A sign may be read as a word of its own.
    figures = {word.lstrip("\N{MINUS SIGN}") for word in said(flow.pages)}
    figures = {word for word in figures if re.fullmatch(r"\d[\d,]*\.?\d*", word)}
    assert len(figures) > 100
    assert figures <= {word.lstrip("\N{MINUS SIGN}") for word in found}


def test_a_run_with_nothing_to_tell_is_written(tmp_path: Path) -> None:
    assert pdf_report(doubles.from_equity([100, 101]), tmp_path / "a.pdf").is_file()


@pytest.mark.parametrize("bad", [None, 3, "", b"a.pdf", "a\0b.pdf", "a.html", "a.txt", "nowhere/a.pdf"])
def test_a_target_that_cannot_be_is_refused(bad: Any, ledger: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match=r"\.pdf|does not exist") as error:
        pdf_report(ledger, bad)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rows": 0}, "rows is 0"),
        ({"trials": 0}, "trials is 0"),
        ({"caveats": "one"}, "caveats is of type str"),
        ({"provenance": ["a"]}, "provenance is of type list"),
        ({"extra": {"a": 1}}, "extra is of type dict"),
        ({"sensitivity": [1]}, "sensitivity is of type list"),
        ({"sections": [1]}, "sections is"),
        ({"states": [1, 2]}, "states and names go together"),
    ],
)
def test_arguments_that_cannot_be_are_refused(given: Any, words: str, ledger: Any, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=words):
        pdf_report(ledger, tmp_path / "a.pdf", **given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stop", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_was_there_stays_where_writing_fails(
    stop: BaseException, tmp_path: Path, monkeypatch: Any
) -> None:
    from matplotlib.backends.backend_pdf import PdfPages

    (tmp_path / "a.pdf").write_text("before")
    pages = [0]
    save = PdfPages.savefig

    def failing(self: PdfPages, figure: Any = None, **options: Any) -> None:
        pages[0] += 1
        if pages[0] == 2:
            raise stop
        save(self, figure, **options)

    monkeypatch.setattr(PdfPages, "savefig", failing)
    with pytest.raises(KeyboardInterrupt if isinstance(stop, KeyboardInterrupt) else ParameterError):
        pdf_report(doubles.from_equity([100, 101, 102]), tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["a.pdf"]


# -- asked of a result ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result() -> ep.Result:
    market = ep.simulate_market("2022-01-03", "2022-03-31", seed=7, symbols=["BABA", "9988.HK", "KWEB"])
    return ep.backtest(market, ep.LongHKShortADR(lookback=10))


def test_the_suffix_chooses_the_kind(result: ep.Result, tmp_path: Path) -> None:
    assert result.report(tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")
    assert result.report(tmp_path / "B.PDF").read_bytes().startswith(b"%PDF-")
    assert result.report(tmp_path / "a.htm").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["a.docx", "a", "a.pdf.txt", "a.png"])
def test_other_kinds_are_refused_in_one_sentence(result: ep.Result, name: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"cannot be written: give a name ending in .html, .htm, .pdf$"):
        result.report(tmp_path / name)
    assert not list(tmp_path.iterdir())
