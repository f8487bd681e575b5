"""Event intensity: a shot noise per channel and side, from the events known so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, is_listed, is_number, shown
from entrepot.regimes.arguments import keep_plain, kind, short
from entrepot.regimes.event_file import CHANNELS

Marks = Literal["capped", "severity", "ones"]
SIDES = {"escalation": 1, "relief": -1}
MARK_CAP = 3
TOP_MARK = {"capped": MARK_CAP, "severity": 5, "ones": 1}  # the largest mark that each policy can give
CONTEXT_ONLY = "context only"  # notes that begin so mark a row which is listed but never scored


def check_marks(marks: str) -> None:
    """Raise ParameterError unless `marks` is one of the policies of `event_marks`."""
    if not isinstance(marks, str) or marks not in get_args(Marks):
        raise ParameterError(f"marks={shown(marks)} is not a policy; use one of {', '.join(get_args(Marks))}")


def event_marks(frame: pd.DataFrame, marks: Marks = "capped") -> NDArray[np.float64]:
    """Weight of each event, shape (n_events,).

    Severities 4 and 5 were given with the market's answer in view, so the default caps them.

    Args:
        frame: events, with severity and notes.
        marks: "capped" takes min(severity, 3), "severity" takes it as given, "ones" ignores it. Rows whose
            notes begin with "context only" weigh 0 under every policy.
    """
    check_marks(marks)
    severity = frame["severity"].to_numpy(np.float64)
    weight = {
        "capped": np.minimum(severity, MARK_CAP),
        "severity": severity,
        "ones": np.ones_like(severity),
    }[marks]
    context = frame["notes"].str.startswith(CONTEXT_ONLY).to_numpy(bool)
    return np.where(context, 0.0, weight)


def shot_noise(
    time: NDArray[np.int64],
    clock: NDArray[np.float64],
    known_at: NDArray[np.int64],
    known_clock: NDArray[np.float64],
    marks: NDArray[np.float64],
    half_life: float,
) -> NDArray[np.float64]:
    """Sum of decaying marks: x(t) = sum over known_at_i <= t of m_i 2^-((tau(t) - tau_i) / half_life).

    The level just after each event follows from the one before, so the cost is one pass over the events and
    one look-up per step, and the value at a step depends on no other step: a longer grid changes no bit.

    Args:
        time: UTC nanoseconds of the steps, shape (n_steps,).
        clock: session clock tau of the steps, shape (n_steps,), New York sessions.
        known_at: UTC nanoseconds of the events, ascending, shape (n_events,).
        known_clock: session clock of the events, shape (n_events,).
        marks: weight of the events, shape (n_events,); no NaN.
        half_life: New York sessions in which a mark halves.

    Returns:
        shape (n_steps,), 0 before the first event.
    """
    level = marks.astype(np.float64)
    for i in range(1, len(level)):
        level[i] += level[i - 1] * 2.0 ** ((known_clock[i - 1] - known_clock[i]) / half_life)
    last = np.searchsorted(known_at, time, side="right") - 1
    seen = last >= 0
    last = last[seen]
    out = np.zeros(len(time))
    out[seen] = level[last] * np.exp2((known_clock[last] - clock[seen]) / half_life)
    return out


@dataclass(frozen=True)
class Hawkes:
    """A self-exciting rate of events, from parameters that are given and never estimated.

    lambda(t) = base + alpha sum over known_at_i <= t of (m_i / top) exp(-beta (tau(t) - tau_i)), with
    beta = ln 2 / half_life, alpha = branching * beta and top the largest mark of the policy (1, 3 or 5): a
    top event brings about `branching` others on average, a lesser one in proportion to its mark. It is
    the shot noise x of the same half-life and marks, scaled and shifted: base + branching * beta / top * x.
    What differs is the meaning, events per New York session instead of marks, and the floor at `base`, so
    that thresholds in marks do not carry over. Each channel and side excites itself alone.

    At a step the value includes the events known there: it is the rate from that moment on, where the
    likelihood of a point process takes the rate just before an event.

    Nothing is estimated because there is too little to estimate from: of the twelve channels and sides of the
    calendar eleven hold 41 events or fewer and the largest 52, which come in bursts that a fit would take
    for excitation. Fixed parameters count as trials where several are tried.

    A. G. Hawkes, Biometrika 58 (1971), 83-90; marks as a factor of the excitation in P. Embrechts,
    T. Liniger, L. Lin, Journal of Applied Probability 48A (2011), 367-378.

    Args:
        base: events per New York session where nothing has happened; above 0.
        branching: events that one of the largest mark brings about on average, alpha / beta; at least 0 and
            less than 1, because from 1 on the events multiply without end.
    """

    base: float
    branching: float

    def __post_init__(self) -> None:
        keep_plain(self)
        if not (is_number(self.base) and 0 < self.base < np.inf):
            raise ParameterError(f"base is {kind(self.base)}: give events per session, above 0, such as 0.02")
        if not (is_number(self.branching) and 0 <= self.branching < 1):
            raise ParameterError(
                f"branching is {kind(self.branching)}: give a number from 0 to below 1, such as 0.5; from 1 "
                "on events would multiply without end"
            )

    def rate(self, x: pd.DataFrame, half_life: float, marks: Marks) -> pd.DataFrame:
        """Return lambda in events per session, from shot noise of the same half-life and marks."""
        return self.base + self.branching * log(2) / half_life / TOP_MARK[marks] * x


def hawkes_loglikelihood(
    times: Any, end: float, hawkes: Hawkes, half_life: float, weights: Any = None
) -> float:
    """Log-likelihood of events on [0, end] at given parameters; nothing is estimated.

    sum over i of ln lambda(t_i) - base * end - branching sum over i of w_i (1 - exp(-beta (end - t_i))), with
    lambda(t_i) = base + alpha sum over t_j < t_i of w_j exp(-beta (t_i - t_j)). The sum is carried from one
    time to the next (T. Ozaki, Annals of the Institute of Statistical Mathematics 31 (1979), 145-155,
    recursion for A_i). The condition is t_j < t_i and not j < i: events at one time, such as those that
    are dated by their day alone, do not excite each other, and their order does not matter.

    Args:
        times: of the events in sessions since observation began, ascending, within [0, end], shape
            (n_events,); differences of `session_clock`.
        end: length of the observation in sessions.
        hawkes: base and branching.
        half_life: New York sessions in which excitation halves, ln 2 / beta.
        weights: marks as a part of the largest, shape (n_events,), 0 to 1; 1 each when None. An event that
            should not count as one has to be left out: weight 0 excites nothing, yet still occurs.

    Returns:
        In nats; without events -base * end.
    """
    check_half_life(half_life)
    if not isinstance(hawkes, Hawkes):
        raise ParameterError(f"hawkes is {kind(hawkes)}: give Hawkes(base=0.02, branching=0.5)")
    if not (is_number(end) and 0 < end < np.inf):
        raise ParameterError(f"end is {kind(end)}: give the length of the observation in sessions, positive")
    when = _vector("times", times)
    if not ((np.diff(when) >= 0).all() and ((when >= 0) & (when <= end)).all()):
        raise ParameterError(f"times must ascend and lie within 0 and the end {end:g}: sort and cut them")
    weight = np.ones(len(when)) if weights is None else _vector("weights", weights)
    if len(weight) != len(when) or not ((weight >= 0) & (weight <= 1)).all():
        raise ParameterError(
            "weights must be one number from 0 to 1 for each time: divide marks by the largest"
        )
    beta = log(2) / half_life
    total = -hawkes.base * end
    earlier = 0.0  # decayed weights of the events strictly before this time
    present = 0.0  # weights at this very time
    last = 0.0
    for t, w in zip(when.tolist(), weight.tolist(), strict=True):
        if t > last:
            earlier = (earlier + present) * exp(-beta * (t - last))
            present, last = 0.0, t
        present += w
        total += log(hawkes.base + hawkes.branching * beta * earlier)
        total -= hawkes.branching * w * (1.0 - exp(-beta * (end - t)))
    return total


def channel_intensity(
    frame: pd.DataFrame,
    known_clock: NDArray[np.float64],
    time: pd.DatetimeIndex,
    clock: NDArray[np.float64],
    *,
    half_life: float,
    marks: Marks,
    channels: str | Sequence[str],
) -> pd.DataFrame:
    """Shot noise of each channel's escalation and relief, never netted, on the given steps.

    Args:
        frame: events in order of `known_at`.
        known_clock: their session clock, shape (n_events,).
        time: steps, UTC, shape (n_steps,).
        clock: session clock of the steps, shape (n_steps,).
        half_life: New York sessions in which a mark halves.
        marks: policy of `event_marks`.
        channels: which channels, or one; unknown ones and none are refused.

    Returns:
        index time, columns (channel, side), all finite and >= 0.
    """
    check_half_life(half_life)
    sides = channel_sides(channels)
    weight = event_marks(frame, marks)
    known_at = nanoseconds(frame["known_at"])
    step = nanoseconds(time)
    columns = {}
    for channel, side in sides:
        rows = of_side(frame, channel, side)
        columns[channel, side] = shot_noise(
            step, clock, known_at[rows], known_clock[rows], weight[rows], half_life
        )
    names = pd.MultiIndex.from_tuples(list(columns), names=["channel", "side"])
    return pd.DataFrame(np.column_stack(list(columns.values())), index=time, columns=names)


def channel_sides(channels: str | Sequence[str]) -> list[tuple[str, str]]:
    """Return the (channel, side) columns of some channels, or of one; refuse unknown ones and none."""
    given = (channels,) if isinstance(channels, str) else channels
    names = tuple(given) if is_listed(given) else ()
    if not names:
        raise ParameterError(f"channels is {kind(channels)}: give one or more of {', '.join(CHANNELS)}")
    unknown = [channel for channel in names if not isinstance(channel, str) or channel not in CHANNELS]
    if unknown:
        raise ParameterError(
            f"unknown channel {short(', '.join(map(str, unknown)))}; use some of {', '.join(CHANNELS)}"
        )
    return [(channel, side) for channel in names for side in SIDES]


def of_side(frame: pd.DataFrame, channel: str, side: str) -> NDArray[np.bool_]:
    """Which events are of a channel's escalation or relief, shape (n_events,)."""
    return ((frame["channel"] == channel) & (frame["direction"] == SIDES[side])).to_numpy(bool)


def check_half_life(half_life: float) -> None:
    """Raise ParameterError unless a half-life is a finite number of sessions, a millionth or more."""
    if not (is_number(half_life) and 1e-6 <= half_life < np.inf):
        raise ParameterError(
            f"half_life={kind(half_life)} must be a positive number of sessions, 1e-06 or more, such as 20"
        )


def nanoseconds(moments: pd.Series | pd.DatetimeIndex) -> NDArray[np.int64]:
    """UTC moments as int64 nanoseconds since 1970."""
    return pd.DatetimeIndex(moments).as_unit("ns").asi8


def _vector(name: str, given: Any) -> NDArray[np.float64]:
    try:
        values = np.ma.filled(np.ma.asarray(given, dtype=np.float64), np.nan)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ParameterError(f"{name} must be a list of finite numbers, one for each event")
    return values
