"""What every attribution table is made of: one sum, and who owns each line and each step of a run.

The ledger books an amount for each step, source and line. A table says who owns each step and who owns each
line, and adds up (`share_out`). As every step is shared out in full and every line has one owner, each table
adds up to final equity less capital, in both directions.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from entrepot.engine.lines import CASH, SOURCES
from entrepot.errors import DataError, ParameterError, is_number, shown
from entrepot.markets.sectors import UNCLASSIFIED, SectorMap, first_level
from entrepot.markets.written_times import moments
from entrepot.reports.memory import once_per_ledger
from entrepot.reports.metrics import SESSIONS_PER_YEAR
from entrepot.reports.sources import is_cost, source_order

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from entrepot.engine.result import Ledger
    from entrepot.markets.market import Market

CASH_ROW = "cash"
LEGS: Mapping[str, str] = {"XHKG": "Hong Kong", "XNYS": "New York", "XONE": "single venue"}
Period = Literal["year", "quarter", "month"]
PERIODS: Mapping[str, str] = {"year": "Y", "quarter": "Q", "month": "M"}


# -- the one sum ---------------------------------------------------------------------------------------------


def share_out(
    booked: pd.DataFrame, owned: csr_array, rows: ArrayLike, names: Sequence[Any] | pd.Index[Any]
) -> pd.DataFrame:
    """Add up what was booked, by owner and source.

    What column c booked at step t falls to block b by the share ``owned[b, t]``, and what falls to a block
    belongs to the row that the block gives the column::

        table[r, s] = sum of owned[b, t] * booked[t, c] over all b, t and c with rows[b, c] = r, c of source s

    Args:
        booked: (T, C) amounts; columns (source, entry). NaN reaches only the row that owns it.
        owned: (B, T) shares of blocks of steps; those of one step add up to one.
        rows: (B, C) positions in `names`, or what broadcasts to it.
        names: of the R rows.

    Returns:
        (R, sources + 1) amounts by source in the order of `source_order`, and "total".
    """
    found = booked.columns.get_level_values("source")
    sources = source_order([str(name) for name in found])
    sums = owned @ booked.to_numpy()
    table = np.zeros((len(names), len(sources)))
    np.add.at(table, (np.broadcast_to(rows, sums.shape), pd.Index(sources).get_indexer(found)), sums)
    frame = pd.DataFrame(table, index=pd.Index(names), columns=sources)
    frame["total"] = table.sum(axis=1)
    return frame


def blocks(owner: NDArray[np.int64], count: int) -> csr_array:
    """Give every step to one of `count` blocks, shape (count, T)."""
    from scipy.sparse import csr_array

    steps = np.arange(len(owner))
    return csr_array((np.ones(len(owner)), (owner, steps)), shape=(count, len(owner)))


def whole(ledger: Ledger) -> csr_array:
    """Give every step of a run to one block, shape (1, T)."""
    return blocks(np.zeros(len(ledger.equity), dtype=np.int64), 1)


def by_entry(booked: pd.DataFrame, owned: csr_array, owners: Sequence[str]) -> pd.DataFrame:
    """Add up what was booked by the owner of each column, in the order in which they first appear."""
    rows, names = pd.factorize(np.array(owners, dtype=object))
    return share_out(booked, owned, rows, list(names))


def by_block(ledger: Ledger, owned: csr_array, names: Sequence[Any] | pd.Index[Any]) -> pd.DataFrame:
    """Add up what a run booked by the owner of each step."""
    return share_out(ledger.contributions, owned, np.arange(len(names))[:, None], names)


def entries(booked: pd.DataFrame) -> list[str]:
    """Return what each column of the contributions was booked on: a symbol, or cash of a currency."""
    return [str(name) for name in booked.columns.get_level_values("instrument")]


# -- what each step booked, paid and traded ------------------------------------------------------------------


@once_per_ledger
def step_profit(ledger: Ledger) -> NDArray[np.float64]:
    """(T,) profit and loss of (t-1, t] in base currency; entry 0 is what the first step itself booked."""
    return np.asarray(ledger.contributions.to_numpy().sum(axis=1), dtype=float)


@once_per_ledger
def step_costs(ledger: Ledger) -> NDArray[np.float64]:
    """(T,) costs paid in (t-1, t], base currency, positive."""
    sources = ledger.contributions.columns.get_level_values("source")
    paid = ledger.contributions.loc[:, [is_cost(str(name)) for name in sources]]
    return -np.asarray(paid.to_numpy().sum(axis=1), dtype=float)


@once_per_ledger
def step_traded(ledger: Ledger) -> pd.DataFrame:
    """Value of the fills of each step by symbol, both sides, base currency; (T, symbols filled)."""
    fills = ledger.fills
    column, symbols = pd.factorize(fills["symbol"])
    traded = np.zeros((len(ledger.equity), len(symbols)))
    value = (fills["notional"] * fills["fx"]).to_numpy(dtype=float)
    np.add.at(traded, (fills["step"].to_numpy(dtype=np.int64), column), value)
    return pd.DataFrame(traded, columns=symbols)


def mean_equity(ledger: Ledger, code: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(count,) mean equity at the session ends of each period; NaN where there is none or it is not positive.

    Args:
        ledger: a finished run.
        code: (T,) period of each step.
        count: of periods.
    """
    samples = np.flatnonzero(ledger.market.decision_steps)
    number = np.bincount(code[samples], minlength=count)
    total = np.bincount(code[samples], ledger.equity.to_numpy()[samples], minlength=count)
    mean = np.asarray(total / np.where(number > 0, number, np.nan), dtype=float)
    return np.where(mean > 0, mean, np.nan)


