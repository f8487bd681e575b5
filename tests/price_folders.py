"""Daily price files in Yahoo's layout, made up so that the true parity premium is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from entrepot.markets.sessions import session_times


@dataclass(frozen=True)
class Action:
    """A split of one pair: new shares per old share by line, and the ADS ratio on either side of it."""

    adr: str
    hk: str
    date: str
    hk_factor: float
    ads_factor: float
    before: float
    after: float


ACTIONS = (
    Action("BABA", "9988.HK", "2019-07-30", 8, 1, 1, 8),
    Action("BIDU", "9888.HK", "2021-03-01", 80, 1, 0.1, 8),
    Action("TCOM", "9961.HK", "2021-03-18", 8, 1, 0.125, 1),
    Action("HTHT", "1179.HK", "2021-06-25", 10, 1, 1, 10),
    Action("ATHM", "2518.HK", "2021-02-05", 4, 1, 1, 4),
    Action("ZLAB", "9688.HK", "2022-03-30", 10, 1, 1, 10),
    Action("NOAH", "6686.HK", "2023-10-30", 10, 1, 0.5, 5),
    Action("HSAI", "2525.HK", "2026-07-10", 8, 1, 1, 8),
    Action("NTES", "9999.HK", "2020-10-02", 1, 5, 25, 5),
    Action("EDU", "9901.HK", "2022-04-08", 1, 0.1, 1, 10),
    Action("ZH", "2390.HK", "2024-05-10", 1, 1 / 6, 0.5, 3),
    Action("LU", "6623.HK", "2023-12-15", 1, 0.25, 0.5, 2),
    Action("OCFT", "6638.HK", "2022-12-12", 1, 0.1, 3, 30),
    Action("EDU", "9901.HK", "2021-03-10", 10, 10, 1, 1),
)


def closes(venue: str, start: str, end: str, seed: int = 0, level: float = 100.0) -> pd.DataFrame:
    """Files of one line: a random walk of about ``level`` with opens near the close before."""
    sessions = session_times(venue, start, end, ("close",))["session"]
    rng = np.random.default_rng(seed)
    walk = level * np.exp(np.cumsum(rng.normal(0.0, 0.01, len(sessions))))
    opened = np.concatenate([[level], walk[:-1]]) * np.exp(rng.normal(0.0, 0.002, len(sessions)))
    return pd.DataFrame({"Date": sessions, "Open": opened, "Close": walk, "Volume": 1000.0})


def fixings(start: str, end: str, currency: str = "HKD") -> pd.DataFrame:
    """Rates of every weekday from a week before the start."""
    days = pd.bdate_range(pd.Timestamp(start) - pd.Timedelta(days=7), end)
    middle, width = {"HKD": (7.8, 0.03), "CNY": (7.0, 0.2)}[currency]
    return pd.DataFrame({"Date": days, "Close": middle + width * np.sin(np.arange(len(days)) / 9.0)})


def pair(
    adr: str = "BABA",
    hk: str = "9988.HK",
    start: str = "2022-01-04",
    end: str = "2022-03-31",
    ratio: float = 8.0,
) -> dict[str, pd.DataFrame]:
    """Files of a pair near parity, with exchange rates."""
    lines = {hk: closes("XHKG", start, end, seed=1), adr: closes("XNYS", start, end, seed=1)}
    both = lines[hk].merge(lines[adr][["Date"]], on="Date")
    shared = both.set_index("Date")["Close"].reindex(lines[adr]["Date"]).ffill().bfill().to_numpy()
    noise = np.exp(np.random.default_rng(2).normal(0.0, 0.01, len(shared)))
    lines[adr]["Close"] = shared * ratio / 7.8 * noise
    lines[adr]["Open"] = shared * ratio / 7.8
    return {**lines, "HKD=X": fixings(start, end)}


def split_pair(
    action: Action,
    *,
    ads_adjusted: bool,
    hk_adjusted: bool,
    later: tuple[str, float] | None = None,
    sessions: int = 30,
) -> tuple[dict[str, pd.DataFrame], pd.Series]:
    """Files of a pair around a split, each line raw or back-adjusted, and the true same-date premium.

    ``later`` is a further factor by which an adjusted line ("hk" or "ads") was divided because of a split
    after the end of the file.
    """
    day = pd.Timestamp(action.date)
    start, end = day - pd.Timedelta(days=2 * sessions), day + pd.Timedelta(days=2 * sessions)
    files = pair(action.adr, action.hk, str(start.date()), str(end.date()), action.before)
    hk, ads = files[action.hk], files[action.adr]
    rate = files["HKD=X"].set_index("Date")["Close"]
    after_hk, after_ads = hk["Date"] >= day, ads["Date"] >= day
    for column in ("Open", "Close"):
        hk.loc[after_hk, column] /= action.hk_factor
        ads.loc[after_ads, column] /= action.ads_factor
    raw_hk, raw_ads = hk.set_index("Date")["Close"], ads.set_index("Date")["Close"]
    ratio = pd.Series(np.where(raw_ads.index >= day, action.after, action.before), index=raw_ads.index)
    true = (raw_ads * rate / (ratio * raw_hk) - 1.0).dropna()
    for frame, adjusted, factor, after, line in (
        (hk, hk_adjusted, action.hk_factor, after_hk, "hk"),
        (ads, ads_adjusted, action.ads_factor, after_ads, "ads"),
    ):
        for column in ("Open", "Close"):
            if adjusted:
                frame.loc[~after, column] /= factor
            if later is not None and later[0] == line:
                frame[column] /= later[1]
    return files, true


def write(folder: Path, files: dict[str, pd.DataFrame]) -> Path:
    """Write one CSV per symbol."""
    folder.mkdir(exist_ok=True)
    for symbol, frame in files.items():
        frame.to_csv(folder / f"{symbol}.csv", index=False)
    return folder


def long(files: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One long table of the same rows."""
    return pd.concat([frame.assign(symbol=symbol) for symbol, frame in files.items()], ignore_index=True)
