"""An exported run comes back equal in every bit, whatever is not is refused, and nothing else is touched."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import entrepot as ep
from entrepot import export
from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.export import MANIFEST, read_export, seal, tables_of, write_tables

FORMATS = ["csv", "parquet"]
LINES = ["BABA", "9988.HK", "JD", "9618.HK", "KWEB", "FXI", "CHL", "0941.HK"]


@pytest.fixture(scope="module")
def events() -> ep.Events:
    return ep.load_events()


@pytest.fixture(scope="module")
def result(events: ep.Events) -> ep.Result:
    """A run with every table: pairs, sectors, regimes and a delisting."""
    market = ep.simulate_market("2020-06-01", "2021-06-30", seed=7, symbols=LINES)
    path = ep.RegimeModel().walk_forward(market, events)
    hedge = ep.LongHKShortADR(mode="delisting_hedge")
    pairs = ep.LongHKShortADR(lookback=20, entry=0.8)
    plan = ep.RegimeSwitch(
        path, calm=pairs, tariff=ep.SectorRotation(lookback=20), delisting=hedge, decoupling=hedge
    )
    return ep.backtest(market, plan, trials=5)


@pytest.fixture(scope="module")
def idle() -> ep.Result:
    """A run that never trades: tables without rows, without columns."""
    market = ep.simulate_market("2021-01-04", "2021-02-26", seed=7, symbols=["KWEB", "FXI"])
    return ep.backtest(market, market.price.iloc[:0] * 0)


@pytest.fixture(scope="module", params=FORMATS)
def folder(
    request: pytest.FixtureRequest, result: ep.Result, events: ep.Events, tmp_path_factory: Any
) -> Path:
    place = tmp_path_factory.mktemp("export") / "run"
    assert result.export(place, request.param, events=events) == place
    return place


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Equal in every value to the bit, every type, index and name."""
    pd.testing.assert_frame_equal(one, other, check_exact=True, check_column_type=True, check_freq=False)
    for name in range(one.shape[1]):
        if one.iloc[:, name].dtype.kind == "f":
            left, right = one.iloc[:, name].to_numpy(), other.iloc[:, name].to_numpy()
            known = ~np.isnan(left)
            assert left[known].tobytes() == right[known].tobytes()  # minus zero included


# -- what comes back -----------------------------------------------------------------------------------------


def test_every_table_comes_back_equal(folder: Path, result: ep.Result, events: ep.Events) -> None:
    wanted, found = tables_of(result, events), read_export(folder)
    assert list(found) == list(wanted)
    assert len(found) == 19
    for name, table in wanted.items():
        same(found[name], table)
    assert "CHL" in set(found["conversions"]["symbol"])
    assert len(found["fills"]) > 50
    assert len(found["pair_trades"]) > 3


def test_they_are_the_results_own_tables(folder: Path, result: ep.Result, events: ep.Events) -> None:
    found = read_export(folder)
    for name in ("fills", "positions", "cash", "receivables", "contributions", "dropped", "conversions"):
        same(found[name], getattr(result, name))
    same(found["pair_trades"], result.pair_trades)
    same(found["linked_orders"], result.linked_orders)
    same(found["by_leg"], result.by_leg())
    same(found["by_instrument"], result.by_instrument())
    same(found["by_regime"], result.by_regime())
    same(found["by_event"], result.by_event(events))
    pd.testing.assert_series_equal(found["equity"]["equity"], result.equity, check_exact=True)
    pd.testing.assert_series_equal(found["daily"]["equity"], result.daily, check_exact=True)
    pd.testing.assert_series_equal(found["daily"]["returns"].iloc[1:], result.returns, check_exact=True)
    pd.testing.assert_series_equal(found["costs"]["cost"].rename_axis(None), result.costs(), check_exact=True)
    for name, value in result.summary().items():
        assert found["summary"][name].iloc[0] == value or pd.isna(value), name
    path = result.path
    assert path is not None
    states = found["regime_path"]
    assert (states["state"].to_numpy() == path.states).all()
    assert states["state"].dtype == np.int8
    assert (states["regime"] == path.regime.to_numpy()).all()
    np.testing.assert_array_equal(states.iloc[:, 2:].to_numpy(), path.probabilities.to_numpy())
    assert found.provenance == result.provenance
    assert found.label == result.label


