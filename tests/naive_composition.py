"""Compositions and sizes once more, written out step by step and line by line from their definitions."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

STALE = 5


def keys_of(*all_targets, market):
    """Single lines by symbol, pairs by their two symbols."""
    pairs = dict.fromkeys(pair for targets in all_targets for pair in targets.pairs)
    return [*market.symbols, *pairs]


def said(targets, market, key, step):
    """The number said of a line or pair at a step, None where there is none."""
    if isinstance(key, str):
        number = targets.weights[step, market.column(key)]
    elif key in targets.pairs:
        number = targets.pair_weights[step, targets.pairs.index(key)]
    else:
        return None
    return None if math.isnan(number) else float(number)


@cache
def last_sessions(market):
    """Last sessions by symbol, of lines that leave, and the session of each step."""
    last = dict(zip(market.delistings["symbol"], market.delistings["last_session"], strict=True))
    return last, list(market.grid["session"])


def has_left(market, key, step):
    last, session = last_sessions(market)
    symbol = key if isinstance(key, str) else key[1]
    return symbol in last and session[step] > last[symbol]


def standing(targets, market):
    """What is stood for, a dict for each step."""
    keys, now, rows = keys_of(targets, market=market), {}, []
    for step in range(len(market)):
        for key in keys:
            number = said(targets, market, key, step)
            if number is not None:
                now[key] = number
            if has_left(market, key, step):
                now[key] = 0.0
        rows.append({key: now.get(key, 0.0) for key in keys})
    return rows


def spoken(all_targets, market, key, step):
    return any(said(targets, market, key, step) is not None for targets in all_targets)


def asked(all_targets, market):
    """Steps that decide: the market's, and those at which any part says something."""
    keys = keys_of(*all_targets, market=market)
    return [
        step
        for step in range(len(market))
        if market.decision_steps[step] or any(spoken(all_targets, market, key, step) for key in keys)
    ]


def emitted(wanted, heard, market):
    """Numbers where a part speaks (`heard(key, step)`) or what is wanted changes; {(key, step): number}."""
    numbers, before = {}, {}
    for step, row in enumerate(wanted):
        for key, number in row.items():
            if (heard(key, step) or abs(number - before.get(key, 0.0)) > 1e-12) and not has_left(
                market, key, step
            ):
                numbers[key, step] = number
        before = row
    return numbers


def numbers_of(targets, market):
    """The same of finished targets."""
    found = {}
    for key in keys_of(targets, market=market):
        for step in range(len(market)):
            number = said(targets, market, key, step)
            if number is not None:
                found[key, step] = number
    return found


# -- parts by state, and shares of parts -------------------------------------------------------------------


def switched(labels, parts, market):
    """Labels by step (None: none yet), targets by label (None: cash)."""
    keys = keys_of(*[t for t in parts.values() if t is not None], market=market)
    books = {label: None if t is None else standing(t, market) for label, t in parts.items()}
    charge, wanted, in_charge = None, [], []
    for step in range(len(market)):
        if market.decision_steps[step]:
            charge = labels[step]
        book = None if charge is None else books[charge]
        wanted.append({key: 0.0 if book is None else book[step].get(key, 0.0) for key in keys})
        in_charge.append(None if charge is None else parts[charge])

    def heard(key, step):
        part = in_charge[step]
        return part is not None and said(part, market, key, step) is not None

    return emitted(wanted, heard, market)


def blended(shares, parts, market):
    keys = keys_of(*parts, market=market)
    books = [standing(targets, market) for targets in parts]
    wanted = []
    for step in range(len(market)):
        each = [(share, book[step]) for share, book in zip(shares, books, strict=True)]
        wanted.append({key: sum(share * row.get(key, 0.0) for share, row in each) for key in keys})
    return emitted(wanted, lambda key, step: spoken(parts, market, key, step), market)


# -- returns -----------------------------------------------------------------------------------------------


def levels(market, symbol):
    """Worth in USD of one share and all it has become, at each decision; None where it is stale."""
    column, decided = market.column(symbol), [t for t in range(len(market)) if market.decision_steps[t]]
    currency = market.instruments.at[symbol, "currency"]
    splits = [(r.ex_date, r.factor) for r in market.splits.itertuples() if r.symbol == symbol]
    paid = [(r.ex_date, r.amount) for r in market.dividends.itertuples() if r.symbol == symbol]
    fixings = market.fixings[market.fixings["currency"] == currency]
    units, price, seen, number, found = 1.0, None, None, 0, []
    for step in range(len(market)):
        now = market.price.iloc[step, column]
        if not math.isnan(now):
            session = market.grid["session"][step]
            for date, factor in [s for s in splits if s[0] <= session]:
                units *= factor
                splits.remove((date, factor))
            for date, amount in [d for d in paid if d[0] <= session]:
                units *= 1 + amount / now
                paid.remove((date, amount))
            price, seen = now, number
        if step in decided:
            known = fixings[fixings["time"] <= market.grid["time"][step]]
            rate = 1.0 if currency == "USD" else 1 / known["per_usd"].iloc[-1] if len(known) else math.nan
            fresh = price is not None and number - seen <= STALE
            found.append(units * price * rate if fresh else math.nan)
            number += 1
    return found


def window(market, step, lookback, horizon):
    """Numbers of the decisions at the end of each return in the window; None before there is a full one."""
    last = sum(bool(x) for x in market.decision_steps[: step + 1]) - 1
    return None if last < lookback else range(last - lookback + horizon, last + 1)


