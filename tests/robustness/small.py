"""The small market, path, run and sweep that bad inputs are tried on, each made once."""

from __future__ import annotations

from functools import cache

import pandas as pd

import entrepot as ep

# Text that pandas reads as one day or moment and others as another: by the month first, or as of today.
LOOSE_DATES = (
    "02/03/2021",
    "2/3/2021",
    "03-02-2021",
    "02.03.2021",
    "2021",
    "2021-03",
    "today",
    "now",
    "18:00",
)
LOOSE_TIMES = (
    "02/03/2021 09:00+08:00",
    "02-03-2021 09:00Z",
    "02.03.2021 09:00Z",
    "2021/03/02 09:00Z",
    "Mar 2 2021 18:00Z",
    "20210302T1800Z",
    "18:00Z",
    "now",
)


@cache
def market() -> ep.Market:
    return ep.simulate_market("2021-01-04", "2021-04-30", seed=3)


@cache
def other_market() -> ep.Market:
    """The same lines over other sessions."""
    return ep.simulate_market("2022-01-04", "2022-04-29", seed=3)


@cache
def path() -> ep.RegimePath:
    return ep.RegimeModel().walk_forward(market(), ep.load_events())


@cache
def run() -> ep.Result:
    return ep.backtest(market(), ep.LongHKShortADR(lookback=10), path=path())


@cache
def swept() -> ep.Sweep:
    grid = {"lookback": [10, 20], "entry": [0.8, 1.2]}
    return ep.sweep(market(), ep.LongHKShortADR(), grid, progress=False)


def weights(symbol: str = "BABA", *values: float) -> pd.DataFrame:
    """Weights of one line on two sessions of the market."""
    dates = pd.DatetimeIndex(["2021-02-01", "2021-02-02"], name="date")
    return pd.DataFrame({symbol: values or [0.5, 0.4]}, index=dates)
