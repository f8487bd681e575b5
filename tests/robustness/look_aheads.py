"""Strategies and detectors that look ahead on purpose, each in a way of its own: all must be caught."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from robustness.audit import Subject, by_step
from robustness.futures import World
from robustness.subjects import wanted

import entrepot as ep
from entrepot.regimes import observations
from entrepot.strategies.targets import decisions

LINES = ["KWEB", "FXI", "MCHI"]
PAIR = ["BABA", "9988.HK"]
HALF = 0.4


def closes(market: ep.Market, lines: list[str] = LINES) -> pd.DataFrame:
    """The last prices at the decisions."""
    return market.price[lines].ffill()[market.decision_steps]


def changes(market: ep.Market) -> pd.DataFrame:
    """Changes from decision to decision."""
    return closes(market).pct_change(fill_method=None)


# -- prices --------------------------------------------------------------------------------------------------


def z_score_of_the_whole_sample(market):
    close = closes(market)
    return ((close - close.mean()) / close.std() > 0) * HALF


def centred_window(market):
    close = closes(market)
    return (close > close.rolling(11, center=True, min_periods=1).mean()) * HALF


def one_row_early(market):
    return (changes(market).shift(-1) > 0) * HALF


def gaps_filled_backwards(market):
    """Only where a line has no print is the next one taken."""
    price = market.price[["NTES", "9999.HK"]].bfill()[market.decision_steps]
    return price.pct_change(fill_method=None).round(2).clip(-0.4, 0.4)


def gaps_interpolated(market):
    price = market.price[PAIR].interpolate()[market.decision_steps]
    return (price > price.rolling(10).mean()) * HALF


def new_york_close_in_hong_kong(market):
    """At Hong Kong's close of a date: what New York did on that same date, hours later."""
    session = market.grid["session"]
    own = ((market.grid["venue"] == "XHKG") & (market.grid["phase"] == "close")).to_numpy()
    by_date = changes(market)["KWEB"].set_axis(session[market.decision_steps], axis=0)
    ahead = by_date.reindex(session[own]).to_numpy()
    return pd.DataFrame({"0700.HK": np.where(ahead > 0, HALF, 0.0)}, market.price.index[own])


def quantile_of_the_whole_sample(market):
    close = closes(market)
    return (close < close.quantile(0.3)) * HALF


def percentile_within_the_year(market):
    close = closes(market)
    return (close.groupby(close.index.year).rank(pct=True) < 0.3) * HALF


def scaler_fitted_on_all_rows(market):
    change = changes(market).fillna(0.0)
    low, high = change.min(), change.max()
    return (change - low) / (high - low) * 0.3


def least_price_to_come(market):
    close = closes(market)
    return (close <= close[::-1].cummin()[::-1]) * HALF


def highest_price_ever(market):
    close = closes(market)
    return close / close.max() * 0.3


def sorted_by_what_was_earned(market):
    close = closes(market)
    best = (close.iloc[-1] / close.iloc[0]).sort_values().index[-1]
    return closes(market)[[best]] * 0.0 + HALF


def ranks_across_time(market):
    return closes(market).rank(pct=True).round(1) * 0.3


def survivors_only(market):
    """A universe of the lines that still trade at the end, in equal parts."""
    lines = [symbol for symbol in ("NTES", "BABA", "JD") if market.price[symbol].iloc[-40:].notna().any()]
    return closes(market, lines) * 0.0 + 0.6 / len(lines)


def avoids_what_will_leave(market):
    gone = set(market.delistings["symbol"])
    lines = [symbol for symbol in ("NTES", "BABA") if symbol not in gone]
    return closes(market, lines) * 0.0 + 0.3


def adjusted_for_later_dividends(market):
    """Prices less all dividends to come, as a vendor's adjusted closes are, beside a fixed level."""
    price = closes(market, ["BABA", "JD"])
    session = market.grid["session"][market.decision_steps].to_numpy()
    for row in market.dividends.itertuples():
        if row.symbol in price:
            price.loc[session < np.datetime64(row.ex_date), row.symbol] -= row.amount
    return price.round(6) / 1000.0


def adjusted_for_later_splits(market):
    price = closes(market, ["0700.HK"])
    session = market.grid["session"][market.decision_steps].to_numpy()
    for row in market.splits.itertuples():
        if row.symbol in price:
            price.loc[session < np.datetime64(row.ex_date), row.symbol] /= row.factor
    return price / 10_000.0


def weeks_labelled_by_their_first_day(market):
    close = closes(market)
    week = close.resample("W-MON", label="left", closed="left").last().pct_change(fill_method=None)
    return (week.reindex(close.index, method="ffill") > 0) * HALF


