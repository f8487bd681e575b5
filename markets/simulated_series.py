"""What a data vendor would sell beside the prices, simulated: five series and the signals behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.markets.known_series import KnownSeries
from entrepot.markets.simulated_issuers import ISSUER_OF, MAINLAND, Issuer
from entrepot.markets.simulated_random import Floats, mean_reverting, smoothed, stream

MARKET: Final = "market"  # the column of a quantity of all
# Half-life of the signal behind each series, in rows: sessions of Hong Kong, or months.
SERIES: Final = {
    "southbound": 10.0,
    "custody": 60.0,
    "forward_pe": 6.0,
    "ah_premium": 60.0,
    "ipo_proceeds": 6.0,
}
SOUTHBOUND_MEAN, SOUTHBOUND_SD = 0.01, 0.03  # of turnover; half of the variance is the signal
CUSTODY_RANGE, CUSTODY_PACE, CUSTODY_NOISE = (45.0, 75.0), 2.1, 0.01  # %, % a year, %
CUSTODY_HALF_LIFE: Final = 250.0  # sessions: the level goes back to its mean
PE_LEVELS: Final = {"internet": 18.0, "consumer": 20.0, "auto": 22.0, "technology": 25.0, "state": 7.0}
PE_SIGNAL, PE_NOISE = 0.20, 0.03  # of the logarithm
AH_RANGE, AH_SIGNAL, AH_NOISE = (0.65, 0.85), 0.10, 0.01  # price ratio H / A; of its logarithm
IPO_LEVEL, IPO_SIGNAL, IPO_NOISE = 2.5e9, 0.70, 0.20  # USD a month; of the logarithm


class Signal(NamedTuple):
    """The standardised signals behind one series: by issuer, or of the market as a whole."""

    dates: pd.DatetimeIndex  # what each row is about
    known_at: pd.DatetimeIndex  # UTC
    of: Mapping[str, Floats]  # by owner, (rows,) of unit variance


def owner_of(issuer: Issuer) -> str:
    """Return the line by which an issuer's own signals are drawn."""
    return issuer.hk or issuer.adr


def draw_signals(grid: pd.DataFrame, issuers: Sequence[Issuer], seed: int) -> dict[str, Signal]:
    """Return the signals behind each series over the steps of a grid."""
    signals = {}
    for name, half_life in SERIES.items():
        dates, known_at = rows_of(grid, name)
        owners = [MARKET] if name == "ipo_proceeds" else [owner_of(issuer) for issuer in issuers]
        own = {
            owner: mean_reverting(stream(seed, f"signal/{name}/{owner}"), len(dates), half_life)
            for owner in owners
        }
        signals[name] = Signal(dates, known_at, own)
    return signals


def rows_of(grid: pd.DataFrame, name: str) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Return the dates of one series and when each row is known: Hong Kong's sessions or ends of months."""
    if name in ("forward_pe", "ipo_proceeds"):
        days = pd.date_range(grid["session"].min(), grid["session"].max(), freq="ME").as_unit("ns")
        lag = pd.offsets.BDay(3) if name == "forward_pe" else pd.Timedelta(days=5)
        return days, (days + lag).as_unit("ns").tz_localize("UTC")
    closes = grid[(grid["venue"] == "XHKG") & (grid["phase"] == "close")]
    days = pd.DatetimeIndex(closes["session"], name=None)
    if name == "ah_premium":
        return days, pd.DatetimeIndex(closes["time"], name=None)
    hours = 12 if name == "southbound" else 24  # 20:00 in Hong Kong, and 08:00 the next morning
    return days, (days + pd.Timedelta(hours=hours)).tz_localize("UTC")


def at_steps(time: pd.DatetimeIndex, signal: Signal, owner: str) -> Floats:
    """Return the signal of an owner that was known at the step before each step, 0 before the first."""
    row: NDArray[np.intp] = np.searchsorted(signal.known_at, time, side="right")
    value = np.append(0.0, signal.of[owner])[row]
    return np.append(0.0, value[:-1])


def visible_series(
    signals: Mapping[str, Signal], lines: pd.DataFrame, until: pd.Timestamp, seed: int
) -> tuple[dict[str, KnownSeries], dict[str, KnownSeries]]:
    """Return the series of the lines of a market and the signals behind them, what is known by a moment."""
    ordinary = lines.index[(lines["venue"] == "XHKG") & (lines["kind"] == "ordinary")]
    columns: dict[str, Sequence[str]] = {
        "southbound": list(ordinary),
        "custody": list(ordinary),
        "forward_pe": list(lines.index[(lines["venue"] == "XHKG") | (lines["kind"] == "etf")]),
        "ah_premium": [symbol for symbol in ordinary if symbol in MAINLAND],
        "ipo_proceeds": [MARKET],
    }
    first = lines["first"].to_dict()
    series, behind = {}, {}
    for name, signal in signals.items():
        rows = int((signal.known_at <= until).sum())
        if not columns[name]:
            continue
        seen, latent = {}, {}
        for symbol in columns[name]:
            owner = MARKET if symbol == MARKET else owner_of(ISSUER_OF[symbol])
            own = signal.of[owner]
            value = observed(name, own, owner, seed)
            if symbol != MARKET:
                value = np.where(signal.dates >= pd.Timestamp(first[symbol]), value, np.nan)
            seen[symbol], latent[symbol] = value[:rows], own[:rows]
        dates, known_at = signal.dates[:rows], signal.known_at[:rows]
        series[name] = KnownSeries(name, pd.DataFrame(seen, index=dates), known_at)
        behind[name] = KnownSeries(f"signal behind {name}", pd.DataFrame(latent, index=dates), known_at)
    return series, behind


def observed(name: str, signal: Floats, owner: str, seed: int) -> Floats:
    """Return what the vendor shows of one signal, shape (rows,)."""
    rng = stream(seed, f"series/{name}/{owner}")
    place, noise = rng.random(), rng.standard_normal(len(signal))

    def between(low: float, high: float) -> float:
        return float(low + place * (high - low))

    if name == "southbound":
        shown, decimals = SOUTHBOUND_MEAN + SOUTHBOUND_SD * (signal + noise) / np.sqrt(2.0), 6
    elif name == "custody":
        pace = CUSTODY_PACE / 252.0 / (1.0 - 0.5 ** (1.0 / CUSTODY_HALF_LIFE))
        moved = pace * smoothed(np.append(0.0, signal), CUSTODY_HALF_LIFE)[1:]
        shown, decimals = between(*CUSTODY_RANGE) + moved + CUSTODY_NOISE * noise, 2
    elif name == "forward_pe":
        level = PE_LEVELS[ISSUER_OF[owner].factor] * between(0.8, 1.2)
        shown, decimals = level * np.exp(-PE_SIGNAL * signal + PE_NOISE * noise), 2
    elif name == "ah_premium":
        shown, decimals = between(*AH_RANGE) * np.exp(-AH_SIGNAL * signal + AH_NOISE * noise) - 1.0, 4
    else:
        shown, decimals = IPO_LEVEL * np.exp(IPO_SIGNAL * signal + IPO_NOISE * noise), -6
    rounded: Floats = np.round(shown, decimals)
    return rounded
