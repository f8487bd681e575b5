"""The observations of `regimes.observations`, one session and one line at a time, from their formulas.

Nothing of the market but its tables is used: closes, rates, ratios and ex-dates are looked up in plain loops.
Sessions are dates, missing values None.
"""

from __future__ import annotations

from itertools import pairwise
from math import log, prod, sqrt
from statistics import median

import numpy as np
import pandas as pd

WEEK = pd.Timedelta(days=7)


class Tables:
    """A market's tables as dictionaries and lists."""

    def __init__(self, market):
        self.market = market
        self.steps = list(market.grid.itertuples(index=False))
        scheduled = [*self.steps, *market.ahead.itertuples(index=False)]
        venues = [step.venue for step in scheduled]
        venue = "XNYS" if "XNYS" in venues else venues[-1]
        # Sessions whose last step the grid holds, and the time of that step.
        self.rows = {}
        for session in dict.fromkeys(step.session for step in self.steps if step.venue == venue):
            last = max(step.time for step in scheduled if (step.venue, step.session) == (venue, session))
            if any(step.time == last for step in self.steps):
                self.rows[session] = last
        self.sessions = list(self.rows)
        estimates = set(zip(market.estimates["symbol"], market.estimates["session"], strict=True))
        # By line, the closes of its venue's sessions; None where nothing was printed.
        self.closes = {symbol: {} for symbol in market.symbols}
        prices = market.price.to_numpy()
        for t, step in enumerate(self.steps):
            for i, symbol in enumerate(market.symbols):
                if step.phase == "close" and step.venue == market.instruments.at[symbol, "venue"]:
                    printed = not np.isnan(prices[t, i]) and (symbol, step.session) not in estimates
                    self.closes[symbol][step.session] = float(prices[t, i]) if printed else None
        self.time = {(step.venue, step.session): step.time for step in self.steps if step.phase == "close"}
        self.pairs = [(adr, str(hk)) for adr, hk in market.pairs["hk"].items()]
        hkd = market.fixings[market.fixings["currency"] == "HKD"]
        self.fixings = list(zip(hkd["time"], hkd["per_usd"], strict=True))
        self.ratios = list(market.ratios.itertuples(index=False))
        dividends = market.dividends.itertuples(index=False)
        self.dividends = [(row.symbol, row.ex_date, row.amount) for row in dividends]
        self.splits = [(row.symbol, row.ex_date, row.factor) for row in market.splits.itertuples(index=False)]

    def usdhkd(self, time):
        return [rate for known, rate in self.fixings if known <= time][-1]

    def ratio(self, adr, session):
        rows = [row for row in self.ratios if row.adr == adr and row.effective_from <= session]
        return max(rows, key=lambda row: row.effective_from).ordinary_per_ads

    def premium(self, adr, hk, ads_session, hk_session):
        """Of New York's close of one session over Hong Kong's of another; None without both prices."""
        ads, ordinary = self.closes[adr].get(ads_session), self.closes[hk].get(hk_session)
        if ads is None or ordinary is None or self.holds_dividend(adr, hk, ads_session, hk_session):
            return None
        known = max(self.time["XNYS", ads_session], self.time["XHKG", hk_session])
        later = [f for s, ex, f in self.splits if s == hk and ads_session < ex <= hk_session]
        shares = self.ratio(adr, ads_session) * prod(later)
        return ads * self.usdhkd(known) / (shares * ordinary) - 1

    def holds_dividend(self, adr, hk, ads_session, hk_session):
        at = {adr: ads_session, hk: hk_session}
        for line, partner in ((adr, hk), (hk, adr)):
            for symbol, ex, _ in self.dividends:
                if symbol == line and at[line] >= ex:
                    partners = [e for s, e, _ in self.dividends if s == partner and abs(e - ex) <= WEEK]
                    if at[partner] < min(partners, default=ex + WEEK):
                        return True
        return False

    def same_date(self, adr, hk, session):
        return self.premium(adr, hk, session, session)

    def next_hk(self, adr, hk, session):
        after = [s for s in self.closes[hk] if self.time["XHKG", s] > self.rows[session]]
        return self.premium(adr, hk, session, after[0]) if after else None

    def mid(self, adr, hk, k):
        """The two premia that are averaged at row k, or None."""
        if k == 0:
            return None
        both = self.same_date(adr, hk, self.sessions[k]), self.next_hk(adr, hk, self.sessions[k - 1])
        return None if None in both else both

    def line_return(self, symbol, k):
        if k == 0:
            return None
        before, session = self.sessions[k - 1 : k + 1]
        old, new = self.closes[symbol].get(before), self.closes[symbol].get(session)
        if old is None or new is None:
            return None
        growth = prod(f for s, ex, f in self.splits if s == symbol and before < ex <= session)
        growth *= prod(1 + d / new for s, ex, d in self.dividends if s == symbol and before < ex <= session)
        return log(new * growth / old)


