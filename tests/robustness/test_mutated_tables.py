"""Valid files and tables, changed at random: the same result bit for bit or a refusal, no other number."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from robustness.small import market, run
from tally import tried

import entrepot as ep
from entrepot.engine.checkpoint import Checkpoint
from entrepot.errors import EntrepotError

FEW, MANY = 60, 1500
PROPERTY = settings(
    max_examples=FEW, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SLOW = settings(PROPERTY, max_examples=MANY)
SCRAPS = [
    "",
    "nan",
    "inf",
    "-1",
    "1e400",
    "0",
    "9" * 30,
    "é",
    "\0",
    "\x1b[2J",
    '"',
    ",",
    "\n",
    ";",
    "2024-02-30",
]


def quietly(call: Callable[[], Any]) -> Any:
    """What a call gives, None where it refuses; a warning or any other error fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return call()
        except EntrepotError:
            return None


def count(what: str = "valid tables and files changed at random") -> None:
    tried("bad inputs", what)


# -- bytes ---------------------------------------------------------------------------------------------------


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes with a bit flipped, a piece cut out, zeroed, doubled or replaced, or an end cut off."""
    first = draw(st.integers(0, len(content) - 1))
    last = min(len(content), first + draw(st.sampled_from([1, 2, 8, 64, 1000])))
    how = draw(st.sampled_from(["flip", "cut", "zero", "double", "replace", "end", "begin"]))
    piece = content[first:last]
    if how == "flip":
        piece = bytes([piece[0] ^ (1 << draw(st.integers(0, 7)))]) + piece[1:]
    elif how in ("cut", "end", "begin"):
        piece = b""
    elif how == "zero":
        piece = bytes(len(piece))
    elif how == "double":
        piece = piece + piece
    else:
        piece = draw(st.binary(min_size=1, max_size=8))
    if how == "end":
        return content[:first]
    return piece + content[last:] if how == "begin" else content[:first] + piece + content[last:]


INDEX = np.arange(6)
COLUMNS = [f"figure {n}" for n in range(12)]
FIGURES = np.where(INDEX[:, None] == 2, np.nan, np.random.default_rng(0).standard_normal((6, 12)))
REFUSED = ("", "", "entry is é: give a number", "", "", "")


@cache
def chunk() -> bytes:
    """The file of a finished chunk."""
    with TemporaryDirectory() as folder, Checkpoint(folder, {"market": "0"}, COLUMNS) as kept:
        kept.write(0, INDEX, FIGURES, REFUSED)
        return (Path(folder) / "chunk-000000.parquet").read_bytes()


def check_chunk(content: bytes, folder: Path) -> None:
    """A damaged chunk has the figures that were written, or is refused."""
    with Checkpoint(folder, {"market": "0"}, COLUMNS) as kept:
        (folder / "chunk-000000.parquet").write_bytes(content)
        found = quietly(lambda: kept.read(0, INDEX))
    if found is not None:
        assert found[0].tobytes() == FIGURES.tobytes()
        assert found[1] == REFUSED
    count("files of checkpoints damaged at random")


@PROPERTY
@given(data=st.data())
def test_a_damaged_chunk_never_has_another_figure(data: st.DataObject, tmp_path: Path) -> None:
    check_chunk(data.draw(damaged(chunk())), tmp_path)


@pytest.mark.slow
@SLOW
@given(data=st.data())
def test_a_chunk_damaged_in_many_ways_never_has_another_figure(data: st.DataObject, tmp_path: Path) -> None:
    check_chunk(data.draw(damaged(chunk())), tmp_path)


def test_a_chunk_of_another_sweep_or_place_is_refused(tmp_path: Path) -> None:
    for identity, columns, index in (
        ({"market": "1"}, COLUMNS, INDEX),
        ({"market": "0", "terms": "0"}, COLUMNS, INDEX),
        ({"market": "0"}, COLUMNS[::-1], INDEX),
        ({"market": "0"}, COLUMNS[:5], INDEX),
        ({"market": "0"}, COLUMNS, INDEX[::-1]),
        ({"market": "0"}, COLUMNS, INDEX[:3]),
    ):
        with TemporaryDirectory(dir=tmp_path) as folder, Checkpoint(folder, identity, columns) as kept:
            (Path(folder) / "chunk-000000.parquet").write_bytes(chunk())
            with pytest.raises(EntrepotError, match="remove it"):
                kept.read(0, index)
        count("files of checkpoints damaged at random")


@cache
def swept_files() -> tuple[dict[str, bytes], pd.DataFrame]:
    """The files of a finished sweep, and its table."""
    with TemporaryDirectory() as folder:
        table = sweep(folder).table
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}, table


def sweep(folder: str | Path) -> ep.Sweep:
    grid = {"entry": [0.8, 1.2, 1.6]}
    return ep.sweep(
        market(), ep.LongHKShortADR(lookback=10), grid, checkpoint=folder, chunk=1, progress=False
    )


@settings(PROPERTY, max_examples=FEW // 6)
@given(data=st.data())
def test_a_sweep_goes_on_from_damaged_files_as_if_there_were_none_or_not_at_all(data: st.DataObject) -> None:
    files, table = swept_files()
    name = data.draw(st.sampled_from(sorted(files)))
    content = data.draw(damaged(files[name]))
    with TemporaryDirectory() as folder:
        for other in data.draw(st.sets(st.sampled_from(sorted(files)))) | {name, "sweep.json"}:
            (Path(folder) / other).write_bytes(content if other == name else files[other])
        found = quietly(lambda: sweep(folder))
    if found is not None:
        pd.testing.assert_frame_equal(found.table, table, check_exact=True)
    count("files of checkpoints damaged at random")


@cache
def exported(format: str) -> tuple[dict[str, bytes], dict[str, pd.DataFrame]]:
    """The files of an export, and its tables."""
    with TemporaryDirectory() as folder:
        run().export(folder, format=format, events=ep.load_events())
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}, dict(
            ep.read_export(folder).frames
        )


def check_export(data: st.DataObject) -> None:
    """A damaged export has the tables that were written, or is refused."""
    files, tables = exported(data.draw(st.sampled_from(["csv", "parquet"])))
    name = data.draw(st.sampled_from(sorted(files)))
    content = data.draw(damaged(files[name]))
    with TemporaryDirectory() as folder:
        for other, whole in files.items():
            (Path(folder) / other).write_bytes(content if other == name else whole)
        found = quietly(lambda: ep.read_export(folder))
    if found is not None:
        assert set(found) == set(tables)
        for table, frame in tables.items():
            pd.testing.assert_frame_equal(found[table], frame, check_exact=True)
    count("files of exports damaged at random")


@settings(PROPERTY, max_examples=FEW // 2)
@given(data=st.data())
def test_a_damaged_export_never_has_another_number(data: st.DataObject) -> None:
    check_export(data)


@pytest.mark.slow
@settings(PROPERTY, max_examples=MANY // 2)
@given(data=st.data())
def test_an_export_damaged_in_many_ways_never_has_another_number(data: st.DataObject) -> None:
    check_export(data)


# -- tables of events and tariff levels ----------------------------------------------------------------------


def lines_of(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """A table as text: its header and its rows."""
    texts = frame.copy()
    for name in frame.select_dtypes(["datetime", "datetimetz"]):
        moments = frame[name]
        dated = [
            "" if pd.isna(one) else one.isoformat() if one.tzinfo else f"{one:%Y-%m-%d}" for one in moments
        ]
        texts[name] = dated
    return list(texts.columns), texts.astype(str).to_numpy().tolist()


def csv_bytes(
    header: Sequence[str], rows: Sequence[Sequence[str]], end: str = "\n", mark: bool = False
) -> bytes:
    quoted = [
        ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) for cells in [list(header), *rows]
    ]
    return (b"\xef\xbb\xbf" if mark else b"") + (end.join(quoted) + end).encode()


class Table:
    """A kind of table: how it is read, and its valid rows, each with a tag in a column of its own."""

    def __init__(self, name: str, load: Callable[[Path], pd.DataFrame], frame: pd.DataFrame) -> None:
        self.name: str = name
        self.load: Callable[[Path], pd.DataFrame] = load
        self.header, self.rows = lines_of(frame.assign(tag=[f"row {n}" for n in range(len(frame))]))

    def read(self, folder: Path, content: bytes) -> pd.DataFrame | None:
        path = folder / f"{self.name}.csv"
        path.write_bytes(content)
        return quietly(lambda: self.load(path))  # type: ignore[no-any-return]


@cache
def events_table() -> Table:
    return Table(
        "events",
        lambda path: ep.load_events(path, replace=True).frame,
        ep.load_events().frame.iloc[::12].reset_index(drop=True),
    )


@cache
def levels_table() -> Table:
    frame = ep.load_tariff_levels().frame.iloc[:14]
    return Table("levels", lambda path: ep.load_tariff_levels(path).frame, frame)


TABLES = {"events": events_table, "levels": levels_table}


@pytest.mark.parametrize("name", TABLES)
@settings(PROPERTY, max_examples=FEW // 2)
@given(data=st.data())
def test_the_layout_of_a_table_changes_nothing(name: str, data: st.DataObject, tmp_path: Path) -> None:
    """Rows and columns in another order, a byte order mark, other line ends, empty rows: the same table."""
    table = TABLES[name]()
    plain = table.read(tmp_path, csv_bytes(table.header, table.rows))
    assert plain is not None
    places = data.draw(st.permutations(range(len(table.header))))
    # The order of tariff levels is that in which their series are listed.
    rows = data.draw(st.permutations(table.rows)) if name == "events" else table.rows
    if data.draw(st.booleans()):
        rows = [*rows, [""] * len(table.header)]
    laid_out = csv_bytes(
        [table.header[place] for place in places],
        [[cells[place] for place in places] for cells in rows],
        end=data.draw(st.sampled_from(["\n", "\r\n"])),
        mark=data.draw(st.booleans()),
    )
    found = table.read(tmp_path, laid_out)
    assert found is not None
    pd.testing.assert_frame_equal(found, plain, check_exact=True)
    count()


def check_cell(name: str, data: st.DataObject, folder: Path) -> None:
    """A cell replaced by a scrap: refused, or this cell differs and nothing else does."""
    table = TABLES[name]()
    plain = table.read(folder, csv_bytes(table.header, table.rows))
    assert plain is not None
    row = data.draw(st.integers(0, len(table.rows) - 1))
    column = data.draw(st.integers(0, len(table.header) - 2))
    scrap = data.draw(st.sampled_from(SCRAPS) | st.text(max_size=6))
    rows = [list(cells) for cells in table.rows]
    rows[row][column] = scrap
    try:
        content = csv_bytes(table.header, rows)
    except UnicodeEncodeError:  # half a character is in no file
        return
    found = table.read(folder, content)
    if found is not None:
        one, other = (
            frame.drop(columns=table.header[column]).set_index("tag").sort_index() for frame in (found, plain)
        )
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    count()


@pytest.mark.parametrize("name", TABLES)
@settings(PROPERTY, max_examples=FEW // 2)
@given(data=st.data())
def test_another_cell_is_refused_or_changes_nothing_else(
    name: str, data: st.DataObject, tmp_path: Path
) -> None:
    check_cell(name, data, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
@SLOW
@given(data=st.data())
def test_many_other_cells_are_refused_or_change_nothing_else(
    name: str, data: st.DataObject, tmp_path: Path
) -> None:
    check_cell(name, data, tmp_path)


@pytest.mark.parametrize("name", TABLES)
@PROPERTY
@given(data=st.data())
def test_damaged_bytes_of_a_table_are_told_or_make_a_valid_table(
    name: str, data: st.DataObject, tmp_path: Path
) -> None:
    """A table of text says what it says: what is read of it is valid again, read a second time."""
    table = TABLES[name]()
    found = table.read(tmp_path, data.draw(damaged(csv_bytes(table.header, table.rows))))
    if found is not None:
        again = table.read(tmp_path, csv_bytes(*lines_of(found)))
        assert again is not None
        pd.testing.assert_frame_equal(again, found, check_exact=True)
    count()


NUMBERS = ["direction", "severity", "core"]


@settings(PROPERTY, max_examples=FEW // 2)
@given(data=st.data())
def test_a_frame_of_events_is_the_same_in_any_order_and_type(data: st.DataObject) -> None:
    """Rows shuffled, another index, numbers as floats, text or objects: the same events."""
    frame = ep.load_events().frame.iloc[::12].reset_index(drop=True)
    plain = ep.Events(frame).frame
    order = data.draw(st.permutations(range(len(frame))))
    other = frame.iloc[list(order)].set_axis(data.draw(st.permutations(range(len(frame)))), axis=0)
    for name in NUMBERS:
        kind = data.draw(st.sampled_from(["float64", "int8", "object", "Int64", "str", "float32"]))
        other[name] = other[name].astype(kind)
    if data.draw(st.booleans()):
        other["known_at"] = other["known_at"].dt.tz_convert("Asia/Hong_Kong")
    if data.draw(st.booleans()):
        other["known_at"] = [one.isoformat() for one in other["known_at"]]
    found = quietly(lambda: ep.Events(other))
    assert found is not None
    pd.testing.assert_frame_equal(found.frame, plain, check_exact=True)
    count()


# -- JSON ----------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@PROPERTY
@given(data=st.data())
def test_a_manifest_that_says_something_else_is_refused(data: st.DataObject) -> None:
    """Any value of a manifest replaced, its seal left as it was: refused, or the value is what it was."""
    files, _ = exported("csv")
    content = json.loads(files["manifest.json"])
    place, key = content, data.draw(st.sampled_from(sorted(content)))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place, key = place[key], data.draw(st.sampled_from(sorted(place[key])))
    before = place[key]
    place[key] = data.draw(JSON)
    with TemporaryDirectory() as folder:
        for name, whole in files.items():
            (Path(folder) / name).write_bytes(whole)
        (Path(folder) / "manifest.json").write_text(json.dumps(content))
        found = quietly(lambda: ep.read_export(folder))
    assert found is None or json.dumps(place[key], sort_keys=True) == json.dumps(before, sort_keys=True)
    count("files of exports damaged at random")
