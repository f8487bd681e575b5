"""A run as a folder of plain tables that any tool reads, and the same tables back, to the last bit."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from entrepot import reports
from entrepot.errors import DataError, ParameterError, shown
from entrepot.files import all_or_none, open_plain
from entrepot.markets.parquet_files import read_arrow
from entrepot.regimes.events import Events
from entrepot.reports.metrics import excess_returns

if TYPE_CHECKING:
    from entrepot.result import Result

Format = Literal["csv", "parquet"]
FORMATS = ("csv", "parquet")
MANIFEST, KIND, VERSION = "manifest.json", "entrepot export", 1
FILE_NAME = re.compile(r"[a-z_]+\.(csv|parquet)")
COLUMN_TYPE = re.compile(
    r"u?int(8|16|32|64)|float(32|64)|bool|str|object"
    r"|timedelta64\[(s|ms|us|ns)\]|datetime64\[(s|ms|us|ns)(, UTC)?\]"
)
SEPARATOR = ":"  # between a source, which has none, and an instrument

# What the numbers of a table are measured in, then those of its columns that differ.
UNITS: dict[str, tuple[str, dict[str, str]]] = {
    "equity": ("{base}", {}),
    "daily": ("fraction", {"equity": "{base}"}),
    "fills": (
        "local currency",
        {
            "step": "step of the grid", "decided_step": "step of the grid", "quantity": "shares, signed",
            "price": "local currency per share", "fill_price": "local currency per share",
            "fx": "{base} per unit of local currency",
        },
    ),
    "positions": ("shares", {}),
    "cash": ("{column}", {}),
    "receivables": ("{column}", {}),
    "contributions": ("{base}", {}),
    "dropped": ("step of the grid", {}),
    "conversions": ("shares, signed", {"step": "step of the grid", "fee": "currency of the ADR"}),
    "pair_trades": (
        "{base}",
        {
            "direction": "+1 long Hong Kong, -1 short", "hk_shares": "shares, signed",
            "ads": "shares, signed", "sessions": "New York sessions", "days": "days",
            "entry_premium": "fraction", "exit_premium": "fraction", "net [%]": "% of equity before",
            "orders": "count", "leg_hours": "hours",
        },
    ),
    "linked_orders": (
        "{base}",
        {
            "lead_quantity": "shares, signed", "lead_price": "local currency per share",
            "hedge_quantity": "shares, signed", "hedge_price": "local currency per share",
            "hours": "hours", "move": "fraction", "premium": "fraction",
        },
    ),
    "by_source": ("{base}", {}),
    "by_instrument": ("{base}", {}),
    "by_leg": ("{base}", {}),
    "by_regime": (
        "{base}",
        {"Sharpe Ratio": "ratio", "Sessions": "sessions", "Episodes": "count"},
    ),
    "by_event": (
        "{base}",
        {"direction": "+1 escalation, -1 relief", "severity": "1 to 5", "Steps": "steps of the grid"},
    ),
    "summary": (
        "ratio",
        {
            **dict.fromkeys(("Sessions", "Sharpe Lags", "Trades", "Open Trades", "Fills"), "count"),
            **dict.fromkeys(("Start Value", "End Value", "Interest Earned", "Expectancy"), "{base}"),
            "Orders Dropped": "count", "Total Costs": "{base}", "Turnover": "times mean equity, a year",
        },
    ),
    "costs": ("{base}", {}),
    "regime_path": ("fraction", {"state": "position among the regimes"}),
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Export:
    """The tables of an exported run, as `read_export` returns them: ``export["fills"]``.

    Args:
        frames: the tables.
        manifest: what stood beside them: label, provenance, and of each table its file, columns, types,
            units, rows and SHA-256.
    """

    frames: Mapping[str, pd.DataFrame]
    manifest: Mapping[str, Any]

    def __getitem__(self, name: str) -> pd.DataFrame:
        try:
            return self.frames[name]
        except KeyError:
            raise ParameterError(
                f"{shown(name)} is no table of this export: it has {', '.join(self.frames)}"
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self.frames

    def __iter__(self) -> Iterator[str]:
        return iter(self.frames)

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return f"Export({self.label!r}: {', '.join(self.frames)})"

    @property
    def label(self) -> str:
        """Where the prices came from."""
        return str(self.manifest["label"])

    @property
    def provenance(self) -> dict[str, str]:
        """What the run came from; see `Result.provenance`."""
        return dict(self.manifest["provenance"])


def tables_of(result: Result, events: Events | pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
    """Return what is exported of a run, by name.

    Args:
        result: a finished run.
        events: as in `Result.by_event`; None leaves that table out.
    """
    path = result.path
    daily = [result.daily, result.returns, result.risk_free, excess_returns(result)]
    tables = {
        "equity": result.equity.to_frame(),
        "daily": pd.concat(daily, axis=1),
        "fills": result.fills,
        "positions": result.positions,
        "cash": result.cash,
        "receivables": result.receivables,
        "contributions": result.contributions,
        "dropped": result.dropped,
        "conversions": result.conversions,
        "pair_trades": result.pair_trades,
        "linked_orders": result.linked_orders,
        "by_source": reports.by_source(result).rename_axis("source").to_frame(),
        "by_instrument": result.by_instrument(),
        "by_leg": result.by_leg(),
    }
    if path is not None:
        tables["by_regime"] = result.by_regime()
    if events is not None:
        tables["by_event"] = result.by_event(events)
    tables["summary"] = pd.DataFrame([result.summary().to_dict()])
    tables["costs"] = result.costs().rename_axis("kind").to_frame()
    if path is not None:
        states = pd.DataFrame({"state": path.states, "regime": path.regime}, index=path.regime.index)
        tables["regime_path"] = states.join(path.probabilities.add_prefix("probability_"))
    return tables


def write_export(
    result: Result,
    folder: str | os.PathLike[str],
    format: Format = "csv",
    events: Events | pd.DataFrame | None = None,
) -> Path:
    """Write a run as a folder of tables; see `Result.export`."""
    return write_tables(
        folder,
        tables_of(result, events),
        format=format,
        label=result.label,
        provenance=result.provenance,
        base_currency=result.base_currency,
    )


def write_tables(
    folder: str | os.PathLike[str],
    tables: Mapping[str, pd.DataFrame],
    *,
    format: Format,
    label: str,
    provenance: Mapping[str, str],
    base_currency: str,
) -> Path:
    """Write tables and their manifest into a folder, all of them or none.

    Args:
        folder: made if need be. An export that is there is replaced whole; other files are left alone.
        tables: by name, lower-case letters and underscores.
        format: "csv" or "parquet".
        label: where the prices came from.
        provenance: what the tables came from.
        base_currency: of amounts.

    Returns:
        The folder.

    Raises:
        ParameterError: where the folder cannot be written to, or a file is in the way that is no export's.
    """
    if not isinstance(format, str) or format not in FORMATS:
        raise ParameterError(f'format is {shown(format)}: give "csv" or "parquet"')
    files = {name: f"{name}.{format}" for name in tables}
    # The manifest first: whatever is cut short then, its other files are known to be an export's.
    names = [MANIFEST, *files.values()]
    with all_or_none(folder, names) as staging:
        before = files_of_export(Path(folder), names)
        described = {
            name: write_table(staging / files[name], name, table, base_currency)
            for name, table in tables.items()
        }
        content = {
            "kind": KIND,
            "version": VERSION,
            "label": label,
            "base_currency": base_currency,
            "provenance": dict(provenance),
            "tables": described,
        }
        text = json.dumps(content | {"sha256": seal(content)}, indent=1)
        written(staging / MANIFEST, text.encode())
    for name in sorted(before - set(names)):
        try:
            (Path(folder) / name).unlink(missing_ok=True)
        except OSError as error:
            raise ParameterError(
                f"{Path(folder) / name} is of the export before and cannot be removed "
                f"({error.strerror or error}): remove it"
            ) from error
    return Path(folder)


def read_export(folder: str | os.PathLike[str]) -> Export:
    """Read an exported run back.

    Every file must be there and be the one that was written: its SHA-256 and columns are those of the
    manifest. Only plain files of the folder are read, and nothing in them is executed.

    Args:
        folder: as `Result.export` wrote it.

    Returns:
        The tables by name, equal to those that were written in every value, type, index and name.

    Raises:
        ParameterError: where there is no such folder.
        DataError: where the manifest or a file is missing, damaged, edited or no export's.
    """
    if not isinstance(folder, str | os.PathLike):
        raise ParameterError(f"the folder is {shown(folder)}: give the folder that result.export wrote")
    place = Path(folder)
    try:
        there = place.is_dir()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        there = False
    if not there:
        raise ParameterError(f"{shown(str(place))} is no folder: give the folder that result.export wrote")
    manifest = read_manifest(place / MANIFEST)
    frames = {name: read_table(place, name, told) for name, told in manifest["tables"].items()}
    return Export(frames, manifest)


# -- the manifest --------------------------------------------------------------------------------------------


def seal(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest's content, however it is laid out."""
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_manifest(file: Path) -> dict[str, Any]:
    """Return a manifest that is whole, or say in one sentence what is wrong with it."""
    again = "export the run again"
    try:
        data = read_bytes(file)
    except FileNotFoundError:
        raise DataError(
            f"{file.parent} holds no {MANIFEST}: give a folder that result.export wrote"
        ) from None
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise DataError(f"{file} is damaged, it is no JSON: {again}") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise DataError(f"{file} is no manifest of an export: give a folder that result.export wrote")
    if content.get("version") != VERSION:
        raise DataError(
            f"{file} has the format version {shown(content.get('version'))} and this version of entrepot "
            f"reads {VERSION}: read it with the version that wrote it, or {again}"
        )
    told = content.pop("sha256", None)
    if told != seal(content):
        raise DataError(f"{file} has been edited since it was written: {again}")
    tables = content.get("tables")
    if not isinstance(tables, dict) or not all(is_description(name, tables[name]) for name in tables):
        raise DataError(f"{file} names a file or a type that no export has: {again}")
    told = content.get("provenance")
    facts = isinstance(told, dict) and all(isinstance(text, str) for text in told.values())
    if not isinstance(content.get("label"), str) or not facts:
        raise DataError(f"{file} says nothing of where the run came from: {again}")
    return content


