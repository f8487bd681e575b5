"""The event calendar: what is bundled, when each event counts as known, what a file may not say."""

from __future__ import annotations

import csv
from pathlib import Path

import naive_intensity
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from entrepot.errors import EntrepotError
from entrepot.markets.sessions import build_grid, session_clock
from entrepot.regimes import CHANNELS, Events, load_events
from entrepot.regimes.event_file import BUNDLED_EVENTS, COLUMNS, source_zones

HEADER = "title,event_id,announced_at,effective_on,channel,direction,severity,source_name"
GOOD = "Tariffs,ours,2024-02-01,,tariff,1,2,USTR"


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
    merged = load_events(event_file(GOOD, "Memo,s301-memo,2018-03-23,,tariff,1,2,USTR"))
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
        "Tariffs,a,2024-02-01,,tariff,1,2,USTR,2024-02-01T09:30-05:00,x",
        "Tariffs,b,2024-02-01,,tariff,1,2,USTR,,",
        "Tariffs,c,,2024-03-01,tariff,1,2,USTR,2024-02-20T00:00Z,",
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
    path = event_file("Tariffs, ours , 2024-02-01,,tariff,+1,2,ustr,,", "", ",,,,,,", encoding="utf-8-sig")
    frame = load_events(path, replace=True).frame
    assert frame["event_id"].tolist() == ["ours"]
    assert frame["known_at"].item() == pd.Timestamp("2024-02-02T04:59:59Z")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",bad,2024-02-01,,tariff,1,2,", "title is blank; say in a few words what happened"),
        (
            "Tariffs,bad,,2024-02-01,tariff,1,2,USTR",
            "announced_at is blank although it took effect on 2024-02-01",
        ),
        ("Tariffs,bad,,,tariff,1,2,USTR", "announced_at is blank, so nobody could have known it"),
        ("Tariffs,bad,2024-02-01,,taxes,1,2,USTR", "unknown channel 'taxes'"),
        ("Tariffs,bad,2024-02-01,,tariff,0,2,USTR", "direction is '0'"),
        ("Tariffs,bad,2024-02-01,,tariff,up,2,USTR", "direction is 'up'"),
        ("Tariffs,bad,2024-02-01,,tariff,1,6,USTR", "severity is '6'"),
        ("Tariffs,bad,2024-02-01,,tariff,1,2.5,USTR", "severity is '2.5'"),
        ("Tariffs,bad,2024-02-01,,tariff,1,,USTR", "severity is ''"),
        ("Tariffs,ours,2024-02-01,,tariff,1,2,USTR", "event_id is already used in row 2"),
        ("Tariffs,bad,01/02/2024,,tariff,1,2,USTR", "announced_at '01/02/2024' is not a date"),
        ("Tariffs,bad,2024-02-30,,tariff,1,2,USTR", "announced_at '2024-02-30' is not a date"),
        ("Tariffs,bad,0024-02-01,,tariff,1,2,USTR", "announced_at '0024-02-01' is not a date"),
        ("Tariffs,bad,2024-02-01,soon,tariff,1,2,USTR", "effective_on 'soon' is not a date"),
        (
            "Tariffs,bad,2024-02-01T12:45,,tariff,1,2,USTR",
            "announced_at '2024-02-01T12:45' has a time without",
        ),
        ("Tariffs,bad,2024-02-01,2024-02-02 09:00,tariff,1,2,USTR", "has a time without a UTC offset"),
        ("Tariffs,,2024-02-01,,tariff,1,2,USTR", "event_id is blank"),
        ("Tariffs,bad,2024-02-01,,tariff,1,2,USTR,one, two", "10 cells under a header of 8"),
    ],
)
def test_a_bad_row_is_refused_in_one_sentence(event_file, row: str, message: str):
    with pytest.raises(EntrepotError) as caught:
        load_events(event_file(GOOD, "", row))
    text = str(caught.value)
    assert message in text
    assert text.startswith("mine.csv row 4")
    event_id = row.split(",")[1]
    assert not event_id or f"({event_id})" in text
    assert_one_sentence(text)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("Tariffs,bad,2024-02-01,,tariff,1,2,USTR,2024-02-01", "known_at 2024-02-01 has no time"),
        ("Tariffs,bad,2024-02-01,,tariff,1,2,USTR,2024-02-01T10:00", "has a time without a UTC offset"),
        ("Tariffs,bad,2024-02-01,,tariff,1,2,USTR,2024-01-31T10:00Z", "is before announced_at 2024-02-01"),
        (
            "Tariffs,bad,,2024-01-15,tariff,1,2,USTR,2024-02-01T10:00Z",
            "effective_on 2024-01-15 is before known_at",
        ),
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
        (tmp_path / "absent.csv", "cannot be read as a table of events"),
        (tmp_path, "cannot be read as a table of events"),
        (tmp_path / "latin.csv", "is not a CSV file in UTF-8"),
        (tmp_path / "empty.csv", "has no column event_id"),
        (event_file(header=HEADER.replace("severity", "severty")), "'severty' .is severity meant"),
        (event_file(header=HEADER + ",channel", name="twice.csv"), "has column channel more than once"),
    ):
        with pytest.raises(EntrepotError, match=message) as caught:
            load_events(path)
        assert_one_sentence(str(caught.value))


