"""Sections of a run's report: where and when profit came from, what was held, how sure it is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from entrepot.reports.attribution import by_pair, by_period, by_sector, event_sources, regime_sources
from entrepot.reports.exposures import currency_exposures, exposures, holdings, turnover_by
from entrepot.reports.intervals import intervals
from entrepot.reports.metrics import MONTHS_PER_YEAR, SESSIONS_PER_YEAR, by_month, excess_returns
from entrepot.reports.pages.document import Section
from entrepot.reports.pages.findings import Findings
from entrepot.reports.pages.sections import grouped, readable
from entrepot.reports.pages.tables import Table, frame_table, series_table, transposed
from entrepot.reports.significance import sharpe_odds

CHANNELS = ["channel", "direction"]
DIRECTIONS = {1.0: "escalation", -1.0: "relief"}


def attribution(found: Findings) -> Section:
    """Tabulate profit by pair, sector, year, and by source within regimes and kinds of events."""
    ledger = found.ledger
    unit = f"{found.currency}; costs are negative."
    tables = []
    if has_lines(found):
        pairs = by_pair(ledger)
        legs = pairs[["Hong Kong leg", "ADR leg"]].round(0)
        shown = grouped(pairs.drop(columns=legs.columns)).join(legs)
        tables.append(
            totalled(shown, "By pair", f"{unit} The legs of a pair with all that they cost.", "pair")
        )
    note = f"{unit} Both legs of a pair are in the sector of their company, funds under what they hold."
    tables.append(totalled(grouped(by_sector(ledger)), "By sector", note, "sector"))
    years = by_period(ledger)
    amounts = ["total", "Costs", "Start Equity", "End Equity"]
    years = years[["total", "Return [%]", "Costs", "Turnover", *amounts[2:]]]
    years[amounts] = years[amounts].round(0)
    tables.append(frame_table(years, "By year", found.currency, corner="year"))
    if found.states is not None:
        own = readable(regime_sources(ledger, found.states, found.names))
        tables.append(transposed(totalled(own, "By regime and source", unit, "regime", folded=True)))
    if found.calendar is not None:
        own = event_sources(ledger, found.calendar, found.sessions, CHANNELS)
        own.index = pd.Index([kind_of_event(key) for key in own.index], name="events")
        note = f"{unit} Within {found.sessions:g} sessions; windows that overlap share equally."
        tables.append(totalled(grouped(own), "By kind of event", note, "events"))
    return Section("attribution", "Where and when", tuple(tables))


def totalled(frame: pd.DataFrame, title: str, note: str, corner: str, *, folded: bool = False) -> Table:
    """Tabulate a frame with its sum below, for it adds up to the whole."""
    shown = frame.copy()
    shown.loc["total"] = shown.sum(min_count=1)
    return frame_table(shown, title, note, corner=corner, folded=folded, foot=1)


def kind_of_event(key: object) -> str:
    """Name a channel and a direction of events."""
    channel, direction = key if isinstance(key, tuple) else (key, np.nan)
    words = [str(channel).replace("_", " "), DIRECTIONS.get(direction, "")]
    return " ".join(word for word in words if word)


def held(found: Findings) -> Section:
    """Tabulate exposures, concentration, currencies and what was traded by year."""
    if not has_lines(found):
        return Section("holdings", "What was held")
    ledger = found.ledger
    weights, money = exposures(ledger), currency_exposures(ledger)
    tables = (
        spread_of(100 * weights, "Exposure, % of equity", "At the end of each session."),
        spread_of(
            100 * money,
            "Assets by currency, % of equity",
            f"Positions, cash and receivables at the end of each session; {found.currency} is no exposure.",
        ),
        frame_table(turnover_by(ledger, "year").round(2), "Traded by year", found.currency, corner="year"),
    )
    return Section("holdings", "What was held", tables, beside=(series_table(holdings(ledger), "Holdings"),))


def spread_of(table: pd.DataFrame, title: str, note: str) -> Table:
    """Tabulate mean, extremes and last value of each column."""
    told = table.agg(["mean", "min", "max"]).T
    told["last"] = table.iloc[-1] if len(table) else np.nan
    return frame_table(told, title, note, digits=1)


def doubt(found: Findings, trials: int | None) -> Section:
    """Tabulate intervals of the main figures and the odds of the Sharpe ratio."""
    table = intervals(found.ledger)
    drawn = table.attrs
    if drawn["reason"]:
        note = f"There are no intervals: {drawn['reason']}."
        return Section("doubt", "How sure it is", (frame_table(table, "Intervals", note),))
    note = (
        f"{100 * drawn['confidence']:g} % by the stationary bootstrap: {drawn['draws']:,} draws of whole "
        f"sessions, in blocks of {drawn['block']:.1f} on average. They say how else the same process could "
        "have come out, not whether it goes on."
    )
    returns, excess = found.ledger.returns, excess_returns(found.ledger)
    months = by_month(returns) - by_month(returns - excess)
    odds = pd.DataFrame(
        {
            "by session": sharpe_odds(excess, periods_per_year=SESSIONS_PER_YEAR),
            "by month": sharpe_odds(months, periods_per_year=MONTHS_PER_YEAR),
        }
    )
    chosen = (
        "this run is taken for the only one tried"
        if trials is None
        else f"{trials:,} {'configuration was' if trials == 1 else 'configurations were'} tried, for which "
        "these odds do not correct; a sweep's significance does"
    )
    told = (
        "Probabilistic Sharpe: how likely the true ratio is above zero, given the record's length, skew and "
        "tails. Minimum track record: how long it would have to be for 95 %, at this ratio. Beware that "
        f"{chosen}."
    )
    return Section(
        "doubt",
        "How sure it is",
        (frame_table(table, "Intervals", note), frame_table(odds, "Odds of the Sharpe ratio", told)),
    )


def has_lines(found: Findings) -> bool:
    """Whether the ledger kept its lines apart; one made by other means may not have."""
    return getattr(found.ledger, "lines", None) is not None
