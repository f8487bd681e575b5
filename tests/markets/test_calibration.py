"""The statistics that real and simulated pairs are compared by, and how far apart the two may be."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from entrepot.errors import ParameterError
from entrepot.markets.calibration import calibration_table, movement_statistics, premium_statistics
from entrepot.markets.load import load_market
from entrepot.markets.market import Market
from entrepot.markets.premium import premium
from entrepot.markets.simulate import simulate_market
from entrepot.markets.simulated_effects import Effects
from entrepot.regimes import load_events

PAIRS = ["BABA", "JD", "NTES", "BIDU", "BILI", "XPEV", "NIO", "ZTO"]
HOME = ["9988.HK", "9618.HK", "9999.HK", "9888.HK", "9626.HK", "9868.HK", "9866.HK", "2057.HK"]
START, END = "2019-06-03", "2025-07-18"

# How far the median real pair may lie from the median of simulated seeds: three standard deviations of what
# one seed shows by chance, from forty seeds, since the real market is one draw.
BANDS = {
    "mean": 0.0019,
    "sd": 0.008,
    "low": 0.027,
    "high": 0.03,
    "wide": 0.052,
    "autocorrelation": 0.084,
    "sd_next_hk": 0.008,
    "sd_hk_open": 0.0032,
    "averaged": 0.088,
    "half_life": 0.77,
    "volatility": 0.16,
    "monthly_volatility": 0.24,
    "worst_month": 0.35,
    "best_month": 0.26,
    "hk_volatility": 0.16,
    "hk_open": 0.018,
    "hk_close": 0.07,
    "us_open": 0.029,
    "us_close": 0.084,
    "correlation": 0.11,
}
# Kurtosis is skewed over seeds: its logarithm has a standard deviation near 0.5, and this is two of them.
TAILS = ("kurtosis", "kurtosis_hk_open", "ads_kurtosis", "hk_kurtosis")
TAIL_RATIO = 3.0


@lru_cache
def simulated(seed: int = 1) -> Market:
    return simulate_market(START, END, seed=seed, events=load_events().frame, symbols=[*PAIRS, *HOME])


@pytest.fixture(scope="module")
def real(real_prices: Path) -> Market:
    return load_market(real_prices, start=START, ends="cut", departures="parity")


# -- real against simulated ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(real: Market) -> pd.DataFrame:
    return calibration_table([simulated(seed) for seed in range(1, 7)], real, PAIRS)


@pytest.mark.parametrize("statistic", BANDS)
def test_the_simulation_is_within_chance_of_the_real_pairs(table: pd.DataFrame, statistic: str) -> None:
    row = table.loc[statistic]
    assert row["real"] == pytest.approx(row["simulated"], abs=BANDS[statistic])


@pytest.mark.parametrize("statistic", TAILS)
def test_tails_are_as_heavy_within_chance(table: pd.DataFrame, statistic: str) -> None:
    row = table.loc[statistic]
    assert 1.0 / TAIL_RATIO < row["simulated"] / row["real"] < TAIL_RATIO


def test_every_statistic_has_a_band(table: pd.DataFrame) -> None:
    assert set(table.index) == {*BANDS, *TAILS}


def test_discounts_are_deeper_while_delisting_threatens(real: Market) -> None:
    """2021 and 2022 less 2023 and 2024, of the median pair; three standard deviations of one seed."""

    def difference(market: Market) -> float:
        means = []
        for years in (("2021-01-04", "2022-12-30"), ("2023-01-03", "2024-12-31")):
            part = market.between(*years)
            means.append(np.median([premium(part, adr).mean() for adr in PAIRS]))
        return float(means[0] - means[1])

    seeds = [difference(simulated(seed)) for seed in range(1, 7)]
    assert difference(real) == pytest.approx(np.mean(seeds), abs=0.0042)
    assert np.mean(seeds) < -0.001


# -- the statistics --------------------------------------------------------------------------------------


def test_statistics_of_premia_are_those_of_the_series() -> None:
    market = simulated()
    table = premium_statistics(market, ["BABA", "ZTO", "NIO"])
    assert list(table.index) == ["BABA", "ZTO", "NIO", "median"]
    same = premium(market, "ZTO").to_numpy()
    row = table.loc["ZTO"]
    assert row["mean"] == pytest.approx(same.mean())
    assert row["sd"] == pytest.approx(same.std(ddof=1))
    assert row["wide"] == np.mean(same < -0.015)
    assert row["low"] == pytest.approx(np.quantile(same, 0.01))
    assert row["high"] == pytest.approx(np.quantile(same, 0.99))
    assert row["autocorrelation"] == pytest.approx(np.corrcoef(same[:-1], same[1:])[0, 1])
    centred = same - same.mean()
    assert row["kurtosis"] == pytest.approx(np.mean(centred**4) / np.mean(centred**2) ** 2 - 3, rel=0.03)
    assert row["sd_next_hk"] == pytest.approx(premium(market, "ZTO", "next_hk").std())
    opening = premium(market, "ZTO", "hk_open", detail=True)
    opening = opening.groupby("hk_time")["premium"].last().to_numpy()
    assert row["sd_hk_open"] == pytest.approx(opening.std(ddof=1))
    deep = opening - opening.mean()
    assert row["kurtosis_hk_open"] == pytest.approx(np.mean(deep**4) / np.mean(deep**2) ** 2 - 3, rel=0.03)
    r1, r2, r3 = (np.corrcoef(opening[:-k], opening[k:])[0, 1] for k in (1, 2, 3))
    assert 0.5 ** (1.0 / row["half_life"]) == pytest.approx((r2 + r3) / (r1 + r2))
    both = ((premium(market, "ZTO") + premium(market, "ZTO", "next_hk")) / 2).dropna()
    assert row["averaged"] == pytest.approx(np.corrcoef(both[:-1], both[1:])[0, 1])
    assert (table.loc["median"] == table.iloc[:3].median()).all()


@pytest.mark.parametrize("half_life", [3.0, 8.0])
def test_the_half_life_is_found_in_spite_of_noise(half_life: float) -> None:
    effects = Effects(premium_half_life=half_life, delisting_drift=0.0)
    given = {"start": START, "end": END, "effects": effects, "symbols": [*PAIRS[:4], *HOME[:4]]}
    found = [premium_statistics(simulate_market(seed=s, **given)).at["median", "half_life"] for s in range(4)]
    assert np.mean(found) == pytest.approx(half_life, rel=0.35)


def test_statistics_of_moves_are_those_of_the_prices() -> None:
    market = simulated()
    table = movement_statistics(market, ["BABA", "JD", "NTES"])
    closes = ((market.grid["venue"] == "XNYS") & (market.grid["phase"] == "close")).to_numpy()
    prices = market.price.loc[closes, ["BABA", "JD", "NTES"]]
    moves = np.log(prices).diff().iloc[1:]
    # The ADS split of NetEase is no move.
    moves.loc[moves.index.tz_localize(None).normalize() == "2020-10-02", "NTES"] = np.nan
    assert table["volatility"].to_numpy()[:3] == pytest.approx(moves.std() * np.sqrt(252))
    assert table["kurtosis"].to_numpy()[:3] == pytest.approx(moves.kurt())
    by_month = moves.groupby([moves.index.year, moves.index.month]).sum()
    assert table["monthly_volatility"].to_numpy()[:3] == pytest.approx(by_month.std() * np.sqrt(12))
    assert table["worst_month"].to_numpy()[:3] == pytest.approx(by_month.min())
    assert table["best_month"].to_numpy()[:3] == pytest.approx(by_month.max())
    pairwise = moves.corr()
    expected = (pairwise.at["BABA", "JD"] + pairwise.at["BABA", "NTES"]) / 2
    assert table.at["BABA", "correlation"] == pytest.approx(expected)
    assert table.loc["BABA", ["hk_open", "hk_close", "us_open", "us_close"]].sum() == pytest.approx(1.0)


def test_shares_of_the_day_are_those_of_moves_between_the_steps() -> None:
    """Looked for one by one, over two months."""
    market = simulated().between("2021-03-01", "2021-04-30")
    names, logs = [], []
    for row, step in market.grid.iterrows():
        ads, home = market.price.iloc[row][["BABA", "9988.HK"]]
        ads *= 1.0 / market.fx["HKD"].iloc[row] / 8.0
        names.append(f"{step['venue']} {step['phase']}")
        logs.append(np.log(ads if step["venue"] == "XNYS" else home))
    moves: dict[str, list[float]] = {}
    for a, b, x, y in zip(names, names[1:], logs, logs[1:], strict=False):
        moves.setdefault(f"{a} to {b}", []).append(y - x)
    wanted = {
        "hk_open": "XNYS close to XHKG open",
        "hk_close": "XHKG open to XHKG close",
        "us_open": "XHKG close to XNYS open",
        "us_close": "XNYS open to XNYS close",
    }
    variance = {name: float(np.var(moves[key])) for name, key in wanted.items()}
    found = movement_statistics(market, ["BABA"]).loc["BABA"]
    for name, value in variance.items():
        assert found[name] == pytest.approx(value / sum(variance.values()))


def test_closes_alone_leave_out_what_needs_opens() -> None:
    market = simulate_market("2021-01-04", "2021-12-31", phases=("close",), symbols=["BABA", "9988.HK"])
    row = premium_statistics(market).loc["BABA"]
    assert row[["sd_hk_open", "half_life"]].isna().all()
    assert row[["mean", "sd", "kurtosis", "averaged"]].notna().all()
    moves = movement_statistics(market).loc["BABA"]
    assert moves[["hk_open", "us_close"]].isna().all()
    assert moves["volatility"] > 0.2


def test_the_table_is_of_the_median_pair_over_the_seeds() -> None:
    markets = [simulated(1), simulated(2)]
    table = calibration_table(markets, simulated(3), ["BABA", "JD"])
    medians = [premium_statistics(market, ["BABA", "JD"]).at["median", "sd"] for market in markets]
    assert table.at["sd", "simulated"] == pytest.approx(np.mean(medians))
    assert table.at["sd", "sd"] == pytest.approx(np.std(medians, ddof=1))
    third = premium_statistics(simulated(3), ["BABA", "JD"]).at["median", "sd"]
    assert table.at["sd", "real"] == pytest.approx(third)
    distance = (third - np.mean(medians)) / np.std(medians, ddof=1)
    assert table.at["sd", "distance"] == pytest.approx(distance)
    alone = calibration_table(simulated(1), adrs=["BABA"])
    assert alone[["sd", "real", "distance"]].isna().all(axis=None)
    kurtosis = movement_statistics(simulated(1), ["BABA"]).at["BABA", "kurtosis"]
    assert alone.at["ads_kurtosis", "simulated"] == pytest.approx(kurtosis)


def test_pairs_and_markets_that_are_not_there_are_refused() -> None:
    with pytest.raises(ParameterError, match="names no pairs of this market: choose among BABA"):
        premium_statistics(simulated(), ["TSLA"])
    with pytest.raises(ParameterError, match="names no pairs"):
        movement_statistics(simulated(), [])
    with pytest.raises(ParameterError, match="give a Market or several"):
        calibration_table([])
    with pytest.raises(ParameterError, match="none"):
        premium_statistics(simulate_market(end="2018-03-01", symbols="KWEB"))
