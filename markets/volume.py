"""What an order is measured against: how much of a line is traded, and how much its price moves."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_number, is_whole, shown
from entrepot.markets.market import Market, records

SESSIONS: Final = 20  # about a month
LONGEST: Final = 250
# A window reaches back over at most three times as many sessions as it counts: gaps of a month are bridged,
# of a year are not.
REACH: Final = 3


def average_volume(market: Market, sessions: int = SESSIONS) -> pd.DataFrame:
    """Shares of each line that change hands in a session, as known at each step.

    The median of the last ``sessions`` known volumes, a session's own from its close on, in shares of the
    step. The median, because one day of ten times the usual volume (an index is rebalanced, a row is wrong)
    would let a mean of 20 say for a month that the line trades half as much again as it does.

    Args:
        market: T steps, N symbols.
        sessions: how many volumes, 1 to 250; they come from the last ``3 * sessions`` sessions of the line.

    Returns:
        Shape (T, N) by UTC time; NaN where so many volumes are not known.

    Raises:
        ParameterError: on another number of sessions.
    """
    sessions = check_sessions(sessions)
    if market.volume is None:
        return _frame(market, np.full(market.prices.shape, np.nan))
    volume = market.volume.to_numpy(dtype=np.float64)
    since = shares_since_start(market)
    usual = np.full(volume.shape, np.nan)
    for n, closes in enumerate(closes_of_lines(market)):
        known = np.where(volume[closes, n] > 0, volume[closes, n], np.nan) / since[closes, n]
        usual[:, n] = _as_known(len(market), closes, _trailing_median(known, sessions))
    return _frame(market, usual * since)


def daily_volatility(market: Market, sessions: int = SESSIONS) -> pd.DataFrame:
    """Volatility of each line from session to session, as known at each step.

    ``sqrt(mean(r**2))`` over the last ``sessions`` returns ``r`` from one close to the next session's, with
    dividends, over splits, in local currency; the mean of a month's returns is taken to be 0. Estimated
    closes, and returns over a missing close, are left out.

    Args:
        market: T steps, N symbols.
        sessions: how many returns, 1 to 250; they come from the last ``3 * sessions`` sessions of the line.

    Returns:
        Shape (T, N) by UTC time, a fraction of the price; NaN where so many returns are not known.

    Raises:
        ParameterError: on another number of sessions.
    """
    sessions = check_sessions(sessions)
    price, since, paid = market.printed, shares_since_start(market), dividends_at_steps(market)
    risk = np.full(price.shape, np.nan)
    for n, closes in enumerate(closes_of_lines(market)):
        # A dividend belongs to the close of its session, however many steps before it went ex.
        before = np.append(-1, closes[:-1])[: len(closes)]
        total = np.append(0.0, np.cumsum(paid[:, n]))
        dividend = total[closes + 1] - total[before + 1]
        worth = (price[closes, n] + dividend) * since[closes, n]
        change = np.full(len(closes), np.nan)
        change[1:] = worth[1:] / (price[closes, n] * since[closes, n])[:-1] - 1.0
        risk[:, n] = _as_known(len(market), closes, _trailing_root_mean_square(change, sessions))
    return _frame(market, risk)


def share_of_volume(market: Market, share: float = 0.1, sessions: int = SESSIONS) -> pd.DataFrame:
    """Shares of each line that a trader of a part of its volume can trade, by date.

    For ``Costs(max_fill_shares=...)``, whose rows hold from the open of their date on: each row is made of
    the volumes of earlier sessions, in shares of its own date. In a market of bars a step has its equal part
    of what a session may have: of 391 steps none is filled with the share of a whole day.

    Args:
        market: N symbols.
        share: of `average_volume`; 0.1 is a usual limit.
        sessions: as in `average_volume`.

    Returns:
        One row for each session date of the market, N columns. 0, so that nothing is filled, where the volume
        is not known.

    Raises:
        DataError: where the market has no volume at all.
        ParameterError: on a share that is no positive fraction, or another number of sessions.
    """
    check_share(share)
    usual = average_volume(market, sessions).to_numpy()
    if np.isnan(usual).all():
        raise DataError(
            f"no line of this market has {sessions} known volumes: load files with a Volume column, or give "
            "max_fill_shares as numbers"
        )
    since, dates = shares_since_start(market), np.unique(_sessions(market))
    rows = np.zeros((len(dates), len(market.symbols)))
    for n, closes in enumerate(closes_of_lines(market)):
        own = np.flatnonzero(market.scheduled[:, n])
        known = np.searchsorted(_sessions(market)[closes], dates) - 1  # the last close of an earlier date
        begun = np.searchsorted(_sessions(market)[own], dates, side="right") - 1
        at, then = closes[known[known >= 0]], own[begun[known >= 0]]
        rows[known >= 0, n] = float(share) * usual[at, n] / since[at, n] * since[then, n]
    spread = steps_sharing_a_session(market)
    return pd.DataFrame(np.nan_to_num(rows), spread.index, spread.columns) / spread


def steps_sharing_a_session(market: Market) -> pd.DataFrame:
    """Over how many steps a session's share is spread: all of them where bars end within it, else 1.

    Returns:
        One row for each session date of the market, N columns; as scheduled, also where the market ends
        within the session.
    """
    dates = pd.DatetimeIndex(np.unique(_sessions(market)).view("datetime64[ns]"), name="session")
    shared = pd.DataFrame(1, index=dates, columns=market.price.columns)
    schedule = market.schedule
    for venue in set(schedule.loc[schedule["phase"] == "bar", "venue"]):
        steps = schedule[schedule["venue"] == venue].groupby("session").size()
        own = (market.instruments["venue"] == venue).to_numpy()
        shared.loc[:, own] = steps.reindex(dates, fill_value=1).to_numpy()[:, None]
    return shared


def shares_since_start(market: Market) -> NDArray[np.float64]:
    """Shares that one share held from the first step has become by splits at each step, (T, N)."""
    since = np.ones(market.prices.shape)
    for split in records(_of_its_lines(market, market.splits)):
        n = market.column(str(split.symbol))
        if market.instruments["adjustment"].iloc[n] == "raw":
            since[_first_step(market, n, split.ex_date) :, n] *= float(split.factor)
    return since


def dividends_at_steps(market: Market) -> NDArray[np.float64]:
    """Gross dividends per share at the steps at which they go ex, (T, N); total-return prices hold theirs."""
    paid = np.zeros(market.prices.shape)
    for row in records(_of_its_lines(market, market.dividends)):
        n = market.column(str(row.symbol))
        step = _first_step(market, n, row.ex_date)
        if step < len(market) and market.instruments["adjustment"].iloc[n] != "total_return":
            paid[step, n] += float(row.amount)
    return paid


def closes_of_lines(market: Market) -> list[NDArray[np.int64]]:
    """The steps of each line's closes, in order."""
    closes = (market.grid["phase"] == "close").to_numpy()
    return [np.flatnonzero(own & closes) for own in market.scheduled.T]


