from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings, strategies as st
from price_folders import closes, fixings, long, pair
from test_naive import pair_market

from entrepot.errors import DataError, ParameterError
from entrepot.markets.load import load_market
from entrepot.markets.market import Market, empty_table
from entrepot.markets.premium import ex_dates_apart, premium
from entrepot.markets.sessions import session_times

ALIGNS = ("same_date", "next_hk", "hk_open", "us_open")


@lru_cache(maxsize=1)
def loaded_pair() -> Market:
    return load_market(long(pair()))


def test_the_premium_is_ads_over_its_ordinary_shares() -> None:
    market = loaded_pair()
    table = premium(market, "BABA", detail=True)
    identity = table["ads_price"] * table["usdhkd"] / (table["ordinary_per_ads"] * table["hk_price"]) - 1.0
    np.testing.assert_allclose(table["premium"], identity, rtol=1e-12)
    assert (table["ordinary_per_ads"] == 8.0).all()
    series = premium(market, "BABA")
    assert series.name == "BABA"
    assert series.index.name == "session"
    assert series.index.dtype == "datetime64[ns]"
    pd.testing.assert_series_equal(series, table["premium"], check_names=False)


def test_each_alignment_takes_the_prints_it_says() -> None:
    # Lunar New Year: Hong Kong closed at noon on 31 January 2022 and opened again on 4 February.
    market = loaded_pair()
    hk = session_times("XHKG", "2022-01-04", "2022-03-31").set_index("session")
    us = session_times("XNYS", "2022-01-04", "2022-03-31").set_index("session")
    day, back = pd.Timestamp("2022-02-01"), pd.Timestamp("2022-02-04")
    tables = {align: premium(market, "BABA", align, detail=True) for align in ALIGNS}
    assert day not in tables["same_date"].index
    assert tables["same_date"].index.isin(hk.index).all()
    for align, hk_time, ads_time in (
        ("next_hk", hk.loc[back, "close"], us.loc[day, "close"]),
        ("hk_open", hk.loc[back, "open"], us.loc[day, "close"]),
        ("us_open", hk.loc["2022-01-31", "close"], us.loc[day, "open"]),
    ):
        row = tables[align].loc[day]
        assert row["hk_time"] == hk_time
        assert row["ads_time"] == ads_time
        assert row["known_at"] == max(hk_time, ads_time)


def test_an_early_close_on_new_years_eve_still_precedes_new_york() -> None:
    market = loaded_pair()
    table = premium(market, "BABA", detail=True)
    assert (table["known_at"] == table["ads_time"]).all()
    assert (table["hk_time"] < table["ads_time"]).all()


def test_a_gap_is_not_filled_from_a_neighbour() -> None:
    files = pair()
    day = pd.Timestamp("2022-02-15")
    files["9988.HK"] = files["9988.HK"][files["9988.HK"]["Date"] != day]
    market = load_market(long(files))
    assert day not in premium(market, "BABA").index
    assert pd.Timestamp("2022-02-14") not in premium(market, "BABA", "next_hk").index
    assert pd.Timestamp("2022-02-14") not in premium(market, "BABA", "hk_open").index
    assert day not in premium(market, "BABA", "us_open").index


@pytest.mark.parametrize(("align", "symbol"), [("hk_open", "9988.HK"), ("us_open", "BABA")])
def test_an_alignment_that_needs_opens_says_so(align: str, symbol: str) -> None:
    files = pair()
    files[symbol] = files[symbol].drop(columns="Open")
    market = load_market(long(files))
    with pytest.raises(DataError, match=f"needs opens and {symbol} has none"):
        premium(market, "BABA", align)
    without = load_market(long({s: f.drop(columns="Open", errors="ignore") for s, f in files.items()}))
    with pytest.raises(DataError, match="needs opens"):
        premium(without, "BABA", align)


def test_what_is_no_pair_is_refused_by_name() -> None:
    market = load_market(long(pair() | {"JD": closes("XNYS", "2022-01-04", "2022-03-31")}))
    for symbol, words in (
        ("JD", "9618.HK is not in this market"),
        ("9988.HK", "ask for the premium of its ADR, BABA"),
        ("TCOM", "'TCOM' is not in this market; its symbols are"),
        ("baba", r"'baba' is not in this market, did you mean BABA\? its symbols are"),
    ):
        with pytest.raises(ParameterError, match=words):
            premium(market, symbol)
    with pytest.raises(ParameterError, match="align='same_day' is unknown: it is one of same_date"):
        premium(market, "BABA", "same_day")
    fund = load_market(long({"KWEB": closes("XNYS", "2022-01-04", "2022-03-31")}))
    with pytest.raises(ParameterError, match=r"KWEB is no ADR.*pairs of this market are none"):
        premium(fund, "KWEB")
    beside = load_market(long(pair() | {"KWEB": closes("XNYS", "2022-01-04", "2022-03-31")}))
    with pytest.raises(ParameterError, match=r"KWEB is no ADR.*pairs of this market are BABA$"):
        premium(beside, "KWEB")
    # A partner of its own, which the market names and does not hold.
    lines = fund.instruments.assign(kind="ads", pair="0001.HK")
    with pytest.raises(ParameterError, match=r"its Hong Kong line 0001\.HK is not in this market"):
        premium(replace(fund, instruments=lines), "KWEB")


