"""Observations: by hand on tiny markets, against their plain twins, and cut at any step."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from time import process_time

import naive_observations as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from worlds import switches, worlds

from entrepot.errors import DataError, EntrepotError, ParameterError
from entrepot.markets.load import load_market
from entrepot.markets.market import Market, empty_table
from entrepot.markets.sessions import build_grid
from entrepot.markets.simulate import simulate_market
from entrepot.markets.simulated_effects import Effects
from entrepot.regimes.observations import (
    basket_return,
    hk_minus_adr,
    on_steps,
    parity_gap,
    realised_volatility,
    sector_dispersion,
)

EVERY_ONE = {
    "gap": parity_gap,
    "raw gap": partial(parity_gap, align="same_date", span=1),
    "dispersion": partial(parity_gap, statistic="dispersion", span=1, log=True),
    "widening": partial(parity_gap, statistic="widening", window=3),
    "hk_minus_adr": hk_minus_adr,
    "mean hk_minus_adr": partial(hk_minus_adr, average="mean", min_pairs=1),
    "sectors": sector_dispersion,
    "hk sectors": partial(sector_dispersion, universe="hk", log=True),
    "adr sectors": partial(sector_dispersion, universe="adr"),
    "volatility": realised_volatility,
    "return": basket_return,
    "hk return": partial(basket_return, symbols=["0700.HK", "3690.HK"]),
}
ONE_EACH = {
    "parity_gap": parity_gap,
    "hk_minus_adr": hk_minus_adr,
    "sector_dispersion": sector_dispersion,
    "realised_volatility": realised_volatility,
    "basket_return": basket_return,
}
LINES = {"AA": "0001.HK", "BB": "0002.HK", "CC": "0003.HK"}
SECTORS = {"AA": "auto", "BB": "it", "CC": "energy"}


@pytest.fixture(scope="module")
def simulated() -> Market:
    return simulate_market(start="2018-01-02", end="2025-12-31", seed=7)


@pytest.fixture(scope="module")
def winter(simulated: Market) -> Market:
    """Lunar New Year of 2021, the ADS of China Mobile gone on 8 January, ex-dates of March and April."""
    return simulated.between("2020-12-14", "2021-04-30")


@pytest.fixture(scope="module")
def real(real_prices) -> Market:
    return load_market(real_prices, start="2019-06-03", ends="cut")


# -- a tiny market -------------------------------------------------------------------------------------------
# Three pairs from Monday 28 June to Friday 9 July 2021, closes only. Thursday 1 July is a holiday of Hong
# Kong, Monday 5 July one of New York.


def tiny(adr=None, hk=None, **tables) -> Market:
    """Three pairs at parity, 10 USD and 78 HKD at 7.8 HKD per USD, save for prices given by symbol and date.

    `adr` and `hk` hold, by symbol, prices by date: each stands from its date until the next.
    """
    grid = build_grid(["XHKG", "XNYS"], "2021-06-28", "2021-07-09", ("close",))
    time = pd.DatetimeIndex(grid["time"])
    given = {**(adr or {}), **(hk or {})}
    price, instruments = {}, {}
    for symbol in (*LINES, *LINES.values()):
        hong_kong = symbol.endswith(".HK")
        level = pd.Series(78.0 if hong_kong else 10.0, index=pd.DatetimeIndex(grid["session"]))
        for date, value in sorted(given.get(symbol, {}).items()):
            level.loc[level.index >= date] = value
        own = grid["venue"] == ("XHKG" if hong_kong else "XNYS")
        price[symbol] = np.where(own, level.to_numpy(), np.nan)
        partner = {v: k for k, v in LINES.items()}[symbol] if hong_kong else LINES[symbol]
        instruments[symbol] = {
            "venue": "XHKG" if hong_kong else "XNYS",
            "currency": "HKD" if hong_kong else "USD",
            "company": partner,
            "sector": SECTORS[partner if hong_kong else symbol] + ":part",
            "kind": "ordinary" if hong_kong else "ads",
            "pair": partner,
            "lot": 100.0 if hong_kong else 1.0,
            "adjustment": "raw",
            "shortable": True,
            "size": "mid",
            "withholding": 0.0,
            "fee_class": "hk_stock" if hong_kong else "us_stock",
        }
    days = pd.date_range("2021-06-25 12:15", "2021-07-09 12:15", tz="UTC").as_unit("ns")
    rows = {
        "fixings": {"time": days, "currency": "HKD", "per_usd": 7.8},
        "ratios": {
            "adr": list(LINES),
            "effective_from": pd.Timestamp("2020-01-01"),
            "ordinary_per_ads": 1.0,
        },
        **tables,
    }
    return Market(
        grid=grid,
        price=pd.DataFrame(price, index=time),
        instruments=pd.DataFrame.from_dict(instruments, orient="index").rename_axis("symbol"),
        **{name: made(name, rows[name]) for name in rows},
        label="tiny",
    )


def made(name: str, columns: dict) -> pd.DataFrame:
    empty = empty_table(name)
    return pd.DataFrame(columns)[list(empty.columns)].astype(empty.dtypes.to_dict())


def dividends(*rows: tuple[str, str, float]) -> dict:
    symbol, ex, amount = zip(*rows, strict=True)
    return {"symbol": symbol, "ex_date": pd.DatetimeIndex(ex), "pay_date": pd.NaT, "amount": amount}


def by_day(rows: pd.DataFrame) -> dict[str, float]:
    return {f"{session:%m-%d}": value for session, value in rows["value"].items()}


DAYS = ["06-28", "06-29", "06-30", "07-01", "07-02", "07-06", "07-07", "07-08", "07-09"]


@pytest.mark.parametrize("observe", ONE_EACH.values(), ids=ONE_EACH)
def test_rows_are_new_yorks_sessions_known_at_their_closes(observe) -> None:
    rows = observe(tiny()) if observe is not realised_volatility else observe(tiny(), window=2)
    assert rows.index.strftime("%m-%d").tolist() == DAYS
    assert rows.index.name == "session"
    assert rows.index.dtype == "datetime64[ns]"
    assert rows.columns.tolist() == ["value", "known_at"]
    assert rows["known_at"].dtype == "datetime64[ns, UTC]"
    # New York closes at 16:00, which is 20:00 UTC in summer.
    assert rows["known_at"].dt.strftime("%m-%d %H:%M").tolist() == [f"{day} 20:00" for day in DAYS]
    assert rows["value"].dtype == np.float64


def test_the_gap_is_the_median_of_the_pairs_and_missing_on_holidays_of_hong_kong() -> None:
    # Discounts of 10 % and 20 %; the third pair is at parity.
    market = tiny(adr={"AA": {"2021-06-28": 9.0}, "BB": {"2021-06-28": 8.0}})
    same = by_day(parity_gap(market, align="same_date", span=1))
    assert np.isnan(same.pop("07-01"))
    assert list(same.values()) == pytest.approx([-0.1] * 8, abs=1e-15)
    mid = by_day(parity_gap(market, span=1))
    assert np.isnan(mid.pop("06-28"))  # no close of New York before it
    assert np.isnan(mid.pop("07-01"))
    assert list(mid.values()) == pytest.approx([-0.1] * 7, abs=1e-15)
    # abs(p - median): 0, 0.1 and 0.1.
    spread = by_day(parity_gap(market, align="same_date", span=1, statistic="dispersion"))
    assert spread["07-02"] == pytest.approx(0.1, abs=1e-15)
    logs = by_day(parity_gap(market, align="same_date", span=1, statistic="dispersion", log=True))
    assert logs["07-02"] == pytest.approx(np.log(0.1))
    nothing = by_day(parity_gap(tiny(), span=1, statistic="dispersion", log=True))
    assert np.isnan(nothing["07-02"])  # all premia are equal: there is no logarithm of 0


def test_mid_averages_both_closes_of_new_york_around_hong_kongs() -> None:
    # All pairs alike. New York at 10, 11 on 1 July, 12 on 2 July, 13 on 6 July; Hong Kong 78, on 5 July 156.
    adr = {s: {"2021-07-01": 11.0, "2021-07-02": 12.0, "2021-07-06": 13.0} for s in LINES}
    hk = {s: {"2021-07-05": 156.0, "2021-07-06": 78.0} for s in LINES.values()}
    mid = by_day(parity_gap(tiny(adr, hk), span=1))
    assert mid["06-30"] == pytest.approx(0.0, abs=1e-15)
    assert np.isnan(mid["07-01"])
    assert mid["07-02"] == pytest.approx((0.1 + 0.2) / 2)  # 1 and 2 July over Hong Kong's 2 July
    # 2 July over Hong Kong's 5 July, which New York did not see, and 6 July over its own date.
    assert mid["07-06"] == pytest.approx((12 / 20 - 1 + 0.3) / 2)
    assert mid["07-07"] == pytest.approx((0.3 + 0.3) / 2)
    change = by_day(hk_minus_adr(tiny(adr, hk)))
    assert np.isnan(change["06-29"])  # the first that has both is the day's own
    assert change["06-30"] == pytest.approx(0.0, abs=1e-15)
    assert np.isnan(change["07-01"])
    first = (np.log(1.1) + np.log(1.2)) / 2
    assert change["07-02"] == pytest.approx(-first)  # since 30 June
    assert change["07-06"] == pytest.approx(first - (np.log(12 / 20) + np.log(1.3)) / 2)
    assert change["07-08"] == pytest.approx(0.0, abs=1e-15)


def test_hk_minus_adr_is_hong_kongs_return_less_the_mean_of_two_sessions_of_new_york() -> None:
    adr = {s: {"2021-07-06": 10.0, "2021-07-07": 10.5, "2021-07-08": 12.0} for s in LINES}
    hk = {s: {"2021-07-07": 78.0, "2021-07-08": 80.0} for s in LINES.values()}
    change = by_day(hk_minus_adr(tiny(adr, hk)))
    expected = np.log(80 / 78) - (np.log(12 / 10.5) + np.log(10.5 / 10)) / 2
    assert change["07-08"] == pytest.approx(expected)
    # New York's news in one session, Hong Kong's in the next: the noise of both signs cancels in the sum.
    adr = {s: {"2021-07-06": 11.0} for s in LINES}
    hk = {s: {"2021-07-07": 85.8} for s in LINES.values()}
    change = by_day(hk_minus_adr(tiny(adr, hk)))
    assert change["07-06"] == pytest.approx(-np.log(1.1) / 2)
    assert change["07-07"] == pytest.approx(np.log(1.1) / 2)


@pytest.mark.parametrize(("back", "has_a_change"), [("2021-07-06", True), ("2021-07-07", False)])
def test_a_change_spans_five_rows_and_no_more(back: str, has_a_change: bool) -> None:
    # New York is silent from 30 June: the last with both its closes is 29 June, the next the second one back.
    market = tiny(adr={s: {"2021-06-30": np.nan, back: 11.0} for s in LINES})
    change = by_day(hk_minus_adr(market))
    first, second = DAYS[DAYS.index(back[5:]) + 1 :][:2]
    assert change[first] == pytest.approx(-np.log(1.1) if has_a_change else np.nan, nan_ok=True)
    assert change[second] == pytest.approx(0.0, abs=1e-15)


def test_few_pairs_make_no_value() -> None:
    late = {"AA": {"2021-06-28": np.nan, "2021-07-07": 9.0}, "BB": {"2021-06-28": np.nan, "2021-07-06": 8.0}}
    market = tiny(adr=late)
    raw = partial(parity_gap, market, align="same_date", span=1)
    days = ["06-30", "07-02", "07-06", "07-07", "07-08"]
    assert [by_day(raw())[d] for d in days] == pytest.approx([np.nan, np.nan, -0.1, -0.1, -0.1], nan_ok=True)
    assert [by_day(raw(min_pairs=1))[d] for d in days] == pytest.approx([0.0, 0.0, -0.1, -0.1, -0.1])
    assert [by_day(raw(min_pairs=3))[d] for d in days] == pytest.approx(
        [np.nan] * 3 + [-0.1] * 2, nan_ok=True
    )
    # Who is listed late comes with a discount: that widens nothing and earns nothing.
    wider = by_day(raw(statistic="widening", window=1, min_pairs=1))
    assert [wider[d] for d in ("07-06", "07-07", "07-08")] == pytest.approx([0.0] * 3, abs=1e-15)
    earned = hk_minus_adr(market, min_pairs=1)["value"].dropna()
    assert len(earned) == 6
    assert earned.abs().max() < 1e-14


def test_widening_is_positive_where_discounts_grow() -> None:
    market = tiny(adr={s: {"2021-07-08": 9.0} for s in LINES})
    rows = by_day(parity_gap(market, align="same_date", span=1, statistic="widening", window=2))
    assert [rows[d] for d in ("07-07", "07-08", "07-09")] == pytest.approx([0.0, 0.1, 0.1], abs=1e-15)
    assert np.isnan(rows["06-29"])  # no row so far before
    assert np.isnan(rows["07-01"])
    assert np.isnan(rows["07-06"])  # two rows before, Hong Kong was shut


def test_smoothing_weighs_by_age_in_the_pairs_own_sessions() -> None:
    market = tiny(adr={s: {"2021-06-28": 10.0, "2021-06-30": 9.0, "2021-07-02": 8.0} for s in LINES})
    rows = by_day(parity_gap(market, align="same_date", span=3))  # half of the weight a session
    assert rows["06-29"] == pytest.approx(0.0, abs=1e-15)
    assert rows["06-30"] == pytest.approx(-0.1 / 1.75)
    assert np.isnan(rows["07-01"])  # and it does not age what came before
    assert rows["07-02"] == pytest.approx((-0.2 - 0.1 / 2) / 1.875)


@pytest.mark.parametrize("hk_factor", [1.0, 2.0])
def test_a_split_is_no_jump(hk_factor: float) -> None:
    # On 7 July AA's ADS splits in five, alone or with the Hong Kong share in two.
    market = tiny(
        adr={"AA": {"2021-07-07": 2.0}},
        hk={"0001.HK": {"2021-07-07": 78.0 / hk_factor}},
        ratios={
            "adr": ["AA", "AA", "BB", "CC"],
            "effective_from": pd.DatetimeIndex(["2020-01-01", "2021-07-07", "2020-01-01", "2020-01-01"]),
            "ordinary_per_ads": [1.0, hk_factor / 5, 1.0, 1.0],
        },
        splits={
            "symbol": ["AA", "0001.HK"],
            "ex_date": pd.DatetimeIndex(["2021-07-07"] * 2),
            "factor": [5.0, hk_factor],
        },
    )
    for observe, count in (
        (partial(parity_gap, span=1, min_pairs=3), 7),
        (partial(parity_gap, span=1, min_pairs=3, statistic="dispersion"), 7),
        (partial(hk_minus_adr, average="mean", min_pairs=3), 6),
        (partial(basket_return, symbols=["AA"]), 8),
        (partial(basket_return, symbols=["0001.HK"]), 6),
        (sector_dispersion, 6),
        (partial(sector_dispersion, universe="adr"), 8),
    ):
        value = observe(market)["value"].dropna()
        assert len(value) == count
        assert value.abs().max() < 1e-14


def test_a_dividend_between_two_ex_dates_is_no_premium() -> None:
    # 3.9 HKD and 0.5 USD, at parity; Hong Kong goes ex on 7 July, New York on 8 July.
    market = tiny(
        adr={"AA": {"2021-07-08": 9.5}},
        hk={"0001.HK": {"2021-07-07": 74.1}},
        dividends=dividends(("0001.HK", "2021-07-07", 3.9), ("AA", "2021-07-08", 0.5)),
    )
    for align, without in (("same_date", ["07-07"]), ("mid", ["07-07", "07-08"])):
        # All three are at parity whenever all three have a premium.
        all_three = parity_gap(market, align=align, span=1, min_pairs=3, statistic="dispersion")
        there = by_day(all_three)
        assert [d for d in DAYS[4:] if np.isnan(there[d])] == without
        assert all_three["value"].max() < 1e-15
        two = by_day(parity_gap(market, align=align, span=1, min_pairs=2))
        assert [two[d] for d in DAYS[4:]] == pytest.approx([0.0] * 5, abs=1e-15)
    earned = by_day(hk_minus_adr(market, average="mean", min_pairs=3))
    assert [d for d in DAYS[4:] if np.isnan(earned[d])] == ["07-07", "07-08"]
    assert earned["07-09"] == pytest.approx(0.0, abs=1e-14)
    # Returns hold it, whichever venue.
    for symbol in ("AA", "0001.HK"):
        value = basket_return(market, symbols=[symbol])["value"].dropna()
        assert value.abs().max() < 1e-14


def test_a_dividend_of_one_ex_date_lies_between_new_yorks_close_and_the_next_of_hong_kong() -> None:
    market = tiny(
        adr={"AA": {"2021-07-07": 9.5}},
        hk={"0001.HK": {"2021-07-07": 74.1}},
        dividends=dividends(("0001.HK", "2021-07-07", 3.9), ("AA", "2021-07-07", 0.5)),
    )
    same = parity_gap(market, align="same_date", span=1, min_pairs=3)["value"]
    assert same.dropna().abs().max() < 1e-15
    assert same.isna().sum() == 1  # the holiday of Hong Kong
    mid = by_day(parity_gap(market, span=1, min_pairs=3))
    assert [d for d in DAYS[4:] if np.isnan(mid[d])] == ["07-07"]
    assert hk_minus_adr(market, average="mean", min_pairs=3)["value"].dropna().abs().max() < 1e-14


def test_where_the_other_ex_date_never_comes_the_pair_is_out_for_a_week() -> None:
    market = tiny(dividends=dividends(("0001.HK", "2021-06-29", 3.9)))
    rows = by_day(parity_gap(market, align="same_date", span=1, min_pairs=3))
    assert [d for d in DAYS if np.isnan(rows[d])] == ["06-29", "06-30", "07-01", "07-02"]


def test_estimates_are_no_prints() -> None:
    kept = {"AA": {"2021-07-06": 7.0}}
    gone = {"AA": {"2021-07-06": np.nan}}
    days = pd.DatetimeIndex(["2021-07-06", "2021-07-07", "2021-07-08", "2021-07-09"])
    estimated = tiny(adr=kept, estimates={"symbol": "AA", "session": days})
    few = {"realised_volatility": {"window": 2}, "sector_dispersion": {"min_sectors": 2}}
    for name, observe in ONE_EACH.items():
        given = few.get(name, {})
        assert_same_bits(observe(estimated, **given), observe(tiny(adr=gone), **given))
    assert by_day(parity_gap(tiny(adr=kept), min_pairs=3))["07-09"] == pytest.approx(0.0, abs=1e-15)


def test_sectors_are_compared_within_one_venue_and_not_across_its_holidays() -> None:
    # On 2 July New York's autos gain 3 %, its it 0 % and its energy loses 3 %; so do Hong Kong's on 6 July.
    up, down = np.exp(0.03), np.exp(-0.03)
    adr = {"AA": {"2021-07-02": 10 * up}, "CC": {"2021-07-02": 10 * down}}
    hk = {"0001.HK": {"2021-07-06": 78 * up}, "0003.HK": {"2021-07-06": 78 * down}}
    market = tiny(adr, hk)
    assert_same_bits(sector_dispersion(market), sector_dispersion(market, universe="hk"))  # there is no ETF
    auto = by_day(sector_dispersion(market))
    assert [d for d in DAYS if np.isnan(auto[d])] == ["06-28", "07-01", "07-02"]
    assert auto["07-06"] == pytest.approx(0.03)  # ddof 1 of 0.03, 0 and -0.03
    assert auto["07-07"] == 0.0
    new_york = by_day(sector_dispersion(market, universe="adr"))
    assert [d for d in DAYS if np.isnan(new_york[d])] == ["06-28"]
    assert new_york["07-02"] == pytest.approx(0.03)
    assert new_york["07-06"] == 0.0
    logs = by_day(sector_dispersion(market, universe="adr", log=True))
    assert logs["07-02"] == pytest.approx(np.log(0.03))
    assert np.isnan(logs["07-06"])
    assert by_day(sector_dispersion(market, universe=["CC", "AA", "BB"])) == pytest.approx(
        new_york, nan_ok=True
    )


def test_a_sector_is_the_mean_of_its_lines_and_etfs_stand_alone() -> None:
    market = tiny(adr={"AA": {"2021-07-02": 10 * np.exp(0.04)}, "CC": {"2021-07-02": 10 * np.exp(-0.03)}})
    table = market.instruments.assign(sector=["auto:ev", "auto:parts", "energy"] * 2)
    two = by_day(sector_dispersion(replace(market, instruments=table), universe="adr", min_sectors=2))
    assert two["07-02"] == pytest.approx(0.05 / np.sqrt(2))  # 0.02 and -0.03
    etfs = table.assign(kind=["etf", "etf", "ads", "ordinary", "ordinary", "ordinary"])
    three = by_day(sector_dispersion(replace(market, instruments=etfs), universe=["AA", "BB", "CC"]))
    assert three["07-02"] == pytest.approx(np.std([0.04, 0.0, -0.03], ddof=1))
    auto = by_day(sector_dispersion(replace(market, instruments=etfs), min_sectors=2))
    assert auto["07-02"] == pytest.approx(0.04 / np.sqrt(2))  # the two ETFs


def test_a_basket_is_new_yorks_and_its_volatility_that_of_its_returns() -> None:
    swing = {d: 10.0 * (1.01 if i % 2 else 1.0) for i, d in enumerate(DAYS)}
    market = tiny(adr={s: {f"2021-{d}": p for d, p in swing.items()} for s in LINES})
    step = np.log(1.01)
    returns = by_day(basket_return(market))
    assert np.isnan(returns.pop("06-28"))
    assert list(returns.values()) == pytest.approx([step, -step] * 4)
    rows = by_day(realised_volatility(market, window=4))
    assert [d for d in DAYS if np.isnan(rows[d])] == DAYS[:4]
    assert rows["07-09"] == pytest.approx(np.log(step * np.sqrt(252)))
    assert realised_volatility(tiny(), window=4)["value"].isna().all()  # no logarithm of 0
    # Hong Kong's lines have no return on the holiday nor on the day after it: 6 of 8.
    assert basket_return(market, symbols=list(LINES.values()))["value"].notna().sum() == 6


def test_a_quarter_of_a_window_may_be_missing() -> None:
    price = pd.DataFrame(
        {"X": 10 * np.exp(0.01 * np.arange(12.0))}, index=pd.bdate_range("2021-06-28", periods=12)
    )
    price.iloc[6] = np.nan  # the returns of rows 6 and 7
    rows = realised_volatility(Market.from_prices(price), window=4)["value"].to_numpy()
    half = np.full(12, np.log(0.01 * np.sqrt(252)))
    half[:4] = np.nan  # the window is not full
    half[7:10] = np.nan  # two of four are missing
    np.testing.assert_allclose(rows, half, rtol=1e-12)


def test_a_market_of_one_venue_has_a_row_for_each_of_its_sessions() -> None:
    price = pd.DataFrame({"X": [10.0, 11.0, 12.1]}, index=pd.bdate_range("2021-06-28", periods=3))
    rows = basket_return(Market.from_prices(price))
    assert rows["value"].tolist() == pytest.approx([np.nan, np.log(1.1), np.log(1.1)], nan_ok=True)
    assert rows["known_at"].dt.strftime("%d %H:%M:%S").tolist() == [f"{d} 23:59:59" for d in (28, 29, 30)]


# -- against the plain twins, and cut anywhere ---------------------------------------------------------------


def agree(rows: pd.DataFrame, expected: list[float | None]) -> None:
    np.testing.assert_allclose(rows["value"], np.array(expected, dtype=np.float64), rtol=1e-9, atol=1e-12)


def assert_same_bits(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert one.index.equals(other.index)
    assert one["known_at"].equals(other["known_at"])
    assert one["value"].to_numpy().tobytes() == other["value"].to_numpy().tobytes()


def assert_cut_changes_nothing(observe, market: Market, whole: pd.DataFrame, step: int) -> None:
    now = market.grid["time"].iloc[step]
    known = whole[whole["known_at"] <= now]
    try:
        cut = observe(market.until(step))
    except DataError as error:
        assert "complete session" in str(error)  # noqa: PT017
        assert known["value"].isna().all()
        return
    assert_same_bits(cut, known)


WORLDS = worlds(
    steps=(40, 110),
    pairs=(2, 3),
    mechanisms=switches(same_step=False, stops=False, total_return=False),
)


@settings(deadline=None, max_examples=20)
@given(world=WORLDS, data=st.data())
def test_pair_observations_agree_with_their_twins_and_do_not_see_ahead(world, data) -> None:
    market = world.market
    options = {
        "statistic": data.draw(st.sampled_from(["median", "dispersion", "widening"])),
        "align": data.draw(st.sampled_from(["mid", "same_date"])),
        "span": data.draw(st.sampled_from([1.0, 3.0])),
        "window": data.draw(st.integers(1, 4)),
        "min_pairs": data.draw(st.integers(1, 3)),
    }
    log = options["statistic"] == "dispersion" and data.draw(st.booleans())
    step = data.draw(st.integers(0, len(market) - 1))
    gap = partial(parity_gap, log=log, **options)
    agree(whole := gap(market), naive.parity_gap(market, log_of=log, **options))
    assert_cut_changes_nothing(gap, market, whole, step)
    average = data.draw(st.sampled_from(["median", "mean"]))
    earned = partial(hk_minus_adr, average=average, min_pairs=options["min_pairs"])
    agree(whole := earned(market), naive.hk_minus_adr(market, average, options["min_pairs"]))
    assert_cut_changes_nothing(earned, market, whole, step)


@settings(deadline=None, max_examples=20)
@given(world=WORLDS, data=st.data())
def test_observations_of_lines_agree_with_their_twins_and_do_not_see_ahead(world, data) -> None:
    table = world.market.instruments
    words = data.draw(
        st.lists(st.sampled_from(["a", "b:x", "b:y", "c", "unclassified"]), min_size=len(table))
    )
    market = replace(world.market, instruments=table.assign(sector=words[: len(table)]))
    venue = data.draw(st.sampled_from(["XHKG", "XNYS"]))
    symbols = list(table.index[table["venue"] == venue])
    step = data.draw(st.integers(0, len(market) - 1))

    agree(whole := basket_return(market, symbols=symbols), naive.basket_return(market, symbols))
    assert_cut_changes_nothing(partial(basket_return, symbols=symbols), market, whole, step)

    window = data.draw(st.integers(2, 8))
    observe = partial(realised_volatility, symbols=symbols, window=window)
    agree(whole := observe(market), naive.realised_volatility(market, symbols, window))
    assert_cut_changes_nothing(observe, market, whole, step)

    sectors: dict[str, list[str]] = {}
    for symbol in symbols:
        alone = (
            market.instruments.at[symbol, "kind"] == "etf"
            or market.instruments.at[symbol, "sector"] == words[-1]
        )
        name = market.instruments.at[symbol, "sector"].split(":")[0]
        name = market.instruments.at[symbol, "sector"].split(":")[0]
        alone = market.instruments.at[symbol, "kind"] == "etf" or name == "unclassified"
        sectors.setdefault(symbol if alone else name, []).append(symbol)
    observe = partial(sector_dispersion, universe=symbols, min_sectors=2)
    if len(sectors) < 2:
        with pytest.raises(DataError, match="needs 2 sectors"):
            observe(market)
    else:
        agree(whole := observe(market), naive.sector_dispersion(market, sectors, 2))
        assert_cut_changes_nothing(observe, market, whole, step)


@pytest.mark.parametrize("observe", EVERY_ONE.values(), ids=EVERY_ONE)
def test_a_cut_simulated_market_holds_the_rows_known_by_then_to_the_bit(simulated: Market, observe) -> None:
    whole = observe(simulated)
    assert whole["value"].notna().mean() > 0.5
    rng = np.random.default_rng(20)
    for step in rng.integers(100, len(simulated), 2):
        assert_cut_changes_nothing(observe, simulated, whole, int(step))


@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_nor_does_a_cut_around_holidays_and_a_delisting(winter: Market, data) -> None:
    name = data.draw(st.sampled_from(sorted(EVERY_ONE)))
    step = data.draw(st.integers(0, len(winter) - 1))
    assert_cut_changes_nothing(EVERY_ONE[name], winter, EVERY_ONE[name](winter), step)


@pytest.mark.parametrize("name", [n for n in EVERY_ONE if n != "hk return"])
def test_real_prices_are_read_without_looking_ahead(real: Market, name: str) -> None:
    whole = EVERY_ONE[name](real)
    assert whole["known_at"].is_monotonic_increasing
    assert whole["known_at"].is_unique
    assert whole["value"]["2021-07":].notna().mean() > 0.75
    for step in (3_210, 4_803):
        assert_cut_changes_nothing(EVERY_ONE[name], real, whole, step)


# -- do they show what they are for? -------------------------------------------------------------------------


def test_the_gap_of_a_simulated_delisting_scare_is_the_models() -> None:
    # The simulator lowers every log premium alike while the threat stands, and says by how much. All else is
    # equal with and without.
    columns = ["known_at", "channel", "direction", "severity"]
    moment = pd.Timestamp("2022-03-10 20:30", tz="UTC")
    scare = pd.DataFrame([[moment, "delisting", 1, 10]], columns=columns)
    effects = Effects(delisting_drift=2.0)
    make = partial(simulate_market, "2021-12-01", "2022-06-30", phases=("close",), effects=effects)
    calm, scared = make(events=scare.assign(severity=0)), make(events=scare)
    raw = partial(parity_gap, align="same_date", span=1)
    effect = (raw(scared)["value"] - raw(calm)["value"]).loc["2022-03-11":].to_numpy()
    assert scared.truth is not None
    assert calm.truth is not None
    path = (np.log1p(scared.truth.premium) - np.log1p(calm.truth.premium))["BABA"]
    model = path[scared.decision_steps]["2022-03-11":].to_numpy()
    assert -0.010 < model.min() < -0.006
    there = np.isfinite(effect)
    assert there.mean() > 0.9
    # Prices lie on ticks of up to 0.2 %; a median of eleven pairs is nearer.
    np.testing.assert_allclose(effect[there], model[there], atol=0.0015)
    assert abs((effect - model)[there].mean()) < 0.0003
    # Since the day before, Hong Kong has earned what the ADRs lost against it, less what has come back. Sums
    # of means over pairs are changes of means, as long as the pairs stay the same.
    mean = partial(hk_minus_adr, average="mean")
    earned = (mean(scared)["value"] - mean(calm)["value"]).loc["2022-03-10":].cumsum().to_numpy()[1:]
    middle = -(model + np.append(0.0, model[:-1])) / 2  # of both closes of New York around Hong Kong's
    there = np.isfinite(earned)
    np.testing.assert_allclose(earned[there], middle[there], atol=0.0015)


def test_real_discounts_outnumber_premiums_in_2022(real: Market) -> None:
    # What the press said of Alibaba in 2022 (tests/markets/test_press_claims.py, A6), here of the median.
    year = parity_gap(real)["value"]["2022"].dropna()
    assert (year < 0).mean() > 0.5


def test_real_volatility_is_highest_while_its_window_holds_the_events_of_march_2022(real: Market) -> None:
    # The calendar has two events of severity 5 within a week: the first list under the Holding Foreign
    # Companies Accountable Act on 10 March, the promise of support on 16 March (hfcaa-first-five and
    # fsdc-liu-he of events.csv). A window of 20 sessions holds both until 6 April.
    highest = realised_volatility(real)["value"].idxmax()
    assert pd.Timestamp("2022-03-16") <= highest <= pd.Timestamp("2022-04-06")


@pytest.mark.parametrize("observe", ONE_EACH.values(), ids=ONE_EACH)
def test_eight_years_take_a_fraction_of_a_second(simulated: Market, observe) -> None:
    observe(simulated)  # the market's own tables are made once
    times = []
    for _ in range(3):
        begin = process_time()
        observe(simulated)
        times.append(process_time() - begin)
    assert min(times) < 0.3  # 0.1 on an idle machine


# -- onto steps ----------------------------------------------------------------------------------------------


def test_steps_carry_the_last_row_known_by_then() -> None:
    market = tiny()
    rows = parity_gap(market, align="same_date", span=1)
    number = np.arange(9.0)
    carried = on_steps(rows, number, market.grid)
    at = dict(zip(market.grid["time"].dt.strftime("%m-%d %H"), carried, strict=True))
    assert np.isnan(at["06-28 08"])  # Hong Kong's close, before the first row
    assert at["06-28 20"] == 0.0
    assert at["06-29 08"] == 0.0
    assert at["07-01 20"] == 3.0
    assert at["07-05 08"] == 4.0  # New York has a holiday
    assert at["07-06 20"] == 5.0
    both = on_steps(rows, np.column_stack([number, -number]), market.grid)
    np.testing.assert_array_equal(both, np.column_stack([carried, -carried]))
    assert on_steps(rows[:0], [], market.grid).tolist() == pytest.approx([np.nan] * 18, nan_ok=True)


@settings(deadline=None)
@given(data=st.data())
def test_carrying_agrees_with_its_twin(data) -> None:
    moments = st.integers(0, 30).map(
        lambda hours: pd.Timestamp("2021-07-01", tz="UTC") + pd.Timedelta(hours=hours)
    )
    known = sorted(data.draw(st.sets(moments, max_size=8)))
    times = sorted(data.draw(st.sets(moments, min_size=1, max_size=20)))
    values = data.draw(st.lists(st.floats(-1, 1), min_size=len(known), max_size=len(known)))
    rows = pd.DataFrame({"value": 0.0, "known_at": pd.DatetimeIndex(known, tz="UTC").as_unit("ns")})
    carried = on_steps(rows, values, pd.DataFrame({"time": pd.DatetimeIndex(times)}))
    expected = np.array(naive.on_steps(known, values, times), dtype=np.float64)
    np.testing.assert_array_equal(carried, expected)


# -- wrong arguments -----------------------------------------------------------------------------------------


WRONG = [
    (lambda m: parity_gap(m.price), ParameterError, "parity_gap was given a DataFrame: give a market"),
    (lambda m: parity_gap(m, statistic="mean"), ParameterError, "statistic is 'mean': give 'median' or"),
    (
        lambda m: parity_gap(m, align="next_hk"),
        ParameterError,
        "align is 'next_hk': give 'mid' or 'same_date'",
    ),
    (lambda m: parity_gap(m, span=0.5), ParameterError, "span is 0.5: give a number of sessions, 1 or more"),
    (lambda m: parity_gap(m, span=np.nan), ParameterError, "span is nan"),
    (lambda m: parity_gap(m, window=0), ParameterError, "window is 0: give a whole number of at least 1"),
    (lambda m: parity_gap(m, min_pairs=True), ParameterError, "min_pairs is True: give a whole number"),
    (lambda m: parity_gap(m, log=1), ParameterError, "log is 1: give True or False"),
    (lambda m: parity_gap(m, log=True), ParameterError, "log is True and median has either sign"),
    (lambda m: parity_gap(m.until(0)), DataError, "needs 1 complete session of New York .* the market has 0"),
    (lambda m: parity_gap(ONE_LINE), DataError, "parity_gap needs pairs and this market has none"),
    (lambda m: hk_minus_adr(ONE_LINE), DataError, "hk_minus_adr needs pairs and this market has none"),
    (lambda m: hk_minus_adr(m, average="sum"), ParameterError, "average is 'sum': give 'median' or 'mean'"),
    (lambda m: hk_minus_adr(m, min_pairs=1.5), ParameterError, "min_pairs is 1.5: give a whole number"),
    (lambda m: sector_dispersion(ONE_LINE), DataError, r"needs 3 sectors .* \(etf 0, hk 0, adr 0\): load"),
    (lambda m: sector_dispersion(m, universe="etf"), DataError, r"needs 3 sectors .* \(etf 0\)"),
    (
        lambda m: sector_dispersion(m, universe="us"),
        ParameterError,
        "universe is 'us': give 'auto' or 'etf' or",
    ),
    (lambda m: sector_dispersion(m, universe=[]), ParameterError, "universe is .*: give a list of symbols"),
    (lambda m: sector_dispersion(m, universe=5), ParameterError, "universe is 5: give a list of symbols"),
    (lambda m: sector_dispersion(m, universe=["AA", "AA"]), ParameterError, "each once"),
    (lambda m: sector_dispersion(m, universe=["AA", "ZZ"]), ParameterError, "'ZZ' is not in this market"),
    (
        lambda m: sector_dispersion(m, universe=["AA", "0001.HK"]),
        ParameterError,
        "AA and 0001.HK trade in two",
    ),
    (lambda m: sector_dispersion(m, min_sectors=1), ParameterError, "min_sectors is 1: give .* at least 2"),
    (lambda m: sector_dispersion(m, log="yes"), ParameterError, "log is 'yes': give True or False"),
    (lambda m: sector_dispersion(m.until(1)), DataError, "needs 2 complete sessions of New York"),
    (lambda m: realised_volatility(m, window=2.0), ParameterError, "window is 2.0: give a whole number"),
    (lambda m: realised_volatility(m, window=1), ParameterError, "window is 1: give .* at least 2"),
    (lambda m: realised_volatility(m), DataError, "needs 21 complete sessions .* the market has 9"),
    (lambda m: basket_return(m, symbols="AA"), ParameterError, "symbols is 'AA': give a list of symbols"),
    (lambda m: basket_return(None), ParameterError, "basket_return was given None: give a market"),
    (lambda m: basket_return(INDEX), DataError, "every line of this market is an index"),
    (lambda m: on_steps(m.price, [], m.grid), ParameterError, "rows is a DataFrame: give what parity_gap"),
    (lambda m: on_steps(parity_gap(m), [1.0], m.grid), ParameterError, r"shape \(1,\) beside 9 rows"),
    (lambda m: on_steps(parity_gap(m), "no", m.grid), ParameterError, "values is 'no': give numbers"),
    (lambda m: on_steps(parity_gap(m)[::-1], np.zeros(9), m.grid), DataError, "one after the other"),
    (lambda m: on_steps(parity_gap(m), np.zeros(9), m.price), DataError, "the grid has no column time"),
]
ONE_LINE = Market.from_prices(pd.DataFrame({"X": [1.0, 2.0]}, index=pd.bdate_range("2021-06-28", periods=2)))
INDEX = replace(ONE_LINE, instruments=ONE_LINE.instruments.assign(kind="index"))


@pytest.mark.parametrize(("call", "error", "says"), WRONG, ids=[says for _, _, says in WRONG])
def test_what_cannot_be_used_is_named_in_a_sentence(call, error, says) -> None:
    with pytest.raises(EntrepotError, match=says) as caught:
        call(tiny())
    assert caught.type is error
    assert "\n" not in str(caught.value)