def check_sessions(sessions: object, name: str = "sessions") -> int:
    """Return the length of a window as an integer of Python, which does not overflow; refuse what is none."""
    if not is_whole(sessions) or not 1 <= sessions <= LONGEST:
        raise ParameterError(f"{name} is {shown(sessions)}: give a whole number of sessions, 1 to {LONGEST}")
    return int(sessions)


def check_share(share: object, name: str = "share") -> None:
    """Refuse what is no part of a volume."""
    if not is_number(share) or not 0.0 < float(share) <= 1.0:
        raise ParameterError(f"{name} is {shown(share)}: give a fraction above 0 and up to 1, such as 0.1")


def _first_step(market: Market, n: int, date: pd.Timestamp) -> int:
    """The first step of a line's venue whose session is on or after a date; T where there is none."""
    own = np.flatnonzero(market.scheduled[:, n])
    at = int(np.searchsorted(_sessions(market)[own], pd.Timestamp(date).as_unit("ns").value))
    return int(own[at]) if at < len(own) else len(market)


def _of_its_lines(market: Market, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of symbols with prices here: `Market.notes` says of others that they are not used."""
    return table[table["symbol"].isin(market.symbols)]


def _sessions(market: Market) -> NDArray[np.int64]:
    return np.asarray(pd.DatetimeIndex(market.grid["session"]).as_unit("ns").asi8)


def _trailing_median(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    at = np.flatnonzero(np.isfinite(values))
    if len(at) < count:
        return np.full(len(values), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(values[at], count)
    return _at_last_of(len(values), at, np.median(windows, axis=1))


def _trailing_root_mean_square(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    at = np.flatnonzero(np.isfinite(values))
    if len(at) < count:
        return np.full(len(values), np.nan)
    # One after the other: what is summed in blocks has other bits where the market is cut.
    total = np.zeros(len(at) - count + 1)
    for i in range(count):
        total += values[at][i : len(at) - count + 1 + i] ** 2
    return _at_last_of(len(values), at, np.sqrt(total / count))


def _at_last_of(length: int, at: NDArray[np.int64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """The last of the windows' statistics at each place, NaN where its first value is too old, (length,)."""
    count = len(at) - len(found) + 1
    last = np.searchsorted(at, np.arange(length), side="right") - count
    old = np.arange(length) - at[np.maximum(last, 0)] >= REACH * count
    return np.where((last < 0) | old, np.nan, found[np.maximum(last, 0)])


def _as_known(steps: int, closes: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is known of each step's last close, (steps,)."""
    last = np.searchsorted(closes, np.arange(steps), side="right") - 1
    return np.where(last < 0, np.nan, np.append(values, np.nan)[last])


def _frame(market: Market, values: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame(values, index=market.price.index, columns=market.price.columns)
