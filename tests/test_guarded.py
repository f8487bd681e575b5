"""What a market, a path, a result and a sweep hand out is nobody's to write into."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import entrepot as ep

SYMBOLS = ["BABA", "9988.HK", "KWEB", "FXI"]


def simulated() -> ep.Market:
    return ep.simulate_market("2021-01-04", "2021-12-30", symbols=SYMBOLS, seed=7)


@lru_cache
def owners() -> dict[str, Any]:
    market = simulated()
    path = ep.RegimeModel().walk_forward(market, ep.load_events(), progress=False)
    strategy = ep.LongHKShortADR()
    dates = pd.bdate_range("2021-01-04", periods=20)
    values = pd.DataFrame({"date": dates, "value": np.arange(20.0)})
    return {
        "events": ep.load_events(),
        "listings": ep.load_listings(),
        "sectors": ep.load_sectors(),
        "series": ep.load_series(values),
        "tariffs": ep.load_tariff_levels(),
        "truth": market.truth,
        "market": market,
        "path": path,
        "result": ep.backtest(market, strategy, path=path),
        "sweep": ep.sweep(market, strategy, {"entry": [1.0, 2.0]}, progress=False),
    }


def shown(owner: Any) -> Iterator[tuple[str, Any]]:
    """Everything public that is no method, by name."""
    for name in sorted(set(dir(owner))):
        if not name.startswith("_") and not callable(value := getattr(owner, name)):
            yield name, value


def spoil(value: Any) -> bool:
    """Write into a table or array in every way there is; whether it was one."""
    if isinstance(value, np.ndarray):
        with pytest.raises(ValueError, match="read-only"):
            value[...] = value
        return True
    if not isinstance(value, pd.DataFrame | pd.Series):
        return False
    if isinstance(value, pd.DataFrame):
        for column in list(value.columns):
            value[column] = 0
        value.insert(0, ("another",) * value.columns.nlevels if value.columns.nlevels > 1 else "another", 1)
    elif len(value):
        value.iloc[:] = value.iloc[0]
        value.loc[value.index[-1]] = value.iloc[0]
    value.index.name = "spoilt"
    return True


# How many tables and arrays each shows at least.
TABLES = {
    "events": 1,
    "listings": 5,
    "market": 20,
    "path": 4,
    "result": 8,
    "sectors": 1,
    "series": 1,
    "sweep": 1,
    "tariffs": 1,
    "truth": 5,
}


@pytest.mark.parametrize("name", TABLES)
def test_what_is_written_into_what_is_handed_out_is_seen_by_nobody(name: str) -> None:
    owner = owners()[name]
    before = {each: value.copy() for each, value in shown(owner) if hasattr(value, "copy")}
    spoilt = [each for each, value in shown(owner) if spoil(value)]
    assert len(spoilt) >= TABLES[name], spoilt
    for each, value in shown(owner):
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, before[each])
        elif isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(value, before[each])
        elif isinstance(value, pd.Series):
            pd.testing.assert_series_equal(value, before[each])


def test_what_a_strategy_does_to_a_mask_or_a_rate_stays_with_it() -> None:
    @ep.strategy
    def rude(market: ep.Market) -> ep.Targets:
        fx = market.fx
        fx["HKD"] = 1.0 / fx["HKD"]
        with pytest.raises(ValueError, match="read-only"):
            market.decision_steps[:60] = False
        ask = market.decision_steps.copy()
        ask[:60] = False
        close = market.price.loc[ask, ["KWEB", "FXI"]]
        return ep.Targets.from_frame(market, (close > 0) * 0.4, drift_band=0.1)

    market = simulated()
    alone = ep.backtest(market, ep.LongHKShortADR()).summary()
    ep.backtest(market, rude)
    pd.testing.assert_series_equal(ep.backtest(market, ep.LongHKShortADR()).summary(), alone)


def test_tables_are_copied_when_a_market_is_made() -> None:
    market = simulated()
    tables = {name: value.copy() for name, value in shown(market) if isinstance(value, pd.DataFrame)}
    given = {name: tables[name].copy() for name in ("grid", "price", "instruments", "fixings", "ratios")}
    other = ep.Market(**given)
    for name, table in given.items():
        table.iloc[:, -1] = table.iloc[0, -1]
        pd.testing.assert_frame_equal(getattr(other, name), tables[name])


def test_summaries_do_not_change_with_what_a_notebook_does_to_the_tables() -> None:
    result = owners()["result"]
    before, sources = result.summary(), result.by_source()
    equity = result.equity
    equity /= equity.iloc[0]
    returns = result.returns
    returns *= 100
    fills = result.fills
    fills["notional"] = 0.0
    contributions = result.contributions
    contributions.iloc[:] = 1.0
    pd.testing.assert_series_equal(result.summary(), before)
    assert result.by_source().equals(sources)