def test_the_first_print_of_hong_kong_has_a_premium_at_new_yorks_open() -> None:
    market = loaded_pair()
    first = market.grid["session"].iloc[0]
    assert list(market.grid["venue"][:2]) == ["XHKG", "XHKG"]
    row = premium(market, "BABA", "us_open", detail=True).iloc[0]
    assert row.name == first
    assert row["hk_time"] == market.grid["time"].iloc[1]
    assert premium(market, "BABA", "hk_open").index[0] == first


def test_a_rate_that_is_too_old_at_the_last_step_alone_is_refused() -> None:
    market = pair_market([20.0] * 3)
    last = market.grid["time"].iloc[-1]
    known = pd.DataFrame({"time": [last - pd.Timedelta(days=5)], "currency": "HKD", "per_usd": [8.0]})
    assert len(premium(replace(market, fixings=known), "A")) == 3
    known["time"] -= pd.Timedelta(1, "s")
    with pytest.raises(DataError, match=f"needs HKD per USD at {last:%Y-%m-%d %H:%M}"):
        premium(replace(market, fixings=known), "A")


def test_a_stale_rate_is_refused() -> None:
    market = loaded_pair()
    thin = Market(
        market.grid, market.price, market.instruments, market.fixings.iloc[:20], market.ratios, label="thin"
    )
    with pytest.raises(DataError, match=r"BABA needs HKD per USD at 2022-01-3.*older than five days"):
        premium(thin, "BABA")


def test_a_raw_price_from_the_other_side_of_a_split_counts_other_shares() -> None:
    # 29 July 2019 was the last day of BABA's old ratio of 1; Hong Kong opened on the 30th with shares of 1/8.
    market = split_world(seed=0, us_holidays=(), hk_holidays=())
    sessions = market.grid.query("venue == 'XNYS'")["session"].drop_duplicates().tolist()
    split = market.splits["ex_date"].iloc[0]
    before = sessions[sessions.index(split) - 1]
    row = premium(market, "BABA", "next_hk", detail=True).loc[before]
    assert row["ordinary_per_ads"] == 8.0
    assert abs(row["premium"]) < 0.2
    assert premium(market, "BABA", detail=True).loc[before, "ordinary_per_ads"] == 1.0


@settings(max_examples=100, deadline=None)
@given(
    ex=st.lists(st.tuples(st.sampled_from(["BABA", "9988.HK"]), st.integers(-5, 40)), max_size=6),
    seed=st.integers(0, 2**16),
)
@example(ex=[("BABA", 10), ("9988.HK", 13), ("9988.HK", 16)], seed=0)
@example(ex=[("BABA", 10), ("9988.HK", 17)], seed=0)
@example(ex=[("BABA", 10), ("9988.HK", 18)], seed=0)
def test_one_price_is_before_a_dividend_and_the_other_is_not(ex: list[tuple[str, int]], seed: int) -> None:
    def day(number: int) -> np.datetime64:
        return np.datetime64("2022-01-04", "ns") + np.timedelta64(number, "D")

    rng = np.random.default_rng(seed)
    rows = np.sort(rng.integers(0, 36, 60))
    days = {"BABA": rows, "9988.HK": rows + rng.integers(-6, 7, 60)}
    symbols, dates = [line for line, _ in ex], pd.DatetimeIndex([day(n) for _, n in ex])
    table = pd.DataFrame({"symbol": symbols, "ex_date": dates, "pay_date": dates, "amount": 1.0})
    market = replace(loaded_pair(), dividends=table)
    sessions = {line: day(0) + own.astype("timedelta64[D]") for line, own in days.items()}
    apart = ex_dates_apart(market, sessions)
    for row, (ads, hk) in enumerate(zip(days["BABA"], days["9988.HK"], strict=True)):
        expected = False
        for line, own, other in (("BABA", ads, hk), ("9988.HK", hk, ads)):
            for date in (n for each, n in ex if each == line):
                partners = [n for each, n in ex if each != line and abs(n - date) <= 7]
                # The other line goes ex on the first of its dates around this one, or at most a week later.
                expected |= own >= date and other < min(partners, default=date + 7)
        assert apart[row] == expected


