"""Nothing in a file is executed, leads out of its folder or steers what shows it; the rest is refused."""

from __future__ import annotations

import ast
import dataclasses
import errno
import gzip
import json
import os
import pickle
import re
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tally import tried
from test_messages import sources

import entrepot as ep
from entrepot import export, files
from entrepot.cli import main
from entrepot.commands.output import in_terminal
from entrepot.engine.checkpoint import Checkpoint
from entrepot.errors import DataError, EntrepotError, ParameterError, visible
from entrepot.markets.download import check_folder, check_symbols, file_of
from entrepot.markets.parquet_files import read_parquet

ROOT = Path(__file__).parents[2]

# -- what the code may not call ------------------------------------------------------------------------------

# Where there is no other way, and why no file that is handed to entrepot reaches it.
ALLOWED = {
    # A job for the user's own workers, over the executor's channel.
    "engine/sweep.py": {"pickle"},
    # Compiled code beside the package, as numba keeps it: whoever can write there can write the package.
    "src/entrepot/kept_code.py": {"pickle"},
    # A module that a pickled job names, and pickle would import just the same.
    "strategies/function.py": {"import_module(variable)"},
    # What a strategy's function imports when it is called.
    "engine/own_code.py": {"import_module(variable)"},
}
MODULES = {
    "pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "torch", "yaml", "xml", "lxml", "html5lib",  # noqa: E501
    "subprocess", "ctypes", "cffi", "pty", "code", "codeop", "runpy", "imp", "dbm", "sqlite3", "telnetlib",
    "ftplib", "smtplib", "http", "urllib", "urllib3", "requests", "httpx", "socketserver", "xmlrpc",
    "tarfile", "zipfile",
}  # fmt: skip
BUILTINS = {"eval", "exec", "compile", "__import__", "breakpoint", "input"}
METHODS = {
    "eval", "query",  # a frame's, which are Python
    "system", "popen", "startfile", "execv", "execve", "spawnv", "spawnl", "mktemp", "from_string",
    "read_pickle", "to_pickle", "read_hdf", "read_xml", "read_html", "read_sql", "read_clipboard",
    "read_excel", "urlopen", "unsafe_load", "full_load", "extractall", "literal_eval",
}  # fmt: skip
FLAGS = {"shell", "allow_pickle"}


