"""Sections of a run's report: where and when profit came from, what was held, how sure it is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from entrepot.reports.attribution import by_period, by_sector
from entrepot.reports.exposures import ALL, currency_exposures, exposures, holdings, turnover_by
from entrepot.reports.intervals import intervals
from entrepot.reports.metrics import MONTHS_PER_YEAR, SESSIONS_PER_YEAR, by_month, excess_returns
from entrepot.reports.pages.document import Section
from entrepot.reports.pages.findings import Findings, has_lines
from entrepot.reports.pages.sections import blank, grouped, totalled
from entrepot.reports.pages.tables import Table, frame_table, series_table
from entrepot.reports.significance import sharpe_odds

SECTORS = {"it": "IT", "broad": "broad market"}
LEGS_OF_PAIR = ["Hong Kong leg", "ADR leg"]


def attribution(found: Findings) -> Section:
    """Tabulate profit by pair, sector and year, each of which adds up to the whole."""
    unit = f"{found.currency}; costs are negative."
    tables = [] if found.pair is None else [pairs(found.pair, unit)]
    if "sector" in found.ledger.market.instruments:
        sectors = grouped(by_sector(found.ledger)).rename(index=sector_name)
        note = f"{unit} Both legs of a pair are in the sector of their company, funds in what they are about."
        tables.append(totalled(sectors, "By sector", note, "sector"))
    if len(found.ledger.equity):
        tables.append(years(found, unit))
    return Section("attribution", "Where and when", tuple(tables))


def pairs(table: pd.DataFrame, unit: str) -> Table:
    """Tabulate profit by pair; lines held singly and cash have no legs."""
    shown = grouped(table).join(table[LEGS_OF_PAIR])
    shown.loc["total"] = shown.sum(min_count=1)
    shown = shown.round(0)
    for leg in LEGS_OF_PAIR:
        shown[leg] = pd.Series([blank(value) for value in shown[leg]], index=shown.index, dtype=object)
    note = f"{unit} Each leg is shown after its costs."
    return frame_table(shown, "By pair", note, corner="pair", foot=1)


def sector_name(word: object) -> str:
    """Name a sector for readers."""
    return SECTORS.get(str(word), str(word).replace("_", " "))


def years(found: Findings, unit: str) -> Table:
    """Tabulate profit and return by year, and over all of them."""
    table = by_period(found.ledger)
    shown = grouped(table)
    shown.loc["total"] = shown.sum(min_count=1)
    shown = shown.round(0)
    shown["Return [%]"] = [*table["Return [%]"], found.summary["Total Return [%]"]]
    shown["equity at end"] = [*table["End Equity"].round(0), np.round(found.summary["End Value"])]
    return frame_table(shown, "By year", unit, corner="year", foot=1)


def held(found: Findings) -> Section:
    """Tabulate exposures, concentration, currencies and what was traded by year."""
    if not has_lines(found.ledger):
        return Section("holdings", "What was held")
    ledger = found.ledger
    traded = turnover_by(ledger, "year")
    traded = traded.round(dict.fromkeys(traded.columns.drop("Turnover"), 0))
    tables = (
        spread_of(
            100 * sides(exposures(ledger)),
            "Exposure, % of equity",
            "At the end of each session, those with nothing held included.",
        ),
        spread_of(
            100 * currency_exposures(ledger),
            "Assets by currency, % of equity",
            f"Positions, cash and receivables at the end of each session; {found.currency} is no exposure.",
        ),
        frame_table(
            traded,
            "Traded by year",
            f"{found.currency}, both sides. Turnover is over mean equity, not annualised.",
            corner="year",
        ),
    )
    note = "Means are over the sessions at whose end something was held; weights and gross are of equity."
    return Section(
        "holdings",
        "What was held",
        tables,
        beside=(series_table(holdings(ledger), "Holdings", note, figures=True),),
    )


def sides(table: pd.DataFrame) -> pd.DataFrame:
    """Choose from `exposures` all measures of the whole, and of the legs what they were long and short."""
    leg = table.columns.get_level_values("leg") == ALL
    side = table.columns.get_level_values("measure").isin(["long", "short"])
    return table.loc[:, leg | (side & (table != 0).any().to_numpy())]


def spread_of(table: pd.DataFrame, title: str, note: str) -> Table:
    """Tabulate mean, extremes and last value of each column."""
    told = table.agg(["mean", "min", "max"]).T
    told["last"] = table.iloc[-1] if len(table) else np.nan
    return frame_table(told, title, note, digits=1)


def doubt(found: Findings, trials: int | None) -> Section:
    """Tabulate intervals of the main figures and the odds of the Sharpe ratio."""
    table = intervals(found.ledger)
    told = table.attrs
    if told["reason"]:
        note = f"There are no intervals: {told['reason']}."
        return Section("doubt", "How sure it is", (frame_table(table, "Intervals", note),))
    note = (
        f"{100 * told['confidence']:g} % by the stationary bootstrap: {told['draws']:,} draws of whole "
        f"sessions, in blocks of {told['block']:.1f} on average. They say how else the same process could "
        "have come out, not whether it goes on."
    )
    return Section(
        "doubt", "How sure it is", (frame_table(table, "Intervals", note, digits=2), odds(found, trials))
    )


def odds(found: Findings, trials: int | None) -> Table:
    """Tabulate how sure the Sharpe ratio is by the record's length and shape, by session and by month."""
    returns, excess = found.ledger.returns, excess_returns(found.ledger)
    months = by_month(returns) - by_month(returns - excess)
    table = pd.DataFrame(
        {
            "by session": sharpe_odds(excess, periods_per_year=SESSIONS_PER_YEAR),
            "by month": sharpe_odds(months, periods_per_year=MONTHS_PER_YEAR),
        }
    ).astype(object)
    table.loc["Observations"] = [len(excess), len(months)]
    table = table.rename({"Skew": "Skew of excess returns", "Kurtosis": "Kurtosis of excess returns"})
    chosen = (
        "They take this run for the only one tried"
        if trials is None or trials == 1
        else f"{trials:,} configurations were tried, for which these odds do not correct; a sweep's "
        "significance does"
    )
    note = (
        "Probabilistic Sharpe: how likely the true ratio is above zero, given the record's length, skew and "
        "kurtosis (3 if normal). Minimum track record: how long it would have to be, at this ratio, for that "
        f"to be 95 %; n/a where the ratio is not above zero. {chosen}."
    )
    return frame_table(table, "Odds of the Sharpe ratio", note)
