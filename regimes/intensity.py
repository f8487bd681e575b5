"""Event intensity: a shot noise per channel and side, from the events known so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, is_number, shown
from entrepot.regimes.arguments import kind, short
from entrepot.regimes.event_file import CHANNELS

Marks = Literal["capped", "severity", "ones"]
SIDES = {"escalation": 1, "relief": -1}
MARK_CAP = 3
CONTEXT_ONLY = "context only"  # notes that begin so mark a row which is listed but never scored


def check_marks(marks: str) -> None:
    """Raise ParameterError unless `marks` is one of the policies of `event_marks`."""
    if not isinstance(marks, str) or marks not in get_args(Marks):
        raise ParameterError(
            f"marks={shown(marks)} is not a policy; use one of {', '.join(get_args(Marks))}."
        )


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
    if not (is_number(half_life) and 0 < half_life < np.inf):
        raise ParameterError(
            f"half_life={kind(half_life)} must be a positive number of sessions, such as 20."
        )
    channels = channel_names(channels)
    unknown = [channel for channel in channels if channel not in CHANNELS]
    if unknown:
        raise ParameterError(
            f"unknown channel {short(', '.join(map(str, unknown)))}; use some of {', '.join(CHANNELS)}."
        )
    weight = event_marks(frame, marks)
    known_at = nanoseconds(frame["known_at"])
    step = nanoseconds(time)
    columns = {}
    for channel in channels:
        for side, direction in SIDES.items():
            rows = ((frame["channel"] == channel) & (frame["direction"] == direction)).to_numpy(bool)
            columns[channel, side] = shot_noise(
                step, clock, known_at[rows], known_clock[rows], weight[rows], half_life
            )
    names = pd.MultiIndex.from_tuples(list(columns), names=["channel", "side"])
    return pd.DataFrame(np.column_stack(list(columns.values())), index=time, columns=names)


def channel_names(channels: str | Sequence[str]) -> tuple[str, ...]:
    """Return channels as a tuple, one given by itself included; refuse what names none."""
    if isinstance(channels, str):
        return (channels,)
    names = tuple(channels) if isinstance(channels, Iterable) else ()
    if not names:
        raise ParameterError(f"channels is {kind(channels)}: give one or more of {', '.join(CHANNELS)}.")
    return names


def nanoseconds(moments: pd.Series | pd.DatetimeIndex) -> NDArray[np.int64]:
    """UTC moments as int64 nanoseconds since 1970."""
    return pd.DatetimeIndex(moments).as_unit("ns").asi8