def test_a_file_with_a_header_only_adds_nothing(event_file):
    pd.testing.assert_frame_equal(load_events(event_file()).frame, load_events().frame)
    assert len(load_events(event_file(), replace=True)) == 0


@pytest.fixture(scope="module")
def spring_2025() -> pd.DataFrame:
    return build_grid(["XHKG", "XNYS"], "2025-01-02", "2025-06-30", ("open", "close"))


def dated(*rows: tuple[str, str, str]) -> Events:
    """Tariff threats by the US, from (event_id, known_at, effective_on)."""
    frame = pd.DataFrame(rows, columns=["event_id", "known_at", "effective_on"])
    return Events(frame.assign(channel="tariff", direction=1, severity=4, source_name="USTR"))


def at(frame: pd.DataFrame, moment: str, column=("tariff", "escalation")) -> float:
    """Value of the newest step at or before a moment."""
    return frame[column].loc[:moment].iloc[-1]


def test_an_announced_date_counts_from_known_at_until_it_has_passed(spring_2025):
    events = dated(("tariff", "2025-04-02T16:00-04:00", "2025-04-09"))
    ahead, left = events.scheduled(spring_2025), events.next_scheduled(spring_2025)
    for moment, count, sessions in (
        ("2025-04-02T15:59-04:00", 0, None),
        ("2025-04-02T16:00-04:00", 1, 4 + 8 / 24),  # the close of the 2nd to midnight after the 8th's close
        ("2025-04-04T16:00-04:00", 1, 2 + 8 / 24),
        ("2025-04-08T16:00-04:00", 1, 8 / 24),
        ("2025-04-09T16:00-04:00", 1, 0),  # the date itself
        ("2025-04-10T09:30+08:00", 1, 0),  # Hong Kong opens the 10th while New York has the 9th
        ("2025-04-10T16:10+08:00", 0, None),  # 04:10 in New York
    ):
        assert at(ahead, moment) == count
        np.testing.assert_allclose(at(left, moment), np.nan if sessions is None else sessions, atol=1e-9)


def test_only_dates_within_the_sessions_asked_for_count(spring_2025):
    events = dated(
        ("far", "2025-01-10T12:00-05:00", "2025-03-03"), ("near", "2025-02-25T12:00-05:00", "2025-03-03")
    )
    ahead = events.scheduled(spring_2025, within_sessions=5)["tariff", "escalation"]
    assert at(ahead.to_frame(), "2025-02-21T16:00-05:00") == 0  # 5 and a third sessions to midnight
    assert at(ahead.to_frame(), "2025-02-24T09:30-05:00") == 1
    assert at(ahead.to_frame(), "2025-02-25T16:00-05:00") == 2  # twice announced, twice counted
    exact = dated(("close", "2025-04-02T16:00-04:00", "2025-04-09T16:00-04:00")).scheduled(spring_2025, 5)
    assert at(exact, "2025-04-02T16:00-04:00") == 1  # five sessions from close to close
    everything = events.scheduled(spring_2025, within_sessions=np.inf)
    assert at(everything, "2025-01-10T16:00-05:00") == 1
    assert at(events.scheduled(spring_2025, 0), "2025-03-03T09:30-05:00") == 2
    marks = events.scheduled(spring_2025, within_sessions=5, marks="capped")["tariff", "escalation"]
    np.testing.assert_array_equal(marks, 3 * ahead)


def test_what_took_effect_by_its_announcement_was_never_ahead(spring_2025):
    events = dated(
        ("same-day", "2025-04-08T23:59:59-04:00", "2025-04-08"),
        ("before", "2025-04-08T12:00-04:00", "2025-04-05"),
        ("midnight", "2025-04-09T00:00-04:00", "2025-04-09"),
        ("never", "2025-04-08T12:00-04:00", ""),
    )
    assert (events.scheduled(spring_2025, np.inf).to_numpy() == 0).all()
    assert events.next_scheduled(spring_2025).isna().to_numpy().all()
    overnight = dated(("overnight", "2025-04-08T23:59:59-04:00", "2025-04-09"))
    assert at(overnight.scheduled(spring_2025), "2025-04-09T09:30-04:00") == 1


def test_a_date_ends_where_it_was_announced_and_a_time_at_itself(spring_2025):
    shanghai = dated(("cn", "2025-04-04T18:00+08:00", "2025-04-10"))
    frame = shanghai.frame.assign(source_name="State Council Tariff Commission")
    ahead = Events(frame).scheduled(spring_2025)
    assert at(ahead, "2025-04-10T11:00-04:00") == 1  # 23:00 in Shanghai
    assert at(ahead, "2025-04-10T16:00-04:00") == 0
    timed = dated(("timed", "2025-04-04T18:00+08:00", "2025-04-10T12:01+08:00"))
    left = timed.next_scheduled(spring_2025)
    assert at(left, "2025-04-10T09:30+08:00") > 0
    assert np.isnan(at(left, "2025-04-10T16:10+08:00"))


