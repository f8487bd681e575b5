"""Events of one's own: what a table may say, what is told of a bad one, and that it comes back."""

from __future__ import annotations

import os
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.regimes import CHANNELS, Events, load_events
from entrepot.regimes.event_file import BUNDLED_EVENTS, COLUMNS

ALL = len(load_events())
HEADER = "event_id,announced_at,channel,direction,severity,title"
MORE = HEADER + ",effective_on,source_name,affected,confidence,core,known_at,drop,format"
GOOD = "ours,2024-02-01,tariff,1,2,Tariffs announced"
REST = ",2024-03-01,USTR,adr;sector:semis,high,1,2024-02-01T15:00-05:00,,events 1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def written(folder: Path, *rows: str, header: str = HEADER, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_bytes("\n".join([header, *rows, ""]).encode())
    return path


def told(source: object, **arguments: object) -> str:
    with pytest.raises(EntrepotError) as caught:
        load_events(source, **arguments)
    return str(caught.value)


def row(**cells: str) -> str:
    """A good row in all columns of MORE, some cells changed."""
    values = dict(zip(MORE.split(","), (GOOD + REST).split(","), strict=True)) | cells
    return ",".join(values[name] for name in MORE.split(","))


# -- what is enough, and in which shape -------------------------------------------------------------


def test_six_columns_are_enough_and_the_rest_is_blank(folder):
    frame = load_events(written(folder, GOOD), replace=True).frame
    assert list(frame.columns) == [*COLUMNS, "known_at"]
    only = frame.iloc[0]
    assert only["known_at"] == pd.Timestamp("2024-02-01T23:59:59-05:00")  # New York: no source is named
    assert {name for name in COLUMNS if only[name] == ""} == {
        "effective_on", "affected", "source_name", "source_ref", "confidence", "verification", "notes",
        "ref_confidence",
    }  # fmt: skip
    assert only["core"] == 0


@pytest.mark.parametrize(
    ("source", "moment"),
    [
        ("MOFCOM", "2024-02-01T23:59:59+08:00"),
        ("HKEX", "2024-02-01T23:59:59+08:00"),
        ("our desk", "2024-02-01T23:59:59-05:00"),
    ],
)
def test_a_bare_date_is_known_when_the_day_ends_where_it_was_announced(folder, source, moment):
    path = written(folder, row(source_name=source, known_at=""), header=MORE)
    assert load_events(path, replace=True).frame["known_at"].item() == pd.Timestamp(moment)


def test_every_shape_of_a_table_gives_the_same_events(folder):
    path = written(folder, row(), row(event_id="other", core="", known_at=""), header=MORE)
    expected = load_events(path, replace=True).frame
    text = pd.read_csv(path, dtype=str, keep_default_na=False)
    guessed = pd.read_csv(path)  # numbers as numbers, blanks as NaN
    dates = guessed.assign(announced_at=pd.to_datetime(guessed["announced_at"]))
    objects = guessed.astype(object).assign(announced_at=[date(2024, 2, 1), datetime(2024, 2, 1)])
    text.to_parquet(folder / "text.parquet")
    dates.to_parquet(folder / "dates.parquet")
    for source in (
        str(path),
        text,
        guessed,
        dates,
        objects,
        guessed.set_index("event_id"),
        folder / "text.parquet",
        folder / "dates.parquet",
        pl.read_csv(path),
        pl.from_pandas(dates),
        [path],
        (path, path),
        Events(expected),
    ):
        pd.testing.assert_frame_equal(load_events(source, replace=True).frame, expected)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_dates_that_were_given_a_time_zone_are_not_known_at_their_first_second(zone):
    frame = pd.DataFrame([(GOOD + ",").split(",")], columns=[*HEADER.split(","), "known_at"])
    dates = frame.assign(announced_at=pd.to_datetime(frame["announced_at"]).dt.tz_localize(zone))
    assert "is midnight, as of a date that was given a time zone" in told(dates)
    assert "is midnight" in told(pl.from_pandas(dates))
    moment = dates["announced_at"].item()
    meant = load_events(dates.assign(known_at=moment), replace=True)
    assert meant.frame["known_at"].item() == moment
    late = dates.assign(announced_at=moment + pd.Timedelta("1s"))
    assert load_events(late, replace=True).frame["known_at"].item() == moment + pd.Timedelta("1s")