def read_bytes(file: Path) -> bytes:
    """Return what is in a plain file of the folder; a link may lead out of it, a pipe may never end."""
    try:
        with open_plain(file) as opened:
            return opened.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror or error}): export the run again") from error


def is_description(name: str, told: object) -> bool:
    """Whether what a manifest says of a table can be followed: its own file, columns of known types."""
    if not isinstance(told, dict) or not isinstance(told.get("file"), str):
        return False
    file = told["file"]
    groups = [told.get("index"), told.get("columns")]
    return (
        FILE_NAME.fullmatch(file) is not None
        and file.partition(".")[0] == name
        and type(told.get("rows")) is int
        and isinstance(told.get("levels"), list)
        and len(told["levels"]) in (1, 2)
        and isinstance(told.get("index"), list)
        and len(told["index"]) < 2
        and all(isinstance(one, dict) and "name" in one for one in told["index"])
        and COLUMN_TYPE.fullmatch(str(told.get("names_type"))) is not None
        and all(isinstance(group, list) and all(map(is_column, group)) for group in groups)
    )


def is_column(told: object) -> bool:
    """Whether what a manifest says of a column can be followed."""
    return (
        isinstance(told, dict)
        and isinstance(told.get("column"), str)
        and COLUMN_TYPE.fullmatch(str(told.get("type"))) is not None
    )


