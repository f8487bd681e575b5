"""Lines of the registry that left New York and whose prices stop before they did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from price_folders import closes, long, pair

from entrepot.errors import DataError, ParameterError
from entrepot.markets.load import load_market
from entrepot.markets.market import Market
from entrepot.markets.premium import premium

LAST_PRINT, LAST_SESSION = pd.Timestamp("2020-12-11"), pd.Timestamp("2021-01-08")


def chl(last: str | pd.Timestamp = LAST_PRINT) -> dict[str, pd.DataFrame]:
    files = pair("CHL", "0941.HK", "2020-11-02", "2021-03-31", ratio=5.0)
    files["CHL"] = files["CHL"][files["CHL"]["Date"] <= last]
    return files


def said(market: Market, *words: str) -> bool:
    return any(all(w in note for w in words) for note in market.notes)


def ny_closes(market: Market, symbol: str = "CHL") -> pd.Series:
    rows = market.grid[(market.grid["venue"] == "XNYS") & (market.grid["phase"] == "close")]
    return pd.Series(market.price[symbol].to_numpy()[rows.index], index=rows["session"])


def test_as_given_nothing_is_filled_and_the_note_says_what_a_run_meets() -> None:
    market = load_market(long(chl()))
    assert market.estimates.empty
    assert market.estimates.dtypes.astype(str).to_dict() == {"symbol": "str", "session": "datetime64[ns]"}
    assert not market.estimated.any()
    assert ny_closes(market).last_valid_index() == LAST_PRINT
    assert said(
        market,
        "CHL has no price in 18 New York sessions from 2020-12-14 to 2021-01-08 (its last session is 2021-01",
        "a run that still holds it then is refused; get out before 2020-12-14",
        "departures='parity'",
    )


def test_a_few_missing_sessions_are_said_and_need_nothing() -> None:
    market = load_market(long(chl("2021-01-06")))
    assert market.delistings["last_session"].tolist() == [LAST_SESSION]
    assert said(market, "CHL has no price in 2 New York sessions", "until then it stands at its last price")
    early = load_market(long(chl()), end="2020-12-14")
    assert said(early, "CHL has no price in 1 New York session from", "(its last session is 2021-01-08)")


def test_with_parity_each_missing_close_is_the_hong_kong_close_at_the_rate_known_then() -> None:
    files = chl()
    market = load_market(long(files), departures="parity")
    hk, rate = (files[s].set_index("Date")["Close"] for s in ("0941.HK", "HKD=X"))
    filled = ny_closes(market)["2020-12-12":LAST_SESSION]
    assert len(filled) == 18
    for day, value in filled.items():
        # Christmas and New Year's Day were shut in both; every other day has that date's fixing at 13:15 UTC.
        expected = 5.0 * hk[:day].iloc[-1] / rate[:day].iloc[-1]
        assert value == pytest.approx(expected, rel=1e-14), day
    pd.testing.assert_series_equal(
        ny_closes(market)[:LAST_PRINT], ny_closes(load_market(long(files)))[:LAST_PRINT]
    )
    assert ny_closes(market)["2021-01-09":].isna().all()


def test_only_closes_are_filled_listed_and_said() -> None:
    market = load_market(long(chl()), departures="parity")
    days = ny_closes(market)["2020-12-12":LAST_SESSION].index
    assert market.estimates["symbol"].tolist() == ["CHL"] * 18
    assert market.estimates["session"].tolist() == days.tolist()
    assert market.estimates.dtypes.astype(str).to_dict() == {"symbol": "str", "session": "datetime64[ns]"}
    opens = (market.grid["phase"] == "open") & market.grid["session"].isin(days)
    assert market.price["CHL"].to_numpy()[opens].tolist() == pytest.approx(
        [np.nan] * opens.sum(), nan_ok=True
    )
    rows, columns = np.nonzero(market.estimated)
    assert set(columns) == {market.column("CHL")}
    assert market.grid["session"].iloc[rows].tolist() == days.tolist()
    assert set(market.grid["phase"].iloc[rows]) == {"close"}
    assert said(market, "closes of CHL from 2020-12-14 to 2021-01-08 (18 sessions) are estimates", "0941.HK")
    assert not said(market, "is refused")
    assert premium(market, "CHL")["2020-12-12":].isna().all()  # an estimate is no premium


def test_where_hong_kong_is_shut_or_has_no_price_the_last_close_before_is_taken() -> None:
    files = chl()
    gap = pd.Timestamp("2020-12-22")
    files["0941.HK"] = files["0941.HK"][files["0941.HK"]["Date"] != gap]
    market = load_market(long(files), departures="parity")
    hk, rate = (files[s].set_index("Date")["Close"] for s in ("0941.HK", "HKD=X"))
    assert ny_closes(market)[gap] == pytest.approx(5.0 * hk["2020-12-21"] / rate[gap], rel=1e-14)
    files = pair("CEO", "0883.HK", "2021-01-04", "2021-03-31", ratio=100.0)
    files["CEO"] = files["CEO"][files["CEO"]["Date"] <= "2021-02-05"]
    market = load_market(long(files), departures="parity")
    hk, rate = (files[s].set_index("Date")["Close"] for s in ("0883.HK", "HKD=X"))
    newyear = pd.Timestamp("2021-02-12")  # Lunar New Year: Hong Kong shut on the 12th and 15th
    assert newyear not in hk.index
    assert ny_closes(market, "CEO")[newyear] == pytest.approx(
        100 * hk["2021-02-11"] / rate[newyear], rel=1e-14
    )


def test_a_hong_kong_line_that_is_silent_itself_estimates_nothing_after_five_sessions() -> None:
    files = chl()
    silent = files["0941.HK"]["Date"].between("2020-12-16", "2021-02-26")
    files["0941.HK"] = files["0941.HK"][~silent]
    market = load_market(long(files), departures="parity")
    # Prints of the 14th and 15th, and the five Hong Kong sessions from the 16th to the 22nd.
    assert [str(day.date()) for day in market.estimates["session"]] == [
        f"2020-12-{day}" for day in (14, 15, 16, 17, 18, 21, 22)
    ]
    assert said(market, "(7 sessions) are estimates", "11 stay missing")
    files["0941.HK"] = files["0941.HK"][~files["0941.HK"]["Date"].between("2020-11-27", "2021-02-26")]
    market = load_market(long(files), departures="parity")
    assert market.estimates.empty
    assert said(market, "The 18 closes that CHL lacks stay missing")


def test_an_estimate_uses_nothing_from_after_its_step() -> None:
    """Whatever is cut away or changed after a step, the estimates up to it are the same."""
    files = chl()
    whole = load_market(long(files), departures="parity")
    for day in ("2020-12-15", "2020-12-28", "2021-01-04"):
        step = int(np.flatnonzero(whole.grid["session"] <= pd.Timestamp(day))[-1])
        changed = {}
        for symbol, table in files.items():
            numbers = table.columns.drop("Date")
            later = table["Date"] > day
            changed[symbol] = table.assign(**{c: table[c].mask(later, table[c] * 1.01) for c in numbers})
        other = load_market(long(changed), departures="parity")
        np.testing.assert_array_equal(whole.prices[: step + 1], other.prices[: step + 1])
        early = load_market(long(files), departures="parity", end=day)
        np.testing.assert_array_equal(whole.prices[: step + 1], early.prices)
        pd.testing.assert_frame_equal(whole.until(step).estimates, early.estimates)


def test_the_hong_kong_lines_dividends_are_the_lines_too() -> None:
    files = chl()
    table = files["0941.HK"]
    # Before the last print, inside, and after the line left.
    paid = {"2020-12-04": 9.0, "2020-12-16": 1.6, "2021-01-18": 9.0}
    table["Dividends"] = table["Date"].map({pd.Timestamp(d): a for d, a in paid.items()}).fillna(0.0)
    market = load_market(long(files), departures="parity")
    rate = files["HKD=X"].set_index("Date")["Close"]
    own = market.dividends[market.dividends["symbol"] == "CHL"]
    assert own["ex_date"].tolist() == [pd.Timestamp("2020-12-16")]
    assert own["amount"].tolist() == pytest.approx([5.0 * 1.6 / rate["2020-12-16"]], rel=1e-14)
    assert said(market, "are estimates", "and so is 1 dividend")
    assert load_market(long(files)).dividends["symbol"].unique().tolist() == ["0941.HK"]


def test_a_dividend_of_a_day_on_which_new_york_is_shut_falls_on_its_next_session() -> None:
    """The last print is before a holiday: Hong Kong goes ex on it, and the estimate after it falls."""
    files = pair("CEO", "0883.HK", "2021-01-04", "2021-03-31", ratio=100.0)
    files["CEO"] = files["CEO"][files["CEO"]["Date"] <= "2021-01-15"]  # Friday; Monday the 18th is a holiday
    table = files["0883.HK"]
    table["Dividends"] = np.where(table["Date"] == "2021-01-18", 0.5, 0.0)
    market = load_market(long(files), departures="parity")
    rate = files["HKD=X"].set_index("Date")["Close"]
    own = market.dividends[market.dividends["symbol"] == "CEO"]
    # At the open of the 19th, 14:30 UTC, that date's fixing of 13:15 UTC is known.
    assert own["ex_date"].tolist() == [pd.Timestamp("2021-01-18")]
    assert own["amount"].tolist() == pytest.approx([100.0 * 0.5 / rate["2021-01-19"]], rel=1e-14)


def test_cutting_a_market_cuts_its_estimates() -> None:
    market = load_market(long(chl()), departures="parity")
    assert market.between("2020-11-02", "2020-12-11").estimates.empty
    part = market.between("2020-12-15", "2020-12-18")
    assert [d.day for d in part.estimates["session"]] == [15, 16, 17, 18]
    assert part.estimated.sum() == 4
    opening = int(
        np.flatnonzero((market.grid["session"] == "2020-12-16") & (market.grid["venue"] == "XNYS"))[0]
    )
    assert market.grid.loc[opening, "phase"] == "open"
    assert [d.day for d in market.until(opening).estimates["session"]] == [14, 15]
    assert [d.day for d in market.until(opening + 1).estimates["session"]] == [14, 15, 16]


def test_without_its_hong_kong_line_there_is_no_parity() -> None:
    files = chl()
    rest = {"CHL": files["CHL"], "KWEB": closes("XNYS", "2020-11-02", "2021-03-31")}
    assert load_market(long(rest)).estimates.empty
    with pytest.raises(
        DataError, match=r"CHL lacks 18 closes from 2020-12-14 to 2021-01-08.*needs 0941.HK, its Hong"
    ):
        load_market(long(rest), departures="parity")
    gone = {
        "DIDI": closes("XNYS", "2022-05-02", "2022-05-31"),
        "KWEB": closes("XNYS", "2022-05-02", "2022-07-29"),
    }
    with pytest.raises(
        DataError, match=r"DIDI lacks 8 closes from 2022-06-01 to 2022-06-10.*needs a Hong Kong line; or"
    ) as refused:
        load_market(long(gone), departures="parity")
    assert "\n" not in str(refused.value)


def test_total_return_prices_stand_at_no_parity() -> None:
    files = {s: f[["Date", "Close"]].rename(columns={"Close": "Adj Close"}) for s, f in chl().items()}
    assert load_market(long(files)).estimates.empty
    with pytest.raises(DataError, match=r"CHL lacks 18 closes.*only total-return prices of CHL and 0941.HK"):
        load_market(long(files), departures="parity")


def test_lines_that_are_whole_need_no_parity() -> None:
    for files in (chl("2021-01-08"), pair()):
        one, other = (load_market(long(files), departures=word) for word in ("as_given", "parity"))
        pd.testing.assert_frame_equal(one.price, other.price)
        assert one.notes == other.notes
        assert other.estimates.empty


@pytest.mark.parametrize("word", ["Parity", None, 1, ["parity"]])
def test_another_word_is_refused(word: object) -> None:
    with pytest.raises(ParameterError, match=r"departures=.* is unknown: it is 'as_given' or 'parity'"):
        load_market(long(pair()), departures=word)  # type: ignore[arg-type]


def test_estimates_that_fit_nothing_are_refused() -> None:
    market = load_market(long(chl()), departures="parity")
    rows = market.estimates
    for wrong, words in (
        (rows.rename(columns={"session": "date"}), "give symbol and session"),
        (rows.assign(symbol="JD"), r"estimates names \['JD'\]"),
        (pd.concat([rows, rows.iloc[:1]]), "estimates has 19 rows and 18"),
        (rows.assign(session=rows["session"] + pd.Timedelta(days=60)), "estimates has 18 rows and 0"),
    ):
        with pytest.raises(DataError, match=words):
            replace(market, estimates=wrong)


def test_rates_are_those_known_at_the_step_not_those_of_the_date() -> None:
    """A fixing that is published after New York's close is not known there."""
    files = chl()
    market = load_market(long(files), departures="parity", fx_time="23:30 America/New_York")
    hk, rate = (files[s].set_index("Date")["Close"] for s in ("0941.HK", "HKD=X"))
    day = pd.Timestamp("2020-12-16")
    assert ny_closes(market)[day] == pytest.approx(5.0 * hk[day] / rate["2020-12-15"], rel=1e-14)


def test_the_real_lines_are_filled_to_their_last_sessions(real_prices) -> None:
    market = load_market(real_prices, start="2020-10-05", end="2022-12-30", departures="parity")
    spans = market.estimates.groupby("symbol")["session"].agg(["min", "max", "size"])
    assert {s: (str(r["max"].date()), int(r["size"])) for s, r in spans.iterrows()} == {
        "CEO": ("2021-03-08", 57),
        "CHL": ("2021-01-08", 18),
        "CHU": ("2021-01-08", 18),
        "LFC": ("2022-09-01", 433),
        "PTR": ("2022-09-07", 436),
    }
    assert set(spans["min"]) == {pd.Timestamp("2020-12-14")}
    for symbol in spans.index:
        assert premium(market, symbol)["2020-12-12":].isna().all()