@pytest.mark.parametrize(
    "content",
    [
        "﻿" + HEADER + "\n" + GOOD + "\n",
        HEADER + "\r\n" + GOOD + "\r\n",
        HEADER + ",,\n" + GOOD + ",,\n,,,,,,,\n\n",
        HEADER + "\n ours , 2024-02-01 ,tariff, +1 , 2.0 , Tariffs announced \n",
        HEADER + '\n"ours","2024-02-01","tariff","1","2","Tariffs announced"\r\n',
    ],
)
def test_what_spreadsheets_write_is_read(folder, content):
    path = folder / "sheet.csv"
    path.write_bytes(content.encode())
    expected = load_events(written(folder, GOOD), replace=True).frame
    pd.testing.assert_frame_equal(load_events(path, replace=True).frame, expected)


def test_titles_keep_commas_quotes_lines_and_letters_of_any_script(folder):
    title = 'Zölle: "关税", é\nsecond line'
    path = folder / "quoted.csv"
    quoted = title.replace('"', '""')
    path.write_text(f'{HEADER}\nours,2024-02-01,tariff,1,2,"{quoted}"\n', encoding="utf-8", newline="")
    assert load_events(path, replace=True).frame["title"].item() == title


def test_columns_of_ones_own_are_kept_as_text(folder):
    path = written(folder, GOOD + ",5,x", header=HEADER + ",weight,desk")
    frame = load_events(path).frame.set_index("event_id")
    assert frame.loc["ours", ["weight", "desk"]].tolist() == ["5", "x"]
    assert frame.loc["s301-memo", ["weight", "desk"]].tolist() == ["", ""]
    assert "severity2" in load_events(written(folder, GOOD + ",4", header=HEADER + ",severity2")).frame


# -- add, override, drop, replace -------------------------------------------------------------------


def test_rows_add_override_and_drop(folder):
    path = written(
        folder,
        GOOD + ",",
        "s301-memo,2018-03-23,tariff,1,2,Memorandum,",
        "s232-steel-alum,,,,,,1",
        header=HEADER + ",drop",
    )
    merged = load_events(path).frame
    assert len(merged) == ALL + 1 - 1
    assert "s232-steel-alum" not in set(merged["event_id"])
    memo = merged.set_index("event_id").loc["s301-memo"]
    assert (memo["severity"], memo["title"], memo["source_name"]) == (2, "Memorandum", "")
    assert "drop" not in merged
    untouched = load_events().frame
    assert (len(untouched), untouched.set_index("event_id").loc["s301-memo", "severity"]) == (ALL, 4)


def test_later_files_take_precedence_and_may_drop_from_earlier_ones(folder):
    first = written(folder, GOOD, "two,2024-02-01,tariff,1,2,Second", name="first.csv")
    second = written(folder, "two,2024-02-02,tariff,-1,3,Again", "ours,,,,,", name="second.csv")
    second.write_text(
        second.read_text().replace(HEADER, HEADER + ",drop").replace("ours,,,,,", "ours,,,,,,1")
    )
    frame = load_events([first, second], replace=True).frame
    assert frame["event_id"].tolist() == ["two"]
    assert frame["direction"].item() == -1


def test_dropping_by_name():
    assert len(load_events(drop="s301-memo")) == ALL - 1
    assert len(load_events(drop=["s301-memo", "s232-steel-alum"])) == ALL - 2
    assert len(load_events().without()) == ALL
    assert load_events().without("s301-memo").frame.index.tolist() == list(range(ALL - 1))
    assert "did you mean s301-memo" in told(None, drop="s301-mem")
    assert "there is no event 5" in told(None, drop=[5])
    assert "drop is 5" in told(None, drop=5)


def test_a_drop_of_what_is_not_there_is_refused(folder):
    header = HEADER + ",drop"
    assert (
        "row 2 (s301-mem): drop is 1, and there is no such event to leave out, did you mean s301-memo?"
        in told(written(folder, "s301-mem,,,,,,1", header=header))
    )
    text = told(written(folder, "s301-memo,,,,,,1", header=header), replace=True)
    assert "there is no such event" in text
    both = written(folder, "s301-memo,2018-03-23,tariff,1,2,Memo,", "s301-memo,,,,,,1", header=header)
    assert "row 3 (s301-memo): drop is 1, and another row gives the same event" in told(both)


# -- what is told of a table that cannot be used ----------------------------------------------------


def test_a_misspelt_column_is_named_once(folder):
    text = told(written(folder, header=HEADER.replace("severity", "severty")))
    assert "'severty' (is severity meant?)" in text
    assert "has no column" not in text


