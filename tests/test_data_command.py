"""``entrepot data check``: what it prints, its exit code, and that no file steers the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from price_folders import closes, fixings, write

import entrepot as ep
from entrepot.cli import main
from entrepot.markets.checks.words import WIDTH
from entrepot.markets.data_check import check_data

FUND = ("KWEB", "FXI", "MCHI", "ASHR", "CQQQ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Funds of a quarter whose closes are whole cents."""
    files = {}
    for seed, symbol in enumerate(FUND):
        frame = closes("XNYS", "2022-01-04", "2022-06-30", seed=seed)
        files[symbol] = frame.round({"Open": 2, "Close": 2})
    return write(tmp_path / "prices", files)


def spoil(folder: Path, *symbols: str) -> None:
    for symbol in symbols:
        (folder / f"{symbol}.csv").write_text("Date,Close\n2022-01-04,x\n")


def test_a_good_folder_is_said_to_be_good(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("prices: 5 lines, 0 pairs; findings: 0 stops, 0 wrong, 0 look\n")
    assert "ends='error'  2022-01-04 to 2022-06-30, 5 lines, 0 pairs" in out
    assert out.endswith("\nNothing looks wrong.\n")
    assert all(len(line) <= WIDTH for line in out.splitlines())


def test_what_another_way_to_end_is_refused_for_is_said_where_it_differs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closes("XNYS", "2022-01-04", "2022-05-31").to_csv(folder / "FXI.csv", index=False)
    closes("XHKG", "2022-01-04", "2022-06-30").to_csv(folder / "0700.HK.csv", index=False)
    rates = pd.Series(7.8, pd.bdate_range("2022-01-03", "2022-06-10", name="Date"), name="Close")
    rates.to_csv(folder / "HKD=X.csv")
    assert main(["data", "check", str(folder)]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "ends='error' refused ends='drop' refused: HKD=X.csv ends 2022-06-10 and the market" in out


def test_one_file_of_all_symbols_is_checked_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = [pd.read_csv(path).assign(symbol=path.stem) for path in folder.glob("*.csv")]
    pd.concat(frames).to_csv(folder.parent / "all.csv", index=False)
    assert main(["data", "check", str(folder.parent / "all.csv")]) == 0
    assert "all.csv: 5 lines" in capsys.readouterr().out


def test_what_stops_comes_first_and_few_of_a_kind_are_listed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder, "KWEB", "FXI", "MCHI", "ASHR")
    (folder / "notes.txt").write_text("mine")
    assert main(["data", "check", str(folder)]) == 1
    out = capsys.readouterr().out
    assert out.index("STOPS  load_market refuses it") < out.index("LOOK  unusual, may be right")
    assert out.count("it must be a number or blank") == 4  # three listed and the refusal above
    assert "    and 1 more\n" in out
    assert main(["data", "check", str(folder), "--all"]) == 1
    out = capsys.readouterr().out
    assert out.count("it must be a number or blank") == 5
    assert "more\n" not in out
    assert all(len(line) <= WIDTH for line in out.splitlines())


def test_remarks_alone_are_no_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "notes.txt").write_text("mine")
    assert main(["data", "check", str(folder)]) == 0
    assert "not read (1)" in capsys.readouterr().out


def test_ends_is_what_one_will_load_with(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv(folder / "KWEB.csv")
    frame[frame["Date"] < "2022-05-01"].to_csv(folder / "KWEB.csv", index=False)
    assert main(["data", "check", str(folder)]) == 1
    assert "does not load: prices end before the market's end" in capsys.readouterr().out
    for ends in ("cut", "drop"):
        assert main(["data", "check", str(folder), "--ends", ends]) == 0
        assert "does not load" not in capsys.readouterr().out


def test_everything_can_be_had_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder, "KWEB")
    assert main(["data", "check", str(folder), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    check = check_data(folder)
    assert said["refusal"] == check.refusal
    assert said["loads"] is False
    assert said["counts"] == {"stops": 1, "wrong": 0, "look": 0}
    (finding,) = said["findings"]
    assert (finding["kind"], finding["symbol"], finding["first"]) == ("unreadable file", "KWEB", "2022-01-04")
    assert {row["symbol"]: row["first"] for row in said["symbols"]} == {
        "KWEB": None,
        **dict.fromkeys(FUND[1:], "2022-01-04"),
    }


@pytest.mark.parametrize(
    "arguments", [["nowhere"], ["prices", "--start", "soon"], ["prices", "--start", "2030-01-01"]]
)
def test_what_cannot_be_checked_is_one_sentence(
    arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert main(["data", "check", *arguments]) in (1, 2)
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert len(err.splitlines()) == (0 if arguments[-1] == "2030-01-01" else 1)


def test_names_and_cells_do_not_steer_the_terminal(
    folder: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    for name in ("EVIL", "E\x1b[31mVIL", "A\rB", "\u202egnp"):
        (folder / f"{name}.csv").write_text("Date,Close\n2022-01-04,\x1b[2Jx\n", encoding="utf-8")
    (folder / "new\nline.txt").write_text("mine")
    assert main(["data", "check", str(folder), "--all"]) == 1
    out = capsysbinary.readouterr().out
    assert b"\\x1b[2Jx" in out
    for byte in (b"\x1b", b"\r", "\u202e".encode()):
        assert byte not in out
    assert b"new\nline" not in out
    assert main(["data", "check", str(folder), "--json"]) == 1
    assert b"\x1b" not in capsysbinary.readouterr().out


def test_a_reader_that_stops_ends_it_quietly(folder: Path) -> None:
    command = f'"{sys.executable}" -m entrepot data check "{folder}" | head -1'
    run = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert run.stdout.startswith("prices: 5 lines")
    assert run.stderr == ""


def test_a_pair_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    market = ep.simulate_market("2020-01-02", "2020-06-30", symbols=["BABA", "9988.HK"], phases=("close",))
    files = {
        symbol: pd.DataFrame({"Date": market.grid["session"], "Close": price.to_numpy()}).dropna()
        for symbol, price in market.price.items()
    }
    write(tmp_path / "prices", {**files, "HKD=X": fixings("2020-01-02", "2020-06-30")})
    assert main(["data", "check", str(tmp_path / "prices")]) == 0
    out = capsys.readouterr().out
    assert [line.split()[:4] for line in out.splitlines() if line.startswith("BABA")] == [
        ["BABA", "Alibaba", "Group", "NY"],
        ["BABA", "9988.HK", "Alibaba", "Group"],
    ]
    assert "HKD=X     rate" in out
