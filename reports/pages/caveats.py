"""What a reader must know before believing a report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from entrepot.engine.result import Ledger
from entrepot.markets.fees import policy_rates_end
from entrepot.reports.metrics import ruin_note
from entrepot.reports.pages.findings import Findings

# After three half-lives of 20 sessions an eighth is left of what started the episode before.
INDEPENDENT_AFTER = 60
BOTH = "decoupling"  # the regime of both risks at once
DELISTING = ("delisting", BOTH)
# Why profit and return of one regime may differ in sign.
BY_REGIME = (
    "The profit between two steps belongs to the regime decided at the first; risk figures use session "
    "returns by the regime decided at the close before."
)


def caveats_of(found: Findings, given: Sequence[str] = ()) -> list[str]:
    """List the caveats of a run: those given, then those that always hold.

    Args:
        found: what the report shows.
        given: further ones, such as those of the regime path; what they say already is not said again.
    """
    out = list(given)
    ruin = ruin_note(found.ledger)
    if ruin:
        out.insert(
            0, f"{ruin[0].upper()}{ruin[1:]}: the run ended there, and what it owed then stands as a debt."
        )
    said = " ".join(given)
    if found.simulated:
        out.append(
            "The prices are simulated: nothing here happened, and no figure says what the plan earns in a "
            "market."
        )
    if "hindsight" not in said and (found.states is not None or found.event is not None):
        out.append(
            "Which events are in the calendar, their sign and their severity were written down with "
            "hindsight. Results by regime and by event describe; they do not predict."
        )
    states = found.states if "independent observations" not in said else None
    if states is not None and any(name in DELISTING for name in found.names):
        on = np.isin(states, [i for i, name in enumerate(found.names) if name in DELISTING])
        spells, apart = episodes(on, np.asarray(found.ledger.market.session_count, dtype=float))
        out.append(
            f"Delisting risk was on in {spells} {'episode' if spells == 1 else 'episodes'}, of which {apart} "
            f"began {INDEPENDENT_AFTER} sessions or more after the one before had ended. No more than that "
            "are independent observations, however many sessions they hold."
        )
    out.append(
        "Default parameters were set by people who knew this history. A result at the defaults is not out of "
        "sample, and one chosen from several is worse than it looks."
    )
    if len(set(found.ledger.market.grid["venue"])) > 1:
        out.append(
            "Legs are marked at their own venue's close, hours apart. That adds noise to daily returns, "
            "which the monthly and the lag-adjusted Sharpe ratio mostly leave out."
        )
    if estimates := estimates_note(found.ledger):
        out.append(estimates)
    if not found.simulated and (rates := rates_note(found.ledger)):
        out.append(rates)
    missing = int((found.ledger.gaps > 0).sum())
    if missing:
        out.append(
            f"{missing} traded {'symbol lacks' if missing == 1 else 'symbols lack'} the price of a scheduled "
            "session; a position is marked at its last price meanwhile."
        )
    return out


def estimates_note(ledger: Ledger) -> str:
    """Say what was traded and marked at prices that nobody printed; nothing where there are none."""
    market = ledger.market
    held = ledger.positions.to_numpy() != 0
    columns = [market.column(str(symbol)) for symbol in ledger.positions.columns]
    steps = (held & market.estimated[:, columns]).sum(axis=0)
    if not steps.any():
        return ""
    names = [str(s) for s, n in zip(ledger.positions.columns, steps, strict=True) if n]
    fills = int(ledger.fills["estimated"].sum())
    return (
        f"{fills} fills, and the marks of {int(steps.sum())} closes at which {', '.join(names)} were held, "
        "are at estimates: parity with Hong Kong in place of prices that are missing."
    )


def rates_note(ledger: Ledger) -> str:
    """Say from when on the policy rate is only the last one known; nothing where none is used after that."""
    end = policy_rates_end()
    after = ledger.risk_free[ledger.risk_free.index > end]
    if ledger.base_currency in (ledger.cost_model.cash_rate_pa or {}) or not after.fillna(0.0).any():
        return ""
    return (
        f"Policy rates are known up to {end.date()} and carried on for the {len(after):,} sessions after it: "
        "interest, rebates and Sharpe ratios of that time rest on the last one. Costs(cash_rate_pa=...) "
        "takes others."
    )


def episodes(on: NDArray[np.bool_], session_count: NDArray[np.float64]) -> tuple[int, int]:
    """Count unbroken runs of True, and those at least `INDEPENDENT_AFTER` sessions after the one before."""
    edge = np.diff(on.astype(np.int8), prepend=np.int8(0))
    begins, ended = session_count[edge == 1], session_count[edge == -1]
    quiet = begins[1:] - ended[: max(len(begins) - 1, 0)]
    return len(begins), min(len(begins), 1) + int(np.count_nonzero(quiet >= INDEPENDENT_AFTER))
