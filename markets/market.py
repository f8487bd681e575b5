"""The market: what can be traded, when, at what price, and the rates and actions that go with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import DataError, ParameterError, is_number, is_whole, near_word, shown, some_of, visible
from entrepot.guarded import Guarded
from entrepot.markets.market_tables import LONG_TABLES, refuse_unsound, say_what_is_not_used
from entrepot.markets.sessions import (
    FIRST_YEAR,
    LAST_YEAR,
    naive_moment,
    refuse_other_than_daily,
    session_clock,
)

if TYPE_CHECKING:
    from entrepot.markets.truth import Truth

# How far ahead of the last step the venues' calendars are kept: longer than any closure of either venue.
PUBLISHED_AHEAD = pd.Timedelta(days=21)


def records(table: pd.DataFrame) -> Iterable[Any]:
    """Return the rows of one of the market's long tables, their fields by column name."""
    return table.itertuples(index=False)


def empty_table(name: str) -> pd.DataFrame:
    """Return one of the market's long tables without rows, with its columns and types."""
    return pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in LONG_TABLES[name].items()})


@dataclass(frozen=True, eq=False)
class Market(Guarded):
    """Prices of every tradable line on the grid of all venues' steps, with what is needed to trade them.

    Args:
        grid: one row per step, index 0..T-1; columns ``time`` (UTC, strictly increasing), ``venue``,
            ``phase`` ("open", "close", or "bar" where one ends in between) and ``session`` (the venue's
            date).
        price: shape (T, N), local currency, indexed by ``grid.time``; NaN where the line's venue does not
            trade at that step or no price is known. Never zero or negative.
        instruments: one row per column of ``price`` with the columns `INSTRUMENT_COLUMNS`.
        fixings: exchange rates in units of ``currency`` per USD, each with the time it became known.
        ratios: dated ordinary shares per ADS, such that they fit the prices as loaded.
        dividends: gross amounts per share in local currency by ex-date, less than the price before it;
            ``pay_date`` may be NaT.
        splits: new shares per old share by ex-date, for lines whose prices are raw only.
        halts: intervals ``start <= t < end`` in which a line cannot trade.
        delistings: lines that leave the market: last session, the Hong Kong line they convert into (""
            where there is none) and the ratio of that conversion.
        estimates: closes in ``price`` that nobody printed: symbol and session. See `load_market`.
        ahead: steps scheduled after the grid's end, same columns as ``grid``: calendars are published, so
            whether the other venue trades tomorrow is known today. May be empty.
        volume: shares traded in the session, shape (T, N), at the closes; NaN where nothing is known, and at
            all other steps. In shares of the prices' own day. None: nothing is known of any line.
        truth: of a simulated market, what its prices were made from; None of any other.
        label: where the prices come from, printed on every report.
        notes: what was read, left out or assumed, a sentence each.

    The tables are checked and copied when a market is made, and handed out as copies, arrays read-only: what
    is written into one is seen by nobody else. Make another market with `dataclasses.replace`.

    Raises:
        DataError: when the tables contradict each other, or hold what no ledger could be kept of.
    """

    grid: pd.DataFrame
    price: pd.DataFrame
    instruments: pd.DataFrame
    fixings: pd.DataFrame = field(default_factory=lambda: empty_table("fixings"))
    ratios: pd.DataFrame = field(default_factory=lambda: empty_table("ratios"))
    dividends: pd.DataFrame = field(default_factory=lambda: empty_table("dividends"))
    splits: pd.DataFrame = field(default_factory=lambda: empty_table("splits"))
    halts: pd.DataFrame = field(default_factory=lambda: empty_table("halts"))
    delistings: pd.DataFrame = field(default_factory=lambda: empty_table("delistings"))
    estimates: pd.DataFrame = field(default_factory=lambda: empty_table("estimates"))
    ahead: pd.DataFrame = field(default_factory=lambda: empty_table("ahead"))
    volume: pd.DataFrame | None = None
    truth: Truth | None = None
    label: str = "prices given in memory"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.label, str):
            raise DataError(f"label is {shown(self.label)}: say in words where the prices come from")
        if not isinstance(self.notes, tuple) or not all(isinstance(note, str) for note in self.notes):
            raise DataError(f"notes is {shown(self.notes)}: give a tuple of sentences")
        # Both may quote the names of files and folders, which hold any bytes, and are shown everywhere.
        object.__setattr__(self, "label", visible(self.label))
        object.__setattr__(self, "notes", tuple(map(visible, self.notes)))
        refuse_unsound(self)
        for name in ("grid", "instruments", *LONG_TABLES):
            object.__setattr__(self, name, getattr(self, name))  # a copy of what may be changed later
        for name in ("price", "volume"):
            table = getattr(self, name)
            if table is not None and any(dtype != np.float64 for dtype in table.dtypes):
                values = table.to_numpy(dtype=np.float64, na_value=np.nan)
                table = pd.DataFrame(values, table.index, table.columns)
            object.__setattr__(self, name, table)
        said = [note for note in say_what_is_not_used(self) if note not in self.notes]
        object.__setattr__(self, "notes", (*self.notes, *said))
        if len(self.estimates):
            self._check_estimates()

    def _check_estimates(self) -> None:
        if list(self.estimates.columns) != list(LONG_TABLES["estimates"]):
            raise DataError(
                f"estimates has the columns {shown(list(self.estimates.columns))}: give symbol and session"
            )
        strange = sorted(set(self.estimates["symbol"].astype(str)) - set(self.symbols))
        if strange:
            raise DataError(f"estimates names {shown(strange)}, which price does not have: leave it out")
        priced = int((self.estimated & np.isfinite(self.prices)).sum())
        if priced != len(self.estimates):
            raise DataError(
                f"estimates has {len(self.estimates)} rows and {priced} closes with a price fit them: give "
                "each estimated close once, by the session of its line's venue"
            )

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        first, last = self.grid["session"].iloc[0].date(), self.grid["session"].iloc[-1].date()
        return (
            f"Market({self.label!r}: {len(self.symbols)} symbols, {len(self.pairs)} pairs, "
            f"{len(self)} steps, {first} to {last})"
        )

    # -- arrays the kernels read -------------------------------------------------------------------------

    @cached_property
    def prices(self) -> NDArray[np.float64]:
        """The prices as a C-ordered array of shape (T, N)."""
        return np.array(self.price.to_numpy(dtype=np.float64, na_value=np.nan), order="C")

    @cached_property
    def times(self) -> NDArray[np.int64]:
        """UTC nanoseconds of every step, shape (T,)."""
        return np.asarray(pd.DatetimeIndex(self.grid["time"]).as_unit("ns").asi8)

    @cached_property
    def venue_of_step(self) -> NDArray[np.object_]:
        """Name of the venue of every step, shape (T,)."""
        return self.grid["venue"].to_numpy(dtype=object)

    @cached_property
    def scheduled(self) -> NDArray[np.bool_]:
        """Whether each line's venue trades at each step, shape (T, N)."""
        number, venues = pd.factorize(self.grid["venue"])
        of_line = venues.get_indexer(pd.Index(self.instruments["venue"]))  # -1 where it has no step
        return np.asarray(number[:, None] == of_line[None, :], dtype=bool)

    @cached_property
    def halted(self) -> NDArray[np.bool_]:
        """Whether each line is halted at each step, shape (T, N)."""
        halted = np.zeros(self.prices.shape, dtype=bool)
        for row in records(self.halts):
            start, end = pd.Timestamp(row.start).value, pd.Timestamp(row.end).value
            halted[:, self.column(str(row.symbol))] |= (self.times >= start) & (self.times < end)
        return halted

    @cached_property
    def tradable(self) -> NDArray[np.bool_]:
        """Whether each line can be traded at each step: it has a price and is not halted, shape (T, N)."""
        return np.isfinite(self.prices) & ~self.halted

    @cached_property
    def estimated(self) -> NDArray[np.bool_]:
        """Whether each price is an estimate that nobody printed, shape (T, N)."""
        mask = np.zeros(self.prices.shape, dtype=bool)
        closes = (self.grid["phase"] == "close").to_numpy()
        for symbol, rows in self.estimates.groupby("symbol"):
            column = self.column(str(symbol))
            own = self.grid["session"].isin(rows["session"]).to_numpy()
            mask[:, column] = self.scheduled[:, column] & closes & own
        return mask

    @cached_property
    def printed(self) -> NDArray[np.float64]:
        """The prices without the estimates among them, shape (T, N): what may be learnt from."""
        if self.estimates.empty:
            return self.prices
        return np.where(self.estimated, np.nan, self.prices)

    @cached_property
    def schedule(self) -> pd.DataFrame:
        """The grid and the steps scheduled after it, same columns."""
        if len(self.ahead) == 0:
            return self.grid
        return pd.concat([self.grid, self.ahead], ignore_index=True).rename_axis("step")

    @cached_property
    def decision_steps(self) -> NDArray[np.bool_]:
        """The last step of each New York session (of the only venue's sessions where there is one)."""
        venues = self.schedule["venue"].to_numpy()
        venue = "XNYS" if (venues == "XNYS").any() else venues[-1]
        last = self.schedule[venues == venue].groupby("session").tail(1).index
        mask = np.zeros(len(self.schedule), dtype=bool)
        mask[last] = True
        return mask[: len(self)]

    @cached_property
    def session_count(self) -> NDArray[np.float64]:
        """New York sessions elapsed at each step, continuous: the clock of half-lives and dwell times."""
        return session_clock(pd.DatetimeIndex(self.grid["time"]))

    # -- lines and pairs -----------------------------------------------------------------------------------

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbols, in the order of the price columns."""
        return tuple(str(s) for s in self.price.columns)

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {symbol: i for i, symbol in enumerate(self.symbols)}

    def column(self, symbol: str) -> int:
        """Return the position of a symbol among the price columns, or refuse it by name."""
        try:
            return self._columns[symbol]
        except (KeyError, TypeError):
            hint = near_word(str(symbol), self.symbols) or ";"
            raise ParameterError(
                f"{shown(symbol)} is not in this market{hint} its symbols are {some_of(self.symbols)}"
            ) from None

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """The pairs with both legs in this market: index ADR symbol, columns ``hk`` and ``company``."""
        legs = self.instruments[self.instruments["kind"].isin(["ads", "common"])]
        legs = legs[legs["pair"].isin(self.symbols)]
        frame = pd.DataFrame({"hk": legs["pair"].astype(str), "company": legs["company"].astype(str)})
        return frame.rename_axis("adr")

    # -- rates and ratios, as known at each step -------------------------------------------------------------

    @cached_property
    def currencies(self) -> tuple[str, ...]:
        """USD, then the other currencies of the lines and of the fixings, sorted."""
        others = set(self.instruments["currency"]) | set(self.fixings["currency"])
        return ("USD", *sorted(others - {"USD"}))

    @cached_property
    def _fixing_rows(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """By currency: USD per unit, and age in days, of the last fixing known at each step."""
        rows = {}
        for currency in self.currencies[1:]:
            table = self.fixings[self.fixings["currency"] == currency]
            known = pd.DatetimeIndex(table["time"]).as_unit("ns").asi8
            position = np.searchsorted(known, self.times, side="right") - 1
            rate = np.append(1.0 / table["per_usd"].to_numpy(dtype=np.float64), np.nan)
            when = np.append(known.astype(np.float64), np.nan)
            rows[currency] = (rate[position], (self.times - when[position]) / 86_400e9)
        return rows

    @cached_property
    def fx(self) -> pd.DataFrame:
        """USD per unit of each currency, shape (T, currencies), at the last fixing known; NaN before it."""
        columns = {c: rate for c, (rate, _) in self._fixing_rows.items()}
        return pd.DataFrame({"USD": np.ones(len(self)), **columns}, index=self.price.index)

    @cached_property
    def fx_age_days(self) -> pd.DataFrame:
        """Age in days of the fixing behind `fx`, shape (T, currencies); 0 for USD, NaN before the first."""
        columns = {c: age for c, (_, age) in self._fixing_rows.items()}
        return pd.DataFrame({"USD": np.zeros(len(self)), **columns}, index=self.price.index)

    @cached_property
    def ordinary_per_ads(self) -> pd.DataFrame:
        """Ordinary shares per ADS of each step's session date, shape (T, pairs); NaN before the first.

        What prices are compared by. The ledger, which holds shares across a date of change, keeps the old
        ratio until New York has opened on that date.
        """
        sessions = pd.DatetimeIndex(self.grid["session"]).as_unit("ns").asi8
        columns = {}
        for adr in self.pairs.index:
            table = self.ratios[self.ratios["adr"] == adr].sort_values("effective_from")
            since = pd.DatetimeIndex(table["effective_from"]).as_unit("ns").asi8
            ratio = np.append(table["ordinary_per_ads"].to_numpy(dtype=np.float64), np.nan)
            columns[adr] = ratio[np.searchsorted(since, sessions, side="right") - 1]
        return pd.DataFrame(columns, index=self.price.index)

    # -- smaller markets -------------------------------------------------------------------------------------

    def until(self, step: int) -> Market:
        """Return what was known at a step: that step's prices included, nothing later.

        Args:
            step: position on the grid, 0..T-1 (negative counts from the end).
        """
        if not is_whole(step):
            raise ParameterError(f"step {shown(step)} is no position on the grid: give a whole number")
        if not -len(self) <= int(step) < len(self):
            raise ParameterError(
                f"step {step} is outside the grid: give 0 to {len(self) - 1}, or -1 for the last"
            )
        return self._cut(0, int(step) % len(self) + 1)

    def between(self, start: str | pd.Timestamp, end: str | pd.Timestamp) -> Market:
        """Return the market over the sessions from ``start`` to ``end``, both included.

        Raises:
            ParameterError: when no session lies in the range.
        """
        first, last = _naive(start, "start"), _naive(end, "end")
        inside = np.flatnonzero((self.grid["session"] >= first) & (self.grid["session"] <= last))
        if len(inside) == 0:
            have = f"{self.grid['session'].min().date()} to {self.grid['session'].max().date()}"
            raise ParameterError(
                f"no session between {first.date()} and {last.date()}: the market has {have}"
            )
        return self._cut(int(inside[0]), int(inside[-1]) + 1)

    def _cut(self, first: int, stop: int) -> Market:
        grid = self.grid.iloc[first:stop].reset_index(drop=True).rename_axis("step")
        now = grid["time"].iloc[-1]
        later = self.schedule.iloc[stop:]
        begun = self.grid.iloc[:stop].groupby("venue")["session"].max()
        reached = self.instruments["venue"].map(begun)

        def known(table: pd.DataFrame) -> pd.DataFrame:
            keep = table["ex_date"].to_numpy() <= reached.reindex(table["symbol"]).to_numpy()
            return table[keep].reset_index(drop=True)

        return replace(
            self,
            grid=grid,
            price=self.price.iloc[first:stop],
            volume=None if self.volume is None else self.volume.iloc[first:stop],
            truth=None if self.truth is None else self.truth.cut(first, stop),
            fixings=self.fixings[self.fixings["time"] <= now].reset_index(drop=True),
            ratios=self.ratios[self.ratios["effective_from"] <= begun.max()].reset_index(drop=True),
            dividends=known(self.dividends),
            splits=self.splits[self.splits["ex_date"] <= begun.max()].reset_index(drop=True),
            halts=self.halts[self.halts["start"] <= now].reset_index(drop=True),
            estimates=self._estimates_of(grid),
            ahead=later[later["time"] <= now + PUBLISHED_AHEAD].reset_index(drop=True),
        )

    def _estimates_of(self, grid: pd.DataFrame) -> pd.DataFrame:
        """Return the estimates whose closes are steps of a smaller grid."""
        closes = grid[grid["phase"] == "close"]
        inside = set(zip(closes["venue"], closes["session"], strict=True))
        venues = self.instruments["venue"].reindex(self.estimates["symbol"])
        keep = [own in inside for own in zip(venues, self.estimates["session"], strict=True)]
        return self.estimates[np.array(keep, dtype=bool)].reset_index(drop=True)

    @classmethod
    def from_prices(
        cls,
        frame: pd.DataFrame,
        *,
        currency: str = "USD",
        lot: float = 0.0,
        label: str = "prices given in memory",
    ) -> Market:
        """Make a market of one venue, one step a row: for plain portfolios and comparisons.

        There is no fee schedule, no exchange rate and no corporate action; every line may be shorted. Rows
        of one date are one session, at whose last row its figures are sampled; figures are annualised by 252.

            >>> import pandas as pd
            >>> import entrepot as ep
            >>> dates = pd.bdate_range("2024-01-02", periods=3)
            >>> market = ep.Market.from_prices(pd.DataFrame({"A": [10.0, 11.0, 12.0]}, index=dates))
            >>> weights = pd.DataFrame({"A": [1.0]}, index=dates[:1])
            >>> fills = ep.backtest(market, weights, costs=ep.Costs.none()).fills
            >>> fills[["session", "price"]].to_string(index=False, header=False)  # a day after the decision
            '2024-01-03 11.0'

        Args:
            frame: shape (T, N), one column per symbol, indexed by date or time, strictly increasing. NaN
                where a price is missing. The session of a row is its date, the local one where it has a time
                zone. Rows without one are of the end of their date in UTC, or where several are of one date
                of their own times in UTC.
            currency: "USD", as there is no exchange rate. Prices in another one may be given too: every
                amount is then in theirs.
            lot: shares per board lot, 0 for fractional shares.
            label: where the prices come from.

        Raises:
            DataError: on an index that is no date, is unsorted or repeats, on other than 200 to 300 dates a
                year where they span 90 days, on non-numeric columns, and on zero, negative or infinite
                prices.
            ParameterError: on another currency than "USD", and on a lot that is none.
        """
        if not isinstance(frame, pd.DataFrame) or not isinstance(frame.index, pd.DatetimeIndex):
            raise DataError(
                "from_prices was not given a DataFrame indexed by dates: set the index with to_datetime"
            )
        if frame.index.has_duplicates or not frame.index.is_monotonic_increasing:
            raise DataError("the price frame's dates repeat or are out of order: sort it and drop duplicates")
        frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
        if frame.columns.has_duplicates:
            raise DataError(
                f"the symbols {_repeated(list(frame.columns))} occur twice: give each column one name"
            )
        text = [
            str(c)
            for c in frame.columns
            if not pd.api.types.is_numeric_dtype(frame[c]) or frame[c].dtype.kind in "bc"
        ]
        if text:
            raise DataError(f"the columns {shown(text)} are not numbers: give prices as floats")
        if frame.size and frame.isna().all(axis=None):
            raise DataError("the price frame holds no price at all: every cell is NaN; fill it")
        if not isinstance(currency, str) or currency != "USD":
            raise ParameterError(
                f"currency is {shown(currency)}: prices alone have no exchange rate and are taken as USD; "
                "leave currency out and read every amount in that of the prices, or load them with their "
                "rates by load_market"
            )
        if not is_number(lot) or not 0 <= lot < np.inf:
            raise ParameterError(f"lot={shown(lot)} is no lot: give shares per lot, 0 for fractional shares")
        years = pd.DatetimeIndex(frame.index).year
        if len(years) and (years[0] < FIRST_YEAR or years[-1] > LAST_YEAR):
            raise DataError(
                f"the price frame runs from {years[0]} to {years[-1]}: give dates between {FIRST_YEAR} and "
                f"{LAST_YEAR}"
            )
        refuse_other_than_daily(pd.DatetimeIndex(frame.index).tz_localize(None).normalize().unique())
        return one_venue(frame, lot=float(lot), label=label)


def one_venue(frame: pd.DataFrame, *, lot: float = 0.0, label: str = "prices given in memory") -> Market:
    """Make a market of one venue of prices that are checked, of however many sessions a year.

    Args:
        frame: as in `Market.from_prices`, columns named by text.
        lot: shares per board lot, 0 for fractional shares.
        label: where the prices come from.
    """
    index = pd.DatetimeIndex(frame.index).as_unit("ns")
    session = index.tz_localize(None).normalize()
    last = ~session.duplicated(keep="last")  # the others end within the session
    if index.tz is not None:
        time = index.tz_convert("UTC")
    elif last.all():
        time = session.tz_localize("UTC") + pd.Timedelta(hours=23, minutes=59, seconds=59)
    else:
        time = index.tz_localize("UTC")
    time = pd.DatetimeIndex(time, name="time")
    phase = np.where(last, "close", "bar")
    grid = pd.DataFrame({"time": time, "venue": "XONE", "phase": phase, "session": session})
    price = frame.astype(np.float64).set_axis(time, axis=0)
    instruments = pd.DataFrame(
        {
            "venue": "XONE",
            "currency": "USD",
            "company": price.columns,
            "sector": "unclassified",
            "kind": "stock",
            "pair": "",
            "lot": lot,
            "adjustment": "raw",
            "shortable": True,
            "size": "mid",
            "withholding": 0.0,
            "fee_class": "none",
        },
        index=pd.Index(price.columns, name="symbol"),
    )
    return Market(grid.rename_axis("step"), price, instruments, label=label)


def _naive(given: str | pd.Timestamp, argument: str) -> pd.Timestamp:
    stamp = naive_moment(given)
    if stamp is None:
        raise ParameterError(
            f"{argument}={shown(given)} is no session date: write it as '2018-01-02', without a time zone"
        )
    return stamp


def _repeated(names: Sequence[object]) -> list[str]:
    return sorted({str(n) for n in names if list(names).count(n) > 1})
