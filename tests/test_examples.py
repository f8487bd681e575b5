"""Each notebook is its script: in step with it, without outputs, short, and as true run plainly."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
WRITER = EXAMPLES / "notebooks.py"
NAMES = [
    "alibaba_discount_2025",
    "choosing_parameters",
    "delisting_2022",
    "first_steps",
    "tariffs_and_sectors",
    "ten_thousand_configurations",
    "your_own_data",
    "your_own_strategy",
]
GUARD = "if not folder:"


@pytest.fixture(scope="module")
def writer() -> dict[str, Any]:
    """What makes notebooks of scripts."""
    pytest.importorskip("jupytext")
    return runpy.run_path(str(WRITER))


def notebook(name: str) -> dict[str, Any]:
    """A notebook as it lies in the folder."""
    content: dict[str, Any] = json.loads((EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))
    return content


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_every_script_has_its_notebook_and_every_notebook_its_script(writer: dict[str, Any]) -> None:
    assert [script.stem for script in writer["scripts"]()] == NAMES
    assert sorted(path.stem for path in EXAMPLES.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_what_its_script_makes(name: str, writer: dict[str, Any]) -> None:
    """If this fails, `make examples`: the script is what is edited."""
    text = (EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8")
    assert text == writer["notebook_of"](EXAMPLES / f"{name}.py")


@pytest.mark.parametrize("name", NAMES)
def test_the_cells_are_those_of_the_script_in_order(name: str) -> None:
    """The same without jupytext: cells begin at `# %%`, and Markdown is commented out."""
    script = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    cells = []
    for part in re.split(r"^# %%", script, flags=re.MULTILINE)[1:]:
        kind, text = part.split("\n", 1)
        if kind == " [markdown]":
            cells.append(("markdown", re.sub(r"^# ?", "", text, flags=re.MULTILINE).strip("\n")))
        else:
            assert kind == ""
            cells.append(("code", text.strip("\n")))
    assert [(cell["cell_type"], source(cell)) for cell in notebook(name)["cells"]] == cells


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_holds_no_output_and_the_same_ids_at_every_writing(name: str) -> None:
    content = notebook(name)
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    for number, cell in enumerate(content["cells"]):
        assert cell["id"] == f"{name}-{number:02d}"
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_can_be_read_in_one_sitting(name: str) -> None:
    cells = notebook(name)["cells"]
    assert cells[0]["cell_type"] == "markdown"
    assert source(cells[0]).startswith("# ")
    assert "simulated" in source(cells[0])
    assert "**Question.**" in source(cells[0])
    assert "**Expected.**" in source(cells[0])
    last = cells[-2] if source(cells[-1]).startswith(GUARD) else cells[-1]
    assert last["cell_type"] == "markdown"
    assert "**What came out.**" in source(last)
    assert "**What it does not show.**" in source(last)
    code = [source(cell) for cell in cells if cell["cell_type"] == "code"]
    assert max(len(text.splitlines()) for text in code) <= 25
    assert 8 <= len([text for text in code if not text.startswith(GUARD)]) <= 15
    assert 2 <= sum(text.count("plt.show()") for text in code) <= 4


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_reads_real_prices_where_they_are_named(name: str) -> None:
    first = next(source(cell) for cell in notebook(name)["cells"] if cell["cell_type"] == "code")
    assert 'os.environ.get("ENTREPOT_PRICES")' in first


def run_plainly(name: str, elsewhere: Path, prices: Path | None) -> str:
    """Run a script as a user does who has no screen, from another folder, warnings being errors."""
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "MPLBACKEND")}
    environment.pop("ENTREPOT_PRICES", None)
    if prices is not None:
        environment["ENTREPOT_PRICES"] = str(prices)
    command = [sys.executable, "-W", "error::UserWarning", "-W", "error::RuntimeWarning"]
    done = subprocess.run(
        [*command, str(EXAMPLES / f"{name}.py")],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert list(elsewhere.iterdir()) == []
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_script_runs_from_anywhere_without_a_screen(name: str, tmp_path: Path) -> None:
    assert "simulated market" in run_plainly(name, tmp_path, None)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_script_runs_on_real_prices(name: str, tmp_path: Path, real_prices: Path) -> None:
    assert "prices loaded from" in run_plainly(name, tmp_path, real_prices)
