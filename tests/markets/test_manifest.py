"""What a folder says of itself is used where the caller says nothing, and told; or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from price_folders import ACTIONS, closes, pair, split_pair, write

from entrepot.errors import DataError
from entrepot.markets.load import load_market
from entrepot.markets.manifest import MANIFEST, Manifest, parse_manifest, read_manifest

NTES = next(action for action in ACTIONS if action.adr == "NTES")  # only the ADS was split


def folder_saying(folder: Path, files: dict[str, pd.DataFrame], **said: Any) -> Path:
    write(folder, files)
    (folder / MANIFEST).write_text(json.dumps({"format": 1, **said}))
    return folder


def hours(market: Any) -> set[tuple[int, int]]:
    return {(t.hour, t.minute) for t in pd.DatetimeIndex(market.fixings["time"]).tz_convert("Europe/Berlin")}


def test_a_folder_without_one_is_read_as_before(tmp_path: Path) -> None:
    market = load_market(write(tmp_path / "prices", pair()))
    assert hours(market) == {(14, 15)}
    assert not any(MANIFEST in note for note in market.notes)


def test_the_hour_of_rates_is_that_of_the_folder_unless_given(tmp_path: Path) -> None:
    folder = folder_saying(tmp_path / "prices", pair(), fx_time="16:00 Europe/Berlin", source="a desk")
    market = load_market(folder)
    assert hours(market) == {(16, 0)}
    [note] = [note for note in market.notes if MANIFEST in note]
    assert "come from a desk" in note
    assert "rates of a date known from 16:00 Europe/Berlin" in note
    assert any("each known from 16:00 Europe/Berlin of its date" in note for note in market.notes)
    assert hours(load_market(folder, fx_time="17:30 Europe/Berlin")) == {(17, 30)}
    assert not any(f"{MANIFEST} was not read" in note for note in market.notes)


@pytest.mark.parametrize("shape", [lambda files: files, lambda files: pd.concat(files, names=["symbol"])])
def test_rates_with_opens_are_no_fixings_and_known_when_their_day_is_over(shape: Any, tmp_path: Path) -> None:
    """What `yf.download` returns of HKD=X is the close of a day in London, hours after any fixing."""
    files = pair()
    files["HKD=X"]["Open"] = files["HKD=X"]["Close"] + 0.001
    market = load_market(shape({symbol: frame.set_index("Date") for symbol, frame in files.items()}))
    times = pd.DatetimeIndex(market.fixings["time"]).tz_convert("Europe/London")
    assert {(t.hour, t.minute) for t in times} == {(23, 59)}
    assert any("rates with opens are of whole days" in note for note in market.notes)
    folder = folder_saying(tmp_path / "prices", files, fx_time="16:00 Europe/Berlin")
    assert hours(load_market(folder)) == {(16, 0)}
    assert hours(load_market(files, fx_time="14:15 Europe/Berlin")) == {(14, 15)}
    files["HKD=X"]["Open"] = np.nan
    assert hours(load_market(files)) == {(14, 15)}


def test_what_it_says_of_itself_is_no_price_file_of_other_sources(tmp_path: Path) -> None:
    files = pair()
    folder = folder_saying(tmp_path / "prices", files, fx_time="16:00 Europe/Berlin")
    pd.concat([f.assign(symbol=s) for s, f in files.items()]).to_csv(tmp_path / "all.csv", index=False)
    assert hours(load_market(folder / ".." / "all.csv")) == {(14, 15)}
    assert read_manifest(files) == Manifest()
    assert read_manifest(folder / "BABA.csv") == Manifest()


def test_how_splits_are_treated_is_told_for_all_or_by_symbol(tmp_path: Path) -> None:
    files, _ = split_pair(NTES, ads_adjusted=True, hk_adjusted=False)
    for number, word in enumerate(("split", {"NTES": "split"}, {"": "raw", "NTES": "split"})):
        market = load_market(folder_saying(tmp_path / str(number), files, adjusted=word))
        assert market.instruments.loc["NTES", "adjustment"] == "split"
        assert any("NTES.csv: split-adjusted prices (as told)" in note for note in market.notes)


def test_a_line_without_a_split_is_as_printed_whatever_its_vendor_does(tmp_path: Path) -> None:
    """Called split-adjusted it would lose its lots and minimum fees for nothing."""
    files = pair()
    files["9988.HK"]["Close"] = files["9988.HK"]["Close"].round(0)
    market = load_market(folder_saying(tmp_path / "prices", files, adjusted="split"))
    assert market.instruments["adjustment"].tolist() == ["raw", "raw"]
    told = load_market(tmp_path / "prices", adjusted="split")
    assert told.instruments["adjustment"].tolist() == ["split", "split"]


def test_a_split_after_the_prices_were_fetched_is_not_in_them(tmp_path: Path) -> None:
    """Prices of 2022 fetched in 2022 know nothing of LU's one for four in December 2023."""
    action = next(action for action in ACTIONS if action.adr == "LU")
    files = pair("LU", "6623.HK", "2023-09-01", "2023-11-30", action.before)
    said = {"adjusted": "split", "fetched_at": "2023-12-01T00:00:00Z"}
    market = load_market(folder_saying(tmp_path / "early", files, **said))
    assert market.instruments.loc["LU", "adjustment"] == "raw"
    assert market.ratios["ordinary_per_ads"].tolist() == [action.before]
    adjusted = {**files, "LU": files["LU"].assign(**{c: files["LU"][c] / 0.25 for c in ("Open", "Close")})}
    late = folder_saying(tmp_path / "late", adjusted, **(said | {"fetched_at": "2024-02-01T00:00:00Z"}))
    market = load_market(late)
    assert market.instruments.loc["LU", "adjustment"] == "split"
    np.testing.assert_allclose(market.ratios["ordinary_per_ads"], [action.after])


