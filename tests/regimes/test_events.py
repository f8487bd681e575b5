"""The event calendar: what is bundled, when each event counts as known, what a file may not say."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from entrepot.errors import EntrepotError
from entrepot.regimes import CHANNELS, load_events
from entrepot.regimes.event_file import BUNDLED_EVENTS, COLUMNS, source_zones

HEADER = "event_id,announced_at,effective_on,channel,direction,severity,source_name"
GOOD = "ours,2024-02-01,,tariff,1,2,USTR"


@pytest.fixture
def event_file(tmp_path: Path):
    def write(*rows: str, header: str = HEADER, encoding: str = "utf-8", name: str = "mine.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
        return path

    return write


def known(event_id: str) -> pd.Timestamp:
    frame = load_events().frame
    return frame.loc[frame["event_id"] == event_id, "known_at"].item()


def test_the_bundled_calendar_is_carried_over_unchanged():
    frame = load_events().frame
    with BUNDLED_EVENTS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(frame) == len(rows) == 245
    assert list(frame.columns) == [*COLUMNS, "known_at"]
    text = frame.set_index("event_id").astype(str)
    for row in rows:
        assert {**text.loc[row["event_id"], list(COLUMNS[1:])], "event_id": row["event_id"]} == row
    assert frame["channel"].value_counts().to_dict() == {
        "tariff": 88,
        "delisting": 53,
        "policy_support": 31,
        "export_control": 27,
        "investment_restriction": 27,
        "sanction": 19,
    }
    assert set(frame["channel"]) == set(CHANNELS)
    assert frame["known_at"].is_monotonic_increasing
    assert str(frame["known_at"].dtype) == "datetime64[ns, UTC]"
    assert int(frame["core"].sum()) == 159


def test_every_source_of_the_calendar_has_a_time_zone():
    zones = source_zones()
    sources = load_events().frame["source_name"].unique()
    assert [name for name in sources if name.casefold() not in zones] == []


@pytest.mark.parametrize(
    ("event_id", "moment"),
    [
        ("s301-memo", "2018-03-22T16:45:00Z"),  # 12:45 -04:00, the moment itself
        ("s232-steel-alum", "2018-03-09T04:59:59Z"),  # White House, a bare date in winter time
        ("s301-50bn-proposed", "2018-04-04T03:59:59Z"),  # USTR, a bare date in summer time
        ("cn-50bn-proposed", "2018-04-04T15:59:59Z"),  # MOFCOM: the Shanghai day ends 12 hours earlier
        ("csrc-confidentiality", "2022-04-02T15:59:59Z"),  # CSRC, Shanghai
        ("ant-ipo-halt", "2020-11-03T15:59:59Z"),  # SSE / HKEX, Hong Kong
        ("pcaob-sop", "2022-08-27T03:59:59Z"),  # PCAOB / CSRC: joint, so the day that ends last
        ("ftse-deletes-ccmc", "2020-12-05T04:59:59Z"),  # FTSE Russell: neither, so New York
    ],
)
def test_known_at_of_named_rows(event_id: str, moment: str):
    assert known(event_id) == pd.Timestamp(moment)


def test_a_datetime_is_its_own_moment_on_every_row_that_has_one():
    frame = load_events().frame
    timed = frame[frame["announced_at"].str.len() > 10]
    assert len(timed) == 10
    assert list(timed["known_at"]) == [pd.Timestamp(text).tz_convert("UTC") for text in timed["announced_at"]]


def test_known_by_includes_the_moment_itself_and_nothing_after():
    events = load_events()
    at = events.known_by("2018-03-22T12:45-04:00")
    assert at.frame["event_id"].tolist() == ["s232-steel-alum", "s301-memo"]
    assert events.known_by("2018-03-22T16:44:59Z").frame["event_id"].tolist() == ["s232-steel-alum"]
    assert len(events.known_by("2017-01-01T00:00Z")) == 0
    assert repr(events) == "Events(245 known from 2018-03-09 to 2026-09-27)"
    assert repr(events.known_by("2017-01-01T00:00Z")) == "Events(none)"


@pytest.mark.parametrize("when", ["2022-03-10", "2022-03-10T18:00", "soon", None])
def test_known_by_wants_an_offset(when):
    with pytest.raises(EntrepotError, match="UTC offset"):
        load_events().known_by(when)


def test_a_file_merges_and_the_same_event_id_replaces(event_file):
    merged = load_events(event_file(GOOD, "s301-memo,2018-03-23,,tariff,1,2,USTR"))
    assert len(merged) == 246
    row = merged.frame.set_index("event_id").loc["s301-memo"]
    assert (row["severity"], row["known_at"]) == (2, pd.Timestamp("2018-03-24T03:59:59Z"))
    assert merged.frame["known_at"].is_monotonic_increasing
    assert not merged.frame.isna().any().any()


def test_a_file_can_replace_the_calendar(event_file):
    alone = load_events(event_file(GOOD), replace=True).frame
    assert alone["event_id"].tolist() == ["ours"]
    assert alone["known_at"].item() == pd.Timestamp("2024-02-02T04:59:59Z")
    assert alone["core"].item() == 0
    with pytest.raises(EntrepotError, match="replace=True needs a file"):
        load_events(replace=True)


def test_a_file_may_give_its_own_known_at_and_columns(event_file):
    path = event_file(
        "a,2024-02-01,,tariff,1,2,USTR,2024-02-01T09:30-05:00,x",
        "b,2024-02-01,,tariff,1,2,USTR,,",
        "c,,2024-03-01,tariff,1,2,USTR,2024-02-20T00:00Z,",
        header=HEADER + ",known_at,desk",
    )
    frame = load_events(path, replace=True).frame.set_index("event_id")
    assert frame.loc["a", "known_at"] == pd.Timestamp("2024-02-01T14:30Z")
    assert frame.loc["b", "known_at"] == pd.Timestamp("2024-02-02T04:59:59Z")
    assert frame.loc["c", "known_at"] == pd.Timestamp("2024-02-20T00:00Z")
    assert frame["desk"].tolist() == ["x", "", ""]
    merged = load_events(path).frame
    assert merged.loc[merged["event_id"] == "s301-memo", "desk"].item() == ""


def test_the_frame_written_out_reads_back_the_same(tmp_path: Path):
    frame = load_events().frame
    frame.to_csv(tmp_path / "calendar.csv", index=False)
    pd.testing.assert_frame_equal(load_events(tmp_path / "calendar.csv", replace=True).frame, frame)


def test_a_file_saved_by_a_spreadsheet_is_read(event_file):
    path = event_file(" ours , 2024-02-01,,tariff,+1,2,ustr,,", "", ",,,,,,", encoding="utf-8-sig")
    frame = load_events(path, replace=True).frame
    assert frame["event_id"].tolist() == ["ours"]
    assert frame["known_at"].item() == pd.Timestamp("2024-02-02T04:59:59Z")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("bad,2024-02-01,,tariff,1,2,", "source_name is blank; an event needs a source"),
        ("bad,,2024-02-01,tariff,1,2,USTR", "announced_at is blank although it took effect on 2024-02-01"),
        ("bad,,,tariff,1,2,USTR", "announced_at is blank, so nobody could have known it"),
        ("bad,2024-02-01,,taxes,1,2,USTR", "unknown channel 'taxes'"),
        ("bad,2024-02-01,,tariff,0,2,USTR", "direction is '0'"),
        ("bad,2024-02-01,,tariff,up,2,USTR", "direction is 'up'"),
        ("bad,2024-02-01,,tariff,1,6,USTR", "severity is '6'"),
        ("bad,2024-02-01,,tariff,1,2.5,USTR", "severity is '2.5'"),
        ("bad,2024-02-01,,tariff,1,,USTR", "severity is ''"),
        ("ours,2024-02-01,,tariff,1,2,USTR", "event_id is already used in row 2"),
        ("bad,01/02/2024,,tariff,1,2,USTR", "announced_at '01/02/2024' is not a date"),
        ("bad,2024-02-30,,tariff,1,2,USTR", "announced_at '2024-02-30' is not a date"),
        ("bad,0024-02-01,,tariff,1,2,USTR", "announced_at '0024-02-01' is not a date"),
        ("bad,2024-02-01,soon,tariff,1,2,USTR", "effective_on 'soon' is not a date"),
        ("bad,2024-02-01T12:45,,tariff,1,2,USTR", "announced_at '2024-02-01T12:45' has a time without"),
        ("bad,2024-02-01,2024-02-02 09:00,tariff,1,2,USTR", "has a time without a UTC offset"),
        (",2024-02-01,,tariff,1,2,USTR", "event_id is blank"),
        ("bad,2024-02-01,,tariff,1,2,USTR,one, two", "9 cells under a header of 7"),
    ],
)
def test_a_bad_row_is_refused_in_one_sentence(event_file, row: str, message: str):
    with pytest.raises(EntrepotError) as caught:
        load_events(event_file(GOOD, "", row))
    text = str(caught.value)
    assert message in text
    assert text.startswith("mine.csv row 4")
    assert row.startswith(",") or f"({row.split(',')[0]})" in text
    assert_one_sentence(text)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("bad,2024-02-01,,tariff,1,2,USTR,2024-02-01", "known_at 2024-02-01 has no time"),
        ("bad,2024-02-01,,tariff,1,2,USTR,2024-02-01T10:00", "has a time without a UTC offset"),
        ("bad,2024-02-01,,tariff,1,2,USTR,2024-01-31T10:00Z", "is before announced_at 2024-02-01"),
        ("bad,,2024-01-15,tariff,1,2,USTR,2024-02-01T10:00Z", "effective_on 2024-01-15 is before known_at"),
    ],
)
def test_a_known_at_that_cannot_be_is_refused(event_file, row: str, message: str):
    with pytest.raises(EntrepotError) as caught:
        load_events(event_file(row, header=HEADER + ",known_at"))
    assert message in str(caught.value)
    assert "row 2 (bad)" in str(caught.value)
    assert_one_sentence(str(caught.value))


def test_core_is_zero_or_one(event_file):
    with pytest.raises(EntrepotError, match=r"row 2 \(ours\): core is 'yes'; it must be 0 or 1"):
        load_events(event_file(GOOD + ",yes", header=HEADER + ",core"))


def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, event_file):
    (tmp_path / "latin.csv").write_bytes(b"event_id\n\xe9v\xe9nement\n")
    (tmp_path / "empty.csv").write_bytes(b"")
    for path, message in (
        (tmp_path / "absent.csv", "cannot be read as an event file"),
        (tmp_path, "cannot be read as an event file"),
        (tmp_path / "latin.csv", "is not a CSV file in UTF-8"),
        (tmp_path / "empty.csv", "has no column event_id"),
        (event_file(header=HEADER.replace("severity", "severty")), "has no column severity"),
        (event_file(header=HEADER + ",channel", name="twice.csv"), "has column channel more than once"),
    ):
        with pytest.raises(EntrepotError, match=message) as caught:
            load_events(path)
        assert_one_sentence(str(caught.value))


def test_a_file_with_a_header_only_adds_nothing(event_file):
    pd.testing.assert_frame_equal(load_events(event_file()).frame, load_events().frame)
    assert len(load_events(event_file(), replace=True)) == 0


def assert_one_sentence(text: str) -> None:
    assert "\n" not in text
    assert text.endswith(".")
    assert ". " not in text
