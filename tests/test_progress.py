"""The bar over what is long, and a program that has nowhere to show it."""

from __future__ import annotations

import io
import sys

import pandas as pd
import pytest

import entrepot as ep
from entrepot.markets.market import Market
from entrepot.progress import progress_bar


@pytest.mark.parametrize("show", [True, False, None])
def test_without_a_standard_error_there_is_no_bar(show: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress_bar(range(3), show=show)) == [0, 1, 2]
    with progress_bar(show=show, total=2, dynamic_ncols=True) as bar:
        bar.set_description_str("one", refresh=False)
        bar.update()
        bar.refresh()


@pytest.mark.parametrize(("show", "shown"), [(True, True), (False, False), (None, False)])
def test_a_bar_goes_to_standard_error(
    show: bool | None, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # which is no terminal
    assert list(progress_bar(range(3), show=show, desc="wrong dates")) == [0, 1, 2]
    assert ("wrong dates: 100%" in sys.stderr.getvalue()) is shown


def test_a_sweep_runs_without_a_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    days = pd.bdate_range("2022-01-03", periods=30)
    market = Market.from_prices(pd.DataFrame({"A": 100.0 + pd.RangeIndex(30)}, index=days))
    monkeypatch.setattr(sys, "stderr", None)
    made = ep.sweep(market, ep.SectorRotation(lookback=5, top=1), {"lookback": [3, 4]})
    assert len(made.table) == 2
