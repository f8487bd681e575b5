"""What real and simulated pairs look like, in the same numbers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, shown
from entrepot.markets.market import Market
from entrepot.markets.premium import premium

WIDE = -0.015  # a discount that the press writes about
# Larger moves between two steps are splits of raw prices, not news.
LARGEST_MOVE = 0.3
SEGMENTS = {
    "hk_open": ("XNYS", "close", "XHKG", "open"),
    "hk_close": ("XHKG", "open", "XHKG", "close"),
    "us_open": ("XHKG", "close", "XNYS", "open"),
    "us_close": ("XNYS", "open", "XNYS", "close"),
}


def premium_statistics(market: Market, adrs: Sequence[str] | None = None) -> pd.DataFrame:
    """Describe the premium of each pair.

    Args:
        market: holds both legs of the pairs.
        adrs: pairs by ADR symbol; None: all of the market.

    Returns:
        One row per pair and a last row ``median``. Of the same-date premium, fractions: ``mean``, ``sd``, 1 %
        and 99 % quantiles ``low`` and ``high``, excess ``kurtosis``, ``wide`` (share of days below -1.5 %)
        and lag-1 ``autocorrelation``. ``sd_next_hk``, ``sd_hk_open`` and ``kurtosis_hk_open`` are of others.
        ``averaged`` is the lag-1 autocorrelation of the average of same-date and ``next_hk`` premium, the
        signal of the pair strategies. ``half_life``, in sessions, is of the premium of the last close in New
        York over each open in Hong Kong, which holds the least news: with its autocorrelations r, r1 + r2
        decays to r2 + r3 in one session, whatever share of the variance is noise. NaN where opens are
        missing or the autocorrelations do not decay.
    """
    rows: dict[str, dict[str, float]] = {}
    for adr in pairs_asked(market, adrs):
        same, ahead = premium(market, adr), premium(market, adr, "next_hk")
        first = opening_premium(market, adr)
        r1, r2, r3 = (first.autocorr(lag) if len(first) > 10 else np.nan for lag in (1, 2, 3))
        decay = (r2 + r3) / (r1 + r2)
        rows[adr] = {
            "mean": float(same.mean()),
            "sd": float(same.std()),
            "low": float(same.quantile(0.01)),
            "high": float(same.quantile(0.99)),
            "kurtosis": excess_kurtosis(same),
            "wide": float((same < WIDE).mean()),
            "autocorrelation": same.autocorr(1),
            "sd_next_hk": float(ahead.std()),
            "sd_hk_open": float(first.std()),
            "kurtosis_hk_open": excess_kurtosis(first),
            "averaged": ((same + ahead) / 2).dropna().autocorr(1),
            "half_life": -np.log(2.0) / np.log(decay) if 0.0 < decay < 1.0 else np.nan,
        }
    return with_median(rows)


def movement_statistics(market: Market, adrs: Sequence[str] | None = None) -> pd.DataFrame:
    """Describe how the two lines of each pair move.

    Args:
        market: holds both legs of the pairs.
        adrs: pairs by ADR symbol; None: all of the market.

    Returns:
        One row per pair and a last row ``median``: annual ``volatility`` and excess ``kurtosis`` of the ADS's
        daily log returns; ``monthly_volatility`` (annual), ``worst_month`` and ``best_month`` of its log
        returns by calendar month, the first and last one as they are; ``hk_volatility`` and ``hk_kurtosis``
        of the Hong Kong line's; the shares of the variance of a day in the segments that end at ``hk_open``,
        ``hk_close``, ``us_open``, ``us_close`` (both lines at parity; NaN without opens); and
        ``correlation``: the median of the ADS's correlations with the other ADSs.
    """
    asked = pairs_asked(market, adrs)
    moves = pd.DataFrame({adr: daily_moves(market, adr) for adr in asked})
    correlation = moves.corr().where(~np.eye(len(asked), dtype=bool)).median()
    months = moves.resample("ME").sum(min_count=1)
    rows: dict[str, dict[str, float]] = {}
    for adr in asked:
        home = daily_moves(market, str(market.pairs.at[adr, "hk"]))
        rows[adr] = {
            "volatility": float(moves[adr].std() * np.sqrt(252.0)),
            "kurtosis": excess_kurtosis(moves[adr]),
            "monthly_volatility": float(months[adr].std() * np.sqrt(12.0)),
            "worst_month": float(months[adr].min()),
            "best_month": float(months[adr].max()),
            "hk_volatility": float(home.std() * np.sqrt(252.0)),
            "hk_kurtosis": excess_kurtosis(home),
            **segment_shares(market, adr),
            "correlation": float(correlation[adr]),
        }
    return with_median(rows)


def calibration_table(
    simulated: Market | Sequence[Market], real: Market | None = None, adrs: Sequence[str] | None = None
) -> pd.DataFrame:
    """Put the median pair of simulated markets beside that of a real one.

    Args:
        simulated: one market or several seeds of one.
        real: market of real prices over the same dates, or None.
        adrs: pairs by ADR symbol, in all of the markets; None: all pairs of the first.

    Returns:
        One row per statistic of `premium_statistics` and `movement_statistics` (the latter's kurtosis as
        ``ads_kurtosis``): ``simulated`` is the median over the seeds and ``sd`` the standard deviation of
        one (NaN of a single market), ``real``, and ``distance``: real less simulated in units of ``sd``.
    """
    markets = [simulated] if isinstance(simulated, Market) else list(simulated)
    if not markets or not all(isinstance(market, Market) for market in markets):
        raise ParameterError(f"simulated is {shown(simulated)}: give a Market or several")
    asked = pairs_asked(markets[0], adrs)
    seeds = pd.DataFrame([medians(market, asked) for market in markets])
    table = pd.DataFrame({"simulated": seeds.median(), "sd": seeds.std()})
    table["real"] = np.nan if real is None else medians(real, asked)
    table["distance"] = (table["real"] - table["simulated"]) / table["sd"]
    return table.rename_axis("statistic")


def medians(market: Market, adrs: Sequence[str]) -> pd.Series[float]:
    """Return every statistic of the median pair."""
    of_premium = premium_statistics(market, adrs).loc["median"]
    of_moves = movement_statistics(market, adrs).loc["median"].rename({"kurtosis": "ads_kurtosis"})
    return pd.Series({**of_premium.to_dict(), **of_moves.to_dict()})


def pairs_asked(market: Market, adrs: Sequence[str] | None) -> list[str]:
    """Return the pairs to describe, or say which the market does not have."""
    have = [str(adr) for adr in market.pairs.index]
    asked = have if adrs is None else [adrs] if isinstance(adrs, str) else list(adrs)
    missing = [adr for adr in asked if adr not in have]
    if missing or not asked:
        raise ParameterError(
            f"adrs={shown(adrs)} names no pairs of this market: choose among {', '.join(have) or 'none'}"
        )
    return asked


def opening_premium(market: Market, adr: str) -> pd.Series[float]:
    """Return the premium of the last close in New York over each open in Hong Kong; empty without opens.

    Closes of Hong Kong's holidays are left out: they would share the news of one open.
    """
    try:
        detail = premium(market, adr, "hk_open", detail=True)
    except DataError:
        return pd.Series(dtype=np.float64)
    return detail.loc[~detail["hk_time"].duplicated(keep="last"), "premium"]


def excess_kurtosis(values: pd.Series[float]) -> float:
    """Return the kurtosis less 3, as pandas estimates it."""
    return float(np.asarray(values.kurt()))


def with_median(rows: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Return the rows as a frame with their medians below."""
    table = pd.DataFrame.from_dict(rows, orient="index")
    return pd.concat([table, table.median().to_frame("median").T]).rename_axis("adr")


