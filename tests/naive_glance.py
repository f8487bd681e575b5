"""What the opening of a report says, worked out from the books by plain loops."""

from __future__ import annotations

import math

COSTS = {"borrow", "slippage", "stamp_duty", "trading_fee"}  # the costs of the hand-kept ledger


def compounded(rates) -> float:
    """What one unit of cash becomes, less that unit."""
    value = 1.0
    for rate in rates:
        value *= 1.0 + (0.0 if math.isnan(rate) else rate)
    return value - 1.0


def booked(ledger) -> dict[tuple[str, str], float]:
    """Profit and loss by source and instrument over all steps."""
    return {key: math.fsum(ledger.contributions[key]) for key in ledger.contributions.columns}


def by_source(ledger) -> dict[str, float]:
    out: dict[str, float] = {}
    for (source, _), amount in booked(ledger).items():
        out[source] = out.get(source, 0.0) + amount
    return out


def by_leg(ledger) -> dict[str, float]:
    venue = {"XHKG": "Hong Kong", "XNYS": "New York"}
    out: dict[str, float] = {}
    for (_, line), amount in booked(ledger).items():
        leg = "cash" if line.startswith("cash:") else venue[ledger.market.instruments.loc[line, "venue"]]
        out[leg] = out.get(leg, 0.0) + amount
    return out


def by_regime(ledger, states, names) -> dict[str, tuple[float, float]]:
    """Profit and per cent of the time; what a step brings belongs to the regime decided at the one before."""
    equity, time = list(ledger.equity), list(ledger.equity.index)
    out = {name: [0.0, 0.0] for name in names}
    for t in range(len(equity)):
        name = names[states[max(t - 1, 0)]]
        out[name][0] += equity[t] - (equity[t - 1] if t else ledger.capital)
        out[name][1] += (time[t] - time[t - 1]).total_seconds() if t else 0.0
    whole = (time[-1] - time[0]).total_seconds()
    return {name: (profit, 100 * seconds / whole) for name, (profit, seconds) in out.items()}


def near_events(ledger, known, sessions) -> tuple[float, float]:
    """Profit of the steps in any window after an event, and of all others."""
    time, clock = list(ledger.equity.index), list(ledger.market.session_count)
    equity = [ledger.capital, *ledger.equity]
    ends = []  # by event: when it became known, and what the clock reads when its window closes
    for when in known:
        i = max(t for t in range(len(time)) if time[t] <= when)
        share = (when - time[i]) / (time[i + 1] - time[i]) if i + 1 < len(time) else 0.0
        now = clock[i] + share * (clock[i + 1] - clock[i]) if share else clock[i]
        ends.append((when, now + sessions))
    near = far = 0.0
    for t in range(len(time)):
        profit = equity[t + 1] - equity[t]
        if any(time[t] > when and clock[t] <= end + 1e-9 for when, end in ends):
            near += profit
        else:
            far += profit
    return near, far


def concentration(ledger, sessions=5, months=3) -> tuple[float, float, int, int]:
    """Share of a profit made by the best sessions and months, of a loss by the worst; how many there are."""
    total = float(ledger.equity.iloc[-1] - ledger.capital)
    day: list[float] = []
    month: dict[tuple[int, int], float] = {}
    last = ledger.capital
    for date, level in ledger.daily.items():
        day.append(level - last)
        month[date.year, date.month] = month.get((date.year, date.month), 0.0) + level - last
        last = level
    best = sorted(day, reverse=total > 0)[:sessions]
    best_months = sorted(month.values(), reverse=total > 0)[:months]
    return 100 * sum(best) / total, 100 * sum(best_months) / total, len(day), len(month)


def independent(ledger, states, codes, apart=60) -> int:
    """Episodes that begin so many sessions or more after the one before had ended."""
    clock = list(ledger.market.session_count)
    count, ended, on = 0, -math.inf, False
    for t in range(len(clock)):
        now = states[t] in codes
        if now and not on and clock[t] - ended >= apart:
            count += 1
        if on and not now:
            ended = clock[t]
        on = now
    return count
