"""Where the profit came from: by source, instrument, leg, pair, sector, period, regime and event.

Every table here is one sum. The ledger books an amount for each step, source and line; a table says who owns
each step and who owns each line, and adds up (`share_out`). As every step is shared out in full and every
line has one owner, each table adds up to final equity less capital, in both directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from entrepot.engine.lines import SOURCES
from entrepot.errors import DataError, ParameterError, is_number, shown
from entrepot.markets.sectors import UNCLASSIFIED, SectorMap, first_level
from entrepot.reports.memory import once_per_ledger
from entrepot.reports.metrics import SESSIONS_PER_YEAR, Statistics, excess_returns, return_statistics
from entrepot.reports.sources import is_cost, source_order

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from entrepot.engine.result import Ledger
    from entrepot.markets.market import Market

CASH = "cash:"
CASH_ROW = "cash"
LEGS: Mapping[str, str] = {"XHKG": "Hong Kong", "XNYS": "New York", "XONE": "single venue"}
NO_EVENT = "no event"
SINGLE_LINES = "single lines"
PERIODS: Mapping[str, str] = {"year": "Y", "quarter": "Q", "month": "M"}
DIRECTIONS: Mapping[float, str] = {1.0: "escalation", -1.0: "relief"}
EVENT_GROUPS = ("channel", "direction")


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


def largest_first(table: pd.DataFrame) -> pd.DataFrame:
    """Sort rows by absolute total."""
    return table.loc[table["total"].abs().sort_values(ascending=False, kind="stable").index]


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


# -- whose line it was ---------------------------------------------------------------------------------------


def by_source(ledger: Ledger) -> pd.Series[Any]:
    """Profit and loss by source over the whole run.

    Args:
        ledger: a finished run.

    Returns:
        Base currency by source (price, fx, dividend, interest, rebate, borrow, slippage, each kind of fee);
        costs are negative. The sum is final equity less capital, to rounding.
    """
    return by_block(ledger, whole(ledger), ["P&L"]).drop(columns="total").iloc[0]


@once_per_ledger
def by_instrument(ledger: Ledger) -> pd.DataFrame:
    """Profit and loss by instrument and source over the whole run.

    Args:
        ledger: a finished run.

    Returns:
        Base currency, one row per instrument and per ``cash:CCY`` (FX on balances, interest), one column per
        source and "total"; largest absolute total first. Absent combinations are 0.
    """
    booked = ledger.contributions
    return largest_first(by_entry(booked, whole(ledger), entries(booked)).rename_axis("instrument"))


def by_leg(ledger: Ledger) -> pd.DataFrame:
    """Profit and loss of the Hong Kong lines, the New York lines and cash.

    Args:
        ledger: a finished run.

    Returns:
        Base currency, rows "Hong Kong", "New York" (or the venue's code) and "cash", columns as in
        `by_instrument`. Borrow and rebate belong to the line that is short.
    """
    booked, venue = ledger.contributions, ledger.market.instruments["venue"]
    table = by_entry(booked, whole(ledger), [leg_name(name, venue) for name in entries(booked)])
    order = dict.fromkeys([*LEGS.values(), *table.index])
    return table.loc[[leg for leg in order if leg in table.index]].rename_axis("leg")


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


def by_pair(ledger: Ledger) -> pd.DataFrame:
    """Profit and loss of each linked pair, of the lines held singly, and of cash.

    A symbol that is held both in a pair and singly, or in two pairs, is split as the ledger split it: orders
    never net. What a line of a pair turns into, by choice or because it leaves, stays with the pair; the
    change of value at that moment is "conversion", on the ADR where it was chosen and on the line that left
    otherwise. FX on balances, interest and what dividends not yet paid did with rates are cash: no pair's.

    Args:
        ledger: a finished run.

    Returns:
        Base currency; rows "Hong Kong line / ADR" by pair in the ledger's order, also those never traded,
        then "single lines" where there are any, then "cash". Columns as in `by_instrument`, then "Hong Kong
        leg" and "ADR leg", which add up to the total of a pair and are NaN in the other rows.
    """
    lines, booked = ledger.lines, booked_by_line(ledger)
    pairs, line = len(lines.pairs), booked.columns.get_level_values("line").to_numpy(dtype=np.int64)
    owner = np.where(lines.linked, lines.pair, pairs)
    owner = np.append(owner, np.full(len(ledger.currencies), pairs + 1))
    names = [*(f"{hk} / {adr}" for hk, adr in lines.pairs), SINGLE_LINES, CASH_ROW]
    table = share_out(booked, whole(ledger), owner[line], names).rename_axis("pair")
    each = share_out(booked, whole(ledger), line, range(len(owner)))["total"].to_numpy()
    for leg, name in enumerate(("Hong Kong leg", "ADR leg")):
        table[name] = [*each[lines.legs[:, leg]], np.nan, np.nan]
    return table if not lines.linked.all() else table.drop(index=SINGLE_LINES)


def by_sector(
    ledger: Ledger, sectors: SectorMap | Mapping[str, str] | pd.Series[str] | None = None
) -> pd.DataFrame:
    """Profit and loss by sector.

    Both legs of a pair are in their company's sector, a fund in the one it is about ("broad" for a fund on
    the whole market), and cash in none. Where sectors change by date, the profit and loss of (t-1, t] belongs
    to the sector of the line at t-1.

    Args:
        ledger: a finished run.
        sectors: where sectors come from. None: the first level of the market's words, which are today's. A
            mapping from symbols to words: these, and the market's for lines it does not name. A `SectorMap`:
            its first levels by date, believed whatever the market says.

    Returns:
        Base currency, rows by sector, largest absolute total first, "unclassified" for lines without one,
        then "cash"; columns as in `by_instrument`. Sectors in which nothing was booked are left out.

    Raises:
        ParameterError: where `sectors` is none of these, or names no line of the market.
        DataError: where a sector is no word.
    """
    market, booked = ledger.market, ledger.contributions
    codes, names = sectors_by_step(market, sectors)
    owner = decided_before(codes)
    begins = np.append(True, (owner[1:] != owner[:-1]).any(axis=1))
    found = pd.Index(entries(booked))
    column = pd.Index(market.price.columns).get_indexer(found)
    rows = np.where(found.str.startswith(CASH), len(names), owner[begins][:, column])
    owned = blocks(np.cumsum(begins) - 1, int(begins.sum()))
    table = share_out(booked, owned, rows, [*names, CASH_ROW]).rename_axis("sector")
    table = table.iloc[np.unique(rows)]
    ordered = largest_first(table).index
    return table.loc[[*ordered[ordered != CASH_ROW], *ordered[ordered == CASH_ROW]]]


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
        if not isinstance(word, str) or not word.strip() or word == CASH_ROW:
            raise DataError(f"sectors gives {symbol} the sector {shown(word)}: give a word other than 'cash'")
    return given


# -- when it was ---------------------------------------------------------------------------------------------


def by_period(ledger: Ledger, freq: str = "year") -> pd.DataFrame:
    """Profit and loss, return, costs and turnover of each year, quarter or month.

    A step belongs to the New York session (of the only venue, where there is one) that ends with it or next
    after it, and so to the period of that session's date: a Hong Kong close counts with the New York close
    that follows. Steps after the last of these belong to their own session's date.

    Args:
        ledger: a finished run.
        freq: "year", "quarter" or "month", of the calendar.

    Returns:
        Rows by period that holds a step; base currency by source and "total", which is the period's change of
        equity; "Return [%]" from the equity before to the equity after its steps; "Costs", positive;
        "Turnover", value of its fills, both sides, over mean equity at its session ends, not annualised;
        "Start Equity" and "End Equity". The first period starts from the capital. A return from equity that
        is not positive and a turnover over such a mean, or over none, are NaN.

    Raises:
        ParameterError: on another `freq`.
    """
    period = periods_of_steps(ledger, freq)
    code, names = pd.factorize(period)
    owned = blocks(code, len(names))
    table = by_block(ledger, owned, names.rename("period"))
    equity = ledger.equity.to_numpy()
    last = np.append(np.flatnonzero(code[1:] != code[:-1]), len(code) - 1)
    end, start = equity[last], np.append(ledger.capital, equity[last[:-1]])
    table["Return [%]"] = 100 * (end / np.where(start > 0, start, np.nan) - 1)
    table["Costs"] = owned @ step_costs(ledger)
    table["Turnover"] = (
        owned @ step_traded(ledger).to_numpy().sum(axis=1) / mean_equity(ledger, code, len(names))
    )
    table["Start Equity"], table["End Equity"] = start, end
    return table


def periods_of_steps(ledger: Ledger, freq: str) -> pd.PeriodIndex:
    """Return the period that each step belongs to, shape (T,); see `by_period`."""
    if not isinstance(freq, str) or freq not in PERIODS:
        raise ParameterError(f"freq is {shown(freq)}: give {', '.join(map(repr, PERIODS))}")
    market = ledger.market
    samples = np.flatnonzero(market.decision_steps)
    steps = np.arange(len(market.grid))
    following = np.append(samples, -1)[np.searchsorted(samples, steps)]
    session = pd.DatetimeIndex(market.grid["session"])
    return session[np.where(following < 0, steps, following)].to_period(PERIODS[freq])


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


# -- which regime it was in ----------------------------------------------------------------------------------


def check_states(ledger: Ledger, states: ArrayLike, names: Sequence[str]) -> NDArray[np.int64]:
    """Return `states` as (T,) integers into `names`, or say what is wrong with them."""
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


def by_regime(ledger: Ledger, states: ArrayLike, names: Sequence[str]) -> pd.DataFrame:
    """Profit and loss, risk and costs of each regime.

    The profit and loss of (t-1, t] belongs to the regime decided at t-1; what the first step itself books
    belongs to its own regime. Return, volatility and Sharpe use the session returns whose preceding session
    ended in the regime, chained as if they followed each other, with the conventions of `summary`.

    Args:
        ledger: a finished run.
        states: (T,) integers into `names`, the regime decided at each step.
        names: regimes; one row each, in this order, also those that never occurred.

    Returns:
        Rows by regime; "P&L" (base currency, sums to final equity less capital), "P&L [%]" of capital,
        "Annualized Return [%]", "Annualized Volatility [%]", "Sharpe Ratio", "Share of Time [%]" (of the
        time between the first and the last step), "Sessions" (returns used), "Episodes" (maximal runs of
        steps) and "Costs" (base currency, positive). A figure that is not defined is NaN; the reasons are in
        ``.attrs["reasons"]``. `regime_sources` has the profit and loss by source.

    Raises:
        ParameterError: where `states` do not fit the run.
    """
    state = check_states(ledger, states, names)
    owned = blocks(decided_before(state), len(names))
    profit, costs = owned @ step_profit(ledger), owned @ step_costs(ledger)
    time = pd.DatetimeIndex(ledger.equity.index).as_unit("ns").asi8
    elapsed = np.diff(time, prepend=time[:1]).astype(float)
    spent = owned @ elapsed
    begins = np.concatenate([[True], state[1:] != state[:-1]])
    samples = np.flatnonzero(np.asarray(ledger.market.decision_steps, dtype=bool))
    returns, excess = ledger.returns, excess_returns(ledger)
    known_at_open = state[samples[:-1]]
    ruined = bool((ledger.equity <= 0).any())
    reasons: dict[str, str] = {}
    rows = []
    for code, name in enumerate(names):
        picked = known_at_open == code
        risk: Statistics = return_statistics(returns[picked], excess[picked], ruined=ruined)
        for key, reason in risk.reasons.items():
            reasons[f"{name}: {key}"] = reason
        rows.append(
            {
                "P&L": profit[code],
                "P&L [%]": 100 * profit[code] / ledger.capital,
                "Annualized Return [%]": risk.figures["Annualized Return [%]"],
                "Annualized Volatility [%]": risk.figures["Annualized Volatility [%]"],
                "Sharpe Ratio": risk.figures["Sharpe Ratio"],
                "Share of Time [%]": 100 * spent[code] / elapsed.sum() if elapsed.sum() else np.nan,
                "Sessions": int(picked.sum()),
                "Episodes": int((begins & (state == code)).sum()),
                "Costs": costs[code],
            }
        )
    table = pd.DataFrame(rows, index=pd.Index(list(names), name="regime"))
    table.attrs["reasons"] = reasons
    return table


def regime_sources(ledger: Ledger, states: ArrayLike, names: Sequence[str]) -> pd.DataFrame:
    """Profit and loss by regime and source.

    Args:
        ledger: a finished run.
        states: as for `by_regime`.
        names: as for `by_regime`.

    Returns:
        Base currency, rows by regime, columns as in `by_instrument`. "total" is the "P&L" of `by_regime`; the
        rows add up to `by_source`.

    Raises:
        ParameterError: where `states` do not fit the run.
    """
    owned = blocks(decided_before(check_states(ledger, states, names)), len(names))
    return by_block(ledger, owned, pd.Index(list(names), name="regime"))


# -- which event it followed ---------------------------------------------------------------------------------


def by_event(ledger: Ledger, events: pd.DataFrame, sessions: float = 5) -> pd.DataFrame:
    """Profit and loss in the sessions after each event.

    The window of an event takes every (t-1, t] with t later than `known_at` and at most `sessions` New York
    sessions after it. Where windows overlap they share equally; the rest is the "no event" row. This says
    when money was made, not that the event made it.

    Args:
        ledger: a finished run.
        events: one row per event: known_at (UTC), title, channel, direction (+1 escalation, -1 relief),
            severity; event_id, as a column or the index, names the rows.
        sessions: length of the window, New York sessions.

    Returns:
        Rows by event in order of `known_at`, those whose window holds no step of the run left out, then
        "no event"; known_at, channel, direction, severity, title, "P&L" (base currency, sums to final equity
        less capital), "P&L [%]" of capital, "Costs" (positive), "Steps" in the window and "Shared [%]", how
        many of them other windows hold too. `event_sources` has the profit and loss by source.

    Raises:
        ParameterError: where `sessions` is not positive.
        DataError: where `events` lack a column or a time.
    """
    held, owned = event_windows(ledger, events, sessions)
    never = pd.DatetimeIndex([pd.NaT], tz="UTC").as_unit("ns")
    rest = pd.DataFrame({"known_at": never, "channel": "", "title": ""}, index=[NO_EVENT])
    rest = rest.assign(direction=np.nan, severity=np.nan)
    facts = ["known_at", "channel", "direction", "severity", "title"]
    table = (pd.concat([held[facts], rest[facts]]) if len(held) else rest[facts]).rename_axis("event")
    steps = np.diff(owned.indptr).astype(np.int64)
    shared = blocks(np.repeat(np.arange(len(steps)), steps), len(steps)) @ (owned.data < 1)
    table["P&L"] = owned @ step_profit(ledger)
    table["P&L [%]"] = 100 * table["P&L"] / ledger.capital
    table["Costs"] = owned @ step_costs(ledger)
    table["Steps"] = steps
    table["Shared [%]"] = 100 * shared / np.maximum(steps, 1)
    return table


def event_sources(
    ledger: Ledger, events: pd.DataFrame, sessions: float = 5, by: str | Sequence[str] = "event"
) -> pd.DataFrame:
    """Profit and loss by event, or by the channel and direction of events, and source.

    Args:
        ledger: a finished run.
        events: as for `by_event`.
        sessions: as for `by_event`.
        by: "event": one row each; "channel", "direction" or both, as in ``["channel", "direction"]``: one row
            for all events alike. A direction above zero is an escalation, one below it a relief.

    Returns:
        Base currency, rows by event in order of `known_at`, or by channel and direction, then "no event";
        columns as in `by_instrument`. By event, "total" is the "P&L" of `by_event`; always, the rows add up
        to `by_source`.

    Raises:
        ParameterError: where `sessions` is not positive or `by` is none of these.
        DataError: where `events` lack a column or a time.
    """
    groups = [by] if isinstance(by, str) else list(by)
    if groups != ["event"] and not (groups and set(groups) <= set(EVENT_GROUPS)):
        raise ParameterError(f"by is {shown(by)}: give 'event', or one or both of {', '.join(EVENT_GROUPS)}")
    held, owned = event_windows(ledger, events, sessions)
    if groups == ["event"]:
        return by_block(ledger, owned, [*held.index, NO_EVENT]).rename_axis("event")
    words = held.assign(direction=np.sign(held["direction"]).map(DIRECTIONS).fillna("neither"))
    labels = [" ".join(map(str, row)) for row in words[groups].itertuples(index=False)]
    names = [*sorted(set(labels)), NO_EVENT]
    rows = np.array([names.index(label) for label in [*labels, NO_EVENT]])
    return share_out(ledger.contributions, owned, rows[:, None], names).rename_axis(" and ".join(groups))


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
    frame = events.set_index(events["event_id"].astype(str)) if "event_id" in events.columns else events
    try:
        known = pd.to_datetime(frame["known_at"])
        frame = frame.astype({"direction": float, "severity": float})
    except (ValueError, TypeError) as error:
        raise DataError(
            f"the events cannot be read ({' '.join(str(error).split())}): give times in UTC in known_at and "
            "numbers in direction and severity"
        ) from error
    if not isinstance(known.dtype, pd.DatetimeTZDtype):
        raise DataError("known_at has an empty or a zoneless time: give each event a time in UTC")
    if known.isna().any() or known.dt.tz is None:
        raise DataError("known_at has an empty or a zoneless time: give each event a time in UTC")
    frame = frame.assign(known_at=known.dt.tz_convert("UTC").dt.as_unit("ns"))
    return frame.sort_values("known_at", kind="stable")


def clock_at(
    when: NDArray[np.int64], time: NDArray[np.int64], count: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Read the session clock of the grid at other times; before the first step it runs at 252 a year."""
    origin = time[0] if len(time) else 0
    inner = np.interp((when - origin).astype(float), (time - origin).astype(float), count)
    years_before = np.maximum(origin - when, 0) / (365.25 * 86_400e9)
    return np.asarray(inner - SESSIONS_PER_YEAR * years_before, dtype=float)
