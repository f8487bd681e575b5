"""Where the profit came from: by source, instrument, leg, regime and event. Every table sums to the total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from entrepot.errors import DataError, ParameterError
from entrepot.reports.memory import once_per_ledger
from entrepot.reports.metrics import SESSIONS_PER_YEAR, Statistics, excess_returns, return_statistics
from entrepot.reports.sources import is_cost, source_order

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

CASH = "cash:"
LEGS: Mapping[str, str] = {"XHKG": "Hong Kong", "XNYS": "New York", "XONE": "single venue"}
NO_EVENT = "no event"


def by_source(ledger: Ledger) -> pd.Series[Any]:
    """Profit and loss by source over the whole run.

    Args:
        ledger: a finished run.

    Returns:
        Base currency by source (price, fx, dividend, interest, rebate, borrow, slippage, each kind of fee);
        costs are negative. The sum is final equity less capital, to rounding.
    """
    table = by_instrument(ledger)
    return table.drop(columns="total").sum().rename("P&L")


@once_per_ledger
def by_instrument(ledger: Ledger) -> pd.DataFrame:
    """Profit and loss by instrument and source over the whole run.

    Args:
        ledger: a finished run.

    Returns:
        Base currency, one row per instrument and per ``cash:CCY`` (FX on balances, interest), one column per
        source and "total"; largest absolute total first. Absent combinations are 0.
    """
    sums = ledger.contributions.sum()
    if len(sums) == 0:
        return pd.DataFrame({"total": pd.Series(dtype=float)}, index=pd.Index([], name="instrument"))
    table = (
        sums.groupby(level=["source", "instrument"])
        .sum()
        .reset_index(name="total")
        .pivot_table(index="instrument", columns="source", values="total", aggfunc="sum", fill_value=0.0)
    )
    table = table[source_order([str(name) for name in table.columns])].rename_axis(columns=None)
    table["total"] = table.sum(axis=1)
    return table.loc[table["total"].abs().sort_values(ascending=False, kind="stable").index]


def by_leg(ledger: Ledger) -> pd.DataFrame:
    """Profit and loss of the Hong Kong lines, the New York lines and cash.

    Args:
        ledger: a finished run.

    Returns:
        Base currency, rows "Hong Kong", "New York" (or the venue's code) and "cash", columns as in
        `by_instrument`. Borrow and rebate belong to the line that is short.
    """
    table = by_instrument(ledger)
    venue = ledger.market.instruments["venue"]
    legs = [leg_name(str(name), venue) for name in table.index]
    order = list(dict.fromkeys([*LEGS.values(), *legs]))
    out = table.groupby(legs).sum().reindex([leg for leg in order if leg in legs])
    out.index.name = "leg"
    return out


def leg_name(instrument: str, venue: pd.Series[Any]) -> str:
    """Name the leg an entry of the contributions belongs to."""
    if instrument.startswith(CASH):
        return "cash"
    code = str(venue.get(instrument, instrument))
    return LEGS.get(code, code)


@once_per_ledger
def step_profit(ledger: Ledger) -> NDArray[np.float64]:
    """(T,) profit and loss of (t-1, t] in base currency; entry 0 is what the first step itself booked."""
    return np.asarray(ledger.contributions.sum(axis=1).to_numpy(), dtype=float)


@once_per_ledger
def step_costs(ledger: Ledger) -> NDArray[np.float64]:
    """(T,) costs paid in (t-1, t], base currency, positive."""
    sources = ledger.contributions.columns.get_level_values("source")
    paid = ledger.contributions.loc[:, [is_cost(str(name)) for name in sources]]
    return -np.asarray(paid.sum(axis=1).to_numpy(), dtype=float)


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
        ``.attrs["reasons"]``.

    Raises:
        ParameterError: where `states` do not fit the run.
    """
    state = check_states(ledger, states, names)
    owner = decided_before(state)
    profit, costs = step_profit(ledger), step_costs(ledger)
    time = pd.DatetimeIndex(ledger.equity.index).as_unit("ns").asi8
    elapsed = np.diff(time, prepend=time[:1]).astype(float)
    begins = np.concatenate([[True], state[1:] != state[:-1]])
    samples = np.flatnonzero(np.asarray(ledger.market.decision_steps, dtype=bool))
    returns, excess = ledger.returns, excess_returns(ledger)
    known_at_open = state[samples[:-1]]
    ruined = bool((ledger.equity <= 0).any())
    reasons: dict[str, str] = {}
    rows = []
    for code, name in enumerate(names):
        mine = owner == code
        picked = known_at_open == code
        risk: Statistics = return_statistics(returns[picked], excess[picked], ruined=ruined)
        for key, reason in risk.reasons.items():
            reasons[f"{name}: {key}"] = reason
        rows.append(
            {
                "P&L": profit[mine].sum(),
                "P&L [%]": 100 * profit[mine].sum() / ledger.capital,
                "Annualized Return [%]": risk.figures["Annualized Return [%]"],
                "Annualized Volatility [%]": risk.figures["Annualized Volatility [%]"],
                "Sharpe Ratio": risk.figures["Sharpe Ratio"],
                "Share of Time [%]": 100 * elapsed[mine].sum() / elapsed.sum() if elapsed.sum() else np.nan,
                "Sessions": int(picked.sum()),
                "Episodes": int((begins & (state == code)).sum()),
                "Costs": costs[mine].sum(),
            }
        )
    table = pd.DataFrame(rows, index=pd.Index(list(names), name="regime"))
    table.attrs["reasons"] = reasons
    return table


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
        many of them other windows hold too.

    Raises:
        ParameterError: where `sessions` is not positive.
        DataError: where `events` lack a column or a time.
    """
    if not isinstance(sessions, int | float | np.number) or not np.isfinite(sessions) or sessions <= 0:
        raise ParameterError(f"sessions is {sessions!r}: give a positive number of sessions after each event")
    ordered = check_events(events)
    time = pd.DatetimeIndex(ledger.equity.index).as_unit("ns").asi8
    count = np.asarray(ledger.market.session_count, dtype=float)
    known = pd.DatetimeIndex(ordered["known_at"]).as_unit("ns").asi8
    start = clock_at(known, time, count)
    inside = (time[None, :] > known[:, None]) & (count[None, :] <= start[:, None] + sessions + 1e-9)
    holders = inside.sum(axis=0)
    share = inside / np.maximum(holders, 1)
    free = holders == 0
    profit, costs = step_profit(ledger), step_costs(ledger)
    kept = inside.any(axis=1)
    table = (
        ordered[["known_at", "channel", "direction", "severity", "title"]].iloc[np.flatnonzero(kept)].copy()
    )
    steps = inside[kept].sum(axis=1)
    table["P&L"] = share[kept] @ profit
    table["P&L [%]"] = 100 * table["P&L"] / ledger.capital
    table["Costs"] = share[kept] @ costs
    table["Steps"] = steps
    table["Shared [%]"] = 100 * (inside[kept] & (holders > 1)).sum(axis=1) / steps
    rest = {
        "known_at": pd.NaT,
        "channel": "",
        "direction": np.nan,
        "severity": np.nan,
        "title": "",
        "P&L": profit[free].sum(),
        "P&L [%]": 100 * profit[free].sum() / ledger.capital,
        "Costs": costs[free].sum(),
        "Steps": int(free.sum()),
        "Shared [%]": 0.0,
    }
    last = pd.DataFrame([rest], index=[NO_EVENT])
    last["known_at"] = pd.Series([pd.NaT], index=last.index, dtype="datetime64[ns, UTC]")
    if table.empty:
        return last.rename_axis("event")
    table[["direction", "severity"]] = table[["direction", "severity"]].astype(float)
    return pd.concat([table, last]).rename_axis("event")


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
