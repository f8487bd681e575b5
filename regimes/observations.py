"""What detectors are fed with: one number per New York session, made from the market's prices.

Every function returns a frame indexed by `session` with one row for each session of New York (of the only
venue where there is one) whose last step the market holds, in order:

    value      float; NaN where it cannot be computed, which detectors take as a row that tells nothing
    known_at   UTC; the time of the session's last step

A row is made of prices printed at or before its `known_at` and of nothing else: the New York closes of that
session and of earlier ones, and Hong Kong closes up to that of the same date, the latest print there is. No
row waits for the next Hong Kong close, so rows are known one after the other, in their order, and a market
cut at any step holds the rows known by then, to the bit. Nothing is scaled by the whole sample.
Estimates (`Market.estimates`) are no prints and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_listed, is_number, is_whole
from entrepot.markets.market import Market
from entrepot.markets.premium import ex_dates_apart, premium
from entrepot.regimes.arguments import kind
from entrepot.regimes.events import grid_time

FloatArray = NDArray[np.float64]

Statistic = Literal["median", "dispersion", "widening"]
Align = Literal["mid", "same_date"]
Average = Literal["median", "mean"]
Universe = Literal["auto", "etf", "hk", "adr"]

SESSIONS_A_YEAR = 252
LONGEST_GAP = 5  # rows between two values of a pair that still make a change
LEAST_OF_WINDOW = 0.75  # part of a window's returns that must be there
UNCLASSIFIED = "unclassified"


class Rows(NamedTuple):
    """The sessions observed: last step on the grid, session date and time of each, shape (S,)."""

    step: NDArray[np.intp]
    session: pd.DatetimeIndex
    known_at: pd.DatetimeIndex

    def frame(self, value: FloatArray) -> pd.DataFrame:
        """Return values, shape (S,), as what the functions of this module return."""
        return pd.DataFrame({"value": value, "known_at": self.known_at}, index=self.session)


# -- pairs ---------------------------------------------------------------------------------------------------


def parity_gap(
    market: Market,
    *,
    statistic: Statistic = "median",
    align: Align = "mid",
    span: float = 10.0,
    log: bool = False,
    window: int = 5,
    min_pairs: int = 2,
) -> pd.DataFrame:
    """Return how far New York stands from parity, over all pairs; negative is an ADR discount.

    A pair's premium, p, is a fraction. Around a dividend, from its ex-date in one venue to that in the other
    (or for seven days where the other's does not come), a premium contains it: the pair is left out.

    Args:
        market: with pairs.
        statistic: of the pairs that have a premium in that session.
            ``median``: of p.
            ``dispersion``: median of abs(p - median of p), a fraction, not negative; of two pairs, half their
            distance. What moves all pairs alike, overnight news above all, drops out. Give it span 1:
            smoothing takes away the scatter that it measures.
            ``widening``: minus the median of what p has changed by since `window` rows before, pair by pair:
            positive where discounts have widened. Pairs that come or go do not move it.
        align: ``same_date``: the premium of both closes of one date. New York's is half a day newer, so about
            half of its variance is overnight news.
            ``mid``: the mean of that and of the session before's New York close over its next Hong Kong
            close, which is the same Hong Kong close unless New York had a holiday. News that only one of the
            two closes has seen enters with either sign and cancels in part: see `hk_minus_adr`.
        span: of an exponentially weighted mean of each pair's premia, over the sessions in which it has one;
            1: none. A pair without a premium in a session is left out of that row, whatever came before.
        log: the logarithm of ``dispersion``, which is nearer to a normal variable, NaN of 0; for the others
            it must be False.
        window: rows of ``widening``; not read otherwise.
        min_pairs: fewer pairs make NaN.

    Returns:
        See this module; NaN on holidays of Hong Kong.

    Raises:
        ParameterError: for parameters outside what they may be.
        DataError: when the market has no pair, no complete session, or not the exchange rate.
    """
    rows = _rows(market, "parity_gap")
    _check_word("statistic", statistic, get_args(Statistic))
    _check_word("align", align, get_args(Align))
    _check_log(log)
    if log and statistic != "dispersion":
        raise ParameterError(f"log is True and {statistic} has either sign: use statistic='dispersion'")
    if not (is_number(span) and 1 <= span < np.inf):
        raise ParameterError(f"span is {kind(span)}: give a number of sessions, 1 or more")
    window = _check_count("window", window, 1)
    min_pairs = _check_count("min_pairs", min_pairs, 1)
    gap = _premia(market, rows, "same_date", "parity_gap")
    if align == "mid":
        gap = (gap + _before(_premia(market, rows, "next_hk", "parity_gap"))) / 2
    if span > 1:
        smooth = pd.DataFrame(gap).ewm(span=span, ignore_na=True).mean().to_numpy()
        gap = np.where(np.isnan(gap), np.nan, smooth)
    if statistic == "widening":
        gap = _before(gap, window) - gap
    value = _median(gap, min_pairs)
    if statistic == "dispersion":
        value = _median(np.abs(gap - value[:, None]), min_pairs)
    return rows.frame(_log(value) if log else value)


def hk_minus_adr(market: Market, *, average: Average = "median", min_pairs: int = 2) -> pd.DataFrame:
    """Return what Hong Kong lines earned more than their ADRs, as log returns in HKD per ordinary share.

    With A the ADR's price in HKD per ordinary share at New York's close and H the Hong Kong line's at its
    close, of session s,

        parity_s = (log A_s / H_s + log A_{s-1} / H_s) / 2        (premium ``mid`` of `parity_gap`, in logs)
        value_s  = parity_{s-1} - parity_s
                 = log H_s / H_{s-1} - (log A_s / A_{s-1} + log A_{s-1} / A_{s-2}) / 2

    Hong Kong's return from close to close against the mean of the two New York sessions that it straddles;
    over a New York holiday the second H is the one that followed A_{s-1}. What comes while New York trades
    moves A in that session and H in the next, what comes while Hong Kong trades moves both in one: closes
    never match, and of a day's variance, split evenly, this keeps one half as noise of both signs, where
    the difference of same-date returns keeps all of it. The noise cancels in sums over sessions.

    Ratios are dated and splits are no return. A session within a dividend's two ex-dates has no value (see
    `parity_gap`); the change is taken since the last that has one, at most five rows before, and so it is
    after holidays of Hong Kong.

    Args:
        market: with pairs.
        average: over pairs.
        min_pairs: fewer pairs make NaN.

    Returns:
        See this module; positive where Hong Kong did better. NaN on holidays of Hong Kong.

    Raises:
        ParameterError: for parameters outside what they may be.
        DataError: when the market has no pair, no complete session, or not the exchange rate.
    """
    rows = _rows(market, "hk_minus_adr")
    _check_word("average", average, get_args(Average))
    min_pairs = _check_count("min_pairs", min_pairs, 1)
    same = _premia(market, rows, "same_date", "hk_minus_adr")
    ahead = _before(_premia(market, rows, "next_hk", "hk_minus_adr"))
    parity = (np.log1p(same) + np.log1p(ahead)) / 2
    last = pd.DataFrame(parity).ffill(limit=LONGEST_GAP - 1).to_numpy()
    change = _before(last) - parity
    return rows.frame((_median if average == "median" else _mean)(change, min_pairs))


def _premia(market: Market, rows: Rows, align: Literal["same_date", "next_hk"], who: str) -> FloatArray:
    """Return every pair's premium by session of its New York close, shape (S, pairs), NaN without one."""
    if market.pairs.empty:
        raise DataError(
            f"{who} needs pairs and this market has none: load ADRs together with their Hong Kong lines"
        )
    result = np.full((len(rows.step), len(market.pairs)), np.nan)
    for p, (adr, hk) in enumerate(market.pairs["hk"].items()):
        detail = premium(market, str(adr), align=align, detail=True)
        hk_step = np.searchsorted(market.times, pd.DatetimeIndex(detail["hk_time"]).as_unit("ns").asi8)
        sessions = {str(adr): detail.index.to_numpy(), str(hk): market.grid["session"].to_numpy()[hk_step]}
        apart = ex_dates_apart(market, sessions)
        result[:, p] = detail["premium"].mask(apart).reindex(rows.session)
    return result


