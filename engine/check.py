"""The books of a recorded run, worked out a second time: every term of every step, and every balance.

Nothing here runs the clock. Each step is recomputed from what was recorded at the step before and what the
step itself recorded (fills, shares changed into others), and from the market: prices, rates, the schedule of
fees, corporate actions. Only what no record carries is rebuilt along the way: marks, flows that have not
settled, dividends that have not been paid.
"""

from __future__ import annotations

import numpy as np

from entrepot.engine import _kernels as kernels
from entrepot.engine._kernels import Floats, Ints
from entrepot.engine.lines import FEE_KINDS, SOURCES
from entrepot.engine.result import Ledger
from entrepot.engine.run_state import RunState, take_up
from entrepot.engine.tape import empty_record, initial_state
from entrepot.errors import DataError

# Two amounts of a step are the same within this part of the step's gross value: positions, cash and
# receivables before and after it, and what was traded. On a thousand random worlds, and on runs of 8,000
# steps and 50,000 fills, rounding came to 1.3e-15 at most.
BOUND = 1e-13


def check_identity(ledger: Ledger, tape: kernels.Tape, resume: RunState | None = None) -> None:
    """Verify that all that was booked follows from the books and the market, to rounding.

    Args:
        ledger: a recorded run.
        tape: what it ran on.
        resume: what it went on from: the steps of that run may have had other costs, so of those only the
            sums are verified.

    Raises:
        DataError: naming the first step, instrument and term that do not.
    """
    with np.errstate(all="ignore"):
        audit = _Audit(ledger, tape, resume)
        audit.check_sums_before()
        audit.check_shares()
        audit.check_fills()
        audit.check_terms()
        audit.check_balances()
    audit.report()