def files_of_export(folder: Path, wanted: list[str]) -> set[str]:
    """Return the files of an export that is in a folder; refuse to write over a file that is none of them."""
    manifest = folder / MANIFEST
    own: set[str] = set()
    if is_there(manifest):
        try:
            own = {told["file"] for told in read_manifest(manifest)["tables"].values()} | {MANIFEST}
        except DataError as error:
            raise ParameterError(
                f"{manifest} is not of an export that can be replaced: move it away, or give another folder"
            ) from error
    for name in wanted:
        if name not in own and is_there(folder / name):
            raise ParameterError(
                f"{folder / name} is in the way and is no file of an export: move it away, or give another "
                "folder"
            )
    return own


def is_there(file: Path) -> bool:
    """Whether a file is there, or say in one sentence why that cannot be known."""
    try:
        return file.exists()
    except OSError as error:
        raise ParameterError(
            f"{file} cannot be looked at ({error.strerror or error}): give another folder"
        ) from error


# -- one table -----------------------------------------------------------------------------------------------


def write_table(file: Path, name: str, table: pd.DataFrame, base_currency: str) -> dict[str, Any]:
    """Write a table and return what the manifest says of it."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    as_text = file.suffix == ".csv"
    compound = isinstance(table.columns, pd.MultiIndex)
    heads = [SEPARATOR.join(map(str, head)) if compound else str(head) for head in table.columns]
    columns = [plain(table.iloc[:, i]) for i in range(table.shape[1])]
    index = []
    counts = isinstance(table.index, pd.RangeIndex) and table.index.equals(pd.RangeIndex(len(table)))
    if not counts or table.index.name is not None:
        head = str(table.index.name or "index")
        while head in heads:
            head += "_"
        index = [{"name": table.index.name, "column": head, "type": str(table.index.dtype)}]
        heads, columns = [head, *heads], [table.index.to_series(), *columns]
    arrays = [to_arrow(column, as_text) for column in columns]
    sink = pa.BufferOutputStream()
    if as_text:
        csv.write_csv(pa.table(arrays, names=heads), sink)
    else:
        parquet.write_table(pa.table(arrays, names=heads), sink)
    data = sink.getvalue().to_pybytes()
    written(file, data)
    types = [str(column.dtype) for column in columns]
    return {
        "file": file.name,
        "rows": len(table),
        "sha256": sha256(data).hexdigest(),
        "levels": list(table.columns.names),
        "names_type": "str" if compound else str(table.columns.dtype),
        "index": index,
        "columns": [
            {"column": head, "type": kind, "unit": unit(name, head, kind, base_currency)}
            for head, kind in list(zip(heads, types, strict=True))[len(index) :]
        ],
    }


def plain(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of a type that every tool has; of any other, as text."""
    return column if COLUMN_TYPE.fullmatch(str(column.dtype)) else column.astype("str")