def test_the_figures_of_the_summary_follow_from_what_was_read(folder: Path, result: ep.Result) -> None:
    """Worked out from the files alone, by the textbook."""
    found, value = read_export(folder), result.summary()
    returns, excess = (found["daily"][name].dropna().to_numpy() for name in ("returns", "excess"))
    assert len(returns) == len(excess) == value["Sessions"] - 1
    assert value["Sharpe Ratio"] == pytest.approx(
        math.sqrt(252) * excess.mean() / excess.std(ddof=1), rel=1e-12
    )
    assert value["Annualized Volatility [%]"] == pytest.approx(
        100 * math.sqrt(252) * returns.std(ddof=1), rel=1e-12
    )
    level = found["daily"]["equity"].to_numpy()
    drawdown = (level / np.maximum.accumulate(level) - 1).min()
    assert value["Max Drawdown [%]"] == pytest.approx(100 * drawdown, rel=1e-12)
    assert value["Total Return [%]"] == pytest.approx(
        100 * (found["equity"]["equity"].iloc[-1] / 1e7 - 1), rel=1e-12
    )
    assert value["Total Costs"] == pytest.approx(found["costs"]["cost"].sum(), rel=1e-12)
    assert value["Fills"] == len(found["fills"])
    profit = found["contributions"].sum(axis=1)
    change = np.diff(found["equity"]["equity"].to_numpy(), prepend=1e7)
    np.testing.assert_allclose(profit, change, atol=1e-5)
    by_source = found["contributions"].T.groupby(level="source").sum().T.sum()
    np.testing.assert_allclose(found["by_source"]["P&L"], by_source[found["by_source"].index], atol=1e-5)
    traded = found["fills"].groupby("symbol")["quantity"].sum()
    moved = found["conversions"]
    for symbol, held in found["positions"].iloc[-1].items():
        swapped = moved.loc[moved["into"] == symbol, "into_quantity"].sum()
        swapped -= moved.loc[moved["symbol"] == symbol, "quantity"].sum()
        assert held == pytest.approx(traded.get(symbol, 0.0) + swapped, abs=1e-6)


@pytest.mark.parametrize("format", FORMATS)
def test_a_run_without_a_trade_comes_back(idle: ep.Result, format: Any, tmp_path: Path) -> None:
    idle.export(tmp_path / "run", format)
    found = read_export(tmp_path / "run")
    for name, table in tables_of(idle).items():
        same(found[name], table)
    assert "by_regime" not in found
    assert "by_event" not in found
    assert "regime_path" not in found


@pytest.mark.parametrize("format", FORMATS)
def test_a_ruined_run_comes_back(format: Any, tmp_path: Path) -> None:
    days = pd.bdate_range("2024-01-02", periods=6)
    market = ep.Market.from_prices(pd.DataFrame({"A": [10.0, 10, 30, 40, 40, 41]}, index=days))
    ruined = ep.backtest(market, pd.DataFrame({"A": [-1.5]}, index=days[:1]))
    assert ruined.ruined_at is not None
    ruined.export(tmp_path / "run", format)
    found = read_export(tmp_path / "run")
    for name, table in tables_of(ruined).items():
        same(found[name], table)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=12)
