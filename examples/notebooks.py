"""Write each notebook of this folder from the script of its name: `make examples`."""

from pathlib import Path

import jupytext
import nbformat

FOLDER = Path(__file__).parent
OPENING = "# %% [markdown]\n"  # the first line of a script that is a notebook
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def scripts() -> list[Path]:
    """The scripts that are notebooks, by name."""
    return sorted(
        path for path in FOLDER.glob("*.py") if path.read_text(encoding="utf-8").startswith(OPENING)
    )


def notebook_of(script: Path) -> str:
    """The notebook of a script as text: without outputs, and with the same ids at every writing."""
    notebook = jupytext.read(script, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{script.stem}-{number:02d}"
        cell.metadata = nbformat.from_dict({})
    return nbformat.writes(notebook) + "\n"


def main() -> None:
    """Write all notebooks."""
    for script in scripts():
        script.with_suffix(".ipynb").write_text(notebook_of(script), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
