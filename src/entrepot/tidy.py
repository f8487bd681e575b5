"""A run in long frames: one row for each trade, and one for each holding after each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.engine.lines import FEE_KINDS, SOURCES
from entrepot.engine.marks import departure, line_marks, line_rates, share_growth, usd_rates
from entrepot.errors import ParameterError

if TYPE_CHECKING:
    from entrepot.engine.result import Ledger

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ROUNDING = 1e-9  # the part of a position below which the ledger takes it for none
SLIPPAGE = SOURCES.index("slippage")
CHOSEN, BOUGHT_IN, CASHED = "chosen", "bought_in", ("cashed_out", "bought_in", "closed")
COSTS = (*FEE_KINDS, "fees", "slippage", "impact", "conversion_fee")
TYPES = {
    "step": "int64", "line": "int64", **dict.fromkeys(("quantity", "fill_price", "fx", *COSTS), "float64")
}  # fmt: skip


def blotter(ledger: Ledger) -> pd.DataFrame:
    """List all that changed a position, in the order in which it happened; see `Result.blotter`."""
    # What is converted or leaves does so before the step's fills; at ruin the rest is closed after them.
    parts = [part for part in (moves(ledger), fills(ledger), closings(ledger)) if len(part)]
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*TYPES, "reason", "order"])
    rows = rows.reindex(columns=[*TYPES, "reason", "order"]).fillna(dict.fromkeys(COSTS, 0.0)).astype(TYPES)
    rows = rows.sort_values("step", kind="stable", ignore_index=True)
    step, line, quantity = (rows[name].to_numpy() for name in ("step", "line", "quantity"))
    traded = rows["reason"].to_numpy() == ""
    reason = np.where(traded, direction(line, quantity * last_shares(ledger)[step, line]), rows["reason"])
    frame = pd.DataFrame(
        {
            **whereabouts(ledger, step, line),
            "order": pd.factorize(rows["order"])[0],
            "reason": reason,
            "side": np.where(quantity > 0.0, "buy", "sell"),
            "quantity": quantity,
            "fill_price": rows["fill_price"],
            "fx": rows["fx"],
            "value": quantity * rows["fill_price"] * rows["fx"],
            **{name: rows[name] * rows["fx"] for name in COSTS},
        }
    )
    return frame.astype(dict.fromkeys(["reason", "side"], "str"))


def book(ledger: Ledger) -> pd.DataFrame:
    """List what was held after the fills of each step; see `Result.book`."""
    positions = ledger.record.positions
    step, line = (place.astype(np.int64) for place in np.nonzero(positions))
    quantity, equity = positions[step, line], ledger.equity_by_step[step]
    price = line_marks(ledger.market, ledger.lines, positions)[step, line]
    fx = base_rates(ledger)[step, line]
    value = quantity * price * fx
    return pd.DataFrame(
        {
            **whereabouts(ledger, step, line),
            "quantity": quantity,
            "price": price,
            "fx": fx,
            "value": value,
            "weight": value / equity,  # above zero wherever something is held
        }
    )


class PyfolioFrames(TypedDict):
    """A run under the names by which pyfolio's tear sheets take it, times in UTC as in pyfolio's own frames.

    Args:
        returns: as `Result.returns`.
        positions: value of each symbol at the end of those sessions, and "cash", which is all else: base
            currency.
        transactions: "amount" (shares, signed), "price" (base currency) and "symbol" of the blotter's rows.
        benchmark_rets: as `Result.benchmark_returns`, or None.
    """

    returns: pd.Series[Any]
    positions: pd.DataFrame
    transactions: pd.DataFrame
    benchmark_rets: pd.Series[Any] | None


def pyfolio_frames(ledger: Ledger, benchmark: pd.Series[Any] | None = None) -> PyfolioFrames:
    """Return a run in the layout of pyfolio; see `Result.to_pyfolio`."""
    if "cash" in ledger.position_values:
        raise ParameterError(
            'a line is called "cash", as pyfolio calls what is in no line: give it another name in the prices'
        )
    returns = ledger.returns.tz_localize("UTC")
    sampled = np.flatnonzero(ledger.market.decision_steps)[1:]
    positions = ledger.position_values.iloc[sampled].set_axis(returns.index)
    positions["cash"] = ledger.equity_by_step[sampled] - positions.sum(axis=1)
    rows = blotter(ledger)
    transactions = pd.DataFrame(
        {
            "amount": rows["quantity"].to_numpy(),
            "price": (rows["fill_price"] * rows["fx"]).to_numpy(),
            "symbol": rows["symbol"].array,
        },
        index=pd.DatetimeIndex(rows["time"], name=None),
    )
    theirs = None if benchmark is None else benchmark.tz_localize("UTC")
    return {
        "returns": returns,
        "positions": positions,
        "transactions": transactions,
        "benchmark_rets": theirs,
    }


def whereabouts(ledger: Ledger, step: Integers, line: Integers) -> dict[str, object]:
    """Return the columns that say when, where and of what pair each row is, (n,) steps and lines."""
    grid, lines = ledger.market.grid, ledger.lines
    symbol = np.array(lines.symbols, dtype=object)[line]
    listed = ledger.market.instruments.reindex(symbol)
    adr = np.array([*(adr for _, adr in lines.pairs), ""], dtype=object)
    leg = np.full(len(lines.symbols), "single", dtype=object)
    leg[lines.legs[:, 0]], leg[lines.legs[:, 1]] = "hk", "adr"
    return {
        "step": step,
        "time": grid["time"].iloc[step].array,
        "session": grid["session"].iloc[step].array,
        "venue": pd.array(listed["venue"].to_numpy(), dtype="str"),
        "symbol": pd.array(symbol, dtype="str"),
        "pair": pd.array(adr[lines.pair[line]], dtype="str"),
        "leg": pd.array(leg[line], dtype="str"),
        "currency": pd.array(listed["currency"].to_numpy(), dtype="str"),
    }


# -- the rows of the blotter: lines by number, amounts in local currency, reason "" where a position tells ---


def fills(ledger: Ledger) -> pd.DataFrame:
    """Return what was traded."""
    filled, lines = ledger.fills, ledger.lines
    line = ledger.record.fills[: len(filled), 1].astype(np.int64)
    owner = np.where(lines.linked, lines.pair, -1 - np.arange(len(lines.symbols)))[line]
    rows = filled.reindex(columns=[*TYPES, "reason"])
    rows["line"] = line
    rows["reason"] = rows["reason"].where(rows["reason"].isin(["forced", "unwind"]), "")
    rows["order"] = list(zip(owner.tolist(), filled["decided_step"].tolist(), strict=True))
    return rows


def moves(ledger: Ledger) -> pd.DataFrame:
    """Return what changed hands without a trade, a row for each line that it touched.

    Shares that became others are given up for what those are worth, so that no cash moves. What became cash
    goes at its mark, a short that is bought in at what was paid.
    """
    moved = ledger.record.moved[: ledger.record.counts[2]]
    if not len(moved):
        return pd.DataFrame()
    step, line, into = (moved[:, j].astype(np.int64) for j in (0, 1, 3))
    given, made, why = moved[:, 2], moved[:, 4], ledger.conversions["reason"].to_numpy()
    marks, rates = line_marks(ledger.market, ledger.lines, held(ledger)), base_rates(ledger)
    fx, cashed = rates[step, line], np.isin(why, CASHED)
    spread = np.where(why == BOUGHT_IN, -ledger.record.sources[SLIPPAGE, step, line] / fx, 0.0)
    worth = np.where(cashed, given * marks[step, line], made * marks[step, into] * rates[step, into] / fx)
    # The depositary is paid in the currency of the ADR, whichever line is given up.
    adr = np.append(ledger.lines.legs[:, 1], 0)[ledger.lines.pair[line]]
    payer = np.where(why == CHOSEN, adr, line)
    order = pd.Series([("move", number) for number in range(len(moved))], dtype=object)
    gone = pd.DataFrame(
        {
            "step": step,
            "line": line,
            "quantity": -given,
            "fill_price": (worth - spread) / given,
            "fx": fx,
            "slippage": spread,
            "conversion_fee": moved[:, 5] * rates[step, payer] / fx,
            "reason": np.where(cashed, "delisting", "conversion"),
            "order": order,
        }
    )
    come = pd.DataFrame(
        {
            "step": step,
            "line": into,
            "quantity": made,
            "fill_price": marks[step, into],
            "fx": rates[step, into],
            "reason": "conversion",
            "order": order,
        }
    )
    return pd.concat([gone, come[~cashed]]).sort_index(kind="stable")


def closings(ledger: Ledger) -> pd.DataFrame:
    """Return the closing of all that was held, at its marks, when equity was gone."""
    at = ruin_step(ledger)
    if at is None:
        return pd.DataFrame()
    positions = held(ledger)
    line = np.flatnonzero(positions[at])
    return pd.DataFrame(
        {
            "step": at,
            "line": line,
            "quantity": -positions[at, line],
            "fill_price": line_marks(ledger.market, ledger.lines, positions)[at, line],
            "fx": base_rates(ledger)[at, line],
            "reason": "ruin",
            "order": [("ruin", at)] * len(line),
        }
    )


def direction(line: Integers, units: Floats) -> NDArray[np.object_]:
    """Say whether each of n trades of a line was an entry, an exit or a reversal.

    Args:
        line: (n,) in order of time.
        units: (n,) what was bought, in shares of one moment.
    """
    after = pd.Series(units).groupby(line).cumsum().to_numpy()
    before = after - units
    small = ROUNDING * np.maximum(1.0, np.abs(units))
    reduces = (before * units < 0.0) & (np.abs(before) > small)
    return np.where(reduces, np.where(np.abs(units) > np.abs(before) + small, "reversal", "exit"), "entry")


# -- what positions are and what they are worth --------------------------------------------------------------


def ruin_step(ledger: Ledger) -> int | None:
    """Return the step at which equity was gone and all was closed, None where it never was."""
    gone = ledger.equity_by_step <= 0.0
    return int(np.argmax(gone)) if gone.any() else None


def held(ledger: Ledger) -> Floats:
    """Return what was held after the fills of each step, before a ruin closed it, shape (T, K)."""
    positions, at = ledger.record.positions, ruin_step(ledger)
    if at is None:
        return positions
    fills = ledger.record.fills[: ledger.record.counts[0]]
    moved = ledger.record.moved[: ledger.record.counts[2]]
    fills, moved = fills[fills[:, 0] == at], moved[moved[:, 0] == at]
    growth = growths(ledger)
    last = positions[at - 1] * growth[at] / growth[at - 1] if at else np.zeros(positions.shape[1])
    into = moved[moved[:, 3] >= 0]
    np.add.at(last, fills[:, 1].astype(np.int64), fills[:, 2])
    np.add.at(last, moved[:, 1].astype(np.int64), -moved[:, 2])
    np.add.at(last, into[:, 3].astype(np.int64), into[:, 4])
    most = np.maximum(1.0, np.abs(positions).max(axis=0))
    positions = positions.copy()
    positions[at] = np.where(np.abs(last) < ROUNDING * most, 0.0, last)
    return positions


def growths(ledger: Ledger) -> Floats:
    """Return the shares that splits have made of one share held before the first, (T, K)."""
    growth = np.empty(ledger.record.positions.shape)
    for line, symbol in enumerate(ledger.lines.symbols):
        growth[:, line] = share_growth(ledger.market, symbol)
        gone = departure(ledger.market, symbol)
        # What left and is kept at parity is split no more.
        growth[gone:, line] = growth[gone - 1, line] if gone else 1.0
    return growth


def last_shares(ledger: Ledger) -> Floats:
    """Return how many shares as of the last step one share of each step is, (T, K)."""
    growth = growths(ledger)
    return np.asarray(growth[-1] / growth)


def base_rates(ledger: Ledger) -> Floats:
    """Return base units per unit of each line's currency, (T, K)."""
    market = ledger.market
    return line_rates(market, ledger.lines) / usd_rates(market, [ledger.base_currency])