FLOATS = st.floats(width=64, allow_nan=True, allow_infinity=True)
TIMES = st.integers(-(2**61), 2**61)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_table_comes_back(data: st.DataObject, tmp_path: Path) -> None:
    """Numbers of every size, text of every kind, times to the nanosecond, and what is missing."""
    rows = data.draw(st.integers(0, 5))

    def column(kind: st.SearchStrategy[Any]) -> list[Any]:
        return data.draw(st.lists(kind, min_size=rows, max_size=rows))

    times = pd.to_datetime(column(TIMES), unit="ns", utc=True).as_unit("ns")
    frame = pd.DataFrame(
        {
            "number": pd.Series(column(FLOATS), dtype="float64"),
            "text": pd.Series(column(TEXT | st.none()), dtype="str"),
            "object": pd.Series(column(TEXT), dtype="object"),
            "whole": pd.Series(column(st.integers(-(2**63), 2**63 - 1)), dtype="int64"),
            "small": pd.Series(column(st.integers(-128, 127)), dtype="int8"),
            "flag": pd.Series(column(st.booleans()), dtype="bool"),
            "moment": pd.Series(times, dtype="datetime64[ns, UTC]"),
            "day": pd.Series(pd.to_datetime(column(st.dates())).as_unit("s"), dtype="datetime64[s]"),
            "length": pd.Series(pd.to_timedelta(column(TIMES), unit="ns"), dtype="timedelta64[ns]"),
            'odd, "name" [%]': pd.Series(column(FLOATS), dtype="float64"),
        }
    )
    if rows:
        frame.loc[0, ["moment", "day", "length"]] = pd.NaT
    if data.draw(st.booleans()):
        frame = frame.set_index(data.draw(st.sampled_from(["text", "whole", "moment", "day"])))
    format = data.draw(st.sampled_from(FORMATS))
    write_tables(
        tmp_path, {"table": frame}, format=format, label="", provenance={}, base_currency="USD"
    )  # fmt: skip
    same(read_export(tmp_path)["table"], frame)


def test_an_index_by_the_name_of_a_column_comes_back(tmp_path: Path) -> None:
    frame = pd.DataFrame({"time": [1.0, 2.0], "index": [3.0, 4.0]}, index=pd.Index(["a", "b"], name="time"))
    for table in (frame, frame.rename_axis(None), frame.iloc[:, :0]):
        write_tables(tmp_path, {"t": table}, format="csv", label="", provenance={}, base_currency="USD")
        same(read_export(tmp_path)["t"], table)


def test_long_text_of_many_lines_comes_back(tmp_path: Path) -> None:
    """More than the reader takes at once, with ends of lines wherever it may cut."""
    frame = pd.DataFrame({"text": ["\n".join([f'"{i}",'] * 20) for i in range(20_000)]})
    write_tables(tmp_path, {"t": frame}, format="csv", label="", provenance={}, base_currency="USD")
    same(read_export(tmp_path)["t"], frame)


def test_types_that_not_every_tool_has_become_text(tmp_path: Path) -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["a", "b", "a"]), "o": [(1, 2), None, 3.5]})
    write_tables(tmp_path, {"t": frame}, format="parquet", label="", provenance={}, base_currency="USD")
    found = read_export(tmp_path)["t"]
    assert found["c"].tolist() == ["a", "b", "a"]
    assert found["o"].iloc[0] == "(1, 2)"
    assert pd.isna(found["o"].iloc[1])


# -- what other tools read -----------------------------------------------------------------------------------