def gaps(tables, align):
    """Premia by pair, a list of rows each."""
    series = []
    for adr, hk in tables.pairs:
        row = []
        for k, session in enumerate(tables.sessions):
            if align == "same_date":
                row.append(tables.same_date(adr, hk, session))
            else:
                both = tables.mid(adr, hk, k)
                row.append(None if both is None else sum(both) / 2)
        series.append(row)
    return series


def parity_gap(market, statistic="median", align="mid", span=10.0, log_of=False, window=5, min_pairs=2):
    tables = Tables(market)
    series = [smoothed(row, span) for row in gaps(tables, align)]
    value = []
    for k in range(len(tables.sessions)):
        now = [row[k] for row in series if row[k] is not None]
        if statistic == "widening":
            earlier = [(row[k - window], row[k]) for row in series] if k >= window else []
            now = [old - new for old, new in earlier if old is not None and new is not None]
        result = average(median, now, min_pairs)
        if statistic == "dispersion" and result is not None:
            result = median(abs(p - result) for p in now)
            if log_of:
                result = log(result) if result > 0 else None
        value.append(result)
    return value


def smoothed(row, span):
    """The weighted mean of all values so far, weight (1 - 2 / (span + 1)) ** age, age in values."""
    decay, result, seen = 1 - 2 / (span + 1), [], []
    for value in row:
        if value is None:
            result.append(None)
            continue
        seen.append(value)
        weights = [decay**age for age in range(len(seen))][::-1]
        result.append(sum(w * v for w, v in zip(weights, seen, strict=True)) / sum(weights))
    return result


def hk_minus_adr(market, how="median", min_pairs=2):
    tables = Tables(market)
    changes = [[] for _ in tables.sessions]
    for adr, hk in tables.pairs:
        seen = {}
        for k in range(len(tables.sessions)):
            both = tables.mid(adr, hk, k)
            if both is None:
                continue
            seen[k] = sum(log(1 + p) for p in both) / 2
            before = [j for j in seen if k - 5 <= j < k]
            if before:
                changes[k].append(seen[before[-1]] - seen[k])
    return [average(median if how == "median" else mean, row, min_pairs) for row in changes]


def sector_dispersion(market, sectors, min_sectors=3, log_of=False):
    """`sectors`: by sector its symbols."""
    tables = Tables(market)
    value = []
    for k in range(len(tables.sessions)):
        lines = [[tables.line_return(symbol, k) for symbol in symbols] for symbols in sectors.values()]
        means = [average(mean, [r for r in row if r is not None], 1) for row in lines]
        means = [m for m in means if m is not None]
        if len(means) < min_sectors:
            value.append(None)
            continue
        centre = mean(means)
        spread = sqrt(sum((m - centre) ** 2 for m in means) / (len(means) - 1))
        value.append(spread if not log_of else log(spread) if spread > 0 else None)
    return value


def basket_return(market, symbols):
    tables = Tables(market)
    value = []
    for k in range(len(tables.sessions)):
        returns = [tables.line_return(symbol, k) for symbol in symbols]
        value.append(average(mean, [r for r in returns if r is not None], 1))
    return value


def realised_volatility(market, symbols, window=20):
    returns = basket_return(market, symbols)
    value = []
    for k in range(len(returns)):
        inside = [r for r in returns[max(0, k - window + 1) : k + 1] if r is not None]
        total = sum(r**2 for r in inside)
        # The first row has no return, so the first full window ends at row `window`.
        there = k >= window and len(inside) >= 0.75 * window and total > 0
        value.append(log(sqrt(252 * total / len(inside))) if there else None)
    return value


def on_steps(known_at, values, times):
    assert all(a < b for a, b in pairwise(known_at))
    result = []
    for time in times:
        known = [value for moment, value in zip(known_at, values, strict=True) if moment <= time]
        result.append(known[-1] if known else None)
    return result


def mean(values):
    return sum(values) / len(values)


def average(how, values, least):
    return how(values) if len(values) >= least else None
