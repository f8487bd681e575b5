"""Another future: what a world would be had everything after some step come out differently.

Known at a step, and left alone: prices, volumes and rates up to it; dividends, splits and ratios whose
session has begun; delistings whose last session has begun; events, values and news with `known_at` at or
before it; the venues' calendars three weeks ahead; rows of dated frames whose date has begun. All else is
drawn anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pandas as pd

import entrepot as ep
from entrepot.markets.market import PUBLISHED_AHEAD, Market
from entrepot.regimes.path import RegimePath

Rng = np.random.Generator
ENDLESS = pd.Timestamp("2200-01-01", tz="UTC")


@dataclass(frozen=True, eq=False)
class World:
    """What a strategy, detector or signal may be asked about.

    Args:
        market: T steps.
        events: the calendar.
        path: of the market's steps.
        series: by name.
        levels: tariff levels.
        news: an index of news.
        listings: the registry.
        sectors: a map of sectors.
        dated: frames by naive date that costs are given as.
    """

    market: Market
    events: ep.Events
    path: RegimePath
    series: Mapping[str, ep.KnownSeries] = field(default_factory=dict)
    levels: ep.TariffLevels = field(default_factory=ep.load_tariff_levels)
    news: ep.NewsIndex | None = None
    listings: ep.Listings = field(default_factory=ep.load_listings)
    sectors: ep.SectorMap = field(default_factory=ep.load_sectors)
    dated: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def now(self, step: int) -> pd.Timestamp:
        """The UTC time of a step."""
        return pd.Timestamp(self.market.times[step], tz="UTC")


def other_world(world: World, step: int, how: str, rng: Rng) -> World:
    """Return a world that is the same up to a step, that included, and another after it."""
    market, now = MARKETS[how](world.market, step, rng), world.now(step)
    today = last_session(world.market, step)
    return replace(
        world,
        market=market,
        events=other_events(world.events, now, rng),
        path=other_path(world.path, market, step, rng),
        series={name: other_series(one, now, rng) for name, one in world.series.items()},
        levels=other_levels(world.levels, now, rng),
        news=None if world.news is None else other_news(world.news, now, rng),
        listings=other_listings(world.listings, today, rng),
        sectors=other_sectors(world.sectors, today, rng),
        dated={name: other_rows(frame, today, rng) for name, frame in world.dated.items()},
    )


# -- markets -------------------------------------------------------------------------------------------------


def begun(market: Market, step: int) -> pd.Series[pd.Timestamp]:
    """The last session of each venue that has begun by a step; before the first: long ago."""
    last = market.grid.iloc[: step + 1].groupby("venue")["session"].max()
    return last.reindex(market.grid["venue"].unique(), fill_value=pd.Timestamp("1900-01-01"))


def last_session(market: Market, step: int) -> pd.Timestamp:
    """The last session of any venue that has begun by a step."""
    return market.grid["session"].iloc[: step + 1].max()


def untold(market: Market, step: int, table: pd.DataFrame, date: str) -> np.ndarray:
    """Rows of a table by symbol and session date that are not known at a step."""
    venue = market.instruments["venue"].reindex(table["symbol"])
    return (table[date].to_numpy() > begun(market, step).reindex(venue).to_numpy()).astype(bool)


def elsewhere(market: Market, step: int, rng: Rng, change: Callable[[np.ndarray], np.ndarray]) -> Market:
    """Return a market with other prices, volumes, rates, dividends and ends of halts after a step."""
    later = slice(step + 1, None)
    now = market.times[step]

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        values = frame.to_numpy(np.float64, copy=True)
        values[later] = change(values[later])
        return pd.DataFrame(values, frame.index, frame.columns)

    fixings, dividends, halts = market.fixings.copy(), market.dividends.copy(), market.halts.copy()
    ahead = pd.DatetimeIndex(fixings["time"]).as_unit("ns").asi8 > now
    fixings.loc[ahead, "per_usd"] *= np.exp(0.02 * rng.standard_normal(ahead.sum()))
    coming = untold(market, step, dividends, "ex_date")
    dividends.loc[coming, "amount"] *= np.exp(rng.standard_normal(coming.sum()))
    lasting = pd.DatetimeIndex(halts["end"]).as_unit("ns").asi8 > now
    started = pd.DatetimeIndex(halts["start"]).as_unit("ns").asi8 <= now
    halts.loc[lasting & started, "end"] = market.grid["time"].iloc[-1] + pd.Timedelta(days=1)
    price = changed(market.price)
    most = 0.2 * dividends["symbol"].map(price.min()).astype(np.float64)
    dividends.loc[coming, "amount"] = np.fmin(dividends["amount"], most)[coming]
    return replace(
        market,
        price=price,
        volume=None if market.volume is None else changed(market.volume),
        fixings=fixings,
        dividends=dividends,
        halts=halts[~lasting | started].reset_index(drop=True),
        estimates=market.estimates[~untold(market, step, market.estimates, "session")],
        truth=None,
    )


def noise(market: Market, step: int, rng: Rng) -> Market:
    """Every later number times lognormal noise."""
    return elsewhere(market, step, rng, lambda x: x * np.exp(0.5 * rng.standard_normal(x.shape)))


def gaps(market: Market, step: int, rng: Rng) -> Market:
    """A third of the later numbers missing."""
    return elsewhere(market, step, rng, lambda x: np.where(rng.random(x.shape) < 0.33, np.nan, x))


def still(market: Market, step: int, rng: Rng) -> Market:
    """Every later number of a line the same."""
    return elsewhere(market, step, rng, lambda x: np.where(np.isnan(x), np.nan, 50.0 + 9.0 * rng.random()))


def leaps(market: Market, step: int, rng: Rng) -> Market:
    """Prices that multiply by ten, or a tenth, now and again, and stay there."""

    def leapt(x: np.ndarray) -> np.ndarray:
        jumps = rng.choice([0.1, 1.0, 10.0], x.shape, p=[0.01, 0.98, 0.01])
        return x * np.clip(jumps.cumprod(axis=0), 1e-3, 1e3) * np.exp(0.02 * rng.standard_normal(x.shape))

    return elsewhere(market, step, rng, leapt)


def ends(market: Market, step: int, rng: Rng) -> Market:
    """No future at all."""
    return replace(without_departures(market, step), truth=None).until(step)


def stops(market: Market, step: int, rng: Rng) -> Market:
    """The market ends at some later step, and is another until then."""
    other = noise(market, step, rng)
    return without_departures(other, step).until(int(rng.integers(step + 1, len(market))))


def without_departures(market: Market, step: int) -> Market:
    """Return a market without the delistings whose last session is still to come."""
    told = ~untold(market, step, market.delistings, "last_session")
    return replace(market, delistings=market.delistings[told].reset_index(drop=True))


def closures(market: Market, step: int, rng: Rng) -> Market:
    """Sessions that are not held, later than calendars are known."""
    other, grid = noise(market, step, rng), market.grid
    far = (grid["time"] > grid["time"].iloc[step] + PUBLISHED_AHEAD).to_numpy()
    held = rng.random(len(grid)) > 0.2
    # A session is held or not as a whole, and the last one stays, so that the grid ends where it did.
    first = grid.groupby(["venue", "session"])["time"].transform("min")
    place = np.searchsorted(market.times, pd.DatetimeIndex(first).as_unit("ns").asi8)
    keep = ~far | held[place] | (place >= len(grid) - 8)
    return replace(
        other,
        grid=grid[keep].reset_index(drop=True).rename_axis("step"),
        price=other.price[keep],
        volume=None if other.volume is None else other.volume[keep],
    )


def actions(market: Market, step: int, rng: Rng) -> Market:
    """Other dividends, splits, ratios, halts and departures; lines that would have left stay."""
    other = without_departures(noise(market, step, rng), step)
    price = staying(other, step, rng)
    known = {
        name: table[~untold(market, step, table, "ex_date")]
        for name, table in (("dividends", market.dividends), ("splits", market.splits))
    }
    ratios = market.ratios[market.ratios["effective_from"] <= begun(market, step).max()]
    halts, gone = other.halts, other.delistings
    for symbol in rng.permutation(list(market.symbols))[:6]:
        row = market.instruments.loc[symbol]
        days = sessions_after(market, str(row["venue"]), step)
        if len(days) < 4 or symbol in set(gone["symbol"]):
            continue
        day = days[int(rng.integers(0, len(days) - 2))]
        amount = float(np.nan_to_num(price[symbol].min(), nan=1.0)) * 0.02
        paid = {"symbol": symbol, "ex_date": day, "pay_date": day + pd.Timedelta(days=9), "amount": amount}
        known["dividends"] = added(known["dividends"], paid)
        if row["adjustment"] == "raw":
            split = {"symbol": symbol, "ex_date": day, "factor": float(rng.choice([0.5, 2.0, 3.0]))}
            known["splits"] = added(known["splits"], split)
        start = day.tz_localize("UTC") + pd.Timedelta(days=1)
        halts = added(halts, {"symbol": symbol, "start": start, "end": start + pd.Timedelta(days=4)})
        if symbol in market.pairs.index and len(market.ratios):
            ratio = {"adr": symbol, "effective_from": day, "ordinary_per_ads": float(rng.choice([1.0, 6.0]))}
            ratios = added(ratios, ratio)
            leaving = {"symbol": symbol, "last_session": days[-2], "into": str(row["pair"])}
            gone = added(gone, leaving | {"ordinary_per_ads": 2.0})
            price.loc[(market.grid["session"] > days[-2]).to_numpy(), symbol] = np.nan
    return replace(other, price=price, ratios=ratios, halts=halts, delistings=gone, **known)


def staying(market: Market, step: int, rng: Rng) -> pd.DataFrame:
    """Prices that go on after a step for every line that has not left by then."""
    price = market.price.to_numpy(np.float64, copy=True)
    gone = set(market.delistings["symbol"])
    for n, symbol in enumerate(market.symbols):
        printed = price[: step + 1, n][np.isfinite(price[: step + 1, n])]
        if len(printed) and symbol not in gone:
            missing = market.scheduled[:, n] & np.isnan(price[:, n]) & (np.arange(len(price)) > step)
            price[missing, n] = printed[-1] * np.exp(0.1 * rng.standard_normal(missing.sum()))
    return pd.DataFrame(price, market.price.index, market.price.columns)


def sessions_after(market: Market, venue: str, step: int) -> list[pd.Timestamp]:
    """The sessions of a venue that have not begun at a step."""
    own = market.grid.loc[market.grid["venue"] == venue, "session"].drop_duplicates()
    return list(own[own > begun(market, step)[venue]])


def added(table: pd.DataFrame, row: Mapping[str, Any]) -> pd.DataFrame:
    """A table with one more row, in order of its dates."""
    one = pd.DataFrame([row], columns=table.columns).astype(table.dtypes.to_dict())
    both = pd.concat([table, one], ignore_index=True) if len(table) else one
    dates = [name for name in both if str(both[name].dtype).startswith("datetime64")]
    return both.sort_values(dates[0], kind="stable", ignore_index=True)


MARKETS: dict[str, Callable[[Market, int, Rng], Market]] = {
    "noise": noise,
    "gaps": gaps,
    "still": still,
    "leaps": leaps,
    "ends": ends,
    "stops": stops,
    "closures": closures,
    "actions": actions,
}


# -- events, paths, series -----------------------------------------------------------------------------------


def other_events(events: ep.Events, now: pd.Timestamp, rng: Rng) -> ep.Events:
    """Later events turned, made graver, moved, removed, and others put in, the first a moment after now."""
    frame = events.frame
    told, later = frame[frame["known_at"] <= now], frame[frame["known_at"] > now].copy()
    later["direction"] *= rng.choice([-1, 1], len(later))
    later["severity"] = rng.integers(1, 6, len(later))
    later["known_at"] += pd.to_timedelta(rng.integers(0, 30, len(later)), unit="D")
    later = later[rng.random(len(later)) < 0.7]
    pattern = frame.iloc[rng.integers(0, len(frame), 4)].copy()
    pattern["event_id"] = [f"put-in-{n}" for n in range(len(pattern))]
    days = [0.0, *rng.uniform(0.0, 200.0, len(pattern) - 1)]
    pattern["known_at"] = now + pd.Timedelta("1ns") + pd.to_timedelta(days, unit="D")
    pattern["severity"], pattern["direction"] = 5, rng.choice([-1, 1], len(pattern))
    pattern["effective_on"] = ""
    pattern["announced_at"] = [f"{moment - pd.Timedelta(days=1):%Y-%m-%d}" for moment in pattern["known_at"]]
    return ep.Events(pd.concat([told, later, pattern], ignore_index=True))


def announced_otherwise(events: ep.Events, rng: Rng) -> ep.Events:
    """The same events, known when they were, and announced on other days."""
    frame = events.frame
    frame["announced_at"] = [
        f"{moment - pd.Timedelta(days=int(days)):%Y-%m-%d}"
        for moment, days in zip(frame["known_at"], rng.integers(1, 60, len(frame)), strict=True)
    ]
    return ep.Events(frame)


def other_path(path: RegimePath, market: Market, step: int, rng: Rng) -> RegimePath:
    """Other regimes after a step, on the steps of another market."""
    kept = np.searchsorted(pd.DatetimeIndex(path.time).as_unit("ns").asi8, market.times)
    order = kept.copy()
    order[step + 1 :] = rng.integers(0, len(path.time), max(len(kept) - step - 1, 0))
    time = path.time[kept]
    intensity = path.intensity.iloc[order].set_axis(time)
    intensity.iloc[step + 1 :] *= 3.0 * rng.random()
    return replace(
        path,
        time=time,
        probabilities=path.probabilities.iloc[order].set_axis(time),
        states=path.states[order],
        intensity=intensity,
        session_count=path.session_count[kept],
    )


def other_series(series: ep.KnownSeries, now: pd.Timestamp, rng: Rng) -> ep.KnownSeries:
    """Values of other days in the rows known later, some missing, some rows left out."""
    later = np.asarray(series.known_at > now)
    drawn = series.array.copy()
    pool = drawn[np.isfinite(drawn)]
    drawn[later] = rng.choice(pool, drawn[later].shape) * rng.uniform(0.5, 1.0)
    drawn[later] = np.where(rng.random(drawn[later].shape) < 0.2, np.nan, drawn[later])
    keep = ~later | (rng.random(len(drawn)) < 0.8)
    frame = pd.DataFrame(drawn, series.dates, series.symbols)[keep]
    return replace(series, values=frame, known_at=series.known_at[keep])


def other_levels(levels: ep.TariffLevels, now: pd.Timestamp, rng: Rng) -> ep.TariffLevels:
    """Other rates on the days to come, and rates in force that never end."""
    frame = levels.frame
    begins = pd.DatetimeIndex(frame["effective_from"]).tz_localize("America/New_York")
    after = pd.DatetimeIndex(frame["effective_to"]) + pd.Timedelta(days=1)
    later = np.asarray(begins > now)
    frame.loc[later, "rate_pct"] = rng.uniform(0, 100, later.sum())
    lasting = np.asarray(begins <= now) & np.asarray(after.tz_localize("America/New_York") > now)
    forever = set(frame.loc[lasting, "series"])
    frame.loc[lasting, "effective_to"] = pd.NaT
    return ep.TariffLevels(frame[~(later & frame["series"].isin(forever))])


def other_news(news: ep.NewsIndex, now: pd.Timestamp, rng: Rng) -> ep.NewsIndex:
    """Other values of what is published later."""
    later = (news.frame["known_at"] > now).to_numpy()
    value = news.frame["value"].to_numpy(copy=True)
    value[later] = rng.uniform(0, 1000, later.sum())
    return replace(news, frame=news.frame.assign(value=value))


def other_listings(listings: ep.Listings, today: pd.Timestamp, rng: Rng) -> ep.Listings:
    """Other ratios, listing statuses and departures after a day."""
    ratios, statuses, frame = listings.ratios.copy(), listings.statuses, listings.frame.copy()
    later = (ratios["effective_from"] > today).to_numpy()
    ratios.loc[later, "ordinary_per_ads"] = rng.choice([1.0, 3.0, 7.0], later.sum())
    new = ratios.drop_duplicates("adr", keep="last").assign(
        effective_from=today + pd.Timedelta(days=1), ordinary_per_ads=11.0
    )
    ratios = pd.concat([ratios[~later], new]).sort_values("effective_from", kind="stable", ignore_index=True)
    statuses = statuses[statuses["effective_from"] <= today]
    return replace(listings, ratios=ratios, statuses=statuses, frame=frame)


def other_sectors(sectors: ep.SectorMap, today: pd.Timestamp, rng: Rng) -> ep.SectorMap:
    """Companies that change their sector on some later day, and none of the later changes there were."""
    frame = sectors.frame[~(sectors.frame["since"] > today)].copy()
    last = frame.groupby("symbol", sort=False).tail(1)
    frame.loc[last.index, "until"] = today + pd.to_timedelta(rng.integers(0, 60, len(last)), unit="D")
    words = rng.permutation(sectors.frame["sector"].unique())
    moved = last.assign(
        since=frame.loc[last.index, "until"] + pd.Timedelta(days=1),
        until=pd.NaT,
        sector=rng.choice(words, len(last)),
    )
    both = pd.concat([frame, moved], ignore_index=True)
    place = both.groupby("symbol", sort=False).ngroup()
    return ep.SectorMap(
        both.assign(place=place)
        .sort_values(["place", "since"], kind="stable", na_position="first", ignore_index=True)
        .drop(columns="place")
    )


def other_rows(frame: Any, today: pd.Timestamp, rng: Rng) -> Any:
    """A frame or series by naive date with other rows after a day, of the values that it holds."""
    later = np.asarray(frame.index > today)
    values = frame.to_numpy(copy=True)
    values[later] = rng.choice(values.ravel(), values[later].shape)
    if isinstance(frame, pd.Series):
        return pd.Series(values, frame.index, name=frame.name)
    return pd.DataFrame(values, frame.index, frame.columns)


def other_costs(costs: ep.Costs, today: pd.Timestamp, rng: Rng) -> ep.Costs:
    """Costs whose dated rows are others after a day."""

    def other(value: Any) -> Any:
        if isinstance(value, (pd.DataFrame, pd.Series)) and isinstance(value.index, pd.DatetimeIndex):
            return other_rows(value, today, rng)
        if isinstance(value, Mapping):
            return {name: other(item) for name, item in value.items()}
        return value

    return replace(costs, **{f.name: other(getattr(costs, f.name)) for f in fields(costs) if f.init})
