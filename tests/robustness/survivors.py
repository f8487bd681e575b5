"""Changes to the code that change nothing anybody can see, each with the reason."""

from __future__ import annotations

CLOCK = "engine/_kernels.py"
TAPE = "engine/tape.py"
BATCH = "engine/batch.py"
RUN_STATE = "engine/run_state.py"
CHANGE = "regimes/_change_point_kernels.py"
JUMP = "regimes/_jump_kernels.py"
STRATEGIES = "strategies/_kernels.py"
MARKOV = "regimes/_markov_kernels.py"
UNCHANGED: dict[str, str] = {
    f"{CLOCK} limit: GONE -> PRINTED": (
        "it chooses between two ways to the same sum: a line that has left has no order outside an alarm"
    ),
    f"{CLOCK} fill_row: PENDING -> LIVE": (
        "an order is looked for where there is none; whether a line is held is found anew before it is read"
    ),
    f"{CLOCK} decide: continue -> nothing #2": (
        "what has been decided for all lanes at once is decided again for each, to the same numbers"
    ),
    f"{CLOCK} within: goal * limit -> goal / limit": (
        "a quotient has the sign of the product, and no goal but 0 is within a limit of 0"
    ),
    f"{RUN_STATE} unpaid_slots: 0 -> 1 #2": (
        "dividends of one date are numbered from 1: both who writes the numbers and who reads them count so"
    ),
    f"{TAPE} empty_record: 0 -> 1 #3": "room for sums that a recorded run does not keep; nothing reads it",
    f"{TAPE} _downticks: -1 -> 1 #2": (
        "before its first price a line has no price to fall from, whichever session that is"
    ),
    f"{MARKOV} kernels: 1.0 -> 2.0 #9": "densities are scaled by twice the power of two: no digit changes",
    f"{MARKOV} kernels: 0.0 -> 1.0": "one more in every logit of a state leaves the same probabilities",
    f"{MARKOV} kernels: range(K - 1, 0, -1) -> range(K - 1, 0 - 1, -1)": (
        "once all other states are eliminated, there is nothing left to do for the first"
    ),
    f"{MARKOV} kernels: total < SMALL -> True": (
        "scaled at every row by powers of two, no digit changes but of filtered probabilities below 1e-260 "
        "and of what is smoothed of them"
    ),
    f"{MARKOV} kernels: total < SMALL -> total <= SMALL": (
        "a sum of just that is scaled by a power of two or is not, which changes no digit"
    ),
    f"{MARKOV} kernels: 0 -> 1 #5": "a row that is missing is missing in every state",
    f"{MARKOV} kernels: 0 -> 1 #13": "a row that is missing is missing in every state",
    f"{MARKOV} kernels: P = transition[0] -> nothing": (
        "the only transition there is has been taken up by the loop before"
    ),
    f"{MARKOV} kernels: varying -> True": (
        "without covariates, what has been summed up row by row is replaced by what the counts come to"
    ),
    # -- what is looked at or done again, to the same end
    f"{CLOCK} stand_down: order[UNTIL, k, lane] == FOREVER and (not np.isnan(book[GOAL, k, lane])) -> "
    "order[UNTIL, k, lane] == FOREVER or not np.isnan(book[GOAL, k, lane])": (
        "the alarm stays on, and lines that need nothing are looked at"
    ),
    f"{CLOCK} run: 1 -> 2 #7": "the alarm stays on, and lines that need nothing are looked at",
    f"{CLOCK} expire: active > 0 -> active >= 0": "a pair with nothing to do is looked at",
    f"{CLOCK} fill: 0 -> 1 #8": "a pair with nothing to do is looked at in one lane",
    f"{CLOCK} force_single: PENDING -> LIVE #2": "an order is looked at sooner, and found to stand",
    f"{CLOCK} end_what_is_ruined: equity[lane] > 0.0 or state.called[lane] == OVER -> equity[lane] > 0.0": (
        "what has been closed is closed again: nothing is left of it"
    ),
    f"{CLOCK} end_what_is_ruined: PARKED_PAIR -> IDLE": "nothing is decided any more in a lane that is over",
    f"{CLOCK} fill: link[STAGE, p, lane] == LEAD and link[FORCE, p, lane] == UNFORCED -> "
    "link[STAGE, p, lane] == LEAD": "a forced pair that could not lead when its turn was, cannot now either",
    f"{CLOCK} reduce_all: flags[PAIR, k] >= 0 -> flags[PAIR, k] > 0": (
        "the goal of a leg alone is not looked at while there is a pair, and taken back when it ends"
    ),
    # -- what is the same number
    f"{CLOCK} decide_row: 0.0 -> 1.0 #3": "from nothing to one share the same is no trade",
    f"{CLOCK} decide_single: 0.0 -> 1.0 #5": "from nothing to one share the same is no trade",
    f"{CLOCK} decide_pair: 0.0 -> 1.0 #10": "legs are on opposite sides, or there is nothing to convert",
    f"{CLOCK} trade_by_size: change > 0.0 -> change >= 0.0": "a change of nothing has been left out before",
    f"{CLOCK} impact_of: impact > most -> impact >= most": "of two equal numbers either is taken",
    f"{CLOCK} within: goal * limit > 0.0 -> goal * limit >= 0.0": "no goal but 0 is within a limit of 0",
    f"{CLOCK} exceeds: abs(trade) > most + SLACK * max(1.0, most) -> "
    "abs(trade) >= most + SLACK * max(1.0, most)": (
        "a billionth over what may be filled is rounding or is not, whichever; nothing lands on it exactly"
    ),
    f"{CLOCK} force_pair: 1 -> 2 #2": "any number but 0 says that there is something to do",
    f"{CLOCK} force_pair: 0 -> 1": "whether it leads with a part is written when it leads, before it is read",
    f"{CLOCK} decide: 0 -> 1 #18": "there are margins or there are none, never one",
    f"{CLOCK} run: 1 -> 2 #8": "no line is before the first, whatever number says so",
    # -- what cannot be
    f"{CLOCK} run: tape.impacts and state.fault[1] > 0.0 -> state.fault[1] > 0.0": (
        "only what moves its own price can fail for want of a volume"
    ),
    f"{CLOCK} decide: (drifting or target[lane] == target[lane]) and equity[lane] > 0.0 -> "
    "drifting or target[lane] == target[lane]": "without equity nothing is wanted and nothing stands",
    f"{CLOCK} asked_of_single: np.isnan(want) or order[UNTIL, k, lane] == FOREVER or "
    "state.marks[GONE, k] != LISTED -> np.isnan(want) or order[UNTIL, k, lane] == FOREVER": (
        "a line that has left has no order but a forced one"
    ),
    f"{CLOCK} may_short: tape.flags[SHORTABLE, k] == 1 and tape.loan[t, k] == AVAILABLE -> "
    "tape.loan[t, k] == AVAILABLE": "a target short of a line that nobody lends is refused before",
    f"{CLOCK} must_wait: tape.flags[SHORTABLE, k] == 1 and tape.loan[t, k] == WAIT -> "
    "tape.loan[t, k] == WAIT": "a target short of a line that nobody lends is refused before",
    f"{CLOCK} lead_pair: HELD -> GOAL": (
        "the leg that was not recalled follows the other until nothing is left: it never leads"
    ),
    f"{CLOCK} dissolve: not stays and (not nothing(book[HELD, left, lane], 0.0)) and "
    "(marks[GONE, left] == LISTED) -> not stays and (not nothing(book[HELD, left, lane], 0.0))": (
        "of a leg that has left nothing is held, unless both are kept"
    ),
    # -- of the filters
    f"{CHANGE} follow_runs: True -> False": "whether other threads run meanwhile changes no number",
    f"{CHANGE} _follow_runs: 0 -> 1 #4": "what the sum is scaled by: it need not be the largest",
    f"{CHANGE} _follow_runs: 1 -> 2 #3": "what the sum is scaled by: it need not be the largest",
    f"{CHANGE} _follow_runs: range(1, n) -> range(1 + 1, n)": (
        "what the sum is scaled by: it need not be the largest"
    ),
    f"{CHANGE} _follow_runs: range(1, n) -> range(1, n - 1)": (
        "what the sum is scaled by: it need not be the largest"
    ),
    f"{CHANGE} _follow_runs: i -> i - 1 #12": "what the sum is scaled by: it need not be the largest",
    f"{CHANGE} _follow_runs: runs[i, WEIGHT] - density >= LOG_DROPPED -> "
    "runs[i, WEIGHT] - density > LOG_DROPPED": "no probability is 1e-12 to the last digit",
    f"{CHANGE} _follow_runs: runs[i, WEIGHT] > runs[likeliest, WEIGHT] -> "
    "runs[i, WEIGHT] >= runs[likeliest, WEIGHT]": "no two runs are as probable to the last digit",
    f"{CHANGE} _follow_runs: runs[i, WEIGHT] < runs[least, WEIGHT] -> "
    "runs[i, WEIGHT] <= runs[least, WEIGHT]": "no two runs are as probable to the last digit",
    f"{CHANGE} _follow_runs: range(1, kept) -> range(1, kept - 1)": (
        "the newest run is not older than the recent ones, and is not looked for"
    ),
    f"{JUMP} _best_path: range(T - 2, -1, -1) -> range(T - 2 + 1, -1, -1)": (
        "the last row is found to end in the state it ends in"
    ),
    f"{JUMP} _descend: (starts[s] == held).all() -> False": (
        "centroids that stay cost the same, to the last bit, and a round that costs no less is the last"
    ),
    f"{JUMP} _descend: break -> nothing": (
        "centroids that stay cost the same, to the last bit, and a round that costs no less is the last"
    ),
    f"{JUMP} _descend: t -> t - 1": "the rows of a state are counted from the last on: as many",
    f"{MARKOV} _compiled: True -> False": "whether other threads run meanwhile changes no number",
    # -- of the strategies
    f"{STRATEGIES} inner: True -> False": "whether other threads run meanwhile changes no number",
    f"{STRATEGIES} inner: True -> False #2": "a way to call it that nobody uses",
    f"{STRATEGIES} inner: True -> False #3": "a way to call it that nobody uses",
    f"{STRATEGIES} latch: enter and (not leave) -> not leave": (
        "one of both is so: where it is not left, it is entered"
    ),
    f"{STRATEGIES} choose: 1 -> 2": "any number below 0 says that none has been found yet",
    f"{STRATEGIES} basket_volatility: daily[int(belongs[n]), i] += moved / size[int(belongs[n])] -> "
    "daily[int(belongs[n]), i] -= moved / size[int(belongs[n])]": (
        "returns with the other sign deviate as much from their mean, to the last bit"
    ),
    f"{STRATEGIES} _emit: 0 -> 1": "another column of an array that was made for this",
    f"{STRATEGIES} _emit: 0 -> 1 #2": "another column of an array that was made for this",
    f"{STRATEGIES} _emit: 2 -> 3": "a column more in an array that was made for this",
    f"{STRATEGIES} _emit: 2 -> 3 #2": "a column more in an array that was made for this",
    # -- the clock, lines
    f"{CLOCK} ask: equity[lane] > 0.0 -> True": (
        "what a lane without equity wants is taken back before it is looked at, and it never decides again"
    ),
    f"{CLOCK} accrue: free >= 0.0 -> free > 0.0": "on a balance of nothing either rate earns nothing",
    f"{CLOCK} needs_borrow: 0.0 -> 1.0": "what is no short afterwards is above any bound below nothing",
    f"{CLOCK} run: t >= first_stop -> True": (
        "before the first step at which prices are known to have ended, no line is found whose are"
    ),
    f"{CLOCK} mark: t > 0 -> t >= 0": "nothing is held when the first step is marked",
    f"{CLOCK} decide_row: UNDONE -> TRADE": (
        "another row of scratch: trades are written there anew before they are read"
    ),
    f"{CLOCK} decide: 0 -> 1 #13": (
        "a target of a pair is named of one lane alone: what is below the least is below the most"
    ),
    f"{CLOCK} fill: state.alarm[0] == 1 or legs.shape[0] > 0 -> True": (
        "without an alarm and without pairs nothing is found that is forced"
    ),
    f"{CLOCK} fill_row: left == 0 -> False": "an order is looked for where there is none",
    f"{CLOCK} fill_row: most == np.inf and may_short(tape, k, t) -> False": (
        "the slower of two ways to the same trades: without a cap none exceeds it, and no short is refused"
    ),
    f"{CLOCK} decide_row: given == lanes -> False": (
        "the slower of two ways to the same orders: that of lanes of which only some are told something"
    ),
    f"{CLOCK} stand_down: order[UNTIL, k, lane] == FOREVER and (not np.isnan(book[GOAL, k, lane])) -> "
    "not np.isnan(book[GOAL, k, lane])": (
        "the alarm stays on while any order waits, and lines that need nothing are looked at"
    ),
    f"{CLOCK} limit: return -> nothing": (
        "what every lane needs is added up, and no lane has decided anything that might be cut"
    ),
    f"{CLOCK} stopped: 0.0 -> 1.0": "what is dust beside one share is what is dust beside none",
    # -- the clock, pairs
    f"{CLOCK} dissolve: FORCE -> PARTIAL": (
        "the alarm stays on: whether a pair is forced is not looked at once a leg of it has left"
    ),
    f"{CLOCK} expire: stage not in (IDLE, PARKED_PAIR, GONE_PAIR) or not np.isnan(pair[QUEUED, p, lane]) -> "
    "stage not in (IDLE, PARKED_PAIR, GONE_PAIR)": (
        "a target waits only while its pair is under way, and is taken up or dropped as that ends"
    ),
    f"{CLOCK} expire: continue -> nothing": (
        "orders are looked at sooner, and found to stand; what a leg alone must do never expires"
    ),
    f"{CLOCK} end_what_is_ruined: UNFORCED -> ANY_LEG": (
        "the alarm stays on: no pair is under way any more in a lane that is over"
    ),
    f"{CLOCK} stand_down: link[FORCE, p, lane] != UNFORCED -> link[FORCE, p, lane] == UNFORCED": (
        "the alarm is for lines and calls: a pair that is forced is looked at without it"
    ),
    f"{CLOCK} stand_down: alarms > 0 -> True": (
        "the alarm stays on, and lines that need nothing are looked at"
    ),
    f"{CLOCK} stand_down: state.alarm[0] = 1 if alarms > 0 else 0 -> nothing": (
        "the alarm stays on, and lines that need nothing are looked at"
    ),
    # -- of the tables that come with the package
    "markets/fees.py half_tick: market == 'US' -> False": "New York has one row, which either way takes",
    "markets/fees.py half_tick: return np.where(np.isnan(prices), np.nan, rows['rate'].iloc[0] / 2) -> "
    "nothing": ("New York has one row, which what follows takes as well"),
    "markets/premium.py matched: True -> False": "sessions are each once, whether that is looked at or not",
    "markets/premium.py splits_between: 1.0 -> 2.0": "both of the levels that are divided are twice as large",
    # -- around the clock
    f"{TAPE} _session_begins: True -> False": "before a venue's first session nothing is held of it",
    f"{TAPE} empty_record: 0 -> 1": "room for what a run that is not recorded leaves; nothing reads it",
    f"{TAPE} empty_record: 6 -> 7": "room for more than can be",
    f"{TAPE} empty_record: 4 -> 5": "room for more than can be",
    f"{TAPE} check_dearest: 0 -> 1 #2": "of no lines none is dear",
    f"{TAPE} check_dearest: 0.0 -> 1.0 #3": "a share worth one unit of money is no dearer than any capital",
    f"{TAPE} initial_state: 2 -> 3 #2": "room for more than can be",
    f"{TAPE} initial_state: 1 -> 2 #4": "any number but 0 says that there is something to do",
    f"{TAPE} empty_record: 0 -> 1 #5": "room for what a run that is not recorded leaves; nothing reads it",
    f"{TAPE} _conversions: 0.0 -> 1.0": "a number that only dividends have",
    f"{TAPE} _in_force: 1 -> 2 #2": "the last of the rows without a number is as good as the only one",
    f"{TAPE} _actions: len(table) == 0 -> False": "of no rows nothing is made",
    f"{BATCH} Bench.run: pending and stop[0] == 0 -> pending": (
        "a block that begins after the run has been told to stop ends at its first step"
    ),
    f"{TAPE} _loans: states is not None -> True": "no step is in no state",
    f"{TAPE} _loans: states is not None -> True #2": "no step is in no state",
    f"{BATCH} Bench._run_block: len(made) == 1 -> False": "the same numbers, copied",
    f"{BATCH} Bench._kind: key not in self._shapes -> True": "the shape of features is looked up again",
    f"{TAPE} ratios_in_force: 1 -> 2": "any number below 0 says that New York has not begun",
    f"{TAPE} _units: 1000 -> 1001": "no lot and no ratio has a denominator so large",
    f"{TAPE} _downticks: sessions[own] >= date -> sessions[own] < date": (
        "a split before the first step or after the last multiplies all steps alike"
    ),
    f"{RUN_STATE} unpaid_slots: 1 -> 2 #2": (
        "dividends of one date are numbered in twos: who writes the numbers and who reads them both do"
    ),
    f"{RUN_STATE} unpaid_slots: number += 1 -> number -= 1": (
        "dividends of one date are numbered downwards: who writes the numbers and who reads them both do"
    ),
    f"{TAPE} empty_record: 0 -> 1 #10": "room for sums that a recorded run does not keep; nothing reads it",
    f"{TAPE} initial_state: 5 -> 6": "a row of money more than there are names of rows; nothing reads it",
    f"{TAPE} initial_state: -1 -> 1": "room for more unpaid dividends than there are",
    f"{TAPE} initial_state: 1 -> 2 #3": "room for more unpaid dividends than there are",
    f"{TAPE} _actions: 1 -> 2 #2": "any number below 0 says that a dividend is paid on its ex-date",
    f"{TAPE} initial_state: marks[kernels.PRINTED] = 0.0 -> nothing": (
        "it is read of lines that are held: they have printed"
    ),
    f"{TAPE} check_dearest: 0.0 -> 1.0 #2": "a share worth one unit of money is no dearer than any capital",
    f"{TAPE} check_dearest: 0.0 -> 1.0 #4": "a share worth one unit of money is no dearer than any capital",
    f"{TAPE} _lead_ok: 3600000000000.0 -> 3600000000001.0": "a nanosecond in an hour",
    f"{BATCH} Bench._not_finite: 1 -> 2": "only the first of the numbers that stop a run is read",
    f"{BATCH} backtest_batch: 1 -> 2": "only the first of the numbers that stop a run is read",
    f"{TAPE} _conversions: 1 -> 2 #4": "any number below 0 says that there is no line to turn into",
    f"{TAPE} _conversions: 1 -> 2 #6": "any number below 0 says that there is no line to turn into",
    f"{TAPE} initial_state: 9 -> 10": "room for more than can be",
    f"{TAPE} initial_state: 2 -> 3 #4": "room for more than can be",
    f"{TAPE} empty_record: 0 -> 1 #14": "a row longer in a table without rows",
    f"{TAPE} empty_record: 0 -> 1 #6": "room for sums that a recorded run does not keep; nothing reads it",
    f"{TAPE} empty_record: 0 -> 1 #13": "room for sums that a recorded run does not keep; nothing reads it",
    f"{TAPE} empty_record: 3 -> 4": "room for more than can be",
    f"{TAPE} initial_state: 3 -> 4 #2": "a row of pairs more than there are names of rows; nothing reads it",
    f"{TAPE} initial_state: 5 -> 6 #2": "a row of marks more than there are names of rows; nothing reads it",
    f"{TAPE} initial_state: 0.0 -> 1.0 #2": "it is read of lines that are held: they have printed",
    f"{TAPE} _actions: -1 -> 1": "nothing reads of a split what it goes into",
    f"{TAPE} _conversions: 1 -> 2 #7": "no venue has a number below 0, whichever it is",
    f"{TAPE} _following: dates[own] < days[day] -> dates[own] <= days[day]": (
        "a venue has no session on a day that weather took, and no step"
    ),
    f"{TAPE} _following: market.times >= (times[before[-1]] if len(before) else 0) -> "
    "market.times > (times[before[-1]] if len(before) else 0)": (
        "at a step of the venue itself nobody asks when its next one is, only at those of a pair's other leg"
    ),
    f"{BATCH} backtest_batch: 1 -> 2 #2": "any number but 0 says that the blocks that still run are to end",
}
