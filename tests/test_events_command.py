"""``entrepot events``: what it lists, in any width, and what it says of a file of one's own."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

import entrepot as ep
from entrepot.cli import main
from entrepot.commands.events import columns_of, fitted, table

ALL = len(ep.load_events())
HEADER = "event_id,announced_at,channel,direction,severity,title,drop"
MINE = [
    'desk-note,2024-05-01,tariff,1,3,"Our desk, on tariffs: 关税 é",',
    "s301-memo,2018-03-23,tariff,1,2,Memorandum,",
    "s232-steel-alum,,,,,,1",
]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([HEADER, *MINE, ""]), encoding="utf-8")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.csv"
    rows = [f"e{i},2024-05-01,taxes,1,3,x," for i in range(9)]
    path.write_text("\n".join([HEADER, *MINE, *rows, ""]), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["events", *arguments]) == 0
    out = capsys.readouterr()
    assert out.err == ""
    return out.out.splitlines()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["events", *arguments]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    return out.err


def test_all_events_one_a_line_the_newest_last(capsys):
    lines = listed(capsys)
    assert len(lines) == ALL + 2
    assert lines[0].split()[:4] == ["2018-03-08", "tariff", "+2", "s232-steel-alum"]
    assert lines[-1].startswith(f"{ALL} events: ")


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["--channel", "delisting"], {"channel": "delisting"}),
        (["--channel", "tariff", "--channel", "sanction"], {"channel": ["tariff", "sanction"]}),
        (["--direction", "relief", "--severity", "3"], {"direction": "relief", "severity": 3}),
        (["--core", "--affected", "adr"], {"core": True, "affected": "adr"}),
        (["--from", "2025-04-01", "--to", "2025-05-31"], {"between": ("2025-04-01", "2025-05-31")}),
        (["--to", "2019-01-01"], {"between": (None, "2019-01-01")}),
        (["--search", "pcaob rule"], {"search": "pcaob rule"}),
    ],
)
def test_its_words_are_those_of_where(capsys, arguments, asked):
    expected = ep.load_events().where(**asked).frame["event_id"].tolist()
    assert expected
    lines = listed(capsys, *arguments)[:-2]
    assert [next(word for word in line.split()[3:] if word != "*") for line in lines] == expected
    assert "\n".join(listed(capsys, *arguments, "--csv")).count("events 1") == len(expected)


def test_known_by_is_a_moment(capsys):
    assert len(listed(capsys, "--known-by", "2018-03-22T16:45Z")) == 2 + 2
    assert "a moment with a UTC offset" in refused(capsys, "--known-by", "2018-03-22")


def test_nothing_found_is_said(capsys):
    assert listed(capsys, "--search", "zzzz") == ["no events"]
    assert len(listed(capsys, "--search", "zzzz", "--csv")) == 1  # the header


def test_files_are_merged_or_alone(capsys, mine, tmp_path):
    merged = listed(capsys, "--file", str(mine))
    assert len(merged) == ALL + 2
    assert any("Our desk, on tariffs: 关税 é" in line for line in merged)
    assert not any("s232-steel-alum" in line for line in merged)
    own = tmp_path / "own.csv"
    own.write_text("\n".join([HEADER, *MINE[:2], ""]), encoding="utf-8")
    assert len(listed(capsys, "--file", str(own), "--only")) == 2 + 2
    assert len(
        listed(capsys, "--file", str(own), "--file", str(mine), "--channel", "tariff", "--to", "2018-03-23")
    )
    assert "--only needs --file" in refused(capsys, "--only")


def test_csv_loads_back_to_the_same_events(capsys, mine, tmp_path):
    main(["events", "--file", str(mine), "--severity", "2", "--csv"])
    path = tmp_path / "again.csv"
    path.write_bytes(capsys.readouterr().out.encode())
    expected = ep.load_events(mine).where(severity=2).frame
    pd.testing.assert_frame_equal(ep.load_events(path, replace=True).frame, expected)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--severity", "9"], "severity is 9"),
        (["--from", "1/2/2024"], "is not a date that can be read in one way only"),
        (["--from", "2024-02-01", "--to", "2024-01-01"], "before it begins"),
        (
            ["--file", "absent.csv"],
            "absent.csv' cannot be read as a table of events (No such file or directory); give",
        ),
        (["--search", ""], "search is ''"),
        (["--from", ""], "'' is not a date"),
        (["--to", "", "--from", "2024-02-01"], "'' is not a date"),
        (["--affected", "ADR"], "did you mean adr? use all, adr, hk, or sector: and a word"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_two(capsys, arguments, words):
    text = refused(capsys, *arguments)
    assert words in text
    assert text.startswith("entrepot: ")


@pytest.mark.parametrize("arguments", [["--channel", "tarif"], ["--direction", "up"], ["--severity", "x"]])
def test_words_that_are_no_choice_are_refused_by_the_parser(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(["events", *arguments])
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_help_fits_eighty_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in (["events", "--help"], ["events", "check", "--help"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        text = capsys.readouterr().out
        assert max(map(len, text.splitlines())) <= 80
        assert "check" in text


# -- check -------------------------------------------------------------------------------------------------


def test_check_says_what_a_file_adds_overrides_and_drops(capsys, mine):
    assert listed(capsys, "check", str(mine)) == [
        "mine.csv: 2 events, every row can be used.",
        "adds 1:", "  desk-note", "overrides 1:", "  s301-memo", "drops 1:", "  s232-steel-alum",
    ]  # fmt: skip


def test_check_of_the_calendar_itself_overrides_all(capsys, tmp_path):
    ep.load_events().save(tmp_path / "all.csv")
    lines = listed(capsys, "check", str(tmp_path / "all.csv"))
    assert lines[1:3] == ["adds 0", f"overrides {ALL}:"]
    assert lines[-1] == "drops 0"


def test_check_lists_every_bad_row(capsys, bad):
    lines = refused(capsys, "check", str(bad)).splitlines()
    assert lines[0] == "entrepot: bad.csv has 9 rows that cannot be used:"
    assert [line.split("(")[1].split(")")[0] for line in lines[1:]] == [f"e{i}" for i in range(9)]
    assert lines[1].startswith("  row 5 (e0): unknown channel 'taxes'; use one of tariff")
    listing = refused(capsys, "--file", str(bad)).splitlines()
    assert (len(listing), listing[-1]) == (7, "  and 4 more.")


def test_check_of_one_bad_row_and_of_no_file(capsys, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text(f"{HEADER}\na,,tariff,1,3,x,\n")
    assert "one.csv has 1 row that cannot be used:" in refused(capsys, "check", str(path))
    assert "cannot be read as a table of events" in refused(capsys, "check", str(tmp_path / "absent.csv"))


# -- the terminal ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 80, 99, 100, 140, 200])
def test_no_line_is_wider_than_the_terminal(mine, width):
    lines = table(ep.load_events(mine), width).splitlines()
    assert max(map(columns_of, lines)) <= width
    assert len(lines) == ALL + (2 if width >= 100 else 3)
    assert ("desk-note" in "\n".join(lines)) == (width >= 100)


def test_where_output_is_no_terminal_titles_are_whole(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    longest = max(ep.load_events().frame["title"], key=len)
    assert any(line.endswith(longest) for line in listed(capsys))


@pytest.mark.parametrize("room", [20, 21, 30])
@pytest.mark.parametrize(
    "text", ["plain words that are too long to fit", "关税上升的风险关税上升的风险", "e\u0301" * 40, "a"]
)
def test_text_is_cut_by_what_it_takes_on_screen(text, room):
    cut = fitted(text, room)
    assert columns_of(cut) <= room
    assert cut == unicodedata.normalize("NFC", text) or cut == text or cut.endswith("...")
    assert columns_of(cut) >= min(room - 4, columns_of(text))


def test_letters_of_east_asia_take_two_columns_and_accents_none():
    assert [columns_of(text) for text in ("tax", "关税", "e\u0301", "é", "\uff54")] == [3, 4, 1, 1, 2]
    assert fitted("关税上升的风险关税上升的风险", 20) == "关税上升的风险关..."


def test_nothing_that_steers_a_terminal_is_written(capsys, tmp_path):
    path = tmp_path / "odd.csv"
    nasty = "\x1b]0;title\x07 \x1b[31mred \x9b2J \u202eright to left\u200b \r\n back \x08\x08"
    path.write_bytes(f'{HEADER}\n"e\x1b[2J",2024-05-01,tariff,1,3,"{nasty}",\n'.encode())
    for arguments in (["--file", str(path)], ["check", str(path)]):
        assert_plain(refused(capsys, *arguments))
    # Direction marks and blanks without width are text, and shown by their code.
    path.write_bytes(f'{HEADER}\nodd,2024-05-01,tariff,1,3,"a\u202eb\u200bc\nd",\n'.encode())
    lines = listed(capsys, "--file", str(path), "--only")
    assert_plain("\n".join(lines))
    assert r"a\u202eb\u200bc d" in lines[0]
    frame = ep.load_events(path, replace=True).frame.assign(title="\x1b[31mred", event_id="e\x9bx")
    assert_plain(table(ep.Events(frame), 140))
    odd_name = tmp_path / "a\x1b[31m.csv"
    odd_name.write_text("x")
    assert_plain(refused(capsys, "check", str(odd_name)))
    assert_plain(refused(capsys, "--file", str(tmp_path / "no\x1b[31m.csv")))


def assert_plain(text: str) -> None:
    assert all(line.isprintable() for line in text.splitlines())


def test_the_page_shows_what_the_command_writes(capsys, monkeypatch, tmp_path):
    """Three dots stand for anything."""
    page = (Path(__file__).parents[1] / "docs" / "own-tables.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(re.search(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1], {})
    capsys.readouterr()
    console = re.search(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
    shown = re.split(r"^\$ entrepot (.*)\n", console, flags=re.MULTILINE)[1:]
    assert len(shown) == 2 * 3
    for command, output in zip(shown[::2], shown[1::2], strict=True):
        assert main(shlex.split(command)) == 0
        assert doctest.OutputChecker().check_output(output, capsys.readouterr().out, doctest.ELLIPSIS)


def run(arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = f'"{sys.executable}" -m entrepot events {arguments}'
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        env=os.environ | environment,
        check=False,
    )


@pytest.mark.parametrize("arguments", [["--csv"], [], ["check", "mine.csv"]])
def test_whoever_stops_reading_ends_it_quietly(mine, arguments):
    command = [sys.executable, "-m", "entrepot", "events", *arguments]
    with subprocess.Popen(command, cwd=mine.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as done:
        done.stdout.close()  # before anything is written
        told = done.stderr.read()
    assert (done.returncode, told) == (0, b"")


def test_letters_that_the_terminal_cannot_write_are_question_marks(mine):
    plain = run(f'--file "{mine}" --search desk', PYTHONIOENCODING="ascii", COLUMNS="140")
    assert plain.returncode == 0
    assert b"Our desk, on tariffs: ?? ?" in plain.stdout
    piped = run(f'--file "{mine}" --search desk --csv', PYTHONIOENCODING="ascii")
    assert "关税 é" in piped.stdout.decode("utf-8")


def test_output_that_cannot_be_written_is_told_and_closed_output_is_none_wanted():
    full = run("--severity 5 > /dev/full")
    assert full.returncode == 2
    assert full.stderr.startswith(b"entrepot: the output cannot be written (No space left on device)")
    assert full.stderr.count(b"\n") == 1
    closed = run("--severity 5 >&-")
    assert (closed.returncode, closed.stderr) == (0, b"")