# -- lines ---------------------------------------------------------------------------------------------------


def sector_dispersion(
    market: Market,
    *,
    universe: Universe | Sequence[str] = "auto",
    log: bool = False,
    min_sectors: int = 3,
) -> pd.DataFrame:
    """Return the standard deviation (ddof 1) over sectors of their log returns of one session.

    A sector's return is the mean of its lines' log returns from the New York session before to this one,
    splits and dividends included. A Hong Kong line has one only where Hong Kong closed on both dates: no
    return spans a holiday of Hong Kong or is made of a stale price. All lines are of one venue: closes of
    two differ by the news of half a day, which would pass for dispersion.

    Args:
        market: with lines of three sectors or more.
        universe: whose lines. "etf": New York's ETFs, each a sector of its own; "hk": Hong Kong's ordinary
            shares, by sector of the registry (before the colon); "adr": New York's shares, likewise; "auto":
            the first of the three with `min_sectors` sectors; or symbols of one venue, by sector, ETFs and
            unclassified ones each on its own.
        log: the logarithm of it, which is nearer to a normal variable. NaN where all returns are equal.
        min_sectors: fewer sectors with a return make NaN; 2 or more.

    Returns:
        See this module.

    Raises:
        ParameterError: for parameters outside what they may be, unknown symbols, or symbols of two venues.
        DataError: when the market has fewer sectors or fewer than two complete sessions.
    """
    rows = _rows(market, "sector_dispersion", least=2)
    min_sectors = _check_count("min_sectors", min_sectors, 2)
    _check_log(log)
    sector = _sectors(market, universe, min_sectors)
    returns = _returns(market, rows, list(sector.index))
    of_sector = np.column_stack(
        [_mean(returns[:, (sector == name).to_numpy()]) for name in dict.fromkeys(sector)]
    )
    mean = _mean(of_sector, min_sectors)
    count = np.isfinite(of_sector).sum(axis=1)
    value = np.sqrt(_mean((of_sector - mean[:, None]) ** 2, min_sectors) * count / np.maximum(count - 1, 1))
    return rows.frame(_log(value) if log else value)


