"""Episodes that anybody would name, with hindsight, and whether a regime path was in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from entrepot.errors import ParameterError
from entrepot.markets.sessions import naive_moment
from entrepot.regimes.arguments import kind, short
from entrepot.regimes.path import RegimePath


class Episode(NamedTuple):
    """A stretch of time that is remembered for a risk.

    Args:
        name: what it is remembered for.
        risk: "tariff" or "delisting".
        start: first day, New York.
        end: last day.
    """

    name: str
    risk: str
    start: str
    end: str


REMEMBERED = (
    Episode("List 3 and its escalation", "tariff", "2018-06-15", "2018-09-30"),
    Episode("talks break down, 10 % on the rest", "tariff", "2019-05-05", "2019-08-31"),
    Episode("the accountability act, telecoms delisted", "delisting", "2020-12-01", "2021-01-31"),
    Episode("DiDi, offshore listings, tutoring", "delisting", "2021-07-01", "2021-07-31"),
    Episode("the first names on the SEC's list", "delisting", "2022-03-01", "2022-03-31"),
    Episode("fentanyl and reciprocal tariffs", "tariff", "2025-02-01", "2025-04-30"),
    Episode("the investment memorandum, delisting not ruled out", "delisting", "2025-02-21", "2025-04-30"),
)


def find_episodes(path: RegimePath, episodes: Sequence[Episode] = REMEMBERED) -> pd.DataFrame:
    """Return for each episode whether the path was in its risk, and from when that could have been known.

    Args:
        path: of a market; episodes that lie outside it are left out.
        episodes: which; by default those that anybody would name, with hindsight.

    Returns:
        One row per episode: risk, start, end, `found`, `known_from` (UTC, when the path entered the stretch
        of the risk that is the first within the episode, and may have begun before it; NaT where it was never
        in), `sessions_late` (from the episode's first step to that moment, negative where it was before),
        `share` of the episode's steps in the risk, and `share_outside`, of all other steps, which is what a
        share must be held against.

    Raises:
        ParameterError: for an episode of an unknown risk.
    """
    if not isinstance(path, RegimePath):
        raise ParameterError(f"find_episodes was given {kind(path)}: give a path from walk_forward")
    if not isinstance(episodes, (list, tuple)):
        raise ParameterError(f"episodes is {kind(episodes)}: give a list of Episode(name, risk, start, end)")
    bits = {"tariff": 1, "delisting": 2}
    day = path.time.tz_convert("America/New_York").tz_localize(None).normalize()
    rows = []
    for episode in episodes:
        start, end = _days(episode)
        inside = (day >= start) & (day <= end)
        if not inside.any():
            continue
        on = (path.states & bits[episode.risk]) > 0
        first, known = int(np.argmax(inside)), np.flatnonzero(inside & on)
        found = len(known) > 0
        off_before = np.flatnonzero(~on[: known[0]]) if found else np.empty(0, dtype=np.int64)
        entered = int(off_before[-1]) + 1 if len(off_before) else 0
        rows.append(
            {
                "episode": episode.name,
                "risk": episode.risk,
                "start": start,
                "end": end,
                "found": found,
                "known_from": path.time[entered] if found else pd.NaT,
                "sessions_late": path.session_count[entered] - path.session_count[first] if found else np.nan,
                "share": float(on[inside].mean()),
                "share_outside": float(on[~inside].mean()) if (~inside).any() else np.nan,
            }
        )
    columns = ["risk", "start", "end", "found", "known_from", "sessions_late", "share", "share_outside"]
    return pd.DataFrame(rows, columns=["episode", *columns]).set_index("episode")


def _days(episode: object) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last day of an episode, refused where it is none."""
    if not isinstance(episode, Episode):
        raise ParameterError(f"an episode is {kind(episode)}: give Episode(name, risk, start, end)")
    if episode.risk not in ("tariff", "delisting"):
        raise ParameterError(
            f"the episode {short(episode.name)} is of {kind(episode.risk)}: its risk is tariff or delisting"
        )
    start, end = naive_moment(episode.start), naive_moment(episode.end)
    if start is None or end is None or start > end:
        raise ParameterError(
            f"the episode {short(episode.name)} runs from {kind(episode.start)} to {kind(episode.end)}: give "
            "two dates without a time zone, such as 2022-03-01, the first not after the last"
        )
    return start, end
