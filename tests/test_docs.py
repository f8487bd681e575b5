"""The documentation site: its pictures, formulas, links and names, and a build without a warning."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

import entrepot as ep

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")
FORMULA = re.compile(r"^```math\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FROM_ELSEWHERE = re.compile(r"^(?:https?:)?//")
RETURNS = re.compile(r"Returns:</span></p>\s*<ul>(.*?)</ul>\s*</?(?:div|p|h\d)", re.DOTALL)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """What the build of the site runs, imported as the build imports it."""
    pytest.importorskip("mkdocs")
    pytest.importorskip("latex2mathml")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS / "pictures"))
        import hook

        return hook


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pictures_are_drawn_and_say_what_they_show(page: Path, hook: ModuleType) -> None:
    for words, target in IMAGE.findall(page.read_text(encoding="utf-8")):
        picture = (page.parent / target).resolve().relative_to(DOCS)
        assert picture.parent.name == "pictures", target
        drawn = hook.PICTURES[picture.stem]
        assert picture.suffix == (".svg" if isinstance(drawn, hook.Drawn) else ".png"), target
        assert len(words.split()) >= 12, f"{target}: a reader who cannot see it learns nothing from {words!r}"


def test_every_picture_is_shown_somewhere(hook: ModuleType) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert {Path(target).stem for _, target in IMAGE.findall(text)} == set(hook.PICTURES)


def test_pictures_of_simulated_prices_say_so(hook: ModuleType) -> None:
    """In the picture or in what is said of it; those of the calendar and the clock hold no price."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    words = {Path(target).stem: said for said, target in IMAGE.findall(text)}
    for picture in set(hook.PICTURES) - {"clock", "alignments", "hysteresis"}:
        assert "simulated" in words[picture].lower(), picture


@pytest.mark.parametrize("picture", ["clock", "grid", "alignments"])
def test_pictures_are_the_same_whenever_they_are_drawn(picture: str, hook: ModuleType) -> None:
    first, again = (hook.PICTURES[picture].files(picture) for _ in range(2))
    assert set(first) == {f"{picture}.light.svg", f"{picture}.dark.svg"}
    assert first == again
    for content in first.values():
        drawn = ET.fromstring(content)
        assert drawn.tag.endswith("svg")
        assert not drawn.findall(".//{http://www.w3.org/2000/svg}text"), "letters need a font of the reader's"


def test_the_clock_shows_the_steps_of_the_market(hook: ModuleType) -> None:
    steps = hook.concepts.two_days()
    assert steps["phase"].tolist() == ["open", "close"] * 4
    assert steps["venue"].tolist() == (["XHKG"] * 2 + ["XNYS"] * 2) * 2
    assert steps["hour"].round(2).tolist() == [1.5, 8.17, 14.5, 21.0, 25.5, 32.17, 38.5, 45.0]


def test_costs_are_what_parts_the_two_lines_of_the_readme(hook: ModuleType) -> None:
    result = hook.results.simulated.result()
    apart = hook.results.first_screen.before_costs(result) - result.daily
    assert apart.iloc[-1] == pytest.approx(result.costs().sum(), rel=1e-12)
    assert (apart.diff().iloc[1:] > -1e-6).all()  # costs only add up


def test_the_picture_of_the_readme_is_small_and_as_wide_as_it_should_be() -> None:
    from PIL import Image

    file = DOCS / "pictures" / "readme.png"
    assert file.stat().st_size < 120_000
    assert Image.open(file).size == (1600, 800)


@pytest.mark.parametrize("page", [page for page in PAGES if "```math" in page.read_text(encoding="utf-8")])
def test_formulas_can_be_set(page: Path, hook: ModuleType) -> None:
    for source in FORMULA.findall(page.read_text(encoding="utf-8")):
        assert source.count("{") == source.count("}")
        made = hook.formula(source, "math", "formula")
        root = ET.fromstring(made)
        assert root.find("{http://www.w3.org/1998/Math/MathML}math") is not None
        assert "\\" not in "".join(root.itertext()), source  # a command that was not understood