def called(node: ast.AST) -> Iterator[str]:
    """What a part of a module imports or calls that it must not, by name."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES)
    if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
        yield str(node.module)
    if isinstance(node, ast.Name) and node.id in BUILTINS:
        yield node.id
    if isinstance(node, ast.Attribute) and node.attr in METHODS:
        yield node.attr
    if isinstance(node, ast.ImportFrom):
        yield from (alias.name for alias in node.names if alias.name in METHODS)
    if not isinstance(node, ast.Call):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    for given in node.keywords:
        off = isinstance(given.value, ast.Constant) and given.value.value is False
        if given.arg in FLAGS and not off:
            yield f"{given.arg}="
        if given.arg == "autoescape" and not (
            isinstance(given.value, ast.Constant) and given.value.value is True
        ):
            yield "autoescape="
    if name == "Environment" and "autoescape" not in {given.arg for given in node.keywords}:
        yield "Environment"
    if name == "import_module" and not isinstance(node.args[0], ast.Constant):
        yield "import_module(variable)"
    if (
        name == "load"
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) in ("np", "numpy")
    ):
        yield "np.load"


def found_in(code: str) -> set[str]:
    return {name for node in ast.walk(ast.parse(code)) for name in called(node)}


def test_no_module_calls_what_a_file_could_use() -> None:
    modules = sources()
    assert len(modules) > 150
    found = {
        path.relative_to(ROOT).as_posix(): found_in(path.read_text(encoding="utf-8")) for path in modules
    }
    assert {name: what for name, what in found.items() if what} == ALLOWED
    for template in (ROOT / "reports" / "pages" / "templates").glob("*.j2"):
        text = template.read_text(encoding="utf-8")
        assert "safe" not in re.findall(r"\|\s*(\w+)", text)
        assert "autoescape" not in text
    tried("security", "modules read for what they must not call", len(modules))


@pytest.mark.parametrize(
    "code",
    [
        "eval('1')", "exec(x)", "f = compile", "import pickle as p", "from pickle import loads",
        "import xml.etree.ElementTree", "import yaml", "os.system('x')", "run(x, shell=True)",
        "np.load(x)", "np.load(x, allow_pickle=True)", "pd.read_pickle(x)", "from pandas import read_pickle",
        "frame.query(text)", "frame.eval(text)", "tempfile.mktemp()", "Environment(loader=x)",
        "Environment(autoescape=False)", "import_module(name)", "import torch.nn", "g(shell=flag)",
    ],
)  # fmt: skip
def test_what_is_looked_for_is_seen(code: str) -> None:
    assert found_in(code)


def test_no_file_reaches_pickle(
    tmp_path: Path, market: ep.Market, result: ep.Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise AssertionError("unpickled")

    ep.sweep(market, ep.LongHKShortADR(), GRID, checkpoint=tmp_path / "kept", progress=False)
    result.export(tmp_path / "csv")
    result.export(tmp_path / "parquet", "parquet")
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    again = ep.sweep(market, ep.LongHKShortADR(), GRID, checkpoint=tmp_path / "kept", progress=False)
    assert len(again.table) == 2
    for format in ("csv", "parquet"):
        assert len(ep.read_export(tmp_path / format))
    folder = prices(tmp_path / "prices")
    frame = pd.read_csv(folder / "BABA.csv", parse_dates=["Date"])
    (folder / "BABA.csv").unlink()
    frame.to_parquet(folder / "BABA.parquet")
    ep.load_market(folder)
    kinds = {path.suffix for path in (tmp_path / "kept").iterdir()}
    assert kinds == {".json", ".parquet"}


# -- paths ---------------------------------------------------------------------------------------------------

GRID = {"weight": [0.1, 0.2]}


@pytest.fixture(scope="module")
def market() -> ep.Market:
    return ep.simulate_market("2020-01-02", "2020-12-31", seed=7, symbols=["BABA", "9988.HK", "KWEB"])


@pytest.fixture(scope="module")
def result(market: ep.Market) -> ep.Result:
    return ep.backtest(market, ep.LongHKShortADR())


def prices(folder: Path) -> Path:
    """A folder of two lines."""
    folder.mkdir()
    days = pd.bdate_range("2024-01-02", periods=9).strftime("%Y-%m-%d")
    for symbol in ("BABA", "JD"):
        rows = [f"{day},{70 + i}" for i, day in enumerate(days)]
        (folder / f"{symbol}.csv").write_text("\n".join(["Date,Close", *rows, ""]))
    return folder


def link_to_a_file(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def relative_link(path: Path, outside: Path) -> None:
    path.symlink_to(os.path.relpath(outside, path.parent))


def link_to_a_link(path: Path, outside: Path) -> None:
    (path.parent / ".hop").symlink_to(outside)
    path.symlink_to(".hop")


def link_to_nothing(path: Path, outside: Path) -> None:
    path.symlink_to(outside.with_name("gone"))


def link_to_itself(path: Path, outside: Path) -> None:
    path.symlink_to(path)


def link_to_a_folder(path: Path, outside: Path) -> None:
    path.symlink_to(outside.parent)


def link_to_a_device(path: Path, outside: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_the_process(path: Path, outside: Path) -> None:
    path.symlink_to("/proc/self/environ")


def pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def folder_of_its_name(path: Path, outside: Path) -> None:
    path.mkdir()
    (path / "BABA.csv").write_bytes(outside.read_bytes())


WAYS: tuple[Callable[[Path, Path], None], ...] = (
    link_to_a_file, relative_link, link_to_a_link, link_to_nothing, link_to_itself, link_to_a_folder,
    link_to_a_device, link_to_the_process, pipe, folder_of_its_name,
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["BABA.csv", "BABA.parquet", "entrepot.json"])
def test_a_folder_of_prices_leads_nowhere(
    name: str, way: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    folder = prices(tmp_path / "prices")
    outside = tmp_path / "outside"
    outside.mkdir()
    text = "SECRET,1\nSECRET,2\n" if name != "entrepot.json" else '{"format": 1, "source": "SECRET"}'
    (outside / "secret").write_text(text)
    (folder / "BABA.csv").unlink()
    way(folder / name, outside / "secret")
    if name == "entrepot.json" and way in (link_to_nothing,):
        words = "is a link"
    elif way is folder_of_its_name and name != "entrepot.json":
        said = ep.load_market(folder).notes  # a folder in it is passed over, and said to be
        assert any(name in note for note in said)
        words = ""
    elif way is folder_of_its_name or way is pipe:
        words = "no plain file"
    else:
        words = "is a link"
    if words:
        with pytest.raises(DataError, match=words) as error:
            ep.load_market(folder)
        assert "SECRET" not in str(error.value)
    assert "SECRET" not in str(ep.check_data(folder))
    tried("security", "hostile paths")


def test_a_link_put_there_after_the_look_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prices(tmp_path / "prices")
    (folder / "BABA.csv").rename(tmp_path / "BABA.csv")
    (folder / "BABA.csv").symlink_to(tmp_path / "BABA.csv")
    monkeypatch.setattr(Path, "is_symlink", lambda self: False)
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        files.open_plain(folder / "BABA.csv")
    with pytest.raises(DataError, match="cannot be read"):
        ep.load_market(folder)
    tried("security", "hostile paths")


def test_what_the_reader_names_himself_may_be_a_link(tmp_path: Path) -> None:
    folder = prices(tmp_path / "prices")
    (tmp_path / "mine").symlink_to(folder)
    assert ep.load_market(tmp_path / "mine").label == "prices loaded from prices"
    (tmp_path / "x.csv").write_text("date,x\n2024-01-02,1\n2024-01-03,2\n")
    (tmp_path / "y.csv").symlink_to(tmp_path / "x.csv")
    assert len(ep.load_series(tmp_path / "y.csv").values) == 2


@pytest.mark.parametrize("way", WAYS)
def test_an_export_leads_nowhere(
    way: Callable[[Path, Path], None], tmp_path: Path, result: ep.Result
) -> None:
    for name in ("fills.csv", "manifest.json"):
        folder = result.export(tmp_path / f"run-{name}")
        outside = tmp_path / f"out-{name}"
        outside.mkdir()
        (folder / name).rename(outside / "secret")  # the very bytes: only where they are is wrong
        way(folder / name, outside / "secret")
        with pytest.raises(DataError):
            ep.read_export(folder)
        tried("security", "hostile paths")


NAMES = [
    "../fills.csv", "../../etc/passwd", "/etc/passwd", "/dev/zero", "/proc/self/environ", "~/fills.csv",
    "C:\\fills.csv", "\\\\host\\share\\fills.csv", "..\\fills.csv", "file:///etc/passwd",
    "http://x.invalid/fills.csv", "fills.csv\0", "fills\0.csv", "\0", "", ".", "..", "fills.csv\n",
    "FILLS.CSV", "Fills.csv", "f\u0456lls.csv", "\uff46ills.csv", "f\u0131lls.csv", "fills.csv ",
    "fills.csv/", "./fills.csv", "x" * 5000 + ".csv", "fills.csv.gz", "fills.pkl", "manifest.json", "con.csv:x",  # noqa: E501
    "$HOME/fills.csv", "%TEMP%\\fills.csv", "{name}.csv", "fills.csv|cat", "\ud800.csv",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_manifest_names_its_own_files_only(name: str, tmp_path: Path, result: ep.Result) -> None:
    folder = result.export(tmp_path / "run")
    content = json.loads((folder / "manifest.json").read_text())
    del content["sha256"]
    content["tables"]["fills"]["file"] = name
    sealed = content | {"sha256": export.seal(content)}
    (folder / "manifest.json").write_text(json.dumps(sealed))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=r"names a file|is missing"):
        ep.read_export(folder)
    with pytest.raises(ParameterError, match=r"can be replaced|in the way"):
        result.export(folder)  # it would remove what the manifest before names
    assert sorted(tmp_path.rglob("*")) == before
    tried("security", "hostile paths", 2)


SYMBOLS = [
    "../BABA", "../../x", "/etc/passwd", "BABA/../../x", "..", ".", "BABA\0", "~", "C:\\x", "\\\\host\\x",
    "BABA\n", "BABA;rm", "$(x)", "`x`", "B\u0410BA", "\uff22ABA", "BABA.csv/..", "-rf", "con:", "", " ",
    "\u202eABAB", "BA BA", "BABA%2f..", "\ud800", "X/Y=X", "../HKD=X",
]  # fmt: skip


@pytest.mark.parametrize("symbol", SYMBOLS, ids=ascii)
def test_no_symbol_becomes_a_path(symbol: str, tmp_path: Path) -> None:
    """What is let through to a download is the name of one file in its folder."""
    try:
        names = [file_of(one) for one in check_symbols([symbol])]
    except EntrepotError:
        names = []
    for name in names:
        assert (tmp_path / name).resolve().parent == tmp_path.resolve()
        assert re.fullmatch(r"[A-Z0-9^][A-Z0-9=.^-]*\.csv", name)
    tried("security", "hostile paths")


@pytest.mark.parametrize("name", ["BABA.csv", "entrepot.json"])
def test_a_download_writes_through_no_link(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "prices"
    folder.mkdir()
    (tmp_path / "mine").write_text("mine")
    (folder / name).symlink_to(tmp_path / "mine")
    with pytest.raises(ParameterError, match="a link"):
        check_folder(folder, ["BABA"])
    tried("security", "hostile paths")


@pytest.mark.parametrize("name", ["sweep.json", "chunk-000000.parquet"])
@pytest.mark.parametrize("way", WAYS)
def test_a_checkpoint_leads_nowhere(way: Callable[[Path, Path], None], name: str, tmp_path: Path) -> None:
    folder, index = tmp_path / "kept", np.arange(2)
    with Checkpoint(folder, {"plan": "x"}, ["a"]) as kept:
        kept.write(0, index, np.ones((2, 1)), ["", ""])
    (folder / name).rename(tmp_path / "secret")
    way(folder / name, tmp_path / "secret")
    lost = way in (link_to_nothing, link_to_itself)
    again = Checkpoint(folder, {"plan": "x"}, ["a"])
    if lost and name.startswith("chunk"):
        with again as kept, suppress(DataError):
            assert kept.read(0, index) is None  # not finished: it is run again
    else:
        with pytest.raises((DataError, ParameterError)), again as kept:
            kept.read(0, index)
    assert not (folder / "lock").exists()
    tried("security", "hostile paths")


def test_a_checkpoint_writes_through_no_link(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    (tmp_path / "mine").write_text("mine")
    with Checkpoint(folder, {"plan": "x"}, ["a"]) as kept:
        for draft in (f"chunk-000000.{os.getpid()}.draft", f"chunk-000000.parquet.{os.getpid()}.draft"):
            (folder / draft).symlink_to(tmp_path / "mine")
        (folder / "chunk-000000.parquet").symlink_to(tmp_path / "mine")
        with suppress(DataError):
            kept.write(0, np.arange(1), np.ones((1, 1)), [""])
    for name in (f"lock.{os.getpid()}.draft", f"sweep.{os.getpid()}.draft"):
        (folder / name).symlink_to(tmp_path / "mine")
    with Checkpoint(folder, {"plan": "x"}, ["a"]):
        assert (tmp_path / "mine").read_text() == "mine"
    tried("security", "hostile paths", 5)


# -- hostile files -------------------------------------------------------------------------------------------


class Bomb:
    """What a pickle does when it is opened."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("opened",)