def written(file: Path, data: bytes) -> None:
    """Write a file, or say in one sentence why it cannot be."""
    try:
        file.write_bytes(data)
    except OSError as error:
        raise ParameterError(
            f"{file.name} cannot be written ({error.strerror or error}), and so none of the export was: make "
            "room, or give another folder"
        ) from error


def unit(table: str, column: str, kind: str, base_currency: str) -> str:
    """Say what a column is measured in."""
    if kind.startswith("datetime"):
        return "UTC" if kind.endswith("UTC]") else "session date"
    if kind.startswith("timedelta"):
        return "duration"
    if kind in ("str", "object", "bool"):
        return {"bool": "true or false"}.get(kind, "text")
    usual, others = UNITS.get(table, ("number", {}))
    if column not in others and "[%]" in column:
        return "%"
    if column not in others and column.endswith(" Paid"):
        return base_currency
    return others.get(column, usual).format(base=base_currency, column=column)


def to_arrow(column: pd.Series[Any], as_text: bool) -> Any:
    """Return a column as Arrow holds it; as text, times are written as ISO 8601."""
    import pyarrow as pa

    if column.dtype.kind in "mM" and as_text:
        return pa.array(iso(column), type=pa.string())
    if column.dtype == object:
        told = [None if gone else str(value) for value, gone in zip(column, column.isna(), strict=True)]
        return pa.array(told, type=pa.string())
    return pa.Array.from_pandas(column)