# -- who owns a line -----------------------------------------------------------------------------------------


def leg_name(instrument: str, venue: pd.Series[Any]) -> str:
    """Name the leg an entry of the contributions belongs to."""
    if instrument.startswith(CASH):
        return CASH_ROW
    code = str(venue.get(instrument, instrument))
    return LEGS.get(code, code)


@once_per_ledger
def booked_by_line(ledger: Ledger) -> pd.DataFrame:
    """What each line booked, columns (source, position of the line); cash comes after the K lines.

    A symbol held singly and in a pair is one column in the contributions and two lines here.
    """
    source, line = np.nonzero(ledger.record.sources.any(axis=1))
    columns = pd.MultiIndex.from_arrays(
        [np.array(SOURCES, dtype=object)[source], line], names=["source", "line"]
    )
    return pd.DataFrame(ledger.record.sources[source, :, line].T, ledger.equity.index, columns)


def sectors_by_step(
    market: Market, sectors: SectorMap | Mapping[str, str] | pd.Series[str] | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number the sectors of every line at every step.

    Args:
        market: T steps, N lines.
        sectors: as for `by_sector`.

    Returns:
        Codes, shape (T, N), and the sectors they number.
    """
    if isinstance(sectors, SectorMap):
        codes, words = sectors.of(market, overrule=True)
        names = tuple(dict.fromkeys([*words, UNCLASSIFIED]))
        return np.where(codes < 0, names.index(UNCLASSIFIED), codes), names
    registry = market.instruments["sector"]
    own = given_sectors(market, sectors)
    chosen = [own.get(symbol) or first_level(str(registry[symbol])) for symbol in market.price.columns]
    code, unique = pd.factorize(np.array(chosen, dtype=object))
    return np.broadcast_to(code, (len(market.grid), len(code))), tuple(unique)


def given_sectors(market: Market, sectors: Mapping[str, str] | pd.Series[str] | None) -> dict[str, str]:
    """Return the sectors given by hand, or say what is wrong with them."""
    if sectors is None:
        return {}
    if not isinstance(sectors, Mapping | pd.Series):
        raise ParameterError(
            f"sectors is of type {type(sectors).__name__}: give a mapping from symbols to sectors, or "
            "load_sectors()"
        )
    given = {str(symbol): word for symbol, word in sectors.items()}
    if not set(given) & set(market.price.columns):
        raise ParameterError(
            f"sectors is {shown(given)}, which names no line of this market: give symbols such as "
            f"{shown(str(market.price.columns[0]))}"
        )
    for symbol, word in given.items():
        # Half of a surrogate pair is no character: no file or table of text can hold it.
        text = isinstance(word, str) and not any(unicodedata.category(c) == "Cs" for c in word)
        if not text or not word.strip() or word == CASH_ROW:
            raise DataError(
                f"sectors gives {symbol} the sector {shown(word)}: give a printable word, not 'cash'"
            )
    return given


# -- who owns a step -----------------------------------------------------------------------------------------


def periods_of_steps(ledger: Ledger, freq: Period) -> pd.PeriodIndex:
    """Return the period that each step belongs to, shape (T,); see `by_period`."""
    if not isinstance(freq, str) or freq not in PERIODS:
        raise ParameterError(f"freq is {shown(freq)}: give {', '.join(map(repr, PERIODS))}")
    market = ledger.market
    samples = np.flatnonzero(market.decision_steps)
    steps = np.arange(len(market.grid))
    following = np.append(samples, -1)[np.searchsorted(samples, steps)]
    session = pd.DatetimeIndex(market.grid["session"])
    return session[np.where(following < 0, steps, following)].to_period(PERIODS[freq])


def check_states(ledger: Ledger, states: ArrayLike, names: Sequence[str]) -> NDArray[np.int64]:
    """Return `states` as (T,) integers into `names`, or say what is wrong with them."""
    if np.ma.isMaskedArray(states):
        raise ParameterError("states are a masked array: give a state for each step, masked ones filled")
    given = np.asarray(states)
    steps = len(ledger.equity)
    if given.shape != (steps,) or given.dtype.kind not in "iub":
        raise ParameterError(
            f"states have shape {given.shape} and type {given.dtype}: give one integer for each of the "
            f"{steps} steps of the run, as the regime path of the same market has them"
        )
    if given.size and not 0 <= int(given.min()) <= int(given.max()) < len(names):
        raise ParameterError(
            f"states run from {given.min()} to {given.max()} but there are {len(names)} names: "
            "a state is a position in names"
        )
    return given.astype(np.int64)


def decided_before(states: NDArray[np.int64]) -> NDArray[np.int64]:
    """Shift states by one step: what (t-1, t] earned belongs to the regime decided at t-1."""
    return np.concatenate([states[:1], states[:-1]])


def event_windows(ledger: Ledger, events: pd.DataFrame, sessions: float) -> tuple[pd.DataFrame, csr_array]:
    """Return the events whose window holds a step, and what they own of each, (events + 1, T).

    The last row owns the steps in no window. See `by_event` for what a window is.
    """
    if not is_number(sessions) or not np.isfinite(sessions) or sessions <= 0:
        raise ParameterError(
            f"sessions is {shown(sessions)}: give a positive number of sessions after each event"
        )
    from scipy.sparse import csr_array

    ordered = check_events(events)
    time = pd.DatetimeIndex(ledger.equity.index).as_unit("ns").asi8
    count = np.asarray(ledger.market.session_count, dtype=float)
    known = pd.DatetimeIndex(ordered["known_at"]).as_unit("ns").asi8
    start = clock_at(known, time, count)
    inside = (time > known[:, None]) & (count <= start[:, None] + sessions + 1e-9)
    kept, holders = inside.any(axis=1), inside.sum(axis=0)
    windows = np.vstack([inside[kept], holders == 0])
    return ordered.iloc[np.flatnonzero(kept)], csr_array(windows / np.maximum(holders, 1))


def check_events(events: pd.DataFrame) -> pd.DataFrame:
    """Return `events` in order of known_at with their names as the index, or say what is missing."""
    wanted = ["known_at", "title", "channel", "direction", "severity"]
    if not isinstance(events, pd.DataFrame):
        raise ParameterError(
            f"events is of type {type(events).__name__}: give load_events(), or a frame with "
            f"{', '.join(wanted)}"
        )
    missing = [name for name in wanted if name not in events.columns]
    if missing:
        raise DataError(
            f"the events have no column {', '.join(missing)}: give a frame with {', '.join(wanted)}, "
            "as load_events().frame has them"
        )
    twice = [name for name in (*wanted, "event_id") if list(events.columns).count(name) > 1]
    if twice:
        raise DataError(f"the events have the column {twice[0]} twice: keep one of them")
    frame = events.set_index(events["event_id"].astype(str)) if "event_id" in events.columns else events
    try:
        known = moments(frame["known_at"])
        frame = frame.astype({"direction": float, "severity": float})
    except (ValueError, TypeError) as error:
        raise DataError(
            f"the events cannot be read ({' '.join(str(error).split())}): give times in UTC in known_at and "
            "numbers in direction and severity"
        ) from error
    if known.tz is None or known.hasnans:
        raise DataError("known_at has an empty or a zoneless time: give each event a time in UTC")
    frame = frame.assign(known_at=known.tz_convert("UTC").as_unit("ns"))
    return frame.sort_values("known_at", kind="stable")


def clock_at(
    when: NDArray[np.int64], time: NDArray[np.int64], count: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Read the session clock of the grid at other times; before the first step it runs at 252 a year."""
    origin = time[0] if len(time) else 0
    inner = np.interp((when - origin).astype(float), (time - origin).astype(float), count)
    years_before = np.maximum(origin - when, 0) / (365.25 * 86_400e9)
    return np.asarray(inner - SESSIONS_PER_YEAR * years_before, dtype=float)