def test_all_bad_rows_are_told_at_once_five_in_full(folder):
    rows = [row(event_id=f"e{i}", severity="9", direction="0") for i in range(17)]
    text = told(written(folder, row(), *rows, header=MORE))
    lines = text.split("\n")
    assert lines[0] == "mine.csv has 17 rows that cannot be used:"
    assert lines[1].startswith(
        "  row 3 (e0): direction is '0'; it must be 1 (escalation) or -1 (relief); severity"
    )
    assert [line.split("(")[1].split(")")[0] for line in lines[1:6]] == ["e0", "e1", "e2", "e3", "e4"]
    assert lines[6] == "  and 12 more."
    assert len(lines) == 7


def test_a_row_has_the_number_that_a_spreadsheet_gives_it(folder):
    text = told(written(folder, GOOD, "", 'q,2024-02-01,tariff,1,2,"two\nlines"', "", "bad,,tariff,1,2,x"))
    assert text.startswith("mine.csv row 6 (bad)")
    assert "event_id is already used in row 2" in told(written(folder, GOOD, "", GOOD))


# -- choosing ---------------------------------------------------------------------------------------


def chosen(**asked: object) -> pd.DataFrame:
    return load_events().where(**asked).frame


def test_where_chooses_what_fits_everything():
    frame = load_events().frame
    pd.testing.assert_frame_equal(chosen(), frame)
    assert set(chosen(channel=["tariff", "sanction"])["channel"]) == {"tariff", "sanction"}
    assert len(chosen(channel="tariff")) == (frame["channel"] == "tariff").sum()
    for direction, sign in (("escalation", 1), (1, 1), ("relief", -1), (np.int64(-1), -1)):
        assert (
            chosen(direction=direction)["event_id"].tolist()
            == frame.loc[frame["direction"] == sign, "event_id"].tolist()
        )
    assert chosen(severity=4)["severity"].min() == 4
    assert len(chosen(core=True)) + len(chosen(core=False)) == ALL
    assert len(chosen(core=True)) == frame["core"].sum()
    semis = chosen(affected="sector:semis")["affected"]
    assert len(semis) == frame["affected"].str.split(";").map(lambda words: "sector:semis" in words).sum()
    assert set(chosen(affected="adr")["event_id"]) < set(chosen(affected=["adr", "hk"])["event_id"])
    both = chosen(channel="delisting", direction="escalation", severity=3, core=True)
    expected = frame.query("channel == 'delisting' and direction == 1 and severity >= 3 and core == 1")
    pd.testing.assert_frame_equal(both, expected.reset_index(drop=True))


def test_where_between_dates_of_announcement_as_written(folder):
    days = chosen(between=("2025-04-02", date(2025, 4, 9)))["announced_at"].str.slice(0, 10)
    assert (days.min(), days.max()) == ("2025-04-02", "2025-04-09")
    assert len(chosen(between=("2018-03-08", "2018-03-08"))) == 1
    assert len(chosen(between=(None, "2018-03-08"))) == 1
    assert len(chosen(between=("2018-03-08", None))) == len(chosen(between=(None, None))) == ALL
    late = written(
        folder, row(announced_at="", known_at="2024-02-02T03:00Z"), header=MORE
    )  # the evening before
    assert len(load_events(late, replace=True).where(between=("2024-02-01", "2024-02-01"))) == 1
    # a morning in Beijing is an evening in New York
    early = written(folder, row(announced_at="2024-02-02T07:30+08:00", known_at=""), header=MORE)
    assert len(load_events(early, replace=True).where(between=("2024-02-02", "2024-02-02"))) == 1


def test_where_searches_all_words_in_any_case():
    found = chosen(search="pcaob RULE")
    assert len(found)
    texts = (
        found[["event_id", "title", "source_name", "source_ref", "notes"]].agg(" ".join, axis=1).str.lower()
    )
    assert texts.str.contains("pcaob").all()
    assert texts.str.contains("rule").all()
    assert len(chosen(search="zzz")) == 0
    assert len(load_events().where(search="zzz").where(search="a", channel="tariff")) == 0
    assert len(chosen(affected="sector:zzz")) == 0
    own = Events(load_events().frame.assign(affected="Our Fund; adr"))
    assert len(own.where(affected="Our Fund")) == ALL  # a word of the table, if of no file


# -- saving, and the laws of merging ----------------------------------------------------------------

CELL = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12).map(str.strip)
LINES = st.text(st.sampled_from('a,"\n\r;é关 '), max_size=8).map(str.strip)
TITLE = st.one_of(CELL, LINES).filter(bool)
DAY = st.dates(date(1990, 1, 1), date(2099, 12, 31))