def daily_moves(market: Market, symbol: str) -> pd.Series[float]:
    """Return the log returns of a line from close to close by session, without those of splits."""
    own = market.scheduled[:, market.column(symbol)] & (market.grid["phase"] == "close").to_numpy()
    price = np.log(market.printed[own, market.column(symbol)])
    move = pd.Series(price, market.grid["session"][own]).dropna().diff().dropna()
    split = market.splits.loc[market.splits["symbol"] == symbol, "ex_date"]
    return move[~move.index.isin(split)]


def segment_shares(market: Market, adr: str) -> dict[str, float]:
    """Return the share of each segment in the variance of a day of both lines at parity."""
    column, home = market.column(adr), market.column(str(market.pairs.at[adr, "hk"]))
    parity = (
        market.fx["USD"].to_numpy() / market.fx["HKD"].to_numpy() / market.ordinary_per_ads[adr].to_numpy()
    )
    new_york = (market.grid["venue"] == "XNYS").to_numpy()
    price: NDArray[np.float64] = np.log(
        np.where(new_york, market.printed[:, column] * parity, market.printed[:, home])
    )
    ends_of_segments = (market.grid["phase"] != "bar").to_numpy()
    seen = np.flatnonzero(np.isfinite(price) & ends_of_segments)
    move = np.diff(price[seen])
    steps = list(zip(market.grid["venue"].iloc[seen], market.grid["phase"].iloc[seen], strict=True))
    between = np.array([a + b for a, b in pairwise(steps)], dtype=object).reshape(-1, 4)
    small = np.abs(move) < LARGEST_MOVE
    variance = {}
    for name, ends in SEGMENTS.items():
        own = move[small & (between == np.array(ends, dtype=object)).all(axis=1)]
        variance[name] = own.var() if len(own) > 1 else np.nan
    total = sum(variance.values())
    return {name: value / total for name, value in variance.items()}
