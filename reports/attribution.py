"""Where the profit came from: by source, instrument, leg, pair, sector, period, regime and event.

Each table adds up to final equity less capital, in both directions; why is said in `ownership`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from entrepot.engine.lines import CASH
from entrepot.errors import ParameterError, is_listed, shown
from entrepot.markets.sectors import SectorMap
from entrepot.reports.memory import once_per_ledger
from entrepot.reports.metrics import Statistics, excess_returns, return_statistics
from entrepot.reports.ownership import (
    CASH_ROW,
    LEGS,
    Period,
    blocks,
    booked_by_line,
    by_block,
    by_entry,
    check_states,
    decided_before,
    entries,
    event_windows,
    leg_name,
    mean_equity,
    periods_of_steps,
    sectors_by_step,
    share_out,
    step_costs,
    step_profit,
    step_traded,
    whole,
)

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

NO_EVENT = "no event"
SINGLE_LINES = "single lines"
DIRECTIONS: Mapping[float, str] = {1.0: "escalation", -1.0: "relief"}
EVENT_GROUPS = ("channel", "direction")


# -- whose line it was ---------------------------------------------------------------------------------------


def by_source(ledger: Ledger) -> pd.Series[float]:
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


def largest_first(table: pd.DataFrame) -> pd.DataFrame:
    """Sort rows by absolute total."""
    return table.loc[table["total"].abs().sort_values(ascending=False, kind="stable").index]


# -- when it was ---------------------------------------------------------------------------------------------


def by_period(ledger: Ledger, freq: Period = "year") -> pd.DataFrame:
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


# -- which regime it was in ----------------------------------------------------------------------------------


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
    groups = [by] if isinstance(by, str) else list(by) if is_listed(by) else []
    in_words = all(isinstance(group, str) for group in groups)
    if not in_words or (groups != ["event"] and not (groups and set(groups) <= set(EVENT_GROUPS))):
        raise ParameterError(f"by is {shown(by)}: give 'event', or one or both of {', '.join(EVENT_GROUPS)}")
    held, owned = event_windows(ledger, events, sessions)
    if groups == ["event"]:
        return by_block(ledger, owned, [*held.index, NO_EVENT]).rename_axis("event")
    words = held.assign(direction=np.sign(held["direction"]).map(DIRECTIONS).fillna("neither"))
    labels = [" ".join(map(str, row)) for row in words[groups].itertuples(index=False)]
    names = [*sorted(set(labels)), NO_EVENT]
    rows = np.array([names.index(label) for label in [*labels, NO_EVENT]])
    return share_out(ledger.contributions, owned, rows[:, None], names).rename_axis(" and ".join(groups))
