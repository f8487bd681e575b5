"""Series that are no prices, each value with the moment from which it could be acted on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_listed, shown, some_of
from entrepot.guarded import Guarded
from entrepot.markets.market import Market
from entrepot.markets.sessions import session_clock
from entrepot.markets.written_times import aware


@dataclass(frozen=True, eq=False)
class KnownSeries(Guarded):
    """One quantity by date and symbol, such as Southbound net buying, with the time each row became known.

    Args:
        name: what it is.
        values: shape (rows, columns): indexed by the naive date each row is about, strictly increasing; the
            columns are symbols, or one column "market" for a quantity of all. NaN where nothing is known.
        known_at: UTC, one for each row, never before the row above it, and later than the midnight (UTC) at
            which its date begins: nothing that is about a day is known before it.

    Raises:
        DataError: on dates that repeat or go back, times without a zone or no later than their date, columns
            that repeat or hold no numbers, infinite values.
    """

    name: str
    values: pd.DataFrame
    known_at: pd.DatetimeIndex

    def __post_init__(self) -> None:
        if not isinstance(self.values, pd.DataFrame) or not isinstance(self.known_at, pd.DatetimeIndex):
            raise DataError(
                f"{self.name} has values in a {type(self.values).__name__} and known_at in a "
                f"{type(self.known_at).__name__}: give a DataFrame by date and a DatetimeIndex of times"
            )
        if len(self.known_at) != len(self.values):
            raise DataError(
                f"{self.name} has {len(self.values)} rows and {len(self.known_at)} times: give one for each"
            )
        if self.known_at.tz is None or self.known_at.hasnans or not self.known_at.is_monotonic_increasing:
            raise DataError(
                f"the known_at of {self.name} are not all UTC times in order: sort and localise them"
            )
        days = self.values.index
        if not isinstance(days, pd.DatetimeIndex) or not days.is_monotonic_increasing or not days.is_unique:
            raise DataError(f"the rows of {self.name} are not dates in order, each once: sort them")
        if days.tz is not None or days.hasnans:
            raise DataError(f"the rows of {self.name} are not naive dates: give dates without a time zone")
        early = np.asarray(self.known_at <= days.tz_localize("UTC"))
        if early.any():
            at = int(np.argmax(early))
            raise DataError(
                f"{self.name} has {days[at].date()} known at {self.known_at[at]}, when that day has yet to "
                "come: give the time of publication"
            )
        columns = pd.Index([str(column) for column in self.values.columns], dtype="str")
        if not len(columns) or columns.has_duplicates:
            raise DataError(f"{self.name} has no column, or two of one name: give one for each symbol")
        try:
            if any(dtype.kind == "c" for dtype in self.values.dtypes):  # only their real parts would be kept
                raise TypeError
            values = self.values.astype(np.float64)
        except (TypeError, ValueError):
            raise DataError(f"{self.name} holds something that is no number: leave it empty") from None
        if np.isinf(values.to_numpy()).any():
            raise DataError(f"{self.name} holds an infinite value: leave it empty")
        object.__setattr__(
            self, "values", values.set_axis(days.as_unit("ns").rename("date")).set_axis(columns, axis=1)
        )
        object.__setattr__(self, "known_at", self.known_at.tz_convert("UTC").as_unit("ns"))

    def __repr__(self) -> str:
        return f"KnownSeries({shown(self.name)}: {len(self.values)} rows, {self.values.shape[1]} columns)"

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.values.columns)

    @property
    def array(self) -> NDArray[np.float64]:
        """The values, shape (rows, columns)."""
        return self.values.to_numpy()

    @property
    def dates(self) -> pd.DatetimeIndex:
        """The naive dates that the rows are about."""
        return pd.DatetimeIndex(self.values.index)

    def derived(self, make: Callable[[pd.DataFrame], pd.DataFrame]) -> Self:
        """Return what is made of the values, known when they were.

        Args:
            make: turns the values into a frame of the same rows, each from itself and those above it.
        """
        return replace(self, values=make(self.values))

    def only(self, symbols: Iterable[str]) -> Self:
        """Return some of the columns, in the order given.

        Raises:
            ParameterError: for a name that is not among them, or no list of names.
        """
        names = list(symbols) if is_listed(symbols) and not isinstance(symbols, str) else []
        if not names or not all(isinstance(name, str) and name in self.symbols for name in names):
            raise ParameterError(
                f"only was given {shown(names or symbols)}: give a list of columns of {self.name}, which are "
                f"{some_of(self.symbols)}"
            )
        return self.derived(lambda values: values[names])

    def until(self, when: str | datetime) -> Self:
        """Return the rows known at a moment.

        Args:
            when: a moment with its UTC offset, such as "2022-03-10T18:00Z".
        """
        moment = aware(when)
        if moment is None:
            raise ParameterError(
                f"when is {shown(when)}: give a moment with its UTC offset, such as '2022-03-10T18:00Z'"
            )
        known = np.asarray(self.known_at <= moment)
        return replace(self, values=self.values[known], known_at=self.known_at[known])

    def for_symbols(self, market: Market) -> Self:
        """Return the columns that are lines of a market, in its order.

        Raises:
            ParameterError: where none is.
        """
        _check_market("for_symbols", market)
        inside = [symbol for symbol in market.symbols if symbol in self.values.columns]
        if not inside:
            raise ParameterError(
                f"{self.name} is about {shown(', '.join(self.symbols))}, none of them in this market: spell "
                "the columns as the market's symbols, such as 9988.HK"
            )
        return self.only(inside)

    def row_at(self, market: Market, steps: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return the last row known at each step, shape (S,), -1 before the first.

        Raises:
            ParameterError: for steps that are no positions on the market's grid.
        """
        _check_market("row_at", market)
        at = np.asarray(steps)
        if at.dtype.kind not in "iu" or not ((at >= -len(market)) & (at < len(market))).all():
            raise ParameterError(
                f"steps is {shown(steps)}: give positions on the grid, whole numbers from 0 to "
                f"{len(market) - 1}, or -1 for the last"
            )
        return np.searchsorted(self.known_at.asi8, market.times[steps], side="right").astype(np.int64) - 1

    def latest(
        self, market: Market, steps: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the last value of each column known at each step, and how long it has been known.

        Args:
            market: whose steps they are.
            steps: positions on its grid, shape (S,).

        Returns:
            Values, shape (S, columns), NaN before the first; ages in New York sessions since `known_at`,
            continuous as `session_clock`, shape (S, columns), inf before the first.
        """
        values = np.vstack([np.full(self.values.shape[1], np.nan), self.array])
        known = np.append(-np.inf, session_clock(self.known_at))
        seen = np.where(np.isfinite(values), np.arange(len(values))[:, None], 0)
        row = np.maximum.accumulate(seen, axis=0)[self.row_at(market, steps) + 1]
        age = market.session_count[steps][:, None] - known[row]
        return np.take_along_axis(values, row, axis=0), age


def _check_market(method: str, market: object) -> None:
    if not isinstance(market, Market):
        raise ParameterError(f"{method} was given {shown(market)}: give a market, such as load_market(...)")
