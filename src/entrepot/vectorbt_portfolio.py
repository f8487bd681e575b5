"""A run as a portfolio of vectorbt's, and what the one has that the other cannot book."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from entrepot.engine.lines import SOURCES
from entrepot.engine.marks import departure, line_marks
from entrepot.tidy import base_rates, blotter, held, last_shares

if TYPE_CHECKING:
    import vectorbt

    from entrepot.engine.result import Ledger

# A portfolio of vectorbt's is its orders: these sources move cash without one.
NOT_BOOKED = (
    "dividend", "borrow", "rebate", "interest", "ads_fee", "conversion_fee", "fx_spread"
)  # fmt: skip
CASH_FX = "fx on cash"
NEGLIGIBLE = 1e-9  # of capital: rounding


def portfolio_of(ledger: Ledger) -> vectorbt.Portfolio:
    """Return a run as a portfolio of vectorbt's; see `Result.to_vectorbt`."""
    import vectorbt
    from vectorbt.base.array_wrapper import ArrayWrapper
    from vectorbt.portfolio.enums import OrderSide, log_dt, order_dt

    close = closes(ledger)
    trades = blotter(ledger)
    place = close.columns.get_indexer(pd.Index(trades["symbol"]))
    adjust = pd.DataFrame(last_shares(ledger), columns=list(ledger.lines.symbols))
    adjust = adjust.loc[:, ~adjust.columns.duplicated()].reindex(columns=close.columns)
    units = trades["quantity"].to_numpy() * adjust.to_numpy()[trades["step"], place]
    orders = np.empty(len(trades), dtype=order_dt)
    orders["id"] = np.arange(len(trades))
    orders["idx"], orders["col"] = trades["step"], place
    orders["size"] = np.abs(units)
    orders["price"] = trades["value"] / units
    orders["fees"] = trades["fees"]
    orders["side"] = np.where(units > 0.0, OrderSide.Buy, OrderSide.Sell)
    group = pd.Index([ledger.label] * close.shape[1], name="run")
    return vectorbt.Portfolio(
        ArrayWrapper.from_obj(close, freq=spacing(close.index), group_by=group),
        close,
        orders,
        np.empty(0, dtype=log_dt),
        np.array([float(ledger.capital)]),
        cash_sharing=True,
    )


def closes(ledger: Ledger) -> pd.DataFrame:
    """Return what a share of the last step was marked at after each step, base currency, (T, symbols).

    Prices are carried while a venue is closed, and NaN before the first one. A symbol that has none is left
    out: with it vectorbt's benchmark would be NaN.
    """
    positions, lines = held(ledger), ledger.lines
    marks = line_marks(ledger.market, lines, positions) * base_rates(ledger) / last_shares(ledger)
    # Of a symbol that left, one line may be kept at parity while another was closed: that one has no price.
    kept = [
        np.count_nonzero(positions[departure(ledger.market, s) :, k]) for k, s in enumerate(lines.symbols)
    ]
    order = np.argsort(np.negative(kept), kind="stable")
    frame = pd.DataFrame(
        marks[:, order], ledger.equity.index, pd.Index([lines.symbols[k] for k in order], name="symbol")
    )
    frame = frame.loc[:, ~frame.columns.duplicated()][list(ledger.positions.columns)]
    frame = frame.dropna(axis="columns", how="all")
    # A portfolio needs a column, though nothing was to be traded.
    return frame.assign(cash=np.nan) if frame.empty else frame


def spacing(index: pd.Index) -> pd.Timedelta | None:
    """Return the mean time between steps, by which vectorbt counts time; None for a single step."""
    return (index[-1] - index[0]) / (len(index) - 1) if len(index) > 1 else None


def gap_by_step(ledger: Ledger) -> pd.DataFrame:
    """Return what equity has and the portfolio lacks; see `Result.vectorbt_gap_by_step`."""
    sources = ledger.record.sources
    own = {name: sources[SOURCES.index(name)].sum(axis=1) for name in NOT_BOOKED}
    own[CASH_FX] = sources[SOURCES.index("fx"), :, len(ledger.lines.symbols) :].sum(axis=1)
    return pd.DataFrame(own, index=ledger.equity.index).cumsum()


def gap_in_words(ledger: Ledger) -> str:
    """Say what the portfolio lacks, the largest sources first; nothing where it lacks nothing."""
    gap = gap_by_step(ledger)
    if gap.abs().to_numpy().max(initial=0.0) <= NEGLIGIBLE * ledger.capital:
        return ""
    amounts = gap.iloc[-1].sort_values(key=abs, ascending=False)
    amounts = amounts[amounts.abs() > NEGLIGIBLE * ledger.capital]
    named = [f"{name} {amount:+,.0f}" for name, amount in amounts.iloc[:3].items()]
    named += ["..."] * (len(amounts) > 3)
    end = float(ledger.equity_by_step[-1])
    return (
        f"vectorbt books orders only: this portfolio ends at {end - gap.iloc[-1].sum():,.0f} and the run at "
        f"{end:,.0f} {ledger.base_currency} ({', '.join(named)}); result.vectorbt_gap() lists the difference"
    )