def test_files_named_by_the_methods_exist() -> None:
    text = (DOCS / "methods.md").read_text(encoding="utf-8")
    files = re.findall(r"`([\w/]+\.(?:py|csv|md))`", text)
    assert len(files) > 40
    assert [file for file in files if not (ROOT / file).is_file()] == []
    sections = text.split("\n## ")[1:]
    for section in sections:
        assert all(f"| {row} | " in section for row in ("code", "test", "source")), section.splitlines()[0]


def test_the_glossary_is_in_order_and_its_words_are_used() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert words == sorted(words, key=str.lower)
    others = "".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "glossary.md").lower()
    for word in words:
        stem = word.lower().split(",")[0].split(" and ")[0]
        assert stem in others, word


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_page_begins_with_what_it_is_for(page: Path) -> None:
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert re.match(r"# \S", lines[0])
    assert re.match(r"[A-Z`*!]?[\w`\[*]", lines[1]), f"{lines[1]!r} is no sentence"
    assert not lines[1].startswith(("#", "|", "```", "!["))


def test_the_reference_sums_up_every_name(hook: ModuleType) -> None:
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    described = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    assert len(set(described)) == len(described)
    assert text.count(hook.AT_A_GLANCE) == 1
    table = hook.at_a_glance(text)
    for path in described:
        row = re.search(rf"^\| \[`\w+`\]\(#{re.escape(path)}\) \| (.+) \|$", table, re.MULTILINE)
        assert row, path
        assert row[1].endswith((".", ":", "?", "`", ")")), row[0]


def test_the_reference_describes_what_a_name_is_and_no_module_that_bears_it() -> None:
    """`entrepot.reports.exposures` is a function and a module: mkdocstrings would show all of the module."""
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    for path in re.findall(r"^::: (\S+)$", text, re.MULTILINE):
        *folders, last = path.split(".")
        beside = (ROOT / "src" / Path(*folders)).glob("*")
        assert last not in {file.stem for file in beside if file.suffix in ("", ".py")}, path


SPOKEN_OF = {
    "ep": ep,
    "events": ep.Events,
    "listings": ep.Listings,
    "market": ep.Market,
    "path": ep.RegimePath,
    "result": ep.Result,
    "sweep": ep.Sweep,
}
FILES = {"csv", "html", "ipynb", "json", "md", "parquet", "pdf", "png", "py"}


def has(owner: object, named: str) -> bool:
    """Whether it can stand behind the dot, fields without a default included."""
    bases = getattr(owner, "__mro__", ())
    return hasattr(owner, named) or any(named in inspect.get_annotations(base) for base in bases)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_names_in_running_text_exist(page: Path) -> None:
    """Blocks of code run in `test_readme.py`; this is what stands between them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`([^`]+)`", text):
        for owner, named in re.findall(rf"(?<![\w./])({'|'.join(SPOKEN_OF)})\.(\w+)", span):
            assert named in FILES or has(SPOKEN_OF[owner], named), span


class Loaded(HTMLParser):
    """What a browser loads for a page, without being asked."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.unnamed = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        loads = tag in {"script", "img", "iframe", "source"} or (
            tag == "link" and own.get("rel") not in {"canonical", "next", "prev"}
        )
        self.addresses += [str(own[key]) for key in ("src", "href") if loads and own.get(key)]
        self.unnamed += tag == "img" and not own.get("alt")


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    mkdocs = shutil.which("mkdocs", path=Path(sys.executable).parent)
    if mkdocs is None:
        pytest.skip("mkdocs is not installed: the extra `docs` has it")
    run = subprocess.run(
        [mkdocs, "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    for page in tmp_path.rglob("*.html"):
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert [address for address in loaded.addresses if FROM_ELSEWHERE.match(address)] == [], page.name
        assert loaded.unnamed == 0, page.name
    for returned in RETURNS.findall((tmp_path / "reference.html").read_text(encoding="utf-8")):
        assert returned.count("doc-section-item") == 1, "what is returned was cut into lines"
    for style in tmp_path.rglob("*.css"):
        outside = re.findall(r"url\(\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8"))
        assert outside == [], style.name
    assert not list(tmp_path.rglob("*.py"))
