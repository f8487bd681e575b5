"""Changes to the code that change nothing anybody can see, each with the reason."""

from __future__ import annotations

CLOCK = "engine/_kernels.py"
TAPE = "engine/tape.py"
MARKOV = "regimes/_markov_kernels.py"
UNCHANGED: dict[str, str] = {
    f"{CLOCK} limit: shared_part(state.book[HELD, legs[p, 0], lane], want) -> "
    "shared_part(want, state.book[HELD, legs[p, 0], lane])": (
        "what two positions on the same side share is the smaller of them, whichever is named first"
    ),
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
    "engine/run_state.py unpaid_slots: 0 -> 1 #2": (
        "dividends of one date are numbered from 1: both who writes the numbers and who reads them count so"
    ),
    f"{TAPE} empty_record: 0 -> 1 #3": "room for sums that a recorded run does not keep; nothing reads it",
    f"{TAPE} _downticks: -1 -> 1 #2": (
        "before its first price a line has no price to fall from, whichever session that is"
    ),
    f"{MARKOV} kernels: 1.0 -> 2.0 #9": "densities are scaled by twice the power of two: no digit changes",
    f"{MARKOV} kernels: total < SMALL -> total > SMALL": (
        "densities are scaled by powers of two at most rows instead of at few, which changes no digit"
    ),
    f"{MARKOV} kernels: 0 -> 1 #5": "a row that is missing is missing in every state",
    f"{MARKOV} kernels: P = transition[0] -> nothing": (
        "the only transition there is has been taken up by the loop before"
    ),
}
