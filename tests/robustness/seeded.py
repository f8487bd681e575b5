"""Faults a person might make, put in by hand: each a wrong idea of how money, time or a filter works."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache

from robustness.mutations import ROOT, Mutant, functions


@dataclass(frozen=True)
class Fault:
    """A fault made by hand.

    Args:
        means: what is wrong with it, in a few words.
        module: file, from the root of the project.
        function: within it, with its class.
        old: what stands there, once within the function.
        new: what is put there.
    """

    means: str
    module: str
    function: str
    old: str
    new: str


def fault_as_mutant(fault: Fault) -> Mutant:
    """The change that a fault is."""
    text, tree = parsed(fault.module)
    named = [node for top in tree.body for name, node in functions(top) if name == fault.function]
    if len(named) != 1:
        raise ValueError(f"{fault.module} has {len(named)} functions called {fault.function}")
    (node,) = named
    lines = text.splitlines(keepends=True)
    first, last = node.lineno - 1, node.end_lineno or node.lineno
    body = "".join(lines[first:last])
    if body.count(fault.old) != 1:
        raise ValueError(f"{fault.old!r} stands {body.count(fault.old)} times in {fault.function}")
    begins = first + body[: body.index(fault.old)].count("\n") + 1
    changed = "".join(lines[:first]) + body.replace(fault.old, fault.new) + "".join(lines[last:])

    def node() -> ast.stmt:
        tops = ast.parse(changed).body
        return next(top for top in tops for name, _ in functions(top) if name == fault.function)

    span = begins, begins + fault.old.count("\n")
    return Mutant(fault.module, fault.function, "by hand", fault.means, 1, span, node)


@cache
def parsed(module: str) -> tuple[str, ast.Module]:
    """The text of a file of the project, and its tree."""
    text = (ROOT / module).read_text(encoding="utf-8")
    return text, ast.parse(text)


CLOCK = "engine/_kernels.py"
FAULTS = [
    # interest, borrow and fees for holding
    Fault(
        "borrow is paid twice over",
        CLOCK,
        "accrue",
        "- worth * borrow_rate - abs",
        "- 2.0 * worth * borrow_rate - abs",
    ),
    Fault("borrow is earned", CLOCK, "accrue", "- worth * borrow_rate - abs", "+ worth * borrow_rate - abs"),
    Fault(
        "borrow at the rate of this step, not of the one the short was carried from",
        CLOCK,
        "accrue",
        "quote[BORROW_RATE, t - 1, k]",
        "quote[BORROW_RATE, t, k]",
    ),
    Fault(
        "borrow is charged on long positions too",
        CLOCK,
        "accrue",
        "worth = -min(held[lane], 0.0) * last\n            shorted",
        "worth = abs(held[lane]) * last\n            shorted",
    ),
    Fault(
        "interest on cash that has not settled",
        CLOCK,
        "accrue",
        "cash[lane] - shorted[lane] - unsettled[lane]",
        "cash[lane] - shorted[lane]",
    ),
    Fault(
        "interest on the proceeds of shorts besides the rebate",
        CLOCK,
        "accrue",
        "cash[lane] - shorted[lane] - unsettled[lane]",
        "cash[lane] - unsettled[lane]",
    ),
    Fault("debt at the rate of a credit", CLOCK, "accrue", "credit if free >= 0.0 else debit", "credit"),
    Fault(
        "rebate at the full rate of cash",
        CLOCK,
        "accrue",
        "rates[INTEREST_RATE, t, c] - carry[REBATE_SPREAD, c]",
        "rates[INTEREST_RATE, t, c]",
    ),
    Fault(
        "no custody fee on receipts that are owed",
        CLOCK,
        "accrue",
        "abs(held[lane]) * custody_fee\n        if",
        "max(held[lane], 0.0) * custody_fee\n        if",
    ),
    Fault(
        "one day of interest a step, however long", CLOCK, "accrue", "days = tape.elapsed[t]", "days = 1.0"
    ),
    Fault(
        "dollars by 365 days, other money by 360",
        "engine/tape.py",
        "_cash_rates",
        '360.0 if c == "USD" else 365.0',
        '365.0 if c == "USD" else 360.0',
    ),
    Fault(
        "interest at the rate of the day itself",
        "engine/tape.py",
        "_cash_rates",
        "np.maximum(np.arange(len(market)) - 1, 0)",
        "np.arange(len(market))",
    ),
    Fault(
        "calm and stress taken for each other",
        "engine/tape.py",
        "_borrow_rates",
        "np.where(level[:, None], stress, calm)",
        "np.where(level[:, None], calm, stress)",
    ),
    Fault(
        "custody by 360 days",
        "engine/tape.py",
        "build_tape",
        "costs.ads_service_fee_pa / 365.0",
        "costs.ads_service_fee_pa / 360.0",
    ),
    Fault(
        "debit spread by 365 days for every currency",
        "engine/tape.py",
        "build_tape",
        "costs.debit_spread_pa / day_count[c]",
        "costs.debit_spread_pa / 365.0",
    ),
    # settlement
    Fault(
        "settles a session early",
        "engine/tape.py",
        "_settlement_steps",
        "nth = session + cycle",
        "nth = session + cycle - 1",
    ),
    Fault(
        "Hong Kong settles after one session",
        "engine/tape.py",
        "_settlement_steps",
        "nth = session + cycle",
        'nth = session + (1 if name == "XHKG" else cycle)',
    ),
    Fault(
        "what has settled is never released",
        CLOCK,
        "settle",
        "unsettled[lane] -= owed[lane]",
        "unsettled[lane] -= 0.0",
    ),
    Fault(
        "what a short brings in settles later",
        CLOCK,
        "execute",
        "unsettled[lane] += flow[lane]",
        "unsettled[lane] += flow[lane] + collateral[lane]",
    ),
    # the price of a fill
    Fault(
        "buys at the bid and sells at the ask",
        CLOCK,
        "execute",
        "price * (1.0 + half), price * (1.0 - half)",
        "price * (1.0 - half), price * (1.0 + half)",
    ),
    Fault(
        "fills at the price of the step before",
        CLOCK,
        "execute",
        "price, half = quote[PRICE_AT, t, k], quote[HALF_SPREAD, t, k]\n        ask",
        "price, half = quote[PRICE_AT, t - 1, k], quote[HALF_SPREAD, t, k]\n        ask",
    ),
    Fault(
        "the whole spread instead of half",
        CLOCK,
        "execute",
        "price * (1.0 + half), price * (1.0 - half)",
        "price * (1.0 + 2.0 * half), price * (1.0 - 2.0 * half)",
    ),
    Fault(
        "impact helps whoever trades",
        CLOCK,
        "trade_by_size",
        "price * (1.0 + worse) if change > 0.0",
        "price * (1.0 - worse) if change > 0.0",
    ),
    Fault("impact grows with size and not with its root", CLOCK, "impact_of", "np.sqrt(shares)", "shares"),
    Fault(
        "fees are not paid in cash",
        CLOCK,
        "execute",
        "flow[lane] = -bought_long * fill_price - fees[lane]",
        "flow[lane] = -bought_long * fill_price",
    ),
    Fault(
        "seller's fees for buyers",
        CLOCK,
        "execute",
        "side = 0 if trade[lane] > 0.0 else 1",
        "side = 1 if trade[lane] > 0.0 else 0",
    ),
    Fault(
        "rounding up becomes rounding down",
        CLOCK,
        "fee",
        "np.ceil(amount / unit - SLACK)",
        "np.floor(amount / unit)",
    ),
    Fault("no minimum", CLOCK, "fee", "max(amount, fees[row, kind, side, 2])", "amount"),
    Fault(
        "the minimum is added",
        CLOCK,
        "fee",
        "max(amount, fees[row, kind, side, 2])",
        "amount + fees[row, kind, side, 2]",
    ),
    Fault(
        "fees of both sides where one side pays",
        "engine/tape.py",
        "_fee_rows",
        "block[:, to, :, 0] = table.rate[:, j]",
        "block[:, to, :, 0] = table.rate[:, j].max(axis=1, keepdims=True)",
    ),
    Fault(
        "fees of the first date throughout",
        "engine/tape.py",
        "_fee_rows",
        "(np.cumsum(begins) - 1)[date_of_step]",
        "np.zeros_like(date_of_step)",
    ),
    Fault(
        "the whole tick as half a spread",
        "engine/tape.py",
        "_half_spreads",
        "np.maximum(tick, HK_LEAST_HALF_SPREAD)",
        "np.maximum(2.0 * tick, HK_LEAST_HALF_SPREAD)",
    ),
    # lots
    Fault(
        "lots are rounded up",
        CLOCK,
        "in_units",
        "np.floor(abs(trade) / unit + SLACK)",
        "np.ceil(abs(trade) / unit - SLACK)",
    ),
    Fault(
        "lots are rounded to the nearest",
        CLOCK,
        "in_units",
        "np.floor(abs(trade) / unit + SLACK)",
        "np.floor(abs(trade) / unit + 0.5)",
    ),
    Fault(
        "the last odd lot can never be sold",
        CLOCK,
        "trade_to",
        "trade if goal == 0.0 else in_units(trade, lot)",
        "in_units(trade, lot)",
    ),
    Fault(
        "the depositary charges by the receipt",
        CLOCK,
        "depositary_fee",
        "np.ceil(abs(shares) / 100.0 - SLACK) * 100.0",
        "abs(shares)",
    ),
    # currencies
    Fault(
        "exchanged at the inverse rate",
        CLOCK,
        "execute",
        "flow[lane] = flow[lane] * rate - tape",
        "flow[lane] = flow[lane] / rate - tape",
    ),
    Fault(
        "a spread on exchange that is earned",
        CLOCK,
        "execute",
        "- tape.fx_spread * abs(flow[lane]) * rate",
        "+ tape.fx_spread * abs(flow[lane]) * rate",
    ),
    Fault(
        "cash abroad counted at par",
        CLOCK,
        "value",
        "equity[lane] += rate * (cash[lane] + receivable[lane])",
        "equity[lane] += cash[lane] + receivable[lane]",
    ),
    Fault(
        "receivables are not counted",
        CLOCK,
        "value",
        "rate * (cash[lane] + receivable[lane])",
        "rate * cash[lane]",
    ),
    Fault("rates upside down", "engine/tape.py", "_exchange_rates", "usd / usd[:, :1]", "usd[:, :1] / usd"),
    Fault(
        "collateral of shorts is exchanged too",
        CLOCK,
        "sweep",
        "free[lane] += min(held[lane], 0.0) * last",
        "free[lane] += 0.0",
    ),
    # corporate actions
    Fault("a split multiplies the price", CLOCK, "act", "marks[LAST, k] /= value", "marks[LAST, k] *= value"),
    Fault(
        "a split leaves what is held",
        CLOCK,
        "act",
        "book[HELD, k, lane] *= value",
        "book[HELD, k, lane] *= 1.0",
    ),
    Fault(
        "a split leaves what is ordered",
        CLOCK,
        "act",
        "book[GOAL, k, lane] *= value",
        "book[GOAL, k, lane] *= 1.0",
    ),
    Fault(
        "a short owes the dividend after tax",
        CLOCK,
        "act",
        "value if held > 0.0 else actions[a, SHORT_VALUE]",
        "value",
    ),
    Fault(
        "shorts owe no dividends",
        CLOCK,
        "act",
        "held = book[HELD, owner, lane] * per_share",
        "held = max(book[HELD, owner, lane], 0.0) * per_share",
    ),
    Fault(
        "a dividend is paid on its ex-date and again on its pay date",
        CLOCK,
        "act",
        "money[CASH, c, lane] += amount\n                    post",
        "money[CASH, c, lane] += 2.0 * amount\n                    post",
    ),
    Fault(
        "no tax is withheld",
        "engine/tape.py",
        "_actions",
        'gross * (1.0 - float(line["withholding"])) - taken',
        "gross - taken",
    ),
    Fault(
        "actions take effect a step late",
        "engine/tape.py",
        "_actions",
        "found += [(row, k, step) for k",
        "found += [(row, k, step + 1) for k",
    ),
    Fault(
        "dividends are paid on prices that hold them already",
        "engine/tape.py",
        "_actions",
        'line["adjustment"] == "total_return"',
        'line["adjustment"] == "nothing"',
    ),
    Fault(
        "a line that leaves turns into as many shares as it had",
        CLOCK,
        "convert",
        "shares = held * ratio",
        "shares = held",
    ),
    Fault(
        "a line that leaves is lost",
        CLOCK,
        "leave",
        "policy == CONVERT_IT:\n            convert",
        "False:\n            convert",
    ),
    # margin, shorts, recalls
    Fault(
        "called by what is asked of a new position",
        CLOCK,
        "call_margin",
        "margin[MAINTENANCE_LONG] * long[lane]",
        "margin[INITIAL_LONG] * long[lane]",
    ),
    Fault(
        "shorts need no margin",
        CLOCK,
        "call_margin",
        "+ margin[MAINTENANCE_SHORT] * short[lane]",
        "+ 0.0 * short[lane]",
    ),
    Fault(
        "a recalled short is kept",
        CLOCK,
        "recall",
        "force_single(state, t, k, lane, 0.0)",
        "force_single(state, t, k, lane, book[HELD, k, lane])",
    ),
    Fault(
        "a recalled line may be sold short",
        CLOCK,
        "may_short",
        "tape.loan[t, k] == AVAILABLE",
        "tape.loan[t, k] != NO_NEW",
    ),
    Fault(
        "sells short on a price that stands still",
        "engine/tape.py",
        "_downticks",
        "down = ~(level > before * (1.0 + 1e-12))",
        "down = level < before * (1.0 - 1e-12)",
    ),
    # time
    Fault(
        "orders live a step too long",
        CLOCK,
        "expire",
        "(same_step or t >= until)",
        "(same_step or t > until)",
    ),
    Fault(
        "a missed hedge is waited for",
        CLOCK,
        "expire",
        "t >= link[HEDGE_UNTIL, p, lane]",
        "t > link[HEDGE_UNTIL, p, lane] + 1",
    ),
    Fault(
        "orders are sized by the equity of nobody",
        CLOCK,
        "decide_row",
        "target[lane] * equity[lane] / worth",
        "target[lane] * equity[0] / worth",
    ),
    Fault(
        "hedges at the ratio upside down",
        CLOCK,
        "follow_pair",
        "(-opposite / ratio if leg == 1 else -opposite * ratio)",
        "(-opposite * ratio if leg == 1 else -opposite / ratio)",
    ),
    Fault(
        "a leg may go first whatever the gap",
        "engine/tape.py",
        "_lead_ok",
        "(following[other] - market.times <= hours * 3600e9)",
        "(following[other] - market.times <= np.inf)",
    ),
    Fault(
        "a closure by weather is known before it",
        "engine/tape.py",
        "_following",
        "following[waits] = first[day]",
        "following[waits] = following[waits]",
    ),
    Fault(
        "a split on a holiday of Hong Kong reaches the ratio at once",
        "engine/tape.py",
        "ratios_in_force",
        "ratio[~effective & (date >= ex_date), p] /= float(split.factor)",
        "ratio[~effective & (date >= ex_date), p] *= float(split.factor)",
    ),
    Fault(
        "a line may leave though another is kept at parity with it",
        "engine/_kernels.py",
        "leave",
        "marks[GONE, owner] == PARKED and marks[HEIR, owner] == k",
        "marks[GONE, owner] == PARKED and marks[HEIR, owner] == -2",
    ),
    Fault(
        "orders live a session less",
        "engine/tape.py",
        "_session_ends",
        "nth = first + sessions - 1",
        "nth = first + sessions - 2",
    ),
    Fault(
        "a dated cost holds from the day after its date",
        "engine/tape.py",
        "_in_force",
        'side="right") - 1',
        'side="left") - 1',
    ),
    Fault(
        "a schedule holds from the day after its date",
        "markets/fees.py",
        "_row_of",
        'side="right") - 1',
        'side="left") - 1',
    ),
    Fault(
        "the tick of the band below",
        "markets/fees.py",
        "half_tick",
        'np.searchsorted(lower, prices[inside], side="right") - 1',
        'np.searchsorted(lower, prices[inside], side="right") - 2',
    ),
    Fault(
        "the upper end of the range of rates",
        "markets/fees.py",
        "_policy_rates",
        "(low + high) / 200",
        "high / 100",
    ),
    Fault(
        "a split between two prices counted the wrong way",
        "markets/premium.py",
        "splits_between",
        "at_hk / at_ads",
        "at_ads / at_hk",
    ),
    Fault(
        "exchange rate upside down",
        "markets/premium.py",
        "exchange_rate",
        "market.fx[base] / market.fx[quote]",
        "market.fx[quote] / market.fx[base]",
    ),
    # filters
    Fault(
        "the dwell lasts a session longer",
        "regimes/_kernels.py",
        "_hysteresis",
        "session_count[t] >= free_from",
        "session_count[t] > free_from",
    ),
    Fault(
        "only what goes on starts a dwell",
        "regimes/_kernels.py",
        "_hysteresis",
        "free_from = session_count[t] + dwell",
        "free_from = session_count[t] + (dwell if inside else 0.0)",
    ),
    Fault(
        "enters only above the threshold",
        "regimes/threshold.py",
        "ThresholdDetector.switch",
        "escalation >= self.threshold",
        "escalation > self.threshold",
    ),
    Fault(
        "leaves at the exit level already",
        "regimes/threshold.py",
        "ThresholdDetector.switch",
        "escalation < self.exit_ratio * self.threshold",
        "escalation <= self.exit_ratio * self.threshold",
    ),
    Fault(
        "no band between entering and leaving",
        "regimes/threshold.py",
        "ThresholdDetector.switch",
        "self.exit_ratio * self.threshold",
        "self.threshold",
    ),
    Fault(
        "relief that is as strong does not count",
        "regimes/threshold.py",
        "ThresholdDetector.switch",
        "outweighed = relief >= escalation",
        "outweighed = relief > escalation",
    ),
    Fault(
        "an event counts at once, before it is known",
        "regimes/intensity.py",
        "shot_noise",
        'side="right") - 1',
        'side="right")',
    ),
    Fault(
        "an event known at a step counts at the next",
        "regimes/intensity.py",
        "shot_noise",
        'side="right") - 1',
        'side="left") - 1',
    ),
    Fault(
        "decays one session too many",
        "regimes/intensity.py",
        "shot_noise",
        "(known_clock[last] - clock[seen]) / half_life",
        "(known_clock[last] - clock[seen] - 1.0) / half_life",
    ),
    Fault(
        "decays by e instead of by half",
        "regimes/intensity.py",
        "shot_noise",
        "np.exp2((known",
        "np.exp((known",
    ),
    Fault(
        "events do not add up",
        "regimes/intensity.py",
        "shot_noise",
        "level[i] += level[i - 1]",
        "level[i] += 0.0 * level[i - 1]",
    ),
    Fault(
        "what is listed for context counts",
        "regimes/intensity.py",
        "event_marks",
        "np.where(context, 0.0, weight)",
        "weight",
    ),
    Fault(
        "an event excites itself",
        "regimes/intensity.py",
        "hawkes_loglikelihood",
        "exp(-beta * (t - last))\n",
        "exp(-beta * (t - last)) + w\n",
    ),
    Fault(
        "the filter steps back through the transitions",
        "regimes/_markov_kernels.py",
        "kernels",
        "q += before[i] * P[i, j]",
        "q += before[i] * P[j, i]",
    ),
    Fault(
        "a row's transition is that of the first row",
        "regimes/_markov_kernels.py",
        "kernels",
        "P = transition[t * varying]\n            total = 0.0",
        "P = transition[0]\n            total = 0.0",
    ),
    Fault(
        "the filter forgets the row before", "regimes/_markov_kernels.py", "kernels", "q = 0.0\n", "q = 1.0\n"
    ),
    Fault(
        "a state's scale is taken for its variance",
        "regimes/_markov_kernels.py",
        "kernels",
        "base[k] = constant - math.log(sigma[k])",
        "base[k] = constant - 0.5 * math.log(sigma[k])",
    ),
    Fault("jumps cost nothing", "regimes/_jump_kernels.py", "_follow", "jumped += penalty", "jumped += 0.0"),
    Fault(
        "staying costs what jumping does",
        "regimes/_jump_kernels.py",
        "_follow",
        "min(value[k], jumped)",
        "jumped",
    ),
    Fault(
        "rises count as falls",
        "regimes/_jump_kernels.py",
        "_weighted_features",
        "below = min(y[t], 0.0)",
        "below = y[t]",
    ),
    Fault(
        "averages decay a row too slowly",
        "regimes/_jump_kernels.py",
        "_weighted_features",
        "0.5 ** (1.0 / half_life[f])",
        "0.5 ** (1.0 / (half_life[f] + 1.0))",
    ),
    Fault(
        "an event of this row moves its own hazard",
        "regimes/_change_point_kernels.py",
        "_follow_runs",
        "rate += event_weights[c] * before[c]\n            before[c] = intensity[t, c]",
        "before[c] = intensity[t, c]\n            rate += event_weights[c] * before[c]",
    ),
    Fault(
        "a row is told by a run that has seen it",
        "regimes/_change_point_kernels.py",
        "_follow_runs",
        "a = prior[2] + 0.5 * runs[i, OBSERVED]",
        "a = prior[2] + 0.5 * (runs[i, OBSERVED] + 1.0)",
    ),
    Fault(
        "a new run goes on for certain",
        "regimes/_change_point_kernels.py",
        "_follow_runs",
        "runs[n, WEIGHT] = math.log(-math.expm1(stay)) if n > 0 else 0.0",
        "runs[n, WEIGHT] = stay if n > 0 else 0.0",
    ),
    Fault(
        "the least severity is left out",
        "regimes/event_filters.py",
        "chosen",
        'rows["severity"] >= severity',
        'rows["severity"] > severity',
    ),
    Fault("the last day is left out", "regimes/event_filters.py", "chosen", "day <= last", "day < last"),
]
