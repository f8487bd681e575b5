"""What a tear sheet and a report show, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from entrepot.errors import ParameterError, shown
from entrepot.reports.attribution import (
    NO_EVENT,
    by_event,
    by_instrument,
    by_leg,
    by_pair,
    by_regime,
    by_source,
)
from entrepot.reports.metrics import summary
from entrepot.reports.ownership import LEGS, check_events, check_states
from entrepot.reports.pages.tables import printable
from entrepot.reports.pictures.time_axis import without_zone

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

MAIN_EVENTS = 8


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything shown about one run."""

    ledger: Ledger
    title: str
    summary: pd.Series[Any]
    source: pd.Series[Any]
    instrument: pd.DataFrame
    leg: pd.DataFrame
    pair: pd.DataFrame | None  # None where the ledger does not keep its lines apart
    monthly: pd.DataFrame  # years x (1..12, "Year"), fractions
    exposure: pd.DataFrame  # sessions x legs, net weight of equity
    time: pd.DatetimeIndex  # of each step, UTC without zone
    sampled: pd.DatetimeIndex  # of each daily sample, the same
    states: NDArray[np.int64] | None
    names: tuple[str, ...]
    regime: pd.DataFrame | None
    calendar: pd.DataFrame | None  # the events, in order of known_at
    event: pd.DataFrame | None
    marked: pd.DataFrame | None  # the main events, in order of time
    sessions: float
    premium: pd.DataFrame | None

    @property
    def simulated(self) -> bool:
        """Whether the run's label says that its prices are simulated."""
        return "simulated" in self.ledger.label.lower()

    @property
    def label(self) -> str:
        """Where the prices come from; a folder's name may hold what no figure can be drawn with."""
        return printable(self.ledger.label)

    @property
    def currency(self) -> str:
        """The base currency."""
        return str(self.ledger.base_currency)


def gather(
    ledger: Ledger,
    *,
    states: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    events: pd.DataFrame | None = None,
    premium: pd.DataFrame | None = None,
    title: str | None = None,
    benchmark: pd.Series[Any] | None = None,
    sessions: float = 5,
) -> Findings:
    """Compute what a tear sheet and a report show.

    Args:
        ledger: a finished run.
        states: (T,) integers into `names`, the regime decided at each step; None leaves regimes out.
        names: regimes; needed with `states`.
        events: as in `by_event`; None leaves events out.
        premium: parity premium as a fraction, sessions by ADR.
        title: heading; a plain one where None.
        benchmark: as in `summary`.
        sessions: length of an event's window, New York sessions.

    Raises:
        ParameterError: where `states` and `names` do not fit, or `title` is no text.
    """
    if title is not None and not isinstance(title, str):
        raise ParameterError(f"title is {shown(title)}: give text, or None for a plain title")
    if (states is None) != (names is None):
        raise ParameterError("states and names go together: give both, or neither to leave the regimes out")
    time = without_zone(ledger.equity.index)
    chosen = np.asarray(ledger.market.decision_steps, dtype=bool)
    code, regime = None, None
    if states is not None and names is not None:
        names = [printable(str(name)) for name in names]  # figures cannot be drawn with what is not
        code, regime = check_states(ledger, states, names), by_regime(ledger, states, names)
    calendar = event = marked = None
    if events is not None:
        calendar = distinct(check_events(events))
        event = by_event(ledger, calendar, sessions)
        marked = main_events(calendar, event, time)
    return Findings(
        ledger=ledger,
        title=printable(title or plain_title(ledger)),
        summary=summary(ledger, benchmark),
        source=by_source(ledger),
        instrument=by_instrument(ledger),
        leg=by_leg(ledger),
        pair=by_pair(ledger) if has_lines(ledger) else None,
        monthly=monthly_returns(ledger.daily),
        exposure=leg_exposure(ledger),
        time=time,
        sampled=time[chosen],
        states=code,
        names=tuple(names or ()),
        regime=regime,
        calendar=calendar,
        event=event,
        marked=marked,
        sessions=sessions,
        premium=drawable(premium),
    )


def distinct(calendar: pd.DataFrame) -> pd.DataFrame:
    """Return events under names of their own; those of two calendars put together may be there twice."""
    if not calendar.index.has_duplicates:
        return calendar
    names = [f"{name} {i}" for i, name in enumerate(calendar.index, start=1)]
    return calendar.drop(columns="event_id", errors="ignore").set_axis(names)


