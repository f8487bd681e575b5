"""What a reader asks first, in words: what was earned, what paid for it, its cost, whether to believe it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from entrepot.reports.attribution import NO_EVENT, SINGLE_LINES
from entrepot.reports.intervals import sharpe_interval
from entrepot.reports.metrics import excess_returns
from entrepot.reports.ownership import CASH_ROW
from entrepot.reports.pages.caveats import BOTH, episodes
from entrepot.reports.pages.findings import Findings
from entrepot.reports.pictures.style import money, number, source_name
from entrepot.reports.sources import is_cost

BEST_SESSIONS, BEST_MONTHS = 5, 3


def glance(found: Findings, trials: int | None = None) -> list[tuple[str, str]]:
    """Answer what is asked first: what was earned, what paid for it, what it cost, whether to believe it.

    Args:
        found: what the report shows.
        trials: how many configurations were tried, this one included; None where that is not known.

    Returns:
        Each question with its answer in a few sentences, whose numbers are computed.
    """
    return [
        ("What was earned", earned(found)),
        ("What paid for it", payers(found)),
        ("What it cost", price_paid(found)),
        ("Whether to believe it", belief(found, trials)),
    ]


def earned(found: Findings) -> str:
    """Say what was earned, in all and by year, beside cash, and for what risk; or why that is not defined."""
    value, ledger = found.summary, found.ledger
    total, growth, sharpe = (value[n] for n in ("Total Return [%]", "Annualized Return [%]", "Sharpe Ratio"))
    if np.isnan(total):
        return "Not known: the last equity is missing."
    years = value["Period"] / pd.Timedelta(days=365.25)
    length = f"{years:.1f} years" if years >= 1 else f"{value['Sessions']:,} sessions"
    profit = money(abs(value["End Value"] - ledger.capital), found.currency)
    text = (
        f"{'Lost' if total < 0 else 'Gained'} {number(abs(total), 1, '%')} of capital, {profit}, in {length}"
    )
    text += ", after all costs"
    if np.isfinite(growth):
        text += f": {number(growth, 1, '%')} a year at a volatility of "
        text += number(value["Annualized Volatility [%]"], 1, "%")
    rate = ledger.risk_free.reindex(ledger.returns.index).fillna(0.0)
    if rate.any():
        made = 100 * (np.prod(1 + rate.to_numpy(dtype=float)) - 1)
        text += f". Cash at the policy rate made {number(made, 1, '%')}"
    if "Benchmark Return [%]" in value:
        text += f". The benchmark made {number(value['Benchmark Return [%]'], 1, '%')}"
    if np.isnan(sharpe):
        return f"{text}. The Sharpe ratio is undefined: {value.attrs['reasons']['Sharpe Ratio']}."
    text += f". The Sharpe ratio is {number(sharpe)} by day"
    monthly = value["Monthly Sharpe"]
    return f"{text} and {number(monthly)} by month." if np.isfinite(monthly) else f"{text}."


def payers(found: Findings) -> str:
    """Name the sources, legs, regimes and windows that the profit or loss came from."""
    held = found.source[[not is_cost(str(name)) for name in found.source.index]]
    gains, losses = held[held > 0].nlargest(2), held[held < 0].nsmallest(1)
    if gains.empty and losses.empty:
        return "Nothing was earned or lost before costs."
    named = [f"{in_words(str(name))} {signed(v)}" for name, v in (*gains.items(), *losses.items())]
    parts = [f"By source, {found.currency}: {', '.join(named)}"]
    legs = found.leg["total"].sort_values(ascending=False, kind="stable")
    if len(legs) > 1:
        parts.append("By leg, after costs: " + ", ".join(f"{name} {signed(v)}" for name, v in legs.items()))
    if found.pair is not None and SINGLE_LINES in found.pair.index:
        made = found.pair["total"]
        single, paired = float(made[SINGLE_LINES]), float(made.drop([SINGLE_LINES, CASH_ROW]).sum())
        if paired and single:
            parts.append(f"Pairs {signed(paired)}, lines held singly {signed(single)}")
    if found.regime is not None and len(seen := found.regime[found.regime["Share of Time [%]"] > 0]) > 1:
        ordered = seen.sort_values("P&L", ascending=False, kind="stable")
        best, worst = (
            f"{ordered.index[i]} {signed(ordered['P&L'].iloc[i])} in "
            f"{number(ordered['Share of Time [%]'].iloc[i], 0, '%')} of the time"
            for i in (0, -1)
        )
        parts.append(f"Best regime: {best}; worst: {worst}")
    if found.event is not None and len(found.event) > 1:
        by_event = found.event["P&L"]
        near, far = signed(by_event.drop(NO_EVENT).sum()), signed(by_event[NO_EVENT])
        parts.append(f"Within {found.sessions:g} sessions of an event {near}, otherwise {far}")
    return ". ".join(parts) + "."


def price_paid(found: Findings) -> str:
    """Say what all costs came to, against capital and profit, and which was the largest."""
    ledger, paid = found.ledger, found.ledger.costs()
    if not paid.any():
        return "Nothing: no cost was booked."
    total = float(paid.sum())
    text = f"{money(total, found.currency)}, {number(100 * total / ledger.capital, 1, '%')} of capital"
    gross = found.summary["End Value"] - ledger.capital + total
    if gross > 0:
        text += f" and {number(100 * total / gross, 0, '%')} of the {money(gross)} earned before costs"
    elif gross < 0:
        text += f", on top of {money(-gross)} lost before costs"
    kind = str(paid.idxmax())
    share = number(100 * float(paid[kind]) / total, 0, "%")
    return f"{text}. The largest is {in_words(kind)}: {money(paid[kind])}, {share} of all costs."


def in_words(source: str) -> str:
    """Name a source inside a sentence."""
    name = source_name(source)
    return name if name[:2].isupper() else name[0].lower() + name[1:]


def signed(value: float) -> str:
    """Write an amount with its sign."""
    text = money(value)
    return f"+{text}" if value > 0 and text != "0" else text


def belief(found: Findings, trials: int | None) -> str:
    """Say how sure the Sharpe ratio is, on how few sessions and episodes it rests, and what was tried.

    Args:
        found: what the report shows.
        trials: how many configurations were tried, this one included; None where that is not known.
    """
    low = high = np.nan
    if np.isfinite(found.summary["Sharpe Ratio"]):
        low, high = sharpe_interval(excess_returns(found.ledger).to_numpy(dtype=np.float64))
    if np.isfinite(low):
        bounds, side = f"{number(low)} to {number(high)}", "above" if low > 0 else "below"
        verdict = "so luck alone could explain it" if low <= 0 <= high else f"all {side} zero"
        parts = [f"The Sharpe ratio's 95% interval, by bootstrap, is {bounds}, {verdict}"]
    else:
        parts = ["The Sharpe ratio has no interval"]
    if found.simulated:
        parts.insert(0, "The prices are simulated, so nothing here speaks of a market")
    parts += concentration(found)
    if counts := independent_episodes(found):
        parts.append(
            f"Independent episodes: {', '.join(f'{count} of {name}' for name, count in counts.items())}"
        )
    if trials is None:
        parts.append("How many configurations were tried is not stated")
    elif trials > 1:
        parts.append(f"Chosen from {trials:,} configurations, which the interval leaves out of account")
    else:
        parts.append("No other configuration is known to have been tried")
    return ". ".join(parts) + "."


def concentration(found: Findings) -> list[str]:
    """Say how much of the profit the best sessions and months made, or of the loss the worst."""
    ledger = found.ledger
    total = float(found.summary["End Value"]) - ledger.capital
    made = pd.Series(np.diff(ledger.daily.to_numpy(dtype=float), prepend=ledger.capital))
    if not total or not np.isfinite(total) or made.isna().any() or len(made) <= BEST_SESSIONS:
        return []
    dates = pd.DatetimeIndex(ledger.daily.index)
    months = made.groupby(dates.year * 12 + dates.month).sum()
    toward = made / total, months / total  # above zero where it made the profit, or the loss, larger
    shares = [
        f"{number(100 * part.nlargest(count).sum(), 0, '%')}"
        for part, count in zip(toward, (BEST_SESSIONS, BEST_MONTHS), strict=True)
    ]
    which, what = ("best", "profit") if total > 0 else ("worst", "loss")
    text = f"The {BEST_SESSIONS} {which} of {len(made):,} sessions made {shares[0]} of the {what}"
    return [
        f"{text}, the {BEST_MONTHS} {which} of {len(months):,} months {shares[1]}"
        if len(months) > BEST_MONTHS
        else text
    ]


def independent_episodes(found: Findings) -> dict[str, int]:
    """Count the independent episodes of each risk that a regime stands for, the regime of both in each."""
    if found.states is None:
        return {}
    clock = np.asarray(found.ledger.market.session_count, dtype=float)
    risks = [name for name in found.names[1:] if name != BOTH]
    on = {name: [i for i, other in enumerate(found.names) if other in (name, BOTH)] for name in risks}
    return {name: episodes(np.isin(found.states, codes), clock)[1] for name, codes in on.items()}
