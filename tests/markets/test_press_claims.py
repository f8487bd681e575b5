"""What the press said about the discount of Alibaba's ADR in March 2025, on real closes.

Two claims are printed beside the data instead of being tested: the bands that are tested allow for what the
press does not say (whose price of when, which closes, which rate).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from entrepot.markets.load import load_market
from entrepot.markets.market import Market
from entrepot.markets.premium import premium

WEEK = slice("2025-02-24", "2025-02-28")
BEFORE = slice("2023-01-01", "2025-02-21")
YEAR = slice("2022-01-03", "2022-12-30")
FIVE_YEARS = slice("2020-03-06", "2025-03-06")


@pytest.fixture(scope="module")
def market(real_prices: Path) -> Market:
    return load_market(real_prices, start="2019-06-03", ends="cut")


@pytest.fixture(scope="module")
def baba(market: Market) -> pd.Series:
    return premium(market, "BABA")


def test_a1_the_weeks_average_discount_was_about_two_percent(baba: pd.Series) -> None:
    assert len(baba[WEEK]) == 5
    assert -0.026 <= baba[WEEK].mean() <= -0.016


def test_a2_the_discount_was_at_one_point_the_widest_since_2022(baba: pd.Series) -> None:
    assert baba[WEEK].min() < baba[BEFORE].min()


def test_a6_discounts_outnumbered_premiums_in_2022(baba: pd.Series) -> None:
    assert (baba[YEAR] < 0).mean() > 0.5


def test_a8_the_five_year_average_was_near_zero(baba: pd.Series) -> None:
    assert -0.004 <= baba[FIVE_YEARS].mean() <= 0.002


def test_a3_a5_a7_are_printed_beside_what_the_press_said(
    market: Market, baba: pd.Series, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = beside_the_press(market, baba)
    with capsys.disabled():
        print("", *lines, sep="\n")  # noqa: T201
    assert [line.split()[0] for line in lines] == ["A3", "A3", "A5", "A7"]


def beside_the_press(market: Market, baba: pd.Series) -> list[str]:
    """One line per claim: the press's figure, the data's, and why they differ."""
    lines = []
    for adr in ("BIDU", "NTES"):
        series = premium(market, adr)
        weeks = series[: WEEK.stop].resample("W-FRI").mean()
        lower = weeks.index[weeks < weeks.iloc[-1]][-1]
        day = series[WEEK].idxmin()
        deeper = series[: BEFORE.stop][series[: BEFORE.stop] < series[day]].index[-1]
        lines.append(
            f"A3 {adr}: press: cheapest against Hong Kong in five months; data: {weeks.iloc[-1]:+.1%} as the "
            f"week's mean, last lower in the week to {lower.date()}, and {series[day]:+.1%} as its lowest "
            f"day, last lower on {deeper.date()}: the press does not say whether it compared weeks or days."
        )
    first, peak, after = (float(baba[d]) for d in ("2025-03-04", "2025-03-05", "2025-03-06"))
    at_open = float(premium(market, "BABA", "hk_open")["2025-03-05"])
    lines.append(
        f"A5 BABA: press: the surge of 5 March cut the discount; data: {first:+.1%}, {peak:+.1%} and "
        f"{after:+.1%} on 4, 5 and 6 March: New York moved first, and against Hong Kong's next open the 5th "
        f"was {at_open:+.1%}."
    )
    before_open = premium(market, "BABA", "us_open")[YEAR].min()
    lines.append(
        f"A7 BABA: press: nearly 8 % at the extreme of 2022; data: {baba[YEAR].min():+.1%} on "
        f"{baba[YEAR].idxmin().date()}: the press does not say whose price of when (New York's open against "
        f"Hong Kong's close before it reached {before_open:+.1%})."
    )
    return lines


def test_no_premium_jumps_where_neteases_ratio_changed(market: Market) -> None:
    # NTES begins on the first day at the new ratio, Hong Kong four months before.
    series = premium(market, "NTES")
    assert series.index[0] >= pd.Timestamp("2020-10-02")
    assert series["2020-10":"2020-11"].abs().max() < 0.2
    assert market.ordinary_per_ads["NTES"].iloc[-1] == 5.0


def test_every_real_pair_is_at_parity_on_average(market: Market) -> None:
    means = pd.Series({adr: premium(market, adr).mean() for adr in market.pairs.index})
    assert len(means) == 13
    assert means.abs().max() < 0.006