def has_lines(ledger: Ledger) -> bool:
    """Whether the ledger kept its lines apart; one made by other means may not have."""
    return getattr(ledger, "lines", None) is not None


def drawable(premium: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the premium under names that can be drawn; None where there is nothing to draw."""
    if premium is None or premium.dropna(how="all").empty:
        return None
    return premium.rename(columns=lambda name: printable(str(name)))


def plain_title(ledger: Ledger) -> str:
    """Say what was traded: "Backtest of 11 Hong Kong/ADR pairs and 3 other lines"."""
    fills = ledger.fills
    pair = fills["pair"].fillna("").astype(str)
    pairs, lines = pair[pair != ""].nunique(), fills.loc[pair == "", "symbol"].nunique()
    parts = []
    if pairs:
        parts.append(f"{pairs} Hong Kong/ADR {'pair' if pairs == 1 else 'pairs'}")
    if lines:
        parts.append(f"{lines} {'other ' if pairs else ''}{'line' if lines == 1 else 'lines'}")
    return f"Backtest of {' and '.join(parts)}" if parts else "Backtest without a trade"


def monthly_returns(daily: pd.Series[Any]) -> pd.DataFrame:
    """Returns by calendar month and year from sampled equity.

    Args:
        daily: equity by session date.

    Returns:
        Fractions, years by 1..12 and "Year"; the first month starts at the first sample. NaN where there is
        no sample, or none above zero to start from.
    """
    columns = [*range(1, 13), "Year"]
    level = daily.astype(float)
    if len(level) == 0:
        return pd.DataFrame(columns=columns, dtype=float)
    dates = pd.DatetimeIndex(level.index)

    def growth(key: pd.Index[Any]) -> pd.Series[Any]:
        last = level.groupby(key).last()
        start = last.shift().fillna(level.iloc[0])
        return last / start.where(start > 0) - 1

    month = growth(pd.Index(dates.year * 100 + dates.month))
    table = pd.DataFrame(np.nan, index=pd.Index(sorted(set(dates.year)), name="year"), columns=columns)
    for key, value in month.items():
        table.loc[int(str(key)) // 100, int(str(key)) % 100] = value
    table["Year"] = growth(pd.Index(dates.year))
    return table


def leg_exposure(ledger: Ledger) -> pd.DataFrame:
    """Net value of each leg as a fraction of equity at the daily samples.

    Args:
        ledger: a finished run.

    Returns:
        Session dates by leg ("Hong Kong", "New York"); "long" and "short" where all lines trade on one
        venue, no column where nothing was ever held. NaN where equity is not positive.
    """
    chosen = np.asarray(ledger.market.decision_steps, dtype=bool)
    weight = ledger.exposure[chosen].set_axis(ledger.daily.index)
    if weight.shape[1] == 0:  # nothing was ever held
        return pd.DataFrame(index=ledger.daily.index)
    weight = weight.where(ledger.daily > 0)
    venues = list(dict.fromkeys(weight.columns.get_level_values(1)))
    if len(venues) < 2:
        return pd.DataFrame({side: weight[(side, name)] for name in venues for side in ("long", "short")})
    return pd.DataFrame({LEGS.get(name, name): weight[("net", name)] for name in venues})


def main_events(
    events: pd.DataFrame, table: pd.DataFrame, time: pd.DatetimeIndex, limit: int = MAIN_EVENTS
) -> pd.DataFrame:
    """Choose the events worth a mark: the most severe, none closer to another than a thirtieth of the run."""
    known = without_zone(pd.DatetimeIndex(events["known_at"]))
    if len(time) == 0:
        return events.iloc[:0]
    gap = (time[-1] - time[0]) / 30
    chosen: list[int] = []
    for i in np.argsort(-events["severity"].to_numpy(dtype=float), kind="stable"):
        if len(chosen) == limit or not time[0] <= known[i] <= time[-1]:
            continue
        if all(abs(known[i] - known[j]) >= gap for j in chosen):
            chosen.append(int(i))
    marked = events.iloc[sorted(chosen)].copy()
    marked["time"] = known[sorted(chosen)]
    profit = table["P&L"].drop(NO_EVENT)
    marked["P&L"] = [profit.get(name, np.nan) for name in marked.index]
    return marked