def scaled_by_the_length(market):
    return closes(market) * 0.0 + 300.0 / len(market)


def last_valid_row(market):
    """Nothing is held of a line in which nothing is printed any more, from the beginning."""
    stop = market.price[["NTES", "BABA"]].apply(pd.Series.last_valid_index)
    close = closes(market, ["NTES", "BABA"])
    return (close.index.to_numpy()[:, None] < stop.to_numpy() - pd.Timedelta(days=60)) * HALF + close * 0.0


def forward_return_in_a_closure(market):
    ahead = changes(market).shift(-5).rolling(5).sum()

    def rule(row: pd.Series) -> pd.Series:
        return (ahead.loc[row.name] > 0) * HALF

    return closes(market)[::10].apply(rule, axis=1)


def random_by_the_length(market):
    """Seeded, and yet another draw where there are more rows: the last axis is that of time."""
    close = closes(market)
    drawn = np.random.default_rng(5).random((len(LINES), len(close))).T
    return pd.DataFrame(drawn * 0.3, close.index, LINES)


KNOWN: dict[pd.Timestamp, float] = {}


def cached_by_date(market):
    """A mean of all prices that is kept by date: only the first market asked is looked at."""
    mean = closes(market)["KWEB"].mean()
    for date in closes(market).index:
        KNOWN.setdefault(date, mean)
    kept = pd.Series({date: KNOWN[date] for date in closes(market).index})
    return ((closes(market)[["KWEB"]].sub(kept, axis=0)) > 0) * HALF


def smoothed_both_ways(market):
    """An exponential mean run forwards and backwards."""
    close = closes(market)
    smooth = close.ewm(span=10).mean()[::-1].ewm(span=10).mean()[::-1]
    return (close > smooth) * HALF


def detrended(market):
    close = np.log(closes(market))
    time = np.arange(len(close))
    slope, level = np.polyfit(time, close.to_numpy(), 1)
    return (close < level + np.outer(time, slope)) * HALF


def first_component(market):
    """Weights by the first principal component of all returns there are."""
    change = changes(market).dropna()
    values = np.linalg.eigh(np.cov(change.T))[1][:, -1]
    return closes(market) * 0.0 + np.abs(values) / np.abs(values).sum() * 0.9