def test_plain_readers_read_the_files(result: ep.Result, events: ep.Events, tmp_path: Path) -> None:
    """The csv module, and pandas without being told anything: one head, ISO times in UTC."""
    result.export(tmp_path, events=events)
    with (tmp_path / "fills.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(result.fills)
    for row, (_, fill) in zip(rows, result.fills.iterrows(), strict=True):
        assert row["time"] == f"{fill['time']:%Y-%m-%dT%H:%M:%SZ}"
        assert row["session"] == f"{fill['session']:%Y-%m-%d}"
        assert float(row["price"]) == fill["price"]
        assert row["estimated"] == str(fill["estimated"]).lower()
    equity = pd.read_csv(tmp_path / "equity.csv", index_col="time", parse_dates=["time"])
    np.testing.assert_array_equal(equity["equity"], result.equity)
    assert (equity.index == result.equity.index).all()
    head = (tmp_path / "contributions.csv").read_text("utf-8").splitlines()[0]
    columns = next(csv.reader([head]))
    assert columns[0] == "time"
    assert [tuple(name.split(":", 1)) for name in columns[1:]] == list(result.contributions.columns)
    assert any(name.endswith(":cash:USD") for name in columns)


def test_parquet_readers_read_the_files(result: ep.Result, tmp_path: Path) -> None:
    result.export(tmp_path, format="parquet")
    fills = pd.read_parquet(tmp_path / "fills.parquet")
    assert fills["time"].dt.tz is not None
    np.testing.assert_array_equal(fills["notional"], result.fills["notional"])


def test_the_manifest_describes_every_file(folder: Path, result: ep.Result) -> None:
    told = json.loads((folder / MANIFEST).read_text("utf-8"))
    assert told["kind"] == "entrepot export"
    assert told["version"] == 1
    assert told["provenance"] == result.provenance
    files = {one["file"] for one in told["tables"].values()}
    assert files | {MANIFEST} == {file.name for file in folder.iterdir()}
    for name, one in told["tables"].items():
        data = (folder / one["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == one["sha256"]
        assert one["rows"] == len(tables_of(result, ep.load_events())[name])
        assert all(column["unit"] for column in one["columns"])
    units = {
        (name, column["column"]): column["unit"]
        for name, one in told["tables"].items()
        for column in one["columns"]
    }
    assert units["equity", "equity"] == "USD"
    assert units["daily", "excess"] == "fraction"
    assert units["fills", "fx"] == "USD per unit of local currency"
    assert units["fills", "stamp_duty"] == "local currency"
    assert units["fills", "time"] == "UTC"
    assert units["fills", "session"] == "session date"
    assert units["cash", "HKD"] == "HKD"
    assert units["positions", "BABA"] == "shares"
    assert units["contributions", "price:BABA"] == "USD"
    assert units["summary", "Max Drawdown [%]"] == "%"
    assert units["summary", "Borrow Paid"] == "USD"
    assert units["summary", "Period"] == "duration"
    assert units["by_regime", "P&L [%]"] == "%"
    assert units["pair_trades", "net [%]"] == "% of equity before"


def test_an_export_shows_what_it_has(folder: Path) -> None:
    found = read_export(folder)
    assert repr(found).startswith("Export('simulated market, seed 7': equity, daily, fills")
    assert "fills" in found
    assert "nothing" not in found
    with pytest.raises(ParameterError, match="'nothing' is no table of this export: it has equity, daily"):
        found["nothing"]


# -- what is refused when read -------------------------------------------------------------------------------


@pytest.fixture
def small(idle: ep.Result, tmp_path: Path) -> Path:
    return idle.export(tmp_path / "run")


def refused(folder: object, words: str, kind: type[EntrepotError] = DataError) -> None:
    with pytest.raises(kind, match=words) as error:
        read_export(folder)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def resealed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest as somebody would who knows how it is sealed."""
    told = json.loads((folder / MANIFEST).read_text("utf-8"))
    del told["sha256"]
    change(told)
    (folder / MANIFEST).write_text(json.dumps(told | {"sha256": seal(told)}), "utf-8")


@pytest.mark.parametrize("given", [None, 3, b"run", ["run"]])
def test_what_is_no_folder_is_refused(given: Any) -> None:
    refused(given, "^the folder is .*: give the folder that result.export wrote", ParameterError)


def test_a_folder_that_is_no_export_is_refused(small: Path, tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "is no folder", ParameterError)
    refused(small / "equity.csv", "is no folder", ParameterError)
    refused(tmp_path, f"holds no {MANIFEST}")
    (tmp_path / MANIFEST).mkdir()
    refused(tmp_path, "cannot be read, it is no plain file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.parametrize("name", [MANIFEST, "equity.csv"])
def test_a_pipe_is_not_waited_for(small: Path, name: str) -> None:
    (small / name).unlink()
    os.mkfifo(small / name)
    refused(small, f"{name} cannot be read, it is no plain file")


@pytest.mark.parametrize("format", FORMATS)
def test_a_label_that_no_encoding_holds_comes_back(idle: ep.Result, format: Any, tmp_path: Path) -> None:
    """Such as the name of a folder that is not in UTF-8; the market shows what cannot be seen as escapes."""
    label = os.fsdecode(b"prices loaded from caf\xe9 \x00")
    run = replace(idle, market=replace(idle.market, label=label))
    found = read_export(run.export(tmp_path / "run", format))
    assert found.label == r"prices loaded from caf\udce9 \x00"
    assert found.provenance == run.provenance
    assert (tmp_path / "run" / MANIFEST).read_bytes().isascii()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is damaged, it is no JSON"),
        (b"\xff\xfe\x00", "is damaged, it is no JSON"),
        (b"{", "is damaged, it is no JSON"),
        (b"[" * 100_000, "is damaged, it is no JSON"),
        (b"[]", "is no manifest of an export"),
        (b"3", "is no manifest of an export"),
        (b'{"name": "extension", "version": 1}', "is no manifest of an export"),
        (b'{"kind": "entrepot export", "version": 2}', "has the format version 2 and this version"),
        (b'{"kind": "entrepot export"}', "has the format version None"),
        (b'{"kind": "entrepot export", "version": 1}', "has been edited"),
    ],
)
def test_a_manifest_that_is_none_is_refused(small: Path, content: bytes, words: str) -> None:
    (small / MANIFEST).write_bytes(content)
    refused(small, words)


def test_an_edited_manifest_is_refused(small: Path) -> None:
    text = (small / MANIFEST).read_text("utf-8")
    (small / MANIFEST).write_text(text.replace('"Trials": "1', '"Trials": "0'), "utf-8")
    refused(small, "has been edited since it was written: export the run again")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["equity", "fills", "summary"])
def test_damaged_edited_and_missing_files_are_refused(
    idle: ep.Result, format: Any, name: str, tmp_path: Path
) -> None:
    file = idle.export(tmp_path / "run", format) / f"{name}.{format}"
    data = file.read_bytes()
    for other in (data[:-1], data + b"\n", b"", data[:9] + bytes([data[9] ^ 1]) + data[10:]):
        file.write_bytes(other)
        refused(file.parent, f"{name}.{format} is damaged or has been edited")
    file.unlink()
    refused(file.parent, f"{name}.{format} is missing: export the run again")
    file.mkdir()
    refused(file.parent, f"{name}.{format} cannot be read, it is no plain file")


@pytest.mark.parametrize(
    "name",
    ["../equity.csv", "/etc/passwd", "a/equity.csv", "equity.csv/../../x", "", "EQUITY.csv", "fills.csv",
     "equity.csv\n", "equity.pkl", 3, None, ["equity.csv"], "C:\\equity.csv"],
)  # fmt: skip
def test_files_outside_and_of_other_names_are_refused(small: Path, name: Any) -> None:
    (small.parent / "equity.csv").write_text("secret")
    resealed(small, lambda told: told["tables"]["equity"].update(file=name))
    refused(small, "names a file or a type that no export has")


def equity(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Change what is said of the table of equity."""
    return lambda told: told["tables"]["equity"].update(changes)


def level(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Change what is said of its only column."""
    return lambda told: told["tables"]["equity"]["columns"][0].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.update(tables=[]),
        lambda told: told.update(tables={"equity": None}),
        lambda told: told["tables"]["equity"].pop("columns"),
        equity(columns=3),
        equity(rows=True),
        equity(rows="3"),
        equity(levels=[]),
        equity(names_type="complex"),
        equity(index=[1]),
        equity(index=[{"column": "time", "type": "datetime64[ns, UTC]"}]),
        equity(index=2 * [{"name": None, "column": "time", "type": "str"}]),
        level(type="object_"),
        level(type="pickle"),
        level(column=3),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(small: Path, change: Any) -> None:
    resealed(small, change)
    refused(small, "names a file or a type that no export has")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (equity(rows=1), "has other columns or rows"),
        (equity(columns=2 * [{"column": "equity", "type": "float64"}]), "has other columns or rows"),
        (level(column="other"), "has other columns or rows"),
        (level(type="int64"), "cannot be read as manifest"),
        (level(type="datetime64[ns]"), "cannot be read as manifest"),
        (level(type="timedelta64[ns]"), "cannot be read as manifest"),
        (equity(levels=["a", "b"]), "cannot be read as manifest"),
        (equity(names_type="float64"), "cannot be read as manifest"),
        (lambda told: told.pop("provenance"), "says nothing of where the run came from"),
        (lambda told: told["provenance"].update(Plan=[1]), "says nothing of where the run came from"),
        (lambda told: told.update(label=None), "says nothing of where the run came from"),
    ],
)
def test_a_manifest_that_does_not_fit_its_files_is_refused(small: Path, change: Any, words: str) -> None:
    resealed(small, change)
    refused(small, words)


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_with_the_right_seal_and_wrong_content_is_refused(
    idle: ep.Result, format: Any, tmp_path: Path
) -> None:
    folder = idle.export(tmp_path / "run", format)
    for line in (b"\0\1\2", b'"yesterday",1\n', b'"2021-01-04T01:00:00Z"\n'):
        data = b'"time","equity"\n' + line
        (folder / f"equity.{format}").write_bytes(data)
        resealed(folder, equity(sha256=hashlib.sha256(data).hexdigest()))
        refused(folder, f"equity.{format} (cannot be read as|has other columns)")


def test_nothing_is_unpickled() -> None:
    text = Path(export.__file__).read_text("utf-8")
    assert "pickle" not in text
    assert "eval(" not in text


# -- what is left in the folder ------------------------------------------------------------------------------


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_an_export_in_the_folder_is_replaced_whole(
    result: ep.Result, idle: ep.Result, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "fills.xlsx").write_text("mine too")
    result.export(tmp_path, "csv", events=ep.load_events())
    assert "by_event.csv" in names(tmp_path)
    idle.export(tmp_path, "parquet")
    found = read_export(tmp_path)
    same(found["equity"], idle.equity.to_frame())
    wanted = {f"{name}.parquet" for name in tables_of(idle)}
    assert names(tmp_path) == wanted | {MANIFEST, "notes.txt", "fills.xlsx"}
    assert (tmp_path / "notes.txt").read_text() == "mine"
    idle.export(tmp_path, "csv")
    assert not any(name.endswith(".parquet") for name in names(tmp_path))
    read_export(tmp_path)


@pytest.mark.parametrize("name", ["fills.csv", MANIFEST])
def test_files_of_others_are_not_written_over(idle: ep.Result, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text('{"name": "of something else"}')
    with pytest.raises(ParameterError, match=rf"{name} is .*: move it away, or give another folder") as error:
        idle.export(tmp_path)
    assert "\n" not in str(error.value)
    assert names(tmp_path) == {name}
    assert "something else" in (tmp_path / name).read_text()


def test_what_a_manifest_names_is_only_removed_where_it_is_an_exports(
    idle: ep.Result, tmp_path: Path
) -> None:
    folder = idle.export(tmp_path / "run")
    (folder / "thesis.csv").write_text("years of work")
    resealed(folder, lambda told: told["tables"]["equity"].update(file="thesis.csv"))
    with pytest.raises(ParameterError, match="is not of an export that can"):
        idle.export(folder, "parquet")
    assert (folder / "thesis.csv").read_text() == "years of work"


@pytest.mark.parametrize("given", [None, 3, "", b"x", "a\0b"])
def test_what_is_no_path_is_refused(idle: ep.Result, given: Any) -> None:
    with pytest.raises(ParameterError, match=r"^the path is .*: give a folder"):
        idle.export(given)


@pytest.mark.parametrize("given", ["xlsx", "CSV", None, 3, ["csv"]])
def test_what_is_no_format_is_refused(idle: ep.Result, given: Any, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r'^format is .*: give "csv" or "parquet"'):
        idle.export(tmp_path / "run", given)
    assert not list(tmp_path.iterdir())


def test_a_file_or_a_folder_in_the_way_is_refused(idle: ep.Result, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ParameterError, match="is a file: give the name of a folder"):
        idle.export(tmp_path / "file")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "cash.csv").mkdir()
    with pytest.raises(ParameterError, match="is a folder, not a file"):
        idle.export(tmp_path / "run")
    assert names(tmp_path / "run") == {"cash.csv"}


def test_a_folder_that_may_not_be_written_to_is_refused(
    idle: ep.Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*args: object, **options: object) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("entrepot.files._open_staging", denied)
    with pytest.raises(ParameterError, match=r"cannot be written \(Permission denied\)"):
        idle.export(tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fails_at", [0, 3, 16])
@pytest.mark.parametrize("kind", ["disk full", "ctrl-c"])
@pytest.mark.parametrize("there", [False, True])
def test_nothing_is_left_half_written(
    idle: ep.Result, fails_at: int, kind: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file it is that cannot be written, what was there before is there again."""
    folder = tmp_path / "run"
    if there:
        idle.export(folder, "csv")
    before = {file.name: file.read_bytes() for file in folder.iterdir()} if there else {}
    write, count = Path.write_bytes, [0]

    def failing(self: Path, data: bytes) -> int:
        count[0] += 1
        if count[0] > fails_at:
            if kind == "ctrl-c":
                raise KeyboardInterrupt
            write(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", failing)
    stop = KeyboardInterrupt if kind == "ctrl-c" else ParameterError
    with pytest.raises(stop) as error:
        idle.export(folder, "csv")
    if kind == "disk full":
        assert "cannot be written (No space left on device)" in str(error.value)
        assert "\n" not in str(error.value)
    monkeypatch.undo()
    if there:
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
        read_export(folder)
    else:
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", [False, True])
def test_a_move_that_is_cut_short_is_noticed_and_mended(
    idle: ep.Result, result: ep.Result, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of two runs are never taken for one, and exporting again puts things right."""
    folder = tmp_path / "run"
    if there:
        idle.export(folder, "csv")
    moves, count = os.replace, [0]

    def stopping(source: object, target: object) -> None:
        count[0] += 1
        if count[0] == 4:
            raise KeyboardInterrupt
        moves(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", stopping)
    with pytest.raises(KeyboardInterrupt):
        result.export(folder, "csv")
    monkeypatch.undo()
    refused(folder, "is damaged or has been edited" if there else "is missing: export the run again")
    result.export(folder, "csv")
    read_export(folder)


def test_an_old_file_that_cannot_be_removed_is_told(
    idle: ep.Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = idle.export(tmp_path / "run", "csv")

    def denied(self: Path, missing_ok: bool = False) -> None:
        if self.suffix == ".csv":
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "unlink", denied)
    with pytest.raises(ParameterError, match="is of the export before and cannot be removed"):
        idle.export(folder, "parquet")
    monkeypatch.undo()
    read_export(folder)


def test_reading_opens_nothing_outside_the_folder(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    opening = export.open_plain

    def noting(file: Path) -> BinaryIO:
        opened.append(file)
        return opening(file)

    monkeypatch.setattr(export, "open_plain", noting)
    read_export(small)
    assert {file.parent for file in opened} == {small}