@st.composite
def own_events(draw: st.DrawFn) -> Events:
    count = draw(st.integers(0, 6))
    names = draw(st.lists(st.sampled_from("abcdefgh"), min_size=count, max_size=count, unique=True))
    moments = st.one_of(
        DAY.map(date.isoformat),
        st.builds(datetime.combine, DAY, st.times(time(0, 0, 1))).map(
            lambda when: f"{when.isoformat()}+08:00"
        ),
    )
    rows = [
        {
            "event_id": name,
            "announced_at": draw(moments),
            "channel": draw(st.sampled_from(CHANNELS)),
            "direction": draw(st.sampled_from([1, -1])),
            "severity": draw(st.integers(1, 5)),
            "title": draw(TITLE),
            "effective_on": draw(st.one_of(st.just(""), DAY.map(date.isoformat))),
            "source_name": draw(st.sampled_from(["", "MOFCOM", "USTR", "our desk"])),
            "affected": draw(st.sampled_from(["", "all", "adr; hk", "sector:ev"])),
            "notes": draw(CELL),
            "core": draw(st.sampled_from([0, 1, True, ""])),
            "desk": draw(st.one_of(CELL, LINES)),
        }
        for name in names
    ]
    columns = (HEADER + ",effective_on,source_name,affected,notes,core,desk").split(",")
    return load_events(pd.DataFrame(rows, columns=columns), replace=True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=own_events(), nanoseconds=st.integers(0, 10**9 - 1), suffix=st.sampled_from([".csv", ".parquet"])
)
def test_what_is_saved_is_loaded_to_the_last_bit(folder, events, nanoseconds, suffix):
    frame = events.frame
    late = Events(frame.assign(known_at=frame["known_at"] + pd.Timedelta(nanoseconds, "ns")))
    late.save(folder / f"saved{suffix}")
    again = load_events(folder / f"saved{suffix}", replace=True).frame
    pd.testing.assert_frame_equal(again, late.frame)
    assert list(folder.iterdir()) == [path for path in folder.iterdir() if path.name.startswith("saved.")]


def test_the_bundled_calendar_saved_is_loaded_the_same(folder):
    events = load_events()
    for name in ("calendar.csv", "calendar.parquet"):
        events.save(folder / name)
        pd.testing.assert_frame_equal(load_events(folder / name, replace=True).frame, events.frame)
        pd.testing.assert_frame_equal(load_events(folder / name).frame, events.frame)
    saved = pd.read_csv(folder / "calendar.csv")
    assert saved["format"].unique().tolist() == ["events 1"]
    bundled = pd.read_csv(BUNDLED_EVENTS)
    assert sorted(saved["event_id"]) == sorted(bundled["event_id"])
    events.save(folder / "twice.csv")
    assert (folder / "twice.csv").read_bytes() == (folder / "calendar.csv").read_bytes()


def test_a_frame_of_ones_own_comes_back_too(folder):
    moment = pd.Timestamp("2024-02-01T12:00Z")
    frame = pd.DataFrame(
        {
            "event_id": ["a", "b"],
            "announced_at": [pd.Timestamp("2024-02-01"), None],
            "effective_on": [pd.NaT, pd.Timestamp("2024-03-01")],
            "channel": "tariff",
            "direction": [1.0, -1.0],
            "severity": [2, 3],
            "title": ["  blanks around ", "b"],
            "core": [True, None],
            "weight": [0.5, np.nan],
            "known_at": [moment, moment],
        }
    )
    events = Events(frame)
    assert events.frame["core"].tolist() == [1, 0]
    assert events.frame["weight"].tolist() == ["0.5", ""]
    events.save(folder / "a.csv")
    pd.testing.assert_frame_equal(load_events(folder / "a.csv", replace=True).frame, events.frame)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": ""}, f"could not be read again: the table of events has {ALL} rows"),
        ({"drop": "x"}, "have a column drop, which is the file's own"),
        ({"format": ""}, "have a column format"),
        ({" desk": "x"}, "with other texts"),
        ({"notes": "a\x07"}, "control character"),
        ({"confidence": "sure"}, "confidence is 'sure'"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(folder, change, words):
    events = Events(load_events().frame.assign(**change))
    with pytest.raises(DataError, match=words):
        events.save(folder / "a.csv")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("truth", [True, np.True_])
def test_a_truth_is_a_flag_and_no_number(truth):
    names = HEADER.split(",")
    good = dict(zip(names, GOOD.split(","), strict=True))
    for name in ("direction", "severity"):
        assert f"{name} is 'True'; it must be" in told(pd.DataFrame([good | {name: truth}]))
    core = [load_events(pd.DataFrame([good | {"core": said}])) for said in (truth, not truth)]
    assert [one.frame.set_index("event_id").at["ours", "core"] for one in core] == [1, 0]
    memo = {"event_id": "s301-memo"} | dict.fromkeys(names[1:], "")
    for dropped in (truth, not truth):
        frame = pd.DataFrame([good, memo | {"drop": dropped}]).fillna({"drop": False})
        if dropped:
            assert "s301-memo" not in set(load_events(frame).frame["event_id"])
        else:
            assert "(s301-memo): " in told(frame)  # it stays, and is no event as it stands


def test_half_a_character_is_told_and_not_kept():
    frame = load_events().frame.astype({"notes": object})
    frame.loc[0, "notes"] = "half \ud800"
    with pytest.raises(DataError, match="holds half a character"):
        Events(frame)
    with pytest.raises(DataError, match=r"notes .half .* holds a control character"):
        load_events(frame)


def test_a_file_is_written_whole_or_not_at_all(folder, monkeypatch):
    events = load_events()
    path = folder / "calendar.csv"
    path.write_text("older")
    for target, words in (
        (folder / "a.txt", r"ending in \.csv, \.parquet"),
        (folder, "ending in .csv"),
        (folder / "no" / "a.csv", "does not exist"),
        ("", "the path is ''"),
        (None, "the path is None"),
        ("a\0b.csv", "the path is"),
    ):
        with pytest.raises(ParameterError, match=words):
            events.save(target)

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ParameterError, match="no space left"):
        events.save(path)
    assert path.read_text() == "older"
    assert [left.name for left in folder.iterdir()] == ["calendar.csv"]