class _Audit:
    """The steps of one run. N of them, from ``first`` on, K lines, C currencies, M fills.

    Names ending in ``_before`` are of the step before, as it was left.
    """

    def __init__(self, ledger: Ledger, tape: kernels.Tape, resume: RunState | None) -> None:
        self.ledger, self.tape, self.record = ledger, tape, ledger.record
        first = self.first = 0 if resume is None else resume.step + 1
        steps, lines = self.record.positions.shape
        self.count, self.lines, self.currencies = steps - first, lines, len(ledger.currencies)
        start = initial_state(tape, ledger.capital, 1)
        if resume is not None:
            equity, record = np.empty((steps, 1)), empty_record(tape, on=True)
            take_up(resume, tape, ledger.lines, ledger.currencies, start, record, equity)
        self.start = start
        self.found: tuple[int, str, str, float, float] | None = None

        names = [
            symbol if p < 0 else f"{symbol} of the pair {'/'.join(ledger.lines.pairs[p])}"
            for symbol, p in zip(ledger.lines.symbols, ledger.lines.pair, strict=True)
        ]
        self.names = [*names, *(f"cash:{c}" for c in ledger.currencies)]
        self.currency = tape.flags[kernels.CURRENCY]
        self.in_currency = (self.currency[:, None] == np.arange(self.currencies)).astype(np.float64)

        rate = tape.rates[kernels.FX_RATE]
        self.rate = rate[first:]
        self.rate_before = _shifted(rate, rate[max(first - 1, 0)], first)
        self.rate_of_line = self.rate[:, self.currency]
        self.rate_of_line_before = self.rate_before[:, self.currency]
        self.held_before = _shifted(self.record.positions, start.book[kernels.HELD, :, 0], first)
        self.cash_before = _shifted(self.record.cash, start.money[kernels.CASH, :, 0], first)
        receivable = start.money[kernels.RECEIVABLE, :, 0]
        self.receivable_before = _shifted(self.record.receivable, receivable, first)
        self.equity = ledger.equity_by_step[first:]
        opening = ledger.capital if first == 0 else ledger.equity_by_step[first - 1]
        self.equity_before = _shifted(ledger.equity_by_step, opening, first)
        # From the step after the one at which equity was gone nothing is left to happen.
        self.over = self.equity_before <= 0.0
        self.ruined = self.equity <= 0.0

        step_of = np.repeat(np.arange(steps), np.diff(tape.action_first))
        later = step_of >= first
        self.actions, self.action_row = tape.actions[later], step_of[later] - first
        self.kind = self.actions[:, kernels.KIND].astype(np.int64)
        self.action_line = self.actions[:, kernels.LINE].astype(np.int64)
        self.growth = self._growth()
        self.mark_before, self.mark_moved, self.mark = self._marks()
        self._move()
        self._fill()
        self._book()
        self.gross = self._gross()
        self.tolerance = BOUND * self.gross
        # What rounding leaves of flows once they have settled stays, however small the books become.
        self.lasting = np.maximum.accumulate(self.tolerance)

    # -- what follows from the books of the step before and the market ---------------------------------------

    def _growth(self) -> Floats:
        """Shares that one share held before the first step has become by splits, (N, K)."""
        self.split = np.ones((self.count, self.lines))
        splits = self.kind == kernels.SPLIT
        at = self.action_row[splits], self.action_line[splits]
        np.multiply.at(self.split, at, self.actions[splits, kernels.VALUE])
        return np.asarray(np.cumprod(self.split, axis=0) if splits.any() else self.split)

    def _marks(self) -> tuple[Floats, Floats, Floats]:
        """Last prices as the step before left them, after this step's splits and after its prints, (N, K)."""
        price = self.tape.quote[kernels.PRICE_AT, self.first :]
        opening = self.start.marks[kernels.LAST]
        row = np.where(np.isfinite(price), np.arange(self.count)[:, None], -1)
        row = np.maximum.accumulate(row, axis=0)
        mark = np.take_along_axis(price * self.growth, np.maximum(row, 0), axis=0)
        mark = np.where(row >= 0, mark, opening) / self.growth
        printed = self.start.marks[kernels.PRINTED].astype(np.int64)
        # The step whose half-spread a line is bought in at.
        self.printed_before = np.vstack([printed, np.where(row >= 0, row + self.first, printed)[:-1]])
        self.parked = self._parked(mark)
        for k, since, heir, shares in self.parked:
            own, other = self.currency[k], self.currency[heir]
            worth = shares * mark[since:, heir] * self.rate[since:, other]
            mark[since:, k] = worth / self.rate[since:, own]
        # A line without a mark is not held.
        mark = np.nan_to_num(mark)
        before = np.vstack([np.nan_to_num(opening), mark[:-1]])
        return before, before / self.split, mark

    def _parked(self, mark: Floats) -> list[tuple[int, int, int, Floats]]:
        """Lines kept at parity: line, row since when, Hong Kong line, and shares of it per share by row."""
        standing, opening = self.start.marks[kernels.GONE].copy(), self.start.marks[kernels.LAST]
        found = []
        for k in np.flatnonzero(standing == kernels.PARKED).tolist():
            heir = int(self.start.marks[kernels.HEIR, k])
            shares = self.start.marks[kernels.PER_SHARE, k] * self.growth[:, heir]
            found.append((k, 0, heir, shares))
        for a in np.flatnonzero(self.kind == kernels.CONVERSION):
            k, row, heir = (
                int(self.action_line[a]),
                int(self.action_row[a]),
                int(self.actions[a, kernels.INTO]),
            )
            known = kernels.PARK_IT in self.tape.leaving and heir >= 0 and standing[heir] == kernels.LISTED
            known = known and np.isfinite(mark[row - 1, heir] if row > 0 else opening[heir])
            standing[k] = kernels.PARKED if known else kernels.GONE_LINE
            if known:
                since = self.growth[row:, heir] / self.growth[row, heir]
                found.append((k, row, heir, self.actions[a, kernels.VALUE] * since))
        return sorted(found, key=lambda item: item[0])

    def _move(self) -> None:
        """Follow shares that became others or cash: positions as they are marked, and as fills find them."""
        rows = self.record.moved[: self.record.counts[2]]
        rows = rows[rows[:, 0] >= self.first]
        leaving = np.isin(rows[:, 6], (kernels.LEFT, kernels.CASHED_OUT, kernels.BOUGHT_IN))
        left = self.kind == kernels.CONVERSION
        at = zip(self.action_row[left].tolist(), self.action_line[left].tolist(), strict=True)
        self.ratio_of_leaving = dict(zip(at, self.actions[left, kernels.VALUE].tolist(), strict=True))
        self.moved_value = np.zeros(self.count)
        self.from_moves = np.zeros((self.count, self.currencies))
        # Row, line, term, amount as recorded and as it should be.
        self.moves: list[tuple[int, int, str, float, float]] = []
        # Source, row, line, amount in base currency.
        self.booked_by_moves: list[tuple[int, int, int, float]] = []
        self.after_splits = self.held_before * self.split
        # What leaves does so before it is marked, what is delivered or closed does so afterwards.
        self.marked = self.after_splits.copy()
        for row in rows[leaving].tolist():
            self._change(row, self.marked, self.mark_moved, self.rate_before)
        self.ready = self.marked.copy()
        for row in rows[~leaving].tolist():
            self._change(row, self.ready, self.mark, self.rate)

    def _change(self, row: list[float], held: Floats, mark: Floats, rate: Floats) -> None:
        """Turn what is held of one line into shares of another or into cash, at given marks and rates."""
        i, k, into, why = int(row[0]) - self.first, int(row[1]), int(row[3]), int(row[6])
        c, given = int(self.currency[k]), float(held[i, k])
        worth, booked = given * float(mark[i, k]), self.booked_by_moves
        made, spread, by, receipts = 0.0, 0.0, k, given
        held[i, k] = 0.0
        if why in (kernels.LEFT, kernels.CHOSEN):
            covered = float(held[i, into])
            if why == kernels.LEFT:
                made = arrived = given * self.ratio_of_leaving.get((i, k), np.nan)
                after = covered + made
                held[i, into] = 0.0 if _nothing(after, made) else after
            else:
                p = int(self.tape.flags[kernels.PAIR, k])
                by, ratio = int(self.tape.legs[p, 1]), float(self.tape.parity[kernels.RATIO, int(row[0]), p])
                made = given * ratio if k == by else given / ratio
                receipts = given if k == by else made
                after = covered + made
                held[i, into] = 0.0 if _nothing(after, covered) else after
                arrived = float(held[i, into]) - covered
            arrived *= float(mark[i, into] * rate[i, self.currency[into]])
            booked.append((kernels.CONVERT, i, by, arrived - worth * rate[i, c]))
        else:
            self.from_moves[i, c] += worth
            booked.append((kernels.FX, i, k, worth * float(self.rate[i, c] - rate[i, c])))
        to_convert = self.tape.trait[kernels.TO_CONVERT, by]
        paid = float(np.ceil(abs(receipts) / 100.0 - kernels.SLACK) * 100.0 * to_convert)
        if why == kernels.BOUGHT_IN:
            paid, half = 0.0, self.tape.quote[kernels.HALF_SPREAD, self.printed_before[i, k], k]
            spread = abs(worth) * half
        self.moved_value[i] += 2.0 * abs(worth) * rate[i, c]
        own = int(self.currency[by])
        self.from_moves[i, own] -= paid + spread
        booked.append((kernels.CONVERT_FEE, i, by, -paid * self.rate[i, own]))
        booked.append((kernels.SLIPPAGE, i, by, -spread * self.rate[i, own]))
        for line, term, recorded, right in (
            (k, "conversion", row[2], given),
            (k, "conversion", row[4], made),
            (by, "conversion_fee", row[5], paid),
        ):
            self.moves.append((i, line, term, recorded, right))

    def _fill(self) -> None:
        """What the fills did to positions, what they cost and what they left in cash."""
        tape, charges = self.tape, self.tape.schedule
        rows = self.record.fills[: self.record.counts[0]]
        rows = self.fills = rows[rows[:, 0] >= self.first]
        step, k = rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64)
        i = self.fill_row = step - self.first
        self.fill_line, trade = k, rows[:, 2]
        buys, shares = trade > 0.0, np.abs(trade)
        price, half = tape.quote[kernels.PRICE_AT, step, k], tape.quote[kernels.HALF_SPREAD, step, k]
        impact = tape.quote[kernels.IMPACT_OF_ONE, step, k] * np.sqrt(shares)
        impact = np.minimum(impact, 1.0 - half)
        fill_price = price * np.where(buys, 1.0 + (half + impact), 1.0 - (half + impact))
        c = self.currency[k]
        rate, notional = self.rate[i, c], shares * fill_price
        terms = charges[tape.fee_row[step, k], :, np.where(buys, 0, 1)]
        amount = notional[:, None] * terms[..., 0] + shares[:, None] * terms[..., 1]
        amount = np.minimum(np.maximum(amount, terms[..., 2]), terms[..., 3])
        unit = terms[..., 4]
        units = amount / np.where(unit > 0.0, unit, 1.0)
        up = np.ceil(units - kernels.SLACK)
        nearest = np.floor(units + 0.5 + kernels.SLACK)
        self.fees = np.where(unit > 0.0, np.where(terms[..., 5] > 0.0, up, nearest) * unit, amount)
        self.price, self.fill_price, self.fill_rate = price, fill_price, rate
        self.slippage, self.impact = shares * price * half * rate, shares * price * impact
        self.traded = notional * rate

        # The positions between which each fill moved a line: there may be several of a line in one step.
        self.held = self.ready.copy()
        before = np.empty(len(rows))
        turn = _turns(i * self.lines + k)
        for n in range(int(turn.max(initial=-1)) + 1):
            now = turn == n
            at = i[now], k[now]
            before[now] = self.held[at]
            self.held[at] += trade[now]
        bought_long = np.maximum(before + trade, 0.0) - np.maximum(before, 0.0)
        flow = -bought_long * fill_price - self.fees.sum(axis=1)
        self.from_fills = np.zeros((self.count, self.currencies))
        np.add.at(self.from_fills, (i, c), (bought_long - trade) * fill_price)
        self.spread = np.zeros(len(rows))
        if tape.convert:
            abroad = c > 0
            self.spread = np.where(abroad, tape.fx_spread * np.abs(flow) * rate, 0.0)
            flow = np.where(abroad, flow * rate - self.spread, flow)
            c = np.zeros_like(c)
        np.add.at(self.from_fills, (i, c), flow)
        self.unsettled = self._unsettled(i, c, flow, tape.clock[kernels.SETTLES, step] - self.first)

    def _unsettled(self, row: Ints, c: Ints, flow: Floats, settles: Ints) -> Floats:
        """Flows that have not settled at the end of each step, (N, C)."""
        change = np.zeros((self.count + 1, self.currencies))
        change[0] = self.start.money[kernels.UNSETTLED, :, 0]
        if self.tape.accrues:
            ring = len(self.start.due)
            for step in range(self.first, self.first + ring):
                change[min(step - self.first, self.count)] -= self.start.due[step % ring, :, 0]
            np.add.at(change, (row, c), flow)
            np.add.at(change, (np.minimum(settles, self.count), c), -flow)
        return np.where(self.over[:, None], 0.0, np.cumsum(change[:-1], axis=0))

    def _book(self) -> None:
        """Dividends, what holding earned and cost, and the balances all of it leads to, before any ruin."""
        tape, in_currency = self.tape, self.in_currency
        cash = self.cash_before + self.from_moves + self.from_fills
        receivable = self.receivable_before.copy()

        dividends, payments = self.kind == kernels.DIVIDEND, self.kind == kernels.PAYMENT
        paid = self.actions[dividends]
        self.dividend_row, self.dividend_line = self.action_row[dividends], self.action_line[dividends]
        held = self.after_splits[self.dividend_row, self.dividend_line]
        payer, terms, count = self.dividend_line, [paid], len(paid)
        for k, since, heir, shares in self.parked:
            # What is kept at parity earns or owes the dividends of its Hong Kong line.
            already = self.start.marks[kernels.GONE, k] == kernels.PARKED
            later = self.dividend_row[:count] >= since if already else self.dividend_row[:count] > since
            own = np.flatnonzero(later & (payer[:count] == heir))
            row = self.dividend_row[own]
            held = np.append(held, self.after_splits[row, k] * shares[row - since])
            self.dividend_row = np.append(self.dividend_row, row)
            self.dividend_line = np.append(self.dividend_line, np.full(len(own), k))
            payer = np.append(payer, payer[own])
            terms.append(self.actions[dividends][own])
        paid = np.vstack(terms)
        self.dividend_rate = self.rate_of_line[self.dividend_row, payer]
        self.dividend = held * np.where(held > 0.0, paid[:, kernels.VALUE], paid[:, kernels.SHORT_VALUE])
        slot, at = paid[:, kernels.INTO].astype(np.int64), (self.dividend_row, self.currency[payer])
        np.add.at(cash, at, np.where(slot < 0, self.dividend, 0.0))
        np.add.at(receivable, at, np.where(slot < 0, 0.0, self.dividend))
        slots = self.start.slots[:, 0].copy()
        slots[np.unique(slot[slot >= 0])] = 0.0
        np.add.at(slots, slot[slot >= 0], self.dividend[slot >= 0])
        at = (self.action_row[payments], self.currency[self.action_line[payments]])
        due = slots[self.actions[payments, kernels.INTO].astype(np.int64)]
        due = np.where(self.over[at[0]], 0.0, due)
        np.add.at(cash, at, due)
        np.add.at(receivable, at, -due)

        days = tape.elapsed[self.first :]
        worth = np.maximum(-self.held_before, 0.0) * self.mark_before
        lent = tape.quote[kernels.BORROW_RATE]
        lent = _shifted(lent, lent[max(self.first - 1, 0)], self.first)
        policy = tape.rates[kernels.INTEREST_RATE, self.first :]
        credit = (policy - tape.carry[kernels.REBATE_SPREAD])[:, self.currency]
        self.borrow = -worth * lent * days[:, None]
        self.rebate = worth * credit * days[:, None]
        self.custody = -np.abs(self.held_before) * tape.trait[kernels.CUSTODY] * days[:, None]
        unsettled_before = _shifted(self.unsettled, self.start.money[kernels.UNSETTLED, :, 0], 0)
        unsettled_before[self.over] = 0.0
        free = self.cash_before - worth @ in_currency - unsettled_before
        charged = np.where(free >= 0.0, policy, policy + tape.carry[kernels.DEBIT])
        self.interest = free * charged * days[:, None]
        cash += (self.borrow + self.rebate + self.custody) @ in_currency + self.interest

        self.swept = np.zeros((self.count, self.currencies))
        if tape.sweeps:
            daily = tape.clock[kernels.DECIDES, self.first :] == 1
            collateral = (np.maximum(-self.held, 0.0) * self.mark) @ in_currency
            unsettled = self.unsettled
            free = np.where(daily[:, None], cash - unsettled - collateral, 0.0)
            free[:, 0] = 0.0
            free[self.over] = 0.0
            self.swept = tape.fx_spread * np.abs(free) * self.rate
            cash -= free
            cash[:, 0] += (free * self.rate - self.swept).sum(axis=1)
        self.cash, self.receivable = cash, receivable

    def _gross(self) -> Floats:
        """The size of the step: all balances before and after it, and what was traded, (N,)."""
        after = np.abs(self.held) * self.mark * self.rate_of_line
        gross = after.sum(axis=1) + ((np.abs(self.cash) + np.abs(self.receivable)) * self.rate).sum(axis=1)
        before = np.append(gross[:1], gross[:-1])
        traded = np.bincount(self.fill_row, self.traded, self.count)
        return np.asarray(gross + before + np.abs(self.equity_before) + traded + self.moved_value)

    # -- what was recorded, held against it ------------------------------------------------------------------

    def check_sums_before(self) -> None:
        """The steps of the run that was gone on from: equity moved by what was booked."""
        if self.first == 0:
            return
        sources = self.record.sources[:, : self.first]
        equity = self.ledger.equity_by_step[: self.first]
        change, booked = np.diff(equity, prepend=self.ledger.capital), sources.sum(axis=(0, 2))
        gross = np.abs(sources).sum(axis=(0, 2)) + np.abs(equity) + self.ledger.capital
        wrong = ~(np.abs(change - booked) <= BOUND * gross)
        if wrong.any():
            step = int(np.argmax(wrong))
            self._find(step - self.first, "equity", "all terms", float(change[step]), float(booked[step]))

    def check_shares(self) -> None:
        """Positions move by splits, fills and conversions and by nothing else."""
        held = np.where(self.ruined[:, None], 0.0, self.held)
        scale = np.abs(self.after_splits) + np.abs(self.held) + np.abs(self.marked)
        np.add.at(scale, (self.fill_row, self.fill_line), np.abs(self.fills[:, 2]))
        self._compare("shares", self.record.positions[self.first :], held, BOUND * scale)

    def check_fills(self) -> None:
        """Fills are at the step's price, rate and fees, conversions of what was held."""
        rows, at = self.fills, (self.fill_row, self.fill_line)
        local = self.tolerance[self.fill_row] / self.fill_rate
        exact = ("price of a fill", rows[:, 3], self.price), ("price of a fill", rows[:, 4], self.fill_price)
        for term, recorded, right in (*exact, ("rate of a fill", rows[:, 5], self.fill_rate)):
            self._compare_at(at, term, recorded, right, BOUND * right)
        for j, kind in enumerate(FEE_KINDS):
            self._compare_at(at, kind, rows[:, 9 + j], self.fees[:, j], local)
        self._compare_at(at, "fees", rows[:, 8], self.fees.sum(axis=1), local)
        self._compare_at(at, "impact", rows[:, 9 + len(FEE_KINDS)], self.impact, local)
        for i, k, term, noted, due in self.moves:
            near = float(self.tolerance[i] / self.rate_of_line[i, k])
            if not abs(noted - due) <= (near if term == "conversion_fee" else BOUND * abs(due)):
                self._find(i, self.names[k], term, noted, due)

    def check_terms(self) -> None:
        """Every source of profit and loss, and their sum."""
        lines, total, each = self.lines, np.zeros(self.count), np.ones(self.lines + self.currencies)
        change, fills = self.rate - self.rate_before, (self.fill_row, self.fill_line)
        by_line, by_currency = (slice(None), slice(lines)), (slice(None), slice(lines, None))
        earned = {kernels.BORROW: self.borrow, kernels.REBATE: self.rebate, kernels.ADS_FEE: self.custody}
        for s, source in enumerate(SOURCES):
            right = np.zeros((self.count, lines + self.currencies))
            if s == kernels.PRICE:
                right[by_line] = self.marked * (self.mark - self.mark_moved) * self.rate_of_line_before
            elif s == kernels.FX:
                right[by_line] = self.marked * self.mark * change[:, self.currency]
                right[by_currency] = (self.cash_before + self.receivable_before) * change
            elif s == kernels.DIVIDENDS:
                at = self.dividend_row, self.dividend_line
                np.add.at(right, at, self.dividend * self.dividend_rate)
            elif s in earned:
                right[by_line] = earned[s] * self.rate_of_line
            elif s == kernels.INTEREST:
                right[by_currency] = self.interest * self.rate
            elif s == kernels.SLIPPAGE:
                np.add.at(right, fills, -self.slippage)
            elif s == kernels.IMPACT:
                np.add.at(right, fills, -self.impact * self.fill_rate)
            elif s == kernels.FX_SPREAD:
                np.add.at(right, fills, -self.spread)
                right[by_currency] = -self.swept
            elif s >= kernels.FIRST_FEE:
                np.add.at(right, fills, -self.fees[:, s - kernels.FIRST_FEE] * self.fill_rate)
            for of, i, k, amount in self.booked_by_moves:
                if of == s:
                    right[i, k] += amount
            recorded = self.record.sources[s, self.first :]
            tolerance = self.lasting if s in (kernels.INTEREST, kernels.FX_SPREAD) else self.tolerance
            self._compare(source, recorded, right, tolerance[:, None])
            total += recorded @ each
        self.booked = total

    def check_balances(self) -> None:
        """Cash, receivables and equity are what they were and what the step did to them."""
        worth = (self.held * self.mark * self.rate_of_line).sum(axis=1)
        equity = worth + ((self.cash + self.receivable) * self.rate).sum(axis=1)
        lasting, local, first = self.lasting[:, None], self.tolerance[:, None] / self.rate, self.first
        cash = np.where(self.ruined[:, None], 0.0, self.cash)
        receivable = np.where(self.ruined[:, None], 0.0, self.receivable)
        receivable[self.ruined, 0] = self.equity[self.ruined]
        names = self.names[self.lines :]
        self._compare("cash", self.record.cash[first:], cash, lasting / self.rate, names)
        self._compare("receivable", self.record.receivable[first:], receivable, local, names)
        whole, tolerance = ["equity"], self.tolerance[:, None]
        self._compare(
            "cash, receivables and positions", self.equity[:, None], equity[:, None], tolerance, whole
        )
        moved = (self.equity - self.equity_before)[:, None]
        self._compare("all terms", moved, self.booked[:, None], tolerance, whole)

    def _compare(
        self, term: str, recorded: Floats, right: Floats, tolerance: Floats, names: list[str] | None = None
    ) -> None:
        """Note the first row at which two arrays differ, and where in it they differ most."""
        off = recorded - right
        agree = np.abs(off, out=off) <= tolerance
        if not agree.all():
            i = int(np.argmin(agree.all(axis=1)))
            column = int(np.argmax(np.where(agree[i], -1.0, np.nan_to_num(off[i], nan=np.inf))))
            name = (names or self.names)[column]
            self._find(i, name, term, float(recorded[i, column]), float(right[i, column]))

    def _compare_at(
        self, at: tuple[Ints, Ints], term: str, recorded: Floats, right: Floats, tolerance: Floats
    ) -> None:
        """Note the first of some rows and lines at which two amounts differ."""
        wrong = ~(np.abs(recorded - right) <= tolerance)
        if wrong.any():
            n = int(np.argmax(wrong))
            i, k = int(at[0][n]), int(at[1][n])
            self._find(i, self.names[k], term, float(recorded[n]), float(right[n]))

    def _find(self, row: int, instrument: str, term: str, recorded: float, right: float) -> None:
        """Keep what is wrong at the earliest step; of one step, what was looked at first."""
        if self.found is None or row < self.found[0]:
            self.found = row, instrument, term, recorded, right

    def report(self) -> None:
        """Raise what was found."""
        if self.found is None:
            return
        row, instrument, term, recorded, right = self.found
        step = row + self.first
        when = self.ledger.market.grid["time"].iloc[step]
        raise DataError(
            f"the ledger does not add up at step {step} ({when:%Y-%m-%d %H:%M} UTC), {instrument}, {term}: "
            f"{recorded!r} was recorded and {right!r} follows from the books and the market; "
            "this is a defect of entrepot, report it"
        )


def _nothing(quantity: float, held: float) -> bool:
    """Whether a quantity is only what rounding leaves of one."""
    return abs(quantity) < kernels.SLACK * max(1.0, abs(held))


def _shifted(values: Floats, before: Floats | float, first: int) -> Floats:
    """Rows from ``first`` on, each replaced by the one before it."""
    out = np.empty((len(values) - first, *values.shape[1:]))
    out[:1] = before
    out[1:] = values[first:-1]
    return out


def _turns(keys: Ints) -> Ints:
    """How many equal keys stand before each."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new = np.append(True, ordered[1:] != ordered[:-1])[: len(keys)]
    starts = np.flatnonzero(new)
    turns = np.empty(len(keys), dtype=np.int64)
    turns[order] = np.arange(len(keys)) - starts[np.cumsum(new) - 1]
    return turns