class Returns:
    """Returns over some sessions up to a decision, worked out once for each line."""

    def __init__(self, market, horizon):
        self.market, self.horizon, self.known = market, horizon, {}

    def of_line(self, symbol, number):
        if symbol not in self.known:
            self.known[symbol] = levels(self.market, symbol)
        path = self.known[symbol]
        return path[number] / path[number - self.horizon] - 1

    def of(self, key, number):
        if isinstance(key, str):
            return self.of_line(key, number)
        return self.of_line(key[0], number) - self.of_line(key[1], number)

    def earned(self, weights, number):
        return sum(weight * self.of(key, number) for key, weight in weights.items() if weight)


def by_volatility(targets, market, target, lookback, horizon, cap, band):
    book, returns = standing(targets, market), Returns(market, horizon)
    decide, scale, wanted = asked([targets], market), 0.0, []
    for step in range(len(market)):
        if step in decide:
            rows = window(market, step, lookback, horizon)
            if rows is not None and any(book[step].values()):
                made = [returns.earned(book[step], number) for number in rows]
                known = [r for r in made if not math.isnan(r)]
                if len(known) >= len(made) / 2:
                    volatility = math.sqrt(252 / horizon * sum(r * r for r in known) / len(known))
                    new = min(cap, target / volatility) if volatility > 0 else cap
                    if abs(new - scale) > band * scale:
                        scale = new
        wanted.append({key: weight * scale for key, weight in book[step].items()})
    return emitted(wanted, lambda key, step: spoken([targets], market, key, step), market)


def gross(weights):
    return sum(abs(w) * (1 if isinstance(key, str) else 2) for key, w in weights.items())


def net(weights):
    return sum(w for key, w in weights.items() if isinstance(key, str))


def by_beta(targets, market, shares, method, lookback, horizon, most, band):
    book, returns = standing(targets, market), Returns(market, horizon)
    decide, hedge, wanted = asked([targets], market), 0.0, []
    total = sum(shares.values())
    for step in range(len(market)):
        weights, exposure = book[step], None
        if step in decide:
            rows = window(market, step, lookback, horizon)
            if not gross(weights):
                exposure = 0.0
            elif method == "dollar":
                exposure = net(weights)
            elif rows is not None:
                both = []
                for n in rows:
                    other = sum(s / total * returns.of_line(symbol, n) for symbol, s in shares.items())
                    both.append((returns.earned(weights, n), other))
                known = [pair for pair in both if not any(map(math.isnan, pair))]
                if len(known) >= len(both) / 2:
                    own, other = np.array(known).T
                    exposure = np.cov(own, other)[0, 1] / np.var(other, ddof=1)
        if exposure is not None:
            new = max(-most, min(most, -exposure))
            if abs(new - hedge) > band * gross(weights):
                hedge = new
        wanted.append({key: w + hedge * shares.get(key, 0.0) / total for key, w in weights.items()})
    return emitted(wanted, lambda key, step: spoken([targets], market, key, step), market)


# -- limits ------------------------------------------------------------------------------------------------


def of_symbol(weights, symbol):
    return sum(
        abs(w) for key, w in weights.items() if symbol == key or (symbol in key and not isinstance(key, str))
    )


def fitted(weights, limit):
    """Shrink each line by what its symbols have to shrink."""

    def share(symbol):
        total = of_symbol(weights, symbol)
        return 1.0 if total <= limit(symbol) else limit(symbol) / total

    return {
        key: w * (share(key) if isinstance(key, str) else min(share(key[0]), share(key[1])))
        for key, w in weights.items()
    }


def capped(targets, market, name, most_gross, most_net):
    wanted = []
    for weights in standing(targets, market):
        row = weights if name is None else fitted(weights, lambda symbol: name)
        for size, most in ((gross, most_gross), (net, most_net)):
            if most is not None and abs(size(row)) > most:
                row = {key: w * most / abs(size(row)) for key, w in row.items()}
        wanted.append(row)
    return emitted(wanted, lambda key, step: spoken([targets], market, key, step), market)


def usual_value(market, sessions):
    """Median of the last volumes times the price in USD, at the line's last step, by symbol and step."""
    found = {}
    for symbol in market.symbols:
        column, volumes, value = market.column(symbol), [], math.nan
        currency = market.instruments.at[symbol, "currency"]
        for step in range(len(market)):
            volume, price = market.volume.iloc[step, column], market.price.iloc[step, column]
            if volume > 0:
                volumes.append(volume)
            if not math.isnan(price) and len(volumes) >= sessions:
                value = float(np.median(volumes[-sessions:])) * price * market.fx[currency].iloc[step]
            found[symbol, step] = value
    return found


def by_volume(targets, market, capital, participation, sessions, days, band):
    book, value = standing(targets, market), usual_value(market, sessions)
    decide, current, base, wanted = asked([targets], market), {}, {}, []
    for step in range(len(market)):
        if step in decide:
            fitting = fitted(
                book[step],
                lambda s: participation * days * np.nan_to_num(value[s, step]) / capital,  # noqa: B023
            )
            for key, new in fitting.items():
                old = current.get(key, 0.0)
                if (
                    spoken([targets], market, key, step)
                    or book[step][key] != base.get(key, 0.0)
                    or abs(new - old) > band * abs(old)
                ):
                    current[key] = new
            base = book[step]
        wanted.append({key: current.get(key, 0.0) for key in book[step]})
    return emitted(wanted, lambda key, step: spoken([targets], market, key, step), market)


def label_at(states, market):
    """Labels in force at each step, from a series by date or by time."""
    found, later = [], list(market.schedule["session"])
    for step in range(len(market)):
        now, session = market.grid["time"][step], later.pop(0)
        last = session not in later
        label = None
        for when, name in states.items():
            by_date = when < session or (when == session and last) if when.tzinfo is None else False
            label = name if by_date or (when.tzinfo is not None and when <= now) else label
        found.append(label)
    return found