@settings(max_examples=15, deadline=None)
@given(first=own_events(), second=own_events(), third=own_events())
def test_the_laws_of_merging(first, second, third):
    def same(one: Events, other: Events) -> None:
        pd.testing.assert_frame_equal(one.frame, other.frame)

    same(first.merge(first), first)
    merged = first.merge(second)
    same(merged.merge(second), merged)
    same(first.merge(second).merge(third), first.merge(second.merge(third)))
    rows = merged.frame.set_index("event_id")
    theirs, ours = second.frame.set_index("event_id"), first.frame.set_index("event_id")
    assert set(rows.index) == set(theirs.index) | set(ours.index)
    pd.testing.assert_frame_equal(rows.loc[theirs.index], theirs)
    left = ours.index.difference(theirs.index)
    pd.testing.assert_frame_equal(rows.loc[left], ours.loc[left])
    same(merged.without(*theirs.index), first.without(*(set(theirs.index) & set(ours.index))))


def only_sentences(error: EntrepotError) -> None:
    assert all(line.isprintable() for line in str(error).split("\n"))


# -- nothing but sentences --------------------------------------------------------------------------

CELLS = st.one_of(
    st.text(max_size=10),
    st.sampled_from(
        [
            "",
            "1",
            "-1",
            "nan",
            "inf",
            "1e400",
            "\u0662\u0660\u0662\u0664-\u0660\u0661-\u0660\u0661",
            "2024-02-01T10:00+24:00",
            "0",
        ]
    ),
    st.integers().map(str),
    st.floats().map(repr),
    st.datetimes(timezones=st.just(None)).map(str),
)
OBJECTS = st.one_of(
    CELLS, st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.datetimes(),
    st.binary(max_size=4), st.just(pd.NA), st.just(pd.NaT), st.lists(st.integers(), max_size=2),
    st.timedeltas(),
)  # fmt: skip


@settings(max_examples=70, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_cells_give_events_or_a_sentence(folder, data):
    names = MORE.split(",")
    cells = (GOOD + REST).split(",")
    for _ in range(data.draw(st.integers(1, 4))):
        cells[data.draw(st.integers(0, len(cells) - 1))] = data.draw(OBJECTS)
    for source in (
        pd.DataFrame([cells, (GOOD + REST).split(",")], columns=names, dtype=object).assign(
            event_id=[cells[0], "another"]
        ),
        written(
            folder, ",".join(str(cell) for cell in cells).encode("utf-8", "replace").decode(), header=MORE
        ),
    ):
        try:
            events = load_events(source)
        except EntrepotError as error:
            only_sentences(error)
        else:
            events.save(folder / "again.csv")
            pd.testing.assert_frame_equal(load_events(folder / "again.csv", replace=True).frame, events.frame)


def with_header(text: str) -> bytes:
    return f"{HEADER}\n{text}".encode("utf-8", "replace")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60).map(with_header),
    )
)
def test_random_files_give_events_or_a_sentence(folder, content):
    for name in ("a.csv", "a.parquet"):
        (folder / name).write_bytes(content)
        try:
            load_events(folder / name)
        except EntrepotError as error:
            only_sentences(error)