def low_pass_by_fourier(market):
    change = changes(market).fillna(0.0)
    spectrum = np.fft.rfft(change.to_numpy(), axis=0)
    spectrum[len(spectrum) // 4 :] = 0.0
    return pd.DataFrame(np.fft.irfft(spectrum, len(change), axis=0) > 0, change.index, LINES) * HALF


def stop_at_the_worst_drawdown(market):
    close = closes(market)
    worst = (close / close.cummax()).idxmin()
    return close.apply(lambda column: (column.index < worst[column.name]) * HALF)


def premium_of_the_next_close(market):
    """The premium over Hong Kong's next close, read at New York's: it is known half a day later."""
    told = ep.premium(market, "BABA", align="next_hk")
    times = pd.Series(
        market.price.index[market.decision_steps], market.grid["session"][market.decision_steps]
    )
    value = told.reindex(times.index).to_numpy()
    return pd.DataFrame({"BABA": np.where(value < -0.005, HALF, 0.0)}, pd.DatetimeIndex(times))


def volume_of_the_session_ahead(market):
    volume = market.volume[LINES].bfill()
    opens = ((market.grid["venue"] == "XNYS") & (market.grid["phase"] == "open")).to_numpy()
    return (volume[opens] / volume[opens].rolling(20).mean()).clip(0.0, 2.0) * 0.15


def rate_of_tomorrow(market):
    """The fixing of a date, read at Hong Kong's close before it."""
    fixings = market.fixings[market.fixings["currency"] == "HKD"]
    dates = pd.DatetimeIndex(fixings["time"]).tz_localize(None).normalize()
    own = ((market.grid["venue"] == "XHKG") & (market.grid["phase"] == "close")).to_numpy()
    rate = pd.Series(fixings["per_usd"].to_numpy(), dates)
    rate = rate[~rate.index.duplicated()].reindex(market.grid["session"][own], method="ffill")
    return pd.DataFrame({"0700.HK": (rate.to_numpy() - 7.0) * 0.3}, market.price.index[own])


# -- regimes, events, series ---------------------------------------------------------------------------------


def regime_of_next_week(market, path):
    ahead = np.roll(path.states, -20)[market.decision_steps]
    return closes(market) * 0.0 + np.where(ahead == 0, HALF, 0.1)[:, None]


def whole_length_of_an_episode(market, path):
    """Calm stretches of which one knows from the start that they last."""
    stays = path.episodes()
    runs = np.repeat(
        stays["sessions"].to_numpy(),
        np.diff(np.append(path.time.searchsorted(stays["start"]), len(path.time))),
    )
    return closes(market) * 0.0 + np.where(runs[market.decision_steps] > 40, HALF, 0.1)[:, None]


def height_of_the_intensity(market, path):
    """In until the step at which the intensity turns out to have been highest."""
    peak = path.intensity["tariff", "escalation"].to_numpy().argmax()
    before = np.arange(len(market))[market.decision_steps] < peak
    return closes(market) * 0.0 + np.where(before, HALF, 0.1)[:, None]


def by_event(read: Callable[[pd.DataFrame], pd.Series]) -> Callable[[World], object]:
    """A strategy that holds by how many events there have been, read in some way."""

    def make(world: World) -> object:
        @ep.strategy
        def counts(market):
            dates = pd.DatetimeIndex(read(world.events.frame)).sort_values()
            seen = dates.searchsorted(market.grid["time"][market.decision_steps], side="right")
            return pd.DataFrame({"KWEB": seen / 1000.0}, closes(market).index)

        return counts

    return make


def announced(frame: pd.DataFrame) -> pd.Series:
    """The midnight of the day on which an event was announced: hours before it was."""
    return pd.to_datetime(frame["announced_at"].str[:10]).dt.tz_localize("UTC")


def those_that_were_reversed(frame: pd.DataFrame) -> pd.Series:
    """Escalations that no relief of their channel ever followed."""
    relief = frame[frame["direction"] == -1].groupby("channel")["known_at"].max()
    lasting = frame["known_at"] > frame["channel"].map(relief).fillna(frame["known_at"].min())
    return frame.loc[lasting & (frame["direction"] == 1), "known_at"]


def the_gravest_of_all(frame: pd.DataFrame) -> pd.Series:
    """Events as grave as any of their channel will be."""
    return frame.loc[frame["severity"] == frame.groupby("channel")["severity"].transform("max"), "known_at"]


def a_day_early(frame: pd.DataFrame) -> pd.Series:
    """One hour before it is known."""
    return frame["known_at"] - pd.Timedelta(hours=20)


def by_series(row: Callable[[ep.KnownSeries, ep.Market], np.ndarray]) -> Callable[[World], object]:
    """A strategy on a row of the Southbound series, read in some way."""

    def make(world: World) -> object:
        @ep.strategy
        def flows(market):
            series = world.series["southbound"]
            values = np.append(series.only(["0700.HK"]).array[:, 0], np.nan)
            return pd.DataFrame({"0700.HK": (values[row(series, market)] > 0) * HALF}, closes(market).index)

        return flows

    return make


def by_its_date(series: ep.KnownSeries, market: ep.Market) -> np.ndarray:
    """The row that is about the day after the session, which begins at midnight."""
    days = market.grid["session"][market.decision_steps] + pd.Timedelta(days=1)
    return series.dates.searchsorted(days, side="right") - 1


def with_the_next_row(series: ep.KnownSeries, market: ep.Market) -> np.ndarray:
    """The row after the last known."""
    return np.minimum(series.row_at(market, decisions(market)) + 1, len(series.dates))


# -- detectors -----------------------------------------------------------------------------------------------


class Threshold(ep.ProbabilityDetector):
    """A detector of one's own, of which only `filter` looks ahead."""

    def __init__(self, said: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__()
        self.said = said

    def fit(self, y, intensity=None, previous=None):
        return self

    def filter(self, y, intensity=None):
        stress = np.clip(np.nan_to_num(self.said(np.abs(np.asarray(y, dtype=float)))), 0.0, 1.0)
        return np.column_stack([1 - stress, stress])

    def update(self, y, intensity=None):
        return self.filter([y])[-1]


def two_sided(y: np.ndarray) -> np.ndarray:
    """A kernel smoother over both sides."""
    kernel = np.exp(-np.abs(np.arange(-10, 11)) / 4.0)
    return np.convolve(np.nan_to_num(y), kernel / kernel.sum(), mode="same") / 0.03


def likeliest_path(y: np.ndarray) -> np.ndarray:
    """Viterbi's path of two states over the whole sample."""
    usual = 0.012
    scores = np.column_stack([-np.nan_to_num(y) / usual, -np.log(2.0) - np.nan_to_num(y) / (2 * usual)])
    best, back = scores[0], np.zeros((len(y), 2), dtype=int)
    for t in range(1, len(y)):
        moves = best[:, None] + np.log([[0.8, 0.2], [0.2, 0.8]])
        back[t], best = moves.argmax(axis=0), moves.max(axis=0) + scores[t]
    state = np.zeros(len(y))
    at = int(best.argmax())
    for t in range(len(y) - 1, -1, -1):
        state[t], at = at, back[t, at]
    return state


def over_its_own_maximum(y: np.ndarray) -> np.ndarray:
    """Moves as parts of the largest there ever was."""
    return np.asarray(pd.Series(y / np.nanmax(y)).ewm(span=5).mean())


def detected(said: Callable[[np.ndarray], np.ndarray], world: World) -> dict:
    """The filter of a leaky detector over the rows of the world."""
    rows = observations.basket_return(world.market)
    detector = Threshold(said).fit(rows["value"].to_numpy())
    probability = observations.on_steps(
        rows, detector.filter(rows["value"].to_numpy())[:, 1], world.market.grid
    )
    return by_step(world, probability=probability)


def refitted_with_its_own_rows(world: World) -> dict:
    """A threshold learnt every 40 rows from those that it is then used on."""
    rows = observations.basket_return(world.market)
    y = np.abs(rows["value"].to_numpy())
    block = np.arange(len(y)) // 40
    level = pd.Series(y).groupby(block).transform(lambda own: own.quantile(0.8)).to_numpy()
    return by_step(world, on=observations.on_steps(rows, (y > level).astype(float), world.market.grid))


def fitted_on_everything(world: World) -> dict:
    """A library detector filtered forwards, with parameters of the whole sample."""
    model = ep.RegimeModel(tariff=ep.MarkovDetector(), schedule=ep.Schedule(every=60, least=120))
    frame, y, x = model.rows_of("tariff", world.market, world.events)
    probability = ep.ChangePointDetector().fit(y, x).filter(y, x)[:, -1]
    return by_step(world, probability=observations.on_steps(frame, probability, world.market.grid))


def rows_that_wait(world: World) -> dict:
    """An observation over Hong Kong's next close that is said to be known at New York's."""
    told = ep.premium(world.market, "BABA", align="next_hk", detail=True)
    rows = pd.DataFrame({"value": told["premium"], "known_at": told["ads_time"]}, told.index)
    return by_step(world, carried=observations.on_steps(rows, rows["value"], world.market.grid))


# -- all of them ---------------------------------------------------------------------------------------------

ON_MARKETS = (
    z_score_of_the_whole_sample,
    centred_window,
    one_row_early,
    gaps_filled_backwards,
    gaps_interpolated,
    new_york_close_in_hong_kong,
    quantile_of_the_whole_sample,
    percentile_within_the_year,
    scaler_fitted_on_all_rows,
    least_price_to_come,
    highest_price_ever,
    sorted_by_what_was_earned,
    ranks_across_time,
    survivors_only,
    avoids_what_will_leave,
    adjusted_for_later_dividends,
    adjusted_for_later_splits,
    weeks_labelled_by_their_first_day,
    scaled_by_the_length,
    last_valid_row,
    forward_return_in_a_closure,
    random_by_the_length,
    cached_by_date,
    smoothed_both_ways,
    detrended,
    first_component,
    low_pass_by_fourier,
    stop_at_the_worst_drawdown,
    premium_of_the_next_close,
    volume_of_the_session_ahead,
    rate_of_tomorrow,
    regime_of_next_week,
    whole_length_of_an_episode,
    height_of_the_intensity,
)


def of_function(function: Callable[..., object], world: World) -> object:
    """A strategy of a function."""
    return ep.strategy(function)


STRATEGIES: dict[str, Callable[[World], object]] = {
    **{function.__name__.replace("_", " "): partial(of_function, function) for function in ON_MARKETS},
    "events when they were announced": by_event(announced),
    "events by what came of them": by_event(those_that_were_reversed),
    "events by the gravest to come": by_event(the_gravest_of_all),
    "events a day early": by_event(a_day_early),
    "a series by its dates": by_series(by_its_date),
    "the next row of a series": by_series(with_the_next_row),
}

DETECTORS: dict[str, Callable[[World], dict]] = {
    "a smoother": partial(detected, two_sided),
    "the likeliest path": partial(detected, likeliest_path),
    "parts of the largest move": partial(detected, over_its_own_maximum),
    "refits with their own rows": refitted_with_its_own_rows,
    "parameters of the whole sample": fitted_on_everything,
    "rows that wait": rows_that_wait,
}


def all_look_aheads() -> list[Subject]:
    """All of them, as the audit asks them."""
    made = [Subject(name, partial(wanted, make), remembers=True) for name, make in STRATEGIES.items()]
    return [*made, *(Subject(name, ask) for name, ask in DETECTORS.items())]
