"""A catalogue of price files that cannot be trusted: each is refused by name in one sentence with the fix."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from price_folders import ACTIONS, closes, long, pair, split_pair, write

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.markets.data_check import check_data
from entrepot.markets.load import load_market


def sentence(error: pytest.ExceptionInfo[EntrepotError]) -> str:
    """The message, which is one sentence of one line that names no file of ours."""
    text = str(error.value)
    assert "\n" not in text
    assert "Traceback" not in text
    assert 20 < len(text) < 420
    assert not text.endswith(".")
    assert error.value.__cause__ is None
    return text


@pytest.mark.parametrize(
    ("start", "end"),
    [("2030-01-01", None), (None, "2001-01-01"), ("2022-03-01", "2022-02-01"), ("2022-01-08", "2022-01-09")],
)
def test_a_range_without_prices_is_refused(start: str | None, end: str | None) -> None:
    with pytest.raises(EntrepotError, match=r"no (prices|session|line)") as error:
        load_market(long(pair()), start=start, end=end)
    sentence(error)


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no CSV or Parquet file") as error:
        load_market(tmp_path)
    sentence(error)
    with pytest.raises(DataError, match="there is no file or folder"):
        load_market(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "source", [None, 7, 3.5, ["prices"], {"BABA": 1}, closes("XNYS", "2022-01-04", "2022-01-31")["Close"]]
)
def test_a_source_of_the_wrong_type_is_refused(source: object) -> None:
    with pytest.raises(
        ParameterError, match=r"it reads a folder, the path of a CSV or Parquet file, or a DataFrame"
    ):
        load_market(source)  # type: ignore[arg-type]


def test_a_long_table_without_a_symbol_column_is_refused(tmp_path: Path) -> None:
    closes("XNYS", "2022-01-04", "2022-01-31").to_csv(tmp_path / "BABA.csv", index=False)
    for source in (tmp_path / "BABA.csv", closes("XNYS", "2022-01-04", "2022-01-31")):
        with pytest.raises(DataError, match="has no symbol column") as error:
            load_market(source)
        sentence(error)
    table = long(pair())
    table.loc[3, "symbol"] = None
    with pytest.raises(DataError, match="rows without a symbol"):
        load_market(table)
    with pytest.raises(DataError, match="has no rows"):
        load_market(table.iloc[:0])
    (tmp_path / "all.txt").write_text("x")
    with pytest.raises(DataError, match="neither CSV nor Parquet"):
        load_market(tmp_path / "all.txt")


def refuses(*given: object) -> None:
    """What a system does that lets nobody in."""
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.mark.parametrize(
    ("look", "call"),
    [
        *product([load_market, check_data], ["iterdir", "is_symlink", "is_dir"]),
        (load_market, "is_file"),  # asked for the sizes, before anything is read
    ],
)
def test_a_folder_that_may_not_be_read_is_refused(
    call: str, look: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "prices", pair())
    really = getattr(Path, call)
    # What a folder is may be asked without a right to it, what is in it may not.
    monkeypatch.setattr(
        Path, call, lambda path: really(path) if path == folder and call != "iterdir" else refuses()
    )
    with pytest.raises(DataError, match=r"the folder 'prices' cannot be read .Permission denied.: give"):
        look(folder)


@pytest.mark.parametrize("look", [load_market, check_data])
def test_the_working_folder_may_be_gone(
    look: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(DataError, match=r"there is no file or folder '\.' to load prices from: check"):
        look(".")


def test_a_long_file_inside_a_folder_is_refused(tmp_path: Path) -> None:
    long(pair()).to_csv(tmp_path / "all.csv", index=False)
    with pytest.raises(DataError, match=r"all.csv holds several symbols"):
        load_market(tmp_path)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: f"{a.adr}-{a.date}")
def test_a_pair_told_to_be_what_it_is_not_is_refused_at_its_split(action: object) -> None:
    for line, factor in (("ads", action.ads_factor), ("hk", action.hk_factor)):  # type: ignore[attr-defined]
        symbol = action.adr if line == "ads" else action.hk  # type: ignore[attr-defined]
        if factor == 1:
            continue
        for adjusted in (True, False):
            told = {symbol: "raw" if adjusted else "split"}
            files, _ = split_pair(action, ads_adjusted=adjusted, hk_adjusted=adjusted)  # type: ignore[arg-type]
            with pytest.raises(DataError, match=r"jumps from .* at the split of|times its parity") as error:
                load_market(long(files), adjusted=told)  # type: ignore[arg-type]
            assert symbol in sentence(error)


@pytest.mark.parametrize("days", [119, 120])
def test_opens_as_printed_beside_closes_less_dividends_are_refused(days: int) -> None:
    # As where Adj Close was saved as Close: 4 % were paid after the year.
    fund = closes("XNYS", "2021-01-04", "2022-03-31")
    fund.loc[fund["Date"] < "2022-01-01", "Close"] *= 0.96
    fund = fund.drop(fund.index[days : fund["Date"].searchsorted("2022-01-01")])
    if days < 120:  # too few to tell from a fall
        assert len(load_market(long({"KWEB": fund})))
        return
    with pytest.raises(DataError, match=r"has opens that in 2021 lie \+4\.\d% from the closes in the median"):
        load_market(long({"KWEB": fund}))


def test_adj_close_alone_cannot_be_told_to_be_raw() -> None:
    fund = closes("XNYS", "2022-01-04", "2022-03-31")
    fund = fund.rename(columns={"Open": "Adj Open", "Close": "Adj Close"})
    with pytest.raises(
        DataError, match="has only Adj Close, which is total return, and was said to be 'raw'"
    ):
        load_market(long({"KWEB": fund}), adjusted={"KWEB": "raw"})
    assert load_market(long({"KWEB": fund}), adjusted="raw").instruments["adjustment"].tolist() == [
        "total_return"
    ]


def test_cutting_before_the_start_is_refused() -> None:
    files = pair() | {"KWEB": closes("XNYS", "2022-01-04", "2022-01-31")}
    with pytest.raises(
        DataError, match="ends='cut' would end the market before it starts: the prices of KWEB"
    ) as error:
        load_market(long(files), start="2022-03-01", ends="cut")
    sentence(error)