def split_world(
    seed: int, us_holidays: tuple[int, ...], hk_holidays: tuple[int, ...], gaps: float = 0.0, n: int = 24
) -> Market:
    """A raw pair near parity over invented sessions, with a 1:8 split of the Hong Kong line midway."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2019-07-01", periods=n).as_unit("ns")
    split = days[n // 2]
    clocks = {"XHKG": ("01:30", "08:10"), "XNYS": ("13:30", "20:00")}
    shut = {"XHKG": hk_holidays, "XNYS": us_holidays}
    grid = pd.DataFrame(
        [
            (pd.Timestamp(f"{day.date()} {clock}", tz="UTC"), venue, phase, day)
            for venue, times in clocks.items()
            for phase, clock in zip(("open", "close"), times, strict=True)
            for i, day in enumerate(days)
            if i not in shut[venue]
        ],
        columns=["time", "venue", "phase", "session"],
    ).sort_values("time", ignore_index=True)
    grid["time"] = grid["time"].dt.as_unit("ns")
    walk = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, len(grid))))
    is_hk = (grid["venue"] == "XHKG").to_numpy()
    old = (grid["session"] < split).to_numpy()
    price = np.full((len(grid), 2), np.nan)
    price[is_hk, 0] = (walk * np.where(old, 8.0, 1.0))[is_hk]
    price[~is_hk, 1] = (walk * 8.0 / 7.8)[~is_hk]
    price[rng.random(price.shape) < gaps] = np.nan
    index = pd.DatetimeIndex(grid["time"], name="time")
    known = pd.date_range(days[0] - pd.Timedelta(days=1), days[-1], freq="D").tz_localize(
        "UTC"
    ) + pd.Timedelta(hours=12)
    return Market(
        grid.rename_axis("step"),
        pd.DataFrame(price, index=index, columns=["9988.HK", "BABA"]),
        loaded_pair().instruments.assign(adjustment="raw"),
        pd.DataFrame({"time": known, "currency": "HKD", "per_usd": 7.8 + 0.04 * rng.random(len(known))}),
        pd.DataFrame({"adr": "BABA", "effective_from": [days[0], split], "ordinary_per_ads": [1.0, 8.0]}),
        empty_table("dividends"),
        pd.DataFrame({"symbol": ["9988.HK"], "ex_date": [split], "factor": [8.0]}),
    )


holidays = st.frozensets(st.integers(1, 22), max_size=8).map(lambda s: tuple(sorted(s)))
worlds = st.builds(
    partial(split_world, n=24),
    seed=st.integers(0, 2**16),
    us_holidays=holidays,
    hk_holidays=holidays,
    gaps=st.sampled_from([0.0, 0.1, 0.4]),
)


def detail_or_none(market: Market, align: str) -> pd.DataFrame | None:
    """The detail, or None where the cut market has no opens yet."""
    venue, symbol = {"hk_open": ("XHKG", "9988.HK"), "us_open": ("XNYS", "BABA")}.get(align, ("", "BABA"))
    rows = (market.grid["venue"] == venue) & (market.grid["phase"] == "open")
    if venue and np.isnan(market.price[symbol].to_numpy()[rows]).all():
        with pytest.raises(DataError, match="needs opens"):
            premium(market, "BABA", align)
        return None
    return premium(market, "BABA", align, detail=True)


@settings(max_examples=60, deadline=None)
@given(market=worlds, align=st.sampled_from(ALIGNS))
def test_no_value_is_known_before_its_prices_and_its_rate(market: Market, align: str) -> None:
    table = detail_or_none(market, align)
    if table is None:
        return
    assert (table["known_at"] >= table["ads_time"]).all()
    assert (table["known_at"] >= table["hk_time"]).all()
    assert (table["known_at"] == table[["ads_time", "hk_time"]].max(axis=1)).all()
    assert table.index.is_unique
    assert table.index.is_monotonic_increasing
    assert table.notna().all().all()
    assert (
        table["premium"].abs().max() < 0.5 or table.empty
    )  # a split counted on one side would show as 8 or 1/8
    fixings_ = market.fixings.set_index("time")["per_usd"]
    for when, rate in zip(table["known_at"], table["usdhkd"], strict=True):
        assert rate == pytest.approx(fixings_[:when].iloc[-1])


@settings(max_examples=60, deadline=None)
@given(market=worlds, align=st.sampled_from(ALIGNS), share=st.floats(0.0, 1.0))
def test_what_was_known_at_a_step_does_not_change_later(market: Market, align: str, share: float) -> None:
    step = int(share * (len(market) - 1))
    full = detail_or_none(market, align)
    cut = detail_or_none(market.until(step), align)
    known = full[full["known_at"] <= market.grid["time"][step]] if full is not None else None
    if cut is None or known is None:
        assert known is None or known.empty
        return
    pd.testing.assert_frame_equal(cut, known)


def test_later_rates_and_prices_do_not_reach_back_on_loaded_data() -> None:
    market = loaded_pair()
    for align in ALIGNS:
        full = premium(market, "BABA", align, detail=True)
        for step in range(40, len(market), 37):
            cut = premium(market.until(step), "BABA", align, detail=True)
            pd.testing.assert_frame_equal(cut, full[full["known_at"] <= market.grid["time"][step]])


def test_other_currencies_of_the_market_do_not_matter() -> None:
    files = pair()
    one = premium(load_market(long(files)), "BABA")
    other = premium(load_market(long(files | {"CNY=X": fixings("2022-01-04", "2022-03-31", "CNY")})), "BABA")
    pd.testing.assert_series_equal(one, other)
