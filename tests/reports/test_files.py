"""Files are written whole or not at all, and refused in one sentence before any work."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import doubles
import pytest

from entrepot.errors import ParameterError
from entrepot.files import all_or_none, write_whole
from entrepot.reports import report, tear_sheet


@pytest.mark.parametrize("write", [report, tear_sheet])
@pytest.mark.parametrize("bad", [None, 3, "", " ", b"a.html", "a\0b.html"])
def test_what_is_no_path_is_refused(write, bad, ledger):
    if write is tear_sheet and bad is None:
        return  # only draws
    with pytest.raises(ParameterError, match=r"^the path is .* give a file name ending in"):
        write(ledger, bad)


@pytest.mark.parametrize(("write", "suffix"), [(report, ".html"), (tear_sheet, ".png")])
def test_a_target_that_cannot_be_is_refused(write, suffix, ledger, tmp_path):
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / "file").write_text("in the way")
    for target, words in (
        (tmp_path, "is a folder"),
        (tmp_path / f"folder{suffix}", "is a folder"),
        (tmp_path / "a.txt", f"ending in {suffix}"),
        (tmp_path / "no" / f"a{suffix}", "does not exist"),
        (tmp_path / "file" / f"a{suffix}", "is a file"),
        (tmp_path / f"{'x' * 300}{suffix}", "cannot be written"),
    ):
        with pytest.raises(ParameterError, match=words) as refused:
            write(ledger, target)
        assert "\n" not in str(refused.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", f"folder{suffix}"]


def test_a_long_but_legal_name_is_written(tmp_path):
    name = "x" * 240 + ".html"
    assert report(doubles.from_equity([100, 101, 102]), tmp_path / name).is_file()


def test_a_link_is_kept_and_an_older_file_hands_on_who_may_read_it(tmp_path):
    kept, link, new = tmp_path / "kept.csv", tmp_path / "link.csv", tmp_path / "new.csv"
    kept.write_text("older")
    kept.chmod(0o600)
    link.symlink_to("kept.csv")
    for path in (link, new):
        write_whole(path, lambda target: target.write(b"newer"))
    assert link.is_symlink()
    assert kept.read_text() == new.read_text() == "newer"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(new.stat().st_mode) & 0o400
    link.unlink()
    link.symlink_to("no/kept.csv")
    with pytest.raises(ParameterError, match="cannot be written"):
        write_whole(link, lambda target: target.write(b"newer"))
    assert {path.name for path in tmp_path.iterdir()} == {"kept.csv", "link.csv", "new.csv"}


def test_a_pipe_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ParameterError, match="is no ordinary file"):
        write_whole(tmp_path / "pipe.csv", lambda target: target.write(b"x"))
    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]


def test_tables_that_are_no_frames_are_refused(ledger, tmp_path):
    with pytest.raises(ParameterError, match="sensitivity is of type list"):
        report(ledger, tmp_path / "a.html", sensitivity=[1])
    with pytest.raises(ParameterError, match="mapping of titles to DataFrames"):
        report(ledger, tmp_path / "a.html", extra={"a": 1})
    assert not list(tmp_path.iterdir())


def fill(staging: Path) -> None:
    for name in ("a", "b"):
        (staging / name).write_text("new")


def test_files_appear_together(tmp_path):
    (tmp_path / "a").write_text("old")
    with all_or_none(tmp_path, ["a", "b"]) as staging:
        fill(staging)
        assert (tmp_path / "a").read_text() == "old"
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "new", "b": "new"}


def test_nothing_is_left_where_the_block_fails(tmp_path):
    def stopped() -> None:
        with all_or_none(tmp_path / "deep" / "er", ["a", "b"]) as staging:
            fill(staging)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_way_refuses_both(tmp_path):
    (tmp_path / "b").mkdir()
    with pytest.raises(ParameterError, match="is a folder, not a file"), all_or_none(tmp_path, ["a", "b"]):
        raise AssertionError
    (tmp_path / "b").rmdir()

    def late() -> None:
        with all_or_none(tmp_path, ["a", "b"]) as staging:
            fill(staging)
            (tmp_path / "b").mkdir()

    with pytest.raises(ParameterError, match="is a folder"):
        late()
    assert [p.name for p in tmp_path.iterdir()] == ["b"]
