"""What a run held by leg, sector and currency, how concentrated it was, and how much it traded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.markets.sectors import SectorMap
from entrepot.reports.ownership import (
    Period,
    blocks,
    leg_name,
    mean_equity,
    periods_of_steps,
    sectors_by_step,
    step_traded,
)

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

Floats = NDArray[np.float64]
ALL = "all"


def base_rates(ledger: Ledger, currencies: list[str]) -> Floats:
    """Base units per unit of each currency, shape (T, C)."""
    rates = ledger.market.fx[[*currencies, ledger.base_currency]].to_numpy(dtype=float)
    return np.asarray(rates[:, :-1] / rates[:, -1:], dtype=float)


def at_sessions(ledger: Ledger, worth: pd.DataFrame) -> pd.DataFrame:
    """Return what stands in the books at session ends as parts of equity; NaN where that is not positive."""
    daily = ledger.daily
    sampled = worth[np.asarray(ledger.market.decision_steps, dtype=bool)].set_axis(daily.index)
    return sampled.div(daily.where(daily > 0), axis=0)


def exposures(ledger: Ledger) -> pd.DataFrame:
    """Long, short, net and gross positions at the end of each session, in all and by leg.

    Args:
        ledger: a finished run.

    Returns:
        Rows by New York session (the only venue's, where there is one); columns (leg, measure): "all", then
        the legs traded, as in `by_leg`; "long", "short" (negative), "net" and "gross". Parts of equity: 1 is
        all of it. A symbol held by several orders counts once, with what they hold together. NaN where equity
        is not positive.
    """
    weight = at_sessions(ledger, ledger.position_values)
    venue = ledger.market.instruments["venue"]
    legs = [leg_name(str(symbol), venue) for symbol in weight.columns]
    parts = {ALL: weight} | {leg: weight.loc[:, [of == leg for of in legs]] for leg in sorted(set(legs))}
    sides = {leg: sided(part) for leg, part in parts.items()}
    return pd.concat(sides, axis=1, names=["leg", "measure"])


def sided(weight: pd.DataFrame) -> pd.DataFrame:
    """Add up columns as long, short, net and gross; NaN where one is."""
    sides = {
        "long": weight.clip(lower=0),
        "short": weight.clip(upper=0),
        "net": weight,
        "gross": weight.abs(),
    }
    return pd.DataFrame({name: part.sum(axis=1, skipna=False) for name, part in sides.items()})


def sector_exposures(
    ledger: Ledger, sectors: SectorMap | Mapping[str, str] | pd.Series[str] | None = None
) -> pd.DataFrame:
    """Net positions of each sector at the end of each session.

    Args:
        ledger: a finished run.
        sectors: as for `by_sector`; those of each session's date.

    Returns:
        Rows by session; columns by sector, in the order of the market's lines, those never held left out.
        Parts of equity, NaN where it is not positive. Together they are the net exposure.

    Raises:
        ParameterError: where `sectors` is none of these, or names no line of the market.
        DataError: where a sector is no word.
    """
    codes, names = sectors_by_step(ledger.market, sectors)
    worth = ledger.position_values
    owner = codes[:, pd.Index(ledger.market.price.columns).get_indexer(worth.columns)]
    parts = {name: np.where(owner == code, worth.to_numpy(), 0.0) for code, name in enumerate(names)}
    held = {name: part.sum(axis=1) for name, part in parts.items() if part.any()}
    return at_sessions(ledger, pd.DataFrame(held, worth.index)).rename_axis(columns="sector")


def currency_exposures(ledger: Ledger) -> pd.DataFrame:
    """Net assets in each currency at the end of each session: positions, cash and receivables.

    What is in the base currency is no exposure; the rest is what a move of exchange rates is felt on. A Hong
    Kong line paid for in USD is one; of a line held on borrowed HKD only what it has earned is. Assets are in
    the currency they are quoted in: an ADR is in USD, whatever its company's shares trade in.

    Args:
        ledger: a finished run.

    Returns:
        Rows by session; columns by currency, the base currency first. Parts of equity, NaN where it is not
        positive; those of a session add up to 1.
    """
    currencies = list(ledger.cash.columns)
    money = (ledger.cash + ledger.receivables) * base_rates(ledger, currencies)
    worth = ledger.position_values
    currency = ledger.market.instruments["currency"].reindex(worth.columns)
    for name in currencies:
        money[name] += worth.loc[:, (currency == name).to_numpy()].sum(axis=1)
    return at_sessions(ledger, money).rename_axis(columns="currency")


def turnover_by(ledger: Ledger, freq: Period = "month") -> pd.DataFrame:
    """Value traded in each month, quarter or year, in all and by leg.

    Args:
        ledger: a finished run.
        freq: "year", "quarter" or "month"; which steps belong to a period is said at `by_period`.

    Returns:
        Rows by period that holds a step; "Traded" (value of all fills, both sides, base currency), the same
        by leg traded, "Mean Equity" at the session ends, and "Turnover", traded over mean equity, not
        annualised. The last two are NaN where there is no session end or mean equity is not positive.

    Raises:
        ParameterError: on another `freq`.
    """
    code, names = pd.factorize(periods_of_steps(ledger, freq))
    traded, venue = step_traded(ledger), ledger.market.instruments["venue"]
    legs = np.array([leg_name(str(symbol), venue) for symbol in traded.columns], dtype=object)
    by_symbol = blocks(code, len(names)) @ traded.to_numpy()
    table = pd.DataFrame({"Traded": by_symbol.sum(axis=1)}, index=names.rename("period"))
    for leg in sorted(set(legs)):
        table[leg] = by_symbol[:, legs == leg].sum(axis=1)
    table["Mean Equity"] = mean_equity(ledger, code, len(names))
    table["Turnover"] = table["Traded"] / table["Mean Equity"]
    return table


def holdings(ledger: Ledger) -> pd.Series[Any]:
    """Measure how much was held, of how many symbols, and how concentrated it was, at session ends.

    Args:
        ledger: a finished run.

    Returns:
        "Sessions"; "Time Invested [%]", of the sessions, those at whose end something is held; "Mean
        Positions" and "Mean Gross [%]" over these, and "Most Positions" and "Most Gross [%]"; "Mean Largest
        Weight [%]", of the position that is largest in size, over these too; "Largest Weight [%]" of all,
        with "Largest Weight Of" (symbol) and "Largest Weight On" (session). Per cent of equity. A symbol
        whose orders cancel out is not held. NaN, "" and NaT where nothing ever is.
    """
    held = ledger.positions[np.asarray(ledger.market.decision_steps, dtype=bool)] != 0.0
    number = held.sum(axis=1).to_numpy()
    invested = number > 0
    size = 100 * at_sessions(ledger, ledger.position_values).abs()[invested]
    gross, largest = size.sum(axis=1), size.max(axis=1)
    of, on = ("", pd.NaT) if size.empty else (size.max().idxmax(), largest.idxmax())
    figures: dict[str, Any] = {
        "Sessions": len(number),
        "Time Invested [%]": 100 * float(invested.mean()) if len(number) else np.nan,
        "Mean Positions": float(number[invested].mean()) if invested.any() else np.nan,
        "Most Positions": int(number.max(initial=0)),
        "Mean Gross [%]": float(gross.mean()),
        "Most Gross [%]": float(gross.max()),
        "Mean Largest Weight [%]": float(largest.mean()),
        "Largest Weight [%]": float(largest.max()),
        "Largest Weight Of": of,
        "Largest Weight On": on,
    }
    return pd.Series(figures, dtype=object, name="holdings")