def basket_return(market: Market, *, symbols: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the mean of the log returns of a basket's lines from the New York session before to this one.

    Splits and dividends are included, in local currency. A line has a return where its venue closed on both
    dates and it had both prices; the mean is over the lines that have one.

    Args:
        market: of which venues does not matter; the basket is of one.
        symbols: the basket's lines, all of one venue; None: New York's ADRs and ETFs; where there are none,
            its other lines, or those of the only venue, that are no index.

    Returns:
        See this module; NaN in the first row, and, for Hong Kong lines, where Hong Kong was shut on either
        date.

    Raises:
        ParameterError: for unknown symbols, or symbols of two venues.
        DataError: when the market has fewer than two complete sessions.
    """
    rows = _rows(market, "basket_return", least=2)
    return rows.frame(_mean(_returns(market, rows, _basket(market, symbols))))


def realised_volatility(
    market: Market, *, symbols: Sequence[str] | None = None, window: int = 20
) -> pd.DataFrame:
    """Return the log of a basket's annualised realised volatility over the trailing sessions.

        value_s = log sqrt(252 / n * sum of r^2)        over the n returns there are in the last `window` rows

    with r of `basket_return`, no mean taken off. The logarithm of realised volatility is close to normal
    (Andersen, Bollerslev, Diebold and Ebens, 2001, Journal of Financial Economics 61, section 4). Windows
    overlap: neighbours share all but one return, so its rows are far from independent in any state.

    Args:
        market: as in `basket_return`.
        symbols: as in `basket_return`.
        window: rows, 2 or more.

    Returns:
        See this module; NaN until the window is full, where less than three quarters of its returns are
        there, and where all of them are 0.

    Raises:
        ParameterError: for parameters outside what they may be, unknown symbols, or symbols of two venues.
        DataError: when the market has no more complete sessions than `window`.
    """
    window = _check_count("window", window, 2)
    rows = _rows(market, "realised_volatility", least=window + 1)
    square = _mean(_returns(market, rows, _basket(market, symbols))) ** 2
    there = np.isfinite(square)
    total, count = np.zeros(len(square) - window), np.zeros(len(square) - window)
    # Added one lag after the other, in the same order in every row: running sums would carry their rounding
    # from whatever came before the window.
    for lag in range(window):
        part = slice(lag + 1, lag + 1 + len(total))
        total += np.where(there[part], square[part], 0.0)
        count += there[part]
    total[count < LEAST_OF_WINDOW * window] = np.nan
    value = np.full(len(square), np.nan)
    value[window:] = _log(SESSIONS_A_YEAR * total / np.maximum(count, 1.0)) / 2
    return rows.frame(value)


def _sectors(market: Market, universe: object, least: int) -> pd.Series[str]:
    """Return the sector of each line of the universe, by symbol, in the market's order."""
    table = market.instruments
    own = pd.Series(table.index.astype(str), index=table.index)
    sector = table["sector"].astype(str).str.split(":").str[0]
    shares = {"hk": ("XHKG", ["ordinary"]), "adr": ("XNYS", ["ads", "common"])}
    lines = {
        "etf": own[(table["kind"] == "etf") & (table["venue"] == "XNYS")],
        **{
            name: sector[(table["venue"] == venue) & table["kind"].isin(kinds) & (sector != UNCLASSIFIED)]
            for name, (venue, kinds) in shares.items()
        },
    }
    if isinstance(universe, str):
        _check_word("universe", universe, get_args(Universe))
        wanted = [name for name in lines if universe in ("auto", name)]
    else:
        symbols = _of_one_venue(market, _symbols("universe", universe))
        alone = (table["kind"] == "etf") | (sector == UNCLASSIFIED)
        lines, wanted = {"symbols": sector.where(~alone, own)[symbols]}, ["symbols"]
    for name in wanted:
        if lines[name].nunique() >= least:
            return lines[name]
    have = ", ".join(f"{name} {lines[name].nunique()}" for name in wanted)
    raise DataError(
        f"sector_dispersion needs {least} sectors and this market has fewer ({have}): load lines of more "
        "sectors, or name its lines as universe"
    )


def _basket(market: Market, symbols: object) -> list[str]:
    """Return the symbols of a basket, checked, or those of the default one."""
    if symbols is not None:
        return _of_one_venue(market, _symbols("symbols", symbols))
    table = market.instruments
    new_york, index = table["venue"] == "XNYS", table["kind"] == "index"
    china = new_york & table["kind"].isin(["ads", "common", "etf"])
    for wanted in (china, new_york & ~index, ~index):
        if wanted.any():
            return _of_one_venue(market, list(table.index[wanted].astype(str)))
    raise DataError("every line of this market is an index: name the basket's lines as symbols")


def _of_one_venue(market: Market, symbols: list[str]) -> list[str]:
    venues = [market.instruments["venue"].iloc[market.column(symbol)] for symbol in symbols]
    if len(set(venues)) > 1:
        first, other = symbols[0], symbols[[venue != venues[0] for venue in venues].index(True)]
        raise ParameterError(
            f"{first} and {other} trade in two venues, whose closes are hours apart: give lines of one"
        )
    return symbols


def _returns(market: Market, rows: Rows, symbols: list[str]) -> FloatArray:
    """Return log returns of lines from the row before to each row, shape (S, lines).

    NaN in the first row and where the line's venue has no session of either date, or no price at its end.
    """
    column = np.array([market.column(symbol) for symbol in symbols])
    price = np.full((len(rows.step), len(symbols)), np.nan)
    venue = market.instruments["venue"].to_numpy(dtype=object)[column]
    session = pd.DatetimeIndex(market.grid["session"])
    for name in dict.fromkeys(venue):
        step = np.flatnonzero(market.venue_of_step == name)
        step = step[~session[step].duplicated(keep="last")]
        # Beyond every row where there is no session, as of a venue without a step in this market.
        last = np.append(step, len(market))[session[step].get_indexer(rows.session)]
        there = last <= rows.step
        price[np.ix_(there, venue == name)] = market.printed[np.ix_(last[there], column[venue == name])]
    # A price after an ex-date is worth what it says and what was paid, times what it was split into.
    growth = np.ones(price.shape)
    line = {symbol: i for i, symbol in enumerate(symbols)}
    for table, amount in ((market.splits, "factor"), (market.dividends, "amount")):
        first = rows.session.searchsorted(pd.DatetimeIndex(table["ex_date"]))
        for symbol, row, size in zip(table["symbol"], first, table[amount], strict=True):
            if symbol in line and row < len(price):
                i = line[symbol]
                growth[row, i] *= size if amount == "factor" else 1 + size / price[row, i]
    returns = np.full(price.shape, np.nan)
    returns[1:] = np.log(price[1:] * growth[1:] / price[:-1])
    return returns


# -- onto the steps of a grid --------------------------------------------------------------------------------


def on_steps(rows: pd.DataFrame, values: object, grid: pd.DataFrame) -> FloatArray:
    """Carry values of rows to steps: at each step those of the last row known by then.

    Args:
        rows: as the functions of this module return; its `known_at` is read.
        values: one number or one array of k numbers for each row, such as filtered probabilities.
        grid: as `Market.grid`; its times are read.

    Returns:
        Shape (n_steps,) or (n_steps, k), NaN at steps before the first row was known.

    Raises:
        ParameterError: when there is not one value for each row, or rows are not of this module's kind.
        DataError: when rows do not become known one after the other, or the grid is none.
    """
    if not isinstance(rows, pd.DataFrame) or not isinstance(
        getattr(rows.get("known_at"), "dtype", None), pd.DatetimeTZDtype
    ):
        raise ParameterError(
            f"rows is {kind(rows)}: give what parity_gap and its like return, with UTC times known_at"
        )
    time = grid_time(grid).asi8
    known = pd.DatetimeIndex(rows["known_at"]).as_unit("ns").asi8
    if rows["known_at"].isna().any() or not (np.diff(known) > 0).all():
        raise DataError("the rows do not become known one after the other: sort them and drop duplicates")
    try:
        carried = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError(
            f"values is {kind(values)}: give numbers, one or as many as you like a row"
        ) from None
    if carried.ndim not in (1, 2) or len(carried) != len(known):
        raise ParameterError(
            f"values has shape {carried.shape} beside {len(known)} rows: give one row of values for each"
        )
    last = np.searchsorted(known, time, side="right") - 1
    result = np.full((len(time), *carried.shape[1:]), np.nan)
    result[last >= 0] = carried[last[last >= 0]]
    return result


# -- shared --------------------------------------------------------------------------------------------------


def _rows(market: object, who: str, least: int = 1) -> Rows:
    """Return the market's sessions, or refuse what is no market or too short."""
    if not isinstance(market, Market):
        raise ParameterError(f"{who} was given {kind(market)}: give a market, such as simulate_market()")
    step = np.flatnonzero(market.decision_steps)
    if len(step) < least:
        raise DataError(
            f"{who} needs {least} complete session{'s' * (least > 1)} of New York (or of the only venue) and "
            f"the market has {len(step)}: give a longer one"
        )
    session = pd.DatetimeIndex(market.grid["session"].to_numpy()[step], name="session").as_unit("ns")
    return Rows(step, session, pd.DatetimeIndex(market.grid["time"].iloc[step]).as_unit("ns"))


def _before(values: FloatArray, rows: int = 1) -> FloatArray:
    """Return what stood so many rows before, NaN in the first ones; shape (S, P)."""
    earlier = np.full(values.shape, np.nan)
    earlier[rows:] = values[:-rows]
    return earlier


def _mean(values: FloatArray, least: int = 1) -> FloatArray:
    """Return the mean of each row's finite values, NaN of fewer than `least`; (S, P) to (S,)."""
    count, total = np.zeros(len(values)), np.zeros(len(values))
    for column in values.T:  # in the columns' order, whatever the number of rows
        count += np.isfinite(column)
        total += np.where(np.isfinite(column), column, 0.0)
    return np.where(count >= least, total / np.maximum(count, 1.0), np.nan)


def _median(values: FloatArray, least: int) -> FloatArray:
    """Return the median of each row's finite values, NaN of fewer than `least`; (S, P) to (S,)."""
    count = np.isfinite(values).sum(axis=1)
    ordered = np.sort(values, axis=1)  # NaN come last
    row, last = np.arange(len(values)), np.maximum(count - 1, 0)
    middle = (ordered[row, last // 2] + ordered[row, last - last // 2]) / 2
    return np.where(count >= least, middle, np.nan)


def _log(values: FloatArray) -> FloatArray:
    """Return logarithms, NaN of 0: a spread of 0 is a market that did not trade."""
    return np.log(np.where(values > 0, values, np.nan))


def _symbols(name: str, value: object) -> list[str]:
    """Return symbols as a list; refuse what does not hold symbols in order, each once."""
    symbols: list[Any] = []
    if is_listed(value) and not isinstance(value, (str, bytes, Set, Mapping)):
        symbols = list(value)
    if not symbols or not all(isinstance(s, str) for s in symbols) or len(set(symbols)) < len(symbols):
        raise ParameterError(f"{name} is {kind(value)}: give a list of symbols, each once, such as ['FXI']")
    return symbols


def _check_word(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ParameterError(f"{name} is {kind(value)}: give {' or '.join(map(repr, allowed))}")


def _check_log(log: object) -> None:
    if not isinstance(log, bool):
        raise ParameterError(f"log is {kind(log)}: give True or False")


def _check_count(name: str, value: object, least: int) -> int:
    """Return a count as an integer of Python: -numpy.uint8(5) is 251."""
    if not (is_whole(value) and value >= least):
        raise ParameterError(f"{name} is {kind(value)}: give a whole number of at least {least}")
    return int(value)