def iso(column: pd.Series[Any]) -> list[str | None]:
    """Write times: dates where all are midnights of no zone, else to the second, or finer if need be."""
    missing = column.isna().to_numpy()
    if column.dtype.kind == "m":
        return [None if gone else value.isoformat() for value, gone in zip(column, missing, strict=True)]
    zoned = isinstance(column.dtype, pd.DatetimeTZDtype)
    moments = (column.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else column).to_numpy()
    known = moments[~missing]
    coarse = ("s",) if zoned else ("D", "s")
    fine = next((u for u in coarse if (known == known.astype(f"datetime64[{u}]")).all()), "ns")
    text = np.datetime_as_string(moments.astype(f"datetime64[{fine}]"))
    return [None if gone else f"{one}{'Z' if zoned else ''}" for one, gone in zip(text, missing, strict=True)]


def read_table(folder: Path, name: str, told: Mapping[str, Any]) -> pd.DataFrame:
    """Read one table of a manifest and see that it is what was written."""
    import pyarrow as pa
    from pyarrow import csv

    file = folder / told["file"]
    try:
        data = read_bytes(file)
    except FileNotFoundError:
        raise DataError(f"{file} is missing: export the run again") from None
    if sha256(data).hexdigest() != told.get("sha256"):
        raise DataError(f"{file} is damaged or has been edited since it was written: export the run again")
    columns = [*told["index"], *told["columns"]]
    heads, types = [one["column"] for one in columns], [one["type"] for one in columns]
    try:
        if file.suffix == ".csv":
            wanted = {head: arrow_type(kind) for head, kind in zip(heads, types, strict=True)}
            found = csv.read_csv(
                pa.BufferReader(data),
                parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=csv.ConvertOptions(
                    column_types=wanted,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    true_values=["true"],
                    false_values=["false"],
                ),
            )
        else:
            found = read_arrow(io.BytesIO(data))
        if found.column_names != heads or len(found) != told["rows"]:
            raise DataError(f"{file} has other columns or rows than {MANIFEST} says: export the run again")
        return framed([from_arrow(found.column(i), kind) for i, kind in enumerate(types)], told)
    except DataError:
        raise
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DataError(f"{file} cannot be read as {MANIFEST} describes it: export the run again") from error


def arrow_type(kind: str) -> Any:
    """Return the type in which a column of text is read."""
    import pyarrow as pa

    if kind in ("str", "object") or kind.startswith("timedelta"):
        return pa.string()
    if kind.startswith("datetime"):
        return pa.timestamp(kind[11:-1].removesuffix(", UTC"), "UTC" if "UTC" in kind else None)
    return pa.from_numpy_dtype(np.dtype(kind))


def from_arrow(column: Any, kind: str) -> pd.Series[Any]:
    """Return a column as it was before it was written."""
    values = column.to_pandas()
    if kind.startswith("timedelta"):
        values = pd.Series(pd.to_timedelta(values))
    return pd.Series(values.astype(kind))


def framed(parts: list[pd.Series[Any]], told: Mapping[str, Any]) -> pd.DataFrame:
    """Put the columns of a table together under their names."""
    rows, indexed = told["rows"], len(told["index"])
    index = pd.Index(parts[0]).rename(told["index"][0]["name"]) if indexed else pd.RangeIndex(rows)
    data = dict(enumerate(one.set_axis(index) for one in parts[indexed:]))
    frame = pd.DataFrame(data, index=index)
    heads = [one["column"] for one in told["columns"]]
    if len(told["levels"]) > 1:
        pairs = [tuple(head.split(SEPARATOR, 1)) for head in heads]
        frame.columns = pd.MultiIndex.from_tuples(pairs, names=told["levels"])
    elif not heads and told["names_type"] == "int64":
        frame.columns = pd.RangeIndex(0)
    else:
        frame.columns = pd.Index(heads, dtype=told["names_type"], name=told["levels"][0])
    return frame
