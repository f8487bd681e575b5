"""Small markets and series for the trades on series of one's own."""

from __future__ import annotations

import numpy as np
import pandas as pd

from entrepot.markets.known_series import KnownSeries

NAMES = ("0857.HK", "0883.HK", "0941.HK", "1000.HK", "1001.HK", "1002.HK", "1003.HK")


def world(make_market, line, count=90, seed=1, shorts=("0941.HK", "1001.HK", "1003.HK"), **changes):
    """Seven Hong Kong lines, one of which lists late and one stops, two funds, an ADR pair and an index."""
    rng = np.random.default_rng(seed)
    levels, rows = {}, {}
    for name in (*NAMES, "2800.HK", "MCHI", "AD3", "AD0", "^HSI"):
        levels[name] = 50 * np.exp(0.02 * rng.standard_normal(count).cumsum())
        levels[name][rng.integers(0, count, 4)] = np.nan
    levels["1001.HK"][: count // 4] = np.nan
    levels["1002.HK"][count - 25 :] = np.nan
    for name in NAMES:
        rows[name] = line(name, "ordinary", shortable=name in shorts)
    for adr, hk in (("AD3", "1003.HK"), ("AD0", "1000.HK")):
        rows[adr] = line(adr, "ads", pair=hk, shortable=adr != "AD0")
        rows[hk]["pair"] = adr
    rows |= {name: line(name, "etf") for name in ("2800.HK", "MCHI")} | {"^HSI": line("^HSI", "index")}
    changes.setdefault("hk_holidays", ("2022-02-01", "2022-02-02", "2022-02-03", "2022-02-04"))
    return make_market(levels, {name: rows[name] for name in levels}, **changes)


def daily(market, columns, seed=2, scale=1.0, level=0.0, holes=0.15, early=20):
    """A series by session, from before the market on, with holes; known in the evening or days later."""
    rng = np.random.default_rng(seed)
    first, last = market.grid["session"].iloc[0], market.grid["session"].iloc[-1]
    dates = pd.bdate_range(first - pd.Timedelta(days=early), last)
    values = level + scale * rng.standard_normal((len(dates), len(columns))).cumsum(axis=0) / 10
    values[rng.random(values.shape) < holes] = np.nan
    values[40:58] = np.nan  # a pause longer than any series stays fresh
    late = np.where(rng.random(len(dates)) < 0.1, 40, rng.integers(9, 34, len(dates)))
    known = np.maximum.accumulate((dates + pd.to_timedelta(late, unit="h")).as_unit("ns").asi8)
    frame = pd.DataFrame(values, index=dates, columns=list(columns))
    return KnownSeries("series", frame, pd.DatetimeIndex(known, tz="UTC"))


def monthly(first, rows, columns=("market",), seed=3, level=100.0, spread=0.5):
    """One row a month dated by its end, known nine days later; a few empty."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range(first, periods=rows, freq="ME")
    values = level * np.exp(spread * rng.standard_normal((rows, len(columns))))
    return KnownSeries(
        "months",
        pd.DataFrame(values, index=dates, columns=list(columns)),
        (dates + pd.Timedelta(days=9)).tz_localize("UTC"),
    )


def given(values, columns=("market",), first="2022-01-03", hours=12, freq="B"):
    """A series of these values from a date on, each known some hours after its date begins in UTC."""
    values = np.asarray(values, dtype=float).reshape(-1, len(columns))
    dates = pd.date_range(first, periods=len(values), freq=freq)
    return KnownSeries(
        "given",
        pd.DataFrame(values, index=dates, columns=list(columns)),
        (dates + pd.Timedelta(hours=hours)).tz_localize("UTC"),
    )


def assert_agrees(targets, market, naive):
    """The weights that stand at each decision are the slow ones, and a number is said only on a change."""
    from entrepot.strategies.targets import decisions

    steps = decisions(market)
    single, paired = targets.standing()
    names = [*market.symbols, *(hk for hk, _ in targets.pairs)]
    standing = np.hstack([single, paired])[steps]
    expected = np.array([[row.get(name, 0.0) for name in names] for row in naive])
    if targets.pairs:
        expected[:, : len(market.symbols)] = 0.0
    np.testing.assert_allclose(standing, expected, rtol=1e-12, atol=1e-15)
    said = np.isfinite(np.hstack([targets.weights, targets.pair_weights]))
    assert not np.delete(said, steps, axis=0).any()
    before = np.vstack([np.zeros((1, expected.shape[1])), standing[:-1]])
    np.testing.assert_array_equal(said[steps], standing != before)
    return int(said.sum())
