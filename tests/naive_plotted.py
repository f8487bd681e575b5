"""The numbers behind pictures, worked out one at a time."""

from __future__ import annotations

import math

import pandas as pd


def rolling(returns: list[float], excess: list[float], sessions: int) -> list[tuple[float, float]]:
    """Sharpe ratio and volatility in per cent of every stretch of `sessions` returns."""
    out = []
    for end in range(sessions, len(returns) + 1):
        plain, over = returns[end - sessions : end], excess[end - sessions : end]
        spread = deviation(over)
        ratio = sum(over) / sessions / spread * math.sqrt(252) if spread > 1e-14 else math.nan
        out.append((ratio, 100 * deviation(plain) * math.sqrt(252)))
    return out


def deviation(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def drawdowns(level: list[float]) -> list[tuple[float, int, int, int | None]]:
    """Depth, and the positions of peak, low and recovery, of every fall below a peak; deepest first."""
    found, peak, low = [], 0, None
    for i, value in enumerate(level):
        if value >= level[peak]:
            if low is not None:
                found.append((level[low] / level[peak] - 1, peak, low, i))
            peak, low = i, None
        elif low is None or value / level[peak] < level[low] / level[peak]:  # the first of equal depths
            low = i
    if low is not None:
        found.append((level[low] / level[peak] - 1, peak, low, None))
    return sorted(found, key=lambda item: item[0])


def months(steps: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Add up by month of the session that a step ends in, or is before.

    Args:
        steps: in order; session, sample, equity, traded, trading and holding costs.
    """
    rows = list(steps.itertuples())
    out: dict[str, dict[str, float]] = {}
    for i, row in enumerate(rows):
        ahead = [later for later in rows[i:] if later.sample]
        session = ahead[0].session if ahead else row.session
        month = out.setdefault(
            f"{session:%Y-%m}", {"traded": 0.0, "trading": 0.0, "holding": 0.0, "levels": []}
        )
        month["traded"] += row.traded
        month["trading"] += row.trading
        month["holding"] += row.holding
        if row.sample:
            month["levels"].append(row.equity)
    return out