def test_the_calendar_ahead_equals_the_naive_count(spring_2025):
    ahead = load_events().scheduled(spring_2025, within_sessions=7.5)
    left = load_events().next_scheduled(spring_2025)
    rows = load_events().frame.query("effective_on.str.len() == 10")
    checked = 0
    for channel, sign, side in (
        ("tariff", 1, "escalation"),  # of New York and of Shanghai
        ("tariff", -1, "relief"),
        ("sanction", 1, "escalation"),
    ):
        mine = rows[(rows["channel"] == channel) & (rows["direction"] == sign)]
        zones = [source_zones()[name.casefold()] for name in mine["source_name"]]
        listed = list(zip(mine["known_at"], mine["effective_on"], zones, strict=True))
        for time in ahead.index[::3]:
            begins = naive_intensity.dates_ahead(time, listed)
            clock = session_clock(pd.DatetimeIndex([time, *begins], tz="UTC"))
            found = np.maximum(clock[1:] - clock[0], 0)
            assert ahead.loc[time, (channel, side)] == (found <= 7.5).sum()
            np.testing.assert_array_equal(left.loc[time, (channel, side)], min(found, default=np.nan))
            checked += len(found)
    assert checked > 50


@settings(deadline=None, max_examples=40)
@given(cut=st.integers(1, 400), within=st.sampled_from([0.0, 3.0, 20.0, np.inf]))
def test_what_is_known_later_changes_no_bit_of_the_calendar_ahead(spring_2025, cut, within):
    events, grid = load_events(), spring_2025.iloc[:cut]
    earlier = events.known_by(grid["time"].iloc[-1])
    for whole, part in (
        (
            events.scheduled(spring_2025, within, marks="capped"),
            earlier.scheduled(grid, within, marks="capped"),
        ),
        (events.next_scheduled(spring_2025), earlier.next_scheduled(grid)),
    ):
        assert part.to_numpy().tobytes() == whole.iloc[: len(grid)].to_numpy().tobytes()


def test_the_days_of_april_2025_as_the_calendar_knew_them(spring_2025):
    # On 2 April tariffs for the 9th were announced; by the close of the 8th also China's answer for the 10th
    # and the threat of 50 points more. The table does not know that the 34 percent were superseded.
    ahead = load_events().scheduled(spring_2025, within_sessions=5, channels="tariff")
    by_then = (
        load_events()
        .known_by("2025-04-08T20:00Z")
        .frame.query("'2025-04-09' <= effective_on <= '2025-04-11'")
    )
    assert set(by_then["event_id"]) == {"liberation-day", "trump-50pct-threat", "cn-34pct"}
    assert at(ahead, "2025-04-08T20:00Z") == 3


def test_context_and_no_steps_and_no_events(spring_2025):
    events = dated(("told", "2025-04-02T16:00-04:00", "2025-04-09"))
    context = Events(events.frame.assign(notes="context only: never scored"))
    assert (context.scheduled(spring_2025).to_numpy() == 0).all()
    assert context.next_scheduled(spring_2025).isna().to_numpy().all()
    assert events.scheduled(spring_2025.iloc[:0]).shape == (0, 12)
    assert events.next_scheduled(spring_2025.iloc[:0], channels="tariff").shape == (0, 2)
    nothing = Events(events.frame.iloc[:0])
    assert (nothing.scheduled(spring_2025).to_numpy() == 0).all()
    without_dates = Events(events.frame.drop(columns=["effective_on", "source_name"]))
    assert (without_dates.scheduled(spring_2025).to_numpy() == 0).all()


def test_effective_dates_of_a_table_may_be_timestamps(spring_2025):
    text = dated(("a", "2025-04-02T16:00-04:00", "2025-04-09"))
    stamps = Events(text.frame.assign(effective_on=pd.Timestamp("2025-04-09")))
    pd.testing.assert_frame_equal(stamps.scheduled(spring_2025), text.scheduled(spring_2025))
    missing = Events(text.frame.assign(effective_on=pd.NaT))
    assert (missing.scheduled(spring_2025).to_numpy() == 0).all()


def test_a_calendar_ahead_that_cannot_be_is_refused(spring_2025):
    for text in ("soon", "2025-04-09T09:00", "9999-12-31", 5):
        with pytest.raises(EntrepotError, match=r"event a: effective_on .* is not a date") as caught:
            dated(("a", "2025-04-02T16:00-04:00", text)).scheduled(spring_2025)
        assert_one_sentence(str(caught.value))
    for arguments, message in (
        ({"within_sessions": -1}, "within_sessions is -1"),
        ({"within_sessions": np.nan}, "within_sessions is nan"),
        ({"within_sessions": "20"}, "within_sessions is '20'"),
        ({"channels": "taxes"}, "unknown channel taxes"),
        ({"marks": "raw"}, "is not a policy"),
    ):
        with pytest.raises(EntrepotError, match=message):
            load_events().scheduled(spring_2025, **arguments)


def assert_one_sentence(text: str) -> None:
    assert "\n" not in text
    assert not text.endswith(".")
    assert ". " not in text