def test_the_caller_says_more_than_the_folder(tmp_path: Path) -> None:
    files, _ = split_pair(NTES, ads_adjusted=False, hk_adjusted=False)
    folder = folder_saying(tmp_path / "prices", files, adjusted="split")
    with pytest.raises(DataError, match=r"jumps from .* at the split"):
        load_market(folder)
    for told in ("raw", {"NTES": "raw"}):
        assert load_market(folder, adjusted=told).instruments.loc["NTES", "adjustment"] == "raw"  # type: ignore[arg-type]
    fund = closes("XNYS", *files["NTES"]["Date"].iloc[[0, -1]].dt.strftime("%Y-%m-%d"))
    files |= {"KWEB": fund}
    folder = folder_saying(tmp_path / "three", files, adjusted={"NTES": "raw", "KWEB": "raw"})
    market = load_market(folder, adjusted={"KWEB": "total_return"})
    assert market.instruments["adjustment"].to_dict() == {
        "9999.HK": "split",  # as found: made up between the ticks
        "KWEB": "total_return",
        "NTES": "raw",
    }


def test_a_file_of_adjusted_closes_is_total_return_whatever_is_said_of_all(tmp_path: Path) -> None:
    fund = closes("XNYS", "2022-01-04", "2022-03-31")
    fund = fund.rename(columns={"Open": "Adj Open", "Close": "Adj Close"})
    for word in ("raw", "split"):
        market = load_market(folder_saying(tmp_path / word, {"KWEB": fund}, adjusted=word))
        assert market.instruments["adjustment"].tolist() == ["total_return"]


REFUSED: dict[str, tuple[str, str]] = {
    "no json": ("{format: 1}", "entrepot.json is no JSON .*: correct it or delete it"),
    "empty": ("", "entrepot.json is no JSON"),
    "a list": ("[1]", r"entrepot.json holds \[1\]: it is an object"),
    "no format": ("{}", 'entrepot.json has format None: this version of entrepot reads "format": 1'),
    "format of tomorrow": ('{"format": 2}', "entrepot.json has format 2"),
    "format in words": ('{"format": "1"}', "entrepot.json has format '1'"),
    "format true": ('{"format": true}', "entrepot.json has format True"),
    "unknown key": (
        '{"format": 1, "currency": "USD"}',
        r"entrepot.json has \['currency'\]: it may have format",
    ),
    "source": ('{"format": 1, "source": 5}', "entrepot.json has source 5: it is text"),
    "fx_time": ('{"format": 1, "fx_time": "noon"}', "entrepot.json has fx_time 'noon': write it as '14:15"),
    "fx_time null": ('{"format": 1, "fx_time": null}', "entrepot.json has fx_time None"),
    "adjusted": (
        '{"format": 1, "adjusted": "yes"}',
        "entrepot.json has adjusted 'yes': it is one of raw, split",
    ),
    "adjusted by symbol": ('{"format": 1, "adjusted": {"BABA": 1}}', "entrepot.json has adjusted 1"),
    "a stranger": (
        '{"format": 1, "adjusted": {"JD": "raw"}}',
        "entrepot.json names JD in adjusted, which has no",
    ),
    "fetched": (
        '{"format": 1, "fetched_at": "soon"}',
        "entrepot.json has fetched_at 'soon': it is a time with",
    ),
    "fetched without zone": (
        '{"format": 1, "fetched_at": "2026-01-01"}',
        "fetched_at '2026-01-01': it is a time",
    ),
    "fetched as a number": ('{"format": 1, "fetched_at": 1769850000}', "fetched_at 1769850000: it is a time"),
    "fetched by symbol": ('{"format": 1, "fetched_at": {"BABA": null}}', "fetched_at None"),
    "deep": ("[" * 100_000, "entrepot.json is no JSON"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_understood_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    text, words = REFUSED[name]
    folder = write(tmp_path / "prices", pair())
    (folder / MANIFEST).write_text(text)
    with pytest.raises(DataError, match=words) as error:
        load_market(folder)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300
    assert error.value.__cause__ is None


def test_one_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "prices", pair())
    (folder / MANIFEST).write_bytes(b"\xff\xfe{")
    with pytest.raises(DataError, match=r"entrepot.json cannot be read .*: write it again or delete it"):
        load_market(folder)
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()
    with pytest.raises(DataError, match=r"entrepot.json cannot be read"):
        load_market(folder)


def test_it_is_written_as_it_is_read() -> None:
    time = pd.Timestamp("2026-01-31 09:30:05", tz="UTC")
    for manifest in (
        Manifest(),
        Manifest("a desk", {"": time}, {"": "raw"}, "16:00 Europe/London"),
        Manifest("two", {"": time, "BABA": time}, {"": "raw", "9988.HK": "split"}),
        Manifest().with_fetched("BABA", "Yahoo", time, "split", "23:59 Europe/London"),
        Manifest().with_fetched("HKD=X", "Yahoo", time, "split", "23:59 Europe/London"),
    ):
        assert parse_manifest(manifest.text()) == manifest
