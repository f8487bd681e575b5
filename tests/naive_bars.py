"""Bars made of daily prices, and the same bars read row by row: slow, and obvious."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from entrepot import Market
from entrepot.markets.sessions import bars_of, session_times

ZONES = {"XHKG": ZoneInfo("Asia/Hong_Kong"), "XNYS": ZoneInfo("America/New_York")}
UTC = ZoneInfo("UTC")
Files = dict[str, pd.DataFrame]


def daily_files(market: Market) -> Files:
    """One table of days per symbol, as vendors have them, and the exchange rates."""
    files = {}
    session = pd.DatetimeIndex(market.grid["session"], name="Date")
    for n, symbol in enumerate(market.symbols):
        own = market.scheduled[:, n]
        columns = {}
        for phase in ("open", "close"):
            rows = own & (market.grid["phase"] == phase).to_numpy()
            columns[phase.capitalize()] = pd.Series(market.prices[rows, n], session[rows])
        assert market.volume is not None
        columns["Volume"] = pd.Series(market.volume.to_numpy()[rows, n], session[rows])
        for name, table, amount in (
            ("Dividends", market.dividends, "amount"),
            ("Stock Splits", market.splits, "factor"),
        ):
            mine = table[table["symbol"] == symbol].set_index("ex_date")[amount]
            columns[name] = mine.reindex(session[rows]).fillna(0.0)
        table = pd.DataFrame(columns).dropna(subset=["Open", "Close"], how="all").reset_index()
        if len(table):
            files[symbol] = table
    for currency, rows in market.fixings.groupby("currency"):
        dates = rows["time"].dt.tz_localize(None).dt.normalize().rename("Date")
        files[f"{currency}=X"] = pd.DataFrame({"Date": dates, "Close": rows["per_usd"]})
    return files


def minute_files(
    days: Mapping[str, pd.DataFrame],
    minutes: int = 30,
    stamped: str = "start",
    *,
    auction: bool = True,
    seed: int = 0,
    spread: float = 0.002,
) -> Files:
    """Tables of days as bars: a path from each session's open to its close; rates stay days.

    Hong Kong's last bar stops short of the close, which a bar of the auction has, stamped 16:08 at its start.

    Args:
        days: by symbol, with Date, Open, Close and Volume, and any other amounts of a day.
        minutes: length of the bars.
        stamped: "start" or "end".
        auction: whether Hong Kong's closing auction has a bar.
        seed: of the paths.
        spread: of a bar's return.
    """
    files = dict(days)
    rng = np.random.default_rng(seed)
    for symbol in [symbol for symbol in files if not symbol.endswith("=X")]:
        venue = "XHKG" if symbol.endswith(".HK") else "XNYS"
        table = files[symbol].dropna(subset=["Open", "Close"])
        amounts = [name for name in table if name not in ("Date", "Open", "Close", "Volume")]
        dates, paid_on_days = pd.DatetimeIndex(table["Date"]), table[amounts].to_numpy()
        bars = bars_of(venue, dates[0], dates[-1], minutes)
        late = ((bars["last"] < bars["close"]) & auction).to_numpy()
        first = np.flatnonzero(bars["session"].ne(bars["session"].shift()))
        of_day = dict(zip(bars["session"].iloc[first], range(len(first)), strict=True))
        begins, ends = (
            pd.DatetimeIndex(bars[name]).tz_localize(None).to_numpy() for name in (stamped, "last")
        )
        in_auction = np.timedelta64(8 if stamped == "start" else 9, "m")
        stamps, rows = [], []
        for row, day in enumerate(table.itertuples(index=False)):
            place = of_day[day.Date]
            own = slice(first[place], first[place + 1] if place + 1 < len(first) else len(bars))
            count, has_auction = own.stop - own.start, late[own.start]
            walk = np.cumsum(rng.normal(0.0, spread, count))
            at = np.arange(1, count + 1) / count
            close = day.Open * np.exp(at * np.log(day.Close / day.Open) + walk - at * walk[-1])
            close[-1] = day.Close * (1.001 if has_auction else 1.0)
            stamps.append(begins[own])
            if has_auction:
                stamps.append(ends[own.start : own.start + 1] + in_auction)
                close = np.append(close, day.Close)
            opened = np.append(day.Open, close[:-1] * np.exp(rng.normal(0.0, 1e-4, len(close) - 1)))
            volume = np.full(len(close), np.floor(day.Volume / len(close)))
            volume[-1] += day.Volume - volume.sum()
            paid = np.zeros((len(amounts), len(close)))
            paid[:, 0] = paid_on_days[row]
            rows.append(
                np.vstack([opened, close, np.fmax(opened, close), np.fmin(opened, close), volume, paid])
            )
        columns = ["Open", "Close", "High", "Low", "Volume", *amounts]
        made = pd.DataFrame(np.hstack(rows).T, columns=columns)
        local = pd.DatetimeIndex(np.concatenate(stamps)).tz_localize("UTC").tz_convert(ZONES[venue])
        made.insert(0, "Datetime", local.strftime("%Y-%m-%d %H:%M"))
        files[symbol] = made
    return files


def read_row_by_row(
    table: pd.DataFrame, venue: str, minutes: int, stamped: str
) -> tuple[dict[datetime, float], dict[str, float]]:
    """The prices of bars by the moment (UTC) at which each was known, and the opens by date.

    Of naive stamps in the exchange's own time. A bar is known when it ends: at its stamp, or so many minutes
    after, but not after its part of the session. What Hong Kong prints after the end of continuous trading
    makes the close, known at its auction's end; without an auction in the file the last bar does.
    """
    first, last = table["Datetime"].iloc[0][:10], table["Datetime"].iloc[-1][:10]
    moments = {}
    for session in session_times(venue, first, last).itertuples():
        opening, closing = (
            pd.Timestamp(moment).to_pydatetime().astimezone(ZONES[venue]).replace(tzinfo=None)
            for moment in (session.open, session.close)
        )
        moments[f"{session.session:%Y-%m-%d}"] = opening, closing
    length = timedelta(minutes=minutes)
    known: dict[datetime, float] = {}
    opens: dict[str, float] = {}
    auctions: defaultdict[str, list[float]] = defaultdict(list)
    lasts: dict[str, tuple[datetime, float]] = {}
    for row in table.itertuples():
        if not np.isfinite(row.Close) or (row.Volume == 0 and row.Open == row.Close):
            continue
        day, stamp = row.Datetime[:10], datetime.fromisoformat(row.Datetime)
        opening, closing = moments[day]
        noon, one = (datetime.fromisoformat(f"{day} {hour}:00") for hour in (12, 13))
        has_auction = venue == "XHKG" and closing.minute == 10
        end = closing - timedelta(minutes=10) if has_auction else closing
        if stamped == "start":
            in_auction, inside = end <= stamp < closing, opening <= stamp < end
            inside = inside and not (venue == "XHKG" and noon <= stamp < one)
            over = stamp + length
            if venue == "XHKG" and stamp < noon < over:
                over = noon
            over = min(over, end)
        else:
            in_auction, inside = end < stamp <= closing, opening < stamp <= end
            inside = inside and not (venue == "XHKG" and noon < stamp <= one)
            over = stamp
        if in_auction:
            auctions[day].append(row.Close)
        if not inside:
            continue
        if stamp == (opening if stamped == "start" else opening + length):
            opens[day] = row.Open
        if has_auction and over == end:
            lasts[day] = over, row.Close
        known[over.replace(tzinfo=ZONES[venue]).astimezone(UTC)] = row.Close
    for day, (over, price) in lasts.items():
        if not auctions:
            del known[over.replace(tzinfo=ZONES[venue]).astimezone(UTC)]
            known[moments[day][1].replace(tzinfo=ZONES[venue]).astimezone(UTC)] = price
    for day, prices in auctions.items():
        known[moments[day][1].replace(tzinfo=ZONES[venue]).astimezone(UTC)] = prices[-1]
    return known, opens
