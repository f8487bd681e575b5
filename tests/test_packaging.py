"""The rooms at the top of the repository arrive complete in the wheel and in the source archive."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import entrepot as ep

ROOT = Path(__file__).parents[1]
BESIDE = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "MANIFEST.in")
ROOMS = ("markets", "regimes", "strategies", "engine", "reports")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def files_of_the_tree() -> set[str]:
    """Every file below `src/entrepot` and the rooms, by the path it must have in an installed package."""
    rooms = {"entrepot": ROOT / "src" / "entrepot"} | {f"entrepot/{room}": ROOT / room for room in ROOMS}
    return {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in rooms.items()
        for path in folder.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not any(part in ROOMS for part in path.relative_to(folder).parts[:-1])
    }


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Build the wheel from a clean copy, a source archive, and the wheel that archive gives."""
    folder = tmp_path_factory.mktemp("packaging")
    tree = folder / "tree"
    tree.mkdir()
    for name in BESIDE:
        shutil.copy(ROOT / name, tree)
    for name in ("src", *ROOMS):
        leftovers = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=leftovers)
    for target, kind in (("direct", ["--wheel"]), ("through_source", [])):
        command = [sys.executable, "-m", "build", "--no-isolation", *kind, "--outdir", folder / target, tree]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "WARNING" not in run.stdout + run.stderr
        shutil.rmtree(tree / "build", ignore_errors=True)
    (direct,) = (folder / "direct").glob("*.whl")
    (source,) = (folder / "through_source").glob("*.tar.gz")
    (through_source,) = (folder / "through_source").glob("*.whl")
    return direct, source, through_source


@pytest.mark.parametrize("which", [0, 2], ids=["from the tree", "from the source archive"])
def test_wheel_holds_every_file_of_the_tree(archives: tuple[Path, Path, Path], which: int) -> None:
    with zipfile.ZipFile(archives[which]) as wheel:
        names = set(wheel.namelist())
    assert {name for name in names if name.startswith("entrepot/")} == files_of_the_tree()
    (metadata,) = {name.partition("/")[0] for name in names if not name.startswith("entrepot/")}
    assert metadata == f"entrepot-{ep.__version__}.dist-info"
    assert {f"{metadata}/entry_points.txt", f"{metadata}/licenses/LICENSE"} <= names
    assert {"entrepot/py.typed", "entrepot/__init__.pyi"} <= names


def test_source_archive_holds_the_rooms_and_nothing_else(archives: tuple[Path, Path, Path]) -> None:
    with tarfile.open(archives[1]) as archive:
        members = [member for member in archive.getmembers() if not member.isdir()]
    assert all(member.isfile() for member in members)  # a link would lead nowhere once it is unpacked
    names = {member.name.partition("/")[2] for member in members}
    rooms = {path.removeprefix("entrepot/") for path in files_of_the_tree() if path.split("/")[1] in ROOMS}
    root = {f"src/{path}" for path in files_of_the_tree() if path.split("/")[1] not in ROOMS}
    made = {name for name in names if name in ("PKG-INFO", "setup.cfg") or ".egg-info/" in name}
    assert names - made == rooms | root | set(BESIDE)


def test_an_editable_install_puts_the_source_on_the_path(tmp_path: Path) -> None:
    # A finder instead would come after a folder named entrepot beside the script: a clone of the project.
    mode = re.search(r"--config-settings (\w+)=(\w+) --editable", (ROOT / "Makefile").read_text())
    assert mode is not None
    for name in BESIDE:
        shutil.copy(ROOT / name, tmp_path)
    for name in ("src", *ROOMS):
        leftovers = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=leftovers)
    build = f"from setuptools import build_meta; build_meta.build_editable('.', {dict([mode.groups()])})"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True)
    (made,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(made) as wheel:
        (path,) = (name for name in wheel.namelist() if name.endswith(".pth"))
        assert Path(wheel.read(path).decode().strip()) == tmp_path / "src"


@pytest.mark.parametrize("room", ROOMS)
def test_link_leads_to_its_room(room: str) -> None:
    link = ROOT / "src" / "entrepot" / room
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == (ROOT / room).resolve()


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.rpartition("/")[0] for path in files_of_the_tree() if path.endswith(".py")}
    assert {folder.replace("/", ".") for folder in folders} == set(PROJECT["tool"]["setuptools"]["packages"])


def test_lock_pins_every_direct_dependency_within_its_bounds() -> None:
    lock = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", lock, flags=re.MULTILINE))
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [Requirement(text) for group in (PROJECT["project"]["dependencies"], *extras) for text in group]
    for requirement in wanted:
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name != "entrepot":
            assert name in pinned, f"run `make lock`: {name} is not in the lock"
            assert requirement.specifier.contains(pinned[name]), f"run `make lock`: {name} {pinned[name]}"


def test_no_package_index_is_written_anywhere() -> None:
    lock = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8")
    assert re.findall(r"--\S*|https?:\S*", lock) == []