def plain_table() -> pa.Table:
    days = pd.date_range("2020-01-01", periods=5)
    return pa.Table.from_pandas(pd.DataFrame({"Date": days, "Close": np.arange(5.0) + 1}))


def saying(said: Any) -> pa.Table:
    """A table with other words for pandas."""
    text = said if isinstance(said, bytes) else json.dumps(said).encode()
    return plain_table().replace_schema_metadata({b"pandas": text})


def changed(**said: Any) -> pa.Table:
    words = json.loads(plain_table().schema.metadata[b"pandas"])
    return saying(words | said)


def column(**said: Any) -> pa.Table:
    words = json.loads(plain_table().schema.metadata[b"pandas"])
    words["columns"][0] |= said
    return saying(words)


def of_type(name: str, said: bytes, values: Any = (1, 2, 3, 4, 5)) -> pa.Table:
    told = {b"ARROW:extension:name": name.encode(), b"ARROW:extension:metadata": said}
    array = pa.array(values)
    return pa.Table.from_arrays([array], schema=pa.schema([pa.field("Close", array.type, metadata=told)]))


def levels(**said: Any) -> dict[str, Any]:
    return {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object"} | said


def bomb() -> pa.Table:
    """Millions of cells in a few kilobytes."""
    zeros = pa.array(np.zeros(6_000_000))
    return pa.table({"Date": zeros, "Close": zeros})


TABLES: dict[str, Callable[[], pa.Table]] = {
    "pickled type": lambda: of_type("arrow.py_extension_type", pickle.dumps(Bomb())),
    "pickled words": lambda: saying(pickle.dumps(Bomb())),
    "no words": lambda: saying(b"\xff{"),
    "deep words": lambda: saying(b"[" * 100_000),
    "list of words": lambda: saying([]),
    "empty words": lambda: saying({}),
    "columns that are none": lambda: changed(columns=3),
    "unknown type": lambda: column(numpy_type="evil"),
    "code as type": lambda: column(numpy_type="__import__('os').mkdir('opened')"),
    "index that is not there": lambda: changed(index_columns=["nope"]),
    "index of no step": lambda: changed(index_columns=[{"kind": "range", "name": None, "start": 0, "stop": 5, "step": 0}]),  # noqa: E501
    "endless index": lambda: changed(index_columns=[{"kind": "range", "name": None, "start": 0, "stop": 10**12, "step": 1}]),  # noqa: E501
    "index of no kind": lambda: changed(index_columns=[{"kind": "bad"}]),
    "levels as code": lambda: changed(column_indexes=[levels(), levels()]),
    "zone of columns": lambda: changed(column_indexes=[levels(pandas_type="datetimetz", numpy_type="datetime64[ns]", metadata={"timezone": "../../etc/passwd"})]),  # noqa: E501
    "zone of a column": lambda: column(pandas_type="datetimetz", metadata={"timezone": "/etc/passwd"}),
    "json that is none": lambda: of_type("arrow.json", b""),
    "tensor of nothing": lambda: of_type("arrow.fixed_shape_tensor", b"{"),
    "bytes": lambda: pa.table({"Date": plain_table()["Date"], "Close": [b"\xff\xfe"] * 5}),
    "lists": lambda: pa.table({"Date": plain_table()["Date"], "Close": [[1.0]] * 5}),
    "names twice": lambda: pa.Table.from_arrays([plain_table()["Close"]] * 2, names=["Close", "Close"]),
    "far future": lambda: pa.table({"Date": pa.array([2**40] * 5).cast(pa.timestamp("s")), "Close": plain_table()["Close"]}),  # noqa: E501
    "bomb": bomb,
}  # fmt: skip
READERS: dict[str, Callable[[Path], Any]] = {
    "prices": ep.load_market,
    "series": ep.load_series,
    "events": ep.load_events,
    "listings": ep.load_listings,
}


def refused(read: Callable[[Path], Any], path: Path) -> None:
    """Read a file: what comes of it is a value or a refusal."""
    with suppress(EntrepotError), warnings.catch_warnings():
        warnings.simplefilter("error")
        read(path)


@pytest.mark.parametrize("name", TABLES)
def test_a_hostile_parquet_file_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "BABA.parquet"
    pq.write_table(TABLES[name](), path)
    for read in READERS.values():
        refused(read, path)
    (tmp_path / "folder").mkdir()
    path.rename(tmp_path / "folder" / path.name)
    refused(ep.load_market, tmp_path / "folder")
    ep.check_data(tmp_path / "folder")
    assert not (tmp_path / "opened").exists()
    tried("security", "hostile files", len(READERS) + 2)


def test_a_small_file_of_many_cells_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    pq.write_table(bomb(), path)
    assert path.stat().st_size < 100_000
    with path.open("rb") as file, pytest.raises(ValueError, match="say that they hold 12,000,000 cells"):
        read_parquet(file)
    ordinary = tmp_path / "zeros.parquet"  # nothing traded in a year: small, and no bomb
    pq.write_table(pa.table({"Close": np.zeros(1_000_000)}), ordinary)
    with ordinary.open("rb") as file:
        assert len(read_parquet(file)) == 1_000_000


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_parquet_file_is_refused(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "BABA.parquet"
    pq.write_table(plain_table(), path)
    whole, random = path.read_bytes(), np.random.default_rng(seed)
    for _ in range(40):
        content = bytearray(whole)
        for at in random.integers(0, len(whole), 3):
            content[at] = random.integers(256)
        path.write_bytes(bytes(content[: random.integers(len(whole) // 2, len(whole) + 1)]))
        refused(READERS[list(READERS)[random.integers(4)]], path)
    tried("security", "hostile files", 40)


DEEP, DIGITS = "[" * 100_000, "9" * 5_000
MANIFESTS = {
    "deep": DEEP,
    "deep object": '{"a":' * 100_000,
    "a name twice": '{"format": 1, "format": 1}',
    "a name twice inside": '{"format": 1, "adjusted": {"JD": "raw", "JD": "split"}}',
    "huge whole number": f'{{"format": {DIGITS}}}',
    "huge number": '{"format": 1e400}',
    "no number": '{"format": NaN}',
    "symbol of a path": '{"format": 1, "adjusted": {"../../x": "split"}}',
    "long symbol": f'{{"format": 1, "adjusted": {{"{"x" * 1_000_000}": "split"}}}}',
    "zone of a path": '{"format": 1, "fx_time": "14:15 ../../etc/passwd"}',
    "zone from the root": '{"format": 1, "fx_time": "14:15 /etc/passwd"}',
    "zone with null": '{"format": 1, "fx_time": "14:15 a\\u0000b"}',
    "long zone": f'{{"format": 1, "fx_time": "14:15 {"x" * 100_000}"}}',
    "hour of many digits": f'{{"format": 1, "fx_time": "{DIGITS}:15 Europe/Berlin"}}',
    "late year": '{"format": 1, "fetched_at": "99999-01-01T00:00:00Z"}',
    "date of many digits": f'{{"format": 1, "fetched_at": "{"9" * 100_000}"}}',
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_hostile_manifest_is_refused(name: str, tmp_path: Path) -> None:
    folder = prices(tmp_path / "prices")
    (folder / "entrepot.json").write_text(MANIFESTS[name])
    with pytest.raises(DataError, match=r"^entrepot\.json") as error:
        ep.load_market(folder)
    assert len(str(error.value)) < 400
    tried("security", "hostile files")


LISTING, EVENT = (
    "adr,hk,ordinary_per_ads,hk_status\n",
    "event_id,announced_at,channel,direction,severity,title\n",
)
TEXTS = {
    "brackets": ("listings", LISTING + f'BABA,9988.HK,8,"{"(" * 100_000}"\n'),
    "blanks": ("listings", LISTING + f'BABA,9988.HK,8,"secondary{" " * 100_000}x"\n'),
    "columns": ("listings", "a,b," * 50_000 + "\n"),
    "ratio of many digits": ("listings", LISTING + f"BABA,9988.HK,{DIGITS},\n"),
    "infinite ratio": ("listings", LISTING + "BABA,9988.HK,1e400,\n"),
    "version of many digits": (
        "listings",
        f"adr,hk,ordinary_per_ads,format\nBABA,9988.HK,8,listings {DIGITS}\n",
    ),
    "long cell": ("events", EVENT + f"x,2024-01-01,tariff,1,3,{'y' * 5_000_000}\n"),
    "severity of many digits": ("events", EVENT + f"x,2024-01-01,tariff,1,{DIGITS},y\n"),
    "date of many digits": ("events", EVENT + f"x,{DIGITS},tariff,1,3,y\n"),
    "infinite severity": ("events", EVENT + "x,2024-01-01,tariff,1,1e400,y\n"),
    "one line": ("prices", "x" * 20_000_000),
    "header of many names": ("prices", "Date" + ",a" * 40_000 + "\n"),
    "header of brackets": ("prices", "(" * 90_000),
    "quote that never ends": ("prices", 'Date,BABA\n"' + "2024-01-02,1\n" * 10_000),
    "null": ("prices", "Date,BABA\n2024-01-02,1\0\n"),
    "names of a series": ("series", "date" + ",a" * 40_000 + "\n"),
    "value of many digits": ("series", f"date,x\n2024-01-02,{DIGITS}\n"),
    "infinite value": ("series", "date,x\n2024-01-02,1e400\n"),
    "long date": ("series", f"date,x\n{'9' * 100_000},1\n"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_csv_file_is_refused_soon(name: str, tmp_path: Path) -> None:
    kind, text = TEXTS[name]
    path = tmp_path / "x.csv"
    path.write_text(text)
    if name == "blanks":  # unusual, and no harm
        assert isinstance(ep.load_listings(path), ep.Listings)
    else:
        with pytest.raises(EntrepotError) as error:
            READERS[kind](path)
        assert len(str(error.value)) < 1_000
    tried("security", "hostile files")


def test_nothing_compressed_is_unpacked(tmp_path: Path) -> None:
    for name in ("x.csv.gz", "x.csv"):
        (tmp_path / name).write_bytes(gzip.compress(b"symbol,sector\n" + b"A" * 1_000_000))
        for read in (*READERS.values(), ep.load_sectors, ep.load_tariff_levels, ep.load_news_index):
            with pytest.raises(EntrepotError):
                read(tmp_path / name)
            tried("security", "hostile files")


def test_a_deep_head_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text(DEEP)
    with pytest.raises(DataError, match="cannot be read"), Checkpoint(tmp_path, {}, []):
        pass
    tried("security", "hostile files")


# -- what is shown -------------------------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "</style></title><script>alert(3)</script>",  # noqa: E501
    "javascript:alert(4)", "{{7*7}}{% raw %}", "\x1b[31m\x1b]8;;http://x.invalid\x07go\x1b]8;;\x07", "\r\x9b2J",  # noqa: E501
    "\u202etxt\u2066", "\u200b\u200d\ufeff", '=cmd|"/c calc"!A1', "@SUM(1)", "+1", "-1",
    "$\\frac{a$ $x_1^2$ \\alpha", "one\n  two", "nul\x00", "half\ud800", "\U0001f600 \u4e2d\u56fd", "%s %(x)s {0}",  # noqa: E501
)  # fmt: skip
WORDS = " ".join(HOSTILE)
# What a frame can hold: text in UTF-8.
WHOLE = WORDS.replace("\ud800", "")
# Seen by nobody, or seen as another text.
STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def steers(text: str, keep: str = "\n") -> set[str]:
    return {c for c in text if unicodedata.category(c) in STEERING and c not in keep}


@pytest.fixture(scope="module")
def hostile(market: ep.Market) -> ep.Market:
    """Every hostile string where the text of a file, a folder or a user can be."""
    instruments = market.instruments.assign(company=WHOLE)
    label = f"simulated {WORDS}"
    return dataclasses.replace(market, label=label, notes=(WORDS, *HOSTILE), instruments=instruments)


@pytest.fixture(scope="module")
def events() -> ep.Events:
    frame = ep.load_events().known_by("2020-12-31T00:00Z").frame.copy()
    return ep.Events(frame.assign(title=WHOLE, source=WHOLE, notes=WHOLE))


@pytest.fixture(scope="module")
def run(hostile: ep.Market, events: ep.Events) -> ep.Result:
    return ep.backtest(hostile, ep.LongHKShortADR(weight=0.2))


def test_a_market_shows_its_label_and_notes(hostile: ep.Market, run: ep.Result) -> None:
    for shows in (hostile, run, run.summary()):
        assert not steers(repr(shows))
    for note in (hostile.label, *hostile.notes):
        assert not steers(note, keep="")
    assert "<script>" not in hostile.instruments._repr_html_()
    tried("security", "hostile strings, each in every output", 4 * len(HOSTILE))


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_refusal_shows_what_it_quotes(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: ep.load_market(tmp_path / text),
        lambda: ep.load_series(tmp_path / text),
        lambda: ep.load_events(tmp_path / text),
        lambda: ep.load_listings(tmp_path / text),
        lambda: ep.load_sectors(tmp_path / text),
        lambda: ep.load_events().where(channel=text),
        lambda: ep.simulate_market(text, "2020-02-01"),
        lambda: ep.simulate_market(symbols=[text]),
        lambda: ep.LongHKShortADR(mode=text),  # type: ignore[arg-type]
        lambda: ep.Costs(borrow=text),  # type: ignore[call-arg]
        lambda: ep.read_export(tmp_path / text),
    ]
    shown = 0
    for call in calls:
        said = ""
        try:
            call()
        except EntrepotError as error:
            said = str(error)
        except TypeError:
            continue
        assert not steers(said), ascii(said)
        shown += bool(said)
    assert shown >= 9
    if "\0" not in text:
        for command in (["data", "check"], ["events", "check"], ["events", "--only", "--file"]):
            assert main([*command, str(tmp_path / text)]) == 2
            said = capsys.readouterr()
            assert not steers(said.err), ascii(said.err)
            assert not said.out
            shown += 1
    tried("security", "hostile strings, each in every output", shown)


def test_the_command_line_shows_escapes() -> None:
    assert steers(in_terminal(WORDS).decode()) == set()
    assert (
        visible("\x1b\r\x9b\u202e\ud800\x00\u4e2d \u3000") == "\\x1b\\r\\x9b\\u202e\\ud800\\x00\u4e2d \u3000"
    )
    assert visible(visible(WORDS)) == visible(WORDS)
    error = pickle.loads(pickle.dumps(DataError("\x1b[31m")))  # as a worker hands it back
    assert str(error) == "\\x1b[31m"
    tried("security", "hostile strings, each in every output", len(HOSTILE))


def test_the_command_lists_hostile_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    safe = [text for text in HOSTILE if not steers(text)]
    folder = prices(tmp_path / "prices")
    rows = pd.DataFrame(
        [(f"e{i}", "2024-05-01", "tariff", 1, 3, text) for i, text in enumerate(safe)],
        columns=EVENT.strip().split(","),
    )
    rows.to_csv(tmp_path / "own.csv", index=False)
    for text in HOSTILE:
        if "/" not in text and "\0" not in text and "\ud800" not in text:
            (folder / f"{text}.csv").write_text(f"Date,{text!r}\n{text},{text}\n", errors="ignore")
            (folder / f"{text}.txt").write_text(text)
    commands = [
        ["events", "--only", "--file", str(tmp_path / "own.csv")],
        ["events", "check", str(tmp_path / "own.csv")],
        ["data", "check", str(folder)],
        ["data", "check", str(folder), "--all"],
    ]
    for command in commands:
        main(command)
        said = capsys.readouterr()
        assert not steers(said.out + said.err), ascii(said.out + said.err)
    main(["data", "check", str(folder), "--json"])
    json.loads(capsys.readouterr().out)
    tried("security", "hostile strings, each in every output", len(commands) * len(HOSTILE))


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_an_export_keeps_every_character(
    format: Any, tmp_path: Path, run: ep.Result, events: ep.Events
) -> None:
    """Data come back as they were: a formula stays one, which the page on security says."""
    folder = run.export(tmp_path / "run", format, events=events)
    back = ep.read_export(folder)
    assert back.label == run.label
    pd.testing.assert_frame_equal(back["by_event"], run.by_event(events))
    assert not steers(repr(back))
    assert (tmp_path / "run").stat().st_mode & 0o7000 == 0
    tried("security", "hostile strings, each in every output", len(HOSTILE))


def extra() -> pd.DataFrame:
    return pd.DataFrame({WHOLE: [WHOLE, 1.0]}, index=pd.Index([WHOLE, "x"], name=WHOLE))


def test_pictures_are_drawn(tmp_path: Path, run: ep.Result, hostile: ep.Market, events: ep.Events) -> None:
    run.plot("equity", title=WORDS).figure.savefig(tmp_path / "plot.svg")
    panels = ep.discount_monitor(hostile).plot(marks={"2020-06-01": WHOLE})
    panels.flat[0].figure.savefig(tmp_path / "monitor.svg")
    for name in ("plot", "monitor"):
        content = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        assert "<script" not in content
        assert "<img" not in content
    tried("security", "hostile strings, each in every output", 2 * len(HOSTILE))


@pytest.fixture(scope="module")
def pages(
    run: ep.Result, market: ep.Market, events: ep.Events, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    run.report(
        folder / "report.html", events=events, title=WORDS, extra={WHOLE: extra()}, provenance={WORDS: WORDS}
    )
    return folder


def test_a_page_runs_nothing_of_a_file(pages: Path) -> None:
    check_page((pages / "report.html").read_text(encoding="utf-8"))
    look(pages / "report.html")
    tried("security", "hostile strings, each in every output", len(HOSTILE))


@pytest.mark.slow
def test_every_document_is_written(
    run: ep.Result, hostile: ep.Market, events: ep.Events, tmp_path: Path
) -> None:
    for kind in ("pdf", "png", "svg"):
        run.tear_sheet(tmp_path / f"sheet.{kind}", events=events, title=WORDS)
    printed = "".join(c for c in WHOLE if c.isprintable())
    runs = {printed: run, "other": ep.backtest(hostile, ep.LongHKShortADR(weight=0.1))}
    ep.comparison_report(
        runs, tmp_path / "comparison.html", title=WORDS, provenance={WORDS: WORDS}, draws=100
    )
    ep.compare_results(runs, draws=100).plot().figure.savefig(tmp_path / "comparison.png")
    found = ep.sweep(hostile, ep.LongHKShortADR(), {"weight": [0.1, 0.2, 0.3]}, progress=False)
    odds = found.significance(blocks=4, draws=100)
    odds.report(tmp_path / "odds.html")
    odds.plot(tmp_path / "odds.png")
    study = ep.event_study(hostile, events, by="channel", placebos=20)
    study.plot().figure.savefig(tmp_path / "study.png")
    for shows in (study, odds, found, *(ep.compare_results(runs, draws=100),)):
        assert not steers(repr(shows))
    for name in ("comparison", "odds"):
        check_page((tmp_path / f"{name}.html").read_text(encoding="utf-8"))
        look(tmp_path / f"{name}.html")
    tried("security", "hostile strings, each in every output", 12 * len(HOSTILE))


def test_a_name_that_cannot_be_shown_is_refused(run: ep.Result) -> None:
    for name in (text for text in HOSTILE if steers(text, keep="")):
        with pytest.raises(ParameterError, match="cannot be shown"):
            ep.compare_results({name: run})
        tried("security", "hostile strings, each in every output")


def check_page(text: str) -> None:
    """A page has its own script, its own policy and links into itself only."""
    assert text.count("<script") == 1
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert re.search(r"script-src 'sha256-[^']+';", policy[1])
    assert all(link.startswith("#") for link in re.findall(r'\bhref="([^"]*)"', text))
    assert not re.search(r"<(img|iframe|object|embed|form|base|link)\b", text)
    assert not steers(text, keep="\n\t\xad\u200b\u200d\ufeff\u2060")


def look(path: Path) -> None:
    """Open a page in a real browser, where there is one: nothing is fetched, nothing runs, nor could it."""
    sys.path.append(str(ROOT / "tests" / "reports"))
    try:
        import browser as own
    finally:
        sys.path.pop()
    pytest.importorskip("playwright")
    if own.installed() is None:
        pytest.skip(f"no browser is installed under {', '.join(own.NAMES)}")
    with own.opened() as browser, own.shown(browser, path) as view:
        view.page.wait_for_load_state("networkidle")
        assert view.asked == [path.as_uri()]
        assert view.said == []
        assert view.ask("document.scripts.length") == 1
        assert view.ask("[...document.links].every(link => link.getAttribute('href').startsWith('#'))")
        handlers = "[...document.querySelectorAll('*')].flatMap(it => it.getAttributeNames())"
        assert not [name for name in view.ask(handlers) if name.startswith("on")]
        # Were something to get through all the same, the page's policy would stop it.
        assert not view.ask(
            "() => { const own = document.createElement('script'); own.textContent = 'window.ran = 1';"
            " document.body.append(own); return window.ran === 1 }"
        )
        assert view.ask(
            "() => fetch('http://x.invalid/').then(() => 'sent', error => String(error))"
        ).startswith("TypeError")
        assert view.asked == [path.as_uri()]
        assert any("Content Security Policy" in said for said in view.said)
        tried("security", "pages opened in a browser")
