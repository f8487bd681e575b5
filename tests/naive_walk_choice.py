"""Walk-forward choice, window by window and number by number: slow, and plain."""

from __future__ import annotations

from statistics import fmean, stdev


def sharpe(values: list[float]) -> float | None:
    """Annual Sharpe ratio; None where it is not defined."""
    if len(values) < 2 or stdev(values) <= 1e-14:
        return None
    return fmean(values) / stdev(values) * 252**0.5


def mean(values: list[float]) -> float | None:
    return fmean(values) * 252


def sortino(values: list[float]) -> float | None:
    fell = fmean([min(value, 0.0) ** 2 for value in values]) ** 0.5
    if fell <= 1e-14:
        return None
    return fmean(values) / fell * 252**0.5


METRICS = {"sharpe": sharpe, "return": mean, "sortino": sortino}


def walk(columns, train, test, metric="sharpe", anchored=False, gap=1):
    """Columns: a list of excess returns for each configuration. Returns windows as dicts, and the chain."""
    measure = METRICS[metric]
    n = len(columns[0])
    windows, chain = [], []
    first = train + gap
    while first < n:
        stop = min(first + test, n)
        begin = 0 if anchored else first - gap - train
        best, best_value = None, None
        for number, column in enumerate(columns):
            value = measure(column[begin : first - gap])
            if value is not None and (best_value is None or value > best_value):
                best, best_value = number, value
        held = [column[first:stop] for column in columns]
        came = [measure(values) or 0.0 for values in held]
        own = [0.0] * (stop - first) if best is None else held[best]
        rank = None
        if best is not None:
            above = sum(value > came[best] for value in came)
            equal = sum(value == came[best] for value in came)
            rank = above + (equal + 1) / 2
        windows.append(
            {
                "first": first,
                "stop": stop,
                "chosen": -1 if best is None else best,
                "in_sample": None if best is None else sharpe(columns[best][begin : first - gap]),
                "out_of_sample": None if best is None else sharpe(own),
                "rank": rank,
            }
        )
        chain += own
        first = stop
    return windows, chain
